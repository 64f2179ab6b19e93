"""Settings of an experiment: what is meant where the caller says nothing, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ..errors import UsageError
from ..whole_numbers import at_least
from .outcome import filled, number


def settled(
    name: str, defaults: Mapping[bool, Mapping[str, Any]], quick: bool, **given: Any
) -> dict[str, Any]:
    """Return each setting as it was given, or the default of the quick or the full run.

    Args:
        name: of the experiment, for errors.
        defaults: by ``quick``, the value of each setting: a whole number, or a tuple of them.
        quick: which of the two.
        given: the settings; ``None`` where left out.

    Raises:
        UsageError: a number is less than 1, or a tuple is empty or holds one number twice.

    >>> settled("depths", {True: {"runs": 1}, False: {"runs": 3}}, True, runs=None)
    {'runs': 1}
    """
    found = {}
    for key, value in given.items():
        default = defaults[bool(quick)][key]
        if value is None:
            found[key] = default
        elif isinstance(default, tuple):
            found[key] = several(name, key, value)
        else:
            found[key] = at_least(1, name, key, value)
    return found


def several(name: str, key: str, values: Any) -> tuple[int, ...]:
    """Return different whole numbers from 1 on as a tuple.

    Raises:
        UsageError: there is none, one comes twice, or one is less than 1.
    """
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise UsageError(f"{name}: {key}={values!r}: pass several ints, such as (8, 20)")
    found = tuple(at_least(1, name, f"{key}[{i}]", value) for i, value in enumerate(values))
    if len(set(found)) < len(found):
        raise UsageError(f"{name}: {key}={values!r}: each number once")
    return found


def seeds(name: str, seed: int, runs: int) -> tuple[int, ...]:
    """Return the seeds of the runs, from ``seed`` on.

    Raises:
        UsageError: ``seed`` is negative.
    """
    first = at_least(0, name, "seed", seed)
    return tuple(range(first, first + runs))


def counted(runs: Sequence[int]) -> str:
    """Write how many runs there are.

    >>> counted((3,)), counted((0, 1))
    ('1 run', '2 runs')
    """
    return f"{len(runs)} run{'' if len(runs) == 1 else 's'}"


def numbered(runs: Sequence[int]) -> str:
    """Write the seeds of runs that are numbered through.

    >>> numbered((3,)), numbered((0, 1, 2))
    ('seed 3', 'seeds 0 to 2')
    """
    return f"seed {runs[0]}" if len(runs) == 1 else f"seeds {runs[0]} to {runs[-1]}"


def ranged(runs: Sequence[int]) -> str:
    """Say what ``spread`` writes, where there are several runs to spread.

    >>> counted((0, 1)) + ranged((0, 1)), counted((3,)) + ranged((3,))
    ('2 runs, median (range)', '1 run')
    """
    return ", median (range)" * (len(runs) > 1)


def quickly(quick: bool, words: str) -> list[str]:
    """Return the sentence that a quick run's table ends with, and none for a full one.

    >>> quickly(True, "10 steps"), quickly(False, "10 steps")
    (['quick setting: 10 steps'], [])
    """
    return [filled(f"quick setting: {words}")] * bool(quick)


def spread(values: Sequence[float]) -> str:
    """Write the median of several runs, and their range where they differ.

    >>> spread([6.1, 5.9, 7.0]), spread([1.0])
    ('6.1 (5.9 to 7)', '1')
    """
    middle, low, high = (number(float(f(values))) for f in (median, min, max))
    return middle if low == high else f"{middle} ({low} to {high})"
