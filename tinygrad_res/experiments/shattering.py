"""Shattered gradients: with depth, a plain network's gradients at two inputs have nothing in common.

Balduzzi et al. 2017, The Shattered Gradients Problem, look at a random network's derivative as its
input moves along a line: of one layer it wanders like brown noise, of 24 layers it is white
noise, and of 50 layers with shortcuts it lies in between.  Here are both of their measures.
Along a line, the autocorrelation of the derivative, beside that of brown and of white noise.
And between inputs at right angles, the correlation of the gradients by depth, beside what
``gradient_noise`` computes for wide networks and what the paper states.

A batch normalisation uses the statistics of all inputs, as constants: so the derivative is that
of one input's own output, which the theorems are about.  The derivative of a sum over the
batch would be another thing: it loses just what its members have in common.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..nn import BatchNorm1d, Linear, Module, ReLU, Residual, Sequential
from ..nn.initialisations import he_normal, normal
from ..tensor import tensor
from .gradient_noise import (
    NETS,
    Block,
    autocorrelation,
    brown_noise,
    stated_correlation,
    white_noise,
    wide_correlation,
)
from .outcome import Outcome, aligned, in_short, number, on_one_side
from .settings import quickly, ranged, seeds, settled, spread
from .sweep import grid, sweep

if TYPE_CHECKING:
    from viz import Plot

SETTINGS = {
    False: {"width": 200, "points": 256, "inputs": 64, "depths": (1, 2, 4, 8, 16, 32, 64),
            "runs": 20},
    True: {"width": 100, "points": 128, "inputs": 32, "depths": (1, 4, 16), "runs": 5},
}  # fmt: skip
"""What is meant where left out: half a minute, or seconds."""

LINES = {
    "plain, 1": ("plain", 1),
    "plain, 24": ("plain", 24),
    "plain BN, 24": ("plain BN", 24),
    "residual BN, 50": ("residual BN", 50),
    "residual BN 0.1, 50": ("residual BN 0.1", 50),
}
"""The networks whose derivative is followed along a line, the depths being the paper's."""

DRAWN = ("plain, 24", "plain BN, 24", "plain, 1", "residual BN, 50", "residual BN 0.1, 50",
         "brown noise", "white noise")  # fmt: skip
"""The order of lines in the picture: those of deep networks have the colours of ``NETS`` beside."""

ENDS = 2.0
"""The line goes from minus to plus this, as in the paper."""

LAGS = 15
SHOWN = (1, 5, 15)


def body(block: Block, depth: int, width: int, rng: np.random.Generator) -> Sequential:
    """Return the blocks of a network, with weights of variance 2 / width times beta squared."""
    blocks: list[Module] = []
    for _ in range(depth):
        layer = Linear(width, width, bias=False, rng=rng, draw=he_normal)
        layer.weight.data = block.beta * layer.weight.data
        norm = [BatchNorm1d(width, eps=0, momentum=1.0)] if block.normalised else []
        branch = Sequential(*norm, ReLU(), layer)
        blocks.append(Residual(branch) if block.shortcut else branch)
    return Sequential(*blocks)


def gradients(network: Module, x: np.ndarray, readout: np.ndarray) -> np.ndarray:
    """Return the gradient of readout . network(x) at each input by itself, in x's shape."""
    network.to(dtype="float64")
    network.train()(tensor(x))  # normalisations take the statistics of these inputs
    for module in network.modules():
        if isinstance(module, BatchNorm1d) and module.running_var is not None:
            module.running_var.data = (1 - 1 / len(x)) * module.running_var.data  # as in training
    inputs = tensor(x, requires_grad=True, name="x")
    (network.eval()(inputs) @ readout).sum().backward()
    found: np.ndarray = inputs.grad.numpy()  # type: ignore[union-attr]
    return found


def along_a_line(net: str, depth: int, width: int, points: int, seed: int) -> list[float]:
    """Return a random network's derivative at points along a line: a cell of the sweep.

    The input x enters as x u + b with u and b standard normal, one pair for each unit.
    """
    rng = np.random.default_rng(seed)
    stem = Linear(1, width, rng=rng, draw=lambda rng, shape: normal(rng, 1.0, shape))
    stem.bias.data = normal(rng, 1.0, (width,))  # type: ignore[union-attr]
    network = Sequential(stem, body(NETS[net], depth, width, rng))
    x = np.linspace(-ENDS, ENDS, points)[:, None]
    found = gradients(network, x, rng.standard_normal(width) / np.sqrt(width))
    return [float(g) for g in found[:, 0]]


def between_inputs(net: str, depth: int, width: int, inputs: int, seed: int) -> float:
    """Return how gradients at inputs at right angles correlate: a cell of the sweep.

    That is the mean of g_i . g_j over all pairs, over the mean of g_i . g_i.
    """
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((width, inputs)))[0].T
    network = body(NETS[net], depth, width, rng)
    found = gradients(network, np.sqrt(width) * directions, rng.standard_normal(width))
    products = found @ found.T
    own = np.trace(products)
    return float((products.sum() - own) / (inputs - 1) / own)


@dataclass(frozen=True)
class ShatteredGradients(Outcome):
    """Derivatives along a line, and the correlation of gradients by depth.

    Attributes:
        width, points, inputs, depths, seeds: of the networks and what they are given.
        quick: whether this was the quick setting.
        lines: by network, for each run the derivative at each point of the line.
        correlations: by network and depth, for each run the correlation between inputs.
    """

    width: int
    points: int
    inputs: int
    depths: tuple[int, ...]
    seeds: tuple[int, ...]
    quick: bool
    lines: dict[str, list[list[float]]]
    correlations: dict[str, dict[int, list[float]]]

    def autocorrelations(self) -> dict[str, np.ndarray]:
        """Return autocorrelations (LAGS + 1,) by network, over all runs, and those of noise."""
        found = {"brown noise": autocorrelation(brown_noise(self.points), LAGS)}
        for name, runs in self.lines.items():
            rows = np.array(runs)
            found[name] = autocorrelation(rows.T @ rows, LAGS)
        return found | {"white noise": autocorrelation(white_noise(self.points), LAGS)}

    def table(self) -> str:
        """Return both measures, each beside what is known."""
        noise = [
            [name, *(float(found[k]) for k in SHOWN)]
            for name, found in self.autocorrelations().items()
        ]
        decay = []
        for net, by_depth in self.correlations.items():
            for depth, runs in by_depth.items():
                stated = stated_correlation(NETS[net], depth)
                decay.append([
                    net, depth, spread(runs), wide_correlation(NETS[net], depth, self.inputs),
                    "" if stated is None else stated,
                ])  # fmt: skip
        lines = [
            f"random networks of width {self.width}, {len(self.seeds)} of each kind",
            f"the derivative at {self.points} points from {-ENDS:g} to {ENDS:g}, autocorrelation:",
            aligned(["net, layers; lag in points:", *map(str, SHOWN)], noise),
            "",
            f"gradients at {self.inputs} inputs at right angles: correlation{ranged(self.seeds)}",
            aligned(["net", "blocks", "ours", "wide limit", "Balduzzi et al."], decay),
            "BN: batch normalisation before each activation; 0.1: beta, the factor on each branch",
            "wide limit: exact for random networks as width over depth grows",
            "Balduzzi et al. 2017, theorems 1 to 3: 2^-L, (3/4)^L, and of the order 1/(beta sqrt(L))",
            "theirs takes a unit to be active at both inputs with probability 1/4, which holds behind",
            "a batch normalisation; without one inputs become alike with depth and gradients keep",
            "more, L^-3 in place of 2^-L. With one, it leaves out that the normalisation takes off",
            "what branches add to all inputs alike",
            self._in_short(),
        ]
        lines += quickly(self.quick, "narrow networks and few of them")
        return "\n".join(lines)

    def _alike(self) -> dict[str, float]:
        """Return how alike the gradients of the deepest networks are, the median over runs."""
        depth = max(self.depths)
        return {net: median(by_depth[depth]) for net, by_depth in self.correlations.items()}

    def _kept(self) -> list[bool]:
        """Return whether shortcuts keep them more alike, without normalisation and with it."""
        alike, pairs = self._alike(), [("plain", "residual"), ("plain BN", "residual BN")]
        return [alike[plain] < alike[residual] for plain, residual in pairs]

    def _in_short(self) -> str:
        """Say how alike the gradients of the deepest networks are."""
        depth, alike = max(self.depths), self._alike()
        told = ", ".join(f"{number(value)} {net}" for net, value in alike.items())
        return in_short(
            on_one_side(self._kept()),
            f"behind {depth} block{'s' * (depth != 1)} the gradients at two inputs correlate by: {told}",
        )

    def plot(self) -> Plot:
        """Return the autocorrelation by lag, and the correlation by depth."""
        import viz

        first, second = "Along a line", "At inputs at right angles"
        found = self.autocorrelations()
        return viz.plot_series(
            {
                first: {name: list(found[name]) for name in DRAWN},
                second: dict(self.correlations),
            },
            x={first: "lag, in points", second: "blocks"},
            y={first: "autocorrelation of the derivative", second: "correlation of gradients"},
            title="Gradients shatter with depth, less so with shortcuts" if all(self._kept())
            else "How alike gradients are by depth, with shortcuts and without", log={second: True},
            note={first: "BN: batch normalisation; 0.1: a factor on branches; last: how many layers"},
        )  # fmt: skip


def shattered_gradients(
    width: int | None = None, points: int | None = None, inputs: int | None = None,
    depths: Sequence[int] | None = None, runs: int | None = None, quick: bool = False,
    seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> ShatteredGradients:  # fmt: skip
    """Measure how alike the gradients of random networks are at different inputs.

    Source: Balduzzi et al. 2017, The Shattered Gradients Problem, sections 2 and 3.

    Args:
        width: units in a layer, 200 where left out.
        points: along the line, 256 where left out.
        inputs: at right angles, 64 where left out; at most as many as the width.
        depths: numbers of blocks, from 1 to 64 where left out.
        runs: networks of each kind, with seeds from ``seed`` on; 20 where left out.
        quick: make all of these small where left out.
        seed: of the first network.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each network; no number
            depends on it.
        folder: where to keep finished networks, and to take those from that are kept.

    Raises:
        UsageError: a number is out of its bounds.

    >>> found = shattered_gradients(width=20, points=32, inputs=10, depths=(1, 2), runs=1)
    >>> [round(float(r), 3) for r in found.autocorrelations()["white noise"][:2]]
    [1.0, -0.031]
    """
    name = "shattered_gradients"
    setting = settled(
        name, SETTINGS, quick, width=width, points=points, inputs=inputs, depths=depths, runs=runs
    )
    width, points, inputs = (setting[key] for key in ("width", "points", "inputs"))
    if points <= LAGS:
        raise UsageError(f"{name}: points={points}: must be more than {LAGS}, the longest lag")
    if not 3 <= inputs <= width:
        raise UsageError(f"{name}: inputs={inputs}: must be from 3 to the width, {width}")
    numbers = seeds(name, seed, setting.pop("runs"))
    line_cells = [
        cell
        for net, depth in LINES.values()
        for cell in grid(net=[net], depth=[depth], width=[width], points=[points], seed=numbers)
    ]
    pair_cells = grid(
        net=list(NETS), depth=setting["depths"], width=[width], inputs=[inputs], seed=numbers
    )
    lines = iter(sweep(along_a_line, line_cells, executor, folder, f"{name}, lines"))
    pairs = iter(sweep(between_inputs, pair_cells, executor, folder, f"{name}, pairs"))
    return ShatteredGradients(
        **setting, seeds=numbers, quick=bool(quick),
        lines={line: [next(lines) for _ in numbers] for line in LINES},
        correlations={
            net: {depth: [next(pairs) for _ in numbers] for depth in setting["depths"]}
            for net in NETS
        },
    )  # fmt: skip
