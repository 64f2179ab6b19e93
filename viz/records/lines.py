"""Lines with corners: round ones, and places for words that no upright line runs through."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from ..layout import Point

Walls = list[tuple[float, float, float]]
"""Upright pieces of lines: x, top and bottom."""


def upright(lines: Sequence[Sequence[Point]]) -> Walls:
    """Return the upright pieces of all lines: x, top and bottom."""
    found = []
    for line in lines:
        for (xa, ya), (xb, yb) in itertools.pairwise(line):
            if xa == xb:
                found.append((xa, min(ya, yb), max(ya, yb)))
    return sorted(found)


def crossing(walls: Walls, top: float, bottom: float) -> list[float]:
    """Return where upright lines pass between two heights, from left to right."""
    return [x for x, y0, y1 in walls if y0 < bottom and top < y1]


def clear(
    between: tuple[float, float], width: float, walls: Sequence[float], first: bool = False
) -> float:
    """Return where words stand clear of walls: the middle of the widest free stretch.

    Args:
        first: take the first stretch with enough room, and return where it begins.

    >>> clear((0.0, 100.0), 20.0, [70.0])
    35.0
    >>> clear((0.0, 100.0), 50.0, [20.0], first=True)
    28.0
    """
    x0, x1 = between
    stops = [x0, *(x for x in walls if x0 < x < x1), x1]
    free = list(itertools.pairwise(stops))
    if first:
        fitting = [(a + 8 * (a != x0), b) for a, b in free if b - a >= width + 8 * (a != x0) + 4]
        return (fitting or [between])[0][0]
    a, b = max(free, key=lambda one: (round(one[1] - one[0], 3), -one[0]))
    return (a + b) / 2


def rounded(corners: Sequence[Point], radius: float) -> tuple[Point, ...]:
    """Return a line with round corners, as a spline: start, control, control, end, ...

    >>> rounded([(0.0, 0.0), (9.0, 0.0)], 5.0)
    ((0.0, 0.0), (3.0, 0.0), (6.0, 0.0), (9.0, 0.0))
    """
    kept = [corners[0]]
    for point in corners[1:]:
        if math.dist(point, kept[-1]) > 0.01:
            kept.append(point)
    spline, at = [kept[0]], kept[0]
    for k in range(1, len(kept)):
        corner, last = kept[k], k == len(kept) - 1
        if last:
            _extend(spline, at, corner)
            break
        before, after = math.dist(at, corner), math.dist(corner, kept[k + 1])
        share = 0.5 if k + 2 < len(kept) else 0.75
        r = min(radius, before * 0.85, after * share)
        a, b = _towards(corner, at, r), _towards(corner, kept[k + 1], r)
        _extend(spline, at, a)
        spline += [_towards(a, corner, 0.55 * r), _towards(b, corner, 0.55 * r), b]
        at = b
    return tuple(spline)


def _extend(spline: list[Point], a: Point, b: Point) -> None:
    if math.dist(a, b) > 0.01:
        third, two = _between(a, b, 1 / 3), _between(a, b, 2 / 3)
        spline += [third, two, b]


def _between(a: Point, b: Point, t: float) -> Point:
    return a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])


def _towards(a: Point, b: Point, by: float) -> Point:
    return _between(a, b, by / (math.dist(a, b) or 1.0))
