"""The loss surface with and without shortcuts, on a random plane through the trained network.

Li et al. 2018, Visualizing the Loss Landscape of Neural Nets, show that without shortcuts the
surface around what training finds turns, with depth, from a bowl into a chaos of ridges, and with
them does not.  ``loss_planes`` says how the plane is chosen and how smoothness is measured.
Here the same convolutional network is trained with shortcuts and without, and the
loss of training images is computed on a plane around it.  At the centre the smallest and the
largest eigenvalue of the whole Hessian, by Lanczos' method, tell what the plane cannot.
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

from .. import primitives
from ..errors import UsageError
from ..tensor import tensor
from ..training import fit
from .curvature import extreme_eigenvalues
from .depth import KINDS, MOST_DEPTHS
from .loss_planes import filter_direction, loss_surface, non_convexity, roughness
from .outcome import Outcome, aligned, in_short, number, on_one_side
from .recipe import check_depths, drawn, errors_of, optimizer_of, schedule_of
from .settings import counted, quickly, ranged, seeds, settled, spread
from .sources import DIGITS, Source, given
from .sweep import beside, grid, sweep, where

if TYPE_CHECKING:
    from viz.plots import SurfacePlot

SETTINGS = {
    False: {"depths": (20, 32), "steps": 600, "points": 17, "images": 128, "runs": 3},
    True: {"depths": (8,), "steps": 30, "points": 9, "images": 32, "runs": 1},
}  # fmt: skip
"""What is meant where left out: ten minutes on one core, or seconds.

The plain network of 56 layers, which is theirs, does not come near a minimum in so few steps.
"""

BATCH = 64
REACH = 1.0
"""The plane goes from minus to plus this along each direction, as in the paper."""

CIFAR = {
    ("identity", 20): 7.37, ("identity", 56): 5.89, ("identity", 110): 5.79,
    ("none", 20): 8.18, ("none", 56): 13.31, ("none", 110): 16.44,
}  # fmt: skip
"""Test errors on CIFAR-10 in percent of the networks whose surfaces they show (figure 5)."""


def surface_around(
    depth: int, shortcut: str, steps: int, points: int, images: int, seed: int,
    data: Mapping[str, Any] = DIGITS.cell,
) -> dict[str, Any]:  # fmt: skip
    """Train a network and return the loss around it: a cell of the sweep.

    Returns:
        ``surface``, a row of losses for each place along the second direction, ``None`` where
        they are infinite; ``loss`` at the centre; ``smallest`` and ``largest``, eigenvalues of
        the whole Hessian there; ``train`` and ``test``, errors in percent.
    """
    found, network, rng = drawn("convolutional", depth, shortcut, "original", seed, data)
    fit(
        network, found, optimizer_of("convolutional", network), steps=steps, batch=BATCH,
        seed=seed, schedule=schedule_of(steps), progress=False,
    )  # fmt: skip
    network.eval()
    errors = errors_of(network, found)
    x, y = found.train_x[:images], found.train_y[:images]
    first, second = (filter_direction(network, rng) for _ in range(2))
    surface = loss_surface(network, x, y, first, second, places(points))
    loss = primitives.cross_entropy(network(tensor(x)), y)
    smallest, largest = extreme_eigenvalues(network, loss, seed)
    return {
        "surface": [[v if math.isfinite(v) else None for v in row] for row in surface.tolist()],
        "loss": loss.item(), "smallest": smallest, "largest": largest, **errors,
    }  # fmt: skip


def places(points: int) -> np.ndarray:
    """Return where the loss is computed along each direction."""
    return np.linspace(-REACH, REACH, points)


@dataclass(frozen=True)
class LossSurfaces(Outcome):
    """The loss around networks trained with shortcuts and without.

    Attributes:
        depths, steps, points, images, seeds: of the training and of the plane.
        quick: whether this was the quick setting.
        cells: for each network and seed the ``depth``, the ``shortcut``, the ``seed``, and what
            ``surface_around`` returns.
        data: what they were trained on.
    """

    depths: tuple[int, ...]
    steps: int
    points: int
    images: int
    seeds: tuple[int, ...]
    quick: bool
    cells: list[dict[str, Any]]
    data: Source = DIGITS

    def of(self, depth: int, shortcut: str) -> list[dict[str, Any]]:
        """Return the runs of one network."""
        return where(self.cells, depth=depth, shortcut=shortcut)

    def surfaces(self, depth: int, shortcut: str) -> list[np.ndarray]:
        """Return each run's losses (points, points), infinite where there is none."""
        return [
            np.array([[math.inf if v is None else v for v in row] for row in cell["surface"]])
            for cell in self.of(depth, shortcut)
        ]

    def table(self) -> str:
        """Return how smooth the surfaces are, and where training ended."""
        step = 2 * REACH / (self.points - 1)
        ends, planes = [], []
        for depth in self.depths:
            for shortcut, kind in KINDS.items():
                runs, surfaces = self.of(depth, shortcut), self.surfaces(depth, shortcut)
                convex = [non_convexity(one, step) for one in surfaces]
                ends.append([
                    kind, str(depth),
                    *(spread([run[what] for run in runs]) for what in ("train", "test", "loss")),
                    CIFAR.get((shortcut, depth), ""),
                ])  # fmt: skip
                planes.append([
                    kind, str(depth),
                    spread([100 * share for share, _ in convex]),
                    spread([ratio for _, ratio in convex]),
                    spread([roughness(one) for one in surfaces]),
                    spread([float(one.max()) for one in surfaces]),
                    spread([-run["smallest"] / run["largest"] for run in runs]),
                ])  # fmt: skip
        lines = [
            f"{self.data.said}, {self.steps} steps of {BATCH} images",
            f"{counted(self.seeds)}{ranged(self.seeds)}",
            "",
            aligned(["net", "layers", "training error %", "test error %", "loss",
                     "Li et al., test %"], ends),
            "",
            f"loss of {self.images} training images at {self.points} x {self.points} points",
            f"where each filter has moved by up to {REACH:g} of its norm either way",
            aligned(["net", "layers", "not convex, % of points", "concave / convex bend",
                     "roughness", "largest loss", "Hessian, -least / largest"], planes),
            "",
            *self._verdicts(),
            "not convex: points where a direction of the plane curves down; concave / convex bend: how",
            "strongly, over the plane's larger curvature there, mean over all points; roughness: 0 where",
            "the loss's logarithm is a quadratic, 1 where no quadratic explains it; Hessian: minus its",
            "smallest over its largest eigenvalue where the training ended, of all weights",
            "Li et al. 2018: test errors on CIFAR-10 of the networks in their figure 5, which has surfaces",
            "and no number for them. There the plain network's is benign with 20 layers and chaotic",
            "with 56, and with shortcuts both are benign. Theirs train for 300 passes; in so short a",
            f"training as ours plain networks arrive up to 32 layers; here {self.data.beside}",
            self._in_short(),
        ]  # fmt: skip
        lines += quickly(
            self.quick, f"{self.steps} steps of shallow networks, for which no difference is expected; "
            "the claim needs the full setting",
        )  # fmt: skip
        return "\n".join(lines)

    def uneven(self, depth: int, shortcut: str) -> float:
        """Return at how many points in % the plane is not convex, the median over runs."""
        step = 2 * REACH / (self.points - 1)
        shares = [non_convexity(one, step)[0] for one in self.surfaces(depth, shortcut)]
        return 100 * median(shares)

    def _verdicts(self) -> list[str]:
        return [
            f"{depth} layers: not convex at {number(self.uneven(depth, 'none'))} % of the points "
            f"without shortcuts, at {number(self.uneven(depth, 'identity'))} % with them"
            for depth in self.depths
        ]

    def _rougher(self) -> list[bool]:
        """Return for each depth whether the plane is less convex without shortcuts."""
        return [self.uneven(d, "none") > self.uneven(d, "identity") for d in self.depths]

    def _in_short(self) -> str:
        """Say at how many depths the plane is less convex without shortcuts."""
        rougher = self._rougher()
        return in_short(
            on_one_side(rougher),
            "the loss around a network without shortcuts curves down at more points than with them at "
            f"{sum(rougher)} of {len(rougher)} depths",
        )

    def plot(self) -> SurfacePlot:
        """Return the first run's surfaces as contours, and as lines along the first direction."""
        import viz

        surfaces = {
            f"{kind}, {depth} layers": self.surfaces(depth, shortcut)[0]
            for depth in self.depths
            for shortcut, kind in KINDS.items()
        }
        return viz.plot_surface(
            surfaces, at=places(self.points), measure="training loss",
            x="first direction, in norms of filters", y="second direction, in norms of filters",
            title=("With shortcuts the loss curves down at fewer points: " if all(self._rougher())
                   else "The loss with shortcuts and without: ") + self.data.said,
        )  # fmt: skip


def loss_surfaces(
    depths: Sequence[int] | None = None, steps: int | None = None, points: int | None = None,
    images: int | None = None, runs: int | None = None, data: str | os.PathLike[str] = "digits",
    limit: int | None = None, quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> LossSurfaces:  # fmt: skip
    """Compute the loss on a plane around convolutional networks, with shortcuts and without.

    Source: Li et al. 2018, Visualizing the Loss Landscape of Neural Nets, sections 4 to 6.

    Args:
        depths: numbers of weight layers, each 6n + 2, at most 4 of them; 20 and 32 where left out.
        steps: of the training, 600 where left out.
        points: along each direction, an odd number; 17 where left out.
        images: to compute the loss of, 128 where left out.
        runs: repetitions, with seeds from ``seed`` on; 3 where left out.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        quick: make all of these small where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each network; no number
            depends on it.
        folder: where to keep finished networks, and to take those from that are kept.

    Raises:
        UsageError: a number is out of its bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: networks are missing, for instance because a training diverged.

    >>> found = loss_surfaces(depths=(8,), steps=2, points=3, images=4, runs=1)
    >>> [surface.shape for surface in found.surfaces(8, "none")]
    [(3, 3)]
    """
    name = "loss_surfaces"
    setting = settled(
        name, SETTINGS, quick, depths=depths, steps=steps, points=points, images=images, runs=runs
    )
    check_depths(name, setting["depths"])
    if len(setting["depths"]) > MOST_DEPTHS:
        raise UsageError(f"{name}: depths={depths!r}: at most {MOST_DEPTHS} can be told apart")
    if setting["points"] < 3 or setting["points"] % 2 == 0:
        raise UsageError(f"{name}: points={points}: pass an odd number of at least 3")
    if setting["steps"] < 2:
        raise UsageError(f"{name}: steps={steps}: train for at least 2 steps")
    numbers = seeds(name, seed, setting.pop("runs"))
    source = given(name, data, limit, numbers[0], pixels=True)
    if setting["images"] > source.train:
        raise UsageError(
            f"{name}: images={setting['images']}: there are {source.train} training images"
        )
    cells = grid(
        depth=setting["depths"], shortcut=list(KINDS), seed=numbers, data=[source.cell],
        **{key: [setting[key]] for key in ("steps", "points", "images")},
    )  # fmt: skip
    done = sweep(surface_around, cells, executor, folder, f"{name}, networks")
    return LossSurfaces(
        **setting, seeds=numbers, quick=bool(quick), data=source,
        cells=beside(cells, ("depth", "shortcut", "seed"), done),
    )  # fmt: skip
