"""Training along short paths only, after the end of section 5 of Veit et al. 2016.

If gradients that come along long paths do not matter, a training that leaves them out does as
well.  Each step takes some units at random, 23 of 54, and in them alone the branch carries a
gradient: the paths of a step cross 23 branches at most, 11.5 on average.  The network is
tested whole.  What the other units do in a step can be read in two ways, and both are done:

=========  ==========================================================================
dropped    their branches are left out, as in stochastic depth (Huang et al. 2016)
constant   their branches are computed, added, and taken for constants by the gradient
=========  ==========================================================================

Normalisations that ran in a shortened network keep running averages of it, which do not fit the
whole.  So the whole is tested with them, and once more after they were taken from it anew.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import no_grad, stop_gradient, tensor
from .. import primitives as ops
from ..errors import UsageError
from ..nets import Network
from ..nn import Module
from ..training import accuracy, fit
from .lesion_study import ARRANGEMENT, bypass
from .outcome import Outcome, aligned, in_short, number, on_one_side
from .recipe import FAMILIES, check_depths, drawn, optimizer_of, schedule_of
from .settings import numbered, quickly, ranged, seeds, settled, spread
from .sources import DIGITS, Source, given
from .sweep import grid, sweep

if TYPE_CHECKING:
    from viz import Plot

SETTINGS: dict[bool, dict[str, Any]] = {
    False: {"family": "convolutional", "depth": 32, "steps": 420, "runs": 3},
    True: {"family": "fully connected", "depth": 26, "steps": 105, "runs": 2},
}
"""What is meant where left out, and where it is left out of a quick run.

The full run takes about five minutes on two cores, the quick one seconds.
"""

POINTS = 10
"""How often errors are measured in a training."""

ANEW = 60
"""Batches from which a trained network's normalisations take their averages anew."""


def constant(unit: Any, x: Any) -> Any:
    """Return what leaves a unit whose branch the gradient takes for a constant."""
    outer = x if unit.shortcut is None else unit.shortcut(x)
    total = outer + stop_gradient(unit.branch(x))
    return total if unit.after is None else unit.after(total)


WAYS: dict[str, tuple[str, Callable[[Any, Any], Any] | None]] = {
    "all": ("6.10", None),
    "dropped": ("5.96", bypass),
    "constant": ("5.96", constant),
}
"""What a step does with the units that it does not take, and Veit et al.'s error in per cent."""


NEARLY = 1.0
"""By how many percentage points an error may be the larger one, and nearly the same."""


class ShortPaths(Module):
    """A residual network that in training takes a random choice of its units in each step.

    Args:
        network: the residual network.
        taken: how many units a step takes.
        way: what becomes of the others; a word of ``WAYS``.
        seed: of the choices.

    >>> import tinygrad_res as tg
    >>> short = ShortPaths(tg.nets.residual_mlp(5, rng=0), taken=2, way="dropped", seed=0)
    >>> x = tg.tensor(np.ones((1, 64)), requires_grad=True)
    >>> tg.paths(short(x).sum(), x).count_by("block")
    {0: 1, 1: 2, 2: 1}
    >>> tg.paths(short.eval()(x).sum(), x).count()
    32
    """

    def __init__(self, network: Network, taken: int, way: str, seed: int) -> None:
        self.network, self.taken, self.way = network, taken, WAYS[way][1]
        self.rng = np.random.default_rng(seed)

    def forward(self, x: Any) -> Any:
        """Return logits (N, classes)."""
        if not self.training or self.way is None:
            return self.network(x)
        units = list(self.network.body)
        taken = set(self.rng.choice(len(units), self.taken, replace=False).tolist())
        h = self.network.stem(x)
        for i, unit in enumerate(units):
            h = unit(h) if i in taken else self.way(unit, h)
        return self.network.head(h) + self._idle(taken)

    def _idle(self, taken: set[int]) -> Any:
        """Return a zero by which the gradient of all parameters that are not taken is zero.

        An optimiser asks each parameter for a gradient, and momentum and decay go on.
        """
        units = enumerate(self.network.body)
        parameters = [p for i, unit in units if i not in taken for p in unit.parameters()]
        return 0 * ops.sum(ops.stack([ops.sum(p) for p in parameters]))


def short_paths(
    family: str | None = None, depth: int | None = None, steps: int | None = None,
    runs: int | None = None, data: str | os.PathLike[str] = "digits", limit: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> ShortPathTraining:  # fmt: skip
    """Train a residual network along all paths and along short ones, from the same weights.

    Args:
        family: ``"convolutional"``, CIFAR's ResNet, or ``"fully connected"``.
        depth: weight layers, 6n + 2.
        steps: of training, in batches of 64, as ``recipe`` says.
        runs: repetitions, with seeds from ``seed`` on.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        quick: an MLP, and less of all, where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each way and seed; no number
            depends on it.
        folder: where to keep finished trainings, and to take those from that are kept.

    Raises:
        UsageError: an argument is out of its choices or bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: runs are missing, for instance because training diverged.

    >>> found = short_paths("fully connected", depth=8, steps=2, runs=1)
    >>> found.units, found.taken
    (3, 1)
    """
    family = SETTINGS[bool(quick)]["family"] if family is None else family
    if family not in FAMILIES:
        raise UsageError(f"short_paths: family={family!r}: use {', '.join(FAMILIES)}")
    chosen = settled("short_paths", SETTINGS, quick, depth=depth, steps=steps, runs=runs)
    check_depths("short_paths", (chosen["depth"],))
    units = (chosen["depth"] - 2) // 2
    taken = round(23 / 54 * units)
    numbers = seeds("short_paths", seed, chosen["runs"])
    source = given("short_paths", data, limit, numbers[0], pixels=family == "convolutional")
    setting = {"family": family, "depth": chosen["depth"], "taken": taken, "steps": chosen["steps"],
               "data": source.cell}  # fmt: skip
    cells = [{**setting, **cell} for cell in grid(way=list(WAYS), seed=numbers)]
    done = sweep(_run, cells, executor, folder, "training along short paths")
    errors = {
        way: tuple(
            tuple(one["errors"])
            for cell, one in zip(cells, done, strict=True) if cell["way"] == way
        )
        for way in WAYS
    }  # fmt: skip
    anew = {
        way: tuple(one["anew"] for cell, one in zip(cells, done, strict=True) if cell["way"] == way)
        for way in WAYS
    }
    return ShortPathTraining(
        done[0]["name"], units, taken, chosen["steps"], numbers, bool(quick),
        tuple(done[0]["at"]), errors, anew, source,
    )  # fmt: skip


def _run(
    family: str, depth: int, taken: int, steps: int, way: str, seed: int,
    data: Mapping[str, Any] = DIGITS.cell,
) -> dict[str, Any]:  # fmt: skip
    """Train one network one way, and return its test errors."""
    found, network, _ = drawn(family, depth, "identity", ARRANGEMENT, seed, data)
    went = fit(
        ShortPaths(network, taken, way, seed), found, optimizer_of(family, network),
        steps=steps, schedule=schedule_of(steps), seed=seed,
        evaluate_every=max(1, steps // POINTS), progress=False,
    )  # fmt: skip
    at = sorted(went.evaluations)
    network.train()
    with no_grad():  # the running averages of the whole network, which nothing else changes
        for x, _ in itertools.islice(found.batches(64, seed), ANEW):
            network(tensor(x))
    anew = 1 - accuracy(network.eval(), found.test_x, found.test_y)
    errors = [1 - went.evaluations[n] for n in at]
    return {"name": network.name, "at": at, "errors": errors, "anew": anew}


@dataclass(frozen=True)
class ShortPathTraining(Outcome):
    """Test errors of one network trained in each of the ways, run by run.

    Attributes:
        name: of the network.
        units: its residual units.
        taken: units that a step takes.
        steps: of training.
        seeds: of the runs, which differ in weights, batches, held-out images and choices.
        quick: whether this was the quick setting.
        at: the steps after which errors were measured.
        errors: by way, a row for each seed, as shares of the test images.
        anew: by way, the last error of each seed after running averages were taken anew.
        data: what it was trained on.
    """

    name: str
    units: int
    taken: int
    steps: int
    seeds: tuple[int, ...]
    quick: bool
    at: tuple[int, ...]
    errors: dict[str, tuple[tuple[float, ...], ...]]
    anew: dict[str, tuple[float, ...]]
    data: Source = DIGITS

    def table(self) -> str:
        """Return the outcome as text: medians over runs and their ranges, in per cent."""
        rows = []
        for way, runs in self.errors.items():
            longest = self.units if way == "all" else self.taken
            last = [row[-1] for row in runs]
            more = [100 * (a - b) for a, b in zip(self.anew[way], self.anew["all"], strict=True)]
            rows.append([
                "all" if way == "all" else f"short, others {way}", f"2^{longest}",
                WAYS[way][0], spread([100 * error for error in last]),
                spread([100 * error for error in self.anew[way]]),
                "" if way == "all" else spread(more),
            ])  # fmt: skip
        heads = [
            "paths",
            "in a step",
            "Veit et al.",
            "test error in %",
            "averages anew",
            "points above all",
        ]
        return "\n".join([
            f"{self.name}: {self.units} residual units; for short paths a step takes {self.taken}",
            f"trained on {self.data.said} for {self.steps} steps; {numbered(self.seeds)}; tested with all units",
            "",
            aligned(heads, rows),
            "",
            "averages anew: the same errors after the running averages of normalisations, where there are",
            "  any, were taken anew, since those of shortened networks do not fit the whole",
            "points above all: by how many percentage points that error is above the one of all paths,",
            f"  seed by seed{ranged(self.seeds)}",
            *self._verdicts(),
            "Veit et al. 2016, section 5: 54 units, of which a step takes 23, on CIFAR-10; they call",
            f"the difference not significant; here {self.data.beside}, and a short training:",
            f"a unit learns in {self.taken} of {self.units} steps, of which there are few",
            self._in_short(),
            *quickly(self.quick, f"{self.steps} steps of an MLP without normalisation; theirs has it, as has the "
                     "full setting's, which the claim needs"),
        ])  # fmt: skip

    def _verdicts(self) -> list[str]:
        """Say of each short way whether it does as well as all paths, which is the claim."""
        lines = []
        for way in [way for way in WAYS if way != "all"]:
            pairs = list(zip(self.anew[way], self.anew["all"], strict=True))
            worse = sum(a > b for a, b in pairs)
            lines.append(
                f"short, others {way}: worse than all paths in {worse} of {len(pairs)} runs; "
                f"Veit et al.: better, {WAYS[way][0]} against {WAYS['all'][0]} %"
            )
        return lines

    def _in_short(self) -> str:
        """Say by how much each short way is worse, and whether that is little."""
        more = {
            way: median(100 * (a - b) for a, b in zip(self.anew[way], self.anew["all"], strict=True))
            for way in WAYS if way != "all"
        }  # fmt: skip
        near = [points <= NEARLY for points in more.values()]
        told = " and ".join(f"{points:+.2f} with others {way}" for way, points in more.items())
        return in_short(
            on_one_side(near),
            f"trained along short paths a network has nearly the error of all paths, within {NEARLY:g} "
            f"point, once averages are taken anew: points above it {told}",
        )

    def plot(self) -> Plot:
        """Return test error against steps, a line for each way; in words those in the end."""
        import viz

        ends = ", ".join(
            f"{way} {number(100 * median(errors))}" for way, errors in self.anew.items()
        )
        return viz.plot_series(
            {way if way == "all" else f"short, {way}": [[100 * e for e in row] for row in runs]
             for way, runs in self.errors.items()},
            x="training steps", y="test error in %", at=self.at,
            note=f"in the end, running averages taken anew: {ends}",
            title=f"Trained on {self.data.said} along short paths only, tested whole",
        )  # fmt: skip
