"""plot_series: any named numbers, styled as the figures are, for experiments and for you."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_res.errors import UsageError

from .. import text
from .panel import Panel
from .plot import Plot
from .series import read


def plot_series(
    series: Mapping[str, Any], *, x: str = "", y: str = "", at: Iterable[float] | None = None,
    title: str = "", note: str = "", log: bool = False,
) -> Plot:  # fmt: skip
    """Plot named series, each with a colour, a dash, a marker and its name beside it.

    Args:
        series: ``{name: values}``.  Values are a sequence; a mapping from places to values; or
            an array with a row for each run, such as one for each seed, of which the median
            is the line and the range the band.  A mapping of such mappings,
            ``{title: {name: values}}``, gives a panel for each title.
        x, y: what the axes measure, in words with units.
        at: the places of sequences; 0, 1, 2, ... where left out.
        title, note: a line above, and what else there is to say.
        log: whether the vertical axis is logarithmic.

    Returns:
        A plot; ``plot.panels[k].series`` holds the numbers.

    Raises:
        UsageError: there is no series, or there are more than eight; values are no real
            numbers, or as many as there are places.

    >>> plot = plot_series(
    ...     {"plain": [[1.0, 0.9], [1.2, 0.8]], "residual": {0: 1.0, 1: 0.2}},
    ...     x="epoch", y="training loss",
    ... )
    >>> plot
    Plot('training loss: plain, residual')
    >>> plot.series["plain"].y, plot.series["plain"].high
    ((1.1, 0.8500000000000001), (1.2, 0.9))
    """
    for name, words in (("x", x), ("y", y), ("title", title), ("note", note)):
        if not isinstance(words, str):
            raise UsageError(f"plot_series: {name}={words!r}: pass text")
    at = None if at is None else list(at)
    rows = series if _nested(series) else {"": series}
    panels = []
    for head, part in rows.items():
        found = read("plot_series", part, at)
        lost = sum(y <= 0 for one in found for y in one.y) if log else 0
        hidden = f"{text.several(lost, 'value')} of zero or less not shown" if lost else ""
        said = "; ".join(filter(None, (note, hidden)))
        panels.append(Panel(x, y, found, title=str(head), note=said, log=bool(log)))
    return Plot(panels, title)


def _nested(series: Any) -> bool:
    """Say whether there is a panel for each title."""
    return (
        isinstance(series, Mapping)
        and bool(series)
        and all(
            isinstance(part, Mapping) and part and all(isinstance(name, str) for name in part)
            for part in series.values()
        )
    )
