"""PNG and PDF from a layout, drawn by matplotlib's own canvas.

Only objects are used, never ``pyplot``: no window, no global state, nothing that a
user's own plots could notice.
"""

from __future__ import annotations

import io
import itertools
import math
import re
import warnings
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from tinygrad_res.errors import UsageError

from ..layout import Curve, Item, Label, Layout, Shape, arrowhead
from ..style import OFF_PATH_OPACITY, Style, Theme, colour, look
from ..text import SUB_SIZE, Runs, merged
from ..typeset import Line

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

_POINTS_PER_INCH, _MM_PER_INCH = 72, 25.4
_UNITS, _MOST_PIXELS = 1000, 250_000_000
_BOX = "□"
_UNSEEN = frozenset("\u200b\u200c\u200d\u2060\ufe0e\ufe0f")
"""What only joins or varies characters, and is not seen by itself."""
_FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei",
    "PingFang SC", "Microsoft YaHei", "Noto Emoji", "Segoe UI Emoji", "Symbola",
)  # fmt: skip


def to_raster(
    layout: Layout, format: Literal["png", "pdf"], theme: Theme = "light", scale: float = 2.0,
    width: float | None = None,
) -> bytes:  # fmt: skip
    """Return the picture as a PNG or PDF file's content.

    Args:
        scale: pixels of the PNG for each pixel of the layout.
        width: the picture's width in mm; a pixel of the layout is 1/72 inch if left out.
            A PNG has as many pixels as without, and is said to be that wide.

    Raises:
        UsageError: the PNG would have more than 250 million pixels.
    """
    pixels = layout.width * layout.height * scale**2
    if format == "png" and pixels > _MOST_PIXELS:
        most = math.floor(10 * math.sqrt(_MOST_PIXELS / pixels) * scale) / 10
        raise UsageError(
            f"save: scale={scale:g} makes {pixels:.2g} pixels, too many for a PNG: use a scale "
            f"of at most {most:g}, or save it as .svg or .pdf"
        )
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    unit = 1.0 if width is None else width / _MM_PER_INCH * _POINTS_PER_INCH / layout.width
    inches = (layout.width * unit / _POINTS_PER_INCH, layout.height * unit / _POINTS_PER_INCH)
    figure = Figure(figsize=inches, facecolor=colour("paper", theme))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    axes.set_axis_off()
    for order, item in enumerate(layout.items):
        for artist in _artists(item, theme, unit):
            artist.set(zorder=order, clip_on=False)
            if item.faded:
                artist.set_alpha(OFF_PATH_OPACITY)
            axes.add_artist(artist)
    file = io.BytesIO()
    dates = {"Software": None} if format == "png" else {"CreationDate": None}
    with warnings.catch_warnings(), rc_context({"pdf.fonttype": 42}):
        # a font's own list of characters and what it can draw may differ
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(
            file, format=format, dpi=_POINTS_PER_INCH * scale / unit, metadata=dates,
            facecolor=figure.get_facecolor(),
        )  # fmt: skip
    return file.getvalue()


def _artists(item: Item, theme: Theme, unit: float) -> list[Any]:
    if isinstance(item, Shape):
        return _shape(item, theme, unit)
    if isinstance(item, Curve):
        return _curve(item, theme, unit)
    return _label(item, theme, unit)


def _pen(name: str, theme: Theme, unit: float) -> dict[str, Any]:
    """Return matplotlib's words for a style, ``unit`` points to a pixel of the layout."""
    style = look(name, theme)
    words: dict[str, Any] = {
        "facecolor": colour(style.fill, theme) or "none",
        "edgecolor": colour(style.stroke, theme) or "none",
        "linewidth": style.width * unit if style.stroke else 0,
    }
    if style.dash:
        words["linestyle"] = (0, tuple(d / style.width for d in style.dash))
        words["capstyle"] = "round" if style.dash[0] < style.width else "butt"
    return words


def _shape(shape: Shape, theme: Theme, unit: float) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

    words = _pen(shape.style, theme, unit)
    if shape.kind == "circle":
        found: list[Any] = [Circle((shape.x, shape.y), shape.width / 2, **words)]
    else:
        found = []
        for grow in (4.0, 0.0) if shape.double else (0.0,):
            w, h = shape.width + 2 * grow, shape.height + 2 * grow
            corner = (shape.x - w / 2, shape.y - h / 2)
            if shape.radius or grow:
                rounded = f"round,pad=0,rounding_size={shape.radius + grow}"
                found.append(FancyBboxPatch(corner, w, h, boxstyle=rounded, **words))
            else:
                found.append(Rectangle(corner, w, h, **words))
    if shape.sign:
        cross, r = look("cross", theme), shape.width * 0.28
        pen: dict[str, Any] = {
            "color": colour(cross.stroke, theme),
            "linewidth": cross.width * unit,
        }
        found.append(Line2D([shape.x - r, shape.x + r], [shape.y, shape.y], **pen))
        found.append(Line2D([shape.x, shape.x], [shape.y - r, shape.y + r], **pen))
    return found


def _curve(curve: Curve, theme: Theme, unit: float) -> list[Any]:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    points = list(curve.points)
    head = arrowhead(curve) if curve.arrow else None
    if head is not None:
        points[-1] = ((head[1][0] + head[2][0]) / 2, (head[1][1] + head[2][1]) / 2)
    codes = [Path.MOVETO, *[Path.CURVE4 if curve.smooth else Path.LINETO] * (len(points) - 1)]
    if curve.filled:
        points.append(points[0])
        codes.append(Path.CLOSEPOLY)
    words = _pen(curve.style, theme, unit)
    found: list[Any] = [PathPatch(Path(points, codes), **words)]
    if head is not None:
        found.append(Polygon(head, closed=True, facecolor=words["edgecolor"], edgecolor="none"))
    return found


def _label(label: Label, theme: Theme, unit: float) -> list[Any]:
    formula = label.formula
    if formula is None:
        return _words(label, theme, unit)
    drawn = [_formula(label, formula, theme)]
    if label.words:
        start = label.left + formula.width * label.size
        drawn += _words(replace(label, runs=label.words, x=start, anchor="start"), theme, unit)
    return drawn


def _formula(label: Label, formula: Line, theme: Theme) -> Any:
    """Return a formula's glyphs as one shape, in pixels of the layout."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    left, size = label.left, label.size
    for glyph in formula.glyphs:
        scale = size * glyph.size / _UNITS
        x0, y0 = left + size * glyph.x, label.y + size * glyph.y
        for contour in glyph.outline.contours:
            for step in contour:
                points += [(x0 + scale * x, y0 + scale * y) for x, y in step]
                codes += [Path.CURVE3] * 2 if len(step) == 2 else [Path.LINETO]
            codes[len(points) - sum(map(len, contour))] = Path.MOVETO
            points.append(points[-1])
            codes.append(Path.CLOSEPOLY)
    ink = colour(look(label.style, theme).fill, theme)
    return PathPatch(Path(points, codes), facecolor=ink, edgecolor="none")


def _words(label: Label, theme: Theme, unit: float) -> list[Any]:
    style = look(label.style, theme)
    pen: dict[str, Any] = {"color": colour(style.fill, theme), "va": "baseline"}
    pieces = []
    runs = merged(label.runs)
    for words, kind in _apart(runs) if len(runs) > 1 else runs:
        text = _drawable(words, style)
        font = _font(text, label.size * (SUB_SIZE if kind else 1.0), style)
        pieces.append((text, font, 0.26 * label.size if kind else 0.0))
    if len(pieces) == 1:  # nothing to measure: matplotlib aligns it
        side = {"start": "left", "middle": "center", "end": "right"}[label.anchor]
        return [_text(label.x, label.y, pieces[0], unit, ha=side, **pen)]
    widths = [_measure(text, font) for text, font, _ in pieces]
    x = label.x - sum(widths) * {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor]
    starts = itertools.accumulate(widths[:-1], initial=x)
    return [
        _text(start, label.y, piece, unit, ha="left", **pen)
        for start, piece in zip(starts, pieces, strict=True)
    ]


def _apart(runs: Runs) -> Runs:
    """Return runs word by word.

    In a PNG, words of many letters are a little wider than measured, since each is put on whole
    pixels; a subscript must stand behind its letter all the same.
    """
    return tuple(
        (piece, kind) for words, kind in runs
        for piece in ((words,) if kind else re.findall(r"[^ ]* |[^ ]+$", words))
    )  # fmt: skip


def _text(
    x: float, y: float, piece: tuple[str, FontProperties, float], unit: float, **pen: Any
) -> Any:
    from matplotlib.text import Text

    text, font, drop = piece
    size = font.get_size() * unit
    return Text(x, y + drop, text, fontproperties=font, fontsize=size, parse_math=False, **pen)


def fallback_fonts() -> list[str]:
    """Return the installed fonts for what DejaVu Sans lacks, such as Chinese."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in _FALLBACK_FONTS if name in installed]


def _drawable(words: str, style: Style) -> str:
    """Return words with an empty box for each character that no font has.

    Matplotlib would draw another character, the sign of a whole block of them.
    """
    if words.isascii():
        return words
    known = _characters(("DejaVu Sans", *fallback_fonts()), style.bold, style.italic)
    shown = (c for c in words if ord(c) in known or c not in _UNSEEN)
    return "".join(c if ord(c) in known or c.isspace() else _BOX for c in shown)


@lru_cache(maxsize=8)
def _characters(families: tuple[str, ...], bold: bool, italic: bool) -> frozenset[int]:
    """Return the code points that some fonts have."""
    from matplotlib.font_manager import findfont, get_font

    files = (findfont(_properties([family], 12.0, bold, italic)) for family in families)
    return frozenset(code for file in files for code in get_font(file).get_charmap())


def _font(text: str, size: float, style: Style) -> FontProperties:
    families = ["DejaVu Sans"]
    if any(ord(c) > 0x2E7F for c in text):
        families += fallback_fonts()
    return _properties(families, size, style.bold, style.italic)


def _properties(families: list[str], size: float, bold: bool, italic: bool) -> FontProperties:
    from matplotlib.font_manager import FontProperties

    return FontProperties(
        family=families,
        size=size,
        weight="bold" if bold else "normal",
        style="italic" if italic else "normal",
    )


def _measure(text: str, font: FontProperties) -> float:
    from matplotlib.textpath import text_to_path

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width)
