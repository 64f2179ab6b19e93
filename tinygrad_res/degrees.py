"""Degrees: how many weight layers, blocks or anything else a path crosses, counted for all paths.

A polynomial in z counts paths by degree: the coefficient of z^k is the number of paths whose
grades sum to k.  For one grading, one big integer holds the polynomial, its value at a power
of two above every coefficient (Kronecker substitution): adding and shifting whole integers
adds polynomials and multiplies them by z^a, so counts of hundreds of digits for hundreds of
degrees take one integer addition for each edge.  Of several gradings most combinations never
occur, so their polynomials are kept as dicts.  Several degrees are one number in mixed radix.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from . import semirings
from .backend import Array
from .dag import Dag
from .semirings import Semiring


def longest(dag: Dag, grades: Array) -> int:
    """Return the largest degree of a path; -1 where there is no path."""
    found = dag.beta(semirings.longest(), grades.tolist())[dag.root] if dag.root >= 0 else -1
    return int(found)


@dataclass(frozen=True)
class Joint:
    """Several gradings as one: degrees are the digits of one number, the first the lowest.

    Attributes:
        grades: the joint grade of each edge.
        strides: what each digit is multiplied with, and the number of all combinations.
    """

    grades: list[int]
    strides: tuple[int, ...]

    @staticmethod
    def of(dag: Dag, gradings: Sequence[Array], at_least: Sequence[int]) -> Joint:
        """Return the joint of gradings; digits have room for ``at_least`` these degrees."""
        room = zip(gradings, at_least, strict=True)
        sizes = [max(longest(dag, grades), wanted, 0) + 1 for grades, wanted in room]
        strides = tuple(itertools.accumulate(sizes, operator.mul, initial=1))
        joint = [0] * len(dag.edges)
        for grades, stride in zip(gradings, strides):
            joint = [k + stride * grade for k, grade in zip(joint, grades.tolist(), strict=True)]
        return Joint(joint, strides)

    def join(self, degrees: Sequence[int]) -> int:
        """Return degrees as one number."""
        return sum(map(operator.mul, degrees, self.strides))

    def split(self, joint: int) -> tuple[int, ...]:
        """Return the degrees that one number stands for."""
        return tuple(joint % above // below for below, above in itertools.pairwise(self.strides))


class Table:
    """For each node, the number of its paths to the ends, by degree.

    Args:
        dag: holds the paths.
        grades: the grade of each edge.
        top: the largest degree to count; ``None`` for all.
        total: a bound for every count, such as the number of all paths.
        dense: whether most degrees up to ``top`` occur.
    """

    def __init__(
        self, dag: Dag, grades: Sequence[int], top: int | None, total: int, dense: bool
    ) -> None:  # fmt: skip
        self._width = 8 * (total.bit_length() // 8 + 1) if dense else 0
        if dense:
            algebra = packed(None if top is None else self._width * (top + 1))
            grades = [self._width * grade for grade in grades]
        else:
            algebra = semirings.polynomial(top=math.inf if top is None else top)
        self._found = dag.beta(algebra, grades)

    def ways(self, node: int, degree: int) -> int:
        """Return the number of paths of one degree from a node to the ends."""
        if degree < 0:
            return 0
        if not self._width:
            return self._found[node].get(degree, 0)  # type: ignore[no-any-return]
        return self._found[node] >> (self._width * degree) & ((1 << self._width) - 1)  # type: ignore[no-any-return]

    def counts(self, node: int) -> dict[int, int]:
        """Return the number of paths from a node to the ends for each degree that occurs."""
        value = self._found[node]
        if not self._width:
            return {k: value[k] for k in sorted(value)}
        size = self._width // 8
        data = value.to_bytes((value.bit_length() + 7) // 8, "little")
        counts = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
        return {k: n for k, n in enumerate(counts) if n}


def packed(bits: int | None) -> Semiring:
    """Return the semiring of polynomials in one integer, of which the lowest bits are kept.

    Labels are shifts.  ``None`` keeps them all.
    """

    def shifted(value: int, shift: int) -> int:
        return value << shift if shift else value

    def cut(value: int, shift: int) -> int:
        return value << shift & mask if shift else value

    mask = (1 << (bits or 0)) - 1
    times = shifted if bits is None else cut
    return Semiring(operator.add, times, 0, 1, lambda edges: [0] * len(edges))
