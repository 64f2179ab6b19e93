"""Taking a graph from a record: which nodes it has, and what crossing each edge counts as.

Every edge is graded when the graph is taken.  Its ``weight`` is 1 when it leads
through a weight layer: from the output of a contraction to the operand that depends
on data, while the other operand is weight-valued.  A value is weight-valued when it
is computed from parameters and from nothing that depends on data, so a transposed or
normalised weight counts.  A plain array or a constant tensor in a contraction is data,
and so is an array of indices; in a pointwise operation (a mask, a constant factor) it is
not.  The edge to the parameter itself crosses no layer.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from .backend import is_array
from .errors import GraphError
from .families import Contraction, General, Pointwise, Structural
from .graph import Graph, title
from .graph_parts import GraphEdge, GraphNode
from .record import Leaf, Node
from .tensor import Tensor

_name = functools.cache(str)  # of a dtype, which takes its time


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
            f"graph: nothing was recorded for {title(output)}: make its inputs with "
            "requires_grad=True or tg.parameter, and compute it outside tg.no_grad"
        )
    records = _records(output)
    number = {record: i for i, record in enumerate(records)}
    weight, data = _provenance(records)
    nodes = tuple(
        _describe(i, record, record in weight and record not in data)
        for i, record in enumerate(records)
    )
    edges: list[GraphEdge] = []
    for node in nodes:
        edges.extend(_edges_of(node, nodes, number, len(edges), data))
    return Graph(nodes, tuple(edges), taken_from=output)


def _edges_of(
    node: GraphNode,
    nodes: Sequence[GraphNode],
    number: dict[Node, int],
    first: int,
    data: set[Node],
) -> list[GraphEdge]:
    """Grade the edges of one operation."""
    record = node.record
    edges: list[GraphEdge] = []
    if record.primitive is None:
        return edges
    product = isinstance(record.primitive, Contraction)
    scaling = isinstance(record.primitive, General) or node.op in ("multiply", "divide")
    inside = record.scope.branches()
    for position, parent in enumerate(record.parents):
        if parent not in number:
            continue
        target = nodes[number[parent]]
        weighted = parent in data and any(
            nodes[number[other]].weight_valued
            for k, other in enumerate(record.parents)
            if k != position and other in number
        )
        entered = [s for s in parent.scope.branches() if s not in inside]
        edges.append(
            GraphEdge(
                index=first + len(edges),
                source=node.index,
                target=target.index,
                position=position,
                family=record.primitive.family,
                label=_label(record, position),
                weight=int(product and weighted),
                scale=int(scaling and weighted),
                activation=int(record.primitive.grading == "activation"),
                block=len(entered) if parent in data and target.op else 0,
                is_identity=_copies(record, position),
            )
        )
    return edges


def _label(record: Node, position: int) -> str:
    """Say in a word what stands on the edge to the operand at ``position``."""
    primitive = record.primitive
    assert primitive is not None
    if _copies(record, position):
        return "1"
    rule = primitive.rules[position if len(primitive.rules) > 1 else 0]
    if isinstance(primitive, Pointwise) and isinstance(rule, int):
        return str(rule)
    if isinstance(primitive, Contraction) or primitive.name == "multiply":
        return _origin(record.parents[1 - position], record.saved[2 - position])
    return "1/n" if primitive.name == "mean" else f"{primitive.name}'"


def _origin(record: Node | None, value: Any) -> str:
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
        dtype=_name(record.dtype),
        weight_valued=weight_valued,
        requires_grad=record.requires_grad,
        recorded=record,
    )
