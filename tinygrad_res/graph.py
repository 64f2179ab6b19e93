"""Graph: an immutable snapshot of what was recorded, to look at and to compute on.

The graph is a directed multigraph.  A node is a recorded value; an edge leads from an
operation's output back to one of its operands, the way a gradient travels, and keeps
the operand's position, so ``x * x`` has two edges.

Every edge is graded when the snapshot is taken.  Its ``weight`` is 1 when it leads
through a weight layer: from the output of a contraction to the operand that depends
on data, while the other operand is weight-valued.  A value is weight-valued when it
is computed from parameters and from nothing that depends on data, so a transposed or
normalised weight counts.  A plain array or a constant tensor in a contraction is data,
and so is an array of indices; in a pointwise operation (a mask, a constant factor) it is
not.  The edge to the parameter itself
crosses no layer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .backend import is_array
from .errors import GraphError, UsageError
from .families import Contraction, General, Pointwise, Structural
from .record import Leaf, Node
from .tensor import Tensor, raw

if TYPE_CHECKING:
    import networkx

Grading = str | Callable[["GraphEdge"], int]


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A recorded value.

    Attributes:
        index: its place in ``Graph.nodes``; operands come before outputs.
        op: the operation that made it, ``""`` for a leaf.
        name: the name it was given, or ``None``.
        kind: ``"operation"``, ``"parameter"`` or ``"input"`` (a leaf that is no parameter).
        scope: the scopes it was recorded in, outermost first, joined by ``/``.
        shape, dtype: those of its value.
        weight_valued: whether it is computed from parameters and no data.
        requires_grad: whether derivatives by it are recorded.
    """

    index: int
    op: str
    name: str | None
    kind: str
    scope: str
    shape: tuple[int, ...]
    dtype: str
    weight_valued: bool
    requires_grad: bool
    record: Node = field(repr=False, compare=False)

    @property
    def tensor(self) -> Tensor | None:
        """The leaf tensor itself; ``None`` for an operation, and where the leaf is gone."""
        return self.record.owner() if isinstance(self.record, Leaf) else None

    @property
    def label(self) -> str:
        """The name, or the operation where there is none."""
        return self.name or self.op or self.kind


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """The edge from an operation's output back to one operand.

    Attributes:
        index: its place in ``Graph.edges``.
        source: the index of the output's node.
        target: the index of the operand's node.
        position: which operand of the operation the target is.
        family: the family of the operation.
        label: what stands on the edge, as text: the other operand's name for a
            product, the derivative of an activation, ``"1"`` for a plain copy or sum.
        weight: 1 if it leads through a weight layer.
        scale: 1 if it leads through a learned scale (a gate, normalisation's gamma).
        activation: 1 if it leads through a nonlinearity.
        block: the number of residual branches it enters.
        is_identity: whether the derivative on it is 1: a sum's operand, or a copy such as
            a reshape, a slice or zero padding.
    """

    index: int
    source: int
    target: int
    position: int
    family: str
    label: str
    weight: int
    scale: int
    activation: int
    block: int
    is_identity: bool


GRADINGS = ("weight", "scale", "block", "activation", "length")


class Graph:
    """What was recorded above one tensor.  Make one with ``tg.graph(tensor)``.

    Attributes:
        nodes: every recorded value, operands before outputs; the last is the output.
        edges: every dependency, parallel ones kept, grouped by source.
    """

    def __init__(self, output: Tensor) -> None:
        records = _records(output)
        self._number = {record: i for i, record in enumerate(records)}
        weight, data = _provenance(records)
        self.nodes: tuple[GraphNode, ...] = tuple(
            _describe(i, record, record in weight and record not in data)
            for i, record in enumerate(records)
        )
        edges: list[GraphEdge] = []
        for node in self.nodes:
            edges.extend(self._edges_of(node, len(edges), data))
        self.edges: tuple[GraphEdge, ...] = tuple(edges)
        self._output = output

    @property
    def output(self) -> GraphNode:
        """The node of the tensor that the graph was taken from."""
        return self.nodes[-1]

    @cached_property
    def outgoing(self) -> tuple[tuple[GraphEdge, ...], ...]:
        """For each node, its edges to its operands, in their order."""
        found: list[list[GraphEdge]] = [[] for _ in self.nodes]
        for edge in self.edges:
            found[edge.source].append(edge)
        return tuple(map(tuple, found))

    def find(self, tensor: Tensor) -> GraphNode:
        """Return the node of ``tensor``.

        Raises:
            GraphError: the tensor is not in this graph.
        """
        index = None if not isinstance(tensor, Tensor) else self._number.get(tensor._node)
        if index is None:
            raise GraphError(
                f"{_title(tensor)} is not in this graph: ask about a tensor that "
                f"{_title(self._output)} was computed from, while recording was on"
            )
        return self.nodes[index]

    def reached(self, start: int, alive: Collection[int] | None = None) -> set[int]:
        """Return the nodes that edges lead to from node ``start``, and itself.

        ``alive`` are the indices of the edges to follow; all where left out.
        """
        found = {start}
        for edges in reversed(self.outgoing):
            for edge in edges:
                if edge.source in found and (alive is None or edge.index in alive):
                    found.add(edge.target)
        return found

    def reaching(self, end: int, alive: Collection[int] | None = None) -> set[int]:
        """Return the nodes from which edges lead to node ``end``, and itself; see ``reached``."""
        found = {end}
        for edges in self.outgoing:
            for edge in edges:
                if edge.target in found and (alive is None or edge.index in alive):
                    found.add(edge.source)
        return found

    def grades(self, by: Grading) -> list[int]:
        """Return the grade of every edge.

        Args:
            by: ``"weight"``, ``"scale"``, ``"block"``, ``"activation"``, ``"length"``
                (1 for every edge), or a function from an edge to an int >= 0.

        Raises:
            UsageError: the grading is unknown, or the function gives something else.
        """
        if by == "length":
            return [1] * len(self.edges)
        if isinstance(by, str):
            if by not in GRADINGS:
                raise UsageError(
                    f"unknown grading {by!r}: use one of {', '.join(GRADINGS)}, "
                    "or a function from an edge to an int"
                )
            return [getattr(edge, by) for edge in self.edges]
        grades = []
        for edge in self.edges:
            grade = by(edge)
            if type(grade) not in (int, bool) or grade < 0:
                raise UsageError(
                    f"the grading function returned {grade!r} for edge {edge.index} "
                    f"({self.nodes[edge.source].label} -> {self.nodes[edge.target].label}): "
                    "it must return an int of at least 0"
                )
            grades.append(int(grade))
        return grades

    def to_networkx(self) -> networkx.MultiDiGraph:
        """Return the graph as a ``networkx.MultiDiGraph``.

        Nodes are numbered as in ``nodes``; an edge leads from output to operand and its
        key is the operand's position.  Attributes are those of the nodes and edges here.
        """
        import networkx

        graph = networkx.MultiDiGraph()
        for node in self.nodes:
            graph.add_node(
                node.index, label=node.label, op=node.op, name=node.name, kind=node.kind,
                scope=node.scope, shape=node.shape, dtype=node.dtype,
                weight_valued=node.weight_valued, requires_grad=node.requires_grad,
            )  # fmt: skip
        for edge in self.edges:
            graph.add_edge(
                edge.source, edge.target, key=edge.position, family=edge.family, label=edge.label,
                weight=edge.weight, scale=edge.scale, activation=edge.activation, block=edge.block,
                is_identity=edge.is_identity,
            )  # fmt: skip
        return graph

    def __repr__(self) -> str:
        return f"Graph({len(self.nodes)} nodes, {len(self.edges)} edges, from {self.output.label})"

    def _edges_of(self, node: GraphNode, first: int, data: set[Node]) -> list[GraphEdge]:
        """Grade the edges of one operation."""
        record = node.record
        edges: list[GraphEdge] = []
        if record.primitive is None:
            return edges
        product = isinstance(record.primitive, Contraction)
        scaling = isinstance(record.primitive, General) or node.op in ("multiply", "divide")
        inside = record.scope.branches()
        for position, parent in enumerate(record.parents):
            if parent not in self._number:
                continue
            target = self.nodes[self._number[parent]]
            weighted = parent in data and any(
                self.nodes[self._number[other]].weight_valued
                for k, other in enumerate(record.parents)
                if k != position and other in self._number
            )
            entered = [s for s in parent.scope.branches() if s not in inside]
            edges.append(
                GraphEdge(
                    index=first + len(edges),
                    source=node.index,
                    target=target.index,
                    position=position,
                    family=record.primitive.family,
                    label=self._label(record, position),
                    weight=int(product and weighted),
                    scale=int(scaling and weighted),
                    activation=int(record.primitive.grading == "activation"),
                    block=len(entered) if parent in data and target.op else 0,
                    is_identity=_copies(record, position),
                )
            )
        return edges

    def _label(self, record: Node, position: int) -> str:
        """Say in a word what stands on the edge to the operand at ``position``."""
        primitive = record.primitive
        assert primitive is not None
        if _copies(record, position):
            return "1"
        rule = primitive.rules[position if len(primitive.rules) > 1 else 0]
        if isinstance(primitive, Pointwise) and isinstance(rule, int):
            return str(rule)
        if isinstance(primitive, Contraction) or primitive.name == "multiply":
            return self._origin(record.parents[1 - position], record.saved[2 - position])
        return "1/n" if primitive.name == "mean" else f"{primitive.name}'"

    def _origin(self, record: Node | None, value: Any) -> str:
        """Name an operand: its own name, or the parameter that it is a reshaping of."""
        while record is not None:
            if record.name:
                return record.name
            if isinstance(record, Leaf):
                return "W" if record.is_parameter else "x"
            if not isinstance(record.primitive, Structural) or len(record.parents) != 1:
                return f"{record.primitive}(·)"
            record = record.parents[0]
        return f"{value:g}" if isinstance(value, (int, float)) else "·"


def graph(output: Tensor) -> Graph:
    """Return the graph of everything recorded above ``output``.

    Raises:
        GraphError: nothing was recorded for it.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor(3.0, requires_grad=True, name="x")
    >>> g = tg.graph(x * x)
    >>> len(g.nodes), len(g.edges)
    (2, 2)
    """
    if not isinstance(output, Tensor):
        raise GraphError(
            f"graph: expected a tensor, got {type(output).__name__}: pass what a computation "
            "on tensors returned, such as the loss"
        )
    if output._node is None:
        raise GraphError(
            f"graph: nothing was recorded for {_title(output)}: make its inputs with "
            "requires_grad=True or tg.parameter, and compute it outside tg.no_grad"
        )
    return Graph(output)


def _title(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"tensor {value.name!r}" if value.name else f"the tensor of shape {raw(value).shape}"


def _records(output: Tensor) -> list[Node]:
    """Return every node that ``output`` was computed from, in the order of recording.

    Constants without a name are left out: they are plain arrays.
    """
    start = output._node
    assert start is not None
    found, stack = {start}, [start]
    while stack:
        for parent in stack.pop().parents:
            if parent is None or parent in found:
                continue
            if isinstance(parent, Leaf) and parent.is_constant and parent.name is None:
                continue
            found.add(parent)
            stack.append(parent)
    return sorted(found, key=lambda record: record.index)


def _copies(record: Node, position: int) -> bool:
    """Say whether the derivative by an operand is 1, moved about at most."""
    primitive = record.primitive
    assert primitive is not None
    rule = primitive.rules[position if len(primitive.rules) > 1 else 0]
    return isinstance(primitive, Structural) or (isinstance(rule, int) and rule == 1)


def _provenance(records: Iterable[Node]) -> tuple[set[Node], set[Node]]:
    """Return the nodes with a parameter above them, and those that depend on data.

    A constant tensor is a plain array, whether it has a name or not.
    """
    weight: set[Node] = set()
    data: set[Node] = set()
    for record in records:
        if isinstance(record, Leaf):
            if record.is_parameter:
                weight.add(record)
            elif record.requires_grad:
                data.add(record)
            continue
        if any(parent in weight for parent in record.parents):
            weight.add(record)
        if any(parent in data for parent in record.parents) or _meets_data(record):
            data.add(record)
    return weight, data


def _meets_data(record: Node) -> bool:
    """Say whether a plain array enters an operation as data: in a product, or as an index."""
    if isinstance(record.primitive, (Contraction, General)):
        return any(p is None or (isinstance(p, Leaf) and p.is_constant) for p in record.parents)
    index = record.params.get("index", ())
    return any(map(is_array, index if isinstance(index, tuple) else (index,)))


def _describe(index: int, record: Node, weight_valued: bool) -> GraphNode:
    kind = "operation"
    if isinstance(record, Leaf):
        kind = "parameter" if record.is_parameter else "input"
    return GraphNode(
        index=index,
        op="" if record.primitive is None else record.primitive.name,
        name=record.name,
        kind=kind,
        scope=record.scope.path,
        shape=record.shape,
        dtype=str(record.dtype),
        weight_valued=weight_valued,
        requires_grad=record.requires_grad,
        record=record,
    )
