"""plot_surface: numbers over a plane as contours, and along its first direction as lines.

Contours stand at the same levels in all panels, so that their distances compare: near together
where a surface is steep.  The levels are round numbers, labelled where they run, and lie closer
together where there are more numbers.  What lies higher has more of one colour, which is one of
the figures': so a surface is light or dark as its page, and in print grey.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_res.errors import UsageError

from .. import text
from ..style import Theme
from .curves import plot_series
from .ink import SMALL, colour
from .panel import Panel, draw, spread, wrapped
from .plot import Plot, panel_height, points_of, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

ACROSS = 2
"""So many surfaces stand side by side."""

MOST_LEVELS = 14
_DARKEST = 0.75
_EDGE, _APART, _CLOSEST = 0.08, 0.2, 0.09
"""Of the width: what numbers keep from the frame, and from each other if they can, and at least."""


class SurfacePlot(Plot):
    """What ``plot_surface`` returns.

    Attributes:
        surfaces: arrays (n, n) by title; a row for each place along the second direction.
        at: the places along both.
        levels: where the contours stand.
    """

    def __init__(
        self, surfaces: dict[str, np.ndarray], at: np.ndarray, levels: tuple[float, ...],
        slices: Panel, directions: tuple[str, str], measure: str, title: str,
    ) -> None:  # fmt: skip
        super().__init__([slices], title)
        self.surfaces, self.at, self.levels = surfaces, at, levels
        self._directions, self._measure = directions, measure

    @property
    def description(self) -> str:
        """What it shows in words, for those who cannot see it."""
        said = [f"{self._measure} by {self._directions[0]} and {self._directions[1]}."]
        for name, values in self.surfaces.items():
            known = values[np.isfinite(values)]
            row, column = np.unravel_index(np.nanargmin(values), values.shape)
            said.append(
                f"{text.clean(name)}: least {text.value(float(known.min()))} at "
                f"({self.at[column]:g}, {self.at[row]:g}), most {text.value(float(known.max()))}."
            )
        return " ".join([*said, super().description])

    def _drawn(self, theme: Theme, width: float) -> MatplotlibFigure:
        points = points_of(width)
        (panel,) = self.panels
        lines = -(-len(self.surfaces) // ACROSS)
        square = points / ACROSS
        below = panel_height(panel, points)
        figure = sheet(self.title, points, lines * square + below, theme, "ink")
        parts: Any = figure.subfigures(2, 1, height_ratios=[lines * square, below])
        upper, lower = parts  # each with margins of its own
        for part in parts:
            part.set_facecolor("none")
        squares = upper.subplots(lines, ACROSS, squeeze=False).ravel()
        for number, (name, values) in enumerate(self.surfaces.items()):
            last, first = number + ACROSS >= len(self.surfaces), number % ACROSS == 0
            self._contours(squares[number], name, values, theme, square, last, first)
        for empty in squares[len(self.surfaces) :]:
            empty.set_visible(False)
        axes = lower.subplots()
        labels = draw(axes, panel, theme, points, sorted(self.at), True)
        levels = f"contours at {', '.join(map(_written, self.levels))}"
        upper.supxlabel(
            "\n".join(wrapped(levels, SMALL, points)), size=SMALL, color=colour("quiet", theme)
        )  # fmt: skip
        figure.draw_without_rendering()
        spread(axes, panel, labels, theme)
        return figure

    def _contours(
        self, axes: Axes, name: str, values: np.ndarray, theme: Theme, width: float, last: bool,
        first: bool,
    ) -> None:  # fmt: skip
        from matplotlib.colors import to_rgba

        pen = colour("weight", theme)
        shades = np.linspace(0.0, _DARKEST, len(self.levels) + 1)
        shown = np.ma.masked_invalid(values)
        axes.set_facecolor("none")
        axes.contourf(
            self.at, self.at, shown, levels=self.levels, extend="both",
            colors=[to_rgba(pen, float(shade)) for shade in shades],
        )  # fmt: skip
        inside = [level for level in self.levels if shown.min() < level < shown.max()]
        if inside:
            drawn = axes.contour(
                self.at, self.at, shown, levels=inside, colors=[colour("ink", theme)],
                linewidths=0.6,
            )  # fmt: skip
            for level, place in _label_places(drawn, (values.shape[0] - 1) // 2, self.at).items():
                axes.clabel(
                    drawn, [level], fontsize=SMALL - 1, fmt=_written, inline_spacing=2,
                    manual=[place], zorder=3,
                )  # fmt: skip
        centre = [self.at[len(self.at) // 2]]
        axes.plot(
            centre, centre, marker="+", markersize=7, markeredgewidth=1.4,
            color=colour("ink", theme),
        )  # fmt: skip
        axes.set_title(
            "\n".join(wrapped(name, SMALL, width)), loc="left", size=SMALL, weight="bold",
            color=colour("ink", theme),
        )  # fmt: skip
        axes.set_aspect("equal")
        axes.locator_params(nbins=4)
        axes.tick_params(
            color=colour("quiet", theme), labelcolor=colour("quiet", theme), labelsize=SMALL,
            length=2.5, labelbottom=last, labelleft=first,
        )  # fmt: skip
        axes.spines[:].set_color(colour("quiet", theme))
        for wanted, words, write in (
            (last, self._directions[0], axes.set_xlabel),
            (first, self._directions[1], axes.set_ylabel),
        ):
            if wanted:
                write(
                    "\n".join(wrapped(words, SMALL, width)), size=SMALL, color=colour("ink", theme)
                )


def plot_surface(
    surfaces: Mapping[str, Any], *, at: Iterable[float], x: str = "first direction",
    y: str = "second direction", measure: str = "loss", title: str = "",
) -> SurfacePlot:  # fmt: skip
    """Plot positive numbers over a plane as contours, and below along its first direction.

    Args:
        surfaces: ``{title: values}``, arrays (n, n) with a row for each place along the second
            direction; what is infinite or not a number is left white.
        at: the n places along both directions, ascending; the middle one is marked.
        x, y: what the directions are.
        measure: what the numbers are.
        title: a line above.

    Returns:
        A plot; ``surfaces``, ``at`` and ``levels`` hold the numbers, and ``series`` those below.

    Raises:
        UsageError: there is no surface or more than eight, a shape is not (n, n), n is even or
            less than 3, places do not ascend, or no number of a surface is positive.

    >>> place = np.linspace(-1, 1, 5)
    >>> bowl = 0.1 + place[:, None] ** 2 + place**2
    >>> plot = plot_surface({"bowl": bowl}, at=place)
    >>> plot.levels
    (0.5, 1.0, 2.0)
    >>> plot.series["bowl"].y[2]
    0.1
    """
    places = np.asarray(list(at), dtype=float)
    n = len(places)
    if n < 3 or n % 2 == 0 or not (np.diff(places) > 0).all():
        raise UsageError(
            f"plot_surface: at has {n} places: pass an odd number of at least 3, ascending"
        )
    if not isinstance(surfaces, Mapping):
        raise UsageError("plot_surface: pass named surfaces, such as {'residual': values}")
    found = {}
    for name, values in surfaces.items():
        array = np.asarray(values, dtype=float)
        if array.shape != (n, n):
            raise UsageError(
                f"plot_surface: {text.clean(str(name))!r} has shape {array.shape}: expected {(n, n)}, "
                "a row for each place along the second direction"
            )
        if not (array[np.isfinite(array)] > 0).any():
            raise UsageError(
                f"plot_surface: {text.clean(str(name))!r} has no positive number, which logarithmic "
                "levels need"
            )
        found[str(name)] = np.where(np.isfinite(array), array, np.nan)
    slices = plot_series(
        {name: values[n // 2] for name, values in found.items()}, at=places.tolist(),
        x=x, y=f"{measure} along the {x}", log=True,
    )  # fmt: skip
    (panel,) = slices.panels
    return SurfacePlot(found, places, _levels(found), panel, (x, y), measure, title)


def _label_places(drawn: Any, middle: int, at: np.ndarray) -> dict[float, tuple[float, float]]:
    """Return where each contour has its number: off the frame, the mark and the other numbers.

    A contour that runs nowhere but near the frame has none, since half a number reads as another.
    """
    low, high = float(at[0]), float(at[-1])
    span, edge = high - low, _EDGE * (high - low)
    taken = [np.array([at[middle], at[middle]])]
    found: dict[float, tuple[float, float]] = {}
    for level, lines in zip(drawn.levels, drawn.allsegs, strict=True):
        finer = [_between(np.asarray(line), span / 100) for line in lines if len(line)]
        points = np.concatenate(finer) if finer else np.empty((0, 2))
        inside = points[((points > low + edge) & (points < high - edge)).all(axis=1)]
        if not len(inside):
            continue
        clear = np.min([np.hypot(*(inside - other).T) for other in taken], axis=0)
        best = int(np.argmax(np.minimum(clear, _APART * span) - 1e-3 * np.abs(inside[:, 0] - low)))
        if clear[best] < _CLOSEST * span:
            continue
        place = inside[best]
        taken.append(place)
        found[float(level)] = (float(place[0]), float(place[1]))
    return found


def _between(line: np.ndarray, step: float) -> np.ndarray:
    """Return points along a line, near to one another."""
    pieces = [
        np.linspace(a, b, max(2, math.ceil(float(np.hypot(*(b - a))) / step)))
        for a, b in itertools.pairwise(line)
    ]
    return np.concatenate(pieces) if pieces else line


def _levels(surfaces: Mapping[str, np.ndarray]) -> tuple[float, ...]:
    """Return 1, 2 or 5 times powers of ten, with about as many numbers between any two."""
    values = np.concatenate([one.ravel() for one in surfaces.values()])
    values = values[values > 0]
    low, high = float(values.min()), float(values.max())
    wished = np.quantile(values, np.linspace(0, 1, MOST_LEVELS + 2)[1:-1])
    chosen = tuple(sorted({_round(float(level)) for level in wished}))
    inside = tuple(level for level in chosen if low < level < high)
    return inside if len(inside) > 1 else (low, high if high > low else 2 * low)


def _round(number: float) -> float:
    """Return the nearest of 1, 2 and 5 times powers of ten, by ratio."""
    exponent = math.floor(math.log10(number))
    near = [float(f"{m}e{exponent}") for m in (1, 2, 5, 10)]
    return min(near, key=lambda level: abs(math.log(level / number)))


def _written(level: float) -> str:
    """Write a level: in digits, or as a power of ten where those are many."""
    if 1e-3 <= level < 1e5:
        return f"{level:g}"
    digit, exponent = f"{level:.0e}".split("e")
    power = f"10{text.raised(int(exponent))}"
    return power if digit == "1" else f"{digit}{text.THIN_SPACE}·{text.THIN_SPACE}{power}"
