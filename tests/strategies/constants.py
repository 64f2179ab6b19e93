"""Calls of operations whose results carry no gradient."""

from __future__ import annotations

from hypothesis import strategies as st

from .calls import Call
from .drawn import axes_of, axis_of, booleans, integers, lengthened, sampled, shapes, together


def unary(**given):
    return lambda draw: Call((draw(shapes()),), **given)


def binary(**given):
    return lambda draw: Call(draw(together(2)), **given)


def shifted(draw):
    return Call(draw(together(2)), kind="i", prepare=lambda x, y: (x, abs(y) % 5))


def asked(draw):
    shape = draw(shapes())
    options = {"axis": draw(axes_of(shape)), "keepdims": draw(booleans())}
    return Call((shape,), options=options, kind=draw(sampled("fi")))


def chosen(draw):
    shape = draw(shapes())
    axis = draw(st.none() | axis_of(shape)) if shape else None
    return Call((lengthened(shape, axis),), options={"axis": axis, "keepdims": draw(booleans())})


def ordered(draw):
    shape = draw(shapes(1))
    options = {"axis": draw(st.none() | axis_of(shape)), "descending": draw(booleans())}
    return Call((shape,), options=options)


def near(draw):
    tolerances = {"rtol": draw(sampled([1e-5, 0.5])), "atol": draw(sampled([1e-8, 0.5]))}
    return Call(draw(together(2)), options=tolerances)


def filled(draw):
    return Call((draw(shapes()),), (draw(sampled([0, 2.5, -1])),))


def same(draw):
    shape = draw(shapes())
    return Call((shape, draw(sampled([shape, shape[::-1], (2,)]))), prepare=lambda x, y: (x, 1 * y))


def searched(draw):
    numbers = st.lists(sampled([-1.5, -0.5, 0.0, 0.5, 2.0]), max_size=4).map(sorted)
    return Call(
        (draw(shapes()),),
        first=(draw(numbers),),
        options={"side": draw(sampled(["left", "right"]))},
    )


def rounded(draw):
    return Call((draw(shapes()),), options={"decimals": draw(integers(-1, 2))})


CALLS = {
    **dict.fromkeys(
        ("ceil", "floor", "isfinite", "isinf", "isnan", "logical_not", "ones_like", "rint", "sign", "signbit",
         "stop_gradient", "trunc", "zeros_like"),
        unary(),
    ),
    **dict.fromkeys(
        ("equal", "floor_divide", "greater", "greater_equal", "heaviside", "less", "less_equal", "logical_and",
         "logical_or", "logical_xor", "not_equal"),
        binary(),
    ),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), binary(kind="i")),
    "bitwise_invert": unary(kind="i"), "bitwise_left_shift": shifted, "bitwise_right_shift": shifted,
    "all": asked, "any": asked, "count_nonzero": asked, "argmax": chosen, "argmin": chosen,
    "argsort": ordered, "allclose": near, "isclose": near, "array_equal": same, "full_like": filled,
    "argwhere": lambda draw: Call((draw(shapes(1)),)), "nonzero": lambda draw: Call((draw(shapes(1)),)),
    "round": rounded, "searchsorted": searched,
}  # fmt: skip
