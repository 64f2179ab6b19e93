r"""Derivatives as a calculus book writes them: 2 y, cos(y), 1 - h^2.

The table is for operations of one operand x.  A rule is written in x, or in the output h
where the user gave that a name: a person who calls tanh(z) h writes 1 - h^2, and who does
not writes tanh'(z).  What the table does not know of a nonlinearity is written so as well.
Abramowitz and Stegun 1964, chapter 4, have the same derivatives.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from .notation import Sign
from .primitive import Primitive


class Rule(NamedTuple):
    """A derivative: a number times a pattern.

    Attributes:
        number: what it is a multiple of.
        latex, text: patterns in ``{v}``, a value, or ``{b}``, the same as the base of a power.
        is_sum: whether a product needs parentheses around it.
    """

    number: Fraction
    latex: str
    text: str
    is_sum: bool = False


ONE, HALF = Fraction(1), Fraction(1, 2)

# fmt: off
BY_OUTPUT = {
    "exp":        Rule(ONE,  "{v}", "{v}"),
    "reciprocal": Rule(-ONE, "{b}^{{2}}", "{v}^2"),
    "sigmoid":    Rule(ONE,  r"{v} \left(1 - {v}\right)", "{v} · (1 - {v})"),
    "sqrt":       Rule(HALF, r"\frac{{1}}{{{v}}}", "1/{v}"),
    "tan":        Rule(ONE,  "1 + {b}^{{2}}", "1 + {v}^2", True),
    "tanh":       Rule(ONE,  "1 - {b}^{{2}}", "1 - {v}^2", True),
}
BY_OPERAND = {
    "cos":        Rule(-ONE, r"\sin\left({v}\right)", "sin({v})"),
    "cosh":       Rule(ONE,  r"\sinh\left({v}\right)", "sinh({v})"),
    "exp":        Rule(ONE,  "e^{{{v}}}", "exp({v})"),
    "expm1":      Rule(ONE,  "e^{{{v}}}", "exp({v})"),
    "log":        Rule(ONE,  r"\frac{{1}}{{{v}}}", "1/{v}"),
    "log1p":      Rule(ONE,  r"\frac{{1}}{{1 + {v}}}", "1/(1 + {v})"),
    "reciprocal": Rule(-ONE, r"\frac{{1}}{{{b}^{{2}}}}", "1/{v}^2"),
    "sin":        Rule(ONE,  r"\cos\left({v}\right)", "cos({v})"),
    "sinh":       Rule(ONE,  r"\cosh\left({v}\right)", "cosh({v})"),
    "sqrt":       Rule(HALF, r"\frac{{1}}{{\sqrt{{{v}}}}}", "1/sqrt({v})"),
    "square":     Rule(Fraction(2), "{v}", "{v}"),
}
# fmt: on


class Written(NamedTuple):
    """A derivative in symbols: a number times a sign, which may be a sum."""

    number: Fraction
    sign: Sign
    is_sum: bool = False


def written(primitive: Primitive, output: Sign | None, operand: Sign | None) -> Written | None:
    """Return the derivative of an operation of one operand; ``None`` where it has no short form.

    Args:
        primitive: the operation.
        output, operand: the symbols of its values; ``None`` for what is not to be mentioned.
    """
    name = primitive.name
    if output is not None and name in BY_OUTPUT:
        return _filled(BY_OUTPUT[name], output)
    if operand is None:
        return None
    if name in BY_OPERAND:
        return _filled(BY_OPERAND[name], operand)
    if primitive.grading != "activation":
        return None
    upright = name.replace("_", r"{\_}")
    latex = rf"\mathrm{{{upright}}}^{{\prime}}\left({operand.latex}\right)"
    return Written(ONE, Sign(latex, f"{name}'({operand.text})"))


def of_power(base: Sign, exponent: Fraction) -> Written:
    """Return the derivative of a power: its exponent times the power that is one less."""
    less = exponent - 1
    if less == 1:
        return Written(exponent, base)
    shown = str(less if less.denominator == 1 else float(less))
    sign = Sign(f"{_base(base)}^{{{shown}}}", f"{base.text}^{shown}")
    return Written(exponent, sign)


def of_inverse(base: Sign) -> Written:
    """Return 1 over a value, which a quotient's edge to what is divided carries."""
    return _filled(BY_OPERAND["log"], base)


def of_quotient(top: Sign | Fraction, base: Sign) -> Written:
    """Return the derivative of a quotient by its base: minus the top over the base squared."""
    if isinstance(top, Fraction):
        number, sign, _ = _filled(BY_OPERAND["reciprocal"], base)
        return Written(number * top, sign)
    sign = Sign(rf"\frac{{{top.latex}}}{{{_base(base)}^{{2}}}}", f"{top.text}/{base.text}^2")
    return Written(-ONE, sign)


def _filled(rule: Rule, value: Sign) -> Written:
    latex = rule.latex.format(v=value.latex, b=_base(value))
    return Written(rule.number, Sign(latex, rule.text.format(v=value.text)), rule.is_sum)


def _base(value: Sign) -> str:
    """Return the LaTeX of a value that an exponent can follow."""
    return rf"\left({value.latex}\right)" if "^" in value.latex else value.latex
