"""Calls of products and convolutions."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from .calls import Call
from .drawn import LENGTH, booleans, broadcastable, integers, sampled, shapes

BATCH = sampled([2, 1, 2, 1, 2, 0])


def alike(draw, low=0, high=2):
    """Draw some lengths."""
    return tuple(draw(LENGTH) for _ in range(draw(integers(low, high))))


def batches(draw):
    """Draw the batch axes of two operands, which broadcast."""
    full = tuple(draw(BATCH) for _ in range(draw(integers(0, 2))))
    return draw(broadcastable(full)), draw(broadcastable(full))


def matmul(draw):
    n, first, second = draw(LENGTH), *batches(draw)
    a = draw(sampled([(n,), (*first, draw(LENGTH), n)]))
    b = draw(sampled([(n,), (*second, n, draw(LENGTH))]))
    return Call((a, b))


def linear(draw):
    n, out = draw(LENGTH), draw(LENGTH)
    return Call(((*draw(st.lists(BATCH, max_size=2)), n), (out, n)))


def matvec(draw):
    n, first, second = draw(LENGTH), *batches(draw)
    return Call(((*first, draw(LENGTH), n), (*second, n)))


def vecmat(draw):
    n, first, second = draw(LENGTH), *batches(draw)
    return Call(((*first, n), (*second, n, draw(LENGTH))))


def along(length):
    """Draw operands that broadcast, and an axis of one length that both have."""

    def drawn(draw):
        n = draw(length)
        before, after = (
            batches(draw),
            tuple(draw(integers(1, 2)) for _ in range(draw(integers(0, 1)))),
        )
        found = tuple((*lead, n, *after) for lead in before)
        return Call(found, options={"axis": -1 - len(after)})

    return drawn


def dot(draw):
    n = draw(LENGTH)
    a = draw(sampled([(), (*alike(draw), n)]))
    b = draw(sampled([(), (n,), (*alike(draw, 0, 1), n, draw(LENGTH))]))
    return Call((a, b))


def inner(draw):
    n = draw(LENGTH)
    return Call((draw(sampled([(), (*alike(draw), n)])), draw(sampled([(), (*alike(draw), n)]))))


def anyhow(low, high):
    return lambda draw: Call((alike(draw, low, high), alike(draw, low, high)))


def vdot(draw):
    shape = draw(shapes(0, 3))
    return Call((shape, draw(sampled([shape, shape[::-1], (math.prod(shape),)]))))


def tensordot(draw):
    summed, left, right = alike(draw), alike(draw), alike(draw)
    if draw(booleans()):
        return Call(((*left, *summed), (*summed, *right)), options={"axes": len(summed)})
    a = [(n, None) for n in left] + [(n, k) for k, n in enumerate(summed)]
    b = [(n, None) for n in right] + [(n, k) for k, n in enumerate(summed)]
    a, b = draw(st.permutations(a)), draw(st.permutations(b))
    axes = tuple(
        [[k for _, k in side].index(i) - len(side) * draw(booleans()) for i in range(len(summed))]
        for side in (a, b)
    )
    return Call((tuple(n for n, _ in a), tuple(n for n, _ in b)), options={"axes": axes})


def einsum(draw):
    lengths = {label: draw(LENGTH) for label in "ijk"}
    batch = tuple(draw(integers(1, 2)) for _ in range(draw(integers(0, 2))))
    terms, found = [], []
    for _ in range(draw(integers(1, 3))):
        labels = draw(st.lists(sampled("ijk"), max_size=3))
        at = draw(st.none() | integers(0, len(labels)))
        shape = [
            1 if not draw(integers(0, 4)) and labels.count(k) == 1 else lengths[k] for k in labels
        ]
        if at is not None:
            shape[at:at] = draw(broadcastable(batch))
            labels.insert(at, "...")
        terms.append("".join(labels))
        found.append(tuple(shape))
    subscripts = ",".join(terms)
    if draw(booleans()):
        used = [k for k in "ijk" if k in subscripts]
        out = list(draw(st.permutations(used)))[: draw(integers(0, 3))]
        if "..." in subscripts:
            out.insert(draw(integers(0, len(out))), "...")
        subscripts += "->" + "".join(out)
    optimize = draw(sampled([False, True, "greedy"]))
    return Call(tuple(found), first=(subscripts,), options={"optimize": optimize})


def sliding(**modes):
    def drawn(draw):
        a, v = draw(integers(1, 5)), draw(integers(1, 5))
        return Call(((a,), (v,)), options={"mode": draw(sampled(["full", "same", "valid"]))})

    return drawn


def per_axis(draw, dims, low, high):
    """Draw one number for all axes or one for each, and say which they are."""
    every = tuple(draw(integers(low, high)) for _ in range(dims))
    if draw(booleans()):
        return every, every
    return every[0], (every[0],) * dims


def channels(draw):
    groups = draw(integers(1, 2))
    return groups, groups * draw(integers(1, 2)), groups * draw(integers(1, 2))


def conv(dims):
    def drawn(draw):
        groups, c, o = channels(draw)
        stride, _ = per_axis(draw, dims, 1, 2)
        dilation, spacing = per_axis(draw, dims, 1, 2)
        padding, border = per_axis(draw, dims, 0, 2)
        kernel = tuple(draw(integers(1, 3)) for _ in range(dims))
        word = draw(sampled([None, None, "same", "valid"]))
        if word:
            padding, border = word, (0,) * dims
            stride = 1 if word == "same" else stride
        size = tuple(
            max(1, d * (k - 1) + 1 - 2 * p) + draw(integers(0, 3))
            for d, k, p in zip(spacing, kernel, border, strict=True)
        )
        operands = ((draw(integers(1, 2)), c, *size), (o, c // groups, *kernel), (o,))
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return Call(operands[: draw(integers(2, 3))], options=options)

    return drawn


def conv_transpose(dims):
    def drawn(draw):
        groups, c, o = channels(draw)
        stride, steps = per_axis(draw, dims, 1, 2)
        dilation, spacing = per_axis(draw, dims, 1, 2)
        kernel = tuple(draw(integers(1, 3)) for _ in range(dims))
        size = tuple(draw(integers(1, 3)) for _ in range(dims))
        padding = tuple(
            draw(integers(0, min(2, ((n - 1) * s + d * (k - 1)) // 2)))
            for n, s, d, k in zip(size, steps, spacing, kernel, strict=True)
        )
        more = tuple(draw(integers(0, max(s, d) - 1)) for s, d in zip(steps, spacing, strict=True))
        operands = ((draw(integers(1, 2)), c, *size), (c, o // groups, *kernel), (o,))
        options = {
            "stride": stride, "padding": padding, "output_padding": more, "groups": groups,
            "dilation": dilation,
        }  # fmt: skip
        return Call(operands[: draw(integers(2, 3))], options=options)

    return drawn


CALLS = {
    "cross": along(st.just(3)), "dot": dot, "inner": inner, "kron": anyhow(0, 3), "linear": linear, "matmul": matmul,
    "matvec": matvec, "outer": anyhow(0, 2), "tensordot": tensordot, "vdot": vdot, "vecdot": along(LENGTH),
    "vecmat": vecmat, "einsum": einsum, "convolve": sliding(), "correlate": sliding(),
    "conv1d": conv(1), "conv2d": conv(2), "conv_transpose1d": conv_transpose(1),
    "conv_transpose2d": conv_transpose(2),
}  # fmt: skip
