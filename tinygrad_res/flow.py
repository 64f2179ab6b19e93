"""How much gradient flows through every edge, in two sweeps.

Walk a short step v away from the input.  The loss changes by <g, v>, and every part of
that change travels along paths of the record.  The flow through an edge e is the part
that all paths across e carry together:

    flow(e) = <J_e^T alpha(head), beta(tail)>

where alpha is the cotangent that the backward sweep brings to the edge's output side, and
beta the tangent that the forward sweep along v brings to its operand.  The sum of the
products of all paths across e, times v, is this one number, though it is found without
them (Griewank & Walther 2008, Evaluating Derivatives, chapter 3: <alpha, beta> is the
same at both ends of an evaluation).

The one thing to understand: flow is conserved, as a current is.  What enters a node leaves
it, because alpha and beta are adjoint to one another, so that the flows over any cut that
parts the loss from the input sum to <g, v>.  Flows have a sign: what one edge carries uphill
another may carry back, so that a share may be negative or above 1.

The default direction is g / ||g||.  All flows then sum to ||g||, the change of the loss
for a unit step straight uphill, and the flow of a path with product p is <p, g> / ||g||: the
shares of ``Paths.shares``, for edges.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import backend, grading
from .dag import on_a_path
from .errors import GradientError, GraphError, UsageError
from .grading import Outgoing, by_source
from .graph import Graph
from .graph_parts import GraphEdge, GraphNode
from .snapshot import graph
from .sweeps import seed
from .tensor import Tensor, fitted, raw


@dataclass(frozen=True)
class Flow:
    """The gradient flow along a direction; make one with ``tg.edge_flow(loss, x)``.

    Attributes:
        graph: the graph that it flows in.
        source, target: the indices of the loss's node and of the input's.
        edges: the flow through each edge on a path from the loss to the input, by the
            index of the edge.
        nodes: the flow through each node on a path, by its index.
        total: <g, v>, what flows altogether: the change of the loss per unit of v.
    """

    graph: Graph
    source: int
    target: int
    edges: dict[int, float] = field(repr=False)
    nodes: dict[int, float] = field(repr=False)

    @property
    def total(self) -> float:
        """The whole flow, <g, v>."""
        return self.nodes[self.target]

    @property
    def shares(self) -> dict[int, float]:
        """The share of each edge in the whole flow, by the index of the edge; of any cut they sum to 1.

        Raises:
            GraphError: the whole flow is zero, so that nothing has a share of it.
        """
        if not self.total:
            raise GraphError(
                "shares: the flow is zero, so no edge has a share of it: take a direction along "
                "which the loss changes"
            )
        return {index: flow / self.total for index, flow in self.edges.items()}

    def through(self, tensor: Tensor | GraphNode | str) -> float:
        """Return the flow through ``tensor``: 0 where no path from the loss to the input visits it.

        Args:
            tensor: a tensor, or a node of the graph, or its name.

        Raises:
            GraphError: the tensor is not in the graph.
        """
        return self.nodes.get(self.graph.find(tensor).index, 0.0)

    def cut(self, *tensors: Tensor | GraphNode | str) -> float:
        """Return the flow through tensors that part the loss from the input, which is the total.

        Raises:
            GraphError: they are no cut, since a path visits none of them, or two.

        >>> import tinygrad_res as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> branch = tg.square(x)
        >>> flow = edge_flow((x + branch).sum(), x, direction=[1.0, 0.0])
        >>> flow.through(branch), flow.cut(x), flow.total
        (2.0, 3.0, 3.0)
        """
        chosen = {self.graph.find(tensor).index for tensor in tensors}
        fewest: dict[int, int] = {}
        most: dict[int, int] = {}
        operands = self._operands()
        for node in sorted(self.nodes):
            own, below = int(node in chosen), operands.get(node, ())
            fewest[node] = own + min((fewest[k] for k in below), default=0)
            most[node] = own + max((most[k] for k in below), default=0)
        if (fewest[self.source], most[self.source]) != (1, 1):
            found = f"{fewest[self.source]} to {most[self.source]}"
            raise GraphError(
                f"cut: a path visits {found} of these tensors: give tensors of which every path "
                "from the loss to the input visits exactly one, such as all that meet in one sum"
            )
        return math.fsum(self.nodes[node] for node in chosen & self.nodes.keys())

    def across(self, level: int) -> float:
        """Return the flow over the cut between node ``level`` and the next, which is the total.

        These are the edges from a node above ``level`` to one that is not: a record is in
        topological order, so every level from ``target`` up to ``source`` - 1 is a cut.

        Raises:
            UsageError: the level lies outside of the two ends.
        """
        if not self.target <= level < self.source:
            raise UsageError(
                f"across: level {level!r}: give a node's index from {self.target}, the input's, "
                f"to {self.source - 1}, the last below the loss"
            )
        return math.fsum(
            flow for e, flow in self._known() if e.target <= level < e.source
        )  # fmt: skip

    def by_scope(self) -> dict[str, float]:
        """Return the flow that enters each scope from outside, by the scope's path.

        A scope holds those inside of it.  A path counts as often as it comes in; of a
        residual branch, this is what flows through the branch and not the shortcut.
        """
        found = dict.fromkeys(_within(self.graph.nodes[self.source].scope), self.total)
        for edge, flow in self._known():
            outside = _within(self.graph.nodes[edge.source].scope)
            for scope in _within(self.graph.nodes[edge.target].scope):
                if scope not in outside:
                    found[scope] = found.get(scope, 0.0) + flow
        return found

    def check(self, rtol: float | None = None) -> None:
        """Check that every node passes on what it gets, and that all topological cuts agree.

        What enters a node is computed from the cotangents of the backward sweep, and what
        leaves it from the tangents of the forward sweep: a derivative that is right in one
        and wrong in the other shows here, at the operation that has it.

        Args:
            rtol: how far they may differ, relative to the largest flow through any edge;
                the root of the dtype's precision where left out.

        Raises:
            GraphError: they differ by more; the message names the worst node.
        """
        if rtol is None:
            rtol = max(
                float(np.finfo(self.graph.nodes[n].record.dtype).eps) ** 0.5 for n in self.nodes
            )
        largest = max(map(abs, (*self.edges.values(), *self.nodes.values())))
        leaving: dict[int, list[float]] = {}
        steps = np.zeros(self.source + 1)
        for edge, flow in self._known():
            leaving.setdefault(edge.source, []).append(flow)
            steps[edge.target] += flow
            steps[edge.source] -= flow
        off = {node: abs(self.nodes[node] - math.fsum(out)) for node, out in leaving.items()}
        cuts = abs(np.cumsum(steps)[self.target : self.source] - self.total)
        if not off or max(*off.values(), *cuts) <= rtol * largest:
            return
        worst = self.graph.nodes[max(off, key=off.__getitem__)]
        place = f" in scope {worst.scope!r}" if worst.scope else ""
        raise GraphError(
            f"check: flow is lost: {self.nodes[worst.index]:g} enters node {worst.index}, "
            f"{worst.label}{place}, and {math.fsum(leaving[worst.index]):g} leaves it; the cuts "
            f"differ from the total by up to {max(cuts):g}: check the derivatives of {worst.op} "
            "with tg.testing.check_gradient"
        )

    def __repr__(self) -> str:
        nodes = self.graph.nodes
        ends = f"from {nodes[self.source].label} to {nodes[self.target].label}"
        return f"Flow({self.total:.6g} {ends}, through {len(self.edges)} edges)"

    def _known(self) -> list[tuple[GraphEdge, float]]:
        return [(self.graph.edges[index], flow) for index, flow in self.edges.items()]

    def _operands(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for edge, _ in self._known():
            found.setdefault(edge.source, []).append(edge.target)
        return found


def edge_flow(loss: Tensor, x: Tensor, direction: Any = None, cotangent: Any = None) -> Flow:
    """Return the signed gradient flow through every edge on the way from ``loss`` back to ``x``.

    It takes one backward sweep and one forward sweep, whatever the number of edges.

    Args:
        loss: what is differentiated.
        x: the tensor by which.
        direction: the step v of x's shape whose effect is followed; the gradient, divided
            by its norm, where left out.
        cotangent: the weight of every element of ``loss``, where it has several.

    Raises:
        GradientError: ``x`` carries no gradient, or ``loss`` has several elements and no cotangent.
        GraphError: ``loss`` does not depend on ``x``; or the gradient is zero, so that it has no
            direction; or a flow is infinite or no number.
        ShapeError: ``direction`` or ``cotangent`` has another shape.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([3.0, 4.0], requires_grad=True, name="x")
    >>> flow = edge_flow((x * x + 2 * x).sum(), x)
    >>> round(flow.total, 3), [round(share, 2) for share in flow.shares.values()]
    (12.806, [0.39, 0.39, 0.22, 0.78, 0.22, 1.0])
    """
    whole, source, target = ends("edge_flow", loss, x)
    start = raw(seed("edge_flow", loss._array, cotangent, loss.shape, loss.dtype))
    step = None if direction is None else _step(direction, x)
    outgoing = on_the_way(whole, source, target)
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        pulled, gradient = _backward(whole, outgoing, source, target, start)
        if step is None:
            step = _uphill(gradient)
        numbers = to_floats(_forward(whole, outgoing, source, target, start, pulled, step))
    _refuse_not_finite(whole, numbers)
    arriving: dict[int, list[float]] = {source: [numbers.pop(-1)]}
    for index, flow in numbers.items():
        arriving.setdefault(whole.edges[index].target, []).append(flow)
    nodes = {node: math.fsum(flows) for node, flows in sorted(arriving.items())}
    return Flow(whole, source, target, dict(sorted(numbers.items())), nodes)


def ends(name: str, output: Tensor, x: Tensor) -> tuple[Graph, int, int]:
    """Return the graph of ``output``, and where it and ``x`` are in it; ``name`` is for messages.

    Raises:
        GradientError: ``x`` carries no gradient.
        GraphError: nothing was recorded, or ``x`` is not in the graph.
    """
    if not isinstance(x, Tensor):
        raise GraphError(f"{name}: x: expected a tensor, got {type(x).__name__}")
    if not x.requires_grad:
        raise GradientError(
            f"{name}: {x.name or 'x'} carries no gradient (dtype {x.dtype}): make it with "
            "tg.tensor(values, requires_grad=True), with floating point values"
        )
    whole = graph(output)
    return whole, whole.output.index, whole.find(x).index


def on_the_way(whole: Graph, source: int, target: int) -> Outgoing:
    """Return, for every node on a path from ``source`` to ``target``, its edges on such a path."""
    used = on_a_path(len(whole.nodes), [source], [target], whole.sources, whole.targets)
    return by_source(whole.edges[e] for e in np.flatnonzero(used).tolist())


def inner(a: Any, b: Any) -> Any:
    """Return the sum of products of two arrays of one shape, in float64, where they lie."""
    left, right = (v.astype("float64", copy=False).ravel() for v in (a, b))
    return backend.namespace(a).dot(left, right)


def to_floats(numbers: dict[Any, Any]) -> dict[Any, float]:
    """Return arrays of no axes as Python numbers: one transfer from each device that has some."""
    places: dict[Any, list[Any]] = {}
    for key, number in numbers.items():
        places.setdefault(backend.namespace(number), []).append(key)
    found = dict.fromkeys(numbers, 0.0)
    for xp, keys in places.items():
        host = backend.to_host(xp.stack([xp.asarray(numbers[key]) for key in keys]))
        found.update(zip(keys, host.tolist(), strict=True))
    return found


def _step(direction: Any, x: Tensor) -> Any:
    return raw(fitted("edge_flow: the direction", direction, x._array, x.shape, x.dtype))


def _uphill(gradient: Any) -> Any:
    """Return the gradient divided by its norm."""
    size = grading.norm(gradient)
    if not 0.0 < size < math.inf:
        kind = "not finite" if size else "zero"
        raise GraphError(
            f"edge_flow: the gradient is {kind}, so it points nowhere: give a direction, or look "
            "at an input at which the loss changes"
        )
    return (gradient.astype("float64") / size).astype(gradient.dtype)


def _backward(
    whole: Graph, outgoing: Outgoing, source: int, target: int, start: Any
) -> tuple[dict[int, Any], Any]:
    """Return the cotangent that each edge brings to its operand, and that of the target."""
    arriving, pulled = {source: start}, {}
    for node in sorted(outgoing, reverse=True):
        edges = outgoing[node]
        found = grading.pull(whole.nodes[node], arriving.pop(node), edges)
        for edge, g in zip(edges, found, strict=True):
            pulled[edge.index] = g
            arriving[edge.target] = arriving[edge.target] + g if edge.target in arriving else g
    return pulled, arriving[target]


def _forward(
    whole: Graph, outgoing: Outgoing, source: int, target: int, start: Any,
    pulled: dict[int, Any], step: Any,
) -> dict[int, Any]:  # fmt: skip
    """Push the step forward, and return its product with each edge's cotangent, -1 the loss's.

    Cotangents and tangents are dropped as soon as nothing more asks for them.
    """
    last = {edge.target: node for node, edges in outgoing.items() for edge in edges}
    moving, flows = {target: step}, {}
    for node, edges in outgoing.items():
        record = whole.nodes[node].record
        given: list[Any] = [None] * len(record.parents)
        for edge in edges:
            given[edge.position] = moving[edge.target]
            flows[edge.index] = inner(pulled.pop(edge.index), moving[edge.target])
        tangent = record.primitive.jvp(record, given)  # type: ignore[union-attr]
        moving[node] = tangent if tangent.dtype == record.dtype else tangent.astype(record.dtype)
        for operand in {edge.target for edge in edges}:
            if last[operand] == node:
                del moving[operand]
    return flows | {-1: inner(start, moving[source])}


def _refuse_not_finite(whole: Graph, flows: dict[int, float]) -> None:
    for index, flow in flows.items():
        if not math.isfinite(flow):
            head = whole.output if index < 0 else whole.nodes[whole.edges[index].source]
            place = f" in scope {head.scope!r}" if head.scope else ""
            raise GraphError(
                f"edge_flow: {flow} flows out of {head.label}{place}: the derivatives on the way "
                "to it, or the step, are not finite or too large"
            )


def _within(scope: str) -> Sequence[str]:
    """Return the paths of a scope and of those around it, outermost first."""
    return list(itertools.accumulate(scope.split("/"), "{}/{}".format)) if scope else []
