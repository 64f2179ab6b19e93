"""Sensitivity: a small relative change of H(x) = F(x) + x is a large relative change of F(x).

The layers of a residual block have to produce F alone.  With x = 5, an output that goes from 5.1
to 5.2 has changed by 2 %; what the layers add went from 0.1 to 0.2, by 100 %.  So near the
identity the layers feel small differences magnified: by d ln F / d ln H = H / F, which is 51
here.  The engine says so in forward mode, in the example and in trained networks, where it is the
ratio of the norms ||H|| / ||F|| of every block.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autodiff import jvp, value_and_grad
from ..grading import norm
from ..nets import Network, residual_mlp
from ..record import no_grad
from ..report import train
from ..tensor import Tensor, tensor
from .outcome import Outcome, aligned, in_short, number
from .settings import counted, quickly, ranged, seeds, settled, spread
from .sources import DIGITS, Source, given, images
from .sweep import beside, grid, sweep

if TYPE_CHECKING:
    from viz import Plot

X, BEFORE, AFTER = 5.0, 5.1, 5.2
"""The example: the input, and the output that is to change."""

SAID = {
    "H(x)": (2.0, 100 * (AFTER / BEFORE - 1), 1.0),
    "F(x) = H - x": (100.0, 100 * (AFTER - BEFORE) / (BEFORE - X), BEFORE / (BEFORE - X)),
}
"""The source's change in percent, rounded there; that of a weight, and H / F, by hand."""

SETTINGS = {
    False: {"blocks": 12, "steps": 300, "batch": 64, "runs": 5},
    True: {"blocks": 6, "steps": 60, "batch": 64, "runs": 2},
}


@dataclass(frozen=True)
class Sensitivity(Outcome):
    """The example in numbers, and the sensitivities of trained blocks.

    Attributes:
        blocks, steps, batch, seeds: of the networks and their training.
        quick: whether this was the quick setting.
        example: what ``magnified`` returns.
        cells: for each seed what ``measured`` returns, with ``seed``.
        data: what they were trained on.
    """

    blocks: int
    steps: int
    batch: int
    seeds: tuple[int, ...]
    quick: bool
    example: dict[str, dict[str, float]]
    cells: list[dict[str, Any]]
    data: Source = DIGITS

    @property
    def expected(self) -> float:
        """The sensitivity of untrained blocks whose layers are wide and have no biases.

        A branch multiplies the mean square by 2 / n and is uncorrelated with its input, so
        ||H||^2 / ||F||^2 = (1 + 2 / n) / (2 / n).
        """
        return math.sqrt(self.blocks / 2 + 1)

    def table(self) -> str:
        """Return the example, and by how much each block's layers feel a change magnified."""
        heads = ["layers produce", "at first", "wanted", "change %", "source says %",
                 "weight change %", "closed form %", "elasticity", "closed form"]  # fmt: skip
        example = [
            [name, one["before"], one["after"], 100 * one["change"], SAID[name][0],
             100 * one["weight"], SAID[name][1], one["elasticity"], SAID[name][2]]
            for name, one in self.example.items()
        ]  # fmt: skip
        rows = [
            [str(1 + block), *(
                spread([run[stage][block] for run in self.cells]) for stage in ("before", "after")
            )]
            for block in range(self.blocks)
        ]  # fmt: skip
        over = [median(run["after"]) for run in self.cells]
        what = (
            f"the same in a residual MLP of {self.blocks} blocks, {self.steps} steps on {self.data.said}; "
            f"{counted(self.seeds)}{ranged(self.seeds)}:"
        )
        return "\n".join([
            "Near the identity a small relative change of H(x) = F(x) + x is a large one of F(x)",
            f"the example: x = {X:g}, and the output is to go from {BEFORE:g} to {AFTER:g}", "",
            aligned(heads, example), "",
            "elasticity: by how many % what the layers produce changes for 1 % of H, by the engine's",
            "forward mode; closed form H / F.  Layers that produce H = w x have to change w by 2 %, those",
            "that produce F = w x by 100 %, to the same effect", "",
            what, "by how many % the norm of each block's F changes for 1 % of ||H||", "",
            aligned(["block", "before training", "after training"], rows), "",
            f"closed form before training, wide layers without biases: {self.expected:.3g}",
            f"median block after training: {spread(over)}", "",
            *self._bridge(), self._in_short(),
            *quickly(self.quick, f"{self.steps} steps of {self.blocks} blocks"),
        ])  # fmt: skip

    def _bridge(self) -> list[str]:
        """Return what the trained blocks say of the example's claim, and what they do not."""
        after = [value for run in self.cells for value in run["after"]]
        above = sum(value > 1 for value in after)
        return [
            f"what supports the claim: the layers of {above} of {len(after)} trained blocks feel more than 1 %",
            f"what does not: they feel {number(median(after))} %, where the example has 51 %.  The example puts the",
            f"  block near the identity, F being 2 % of H; in trained blocks F is {number(100 / median(after))} % of H",
            "  in norm, so these are not near it.  Before training the number grows as the root of half",
            "  the blocks, so 51 would take 5,200 of them",
        ]

    def _felt(self) -> float:
        """Return the sensitivity of a trained block, the median over blocks and runs."""
        return float(median(value for run in self.cells for value in run["after"]))

    def _in_short(self) -> str:
        """Say how much more a trained branch feels of a change, beside the example."""
        felt = self._felt()
        large = felt >= SAID["F(x) = H - x"][2] / 2
        return in_short(
            True if large else (None if felt > 1 else False),
            f"a change of H is {number(felt)} times as large to a trained F, relatively; in the "
            f"example, near the identity, it is {number(SAID['F(x) = H - x'][2])} times",
        )

    def plot(self) -> Plot:
        """Return the sensitivity of each block, before and after training."""
        import viz

        return viz.plot_series(
            {f"{stage} training": [run[stage] for run in self.cells]
             for stage in ("before", "after")},
            x="block, from the input", y="change of ||F|| in %, for 1 % of ||H||", at=range(1, 1 + self.blocks),
            log=True,
            title=("A relative change of H = F + x is larger to F: " if self._felt() > 1
                   else "What a relative change of H = F + x is to F: ") + self.data.said,
        )  # fmt: skip


def sensitivity(
    blocks: int | None = None, steps: int | None = None, batch: int | None = None,
    runs: int | None = None, data: str | os.PathLike[str] = "digits", limit: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Sensitivity:  # fmt: skip
    """Measure by how much a relative change of H = F + x is larger in F.

    Args:
        blocks: of the residual MLP; 12 where left out.
        steps, batch: of its training with Adam; 300 steps of 64 images where left out.
        runs: repetitions, with seeds from ``seed`` on; 5 where left out.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        quick: two runs of 6 blocks and 60 steps where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each network; no number
            depends on it.
        folder: where to keep finished networks, and to take those from that are kept.

    Raises:
        UsageError: a number is out of its bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: networks are missing, for instance because a training diverged.

    >>> found = sensitivity(blocks=1, steps=1, runs=1)
    >>> round(found.example["F(x) = H - x"]["elasticity"], 9)
    51.0
    """
    name = "sensitivity"
    setting = settled(name, SETTINGS, quick, blocks=blocks, steps=steps, batch=batch, runs=runs)
    numbers = seeds(name, seed, setting.pop("runs"))
    source = given(name, data, limit, numbers[0])
    cells = grid(
        seed=numbers, data=[source.cell], **{key: [value] for key, value in setting.items()}
    )
    done = sweep(measured, cells, executor, folder, "sensitivity, networks")
    return Sensitivity(
        **setting, seeds=numbers, quick=bool(quick), example=magnified(), data=source,
        cells=beside(cells, ["seed"], done),
    )  # fmt: skip


def magnified() -> dict[str, dict[str, float]]:
    """Return the example for layers that produce H and for those that produce F.

    Returns:
        For each what they produce ``before`` and ``after``, its relative ``change``, the relative
        change of a ``weight`` that makes it, and the ``elasticity`` d ln / d ln H, by the engine.
    """
    layers: dict[str, Callable[[Any], Any]] = {"H(x)": lambda h: h, "F(x) = H - x": lambda h: h - X}
    found = {}
    for name, produced in layers.items():
        before, tangent = (float(v) for v in jvp(produced, (BEFORE,), (BEFORE,)))
        after = float(produced(AFTER))
        weight = before / X
        output, slope = value_and_grad(lambda w: w * X)(weight)
        found[name] = {
            "before": before,
            "after": after,
            "change": (after - before) / before,
            "weight": (after - float(output)) / float(slope) / weight,
            "elasticity": tangent / before,
        }
    return found


def measured(
    blocks: int, steps: int, batch: int, seed: int, data: Mapping[str, Any] = DIGITS.cell
) -> dict[str, list[float]]:
    """Return d ln ||F|| / d ln ||H|| of each block of a network, ``before`` and ``after`` training."""
    found = images(data, seed)
    network = residual_mlp(blocks, math.prod(found.shape), found.classes, rng=seed)
    before = _of_blocks(network, found.test_x[:batch])
    train(network, found, steps, batch=batch, lr=1e-3, seed=seed, progress=False)
    return {"before": before, "after": _of_blocks(network, found.test_x[:batch])}


def _of_blocks(network: Network, images: np.ndarray) -> list[float]:
    """Return by how much a change of H along H is larger in F, relative to their norms."""
    with no_grad():
        x = network.stem(tensor(images))
        found = []
        for block in network.body:
            out = block(x)
            found.append(_elasticity(x, out))
            x = out
    return found


def _elasticity(x: Tensor, out: Tensor) -> float:
    branch, tangent = jvp(lambda h: h - x.data, (out.data,), (out.data,))
    return norm(tangent) / norm(branch)
