"""The scalar level: every array element a node, every edge a number.

A recorded operation is expanded by its family (``tinygrad_res.expansion``), which knows the
elements that an output element depends on and the derivatives.  A million edges are a few
arrays: nodes and edges become objects only when somebody looks at one.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar, overload

import numpy as np

from . import expansion
from .backend import Array
from .errors import GraphError, UsageError
from .graph import Graph, Place, title
from .graph_parts import GraphEdge, GraphNode
from .tensor import Tensor
from .whole_numbers import at_least

T = TypeVar("T")
BYTES_PER_EDGE = 40
"""Roughly what an edge takes at most, while the arrays are put together."""


class ScalarGraph(Graph):
    """A graph whose nodes are array elements.

    Attributes:
        parent: the graph at tensor level.
        first: where the elements of each of its nodes begin, and the number of all.
    """

    level = "scalar"

    def __init__(self, parent: Graph, used: Sequence[int] | None, limit: int) -> None:
        """Expand a graph.

        Args:
            parent: at tensor level.
            used: the numbers of the edges to expand; all where left out.
            limit: how many edges there may be at most.

        Raises:
            GraphError: there would be more, or the output has no elements; nothing is expanded.
        """
        limit = at_least(0, "scalar level", "limit", limit)
        if not math.prod(parent.output.shape):
            raise GraphError(
                f"scalar level: {parent.output.label} has shape {parent.output.shape}, so it has no "
                "element for a path to start at: ask at tensor level"
            )
        edges = parent.edges if used is None else [parent.edges[e] for e in used]
        _refuse_too_many(parent, edges, limit)
        sizes = np.zeros(len(parent.nodes) + 1, dtype=np.int64)
        for v in {parent.output.index, *(v for e in edges for v in (e.source, e.target))}:
            sizes[v + 1] = math.prod(parent.nodes[v].shape)
        self.parent = parent
        self.first = np.cumsum(sizes)
        self.taken_from = parent.taken_from
        self.layers = np.unique(self.first)
        self.sources, self.targets, self.derivatives, self._via = self._expanded(edges)
        self.nodes = _Lazily(int(self.first[-1]), self._node)
        self.edges = _Lazily(len(self.sources), self._edge)

    @property
    def outputs(self) -> Sequence[int]:
        """The numbers of the elements of the tensor that the graph was taken from."""
        return range(*self.first[-2:].tolist())

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of the tensor that the graph was taken from."""
        return self.parent.output_shape

    def holds(self, tensor: Tensor) -> bool:
        """Say whether a tensor is in this graph."""
        return self.parent.holds(tensor)

    def shape(self, what: Tensor | GraphNode | str) -> tuple[int, ...] | None:
        """Return a tensor's shape; ``None`` for one of the nodes here."""
        if isinstance(what, GraphNode) and what.element is not None:
            return None
        return self.parent.find(what).shape

    def numbers(self, what: Tensor | GraphNode | str, at: Place | None = None) -> Sequence[int]:
        """Return the numbers of a tensor's elements, or of the one ``at`` an index.

        Raises:
            UsageError: the tensor has no such element.
        """
        if isinstance(what, GraphNode) and what.element is not None:
            if at is not None:
                raise UsageError(f"at={at!r}: {title(what)} is one element already: leave at= out")
            return (self.find(what).index,)
        node = self.parent.find(what)
        first, after = self.first[node.index : node.index + 2].tolist()
        if at is None or first == after:
            return range(first, after)
        return (first + place_of(at, node.shape, node.label),)

    def find(self, what: Tensor | GraphNode | str) -> GraphNode:
        """Return the node of a tensor of one element; of others, ask ``nodes[numbers(x, at)[0]]``."""
        if isinstance(what, GraphNode) and what.element is not None:
            if what.index < len(self.nodes) and self.nodes[what.index] == what:
                return what
            raise GraphError(f"{title(what)} is not in this graph")
        found = self.numbers(what)
        if len(found) != 1:
            raise GraphError(
                f"{title(what)} has {len(found)} nodes at scalar level: "
                "graph.nodes[graph.numbers(tensor, at=index)[0]] is one of them"
            )
        return self.nodes[found[0]]

    def _grades(self, by: str) -> Array:
        return self.parent.grades(by)[self._via]

    def _expanded(self, edges: Sequence[GraphEdge]) -> tuple[Array, Array, Array, Array]:
        """Return source, target, derivative and edge of the parent for every edge."""
        found: list[tuple[Array, ...]] = []
        for _, own in itertools.groupby(edges, key=operator.attrgetter("source")):
            parts = [self._entries(edge) for edge in own]
            found.append(_sorted([np.concatenate(column) for column in zip(*parts, strict=True)]))
        empty = (np.zeros(0, np.int32),) * 2 + (np.zeros(0), np.zeros(0, np.int32))
        sources, targets, derivatives, via = map(np.concatenate, zip(empty, *found, strict=True))
        return sources, targets, derivatives, via

    def _entries(self, edge: GraphEdge) -> tuple[Array, Array, Array, Array]:
        record = self.parent.nodes[edge.source].record
        rows, columns, derivatives = expansion.entries(record, edge.position)
        sources = (rows + self.first[edge.source]).astype(np.int32)
        targets = (columns + self.first[edge.target]).astype(np.int32)
        return sources, targets, derivatives, np.full(len(rows), edge.index, np.int32)

    def _node(self, number: int) -> GraphNode:
        owner = int(np.searchsorted(self.first, number, side="right")) - 1
        node = self.parent.nodes[owner]
        element = np.unravel_index(number - int(self.first[owner]), node.shape)
        return replace(node, index=number, shape=(), element=tuple(map(int, element)))

    def _edge(self, number: int) -> GraphEdge:
        assert self.derivatives is not None
        return replace(
            self.parent.edges[int(self._via[number])],
            index=number,
            source=int(self.sources[number]),
            target=int(self.targets[number]),
            derivative=float(self.derivatives[number]),
        )


def place_of(at: Place, shape: tuple[int, ...], label: str) -> int:
    """Return the place, in C order, of the element at an index.

    Raises:
        UsageError: an array of this shape, named by ``label``, has no such element.
    """
    index = at if isinstance(at, tuple) else (at,)
    try:
        flat = np.arange(math.prod(shape)).reshape(shape)[index]
    except (IndexError, TypeError, ValueError) as error:
        raise UsageError(f"at={at!r}: {label} has shape {shape}: {error}") from error
    if np.ndim(flat) or not isinstance(flat, np.integer):
        raise UsageError(f"at={at!r}: {label} has shape {shape}: give one index per axis")
    return int(flat)


def _sorted(columns: list[Array]) -> tuple[Array, ...]:
    """Return the edges of one operation, sorted by the output's element."""
    order = np.argsort(columns[0], kind="stable")
    return tuple(column[order] for column in columns)


def _refuse_too_many(parent: Graph, edges: Sequence[GraphEdge], limit: int) -> None:
    sizes = [expansion.count(parent.nodes[e.source].record, e.position) for e in edges]
    if sum(sizes) <= limit:
        return
    largest = edges[int(np.argmax(sizes))]
    raise GraphError(
        f"scalar level: {sum(sizes)} edges, about {sum(sizes) * BYTES_PER_EDGE / 1e6:.0f} MB, and "
        f"the limit is {limit} (most of them, {max(sizes)}, between "
        f"{parent.nodes[largest.source].label} and {parent.nodes[largest.target].label}): "
        "take a smaller batch, ask at tensor level, or raise limit="
    )


class _Lazily(Sequence[T]):
    """A sequence whose items are made when they are asked for."""

    def __init__(self, size: int, make: Callable[[int], T]) -> None:
        self._size, self._make = size, make

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, i: int) -> T: ...
    @overload
    def __getitem__(self, i: slice) -> list[T]: ...
    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self._make(k) for k in range(self._size)[i]]
        return self._make(range(self._size)[i])

    def __iter__(self) -> Iterator[T]:
        return map(self._make, range(self._size))
