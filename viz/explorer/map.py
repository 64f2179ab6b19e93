"""The map: nodes and edges of paths that run through no chain, laid out by Graphviz.

Only what some path visits is drawn, every edge by itself, so that each can be lit alone.  A
graph of too many has no map: the page then shows the chosen path step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_res.errors import FigureError
from tinygrad_res.measures import Paths

from .. import text
from ..engine import lay_out
from ..layout import Canvas, Curve, Item, Label, Layout, Point, Shape
from .data import KINDS, Edge, edge_name, kind_of, node_name

MOST_NODES, MOST_EDGES = 150, 400
_INCH = 72.0
_HIGH, _ROUND = 34.0, 22.0

Row = tuple[str, int | str]
"""What an item of the map stands for: a node, an edge or a scope, and which."""


def draw_map(paths: Paths, segments: Sequence[list[Edge]]) -> tuple[Layout | None, dict[str, Any]]:
    """Return the map and, item by item, what stands for what; no map where it cannot be drawn."""
    edges = [edge for segment in segments for edge in segment]
    visited = [sorted({v for _, a, b in segment for v in (a, b)}) for segment in segments]
    nodes = sorted({v for own in visited for v in own})
    told: dict[str, Any] = {"nodes": visited, "rows": [], "scopes": {}, "why": ""}
    if not nodes or len(nodes) > MOST_NODES or len(edges) > MOST_EDGES:
        most = f"at most {MOST_NODES} and {MOST_EDGES} are drawn"
        why = f"no map: {len(nodes)} nodes and {len(edges)} edges, and {most}"
        return None, told | {"why": why}
    try:
        placed = lay_out(_source(paths, nodes, edges))
    except FigureError as error:
        return None, told | {"why": f"no map: {error}"}
    canvas, rows = Canvas(), []
    height = float(placed["bb"].split(",")[3])
    scopes = _scopes(paths, nodes)
    shown = _shown(scopes)
    objects = placed.get("objects", [])
    for item in objects:
        if "bb" in item:
            scope = scopes[int(item["name"].removeprefix("cluster_"))]
            rows += _draw(canvas, _cluster(item, height, scope), ("scope", shown[scope]))
    styles = _styles(paths, edges)
    for item in placed.get("edges", []):
        number = edges[int(item["id"])][0]
        rows += _draw(canvas, _edge(paths, item, number, styles, height), ("edge", number))
    for item in objects:
        if "pos" in item:
            node = int(item["name"][1:])
            rows += _draw(canvas, _node(paths, item, node, height), ("node", node))
    said = f"{len(nodes)} nodes and {len(edges)} edges, gradients running right to left"
    told["rows"] = [list(row) for row in rows]
    told["scopes"] = {node: shown[scope] for node in nodes if (scope := _scope(paths, node))}
    return canvas.finish("The graph that the paths run through", said, margin=14.0), told


def _draw(canvas: Canvas, items: list[Item], row: Row) -> list[Row]:
    canvas.add(*items)
    return [row] * len(items)


def _source(paths: Paths, nodes: list[int], edges: list[Edge]) -> str:
    """Return DOT source with numbers and sizes, and no name."""
    lines = [
        "digraph map {", "  rankdir=LR; nodesep=0.28; ranksep=0.5;",
        '  node [shape=box, fixedsize=true, label=""]; edge [arrowhead=none];',
    ]  # fmt: skip
    lines += _nested(paths, nodes, "")
    for i, edge in enumerate(edges):
        words = _words(paths, edge[0])
        room = f', label="{"m" * len(text.joined(words))}", fontsize=10' if words else ""
        lines.append(f'  n{edge[2]} -> n{edge[1]} [id="{i}"{room}];')
    return "\n".join([*lines, "}"])


def _nested(paths: Paths, nodes: list[int], scope: str) -> list[str]:
    """Return the nodes of a scope and, as clusters, the scopes inside it."""
    lines = []
    for node in nodes:
        if _scope(paths, node) == scope:
            width = _width(paths, node)
            high = _ROUND if _is_sum(paths, node) else _HIGH
            lines.append(f"  n{node} [width={width / _INCH:.3f}, height={high / _INCH:.3f}];")
    for number, inner in enumerate(_scopes(paths, nodes)):
        if inner.rpartition("/")[0] == scope:
            wide = "m" * len(text.clean(inner.rpartition("/")[2]))
            lines.append(f'  subgraph cluster_{number} {{ label="{wide}"; fontsize=10; margin=10;')
            lines += [*_nested(paths, nodes, inner), "  }"]
    return lines


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
    known = node < len(paths.graph.nodes)
    return paths.graph.nodes[node].scope if known else ""


def _is_sum(paths: Paths, node: int) -> bool:
    known = node < len(paths.graph.nodes)
    return known and paths.graph.nodes[node].label == "add"


def _detail(paths: Paths, node: int) -> str:
    if node >= len(paths.graph.nodes) or paths.level == "scalar":
        return ""
    return "×".join(map(str, paths.graph.nodes[node].shape)) or "scalar"


def _width(paths: Paths, node: int) -> float:
    if _is_sum(paths, node):
        return _ROUND
    label, detail = text.name(node_name(paths, node)), text.plain(_detail(paths, node))
    return max(text.width(label, 12), text.width(detail, 9.5), 16.0) + 18


def _words(paths: Paths, number: int) -> text.Runs:
    """Return what stands on an edge, nothing on one that copies; at scalar level its number."""
    if number < len(paths.graph.edges) and paths.graph.edges[number].is_identity:
        return ()
    words = text.name(edge_name(paths, number), 14)
    if paths.level != "scalar":
        return words
    return (*words, (f" = {text.value(float(paths.frame.derivatives[number]))}", ""))


def _point(pair: str, height: float) -> Point:
    x, y = pair.split(",")
    return float(x), height - float(y)


def _cluster(item: dict[str, Any], height: float, scope: str) -> list[Item]:
    x0, y0, x1, y1 = map(float, item["bb"].split(","))
    name = scope.rpartition("/")[2]
    return [
        Shape("box", (x0 + x1) / 2, height - (y0 + y1) / 2, x1 - x0, y1 - y0, "cluster", 8),
        Label(text.name(name), x0 + 8, height - y1 + 14, 10.5, "text quiet", "start"),
    ]


def _node(paths: Paths, item: dict[str, Any], node: int, height: float) -> list[Item]:
    x, y = _point(item["pos"], height)
    if _is_sum(paths, node):
        return [Shape("circle", x, y, _ROUND, _ROUND, "value", sign="+")]
    detail = _detail(paths, node)
    found: list[Item] = [
        Shape("box", x, y, _width(paths, node), _HIGH, "operation", 8),
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
    paths: Paths, item: dict[str, Any], number: int, styles: dict[int, str], height: float
) -> list[Item]:
    """Draw an edge as the gradient's arrow, from the output back."""
    points = tuple(_point(pair, height) for pair in item["pos"].split())[::-1]
    kind = styles[number]
    found: list[Item] = [Curve(points, kind, smooth=True, arrow=True)]
    words = _words(paths, number)
    if words and "lp" in item:
        ink = {"weight": "text weight", "activation": "text activation"}
        x, y = _point(item["lp"], height)
        found.append(Label(words, x, y + 3, 10.5, ink.get(kind, "text quiet")))
    return found
