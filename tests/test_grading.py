"""Gradients by degree, their cost and their moments, against paths pulled one by one."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import oracles
import pytest

import tinygrad_res as tg
from tinygrad_res import batches, grading, nets
from tinygrad_res.errors import GraphError


class Question:
    """A graph, its edges on paths from the output to ``x``, and a cotangent of the output."""

    def __init__(self, output, x, cotangent):
        self.graph = tg.graph(output)
        self.source, self.target = self.graph.output.index, self.graph.find(x).index
        above = {self.target}
        for edge in self.graph.edges:
            above |= {edge.source} if edge.target in above else set()
        below = {self.source}
        for edge in reversed(self.graph.edges):
            below |= {edge.target} if edge.source in below else set()
        self.outgoing = {}
        for edge in self.graph.edges:
            if edge.source in below and edge.target in above:
                self.outgoing.setdefault(edge.source, []).append(edge)
        self.ends = (self.graph, self.outgoing, self.source, self.target)
        self.cotangent = cotangent

    def grades(self, by):
        return [by(edge) for edge in self.graph.edges]

    def graded(self, grades, top, **options):
        return grading.graded_gradient(*self.ends, self.cotangent, grades, top, **options)

    def estimate(self, grades, top, **options):
        return grading.estimate(*self.ends, grades, top, **options)

    def moments(self, grades):
        return grading.moments(*self.ends, self.cotangent, grades)

    def routes(self, node, end):
        """Yield all paths between two nodes, edge by edge."""
        if node == end:
            yield ()
        for edge in self.outgoing.get(node, ()):
            yield from ((edge, *rest) for rest in self.routes(edge.target, end))

    def parts(self, grades):
        """Return the sum of the products of the paths of each degree."""
        found = {}
        for path in self.routes(self.source, self.target):
            g = self.cotangent
            for edge in path:
                record = self.graph.nodes[edge.source].record
                (g,) = record.primitive.vjp(record, g, [edge.position])
            k = sum(grades[edge.index] for edge in path)
            found[k] = found.get(k, 0) + oracles.host(g)
        return found


GRADES = {
    "weight": lambda e: e.weight,
    "length": lambda e: 1,
    "with gaps": lambda e: 5 * e.weight + 3 * (e.index % 2),
    "nothing": lambda e: 0,
}


def program(seed, put, size=8, dtype=float):
    """Return a question about a random program, with parallel edges and values used again."""
    rng = np.random.default_rng(seed)
    x = tg.tensor(rng.standard_normal((3, 3)).astype(dtype), requires_grad=True)
    values = [x]
    for _ in range(size):
        a, b = (values[i] for i in rng.integers(max(0, len(values) - 4), len(values), 2))
        w = tg.parameter(rng.standard_normal((3, 3)).astype(dtype))
        makers = (
            lambda a=a, b=b: a + b, lambda a=a: a + a, lambda a=a, b=b: a * b - b,
            lambda a=a, w=w: a @ w, lambda a=a, b=b: a @ b.T, lambda a=a: tg.tanh(a),
            lambda a=a: tg.softmax(a), lambda a=a, b=b: a + b.mean(axis=0),
            lambda a=a, b=b: tg.concat([a, b], 0)[1:4], lambda a=a, w=w: tg.layer_norm(a, 3, w[0]),
            lambda a=a: tg.relu(a).reshape(-1)[::-1].reshape((3, 3)),
        )  # fmt: skip
        values.append(makers[rng.integers(len(makers))]())
    output = values[-1] * values[-2] + values[-3]
    return Question(output, x, put(rng.standard_normal((3, 3)).astype(dtype)))


def chain(blocks, width=4, batch=3, dtype=float):
    """Return a question about residual blocks of two weight layers each."""
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.standard_normal((batch, width)).astype(dtype), requires_grad=True)
    for _ in range(blocks):
        a, b = (
            tg.parameter(rng.standard_normal((width, width)).astype(dtype) / width) for _ in "ab"
        )
        h = h + tg.tanh(h @ a) @ b
    return Question(h, x, np.ones((batch, width), dtype))


def check_parts(found, expected):
    assert list(found) == sorted(expected)
    for k, g in found.items():
        scale = 1e-13 * max(1.0, float(np.abs(expected[k]).max()))
        oracles.check_close(g, expected[k], rtol=1e-11, atol=scale, what=f"degree {k}")


@pytest.mark.parametrize("by", GRADES)
@pytest.mark.parametrize("seed", range(12))
def test_parts_are_the_sums_over_the_paths_of_each_degree(seed, by, put):
    q = program(seed, put)
    grades = q.grades(GRADES[by])
    expected = q.parts(grades)
    assert expected
    check_parts(q.graded(grades, max(expected)), expected)


@pytest.mark.parametrize("seed", range(8))
def test_degrees_outside_the_bounds_are_left_out_and_the_others_exact(seed, put):
    q = program(seed, put)
    grades = q.grades(GRADES["with gaps"])
    expected = q.parts(grades)
    for bottom, top in itertools.combinations_with_replacement(range(0, max(expected) + 3, 3), 2):
        some = {k: g for k, g in expected.items() if bottom <= k <= top}
        check_parts(q.graded(grades, top, bottom=bottom), some)
    assert q.graded(grades, -1) == {}


@pytest.mark.parametrize("seed", range(8))
def test_degrees_are_live_where_a_path_has_them_and_ends_within_the_bounds(seed, put):
    q = program(seed, put)
    grades = q.grades(GRADES["with gaps"])
    bottom, top = 4, 12
    found = grading.live(q.outgoing, q.source, q.target, grades, top, bottom)

    def degrees(start, end):
        return {sum(grades[e.index] for e in path) for path in q.routes(start, end)}

    for node in (*q.outgoing, q.target):
        onward = degrees(node, q.target)
        expected = {
            k for k in degrees(q.source, node) if any(bottom <= k + r <= top for r in onward)
        }
        assert found[node] == tuple(sorted(expected))


def test_an_output_that_is_the_input_has_degree_0_alone(put):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    q = Question(tg.tanh(x), x, put(np.array([3.0, 4.0])))
    found = grading.graded_gradient(q.graph, {}, q.target, q.target, q.cotangent, [1], 5)
    check_parts(found, {0: np.array([3.0, 4.0])})
    assert grading.estimate(q.graph, {}, q.source, -1, [1], 5).cotangents == 0


def test_degrees_may_be_few_and_far_between(put):
    q = program(2, put)
    grades = q.grades(lambda e: 10**12 * e.weight + 10**24 * e.activation)
    expected = q.parts(grades)
    assert 1 < len(expected) < max(expected)
    check_parts(q.graded(grades, max(expected)), expected)


@pytest.mark.cpu
def test_scalars_have_no_arrays_to_pull_cotangents_through():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    scalars = tg.graph((x * x).sum()).scalar()
    last = len(scalars.nodes) - 1
    edges = [edge for edge in scalars.edges if edge.source == last]
    with pytest.raises(GraphError, match=r"sum \(node 4\) is no recorded array"):
        grading.pull(scalars.nodes[last], np.ones(()), edges)
    with pytest.raises(GraphError, match="ask about paths at level='tensor'"):
        grading.estimate(scalars, {last: edges[:1]}, last, edges[0].target, [0] * 6, 0)


def test_parts_by_a_single_number_are_arrays_without_axes(put):
    x = tg.tensor(2.0, requires_grad=True)
    q = Question(x * tg.tanh(x), x, put(np.array(1.0)))
    for g in (*q.graded(q.grades(GRADES["length"]), 2).values(), *q.moments([1] * 3)):
        assert type(g) is type(q.cotangent)
        assert g.shape == ()


def test_single_precision_stays_single(put):
    q = program(1, put, dtype=np.float32)
    grades = q.grades(GRADES["weight"])
    parts = (*q.graded(grades, 99).values(), *q.moments(grades))
    assert {g.dtype for g in parts} == {np.dtype(np.float32)}


def test_what_is_given_is_not_written_to(put):
    q = program(3, put)
    before = oracles.host(q.cotangent).copy()
    first = q.graded(q.grades(GRADES["length"]), 99)
    again = q.graded(q.grades(GRADES["length"]), 99)
    oracles.check_same(q.cotangent, before)
    for k, g in first.items():
        oracles.check_same(again[k], g)


@pytest.mark.cpu
def test_a_chain_of_ten_thousand_operations_needs_no_stack_of_calls():
    x = h = tg.tensor([1.0], requires_grad=True)
    for _ in range(10_000):
        h = h * 1.0
    q = Question(h, x, np.ones(1))
    np.testing.assert_array_equal(q.graded([0] * 10_000, 0)[0], [1.0])


# Cost


@pytest.mark.parametrize(("top", "bottom"), [(99, 0), (9, 0), (12, 6)])
@pytest.mark.parametrize("seed", range(6))
def test_the_estimate_counts_the_cotangents_that_are_pulled(seed, top, bottom, put, monkeypatch):
    q, pulled = program(seed, put), []
    pull = batches.pull

    def counted(node, stack, wanted):
        pulled.append(len(stack) * len(wanted))
        return pull(node, stack, wanted)

    monkeypatch.setattr(batches, "pull", counted)
    grades = q.grades(GRADES["with gaps"])
    q.graded(grades, top, bottom=bottom)
    assert q.estimate(grades, top, bottom=bottom).cotangents == sum(pulled)


@pytest.mark.cpu
def test_a_chain_of_blocks_costs_half_as_many_passes_as_it_has_degrees():
    n, q = 12, chain(12)
    grades = q.grades(GRADES["weight"])
    # Block i has i live degrees on its shortcut, on its sum and within its branch: 5 edges.
    cost = q.estimate(grades, 2 * n)
    assert cost.cotangents == 5 * sum(range(1, n + 1))
    assert cost.passes == (n + 1) / 2
    assert q.estimate(grades, 0).cotangents == n  # along the shortcuts
    assert str(cost).startswith("390 cotangents to pull, as in 6.5 backward passes, and at most ")


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "999 bytes"), (1500, "1.5 kB"), (2.5e6, "2.5 MB"), (4e12, "4,000.0 GB")],
)
@pytest.mark.cpu
def test_a_cost_reads_as_one_line(size, text):
    assert str(grading.Cost(1000, 2.0, int(size))) == (
        f"1,000 cotangents to pull, as in 2.0 backward passes, and at most {text} of them at a time"
    )


def peak(q, grades, top):
    """Return the most bytes that a graded gradient held at a time."""
    q.graded(grades, top)
    tracemalloc.start()
    try:
        q.graded(grades, top)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.cpu
def test_memory_grows_with_the_live_degrees_alone():
    """At most the graded cotangents of two blocks: of h and of three values in the branch."""
    width, batch = 64, 32
    one = batch * width * 4
    for blocks in (6, 12, 24):
        q = chain(blocks, width, batch, np.float32)
        grades = q.grades(GRADES["weight"])
        for degrees in (3, blocks + 1):
            held = peak(q, grades, 2 * degrees - 2)
            assert held < 2 * degrees * 4 * one
            estimate = q.estimate(grades, 2 * degrees - 2).peak_bytes
            assert 0.5 * estimate < held < estimate + 6 * one


@pytest.mark.cpu
def test_operands_that_were_stretched_are_in_the_estimate():
    x = tg.tensor(np.linspace(0, 1, 50), requires_grad=True)
    big = np.ones((400, 50))
    h = tg.logsumexp(x * big, axis=0)
    for _ in range(6):
        h = h + tg.tanh(h)
    q = Question(h, x, np.ones(50))
    grades = q.grades(lambda e: e.activation)
    one, held = big.nbytes, peak(q, grades, 6)
    assert 14 * one < held < 1.05 * q.estimate(grades, 6).peak_bytes + 3 * one
    assert q.estimate(grades, 6).peak_bytes < 15 * one


@pytest.mark.cpu
def test_the_bar_counts_cotangents_to_the_end(monkeypatch):
    import tqdm

    seen = []

    class Bar:
        def __init__(self, **options):
            seen.append(options)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            seen.append("closed")

        def update(self, n):
            seen.append(n)

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    q = chain(5)
    grades = q.grades(GRADES["weight"])
    q.graded(grades, 4, progress="by weight")
    options, *updates, last = seen
    assert (options["desc"], options["unit"], last) == ("by weight", "cotangent", "closed")
    assert sum(updates) == options["total"] == q.estimate(grades, 4).cotangents


# Moments


@pytest.mark.parametrize("by", GRADES)
@pytest.mark.parametrize("seed", range(8))
def test_moments_are_the_sums_of_powers_of_the_degree_times_the_parts(seed, by, put):
    q = program(seed, put)
    grades = q.grades(GRADES[by])
    parts = q.parts(grades)
    found = q.moments(grades)
    assert len(found) == 3
    for j, g in enumerate(found):
        expected = sum(k**j * part for k, part in parts.items())
        scale = sum(k**j * np.abs(part).max() for k, part in parts.items())
        oracles.check_close(g, expected, rtol=1e-11, atol=1e-13 * scale)


@pytest.mark.cpu
def test_moments_of_a_linear_residual_chain_are_those_of_a_binomial():
    x = h = tg.tensor(np.ones((1, 1)), requires_grad=True)
    n, a = 30, 0.25
    w = tg.parameter(np.array([[a]]))
    for _ in range(n):
        h = h + h @ w
    q = Question(h, x, np.ones((1, 1)))
    g, first, second = (float(v[0, 0]) for v in q.moments(q.grades(GRADES["weight"])))
    p = a / (1 + a)
    assert g == pytest.approx((1 + a) ** n, rel=1e-13)
    assert first / g == pytest.approx(n * p, rel=1e-13)
    assert second / g - (first / g) ** 2 == pytest.approx(n * p * (1 - p), rel=1e-11)


@pytest.mark.cpu
def test_moments_cost_three_passes_however_many_degrees_there_are(monkeypatch):
    rng = np.random.default_rng(0)
    network = nets.residual_mlp(200, inputs=2, width=2, rng=rng)
    x = tg.tensor(rng.standard_normal((1, 2)), requires_grad=True)
    q = Question(network(x), x, np.ones((1, 10)))
    pulled, pull = [], batches.pull

    def counted(node, stack, wanted):
        pulled.append(len(stack) * len(wanted))
        return pull(node, stack, wanted)

    monkeypatch.setattr(batches, "pull", counted)
    grades = q.grades(GRADES["weight"])
    found = q.moments(grades)
    assert sum(pulled) == 3 * sum(map(len, q.outgoing.values()))
    parts = q.graded(grades, 402)
    assert len(parts) == 201
    for j, g in enumerate(found):
        np.testing.assert_allclose(g, sum(k**j * p for k, p in parts.items()), rtol=1e-10)


@pytest.mark.cpu
def test_a_part_of_one_path_is_its_product():
    q = chain(3)
    grades = q.grades(GRADES["weight"])
    parts = q.graded(grades, 6)
    np.testing.assert_array_equal(parts[0], q.cotangent)
    assert math.comb(3, 1) == sum(
        1 for path in q.routes(q.source, q.target) if sum(grades[e.index] for e in path) == 2
    )


@pytest.mark.cpu
@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
def test_norms_leave_the_range_of_squares(size):
    assert grading.norm(np.array([[2.0, -3.0], [6.0, 0.0]]) * size) == pytest.approx(7 * size)
    assert grading.norm(np.zeros((0, 2))) == 0.0
    assert grading.norm(np.array([1.0, -np.inf])) == np.inf
