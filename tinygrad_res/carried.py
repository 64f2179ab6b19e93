r"""Carried: what is known of an edge without calculation, a number or a symbol.

==========  ===================================  =================================
step        edge                                 becomes
==========  ===================================  =================================
chain       any                                  its partial derivative
junction    a product's, to one operand          the other operand
            a sum's, a copy's, a mean's          1, -1, 1/n: a number
            sin's, at a value with a name        cos(x), see ``derivatives``
relu        a relu's, where it is live           1
==========  ===================================  =================================

At tensor level a product is a composition of linear maps of the cotangent G.  Written out
(Giles 2008, section 2), it is G B^T and A^T G for the operands of A B, and G times b, element
by element, for a pointwise product.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from fractions import Fraction
from typing import Any

import numpy as np

from . import backend, derivatives
from .derivatives import Written
from .families import Contraction, Masked, Pointwise
from .frames import Frame
from .graph import Graph
from .graph_parts import GraphEdge
from .notation import Sign, over
from .products import Factor
from .record import Node
from .scalar import ScalarGraph
from .symbols import Symbols

LONGEST_NUMBER = 8
"""A constant of more characters is not written out."""


class Carried:
    """Says what the edges of a frame carry, written in some symbols."""

    def __init__(self, frame: Frame, symbols: Symbols) -> None:
        self._graph, self._x, self._symbols = frame.graph, frame.x, symbols
        self._scalar = frame.graph.level == "scalar"

    def __call__(self, e: int, steps: Collection[str]) -> Fraction | tuple[Fraction, Factor] | None:
        """Return what an edge carries: a number, or one and a symbol; ``None``: it is not known."""
        if e >= len(self._graph.edges):
            return None
        edge = self._graph.edges[e]
        record = self._graph.nodes[edge.source].recorded
        if record is None:
            return None
        if (
            "relu" in steps
            and is_masked(record)
            and (self._scalar or (mask(record, edge) == 1).all())
        ):
            return Fraction(1)
        if "junction" not in steps:
            return None
        if self._scalar:
            return self._number_of(edge, record)
        found = self._map_of(edge, record)
        # Factors that are taken out of a sum must stand beside it.
        return None if isinstance(found, tuple) and "collect" in steps else found

    # Numbers: the edges at scalar level

    def _number_of(
        self, edge: GraphEdge, record: Node
    ) -> Fraction | tuple[Fraction, Factor] | None:
        primitive, position = record.primitive, edge.position
        assert primitive is not None
        assert edge.derivative is not None
        found: Fraction | Written | None = None
        if edge.is_identity:
            found = Fraction(1)
        elif primitive.name == "mean":
            found = Fraction(math.prod(record.shape), math.prod(record.parents[0].shape))  # type: ignore[union-attr]
        elif isinstance(primitive, Contraction):
            found = self._other(edge, record)
        elif isinstance(primitive, Pointwise) and type(primitive.rules[position]) is int:
            found = Fraction(primitive.rules[position])
        elif isinstance(primitive, Pointwise):
            found = self._rule(edge, record)
        if not isinstance(found, Written):
            return found
        kind = "sum" if found.is_sum else ""
        return found.number, Factor(found.sign, edge.derivative / float(found.number), kind)

    def _rule(self, edge: GraphEdge, record: Node) -> Fraction | Written | None:
        """Return the partial derivative on an edge of a pointwise operation."""
        primitive, place = record.primitive, self._graph.nodes[edge.source].element or ()
        assert primitive is not None
        if primitive.name == "divide" and edge.position == 1:
            return self._by_divisor(record, place)
        if primitive.name in ("multiply", "divide"):
            if self._symbols.is_constant(record, 1 - edge.position):
                short = number(_value(record, 1 - edge.position, place), record.dtype)
                if short is not None and (short or primitive.name == "multiply"):
                    return short if primitive.name == "multiply" else 1 / short
            other = self._symbols.operand(record, *_element(record, 1 - edge.position, place))
            if other is None or primitive.name == "multiply":
                return other and Written(Fraction(1), other)
            return derivatives.of_inverse(other)
        if len(record.parents) != 1:
            return None
        x = self._known(record, *_element(record, 0, place))
        if x is None and primitive.grading == "activation":
            x = self._symbols.operand(record, *_element(record, 0, place))
        if "exponent" not in record.params:
            return derivatives.written(primitive, self._symbols.known(record, place), x)
        exponent = number(record.params["exponent"], float)
        if exponent in (0, 1):
            return exponent
        return None if x is None or exponent is None else derivatives.of_power(x, exponent)

    def _by_divisor(self, record: Node, place: tuple[int, ...]) -> Fraction | Written | None:
        """Return the derivative of a quotient by its divisor."""
        y = self._known(record, *_element(record, 1, place))
        if y is None:
            return None
        if not self._symbols.is_constant(record, 0):
            top = self._symbols.operand(record, *_element(record, 0, place))
            assert top is not None
            return derivatives.of_quotient(top, y)
        short = _dividend(record, place)
        return derivatives.of_quotient(short, y) if short else short

    def _known(self, record: Node, position: int, element: tuple[int, ...]) -> Sign | None:
        """Return the symbol of an operand that the user named or made, or differentiates by."""
        parent, x = record.parents[position], self._x
        if parent is not None and x is not None and parent is x._node:
            return self._symbols.operand(record, position, element)
        return self._symbols.known(parent, element)

    def _other(self, edge: GraphEdge, record: Node) -> Written | None:
        """Return the element of the other operand that stands on an edge of a product of arrays."""
        primitive, position = record.primitive, edge.position
        assert primitive is not None
        # The edge's number is linear in the other operand: its gradient says in which element.
        operand, shape = record.parents[position].shape, record.saved[2 - position].shape  # type: ignore[union-attr]
        cotangent, unit = np.zeros(record.shape), np.zeros(operand)
        cotangent[self._graph.nodes[edge.source].element or ()] = 1
        unit[self._graph.nodes[edge.target].element or ()] = 1
        rule = primitive.rules[1 - position]
        share = rule(np, cotangent, unit, shape, **record.params)
        (places,) = np.nonzero(share.ravel())
        if len(places) != 1 or abs(share.flat[places[0]]) != 1:
            return None
        element = tuple(map(int, np.unravel_index(places[0], shape)))
        sign = self._symbols.operand(record, 1 - position, element)
        assert sign is not None
        return Written(Fraction(float(share.flat[places[0]])), sign)

    # Linear maps: the edges at tensor level

    def _map_of(self, edge: GraphEdge, record: Node) -> Fraction | tuple[Fraction, Factor] | None:
        primitive, position = record.primitive, edge.position
        assert primitive is not None
        operand = record.parents[position]
        assert operand is not None
        if primitive.name == "matmul":
            other = record.saved[2 - position]
            sign = self._transposed(record, 1 - position)
            if sign is None or max(len(other.shape), len(operand.shape)) > 2:
                return None
            return Fraction(1), Factor(sign, None, ("", "left")[position])
        if primitive.name == "linear" and position == 0:
            sign = self._symbols.operand(record, 1)
            if sign is None or len(operand.shape) > 2:
                return None
            return Fraction(1), Factor(sign, None, "")
        if operand.shape != record.shape or not isinstance(primitive, Pointwise):
            return None
        if type(primitive.rules[position]) is int:
            return Fraction(primitive.rules[position])
        if primitive.name == "multiply":
            sign = self._symbols.operand(record, 1 - position)
            if sign is not None:
                return Fraction(1), Factor(sign, None, "odot")
            value = record.saved[2 - position]
            return None if backend.is_array(value) else number(value, record.dtype)
        if edge.activation and len(record.parents) == 1:
            sign = self._symbols.operand(record, 0)
            found = derivatives.written(primitive, self._symbols.known(record), sign)
            if found is not None:
                latex, text = found.sign
                if found.is_sum:
                    latex, text = rf"\left({latex}\right)", f"({text})"
                return found.number, Factor(Sign(latex, text), None, "odot")
        return None

    def _transposed(self, record: Node, position: int) -> Sign | None:
        """Return the transpose of an operand; that of an unnamed transpose is what it is one of."""
        parent = record.parents[position]
        swapped = (
            parent is not None
            and parent.primitive is not None
            and not parent.name
            and parent.primitive.name == "permute_dims"
            and parent.params["axes"] == (1, 0)
        )
        if swapped:
            return self._symbols.operand(parent, 0)  # type: ignore[arg-type]
        sign = self._symbols.operand(record, position)
        return sign and Sign(rf"{over(sign.latex)}^{{\top}}", f"{sign.text}^T")


def _element(record: Node, position: int, place: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Return a pointwise operand, and the element of it that an element of the output takes."""
    parent, kept = record.parents[position], record.saved[position + 1]
    shape = kept.shape if parent is None and backend.is_array(kept) else ()
    shape = shape if parent is None else parent.shape
    own = place[len(place) - len(shape) :]
    return position, tuple(0 if n == 1 else i for i, n in zip(own, shape, strict=True))


def _value(record: Node, position: int, place: tuple[int, ...]) -> Any:
    """Return the element of a kept operand that an element of the output takes."""
    kept = record.saved[position + 1]
    return (
        backend.to_host(kept[_element(record, position, place)[1]])
        if backend.is_array(kept)
        else kept
    )


def _dividend(record: Node, place: tuple[int, ...]) -> Fraction | None:
    """Return the number that an element of a quotient has above its divisor, if it is short.

    The record does not keep it: it is the one that gives the quotient again.
    """
    kind = np.dtype(record.dtype).type
    divisor = kind(_value(record, 1, place))
    quotient = kind(backend.to_host(record.saved[0][place]))
    with np.errstate(all="ignore"):
        top = number(float(f"{float(quotient * divisor):.{LONGEST_NUMBER - 2}g}"), record.dtype)
        return top if top is not None and kind(top) / divisor == quotient else None


def dead(graph: Graph) -> Any:
    """Say of each edge whether it leads into a dead unit: a relu's that passes nothing on."""
    if isinstance(graph, ScalarGraph):
        masked = np.array([is_masked(node.recorded) for node in graph.parent.nodes])
        owners = np.searchsorted(graph.first, graph.sources, side="right") - 1
        return masked[owners] & (graph.derivatives == 0)
    records = [graph.nodes[edge.source].recorded for edge in graph.edges]
    return np.array([
        record is not None and is_masked(record) and not mask(record, edge).any()
        for record, edge in zip(records, graph.edges, strict=True)
    ], dtype=bool)  # fmt: skip


def is_masked(record: Node | None) -> bool:
    """Say whether the edges of an operation are live or dead."""
    return record is not None and isinstance(record.primitive, Masked)


def mask(record: Node, edge: GraphEdge) -> Any:
    """Return which elements of an operand a live-or-dead edge passes on, on the host."""
    array = next(value for value in record.saved if backend.is_array(value))
    ones = backend.namespace(array).ones(record.shape, dtype=record.dtype)
    (passed,) = record.primitive.vjp(record, ones, (edge.position,))  # type: ignore[union-attr]
    return backend.to_host(passed)


def number(value: Any, dtype: Any) -> Fraction | None:
    """Return a constant as the decimal that it was written as; ``None`` where that is long."""
    shown = str(np.dtype(dtype).type(value))
    if len(shown) > LONGEST_NUMBER or not math.isfinite(value):
        return None
    return Fraction(shown)
