"""The table of turns: the elements of a tensor in another order along its axes.

The transpose of a turn is the turn back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..custom import axes, structural
from ..errors import ShapeError
from ..tensor import Tensor, shape_of
from .arguments import whole
from .structural import axis_of, lengths, ravel, reshape

__all__ = [
    "flip", "fliplr", "flipud", "roll", "rot90",
]  # fmt: skip


# fmt: off
_flip  = structural(lambda xp, x, axis: xp.flip(x, axis), lambda xp, g, i, shape, axis: xp.flip(g, axis), name="flip")
_roll  = structural(lambda xp, x, shift, axis: xp.roll(x, shift, axis),
                    lambda xp, g, i, shape, shift, axis: xp.roll(g, tuple(-n for n in shift), axis), name="roll")
_rot90 = structural(lambda xp, x, k, axes: xp.rot90(x, k, axes),
                    lambda xp, g, i, shape, k, axes: xp.rot90(g, -k, axes), name="rot90")
# fmt: on


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """Return ``x`` in reverse order along ``axis``: one, several, or ``None`` for all of them.

    Raises:
        ShapeError: an axis does not exist or is named twice.

    >>> import tinygrad_res as tg
    >>> tg.flip([1.0, 2.0, 3.0])
    tensor([3., 2., 1.])
    """
    return _flip(x, axis=axes("flip", x, axis))


def flipud(x: Any) -> Tensor:
    """Return ``x`` in reverse order along its first axis.

    >>> import tinygrad_res as tg
    >>> tg.flipud([[1.0], [2.0]])
    tensor([[2.],
            [1.]])
    """
    return _flip(x, axis=(axis_of("flipud", 0, shape_of(x)),))


def fliplr(x: Any) -> Tensor:
    """Return ``x`` in reverse order along its second axis.

    >>> import tinygrad_res as tg
    >>> tg.fliplr([[1.0, 2.0]])
    tensor([[2., 1.]])
    """
    return _flip(x, axis=(axis_of("fliplr", 1, shape_of(x)),))


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """Return ``x`` with its elements ``shift`` places further on, the last ones coming first.

    Several shifts go along as many axes, or add up along one.  Where ``axis`` is left out, the elements roll in
    order, over the ends of the axes.

    Raises:
        ShapeError: an axis does not exist, or the numbers of shifts and axes differ.

    >>> import tinygrad_res as tg
    >>> tg.roll([1.0, 2.0, 3.0], 1)
    tensor([3., 1., 2.])
    """
    if axis is None:
        shifts = lengths("roll", shift)
        return reshape(_roll(ravel(x), shift=(sum(shifts),), axis=(0,)), shape_of(x))
    along = axes("roll", x, axis)
    shifts = lengths("roll", shift)
    if len(shifts) == 1:
        shifts *= len(along)
    elif len(along) == 1:
        shifts = (sum(shifts),)
    if len(shifts) != len(along):
        raise ShapeError(f"roll: shift {shift!r} and axis {axis!r}: give one shift for each axis")
    return _roll(x, shift=shifts, axis=along)


def rot90(x: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    """Return ``x`` turned by ``k`` quarters in the plane of two axes, from the first to the second.

    Raises:
        ShapeError: there are not two such axes.

    >>> import tinygrad_res as tg
    >>> tg.rot90([[1.0, 2.0], [3.0, 4.0]])
    tensor([[2., 4.],
            [1., 3.]])
    """
    given = axes if isinstance(axes, (tuple, list)) else ()
    plane = tuple(axis_of("rot90", i, shape_of(x)) for i in given)
    if len(set(plane)) != 2 or len(plane) != 2:
        raise ShapeError(f"rot90: axes {axes!r}: a plane has two axes")
    return _rot90(x, k=whole("rot90", "k", k), axes=plane)
