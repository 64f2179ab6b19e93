"""Tiles: what a chain is drawn with, one drawing for all blocks that look alike.

A net of 600 blocks has a handful of different ones.  Each is drawn once, with the widest
names that occur at its place, and the page copies it and writes the names in.  All tiles
stand on one axis, so that they fit together in a row: a tile reaches from the middle of the
node on its left to the middle of the one on its right.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from .. import text
from ..chains.chain import Chain
from ..chains.lanes import MOST_STEPS, PAD, draw_arc, draw_lane, lanes_width
from ..chains.parts import Block, Link
from ..chains.strip import ARC_HEIGHT, FIRST_LOW, FORWARD_GAP, LOW_GAP, SUM_RADIUS
from ..chains.symbols import MERGES, block_symbols
from ..layout import Canvas, Curve, Item, Label, Layout, Shape
from .data import Names
from .formulas import Formulas

MARGIN = 8.0

_CAPTION = 11.0, "text quiet"

Word = tuple[str, text.Runs]
"""What is written in a tile, and how figures write it."""


@dataclass(frozen=True)
class Drawn:
    """An item of a tile, the lane that it belongs to and the word that is written in it.

    ``lane`` is -1 for what stands whichever way is taken, ``word`` -1 for what is fixed.
    """

    item: Item
    lane: int = -1
    word: int = -1


@dataclass(frozen=True)
class Tile:
    """A drawing that several parts of a chain share."""

    width: float
    drawn: tuple[Drawn, ...]

    @property
    def above(self) -> float:
        """How far it reaches above its axis."""
        return max((-drawn.item.box[1] for drawn in self.drawn), default=0.0) + MARGIN

    @property
    def below(self) -> float:
        """How far it reaches below its axis."""
        return max((drawn.item.box[3] for drawn in self.drawn), default=0.0) + MARGIN


def draw_tiles(chain: Chain, names: Names, formulas: Formulas) -> tuple[Layout, dict[str, Any]]:
    """Return all tiles in one layout, and what the page needs to put a chain together.

    ``axis`` is how far below the top the axis lies.  ``tiles`` are ``[width, first item, [[lane,
    word], ...], above, below]``, the last two how far a tile reaches from the axis; ``parts``,
    from the input's side, ``[tile, [[word, formula], ...], symbols, what the block is called, its
    lanes]``, lanes as the numbers of their edges, and the scope around it; a word that is no
    formula has -1.  A block with too many lanes has none.
    """
    alike: dict[tuple[str, Hashable], list[Block | Link]] = {}
    before = ("", *(_merge(part) for part in chain.parts))
    keys = [(start, _look(part)) for start, part in zip(before, chain.parts, strict=False)]
    for key, part in zip(keys, chain.parts, strict=True):
        alike.setdefault(key, []).append(part)
    tiles = [_tile(parts, start) for (start, _), parts in alike.items()]
    place = {key: i for i, key in enumerate(alike)}
    items = [replace(drawn.item, title="") for tile in tiles for drawn in tile.drawn]
    axis = round(max((tile.above for tile in tiles), default=0.0), 1)
    low = max((tile.below for tile in tiles), default=0.0)
    layout = Layout(
        max((tile.width for tile in tiles), default=0.0), axis + low,
        tuple(item.moved(0.0, axis) for item in items), "Tiles", "Parts that the chain is made of",
    )  # fmt: skip
    starts, at = [], 0
    for tile in tiles:
        starts.append(at)
        at += len(tile.drawn)
    told = {
        "axis": axis,
        "tiles": [
            [
                round(tile.width, 1), start, [[drawn.lane, drawn.word] for drawn in tile.drawn],
                round(tile.above, 1), round(tile.below, 1),
            ]
            for tile, start in zip(tiles, starts, strict=True)
        ],
        "parts": [
            [
                place[key], _written(tiles[place[key]], part, names, formulas), _symbols(part),
                *_ways(part), names.place(_scope(chain, part)),
            ]
            for key, part in zip(keys, chain.parts, strict=True)
        ],
    }  # fmt: skip
    return layout, told


def _ways(part: Block | Link) -> tuple[str, list[list[int]]]:
    if isinstance(part, Link):
        return "", []
    return part.called, [sorted(lane.edges) for lane in part.lanes]


def _scope(chain: Chain, part: Block | Link) -> str:
    """Return the outermost scope that a part ends in."""
    return chain.paths.graph.nodes[part.ends[1]].scope.partition("/")[0]


def _symbols(part: Block | Link) -> list[str]:
    return [part.symbol] if isinstance(part, Link) else list(block_symbols(part))


def _detailed(part: Block | Link) -> bool:
    """Whether a part is a block whose lanes can be drawn step by step."""
    return (
        isinstance(part, Block) and bool(part.lanes)
        and all(len(lane.steps) <= MOST_STEPS for lane in part.lanes)
    )  # fmt: skip


def _look(part: Block | Link) -> Hashable:
    """Return what parts that are drawn alike have in common."""
    if isinstance(part, Block) and _detailed(part):
        return part.merge, tuple(
            (tuple((step.kind, step.counted) for step in lane.steps), lane.used, lane.moves)
            for lane in part.lanes
        )
    if isinstance(part, Block):
        return part.merge, len(str(part.count))
    return part.lane.weight > 0, part.lane.is_bare


def _words(part: Block | Link) -> list[Word]:
    """Return what is written in a part's tile, in the order of the words' numbers."""
    if isinstance(part, Block):
        caption = _plain(part.called)
        if not _detailed(part):
            return [_plain(f"{text.grouped(part.count)} ways"), caption]
        steps = [(step.label, text.name(step.label)) for lane in part.lanes for step in lane.steps]
        return [*steps, *map(_symbol, block_symbols(part)), caption]
    weights = part.lane.weight
    layers = text.several(weights, "weight layer")
    ops = text.clean(" · ".join(part.ops) or "copy", 22)
    return [_plain(layers if weights else ops), _symbol(part.symbol)]


def _plain(words: str) -> Word:
    return words, text.plain(words)


def _symbol(symbol: str) -> Word:
    return symbol, text.math(symbol)


def _written(tile: Tile, part: Block | Link, names: Names, formulas: Formulas) -> list[list[int]]:
    """Return the places of a part's words, and those of their formulas in the tile's labels."""
    labels = {drawn.word: drawn.item for drawn in tile.drawn if isinstance(drawn.item, Label)}
    return [
        [names.place(text.clean(word)), formulas.place(replace(labels[i], runs=runs))]
        for i, (word, runs) in enumerate(_words(part))
    ]


def _widest(words: Iterable[Word]) -> str:
    return max(words, key=lambda word: text.width(word[1], 12))[0]


def _merge(part: Block | Link) -> str:
    """Return the operation that a part ends in, where its ways meet."""
    return part.merge if isinstance(part, Block) else ""


def _tile(parts: list[Block | Link], start: str) -> Tile:
    """Draw parts that look alike, behind others that end in the operation ``start``."""
    first = parts[0]
    words = [_widest(column) for column in zip(*map(_words, parts), strict=True)]
    if isinstance(first, Block) and _detailed(first):
        return _lanes(first, words, start)
    if isinstance(first, Block):
        return _box(words, ("identity", "weight"), first.merge, start)
    return _box(words, ("weight" if first.lane.weight else "identity",), "", start)


def _lanes(block: Block, words: list[str], start: str) -> Tile:
    """Draw a block whose lanes carry the given words."""
    lanes, numbers, given = [], [], iter(enumerate(words))
    for lane in block.lanes:
        own = [(next(given), step) for step in lane.steps]
        numbers.append([number for (number, _), _ in own])
        steps = tuple(replace(step, label=word) for (_, word), step in own)
        lanes.append(replace(lane, steps=steps))
    symbols = [next(given) for _ in lanes]
    inner = max(
        lanes_width(lanes),
        *(text.width(text.math(symbol), 13) + 60 for _, symbol in symbols),
    )  # fmt: skip
    r, main = SUM_RADIUS, len(lanes) - 1
    right = r + inner + r
    drawn = [*_start(start), *_forward(r, right - r)]
    for i, (lane, (number, symbol)) in enumerate(zip(lanes, symbols, strict=True)):
        canvas = Canvas()
        if i == main:
            draw_lane(canvas, lane, r, right - r, 0.0, PAD)
            canvas.add(Label(text.math(symbol), right / 2, FORWARD_GAP + 21, 13))
        else:
            height = FIRST_LOW + (i - 1) * LOW_GAP if i else -ARC_HEIGHT
            draw_arc(canvas, lane, (0.0, r), (right, r), height, symbol)
        drawn += _told(canvas.items, i, [*numbers[i], number])
    drawn += _node(right, block.merge)
    below = max((entry.item.box[3] for entry in drawn), default=0.0)
    number, word = next(given)
    caption = Label(text.plain(word), right / 2, below + 18, *_CAPTION)
    return Tile(right, (*drawn, Drawn(caption, -1, number)))


def _told(items: list[Item], lane: int, words: list[int]) -> list[Drawn]:
    """Give the labels of a lane, in their order, the words that they show."""
    given = iter(words)
    return [Drawn(item, lane, next(given, -1) if isinstance(item, Label) else -1) for item in items]


def _box(words: list[str], styles: tuple[str, ...], merge: str, start: str) -> Tile:
    """Draw a part as a box on the axis; of several styles of its wires the page shows one.

    What is below it is the number of a block that is not drawn in detail, or a link's symbol.
    """
    look = _CAPTION if len(styles) > 1 else (13.0, "text")
    inside, below = text.plain(words[0]), text.math(words[1])
    wide = max(text.width(inside, 12), text.width(below, 13), 50.0) + 22
    r, wire = SUM_RADIUS, 26.0
    right = 2 * r + 2 * wire + wide
    middle = right / 2
    wires = ((right - r, middle + wide / 2), (middle - wide / 2, r))
    drawn = [
        Drawn(Curve(((a, 0.0), (b, 0.0)), style, arrow=True), lane if len(styles) > 1 else -1)
        for lane, style in enumerate(styles)
        for a, b in wires
    ]
    drawn += [
        Drawn(Shape("box", middle, 0.0, wide, 38, "stage", 8)),
        Drawn(Label(inside, middle, 4.5, 12), -1, 0),
        Drawn(Label(below, middle, 42, *look), -1, 1),
    ]
    nodes = (*_start(start), *_forward(r, right - r), *_node(right, merge))
    return Tile(right, (*nodes, *drawn))


def _forward(left: float, right: float) -> tuple[Drawn, ...]:
    points = ((left, FORWARD_GAP), (right, FORWARD_GAP))
    return (Drawn(Curve(points, "forward", arrow=True)),)


def _start(merge: str) -> tuple[Drawn, ...]:
    """Draw the node at the start of a tile, as the one before it ends: without its name."""
    return _node(0.0, merge)[:2]


def _node(x: float, merge: str) -> tuple[Drawn, ...]:
    """Draw the node at the end of a tile; where ways meet in no sum it says in what."""
    size = 2 * SUM_RADIUS
    circle = Drawn(Shape("circle", x, 0.0, size, size, "value", sign="+" if merge == "add" else ""))
    if merge in ("", "add"):
        return (circle,)
    sign, _ = MERGES.get(merge, ("•", ""))
    below = Label(text.name(merge), x, size + 16, 10.5, "text quiet", "end")
    return circle, Drawn(Label(text.plain(sign), x, 4.5, 13)), Drawn(below)
