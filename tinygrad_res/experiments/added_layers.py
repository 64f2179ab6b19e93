"""Added layers: what must be learned so that a deeper network is no worse than a shallower one.

He et al. 2015, section 1, build a deeper network from a trained shallower one: its layers
copied, and added ones that are the identity.  So no deeper network need have a higher training
error.  Here this is done: the copied layers stay as they are, and only the added ones are trained,
so all that is left to learn is the identity, or better.  Plain layers have to find it, residual
ones have it where F = 0.

Four starts: plain layers at random, and as the identity matrix, which behind a ReLU is exact;
residual layers at random, with branches scaled as ``nets.residual_mlp`` does, and with F = 0.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Images
from ..nets import Network, plain_mlp, residual_mlp
from ..nn import Linear, Module, Sequential, scale_branches
from ..optim import Adam
from ..primitives import cross_entropy
from ..record import no_grad
from ..tensor import tensor
from ..training import fit, mean_loss
from .outcome import Outcome, aligned, in_short, on_one_side
from .recipe import errors_of
from .settings import counted, quickly, ranged, seeds, settled, spread
from .sources import DIGITS, Source, given, images
from .sweep import beside, grid, sweep, where

if TYPE_CHECKING:
    from viz import Plot

WIDTH = 64


def _as_identity(body: Sequential) -> None:
    for layer in body.modules():
        if isinstance(layer, Linear):
            layer.weight.data = np.eye(WIDTH, dtype=np.float32)
            layer.bias.data = np.zeros(WIDTH, np.float32)  # type: ignore[union-attr]


def _as_zero(body: Sequential) -> None:
    scale_branches(body, "zero")
    for block in body:
        block.branch[2].bias.data = np.zeros(WIDTH, np.float32)  # type: ignore[attr-defined]


STARTS: dict[str, tuple[Callable[..., Network], Callable[[Sequential], None] | None]] = {
    "plain, random": (plain_mlp, None),
    "plain, identity": (plain_mlp, _as_identity),
    "residual, random": (residual_mlp, None),
    "residual, F = 0": (residual_mlp, _as_zero),
}
"""The network whose layers are copied and added, and what the added ones start as."""

SETTINGS = {
    False: {"copied": 3, "added": (3, 12, 24), "steps": 300, "batch": 64, "runs": 3},
    True: {"copied": 2, "added": (2, 8), "steps": 60, "batch": 64, "runs": 2},
}
POINTS = 6


@dataclass(frozen=True)
class IdentityMapping(Outcome):
    """Networks deepened by layers that are trained alone.

    Attributes:
        copied: blocks of two layers that were trained before.
        added: for each network the number of blocks that were added.
        steps, batch, seeds: of both trainings.
        quick: whether this was the quick setting.
        cells: for each start and seed what ``deepened`` returns, with ``start``, ``added`` and ``seed``.
        data: what they were trained on.
    """

    copied: int
    added: tuple[int, ...]
    steps: int
    batch: int
    seeds: tuple[int, ...]
    quick: bool
    cells: list[dict[str, Any]]
    data: Source = DIGITS

    def of(self, start: str, added: int) -> list[dict[str, Any]]:
        """Return the runs of one network."""
        return where(self.cells, start=start, added=added)

    def table(self) -> str:
        """Return losses and errors, and how far the added layers are from the identity."""
        heads = ["added layers", "how many", "loss at first", "loss at last", "above shallow",
                 "training error %", "from identity"]  # fmt: skip
        rows = []
        for start in STARTS:
            for added in self.added:
                runs = self.of(start, added)
                rows.append([
                    start, str(2 * added),
                    *(spread([run["loss"][at] for run in runs]) for at in (0, -1)),
                    self._above(start, added),
                    spread([run["train"] for run in runs]),
                    spread([run["distance"][1] for run in runs]),
                ])  # fmt: skip
        what = (
            f"{self.data.said}; {2 * self.copied} trained layers copied and held fixed, more added behind them "
            f"and trained\nfor {self.steps} steps of {self.batch} images; {counted(self.seeds)}"
            f"{ranged(self.seeds)}; losses are of the training part"
        )
        return "\n".join([
            what,
            "", aligned(heads, rows), "", *self._shallow(),
            "above shallow: runs that end with a higher loss than the shallow network's",
            "from identity: ||A(h) - h|| / ||h|| of all added layers A in the end, on training images",
            "He et al. 2015, section 1: identities on top of a trained network are a solution by",
            "construction, yet solvers fail to find one as good; with F the difference from the",
            "identity, zero is the solution (section 3.1).  They give no number for this.",
            self._in_short(),
            *quickly(self.quick, f"{self.steps} steps; that random plain layers stay above is a claim of deeper "
                     "networks in the full setting"),
        ])  # fmt: skip

    def _above(self, start: str, added: int) -> str:
        """Write how many runs end with a higher loss than the shallow network's."""
        runs = self.of(start, added)
        return f"{sum(run['loss'][-1] > run['shallow'] for run in runs)} of {len(runs)}"

    def _shallow(self) -> list[str]:
        """Return what the networks began from, which starts of one kind share."""
        kinds = {start.partition(",")[0]: start for start in STARTS}
        return [
            f"loss of the shallow network, {kind}: "
            + spread([run["shallow"] for run in self.of(start, self.added[0])])
            for kind, start in kinds.items()
        ]

    def _worse_at_random(self, kind: str) -> bool:
        """Return whether the most layers end higher from random weights than from an identity."""
        random, identity = (
            median(run["loss"][-1] for run in self.of(start, max(self.added)))
            for start in STARTS if start.startswith(kind)
        )  # fmt: skip
        return bool(random > identity)

    def _in_short(self) -> str:
        """Say which starts end above the shallow network where the most layers are added."""
        most = max(self.added)
        above = {
            start: [run["loss"][-1] > run["shallow"] for run in self.of(start, most)]
            for start in STARTS
        }
        both = [
            all(above["plain, random"]),
            not any(above["residual, F = 0"]), not any(above["residual, random"]),
        ]  # fmt: skip
        told = "; ".join(f"{start}, in {self._above(start, most)}" for start in STARTS)
        return in_short(
            on_one_side(both),
            f"{2 * most} added layers end with a higher loss than the network without them: {told}",
        )

    def plot(self) -> Plot:
        """Return the training loss while the added layers are trained."""
        import viz

        panels = {
            f"{2 * added} layers added": {
                start: [run["loss"] for run in self.of(start, added)] for start in STARTS
            }
            for added in self.added
        }
        return viz.plot_series(
            panels, x="step", y="loss on the training part", at=self.cells[0]["at"], log=True,
            title=f"Added layers train well from the identity, badly at random: {self.data.said}"
            if all(self._worse_at_random(kind) for kind in ("plain", "residual"))
            else f"Layers added to a network trained on {self.data.said}",
        )  # fmt: skip


def identity_mapping(
    copied: int | None = None, added: Sequence[int] | None = None, steps: int | None = None,
    batch: int | None = None, runs: int | None = None, data: str | os.PathLike[str] = "digits",
    limit: int | None = None, quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> IdentityMapping:  # fmt: skip
    """Add layers to trained networks, and train these alone.

    On the digits it takes about two minutes on one core.

    Source: He et al. 2015, Deep Residual Learning, sections 1 and 3.1.

    Args:
        copied: blocks of the shallow network, of two layers each; 3 where left out.
        added: for each network the number of blocks put behind them; 3, 12 and 24 where left out.
        steps, batch: of the shallow network's training, and of the added layers'; 300 steps of
            64 images where left out.
        runs: repetitions, with seeds from ``seed`` on; 3 where left out.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        quick: two runs of 60 steps, 2 blocks, and 2 and 8 more, where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each network; no number
            depends on it.
        folder: where to keep finished networks, and to take those from that are kept.

    Raises:
        UsageError: a number is out of its bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: networks are missing, for instance because a training diverged.

    >>> found = identity_mapping(copied=1, added=(1,), steps=3, runs=1)
    >>> [found.of(start, 1)[0]["distance"][0] for start in ("plain, identity", "residual, F = 0")]
    [0.0, 0.0]
    """
    name = "identity_mapping"
    setting = settled(
        name, SETTINGS, quick, copied=copied, added=added, steps=steps, batch=batch, runs=runs
    )
    numbers = seeds(name, seed, setting.pop("runs"))
    source = given(name, data, limit, numbers[0])
    cells = grid(
        start=list(STARTS),
        added=setting["added"],
        seed=numbers,
        data=[source.cell],
        **{key: [setting[key]] for key in ("copied", "steps", "batch")},
    )
    done = sweep(deepened, cells, executor, folder, "identity mapping, networks")
    return IdentityMapping(
        **setting, seeds=numbers, quick=bool(quick), data=source,
        cells=beside(cells, ("start", "added", "seed"), done),
    )  # fmt: skip


def deepened(
    start: str, copied: int, added: int, steps: int, batch: int, seed: int,
    data: Mapping[str, Any] = DIGITS.cell,
) -> dict[str, Any]:  # fmt: skip
    """Train a network, add layers, and train these.

    Returns:
        ``shallow``, the trained network's loss on the training part; ``at``, steps of the second
        training, and ``loss``, the losses there; ``train`` and ``test``, the errors in the end in
        percent; ``distance``, ||A(h) - h|| / ||h|| of all added layers before and after.
    """
    found = images(data, seed)
    make, prepare = STARTS[start]
    rng = np.random.default_rng(seed)
    shallow = make(copied, math.prod(found.shape), found.classes, width=WIDTH, rng=rng)
    fit(
        shallow, found, Adam(shallow.parameters(), lr=1e-3), steps=steps, batch=batch, seed=seed,
        progress=False,
    )  # fmt: skip
    tail = make(added, width=WIDTH, rng=rng).body
    if prepare is not None:
        prepare(tail)
    kept = copy.deepcopy(shallow)
    network = Network(start, kept.stem, Sequential(*kept.body, *tail), kept.head)
    losses = [_loss(network, found)]
    before = _distance(shallow, tail, found)

    def evaluate(network: Module) -> float:
        losses.append(_loss(network, found))
        return losses[-1]

    went = fit(
        network, found, Adam(tail.parameters(), lr=1e-3), steps=steps, batch=batch, seed=seed + 1,
        evaluate=evaluate, evaluate_every=max(1, steps // POINTS), progress=False,
    )  # fmt: skip
    network.eval()
    return {
        "shallow": _loss(shallow, found), "at": [0, *sorted(went.evaluations)], "loss": losses,
        **errors_of(network, found), "distance": [before, _distance(shallow, tail, found)],
    }  # fmt: skip


def _loss(network: Module, data: Images) -> float:
    return float(mean_loss(network, data.train_x, data.train_y, cross_entropy))


def _distance(shallow: Network, tail: Sequential, data: Images) -> float:
    """Return how far the added layers are from the identity, relative to their input."""
    with no_grad():
        h = shallow.body(shallow.stem(tensor(data.train_x)))
        difference = (tail(h) - h).numpy()
    return float(np.linalg.norm(difference) / np.linalg.norm(h.numpy()))
