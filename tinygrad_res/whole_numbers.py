"""Whole numbers as arguments: any integer type, and a clear word for anything else."""

from __future__ import annotations

import operator
from typing import Any

from .errors import UsageError


def whole(number: Any) -> int | None:
    """Return an integer of any kind as an int, and ``None`` for anything else."""
    try:
        return operator.index(number)
    except TypeError:
        return None


def at_least(least: int, name: str, what: str, number: Any) -> int:
    """Return a number as an int.

    Raises:
        UsageError: it is no whole number, or less than ``least``.
    """
    found = whole(number)
    if found is None or found < least:
        raise UsageError(f"{name}: {what}={number!r}: pass an int of at least {least}")
    return found
