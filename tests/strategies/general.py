"""Calls of normalisations, attention and pooling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .calls import ANY, SPREAD, Call
from .contractions import per_axis
from .drawn import booleans, broadcastable, integers, sampled, shapes


def weights(draw, shape, names):
    """Draw which of the operands ``names`` of one shape are there."""
    given = tuple(name for name in names if draw(booleans()))
    return given, (shape,) * len(given), (ANY,) * len(given)


def batch_norm(draw):
    shape = draw(shapes(2, 4, 1))
    return Call((shape, shape[1:2], shape[1:2]), domains=(SPREAD, ANY, ANY))


def over_last(*names):
    def drawn(draw):
        shape = draw(shapes(1, 4, 1))
        last = shape[draw(integers(0, len(shape) - 1)) :]
        size = last[0] if len(last) == 1 and draw(booleans()) else last
        given, own, domains = weights(draw, last, names)
        return Call((shape, *own), (size,), domains=(SPREAD, *domains), named=given)

    return drawn


def group_norm(draw):
    shape = draw(shapes(2, 4, 1))
    groups = draw(sampled([k for k in range(1, shape[1] + 1) if not shape[1] % k]))
    given, own, domains = weights(draw, shape[1:2], ("weight", "bias"))
    return Call((shape, *own), (groups,), domains=(SPREAD, *domains), named=given)


def attention(draw):
    queries, keys, width, out = (draw(integers(1, 3)) for _ in range(4))
    full = tuple(draw(integers(1, 2)) for _ in range(draw(integers(0, 2))))
    operands = tuple(
        (*draw(broadcastable(full)), *matrix)
        for matrix in ((queries, width), (keys, width), (keys, out))
    )
    options = {"causal": draw(booleans()), "scale": draw(sampled([None, 0.3]))}
    call = Call(operands, options=options)
    if not draw(booleans()):
        return call
    batch = np.broadcast_shapes(*[shape[:-2] for shape in operands[:2]])
    mask = draw(broadcastable((*batch, queries, keys)))
    return replace(call, shapes=(*operands, mask), named=("mask",))


def pooled(dims, **choices):
    def drawn(draw):
        given, size = per_axis(draw, dims, 1, 3)
        stride, _ = per_axis(draw, dims, 1, 3)
        padding = tuple(draw(integers(0, k // 2)) for k in size)
        lead = draw(shapes(0, 2, 1))
        shape = (*lead[:2], *(k + draw(integers(0, 3)) for k in size))
        options = {"stride": draw(sampled([None, stride])), "padding": padding}
        options |= {key: draw(sampled(values)) for key, values in choices.items()}
        return Call((shape,), (given,), options=options)

    return drawn


CALLS = {
    "batch_norm": batch_norm, "group_norm": group_norm, "layer_norm": over_last("weight", "bias"),
    "rms_norm": over_last("weight"), "attention": attention,
    "avg_pool1d": pooled(1, count_include_pad=[True, False]), "avg_pool2d": pooled(2, count_include_pad=[True, False]),
    "max_pool1d": pooled(1), "max_pool2d": pooled(2),
}  # fmt: skip
