"""Derivatives along a line, found without any derivative rule.

Five-point differences at two steps; where these disagree, at smaller steps, until they
settle.  One-sided differences come from the same points: where left and right slopes
differ however small the step, the function has a kink.  Where the function also runs
on complex numbers, the derivative is Im f(x + ih v) / h with a step so small that it
is exact (Squire and Trapp 1998, "Using complex variables to estimate derivatives of
real functions"); since that is wrong for functions such as abs or conj, without any
sign of it, it is used where the differences agree with it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__tracebackhide__ = True  # pytest shows the test's own line

STEPS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
CURVATURE_STEPS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6)
COMPLEX_STEP = 1e-40
KINK = 1e-4  # left and right slopes that differ by more than this share of their size
NOISE = 1e3 * np.finfo(np.float64).eps  # relative error to expect of a function's values
LEAST_NOISE = 4 * np.finfo(np.float64).eps  # where terms of size 1 cancel to nothing


@dataclass(frozen=True)
class Slope:
    """The derivative of every output along a line.

    Attributes:
        value: the derivative, a vector.
        error: an estimate of its error, a vector.
        left, right: the one-sided derivatives at the smallest step that was needed.
        kink: where the function is not differentiable.
    """

    value: Any
    error: Any
    left: Any
    right: Any
    kink: Any


def slope(line: Callable[[Any], Any], scale: float = 1.0, analytic: bool = True) -> Slope:
    """Return the derivative at 0 of ``line``, a function from a number to a vector.

    Args:
        line: ``t -> f(x + t v)``, flattened.
        scale: the size of x, by which steps are multiplied where it is above 1.
        analytic: try the complex step: ``line`` may be called with a complex number.

    >>> found = slope(lambda t: np.array([np.exp(t), abs(t)]))
    >>> found.value, found.kink
    (array([1., 0.]), array([False,  True]))
    """
    unit = max(1.0, scale)
    levels = [_level(line, step * unit) for step in STEPS[:2]]
    size, floor = _size(levels[-1]), _floor(levels)
    smooth = (
        np.abs(levels[0].value - levels[1].value) <= 1e-7 * size + 10 * floor[1]
    ) & (_jump(levels[1]) <= 1e-7 * size + 10 * floor[1] + 0.1 * _jump(levels[0]))  # fmt: skip
    if not smooth.all():
        levels += [_level(line, step * unit) for step in STEPS[2:]]
    found = _settled(levels)
    return _analytic(line, found) if analytic else found


@dataclass(frozen=True)
class _Level:
    """The differences of one step."""

    step: float
    middle: Any
    value: Any
    left: Any
    right: Any


def _level(line: Callable[[Any], Any], step: float) -> _Level:
    with np.errstate(all="ignore"):
        f = {k: np.asarray(line(k * step), dtype=np.float64) for k in (-2, -1, 0, 1, 2)}
        return _Level(
            step,
            f[0],
            (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * step),
            (3 * f[0] - 4 * f[-1] + f[-2]) / (2 * step),
            (4 * f[1] - 3 * f[0] - f[2]) / (2 * step),
        )


def _size(level: _Level) -> Any:
    with np.errstate(invalid="ignore"):
        sizes = np.abs(np.array([level.value, level.left, level.right]))
        return np.where(np.isfinite(sizes), sizes, 0.0).max(axis=0)


def _jump(level: _Level) -> Any:
    with np.errstate(invalid="ignore"):
        return np.abs(level.right - level.left)


def _floor(levels: list[_Level]) -> list[float]:
    """Return, for each step, the difference of slopes that rounding alone explains."""
    values = np.abs(levels[0].middle[np.isfinite(levels[0].middle)])
    noise = NOISE * float(values.max(initial=0.0)) + LEAST_NOISE
    return [noise / level.step for level in levels]


def _settled(levels: list[_Level]) -> Slope:
    """Choose for each output the step from which on its differences change least."""
    with np.errstate(invalid="ignore"):
        values = np.array([level.value for level in levels])
        changes = np.abs(np.diff(values, axis=0))
        size, floor = _size(levels[-1]), _floor(levels)
        if len(levels) > 2:  # larger steps may agree by chance, beyond a kink or a pole
            away = np.abs(values[1:] - values[-1]) > 10 * KINK * size + 10 * floor[-1]
            changes[away] = np.inf
    changes[~np.isfinite(changes)] = np.inf
    best = changes.argmin(axis=0)
    at = np.arange(values.shape[1])
    value, error = values[best + 1, at], changes[best, at]
    last, before = levels[-1], levels[-2]
    kink = ~np.isfinite(last.middle)
    if len(levels) > 2:
        bound = KINK * size + 10 * floor[-1]
        fine, coarse = _jump(last), _jump(before)
        kink |= ~(fine <= bound) & ~(coarse <= bound) & ~(fine < 0.3 * coarse)
        kink |= error > 10 * KINK * size + 10 * floor[-1]
    return Slope(value, error, last.left, last.right, kink)


def _analytic(line: Callable[[Any], Any], found: Slope) -> Slope:
    """Take the complex step's derivative wherever the differences agree with it."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error")
            out = np.asarray(line(1j * COMPLEX_STEP))
    except Exception:
        return found  # the function does not take complex numbers
    if out.shape != found.value.shape or not np.iscomplexobj(out):
        return found
    value = out.imag / COMPLEX_STEP
    with np.errstate(invalid="ignore"):
        bound = 1e-5 * np.abs(found.value) + 10 * found.error + 1e-9
        agrees = (np.abs(value - found.value) <= bound) & ~found.kink
    return Slope(
        np.where(agrees, value, found.value),
        np.where(agrees, 0.0, found.error),
        found.left,
        found.right,
        found.kink,
    )


def curvature(line: Callable[[float], Any], scale: float = 1.0) -> tuple[Any, Any]:
    """Return the second derivative at 0 of ``line`` and an estimate of its error.

    >>> value, error = curvature(lambda t: np.array([np.exp(2 * t)]))
    >>> bool(abs(value[0] - 4) < 1e-6)
    True
    """
    values, noise = [], []
    for step in CURVATURE_STEPS:
        h = step * max(1.0, scale)
        with np.errstate(all="ignore"):
            f = {k: np.asarray(line(k * h), dtype=np.float64) for k in (-2, -1, 0, 1, 2)}
            values.append((16 * (f[1] + f[-1]) - 30 * f[0] - (f[2] + f[-2])) / (12 * h * h))
        noise.append(np.finfo(np.float64).eps * np.abs(f[0]).max(initial=0.0) / (h * h))
    with np.errstate(invalid="ignore"):
        changes = np.abs(np.diff(values, axis=0))
    errors = np.maximum(changes[:-1], changes[1:]) + np.array(noise[1:-1])[:, None]
    errors[~np.isfinite(errors)] = np.inf
    best, at = errors.argmin(axis=0), np.arange(len(values[0]))
    return np.array(values)[best + 1, at], errors[best, at]
