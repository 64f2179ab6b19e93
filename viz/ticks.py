"""Ticks of axes: round numbers, few of them, for counts and for logarithms."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from . import text

MOST_DEGREES = 10


def nice(step: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, ... from ``step`` on.

    >>> nice(3.0), nice(0.2), nice(60.0)
    (5.0, 1.0, 100.0)
    """
    size = 10.0 ** math.floor(math.log10(max(step, 1.0)))
    return next(size * f for f in (1, 2, 5, 10) if size * f >= step - 1e-9)


def degree_ticks(degrees: Collection[int], most: int = MOST_DEGREES) -> list[int]:
    """Return where ticks stand on an axis of degrees: at degrees that occur, where they are regular.

    Where there are more than ``most``, at multiples of a round number, if these occur.

    >>> degree_ticks([0, 2, 4, 6])
    [0, 2, 4, 6]
    >>> degree_ticks(range(0, 41, 2))
    [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40]
    >>> degree_ticks([0])
    [0]
    >>> degree_ticks(range(2, 15, 2), most=5), degree_ticks(range(3, 16, 2), most=5)
    ([4, 8, 12], [3, 7, 11, 15])
    """
    found = sorted(degrees)
    if len(found) <= most:
        return found
    apart = math.gcd(*(degree - found[0] for degree in found))
    step = apart * round(nice((found[-1] - found[0]) / apart / most))
    first = found[0] if found[0] % apart else -(-found[0] // step) * step
    return list(range(first, found[-1] + 1, step))


def logs_of(values: Mapping[int, float]) -> dict[int, float]:
    """Return the base-10 logarithms of those values that have one."""
    return {k: math.log10(v) for k, v in values.items() if 0 < v < math.inf}


def unplotted(norms: dict[int, float]) -> str:
    """Say which gradient norms a logarithmic axis cannot show, and why.

    >>> unplotted({0: 1.0, 1: math.inf, 2: math.nan})
    'not finite above degree 0'
    >>> unplotted({0: 0.0, 1: 2.0})
    'zero at degree 0'
    >>> unplotted({0: 0.0, 1: 0.0})
    'the gradient is zero'
    """
    zero = [k for k, norm in norms.items() if norm == 0]
    wild = [k for k, norm in norms.items() if not math.isfinite(norm)]
    if norms and len(zero) == len(norms):
        return "the gradient is zero"
    if norms and len(wild) == len(norms):
        return "the gradient is not finite"
    said = [f"zero at {_listed(zero)}"] if zero else []
    tame = [k for k in norms if k not in wild]
    if wild and min(wild) > max(tame):
        said.append(f"not finite above degree {max(tame)}")
    elif wild:
        said.append(f"not finite at {_listed(wild)}")
    return "; ".join(said)


def _listed(degrees: list[int]) -> str:
    if len(degrees) > 4:
        return f"{len(degrees)} degrees"
    return f"degree{'s' * (len(degrees) > 1)} {', '.join(map(str, degrees))}"


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
