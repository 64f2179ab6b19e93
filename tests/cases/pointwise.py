"""Pointwise operations."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg

from . import beside, positive

MASK = np.array([[True, False, True], [False, False, True]])


def between(low, high, f):
    """Mark a function whose arguments must lie in an interval."""
    return f, {"low": low, "high": high}


CASES = {
    "add": (tg.add, (2, 3), (2, 3)),
    "add broadcasts both": (tg.add, (2, 1), (4, 1, 3)),
    "add number": (lambda x: 2 + x, (3,)),
    "subtract": (tg.subtract, (3,), (2, 3)),
    "subtract from number": (lambda x: 2 - x, (3,)),
    "multiply": (tg.multiply, (2, 1), (2, 3)),
    "multiply by itself": (lambda x: x * x, (2, 3)),
    "multiply by array": (lambda x: beside(x, np.arange(3.0)) * x, (2, 3)),
    "multiply by list": (lambda x: [1.0, 2.0, 3.0] * x, (2, 3)),
    "multiply 0-d": (tg.multiply, (), (2,)),
    "divide": (tg.divide, (2, 3), (3,)),
    "divide number": (lambda x: 3 / x, (3,)),
    "divide by number": (lambda x: x / 3, (3,)),
    "negative": (tg.negative, (3,)),
    "pow": (positive(tg.pow), (2, 3), (3,)),
    **{
        f"pow {exponent}": (positive(lambda x, e=exponent: x**e), (2, 3))
        for exponent in (-2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3, 5, 8, 9)
    },
    "pow of negative": (lambda x: x**3, (2, 3)),
    "pow number": (lambda x: 2**x, (3,)),
    "maximum": (tg.maximum, (2, 3), (3,)),
    "maximum number": (lambda x: tg.maximum(x, 0.5), (5,)),
    "maximum number first": (lambda x: tg.maximum(0.5, x), (5,)),
    "minimum": (tg.minimum, (2, 1), (2, 3)),
    "minimum number": (lambda x: tg.minimum(x, 0.5), (5,)),
    "exp": (tg.exp, (2, 3)),
    "exp 0-d": (tg.exp, ()),
    "expm1": (tg.expm1, (2, 3)),
    "log": (positive(tg.log), (2, 3)),
    "log1p": (positive(tg.log1p), (2, 3)),
    "sqrt": (positive(tg.sqrt), (2, 3)),
    "square": (tg.square, (2, 3)),
    "sin": (tg.sin, (2, 3)),
    "cos": (tg.cos, (2, 3)),
    "abs": (tg.abs, (2, 3)),
    "tanh": (tg.tanh, (2, 3)),
    "sigmoid": (tg.sigmoid, (2, 3)),
    "relu": (tg.relu, (2, 3)),
    "acos": (between(-0.9, 0.9, tg.acos), (2, 3)),
    "acosh": (between(1.2, 3.0, tg.acosh), (2, 3)),
    "asin": (between(-0.9, 0.9, tg.asin), (2, 3)),
    "asinh": (tg.asinh, (2, 3)),
    "atan": (tg.atan, (2, 3)),
    "atan2": (tg.atan2, (2, 3), (3,)),
    "atan2 number": (lambda x: tg.atan2(x, -1.5), (2, 3)),
    "atan2 number first": (lambda x: tg.atan2(-1.5, x), (2, 3)),
    "atanh": (between(-0.9, 0.9, tg.atanh), (2, 3)),
    "cosh": (tg.cosh, (2, 3)),
    "sinh": (tg.sinh, (2, 3)),
    "tan": (between(-1.2, 1.2, tg.tan), (2, 3)),
    "hypot": (tg.hypot, (2, 1), (3,)),
    "hypot number": (lambda x: tg.hypot(x, 0.5), (3,)),
    "hypot number first": (lambda x: tg.hypot(0.5, x), (3,)),
    "copysign": (tg.copysign, (2, 3), (3,)),
    "copysign number": (lambda x: tg.copysign(x, -1.0), (3,)),
    "degrees": (lambda x: tg.degrees(x) / 57.0, (3,)),
    "radians": (tg.radians, (3,)),
    "exp2": (tg.exp2, (2, 3)),
    "cbrt": (positive(tg.cbrt), (2, 3)),
    "cbrt of negative": (between(-2.3, -0.3, tg.cbrt), (2, 3)),
    "fabs": (tg.fabs, (2, 3)),
    "fmax": (tg.fmax, (2, 3), (3,)),
    "fmax number": (lambda x: tg.fmax(x, 0.45), (5,)),
    "fmin": (tg.fmin, (2, 1), (2, 3)),
    "fmin number first": (lambda x: tg.fmin(0.45, x), (5,)),
    "float_power": (positive(tg.float_power), (2, 3), (3,)),
    "float_power number": (lambda x: tg.float_power(x, 3), (3,)),
    "fmod": (lambda x, y: tg.fmod(x, 2.5 * y), (2, 3), (3,)),
    "fmod number": (lambda x: tg.fmod(x, 0.73), (2, 3)),
    "remainder": (lambda x, y: tg.remainder(x, 2.5 * y), (2, 3), (3,)),
    "remainder number": (lambda x: x * tg.remainder(x, 0.73), (2, 3)),
    "remainder number first": (between(1.1, 3.2, lambda x: tg.remainder(7.0, x)), (4,)),
    "log10": (positive(tg.log10), (2, 3)),
    "log2": (positive(tg.log2), (2, 3)),
    "logaddexp": (tg.logaddexp, (2, 3), (3,)),
    "logaddexp with itself": (lambda x: tg.logaddexp(x, x) * x, (3,)),
    "logaddexp number": (lambda x: tg.logaddexp(x, 0.5), (3,)),
    "logaddexp number first": (lambda x: tg.logaddexp(0.5, x), (3,)),
    "logaddexp 0-d": (tg.logaddexp, (), (2,)),
    "logaddexp2": (tg.logaddexp2, (2, 1), (3,)),
    "nan_to_num": (lambda x: tg.nan_to_num(x * x), (2, 3)),
    "positive": (tg.positive, (3,)),
    "reciprocal": (positive(tg.reciprocal), (2, 3)),
    "sinc": (tg.sinc, (3, 4)),
    "sinc near 0": (between(-0.25, 0.25, tg.sinc), (3, 2)),
    "sinc 0-d": (tg.sinc, ()),
    "clip": (lambda x: x * tg.clip(x, -0.95, 1.05), (2, 4)),
    "clip by tensors": (lambda x, low, high: tg.clip(x, low, low + tg.square(high)), (3, 4), (4,), (3, 1)),
    "clip by crossed bounds": (tg.clip, (3, 4), (4,), (3, 1)),
    "clip below": (lambda x: tg.clip(x, -0.95), (5,)),
    "clip above": (lambda x: tg.clip(x, max=0.95), (5,)),
    "clip below by tensor": (lambda x, low: tg.clip(x, low), (2, 3), (3,)),
    "clip nowhere": (lambda x: tg.clip(x * x), (3,)),
    "clip as in NumPy": (lambda x: tg.clip(x, a_min=-0.95, a_max=1.05), (5,)),
    "clip a number": (lambda low, high: tg.clip(0.33, low, high), (5,), (5,)),
    "elu": (tg.elu, (2, 3)),
    "elu alpha": (lambda x: tg.elu(x, 0.7), (2, 3)),
    "erf": (tg.erf, (2, 3)),
    "erf 0-d": (tg.erf, ()),
    "erfc": (tg.erfc, (2, 3)),
    "gelu": (tg.gelu, (2, 3)),
    "gelu tanh": (lambda x: tg.gelu(x, approximate="tanh"), (2, 3)),
    "gelu 0-d": (tg.gelu, ()),
    "hardtanh": (lambda x: tg.hardtanh(x) * x, (2, 3)),
    "hardtanh bounds": (lambda x: tg.hardtanh(x, -0.3, 1.3) * x, (2, 3)),
    "leaky_relu": (lambda x: tg.leaky_relu(x) * x, (2, 3)),
    "leaky_relu slope": (lambda x: tg.leaky_relu(x, 0.3), (2, 3)),
    "leaky_relu as in PyTorch": (lambda x: tg.leaky_relu(x, negative_slope=-0.3), (2, 3)),
    "leaky_relu 0-d": (tg.leaky_relu, ()),
    "log_sigmoid": (tg.log_sigmoid, (2, 3)),
    "mish": (tg.mish, (2, 3)),
    "relu6": (lambda x: tg.relu6(3.3 * x) * x, (2, 4)),
    "selu": (tg.selu, (2, 3)),
    "sigmoid of many": (lambda x: tg.sigmoid(tg.broadcast_to(x, (256, 2, 3)))[7], (2, 3)),
    "silu": (tg.silu, (2, 3)),
    "softplus": (tg.softplus, (2, 3)),
    "softplus beta": (lambda x: tg.softplus(x, beta=2.5), (2, 3)),
    "softsign": (tg.softsign, (2, 3)),
    "relu of nothing": (lambda x: tg.relu(x), (0, 3)),
    "silu of nothing": (tg.silu, (0, 3)),
    "astype": (lambda x: tg.astype(x * x, np.float64), (3,)),
    "where": (lambda x, y: tg.where(beside(x, MASK), x, y), (2, 3), (3,)),
    "where broadcasts mask": (lambda x, y: tg.where(beside(x, MASK[0]), x, y), (2, 1), (2, 3)),
    "where number": (lambda x: tg.where(beside(x, MASK), x, 0.0), (2, 3)),
    "where number first": (lambda x: tg.where(beside(x, MASK), 1.5, x), (3,)),
    "where condition of tensors": (lambda x: tg.where(x > 0.2, x * x, x), (2, 3)),
    "where condition of integers": (lambda x, y: tg.where(beside(x, 3 * MASK), x, y), (2, 3), (2, 3)),
    "where condition is a float": (lambda x: tg.where(x, x * x, x), (3,)),
    "where condition is a bool": (lambda x, y: tg.where(True, x, y) * tg.where(False, x, y), (3,), (3,)),
    "stop_gradient": (lambda x, y: x * tg.stop_gradient(beside(x, 3.0 * np.ones(3))) * y, (3,), (3,)),
}  # fmt: skip

CONSTANT = {
    **{
        name: lambda xp, x, name=name: getattr(xp, name)(x)
        for name in (
            "all", "any", "argmax", "argmin", "argsort", "argwhere", "ceil", "count_nonzero", "floor", "isfinite",
            "isinf", "isnan", "logical_not", "nonzero", "ones_like", "rint", "round", "sign", "signbit", "trunc",
            "zeros_like",
        )
    },
    **{
        name: lambda xp, x, name=name: getattr(xp, name)(x, [0.0, 0.0, 3.0])
        for name in (
            "allclose", "array_equal", "equal", "greater", "greater_equal", "heaviside", "isclose", "less",
            "less_equal", "logical_and", "logical_or", "logical_xor", "not_equal", "searchsorted",
        )
    },
    **{
        name: lambda xp, x, name=name: getattr(xp, name)(x.astype(int), [3, 1, 2])
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "floor_divide")
    },
    "bitwise_left_shift": lambda xp, x: xp.bitwise_left_shift(x.astype(int), 2),
    "bitwise_right_shift": lambda xp, x: xp.bitwise_right_shift(x.astype(int), 1),
    "bitwise_invert": lambda xp, x: xp.bitwise_invert(x.astype(int)),
    "full_like": lambda xp, x: xp.full_like(x, 2.5),
}  # fmt: skip
