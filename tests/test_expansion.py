"""Scalar edges: the entries of an operation's local Jacobian, and how many there are."""

from __future__ import annotations

import math
import tracemalloc

import devices
import numpy as np
import oracles
import pytest
import standin
from cases import CASES

import tinygrad_res as tg
from tinygrad_res import custom, expansion, nests
from tinygrad_res.errors import GradientError, UsageError
from tinygrad_res.expansion import count, entries
from tinygrad_res.families import General

draw = oracles.normal()


def leaf(*shape, dtype=float):
    return tg.tensor(draw(*shape).astype(dtype), requires_grad=True)


def edges(*outputs):
    """Return all (node, position) above some tensors that a gradient flows along."""
    waiting = [y._node for y in outputs]
    found = dict.fromkeys(waiting)
    for node in waiting:  # which grows while it is walked
        for i in node.wanted:
            if node.parents[i] not in found:
                found[node.parents[i]] = None
                waiting.append(node.parents[i])
    return [(node, i) for node in found for i in node.wanted]


def jacobian(node, i):
    """Return the local Jacobian, from one VJP for each output element."""
    size = math.prod(node.shape)
    rows = [
        node.primitive.vjp(node, unit.reshape(node.shape), (i,))[0].reshape(-1)
        for unit in np.eye(size, dtype=node.dtype)
    ]
    return np.array(rows).reshape(size, math.prod(node.parents[i].shape))


def check(node, i, exact=True):
    """Compare the entries of an edge with its Jacobian, and the count with both."""
    rows, columns, derivatives = entries(node, i)
    expected = jacobian(node, i)

    assert (rows.dtype, columns.dtype, derivatives.dtype) == (np.int64, np.int64, np.float64)
    assert len(rows) == len(columns) == len(derivatives)
    keys = [*zip(rows.tolist(), columns.tolist(), strict=True)]
    assert keys == sorted(set(keys))
    assert all(0 <= r < expected.shape[0] and 0 <= c < expected.shape[1] for r, c in keys)
    dense = np.zeros(expected.shape)
    dense[rows, columns] = derivatives
    np.testing.assert_allclose(dense, expected, rtol=1e-12, atol=1e-14, err_msg=repr(node))
    bound = count(node, i)
    assert bound >= len(rows)
    assert not exact or bound == len(rows)


def lists(y, i=0):
    return [part.tolist() for part in entries(y._node, i)]


# Every operation


@pytest.mark.parametrize("case", CASES)
def test_entries_are_the_jacobian_of_every_operation_and_its_derivatives(case):
    f, *shapes = CASES[case]
    f, options = f if isinstance(f, tuple) else (f, {})
    xs = [tg.tensor(x, requires_grad=True) for x in oracles.distinct(*shapes, **options)]
    y = f(*xs)
    cotangent = tg.tensor(np.random.default_rng(0).standard_normal(y.shape), requires_grad=True)
    y.backward(cotangent, create_graph=True)

    for node, i in edges(y, *[x.grad for x in xs]):
        check(node, i, exact=not isinstance(node.primitive, General))


# What is there although it is 0


def test_a_dead_relu_keeps_its_entry():
    x = tg.tensor([-1.0, 2.0], requires_grad=True)
    assert lists(tg.relu(x)) == [[0, 1], [0, 1], [0.0, 1.0]]


def test_the_branch_not_taken_by_where_keeps_its_entry():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = tg.where([True, False], x, 3 * x)
    assert lists(y, 1) == [[0, 1], [0, 1], [1.0, 0.0]]
    assert lists(y, 2) == [[0, 1], [0, 1], [0.0, 1.0]]


def test_elements_below_the_maximum_keep_their_entries():
    x = tg.tensor([[1.0, 3.0], [5.0, 4.0]], requires_grad=True)
    assert lists(tg.max(x, axis=1)) == [[0, 0, 1, 1], [0, 1, 2, 3], [0.0, 1.0, 1.0, 0.0]]


def test_a_weight_of_zero_keeps_its_entry():
    x = leaf(1, 2)
    assert lists(x @ np.array([[0.0, 2.0], [0.0, 3.0]])) == [
        [0, 0, 1, 1], [0, 1, 0, 1], [0.0, 0.0, 2.0, 3.0],
    ]  # fmt: skip


def test_a_filter_of_zeros_keeps_its_entries():
    y = tg.conv2d(leaf(1, 1, 3, 3), np.zeros((1, 1, 2, 2)))
    assert len(entries(y._node, 0)[0]) == count(y._node, 0) == 16


def test_elements_that_a_move_does_not_reach_have_no_entry():
    x = leaf(2)
    assert lists(tg.pad(x, (1, 2), constant_values=7.0)) == [[1, 2], [0, 1], [1.0, 1.0]]
    assert lists(tg.tril(leaf(2, 2))) == [[0, 2, 3], [0, 2, 3], [1.0, 1.0, 1.0]]
    assert lists(tg.concat([leaf(1), x]), 1) == [[1, 2], [0, 1], [1.0, 1.0]]


def test_zeros_of_a_general_operation_are_left_out():
    y = tg.cumulative_sum(leaf(3))
    assert lists(y)[:2] == [[0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]]
    assert count(y._node, 0) == 9


# Shapes


def test_a_broadcast_operand_has_an_entry_for_each_output_element():
    x, y = tg.tensor([[2.0], [3.0]], requires_grad=True), tg.tensor([5.0, 7.0], requires_grad=True)
    assert lists(x * y, 0) == [[0, 1, 2, 3], [0, 0, 1, 1], [5.0, 7.0, 5.0, 7.0]]
    assert lists(x * y, 1) == [[0, 1, 2, 3], [0, 1, 0, 1], [2.0, 2.0, 3.0, 3.0]]


def test_arrays_without_axes_are_one_element():
    x = tg.tensor(3.0, requires_grad=True)
    for y in (
        x * x,
        x.sum(),
        x.reshape((1,)),
        tg.broadcast_to(x, (1,)),
        tg.linalg.det(x * [[1.0]]),
    ):
        check(y._node, 0)
    assert lists(x * x, 1) == [[0], [0], [3.0]]


@pytest.mark.parametrize(
    "f",
    [
        tg.exp, tg.relu, lambda x: x.sum(axis=0), lambda x: x[1:], lambda x: tg.cumulative_sum(x, 1),
        lambda x: x @ np.ones((3, 4)), lambda x: tg.pad(x, 1), lambda x: np.ones((0, 2)).T @ x,
        lambda x: tg.cross(x, x), lambda x: tg.einsum("ij,kj->ik", x, x),
    ],
)  # fmt: skip
def test_arrays_of_no_elements_have_no_entries(f):
    node = f(leaf(0, 3))._node
    assert [len(part) for part in entries(node, node.wanted[0])] == [0, 0, 0]
    assert count(node, node.wanted[0]) == 0


@pytest.mark.parametrize("f", [lambda x: x * x, lambda x: x @ x, lambda x: tg.concat([x, x])])
def test_each_place_of_a_repeated_operand_has_its_own_entries(f):
    node = f(leaf(3, 3))._node
    assert node.parents[0] is node.parents[1]
    check(node, 0)
    check(node, 1)


def test_a_matrix_product_lists_the_other_operand():
    a, b = leaf(2, 3), leaf(3, 2)
    rows, columns, derivatives = entries((a @ b)._node, 1)
    assert rows.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert columns.tolist() == [0, 2, 4, 1, 3, 5] * 2
    oracles.check_same(derivatives, np.repeat(a.numpy(), 2, axis=0).reshape(-1))


def test_windows_that_overlap_are_folded_back_together():
    x = leaf(4)
    y = tg.sliding_windows(x, 2)
    y.backward(tg.tensor(draw(3, 2), requires_grad=True), create_graph=True)
    fold = x.grad._node
    assert fold.primitive.name == "fold"
    assert lists(x.grad)[:2] == [[0, 1, 1, 2, 2, 3], [0, 1, 2, 3, 4, 5]]


def test_a_move_that_adds_up_is_not_taken_for_one_that_copies():
    def run(xp, x):
        return xp.stack([x[0] + x[1], x[2]])

    added = custom.structural(
        run, lambda xp, g, i, shape: xp.stack([g[0], g[0], g[1]]), name="added"
    )  # both of [1 + 2, 3] look like the number of the third element
    assert lists(added(leaf(3))) == [[0, 0, 1], [0, 1, 2], [1.0, 1.0, 1.0]]


def test_probes_go_over_large_jacobians_in_pieces(monkeypatch):
    monkeypatch.setattr(expansion, "CHUNK", 20)
    check(tg.softmax(leaf(2, 4))._node, 0, exact=False)
    check(product()(leaf(2, 3), leaf(3, 4))._node, 1, exact=False)


# Numbers


def test_float32_is_widened_as_it_is():
    x = leaf(3, dtype=np.float32)
    found = entries(tg.tanh(x)._node, 0)[2]
    out = np.tanh(x.numpy())
    assert found.dtype == np.float64
    oracles.check_same(found, (1 - out * out).astype(np.float64))
    w = np.array([[0.1], [0.2], [0.3]], np.float32)
    oracles.check_same(entries((x @ w)._node, 0)[2], w.astype(np.float64)[:, 0])


def test_integers_count_as_floats():
    y = tg.cross(leaf(3), np.array([1, 2, 3], np.uint8))
    assert lists(y)[2] == [3.0, -2.0, -3.0, 1.0, 2.0, -1.0]


def test_infinite_and_undefined_derivatives_appear_as_they_are():
    x = tg.tensor([0.0, 4.0], requires_grad=True)
    assert lists(tg.sqrt(x))[2] == [math.inf, 0.25]
    oracles.check_same(entries((x * [math.nan, -math.inf])._node, 0)[2], [math.nan, -math.inf])
    factors = np.array([[math.inf, 0.0], [1.0, math.nan]])
    found = entries(((x + 1.0) @ factors)._node, 0)[2]
    oracles.check_same(found, [math.inf, 1.0, 0.0, math.nan])


# Primitives of users


SCALED = custom.pointwise(
    np.multiply, lambda xp, _o, _x, y: y, lambda xp, _o, x, _y: x, name="scaled"
)
SPREAD = custom.reduction(
    lambda xp, x, axis, keepdims: xp.exp(x.mean(axis=axis, keepdims=keepdims)),
    lambda xp, out, x, axis, n: out / n + 0 * x, name="spread",
)  # fmt: skip
FIRST = custom.structural(
    lambda xp, x: x[:2],
    lambda xp, g, i, shape: xp.concatenate([g, xp.zeros(shape[0] - 2)]),
    name="first",
)
SUMS = custom.general(
    lambda xp, x: xp.cumsum(x),
    lambda xp, g, wanted, _out, _x: [xp.flip(xp.cumsum(xp.flip(g, 0)), 0)],
    name="sums",
)


@pytest.mark.parametrize(
    ("f", "shapes"),
    [(SCALED, [(2, 1), (3,)]), (SPREAD, [(2, 3)]), (FIRST, [(5,)]), (SUMS, [(4,)])],
)
def test_primitives_of_users_expand_by_their_family(f, shapes):
    y = f(*[leaf(*shape) for shape in shapes])
    for i in y._node.wanted:
        check(y._node, i, exact=f is not SUMS)


def test_one_coefficient_for_all_elements_is_on_each_edge():
    mean = custom.reduction(
        lambda xp, x, axis, keepdims: xp.exp(x.mean(axis=axis, keepdims=keepdims)),
        lambda xp, out, _x, axis, n: out / n, name="mean",
    )  # fmt: skip
    y = mean(tg.tensor([[0.0, 0.0], [1.0, 1.0]], requires_grad=True), axis=1)
    assert lists(y) == [[0, 0, 1, 1], [0, 1, 2, 3], [0.5, 0.5, math.e / 2, math.e / 2]]


def product(**options):
    return custom.contraction(
        lambda xp, a, b: a @ b, lambda xp, g, b, shape: g @ b.T, lambda xp, g, a, shape: a.T @ g,
        name="product", **options,
    )  # fmt: skip


def test_a_contraction_without_terms_is_probed():
    a, b = leaf(2, 3), tg.tensor([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0]], requires_grad=True)
    found, expected = product()(a, b)._node, (a @ b)._node
    for i in (0, 1):
        for ours, theirs in zip(entries(found, i), entries(expected, i), strict=True):
            oracles.check_close(ours, theirs, rtol=1e-14)
        assert count(found, i) == 24


def test_a_contraction_of_users_may_declare_its_terms():
    f = product(terms=lambda *shapes: [nests.labelled(shapes, ["ij", "jk", "ik"])])
    node = f(leaf(2, 3), leaf(3, 4))._node
    check(node, 0)
    check(node, 1)


def test_terms_of_the_same_pair_are_added_up():
    f = custom.contraction(
        lambda xp, a, b: a * b.sum(), lambda xp, g, b, shape: g * b.sum(),
        lambda xp, g, a, shape: xp.broadcast_to((g * a).sum(), shape), name="total",
        terms=lambda *shapes: [nests.labelled(shapes, ["i", "j", "i"])],
    )  # fmt: skip
    node = f(leaf(3), leaf(4))._node
    check(node, 0, exact=False)
    check(node, 1)
    assert count(node, 0) == 12


def test_a_structural_operation_that_only_adds_is_refused():
    blur = custom.structural(
        lambda xp, x: x + xp.roll(x, 1), lambda xp, g, i, shape: g + xp.roll(g, -1), name="blur"
    )
    with pytest.raises(GradientError, match=r"blur: .*define it with tg\.custom\.general"):
        entries(blur(leaf(4))._node, 0)


# Bad questions


@pytest.mark.parametrize("question", [entries, count])
def test_an_operand_without_a_gradient_has_no_edge(question):
    x = leaf(2)
    y = x * np.ones(2)
    for position in (1, 2, -1):
        with pytest.raises(
            GradientError, match=rf"multiply has no edge to an operand {position} .*\(0,\)"
        ):
            question(y._node, position)
    with pytest.raises(GradientError, match="a leaf has no edge"):
        question(x._node, 0)


def test_a_loop_that_leads_beside_two_axes_is_refused():
    axis = nests.Index({"i": 1}, -1)
    nest = nests.Nest({"i": 3}, ((axis,), (axis,), ()))
    with pytest.raises(UsageError, match="lead beside two axes"):
        nests.count(nest, [(2,), (2,), ()])


# Cost


def test_terms_are_counted_without_being_listed():
    n = 10**6
    shapes = [(n, n), (n, n), (n, n)]
    assert nests.count(nests.labelled(shapes, ["ij", "jk", "ik"]), shapes) == n**3


def test_listing_a_convolution_takes_little_more_memory_than_the_list():
    node = tg.conv2d(leaf(2, 8, 12, 12), leaf(8, 8, 3, 3), padding=1)._node
    tracemalloc.start()
    found = entries(node, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * sum(part.nbytes for part in found)


# Devices


def test_entries_come_from_the_device_to_the_host(standing_in, monkeypatch):
    def outputs():
        rng = np.random.default_rng(1)
        x, w = (
            tg.tensor(rng.standard_normal(s), requires_grad=True)
            for s in [(1, 2, 4, 4), (2, 2, 3, 3)]
        )
        h = tg.relu(tg.conv2d(x, w, padding=1))
        h = tg.max_pool2d(h, 2)[:, [1, 0, 1]].reshape(1, -1)
        y = (tg.softmax(h @ np.ones((12, 3)), axis=-1) * h[:, :3] + h[0, 0]).sum()
        return [y, product()(h, np.ones((12, 2)))]

    expected = [entries(*edge) for edge in edges(*outputs())]
    with monkeypatch.context() as patch:
        devices.open_doors(patch, standing_in)
        made = outputs()
    assert {y.device for y in made} == {"cuda"}

    found = [entries(*edge) for edge in edges(*made)]

    for ours, theirs in zip(found, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert type(a) is np.ndarray
            oracles.check_close(a, b, rtol=1e-12)
    assert {t.method for t in standin.transfers} == {"get"}
    assert all("expansion.py" in t.place for t in standin.transfers)
    standin.transfers.clear()
