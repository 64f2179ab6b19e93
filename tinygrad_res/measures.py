"""Paths: how much a set of paths carries, at whatever level.

The questions are the same at every level and are asked here; ``tensor_paths`` answers them
for arrays, ``scalar_paths`` for numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from . import grading
from .errors import UsageError
from .frames import Used
from .graph_parts import Grading
from .numbered import Numbered, Path
from .path_sets import Gradings
from .semirings import ArraySemiring, Semiring
from .whole_numbers import at_least, in_words


class Paths(Numbered):
    """A set of paths from an output back to an input.  Make one with ``tg.paths(loss, x)``.

    The set is described, not listed: it may hold 2^600 paths.  What it can be asked:

    - how many: ``count``, ``count_by``, ``len(p)``;
    - smaller sets: ``through``, ``avoiding``, ``with_degree``, ``weight_free``, ``p & q``; at
      scalar level ``active``;
    - what they carry: ``gradient``, ``gradient_by``, ``shares``, ``expected``, ``absolute_mass``,
      ``cancellation``, ``entropy``, ``evaluate`` in a semiring; at scalar level ``edge_flow``;
      ``cost`` beforehand;
    - single paths: ``p[r]``, ``for path in p``, ``path in p``, ``rank``, ``top``, ``sample``,
      ``random``;
    - where they run: ``output``, ``inputs``, ``between``, ``nodes``, ``edges``, ``joints``,
      ``segments``, ``graph``, ``level``.
    """

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

    @abstractmethod
    def cost(self, by: Gradings = "weight", max_degree: int | None = None) -> grading.Cost:
        """Return what ``gradient_by`` will take: cotangents, backward passes, bytes."""

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

    def _at_most(self, name: str, k: int) -> int:
        """Return ``k`` where there are so many paths."""
        wanted, n = at_least(1, name, "k", k), self.count()
        if not n:
            raise UsageError(f"{name}: {self!r} is empty, so there is no path to rank")
        if wanted > n:
            many = in_words(n)
            raise UsageError(
                f"{name}: k={in_words(wanted)}, but there are {many} paths: ask for at most {many}"
            )
        return wanted
