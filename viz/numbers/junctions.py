"""Junctions: where a weight meets its operand, ``dx/dw = y`` and ``dx/dy = w``.

Paths that lead to a weight end at it; the number that it is multiplied by lies off all of
them, and yet it is their last factor.  So it is drawn beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphEdge

from .. import text
from .factors import Factor, Factors
from .network import Element, Group, Network, Wire
from .symbols import number, partial

MOST_JUNCTIONS = 4
"""For up to this many weights that paths lead to, the other operand is drawn as well."""


def with_junctions(
    network: Network, graph: Graph, edges: Sequence[GraphEdge], factors: Factors,
    stands: dict[int, int],
) -> Network:  # fmt: skip
    """Add the operands that the weights at the end of paths are multiplied by.

    Args:
        edges: those of the graph that the network shows.
        stands: the element that each node is drawn as.
    """
    weights = [key for key, element in network.elements.items() if element.kind == "weight"]
    if len(weights) > MOST_JUNCTIONS:
        return network
    elements, wires = dict(network.elements), list(network.wires)
    beside: dict[object, int] = {}
    added: dict[tuple[int, text.Runs, str], list[int]] = {}
    ranks = {at: group.rank for group in network.groups for at in group.elements}
    for edge in edges:
        output, weight = stands[edge.source], stands[edge.target]
        factor = factors.of(edge) if weight in weights else None
        if factor is None or factor.element is None:
            continue
        known = (id(factor.record), factor.element)
        if known not in beside:
            at = beside[known] = -1 - len(beside)
            elements[at] = Element(
                factor.symbol, factor.symbol, text.joined(factor.symbol), "beside"
            )
            added.setdefault((ranks[weight] - 1, factor.array, _op(factor)), []).append(at)
        at, tensor = beside[known], graph.nodes[edge.target].tensor
        place = graph.nodes[edge.target].element
        value = float(tensor.numpy()[place]) if tensor is not None and place is not None else None
        symbol = elements[weight].symbol
        label = (*partial(elements[output].symbol, factor.symbol), *text.plain(" = "), *symbol)
        if value is not None:
            label = (*label, *text.plain(f" = {number(value)}"))
        wires.append(Wire(output, at, "weight", -1, symbol, label, value, False, True, True))
    if not beside:
        return network
    groups = [Group(name, op, tuple(found), rank) for (rank, name, op), found in added.items()]
    lowest = min(0, *(group.rank for group in groups))
    shifted = [replace(g, rank=g.rank - lowest) for g in (*network.groups, *groups)]
    shifted.sort(key=lambda g: g.rank)
    return replace(network, elements=elements, groups=tuple(shifted), wires=tuple(wires))


def _op(factor: Factor) -> str:
    record = factor.record
    return record.primitive.name if record is not None and record.primitive is not None else ""
