"""Degradation: a deeper plain network has the higher training error, a deeper residual one has not.

He et al. 2015, Deep Residual Learning, found that plain networks of 56 layers train worse than
those of 20, although the deeper one could be the shallower one with identities added.  Overfitting
it is not, since the error on the training part is what rises.  With shortcuts round every two
layers it falls instead.  Here both kinds of network are trained at several depths on
scikit-learn's digits, or on CIFAR where it is given, convolutional as theirs and fully connected,
everything but the shortcuts being the same.

``response_study`` looks into the same trained networks: how large each layer's output is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .outcome import Outcome, aligned, in_short, on_one_side
from .recipe import FAMILIES, check_depths, trained
from .settings import counted, quickly, ranged, seeds, settled, spread
from .sources import DIGITS, Source, given
from .sweep import beside, grid, sweep, where

if TYPE_CHECKING:
    from viz import Plot

KINDS = {"none": "plain", "identity": "residual"}
"""What a network is called by its shortcut."""

SETTINGS = {
    False: {"depths": (20, 56), "steps": 600, "batch": 64, "runs": 3},
    True: {"depths": (8, 20), "steps": 30, "batch": 64, "runs": 1},
}  # fmt: skip
"""What is meant where left out."""

POINTS = {False: 6, True: 3}
MOST_DEPTHS = 4
"""Of plain and residual networks in one panel."""

CIFAR = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43}
"""Test errors of residual networks on CIFAR-10 in percent (He et al. 2015, table 6); of 110 layers
the best of five runs.
"""

SOURCE = """\
He et al. 2015: test error of ResNets of these depths on CIFAR-10, in % (table 6); 110 layers 6.43,
  the best of five runs, whose mean is 6.61
  plain, CIFAR-10: training and test error of 56 layers lie above those of 20 (figures 1 and 6)
  ImageNet, top-1 in % (table 2): plain 18 layers 27.94, 34 layers 28.54: deeper is worse
                                  ResNet 18 layers 27.88, 34 layers 25.03: deeper is better
  theirs are trained for 64,000 steps; here {here}:
  only the order of errors in depth can be compared; and few steps leave any deep network behind a
  shallow one: the curves say whether it has arrived"""


@dataclass(frozen=True)
class ByDepth(Outcome):
    """Networks trained at several depths.

    Attributes:
        depths, steps, batch, seeds: of the training.
        quick: whether this was the quick setting.
        cells: for each network and seed the ``family``, the ``shortcut``, the ``depth``, the
            ``seed``, and what ``recipe.trained`` returns.
        data: what they were trained on.
    """

    depths: tuple[int, ...]
    steps: int
    batch: int
    seeds: tuple[int, ...]
    quick: bool
    cells: list[dict[str, Any]]
    data: Source = DIGITS

    def of(self, family: str, shortcut: str, depth: int) -> list[dict[str, Any]]:
        """Return the runs of one network."""
        return where(self.cells, family=family, shortcut=shortcut, depth=depth)

    def quickly(self, claim: str) -> list[str]:
        """Return what to say of a quick run, in which a claim may not show."""
        depths = " and ".join(map(str, sorted(self.depths)))
        return quickly(
            self.quick, f"{self.steps} steps at {depths} layers, {counted(self.seeds)}; {claim} needs the "
            "full setting",
        )  # fmt: skip

    def heading(self) -> str:
        """Return a line that says what was trained."""
        return (
            f"{self.data.said}, {self.steps} steps of {self.batch} images; "
            f"{counted(self.seeds)}{ranged(self.seeds)}"
        )


class Degradation(ByDepth):
    """Errors by depth, with shortcuts and without."""

    def table(self) -> str:
        """Return final errors, and for each kind of network whether the deepest is the worse."""
        first = self.cells[0]["at"][0]
        heads = ["family", "net", "layers", f"training error % after {first} steps",
                 "training error % in the end", "test error %", "He 2015, test %", "training loss"]  # fmt: skip
        rows = []
        for family in FAMILIES:
            for shortcut, kind in KINDS.items():
                for depth in self.depths:
                    runs = self.of(family, shortcut, depth)
                    known = family == "convolutional" and shortcut == "identity"
                    rows.append([
                        family, kind, str(depth), spread([run["train"][0] for run in runs]),
                        *(spread([run[what][-1] for run in runs]) for what in ("train", "test")),
                        CIFAR.get(depth, "") if known else "",
                        spread([run["loss"][-1] for run in runs]),
                    ])  # fmt: skip
        lines = [
            self.heading(), "", aligned(heads, rows, words=2),
            "", f"one training image of {self.data.train:,} is {100 / self.data.train:.3f} %", "",
            *self._verdicts(), "", SOURCE.format(here=self.data.beside), *self._in_short(),
        ]  # fmt: skip
        return "\n".join([*lines, *self.quickly("the order of errors in depth")])

    def rises(self, family: str, shortcut: str, what: str = "train") -> list[float]:
        """Return by how much each run's error rises from the shallowest to the deepest network.

        In points of percent; ``what`` is ``"train"`` or ``"test"``.
        """
        shallow, deep = (
            self.of(family, shortcut, depth) for depth in (min(self.depths), max(self.depths))
        )
        return [b[what][-1] - a[what][-1] for a, b in zip(shallow, deep, strict=True)]

    def plot(self) -> Plot:
        """Return the training error over the steps: a panel for each family."""
        import viz

        panels = {
            family: {
                f"{kind}, {depth} layers": [
                    run["train"] for run in self.of(family, shortcut, depth)
                ]
                for shortcut, kind in KINDS.items()
                for depth in self.depths
            }
            for family in FAMILIES
        }
        return viz.plot_series(
            panels, x="step", y="training error in %", at=self.cells[0]["at"],
            title=("Deeper plain networks train worse, residual ones do not: " if self.supported
                   else "Training error by depth: ") + self.data.said,
        )  # fmt: skip

    def _verdicts(self) -> list[str]:
        low, high = min(self.depths), max(self.depths)
        lines = []
        for family in FAMILIES:
            for shortcut, kind in KINDS.items():
                train, test = (self.rises(family, shortcut, what) for what in ("train", "test"))
                up = sum(rise > 0 for rise in train)
                lines.append(
                    f"{family}, {kind}: from {low} to {high} layers training error "
                    f"{median(train):+.2f} points, up in {up} of {len(train)}; test {median(test):+.2f}"
                )
            early, plain = (
                [run["train"][0] for run in self.of(family, shortcut, high)]
                for shortcut in ("identity", "none")
            )
            lines.append(
                f"{family}, {high} layers: after {self.cells[0]['at'][0]} steps the residual network "
                f"is ahead in {below(early, plain)}"
            )
        return lines

    def _rise(self, family: str, shortcut: str) -> float:
        return median(self.rises(family, shortcut))

    @property
    def supported(self) -> bool | None:
        """Whether training errors rise with depth without shortcuts, and do not with them."""
        return on_one_side(
            self._rise(family, "none") > 0 >= self._rise(family, "identity") for family in FAMILIES
        )

    def _in_short(self) -> list[str]:
        low, high = min(self.depths), max(self.depths)
        if low == high:
            return []
        told = "; ".join(
            f"{family}, {self._rise(family, 'none'):+.2f} points plain and "
            f"{self._rise(family, 'identity'):+.2f} residual"
            for family in FAMILIES
        )
        return [in_short(
            self.supported, f"from {low} to {high} layers the median training error changes: {told}"
        )]  # fmt: skip


def degradation(
    depths: Sequence[int] | None = None, steps: int | None = None, batch: int | None = None,
    runs: int | None = None, data: str | os.PathLike[str] = "digits", limit: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Degradation:  # fmt: skip
    """Train plain and residual networks of several depths.

    On the digits it takes about a quarter of an hour on one core.

    Source: He et al. 2015, Deep Residual Learning, section 4.2, figure 6 and table 6.

    Args:
        depths: numbers of weight layers, each 6n + 2, at most 4 of them; 20 and 56 where left out.
        steps, batch: of the training; 600 steps of 64 images where left out.  A residual network
            of 56 convolutions has not arrived after 150.
        runs: repetitions, with seeds from ``seed`` on; 3 where left out.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        quick: one run of 30 steps at depths 8 and 20 where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each network; no number
            depends on it.
        folder: where to keep trained networks' numbers; ``responses`` takes the same ones.

    Raises:
        UsageError: a number is out of its bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: networks are missing, for instance because a training diverged.

    >>> found = degradation(depths=(8,), steps=2, batch=8, runs=1)
    >>> [len(cell["responses"]) for cell in found.cells]
    [6, 6, 6, 6]
    """
    return Degradation(**train_by_depth(
        "degradation", list(FAMILIES), depths, steps, batch, runs, data, limit,
        quick, seed, executor, folder,
    ))  # fmt: skip


def train_by_depth(
    name: str, families: list[str], depths: Sequence[int] | None, steps: int | None,
    batch: int | None, runs: int | None, data: str | os.PathLike[str], limit: int | None,
    quick: bool, seed: int, executor: Executor | None, folder: str | os.PathLike[str] | None,
) -> dict[str, Any]:  # fmt: skip
    """Train networks with shortcuts and without, and return the fields of a ``ByDepth``."""
    setting = settled(name, SETTINGS, quick, depths=depths, steps=steps, batch=batch, runs=runs)
    check_depths(name, setting["depths"])
    if len(setting["depths"]) > MOST_DEPTHS:
        raise UsageError(f"{name}: depths={depths!r}: at most {MOST_DEPTHS} can be told apart")
    if setting["steps"] < 2:
        raise UsageError(f"{name}: steps={steps}: train for at least 2 steps")
    numbers = seeds(name, seed, setting.pop("runs"))
    source = given(name, data, limit, numbers[0], pixels=True)
    cells = grid(
        family=families, shortcut=list(KINDS), depth=setting["depths"], seed=numbers,
        arrangement=["original"], steps=[setting["steps"]], batch=[setting["batch"]],
        points=[POINTS[bool(quick)]], data=[source.cell],
    )  # fmt: skip
    done = sweep(trained, cells, executor, folder, f"{name}, networks")
    return {
        **setting, "seeds": numbers, "quick": bool(quick), "data": source,
        "cells": beside(cells, ("family", "shortcut", "depth", "seed"), done),
    }  # fmt: skip


def below(first: Sequence[float], second: Sequence[float]) -> str:
    """Write in how many runs the first number is the smaller one.

    >>> below([0.1, 0.4], [0.3, 0.4])
    '1 of 2'
    """
    return f"{sum(a < b for a, b in zip(first, second, strict=True))} of {len(first)}"
