"""The table of moves: they give elements another place or shape, and carry nothing on the edge.

A rule is the transpose of the move, a primitive again, so every transpose is recorded and
can be transposed once more.  Here are the moves that change shapes and axes.  ``reordering``
turns elements round, ``indexing`` and ``sorting`` pick some, ``joining`` joins and repeats,
``windows`` pads and slides, and ``diagonals`` works on the diagonals of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as whole
from typing import Any

import numpy as np

from .. import backend
from ..custom import Operation, axes, structural
from ..errors import ShapeError
from ..families import unbroadcast
from ..tensor import Tensor, shape_of, tensor

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to", "expand_dims", "matrix_transpose", "meshgrid", "moveaxis", "permute_dims", "ravel", "reshape", "squeeze", "swapaxes",
]  # fmt: skip


# fmt: off
identity   = structural(lambda xp, x: x,                         lambda xp, g, i, shape: g, name="identity")
_reshape   = structural(lambda xp, x, to: x.reshape(to),         lambda xp, g, i, shape, to: g.reshape(shape), name="reshape")
_permute   = structural(lambda xp, x, axes: x.transpose(axes),   lambda xp, g, i, shape, axes: g.transpose(tuple(axes.index(k) for k in range(len(axes)))), name="permute_dims")
_broadcast = structural(lambda xp, x, to: xp.broadcast_to(x, to), lambda xp, g, i, shape, to: unbroadcast(g, shape), name="broadcast_to")
_moved: Operation = structural(lambda xp, x, device: backend.to_device(x, device),
                        lambda xp, g, i, shape, device: _moved.apply((g,), {"device": "cpu" if device == "cuda" else "cuda"}), name="to_device")
# fmt: on


def lengths(name: str, shape: Any) -> tuple[int, ...]:
    """Return a shape, or one length, as a tuple of integers.

    Raises:
        ShapeError: a length is no integer.
    """
    try:
        return tuple(map(whole, shape)) if hasattr(shape, "__len__") else (whole(shape),)
    except TypeError as error:
        raise ShapeError(f"{name}: shape {shape!r}: the lengths must be integers") from error


def axis_of(name: str, axis: Any, shape: tuple[int, ...], new: int = 0) -> int:
    """Return ``axis`` as a number >= 0, in a tensor of ``shape`` and ``new`` axes more.

    Raises:
        ShapeError: the axis does not exist.
    """
    ndim = len(shape) + new
    if not isinstance(axis, (int, np.integer)) or not -ndim <= axis < ndim:
        more = f" with {new} more" if new else ""
        raise ShapeError(f"{name}: axis {axis!r} does not exist in a tensor of shape {shape}{more}")
    return int(axis) % ndim


def as_tensor(x: Any) -> Tensor:
    """Return ``x`` itself where it is a tensor, else a constant tensor of its values."""
    return x if isinstance(x, Tensor) else tensor(x)


def reshape(x: Any, shape: Any) -> Tensor:
    """Return the elements of ``x``, in order, in another shape; one length may be -1.

    Raises:
        ShapeError: the shape holds another number of elements, or no integers.

    >>> import tinygrad_res as tg
    >>> tg.reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    tensor([[1., 2.],
            [3., 4.]])
    """
    return _reshape(x, to=lengths("reshape", shape))


def ravel(x: Any) -> Tensor:
    """Return the elements of ``x`` in order along one axis.

    >>> import tinygrad_res as tg
    >>> tg.ravel([[1.0], [2.0]])
    tensor([1., 2.])
    """
    return _reshape(x, to=(-1,))


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """Return ``x`` without ``axis``, an axis or several of length 1; all such where left out.

    Raises:
        ShapeError: an axis does not exist, or its length is not 1.

    >>> import tinygrad_res as tg
    >>> tg.squeeze([[1.0, 2.0]], axis=0)
    tensor([1., 2.])
    """
    shape = shape_of(x)
    gone = [i for i, n in enumerate(shape) if n == 1] if axis is None else axes("squeeze", x, axis)
    for i in gone:
        if shape[i] != 1:
            raise ShapeError(
                f"squeeze: axis {i} of shape {shape} has length {shape[i]}: only axes of length 1 go"
            )
    return _reshape(x, to=tuple(n for i, n in enumerate(shape) if i not in gone))


def expand_dims(x: Any, axis: int | Sequence[int] = 0) -> Tensor:
    """Return ``x`` with new axes of length 1, at the places ``axis`` of the result.

    Raises:
        ShapeError: the result has no such axis, or one is named twice.

    >>> import tinygrad_res as tg
    >>> tg.expand_dims([1.0, 2.0], (0, -1)).shape
    (1, 2, 1)
    """
    shape, given = shape_of(x), tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    new = {axis_of("expand_dims", i, shape, len(given)) for i in given}
    if len(new) != len(given):
        raise ShapeError(f"expand_dims: axis {axis!r} names an axis twice")
    rest = iter(shape)
    return _reshape(
        x, to=tuple(1 if i in new else next(rest) for i in range(len(shape) + len(new)))
    )


def atleast_1d(*xs: Any) -> Any:
    """Return ``x``, where it has no axis with one of length 1; of several, a tuple.

    >>> import tinygrad_res as tg
    >>> tg.atleast_1d(2.0)
    tensor([2.])
    """
    return _each(xs, lambda shape: shape or (1,))


def atleast_2d(*xs: Any) -> Any:
    """Return ``x`` with axes of length 1 in front, up to two axes; of several, a tuple.

    >>> import tinygrad_res as tg
    >>> tg.atleast_2d([1.0, 2.0])
    tensor([[1., 2.]])
    """
    return _each(xs, lambda shape: (1,) * (2 - len(shape)) + shape)


def atleast_3d(*xs: Any) -> Any:
    """Return ``x`` with up to three axes: (N,) becomes (1, N, 1), (M, N) becomes (M, N, 1).

    Of several tensors the results are a tuple.

    >>> import tinygrad_res as tg
    >>> tg.atleast_3d([1.0, 2.0]).shape
    (1, 2, 1)
    """
    return _each(xs, lambda s: (1,) * (2 - len(s)) + s + (1,) * (len(s) < 3))


def _each(xs: Sequence[Any], shape: Any) -> Any:
    found = []
    for x in map(as_tensor, xs):
        to = shape(x.shape)
        found.append(x if to == x.shape else _reshape(x, to=to))
    return found[0] if len(found) == 1 else tuple(found)


def permute_dims(x: Any, axes: Sequence[int] | None = None) -> Tensor:
    """Return ``x`` with its axes permuted; reversed where ``axes`` is left out.

    Raises:
        ShapeError: ``axes`` does not name every axis once.

    >>> import tinygrad_res as tg
    >>> tg.permute_dims([[1.0, 2.0]], (1, 0))
    tensor([[1.],
            [2.]])
    """
    shape = shape_of(x)
    ndim = len(shape)
    if axes is None:
        return _permute(x, axes=tuple(range(ndim))[::-1])
    try:
        order = lengths("permute_dims", axes)
    except ShapeError:
        order = ()
    normal = tuple(i % ndim if -ndim <= i < ndim else ndim for i in order)
    if sorted(normal) != list(range(ndim)):
        raise ShapeError(
            f"permute_dims: axes {axes} are not a permutation of the axes of shape {shape}"
        )
    return _permute(x, axes=normal)


def matrix_transpose(x: Any) -> Tensor:
    """Return the matrices in the last two axes of ``x``, transposed.

    Raises:
        ShapeError: there are fewer than two axes.

    >>> import tinygrad_res as tg
    >>> tg.matrix_transpose([[1.0, 2.0]])
    tensor([[1.],
            [2.]])
    """
    ndim = len(shape_of(x))
    if ndim < 2:
        raise ShapeError(f"matrix_transpose: shape {shape_of(x)}: a matrix has two axes")
    return _permute(x, axes=(*range(ndim - 2), ndim - 1, ndim - 2))


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Return ``x`` with two axes in each other's place.

    Raises:
        ShapeError: an axis does not exist.

    >>> import tinygrad_res as tg
    >>> tg.swapaxes([[1.0, 2.0]], 0, 1).shape
    (2, 1)
    """
    shape = shape_of(x)
    order = list(range(len(shape)))
    i, k = axis_of("swapaxes", axis1, shape), axis_of("swapaxes", axis2, shape)
    order[i], order[k] = k, i
    return _permute(x, axes=tuple(order))


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Return ``x`` with the axes ``source`` at the places ``destination``, the rest in order.

    Raises:
        ShapeError: an axis does not exist or is named twice, or the numbers of both differ.

    >>> import tinygrad_res as tg
    >>> tg.moveaxis([[1.0, 2.0]], 0, -1).shape
    (2, 1)
    """
    here, there = axes("moveaxis", x, source), axes("moveaxis", x, destination)
    if len(here) != len(there):
        raise ShapeError(
            f"moveaxis: source {source!r} and destination {destination!r}: give as many of one "
            "as of the other"
        )
    order = [i for i in range(len(shape_of(x))) if i not in here]
    for place, axis in sorted(zip(there, here, strict=True)):
        order.insert(place, axis)
    return _permute(x, axes=tuple(order))


def broadcast_to(x: Any, shape: Any) -> Tensor:
    """Return ``x`` repeated along new axes and axes of length 1, up to ``shape``.

    Raises:
        ShapeError: an axis has another length than 1 and that of ``shape``.

    >>> import tinygrad_res as tg
    >>> tg.broadcast_to([1.0, 2.0], (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    return _broadcast(x, to=lengths("broadcast_to", shape))


def broadcast_arrays(*xs: Any) -> tuple[Tensor, ...]:
    """Return the tensors, repeated up to the shape that they broadcast to together.

    Raises:
        ShapeError: they do not broadcast.

    >>> import tinygrad_res as tg
    >>> [x.shape for x in tg.broadcast_arrays([1.0, 2.0], [[1.0], [2.0]])]
    [(2, 2), (2, 2)]
    """
    shapes = [shape_of(x) for x in xs]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ShapeError(
            f"broadcast_arrays: shapes {' and '.join(map(str, shapes))} do not broadcast: "
            "lengths must be equal or 1, counted from the last axis"
        ) from error
    return tuple(_broadcast(x, to=shape) for x in xs)


def meshgrid(*xs: Any, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Return the coordinates of a grid, one tensor per vector of ``xs``, all of one shape.

    ``indexing`` is ``"ij"`` where vector i runs along axis i, and ``"xy"`` where the first
    two axes are exchanged, as in a picture.

    Raises:
        ShapeError: a tensor of ``xs`` has more than one axis, or ``indexing`` is neither.

    >>> import tinygrad_res as tg
    >>> tg.meshgrid([1.0, 2.0], [3.0, 4.0], indexing="ij")[0]
    tensor([[1., 1.],
            [2., 2.]])
    """
    shapes = [shape_of(x) for x in xs]
    if (
        not isinstance(indexing, str)
        or indexing not in ("xy", "ij")
        or any(len(shape) > 1 for shape in shapes)
    ):
        raise ShapeError(
            f"meshgrid: shapes {' and '.join(map(str, shapes))}, indexing {indexing!r}: "
            "give vectors, and indexing 'xy' or 'ij'"
        )
    places = list(range(len(xs)))
    if indexing == "xy":
        places[:2] = places[:2][::-1]
    columns = [_reshape(x, to=(-1,) + (1,) * (len(xs) - 1 - k)) for x, k in zip(xs, places)]
    return broadcast_arrays(*columns)


def to_device(x: Any, device: str) -> Tensor:
    """Return ``x`` on ``device``, ``"cpu"`` or ``"cuda"``; its cotangent travels back."""
    return _moved(x, device=device)
