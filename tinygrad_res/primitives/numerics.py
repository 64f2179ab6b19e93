"""NumPy's numerical functions of sampled curves and of data, composed of primitives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from ..custom import axes
from ..errors import ShapeError, UsageError
from ..tensor import Tensor, raw, shape_of
from .arguments import beside, flag, number
from .constants import isnan, stop_gradient
from .contractions import matmul
from .cumulative import along
from .indexing import take
from .joining import concat
from .pointwise import add, astype, clip, divide, multiply, subtract, where
from .queries import searchsorted
from .reductions import mean, sum
from .sorting import sort
from .structural import as_tensor, expand_dims, moveaxis, ravel, reshape

__all__ = [
    "cov", "gradient", "interp", "percentile", "polyval", "quantile", "select", "trapezoid",
]  # fmt: skip


def _together(name: str, *values: Any) -> list[Tensor]:
    """Return values as tensors, those of the host beside the first one that is an array."""
    return [as_tensor(beside(name, v, *values)) for v in values]


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0.0) -> Tensor:
    """Return, element by element, the choice of the first condition that holds, or ``default``.

    Raises:
        ShapeError: there are not as many conditions as choices, or none.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([-2.0, 0.5, 3.0])
    >>> tg.select([x < 0, x > 1], [-x, x * x], default=1.0)
    tensor([2., 1., 9.])
    """
    if not all(isinstance(given, (list, tuple)) for given in (condlist, choicelist)):
        raise UsageError("select: pass a list of conditions and a list of choices")
    if len(condlist) != len(choicelist) or not condlist:
        raise ShapeError(
            f"select: {len(condlist)} conditions and {len(choicelist)} choices: "
            "give one choice for each condition, and at least one"
        )
    out = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        out = where(condition, choice, out)
    return as_tensor(out)


def polyval(p: Any, x: Any) -> Tensor:
    """Return the polynomial with coefficients ``p``, the highest first, at ``x``.

    >>> import tinygrad_res as tg
    >>> tg.polyval([1.0, 0.0, -2.0], tg.tensor([3.0]))
    tensor([7.])
    """
    p, x = _together("polyval", p, x)
    if len(p.shape) != 1:
        raise ShapeError(f"polyval: coefficients {p.shape}: expected one axis")
    out: Any = multiply(x, 0)
    for i in range(p.shape[0]):
        out = add(multiply(out, x), p[i])
    return as_tensor(out)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    """Return the integral of samples ``y`` along ``axis`` by the trapezoidal rule.

    ``x`` are the places of the samples, of one axis or of the shape of ``y``; ``dx`` is the
    distance between them where ``x`` is left out.

    Raises:
        ShapeError: the axis does not exist, or the places do not fit.

    >>> import tinygrad_res as tg
    >>> tg.trapezoid([1.0, 2.0, 4.0]), tg.trapezoid([1.0, 2.0], [0.0, 3.0])
    (tensor(4.5), tensor(4.5))
    """
    y, x = _together("trapezoid", y, 0.0 if x is None else x)
    (k,) = axes("trapezoid", y, (axis,))
    if x.shape:
        own = k if len(x.shape) == len(y.shape) else 0
        if len(x.shape) not in (1, len(y.shape)) or x.shape[own] != y.shape[k]:
            raise ShapeError(f"trapezoid: samples {y.shape} at {x.shape} along axis {axis}")
        dx = subtract(x[along(own, 1)], x[along(own, None, -1)])
        if len(x.shape) == 1:
            dx = reshape(dx, (-1,) + (1,) * (len(y.shape) - 1 - k))
    pairs = add(y[along(k, 1)], y[along(k, None, -1)])
    return sum(multiply(multiply(pairs, 0.5), dx), k)


def gradient(f: Any, *spacing: Any, axis: Any = None) -> Any:
    """Return the differences quotients of samples ``f``: central ones, one-sided at the ends.

    Args:
        f: any shape, with at least two elements along each axis.
        spacing: the distance between samples, one number for all axes or one for each;
            1 where left out.
        axis: an axis or several; all where left out.

    Returns:
        A tensor of the shape of ``f``; a list of them, one for each axis, where there are
        several.

    Raises:
        ShapeError: an axis does not exist, or has fewer than two elements.
        UsageError: the distances are neither one number nor one for each axis.

    >>> import tinygrad_res as tg
    >>> tg.gradient([1.0, 4.0, 9.0, 16.0])
    tensor([3., 4., 6., 7.])
    """
    f = as_tensor(f)
    over = axes("gradient", f, axis)
    steps = spacing if len(spacing) == len(over) else (spacing or (1.0,)) * len(over)
    if len(steps) != len(over) or any(shape_of(step) for step in steps):
        raise UsageError(
            f"gradient: {len(spacing)} distances for {len(over)} axes: "
            "give one number, or one for each axis"
        )
    found = [_slopes(f, k, step) for k, step in zip(over, steps, strict=True)]
    return found[0] if len(found) == 1 else found


def _slopes(f: Tensor, k: int, step: Any) -> Tensor:
    if f.shape[k] < 2:
        raise ShapeError(f"gradient: shape {f.shape}: axis {k} has fewer than two elements")
    inner = multiply(subtract(f[along(k, 2)], f[along(k, None, -2)]), 0.5)
    first = subtract(f[along(k, 1, 2)], f[along(k, 0, 1)])
    last = subtract(f[along(k, -1)], f[along(k, -2, -1)])
    return divide(concat([first, inner, last], k), step)


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Tensor:
    """Return the piecewise linear curve through the points (xp, fp), at ``x``.

    At a point of ``xp`` the derivative by ``x`` is that of the piece to the right.

    Args:
        x: any shape.
        xp, fp: the points, (N,) each, ``xp`` increasing.
        left, right: the values before the first and after the last point; those at the
            points where left out.

    Raises:
        ShapeError: the points are not (N,) each, with N > 0.

    >>> import tinygrad_res as tg
    >>> tg.interp(tg.tensor([0.5, 1.5, 9.0]), [0.0, 1.0, 2.0], [0.0, 10.0, 0.0])
    tensor([5., 5., 0.])
    """
    x, xs, fs = _together("interp", x, xp, fp)
    if len(xs.shape) != 1 or xs.shape != fs.shape or not xs.size:
        raise ShapeError(f"interp: points {xs.shape} and {fs.shape}: expected (N,) each, N > 0")
    flat, last = ravel(x), xs.shape[0] - 1
    place = clip(
        subtract(searchsorted(xs, stop_gradient(flat), side="right"), 1), 0, max(last - 1, 0)
    )
    after = clip(add(place, 1), 0, last)
    (x0, x1), (f0, f1) = ([take(values, i) for i in (place, after)] for values in (xs, fs))
    width = subtract(x1, x0)
    share = divide(subtract(flat, x0), where(width == 0, 1.0, width))
    out = add(f0, multiply(share, subtract(f1, f0)))
    out = where(flat < xs[0], fs[0] if left is None else left, out)
    out = where(flat > xs[-1], fs[-1] if right is None else right, out)
    return reshape(out, x.shape)


def quantile(x: Any, q: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the quantiles ``q`` over ``axis``, linear between the two nearest elements.

    The gradient goes to those two; of equal elements to the first.

    Args:
        x: any shape.
        q: a number from 0 to 1, or several, whose axes come first in the result.
        axis: an axis, a tuple of axes, or ``None`` for all of them.
        keepdims: keep the reduced axes, at length 1.

    Raises:
        ShapeError: an axis does not exist, or there are no elements along it.
        UsageError: a quantile lies outside of 0 to 1.

    >>> import tinygrad_res as tg
    >>> tg.quantile([1.0, 2.0, 4.0], 0.5), tg.quantile([1.0, 2.0, 4.0], [0.0, 0.75])
    (tensor(2.), tensor([1., 3.]))
    """
    x, levels = as_tensor(x), np.asarray(beside("quantile", q), dtype=float)
    keepdims = flag("quantile", "keepdims", keepdims)
    x = x if x.dtype.kind == "f" else astype(x, float)
    over = axes("quantile", x, axis)
    n = int(np.prod([x.shape[i] for i in over]))
    if not n:
        raise ShapeError(f"quantile: shape {x.shape} has no elements along axis {over}")
    if levels.size and not (levels.min() >= 0 and levels.max() <= 1):
        raise UsageError(f"quantile: q {q!r}: pass numbers from 0 to 1")
    kept = [i for i in range(len(x.shape)) if i not in over]
    rows = sort(
        reshape(moveaxis(x, over, tuple(range(len(over)))), (n, *(x.shape[i] for i in kept))), 0
    )
    places = levels.ravel() * (n - 1)
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, n - 1)
    weight = (places - below).reshape((-1,) + (1,) * len(kept)).astype(x.dtype)
    xp = backend.namespace(raw(x))
    low, high = take(rows, below, 0), take(rows, above, 0)
    out = add(low, multiply(subtract(high, low), xp.asarray(weight)))
    out = where(isnan(rows[-1:]), float("nan"), out)  # which is sorted last
    shape = tuple(1 if i in over else k for i, k in enumerate(x.shape))
    return reshape(out, levels.shape + (shape if keepdims else tuple(x.shape[i] for i in kept)))


def percentile(x: Any, q: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return ``quantile`` of percentages ``q``, from 0 to 100.

    >>> import tinygrad_res as tg
    >>> tg.percentile([1.0, 2.0, 4.0], 75)
    tensor(3.)
    """
    levels = np.asarray(beside("percentile", q), dtype=float)
    if levels.size and not (levels.min() >= 0 and levels.max() <= 100):
        raise UsageError(f"percentile: q {q!r}: pass numbers from 0 to 100")
    return quantile(x, levels / 100, axis, keepdims)


def cov(m: Any, *, rowvar: bool = True, ddof: float = 1) -> Tensor:
    """Return the covariance of variables (K, N), one row each with N observations: (K, K).

    ``rowvar=False`` takes columns as variables.  The sums are divided by N - ``ddof``.

    Raises:
        ShapeError: there are more than two axes, or not more observations than ``ddof``.

    >>> import tinygrad_res as tg
    >>> tg.cov([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]])
    tensor([[ 1. , -0.5],
            [-0.5,  1. ]])
    """
    m = as_tensor(m)
    shape = m.shape
    if len(shape) not in (1, 2):
        raise ShapeError(f"cov: shape {shape}: expected (K, N)")
    by_rows = flag("cov", "rowvar", rowvar)
    rows = expand_dims(m, 0) if len(shape) == 1 else m if by_rows else m.T
    n = rows.shape[1]
    if not n > number("cov", "ddof", ddof):
        raise ShapeError(f"cov: {n} observations, ddof {ddof}: there must be more of them")
    centred = subtract(rows, mean(rows, 1, keepdims=True))
    found = divide(matmul(centred, centred.T), float(n - ddof))
    return found if len(found) > 1 else found[0, 0]
