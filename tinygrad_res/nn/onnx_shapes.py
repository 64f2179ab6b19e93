"""ONNX's operators that move elements, or compute shapes to move them by.

Their operands may be tensors, which are recorded, or plain arrays of the host.  Numbers that say how
to move (axes, lengths, places) are read on the host: ``numbers`` refuses those on a device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from .. import primitives as ops
from ..errors import DeviceError, GradientError, ShapeError, UsageError
from ..tensor import Tensor, raw, shape_of


def numbers(values: Any) -> list[Any]:
    """Return numbers that lie on the host as a list.

    Raises:
        DeviceError: they are on a device.
        GradientError: they carry a gradient, which would be lost.
    """
    array = raw(values)
    if isinstance(values, Tensor) and values.requires_grad:
        raise GradientError("shapes and bounds must not depend on what carries a gradient")
    if backend.is_array(array) and not isinstance(array, np.ndarray):
        raise DeviceError("shapes and axes must not be computed from values on a device")
    return list(np.atleast_1d(np.asarray(array)).tolist())


def whole(values: Any) -> tuple[int, ...]:
    """Return whole numbers that lie on the host as a tuple."""
    return tuple(int(n) for n in numbers(values))


def one(value: Any) -> Any:
    """Return the only number."""
    (found,) = numbers(value)
    return found


def axes_of(axes: Any, ndim: int) -> tuple[int, ...]:
    """Return axes counted from the front; all where they are left out."""
    if axes is None:
        return tuple(range(ndim))
    found = tuple(k + ndim if k < 0 else k for k in whole(axes))
    if any(not 0 <= k < ndim for k in found):
        raise ShapeError(f"axes {whole(axes)}: there are {ndim} axes")
    return found


def reshape(data: Any, shape: Any, *, allowzero: int = 0) -> Any:
    """Return ``data`` in another shape; 0 keeps a length unless ``allowzero``."""
    old, new = shape_of(data), whole(shape)
    kept = enumerate(new)
    return ops.reshape(data, new if allowzero else tuple(n or old[k] for k, n in kept))


def flatten(x: Any, *, axis: int) -> Any:
    """Return a matrix: the axes before ``axis`` and those from there on."""
    shape = shape_of(x)
    axis = axis + len(shape) if axis < 0 else axis
    return ops.reshape(x, (math.prod(shape[:axis]), math.prod(shape[axis:])))


def squeeze(data: Any, axes: Any = None) -> Any:
    """Return ``data`` without axes of length 1."""
    return ops.squeeze(data, None if axes is None else whole(axes))


def unsqueeze(data: Any, axes: Any) -> Any:
    """Return ``data`` with new axes of length 1."""
    return ops.expand_dims(data, whole(axes))


def expand(x: Any, shape: Any) -> Any:
    """Return ``x`` broadcast together with a shape."""
    return ops.broadcast_to(x, np.broadcast_shapes(shape_of(x), whole(shape)))


def split(
    x: Any, split: Any = None, *, axis: int = 0, num_outputs: int | None = None, outputs: int
) -> Any:
    """Return pieces of given lengths along an axis, or of equal ones, the last one shorter."""
    length = shape_of(x)[axis]
    if split is None:
        step = -(-length // (num_outputs or outputs))
        lengths = [min(step, length - k * step) for k in range(num_outputs or outputs)]
    else:
        lengths = list(whole(split))
    if min(lengths) < 0 or sum(lengths) != length or len(lengths) != outputs:
        raise ShapeError(
            f"split: lengths {lengths} along axis {axis} of length {length}, for {outputs} outputs"
        )
    ends = np.cumsum(lengths).tolist()
    parts = zip([0, *ends[:-1]], ends, strict=True)
    before = (slice(None),) * (axis % len(shape_of(x)))
    return [ops.getitem(x, (*before, slice(start, end))) for start, end in parts]


def cut(data: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    """Return slices; bounds beyond an axis are its ends."""
    shape, begin, end = shape_of(data), whole(starts), whole(ends)
    along = axes_of(range(len(begin)) if axes is None else axes, len(shape))
    strides = (1,) * len(begin) if steps is None else whole(steps)
    where = [slice(None)] * len(shape)
    for k, a, b, step in zip(along, begin, end, strides, strict=True):
        n = shape[k]
        a, b = (v + n if v < 0 else v for v in (a, b))
        if step > 0:
            where[k] = slice(min(max(a, 0), n), min(max(b, 0), n), step)
        else:
            a, b = min(max(a, -1), n - 1), min(max(b, -1), n - 1)
            where[k] = slice(n if a < 0 else a, None if b < 0 else b, step) if a >= 0 else slice(0)
    return ops.getitem(data, tuple(where))


def gather_elements(data: Any, indices: Any, *, axis: int) -> Any:
    """Return the elements at ``indices`` along ``axis``, one for each of its places."""
    shape, wanted = shape_of(data), shape_of(indices)
    axis %= len(shape)
    part = tuple(slice(None if k == axis else n) for k, n in enumerate(wanted))
    return ops.take_along_axis(ops.getitem(data, part), indices, axis=axis)


def gather_nd(data: Any, indices: Any) -> Any:
    """Return the parts of ``data`` that the last axis of ``indices`` names."""
    places = raw(indices)
    return ops.getitem(data, tuple(places[..., k] for k in range(places.shape[-1])))


def scatter_nd(data: Any, indices: Any, updates: Any) -> Any:
    """Return ``data`` with parts replaced, those that the last axis of ``indices`` names."""
    places = raw(indices)
    index = tuple(places[..., k] for k in range(places.shape[-1]))
    return ops.index_update(data, index, updates)


def pad(
    data: Any, pads: Any, value: Any = None, axes: Any = None, *, mode: str = "constant"
) -> Any:
    """Return ``data`` with a border, or cut where a width is negative."""
    ndim = len(shape_of(data))
    along, width = axes_of(axes, ndim), whole(pads)
    pairs = [(0, 0)] * ndim
    for k, a, b in zip(along, width[: len(along)], width[len(along) :], strict=True):
        pairs[k] = (a, b)
    inner = tuple(
        slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, shape_of(data), strict=True)
    )
    if min(width, default=0) < 0:
        data = ops.getitem(data, inner)
    wider = [(max(a, 0), max(b, 0)) for a, b in pairs]
    if mode == "constant":
        fill = 0.0 if value is None else one(value)
        return ops.pad(data, wider, value=fill)
    return ops.pad(data, wider, mode=mode)


def size_along(x: Any, *, start: int = 0, end: int | None = None) -> Any:
    """Return the shape, or a part of it, as a plain array."""
    return np.array(shape_of(x)[start:end], np.int64)


def evenly(start: Any, limit: Any, delta: Any) -> Any:
    """Return numbers from ``start`` up to ``limit``, as a plain array."""
    dtype = np.asarray(raw(start)).dtype
    return np.arange(one(start), one(limit), one(delta), dtype=dtype)


def constant_of_shape(shape: Any, *, value: Any = None) -> Any:
    """Return a plain array full of one number."""
    fill = np.zeros(1, np.float32) if value is None else value
    lengths = whole(shape) if np.size(raw(shape)) else ()
    return np.full(lengths, fill[0], fill.dtype)


def one_hot(indices: Any, depth: Any, values: Any, *, axis: int = -1) -> Any:
    """Return off and on values, on where a new axis equals the index."""
    off, on = numbers(values)
    array, n = raw(indices), int(one(depth))
    xp = backend.namespace(array)
    axis = axis + array.ndim + 1 if axis < 0 else axis
    places = xp.arange(n).reshape((-1,) + (1,) * (array.ndim - axis))
    hit = xp.expand_dims(array % n, axis) == places
    inside = xp.expand_dims((array >= -n) & (array < n), axis)
    return xp.where(hit & inside, on, off).astype(np.asarray(raw(values)).dtype)


def triangle(x: Any, k: Any = None, *, upper: int = 1) -> Any:
    """Return the upper or lower triangles of the matrices in the last two axes."""
    keep = ops.triu if upper else ops.tril
    return keep(x, 0 if k is None else int(one(k)))


def depth_to_space(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    """Return (N, C / b b, H b, W b): channels laid out as blocks of b times b pixels."""
    n, c, h, w = shape_of(x)
    b = blocksize
    if mode == "DCR":
        parts, order = (n, b, b, c // (b * b), h, w), (0, 3, 4, 1, 5, 2)
    else:
        parts, order = (n, c // (b * b), b, b, h, w), (0, 1, 4, 2, 5, 3)
    moved = ops.permute_dims(ops.reshape(x, parts), order)
    return ops.reshape(moved, (n, c // (b * b), h * b, w * b))


def space_to_depth(x: Any, *, blocksize: int) -> Any:
    """Return (N, C b b, H / b, W / b): blocks of b times b pixels laid out as channels."""
    n, c, h, w = shape_of(x)
    b = blocksize
    parts = ops.reshape(x, (n, c, h // b, b, w // b, b))
    moved = ops.permute_dims(parts, (0, 3, 5, 1, 2, 4))
    return ops.reshape(moved, (n, c * b * b, h // b, w // b))


def top_k(
    x: Any, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1
) -> tuple[Any, Any]:  # sorted or not: we always sort
    """Return the k largest or smallest elements along an axis, and their places."""
    if largest:
        return ops.topk(x, int(one(k)), axis)
    order = raw(ops.argsort(x, axis))
    before = (slice(None),) * (axis % len(shape_of(x)))
    places = order[(*before, slice(int(one(k))))]
    return ops.take_along_axis(x, places, axis), places


def extreme_place(
    find: Any, x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0
) -> Any:
    """Return the place of the first extreme element along an axis, or of the last."""
    if not select_last_index:
        return find(x, axis, bool(keepdims))
    found = find(ops.flip(x, axis), axis, bool(keepdims))
    return ops.subtract(shape_of(x)[axis] - 1, found)


def cumulative(x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
    """Return the sums up to each element along an axis."""
    k = int(one(axis)) % len(shape_of(x))
    x = ops.flip(x, k) if reverse else x
    total = ops.cumulative_sum(x, axis=k)
    if exclusive:
        total = ops.subtract(total, x)
    return ops.flip(total, k) if reverse else total


def cast(x: Any, *, to: int) -> Any:
    """Return ``x`` in the dtype with a number of ONNX's."""
    return ops.astype(x, DTYPES[to])


DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
}  # fmt: skip
"""By the numbers of ``TensorProto.DataType``."""


def dropout(data: Any, ratio: Any = None, training_mode: Any = None) -> Any:
    """Return ``data`` itself, as a trained network does.

    Raises:
        UsageError: the file says that elements are to be left out.
    """
    if training_mode is not None and one(training_mode):
        raise UsageError(
            "dropout in training mode is not supported: export the model for inference"
        )
    return data


def joined(*xs: Any, axis: int) -> Any:
    """Return the operands joined along an axis."""
    return ops.concat(xs, axis=axis)


def in_order(f: Any, xs: Sequence[Any]) -> Any:
    """Return f(f(x0, x1), x2) and so on."""
    total = xs[0]
    for x in xs[1:]:
        total = f(total, x)
    return total
