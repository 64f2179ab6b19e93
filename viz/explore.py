"""explore: from a set of paths to a page in which each of them can be walked.

The page is one file that needs nothing else: no network, no other script than its own, and
its reader's browser is told to allow no more.  It numbers paths as ``p[r]`` does, however
many there are, so a reader may ask for path number r of 2^600.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinygrad_res.errors import FigureError, UsageError
from tinygrad_res.measures import Paths
from tinygrad_res.whole_numbers import at_least

from . import text
from .chains.chain import Chain, read_chain
from .chains.symbols import symbols_used
from .explorer.bars import draw_bars
from .explorer.data import KINDS, Names, node_name, numbering, segments_of
from .explorer.formulas import Formulas, in_latex, is_formula, marked
from .explorer.legend import legend
from .explorer.map import draw_map
from .explorer.tiles import draw_tiles
from .explorer.worth import worth
from .figure import write
from .layout import Layout
from .style import FONTS, PALETTE, colour
from .writers.svg import to_svg

SCRIPTS = (
    "numbers.js", "words.js", "drawing.js", "state.js", "latex.js", "sum.js", "chain.js", "graph.js",
    "rows.js", "page.js",
)  # fmt: skip
FRAME_HEIGHT = 760


class Explorer:
    """A page about a set of paths, ready to be shown in a notebook or written.

    Attributes:
        html: the page, a whole HTML document; the same paths give the same text.
    """

    def __init__(self, paths: Paths, html: str, title: str) -> None:
        self._paths, self._title = paths, title
        self.html = html

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file, whole or not at all.

        Args:
            path: ends in ``.html``.

        Returns:
            The path written.

        Raises:
            FigureError: it ends otherwise.
            FileError: the file cannot be written.
        """
        return write(path, {".html": self.html.encode})

    def _repr_html_(self) -> str:
        """Return a frame with the page inside, as notebooks and their exports show it."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" '
            f'title="{escape(self._title)}" '
            f'style="width:100%;height:{FRAME_HEIGHT}px;border:0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"Explorer({self._paths!r})"


def explore(paths: Paths, *, max_degree: int | None = None) -> Explorer:
    """Return a page in which each path of a set can be walked.

    Of up to 256 paths the page tells the norm of each product and its share of the gradient, of
    more those of each degree's paths together; at scalar level, where edges carry numbers, of
    every path.  A gradient of up to 12 entries is told entry by entry.  The page adds up what it
    tells, and marks whether that is what ``backward`` computes.

    Args:
        paths: ``tg.paths(loss, x)``, or a smaller set made from it.
        max_degree: compute gradient norms up to so many weight layers.  Left out, all of
            them, or as many as a budget allows, and the page says so.

    Raises:
        FigureError: there is no path, or the set was narrowed by another degree than the
            weight layers crossed.
        UsageError: ``paths`` is no set of paths, or ``max_degree`` no whole number.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> W = tg.parameter([[0.5, 0.0], [0.0, 0.5]], name="W")
    >>> page = explore(tg.paths((x + x @ W).sum(), x))
    >>> page
    Explorer(Paths(2 from sum to x))
    >>> page.html[:15]
    '<!doctype html>'
    """
    if not isinstance(paths, Paths):
        raise UsageError(
            f"explore: cannot explore {text.kind(paths)}: pass a set of paths, as in "
            "explore(tg.paths(loss, x))"
        )
    if max_degree is not None:
        max_degree = at_least(0, "explore", "max_degree", max_degree)
    if not paths.count():
        raise FigureError(
            f"explore: {paths!r} is empty, so there is no path to walk: the output does not "
            "depend on the input, or the set was narrowed to nothing"
        )
    chain = _chain(paths)
    output, x = _output(paths, chain), _input(paths)
    title = f"Gradient paths from {output} back to {x}"
    return Explorer(paths, _page(paths, chain, (output, x), title, max_degree), title)


def _page(
    paths: Paths, chain: Chain | None, ends: tuple[str, str], title: str, max_degree: int | None
) -> str:
    """Put the page together."""
    names, formulas = Names(), Formulas()
    for end in ends:
        names.place(end)
    told: dict[str, Any] = {
        "from": ends[0],
        "to": ends[1],
        "level": paths.level,
        "kinds": KINDS,
        **numbering(paths, names),
        "worth": worth(paths, max_degree),
    }
    drawn: Layout | None
    if chain is not None:
        drawn, tiles = draw_tiles(chain, names, formulas)
        told["chain"] = tiles | _products(chain, names, told["segments"])
    else:
        drawn, told["map"] = draw_map(paths, segments_of(paths), formulas)
    svg = to_svg(drawn, apart=True) if drawn is not None else ""
    counts = paths.count_by("weight")
    norms = {k: n if n is not None else float("nan") for k, n, *_ in told["worth"]["degrees"]}
    bars = draw_bars(counts, norms)
    told["bars"] = [place for _, place in bars]
    told["names"] = names.texts
    told["maths"] = "".join("01"[is_formula(name)] for name in names.texts)
    told["formulas"] = formulas.told
    data = json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")
    identity = f"e{hashlib.sha256(data.encode()).hexdigest()[:8]}"
    script = "\n".join(_read(name) for name in SCRIPTS)
    script = f'"use strict";(() => {{\nconst ID = "{identity}";\n{script}\n}})();'
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "id": identity,
        "allowed": f"'sha256-{allowed}'",
        "title": escape(title),
        "free": "free" if counts.get(0) else "",
        "headline": escape(text.weight_free_of(counts.get(0, 0), paths.count())),
        "style": _read("style.css") + _colours(),
        "tiles": svg if chain is not None else "",
        "map": svg if chain is None else "",
        "bars": "".join(f'<div class="bars">{to_svg(layout)}</div>' for layout, _ in bars),
        "legend": legend(drawn),
        "symbols": _symbols(chain),
        "data": data,
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("page.html"))


def _chain(paths: Paths) -> Chain | None:
    """Return the chain that paths run through, ``None`` where they are a tangle."""
    if paths.level != "tensor" or len(paths.inputs) != 1:
        return None
    chain = read_chain(paths)
    tangle = len(chain.blocks) == 1 and not chain.blocks[0].lanes
    return chain if chain.parts and not tangle else None


def _products(chain: Chain, names: Names, segments: list[list[Any]]) -> dict[str, Any]:
    """Return what products are written with: letters, what symbols mean, and names in LaTeX.

    The letters are those of the gradient that arrives and of the identity.  Names stand in products where a block has too many ways to give each a symbol.
    """
    arriving, identity = (chain.letters[letter] for letter in "gI")
    meanings = [words for words in symbols_used(chain.parts, arriving) if ": " in words]
    spelt = any(not block.lanes for block in chain.blocks)
    places = sorted({place for _, _, _, own, *_ in segments for place in own}) if spelt else ()
    texts = names.texts
    latex = {texts[i]: in_latex(texts[i]) for i in places}
    return {"letters": [arriving, identity], "meanings": meanings, "latex": latex}


def _symbols(chain: Chain | None) -> str:
    """Say what the symbols in products mean, as items of a list."""
    if chain is None:
        return (
            "<li><span>factors: what stands on the edges, copies left out; "
            "<i>I</i> where all are copies</span></li>"
        )
    said = [marked(text.math(words)) for words in symbols_used(chain.parts, chain.letters["g"])]
    return "".join(f"<li><span>{words}</span></li>" for words in said)


def _output(paths: Paths, chain: Chain | None) -> str:
    """Return what figures call the node that paths start at."""
    if chain is not None:
        return text.clean(paths.output.name or ("y" if paths.output.shape else "L"))
    if paths.level == "scalar" and not paths.frame.firsts:
        return text.clean(node_name(paths, paths.output.index))
    return text.clean(paths.output.label)


def _input(paths: Paths) -> str:
    end = paths.inputs[0]
    if len(paths.inputs) > 1:
        return text.clean(end.name or end.op or end.kind)
    return text.clean(node_name(paths, end.index))


def _read(name: str) -> str:
    """Return a file of the page, without the comments and indents that only its writers need."""
    lines = (files("viz") / "explorer" / name).read_text(encoding="utf-8").splitlines()
    stripped = (line.strip() for line in lines)
    return "\n".join(line for line in stripped if line and not line.startswith("// "))


def _colours() -> str:
    """Return the palette as CSS variables, for a light and a dark ground."""
    light, dark = (
        "".join(f"--{name.replace(' ', '-')}:{colour(name, theme)};" for name in PALETTE)
        for theme in ("light", "dark")
    )
    return (
        f":root{{--fonts:{FONTS};{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    )  # fmt: skip
