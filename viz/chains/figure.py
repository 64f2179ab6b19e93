"""The figure of a chain: the net and its paths side by side.

Up to five blocks are drawn one by one; of a deeper chain the inner blocks are collapsed.
Below stands the unravelled view, with one row for each path, or where these are more than
sixteen, histograms of exact counts and exact gradient norms.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from tinygrad_res.errors import GradientError, GraphError
from tinygrad_res.graph_parts import GraphNode

from .. import text
from ..bands import lower_bands, mark_entries, sign_bands
from ..headline import draw_count
from ..layout import Canvas, Label, Layout
from ..legend import OFF_SETS, Entry, draw_legend
from ..norms import norms_by
from ..page import WHOLE, Page
from ..widths import flow_entries, meaning
from .chain import Chain
from .fold import Collapsed
from .histogram import draw_histogram, of_counts, of_norms
from .narrow import break_lines, in_pieces, unnamed
from .parts import Block, Lane, Link
from .strip import VALUE_RADIUS, Part, draw_strip
from .symbols import symbols_used
from .unravelled import MOST_ROWS, draw_product, draw_rows

MOST_BLOCKS = 5
NARROWEST = 660.0
_LEGEND = {"value": "value", "faded": "off the chosen paths", "plain": "another derivative"}


def chain_layout(chain: Chain, notes: Sequence[str] = (), page: Page = WHOLE) -> Layout:
    """Return the figure of a chain, with lines of words under its headline."""
    canvas = Canvas(page)
    canvas.begin("picture")
    drawn, broken = _strip(canvas, chain)
    lower_bands(canvas)
    left, top, right, bottom = canvas.box
    width = page.at_least(right - left, NARROWEST)
    lines = [_from_to(chain), *map(text.plain, notes)]
    several = chain.count > 1 or chain.weight_free > 0
    draw_count(canvas, left, top - 44, chain.weight_free, chain.count, lines, several)
    below = bottom + (40 if page.narrow else 64)
    canvas.begin("rows")
    if chain.blocks and _listable(chain):
        words = text.plain("The same paths, one by one")
        canvas.add(Label(words, left, below - 12, 14, "text title", "start"))
        draw_rows(canvas, chain, left, below + 22, width)
    elif not chain.blocks:
        draw_product(canvas, chain, left, bottom + 44)
    else:
        _histograms(canvas, chain, left, below, width)
    sign_bands(canvas)
    left, _, right, bottom = canvas.box
    wide = max(right - left, width)
    styles = dict(_LEGEND, faded=OFF_SETS) if chain.emphasis.fades else _LEGEND
    more = _added(chain, drawn)
    if broken:
        more.append(([], "a line begins with the value that the line before it ends with"))
    draw_legend(
        canvas, left, bottom + 48, wide, symbols_used(drawn, chain.letters["g"]), styles, more
    )
    return canvas.finish(_title(chain), " ".join([describe(chain), *(f"{n}." for n in notes)]))


def _strip(canvas: Canvas, chain: Chain) -> tuple[tuple[Part, ...], bool]:
    """Draw the chain; return what was drawn of it, and whether it took more than one line."""
    room = canvas.page.room
    drawn = _collapse(chain)
    stops = draw_strip(canvas, chain, drawn)
    if stops[-1].x + 2 * VALUE_RADIUS <= room:
        return drawn, False
    canvas.items.clear()
    if not chain.blocks:
        drawn = in_pieces(chain, room)
    elif chain.emphasis.labels in ("symbol", "both"):
        drawn = _collapse(chain, 1)
    else:
        drawn = _collapse(replace(chain, parts=unnamed(chain.parts)), 1)
    stops = draw_strip(canvas, chain, drawn)
    return drawn, break_lines(canvas, stops, room)


def _added(chain: Chain, drawn: tuple[Part, ...]) -> list[Entry]:
    """Return what the legend says of highlighted sets and of flows."""
    emphasis = chain.emphasis
    found = mark_entries(emphasis)
    if emphasis.flows is None:
        return found
    if emphasis.widths:
        lanes = [lane for p in drawn for lane in _lanes(p)]
        flows = [lane.flow for lane in lanes if lane.flow is not None]
        found += flow_entries(emphasis.flows, "tensor", flows)
        if any(isinstance(p, Collapsed) or (isinstance(p, Block) and not p.lanes) for p in drawn):
            found.append(([], "no band where several ways are drawn as one"))
    if emphasis.labels in ("value", "both"):
        found.append(([], f"number behind a symbol: its {meaning('tensor')}"))
    return found


def _lanes(part: Part) -> tuple[Lane, ...]:
    """Return the lanes of a part that are drawn one by one."""
    if isinstance(part, Collapsed):
        return ()
    return part.lanes if isinstance(part, Block) else (part.lane,)


def _listable(chain: Chain) -> bool:
    return (
        chain.depth <= MOST_BLOCKS
        and chain.count <= MOST_ROWS
        and all(block.lanes for block in chain.blocks)
    )


def _collapse(chain: Chain, before: int = 2) -> tuple[Part, ...]:
    """Return the parts to draw: of many blocks, the first one or two and the last."""
    if chain.depth <= MOST_BLOCKS:
        return chain.parts
    places = [
        i for i, part in enumerate(chain.parts) if isinstance(part, Block) and not part.is_product
    ]
    first, last = places[before], places[-2] + 1
    return (*chain.parts[:first], Collapsed(chain.parts[first:last]), *chain.parts[last:])


def _from_to(chain: Chain) -> text.Runs:
    """Say what was counted."""
    output = _node(chain.output, "y" if chain.output.shape else "L")
    return (
        *text.plain(f"gradient path{'s' * (chain.count != 1)} from "), *output,
        *text.plain(" back to "), *_node(chain.input, "x"), *text.plain(_only(chain)),
        *text.plain(_window(chain)),
    )  # fmt: skip


def _only(chain: Chain) -> str:
    """Say what the only path crosses, where there is no other and it is not weight-free."""
    alone = chain.count == 1 and not chain.weight_free
    return f", through {_layers(next(iter(chain.by_weight)))}" if alone else ""


def _node(node: GraphNode, otherwise: str) -> text.Runs:
    return text.name(node.name) if node.name else text.plain(otherwise)


def _window(chain: Chain) -> str:
    """Say between which tensors degrees are counted, or what the ends hide."""
    start, end = chain.paths.between
    said = "" if chain.complete else f", chosen among {text.grouped(chain.inner_count)}"
    if chain.chosen is not None:
        said += f"; one is drawn in full, through {_layers(chain.chosen.degree('weight'))}"
        said += ", and the fold with every way" * (chain.depth > MOST_BLOCKS)
    if (start, end) != (chain.output, chain.input):
        return f"{said}; weight layers counted from {_place(chain, start)} back to {_place(chain, end)}"
    if chain.blocks and not chain.weight_free and chain.inner_weight_free and chain.complete:
        said += (
            f"; through the blocks alone, without {_weighted_ends(chain)}: "
            f"{text.grouped(chain.inner_weight_free)} of {text.grouped(chain.inner_count)}"
        )
    return said


def _paths(count: int) -> str:
    return "1 gradient path leads" if count == 1 else f"{text.exact(count)} gradient paths lead"


def _layers(weights: int) -> str:
    return text.several(weights, "weight layer") if weights else "no weight layer"


def _weighted_ends(chain: Chain) -> str:
    """Name the stretches outside the blocks that cross weight layers."""
    ends = ((chain.parts[0], "the stem"), (chain.parts[-1], "the classifier"))
    return " and ".join(
        words for part, words in ends if isinstance(part, Link) and part.lane.weight
    )


def _place(chain: Chain, node: GraphNode) -> str:
    """Say which node is meant: by its name, its place in the row, or its operation."""
    for block in chain.blocks:
        if node.index in block.ends:
            return f"the {'end' if node.index == block.ends[1] else 'start'} of {block.called}"
    number = 0
    for part in chain.parts:
        number += isinstance(part, Block)
        if isinstance(part, Link) and number and part.ends[1] == node.index and not node.name:
            return f"the {text.clean(node.op)} behind block {number}"
    return text.clean(node.label)


def _histograms(canvas: Canvas, chain: Chain, x: float, y: float, width: float) -> None:
    shown = [of_counts(chain.by_weight)]
    with contextlib.suppress(GradientError, GraphError):
        shown.append(of_norms(norms_by(chain.paths), max(chain.by_weight)))
    if canvas.page.narrow and width < NARROWEST:
        for i, histogram in enumerate(shown):
            draw_histogram(canvas, histogram, x + 48, y + 36 + 240 * i, width - 56, 110)
        return
    wide = (width - 130) / 2
    for i, histogram in enumerate(shown):
        draw_histogram(canvas, histogram, x + 40 + i * (wide + 90), y + 36, wide, 150)


def _title(chain: Chain) -> str:
    n = chain.depth
    kind = f"a chain of {text.several(n, 'block')}" if n else "a plain chain"
    only = _only(chain)
    told = f"1 path{only}" if only else text.weight_free_of(chain.weight_free, chain.count)
    return f"Gradient paths through {kind}: {told}"


def describe(chain: Chain) -> str:
    """Say in words what the figure shows."""
    degrees = chain.by_weight
    ends = f"from {text.clean(chain.output.label)} back to {text.clean(chain.input.label)}"
    recorded, blocks = len(chain.paths.graph.nodes), text.several(chain.depth, "block")
    cross = f"cross{'es' * (chain.weight_free == 1)} no weight layer"
    said = [
        f"{text.several(recorded, 'recorded node')} and {blocks}.",
        f"{_paths(chain.count)} {ends}; {text.exact(chain.weight_free)} {cross}.",
    ]
    if chain.chosen is not None:
        crossed = _layers(chain.chosen.degree("weight"))
        said.append(f"One path is drawn in full, through {crossed}; the others are faded.")
    said += [f"Highlighted: {mark.words}." for mark in chain.emphasis.marks]
    if len(degrees) <= 12:
        parts = ", ".join(f"{k}: {text.exact(n)}" for k, n in degrees.items())
        said.append(f"Paths by weight layers crossed: {parts}.")
    else:
        said.append(f"They cross {min(degrees)} to {max(degrees)} weight layers.")
    return " ".join(said)
