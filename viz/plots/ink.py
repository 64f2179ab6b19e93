"""The ink of plots: the figures' colours for matplotlib, and marks that tell series apart.

A series has a colour, a dash and a marker of its own, so that any one of the three is
enough.  Red is not among the colours: it is kept for what is weight-free.  What matplotlib
would take from a user's settings is set here, so that a plot looks the same everywhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..style import GREYS, PALETTE, Theme
from ..writers.raster import fallback_fonts

COLOURS = PALETTE | {
    "orange": ("#B35900", "#FFB266"),
    "purple": ("#7A3E9D", "#C9A0E8"),
    "green": ("#007A5A", "#2CC79A"),
    "brown": ("#7A5230", "#D2A679"),
    "teal": ("#1A7480", "#6BCBD6"),
    "slate": ("#4C5B8C", "#A9B7E6"),
}
"""Colours by name, for a light and for a dark ground."""


class Mark(NamedTuple):
    """How a series looks: a colour, dashes in line widths, and a marker."""

    colour: str
    dash: tuple[float, ...]
    marker: str

    @property
    def line(self) -> Any:
        """The dashes in matplotlib's words."""
        return (0, self.dash) if self.dash else "-"


MARKS = (
    Mark("weight", (), "o"),
    Mark("orange", (5, 2), "s"),
    Mark("green", (1, 1.3), "^"),
    Mark("purple", (6, 1.5, 1, 1.5), "D"),
    Mark("ink", (9, 2.5), "v"),
    Mark("brown", (2.5, 1.2), "P"),
    Mark("teal", (6, 1.5, 1, 1.5, 1, 1.5), "X"),
    Mark("slate", (1, 3), "p"),
)
"""The series of a plot, in their order."""

SIZE, SMALL, LARGE = 8.0, 7.0, 9.0
"""Sizes of text in points, whatever the width of the plot."""

_SETTINGS = {
    "font.size": SIZE, "text.parse_math": False, "svg.fonttype": "none",
    "svg.hashsalt": "tinygrad_res", "pdf.fonttype": 42, "axes.unicode_minus": True,
    "axes.titlesize": SIZE, "figure.constrained_layout.h_pad": 0.08,
}  # fmt: skip


def colour(name: str, theme: Theme) -> str:
    """Return a colour on a light or dark ground or in print, as ``#rrggbb``."""
    if theme == "print":
        return GREYS.get(name, "#000000").lower()
    return COLOURS[name][theme == "dark"].lower()


@contextmanager
def settings() -> Iterator[None]:
    """Draw with settings of our own in place of the user's; theirs return afterwards."""
    from matplotlib import style

    fonts = ["DejaVu Sans", *fallback_fonts()]
    with warnings.catch_warnings(), style.context(["default", _SETTINGS | {"font.family": fonts}]):
        # a character that no installed font has is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield
