"""Histograms of the explorer: paths and gradient norms by degree, to be pointed at."""

from __future__ import annotations

import math
from typing import Any

from .. import text
from ..chains.histogram import draw_histogram
from ..layout import Canvas, Layout
from ..ticks import degree_ticks, logs_of, unplotted

WIDTH, HEIGHT = 440.0, 150.0
MARGIN = 10.0


def draw_bars(
    counts: dict[int, int], norms: dict[int, float], why: str
) -> list[tuple[Layout, dict[str, Any]]]:
    """Return a histogram of counts and, where there are norms, one of norms.

    With each comes where degrees stand: degree k at ``start + step * k``.
    """
    free = f"{text.grouped(counts.get(0, 0))} weight-free"
    logs = {k: math.log10(n) for k, n in counts.items()}
    found = [_draw("number of paths, exact (log scale)", logs, list(counts), "", free)]
    if any(norm > 0 for norm in norms.values()):
        size = f"weight-free: {text.value(norms[0])}" if norms.get(0) else ""
        short = f"up to {max(norms)} weight layers" if len(norms) < len(counts) else ""
        note = "; ".join(filter(None, (short, unplotted(norms))))
        title = "gradient norm through them, exact (log scale)"
        found.append(_draw(title, logs_of(norms), list(norms), note, size))
    return found


def _draw(
    title: str, logs: dict[int, float], degrees: list[int], note: str, free: str
) -> tuple[Layout, dict[str, Any]]:
    canvas = Canvas()
    draw_histogram(canvas, logs, degrees, title, note, free, 0.0, 0.0, WIDTH, HEIGHT)
    layout = canvas.finish(title, f"For {len(degrees)} degrees; see the table below.", MARGIN)
    ticks = [
        curve.points[0][0] for curve in layout.curves
        if curve.style == "axis" and curve.points[0][0] == curve.points[1][0]
    ]  # fmt: skip
    marked = degree_ticks(degrees)
    step = (ticks[-1] - ticks[0]) / (marked[-1] - marked[0]) if len(marked) > 1 else WIDTH
    start = ticks[0] - step * marked[0]
    return layout, {"start": round(start, 2), "step": round(step, 4), "height": layout.height}
