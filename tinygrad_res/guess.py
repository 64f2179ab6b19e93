"""A word that is not among the choices: the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return a question to end an error with, or nothing where no choice is near.

    >>> did_you_mean("V1", ["x", "V_1", "W_1"])
    " (did you mean 'V_1'?)"
    >>> did_you_mean("bias", ["x", "V_1", "W_1"])
    ''
    """
    known = {choice.casefold(): choice for choice in reversed(list(choices))}
    near = difflib.get_close_matches(word.casefold(), known, 1)
    return f" (did you mean {known[near[0]]!r}?)" if near else ""
