"""The design language: every colour, line and size of the figures, in one table.

A shape names a style; a writer looks it up here.  So a figure is coded once and comes
out the same in every format, in light and in dark.  Nothing is coded by colour alone:
identity is thick and solid, a weight layer dashed with a small square, an activation
dotted.  So a third theme, print, can do without colours: black, greys and lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Theme = Literal["light", "dark", "print"]

PALETTE: dict[str, tuple[str, str]] = {
    "paper": ("#FFFFFF", "#14171C"),
    "surface": ("#F5F6F8", "#20252C"),
    "ink": ("#1F2430", "#E8EAEE"),
    "quiet": ("#5B6472", "#A3ABB7"),
    "faint": ("#D9DDE3", "#3A414C"),
    "forward": ("#B0B7C2", "#667080"),
    "identity": ("#D5004B", "#FF6B8F"),
    "weight": ("#0072B2", "#56B4E9"),
    "weight pale": ("#DCEBF5", "#1D3648"),
    "activation": ("#009E73", "#009E73"),
    "activation text": ("#007A59", "#2CC79B"),
    "set 1": ("#F2B134", "#8A6114"),
    "set 2": ("#B79AE0", "#7358A8"),
    "set 3": ("#5CC4C4", "#1F8B8B"),
    "set 4": ("#C9A98A", "#8C6B4A"),
    "flow 1": ("#DDEEDA", "#1E3325"),
    "flow 2": ("#C3E3BE", "#254530"),
    "flow 3": ("#A6D5A2", "#2C573B"),
    "flow -1": ("#EAE2F2", "#33273F"),
    "flow -2": ("#D8C8E8", "#45325A"),
    "flow -3": ("#C4ABDC", "#573D75"),
}
"""Colours by name, for a light and for a dark ground."""

GREYS = {
    "paper": "#FFFFFF",
    "surface": "#FFFFFF",
    "faint": "#B8B8B8",
    "weight pale": "#DCDCDC",
    **{f"set {k}": "#C4C4C4" for k in range(1, 5)},
    **{f"flow {sign}{k}": "#D4D4D4" for sign in ("", "-") for k in range(1, 4)},
}
"""Colours in print, where they are not black."""

HAIRLINE = 0.5
"""Width of the forward pass in print: what tells it from black arrows without a grey."""

FONTS = "'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', 'Noto Sans', sans-serif"
"""The fonts of the SVG writer; labels are measured for the widest of them."""

MOST_SETS = 4
"""So many highlighted sets can be told apart, each by a colour, a dash and a sign."""

_SET_DASHES: tuple[tuple[float, ...], ...] = ((), (9, 3), (3, 2), (0.1, 6))

FLOW_LEVELS = 12
"""So many widths of a band are told apart; the widest has ``FLOW_WIDTH`` pixels."""

FLOW_WIDTH = 15.0

OFF_PATH_OPACITY = 0.15
"""What lies off the chosen paths keeps its colours at this opacity."""


@dataclass(frozen=True)
class Style:
    """How a stroke, a filled shape or a text looks; colours are names in ``PALETTE``."""

    stroke: str | None = None
    fill: str | None = None
    width: float = 1.0
    dash: tuple[float, ...] = ()
    bold: bool = False
    italic: bool = False


STYLES: dict[str, Style] = {
    # edges
    "identity": Style(stroke="identity", width=2.6),
    "weight": Style(stroke="weight", width=1.6, dash=(6, 3.5)),
    "activation": Style(stroke="activation", width=2.0, dash=(0.1, 4)),
    "plain": Style(stroke="ink", width=1.3),
    "forward": Style(stroke="forward", width=1.1),
    # bands under edges: highlighted sets alone and side by side, signed flows
    **{f"set {k + 1}": Style(f"set {k + 1}", width=9.0) for k in range(MOST_SETS)},
    **{
        f"set {k + 1} beside": Style(f"set {k + 1}", width=3.4, dash=dash)
        for k, dash in enumerate(_SET_DASHES)
    },
    **{f"set {k + 1} sign": Style("paper", "ink", width=0.8) for k in range(MOST_SETS)},
    **{
        f"flow {sign}{k}": Style(
            f"flow {sign}{1 + 3 * (k - 1) // FLOW_LEVELS}", width=FLOW_WIDTH * k / FLOW_LEVELS
        )
        for sign in ("", "-")
        for k in range(1, FLOW_LEVELS + 1)
    },
    "flow sign": Style("quiet", "paper", width=0.8),
    "flow stroke": Style(stroke="ink", width=1.3),
    # values, sums, weights, stages
    "value": Style(stroke="ink", fill="paper", width=1.2),
    "dot": Style(fill="quiet"),
    "square": Style(stroke="weight", fill="paper", width=1.5),
    "square uncounted": Style(stroke="quiet", fill="faint", width=1.2),
    "stage": Style(stroke="quiet", fill="surface", width=1.0),
    "operation": Style(stroke="quiet", fill="paper", width=1.0),
    "cluster": Style(stroke="faint", fill="surface", width=1.0),
    "repeated": Style(stroke="ink", fill="paper", width=1.1),
    "cross": Style(stroke="ink", width=1.3),
    # charts
    "bar": Style(fill="weight"),
    "area": Style(fill="weight pale"),
    "leader": Style(stroke="quiet", width=0.8, dash=(1.5, 2.5)),
    "stem": Style(stroke="weight", width=1.6),
    "bar free": Style(fill="identity"),
    "ground": Style(fill="paper"),
    "rule": Style(stroke="faint", width=0.9),
    "axis": Style(stroke="quiet", width=0.9),
    # texts
    "text": Style(fill="ink"),
    "text title": Style(fill="ink", bold=True),
    "text quiet": Style(fill="quiet"),
    "text italic": Style(fill="quiet", italic=True),
    "text identity": Style(fill="identity", bold=True),
    "text weight": Style(fill="weight"),
    "text activation": Style(fill="activation text"),
}
"""Every style that a shape can name."""


def colour(name: str | None, theme: Theme) -> str | None:
    """Return the colour ``name`` on a light or dark ground or in print, as ``#RRGGBB``."""
    if name is None:
        return None
    return GREYS.get(name, "#000000") if theme == "print" else PALETTE[name][theme == "dark"]


def look(name: str, theme: Theme) -> Style:
    """Return how a style looks in a theme; only print changes more than colours."""
    style = STYLES[name]
    thinner = theme == "print" and style.stroke == "forward"
    return replace(style, width=HAIRLINE) if thinner else style
