"""The table of structural primitives: they move elements and carry nothing on the edge.

A rule is the transpose of the move.  Transposes of gathers are scatters, which are
primitives too, so every transpose is recorded and can be transposed again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from ..custom import structural
from ..errors import DtypeError, ShapeError
from ..families import unbroadcast
from ..tensor import Tensor, raw, shape_of

__all__ = [
    "broadcast_to", "concat", "pad", "permute_dims", "reshape", "sliding_windows", "stack",
]  # fmt: skip


def _scatter(xp: Any, x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    out = xp.zeros(shape, dtype=x.dtype)
    if _is_basic(index):
        out[index] = x
    else:
        xp.add.at(out, index, x)
    return out


def _is_basic(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(p is None or p is Ellipsis or isinstance(p, (int, slice)) for p in parts)


def _pad(xp: Any, x: Any, width: tuple[tuple[int, int], ...], value: float) -> Any:
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, width, strict=True))
    out = xp.full(shape, value, dtype=x.dtype) if value else xp.zeros(shape, dtype=x.dtype)
    out[_inside(width, x.shape)] = x
    return out


def _inside(width: Any, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(a, a + n) for (a, _), n in zip(width, shape, strict=True))


def _piece(axis: int, i: int, shapes: Sequence[tuple[int, ...]]) -> tuple[slice, ...]:
    start = 0
    for shape in shapes[:i]:
        start += shape[axis]
    return (slice(None),) * axis + (slice(start, start + shapes[i][axis]),)


def _windows(xp: Any, x: Any, size: tuple[int, int], stride: tuple[int, int]) -> Any:
    view = xp.lib.stride_tricks.sliding_window_view(x, size, axis=(-2, -1))
    return view[..., :: stride[0], :: stride[1], :, :]


def _fold(xp: Any, x: Any, shape: tuple[int, ...], stride: tuple[int, int]) -> Any:
    out = xp.zeros(shape, dtype=x.dtype)
    high, wide, kh, kw = x.shape[-4:]
    for i in range(kh):
        for j in range(kw):
            rows = slice(i, i + stride[0] * high, stride[0])
            out[..., rows, j : j + stride[1] * wide : stride[1]] += x[..., i, j]
    return out


# fmt: off
identity    = structural(lambda xp, x: x, lambda xp, g, i, shape: g, name="identity")
_reshape    = structural(lambda xp, x, to: x.reshape(to), lambda xp, g, i, shape, to: g.reshape(shape), name="reshape")
_permute    = structural(lambda xp, x, axes: x.transpose(axes),
                         lambda xp, g, i, shape, axes: g.transpose(tuple(axes.index(k) for k in range(len(axes)))), name="permute_dims")
_getitem    = structural(lambda xp, x, index: x[index],
                         lambda xp, g, i, shape, index: _put(g, index, shape), name="getitem")
scatter     = structural(lambda xp, x, index, into: _scatter(xp, x, index, into),
                         lambda xp, g, i, shape, index, into: g[index], name="scatter")
_broadcast  = structural(lambda xp, x, to: xp.broadcast_to(x, to),
                         lambda xp, g, i, shape, to: unbroadcast(g, shape), name="broadcast_to")
_concat     = structural(lambda xp, *xs, axis, shapes: xp.concatenate(xs, axis=axis),
                         lambda xp, g, i, shape, axis, shapes: g[_piece(axis, i, shapes)], name="concat")
_padded     = structural(lambda xp, x, width, value: _pad(xp, x, width, value),
                         lambda xp, g, i, shape, width, value: g[_inside(width, shape)], value=0.0, name="pad")
_windowed   = structural(lambda xp, x, size, stride: _windows(xp, x, size, stride),
                         lambda xp, g, i, shape, size, stride: _refold(g, shape, size, stride), name="sliding_windows")
_folded     = structural(lambda xp, x, to, size, stride: _fold(xp, x, to, stride),
                         lambda xp, g, i, shape, to, size, stride: _rewindow(g, size, stride), name="fold")
_moved      = structural(lambda xp, x, device: backend.to_device(x, device),
                         lambda xp, g, i, shape, device: _return(g, device), name="to_device")
# fmt: on


def _put(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    return scatter.apply((g,), {"index": index, "into": shape})


def _refold(g: Any, shape: tuple[int, ...], size: Any, stride: Any) -> Any:
    return _folded.apply((g,), {"to": shape, "size": size, "stride": stride})


def _rewindow(g: Any, size: Any, stride: Any) -> Any:
    return _windowed.apply((g,), {"size": size, "stride": stride})


def _return(g: Any, device: str) -> Any:
    return _moved.apply((g,), {"device": "cpu" if device == "cuda" else "cuda"})


def reshape(x: Any, shape: Any) -> Tensor:
    """Return the elements of ``x``, in order, in another shape; one length may be -1."""
    return _reshape(x, to=(int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape))


def permute_dims(x: Any, axes: Sequence[int] | None = None) -> Tensor:
    """Return ``x`` with its axes permuted; reversed where ``axes`` is left out."""
    ndim = len(shape_of(x))
    order = tuple(range(ndim))[::-1] if axes is None else tuple(axes)
    normal = tuple(int(i) % ndim if -ndim <= i < ndim else ndim for i in order)
    if sorted(normal) != list(range(ndim)):
        raise ShapeError(
            f"permute_dims: axes {order} are not a permutation of the axes of shape {shape_of(x)}"
        )
    return _permute(x, axes=normal)


def getitem(x: Any, index: Any) -> Tensor:
    """Return ``x[index]``, for every index that NumPy takes."""
    parts = index if isinstance(index, tuple) else (index,)
    own = tuple(_own_index(x, p) for p in parts)
    return _getitem(x, index=own if isinstance(index, tuple) else own[0])


def _own_index(x: Any, part: Any) -> Any:
    """Copy index arrays, so that nobody can change them while a record lives."""
    if isinstance(part, list) or backend.is_array(part):
        xp = backend.namespace(raw(x)) if backend.is_array(x) else np
        part, listed = xp.array(raw(part)), isinstance(part, list)
        if listed and not part.size:
            part = part.astype(int)
        if part.dtype.kind not in "iub":
            raise DtypeError(f"getitem: an index of dtype {part.dtype}: use integers or booleans")
    return int(part) if isinstance(part, np.integer) else part


def broadcast_to(x: Any, shape: Sequence[int]) -> Tensor:
    """Return ``x`` repeated along new axes and axes of length 1, up to ``shape``."""
    return _broadcast(x, to=tuple(shape))


def concat(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the tensors of the sequence ``xs`` joined along the existing axis ``axis``."""
    if not len(xs):
        raise ShapeError("concat: needs at least one tensor")
    shapes = tuple(shape_of(x) for x in xs)
    ndim = len(shapes[0])
    if not -ndim <= axis < ndim:
        raise ShapeError(f"concat: axis {axis} does not exist in a tensor of shape {shapes[0]}")
    return _concat(*xs, axis=axis % ndim, shapes=shapes)


def stack(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the tensors of the sequence ``xs``, all of one shape, joined along a new axis."""
    ndim = len(shape_of(xs[0])) + 1 if len(xs) else 1
    if not len(xs) or not -ndim <= axis < ndim:
        raise ShapeError(f"stack: axis {axis} does not fit {len(xs)} tensors with {ndim - 1} axes")
    where = (slice(None),) * (axis % ndim) + (None,)
    return concat([getitem(x, where) for x in xs], axis % ndim)


def pad(x: Any, width: Any, value: float = 0.0) -> Tensor:
    """Return ``x`` surrounded by ``value``; ``width`` holds (before, after) for each axis."""
    shape = shape_of(x)
    try:
        pairs = tuple((int(a), int(b)) for a, b in width)
    except (TypeError, ValueError):
        pairs = ()
    if len(pairs) != len(shape) or any(a < 0 or b < 0 for a, b in pairs):
        raise ShapeError(
            f"pad: width {width} does not fit shape {shape}: "
            "give one pair (before, after) of lengths >= 0 for each axis"
        )
    if not math.isfinite(value) and backend.is_array(x) and x.dtype.kind != "f":
        raise DtypeError(f"pad: {value} is no value of dtype {x.dtype}: use x.astype(float)")
    return _padded(x, width=pairs, value=value)


def sliding_windows(x: Any, size: tuple[int, int], stride: tuple[int, int] = (1, 1)) -> Tensor:
    """Return the windows of ``size`` over the last two axes of ``x`` (..., H, W).

    The result has shape (..., OH, OW, kh, kw) with OH = (H - kh) // stride + 1.
    """
    shape = shape_of(x)
    if len(shape) < 2 or size[0] > shape[-2] or size[1] > shape[-1] or min(*size, *stride) < 1:
        raise ShapeError(
            f"sliding_windows: windows of {size} with stride {stride} do not fit into shape "
            f"{shape}: lengths and strides must be at least 1, and no window larger than the image"
        )
    return _windowed(x, size=tuple(size), stride=tuple(stride))


def to_device(x: Any, device: str) -> Tensor:
    """Return ``x`` on ``device``, ``"cpu"`` or ``"cuda"``; its cotangent travels back."""
    return _moved(x, device=device)
