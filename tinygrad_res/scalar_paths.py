"""Paths between single numbers: every path has a product, and every semiring its sum.

An edge carries one number, so all of ``tinygrad_res.semirings`` is defined, and exact: it sees
every neuron inside a matrix product, a convolution, a pooling or a normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from . import grading, ranking, semirings
from .backend import Array
from .errors import GraphError, UsageError
from .frames import Used
from .graph_parts import Grading
from .measures import Paths
from .numbered import Path
from .path_sets import Gradings
from .whole_numbers import at_least

ROUNDING = 1e-13
"""Where the elements of a gradient cancel to less than this part, what remains is rounding."""


class ScalarPaths(Paths):
    """A set of paths between the elements of arrays."""

    def active(self) -> ScalarPaths:
        """Return the paths whose product is not zero: no dead unit and no zero weight on them."""
        return self._with(edges=self._dag.edges[self.frame.carried(self._dag.edges) != 0])

    def gradient(self) -> Any:
        """Return the sum of all paths' products: an array of x's shape, or a float for one element."""
        return self._shaped(self.evaluate(semirings.GRADIENT, each=True))

    def gradient_by(
        self, by: Gradings = "weight", max_degree: int | None = None, progress: str = ""
    ) -> dict[Any, Any]:
        """Return the exact part of the gradient that comes through the paths of each degree."""
        most = math.inf
        if max_degree is not None:
            most = at_least(0, "gradient_by", "max_degree", max_degree)
        if isinstance(by, tuple):
            if max_degree is not None:
                raise UsageError("max_degree: it caps one degree: give a single grading")
            return {key: self._narrowed(by, key).gradient() for key in self.count_by(by)}
        degrees = [k for k in self.count_by(by) if k <= most]
        if not degrees or degrees[-1] > len(self._dag.edges):  # few degrees, of large grades
            return {k: self.with_degree(by, k).gradient() for k in degrees}
        dag, algebra = self._unrolled, semirings.graded_gradient(by, degrees[-1])
        parts = dag.alpha(algebra, algebra.labels(Used(self.frame, dag.edges)), progress)
        return {k: self._shaped(parts[list(dag.ends), k]) for k in degrees}

    def cost(self, by: Gradings = "weight", max_degree: int | None = None) -> grading.Cost:
        """Return what ``gradient_by`` will take: a number per degree for every edge and node."""
        found = [k for k in self.count_by(by) if max_degree is None or k <= max_degree]
        passes = len(found) if isinstance(by, tuple) else max(found, default=-1) + 1
        dag = self._unrolled
        return grading.Cost(passes * len(dag.edges), float(passes), 8 * passes * dag.size)

    def edge_flow(self, absolute: bool = False) -> Array:
        """Return what all paths over each edge of the graph carry together, a float64 array.

        alpha(v) J beta(u) for the edge from v to u; zero for edges that no path uses.  Over
        any cut of the graph it sums to the sum of all products.

        Args:
            absolute: add abs(product) instead, which shows the units that most of the mass
                goes through; over any cut it sums to ``absolute_mass()``.
        """
        dag, used = self._unrolled, Used(self.frame, self._unrolled.edges)
        if absolute:
            labels = self._logarithms
            alpha, beta = (sweep(semirings.ABSOLUTE, labels) for sweep in (dag.alpha, dag.beta))
            with np.errstate(over="ignore"):
                carried = np.exp(alpha[dag.sources] + labels + beta[dag.targets])
        else:
            labels = used.derivatives
            alpha, beta = (sweep(semirings.GRADIENT, labels) for sweep in (dag.alpha, dag.beta))
            carried = alpha[dag.sources] * labels * beta[dag.targets]
        return np.bincount(dag.edges, carried, len(self.frame.sources))[: len(self.graph.edges)]

    def shares(self, by: Gradings = "weight") -> dict[Any, float]:
        """Return the signed share of each degree in the gradient, also in that of one element."""
        return grading.shares({k: np.asarray(g) for k, g in self.gradient_by(by).items()})

    def expected(self, by: Grading = "weight") -> tuple[float, float]:
        """Return mean and variance of the degree, each path weighted by its share of the gradient.

        The gradient is that of the sum of x's elements, the sum of all products; under
        abs(product) it is ``evaluate(tg.semirings.expectation(by))``.
        """
        dag = self._unrolled
        grades = Used(self.frame, dag.edges).grades(by)
        under = dag.beta(semirings.expectation(by), np.stack([self._logarithms, grades], axis=1))
        usual = under[:, 1]  # degrees are counted from their mean under abs(product), for precision
        beyond = grades + usual[dag.targets] - usual[dag.sources]
        sums = dag.beta(semirings.moments(by), np.stack([self._even, beyond], axis=1))
        mass, first, second = sums[dag.root] if dag.root >= 0 else (0.0,) * 3
        if abs(mass) <= ROUNDING * self._size:
            raise GraphError(f"expected: the products of {self!r} sum to zero: no path has a share")
        return float(usual[dag.root] + first / mass), float(second / mass - (first / mass) ** 2)

    def absolute_mass(self, by: Gradings = "weight") -> float:
        """Return the sum of abs(product) over all paths."""
        return float(self.evaluate(semirings.ABSOLUTE))

    def cancellation(self, by: Gradings = "weight") -> float:
        """Return the sum of abs(product) over the sum of abs(gradient), element by element of x."""
        if not self._size:
            raise GraphError(
                f"cancellation: the products of {self!r} sum to zero: all of it cancels"
            )
        dag = self._unrolled
        mass = dag.beta(semirings.GRADIENT, abs(self._even))[dag.root]
        return max(1.0, float(mass) / self._size)

    def entropy(self, by: Gradings = "weight") -> float:
        """Return the entropy, in nats, of abs(product) / absolute_mass over all paths."""
        if not self.active():
            raise GraphError(f"entropy: no path of {self!r} has a product other than zero")
        return float(self.evaluate(semirings.ENTROPY))

    def top(self, k: int = 1) -> list[Path]:
        """Return the ``k`` paths of largest abs(product), the largest first; dead ones come last."""
        wanted = self._at_most("top", k)
        dag, labels = self._unrolled, self._logarithms
        found = [self._from_places(path) for path in ranking.largest(dag, labels, wanted)]
        if len(found) < wanted:
            known = {path._numbers for path in found}
            dead = (path for path in self if path._numbers not in known)
            found += [next(dead) for _ in range(wanted - len(found))]
        return found

    def sample(self, n: int = 1, seed: int = 0) -> list[Path]:
        """Return ``n`` paths, each drawn with probability abs(product) / absolute_mass."""
        size = at_least(1, "sample", "n", n)
        if not self.active():
            raise GraphError(f"sample: no path of {self!r} has a product other than zero")
        rng = np.random.default_rng(at_least(0, "sample", "seed", seed))
        drawn = ranking.drawn(self._unrolled, self._logarithms, size, rng)
        return [self._from_places(path) for path in drawn]

    def _product(self, numbers: Sequence[int]) -> float:
        """Return the product of the numbers on edges; 0.0 or infinite only where it leaves the range."""
        mantissa, exponent = self._scaled(numbers)
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:
            return math.copysign(math.inf, mantissa)

    def _scaled(self, numbers: Sequence[int]) -> tuple[float, int]:
        """Return the product as (mantissa, exponent), the mantissa's size from 1/2 to 1, or zero."""
        mantissa, exponent = 1.0, 0
        for derivative in self.frame.carried(list(numbers)).tolist():
            mantissa, shift = math.frexp(mantissa * derivative)
            exponent += shift
        return (mantissa, exponent) if mantissa else (mantissa, 0)

    def _operator_norm(self, numbers: Sequence[int]) -> float:
        """Return abs(product), the cotangent left aside."""
        own = [e for e in numbers if e < len(self.graph.edges)]
        return abs(self._product(own))

    # How they are found

    @cached_property
    def _logarithms(self) -> Array:
        return semirings.logarithms(Used(self.frame, self._unrolled.edges))

    @cached_property
    def _even(self) -> Array:
        """The derivatives, scaled so that from any node the sum of abs(product) is about 1.

        By powers of two, which cost no digits; all products are scaled alike, so that shares
        and means of them can be taken where they leave the range of a float.
        """
        dag = self._unrolled
        beta = dag.beta(semirings.ABSOLUTE, self._logarithms)
        alive = np.isfinite(beta[dag.targets])
        exponents = np.rint(np.where(np.isfinite(beta), beta, 0.0) / math.log(2)).astype(np.int64)
        shifts = np.where(alive, exponents[dag.targets] - exponents[dag.sources], 0)
        scaled: Array = np.ldexp(Used(self.frame, dag.edges).derivatives * alive, shifts)
        return scaled

    @cached_property
    def _size(self) -> float:
        """The sum of abs(gradient) over x's elements, scaled as ``_even`` is."""
        dag = self._unrolled
        return float(np.abs(dag.alpha(semirings.GRADIENT, self._even)[list(dag.ends)]).sum())

    def _from_places(self, places: list[int]) -> Path:
        return Path(self, tuple(self._unrolled.edges[places].tolist()))

    def _narrowed(self, by: tuple[Grading, ...], degrees: tuple[int, ...]) -> ScalarPaths:
        found = self
        for one, degree in zip(by, degrees, strict=True):
            found = found.with_degree(one, degree)
        return found

    def _shaped(self, values: Sequence[Any]) -> Any:
        """Return one value per end as an array of x's shape."""
        shape = self.frame.shape
        if shape is None:
            return float(values[0]) if len(values) else 0.0
        numbers = np.asarray(values, dtype=float) if len(values) else np.zeros(shape)
        return numbers.reshape(shape)
