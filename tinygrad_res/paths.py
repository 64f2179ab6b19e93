"""Paths: where a gradient comes from.

The derivative of an output L by x is the sum, over all paths from L back to x, of the
product of the local derivatives on the path's edges (Bauer 1974).  A deep network has
2^54 or 2^600 paths, so nothing here lists them to answer a question.  A set of paths
is a part of the graph; questions about all its paths are answered by one sweep that
adds at nodes and multiplies along edges, in whatever algebra fits the question:

- integers with an edge counting 1 give the number of paths;
- polynomials in z with z^a on an edge of grade a give the number by grade;
- cotangents with the edge's vector-Jacobian product give the gradient; one cotangent
  for each grade gives the gradient by grade, exactly.

At this level a node is a whole array and a path's product is an array of x's shape.
Counts depend on how the computation was written (x ** 2 has one path, x * x two);
sums over paths do not.
"""

from __future__ import annotations

import bisect
import itertools
import math
import operator
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import backend, counting, grading
from .errors import GradientError, GraphError, UsageError
from .graph import Grading, Graph, GraphEdge, GraphNode, graph
from .sweeps import seed
from .tensor import Tensor, raw


@dataclass(frozen=True)
class Path:
    """One path from an output back to an input, a sequence of edges."""

    paths: Paths
    edges: tuple[GraphEdge, ...]

    @property
    def nodes(self) -> tuple[GraphNode, ...]:
        """The nodes on the path, the output first."""
        nodes = self.paths.graph.nodes
        return (nodes[self.paths.source], *(nodes[edge.target] for edge in self.edges))

    def degree(self, by: Grading = "weight") -> int:
        """Return the sum of the edges' grades; for ``"weight"``, the weight layers crossed."""
        grades = self.paths.window(by)
        return sum(grades[edge.index] for edge in self.edges)

    def product(self) -> Any:
        """Return the product of the local derivatives along the path, an array of x's shape."""
        nodes = self.paths.graph.nodes
        cotangent = self.paths.start_cotangent()
        for edge in self.edges:
            cotangent = grading.pull(nodes[edge.source], cotangent, [edge])[0]
        return cotangent.copy()

    def __repr__(self) -> str:
        return f"Path({' -> '.join(node.label for node in self.nodes)})"


class Paths:
    """A set of paths from an output back to an input.  Make one with ``tg.paths(loss, x)``.

    The set is described, not listed: it may hold 2^600 paths.  ``through``, ``avoiding``,
    ``with_degree`` and ``weight_free`` return smaller sets.

    Attributes:
        graph: the graph that the paths lie in.
        source, target: the indices of the output's and the input's node; ``target`` is
            -1 where the output does not depend on the input, and the set is empty.
    """

    def __init__(
        self, graph: Graph, source: int, target: int, x: Tensor | None, cotangent: Any,
        between: tuple[int, int], alive: frozenset[int] | None = None,
        degrees: tuple[tuple[Grading, int], ...] = (),
    ) -> None:  # fmt: skip
        self.graph = graph
        self.source = source
        self.target = target
        self._x = x
        self._cotangent = cotangent
        self._between = between
        self._degrees = degrees
        self._alive = self._on_a_path(alive)

    @property
    def between(self) -> tuple[GraphNode, GraphNode]:
        """The two nodes between which degrees are counted, the output's side first."""
        start, end = self._between
        return self.graph.nodes[start], self.graph.nodes[end]

    # Which paths

    def through(self, tensor: Tensor) -> Paths:
        """Return the paths that visit ``tensor``."""
        at = self.graph.find(tensor).index
        below, above = self.graph.reached(at, self._alive), self.graph.reaching(at, self._alive)
        return self._narrowed(
            e for e in self._alive
            if (self.graph.edges[e].source in below and self.graph.edges[e].target in below)
            or (self.graph.edges[e].source in above and self.graph.edges[e].target in above)
        )  # fmt: skip

    def avoiding(self, tensor: Tensor) -> Paths:
        """Return the paths that do not visit ``tensor``."""
        at = self.graph.find(tensor).index
        if at in (self.source, self.target):  # every path visits its ends
            return self._like(target=-1, alive=frozenset())
        edges = self.graph.edges
        return self._narrowed(
            e for e in self._alive if edges[e].source != at and edges[e].target != at
        )

    def with_degree(self, by: Grading, degree: int) -> Paths:
        """Return the paths whose grades sum to ``degree``."""
        wanted = _whole(degree)
        if wanted is None or wanted < 0:
            raise UsageError(
                f"with_degree: the degree must be an int of at least 0, not {degree!r}"
            )
        self.graph.grades(by)
        return self._like(degrees=(*self._degrees, (by, wanted)))

    def weight_free(self) -> Paths:
        """Return the paths that cross no weight layer."""
        return self.with_degree("weight", 0)

    def __contains__(self, path: object) -> bool:
        return (
            isinstance(path, Path)
            and path.paths.graph is self.graph
            and (path.paths.source, path.paths.target) == (self.source, self.target)
            and all(edge.index in self._alive for edge in path.edges)
            and all(
                sum(self.window(by)[e.index] for e in path.edges) == k for by, k in self._degrees
            )
        )

    # How many

    def count(self) -> int:
        """Return the number of paths, exactly."""
        return self._remaining(self.source, self._goal)

    def count_by(self, by: Grading = "weight") -> dict[int, int]:
        """Return the exact number of paths for each degree that occurs.

        Args:
            by: ``"weight"`` (weight layers crossed), ``"scale"``, ``"block"``,
                ``"activation"``, ``"length"`` (edges), or a function from an edge to an int.
        """
        grades = self.window(by)
        longest = self._longest(grades)
        if longest < 0:
            return {}
        stride = longest + 1
        joint = [a + stride * b for a, b in zip(grades, self._grading, strict=True)]
        width = counting.bytes_for(self._ways[self.source])
        table = self._polynomials(joint, width, stride * (self._goal + 1))
        counts = counting.coefficients(table[self.source], width)[stride * self._goal :]
        return {k: n for k, n in enumerate(counts[:stride]) if n}

    def __len__(self) -> int:
        n = self.count()
        if n > sys.maxsize:
            raise OverflowError(f"there are {n} paths, more than len() can return: use .count()")
        return n

    def __bool__(self) -> bool:
        return self.count() > 0

    # Where they meet

    def joints(self) -> tuple[GraphNode, ...]:
        """Return the nodes that every path visits, the output first, demanded degrees left aside."""
        total = self._ways[self.source]
        if not total:
            return ()
        arriving = {self.source: 1}
        found = []
        for node in sorted({*self._outgoing, self.target}, reverse=True):
            if arriving[node] * self._ways[node] == total:
                found.append(self.graph.nodes[node])
            for edge in self._outgoing.get(node, ()):
                arriving[edge.target] = arriving.get(edge.target, 0) + arriving[node]
        return tuple(found)

    def segments(self) -> tuple[Paths, ...]:
        """Return the sets of paths between neighbouring joints, from the output's side.

        A path of this set is one path from each segment, in a row.  A residual block is a
        segment with a shortcut and a branch.  Degrees are counted within the segment;
        demanded ones are left aside.
        """
        joints = [joint.index for joint in self.joints()][::-1]
        shares: list[list[int]] = [[] for _ in joints[1:]]
        for e in self._alive:
            shares[bisect.bisect_left(joints, self.graph.edges[e].source) - 1].append(e)
        found = (
            Paths(self.graph, a, b, None, None, (a, b), frozenset(share))
            for (b, a), share in zip(itertools.pairwise(joints), shares, strict=True)
        )
        return tuple(found)[::-1]

    # Which path

    def __getitem__(self, rank: int) -> Path:
        """Return path number ``rank`` in lexicographic order, without listing the others."""
        n = self.count()
        number = _whole(rank)
        if number is None:
            raise UsageError(f"a path is numbered by an int, not by {type(rank).__name__}")
        r = number + n if number < 0 else number
        if not 0 <= r < n:
            numbers = f"the numbers are 0 to {n - 1}" if n else "the set is empty"
            raise IndexError(f"there is no path number {rank}: {numbers}")
        node, left, edges = self.source, self._goal, []
        while node != self.target:
            for edge in self._outgoing[node]:
                rest = left - self._grading[edge.index]
                ways = self._remaining(edge.target, rest)
                if r < ways:
                    break
                r -= ways
            edges.append(edge)
            node, left = edge.target, rest
        return Path(self, tuple(edges))

    def __iter__(self) -> Iterator[Path]:
        """Yield the paths in lexicographic order, lazily, without recursion."""
        if not self._remaining(self.source, self._goal):
            return
        if self.source == self.target:
            yield Path(self, ())
            return
        taken: list[GraphEdge] = []
        left = [self._goal]
        choices = [iter(self._outgoing[self.source])]
        while choices:
            edge = next(choices[-1], None)
            if edge is None:
                choices.pop()
                left.pop()
                if taken:
                    taken.pop()
                continue
            rest = left[-1] - self._grading[edge.index]
            if not self._remaining(edge.target, rest):
                continue
            if edge.target == self.target:
                yield Path(self, (*taken, edge))
                continue
            taken.append(edge)
            left.append(rest)
            choices.append(iter(self._outgoing[edge.target]))

    # How much

    def gradient(self) -> Any:
        """Return the sum of all paths' products, an array of x's shape.

        For the set of all paths this is what ``backward`` computes.
        """
        if not self._degrees:
            graded = self._graded([0] * len(self.graph.edges), 0)
        else:
            graded = self._graded(self._grading, self._goal)
        return graded[self._goal].copy() if self._goal in graded else self._zeros()

    def gradient_by(
        self, by: Grading = "weight", max_degree: int | None = None, progress: str = ""
    ) -> dict[int, Any]:
        """Return the exact part of the gradient that comes through the paths of each degree.

        Args:
            by: a grading, as for ``count_by``.
            max_degree: leave out the degrees above it, and their cost.
            progress: what to write beside a progress bar; no bar where empty.

        Returns:
            An array of x's shape for each degree that occurs; without ``max_degree``
            they sum to ``gradient()``.
        """
        grades = self.window(by)
        longest = self._longest(grades)
        if longest < 0:
            return {}
        stride = longest + 1
        top = longest if max_degree is None else min(longest, max_degree)
        joint = [a + stride * b for a, b in zip(grades, self._grading, strict=True)]
        offset = stride * self._goal
        graded = self._graded(joint, offset + top, progress)
        found = sorted(graded.items())
        return {k - offset: g.copy() for k, g in found if offset <= k <= offset + top}

    def shares(self, by: Grading = "weight") -> dict[int, float]:
        """Return the signed share of each degree in the gradient, <g_k, g> / ||g||^2.

        Shares sum to 1.  A negative one works against the whole.

        Raises:
            GraphError: the gradient is zero or not finite, so that nothing has a share.
        """
        return grading.shares(self.gradient_by(by))

    def window(self, by: Grading) -> list[int]:
        """Return the grade of every edge, zero outside the part where degrees are counted."""
        grades = self.graph.grades(by)
        start, end = self._between
        if (start, end) == (self.source, self.target):
            return grades
        below, above = self.graph.reached(start), self.graph.reaching(end)
        return [
            grade if edge.source in below and edge.target in above else 0
            for edge, grade in zip(self.graph.edges, grades, strict=True)
        ]

    def start_cotangent(self) -> Any:
        """Return the cotangent of the output that every product starts with."""
        node = self.graph.nodes[self.source]
        like = self.graph._output._array
        return raw(seed("paths", like, self._cotangent, node.shape, node.record.dtype))

    def __repr__(self) -> str:
        nodes = self.graph.nodes
        n = self.count()
        shown = str(n) if n < 10**12 else f"about 10^{math.log10(n):.0f}"
        goal = "an unrelated tensor" if self.target < 0 else nodes[self.target].label
        return f"Paths({shown} from {nodes[self.source].label} to {goal})"

    # The sweeps

    def _on_a_path(self, alive: frozenset[int] | None) -> frozenset[int]:
        """Return the edges among ``alive`` that some path from source to target uses."""
        edges = self.graph.edges
        kept = edges if alive is None else [edges[e] for e in sorted(alive)]
        below, above = {self.source}, {self.target}
        for edge in reversed(kept):
            if edge.source in below:
                below.add(edge.target)
        for edge in kept:
            if edge.target in above:
                above.add(edge.source)
        return frozenset(e.index for e in kept if e.source in below and e.target in above)

    def _narrowed(self, alive: Iterable[int]) -> Paths:
        return self._like(alive=frozenset(alive))

    def _like(self, **changes: Any) -> Paths:
        """Return this set with some of its defining properties changed."""
        own = {
            "graph": self.graph, "source": self.source, "target": self.target, "x": self._x,
            "cotangent": self._cotangent, "between": self._between, "alive": self._alive,
            "degrees": self._degrees,
        }  # fmt: skip
        return Paths(**{**own, **changes})

    @cached_property
    def _outgoing(self) -> dict[int, tuple[GraphEdge, ...]]:
        """For each node on a path, its living edges in lexicographic order."""
        found: dict[int, list[GraphEdge]] = {}
        for e in sorted(self._alive):
            edge = self.graph.edges[e]
            found.setdefault(edge.source, []).append(edge)
        return {node: tuple(edges) for node, edges in found.items()}

    @cached_property
    def _constraint(self) -> tuple[list[int], int]:
        """All demanded degrees as one grading and one goal, in mixed radix."""
        total, goal, stride = [0] * len(self.graph.edges), 0, 1
        for by, degree in self._degrees:
            grades = self.window(by)
            longest = self._longest(grades)
            total = [t + stride * g for t, g in zip(total, grades, strict=True)]
            goal += stride * degree
            stride *= max(longest, degree) + 1
        return total, goal

    @property
    def _grading(self) -> list[int]:
        return self._constraint[0]

    @property
    def _goal(self) -> int:
        return self._constraint[1]

    @cached_property
    def _ways(self) -> dict[int, int]:
        """For each node, the number of paths from it to the target, degrees left aside."""
        return counting.ways(self._outgoing, self.source, self.target)

    @cached_property
    def _table(self) -> tuple[dict[int, int], int]:
        """The counting polynomials of the demanded degrees, and their coefficients' bytes."""
        width = counting.bytes_for(self._ways[self.source])
        return self._polynomials(self._grading, width, self._goal + 1), width

    def _remaining(self, node: int, degree: int) -> int:
        """Return how many ways lead from ``node`` to the target with ``degree`` to go."""
        if not self._degrees:
            return self._ways.get(node, 0)
        table, width = self._table
        return counting.coefficient(table.get(node, 0), width, degree)

    def _polynomials(self, grades: list[int], width: int, terms: int) -> dict[int, int]:
        return counting.polynomials(self._outgoing, self.source, self.target, grades, width, terms)

    def _longest(self, grades: list[int]) -> int:
        """Return the largest degree of any path; -1 where there is none."""
        return counting.longest(self._outgoing, self.source, self.target, grades)

    def _graded(self, grades: list[int], top: int, progress: str = "") -> dict[int, Any]:
        start = self.start_cotangent() if self.source == self.target or self._outgoing else None
        return grading.graded_gradient(
            self.graph, self._outgoing, self.source, self.target, start, grades, top, progress
        )

    def _zeros(self) -> Any:
        xp = backend.namespace(self.graph._output._array)
        if self._x is not None:
            return xp.zeros(self._x.shape, dtype=self._x.dtype)
        node = self.graph.nodes[self.target]
        return xp.zeros(node.shape, dtype=node.record.dtype)


def paths(
    output: Tensor, x: Tensor, start: Tensor | None = None, end: Tensor | None = None,
    cotangent: Any = None,
) -> Paths:  # fmt: skip
    """Return the set of all gradient paths from ``output`` back to ``x``.

    Args:
        output: usually the loss.
        x: the tensor to differentiate by.
        start, end: count degrees between these two tensors only (from ``start``,
            nearer the output, back to ``end``), to leave out a classifier and a stem.
        cotangent: the weight of every output element, for an output of several elements;
            needed for products and gradients, not for counts.

    Returns:
        The set, which is empty where ``output`` does not depend on ``x``.

    Raises:
        GraphError: nothing was recorded; or ``start`` and ``end`` are not in the graph, or
            not on one way from ``output`` back to ``x`` in this order.
        GradientError: ``x`` was made without ``requires_grad=True``.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> W = tg.parameter([[0.5, 0.0], [0.0, 0.5]], name="W")
    >>> p = tg.paths((x + x @ W).sum(), x)
    >>> p.count_by("weight")
    {0: 1, 1: 1}
    >>> p.gradient_by("weight")
    {0: array([1., 1.]), 1: array([0.5, 0.5])}
    """
    if not isinstance(x, Tensor):
        raise GraphError(f"paths: expected a tensor to lead to, got {type(x).__name__}")
    if not x.requires_grad:
        raise GradientError(
            f"paths: {x.name or 'x'} carries no gradient (dtype {x.dtype}): make it with "
            "tg.tensor(values, requires_grad=True), with floating point values"
        )
    whole = graph(output)
    source = whole.output.index
    target = whole.find(x).index if x._node in whole._number else -1
    first = source if start is None else whole.find(start).index
    last = target if end is None else whole.find(end).index
    if target >= 0 and not (last in whole.reached(first) and target in whole.reached(last)):
        raise GraphError(
            "paths: no path leads from the output through start and then end back to x: give "
            "start, the tensor nearer the output, and end, the one nearer x"
        )
    return Paths(whole, source, target, x, cotangent, (first, last))


def _whole(number: Any) -> int | None:
    """Return an integer of any kind as an int, and ``None`` for anything else."""
    try:
        return operator.index(number)
    except TypeError:
        return None
