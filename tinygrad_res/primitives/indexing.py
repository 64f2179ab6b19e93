"""The table of gathers: each output element is an element of the operand, picked by an index.

The transpose of a gather is a scatter: the cotangents go to the places where the elements
came from, and add up where one was picked several times.  Both are primitives, so either
can be transposed again.

Index arrays are copied when they are used, so that nobody can change them while a
record lives.  An index of the host picks from a device tensor too: it is sent there, like
any other number that is written into the program.  An index on the device does not pick
from a tensor of the host, since it would have to be waited for.  For the same reason nobody
checks an index array on a device: CuPy wraps one that lies outside.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import backend
from ..custom import Operation, structural
from ..errors import DeviceError, DtypeError, ShapeError
from ..tensor import Tensor, raw, shape_of
from .structural import axis_of, ravel

__all__ = [
    "take", "take_along_axis",
]  # fmt: skip


def gather(name: str) -> Operation:
    """Define a primitive ``x[index]``; ``distinct`` says that no element is picked twice."""
    return structural(
        lambda xp, x, index, distinct: x[index],
        lambda xp, g, i, shape, index, distinct: scatter.apply(
            (g,), {"index": index, "distinct": distinct, "into": shape}
        ),
        name=name,
    )


# fmt: off
_getitem = gather("getitem")
_take    = gather("take")
_along   = gather("take_along_axis")
scatter  = structural(lambda xp, x, index, distinct, into: _scatter(xp, x, index, distinct, into),
                      lambda xp, g, i, shape, index, distinct, into: _getitem.apply((g,), {"index": index, "distinct": distinct}), name="scatter")
# fmt: on


def _scatter(xp: Any, x: Any, index: Any, distinct: bool, into: tuple[int, ...]) -> Any:
    """Add the elements of ``x`` at ``index`` to zeros of the shape ``into``.

    NumPy adds single numbers several times faster than rows.  So where there is as much to
    add as there is room, each number gets its place in the flattened array; else the list
    of all places would cost more than it saves.
    """
    out = xp.zeros(into, dtype=x.dtype)
    if distinct:
        out[index] = x
    elif x.size < out.size:
        xp.add.at(out, index, x)
    else:
        places = xp.arange(out.size).reshape(into)[index]
        out = out.reshape(-1)
        xp.add.at(out, places.reshape(-1), x.reshape(-1))
        out = out.reshape(into)
    return out


_FIXED = frozenset((int, type(None), type(Ellipsis)))
_BASIC = _FIXED | {slice}


def getitem(x: Any, index: Any) -> Tensor:
    """Return ``x[index]``, for every index that NumPy takes, and for tensors as indices.

    Raises:
        ShapeError: the index lies outside of ``x``.
        DtypeError: an index array holds neither integers nor booleans.
        DeviceError: the index is on a device and ``x`` is not.
    """
    kind = type(index)
    if kind in _FIXED or (kind is tuple and _FIXED.issuperset(map(type, index))):
        return _getitem(x, index=index, distinct=True)
    return _getitem(x, **picked("getitem", x, index))


def picked(name: str, x: Any, index: Any) -> dict[str, Any]:
    """Return the params of a gather: our own index, and whether it picks nothing twice."""
    if not isinstance(index, tuple):
        own = own_index(name, x, index)
        return {"index": own, "distinct": _is_distinct(own)}
    parts = tuple([own_index(name, x, part) for part in index])
    return {"index": parts, "distinct": all(map(_is_distinct, parts))}


def _is_distinct(part: Any) -> bool:
    return type(part) in _BASIC or type(part) is bool or part.dtype.kind == "b"


def own_index(name: str, x: Any, part: Any) -> Any:
    """Return what nobody else can change: a copy of an index array, beside the array of ``x``."""
    if type(part) is slice:
        return slice(*[_bound(name, v) for v in (part.start, part.stop, part.step)])
    if type(part) in _FIXED or type(part) is bool:
        return part
    if isinstance(part, (np.integer, np.bool_)):
        return part.item()
    listed = isinstance(part, (list, tuple, range))
    if not listed and not backend.is_array(part):
        raise DtypeError(
            f"{name}: an index of type {type(part).__name__}: use integers, slices, None, "
            "..., or arrays of integers or booleans"
        )
    values, here = raw(part), raw(x)
    xp = backend.namespace(here) if backend.is_array(here) else np
    if xp is np and not listed and not isinstance(values, np.ndarray):
        raise DeviceError(
            f"{name}: the index is on {backend.device(values)} and the tensor on cpu: "
            "move one with tensor.to('cuda') or tensor.to('cpu')"
        )
    try:
        own = xp.array(values)
    except ValueError as error:
        raise ShapeError(f"{name}: lists of unequal lengths make no index: {error}") from error
    if listed and not own.size:
        own = own.astype(int)
    if own.dtype.kind not in "iub":
        raise DtypeError(f"{name}: an index of dtype {own.dtype}: use integers or booleans")
    if xp is np or own.dtype.kind == "b":
        return own
    # CuPy counts places from the end in the dtype of the index, where they may not fit.
    return own.astype(np.int64, copy=False)


def _bound(name: str, value: Any) -> int | None:
    """Return the bound of a slice as a number that nobody can change."""
    if value is None or type(value) is int:
        return value
    try:
        return operator.index(value)
    except TypeError as error:
        raise DtypeError(
            f"{name}: a slice with a bound of type {type(value).__name__}: use integers"
        ) from error


def _integers(name: str, x: Any, indices: Any) -> Any:
    own = own_index(name, x, indices)
    if type(own) is not int and getattr(own, "dtype", np.dtype(bool)).kind not in "iu":
        raise DtypeError(f"{name}: indices {indices!r}: use integers, or x[...] for other indices")
    return own


def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Return the elements of ``x`` at the integers ``indices`` along ``axis``.

    The axes of ``indices`` stand in the place of ``axis``.  Where that is left out, ``x``
    counts as one axis.  What is taken several times gets the sum of its cotangents.

    Raises:
        ShapeError: the axis does not exist, or an index lies outside of it.
        DtypeError: the indices are no integers.

    >>> import tinygrad_res as tg
    >>> tg.take([[1.0, 2.0], [3.0, 4.0]], [1, 1, 0], axis=0)
    tensor([[3., 4.],
            [3., 4.],
            [1., 2.]])
    """
    if axis is None:
        x, axis = ravel(x), 0
    own = _integers("take", x, indices)
    where = (slice(None),) * axis_of("take", axis, shape_of(x))
    return _take(x, index=(*where, own), distinct=_is_distinct(own))


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Tensor:
    """Return, for each line of ``x`` along ``axis``, the elements at the integers of ``indices``.

    ``indices`` has as many axes as ``x``, and the other axes broadcast.  Where ``axis`` is
    ``None``, ``x`` counts as one axis.

    Raises:
        ShapeError: the shapes do not fit, or an index lies outside of the axis.
        DtypeError: the indices are no integers.

    >>> import tinygrad_res as tg
    >>> tg.take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]], axis=1)
    tensor([[2.],
            [3.]])
    """
    if axis is None:
        x, axis = ravel(x), 0
    shape, own = shape_of(x), _integers("take_along_axis", x, indices)
    if len(shape_of(own)) != len(shape):
        raise ShapeError(
            f"take_along_axis: indices {shape_of(own)} and tensor {shape}: give as many axes"
        )
    place = axis_of("take_along_axis", axis, shape)
    return _along(x, index=lines(own, shape, place), distinct=False)


def lines(own: Any, shape: tuple[int, ...], axis: int) -> tuple[Any, ...]:
    """Return the index that picks ``own`` along ``axis``, in each line of ``shape``."""
    arange, ndim = backend.namespace(own).arange, len(shape)
    return tuple(
        own if k == axis else arange(n).reshape((n,) + (1,) * (ndim - 1 - k))
        for k, n in enumerate(shape)
    )
