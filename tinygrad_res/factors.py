r"""Factors: what the edges of a path carry, in symbols.

A path is a product with one factor for each step between values that have a name.  Values
without one, such as the difference and the square in ((y - t)**2).sum(), are passed over:
dL/dy is one step.  They stay where passing over them would hide that there are two ways, as
beside a shortcut: a partial derivative holds all other values in the formula fixed, so
between two of them there must be one way.  What leads from a value to itself twice, as in
x*x, is told apart by the number of the operand.

Written by the chain rule, every factor is a partial derivative.  Simplified, an edge is
written as what it carries where that is known (see ``tinygrad_res.carried``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from fractions import Fraction
from weakref import WeakKeyDictionary

import numpy as np

from .carried import Carried
from .dag import on_a_path
from .frames import Frame
from .notation import Sign
from .products import Factor, Product
from .symbols import Symbols


class Factors:
    """Writes paths as products.

    Args:
        frame: the ends that the paths run between.
        first_index: what the first index of an array is called.
        indices: ``"superscript"`` or ``"subscript"``, where LaTeX has them.
    """

    def __init__(self, frame: Frame, first_index: int = 1, indices: str = "superscript") -> None:
        self.frame = frame
        self.symbols = Symbols(frame.graph, first_index, indices)
        if frame not in _passed_over:
            _passed_over[frame] = passed_over(frame, self.symbols)
        self.hidden = _passed_over[frame]
        self.carried = Carried(frame, self.symbols)
        self._scalar = frame.graph.level == "scalar"

    def product(self, numbers: Sequence[int], steps: Collection[str]) -> Product:
        """Return the product along edges, simplified by ``steps``."""
        coefficient, found, piece = Fraction(1), list[Factor](), list[int]()
        known: list[Fraction | None] = []
        if not self._scalar and self.frame.cotangent is not None and numbers:
            found.append(self._cotangent(int(self.frame.sources[numbers[0]])))
        for e in numbers:
            carried = self.carried(e, steps)
            ends = e == numbers[-1] or int(self.frame.targets[e]) not in self.hidden
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

    def between_joints(self, numbers: Sequence[int], steps: Collection[str]) -> frozenset[int]:
        """Return the nodes passed over that no factor of a sum can begin or end at.

        Where an edge carries a symbol of its own, nothing is written across its ends.  One
        element shows it of an array: a joint too many or too few changes no value.
        """
        if not self._scalar:
            return self.hidden
        into, out = (
            dict(zip(nodes[numbers].tolist(), numbers, strict=True))
            for nodes in (self.frame.targets, self.frame.sources)
        )
        cut = dict[int, bool]()
        for v in self.hidden & into.keys() & out.keys():
            owner = self.symbols.owner(v)
            if owner not in cut:
                near = (self.carried(e, steps) for e in (into[v], out[v]))
                cut[owner] = any(isinstance(carried, tuple) for carried in near)
        return frozenset(v for v in self.hidden if not cut.get(self.symbols.owner(v)))

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


def _apart(latex: str) -> str:
    return latex if latex.startswith(("\\", "{")) else f" {latex}"
