"""The gradient by degree: one backward sweep that keeps a cotangent for each degree.

A plain backward pass adds whatever arrives at a node.  Here what arrives is kept apart by
the degree of the paths it came along: pulling a cotangent of degree k back along an edge
of grade a gives one of degree k + a.  The parts that reach the input are exact, and their
sum is the gradient.

The cotangents of a node, one for each degree that is live there, are one array: a stack,
which ``batches`` pulls as a whole.  Which degrees are live is known before any array is
touched: those that paths from the source reach and that paths to the target still need.
The sum of their numbers is the cost of the sweep.

Where only moments of the degree are asked for, three cotangents at a node are enough,
however many degrees there are: the sums of g_k, k g_k and k^2 g_k, which an edge of grade a
mixes as (k + a)^2 is expanded.  They are the derivatives of the sum of
g_k z^k at z = 1: the first- and second-order expectation semirings (Li & Eisner 2009) with
vector-Jacobian products for weights.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from . import backend, batches
from .errors import GraphError
from .graph import Graph
from .graph_parts import GraphEdge, GraphNode
from .record import Node

Outgoing = Mapping[int, Sequence[GraphEdge]]
Degrees = Mapping[int, tuple[int, ...]]
Rows = slice | list[int]


def by_source(edges: Iterable[GraphEdge]) -> dict[int, list[GraphEdge]]:
    """Return the edges of each node that has some, in their order."""
    found: dict[int, list[GraphEdge]] = {}
    for edge in edges:
        found.setdefault(edge.source, []).append(edge)
    return found


def pull(node: GraphNode, cotangent: Any, edges: Sequence[GraphEdge]) -> list[Any]:
    """Pull a cotangent of ``node`` back along some of its edges, in their order."""
    return [g[0, ...] for g in _pulled(node, cotangent[None], edges)]


def norm(array: Any) -> float:
    """Return the Euclidean norm, also of numbers whose squares are too small or too large.

    >>> import numpy as np
    >>> norm(np.array([3e-200, 4e-200]))
    5e-200
    """
    size = float(abs(array).max()) if array.size else 0.0
    if not 0.0 < size < math.inf:
        return size
    scaled = array.astype("float64") / size
    return size * math.sqrt(float((scaled * scaled).sum()))


def largest(name: str, gradient: Any) -> float:
    """Return the largest absolute value in a gradient; ``name`` is that of who asks.

    Raises:
        GraphError: it is zero or not finite, so that nothing has a share of the gradient.
    """
    found = float(abs(gradient).max()) if gradient.size else 0.0
    if not 0.0 < found < math.inf:
        size = "not finite" if found else "zero"
        raise GraphError(
            f"{name}: the gradient is {size}, so no part of it has a share: look at a batch on "
            "which the loss still changes with the input"
        )
    return found


def shares(parts: dict[int, Any]) -> dict[int, float]:
    """Return each part's projection on the sum of all, relative to it: <g_k, g> / ||g||^2.

    Raises:
        GraphError: the sum is zero or not finite, so that nothing has a share of it.
    """
    if not parts:
        return {}
    total = sum(g.astype("float64") for g in parts.values())
    size = largest("shares", total)
    scaled = total / size
    square = float((scaled * scaled).sum())
    return {
        k: float((g.astype("float64") / size * scaled).sum()) / square for k, g in parts.items()
    }


# Which degrees are live, and what they cost


def live(
    outgoing: Outgoing, source: int, target: int, grades: Sequence[int], top: int, bottom: int = 0
) -> dict[int, tuple[int, ...]]:
    """Return, for each node, the degrees with which a path from the source can be there.

    Only those that some way on to the target completes to one from ``bottom`` to ``top``.

    Args:
        outgoing: the edges of each node on a path from ``source`` to ``target``.
        source, target: where paths start and end.
        grades: the grade of every edge, by its index.
        top, bottom: the largest and the smallest degree asked for.

    Returns:
        The degrees of each node, ascending; nodes with the same ones may share a tuple.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> g = tg.graph(tg.tanh(x) + tg.tanh(tg.tanh(x)))
    >>> outgoing = {n.index: [e for e in g.edges if e.source == n.index] for n in g.nodes[1:]}
    >>> live(outgoing, g.output.index, 0, [e.activation for e in g.edges], top=2)[0]
    (1, 2)
    """
    order, nothing = sorted(outgoing), frozenset[int]()
    found = dict.fromkeys((*order, target, source), nothing)
    found[source], cut = frozenset((0,) if top >= 0 else ()), bottom > 0
    for node in reversed(order):
        here = found[node]
        for edge in outgoing[node]:
            grade, there = grades[edge.index], found[edge.target]
            moved = frozenset([k + grade for k in here if k + grade <= top]) if grade else here
            cut = cut or len(moved) < len(here)
            found[edge.target] = there | moved if there and there is not moved else moved
    if cut:
        found[target] = frozenset(k for k in found[target] if k >= bottom)
        for node in order:
            needed = ({k - grades[e.index] for k in found[e.target]} for e in outgoing[node])
            found[node] &= nothing.union(*needed)
    ascending = {here: tuple(sorted(here)) for here in found.values()}
    return {node: ascending[here] for node, here in found.items()}


@dataclass(frozen=True)
class Cost:
    """What a graded gradient costs, told from counts alone.

    Attributes:
        cotangents: how many are pulled, each along one edge.
        passes: how many backward passes along the same edges that equals: the live degrees
            of an edge, on average.
        peak_bytes: the most memory that cotangents take at a time, at most.
    """

    cotangents: int
    passes: float
    peak_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.cotangents:,} cotangents to pull, as in {self.passes:.1f} backward passes, "
            f"and at most {_amount(self.peak_bytes)} of them at a time"
        )


def _amount(size: float) -> str:
    """Return a number of bytes in words."""
    if size < 1000:
        return f"{size:.0f} bytes"
    for unit in ("kB", "MB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:,.1f} GB"


def estimate(
    graph: Graph, outgoing: Outgoing, source: int, target: int, grades: Sequence[int], top: int,
    bottom: int = 0,
) -> Cost:  # fmt: skip
    """Return what ``graded_gradient`` of the same arguments will cost.

    >>> import tinygrad_res as tg
    >>> x = h = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> for _ in range(3):
    ...     h = h + tg.tanh(h)
    >>> g = tg.graph(h)
    >>> outgoing = {n.index: [e for e in g.edges if e.source == n.index] for n in g.nodes[1:]}
    >>> grades = [e.activation for e in g.edges]
    >>> print(estimate(g, outgoing, g.output.index, 0, grades, top=3))
    18 cotangents to pull, as in 2.0 backward passes, and at most 224 bytes of them at a time
    """
    degrees = live(outgoing, source, target, grades, top, bottom)

    def size(node: int, cotangents: int) -> int:
        record = _recorded(graph.nodes[node])
        return cotangents * math.prod(record.shape) * int(record.dtype.itemsize)

    held = {source: size(source, len(degrees[source]))}
    cotangents = peak = 0
    for node in sorted(outgoing, reverse=True):
        edges = [edge for edge, _, _ in _crossings(outgoing[node], degrees, grades)]
        k = len(degrees[node])
        cotangents += k * len(edges)
        now = sum(held.values()) + sum(size(edge.target, k) for edge in edges)
        if any(
            edge.family == "pointwise" and size(edge.target, 1) < size(node, 1) for edge in edges
        ):
            now += size(node, k)  # before it is summed over what an operand was stretched along
        held.pop(node, None)
        for edge in edges:
            whole = size(edge.target, len(degrees[edge.target]))
            if edge.target in held or whole != size(edge.target, k):
                now += whole  # where what arrives is added up
            held[edge.target] = whole
        peak = max(peak, now)
    plain = sum(map(len, outgoing.values()))
    return Cost(cotangents, cotangents / max(1, plain), peak)


def _crossings(
    edges: Sequence[GraphEdge], degrees: Degrees, grades: Sequence[int]
) -> list[tuple[GraphEdge, Rows, Rows]]:
    """Return the edges of a node along which a live degree stays live.

    Beside each, the rows of its source's stack that cross it, and those of its target's that
    they add to.
    """
    found: list[tuple[GraphEdge, Rows, Rows]] = []
    for edge in edges:
        grade, here, there = grades[edge.index], degrees[edge.source], degrees[edge.target]
        moved = tuple([k + grade for k in here]) if grade else here
        first = bisect_left(there, moved[0]) if moved else 0
        if there[first : first + len(moved)] == moved:
            crossing: Rows = slice(len(moved))
            onto: Rows = slice(first, first + len(moved))
        else:
            row = {k: i for i, k in enumerate(there)}
            crossing = [i for i, k in enumerate(moved) if k in row]
            onto = [row[moved[i]] for i in crossing]
        if moved and crossing:
            found.append((edge, crossing, onto))
    return found


# The sweeps


def graded_gradient(
    graph: Graph, outgoing: Outgoing, source: int, target: int, cotangent: Any,
    grades: Sequence[int], top: int, progress: str = "", bottom: int = 0,
) -> dict[int, Any]:  # fmt: skip
    """Return the part of the gradient that comes along the paths of each degree.

    Args:
        graph: holds the nodes.
        outgoing: the edges of each node on a path from ``source`` to ``target``.
        source, target: where paths start and end.
        cotangent: of the source.
        grades: the grade of every edge, by its index.
        top, bottom: leave out degrees above and below, and what leads to none between.
        progress: what to write beside a bar that counts cotangents; no bar where empty.

    Returns:
        By degree, in order, arrays of the target's shape, which may share memory.
    """
    degrees = live(outgoing, source, target, grades, top, bottom)
    arriving, own = {source: cotangent[None]} if degrees[source] else {}, set[int]()
    for node, crossings in _down(outgoing, degrees, grades, progress):
        edges = [edge for edge, _, _ in crossings]
        pulled = _pulled(graph.nodes[node], arriving.pop(node), edges)
        for (edge, crossing, onto), g in zip(crossings, pulled, strict=True):
            _add(arriving, own, edge.target, g[crossing], onto, len(degrees[edge.target]))
    return {k: arriving[target][i, ...] for i, k in enumerate(degrees[target])}


def moments(
    graph: Graph, outgoing: Outgoing, source: int, target: int, cotangent: Any,
    grades: Sequence[int],
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Return the sums over all degrees of g_k, k g_k and k^2 g_k, in three passes.

    With their inner products with the gradient, the first of them, they are the moments of
    the degree under the shares <g_k, g> / ||g||^2.

    Args:
        graph, outgoing, source, target, cotangent, grades: as for ``graded_gradient``.

    Returns:
        Three arrays of the target's shape.

    Source: Li & Eisner 2009, First- and Second-Order Expectation Semirings.

    >>> import numpy as np, tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> g = tg.graph(3 * x + tg.relu(tg.relu(x)))
    >>> outgoing = {n.index: [e for e in g.edges if e.source == n.index] for n in g.nodes[1:]}
    >>> moments(g, outgoing, g.output.index, 0, np.ones(2), [e.activation for e in g.edges])
    (array([4., 4.]), array([2., 2.]), array([4., 4.]))
    """
    start = backend.namespace(cotangent).zeros((3, *cotangent.shape), dtype=cotangent.dtype)
    start[0] = cotangent
    arriving, own = {source: start}, set[int]()
    for node in sorted(outgoing, reverse=True):
        pulled = _pulled(graph.nodes[node], arriving.pop(node), outgoing[node])
        for edge, g in zip(outgoing[node], pulled, strict=True):
            _add(arriving, own, edge.target, _raised(g, grades[edge.index]), slice(3), 3)
    whole, first, second = (arriving[target][j, ...] for j in range(3))
    return whole, first, second


def _pulled(node: GraphNode, stack: Any, edges: Sequence[GraphEdge]) -> list[Any]:
    """Pull a stack of cotangents of ``node`` back along some of its edges, in their order."""
    return batches.pull(_recorded(node), stack, [edge.position for edge in edges])


def _recorded(node: GraphNode) -> Node:
    """Return the operation that made a value: an array, neither a scope nor a single number."""
    if node.record is None or node.element is not None:
        raise GraphError(
            f"{node.label} (node {node.index}) is no recorded array, and cotangents are pulled "
            "through those: ask about paths at level='tensor'"
        )
    return node.record


def _raised(sums: Any, grade: int) -> Any:
    """Turn the sums of k^j g_k into those of (k + grade)^j g_k, expanded."""
    if not grade:
        return sums
    raised, a = sums.copy(), float(grade)
    raised[2] += 2.0 * a * sums[1] + a * a * sums[0]
    raised[1] += a * sums[0]
    return raised


def _down(
    outgoing: Outgoing, degrees: Degrees, grades: Sequence[int], progress: str
) -> Iterator[tuple[int, list[tuple[GraphEdge, Rows, Rows]]]]:
    """Yield each live node from the source down, with the edges that something crosses."""
    order = sorted(outgoing, reverse=True)
    total = 0
    if progress:
        crossings = (_crossings(outgoing[node], degrees, grades) for node in order)
        total = sum(len(degrees[n]) * len(c) for n, c in zip(order, crossings, strict=True))
    with _bar(progress, total) as bar:
        for node in order:
            found = _crossings(outgoing[node], degrees, grades)
            if found:
                yield node, found
                if bar is not None:
                    bar.update(len(degrees[node]) * len(found))


def _bar(progress: str, total: int) -> AbstractContextManager[Any]:
    """Return a progress bar, or nothing where it has no text."""
    if not progress:
        return nullcontext()
    from tqdm import tqdm

    bar: AbstractContextManager[Any] = tqdm(
        desc=progress, total=total, unit="cotangent", unit_scale=True, leave=False
    )
    return bar


def _add(
    arriving: dict[int, Any], own: set[int], target: int, g: Any, onto: Rows, length: int
) -> None:
    """Add what arrives along one edge to some rows of a node's stack of ``length``.

    What arrives first is kept as it is, and may share its memory: only a stack that was
    made here, and is in ``own``, is written to.
    """
    there = arriving.get(target)
    if there is None and len(g) == length:
        arriving[target] = g
        return
    if there is None:
        there = backend.namespace(g).zeros((length, *g.shape[1:]), dtype=g.dtype)
        there[onto] = g
    elif target in own:
        there[onto] += g
    else:
        there = there.copy()
        there[onto] += g
    arriving[target] = there
    own.add(target)
