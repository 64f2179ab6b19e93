"""Nested tuples, lists and dicts of values, as functions take and return them.

A tree is a value, or a tuple, a named tuple, a list or a dict of trees; ``None`` is a tree
without values.  Its structure is the same tree with ``Ellipsis`` in place of each value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Return the values of ``tree``, depth first, and its structure.

    >>> flatten({"w": [1.0, 2.0], "b": 3.0})
    ([1.0, 2.0, 3.0], {'w': [Ellipsis, Ellipsis], 'b': Ellipsis})
    """
    values: list[Any] = []

    def take(value: Any) -> Any:
        values.append(value)
        return ...

    return values, transform(take, tree)


def values_as(structure: Any, tree: Any) -> list[Any]:
    """Return the values of a ``tree`` that must have this structure.

    Where the structure has a value, whatever stands in the tree is one.

    Raises:
        ValueError: the tree is built differently.

    >>> values_as((..., ...), (1.0, [2.0, 3.0]))
    [1.0, [2.0, 3.0]]
    """
    if structure is ...:
        return [tree]
    alike = type(tree) is type(structure) or (
        isinstance(tree, dict) and isinstance(structure, dict)
    )
    if alike and isinstance(tree, dict):
        alike = tree.keys() == structure.keys()
        pairs = [(structure[key], tree.get(key)) for key in structure]
    elif alike and tree is not None:
        alike = len(tree) == len(structure)
        pairs = list(zip(structure, tree))
    else:
        pairs = []
    if not alike:
        raise ValueError("trees are built differently")
    return [value for part, subtree in pairs for value in values_as(part, subtree)]


def unflatten(structure: Any, values: Iterable[Any]) -> Any:
    """Return the tree of ``structure`` with ``values`` in their places.

    >>> unflatten((..., [...]), [1.0, 2.0])
    (1.0, [2.0])
    """
    each = iter(values)
    return transform(lambda _: next(each), structure)


def transform(f: Callable[[Any], Any], tree: Any) -> Any:
    """Return the tree with ``f`` of each value in the value's place."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: transform(f, part) for key, part in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[transform(f, part) for part in tree])
    if isinstance(tree, (list, tuple)):
        return type(tree)([transform(f, part) for part in tree])
    return f(tree)
