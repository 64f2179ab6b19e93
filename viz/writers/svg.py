"""SVG from a layout: one self-contained picture, light or dark as the reader prefers.

The same layout gives the same bytes.  Every id and class starts with a digest of the
picture, so that several figures share a page without touching each other.  A glyph of
a formula is drawn once, and used wherever it stands; the formula's title is its LaTeX.
Everything a user named is escaped: it can be read, and it can do nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Literal
from xml.sax.saxutils import escape

from ..layout import Curve, Item, Label, Layout, Point, Shape, arrowhead
from ..style import FONTS, OFF_PATH_OPACITY, PALETTE, STYLES, Theme, colour, look
from ..text import SUB_SIZE, merged
from ..typeset import Line

_UNITS = 1000
"""Of a glyph's outline to an em."""


def to_svg(
    layout: Layout, theme: Theme | Literal["auto"] = "auto", width: float | None = None,
    apart: bool = False,
) -> str:  # fmt: skip
    """Return the picture as SVG text.

    Args:
        theme: ``"auto"`` is light or dark as the reader prefers, and light on paper.
        width: the picture's width in mm, its height in proportion; its own pixels if left out.
        apart: keep each item in a group of its own, for a script to find it by its place, and
            formulas as text, for a script to write others.
    """
    digest = hashlib.sha256(repr((layout, theme)).encode("utf-8", "surrogatepass"))
    prefix = f"f{digest.hexdigest()[:8]}"
    w, h = _n(layout.width), _n(layout.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {_root(prefix, layout, width)}>',
        f'<title id="{prefix}-title">{xml_text(layout.title)}</title>',
        f'<desc id="{prefix}-desc">{xml_text(layout.description)}</desc>',
        f"<style>{_sheet(layout, prefix, theme)}</style>",
        f'<rect class="{prefix}-ground" width="{w}" height="{h}"/>',
    ]
    lines += [] if apart else _glyphs(layout, prefix)
    lines += [_item(item, prefix, apart) for item in layout.items]
    return "\n".join([*lines, "</svg>", ""])


def _root(prefix: str, layout: Layout, width: float | None) -> str:
    w, h = _n(layout.width), _n(layout.height)
    size = f'width="{w}" height="{h}"'
    if width is not None:
        size = f'width="{_n(width)}mm" height="{_n(width * layout.height / layout.width)}mm"'
    return (
        f'id="{prefix}" class="{prefix}" {size} viewBox="0 0 {w} {h}" role="img" '
        f'aria-labelledby="{prefix}-title {prefix}-desc"'
    )


def _item(item: Item, prefix: str, apart: bool) -> str:
    label = _words if apart else _label
    body = {Shape: _shape, Curve: _curve, Label: label}[type(item)](item, prefix)  # type: ignore[operator]
    if not (item.title or item.faded or apart):
        return str(body)
    opacity = f' opacity="{OFF_PATH_OPACITY}"' if item.faded else ""
    title = f"<title>{xml_text(item.title)}</title>" if item.title else ""
    return f"<g{opacity}>{title}{body}</g>"


def _shape(shape: Shape, prefix: str) -> str:
    look = f'class="{_class(prefix, shape.style)}"'
    if shape.kind == "circle":
        r = shape.width / 2
        body = f'<circle {look} cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(r)}"/>'
    else:
        body = _rect(shape, look, 0.0)
    if shape.double:
        outer = _rect(shape, look, 4.0)
        body = outer + body
    if shape.sign:
        r = shape.width * 0.28
        x, y = shape.x, shape.y
        body += (
            f'<path class="{_class(prefix, "cross")}" d="M{_n(x - r)} {_n(y)}H{_n(x + r)}'
            f'M{_n(x)} {_n(y - r)}V{_n(y + r)}"/>'
        )
    return body


def _rect(shape: Shape, look: str, grow: float) -> str:
    w, h = shape.width + 2 * grow, shape.height + 2 * grow
    rx = f' rx="{_n(shape.radius + grow)}"' if shape.radius or grow else ""
    return (
        f'<rect {look} x="{_n(shape.x - w / 2)}" y="{_n(shape.y - h / 2)}" '
        f'width="{_n(w)}" height="{_n(h)}"{rx}/>'
    )


def _curve(curve: Curve, prefix: str) -> str:
    points = curve.points
    head = arrowhead(curve) if curve.arrow else None
    if head is not None:
        points = (*points[:-1], _middle(head[1], head[2]))
    first, rest = points[0], points[1:]
    d = f"M{_at(first)}"
    if curve.smooth:
        triples = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        d += "".join(f"C{_at(a)} {_at(b)} {_at(c)}" for a, b, c in triples)
    else:
        d += "".join(f"L{_at(p)}" for p in rest)
    body = f'<path class="{_class(prefix, curve.style)}" d="{d}{"Z" if curve.filled else ""}"/>'
    if head is not None:
        fill = f"{prefix}-fill-{STYLES[curve.style].stroke}"
        corners = "L".join(_at(p) for p in head)
        body += f'<path class="{fill}" d="M{corners}Z"/>'
    return body


def _label(label: Label, prefix: str) -> str:
    formula = label.formula
    if formula is None:
        return _words(label, prefix)
    said = label.latex if label.title in ("", label.text) else ""
    drawn = _formula(label, formula, prefix, f"<title>{xml_text(said)}</title>" if said else "")
    if not label.words:
        return drawn
    start = label.left + formula.width * label.size
    return drawn + _words(replace(label, runs=label.words, x=start, anchor="start"), prefix)


def _words(label: Label, prefix: str) -> str:
    anchor = "" if label.anchor == "start" else f' text-anchor="{label.anchor}"'
    spans, lowered = [], False
    for text, kind in merged(label.runs):
        low = kind == "sub"
        shift = (low - lowered) * 0.26 * label.size
        dy = f' dy="{_n(shift)}"' if shift else ""
        size = f' font-size="{_n(label.size * SUB_SIZE)}"' if low else ""
        shown = xml_text(text)
        spans.append(f"<tspan{dy}{size}>{shown}</tspan>" if dy or size else shown)
        lowered = low
    return (
        f'<text class="{_class(prefix, label.style)}" x="{_n(label.x)}" y="{_n(label.y)}" '
        f'font-size="{_n(label.size)}"{anchor}>{"".join(spans)}</text>'
    )


def _formula(label: Label, formula: Line, prefix: str, title: str) -> str:
    """Return a formula's glyphs, in the units of their outlines."""
    largest = formula.glyphs[0].size
    unit = label.size * largest / _UNITS
    used = []
    for outline, right, down, size in formula.glyphs:
        x, y = round(right / largest * _UNITS), round(down / largest * _UNITS)
        at = f' x="{x}"' if x else ""
        if size != largest:
            at = f' transform="translate({x} {y})scale({_n(size / largest)})"'
        used.append(f'<use href="#{prefix}-{outline.name}"{at}/>' if outline.d else "")
    place = f"translate({_at((label.left, label.y))})scale({unit:.5f})"
    return (
        f'<g class="{_class(prefix, label.style)}" transform="{place}">{title}{"".join(used)}</g>'
    )


def _glyphs(layout: Layout, prefix: str) -> list[str]:
    """Return the outlines of all glyphs that the formulas of a picture use."""
    formulas = [label.formula for label in layout.labels]
    outlines = {glyph.outline.name: glyph.outline.d for line in formulas if line
                for glyph in line.glyphs}  # fmt: skip
    paths = [f'<path id="{prefix}-{name}" d="{d}"/>' for name, d in sorted(outlines.items()) if d]
    return [f"<defs>{''.join(paths)}</defs>"] if paths else []


def _sheet(layout: Layout, prefix: str, theme: Theme | Literal["auto"]) -> str:
    """Return the rules for the styles in use, and their colours in each theme."""
    used = {item.style for item in layout.items}
    if any(shape.sign for shape in layout.shapes):
        used.add("cross")
    heads = {STYLES[curve.style].stroke for curve in layout.curves if curve.arrow}
    still = [f".{prefix} text{{font-family:{FONTS};white-space:pre}}"]
    for name in sorted(used):
        style = look(name, "light" if theme == "auto" else theme)
        rules = []
        if style.stroke:
            rules.append(f"stroke-width:{_n(style.width)}")
        if style.dash:
            rules.append(f"stroke-dasharray:{' '.join(map(_n, style.dash))}")
            if style.dash[0] < style.width:
                rules.append("stroke-linecap:round")
        if style.bold:
            rules.append("font-weight:600")
        if style.italic:
            rules.append("font-style:italic")
        if rules:
            still.append(f".{_class(prefix, name)}{{{';'.join(rules)}}}")
    if theme != "auto":
        return escape("".join(still) + _colours(used, heads, prefix, theme))
    light = _colours(used, heads, prefix, "light")
    dark = _colours(used, heads, prefix, "dark")
    media = f"@media screen and (prefers-color-scheme:dark){{{dark}}}"
    return escape("".join(still) + light + media)


def _colours(used: set[str], heads: set[str | None], prefix: str, theme: Theme) -> str:
    rules = [f".{prefix}-ground{{fill:{colour('paper', theme)}}}"]
    for name in sorted(used):
        style = STYLES[name]
        stroke = f";stroke:{colour(style.stroke, theme)}" if style.stroke else ""
        rules.append(
            f".{_class(prefix, name)}{{fill:{colour(style.fill, theme) or 'none'}{stroke}}}"
        )
    for head in sorted(filter(None, heads)):
        assert head in PALETTE
        rules.append(f".{prefix}-fill-{head}{{fill:{colour(head, theme)}}}")
    return "".join(rules)


def _class(prefix: str, style: str) -> str:
    return f"{prefix}-{style.replace(' ', '-')}"


def xml_text(text: str) -> str:
    """Return text that XML and HTML can hold: escaped, without control characters."""
    kept = "".join(c for c in text if c in "\n\t" or (c >= " " and not "\ud800" <= c <= "\udfff"))
    return escape(kept.replace("\ufffe", "").replace("\uffff", ""), {'"': "&quot;"})


def _middle(a: Point, b: Point) -> Point:
    return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)


def _at(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(number: float) -> str:
    """Return a coordinate with two digits after the point, and no more than it needs."""
    shown = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if shown in ("-0", "") else shown
