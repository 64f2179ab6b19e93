"""Vanishing gradients: at each weight layer, how large a gradient arrives, and along which paths.

A path from the loss to a weight multiplies one factor for each weight layer that it crosses, and
an activation's derivative behind each.  In a plain network there is one path, which crosses all
layers above: sigmoids, whose derivative is at most 1/4, let the gradient die towards the input.
ReLUs let half of its mean square pass; with PyTorch's default weights, of variance 1 / (3 fan-in),
a layer passes 1/6 of it.  What comes forward shrinks by the same factor, so the gradient by a
weight, which is the product of both, is about as small in every layer, and shrinks in all of them
as the network deepens.  Initialised for its activation (He et al. 2015, Delving Deep into
Rectifiers, section 2.2) a ReLU network keeps it.  With the default weights and shortcuts round
every two layers there is, beside the paths that shrink, one that crosses no more than stem and
head.

Everything is measured at initialisation, without biases, which would add to what
comes forward, in double precision, on one batch of digits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import paths, primitives, tensor
from ..data import load
from ..grading import norm
from ..nets import Network, plain_mlp, residual_mlp
from ..nn import Sigmoid, Tanh, he_normal, xavier_normal
from ..nn.initialisations import default
from ..whole_numbers import as_power
from .outcome import Outcome, aligned, in_short, number
from .recipe import check_depths
from .settings import counted, quickly, ranged, seeds, settled, spread
from .sweep import beside, grid, sweep, where

if TYPE_CHECKING:
    from viz import Plot

NETS: dict[str, Callable[[int, int, np.random.Generator], Network]] = {
    "sigmoid": lambda n, width, rng: plain_mlp(
        n, width=width, rng=rng, activation=Sigmoid, draw=xavier_normal
    ),
    "tanh": lambda n, width, rng: plain_mlp(
        n, width=width, rng=rng, activation=Tanh, draw=xavier_normal
    ),
    "relu": lambda n, width, rng: plain_mlp(n, width=width, rng=rng, draw=default),
    "relu, He": lambda n, width, rng: plain_mlp(n, width=width, rng=rng, draw=he_normal),
    "residual": lambda n, width, rng: residual_mlp(
        n, width=width, rng=rng, draw=default, branches="he"
    ),
}
"""The networks by name; "relu" and "residual" hold the same weights."""

BATCH = 64
SETTINGS = {
    False: {"depths": (8, 20, 56), "width": 64, "runs": 5},
    True: {"depths": (8, 20), "width": 32, "runs": 2},
}


@dataclass(frozen=True)
class VanishingGradients(Outcome):
    """Gradients by the weights of untrained networks.

    Attributes:
        depths, width, seeds: of the networks.
        quick: whether this was the quick setting.
        cells: for each network and seed what ``measured`` returns, with its ``net``, ``depth``
            and ``seed``.
    """

    depths: tuple[int, ...]
    width: int
    seeds: tuple[int, ...]
    quick: bool
    cells: list[dict[str, Any]]

    def of(self, net: str, depth: int) -> list[dict[str, Any]]:
        """Return the runs of one network."""
        return where(self.cells, net=net, depth=depth)

    def table(self) -> str:
        """Return gradient norms by depth, what paths cross, and the deepest network's parts."""
        heads = ["net", "layers", *(f"gradient at {where} layer" for where in PLACES), "paths to first",
                 "weight layers each crosses"]  # fmt: skip
        rows = []
        for net in NETS:
            for depth in self.depths:
                runs = self.of(net, depth)
                degrees = [int(k) for k in runs[0]["degrees"][0]]
                count = sum(int(n) for n in runs[0]["degrees"][0].values())
                low, high = min(degrees), max(degrees)
                rows.append([
                    net, str(depth),
                    *(spread([run["norms"][at(depth)] for run in runs]) for at in PLACES.values()),
                    as_power(count),
                    str(low) if low == high else f"{low} to {high}",
                ])  # fmt: skip
        return "\n".join([
            f"Gradient norms by the weights of a layer, in untrained networks of width {self.width} on",
            f"{BATCH} images of digits; {counted(self.seeds)}{ranged(self.seeds)}", "",
            aligned(heads, rows), "", *self._deeper(), *self._parts(), "",
            "weights: sigmoid and tanh as Glorot & Bengio 2010; relu as PyTorch's default, of variance",
            "1 / (3 fan-in); relu, He as He et al. 2015 (Rectifiers), of variance 2 / fan-in; residual:",
            "relu's weights, and shortcuts round every two layers; all biases 0",
            *self._in_short(),
            *quickly(self.quick, f"up to {max(self.depths)} layers of width {self.width}, {counted(self.seeds)}"),
        ])  # fmt: skip

    def plot(self) -> Plot:
        """Return the gradient norm by layer, a panel for each depth, and the first by depth."""
        import viz

        panels: dict[str, dict[str, Any]] = {
            f"{depth} weight layers": {
                net: [run["norms"] for run in self.of(net, depth)] for net in NETS
            }
            for depth in self.depths
        }
        places: dict[str, Sequence[int]] = {
            title: range(1, depth + 1) for title, depth in zip(panels, self.depths, strict=True)
        }
        layer, by_depth = "layer, from the input to the output", "the first layer, as nets deepen"
        words = dict.fromkeys(panels, layer)
        if len(self.depths) > 1:
            panels[by_depth] = {
                net: {depth: [run["norms"][0] for run in self.of(net, depth)]
                      for depth in sorted(self.depths)}
                for net in NETS
            }  # fmt: skip
            words[by_depth] = "weight layers in the network"
        return viz.plot_series(
            panels, x=words, at=places, y="gradient norm by the layer's weights", log=True,
            note={next(iter(panels)): "relu: PyTorch's default weights, as residual; relu, He: larger ones"},
            title="Sigmoids lose the gradient towards the input, small weights in all layers"
            if self.supported else "Gradients by layer, with shortcuts and without",
        )  # fmt: skip

    def factor(self, net: str, where: str) -> list[float]:
        """Return the gradient at a place in the deepest network over the shallowest's, by run."""
        shallow, deep = (
            [run["norms"][PLACES[where](depth)] for run in self.of(net, depth)]
            for depth in (min(self.depths), max(self.depths))
        )
        return [b / a if a else math.nan for a, b in zip(shallow, deep, strict=True)]

    def _left(self) -> dict[str, float]:
        """Return what more layers leave of the first layer's gradient, the median over runs."""
        return {net: median(self.factor(net, "first")) for net in ("sigmoid", "relu", "residual")}

    @property
    def supported(self) -> bool:
        """Whether depth takes the first layer's gradient away, and shortcuts keep more of it."""
        left = self._left()
        return left["sigmoid"] < 1 and left["relu"] < min(1, left["residual"])

    def _in_short(self) -> list[str]:
        """Say what depth does to the gradient at the first layer, with shortcuts and without."""
        low, high = min(self.depths), max(self.depths)
        if low == high:
            return []
        left = self._left()
        return [in_short(
            self.supported,
            f"from {low} to {high} layers the first layer's gradient is multiplied by "
            f"{number(left['sigmoid'])} with sigmoids and {number(left['relu'])} with ReLUs, and with the "
            f"same ReLUs and weights and shortcuts by {number(left['residual'])}",
        )]  # fmt: skip

    def _deeper(self) -> list[str]:
        """Return by what more layers multiply the gradient at each place."""
        low, high = min(self.depths), max(self.depths)
        if low == high:
            return []
        rows = [
            [net, WIDE[net] ** (high - low) if net in WIDE else "",
             *(spread(self.factor(net, where)) for where in PLACES)]
            for net in NETS
        ]  # fmt: skip
        return [
            f"from {low} to {high} layers the gradient is multiplied by", "",
            aligned(["net", "closed form", *(f"at {where} layer" for where in PLACES)], rows), "",
            "closed form, for wide layers: each layer more that a path crosses multiplies the norm by",
            "sqrt(1/6) = 0.408, the root of a weight's variance x fan-in x the half of ReLUs that live,",
            "wherever it is, and with He's weights by 1; with sigmoids by less than 1/4 at the first; with",
            "tanh, whose inputs stay near 0 where its derivative is 1, by little less than 1", "",
        ]  # fmt: skip

    def _parts(self) -> list[str]:
        """Return the residual network's gradient at its first layer, by weight layers crossed."""
        depth = max(self.depths)
        runs = self.of("residual", depth)
        degrees = [int(k) for k in runs[0]["parts"]]
        shown = degrees[:SHOWN] + degrees[max(SHOWN, len(degrees) - 1) :]
        rows = [
            [str(k), runs[0]["degrees"][0][str(k)],
             spread([run["parts"][str(k)]["norm"] for run in runs]),
             spread([run["parts"][str(k)]["share"] for run in runs])]
            for k in shown
        ]  # fmt: skip
        return [
            f"residual, {depth} layers: the gradient at the first layer by weight layers crossed,",
            "exactly; share: <part, whole> / ||whole||^2; all shares sum to 1",
            "",
            aligned(["crossed", "paths", "gradient norm", "signed share"], rows),
            *([f"({len(degrees) - len(shown)} rows between are left out)"]
              if len(shown) < len(degrees) else []),
        ]  # fmt: skip


PLACES: dict[str, Callable[[int], int]] = {
    "first": lambda depth: 0, "middle": lambda depth: depth // 2, "last": lambda depth: depth - 1,
}  # fmt: skip
"""Where the table shows gradients, from the input on."""

WIDE = {"relu": (1 / 6) ** 0.5, "relu, He": 1.0}
"""By what a further layer multiplies the gradient of every layer, where that has a closed form."""

SHOWN = 6
"""Rows of the table of parts, besides the last."""


def vanishing_gradients(
    depths: Sequence[int] | None = None, width: int | None = None, runs: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> VanishingGradients:  # fmt: skip
    """Measure the gradient at each weight layer of untrained networks, and the paths to it.

    Args:
        depths: numbers of weight layers, each 6n + 2; 8, 20 and 56 where left out.
        width: of the layers; 64 where left out.
        runs: repetitions, with seeds from ``seed`` on; 5 where left out.
        quick: two runs of width 32 at depths 8 and 20 where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each network; no number
            depends on it.
        folder: where to keep finished networks, and to take those from that are kept.

    Raises:
        UsageError: a number is out of its bounds.

    >>> found = vanishing_gradients(depths=(8,), width=4, runs=1)
    >>> found.of("residual", 8)[0]["degrees"][0]
    {'1': '1', '3': '3', '5': '3', '7': '1'}
    """
    name = "vanishing_gradients"
    setting = settled(name, SETTINGS, quick, depths=depths, width=width, runs=runs)
    check_depths(name, setting["depths"])
    numbers = seeds(name, seed, setting.pop("runs"))
    cells = grid(
        net=list(NETS), depth=setting["depths"], width=[setting["width"]], seed=numbers
    )  # fmt: skip
    done = sweep(measured, cells, executor, folder, "vanishing gradients, networks")
    return VanishingGradients(
        **setting, seeds=numbers, quick=bool(quick),
        cells=beside(cells, ("net", "depth", "seed"), done),
    )  # fmt: skip


def measured(net: str, depth: int, width: int, seed: int) -> dict[str, Any]:
    """Return the gradient by every weight of one network, and the paths that it comes along.

    Returns:
        ``norms``, of the gradient by each layer's weights, from input to output; ``degrees``,
        for each layer the number of paths to its weights by weight layers crossed; ``parts``, for
        the first layer the ``norm`` and the signed ``share`` of the part of the gradient that
        comes through the paths of each degree, exactly.  Counts are strings, being unbounded.
    """
    data = load("digits", seed)
    network = NETS[net]((depth - 2) // 2, width, np.random.default_rng(seed)).to(dtype="float64")
    for layer in network.weight_layers():
        layer.bias.data = np.zeros(layer.bias.shape)
    x = tensor(data.train_x[:BATCH], dtype="float64")
    loss = primitives.cross_entropy(network(x), data.train_y[:BATCH])
    loss.backward()
    weights = [layer.weight for layer in network.weight_layers()]
    first = paths(loss, weights[0])
    whole = first.gradient()
    parts = {
        str(k): {"norm": norm(g), "share": float((g * whole).sum() / (whole * whole).sum())}
        for k, g in first.gradient_by("weight").items()
    }
    return {
        "norms": [norm(weight.grad.data) for weight in weights],
        "degrees": [
            {str(k): str(n) for k, n in paths(loss, weight).count_by("weight").items()}
            for weight in weights
        ],
        "parts": parts,
    }
