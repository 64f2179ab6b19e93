"""Graphs for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .graph import Graph

if TYPE_CHECKING:
    import networkx


def to_networkx(graph: Graph) -> networkx.MultiDiGraph:
    import networkx

    found = networkx.MultiDiGraph()
    for node in graph.nodes:
        found.add_node(
            node.index, label=node.label, op=node.op, name=node.name, kind=node.kind,
            scope=node.scope, shape=node.shape, dtype=node.dtype,
            weight_valued=node.weight_valued, requires_grad=node.requires_grad,
        )  # fmt: skip
    for edge in graph.edges:
        found.add_edge(
            edge.source, edge.target, key=edge.position, family=edge.family, label=edge.label,
            weight=edge.weight, scale=edge.scale, activation=edge.activation, block=edge.block,
            is_identity=edge.is_identity,
        )  # fmt: skip
    return found
