"""draw: from a loss, a graph or a set of paths to a figure."""

from __future__ import annotations

from tinygrad_res.errors import FigureError
from tinygrad_res.graph import Graph
from tinygrad_res.measures import Paths
from tinygrad_res.numbered import Path
from tinygrad_res.snapshot import graph
from tinygrad_res.tensor import Tensor

from . import text
from .chain import MOST_LISTED, Chain, read_chain
from .chain_figure import chain_layout
from .figure import Figure
from .graph_figure import graph_figure
from .graph_view import MOST_BOXES, InputCount, count_paths
from .layout import Canvas, Label, Layout
from .scalar_figure import MOST_COLUMNS, network_of, scalar_layout
from .scalar_subject import (
    MOST_EDGES,
    Subject,
    from_graph,
    from_paths,
    from_single_numbers,
    size,
    tensor_graph,
    tensor_paths,
)  # fmt: skip

TENSOR_LEVEL = "tensor level: every step passes a whole array"


def draw(what: Tensor | Graph | Paths | Path, *, max_nodes: int = MOST_BOXES) -> Figure:
    """Draw a set of paths, a recorded graph, or the graph that a loss was computed by.

    Paths through a chain of blocks, or through a plain chain, become the figure of the
    chain: up to four blocks with every path in a row, deeper ones with counts and
    gradient norms by weight layers crossed.  Other paths are shown in their graph.  At
    scalar level, and where every array on the way holds one number, the network is drawn
    number by number; one with too many numbers is drawn at tensor level, and says so.  A
    single path is drawn in the figure of its set, with the others faded.

    Args:
        what: ``tg.paths(loss, x)``, one of its paths, ``tg.graph(loss)``, or ``loss``.
        max_nodes: a graph with more nodes is drawn by scope, and says so.

    Raises:
        FigureError: ``what`` is none of these, or there is no Graphviz for a graph.
        GraphError: nothing was recorded for the tensor.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> W = tg.parameter([[0.5, 0.0], [0.0, 0.5]], name="W")
    >>> draw(tg.paths((x + x @ W).sum(), x)).layout.title
    'Gradient paths through a chain of 1 block: 1 weight-free path of 2'
    >>> draw(tg.paths((x + x @ W).sum(), x, level="scalar")).layout.title
    '6 paths between numbers (scalar level), 4 active, 2 weight-free'
    """
    if isinstance(what, Paths):
        return _draw_paths(what, max_nodes)
    if isinstance(what, Path):
        return _draw_paths(what.paths, max_nodes, what)
    if isinstance(what, Tensor):
        what = graph(what)
    if isinstance(what, Graph):
        return _draw_graph(what, max_nodes)
    raise FigureError(
        f"draw: cannot draw a {type(what).__name__}: pass tg.paths(loss, x), one of its paths, "
        "tg.graph(loss), or a tensor that a computation returned, such as the loss"
    )


def _draw_graph(graph: Graph, max_nodes: int) -> Figure:
    if graph.level == "scalar":
        drawn = _numbers(from_graph(graph)) if len(graph.edges) <= MOST_EDGES else None
        above = tensor_graph(graph)
        if drawn is not None:
            return drawn
        if above is not None:
            figure = _draw_graph(above, max_nodes)
            return Figure(_with_line(figure.layout, _too_many(len(graph.edges))), figure.source)
    graded = all(edge.weight >= 0 for edge in graph.edges)  # no scope with ways that differ
    return Figure(*graph_figure(graph, max_nodes, count_paths(graph) if graded else ()))


def _draw_paths(paths: Paths, max_nodes: int, chosen: Path | None = None) -> Figure:
    if not paths.count():
        return Figure(_no_path(paths))
    if paths.level == "scalar":
        edges = size(paths)
        drawn = _numbers(from_paths(paths, chosen)) if edges <= MOST_EDGES else None
        above = tensor_paths(paths)
        if drawn is not None:
            return drawn
        if above is not None:
            figure = _draw_paths(above, max_nodes)
            return Figure(_with_line(figure.layout, _too_many(edges)), figure.source)
    if paths.level == "tensor":
        single = from_single_numbers(paths, chosen)
        drawn = _numbers(single) if single is not None else None
        if drawn is not None:
            return drawn
        chain = read_chain(paths, chosen)
        held = paths.graph.taken_from is not None  # products on the rows need arrays
        if held and not _is_tangle(chain):
            return Figure(_with_line(chain_layout(chain), TENSOR_LEVEL))
    used = None
    if chosen is not None or paths.count() <= MOST_LISTED:
        listed = paths if chosen is None else (chosen,)
        used = {edge.index for path in listed for edge in path.edges}
    free, total = paths.count_by("weight").get(0, 0), paths.count()
    counts = (InputCount(paths.inputs[0], total, free),)
    title = f"Gradient paths ({paths.level} level): {text.weight_free_of(free, total)}"
    return Figure(*graph_figure(paths.graph, max_nodes, counts, used, title))


def _numbers(subject: Subject) -> Figure | None:
    """Return the figure of paths between numbers, or ``None`` where it has too many columns."""
    network = network_of(subject)
    return Figure(scalar_layout(subject, network)) if network.ranks <= MOST_COLUMNS else None


def _too_many(edges: int) -> str:
    return (
        f"at scalar level there are too many numbers to draw, {text.grouped(edges)} edges between "
        "them; so this is the tensor level, drawn instead"
    )


def _with_line(layout: Layout, words: str) -> Layout:
    """Return a figure with a line of words over everything else."""
    canvas = Canvas()
    canvas.add(*layout.items)
    left, top, _, _ = canvas.box
    canvas.add(Label(text.plain(words), left, top - 14, 12, "text quiet", "start"))
    return canvas.finish(layout.title, f"{layout.description} {words}.")


def _is_tangle(chain: Chain) -> bool:
    """Whether the row says nothing: its only block has more ways than can be drawn."""
    return len(chain.blocks) == 1 and not chain.blocks[0].lanes


def _no_path(paths: Paths) -> Layout:
    """Return a figure that says that there is nothing to draw."""
    source = paths.graph.output.label
    canvas = Canvas()
    canvas.add(
        Label(text.plain("no path"), 0.0, 0.0, 20, "text title", "start"),
        Label(
            text.plain("no gradient path in this set starts at ") + text.name(source)
            + text.plain(": what it would bring is zero"),
            0.0, 26.0, 12.5, "text quiet", "start",
        ),
    )  # fmt: skip
    return canvas.finish("No gradient path", f"There is no path from {text.clean(source)}.")
