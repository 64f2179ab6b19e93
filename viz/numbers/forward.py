"""The forward pass as a sum over paths: what ``tg.forward_paths`` found, drawn.

The picture is that of the gradient's paths, read the other way: every path starts at a number of
the input or of a bias and multiplies it by what it meets on its way to the output.  Dead paths
add nothing; the products of the others are rows, and their sum is the output.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from tinygrad_res.forward import ForwardPaths
from tinygrad_res.graph_parts import GraphEdge

from .. import text
from ..layout import Canvas, Curve, Label, Layout
from ..page import WHOLE, Page
from .network import Network, on_routes, ways
from .rows import Row
from .subject import Subject
from .symbols import number

MOST_EDGES = 200
"""With more edges between numbers, the paths are drawn between arrays."""
MOST_TERMS = 12
_ROW = 21.0


def forward_subject(forward: ForwardPaths) -> Subject | None:
    """Return the network that carries the output; ``None`` where it has too many numbers."""
    scalar = forward.graph.scalar()
    carrying = {
        (forward.graph.nodes[edge.source].recorded, edge.position)
        for edge in map(forward.graph.edges.__getitem__, forward.carrying)
    }
    outputs = scalar.numbers(forward.graph.output)
    ends = [v for node in forward.leaves.values() for v in scalar.numbers(node)]
    kept = [e for e in scalar.edges if (scalar.nodes[e.source].recorded, e.position) in carrying]
    used = on_routes(kept, outputs, ends, lambda _: True)
    edges = [edge for edge in kept if edge.index in used]
    if not 0 < len(edges) <= MOST_EDGES:
        return None
    total = ways(edges, outputs, ends)
    active = ways(edges, outputs, ends, lambda e: e.derivative != 0)
    free = ways(edges, outputs, ends, lambda e: not e.weight)
    return Subject(scalar, edges, outputs, ends, (total, active, free), forward=forward)


def forward_rows(subject: Subject, network: Network, most: int) -> list[Row]:
    """Return the active paths as rows, from the input on; none where there are too many."""
    active = subject.counts[1] or 0
    if not 0 < active <= most or len(subject.outputs) != 1:
        return []
    wires = {wire.edge: wire for wire in network.wires}
    rows = []
    for ways_up in _active(subject.edges, subject.outputs, subject.ends):
        start = ways_up[0].target
        node = subject.graph.nodes[start]
        if node.tensor is None or node.element is None:
            return []
        value = float(node.tensor.numpy()[node.element])
        acting = [wires[e.index] for e in ways_up if e.index in wires and wires[e.index].factor]
        factors = (network.elements[start].symbol, *(wire.factor for wire in acting))
        numbers = [value, *(wire.value for wire in acting if wire.value is not None)]
        product = value
        for edge in ways_up:
            product *= edge.derivative or 0.0
        weights = sum(edge.weight for edge in ways_up)
        rows.append(Row(factors, tuple(map(number, numbers)), number(product), weights))
    return rows


def _active(
    edges: Iterable[GraphEdge], outputs: Collection[int], ends: Collection[int]
) -> Iterator[list[GraphEdge]]:
    """Yield the paths without a derivative of zero, each as its edges from the input on."""
    above: dict[int, list[GraphEdge]] = {}
    for edge in edges:
        if edge.derivative:
            above.setdefault(edge.target, []).append(edge)
    waiting: list[tuple[int, list[GraphEdge]]] = [(end, []) for end in reversed(list(ends))]
    while waiting:
        at, path = waiting.pop()
        if at in outputs and path:
            yield path
        waiting += [(edge.source, [*path, edge]) for edge in reversed(above.get(at, []))]


def draw_terms(canvas: Canvas, forward: ForwardPaths, x: float, y: float) -> None:
    """Write what the paths from each leaf contribute, and their sum, with its corner at ``(x, y)``."""
    terms = list(forward.terms.items())[:MOST_TERMS]
    hidden = len(forward.terms) - len(terms)
    lines = [
        (text.name(name), text.value(value), _counted(forward.count(forward.leaves[name])))
        for name, value in terms
    ]
    rest = sum(list(forward.terms.values())[MOST_TERMS:])
    lines += [(text.plain(f"{hidden} more"), text.value(rest), "")] * bool(hidden)
    if forward.constants:
        lines.append(
            (text.plain("constants"), text.value(forward.constants), "numbers that are added")
        )
    columns = x, x + max(110.0, *(text.width(name, 12.5) + 30 for name, _, _ in lines)), 0.0
    right = columns[1] + 80
    for at, words in ((x, "starts at"), (columns[1], "contributes"), (right + 24, "along")):
        canvas.add(Label(text.plain(words), at, y, 11, "text quiet", "start"))
    for i, (name, value, along) in enumerate(lines):
        line = y + _ROW * (i + 1)
        canvas.add(Label(name, x, line, 12.5, "text", "start"))
        canvas.add(Label(text.plain(value), columns[1], line, 12.5, "text", "start"))
        canvas.add(Label(text.plain(along), right + 24, line, 12.5, "text quiet", "start"))
    end = y + _ROW * len(lines) + 10
    canvas.add(Curve(((x, end), (right + 150, end)), "axis"))
    said = f"the sum over paths, {text.value(forward.value)}, is the output"
    canvas.add(Label(text.plain(said), x, end + 21, 13, "text title", "start"))


def with_terms(layout: Layout, forward: ForwardPaths, page: Page = WHOLE) -> Layout:
    """Return a figure with the terms of its sum under everything else."""
    canvas = Canvas(page)
    canvas.add(*layout.items)
    left, _, _, bottom = canvas.box
    canvas.begin("rows")
    heading = text.plain("The same paths, read forward")
    canvas.add(Label(heading, left, bottom + 44, 14, "text title", "start"))
    draw_terms(canvas, forward, left, bottom + 70)
    return canvas.finish(layout.title, f"{layout.description} {described(forward)}")


def described(forward: ForwardPaths) -> str:
    """Say in words what adds up to what."""
    parts = [
        f"{text.clean(k)} {text.value(v)}" for k, v in list(forward.terms.items())[:MOST_TERMS]
    ]
    constants = f", constants {text.value(forward.constants)}" if forward.constants else ""
    return f"Read forward: {', '.join(parts)}{constants}; sum {text.value(forward.value)}."


def _counted(n: int) -> str:
    return f"{text.grouped(n)} path{'s' * (n != 1)} between arrays"
