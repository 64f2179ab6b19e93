"""What to draw of a recorded graph: boxes, arrows, and which way they are coded.

A small graph is drawn node by node.  Above ``MOST_BOXES`` boxes, or twice as many arrows, its
scopes are drawn as one box each, the innermost first; where that is not enough, the middle of
the record becomes a single box; the view says which of these happened.  Parallel edges are
arrows of their own, up to a dozen of them; more are one arrow that says how many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphEdge, GraphNode

from .. import text
from ..highlight import PLAIN, Emphasis

MOST_BOXES = 120
_FEW, _KEPT_ENDS = 40, 6
_MOST_PARALLEL, _ARROWS_PER_BOX = 12, 2
"""How many edges between the same two boxes are drawn apart, and how many in all for each box."""

Kind = Literal["operation", "sum", "parameter", "input", "group", "scope"]


@dataclass(frozen=True)
class Box:
    """A node, or a scope drawn as one.

    Attributes:
        scope: the names of the scopes around it, outermost first.
        size: how many nodes it stands for.
    """

    kind: Kind
    label: str
    detail: str
    scope: tuple[str, ...]
    size: int = 1


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
    groups, note = _groups(graph, most)
    place = {index: i for i, group in enumerate(groups) for index in group}
    boxes = tuple(_box(graph, group) for group in groups)
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
        many = parallel[output, operand] > _MOST_PARALLEL
        if many or "group" in (boxes[output].kind, boxes[operand].kind):
            found.setdefault((output, operand, style, on, marks), []).append(flow)
        else:
            arrows.append(Arrow(output, operand, style, _label(edge), 1, on, marks, flow))
    for (output, operand, style, on, marks), several in found.items():
        known = [flow for flow in several if flow is not None]
        total = sum(known) if known else None
        arrows.append(Arrow(output, operand, style, "", len(several), on, marks, total))
    ends = frozenset(place[target] for target in targets)
    return GraphView(boxes, tuple(arrows), place[graph.output.index], ends, note)


def _label(edge: GraphEdge) -> str:
    """Say what stands on an edge; of a step through a scope, how many weight layers it crosses."""
    if edge.family != "scope":
        return "" if edge.is_identity else edge.label
    if edge.weight < 0:
        return "some weight layers"
    return text.several(edge.weight, "weight layer") if edge.weight else ""


def _styles(graph: Graph, targets: Iterable[int], counted: Sequence[int]) -> list[str]:
    """Return how each edge is drawn; red is for copies on a weight-free path."""
    down = _ways(graph, lambda edge: not counted[edge.index])
    reaching = set(targets)
    for node in graph.nodes:
        if any(e.target in reaching and not counted[e.index] for e in graph.outgoing[node.index]):
            reaching.add(node.index)
    some_weight = any(counted)

    def style(edge: GraphEdge) -> str:
        if edge.weight:
            return "weight"
        if edge.activation:
            return "activation"
        free = some_weight and down[edge.source] and edge.target in reaching
        return "identity" if free and edge.is_identity else "plain"

    return [style(edge) for edge in graph.edges]


def _groups(graph: Graph, most: int) -> tuple[list[list[int]], str]:
    """Share the nodes among boxes; say how, where a box holds several."""
    scopes = [tuple(node.scope.split("/")) if node.scope else () for node in graph.nodes]
    singles = [[node.index] for node in graph.nodes]
    n, arrows = len(singles), _arrows(graph)
    if n <= most and arrows <= _ARROWS_PER_BOX * most:
        return singles, ""
    recorded = f"{n} recorded nodes" if n > most else f"{arrows} recorded edges"
    groups = singles
    for depth in range(max(map(len, scopes)), 0, -1):
        by_scope: dict[tuple[object, ...], list[int]] = {}
        for index, scope in enumerate(scopes):
            key: tuple[object, ...] = scope[:depth] if len(scope) >= depth else (index,)
            by_scope.setdefault(key, []).append(index)
        groups = list(by_scope.values())
        if len(groups) <= min(most, _FEW):
            return groups, f"{recorded}; each scope is drawn as one box"
    ends = max(1, min(_KEPT_ENDS, (most - 1) // 2))
    middle = [index for group in groups[ends:-ends] for index in group]
    note = f"{recorded}; the middle of the record is drawn as one box"
    if len(groups) < n:
        note += ", and each scope"
    return [*groups[:ends], middle, *groups[-ends:]], note


def _arrows(graph: Graph) -> int:
    """Return how many arrows the edges are that are drawn node by node."""
    parallel = Counter((edge.source, edge.target) for edge in graph.edges)
    return sum(n if n <= _MOST_PARALLEL else 1 for n in parallel.values())


def _box(graph: Graph, group: list[int]) -> Box:
    first = graph.nodes[group[0]]
    if len(group) == 1:
        kind: Kind = "operation"
        named: dict[str, Kind] = {"parameter": "parameter", "input": "input", "scope": "scope"}
        if first.kind in named:
            kind = named[first.kind]
        elif first.op == "add":
            kind = "sum"
        label = first.label if kind != "sum" else first.name or ""
        scope = tuple(first.scope.split("/")) if first.scope else ()
        return Box(kind, label, _detail(first), scope)
    shared = _shared_scope(graph.nodes[index].scope for index in group)
    parameters = sum(graph.nodes[index].kind == "parameter" for index in group)
    operations = sum(graph.nodes[index].kind == "operation" for index in group)
    detail = f"{operations} operations, {parameters} parameters"
    return Box("group", shared[-1] if shared else "…", detail, shared[:-1], len(group))


def _shared_scope(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the names that the scope paths begin with in common."""
    split = [tuple(scope.split("/")) if scope else () for scope in scopes]
    low, high = min(split), max(split)
    length = next(
        (i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b),
        min(len(low), len(high)),
    )
    return low[:length]


def _detail(node: GraphNode) -> str:
    shape = "×".join(map(str, node.shape)) or "scalar"
    return f"{shape} {node.dtype}"
