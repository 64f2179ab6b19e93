"""matplotlib's SVG made a good neighbour: classes for colours, alternative text, ids of its own.

matplotlib writes every colour where it is used, ids that repeat from picture to picture, and a
rule for all elements of whatever page the picture stands in.  Here colours become classes
with the palette's names, so that one picture is light or dark as its reader prefers; ids and
classes start with a digest of the picture; and what nothing refers to goes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Literal
from xml.dom import minidom

from ..style import FONTS, Theme
from ..writers.svg import xml_text
from .ink import COLOURS, colour

_COLOURED = ("fill", "stroke")
_DECIMALS = re.compile(r"-?\d+\.\d+")
_BETWEEN = re.compile(r">\s+<")
_REFERENCE = re.compile(r"#([A-Za-z_][\w.-]*)")


def to_markup(
    drawn: str, title: str, description: str, theme: Theme | Literal["auto"],
    width: float | None = None,
) -> str:  # fmt: skip
    """Return a picture as one SVG element.

    Args:
        drawn: what matplotlib wrote, in the light theme's colours.
        title, description: alternative text.
        theme: ``"auto"`` is light or dark as the reader prefers.
        width: in mm; in points, as drawn, if left out.
    """
    document = minidom.parseString(drawn.encode())
    root = document.documentElement
    assert root is not None
    for name in ("metadata", "style"):
        for element in root.getElementsByTagName(name):
            element.parentNode.removeChild(element)  # type: ignore[union-attr]
    prefix = (
        f"p{hashlib.sha256(f'{title}{description}{theme}{root.toxml()}'.encode()).hexdigest()[:8]}"
    )
    used: set[tuple[str, str]] = set()
    kept = {name for element in _elements(root) for name in _referred(element)}
    for element in _elements(root):
        _own_ids(element, prefix, kept)
        _classes(element, prefix, used)
        _shorten(element)
    if width is not None:
        _, _, w, h = map(float, root.getAttribute("viewBox").split())
        root.setAttribute("width", f"{width:g}mm")
        root.setAttribute("height", f"{width * h / w:.6g}mm")
    for name, value in {
        "id": prefix, "class": prefix, "role": "img",
        "aria-labelledby": f"{prefix}-title {prefix}-desc",
    }.items():  # fmt: skip
        root.setAttribute(name, value)
    before, after = root.toxml().split(">", 1)
    head = (
        f'<title id="{prefix}-title">{xml_text(title)}</title>'
        f'<desc id="{prefix}-desc">{xml_text(description)}</desc>'
        f"<style>{_sheet(prefix, used, theme)}</style>"
    )
    return f"{before}>\n{head}{_BETWEEN.sub('><', after)}\n"


def _elements(root: minidom.Element) -> Iterator[minidom.Element]:
    yield root
    yield from root.getElementsByTagName("*")


def _referred(element: minidom.Element) -> list[str]:
    """Return the ids that an element refers to."""
    values = (element.getAttribute(name) for name in ("xlink:href", "clip-path"))
    return [name for value in values for name in _REFERENCE.findall(value)]


def _own_ids(element: minidom.Element, prefix: str, kept: set[str]) -> None:
    """Keep the ids that are referred to, under names that no other picture has."""
    name = element.getAttribute("id")
    if name in kept:
        element.setAttribute("id", f"{prefix}-{name}")
    elif name:
        element.removeAttribute("id")
    for attribute in ("xlink:href", "clip-path"):
        value = element.getAttribute(attribute)
        if value:
            element.setAttribute(attribute, value.replace("#", f"#{prefix}-"))


def _classes(element: minidom.Element, prefix: str, used: set[tuple[str, str]]) -> None:
    """Put colours of the palette into classes, and leave fonts to the sheet."""
    written = element.getAttribute("style")
    if not written:
        return
    names = {light.lower(): name for name, (light, _) in reversed(COLOURS.items())}
    rest, classes = [], []
    for rule in written.split("; "):
        what, _, value = rule.partition(": ")
        if what in _COLOURED and value in names:
            used.add((what, names[value]))
            classes.append(_class(prefix, what, names[value]))
        elif what != "font-family":
            rest.append(rule)
    for name, kept in (("style", "; ".join(rest)), ("class", " ".join(classes))):
        if kept:
            element.setAttribute(name, kept)
        elif element.hasAttribute(name):
            element.removeAttribute(name)


def _shorten(element: minidom.Element) -> None:
    """Write places to a hundredth of a point, which nobody can see."""
    for name in ("d", "x", "y", "width", "height", "transform"):
        value = element.getAttribute(name)
        if value and element.tagName != "svg":
            short = _DECIMALS.sub(
                lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value
            )
            element.setAttribute(name, " ".join(short.split()))
    if element.getAttribute("transform").startswith("rotate(-0 "):
        element.removeAttribute("transform")


def _class(prefix: str, what: str, name: str) -> str:
    return f"{prefix}-{what}-{name.replace(' ', '-')}"


def _sheet(prefix: str, used: set[tuple[str, str]], theme: Theme | Literal["auto"]) -> str:
    still = (
        f".{prefix} *{{stroke-linejoin:round;stroke-linecap:butt}}"
        f".{prefix} text{{font-family:{FONTS};white-space:pre}}"
    )
    if theme != "auto":
        return still + _rules(prefix, used, theme)
    dark = _rules(prefix, used, "dark")
    light = _rules(prefix, used, "light")
    return f"{still}{light}@media screen and (prefers-color-scheme:dark){{{dark}}}"


def _rules(prefix: str, used: set[tuple[str, str]], theme: Theme) -> str:
    return "".join(
        f".{_class(prefix, what, name)}{{{what}:{colour(name, theme)}}}"
        for what, name in sorted(used)
    )
