r"""Writing: numbers, products and sums, as LaTeX and as plain text.

Products of numbers are written side by side.  A product of linear maps is read from the
output's side, the left; what joins it on the left or element by element (see
``tinygrad_res.factors``) puts parentheses around what it would tear apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .factors import Product

LONGEST_DECIMAL = 6
LONGEST_INTEGER = 12


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing.

    Attributes:
        index: which part of a ``Sign`` it takes.
        times: what stands between factors, where something must.
        odot: the product element by element.
        gap: the space between words.
        group, ratio, power, omitted: patterns.
    """

    index: int
    times: str
    odot: str
    gap: str
    group: str
    ratio: str
    power: str
    omitted: str


LATEX = Form(
    0, " ", r" \odot ", r"\ ", r"\left({}\right)", r"\frac{{{}}}{{{}}}", "2^{{{}}}",
    r"\underset{{{}\ \mathrm{{{}}}}}{{\cdots}}",
)  # fmt: skip
TEXT = Form(1, " · ", " ⊙ ", " ", "({})", "{}/{}", "2^{}", "... ({} {}) ...")
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
            written += f" + {form.omitted.format(omitted, more)}"
        minus = term.coefficient < 0
        size = of_product(Product(abs(term.coefficient), term.factors), form, unit)
        written += (" - " if minus else " + ") + size if written else "-" * minus + size
    return written or "0"


def of_product(product: Product, form: Form, unit: str = "") -> str:
    """Return a product, its number first."""
    coefficient, factors = product
    text, torn = "", False
    for factor in factors:
        mark = factor.sign[form.index]
        if factor.kind == "sum" and (len(factors) > 1 or coefficient != 1):
            mark = form.group.format(mark)
        if not text or factor.kind == "odot":
            torn = bool(text)
            text = f"{text}{form.odot}{mark}" if text else mark
            continue
        text, torn = form.group.format(text) if torn else text, False
        text = _beside(mark, text, form) if factor.kind == "left" else _beside(text, mark, form)
    text = text or unit
    if not text or not coefficient:
        return of_number(coefficient, form)
    if abs(coefficient) == 1:
        return f"-{text}" if coefficient < 0 else text
    return _beside(of_number(coefficient, form), text, form)


def of_number(value: Fraction, form: Form) -> str:
    """Return a number, exactly."""
    if value < 0:
        return f"-{of_number(-value, form)}"
    top, bottom = value.as_integer_ratio()
    if bottom > 1:
        decimal = str(float(value))
        exact = len(decimal) <= LONGEST_DECIMAL and Fraction(decimal) == value
        return decimal if exact else form.ratio.format(top, bottom)
    if top >= 10**LONGEST_INTEGER and top & (top - 1) == 0:
        return form.power.format(top.bit_length() - 1)
    return str(top)


def _beside(left: str, right: str, form: Form) -> str:
    apart = form.index or not right.startswith(("\\", "{"))
    return f"{left}{form.times if apart else ''}{right}"
