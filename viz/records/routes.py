"""Which way every link takes through the grid, and where it meets its sites.

Links that skip along a row are arcs in lanes of the strip above it, each over all the
shorter ones it shares columns with.  A link between two rows runs along one of them where no
box is in the way, or in a lane of the strip between, and changes its row in a gap.  What runs
in one gap, and what ends on one side of a site, is kept apart by heights of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .spine import BOX, Grid, Link, Site

STEP, LABELLED_STEP, ROUND_STEP = 11.0, 22.0, 7.0
"""How far apart lines run side by side, in px; with words between them, and at a circle."""


@dataclass(frozen=True)
class Way:
    """The course of a link.

    Attributes:
        shape: ``"straight"`` along its row; ``"arc"`` above it; ``"across"``, between two
            rows and along one of them; ``"lane"``, between two rows and along a strip;
            ``"hung"``, from below.
        row: the row that it runs along, or over which its strip lies.
        lane: the number of its lane in the strip, from 1 upward; 0 for none.
        out, into: how far below the middle of its sites it leaves the left and enters the
            right one, in px.
    """

    shape: Literal["straight", "arc", "across", "lane", "hung"]
    row: int
    lane: int = 0
    out: float = 0.0
    into: float = 0.0


@dataclass(frozen=True)
class Turn:
    """A place where a link changes its height: in the gap right of ``column``.

    Attributes:
        early: whether at the gap's left side, behind the site left of it.
        slot: how many others are nearer to the site.
    """

    column: int
    early: bool
    slot: int


def ways(sites: Sequence[Site], links: Sequence[Link], grid: Grid) -> list[Way]:
    """Return the way of every link."""
    found = _shapes(links, grid)
    found = _lanes(links, grid, found)
    return _heights(sites, links, grid, found)


def _span(grid: Grid, i: int) -> tuple[int, int]:
    u, v = grid.ends[i]
    return grid.columns[u], grid.columns[v]


def _shapes(links: Sequence[Link], grid: Grid) -> list[Way]:
    """Say how each link runs: along a row where that is free, the shorter ones first."""
    taken: set[tuple[int, int]] = set()
    found: dict[int, Way] = {}

    def along(i: int, row: int, within: bool) -> bool:
        """Take a row's cells between the columns of a link, if all of them are free."""
        u, v = grid.ends[i]
        a, b = _span(grid, i)
        own = {grid.chain.get(end) for end in (u, v) if grid.rows[end] == row}
        cells = [(row, column) for column in range(a + 1, b)]
        passed = cells + [(row, -a - 1)] * within
        if any(cell in taken for cell in passed):
            return False
        if any(grid.cells[cell] == BOX or grid.cells[cell] not in own
               for cell in cells if cell in grid.cells):  # fmt: skip
            return False
        taken.update(passed)
        return True

    def length(i: int) -> tuple[bool, int, bool, int]:
        u, v = grid.ends[i]
        a, b = _span(grid, i)
        return grid.rows[u] != grid.rows[v], b - a, links[i].outside, i

    for i in sorted(range(len(links)), key=length):
        u, v = grid.ends[i]
        up, down = sorted((grid.rows[u], grid.rows[v]))
        if u in grid.holder:
            found[i] = Way("hung", down)
        elif up == down:
            found[i] = Way("straight" if along(i, up, True) else "arc", up)
        else:
            outer = sorted((up, down), key=lambda row: -abs(row - grid.axis))
            row = next((row for row in outer if along(i, row, False)), None)
            found[i] = Way("lane", down) if row is None else Way("across", row)
    return [found[i] for i in range(len(links))]


def _lanes(links: Sequence[Link], grid: Grid, found: Sequence[Way]) -> list[Way]:
    """Give arcs, and what runs in strips, a lane each: over all shorter ones on the way."""
    strips: dict[int, list[tuple[int, int, int]]] = {}
    for i, way in enumerate(found):
        a, b = _span(grid, i)
        if way.shape in ("arc", "lane"):
            inset = way.shape == "lane"
            strips.setdefault(way.row, []).append((2 * a + inset, 2 * b - inset, i))
    number: dict[int, int] = {}
    for strip in strips.values():
        strip.sort(key=lambda one: (one[1] - one[0], links[one[2]].outside, one[0], one[2]))
        highest = [0] * (2 + max(b for _, b, _ in strip))
        for a, b, i in strip:
            number[i] = 1 + max(highest[a:b])
            highest[a:b] = [number[i]] * (b - a)
    return [Way(w.shape, w.row, number.get(i, 0)) for i, w in enumerate(found)]


def _heights(
    sites: Sequence[Site], links: Sequence[Link], grid: Grid, found: Sequence[Way]
) -> list[Way]:
    """Keep apart what runs in one gap along one row, and what meets one side of a site."""
    kept: dict[tuple[str, int, int], list[tuple[float, bool]]] = {}
    out, into = [0.0] * len(links), [0.0] * len(links)
    asked: list[tuple[float, int, bool]] = []
    for i, way in enumerate(found):
        u, v = grid.ends[i]
        a, b = _span(grid, i)
        if way.shape == "straight":
            places = [("out", u, 0), ("into", v, 0)]
            places += [("room", way.row, gap) for gap in range(a, b)]
            for place in places:
                kept.setdefault(place, []).append((0.0, place[0] == "room" and links[i].room > 0))
        elif way.shape in ("across", "lane"):
            level = way.row - 0.5 * (way.shape == "lane")
            asked.append((level - grid.rows[u] or 0.01 * (grid.rows[v] - grid.rows[u]), i, True))
            asked.append((level - grid.rows[v] or 0.01 * (grid.rows[u] - grid.rows[v]), i, False))
    for towards, i, leaves in sorted(asked, key=lambda one: (abs(one[0]), one[1], one[2])):
        u, v = grid.ends[i]
        a, b = _span(grid, i)
        end, way = (u if leaves else v), found[i]
        places = [("out" if leaves else "into", end, 0)]
        along = way.shape == "across" and grid.rows[end] == way.row
        if along:
            places += [("room", way.row, gap) for gap in range(a, b)]
        words = along and links[i].room > 0
        height = next(
            height for height in _heights_from(towards, sites[end].round and not words)
            if all(abs(height - other) >= (LABELLED_STEP if place[0] == "room" and (words or worded)
                                           else ROUND_STEP if sites[end].round else STEP)
                   for place in places for other, worded in kept.get(place, ()))
        )  # fmt: skip
        for place in places:
            kept.setdefault(place, []).append((height, words and place[0] == "room"))
        (out if leaves else into)[i] = height
    return [Way(w.shape, w.row, w.lane, out[i], into[i]) for i, w in enumerate(found)]


def _heights_from(towards: float, close: bool) -> Iterator[float]:
    """Yield heights on one side of a site's middle, the nearest first."""
    step = math.copysign(ROUND_STEP if close else STEP, towards)
    return (k * step for k in itertools.count())


def turns(grid: Grid, found: Sequence[Way]) -> dict[tuple[int, bool], Turn]:
    """Return where each link changes its height, by its number and whether on its way out.

    In one gap what reaches farther turns nearer to its site, and nothing lies on another.
    """
    sides: dict[tuple[int, bool], list[tuple[float, float, int, bool]]] = {}
    for i, way in enumerate(found):
        if way.shape not in ("across", "lane"):
            continue
        u, v = grid.ends[i]
        a, b = _span(grid, i)
        level = way.row - 0.5 * (way.shape == "lane")
        for leaves, row in ((True, grid.rows[u]), (False, grid.rows[v])):
            if way.shape == "lane" or row != way.row:
                side = (a, True) if leaves else (b - 1, False)
                sides.setdefault(side, []).append((*sorted((row, level)), i, leaves))  # type: ignore[arg-type]
    placed: dict[tuple[int, bool], Turn] = {}
    for (column, early), several in sides.items():
        slots: list[list[tuple[float, float]]] = []
        for low, high, i, leaves in sorted(several, key=lambda one: (one[0] - one[1], one[2])):
            slot = next(
                (k for k, passed in enumerate(slots)
                 if all(high < a or b < low for a, b in passed)),
                len(slots),
            )  # fmt: skip
            if slot == len(slots):
                slots.append([])
            slots[slot].append((low, high))
            placed[i, leaves] = Turn(column, early, slot)
    return placed
