"""Calls of every public operation, drawn by Hypothesis: shapes, axes, indices and options.

A ``Call`` is data, so that a failing example reads as what was called.  Each module has a
table ``CALLS``: by the operation's name a function that draws a call of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from . import (
    constants,
    contractions,
    general,
    linalg,
    numerics,
    pointwise,
    reductions,
    structural,
)
from .calls import Call, arrays
from .drawn import otherwise, shapes

DIFFERENTIABLE = {
    name: drawn
    for module in (pointwise, reductions, structural, contractions, general, numerics)
    for name, drawn in module.CALLS.items()
} | {f"linalg.{name}": drawn for name, drawn in linalg.CALLS.items()}
CONSTANT = constants.CALLS
EVERY = DIFFERENTIABLE | CONSTANT

__all__ = ["CONSTANT", "DIFFERENTIABLE", "EVERY", "Call", "arrays", "calls", "otherwise", "shapes"]


@st.composite
def calls(draw: Any, name: str) -> Call:
    """Calls of one operation."""
    return replace(EVERY[name](draw), name=name)
