"""The unravelled view: one row for each path, and the sum under them.

A row shows which way the path takes through every block, the product that it stands
for, the weight layers that it crosses and the gradient that it brings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

from tinygrad_res.errors import GradientError, GraphError
from tinygrad_res.grading import norm
from tinygrad_res.measures import Paths
from tinygrad_res.numbered import Path

from .. import text
from ..bands import bands, sign
from ..layout import Canvas, Curve, Label, Shape
from ..page import wrapped
from ..text import Runs
from .chain import Chain
from .parts import Block, Lane, Link
from .symbols import block_symbols

ROW = 27.0
NARROWEST_COLUMN, WIDEST_COLUMN = 92.0, 170.0
MOST_ROWS = 16
MOST_SQUARES = 4
"""A way through more weight layers has one square in its row, and their number."""
LONGEST_SYMBOL = 8
Anchor = Literal["start", "middle", "end"]
_REST, _TIGHT = 470.0, 28.0 + 14.0 + 116.0
_PRODUCT = "product, from {g} back"


def draw_rows(canvas: Canvas, chain: Chain, x: float, y: float, width: float) -> None:
    """Draw the table of paths with its upper left corner at ``(x, y)``, about ``width`` wide."""
    paths = sorted(
        ((path, chain.choices(path)) for path in chain.paths),
        key=lambda found: (found[0].degree("weight"), _weightless(chain, found[1]), found[1]),
    )
    products = [text.math(product(chain, choice)) for _, choice in paths]
    sizes = [_size(path) for path, _ in paths]
    blocks = len(chain.blocks)
    longest = max(text.width(runs, 13, True) for runs in products)
    tight = canvas.page.narrow and width < _REST + NARROWEST_COLUMN * blocks
    columns = (_tight_columns if tight else _columns)(chain, x, width, longest)
    wires, column, at, degree, right = columns
    measure = _measure(chain) if sizes[0] is not None else ""
    _head(canvas, chain, columns, y, measure)
    for row, ((path, choice), runs, size) in enumerate(zip(paths, products, sizes, strict=True)):
        first = len(canvas.items)
        middle = y + 20 + ROW * (row + 0.5)
        held = chain.emphasis.holding(path)
        if column:
            ends = ((wires + column * blocks - 3, middle), (wires + 3, middle))
            canvas.add(*bands(ends, False, held, chain.emphasis))
            _wire(canvas, chain, choice, wires, middle, column)
        else:
            signs = enumerate(reversed(held))
            canvas.add(*(sign(k, degree - 9 - 11 * place, middle) for place, k in signs))
        weight = path.degree("weight")
        free = weight == 0
        ink = "text identity" if free else "text"
        words = "0, weight-free" if free and not tight else str(weight)
        canvas.add(
            Label(runs, at, middle + 4.5, 13, ink, "start"),
            Label(text.plain(words), degree, middle + 4.5, 12.5, ink, "start"),
        )
        if size is not None:
            canvas.add(Label(text.plain(size), right, middle + 4.5, 12.5, ink, "end"))
        chosen = chain.chosen is not None and path.edges == chain.chosen.edges
        if (chain.chosen is not None or chain.emphasis.fades_rows) and not (held or chosen):
            canvas.items[first:] = [replace(item, faded=True) for item in canvas.items[first:]]
    bottom = y + 20 + ROW * len(paths) + 8
    canvas.add(Curve(((x, bottom), (right, bottom)), "axis"))
    left = text.plain("∂") + _output(chain) + text.plain("/∂") + symbol(chain)
    some = "" if chain.complete else f", {len(paths)} of its {chain.inner_count} terms above"
    canvas.add(
        Label(text.math(f"sum of the {len(paths)} rows") if len(paths) > 1 else
              text.plain("the one row"), x, bottom + 21, 12.5, "text title", "start"),
    )  # fmt: skip
    canvas.begin("formula")
    below = bottom + 44
    below = _lines(canvas, left + text.math(formula(chain) + some), x, below, 14, "text")
    canvas.begin("rows")
    _lines(canvas, text.plain(CAPTION), x, below, 11.5, "text italic")
    gradient = _size(chain.paths)
    if gradient is not None:
        canvas.add(Label(text.plain(gradient), right, bottom + 21, 12.5, "text title", "end"))


def _weightless(chain: Chain, choice: tuple[int, ...]) -> list[bool]:
    """Return for each block, from the input, whether a path goes around its weight layers."""
    return [not b.lanes[c].weight for b, c in zip(chain.blocks, choice, strict=True)]


def draw_product(canvas: Canvas, chain: Chain, x: float, y: float) -> None:
    """Say under a chain without blocks that its one product is the whole gradient."""
    weights = next(iter(chain.by_weight))
    layers = text.several(weights, "weight layer")
    words = f"one path, one product: it crosses {layers}, and nothing is added to it"
    total = _size(chain.paths)
    size = f"; {_measure(chain)} {total}" if total is not None else ""
    y = _lines(canvas, text.plain(words + size), x, y, 13, "text")
    _lines(canvas, text.plain(CAPTION.partition(";")[0]), x, y, 11.5, "text italic")


def _lines(canvas: Canvas, runs: Runs, x: float, y: float, size: float, ink: str) -> float:
    """Write words in as many lines as they need; return where the next ones go."""
    lines = wrapped(runs, size, canvas.page.room)
    for i, line in enumerate(lines):
        canvas.add(Label(line, x, y + 1.35 * size * i, size, ink, "start"))
    return y + 1.35 * size * (len(lines) - 1) + 23


CAPTION = "exact for gradients at the recorded activations; arrays add up, their norms do not"


def product(chain: Chain, choice: tuple[int, ...]) -> str:
    """Return a path's product, from the output back, such as ``I · J_{2} · I``."""
    taken = dict(zip((block.ends for block in chain.blocks), choice, strict=True))
    return " · ".join(_factors(chain, lambda block: block_symbols(block)[taken[block.ends]]))


def symbol(chain: Chain) -> Runs:
    """Return what formulas call the input: its name where that is short, else x."""
    given = chain.input.name or ""
    return text.name(given if 0 < len(text.clean(given)) <= LONGEST_SYMBOL else "x")


def _output(chain: Chain) -> Runs:
    """Return what formulas call the output: its name where that is short, else y or L."""
    given = chain.output.name or ""
    short = 0 < len(text.clean(given)) <= LONGEST_SYMBOL
    return text.name(given if short else "y" if chain.output.shape else "L")


def _start(chain: Chain) -> Runs:
    """Return what stands at the left end of the rows: the input, or what the stem gives."""
    first = chain.parts[0]
    if not (isinstance(first, Link) and first.symbol):
        return symbol(chain)
    given = chain.paths.graph.nodes[first.ends[1]].name or ""
    short = 0 < len(text.clean(given)) <= LONGEST_SYMBOL
    return text.name(given) if short else text.plain("stem’s output")


def formula(chain: Chain) -> str:
    """Return the sum of all paths in factored form, the right side of an equation."""
    factors = _factors(chain, lambda block: f"({' + '.join(block_symbols(block))})")
    return f" = {chain.letters['g']} {' '.join(factors)}"


def _factors(chain: Chain, told: Callable[[Block], str]) -> list[str]:
    """Return what formulas call the parts from the output back; links that only copy are left out."""
    found = [p.symbol if isinstance(p, Link) else told(p) for p in reversed(chain.parts)]
    return list(filter(None, found))


class _Columns(NamedTuple):
    """Where the columns of the table stand.

    Attributes:
        wires: where the ways through the blocks begin.
        column: how wide that of a block is; 0 where there is no room for ways.
        right: where the sizes end.
    """

    wires: float
    column: float
    product: float
    degree: float
    right: float


def _columns(chain: Chain, x: float, width: float, longest: float) -> _Columns:
    wires = x + 12 + text.width(_start(chain), 12)
    blocks = len(chain.blocks)
    column = min(max((width - _REST) / blocks, NARROWEST_COLUMN), WIDEST_COLUMN)
    product = wires + column * blocks + 44
    degree = product + max(text.width(text.plain(_PRODUCT), 11), longest) + 36
    return _Columns(wires, column, product, degree, degree + 196)


def _tight_columns(chain: Chain, x: float, width: float, longest: float) -> _Columns:
    """Return columns that fit a narrow room; without the ways, where these do not."""
    wires = x + 12 + text.width(_start(chain), 12)
    words = max(longest, 82.0)
    column = (width - (wires - x) - _TIGHT - words) / len(chain.blocks)
    most = max(lane.weight for block in chain.blocks for lane in block.lanes)
    column = min(column, NARROWEST_COLUMN) if column >= (36 if most <= 2 else 64) else 0.0
    product = wires + column * len(chain.blocks) + 28 if column else x
    degree = product + words + 14
    return _Columns(wires, column, product, degree, degree + 116)


def _head(canvas: Canvas, chain: Chain, columns: _Columns, y: float, measure: str) -> None:
    """Write what stands in the columns; of several lines, the last one at ``y``."""
    wires, column, product, degree, right = columns
    heads: list[tuple[str, float, float, Anchor]] = [
        (_PRODUCT.format(**chain.letters), product, degree - product - 14, "start"),
        ("weight layers", degree, 50.0, "start"), (measure, right, 62.0, "end"),
    ]  # fmt: skip
    for i, block in enumerate(chain.blocks if column else ()):
        heads.append((block.called, wires + column * (i + 0.5), column - 4, "middle"))
    for words, x, room, anchor in heads:
        lines = wrapped(text.plain(words), 11, room if canvas.page.narrow else math.inf)
        for i, line in enumerate(reversed(lines)):
            canvas.add(Label(line, x, y - 13 * i, 11, "text quiet", anchor))
    if column:
        end = wires + column * len(chain.blocks)
        canvas.add(
            Label(_start(chain), wires - 8, y, 12, "text quiet", "end"),
            Label(text.plain(chain.letters["g"]), end + 14, y, 12, "text quiet"),
        )


def _wire(
    canvas: Canvas, chain: Chain, choice: tuple[int, ...], x: float, y: float,
    column: float,
) -> None:  # fmt: skip
    """Draw which lanes a path takes, the gradient's arrow pointing left."""
    for i, (block, taken) in enumerate(zip(chain.blocks, choice, strict=True)):
        lane = block.lanes[taken]
        left, right = x + column * i, x + column * (i + 1)
        style = _lane_style(lane)
        canvas.add(Curve(((right - 3, y), (left + 3, y)), style, arrow=True))
        pitch = min(16.0, (column - 12) / 2)
        many = lane.weight > min(MOST_SQUARES, (column - 12) / pitch)
        squares = 1 if many else lane.weight
        if many:
            words, centre = text.plain(f"× {lane.weight}"), (left + right) / 2
            ground = text.width(words, 10.5) + 4
            canvas.add(
                Shape("box", centre + 9 + ground / 2, y, ground, 13, "ground"),
                Label(words, centre + 11, y + 4, 10.5, "text weight", "start"),
            )
        for k in range(squares):
            at = (left + right) / 2 + (k - (squares - 1) / 2) * pitch
            title = f"{lane.weight} weight layers"
            canvas.add(Shape("box", at, y, 9, 9, "square", 1.5, title=title))
        if i:
            canvas.add(Shape("circle", left, y, 4.4, 4.4, "dot"))


def _lane_style(lane: Lane) -> str:
    return "weight" if lane.weight else "identity"


def _measure(chain: Chain) -> str:
    return "gradient" if math.prod(chain.input.shape) == 1 else "gradient norm"


def _size(paths: Path | Paths) -> str | None:
    """Return a product or a sum as text: a number, an array's norm, or None where it has none."""
    try:
        found = paths.product() if isinstance(paths, Path) else paths.gradient()
    except (GradientError, GraphError):
        return None
    return text.value(float(found.sum()) if found.size == 1 else norm(found))
