"""PathSet: a set of paths as a part of a graph.

A set is described by the edges that its paths may use, and by degrees that they must have;
it may hold 2^600 paths.  Every path from the root to an end that keeps to these edges
belongs to it, so the intersection of two sets is the intersection of their edges.  What is
asked about all paths is answered by one sweep (``tinygrad_res.dag``).
"""

from __future__ import annotations

import operator
import sys
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from . import semirings
from .backend import Array
from .dag import Dag, reached, reaching
from .degrees import Joint, Table
from .errors import UsageError
from .frames import Frame
from .graph import Graph, Place
from .graph_parts import Grading, GraphEdge, GraphNode
from .tensor import Tensor
from .whole_numbers import at_least, in_words

Gradings = Grading | tuple[Grading, ...]


class PathSet:
    """Which paths, and how many."""

    def __init__(
        self, frame: Frame, edges: Array | None = None,
        degrees: tuple[tuple[Grading, int], ...] = (), root: int | None = None,
    ) -> None:  # fmt: skip
        self.frame = frame
        self._degrees = degrees
        edges = np.arange(len(frame.sources)) if edges is None else edges
        self._dag = Dag(
            frame.size, frame.root if root is None else root, frame.ends, frame.sources[edges],
            frame.targets[edges], edges, frame.layers,
        )  # fmt: skip

    @property
    def graph(self) -> Graph:
        """The graph that the paths lie in."""
        return self.frame.graph

    @property
    def level(self) -> str:
        """What a node is: ``"tensor"``, ``"scalar"`` or ``"scope"``."""
        return self.graph.level

    @property
    def output(self) -> GraphNode:
        """The node where paths start; at scalar level, its first element."""
        return self.graph.nodes[self.frame.firsts[0] if self.frame.firsts else self.frame.root]

    @property
    def inputs(self) -> tuple[GraphNode, ...]:
        """The nodes where paths end: none where the output does not depend on the input."""
        return tuple([self.graph.nodes[end] for end in self.frame.ends])

    @property
    def edges(self) -> tuple[GraphEdge, ...]:
        """The edges that some path uses, demanded degrees left aside."""
        edges = self.graph.edges
        return tuple([edges[e] for e in self._dag.lists[2] if e < len(edges)])

    @property
    def nodes(self) -> tuple[GraphNode, ...]:
        """The nodes that some path visits, the inputs first, demanded degrees left aside."""
        visited = {self._dag.root, *self._dag.targets.tolist()} if self._dag.root >= 0 else ()
        return tuple([self.graph.nodes[v] for v in sorted(visited) if v < len(self.graph.nodes)])

    @property
    def between(self) -> tuple[GraphNode, GraphNode]:
        """Where degrees are counted: the first node of either end, the output's side first."""
        if self.frame.between is None:
            return self.output, (*self.inputs, self.output)[0]
        start, end = self.frame.between
        return self.graph.nodes[start[0]], self.graph.nodes[end[0]]

    # Which paths

    def through(self, tensor: Tensor | GraphNode | str, at: Place | None = None) -> Self:
        """Return the paths that visit ``tensor``, or its element ``at`` at scalar level."""
        visited = self.graph.numbers(tensor, at)
        sources, targets = self._dag.sources, self._dag.targets
        below = reached(self.frame.size, visited, sources, targets)
        above = reaching(self.frame.size, visited, sources, targets)
        kept = (below[sources] & below[targets]) | (above[sources] & above[targets])
        return self._with(edges=self._dag.edges[kept], root=any(above[[self.frame.root]]))

    def avoiding(self, tensor: Tensor | GraphNode | str, at: Place | None = None) -> Self:
        """Return the paths that do not visit ``tensor``, or its element ``at`` at scalar level."""
        shunned = np.zeros(self.frame.size, dtype=bool)
        shunned[list(self.graph.numbers(tensor, at))] = True
        kept = ~(shunned[self._dag.sources] | shunned[self._dag.targets])
        return self._with(edges=self._dag.edges[kept], root=not shunned[self.frame.root])

    def with_degree(self, by: Grading, degree: int) -> Self:
        """Return the paths whose grades sum to ``degree``."""
        wanted = at_least(0, "with_degree", "degree", degree)
        self.graph.grades(by)
        return self._with(degrees=(*self._degrees, (by, wanted)))

    def weight_free(self) -> Self:
        """Return the paths that cross no weight layer."""
        return self.with_degree("weight", 0)

    def __and__(self, other: PathSet) -> Self:
        """Return the paths that belong to both sets."""
        if not isinstance(other, PathSet):
            return NotImplemented
        if other.frame is not self.frame:
            raise UsageError(
                "p & q: the two sets come from different calls of tg.paths: narrow one set "
                "twice, as in p = tg.paths(loss, x); p.through(a) & p.avoiding(b)"
            )
        edges = np.intersect1d(self._dag.edges, other._dag.edges)
        both = tuple(dict.fromkeys((*self._degrees, *other._degrees)))
        return self._with(edges, both, self._dag.root >= 0 and other._dag.root >= 0)

    # How many

    def count(self) -> int:
        """Return the number of paths, exactly."""
        return self._remaining(self._dag.root, self._goal)

    def count_by(self, by: Gradings = "weight") -> dict[Any, int]:
        """Return the exact number of paths for each degree that occurs.

        Args:
            by: ``"weight"`` (weight layers crossed), ``"scale"``, ``"block"``,
                ``"activation"``, ``"length"`` (edges), or a function from an edge to an int;
                a tuple of these counts by pairs (triples, ...) of degrees.
        """
        gradings = by if isinstance(by, tuple) else (by,)
        if self._dag.root < 0:
            for grading in gradings:
                self.graph.grades(grading)
            return {}
        joint = self._joint_of(gradings)
        counts = self._table(joint, len(gradings)).counts(self._dag.root)
        found = self._demanded(joint, counts, len(gradings))
        return found if isinstance(by, tuple) else {key[0]: n for key, n in found.items()}

    def __len__(self) -> int:
        n = self.count()
        if n > sys.maxsize:
            raise OverflowError(
                f"there are {in_words(n)} paths, more than len() can return: use .count()"
            )
        return n

    def __bool__(self) -> bool:
        return self.count() > 0

    # Where they meet

    def joints(self) -> tuple[GraphNode, ...]:
        """Return the nodes that every path visits, the output first, demanded degrees left aside."""
        nodes = self.graph.nodes
        return tuple([nodes[v] for v in self._dag.joints(self._ways) if v < len(nodes)])

    def segments(self) -> tuple[Self, ...]:
        """Return the sets of paths between neighbouring joints, from the output's side.

        A path of this set is one path from each segment, in a row.  A residual block is a
        segment with a shortcut and a branch.  Degrees are counted within the segment;
        demanded ones are left aside.  Where an output or an input has several elements, at
        scalar level, the first or the last segment joins them to the nearest joint.
        """
        if self._dag.root < 0:
            return ()
        own, joints = self.frame, [joint.index for joint in self.joints()]
        lasts = [*([joint] for joint in joints), list(own.ends)]
        found = []
        for root, ends in zip([own.root, *joints], lasts, strict=True):
            if ends == [root]:
                continue
            frame = replace(own, root=root, ends=ends, between=None)
            if root != own.root:
                frame = replace(frame, cotangent=None, firsts=())
            if ends != lasts[-1]:
                frame = replace(frame, x=None, shape=None)
            low, high = np.searchsorted(self._dag.sources, [ends[0] + 1, root + 1])
            found.append(type(self)(frame, self._dag.edges[low:high]))
        return tuple(found)

    def window(self, by: Grading) -> Array:
        """Return the grade of every edge, zero outside the part where degrees are counted."""
        return self.frame.window(by)[: len(self.graph.edges)]

    def __repr__(self) -> str:
        n = self.count()
        shown = in_words(n, longest=12)
        level = "" if self.level == "tensor" else f"{self.level} level, "
        goal = "an unrelated tensor"
        if self.inputs:
            end = self.inputs[0]
            goal = end.label if len(self.inputs) == 1 else end.name or end.op or end.kind
        return f"Paths({level}{shown} from {self.output.label} to {goal})"

    # How they are found

    def _with(
        self, edges: Array | None = None, degrees: tuple[tuple[Grading, int], ...] | None = None,
        root: bool = True,
    ) -> Self:  # fmt: skip
        """Return the set with these edges and degrees; empty where it must leave its root."""
        edges = self._dag.edges if edges is None else edges
        degrees = self._degrees if degrees is None else degrees
        return type(self)(self.frame, edges, degrees, self._dag.root if root else -1)

    def _grades(self, by: Grading) -> Array:
        """Return the grade of every edge in use."""
        return self.frame.window(by)[self._dag.edges]

    def _joint_of(self, gradings: tuple[Grading, ...]) -> Joint:
        """Return the degrees asked for, and after them the demanded ones, as one."""
        columns = [self._grades(by) for by in (*gradings, *(by for by, _ in self._degrees))]
        return Joint.of(self._dag, columns, [0] * len(gradings) + [k for _, k in self._degrees])

    def _offset(self, joint: Joint, asked: int) -> int:
        """Return the demanded degrees as a part of a joint one."""
        return joint.join([0] * asked + [k for _, k in self._degrees])

    def _table(self, joint: Joint, asked: int) -> Table:
        """Return the paths of each node by joint degrees, of which the first are asked for."""
        top = self._offset(joint, asked) + joint.strides[asked] - 1 if self._degrees else None
        total = self._ways[self._dag.root] if self._dag.root >= 0 else 0
        few = joint.strides[-1] <= len(self._dag.edges) + 1  # not where grades are large numbers
        return Table(self._dag, joint.grades, top, total, dense=few and len(joint.strides) == 2)

    def _demanded(self, joint: Joint, found: dict[int, Any], asked: int) -> dict[Any, Any]:
        """Return what has the demanded degrees, by the ``asked`` first ones."""
        degrees = tuple(k for _, k in self._degrees)
        parts = ((joint.split(k), value) for k, value in found.items())
        return {
            digits[:asked]: value for digits, value in sorted(parts, key=operator.itemgetter(0))
            if digits[asked:] == degrees
        }  # fmt: skip

    @cached_property
    def _joint(self) -> Joint:
        """The demanded degrees as one grading."""
        return self._joint_of(())

    @cached_property
    def _demands(self) -> Table:
        return self._table(self._joint, 0)

    @cached_property
    def _goal(self) -> int:
        """The demanded degrees as one number."""
        return self._offset(self._joint, 0)

    @cached_property
    def _ways(self) -> list[int]:
        """For each node, the number of its paths to the ends, degrees left aside."""
        return self._dag.beta(semirings.COUNT, [1] * len(self._dag.edges))  # type: ignore[no-any-return]

    def _remaining(self, node: int, degree: int) -> int:
        """Return how many ways lead from ``node`` to an end with ``degree`` to go."""
        if node < 0:
            return 0
        return self._demands.ways(node, degree) if self._degrees else self._ways[node]

    @cached_property
    def _unrolled(self) -> Dag:
        """The graph whose paths are those of this set, demanded degrees kept."""
        found = self._dag
        for by, degree in self._degrees:
            found = found.unrolled(self.frame.window(by)[found.edges], degree)
        return found
