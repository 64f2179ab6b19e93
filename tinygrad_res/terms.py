"""Terms: those of a formula, each made when it is asked for, however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import sums
from .factors import Factors
from .measures import Paths
from .numbered import Path
from .products import Product
from .writing import LATEX, TEXT, of_integer, of_product


@dataclass(frozen=True)
class Term:
    """One term of a formula.

    Attributes:
        path: the path that it is the product of.
        product: its number and its factors.
    """

    path: Path
    product: Product

    @property
    def latex(self) -> str:
        """The term as LaTeX."""
        return of_product(self.product, LATEX)

    @property
    def value(self) -> Any:
        """What it comes to: a float; at tensor level an array."""
        found = self.product.value
        return self.path.product() if found is None else found

    def __str__(self) -> str:
        return of_product(self.product, TEXT)


class Terms(Sequence[Term]):
    """The terms of a formula, made when they are asked for."""

    def __init__(self, among: Paths, factors: Factors, steps: Sequence[str]) -> None:
        self._among, self._factors, self._steps = among, factors, steps

    def __len__(self) -> int:
        return len(self._among)

    def __getitem__(self, i: Any) -> Any:
        found = self._among[i]
        return self._term(found) if isinstance(found, Path) else map(self._term, found)

    def __iter__(self) -> Iterator[Term]:
        return map(self._term, self._among)

    def __repr__(self) -> str:
        n = self._among.count()
        shown, omitted = sums.elided(n, 3)
        written = [str(self[k]) for k in shown]
        if omitted:
            written.insert(-1, "...")
        listed = f": {', '.join(written)}" if written else ""
        return f"<{of_integer(n, TEXT)} term{'s' * (n != 1)}{listed}>"

    def _term(self, path: Path) -> Term:
        return Term(path, self._factors.product(path._numbers, self._steps))
