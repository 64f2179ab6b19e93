"""Flow: how much of the gradient passes over an edge, as a number and as a band's width.

At tensor level the flow is ``tg.edge_flow``: the part of the loss's change, for a step along
the gradient, that all paths over an edge carry.  At scalar level it is ``edge_flow`` of the
paths: the sum of their products.  Over any cut it adds up to the whole; an edge that works
against the whole has a negative flow.

A band's width is the square root of the flow's size, so its area does not exaggerate what
a large flow carries; its colour and a sign on it tell the sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tinygrad_res.errors import Error, FigureError
from tinygrad_res.flow import edge_flow
from tinygrad_res.graph import Graph
from tinygrad_res.measures import Paths
from tinygrad_res.path_calculus import paths as paths_of

from . import text
from .layout import Curve, Item, Shape
from .style import FLOW_LEVELS, FLOW_WIDTH

_DISC = 10.0
_SAMPLE = 34.0


def flows_of(paths: Paths, asked: str) -> dict[int, float]:
    """Return the flow through each edge that paths use, by its index in their graph.

    Args:
        asked: which argument asks, for messages.

    Raises:
        FigureError: the flow is not known; the message says why.
    """
    try:
        if paths.level == "scalar":
            carried = paths.edge_flow()  # type: ignore[attr-defined]
            found = {edge.index: float(carried[edge.index]) for edge in paths.edges}
            if not all(map(math.isfinite, found.values())):
                raise FigureError(
                    "some products of paths are too large for floats, so what an edge carries is "
                    "not known: leave the argument out, or scale the loss down"
                )
            return found
        if paths.level == "scope":
            raise FigureError("a step between scopes stands for many edges: ask level='tensor'")
        loss, frame = paths.graph.taken_from, paths.frame
        x = frame.x if frame.x is not None else paths.inputs[0].tensor
        if loss is None:
            raise FigureError(
                "this graph holds no arrays, and the flow is made of their values: leave the "
                "argument out, or draw tg.paths(loss, x) where the loss is computed"
            )
        if x is None:
            raise FigureError(
                f"the tensor {paths.inputs[0].label} is gone, so nothing can be differentiated by "
                "it: keep a variable for it, and ask tg.paths(loss, x)"
            )
        return edge_flow(loss, x, cotangent=frame.cotangent).edges
    except Error as error:
        raise FigureError(f"draw: {asked}: {error}") from error


def only_paths(graph: Graph, asked: str) -> Paths:
    """Return the paths of a graph back to its only input.

    Raises:
        FigureError: there are several, or none.
    """
    passed = graph.reached(graph.outputs)
    found = {
        node.recorded or node.index: node for node in graph.nodes
        if node.kind == "input" and node.requires_grad and passed[node.index]
    }  # fmt: skip
    if len(found) != 1:
        names = ", ".join(text.clean(node.label) for node in found.values()) or "none"
        raise FigureError(
            f"draw: {asked}: gradients flow to one input, and this graph's inputs with a gradient "
            f"are: {names}; draw the paths to one of them, tg.paths(loss, x)"
        )
    return paths_of(graph, next(iter(found.values())))


def signed(flow: float) -> str:
    """Return a flow with its sign.

    >>> signed(0.5), signed(-0.25), signed(0.0)
    ('+0.500', '−0.250', '0')
    """
    return "+" * (flow > 0) + text.value(flow)


def widest(flows: Mapping[int, float] | None) -> float:
    """Return the size of the largest flow; 0 where there is none."""
    return max(map(abs, (flows or {}).values()), default=0.0)


def flow_band(points: Iterable[tuple[float, float]], smooth: bool, flow: float, most: float) -> Iterable[Curve]:  # fmt: skip
    """Yield the band of a flow, ``most`` being the largest; none where nothing flows."""
    level = _level(flow, most)
    if level:
        yield Curve(tuple(points), f"flow {'-' * (flow < 0)}{level}", smooth)


def half_width(flow: float, most: float) -> float:
    """Return how far the band of a flow reaches to either side of its edge, in pixels."""
    return FLOW_WIDTH * _level(flow, most) / FLOW_LEVELS / 2


def _level(flow: float, most: float) -> int:
    """Return which of the widths the band of a flow has; 0 where nothing flows."""
    if not (flow and most):
        return 0
    return max(1, round(FLOW_LEVELS * math.sqrt(min(abs(flow) / most, 1.0))))


def flow_sign(negative: bool, x: float, y: float) -> list[Item]:
    """Return the sign of a flow: a disc with a plus or a minus."""
    half = _DISC / 2 - 2.4
    strokes = [Curve(((x - half, y), (x + half, y)), "flow stroke")]
    if not negative:
        strokes.append(Curve(((x, y - half), (x, y + half)), "flow stroke"))
    return [Shape("circle", x, y, _DISC, _DISC, "flow sign"), *strokes]


def flow_entries(
    flows: Mapping[int, float], level: str, drawn: Iterable[float] | None = None
) -> list[tuple[list[Item], str]]:
    """Return the legend's entries of bands: the largest flow, a quarter of it, and one against.

    Args:
        drawn: those flows that have a band, where some have none.
    """
    most = widest(flows)
    shown = tuple(flows.values() if drawn is None else drawn)
    carried = meaning(level)
    if not any(shown):
        return [([], f"band: {carried}; nothing flows" + " where one way is drawn" * bool(most))]
    ends = ((_SAMPLE, 0.0), (0.0, 0.0))
    samples = [flow for flow in (most, most / 4) if any(f > 0 for f in shown)]
    samples += [-most / 4] * any(f < 0 for f in shown)
    words = [f"{signed(flow)}" for flow in samples]
    words[0] += f": a band, as wide as the square root of the {carried}"
    return [
        ([*flow_band(ends, False, flow, most), *flow_sign(flow < 0, _SAMPLE / 2, 0.0)], said)
        for flow, said in zip(samples, words, strict=True)
    ]


def meaning(level: str) -> str:
    """Say what a flow is."""
    if level == "scalar":
        return "flow, the sum of the products of all paths over an edge"
    return "flow, the part of the loss’s change that all paths over an edge carry"
