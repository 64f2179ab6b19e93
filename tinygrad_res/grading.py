"""The gradient by degree: one backward sweep that keeps a cotangent for each degree.

A plain backward pass adds whatever arrives at a node.  Here what arrives is kept apart by
the degree of the paths it came along: pulling a cotangent of degree k back along an edge
of grade a gives one of degree k + a.  The parts that reach the input are exact, and their
sum is the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from .counting import Outgoing
from .errors import GraphError
from .graph import Graph, GraphEdge, GraphNode


def pull(node: GraphNode, cotangent: Any, edges: Sequence[GraphEdge]) -> list[Any]:
    """Pull a cotangent of ``node`` back along some of its edges, in their order."""
    record = node.record
    wanted = tuple(edge.position for edge in edges)
    found = record.primitive.vjp(record, cotangent, wanted)  # type: ignore[union-attr]
    dtypes = [record.parents[i].dtype for i in wanted]  # type: ignore[union-attr]
    return [
        g if g.dtype == dtype else g.astype(dtype) for g, dtype in zip(found, dtypes, strict=True)
    ]


def norm(array: Any) -> float:
    """Return the Euclidean norm, also of numbers whose squares are too small or too large.

    >>> import numpy as np
    >>> norm(np.array([3e-200, 4e-200]))
    5e-200
    """
    largest = float(abs(array).max()) if array.size else 0.0
    if not 0.0 < largest < math.inf:
        return largest
    scaled = array.astype("float64") / largest
    return largest * math.sqrt(float((scaled * scaled).sum()))


def shares(parts: dict[int, Any]) -> dict[int, float]:
    """Return each part's projection on the sum of all, relative to it: <g_k, g> / ||g||^2.

    Raises:
        GraphError: the sum is zero or not finite, so that nothing has a share of it.
    """
    if not parts:
        return {}
    total = sum(g.astype("float64") for g in parts.values())
    largest = float(abs(total).max()) if total.size else 0.0
    if not 0.0 < largest < math.inf:
        size = "not finite" if largest else "zero"
        raise GraphError(
            f"shares: the gradient is {size}, so no part of it has a share: look at a batch on "
            "which the loss still changes with the input"
        )
    scaled = total / largest
    square = float((scaled * scaled).sum())
    return {
        k: float((g.astype("float64") / largest * scaled).sum()) / square for k, g in parts.items()
    }


def graded_gradient(
    graph: Graph, outgoing: Outgoing, source: int, target: int, cotangent: Any,
    grades: Sequence[int], top: int, progress: str = "",
) -> dict[int, Any]:  # fmt: skip
    """Return the part of the gradient that comes along the paths of each degree.

    Args:
        graph: holds the nodes.
        outgoing: the edges of each node on a path from ``source`` to ``target``.
        source, target: where paths start and end.
        cotangent: of the source; ``None`` where there is no path.
        grades: the grade of every edge, by its index.
        top: leave out degrees above it.
        progress: what to write beside a progress bar; no bar where empty.
    """
    if cotangent is None:
        return {}
    nodes: Iterable[int] = sorted(outgoing, reverse=True)
    if progress:
        from tqdm import tqdm

        nodes = tqdm(nodes, desc=progress, unit="node", leave=False)
    arriving: dict[int, dict[int, Any]] = {source: {0: cotangent}}
    for node in nodes:
        edges = outgoing[node]
        for degree, whole in arriving.pop(node, {}).items():
            pulled = pull(graph.nodes[node], whole, edges)
            for edge, g in zip(edges, pulled, strict=True):
                reached = degree + grades[edge.index]
                if reached <= top:
                    sums = arriving.setdefault(edge.target, {})
                    sums[reached] = sums[reached] + g if reached in sums else g
    return arriving.get(target, {})
