"""Ticks of axes: round numbers, few of them, for counts and for logarithms."""

from __future__ import annotations

import math

from . import text


def nice(step: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, ... from ``step`` on.

    >>> nice(3.0), nice(0.2), nice(60.0)
    (5.0, 1.0, 100.0)
    """
    size = 10.0 ** math.floor(math.log10(max(step, 1.0)))
    return next(size * f for f in (1, 2, 5, 10) if size * f >= step - 1e-9)


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return where ticks stand on an axis of base-10 logarithms, and their labels.

    Powers of ten where the axis spans several, otherwise 1, 2 and 5 times them.

    >>> log_ticks(-0.1, 16.0)
    [(0, '10⁰'), (5, '10⁵'), (10, '10¹⁰'), (15, '10¹⁵')]
    >>> [label for _, label in log_ticks(-0.1, 0.6)]
    ['1', '2', '3']
    >>> [label for _, label in log_ticks(-4.9, 0.6)]
    ['10⁻⁴', '10⁻²', '10⁰']
    """
    wide = round(nice((high - low) / 4))
    for step in (wide, max(1, wide // 2)):
        levels = range(math.ceil(low / step) * step, math.floor(high) + 1, step)
        if len(levels) >= 3:
            return [(level, f"10{text.raised(level)}") for level in levels]
    decades = range(math.floor(low), math.floor(high) + 1)
    for factors in ((1, 2, 5), (1, 2, 3, 4, 5), range(1, 10)):
        found = [
            (k + math.log10(m), _label(m, k))
            for k in decades
            for m in factors
            if low <= k + math.log10(m) <= high
        ]
        if len(found) >= 3:
            break
    return found


def _label(m: int, k: int) -> str:
    """Write m times 10^k."""
    if -3 <= k <= 3:
        return f"{m * 10**k:g}" if k >= 0 else f"{m * 10.0**k:.{-k}f}"
    return (
        f"10{text.raised(k)}"
        if m == 1
        else f"{m}{text.THIN_SPACE}·{text.THIN_SPACE}10{text.raised(k)}"
    )
