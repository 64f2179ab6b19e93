"""Paths between scopes: a product is a sweep over all routes inside each scope on the way.

A path here is a class of paths between arrays, so its product is the sum of theirs, and that
takes one backward pass over the routes.  For sums over many classes every entry of a scope
gets a copy of the operations that routes from it lead through: in this *unfolded* graph of
arrays a path is one of ours with a choice of routes, and what ``tensor_paths`` computes there
is what is asked here, exactly and in one sweep.  A step's grade stands where its routes end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from . import grading
from .backend import Array
from .dag import on_a_path
from .degrees import Joint
from .errors import GraphError
from .frames import Frame
from .grading import Outgoing, by_source
from .graph import Graph, Place, title
from .graph_parts import DIFFERS, Grading, GraphEdge, GraphNode
from .scopes import ScopeGraph
from .tensor import Tensor
from .tensor_paths import TensorPaths, pushed

Copy = tuple[int, int]
"""An entry of the parent, and an operation that routes from it lead through."""


class ScopeFrame(Frame):
    """What sets of paths between two ends at scope level have in common."""

    graph: ScopeGraph

    @cached_property
    def _used(self) -> Array:
        return on_a_path(self.size, [self.root], self.ends, self.sources, self.targets)

    def window(self, by: Grading) -> Array:
        """Return the grade of every edge, zero outside the part where degrees are counted.

        Raises:
            GraphError: routes inside a scope on the way have different grades.
        """
        grades = super().window(by)
        differing = np.flatnonzero((grades == DIFFERS) & self._used)
        if len(differing):
            raise self.graph.differing(by, int(differing[0]))
        return grades


class Unfolded(NamedTuple):
    """Operations, copied for every entry that routes come from.

    Attributes:
        graph: their graph.
        outgoing: the edges of each node.
        source, target: where paths start and end.
        last: by step, the edges that its routes end with.
    """

    graph: Graph
    outgoing: Outgoing
    source: int
    target: int
    last: dict[int, list[int]]


class ScopePaths(TensorPaths):
    """A set of paths between scopes."""

    frame: ScopeFrame

    @property
    def graph(self) -> ScopeGraph:
        """The graph that the paths lie in."""
        return self.frame.graph

    def through(self, tensor: Tensor | GraphNode | str, at: Place | None = None) -> Self:
        """Return the paths that visit ``tensor``, or the scope of this name.

        Raises:
            GraphError: the tensor lies inside a scope; or paths leave the scope and enter it
                again, so that those through it are no part of the graph.
        """
        visited = list(self.graph.numbers(tensor, at))
        if any(self.graph.reached([v])[visited].sum() > 1 for v in visited[1:]):
            raise GraphError(
                f"through: paths enter {title(tensor)} more than once, at the nodes "
                f"{', '.join(map(str, visited[:5]))}: pass one of graph.nodes, or use avoiding"
            )
        return super().through(tensor, at)

    # How they are found

    def _pull(self, node: int, cotangent: Any, edges: Sequence[GraphEdge]) -> list[Any]:
        """Pull a cotangent of an entry back along some steps, each along all of its routes."""
        return [self._pull_along(edge.index, cotangent) for edge in edges]

    def _pull_along(self, number: int, cotangent: Any) -> Any:
        step, operations = self.graph.steps[number], self.graph.parent
        outgoing = by_source(self.graph.routes(number))
        return grading.graded_gradient(
            operations, outgoing, step.entry, step.target, cotangent, self._ungraded, 0
        )[0]

    @cached_property
    def _ungraded(self) -> list[int]:
        return [0] * len(self.graph.parent.edges)

    def _push(self, edge: GraphEdge, tangent: Any) -> Any:
        """Push a tangent of a step's target forward along all of its routes."""
        return pushed(self.graph.parent, self.graph.routes(edge.index), tangent)

    @property
    def _swept(self) -> tuple[Graph, Outgoing, int, int]:
        """The unfolded graph: its edges, and where paths start and end."""
        return self._unfolded[:4]

    def _by_edge(self, joint: Joint) -> list[int]:
        """Return the joint grade of every edge of the unfolded graph."""
        grades = [0] * len(self._unfolded.graph.edges)
        for number, grade in zip(self._dag.lists[2], joint.grades, strict=True):
            for e in self._unfolded.last[number]:
                grades[e] = grade
        return grades

    @cached_property
    def _unfolded(self) -> Unfolded:
        whole = self.graph
        copies: dict[tuple[Copy, int], Copy] = {}  # from the copy of an operation, by its edge
        last: dict[int, list[tuple[Copy, int]]] = {}
        for own in by_source(self._edges(self._dag.lists[2])).values():
            steps = {edge.index: whole.steps[edge.index] for edge in own}
            entry = whole.entries[own[0].source]
            routes, left = whole.all_routes(list(steps)), {step.target for step in steps.values()}
            for edge in routes:
                copies[(entry, edge.source), edge.index] = (
                    edge.target if edge.target in left else entry,
                    edge.target,
                )
            for number, step in steps.items():
                ends = [edge for edge in routes if edge.target == step.target]
                if step.crossing is not None:
                    ends = [step.crossing]
                last[number] = [((entry, edge.source), edge.index) for edge in ends]
        start, end = ((whole.entries[v],) * 2 for v in (self._dag.root, self._target))
        places = sorted({start, end, *copies.values(), *(source for source, _ in copies)})
        place = {copy: i for i, copy in enumerate(places)}
        order = {own: i for i, own in enumerate(sorted(copies))}
        nodes = [replace(whole.parent.nodes[v], index=i) for i, (_, v) in enumerate(places)]
        edges = [
            replace(
                whole.parent.edges[e], index=i, source=place[source],
                target=place[copies[source, e]],
            )
            for (source, e), i in order.items()
        ]  # fmt: skip
        return Unfolded(
            Graph(nodes, edges), by_source(edges), place[start], place[end],
            {number: [order[own] for own in owns] for number, owns in last.items()},
        )  # fmt: skip
