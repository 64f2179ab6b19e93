"""What a figure of the scalar level is about: read from a set of paths, one path, or a graph.

Paths between arrays that each hold one number are paths between numbers as well, and are
drawn as such: the multivariate chain rule looks like its textbook picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tinygrad_res.backend import to_host
from tinygrad_res.errors import GradientError, GraphError
from tinygrad_res.formulas import Formula
from tinygrad_res.forward import ForwardPaths
from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphEdge
from tinygrad_res.measures import Paths
from tinygrad_res.numbered import Path
from tinygrad_res.path_calculus import paths as paths_of
from tinygrad_res.scalar import ScalarGraph

from .. import text
from ..highlight import PLAIN, Emphasis, edges_taken
from ..widths import flows_of
from .formula_lines import formula_of
from .network import on_routes, ways
from .rows import MOST_ROWS

MOST_EDGES = 40_000
_MOST_NUMBERS = 60


@dataclass(frozen=True)
class Subject:
    """What a figure is about.

    Attributes:
        graph: at scalar level.
        edges: those that the paths take.
        outputs, ends: the numbers of the nodes where paths start and end.
        counts: paths in all, active ones where products are known, weight-free ones.
        level: which level it speaks of.
        step: what an edge passes at this level, in words.
        listed: all the paths, where they are few enough to be written out.
        chosen: the one path to bring out.
        used: the numbers of the edges that paths take; all if left out.
        gradient: the sum of all products where paths lead to one number.
        counted: the weight layers that each edge of the graph counts for; all if left out.
        window: between which numbers they are counted, in words.
        emphasis: the sets to bring out, and what stands on edges.
        formula: the gradient as a sum over the paths: the one asked for, else that of few paths.
        forward: the output as a sum over the paths, where they are read forward.
    """

    graph: Graph
    edges: Sequence[GraphEdge]
    outputs: Collection[int]
    ends: Collection[int]
    counts: tuple[int, int | None, int]
    level: Literal["scalar", "tensor"] = "scalar"
    step: str = "every edge passes one number to another"
    listed: Sequence[Path] = ()
    chosen: Path | None = None
    used: Collection[int] | None = None
    gradient: float | None = None
    counted: Sequence[int] | None = None
    window: str = ""
    emphasis: Emphasis = PLAIN
    formula: Formula | None = None
    forward: ForwardPaths | None = None


def from_paths(
    paths: Paths, chosen: Path | None = None, emphasis: Emphasis = PLAIN,
    formula: Formula | None = None,
) -> Subject:  # fmt: skip
    """Return the subject of a set of paths at scalar level, or of one of them."""
    frame = paths.frame
    outputs = frame.firsts or (frame.root,)
    edges = paths.edges
    total = paths.count()
    return Subject(
        paths.graph, edges, outputs, frame.ends, _counts(paths), chosen=chosen,
        used=edges_taken(paths), listed=tuple(paths) if total <= MOST_ROWS else (),
        gradient=_gradient(paths), counted=paths.window("weight").tolist(),
        window=window_of(paths), emphasis=emphasis,
        formula=formula or (formula_of(paths) if total <= MOST_ROWS and not chosen else None),
    )  # fmt: skip


def window_of(paths: Paths) -> str:
    """Say between which values weight layers are counted; nothing where it is everywhere."""
    if paths.frame.between is None:
        return ""
    start, end = (text.clean(node.name or node.label) for node in paths.between)
    return f"weight layers counted from {start} back to {end}"


def from_graph(graph: Graph, emphasis: Emphasis = PLAIN) -> Subject:
    """Return the subject of a graph at scalar level: all ways to its inputs, or to its weights."""
    outputs = graph.outputs
    passed = graph.reached(outputs)
    leaves = [v for v in np.flatnonzero(passed).tolist() if not graph.nodes[v].op]
    inputs = [v for v in leaves if graph.nodes[v].kind == "input"]
    ends = inputs or leaves or list(outputs)
    every = list(graph.edges)
    used = on_routes(every, outputs, ends, lambda _: True)
    edges = [edge for edge in every if edge.index in used]
    keeps: tuple[Callable[[GraphEdge], object], ...] = (
        lambda _: True, lambda e: e.derivative != 0, lambda e: not e.weight,
    )  # fmt: skip
    total, active, free = (ways(edges, outputs, ends, keep) for keep in keeps)
    return Subject(graph, edges, outputs, ends, (total, active, free), emphasis=emphasis)


def from_single_numbers(
    paths: Paths, chosen: Path | None = None, emphasis: Emphasis = PLAIN,
    formula: Formula | None = None,
) -> Subject | None:  # fmt: skip
    """Return the subject of paths between arrays of one number each; ``None`` for any other.

    A path through weight layers is left to the figure of the chain, and so is a given flow,
    which is one between arrays.
    """
    nodes, edges = paths.nodes, paths.edges
    single = all(math.prod(node.shape) == 1 and node.recorded is not None for node in nodes)
    if not (
        single
        and emphasis.flows is None
        and len(edges) > 0
        and len(nodes) <= _MOST_NUMBERS
        and paths.frame.cotangent is None
    ) or any(edge.weight for edge in edges):
        return None
    numbers: Any = paths_of(paths.graph, paths.inputs[0], level="scalar")
    whole = numbers.graph
    known = {(_owner(paths.graph, edge.source), edge.position): edge.index for edge in edges}
    found, places = [], {}
    for edge in whole.edges:
        key = (_owner(whole, edge.source), edge.position)
        if key in known:
            found.append(replace(edge, index=known[key]))
            places[known[key]] = edge.index
    (output,) = whole.numbers(paths.output)
    (end,) = whole.numbers(paths.inputs[0])
    total = paths.count()
    active = ways(found, (output,), (end,), lambda edge: edge.derivative != 0)
    if emphasis.widths:
        carried = flows_of(numbers, "widths='flow'")
        emphasis = emphasis._replace(flows={e: carried[at] for e, at in places.items()})
    used = None
    if total != ways(found, (output,), (end,)):
        used = {edge.index for path in paths for edge in path.edges}
    return Subject(
        whole, found, (output,), (end,), (total, active if used is None else None, 0),
        "tensor", "every array holds one number", tuple(paths) if total <= MOST_ROWS else (),
        chosen, used, _gradient(paths), emphasis=emphasis,
        formula=formula or (formula_of(paths) if total <= MOST_ROWS and not chosen else None),
    )  # fmt: skip


def size(paths: Paths) -> int:
    """Return how many edges lie between the ends of paths."""
    graph = paths.graph
    below = graph.reached(paths.frame.firsts or (paths.frame.root,))
    above = graph.reaching(paths.frame.ends)
    return int((below[graph.sources] & above[graph.targets]).sum())


def tensor_graph(graph: Graph) -> Graph | None:
    """Return the graph that a scalar one was expanded from, if any."""
    return graph.parent if isinstance(graph, ScalarGraph) else None


def tensor_paths(paths: Paths) -> Paths | None:
    """Return all paths at tensor level between the ends of a scalar set, if there are any."""
    above = tensor_graph(paths.graph)
    if above is None:
        return None
    x = paths.inputs[0].recorded
    node = next(node for node in above.nodes if node.recorded is x)
    return paths_of(above, node, cotangent=paths.frame.cotangent)


def _owner(graph: Graph, number: int) -> Any:
    return graph.nodes[number].recorded


def _counts(paths: Any) -> tuple[int, int | None, int]:
    try:
        active = paths.active().count()
    except (GradientError, GraphError):
        active = None
    return paths.count(), active, paths.weight_free().count()


def _gradient(paths: Paths) -> float | None:
    """Return the sum of all products where it is one number."""
    try:
        found = to_host(paths.gradient())
    except (GradientError, GraphError):
        return None
    return float(found.sum()) if found.size == 1 else None
