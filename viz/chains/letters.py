"""Letters: what formulas call derivatives by, as far as the user's own names leave them free.

A weight called ``P_1`` beside the shortcut P of block 1 could not be told from it.  So each
letter has others that stand in for it, and the legend tells which are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_CHOICES = {"I": "IEU", "J": "JKB", "P": "PQH", "M": "MND", "S": "STA", "R": "RVC", "g": "gqu"}
"""For each letter those that may be used, the first that is free; no two share any."""
_NAME = re.compile(r"([A-Za-z])(_.*|\{?\d.*)?", re.DOTALL)

LETTERS = {letter: letter for letter in _CHOICES}
"""The letters of a chain with names that leave them all free."""


def letters_for(names: Iterable[str]) -> dict[str, str]:
    """Return the letter to write for each of the usual ones, none of which begins a name.

    >>> found = letters_for(["W", "P_1", "g", "Jacobian"])
    >>> found["P"], found["g"], found["J"]
    ('Q', 'q', 'J')
    """
    taken = {found[1] for found in map(_NAME.fullmatch, names) if found}
    return {
        letter: next((choice for choice in choices if choice not in taken), letter)
        for letter, choices in _CHOICES.items()
    }
