"""What to draw of a recorded graph: boxes, arrows, and which way they are coded.

A small graph is drawn node by node.  Above ``MOST_BOXES`` nodes, or twice as many arrows,
several nodes share a box (``folds``), and the view says so.  Parallel edges are arrows of
their own, up to a dozen of them; more are one arrow that says how many.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphEdge, GraphNode
from tinygrad_res.scopes import ScopeGraph

from .. import text
from ..highlight import PLAIN, Emphasis
from .folds import MOST_PARALLEL, Fold, entered, fold

MOST_BOXES = 80

Kind = Literal["operation", "sum", "parameter", "input", "group", "scope"]
_KINDS: dict[str, Kind] = {"parameter": "parameter", "input": "input", "scope": "scope"}
_SHARED = {
    False: "scopes are drawn as one box each",
    True: "the middle of a long row is drawn as one box",
}
_COUNTED = ("scope", "operation", "parameter", "input")


@dataclass(frozen=True)
class Box:
    """A node, or a scope drawn as one.

    Attributes:
        scope: the names of the scopes around it, outermost first.
        size: how many nodes it stands for.
        title: its whole name, of which the label leaves out what the frames around it say.
    """

    kind: Kind
    label: str
    detail: str
    scope: tuple[str, ...]
    size: int = 1
    title: str = ""


@dataclass(frozen=True)
class Arrow:
    """An edge from the box of an output to the box of an operand.

    Attributes:
        style: ``"identity"``, ``"weight"``, ``"activation"`` or ``"plain"``.
        times: how many equal edges it stands for.
        used: whether it is brought out, or nothing is.
        marks: which highlighted sets take it, by their places.
        flow: what all paths over it carry, where someone asked.
    """

    output: int
    operand: int
    style: str
    label: str
    times: int
    used: bool
    marks: tuple[int, ...] = ()
    flow: float | None = None


@dataclass(frozen=True)
class GraphView:
    """Boxes and the arrows between them.

    Attributes:
        arrows: they name boxes by their places in ``boxes``.
        output: the place of the box that holds the graph's output.
        targets: the places of those that gradients are followed to.
        note: a remark on what is collapsed.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    output: int
    targets: frozenset[int]
    note: str

    @property
    def on(self) -> set[int]:
        """The places of boxes that something chosen touches."""
        ends = {end for a in self.arrows if a.used for end in (a.output, a.operand)}
        return ends | {self.output}

    def chosen(self) -> GraphView:
        """Return what is left without the boxes that nothing chosen touches."""
        place = {old: new for new, old in enumerate(sorted(self.on))}
        arrows = tuple(
            replace(arrow, output=place[arrow.output], operand=place[arrow.operand])
            for arrow in self.arrows
            if arrow.output in place and arrow.operand in place
        )
        boxes = tuple(self.boxes[old] for old in place)
        targets = frozenset(place[old] for old in self.targets if old in place)
        return GraphView(boxes, arrows, place[self.output], targets, self.note)

    def holders(self) -> dict[int, int]:
        """Return the place of the only box that uses each parameter, where there is one.

        Left out are parameters that gradients are followed to: paths end in these.
        """
        users: dict[int, set[int]] = {}
        for arrow in self.arrows:
            users.setdefault(arrow.operand, set()).add(arrow.output)
        ends = self.targets | {self.output}
        return {
            k: next(iter(found)) for k, found in users.items()
            if self.boxes[k].kind == "parameter" and len(found) == 1 and k not in ends
        }  # fmt: skip


@dataclass(frozen=True)
class InputCount:
    """The gradient paths from a graph's output back to one input."""

    node: GraphNode
    count: int
    weight_free: int


def count_paths(graph: Graph) -> tuple[InputCount, ...]:
    """Return the number of paths, and of weight-free ones, to every input."""
    every, free = (_ways(graph, keep) for keep in (lambda _: True, lambda edge: not edge.weight))
    return tuple(
        InputCount(node, every[node.index], free[node.index])
        for node in graph.nodes
        if node.kind == "input" and every[node.index]
    )


def _ways(graph: Graph, keep: Callable[[GraphEdge], bool]) -> list[int]:
    """For each node, count the ways from the output down to it."""
    ways = [0] * len(graph.nodes)
    ways[graph.output.index] = 1
    for node in reversed(graph.nodes):
        for edge in graph.outgoing[node.index]:
            if keep(edge):
                ways[edge.target] += ways[node.index]
    return ways


def edges_between(graph: Graph, targets: Iterable[int]) -> set[int]:
    """Return the edges on the ways from the output to some nodes."""
    passed, reaching = graph.reached(graph.outputs), graph.reaching(tuple(targets))
    return {e.index for e in graph.edges if passed[e.source] and reaching[e.target]}


def view_graph(
    graph: Graph, most: int, targets: Sequence[int], used: set[int] | None = None,
    counted: Sequence[int] | None = None, emphasis: Emphasis = PLAIN,
) -> GraphView:  # fmt: skip
    """Return what to draw of a graph.

    Args:
        most: the largest number of boxes.
        targets: the nodes that gradients are followed to.
        used: the edges on the chosen paths; all edges if left out.
        counted: the weight layers that every edge counts for; as it says itself if left out.
        emphasis: the sets to bring out, and the flows.
    """
    folds = fold(graph, most)
    place = {index: i for i, found in enumerate(folds) for index in found.nodes}
    boxes = tuple(_box(graph, found) for found in folds)
    styles = _styles(graph, targets, counted or [edge.weight for edge in graph.edges])
    flows = emphasis.flows or {}
    parallel = Counter((place[edge.source], place[edge.target]) for edge in graph.edges)
    found: dict[tuple[int, int, str, bool, tuple[int, ...]], list[float | None]] = {}
    arrows: list[Arrow] = []
    for edge in graph.edges:
        output, operand = place[edge.source], place[edge.target]
        if output == operand:
            continue
        on = used is None or edge.index in used
        marks, flow, style = emphasis.taken_by((edge.index,)), flows.get(edge.index), styles[edge.index]  # fmt: skip
        many = parallel[output, operand] > MOST_PARALLEL
        if many or "group" in (boxes[output].kind, boxes[operand].kind):
            found.setdefault((output, operand, style, on, marks), []).append(flow)
        else:
            label = _label(edge, boxes[output])
            arrows.append(Arrow(output, operand, style, label, 1, on, marks, flow))
    for (output, operand, style, on, marks), several in found.items():
        known = [flow for flow in several if flow is not None]
        total = sum(known) if known else None
        arrows.append(Arrow(output, operand, style, "", len(several), on, marks, total))
    ends = frozenset(place[target] for target in targets)
    return GraphView(
        boxes, tuple(arrows), place[graph.output.index], ends, _note(graph, folds, most)
    )


def _label(edge: GraphEdge, output: Box) -> str:
    """Say what stands on an edge; of a step through a scope, how many weight layers it crosses."""
    if edge.family != "scope" and (output.kind != "scope" or not edge.weight):
        return "" if edge.is_identity else _within(edge.label, output.scope)
    if edge.weight < 0:
        return "some weight layers"
    return text.several(edge.weight, "weight layer") if edge.weight else ""


def _within(name: str, around: tuple[str, ...]) -> str:
    """Return a weight's name without the place that the frames around it tell.

    >>> _within("stem.0.weight", ("stem", "0")), _within("W_1", ("stem", "0"))
    ('weight', 'W_1')
    """
    return name.removeprefix(".".join((*around, "")))


def _styles(graph: Graph, targets: Sequence[int], counted: Sequence[int]) -> list[str]:
    """Return how each edge is drawn.

    The nodes that every path passes part the paths into stretches.  Red is for copies on ways
    without weight layers through a stretch, if there is one where other ways do cross some.
    """
    fewest, stretch = _stretches(graph, targets, [abs(count) for count in counted])
    free = {stretch[e] for e, crossed in fewest.items() if not crossed}
    is_fork = any(crossed and stretch[e] in free for e, crossed in fewest.items())

    def style(edge: GraphEdge) -> str:
        if edge.weight:
            return "weight"
        if edge.activation:
            return "activation"
        red = is_fork and edge.is_identity and fewest.get(edge.index) == 0
        return "identity" if red else "plain"

    return [style(edge) for edge in graph.edges]


def _stretches(
    graph: Graph, targets: Sequence[int], layers: Sequence[int]
) -> tuple[dict[int, float], dict[int, int]]:
    """Return for each edge on a path the fewest layers on a way over it, and its stretch.

    Ways are through the stretch that the edge is in.
    """
    edges = [graph.edges[e] for e in sorted(edges_between(graph, targets))]
    jumps = [0] * (len(graph.nodes) + 1)
    for edge in edges:
        jumps[edge.target + 1] += 1
        jumps[edge.source] -= 1
    over = itertools.accumulate(jumps)
    cuts = [v for v, jumping in zip(range(len(graph.nodes)), over) if not jumping]
    down, up = ([math.inf] * len(graph.nodes) for _ in range(2))
    for v in cuts:
        down[v] = up[v] = 0.0
    for v in targets:
        up[v] = 0.0
    for edge in edges:  # sorted by source
        up[edge.source] = min(up[edge.source], up[edge.target] + layers[edge.index])
    for edge in reversed(edges):
        down[edge.target] = min(down[edge.target], down[edge.source] + layers[edge.index])
    crossed = {e.index: down[e.source] + layers[e.index] + up[e.target] for e in edges}
    return crossed, {e.index: bisect.bisect(cuts, e.target) for e in edges}


def _note(graph: Graph, folds: Sequence[Fold], most: int) -> str:
    """Say how nodes share boxes, where several do."""
    ways = {found.middle for found in folds if found.name}
    if not ways:
        return ""
    said = [_SHARED[middle] for middle in sorted(ways)]
    many = f"{len(graph.nodes)} recorded nodes"
    if len(graph.nodes) <= most:
        many = f"{len(graph.edges)} recorded edges"
    return f"{many}; {', and '.join(said)}"


def _box(graph: Graph, fold: Fold) -> Box:
    if fold.name:
        return Box("group", fold.name, _held(graph, fold.nodes), fold.scope, len(fold.nodes))
    (only,) = (graph.nodes[v] for v in fold.nodes)
    kind = _KINDS.get(only.kind) or ("sum" if only.op == "add" else "operation")
    label = only.label if kind != "sum" else only.name or ""
    if kind == "scope":
        label = _scope_label(graph, only, fold.scope)
    elif kind == "parameter":
        label = _within(label, fold.scope)
    return Box(kind, label, _detail(only), fold.scope, title=only.label if label else "")


def _scope_label(graph: Graph, node: GraphNode, around: tuple[str, ...]) -> str:
    """Return what a scope is called in the frames of those around it.

    Its own operations among the scopes that it holds are called by the one that they end with; a
    scope that has but a number, as layers of a sequence do, by that and what it computes.
    """
    path, entry = entered(node)
    last = path.rpartition("/")[2]
    own = tuple(filter(None, path.split("/"))) == around
    if isinstance(graph, ScopeGraph) and (own or last.isdecimal()):
        op = _computed(graph, node) if not own else graph.parent.nodes[graph.entries[node.index]].op
        last = op if own else f"{last}: {op}"
    return f"{last}, entry {entry}" if entry else last


def _computed(graph: ScopeGraph, node: GraphNode) -> str:
    """Return the operation that stands for a scope: its weight layer's, or else the last."""
    nodes = graph.parent.nodes
    inside = graph.all_routes([e.index for e in graph.outgoing[node.index]])
    layers = [edge.source for edge in inside if edge.weight]
    return nodes[layers[0] if layers else graph.entries[node.index]].op


def _held(graph: Graph, nodes: Sequence[int]) -> str:
    """Say what a box stands for: how many of which kind, or the operation where it is the only.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> _held(tg.graph(tg.tanh(x) * tg.parameter([2.0])), range(4))
    '2 operations, 1 parameter, 1 input'
    """
    held = [graph.nodes[v] for v in nodes]
    counts = Counter(node.kind for node in held)
    said = [text.several(counts[kind], kind) for kind in _COUNTED if counts[kind]]
    if counts["operation"] == 1 and not counts["scope"]:
        said[0] = next(node.op for node in held if node.kind == "operation")
    return ", ".join(said)


def _detail(node: GraphNode) -> str:
    shape = "×".join(map(str, node.shape)) or "scalar"
    return f"{shape} {node.dtype}"
