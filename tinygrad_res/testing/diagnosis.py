"""What kind of mistake the numbers look like: sign, factor, transpose, missing sum.

Each recogniser compares what was expected with what came, and returns a sentence or
``None``.  The first that knows the pattern names it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__tracebackhide__ = True  # pytest shows the test's own line

TOLERANCE = 1e-5


def close(a: Any, b: Any) -> bool:
    """Say whether two arrays agree well enough to recognise a pattern."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    size = max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0))
    return bool(np.all(np.abs(a - b) <= TOLERANCE * size))


@dataclass(frozen=True)
class Pulled:
    """How an expected gradient came about: a Jacobian times a cotangent.

    Attributes:
        jacobian: a row for each entry of the argument, a column for each output.
        cotangent: of the output's shape.
    """

    jacobian: Any
    cotangent: Any


def diagnose(expected: Any, got: Any, pulled: Pulled | None = None) -> str | None:
    """Return what a wrong array looks like, or ``None``.

    Args:
        expected, got: arrays of the same shape.
        pulled: how ``expected`` came about, for a gradient.

    >>> diagnose(np.array([1.0, -2.0]), np.array([-1.0, 2.0]))
    'the sign is wrong everywhere (got = -1 * expected)'
    """
    if not np.isfinite(got).all():
        return "not-a-number or infinity: a division by zero or an overflow in the rule"
    if not np.any(got):
        return "nothing arrives: the value was detached from its record, or the rule is missing"
    if close(got, -expected):
        return "the sign is wrong everywhere (got = -1 * expected)"
    return (
        (
            _unbroadcast(expected, got, pulled.jacobian * pulled.cotangent.ravel())
            if pulled
            else None
        )
        or factor(expected, got, {})
        or swapped(expected, got)
        or (_misread(got, pulled) if pulled else None)
        or _reversed(expected, got)
        or _conjugate(expected, got)
        or _permuted(expected, got)
    )


def shapes(expected: tuple[int, ...], got: tuple[int, ...]) -> str | None:
    """Return what a wrong shape looks like, or ``None``."""
    if len(expected) == len(got) and expected != got and sorted(expected) == sorted(got):
        return "axes are swapped: a transpose is missing, or one too many"
    try:
        stretched = np.broadcast_shapes(expected, got) == got
    except ValueError:
        stretched = False
    if stretched:
        axes = _stretched(expected, got)
        return f"the sum over {axes} is missing, which broadcasting stretched (missing unbroadcast)"
    if int(np.prod(expected)) == int(np.prod(got)):
        return "the right number of entries in another shape: a reshape is missing"
    return None


def _stretched(expected: tuple[int, ...], got: tuple[int, ...]) -> str:
    padded = (1,) * (len(got) - len(expected)) + expected
    new = len(got) - len(expected)
    axes = [k for k in range(len(got)) if k < new or padded[k] != got[k]]
    return ("axis " if len(axes) == 1 else "axes ") + ", ".join(map(str, axes))


def ratio(expected: Any, got: Any) -> float | None:
    """Return the constant c with got = c * expected, or ``None`` where there is none.

    >>> ratio(np.array([1.0, 2.0]), np.array([0.5, 1.0]))
    0.5
    """
    square = float(np.sum(expected * expected))
    c = float(np.sum(expected * got)) / square if square else 0.0
    return c if c and close(got, c * expected) else None


def factor(expected: Any, got: Any, lengths: Mapping[str, int]) -> str | None:
    """Return by which constant factor an array is wrong, or ``None``.

    Args:
        lengths: numbers that a factor may come from, by what they are.
    """
    c = ratio(expected, got)
    if c is None or expected.size < 2:  # one number is always a multiple of another
        return None
    return f"a constant factor is wrong: got = {c:.6g} * expected{_origin(c, lengths)}"


def _origin(c: float, lengths: Mapping[str, int]) -> str:
    size = abs(c)
    for what, n in lengths.items():
        if n > 1 and np.isclose(size, n, rtol=1e-4):
            return f", and {n} is {what}"
        if n > 1 and np.isclose(1 / size, n, rtol=1e-4):
            return f", and that is 1 / {n}, {n} being {what}"
    return ""


def swapped(expected: Any, got: Any) -> str | None:
    """Return which axes changed places, or ``None``."""
    n = expected.ndim
    for axes in itertools.permutations(range(n)) if 2 <= n <= 4 else ():
        if axes != tuple(range(n)) and close(np.transpose(expected, axes), got):
            if n == 2:
                return "axes are swapped: it is the transpose of what it must be"
            return f"axes are swapped: it is what it must be with its axes in the order {axes}"
    return None


def _reversed(expected: Any, got: Any) -> str | None:
    for axis in range(expected.ndim):
        if close(np.flip(expected, axis), got):
            return f"the elements run backwards along axis {axis}"
    return None


def _conjugate(expected: Any, got: Any) -> str | None:
    """Recognise a sign that is wrong in one slice: of pairs (real, imaginary), one part."""
    if not close(np.abs(expected), np.abs(got)):
        return None
    wrong = (expected * got < 0) & (expected != 0)
    for axis in range(expected.ndim):
        for k in range(expected.shape[axis]):
            here = np.zeros(expected.shape, dtype=bool)
            np.moveaxis(here, axis, 0)[k] = True
            if np.array_equal(wrong, here & (expected != 0)):
                return (
                    f"the sign is wrong where the index on axis {axis} is {k}, and right "
                    "elsewhere: a conjugate is missing, or one too many"
                )
    return f"the sign is wrong at {int(wrong.sum())} of {wrong.size} entries"


def _permuted(expected: Any, got: Any) -> str | None:
    if expected.size > 1 and close(np.sort(expected, axis=None), np.sort(got, axis=None)):
        return "the right numbers in the wrong places: elements are permuted"
    return None


def _misread(got: Any, pulled: Pulled) -> str | None:
    """Recognise a gradient for a cotangent whose axes were swapped, or that ran backwards."""
    c = pulled.cotangent

    def gives(other: Any) -> bool:
        return close(pulled.jacobian @ other.ravel(), got.ravel())

    for axes in itertools.permutations(range(c.ndim)) if 2 <= c.ndim <= 4 else ():
        if axes != tuple(range(c.ndim)) and gives(np.transpose(c, axes)):
            return f"axes are swapped: it is the gradient for a cotangent with its axes in the order {axes}"
    for axis in range(c.ndim):
        if gives(np.flip(c, axis)):
            return f"it is the gradient for a cotangent that runs backwards along axis {axis}"
    return None


def _unbroadcast(expected: Any, got: Any, contributions: Any) -> str | None:
    """Recognise one output's share, or the mean of all, where their sum belongs."""
    size = np.abs(contributions).max(initial=0.0)
    counts = (np.abs(contributions) > 1e-9 * size).sum(axis=1)
    if counts.max(initial=0) < 2:
        return None
    misses = np.abs(contributions - got.reshape(-1, 1)).min(axis=1)
    if np.all(misses <= TOLERANCE * size):
        return (
            "one output's share where the sum over all belongs: the sum over what broadcasting "
            "stretched is missing (missing unbroadcast)"
        )
    if close(got.ravel() * counts, expected.ravel()):
        return "the mean over the outputs that use each entry where their sum belongs"
    return None


def second_order(expected: Any, got: Any) -> str:
    """Return what a wrong second derivative looks like, where the first is right."""
    text = diagnose(expected, got)
    why = (
        "the first derivative is right and its own derivative is not: the rule uses values "
        "without their record (stop_gradient, or plain arrays), or its own rule is wrong"
    )
    return f"{why}; {text}" if text else why
