"""Which number stands on the edge of a product: ``W[0, 1]`` on the way from ``z[1]`` to ``x[0]``.

The edge from a product's element to one operand's element carries an element of the other
operand.  Its value is the edge's derivative; which element it is, the terms that the
product declares tell.  A weight that was transposed or reshaped on the way is followed back
to itself.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_res import nests
from tinygrad_res.errors import GradientError
from tinygrad_res.expansion import entries
from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphEdge
from tinygrad_res.record import Leaf, Node

from .. import text
from ..text import Runs
from .symbols import indexed, named

MOST_TERMS = 200_000
_OTHERS = ("y", "h", "a", "operand")
_CONSTANTS = ("c", "k", "b", "constant")
_Place = tuple[int, ...]


@dataclass(frozen=True)
class Factor:
    """An element of the other operand of a product.

    Attributes:
        symbol: what the figure calls it.
        array: what it calls the whole operand.
        record: the operand; ``None`` for an array that was not recorded.
        element: the index in it, where it is known.
    """

    symbol: Runs
    array: Runs = ()
    record: Node | None = None
    element: _Place | None = None


class Factors:
    """The factors on the edges of a graph at scalar level, each product looked at once.

    Args:
        graph: at scalar level.
        drawn: the symbols of the elements that are drawn, by their record and index.
        taken: letters that are in use.
    """

    def __init__(
        self,
        graph: Graph,
        drawn: dict[tuple[Node | None, _Place | None], Runs],
        taken: Collection[str],
    ) -> None:
        self._graph, self._drawn = graph, drawn
        self._letters = [
            next(c for c in choice if c not in taken) for choice in (_OTHERS, _CONSTANTS)
        ]
        self._found: dict[tuple[Node, int], dict[tuple[int, int], int]] = {}
        self.symbols: tuple[str, ...] = ()

    def of(self, edge: GraphEdge) -> Factor | None:
        """Return what stands on an edge, or ``None`` where it is no product's."""
        if edge.family != "contraction":
            return None
        output = self._graph.nodes[edge.source]
        bare = Factor(named(edge.label), named(edge.label))
        if output.recorded is None:
            return bare
        record: Any = output.recorded
        key = (record, edge.position)
        if key not in self._found:
            self._found[key] = _terms(record, edge.position)
        operand = self._graph.nodes[edge.target]
        pair = _flat(output.element, record.shape), _flat(operand.element, _shapes(*key)[key[1]])
        flat = self._found[key].get(pair)
        other = record.parents[1 - edge.position]
        if flat is None:
            return bare
        shape = _shapes(*key)[1 - edge.position]
        place = _unravel(flat, shape)
        if other is None:
            if bare.symbol != text.plain("·"):
                return Factor(indexed(bare.array, place, shape), bare.array, None, place)
            return self._lettered(1, "an array that no gradient leads to", None, place, shape)
        found = _origin(other, place, bare)
        if found.record is None or found.record.name or found.record.primitive is None:
            return found
        known = self._drawn.get((found.record, found.element))
        if known:
            return replace(found, symbol=known, array=known)
        words = "a value without a name, off the paths"
        return self._lettered(0, words, found.record, found.element, found.record.shape)

    def _lettered(
        self, which: int, words: str, record: Node | None, place: _Place | None, shape: _Place
    ) -> Factor:
        """Return a factor that gets a letter for a name, and remember what the letter means."""
        letter = self._letters[which]
        self.symbols = tuple(dict.fromkeys((*self.symbols, f"{letter}: {words}")))
        array = text.plain(letter)
        return Factor(indexed(array, place, shape), array, record, place)


def _origin(record: Node, place: _Place, bare: Factor) -> Factor:
    """Follow an element back to the array that has a name."""
    start, at_start = record, place
    while not record.name and record.primitive is not None:
        if record.primitive.family != "structural" or len(record.parents) != 1:
            return Factor(bare.symbol, bare.array, start, at_start)
        try:
            rows, columns, _ = entries(record, 0)
        except GradientError:
            return Factor(bare.symbol, bare.array, start, at_start)
        found = columns[rows == _flat(place, record.shape)]
        parent = record.parents[0]
        if parent is None or len(found) != 1:
            return Factor(bare.symbol, bare.array, start, at_start)
        record, place = parent, _unravel(int(found[0]), parent.shape)
    weight = isinstance(record, Leaf) and record.is_parameter
    name = named(record.name) if record.name else text.plain("W" if weight else "x")
    return Factor(indexed(name, place, record.shape), name, record, place)


def _terms(record: Any, position: int) -> dict[tuple[int, int], int]:
    """Return the other operand's element for each pair that meets in exactly one term."""
    if record.primitive.terms is None:
        return {}
    shapes = _shapes(record, position)
    declared = record.primitive.terms(*shapes, **record.params)
    if sum(nests.count(nest, shapes) for nest in declared) > MOST_TERMS:
        return {}
    found: dict[tuple[int, int], int] = {}
    twice = set()
    for nest in declared:
        columns = (part.tolist() for part in nests.terms(nest, shapes, position))
        for row, column, other in zip(*columns, strict=True):
            if (row, column) in found:
                twice.add((row, column))
            found[row, column] = other
    return {pair: other for pair, other in found.items() if pair not in twice}


def _shapes(record: Any, position: int) -> list[tuple[int, ...]]:
    """Return the shapes of both operands and of the output."""
    other = record.parents[1 - position]
    shapes = [record.saved[2 - position].shape if other is None else other.shape, record.shape]
    shapes.insert(position, record.parents[position].shape)
    return shapes


def _flat(element: _Place | None, shape: _Place) -> int:
    return int(np.ravel_multi_index(element, shape)) if element else 0


def _unravel(flat: int, shape: _Place) -> _Place:
    return tuple(map(int, np.unravel_index(flat, shape))) if math.prod(shape) and shape else ()
