"""The layers that make images and signals smaller.  Paths cross them with weight degree 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import backend
from .. import primitives as ops
from ..errors import ShapeError, UsageError
from ..tensor import Tensor, raw, tensor
from ..whole_numbers import at_least
from .layers import Size, as_many, batch, each
from .module import Module
from .onnx_windows import average_pool, max_pool


class _Pool(Module):
    """Windows over the last one or two axes."""

    run: Callable[..., Tensor]
    axes: int

    def _set(self, kernel_size: Size, stride: Size | None, padding: Size, ceil_mode: bool) -> None:
        self.window: dict[str, Any] = {
            "size": kernel_size, "stride": stride, "padding": padding,
        }  # fmt: skip
        self._checked()
        self.ceil_mode = bool(ceil_mode)

    def _checked(self) -> tuple[Any, Any, Any]:
        """Return the windows' size, stride and padding, each for every axis.

        Raises:
            UsageError: a number is less than 1, or a padding than 0 or more than half its window.
        """
        size, stride, padding = self.window.values()
        axes, name = self.axes, type(self).__name__
        sizes = each(axes, name, "kernel_size", size)
        pads = each(axes, name, "padding", padding, least=0)
        if any(2 * p > k for p, k in zip(pads, sizes, strict=True)):
            raise UsageError(
                f"{name}: padding={padding!r}: it goes from 0 to half the kernel_size={size!r}"
            )
        return sizes, sizes if stride is None else each(axes, name, "stride", stride), pads

    def _geometry(self) -> dict[str, Any]:
        """Return windows as ONNX says them, which may reach beyond the image."""
        sizes, strides, pads = self._checked()
        return {
            "kernel_shape": sizes, "strides": strides, "pads": (*pads, *pads),
            "ceil_mode": int(self.ceil_mode),
        }  # fmt: skip


class _MaxPool(_Pool):
    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
        *, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        self._set(kernel_size, stride, padding, ceil_mode)
        self.dilation = each(self.axes, type(self).__name__, "dilation", dilation)

    def forward(self, x: Any) -> Tensor:
        """Return (N, C, OH, OW) for images (N, C, H, W), or (N, C, OL) for signals (N, C, L).

        Raises:
            ShapeError: ``x`` is no batch of them, or smaller than a window.
        """
        batch(self.axes, type(self).__name__, x)
        if not self.ceil_mode and set(self.dilation) == {1}:
            return self.run(x, **self.window)
        x = x if backend.is_array(x) else tensor(x)
        found: Tensor = max_pool(x, **self._geometry(), dilations=self.dilation)
        return found


class MaxPool1d(_MaxPool):
    """The maximum of each window of signals; all else is as in ``MaxPool2d``.

    >>> import tinygrad_res as tg
    >>> tg.nn.MaxPool1d(2)(tg.tensor([[[1.0, 2.0, 4.0, 3.0]]]))
    tensor([[[2., 4.]]])
    """

    run = staticmethod(ops.max_pool1d)
    axes = 1


class MaxPool2d(_MaxPool):
    """The maximum of each window; see ``tg.max_pool2d``.

    Equal elements share the gradient of their maximum, where PyTorch gives it to the first.

    Args:
        kernel_size, stride, padding: of the windows; a number, or one for height and one for width.
        dilation: from one element of a window to the next.
        ceil_mode: whether a last window may reach beyond the image, rather than be left out.

    Raises:
        UsageError: a number is less than 1, or a padding than 0 or more than half its window.

    >>> import tinygrad_res as tg
    >>> tg.nn.MaxPool2d(2)(tg.tensor([[[[1.0, 2.0], [4.0, 3.0]]]]))
    tensor([[[[4.]]]])
    """

    run = staticmethod(ops.max_pool2d)
    axes = 2


class _AvgPool(_Pool):
    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
        ceil_mode: bool = False, count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        self._set(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = bool(count_include_pad)

    def forward(self, x: Any) -> Tensor:
        """Return (N, C, OH, OW) for images (N, C, H, W), or (N, C, OL) for signals (N, C, L).

        Raises:
            ShapeError: ``x`` is no batch of them, or smaller than a window.
        """
        batch(self.axes, type(self).__name__, x)
        if not self.ceil_mode:
            return self.run(x, **self.window, count_include_pad=self.count_include_pad)
        x = x if backend.is_array(x) else tensor(x)
        counts = int(self.count_include_pad)
        found: Tensor = average_pool(x, **self._geometry(), count_include_pad=counts)
        return found


class AvgPool1d(_AvgPool):
    """The mean of each window of signals; all else is as in ``AvgPool2d``.

    >>> import tinygrad_res as tg
    >>> tg.nn.AvgPool1d(2)(tg.tensor([[[1.0, 2.0, 4.0, 3.0]]]))
    tensor([[[1.5, 3.5]]])
    """

    run = staticmethod(ops.avg_pool1d)
    axes = 1


class AvgPool2d(_AvgPool):
    """The mean of each window; see ``tg.avg_pool2d``.

    Args:
        kernel_size, stride, padding: of the windows; a number, or one for height and one for width.
        ceil_mode: whether a last window may reach beyond the image and its padding, rather than be
            left out; what lies beyond does not count.
        count_include_pad: whether the zeros of the padding count.

    Raises:
        UsageError: a number is less than 1, or a padding than 0 or more than half its window.

    >>> import tinygrad_res as tg
    >>> tg.nn.AvgPool2d(2)(tg.tensor([[[[1.0, 2.0], [4.0, 3.0]]]]))
    tensor([[[[2.5]]]])
    """

    run = staticmethod(ops.avg_pool2d)
    axes = 2


class _AdaptiveAvgPool(Module):
    axes: int

    def __init__(self, output_size: int | Sequence[int | None]) -> None:
        name, several = type(self).__name__, isinstance(output_size, (tuple, list))
        self.output_size = tuple(
            n if n is None and several else at_least(1, name, "output_size", n)
            for n in as_many(self.axes, name, "output_size", output_size)
        )

    def forward(self, x: Any) -> Tensor:
        """Return (N, C, *output_size) for images (N, C, H, W), or for signals (N, C, L).

        Raises:
            ShapeError: ``x`` is no batch of them.
        """
        shape = batch(self.axes, type(self).__name__, x)
        if 0 in shape[2:]:
            raise ShapeError(f"{type(self).__name__}: input {shape}: there is nothing to average")
        if set(self.output_size) == {1}:
            return ops.mean(x, axis=tuple(range(2, len(shape))), keepdims=True)
        out: Tensor = x if isinstance(x, Tensor) else tensor(x)
        xp, dtype = backend.namespace(raw(out)), out.dtype if out.dtype.kind == "f" else float
        for axis, (n, m) in enumerate(zip(shape[2:], self.output_size, strict=True), -self.axes):
            if m is not None:
                means = xp.asarray(_means(n, m).astype(dtype))
                out = ops.matmul(out, means.T) if axis == -1 else ops.matmul(means, out)
        return out


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of ``output_size`` windows of signals; all else is as in ``AdaptiveAvgPool2d``.

    >>> import tinygrad_res as tg
    >>> tg.nn.AdaptiveAvgPool1d(2)(tg.tensor([[[1.0, 2.0, 6.0]]]))
    tensor([[[1.5, 4. ]]])
    """

    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of ``output_size`` windows, whatever the size of the image.

    Along an axis of n pixels window i of m reaches from floor(i n / m) to ceil((i + 1) n / m),
    so windows overlap, or repeat, where m does not divide n.

    Args:
        output_size: the number of windows, or one for each of height and width; ``None`` for one
            of these leaves the image as high, or as wide, as it is.

    Raises:
        UsageError: it is no positive whole number, or pair of them.

    >>> import tinygrad_res as tg
    >>> tg.nn.AdaptiveAvgPool2d((None, 2))(tg.tensor([[[[1.0, 2.0, 6.0]]]]))
    tensor([[[[1.5, 4. ]]]])
    """

    axes = 2


def _means(pixels: int, windows: int) -> np.ndarray:
    """Return the matrix (windows, pixels) whose rows take the means."""
    matrix = np.zeros((windows, pixels))
    for i in range(windows):
        start, end = i * pixels // windows, -(-(i + 1) * pixels // windows)
        matrix[i, start:end] = 1 / (end - start)
    return matrix


class GlobalAvgPool(Module):
    """The mean over height and width, without these axes."""

    def forward(self, x: Any) -> Tensor:
        """Return (N, C) for ``x`` (N, C, H, W)."""
        return ops.mean(x, axis=(2, 3))
