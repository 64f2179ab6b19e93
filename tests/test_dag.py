"""The edges that paths use, and sweeps over them, on random graphs of numbers."""

import networkx as nx
import numpy as np
import pytest

from tinygrad_res import semirings
from tinygrad_res.dag import Dag


def random_dag(seed, size=9, edges=22):
    """Return a random multigraph, with its edges as arrays: from larger numbers to smaller ones."""
    rng = np.random.default_rng(seed)
    pairs = np.sort(np.stack([rng.choice(size, 2, replace=False) for _ in range(edges)]))
    sources, targets = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))].T[::-1]
    return size, sources, targets, rng


def paths(sources, targets, root, ends):
    """Return all paths as tuples of edge numbers, listed by networkx."""
    graph = nx.MultiDiGraph()
    graph.add_nodes_from([root, *ends])
    graph.add_edges_from((s, t, i) for i, (s, t) in enumerate(zip(sources, targets, strict=True)))
    found = [
        tuple(edge[2] for edge in path)
        for end in ends if end != root
        for path in nx.all_simple_edge_paths(graph, root, end)
    ]  # fmt: skip
    return found + [()] * (root in ends)


@pytest.mark.parametrize("seed", range(20))
def test_edges_in_use_are_those_on_some_path(seed):
    size, sources, targets, _ = random_dag(seed)
    dag = Dag(size, size - 1, [0], sources, targets, np.arange(len(sources)))
    assert set(dag.edges.tolist()) == {e for p in paths(sources, targets, size - 1, [0]) for e in p}


@pytest.mark.parametrize("seed", range(20))
def test_sweeps_from_either_end_add_up_all_paths(seed):
    size, sources, targets, rng = random_dag(seed)
    numbers = rng.standard_normal(len(sources))
    dag = Dag(size, size - 1, [0], sources, targets, np.arange(len(sources)))
    for node in range(size):
        below = paths(sources, targets, node, [0])
        above = paths(sources, targets, size - 1, [node])
        used = node in {size - 1, 0, *dag.sources, *dag.targets} and dag.root >= 0
        if not used:
            continue
        beta = dag.beta(semirings.GRADIENT, numbers[dag.edges])
        alpha = dag.alpha(semirings.GRADIENT, numbers[dag.edges])
        assert beta[node] == pytest.approx(sum(np.prod(numbers[list(p)]) for p in below))
        assert alpha[node] == pytest.approx(sum(np.prod(numbers[list(p)]) for p in above))
        ones = [1] * len(dag.edges)
        assert dag.beta(semirings.COUNT, ones)[node] == len(below)
        assert dag.alpha(semirings.COUNT, ones)[node] == len(above)


@pytest.mark.parametrize("largest", [1, 3, 10**15])
@pytest.mark.parametrize("seed", range(12))
def test_unrolled_graphs_hold_the_paths_of_one_degree(seed, largest):
    size, sources, targets, rng = random_dag(seed)
    grades = rng.integers(0, largest, len(sources), endpoint=True)
    dag = Dag(size, size - 1, [0], sources, targets, np.arange(len(sources)))
    listed = paths(sources, targets, size - 1, [0])
    degrees = [int(grades[list(p)].sum()) for p in listed]
    for degree in {*degrees, 0, 7, 10**30}:
        unrolled = dag.unrolled(grades[dag.edges], degree)
        ones = [1] * len(unrolled.edges)
        found = unrolled.beta(semirings.COUNT, ones)[unrolled.root] if unrolled.root >= 0 else 0
        assert found == degrees.count(degree)
        kept = {e for p, k in zip(listed, degrees, strict=True) if k == degree for e in p}
        assert set(unrolled.edges.tolist()) == kept
        assert len(unrolled.ends) == len(dag.ends)


def test_layers_change_nothing_but_how_many_nodes_are_swept_at_once():
    rng = np.random.default_rng(0)
    layers = np.array([0, 4, 9, 14, 15])
    sources, targets = np.array([
        (s, t)
        for a in range(1, 4) for s in range(layers[a], layers[a + 1])
        for t in range(layers[a]) if rng.random() < 0.7
    ]).T  # fmt: skip
    numbers, every = rng.standard_normal(len(sources)), np.arange(len(sources))
    one_by_one = Dag(15, 14, range(4), sources, targets, every)
    at_once = Dag(15, 14, range(4), sources, targets, every, layers)
    assert len(at_once.down) <= 3 < len(one_by_one.down)
    for sweep in ("alpha", "beta"):
        found = [
            getattr(d, sweep)(semirings.GRADIENT, numbers[d.edges]) for d in (one_by_one, at_once)
        ]
        np.testing.assert_allclose(*found, rtol=1e-12)


def test_a_root_that_is_an_end_is_a_path_of_no_edges():
    none = np.zeros(0, dtype=int)
    dag = Dag(1, 0, [0], none, none, none)
    assert dag.root == 0
    assert dag.beta(semirings.COUNT, []) == dag.alpha(semirings.COUNT, []) == [1]
    assert Dag(2, 1, [0], none, none, none).root == -1
