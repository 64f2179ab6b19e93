"""Outcome: what an experiment found, as text, as a picture, and as numbers in a file."""

from __future__ import annotations

import json
import os
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FigureError
from ..files import write_whole

if TYPE_CHECKING:
    from viz import Figure, Plot

PICTURES = (".svg", ".pdf", ".png")

WIDTH = 110
"""The most characters in a line of a table, so that a screen or a page shows it whole."""

NARROW = 10
"""The fewest characters that a head is folded to, unless it has fewer."""

SENTENCE = 40
"""The fewest characters that the words which a row begins with are folded to."""


class Outcome(ABC):
    """The result of an experiment; a frozen dataclass, whose fields are the numbers."""

    @abstractmethod
    def table(self) -> str:
        """Return the outcome as text."""

    @abstractmethod
    def plot(self) -> Plot | Figure:
        """Return the outcome as a picture, which shows and saves itself."""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON holds."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the numbers to a file that ends in ``.json``, or the picture to another.

        The file appears complete or not at all.

        Raises:
            FigureError: the ending is unknown.
            FileError: the file cannot be written.
        """
        ending = Path(path).suffix.lower()
        if ending == ".json":
            return write_whole(path, (json.dumps(self.as_dict(), indent=2) + "\n").encode())
        if ending in PICTURES:
            return self.plot().save(path)
        known = ", ".join((".json", *PICTURES))
        raise FigureError(f"save: {str(path)!r} does not end in a known format: use {known}")


def aligned(
    heads: Sequence[str], rows: Iterable[Sequence[Any]], words: int = 1, width: int = WIDTH
) -> str:
    """Return a table as text: the first columns, of words, to the left, numbers to the right.

    Where a table is too wide, its heads take several lines, and then the sentences that its rows
    begin with; where that does not help either, its last columns follow below, beside those that
    tell its rows apart.

    Args:
        heads: what stands over the columns.
        rows: the cells; numbers are written in three digits, whole numbers exactly.
        words: how many columns hold words.
        width: the most characters in a line, as far as the columns allow.

    >>> print(aligned(["net", "depth", "error"], [["plain", 20, 0.08125], ["residual", 110, 0.05]]))
    net       depth   error
    plain        20  0.0813
    residual    110    0.05
    """
    cells = [[number(cell) for cell in row] for row in rows]
    columns = [[head, *column] for head, *column in zip(heads, *cells, strict=True)]
    if _wide(columns) > width:
        columns = _folded(columns)
    room = width - 2 - _wide(columns[1:])
    if _wide(columns) > width and room >= SENTENCE:
        columns = _in_lines(columns, room)
    columns = [
        [f"{cell:{'<' if i < words else '>'}{_wide([column])}}" for cell in column]
        for i, column in enumerate(columns)
    ]
    keys = next(
        (k for k in range(1, len(heads)) if len({tuple(row[:k]) for row in cells}) == len(cells)),
        words,
    )
    tables = [columns[:keys]]
    for column in columns[keys:]:
        if len(tables[-1]) > keys and _wide([*tables[-1], column]) > width:
            tables.append(columns[:keys])
        tables[-1] = [*tables[-1], column]
    texts = [["  ".join(line).rstrip() for line in zip(*table, strict=True)] for table in tables]
    return "\n\n".join("\n".join(lines).lstrip("\n") for lines in texts)


def _wide(columns: Sequence[Sequence[str]]) -> int:
    """Return how many characters a line of columns takes, two between each."""
    return sum(2 + max(map(len, column)) for column in columns) - 2


def _folded(columns: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return columns whose heads take as many lines as make them as narrow as what is below."""
    lines = [
        textwrap.wrap(
            head, max(NARROW, *map(len, [*head.split(), *column])), break_on_hyphens=False
        )
        for head, *column in columns
    ]
    high = max(map(len, lines))
    return [
        [*(high - len(head)) * [""], *head, *column]
        for head, (_, *column) in zip(lines, columns, strict=True)
    ]


def _in_lines(columns: Sequence[Sequence[str]], room: int) -> list[list[str]]:
    """Return columns whose first one is no wider than ``room``, its rows in lines alike in length.

    The other cells stand beside the last line of a row.
    """
    rows: list[Sequence[str]] = []
    for first, *others in zip(*columns, strict=True):
        ways = [_lines(first, wide) for wide in range(room // 2, room + 1)]
        *lines, last = next(lines for lines in ways if len(lines) == len(ways[-1]))
        rows += [[line, *("" for _ in others)] for line in lines]
        rows.append([last, *others])
    return [list(column) for column in zip(*rows, strict=True)]


def _lines(words: str, wide: int) -> list[str]:
    return textwrap.wrap(words, wide, subsequent_indent="  ", break_on_hyphens=False) or [""]


def filled(words: str, indent: int = 2) -> str:
    """Return words in lines that are no wider than a table, the further ones indented.

    >>> print(filled("=" * 108 + " and y"))
    ============================================================================================================
      and y
    """
    return textwrap.fill(
        words, WIDTH, subsequent_indent=indent * " ", break_on_hyphens=False, break_long_words=False
    )


SIDES = {True: "for the claim", False: "against the claim", None: "for the claim in part"}


def on_one_side(held: Iterable[bool]) -> bool | None:
    """Return whether a claim held in all runs, or in none; ``None`` where it held in some.

    >>> on_one_side([True, True]), on_one_side([False]), on_one_side([True, False])
    (True, False, None)
    """
    sides = set(held)
    return sides.pop() if len(sides) == 1 else None


def in_short(supported: bool | None, words: str) -> str:
    """Return the sentence that a table ends with: on which side the numbers come out, and which.

    >>> in_short(False, "both networks learn alike")
    'in short, against the claim: both networks learn alike'
    """
    return filled(f"in short, {SIDES[supported]}: {words}")


def number(value: Any) -> str:
    """Write a measured number in three digits; a whole number and a word as they are.

    >>> number(4.068), number(0.0137), number(47280.4), number(64), number("He")
    ('4.07', '0.0137', '47,280', '64', 'He')
    """
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
