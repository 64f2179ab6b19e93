"""Wires: how columns are spaced, where wires run, and what is written on them.

The room between two columns grows until the labels of all wires in it find a place of their
own; where even a wide one does not hold them, the numbers are left out and the figure says so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .. import text
from ..layout import Box, Point
from ..text import Runs
from .columns import RADIUS, Columns, edge_point
from .network import Network, Wire
from .ports import BEND, Port
from .symbols import number

SIZE = 11.0
MARK = 9.0
_CLIMB, _APART = 50.0, 10.0
"""The room in which one wire leaves a column for its lane, and what each further one adds."""
_TALL, _CLEAR, _BOW = 15.0, 3.0, 46.0
_CORNER = 14.0
_WATCHED = 40
_FLATTEST = 0.45
_CROSSING = 110.0
_NARROWEST, _WIDEST, _WIDER, _ROUNDS = 84.0, 430.0, 1.25, 8
_PLACES = tuple(0.5 + sign * k * 0.025 for k in range(17) for sign in ((1,) if k == 0 else (1, -1)))


@dataclass(frozen=True)
class Route:
    """A wire in the plane, from its operand to its output.

    Attributes:
        points: of a straight line, or of a cubic spline where ``smooth``.
        label: what is written on it, and around which point; empty where there is no room.
        mark: ``"square"`` for a weight, ``"cross"`` for a derivative of zero, or nothing.
    """

    wire: Wire
    points: tuple[Point, ...]
    smooth: bool
    label: Runs = ()
    at: Point = (0.0, 0.0)
    mark: str = ""

    @property
    def box(self) -> Box:
        """The rectangle around its label."""
        wide = label_width(self.label, self.mark) / 2
        return (
            self.at[0] - wide, self.at[1] - _TALL / 2, self.at[0] + wide, self.at[1] + _TALL / 2,
        )  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Where everything stands.

    Attributes:
        xs: the middle of every column.
        bare: how many derivatives have found no room.
    """

    xs: tuple[float, ...]
    routes: tuple[Route, ...]
    bare: int


def label_width(label: Runs, mark: str) -> float:
    """Return the width of a label with its mark, in pixels."""
    words = text.width(label, SIZE)
    return words + (MARK + 4 if mark and words else MARK if mark else 0) + 4


def plan(network: Network, columns: Columns) -> Plan:
    """Return the places of columns, wires and labels."""
    gaps = [_first_gap(columns, c) for c in range(len(columns.extents) - 1)]
    for round_ in range(_ROUNDS + 1):
        xs = tuple(itertools.accumulate((gap + 2 * RADIUS for gap in gaps), initial=0.0))
        routes, crowded = _labelled(_routes(network, columns, xs), columns, xs, round_ == _ROUNDS)
        growing = [c for c in crowded if gaps[c] < _WIDEST]
        if not growing and round_ < _ROUNDS and crowded:
            routes, crowded = _labelled(_routes(network, columns, xs), columns, xs, True)
        if not growing:
            break
        gaps = [min(_WIDEST, gap * _WIDER) if c in growing else gap for c, gap in enumerate(gaps)]
    bare = sum(bool(route.wire.label) and not route.label for route in routes)
    return Plan(xs, tuple(routes), bare)


def _first_gap(columns: Columns, c: int) -> float:
    """Return the least room to the right of a column: that of its widest label."""
    widths = [
        label_width(w.label, mark_of(w)) for w in columns.wires
        if columns.at[w.operand][0] == c and columns.at[w.output][0] == c + 1 and w.label
    ]  # fmt: skip
    headings = [text.width(runs, SIZE) for runs, rank, _ in columns.headings if rank in (c, c + 1)]
    beside = max(headings, default=0.0) + 16 - 2 * RADIUS
    tall = [
        abs(columns.at[w.output][1] - columns.at[w.operand][1]) for w in columns.wires
        if columns.at[w.operand][0] == c and columns.at[w.output][0] == c + 1
    ]  # fmt: skip
    beside = max(beside, _FLATTEST * max(tall, default=0.0))
    ported = [i for i in columns.ports if columns.at[columns.wires[i].operand][0] == c]
    climbs = sum(_climbs(columns, c))
    if ported:
        crossing = max(_CROSSING, _FLATTEST * max(tall))
        return _widest_at(columns, ported[0]) + BEND + crossing + climbs
    return max(_NARROWEST, max(widths, default=0.0) + 64, beside) + climbs


def _climbs(columns: Columns, gap: int) -> tuple[float, float]:
    """Return the room that wires need to their lanes at the left of a gap, and at its right."""
    left, right = _leaving(columns, gap, True), _leaving(columns, gap + 1, False)
    return tuple(_CLIMB + _APART * (len(i) - 1) if i else 0.0 for i in (left, right))  # type: ignore[return-value]


def _leaving(columns: Columns, column: int, rightward: bool) -> list[int]:
    """Return the wires between a column and their lanes, on one side of it, the nearest first.

    The outer its lane, the nearer a wire climbs to its column: so those of a column do not cross.
    """
    found = [
        i for i, height in columns.lanes.items()
        if columns.at[columns.wires[i].operand if rightward else columns.wires[i].output][0]
        == column
    ]  # fmt: skip
    return sorted(found, key=lambda i: (columns.lanes[i] < 0, -abs(columns.lanes[i])))


def mark_of(wire: Wire) -> str:
    """Return the sign beside a wire's label."""
    if wire.style == "weight" and wire.label:
        return "square"
    return "cross" if wire.value == 0 else ""


# Where wires run


def _routes(network: Network, columns: Columns, xs: Sequence[float]) -> list[Route]:
    same: dict[tuple[int, int], list[int]] = {}
    for i, wire in enumerate(columns.wires):
        same.setdefault((wire.output, wire.operand), []).append(i)
    found = []
    for i, wire in enumerate(columns.wires):
        (left, y), (right, v) = columns.at[wire.operand], columns.at[wire.output]
        kinds = network.elements[wire.operand].kind, network.elements[wire.output].kind
        beside = same[wire.output, wire.operand]
        bow = _BOW * (beside.index(i) - (len(beside) - 1) / 2)
        x, u = xs[left], xs[right]
        if i in columns.lanes:
            height = columns.lanes[i]
            up, down = (
                _climb(kinds[k], (xs[at], end), height, (1 - 2 * k) * (
                    _CLIMB / 2 + _APART * _leaving(columns, at, not k).index(i)
                ))
                for k, (at, end) in enumerate(((left, y), (right, v)))
            )  # fmt: skip
            a, b = (xs[left + 1] - RADIUS, height), (xs[right - 1] + RADIUS, height)
            points = (*up, *_line(up[-1], down[-1])[1:], *down[-2::-1])
            found.append(Route(wire, points, True, wire.label, ((a[0] + b[0]) / 2, height)))
            continue
        if i in columns.ports:
            port, wide = columns.ports[i], _widest_at(columns, i)
            bend = BEND + _climbs(columns, left)[port.at_output]
            found.append(_ported(wire, port, kinds, (x, y), (u, v), (bend, wide)))
            continue
        first = edge_point(kinds[0], x, y, u - x, v - y + 2.2 * bow)
        last = edge_point(kinds[1], u, v, x - u, y - v + 2.2 * bow)
        if bow:
            line = _line(first, last)
            bent = (first, (line[1][0], line[1][1] + bow), (line[2][0], line[2][1] + bow), last)
            found.append(Route(wire, bent, True))
        else:
            found.append(Route(wire, (first, last), False))
    return found


def _ported(
    wire: Wire, port: Port, kinds: tuple[str, str], low: Point, high: Point,
    room: tuple[float, float],
) -> Route:  # fmt: skip
    """Return a wire that ends in a row beside one of its numbers, its label on the row.

    Args:
        low, high: where its operand and its output stand.
        room: the way from the row to the number, and the length of the row.
    """
    bend, wide = room
    near, far = (high, low) if port.at_output else (low, high)
    side = -1.0 if port.at_output else 1.0
    y = near[1] + port.rise
    inner, outer = near[0] + side * (RADIUS + bend), near[0] + side * (RADIUS + bend + wide)
    last = edge_point(kinds[port.at_output], *near, side * bend, port.rise)
    first = edge_point(kinds[not port.at_output], *far, outer - far[0], y - far[1])
    row = _line((outer, y), (inner, y))
    points = (*_line(first, (outer, y)), *row[1:], *_bend((inner, y), last)[1:])
    left = min(outer, inner) + label_width(wire.label, mark_of(wire)) / 2
    return Route(wire, points if port.at_output else points[::-1], True, wire.label, (left, y))


def _widest_at(columns: Columns, i: int) -> float:
    """Return the width of the widest label in a column of ports."""
    rank = columns.at[columns.wires[i].operand][0]
    labels = (columns.wires[k] for k in columns.ports)
    return max(label_width(w.label, mark_of(w)) for w in labels if columns.at[w.operand][0] == rank)


def _climb(kind: str, end: Point, height: float, off: float) -> tuple[Point, ...]:
    """Return a curve from an element to its lane, upright ``off`` to the right of the element."""
    side = math.copysign(1.0, off)
    x, corner = end[0] + side * RADIUS + off, side * _CORNER
    if abs(height - end[1]) < 3 * _CORNER:
        start = edge_point(kind, *end, off, height - end[1])
        return _bend(start, (x + corner, height))
    drop = math.copysign(min(abs(off) + RADIUS, abs(height - end[1]) / 2), height - end[1])
    first = edge_point(kind, *end, off, 0.35 * drop)
    turn, foot = (x, first[1] + drop), (x, height - math.copysign(_CORNER, drop))
    wide = x - first[0]
    return (
        first, (first[0] + 0.7 * wide, first[1] + 0.12 * drop), (x, first[1] + 0.3 * drop), turn,
        *_line(turn, foot)[1:],
        (x, (foot[1] + height) / 2), (x + corner / 2, height), (x + corner, height),
    )  # fmt: skip


def _bend(a: Point, b: Point) -> tuple[Point, ...]:
    """Return a curve that arrives at both ends sideways."""
    middle = (a[0] + b[0]) / 2
    return (a, (middle, a[1]), (middle, b[1]), b)


def _line(a: Point, b: Point) -> tuple[Point, ...]:
    x, y = (b[0] - a[0]) / 3, (b[1] - a[1]) / 3
    return (a, (a[0] + x, a[1] + y), (b[0] - x, b[1] - y), b)


def point_at(points: Sequence[Point], smooth: bool, t: float) -> Point:
    """Return a point of a line, or of a spline's first piece, at ``t`` from 0 to 1."""
    if not smooth:
        (x, y), (u, v) = points[0], points[-1]
        return x + t * (u - x), y + t * (v - y)
    s = 1 - t
    weights = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
    x = sum(w * p[0] for w, p in zip(weights, points[:4], strict=True))
    y = sum(w * p[1] for w, p in zip(weights, points[:4], strict=True))
    return x, y


# What is written on them


def _labelled(
    routes: Sequence[Route], columns: Columns, xs: Sequence[float], final: bool
) -> tuple[list[Route], set[int]]:
    """Place the labels; return the routes, and the gaps where there is too little room.

    Args:
        final: shorten the labels of a crowded gap, or leave them out.
    """
    blocked = [_heading_box(runs, xs[rank], y) for runs, rank, y in columns.headings]
    placed = list(routes)
    gaps: dict[int, list[int]] = {}
    for i, route in enumerate(routes):
        placed[i] = replace(route, mark=mark_of(route.wire))
        if i in columns.lanes or i in columns.ports:
            if route.label:
                blocked.append(placed[i].box)
        elif route.wire.label or placed[i].mark:
            gaps.setdefault(columns.at[route.wire.operand][0], []).append(i)
    crowded = set()
    for gap, members in gaps.items():
        left, right = _climbs(columns, gap)
        room = (
            xs[gap] + RADIUS + _CLEAR + left, xs[gap + 1] - RADIUS - _CLEAR - right,
        )  # fmt: skip
        choices: list[Callable[[Wire], Runs]] = [lambda wire: wire.label]
        if final:
            choices += [_short, lambda _: ()]
        for write in choices:
            fitted = [_written(placed[i], write(placed[i].wire)) for i in members]
            answer = _fit(fitted, room, blocked)
            if answer is not None:
                break
        if answer is None:
            crowded.add(gap)
            answer = fitted
        for i, route in zip(members, answer, strict=True):
            placed[i] = route
            if route.label:
                blocked.append(route.box)
    return placed, crowded


def _written(route: Route, label: Runs) -> Route:
    """Return a route with a label; a weight without one needs no square, its dashes say it."""
    mark = "" if route.mark == "square" and not label else route.mark
    return replace(route, label=label, mark=mark)


def _short(wire: Wire) -> Runs:
    return text.plain(number(wire.value)) if wire.value is not None else ()


def _fit(
    routes: Sequence[Route], room: tuple[float, float], blocked: Sequence[Box]
) -> list[Route] | None:
    """Return routes with their labels placed, or ``None`` where they do not all find room."""
    order = sorted(range(len(routes)), key=lambda i: _slope(routes[i]))
    watched = routes if len(routes) <= _WATCHED else ()
    for sequence in (order, order[::-1], range(len(routes))):
        taken = list(blocked)
        found = dict.fromkeys(range(len(routes)), routes[0])
        for i in sequence:
            route = _set_down(routes[i], room, taken, watched)
            if route is None:
                break
            found[i] = route
            taken.append(route.box)
        else:
            return list(found.values())
    return None


def _slope(route: Route) -> float:
    return abs(route.points[-1][1] - route.points[0][1])


def _set_down(
    route: Route, room: tuple[float, float], taken: Sequence[Box], others: Sequence[Route]
) -> Route | None:
    """Return a route with its label where it covers nothing, and the fewest other wires."""
    best, fewest = None, len(others) + 1
    for t in _PLACES:
        at = point_at(route.points, route.smooth, t)
        moved = replace(route, at=at)
        left, top, right, bottom = moved.box
        if left >= room[0] and right <= room[1] and not any(
            left < b[2] + 2 and b[0] < right + 2 and top < b[3] + 1 and b[1] < bottom + 1
            for b in taken
        ):  # fmt: skip
            covered = sum(_covers(moved.box, other) for other in others if other.wire != route.wire)
            if covered < fewest:
                best, fewest = moved, covered
            if not covered:
                break
    if best is None and not route.label:
        return replace(route, at=point_at(route.points, route.smooth, 0.5))
    return best


def _covers(box: Box, other: Route) -> bool:
    """Say whether a box lies on a straight wire, or on the chord of a bent one."""
    (x, y), (u, v) = other.points[0], other.points[-1]
    low, high = ((at - x) / (u - x) * (v - y) + y for at in (box[0], box[2]))
    return min(low, high) < box[3] and max(low, high) > box[1]


def _heading_box(runs: Runs, x: float, y: float) -> Box:
    wide = text.width(runs, SIZE) / 2
    return (x - wide, y - SIZE, x + wide, y + 4)
