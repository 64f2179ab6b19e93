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


def draw(what: Tensor | Graph | Paths | Path, *, max_nodes: int = MOST_BOXES) -> Figure:
    """Draw a set of paths, a recorded graph, or the graph that a loss was computed by.

    Paths through a chain of blocks, or through a plain chain, become the figure of the
    chain: up to four blocks with every path in a row, deeper ones with counts and
    gradient norms by weight layers crossed.  Other paths are shown in their graph.  A
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
    """
    if isinstance(what, Paths):
        return _draw_paths(what, max_nodes)
    if isinstance(what, Path):
        return _draw_paths(what.paths, max_nodes, what)
    if isinstance(what, Tensor):
        what = graph(what)
    if isinstance(what, Graph):
        graded = all(edge.weight >= 0 for edge in what.edges)  # no scope with ways that differ
        return Figure(*graph_figure(what, max_nodes, count_paths(what) if graded else ()))
    raise FigureError(
        f"draw: cannot draw a {type(what).__name__}: pass tg.paths(loss, x), one of its paths, "
        "tg.graph(loss), or a tensor that a computation returned, such as the loss"
    )


def _draw_paths(paths: Paths, max_nodes: int, chosen: Path | None = None) -> Figure:
    if not paths.count():
        return Figure(_no_path(paths))
    chain = read_chain(paths, chosen)
    if _is_tangle(chain):
        used = None
        if chosen is not None or paths.count() <= MOST_LISTED:
            listed = paths if chosen is None else (chosen,)
            used = {edge.index for path in listed for edge in path.edges}
        free = paths.count_by("weight").get(0, 0)
        counts = (InputCount(chain.input, paths.count(), free),)
        return Figure(*graph_figure(paths.graph, max_nodes, counts, used))
    return Figure(chain_layout(chain))


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
