"""plot_gradient_norms: how large the gradient still is at each weight layer.

Backward starts at the loss and passes the weight layers from the last to the first.  Each
product with a derivative below 1 makes the gradient smaller, so in a deep network with
sigmoids nothing arrives at the first layers.  One sweep over the graph tells the norm at
every layer, and leaves every ``.grad`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tinygrad_res import Tensor, graph
from tinygrad_res.errors import FigureError, UsageError
from tinygrad_res.grading import by_source, norm, pull
from tinygrad_res.sweeps import seed

from ..ticks import unplotted
from .panel import Panel
from .plot import Plot
from .series import Series, enough, read_one

_MEASURED = {
    "weights": "gradient norm of each layer's weights",
    "outputs": "gradient norm of each layer's output",
}


@dataclass(frozen=True)
class LayerNorms:
    """The gradient at the weight layers, from input to output.

    Attributes:
        names: what the weights are called.
        weights: the norm of the gradient by each layer's weights.
        outputs: the norm of the gradient by each layer's output.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    outputs: tuple[float, ...]


class GradientNormsPlot(Plot):
    """What ``viz.plot_gradient_norms`` returns.

    Attributes:
        norms: for each series, the norm by the number of the layer, from 1 at the input.
        layers: for each series that was a loss, its layers.
    """

    def __init__(self, panel: Panel, layers: dict[str, LayerNorms]) -> None:
        super().__init__([panel])
        self.layers = layers

    @property
    def norms(self) -> dict[str, dict[int, float]]:
        """For each series, the norm by the number of the layer, from 1 at the input."""
        return {
            line.name: {int(k): float(y) for k, y in zip(line.x, line.y, strict=True)}
            for line in self.panels[0].series
        }


def layer_norms(loss: Tensor) -> LayerNorms:
    """Return the norms of the gradient at each weight layer, from input to output.

    A layer is a product or a convolution of data with a weight; one that is used twice
    is two layers, each with what comes through this use.

    Raises:
        FigureError: there is no weight layer.
        GraphError, GradientError: nothing was recorded, or the loss has several elements.

    >>> import tinygrad_res as tg
    >>> W = tg.parameter([[2.0]], name="W")
    >>> layer_norms((tg.tensor([[3.0]]) @ W).sum())
    LayerNorms(names=('W',), weights=(3.0,), outputs=(1.0,))
    """
    whole = graph(loss)
    nodes = whole.nodes
    asked = by_source(edge for edge in whole.edges if nodes[edge.target].requires_grad)
    layers = {
        edge.source for edge in whole.edges
        if edge.weight or (
            nodes[edge.target].weight_valued and edge.family == "contraction"
            and not nodes[edge.source].weight_valued
        )
    }  # fmt: skip
    first = seed("plot_gradient_norms", loss.data, None, loss.shape, loss.dtype)
    arriving = {len(nodes) - 1: first.data}
    found = []
    for index in reversed(range(len(nodes))):
        if index not in arriving or index not in asked:
            continue
        cotangent, edges = arriving.pop(index), asked[index]
        pulled = pull(nodes[index], cotangent, edges)
        weights = [
            (nodes[edge.target], g)
            for edge, g in zip(edges, pulled, strict=True)
            if index in layers and nodes[edge.target].weight_valued
        ]
        found += [(node.label, norm(g), norm(cotangent)) for node, g in weights[:1]]
        for edge, g in zip(edges, pulled, strict=True):
            before = arriving.get(edge.target)
            arriving[edge.target] = g if before is None else before + g
    if not found:
        raise FigureError(
            "plot_gradient_norms: there is no weight layer in this graph: a weight layer is a "
            "product of data with a tg.parameter"
        )
    names, by_weights, by_outputs = zip(*reversed(found), strict=True)
    return LayerNorms(names, by_weights, by_outputs)


def plot_gradient_norms(
    losses: Any, *, of: Literal["weights", "outputs"] = "weights", title: str = ""
) -> GradientNormsPlot:
    """Plot the norm of the gradient at each weight layer, from input to output.

    Args:
        losses: a loss; or several to compare, ``{name: loss}``; or what was measured before,
            ``{name: norms}``, in the forms that ``plot_series`` takes, the first layer first.
        of: by each layer's ``"weights"``, or by each layer's ``"outputs"``.
        title: a line above.

    Returns:
        A plot; ``plot.norms[name][layer]`` holds the numbers.

    Raises:
        FigureError: a loss has no weight layer.
        UsageError: ``of`` is unknown, or what was measured is no sequence of numbers.
        GradientError: a loss has several elements.
        GraphError: nothing was recorded for a loss.

    >>> import tinygrad_res as tg
    >>> x, V, W = tg.tensor([[1.0]]), tg.parameter([[0.5]]), tg.parameter([[2.0]])
    >>> plot_gradient_norms({"linear": (x @ V @ W).sum()}).norms
    {'linear': {1: 2.0, 2: 0.5}}
    """
    if of not in _MEASURED:
        raise UsageError(
            f"plot_gradient_norms: of={of!r} is unknown: use one of {', '.join(_MEASURED)}"
        )
    given = losses if isinstance(losses, Mapping) else {"": losses}
    enough("plot_gradient_norms", len(given))
    layers = {
        str(name): layer_norms(loss) for name, loss in given.items() if isinstance(loss, Tensor)
    }
    series = []
    for name, measured in given.items():
        if str(name) in layers:
            norms = getattr(layers[str(name)], of)
            series.append(Series(str(name), tuple(range(1, len(norms) + 1)), norms))
        else:
            read = read_one("plot_gradient_norms", str(name), measured)
            first_is_one = replace(read, x=tuple(range(1, len(read.y) + 1)))
            series.append(read if isinstance(measured, Mapping) else first_is_one)
    panel = Panel(
        "weight layer, from the input", _MEASURED[of], tuple(series), title, _lost(series), log=True
    )
    return GradientNormsPlot(panel, layers)


def _lost(series: list[Series]) -> str:
    """Say which norms are zero or not finite."""
    said = []
    for line in series:
        lost = unplotted({int(k): y for k, y in zip(line.x, line.y, strict=True)})
        words = lost.replace("degree", "layer")
        said += [f"{line.shown}: {words}" if line.name else words] * bool(lost)
    return "; ".join(said)
