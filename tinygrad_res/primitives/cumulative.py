"""Cumulative operations: sums and products of all elements up to each one.

A product of many factors has a derivative without any division: what stands before a
factor times what stands after it.  For cumulative products that sum over suffixes is a
linear recurrence, S[j] = b[j] + a[j] S[j + 1].  The derivative of a recurrence is the same
recurrence run the other way, so derivatives of every order stay within this module, and
zeros among the factors need no care.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..custom import Operation, axes, general
from ..errors import ShapeError, UsageError
from ..tensor import Tensor, raw, shape_of
from .arguments import flag, shown
from .indexing import getitem
from .joining import concat
from .pointwise import subtract
from .structural import as_tensor, reshape

__all__ = [
    "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "diff",
]  # fmt: skip


def along(axis: int, start: int | None = None, stop: int | None = None, step: int = 1) -> Any:
    """Return the index of a slice along one axis."""
    return (slice(None),) * axis + (slice(start, stop, step),)


def _total(xp: Any, x: Any, axis: int, reverse: bool) -> Any:
    if not reverse:
        return xp.cumsum(x, axis=axis)
    back = along(axis, step=-1)
    return xp.cumsum(x[back], axis=axis)[back]


def _total_vjp(
    xp: Any, g: Any, wanted: tuple[int, ...], _out: Any, _x: Any, axis: int, reverse: bool
) -> list[Any]:
    return [_summed.apply((g,), {"axis": axis, "reverse": not reverse})]


def _recur(xp: Any, b: Any, a: Any, axis: int) -> Any:
    """Return S with S[j] = b[j] + a[j] S[j + 1], by doubling: log2(n) steps on whole arrays.

    After each step S[j] holds the terms of ``reach`` elements and ``factor[j]`` the product
    of as many a's (Hillis and Steele, "Data parallel algorithms", 1986).
    """
    out, factor, n, reach = b.copy(), a, b.shape[axis], 1
    while reach < n:
        head, tail = along(axis, 0, n - reach), along(axis, reach)
        out[head] += factor * out[tail]
        factor = factor[along(axis, 0, max(0, n - 2 * reach))] * factor[tail]
        reach *= 2
    return out


def _recur_vjp(
    xp: Any, g: Any, wanted: tuple[int, ...], out: Any, _b: Any, a: Any, axis: int
) -> list[Any]:
    back = along(axis, step=-1)
    arrived = _recurrence.apply((g[back], a[back]), {"axis": axis})[back]
    found = {0: arrived}
    if 1 in wanted:
        found[1] = arrived[along(axis, 0, -1)] * out[along(axis, 1)]
    return [found[i] for i in wanted]


def _multiplied_vjp(
    xp: Any, g: Any, wanted: tuple[int, ...], out: Any, x: Any, axis: int
) -> list[Any]:
    after = _recurrence.apply((g, x[along(axis, 1)]), {"axis": axis})
    return [_delayed(xp, out, axis) * after]


def _delayed(xp: Any, products: Any, axis: int) -> Any:
    """Return cumulative products of the elements before each one: a 1, then all but the last."""
    shape = (*products.shape[:axis], 1, *products.shape[axis + 1 :])
    one = backend.namespace(raw(products)).ones(shape, dtype=products.dtype)
    return xp.concatenate([one, products[along(axis, 0, -1)]], axis=axis)


def product_of_others(xp: Any, rows: Any) -> Any:
    """Return for each element of the last axis the product of all others along it."""
    axis = len(rows.shape) - 1
    back = along(axis, step=-1)
    before = _multiplied.apply((rows,), {"axis": axis})
    after = _multiplied.apply((rows[back],), {"axis": axis})
    return _delayed(xp, before, axis) * _delayed(xp, after, axis)[back]


# fmt: off
_summed     = general(_total, _total_vjp, name="cumulative_sum")
_multiplied = general(lambda xp, x, axis: xp.cumprod(x, axis=axis), _multiplied_vjp, name="cumulative_prod")
_recurrence = general(_recur, _recur_vjp, name="recurrence")
# fmt: on


def cumulative_sum(x: Any, axis: int | None = None, include_initial: bool = False) -> Tensor:
    """Return the sums of all elements up to each one along ``axis``.

    Args:
        x: any shape; a number counts as one element.
        axis: may be left out where there is one axis.
        include_initial: begin with a 0, so that the length grows by one.

    Raises:
        ShapeError: the axis does not exist, or is missing.

    >>> cumulative_sum([1.0, 2.0, 3.0])
    tensor([1., 3., 6.])
    """
    return _accumulate("cumulative_sum", _summed, x, axis, include_initial, 0, reverse=False)


def cumulative_prod(x: Any, axis: int | None = None, include_initial: bool = False) -> Tensor:
    """Return the products of all elements up to each one along ``axis``.

    The derivatives are right with zeros among the elements too.  Arguments and errors are
    those of ``cumulative_sum``; ``include_initial`` begins with a 1.

    >>> import numpy as np, tinygrad_res as tg
    >>> cumulative_prod([2.0, 3.0, 4.0], include_initial=True)
    tensor([ 1.,  2.,  6., 24.])
    >>> tg.grad(lambda x: cumulative_prod(x).sum())(np.array([2.0, 0.0, 4.0]))
    array([ 1., 10.,  0.])
    """
    return _accumulate("cumulative_prod", _multiplied, x, axis, include_initial, 1)


def cumsum(x: Any, axis: int | None = None) -> Tensor:
    """Return ``cumulative_sum`` along ``axis``; of all elements in a row where it is left out.

    >>> cumsum([[1.0, 2.0], [3.0, 4.0]])
    tensor([ 1.,  3.,  6., 10.])
    """
    return cumulative_sum(reshape(x, -1)) if axis is None else cumulative_sum(x, axis)


def cumprod(x: Any, axis: int | None = None) -> Tensor:
    """Return ``cumulative_prod`` along ``axis``; of all elements in a row where it is left out.

    >>> cumprod([[1.0, 2.0], [3.0, 4.0]])
    tensor([ 1.,  2.,  6., 24.])
    """
    return cumulative_prod(reshape(x, -1)) if axis is None else cumulative_prod(x, axis)


def diff(x: Any, n: int = 1, axis: int = -1) -> Tensor:
    """Return the differences of neighbours along ``axis``, taken ``n`` times.

    The length shrinks by ``n``, to 0 at most.

    Raises:
        ShapeError: the axis does not exist.
        UsageError: ``n`` is no whole number from 0 on.

    >>> diff([1.0, 4.0, 9.0, 16.0])
    tensor([3., 5., 7.])
    >>> diff([1.0, 4.0, 9.0, 16.0], n=2)
    tensor([2., 2.])
    """
    if not isinstance(n, (int, np.integer)) or n < 0:
        raise UsageError(f"diff: n {shown(n)}: pass how many times to take differences, from 0 on")
    (k,) = axes("diff", x, (axis,))
    for _ in range(min(int(n), shape_of(x)[k] + 1)):  # no more are left then
        x = subtract(getitem(x, along(k, 1)), getitem(x, along(k, 0, -1)))
    return as_tensor(x)


def _accumulate(
    name: str, primitive: Operation, x: Any, axis: Any, include_initial: bool, initial: int,
    **params: Any,
) -> Tensor:  # fmt: skip
    shape = shape_of(x)
    if not shape:
        x, shape = reshape(x, (1,)), (1,)
    if axis is None and len(shape) > 1:
        raise ShapeError(
            f"{name}: axis is missing for a tensor of shape {shape}: "
            f"name one axis, or make it flat with reshape(-1)"
        )
    (k,) = axes(name, x, (0 if axis is None else axis,))
    out = primitive(x, axis=k, **params)
    if not flag(name, "include_initial", include_initial):
        return out
    first = (*shape[:k], 1, *shape[k + 1 :])
    xp = backend.namespace(raw(out))
    return concat([xp.full(first, initial, dtype=out.dtype), out], axis=k)
