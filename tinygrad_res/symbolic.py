"""A formula as an expression of sympy, to calculate with.

Its symbols are the factors, named by their LaTeX, so that sympy prints the formula as it was.
"""

from __future__ import annotations

import importlib
from typing import Any

from .errors import UsageError
from .products import Factor, Product
from .sums import Tree, fold
from .writing import LATEX


def expression(tree: Tree) -> Any:
    """Return a tree that nothing is left out of as an expression."""
    sympy = _sympy()

    def leaf(product: Product) -> Any:
        factors = [sympy.Symbol(_name(factor)) for factor in product.factors]
        return sympy.Mul(sympy.Rational(product.coefficient), *factors)

    return fold(tree, leaf, lambda parts: sympy.Mul(*parts), lambda parts, _: sympy.Add(*parts))


def values(tree: Tree) -> dict[Any, float]:
    """Return the number that each symbol of the expression stands for."""
    sympy = _sympy()
    factors = [factor for part in tree for factor in part.product.factors]
    return {sympy.Symbol(_name(f)): f.value for f in factors if f.value is not None}


def _name(factor: Factor) -> str:
    """Return what a factor is called inside of a product."""
    return LATEX.group.format(factor.sign.latex) if factor.kind == "sum" else factor.sign.latex


def _sympy() -> Any:
    try:
        return importlib.import_module("sympy")
    except ImportError as error:
        raise UsageError(
            "sympy: it is not installed: pip install '.[formulas]' in the checkout"
        ) from error
