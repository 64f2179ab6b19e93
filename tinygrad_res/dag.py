"""Dag: the edges that a set of paths uses, in compressed arrays, and the two sweeps over them.

A sum over all paths costs one visit of every edge.  Let beta(v) be the sum, over all paths
from node v to the ends, of the product of the labels along the path.  It is one at an end,
and elsewhere the sum over v's edges of label times beta of the edge's target.  alpha(v),
the same for the paths from the root to v, is beta of the graph turned round.  Which sum
and which product is a matter of the semiring (``tinygrad_res.semirings``); this module
knows the order in which nodes are visited and nothing else.

Nodes are numbers, and every edge leads from a larger to a smaller one, so ascending
numbers are the order of beta and descending ones that of alpha.  Edges are sorted by
their source.  Nodes between two neighbouring ``layers`` have no edge among them: such
nodes are swept at once, in array operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .backend import Array
from .semirings import COUNT, ArraySemiring, Semiring

V = TypeVar("V")


class Layer(NamedTuple):
    """A run of nodes without edges among them: what beta of each is the sum of.

    ``nodes`` are those with edges, ``first`` the place of each one's first edge within the
    run of ``edges``, and ``onto`` the nodes that the edges lead to.
    """

    nodes: Array
    first: Array
    edges: slice
    onto: Array


class Dag:
    """The edges of a graph that lie on a path from a root to some ends.

    Attributes:
        size: the number of nodes, used or not.
        root: where every path starts; -1 where there is no path.
        ends: the nodes where paths end.
        edges: the numbers that the graph gives to the edges in use.
        sources, targets: the nodes that each of them joins, sorted by source.
        layers: ascending node numbers, from 0 to ``size``.
    """

    def __init__(
        self, size: int, root: int, ends: Sequence[int], sources: Array, targets: Array,
        edges: Array, layers: Array | None = None,
    ) -> None:  # fmt: skip
        used = on_a_path(size, [root] if root >= 0 else [], ends, sources, targets)
        self.size = size
        self.ends = ends
        self.edges = edges[used]
        self.sources, self.targets = sources[used], targets[used]
        self.root = root if len(self.edges) or root in ends else -1
        self.layers = np.arange(size + 1) if layers is None else layers

    @cached_property
    def offsets(self) -> Array:
        """The place of each node's first edge, and the number of edges at the end."""
        return np.searchsorted(self.sources, np.arange(self.size + 1))

    @cached_property
    def nodes(self) -> list[int]:
        """The nodes that edges lead from, ascending."""
        return np.unique(self.sources).tolist()  # type: ignore[no-any-return]

    @cached_property
    def lists(self) -> tuple[list[int], list[int], list[int]]:
        """``offsets``, ``targets`` and ``edges`` as lists, for loops in Python."""
        return self.offsets.tolist(), self.targets.tolist(), self.edges.tolist()

    @cached_property
    def down(self) -> list[Layer]:
        """The layers in the order of beta."""
        return list(_layers(self.sources, self.targets, self.layers))

    @cached_property
    def up(self) -> tuple[Array, list[Layer]]:
        """The order of the edges by their target, descending, and the layers of alpha."""
        order = np.argsort(-self.targets, kind="stable")
        turned = _layers(-self.targets[order], -self.sources[order], -self.layers[::-1] + 1)
        return order, [
            Layer(-layer.nodes, layer.first, layer.edges, -layer.onto) for layer in turned
        ]

    def beta(self, semiring: Semiring | ArraySemiring, labels: Any) -> Any:
        """Return, for each node, the sum over its paths to the ends: a list or an array.

        Args:
            semiring: says what a sum and a product is.
            labels: what stands on each edge, in the order of ``edges``.
        """
        if isinstance(semiring, ArraySemiring):
            return _swept(semiring, labels, self.size, self.ends, self.down)
        plus, times, zero = semiring.plus, semiring.times, semiring.zero
        offsets, targets, _ = self.lists
        found = [zero] * self.size
        for end in self.ends:
            found[end] = semiring.one
        for node in self.nodes:
            first = offsets[node]
            total = times(found[targets[first]], labels[first])
            for k in range(first + 1, offsets[node + 1]):
                total = plus(total, times(found[targets[k]], labels[k]))
            found[node] = total
        return found

    def alpha(
        self, semiring: Semiring | ArraySemiring, labels: Any, progress: str = ""
    ) -> Any:  # fmt: skip
        """Return, for each node, the sum over the paths from the root to it.

        Args:
            semiring, labels: as for ``beta``.
            progress: what to write beside a progress bar of array sweeps; no bar where empty.
        """
        roots = [self.root] if self.root >= 0 else []
        if isinstance(semiring, ArraySemiring):
            order, layers = self.up
            shown: Iterable[Layer] = layers
            if progress:
                from tqdm import tqdm

                shown = tqdm(layers, desc=progress, unit="layer", leave=False)
            return _swept(semiring, np.asarray(labels)[order], self.size, roots, shown)
        plus, times, zero = semiring.plus, semiring.times, semiring.zero
        offsets, targets, _ = self.lists
        found = [zero] * self.size
        for root in roots:
            found[root] = semiring.one
        for node in reversed(self.nodes):
            own = found[node]
            for k in range(offsets[node], offsets[node + 1]):
                found[targets[k]] = plus(found[targets[k]], times(own, labels[k]))
        return found

    def joints(self, ways: Sequence[int]) -> list[int]:
        """Return the nodes that every path visits, the root first.

        Args:
            ways: for each node, the number of its paths to the ends.
        """
        if self.root < 0:
            return []
        arriving = self.alpha(COUNT, [1] * len(self.edges))
        met = {v for v in (*self.nodes, *self.ends) if arriving[v] * ways[v] == ways[self.root]}
        return sorted(met, reverse=True)

    def unrolled(self, grades: Array, degree: int) -> Dag:
        """Return the graph whose paths are the paths of this one with a given degree.

        A node becomes one node for each degree still to go; an edge of grade a leads to the
        node with a less to go, and only (end, 0) is an end.  Degrees to go are numbered, and
        only those that occur, so grades may be large.
        """
        if self.root < 0:
            return self
        held = self._still_to_go(grades, degree)
        left = np.array(sorted(frozenset([0]).union(*held)))
        number = {k: i for i, k in enumerate(left.tolist())}
        counts = np.array([len(here) for here in held])
        rests = np.array([number[k] for here in held for k in here], dtype=np.int64)

        copies = counts[self.sources]
        edge = np.repeat(np.arange(len(copies)), copies)
        since = np.arange(len(edge)) - np.repeat(copies.cumsum() - copies, copies)
        rest = rests[(counts.cumsum() - counts)[self.sources[edge]] + since]
        onward = np.searchsorted(left, left[rest] - grades[edge])
        sources = self.sources[edge] * len(left) + rest
        targets = self.targets[edge] * len(left) + onward
        possible = grades[edge] <= left[rest]
        order = np.flatnonzero(possible)[np.argsort(sources[possible], kind="stable")]
        ends = [end * len(left) for end in self.ends]
        return Dag(
            self.size * len(left), self.root * len(left) + number[degree], ends, sources[order], targets[order],
            self.edges[edge[order]], self.layers * len(left),
        )  # fmt: skip

    def _still_to_go(self, grades: Array, degree: int) -> list[frozenset[int]]:
        """Return, for each node, what paths from the root can have left of a degree there."""

        def spent(here: frozenset[int], grade: int) -> frozenset[int]:
            return frozenset([k - grade for k in here if k >= grade]) if grade else here

        def either(a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
            return a if b <= a else a | b

        nothing, whole = frozenset[int](), frozenset([degree])
        algebra = Semiring(either, spent, nothing, whole, lambda edges: [0] * len(edges))
        return self.alpha(algebra, grades.tolist())  # type: ignore[no-any-return]


def reached(size: int, roots: Sequence[int], sources: Array, targets: Array) -> Array:
    """Say of each node whether edges lead to it from ``roots``; edges sorted by source."""
    found = bytearray(size)
    for root in roots:
        found[root] = 1
    for source, target in zip(sources[::-1].tolist(), targets[::-1].tolist(), strict=True):
        if found[source]:
            found[target] = 1
    return np.frombuffer(found, dtype=bool)


def reaching(size: int, ends: Sequence[int], sources: Array, targets: Array) -> Array:
    """Say of each node whether edges lead from it to ``ends``; edges sorted by source."""
    found = bytearray(size)
    for end in ends:
        found[end] = 1
    for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
        if found[target]:
            found[source] = 1
    return np.frombuffer(found, dtype=bool)


def on_a_path(
    size: int, roots: Sequence[int], ends: Sequence[int], sources: Array, targets: Array
) -> Array:
    """Say of each edge whether it lies on a path from ``roots`` to ``ends``."""
    below = reached(size, roots, sources, targets)
    above = reaching(size, ends, sources, targets)
    return below[sources] & above[targets]


def _layers(sources: Array, targets: Array, layers: Array) -> Iterator[Layer]:
    """Yield the runs of edges whose sources lie between neighbouring ``layers``."""
    places = np.searchsorted(sources, layers)
    starts = np.flatnonzero(np.diff(sources, prepend=sources[:1] - 1))
    rows = np.searchsorted(starts, places)
    for i in np.flatnonzero(np.diff(places)).tolist():
        a, b = places[i], places[i + 1]
        first = starts[rows[i] : rows[i + 1]]
        yield Layer(sources[first], first - a, slice(a, b), targets[a:b])


def _swept(
    semiring: ArraySemiring, labels: Any, size: int, ends: Sequence[int], layers: Iterable[Layer]
) -> Any:
    """Return the values that the layers, one after the other, give to their nodes."""
    found = semiring.zeros(size)
    found[list(ends)] = semiring.one
    for layer in layers:
        terms = semiring.times(found[layer.onto], labels[layer.edges])
        found[layer.nodes] = semiring.total(terms, layer.first)
    return found
