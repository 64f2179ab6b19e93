"""What can be drawn: everything in which the library hands out paths.

Each kind of thing leads to a set of paths or to a graph, and may say more about it: which
path is meant, what is to be highlighted, what flows, which formula belongs below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_res.errors import FigureError
from tinygrad_res.flow import Flow
from tinygrad_res.formulas import Formula
from tinygrad_res.forward import ForwardPaths
from tinygrad_res.graph import Graph
from tinygrad_res.measures import Paths
from tinygrad_res.numbered import Path
from tinygrad_res.path_calculus import paths as paths_of
from tinygrad_res.snapshot import graph
from tinygrad_res.tensor import Tensor

from . import text
from .highlight import Highlight, graph_for

SomePaths = Sequence[Path] | Mapping[str, Path | Sequence[Path]]
Drawable = Tensor | Graph | Paths | Path | SomePaths | Flow | Formula | ForwardPaths

_ACCEPTED = (
    "pass tg.paths(loss, x), one or some of its paths, tg.graph(loss), tg.edge_flow(loss, x), "
    "tg.forward_paths(loss, x), tg.formula(loss, x), or a tensor that a computation returned, such as the loss"
)
_MENDS: dict[str, str] = {
    "str": "to draw a graph that was saved in a file, pass tg.load_graph(path)",
    "PosixPath": "to draw a graph that was saved in a file, pass tg.load_graph(path)",
    "ndarray": "an array does not know what it was computed from: pass the tensor that holds it",
    "float": "a number does not know what it was computed from: pass the tensor that holds it",
    "MultiDiGraph": "pass tg.from_networkx(graph)",
    "DiGraph": "pass tg.from_networkx(graph)",
    "NoneType": "a function without return, such as .backward(), gives None: pass the loss itself",
    "function": "call it, and pass what it returns",
    "GraphNode": "pass the graph, or tg.paths(loss, node) for the paths to this node",
    "GraphEdge": "pass the graph, and highlight= the paths over this edge",
}


@dataclass(frozen=True)
class Drawing:
    """What is to be drawn.

    Attributes:
        subject: a set of paths, or a graph.
        chosen: the one path of the set that is meant.
        highlight: what of it is to be brought out.
        flow: what it carries, where that was given.
        formula: what belongs below.
        forward: the sum that its paths make, where they are read forward.
    """

    subject: Paths | Graph
    chosen: Path | None = None
    highlight: Highlight | None = None
    flow: Flow | None = None
    formula: Formula | None = None
    forward: ForwardPaths | None = None


def read_drawable(what: Any, highlight: Highlight | None) -> Drawing:
    """Return what is to be drawn.

    Raises:
        FigureError: there are no paths in it; the message says what to pass instead.
        GraphError: nothing was recorded for a tensor.
    """
    if isinstance(what, Path):
        return Drawing(what.paths, what, highlight)
    if isinstance(what, Paths):
        return Drawing(what, None, highlight)
    if isinstance(what, (Tensor, Graph)):
        whole = graph(what) if isinstance(what, Tensor) else what
        return Drawing(graph_for(highlight, whole), None, highlight)
    if isinstance(what, Flow):
        x = what.graph.nodes[what.target]
        return Drawing(paths_of(what.graph, x), None, highlight, flow=what)
    if isinstance(what, Formula):
        return Drawing(what.paths, None, highlight, formula=what)
    if isinstance(what, ForwardPaths):
        return Drawing(what.graph, None, highlight, forward=what)
    if isinstance(what, (list, tuple, Mapping)):
        return _several(what, highlight)
    mend = _MENDS.get(type(what).__name__)
    raise FigureError(
        f"draw: cannot draw {text.kind(what)}: {f'{mend}; or ' if mend else ''}{_ACCEPTED}"
    )


def _several(what: Any, highlight: Highlight | None) -> Drawing:
    """Return the set that some paths are of, with these brought out."""
    groups = list(what.values()) if isinstance(what, Mapping) else [what]
    if any(isinstance(group, Paths) for group in groups) or any(
        isinstance(member, Paths) for member in what
    ):
        raise FigureError(
            f"draw: cannot draw {text.kind(what)} of sets: pass the set that holds them all, and these as "
            'highlight=, as in viz.draw(p, highlight={"a": p.weight_free(), "b": p.through(t)})'
        )
    listed = [p for g in groups for p in ([g] if isinstance(g, Path) else g if _lists(g) else [g])]
    if not listed or not all(isinstance(member, Path) for member in listed):
        held = "that is empty" if not listed else f"that holds {text.kind(_stranger(listed))}"
        raise FigureError(f"draw: cannot draw {text.kind(what)} {held}: {_ACCEPTED}")
    if highlight is not None:
        raise FigureError(
            f"draw: {text.kind(what)} of paths is highlighted as it is: to highlight others, pass the "
            "set that they are of, as in viz.draw(p, highlight=...)"
        )
    return Drawing(listed[0].paths, None, what)


def _lists(group: Any) -> bool:
    return isinstance(group, (list, tuple))


def _stranger(listed: Sequence[Any]) -> Any:
    return next(member for member in listed if not isinstance(member, Path))
