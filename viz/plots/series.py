"""Series: named numbers over an axis, read from what users have at hand.

A series is a sequence, a mapping from places to values, or an array with a row for each run
of an experiment, whose median becomes the line and whose range the band around it; of a mapping,
each place may hold a value for each run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_res.errors import UsageError

from .. import text
from .ink import MARKS


@dataclass(frozen=True)
class Series:
    """What one line of a plot shows.

    Attributes:
        name: what it is called.
        x, y: where its points are; not a number where the line is broken.
        low, high: the ends of the band around each point; empty where there is none.
        runs: how many runs the band covers.
        joined: whether a line joins the points.
        limits, values: points marked beside the line: what it tends to, and what it is.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    runs: int = 1
    joined: bool = True
    limits: tuple[tuple[float, float], ...] = ()
    values: tuple[tuple[float, float], ...] = ()

    @property
    def shown(self) -> str:
        """The name as one printable line."""
        return text.clean(self.name) or "unnamed"

    def described(self) -> str:
        """Say in words where it starts and ends."""
        known = [(x, y) for x, y in zip(self.x, self.y, strict=True) if not _missing(y)]
        whose = f"{self.shown}: " * bool(self.name)
        if not known:
            return f"{whose}no number."
        (first, start), (last, end) = known[0], known[-1]
        runs = f", median of {self.runs} runs" if self.runs > 1 else ""
        if len(known) == 1:
            return f"{whose}{amount(start)} at {first:g}{runs}."
        return (
            f"{whose}{len(known)} points, {amount(start)} at {first:g} to "
            f"{amount(end)} at {last:g}{runs}."
        )


def amount(number: float) -> str:
    """Return a measured number or an exact count as text."""
    return text.grouped(number) if isinstance(number, int) else text.value(number)


def read(call: str, series: Any, at: Iterable[float] | None = None) -> tuple[Series, ...]:
    """Return the series of a mapping from names to numbers.

    Raises:
        UsageError: it is no such mapping, holds no or too many series, or numbers in
            no order that can be plotted.
    """
    if not isinstance(series, Mapping):
        raise UsageError(
            f"{call}: expected named series, got {type(series).__name__}: "
            "pass a dict such as {'plain': [1.0, 0.5], 'residual': [1.0, 0.9]}"
        )
    enough(call, len(series))
    places = None if at is None else tuple(_numbers(call, "at", at).tolist())
    return tuple(read_one(call, str(name), values, places) for name, values in series.items())


def enough(call: str, series: int) -> None:
    """Refuse no series, and more than can be told apart."""
    if not series:
        raise UsageError(f"{call}: there is no series: pass at least one")
    if series > len(MARKS):
        raise UsageError(
            f"{call}: {series} series cannot be told apart: plot at most {len(MARKS)} together"
        )


def read_one(call: str, name: str, values: Any, at: tuple[float, ...] | None = None) -> Series:
    """Return one series from a sequence, a mapping, an array of runs, or a training's losses.

    Raises:
        UsageError: values are no real numbers, or as many as there are places.
    """
    what = f"series {text.clean(name)!r}"
    values = getattr(values, "losses", values)
    if isinstance(values, Mapping):
        x = tuple(_numbers(call, f"the places of {what}", values).tolist())
        y = _numbers(call, what, list(values.values())).T
    else:
        x = at or ()
        y = _numbers(call, what, values)
    if y.ndim > 2 or not y.size:
        raise UsageError(
            f"{call}: {what} has shape {y.shape}: pass a sequence of numbers, or an array with a "
            "row of them for each run"
        )
    length = y.shape[-1] if y.ndim else 1
    x = x or tuple(range(length))
    if len(x) != length:
        raise UsageError(f"{call}: {what} has {length} values for {len(x)} places: give one each")
    if y.ndim < 2:
        return Series(name, x, tuple(np.atleast_1d(y).tolist()))
    middle, low, high = (tuple(f(y, axis=0).tolist()) for f in (np.median, np.min, np.max))
    return Series(name, x, middle, low, high, runs=len(y))


def _numbers(call: str, what: str, values: Any) -> np.ndarray:
    given = values.numpy() if hasattr(values, "numpy") else values
    if isinstance(given, Iterable) and not isinstance(given, (np.ndarray, str)):
        given = list(given)
    try:
        found = np.asarray(given)
        if found.dtype.kind not in "iufb":
            raise ValueError
    except ValueError:
        raise UsageError(
            f"{call}: {what} holds something other than real numbers, or rows of different lengths"
        ) from None
    return found.astype(float) if found.dtype.kind != "i" else found


def _missing(y: float) -> bool:
    return isinstance(y, float) and math.isnan(y)
