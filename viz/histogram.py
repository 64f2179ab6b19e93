"""A histogram by degree on a logarithmic scale, for counts of any size."""

from __future__ import annotations

import math

from . import text
from .layout import Canvas, Curve, Label, Shape

MOST_STEMS = 60


def draw_histogram(
    canvas: Canvas, logs: dict[int, float], longest: int, title: str, free: str,
    x: float, y: float, width: float, height: float,
) -> None:  # fmt: skip
    """Draw ``{degree: log10 of its value}`` in the rectangle at ``(x, y)``.

    Args:
        longest: the degree at the right end of the axis.
        title: what is counted.
        free: what to write at degree 0, the weight-free paths; ``""`` where there are none.
    """
    canvas.add(Label(text.plain(title), x, y - 16, 12.5, "text", "start"))
    low, high = min(logs.values(), default=0.0), max(logs.values(), default=1.0)
    step = _nice(max(high - low, 1.0) / 4)
    bottom = math.floor(low / step) * step
    top = max(math.ceil(high / step) * step, bottom + step)
    floor = bottom - 0.07 * (top - bottom)

    def height_of(log: float) -> float:
        return y + height * (top - log) / (top - floor)

    def place_of(degree: int) -> float:
        return x + 12 + (width - 24) * degree / max(longest, 1)

    ticks = round((top - bottom) / step)
    for i in range(ticks + 1):
        level = bottom + i * step
        at = height_of(level)
        canvas.add(
            Curve(((x, at), (x + width, at)), "rule"),
            Label(text.plain(power(level)), x - 8, at + 4, 10.5, "text quiet", "end"),
        )
    base = y + height
    canvas.add(Curve(((x, base), (x + width, base)), "axis"))
    every = max(1, round(_nice(longest / 6)))
    for degree in range(0, longest + 1, every):
        at = place_of(degree)
        canvas.add(
            Curve(((at, base), (at, base + 4)), "axis"),
            Label(text.plain(str(degree)), at, base + 17, 10.5, "text quiet"),
        )
    canvas.add(
        Label(text.plain("weight layers crossed"), x + width / 2, base + 36, 11, "text quiet")
    )
    _bars(canvas, {k: (place_of(k), height_of(v)) for k, v in logs.items() if k}, base)
    if 0 in logs:
        at, level = place_of(0), height_of(logs[0])
        canvas.add(
            Curve(((at, base), (at, level)), "identity"),
            Shape("circle", at, level, 9, 9, "bar free"),
            Label(text.plain(free), at - 4, level - 11, 12, "text identity", "start"),
        )


def power(exponent: float) -> str:
    """Return a power of ten as a tick label.

    >>> power(15.0)
    '10¹⁵'
    """
    return f"10{text.raised(round(exponent))}"


def _bars(canvas: Canvas, tops: dict[int, tuple[float, float]], base: float) -> None:
    """Draw stems where there are few degrees, a filled outline where there are many."""
    if len(tops) <= MOST_STEMS:
        for x, level in tops.values():
            canvas.add(
                Curve(((x, base), (x, level)), "stem"), Shape("circle", x, level, 6, 6, "bar")
            )
        return
    line = tuple(tops[k] for k in sorted(tops))
    canvas.add(Curve(((line[0][0], base), *line, (line[-1][0], base)), "bar", filled=True))


def _nice(step: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, ... from ``step`` on."""
    size = 10.0 ** math.floor(math.log10(max(step, 1.0)))
    return next(size * f for f in (1, 2, 5, 10) if size * f >= step - 1e-9)
