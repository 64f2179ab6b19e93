"""Shortcut variants: whatever stands on the shortcuts is multiplied, unit by unit.

With x_(l+1) = lambda x_l + F(x_l), the path that goes round all branches carries lambda^n over n
units (He et al. 2016, Identity Mappings, equation 8): only the identity keeps it at 1.  Here both
sides are held against each other, for every kind of shortcut in their table 1: the engine's product
along the weight-free path, over what the identity carries there, and the training of the network.
The product is taken in units of full pre-activation, where nothing but the shortcuts stands on
the path.  Their table 2 varies the order of activations within a unit, the shortcut being the
identity; there the product says what the activations behind the additions take away.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import paths, tensor
from ..data import Images
from ..errors import GradientError, UsageError
from ..nets import ARRANGEMENTS
from ..record import no_grad
from .outcome import Outcome, aligned, in_short, number
from .recipe import check_depths, make, trained
from .settings import counted, quickly, ranged, seeds, settled, spread
from .sources import DIGITS, Source, given, images
from .sweep import sweep, where

if TYPE_CHECKING:
    from viz import Plot

# fmt: off
HE_2016 = {                                                   # test error in %, ResNet-110
    ("identity", "original"):                 "6.61",
    ("scaled", "original"):                   "12.35",
    ("gated", "original"):                    "8.70",
    ("gated-shortcut", "original"):           "6.91",
    ("convolution", "original"):              "12.22",
    ("dropout", "original"):                  "fail",
    ("identity", "bn-after-addition"):        "8.17",
    ("identity", "relu-before-addition"):     "7.84",
    ("identity", "relu-only-preactivation"):  "6.71",
    ("identity", "full-preactivation"):       "6.37",
}
"""The variants, as ``nets.resnet`` calls them, and the test errors on CIFAR-10 in tables 1 and 2.

Gates are those whose biases start at -6; "fail" is an error above 20.
"""

CLOSED = {
    ("identity", "original"):                 "none: ReLUs",
    ("identity", "bn-after-addition"):        "none: BN, ReLUs",
    ("scaled", "original"):                   "0.5^n",
    ("gated", "original"):                    "(1 - g)^n",
    ("gated-shortcut", "original"):           "(1 - g)^n",
    ("convolution", "original"):              "no path",
    ("dropout", "original"):                  "1 on average",
    ("identity", "relu-before-addition"):     "1",
    ("identity", "relu-only-preactivation"):  "1",
    ("identity", "full-preactivation"):       "1",
}
"""What the weight-free path carries over n units, or what on it has no closed form; g is a gate."""
# fmt: on

SETTINGS = {
    False: {"depth": 32, "steps": 300, "batch": 64, "runs": 3},
    True: {"depth": 8, "steps": 18, "batch": 32, "runs": 1},
}
POINTS = {False: 6, True: 3}
IMAGES = 32
"""Images that the path's product is measured on, before training."""


@dataclass(frozen=True)
class ShortcutVariants(Outcome):
    """The variants, each trained, and what its weight-free path carries.

    Attributes:
        depth, steps, batch, seeds: of the networks and their training.
        quick: whether this was the quick setting.
        cells: for each variant and seed the ``shortcut``, the ``arrangement``, the ``seed``, what
            ``tried`` returns, and what ``carried`` returns as ``path``.
        data: what they were trained on.
    """

    depth: int
    steps: int
    batch: int
    seeds: tuple[int, ...]
    quick: bool
    cells: list[dict[str, Any]]
    data: Source = DIGITS

    @property
    def units(self) -> int:
        """The number of residual units."""
        return (self.depth - 2) // 2

    def of(self, shortcut: str, arrangement: str) -> list[dict[str, Any]]:
        """Return the runs of one variant."""
        return where(self.cells, shortcut=shortcut, arrangement=arrangement)

    def table(self) -> str:
        """Return the errors beside the source's, and what the weight-free path carries."""
        ends, carrying = [], []
        for (shortcut, arrangement), known in HE_2016.items():
            runs = self.of(shortcut, arrangement)
            ends.append([
                shortcut, arrangement, *(_arrived(runs, what) for what in ("train", "test")), known,
                _arrived(runs, "loss"),
            ])  # fmt: skip
            carrying.append([
                shortcut, arrangement, spread([run["path"]["gain"] for run in runs]),
                CLOSED.get((shortcut, arrangement), ""),
                spread([run["path"]["reached"] for run in runs]),
            ])  # fmt: skip
        what = (
            f"{self.data.said}, {self.depth} layers, n = {self.units} units; {self.steps} steps of "
            f"{self.batch} images; {counted(self.seeds)}{ranged(self.seeds)}"
        )
        products = (
            f"  0.5^n = {0.5**self.units:.6g}, (1 - sigmoid(-6))^n = "
            f"{(1 / (1 + np.exp(-6.0))) ** self.units:.6g}"
        )
        return "\n".join([
            what, "",
            aligned(["shortcut", "arrangement", "training error %", "test error %", "He et al., test %",
                     "training loss"], ends, words=2), "",
            aligned(["shortcut", "arrangement", "path carries", "closed form", "reaches, of positions"],
                    carrying, words=2), "",
            "path carries: by what the path that avoids all branches multiplies a gradient, before",
            "  training: 1 where it arrives unchanged; reaches: the share of the positions in x that get",
            "  any of it.  Shortcuts are measured in units of full pre-activation, where nothing else is",
            "  on the path, arrangements in their own: behind an addition a ReLU is on it, and stops",
            "  what its inputs decide, so there is no closed form for original and bn-after-addition;",
            products,
            "He et al. 2016, tables 1 and 2: test error of ResNet-110 on CIFAR-10; fail: above 20.",
            "  Their dropout does as their scaling in expectation; ours divides by what it keeps, so",
            "  that the mean stays 1 and the path reaches 0.5^n of the positions.  Here few steps and",
            f"  {self.depth} layers on {self.data.beside}: the order may differ,",
            "  and no error can be compared by size.",
            self._in_short(),
            *quickly(self.quick, f"{self.steps} steps of {self.depth} layers; the order of errors needs the "
                     "full setting"),
        ])  # fmt: skip

    def _in_short(self) -> str:
        """Say what the scaled shortcuts leave, and how many variants end above the identity."""
        carried, closed = self.carries("scaled"), 0.5**self.units
        holds = math.isclose(carried, closed, rel_tol=1e-6)
        others = [v for v in HE_2016 if v[1] == "original" and v[0] != "identity"]
        same = [one["loss"][-1] for one in _that_arrived(self.of("identity", "original"))]
        above = [
            not runs or not same
            or median(one["loss"][-1] for one in runs) > median(same)
            for runs in (_that_arrived(self.of(*v)) for v in others)
        ]  # fmt: skip
        return in_short(
            (all(above) or None) if holds else False,
            f"a factor 0.5 on {self.units} shortcuts leaves {number(carried)} of the gradient, 0.5^n being "
            f"{number(closed)}; {sum(above)} of {len(above)} shortcuts that are no identity end with a higher "
            "training loss than the identity, or diverge",
        )

    def plot(self) -> Plot:
        """Return the training error over the steps: a panel for each of the two tables."""
        import viz

        panels: dict[str, Any] = {}
        for which, (what, shared) in enumerate(
            [("shortcuts", "original"), ("arrangements", "identity")]
        ):
            chosen = [variant for variant in HE_2016 if variant[1 - which] == shared]
            curves = {
                v[which]: [run["train"] for run in _that_arrived(self.of(*v))] for v in chosen
            }
            lost = [name for name, runs in curves.items() if not runs]
            panels[f"{what}; diverged: {', '.join(lost)}" if lost else what] = {
                name: runs for name, runs in curves.items() if runs
            }
        return viz.plot_series(
            panels, x="step", y="training error in %", at=_that_arrived(self.cells)[0]["at"],
            title=f"Training error of shortcut variants on {self.data.said}",
        )  # fmt: skip

    def carries(self, shortcut: str, arrangement: str = "original") -> float:
        """Return what the weight-free path carries, the median over runs."""
        return float(median(run["path"]["gain"] for run in self.of(shortcut, arrangement)))


def shortcut_variants(
    depth: int | None = None, steps: int | None = None, batch: int | None = None,
    runs: int | None = None, data: str | os.PathLike[str] = "digits", limit: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> ShortcutVariants:  # fmt: skip
    """Train every shortcut and arrangement of He et al. 2016, and measure the weight-free path.

    On the digits it takes about ten minutes on one core.

    Source: He et al. 2016, Identity Mappings in Deep Residual Networks, sections 3 and 4.

    Args:
        depth: the number of weight layers, 6n + 2; 32 where left out.
        steps, batch: of the training; 300 steps of 64 images where left out.
        runs: repetitions, with seeds from ``seed`` on; 3 where left out.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        quick: one run of 18 steps at depth 8 where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each network; no number
            depends on it.
        folder: where to keep finished networks, and to take those from that are kept.

    Raises:
        UsageError: a number is out of its bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: networks are missing, because a worker was lost.
    """
    name = "shortcut_variants"
    setting = settled(
        name, SETTINGS, quick, depth=depth, steps=steps, batch=batch, runs=runs
    )  # fmt: skip
    check_depths(name, (setting["depth"],))
    if setting["steps"] < 2:
        raise UsageError(f"{name}: steps={steps}: train for at least 2 steps")
    numbers = seeds(name, seed, setting.pop("runs"))
    source = given(name, data, limit, numbers[0], pixels=True)
    named = [
        {"shortcut": shortcut, "arrangement": arrangement, "seed": one}
        for shortcut, arrangement in HE_2016
        for one in numbers
    ]
    trainings = [
        {**cell, "family": "convolutional", **setting, "points": POINTS[bool(quick)],
         "data": source.cell} for cell in named
    ]  # fmt: skip
    done = sweep(tried, trainings, executor, folder, "shortcut variants, networks")
    products = sweep(
        carried, [{**cell, "depth": setting["depth"], "data": source.cell} for cell in named], executor,
        folder, "shortcut variants, paths",
    )  # fmt: skip
    return ShortcutVariants(
        **setting, seeds=numbers, quick=bool(quick), data=source,
        cells=[
            {**cell, **training, "path": path}
            for cell, training, path in zip(named, done, products, strict=True)
        ],
    )  # fmt: skip


def tried(**cell: Any) -> dict[str, Any]:
    """Return what ``recipe.trained`` does, or of a training that diverged how, as ``diverged``."""
    try:
        return trained(**cell)
    except GradientError as error:
        return {"diverged": str(error)}


def _that_arrived(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [run for run in runs if "diverged" not in run]


def _arrived(runs: Sequence[dict[str, Any]], what: str) -> str:
    """Write the last of a curve over the runs, and how many of them diverged."""
    found = [run[what][-1] for run in _that_arrived(runs)]
    lost = len(runs) - len(found)
    said = [spread(found)] if found else []
    return "; ".join([*said, f"{lost} of {len(runs)} diverged"] if lost else said)


def carried(
    shortcut: str, arrangement: str, depth: int, seed: int,
    data: Mapping[str, Any] = DIGITS.cell,
) -> dict[str, float]:  # fmt: skip
    """Return what the weight-free path through all units carries, over the identity's.

    A random cotangent at the output of the last unit is pulled along the path to the input of the
    first, with all that stands on it and with the identity alone.  A variant of the shortcut is measured in units of full pre-activation, where
    the identity's path is wires and option A's slices alone.

    Returns:
        ``gain``, the projection of the first on the second, as a factor: 1 where nothing stands on
        the path; ``reached``, the share of the identity's positions where the first is not 0.

    >>> carried("scaled", "original", 8, seed=0)
    {'gain': 0.125, 'reached': 1.0}
    """
    if arrangement not in ARRANGEMENTS:
        raise UsageError(f"carried: arrangement={arrangement!r}: use {', '.join(ARRANGEMENTS)}")
    plain = arrangement == "original" and shortcut != "identity"
    found = images(data, seed)
    own = _along(shortcut, "full-preactivation" if plain else arrangement, depth, seed, found)
    wires = _along("identity", "full-preactivation", depth, seed, found)
    open_ = wires != 0
    return {
        "gain": float((own * wires).sum() / (wires * wires).sum()),
        "reached": float(np.count_nonzero(own[open_]) / np.count_nonzero(open_)),
    }


def _along(shortcut: str, arrangement: str, depth: int, seed: int, data: Images) -> np.ndarray:
    rng = np.random.default_rng(seed)
    network = make(
        "convolutional", depth, shortcut, arrangement, rng, data.shape, data.classes
    )  # fmt: skip
    network.to(dtype="float64")
    with no_grad():
        stem = network.stem(tensor(data.train_x[:IMAGES], dtype="float64"))
    x = tensor(stem.data, requires_grad=True)
    out = network.body(x)
    cotangent = np.random.default_rng(seed).standard_normal(out.shape)
    found = paths(out, x, cotangent=cotangent).weight_free()
    return found.gradient() if found.count() else np.zeros(x.shape)
