"""The map: nodes and edges of paths that run through no chain, laid out along their spine.

Only what some path visits is drawn, every edge by itself, so that each can be lit alone.  A
graph of too many has no map: the page then shows the chosen path step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_res.measures import Paths

from .. import text
from ..layout import Canvas, Curve, Item, Label, Layout, Point, Shape
from ..numbers.symbols import number as shown
from ..records.lines import rounded
from ..records.places import NAME_SIZE, Frame, Places, place
from ..records.spine import Link, Site
from .data import KINDS, Edge, edge_name, kind_of, node_name, recorded_edge, recorded_node
from .formulas import Formulas

MOST_NODES, MOST_EDGES = 250, 500
"""So many numbers are laid out in 0.1 s; their page has 0.4 MB and is painted after 0.3 s."""
_HIGH, _ROUND, _CORNER, _WORDS_SIZE = 34.0, 22.0, 14.0, 10.5

Row = tuple[int | str, ...]
"""What an item of the map stands for, a node, an edge or a scope, and which; of a scope also
how many nodes stand in it, of a label also its formula's place."""


def draw_map(
    paths: Paths, segments: Sequence[list[Edge]], formulas: Formulas
) -> tuple[Layout | None, dict[str, Any]]:
    """Return the map and, item by item, what stands for what; no map where it cannot be drawn."""
    edges = [edge for segment in segments for edge in segment]
    visited = [sorted({v for _, a, b in segment for v in (a, b)}) for segment in segments]
    nodes = sorted({v for own in visited for v in own})
    told: dict[str, Any] = {"nodes": visited, "rows": [], "scopes": {}, "why": ""}
    if not nodes or len(nodes) > MOST_NODES or len(edges) > MOST_EDGES:
        most = f"at most {MOST_NODES} and {MOST_EDGES} are drawn"
        why = f"no map: {len(nodes)} nodes and {len(edges)} edges, and {most}"
        return None, told | {"why": why}
    styles = _styles(paths, edges)
    placed = _places(paths, nodes, edges, segments[0][-1][1], styles)
    scopes = _scopes(paths, nodes)
    shown = _shown(scopes)
    canvas, rows = Canvas(), []

    def draw(items: list[Item], row: Row) -> None:
        for item in items:
            canvas.add(item)
            formula = formulas.place(item) if isinstance(item, Label) else -1
            rows.append([*row, formula] if formula >= 0 else list(row))

    for frame in placed.frames:
        draw(_cluster(frame), ("scope", shown["/".join(frame.scope)], _inside(frame, placed)))
    for i, (number, _, _) in enumerate(edges):
        draw(
            _edge(paths, number, styles[number], placed.lines[i], placed.words[i]), ("edge", number)
        )
    for i, node in enumerate(nodes):
        draw(
            _node(paths, node, placed.centres[i], placed.widths[i], placed.heights[i]),
            ("node", node),
        )
    said = f"{len(nodes)} nodes and {len(edges)} edges, gradients running right to left"
    told["rows"] = rows
    told["scopes"] = {node: shown[scope] for node in nodes if (scope := _scope(paths, node))}
    return canvas.finish("The graph that the paths run through", said, margin=14.0), told


def _places(
    paths: Paths, nodes: list[int], edges: list[Edge], root: int, styles: dict[int, str]
) -> Places:
    """Return where nodes and edges stand; the red edges above the others."""
    at = {node: i for i, node in enumerate(nodes)}
    sites = []
    for node in nodes:
        names, added = _scope(paths, node), _is_sum(paths, node)
        high = _ROUND if added else _HIGH
        scope = tuple(names.split("/")) if names else ()
        sites.append(Site(_width(paths, node), high, scope, round=added))
    links = []
    for number, output, operand in edges:
        room = text.width(_words(paths, number), _WORDS_SIZE)
        red = styles[number] == "identity"
        links.append(Link(at[operand], at[output], room, outside=red))
    return place(sites, links, at[root])


def _scopes(paths: Paths, nodes: list[int]) -> list[str]:
    """Return every scope around some node, outer ones first."""
    found: dict[str, None] = {}
    for node in nodes:
        names = _scope(paths, node).split("/")
        found.update({"/".join(names[:i]): None for i in range(1, len(names) + 1) if names[0]})
    return list(found)


def _shown(scopes: list[str]) -> dict[str, str]:
    """Return scopes as the page names them: clean, of bounded length, and each unlike the others."""
    found: dict[str, str] = {}
    for scope in scopes:
        outer, _, name = scope.rpartition("/")
        words = text.clean(name) or "unnamed"
        words = f"{found[outer]}/{words}" if outer in found else words
        while words in found.values():
            words += "′"
        found[scope] = words
    return found


def _scope(paths: Paths, node: int) -> str:
    found = recorded_node(paths, node)
    return found.scope if found is not None else ""


def _is_sum(paths: Paths, node: int) -> bool:
    found = recorded_node(paths, node)
    return found is not None and found.label == "add"


def _detail(paths: Paths, node: int) -> str:
    found = recorded_node(paths, node)
    if found is None:
        return ""
    if paths.level == "scalar":
        made, _, place = found.label.partition("[")
        return made if found.op and place and node_name(paths, node) != found.label else ""
    return "×".join(map(str, found.shape)) or "scalar"


def _width(paths: Paths, node: int) -> float:
    if _is_sum(paths, node):
        return _ROUND
    label, detail = text.name(node_name(paths, node)), text.plain(_detail(paths, node))
    return max(text.width(label, 12), text.width(detail, 9.5), 16.0) + 18


def _words(paths: Paths, number: int) -> text.Runs:
    """Return what stands on an edge, nothing on one that copies; at scalar level its number."""
    found = recorded_edge(paths, number)
    if found is not None and found.is_identity:
        return ()
    words = text.name(edge_name(paths, number), 14)
    if paths.level != "scalar":
        return words
    value = shown(float(paths.frame.derivatives[number]))
    return words if text.joined(words) == value else (*words, (f" = {value}", ""))


def _cluster(frame: Frame) -> list[Item]:
    x0, y0, x1, y1 = frame.box
    return [
        Shape("box", (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, "cluster", 8),
        Label(text.name(frame.scope[-1]), *frame.name_at, NAME_SIZE, "text quiet", "start"),
    ]


def _inside(frame: Frame, placed: Places) -> int:
    """Return how many nodes stand in a frame."""
    x0, y0, x1, y1 = frame.box
    return sum(x0 <= x <= x1 and y0 <= y <= y1 for x, y in placed.centres)


def _node(paths: Paths, node: int, at: Point, width: float, height: float) -> list[Item]:
    x, y = at
    if _is_sum(paths, node):
        return [Shape("circle", x, y, _ROUND, _ROUND, "value", sign="+")]
    detail = _detail(paths, node)
    found: list[Item] = [
        Shape("box", x, y, width, height, "operation", 8),
        Label(text.name(node_name(paths, node)), x, y - 1 if detail else y + 4, 12),
    ]
    if detail:
        found.append(Label(text.plain(detail), x, y + 12, 9.5, "text quiet"))
    return found


def _styles(paths: Paths, edges: list[Edge]) -> dict[int, str]:
    """Return how each edge is drawn; red is for copies on a weight-free path."""
    kinds = {number: KINDS[kind_of(paths, number)] for number, _, _ in edges}
    free = sorted(edge for edge in edges if kinds[edge[0]] != "weight")
    sources, targets = {a for _, a, _ in edges}, {b for _, _, b in edges}
    above, below = sources - targets, targets - sources
    for _, source, target in reversed(free):
        above |= {target} if source in above else set()
    for _, source, target in free:
        below |= {source} if target in below else set()
    red = {number for number, source, target in free if source in above and target in below}
    return {
        number: "plain" if kind == "identity" and number not in red else kind
        for number, kind in kinds.items()
    }


def _edge(
    paths: Paths, number: int, style: str, line: Sequence[Point], words_at: Point
) -> list[Item]:
    """Draw an edge as the gradient's arrow, from the output back."""
    back = rounded(line, _CORNER)[::-1]
    found: list[Item] = [Curve(back, style, smooth=True, arrow=True)]
    words = _words(paths, number)
    if words:
        ink = {"weight": "text weight", "activation": "text activation"}
        found.append(Label(words, *words_at, _WORDS_SIZE, ink.get(style, "text quiet")))
    return found
