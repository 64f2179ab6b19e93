"""Coordinates in px for what the grid says: sites, lines, words and the frames of scopes.

Columns and rows are as wide as what stands in them; gaps have room for the words on their
lines and for all that changes its row in them; strips for their lanes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .. import text
from ..layout import Box, Point
from .lines import Walls, clear, crossing, upright
from .routes import Turn, Way, turns, ways
from .scopes import Cluster, clusters
from .spine import Grid, Link, Site, grid

NAME_SIZE = 11.5
_LEAST_GAP, _LEAST_ROOM, _TURN, _BEFORE_TURN, _ARROW = 34.0, 18.0, 10.0, 9.0, 9.0
_WORDS_RISE, _WORDS_HIGH, _WORDS_PAD = 6.5, 13.0, 16.0
_LANE, _LABELLED_LANE, _FIRST_LANE, _STRIP = 13.0, 27.0, 18.0, 20.0
_FRAME, _NAME_ROOM, _FRAME_TOP = 10.0, 21.0, 9.0
_PORT, _LEAST_PORT, _PORT_EDGE, _ROUND_PORTS = 12.0, 9.0, 7.0, 15.0
_SIDE_EDGE, _PARALLEL = 14.0, 11.0
HUNG_EDGE = 30.0
"""How long the line to a hanging site is, in px."""


@dataclass(frozen=True)
class Frame:
    """A cluster's frame, and where its name begins."""

    scope: tuple[str, ...]
    box: Box
    name_at: Point


@dataclass(frozen=True)
class Places:
    """Where everything is; lines are corners from the left site to the right one.

    Attributes:
        centres: of sites; of those that hang, the middle of the room below their holder.
        widths, heights: of sites, wider and taller than asked where many lines end.
        lines: the corners of each link's line, operand first.
        words: where the middle of each link's words stands, on their baseline.
        frames: outer ones first.
    """

    centres: list[Point]
    widths: list[float]
    heights: list[float]
    lines: list[list[Point]]
    words: list[Point]
    frames: list[Frame]


def place(sites: Sequence[Site], links: Sequence[Link], output: int, band: float = 0.0) -> Places:
    """Return the places of a graph's sites and links.

    Args:
        output: the site where the axis ends.
        band: how far from the lines words are to stay at least, in px.

    >>> a, b, c = Site(50, 40), Site(50, 40), Site(22, 22, round=True)
    >>> found = place([a, b, c], [Link(0, 1), Link(1, 2), Link(0, 2)], 2)
    >>> [y for _, y in found.centres]
    [0.0, 0.0, 0.0]
    >>> min(y for _, y in found.lines[2]) < -20
    True
    """
    on = grid(sites, links, output)
    courses = ways(sites, links, on)
    return _Sheet(sites, links, on, courses, band).places()


class _Sheet:
    """The grid in px, while it is made."""

    def __init__(
        self, sites: Sequence[Site], links: Sequence[Link], on: Grid, courses: Sequence[Way],
        band: float,
    ) -> None:  # fmt: skip
        self.rise = max(_WORDS_RISE, band + 2)
        self.sites, self.links, self.on, self.courses = sites, links, on, courses
        self.turns = turns(on, courses)
        self.clusters = clusters(sites, on)
        self.hung: dict[int, list[int]] = {}
        for v, holder in sorted(on.holder.items()):
            self.hung.setdefault(holder, []).append(v)
        self.from_hung: dict[int, list[int]] = {}
        for i, (v, _) in enumerate(on.ends):
            if v in on.holder:
                self.from_hung.setdefault(v, []).append(i)
        self.widths, self.heights = self._widths(), self._heights()
        self.ports = self._ports()
        self._set_rows()
        self._set_columns()

    # Sizes

    def _widths(self) -> list[float]:
        """Return widths that have room for the ends of arcs, and reach over all that hangs below."""
        arcs = Counter(
            end for ends, way in zip(self.on.ends, self.courses, strict=True)
            if way.shape == "arc" for end in ends
        )  # fmt: skip
        widths = [
            site.width if site.round else max(site.width, _LEAST_PORT * arcs[v] + _PORT_EDGE)
            for v, site in enumerate(self.sites)
        ]
        for v, several in self.hung.items():
            if not self.sites[v].round:
                side = min(self.sites[several[0]].width, self.sites[several[-1]].width)
                farthest = (sum(self.sites[w].width for w in several) - side) / 2
                widths[v] = max(widths[v], 2 * (farthest + _SIDE_EDGE))
        return widths

    def _heights(self) -> list[float]:
        heights = [site.height for site in self.sites]
        for (u, v), way in zip(self.on.ends, self.courses, strict=True):
            for end, off in ((u, way.out), (v, way.into)):
                if not self.sites[end].round:
                    heights[end] = max(heights[end], 2 * (abs(off) + _SIDE_EDGE))
        return heights

    def _ports(self) -> dict[tuple[int, bool], float]:
        """Return how far right of the middle of its sites each arc ends, by link and end."""
        tops: dict[int, list[tuple[bool, int, int]]] = {}
        for i, way in enumerate(self.courses):
            if way.shape == "arc":
                u, v = self.on.ends[i]
                tops.setdefault(u, []).append((True, -way.lane, i))
                tops.setdefault(v, []).append((False, way.lane, i))
        ports = {}
        for v, ends in tops.items():
            site = self.sites[v]
            wide = _ROUND_PORTS if site.round else self.widths[v] - 2 * _PORT_EDGE
            step = min(_PORT, wide / max(len(ends) - 1, 1))
            for k, (leaves, _, i) in enumerate(sorted(ends)):
                ports[i, leaves] = step * (k - (len(ends) - 1) / 2)
        return ports

    def _set_rows(self) -> None:
        on, rows = self.on, max(self.on.rows, default=0) + 1
        half, depth, over, under = ([0.0] * rows for _ in range(4))
        for v in range(len(self.sites)):
            row = on.rows[v]
            if v not in on.holder:
                below = max((self.sites[w].height for w in self.hung.get(v, ())), default=0.0)
                half[row] = max(half[row], self.heights[v] / 2)
                depth[row] = max(depth[row], self.heights[v] / 2 + below)
        for cluster in self.clusters:
            top, bottom = cluster.rows
            over[top] = max(over[top], cluster.level * _FRAME_TOP)
            under[bottom] = max(under[bottom], cluster.level * _NAME_ROOM + 4)
        thick: list[dict[int, float]] = [{} for _ in range(rows)]
        for way, link in zip(self.courses, self.links, strict=True):
            if way.lane:
                lanes = thick[way.row]
                needed = _LABELLED_LANE + self.rise - _WORDS_RISE if link.room else _LANE
                lanes[way.lane] = max(lanes.get(way.lane, 0.0), needed)
        self.y, self.lanes = [0.0] * rows, [[0.0]] * rows
        for row in range(rows):
            rise, lanes_y = half[row] + over[row] + _FIRST_LANE, [0.0]
            for lane in range(1, max(thick[row], default=0) + 1):
                lanes_y.append(-rise)
                rise += thick[row].get(lane, _LANE)
            if row:
                above = self.y[row - 1] + depth[row - 1] + under[row - 1]
                self.y[row] = above + _STRIP + (rise if thick[row] else rise - _FIRST_LANE)
            self.lanes[row] = [self.y[row] + up for up in lanes_y]
        self.depth, self.half = depth, half

    def _set_columns(self) -> None:
        on, n = self.on, max(self.on.columns, default=0) + 1
        wide, room, begins, ends = ([0.0] * n for _ in range(4))
        for v in range(len(self.sites)):
            if v not in on.holder:
                hung = sum(self.sites[w].width for w in self.hung.get(v, ()))
                wide[on.columns[v]] = max(wide[on.columns[v]], self.widths[v], hung)
        for i, link in enumerate(self.links):
            gap = self._gap_of_words(i)
            if gap is not None and link.room:
                room[gap] = max(room[gap], link.room + _WORDS_PAD)
        for cluster in self.clusters:
            first, last = cluster.columns
            begins[first] = max(begins[first], cluster.level * _FRAME)
            ends[last] = max(ends[last], cluster.level * _FRAME)
        early, late = [0] * n, [0] * n
        for turn in self.turns.values():
            side = early if turn.early else late
            side[turn.column] = max(side[turn.column], turn.slot + 1)
        self.wide, self.begins, self.closes = wide, begins, ends
        self.fore = [ends[c] + (_BEFORE_TURN + _TURN * early[c]) * (early[c] > 0) for c in range(n)]
        self.aft = [
            (begins[c + 1] if c + 1 < n else 0.0)
            + (_BEFORE_TURN + _ARROW + _TURN * (late[c] - 1)) * (late[c] > 0)
            for c in range(n)
        ]
        self.room = [
            max(room[c], _LEAST_ROOM, _LEAST_GAP - (self.fore[c] + self.aft[c]) / 2)
            for c in range(n)
        ]
        self._set_lefts()
        for i, link in sorted(enumerate(self.links), key=lambda one: self._across(one[0])):
            a, _ = self._across(i)
            if self.courses[i].lane and link.room:
                ((x0, _), (x1, _)) = self._flat(i)
                lacking = link.room + 2 * _WORDS_PAD - (x1 - x0)
                if lacking > 0:
                    self._widen(a, lacking)
        for cluster in self.clusters:
            x0, _, x1, _ = self._frame_box(cluster)
            needed = text.width(text.name(cluster.scope[-1]), NAME_SIZE) + 20
            if needed > x1 - x0:
                self._widen_column(cluster.columns[1], needed - (x1 - x0))

    def _set_lefts(self) -> None:
        at, self.left = self.begins[0], []
        for c, wide in enumerate(self.wide):
            self.left.append(at)
            at += wide + self.fore[c] + self.room[c] + self.aft[c]

    def _widen(self, gap: int, by: float) -> None:
        self.room[gap] += by
        for c in range(gap + 1, len(self.left)):
            self.left[c] += by

    def _widen_column(self, column: int, by: float) -> None:
        self.wide[column] += by
        for c in range(column + 1, len(self.left)):
            self.left[c] += by

    def _across(self, i: int) -> tuple[int, int]:
        u, v = self.on.ends[i]
        return self.on.columns[u], self.on.columns[v]

    def _gap_of_words(self, i: int) -> int | None:
        """Return the gap in which a link's words stand; none where they stand in a strip."""
        way, (u, _), (a, b) = self.courses[i], self.on.ends[i], self._across(i)
        if way.shape == "straight":
            return b - 1
        if way.shape == "across":
            return a if self.on.rows[u] == way.row else b - 1
        return None

    # Places

    def places(self) -> Places:
        """Return where everything stands."""
        centres = self._centres()
        lines = [self._line(i, centres) for i in range(len(self.links))]
        walls = upright(lines)
        words = [self._words(i, lines[i], walls) for i in range(len(self.links))]
        frames = []
        for cluster in self.clusters:
            box = self._frame_box(cluster)
            needed = text.width(text.name(cluster.scope[-1]), NAME_SIZE)
            inside = (box[0] + 8, box[2] - 8)
            baseline = box[3] - 6
            x = clear(inside, needed, crossing(walls, baseline - 11, baseline + 3), True)
            frames.append(Frame(cluster.scope, box, (x, baseline)))
        forward = [
            line if (link.operand, link.output) == ends else line[::-1]
            for line, link, ends in zip(lines, self.links, self.on.ends, strict=True)
        ]
        return Places(centres, self.widths, self.heights, forward, words, frames)

    def _centres(self) -> list[Point]:
        on = self.on
        centres = [
            (self.left[on.columns[v]] + self.wide[on.columns[v]] / 2, self.y[on.rows[v]])
            for v in range(len(self.sites))
        ]
        for holder, several in self.hung.items():
            x, y = centres[holder]
            at = x - sum(self.sites[v].width for v in several) / 2
            for v in several:
                width, height = self.sites[v].width, self.sites[v].height
                centres[v] = (at + width / 2, y + self.heights[holder] / 2 + height / 2)
                at += width
        return centres

    def _frame_box(self, cluster: Cluster) -> Box:
        (a, b), (top, bottom) = cluster.columns, cluster.rows
        grow = cluster.level * _FRAME
        return (
            self.left[a] - grow,
            self.y[top] - self.half[top] - cluster.level * _FRAME_TOP,
            self.left[b] + self.wide[b] + grow,
            self.y[bottom] + self.depth[bottom] + 4 + cluster.level * _NAME_ROOM,
        )

    def _turn_x(self, turn: Turn) -> float:
        c = turn.column
        if turn.early:
            return self.left[c] + self.wide[c] + self.closes[c] + _BEFORE_TURN + _TURN * turn.slot
        return self.left[c + 1] - self.begins[c + 1] - _BEFORE_TURN - _ARROW - _TURN * turn.slot

    def _flat(self, i: int) -> tuple[Point, Point]:
        """Return the ends of a link's stretch in its lane."""
        way, (u, v) = self.courses[i], self.on.ends[i]
        y = self.lanes[way.row][way.lane]
        if way.shape == "lane":
            x0, x1 = (self._turn_x(self.turns[i, leaves]) for leaves in (True, False))
        else:
            x0, x1 = (
                self.left[self.on.columns[end]] + self.wide[self.on.columns[end]] / 2
                + self.ports[i, leaves]
                for end, leaves in ((u, True), (v, False))
            )  # fmt: skip
        return (x0, y), (x1, y)

    def _line(self, i: int, centres: Sequence[Point]) -> list[Point]:
        """Return the corners of a link's line, from its left site to its right one."""
        way, (u, v) = self.courses[i], self.on.ends[i]
        if way.shape == "hung":
            return self._hung_line(i, centres)
        if way.shape == "arc":
            (x0, y), (x1, _) = self._flat(i)
            top0, top1 = self._top(u, x0, centres), self._top(v, x1, centres)
            return [(x0, top0), (x0, y), (x1, y), (x1, top1)]
        start, stop = self._side(u, way.out, 1, centres), self._side(v, way.into, -1, centres)
        first, last = self.turns.get((i, True)), self.turns.get((i, False))
        level = stop[-1][1] if last is None else start[-1][1]
        if way.shape == "lane":
            level = self.lanes[way.row][way.lane]
        corners = start[:]
        if first is not None:
            x = self._turn_x(first)
            corners += [(x, start[-1][1]), (x, level)]
        if last is not None:
            x = self._turn_x(last)
            corners += [(x, level), (x, stop[-1][1])]
        return [*corners, *stop[::-1]]

    def _side(self, v: int, off: float, side: int, centres: Sequence[Point]) -> list[Point]:
        """Return where a line meets a site's side, and for a circle where it bends to it."""
        (x, y), site = centres[v], self.sites[v]
        if not site.round:
            return [(x + side * self.widths[v] / 2, y + off)]
        r = site.width / 2
        met = max(-0.8 * r, min(0.8 * r, off))
        end = (x + side * math.sqrt(r * r - met * met), y + met)
        return [end] if met == off else [end, (x + side * (r + 8), y + off)]

    def _top(self, v: int, x: float, centres: Sequence[Point]) -> float:
        """Return the height of a site's upper edge at ``x``."""
        (cx, cy), high = centres[v], self.heights[v] / 2
        if self.sites[v].round:
            high = math.sqrt(max(high * high - (x - cx) ** 2, 0.0))
        return cy - high

    def _hung_line(self, i: int, centres: Sequence[Point]) -> list[Point]:
        """Return the line of a hanging site, up to its holder; slanted only below a circle."""
        v, holder = self.on.ends[i]
        among = self.from_hung[v]
        x = centres[v][0] + _PARALLEL * (among.index(i) - (len(among) - 1) / 2)
        (cx, cy), r = centres[holder], self.widths[holder] / 2
        met = max(cx - r / 2, min(cx + r / 2, x)) if self.sites[holder].round else x
        bottom = 2 * cy - self._top(holder, met, centres)
        return [(x, centres[v][1] - self.sites[v].height / 2 + HUNG_EDGE), (met, bottom)]

    def _words(self, i: int, line: Sequence[Point], walls: Walls) -> Point:
        way, room = self.courses[i], self.links[i].room
        if way.shape == "hung":
            (x, y0), (_, y1) = line[0], line[-1]
            return (x + 10 + room / 2, max((y0 + y1) / 2, y0 - 20) + 4)
        gap = self._gap_of_words(i)
        if gap is not None:
            x = self.left[gap] + self.wide[gap] + self.fore[gap] + self.room[gap] / 2
            off = way.out if self.on.rows[self.on.ends[i][0]] == way.row else way.into
            return (x, self.y[way.row] + off - self.rise)
        (x0, y), (x1, _) = self._flat(i)
        over = crossing(walls, y - self.rise - _WORDS_HIGH, y - 1)
        return (clear((x0, x1), room, over), y - self.rise)
