"""The legend: every line and sign that a figure uses, and both directions, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import text
from .layout import Canvas, Curve, Item, Label, Shape
from .page import wrapped
from .text import Runs

Entry = tuple[list[Item], str]
"""A sample, drawn from the origin to the right, and what it stands for."""

_SAMPLE, _GAP, _ROW, _LINE, _SIZE = 34.0, 26.0, 22.0, 15.0, 11.5
_MIDDLE = _SAMPLE / 2
_GRADIENT = {"identity", "weight", "activation", "plain"}
WORDS = {
    "value": "value", "faded": "off the chosen paths",
    "identity": "a copy, with no weight layer on this stretch",
}  # fmt: skip
"""The words of a graph, whose red lines are copies; a path over them may cross weight layers elsewhere."""
_STRETCH = "weight-free: no weight layer on this stretch"
OFF_SETS = "on no highlighted path"
"""Why something is faded where sets are highlighted."""


def draw_legend(
    canvas: Canvas, x: float, y: float, width: float, symbols: tuple[str, ...] = (),
    words: dict[str, str] = WORDS, more: Sequence[Entry] = (),
) -> None:  # fmt: skip
    """Draw the legend of what is on the canvas so far, in rows of at most ``width``.

    Args:
        symbols: explanations of symbols, such as ``"I: identity"``, set under the samples.
        words: what the lines are, in a ``"direction"`` other than the gradient's; what a
            circle stands for, ``"value"``, why something is ``"faded"``, which stretches are
            an ``"identity"`` where not all without a weight layer, and,
            where it is not the usual, what a ``"plain"`` arrow passes.
        more: what this figure adds: samples with their words, in rows of their own.
    """
    entries = _entries(canvas.items, words)
    canvas.begin("legend")
    canvas.add(Curve(((x, y - 20), (x + width, y - 20)), "rule"))
    if words.get("direction"):
        entries = [([_turned(item) for item in sample], said) for sample, said in entries]
    row = _rows(canvas, entries, x, y, width)
    if more:
        row = _rows(canvas, more, x, row + _ROW, width)
    explained: list[tuple[list[Item], Runs]] = [([], text.math(said)) for said in symbols]
    _set(canvas, explained, x, row + _ROW + 2, width)


def _rows(canvas: Canvas, entries: Sequence[Entry], x: float, y: float, width: float) -> float:
    """Draw entries in rows from ``(x, y)`` on; return where the last row stands."""
    return _set(canvas, [(sample, text.plain(said)) for sample, said in entries], x, y, width)


def _set(
    canvas: Canvas, entries: Sequence[tuple[list[Item], Runs]], x: float, y: float, width: float
) -> float:
    """Draw samples and their words in rows; words that are wider than a row are broken."""
    at, row = x, y
    for sample, runs in entries:
        before = _SAMPLE + 9 if sample else 0.0
        needed = before + text.width(runs, _SIZE)
        if at > x and at + needed > x + width:
            at, row = x, row + _ROW
        canvas.extend(sample, at, row)
        lines = wrapped(runs, _SIZE, width - before) if canvas.page.narrow else [runs]
        for i, line in enumerate(lines):
            row += _LINE * bool(i)
            canvas.add(Label(line, at + before, row + 4, _SIZE, "text quiet", "start"))
        at += needed + _GAP
    return row


def _entries(items: list[Item], words: dict[str, str]) -> list[Entry]:
    """Return a sample and its words for everything that occurs."""
    curves = [item for item in items if isinstance(item, Curve)]
    shapes = [item for item in items if isinstance(item, Shape)]
    styles = {curve.style for curve in curves} | {shape.style for shape in shapes}
    return [
        entry for found in (
            _directions(styles, words), _passed(curves, styles, words), _values(shapes, words),
            _faded(items, words),
        ) for entry in found
    ]  # fmt: skip


def _directions(styles: set[str], words: dict[str, str]) -> list[Entry]:
    """Explain the two directions, as far as they are drawn."""
    found: list[Entry] = []
    if "forward" in styles:
        arrow = Curve(((0, 0), (_SAMPLE, 0)), "forward", arrow=True)
        found.append(([arrow], "forward pass, left to right"))
    if styles & _GRADIENT:
        said = words.get("direction") or "gradient, right to left, by what it passes:"
        found.append(([], said))
    return found


def _passed(curves: list[Curve], styles: set[str], words: dict[str, str]) -> list[Entry]:
    """Explain the gradient's lines, and the signs on them."""
    found: list[Entry] = []
    if "identity" in styles:
        found.append(([_line("identity")], words.get("identity", _STRETCH)))
    square = Shape("box", _MIDDLE, 0, 10, 10, "square", 1.5)
    if "weight" in styles:
        found.append(([_line("weight"), *[square] * ("square" in styles)], "a weight layer"))
    elif "square" in styles:
        found.append(([square], "a weight"))
    if "square uncounted" in styles:
        outside = replace(square, style="square uncounted")
        found.append(([outside], "weight layer outside the counted stretch"))
    if "activation" in styles:
        found.append(([_line("activation")], "an activation, with its derivative"))
    plain = [curve for curve in curves if curve.style == "plain"]
    if plain:
        copies = "a copy elsewhere, or " * any(curve.tail for curve in plain)
        found.append(([_line("plain")], words.get("plain", f"{copies}another derivative")))
    if "cross" in styles:
        strokes: list[Item] = [
            Curve(((_MIDDLE - 4, -4 * sign), (_MIDDLE + 4, 4 * sign)), "cross") for sign in (1, -1)
        ]
        found.append((strokes, "a derivative of 0"))
    return found


def _values(shapes: list[Shape], words: dict[str, str]) -> list[Entry]:
    """Explain circles and boxes."""
    circle, box = Shape("circle", _MIDDLE, 0, 14, 14, "value"), Shape("box", _MIDDLE, 0, 24, 13, "")
    styles = {shape.style for shape in shapes}
    found: list[Entry] = []
    if any(s.kind == "circle" and s.style == "value" and not s.sign for s in shapes):
        found.append(([circle], words["value"]))
    if "dot" in styles:
        found.append(([replace(circle, width=4.8, height=4.8, style="dot")], "value between steps"))
    if "operation" in styles:
        found.append(([replace(box, style="operation", radius=3)], "operation and its value"))
    if any(shape.style == "stage" and shape.key.startswith("node") for shape in shapes):
        found.append(([replace(box, style="stage", radius=3)], "a scope, one step"))
    if any(shape.sign for shape in shapes):
        found.append(([replace(circle, width=15, height=15, sign="+")], "sum"))
    if any(shape.double for shape in shapes):
        several = replace(box, width=18, height=9, style="repeated", radius=2, double=True)
        found.append(([several], "several drawn as one"))
    return found


def _faded(items: list[Item], words: dict[str, str]) -> list[Entry]:
    """Explain why something is faint, by a faint line of those that are."""
    if not any(item.faded for item in items):
        return []
    lines = {item.style for item in items if isinstance(item, Curve) and item.faded} & _GRADIENT
    style = next((style for style in ("weight", *sorted(_GRADIENT)) if style in lines), "")
    sample: Item = Shape("circle", _MIDDLE, 0, 14, 14, "value", faded=True)
    return [([replace(_line(style), faded=True) if style else sample], words["faded"])]


def _turned(item: Item) -> Item:
    """Return a sample's arrow the other way round."""
    turned = isinstance(item, Curve) and item.arrow
    return replace(item, points=item.points[::-1]) if turned and isinstance(item, Curve) else item


def _line(style: str) -> Curve:
    return Curve(((_SAMPLE, 0.0), (0.0, 0.0)), style, arrow=True)
