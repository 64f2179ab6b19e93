"""The table of pointwise primitives: a partial derivative for each operand.

At kinks and ties: abs'(0) = 0, where operands of maximum, minimum or clip are equal each
gets an equal part, and hypot and atan2 have the derivative 0 at the origin.  A derivative
that is infinite, as that of sqrt and of x ** 0.5 at 0, is ``inf``.

The nonlinearities of networks have a table of their own, ``activations``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..custom import pointwise
from ..errors import DtypeError, UsageError
from ..families import Pointwise
from ..tensor import Tensor, real_dtype, tensor
from .activations import sigmoid
from .arguments import beside, flag
from .constants import not_equal, share, stop_gradient

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "astype", "atan", "atan2", "atanh", "cbrt", "clip", "copysign",
    "cos", "cosh", "degrees", "divide", "exp", "exp2", "expm1", "fabs", "float_power", "fmax", "fmin", "fmod", "hypot",
    "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "maximum", "minimum", "multiply", "nan_to_num",
    "negative", "positive", "pow", "radians", "reciprocal", "remainder", "sin", "sinc", "sinh", "sqrt", "square",
    "subtract", "tan", "where",
]  # fmt: skip

_LN2, _LN10, _DEGREE = math.log(2), math.log(10), math.pi / 180


# The formulas need a line each, and a reader needs them in one view.
# fmt: off
add         = pointwise(np.add,      1, 1, doc="x + y")
subtract    = pointwise(np.subtract, 1, -1, doc="x - y")
negative    = pointwise(np.negative, -1, doc="-x")
positive    = pointwise(np.positive, 1, doc="x")
multiply    = pointwise(np.multiply, lambda xp, _o, _x, y: y, lambda xp, _o, x, _y: x, doc="x y")
divide      = pointwise(np.divide,   lambda xp, _o, _x, y: 1 / y, lambda xp, out, _x, y: -out / y, doc="x / y")
reciprocal  = pointwise(np.reciprocal, lambda xp, out, _x: -xp.square(out), doc="1 / x")
remainder   = pointwise(np.remainder, 1, lambda xp, out, x, y: xp.rint((out - x) / y), doc="x - floor(x / y) y, which has the sign of y")
fmod        = pointwise(np.fmod,     1, lambda xp, out, x, y: xp.rint((out - x) / y), doc="x - trunc(x / y) y, which has the sign of x")
power       = pointwise(np.power,    lambda xp, _o, x, y: y * xp.where((x == 0) * (y == 0), 1, x) ** (y - 1.0),
                                     lambda xp, out, x, _y: xp.where(x > 0, out, 0) * xp.log(xp.where(x > 0, x, 1)), name="pow", doc="x to the power y")
maximum     = pointwise(np.maximum,  lambda xp, _o, x, y: share(x, y), lambda xp, _o, x, y: share(y, x), doc="the larger of x and y, of equal ones each with half of the gradient")
minimum     = pointwise(np.minimum,  lambda xp, _o, x, y: share(y, x), lambda xp, _o, x, y: share(x, y), doc="the smaller of x and y, of equal ones each with half of the gradient")
fmax        = pointwise(np.fmax,     lambda xp, _o, x, y: share(x, y) + _alone(x, y), lambda xp, _o, x, y: share(y, x) + _alone(y, x), doc="the larger of x and y, or the one that is a number")
fmin        = pointwise(np.fmin,     lambda xp, _o, x, y: share(y, x) + _alone(x, y), lambda xp, _o, x, y: share(x, y) + _alone(y, x), doc="the smaller of x and y, or the one that is a number")
abs         = pointwise(np.absolute, lambda xp, _o, x: xp.sign(x), name="abs", doc="|x|")
fabs        = pointwise(np.fabs,     lambda xp, _o, x: xp.sign(x), doc="|x| as a float")
copysign    = pointwise(np.copysign, lambda xp, out, x, _y: xp.sign(out) * xp.sign(x), 0, doc="|x| with the sign of y")

exp         = pointwise(np.exp,      lambda xp, out, _x: out, doc="e to the power x")
exp2        = pointwise(np.exp2,     lambda xp, out, _x: out * _LN2, doc="2 to the power x")
expm1       = pointwise(np.expm1,    lambda xp, _o, x: xp.exp(x), doc="exp(x) - 1, exact near 0")
log         = pointwise(np.log,      lambda xp, _o, x: 1 / x, doc="the natural logarithm of x")
log1p       = pointwise(np.log1p,    lambda xp, _o, x: 1 / (1 + x), doc="log(1 + x), exact near 0")
log2        = pointwise(np.log2,     lambda xp, _o, x: 1 / (x * _LN2), doc="the logarithm of x to base 2")
log10       = pointwise(np.log10,    lambda xp, _o, x: 1 / (x * _LN10), doc="the logarithm of x to base 10")
logaddexp   = pointwise(np.logaddexp,  lambda xp, out, x, y: _weight(xp, out, x, y, 1), lambda xp, out, x, y: _weight(xp, out, y, x, 1), doc="log(exp(x) + exp(y)), computed without overflow")
logaddexp2  = pointwise(np.logaddexp2, lambda xp, out, x, y: _weight(xp, out, x, y, _LN2), lambda xp, out, x, y: _weight(xp, out, y, x, _LN2), doc="log2(2 ** x + 2 ** y), computed without overflow")
sqrt        = pointwise(np.sqrt,     lambda xp, out, _x: 0.5 / out, doc="the square root of x")
cbrt        = pointwise(np.cbrt,     lambda xp, out, _x: 1 / (3 * xp.square(out)), doc="the cube root of x")
square      = pointwise(np.square,   lambda xp, _o, x: 2 * x, doc="x squared")
hypot       = pointwise(np.hypot,    lambda xp, out, x, _y: x / _divisor(xp, out), lambda xp, out, _x, y: y / _divisor(xp, out), doc="the square root of x ** 2 + y ** 2")

sin         = pointwise(np.sin,      lambda xp, _o, x: xp.cos(x), doc="the sine of x")
cos         = pointwise(np.cos,      lambda xp, _o, x: -xp.sin(x), doc="the cosine of x")
tan         = pointwise(np.tan,      lambda xp, out, _x: 1 + xp.square(out), doc="the tangent of x")
sinh        = pointwise(np.sinh,     lambda xp, _o, x: xp.cosh(x), doc="the hyperbolic sine of x")
cosh        = pointwise(np.cosh,     lambda xp, _o, x: xp.sinh(x), doc="the hyperbolic cosine of x")
asin        = pointwise(np.arcsin,   lambda xp, _o, x: 1 / xp.sqrt((1 - x) * (1 + x)), name="asin", doc="the inverse sine of x")
acos        = pointwise(np.arccos,   lambda xp, _o, x: -1 / xp.sqrt((1 - x) * (1 + x)), name="acos", doc="the inverse cosine of x")
atan        = pointwise(np.arctan,   lambda xp, _o, x: xp.square(1 / xp.hypot(x, 1)), name="atan", doc="the inverse tangent of x")
atan2       = pointwise(np.arctan2,  lambda xp, _o, y, x: _over_square(xp, x, y), lambda xp, _o, y, x: -_over_square(xp, y, x), name="atan2", doc="the angle of the point (x, y), given as (y, x)")
asinh       = pointwise(np.arcsinh,  lambda xp, _o, x: 1 / xp.hypot(x, 1), name="asinh", doc="the inverse hyperbolic sine of x")
acosh       = pointwise(np.arccosh,  lambda xp, _o, x: 1 / (xp.sqrt(x - 1) * xp.sqrt(x + 1)), name="acosh", doc="the inverse hyperbolic cosine of x")
atanh       = pointwise(np.arctanh,  lambda xp, _o, x: 1 / ((1 - x) * (1 + x)), name="atanh", doc="the inverse hyperbolic tangent of x")
sinc        = pointwise(lambda xp, x: xp.sinc(1.0 * x), lambda xp, _o, x: _sinc_slope(xp, x), name="sinc", doc="sin(pi x) / (pi x), and 1 at 0")
degrees     = pointwise(np.degrees,  lambda xp, _o, _x: 1 / _DEGREE, doc="an angle x in radians as degrees")
radians     = pointwise(np.radians,  lambda xp, _o, _x: _DEGREE, doc="an angle x in degrees as radians")

chosen      = pointwise(lambda xp, c, x, y: xp.where(c, x, y), None,
                        lambda xp, _o, c, _x, _y: c, lambda xp, _o, c, _x, _y: xp.logical_not(c), name="where", mask=True)
clipped     = pointwise(lambda xp, x, low, high: xp.minimum(xp.maximum(x, low), high),
                        lambda xp, _o, x, low, high: share(x, low) * share(high, x),
                        lambda xp, _o, x, low, high: share(low, x) * share(high, low),
                        lambda xp, _o, x, low, high: xp.maximum(share(x, high), share(low, high)), name="clip")
cast        = pointwise(lambda xp, x, dtype: x.astype(dtype), 1, name="astype")
raised      = pointwise(lambda xp, x, exponent: _raise(xp, x, exponent),
                        lambda xp, _o, x, exponent: exponent * _power(x, exponent - 1) if exponent else 0, name="pow")
raising     = pointwise(lambda xp, x, base: base**x, lambda xp, out, _x, base: out * (math.log(base) if base > 0 else 0), name="pow")
replaced    = pointwise(lambda xp, x, **values: xp.nan_to_num(x, **values), lambda xp, _o, x, **_values: xp.isfinite(x), name="nan_to_num", mask=True)
# fmt: on


def where(condition: Any, x: Any, y: Any) -> Tensor:
    """Return the elements of ``x`` where ``condition`` holds, and those of ``y`` elsewhere.

    A condition that is not boolean holds where it is not 0; no gradient flows to it.

    >>> import tinygrad_res as tg
    >>> tg.where([True, False], tg.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    condition = beside("where", condition, x, y)
    if condition.dtype != bool:
        condition = not_equal(condition, False)
    return chosen(condition, x, y)


def astype(x: Any, dtype: Any) -> Tensor:
    """Return the values of ``x`` in another dtype: a constant where it is no float.

    Raises:
        DtypeError: the dtype is no real number type.

    >>> import tinygrad_res as tg
    >>> tg.astype([1.5, -2.5], "float32")
    tensor([ 1.5, -2.5], dtype=float32)
    """
    wanted = real_dtype("astype", dtype)
    x = x if backend.is_array(x) else tensor(x)
    return cast(x if wanted.kind == "f" else stop_gradient(x), dtype=wanted)


def clip(
    x: Any, min: Any = None, max: Any = None, *, a_min: Any = None, a_max: Any = None
) -> Tensor:
    """Return ``x`` with elements below ``min`` replaced by ``min``, and above ``max`` by ``max``.

    The bounds are numbers, arrays or tensors that broadcast with ``x``; ``None`` is no
    bound.  ``a_min`` and ``a_max`` are NumPy's names for them.  It is minimum(maximum(x,
    min), max), in one edge per operand: where ``x`` equals a bound, the two share the
    gradient equally.

    Raises:
        UsageError: a bound is given under both of its names.

    >>> import numpy as np, tinygrad_res as tg
    >>> tg.grad(lambda x: tg.clip(x, 0.0, 1.0).sum())(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]))
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    for name, ours, theirs in (("min", min, a_min), ("max", max, a_max)):
        if ours is not None and theirs is not None:
            raise UsageError(f"clip: {name} and a_{name} are given: give one of them")
    low, high = a_min if min is None else min, a_max if max is None else max
    if low is None and high is None:
        return positive(x)
    if high is None:
        return maximum(x, low)
    return minimum(x, high) if low is None else clipped(x, low, high)


def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Tensor:
    """Return ``x`` with ``nan`` in the place of NaN, and numbers in the place of infinities.

    ``posinf`` and ``neginf`` are the largest and the least number of the dtype where left
    out.  No gradient flows to elements that were replaced.

    Raises:
        UsageError: ``copy`` is false: a tensor's elements are never replaced in place.

    >>> import tinygrad_res as tg
    >>> tg.nan_to_num([1.0, float("nan")], nan=-1.0)
    tensor([ 1., -1.])
    """
    if not flag("nan_to_num", "copy", copy):
        raise UsageError("nan_to_num: copy=False: tensors do not change: use the result")
    return replaced(x, nan=nan, posinf=posinf, neginf=neginf)


def pow(x: Any, y: Any) -> Tensor:
    """Return x to the power y.

    A number as exponent or base makes one edge (x ** 2 has one gradient path, x * x two).
    The derivative by the exponent, x ** y log(x), is 0 where x is not positive.  The
    derivative by x is infinite at 0 for exponents below 1, as that of a root is.

    Raises:
        DtypeError: integers to a negative power.

    >>> import tinygrad_res as tg
    >>> tg.grad(tg.pow)(3.0, 2.0)
    array(6.)
    """
    if type(y) in Pointwise.numbers:
        if y < 0 and type(y) is int and backend.is_array(x) and x.dtype.kind in "iub":
            raise DtypeError(
                f"pow: dtype {x.dtype} to the power {y}: the result is no integer: use x.astype(float)"
            )
        return raised(x, exponent=y)
    if type(x) in Pointwise.numbers:
        return raising(y, base=x)
    return power(x, y)


def float_power(x: Any, y: Any) -> Tensor:
    """Return x to the power y in float64, as NumPy's function of that name does.

    >>> import tinygrad_res as tg
    >>> tg.float_power([1, 2], -2)
    tensor([1.  , 0.25])
    """
    return pow(*(v if type(v) in Pointwise.numbers else astype(v, "float64") for v in (x, y)))


def _power(x: Any, exponent: float) -> Any:
    return raised.apply((x,), {"exponent": exponent})


def _raise(xp: Any, x: Any, exponent: float) -> Any:
    """Multiply for small whole exponents: hundreds of times faster than NumPy's power."""
    if exponent not in (3, 4, 5, 6, 7, 8) or (x.dtype.kind != "f" and type(exponent) is not int):
        return x**exponent
    whole, base, out = int(exponent), x if x.dtype.kind != "b" else x.astype("int8"), None
    while True:
        if whole & 1:
            out = base if out is None else out * base
        whole >>= 1
        if not whole:
            return out
        base = base * base


def _alone(x: Any, y: Any) -> Any:
    """Say where x is a number and y is NaN, which equals nothing."""
    return (x == x) > (y == y)


def _weight(xp: Any, out: Any, x: Any, y: Any, scale: float) -> Any:
    """Return exp(x) / (exp(x) + exp(y)) to the base e**scale; one half where both are the same infinity."""
    same = (x == y) * xp.isinf(out)
    x, y = (xp.where(same, 0, v) if backend.is_array(v) else v for v in (x, y))
    return sigmoid.apply(((x - y) * scale,), {})


def _divisor(xp: Any, radius: Any) -> Any:
    """Return infinity in the place of 0: what is divided by it is 0, and so is its derivative."""
    return xp.where(radius == 0, math.inf, radius)


def _over_square(xp: Any, x: Any, y: Any) -> Any:
    """Return x / (x ** 2 + y ** 2) without overflow; 0 at the origin."""
    radius = _divisor(xp, xp.hypot(x, y))
    return x / radius / radius


def _sinc_slope(xp: Any, x: Any) -> Any:
    """Return (cos(pi x) - sinc(x)) / x, and near 0, where digits cancel, its power series."""
    near = xp.abs(x) < 0.25
    small, large = xp.where(near, x, 0), xp.where(near, 1, x)
    t, series = xp.square(math.pi * small), 0
    for n in range(9, 0, -1):
        series = series * t + (-1) ** n * 2 * n / math.factorial(2 * n + 1)
    slope = (xp.cos(math.pi * large) - xp.sinc(large)) / large
    return xp.where(near, math.pi**2 * small * series, slope)
