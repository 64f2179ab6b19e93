"""Plot: what the plotting functions return; shows itself in Jupyter and saves itself.

A plot is panels of series, drawn anew for each theme and width: texts keep their size in
points, so that a plot in a column of 80 mm reads as well as one across the page.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tinygrad_res.errors import UsageError

from ..figure import FigureStyle, Width, mimebundle, rendering, write
from ..style import Theme
from .ink import LARGE, colour, settings
from .markup import to_markup
from .panel import Panel, draw, heading, spread, tall, wrapped
from .series import Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

WIDTH, NARROWEST, WIDEST = 140.0, 50.0, 1000.0
"""Millimetres: of a plot whose size is not given, of the narrowest and of the widest."""

_MM_PER_INCH, POINTS_PER_INCH = 25.4, 72.0


class Plot:
    """A plot, ready to be shown or written.

    Attributes:
        title: the line above it.
        panels: what stands on each pair of axes, from top to bottom.
    """

    def __init__(self, panels: Sequence[Panel], title: str = "", red: bool = False) -> None:
        self.panels, self.title = tuple(panels), title
        self._red = red

    @property
    def series(self) -> dict[str, Series]:
        """The series of the first panel, by name."""
        return {one.name: one for one in self.panels[0].series}

    @property
    def description(self) -> str:
        """What it shows in words, for those who cannot see it."""
        return " ".join(panel.described().strip() for panel in self.panels)

    @cached_property
    def figure(self) -> MatplotlibFigure:
        """A matplotlib figure, for changes of your own; ``pyplot`` does not know it.

        On logarithmic axes stand base-10 logarithms.  ``save`` draws anew, without your
        changes: save a changed figure with its own ``savefig``.
        """
        with settings():
            return self._drawn("light", WIDTH)

    @cached_property
    def svg(self) -> str:
        """The plot as SVG text; the same input gives the same text."""
        return self._svg("auto", None)

    def save(
        self, path: str | os.PathLike[str], style: FigureStyle = "auto", *, size: Width = None,
        scale: float = 2.0,
    ) -> Path:  # fmt: skip
        """Write the plot to a file; its ending chooses the format.

        The file appears complete or not at all.

        Args:
            path: ends in ``.svg``, ``.pdf`` or ``.png``.
            style: ``"light"``, ``"dark"``, ``"print"`` (black on white, told apart by dashes and
                markers alone), or ``"auto"``: in SVG, light or dark as the reader prefers;
                light elsewhere.
            size: the width on paper, as ``"80mm"``, ``"3.3in"`` or a number of mm, 140 mm where
                left out.  The plot is drawn for this width, its texts keep their size.
            scale: pixels of a PNG for each 1/72 inch.

        Returns:
            The path written.

        Raises:
            UsageError: an unknown style, or a size or scale that is none.
            FigureError: the ending is unknown.
            FileError: the file cannot be written.

        >>> import tempfile, viz
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     viz.plot_series({"loss": [1.0, 0.5]}).save(f"{folder}/a.svg", size="80mm").name
        'a.svg'
        """
        how = rendering("save", style, size, scale)
        width = how.width
        if width is not None and not NARROWEST <= width <= WIDEST:
            raise UsageError(
                f"save: size {size!r} is {width:g} mm: a plot is {NARROWEST:g} to {WIDEST:g} mm wide"
            )
        writers: dict[str, Callable[[], bytes]] = {
            ".svg": lambda: self._svg(how.style, width).encode(),
            ".pdf": lambda: self._written("pdf", how.theme, width or WIDTH),
            ".png": lambda: self._written("png", how.theme, width or WIDTH, how.scale),
        }
        return write(path, writers)

    def _svg(self, style: FigureStyle, width: float | None) -> str:
        drawn = self._written("svg", "light", width or WIDTH).decode()
        return to_markup(drawn, self.title or self._summary, self.description, style, width)

    def _written(
        self, format: Literal["png", "svg", "pdf"], theme: Theme, width: float, scale: float = 2.0
    ) -> bytes:
        file = io.BytesIO()
        undated: dict[str, dict[str, Any]] = {
            "png": {"Software": None}, "svg": {"Date": None},
            "pdf": {"CreationDate": None, "Title": self.title or self._summary},
        }  # fmt: skip
        with settings():
            self._drawn(theme, width).savefig(
                file, format=format, dpi=POINTS_PER_INCH * scale, metadata=undated[format]
            )
        return file.getvalue()

    def _drawn(self, theme: Theme, width: float) -> MatplotlibFigure:
        points = points_of(width)
        height = sum(panel_height(panel, points) for panel in self.panels)
        figure = sheet(self.title, points, height, theme, "identity" if self._red else "ink")
        shared = len({panel.x for panel in self.panels}) == 1
        rows = figure.subplots(len(self.panels), 1, sharex=shared, squeeze=False)[:, 0]
        places = [{x for one in panel.series for x in one.x} for panel in self.panels]
        if shared:
            places = [set().union(*places)] * len(places)
        labels = [
            draw(axes, panel, theme, points, sorted(at), not shared or panel is self.panels[-1])
            for axes, panel, at in zip(rows, self.panels, places, strict=True)
        ]
        figure.draw_without_rendering()
        for axes, panel, column in zip(rows, self.panels, labels, strict=True):
            spread(axes, panel, column, theme)
        return figure

    @property
    def _summary(self) -> str:
        named = [one.shown for one in self.panels[0].series if one.name]
        return f"{self.panels[0].y}{': ' * bool(named)}{', '.join(named)}"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None,
        **_: Any,
    ) -> dict[str, str]:  # fmt: skip
        said = f"{self.title or self._summary}. {self.description}"
        return mimebundle(self.svg, said, repr(self), include, exclude)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.title or self._summary!r})"


def points_of(width: float) -> float:
    """Return a width in mm as points."""
    return width / _MM_PER_INCH * POINTS_PER_INCH


def panel_height(panel: Panel, width: float) -> float:
    """Return how high a panel of lines or stems is on a plot so wide, with its words; in points."""
    return min(max(0.3 * width, 78.0), 125.0) + 14 + tall(heading(panel, width))


def sheet(title: str, width: float, height: float, theme: Theme, ink: str) -> MatplotlibFigure:
    """Return an empty matplotlib figure with a title in a colour, and points enough for the rest."""
    from matplotlib.figure import Figure as MatplotlibFigure

    lines = wrapped(title, LARGE, width, bold=True)
    height += 28 + 1.3 * LARGE * len(lines)
    figure = MatplotlibFigure(
        figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=POINTS_PER_INCH,
        facecolor=colour("paper", theme), edgecolor="none", layout="constrained",
    )  # fmt: skip
    if lines:
        figure.suptitle(
            "\n".join(lines), x=0.01, ha="left", size=LARGE, weight="bold", color=colour(ink, theme)
        )
    return figure
