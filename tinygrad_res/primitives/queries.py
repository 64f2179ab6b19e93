"""Questions to whole tensors: the answers are places, counts and truth values.

They are constants, as in ``constants``: no gradient flows through an index or a count.
Every answer is a tensor, also a single truth value.
"""

from __future__ import annotations

from typing import Any

from ..custom import axes, constant
from ..errors import ShapeError
from ..tensor import Tensor, shape_of
from .arguments import flag, word
from .constants import isclose
from .sorting import _order
from .structural import as_tensor, axis_of, ravel

__all__ = [
    "all", "allclose", "any", "argmax", "argmin", "argsort", "argwhere", "array_equal", "count_nonzero", "nonzero",
    "searchsorted",
]  # fmt: skip


# fmt: off
_all    = constant(lambda xp, x, axis, keepdims: xp.all(x, axis=axis, keepdims=keepdims), name="all")
_any    = constant(lambda xp, x, axis, keepdims: xp.any(x, axis=axis, keepdims=keepdims), name="any")
_count  = constant(lambda xp, x, axis, keepdims: xp.not_equal(x, 0).sum(axis=axis, keepdims=keepdims), name="count_nonzero")
_argmax = constant(lambda xp, x, axis, keepdims: xp.argmax(x, axis=axis, keepdims=keepdims), name="argmax")
_argmin = constant(lambda xp, x, axis, keepdims: xp.argmin(x, axis=axis, keepdims=keepdims), name="argmin")
_sorted = constant(lambda xp, x, axis, descending: _order(x, axis, descending), name="argsort")
_where  = constant(lambda xp, x: xp.stack(xp.nonzero(x), axis=-1), name="argwhere")
_same   = constant(lambda xp, x, y, equal_nan: xp.array_equal(xp.asarray(x), xp.asarray(y), equal_nan=equal_nan), name="array_equal")
_search = constant(lambda xp, x1, x2, side: xp.searchsorted(x1, xp.asarray(x2), side=side), name="searchsorted")
# fmt: on


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return whether no element is 0, over ``axis``: an axis, a tuple, or ``None`` for all.

    ``keepdims`` keeps the reduced axes, at length 1.

    Raises:
        ShapeError: an axis does not exist.

    >>> import tinygrad_res as tg
    >>> tg.all(tg.tensor([[1.0, 2.0], [0.0, 1.0]]), axis=1)
    tensor([ True, False], dtype=bool)
    """
    return _all(x, axis=axes("all", x, axis), keepdims=keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return whether an element is not 0, over ``axis``: an axis, a tuple, or ``None`` for all.

    ``keepdims`` keeps the reduced axes, at length 1.

    Raises:
        ShapeError: an axis does not exist.

    >>> import tinygrad_res as tg
    >>> tg.any(tg.tensor([0.0, 2.0]))
    tensor(True, dtype=bool)
    """
    return _any(x, axis=axes("any", x, axis), keepdims=keepdims)


def count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return how many elements are not 0, over ``axis``: an axis, a tuple, or ``None`` for all.

    ``keepdims`` keeps the reduced axes, at length 1.

    Raises:
        ShapeError: an axis does not exist.

    >>> import tinygrad_res as tg
    >>> tg.count_nonzero([0.0, 2.0, 3.0]).item()
    2
    """
    return _count(x, axis=axes("count_nonzero", x, axis), keepdims=keepdims)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the place of the first largest element along ``axis``; ``None`` counts through all.

    ``keepdims`` keeps the reduced axes, at length 1.

    Raises:
        ShapeError: the axis does not exist, or there is no element along it.

    >>> import tinygrad_res as tg
    >>> tg.argmax([[1.0, 3.0], [5.0, 2.0]], axis=1).numpy()
    array([1, 0])
    """
    return _argmax(x, axis=_choice("argmax", x, axis), keepdims=keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the place of the first smallest element along ``axis``; ``None`` counts through all.

    ``keepdims`` keeps the reduced axes, at length 1.

    Raises:
        ShapeError: the axis does not exist, or there is no element along it.

    >>> import tinygrad_res as tg
    >>> tg.argmin([[1.0, 3.0], [5.0, 2.0]]).item()
    0
    """
    return _argmin(x, axis=_choice("argmin", x, axis), keepdims=keepdims)


def argsort(
    x: Any,
    axis: int | None = -1,
    *,
    descending: bool = False,
    stable: bool = True,
    kind: Any = None,
) -> Tensor:
    """Return the places of the elements of ``x`` in sorted order along ``axis``.

    They are those of ``sort``: NaN counts as the largest, and equal elements keep their
    order, whatever ``stable`` and NumPy's ``kind`` ask for.

    Raises:
        ShapeError: the axis does not exist.

    >>> import tinygrad_res as tg
    >>> tg.argsort([2.0, 3.0, 1.0], descending=True).numpy()
    array([1, 0, 2])
    """
    x = as_tensor(x) if axis is not None else ravel(x)
    place = axis_of("argsort", -1 if axis is None else axis, x.shape)
    return _sorted(x, axis=place, descending=flag("argsort", "descending", descending))


def nonzero(x: Any) -> tuple[Tensor, ...]:
    """Return the places of the elements that are not 0: their numbers along each axis.

    Raises:
        ShapeError: ``x`` has no axes.

    >>> import tinygrad_res as tg
    >>> [places.numpy() for places in tg.nonzero([[0.0, 3.0], [5.0, 0.0]])]
    [array([0, 1]), array([1, 0])]
    """
    ndim = _with_axes("nonzero", x)
    found = _where(x)
    return tuple(found[:, i] for i in range(ndim))


def argwhere(x: Any) -> Tensor:
    """Return the places of the elements that are not 0, (N, axes of ``x``): one row for each.

    Raises:
        ShapeError: ``x`` has no axes.

    >>> import tinygrad_res as tg
    >>> tg.argwhere([[0.0, 3.0], [5.0, 0.0]]).numpy()
    array([[0, 1],
           [1, 0]])
    """
    _with_axes("argwhere", x)
    return _where(x)


def searchsorted(x1: Any, x2: Any, side: str = "left", sorter: Any = None) -> Tensor:
    """Return where in the sorted ``x1`` (N,) the elements of ``x2`` belong, to keep the order.

    Args:
        x1: sorted numbers, or such as ``sorter`` sorts.
        x2: of any shape, which is that of the result.
        side: ``"left"`` of equal elements, or ``"right"``.
        sorter: the places of the elements of ``x1`` in sorted order, as from ``argsort``.

    Raises:
        ShapeError: ``x1`` has not one axis.
        UsageError: the side is neither.

    >>> import tinygrad_res as tg
    >>> tg.searchsorted([1.0, 2.0, 3.0], [2.0, 5.0]).numpy()
    array([1, 3])
    """
    shape = shape_of(x1)
    if len(shape) != 1:
        raise ShapeError(f"searchsorted: shape {shape}: the sorted numbers have one axis")
    word("searchsorted", "side", side, "left", "right")
    if sorter is not None:
        x1 = as_tensor(x1)[sorter]
    return _search(x1, x2, side=side)


def allclose(
    x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Return whether |x - y| <= atol + rtol |y| for all elements, which broadcast.

    >>> import tinygrad_res as tg
    >>> tg.allclose([1.0, 2.0], [1.0, 2.0 + 1e-9])
    tensor(True, dtype=bool)
    """
    return all(isclose(x, y, rtol, atol, equal_nan))


def array_equal(x: Any, y: Any, equal_nan: bool = False) -> Tensor:
    """Return whether ``x`` and ``y`` have one shape and the same elements.

    NaN equals NaN where ``equal_nan`` says so.

    >>> import tinygrad_res as tg
    >>> tg.array_equal(tg.tensor([1.0, 2.0]), [1.0, 2.0])
    tensor(True, dtype=bool)
    """
    return _same(x, y, equal_nan=equal_nan)


def _choice(name: str, x: Any, axis: Any) -> int | None:
    shape = shape_of(x)
    place = None if axis is None else axis_of(name, axis, shape)
    if 0 in (shape if place is None else shape[place : place + 1]):
        raise ShapeError(f"{name}: shape {shape}, axis {axis}: there is no element to choose")
    return place


def _with_axes(name: str, x: Any) -> int:
    shape = shape_of(x)
    if not shape:
        raise ShapeError(
            f"{name}: shape (): elements have places along axes: use tg.reshape(x, -1)"
        )
    return len(shape)
