"""Paths and Path: a set of paths as a part of a graph, and one path of it.

A set is described by the edges that its paths may use, and by degrees that they must have;
it may hold 2^600 paths.  Every path from the root to an end that keeps to these edges
belongs to it, so the intersection of two sets is the intersection of their edges.  What is
asked about all paths is answered by one sweep (``tinygrad_res.dag``), and path number r is
found by walking from the root: at each node the counts say which edge it takes.
"""

from __future__ import annotations

import itertools
import math
import operator
import random
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from . import backend, grading, semirings
from .dag import Dag, reached, reaching
from .degrees import Joint, Table
from .errors import GraphError, UsageError
from .graph import Graph, GraphEdge, GraphNode, Grading, Place
from .semirings import ArraySemiring, Semiring
from .sweeps import seed
from .tensor import Tensor, raw

Array = np.ndarray[Any, Any]
Gradings = Grading | tuple[Grading, ...]


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
        at: the index of the element of ``x`` that they lead to, if it is one.
        cotangent: of the output, as it was given.
        firsts: at scalar level, the elements of an output that has several or comes with a
            cotangent: the root is then a node of its own, with an edge to each of them.
    """

    graph: Graph
    root: int
    ends: Sequence[int]
    between: tuple[Sequence[int], Sequence[int]] | None = None
    x: Tensor | None = None
    at: Place | None = None
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
            GraphError: edges carry whole Jacobians, or a derivative is not finite.
        """
        graph = self.graph
        if graph.derivatives is None:
            raise GraphError(
                f"at {self.graph.level} level an edge carries a whole Jacobian and no number: "
                "ask tg.paths(loss, x, level='scalar')"
            )
        finite = np.isfinite(graph.derivatives)
        if not finite.all():
            edge = graph.edges[int(np.argmin(finite))]
            raise GraphError(
                f"the derivative of {graph.nodes[edge.source].label} by "
                f"{graph.nodes[edge.target].label} is {edge.derivative}: products along paths "
                "need finite derivatives, so keep away from the points where there is none"
            )
        return (
            np.concatenate([graph.derivatives, self.cotangents])
            if self.firsts
            else graph.derivatives
        )

    @property
    def cotangents(self) -> Array:
        """The cotangent of each element of the output, as numbers."""
        return backend.to_host(self.seed()).astype(float).ravel()

    def output(self) -> Any:
        """Return the array of the tensor that the graph was taken from.

        Raises:
            GraphError: there is none.
        """
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
        grades = self.graph.grades(by)
        if self.firsts:
            grades = np.concatenate([grades, np.zeros(len(self.firsts), dtype=np.int64)])
        if self.between is None:
            return grades
        start, end = self.between
        below = reached(self.size, start, self.sources, self.targets)
        above = reaching(self.size, end, self.sources, self.targets)
        return np.where(below[self.sources] & above[self.targets], grades, 0)


class Path:
    """One path from an output back to an input, a sequence of edges.

    Attributes:
        paths: a set that it belongs to.
    """

    __slots__ = ("_numbers", "paths")

    def __init__(self, paths: Paths, numbers: tuple[int, ...]) -> None:
        self.paths = paths
        self._numbers = numbers

    @property
    def edges(self) -> tuple[GraphEdge, ...]:
        """The edges on the path, from the output's side."""
        edges = self.paths.graph.edges
        return tuple([edges[e] for e in self._numbers if e < len(edges)])

    @property
    def nodes(self) -> tuple[GraphNode, ...]:
        """The nodes on the path, the output first."""
        nodes, frame = self.paths.graph.nodes, self.paths.frame
        visited = [frame.root, *frame.targets[list(self._numbers)].tolist()]
        return tuple([nodes[v] for v in visited if v < len(nodes)])

    def degree(self, by: Grading = "weight") -> int:
        """Return the sum of the edges' grades; for ``"weight"``, the weight layers crossed."""
        return int(self.paths.frame.window(by)[list(self._numbers)].sum())

    def product(self) -> Any:
        """Return the product of the local derivatives along the path.

        An array of x's shape at tensor level, a float at scalar level.
        """
        return self.paths.product(self._numbers)

    def scaled(self) -> tuple[Any, int]:
        """Return the product as (mantissa, exponent), product = mantissa * 2^exponent.

        The mantissa keeps its digits where the product itself leaves the range of a float.
        """
        return self.paths.scaled(self._numbers)

    def operator_norm(self) -> float:
        """Return the largest singular value of the product of the Jacobians along the path.

        It does not depend on the output's cotangent; at scalar level it is abs(product) for a
        cotangent of 1.
        """
        return self.paths.operator_norm(self._numbers)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Path)
            and other.paths.graph is self.paths.graph
            and (other._numbers, other.nodes[:1]) == (self._numbers, self.nodes[:1])
        )

    def __hash__(self) -> int:
        return hash(self._numbers)

    def __repr__(self) -> str:
        return f"Path({' -> '.join(node.label for node in self.nodes)})"


class Paths(ABC):
    """A set of paths from an output back to an input.  Make one with ``tg.paths(loss, x)``.

    The set is described, not listed: it may hold 2^600 paths.  ``through``, ``avoiding``,
    ``with_degree``, ``weight_free`` and ``&`` return smaller sets.
    """

    def __init__(
        self, frame: Frame, edges: Array | None = None,
        degrees: tuple[tuple[Grading, int], ...] = (),
    ) -> None:  # fmt: skip
        self.frame = frame
        self._degrees = degrees
        edges = np.arange(len(frame.sources)) if edges is None else edges
        self._dag = Dag(
            frame.size, frame.root, frame.ends, frame.sources[edges], frame.targets[edges], edges,
            frame.layers,
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

    def __and__(self, other: Paths) -> Self:
        """Return the paths that belong to both sets."""
        if not isinstance(other, Paths):
            return NotImplemented
        theirs, own = other.frame, self.frame
        if (theirs.graph, theirs.root, theirs.x) != (own.graph, own.root, own.x):
            raise UsageError(
                "p & q: the two sets come from different calls of tg.paths: narrow one set "
                "twice, as in p = tg.paths(loss, x); p.through(a) & p.avoiding(b)"
            )
        edges = np.intersect1d(self._dag.edges, other._dag.edges)
        both = tuple(dict.fromkeys((*self._degrees, *other._degrees)))
        return self._with(edges, both, self._dag.root >= 0 and other._dag.root >= 0)

    def __contains__(self, path: object) -> bool:
        if not isinstance(path, Path) or path.paths.graph is not self.graph:
            return False
        theirs, own = path.paths.frame, self.frame
        return (
            (theirs.root, list(theirs.ends)) == (own.root, list(own.ends))
            and self._dag.root >= 0
            and bool(np.isin(path._numbers, self._dag.edges).all())
            and all(own.window(by)[list(path._numbers)].sum() == k for by, k in self._degrees)
        )

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
        joint, table = self._counted(gradings)
        found = self._demanded(joint, table.counts(self._dag.root), len(gradings))
        return found if isinstance(by, tuple) else {key[0]: n for key, n in found.items()}

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
        if self._dag.root < 0:
            return ()
        ones = [1] * len(self._dag.edges)
        arriving, total = self._dag.alpha(semirings.COUNT, ones), self._ways[self._dag.root]
        met = (
            v for v in (*self._dag.nodes, *self._dag.ends) if arriving[v] * self._ways[v] == total
        )
        nodes = self.graph.nodes
        return tuple(nodes[v] for v in sorted(set(met), reverse=True) if v < len(nodes))

    def segments(self) -> tuple[Self, ...]:
        """Return the sets of paths between neighbouring joints, from the output's side.

        A path of this set is one path from each segment, in a row.  A residual block is a
        segment with a shortcut and a branch.  Degrees are counted within the segment;
        demanded ones are left aside.
        """
        joints = [joint.index for joint in self.joints()]
        found = []
        for b, a in itertools.pairwise(joints):
            low, high = np.searchsorted(self._dag.sources, [a + 1, b + 1])
            frame = replace(
                self.frame,
                root=b,
                ends=(a,),
                between=None,
                x=None,
                at=None,
                cotangent=None,
                firsts=(),
            )
            found.append(type(self)(frame, self._dag.edges[low:high]))
        return tuple(found)

    # Which path

    def __getitem__(self, rank: Any) -> Any:
        """Return path number ``rank`` in lexicographic order, without listing the others.

        A slice gives an iterator over the paths with these numbers.
        """
        n = self.count()
        if isinstance(rank, slice):
            return map(self._path, range(n)[rank])
        number = whole(rank)
        if number is None:
            raise UsageError(f"a path is numbered by an int, not by {type(rank).__name__}")
        r = number + n if number < 0 else number
        if not 0 <= r < n:
            numbers = f"the numbers are 0 to {n - 1}" if n else "the set is empty"
            raise IndexError(f"there is no path number {rank}: {numbers}")
        return self._path(r)

    def _path(self, r: int) -> Path:
        offsets, targets, edges = self._dag.lists
        grades, node, left, taken = self._joint.labels, self._dag.root, self._goal, []
        while offsets[node] < offsets[node + 1]:
            for k in range(offsets[node], offsets[node + 1]):
                ways = self._remaining(targets[k], left - grades[k])
                if r < ways:
                    break
                r -= ways
            taken.append(edges[k])
            node, left = targets[k], left - grades[k]
        return Path(self, tuple(taken))

    def rank(self, path: Path) -> int:
        """Return the number of a path of this set: ``p[p.rank(path)] == path``.

        Raises:
            GraphError: the path is not in this set.
        """
        if path not in self:
            raise GraphError(f"rank: {path!r} is not in {self!r}")
        offsets, targets, edges = self._dag.lists
        grades, node, left, r = self._joint.labels, self._dag.root, self._goal, 0
        for number in path._numbers:
            k = offsets[node]
            while edges[k] != number:
                r += self._remaining(targets[k], left - grades[k])
                k += 1
            node, left = targets[k], left - grades[k]
        return r

    def __iter__(self) -> Iterator[Path]:
        """Yield the paths in lexicographic order, lazily, without recursion."""
        offsets, targets, edges = self._dag.lists
        grades, root = self._joint.labels, self._dag.root
        if not self._remaining(root, self._goal):
            return
        endings = _Endings(self)
        taken: list[int] = []
        stack = [(root, self._goal, 0, -1)]
        while stack:
            node, left, depth, edge = stack.pop()
            del taken[max(depth - 1, 0) :]
            if edge >= 0:
                taken.append(edge)
            rest = endings.of(node, left)
            if rest is not None:
                begun = tuple(taken)
                for ending in rest:
                    yield Path(self, begun + ending)
                continue
            for k in range(offsets[node + 1] - 1, offsets[node] - 1, -1):
                if self._remaining(targets[k], left - grades[k]):
                    stack.append((targets[k], left - grades[k], depth + 1, edges[k]))

    def random(
        self, n: int = 1, seed: int = 0, by: Grading | None = None, degree: int | None = None
    ) -> list[Path]:
        """Return ``n`` paths drawn uniformly, with replacement.

        Args:
            n: how many.
            seed: the same seed gives the same paths.
            by, degree: draw from the paths of this degree, as Veit et al. 2016 (section 4.2)
                draw paths of a given length.

        Raises:
            GraphError: there is no path to draw from.

        >>> import numpy as np, tinygrad_res as tg
        >>> x = tg.tensor(np.ones(2), requires_grad=True)
        >>> h = x
        >>> for _ in range(100):
        ...     h = h + h @ tg.parameter(np.eye(2))
        >>> p = tg.paths(h.sum(), x)
        >>> [path.degree() for path in p.random(3, by="weight", degree=7)]
        [7, 7, 7]
        """
        if (by is None) != (degree is None):
            raise UsageError("random: give by= and degree= together, or neither")
        if by is not None and degree is not None:
            return self.with_degree(by, degree).random(n, seed)
        size = at_least(1, "random", "n", n)
        count = self.count()
        if not count:
            raise GraphError(f"random: {self!r} is empty, so there is no path to draw")
        rng = random.Random(seed)
        return [self._path(rng.randrange(count)) for _ in range(size)]

    # How much

    def evaluate(self, semiring: Semiring | ArraySemiring, each: bool = False) -> Any:
        """Return the sum over all paths, in any semiring, of the product along the path.

        Args:
            semiring: one of ``tg.semirings``, or your own from ``tg.semirings.semiring``.
            each: give the sum for every element of the input by itself.

        Returns:
            What the semiring's ``result`` makes of the sum; with ``each``, a list of these.

        Raises:
            GraphError: it needs the derivatives on the edges, which are numbers at scalar
                level only.
        """
        if not isinstance(semiring, (Semiring, ArraySemiring)):
            raise UsageError(
                f"evaluate: {semiring!r} is no semiring: use one of tg.semirings, or make one "
                "with tg.semirings.semiring(plus, times, zero, one, label)"
            )
        dag = self._unrolled
        labels = semiring.labels(Used(self.frame, dag.edges))
        if each:
            found = dag.alpha(semiring, labels)
            return [semiring.result(found[end]) for end in dag.ends]
        if dag.root < 0:
            zero = semiring.zeros(1)[0] if isinstance(semiring, ArraySemiring) else semiring.zero
            return semiring.result(zero)
        return semiring.result(dag.beta(semiring, labels)[dag.root])

    @abstractmethod
    def gradient(self) -> Any:
        """Return the sum of all paths' products, an array of x's shape.

        For the set of all paths this is what ``backward`` computes.
        """

    @abstractmethod
    def gradient_by(
        self, by: Gradings = "weight", max_degree: int | None = None, progress: str = ""
    ) -> dict[Any, Any]:
        """Return the exact part of the gradient that comes through the paths of each degree.

        Args:
            by: a grading, or a tuple of them, as for ``count_by``.
            max_degree: leave out the degrees above it, and their cost.
            progress: what to write beside a progress bar; no bar where empty.

        Returns:
            An array of x's shape for each degree that occurs; without ``max_degree``
            they sum to ``gradient()``.
        """

    def shares(self, by: Gradings = "weight") -> dict[Any, float]:
        """Return the signed share of each degree in the gradient, <g_k, g> / ||g||^2.

        Shares sum to 1.  A negative one works against the whole.

        Raises:
            GraphError: the gradient is zero or not finite, so that nothing has a share.
        """
        return grading.shares(self.gradient_by(by))

    @abstractmethod
    def expected(self, by: Grading = "weight") -> tuple[float, float]:
        """Return mean and variance of the degree under the gradient's mass.

        A degree's mass is its signed share, so the variance may be negative.

        Raises:
            GraphError: the gradient is zero or not finite.
        """

    @abstractmethod
    def absolute_mass(self, by: Gradings = "weight") -> float:
        """Return how much there is to add up, signs left aside.

        At scalar level, the sum of abs(product) over all paths, for which ``by`` does not
        matter; at tensor level the sum of the norms of the parts by degree.
        """

    @abstractmethod
    def cancellation(self, by: Gradings = "weight") -> float:
        """Return ``absolute_mass`` over the size of the gradient: 1 where nothing cancels.

        Raises:
            GraphError: the gradient is zero or not finite.
        """

    @abstractmethod
    def entropy(self, by: Gradings = "weight") -> float:
        """Return how evenly the gradient is spread, in nats.

        At scalar level, the entropy of abs(product) / ``absolute_mass`` over all paths; at
        tensor level, that of the sizes of the shares by degree.

        Raises:
            GraphError: there is nothing to spread.
        """

    @abstractmethod
    def top(self, k: int = 1) -> list[Path]:
        """Return the ``k`` paths of largest product, by absolute value or norm, largest first.

        Raises:
            UsageError: there are fewer paths, or more than can be ranked.
        """

    @abstractmethod
    def sample(self, n: int = 1, seed: int = 0) -> list[Path]:
        """Return ``n`` paths drawn with replacement.

        At scalar level with probability abs(product) / ``absolute_mass``, exactly; at tensor
        level uniformly, as ``random`` does.
        """

    @abstractmethod
    def scaled(self, numbers: Sequence[int]) -> tuple[Any, int]:
        """Return the product along edges as (mantissa, exponent), product = m * 2^e."""

    @abstractmethod
    def operator_norm(self, numbers: Sequence[int]) -> float:
        """Return the largest singular value of the product of Jacobians along edges."""

    @abstractmethod
    def product(self, numbers: Sequence[int]) -> Any:
        """Return the product along the path that uses these edges of the graph."""

    def window(self, by: Grading) -> Array:
        """Return the grade of every edge, zero outside the part where degrees are counted."""
        return self.frame.window(by)[: len(self.graph.edges)]

    def __repr__(self) -> str:
        n = self.count()
        shown = str(n) if n < 10**12 else f"about 10^{math.log10(n):.0f}"
        level = "" if self.level == "tensor" else f"{self.level} level, "
        goal = "an unrelated tensor"
        if self.inputs:
            end = self.inputs[0]
            goal = end.label if len(self.inputs) == 1 else end.name or end.op or end.kind
        return f"Paths({level}{shown} from {self.output.label} to {goal})"

    # How they are found

    def _at_most(self, name: str, k: int) -> int:
        """Return ``k`` where there are so many paths."""
        wanted, n = at_least(1, name, "k", k), self.count()
        if wanted > n:
            raise UsageError(f"{name}: k={k}, but there are {n} paths: ask for at most {n}")
        return wanted

    def _with(
        self, edges: Array | None = None, degrees: tuple[tuple[Grading, int], ...] | None = None,
        root: bool = True,
    ) -> Self:  # fmt: skip
        """Return the set with these edges and degrees; empty where it must leave its root."""
        frame = self.frame if root else replace(self.frame, ends=())
        edges = self._dag.edges if edges is None else edges
        return type(self)(frame, edges, self._degrees if degrees is None else degrees)

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

    def _counted(self, gradings: tuple[Grading, ...]) -> tuple[Joint, Table]:
        """Return the paths of each node by the degrees asked for and the demanded ones."""
        joint, asked = self._joint_of(gradings), len(gradings)
        top = self._offset(joint, asked) + joint.strides[asked] - 1
        total = self._ways[self._dag.root] if self._dag.root >= 0 else 0
        dense = len(joint.strides) == 2
        return joint, Table(self._dag, joint.labels, top, total, dense)

    def _demanded(self, joint: Joint, found: dict[int, Any], asked: int) -> dict[Any, Any]:
        """Return what has the demanded degrees, by the ``asked`` first ones."""
        degrees = tuple(k for _, k in self._degrees)
        parts = ((joint.split(k), value) for k, value in found.items())
        return {
            digits[:asked]: value for digits, value in sorted(parts, key=operator.itemgetter(0))
            if digits[asked:] == degrees
        }  # fmt: skip

    @cached_property
    def _demands(self) -> tuple[Joint, Table]:
        return self._counted(())

    @property
    def _joint(self) -> Joint:
        """The demanded degrees as one grading."""
        return self._demands[0]

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
        return self._demands[1].ways(node, degree) if self._degrees else self._ways[node]

    @cached_property
    def _unrolled(self) -> Dag:
        """The graph whose paths are those of this set, demanded degrees kept."""
        found = self._dag
        for by, degree in self._degrees:
            found = found.unrolled(self.frame.window(by)[found.edges], degree)
        return found


@dataclass(frozen=True)
class Used:
    """The edges that a set of paths uses, for semirings to label."""

    frame: Frame
    numbers: Array

    @cached_property
    def derivatives(self) -> Array:
        """The derivative on each edge."""
        return self.frame.derivatives[self.numbers]

    def grades(self, by: Grading) -> Array:
        """Return the grade of each edge."""
        return self.frame.window(by)[self.numbers]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[GraphEdge]:
        return map(self.frame.edge, self.numbers.tolist())


class _Endings:
    """The rests of paths from nodes near the ends, listed once and used for many paths."""

    MOST_EDGES = 512
    """A node's rests are listed where they have at most this many edges together."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        dag = paths._dag
        self._lengths = dag.beta(semirings.longest(), [1] * len(dag.edges))
        self._found: dict[tuple[int, int], list[tuple[int, ...]]] = {}

    def of(self, node: int, left: int) -> list[tuple[int, ...]] | None:
        """Return the rests from ``node`` with ``left`` to go; ``None`` where they are many."""
        paths = self._paths
        if paths._remaining(node, left) * self._lengths[node] > self.MOST_EDGES:
            return None
        offsets, targets, edges = paths._dag.lists
        grades = paths._joint.labels
        found, todo = self._found, [(node, left)]
        while todo:
            v, to_go = todo[-1]
            steps = [
                (edges[k], (targets[k], to_go - grades[k]))
                for k in range(offsets[v], offsets[v + 1])
                if paths._remaining(targets[k], to_go - grades[k])
            ]
            missing = [state for _, state in steps if state not in found]
            if missing:
                todo.extend(missing)
                continue
            found[todo.pop()] = (
                [(edge, *rest) for edge, state in steps for rest in found[state]] if steps else [()]
            )
        return found[node, left]


def whole(number: Any) -> int | None:
    """Return an integer of any kind as an int, and ``None`` for anything else."""
    try:
        return operator.index(number)
    except TypeError:
        return None


def at_least(least: int, name: str, what: str, number: Any) -> int:
    """Return a number as an int.

    Raises:
        UsageError: it is no whole number, or less than ``least``.
    """
    found = whole(number)
    if found is None or found < least:
        raise UsageError(f"{name}: {what}={number!r}: pass an int of at least {least}")
    return found
