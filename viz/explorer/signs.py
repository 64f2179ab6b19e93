r"""Signs: what the page needs to write a path as ``Path.latex()`` does.

A path's formula is a product of partial derivatives, one for each step between nodes that are
written; others are passed over, and an edge that is not the only way between its ends is marked
(see ``tinygrad_res.factors``).  So LaTeX needs no text for each of 2^600 paths: the symbol of
each node is told once, and the page strings them together.
"""

from __future__ import annotations

from tinygrad_res.factors import Factors
from tinygrad_res.measures import Paths

COTANGENT = -1
"""The number of an edge that carries the output's cotangent."""


class Signs:
    """The symbols of nodes, as ``Path.latex()`` writes them."""

    def __init__(self, paths: Paths) -> None:
        self._factors = Factors(paths.frame)
        self._known = len(paths.graph.nodes)

    def hides(self, node: int) -> bool:
        """Whether formulas pass over a node."""
        return node in self._factors.hidden

    def latex(self, node: int) -> str:
        """Return a node's symbol, ``""`` for the one that stands for all outputs."""
        return self._factors.symbols.node(node).latex if node < self._known else ""


def parallel_numbers(paths: Paths) -> dict[int, int]:
    """Return which of the edges between the same two nodes an edge is, counted from 1.

    Edges that are the only way between their ends are left out; edges with a cotangent have the
    number ``COTANGENT``.
    """
    frame, edges = paths.frame, len(paths.graph.edges)
    which = Factors(frame).which
    found = {edge.index: number for edge in paths.edges if (number := which(edge.index))}
    return found | dict.fromkeys(range(edges, len(frame.sources)), COTANGENT)
