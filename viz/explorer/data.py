"""What the page is told: a row of small graphs, in which paths can be numbered.

Paths run through *segments*, from the output's side on: every path is one way through the
first, one through the second, and so on.  A residual chain has one small segment for each
block; a graph whose paths never meet has a single large one.  A segment is the shape that it
shares with others (its edges, in the order of the paths' numbering) and the names of its own
nodes and edges.  Nothing is counted here: the page counts for itself, and its numbers must
be those of ``p.count()`` and ``p[r]``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tinygrad_res.errors import FigureError
from tinygrad_res.graph_parts import GraphEdge, GraphNode
from tinygrad_res.measures import Paths
from tinygrad_res.symbols import Symbols

from .. import text
from ..numbers.symbols import indexed
from .formulas import is_formula
from .signs import Signs, parallel_numbers

LONGEST_NAME = 80
KINDS = ("identity", "weight", "activation", "plain")

_NEGATIVE = re.compile(r"^-(?=[\d.])")
_INDEXED = re.compile(r"(.+)\[(\d+(?:,\d+)*)\]")

Edge = tuple[int, int, int]
"""An edge's number, the node that it leads from and the one that it leads to."""


class Names:
    """The texts of a page, each told once; a name is its place in ``texts``."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    @property
    def texts(self) -> list[str]:
        """The texts, in the order of their places."""
        return list(self._places)

    def place(self, name: str) -> int:
        """Return the place of a name, cleaned and of bounded length."""
        return self.keep(text.clean(name, LONGEST_NAME))

    def keep(self, words: str) -> int:
        """Return the place of a text of our own, as it is."""
        return self._places.setdefault(words, len(self._places))


def segments_of(paths: Paths) -> list[list[Edge]]:
    """Return the edges of each segment, sorted by number, from the output's side.

    Where paths start or end at several elements of an array there is one segment.
    """
    frame = paths.frame
    if len(paths.inputs) == 1 and not frame.firsts:
        return [list(map(_ends, segment.edges)) for segment in paths.segments()]
    edges = [_ends(edge) for edge in paths.edges]
    known = {node.index for node in paths.nodes}
    first = len(paths.graph.edges)
    edges += [(first + i, frame.root, v) for i, v in enumerate(frame.firsts) if v in known]
    return [edges]


def numbering(paths: Paths, names: Names) -> dict[str, Any]:
    """Return the shapes and segments that the page numbers paths by.

    A shape is ``[nodes, edges]``, an edge ``[from, to, grade, kind, number]`` with nodes by
    their place and its number counted from the segment's first; a segment is ``[shape, first
    number, names of nodes, names of edges, LaTeX of nodes, numbers of parallel edges, what
    edges carry]`` (see ``signs.py``), the last a row of numbers at scalar level and empty at others.
    ``degree`` is the one degree that paths of the set have, ``None`` for a set of all degrees;
    ``count`` the number of paths as Python counts it, in hexadecimal digits, however many; ``bar`` whether formulas begin
    with the output's cotangent.

    Raises:
        FigureError: the set was narrowed by another degree.
    """
    segments, grades = segments_of(paths), grades_of(paths)
    sign, parallel = Signs(paths), parallel_numbers(paths)
    carried = paths.frame.derivatives if paths.level == "scalar" else None
    shapes: dict[Any, int] = {}
    rows = []
    for edges in segments:
        nodes = sorted({v for _, a, b in edges for v in (a, b)})
        place = {v: i for i, v in enumerate(nodes)}
        first = edges[0][0]
        shape = tuple(
            (place[a], place[b], grades.get(e, 0), kind_of(paths, e), e - first)
            for e, a, b in edges
        )
        own = shapes.setdefault((len(nodes), shape), len(shapes))
        rows.append([
            own, first, [names.place(node_name(paths, v)) for v in nodes],
            [names.place(edge_name(paths, e)) for e, _, _ in edges],
            [-1 if sign.hides(v) else names.keep(sign.latex(v)) for v in nodes],
            [parallel.get(e, 0) for e, _, _ in edges],
            [] if carried is None else [number(float(carried[e])) for e, _, _ in edges],
        ])  # fmt: skip
    listed = [[size, [list(edge) for edge in edges]] for size, edges in shapes]
    degree = _demanded(paths, segments, grades)
    return {
        "shapes": listed, "segments": rows, "degree": degree, "count": hex(paths.count()),
        "bar": paths.level != "scalar" and paths.frame.cotangent is not None,
    }  # fmt: skip


def grades_of(paths: Paths) -> dict[int, int]:
    """Return how many weight layers each edge counts for."""
    return dict(enumerate(paths.window("weight").tolist()))


def is_narrowed(paths: Paths) -> bool:
    """Whether fewer paths belong to the set than its edges make."""
    grades = grades_of(paths)
    return paths.count() != _all(_ways(edges, grades) for edges in segments_of(paths))


def _ends(edge: GraphEdge) -> Edge:
    return edge.index, edge.source, edge.target


def number(value: float) -> float | None:
    """Return a number with the digits that a page needs, ``None`` where it is not finite."""
    return float(f"{value:.12g}") if math.isfinite(value) else None


def kind_of(paths: Paths, edge: int) -> int:
    """Return how an edge is drawn, as its place in ``KINDS``."""
    found = recorded_edge(paths, edge)
    if found is None:
        return KINDS.index("plain")
    passed = {
        "weight": found.weight > 0, "activation": found.activation > 0,
        "identity": found.is_identity, "plain": True,
    }  # fmt: skip
    return KINDS.index(next(kind for kind, passes in passed.items() if passes))


def recorded_edge(paths: Paths, edge: int) -> GraphEdge | None:
    """Return an edge of the graph, ``None`` for one from the root that stands for all outputs."""
    return paths.graph.edges[edge] if edge < len(paths.graph.edges) else None


def recorded_node(paths: Paths, node: int) -> GraphNode | None:
    """Return a node of the graph, ``None`` for the root that stands for all outputs."""
    return paths.graph.nodes[node] if node < len(paths.graph.nodes) else None


def edge_name(paths: Paths, edge: int) -> str:
    """Return what stands on an edge."""
    found = recorded_edge(paths, edge)
    return _NEGATIVE.sub("−", found.label) if found is not None else "cotangent"


def node_name(paths: Paths, node: int) -> str:
    """Return what a node is called: a number, as in figures of numbers, by its symbol."""
    found = recorded_node(paths, node)
    if found is None:
        return "all outputs"
    return (number_name(paths, node) if paths.level == "scalar" else "") or found.label


def number_name(paths: Paths, node: int) -> str:
    """Return a number's symbol, such as ``v_{1;12}``; nothing where that is no formula."""
    symbols = Symbols(paths.frame, 1)
    sign = symbols.node(node).text
    within = _INDEXED.fullmatch(sign)
    shape = symbols.shapes.get(within[1]) if within else None
    if within and shape is not None:
        element = [int(i) - 1 for i in within[2].split(",")]
        runs = indexed(text.name(within[1]), element, shape)
        sign = "".join(f"_{{{run}}}" if kind == "sub" else run for run, kind in runs)
    return sign if is_formula(sign) else ""


def _demanded(paths: Paths, segments: Sequence[list[Edge]], grades: dict[int, int]) -> int | None:
    """Return the degree that a narrowed set demands of its paths."""
    ways = [_ways(edges, grades) for edges in segments]
    if paths.count() == _all(ways):
        return None
    degrees: dict[int, int] = paths.count_by("weight")
    degree, count = next(iter(degrees.items()))
    if len(degrees) == 1 and count == _product(ways, degree):
        return degree
    raise FigureError(
        f"explore: {paths!r} was narrowed by a degree other than the weight layers crossed: "
        'narrow it with through, avoiding or with_degree("weight", k), or explore it whole'
    )


def _all(ways: Iterable[Counter[int]]) -> int:
    return math.prod(sum(found.values()) for found in ways)


def _ways(edges: list[Edge], grades: dict[int, int]) -> Counter[int]:
    """Count the ways through a segment by degree."""
    found: dict[int, Counter[int]] = {}
    for edge, source, target in edges:
        own = found.setdefault(source, Counter())
        for degree, n in found.get(target, {0: 1}).items():
            own[degree + grades.get(edge, 0)] += n
    return found[edges[-1][1]]


def _product(ways: Sequence[Counter[int]], degree: int) -> int:
    """Return how many ways through all segments have a degree."""
    total = Counter({0: 1})
    for own in ways:
        more: Counter[int] = Counter()
        for k, n in total.items():
            for j, m in own.items():
                if k + j <= degree:
                    more[k + j] += n * m
        total = more
    return total[degree]
