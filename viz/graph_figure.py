"""The figure of any recorded graph, laid out by Graphviz.

Every operation is a box with the shape and dtype of its value, every operand an edge:
``x * x`` has two.  Data flows left to right along the grey arrows; the coloured arrows
are the gradient's and carry the local derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tinygrad_res.graph import Graph

from . import text
from .engine import lay_out
from .graph_view import Arrow, Box, GraphView, InputCount, view_graph
from .highlight import PLAIN, Emphasis, bands, beside, mark_entries, sign_bands
from .layout import Canvas, Curve, Label, Layout, Point, Shape
from .legend import OFF_SETS, WORDS, Entry, draw_legend
from .widths import flow_entries, meaning, signed

_INCH = 72.0
_SQUARE, _CIRCLE = 11.0, 22.0
_FORWARD_GAP = 5.0
_INK = {"weight": "text weight", "activation": "text activation"}


def graph_figure(
    graph: Graph, most: int, counts: tuple[InputCount, ...], used: set[int] | None = None,
    title: str = "", counted: Sequence[int] | None = None, emphasis: Emphasis = PLAIN,
    note: str = "",
) -> Layout:  # fmt: skip
    """Return the layout of a graph.

    Args:
        most: the largest number of boxes; a larger graph is drawn by scope.
        counts: the nodes that gradients are followed to, and the paths that lead there.
        used: the edges on the chosen paths; all edges if left out.
        title: what the figure is called, where it is not the whole graph's.
        counted: the weight layers that every edge counts for.
        emphasis: the sets to bring out, and what stands on edges.
        note: what else there is to say about what is counted.
    """
    targets = [found.node.index for found in counts]
    view = view_graph(graph, most, targets, used, counted, emphasis)
    placed = lay_out(_source(view, emphasis.labels))
    canvas = Canvas()
    height = float(placed["bb"].split(",")[3])
    objects = placed.get("objects", [])
    for item in objects:
        if "bb" in item:
            _cluster(canvas, item, height, _clusters(view)[item["name"]])
    for item in placed.get("edges", []):
        number = int(item["id"])
        _arrow(canvas, item, height, view.arrows[number], emphasis)
    on = {end for arrow in view.arrows if arrow.used for end in (arrow.output, arrow.operand)}
    on |= {len(view.boxes) - 1}
    for item in objects:
        if "pos" in item:
            x, y = _point(item["pos"], height)
            number = int(item["name"][1:])
            faded = number not in on
            start = len(canvas.items)
            _box(canvas, view.boxes[number], x, y, f"node {number}")
            canvas.items[start:] = [replace(item, faded=faded) for item in canvas.items[start:]]
    sign_bands(canvas)
    left, top, right, bottom = canvas.box
    _headline(canvas, graph, view, left, top, counts, note)
    words = dict(WORDS, faded=OFF_SETS) if emphasis.fades else WORDS
    draw_legend(
        canvas, left, bottom + 40, max(right - left, 560.0), (), words,
        _added(emphasis, graph.level),
    )  # fmt: skip
    named = graph.output.name or graph.output.op
    title = title or f"The graph recorded for {text.clean(named)} ({graph.level} level)"
    said = [describe(graph, counts)]
    said += [f"Highlighted: {mark.words}." for mark in emphasis.marks]
    return canvas.finish(title, " ".join(said))


def _added(emphasis: Emphasis, level: str) -> list[Entry]:
    """Return what the legend says of highlighted sets and of flows."""
    found = mark_entries(emphasis)
    if emphasis.flows is not None and emphasis.widths:
        found += flow_entries(emphasis.flows, level)
    if emphasis.flows is not None and emphasis.labels in ("value", "both"):
        found.append(([], f"number on an edge: its {meaning(level)}"))
    return found


def describe(graph: Graph, counts: tuple[InputCount, ...]) -> str:
    """Say in words what the figure shows."""
    kinds = [node.kind for node in graph.nodes]
    shares = ", ".join(
        f"{kinds.count(kind)} {kind}s"
        for kind in ("scope", "operation", "parameter", "input")
        if kind in kinds or kind != "scope"
    )
    said = [f"{len(kinds)} nodes: {shares}; {len(graph.edges)} edges."]
    said += [
        f"{found.count} gradient paths lead back to {text.clean(found.node.label)}, "
        f"{found.weight_free} of them weight-free."
        for found in counts[:8]
    ]
    return " ".join(said)


def _headline(
    canvas: Canvas, graph: Graph, view: GraphView, x: float, top: float,
    counts: tuple[InputCount, ...], remark: str,
) -> None:  # fmt: skip
    """Draw above the graph what it is, and how many paths lead to its inputs."""
    weighted = any(arrow.style == "weight" for arrow in view.arrows)
    lines = []
    for c in counts[:3]:
        paths = f"gradient path{'s' * (c.count != 1)} back to "
        some = f"{text.grouped(c.weight_free)} weight-free of " if weighted else ""
        words = text.plain(f"{some}{text.grouped(c.count)} {paths}") + text.name(c.node.label)
        style = "text identity" if weighted and c.weight_free else "text title"
        lines.append(Label(words, x, 0.0, 16, style, "start"))
    kinds = [node.kind for node in graph.nodes]
    what = ", ".join(
        f"{kinds.count(kind)} {kind}{'s' * (kinds.count(kind) != 1)}"
        for kind in ("scope", "operation", "parameter")
        if kind in kinds or kind != "scope"
    )
    more = f"; {len(counts) - 3} more inputs" if len(counts) > 3 else ""
    ends = text.plain(f"{graph.level} level, recorded for ") + text.name(graph.output.label)
    note = "".join(f"; {words}" for words in (view.note, remark) if words)
    lines.append(
        Label(ends + text.plain(f": {what}{more}{note}"), x, 0.0, 12, "text quiet", "start")
    )
    for i, line in enumerate(reversed(lines)):
        canvas.add(line.moved(0.0, top - 26 - 24 * i))


# What Graphviz is asked


def _source(view: GraphView, labels: str) -> str:
    """Return DOT source with sizes and numbers only."""
    lines = [
        "digraph recorded {",
        "  rankdir=LR; nodesep=0.32; ranksep=0.45; newrank=true;",
        '  node [shape=box, fixedsize=true, label=""];',
        "  edge [arrowhead=none];",
        *_nested(view, ()),
    ]
    for number, arrow in enumerate(view.arrows):
        label = _words(arrow, labels)
        attributes = [f'id="{number}"']
        if label:
            attributes.append(f"label={_room(text.width(label, 11.5) + 6, 15)}")
        if view.boxes[arrow.operand].kind == "parameter":
            attributes.append("tailport=e")
        elif arrow.style != "identity":
            attributes.append("weight=12")
        lines.append(f"  n{arrow.operand} -> n{arrow.output} [{', '.join(attributes)}];")
    return "\n".join([*lines, "}", ""])


def _nested(view: GraphView, scope: tuple[str, ...]) -> list[str]:
    """Return the boxes of a scope and, as clusters, the scopes inside it."""
    lines, inner = [], {}
    for number, box in enumerate(view.boxes):
        if box.scope == scope:
            lines.append(_node(number, box))
        elif box.scope[: len(scope)] == scope:
            inner[box.scope[: len(scope) + 1]] = True
    clusters = {path: name for name, path in _clusters(view).items()}
    for path in inner:
        label = _room(text.width(text.name(path[-1]), 11.5) + 8, 15)
        lines.append(f"  subgraph {clusters[path]} {{ label={label}; labeljust=l; margin=12;")
        lines += _nested(view, path)
        lines.append("  }")
    return lines


def _clusters(view: GraphView) -> dict[str, tuple[str, ...]]:
    """Return the path of every scope, by the name of its cluster."""
    paths: dict[tuple[str, ...], None] = {}
    for box in view.boxes:
        for length in range(1, len(box.scope) + 1):
            paths[box.scope[:length]] = None
    return {f"cluster_{i}": path for i, path in enumerate(paths)}


def _node(number: int, box: Box) -> str:
    width, height = _size(box)
    shape = ", shape=circle" if box.kind == "sum" and not box.label else ""
    return f"  n{number} [width={width / _INCH:.4f}, height={height / _INCH:.4f}{shape}];"


def _room(width: float, height: float) -> str:
    """Return a label that only keeps room."""
    return (
        f'<<TABLE BORDER="0" FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}">'
        "<TR><TD></TD></TR></TABLE>>"
    )


def _words(arrow: Arrow, labels: str) -> text.Runs:
    """Return what stands on an arrow: for how many edges it stands, its symbol, its flow."""
    parts = []
    if arrow.times > 1:
        parts.append(text.plain(f"× {arrow.times}"))
    elif arrow.label and labels not in ("value", "none"):
        parts.append(text.name(arrow.label, 18))
    if arrow.flow is not None and labels in ("value", "both"):
        parts.append(text.plain(signed(arrow.flow)))
    return (
        parts[0] if len(parts) == 1 else (*parts[0], *text.plain(": "), *parts[1]) if parts else ()
    )


def _size(box: Box) -> tuple[float, float]:
    if box.kind == "sum" and not box.label:
        return _CIRCLE, _CIRCLE
    wide = max(text.width(text.name(box.label), 13), text.width(text.plain(box.detail), 10))
    extra = {"parameter": _SQUARE + 12, "sum": _CIRCLE + 24}.get(box.kind, 22.0)
    return wide + extra, 40.0


# What comes back


def _point(pair: str, height: float) -> Point:
    x, y = pair.split(",")
    return float(x), height - float(y)


def _cluster(canvas: Canvas, item: dict[str, Any], height: float, path: tuple[str, ...]) -> None:
    x0, y0, x1, y1 = map(float, item["bb"].split(","))
    box = (x1 - x0, y1 - y0)
    x, y = (x0 + x1) / 2, height - (y0 + y1) / 2
    canvas.add(
        Shape("box", x, y, *box, "cluster", 8, title=path[-1]),
        Label(text.name(path[-1]), x0 + 10, height - y1 + 17, 11.5, "text quiet", "start"),
    )


def _box(canvas: Canvas, box: Box, x: float, y: float, key: str) -> None:
    width, height = _size(box)
    title = " ".join(filter(None, (box.label, box.detail)))
    label, detail = text.name(box.label), text.plain(box.detail)
    if box.kind == "sum":
        left = x if not box.label else x - width / 2 + _CIRCLE / 2 + 8
        if box.label:
            canvas.add(Shape("box", x, y, width, height, "operation", 8, key=key, title=title))
        inner = "" if box.label else key
        canvas.add(
            Shape("circle", left, y, _CIRCLE, _CIRCLE, "value", sign="+", key=inner, title=title)
        )
        if box.label:
            at = left + _CIRCLE / 2 + 8
            canvas.add(Label(label, at, y - 2, 13, "text", "start"))
            canvas.add(Label(detail, at, y + 13, 10, "text quiet", "start"))
        return
    if box.kind == "parameter":
        right = x + width / 2 - _SQUARE / 2
        at = right - _SQUARE / 2 - 7
        canvas.add(
            Shape("box", right, y, _SQUARE, _SQUARE, "square", 1.5, key=key, title=title),
            Label(label, at, y - 2, 13, "text weight", "end"),
            Label(detail, at, y + 13, 10, "text quiet", "end"),
        )
        return
    style = {"input": "value", "group": "repeated", "scope": "stage"}.get(box.kind, "operation")
    double = box.kind == "group"
    canvas.add(
        Shape("box", x, y, width, height, style, 8, double=double, key=key, title=title),
        Label(label, x, y - 2, 13),
        Label(detail, x, y + 13, 10, "text quiet"),
    )


def _arrow(
    canvas: Canvas, item: dict[str, Any], height: float, arrow: Arrow, emphasis: Emphasis
) -> None:
    """Draw an edge twice: grey and forward, coloured and back; its bands under it."""
    points = tuple(_point(pair, height) for pair in item["pos"].split())
    canvas.add(*bands(points[::-1], True, arrow.marks, emphasis, arrow.flow))
    operand, output = f"node {arrow.operand}", f"node {arrow.output}"
    canvas.add(
        Curve(
            beside(points, _FORWARD_GAP),
            "forward",
            True,
            True,
            tail=operand,
            head=output,
            faded=not arrow.used,
        ),
        Curve(
            points[::-1], arrow.style, True, True, tail=output, head=operand, faded=not arrow.used
        ),
    )
    words = _words(arrow, emphasis.labels)
    if words and "lp" in item:
        x, y = _point(item["lp"], height)
        ink = _INK.get(arrow.style, "text quiet")
        canvas.add(Label(words, x, y + 1.5, 11.5, ink, title=arrow.label, faded=not arrow.used))
