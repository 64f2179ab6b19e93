"""Frames: between which ends paths run, and what stands on the edges there.

The one thing to understand: every path of a set starts at one node, the root.  At scalar level
an output of several elements has no such node, so the root is one of its own then, above the
graph's, with an edge to each element that carries the element's cotangent.  Its edges are
numbered behind the graph's: whatever is asked by an edge's number is asked of the frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from . import backend
from .backend import Array
from .dag import reached, reaching
from .errors import GraphError
from .graph import Graph
from .graph_parts import Amount, Grading, GraphEdge
from .sweeps import ancestry, pull, seed
from .tensor import Tensor, raw


@dataclass(frozen=True, eq=False)
class Frame:
    """What all sets of paths between two ends have in common.

    Attributes:
        graph: where they lie.
        root: the node where every path starts.
        ends: the nodes where paths end; none where the output does not depend on the input.
        between: the nodes between which degrees are counted, the output's side first;
            ``None`` for all of the graph.
        x: the tensor that paths lead to, where there is one.
        shape: that of the array whose elements the ends are; ``None`` for one number by itself.
        cotangent: of the output, as it was given.
        firsts: at scalar level, the elements of an output that has several or comes with a
            cotangent: the root is then a node of its own, with an edge to each of them.
    """

    graph: Graph
    root: int
    ends: Sequence[int]
    between: tuple[Sequence[int], Sequence[int]] | None = None
    x: Tensor | None = None
    shape: tuple[int, ...] | None = None
    cotangent: Any = None
    firsts: Sequence[int] = ()

    @cached_property
    def size(self) -> int:
        """The number of nodes, the root included."""
        return len(self.graph.nodes) + bool(self.firsts)

    @cached_property
    def sources(self) -> Array:
        """The node that each edge leads from; the root's edges come last."""
        root = np.full(len(self.firsts), self.root, dtype=self.graph.sources.dtype)
        return np.concatenate([self.graph.sources, root])

    @cached_property
    def targets(self) -> Array:
        """The node that each edge leads to."""
        firsts = np.asarray(self.firsts, dtype=self.graph.targets.dtype)
        return np.concatenate([self.graph.targets, firsts])

    @cached_property
    def layers(self) -> Array:
        """The graph's layers, and one for the root."""
        own = [self.size] if self.firsts else []
        return np.concatenate([self.graph.layers, np.asarray(own, dtype=self.graph.layers.dtype)])

    @cached_property
    def derivatives(self) -> Array:
        """The derivative on each edge, the cotangent on the root's.

        Raises:
            GraphError: edges carry whole Jacobians.
        """
        if self.graph.derivatives is None:
            raise GraphError(
                f"at {self.graph.level} level an edge carries a whole Jacobian and no number: "
                "ask tg.paths(loss, x, level='scalar')"
            )
        if not self.firsts:
            return self.graph.derivatives
        return np.concatenate([self.graph.derivatives, self.cotangents])

    def carried(self, numbers: Any) -> Array:
        """Return the derivatives on some edges.

        Raises:
            GraphError: edges carry whole Jacobians, or one of these derivatives is not finite.
        """
        found: Array = self.derivatives[numbers]
        finite = np.isfinite(found)
        if not finite.all():
            nodes, edge = self.graph.nodes, self.edge(int(numbers[np.argmin(finite)]))
            below, what = nodes[edge.target].label, "cotangent of"
            if edge.source < len(nodes):
                what = f"derivative of {nodes[edge.source].label} by"
            raise GraphError(
                f"the {what} {below} is {edge.derivative}: products along paths need finite "
                "derivatives, so keep away from the points where there is none"
            )
        return found

    @property
    def cotangents(self) -> Array:
        """The cotangent of each element of the output, as numbers."""
        return backend.to_host(self.seed()).astype(float).ravel()

    def output(self) -> Any:
        """Return the array of the tensor that the graph was taken from, or one like it.

        Raises:
            GraphError: there is none, and edges carry no numbers.
        """
        if self.graph.taken_from is None and self.graph.derivatives is not None:
            return np.zeros(self.graph.output_shape)
        if self.graph.taken_from is None:
            raise GraphError(
                "this graph was not taken from a tensor, so it holds no arrays to differentiate: "
                "it can be counted; products need tg.paths(loss, x)"
            )
        return self.graph.taken_from._array

    def seed(self) -> Any:
        """Return the cotangent that every product starts with, an array."""
        like = self.output()
        whole = self.graph.level == "scalar"
        shape = like.shape if whole else self.graph.nodes[self.root].shape
        return raw(seed("paths", like, self.cotangent, shape, like.dtype))

    def backward(self) -> Any:
        """Return what a backward pass brings to ``x``, which knows no paths; hooks see nothing.

        An array of the shape of ``x``; ``None`` where the output does not depend on it, and
        where there is no tensor to start from or to lead to.
        """
        if self.graph.taken_from is None or self.x is None:
            return None
        node, x = self.graph.taken_from._node, self.x._node
        return pull({node: self.seed()}, ancestry([node]), [x], hooked=False).get(x)

    def edge(self, number: int) -> GraphEdge:
        """Return an edge of the graph, or one from the root to an element of the output."""
        i = number - len(self.graph.edges)
        if i < 0:
            return self.graph.edges[number]
        return GraphEdge(
            number, self.root, self.firsts[i], i, "cotangent", "cotangent", 0, 0, 0, 0, False,
            float(self.derivatives[number]),
        )  # fmt: skip

    def window(self, by: Grading) -> Array:
        """Return the grade of every edge, zero outside the part where degrees are counted."""
        return self._within(self.graph.grades(by))

    def amounts(self, amount: Amount) -> Array:
        """Return what every edge adds to its paths, zero where degrees are not counted."""
        return self._within(self.graph.amounts(amount))

    def _within(self, labels: Array) -> Array:
        if self.firsts:
            labels = np.concatenate([labels, np.zeros(len(self.firsts), dtype=labels.dtype)])
        if self.between is None:
            return labels
        start, end = self.between
        below = reached(self.size, start, self.sources, self.targets)
        above = reaching(self.size, end, self.sources, self.targets)
        return np.where(below[self.sources] & above[self.targets], labels, 0)


@dataclass(frozen=True)
class Used:
    """The edges that a set of paths uses, for semirings to label."""

    frame: Frame
    numbers: Array

    @cached_property
    def derivatives(self) -> Array:
        """The derivative on each edge."""
        return self.frame.carried(self.numbers)

    def grades(self, by: Grading) -> Array:
        """Return the grade of each edge."""
        return self.frame.window(by)[self.numbers]

    def amounts(self, amount: Amount) -> Array:
        """Return what each edge adds to its paths."""
        return self.frame.amounts(amount)[self.numbers]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[GraphEdge]:
        return map(self.frame.edge, self.numbers.tolist())
