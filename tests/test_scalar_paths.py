"""Paths between numbers: every question, against the paths of random programs one by one."""

import itertools
import math

import numpy as np
import path_programs as programs
import pytest
from path_programs import (
    GRADINGS,
    by_degree,
    case,
    degree,
    every_program,
    key,
    product,
    products,
    steps,
)  # fmt: skip

import tinygrad_res as tg
from tinygrad_res.errors import GraphError


def own_grading(edge):
    return 2 * edge.weight + edge.position + (edge.family == "pointwise")


def tensors(output):
    """Return every tensor above an output, as tensors of their own."""
    return [tg.Tensor(np.zeros(node.shape), node.record) for node in tg.graph(output).nodes]


def same(paths, listed):
    """Say whether a set holds the listed paths, in their order, and counts them."""
    return paths.count() == len(listed) and [*map(steps, paths)] == [*map(key, listed)]


# Which paths, and how many


@every_program
def test_paths_are_the_listed_ones_in_lexicographic_order(program, seed):
    x, y, _, p, listed = case(program, seed)
    assert same(p, listed)
    assert same(tg.paths(y, x, level="scalar"), listed)  # a count needs no cotangent
    for r, path in enumerate(listed):
        assert steps(p[r]) == key(path)
        assert p.rank(p[r]) == r
        assert p[r] in p
        assert p[r].product() == pytest.approx(product(path), rel=1e-12, abs=0)
        mantissa, exponent = p[r].scaled()
        assert math.ldexp(mantissa, exponent) == pytest.approx(product(path), rel=1e-12, abs=0)
    for some in (slice(3, 20, 4), slice(None, None, -5), slice(-4, None)):
        assert [*map(steps, p[some])] == [*map(key, listed[some])]


@every_program
def test_active_paths_are_those_whose_product_is_not_zero(program, seed):
    *_, p, listed = case(program, seed)
    active = [path for path in listed if product(path)]
    assert same(p.active(), active)
    assert p.active().count_by("length") == {
        k: len(those) for k, those in by_degree(active, "length").items()
    }


@pytest.mark.parametrize("by", [*GRADINGS, own_grading])
@every_program
def test_paths_of_each_degree_and_their_gradients(program, seed, by):
    x, _, _, p, listed = case(program, seed)
    expected = by_degree(listed, by)
    assert p.count_by(by) == {k: len(those) for k, those in expected.items()}
    parts = p.gradient_by(by)
    assert [*parts] == [*expected]
    for k, those in expected.items():
        assert same(p.with_degree(by, k), those)
        np.testing.assert_allclose(parts[k], programs.gradient(those, x), rtol=1e-9, atol=1e-12)
    lowest = min(expected)
    assert [*p.gradient_by(by, max_degree=lowest)] == [lowest]


@every_program
def test_two_degrees_at_once(program, seed):
    x, _, _, p, listed = case(program, seed)
    expected = {}
    for path in listed:
        expected.setdefault((degree(path, "weight"), degree(path, "length")), []).append(path)
    pairs = ("weight", "length")
    assert p.count_by(pairs) == {k: len(expected[k]) for k in sorted(expected)}
    parts = p.gradient_by(pairs)
    assert [*parts] == sorted(expected)
    for (a, b), those in expected.items():
        both = p.with_degree("weight", a).with_degree("length", b)
        assert same(both, those)
        assert [*map(steps, both[:])] == [*map(key, those)]
        assert [both.rank(path) for path in both] == [*range(len(those))]
        np.testing.assert_allclose(parts[a, b], programs.gradient(those, x), atol=1e-12)
        np.testing.assert_allclose(both.gradient(), parts[a, b], atol=1e-12)
        assert both.absolute_mass() == pytest.approx(abs(products(those)).sum(), rel=1e-9, abs=0)
        assert both.count_by("activation") == {
            k: len(some) for k, some in by_degree(those, "activation").items()
        }


@every_program
def test_restrictions_to_tensors_and_elements(program, seed):
    _, y, _, p, listed = case(program, seed)
    rng = np.random.default_rng(seed)
    above = tensors(y)
    for tensor in above[:: max(1, len(above) // 4)]:
        place = tuple(int(rng.integers(n)) for n in tensor.shape)
        for at in (None, place):
            met = [programs.visits(path, tensor, at) for path in listed]
            inside, outside = p.through(tensor, at), p.avoiding(tensor, at)
            assert same(inside, [*itertools.compress(listed, met)])
            assert same(outside, [path for path, m in zip(listed, met, strict=True) if not m])
            assert [path in inside for path in p] == met
            other = above[rng.integers(len(above))]
            assert same(
                inside & p.avoiding(other).with_degree("length", degree(listed[0], "length")),
                [
                    path for path, m in zip(listed, met, strict=True)
                    if m and not programs.visits(path, other)
                    and degree(path, "length") == degree(listed[0], "length")
                ],
            )  # fmt: skip


@every_program
def test_one_element_of_the_input(program, seed):
    x, y, cotangent, *_ = case(program, seed)
    at = tuple(n - 1 for n in x.shape)
    p = tg.paths(y, x, cotangent=cotangent, level="scalar", at=at)
    listed = programs.listed(y, x, cotangent, at)
    assert same(p, listed)
    assert p.gradient() == pytest.approx(products(listed).sum())
    assert isinstance(p.gradient(), float)


@every_program
def test_segments_in_a_row_are_all_paths(program, seed):
    _, y, _, p, _ = case(program, seed)
    for some in (p, *(p.through(tensor) for tensor in tensors(y))):
        assert not some or math.prod(part.count() for part in some.segments()) == some.count()


def test_segments_keep_their_ends():
    x = tg.tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    p = tg.paths(x.sum() * np.array([4.0, 5.0]), x, cotangent=[1.0, 10.0], level="scalar")
    first, last = p.segments()
    assert first.gradient() == 54.0
    np.testing.assert_array_equal(last.gradient(), [1.0, 1.0, 1.0], strict=True)
    assert len(tg.paths(x, x, cotangent=np.ones(3), level="scalar").segments()) == 1


def test_degrees_are_counted_between_two_tensors():
    rng = np.random.default_rng(0)
    x = programs.leaf(rng, 2, 2)
    stem = tg.tanh(x @ programs.weight(rng, 2, 2))
    body = tg.tanh(stem @ programs.weight(rng, 2, 2)) + stem
    y = (body @ programs.weight(rng, 2, 2)).sum()
    listed = programs.listed(y, x)
    p = tg.paths(y, x, start=body, end=stem, level="scalar")

    def inside(path):
        records = [step.target[0] for step in path]
        since, upto = records.index(body._node) + 1, records.index(stem._node) + 1
        return sum(step.edge.weight for step in path[since:upto])

    degrees = [inside(path) for path in listed]
    assert set(degrees) == {0, 1}
    assert p.count_by("weight") == {k: degrees.count(k) for k in sorted(set(degrees))}
    assert [path.degree("weight") for path in p] == degrees
    with pytest.raises(GraphError, match="give start, the tensor nearer the output"):
        tg.paths(y, x, start=stem, end=body, level="scalar")


# How much they carry


@every_program
def test_gradient_is_that_of_backward_and_the_sum_of_products(program, seed):
    x, y, cotangent, p, listed = case(program, seed)
    expected = programs.gradient(listed, x)
    x.grad = None
    y.backward(cotangent)
    np.testing.assert_allclose(x.grad.data, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(p.gradient(), expected, rtol=1e-9, atol=1e-12)


@every_program
def test_mass_cancellation_and_entropy(program, seed):
    x, _, _, p, listed = case(program, seed)
    sizes = abs(products(listed))
    live = sizes[sizes > 0] / sizes.sum()
    assert p.absolute_mass() == pytest.approx(sizes.sum(), rel=1e-12)
    whole = abs(programs.gradient(listed, x)).sum()
    assert p.cancellation() == pytest.approx(sizes.sum() / whole, rel=1e-9)
    assert p.entropy() == pytest.approx(-(live * np.log(live)).sum(), abs=1e-12)


@pytest.mark.parametrize("by", GRADINGS)
@every_program
def test_expected_degree_under_the_gradient(program, seed, by):
    *_, p, listed = case(program, seed)
    w, a = products(listed), np.array([degree(path, by) for path in listed])
    if abs(w.sum()) <= 1e-9 * abs(w).sum():
        with pytest.raises(GraphError, match="sum to zero: no path has a share"):
            p.expected(by)
        return
    mean = (w * a).sum() / w.sum()
    variance = (w * (a - mean) ** 2).sum() / w.sum()
    assert p.expected(by) == pytest.approx((mean, variance), rel=1e-9, abs=1e-9)


# Out of the range of a float


def chain(factor, length=600):
    """Return paths whose products are powers of ``factor``: two ways at every step, one half."""
    x = h = tg.tensor(np.zeros(2), requires_grad=True)
    for _ in range(length):
        h = h * factor + h * (factor / 2)
    return tg.paths(h.sum(), x, level="scalar")


@pytest.mark.parametrize("factor", [0.1, 1e3])
def test_products_out_of_range_are_compared_and_drawn_all_the_same(factor):
    p = chain(factor)
    assert p.count() == p.active().count() == 2 * 2**600
    best = p.top(4)
    expected = 600 * math.log2(factor)
    logarithms = [math.log2(m) + e for m, e in (path.scaled() for path in best)]
    np.testing.assert_allclose(logarithms, expected - np.array([0, 0, 1, 1]), atol=1e-9)
    each_step = math.log(3) - 2 / 3 * math.log(2)  # the entropy of shares 2/3 and 1/3
    assert p.entropy() == pytest.approx(math.log(2) + 600 * each_step, abs=1e-8)
    assert p.cancellation() == pytest.approx(1.0, abs=1e-12)
    assert p.expected("length") == pytest.approx((1201.0, 0.0), abs=1e-9)
    assert p.absolute_mass() == best[0].product() == (0.0 if factor < 1 else math.inf)
    drawn = p.sample(40)
    halved = [sum(edge.derivative == factor / 2 for edge in path.edges) for path in drawn]
    deviation = math.sqrt(600 * 2 / 9 / 40)  # of the mean of 40 times 600 draws at 1/3
    assert abs(np.mean(halved) - 200) < 4 * deviation


def test_cancellation_of_a_deep_network_is_no_rounding():
    rng = np.random.default_rng(0)
    x = h = programs.leaf(rng, 1, 16)
    for _ in range(60):
        h = h @ programs.weight(rng, 16, 16)
    p = tg.paths(h[0, 0], x, level="scalar")
    assert p.cancellation() > 1e20
    assert p.cancellation() == pytest.approx(p.absolute_mass() / abs(p.gradient()).sum(), rel=1e-9)
    assert p.expected("weight") == pytest.approx((60.0, 0.0), abs=1e-9)
