"""The figure of the scalar level: every number a circle, every derivative on its edge.

Columns run left to right with the forward pass; the gradient's arrows lead back.  What no
product crosses, because a derivative on the way is zero, is faded and the zero is marked;
with one path chosen, everything else is faded instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tinygrad_res.forward import ForwardPaths
from tinygrad_res.numbered import Path

from .. import text
from ..bands import bands, beside, mark_entries, sign_bands
from ..headline import count_words, draw_headline
from ..highlight import Emphasis
from ..layout import Canvas, Curve, Item, Label, Layout, Point, Shape
from ..legend import OFF_SETS, Entry, draw_legend
from ..page import WHOLE, Page
from ..text import Runs
from ..widths import flow_entries
from .columns import RADIUS, SQUARE, Columns, stack
from .formula_lines import formula_items
from .forward import described, draw_terms, forward_rows
from .network import Element, Network, Wire, edges_of
from .rows import MOST_ROWS, draw_rows, read_rows
from .subject import Subject
from .symbols import explained, indexed, named, number
from .view import read_network
from .wires import MARK, SIZE, Plan, Route, label_width, plan

MOST_COLUMNS = 24
MOST_FORWARD = 12
"""So many active paths are written out where they are read forward."""
_FORWARD_GAP, _BENT_GAP = 4.5, 5.0
_NARROWEST = 620.0
_INK = {"weight": "text weight", "activation": "text activation"}


def network_of(subject: Subject) -> Network:
    """Return the network that the paths of a subject run through."""
    used = subject.used if subject.chosen is None else edges_of(subject.chosen)
    if subject.emphasis.fades:
        used = subject.emphasis.edges | (edges_of(subject.chosen) if subject.chosen else set())
    return read_network(
        subject.graph, subject.edges, subject.outputs, subject.ends, used, subject.counted,
        subject.emphasis,
    )  # fmt: skip


def scalar_layout(subject: Subject, network: Network, page: Page = WHOLE) -> Layout:
    """Return the figure of paths between numbers, the parts of it that a page asks for."""
    emphasis = subject.emphasis
    few = subject.chosen or (emphasis.fades and sum(m.count for m in emphasis.marks) <= MOST_ROWS)
    needed = {v for w in network.wires if w.used and few for v in (w.output, w.operand)}
    whole = subject.chosen is None and not emphasis.fades
    dead = whole and any(w.live for w in network.wires if w.edge >= 0)
    network = _quiet(network, dead)
    columns = stack(network, needed)
    drawn = plan(network, columns)
    canvas = Canvas(page)
    canvas.begin("picture")
    for faded in (True, False):
        routes = [r for r in drawn.routes if _faded(r.wire, dead) == faded]
        canvas.extend(item for route in routes for item in _bands(route, emphasis))
        forward = subject.forward is not None
        canvas.extend(item for route in routes for item in _wire(route, faded, forward))
        canvas.extend(item for route in routes for item in _words(route, faded))
    on = {v for r in routes for v in (r.wire.output, r.wire.operand)}
    _numbers(canvas, network, columns, drawn, on if drawn.routes else set(columns.at))
    sign_bands(canvas)
    left, top, right, bottom = canvas.box
    title = _title(subject, network.weighted)
    _headline(canvas, subject, network, columns, drawn, left, top)
    shown = (subject.chosen,) if subject.chosen is not None else subject.listed
    if subject.forward is not None:
        _forward_rows(canvas, network, subject, subject.forward, left, bottom + 46)
    elif (shown and len(shown) <= MOST_ROWS) or subject.formula:
        _rows(canvas, network, subject, shown, left, bottom + 46)
    _, _, right, bottom = canvas.box
    draw_legend(
        canvas, left, bottom + 44, page.at_least(right - left, _NARROWEST), _symbols(network, subject),
        {
            "value": "a number", "faded": _off(subject),
            "direction": "" if subject.forward is None else
            "forward, left to right: a value, times what it meets:",
            "plain": "another factor; 1 where no number stands"
            if subject.forward is not None else "another derivative; 1 where no number stands"
            if emphasis.labels in ("", "both", "value") else "another derivative",
        },
        _added(subject),
    )  # fmt: skip
    return canvas.finish(title, _describe(network, columns, subject, title))


def _added(subject: Subject) -> list[Entry]:
    """Return what the legend says of highlighted sets, of flows and of numbers on edges."""
    emphasis = subject.emphasis
    found = mark_entries(emphasis)
    if emphasis.widths and emphasis.flows is not None:
        found += flow_entries(emphasis.flows, "scalar")
    if emphasis.labels in ("value", "both"):
        found.append(([], "number on an edge: its derivative"))
    return found


def _faded(wire: Wire, dead: bool) -> bool:
    """Say whether a wire is off the chosen paths; or, with ``dead``, brings nothing but 0."""
    return not wire.used or (dead and not wire.live)


def _quiet(network: Network, dead: bool) -> Network:
    """Return a network without words on what is faded, except for a 0 that makes it so."""
    wires = tuple(
        replace(w, label=()) if _faded(w, dead) and w.value != 0 else w for w in network.wires
    )
    return replace(network, wires=wires)


def _off(subject: Subject) -> str:
    if subject.emphasis.fades:
        return OFF_SETS
    return (
        "off the path"
        if subject.chosen is not None
        else "carries nothing: a derivative on the way is 0"
    )


# Wires and what is written on them


def _bands(route: Route, emphasis: Emphasis) -> Iterable[Curve]:
    """Return what is drawn under a wire: its flow, and the sets that take it."""
    wire = route.wire
    return bands(route.points[::-1], route.smooth, wire.marks, emphasis, wire.flow)


def _wire(route: Route, faded: bool, forward: bool) -> Iterable[Item]:
    """Draw a wire twice: grey and forward, coloured and back; or once, coloured and forward."""
    points = route.points
    tail, head = (f"number {v}" for v in (route.wire.output, route.wire.operand))
    if forward:
        style = route.wire.style
        yield Curve(points, style, route.smooth, True, tail=head, head=tail, faded=faded)
        return
    ahead = beside(points, _BENT_GAP) if route.smooth else _moved(points, _FORWARD_GAP)
    back = points[::-1] if route.smooth else _moved(points, 0.0)[::-1]
    yield Curve(ahead, "forward", route.smooth, True, tail=head, head=tail, faded=faded)
    yield Curve(back, route.wire.style, route.smooth, True, tail=tail, head=head, faded=faded)


def _moved(points: Sequence[Point], by: float) -> tuple[Point, ...]:
    """Return a straight line a little to the right, as one walks along it."""
    (x, y), (u, v) = points[0], points[-1]
    dx, dy = u - x, v - y
    norm = float((dx * dx + dy * dy) ** 0.5) or 1.0
    sx, sy = -dy / norm * by, dx / norm * by
    return ((x + sx, y + sy), (u + sx, v + sy))


def _words(route: Route, faded: bool) -> Iterable[Item]:
    """Draw a label on its wire, on a ground of its own, behind its mark."""
    x, y = route.at
    wide = label_width(route.label, route.mark)
    left = x - wide / 2 + 2
    quiet = faded and (route.mark != "cross" or not route.wire.used)
    if route.label:
        yield Shape("box", x, y, wide, 14.0, "ground", 3)
    if route.mark == "square":
        style = "square" if route.wire.counted else "square uncounted"
        yield Shape("box", left + MARK / 2, y, MARK, MARK, style, 1.5, faded=faded)
    elif route.mark == "cross":
        at, half = left + MARK / 2, MARK / 2 - 1
        for sign in (1, -1):
            stroke = ((at - half, y - sign * half), (at + half, y + sign * half))
            yield Curve(stroke, "cross", faded=quiet)
    if route.label:
        ink = _INK.get(route.wire.style, "text")
        start = left + (MARK + 4 if route.mark else 0)
        title = text.joined(route.wire.label)
        yield Label(route.label, start, y + 3.8, SIZE, ink, "start", title, quiet)


# Numbers


def _numbers(canvas: Canvas, network: Network, columns: Columns, drawn: Plan, on: set[int]) -> None:
    for key, (rank, y) in columns.at.items():
        items = _number(network.elements[key], drawn.xs[rank], y, f"number {key}")
        canvas.add(*(replace(item, faded=key not in on) for item in items))
    for runs, rank, y in columns.headings:
        wide = text.width(runs, SIZE) + 4
        canvas.add(Shape("box", drawn.xs[rank], y - 4, wide, 14.0, "ground", 3))
        canvas.add(Label(runs, drawn.xs[rank], y, SIZE, "text quiet"))
    for rest in columns.rests:
        words = text.plain(f"… {text.grouped(rest.count)} more")
        canvas.add(Label(words, drawn.xs[rest.rank], rest.y + 4, SIZE, "text quiet"))


def _number(element: Element, x: float, y: float, key: str) -> list[Shape | Label]:
    if element.kind == "weight":
        return [
            Shape("box", x, y, SQUARE, SQUARE, "square", 1.5, key=key, title=element.title),
            Label(element.symbol, x, y + SQUARE / 2 + 13, 12, "text weight"),
        ]
    size = 2 * RADIUS
    if element.kind == "sum":
        return [
            Shape("circle", x, y, size, size, "value", sign="+", key=key, title=element.title),
            Label(element.short, x, y + RADIUS + 13, SIZE),
        ]
    inside = element.short if element.kind != "beside" else ()
    found: list[Shape | Label] = [
        Shape("circle", x, y, size, size, "value", key=key, title=element.title)
    ]
    if element.kind == "beside" and text.width(element.symbol, 12) <= size - 5:
        inside = element.symbol
    elif element.kind == "beside":
        found.append(Label(element.symbol, x, y + RADIUS + 13, 12))
    if text.joined(inside):
        found.append(Label(inside, x, y + 4.2, 12))
    return found


# What is said around the picture


def _title(subject: Subject, weighted: bool) -> str:
    kind = "Gradient" if subject.forward is None else "Forward"
    return f"{kind} paths ({subject.level} level): {_message(subject, weighted)[0]}"


def _level(subject: Subject) -> str:
    """Say at which level paths are counted, and what an active one is."""
    total, active, free = subject.counts
    said = f"{subject.level} level: {subject.step}"
    if active is None:
        return said
    if active == total:
        return f"{said}; all paths are active: no derivative on the way is 0"
    few = text.grouped(active)
    if free and subject.forward is None:
        said += (
            f"; {few} of the {text.grouped(total)} paths {'is' if active == 1 else 'are'} active"
        )
        return f"{said}: no derivative on the way is 0"
    return f"{said}; active: no derivative on the way is 0"


def _ends(subject: Subject) -> Runs:
    if subject.forward is not None:
        starts = ", ".join(text.clean(name) for name in list(subject.forward.leaves)[:4])
        more = len(subject.forward.leaves) - 4
        starts += f" and {more} more" if more > 0 else ""
        value = text.value(subject.forward.value)
        return text.plain(f"the output, {value}, as a sum over paths from {starts}")
    nodes = subject.graph.nodes
    output = nodes[min(subject.outputs)]
    names = dict.fromkeys(_plain_name(nodes[end].name or nodes[end].kind) for end in subject.ends)
    if output.name:
        start = named(output.name)
    else:
        start = text.plain("L" if len(subject.outputs) == 1 else "the output")
    found = (
        *text.plain(f"gradient path{'s' * (subject.counts[0] != 1)} from "),
        *start,
        *text.plain(" back to "),
    )
    end = nodes[min(subject.ends)]
    one = end if len(subject.ends) == 1 else None
    for i, name in enumerate(list(names)[:3]):
        shape = one.recorded.shape if one and one.recorded else None
        called = indexed(named(name), one.element, shape) if one else named(name)
        found = (*found, *text.plain(", " * bool(i)), *called)
    if len(names) > 3:
        found = (*found, *text.plain(f" and {len(names) - 3} more"))
    return found


def _plain_name(name: str) -> str:
    return "x" if name == "input" else "W" if name == "parameter" else name


def _headline(
    canvas: Canvas, subject: Subject, network: Network, columns: Columns, drawn: Plan, x: float,
    top: float,
) -> None:  # fmt: skip
    notes = [_level(subject)]
    if subject.chosen is not None:
        notes.append(f"one is drawn in full, through {_layers(subject.chosen.degree('weight'))}")
    if subject.window:
        notes.append(subject.window)
    if columns.hidden:
        notes.append(
            "of long columns the first numbers are drawn, and the edges between them: "
            f"{text.grouped(columns.hidden)} of {text.grouped(len(network.elements))} are not"
        )
    if drawn.bare:
        notes.append(f"{drawn.bare} derivatives are not written for lack of room")
    lines = [_ends(subject), *map(text.plain, notes)]
    message, red = _message(subject, network.weighted)
    draw_headline(canvas, x, top - 30, message, lines, red)


def _message(subject: Subject, weighted: bool) -> tuple[str, bool]:
    """Say how many paths are weight-free, or where that says nothing, active; and if it is red."""
    total, active, free = subject.counts
    if active is None or (free and subject.forward is None):
        return count_words(free, total, weighted), bool(weighted and free)
    few = text.grouped(active)
    if active < total:
        said = f"{few} of {text.grouped(total)} paths {'is' if active == 1 else 'are'} active"
        return said, False
    return count_words(free, total, weighted and subject.forward is None), False


def _layers(weights: int) -> str:
    return text.several(weights, "weight layer") if weights else "no weight layer"


def _rows(
    canvas: Canvas, network: Network, subject: Subject, shown: Sequence[Path], x: float, y: float
) -> None:
    ends = None
    if len(subject.ends) == len(subject.outputs) == 1 and network.wires:
        stands = [g.elements[0] for g in (network.groups[-1], *network.groups)]
        low = next(v for v in stands[1:] if network.elements[v].kind != "beside")
        ends = network.elements[stands[0]].symbol, network.elements[low].symbol
    total = "" if subject.gradient is None else number(subject.gradient)
    rows = read_rows(network, shown, subject.emphasis)
    whole, written = subject.chosen is None, subject.formula
    if rows:
        canvas.begin("rows")
        draw_rows(canvas, rows, None if written else ends, total, whole, network.weighted, x, y)
    if written is not None:
        _, _, right, bottom = canvas.box
        if rows:
            canvas.add(Curve(((x, bottom + 8), (max(right, x + 300), bottom + 8)), "axis"))
        canvas.begin("formula")
        canvas.add(*formula_items(written, x, bottom + 34, canvas.page.room))


def _forward_rows(
    canvas: Canvas, network: Network, subject: Subject, forward: ForwardPaths, x: float, y: float
) -> None:
    """Write the active paths, each with its product, or what the paths from each leaf add."""
    canvas.begin("rows")
    rows = forward_rows(subject, network, MOST_FORWARD)
    if rows:
        first = "value, times what it meets"
        draw_rows(canvas, rows, None, "", True, network.weighted, x, y, first)
        _, _, _, y = canvas.box
        y += 40
    draw_terms(canvas, forward, x, y)


def _symbols(network: Network, subject: Subject) -> tuple[str, ...]:
    said = list(network.symbols)
    marked = [w.factor for w in network.wires if w.style == "weight"]
    marked += [element.symbol for element in network.elements.values()]
    doubly = [symbol for symbol in marked if len(symbol) == 2 and ";" in symbol[1][0]]
    said += [explained(symbol) for symbol in doubly[:1]]
    shown = subject.listed or subject.chosen
    if shown and len(subject.outputs) > 1:
        said.append("g_{k}: the cotangent of the output's number k")
    return tuple(said)


def _describe(network: Network, columns: Columns, subject: Subject, title: str) -> str:
    ranks = f"{network.nodes} numbers in {len(columns.extents)} columns"
    ends = text.joined(_ends(subject))
    said = [f"{title}, {ends}; {_level(subject)}.", f"{ranks}; {len(network.wires)} edges."]
    if columns.hidden:
        said.append(f"{columns.hidden} numbers are not drawn.")
    said += [f"Highlighted: {mark.words}." for mark in subject.emphasis.marks]
    if subject.forward is not None:
        said.append(described(subject.forward))
    shown = (subject.chosen,) if subject.chosen is not None else subject.listed
    for row in read_rows(network, shown[:MOST_ROWS]):
        factors = " · ".join(map(text.joined, row.factors)) or "1"
        said.append(f"{factors} = {row.product}." if row.product else f"{factors}.")
    return " ".join(said)
