"""The strip: a chain of blocks and links on one axis, left to right.

A block's branch lies on the axis and its shortcut is an arc above it; further ways hang
below.  Each coloured line is the gradient's own arrow and points left, because what
stands on it is a local derivative; a faint grey arrow beside it is the forward pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .. import text
from ..bands import room
from ..highlight import Emphasis
from ..layout import Canvas, Curve, Label, Shape
from ..text import Runs
from .chain import Chain
from .fold import Collapsed
from .lanes import (
    DOT_RADIUS,
    FAR_ARC,
    NEAR_ARC,
    PAD,
    Ends,
    draw_arc,
    draw_lane,
    lane_bands,
    lane_width,
    lane_words,
    lanes_width,
    on_nodes,
)  # fmt: skip
from .narrow import Stop
from .parts import Block, Lane, Link
from .symbols import MERGES, block_symbols

VALUE_RADIUS, SUM_RADIUS = 14.0, 11.0
ARC_HEIGHT, FIRST_LOW, LOW_GAP = 66.0, 84.0, 78.0
FORWARD_GAP = 15.0
"""How far below the axis its forward pass runs."""
_FORWARD_ANGLE, _SLOPE = 20.0, 9.0
_MERGE_LETTERS, _MERGE_ASIDE = 14, 14.0
_BESIDE_ARCS = 5.0
"""How far outwards from the first value's middle its name ends where arcs arrive from below."""


Part = Block | Link | Collapsed


def draw_strip(canvas: Canvas, chain: Chain, parts: tuple[Part, ...]) -> list[Stop]:
    """Draw the chain from ``x = 0`` on, its axis at ``y = 0``; return where its values stand."""
    named = chain.input.name or "x"
    arcs = any(isinstance(part, Block) and len(part.lanes) > 2 for part in parts[:1])
    edge = -_BESIDE_ARCS if arcs else VALUE_RADIUS
    _end(canvas, 0.0, named, "input", chain.input.name or "", edge)
    stops = [Stop(0.0, VALUE_RADIUS, 0, len(canvas.items))]
    x, radius, key = 0.0, VALUE_RADIUS, "input"
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        here = f"part {i}"
        after = VALUE_RADIUS if last else SUM_RADIUS
        if isinstance(part, Link):
            after = VALUE_RADIUS if last else DOT_RADIUS + 1.6
            ends = Ends("output value" if last else here, key)
            right = _link(canvas, part, chain, x, radius, after, ends, last)
        elif isinstance(part, Collapsed):
            right = _collapsed(canvas, part, x, radius, after, Ends(here, key), chain.emphasis)
        else:
            right = _block(canvas, part, x, radius, after, Ends(here, key), chain.emphasis)
        first = len(canvas.items)
        if not isinstance(part, Link):
            _sum(canvas, part, right, here, SUM_RADIUS if last else after)
        elif not last:
            canvas.add(Shape("circle", right, 0.0, 2 * after, 2 * after, "value", key=here))
        if last and not isinstance(part, Link):
            stops.append(Stop(right, SUM_RADIUS, first, len(canvas.items)))
            x = right
            right += SUM_RADIUS + 44
            ends = Ends("output value", here)
            lane = Lane((), (), marks=chain.emphasis.taken_by(()))
            nodes = (x, SUM_RADIUS), (right, VALUE_RADIUS)
            _wire(canvas, *nodes, "identity", chain.letters["g"], ends, lane, chain)
            first = len(canvas.items)
        if last:
            named = chain.output.name or ("L" if chain.output.shape == () else "y")
            title = chain.output.name or chain.output.op
            _end(canvas, right, named, "output value", title, VALUE_RADIUS)
        stops.append(Stop(right, after, first, len(canvas.items)))
        x, radius, key = right, after, here
    return stops


def _end(canvas: Canvas, x: float, name: str, key: str, title: str, edge: float) -> None:
    """Draw the value at one end of the chain, its name inside where it fits.

    Otherwise it stands below, and outwards from ``edge``, which is measured inwards from the middle.
    """
    r = VALUE_RADIUS
    canvas.add(Shape("circle", x, 0.0, 2 * r, 2 * r, "value", key=key, title=title))
    runs = text.name(name)
    if text.width(runs, 13) < 1.7 * r:
        canvas.add(Label(runs, x, 4.5, 13, title=title))
    elif key == "input":
        canvas.add(Label(runs, x + edge, r + 18, 13, anchor="end", title=title))
    else:
        canvas.add(Label(runs, x - edge, r + 18, 13, anchor="start", title=title))


def _sum(canvas: Canvas, part: Block | Collapsed, x: float, key: str, radius: float) -> None:
    """Draw the node where a block's ways meet."""
    block = part.segments[-1] if isinstance(part, Collapsed) else part
    merge = block.merge
    if merge == "add":
        canvas.add(Shape("circle", x, 0.0, 2 * radius, 2 * radius, "value", sign="+", key=key))
        return
    canvas.add(Shape("circle", x, 0.0, 2 * radius, 2 * radius, "value", key=key, title=merge))
    sign, _ = MERGES.get(merge, ("•", ""))
    canvas.add(Label(text.plain(sign), x, 4.5, 13, title=merge))
    word = _merge_word(block) if merge not in MERGES and not isinstance(part, Collapsed) else None
    if word is not None:
        canvas.add(word.moved(x - radius - _MERGE_ASIDE, FORWARD_GAP + 19))


def _merge_word(block: Block) -> Label:
    """Return what is written beside the node where ways meet other than in a sum."""
    word = block.merge or block.name
    runs = text.name(word, _MERGE_LETTERS)
    return Label(runs, 0.0, 0.0, 10.5, "text quiet", "end", title=word)


def _block(
    canvas: Canvas, block: Block, x: float, radius: float, after: float, ends: Ends,
    emphasis: Emphasis,
) -> float:  # fmt: skip
    """Draw a block from the node at ``x`` on; return where its ways meet."""
    if not block.lanes:
        return _crowded(canvas, block, x, radius, after, ends, emphasis)
    symbols = block_symbols(block)
    inner = lanes_width(block.lanes)
    left, right = x + radius, x + radius + inner
    centre = right + after
    main = len(block.lanes) - 1
    lanes = [replace(ends, name=symbol) for symbol in symbols]
    draw_lane(canvas, block.lanes[main], left, right, 0.0, PAD, ends=lanes[main], emphasis=emphasis)
    fork, merge = (x, radius), (centre, after)
    _forward(canvas, fork, merge, faded=not block.lanes[main].used)
    draw_arc(
        canvas, block.lanes[0], fork, merge, -ARC_HEIGHT, symbols[0], ends=lanes[0],
        emphasis=emphasis,
    )  # fmt: skip
    inset = 4.0 if main < 2 else 44.0
    known = block.merge == "add" or block.merge in MERGES
    word = 0.0 if known else _merge_word(block).width + _MERGE_ASIDE + 8
    faded = not block.lanes[main].used
    words = lane_words(block.lanes[main], symbols[main], emphasis)
    _bracket(canvas, left + inset, right - max(inset, word), FORWARD_GAP + 14, words, faded)
    for i in range(1, main):
        low = FIRST_LOW + (i - 1) * LOW_GAP
        angle = NEAR_ARC if i == 1 else FAR_ARC
        draw_arc(
            canvas, block.lanes[i], fork, merge, low, symbols[i], ends=lanes[i], angle=angle,
            emphasis=emphasis,
        )  # fmt: skip
    return centre


def _crowded(
    canvas: Canvas, block: Block, x: float, radius: float, after: float, ends: Ends,
    emphasis: Emphasis,
) -> float:  # fmt: skip
    """Draw a block with too many ways as a box that says how many."""
    degrees = sorted(block.by_weight)
    ways = f"{text.grouped(block.count)} ways in all"
    layers = f"{degrees[0]}–{degrees[-1]} weight layers"
    return _boxed(
        canvas, x, radius, after, ends, ways, layers, [f"block {block.number}"], double=False,
        free=block.weight_free > 0,
        arc=f"{text.grouped(block.weight_free)} of them weight-free" if block.weight_free else "",
        axis=_standing(block.layer_marks, emphasis), over=_standing(block.free_marks, emphasis),
        emphasis=emphasis,
    )  # fmt: skip


def _collapsed(
    canvas: Canvas, part: Collapsed, x: float, radius: float, after: float, ends: Ends,
    emphasis: Emphasis,
) -> float:  # fmt: skip
    return _boxed(
        canvas, x, radius, after, ends, part.title, part.line, part.below, double=True,
        free=not part.fewest, arc=part.over, emphasis=emphasis,
        axis=_standing({k for block in part.segments for k in _beside(block)}, emphasis),
        over=_standing(set.intersection(*map(_above, part.segments)), emphasis),
    )  # fmt: skip


def _standing(marks: Iterable[int], emphasis: Emphasis) -> Lane:
    """Return a lane that stands for several ways, and the sets that take one of them."""
    found = tuple(sorted(marks))
    return Lane((), (), bool(found) or not emphasis.fades, marks=found)


def _above(block: Block) -> set[int]:
    """Return which sets take what a fold's arc stands for: a block's weight-free ways, or its first."""
    ways = block.free_marks if block.weight_free else block.lanes[0].marks if block.lanes else ()
    return set(ways)


def _beside(block: Block) -> set[int]:
    """Return which sets take what a fold's box stands for: the block's other ways."""
    if block.weight_free or not block.lanes:
        return set(block.layer_marks)
    return {k for lane in block.lanes[1:] for k in lane.marks}


def _boxed(
    canvas: Canvas, x: float, radius: float, after: float, ends: Ends, title: str, line: str,
    below: Sequence[str], *, double: bool, free: bool, arc: str, axis: Lane, over: Lane, emphasis: Emphasis,
) -> float:  # fmt: skip
    """Draw a box on the axis with an arc over it; return where the next node stands."""
    title_runs, runs = text.plain(title), text.plain(line)
    narrow = canvas.page.narrow
    wide = max(text.width(title_runs, 14, True), text.width(runs, 11), 40 if narrow else 92)
    wide += 16 if narrow else 26
    wire = 20.0 if narrow else 30.0
    beneath = [text.plain(words) for words in below]
    wide = max(wide, *(text.width(words, 11.5) - 2 * wire + 8 for words in beneath), 0.0)
    left = x + radius
    right = left + wide + 2 * wire
    centre = right + after
    middle = (left + right) / 2
    side = wide / 2 + 5 * double
    key, style = f"{ends.tail} box", "repeated" if double else "stage"
    for a, b, tail, head in (
        (right, middle + wide / 2 + 5, ends.tail, key), (middle - wide / 2 - 5, left, key, ends.head)
    ):  # fmt: skip
        canvas.add(*lane_bands(axis, ((a, 0.0), (b, 0.0)), False, emphasis))
        arrow = Curve(((a, 0.0), (b, 0.0)), "weight", arrow=True, tail=tail, head=head)
        canvas.add(replace(arrow, faded=not axis.used))
    canvas.add(
        Shape("box", middle, 0.0, wide, 46, style, 7, double=double, key=key),
        Label(title_runs, middle, -3, 14, "text title"),
        Label(runs, middle, 14, 11, "text quiet"),
    )
    _forward(canvas, (x, radius), (middle - side, 0.0))
    _forward(canvas, (middle + side, 0.0), (centre, after))
    if arc:
        style = "identity" if free else "weight"
        fork, merge = (x, radius), (centre, after)
        draw_arc(canvas, over, fork, merge, -ARC_HEIGHT, arc, style, ends, emphasis=emphasis)
    for i, words in enumerate(beneath):
        canvas.add(Label(words, middle, 50 + 16 * i, 11.5, "text quiet"))
    return centre


def _forward(
    canvas: Canvas, start: tuple[float, float], end: tuple[float, float], faded: bool = False
) -> None:
    """Draw the forward pass along a stretch of the axis, from one node to the next.

    Args:
        start, end: nodes as (x, radius); a radius of 0 stands for the side of a box.
    """
    (x0, y0), (x1, y1) = on_nodes(start, end, _FORWARD_ANGLE)
    points = [(x0, y0 if start[1] else FORWARD_GAP), (x1, y1 if end[1] else FORWARD_GAP)]
    slope = min(_SLOPE, (x1 - x0) / 3)
    if start[1]:
        points.insert(1, (x0 + slope, FORWARD_GAP))
    if end[1]:
        points.insert(-1, (x1 - slope, FORWARD_GAP))
    canvas.add(Curve(tuple(points), "forward", arrow=True, faded=faded))


def _bracket(
    canvas: Canvas, left: float, right: float, y: float, words: Runs, faded: bool = False
) -> None:
    """Draw a bracket under a stretch and what formulas call it."""
    canvas.add(
        Curve(((left, y - 4), (left, y), (right, y), (right, y - 4)), "rule", faded=faded),
        Label(words, (left + right) / 2, y + 17, 13, faded=faded),
    )


def _wire(
    canvas: Canvas, start: tuple[float, float], end: tuple[float, float], style: str, symbol: str,
    ends: Ends, lane: Lane, chain: Chain,
) -> None:  # fmt: skip
    """Draw a straight stretch between two nodes, (x, radius), or the sides of boxes, (x, 0)."""
    left, right = start[0] + start[1], end[0] - end[1]
    canvas.add(*lane_bands(lane, ((right, 0.0), (left, 0.0)), False, chain.emphasis))
    _forward(canvas, start, end)
    line = Curve(((right, 0.0), (left, 0.0)), style, arrow=True)
    canvas.add(replace(line, tail=ends.tail, head=ends.head))
    if symbol:
        clear = room(lane.marks, chain.emphasis, lane.flow)
        canvas.add(Label(text.math(symbol), (left + right) / 2, -10 - clear, 13))


def _link(
    canvas: Canvas, link: Link, chain: Chain, x: float, radius: float, after: float, ends: Ends,
    last: bool,
) -> float:  # fmt: skip
    """Draw a link from the node at ``x`` on; return where the next node stands."""
    first = ends.head == "input"
    inline = not chain.blocks or (not first and not last and link.lane.weight == 0)
    left = x + radius
    if inline and link.lane.steps:
        right = left + max(lane_width(link.lane), 60.0)
        draw_lane(canvas, link.lane, left, right, 0.0, ends=ends, emphasis=chain.emphasis)
        _forward(canvas, (x, radius), (right + after, after))
        if link.symbol and chain.blocks:
            _bracket(canvas, left + 4, right - 4, FORWARD_GAP + 14, text.math(link.symbol))
        return right + after
    style = "weight" if link.lane.weight else "identity"
    if inline or not link.ops:
        right = left + 44
        symbol = chain.letters["g"] if last and chain.blocks else ""
        nodes = (x, radius), (right + after, after)
        _wire(canvas, *nodes, style, symbol, ends, link.lane, chain)
        return right + after
    title, line = _stage_texts(link, first, last)
    narrow = canvas.page.narrow
    wide = max(text.width(title, 13), text.width(line, 10.5)) + (14 if narrow else 24)
    wire = 18.0 if narrow else 34.0
    middle = left + wire + wide / 2
    right = left + 2 * wire + wide
    key = f"{ends.tail} box"
    arriving = chain.letters["g"] if last and chain.blocks else ""
    into, out = replace(ends, head=key), replace(ends, tail=key)
    sides = (middle - wide / 2, 0.0), (middle + wide / 2, 0.0)
    _wire(canvas, sides[1], (right + after, after), style, "", into, link.lane, chain)
    _wire(canvas, (x, radius), sides[0], style, arriving, out, link.lane, chain)
    high = 44.0 if line else 38.0
    ops = " · ".join(link.ops)[:200]
    canvas.add(
        Shape("box", middle, 0.0, wide, high, "stage", 8, key=key, title=ops),
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
        return text.name(text.kept_whole(link.ops, " · ", 22)), ()
    title = "stem" if first else "classifier" if last else "transition"
    return text.plain(title), text.plain(text.several(weights, "weight layer"))
