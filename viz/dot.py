"""DOT from a layout: every shape and label at its place, for ``neato -n2`` or ``nop2``.

Positions count in points from the lower left corner, as Graphviz does.  Every text is
a quoted string, so a name cannot end it.
"""

from __future__ import annotations

import itertools

from .layout import Curve, Label, Layout, Point, Shape, arrowhead
from .style import OFF_PATH_OPACITY, STYLES, Theme, colour, look
from .svg import xml_text
from .text import SUB_SIZE, merged

_INCH = 72


def quoted(text: str) -> str:
    """Return text as a DOT string that shows exactly these characters.

    >>> print(quoted('say "hi"'))
    "say \\"hi\\""
    """
    kept = "".join(c for c in text if c >= " " and not "\ud800" <= c <= "\udfff")
    return '"' + kept.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') + '"'


def to_dot(layout: Layout, theme: Theme = "light") -> str:
    """Return the picture as DOT source with positions."""
    lines = [
        "digraph figure {",
        f"  graph [label={quoted(layout.title)}, {_sheet(layout, theme)}];",
        '  node [fixedsize=true, margin=0, label="", fontname="Helvetica"];',
    ]
    ends: list[str] = []
    for number, item in enumerate(layout.items):
        if isinstance(item, Shape):
            lines.append(f"  {_id(item.key or f'shape {number}')} [{_shape(item, layout, theme)}];")
        elif isinstance(item, Label):
            lines.append(f"  {_id(f'label {number}')} [{_label(item, layout, theme)}];")
        else:
            tail, head = item.tail, item.head
            for end, point in ((tail, item.points[0]), (head, item.points[-1])):
                if not end:
                    at = _at(point, layout)
                    name = _id(f"end {len(ends)}")
                    ends.append(f'  {name} [shape=point, style=invis, width=0.01, pos="{at}!"];')
            first = len(ends) - (not tail) - (not head)
            tail = tail or f"end {first}"
            head = head or f"end {len(ends) - 1}"
            lines.append(f"  {_id(tail)} -> {_id(head)} [{_curve(item, layout, theme)}];")
    return "\n".join([*lines[:3], *ends, *lines[3:], "}", ""])


def _id(key: str) -> str:
    return quoted(key)


def _sheet(layout: Layout, theme: Theme) -> str:
    ground = _ink("paper", False, theme)
    ink = _ink("quiet", False, theme)
    size = f'bb="0,0,{layout.width:g},{layout.height:g}"'
    return f'{size}, bgcolor={ground}, fontname="Helvetica", fontsize=11, fontcolor={ink}'


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
    rounded = ",rounded" if shape.radius and not shape.double else ""
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
        parts.append(f"label={quoted(shape.sign)}, fontsize={shape.height * 0.6:.1f}")
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
            f"fontsize={label.size:g}",
            f"fontcolor={_ink(STYLES[label.style].fill, label.faded, theme)}",
        ]
    )


def _words(label: Label) -> str:
    """Return a label's text: HTML where it is lowered or bold, else a quoted string."""
    bold = STYLES[label.style].bold
    if not bold and not any(kind for _, kind in label.runs):
        side = {"start": "\\l", "middle": "", "end": "\\r"}[label.anchor]
        return f'{quoted(label.text)[:-1]}{side}"'
    side = {"start": '<BR ALIGN="LEFT"/>', "middle": "", "end": '<BR ALIGN="RIGHT"/>'}[label.anchor]
    low = f'<FONT POINT-SIZE="{label.size * SUB_SIZE:.1f}"><SUB>{{}}</SUB></FONT>'
    words = "".join(
        low.format(xml_text(text)) if kind == "sub" else xml_text(text)
        for text, kind in merged(label.runs) if text
    )  # fmt: skip
    return f"<<B>{words}</B>{side}>" if bold else f"<{words}{side}>"


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
