"""A web page from a layout: the picture and what it says in words, in one file.

The page asks nothing of anybody: its Content-Security-Policy forbids every request and
every script, and leaves only the styles written in it.  On a narrow screen the picture
keeps its size and scrolls; on paper it fits the sheet.
"""

from __future__ import annotations

from typing import Literal

from ..layout import Layout
from ..style import FONTS, Theme, colour
from .svg import to_svg, xml_text

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def to_html(
    layout: Layout, theme: Theme | Literal["auto"] = "auto", width: float | None = None
) -> str:
    """Return the picture as a page of HTML.

    Args:
        theme: ``"auto"`` is light or dark as the reader prefers, and light on paper.
        width: the picture's width in mm; its own pixels if left out.
    """
    title = xml_text(layout.title)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{title}</title>",
            f"<style>{_sheet(layout, theme)}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{title}</h1>",
            "<figure>",
            f'<div class="picture" role="group" aria-label="{title}" tabindex="0">',
            f"{to_svg(layout, theme, width)}</div>",
            f"<figcaption>{xml_text(layout.description)}</figcaption>",
            "</figure>",
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _sheet(layout: Layout, theme: Theme | Literal["auto"]) -> str:
    """Return the page's rules; those of the picture are in the picture."""
    wide = "landscape" if layout.width > layout.height else "portrait"
    first: Theme = "light" if theme == "auto" else theme
    rules = [
        f":root{{{_colours(first)}}}",
        f"body{{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 {FONTS}}}",
        "main{padding:16px}",
        "h1{margin:0 0 12px;font-size:17px;overflow-wrap:anywhere}",
        "figure{margin:0}",
        ".picture{overflow-x:auto}",
        ".picture svg{display:block}",
        "figcaption{max-width:70ch;margin-top:12px;color:var(--quiet);overflow-wrap:anywhere}",
        f"@page{{size:{wide};margin:12mm}}",
        "@media print{main{padding:0}.picture{overflow:visible}}",
        "@media print{.picture svg{max-width:100%;max-height:80vh;height:auto}}",
    ]
    if theme == "auto":
        dark = _colours("dark")
        rules.append(f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}")
    return "".join(rules)


def _colours(theme: Theme) -> str:
    names = ("paper", "ink", "quiet")
    scheme = "dark" if theme == "dark" else "light"
    return f"color-scheme:{scheme};" + ";".join(f"--{n}:{colour(n, theme)}" for n in names)
