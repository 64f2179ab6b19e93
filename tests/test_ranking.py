"""The largest paths and paths drawn by size, against the paths of random programs one by one."""

import collections
import math

import numpy as np
import path_programs as programs
import pytest
from path_programs import case, every_program, key, product, products, steps
from scipy.stats import chisquare

import tinygrad_res as tg
from tinygrad_res.errors import GraphError


@every_program
def test_the_largest_paths_come_in_falling_order(program, seed):
    *_, p, listed = case(program, seed)
    sizes = {key(path): abs(product(path)) for path in listed}
    falling = sorted(sizes.values(), reverse=True)
    for k in {1, 2, 10, len(listed) // 2, len(listed)} - {0}:
        best = p.top(min(k, len(listed)))
        found = [sizes[steps(path)] for path in best]
        np.testing.assert_allclose(found, falling[: len(found)], rtol=1e-12)
        assert len(set(best)) == len(best)
        assert all(path in p for path in best)


@every_program
def test_the_largest_paths_of_a_degree(program, seed):
    *_, p, listed = case(program, seed)
    for k, those in programs.by_degree(listed, "length").items():
        best = p.with_degree("length", k).top(len(those))
        falling = np.sort(abs(products(those)))[::-1]
        np.testing.assert_allclose([abs(path.product()) for path in best], falling, rtol=1e-12)
        assert {path.degree("length") for path in best} == {k}


def test_of_paths_of_one_size_the_first_is_the_largest():
    x = tg.tensor(np.ones(3), requires_grad=True)
    p = tg.paths(x.sum() + x.sum(), x, level="scalar")
    assert p.top(1) == [p[0]]
    assert {p.rank(path) for path in p.top(6)} == {*range(6)}


def test_dead_paths_come_last():
    x = tg.tensor([-1.0, 2.0, -3.0], requires_grad=True)
    p = tg.paths((tg.relu(x) * np.array([1.0, 5.0, 7.0])).sum() + x[1] * 0.5, x, level="scalar")
    assert [path.product() for path in p.top(4)] == [5.0, 0.5, 0.0, 0.0]
    assert len(set(p.top(4))) == 4


def test_where_all_paths_are_dead_they_come_in_their_order():
    x = tg.tensor([-1.0, -3.0], requires_grad=True)
    p = tg.paths(tg.relu(x).sum(), x, level="scalar")
    assert p.top(2) == [p[0], p[1]]


def test_the_largest_of_very_many_paths():
    x = h = tg.tensor(1.0, requires_grad=True)
    for i in range(200):
        h = h + h * (0.5 + i / 1000)
    p = tg.paths(h, x, level="scalar")
    logarithms = sorted(math.log(0.5 + i / 1000) for i in range(200))[::-1]
    one_left = [0.0, *logarithms]  # the shortcut everywhere, or one branch
    found = [math.log(path.product()) for path in p.top(5)]
    np.testing.assert_allclose(found, one_left[:5], atol=1e-12)


def fits(drawn, sizes):
    """Say whether draws fit shares, by a chi-square test; places of size 0 are never drawn."""
    counts = collections.Counter()
    for path, n in collections.Counter(drawn).items():
        counts[steps(path)] = n
    if any(counts[k] for k, size in sizes.items() if not size):
        return False
    live = [k for k, size in sizes.items() if size]
    expected = np.array([sizes[k] for k in live])
    expected *= len(drawn) / expected.sum()
    observed = np.array([counts[k] for k in live])
    place = np.where(expected < 5, 0, np.arange(len(live)) + 1)  # the rare ones are one class
    found = [np.bincount(place, v)[np.unique(place)] for v in (observed, expected)]
    return len(found[0]) == 1 or chisquare(*found).pvalue > 1e-3


@every_program
def test_draws_are_proportional_to_the_size_of_the_product(program, seed):
    *_, p, listed = case(program, seed)
    sizes = {key(path): abs(product(path)) for path in listed}
    drawn = p.sample(4000, seed=1)
    assert fits(drawn, sizes)
    assert not fits(drawn, {k: size**0.5 for k, size in sizes.items()})


@every_program
def test_random_paths_are_uniform(program, seed):
    *_, p, listed = case(program, seed)
    assert fits(p.random(4000, seed=1), dict.fromkeys(map(key, listed), 1.0))
    k = max(programs.by_degree(listed, "length"))
    those = programs.by_degree(listed, "length")[k]
    drawn = p.random(4000, seed=1, by="length", degree=k)
    assert fits(drawn, dict.fromkeys(map(key, those), 1.0))


def test_draws_of_a_degree_keep_to_it():
    *_, p, listed = case(programs.residual, 0)
    for k, those in programs.by_degree(listed, "weight").items():
        drawn = p.with_degree("weight", k).sample(2000, seed=3)
        assert fits(drawn, {key(path): abs(product(path)) for path in those})


def test_a_seed_gives_the_same_draws():
    *_, p, _ = case(programs.stretched, 0)
    assert p.sample(20, seed=5) == p.sample(20, seed=5) != p.sample(20, seed=6)


def test_nothing_is_drawn_where_all_is_dead():
    x = tg.tensor([-1.0, -2.0], requires_grad=True)
    p = tg.paths(tg.relu(x).sum(), x, level="scalar")
    with pytest.raises(GraphError, match=r"no path of .* has a product other than zero"):
        p.sample()
    assert p.random()[0].product() == 0.0
