"""A page: what a figure is laid out for, its parts that are wanted and the width that there is.

A figure of its own has all parts and takes the room it needs.  A paper has a caption in place of
the headline and a column of 80 mm in place of a screen: there, lines of words break and charts
stand one below the other, so that the texts need not shrink with the figure.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tinygrad_res.errors import UsageError

from . import text
from .text import Runs

PARTS = ("headline", "picture", "rows", "formula", "legend")
"""What a figure is made of, from top to bottom."""

SMALLEST = 5.0
"""The least that journals ask of text, in points."""

_SMALLEST_PIXELS = 8.25
"""The smallest text of a figure that is laid out for a width: what stands below the line."""
_POINTS_PER_MM = 72.27 / 25.4
_WIDE_MARGIN, _NARROW_MARGIN = 28.0, 6.0


@dataclass(frozen=True)
class Page:
    """What a figure is laid out for.

    Attributes:
        parts: those of ``PARTS`` that stand in the figure.
        width: how wide it is on paper in mm, ``None`` for as wide as it needs to be.
        headline: what stands over it; ``""`` for what was counted.
        remarks: lines under the headline, below what was counted.
    """

    parts: frozenset[str] = frozenset(PARTS)
    width: float | None = None
    headline: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def narrow(self) -> bool:
        """Whether the room is limited."""
        return self.width is not None

    @property
    def pixels(self) -> float:
        """The whole width in pixels, of which the smallest text is ``SMALLEST`` points high."""
        if self.width is None:
            return 0.0
        return self.width * _POINTS_PER_MM * _SMALLEST_PIXELS / SMALLEST

    @property
    def margin(self) -> float:
        """What stays clear around the figure."""
        return _NARROW_MARGIN if self.narrow else _WIDE_MARGIN

    @property
    def room(self) -> float:
        """The width between the margins; without a limit, infinite."""
        return self.pixels - 2 * self.margin if self.narrow else math.inf

    def at_least(self, drawn: float, least: float) -> float:
        """Return how wide words around a picture run that is ``drawn`` wide.

        >>> Page().at_least(300.0, 660.0), Page(width=80).at_least(500.0, 660.0)
        (660.0, 500.0)
        """
        return max(drawn, min(least, self.room))


WHOLE = Page()
"""Every part, in the room that it takes."""


def read_parts(call: str, parts: str | Iterable[str]) -> frozenset[str]:
    """Return the parts that were asked for: one by its name, or several.

    Raises:
        UsageError: one of them is unknown, or there is none.
    """
    try:
        found = [parts] if isinstance(parts, str) else list(parts)
    except TypeError:
        found = []
    if not found or not all(isinstance(part, str) and part in PARTS for part in found):
        raise UsageError(
            f"{call}: parts={parts!r}: give one or several of {', '.join(map(repr, PARTS))}, or "
            "leave it out for all of them"
        )
    return frozenset(found)


def wrapped(runs: Runs, size: float, room: float, bold: bool = False) -> list[Runs]:
    """Break a line between words, so that no part is wider than ``room`` where that can be.

    >>> [text.joined(line) for line in wrapped(text.plain("a weight layer"), 10, 50)]
    ['a weight', 'layer']
    """
    if text.width(runs, size, bold) <= room:
        return [runs]
    lines: list[Runs] = [()]
    for word in _words(runs):
        longer = (*lines[-1], *word)
        if lines[-1] and text.width(_trimmed(longer), size, bold) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return [_trimmed(text.merged(line)) for line in lines]


def _words(runs: Runs) -> list[Runs]:
    """Return a line's words, each with the space behind it."""
    pieces = [
        (piece, kind)
        for words, kind in runs
        for piece in ([words] if kind else re.findall(r"[^ ]* |[^ ]+$", words))
    ]
    ends = itertools.accumulate((piece.endswith(" ") for piece, _ in pieces), initial=0)
    grouped = itertools.groupby(zip(ends, pieces, strict=False), key=lambda found: found[0])
    return [tuple(piece for _, piece in group) for _, group in grouped]


def _trimmed(runs: Runs) -> Runs:
    """Return a line without the space at its end."""
    (words, kind), before = runs[-1], runs[:-1]
    return (*before, (words.rstrip(" "), kind)) if words.strip() else before or runs
