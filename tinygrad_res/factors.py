r"""Factors: what the edges of a path carry, in symbols.

A path is a product with one factor for each step between values that have a name.  Values
without one, such as the difference and the square in ((y - t)**2).sum(), are passed over:
dL/dy is one step.  They stay, as v_1, v_2, ..., where paths part and meet, and where nothing
else would.  So each quotient can be read by itself, as one of these:

==========  ==================================================================================
∂u/∂w       there is one way from u to w, and it is the derivative along it
(∂u/∂w)|k   there are several, and it is the derivative by one place alone: that where u's
            operation takes w itself, for the k-th time; x*x takes x twice
==========  ==================================================================================

Written by the chain rule, every factor is a partial derivative.  Simplified, an edge is
written as what it carries where that is known (see ``tinygrad_res.carried``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple
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
        self.symbols = Symbols(frame, first_index, indices)
        if frame not in _ways:
            _ways[frame] = _ways_of(frame, self.symbols)
        self._between = _ways[frame]
        self.hidden = self._between.hidden
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

    def which(self, e: int) -> int:
        """Return which of the edges between the same two nodes this is, from 1.

        0 where no other way leads from the one to the other.
        """
        sources, targets = self.frame.sources, self.frame.targets
        low, high = np.searchsorted(sources, [sources[e], sources[e] + 1])
        parallel = np.flatnonzero(targets[low:high] == targets[e]) + low
        below, depth, _ = self._between
        u, w = int(sources[e]), int(targets[e])
        alone = len(parallel) == 1 and not _leads(below[u] - {w}, w, below, depth)
        return 0 if alone else int(np.searchsorted(parallel, e)) + 1

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
        which = self.which(first) if first == last else 0
        if which:
            latex, text = rf"\left.{latex}\right|_{{{which}}}", f"({text})|{which}"
        value = math.prod(frame.derivatives[list(numbers)].tolist()) if self._scalar else None
        return Factor(Sign(latex, text), value)

    def _cotangent(self, node: int, edge: int | None = None) -> Factor:
        sign = self.symbols.node(node)
        value = None if edge is None else float(self.frame.derivatives[edge])
        return Factor(Sign(rf"\bar{{{sign.latex}}}", f"bar({sign.text})"), value)


class _Ways(NamedTuple):
    """The nodes on the paths of a frame.

    Attributes:
        below: those that each leads to.
        depth: how many edges the longest way from each to an end has.
        hidden: those that need no mention.
    """

    below: dict[int, set[int]]
    depth: dict[int, int]
    hidden: frozenset[int]


_ways: WeakKeyDictionary[Frame, _Ways] = WeakKeyDictionary()


def _ways_of(frame: Frame, symbols: Symbols) -> _Ways:
    """Return the nodes on the paths of a frame, those passed over set apart.

    A node is passed over by joining the edge to it with the edge from it, copies first, then
    from the inputs' side on.  It stays where paths part or meet, except for a copy of one other value, and where
    there is a second way between two nodes so joined.  All elements of an array are passed over,
    or none; and none at all where nothing would be left but the derivative that is asked for.
    """
    sources, targets = frame.sources, frame.targets
    used = on_a_path(frame.size, [frame.root], frame.ends, sources, targets)
    below, above = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
    outer = {frame.root, *frame.ends, *frame.firsts}
    depth, kept = dict.fromkeys(outer, 0), set(outer)
    for u, w in zip(sources[used].tolist(), targets[used].tolist(), strict=True):
        if w in below[u]:
            kept |= {u, w}
        below[u].add(w)
        above[w].add(u)
        depth[u] = max(depth.get(u, 0), depth[w] + 1)
    whole, known = {v: set(nodes) for v, nodes in below.items()}, len(frame.graph.nodes)
    edges = zip(
        sources[used].tolist(), targets[used].tolist(), np.flatnonzero(used).tolist(), strict=True
    )
    copies = {
        u
        for u, w, e in edges
        if len(above[w]) == 1 and u < known and frame.graph.edges[e].is_identity
    }
    arrays = defaultdict[int, list[int]](list)
    for v in sorted(above.keys() - outer, key=lambda v: (v not in copies, v)):
        arrays[symbols.owner(v)].append(v)
    hidden: set[int] = set()
    for elements in arrays.values():
        if kept.intersection(elements) or symbols.is_named(elements[0]):
            continue
        if any(len(below[v]) > 1 or (len(above[v]) > 1 and v not in copies) for v in elements):
            continue
        if any(
            _leads((below[u] - {v}) | (below[v] - {w}), w, below, depth)
            for v in elements for u in above[v] for w in below[v]
        ):  # fmt: skip
            continue
        for v in elements:
            for u in above[v]:
                below[u].remove(v)
                below[u] |= below[v]
            for w in below[v]:
                above[w].remove(v)
                above[w] |= above[v]
        hidden.update(elements)
    if above.keys() <= hidden | outer:
        hidden.clear()
    return _Ways(whole, depth, frozenset(hidden))


def _leads(
    starts: Iterable[int], end: int, below: Mapping[int, set[int]], depth: Mapping[int, int]
) -> bool:
    """Say whether a way leads from one of some nodes to another."""
    todo = list(starts)
    seen = set(todo)
    while todo:
        v = todo.pop()
        if v == end:
            return True
        if depth[v] > depth[end]:
            todo += below[v] - seen
            seen |= below[v]
    return False


def _apart(latex: str) -> str:
    return latex if latex.startswith(("\\", "{")) else f" {latex}"
