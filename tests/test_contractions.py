"""Products equal NumPy's, and weights are recognised wherever they stand in one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from oracles import check_array, check_close, normal

import tinygrad_res as tg
from tinygrad_res.errors import ShapeError, UsageError

draw = normal()


# Values are NumPy's


SUBSCRIPTS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ba,bc", (2, 3), (2, 4)), ("aB,aC", (2, 3), (2, 4)),
    ("ij,jk->ik", (2, 1), (3, 4)), (" i j , j -> i ", (2, 3), (3,)), ("ijk,kjl->li", (2, 3, 4), (4, 3, 5)),
    ("bqhd,bkhd->bhqk", (2, 3, 4, 5), (2, 6, 4, 5)), ("...qd,...kd->...qk", (2, 3, 4), (1, 5, 4)),
    ("ij...,jk...->ik...", (2, 3, 4), (3, 2, 1)), ("...,...", (2, 3), (3,)), ("i...->...", (2, 3)), ("...", (2, 3)),
    ("ij->...ij", (2, 3)), ("...ij->j...i", (5, 2, 3)), ("ii", (3, 3)), ("iji", (3, 2, 3)), ("ijij->ji", (2, 3, 2, 3)),
    ("ii,i->i", (1, 1), (3,)), ("ii,i,ij->j", (3, 3), (3,), (3, 4)), ("i,,->i", (3,), (), ()), ("", ()), ("ij,kl->", (2, 3), (4, 5)),
    ("ij,jk,kl,lm->im", (2, 3), (3, 4), (4, 2), (2, 3)), ("ab,cd,ef->", (2, 2), (2, 3), (2, 2)), ("i,j,ij->", (2,), (3,), (2, 3)),
    ("ij,jk->ik", (2, 0), (0, 3)), ("ij,ij->", (0, 3), (0, 3)), ("bij,bj->bi", (0, 2, 3), (0, 3)), ("i,i,i->i", (3,), (3,), (3,)),
]  # fmt: skip


@pytest.mark.parametrize("optimize", [False, True, "optimal"])
@pytest.mark.parametrize(("subscripts", "shapes"), [(s, shapes) for s, *shapes in SUBSCRIPTS])
def test_einsum_equals_numpy(subscripts, shapes, optimize):
    arrays = [draw(*shape) for shape in shapes]

    found = tg.einsum(subscripts, *map(tg.tensor, arrays), optimize=optimize)

    check_array(found, np.einsum(subscripts, *arrays))


def test_einsum_over_random_subscripts_equals_numpy():
    rng = np.random.default_rng(1)
    sizes = dict(zip("abcde", (2, 3, 1, 4, 2), strict=True))
    for _ in range(200):
        terms = [rng.choice(list("abcde"), rng.integers(0, 5)) for _ in range(rng.integers(1, 4))]
        every = sorted({k for term in terms for k in term})
        out = rng.permutation(every)[: rng.integers(0, len(every) + 1)]
        subscripts = ",".join("".join(term) for term in terms) + "->" + "".join(out)
        arrays = [rng.normal(size=[sizes[k] for k in term]) for term in terms]

        check_array(tg.einsum(subscripts, *arrays), np.einsum(subscripts, *arrays))


@pytest.mark.parametrize("subscripts", ["ij->", "ij->i", "ii->", "ij,kj->i"])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16])
def test_einsum_of_small_numbers_keeps_their_dtype_as_numpy(subscripts, dtype):
    arrays = [np.array([[100, 3], [0, 100]], dtype)] * (subscripts.count(",") + 1)

    found, expected = tg.einsum(subscripts, *arrays), np.einsum(subscripts, *arrays)

    assert found.dtype == expected.dtype
    check_array(found, expected)


def test_einsum_takes_lists_of_numbers_for_letters():
    a, b = draw(5, 2, 3), draw(3, 4)

    check_array(
        tg.einsum(a, [..., 7, 1], b, [1, 2]), np.einsum("...ij,jk", a, b).transpose(0, 2, 1)
    )
    check_array(
        tg.einsum(a, [..., 0, 1], b, [1, 2], [2, ..., 0]), np.einsum("...ij,jk->k...i", a, b)
    )
    check_array(tg.einsum(b, [1, 0]), b.T)


NUMPY_PRODUCTS = [
    (name, a, b)
    for name, pairs in {
        "dot": [((3,), (3,)), ((2, 3), (3, 4)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (5, 3, 4)), ((4, 2, 3), (3,)), ((4, 2, 3), (3, 5)), ((3,), (4, 3, 2)), ((4, 2, 3), (5, 3, 2)), ((), (2, 3)), ((2,), ()), ((), ())],
        "inner": [((3,), (3,)), ((2, 3), (4, 3)), ((3,), (2, 3)), ((2, 5, 3), (4, 3)), ((), (2, 3)), ((2,), ())],
        "outer": [((2,), (3,)), ((2, 2), (3, 1)), ((), (3,)), ((0,), (3,))],
        "vdot": [((3,), (3,)), ((2, 3), (6,)), ((), ())],
        "kron": [((2,), (3,)), ((2, 3), (4, 5)), ((2,), (3, 4)), ((3, 2, 2), (2, 3)), ((), (2, 2)), ((2, 0), (2, 2))],
        "matvec": [((2, 3), (3,)), ((5, 2, 3), (3,)), ((5, 2, 3), (4, 1, 3))],
        "vecmat": [((3,), (3, 2)), ((5, 3), (3, 2)), ((4, 1, 3), (5, 3, 2))],
        "vecdot": [((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3))],
        "cross": [((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3))],
        "tensordot": [((2, 3, 4), (3, 4, 5)), ((3, 4), (3, 4))],
        "convolve": [((5,), (3,)), ((2,), (4,)), ((1,), (1,))],
        "correlate": [((5,), (3,)), ((2,), (4,)), ((1,), (1,))],
    }.items()
    for a, b in pairs
]  # fmt: skip


@pytest.mark.parametrize(("name", "a", "b"), NUMPY_PRODUCTS)
def test_products_equal_numpy(name, a, b):
    if not hasattr(np, name):
        pytest.skip(f"this NumPy has no {name}")
    x, y = draw(*a), draw(*b)

    check_array(getattr(tg, name)(tg.tensor(x), tg.tensor(y)), getattr(np, name)(x, y))


@pytest.mark.parametrize(
    "axes", [0, 1, 2, (1, 1), (-1, -1), ([0, 1], [0, 1]), ([1, 0], [1, 0]), ((), ())]
)
def test_tensordot_takes_the_axes_of_numpy(axes):
    x, y = draw(3, 3), draw(3, 3)

    check_array(tg.tensordot(x, y, axes=axes), np.tensordot(x, y, axes=axes))


@pytest.mark.parametrize("axis", [0, -1, -3])
def test_axis_of_vecdot_and_cross_is_counted_in_each_operand(axis):
    x, y = draw(3, 3, 3), draw(3, 3, 3)

    check_array(tg.vecdot(x, y, axis=axis), (x * y).sum(axis))
    check_array(tg.cross(x, y, axis=axis), np.cross(x, y, axis=axis))


NUMPY_CALLS = [
    lambda x, w: np.einsum("bi,io->bo", x, w), lambda x, w: np.einsum(x, [0, 1], w, [1, 2]), lambda x, w: np.tensordot(x, w, 1),
    lambda x, w: np.tensordot(x, w, axes=([1], [0])), lambda x, w: np.dot(x, w), lambda x, w: np.inner(x, w), lambda x, w: np.outer(x, w),
    lambda x, w: np.kron(x, w), lambda x, w: np.vdot(x, w), lambda x, w: np.cross(x, w[0]), lambda x, w: np.convolve(x[0], w[0], "same"),
    lambda x, w: np.correlate(x[0], w[0], mode="full"), lambda x, w: np.einsum("bi,ij,jo", x, w, w, optimize=True),
]  # fmt: skip


@pytest.mark.parametrize("call", NUMPY_CALLS)
def test_functions_of_numpy_record_on_tensors(call):
    x, w = draw(3, 3), draw(3, 3)

    found = call(x, tg.tensor(w, requires_grad=True))

    assert found.requires_grad
    check_array(found, call(x, w))


PRODUCTS = {
    "dot": lambda x, y: tg.dot(x, y), "inner": lambda x, y: tg.inner(x, y), "outer": lambda x, y: tg.outer(x, y),
    "kron": lambda x, y: tg.kron(x, y), "vecdot": lambda x, y: tg.vecdot(x, y), "tensordot": lambda x, y: tg.tensordot(x, y, 1),
    "einsum": lambda x, y: tg.einsum("i,i", x, y), "cross": lambda x, y: tg.cross(x, y), "convolve": lambda x, y: tg.convolve(x, y),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_float32_stays_float32_forward_and_backward(name):
    x = tg.tensor(np.float32([1, 2, 3]), requires_grad=True)

    y = PRODUCTS[name](x, np.float32([1, 0, 2]))
    y.sum().backward()

    assert y.dtype == x.grad.dtype == np.float32


@pytest.mark.parametrize("name", PRODUCTS)
def test_integers_stay_exact(name):
    large = 2**60 + 1

    y = PRODUCTS[name](np.array([large, 0, 0]), np.array([1, 1, 1]))

    assert y.dtype == np.int64
    assert large in np.abs(np.ravel(y.numpy()))


# Weights are recognised wherever they stand


def network(layer):
    """Two layers with a shortcut around each, the second written as ``layer`` wants."""
    x = tg.tensor(draw(4, 3), requires_grad=True)
    h = x + tg.tanh(x @ tg.parameter(draw(3, 3)))
    return x, (h + tg.relu(layer(h))).sum()


def weight(*shape):
    return tg.parameter(draw(*shape))


SPELLINGS = {
    "matmul": lambda h: h @ weight(3, 3),
    "linear": lambda h: tg.linear(h, weight(3, 3), draw(3)),
    "transposed weight": lambda h: h @ weight(3, 3).T,
    "weight first": lambda h: (weight(3, 3) @ h.T).T,
    "weight transposed and first": lambda h: (weight(3, 3).T @ h.T).T,
    "matmul of a batch": lambda h: tg.matmul(h.reshape(2, 2, 3), weight(2, 3, 3)).reshape(4, 3),
    "einsum": lambda h: tg.einsum("bi,io->bo", h, weight(3, 3)),
    "einsum with weight first": lambda h: tg.einsum("oi,bi->bo", weight(3, 3), h),
    "einsum of lists": lambda h: tg.einsum(h, [0, 1], weight(3, 3), [1, 2]),
    "einsum with an axis of the weight summed alone": lambda h: tg.einsum("bi,ioa->bo", h, weight(3, 3, 2)),
    "einsum with a diagonal of the weight": lambda h: tg.einsum("bi,ioaa->bo", h, weight(3, 3, 2, 2)),
    "einsum with an axis that broadcasts": lambda h: tg.einsum("...i,...io->...o", h, weight(1, 3, 3)),
    "einsum with data": lambda h: tg.einsum("bi,io,b->bo", h, weight(3, 3), np.ones(4)),
    "einsum by weights first": lambda h: tg.einsum("bi,ij,jo->bo", h, weight(3, 9), weight(9, 3), optimize=["einsum_path", (1, 2), (0, 1)]),
    "tensordot": lambda h: tg.tensordot(h, weight(3, 3), 1),
    "tensordot with weight first": lambda h: tg.tensordot(weight(3, 3), h, ([0], [1])).T,
    "dot": lambda h: tg.dot(h, weight(3, 3)),
    "dot with weights in three axes": lambda h: tg.dot(h, weight(1, 3, 3)).reshape(4, 3),
    "inner": lambda h: tg.inner(h, weight(3, 3)),
    "vecdot": lambda h: tg.vecdot(h.reshape(4, 1, 3), weight(3, 3)),
    "matvec": lambda h: tg.matvec(weight(3, 3), h),
    "vecmat": lambda h: tg.vecmat(h, weight(3, 3)),
    "outer": lambda h: tg.outer(h[:, 0], weight(3)),
    "kron": lambda h: tg.kron(h, weight(3, 1))[:4],
    "cross": lambda h: tg.cross(h, weight(3)),
    "reshaped weight": lambda h: h @ weight(9).reshape(3, 3),
    "normalised weight": lambda h: h @ (lambda w: w / (w * w).sum(axis=0))(weight(3, 3)),
    "masked weight": lambda h: h @ (weight(3, 3) * np.tri(3)),
    "frozen weight": lambda h: h @ tg.parameter(draw(3, 3), requires_grad=False),
    "conv1d": lambda h: tg.conv1d(h.reshape(1, 4, 3), weight(4, 4, 3), padding=1).reshape(4, 3),
    "conv1d same": lambda h: tg.conv1d(h.reshape(1, 4, 3), weight(4, 4, 2), weight(4), padding="same").reshape(4, 3),
    "conv2d": lambda h: tg.conv2d(h.reshape(1, 1, 4, 3), weight(1, 1, 3, 3), padding=1).reshape(4, 3),
    "conv_transpose1d": lambda h: tg.conv_transpose1d(h.reshape(4, 3, 1), weight(3, 3, 1)).reshape(4, 3),
    "conv_transpose2d": lambda h: tg.conv_transpose2d(h.reshape(1, 1, 4, 3), weight(1, 1, 1, 1)).reshape(4, 3),
    "convolve": lambda h: tg.convolve(h.reshape(-1), weight(3), "same").reshape(4, 3),
    "correlate with the longer weight": lambda h: tg.correlate(h[:1, :2].reshape(-1), weight(4)),
}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_product_with_a_weight_is_one_weight_layer_in_every_spelling(spelling):
    x, loss = network(SPELLINGS[spelling])

    paths = tg.paths(loss, x)

    assert paths.count_by("weight") == {0: 1, 1: 2, 2: 1}
    loss.backward()
    check_close(paths.gradient(), x.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [
        lambda h: tg.einsum("bi,ij,jo->bo", h, weight(3, 5), weight(5, 3)),
        lambda h: tg.dot(tg.dot(h, weight(3, 5)), weight(5, 3)),
    ],
)
def test_two_weights_from_left_to_right_are_two_weight_layers(layer):
    x, loss = network(layer)

    assert tg.paths(loss, x).count_by("weight") == {0: 1, 1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize(
    "layer",
    [
        lambda h: h * weight(3), lambda h: tg.einsum("bi,i->bi", h, weight(3)), lambda h: tg.einsum("b...,b->b...", h, weight(4)),
        lambda h: tg.dot(weight(), h), lambda h: tg.inner(h, weight()), lambda h: tg.kron(h, weight()),
    ],
)  # fmt: skip
def test_a_product_that_sums_nothing_is_a_scale_as_multiply_is(layer):
    x, loss = network(layer)

    paths = tg.paths(loss, x)

    assert paths.count_by("weight") == {0: 2, 1: 2}
    assert paths.count_by("scale") == {0: 2, 1: 2}


def test_a_product_of_data_with_data_is_no_weight_layer():
    x, loss = network(lambda h: tg.einsum("bi,ij->bj", h, np.ones((3, 3))))

    assert tg.paths(loss, x).count_by("weight") == {0: 2, 1: 2}


def test_a_product_is_one_node_under_its_own_name():
    x, w = tg.tensor(draw(2, 3), requires_grad=True), weight(3, 3)
    for name in ("einsum", "tensordot", "inner"):
        y = (
            tg.einsum("bi,ij", x, w)
            if name == "einsum"
            else getattr(tg, name)(x, w, *[1] * (name == "tensordot"))
        )

        assert [node.op for node in tg.graph(y).nodes if node.op] == [name]


@pytest.mark.parametrize("product", [tg.matmul, tg.linear])
def test_the_recorded_derivative_by_a_batch_of_rows_is_one_product(product):
    x = tg.tensor(draw(2, 4, 3), requires_grad=True)

    product(x, weight(3, 3)).sum().backward(create_graph=True)

    made = [node.op for node in tg.graph(x.grad).nodes]
    assert made.count("matmul") == 1
    assert "reshape" not in made


def test_an_operand_given_twice_has_two_edges():
    x = tg.tensor(draw(3, 3), requires_grad=True)

    g = tg.graph(tg.einsum("ij,jk->ik", x, x))

    assert [(e.family, e.position) for e in g.edges] == [("contraction", 0), ("contraction", 1)]


# Errors

SIX = np.ones((2, 3))


@pytest.fixture
def _six_on_the_device(put, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "SIX", put(SIX))


ERRORS = [
    (lambda: tg.einsum("ij,jk->ik", SIX, SIX), ShapeError, "einsum: subscripts 'ij,jk->ik': index j is 3 in operand 0 and 2 in operand 1"),
    (lambda: tg.einsum(SIX, [0, 1], SIX, [1, 2]), ShapeError, "einsum: index 1 is 3 in operand 0 and 2 in operand 1"),
    (lambda: tg.einsum("ii", SIX), ShapeError, "einsum: subscripts 'ii': index i is 2 and 3 within operand 0"),
    (lambda: tg.einsum("...i,...i", SIX, np.ones((4, 3))), ShapeError, "axis -1 of ... is 2 in operand 0 and 4 in operand 1"),
    (lambda: tg.einsum("i", SIX), ShapeError, "einsum: subscripts 'i': operand 0 has 2 axes, its subscripts name 1"),
    (lambda: tg.einsum("i...jk", SIX), ShapeError, "operand 0 has 2 axes, its subscripts name 3"),
    (lambda: tg.einsum("ij,jk", SIX), UsageError, "einsum: subscripts 'ij,jk': subscripts of 2 operands, and 1 given"),
    (lambda: tg.einsum("ij->ijk", SIX), UsageError, "einsum: subscripts 'ij->ijk': index k of the result is in no operand"),
    (lambda: tg.einsum("ij->ii", SIX), UsageError, "index i stands twice in the result"),
    (lambda: tg.einsum("...i->i", SIX), UsageError, "the result leaves out the axes of '...'"),
    (lambda: tg.einsum("i1", SIX), UsageError, "einsum: subscripts 'i1': '1' is no index: use letters"),
    (lambda: tg.einsum("i...j...", SIX), UsageError, "'.' is no index"),
    (lambda: tg.einsum("ij->i->j", SIX), UsageError, "'-' is no index"),
    (lambda: tg.einsum(SIX, "ij"), UsageError, "einsum: 'ij' is no list of indices: write the subscripts first"),
    (lambda: tg.einsum(SIX, [0, -1]), UsageError, "einsum: [0, -1] is no list of indices"),
    (lambda: tg.einsum(), UsageError, "einsum: subscripts of 0 operands, and 0 given"),
    (lambda: tg.dot(SIX, np.ones((4, 2, 2))), ShapeError, "dot: (2, 3) and (4, 2, 2): axes (1,) of the first have lengths (3,), axes (1,) of the second (2,)"),
    (lambda: tg.inner(SIX, [1.0]), ShapeError, "inner: (2, 3) and (1,): axes (1,) of the first have lengths (3,)"),
    (lambda: tg.vdot(SIX, [1.0]), ShapeError, "vdot: (2, 3) and (1,): 6 and 1 elements"),
    (lambda: tg.tensordot(SIX, SIX, 1), ShapeError, "tensordot: (2, 3) and (2, 3): axes (1,) of the first have lengths (3,), axes (0,) of the second (2,)"),
    (lambda: tg.tensordot(SIX, SIX, 3), ShapeError, "tensordot: (2, 3) and (2, 3): cannot sum over 3 axes of both"),
    (lambda: tg.tensordot(SIX, SIX, ([0, 1], [0])), ShapeError, "tensordot: (2, 3) and (2, 3): axes (0, 1) of the first"),
    (lambda: tg.tensordot(SIX, SIX, "ab c"), ShapeError, "tensordot: axes 'ab c': give a number, or a pair"),
    (lambda: tg.tensordot(SIX, SIX, (0, 2)), ShapeError, "tensordot: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.vecdot(SIX, [1.0]), ShapeError, "vecdot: (2, 3) and (1,): the summed axes have lengths 3 and 1"),
    (lambda: tg.vecdot(SIX, SIX, axis=2), ShapeError, "vecdot: axis 2 does not exist"),
    (lambda: tg.vecdot(SIX, np.ones((4, 3))), ShapeError, "vecdot: (2, 3) and (4, 3): axis -1 of ... is 2 in operand 0 and 4 in operand 1"),
    (lambda: tg.matvec(SIX, [1.0]), ShapeError, "matvec: (2, 3) and (1,): the summed axes have lengths 3 and 1"),
    (lambda: tg.vecmat(1.0, SIX), ShapeError, "vecmat: axis -1 does not exist in a tensor of shape ()"),
    (lambda: tg.cross(SIX, [1.0, 2.0]), ShapeError, "cross: (2, 3) and (2,): axis -1 must have length 3 in both"),
    (lambda: tg.conv1d(SIX, SIX), ShapeError, "conv1d: signals (2, 3) and filters (2, 3): expected (N, C, L) and (O, C / groups, k)"),
    (lambda: tg.conv1d(SIX[None], SIX[None], padding="full"), UsageError, "conv1d: padding 'full': use 'same', 'valid', or numbers"),
    (lambda: tg.conv1d(SIX[None], SIX[None], stride=2, padding="same"), UsageError, "conv1d: padding 'same' with stride 2: the size is kept with stride 1 only"),
    (lambda: tg.conv1d(SIX[None], SIX[None], stride=(1, 2)), ShapeError, "conv1d: stride (1, 2): expected an integer, or 1 in a tuple"),
    (lambda: tg.conv1d(SIX[None], SIX[None], dilation=1.5), ShapeError, "conv1d: dilation 1.5: expected an integer"),
    (lambda: tg.conv1d(SIX[None], SIX[None, :, :0]), ShapeError, "conv1d: filters of (0,) (dilation 1) do not fit into signals of (3,)"),
    (lambda: tg.conv_transpose1d(SIX, SIX[None]), ShapeError, "conv_transpose1d: signals (2, 3) and filters (1, 2, 3): expected (N, C, L) and (C, O / groups, k)"),
    (lambda: tg.conv_transpose1d(SIX[None], SIX[None]), ShapeError, "conv_transpose1d: signals (1, 2, 3), filters (1, 2, 3), groups 1: the signals have 2 channels, the filters take 1"),
    (lambda: tg.conv_transpose1d(SIX[None], np.ones((2, 2, 3)), output_padding=1), ShapeError, "conv_transpose1d: output_padding 1, stride 1, dilation 1: output_padding must be at least 0, and smaller"),
    (lambda: tg.conv_transpose1d(SIX[None], np.ones((2, 2, 3)), padding=3), ShapeError, "conv_transpose1d: signals of (3,), filters of (3,), padding 3: nothing is left, (-1,)"),
    (lambda: tg.conv_transpose1d(SIX[None], np.ones((2, 2, 3)), np.ones(3)), ShapeError, "conv_transpose1d: bias (3,) and filters (2, 2, 3): expected (2,)"),
    (lambda: tg.convolve(SIX, [1.0]), ShapeError, "convolve: (2, 3) and (1,): expected two vectors of at least one element"),
    (lambda: tg.correlate([1.0], [1.0], "all"), UsageError, "correlate: mode 'all': use 'full', 'same' or 'valid'"),
]  # fmt: skip


@pytest.mark.usefixtures("_six_on_the_device")
@pytest.mark.parametrize(("call", "kind", "message"), ERRORS, ids=[m[:60] for _, _, m in ERRORS])
def test_what_does_not_fit_is_refused_with_the_mend(call, kind, message):
    with pytest.raises(kind) as caught:
        call()

    assert message in str(caught.value)
