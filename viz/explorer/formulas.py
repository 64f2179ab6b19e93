"""Formulas: what the page's script needs to set mathematics in the glyphs of the figures.

The script neither reads names nor spaces symbols: that was done here, as for every figure
(``viz.symbols``, ``viz.typeset``).  It is told rows of glyphs and where each row begins, and
steps from glyph to glyph by their advances.  So a formula is a handful of numbers, and the
outline of a glyph stands once in the page, however many of 600 blocks use it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from html import escape
from typing import Any

from .. import text
from ..layout import Label
from ..style import STYLES
from ..symbols import Atom, latex, split
from ..typeset import Line, Outline
from ..writers import tikz

_UNITS = 1000
_NEAR = 1e-6


class Formulas:
    """The formulas of a page, each told once."""

    def __init__(self) -> None:
        self._places: dict[Line, int] = {}
        self._glyphs: dict[Outline, int] = {}
        self._told: list[list[Any]] = []

    def place(self, label: Label) -> int:
        """Return the place of a label's formula, -1 where the label is words or ends in them."""
        _, formula, words = text.typeset(label.runs, STYLES[label.style].bold)
        if formula is None or words:
            return -1
        if formula not in self._places:
            self._places[formula] = len(self._told)
            self._told.append([round(formula.width * _UNITS), *self._rows(formula)])
        return self._places[formula]

    @property
    def told(self) -> dict[str, Any]:
        """What the script sets formulas by, in thousandths of the font size.

        ``set`` are ``[width, [x, y, scale, glyph, ...], ...]``: a row of glyphs begins at
        ``(x, y)``, and after each comes the next by its advance, scaled.  ``glyphs`` are
        ``[advance, outline]``, an SVG path of one absolute step to the start of each contour.
        """
        return {"set": self._told, "glyphs": [[glyph.advance, glyph.d] for glyph in self._glyphs]}

    def _rows(self, formula: Line) -> list[list[float]]:
        """Return a formula's glyphs in rows that the advances alone take from glyph to glyph."""
        rows: list[list[float]] = []
        end = None
        for outline, x, y, size in formula.glyphs:
            if end is None or abs(end[0] - x) > _NEAR or end[1:] != (y, size):
                rows.append([round(x * _UNITS), round(y * _UNITS), round(size, 4)])
            rows[-1].append(self._glyphs.setdefault(outline, len(self._glyphs)))
            end = (x + size * outline.advance / _UNITS, y, size)
        return rows


def is_formula(name: str) -> bool:
    """Return whether a name is mathematics all through: in words of the page, not in glyphs.

    >>> is_formula("W_1"), is_formula("relu'"), is_formula("my layer")
    (True, True, False)
    """
    atoms, words = split(text.name(name))
    return bool(atoms) and not words


def in_latex(name: str) -> str:
    r"""Return a name as LaTeX: as a symbol where it is one, and else as text.

    >>> print(in_latex("W_1"), in_latex("relu'"), in_latex("50% $"))
    W_{1} \mathrm{relu}' \text{50\% \$}
    """
    if is_formula(name):
        return latex(split(text.name(name))[0])
    escaped = (tikz.latex(c) if c.isascii() else c for c in name)
    return rf"\text{{{''.join(escaped)}}}"


def marked(runs: text.Runs) -> str:
    """Return a label as HTML: letters by themselves italic, subscripts lowered.

    >>> marked(text.math("J_{k}: derivative"))
    '<i>J</i><sub><i>k</i></sub>: derivative'
    """
    atoms, words = split(runs)
    found = "".join(
        f"<sub>{_written(own)}</sub>" if low else _written(own)
        for low, own in itertools.groupby(atoms, key=lambda atom: atom.low)
    )
    return found + "".join(
        f"<sub>{escape(word)}</sub>" if kind else escape(word) for word, kind in words
    )


def _written(atoms: Iterable[Atom]) -> str:
    return "".join(
        f"<i>{escape(atom.text)}</i>" if atom.kind == "variable" else escape(atom.text)
        for atom in atoms
    )
