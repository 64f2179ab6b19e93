"""Paths: where a gradient comes from.

The derivative of an output L by x is the sum, over all paths from L back to x, of the
product of the local derivatives on the path's edges (Bauer 1974).  A deep network has
2^54 or 2^600 paths, so nothing here lists them to answer a question.  A set of paths
is a part of the graph; questions about all its paths are answered by one sweep that
adds at nodes and multiplies along edges, in whatever algebra fits the question.
"""

from __future__ import annotations

from typing import Any, Literal

from .errors import GradientError, GraphError, UsageError
from .frames import Frame
from .graph import Graph, GraphNode, Place
from .measures import Paths
from .scalar import ScalarGraph
from .scalar_paths import ScalarPaths
from .snapshot import graph
from .tensor import Tensor
from .tensor_paths import TensorPaths

LIMIT = 5_000_000

Target = Tensor | GraphNode | str


def paths(
    output: Tensor | Graph, x: Target, start: Target | None = None, end: Target | None = None,
    cotangent: Any = None, *, level: Literal["tensor", "scalar", "scope"] = "tensor",
    at: Place | None = None, limit: int = LIMIT,
) -> Paths:  # fmt: skip
    """Return the set of all gradient paths from ``output`` back to ``x``.

    Args:
        output: usually the loss; or a graph, to start at its output.
        x: the tensor to differentiate by; in a graph without tensors, a node or its name.
        start, end: count degrees between these two tensors only (from ``start``,
            nearer the output, back to ``end``), to leave out a classifier and a stem.
        cotangent: the weight of every output element, for an output of several elements;
            needed for products and gradients, not for counts.
        level: what a node is: a whole array (``"tensor"``), an array element (``"scalar"``), or
            what happens within a scope (``"scope"``).
        at: the index of the one element of ``x`` to lead to, at scalar level.
        limit: how many edges the scalar level may have.

    Returns:
        The set, which is empty where ``output`` does not depend on ``x``.

    Raises:
        GraphError: nothing was recorded; ``start`` and ``end`` are not in the graph, or
            not on one way from ``output`` back to ``x`` in this order; or the scalar level has
            too many edges.
        GradientError: ``x`` was made without ``requires_grad=True``.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> W = tg.parameter([[0.5, 0.0], [0.0, 0.5]], name="W")
    >>> p = tg.paths((x + x @ W).sum(), x)
    >>> p.count_by("weight")
    {0: 1, 1: 1}
    >>> p.gradient_by("weight")
    {0: array([1., 1.]), 1: array([0.5, 0.5])}
    >>> tg.paths((x + x @ W).sum(), x, level="scalar").count_by("weight")
    {0: 2, 1: 4}
    """
    if level not in ("tensor", "scalar", "scope"):
        raise UsageError(f"paths: level={level!r}: use 'tensor', 'scalar' or 'scope'")
    if not isinstance(x, (Tensor, GraphNode, str)) or (
        isinstance(output, Tensor) and not isinstance(x, Tensor)
    ):
        raise GraphError(f"paths: expected a tensor to lead to, got {type(x).__name__}")
    if isinstance(x, Tensor) and not x.requires_grad:
        raise GradientError(
            f"paths: {x.name or 'x'} carries no gradient (dtype {x.dtype}): make it with "
            "tg.tensor(values, requires_grad=True), with floating point values"
        )
    whole = output if isinstance(output, Graph) else graph(output)
    if whole.level == "tensor" and level == "scalar":
        tensors = _between(whole, x, None, None, None, None)
        whole = ScalarGraph(whole, tensors._dag.lists[2], limit)
    return _between(whole, x, start, end, cotangent, at)


def _between(
    whole: Graph, x: Target, start: Target | None, end: Target | None, cotangent: Any,
    at: Place | None,
) -> Paths:  # fmt: skip
    """Return all paths in a graph, at its level."""
    firsts = whole.outputs
    ends: Any = ()
    if not isinstance(x, Tensor) or whole.holds(x):
        ends = whole.numbers(x, at)
    between = None
    if start is not None or end is not None:
        first = firsts if start is None else whole.numbers(start)
        last = ends if end is None else whole.numbers(end)
        between = (first, last)
        passed = whole.reached(first)
        if len(ends) and not (passed[list(last)].any() and whole.reached(last)[list(ends)].any()):
            raise GraphError(
                "paths: no path leads from the output through start and then end back to x: give "
                "start, the tensor nearer the output, and end, the one nearer x"
            )
    several = whole.level == "scalar" and (len(firsts) > 1 or cotangent is not None)
    frame = Frame(
        graph=whole,
        root=len(whole.nodes) if several else firsts[0],
        ends=ends,
        between=between,
        x=x if isinstance(x, Tensor) else None,
        at=at,
        cotangent=cotangent,
        firsts=firsts if several else (),
    )
    return {"tensor": TensorPaths, "scalar": ScalarPaths}[whole.level](frame)
