"""Layout: a finished drawing, before anyone has decided on a file format.

A layout is a size, a list of items in drawing order and a text that says what the
picture shows.  Items are shapes, curves and labels, each at its place and with the
name of a style; the SVG, PNG, PDF and DOT writers only translate them.  A ``Canvas``
collects items at any coordinates and ends with a layout whose edges lie outside every
item, so that nothing can be clipped.
"""

from __future__ import annotations

import math
from bisect import bisect, bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from .page import WHOLE, Page
from .style import STYLES
from .symbols import latex
from .text import Runs, joined, typeset, width
from .typeset import Line

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom; y grows downward."""


@dataclass(frozen=True)
class Shape:
    """A circle or a box around its centre.

    Attributes:
        kind: ``"circle"``, or ``"box"`` with rounded corners of ``radius``.
        double: draw a second border outside, for something that stands for many.
        sign: draw ``"+"`` inside, for a sum.
        key: the name of the node it stands for, ``""`` for an ornament.
        title: what a reader sees who points at it.
    """

    kind: Literal["circle", "box"]
    x: float
    y: float
    width: float
    height: float
    style: str
    radius: float = 0.0
    double: bool = False
    sign: Literal["", "+"] = ""
    key: str = ""
    title: str = ""
    faded: bool = False

    @property
    def box(self) -> Box:
        """The rectangle around it."""
        grow = 4.0 if self.double else 0.0
        w, h = self.width / 2 + grow, self.height / 2 + grow
        return (self.x - w, self.y - h, self.x + w, self.y + h)

    def moved(self, dx: float, dy: float) -> Shape:
        """Return it at another place."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Curve:
    """A line through points, or a cubic spline.

    Attributes:
        points: corners of a line, or start, control, control, end, control, control, ...
        arrow: put an arrowhead at the last point.
        tail, head: keys of the shapes it joins, where it stands for an edge.
        filled: fill the closed area with the style's fill.
    """

    points: tuple[Point, ...]
    style: str
    smooth: bool = False
    arrow: bool = False
    filled: bool = False
    tail: str = ""
    head: str = ""
    title: str = ""
    faded: bool = False

    @property
    def box(self) -> Box:
        """A rectangle around it (around its control points, for a spline)."""
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        return (min(xs), min(ys), max(xs), max(ys))

    def moved(self, dx: float, dy: float) -> Curve:
        """Return it at another place."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@dataclass(frozen=True)
class Label:
    """A line of text; ``x`` is where its ``anchor`` stands, ``y`` its baseline.

    What reads as mathematics is set in glyphs, ``formula``; the words behind it are text.
    """

    runs: Runs
    x: float
    y: float
    size: float = 12.0
    style: str = "text"
    anchor: Literal["start", "middle", "end"] = "middle"
    title: str = ""
    faded: bool = False

    @property
    def text(self) -> str:
        """The text without its typography."""
        return joined(self.runs)

    @property
    def formula(self) -> Line | None:
        """The formula that it begins with, set in units of ``size``."""
        return typeset(self.runs, STYLES[self.style].bold)[1]

    @property
    def latex(self) -> str:
        """That formula as LaTeX, ``""`` where there is none."""
        return latex(typeset(self.runs, STYLES[self.style].bold)[0])

    @property
    def words(self) -> Runs:
        """What is text: all of it, or what follows the formula."""
        return typeset(self.runs, STYLES[self.style].bold)[2]

    @property
    def width(self) -> float:
        """Its width: of a formula exactly, of words estimated on the large side."""
        return width(self.runs, self.size, STYLES[self.style].bold)

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.x - self.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]

    @property
    def box(self) -> Box:
        """The rectangle that holds it: the ink of a formula, words in any of the usual fonts."""
        formula, words = self.formula, self.words
        below = 0.34 if any(kind == "sub" for _, kind in words) else 0.24
        above, below = (0.82, below) if words else (-math.inf, -math.inf)
        if formula is not None:
            above, below = max(above, formula.ascent), max(below, formula.descent)
        left = self.left
        return (left, self.y - above * self.size, left + self.width, self.y + below * self.size)

    def moved(self, dx: float, dy: float) -> Label:
        """Return it at another place."""
        return replace(self, x=self.x + dx, y=self.y + dy)


Item = Shape | Curve | Label


@dataclass(frozen=True)
class Layout:
    """A finished drawing.

    Attributes:
        width, height: its size in pixels.
        items: what to draw, in order.
        title: one line that names the figure.
        description: what it shows, for those who cannot see it.
    """

    width: float
    height: float
    items: tuple[Item, ...]
    title: str
    description: str

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The circles and boxes."""
        return tuple(item for item in self.items if isinstance(item, Shape))

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The lines and splines."""
        return tuple(item for item in self.items if isinstance(item, Curve))

    @property
    def labels(self) -> tuple[Label, ...]:
        """The texts."""
        return tuple(item for item in self.items if isinstance(item, Label))


class Canvas:
    """Collects items at any coordinates; ``finish`` fits the picture around them.

    Attributes:
        items: what was drawn, in order.
        page: which parts are wanted, and the room that there is.
    """

    def __init__(self, page: Page = WHOLE) -> None:
        self.items: list[Item] = []
        self.page = page
        self._starts: list[tuple[int, str]] = [(0, "")]

    def begin(self, part: str) -> None:
        """Say of which part of the figure everything is that is drawn from now on."""
        self._starts.append((len(self.items), part))

    def add(self, *items: Item) -> None:
        """Draw items on top of what is there."""
        self.items.extend(items)

    def extend(self, items: Iterable[Item], dx: float = 0.0, dy: float = 0.0) -> None:
        """Draw items moved by ``(dx, dy)``."""
        self.items.extend(item.moved(dx, dy) for item in items)

    @property
    def box(self) -> Box:
        """The rectangle around everything drawn so far."""
        return _around(self.items)

    def part_of(self, number: int) -> str:
        """Return the part that an item belongs to, by its number."""
        return self._starts[bisect(self._starts, number, key=lambda found: found[0]) - 1][1]

    def finish(self, title: str, description: str, margin: float | None = None) -> Layout:
        """Return the layout: the parts that are wanted, with a margin around them.

        What stands below a part that is left out moves up.  Where the page has a width, the
        figure has it too, and more where it does not fit.
        """
        kept = self._wanted()
        left, top, right, bottom = _around(kept)
        margin = self.page.margin if margin is None else margin
        wide = max(right - left + 2 * margin, self.page.pixels)
        aside = (wide - (right - left)) / 2
        return Layout(
            round(wide, 1),
            round(bottom - top + 2 * margin, 1),
            tuple(item.moved(aside - left, margin - top) for item in kept),
            title,
            description,
        )

    def _wanted(self) -> list[Item]:
        """Return the items of the parts that are wanted, closed up."""
        kept: list[Item] = []
        gone: list[Item] = []
        ends = [start for start, _ in self._starts[1:]] + [len(self.items)]
        for (start, part), end in zip(self._starts, ends, strict=True):
            if part in ("", *self.page.parts):
                kept += self.items[start:end]
            else:
                gone += self.items[start:end]
        return _closed_up(kept, [item.box for item in gone])


def _around(items: Iterable[Item]) -> Box:
    boxes = [item.box for item in items]
    if not boxes:
        return (0.0, 0.0, 0.0, 0.0)
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _closed_up(items: list[Item], gone: list[Box]) -> list[Item]:
    """Return items moved up into the stretches that nothing stands in any more."""
    tops = sorted(item.box[1] for item in items)
    stretches: list[tuple[float, float]] = []
    for _, top, _, bottom in sorted(gone, key=lambda box: box[1]):
        if stretches and bisect(tops, top) == bisect(tops, stretches[-1][0]):
            top, bottom = stretches[-1][0], max(stretches.pop()[1], bottom)
        stretches.append((top, bottom))
    below = [(top, bisect_left(tops, bottom - 1)) for top, bottom in stretches]
    cuts = [(tops[k], tops[k] - top) for top, k in below if k < len(tops)]
    return [
        item.moved(0.0, -sum(cut for after, cut in cuts if item.box[1] >= after)) for item in items
    ] if cuts else items  # fmt: skip


ARROW_LENGTH, ARROW_WIDTH = 6.5, 5.2


def arrowhead(curve: Curve) -> tuple[Point, Point, Point]:
    """Return the triangle at a curve's end: its tip and its two barbs."""
    (x, y), before = curve.points[-1], curve.points[-2]
    earlier = (p for p in reversed(curve.points[:-1]) if p != (x, y))
    before = next(earlier, before)
    dx, dy = x - before[0], y - before[1]
    norm = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / norm, dy / norm
    grow = 1.25 if STYLES[curve.style].width > 2.2 else 1.0
    bx, by = x - ARROW_LENGTH * grow * dx, y - ARROW_LENGTH * grow * dy
    wx, wy = -dy * ARROW_WIDTH * grow / 2, dx * ARROW_WIDTH * grow / 2
    return ((x, y), (bx + wx, by + wy), (bx - wx, by - wy))
