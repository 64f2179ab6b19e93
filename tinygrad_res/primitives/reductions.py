"""The table of reductions: one coefficient per input element.

Equal elements that tie in an extremum share its gradient equally.  A norm and a standard
deviation have a kink where they are 0; their derivatives there are 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from ..custom import axes, reduction
from ..errors import ShapeError, UsageError
from ..tensor import Tensor, raw, shape_of
from .constants import finite, stop_gradient, tied
from .cumulative import product_of_others

__all__ = [
    "max", "mean", "median", "min", "norm", "prod", "ptp", "std", "sum", "var",
]  # fmt: skip

Axes = tuple[int, ...]


def _of_some(name: str) -> Callable[..., Any]:
    """Return what runs ``xp.name``, and refuses to reduce no elements."""

    def run(xp: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
        _refuse_none(name, x, axis)
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims)

    return run


def _refuse_none(name: str, x: Any, axis: Axes) -> None:
    if not x.size and not _count(x.shape, axis):
        raise ShapeError(
            f"{name}: shape {x.shape} has no elements along axis {axis}: pass at least one"
        )


def _count(shape: tuple[int, ...], axis: Axes) -> int:
    return math.prod(shape[i] for i in axis)


def _floating(x: Any) -> Any:
    return x if x.dtype.kind == "f" else x.astype(float)


# Products and the median work on rows: the reduced axes joined into one, the last


def _rows(x: Any, axis: Axes) -> Any:
    kept = tuple(i for i in range(len(x.shape)) if i not in axis)
    shape = tuple(x.shape[i] for i in kept)
    return x.transpose(kept + axis).reshape((*shape, _count(x.shape, axis)))


def _from_rows(rows: Any, shape: tuple[int, ...], axis: Axes) -> Any:
    order = tuple(i for i in range(len(shape)) if i not in axis) + axis
    back = tuple(order.index(i) for i in range(len(order)))
    return rows.reshape(tuple(shape[i] for i in order)).transpose(back)


def _others(xp: Any, x: Any, axis: Axes) -> Any:
    """Return for each element the product of those it is multiplied with."""
    if not x.size:
        return x
    return _from_rows(product_of_others(xp, _rows(x, axis)), x.shape, axis)


def _median(xp: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    _refuse_none("median", x, axis)
    low, high = _middles(x, axis)
    out = low * 0.5 + high * 0.5
    return out if keepdims else out.squeeze(axis)


def _middles(x: Any, axis: Axes) -> list[Any]:
    """Return the two middle elements, one and the same in an odd number; NaN if one is NaN."""
    array = raw(x)
    xp = backend.namespace(array)
    rows = xp.sort(_rows(array, axis), axis=-1)
    last, n = rows[..., -1:], rows.shape[-1]
    kept = tuple(1 if i in axis else k for i, k in enumerate(array.shape))
    middles = (rows[..., k : k + 1] for k in ((n - 1) // 2, n // 2))
    return [xp.where(xp.isnan(last), last, middle).reshape(kept) for middle in middles]


def _in_the_middle(x: Any, axis: Axes) -> Any:
    low, high = _middles(x, axis)
    return 0.5 * tied(x, low, axis) + 0.5 * tied(x, high, axis)


# Variance, and the norms


def _centred(x: Any, axis: Axes) -> Any:
    """Return ``x`` minus its mean: exactly 0 where all elements are equal.

    The first element is subtracted before, so that the mean of equal ones is not rounded.
    """
    first = tuple(slice(1) if i in axis else slice(None) for i in range(len(x.shape)))
    moved = x - stop_gradient(x)[first]
    return moved - moved.mean(axis=axis, keepdims=True)


def _var(xp: Any, x: Any, axis: Axes, keepdims: bool, correction: float) -> Any:
    n = _count(x.shape, axis)
    squares = xp.square(_centred(_floating(x), axis))
    return squares.mean(axis=axis, keepdims=keepdims) * (n / (n - correction))


def _std(xp: Any, x: Any, axis: Axes, keepdims: bool, correction: float) -> Any:
    n = _count(x.shape, axis)
    centred = _centred(_floating(x), axis)
    return _lp(xp, centred, axis, keepdims, 2) * (n - correction) ** -0.5


def _extreme(xp: Any, x: Any, axis: Axes, keepdims: bool, ord: float) -> Any:
    _refuse_none("norm", x, axis)
    return (xp.max if ord > 0 else xp.min)(abs(_floating(x)), axis=axis, keepdims=keepdims)


def _lp(xp: Any, x: Any, axis: Axes, keepdims: bool, ord: float) -> Any:
    """Return (sum |x|^ord)^(1/ord), scaled so that no power leaves the range of floats."""
    size = abs(_floating(x))
    if not size.size and ord > 0:
        return size.sum(axis=axis, keepdims=keepdims)
    scale = finite(xp, _extreme(xp, size, axis, True, ord))
    ratio = size / (scale + (scale == 0))
    total = xp.square(ratio) if ord == 2 else (ratio + (ratio == 0)) ** ord * (ratio > 0)
    total = total.sum(axis=axis, keepdims=True)
    out = scale * (xp.sqrt(total) if ord == 2 else (total + (total == 0)) ** (1 / ord))
    return out if keepdims else out.squeeze(axis)


def _over(xp: Any, x: Any, out: Any) -> Any:
    """Return x / out, and 0 where ``out`` is 0."""
    return x * xp.greater(out, 0) / (out + xp.equal(out, 0))


def _lp_partial(xp: Any, out: Any, x: Any, ord: float) -> Any:
    """Return sign(x) (|x| / out)^(ord - 1), and 0 where ``x`` or ``out`` is 0."""
    ratio = _over(xp, abs(x), out)
    return xp.sign(x) * xp.greater(out, 0) * (ratio + xp.equal(ratio, 0)) ** (ord - 1)


# fmt: off
sum        = reduction("sum",  1, doc="the sum")
mean       = reduction(_of_some("mean"), lambda xp, _out, _x, axis, n: 1 / n if n else 0, name="mean", doc="the mean")
prod       = reduction("prod", lambda xp, _out, x, axis, n: _others(xp, x, axis), doc="the product, whose derivatives are right with zeros too,")
max        = reduction(_of_some("max"), lambda xp, out, x, axis, n: tied(x, out, axis), name="max", doc="the maximum, whose gradient equal elements share equally,")
min        = reduction(_of_some("min"), lambda xp, out, x, axis, n: tied(x, out, axis), name="min", doc="the minimum, whose gradient equal elements share equally,")
ptp        = reduction(_of_some("ptp"), lambda xp, _out, x, axis, n: tied(x, xp.max(x, axis=axis, keepdims=True), axis) - tied(x, xp.min(x, axis=axis, keepdims=True), axis), name="ptp", doc="the maximum minus the minimum")
median     = reduction(_median, lambda xp, _out, x, axis, n: _in_the_middle(x, axis), name="median", doc="the median, the mean of the two in the middle of an even number,")

_variance  = reduction(_var, lambda xp, _out, x, axis, n, correction: _centred(x, axis) * (2 / (n - correction)), name="var")
_deviation = reduction(_std, lambda xp, out, x, axis, n, correction: _over(xp, _centred(x, axis), out) / (n - correction), name="std")

_norm0     = reduction(lambda xp, x, axis, keepdims, ord: _floating((x != 0).astype(x.dtype)).sum(axis=axis, keepdims=keepdims), 0, name="norm")
_norm1     = reduction(lambda xp, x, axis, keepdims, ord: abs(_floating(x)).sum(axis=axis, keepdims=keepdims), lambda xp, _out, x, axis, n, ord: xp.sign(x), name="norm")
_norm2     = reduction(_lp, lambda xp, out, x, axis, n, ord: _over(xp, x, out), name="norm")
_norm_inf  = reduction(_extreme, lambda xp, out, x, axis, n, ord: xp.sign(x) * tied(abs(x), out, axis), name="norm")
_norm_p    = reduction(_lp, lambda xp, out, x, axis, n, ord: _lp_partial(xp, out, x, ord), name="norm")
# fmt: on

_NORMS = {0.0: _norm0, 1.0: _norm1, 2.0: _norm2, math.inf: _norm_inf, -math.inf: _norm_inf}


def var(
    x: Any, axis: Any = None, keepdims: bool = False, *, correction: float = 0, ddof: Any = None
) -> Tensor:
    """Return the variance over ``axis``: the sum of squared deviations from the mean / (n - correction).

    Computed in two passes, so that a large mean costs no digits.

    Args:
        x: any shape.
        axis: an axis, a tuple of axes, or ``None`` for all of them.
        keepdims: keep the reduced axes, at length 1.
        correction: 0 for the variance of a population, 1 for the estimate from a sample.
        ddof: NumPy's name for ``correction``.

    Raises:
        ShapeError: an axis does not exist, or there are no more elements than ``correction``.
        UsageError: the correction is no number.

    >>> var([1.0, 2.0, 3.0, 4.0]), var([1.0, 3.0], correction=1)
    (tensor(1.25), tensor(2.))
    """
    return _variance(x, axis, keepdims, correction=_correction("var", x, axis, correction, ddof))


def std(
    x: Any, axis: Any = None, keepdims: bool = False, *, correction: float = 0, ddof: Any = None
) -> Tensor:
    """Return the standard deviation over ``axis``, the square root of ``var``.

    Its derivative is 0 where all elements are equal.  Arguments and errors are those of
    ``var``.

    >>> import numpy as np, tinygrad_res as tg
    >>> std([1.0, 3.0])
    tensor(1.)
    >>> tg.grad(std)(np.array([0.1, 0.1, 0.1]))
    array([0., 0., 0.])
    """
    return _deviation(x, axis, keepdims, correction=_correction("std", x, axis, correction, ddof))


def _correction(name: str, x: Any, axis: Any, correction: Any, ddof: Any) -> float:
    chosen = correction if ddof is None else ddof
    if not _is_number(chosen):
        raise UsageError(f"{name}: correction {chosen!r}: pass a number, such as 0 or 1")
    n = _count(shape_of(x), axes(name, x, axis))
    if not (n and chosen < n):
        raise ShapeError(
            f"{name}: shape {shape_of(x)}, correction {chosen}: there are {n} elements to reduce; "
            "pass at least one, and more than the correction"
        )
    return float(chosen)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating))


def norm(x: Any, ord: float = 2, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the vector norm (sum |x|^ord)^(1/ord) over ``axis``.

    Norms whose squares or powers would leave the range of floats are right too.  The
    derivative is 0 where the norm is 0, and by an element that is 0; elements that tie for
    the largest in the norm of ``inf`` share its gradient equally.

    Args:
        x: any shape.
        ord: any real number: 2 is the Euclidean norm, ``inf`` the largest size, ``-inf`` the
            smallest, and 0 the number of elements that are not 0, a constant.
        axis: an axis, a tuple of axes, or ``None`` for all of them, as one long vector.
        keepdims: keep the reduced axes, at length 1.

    Raises:
        ShapeError: an axis does not exist; no elements, and ``ord`` negative or ``inf``.
        UsageError: ``ord`` is no real number.

    >>> norm([3e200, -4e200]), norm([3.0, -4.0], 1), norm([3.0, -4.0], float("inf"))
    (tensor(5.e+200), tensor(7.), tensor(4.))
    """
    if not _is_number(ord) or math.isnan(ord):
        raise UsageError(
            f"norm: ord {ord!r}: pass a real number, such as 1, 2 or float('inf'); "
            "norms of matrices are another function"
        )
    return _NORMS.get(float(ord), _norm_p)(x, axis, keepdims, ord=float(ord))
