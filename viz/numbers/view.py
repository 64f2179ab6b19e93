"""The network that paths between numbers run through: names, lines and labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphEdge

from .. import text
from ..highlight import PLAIN, Emphasis
from ..text import Runs
from .arrays import arrays_of, merge, ranks_of
from .factors import Factor, Factors
from .junctions import with_junctions
from .names import name_elements
from .network import Network, Wire, on_routes
from .symbols import number, partial

MOST_PARTIALS = 16
"""Up to this many plain derivatives are written as fractions, else as numbers alone."""


def read_network(
    graph: Graph, edges: Sequence[GraphEdge], outputs: Collection[int], ends: Collection[int],
    used: Collection[int] | None = None, counted: Sequence[int] | None = None,
    emphasis: Emphasis = PLAIN,
) -> Network:  # fmt: skip
    """Return the network that some edges make, from the outputs back to the ends.

    Args:
        graph: at scalar level.
        edges: those that paths take.
        outputs, ends: the numbers of the nodes where paths start and end.
        used: the numbers of the edges of the chosen paths; all if left out.
        counted: the weight layers that each edge of the graph counts for; as it says itself if
            left out.
        emphasis: the sets to bring out, and what stands on edges.
    """
    layers = {e.index: e.weight if counted is None else int(counted[e.index]) for e in edges}
    flows = emphasis.flows or {}
    visited = sorted({v for e in edges for v in (e.source, e.target)} | set(ends) & set(outputs))
    visited = visited or sorted(outputs)
    arrays, owner = arrays_of(graph, visited, edges, set(ends))
    stands = {v: v for v in visited}
    merged = merge(arrays, owner, stands, edges, set(outputs))
    ranks = ranks_of(merged, owner, stands, edges)
    elements, groups, symbols = name_elements(graph, merged, ranks, stands, edges, set(outputs))
    drawn = {
        (graph.nodes[v].recorded, graph.nodes[v].element): elements[at].symbol
        for v, at in stands.items()
    }
    factors = Factors(graph, drawn, {element.symbol[0][0] for element in elements.values()})
    free = on_routes(edges, outputs, ends, lambda edge: not layers[edge.index])
    live = on_routes(edges, outputs, ends, lambda edge: edge.derivative != 0)
    weighted = any(layers.values())
    kept = [e for e in edges if stands[e.source] != stands[e.target]]
    many = sum(not (e.weight or e.activation or e.is_identity) for e in kept) > MOST_PARTIALS
    wires = []
    for edge in kept:
        output, operand = stands[edge.source], stands[edge.target]
        factor, to_weight = factors.of(edge), elements[operand].kind == "weight"
        style = _style(edge, weighted and edge.index in free)
        symbol, label = _words(
            edge, style, factor, elements[output].symbol, elements[operand].symbol,
            many, to_weight, graph.nodes[edge.source].op,
        )  # fmt: skip
        label = _asked(label, symbol, edge, emphasis.labels)
        wires.append(
            Wire(
                output,
                operand,
                style,
                edge.index,
                symbol,
                label,
                edge.derivative,
                edge.index in free,
                edge.index in live,
                used is None or edge.index in used,
                bool(layers[edge.index]),
                emphasis.taken_by((edge.index,)),
                flows.get(edge.index),
            )
        )
    symbols = (*symbols, *factors.symbols)
    network = Network(elements, groups, tuple(wires), len(visited), weighted, symbols)
    return with_junctions(network, graph, kept, factors, stands)


# Wires


def _style(edge: GraphEdge, free: bool) -> str:
    if edge.weight:
        return "weight"
    if edge.activation:
        return "activation"
    return "identity" if free and edge.is_identity else "plain"


def _asked(label: Runs, symbol: Runs, edge: GraphEdge, labels: str) -> Runs:
    """Return what stands on an edge in place of the usual; nothing on a copy."""
    if not label or not labels:
        return label
    value = text.plain(number(edge.derivative)) if edge.derivative is not None else ()
    both = (*symbol, *text.plain(" = "), *value) if value else symbol
    return {"symbol": symbol, "value": value, "both": both, "none": ()}[labels]


def _words(
    edge: GraphEdge, style: str, factor: Factor | None, output: Runs, operand: Runs,
    many: bool, to_weight: bool, op: str,
) -> tuple[Runs, Runs]:  # fmt: skip
    """Return what stands on an edge in a product, and in the figure."""
    value = number(edge.derivative if edge.derivative is not None else float("nan"))
    equals = text.plain(f" = {value}")
    if edge.is_identity and edge.derivative == 1:
        return (), ()
    if style == "activation":
        return (*text.plain(f"{op}′("), *operand, *text.plain(")")), text.plain(value)
    if factor is not None and to_weight:
        whole = (*partial(output, operand), *text.plain(" = "), *factor.symbol, *equals)
        return factor.symbol, whole
    if factor is not None:
        return factor.symbol, (*factor.symbol, *equals)
    symbol = partial(output, operand)
    return symbol, text.plain(value) if many else (*symbol, *equals)
