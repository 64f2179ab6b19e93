"""Which operands of an operation carry a value, where the record is piecewise affine.

Of a sum all operands carry; of a product of data with a weight the data carries and the
weight scales; a relu, a maximum or a pooling carries what it lets through.  What an
operation adds of its own, such as the 6 of relu6 where it is saturated, is its constant.
With these the output is a sum over the paths that carry; see ``forward``.

The one thing to understand: this is read off the record by family and formula, not from
the numbers.  A partial derivative that is written as a number, or as a mask, is constant
between kinks; of other formulas nobody can tell, so that the operations of this package
whose formula is piecewise constant are listed in a table, and the rest is refused.
"""

from __future__ import annotations

from typing import Any

from . import backend
from .errors import GraphError
from .families import Contraction, Masked, Pointwise, Structural
from .graph import Graph
from .graph_parts import GraphEdge, GraphNode
from .primitives import activations, cumulative, pointwise, reductions
from .record import Leaf, Node

SCALING = frozenset(op.apply for op in (pointwise.multiply, pointwise.divide))
"""Pointwise products: one operand carries, the other scales it."""

BENT = frozenset(
    op.apply for op in (
        activations.leaky, cumulative._summed, pointwise.abs, pointwise.clipped,
        pointwise.copysign, pointwise.fabs, pointwise.fmax, pointwise.fmin, pointwise.maximum,
        pointwise.minimum, reductions.max, reductions.mean, reductions.median, reductions.min,
        reductions.ptp, reductions.sum,
    )
)  # fmt: skip
"""Linear in all operands together between their kinks, where f(c x) = c f(x) for c > 0."""

HOMOGENEOUS = BENT | {
    op.apply for op in (
        activations.relu, pointwise.add, pointwise.cast, pointwise.chosen, pointwise.negative,
        pointwise.positive, pointwise.subtract,
    )
}  # fmt: skip
"""Operations that add no constant of their own to what their operands carry."""

LOST = object()
"""A value that the record does not keep; ``None`` is nothing to add."""


def split(whole: Graph, target: int) -> tuple[dict[int, list[GraphEdge]], list[int]]:
    """Return the edges that carry, by the operation, and the nodes at which carrying ends.

    Raises:
        GraphError: an operation is not piecewise affine in the data.
    """
    signal = _signal(whole, target)
    carried: dict[int, list[GraphEdge]] = {}
    ends: list[int] = []
    refused: list[GraphNode] = []
    reached = {whole.output.index}
    for node in reversed(whole.nodes):
        if node.index not in reached:
            continue
        edges = whole.outgoing[node.index]
        moving = {e.position for e in edges if e.target in signal}
        positions = None if node.index == target else _carrying(node.record, moving)
        if positions is None and moving and node.index != target:
            refused.append(node)
            reached.update(e.target for e in edges if e.position in moving)
            continue
        found = [
            e for e in edges if e.position in (positions or ()) and _kept(node.record, e.position)
        ]
        if positions and (moving or len(found) == len(positions)):
            carried[node.index] = found
            reached.update(e.target for e in found)
        else:  # a leaf, or parameters among themselves
            ends.append(node.index)
    if refused:
        raise GraphError(
            f"forward_paths: {_listed(refused)}: not piecewise affine in the data, so the output "
            "is no sum over paths: ask about a tensor before it, such as the logits, with relu "
            "for an activation and batch norm in evaluation mode (module.eval())"
        )
    return carried, ends


def _signal(whole: Graph, target: int) -> set[int]:
    """Return the nodes that depend on the data: on the target, or on an input."""
    found = {target}
    for node in whole.nodes:
        is_input = node.kind == "input" and node.requires_grad
        if is_input or any(e.target in found for e in whole.outgoing[node.index]):
            found.add(node.index)
    return found


def _carrying(record: Node, moving: set[int]) -> list[int] | None:
    """Return the operands that carry, where those in ``moving`` depend on data.

    ``None`` where the operation is not piecewise affine in those, or has no data in a product.
    """
    primitive = record.primitive
    everything = list(range(len(record.parents)))
    if isinstance(primitive, Contraction) or is_any(primitive, SCALING):
        divisor = is_any(primitive, {pointwise.divide.apply}) and 1 in moving
        return list(moving) if len(moving) == 1 and not divisor else None
    if isinstance(primitive, Pointwise):
        constant_partials = isinstance(primitive, Masked) or is_any(primitive, BENT)
        everything = [
            i for i, rule in enumerate(primitive.rules)
            if rule not in (None, 0) and (constant_partials or type(rule) is int)
        ]  # fmt: skip
        moving = {i for i in moving if primitive.rules[i] != 0}
    elif not isinstance(primitive, Structural) and not is_any(primitive, BENT):
        return None
    return everything if moving <= set(everything) and everything else None


def is_any(primitive: Any, some: Any) -> bool:
    """Say whether a primitive is one of some operations, given by how they are applied."""
    return primitive is not None and primitive.apply in some


def _kept(record: Node, position: int) -> bool:
    """Say whether the record keeps what the derivative by an operand reads."""
    used = record.primitive.uses(position)  # type: ignore[union-attr]
    return all(value is not None for k, value in enumerate(record.saved) if k in used)


def constant(record: Node, edges: list[GraphEdge], xp: Any) -> Any:
    """Return what an operation adds to that which its operands carry."""
    primitive = record.primitive
    assert primitive is not None
    if isinstance(primitive, Contraction) or is_any(primitive, SCALING):
        return None
    if [e.position for e in edges] == _carrying(record, {e.position for e in edges}):
        if is_any(primitive, HOMOGENEOUS):
            return None
        if isinstance(primitive, Structural):
            if not primitive._linear:
                return None
            zeros = [xp.zeros(p.shape, dtype=p.dtype) for p in record.parents]  # type: ignore[union-attr]
            return primitive.apply(zeros, record.params)
    operands = record.saved[1:]
    if any(v is None for v in operands):
        return LOST
    carried = [v if any(e.position == i for e in edges) else None for i, v in enumerate(operands)]
    return _run(record, operands) - primitive.jvp(record, carried)


def _run(record: Node, operands: Any) -> Any:
    kind = next(type(v) for v in operands if backend.is_array(v))
    return record.primitive.kernel(kind)(*operands, **record.params)  # type: ignore[union-attr]


def replayed(whole: Graph, nodes: list[int]) -> dict[int, Any]:
    """Return the values of functions of parameters and constants, by running them again."""
    needed = set(nodes)
    for index in range(max(nodes, default=-1), -1, -1):
        if index in needed:
            needed.update(e.target for e in whole.outgoing[index])
    found: dict[int, Any] = {}
    for index in sorted(needed):
        node = whole.nodes[index]
        if isinstance(node.record, Leaf):
            found[index] = LOST if node.tensor is None else node.tensor._array
            continue
        operands = [LOST if v is None else v for v in node.record.saved[1:]]
        for edge in whole.outgoing[index]:
            operands[edge.position] = found[edge.target]
        lost = any(v is LOST for v in operands)
        found[index] = LOST if lost else _run(node.record, operands)
    return {node: found[node] for node in nodes}


def _listed(nodes: list[GraphNode]) -> str:
    """Name operations and where they stand, each kind once, from the input's side."""
    places: dict[str, list[str]] = {}
    for node in reversed(nodes):
        name = f"{node.op} {node.name!r}" if node.name else node.op
        places.setdefault(name, []).extend([node.scope] if node.scope else [])
    return "; ".join(
        f"{name} in {', '.join(map(repr, dict.fromkeys(scopes)))}" if scopes else name
        for name, scopes in places.items()
    )
