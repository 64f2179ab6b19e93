"""Calls of reductions, softmaxes and cumulative operations."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import strategies as st

from .calls import ANY, POSITIVE, SPREAD, Call
from .drawn import axes_of, axis_of, booleans, integers, lengthened, normal, sampled, shapes


def reduced(some=False, domain=ANY, least=0, **choices):
    """Draw a reduction; of at least one element each where ``some`` says so."""

    def drawn(draw):
        shape = draw(shapes(least=least))
        options = {key: draw(sampled(values)) for key, values in choices.items()}
        options |= {"axis": draw(axes_of(shape)), "keepdims": draw(booleans())}
        shape = lengthened(shape, options["axis"]) if some else shape
        return Call((shape,), options=options, domains=domain)

    return drawn


def spread(draw):
    call = reduced(True, SPREAD)(draw)
    n = math.prod(call.shapes[0][k] for k in normal(call.options["axis"], len(call.shapes[0])))
    correction = draw(sampled([c for c in (-1, 0, 0.5, 1, 2) if c < n]))
    return replace(call, options=call.options | {"correction": correction})


def norm(draw):
    order = draw(sampled([0, 0.5, 1, 1.5, 2, 3, 7, -1, -2.5, math.inf, -math.inf]))
    return reduced(order < 0 or order == math.inf, ord=[order])(draw)


def softened(draw):
    shape = draw(shapes())
    return Call((shape,), options={"axis": draw(axes_of(shape))})


def cross_entropy(draw):
    n, classes = draw(integers(1, 4)), draw(integers(1, 4))
    labels = [draw(integers(0, classes - 1)) for _ in range(n)]
    return Call(((n, classes),), (labels,))


def running(flat, **choices):
    """Draw what runs along an axis, or through all elements where ``flat`` says so."""

    def drawn(draw):
        shape = draw(shapes(0 if flat else 1))
        options = {key: draw(values) for key, values in choices.items()}
        may_leave_out = flat or len(shape) == 1
        axis = (
            draw(st.none() | axis_of(shape) if may_leave_out and shape else axis_of(shape))
            if shape
            else None
        )
        return Call((shape,), options=options | {"axis": axis})

    return drawn


def diff(draw):
    shape = draw(shapes(1))
    return Call((shape,), options={"n": draw(integers(0, 4)), "axis": draw(axis_of(shape))})


def average(draw):
    call = reduced(least=1)(draw)  # NumPy divides by the size of the result
    (shape,), axis = call.shapes, call.options["axis"]
    kind = draw(sampled(["none", "whole", "along"]))
    if kind == "none":
        return call
    over = normal(axis, len(shape))
    in_order = kind == "along" and over == tuple(sorted(over))
    own = tuple(shape[k] for k in over) if in_order else shape
    return replace(call, shapes=(shape, own), domains=(ANY, POSITIVE), named=("weights",))


CALLS = {
    "sum": reduced(), "prod": reduced(), "norm": norm,
    **dict.fromkeys(("max", "mean", "median", "min"), reduced(True)),
    "ptp": reduced(True), "std": spread, "var": spread, "logsumexp": reduced(True),
    "softmax": softened, "log_softmax": softened, "cross_entropy": cross_entropy,
    "cumprod": running(True), "cumsum": running(True),
    "cumulative_prod": running(False, include_initial=booleans()),
    "cumulative_sum": running(False, include_initial=booleans()),
    "diff": diff, "average": average,
}  # fmt: skip
