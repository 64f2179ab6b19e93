"""DOT from a layout: Graphviz draws it as the figure, every shape and label at its place.

The source names its own engine, ``nop2``, which moves nothing: ``dot -Tsvg a.dot`` is the
figure.  An edge of the figure is an edge of the graph, between the nodes of its two shapes;
labels and ornaments are nodes of their own.

Graphviz draws node by node, each with the edges that leave it.  So nodes stand in drawing
order, bands before all others, a shape at the first edge that leaves it, and a line without
shapes hangs on invisible ends.  Positions count in points from the lower left corner.  Every text is a quoted string
or escaped HTML, so a name cannot end it.
"""

from __future__ import annotations

import itertools

from ..layout import Curve, Item, Label, Layout, Point, Shape, arrowhead
from ..style import OFF_PATH_OPACITY, STYLES, Theme, colour, look
from ..text import SUB_SIZE, merged, words_width
from .svg import xml_text

_INCH = 72
_SHARP = 0.2
"""Corners rounded by less than this share of the shorter side stay sharp: Graphviz would
round them by a third of it."""


def quoted(text: str) -> str:
    """Return text as a DOT string that shows exactly these characters.

    >>> print(quoted('say "hi"'))
    "say \\"hi\\""
    """
    kept = "".join(c for c in text if c >= " " and not ("\ud800" <= c <= "\udfff" or c in "\ufffe\uffff"))  # fmt: skip
    return '"' + kept.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') + '"'


def to_dot(layout: Layout, theme: Theme = "light") -> str:
    """Return the picture as DOT source with positions.

    >>> from viz.layout import Canvas
    >>> print(to_dot(Canvas().finish("", "")).splitlines()[0])
    digraph figure {
    """
    owner = {shape.key: shape for shape in reversed(layout.shapes) if shape.key}
    items = sorted(layout.items, key=_layer)
    first = {
        item.tail: n for n, item in reversed(list(enumerate(items))) if isinstance(item, Curve)
    }
    nodes = [_end(f"corner {n}", at, layout) for n, at in enumerate(_corners(layout))]
    edges = []
    for number, item in enumerate(items):
        if isinstance(item, Label):
            nodes.append(f"  {quoted(f'label {number}')} [{_label(item, layout, theme)}];")
        elif isinstance(item, Shape):
            own = owner.get(item.key) is item
            if not (own and item.key in first):
                name = item.key if own else f"shape {number}"
                nodes.append(f"  {quoted(name)} [{_shape(item, layout, theme)}];")
        else:
            ends = []
            for side, key, at in (
                ("tail", item.tail, item.points[0]), ("head", item.head, item.points[-1]),
            ):  # fmt: skip
                if key not in owner:
                    nodes.append(_end(f"{side} {number}", at, layout))
                elif side == "tail" and first[key] == number:
                    nodes.append(f"  {quoted(key)} [{_shape(owner[key], layout, theme)}];")
                ends.append(quoted(key if key in owner else f"{side} {number}"))
            edges.append(f"  {' -> '.join(ends)} [{_curve(item, layout, theme)}];")
    return "\n".join(
        [
            "digraph figure {",
            f"  graph [{_sheet(layout, theme)}];",
            '  node [fixedsize=true, margin=0, label="", fontname="Helvetica"];',
            *nodes,
            *edges,
            "}",
            "",
        ]
    )


def _layer(item: Item) -> int:
    """Return what is drawn before what: the ground of scopes, bands, and the rest as it comes."""
    kind, *words = item.style.split()
    band = kind in ("set", "flow") and not {"sign", "stroke"} & set(words)
    return 0 if kind == "cluster" else 1 if band and isinstance(item, Curve) else 2


def _sheet(layout: Layout, theme: Theme) -> str:
    size = f'bb="0,0,{layout.width:g},{layout.height:g}"'
    title = quoted(layout.title)
    return f"layout=nop2, {size}, pad=0, bgcolor={_ink('paper', False, theme)}, tooltip={title}"


def _corners(layout: Layout) -> tuple[Point, Point]:
    """Return where the sheet begins and ends: Graphviz cuts off what nothing stands on."""
    return (0.0, layout.height), (layout.width, 0.0)


def _end(name: str, at: Point, layout: Layout) -> str:
    place = f'pos="{_at(at, layout)}!"'
    return f"  {quoted(name)} [shape=point, style=invis, width=0.01, {place}];"


def _at(point: Point, layout: Layout) -> str:
    return f"{point[0]:.2f},{layout.height - point[1]:.2f}"


def _ink(name: str | None, faded: bool, theme: Theme) -> str:
    alpha = f"{round(255 * OFF_PATH_OPACITY):02X}" if faded else ""
    return f'"{colour(name, theme)}{alpha}"' if name else '"transparent"'


def _line(style: str) -> str:
    dash = STYLES[style].dash
    if not dash:
        return "solid"
    return "dotted" if dash[0] < STYLES[style].width else "dashed"


def _shape(shape: Shape, layout: Layout, theme: Theme) -> str:
    style = look(shape.style, theme)
    form = "circle" if shape.kind == "circle" else "box"
    round_enough = shape.radius >= _SHARP * min(shape.width, shape.height)
    rounded = ",rounded" if round_enough and not shape.double else ""
    parts = [
        f"shape={form}",
        f'style="filled{rounded}"',
        f'pos="{_at((shape.x, shape.y), layout)}!"',
        f"width={shape.width / _INCH:.4f}",
        f"height={shape.height / _INCH:.4f}",
        f"color={_ink(style.stroke, shape.faded, theme)}",
        f"fillcolor={_ink(style.fill, shape.faded, theme)}",
        f"penwidth={style.width:g}",
    ]
    if shape.double:
        parts.append("peripheries=2")
    if shape.sign:
        ink = _ink(STYLES["cross"].stroke, shape.faded, theme)
        size = f"fontsize={shape.height * 0.6:.1f}"
        parts.append(f"label={quoted(shape.sign)}, {size}, fontcolor={ink}")
    if shape.title:
        parts.append(f"tooltip={quoted(shape.title)}")
    return ", ".join(parts)


def _label(label: Label, layout: Layout, theme: Theme) -> str:
    left, top, right, bottom = label.box
    centre = ((left + right) / 2, (top + bottom) / 2)
    return ", ".join(
        [
            "shape=plaintext",
            "fixedsize=false",
            f"label={_words(label)}",
            f'pos="{_at(centre, layout)}!"',
            f"width={(right - left) / _INCH:.4f}",
            f"height={(bottom - top) / _INCH:.4f}",
            f"fontsize={_size(label):g}",
            f"fontcolor={_ink(STYLES[label.style].fill, label.faded, theme)}",
        ]
    )


def _size(label: Label) -> float:
    """Return a font size at which a formula, set as words here, keeps to its room."""
    as_words = words_width(label.runs, label.size, STYLES[label.style].bold)
    return round(label.size * min(1.0, label.width / as_words), 1) if as_words else label.size


def _words(label: Label) -> str:
    """Return a label's text: HTML where it is lowered, bold or italic, else a quoted string."""
    style = STYLES[label.style]
    if not (style.bold or style.italic or any(kind for _, kind in label.runs)):
        side = {"start": "\\l", "middle": "", "end": "\\r"}[label.anchor]
        return f'{quoted(label.text)[:-1]}{side}"'
    low = f'<FONT POINT-SIZE="{_size(label) * SUB_SIZE**0.5:.1f}"><SUB>{{}}</SUB></FONT>'
    words = "".join(
        low.format(xml_text(text)) if kind == "sub" else xml_text(text)
        for text, kind in merged(label.runs) if text
    )  # fmt: skip
    for tag in "B" * style.bold + "I" * style.italic:
        words = f"<{tag}>{words}</{tag}>"
    side = {"start": "LEFT", "middle": "CENTER", "end": "RIGHT"}[label.anchor]
    table = 'TABLE BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0"'
    return f'<<{table}><TR><TD WIDTH="{label.width:.0f}" ALIGN="{side}">{words}</TD></TR></TABLE>>'


def _curve(curve: Curve, layout: Layout, theme: Theme) -> str:
    style = look(curve.style, theme)
    points = list(curve.points) if curve.smooth else _straight(curve.points)
    tip = ""
    if curve.arrow:
        end, *barbs = arrowhead(curve)
        points[-1] = ((barbs[0][0] + barbs[1][0]) / 2, (barbs[0][1] + barbs[1][1]) / 2)
        tip = f"e,{_at(end, layout)} "
    pos = tip + " ".join(_at(point, layout) for point in points)
    return ", ".join(
        [
            f'pos="{pos}"',
            f"style={_line(curve.style)}",
            f"color={_ink(style.stroke or style.fill, curve.faded, theme)}",
            f"penwidth={style.width:g}",
            f"arrowhead={'normal' if curve.arrow else 'none'}",
            "arrowsize=0.6",
        ]
    )


def _straight(points: tuple[Point, ...]) -> list[Point]:
    """Return a line through corners as a cubic spline, the only curve that DOT knows."""
    found = [points[0]]
    for a, b in itertools.pairwise(points):
        third = ((b[0] - a[0]) / 3, (b[1] - a[1]) / 3)
        found += [
            (a[0] + third[0], a[1] + third[1]),
            (b[0] - third[0], b[1] - third[1]),
            b,
        ]
    return found
