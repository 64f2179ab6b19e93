"""What calls are drawn from: shapes, axes, places and indices."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

integers, sampled, booleans = st.integers, st.sampled_from, st.booleans
LONGEST = (0, 4, 4, 3, 2)  # of an axis, by the number of axes
RARELY = sampled([False, False, False, False, False, False, True])
LENGTH = sampled([2, 3, 1, 2, 3, 0])


@st.composite
def shapes(draw, least_dims=0, most_dims=4, least=0):
    """A shape; a matrix before others, and empty now and then where ``least`` is 0."""
    numbers = [n for n in (2, 1, 3, 0, 4) if least_dims <= n <= most_dims]
    ndim = draw(sampled(numbers))
    sides = [n for n in (2, 3, 1, 4) if n <= LONGEST[ndim]]
    shape = [draw(sampled(sides)) for _ in range(ndim)]
    if shape and not least and draw(RARELY):
        shape[draw(integers(0, ndim - 1))] = 0
    return tuple(shape)


def axis_of(shape):
    return integers(-len(shape), len(shape) - 1)


@st.composite
def axes_of(draw, shape):
    """One axis, some axes or all of them, from either end."""
    ndim = len(shape)
    kind = draw(sampled(["all", "one", "some"]))
    if kind == "all" or (kind == "one" and not ndim):
        return None
    if kind == "one":
        return draw(axis_of(shape))
    order = draw(st.permutations(range(ndim)))[: draw(integers(0, ndim))]
    return tuple(k - ndim if draw(booleans()) else k for k in order)


def normal(axis, ndim):
    some = range(ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    return tuple(k % ndim for k in some)


def lengthened(shape, axis):
    """Return ``shape`` with at least one element along ``axis``."""
    some = normal(axis, len(shape))
    return tuple(max(1, n) if k in some else n for k, n in enumerate(shape))


@st.composite
def broadcastable(draw, shape):
    """A shape that broadcasts to ``shape``."""
    ones = tuple(1 if draw(booleans()) else n for n in shape)
    return draw(sampled([shape, ones, ones[draw(integers(0, len(shape))) :]]))


@st.composite
def together(draw, n, full=None):
    """Shapes of ``n`` operands that broadcast with each other."""
    full = draw(shapes()) if full is None else full
    return tuple(draw(broadcastable(full)) for _ in range(n))


@st.composite
def otherwise(draw, value):
    """The same arguments with other integers."""
    if isinstance(value, dict):
        return {key: draw(otherwise(v)) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([draw(otherwise(v)) for v in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return draw(st.just(value) | integers(-6, 6))
    return value


@st.composite
def places(draw, n, least_dims=0):
    """Nested lists of places in an axis of length ``n``."""
    shape = draw(shapes(least_dims, 2)) if n else (0,)
    count = math.prod(shape)
    flat = [draw(integers(-n, n - 1)) for _ in range(count)]
    return np.array(flat, int).reshape(shape).tolist()


@st.composite
def indices(draw, shape):
    """An index: basic, with lists of integers, or a mask."""
    kind = draw(sampled(["basic", "lists", "mask"]))
    if kind == "basic" or not shape:
        return draw(npst.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    if kind == "mask":
        part = shape[: draw(integers(1, len(shape)))]
        flat = [draw(booleans()) for _ in range(math.prod(part))]
        return np.array(flat, bool).reshape(part).tolist() if flat else slice(None)
    m = draw(integers(1, 3))
    parts = []
    for n in shape[: draw(integers(1, len(shape)))]:
        at = integers(-n, n - 1)
        one = st.one_of(at, st.lists(at, min_size=m, max_size=m)) if n else st.slices(n)
        parts.append(draw(st.one_of(one, st.slices(n))))
    if draw(booleans()):
        parts.insert(draw(integers(0, len(parts))), None)
    return tuple(parts)
