"""Lanes: one way through a block or a link, its layers side by side.

A lane lies on the axis, or it is an arc above or below.  Its coloured line is the
gradient's arrow and points left; what each stretch of it passes shows in its dashes,
dots and squares, and stands above it in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .. import text
from ..bands import bands, room
from ..highlight import PLAIN, Emphasis
from ..layout import Canvas, Curve, Label, Point, Shape
from ..text import Runs
from ..widths import signed
from .parts import Kind, Lane, Step

DOT_RADIUS = 2.4
SQUARE = 11.0
PAD = 14.0
"""Room that a block keeps clear at the ends of its branch."""
MOST_STEPS = 14
NEAR_ARC, FAR_ARC = 45.0, 80.0
"""Where an arc ends on its nodes, and where one that reaches around another does, in degrees."""
_FORWARD_TURN = 15.0
"""How much nearer to the axis than an arc's gradient its forward pass ends, in degrees."""
_LINE = {"weight": "weight", "activation": "activation", "other": "plain"}
_UNNAMED = {"weight": 24.0, "activation": 20.0, "other": 20.0}
_INK = {"weight": "text weight", "activation": "text activation", "other": "text quiet"}


def lane_width(lane: Lane) -> float:
    """Return the room that a lane's steps need side by side."""
    return sum(map(step_width, shown_steps(lane.steps)))


def lanes_width(lanes: Sequence[Lane]) -> float:
    """Return the room that a block's lanes need: the last on the axis, the others as arcs."""
    named = any(step.label for lane in lanes for step in lane.steps)
    beside, least = (92.0, 120.0) if named else (60.0, 70.0)
    arcs = (lane_width(lane) + beside for lane in lanes[:-1])
    return max(lane_width(lanes[-1]) + 2 * PAD, least, *arcs)


def shown_steps(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps to draw: all of them, or the ends with the rest as one."""
    if len(steps) <= MOST_STEPS:
        return steps
    kept = MOST_STEPS // 2 - 1
    hidden = steps[kept:-kept]
    weights = sum(step.kind == "weight" for step in hidden)
    label = f"{weights} more weight layers" if weights else f"{len(hidden)} more steps"
    kind: Kind = "weight" if weights else "other"
    return (*steps[:kept], Step(kind, f"… {label} …"), *steps[-kept:])


def _step_label(step: Step) -> Runs:
    return text.plain(step.label) if step.label.startswith("…") else text.name(step.label)


def step_width(step: Step) -> float:
    """Return the room that a layer takes along its lane, in px."""
    if not step.label:
        return _UNNAMED[step.kind]
    least = {"weight": 60.0, "activation": 48.0, "other": 48.0}[step.kind]
    return max(least, text.width(_step_label(step), 12) + 16)


@dataclass(frozen=True)
class Ends:
    """The keys of the shapes that a lane joins: the gradient runs from its tail to its head.

    Attributes:
        name: what the keys of the lane's own dots are told apart by.
    """

    tail: str = ""
    head: str = ""
    name: str = ""

    def of_steps(self, steps: int) -> list[tuple[str, str]]:
        """Return the tail and head of each step, left to right; they meet in the lane's dots."""
        if not self.tail:
            return [("", "")] * steps
        dots = [f"{self.tail} {self.name} {i}" for i in range(1, steps)]
        return list(zip([*dots, self.tail], [self.head, *dots], strict=True))


LOOSE = Ends()
"""The ends of a lane that stands for no edge between shapes, such as a sample."""


def draw_lane(
    canvas: Canvas, lane: Lane, left: float, right: float, y: float, pad: float = 0.0,
    words_below: bool = False, ends: Ends = LOOSE, emphasis: Emphasis = PLAIN, clear: float = 0.0,
) -> None:  # fmt: skip
    """Draw a lane's steps between two ends, the spare room shared among them.

    Args:
        pad: room at both ends that the first and the last label keep clear.
        words_below: write under the lane, not over it.
        emphasis: which sets to bring out, and what to write on the steps.
        clear: what bands that are already drawn need beside the lane.
    """
    faded = not lane.used
    canvas.add(*lane_bands(lane, ((right, y), (left, y)), False, emphasis))
    if lane.is_bare:
        line = Curve(((right, y), (left, y)), "identity", arrow=True, faded=faded)
        canvas.add(replace(line, tail=ends.tail, head=ends.head))
        return
    steps = shown_steps(lane.steps)
    clear = max(clear, room(lane.marks, emphasis, lane.flow))
    joints = ends.of_steps(len(steps))
    spare = (right - left - lane_width(lane) - 2 * pad) / len(steps)
    at, final = left, len(steps) - 1
    for i, step in enumerate(steps):
        before, behind = pad * (i == 0), pad * (i == final)
        end = at + before + step_width(step) + spare + behind
        a, b = at + DOT_RADIUS * (i > 0), end - DOT_RADIUS * (i < final)
        middle = (at + before + end - behind) / 2
        _step(canvas, step, a, b, y, joints[i], lane.weight == 0, faded)
        rise = max(13.0 if step.kind == "weight" else 9.0, 7.0 + clear)
        baseline = y + rise + 10 if words_below else y - rise
        words, ink = _step_label(step), _INK[step.kind]
        wanted = emphasis.labels not in ("value", "none") and step.label
        if wanted or step.label.startswith("…"):
            canvas.add(Label(words, middle, baseline, 12, ink, title=step.called, faded=faded))
        if step.kind == "weight":
            title = " ".join(filter(None, (step.called, step.shape)))
            style = "square" if step.counted else "square uncounted"
            square = Shape("box", middle, y, SQUARE, SQUARE, style, 1.5, title=title)
            canvas.add(replace(square, faded=faded))
        if i:
            dot = Shape("circle", at, y, 2 * DOT_RADIUS, 2 * DOT_RADIUS, "dot", faded=faded)
            canvas.add(replace(dot, key=joints[i][1]))
        at = end


def lane_bands(
    lane: Lane, points: Sequence[Point], smooth: bool, emphasis: Emphasis
) -> Iterable[Curve]:
    """Yield the bands under a lane: of its flow, and of the sets that take it."""
    yield from bands(points, smooth, lane.marks, emphasis, lane.flow)


def lane_words(lane: Lane, symbol: str, emphasis: Emphasis) -> Runs:
    """Return what formulas call a lane, and its flow where values are asked for."""
    told = emphasis.labels in ("value", "both") and lane.flow is not None
    flow = f": {signed(lane.flow)}" if told and lane.flow is not None else ""
    return (*text.math(symbol), *(text.plain(flow) if flow else ()))


def _step(
    canvas: Canvas, step: Step, left: float, right: float, y: float, ends: tuple[str, str],
    free: bool, faded: bool,
) -> None:  # fmt: skip
    """Draw the line of one step, its gradient arrow pointing left."""
    tail, head = ends
    line = Curve(
        ((right, y), (left, y)), _LINE[step.kind], arrow=True, tail=tail, head=head, faded=faded
    )
    if free and step.kind == "other":
        line = replace(line, style="identity")
    elif free:
        third = min(12.0, (right - left) / 3.6)
        canvas.add(
            Curve(((right, y), (right - third, y)), "identity", faded=faded),
            Curve(((left + third, y), (left, y)), "identity", arrow=True, faded=faded),
        )
        middle = ((right - third - 3, y), (left + third + 3, y))
        line = replace(line, points=middle, arrow=False)
    canvas.add(line)


def draw_arc(
    canvas: Canvas, lane: Lane, fork: tuple[float, float], merge: tuple[float, float],
    height: float, symbol: str, style: str | None = None, ends: Ends = LOOSE,
    angle: float = NEAR_ARC, emphasis: Emphasis = PLAIN,
) -> None:  # fmt: skip
    """Draw a lane as an arc from the merging node back to the fork; both are (x, radius).

    Args:
        angle: where on the nodes it ends, in degrees away from the axis between them.
        emphasis: which sets to bring out, and what to write on it.
    """
    sign = 1 if height > 0 else -1
    left, right = on_nodes(fork, merge, sign * angle)
    out, back = on_nodes(fork, merge, sign * (angle - _FORWARD_TURN))
    aside = 11.0 if angle == NEAR_ARC else 6.0
    reach = min(44.0, (right[0] - left[0]) / 3)
    a, b = right[0] - reach, left[0] + reach
    rise = (right, (right[0] - 3, height * 0.72), (right[0] - reach * 0.45, height), (a, height))
    fall = ((b, height), (left[0] + reach * 0.45, height), (left[0] + 3, height * 0.72), left)
    style = style or ("weight" if lane.weight else "identity")
    faded = not lane.used
    inside = height - sign * 9
    flat = (((2 * a + b) / 3, height), ((a + 2 * b) / 3, height))
    canvas.add(*lane_bands(lane, (*rise, *flat, *fall), True, emphasis))
    canvas.add(
        Curve(
            (
                out, (left[0] + aside, inside * 0.7), (left[0] + 9 + reach * 0.45, inside),
                (b, inside),
                ((2 * b + a) / 3, inside), ((b + 2 * a) / 3, inside), (a, inside),
                (right[0] - 9 - reach * 0.45, inside), (right[0] - aside, inside * 0.7), back,
            ),
            "forward", smooth=True, arrow=True, faded=faded,
        )
    )  # fmt: skip
    if lane.is_bare:
        arc = Curve((*rise, *flat, *fall), style, smooth=True, arrow=True, faded=faded)
        canvas.add(replace(arc, tail=ends.tail, head=ends.head))
    else:
        canvas.add(Curve(rise, style, smooth=True, faded=faded))
        canvas.add(Curve(fall, style, smooth=True, arrow=True, faded=faded))
        bare = replace(lane, marks=(), flow=None)
        draw_lane(
            canvas, bare, b, a, height, words_below=sign > 0, ends=ends, emphasis=emphasis,
            clear=room(lane.marks, emphasis, lane.flow),
        )  # fmt: skip
    ink = {"identity": "text identity", "weight": "text weight"}.get(style, "text quiet")
    away = (10.0 if lane.is_bare else 28.0) + room(lane.marks, emphasis, lane.flow)
    y = height - away if sign < 0 else height + away + 14
    words = lane_words(lane, symbol, emphasis)
    canvas.add(Label(words, (a + b) / 2, y, 13, ink, faded=faded))


def on_nodes(
    fork: tuple[float, float], merge: tuple[float, float], angle: float
) -> tuple[Point, Point]:
    """Return where a line ends on two nodes, ``angle`` degrees below the axis between them."""
    across, along = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return (
        (fork[0] + fork[1] * across, fork[1] * along),
        (merge[0] - merge[1] * across, merge[1] * along),
    )
