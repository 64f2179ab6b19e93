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
    series: Any, *, x: str | Mapping[str, str] = "", y: str | Mapping[str, str] = "",
    at: Iterable[float] | Mapping[str, Iterable[float]] | None = None, title: str = "",
    note: str | Mapping[str, str] = "", log: bool | Mapping[str, bool] = False,
    log_x: bool = False,
) -> Plot:  # fmt: skip
    """Plot named series, each with a colour, a dash, a marker and its name beside it.

    Args:
        series: ``{name: values}``.  Values are a sequence; a mapping from places to values, or
            to a value for each run; or an array with a row for each run, such as one for each
            seed, of which the median is the line and the range the band.  A mapping of such
            mappings, ``{title: {name: values}}``, gives a panel for each title.  What
            ``tg.training.fit`` returned stands for its losses by step, with a name or without.
        x, y: what the axes measure, in words with units.
        at: the places of sequences; 0, 1, 2, ... where left out.
        title, note: a line above, and what else there is to say.
        log: whether the vertical axis is logarithmic.
        log_x: whether the horizontal axis is, of all panels.  A place 0 stands left of the
            others behind a break.

    Of several panels, each may have its own ``x``, ``y``, ``at``, ``note`` and ``log``:
    ``{title: ...}`` in place of the one for all.  Panels that share ``x`` share their axis, whose
    ticks are whole numbers where all places are.

    Returns:
        A plot; ``plot.panels[k].series`` holds the numbers.

    Raises:
        UsageError: there is no series, or there are more than eight; values are no real
            numbers, or as many as there are places; something is told of a panel that there is
            not; or places are below 0, or all 0, on a logarithmic axis.

    >>> plot = plot_series(
    ...     {"plain": [[1.0, 0.9], [1.2, 0.8]], "residual": {0: 1.0, 1: 0.2}},
    ...     x="epoch", y="training loss",
    ... )
    >>> plot
    Plot('training loss: plain, residual')
    >>> plot.series["plain"].y, plot.series["plain"].high
    ((1.1, 0.8500000000000001), (1.2, 0.9))
    >>> both = {"training": {"loss": [1.0, 0.5]}, "test": {"error": {0.5: [9, 11], 1.5: [8, 8]}}}
    >>> test = plot_series(both, x={"training": "epoch", "test": "days"}).panels[1]
    >>> test.x, test.series[0].x, test.series[0].y
    ('days', (0.5, 1.5), (10.0, 8.0))
    """
    series = {"": series} if hasattr(series, "losses") else series
    rows = series if _nested(series) else {"": series}
    own = {"x": x, "y": y, "at": at, "note": note, "log": log}
    for name, given in own.items():
        strange = [head for head in given if head not in rows] if isinstance(given, Mapping) else []
        if strange:
            raise UsageError(
                f"plot_series: {name} is told of a panel {strange[0]!r}, and there is none: "
                f"use the titles in series, {', '.join(map(repr, rows))}"
            )
    places = at if at is None or isinstance(at, Mapping) else list(at)
    _check_text("title", title)
    panels = [
        _panel(
            str(head), part, log_x, *(_of(given, head) for given in (own | {"at": places}).values())
        )
        for head, part in rows.items()
    ]
    return Plot(panels, title)


def _of(given: Any, head: str) -> Any:
    """Return what is told of one panel: its own, or the one for all."""
    return given.get(head) if isinstance(given, Mapping) else given


def _panel(
    head: str, part: Any, log_x: bool, x: Any, y: Any, at: Any, note: Any, log: Any
) -> Panel:  # fmt: skip
    if isinstance(part, Mapping) and part and all(hasattr(v, "losses") for v in part.values()):
        x, y = x or "step", y or "loss"
    x, y, note = (
        _check_text(name, "" if words is None else words)
        for name, words in (("x", x), ("y", y), ("note", note))
    )
    found = read("plot_series", part, at)
    lost = sum(y <= 0 for one in found for y in one.y) if log else 0
    hidden = f"{text.several(lost, 'value')} of zero or less not shown" if lost else ""
    said = "; ".join(filter(None, (note, hidden)))
    places = {place for one in found for place in one.x}
    if log_x and not (min(places) >= 0 < max(places)):
        raise UsageError(
            f"plot_series: log_x: there is no logarithm of the place {min(places):g}: give places "
            "above 0, of which one may be 0, or leave log_x out"
        )
    whole = all(float(place).is_integer() for one in found for place in one.x)
    return Panel(x, y, found, title=head, note=said, log=bool(log), whole=whole, log_x=bool(log_x))


def _check_text(name: str, words: Any) -> str:
    if not isinstance(words, str):
        raise UsageError(f"plot_series: {name}={words!r}: pass text")
    return words


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
