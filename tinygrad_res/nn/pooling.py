"""The layers that make images smaller.  Paths cross them with weight degree 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from .. import primitives as ops
from ..errors import ShapeError, UsageError
from ..tensor import Tensor, raw, shape_of, tensor
from .layers import Size, pair
from .module import Module
from .onnx_windows import average_pool, max_pool


class MaxPool2d(Module):
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

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
        *, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        self.window: dict[str, Any] = {
            "size": kernel_size, "stride": stride, "padding": padding,
        }  # fmt: skip
        _check("MaxPool2d", **self.window)
        self.dilation, self.ceil_mode = pair("MaxPool2d", "dilation", dilation), bool(ceil_mode)

    def forward(self, x: Any) -> Tensor:
        """Return (N, C, OH, OW) for ``x`` (N, C, H, W)."""
        if not self.ceil_mode and self.dilation == (1, 1):
            return ops.max_pool2d(x, **self.window)
        x = x if backend.is_array(x) else tensor(x)
        geometry = _geometry("MaxPool2d", x, **self.window)
        found: Tensor = max_pool(
            x, **geometry, dilations=self.dilation, ceil_mode=int(self.ceil_mode)
        )
        return found


class AvgPool2d(Module):
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

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
        ceil_mode: bool = False, count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        self.window: dict[str, Any] = {
            "size": kernel_size, "stride": stride, "padding": padding,
        }  # fmt: skip
        _check("AvgPool2d", **self.window)
        self.ceil_mode, self.count_include_pad = bool(ceil_mode), bool(count_include_pad)

    def forward(self, x: Any) -> Tensor:
        """Return (N, C, OH, OW) for ``x`` (N, C, H, W)."""
        if not self.ceil_mode:
            return ops.avg_pool2d(x, **self.window, count_include_pad=self.count_include_pad)
        x = x if backend.is_array(x) else tensor(x)
        geometry = _geometry("AvgPool2d", x, **self.window)
        found: Tensor = average_pool(
            x, **geometry, ceil_mode=1, count_include_pad=int(self.count_include_pad)
        )
        return found


def _check(name: str, size: Size, stride: Size | None, padding: Size) -> tuple[Any, Any, Any]:
    """Return a window's size, stride and padding, each for height and width.

    Raises:
        UsageError: a number is less than 1, or a padding than 0 or more than half its window.
    """
    sizes = pair(name, "kernel_size", size)
    pads = pair(name, "padding", padding, least=0)
    if any(2 * p > k for p, k in zip(pads, sizes, strict=True)):
        raise UsageError(
            f"{name}: padding={padding!r}: it goes from 0 to half the kernel_size={size!r}"
        )
    return sizes, sizes if stride is None else pair(name, "stride", stride), pads


def _geometry(name: str, x: Any, size: Size, stride: Size | None, padding: Size) -> dict[str, Any]:
    """Return windows as ONNX says them, which may reach beyond the image.

    Raises:
        ShapeError: ``x`` is no batch of images.
    """
    if len(x.shape) != 4:
        raise ShapeError(f"{name}: input {x.shape}: expected images (N, C, H, W)")
    sizes, strides, pads = _check(name, size, stride, padding)
    return {"kernel_shape": sizes, "strides": strides, "pads": (*pads, *pads)}


class AdaptiveAvgPool2d(Module):
    """The means of ``output_size`` windows, whatever the size of the image.

    Along an axis of n pixels window i of m reaches from floor(i n / m) to ceil((i + 1) n / m),
    so windows overlap, or repeat, where m does not divide n.

    Args:
        output_size: the number of windows, or one for each of height and width.

    Raises:
        UsageError: it is no positive whole number, or pair of them.

    >>> import tinygrad_res as tg
    >>> tg.nn.AdaptiveAvgPool2d((1, 2))(tg.tensor([[[[1.0, 2.0, 6.0]]]]))
    tensor([[[[1.5, 4. ]]]])
    """

    def __init__(self, output_size: Size) -> None:
        self.output_size = pair("AdaptiveAvgPool2d", "output_size", output_size)

    def forward(self, x: Any) -> Tensor:
        """Return (N, C, *output_size) for ``x`` (N, C, H, W).

        Raises:
            ShapeError: ``x`` is no batch of images.
        """
        shape = shape_of(x)
        if len(shape) != 4 or 0 in shape[2:]:
            raise ShapeError(f"AdaptiveAvgPool2d: input {shape}: expected images (N, C, H, W)")
        if self.output_size == (1, 1):
            return ops.mean(x, axis=(2, 3), keepdims=True)
        x = x if backend.is_array(x) else tensor(x)
        xp, dtype = backend.namespace(raw(x)), x.dtype if x.dtype.kind == "f" else float
        down, across = (
            xp.asarray(_means(n, m).astype(dtype))
            for n, m in zip(shape[2:], self.output_size, strict=True)
        )
        return ops.matmul(ops.matmul(down, x), across.T)


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
