"""Products: a number times factors, each with its symbol and its value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from .notation import Sign


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor of a product.

    Attributes:
        sign: how it is written.
        value: its number, at scalar level.
        kind: how it joins what stands before it: ``""`` on its right, ``"left"`` of it,
            ``"odot"`` element by element; ``"sum"`` is one that may need parentheses.
        terms: what a sum is a sum of, where it is known whole.
    """

    sign: Sign
    value: float | None = None
    kind: str = ""
    terms: tuple[Product, ...] = ()


class Product(NamedTuple):
    """A number times factors, in the order of the path."""

    coefficient: Fraction = Fraction(1)
    factors: tuple[Factor, ...] = ()

    @property
    def value(self) -> float | None:
        """What it comes to, with no overflow on the way; ``None`` between arrays."""
        top, bottom = self.coefficient.as_integer_ratio()
        exponent = top.bit_length() - bottom.bit_length()
        mantissa = float(self.coefficient / Fraction(2) ** exponent)
        for factor in self.factors:
            if factor.value is None:
                return None
            size, shift = math.frexp(factor.value)
            mantissa, carry = math.frexp(mantissa * size)
            exponent += shift + carry
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:
            return math.copysign(math.inf, mantissa)
