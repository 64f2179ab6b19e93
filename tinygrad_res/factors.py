r"""Factors: what the edges of a path carry, in symbols.

A path is a product with one factor for each step between values that have a name.  Values
without one, such as the difference and the square in ((y - t)**2).sum(), are passed over:
dL/dy is one step.  They stay where passing over them would hide that there are two ways, as
beside a shortcut: a partial derivative holds all other values in the formula fixed, so
between two of them there must be one way.  What leads from a value to itself twice, as in
x*x, is told apart by the number of the operand.

Written by the chain rule, every factor is a partial derivative.  Simplified, an edge is
written as what it carries where that is known without calculation:

==========  ===================================  =================================
step        edge                                 becomes
==========  ===================================  =================================
chain       any                                  its partial derivative
junction    a product's, to one operand          the other operand
            a sum's, a copy's, a mean's          1, -1, 1/n: a number
relu        a relu's, where it is live           1
==========  ===================================  =================================

At tensor level a product is a composition of linear maps of the cotangent G.  Written out
(Giles 2008, section 2), it is G B^T and A^T G for the operands of A B, and G times b, element
by element, for a pointwise product.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from . import backend
from .dag import on_a_path
from .families import Contraction, Masked, Pointwise
from .frames import Frame
from .graph import Graph
from .graph_parts import GraphEdge
from .notation import Sign, Symbols, over
from .record import Node
from .scalar import ScalarGraph

LONGEST_NUMBER = 8
"""A constant of more characters is not written out."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor of a product.

    Attributes:
        sign: how it is written.
        value: its number, at scalar level.
        kind: how it joins what stands before it: ``""`` on its right, ``"left"`` of it,
            ``"odot"`` element by element; ``"sum"`` is one that may need parentheses.
    """

    sign: Sign
    value: float | None = None
    kind: str = ""


class Product(NamedTuple):
    """A number times factors, in the order of the path."""

    coefficient: Fraction = Fraction(1)
    factors: tuple[Factor, ...] = ()


class Factors:
    """Writes paths as products.

    Args:
        frame: the ends that the paths run between.
        first_index: what the first index of an array is called.
    """

    def __init__(self, frame: Frame, first_index: int = 1) -> None:
        self.frame = frame
        self.symbols = Symbols(frame.graph, first_index)
        if frame not in _passed_over:
            _passed_over[frame] = passed_over(frame, self.symbols)
        self.hidden = _passed_over[frame]
        self._scalar = frame.graph.level == "scalar"

    def product(self, numbers: Sequence[int], steps: Collection[str]) -> Product:
        """Return the product along edges, simplified by ``steps``."""
        coefficient, found, piece = Fraction(1), list[Factor](), list[int]()
        known: list[Fraction | None] = []
        if not self._scalar and self.frame.cotangent is not None and numbers:
            found.append(self._cotangent(int(self.frame.sources[numbers[0]])))
        for e in numbers:
            carried = self._carried(e, steps)
            ends = int(self.frame.targets[e]) not in self.hidden
            if not isinstance(carried, tuple):
                piece.append(e)
                known.append(carried)
            if piece and (ends or isinstance(carried, tuple)):
                if None in known:
                    found.append(self._partial(piece))
                else:
                    coefficient *= math.prod(known)  # type: ignore[arg-type]
                piece, known = [], []
            if isinstance(carried, tuple):
                coefficient *= carried[0]
                found.append(carried[1])
        return Product(coefficient, tuple(found))

    def derivative(self, source: int, target: int) -> Factor:
        """Return the total derivative, by all ways, of one node by another."""
        a, b = self.symbols.node(source), self.symbols.node(target)
        latex = rf"\frac{{\mathrm{{d}}{_apart(a.latex)}}}{{\mathrm{{d}}{_apart(b.latex)}}}"
        return Factor(Sign(latex, f"d{a.text}/d{b.text}"))

    def _partial(self, numbers: Sequence[int]) -> Factor:
        """Return the partial derivative that consecutive edges make together."""
        frame, first, last = self.frame, numbers[0], numbers[-1]
        if first >= len(frame.graph.edges):
            return self._cotangent(int(frame.targets[first]), first)
        a, b = (self.symbols.node(int(v)) for v in (frame.sources[first], frame.targets[last]))
        latex, text = rf"\frac{{\partial {a.latex}}}{{\partial {b.latex}}}", f"∂{a.text}/∂{b.text}"
        which = self._which(first) if first == last else 0
        if which:
            latex, text = rf"\left.{latex}\right|_{{{which}}}", f"({text})|{which}"
        value = math.prod(frame.derivatives[list(numbers)].tolist()) if self._scalar else None
        return Factor(Sign(latex, text), value)

    def _cotangent(self, node: int, edge: int | None = None) -> Factor:
        sign = self.symbols.node(node)
        value = None if edge is None else float(self.frame.derivatives[edge])
        return Factor(Sign(rf"\bar{{{sign.latex}}}", f"bar({sign.text})"), value)

    def _which(self, e: int) -> int:
        """Return which of the edges between the same two nodes this is; 0 where it is alone."""
        sources, targets = self.frame.sources, self.frame.targets
        low, high = np.searchsorted(sources, [sources[e], sources[e] + 1])
        parallel = np.flatnonzero(targets[low:high] == targets[e]) + low
        return int(np.searchsorted(parallel, e)) + 1 if len(parallel) > 1 else 0

    def _carried(self, e: int, steps: Collection[str]) -> Fraction | tuple[Fraction, Factor] | None:
        """Return what an edge carries: a number, or one and a symbol; ``None``: it is not known."""
        graph = self.frame.graph
        if e >= len(graph.edges):
            return None
        edge = graph.edges[e]
        record = graph.nodes[edge.source].recorded
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
        if edge.is_identity:
            return Fraction(1)
        if primitive.name == "mean":
            return Fraction(math.prod(record.shape), math.prod(record.parents[0].shape))  # type: ignore[union-attr]
        if isinstance(primitive, Pointwise) and type(primitive.rules[position]) is int:
            return Fraction(primitive.rules[position])
        product = isinstance(primitive, Contraction) or primitive.name == "multiply"
        if not product and (primitive.name, position) != ("divide", 0):
            return None
        found = self._other(edge, record) if product else self._at(record, 1, self._place(edge))
        if found is None:
            return number(edge.derivative, record.dtype)
        sign, factor = found
        value = float(sign) * edge.derivative
        if product:
            return sign, Factor(factor, value)
        return sign, Factor(Sign(rf"\frac{{1}}{{{factor.latex}}}", f"1/{factor.text}"), value)

    def _other(self, edge: GraphEdge, record: Node) -> tuple[Fraction, Sign] | None:
        """Return the element of the other operand that stands on an edge of a product."""
        primitive, position = record.primitive, edge.position
        assert primitive is not None
        if not isinstance(primitive, Contraction):
            return self._at(record, 1 - position, self._place(edge))
        # The edge's number is linear in the other operand: its gradient says in which element.
        operand, shape = record.parents[position].shape, record.saved[2 - position].shape  # type: ignore[union-attr]
        cotangent, unit = np.zeros(record.shape), np.zeros(operand)
        cotangent[self._place(edge)] = 1
        unit[self.frame.graph.nodes[edge.target].element or ()] = 1
        rule = primitive.rules[1 - position]
        share = rule(np, cotangent, unit, shape, **record.params)
        (places,) = np.nonzero(share.ravel())
        if len(places) != 1 or abs(share.flat[places[0]]) != 1:
            return None
        element = tuple(map(int, np.unravel_index(places[0], shape)))
        sign = self.symbols.operand(record.parents[1 - position], element)
        return None if sign is None else (Fraction(float(share.flat[places[0]])), sign)

    def _at(
        self, record: Node, position: int, place: tuple[int, ...]
    ) -> tuple[Fraction, Sign] | None:
        """Return the element of a pointwise operand that an element of the output takes."""
        parent = record.parents[position]
        shape = () if parent is None else parent.shape
        own = place[len(place) - len(shape) :]
        element = [0 if n == 1 else i for i, n in zip(own, shape, strict=True)]
        sign = self.symbols.operand(parent, element)
        return None if sign is None else (Fraction(1), sign)

    def _place(self, edge: GraphEdge) -> tuple[int, ...]:
        return self.frame.graph.nodes[edge.source].element or ()

    # Linear maps: the edges at tensor level

    def _map_of(self, edge: GraphEdge, record: Node) -> Fraction | tuple[Fraction, Factor] | None:
        primitive, position = record.primitive, edge.position
        assert primitive is not None
        operand = record.parents[position]
        assert operand is not None
        if primitive.name == "matmul":
            other = record.parents[1 - position]
            sign = self.symbols.operand(other)
            if sign is None or other is None or max(len(other.shape), len(operand.shape)) > 2:
                return None
            latex = rf"{over(sign.latex)}^{{\top}}"
            return Fraction(1), Factor(Sign(latex, f"{sign.text}^T"), None, ("", "left")[position])
        if operand.shape != record.shape or not isinstance(primitive, Pointwise):
            return None
        if type(primitive.rules[position]) is int:
            return Fraction(primitive.rules[position])
        if primitive.name == "multiply":
            sign = self.symbols.operand(record.parents[1 - position])
            if sign is not None:
                return Fraction(1), Factor(sign, None, "odot")
            value = record.saved[2 - position]
            return None if backend.is_array(value) else number(value, record.dtype)
        if edge.activation and len(record.parents) == 1:
            sign, name = self.symbols.operand(operand), primitive.name.replace("_", r"{\_}")
            assert sign is not None
            latex = rf"\mathrm{{{name}}}^{{\prime}}\left({sign.latex}\right)"
            return Fraction(1), Factor(Sign(latex, f"{primitive.name}'({sign.text})"), None, "odot")
        return None


_passed_over: WeakKeyDictionary[Frame, frozenset[int]] = WeakKeyDictionary()


def passed_over(frame: Frame, symbols: Symbols) -> frozenset[int]:
    """Return the nodes on the paths that need no mention.

    A node is passed over by joining each edge to it with each edge from it, from the inputs'
    side on.  It stays where that would make a second way between two nodes, or more edges
    than there were.  All elements of an array are passed over, or none.
    """
    sources, targets = frame.sources, frame.targets
    used = on_a_path(frame.size, [frame.root], frame.ends, sources, targets)
    above, below = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
    kept = {frame.root, *frame.ends, *frame.firsts}
    for u, w in zip(sources[used].tolist(), targets[used].tolist(), strict=True):
        if w in below[u]:
            kept |= {u, w}
        below[u].add(w)
        above[w].add(u)
    arrays = defaultdict[int, list[int]](list)
    for v in sorted(above):
        arrays[symbols.owner(v)].append(v)
    hidden: set[int] = set()
    for elements in arrays.values():
        if kept.intersection(elements) or symbols.is_named(elements[0]):
            continue
        if any(len(above[v]) > 1 < len(below[v]) for v in elements):
            continue
        joined = [(u, w) for v in elements for u in above[v] for w in below[v]]
        if len(set(joined)) < len(joined) or any(w in below[u] for u, w in joined):
            continue
        for v in elements:
            for u in above[v]:
                below[u].remove(v)
            for w in below[v]:
                above[w].remove(v)
        for u, w in joined:
            below[u].add(w)
            above[w].add(u)
        hidden.update(elements)
    return frozenset(hidden)


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


def _apart(latex: str) -> str:
    return latex if latex.startswith(("\\", "{")) else f" {latex}"
