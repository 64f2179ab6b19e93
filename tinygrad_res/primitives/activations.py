"""The table of activations: the nonlinearities that paths count.

At kinks: relu'(0) = 0, hardtanh and relu6 have the derivative 0 at both bounds, and that
of leaky_relu and elu at 0 is the one from the left.  Values are exact in both tails:
what is tiny there has the relative accuracy of the dtype, and nothing overflows on the
way.  The derivatives of tanh and sigmoid, which are taken from their outputs, round to 0
where the output rounds to 1.
"""

from __future__ import annotations

import importlib
import math
from functools import cache
from typing import Any

import numpy as np

from ..custom import activation
from ..errors import UsageError
from ..tensor import Tensor
from .arguments import word

__all__ = [
    "elu", "erf", "erfc", "gelu", "hardtanh", "leaky_relu", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid",
    "silu", "softplus", "softsign", "tanh",
]  # fmt: skip

# Klambauer et al. 2017, Self-Normalizing Neural Networks: the fixed point of mean 0, variance 1.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805
_ROOT_HALF = math.sqrt(0.5)


# fmt: off
tanh        = activation(np.tanh, lambda xp, out, _x: 1 - out * out, doc="the hyperbolic tangent of x")
sigmoid     = activation(lambda xp, x: _sigmoid(xp, x), lambda xp, out, _x: out * (1 - out), name="sigmoid", doc="1 / (1 + exp(-x))")
log_sigmoid = activation(lambda xp, x: -xp.logaddexp(-1.0 * x, 0), lambda xp, _o, x: _share(-x), name="log_sigmoid", doc="log(sigmoid(x))")
relu        = activation(lambda xp, x: _relu(xp, x), lambda xp, out, _x: out > 0, name="relu", doc="max(x, 0)", mask=True)
relu6       = activation(lambda xp, x: xp.minimum(xp.maximum(x, 0), 6), lambda xp, _o, x: (x > 0) & (x < 6), name="relu6", doc="min(max(x, 0), 6)", mask=True)
silu        = activation(lambda xp, x: x * _sigmoid(xp, x), lambda xp, out, x: _share(x) + out * _share(-x), name="silu", doc="x sigmoid(x), also known as swish")
mish        = activation(lambda xp, x: x * xp.tanh(xp.logaddexp(x, 0)), lambda xp, _o, x: _mish_slope(xp, x), name="mish", doc="x tanh(softplus(x))")
selu        = activation(lambda xp, x: _SELU_SCALE * _elu(xp, x, _SELU_ALPHA), lambda xp, _o, x: _SELU_SCALE * _elu_slope(xp, x, _SELU_ALPHA), name="selu", doc="elu(x) scaled so that mean 0 and variance 1 are kept")
softsign    = activation(lambda xp, x: x / (1 + abs(x)), lambda xp, _o, x: xp.square(1 / (1 + abs(x))), name="softsign", doc="x / (1 + |x|)")
erf         = activation(lambda xp, x: _special("erf", xp, x), lambda xp, _o, x: 2 / math.sqrt(math.pi) * _bell(xp, x), name="erf", doc="the error function of x")
erfc        = activation(lambda xp, x: _special("erfc", xp, x), lambda xp, _o, x: -2 / math.sqrt(math.pi) * _bell(xp, x), name="erfc", doc="1 - erf(x), exact where that is tiny")

leaky       = activation(lambda xp, x, slope: xp.maximum(x, 0) + slope * xp.minimum(x, 0), lambda xp, _o, x, slope: slope + (1 - slope) * (x > 0), name="leaky_relu")
exponential = activation(lambda xp, x, alpha: _elu(xp, x, alpha), lambda xp, _o, x, alpha: _elu_slope(xp, x, alpha), name="elu")
bounded     = activation(lambda xp, x, low, high: xp.minimum(xp.maximum(x, low), high), lambda xp, _o, x, low, high: (x > low) & (x < high), name="hardtanh", mask=True)
softened    = activation(lambda xp, x, beta: xp.logaddexp(beta * x, 0) / beta, lambda xp, _o, x, beta: _share(beta * x), name="softplus")
gelu_exact  = activation(lambda xp, x: 0.5 * x * _special("erfc", xp, -_ROOT_HALF * x), lambda xp, _o, x: _normal(x) + x * _bell(xp, _ROOT_HALF * x) / math.sqrt(2 * math.pi), name="gelu")
gelu_tanh   = activation(lambda xp, x: x * _sigmoid(xp, _cubic(xp, x)[0]), lambda xp, _o, x: _gelu_tanh_slope(xp, x), name="gelu")
# fmt: on


def leaky_relu(x: Any, slope: float = 0.01, *, negative_slope: float | None = None) -> Tensor:
    """Return x where x > 0, and slope x elsewhere; the derivative at 0 is ``slope``.

    ``negative_slope`` is PyTorch's name of ``slope``.

    Raises:
        UsageError: the slope is not a number.

    >>> import tinygrad_res as tg
    >>> tg.leaky_relu([-2.0, 3.0], 0.1)
    tensor([-0.2,  3. ])
    """
    given = slope if negative_slope is None else negative_slope
    return leaky(x, slope=_number("leaky_relu", "slope", given))


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """Return x where x > 0, and alpha (exp(x) - 1) elsewhere; the derivative at 0 is ``alpha``.

    Raises:
        UsageError: ``alpha`` is not a number.

    Source: Clevert et al. 2015, Fast and Accurate Deep Network Learning by Exponential
    Linear Units.

    >>> import tinygrad_res as tg
    >>> tg.elu([-1.0, 2.0])
    tensor([-0.632121,  2.      ])
    """
    return exponential(x, alpha=_number("elu", "alpha", alpha))


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Return x, or the nearer of two numbers outside of them; the derivative at both is 0.

    Raises:
        UsageError: a bound is not a number, or they are in the wrong order.

    >>> import tinygrad_res as tg
    >>> tg.hardtanh([-2.0, 0.5])
    tensor([-1. ,  0.5])
    """
    low, high = (
        _number("hardtanh", name, value)
        for name, value in (("min_val", min_val), ("max_val", max_val))
    )
    if not low < high:
        raise UsageError(f"hardtanh: min_val {low:g}, max_val {high:g}: give the smaller one first")
    return bounded(x, low=low, high=high)


def softplus(x: Any, beta: float = 1.0) -> Tensor:
    """Return log(1 + exp(beta x)) / beta, a smooth relu.

    Raises:
        UsageError: ``beta`` is not a positive number.

    >>> import tinygrad_res as tg
    >>> tg.softplus([-100.0, 0.0, 50.0])
    tensor([3.720076e-44, 6.931472e-01, 5.000000e+01])
    """
    beta = _number("softplus", "beta", beta)
    if not beta > 0:
        raise UsageError(f"softplus: beta {beta:g}: give a positive number")
    return softened(x, beta=beta)


def gelu(x: Any, approximate: str = "none") -> Tensor:
    """Return x times the share of a standard normal distribution below x.

    ``approximate="tanh"`` takes the faster 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x**3))).

    Raises:
        UsageError: ``approximate`` is neither ``"none"`` nor ``"tanh"``.

    Source: Hendrycks & Gimpel 2016, Gaussian Error Linear Units.

    >>> import tinygrad_res as tg
    >>> tg.gelu([-1.0, 1.0])
    tensor([-0.158655,  0.841345])
    """
    word("gelu", "approximate", approximate, "none", "tanh")
    return gelu_exact(x) if approximate == "none" else gelu_tanh(x)


def _relu(xp: Any, x: Any) -> Any:
    """Return max(x, 0), of a NumPy array against zeros: three times as fast as against a number."""
    if type(x) is not np.ndarray or x.dtype.kind != "f":
        return xp.maximum(x, 0)
    out = np.empty_like(x)
    out.fill(0)
    return np.maximum(x, out, out=out)


def _number(operation: str, name: str, value: Any) -> float:
    """Return a setting as a Python number, which takes the dtype of the tensor it meets."""
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise UsageError(
            f"{operation}: {name} of type {type(value).__name__}: give a number; for one that is "
            "learned, write the formula with tg.where"
        )
    return float(value)


@cache
def _functions(xp: Any) -> Any:
    """Return the module of special functions beside an array module; it is imported when used."""
    return importlib.import_module("scipy.special" if xp is np else "cupyx.scipy.special")


def _special(name: str, xp: Any, x: Any) -> Any:
    x = xp.asarray(x)
    out = getattr(_functions(xp), name)(x)
    return out.astype(x.dtype) if x.dtype.kind == "f" and out.dtype != x.dtype else out


def _sigmoid(xp: Any, x: Any) -> Any:
    """One call where calls are the cost, NumPy's vector units where elements are."""
    if xp is not np or getattr(x, "size", 1) < 1024:
        return _special("expit", xp, x)
    with np.errstate(over="ignore"):  # exp(-x) is infinite where its reciprocal is 0
        return 1 / (1 + np.exp(-1.0 * x))


def _share(x: Any) -> Any:
    """Return sigmoid(x), inside of formulas."""
    return sigmoid.apply((x,), {})


def _normal(x: Any) -> Any:
    """Return the share of a standard normal distribution below x."""
    return 0.5 * erfc.apply((-_ROOT_HALF * x,), {})


def _bell(xp: Any, x: Any) -> Any:
    """Return exp(-x ** 2), whose square would overflow beyond where the result is 0."""
    return xp.exp(-xp.square(xp.clip(x, -28, 28)))


def _elu(xp: Any, x: Any, alpha: float) -> Any:
    return xp.maximum(x, 0) + alpha * xp.expm1(xp.minimum(x, 0))


def _elu_slope(xp: Any, x: Any, alpha: float) -> Any:
    return xp.where(x > 0, xp.ones_like(x), alpha * xp.exp(xp.where(x > 0, 0.0, x)))


def _mish_slope(xp: Any, x: Any) -> Any:
    x = xp.clip(x, -800, 800)  # beyond, the slope is 0 or 1
    t = xp.tanh(xp.logaddexp(x, 0))
    return t + x * (1 - t * t) * _share(x)


def _cubic(xp: Any, x: Any) -> tuple[Any, Any]:
    """Return 2 sqrt(2/pi) (x + 0.044715 x**3) and its derivative, x bounded where gelu is flat."""
    c, scale = xp.clip(x, -40, 40), 2 * math.sqrt(2 / math.pi)
    square = xp.square(c)
    return scale * c * (1 + 0.044715 * square), scale * (1 + 3 * 0.044715 * square)


def _gelu_tanh_slope(xp: Any, x: Any) -> Any:
    inner, slope = _cubic(xp, x)
    s = _share(inner)
    return s + x * s * (1 - s) * slope
