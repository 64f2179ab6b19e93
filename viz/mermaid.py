"""Mermaid from a layout, for READMEs: the shapes and the edges, laid out by their reader.

Only what stands for a node or an edge is written: shapes with a key, curves with two
ends.  The labels that a layout draws right after one of them are its words.  The flow
is the gradient's, right to left, so that data still enters on the left.

Words are quoted, and every character that Mermaid or HTML gives a meaning to is written
as its number: a name can be read, and it can do nothing.
"""

from __future__ import annotations

import json

from tinygrad_res.errors import FigureError

from . import text
from .layout import Box, Curve, Item, Label, Layout, Shape
from .style import OFF_PATH_OPACITY, STYLES, colour

MOST_EDGES = 500
"""Mermaid draws no more than these unless its page is told to."""

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
_LEGEND = {
    "identity": "thick: weight-free",
    "weight": "dashed: a weight layer",
    "activation": "dotted: an activation, with its derivative",
    "plain": "thin: a copy elsewhere, or another derivative",
}


def to_mermaid(layout: Layout) -> str:
    """Return the nodes and edges of a picture as a Mermaid flowchart.

    Raises:
        FigureError: there are more edges than Mermaid draws, or nothing but text.
    """
    shapes = {shape.key: f"n{i}" for i, shape in enumerate(_nodes(layout))}
    edges = [c for c in layout.curves if c.tail in shapes and c.head in shapes]
    edges = [curve for curve in edges if curve.style != "forward"]
    # Mermaid lays out above what is named first: the shortcut
    edges.sort(key=lambda curve: curve.style != "identity")
    if not shapes:
        raise FigureError("save: a figure without nodes has no Mermaid source: save it as .svg")
    if len(edges) > MOST_EDGES:
        raise FigureError(
            f"save: {len(edges)} edges are more than the {MOST_EDGES} that Mermaid draws: "
            "give viz.draw a smaller max_nodes, or save the figure as .svg"
        )
    words = _words(layout.items)
    lines = [
        "---",
        f"title: {_title(layout.title)}",
        "---",
        "flowchart RL",
        f"  accTitle: {escaped(layout.title)}",
        f"  accDescr: {escaped(layout.description)}",
    ]
    lines += [f"  {shapes[shape.key]}{_body(shape, words)}" for shape in _nodes(layout)]
    lines += [_edge(curve, shapes, words) for curve in edges]
    lines += _looks(edges)
    faded = [shapes[shape.key] for shape in _nodes(layout) if shape.faded]
    if faded:
        lines += [
            f"  classDef faded opacity:{OFF_PATH_OPACITY:g}",
            f"  class {','.join(faded)} faded",
        ]
    lines.append(f"  legend{_legend(edges)}")
    lines.append("  style legend fill:none,stroke:none")
    return "\n".join([*lines, ""])


def escaped(words: str) -> str:
    """Return text as it stands between Mermaid's quotes.

    >>> escaped('say "hi"')
    'say #34;hi#34;'
    """
    line = text.clean(words, len(words))
    return "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in line)


def _nodes(layout: Layout) -> list[Shape]:
    found: dict[str, Shape] = {}
    for shape in layout.shapes:
        if shape.key:
            found.setdefault(shape.key, shape)
    return list(found.values())


def _words(items: tuple[Item, ...]) -> dict[Item, str]:
    """Return the words of each shape and each curve: the labels that follow it, beside it."""
    found: dict[Item, str] = {}
    owner: Item | None = None
    for item in items:
        if not isinstance(item, Label):
            owner = item
        elif isinstance(owner, Shape) and _beside(item.box, owner.box):
            found[owner] = " ".join(filter(None, (found.get(owner), item.text)))
        elif isinstance(owner, Curve):
            found.setdefault(owner, item.text)
    return found


def _beside(a: Box, b: Box) -> bool:
    return (
        a[0] - _NEAR < b[2] and b[0] - _NEAR < a[2] and a[1] - _NEAR < b[3] and b[1] - _NEAR < a[3]
    )


def _body(shape: Shape, words: dict[Item, str]) -> str:
    """Return a node's outline and what stands in it."""
    shown = shape.sign or words.get(shape) or text.clean(shape.title) or " "
    round_ends = ("((", "))") if shape.kind == "circle" else ("(", ")")
    left, right = _BODIES.get(shape.style, round_ends)
    return f'{left}"{escaped(shown) or " "}"{right}'


def _edge(curve: Curve, shapes: dict[str, str], words: dict[Item, str]) -> str:
    arrow = _ARROWS.get(curve.style, "-->")
    shown = escaped(text.clean(curve.title) or words.get(curve, ""))
    label = f'|"{shown}"|' if shown else ""
    return f"  {shapes[curve.tail]} {arrow}{label} {shapes[curve.head]}"


def _looks(edges: list[Curve]) -> list[str]:
    """Return how the edges of each style are drawn; they are told by their numbers."""
    lines = []
    for style, line in _LINES.items():
        ink = f"stroke:{colour(STYLES[style].stroke, 'light')},"
        ink = "" if style == "plain" else ink
        for faded in (False, True):
            numbers = [str(i) for i, c in enumerate(edges) if c.style == style and c.faded == faded]
            opacity = f",opacity:{OFF_PATH_OPACITY:g}" * faded
            if numbers:
                lines.append(f"  linkStyle {','.join(numbers)} {ink}{line}{opacity}")
    return lines


def _legend(edges: list[Curve]) -> str:
    styles = {curve.style for curve in edges}
    said = "; ".join(words for style, words in _LEGEND.items() if style in styles)
    return f'["{escaped(f"the gradient, right to left; {said}")}"]'


def _title(words: str) -> str:
    """Return text as a YAML string in which nothing means anything to Mermaid."""
    quoted = json.dumps(text.clean(words, len(words)), ensure_ascii=False)
    return quoted.replace("%", "\\u0025").replace("<", "\\u003c").replace("#", "\\u0023")
