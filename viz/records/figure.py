"""The figure of any recorded graph, laid out along its spine.

Every operation is a box with the shape and dtype of its value, every operand an edge:
``x * x`` has two.  Data flows left to right along the grey arrows; the coloured arrows
are the gradient's and carry the local derivatives.  Parameters hang below what uses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinygrad_res.graph import Graph

from .. import text
from ..bands import bands, beside, mark_entries, sign_bands
from ..headline import count_words, draw_count, draw_headline
from ..highlight import PLAIN, Emphasis
from ..layout import Canvas, Curve, Item, Label, Layout, Point, Shape
from ..legend import OFF_SETS, WORDS, Entry, draw_legend
from ..page import WHOLE, Page
from ..style import FLOW_WIDTH
from ..widths import flow_entries, meaning, signed
from .lines import rounded
from .places import HUNG_EDGE, Frame, place
from .spine import Link, Site
from .view import Arrow, Box, GraphView, InputCount, edges_between, view_graph

_SQUARE, _CIRCLE = 11.0, 22.0
_DOUBLE = 4.0
"""How far out the second border of a box is that stands for several nodes."""
_FORWARD_GAP, _CORNER = 5.0, 16.0
_WORDS_SIZE = 11.5
_MOST_INPUTS = 4
_KINDS = ("scope", "operation", "parameter")
_INK = {"weight": "text weight", "activation": "text activation"}


def graph_figure(
    graph: Graph, most: int, counts: tuple[InputCount, ...], used: set[int] | None = None,
    title: str = "", counted: Sequence[int] | None = None, emphasis: Emphasis = PLAIN,
    note: str = "", page: Page = WHOLE,
) -> Layout:  # fmt: skip
    """Return the layout of a graph.

    Args:
        most: the largest number of boxes; a larger graph is drawn by scope.
        counts: the nodes that gradients are followed to, and the paths that lead there.
        used: the edges on the chosen paths; all edges if left out.
        title: what the figure is called, where it is not the whole graph's.
        counted: the weight layers that every edge counts for, in a figure of paths.
        emphasis: the sets to bring out, and what stands on edges.
        note: what else there is to say about what is counted.
        page: the parts that are wanted, and the room that there is.
    """
    targets = [found.node.index for found in counts]
    if used is None and counted is not None:
        used = edges_between(graph, targets)
    view = view_graph(graph, most, targets, used, counted, emphasis)
    if graph.level == "scope" and not emphasis.fades:
        view = view.chosen()
    words = [_words(arrow, emphasis.labels) for arrow in view.arrows]
    sites = _sites(view, words)
    links = [
        Link(
            arrow.operand, arrow.output,
            text.width(on_it, _WORDS_SIZE) if on_it else 0.0,
            rank=int(arrow.used), outside=arrow.style == "identity",
        )
        for arrow, on_it in zip(view.arrows, words, strict=True)
    ]  # fmt: skip
    placed = place(sites, links, view.output, FLOW_WIDTH / 2 if emphasis.widths else 0.0)
    canvas, on = Canvas(page), view.on
    canvas.begin("picture")
    for frame in placed.frames:
        _frame(canvas, frame, view, on)
    for arrow, line, on_it, at in zip(view.arrows, placed.lines, words, placed.words, strict=True):
        _arrow(canvas, arrow, rounded(line, _CORNER), on_it, at, emphasis)
    for number, box in enumerate(view.boxes):
        start = len(canvas.items)
        width, height = placed.widths[number], placed.heights[number]
        drawn = replace(sites[number], width=width, height=height)
        _box(canvas, box, drawn, placed.centres[number], f"node {number}")
        faded = number not in on
        canvas.items[start:] = [replace(item, faded=faded) for item in canvas.items[start:]]
    sign_bands(canvas)
    left, top, right, bottom = canvas.box
    _headline(canvas, graph, view, left, top, counts, note)
    told = dict(WORDS, faded=OFF_SETS) if emphasis.fades else WORDS
    more = [*_own_entries(canvas, view, words, emphasis.labels), *_added(emphasis, graph.level)]
    draw_legend(canvas, left, bottom + 40, page.at_least(right - left, 560.0), (), told, more)
    title = (
        title or f"The graph recorded for {text.clean(graph.output.label)} ({graph.level} level)"
    )
    said = [describe(graph, counts)]
    said += [f"Highlighted: {mark.words}." for mark in emphasis.marks]
    return canvas.finish(title, " ".join(said))


def _own_entries(
    canvas: Canvas, view: GraphView, words: Sequence[text.Runs], labels: str
) -> list[Entry]:
    """Return what the legend says of boxes and of words on edges, where they occur."""
    styles = {item.style for item in canvas.items if isinstance(item, Shape)}
    found: list[Entry] = []
    if any(box.kind == "input" for box in view.boxes):
        found.append(([Shape("box", 17, 0, 24, 13, "value", 3)], "input"))
    if "square" in styles:
        found.append(([Shape("box", 17, 0, 10, 10, "square", 1.5)], "parameter"))
    if "cluster" in styles:
        found.append(([Shape("box", 17, 0, 30, 15, "cluster", 3)], "scope"))
    shown = [a.label for a, on_it in zip(view.arrows, words, strict=True) if on_it and a.times == 1 and a.label]  # fmt: skip
    if labels not in ("value", "none") and any("weight layer" not in label for label in shown):
        found.append(([], "words on an edge: the derivative there, for a product its other factor"))
        if any("(·)" in label for label in shown):
            found.append(([], "f(·): the value of the operation f"))
    if any(", entry " in box.label for box in view.boxes if box.kind == "scope"):
        found.append(([], "entry k: of several values by which paths come into a scope, the k-th"))
    if any(arrow.times > 1 for arrow in view.arrows):
        found.append(([], "× n: n edges"))
    return found


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
        text.several(kinds.count(kind), kind) for kind in (*_KINDS, "input") if kind in kinds
    )
    edges = text.several(len(graph.edges), "edge")
    said = [f"{text.several(len(kinds), 'node')}: {shares}; {edges}."]
    said += [
        f"{text.several(found.count, 'gradient path')} back to {text.clean(found.node.label)}, "
        f"{text.exact(found.weight_free)} weight-free."
        for found in counts[:8]
    ]
    return " ".join(said)


def _headline(
    canvas: Canvas, graph: Graph, view: GraphView, x: float, top: float,
    counts: tuple[InputCount, ...], remark: str,
) -> None:  # fmt: skip
    """Draw above the graph how many paths lead to its inputs, and what it is."""
    weighted = any(arrow.style == "weight" for arrow in view.arrows)
    output = text.name(graph.output.label)
    lines = []
    if len(counts) == 1:
        paths = f"gradient path{'s' * (counts[0].count != 1)} from "
        lines.append((*text.plain(paths), *output, *text.plain(" back to "), *text.name(counts[0].node.label)))  # fmt: skip
    for c in counts[: _MOST_INPUTS * (len(counts) > 1)]:
        back = text.plain(" back to ") + text.name(c.node.label)
        lines.append(
            text.plain(f"{count_words(c.weight_free, c.count, weighted)} from ") + output + back
        )
    if len(counts) > _MOST_INPUTS:
        lines.append(text.plain(f"and to {len(counts) - _MOST_INPUTS} more inputs"))
    kinds = [node.kind for node in graph.nodes]
    what = ", ".join(text.several(kinds.count(kind), kind) for kind in _KINDS if kind in kinds)
    notes = "".join(f"; {words}" for words in (view.note, remark) if words)
    recorded = text.plain(f"{graph.level} level, recorded for ") + output
    lines.append(recorded + text.plain(f": {what}{notes}"))
    if counts:
        free, total = sum(c.weight_free for c in counts), sum(c.count for c in counts)
        draw_count(canvas, x, top - 26, free, total, lines, weighted)
    else:
        draw_headline(canvas, x, top - 26, "", lines)


# What stands where


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


def _sites(view: GraphView, words: Sequence[text.Runs]) -> list[Site]:
    """Return the room that each box needs; that of a parameter is below what uses it."""
    holders = view.holders()
    beside: dict[int, float] = {}
    for arrow, on_it in zip(view.arrows, words, strict=True):
        needed = text.width(on_it, _WORDS_SIZE)
        beside[arrow.operand] = max(beside.get(arrow.operand, 0.0), needed)
    return [
        _hanging_site(box, beside[k], holders[k]) if k in holders else _site(box)
        for k, box in enumerate(view.boxes)
    ]


def _hanging_site(box: Box, words: float, holder: int) -> Site:
    wide = max(_wide(box), 2 * words + 24)
    return Site(wide + 12, HUNG_EDGE + _SQUARE + 34, box.scope, below=holder)


def _site(box: Box) -> Site:
    if box.kind == "sum" and not box.label:
        return Site(_CIRCLE, _CIRCLE, box.scope, round=True)
    extra = {"parameter": _SQUARE + 24, "sum": _CIRCLE + 24}.get(box.kind, 22.0)
    border = 2 * _DOUBLE * (box.kind == "group")
    return Site(_wide(box) + extra + border, 40.0 + border, box.scope)


def _wide(box: Box) -> float:
    return max(text.width(text.name(box.label), 13), text.width(text.plain(box.detail), 10))


def _frame(canvas: Canvas, frame: Frame, view: GraphView, on: set[int]) -> None:
    x0, y0, x1, y1 = frame.box
    name, length = frame.scope[-1], len(frame.scope)
    faded = not any(view.boxes[k].scope[:length] == frame.scope for k in on)
    middle, size = ((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0, y1 - y0)
    canvas.add(
        Shape("box", *middle, *size, "cluster", 8, title=name, faded=faded),
        Label(text.name(name), *frame.name_at, 11.5, "text quiet", "start", faded=faded),
    )


def _box(canvas: Canvas, box: Box, site: Site, at: Point, key: str) -> None:
    """Draw a box in the room of its site."""
    (x, y), width, height = at, site.width, site.height
    title = " ".join(filter(None, (box.title or box.label, box.detail)))
    label, detail = text.name(box.label), text.plain(box.detail)
    if site.below is not None:
        middle = y - height / 2 + HUNG_EDGE + _SQUARE / 2
        canvas.add(
            Shape("box", x, middle, _SQUARE, _SQUARE, "square", 1.5, key=key, title=title),
            Label(label, x, middle + 19, 13, "text weight"),
            Label(detail, x, middle + 33, 10, "text quiet"),
        )
        return
    if site.round:
        canvas.add(Shape("circle", x, y, width, width, "value", sign="+", key=key, title=title))
        return
    style = {
        "input": "value", "parameter": "value", "group": "repeated", "scope": "stage",
    }.get(box.kind, "operation")  # fmt: skip
    double = box.kind == "group"
    size = (width - 2 * _DOUBLE * double, height - 2 * _DOUBLE * double)
    canvas.add(Shape("box", x, y, *size, style, 8, double=double, key=key, title=title))
    ornaments: dict[str, tuple[float, Item]] = {
        "sum": (_CIRCLE, Shape("circle", 0, y, _CIRCLE, _CIRCLE, "value", sign="+", title=title)),
        "parameter": (_SQUARE, Shape("box", 0, y, _SQUARE, _SQUARE, "square", 1.5, title=title)),
    }
    if box.kind not in ornaments:
        canvas.add(Label(label, x, y - 2, 13), Label(detail, x, y + 13, 10, "text quiet"))
        return
    wide, ornament = ornaments[box.kind]
    canvas.add(ornament.moved(x - width / 2 + wide / 2 + 8, 0.0))
    start = x - width / 2 + wide + 16
    canvas.add(
        Label(label, start, y - 2, 13, "text", "start"),
        Label(detail, start, y + 13, 10, "text quiet", "start"),
    )


def _arrow(
    canvas: Canvas, arrow: Arrow, points: tuple[Point, ...], words: text.Runs, at: Point,
    emphasis: Emphasis,
) -> None:  # fmt: skip
    """Draw an edge twice: grey and forward, coloured and back; its bands under it."""
    back = points[::-1]
    canvas.add(*bands(back, True, arrow.marks, emphasis, arrow.flow))
    operand, output, faded = f"node {arrow.operand}", f"node {arrow.output}", not arrow.used
    canvas.add(
        Curve(
            beside(points, _FORWARD_GAP), "forward", True, True, tail=operand, head=output,
            faded=faded,
        ),
        Curve(back, arrow.style, True, True, tail=output, head=operand, faded=faded),
    )  # fmt: skip
    if words:
        ink = _INK.get(arrow.style, "text quiet")
        canvas.add(Label(words, *at, _WORDS_SIZE, ink, title=arrow.label, faded=faded))
