r"""Writing: numbers, products and sums, as LaTeX and as plain text.

Products of numbers are written side by side.  A product of linear maps is read from the
output's side, the left; what joins it on the left or element by element (see
``tinygrad_res.products``) puts parentheses around what it would tear apart.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .products import Product

LONGEST_DECIMAL = 6
LONGEST_INTEGER = 12
"""Of a power of two, which is shorter as one."""
LONGEST_DIGITS = 200


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing.

    Attributes:
        index: which part of a ``Sign`` it takes.
        times: what stands between factors, where something must.
        odot: the product element by element.
        gap: the space between words.
        group, ratio, power, about, omitted: patterns.
    """

    index: int
    times: str
    odot: str
    gap: str
    group: str
    ratio: str
    power: str
    about: str
    omitted: str


LATEX = Form(
    0, " ", r" \odot ", r"\ ", r"\left({}\right)", r"\frac{{{}}}{{{}}}", "2^{{{}}}",
    r"(\mathrm{{about}}\ {} \cdot 10^{{{}}})", r"\underset{{{}\ \mathrm{{{}}}}}{{\cdots}}",
)  # fmt: skip
TEXT = Form(1, " · ", " ⊙ ", " ", "({})", "{}/{}", "2^{}", "about {} · 10^{}", "... ({} {}) ...")
FORMS = (LATEX, TEXT)


def of_sum(terms: Sequence[Product], omitted: int, form: Form, unit: str = "") -> str:
    """Return a sum, with how many terms are left out before the last one.

    Args:
        terms: those to show.
        omitted: how many are left out.
        form: the way of writing.
        unit: what a term without factors is a multiple of, such as I.
    """
    written = ""
    for k, term in enumerate(terms):
        if omitted and k == len(terms) - 1:
            more = ("more term" if omitted == 1 else "more terms").replace(" ", form.gap)
            written += f" + {form.omitted.format(of_integer(omitted, form), more)}"
        minus = term.coefficient < 0
        size = of_product(Product(abs(term.coefficient), term.factors), form, unit)
        written += (" - " if minus else " + ") + size if written else "-" * minus + size
    return written or "0"


def of_product(product: Product, form: Form, unit: str = "") -> str:
    """Return a product, its number first."""
    coefficient, factors = product
    pieces: deque[str] = deque()
    torn = False
    for factor in factors:
        mark = factor.sign[form.index]
        if factor.kind == "sum" and (len(factors) > 1 or coefficient != 1):
            mark = form.group.format(mark)
        if pieces and factor.kind == "odot":
            pieces.append(form.odot)
        elif torn:
            before, after = form.group.split("{}")
            pieces.appendleft(before)
            pieces.append(after)
        torn = bool(pieces) and factor.kind == "odot"
        if factor.kind == "left":
            pieces.extendleft((_gap(pieces[0], form), mark) if pieces else (mark,))
        else:
            pieces.extend((_gap(mark, form), mark) if pieces and not torn else (mark,))
    text = "".join(pieces) or unit
    if not text or not coefficient:
        return of_number(coefficient, form)
    if abs(coefficient) == 1:
        return f"-{text}" if coefficient < 0 else text
    return f"{of_number(coefficient, form)}{_gap(text, form)}{text}"


def of_number(value: Fraction, form: Form) -> str:
    """Return a number, exactly where its integers are not too long to read."""
    if value < 0:
        return f"-{of_number(-value, form)}"
    top, bottom = value.as_integer_ratio()
    if bottom == 1:
        return of_integer(top, form)
    if bottom < 10**LONGEST_DECIMAL:
        decimal = str(float(value)) if top < 10**LONGEST_DECIMAL else ""
        if len(decimal) <= LONGEST_DECIMAL and decimal and Fraction(decimal) == value:
            return decimal
    if max(top, bottom) >= 10**LONGEST_DIGITS:
        return _about(math.log10(top) - math.log10(bottom), form)
    return form.ratio.format(of_integer(top, form), of_integer(bottom, form))


def of_integer(value: int, form: Form) -> str:
    r"""Return a whole number, not negative: its digits, or about a power of two, or about what.

    >>> of_integer(2**54, LATEX), of_integer(2**54 - 4, LATEX)
    ('2^{54}', '18014398509481980')
    >>> of_integer(2**20_000 - 4, TEXT), of_integer(3**20_000, TEXT)
    ('2^20000 - 4', 'about 2.66 · 10^9542')
    """
    exponent = (value - 1).bit_length()
    short = (1 << exponent) - value
    if value < 10 ** (LONGEST_INTEGER if not short else LONGEST_DIGITS):
        return str(value)
    if short < 10**3:
        return form.power.format(exponent) + (f" - {short}" if short else "")
    return _about(math.log10(value), form)


def _about(tens: float, form: Form) -> str:
    """Return roughly ten to a power."""
    return form.about.format(f"{10 ** (tens % 1):.2f}", math.floor(tens))


def _gap(right: str, form: Form) -> str:
    """Return what stands between a factor and what comes on its right."""
    return "" if right.startswith(("\\", "{")) and not form.index else form.times
