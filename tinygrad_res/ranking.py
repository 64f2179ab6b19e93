"""The k largest paths, and paths drawn by their size, out of any number of them.

Both rest on beta, the largest or the total abs(product) from each node to the ends, in
logarithms.  Following the edge of the largest label + beta from the root gives the largest
path.  Every other path leaves the best way on at some nodes and costs there what the left
edge loses against the best one; the next path is found by leaving the best way once more
(the lazy evaluation of Huang & Chiang 2005, algorithm 3, with the ranking by detours of
Eppstein 1998).  Draws walk from the root and take each edge with its share of beta, so that
a path comes with probability abs(product) / (sum over all paths): exactly.
"""

from __future__ import annotations

import heapq
import itertools
import math

import numpy as np

from .backend import Array
from .dag import Dag
from .semirings import ABSOLUTE, MAGNITUDE


def largest(dag: Dag, labels: Array, k: int) -> list[list[int]]:
    """Return the ``k`` paths of the largest sums of labels, as places of edges in ``dag``.

    There must be a path.

    One sweep over the edges, and then for each path a look at the edges of the nodes on it.
    Paths whose sum is -inf are left out.
    """
    beta = dag.beta(MAGNITUDE, labels)
    if beta[dag.root] == -math.inf:
        return []
    ahead = labels + beta[dag.targets]
    order = np.argsort(-ahead, kind="stable")[::-1]
    best = np.full(dag.size, -1)
    best[dag.sources[order]] = order  # the last assignment stays: of the first among the largest
    with np.errstate(invalid="ignore"):  # -inf - -inf where a node has no way on
        losses = beta[dag.sources] - ahead
    follow, targets = best.tolist(), dag.lists[1]

    def detours(path: list[int], since: int, k: int) -> tuple[Array, Array, Array]:
        """Return the k best edges that leave a path after its edge ``since``, with place and loss."""
        nodes = dag.sources[path[since:]]
        first, counts = dag.offsets[nodes], dag.offsets[nodes + 1] - dag.offsets[nodes]
        place = np.repeat(np.arange(since, len(path)), counts)
        edges = np.arange(counts.sum()) + np.repeat(first - (counts.cumsum() - counts), counts)
        other = (edges != np.asarray(path)[place]) & np.isfinite(losses[edges])
        edges, place = edges[other], place[other]
        if len(edges) > k:
            kept = np.argpartition(losses[edges], k - 1)[:k]
            edges, place = edges[kept], place[kept]
        order = np.argsort(losses[edges], kind="stable")
        return edges[order], place[order], losses[edges[order]]

    def finished(path: list[int], node: int) -> list[int]:
        """Return a path continued by the best way from ``node``."""
        while follow[node] >= 0:
            path.append(follow[node])
            node = targets[follow[node]]
        return path

    path = finished([], dag.root)
    found = [path]
    tickets = itertools.count()
    # an entry: (the loss of a path, a ticket, the loss of the path that it leaves, that path, its
    # detours, the number of the detour taken); the next detour is entered when this one is taken
    heap: list[tuple[float, int, float, list[int], tuple[Array, Array, Array], int]] = []

    def enter(base: float, path: list[int], ways: tuple[Array, Array, Array], i: int) -> None:
        if i < len(ways[0]):
            heapq.heappush(heap, (base + ways[2][i], next(tickets), base, path, ways, i))

    enter(0.0, path, detours(path, 0, k), 0)
    while heap and len(found) < k:
        loss, _, base, path, ways, i = heapq.heappop(heap)
        enter(base, path, ways, i + 1)
        edge, place = int(ways[0][i]), int(ways[1][i])
        path = finished([*path[:place], edge], targets[edge])
        found.append(path)
        enter(loss, path, detours(path, place + 1, k), 0)
    return found


def drawn(dag: Dag, labels: Array, n: int, rng: np.random.Generator) -> list[list[int]]:
    """Return ``n`` paths drawn with replacement, as places of edges in ``dag``.

    A path comes with probability e^(its sum of labels) / (the same summed over all paths), which
    must not be zero.
    """
    beta = dag.beta(ABSOLUTE, labels)
    with np.errstate(invalid="ignore"):  # -inf - -inf where all ways on are dead
        share = np.nan_to_num(np.exp(labels + beta[dag.targets] - beta[dag.sources]))
    upto = np.concatenate([[0.0], np.cumsum(share)])
    last = np.zeros(dag.size, dtype=np.int64)
    living = np.flatnonzero(share)
    last[dag.sources[living]] = living
    offsets = dag.offsets
    at, walking = np.full(n, dag.root), np.arange(n)
    taken: list[list[int]] = [[] for _ in range(n)]
    while True:
        walking = walking[offsets[at[walking]] < offsets[at[walking] + 1]]
        if not len(walking):
            return taken
        nodes = at[walking]
        low, high = upto[offsets[nodes]], upto[offsets[nodes + 1]]
        wanted = low + rng.random(len(walking)) * (high - low)
        edges = np.searchsorted(upto, wanted, side="right") - 1
        edges = np.clip(edges, offsets[nodes], last[nodes])  # where rounding leaves the node
        for i, edge in zip(walking.tolist(), edges.tolist(), strict=True):
            taken[i].append(edge)
        at[walking] = dag.targets[edges]
