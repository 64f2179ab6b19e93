"""The table of pointwise primitives: a partial derivative for each operand.

At kinks and ties: relu'(0) = 0, abs'(0) = 0, and where two operands of maximum or
minimum are equal, each gets one half.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..custom import activation, pointwise
from ..families import Pointwise
from ..tensor import Tensor, raw, real_dtype
from .constants import not_equal, share, stop_gradient

__all__ = [
    "abs", "add", "astype", "cos", "divide", "exp", "expm1", "log", "log1p", "maximum", "minimum", "multiply", "negative", "pow", "relu", "sigmoid", "sin", "sqrt", "square", "subtract", "tanh", "where",
]  # fmt: skip


# The formulas need a line each, and a reader needs them in one view.
# fmt: off
add      = pointwise(np.add,      1, 1)
subtract = pointwise(np.subtract, 1, -1)
negative = pointwise(np.negative, -1)
multiply = pointwise(np.multiply, lambda xp, _o, _x, y: y,     lambda xp, _o, x, _y: x)
divide   = pointwise(np.divide,   lambda xp, _o, _x, y: 1 / y, lambda xp, out, _x, y: -out / y)
power    = pointwise(np.power,    lambda xp, _o, x, y: y * xp.where((x == 0) * (y == 0), 1, x) ** (y - 1),
                                  lambda xp, out, x, _y: out * xp.log(xp.where(x > 0, x, 1)))
maximum  = pointwise(np.maximum,  lambda xp, _o, x, y: share(x, y), lambda xp, _o, x, y: share(y, x))
minimum  = pointwise(np.minimum,  lambda xp, _o, x, y: share(y, x), lambda xp, _o, x, y: share(x, y))

exp      = pointwise(np.exp,      lambda xp, out, _x: out)
expm1    = pointwise(np.expm1,    lambda xp, out, _x: out + 1)
log      = pointwise(np.log,      lambda xp, _o, x: 1 / x)
log1p    = pointwise(np.log1p,    lambda xp, _o, x: 1 / (1 + x))
sqrt     = pointwise(np.sqrt,     lambda xp, out, _x: 0.5 / out)
square   = pointwise(np.square,   lambda xp, _o, x: 2 * x)
sin      = pointwise(np.sin,      lambda xp, _o, x: xp.cos(x))
cos      = pointwise(np.cos,      lambda xp, _o, x: -xp.sin(x))
abs      = pointwise(np.absolute, lambda xp, _o, x: xp.sign(x), name="abs")

tanh     = activation(np.tanh,    lambda xp, out, _x: 1 - out * out)
sigmoid  = activation(lambda xp, x: 0.5 * (1 + xp.tanh(0.5 * x)), lambda xp, out, _x: out * (1 - out), name="sigmoid")
relu     = activation(lambda xp, x: xp.maximum(x, 0), lambda xp, out, _x: out > 0, name="relu")

chosen   = pointwise(lambda xp, c, x, y: xp.where(c, x, y), None,
                     lambda xp, _o, c, _x, _y: c, lambda xp, _o, c, _x, _y: xp.equal(c, False), name="where")
cast     = pointwise(lambda xp, x, dtype: x.astype(dtype), 1, name="astype")
raised   = pointwise(lambda xp, x, exponent: _raise(xp, x, exponent),
                     lambda xp, _o, x, exponent: exponent * _power(x, exponent - 1) if exponent else 0, name="pow")
raising  = pointwise(lambda xp, x, base: base**x, lambda xp, out, _x, base: out * (math.log(base) if base > 0 else 0), name="pow")
# fmt: on


def where(condition: Any, x: Any, y: Any) -> Tensor:
    """Return the elements of ``x`` where ``condition`` holds, and those of ``y`` elsewhere.

    A condition that is not boolean holds where it is not 0; no gradient flows to it.
    """
    if not backend.is_array(condition):
        like = next((raw(a) for a in (x, y) if backend.is_array(a)), np.empty(0))
        condition = backend.namespace(like).asarray(condition)
    if condition.dtype != bool:
        condition = not_equal(condition, False)
    return chosen(condition, x, y)


def astype(x: Any, dtype: Any) -> Tensor:
    """Return the values of ``x`` in another dtype: a constant where it is no float.

    Raises:
        DtypeError: the dtype is no real number type.
    """
    wanted = real_dtype("astype", dtype)
    return cast(x if wanted.kind == "f" else stop_gradient(x), dtype=wanted)


def pow(x: Any, y: Any) -> Tensor:
    """Return x to the power y.

    A number as exponent or base makes one edge (x ** 2 has one gradient path, x * x two).
    """
    if type(y) in Pointwise.numbers:
        return raised(x, exponent=y)
    if type(x) in Pointwise.numbers:
        return raising(y, base=x)
    return power(x, y)


def _power(x: Any, exponent: float) -> Any:
    return raised.apply((x,), {"exponent": exponent})


def _raise(xp: Any, x: Any, exponent: float) -> Any:
    """Multiply for small whole exponents: hundreds of times faster than NumPy's power."""
    if exponent not in (3, 4, 5, 6, 7, 8):
        return x**exponent
    whole, base, out = int(exponent), x, None
    while whole:
        if whole & 1:
            out = base if out is None else out * base
        base = base * base
        whole >>= 1
    return out
