"""Numbering: values without a name are v_1, v_2, ... in formulas and in figures alike.

A formula must name the values at which its paths part and meet, and it is read beside a
picture.  So both ask here, and count the same way: from the input's side on, by the longest way
that leads there.  Pictures draw a copy together with what it copies, so copies count last.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from .graph import Graph
from .notation import clean

LETTERS = ("v", "u", "q", "s", "value")
"""The first that no name of the graph begins with is taken."""


def stand_ins(arrays: Graph, pairs: Iterable[tuple[int, int]], root: int | None) -> dict[int, str]:
    """Return what the values that operations made are called where they have no name.

    Args:
        arrays: the graph at tensor level.
        pairs: the numbers of the arrays at both ends of each edge on the paths, the one on the
            output's side first.
        root: the array with the one number that all paths start at, called L.

    >>> import tinygrad_res as tg
    >>> a = tg.tensor(2.0, requires_grad=True, name="a")
    >>> graph = tg.graph(tg.sin(a) * tg.exp(a))
    >>> edges = [(edge.source, edge.target) for edge in graph.edges]
    >>> [stand_ins(graph, edges, graph.output.index).get(node.index) for node in graph.nodes]
    [None, 'v_1', 'v_2', 'L']
    """
    below, above = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
    for a, b in pairs:
        below[a].add(b)
        above[b].add(a)
    depth = dict.fromkeys(above, 0)
    for a in sorted(below):
        depth[a] = 1 + max(depth[b] for b in below[a])
    copies = {a for a, (b, *more) in below.items() if not more and len(above[b]) == 1}
    unnamed = [node.index for node in arrays.nodes if node.op and not clean(node.name or "")]
    order = sorted(
        (v for v in unnamed if v != root),
        key=lambda v: (v not in depth, v in copies and _copies(arrays, v), depth.get(v, 0), v),
    )
    taken = {(node.name or "").partition("_")[0] for node in arrays.nodes}
    letter = next((c for c in LETTERS if c not in taken), LETTERS[-1])
    found = {v: f"{letter}_{k}" for k, v in enumerate(order, 1)}
    return found | {v: "L" for v in unnamed if v == root}


def _copies(arrays: Graph, number: int) -> bool:
    """Say whether an array only copies another one, such as a reshape, or a product's with a bias."""
    node = arrays.nodes[number]
    into = [e for e in arrays.outgoing[number] if not arrays.nodes[e.target].weight_valued]
    sizes = {math.prod(arrays.nodes[edge.target].shape) for edge in into}
    return len(into) == 1 and into[0].is_identity and sizes == {math.prod(node.shape)}
