"""draw: from a loss, a graph or a set of paths to a figure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, NamedTuple

from tinygrad_res.errors import FigureError, GraphError, UsageError
from tinygrad_res.formulas import Formula
from tinygrad_res.forward import ForwardPaths
from tinygrad_res.graph import Graph
from tinygrad_res.measures import Paths
from tinygrad_res.numbered import Path
from tinygrad_res.path_calculus import paths as paths_of
from tinygrad_res.whole_numbers import whole

from . import text
from .chains.chain import Chain, read_chain
from .chains.figure import chain_layout
from .drawable import Drawable, Drawing, read_drawable
from .figure import Figure, Width, millimetres
from .highlight import MOST_LISTED, Emphasis, Highlight, edges_taken, read_highlight
from .layout import Canvas, Label, Layout
from .numbers.figure import MOST_COLUMNS, network_of, scalar_layout
from .numbers.formula_lines import with_formula
from .numbers.forward import forward_subject, with_terms
from .numbers.subject import (
    MOST_EDGES,
    Subject,
    from_graph,
    from_paths,
    from_single_numbers,
    size,
    tensor_graph,
    tensor_paths,
    window_of,
)  # fmt: skip
from .page import PARTS, WHOLE, Page, read_parts, wrapped
from .records.figure import graph_figure
from .records.view import MOST_BOXES, InputCount, count_paths
from .widths import flows_of, only_paths

TENSOR_LEVEL = "tensor level: every step passes a whole array"
NO_ARRAYS = "; this graph holds none, so paths are counted and their products are not known"
LONGEST_HEADLINE = 200
_LABELS = ("symbol", "value", "both", "none")


class _Wish(NamedTuple):
    """How a figure is wanted."""

    most: int
    emphasis: Emphasis
    formula: Formula | None = None
    page: Page = WHOLE


def draw(
    what: Drawable, *, max_nodes: int = MOST_BOXES,
    highlight: Highlight | None = None,
    labels: Literal["symbol", "value", "both", "none"] | None = None,
    widths: Literal["flow"] | None = None,
    parts: str | Iterable[str] = PARTS, size: Width = None, headline: str | None = None,
) -> Figure:  # fmt: skip
    """Draw a set of paths, a recorded graph, or the graph that a loss was computed by.

    Paths through a chain of blocks, or through a plain chain, become the figure of the
    chain: up to five blocks one by one, and below them every path in a row, or where these
    are many, counts and gradient norms by weight layers crossed.  Other paths are shown in their graph.  At
    scalar level, and where every array on the way holds one number, the network is drawn
    number by number; one with too many numbers is drawn at tensor level, and says so.  A
    single path is drawn in the figure of its set, with the others faded.

    Args:
        what: ``tg.paths(loss, x)``, ``tg.graph(loss)``, or ``loss``.  One of a set's paths, a
            list of some, or ``{"label": path or list, ...}``, is drawn in its set.
            ``tg.edge_flow(loss, x)`` is drawn as bands, ``tg.formula(loss, x)`` below the
            paths that it sums over, and ``tg.forward_paths(loss, x)`` as the sum that it is.
        max_nodes: a graph with more nodes, or twice as many edges, is drawn by scope, and says
            so.
        highlight: a part of what is drawn to bring out: a set of paths, a path, a list of
            paths such as ``p.top(3)``, or up to four of these as ``{"label": set, ...}``.
            Each has a colour, a dash and a sign of its own; the legend tells its count, and
            of a single path the product (at tensor level the norm of it).  The rest is faded.
        labels: what stands on edges: the ``"symbol"`` of what the edge passes, a ``"value"``,
            ``"both"`` or ``"none"``.  The value is at scalar level the derivative, at
            tensor level the flow (below), which the legend says.  Left out, symbols at
            tensor level, and at scalar level values with as many symbols as are readable.
        widths: ``"flow"`` draws a band under every edge, as wide as the square root of what
            all paths over it carry (``tg.edge_flow``; at scalar level ``p.edge_flow()``),
            green with a plus or purple with a minus.  Highlighted sets then run beside the
            bands, and flows are not faded.
        parts: which parts stand in the figure, of ``"headline"``, ``"picture"``, ``"rows"``
            (products, charts and terms), ``"formula"`` and ``"legend"``; one of them, or
            several in any order, such as ``["picture", "legend"]``.  What is left out is still
            told to those who cannot see the figure.
        size: a width on paper to lay out for, as ``"80mm"``, ``"3.3in"`` or a number of mm,
            and the one that ``save`` takes by itself.  Lines of words and the legend break;
            chains shorten what stands between their values and go on in a further line, and
            charts stand one below the other, so that no text is smaller than 5 points.  A
            network of numbers, its products, and the graph of a record keep their width: where
            they are wider, all is scaled down, and ``Figure.smallest_text`` tells how far.
        headline: the figure's message, in place of the count of weight-free paths, which then
            begins the lines under it.

    Raises:
        FigureError: ``what`` is none of these; what is to be highlighted is not in what is
            drawn; the flow is not known; or a figure has none of the ``parts``.
        GraphError: nothing was recorded for the tensor.
        UsageError: ``labels``, ``widths``, ``parts``, ``size`` or ``max_nodes`` is none of the
            choices, or ``headline`` no text.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> W = tg.parameter([[0.5, 0.0], [0.0, 0.5]], name="W")
    >>> loss = (x + x @ W).sum()
    >>> p = tg.paths(loss, x)
    >>> draw(p).layout.title
    'Gradient paths through a chain of 1 block: 1 weight-free path of 2'
    >>> figure = draw(p, highlight={"shortcut": p.weight_free()}, labels="none")
    >>> "shortcut: 1 path of 2, product of norm 1.41" in figure.layout.description
    True
    >>> draw(tg.edge_flow(loss, x)).layout.title == draw(p).layout.title
    True
    >>> draw(tg.paths(loss, x, level="scalar")).layout.title
    'Gradient paths (scalar level): 2 weight-free paths of 6'
    >>> draw(p, parts="picture", size="80mm").smallest_text() >= 5
    True
    >>> draw(p, headline="Half of the paths are shortcuts").layout.title
    'Half of the paths are shortcuts'
    """
    _refuse_unknown("labels", labels, _LABELS)
    _refuse_unknown("widths", widths, ("flow",))
    most = None if isinstance(max_nodes, bool) else whole(max_nodes)
    if most is None or most < 1:
        raise UsageError(f"draw: max_nodes={max_nodes!r}: give a number of nodes, 1 or more")
    drawing = read_drawable(what, highlight)
    marks = read_highlight(drawing.highlight, drawing.subject)
    flows = drawing.flow.edges if drawing.flow is not None else None
    banded = widths is not None or flows is not None
    emphasis = Emphasis(marks, flows, banded, labels or "")
    message = _read_headline(headline)
    page = Page(read_parts("draw", parts), millimetres("draw", size), message, emphasis.remarks)
    layout = _drawn(drawing, highlight, _Wish(most, emphasis, drawing.formula, page))
    if message:
        said = f"{layout.title}. {layout.description}"
        layout = replace(layout, title=message, description=said)
    if not layout.items:
        raise FigureError(
            f"draw: parts={parts!r}: this figure has no such part: add 'picture', or leave parts out"
        )
    return Figure(layout, page.width)


def _read_headline(headline: str | None) -> str:
    """Return a message as one printable line."""
    if headline is None:
        return ""
    found = text.clean(headline, LONGEST_HEADLINE) if isinstance(headline, str) else ""
    if not found:
        raise UsageError(f"draw: headline={headline!r}: pass text, or leave it out for the count")
    return found


def _drawn(drawing: Drawing, highlight: Highlight | None, wish: _Wish) -> Layout:
    if drawing.forward is not None:
        return _draw_forward(drawing.forward, highlight, wish)
    if isinstance(drawing.subject, Graph):
        return _draw_graph(drawing.subject, wish)
    return _draw_paths(drawing.subject, wish, drawing.chosen)


def _draw_forward(forward: ForwardPaths, highlight: Highlight | None, wish: _Wish) -> Layout:
    """Draw an output as a sum over paths: between numbers, or between arrays where these are many."""
    if highlight is not None or wish.emphasis.widths:
        raise UsageError(
            "draw: highlight= and widths= are for gradient paths: leave them out, or draw "
            "tg.paths(loss, x)"
        )
    try:
        subject = forward_subject(forward)
    except GraphError:
        subject = None
    whole = None if subject is None else replace(subject, emphasis=wish.emphasis)
    found = _numbers(whole, wish.page) if whole is not None else None
    if found is not None:
        return found
    x = next(iter(forward.leaves.values()))
    return with_terms(_draw_paths(paths_of(forward.graph, x), wish), forward, wish.page)


def _refuse_unknown(name: str, given: object, choices: tuple[str, ...]) -> None:
    if given is not None and not (isinstance(given, str) and given in choices):
        raise UsageError(
            f"draw: {name}={given!r}: use one of {', '.join(map(repr, choices))}, or leave it out"
        )


def _draw_graph(graph: Graph, wish: _Wish) -> Layout:
    if graph.level == "scalar":
        few = len(graph.edges) <= MOST_EDGES
        drawn = _numbers(from_graph(graph, _flowing(wish, graph)), wish.page) if few else None
        above = tensor_graph(graph)
        if drawn is not None:
            return drawn
        if above is not None:
            layout = _draw_graph(above, _raised(wish, graph, above))
            return _with_line(layout, _too_many(len(graph.edges)), wish.page)
    graded = all(edge.weight >= 0 for edge in graph.edges)  # no scope with ways that differ
    emphasis = _flowing(wish, graph)
    used = emphasis.edges if emphasis.fades else None
    counts = count_paths(graph) if graded else ()
    return graph_figure(graph, wish.most, counts, used, emphasis=emphasis, page=wish.page)


def _draw_paths(paths: Paths, wish: _Wish, chosen: Path | None = None) -> Layout:
    if not paths.count():
        return _no_path(paths, wish.page)
    if paths.level == "scalar":
        edges = size(paths)
        drawn = None
        if edges <= MOST_EDGES:
            subject = from_paths(paths, chosen, _flowing(wish, paths), wish.formula)
            drawn = _numbers(subject, wish.page)
        above = tensor_paths(paths)
        if drawn is not None:
            return drawn
        if above is not None:
            layout = _draw_paths(above, _raised(wish, paths.graph, above.graph))
            return _with_line(layout, _too_many(edges), wish.page)
    if paths.level == "tensor":
        single = from_single_numbers(paths, chosen, wish.emphasis, wish.formula)
        drawn = _numbers(single, wish.page) if single is not None else None
        if drawn is not None:
            return drawn
    emphasis = _flowing(wish, paths)
    if paths.level == "tensor":
        chain = read_chain(paths, chosen, emphasis)
        if not _is_tangle(chain):
            held = paths.graph.taken_from is not None
            layout = chain_layout(chain, [TENSOR_LEVEL + NO_ARRAYS * (not held)], wish.page)
            return with_formula(layout, wish.formula, wish.page)
    used = None if paths.count() > MOST_LISTED else edges_taken(paths)
    if chosen is not None or emphasis.fades:
        used = emphasis.edges | {edge.index for edge in (chosen.edges if chosen else ())}
    free, total = paths.count_by("weight").get(0, 0), paths.count()
    counts = (InputCount(paths.inputs[0], total, free),)
    title = f"Gradient paths ({paths.level} level): {text.weight_free_of(free, total)}"
    return graph_figure(
        paths.graph, wish.most, counts, used, title, paths.window("weight").tolist(), emphasis,
        window_of(paths), wish.page,
    )  # fmt: skip


def _flowing(wish: _Wish, what: Paths | Graph) -> Emphasis:
    """Return what to bring out, with the flows where these are asked for."""
    emphasis = wish.emphasis
    values = emphasis.labels in ("value", "both") and what.level != "scalar"
    if emphasis.flows is not None or not (emphasis.widths or values):
        return emphasis
    asked = "widths='flow'" if emphasis.widths else f"labels={emphasis.labels!r}"
    paths = what if isinstance(what, Paths) else only_paths(what, asked)
    return emphasis._replace(flows=flows_of(paths, asked))


def _raised(wish: _Wish, scalar: Graph, above: Graph) -> _Wish:
    """Return what to bring out where a graph is drawn at tensor level after all."""
    place = {(above.nodes[e.source].recorded, e.position): e.index for e in above.edges}
    nodes, edges = scalar.nodes, scalar.edges

    def between_arrays(e: int) -> int:
        return place[nodes[edges[e].source].recorded, edges[e].position]

    marks = tuple(
        replace(mark, edges=frozenset(map(between_arrays, mark.edges)), raised=True)
        for mark in wish.emphasis.marks
    )
    return wish._replace(emphasis=wish.emphasis._replace(marks=marks))


def _numbers(subject: Subject, page: Page) -> Layout | None:
    """Return the figure of paths between numbers, or ``None`` where it has too many columns."""
    network = network_of(subject)
    return scalar_layout(subject, network, page) if network.ranks <= MOST_COLUMNS else None


def _too_many(edges: int) -> str:
    return (
        f"at scalar level there are too many numbers to draw, {text.grouped(edges)} edges between "
        "them; so this is the tensor level, drawn instead"
    )


def _with_line(layout: Layout, words: str, page: Page) -> Layout:
    """Return a figure with a line of words over everything else."""
    canvas = Canvas(page)
    canvas.add(*layout.items)
    left, top, right, _ = canvas.box
    canvas.begin("headline")
    lines = wrapped(text.plain(words), 12, max(right - left, page.room))
    for i, line in enumerate(reversed(lines)):
        canvas.add(Label(line, left, top - 14 - 17 * i, 12, "text quiet", "start"))
    return canvas.finish(layout.title, f"{layout.description} {words}.")


def _is_tangle(chain: Chain) -> bool:
    """Whether the row says nothing: its only block has more ways than can be drawn."""
    return len(chain.blocks) == 1 and not chain.blocks[0].lanes


def _no_path(paths: Paths, page: Page) -> Layout:
    """Return a figure that says that there is nothing to draw."""
    source = paths.graph.output.label
    canvas = Canvas(page)
    canvas.add(Label(text.plain(page.headline or "no path"), 0.0, 0.0, 20, "text title", "start"))
    said = text.plain("no gradient path in this set starts at ") + text.name(source)
    lines = wrapped((*said, *text.plain(": what it would bring is zero")), 12.5, page.room)
    for i, line in enumerate(lines):
        canvas.add(Label(line, 0.0, 26.0 + 19 * i, 12.5, "text quiet", "start"))
    return canvas.finish("No gradient path", f"There is no path from {text.clean(source)}.")
