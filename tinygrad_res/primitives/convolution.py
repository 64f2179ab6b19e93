"""Two-dimensional convolution: one trilinear form, three contractions.

With T(x, w, g) = <g, conv(x, w)>, opening one slot of T gives the convolution, its
transpose (the input's cotangent) and the weight's cotangent.  Each is bilinear in the
other two, so each one's derivatives are the two others, and derivatives of every order
stay within the three.

The kernels gather the windows into a matrix of (C k k, N OH OW), channel-major, and
do one matrix product for a slice of the batch that fits the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..families import Contraction
from ..tensor import Tensor, raw

_CACHED = 1 << 20  # elements of gathered windows at a time, measured: 4 MiB of float32
_DEVICE = 1 << 27  # on a GPU one large product is best; 512 MiB of float32


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def output_size(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int],
    padding: tuple[int, int], dilation: tuple[int, int],
) -> tuple[int, int]:
    """Return (OH, OW) of a convolution over an image of ``size`` (H, W)."""
    high, wide = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return high, wide


class _Geometry:
    """The sizes of one convolution, and its windows in channel-major order."""

    def __init__(self, xp: Any, x_shape: Any, w_shape: Any, stride: Any, padding: Any,
                 dilation: Any, groups: int) -> None:
        self.xp = xp
        self.x_shape = x_shape
        self.w_shape = w_shape
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.out = output_size(x_shape[2:], w_shape[2:], stride, padding, dilation)
        n, c, h, w = x_shape
        self.padded = (c, n, h + 2 * padding[0], w + 2 * padding[1])

    def slices(self) -> Iterator[slice]:
        """Cut the batch into slices whose gathered windows fit the cache."""
        n, c = self.x_shape[:2]
        each = c * self.w_shape[2] * self.w_shape[3] * self.out[0] * self.out[1]
        step = max(1, (_CACHED if self.xp is np else _DEVICE) // max(1, each))
        return (slice(i, min(i + step, n)) for i in range(0, n, step))

    def inside(self, padded: Any) -> Any:
        """Return the view of a padded channel-major array that holds the image."""
        (p, q), (h, w) = self.padding, self.x_shape[2:]
        return padded[:, :, p : p + h, q : q + w]

    def windows(self, x: Any) -> Any:
        """Return a view (C, kh, kw, N, OH, OW) of the padded input."""
        padded = self.xp.zeros(self.padded, dtype=x.dtype)
        self.inside(padded)[...] = x.transpose(1, 0, 2, 3)
        (kh, kw), (dh, dw), (sh, sw) = self.w_shape[2:], self.dilation, self.stride
        view = self.xp.lib.stride_tricks.sliding_window_view(
            padded, (dh * (kh - 1) + 1, dw * (kw - 1) + 1), axis=(2, 3)
        )
        return view[:, :, ::sh, ::sw, ::dh, ::dw].transpose(0, 4, 5, 1, 2, 3)

    def columns(self, windows: Any, part: slice) -> Any:
        """Gather a slice of the batch into (groups, C k k / groups, N OH OW)."""
        depth = self.w_shape[1] * self.w_shape[2] * self.w_shape[3]
        return _grouped(windows[:, :, :, part].reshape(self.groups * depth, -1), self.groups)

    def rows(self, g: Any, part: slice) -> Any:
        """Lay out a slice of an output-shaped array as (groups, O / groups, N OH OW)."""
        major = g[part].transpose(1, 0, 2, 3)
        return _grouped(major.reshape(self.w_shape[0], -1), self.groups)

    def kernel(self, w: Any) -> Any:
        """Lay out the weights as (groups, O / groups, C k k / groups)."""
        return _grouped(w.reshape(self.w_shape[0], -1), self.groups)


def _grouped(matrix: Any, groups: int) -> Any:
    """Split the rows into groups; one group stays a plain matrix, one product of BLAS."""
    return matrix if groups == 1 else matrix.reshape(groups, -1, matrix.shape[-1])


def _forward(xp: Any, x: Any, w: Any, **geometry: Any) -> Any:
    shape = _Geometry(xp, x.shape, w.shape, **geometry)
    kernel, windows = shape.kernel(w), shape.windows(x)
    out = xp.empty((x.shape[0], w.shape[0], *shape.out), dtype=xp.result_type(x, w))
    for part in shape.slices():
        product = kernel @ shape.columns(windows, part)
        out[part] = product.reshape(w.shape[0], -1, *shape.out).transpose(1, 0, 2, 3)
    return out


def _weight(xp: Any, x: Any, g: Any, w_shape: Any, **geometry: Any) -> Any:
    shape = _Geometry(xp, x.shape, w_shape, **geometry)
    windows, total = shape.windows(x), 0
    for part in shape.slices():
        total = total + shape.rows(g, part) @ shape.columns(windows, part).swapaxes(-1, -2)
    return total.reshape(w_shape) if x.shape[0] else xp.zeros(w_shape, dtype=x.dtype)


def _input(xp: Any, g: Any, w: Any, x_shape: Any, **geometry: Any) -> Any:
    shape = _Geometry(xp, x_shape, w.shape, **geometry)
    kernel = shape.kernel(w).swapaxes(-1, -2)
    (kh, kw), (dh, dw), (sh, sw), (oh, ow) = w.shape[2:], shape.dilation, shape.stride, shape.out
    padded = xp.zeros(shape.padded, dtype=xp.result_type(g, w))
    for part in shape.slices():
        products = (kernel @ shape.rows(g, part)).reshape(x_shape[1], kh, kw, -1, oh, ow)
        for i in range(kh):
            rows = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
            for j in range(kw):
                columns = slice(j * dw, j * dw + sw * (ow - 1) + 1, sw)
                padded[:, part, rows, columns] += products[:, i, j]
    return xp.ascontiguousarray(shape.inside(padded).transpose(1, 0, 2, 3))


# fmt: off
_conv  = Contraction("conv2d", _forward,
    [lambda xp, g, w, shape, **q: _conv_x.apply((g, w), {"x_shape": shape, **q}),
     lambda xp, g, x, shape, **q: _conv_w.apply((x, g), {"w_shape": shape, **q})])
_conv_x = Contraction("conv2d_input", _input,
    [lambda xp, u, w, shape, x_shape, **q: _conv.apply((u, w), q),
     lambda xp, u, g, shape, x_shape, **q: _conv_w.apply((u, g), {"w_shape": shape, **q})])
_conv_w = Contraction("conv2d_weight", _weight,
    [lambda xp, u, g, shape, w_shape, **q: _conv_x.apply((g, u), {"x_shape": shape, **q}),
     lambda xp, u, x, shape, w_shape, **q: _conv.apply((x, u), q)])
# fmt: on


def conv2d(
    x: Any, w: Any, bias: Any = None, stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0, dilation: int | tuple[int, int] = 1, groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of images with a bank of filters, as PyTorch's conv2d.

    Args:
        x: images (N, C, H, W).
        w: filters (O, C / groups, kh, kw).
        bias: (O,), added to every position.
        stride, padding, dilation: one number, or one for each of height and width.
        groups: into how many independent parts channels and filters are split.

    Returns:
        A tensor (N, O, OH, OW) with OH = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    a, b = raw(x).shape, raw(w).shape
    geometry = {"stride": _pair(stride), "padding": _pair(padding), "dilation": _pair(dilation)}
    if len(a) != 4 or len(b) != 4:
        raise ShapeError(
            f"conv2d: images {a} and filters {b}: expected (N, C, H, W) and (O, C / groups, kh, kw)"
        )
    if groups < 1 or a[1] != b[1] * groups or b[0] % groups:
        raise ShapeError(
            f"conv2d: images {a}, filters {b}, groups {groups}: the images have {a[1]} channels, "
            f"the filters take {b[1]} x {groups}, and {groups} must divide {b[0]}"
        )
    if min(geometry["stride"]) < 1 or min(geometry["dilation"]) < 1 or min(geometry["padding"]) < 0:
        raise ShapeError(
            f"conv2d: stride {stride}, padding {padding}, dilation {dilation}: "
            "stride and dilation must be at least 1, padding at least 0"
        )
    if min(output_size(a[2:], b[2:], **geometry)) < 1:
        raise ShapeError(
            f"conv2d: filters of {b[2:]} (dilation {dilation}) do not fit into images of "
            f"{a[2:]} padded by {padding}"
        )
    out = _conv(x, w, groups=groups, **geometry)
    return out if bias is None else out + bias.reshape(1, -1, 1, 1)
