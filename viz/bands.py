"""Bands: how highlighted sets lie under the edges of a figure.

A single set has a broad band; several run side by side, each with a colour, a dash and a
sign of its own.  Bands are drawn before the edges: what an edge's own line says is still
there to be read.  Signs are put where no word and no arrowhead stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .highlight import UNNAMED, Emphasis
from .layout import Box, Canvas, Curve, Item, Label, Point, Shape
from .style import STYLES
from .widths import flow_band, flow_sign, half_width, widest

_OFFSETS = (4.2, -4.2, -7.9, -11.6)
_OUTSIDE = 1.9
_SIGN, _ROOM, _SAMPLE = 7.0, 13.0, 34.0
_NEAR = 6.0
_PLACES = tuple(0.5 + side * k * 0.05 for k in range(10) for side in ((1,) if k == 0 else (1, -1)))
_BANDS = frozenset(
    name for name in STYLES
    if name.startswith(("set", "flow")) and not name.endswith(("sign", "stroke"))
)  # fmt: skip
_GROUNDS = frozenset({"ground", "cluster"})


def bands(
    points: Sequence[Point], smooth: bool, marks: Sequence[int], emphasis: Emphasis,
    flow: float | None = None,
) -> Iterable[Curve]:  # fmt: skip
    """Yield what is drawn under an edge: the band of its flow, and those of the sets that take it.

    A set has the edge to itself where there is no other and no flow in the figure; else its
    line runs beside the edge, outside of the flow's band.

    Args:
        points: of the edge, the way the gradient runs.
        marks: the places of the sets among those of the figure.
        flow: what all paths over the edge carry, where it is known.
    """
    outward = 0.0
    if emphasis.widths and flow is not None:
        most = widest(emphasis.flows)
        yield from flow_band(points, smooth, flow, most)
        outward = max(0.0, half_width(flow, most) + _OUTSIDE - abs(_OFFSETS[0]))
    for k in marks:
        if emphasis.alone:
            yield Curve(tuple(points), f"set {k + 1}", smooth)
        else:
            by = _OFFSETS[k] + math.copysign(outward, _OFFSETS[k])
            yield Curve(beside(points, by), f"set {k + 1} beside", smooth)


def room(marks: Sequence[int], emphasis: Emphasis, flow: float | None = None) -> float:
    """Return how far the bands of an edge reach beyond what is always left free beside it."""
    reach = _OFFSETS[0] * bool(marks and emphasis.alone)
    if emphasis.widths and flow is not None:
        reach = half_width(flow, widest(emphasis.flows))
    if marks and not emphasis.alone:
        reach = max(reach + _OUTSIDE, _OFFSETS[0]) + 2.0
    return max(0.0, reach - _OFFSETS[0])


def sign(k: int, x: float, y: float) -> Item:
    """Return the sign of set number ``k``: a disc, a square, a triangle or a diamond."""
    style, r = f"set {k + 1} sign", _SIGN / 2
    if k == 0:
        return Shape("circle", x, y, _SIGN, _SIGN, style)
    if k == 1:
        return Shape("box", x, y, _SIGN - 1, _SIGN - 1, style)
    tip = (x, y - r - 0.5)
    corners = (tip, (x + r + 0.5, y + r), (x - r - 0.5, y + r))
    if k == 3:
        corners = (tip, (x + r + 0.5, y), (x, y + r + 0.5), (x - r - 0.5, y))  # type: ignore[assignment]
    return Curve(corners, style, filled=True)


def lower_bands(canvas: Canvas) -> None:
    """Put the bands that are drawn so far under everything else, so that they cover no shape."""
    canvas.items.sort(key=lambda item: item.style not in _BANDS)


def sign_bands(canvas: Canvas) -> None:
    """Put a sign on every band that is drawn so far, off words, shapes and the tips of arrows."""
    taken = [
        item.box for item in canvas.items
        if isinstance(item, Label) or (isinstance(item, Shape) and item.style not in _GROUNDS)
    ]  # fmt: skip
    taken += [
        _around(*item.points[-1]) for item in canvas.items if isinstance(item, Curve) and item.arrow
    ]
    signs: list[tuple[str, list[Item]]] = []
    for i, item in enumerate(canvas.items):
        if not isinstance(item, Curve) or item.style not in _BANDS:
            continue
        kind, number, *_ = item.style.split()
        x, y = _free_place(item, taken)
        taken.append(_around(x, y))
        on_set = kind == "set"
        drawn = [sign(int(number) - 1, x, y)] if on_set else flow_sign("-" in number, x, y)
        signs.append((canvas.part_of(i), list(drawn)))
    for part, drawn in signs:
        canvas.begin(part)
        canvas.add(*drawn)


def _free_place(curve: Curve, taken: Sequence[Box]) -> Point:
    """Return the point of a line that is clear of boxes, or the clearest of a few."""
    return min(
        (_point_on(curve, t) for t in _PLACES),
        key=lambda at: sum(_overlap(_around(*at), box) for box in taken),
    )


def _around(x: float, y: float) -> Box:
    half = _ROOM / 2
    return (x - half, y - half, x + half, y + half)


def _overlap(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0.0) * max(high, 0.0)


def _point_on(curve: Curve, t: float) -> Point:
    """Return a point of a line or of a spline of several pieces, at ``t`` from 0 to 1."""
    step = 3 if curve.smooth else 1
    pieces = (len(curve.points) - 1) // step
    piece = min(int(t * pieces), pieces - 1)
    s = t * pieces - piece
    a, *_, d = corners = curve.points[piece * step : (piece + 1) * step + 1]
    if not curve.smooth:
        return a[0] + s * (d[0] - a[0]), a[1] + s * (d[1] - a[1])
    weights = ((1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s * s * (1 - s), s**3)
    x, y = (sum(w * p[i] for w, p in zip(weights, corners, strict=True)) for i in (0, 1))
    return x, y


def mark_entries(emphasis: Emphasis) -> list[tuple[list[Item], str]]:
    """Return the legend's entries of highlighted sets."""
    marks = emphasis.marks
    named = any(mark.label != UNNAMED for mark in marks)
    found: list[tuple[list[Item], str]] = [([], "highlighted:")] * named
    for k, mark in enumerate(marks):
        line = bands(((_SAMPLE, 0.0), (0.0, 0.0)), False, (k,), emphasis)
        band = [curve.moved(0.0, -curve.points[0][1]) for curve in line]
        sample: list[Item] = [*band, sign(k, _SAMPLE / 2, 0.0)] if mark.count else []
        found.append((sample, mark.words))
    return found


def beside(points: Sequence[Point], by: float) -> tuple[Point, ...]:
    """Return a spline a little to the right of another, as one walks along it."""
    found = []
    for i, (x, y) in enumerate(points):
        before = next((p for p in points[i::-1] if _distance(p, points[i]) > _NEAR), points[i])
        after = next((p for p in points[i:] if _distance(p, points[i]) > _NEAR), points[i])
        dx, dy = after[0] - before[0], after[1] - before[1]
        size = math.hypot(dx, dy) or 1.0
        found.append((x - dy / size * by, y + dx / size * by))
    return tuple(found)


def _distance(a: Point, b: Point) -> float:
    return math.hypot(a[0] - b[0], a[1] - b[1])
