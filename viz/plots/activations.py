"""plot_activations: activation functions, and the derivatives that stand on a path's edges.

The derivative is the engine's own.  Where it jumps the curve is broken: open marks show what
it tends to on either side, and a filled mark what the engine takes at the kink itself,
such as 0 for relu.  Kinks are found in the numbers, so functions of your own have them too:
where the derivative still jumps between two places a rounding error apart, it has a kink.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import tinygrad_res as tg
from tinygrad_res.errors import UsageError

from .. import text
from .panel import Panel
from .plot import Plot
from .series import Series, enough

POINTS = 481
_NEAR = 1e-9
_JUMP = 1e-3


class ActivationsPlot(Plot):
    """What ``viz.plot_activations`` returns.

    Attributes:
        at: the places that the functions were evaluated at.
        values, derivatives: arrays over these places, by the name of the function.
        kinks: for each function, the engine's derivative at each kink, by its place.
    """

    def __init__(
        self, panels: list[Panel], at: np.ndarray, values: dict[str, np.ndarray],
        derivatives: dict[str, np.ndarray], kinks: dict[str, dict[float, float]], title: str = "",
    ) -> None:  # fmt: skip
        super().__init__(panels, title)
        self.at, self.values, self.derivatives, self.kinks = at, values, derivatives, kinks


def plot_activations(
    *functions: str | Callable[..., Any] | Mapping[str, Any], low: float = -4.0, high: float = 4.0,
    title: str = "",
) -> ActivationsPlot:  # fmt: skip
    """Plot activation functions and, below, their derivatives as the engine computes them.

    Args:
        functions: names of the engine's functions, such as ``"sigmoid"`` or ``"gelu"``;
            functions of a tensor, element by element; or ``{name: function}``.
        low, high: the stretch to plot.
        title: a line above.

    Returns:
        A plot; ``at``, ``values``, ``derivatives`` and ``kinks`` hold the numbers.

    Raises:
        UsageError: there is no such function, it is none of one tensor element by element, or
            the stretch is empty.

    >>> plot = plot_activations("sigmoid", "relu")
    >>> plot.kinks
    {'sigmoid': {}, 'relu': {0.0: 0.0}}
    >>> float(plot.derivatives["sigmoid"].max())
    0.25
    """
    low, high = _stretch(low, high)
    chosen: dict[str, Callable[..., Any]] = {}
    for one in functions:
        chosen |= _named(one)
    enough("plot_activations", len(chosen))
    at = np.linspace(low, high, POINTS)
    values, derivatives, kinks = {}, {}, {}
    curves, slopes = [], []
    for name, function in chosen.items():
        values[name], derivatives[name] = _evaluated(name, function, at)
        places = _kinks(name, function, at, derivatives[name])
        kinks[name] = {k: float(_evaluated(name, function, np.array([k]))[1][0]) for k in places}
        curves.append(_broken(name, function, at, values[name], places, 0))
        slopes.append(_broken(name, function, at, derivatives[name], places, 1))
    note = "open marks: limits at a kink; filled: the engine's value there" * any(kinks.values())
    panels = [
        Panel("x", "f(x)", tuple(curves), whole=False),
        Panel("x", "derivative f′(x)", tuple(slopes), note=note, whole=False),
    ]
    return ActivationsPlot(panels, at, values, derivatives, kinks, title)


def _stretch(low: float, high: float) -> tuple[float, float]:
    try:
        low, high = float(low), float(high)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(
            f"plot_activations: low={low!r}, high={high!r}: pass two numbers, the smaller first"
        )
    return low, high


def _named(one: Any) -> dict[str, Callable[..., Any]]:
    if isinstance(one, Mapping):
        found = dict(one)
    elif isinstance(one, str):
        found = {one: getattr(tg, one, None) if one in tg.__all__ else None}
    else:
        found = {getattr(one, "__name__", "function"): one}
    for name, function in found.items():
        if not callable(function):
            raise UsageError(
                f"plot_activations: {name!r} is no function: pass one, or the name of one in "
                "tinygrad_res, such as 'sigmoid', 'tanh', 'relu' or 'gelu'"
            )
    return {str(name): function for name, function in found.items()}


def _evaluated(
    name: str, function: Callable[..., Any], at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a function's values and the engine's derivatives."""
    try:
        out, back = tg.vjp(function, at)
        shape = np.shape(out)
        if shape != at.shape:
            raise ValueError(f"it returns shape {shape} for shape {at.shape}")
        (slope,) = back(np.ones_like(at))
    except Exception as error:
        raise UsageError(
            f"plot_activations: {text.clean(name)!r} cannot be plotted ({error}): pass a function of "
            "one tensor, element by element"
        ) from error
    return np.asarray(out, dtype=float), np.asarray(slope, dtype=float)


def _kinks(
    name: str, function: Callable[..., Any], at: np.ndarray, slope: np.ndarray
) -> list[float]:
    """Return where the derivative jumps: between two places, halved until nothing is between."""
    found: list[float] = []
    least = _JUMP * max(1.0, float(np.nanmax(np.abs(slope), initial=0.0)))
    for i in np.flatnonzero(np.abs(np.diff(slope)) > least):
        a, b, left, right = at[i], at[i + 1], slope[i], slope[i + 1]
        while a < (middle := (a + b) / 2) < b and abs(right - left) > least:
            (here,) = _evaluated(name, function, np.array([middle]))[1]
            if abs(here - left) >= abs(right - here):
                b, right = middle, here
            else:
                a, left = middle, here
        if abs(right - left) > least:
            rounded = round(float(b), 6) + 0.0
            place = rounded if abs(rounded - b) < _NEAR else float(a)
            if not any(abs(place - k) < 10 * _NEAR for k in found):
                found.append(place)
    return found


def _broken(
    name: str, function: Callable[..., Any], at: np.ndarray, values: np.ndarray,
    places: list[float], which: int,
) -> Series:  # fmt: skip
    """Return a curve that ends on either side of each kink, and its marks there."""
    near = np.array([k + side * 10 * _NEAR for k in places for side in (-1, 1)])
    edges = _evaluated(name, function, near)[which] if places else np.empty(0)
    own = _evaluated(name, function, np.array(places))[which] if places else np.empty(0)
    jumps = np.abs(edges[1::2] - edges[::2]) > _JUMP
    points = {float(x): float(y) for x, y in zip(at, values, strict=True)}
    limits, marked = [], []
    for k, jump, here, (left, right) in zip(places, jumps, own, edges.reshape(-1, 2), strict=True):
        if jump:
            points |= {k - 10 * _NEAR: float(left), k: math.nan, k + 10 * _NEAR: float(right)}
            limits += [(k, float(side)) for side in (left, right) if abs(side - here) > _JUMP]
            marked.append((k, float(here)))
    ordered = sorted(points.items())
    return Series(
        name, tuple(x for x, _ in ordered), tuple(y for _, y in ordered),
        limits=tuple(limits), values=tuple(marked),
    )  # fmt: skip
