"""Paths between whole arrays: a path's product is a composition of vector-Jacobian products.

Nothing here multiplies Jacobians.  A product starts from the output's cotangent, and every
edge pulls it back; a gradient by degree keeps one cotangent per degree and node.  What
needs the size of every single product (their sum, their entropy) has no such shortcut,
because the norm of a product is not the product of norms.  Such questions are answered here
for the classes of paths of equal degree, and for every path at scalar level.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import backend, grading
from .backend import Array
from .degrees import Joint
from .errors import GraphError, UsageError
from .grading import Outgoing, by_source
from .graph import Graph
from .graph_parts import Grading, GraphEdge
from .measures import Paths
from .numbered import Path
from .path_sets import Gradings
from .whole_numbers import at_least, in_words

Move = Callable[[GraphEdge, Any], Any]

MOST_RANKED = 1 << 16
"""Up to this many paths are ranked, by computing each one's product."""
MOST_DENSE = 64
"""Up to this many elements on the smaller side, a product of Jacobians is written out."""


class TensorPaths(Paths):
    """A set of paths between arrays."""

    def gradient(self) -> Any:
        """Return the sum of all paths' products, an array of x's shape."""
        found = self._graded(self._joint, self._goal, self._goal).get(self._goal)
        return self._zeros() if found is None else found.copy()

    def gradient_by(
        self, by: Gradings = "weight", max_degree: int | None = None, progress: str = ""
    ) -> dict[Any, Any]:
        """Return the exact part of the gradient that comes through the paths of each degree."""
        joint, bottom, top = self._plan(by, max_degree)
        asked = len(by) if isinstance(by, tuple) else 1
        found = self._demanded(joint, self._graded(joint, bottom, top, progress), asked)
        parts = {key: g.copy() for key, g in found.items()}
        return parts if isinstance(by, tuple) else {key[0]: g for key, g in parts.items()}

    def cost(self, by: Gradings = "weight", max_degree: int | None = None) -> grading.Cost:
        """Return what ``gradient_by`` will take, before any array is touched."""
        joint, bottom, top = self._plan(by, max_degree)
        return grading.estimate(*self._swept, self._by_edge(joint), top, bottom)

    def expected(self, by: Grading = "weight") -> tuple[float, float]:
        """Return mean and variance of the degree under the shares <g_k, g> / ||g||^2.

        Two sweeps' worth of cotangents, however many degrees there are: the first and second
        derivative of sum_k z^k g_k at z = 1 (the second-order expectation semiring of Li &
        Eisner 2009).  Shares may be negative, and then so may the variance.

        Raises:
            GraphError: the gradient is zero or not finite.
        """
        self._refuse_none("expected")
        if self._degrees:
            shares = self.shares(by)
            mean = math.fsum(k * s for k, s in shares.items())
            return mean, math.fsum((k - mean) ** 2 * s for k, s in shares.items())
        grades = self._by_edge(Joint.of(self._dag, [self._grades(by)], [0]))
        with np.errstate(invalid="ignore"):  # 0 times an infinite derivative: refused below
            parts = grading.moments(*self._swept, self.frame.seed(), grades)
        size = grading.largest("expected", parts[0])
        whole = parts[0].astype("float64") / size
        square, first, second = (
            float((part.astype("float64") / size * whole).sum()) for part in parts
        )
        mean = first / square
        return mean, second / square - mean * mean

    def absolute_mass(self, by: Gradings = "weight") -> float:
        """Return the sum of the norms of the gradient's parts by degree."""
        return math.fsum(map(grading.norm, self.gradient_by(by).values()))

    def cancellation(self, by: Gradings = "weight") -> float:
        """Return ``absolute_mass`` over the gradient's norm: 1 where the parts are aligned."""
        self._refuse_none("cancellation")
        parts = self.gradient_by(by)
        whole = sum(g.astype("float64") for g in parts.values())
        size = grading.largest("cancellation", whole)
        scaled = [g.astype("float64") / size for g in parts.values()]
        return math.fsum(map(grading.norm, scaled)) / grading.norm(whole / size)

    def entropy(self, by: Gradings = "weight") -> float:
        """Return the entropy, in nats, of the sizes of the shares by degree."""
        sizes = np.abs(list(self.shares(by).values()))
        if not len(sizes):
            raise GraphError(f"entropy: {self!r} is empty, so there is nothing to spread")
        shares = sizes[sizes > 0] / sizes.sum()
        return abs(float((shares * np.log(shares)).sum()))

    def top(self, k: int = 1) -> list[Path]:
        """Return the ``k`` paths whose products have the largest norms, the largest first.

        Every product is computed, sharing what their paths share, so sets of more than
        2^16 paths are refused: the bounds that would spare products, norms of products by
        products of norms, are loose.

        Raises:
            UsageError: there are fewer than ``k`` paths, or more than 2^16.
        """
        wanted = self._at_most("top", k)
        n = self.count()
        if n > MOST_RANKED:
            raise UsageError(
                f"top: {in_words(n)} paths between arrays, and at most {MOST_RANKED} products are computed: "
                "narrow the set with with_degree, through or avoiding, or ask at level='scalar', "
                "where the largest of any number of paths are found"
            )
        heap: list[tuple[float, int, Path]] = []
        for rank, (path, product) in enumerate(self._products()):
            entry = (grading.norm(product), -rank, path)
            (heapq.heappush if len(heap) < wanted else heapq.heappushpop)(heap, entry)
        return [path for _, _, path in sorted(heap, reverse=True)]

    def sample(self, n: int = 1, seed: int = 0) -> list[Path]:
        """Return ``n`` paths drawn uniformly; see ``random``.

        Draws proportional to the size of the product are made at scalar level.
        """
        return self.random(n, seed)

    def _scaled(self, numbers: Sequence[int]) -> tuple[Any, int]:
        """Return the product along edges as (mantissa, exponent) with product m * 2^e."""
        mantissa, exponent = self._scaled_on_device(numbers)
        return mantissa, int(backend.to_host(exponent))

    def _product(self, numbers: Sequence[int]) -> Any:
        """Return the product along edges, an array of x's shape.

        Numbers are rounded once, at the end: what leaves the range of the dtype on the way
        (0.1^50 in float32) does no harm.
        """
        mantissa, exponent = self._scaled_on_device(numbers)
        with np.errstate(over="ignore", under="ignore"):
            return backend.namespace(mantissa).ldexp(mantissa, exponent)

    def _scaled_on_device(self, numbers: Sequence[int]) -> tuple[Any, Any]:
        """Return mantissa and exponent where the arrays are, the exponent an array of one element."""
        return self._moved(self.frame.seed(), self._edges(numbers), self._pulled_back)

    def _operator_norm(self, numbers: Sequence[int]) -> float:
        """Return the largest singular value of the product of Jacobians along edges."""
        edges = self._edges(numbers)
        nodes = self.graph.nodes
        above, below = self._dag.root, edges[-1].target if edges else self._dag.root
        rows, columns = (math.prod(nodes[v].shape) for v in (above, below))
        if not rows * columns:
            return 0.0

        def pulled(v: Array) -> Array:
            return self._moved_on_host(above, v, edges, self._pulled_back)

        def pushed(v: Array) -> Array:
            return self._moved_on_host(below, v, edges[::-1], self._push)

        if min(rows, columns) <= MOST_DENSE:
            move, units = (pulled, rows) if rows <= columns else (pushed, columns)
            return float(np.linalg.norm([move(unit) for unit in np.eye(units)], 2))
        from scipy.sparse.linalg import LinearOperator, svds

        start = np.random.default_rng(0).standard_normal(columns)
        size = float(abs(pushed(start)).max())  # near the largest: its square may be no number
        if not size:
            return 0.0
        operator = LinearOperator(
            (rows, columns), dtype=np.float64,
            matvec=lambda v: pushed(v) / size, rmatvec=lambda u: pulled(u) / size,
        )  # fmt: skip
        start = start[: min(rows, columns)]
        return size * float(svds(operator, k=1, v0=start, return_singular_vectors=False)[0])

    def _moved_on_host(self, node: int, v: Array, edges: Sequence[GraphEdge], move: Move) -> Array:
        """Move a flat vector, shaped as the value of a node, along edges.

        Raises:
            GraphError: what comes out is not finite.
        """
        like = self.graph.nodes[node]
        xp = backend.namespace(self.frame.output())
        with np.errstate(invalid="ignore", over="ignore"):  # refused below
            moved, exponent = self._moved(
                xp.asarray(v.reshape(like.shape).astype(like.dtype)), edges, move
            )
            found: Array = np.ldexp(
                backend.to_host(moved).astype(float).ravel(), backend.to_host(exponent)
            )
        if not np.isfinite(found).all():
            raise GraphError(
                "operator_norm: a derivative on the path is not finite, or the product is too large "
                "for a float: keep away from points without a derivative"
            )
        return found

    def _moved(self, array: Any, edges: Sequence[GraphEdge], move: Move) -> tuple[Any, Any]:
        """Move an array along edges, scaled by powers of two: mantissa and exponent, where it is."""
        xp = backend.namespace(array)
        exponent = xp.zeros((), dtype="int32")
        for edge in edges:
            size = abs(array).max() if array.size else array.sum()
            shift = xp.frexp(size)[1]
            array, exponent = xp.ldexp(array, -shift), exponent + shift
            array = move(edge, array)
        return array.copy(), xp.asarray(exponent)

    def _pulled_back(self, edge: GraphEdge, cotangent: Any) -> Any:
        """Pull a cotangent of an edge's source back along it."""
        return self._pull(edge.source, cotangent, [edge])[0]

    # How they are found

    def _products(self) -> Iterator[tuple[Path, Any]]:
        """Yield every path with its product, in lexicographic order, each edge pulled once.

        There must be a path.
        """
        offsets, targets, numbers = self._dag.lists
        edges, grades = self.graph.edges, self._joint.grades
        todo: list[tuple[int, int, tuple[int, ...], Any]] = [
            (self._dag.root, self._goal, (), self.frame.seed())
        ]
        while todo:
            node, left, taken, cotangent = todo.pop()
            onward = [
                k for k in range(offsets[node], offsets[node + 1])
                if self._remaining(targets[k], left - grades[k])
            ]  # fmt: skip
            if not onward:
                yield Path(self, taken), cotangent
                continue
            pulled = self._pull(node, cotangent, [edges[numbers[k]] for k in onward])
            todo.extend(
                (targets[k], left - grades[k], (*taken, numbers[k]), g)
                for k, g in zip(reversed(onward), reversed(pulled), strict=True)
            )

    def _pull(self, node: int, cotangent: Any, edges: Sequence[GraphEdge]) -> list[Any]:
        """Pull a cotangent of a node back along some of its edges, in their order."""
        return grading.pull(self.graph.nodes[node], cotangent, edges)

    def _push(self, edge: GraphEdge, tangent: Any) -> Any:
        """Push a tangent of an edge's target forward along it."""
        return pushed(self.graph, [edge], tangent)

    @property
    def _target(self) -> int:
        return self.frame.ends[0] if self.frame.ends else -1

    @property
    def _swept(self) -> tuple[Graph, Outgoing, int, int]:
        """Operations, the edges in use of each, and where paths through them start and end."""
        used = self._edges(self._dag.lists[2])
        return self.graph, by_source(used), self._dag.root, self._target

    def _edges(self, numbers: Sequence[int]) -> list[GraphEdge]:
        edges = self.graph.edges
        return [edges[e] for e in numbers]

    def _by_edge(self, joint: Joint) -> list[int]:
        """Return the joint grade of every edge to sweep over; zero for those not in use."""
        grades = [0] * len(self.graph.edges)
        for e, grade in zip(self._dag.lists[2], joint.grades, strict=True):
            grades[e] = grade
        return grades

    def _plan(self, by: Gradings, max_degree: int | None) -> tuple[Joint, int, int]:
        """Return the joint of asked and demanded degrees, and the bounds of what to keep."""
        gradings = by if isinstance(by, tuple) else (by,)
        if max_degree is not None and isinstance(by, tuple):
            raise UsageError("max_degree: it caps one degree: give a single grading")
        joint = self._joint_of(gradings)
        most = joint.strides[len(gradings)] - 1
        if max_degree is not None:
            most = min(most, at_least(0, "gradient_by", "max_degree", max_degree))
        bottom = self._offset(joint, len(gradings))
        return joint, bottom, bottom + most

    def _graded(
        self, joint: Joint, bottom: int, top: int, progress: str = ""
    ) -> dict[int, Any]:  # fmt: skip
        if self._dag.root < 0:
            return {}
        start, grades = self.frame.seed(), self._by_edge(joint)
        return grading.graded_gradient(*self._swept, start, grades, top, progress, bottom)

    def _refuse_none(self, name: str) -> None:
        if not self.count():
            raise GraphError(f"{name}: {self!r} is empty, so it has no gradient to look at")

    def _zeros(self) -> Any:
        xp, x = backend.namespace(self.frame.output()), self.frame.x
        if x is not None:
            return xp.zeros(x.shape, dtype=x.dtype)
        node = self.graph.nodes[self._target]
        return xp.zeros(node.shape, dtype=node.dtype)


def pushed(graph: Graph, edges: Sequence[GraphEdge], tangent: Any) -> Any:
    """Push a tangent forward along all ways that edges, sorted by source, form together.

    It is one of the first edge's target, and the result one of the last edge's source.
    """
    tangents = {edges[0].target: tangent}
    for source, own in by_source(edges).items():
        record = graph.nodes[source].record
        assert record.primitive is not None
        given = dict.fromkeys(range(len(record.parents)))
        given.update({edge.position: tangents[edge.target] for edge in own})
        tangents[source] = record.primitive.jvp(record, list(given.values()))
    return tangents[edges[-1].source]
