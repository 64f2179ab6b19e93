"""Paths: exact counts and exact parts of the gradient, against enumeration."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import nets
from tinygrad_res.errors import GradientError, GraphError, UsageError

RNG = np.random.default_rng(1)


def weight(*shape, name=None):
    return tg.parameter(RNG.standard_normal(shape) / math.sqrt(shape[0]), name=name)


def residual_chain(blocks, width=4, keep=None):
    """Return input and loss of a residual chain.

    ``keep`` cuts every path but one, with stop_gradient: for each block, True keeps the
    branch and False the shortcut.  It is how one path's product is found without paths.
    """
    rng = np.random.default_rng(2)
    x = tg.tensor(rng.standard_normal((3, width)), requires_grad=True, name="x")
    h = x
    for i in range(blocks):
        w1, w2 = (tg.parameter(rng.standard_normal((width, width)) / 2) for _ in "ab")
        with tg.scope(f"block{i + 1}"):
            with tg.scope("branch", branch=True):
                inner = tg.tanh(h @ w1) @ w2
            outer = h
            if keep is not None:
                inner, outer = (
                    (inner, tg.stop_gradient(outer))
                    if keep[i]
                    else (tg.stop_gradient(inner), outer)
                )
            h = outer + inner
    return x, (h * rng.standard_normal((3, width))).sum()


def random_program(seed, size=9):
    """Return input and loss of a random program, with parallel edges and fan-out."""
    rng = np.random.default_rng(seed)
    x = tg.tensor(rng.standard_normal((3, 3)), requires_grad=True, name="x")
    values = [x]
    for _ in range(size):
        a, b = (values[i] for i in rng.integers(0, len(values), 2))
        w = tg.parameter(rng.standard_normal((3, 3)))
        makers = (
            lambda a=a, b=b: a + b, lambda a=a, b=b: a * b, lambda a=a, w=w: a @ w,
            lambda a=a: tg.tanh(a), lambda a=a: tg.sigmoid(a.T), lambda a=a, b=b: a @ b,
            lambda a=a, b=b: tg.concat([a, b], 0)[1:4],
        )  # fmt: skip
        values.append(makers[rng.integers(len(makers))]())
    return x, (values[-1] * values[-2]).sum()


def brute_force_count(loss, x):
    """Count paths by listing them with networkx."""
    g = tg.graph(loss)
    return sum(
        1 for _ in nx.all_simple_edge_paths(g.to_networkx(), g.output.index, g.find(x).index)
    )


@pytest.mark.parametrize("seed", range(20))
def test_counts_agree_with_brute_force_on_random_programs(seed):
    x, loss = random_program(seed)
    p = tg.paths(loss, x)
    listed = list(p)
    assert p.count() == len(p) == len(listed) == brute_force_count(loss, x)
    for by in ("weight", "activation", "length"):
        degrees = [path.degree(by) for path in listed]
        assert p.count_by(by) == {k: degrees.count(k) for k in sorted(set(degrees))}


@pytest.mark.parametrize("seed", range(20))
def test_products_of_all_paths_sum_to_the_gradient(seed):
    x, loss = random_program(seed)
    loss.backward()
    p = tg.paths(loss, x)
    total = sum(path.product() for path in p)
    np.testing.assert_allclose(total, x.grad.data, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(p.gradient(), x.grad.data, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "by", ["weight", "activation", "length", lambda e: 2 * e.weight + e.index % 2]
)
@pytest.mark.parametrize("seed", range(8))
def test_graded_gradients_agree_with_enumeration(seed, by):
    x, loss = random_program(seed)
    p = tg.paths(loss, x)
    expected: dict = {}
    for path in p:
        k = path.degree(by)
        expected[k] = expected.get(k, 0) + path.product()
    graded = p.gradient_by(by)
    assert list(graded) == sorted(expected)
    for k, g in graded.items():
        np.testing.assert_allclose(g, expected[k], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("keep", list(itertools.product([False, True], repeat=3)))
def test_product_of_one_path_is_the_gradient_with_all_others_cut(keep):
    x, loss = residual_chain(3)
    p = tg.paths(loss, x)
    cut_x, cut_loss = residual_chain(3, keep=keep)
    cut_loss.backward()
    blocks_crossed = [f"block{i + 1}/branch" for i in range(3) if keep[i]]
    (path,) = [
        q for q in p
        if {n.scope for n in q.nodes if n.scope.endswith("branch")} == set(blocks_crossed)
    ]  # fmt: skip
    assert path.degree("weight") == 2 * sum(keep)
    assert path.degree("block") == sum(keep)
    np.testing.assert_allclose(path.product(), cut_x.grad.data, rtol=1e-12)


def test_residual_chain_counts_are_binomial():
    x, loss = residual_chain(5)
    p = tg.paths(loss, x)
    assert p.count_by("weight") == {2 * k: math.comb(5, k) for k in range(6)}
    assert p.count_by("block") == {k: math.comb(5, k) for k in range(6)}


def test_weight_free_path_of_a_residual_chain_is_the_cotangent_itself():
    x, loss = residual_chain(4)
    free = tg.paths(loss, x).weight_free()
    assert free.count() == 1
    (path,) = free
    assert {free.graph.nodes[e.source].op for e in path.edges} == {"sum", "multiply", "add"}
    cut_x, cut_loss = residual_chain(4, keep=[False] * 4)
    cut_loss.backward()
    np.testing.assert_allclose(free.gradient(), cut_x.grad.data, rtol=1e-14)


def test_with_degree_selects_exactly_the_paths_of_that_degree():
    x, loss = residual_chain(4)
    p = tg.paths(loss, x)
    graded = p.gradient_by("weight")
    for k, n in p.count_by("weight").items():
        chosen = p.with_degree("weight", k)
        assert chosen.count() == n == len(list(chosen))
        assert all(path.degree("weight") == k for path in chosen)
        np.testing.assert_allclose(chosen.gradient(), graded[k], rtol=1e-12)
    assert p.with_degree("weight", 3).count() == 0
    assert list(p.with_degree("weight", 100)) == []
    assert not p.with_degree("weight", 100).gradient().any()


def test_two_demanded_degrees_hold_together():
    x, loss = random_program(3, size=12)
    p = tg.paths(loss, x)
    listed = [(q.degree("weight"), q.degree("length")) for q in p]
    for a, b in sorted(set(listed)):
        both = p.with_degree("weight", a).with_degree("length", b)
        assert both.count() == listed.count((a, b)) == len(list(both))
        assert both.count_by("length") == {b: listed.count((a, b))}


def test_two_demanded_degrees_do_not_run_into_each_other():
    x = tg.tensor(RNG.standard_normal((2, 3)), requires_grad=True)
    p = tg.paths((x @ weight(3, 3) + tg.tanh(x)).sum(), x)
    for a, b in itertools.product(range(3), repeat=2):
        expected = int(a + b == 1)
        assert p.with_degree("weight", a).with_degree("activation", b).count() == expected
        assert p.with_degree("activation", b).with_degree("weight", a).count() == expected


def test_through_and_avoiding_split_the_set():
    x = tg.tensor(RNG.standard_normal((2, 3)), requires_grad=True, name="x")
    a, b = tg.tanh(x), tg.sigmoid(x)
    c = a * b + a
    loss = (c * c + b).sum()
    p = tg.paths(loss, x)
    for t in (a, b, c):
        inside, outside = p.through(t), p.avoiding(t)
        node = p.graph.find(t)
        assert inside.count() == sum(node in path.nodes for path in p)
        assert inside.count() + outside.count() == p.count()
        np.testing.assert_allclose(inside.gradient() + outside.gradient(), p.gradient())
    assert p.through(a).through(b).count() == 0
    assert p.through(c).through(b).count() == sum(
        {p.graph.find(b), p.graph.find(c)} <= set(path.nodes) for path in p
    )


@pytest.mark.parametrize("seed", range(12))
def test_any_combination_of_restrictions_agrees_with_enumeration(seed):
    x, loss = random_program(seed, size=11)
    everything = tg.paths(loss, x)
    rng = np.random.default_rng(seed)
    listed = list(everything)
    candidates = sorted({n for path in listed for n in path.nodes}, key=lambda n: n.index)[1:-1]
    for _ in range(6):
        chosen = [candidates[i] for i in rng.integers(0, len(candidates), 2)]
        tensors = [tg.Tensor(np.zeros(n.shape), n.record) for n in chosen]
        by, other = rng.permutation(["weight", "activation", "length"])[:2]
        degree = listed[rng.integers(len(listed))].degree(by)
        found = everything.through(tensors[0]).with_degree(by, degree).avoiding(tensors[1])
        expected = [
            p for p in listed
            if chosen[0] in p.nodes and chosen[1] not in p.nodes and p.degree(by) == degree
        ]  # fmt: skip
        assert [p.edges for p in found] == [p.edges for p in expected]
        assert found.count() == len(expected)
        degrees = [p.degree(other) for p in expected]
        assert found.count_by(other) == {k: degrees.count(k) for k in sorted(set(degrees))}
        parts = found.gradient_by(other)
        for k in set(degrees):
            whole = sum(p.product() for p in expected if p.degree(other) == k)
            np.testing.assert_allclose(parts[k], whole, rtol=1e-9, atol=1e-12)
        assert set(parts) == set(degrees)


@pytest.mark.parametrize("doublings", range(1, 80))
def test_counts_of_every_size_fit_their_coefficients(doublings):
    x = h = tg.tensor([1.0], requires_grad=True)
    for _ in range(doublings):
        h = h + h
    p = tg.paths(h, x)
    assert p.count_by("length") == {doublings: 2**doublings}
    assert p.with_degree("length", doublings).count() == 2**doublings


def test_graded_parts_have_the_dtype_of_the_input():
    x = tg.tensor(np.ones(3, np.float32), requires_grad=True)
    loss = (x * np.array([1.0, 2.0, 3.0]) + tg.tanh(x)).sum()
    parts = tg.paths(loss, x).gradient_by("activation")
    assert {g.dtype for g in parts.values()} == {np.dtype(np.float32)}


def test_arrays_handed_out_are_nobody_elses():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    cotangent = tg.tensor([1.0, 1.0])
    p = tg.paths(x + (x + 0.0), x, cotangent=cotangent)
    parts = p.gradient_by("length")
    parts[1] += 6
    p[0].product()[0] = 9
    whole = p.gradient()
    whole += 1
    np.testing.assert_array_equal(p.gradient(), [2, 2])
    np.testing.assert_array_equal(parts[2], [1, 1])
    np.testing.assert_array_equal(cotangent.data, [1, 1])


@pytest.mark.parametrize(
    ("dtype", "size"), [("f4", 1e-24), ("f4", 1e25), ("f8", 1e-170), ("f8", 1e200)]
)
def test_shares_of_very_small_and_very_large_gradients_are_exact(dtype, size):
    x = tg.tensor(np.ones(2, dtype), requires_grad=True)
    loss = ((x + tg.relu(x) * 3) * np.asarray(size, dtype)).sum()
    shares = tg.paths(loss, x).shares("activation")
    assert shares == pytest.approx({0: 0.25, 1: 0.75}, rel=1e-6)


def test_start_and_end_must_lie_on_the_way():
    x, _ = residual_chain(2)
    middle = tg.tanh(x)
    total = (middle * 2).sum()
    with pytest.raises(GraphError, match="give start, the tensor nearer the output"):
        tg.paths(total, x, start=x, end=middle)
    side = (tg.tanh(x) + x * 2).sum()
    with pytest.raises(GraphError, match="is not in this graph"):
        tg.paths(side, x, start=middle)


def test_ends_are_on_every_path():
    x, loss = residual_chain(2)
    p = tg.paths(loss, x)
    assert p.through(x).count() == p.through(loss).count() == p.count()
    assert p.avoiding(x).count() == p.avoiding(loss).count() == 0
    itself = tg.paths(x, x, cotangent=np.ones((3, 4)))
    assert itself.count() == 1
    assert itself[0] in itself
    assert itself.avoiding(x).count() == 0


def test_numpy_integers_number_paths_and_degrees():
    x, loss = residual_chain(2)
    p = tg.paths(loss, x)
    assert p[np.int64(1)].edges == p[1].edges
    assert p.with_degree("weight", np.int64(2)).count() == 2


def test_paths_are_numbered_in_the_order_of_iteration():
    x, loss = random_program(5, size=12)
    everything = tg.paths(loss, x)
    degree = max(everything.count_by("length"))
    for p in (everything, everything.with_degree("length", degree)):
        listed = [path.edges for path in p]
        assert [p[r].edges for r in range(len(p))] == listed
        assert p[-1].edges == listed[-1]
        assert all(path in p for path in p)
        with pytest.raises(IndexError, match=f"the numbers are 0 to {len(listed) - 1}"):
            p[len(listed)]


def test_membership_asks_for_edges_and_degree():
    x, loss = residual_chain(3)
    p = tg.paths(loss, x)
    free = p.weight_free()
    assert [path in free for path in p] == [path.degree() == 0 for path in p]
    assert "path" not in p


def test_degrees_are_counted_between_start_and_end_only():
    network = nets.residual_mlp(3, inputs=4, width=4, rng=np.random.default_rng(0))
    x = tg.tensor(RNG.standard_normal((2, 4)), requires_grad=True)
    end = network.stem(x)
    start = network.body(end)
    loss = network.head(start).sum()
    assert tg.paths(loss, x).count_by() == {2: 1, 4: 3, 6: 3, 8: 1}
    p = tg.paths(loss, x, start=start, end=end)
    assert p.count_by() == {0: 1, 2: 3, 4: 3, 6: 1}
    assert p.weight_free().count() == 1
    np.testing.assert_allclose(sum(p.gradient_by().values()), p.gradient(), rtol=1e-12)


def test_shares_sum_to_one_and_are_projections_on_the_gradient():
    x, loss = residual_chain(4)
    p = tg.paths(loss, x)
    shares, whole = p.shares("weight"), p.gradient()
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    for k, g in p.gradient_by("weight").items():
        assert shares[k] == pytest.approx(np.vdot(g, whole) / np.vdot(whole, whole))


def test_max_degree_leaves_the_rest_out():
    x, loss = residual_chain(4)
    p = tg.paths(loss, x)
    whole = p.gradient_by("weight")
    some = p.gradient_by("weight", max_degree=4)
    assert list(some) == [0, 2, 4]
    for k in some:
        np.testing.assert_array_equal(some[k], whole[k])


def test_six_hundred_blocks_are_counted_and_numbered_exactly():
    network = nets.residual_mlp(600, inputs=2, width=2, rng=np.random.default_rng(0))
    x = tg.tensor(RNG.standard_normal((1, 2)), requires_grad=True)
    p = tg.paths(network(x).sum(), x)
    assert p.count() == 2**600
    counts = p.count_by("weight")
    assert counts == {2 * k + 2: math.comb(600, k) for k in range(601)}
    path = p[2**600 - 1]
    assert path.degree() == 1202
    assert p.with_degree("weight", 4).count() == 600
    assert next(iter(p)).degree() == 2
    with pytest.raises(OverflowError, match=r"use \.count\(\)"):
        len(p)


def test_joints_are_the_nodes_on_every_path():
    x, loss = random_program(7, size=12)
    p = tg.paths(loss, x)
    common = set.intersection(*(set(path.nodes) for path in p))
    assert set(p.joints()) == common
    assert math.prod(s.count() for s in p.segments()) == p.count()


def test_segments_of_a_residual_chain_are_its_blocks():
    x, loss = residual_chain(3)
    blocks = [s for s in tg.paths(loss, x).segments() if s.count() > 1]
    assert [s.count_by("weight") for s in blocks] == [{0: 1, 2: 1}] * 3


def test_examples_whose_counts_are_known():
    x = tg.tensor(RNG.standard_normal(2), requires_grad=True)
    y = tg.tensor(RNG.standard_normal(2), requires_grad=True)
    z = tg.tensor(RNG.standard_normal(2), requires_grad=True)
    f = (x * y * z + x / y / z - y * x / z).sum()
    assert [tg.paths(f, t).count() for t in (x, y, z)] == [3, 3, 3]
    assert tg.paths((3 * x + x**2).sum(), x).count() == 2
    assert tg.paths((3 * x + x * x).sum(), x).count() == 3


def test_independent_input_has_no_paths_and_a_zero_gradient():
    _, loss = residual_chain(2)
    other = tg.tensor(np.ones((2, 5), np.float32), requires_grad=True)
    p = tg.paths(loss, other)
    assert (p.count(), p.count_by(), list(p), p.shares(), p.gradient_by()) == (0, {}, [], {}, {})
    assert not p
    assert p.gradient().shape == (2, 5)
    assert p.gradient().dtype == np.float32
    assert not p.gradient().any()
    assert p.joints() == p.segments() == ()


def test_output_of_several_elements_needs_a_cotangent_for_products_only():
    x = tg.tensor(RNG.standard_normal((2, 3)), requires_grad=True)
    y = tg.tanh(x) + x
    assert tg.paths(y, x).count() == 2
    with pytest.raises(GradientError, match="pass cotangent="):
        tg.paths(y, x).gradient()
    c = RNG.standard_normal((2, 3))
    y.backward(c)
    np.testing.assert_allclose(tg.paths(y, x, cotangent=c).gradient(), x.grad.data)


def test_bad_questions_are_refused_before_any_work():
    x, loss = residual_chain(2)
    with pytest.raises(GradientError, match=r"carries no gradient \(dtype int64\)"):
        tg.paths(loss, tg.tensor([1, 2]))
    with pytest.raises(GraphError, match="expected a tensor to lead to, got ndarray"):
        tg.paths(loss, np.ones(3))
    p = tg.paths(loss, x)
    with pytest.raises(UsageError, match="degree=-1: pass an int of at least 0"):
        p.with_degree("weight", -1)
    with pytest.raises(UsageError, match="numbered by an int, not by str"):
        p["first"]
    with pytest.raises(GraphError, match="is not in this graph"):
        p.through(tg.tensor([1.0], requires_grad=True))
    zero = (x * 0).sum()
    for ask in ("shares", "expected", "cancellation"):
        with pytest.raises(GraphError, match=f"{ask}: the gradient is zero"):
            getattr(tg.paths(zero, x), ask)()


def test_the_mean_of_a_demanded_degree_is_that_of_its_paths():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True)
    W = tg.parameter(np.diag([0.5, 0.25]))
    h = tg.tanh(x + x @ W) + x
    p = tg.paths((h + h @ W).sum(), x).with_degree("activation", 1)
    parts = p.gradient_by("weight")
    whole = sum(parts.values())
    shares = {k: (g * whole).sum() / (whole**2).sum() for k, g in parts.items()}
    mean = sum(k * s for k, s in shares.items())
    variance = sum((k - mean) ** 2 * s for k, s in shares.items())
    assert {*shares} == {0, 1, 2}
    assert p.expected("weight") == pytest.approx((mean, variance), rel=1e-12)
    assert p.expected("activation") == pytest.approx((1.0, 0.0), abs=1e-12)


def test_gradients_too_small_for_their_inverse_have_means_like_others():
    x = tg.tensor([1.0, 1.0], requires_grad=True)
    y = (x + x @ tg.parameter(np.eye(2))).sum()
    p = tg.paths(y, x, cotangent=4e-320)
    assert p.expected() == pytest.approx((0.5, 0.25))
    assert p.cancellation() == pytest.approx(1.0, rel=1e-9)


def test_questions_about_paths_leave_gradients_alone():
    x, loss = residual_chain(2)
    loss.backward()
    before = x.grad.numpy()
    tg.paths(loss, x).gradient_by("weight")
    np.testing.assert_array_equal(x.grad.data, before)
