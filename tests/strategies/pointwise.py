"""Calls of pointwise operations."""

from __future__ import annotations

from .calls import ANY, INSIDE, POSITIVE, Call, Domain
from .drawn import integers, sampled, shapes, together


def unary(domain=ANY, **given):
    return lambda draw: Call((draw(shapes()),), domains=domain, **given)


def binary(*domains, **given):
    domains = domains[0] if len(domains) == 1 else domains or ANY
    return lambda draw: Call(draw(together(2)), domains=domains, **given)


def with_options(domain=ANY, **choices):
    """Draw each option from its choices."""

    def drawn(draw):
        options = {key: draw(sampled(values)) for key, values in choices.items()}
        return Call((draw(shapes()),), options=options, domains=domain)

    return drawn


def clip(draw):
    bounds = draw(sampled([(None, None), (-0.75, None), (None, 0.5), (-0.5, 1.25), "tensors"]))
    if bounds == "tensors":
        return Call(draw(together(3)))
    return Call((draw(shapes()),), bounds)


def divided(draw):
    """Draw x and y with x / y well between two integers."""
    k = draw(integers(0, 3))
    domains = Domain(0.3, 1.0, False), Domain(1.15, 2.3, False)
    sign = draw(sampled([-1, 1]))
    return Call(draw(together(2)), domains=domains, prepare=lambda x, y: (sign * (x + k * y), y))


def power(draw):
    exponent = draw(sampled([None, None, -2, -0.5, 0, 0.5, 1, 2, 3, 2.5, 7]))
    if exponent is None:
        return Call(draw(together(2)), domains=(POSITIVE, ANY))
    whole = isinstance(exponent, int)
    return Call((draw(shapes()),), (exponent,), domains=ANY if whole else POSITIVE)


def where(draw):
    return Call(draw(together(3)), prepare=lambda c, x, y: (c > 0, x, y))


CALLS = {
    **dict.fromkeys(
        ("abs", "asinh", "atan", "cbrt", "cos", "cosh", "degrees", "exp", "exp2", "expm1", "fabs",
         "nan_to_num", "negative", "positive", "radians", "reciprocal", "sin", "sinh", "square",
         "erf", "erfc", "log_sigmoid", "mish", "relu", "selu", "sigmoid", "silu", "softsign",
         "tanh"),
        unary(),
    ),
    **dict.fromkeys(("log", "log10", "log2", "sqrt"), unary(POSITIVE)),
    **dict.fromkeys(("acos", "asin", "atanh", "log1p"), unary(INSIDE)),
    **dict.fromkeys(
        ("add", "atan2", "copysign", "divide", "fmax", "fmin", "hypot", "logaddexp", "logaddexp2",
         "maximum", "minimum", "multiply", "subtract"),
        binary(),
    ),
    "acosh": unary(Domain(1.2, 3.0, False)), "tan": unary(Domain(0.1, 1.2)),
    "sinc": lambda draw: unary(draw(sampled([ANY, Domain(0.01, 0.2)])))(draw),
    "relu6": unary(Domain(0.3, 9.0)), "astype": lambda draw: Call((draw(shapes()),), (float,)),
    "clip": clip, "fmod": divided, "remainder": divided, "pow": power, "float_power": power,
    "where": where, "elu": with_options(alpha=[1.0, 0.7, -0.5]), "gelu": with_options(approximate=["none", "tanh"]),
    "hardtanh": with_options(min_val=[-1.0, -0.5], max_val=[1.0, 1.25]),
    "leaky_relu": with_options(slope=[0.01, 0.3, -0.3]), "softplus": with_options(beta=[1.0, 2.5]),
}  # fmt: skip
