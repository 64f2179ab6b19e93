"""A chain in a narrow room: without the names of layers, and on more than one line.

What stands between two values of the row is never broken.  A line ends with a value, and the
next line begins with the same value once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ..layout import Canvas, Item, Shape
from .chain import Chain
from .lanes import MOST_STEPS, shown_steps, step_width
from .parts import Block, Lane, Link, Step

MOST_LINES = 3
"""A plain chain keeps its names on so many lines."""
_LINE_GAP, _ENDS = 26.0, 60.0


class Stop(NamedTuple):
    """A value of the row: where it stands, how wide, and which items draw it."""

    x: float
    radius: float
    first: int
    behind: int


def unnamed(parts: Sequence[Block | Link]) -> tuple[Block | Link, ...]:
    """Return the parts of a chain without the names of their layers."""
    return tuple(
        replace(part, lanes=tuple(map(_unnamed, part.lanes)))
        if isinstance(part, Block) else replace(part, lane=_unnamed(part.lane))
        for part in parts
    )  # fmt: skip


def _unnamed(lane: Lane) -> Lane:
    if len(lane.steps) > MOST_STEPS:
        return lane
    return replace(lane, steps=tuple(replace(step, label="") for step in lane.steps))


def in_pieces(chain: Chain, room: float) -> tuple[Block | Link, ...]:
    """Return a plain chain as links that fit a room, named where the lines are few."""
    (link,) = chain.parts
    if not isinstance(link, Link):
        return chain.parts
    steps = shown_steps(link.lane.steps)
    pieces = _pieces(steps, room)
    if len(pieces) > MOST_LINES:
        bare = tuple(step if step.label[:1] == "…" else replace(step, label="") for step in steps)
        pieces = _pieces(bare, room)
    weighted = [any(step.kind == "weight" for step in piece) for piece in pieces]
    if any(weighted) and not all(weighted):
        return chain.parts
    return tuple(replace(link, lane=replace(link.lane, steps=piece)) for piece in pieces)


def _pieces(steps: Sequence[Step], room: float) -> list[tuple[Step, ...]]:
    found: list[tuple[Step, ...]] = [()]
    for step in steps:
        longer = (*found[-1], step)
        if found[-1] and sum(map(step_width, longer)) > room - _ENDS:
            found.append((step,))
        else:
            found[-1] = longer
    return found


def break_lines(canvas: Canvas, stops: Sequence[Stop], room: float) -> bool:
    """Go on in a further line wherever a row is wider than a room; return whether it is."""
    cuts = [0]
    for k, stop in enumerate(stops):
        start = stops[cuts[-1]]
        if stop.x + stop.radius - start.x + start.radius > room and k - 1 > cuts[-1]:
            cuts.append(k - 1)
    items, canvas.items[:] = list(canvas.items), []
    y = 0.0
    for a, b in zip(cuts, [*cuts[1:], len(stops) - 1], strict=True):
        start = stops[a]
        again = items[start.first : start.behind] if a else []
        line = [_ornament(item) for item in again if _within(item, start)]
        line += items[start.behind if a else 0 : stops[b].behind]
        top, bottom = min(i.box[1] for i in line), max(i.box[3] for i in line)
        down = y - top if a else 0.0
        canvas.extend(line, stops[0].x - start.x, down)
        y = bottom + down + _LINE_GAP
    return len(cuts) > 1


def _within(item: Item, stop: Stop) -> bool:
    """Return whether an item stands in a value's own circle, not beside it."""
    left, top, right, bottom = item.box
    room = stop.radius + 4
    return abs(left + right - 2 * stop.x) < room and abs(top + bottom) < room


def _ornament(item: Item) -> Item:
    """Return an item that stands for no node, since the node is drawn already."""
    return replace(item, key="") if isinstance(item, Shape) else item
