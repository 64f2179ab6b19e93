"""Path lengths in CIFAR's ResNets, after Veit et al. 2016, section 5 and figure 6.

Their argument has three steps.  Path lengths of n residual units are binomial.  The gradient
along a single path falls off exponentially with its length.  So the product of both, taken
for what all paths of a length contribute, lives on short paths: of 54 units on 5 to 17, which are
0.45 % of all paths.  The product is an estimate (see ``lengths``): it adds the norms of gradients
that cancel.  Here it stands beside what the paths of each length contribute exactly, in a
network of as many units, pre-activated as theirs are, before and after a training.

Normalisation uses the batch's statistics, as in training, so that the gradient is the one a
step is made of.  Its derivative is part of every branch that it stands in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

from ..errors import UsageError
from ..optim import constant_lr, product
from ..training import fit
from .effective_paths import measured
from .lengths import Lengths
from .lesion_study import ARRANGEMENT
from .recipe import check_depths, drawn, optimizer_of, schedule_of
from .resnet_lengths_report import ResNetPathLengths
from .settings import seeds, settled
from .sources import DIGITS, given
from .sweep import sweep

SETTINGS = {
    False: {"depth": 110, "steps": 420, "samples": 30, "batch": 32, "runs": 3},
    True: {"depth": 32, "steps": 21, "samples": 4, "batch": 16, "runs": 1},
}
"""What is meant where left out, and where it is left out of a quick run.

The full run takes about ten minutes on two cores, the quick one seconds.  In networks of few
units, 6 for instance, the gradient along one path grows with its length instead.
"""


def resnet_path_lengths(
    depth: int | None = None, steps: int | None = None, samples: int | None = None,
    batch: int | None = None, runs: int | None = None, data: str | os.PathLike[str] = "digits",
    limit: int | None = None, quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> ResNetPathLengths:  # fmt: skip
    """Weigh the paths of a ResNet by the residual units they cross, before and after training.

    Args:
        depth: weight layers, 6n + 2; 110 where left out, which has 54 units.
        steps: of training in batches of 64, as ``recipe`` says, the first tenth of
            them with a tenth of the learning rate, with which He et al. 2015 warm up 110 layers.
        samples: single paths to sample for each length.
        batch: held-out images that the gradient is taken on.
        runs: repetitions, with seeds from ``seed`` on.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        quick: a small network, and less of all, where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each seed; no number
            depends on it.
        folder: where to keep finished runs, and to take those from that are kept.

    Raises:
        UsageError: an argument is out of its bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: runs are missing, for instance because training diverged.

    >>> found = resnet_path_lengths(depth=8, steps=1, samples=1, batch=8, runs=1)
    >>> found.after[0].counts
    {0: 1, 1: 3, 2: 3, 3: 1}
    """
    name = "resnet_path_lengths"
    chosen = settled(
        name, SETTINGS, quick, depth=depth, steps=steps, samples=samples, batch=batch, runs=runs
    )
    check_depths(name, (chosen["depth"],))
    numbers = seeds(name, seed, chosen.pop("runs"))
    source = given(name, data, limit, numbers[0], pixels=True)
    if not 2 <= chosen["batch"] <= source.test:
        raise UsageError(
            f"{name}: batch={chosen['batch']}: there are {source.test} held-out images: use 2 to "
            f"{source.test}"
        )
    cells = [{**chosen, "seed": number, "data": source.cell} for number in numbers]
    done = sweep(_run, cells, executor, folder, "path lengths, runs")
    before, after = (
        tuple(Lengths.from_plain(one[stage]) for one in done) for stage in ("before", "after")
    )
    errors = tuple(one["error"] for one in done)
    return ResNetPathLengths(**chosen, seeds=numbers, quick=bool(quick), errors=errors,
                             before=before, after=after, data=source)  # fmt: skip


def _run(
    depth: int, steps: int, samples: int, batch: int, seed: int,
    data: Mapping[str, Any] = DIGITS.cell,
) -> dict[str, Any]:  # fmt: skip
    """Measure one network before and after training."""
    found, network, _ = drawn("convolutional", depth, "identity", ARRANGEMENT, seed, data)
    before = measured(network, found, batch, samples, seed)
    went = fit(
        network, found, optimizer_of("convolutional", network), steps=steps, seed=seed,
        schedule=product(constant_lr(0.1, steps // 10), schedule_of(steps)), progress=False,
    )  # fmt: skip
    after = measured(network, found, batch, samples, seed)
    return {"error": 1 - went.score, "before": before.plain(), "after": after.plain()}
