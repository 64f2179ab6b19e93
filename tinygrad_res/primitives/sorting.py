"""Sorted order: a gather whose index comes from the values.

The index is a constant, so the gradient goes to where each element came from.  Equal
elements keep their order, in both directions: it decides which one of them the gradient
goes to.
"""

from __future__ import annotations

from typing import Any

from .. import backend
from ..errors import ShapeError
from ..tensor import Tensor, raw
from .arguments import flag
from .indexing import gather, lines
from .structural import as_tensor, axis_of, lengths, ravel

__all__ = [
    "sort", "topk",
]  # fmt: skip

_sort = gather("sort")
_topk = gather("topk")


def _order(array: Any, axis: int, descending: bool) -> Any:
    """Return the places of the elements in sorted order, equal ones in the order they stand."""
    xp = backend.namespace(array)
    if not descending:
        return xp.argsort(array, axis=axis, kind="stable")
    backward = xp.argsort(xp.flip(array, axis), axis=axis, kind="stable")
    return array.shape[axis] - 1 - xp.flip(backward, axis)


def sort(x: Any, axis: int | None = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    """Return ``x`` in sorted order along ``axis``; as one axis where that is ``None``.

    NaN counts as the largest.  Equal elements keep their order whether ``stable`` asks for
    it or not.

    Raises:
        ShapeError: the axis does not exist.

    >>> import tinygrad_res as tg
    >>> tg.sort([2.0, 3.0, 1.0], descending=True)
    tensor([3., 2., 1.])
    """
    x = as_tensor(x) if axis is not None else ravel(x)
    place = axis_of("sort", -1 if axis is None else axis, x.shape)
    order = _order(raw(x), place, flag("sort", "descending", descending))
    return _sort(x, index=lines(order, x.shape, place), distinct=True)


def topk(x: Any, k: int, axis: int = -1) -> tuple[Tensor, Tensor]:
    """Return the ``k`` largest elements along ``axis``, in descending order, and their places.

    The places are integers and carry no gradient.  Of equal elements the first come first.

    Raises:
        ShapeError: the axis does not exist, or has fewer than ``k`` elements.

    >>> import tinygrad_res as tg
    >>> values, places = tg.topk([2.0, 3.0, 1.0], 2)
    >>> values, places.numpy()
    (tensor([3., 2.]), array([1, 0]))
    """
    x = as_tensor(x)
    place = axis_of("topk", axis, x.shape)
    (count,) = lengths("topk", [k])
    if not 0 <= count <= x.shape[place]:
        raise ShapeError(
            f"topk: k {k} along axis {axis} of shape {x.shape}: k lies in 0..{x.shape[place]}"
        )
    order = _order(raw(x), place, descending=True)[(*(slice(None),) * place, slice(count))]
    values = _topk(x, index=lines(order, x.shape, place), distinct=True)
    return values, Tensor(order, None)
