"""Calls of functions of sampled curves and of data."""

from __future__ import annotations

from .calls import Call
from .drawn import axes_of, axis_of, booleans, integers, sampled, shapes, together

LEVELS = [0.0, 0.13, 0.5, 0.77, 1.0]


def select(draw):
    x, y = draw(together(2))
    return Call((x, y), prepare=lambda x, y: ([x > 0.5, y > 0.0], [x * y, x + y]))


def polyval(draw):
    return Call(((draw(integers(0, 4)),), draw(shapes())))


def trapezoid(draw):
    shape = draw(shapes(1))
    axis = draw(axis_of(shape))
    if draw(booleans()):
        return Call((shape,), options={"dx": draw(sampled([1.0, 0.3])), "axis": axis})
    return Call((shape, shape), options={"axis": axis})


def gradient(draw):
    shape = tuple(n + 1 for n in draw(shapes(1, 3, 1)))
    axis = draw(axis_of(shape))
    return Call((shape,), (draw(sampled([1.0, 0.3])),), options={"axis": axis})


def interp(draw):
    points = [-1.75, -0.5, 0.5, 1.25][: draw(integers(1, 4))]
    outside = {"left": draw(sampled([None, -1.0])), "right": draw(sampled([None, 2.0]))}
    return Call((draw(shapes()), (len(points),)), (points,), options=outside, named=("fp",))


def quantile(scale):
    def drawn(draw):
        shape = draw(shapes(0, 4, 1))
        axis = draw(axes_of(shape))
        some = [scale * LEVELS[k] for k in draw(sampled([[1], [0, 3], [2, 4]]))]
        q = some if draw(booleans()) else some[0]
        options = {"axis": axis, "keepdims": draw(booleans())}
        return Call((shape,), (q,), options=options)

    return drawn


def cov(draw):
    rowvar = draw(booleans())
    variables, observations = draw(integers(1, 3)), draw(integers(2, 4))
    shape = (variables, observations) if rowvar else (observations, variables)
    return Call((shape,), options={"rowvar": rowvar, "ddof": draw(integers(0, 1))})


CALLS = {
    "select": select, "polyval": polyval, "trapezoid": trapezoid, "gradient": gradient,
    "interp": interp, "quantile": quantile(1), "percentile": quantile(100), "cov": cov,
}  # fmt: skip
