"""Histograms by degree on a logarithmic scale, for counts of any size and for gradient norms."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import text
from ..layout import Canvas, Curve, Label, Shape
from ..page import wrapped
from ..ticks import degree_ticks, log_ticks, logs_of, unplotted

MOST_STEMS = 60


@dataclass(frozen=True)
class Histogram:
    """What a histogram shows.

    Attributes:
        title: what is counted or measured.
        logs: base-10 logarithms by degree, of those values that have one.
        degrees: those that occur, with and without a logarithm.
        free: what to write at degree 0, the weight-free paths.
        note: what else there is to say, ``""`` for nothing.
    """

    title: str
    logs: dict[int, float]
    degrees: tuple[int, ...]
    free: str
    note: str = ""


def of_counts(counts: dict[int, int]) -> Histogram:
    """Return the histogram of exact numbers of paths."""
    free = f"{text.grouped(counts.get(0, 0))} weight-free"
    title = "number of paths, exact (log scale)"
    return Histogram(title, logs_of(counts), tuple(counts), free)


def of_norms(norms: dict[int, float], highest: int) -> Histogram:
    """Return the histogram of gradient norms, which may end before the highest degree."""
    free = f"weight-free: {text.value(norms[0])}" if 0 in norms else ""
    short = f"computed up to {max(norms)} weight layers" if max(norms) < highest else ""
    note = "; ".join(filter(None, (short, unplotted(norms))))
    title = "gradient norm through them, exact (log scale)"
    return Histogram(title, logs_of(norms), tuple(norms), free, note)


def draw_histogram(
    canvas: Canvas, shown: Histogram, x: float, y: float, width: float, height: float
) -> None:
    """Draw a histogram in the rectangle at ``(x, y)``, its title above and its axis' words below."""
    logs = shown.logs
    room = width if canvas.page.narrow else math.inf
    noted = wrapped(text.plain(shown.note), 11, room) if shown.note else []
    titles = wrapped(text.plain(shown.title), 12.5, room)
    for i, line in enumerate(reversed(titles)):
        canvas.add(Label(line, x, y - 32 - 15 * i, 12.5, "text", "start"))
    for i, line in enumerate(noted):
        canvas.add(Label(line, x, y - 16 + 13 * i, 11, "text quiet", "start"))
    first, longest = min(shown.degrees), max(shown.degrees)
    low, high = min(logs.values(), default=0.0), max(logs.values(), default=1.0)
    span = max(high - low, 1.0)
    floor = low - 0.08 * span
    top = max(high + 0.22 * span, floor + 0.8)
    base = y + height

    def height_of(log: float) -> float:
        return y + height * (top - log) / (top - floor)

    def place_of(degree: int) -> float:
        return x + 14 + (width - 28) * (degree - first) / max(longest - first, 1)

    for level, words in log_ticks(low, top) if logs else ():
        at = height_of(level)
        canvas.add(
            Curve(((x, at), (x + width, at)), "rule"),
            Label(text.plain(words), x - 8, at + 4, 10.5, "text quiet", "end"),
        )
    canvas.add(Curve(((x, base), (x + width, base)), "axis"))
    for degree in degree_ticks(shown.degrees):
        at = place_of(degree)
        canvas.add(
            Curve(((at, base), (at, base + 4)), "axis"),
            Label(text.plain(str(degree)), at, base + 17, 10.5, "text quiet"),
        )
    below = text.plain("weight layers crossed")
    canvas.add(Label(below, x + width / 2, base + 36, 11, "text quiet"))
    tops = {k: (place_of(k), height_of(v)) for k, v in logs.items()}
    _bars(canvas, {k: top for k, top in tops.items() if k}, base)
    if 0 in tops:
        _mark(canvas, tops, base, shown.free)


def _mark(canvas: Canvas, tops: dict[int, tuple[float, float]], base: float, free: str) -> None:
    """Draw degree 0, and its words above whatever stands beside it."""
    at, level = tops[0]
    label = Label(text.plain(free), at - 5, 0.0, 12, "text identity", "start")
    above = min(y for x, y in tops.values() if x <= label.box[2] + 6) - 10
    if above < level - 14:
        canvas.add(Curve(((at, level), (at, above + 4)), "leader"))
    canvas.add(
        Curve(((at, base), (at, level)), "identity"),
        Shape("circle", at, level, 9, 9, "bar free"),
        Shape("box", at - 5 + label.width / 2, above - 4, label.width + 4, 15, "ground"),
        label.moved(0.0, above),
    )


def _bars(canvas: Canvas, tops: dict[int, tuple[float, float]], base: float) -> None:
    """Draw stems where there are few degrees, a filled outline where there are many."""
    if len(tops) <= MOST_STEMS:
        for x, level in tops.values():
            canvas.add(
                Curve(((x, base), (x, level)), "stem"), Shape("circle", x, level, 6, 6, "bar")
            )
        return
    line = tuple(tops[k] for k in sorted(tops))
    canvas.add(
        Curve(((line[0][0], base), *line, (line[-1][0], base)), "area", filled=True),
        Curve(line, "stem"),
    )
