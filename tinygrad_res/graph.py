"""Graph: an immutable picture of a computation, to look at and to compute on.

The graph is a directed multigraph.  A node is a value; an edge leads from an operation's
output back to one of its operands, the way a gradient travels, and keeps the operand's
position, so ``x * x`` has two edges.

The same computation is seen at three levels.  At ``"tensor"`` level, which ``tg.graph``
takes from a record, a node is a whole array.  At ``"scalar"`` level (``Graph.scalar``)
every array element is a node and every edge carries one number, its derivative.  At
``"scope"`` level (``Graph.scopes``) what happens within a scope is one step.  Nodes are
numbered so that edges lead from larger numbers to smaller ones, at every level.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dag
from .backend import Array
from .errors import GraphError, UsageError
from .graph_parts import GRADINGS, MOST, Amount, Grading, GraphEdge, GraphNode
from .record import Node
from .tensor import Tensor, raw

if TYPE_CHECKING:
    import networkx

Place = tuple[int, ...] | int
LIMIT = 5_000_000
"""How many edges the scalar level has at most, unless more are asked for."""


class Graph:
    """A computation as a directed multigraph.  Make one with ``tg.graph(tensor)``.

    Attributes:
        level: ``"tensor"``, ``"scalar"`` or ``"scope"``.
        nodes: every value, operands before outputs; the last is the output.
        edges: every dependency, parallel ones kept, sorted by source.
        sources, targets: the two nodes of every edge, integer arrays.
        derivatives: the number on every edge, float64, at scalar level; else ``None``.
        layers: ascending node numbers from 0 to their count; nodes from one of them up to
            the next have no edge among them.
    """

    level = "tensor"
    derivatives: Array | None = None

    def __init__(
        self, nodes: Sequence[GraphNode], edges: Sequence[GraphEdge],
        taken_from: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.nodes = nodes
        self.edges = edges
        self.sources = np.array([edge.source for edge in edges], dtype=np.int64)
        self.targets = np.array([edge.target for edge in edges], dtype=np.int64)
        self.layers = np.arange(len(nodes) + 1)
        self.taken_from = taken_from

    @property
    def output(self) -> GraphNode:
        """The node of the value that the graph was taken from."""
        return self.nodes[-1]

    @property
    def outputs(self) -> Sequence[int]:
        """The numbers of the nodes that the graph was taken from."""
        return (len(self.nodes) - 1,)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of the array that the graph was taken from."""
        return self.output.shape

    @cached_property
    def outgoing(self) -> tuple[tuple[GraphEdge, ...], ...]:
        """For each node, its edges to its operands, in their order."""
        found: list[list[GraphEdge]] = [[] for _ in self.nodes]
        for edge in self.edges:
            found[edge.source].append(edge)
        return tuple(map(tuple, found))

    # Which node

    def find(self, what: Tensor | GraphNode | str) -> GraphNode:
        """Return the node of a tensor, or the node with a name.

        Raises:
            GraphError: there is none in this graph, or several have the name.
        """
        if isinstance(what, GraphNode):
            known = what.index < len(self.nodes) and self.nodes[what.index] == what
            index = what.index if known else None
        elif isinstance(what, str):
            index = self._named(what)
        else:
            index = self._recorded.get(what._node) if isinstance(what, Tensor) else None
        if index is None:
            origin = title(self.taken_from) if self.taken_from is not None else "its output"
            raise GraphError(
                f"{title(what)} is not in this graph: ask about a tensor that "
                f"{origin} was computed from, while recording was on"
            )
        return self.nodes[index]

    def numbers(self, what: Tensor | GraphNode | str, at: Place | None = None) -> Sequence[int]:
        """Return the numbers of a tensor's nodes: one here, one per element at scalar level.

        Args:
            what: a tensor, a node, or a name.
            at: the index of one element, at scalar level.
        """
        if at is not None:
            raise UsageError(
                f"at={at!r}: a tensor is one node at {self.level} level: ask for level='scalar'"
            )
        return (self.find(what).index,)

    def shape(self, what: Tensor | GraphNode | str) -> tuple[int, ...] | None:
        """Return the shape of the array whose elements ``numbers(what)`` are.

        ``None`` for a number by itself, and for what is one node of several elements.
        """
        return None

    def holds(self, tensor: Tensor) -> bool:
        """Say whether a tensor is in this graph."""
        return tensor._node in self._recorded

    @cached_property
    def _recorded(self) -> dict[Node, int]:
        return {n.recorded: i for i, n in enumerate(self.nodes) if n.recorded is not None}

    def _named(self, name: str) -> int:
        found = [node for node in self.nodes if node.name == name]
        if len(found) > 1:
            raise GraphError(
                f"{len(found)} nodes have the name {name!r}: pass the tensor itself, or one of "
                f"graph.nodes: numbers {', '.join(str(node.index) for node in found[:5])}"
            )
        if not found:
            names = sorted({node.name for node in self.nodes if node.name is not None})
            known = (
                f"named {', '.join(names[:8])}{', ...' * (len(names) > 8)}" if names else "nameless"
            )
            raise GraphError(f"{name!r} is not in this graph: its nodes are {known}")
        return found[0].index

    # Which way

    def reached(self, starts: Sequence[int]) -> Array:
        """Say of each node whether edges lead to it from one of ``starts``, or it is one."""
        return dag.reached(len(self.nodes), starts, self.sources, self.targets)

    def reaching(self, ends: Sequence[int]) -> Array:
        """Say of each node whether edges lead from it to one of ``ends``, or it is one."""
        return dag.reaching(len(self.nodes), ends, self.sources, self.targets)

    # Grades

    def grades(self, by: Grading) -> Array:
        """Return the grade of every edge, an integer array.

        Args:
            by: ``"weight"``, ``"scale"``, ``"block"``, ``"activation"``, ``"length"``
                (1 for every edge), or a function from an edge to an int >= 0.

        Raises:
            UsageError: the grading is unknown, or the function gives something else.
        """
        if isinstance(by, str):
            if by not in GRADINGS:
                raise UsageError(
                    f"unknown grading {by!r}: use one of {', '.join(GRADINGS)}, "
                    "or a function from an edge to an int"
                )
            if by not in self._graded_by:  # a chain asks once for each of its blocks
                self._graded_by[by] = self._grades(by)
                self._graded_by[by].flags.writeable = False
            return self._graded_by[by]
        if not callable(by):
            raise UsageError(
                f"a grading is a name or a function from an edge to an int, not {by!r}: "
                f"use one of {', '.join(GRADINGS)}; for several at once, a tuple of them"
            )
        return np.array([self._grade(by, edge) for edge in self.edges], dtype=np.int64)

    def amounts(self, amount: Amount) -> Array:
        """Return what every edge adds to its paths: a grading, or any function to real numbers.

        Raises:
            UsageError: the function gives something else.
        """
        if not callable(amount):
            return self.grades(amount).astype(float)
        return np.array([self._amount(amount, edge) for edge in self.edges], dtype=float)

    @cached_property
    def _graded_by(self) -> dict[str, Array]:
        """The grade of every edge by each of the gradings that were asked for by name."""
        return {}

    def _grades(self, by: str) -> Array:
        if by == "length":
            return np.ones(len(self.edges), dtype=np.int64)
        return np.array([getattr(edge, by) for edge in self.edges], dtype=np.int64)

    def _amount(self, by: Callable[[GraphEdge], float], edge: GraphEdge) -> float:
        amount = by(edge)
        if not isinstance(amount, (int, float, np.number)) or not np.isfinite(amount):
            raise UsageError(
                f"the amount returned is {amount!r} for edge {edge.index} "
                f"({self.nodes[edge.source].label} -> {self.nodes[edge.target].label}): "
                "it must return a finite number"
            )
        return float(amount)

    def _grade(self, by: Callable[[GraphEdge], int], edge: GraphEdge) -> int:
        grade = by(edge)
        if not isinstance(grade, (int, np.integer, np.bool_)) or not 0 <= grade <= MOST:
            raise UsageError(
                f"the grading function returned {grade!r} for edge {edge.index} "
                f"({self.nodes[edge.source].label} -> {self.nodes[edge.target].label}): "
                f"it must return an int from 0 to {MOST}"
            )
        return int(grade)

    # Other levels

    def scalar(self, limit: int = LIMIT) -> Graph:
        """Return the same computation with a node for every array element.

        Args:
            limit: how many edges there may be at most.

        Raises:
            GraphError: there would be more; nothing is expanded.

        >>> import numpy as np, tinygrad_res as tg
        >>> x = tg.tensor(np.array([3.0, -1.0]), requires_grad=True, name="x")
        >>> g = tg.graph(tg.relu(x)).scalar()
        >>> [(g.nodes[e.source].label, g.nodes[e.target].label, e.derivative) for e in g.edges]
        [('relu[0]', 'x[0]', 1.0), ('relu[1]', 'x[1]', 0.0)]
        """
        from .scalar import ScalarGraph

        return self if self.level == "scalar" else ScalarGraph(self, None, limit)

    def scopes(self, depth: int | None = None) -> Graph:
        """Return the same computation with what happens within a scope as one step.

        Operations outside of all scopes stay as they are, and so do leaves.  A node is a scope
        together with a value by which paths enter it, an edge all ways inside that lead from
        there to the next; entries of one name are numbered, ``block#1``, ``block#2``.

        Args:
            depth: how many scopes inside one another are told apart: with 1 the outermost
                are one step each, with 2 those inside them as well; all where left out, so
                that what is recorded in a scope but in none inside it is one step.

        Returns:
            A graph whose edges have the grades that all ways inside agree on, and -1 where
            these differ, which no path can cross that is asked for its degree.

        Raises:
            GraphError: the graph is not one of recorded tensors.
            UsageError: the depth is no int of at least 1.

        >>> import tinygrad_res as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
        >>> with tg.scope("branch"):
        ...     h = tg.tanh(x * 3.0) * 2.0
        >>> g = tg.graph(x + h).scopes()
        >>> [(g.nodes[e.source].label, g.nodes[e.target].label) for e in g.edges]
        [('branch', 'x'), ('add', 'x'), ('add', 'branch')]
        """
        from .scopes import ScopeGraph

        return ScopeGraph(self, depth)

    # For other programs

    def to_networkx(self) -> networkx.MultiDiGraph:
        """Return the graph as a ``networkx.MultiDiGraph``; ``tg.from_networkx`` takes it back.

        Nodes are numbered as in ``nodes``; an edge leads from output to operand and its key is
        its place in ``edges``.  Attributes are those of the nodes and edges here, ``None`` left
        out, and a node's ``label``; nodes that the graph was taken from have ``output=True``.
        """
        from .exchange import to_networkx

        return to_networkx(self)

    def to_json(self) -> str:
        """Return the graph as JSON; ``tg.from_json`` reads it back, all but the arrays.

        It is networkx's node-link form: ``nx.node_link_graph(json.loads(text), edges="edges")``
        reads it too.  Attributes that are 0, false or empty are left out.
        """
        from .graph_files import to_json

        return to_json(self)

    def to_graphml(self) -> str:
        """Return the graph as GraphML, for Gephi, yEd and the like.

        Attributes are those of ``to_networkx``; shapes and indices are JSON text.

        Raises:
            DataError: a name has a character that XML cannot hold.
        """
        from .graph_files import to_graphml

        return to_graphml(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the graph to a file, whole or not at all; ``tg.load_graph`` reads it back.

        Args:
            path: ends in ``.json`` or ``.graphml``.

        Raises:
            UsageError: it ends otherwise.
            FileError: the file cannot be written.
        """
        from .graph_files import save

        return save(self, path)

    def __repr__(self) -> str:
        level = "" if self.level == "tensor" else f"{self.level} level, "
        return (
            f"Graph({level}{len(self.nodes)} nodes, {len(self.edges)} edges, "
            f"from {self.output.label})"
        )


def title(value: Any) -> str:
    """Name a tensor, or what was given in its place, in a message."""
    if isinstance(value, GraphNode):
        return f"node {value.index} ({value.label})"
    if isinstance(value, str):
        return f"{value!r}"
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"tensor {value.name!r}" if value.name else f"the tensor of shape {raw(value).shape}"
