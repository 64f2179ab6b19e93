"""The network that paths between numbers run through: names, lines and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from tinygrad_res.graph import Graph, GraphEdge

from . import text
from .scalar_arrays import Merged, arrays_of, merge, ranks_of
from .scalar_factors import Factor, Factors, lettered
from .scalar_junctions import with_junctions
from .scalar_network import Element, Group, Kind, Network, Wire, on_routes
from .scalar_symbols import indexed, named, number, partial, position, shortened
from .text import Runs

MOST_PARTIALS = 16
"""Up to this many plain derivatives are written as fractions, else as numbers alone."""
_SUMS = frozenset({"add", "sum"})


def read_network(
    graph: Graph, edges: Sequence[GraphEdge], outputs: Collection[int], ends: Collection[int],
    used: Collection[int] | None = None,
) -> Network:  # fmt: skip
    """Return the network that some edges make, from the outputs back to the ends.

    Args:
        graph: at scalar level.
        edges: those that paths take.
        outputs, ends: the numbers of the nodes where paths start and end.
        used: the numbers of the edges of the chosen paths; all if left out.
    """
    visited = sorted({v for e in edges for v in (e.source, e.target)} | set(ends) & set(outputs))
    visited = visited or sorted(outputs)
    arrays, owner = arrays_of(graph, visited, edges, set(ends))
    stands = {v: v for v in visited}
    merged = merge(arrays, owner, stands, edges, set(outputs))
    ranks = ranks_of(merged, owner, stands, edges)
    elements, groups, letter, has_index = _elements(merged, ranks, stands, edges, set(outputs))
    factors = Factors(graph)
    taken = {element.symbol[0][0] for element in elements.values()}
    beside = next(letter for letter in ("y", "h", "a", "operand") if letter not in taken)
    free = on_routes(edges, outputs, ends, lambda edge: not edge.weight)
    live = on_routes(edges, outputs, ends, lambda edge: edge.derivative != 0)
    weighted = any(edge.weight for edge in edges)
    kept = [e for e in edges if stands[e.source] != stands[e.target]]
    many = sum(not (e.weight or e.activation or e.is_identity) for e in kept) > MOST_PARTIALS
    wires = []
    for edge in kept:
        output, operand = stands[edge.source], stands[edge.target]
        factor = factors.of(edge)
        to_weight = elements[operand].kind == "weight"
        if factor is not None and to_weight:
            factor = lettered(factor, beside)
        style = _style(edge, weighted and edge.index in free)
        symbol, label = _words(
            edge, style, factor, elements[output].symbol, elements[operand].symbol,
            many, to_weight, graph.nodes[edge.source].op,
        )  # fmt: skip
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
            )
        )
    network = Network(
        elements, groups, tuple(wires), len(visited), weighted, has_index, letter
    )  # fmt: skip
    return with_junctions(network, graph, kept, factors, stands, beside)


# Names


def _elements(
    merged: dict[object, Merged], ranks: dict[object, int], stands: dict[int, int],
    edges: Sequence[GraphEdge], outputs: set[int],
) -> tuple[dict[int, Element], tuple[Group, ...], str, bool]:  # fmt: skip
    """Name the elements; arrays without a name are v_1, v_2, ... from the left."""
    plus = _adding(edges, stands)
    taken = {array.name.partition("_")[0] for array in merged.values() if array.name}
    letter = next(c for c in ("v", "u", "q", "s", "value") if c not in taken)
    elements: dict[int, Element] = {}
    groups: list[Group] = []
    last = {stands[v] for v in outputs}
    has_index, unnamed = False, 0
    for key in sorted(merged, key=lambda k: ranks[k]):
        array = merged[key]
        places = list(dict.fromkeys(stands[node.index] for node in array.nodes))
        shape = array.nodes[0].recorded.shape if array.nodes[0].recorded else None
        ops = " + ".join(filter(None, array.ops))
        if array.name:
            base = named(array.name)
            heading = shortened(text.name(array.name, 16), ops)
        elif len(places) == 1 and places[0] in last:
            base = text.plain("y" if shape else "L")
            heading = shortened(base, ops)
        elif not ops:
            base = text.plain("W" if array.nodes[0].kind == "parameter" else "x")
            heading = base
        else:
            unnamed += 1
            base = ((letter, ""), (str(unnamed), "sub"))
            heading = shortened(base, ops)
        numbered = [position(node.element, shape) for node in array.nodes]
        has_index |= any(numbered)
        for at, node in zip(places, array.nodes, strict=True):
            kind: Kind = "weight" if node.kind == "parameter" else "value"
            if array.ops[-1] in _SUMS and at in plus:
                kind = "sum"
            symbol = indexed(base, node.element, shape)
            fits = text.width(symbol, 12) <= 27
            bare = position(node.element, shape)
            elements[at] = Element(
                symbol, symbol if fits else text.plain(bare) if len(bare) < 4 else (),
                node.label, kind,
            )  # fmt: skip
        groups.append(Group(heading, tuple(places), ranks[key]))
    return elements, tuple(groups), letter if unnamed else "", has_index


def _adding(edges: Iterable[GraphEdge], stands: dict[int, int]) -> set[int]:
    """Return the elements that several copies are added up to."""
    count = Counter(stands[e.source] for e in edges if stands[e.source] != stands[e.target])
    other = {stands[e.source] for e in edges if not e.is_identity}
    return {v for v, n in count.items() if n > 1} - other


# Wires


def _style(edge: GraphEdge, free: bool) -> str:
    if edge.weight:
        return "weight"
    if edge.activation:
        return "activation"
    return "identity" if free and edge.is_identity else "plain"


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
