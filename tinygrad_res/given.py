"""Graphs that were given and not recorded: nodes and edges, and no tensor behind them.

What a path is, how many there are and, where edges carry numbers, what their products are
is all in the nodes and edges; only a look at arrays needs a record.  At scalar level the
nodes of one name are the elements of one array, told apart by their ``element``, so that
a name means here what a tensor means in a graph that was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod

import numpy as np

from .backend import Array
from .errors import GraphError, UsageError
from .graph import Graph, Place
from .graph_parts import GraphEdge, GraphNode
from .scalar import place_of
from .tensor import Tensor

Shape = tuple[int, ...]


class GivenGraph(Graph):
    """A graph made of nodes and edges alone.

    Args:
        level: ``"tensor"``, ``"scalar"`` or ``"scope"``.
        nodes: operands before outputs, the outputs last.
        edges: sorted by source, each from a larger number to a smaller one; at scalar level
            each with a derivative.
        outputs: how many of the last nodes are elements of the output.
    """

    def __init__(
        self, level: str, nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], outputs: int = 1
    ) -> None:  # fmt: skip
        super().__init__(nodes, edges)
        self.level = level
        self._outputs = range(len(nodes) - outputs, len(nodes))
        if level == "scalar":
            self.derivatives = np.array([edge.derivative for edge in edges], dtype=np.float64)
            self.layers = layers(len(nodes), self.sources, self.targets)

    def _grades(self, by: str) -> Array:
        found = super()._grades(by)
        if (found < 0).any():
            edge = self.edges[int(np.argmin(found))]
            raise GraphError(
                f"{by} differs among the ways inside {self.nodes[edge.source].label}, so paths "
                "through it have no degree: ask the graph that this one was written from"
            )
        return found

    @property
    def outputs(self) -> Sequence[int]:
        """The numbers of the output's elements."""
        return self._outputs

    @property
    def output_shape(self) -> Shape:
        """The shape of the output; that of one number where it is one node at scalar level."""
        if self.level != "scalar":
            return self.output.shape
        found = self._extent(self._outputs)
        if found is None and len(self._outputs) > 1:
            raise GraphError(
                f"the {len(self._outputs)} outputs of this graph are not the elements of one "
                "array, so there is no cotangent for them: count, or take one as the output"
            )
        return found or ()

    def shape(self, what: Tensor | GraphNode | str) -> Shape | None:
        """Return the shape of the array with a name; ``None`` for a node by itself."""
        return self._extent(self.numbers(what)) if isinstance(what, str) else None

    def numbers(self, what: Tensor | GraphNode | str, at: Place | None = None) -> Sequence[int]:
        """Return the numbers of the nodes with a name, in C order, or of the one ``at`` an index.

        Raises:
            GraphError: there is none, or they are no array: some elements are missing, or
                there are two of the same.
            UsageError: there is no such element.
        """
        found = self._named_so.get(what, []) if isinstance(what, str) else []
        if self.level != "scalar" or not found:
            return super().numbers(what, at)
        shape = self._extent(found)
        if shape is None and len(found) > 1:
            return super().numbers(what)  # says that they are several
        if shape is None and at is not None:
            raise UsageError(f"at={at!r}: {what} is a number and has no elements: leave at= out")
        return found if at is None else (found[place_of(at, shape or (), str(what))],)

    @cached_property
    def _named_so(self) -> dict[str, list[int]]:
        """For each name, the numbers of its nodes, in the order of their elements."""
        found: dict[str, list[int]] = {}
        for node in self.nodes:
            if node.name is not None:
                found.setdefault(node.name, []).append(node.index)
        return {
            name: sorted(numbers, key=lambda v: self.nodes[v].element or ())
            for name, numbers in found.items()
        }

    def _extent(self, numbers: Sequence[int]) -> Shape | None:
        """Return the shape of the array whose elements, in C order, nodes are; ``None`` if of none."""
        elements = [self.nodes[v].element for v in numbers]
        if not elements or elements[-1] is None:
            return None
        shape = tuple(i + 1 for i in elements[-1])
        whole = len(elements) == prod(shape) and elements == list(np.ndindex(shape))
        return shape if whole else None


def layers(size: int, sources: Array, targets: Array) -> Array:
    """Return ascending node numbers, from 0 to ``size``, with no edge within a run of nodes.

    Args:
        size: the number of nodes.
        sources, targets: the nodes that edges join, sorted by source.

    >>> import numpy as np
    >>> layers(5, np.array([2, 3, 4, 4]), np.array([0, 1, 2, 3])).tolist()
    [0, 2, 4, 5]
    """
    nearest = np.full(size, -1)
    np.maximum.at(nearest, sources, targets)
    found = [0]
    for node, operand in enumerate(nearest.tolist()):
        if operand >= found[-1]:
            found.append(node)
    return np.array([*found, size])
