"""A call of an operation as data, and the numbers that it is made with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Domain(NamedTuple):
    """The sizes that an operand's elements may have, and whether they may be negative."""

    low: float
    high: float
    signed: bool = True


ANY = Domain(0.3, 2.3)
POSITIVE = Domain(0.3, 2.3, False)
SPREAD = Domain(0.3, 60.0)  # for what is singular where elements are equal
INSIDE = Domain(0.05, 0.9)


@dataclass(frozen=True)
class Call:
    """A call of an operation.

    Attributes:
        shapes: of the operands.
        first: what stands before them.
        args, options: what follows them.
        domains: of each operand, or of all.
        prepare: makes of the operands those that the operation gets, in operators alone.
        pick: makes of the result what is compared.
        joined: whether the operands are passed as one list.
        named: the last operands, where they are passed by name.
        kind: of dtypes that the operands have.
    """

    shapes: tuple[tuple[int, ...], ...]
    args: tuple[Any, ...] = ()
    first: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    domains: Any = ANY
    prepare: Callable[..., Any] | None = None
    pick: Callable[..., Any] | None = None
    joined: bool = False
    named: tuple[str, ...] = ()
    kind: str = "f"
    name: str = ""

    def __call__(self, f: Callable[..., Any], *operands: Any) -> list[Any]:
        """Return what ``f`` returns for the operands, always as a list."""
        given = self.prepare(*operands) if self.prepare else operands
        return self.picked(self.bare(f, *given))

    def bare(self, f: Callable[..., Any], *operands: Any) -> Any:
        """Call ``f`` on operands just as they are."""
        k = len(operands) - len(self.named)
        lead = [list(operands)] if self.joined else operands[:k]
        named = dict(zip(self.named, operands[k:], strict=True))
        return f(*self.first, *lead, *self.args, **named, **self.options)

    def picked(self, result: Any) -> list[Any]:
        """Return what is compared of a result, as a list."""
        result = self.pick(result) if self.pick else result
        return list(result) if isinstance(result, (list, tuple)) else [result]


def arrays(call: Call, seed: int) -> list[Any]:
    """Return numbers for a call: a permutation of well-separated ones.

    They differ in size, and keep off zero and the multiples of 1/4, where the drawn options
    put kinks: finite differences must not step across one.
    """
    rng = np.random.default_rng(seed)
    single = isinstance(call.domains, Domain)
    domains = [call.domains] * len(call.shapes) if single else call.domains
    counts = [math.prod(shape) for shape in call.shapes]
    pools = {
        domain: iter(
            _separated(rng, sum(n for n, d in zip(counts, domains) if d == domain), domain)
        )
        for domain in set(domains)
    }
    found = [
        np.array([next(pools[domain]) for _ in range(n)]).reshape(shape)
        for n, domain, shape in zip(counts, domains, call.shapes, strict=True)
    ]
    if call.kind == "i":
        found = [np.rint(4 * a).astype(int) for a in found]
    return found


def _separated(rng: Any, n: int, domain: Domain) -> Any:
    grid, step = np.linspace(domain.low, domain.high, 2 * n + 12, retstep=True)
    grid += rng.uniform(-0.2, 0.2, grid.size) * step
    grid = grid[abs(4 * grid - np.rint(4 * grid)) > 0.05]
    signs = rng.choice([-1.0, 1.0], n) if domain.signed else 1.0
    assert len(grid) >= n
    return rng.permutation(grid)[:n] * signs
