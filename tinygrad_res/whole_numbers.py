"""Whole numbers: as arguments, of any integer type, and as counts that are written down."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from decimal import Decimal
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


def in_digits(number: int) -> str:
    """Write a whole number in all of its digits, of which ``str`` refuses some thousands.

    >>> len(in_digits(2**20000))
    6021
    """
    return str(Decimal(number))


def in_words(number: int, longest: int = 40) -> str:
    """Write a whole number for a message: in digits, or by its power of ten where they are many.

    Python refuses to write some thousands of digits.

    >>> in_words(-12), in_words(2**20000), in_words(-(3**20000))
    ('-12', 'about 10^6021', 'about -10^9542')
    """
    if abs(number) < 10**longest:
        return str(number)
    return f"about {'-' * (number < 0)}10^{math.log10(abs(number)):.0f}"


def as_power(count: int, otherwise: Callable[[int], str] = in_words) -> str:
    """Write a count of paths as a power of two where it is one, else as ``otherwise`` does.

    >>> as_power(2**54), as_power(1), as_power(12)
    ('2^54', '1', '12')
    """
    is_power = count > 1 and count & (count - 1) == 0
    return f"2^{count.bit_length() - 1}" if is_power else otherwise(count)
