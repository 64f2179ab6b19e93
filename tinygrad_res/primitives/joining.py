"""The table of joins: several tensors, or several copies of one, become one tensor.

The transpose of a join cuts the cotangent into pieces; that of a repetition adds them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from ..custom import structural
from ..errors import DeviceError, ShapeError
from ..tensor import Tensor, raw, shape_of
from .arguments import beside, several
from .indexing import gather
from .structural import as_tensor, atleast_1d, atleast_2d, atleast_3d, axis_of, lengths, ravel

__all__ = [
    "append", "array_split", "column_stack", "concat", "dsplit", "dstack", "hsplit", "hstack", "repeat", "split", "stack", "tile", "unstack", "vsplit", "vstack",
]  # fmt: skip


MOST_PARTS = 10_000  # where they are more than the elements


# fmt: off
_concat = structural(lambda xp, *xs, axis, shapes: xp.concatenate(xs, axis=axis),
                     lambda xp, g, i, shape, axis, shapes: g[_piece(axis, i, shapes)], name="concat")
_stack  = structural(lambda xp, *xs, axis, shapes: xp.stack(xs, axis=axis),
                     lambda xp, g, i, shape, axis, shapes: g[(slice(None),) * axis + (i,)], name="stack")
_repeat = structural(lambda xp, x, n, axis: xp.repeat(x, n, axis=axis),
                     lambda xp, g, i, shape, n, axis: g.reshape((*shape[:axis + 1], n, *shape[axis + 1:])).sum(axis=axis + 1), name="repeat")
_tile   = structural(lambda xp, x, reps: xp.tile(x, reps),
                     lambda xp, g, i, shape, reps: _overlay(g, shape, reps), name="tile")
_chosen = gather("repeat")
# fmt: on


def _piece(axis: int, i: int, shapes: Sequence[tuple[int, ...]]) -> tuple[slice, ...]:
    start = 0
    for shape in shapes[:i]:
        start += shape[axis]
    return (slice(None),) * axis + (slice(start, start + shapes[i][axis]),)


def _overlay(g: Any, shape: tuple[int, ...], reps: tuple[int, ...]) -> Any:
    """Lay tiles of ``shape``, ``reps`` of them along the axes, over one another."""
    full = (1,) * (len(reps) - len(shape)) + shape
    split = g.reshape([n for pair in zip(reps, full, strict=True) for n in pair])
    return split.sum(axis=tuple(range(0, 2 * len(reps), 2))).reshape(shape)


def concat(xs: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Return the tensors of the sequence ``xs`` joined along the existing axis ``axis``.

    Where ``axis`` is ``None``, each counts as one axis.

    Raises:
        ShapeError: there is no tensor, no such axis, or other axes differ in length.

    >>> import tinygrad_res as tg
    >>> tg.concat([[1.0], [2.0, 3.0]])
    tensor([1., 2., 3.])
    """
    xs = several("concat", xs)
    if not xs:
        raise ShapeError("concat: needs at least one tensor")
    if axis is None:
        xs, axis = [ravel(x) for x in _beside("concat", xs)], 0
    shapes = tuple([shape_of(x) for x in xs])
    return _concat(*xs, axis=axis_of("concat", axis, shapes[0]), shapes=shapes)


def stack(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the tensors of the sequence ``xs``, all of one shape, joined along a new axis.

    Raises:
        ShapeError: there is no tensor, no such axis, or the shapes differ.

    >>> import tinygrad_res as tg
    >>> tg.stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    xs = several("stack", xs)
    if not xs:
        raise ShapeError("stack: needs at least one tensor")
    shapes = tuple([shape_of(x) for x in xs])
    return _stack(*xs, axis=axis_of("stack", axis, shapes[0], new=1), shapes=shapes)


def vstack(xs: Sequence[Any]) -> Tensor:
    """Return the tensors one below the other: joined along the first of at least two axes.

    >>> import tinygrad_res as tg
    >>> tg.vstack([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    return concat([atleast_2d(x) for x in _beside("vstack", xs)])


def hstack(xs: Sequence[Any]) -> Tensor:
    """Return the tensors side by side: joined along the second axis, or the only one.

    >>> import tinygrad_res as tg
    >>> tg.hstack([[1.0, 2.0], [3.0]])
    tensor([1., 2., 3.])
    """
    rows = [atleast_1d(x) for x in _beside("hstack", xs)]
    return concat(rows, axis=1 if rows and rows[0].ndim > 1 else 0)


def dstack(xs: Sequence[Any]) -> Tensor:
    """Return the tensors behind one another: joined along the third axis.

    >>> import tinygrad_res as tg
    >>> tg.dstack([[1.0, 2.0], [3.0, 4.0]])
    tensor([[[1., 3.],
             [2., 4.]]])
    """
    return concat([atleast_3d(x) for x in _beside("dstack", xs)], axis=2)


def column_stack(xs: Sequence[Any]) -> Tensor:
    """Return a matrix of the vectors of ``xs`` as columns; matrices go in as they are.

    >>> import tinygrad_res as tg
    >>> tg.column_stack([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 3.],
            [2., 4.]])
    """
    columns = _beside("column_stack", xs)
    return concat([atleast_2d(x) if x.ndim > 1 else atleast_2d(x).T for x in columns], axis=1)


def _beside(name: str, xs: Any) -> list[Tensor]:
    """Return ``xs`` as tensors, numbers and lists where the arrays among them are."""
    given = several(name, xs)
    return [as_tensor(beside(name, x, *given)) for x in given]


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Return the pieces of ``x`` along ``axis``: so many of one length, or cut at given places.

    Raises:
        ShapeError: the axis does not exist, or so many pieces of one length do not fill it.

    >>> import tinygrad_res as tg
    >>> tg.split([1.0, 2.0, 3.0, 4.0], 2)
    [tensor([1., 2.]), tensor([3., 4.])]
    >>> tg.split([1.0, 2.0, 3.0, 4.0], [1])
    [tensor([1.]), tensor([2., 3., 4.])]
    """
    shape = shape_of(x)
    place = axis_of("split", axis, shape)
    if isinstance(indices_or_sections, (int, np.integer)) and (
        indices_or_sections < 1 or shape[place] % indices_or_sections
    ):
        raise ShapeError(
            f"split: {indices_or_sections} parts of axis {axis} of shape {shape}: its length "
            f"{shape[place]} is no multiple; tg.array_split makes parts of unequal lengths"
        )
    return _cut("split", x, indices_or_sections, place)


def array_split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Return the pieces of ``x`` along ``axis``, as ``split``; the first may be longer by one.

    Raises:
        ShapeError: the axis does not exist, there are less than one part, or more than the
            elements and ten thousand.

    >>> import tinygrad_res as tg
    >>> tg.array_split([1.0, 2.0, 3.0], 2)
    [tensor([1., 2.]), tensor([3.])]
    """
    return _cut("array_split", x, indices_or_sections, axis_of("array_split", axis, shape_of(x)))


def _cut(name: str, x: Any, places: Any, axis: int) -> list[Tensor]:
    x, n = as_tensor(x), shape_of(x)[axis]
    if not isinstance(places, (int, np.integer)):
        cuts = list(lengths(name, places))
    elif places < 1:
        raise ShapeError(f"{name}: {places} parts: there must be at least one")
    elif places > max(n, MOST_PARTS):
        raise ShapeError(
            f"{name}: {places} parts of {n} elements: more than {max(n, MOST_PARTS)}, and most of "
            "them empty"
        )
    else:
        longer, each = n % int(places), n // int(places)
        cuts = [k * each + min(k, longer) for k in range(1, int(places))]
    where = (slice(None),) * axis
    return [x[(*where, slice(a, b))] for a, b in zip([0, *cuts], [*cuts, n], strict=True)]


def vsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Tensor]:
    """Return ``split`` along the first axis.

    >>> import tinygrad_res as tg
    >>> tg.vsplit([[1.0], [2.0]], 2)
    [tensor([[1.]]), tensor([[2.]])]
    """
    return split(x, indices_or_sections, 0)


def hsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Tensor]:
    """Return ``split`` along the second axis, of vectors along the only one.

    >>> import tinygrad_res as tg
    >>> tg.hsplit([1.0, 2.0], 2)
    [tensor([1.]), tensor([2.])]
    """
    return split(x, indices_or_sections, 1 if len(shape_of(x)) > 1 else 0)


def dsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Tensor]:
    """Return ``split`` along the third axis.

    >>> import tinygrad_res as tg
    >>> [part.shape for part in tg.dsplit(tg.tensor([[[1.0, 2.0]]]), 2)]
    [(1, 1, 1), (1, 1, 1)]
    """
    return split(x, indices_or_sections, 2)


def append(x: Any, values: Any, axis: int | None = None) -> Tensor:
    """Return ``x`` with ``values`` joined to its end along ``axis``; both flat where it is left out.

    >>> import tinygrad_res as tg
    >>> tg.append([1.0, 2.0], [[3.0], [4.0]])
    tensor([1., 2., 3., 4.])
    """
    return concat([x, values], axis)


def unstack(x: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """Return the slices of ``x`` along ``axis``, which they lack.

    Raises:
        ShapeError: the axis does not exist.

    >>> import tinygrad_res as tg
    >>> tg.unstack([[1.0, 2.0], [3.0, 4.0]])
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    x, place = as_tensor(x), axis_of("unstack", axis, shape_of(x))
    where = (slice(None),) * place
    return tuple(x[(*where, i)] for i in range(x.shape[place]))


def tile(x: Any, repetitions: int | Sequence[int]) -> Tensor:
    """Return ``x`` laid out ``repetitions`` times along each axis, missing axes in front.

    Raises:
        ShapeError: a number of repetitions is negative or no integer.

    >>> import tinygrad_res as tg
    >>> tg.tile([1.0, 2.0], (2, 2))
    tensor([[1., 2., 1., 2.],
            [1., 2., 1., 2.]])
    """
    reps = lengths("tile", repetitions)
    if min(reps, default=0) < 0:
        raise ShapeError(f"tile: repetitions {repetitions!r}: none may be negative")
    return _tile(x, reps=(1,) * (len(shape_of(x)) - len(reps)) + reps)


def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
    """Return ``x`` with each element repeated along ``axis``, all so often or each its number.

    Where ``axis`` is left out, ``x`` counts as one axis.

    Raises:
        ShapeError: the axis does not exist, or ``repeats`` does not fit its length.
        DeviceError: the numbers are on a device, where the result's shape cannot be read off.

    >>> import tinygrad_res as tg
    >>> tg.repeat([1.0, 2.0], [1, 2])
    tensor([1., 2., 2.])
    """
    if axis is None:
        x, axis = ravel(x), 0
    place, counts = axis_of("repeat", axis, shape_of(x)), raw(repeats)
    if backend.is_array(counts) and backend.device(counts) != "cpu":
        raise DeviceError("repeat: repeats on cuda: they are lengths; pass host integers")
    numbers = lengths("repeat", counts)
    n = shape_of(x)[place]
    if min(numbers, default=0) < 0 or len(numbers) not in (1, n):
        raise ShapeError(
            f"repeat: repeats {repeats!r} along axis {axis} of shape {shape_of(x)}: give one "
            f"number >= 0, or one for each of {n} elements"
        )
    if len(numbers) == 1:
        return _repeat(x, n=numbers[0], axis=place)
    xp = backend.namespace(raw(x)) if backend.is_array(x) else np
    index = xp.asarray(np.repeat(np.arange(n), numbers))
    return _chosen(x, index=(*(slice(None),) * place, index), distinct=False)
