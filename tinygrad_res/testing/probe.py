"""A probe: one function at one point, with the random vectors that all its checks share.

It takes differences and says where they found a kink, and it knows how close is close.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import NotDifferentiableError
from .arguments import nice
from .differences import Slope, slope
from .function import FlatFunction, split
from .table import assert_close, label

__tracebackhide__ = True  # pytest shows the test's own line


class Probe:
    """A function, a point, and what to differentiate along.

    Attributes:
        function: the function.
        modes: the modes of differentiation to check.
        primals, names: its arguments, and what messages call them.
        cotangent: the weight of every output, a vector.
        tangents, others: two directions, an array for each argument.
        value: the function's value, a vector.
    """

    def __init__(
        self, function: FlatFunction, modes: Sequence[str], seed: int, rtol: float, atol: float
    ) -> None:
        self.function, self.modes, self.rtol, self.atol = function, modes, rtol, atol
        self.rng = np.random.default_rng(seed)
        self.primals, self.names = function.primals, function.arguments.names
        self.sizes = [x.shape for x in self.primals]
        total = sum(x.size for x in self.primals)
        self.cotangent = nice(self.rng, function.size)
        self.tangents = split(nice(self.rng, total), self.sizes)
        self.others = split(nice(self.rng, total), self.sizes)
        self.value = function.values(self.primals)
        self.noise = 1e-13 * float(np.abs(self.value).max(initial=0.0))
        self.scales = [float(np.abs(x).max(initial=0.0)) for x in self.primals]

    def slope(self, i: int, tangent: Any, entry: str = "") -> Slope:
        """Return the differences along a tangent of argument ``i``.

        Raises:
            NotDifferentiableError: there is a kink.
        """
        found = slope(self.function.line(self.function.along(i, tangent)), self.scales[i])
        refuse_kinks(found, f"{self.names[i]}{entry}", self.function.output_label)
        return found

    def slope_along_all(self) -> Slope:
        """Return the differences along the tangents of all arguments together."""
        found = slope(self.function.line(self.tangents), max(self.scales))
        refuse_kinks(found, "along a random tangent", self.function.output_label)
        return found

    def tolerance(self, expected: Any, error: Any = 0.0, terms: Any = None) -> Any:
        """Return the tolerance of each entry; rounding grows with the terms that were added."""
        expected = np.abs(expected)
        added = expected if terms is None else np.abs(terms).sum(axis=-1)
        rounding = 1e-8 * expected.max(initial=0.0) + 1e-12 * added + self.noise
        return self.rtol * expected + self.atol + 10 * error + rounding

    def equal_outputs(self, what: str, found: Slope, got: Any, diagnose: Diagnose) -> None:
        """Assert that a tangent of the outputs is what differences found, output by output."""
        parts = (split(vector, self.function.shapes) for vector in (found.value, found.error, got))
        for n, (expected, error, came) in enumerate(zip(*parts, strict=True)):
            which = f"{what}, output {n}" if len(self.function.shapes) > 1 else what
            equal(which, expected, came, self.tolerance(expected, error), diagnose)


Diagnose = Callable[[Any, Any], str | None]


def equal(
    what: str, expected: Any, got: Any, tolerance: Any, diagnose: Diagnose | None = None
) -> None:
    """Assert that arrays or numbers are equal to a tolerance."""
    tolerance = np.broadcast_to(tolerance, np.shape(expected))
    assert_close(what, np.asarray(expected), np.asarray(got), tolerance, diagnose)


def refuse_kinks(found: Slope, where: str, output: Callable[[int], str]) -> None:
    """Raise where differences found a kink.

    Raises:
        NotDifferentiableError: with the argument, the entry and both slopes.
    """
    if found.kink.any():
        k = int(np.argmax(found.kink))
        left, right = found.left[k], found.right[k]
        if np.isclose(left, right, rtol=0.05):
            raise NotDifferentiableError(
                f"not differentiable here: {where}: the differences of {output(k)} do not settle "
                "as steps shrink. The slope is infinite, or computed in less than float64"
            )
        raise NotDifferentiableError(
            f"not differentiable here: {where}: {output(k)} has left slope {left:.6g} "
            f"and right slope {right:.6g}. Check at another point"
        )


def entry(k: int, shape: tuple[int, ...]) -> str:
    """Return how messages call entry ``k`` of an array, counted in a row."""
    return label(tuple(map(int, np.unravel_index(k, shape)))) if shape else ""
