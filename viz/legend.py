"""The legend: every line and sign that a figure uses, and both directions, in words."""

from __future__ import annotations

from collections.abc import Sequence

from . import text
from .layout import Canvas, Curve, Item, Label, Shape

Entry = tuple[list[Item], str]
"""A sample, drawn from the origin to the right, and what it stands for."""

_SAMPLE, _GAP, _ROW, _SIZE = 34.0, 26.0, 22.0, 11.5
WORDS = {"value": "value", "faded": "off the chosen paths"}
OFF_SETS = "on no highlighted path"
"""Why something is faded where sets are highlighted."""


def draw_legend(
    canvas: Canvas, x: float, y: float, width: float, symbols: tuple[str, ...] = (),
    words: dict[str, str] = WORDS, more: Sequence[Entry] = (),
) -> None:  # fmt: skip
    """Draw the legend of what is on the canvas so far, in rows of at most ``width``.

    Args:
        symbols: explanations of symbols, such as ``"I: identity"``, set under the samples.
        words: what a circle stands for, ``"value"``, why something is ``"faded"``, and,
            where it is not the usual, what a ``"plain"`` arrow passes.
        more: what this figure adds: samples with their words, in rows of their own.
    """
    canvas.add(Curve(((x, y - 20), (x + width, y - 20)), "rule"))
    row = _rows(canvas, _entries(canvas.items, words), x, y, width)
    if more:
        row = _rows(canvas, more, x, row + _ROW, width)
    at, row = x, row + _ROW + 2
    for said in symbols:
        runs = text.math(said)
        needed = text.width(runs, _SIZE)
        if at > x and at + needed > x + width:
            at, row = x, row + _ROW
        canvas.add(Label(runs, at, row + 4, _SIZE, "text quiet", "start"))
        at += needed + _GAP


def _rows(canvas: Canvas, entries: Sequence[Entry], x: float, y: float, width: float) -> float:
    """Draw entries in rows from ``(x, y)`` on; return where the last row stands."""
    at, row = x, y
    for sample, said in entries:
        runs = text.plain(said)
        before = _SAMPLE + 9 if sample else 0.0
        needed = before + text.width(runs, _SIZE)
        if at > x and at + needed > x + width:
            at, row = x, row + _ROW
        canvas.extend(sample, at, row)
        canvas.add(Label(runs, at + before, row + 4, _SIZE, "text quiet", "start"))
        at += needed + _GAP
    return row


def _entries(items: list[Item], words: dict[str, str]) -> list[Entry]:
    """Return a sample and its words for everything that occurs."""
    styles = {item.style for item in items if not isinstance(item, Label)}
    shapes = [item for item in items if isinstance(item, Shape)]
    middle = _SAMPLE / 2
    whole = ((_SAMPLE, 0.0), (0.0, 0.0))
    entries: list[Entry] = [
        ([Curve(((0, 0), (_SAMPLE, 0)), "forward", arrow=True)], "forward pass, left to right"),
    ]
    entries.append(([], "gradient, right to left, by what it passes:"))
    if "identity" in styles:
        entries.append(
            ([Curve(whole, "identity", arrow=True)], "weight-free: no weight layer on this stretch")
        )
    if "weight" in styles:
        square = Shape("box", middle, 0, 10, 10, "square", 1.5)
        entries.append(([Curve(whole, "weight", arrow=True), square], "a weight layer"))
    if "square uncounted" in styles:
        square = Shape("box", middle, 0, 10, 10, "square uncounted", 1.5)
        entries.append(([square], "weight layer outside the counted stretch"))
    if "activation" in styles:
        entries.append(
            ([Curve(whole, "activation", arrow=True)], "an activation, with its derivative")
        )
    plain = [item for item in items if isinstance(item, Curve) and item.style == "plain"]
    if plain:
        copies = "a copy elsewhere, or " * any(curve.tail for curve in plain)
        said = words.get("plain", f"{copies}another derivative")
        entries.append(([Curve(whole, "plain", arrow=True)], said))
    if any(
        shape.kind == "circle" and shape.style == "value" and not shape.sign for shape in shapes
    ):
        entries.append(([Shape("circle", middle, 0, 14, 14, "value")], words["value"]))
    if "operation" in styles:
        box = Shape("box", middle, 0, 24, 13, "operation", 3)
        entries.append(([box], "operation and its value"))
    if any(shape.style == "stage" and shape.key.startswith("node") for shape in shapes):
        box = Shape("box", middle, 0, 24, 13, "stage", 3)
        entries.append(([box], "a scope, one step"))
    if any(shape.sign for shape in shapes):
        entries.append(([Shape("circle", middle, 0, 15, 15, "value", sign="+")], "sum"))
    if any(shape.double for shape in shapes):
        box = Shape("box", middle, 0, 18, 9, "repeated", 2, double=True)
        entries.append(([box], "several drawn as one"))
    if "cross" in styles:
        strokes: list[Item] = [
            Curve(((middle - 4, -4 * sign), (middle + 4, 4 * sign)), "cross") for sign in (1, -1)
        ]
        entries.append((strokes, "a derivative of 0"))
    if any(item.faded for item in items):
        faded = Curve(whole, "weight", arrow=True, faded=True)
        entries.append(([faded], words["faded"]))
    return entries
