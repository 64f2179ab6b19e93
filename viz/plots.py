"""plot_paths: how many paths there are of each degree, and how much gradient they carry.

Two panels share the degree axis.  Counts may have hundreds of digits, so logarithms are
taken of the exact integers and only those are plotted.  The weight-free paths are
marked in words as well as in red.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tinygrad_res.errors import FigureError, GradientError
from tinygrad_res.graph_parts import Grading
from tinygrad_res.measures import Paths

from . import text
from .figure import write
from .norms import norms_by
from .style import PALETTE
from .ticks import degree_ticks, log_ticks, logs_of, unplotted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

_WORDS = {
    "weight": "weight layers crossed",
    "scale": "learned scales crossed",
    "block": "residual branches crossed",
    "activation": "activations crossed",
    "length": "edges on the path",
}
_INK, _QUIET, _FAINT, _RED, _BLUE, _PALE, _PAPER = (
    PALETTE[name][0]
    for name in ("ink", "quiet", "faint", "identity", "weight", "weight pale", "paper")
)
_MANY = 150
_AXIS_POINTS = 440


class Plot:
    """What ``viz.plot_paths`` returns; shows itself in Jupyter and saves itself.

    Attributes:
        counts: the exact number of paths of each degree.
        norms: the exact gradient norm of each degree that was computed; empty for an
            output of several elements without a cotangent.
        level: the level that paths were counted at.
    """

    def __init__(
        self, counts: dict[int, int], norms: dict[int, float], words: str, level: str = "tensor"
    ) -> None:
        self.counts, self.norms, self.level = counts, norms, level
        self._words = words

    @cached_property
    def figure(self) -> MatplotlibFigure:
        """The matplotlib figure, for changes of your own; ``pyplot`` does not know it."""
        from matplotlib.figure import Figure as MatplotlibFigure

        panels = 2 if self.norms else 1
        figure = MatplotlibFigure(figsize=(7.2, 0.9 + 2.2 * panels), layout="constrained")
        upper, *lower = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        total, longest = sum(self.counts.values()), max(self.counts)
        plural = "s" * (total != 1)
        free = self.counts.get(0, 0)
        named = self._words == _WORDS["weight"]
        upper.set_title(
            text.weight_free_of(free, total) if named
            else f"{text.grouped(total)} path{plural}",
            loc="left", color=_RED if named and free else _INK, weight="bold", pad=10,
        )  # fmt: skip
        upper.set_title(f"{self.level} level", loc="right", color=_QUIET, size=9)
        logs = {k: math.log10(n) for k, n in self.counts.items()}
        _panel(upper, logs, longest, text.grouped(free) if named else "")
        upper.set_ylabel("paths (log scale)", color=_INK)
        for axes in lower:
            mark = text.value(self.norms.get(0, 0.0)) if named else ""
            _panel(axes, logs_of(self.norms), longest, mark)
            axes.set_ylabel("gradient norm (log scale)", color=_INK)
            cut = f"computed up to {max(self.norms)}" if max(self.norms) < longest else ""
            note = "; ".join(filter(None, (cut, unplotted(self.norms))))
            axes.set_title(note, loc="right", color=_QUIET, size=9)
        last = lower[-1] if lower else upper
        last.set_xlabel(self._words, color=_INK)
        last.set_xticks(degree_ticks(self.counts))
        margin = max(0.5, 0.03 * longest)
        last.set_xlim(-margin, longest + margin)
        return figure

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plot to a file that ends in ``.png``, ``.svg`` or ``.pdf``.

        Raises:
            FigureError: the ending is unknown, or the file cannot be written.
        """
        writers: dict[str, Callable[[], bytes]] = {
            ".png": lambda: self._content("png"),
            ".svg": lambda: self._content("svg"),
            ".pdf": lambda: self._content("pdf"),
        }
        return write(path, writers)

    def _content(self, format: Literal["png", "svg", "pdf"]) -> bytes:
        from matplotlib import rc_context

        file = io.BytesIO()
        undated: dict[str, None] = {
            "png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None},
        }[format]  # fmt: skip
        with rc_context({"svg.hashsalt": "tinygrad_res", "pdf.fonttype": 42}):
            self.figure.savefig(file, format=format, dpi=200, metadata=undated)
        return file.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"image/png": self._content("png"), "text/plain": repr(self)}

    def __repr__(self) -> str:
        total = text.grouped(sum(self.counts.values()))
        return f"Plot({total} paths by {self._words}, {self.level} level)"


def plot_paths(paths: Paths, by: Grading = "weight", max_degree: int | None = None) -> Plot:
    """Plot the number of paths and the norm of their gradient by degree, both exact.

    Args:
        paths: a set of paths, from ``tg.paths``.
        by: a grading, as for ``paths.count_by``.
        max_degree: the highest degree whose norm is computed; left out, as many as a
            few hundred thousand visits of edges allow, which the plot says.

    Raises:
        FigureError: ``paths`` is no set of paths, or an empty one.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> W = tg.parameter([[0.5, 0.0], [0.0, 0.5]], name="W")
    >>> plot_paths(tg.paths((x + x @ W).sum(), x)).counts
    {0: 1, 1: 1}
    """
    if not isinstance(paths, Paths):
        raise FigureError(
            f"plot_paths: expected paths, got {type(paths).__name__}: "
            "pass what tg.paths(loss, x) returned"
        )
    counts = paths.count_by(by)
    if not counts:
        raise FigureError("plot_paths: there is no path in this set, so nothing to plot")
    try:
        norms = norms_by(paths, by, max_degree)
    except GradientError:
        norms = {}
    words = _WORDS.get(by, by) if isinstance(by, str) else "degree"
    return Plot(counts, norms, words, paths.level)


def _panel(axes: Axes, logs: dict[int, float], longest: int, mark: str) -> None:
    """Draw one panel of base-10 logarithms; with a ``mark``, degree 0 means weight-free."""
    named = bool(mark)
    low, high = min(logs.values(), default=0.0), max(logs.values(), default=1.0)
    span = max(high - low, 1.0)
    floor = low - 0.08 * span
    rest = {k: v for k, v in logs.items() if not (named and k == 0)}
    degrees, levels = list(rest), list(rest.values())
    if longest > _MANY:
        axes.fill_between(degrees, levels, floor, color=_PALE, linewidth=0)
        axes.plot(degrees, levels, color=_BLUE, linewidth=1.6)
    else:
        axes.vlines(degrees, floor, levels, color=_BLUE, linewidth=1.4)
        axes.plot(degrees, levels, "o", color=_BLUE, markersize=4)
    if named and 0 in logs:
        words = f"weight-free: {mark}"
        reach = 1.1 * text.width(text.plain(words), 9, bold=True) / _AXIS_POINTS
        beside = [v for k, v in logs.items() if k <= reach * longest]
        axes.vlines([0], floor, [logs[0]], color=_RED, linewidth=2.6)
        axes.vlines(
            [0], logs[0], max(beside) + 0.05 * span, color=_QUIET, linewidth=0.8, linestyle=":"
        )
        axes.plot([0], [logs[0]], "o", color=_RED, markersize=6.5)
        axes.annotate(
            words, (0, max(beside)), xytext=(-4, 9), textcoords="offset points",
            color=_RED, weight="bold", size=9, annotation_clip=False,
            bbox={"facecolor": _PAPER, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    top = max(high + 0.22 * span, floor + 0.8)
    axes.set_ylim(floor, top)
    ticks = log_ticks(floor, top - 0.02) if logs else []
    axes.set_yticks([at for at, _ in ticks], [words for _, words in ticks])
    axes.grid(axis="y", color=_FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_QUIET, labelsize=8.5, length=3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_QUIET)
