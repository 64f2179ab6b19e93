"""Arguments that are no operands: numbers, words, flags, and values beside the arrays.

Each function returns the argument, or refuses it in the name of the operation before anything
runs.  An array is no number, word or flag: its elements would be fetched from a device.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..errors import DtypeError, ShapeError, UsageError
from ..tensor import raw

REAL = (int, float, np.integer, np.floating, np.bool_)


def number(name: str, what: str, value: Any) -> Any:
    """Return ``value``, a real number.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, REAL):
        raise UsageError(f"{name}: {what} {shown(value)}: give a number")
    return value


def whole(name: str, what: str, value: Any) -> int:
    """Return ``value`` as a Python integer.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, (int, np.integer)):
        raise UsageError(f"{name}: {what} {shown(value)}: give a whole number")
    return int(value)


def flag(name: str, what: str, value: Any) -> bool:
    """Return ``value`` as true or false.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, (int, np.bool_)):
        raise UsageError(f"{name}: {what} {shown(value)}: give True or False")
    return bool(value)


def word(name: str, what: str, value: Any, *choices: str) -> str:
    """Return ``value``, one of the words ``choices``.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, str) or value not in choices:
        *rest, last = map(repr, choices)
        raise UsageError(f"{name}: {what} {shown(value)}: use {', '.join(rest)} or {last}")
    return value


def several(name: str, values: Any) -> list[Any]:
    """Return the operands in a sequence as a list.

    Raises:
        UsageError: there is no sequence.
    """
    try:
        return list(values)
    except TypeError as error:
        raise UsageError(f"{name}: {shown(values)}: give a list of tensors") from error


def beside(name: str, value: Any, *others: Any) -> Any:
    """Return an array as it is, and a number or lists as an array where those of ``others`` are.

    Raises:
        ShapeError: the lists have unequal lengths.
        DtypeError: they hold no real numbers.
    """
    given = backend.is_array(value)
    try:
        array = value if given else np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{name}: lists of unequal lengths make no array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"{name}: {shown(value)}: give arrays, lists or numbers, that are real")
    if given:
        return array
    like = next((raw(x) for x in others if backend.is_array(x)), array)
    return backend.namespace(like).asarray(array)


def shown(value: Any) -> str:
    """Return how a message names a value: arrays by their type alone."""
    return f"of type {type(value).__name__}" if backend.is_array(value) else repr(value)
