"""Singularities: shortcuts keep layers from collapsing to few directions, and units apart.

Orhan & Pitkow 2018, Skip Connections Eliminate Singularities, hold that deep plain networks are
slow because their loss is degenerate: units die, become equal or depend on one another, and
with depth the layers' Jacobian keeps few directions.  Three measurements on plain and on
residual networks: the singular values of the Jacobian by depth, at random weights; the whole
spectrum of the Hessian of small networks, before and after training on digits; and the tiny
networks of ``degeneracy``, put exactly on each singularity.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import primitives
from ..data import Images, load
from ..nets import Network, plain_mlp, residual_mlp
from ..nn import Identity, Linear, Module, ReLU, Residual, Sequential
from ..nn.initialisations import he_normal
from ..optim import Adam
from ..tensor import tensor
from ..training import fit
from .curvature import hessian
from .degeneracy import POINTS, degenerate, null_directions
from .outcome import Outcome, aligned, in_short, number, on_one_side
from .settings import counted, quickly, ranged, seeds, settled, spread
from .sweep import grid, sweep

if TYPE_CHECKING:
    from viz import Plot

SETTINGS = {
    False: {"width": 64, "depths": (1, 4, 16, 64), "blocks": 8, "steps": 600, "runs": 5},
    True: {"width": 32, "depths": (1, 8, 32), "blocks": 2, "steps": 60, "runs": 2},
}  # fmt: skip
"""What is meant where left out: minutes, or seconds."""

NETS = ("plain", "residual")
STACKS = {"plain": (False, True), "residual": (True, True), "plain, linear": (False, False)}
"""The networks whose Jacobian is measured: whether they have shortcuts, and ReLUs."""

UNITS = 4
"""In each layer of the tiny networks."""

NARROW = 8
"""The width of the networks whose whole Hessian is computed."""

EXAMPLES, BATCH, LR = 256, 64, 3e-3
TINY, SMALL = 1e-8, 1e-4
"""Shares of the largest eigenvalue up to which another one counts as zero, and as nearly zero."""

FLOOR = 1e-16
"""Smaller shares are rounding errors, and drawn here."""


def effective_rank(singular: np.ndarray) -> float:
    """Return e to the entropy of the singular values' shares: from 1 to their number.

    Source: Roy & Vetterli 2007, The effective rank: a measure of effective dimensionality.

    >>> effective_rank(np.array([2.0, 2.0, 0.0])), effective_rank(np.array([1.0, 0.0]))
    (2.0, 1.0)
    """
    shares = singular[singular > 0] / singular.sum()
    return round(float(np.exp(-(shares * np.log(shares)).sum())), 12)


def linear_singular_values(width: int, depth: int) -> np.ndarray:
    """Return the singular values of a deep product of normal square matrices, largest 1.

    The i-th one grows by exp(digamma((width - i + 1) / 2) / 2) with each matrix, up to a factor
    that all share (Newman 1986, The distribution of Lyapunov exponents).  It holds where the
    depth is much larger than the width.
    """
    from scipy.special import digamma

    rates = digamma(np.arange(width, 0, -1) / 2) / 2
    return np.asarray(np.exp(depth * (rates - rates[0])))


def jacobian_spectrum(stack: str, depth: int, width: int, seed: int) -> list[float]:
    """Return a random network's singular values, as shares of the largest: a cell of the sweep.

    They are those of the Jacobian of ``depth`` layers, relu(W h) or h + W relu(h) with weights
    of variance 2 / width, 1 / depth of that in branches.
    """
    shortcut, rectified = STACKS[stack]
    rng = np.random.default_rng(seed)
    blocks: list[Module] = []
    for _ in range(depth):
        layer = Linear(width, width, bias=False, rng=rng, draw=he_normal)
        if shortcut:
            layer.weight.data = layer.weight.data / math.sqrt(depth)
        active = ReLU() if rectified else Identity()
        blocks.append(
            Residual(Sequential(active, layer)) if shortcut else Sequential(layer, active)
        )
    network = Sequential(*blocks).to(dtype="float64")
    copies = np.tile(rng.standard_normal(width), (width, 1))  # one for each row of the Jacobian
    x = tensor(copies, requires_grad=True, name="x")
    network(x).backward(np.eye(width))
    singular = np.linalg.svd(x.grad.numpy(), compute_uv=False)  # type: ignore[union-attr]
    return [float(s) for s in singular / (singular[0] or 1.0)]


def pooled_digits(seed: int) -> Images:
    """Return the digits as images of 4 x 4 pixels, the mean of each four, of variance 1."""
    digits = load("digits", seed)
    parts = [
        x.reshape(-1, 1, 4, 2, 4, 2).mean(axis=(3, 5)) for x in (digits.train_x, digits.test_x)
    ]
    train, test = (part / parts[0].std() for part in parts)
    return Images("digits, 4 x 4", train, digits.train_y, test, digits.test_y)


def hessian_spectrum(net: str, blocks: int, steps: int, seed: int) -> dict[str, Any]:
    """Return the Hessian's eigenvalues before and after training: a cell of the sweep.

    Returns:
        ``before`` and ``after``, ascending eigenvalues of the mean cross-entropy of 256 training
        images by all parameters; ``accuracy`` on held-out images; ``loss``, of those 256.
    """
    data = pooled_digits(seed)
    make = residual_mlp if net == "residual" else plain_mlp
    network = make(blocks, 16, 10, NARROW, np.random.default_rng(seed))
    before, _ = _spectrum(network, data)
    network.to(dtype="float32")
    optimizer = Adam(network.parameters(), lr=LR)
    went = fit(network, data, optimizer, steps=steps, batch=BATCH, seed=seed, progress=False)
    after, loss = _spectrum(network, data)
    return {"before": before, "after": after, "accuracy": went.score, "loss": loss}


def _spectrum(network: Network, data: Images) -> tuple[list[float], float]:
    network.to(dtype="float64")
    x = tensor(data.train_x[:EXAMPLES], dtype="float64")
    loss = primitives.cross_entropy(network(x), data.train_y[:EXAMPLES])
    matrix = hessian(network, loss)
    values = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    return [float(value) for value in values], loss.item()


def near_zero(values: Sequence[float], share: float) -> float:
    """Return which part of eigenvalues is at most this share of the largest one in size.

    >>> near_zero([-1e-12, 0.5, 1.0, 2.0], 1e-8)
    0.25
    """
    sizes = np.abs(values)
    return float((sizes <= share * sizes.max()).mean())


@dataclass(frozen=True)
class Singularities(Outcome):
    """Singular values of Jacobians, spectra of Hessians, and the tiny networks.

    Attributes:
        width, depths, blocks, steps, seeds: of the networks.
        quick: whether this was the quick setting.
        jacobians: by network and depth, for each run the singular values over the largest.
        hessians: by network, for each run what ``hessian_spectrum`` returns.
        points: by singularity and network, for each run what ``degenerate`` returns.
    """

    width: int
    depths: tuple[int, ...]
    blocks: int
    steps: int
    seeds: tuple[int, ...]
    quick: bool
    jacobians: dict[str, dict[int, list[list[float]]]]
    hessians: dict[str, list[dict[str, Any]]]
    points: dict[str, dict[str, list[dict[str, float]]]]

    def table(self) -> str:
        """Return the three measurements, each beside its closed form where there is one."""
        jacobians = [
            [
                stack, depth,
                spread([effective_rank(np.array(run)) for run in runs]),
                effective_rank(linear_singular_values(self.width, depth))
                if stack == "plain, linear" and depth >= self.width else "",
                spread([float(sum(s > self.width * 2.2e-16 for s in run)) for run in runs]),
                spread([run[self.width // 2] for run in runs]),
            ]
            for stack, by_depth in self.jacobians.items()
            for depth, runs in by_depth.items()
        ]  # fmt: skip
        hessians = [
            [
                net, when,
                *(spread([100 * near_zero(run[when], share) for run in runs]) for share in (TINY, SMALL)),
                spread([100 * float((np.array(run[when]) < -TINY * max(run[when])).mean()) for run in runs]),
            ]
            for net, runs in self.hessians.items()
            for when in ("before", "after")
        ]  # fmt: skip
        ends = [
            [net, spread([run["loss"] for run in runs]),
             spread([100 * run["accuracy"] for run in runs])]
            for net, runs in self.hessians.items()
        ]  # fmt: skip
        points = [
            [
                point, net, spread([run["null"] for run in runs]),
                null_directions(UNITS, point) if net == "plain" else 0,
                spread([100 * run["gradient"] for run in runs]) if point != "regular point" else "",
            ]
            for point, by_net in self.points.items()
            for net, runs in by_net.items()
        ]  # fmt: skip
        size = len(next(iter(self.hessians.values()))[0]["before"])
        lines = [
            f"plain networks beside residual ones; {counted(self.seeds)}{ranged(self.seeds)}",
            "",
            f"1. singular values of the Jacobian of random layers of width {self.width}",
            aligned(["net", "layers", "effective rank", "closed form", "numerical rank",
                     "middle / largest"],
                    jacobians),
            "",
            f"2. eigenvalues of the Hessian of MLPs of {self.blocks} blocks of width {NARROW}, with {size}",
            f"parameters, before and after {self.steps} steps of training on digits of 4 x 4 pixels",
            aligned(["net", "training", f"% up to {TINY:g} of the largest",
                     f"% up to {SMALL:g} of the largest", "% negative"],
                    hessians, words=2),
            "",
            aligned(["net", "loss in the end", "training images right in %"], ends),
            "",
            f"3. the Hessian's null directions in networks of {UNITS} units put on a singularity",
            aligned(["point", "net", "null directions", "closed form", "% of gradient there"],
                    points, words=2),
            "",
            "effective rank: how many directions get through, as if all were equally strong; the closed",
            "  form is Newman's, 1986, of linear products much deeper than wide",
            "numerical rank: singular values above rounding errors; middle / largest: the median one",
            "% up to: eigenvalues of at most this share of the largest one in size; % negative: below",
            "  minus the smaller share",
            "% of gradient there: along what is null without shortcuts, for targets at random",
            "Orhan & Pitkow 2018 argue for what part 3 shows, and find fewer degenerate eigenvalues with",
            "  shortcuts in networks on CIFAR; they give curves, no numbers.  Ours are small, on digits, and",
            "  have dead units besides: compare which is larger, not by how much",
            self._in_short(),
        ]  # fmt: skip
        lines += quickly(
            self.quick, "small networks, trained for a moment; part 3 is exact in any setting"
        )
        return "\n".join(lines)

    def _singular(self) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
        """Return effective ranks, shares of all but no curvature in %, and null directions, by net."""
        depth = max(self.depths)
        ranks = {
            stack: median(effective_rank(np.array(run)) for run in by_depth[depth])
            for stack, by_depth in self.jacobians.items()
        }
        null = {
            net: median(100 * near_zero(run["after"], TINY) for run in runs)
            for net, runs in self.hessians.items()
        }
        free = {
            net: sum(median(run["null"] for run in by_net[net]) for by_net in self.points.values())
            for net in ("plain", "residual")
        }
        return ranks, null, free

    def _less_singular(self) -> list[bool]:
        """Return of the three parts whether shortcuts leave networks less singular."""
        ranks, null, free = self._singular()
        return [
            ranks["residual"] > ranks["plain"], null["residual"] < null["plain"],
            free["residual"] < free["plain"],
        ]  # fmt: skip

    def _in_short(self) -> str:
        """Say of the three parts whether shortcuts leave networks less singular."""
        depth, (ranks, null, free) = max(self.depths), self._singular()
        return in_short(
            on_one_side(self._less_singular()),
            f"with shortcuts {depth} layers keep an effective rank of {number(ranks['residual'])}, without "
            f"{number(ranks['plain'])}; of the trained Hessian's eigenvalues {number(null['residual'])} % are "
            f"all but zero, without {number(null['plain'])} %; null directions on the singularities: "
            f"{free['residual']:g}, without {free['plain']:g}",
        )

    def plot(self) -> Plot:
        """Return singular values of the deepest networks, and the Hessians' spectra."""
        import viz

        depth, size = max(self.depths), len(self.hessians["plain"][0]["before"])
        first = f"Jacobian of {depth} random layers"
        second = "Hessian of small networks, before and after training"
        return viz.plot_series(
            {
                first: {
                    stack: np.maximum(np.array(by_depth[depth]), FLOOR)
                    for stack, by_depth in self.jacobians.items()
                },
                second: {
                    f"{net}, {when}": np.array([_sizes(run[when]) for run in runs])
                    for when in ("after", "before")  # so that nets have the same colours in both
                    for net, runs in self.hessians.items()
                },
            },
            x={first: "% of the singular values, the largest first",
               second: "% of the eigenvalues, the largest first"},
            y={first: "singular value over the largest",
               second: "eigenvalue's size over the largest"},
            at={first: _parts(self.width), second: _parts(size)},
            title="Shortcuts keep a network's directions" if all(self._less_singular())
            else "What shortcuts leave of a network's directions", log=True,
            note=f"those below {FLOOR:g}, zeros among them, are shown there",
        )  # fmt: skip


def _parts(count: int) -> list[float]:
    """Return which part each of so many numbers completes, in %."""
    return [100 * (k + 1) / count for k in range(count)]


def _sizes(values: Sequence[float]) -> np.ndarray:
    sizes: np.ndarray = np.sort(np.abs(values))[::-1]
    shown: np.ndarray = np.maximum(sizes / sizes[0], FLOOR)
    return shown


def singularities(
    width: int | None = None, depths: Sequence[int] | None = None, blocks: int | None = None,
    steps: int | None = None, runs: int | None = None, quick: bool = False, seed: int = 0,
    executor: Executor | None = None, folder: str | os.PathLike[str] | None = None,
) -> Singularities:  # fmt: skip
    """Measure how degenerate plain and residual networks are.

    Source: Orhan & Pitkow 2018, Skip Connections Eliminate Singularities.

    Args:
        width: of the networks whose Jacobian is measured; 64 where left out.
        depths: their numbers of layers; from 1 to 64 where left out.
        blocks, steps: of the trained networks, which are 8 units wide; 8 blocks and 600 steps
            where left out.
        runs: repetitions, with seeds from ``seed`` on; 5 where left out.
        quick: make all of these small where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each network; no number
            depends on it.
        folder: where to keep finished networks, and to take those from that are kept.

    Raises:
        UsageError: a number is out of its bounds.
        SweepError: networks are missing, for instance because a training diverged.

    >>> found = singularities(width=8, depths=(1,), blocks=1, steps=1, runs=1)
    >>> [found.points["overlap"][net][0]["null"] for net in NETS]
    [4, 0]
    """
    name = "singularities"
    setting = settled(
        name, SETTINGS, quick, width=width, depths=depths, blocks=blocks, steps=steps, runs=runs
    )
    numbers = seeds(name, seed, setting.pop("runs"))
    jacobians = iter(sweep(
        jacobian_spectrum,
        grid(stack=list(STACKS), depth=setting["depths"], width=[setting["width"]], seed=numbers),
        executor, folder, f"{name}, Jacobians",
    ))  # fmt: skip
    points = iter(sweep(
        degenerate,
        grid(point=list(POINTS), shortcut=[False, True], units=[UNITS], seed=numbers),
        executor, folder, f"{name}, tiny networks",
    ))  # fmt: skip
    hessians = iter(sweep(
        hessian_spectrum,
        grid(net=NETS, blocks=[setting["blocks"]], steps=[setting["steps"]], seed=numbers),
        executor, folder, f"{name}, Hessians",
    ))  # fmt: skip
    return Singularities(
        **setting, seeds=numbers, quick=bool(quick),
        jacobians={
            stack: {depth: [next(jacobians) for _ in numbers] for depth in setting["depths"]}
            for stack in STACKS
        },
        hessians={net: [next(hessians) for _ in numbers] for net in NETS},
        points={
            point: {net: [next(points) for _ in numbers] for net in NETS} for point in POINTS
        },
    )  # fmt: skip
