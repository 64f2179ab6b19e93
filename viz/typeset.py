"""Formulas as outlines: where each glyph stands, in units of the font size.

The glyphs are those of STIX Two Math, the font that ``ziamath`` brings, read by its
``ziafont``: nobody needs a font installed, and a label is exactly as wide as it is drawn.
Setting is done here, for the formulas of labels are rows of symbols with subscripts, and
each new one costs microseconds: ``ziamath`` takes a tenth of a second to be imported,
warns in doing so, and takes a millisecond for each symbol.  Spaces and subscripts are as
TeX sets them.

A formula with a character that the font lacks is not set: it stays text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .symbols import Atom, Kind

if TYPE_CHECKING:
    from ziafont.font import Font

SIZE = 1.1
"""Ems of a formula in a font size: serif letters are smaller than the sans around them."""

_LOWERED, _DROP, _AFTER = 0.7, 0.21, 0.04
"""Of a subscript, as the font asks: its size, how far it is lowered, the space behind it, in em."""

_SPACES: dict[Kind, float] = {"binary": 4 / 18, "relation": 5 / 18}
_THIN = 3 / 18
_UNITS = 1000
_UPRIGHT = {"word", "number"}
_ALPHABETS = (
    # first, last, italic, bold and italic, bold and upright
    ("a", "z", 0x1D44E, 0x1D482, 0x1D41A),
    ("A", "Z", 0x1D434, 0x1D468, 0x1D400),
    ("α", "ω", 0x1D6FC, 0x1D736, 0x1D6C2),
    ("0", "9", 0x30, 0x1D7CE, 0x1D7CE),
)
_HOLES = {chr(0x1D455): "ℎ"}
"""Letters that Unicode had before its mathematical alphabets, by where they would stand."""


@dataclass(frozen=True)
class Outline:
    """A glyph's shape, in thousandths of an em; y grows downward from the baseline.

    Attributes:
        name: a word for it, the same for the same glyph.
        points: its contours, each a start followed by lines (one point) and quadratic
            curves (control and end).
        box: left, top, right, bottom of the ink.
        d: the shape as an SVG path.
    """

    name: str
    advance: int
    box: tuple[int, int, int, int]
    contours: tuple[tuple[tuple[tuple[int, int], ...], ...], ...]
    d: str


class Placed(NamedTuple):
    """A glyph in a formula: its size and the place of its origin, in em."""

    outline: Outline
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Line:
    """A formula set in a line, in units of the font size; the ink begins at 0.

    Attributes:
        glyphs: what to draw.
        width: from the first ink to the last.
        ascent, descent: how far it reaches above and below its baseline.
    """

    glyphs: tuple[Placed, ...]
    width: float
    ascent: float
    descent: float


@lru_cache(maxsize=4096)
def line(atoms: tuple[Atom, ...], bold: bool = False) -> Line | None:
    """Return a formula's glyphs at their places, ``None`` where the font lacks one.

    >>> from .symbols import split
    >>> found = line(split((("W", ""), ("1", "sub")))[0])
    >>> [placed.outline.name for placed in found.glyphs], round(found.width, 2)
    (['1d44a', '31'], 1.26)
    """
    placed: list[Placed] = []
    at, before = 0.0, None
    for i, atom in enumerate(atoms):
        size = SIZE * (_LOWERED if atom.low else 1.0)
        at += size * _space(before, atom, atoms[i + 1 : i + 2])
        if atom.kind == "space":
            continue
        for character in atom.text:
            outline = _outline(_styled(character, atom.kind, bold))
            if outline is None:
                return None
            placed.append(Placed(outline, at, SIZE * _DROP * atom.low, size))
            at += size * outline.advance / _UNITS
        before = atom
    if not placed:
        return None
    left, top, right, bottom = _ink(placed)
    return Line(
        tuple(glyph._replace(x=glyph.x - left) for glyph in placed), right - left, -top, bottom
    )


def _space(before: Atom | None, atom: Atom, after: Sequence[Atom]) -> float:
    """Return the space before an atom; a written one only counts where none is due."""
    if before is None or atom.low:
        return 0.0
    behind = _AFTER * before.low
    if atom.kind == "space":
        beside = {before.kind, *(near.kind for near in after)}
        return 0.0 if beside & {"binary", "relation", "comma"} else _THIN
    due = max(_SPACES.get(before.kind, 0.0), _SPACES.get(atom.kind, 0.0))
    return behind + (due or _THIN * (before.kind == "comma" and not before.low))


def _styled(character: str, kind: Kind, bold: bool) -> str:
    """Return a letter or a digit in the alphabet that its kind asks for."""
    for first, last, italic, both, upright in _ALPHABETS:
        if first <= character <= last and (bold or kind not in _UPRIGHT):
            base = upright if kind in _UPRIGHT else both if bold else italic
            styled = chr(base + ord(character) - ord(first))
            return _HOLES.get(styled, styled)
    return character


def _ink(placed: Sequence[Placed]) -> tuple[float, float, float, float]:
    boxes = [
        tuple(origin + glyph.size * edge / _UNITS for origin, edge in
              zip((glyph.x, glyph.y) * 2, glyph.outline.box, strict=True))
        for glyph in placed
    ]  # fmt: skip
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


@lru_cache(maxsize=1)
def _font() -> Font | None:
    """Return the font; ``ziamath`` itself is only looked up, not imported."""
    found = find_spec("ziamath")
    if found is None or found.origin is None:
        return None
    from ziafont.font import Font

    return Font(Path(found.origin).parent / "fonts" / "STIXTwoMath-Regular.ttf")


@lru_cache(maxsize=1024)
def _outline(character: str) -> Outline | None:
    font = _font()
    if font is None or font.glyphindex(character) == 0:
        return None
    glyph = font.glyph(character)
    contours: list[list[tuple[tuple[int, int], ...]]] = []
    for operator in glyph.operators:
        points = tuple((round(p.x), -round(p.y)) for p in operator.points()[0])
        if type(operator).__name__ == "Moveto":
            contours.append([points])
        elif points[-1] != contours[-1][-1][-1]:
            contours[-1].append(points)
    box = glyph.bbox
    return Outline(
        f"{ord(character):x}",
        glyph.advance(),
        (round(box.xmin), -round(box.ymax), round(box.xmax), -round(box.ymin)),
        tuple(map(tuple, contours)),
        "".join(map(_path, contours)),
    )


def _path(contour: Sequence[tuple[tuple[int, int], ...]]) -> str:
    """Return a closed contour as an SVG path, each step relative to the one before."""
    ((x, y),) = contour[0]
    d = f"M{x} {y}"
    for points in contour[1:]:
        steps = " ".join(f"{px - x} {py - y}" for px, py in points)
        d += ("l" if len(points) == 1 else "q") + steps
        x, y = points[-1]
    return (d + "z").replace(" -", "-")
