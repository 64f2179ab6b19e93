"""Gradient norms by degree, within a stated budget.

A sweep carries one cotangent for each degree, so the norms of all degrees of a deep
net cost as many backward passes as there are degrees.  Figures stop at a budget and
say so.
"""

from __future__ import annotations

from tinygrad_res.grading import norm
from tinygrad_res.graph_parts import Grading
from tinygrad_res.measures import Paths

EDGE_VISITS = 250_000
"""So many are paid for, and for the first ``FEWEST_DEGREES`` in any case."""
FEWEST_DEGREES = 10


def norms_by(
    paths: Paths, by: Grading = "weight", max_degree: int | None = None
) -> dict[int, float]:
    """Return the exact gradient norm of each degree, from the lowest up to the budget.

    Of paths that lead to one number it is the absolute value.

    Args:
        max_degree: the highest degree, in place of the budget.

    Raises:
        GradientError: the output has several elements and the paths no cotangent.
    """
    if max_degree is None:
        max_degree = affordable_degree(paths, by)
    parts = paths.gradient_by(by, max_degree)
    return {k: abs(g) if isinstance(g, float) else norm(g) for k, g in parts.items()}


def affordable_degree(paths: Paths, by: Grading = "weight") -> int:
    """Return up to which degree the budget pays for norms."""
    degrees: list[int] = sorted(paths.count_by(by))
    affordable = max(FEWEST_DEGREES, EDGE_VISITS // max(len(paths.graph.edges), 1))
    return degrees[min(len(degrees), affordable) - 1]
