"""Graphs to networkx, and from it: also such as were drawn up by hand.

``to_networkx`` gives every attribute of nodes and edges (``tinygrad_res.graph_rows``).  The way
back asks less: name the nodes, put a derivative on each edge, and ask for the paths.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

from .errors import DataError, UsageError
from .graph import Graph
from .graph_rows import (
    EDGE,
    FORMAT,
    NODE,
    VERSION,
    Row,
    built,
    count,
    edge_rows,
    listed,
    node_rows,
    number,
    read_as,
    way,
)

if TYPE_CHECKING:
    import networkx


def to_networkx(graph: Graph) -> networkx.MultiDiGraph:
    """Return a graph as ``Graph.to_networkx`` describes it."""
    import networkx

    found = networkx.MultiDiGraph(format=FORMAT, version=VERSION, level=graph.level)
    found.add_nodes_from((row.pop("id"), row) for row in node_rows(graph))
    found.add_edges_from(
        (row.pop("source"), row.pop("target"), row.pop("key"), row) for row in edge_rows(graph)
    )
    return found


def from_networkx(
    graph: networkx.DiGraph, derivative: str | None = "derivative", output: Hashable = None
) -> Graph:
    """Return the graph that a directed graph of networkx draws.

    Args:
        graph: acyclic; an edge leads from an output to an operand, parallel ones in a
            ``MultiDiGraph``.  Nodes may be anything hashable: ``str`` of one is its name, if
            it has no attribute ``name``.  Other attributes are those of ``GraphNode`` and
            ``GraphEdge``: ``op``, ``kind``, ``scope``, and the grades ``weight``, ``scale``,
            ``block``, ``activation``.  Foreign ones are left behind: a semiring or a grading of
            one's own finds an edge's ends by their names, and so what networkx holds of it.
        derivative: the edges' attribute that holds the number on them; ``None`` for a graph
            to count paths in.
        output: the node where paths start: needed where there are several that no edge leads
            to.  Nodes that are computed from it are left out.

    Returns:
        A graph at scalar level; at tensor level, without arrays, for ``derivative=None``.
        Nodes are numbered operands first, and else in the order in which they were added.

    Raises:
        DataError: the graph is no such graph; the message names the node or the edge.
        UsageError: ``output`` is no node.

    The derivative of F(m(x), n(x)) by x, from the picture alone:

    >>> import networkx as nx, tinygrad_res as tg
    >>> picture = nx.DiGraph()
    >>> picture.add_edge("F", "m", derivative=2.0)
    >>> picture.add_edge("F", "n", derivative=-1.0)
    >>> picture.add_edge("m", "x", derivative=3.0)
    >>> picture.add_edge("n", "x", derivative=0.5)
    >>> p = tg.paths(tg.from_networkx(picture), "x")
    >>> p.count(), p.gradient(), p.top(1)
    (2, 5.5, [Path(F -> m -> x)])

    With an attribute of one's own, the cheapest way:

    >>> nx.set_edge_attributes(picture, {("F", "m"): 5, ("F", "n"): 1, ("m", "x"): 1, ("n", "x"): 2}, "cost")
    >>> node = p.graph.nodes
    >>> cost = lambda e: picture.edges[node[e.source].name, node[e.target].name]["cost"]
    >>> p.evaluate(tg.semirings.semiring(min, lambda a, b: a + b, float("inf"), 0, cost))
    3
    """
    import networkx

    if not isinstance(graph, networkx.DiGraph):
        raise DataError(
            f"from_networkx: {type(graph).__name__}: pass a networkx.DiGraph or MultiDiGraph, "
            "whose edges lead from an output to its operands"
        )
    if not graph:
        raise DataError("from_networkx: the graph is empty: add a node for the output")
    ours = graph.graph.get("format") == FORMAT
    outputs = _outputs(graph, output, ours)
    order = _numbered(graph, outputs)
    place = {node: i for i, node in enumerate(order)}
    nodes = [_node_by_hand(graph, node, ours) for node in order]
    edges: list[Row] = []
    for node in order:
        leaving = [
            {"source": place[node], "target": place[ends[1]]}
            | _edge_by_hand(i, ends, derivative, ours)
            for i, ends in enumerate(graph.out_edges(node, data=True))
        ]
        edges += sorted(leaving, key=lambda row: (row["position"], row["target"]))
    level = "scalar" if derivative is not None else "tensor"
    if ours and derivative is None and graph.graph.get("level") in ("tensor", "scope"):
        level = graph.graph["level"]
    if not ours:
        _refuse_twice(nodes)
    return built("from_networkx", level, nodes, edges, len(outputs))


def _outputs(graph: networkx.DiGraph, output: Hashable, ours: bool) -> list[Hashable]:
    """Return the nodes that paths start at."""
    if output is not None:
        if output not in graph:
            raise UsageError(
                f"from_networkx: output={output!r} is not in the graph: it has {listed(graph)}"
            )
        return [output]
    marked = [node for node, row in graph.nodes(data=True) if row.get("output") is True]
    if ours and marked:
        return marked
    roots = [node for node in graph if not graph.in_degree(node)]
    if len(roots) > 1:
        raise DataError(
            f"from_networkx: no edge leads to {len(roots)} nodes, {listed(roots)}: "
            "name the one where paths start with output="
        )
    return roots


def _numbered(graph: networkx.DiGraph, outputs: Sequence[Hashable]) -> list[Hashable]:
    """Return the nodes, operands first, the outputs last, else as they were added (Kahn 1962)."""
    import networkx

    added, last = {node: i for i, node in enumerate(graph)}, set(outputs)
    waiting = dict(graph.out_degree())
    ready = [(node in last, added[node], node) for node in graph if not waiting[node]]
    heapq.heapify(ready)
    order: list[Hashable] = []
    while ready:
        *_, node = heapq.heappop(ready)
        order.append(node)
        for above, _ in graph.in_edges(node):
            waiting[above] -= 1
            if not waiting[above]:
                heapq.heappush(ready, (above in last, added[above], above))
    if len(order) < len(graph):
        cycle = [edge[0] for edge in networkx.find_cycle(graph)]
        raise DataError(
            f"from_networkx: the graph has the cycle {way([*cycle, cycle[0]])}: a value cannot be "
            "computed from itself, so remove an edge"
        )
    beyond: set[Hashable] = set()
    for node in order:
        if any(operand in last or operand in beyond for _, operand in graph.out_edges(node)):
            beyond.add(node)
    if beyond & last:
        raise DataError(
            f"from_networkx: of the outputs {listed(outputs)} one is computed from another: name "
            "the one where paths start with output="
        )
    return [node for node in order if node not in beyond]


def _node_by_hand(graph: networkx.DiGraph, node: Hashable, ours: bool) -> Row:
    """Return a node's attributes; one that we wrote keeps to what stands there."""
    row = {name: value for name, value in graph.nodes[node].items() if name in NODE}
    if ours:
        return row
    return {"name": str(node), "kind": "operation" if graph.out_degree(node) else "input"} | row


def _edge_by_hand(
    i: int, ends: tuple[Hashable, Hashable, Row], derivative: str | None, ours: bool
) -> Row:  # fmt: skip
    """Return the attributes of the edge that is number ``i`` of those from its output."""
    source, target, given = ends
    row = {name: given[name] for name in EDGE if name in given and name != derivative}
    row.pop("derivative", None)
    where = f"from_networkx: edge {way(ends[:2])}"
    row["position"] = read_as(count, row.get("position", i), where, "position")
    if derivative is None:
        return row
    if given.get(derivative) is None:
        raise DataError(
            f"{where} has no attribute {derivative!r}: put the derivative of {source!s} by "
            f"{target!s} there, name the attribute that holds it with derivative=, or count "
            "paths with derivative=None"
        )
    value = read_as(number, given[derivative], where, derivative)
    if not (ours or math.isfinite(value)):
        raise DataError(f"{where}: {derivative}={value}: products along paths need finite numbers")
    return {"label": f"{value:g}", "is_identity": value == 1} | row | {"derivative": value}


def _refuse_twice(nodes: Iterable[Row]) -> None:
    names = Counter((row["name"], str(row.get("element"))) for row in nodes)
    (name, _), times = names.most_common(1)[0]
    if times > 1:
        raise DataError(
            f"from_networkx: {times} nodes have the name {name!r}: names are str() of the nodes, or "
            "their attribute name, and tell them apart: rename one"
        )
