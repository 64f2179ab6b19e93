"""ONNX's operators that slide windows over images, or sample them anew.

ONNX pads the two ends of an axis by numbers of their own, lays pooling windows over the end where
``ceil_mode`` asks for it, and derives both from the sizes where ``auto_pad`` does.  ``_pads`` says all of
this once, as (before, after) for each axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from .. import primitives as ops
from ..errors import ShapeError
from ..tensor import raw, shape_of
from .onnx_shapes import axes_of, numbers, whole

Pairs = list[tuple[int, int]]


def _pads(
    size: Sequence[int], extent: Sequence[int], strides: Sequence[int], pads: Any, auto_pad: str
) -> Pairs:
    """Return how far windows of ``extent`` reach over both ends of each axis."""
    k = len(size)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max((-(-n // s) - 1) * s + e - n, 0)
            for n, e, s in zip(size, extent, strides, strict=True)
        ]
        halves = [(t // 2, t - t // 2) for t in total]
        return halves if auto_pad == "SAME_UPPER" else [(b, a) for a, b in halves]
    if auto_pad == "VALID" or pads is None:
        return [(0, 0)] * k
    return list(zip(whole(pads)[:k], whole(pads)[k:], strict=True))


def conv(
    x: Any, w: Any, b: Any = None, *, strides: Any = None, pads: Any = None, dilations: Any = None,
    group: int = 1, auto_pad: str = "NOTSET",
) -> Any:  # fmt: skip
    """Return the convolution of signals or images."""
    run, stride, dilation, n = _convolution(ops.conv1d, ops.conv2d, x, strides, dilations)
    window = shape_of(w)[2:]
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, window, strict=True)]
    pairs = _pads(shape_of(x)[2:], extent, stride, pads, auto_pad)
    padding = tuple(max(a, 0) for a, _ in pairs)
    if any(pair != (p, p) for pair, p in zip(pairs, padding, strict=True)):
        x, padding = _bordered(x, pairs, 0.0), (0,) * n
    return run(x, w, b, stride=stride, padding=padding, dilation=dilation, groups=group)


def _convolution(
    one: Any, two: Any, x: Any, strides: Any, dilations: Any
) -> tuple[Any, tuple[int, ...], tuple[int, ...], int]:
    n = len(shape_of(x)) - 2
    if n not in (1, 2):
        raise ShapeError(f"input {shape_of(x)}: expected (N, C, L) or (N, C, H, W)")
    ones = (1,) * n
    return one if n == 1 else two, whole(strides or ones), whole(dilations or ones), n


def _bordered(x: Any, pairs: Pairs, value: float) -> Any:
    if min(p for pair in pairs for p in pair) < 0:
        raise ShapeError(f"pads {pairs}: a width is negative")
    return ops.pad(x, [(0, 0)] * (len(shape_of(x)) - len(pairs)) + pairs, value=value)


def conv_transpose(
    x: Any, w: Any, b: Any = None, *, strides: Any = None, pads: Any = None, dilations: Any = None,
    group: int = 1, auto_pad: str = "NOTSET", output_padding: Any = None, output_shape: Any = None,
) -> Any:  # fmt: skip
    """Return the transposed convolution of signals or images."""
    run, stride, dilation, n = _convolution(
        ops.conv_transpose1d, ops.conv_transpose2d, x, strides, dilations
    )
    size, extra = shape_of(x)[2:], whole(output_padding or (0,) * n)
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, shape_of(w)[2:], strict=True)]
    full = [(m - 1) * s + e + o for m, s, e, o in zip(size, stride, extent, extra, strict=True)]
    same = auto_pad in ("SAME_UPPER", "SAME_LOWER")
    wanted = [m * s for m, s in zip(size, stride, strict=True)] if same else output_shape
    pairs = _pads(size, extent, stride, pads, "NOTSET" if same else auto_pad)
    if wanted:
        over = [f - t for f, t in zip(full, wanted[-n:], strict=True)]
        pairs = [
            (o // 2, o - o // 2) if auto_pad == "SAME_UPPER" else (o - o // 2, o // 2) for o in over
        ]
    out = run(x, w, b, stride=stride, output_padding=extra, groups=group, dilation=dilation)
    if min(p for pair in pairs for p in pair) < 0:
        raise ShapeError(f"output_shape {wanted}: larger than the {full} that the filters reach")
    if not any(p for pair in pairs for p in pair):
        return out
    kept = (slice(a, f - c) for (a, c), f in zip(pairs, full, strict=True))
    return ops.getitem(out, (slice(None), slice(None), *kept))


def _pooled(
    x: Any, kernel: Any, strides: Any, pads: Any, dilations: Any, auto_pad: str, ceil_mode: int,
    fill: float,
) -> tuple[Any, Pairs, Pairs]:  # fmt: skip
    """Return the windows in new last axes, the padding, and how far windows reach beyond it."""
    size = whole(kernel)
    n, over = len(size), shape_of(x)[2:]
    stride, dilation = whole(strides or (1,) * n), whole(dilations or (1,) * n)
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True)]
    pairs = _pads(over, extent, stride, pads, auto_pad)
    beyond = [(0, 0)] * n
    if ceil_mode:
        for i, (m, (a, c), e, s) in enumerate(zip(over, pairs, extent, stride, strict=True)):
            count = -(-(m + a + c - e) // s) + 1
            if (count - 1) * s >= m + a:  # a window that would start behind the image
                count -= 1
            beyond[i] = (0, max((count - 1) * s + e - (m + a + c), 0))
    wide = [(a, c + d) for (a, c), (_, d) in zip(pairs, beyond, strict=True)]
    if any(p for pair in wide for p in pair):
        x = _bordered(x, wide, fill)
    windows = ops.sliding_windows(x, extent, stride)
    if any(d > 1 for d in dilation):
        windows = ops.getitem(windows, (..., *(slice(None, None, d) for d in dilation)))
    return windows, pairs, beyond


def max_pool(
    x: Any, *, kernel_shape: Any, strides: Any = None, pads: Any = None, dilations: Any = None,
    auto_pad: str = "NOTSET", ceil_mode: int = 0,
) -> Any:  # fmt: skip
    """Return the maximum of each window."""
    windows, _, _ = _pooled(
        x, kernel_shape, strides, pads, dilations, auto_pad, ceil_mode, -math.inf
    )
    return ops.max(windows, axis=_last(kernel_shape))


def average_pool(
    x: Any, *, kernel_shape: Any, strides: Any = None, pads: Any = None, dilations: Any = None,
    auto_pad: str = "NOTSET", ceil_mode: int = 0, count_include_pad: int = 0,
) -> Any:  # fmt: skip
    """Return the mean of each window, of the padding too where that counts."""
    geometry = (kernel_shape, strides, pads, dilations, auto_pad, ceil_mode)
    windows, pairs, beyond = _pooled(x, *geometry, 0.0)
    means = ops.mean(windows, axis=_last(kernel_shape))
    if not any(p for pair in (*beyond, *([] if count_include_pad else pairs)) for p in pair):
        return means
    shape = shape_of(x)[2:]
    counted = np.ones((1, 1, *shape))
    if count_include_pad:
        inside = np.pad(counted, [(0, 0), (0, 0), *pairs], constant_values=1)
        geometry = (kernel_shape, strides, None, dilations, "NOTSET", 0)
        counted = np.pad(inside, [(0, 0), (0, 0), *beyond])
    share = raw(ops.mean(_pooled(counted, *geometry, 0.0)[0], axis=_last(kernel_shape)))
    xp = backend.namespace(raw(x))
    return ops.divide(means, xp.asarray(share.astype(x.dtype)))


def _last(kernel: Any) -> tuple[int, ...]:
    return tuple(range(-len(whole(kernel)), 0))


def global_pool(reduce: Any, x: Any) -> Any:
    """Return one number for each channel, its axes kept."""
    return reduce(x, axis=tuple(range(2, len(shape_of(x)))), keepdims=True)


def response_norm(x: Any, *, size: int, alpha: float, beta: float, bias: float) -> Any:
    """Return local response normalisation over channels (Krizhevsky et al. 2012, section 3.3)."""
    before = (size - 1) // 2
    width = [(0, 0), (before, size - 1 - before)] + [(0, 0)] * (len(shape_of(x)) - 2)
    around = ops.sliding_windows(ops.pad(ops.square(x), width), size, axis=1)
    total = ops.sum(around, axis=-1)
    return ops.divide(x, ops.power(ops.add(ops.multiply(total, alpha / size), bias), beta))


# Resampling


def resize(
    x: Any, roi: Any = None, scales: Any = None, sizes: Any = None, *, mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel", nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75, axes: Any = None, opset: int,
) -> Any:  # fmt: skip
    """Return images sampled anew, axis by axis."""
    if opset < 11:  # the scales were the second operand
        return upsample(x, roi, mode=mode)
    shape = shape_of(x)
    along = axes_of(axes, len(shape))
    if sizes is not None and len(numbers(sizes)):
        wanted = list(whole(sizes))
        steps = [m / shape[k] for k, m in zip(along, wanted, strict=True)]
    else:
        steps = [float(s) for s in numbers(scales)]
        sizes32 = [np.float32(s) * np.float32(shape[k]) for k, s in zip(along, steps, strict=True)]
        wanted = [math.floor(m) for m in sizes32]  # 0.7 of 10 is 7 in the scales' own precision
    for k, m, step in zip(along, wanted, steps, strict=True):
        if m == shape[k] and step == 1:
            continue
        places = COORDINATES[coordinate_transformation_mode](np.arange(m), step, shape[k], m)
        if mode == "nearest":
            # In the scales' own precision 17 / 1.7 is 10; beyond it, less.
            near = _NEAREST[nearest_mode](places.astype(np.float32))
            x = ops.take(x, np.clip(near, 0, shape[k] - 1).astype(np.int64), axis=k)
        else:
            x = _interpolated(x, k, _taps(places, shape[k], mode, cubic_coeff_a))
    return x


def upsample(x: Any, scales: Any, *, mode: str = "nearest") -> Any:
    """Return larger images, in the way that ONNX had before ``Resize``."""
    return resize(
        x, scales=scales, mode=mode, coordinate_transformation_mode="asymmetric",
        nearest_mode="floor", opset=11,
    )  # fmt: skip


def _interpolated(x: Any, axis: int, matrix: np.ndarray) -> Any:
    """Return the lines of ``x`` along an axis, each as a product with ``matrix`` (new, old)."""
    xp = backend.namespace(raw(x))
    lines = ops.moveaxis(x, axis, -1)
    return ops.moveaxis(ops.matmul(lines, xp.asarray(matrix.T.astype(x.dtype))), -1, axis)


def _taps(places: Any, n: int, mode: str, a: float) -> np.ndarray:
    """Return the matrix that takes each place's share of its neighbours; edges are repeated."""
    matrix = np.zeros((len(places), n))
    left = np.floor(places).astype(int)
    near = (0, 1) if mode == "linear" else (-1, 0, 1, 2)
    for offset in near:
        d = np.abs(places - (left + offset))
        share = np.maximum(1 - d, 0) if mode == "linear" else _cubic(d, a)
        np.add.at(matrix, (np.arange(len(places)), np.clip(left + offset, 0, n - 1)), share)
    return matrix


def _cubic(d: np.ndarray, a: float) -> np.ndarray:
    """Return the weights of cubic convolution (Keys 1981) at a distance."""
    inner = (a + 2) * d**3 - (a + 3) * d**2 + 1
    outer = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, inner, np.where(d < 2, outer, 0.0))


COORDINATES: dict[str, Any] = {
    "half_pixel": lambda i, step, n, m: (i + 0.5) / step - 0.5,
    "half_pixel_symmetric": lambda i, step, n, m: (
        n / 2 * (1 - m / (step * n)) + (i + 0.5) / step - 0.5
    ),
    "pytorch_half_pixel": lambda i, step, n, m: (i + 0.5) / step - 0.5 if m > 1 else 0.0 * i,
    "align_corners": lambda i, step, n, m: i * (n - 1) / (m - 1) if m > 1 else 0.0 * i,
    "asymmetric": lambda i, step, n, m: i / step,
}

_NEAREST: dict[str, Any] = {
    "round_prefer_floor": lambda p: np.ceil(p - 0.5),
    "round_prefer_ceil": lambda p: np.floor(p + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
