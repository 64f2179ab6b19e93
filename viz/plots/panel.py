"""A panel: one pair of axes, with its series labelled where they end.

Values may have hundreds of digits, so a logarithmic axis is a plain one, on which
base-10 logarithms of the exact numbers stand.  Names stand in a column right of the axes, each
as high as its line ends.  Where lines end close together or before the edge, names move apart
and each has a piece of its line beside it: nothing but data crosses the axes.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .. import text
from ..style import Theme
from ..ticks import log_ticks
from .across import on_logs, set_logs, set_places
from .ink import LARGE, MARKS, SIZE, SMALL, colour
from .series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

MANY = 150
"""So many stems stand apart; more become an area."""

FEW = 24
"""So many points of a line each get a marker."""

_LONGEST_LABEL, _TEXT = 0.3, 0.76
_BESIDE, _PIECE = 6.0, 22.0
"""Points between the axes and what stands right of them, and how long a piece of a line is."""
_LONGEST_TEXT = 200
_LINE = 1.25
_UNBROKEN = re.compile(r"(?<!\d) | (?!\d{3}(?!\d))")
"""Where lines may break: not between the groups of three digits of a long number."""


@dataclass(frozen=True)
class Panel:
    """What stands on one pair of axes.

    Attributes:
        x, y: what the axes measure, in words.
        series: what is plotted.
        title, note: a bold line above, and what else there is to say.
        log: whether the vertical axis is logarithmic.
        kind: lines, or a stem from the ground to each point of the only series.
        free: what to write at degree 0, the weight-free paths; stems only.
        whole: whether places are whole numbers.
        log_x: whether the horizontal axis is logarithmic, with a break behind zero; lines only.
    """

    x: str
    y: str
    series: tuple[Series, ...]
    title: str = ""
    note: str = ""
    log: bool = False
    kind: Literal["lines", "stems"] = "lines"
    free: str = ""
    whole: bool = True
    log_x: bool = False

    @property
    def measure(self) -> str:
        """What the vertical axis measures, and its scale."""
        return f"{self.y} (log scale)".strip() if self.log else self.y

    @property
    def across(self) -> str:
        """What the horizontal axis measures, and its scale."""
        return f"{self.x} (log scale)".strip() if self.log_x else self.x

    def described(self) -> str:
        """Say in words what it shows."""
        by = f" by {self.across}" * bool(self.x)
        said = (f"{self.title}: " * bool(self.title) + f"{self.measure}{by}", self.remarks())
        lines = (one.described() for one in self.series)
        return " ".join([*(f"{words}." for words in said if words), *lines])

    def remarks(self) -> str:
        """Return the note, and what a reader must know about bands."""
        return "; ".join(filter(None, (self.note, self._said_of_runs)))

    @property
    def _said_of_runs(self) -> str:
        runs = sorted({one.runs for one in self.series if one.runs > 1})
        if not runs:
            return ""
        return f"line: median of {' or '.join(map(str, runs))} runs, band: their range"


def draw(
    axes: Axes, panel: Panel, theme: Theme, width: float, places: Sequence[float], last: bool
) -> list[Annotation]:
    """Draw a panel; return the labels, to be moved apart once places are known.

    Args:
        width: of the whole plot, in points.
        places: all that stand on the horizontal axis, which panels may share.
        last: whether the horizontal axis is labelled here.
    """
    {"stems": _stems, "lines": _lines}[panel.kind](axes, panel, theme, width, places)
    labels = _labels(axes, panel, theme, width) if panel.kind == "lines" else []
    _words(axes, panel, theme, width, last)
    axes.grid(axis="y", color=colour("faint", theme), linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    axes.tick_params(
        color=colour("quiet", theme), labelcolor=colour("quiet", theme), labelsize=SMALL, length=2.5
    )
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(colour("quiet", theme))
    return labels


def level(panel: Panel, y: float) -> float:
    """Return where a value stands on the vertical axis; not a number where it cannot."""
    if isinstance(y, float) and not math.isfinite(y):
        return math.nan
    if not panel.log:
        return float(y)
    return math.log10(y) if y > 0 else math.nan


def _lines(axes: Axes, panel: Panel, theme: Theme, width: float, places: Sequence[float]) -> None:
    for given, mark in zip(panel.series, MARKS, strict=False):
        one = on_logs(given, places) if panel.log_x else given
        pen = colour(mark.colour, theme)
        ys = [level(panel, y) for y in one.y]
        if one.low:
            low, high = ([level(panel, y) for y in ends] for ends in (one.low, one.high))
            if one.joined:
                axes.fill_between(one.x, low, high, color=pen, alpha=0.18, linewidth=0)
                at, lows, highs = ([row[i] for i in _alone(ys)] for row in (one.x, low, high))
                axes.vlines(at, lows, highs, color=pen, alpha=0.3, linewidth=3.0)
            else:
                axes.vlines(one.x, low, high, color=pen, linewidth=1.0)
        axes.plot(
            one.x, ys, color=pen, linewidth=1.5, linestyle=mark.line if one.joined else "none",
            marker=mark.marker, markersize=4.2, markevery=_marked(ys),
            markeredgewidth=1.0 if not one.joined else 0.0,
            markerfacecolor=pen if one.joined else colour("paper", theme),
        )  # fmt: skip
        for points, face in ((one.limits, "paper"), (one.values, mark.colour)):
            if points:
                axes.plot(
                    [x for x, _ in points], [level(panel, y) for _, y in points], linestyle="none",
                    marker=mark.marker, markersize=5.5, markerfacecolor=colour(face, theme),
                    markeredgecolor=pen, markeredgewidth=1.2, zorder=3,
                )  # fmt: skip
    _scale(axes, panel)
    if panel.log_x:
        set_logs(axes, theme, places)
    else:
        set_places(axes, panel.whole, width, places)


def _alone(ys: Sequence[float]) -> list[int]:
    """Return the points that no line leads to, where a band would be too narrow to be seen."""
    known = [False, *(not math.isnan(y) for y in ys), False]
    return [i for i in range(len(ys)) if known[i : i + 3] == [False, True, False]]


def _marked(ys: Sequence[float]) -> list[int]:
    """Return the points that get a marker: all, or of many the last; dashes tell lines apart."""
    known = [i for i, y in enumerate(ys) if not math.isnan(y)]
    return known if len(known) <= FEW else known[-1:]


def _scale(axes: Axes, panel: Panel) -> None:
    """Set the vertical axis and its ticks."""
    ends = (one.low + one.high + one.y for one in panel.series)
    marked = (y for one in panel.series for _, y in one.limits + one.values)
    found = [level(panel, y) for y in itertools.chain(*ends, marked)]
    known = [y for y in found if not math.isnan(y)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if not panel.log:
        span = high - low or abs(high) or 1.0
        axes.set_ylim(low - 0.08 * span, high + 0.08 * span)
        axes.locator_params(axis="y", nbins=5)
        return
    span = max(high - low, 0.5)
    middle = (low + high) / 2
    low, high = min(low, middle - 0.25) - 0.08 * span, max(high, middle + 0.25) + 0.08 * span
    axes.set_ylim(low, high)
    ticks = log_ticks(low, high) if known else []
    axes.set_yticks([at for at, _ in ticks], [words for _, words in ticks])


def _labels(axes: Axes, panel: Panel, theme: Theme, width: float) -> list[Annotation]:
    """Write each series' name right of the axes, as high as its line ends."""
    if len(panel.series) == 1 and not panel.series[0].name:
        return []
    found = []
    for one, mark in zip(panel.series, MARKS, strict=False):
        end = _end(panel, one)
        words = one.shown if end else f"{one.shown}: no values"
        found.append(
            axes.annotate(
                _fitted(words, _LONGEST_LABEL * width), (1, end[1] if end else axes.get_ylim()[0]),
                xytext=(_BESIDE, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center", ha="left", size=SIZE,
                color=colour(mark.colour, theme), annotation_clip=False,
            )
        )  # fmt: skip
    return found


def _end(panel: Panel, one: Series) -> tuple[float, float] | None:
    """Return where a line ends on the axes, ``None`` for one without a point."""
    points = ((x, level(panel, y)) for x, y in zip(one.x, one.y, strict=True))
    return next((point for point in reversed(list(points)) if not math.isnan(point[1])), None)


def spread(axes: Axes, panel: Panel, labels: Sequence[Annotation], theme: Theme) -> None:
    """Move labels that would overlap apart, once the heights of their lines' ends are known.

    Where lines end close together, or one ends before the others, each label has a piece of its
    line beside it.
    """
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Affine2D, ScaledTranslation, blended_transform_factory

    figure: Any = axes.get_figure(root=True)
    points = 72.0 / figure.dpi
    ends = [axes.transData.transform((0.0, label.xy[1]))[1] * points for label in labels]
    column = sorted(range(len(labels)), key=ends.__getitem__)
    rises = apart([ends[i] for i in column], 1.2 * SIZE)
    close = any(ends[b] - ends[a] < 1.2 * SIZE for a, b in itertools.pairwise(column))
    stops = {end[0] for one in panel.series if (end := _end(panel, one))}
    if not close and len(stops) < 2:
        return
    edge: Any = blended_transform_factory(axes.transAxes, axes.transData)
    for i, rise in zip(column, rises, strict=True):
        label, one, mark, up = labels[i], panel.series[i], MARKS[i], rise - ends[i]
        label.set_position((_BESIDE + _PIECE + 4, up))
        pen = colour(mark.colour, theme)
        inches = Affine2D().scale(1 / 72.0) + figure.dpi_scale_trans
        axes.add_artist(
            Line2D(
                [_BESIDE, _BESIDE + _PIECE / 2, _BESIDE + _PIECE], [up] * 3, color=pen, linewidth=1.5,
                linestyle=mark.line if one.joined else "none", marker=mark.marker, markersize=4.2,
                markevery=[1], markeredgewidth=0.0 if one.joined else 1.0,
                markerfacecolor=pen if one.joined else colour("paper", theme),
                transform=inches + ScaledTranslation(*label.xy, edge), clip_on=False,
            )
        )  # fmt: skip


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Return ascending places moved as little as need be, so that they lie ``gap`` apart.

    >>> apart([0.0, 1.0, 10.0], 4.0)
    [-1.5, 2.5, 10.0]
    """
    groups: list[list[float]] = []  # [sum of wished starts, members]
    for i, place in enumerate(places):
        groups.append([place - i * gap, 1.0])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, members = groups.pop()
            groups[-1][0] += total
            groups[-1][1] += members
    starts = [total / members for total, members in groups for _ in range(int(members))]
    return [start + i * gap for i, start in enumerate(starts)]


def _stems(axes: Axes, panel: Panel, theme: Theme, width: float, places: Sequence[float]) -> None:
    """Draw a stem from the ground to each value; with ``free``, degree 0 means weight-free."""
    (one,) = panel.series
    longest = places[-1]
    logs = {int(k): level(panel, y) for k, y in zip(one.x, one.y, strict=True)}
    logs = {k: v for k, v in logs.items() if not math.isnan(v)}
    low, high = min(logs.values(), default=0.0), max(logs.values(), default=1.0)
    if not panel.log:
        low, high = min(low, 0.0), max(high, 0.0)
    span = max(high - low, 1.0) if panel.log else high - low or 1.0
    floor = low - 0.08 * span if panel.log else 0.0
    blue, red = colour("weight", theme), colour("identity", theme)
    rest = {k: v for k, v in logs.items() if not (panel.free and k == 0)}
    if longest > MANY:
        axes.fill_between(
            list(rest), list(rest.values()), floor, color=colour("weight pale", theme), linewidth=0
        )
        axes.plot(list(rest), list(rest.values()), color=blue, linewidth=1.4)
    else:
        axes.vlines(list(rest), floor, list(rest.values()), color=blue, linewidth=1.2)
        axes.plot(list(rest), list(rest.values()), "o", color=blue, markersize=3.6)
    if panel.free and 0 in logs:
        words = f"weight-free: {panel.free}"
        reach = 1.15 * text.width(text.plain(words), SIZE, bold=True) / (0.85 * width)
        top = max(v for k, v in logs.items() if k <= reach * longest)
        axes.vlines([0], floor, [logs[0]], color=red, linewidth=2.6)
        axes.vlines(
            [0], max(logs[0], 0.0 if not panel.log else floor), top + 0.05 * span,
            color=colour("quiet", theme), linewidth=0.7, linestyle=":",
        )  # fmt: skip
        axes.plot([0], [logs[0]], "o", color=red, markersize=6)
        axes.annotate(
            words, (0, top), xytext=(-3, 8), textcoords="offset points", color=red, weight="bold",
            size=SIZE, annotation_clip=False,
            bbox={"facecolor": colour("paper", theme), "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
    ceiling = max(high + 0.24 * span, floor + 0.8) if panel.log else high + 0.24 * span
    axes.set_ylim(floor if panel.log else low - 0.08 * span, ceiling)
    if panel.log:
        ticks = log_ticks(floor, ceiling - 0.02) if logs else []
        axes.set_yticks([at for at, _ in ticks], [words for _, words in ticks])
    else:
        axes.locator_params(axis="y", nbins=5)
        axes.axhline(0, color=colour("quiet", theme), linewidth=0.8)
    set_places(axes, panel.whole, width, places)
    margin = max(0.5, 0.03 * (longest - places[0]))
    axes.set_xlim(places[0] - margin, longest + margin)


def heading(panel: Panel, width: float) -> list[tuple[str, str, float, str]]:
    """Return the lines above a panel, the lowest first: words, colour, size, weight."""
    note = wrapped(panel.remarks(), SMALL, width)
    measure = wrapped(panel.measure, SIZE, width)
    title = wrapped(panel.title, LARGE, width, bold=True)
    return [
        *((words, "quiet", SMALL, "normal") for words in reversed(note)),
        *((words, "ink", SIZE, "normal") for words in reversed(measure)),
        *((words, "ink", LARGE, "bold") for words in reversed(title)),
    ]


def tall(lines: Sequence[tuple[str, str, float, str]]) -> float:
    """Return the height of lines in points."""
    return sum(_LINE * size for _, _, size, _ in lines)


def _words(axes: Axes, panel: Panel, theme: Theme, width: float, last: bool) -> None:
    """Write the title, what the axes measure, and the note."""
    rise = 5.0
    for words, name, size, weight in heading(panel, width):
        axes.annotate(
            words, (0, 1), xycoords="axes fraction", xytext=(0, rise), textcoords="offset points",
            color=colour(name, theme), size=size, weight=weight, annotation_clip=False,
        )  # fmt: skip
        rise += _LINE * size
    if last:
        below = wrapped(panel.across, SIZE, width)
        axes.set_xlabel(
            "\n".join(below), color=colour("ink", theme), size=SIZE,
            loc="center" if len(below) < 2 else "left", multialignment="left",
        )  # fmt: skip


def wrapped(words: str, size: float, width: float, bold: bool = False) -> list[str]:
    """Return text as printable lines that fit a plot, cut where it is very long."""
    lines: list[str] = []
    for word in _UNBROKEN.split(text.clean(words, _LONGEST_TEXT)):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text.width(text.plain(longer), size, bold) <= _TEXT * width:
            lines[-1] = longer
        else:
            lines.append(_fitted(word, _TEXT * width * SIZE / size))
    return lines


def _fitted(words: str, points: float) -> str:
    """Return a name short enough for its room beside the plot."""
    longest = len(words)
    while longest > 5 and text.width(text.plain(text.clean(words, longest)), SIZE) > points:
        longest -= 1
    return text.clean(words, longest)
