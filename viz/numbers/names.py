"""Names: what each number of a network is called, and which of them are sums.

Values without a name are numbered as formulas number them (``tinygrad_res.numbering``), so that
v_2 in the picture is v_2 in ``tg.formula``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphEdge, GraphNode
from tinygrad_res.numbering import LETTERS, stand_ins
from tinygrad_res.scalar import ScalarGraph

from .. import text
from ..text import Runs
from .arrays import Merged
from .network import Element, Group, Kind
from .symbols import indexed, named, position

_INSIDE = 27.0


def name_elements(
    graph: Graph, arrays: dict[object, Merged], ranks: dict[object, int], stands: dict[int, int],
    edges: Sequence[GraphEdge], outputs: Collection[int],
) -> tuple[dict[int, Element], tuple[Group, ...], tuple[str, ...]]:  # fmt: skip
    """Return the numbers, their groups from the left, and what the symbols mean.

    Args:
        graph: at scalar level.
        arrays: after merging, with the rank of each.
        stands: the number that each node is drawn as.
        outputs: the nodes that paths start at; a single one without a name is called L.
    """
    plus = _adding(edges, stands)
    called = _called(graph, arrays, ranks, edges)
    last = {stands[v] for v in outputs if v in stands}
    elements: dict[int, Element] = {}
    groups: list[Group] = []
    unnamed, counted, numbered = "", list[tuple[Runs, GraphNode]](), False
    for key in sorted(arrays, key=lambda k: ranks[k]):
        array = arrays[key]
        places = list(dict.fromkeys(stands[node.index] for node in array.nodes))
        shape = array.nodes[0].recorded.shape if array.nodes[0].recorded else None
        base = _base(array, len(places) == 1 and places[0] in last)
        if not base:
            base = text.name(called[key])
            unnamed = base[0][0]
        for at, node in zip(places, array.nodes, strict=True):
            bare = position(node.element, shape)
            symbol = indexed(base, node.element, shape)
            counted += [(symbol, node)] * bool(bare)
            kind: Kind = "weight" if node.kind == "parameter" else "value"
            if at in plus or (array.joins and kind == "value"):
                kind = "sum"
            short = symbol
            if text.width(symbol, 12) > _INSIDE:
                place = f"#{bare}" if 0 < len(bare) < 4 else ""
                short, numbered = text.plain(place), numbered or bool(place)
            elements[at] = Element(symbol, short, node.label, kind)
        heading = text.name(array.name, 16) if array.name else base
        ops = " + ".join(filter(None, array.ops))
        groups.append(Group(heading, ops, tuple(places), ranks[key]))
    symbols = _examples(counted)
    symbols += ["#k: element k of what stands over its column"] * numbered
    if unnamed:
        symbols.append(f"{unnamed}_{{k}}: a value without a name")
    return elements, tuple(groups), tuple(symbols)


def _called(
    graph: Graph, arrays: dict[object, Merged], ranks: dict[object, int],
    edges: Sequence[GraphEdge],
) -> dict[object, str]:  # fmt: skip
    """Return what arrays without a name are called; without a record, they count from the left."""
    if not isinstance(graph, ScalarGraph):
        taken = {array.name.partition("_")[0] for array in arrays.values() if array.name}
        letter = next((c for c in LETTERS if c not in taken), LETTERS[-1])
        unnamed = [key for key in sorted(arrays, key=lambda k: ranks[k]) if not arrays[key].name]
        return {key: f"{letter}_{k}" for k, key in enumerate(unnamed, 1)}
    nodes = graph.parent.nodes
    number = {node.recorded: node.index for node in nodes}
    pairs = {
        (number[graph.nodes[e.source].recorded], number[graph.nodes[e.target].recorded])
        for e in edges
    }
    return {nodes[v].recorded: name for v, name in stand_ins(graph.parent, pairs, None).items()}


def _examples(counted: Sequence[tuple[Runs, GraphNode]]) -> list[str]:
    """Say how elements are counted, by one of the figure's own."""
    found = [
        f": {node.name}_{{{symbol[1][0]}}} is {node.name}[{', '.join(map(str, node.element or ()))}]"
        for symbol, node in counted
        if node.name and len(node.name) == 1 and node.name.isalpha()
    ]
    example = next(iter(found[1:] + found), "")
    return [f"subscripts of elements count from 1{example}"] * bool(counted)


def _base(array: Merged, is_output: bool) -> Runs:
    """Return what an array is called; nothing where it has no name."""
    if array.name:
        return named(array.name)
    if is_output:
        return text.plain("L")
    if not any(array.ops):
        return text.plain("W" if array.nodes[0].kind == "parameter" else "x")
    return ()


def _adding(edges: Iterable[GraphEdge], stands: dict[int, int]) -> set[int]:
    """Return the numbers that several copies are added up to."""
    drawn = [e for e in edges if stands[e.source] != stands[e.target]]
    count = Counter(stands[e.source] for e in drawn)
    other = {stands[e.source] for e in edges if not e.is_identity}
    return {v for v, n in count.items() if n > 1} - other
