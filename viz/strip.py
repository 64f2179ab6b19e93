"""The strip: a chain of blocks and links on one axis, left to right.

A block's branch lies on the axis and its shortcut is an arc above it; further ways hang
below.  Each coloured line is the gradient's own arrow and points left, because what
stands on it is a local derivative; a faint grey arrow beside it is the forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import text
from .chain import Block, Chain, Lane, Link, Step
from .layout import Canvas, Curve, Label, Point, Shape
from .text import Runs

VALUE_RADIUS, SUM_RADIUS, DOT_RADIUS = 14.0, 11.0, 2.4
SQUARE = 11.0
ARC_HEIGHT, LANE_GAP = 66.0, 48.0
FORWARD_GAP = 15.0
MOST_STEPS = 14
_DIAGONAL = 0.7071


@dataclass(frozen=True)
class Collapsed:
    """Blocks that are drawn as one box, and the links between them."""

    blocks: tuple[Block, ...]


Part = Block | Link | Collapsed


def draw_strip(canvas: Canvas, chain: Chain, parts: tuple[Part, ...]) -> None:
    """Draw the chain from ``x = 0`` on, its axis at ``y = 0``."""
    x = _end(canvas, 0.0, chain.input.name or "x", "input", chain.input.name or "")
    radius = VALUE_RADIUS
    key = "input"
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        here = f"part {i}"
        after = VALUE_RADIUS if last else SUM_RADIUS
        if isinstance(part, Link):
            after = VALUE_RADIUS if last else DOT_RADIUS + 1.6
            right = _link(canvas, part, chain, x, radius, after, key, last)
        elif isinstance(part, Collapsed):
            right = _collapsed(canvas, part, x, radius, after)
        else:
            right = _block(canvas, part, x, radius, after)
        if last:
            named = chain.output.name or ("L" if chain.output.shape == () else "y")
            if not isinstance(part, Link):
                _sum(canvas, part, right, "output", SUM_RADIUS)
                x, radius = right, SUM_RADIUS
                right += SUM_RADIUS + 44
                _wire(canvas, right - VALUE_RADIUS, x + radius, 0.0, _free(chain), "g")
            _end(canvas, right, named, "output value", chain.output.name or chain.output.op)
        elif isinstance(part, Link):
            canvas.add(Shape("circle", right, 0.0, 2 * after, 2 * after, "value", key=here))
        else:
            _sum(canvas, part, right, here, after)
        x, radius, key = right, after, here


def block_symbols(block: Block) -> tuple[str, ...]:
    """Return what formulas call the ways through a block, in the order of its lanes."""
    several = len(block.lanes) > 2
    found = []
    for i, lane in enumerate(block.lanes):
        if lane.is_identity:
            found.append("I")
        elif several:
            found.append(f"J_{{{block.number},{i + 1}}}")
        else:
            found.append(f"{'JP'[i == 0]}_{{{block.number}}}")
    return tuple(found)


def _free(chain: Chain) -> str:
    return "identity" if chain.weight_free else "plain"


def _end(canvas: Canvas, x: float, name: str, key: str, title: str) -> float:
    """Draw the value at one end of the chain, its name inside where it fits."""
    r = VALUE_RADIUS
    canvas.add(Shape("circle", x, 0.0, 2 * r, 2 * r, "value", key=key, title=title))
    runs = text.name(name)
    inside = text.width(runs, 13) < 1.7 * r
    canvas.add(Label(runs, x, 4.5 if inside else r + 17, 13, title=title))
    return x


def _sum(canvas: Canvas, part: Part, x: float, key: str, radius: float) -> None:
    """Draw the node where a block's ways meet."""
    merge = part.merge if isinstance(part, Block) else "add"
    if merge == "add":
        canvas.add(Shape("circle", x, 0.0, 2 * radius, 2 * radius, "value", sign="+", key=key))
        return
    canvas.add(Shape("circle", x, 0.0, 2 * radius, 2 * radius, "value", key=key, title=merge))
    sign = {"multiply": "×", "concat": "‖", "subtract": "−"}.get(merge, "")
    canvas.add(Label(text.plain(sign or "•"), x, 4.5, 13, title=merge))
    canvas.add(Label(text.name(merge), x, radius + 38, 10.5, "text quiet"))


def _block(canvas: Canvas, block: Block, x: float, radius: float, after: float) -> float:
    """Draw a block from the node at ``x`` on; return where its ways meet."""
    if not block.lanes:
        return _crowded(canvas, block, x, radius, after)
    symbols = block_symbols(block)
    inner = max(
        *(lane_width(lane) for lane in block.lanes[1:]), lane_width(block.lanes[0]) + 76, 120.0
    )
    left, right = x + radius, x + radius + inner
    centre = right + after
    main = len(block.lanes) - 1
    _lane(canvas, block.lanes[main], left, right, 0.0)
    _forward(canvas, ((left, FORWARD_GAP), (right, FORWARD_GAP)), block.lanes[main])
    _arc(canvas, block.lanes[0], (x, radius), (centre, after), -ARC_HEIGHT, symbols[0])
    lowest = FORWARD_GAP
    for i in range(1, main):
        lowest = (i + 0.45) * LANE_GAP
        _arc(canvas, block.lanes[i], (x, radius), (centre, after), lowest, symbols[i])
    _bracket(canvas, left + 4, right - 4, lowest + 14, symbols[main])
    return centre


def _crowded(canvas: Canvas, block: Block, x: float, radius: float, after: float) -> float:
    """Draw a block with too many ways as a box that says how many."""
    degrees = sorted(block.by_weight)
    ways = f"{text.grouped(block.count)} ways"
    layers = f"{degrees[0]}–{degrees[-1]} weight layers"
    return _boxed(
        canvas, x, radius, after, ways, layers, f"block {block.number}", double=False,
        free=block.weight_free > 0,
        arc=f"{text.grouped(block.weight_free)} weight-free" if block.weight_free else "",
    )  # fmt: skip


def _collapsed(canvas: Canvas, part: Collapsed, x: float, radius: float, after: float) -> float:
    first, last = part.blocks[0].number, part.blocks[-1].number
    free = sum(block.weight_free > 0 for block in part.blocks)
    n = len(part.blocks)
    arc = "I" if free == n else f"{free} of {n} with a weight-free shortcut"
    return _boxed(
        canvas, x, radius, after, f"× {n}", f"blocks {first} … {last}", "",
        double=True, free=free == n, arc=arc,
    )  # fmt: skip


def _boxed(
    canvas: Canvas, x: float, radius: float, after: float, title: str, line: str, below: str,
    *, double: bool, free: bool, arc: str,
) -> float:  # fmt: skip
    """Draw a box on the axis with an arc over it; return where the next node stands."""
    title_runs, runs = text.plain(title), text.plain(line)
    wide = max(text.width(title_runs, 14, True), text.width(runs, 11), 92) + 26
    wire = 30.0
    left = x + radius
    right = left + wide + 2 * wire
    centre = right + after
    middle = (left + right) / 2
    _weight_line(canvas, right, middle + wide / 2 + 5, 0.0)
    _weight_line(canvas, middle - wide / 2 - 5, left, 0.0)
    canvas.add(
        Shape("box", middle, 0.0, wide, 46, "repeated" if double else "stage", 7, double=double),
        Label(title_runs, middle, -3, 14, "text title"),
        Label(runs, middle, 14, 11, "text quiet"),
        Curve(((left, 37), (right, 37)), "forward", arrow=True),
    )
    if arc:
        lane = Lane((), ()) if free else Lane((Step("other", ""),), ())
        _arc(canvas, lane, (x, radius), (centre, after), -ARC_HEIGHT, arc)
    if below:
        canvas.add(Label(text.plain(below), middle, 58, 11.5, "text quiet"))
    return centre


def lane_width(lane: Lane) -> float:
    """Return the room that a lane's steps need side by side."""
    return sum(map(_step_width, _shown(lane.steps)))


def _shown(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps to draw: all of them, or the ends with the rest as one."""
    if len(steps) <= MOST_STEPS:
        return steps
    kept = MOST_STEPS // 2 - 1
    hidden = steps[kept:-kept]
    weights = sum(step.kind == "weight" for step in hidden)
    label = f"{weights} more weight layers" if weights else f"{len(hidden)} more steps"
    kind = "weight" if weights else "other"
    return (*steps[:kept], Step(kind, f"… {label} …"), *steps[-kept:])


def _step_label(step: Step) -> Runs:
    return text.plain(step.label) if step.label.startswith("…") else text.name(step.label)


def _step_width(step: Step) -> float:
    least = {"weight": 60.0, "activation": 48.0, "other": 48.0}[step.kind]
    return max(least, text.width(_step_label(step), 12) + 16)


def _lane(canvas: Canvas, lane: Lane, left: float, right: float, y: float) -> None:
    """Draw a lane's steps between two ends, the spare room shared among them."""
    faded = not lane.used
    if lane.is_identity:
        canvas.add(Curve(((right, y), (left, y)), "identity", arrow=True, faded=faded))
        return
    steps = _shown(lane.steps)
    spare = (right - left - lane_width(lane)) / len(steps)
    at = left
    for i, step in enumerate(steps):
        end = at + _step_width(step) + spare
        a, b = at + (DOT_RADIUS if i else 0), end - (DOT_RADIUS if i < len(steps) - 1 else 0)
        _step(canvas, step, a, b, y, lane.weight == 0, faded)
        if i:
            canvas.add(
                Shape("circle", at, y, 2 * DOT_RADIUS, 2 * DOT_RADIUS, "dot", faded=faded)
            )
        at = end


def _step(
    canvas: Canvas, step: Step, left: float, right: float, y: float, free: bool, faded: bool
) -> None:
    """Draw one step, its gradient arrow pointing left."""
    middle = (left + right) / 2
    style = {"weight": "weight", "activation": "activation", "other": "plain"}[step.kind]
    if free:
        third = min(12.0, (right - left) / 3.6)
        canvas.add(
            Curve(((right, y), (right - third, y)), "identity", faded=faded),
            Curve(((right - third - 3, y), (left + third + 3, y)), style, faded=faded),
            Curve(((left + third, y), (left, y)), "identity", arrow=True, faded=faded),
        )
    else:
        canvas.add(Curve(((right, y), (left, y)), style, arrow=True, faded=faded))
    up = 9.0
    if step.kind == "weight":
        up = 13.0
        title = " ".join(filter(None, (step.label, step.shape)))
        canvas.add(Shape("box", middle, y, SQUARE, SQUARE, "square", 1.5, title=title, faded=faded))
    if step.label:
        ink = {"weight": "text weight", "activation": "text activation", "other": "text quiet"}
        canvas.add(
            Label(_step_label(step), middle, y - up, 12, ink[step.kind], title=step.label, faded=faded)
        )


def _weight_line(canvas: Canvas, right: float, left: float, y: float) -> None:
    canvas.add(Curve(((right, y), (left, y)), "weight", arrow=True))


def _arc(
    canvas: Canvas, lane: Lane, fork: tuple[float, float], merge: tuple[float, float],
    height: float, symbol: str,
) -> None:  # fmt: skip
    """Draw a lane as an arc from the merging node back to the fork; both are (x, radius)."""
    sign = 1 if height > 0 else -1
    left = (fork[0] + fork[1] * _DIAGONAL, sign * fork[1] * _DIAGONAL)
    right = (merge[0] - merge[1] * _DIAGONAL, sign * merge[1] * _DIAGONAL)
    reach = min(44.0, (right[0] - left[0]) / 3)
    a, b = right[0] - reach, left[0] + reach
    rise = (right, (right[0] - 3, height * 0.72), (right[0] - reach * 0.45, height), (a, height))
    fall = ((b, height), (left[0] + reach * 0.45, height), (left[0] + 3, height * 0.72), left)
    style = "identity" if lane.weight == 0 else "weight"
    if lane.steps and lane.steps[0].kind == "other" and not lane.steps[0].label:
        style = "plain"
    faded = not lane.used
    if lane.is_identity or style == "plain":
        flat = (((2 * a + b) / 3, height), ((a + 2 * b) / 3, height))
        points = (*rise, *flat, *fall)
        canvas.add(Curve(points, style, smooth=True, arrow=True, faded=faded))
    else:
        canvas.add(Curve(rise, style, smooth=True, faded=faded))
        canvas.add(Curve(fall, style, smooth=True, arrow=True, faded=faded))
        _lane(canvas, lane, b, a, height)
    inside = height - sign * 9
    canvas.add(
        Curve(
            (
                (left[0] + 9, left[1] + sign * 5),
                (left[0] + 11, inside * 0.7), (left[0] + 9 + reach * 0.45, inside), (b, inside),
                ((2 * b + a) / 3, inside), ((b + 2 * a) / 3, inside), (a, inside),
                (right[0] - 9 - reach * 0.45, inside), (right[0] - 11, inside * 0.7),
                (right[0] - 9, right[1] + sign * 5),
            ),
            "forward", smooth=True, arrow=True, faded=faded,
        )
    )  # fmt: skip
    ink = {"identity": "text identity", "weight": "text weight"}.get(style, "text quiet")
    away = 10.0 + (18.0 if lane.steps and style != "plain" else 0.0)
    y = height - away if sign < 0 else height + away + 9
    canvas.add(Label(text.math(symbol), (a + b) / 2, y, 13, ink, faded=faded))


def _forward(canvas: Canvas, points: tuple[Point, ...], lane: Lane) -> None:
    canvas.add(Curve(points, "forward", arrow=True, faded=not lane.used))


def _bracket(canvas: Canvas, left: float, right: float, y: float, symbol: str) -> None:
    """Draw a bracket under a stretch and what formulas call it."""
    canvas.add(
        Curve(((left, y - 4), (left, y), (right, y), (right, y - 4)), "rule"),
        Label(text.math(symbol), (left + right) / 2, y + 17, 13),
    )


def _wire(canvas: Canvas, right: float, left: float, y: float, style: str, symbol: str) -> None:
    canvas.add(
        Curve(((right, y), (left, y)), style, arrow=True),
        Curve(((left, y + FORWARD_GAP), (right, y + FORWARD_GAP)), "forward", arrow=True),
    )
    if symbol:
        canvas.add(Label(text.math(symbol), (left + right) / 2, y - 10, 13))


def _link(
    canvas: Canvas, link: Link, chain: Chain, x: float, radius: float, after: float, key: str,
    last: bool,
) -> float:  # fmt: skip
    """Draw a link from the node at ``x`` on; return where the next node stands."""
    first = key == "input"
    inline = not chain.blocks or (not first and not last and link.lane.weight == 0)
    left = x + radius
    if inline and link.lane.steps:
        right = left + max(lane_width(link.lane), 60.0)
        _lane(canvas, link.lane, left, right, 0.0)
        _forward(canvas, ((left, FORWARD_GAP), (right, FORWARD_GAP)), link.lane)
        if link.symbol and chain.blocks:
            _bracket(canvas, left + 4, right - 4, FORWARD_GAP + 14, link.symbol)
        return right + after
    style = "weight" if link.lane.weight else _free(chain)
    if inline or not link.ops:
        right = left + 44
        _wire(canvas, right, left, 0.0, style, "g" if last and chain.blocks else "")
        return right + after
    title, line = _stage_texts(link, first, last)
    wide = max(text.width(title, 13), text.width(line, 10.5)) + 24
    wire = 34.0
    middle = left + wire + wide / 2
    right = left + 2 * wire + wide
    _wire(canvas, right, middle + wide / 2, 0.0, style, "")
    _wire(canvas, middle - wide / 2, left, 0.0, style, "g" if last and chain.blocks else "")
    high = 44.0 if line else 32.0
    canvas.add(
        Shape("box", middle, 0.0, wide, high, "stage", 8, title=" · ".join(link.ops)[:200]),
        Label(title, middle, -3 if line else 4.5, 13),
    )
    if line:
        canvas.add(Label(line, middle, 13, 10.5, "text quiet"))
    if link.symbol:
        canvas.add(Label(text.math(link.symbol), middle, high / 2 + 18, 13))
    return right + after


def _stage_texts(link: Link, first: bool, last: bool) -> tuple[Runs, Runs]:
    """Return what stands in a stage's box."""
    weights = link.lane.weight
    if not weights:
        return text.name(" · ".join(link.ops), 22), ()
    title = "stem" if first else "classifier" if last else "transition"
    return text.plain(title), text.plain(f"{weights} weight layer{'s' * (weights > 1)}")
