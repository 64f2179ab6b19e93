"""Semirings: what "sum over all paths of the product along each path" can mean.

A semiring says how values add, where paths join, and how they multiply, along a path.  One
sweep over the edges of a graph then gives the sum over all its paths, however many there
are, because multiplication distributes over addition (Mohri 2002).  Change the semiring,
and the same sweep answers another question (Li & Eisner 2009; for the backward graph of a
network Du et al. 2023):

===================  =========================  ===================  ======================
semiring             values                     label of an edge     the sum over all paths
===================  =========================  ===================  ======================
``COUNT``            integers, +, *             1                    how many there are
``GRADIENT``         reals, +, *                its derivative J     the derivative
``ABSOLUTE``         logarithms, log(+), +      ln abs(J)            the sum of abs(product)
``MAGNITUDE``        logarithms, max, +         ln abs(J)            the largest abs(product)
``MAX_PRODUCT``      four of these, by sign     ln abs(J), sign      the largest product
``MIN_PRODUCT``      the same                   the same             the smallest product
``polynomial``       polynomials, +, *          z^a, for a grade a   how many of each degree
``longest``          integers, max, +           a                    the largest degree
``graded_gradient``  vectors, by degree         J z^a                the derivative by degree
``best(k)``          k logarithms               ln abs(J)            the k largest abs(product)
``expectation``      mass, mean, variance       abs(J), any a        of the sum of a, under abs(product)
``moments``          three reals                J, any a             the same, under the product
``ENTROPY``          mass, mean                 abs(J), ln abs(J)    of abs(product) / their sum
===================  =========================  ===================  ======================

Products of hundreds of small derivatives leave the range of a float, so semirings that
compare or add magnitudes carry logarithms.  ``semiring`` makes your own.

    Bauer 1974, Computational graphs and rounding error.
    Mohri 2002, Semiring frameworks and algorithms for shortest-distance problems.
    Li & Eisner 2009, First- and second-order expectation semirings.
    Du et al. 2023, Generalizing backpropagation for gradient-based interpretability.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .backend import Array
from .errors import UsageError
from .laws import hold
from .whole_numbers import at_least

if TYPE_CHECKING:
    from .graph_parts import Amount, Grading, GraphEdge

__all__ = [
    "ABSOLUTE", "COUNT", "ENTROPY", "GRADIENT", "MAGNITUDE", "MAX_PRODUCT", "MIN_PRODUCT",
    "ArraySemiring", "Edges", "Semiring", "best", "expectation", "graded_gradient", "longest",
    "moments", "polynomial", "semiring",
]  # fmt: skip


class Edges(Protocol):
    """The edges that a set of paths uses, as labels are made from them."""

    @property
    def derivatives(self) -> Array:
        """The derivative on each edge; a GraphError where edges carry whole Jacobians."""

    def grades(self, by: Grading) -> Array:
        """Return the grade of each edge."""

    def amounts(self, amount: Amount) -> Array:
        """Return what each edge adds to its paths."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[GraphEdge]: ...


Labels = Callable[[Edges], Any]


def as_it_is(value: Any) -> Any:
    """Return the value."""
    return value


@dataclass(frozen=True)
class Semiring:
    """A sum and a product of Python values.

    Attributes:
        plus, times: the sum and the product, associative; ``times`` distributes over ``plus``.
        zero, one: what they leave as it is; ``zero`` times anything is ``zero``.
        labels: gives the label of each edge.
        result: what the user sees of the sum over all paths.
    """

    plus: Callable[[Any, Any], Any]
    times: Callable[[Any, Any], Any]
    zero: Any
    one: Any
    labels: Labels
    result: Callable[[Any], Any] = as_it_is


@dataclass(frozen=True)
class ArraySemiring:
    """A sum and a product of numbers, or of short vectors, for all nodes of a layer at once.

    Attributes:
        total: ``(values, first)`` adds runs of values, each from one number in ``first`` up to
            the next, as ``numpy.add.reduceat`` does.
        times: multiplies arrays of values with arrays of labels.
        zero, one: a number, or a vector of them.
        labels, result: as for ``Semiring``.
    """

    total: Callable[[Array, Array], Array]
    times: Callable[[Array, Array], Array]
    zero: Any
    one: Any
    labels: Labels
    result: Callable[[Any], Any] = as_it_is

    def zeros(self, size: int) -> Array:
        """Return ``size`` zeros."""
        return np.tile(np.asarray(self.zero, dtype=float), (size, *[1] * np.ndim(self.zero)))


def semiring(
    plus: Callable[[Any, Any], Any], times: Callable[[Any, Any], Any], zero: Any, one: Any,
    label: Callable[[GraphEdge], Any],
) -> Semiring:  # fmt: skip
    """Return a semiring of your own, for ``Paths.evaluate``.

    Args:
        plus, times: of two values, which may be of any type; ``times`` commutative, since
            paths are gone along from either end.  (max, *) is no semiring on numbers of both
            signs: that is ``MAX_PRODUCT``.
        zero, one: the neutral values of ``plus`` and ``times``.
        label: the value on an edge.  At scalar level an output of several elements, or with
            a cotangent, has an edge of family ``"cotangent"`` to each of them.

    The fewest activations on any path:

    >>> import math, numpy as np, tinygrad_res as tg
    >>> fewest = semiring(min, lambda a, b: a + b, math.inf, 0, lambda edge: edge.activation)
    >>> x = tg.tensor(np.ones(2), requires_grad=True)
    >>> h = tg.tanh(x)
    >>> tg.paths((x * h + tg.tanh(h)).sum(), x).evaluate(fewest)
    0
    """
    given = {"plus": plus, "times": times, "label": label}
    for name, function in given.items():
        if not callable(function):
            raise UsageError(f"semiring: {name}={function!r}: pass a function")

    def labels(edges: Edges) -> list[Any]:
        found = [label(edge) for edge in edges]
        hold(plus, times, zero, one, found)
        return found

    return Semiring(plus, times, zero, one, labels)


def _derivatives(edges: Edges) -> Array:
    return edges.derivatives


def logarithms(edges: Edges) -> Array:
    """Return ln abs(J) of every edge, -inf where it is dead."""
    with np.errstate(divide="ignore"):
        return np.log(abs(edges.derivatives))  # type: ignore[no-any-return]


def _exp(value: Any) -> float:
    """Return e^value; infinite where it leaves the range of a float."""
    return math.inf if value > 709.78 else math.exp(value)


COUNT = Semiring(operator.add, operator.mul, 0, 1, lambda edges: [1] * len(edges))
GRADIENT = ArraySemiring(np.add.reduceat, np.multiply, 0.0, 1.0, _derivatives, float)
ABSOLUTE = ArraySemiring(np.logaddexp.reduceat, np.add, -math.inf, 0.0, logarithms, _exp)
MAGNITUDE = ArraySemiring(np.maximum.reduceat, np.add, -math.inf, 0.0, logarithms, _exp)


# The largest and the smallest product with its sign: of the positive products the largest
# logarithm and the largest negated one, then the same of the negative products.  A product
# of 0 counts as a positive and as a negative one, both smaller than any.  NaN: no path.


_NOTHING_BUT_0 = (-math.inf, math.inf) * 2


def _signed_labels(edges: Edges) -> Array:
    return np.stack([logarithms(edges), np.signbit(edges.derivatives)], axis=1)


def _signed_times(values: Array, labels: Array) -> Array:
    size = labels[:, :1]
    some = (values > -math.inf).any(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # inf - inf where an edge is dead
        moved = values + np.concatenate([size, -size] * 2, axis=1)
    moved = np.where(labels[:, 1:] > 0, np.roll(moved, 2, axis=1), moved)
    return np.where(np.isneginf(size), np.where(some, _NOTHING_BUT_0, -math.inf), moved)


def _largest(value: Array) -> float:
    if value[0] > -math.inf:
        return _exp(value[0])
    return 0.0 - _exp(-value[3]) if value[3] > -math.inf else math.nan


def _smallest(value: Array) -> float:
    return 0.0 - _largest(np.roll(value, 2))


_SIGNED = (
    np.maximum.reduceat,
    _signed_times,
    (-math.inf,) * 4,
    (0.0, 0.0, -math.inf, -math.inf),
    _signed_labels,
)
MAX_PRODUCT = ArraySemiring(*_SIGNED, _largest)
MIN_PRODUCT = ArraySemiring(*_SIGNED, _smallest)


def polynomial(by: Grading = "length", top: float = math.inf) -> Semiring:
    """Return the semiring of polynomials {degree: number of paths}, up to the degree ``top``."""

    def plus(a: dict[int, int], b: dict[int, int]) -> dict[int, int]:
        if not a:
            return b
        total = dict(a)
        for k, n in b.items():
            total[k] = total.get(k, 0) + n
        return total

    def times(value: dict[int, int], grade: int) -> dict[int, int]:
        if not grade:
            return value
        return {k + grade: n for k, n in value.items() if k + grade <= top}

    return Semiring(plus, times, {}, {0: 1}, lambda edges: edges.grades(by).tolist())


def longest(by: Grading = "length") -> Semiring:
    """Return the semiring of the largest degree; ``-math.inf`` where there is no path."""
    return Semiring(max, operator.add, -math.inf, 0, lambda edges: edges.grades(by).tolist())


def graded_gradient(by: Grading, top: int) -> ArraySemiring:
    """Return the semiring of derivatives by degree, 0 to ``top``; larger degrees are left out."""
    at_least(0, "graded_gradient", "top", top)

    def times(values: Array, labels: Array) -> Array:
        found = np.zeros_like(values)
        for grade in np.unique(labels[:, 1]).astype(int).tolist():
            rows = labels[:, 1] == grade
            found[rows, grade:] = values[rows, : max(top + 1 - grade, 0)] * labels[rows, :1]
        return found

    return ArraySemiring(
        np.add.reduceat,
        times,
        (0.0,) * (top + 1),
        (1.0,) + (0.0,) * top,
        lambda edges: np.stack([edges.derivatives, edges.grades(by)], axis=1),
    )


# Means under a mass: with the mass of a sum of paths go the mean and the variance of what
# its paths add up.  Joining two is the law of a mixture; along an edge, means add.


def _mixture(values: Array, first: Array) -> Array:
    mass = np.logaddexp.reduceat(values[:, 0], first)
    sizes = np.diff(first, append=len(values))
    with np.errstate(invalid="ignore"):  # -inf - -inf where there is no mass
        share = np.nan_to_num(np.exp(values[:, 0] - np.repeat(mass, sizes)))[:, None]
    # logarithms are rounded, but shares sum to 1
    share /= np.repeat(np.maximum(np.add.reduceat(share, first), math.ulp(0.0)), sizes, axis=0)
    mean = np.add.reduceat(share[:, 0] * values[:, 1], first)
    around = values[:, 2] + (values[:, 1] - np.repeat(mean, sizes)) ** 2
    return np.stack([mass, mean, np.add.reduceat(share[:, 0] * around, first)], axis=1)


def _further(values: Array, labels: Array) -> Array:
    return values + np.pad(labels, ((0, 0), (0, 1)))  # type: ignore[no-any-return]


def expectation(amount: Amount) -> ArraySemiring:
    """Return the semiring of (mean, variance), under abs(product), of what a path adds up.

    Args:
        amount: a grading, or any function from an edge to a real number.

    >>> import numpy as np, tinygrad_res as tg
    >>> x = tg.tensor(np.array([2.0]), requires_grad=True)
    >>> p = tg.paths((3 * x + x * x).sum(), x, level="scalar")  # products 3, 2 and 2
    >>> p.evaluate(expectation(lambda edge: edge.derivative / 2))
    (2.2142857142857144, 0.061224489795918366)
    """
    return ArraySemiring(
        _mixture,
        _further,
        (-math.inf, 0.0, 0.0),
        (0.0, 0.0, 0.0),
        lambda edges: np.stack([logarithms(edges), edges.amounts(amount)], axis=1),
        lambda value: (float(value[1]), float(value[2])),
    )


def _information(edges: Edges) -> Array:
    sizes = logarithms(edges)
    return np.stack([sizes, np.where(np.isneginf(sizes), 0.0, sizes)], axis=1)


ENTROPY = ArraySemiring(
    _mixture, _further, (-math.inf, 0.0, 0.0), (0.0, 0.0, 0.0), _information,
    lambda value: float(value[0] - value[1]),
)  # fmt: skip


def moments(amount: Amount) -> ArraySemiring:
    """Return the semiring of (sum of w, of a w, of a^2 w): w a product, a what its path adds up.

    Args:
        amount: a grading, or any function from an edge to a real number.
    """

    def times(values: Array, labels: Array) -> Array:
        p, r, s = values.T
        derivative, a = labels.T
        raised = np.stack([p, r + a * p, s + 2 * a * r + a * a * p], axis=1)
        return raised * derivative[:, None]  # type: ignore[no-any-return]

    return ArraySemiring(
        np.add.reduceat,
        times,
        (0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0),
        lambda edges: np.stack([edges.derivatives, edges.amounts(amount)], axis=1),
    )


def best(k: int) -> ArraySemiring:
    """Return the semiring of the ``k`` largest abs(product), in falling order.

    Products of 0 are left out.  Its values are what ``Paths.top`` finds lazily, at a fraction
    of the cost.
    """
    at_least(1, "best", "k", k)

    def total(values: Array, first: Array) -> Array:
        run = np.repeat(np.arange(len(first)), np.diff(first, append=len(values)) * k)
        flat = values.ravel()
        order = np.lexsort((-flat, run))
        rank = np.arange(len(flat)) - np.repeat(first, np.diff(first, append=len(values)) * k) * k
        kept = rank < k
        found = np.full((len(first), k), -math.inf)
        found[run[kept], rank[kept]] = flat[order][kept]
        return found

    return ArraySemiring(
        total,
        lambda values, labels: values + labels[:, None],
        (-math.inf,) * k,
        (0.0,) + (-math.inf,) * (k - 1),
        logarithms,
        lambda value: [_exp(v) for v in value if v > -math.inf],
    )
