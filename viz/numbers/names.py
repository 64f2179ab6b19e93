"""Names: what each number of a network is called, and which of them are sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from tinygrad_res.graph_parts import GraphEdge

from .. import text
from ..text import Runs
from .arrays import Merged
from .network import Element, Group, Kind
from .symbols import indexed, named, position

_LETTERS = ("v", "u", "q", "s", "value")
_INSIDE = 27.0


def name_elements(
    arrays: dict[object, Merged], ranks: dict[object, int], stands: dict[int, int],
    edges: Sequence[GraphEdge], outputs: Collection[int],
) -> tuple[dict[int, Element], tuple[Group, ...], tuple[str, ...]]:  # fmt: skip
    """Return the numbers, their groups from the left, and what the symbols mean.

    Args:
        arrays: after merging, with the rank of each.
        stands: the number that each node is drawn as.
        outputs: the nodes that paths start at; a single one without a name is called L.
    """
    plus = _adding(edges, stands)
    taken = {array.name.partition("_")[0] for array in arrays.values() if array.name}
    letter = next(c for c in _LETTERS if c not in taken)
    last = {stands[v] for v in outputs if v in stands}
    elements: dict[int, Element] = {}
    groups: list[Group] = []
    unnamed, counted = 0, False
    for key in sorted(arrays, key=lambda k: ranks[k]):
        array = arrays[key]
        places = list(dict.fromkeys(stands[node.index] for node in array.nodes))
        shape = array.nodes[0].recorded.shape if array.nodes[0].recorded else None
        base = _base(array, len(places) == 1 and places[0] in last)
        if not base:
            unnamed += 1
            base = ((letter, ""), (str(unnamed), "sub"))
        for at, node in zip(places, array.nodes, strict=True):
            bare = position(node.element, shape)
            counted |= bool(bare)
            symbol = indexed(base, node.element, shape)
            kind: Kind = "weight" if node.kind == "parameter" else "value"
            if at in plus or (array.joins and kind == "value"):
                kind = "sum"
            short = text.plain(bare) if len(bare) < 4 else ()
            fits = text.width(symbol, 12) <= _INSIDE
            elements[at] = Element(symbol, symbol if fits else short, node.label, kind)
        heading = text.name(array.name, 16) if array.name else base
        ops = " + ".join(filter(None, array.ops))
        groups.append(Group(heading, ops, tuple(places), ranks[key]))
    symbols = ["subscripts of elements count from 1: x_{1} is x[0]"] * counted
    if any(run.count(";") for e in elements.values() for run, _ in e.symbol):
        symbols.append("x_{1;2}: element 2 of x_{1}")
    if unnamed:
        symbols.append(f"{letter}_{{k}}: a value without a name")
    return elements, tuple(groups), tuple(symbols)


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
