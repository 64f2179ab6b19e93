"""Path, and the order of the paths of a set: number r without the others, and one after the other.

Paths are in lexicographic order of their edges.  Path number r of 2^600 is found by walking
from the root: at each node the counts say which edge it takes.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import semirings
from .errors import GraphError, UsageError
from .factors import Factors
from .graph_parts import Grading, GraphEdge, GraphNode
from .path_sets import PathSet
from .whole_numbers import at_least, in_words, whole
from .writing import LATEX, of_product

if TYPE_CHECKING:
    from .measures import Paths


_MOST_SHOWN = 40
"""So many nodes of a path are shown."""


class Path:
    """One path from an output back to an input, a sequence of edges.

    Attributes:
        paths: a set that it belongs to.
    """

    __slots__ = ("_numbers", "paths")

    paths: Paths

    def __init__(self, paths: Any, numbers: tuple[int, ...]) -> None:
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
        return self.paths._product(self._numbers)

    def latex(self, first_index: int = 1) -> str:
        r"""Return the product as LaTeX: one term of ``tg.formula``, by the chain rule.

        Each factor can be read by itself.  A quotient is the derivative along the one way that
        leads from the one value to the other.  Where there are several, as around a residual
        block, it is marked, ``\left.\frac{...}{...}\right|_{1}``: the derivative by one place
        alone, where the operation takes this operand itself, for the first time.  Values without
        a name are v_1, v_2, ..., the output L.

        Args:
            first_index: what the first element of an array is called.

        >>> import tinygrad_res as tg
        >>> x = tg.tensor(3.0, requires_grad=True, name="x")
        >>> m = tg.sin(x)
        >>> m.name = "m"
        >>> print(tg.paths(m * 2, x)[0].latex())
        \frac{\partial L}{\partial m}\frac{\partial m}{\partial x}
        >>> print(tg.paths(x + m, x)[0].latex())
        \left.\frac{\partial L}{\partial x}\right|_{1}
        """
        product = Factors(self.paths.frame, first_index).product(self._numbers, ("chain",))
        return of_product(product, LATEX)

    def scaled(self) -> tuple[Any, int]:
        """Return the product as (mantissa, exponent), product = mantissa * 2^exponent.

        The mantissa keeps its digits where the product itself leaves the range of a float.
        """
        return self.paths._scaled(self._numbers)

    def operator_norm(self) -> float:
        """Return the largest singular value of the product of the Jacobians along the path.

        It does not depend on the output's cotangent; at scalar level it is abs(product) for a
        cotangent of 1.
        """
        return self.paths._operator_norm(self._numbers)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Path)
            and other.paths.graph is self.paths.graph
            and other.paths.frame.root == self.paths.frame.root
            and other._numbers == self._numbers
        )

    def __hash__(self) -> int:
        return hash(self._numbers)

    def __repr__(self) -> str:
        labels = [node.label for node in self.nodes]
        if len(labels) > _MOST_SHOWN:
            half = _MOST_SHOWN // 2
            labels[half:-half] = [f"... {len(labels) - 2 * half} more ..."]
        return f"Path({' -> '.join(labels)})"


class Numbered(PathSet, ABC):
    """A set of paths that are numbered."""

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
            numbers = f"the numbers are 0 to {in_words(n - 1)}" if n else "the set is empty"
            raise IndexError(f"there is no path number {in_words(number)}: {numbers}")
        return self._path(r)

    def _path(self, r: int) -> Path:
        offsets, targets, edges = self._dag.lists
        grades, node, left, taken = self._joint.grades, self._dag.root, self._goal, []
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
        grades, node, left, r = self._joint.grades, self._dag.root, self._goal, 0
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
        grades, root = self._joint.grades, self._dag.root
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
            stack.extend(
                (targets[k], left - grades[k], depth + 1, edges[k])
                for k in range(offsets[node + 1] - 1, offsets[node] - 1, -1)
                if self._remaining(targets[k], left - grades[k])
            )

    def random(
        self, n: int = 1, seed: int = 0, by: Grading | None = None, degree: int | None = None
    ) -> list[Path]:
        """Return ``n`` paths drawn uniformly, with replacement.

        Args:
            n: how many.
            seed: the same seed gives the same paths.
            by, degree: draw from the paths of this degree, as Veit et al. 2016 draw paths of
                a given length (section 5).

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
        size = at_least(1, "random", "n", n)
        if by is not None and degree is not None:
            chosen = self.with_degree(by, degree)
            if self and not chosen:
                raise GraphError(
                    f"random: no path of {self!r} has degree {degree} by {by!r}: count_by says "
                    "which there are"
                )
            return chosen.random(n, seed)
        count = self.count()
        if not count:
            raise GraphError(f"random: {self!r} is empty, so there is no path to draw")
        rng = random.Random(str(seed))  # some pairs of integers would draw alike
        return [self._path(rng.randrange(count)) for _ in range(size)]

    # What a path carries

    @abstractmethod
    def _scaled(self, numbers: Sequence[int]) -> tuple[Any, int]:
        """Return the product along edges as (mantissa, exponent), product = m * 2^e."""

    @abstractmethod
    def _operator_norm(self, numbers: Sequence[int]) -> float:
        """Return the largest singular value of the product of Jacobians along edges."""

    @abstractmethod
    def _product(self, numbers: Sequence[int]) -> Any:
        """Return the product along the path that uses these edges of the graph."""


class _Endings:
    """The rests of paths from nodes near the ends, listed once and used for many paths."""

    MOST_EDGES = 512
    """A node's rests are listed where they have at most this many edges together."""

    def __init__(self, paths: Numbered) -> None:
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
        grades = paths._joint.grades
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
