r"""TikZ from a layout, for papers: a document that pdflatex compiles as it is.

Every coordinate is written out in big points, the pixels of the layout, and the picture
is scaled as a whole with its texts.  Only ``tikz`` is needed of LaTeX, and ``fix-cm`` of
its base, for fonts of any size.

A name may hold anything.  What LaTeX would take for a command is escaped, Greek letters
and accents are set as such, and a character that pdflatex has no font for is shown as a
box with its code point, ``\tgglyph{6743}{...}``.  A document with a font for it, say one
of XeLaTeX, defines ``\tgglyph`` before the picture, such as ``\newcommand\tgglyph[2]{#2}``.
"""

from __future__ import annotations

import unicodedata

from ..layout import Curve, Item, Label, Layout, Point, Shape, arrowhead
from ..style import OFF_PATH_OPACITY, PALETTE, Style, Theme, colour, look
from ..text import SUB_SIZE, merged

_POINTS_PER_MM = 72 / 25.4

_PREAMBLE = r"""\documentclass{article}
\usepackage{fix-cm}
\usepackage{tikz}
\pagestyle{empty}
\topskip=0pt \parindent=0pt
\hoffset=-1in \voffset=-1in
\oddsidemargin=0pt \topmargin=0pt \headheight=0pt \headsep=0pt
"""

_GLYPH = r"""\providecommand\tgglyph[2]{\begingroup\setlength\fboxsep{0.06em}\setlength\fboxrule{0.03em}%
\dimen0=1em\raisebox{-0.1\dimen0}{\fbox{\fontsize{0.42\dimen0}{0.42\dimen0}\selectfont
\ttfamily\shortstack{#1}}}\endgroup}%
"""

_ESCAPED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"{\ttfamily\char34}",
    "'": "{'}", "`": "{`}", "-": "{-}", ",": "{,}", "?": "{?}", "!": "{!}",
}  # fmt: skip
"""ASCII that LaTeX would read as more than itself, ligatures included."""

_SIGNS = {
    "\u2009": r"\,", "\u00a0": "~", "—": "---", "–": "--", "…": r"\ldots{}", "•": r"\textbullet{}",
    "‘": "`", "’": "'", "“": "``", "”": "''", "·": r"$\cdot$", "×": r"$\times$", "−": r"$-$",
    "∂": r"$\partial$", "′": r"$'$", "∥": r"$\parallel$", "→": r"$\to$", "←": r"$\leftarrow$",
    "∞": r"$\infty$", "⊙": r"$\odot$", "∘": r"$\circ$", "√": r"$\surd$", "∑": r"$\sum$",
    "∏": r"$\prod$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$", "≈": r"$\approx$",
    "±": r"$\pm$", "°": r"$^\circ$", "⊤": r"$\top$", "½": r"$\frac12$", "ℓ": r"$\ell$",
    "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}",
    "Œ": r"\OE{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "å": r"\aa{}", "Å": r"\AA{}",
    "§": r"\S{}", "©": r"\copyright{}", "¿": "?`", "¡": "!`",
}  # fmt: skip

_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip

_GREEK = frozenset("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ")
_RENAMED = {"lamda": "lambda", "Lamda": "Lambda", "epsilon": "varepsilon", "phi": "varphi"}
"""Unicode's names of Greek letters, and LaTeX's for the same shape."""


def to_tex(layout: Layout, theme: Theme = "light", width: float | None = None) -> str:
    """Return a LaTeX document of one page that holds the picture and nothing else.

    Args:
        width: the picture's width in mm; a pixel of the layout is 1/72 inch if left out.
    """
    unit = _unit(layout, width)
    page = (
        f"\\paperwidth={layout.width * unit:.4f}bp \\paperheight={layout.height * unit:.4f}bp\n"
        "\\textwidth=\\paperwidth \\textheight=\\paperheight\n"
        "\\ifdefined\\pdfpagewidth \\pdfpagewidth=\\paperwidth \\pdfpageheight=\\paperheight\n"
        "\\else\\ifdefined\\pagewidth \\pagewidth=\\paperwidth \\pageheight=\\paperheight\\fi\\fi\n"
    )
    picture = to_tikz(layout, theme, width)
    return f"{_PREAMBLE}{page}\\begin{{document}}%\n{picture}\\end{{document}}\n"


def to_tikz(layout: Layout, theme: Theme = "light", width: float | None = None) -> str:
    r"""Return the picture as a ``tikzpicture``, for ``\input`` in a document with ``tikz``."""
    unit = _unit(layout, width)
    names = sorted(
        {name for item in layout.items for name in _inks(look(item.style, theme))}
        | {"paper", "ink"}
    )
    lines = [
        f"% {_comment(layout.title)}",
        _GLYPH + r"\begingroup\sffamily%",
        *(rf"\definecolor{{tg {n}}}{{HTML}}{{{(colour(n, theme) or '')[1:]}}}%" for n in names),
        rf"\begin{{tikzpicture}}[x={unit:.5f}bp, y=-{unit:.5f}bp, inner sep=0pt, outer sep=0pt,",
        r"  line cap=butt, line join=miter, baseline=(current bounding box.north)]",
        rf"\useasboundingbox (0,0) rectangle {_at((layout.width, layout.height))};",
    ]
    if theme != "print":
        lines.append(rf"\fill[tg paper] (0,0) rectangle {_at((layout.width, layout.height))};")
    for item in layout.items:
        lines += _item(item, theme, unit)
    return "\n".join([*lines, r"\end{tikzpicture}\endgroup%", ""])


def latex(text: str) -> str:
    r"""Return text as LaTeX that shows exactly its characters.

    >>> print(latex("50%_off"))
    50\%\_off
    >>> print(latex("γ权"))
    $\gamma$\tgglyph{67\\43}{权}
    """
    return "".join(map(_character, unicodedata.normalize("NFC", text)))


def _character(c: str) -> str:
    if c in _ESCAPED or c in _SIGNS:
        return _ESCAPED.get(c) or _SIGNS[c]
    if " " <= c <= "~":
        return c
    kind = unicodedata.category(c)
    if kind.startswith("C"):
        return ""
    if kind == "Zs":
        return r"\ "
    power = unicodedata.decomposition(c).split()
    if power[:1] == ["<super>"] and (raised := chr(int(power[1], 16))) in "0123456789−":
        return f"$^{{{raised.replace('−', '-')}}}$"
    if c in _GREEK:
        name = unicodedata.name(c).split()[-1]
        name = name.lower() if c.islower() else name.capitalize()
        return rf"$\{_RENAMED.get(name, name)}$"
    letter, *marks = list(unicodedata.normalize("NFD", c))
    if letter.isascii() and len(marks) == 1 and marks[0] in _ACCENTS:
        dotless = {"i": r"\i", "j": r"\j"}.get(letter, letter)
        return rf"\{_ACCENTS[marks[0]]}{{{dotless}}}"
    return _boxed(c)


def _boxed(c: str) -> str:
    """Return a character outside pdflatex's fonts, as its code point in two rows."""
    code = f"{ord(c):04X}"
    half = (len(code) + 1) // 2
    return rf"\tgglyph{{{code[:half]}\\{code[half:]}}}{{{c}}}"


def _comment(text: str) -> str:
    return " ".join("".join(c for c in text if c.isprintable()).split())


def _unit(layout: Layout, width: float | None) -> float:
    """Return how many big points a pixel of the layout is."""
    return 1.0 if width is None else width * _POINTS_PER_MM / layout.width


def _inks(style: Style) -> set[str]:
    return {name for name in (style.stroke, style.fill) if name in PALETTE}


def _item(item: Item, theme: Theme, unit: float) -> list[str]:
    if isinstance(item, Shape):
        lines = _shape(item, theme, unit)
    elif isinstance(item, Curve):
        lines = _curve(item, theme, unit)
    else:
        lines = _label(item, theme, unit)
    if item.faded:
        opacity = f"{OFF_PATH_OPACITY:g}"
        return [rf"\begin{{scope}}[opacity={opacity}]", *lines, r"\end{scope}"]
    return lines


def _pen(style: Style, unit: float, closed: bool = False) -> str:
    """Return the options that draw and fill in a style."""
    parts = []
    if style.stroke:
        parts += [f"draw=tg {style.stroke}", f"line width={style.width * unit:.3f}bp"]
    if style.fill and closed:
        parts.append(f"fill=tg {style.fill}")
    if style.dash:
        on, off = (f"{length * unit:.3f}bp" for length in style.dash)
        parts.append(f"dash pattern=on {on} off {off}")
        if style.dash[0] < style.width:
            parts.append("line cap=round")
    return ", ".join(parts)


def _shape(shape: Shape, theme: Theme, unit: float) -> list[str]:
    pen = _pen(look(shape.style, theme), unit, closed=True)
    if shape.kind == "circle":
        radius = shape.width / 2 * unit
        lines = [rf"\path[{pen}] {_at((shape.x, shape.y))} circle[radius={radius:.3f}bp];"]
    else:
        lines = []
        for grow in (4.0, 0.0) if shape.double else (0.0,):
            w, h = shape.width / 2 + grow, shape.height / 2 + grow
            corners = (
                f"{_at((shape.x - w, shape.y - h))} rectangle {_at((shape.x + w, shape.y + h))}"
            )
            radius = min(shape.radius + grow if shape.radius or grow else 0.0, w, h)
            rounded = f", rounded corners={radius * unit:.3f}bp" if radius else ""
            lines.append(rf"\path[{pen}{rounded}] {corners};")
    if shape.sign:
        r, cross = shape.width * 0.28, _pen(look("cross", theme), unit)
        ends = [(shape.x - r, shape.y), (shape.x + r, shape.y), (shape.x, shape.y - r), (shape.x, shape.y + r)]  # fmt: skip
        a, b, c, d = map(_at, ends)
        lines.append(rf"\path[{cross}] {a} -- {b} {c} -- {d};")
    return lines


def _curve(curve: Curve, theme: Theme, unit: float) -> list[str]:
    style = look(curve.style, theme)
    points = list(curve.points)
    head = arrowhead(curve) if curve.arrow else None
    if head is not None:
        points[-1] = ((head[1][0] + head[2][0]) / 2, (head[1][1] + head[2][1]) / 2)
    first, *rest = map(_at, points)
    if curve.smooth:
        triples = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        way = "".join(f" .. controls {a} and {b} .. {c}" for a, b, c in triples)
    else:
        way = "".join(f" -- {point}" for point in rest)
    closed = " -- cycle" * curve.filled
    lines = [rf"\path[{_pen(style, unit, curve.filled)}] {first}{way}{closed};"]
    if head is not None:
        corners = " -- ".join(map(_at, head))
        lines.append(rf"\fill[tg {style.stroke}] {corners} -- cycle;")
    return lines


def _label(label: Label, theme: Theme, unit: float) -> list[str]:
    style = look(label.style, theme)
    anchor = {"start": "base west", "middle": "base", "end": "base east"}[label.anchor]
    shape = r"\bfseries" * style.bold + r"\itshape" * style.italic
    size = label.size * unit
    font = rf"\fontsize{{{size:.3f}bp}}{{{size:.3f}bp}}\selectfont" + r"\boldmath" * style.bold
    words = rf"{{{font}${label.latex}$}}" if label.latex else ""
    for text, kind in merged(label.words):
        high = size * (SUB_SIZE if kind else 1.0)
        drop = f"-{0.26 * size:.3f}bp" if kind else "0pt"
        font = rf"\fontsize{{{high:.3f}bp}}{{{high:.3f}bp}}\selectfont{shape}"
        words += rf"\raisebox{{{drop}}}{{{font} {latex(text)}}}"
    options = f"anchor={anchor}, text=tg {style.fill}"
    return [rf"\node[{options}] at {_at((label.x, label.y))} {{{words}}};"]


def _at(point: Point) -> str:
    return f"({point[0]:.2f},{point[1]:.2f})"
