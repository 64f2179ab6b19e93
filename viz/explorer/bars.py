"""Histograms of the explorer: paths and gradient norms by degree, to be pointed at."""

from __future__ import annotations

from typing import Any

from ..chains.histogram import Histogram, draw_histogram, of_counts, of_norms
from ..layout import Canvas, Layout
from ..ticks import degree_ticks

WIDTH, HEIGHT = 440.0, 150.0
MARGIN = 10.0


def draw_bars(
    counts: dict[int, int], norms: dict[int, float]
) -> list[tuple[Layout, dict[str, Any]]]:
    """Return a histogram of counts and, where there are norms, one of norms.

    With each comes where degrees stand: degree k at ``start + step * k``.
    """
    shown = [of_counts(counts)]
    if any(norm > 0 for norm in norms.values()):
        shown.append(of_norms(norms, max(counts)))
    return [_draw(one) for one in shown]


def _draw(shown: Histogram) -> tuple[Layout, dict[str, Any]]:
    canvas = Canvas()
    draw_histogram(canvas, shown, 0.0, 0.0, WIDTH, HEIGHT)
    said = f"For {len(shown.degrees)} degrees; see the table below."
    layout = canvas.finish(shown.title, said, MARGIN)
    ticks = [
        curve.points[0][0] for curve in layout.curves
        if curve.style == "axis" and curve.points[0][0] == curve.points[1][0]
    ]  # fmt: skip
    marked = degree_ticks(shown.degrees)
    step = (ticks[-1] - ticks[0]) / (marked[-1] - marked[0]) if len(marked) > 1 else WIDTH
    start = ticks[0] - step * marked[0]
    return layout, {"start": round(start, 2), "step": round(step, 4), "height": layout.height}
