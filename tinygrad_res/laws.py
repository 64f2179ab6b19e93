"""The laws of a semiring, tried on values: what a sum over paths by one sweep rests on.

A sweep adds and multiplies in an order of its own, paths that share an edge at once.  That gives
the sum over all paths only where multiplication distributes over addition, zero and one are neutral,
and factors commute (Mohri 2002, Semiring frameworks and algorithms for shortest-distance problems).
A user's functions cannot be proved to obey, but what breaks a law mostly shows in a few values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import UsageError

Operation = Callable[[Any, Any], Any]


def hold(plus: Operation, times: Operation, zero: Any, one: Any, labels: list[Any]) -> None:
    """Try the laws of a semiring on a few labels, before a sweep rests on them.

    ``plus`` may depend on the order of its operands, which is that of the paths.

    Raises:
        UsageError: one does not hold; the message has the values.
    """
    some = labels[:: max(1, len(labels) // 3)][:3]
    if all(isinstance(label, (int, float, np.number)) for label in labels):
        some += [min(labels), max(labels)] if labels else []
    laws = {
        "plus(zero, a) = a": lambda a, b, c: (plus(zero, a), a),
        "times(one, a) = a": lambda a, b, c: (times(one, a), a),
        "times(zero, a) = zero": lambda a, b, c: (times(zero, a), zero),
        "times(a, b) = times(b, a)": lambda a, b, c: (times(a, b), times(b, a)),
        "plus(a, plus(b, c)) = plus(plus(a, b), c)": lambda a, b, c: (
            plus(a, plus(b, c)), plus(plus(a, b), c)
        ),
        "times(a, plus(b, c)) = plus(times(a, b), times(a, c))": lambda a, b, c: (
            times(a, plus(b, c)), plus(times(a, b), times(a, c))
        ),
    }  # fmt: skip
    for (law, sides), (a, b, c) in itertools.product(
        laws.items(), itertools.product(some, repeat=3)
    ):
        left, right = sides(a, b, c)
        if not _alike(left, right):
            raise UsageError(
                f"semiring: {law} does not hold for a = {a!r}, b = {b!r}, c = {c!r}: the sides are "
                f"{left!r} and {right!r}, so a sweep would not give the sum over all paths"
            )


def _alike(a: Any, b: Any) -> bool:
    """Say whether two values are equal, numbers up to rounding."""
    if isinstance(a, (int, float, np.number)) and isinstance(b, (int, float, np.number)):
        return bool(a == b) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return bool(np.all(a == b))
