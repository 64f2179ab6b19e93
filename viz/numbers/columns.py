"""Columns: where the numbers of a network stand.

The axis is y = 0, and every column is centred on it.  A wire that skips columns crosses them
on a lane of its own: above the columns if it belongs to a weight-free path, below them if
not, so that no wire touches a number that is none of its ends.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .. import text
from ..layout import Point
from ..text import Runs
from .network import Group, Network, Wire
from .ports import Port, pitch, ports_of
from .symbols import shortened

RADIUS, SQUARE = 16.0, 12.0
PITCH, HEADING, BETWEEN = 60.0, 26.0, 18.0
WIDE_PITCH = 80.0
"""Columns whose ports need up to this pitch give it to all others, so that rows stay level."""
LANE = 20.0
MOST_IN_COLUMN = 12
MOST_WIRES = 400
_FEWEST = 3
_NARROW = 2 * RADIUS + 38


@dataclass(frozen=True)
class Rest:
    """The elements of a group that are not drawn, and where that is said."""

    rank: int
    y: float
    count: int


@dataclass(frozen=True)
class Columns:
    """Heights of everything, by column.

    Attributes:
        at: column and height of every element that is drawn.
        headings: what stands over each group.
        extents: the top and the bottom of every column.
        lanes: the height at which each wire that skips columns crosses them.
        ports: where wires that cross many others end, and have their labels.
    """

    at: dict[int, tuple[int, float]]
    headings: tuple[tuple[Runs, int, float], ...]
    rests: tuple[Rest, ...]
    wires: tuple[Wire, ...]
    extents: tuple[tuple[float, float], ...]
    lanes: dict[int, float]
    ports: dict[int, Port]

    @property
    def hidden(self) -> int:
        """How many elements are not drawn."""
        return sum(rest.count for rest in self.rests)


def stack(network: Network, needed: Collection[int] = ()) -> Columns:
    """Return the columns of a network, shortened until few enough wires are left.

    Args:
        needed: elements to draw in any case.
    """
    for most in (MOST_IN_COLUMN, 8, 6, 4, _FEWEST):
        columns = _stacked(network, most, needed)
        if len(columns.wires) <= MOST_WIRES:
            break
    return columns


def _stacked(network: Network, most: int, needed: Collection[int]) -> Columns:
    free = {v for w in network.wires if w.free for v in (w.output, w.operand)}
    by_rank: list[list[Group]] = [[] for _ in range(network.ranks)]
    for group in network.groups:
        by_rank[group.rank].append(group)
    at: dict[int, tuple[int, float]] = {}
    headings: list[tuple[Group, int, float]] = []
    rests: list[Rest] = []
    extents = []
    drawn: list[list[list[int]]] = []
    for groups in by_rank:
        groups.sort(key=lambda group: free.isdisjoint(group.elements))
        room = max(2, most // max(1, len(groups)))
        drawn.append([_shown(group.elements, room, needed) for group in groups])
    places = {v: rank for rank, shown in enumerate(drawn) for few in shown for v in few}
    wires = tuple(w for w in network.wires if w.output in places and w.operand in places)
    ports = ports_of(wires, places)
    wide = pitch(wires, ports, places)
    common = max([PITCH, *(step for step in wide.values() if step <= WIDE_PITCH)])
    for rank, (groups, shown) in enumerate(zip(by_rank, drawn, strict=True)):
        step = max(common, wide.get(rank, 0.0))
        rows = [len(few) + (len(few) < len(g.elements)) for few, g in zip(shown, groups)]
        height = step * sum(rows) + (HEADING + BETWEEN) * (len(groups) - 1)
        y = -height / 2
        top = y - HEADING + step / 2 - RADIUS - 4
        for group, few in zip(groups, shown, strict=True):
            headings.append((group, rank, y + step / 2 - RADIUS - 10))
            for element in few:
                at[element] = (rank, y + step / 2)
                y += step
            if len(few) < len(group.elements):
                rests.append(Rest(rank, y + step / 2, len(group.elements) - len(few)))
                y += step
            y += HEADING + BETWEEN
        extents.append((top, height / 2))
    lanes = _lanes(wires, at, extents)
    ends = {at[v][0] for i in lanes for v in (wires[i].output, wires[i].operand)}
    said = tuple((_heading(group, rank in ends), rank, y) for group, rank, y in headings)
    return Columns(at, said, tuple(rests), wires, tuple(extents), lanes, ports)


def _heading(group: Group, narrow: bool) -> Runs:
    """Return what stands over a group; wires that leave for their lanes want room beside it."""
    whole = shortened(group.name, group.ops)
    return group.name if narrow and text.width(whole, 11) > _NARROW else whole


def _shown(elements: Sequence[int], room: int, needed: Collection[int]) -> list[int]:
    """Return the first elements of a group, and those that must be seen."""
    if len(elements) <= room:
        return list(elements)
    first = set(elements[: room - 2])
    return [element for element in elements if element in first or element in needed]


def _lanes(
    wires: Sequence[Wire], at: dict[int, tuple[int, float]],
    extents: Sequence[tuple[float, float]],
) -> dict[int, float]:  # fmt: skip
    """Give each wire that skips columns a height that is free all along it."""
    skipping = [i for i, w in enumerate(wires) if at[w.output][0] - at[w.operand][0] > 1]

    def order(i: int) -> tuple[int, float]:
        (right, _), (left, y) = at[wires[i].output], at[wires[i].operand]
        return right - left, -y if wires[i].free else y

    lanes: dict[int, float] = {}
    taken: list[tuple[int, int, float]] = []
    for i in sorted(skipping, key=order):
        left, right = at[wires[i].operand][0] + 1, at[wires[i].output][0] - 1
        crossed = extents[left : right + 1]
        up = -1.0 if wires[i].free else 1.0
        edge = max(-top if up < 0 else bottom for top, bottom in crossed)
        y = up * (edge + LANE)
        while any(a <= right + 1 and left - 1 <= b and abs(y - h) < LANE for a, b, h in taken):
            y += up * LANE
        lanes[i] = y
        taken.append((left, right, y))
    return lanes


def edge_point(kind: str, x: float, y: float, dx: float, dy: float) -> Point:
    """Return where a wire in the direction (dx, dy) leaves an element at (x, y)."""
    side = 1.0 if dx > 0 else -1.0
    if kind == "weight":
        return x + side * (SQUARE / 2 + 1), y
    steep = dy / abs(dx)
    norm = float((1 + steep * steep) ** 0.5)
    return x + side * RADIUS / norm, y + RADIUS * steep / norm
