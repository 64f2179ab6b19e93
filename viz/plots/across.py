"""The horizontal axis: where places stand on it, and its ticks.

On a logarithmic one stand base-10 logarithms.  Zero has none, and yet a sweep of penalties 0, 0.03,
0.3 begins there: it stands left of the others behind a break, which no line crosses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..style import Theme
from ..ticks import MOST_DEGREES, degree_ticks, log_ticks
from .ink import SMALL, colour
from .series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW_PLACES = 8
"""So many places each have a tick on a logarithmic axis; of more, the powers of ten."""
_BREAK, _LEAST_BREAK, _SLASH = 0.2, 0.5, 3.0


def on_logs(series: Series, places: Sequence[float]) -> Series:
    """Return a series over the logarithms of its places, its line broken behind zero.

    Args:
        places: all on the axis, ascending and none below 0.

    >>> moved = on_logs(Series("loss", (0, 0.1, 1), (3.0, 2.0, 1.0)), (0, 0.1, 1))
    >>> moved.x, moved.y
    ((-1.5, -1.25, -1.0, 0.0), (3.0, nan, 2.0, 1.0))
    """
    rows = [series.y, *(ends for ends in (series.low, series.high) if ends)]
    x = [log_place(place, places) for place in series.x]
    if 0 in series.x and len(x) > 1:
        k = series.x.index(0) + 1
        x.insert(k, (x[k - 1] + log_place(_least(places), places)) / 2)
        rows = [(*row[:k], math.nan, *row[k:]) for row in rows]
    y, low, high = [*rows, (), ()][:3]
    return replace(series, x=tuple(x), y=y, low=low, high=high)


def log_place(place: float, places: Sequence[float]) -> float:
    """Return where a place stands on a logarithmic axis; zero behind a break."""
    if place > 0:
        return math.log10(place)
    low = math.log10(_least(places))
    return low - max(_LEAST_BREAK, _BREAK * (math.log10(places[-1]) - low))


def _least(places: Sequence[float]) -> float:
    return min(place for place in places if place > 0)


def set_places(axes: Axes, whole: bool, width: float, places: Sequence[float]) -> None:
    """Set a plain axis and its ticks: at whole numbers where all places are.

    Args:
        width: of the whole plot, in points.
    """
    from matplotlib.ticker import MaxNLocator

    first, last = places[0], places[-1]
    margin = 0.03 * (last - first) or 0.5
    axes.set_xlim(first - margin, last + margin)
    if not whole:
        axes.xaxis.set_major_locator(MaxNLocator(5 if width < 300 else 10))
        return
    digits = max(len(f"{x:.0f}") for x in (first, last))
    room = 0.55 * width / (0.6 * SMALL * digits + SMALL)
    apart = (last - first) / room
    ticks: list[int] = []
    for tick in degree_ticks([int(x) for x in places], min(MOST_DEGREES, max(2, int(room)))):
        if not ticks or tick - ticks[-1] >= apart:
            ticks.append(tick)
    axes.set_xticks(ticks)


def set_logs(axes: Axes, theme: Theme, places: Sequence[float]) -> None:
    """Set a logarithmic axis, its ticks at few places or at powers of ten, and the break behind zero."""
    from matplotlib.transforms import ScaledTranslation

    first, last = log_place(places[0], places), log_place(places[-1], places)
    margin = 0.03 * (last - first) or 0.5
    axes.set_xlim(first - margin, last + margin)
    low = log_place(_least(places), places)
    ticks = [(log_place(place, places), f"{place:g}") for place in places]
    if len(places) > FEW_PLACES:
        ticks = [tick for tick in ticks if tick[0] < low] + log_ticks(low, last)
    axes.set_xticks([at for at, _ in ticks], [words for _, words in ticks])
    if places[0] > 0:
        return
    figure = axes.get_figure(root=True)
    assert figure is not None
    for aside in (-1.5, 1.5):
        points = ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans)
        axes.plot(
            [(first + low) / 2], [0], marker=[(-0.5, -1), (0.5, 1)], markersize=2 * _SLASH,
            color=colour("quiet", theme), clip_on=False,
            transform=axes.get_xaxis_transform() + points,
        )  # fmt: skip
