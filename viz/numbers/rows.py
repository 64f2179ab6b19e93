"""Rows: the paths of a small network written out, each with its product, and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinygrad_res.backend import to_host
from tinygrad_res.errors import GradientError, GraphError
from tinygrad_res.numbered import Path

from .. import text
from ..bands import sign
from ..highlight import PLAIN, Emphasis
from ..layout import Canvas, Curve, Item, Label
from ..text import Runs
from .network import Network, Wire
from .symbols import number

MOST_ROWS = 8
MOST_TERMS = 4
ROW = 24.0
_WIDEST = 1100.0
_COLUMN = 28.0
_TIMES = text.plain(" · ")


@dataclass(frozen=True)
class Row:
    """A path in words: its factors from the output back, their numbers, their product.

    Attributes:
        marks: which highlighted sets hold it, by their places.
        faded: whether others are brought out and it is not.
    """

    factors: tuple[Runs, ...]
    numbers: tuple[str, ...]
    product: str
    weights: int
    marks: tuple[int, ...] = ()
    faded: bool = False


def read_rows(network: Network, paths: Sequence[Path], emphasis: Emphasis = PLAIN) -> list[Row]:
    """Return paths as rows; copies are left out of the factors."""
    wires = {wire.edge: wire for wire in network.wires}
    rows = []
    for path in paths:
        held = emphasis.holding(path)
        rows.append(replace(_row(wires, path), marks=held, faded=emphasis.fades and not held))
    return rows


def _row(wires: dict[int, Wire], path: Path) -> Row:
    found = [wires[edge.index] for edge in path.edges if edge.index in wires]
    acting = [wire for wire in found if wire.factor and wire.value is not None]
    start = _cotangent(path)
    try:
        product = number(float(to_host(path.product()).sum()))
    except (GradientError, GraphError):
        product = ""
    return Row(
        (*start[0], *(wire.factor for wire in acting)),
        (*start[1], *(number(wire.value) for wire in acting if wire.value is not None)),
        product,
        path.degree("weight"),
    )


def _cotangent(path: Path) -> tuple[tuple[Runs, ...], tuple[str, ...]]:
    """Return the first factor of a path from an output that has a cotangent."""
    frame = path.paths.frame
    if not frame.firsts:
        return (), ()
    symbol = (("g", ""), (str(frame.firsts.index(path.nodes[0].index) + 1), "sub"))
    try:
        value = frame.cotangents[frame.firsts.index(path.nodes[0].index)]
    except GradientError:
        return (symbol,), ("g",)
    return (symbol,), (number(float(value)),)


def draw_rows(
    canvas: Canvas, rows: Sequence[Row], ends: tuple[Runs, Runs] | None, total: str,
    whole: bool, weighted: bool, x: float, y: float, first_head: str = "product, from the output back",
) -> None:  # fmt: skip
    """Write rows with their upper left corner at ``(x, y)``, and under them their sum.

    Args:
        ends: the symbols of the output and of the one number that paths lead to.
        total: the gradient, as text.
        whole: whether these are all the paths there are.
        weighted: whether any path crosses a weight layer.
        first_head: what stands over the products.
    """
    symbols = [_joined(row.factors) for row in rows]
    numbers = [text.plain(" · ".join(map(_bracketed, row.numbers))) for row in rows]
    bold = [weighted and row.weights == 0 for row in rows]
    first = max(text.width(runs, 13, free) for runs, free in zip(symbols, bold, strict=True))
    second = max(text.width(runs, 12.5, free) for runs, free in zip(numbers, bold, strict=True))
    if first + second > _WIDEST:
        numbers, second = [() for _ in rows], 0.0
    columns = [x, x + first + _COLUMN]
    columns.append(columns[1] + second + (_COLUMN if second else 0.0))
    columns.append(columns[2] + 96)
    heads = [first_head, "its numbers" if second else "", "value"]
    heads.append("weight layers crossed" if weighted else "")
    columns[1] = max(columns[1], x + text.width(text.plain(heads[0]), 11) + _COLUMN)
    columns[2] = max(columns[2], columns[1] + (second + _COLUMN if second else 0.0))
    columns[2] = max(columns[2], columns[1] + text.width(text.plain(heads[1]), 11) + _COLUMN)
    columns[3] = columns[2] + 96
    for at, words in zip(columns, heads, strict=True):
        if words:
            canvas.add(Label(text.plain(words), at, y, 11, "text quiet", "start"))
    for i, (row, symbol, figures, free) in enumerate(
        zip(rows, symbols, numbers, bold, strict=True)
    ):
        line = y + ROW * (i + 1)
        ink = "text identity" if free else "text"
        words = "" if not weighted else "0, weight-free" if free else str(row.weights)
        cells: list[tuple[Runs, float, float]] = [
            (symbol, columns[0], 13), (figures, columns[1], 12.5),
            (text.plain(row.product), columns[2], 12.5), (text.plain(words), columns[3], 12.5),
        ]  # fmt: skip
        labels: list[Item] = [
            Label(runs, at, line, size, ink, "start", faded=row.faded)
            for runs, at, size in cells
            if text.joined(runs)
        ]
        labels += [sign(k, x - 12 - 10 * place, line - 4) for place, k in enumerate(row.marks)]
        canvas.extend(labels, 0.0, 0.0)
    if ends is None or not whole:
        return
    end = y + ROW * len(rows) + 12
    reach = max(columns[3] + 120, x + 300)
    canvas.add(Curve(((x, end), (reach, end)), "axis"))
    left = (*text.plain("d"), *ends[0], *text.plain("/d"), *ends[1], *text.plain(" = "))
    terms = _terms(symbols) if len(rows) <= MOST_TERMS else ()
    if not terms or text.width(left + terms, 14) > _WIDEST:
        terms = text.plain(f"sum of the {len(rows)} rows")
    value = text.plain(f" = {total}" if total else "")
    canvas.add(Label((*left, *terms, *value), x, end + 25, 14, "text", "start"))


def _bracketed(figure: str) -> str:
    return f"({figure})" if figure.startswith("−") else figure


def _terms(symbols: Sequence[Runs]) -> Runs:
    found = symbols[0]
    for runs in symbols[1:]:
        found = (*found, *text.plain(" + "), *runs)
    return found


def _joined(factors: Sequence[Runs]) -> Runs:
    if not factors:
        return text.plain("1")
    found = factors[0]
    for runs in factors[1:]:
        found = (*found, *_TIMES, *runs)
    return found
