"""Mermaid from a layout, for READMEs: the shapes and the edges, laid out by their reader.

Only what stands for a node or an edge is written: shapes with a key, curves with two
ends.  The labels that a layout draws beside one of them are its words, and what the layout
says under its samples of lines is the legend.  The flow is the gradient's, right to left,
so that data still enters on the left.

Mermaid draws no more than so many edges, and a dense network so that nobody can follow it.
Then the nodes of a column become one, and so do the edges between two columns; the picture
says so.

Words are quoted, and every character that Mermaid or HTML gives a meaning to is written
as its number: a name can be read, and it can do nothing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise
from math import dist
from typing import NamedTuple

from tinygrad_res.errors import FigureError

from .. import text
from ..layout import Box, Curve, Item, Label, Layout, Point, Shape
from ..style import OFF_PATH_OPACITY, STYLES, colour

MOST_EDGES, LONGEST = 500, 50_000
"""Mermaid draws no more edges, and reads no longer text, unless its page is told to."""

_DENSE, _MANY = 3, 100
"""More than so many edges for a node, of more than so many, cannot be told apart."""

_FEW = 16
"""On more edges numbers would cover each other, as Mermaid lays them out."""

_NEAR = 12.0
_PLAIN = frozenset(" .,-_+/=()′·×…−∂")
_BODIES = {"repeated": ("[[", "]]"), "square": ("[", "]")}
_ARROWS = {"identity": "==>", "weight": "-.->", "activation": "-.->"}
_LINES = {
    "identity": "stroke-width:3px",
    "weight": "stroke-dasharray:6 4",
    "activation": "stroke-width:2px,stroke-dasharray:1 4",
    "plain": "stroke-width:1px",
}
_LOOKS = {
    "identity": "thick",
    "weight": "dashed",
    "activation": "dotted",
    "plain": "thin",
    "repeated": "double sides",
}


class _Node(NamedTuple):
    shown: str
    style: str
    circle: bool
    faded: bool


class _Edge(NamedTuple):
    tail: str
    head: str
    style: str
    faded: bool
    shown: str


def to_mermaid(layout: Layout) -> str:
    """Return the nodes and edges of a picture as a Mermaid flowchart.

    Raises:
        FigureError: there is nothing but text, or more than Mermaid draws even by columns.
    """
    words = _words(layout.items)
    shapes = {shape.key: shape for shape in reversed(layout.shapes) if shape.key}
    if not shapes:
        raise FigureError("save: a figure without nodes has no Mermaid source: save it as .svg")
    nodes = {key: _node(shape, words) for key, shape in sorted(shapes.items(), key=_place(layout))}
    edges = [
        _Edge(c.tail, c.head, c.style, c.faded, text.clean(c.title) or words.get(c, ""))
        for c in layout.curves if c.tail in shapes and c.head in shapes and c.style != "forward"
    ]  # fmt: skip
    written = _flowchart(layout, nodes, edges)
    dense = len(edges) > max(_MANY, _DENSE * len(nodes))
    if len(edges) <= MOST_EDGES and len(written) <= LONGEST and not dense:
        return written
    note = (
        f"{len(nodes)} nodes and {len(edges)} edges are too many for Mermaid: "
        "those of a column are drawn as one"
    )
    nodes, edges = _columns(nodes, edges, shapes)
    written = _flowchart(layout, nodes, edges, note)
    if len(edges) > MOST_EDGES or len(written) > LONGEST:
        raise FigureError(
            f"save: even by columns {len(edges)} edges are more than the {MOST_EDGES} that "
            "Mermaid draws: give viz.draw a smaller max_nodes, or save the figure as .svg"
        )
    return written


def _flowchart(layout: Layout, nodes: dict[str, _Node], edges: list[_Edge], note: str = "") -> str:
    names = {key: f"n{i}" for i, key in enumerate(nodes)}
    # Mermaid lays out above what is named first: the shortcut
    edges = sorted(edges, key=lambda edge: edge.style != "identity")
    lines = [
        "---",
        f"title: {_title(layout.title)}",
        "---",
        "flowchart RL",
        f"  accTitle: {escaped(layout.title)}",
        f"  accDescr: {escaped(' '.join(filter(None, (layout.description, note))))}",
    ]
    lines += [f"  {names[key]}{_body(node)}" for key, node in nodes.items()]
    for edge in edges:
        label = f'|"{escaped(edge.shown)}"|' if edge.shown else ""
        arrow = _ARROWS.get(edge.style, "-->")
        lines.append(f"  {names[edge.tail]} {arrow}{label} {names[edge.head]}")
    lines += _looks(edges)
    faded = [names[key] for key, node in nodes.items() if node.faded]
    if faded:
        lines += [
            f"  classDef faded opacity:{OFF_PATH_OPACITY:g}",
            f"  class {','.join(faded)} faded",
        ]
    lines.append(f'  legend["{escaped(_legend(layout, nodes, edges, note))}"]')
    # in a rank of its own, where no edge runs
    heads = {edge.head for edge in edges}
    first = next((key for key in nodes if key not in heads), next(iter(nodes)))
    lines.append(f"  legend ~~~ {names[first]}")
    lines.append("  style legend fill:none,stroke:none")
    return "\n".join([*lines, ""])


def escaped(words: str) -> str:
    """Return text as it stands between Mermaid's quotes.

    >>> escaped('say "hi"')
    'say #34;hi#34;'
    """
    line = text.clean(words, len(words))
    return "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in line)


def _place(layout: Layout) -> Callable[[tuple[str, Shape]], int]:
    """Return how to sort shapes by key as they are drawn."""
    order: dict[str, int] = {}
    for number, shape in enumerate(layout.shapes):
        order.setdefault(shape.key, number)
    return lambda item: order[item[0]]


# Words


def _words(items: tuple[Item, ...]) -> dict[Item, str]:
    """Return the words of each shape and each curve.

    They follow it, beside it; or they stand on a ground of their own over the curve.
    """
    found: dict[Item, str] = {}
    owner: Item | None = None
    ground: Shape | None = None
    reach: Box = (0.0, 0.0, 0.0, 0.0)
    edges = [c for c in items if isinstance(c, Curve) and c.tail and c.style != "forward"]
    for item in items:
        if isinstance(item, Shape) and item.style == "ground":
            owner, ground = None, item
        elif ground is not None and (
            (isinstance(item, Shape) and not item.key)
            or (isinstance(item, Curve) and not item.tail)
        ):
            continue  # a sign on the ground, such as the square of a weight
        elif not isinstance(item, Label):
            owner, ground, reach = item, None, item.box
        elif ground is not None:
            at = (ground.x, ground.y)
            if item.title and len(edges) <= _FEW:
                far = {curve: _distance(at, curve) for curve in edges}
                found.setdefault(min(far, key=far.__getitem__), item.text)
        elif isinstance(owner, Shape) and _beside(item.box, reach):
            found[owner] = " ".join(filter(None, (found.get(owner), item.text)))
            reach = item.box
        elif isinstance(owner, Curve):
            found.setdefault(owner, item.text)
    return found


def _distance(at: Point, curve: Curve) -> float:
    """Return how far a point is from a line; a spline is taken by the ends of its pieces."""
    points = curve.points[::3] if curve.smooth else curve.points
    return min(_from_stretch(at, a, b) for a, b in pairwise(points))


def _from_stretch(at: Point, a: Point, b: Point) -> float:
    (ax, ay), (bx, by) = a, b
    long = dist(a, b) ** 2
    share = ((at[0] - ax) * (bx - ax) + (at[1] - ay) * (by - ay)) / long if long else 0.0
    share = min(max(share, 0.0), 1.0)
    return dist(at, (ax + share * (bx - ax), ay + share * (by - ay)))


def _beside(a: Box, b: Box) -> bool:
    return (
        a[0] - _NEAR < b[2] and b[0] - _NEAR < a[2] and a[1] - _NEAR < b[3] and b[1] - _NEAR < a[3]
    )


def _node(shape: Shape, words: dict[Item, str]) -> _Node:
    shown = shape.sign or words.get(shape) or text.clean(shape.title)
    return _Node(shown, shape.style, shape.kind == "circle", shape.faded)


def _body(node: _Node) -> str:
    """Return a node's outline and what stands in it."""
    round_ends = ("((", "))") if node.circle else ("(", ")")
    left, right = _BODIES.get(node.style, round_ends)
    return f'{left}"{escaped(node.shown) or " "}"{right}'


# Too much


def _columns(
    nodes: dict[str, _Node], edges: list[_Edge], shapes: dict[str, Shape]
) -> tuple[dict[str, _Node], list[_Edge]]:
    """Return one node for those of a kind that stand above each other, and its edges."""
    columns = defaultdict(list)
    for key, node in nodes.items():
        columns[round(shapes[key].x), node.style, node.faded].append(key)
    column = {key: keys[0] for keys in columns.values() for key in keys}
    found = {}
    for first, *more in columns.values():
        last = f"{nodes[first].shown} … {nodes[more[-1]].shown}: × {1 + len(more)}" if more else ""
        style = "repeated" if more else nodes[first].style
        found[first] = nodes[first]._replace(shown=last or nodes[first].shown, style=style)
    counts = Counter((column[e.tail], column[e.head], e.style, e.faded) for e in edges)
    return found, [_Edge(*ends, f"× {count}") for ends, count in counts.items()]


# Looks


def _looks(edges: list[_Edge]) -> list[str]:
    """Return how the edges of each style are drawn; they are told by their numbers."""
    lines = []
    for style, line in _LINES.items():
        ink = f"stroke:{colour(STYLES[style].stroke, 'light')},"
        ink = "" if style == "plain" else ink
        for faded in (False, True):
            numbers = [str(i) for i, e in enumerate(edges) if (e.style, e.faded) == (style, faded)]
            opacity = f",opacity:{OFF_PATH_OPACITY:g}" * faded
            if numbers:
                lines.append(f"  linkStyle {','.join(numbers)} {ink}{line}{opacity}")
    return lines


def _legend(layout: Layout, nodes: dict[str, _Node], edges: list[_Edge], note: str) -> str:
    """Say what lines and outlines mean, in the words of the layout's own legend."""
    styles = {edge.style for edge in edges} | {node.style for node in nodes.values()}
    samples = _samples(layout.items)
    said = [
        f"{look}: {samples[style]}"
        for style, look in _LOOKS.items()
        if style in styles & {*samples}
    ]
    if "square" in styles:
        said.append("square corners: a parameter")
    faint = any(node.faded for node in nodes.values()) or any(edge.faded for edge in edges)
    if faint and "faded" in samples:
        said.append(f"faint: {samples['faded']}")
    return "; ".join(filter(None, ("the gradient, right to left", *said, note)))


def _samples(items: Iterable[Item]) -> dict[str, str]:
    """Return what stands beside the samples of a layout's legend, by their style."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    for item in items:
        if isinstance(item, Label):
            found.update(dict.fromkeys(waiting, item.text))
            waiting = []
        elif isinstance(item, Curve) and item.style == "rule":
            found, waiting = {}, []
        elif not isinstance(item, Curve) or not (item.tail or item.head):
            waiting.append("faded" if item.faded else item.style)
    return found


def _title(words: str) -> str:
    """Return text as a YAML string in which nothing means anything to Mermaid."""
    quoted = json.dumps(text.clean(words, len(words)), ensure_ascii=False)
    return quoted.replace("%", "\\u0025").replace("<", "\\u003c").replace("#", "\\u0023")
