"""Calls of structural operations."""

from __future__ import annotations

import math
import operator
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from .calls import Call
from .drawn import (
    LENGTH,
    axes_of,
    axis_of,
    booleans,
    broadcastable,
    indices,
    integers,
    normal,
    places,
    sampled,
    shapes,
    together,
)  # fmt: skip


def moved(least=0, most=4, **choices):
    """Draw an operand and options that know its shape."""

    def drawn(draw):
        shape = draw(shapes(least, most))
        return Call((shape,), options={key: draw(choice(shape)) for key, choice in choices.items()})

    return drawn


def each(most=4, **options):
    """Draw some operands of shapes of their own."""

    def drawn(draw):
        some = tuple(draw(st.lists(shapes(0, most), min_size=1, max_size=3)))
        return Call(some, options={key: draw(s) for key, s in options.items()})

    return drawn


def joined(least=0, axis=None, alike=False):
    """Draw operands that fit except along one axis; along none where they are ``alike``."""

    def drawn(draw):
        shape = draw(shapes(least, 3))
        place = axis if axis is not None else draw(axis_of(shape)) if shape else None
        many = [list(shape) for _ in range(draw(integers(1, 3)))]
        for one in many if not alike and shape else ():
            one[place if len(one) > 1 or axis is None else 0] = draw(LENGTH)
        given = {} if axis is not None else {"axis": place}
        return Call(tuple(map(tuple, many)), options=given, joined=True)

    return drawn


def stacked(draw):
    call = joined(alike=True)(draw)
    ndim = len(call.shapes[0])
    return replace(call, options={"axis": draw(integers(-ndim - 1, ndim))})


def expanded(shape):
    longest = len(shape) + 2
    some = st.lists(integers(0, longest - 1), max_size=2, unique=True)
    return st.one_of(
        integers(-len(shape) - 1, len(shape)),
        some.filter(lambda k: len(k) == 2 or not k).map(tuple),
    )


def squeezed(draw):
    shape = draw(shapes())
    shape = tuple(1 if draw(booleans()) else n for n in shape)
    ones = [k - (len(shape) if draw(booleans()) else 0) for k, n in enumerate(shape) if n == 1]
    axis = draw(st.none() | (sampled(ones) if ones else st.none()) | st.just(tuple(ones)))
    return Call((shape,), options={"axis": axis})


def reshaped(draw):
    shape = draw(shapes())
    to = list(draw(st.permutations(shape)))
    for _ in range(draw(integers(0, 2))):
        k = draw(integers(0, len(to)))
        if draw(booleans()) or k >= len(to) - 1:
            to.insert(k, 1)
        else:
            to[k : k + 2] = [to[k] * to[k + 1]]
    if to and math.prod(to) and draw(booleans()):
        to[draw(integers(0, len(to) - 1))] = -1
    return Call((shape,), (tuple(to),))


def stretched(draw):
    to = draw(shapes())
    return Call((draw(broadcastable(to)),), (to,))


def permuted(draw):
    shape = draw(shapes())
    order = tuple(
        draw(st.permutations([k - len(shape) * draw(booleans()) for k in range(len(shape))]))
    )
    return Call((shape,), options={"axes": draw(sampled([None, order]))})


def swapped(draw):
    shape = draw(shapes(1))
    return Call((shape,), (draw(axis_of(shape)), draw(axis_of(shape))))


def carried(draw):
    shape = draw(shapes(1))
    if draw(booleans()):
        return Call((shape,), (draw(axis_of(shape)), draw(axis_of(shape))))
    n = draw(integers(0, len(shape)))
    some = [tuple(draw(st.permutations(range(len(shape))))[:n]) for _ in range(2)]
    return Call((shape,), (some[0], tuple(k - len(shape) for k in some[1])))


def rolled(draw):
    shape = draw(shapes())
    axis = draw(axes_of(shape).filter(lambda axis: axis != ()))
    count = len(axis) if isinstance(axis, tuple) else 1
    shift = tuple(draw(integers(-5, 5)) for _ in range(count))
    return Call(
        (shape,),
        (shift if isinstance(axis, tuple) and draw(booleans()) else (*shift, 2)[0],),
        options={"axis": axis},
    )


def turned(draw):
    shape = draw(shapes(2))
    axes = tuple(
        k - len(shape) * draw(booleans()) for k in draw(st.permutations(range(len(shape))))[:2]
    )
    return Call((shape,), (draw(integers(-5, 5)), axes))


def offset(_shape):
    return integers(-4, 4)


def of_plane(draw):
    shape = draw(shapes(2))
    axes = draw(st.permutations(range(len(shape))))[:2]
    axes = [k - len(shape) * draw(booleans()) for k in axes]
    return Call((shape,), (draw(integers(-4, 4)), *axes))


def taken(draw):
    shape = draw(shapes())
    axis = draw(st.none() | axis_of(shape)) if shape else None
    n = math.prod(shape) if axis is None else shape[axis]
    return Call((shape,), (draw(places(n)),), options={"axis": axis})


def taken_along(draw):
    shape = draw(shapes(1, 3, 1))
    axis = draw(st.none() | axis_of(shape))
    n = math.prod(shape) if axis is None else shape[axis]
    if axis is None:
        return Call(
            (shape,),
            (draw(places(n, 1).filter(lambda p: np.ndim(p) == 1)),),
            options={"axis": None},
        )
    own = [draw(sampled([1, k])) for k in shape]
    own[axis] = draw(integers(1, 3))
    flat = [draw(integers(-n, n - 1)) for _ in range(math.prod(own))]
    return Call((shape,), (np.reshape(flat, own).tolist(),), options={"axis": axis})


def changed(draw):
    shape = draw(shapes(0, 3))
    index = draw(indices(shape))
    found = np.empty(shape)[index].shape
    return Call((shape, draw(broadcastable(found))), (index,), named=("values",))


def cut(even):
    def drawn(draw):
        shape = draw(shapes(1))
        axis = draw(axis_of(shape))
        n = shape[axis]
        counts = range(1, 5) if not even else [k for k in range(1, max(n, 1) + 1) if not n % k]
        some = st.lists(integers(-n, n), max_size=3)
        return Call((shape,), (draw(sampled(list(counts)) | some),), options={"axis": axis})

    return drawn


def halved(least, axis):
    def drawn(draw):
        shape = list(draw(shapes(least)))
        shape[axis if len(shape) > axis else 0] = 4
        return Call((tuple(shape),), (draw(sampled([1, 2, 4, [1], [1, 3]])),))

    return drawn


def appended(draw):
    call = joined(1)(draw)
    first, *rest = call.shapes
    other = rest[0] if rest else first
    axis = call.options.get("axis")
    return Call((first, other), options={"axis": axis})


def tiled(draw):
    shape = draw(shapes(0, 3))
    return Call((shape,), (draw(integers(0, 3) | st.lists(integers(0, 2), max_size=4).map(tuple)),))


def repeated(draw):
    shape = draw(shapes())
    axis = draw(st.none() | axis_of(shape)) if shape else None
    n = math.prod(shape) if axis is None else shape[axis]
    numbers = draw(integers(0, 3) | st.lists(integers(0, 2), min_size=n, max_size=n))
    return Call((shape,), (numbers if numbers != [] else 2,), options={"axis": axis})


def in_order(draw):
    shape = draw(shapes(1))
    options = {"axis": draw(st.none() | axis_of(shape)), "descending": draw(booleans())}
    return Call((shape,), options=options)


def topmost(draw):
    shape = draw(shapes(1))
    axis = draw(axis_of(shape))
    return Call(
        (shape,),
        (draw(integers(0, shape[axis])),),
        options={"axis": axis},
        pick=operator.itemgetter(0),
    )


def padded(draw):
    mode = draw(sampled(["constant", "edge", "reflect", "symmetric", "wrap"]))
    shape = draw(shapes(1, 3, 0 if mode == "constant" else 1))
    pair = st.tuples(integers(0, 2), integers(0, 3))
    width = draw(integers(0, 2) | pair | st.lists(pair, min_size=len(shape), max_size=len(shape)))
    options = {"mode": mode}
    if mode == "constant":
        options["constant_values"] = draw(sampled([0, 1.5, -2]))
    return Call((shape,), (width,), options=options)


def windowed(draw):
    shape = draw(shapes(1, 3, 1))
    axis = draw(axes_of(shape).filter(lambda axis: axis != ()))
    over = normal(axis, len(shape))
    size = tuple(draw(sampled([2, 1, 3])) for _ in over)
    longer = dict(zip(over, (n + draw(integers(0, 3)) for n in size), strict=True))
    shape = tuple(longer.get(k, n) for k, n in enumerate(shape))
    step = sampled([2, 1, 3])
    stride = draw(step | st.tuples(*[step] * len(size)))
    single = isinstance(axis, int) and draw(booleans())
    return Call((shape,), (size[0] if single else size, stride), options={"axis": axis})


CALLS = {
    **dict.fromkeys(("atleast_1d", "atleast_2d", "atleast_3d"), each(3)),
    "broadcast_arrays": lambda draw: Call(draw(together(draw(integers(1, 3))))),
    "broadcast_to": stretched, "expand_dims": moved(0, 2, axis=expanded), "matrix_transpose": moved(2),
    "meshgrid": each(1, indexing=sampled(["xy", "ij"])), "moveaxis": carried, "permute_dims": permuted,
    "ravel": moved(), "reshape": reshaped, "squeeze": squeezed, "swapaxes": swapped,
    "flip": moved(axis=axes_of), "fliplr": moved(2), "flipud": moved(1), "roll": rolled, "rot90": turned,
    "diag": moved(1, 2, k=offset), "diagonal": of_plane, "trace": of_plane,
    "tril": moved(2, k=offset), "triu": moved(2, k=offset), "take": taken, "take_along_axis": taken_along,
    "array_split": cut(False), "split": cut(True), "concat": joined(1), "stack": stacked,
    "vsplit": halved(2, 0), "hsplit": halved(1, 1), "dsplit": halved(3, 2), "append": appended,
    "column_stack": lambda draw: joined(2, 1)(draw), "dstack": joined(3, 2), "hstack": joined(1, 1),
    "vstack": joined(2, 0), "repeat": repeated, "tile": tiled, "unstack": moved(1, axis=axis_of),
    "sort": in_order, "topk": topmost, "index_add": changed, "index_update": changed, "pad": padded,
    "sliding_windows": windowed,
}  # fmt: skip
