"""GraphNode and GraphEdge: what a graph is made of, and the grades that its edges have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import GraphError
from .record import Leaf, Node
from .tensor import Tensor

Grading = str | Callable[["GraphEdge"], int]
Amount = str | Callable[["GraphEdge"], float]
MOST = 2**40
"""The largest grade of an edge: a path of millions of them has a degree of 64 bits."""
GRADES = ("weight", "scale", "block", "activation")
"""What is graded when a graph is taken: attributes of every edge."""
GRADINGS = (*GRADES, "length")
DIFFERS = -1
"""The grade of an edge at scope level where the ways inside have different ones."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A value.

    Attributes:
        index: its place in ``Graph.nodes``; operands come before outputs.
        op: the operation that made it, ``""`` for a leaf.
        name: the name it was given, or ``None``.
        kind: ``"operation"``, ``"parameter"``, ``"input"`` (a leaf that is no parameter), or
            ``"scope"``, at scope level.
        scope: the scopes it was recorded in, outermost first, joined by ``/``.
        shape, dtype: those of its value.
        weight_valued: whether it is computed from parameters and no data.
        requires_grad: whether derivatives by it are recorded.
        element: which element of an array it is, at scalar level.
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
    element: tuple[int, ...] | None = None
    recorded: Node | None = field(default=None, repr=False, compare=False)

    @property
    def record(self) -> Node:
        """The operation, with the arrays that its derivative needs.

        Raises:
            GraphError: the graph was not taken from tensors.
        """
        if self.kind == "scope":
            raise GraphError(
                f"node {self.index} ({self.label}) is a scope, which stands for several operations: "
                "ask about arrays at level='tensor'"
            )
        if self.recorded is None:
            raise GraphError(
                f"node {self.index} ({self.label}) holds no arrays: this graph was not taken from "
                "a tensor; it can be counted, and differentiated where edges carry numbers"
            )
        return self.recorded

    @property
    def tensor(self) -> Tensor | None:
        """The leaf tensor itself; ``None`` for an operation, and where the leaf is gone."""
        return self.recorded.owner() if isinstance(self.recorded, Leaf) else None

    @property
    def label(self) -> str:
        """The name, or the operation where there is none; with the element's indices."""
        name = self.name or self.op or self.kind
        return f"{name}[{','.join(map(str, self.element))}]" if self.element else name


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """The edge from an operation's output back to one operand.

    At scope level the grades are those of all ways inside the scope, -1 where they differ.

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
        derivative: the number on it, at scalar level.
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
    derivative: float | None = None
