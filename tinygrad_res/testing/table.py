"""The table that a failed check prints: entry, expected, got.

The first line says what failed, the table shows the worst entries, and the last line
says in words what kind of mistake the numbers look like, where one is recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__tracebackhide__ = True  # pytest shows the test's own line

ROWS = 10


class GradientCheckError(AssertionError):
    """A derivative, a formula or a sum over paths that is not what it must be."""


def assert_close(
    what: str,
    expected: Any,
    got: Any,
    tolerance: Any,
    diagnose: Callable[[Any, Any], str | None] | None = None,
) -> None:
    """Raise unless ``|got - expected| <= tolerance`` at every entry, with the table.

    Args:
        what: what was compared, for the first line.
        expected, got: arrays of the same shape.
        tolerance: a number, or an array of that shape.
        diagnose: says what two arrays that differ look like, or ``None``.

    Raises:
        GradientCheckError: they differ; not-a-number differs from everything.

    >>> import numpy as np
    >>> assert_close("reverse mode, argument 0", np.array([1.0, 2.0]), np.array([1.0, -2.0]), 1e-6)
    Traceback (most recent call last):
    tinygrad_res.testing.table.GradientCheckError: reverse mode, argument 0: 1 of 2 entries differ
      entry  expected  got
      [1]    2         -2
    """
    wrong = differing(expected, got, tolerance)
    if wrong.any():
        entries = [tuple(map(int, at)) for at in np.argwhere(wrong)]
        rows = [(label(at), expected[at], got[at]) for at in entries]
        why = diagnose(expected, got) if diagnose else None
        raise GradientCheckError(message(what, rows, wrong.size, why))


def differing(expected: Any, got: Any, tolerance: Any) -> Any:
    """Return where two arrays of one shape differ by more than the tolerance."""
    with np.errstate(invalid="ignore"):
        return ~(np.abs(got - expected) <= tolerance)


def label(index: Sequence[int]) -> str:
    """Return how the table calls the entry at ``index``."""
    return str(list(index)) if index else "the only one"


def message(
    what: str, rows: Sequence[tuple[str, Any, Any]], entries: int, diagnosis: str | None
) -> str:
    """Return the text of a failure.

    Args:
        what: what was compared.
        rows: label, expected and got for each entry that differs.
        entries: how many entries were compared.
        diagnosis: what the mistake looks like.
    """
    by_size = sorted(rows, key=lambda row: -_difference(row[1], row[2]))
    shown = [(name, f"{e:.8g}", f"{g:.8g}") for name, e, g in by_size[:ROWS]]
    columns = [("entry", "expected", "got"), *shown]
    widths = [max(len(row[k]) for row in columns) for k in range(3)]
    lines = [f"{what}: {len(rows)} of {entries} entries differ"]
    lines += [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in columns
    ]
    if len(rows) > ROWS:
        lines.append(f"  and {len(rows) - ROWS} more, which differ less")
    if diagnosis:
        lines.append(f"looks like: {diagnosis}")
    return "\n".join(lines)


def _difference(expected: Any, got: Any) -> float:
    size = abs(float(got) - float(expected))
    return size if np.isfinite(size) else np.inf
