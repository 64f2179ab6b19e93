"""Semirings: each one's sum over all paths, against the paths of random programs one by one."""

import math
import re

import numpy as np
import pytest
from path_programs import by_degree, case, degree, every_program, products

import tinygrad_res as tg
from tinygrad_res import semirings
from tinygrad_res.errors import GraphError, UsageError


def entropy(w):
    shares = abs(w[w != 0]) / abs(w).sum()
    return -(shares * np.log(shares)).sum()


OF_PRODUCTS = {
    "COUNT": len,
    "GRADIENT": np.sum,
    "ABSOLUTE": lambda w: abs(w).sum(),
    "MAGNITUDE": lambda w: abs(w).max(),
    "MAX_PRODUCT": np.max,
    "MIN_PRODUCT": np.min,
    "ENTROPY": entropy,
}


@pytest.mark.parametrize("name", OF_PRODUCTS)
@every_program
def test_sums_over_all_paths_and_over_those_to_each_element(program, seed, name):
    *_, p, listed = case(program, seed)
    semiring, expected = getattr(semirings, name), OF_PRODUCTS[name]
    w = products(listed)
    assert p.evaluate(semiring) == pytest.approx(expected(w), rel=1e-9, abs=1e-12)
    ends = np.array([path[-1].target[1] for path in listed])
    for end, found in enumerate(p.evaluate(semiring, each=True)):
        some = w[ends == end]
        if len(some) and (name != "ENTROPY" or some.any()):
            assert found == pytest.approx(expected(some), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("by", ["weight", "activation", "length"])
@every_program
def test_sums_by_degree(program, seed, by):
    *_, p, listed = case(program, seed)
    w, a = products(listed), np.array([degree(path, by) for path in listed])
    counts = {k: len(those) for k, those in by_degree(listed, by).items()}
    assert p.evaluate(semirings.polynomial(by)) == counts
    top = sorted(counts)[len(counts) // 2]
    assert p.evaluate(semirings.polynomial(by, top)) == {
        k: n for k, n in counts.items() if k <= top
    }
    assert p.evaluate(semirings.longest(by)) == max(a)
    parts = p.evaluate(semirings.graded_gradient(by, top))
    np.testing.assert_allclose(parts, [w[a == k].sum() for k in range(top + 1)], atol=1e-12)
    shares = abs(w) / abs(w).sum()
    mean = (shares * a).sum()
    variance = (shares * (a - mean) ** 2).sum()
    found = p.evaluate(semirings.expectation(by))
    assert found == pytest.approx((mean, variance), rel=1e-9, abs=1e-12)
    raised = [(w * a**j).sum() for j in range(3)]
    np.testing.assert_allclose(p.evaluate(semirings.moments(by)), raised, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 10, 1000])
@every_program
def test_largest_products(program, seed, k):
    *_, p, listed = case(program, seed)
    expected = [size for size in np.sort(abs(products(listed)))[::-1] if size]
    np.testing.assert_allclose(p.evaluate(semirings.best(k)), expected[:k], rtol=1e-12)


@every_program
def test_semirings_of_ones_own(program, seed):
    *_, p, listed = case(program, seed)
    fewest = semirings.semiring(min, lambda a, b: a + b, math.inf, 0, lambda edge: edge.activation)
    assert p.evaluate(fewest) == min(degree(path, "activation") for path in listed)
    products_of_paths = semirings.semiring(  # every product, once for each path
        lambda a, b: a + b,
        lambda a, b: [u * v for u in a for v in b],
        [], [1.0],
        lambda edge: [edge.derivative],
    )  # fmt: skip
    found = p.evaluate(products_of_paths)
    np.testing.assert_allclose(sorted(found), np.sort(products(listed)), rtol=1e-12)
    ways = p.evaluate(products_of_paths, each=True)
    assert sum(map(len, ways)) == len(listed)


@pytest.mark.parametrize(
    ("factors", "largest", "smallest"),
    [
        ([-2.0, 0.0], 0.0, -2.0), ([2.0, 0.0], 2.0, 0.0), ([0.0], 0.0, 0.0),
        ([-3.0, -1.0], -1.0, -3.0), ([5.0, 3.0], 5.0, 3.0), ([-1.0, 4.0, 0.0], 4.0, -1.0),
    ],
)  # fmt: skip
def test_a_product_of_zero_is_larger_than_a_negative_one(factors, largest, smallest):
    x = tg.tensor(1.0, requires_grad=True)
    for sign in (1.0, -1.0):
        y = sum((x * c for c in factors), start=0.0) * sign
        p = tg.paths(y, x, level="scalar")
        found = p.evaluate(semirings.MAX_PRODUCT), p.evaluate(semirings.MIN_PRODUCT)
        assert found == pytest.approx((largest, smallest) if sign > 0 else (-smallest, -largest))


def test_published_examples():
    x = tg.tensor(4.0, requires_grad=True)
    y = tg.tensor(2.0, requires_grad=True)
    f = x * y + x / y
    extremes = [
        tg.paths(f, t, level="scalar").evaluate(s)
        for t in (x, y) for s in (semirings.MAX_PRODUCT, semirings.MIN_PRODUCT)
    ]  # fmt: skip
    assert extremes == pytest.approx([2.0, 0.5, 4.0, -1.0])
    entropies = [
        tg.paths(g, x, level="scalar").entropy()
        for g in (2 * x + 2 * x, 2 * x - 2 * x, 4 * x - 2 * x)
    ]
    assert entropies == pytest.approx([math.log(2), math.log(2), 0.636514], abs=1e-6)
    assert tg.paths(3 * x + x**2, x, level="scalar").count() == 2
    assert tg.paths(3 * x + x * x, x, level="scalar").count() == 3


def test_means_of_long_paths_are_exact():
    x = h = tg.tensor(0.0, requires_grad=True)
    for _ in range(600):
        h = h * 0.1 + h * 0.03
    p = tg.paths(h, x, level="scalar")
    assert p.evaluate(semirings.expectation("length")) == pytest.approx(
        (1200, 0), rel=1e-13, abs=1e-18
    )


def test_counting_needs_no_numbers():
    x = tg.tensor(np.ones(2), requires_grad=True)
    p = tg.paths(tg.tanh(x).sum(), x)
    assert p.evaluate(semirings.COUNT) == 1
    assert p.evaluate(semirings.longest("activation")) == 1
    with pytest.raises(GraphError, match="an edge carries a whole Jacobian"):
        p.evaluate(semirings.GRADIENT)


def test_no_path_leaves_the_zero():
    x, other = (tg.tensor(np.ones(2), requires_grad=True) for _ in "ab")
    p = tg.paths(x.sum(), other, level="scalar")
    assert p.evaluate(semirings.COUNT) == p.evaluate(semirings.GRADIENT) == 0
    assert p.evaluate(semirings.ABSOLUTE) == 0.0
    assert p.evaluate(semirings.best(3)) == []
    assert p.evaluate(semirings.polynomial()) == {}
    assert math.isnan(p.evaluate(semirings.MAX_PRODUCT))
    assert p.evaluate(semirings.COUNT, each=True) == []


def test_sizes_of_semirings_are_whole_numbers():
    with pytest.raises(UsageError, match="best: k=0: pass an int of at least 1"):
        semirings.best(0)
    with pytest.raises(UsageError, match="graded_gradient: top=-1"):
        semirings.graded_gradient("weight", -1)


@pytest.mark.parametrize(
    ("given", "law"),
    [
        ((max, lambda a, b: a * b, -math.inf, 1), "times(zero, a) = zero"),
        ((max, lambda a, b: a * b if a and b else 0, 0, 1), "plus(zero, a) = a"),
        ((min, lambda a, b: a + b, math.inf, 1), "times(one, a) = a"),
        ((lambda a, b: a - b, lambda a, b: a * b, 0, 1), "plus(zero, a) = a"),
        ((lambda a, b: a + b, lambda a, b: a * b, 1, 1), "plus(zero, a) = a"),
        ((lambda a, b: a + b, lambda a, b: a, 0, 1), "times(one, a) = a"),
        ((lambda a, b: a + b, lambda a, b: a + b, 0, 0), "times(zero, a) = zero"),
    ],
)
def test_what_is_no_semiring_is_refused_with_the_law_that_fails(given, law):
    x = tg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    p = tg.paths((x * x * -3 + x).sum(), x, level="scalar")
    wrong = semirings.semiring(*given, lambda edge: edge.derivative)
    with pytest.raises(UsageError, match=re.escape(law) + ".* does not hold for a = "):
        p.evaluate(wrong)


def test_a_semiring_is_made_of_functions():
    with pytest.raises(UsageError, match="semiring: label=5: pass a function"):
        semirings.semiring(min, max, 3, 4, 5)


def test_values_of_any_type_may_make_a_semiring():
    x = tg.tensor(np.array([1.0]), requires_grad=True, name="x")
    p = tg.paths((tg.tanh(x) + tg.relu(x)).sum(), x)
    ops = semirings.semiring(
        lambda a, b: a | b, lambda a, b: frozenset(i | j for i in a for j in b),
        frozenset(), frozenset([frozenset()]),
        lambda edge: frozenset([frozenset([p.graph.nodes[edge.source].op])]),
    )  # fmt: skip
    assert p.evaluate(ops) == {frozenset(["sum", "add", "tanh"]), frozenset(["sum", "add", "relu"])}
