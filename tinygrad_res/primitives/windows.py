"""Borders and windows: what convolutions and pooling rest on.

A pad lays values around a tensor.  Sliding windows are a view of many overlapping pieces;
their transpose folds the pieces together again and adds where they overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from .. import backend
from ..custom import Operation, axes, structural
from ..errors import DtypeError, ShapeError, UsageError
from ..tensor import Tensor, raw, shape_of
from .indexing import gather
from .structural import lengths

__all__ = [
    "pad", "sliding_windows",
]  # fmt: skip


# fmt: off
_padded   = structural(lambda xp, x, width, value: _pad(xp, x, width, value),
                       lambda xp, g, i, shape, width, value: g[_inside(width, shape)], value=0.0, name="pad")
_mirrored = gather("pad")
_windowed = structural(lambda xp, x, size, stride, axis: _windows(xp, x, size, stride, axis),
                       lambda xp, g, i, shape, **q: _folded.apply((g,), {"to": shape, **q}), name="sliding_windows")
_folded: Operation = structural(lambda xp, x, to, size, stride, axis: _fold(xp, x, to, size, stride, axis),
                       lambda xp, g, i, shape, to, **q: _windowed.apply((g,), q), name="fold")
# fmt: on


def _pad(xp: Any, x: Any, width: tuple[tuple[int, int], ...], value: float) -> Any:
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, width, strict=True))
    out = xp.full(shape, value, dtype=x.dtype) if value else xp.zeros(shape, dtype=x.dtype)
    out[_inside(width, x.shape)] = x
    return out


def _inside(width: Any, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(a, a + n) for (a, _), n in zip(width, shape, strict=True))


def _windows(xp: Any, x: Any, size: Any, stride: Any, axis: Any) -> Any:
    """Return a view; CuPy's sliding_window_view would read the sizes back from the device."""
    shape, where = list(x.shape), [slice(None)] * x.ndim
    for k, n, step in zip(axis, size, stride, strict=True):
        shape[k], where[k] = shape[k] - n + 1, slice(None, None, step)
    strides = (*x.strides, *(x.strides[k] for k in axis))
    return xp.lib.stride_tricks.as_strided(x, (*shape, *size), strides)[tuple(where)]


def _fold(xp: Any, x: Any, to: tuple[int, ...], size: Any, stride: Any, axis: Any) -> Any:
    out = xp.zeros(to, dtype=x.dtype)
    where = [slice(None)] * len(to)
    for offsets in product(*map(range, size)):
        for k, start, step in zip(axis, offsets, stride, strict=True):
            where[k] = slice(start, start + step * x.shape[k], step)
        out[tuple(where)] += x[(..., *offsets)]
    return out


MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(
    x: Any,
    pad_width: Any,
    mode: str | float = "constant",
    constant_values: Any = 0.0,
    value: Any = None,
) -> Tensor:
    """Return ``x`` with a border.

    Args:
        x: a tensor or an array.
        pad_width: the pair (before, after) for each axis; one pair, or one number, for all.
        mode: ``"constant"``, or where the border is copied from: ``"edge"`` the nearest
            element, ``"reflect"`` and ``"symmetric"`` the mirror image without and with the
            edge, ``"wrap"`` the other end.  A number here is the constant.
        constant_values: the constant, a number.
        value: the same under a shorter name.

    Raises:
        ShapeError: ``pad_width`` does not fit the axes, or there is nothing to copy from.
        UsageError: the mode or the constant is none of these.
        DtypeError: the constant is no value of the dtype.

    >>> import tinygrad_res as tg
    >>> tg.pad([1.0, 2.0], (1, 2), value=9.0)
    tensor([9., 1., 2., 9., 9.])
    >>> tg.pad([1.0, 2.0, 3.0], 2, mode="reflect")
    tensor([3., 2., 1., 2., 3., 2., 1.])
    """
    if not isinstance(mode, str):
        value, mode = mode, "constant"
    if mode not in MODES:
        raise UsageError(f"pad: mode {mode!r}: choose from {', '.join(MODES)}")
    width = _pairs(pad_width, shape_of(x))
    if mode != "constant":
        return _copied(x, width, mode)
    fill = constant_values if value is None else value
    if not isinstance(fill, (int, float, np.number)):
        raise UsageError(f"pad: constant_values {fill!r}: give one number for the whole border")
    if (
        backend.is_array(x)
        and x.dtype.kind != "f"
        and not (math.isfinite(fill) and fill == int(fill))
    ):
        raise DtypeError(f"pad: {fill} is no value of dtype {x.dtype}: use x.astype(float)")
    return _padded(x, width=width, value=fill)


def _pairs(pad_width: Any, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return (before, after) for each axis."""
    pairs: Any = None
    try:
        given = np.asarray(pad_width)
        if not shape and not given.size:
            return ()
        if given.dtype.kind in "iu":
            pairs = np.broadcast_to(given, (len(shape), 2)).tolist()
    except (TypeError, ValueError):
        pass
    if pairs is None or any(a < 0 or b < 0 for a, b in pairs):
        raise ShapeError(
            f"pad: width {pad_width} does not fit shape {shape}: give one pair (before, after) "
            "of lengths >= 0 for each axis, or one for all"
        )
    return tuple((a, b) for a, b in pairs)


def _copied(x: Any, width: tuple[tuple[int, int], ...], mode: str) -> Tensor:
    """Pad with elements of ``x``: NumPy pads the numbers of the elements, an index."""
    shape = shape_of(x)
    padded = [k for k, pair in enumerate(width) if any(pair)] or [0]
    some = range(padded[0], padded[-1] + 1)  # adjacent, so that the axes stay in their order
    options: dict[str, Any] = {"mode": mode}
    xp = backend.namespace(raw(x)) if backend.is_array(x) else np
    index: list[Any] = [slice(None)] * padded[0]
    for k in some[: len(shape)]:
        try:
            places = np.pad(np.arange(shape[k]), width[k], **options)
        except ValueError as error:
            raise ShapeError(f"pad: mode {mode!r} and shape {shape}: {error}") from error
        index.append(xp.asarray(places.reshape((-1,) + (1,) * (some[-1] - k))))
    return _mirrored(x, index=tuple(index), distinct=not index)


def sliding_windows(
    x: Any,
    size: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    axis: int | Sequence[int] | None = None,
) -> Tensor:
    """Return the windows of ``size`` over ``axis`` of ``x``: a view, whose last axes they are.

    Args:
        x: a tensor or an array.
        size: the length of a window along each of the axes.
        stride: how far windows start from each other, one number or one for each axis.
        axis: the axes; the last ones of ``x`` where left out.

    Returns:
        A tensor with (n - size) // stride + 1 in the place of each length n along ``axis``,
        and new axes of ``size`` at its end: of images (..., H, W), (..., OH, OW, kh, kw).

    Raises:
        ShapeError: an axis does not exist, or the windows do not fit.

    >>> import tinygrad_res as tg
    >>> tg.sliding_windows([1.0, 2.0, 3.0, 4.0], 2, stride=2)
    tensor([[1., 2.],
            [3., 4.]])
    """
    shape, windows = shape_of(x), lengths("sliding_windows", size)
    steps = lengths("sliding_windows", stride)
    steps *= len(windows) if len(steps) == 1 else 1
    along = tuple(range(-len(windows), 0)) if axis is None else axis
    fits = len(steps) == len(windows) <= len(shape) and min((*windows, *steps), default=1) >= 1
    over = axes("sliding_windows", x, along) if fits else ()
    if len(over) != len(windows) or any(n > shape[k] for n, k in zip(windows, over)):
        raise ShapeError(
            f"sliding_windows: windows of {windows} with stride {steps} do not fit into shape "
            f"{shape}: lengths and strides must be at least 1, one for each axis, and no window "
            "larger than its axis"
        )
    return _windowed(x, size=windows, stride=steps, axis=over)
