"""Arrays in columns: which numbers belong together, and how far from the input they stand.

A group's rank is the longest way from it back to where paths end, so that every wire leads
from a higher rank to a lower one.  An array that only copies another, such as a reshape or a
bias added behind a product, is merged with it: the picture has the columns that people draw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphEdge, GraphNode
from tinygrad_res.scalar import ScalarGraph


@dataclass
class Merged:
    """An array under construction, with those that only copy it.

    Attributes:
        ops: the operations that made it, one after the other.
        is_end: whether paths end at it.
        joins: whether it adds up numbers that depend on data.
    """

    nodes: list[GraphNode]
    ops: list[str]
    name: str | None
    is_end: bool
    joins: bool


def arrays_of(
    graph: Graph, visited: Sequence[int], edges: Iterable[GraphEdge], ends: set[int]
) -> tuple[dict[object, Merged], dict[int, object]]:
    """Share the nodes among arrays; where there is no record, by name and depth."""
    depth = dict.fromkeys(visited, 0)
    for edge in sorted(edges, key=lambda e: e.source):
        depth[edge.source] = max(depth[edge.source], depth[edge.target] + 1)
    joining = _joining(graph)
    arrays: dict[object, Merged] = {}
    owner: dict[int, object] = {}
    for v in visited:
        node = graph.nodes[v]
        owner[v] = node.recorded or (node.name, node.op, node.scope, depth[v])
        array = arrays.setdefault(
            owner[v], Merged([], [node.op], node.name, False, owner[v] in joining)
        )
        array.nodes.append(node)
        array.is_end |= v in ends
    return arrays, owner


def _joining(graph: Graph) -> set[object]:
    """Return the sums of several numbers that depend on data; a bias does not."""
    if not isinstance(graph, ScalarGraph):
        return set()
    nodes, outgoing = graph.parent.nodes, graph.parent.outgoing
    return {
        node.recorded for node in nodes
        if (node.op == "add" and sum(not nodes[e.target].weight_valued for e in outgoing[node.index]) > 1)
        or (node.op == "sum" and nodes[outgoing[node.index][0].target].shape != node.shape)
    }  # fmt: skip


def merge(
    arrays: dict[object, Merged], owner: dict[int, object], stands: dict[int, int],
    edges: Sequence[GraphEdge], outputs: set[int],
) -> dict[object, Merged]:  # fmt: skip
    """Join arrays that only copy one other array with it, element by element."""
    consumers = Counter(edge.target for edge in edges)
    incoming: dict[object, list[GraphEdge]] = {}
    for edge in edges:
        incoming.setdefault(owner[edge.source], []).append(edge)
    kept = dict(arrays)
    for key, array in arrays.items():
        into = incoming.get(key, [])
        operands = {owner[edge.target] for edge in into}
        sizes = {len(into), len(array.nodes), len({edge.target for edge in into})}
        if len(operands) != 1 or len(sizes) != 1 or array.is_end or array.joins:
            continue
        (below,) = operands
        other = kept[below]
        ends_meet = other.is_end and not outputs.isdisjoint(n.index for n in array.nodes)
        if (
            len(other.nodes) != len(array.nodes)
            or (other.name and array.name) or ends_meet
            or any(not e.is_identity or e.derivative != 1 for e in into)
            or any(consumers[e.target] != 1 for e in into)
        ):  # fmt: skip
            continue
        for edge in into:
            stands[edge.source] = stands[edge.target]
        if array.name:
            place = {stands[node.index]: node for node in array.nodes}
            other.nodes = [place[stands[node.index]] for node in other.nodes]
        other.name = other.name or array.name
        other.ops += array.ops
        for node in array.nodes:
            owner[node.index] = below
        del kept[key]
    return kept


def ranks_of(
    merged: dict[object, Merged], owner: dict[int, object], stands: dict[int, int],
    edges: Sequence[GraphEdge],
) -> dict[object, int]:  # fmt: skip
    """Return the columns: the longest way down; leaves stand just before their first use."""
    pairs = {
        (owner[e.source], owner[e.target]): None
        for e in sorted(edges, key=lambda e: e.source)
        if stands[e.source] != stands[e.target]
    }
    below: dict[object, list[object]] = {key: [] for key in merged}
    above: dict[object, list[object]] = {key: [] for key in merged}
    for output, operand in pairs:
        below[output].append(operand)
        above[operand].append(output)
    ranks: dict[object, int] = {}
    waiting = {key: len(below[key]) for key in merged}
    ready = [key for key in merged if not waiting[key]]
    while ready:
        key = ready.pop()
        ranks[key] = max((ranks[k] + 1 for k in below[key]), default=0)
        for output in above[key]:
            waiting[output] -= 1
            if not waiting[output]:
                ready.append(output)
    for key in merged:
        if not below[key] and above[key]:
            ranks[key] = min(ranks[k] for k in above[key]) - 1
    return ranks
