"""Effective path length: Veit et al.'s estimate beside the exact answer, on real digits.

Veit, Wilber & Belongie (2016, section 5, on short paths) took from their estimate
that a residual network of 54 blocks learns through paths of 5 to 17 blocks.  ``lengths``
says what the estimate leaves out.  Here both are measured on the same gradient, that of
the mean cross-entropy of one held-out batch by its images, before and after training and on
a deep random network.

The blocks are pre-activated (He et al. 2016, "Identity mappings"), h + W'' relu(W' relu(h)),
so shortcuts are plain wires and exactly one path crosses no branch.  They hold no
normalisation: its derivative mixes the images of a batch and shrinks with the
activations' size, so deeper branches would start out weaker, for a reason that is not the
paths.  Instead branches start at He's initialisation times ``gain``, 1 / sqrt(blocks)
where left out, and before training every branch multiplies a mean square by gain^2: the
setting of the closed form.
"""

from __future__ import annotations

import copy
import functools
import math
import os
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import asdict
from typing import Any

import numpy as np

from .. import Paths, paths, primitives, tensor
from ..data import Images
from ..errors import UsageError
from ..nets import Network, residual_mlp
from ..report import Training, train
from ..whole_numbers import at_least
from .length_report import EffectivePathLength
from .lengths import Lengths, path_lengths
from .sources import DIGITS, given, images
from .sweep import sweep

RANDOM_BLOCKS, RANDOM_GAIN = 54, 0.3

SETTINGS = {False: {"steps": 300, "samples": 50, "runs": 5},
            True: {"steps": 60, "samples": 4, "runs": 1}}  # fmt: skip
"""What is meant where left out, and where it is left out of a quick run."""


def effective_path_length(
    blocks: int = 24, width: int = 64, gain: float | None = None, steps: int | None = None,
    lr: float = 1e-3, batch: int = 64, samples: int | None = None, runs: int | None = None,
    data: str | os.PathLike[str] = "digits", limit: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> EffectivePathLength:  # fmt: skip
    """Measure effective path lengths before and after training, and on a random net.

    Args:
        blocks, width: of the residual MLP to train.
        gain: the factor on each branch's initial weights, 1 / sqrt(blocks) where left out.
        steps, lr, batch: training with Adam; as many held-out images are measured on.
        samples: single paths to sample for each length; 50 where left out.
        runs: repetitions, with seeds from ``seed`` on; 5 where left out.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        quick: make ``steps``, ``samples`` and ``runs`` small where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each seed; no number
            depends on it.
        folder: where to keep finished runs, and to take those from that are kept.

    Raises:
        UsageError: a number is out of its bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: runs are missing, for instance because training diverged.

    >>> found = effective_path_length(blocks=2, width=8, steps=0, samples=1, runs=1)
    >>> found.before[0].counts
    {0: 1, 1: 2, 2: 1}
    >>> found.before == found.after
    True
    """
    default = SETTINGS[bool(quick)]
    steps, samples, runs = (
        default[name] if value is None else value
        for name, value in (("steps", steps), ("samples", samples), ("runs", runs))
    )
    for name, value, least in (
        ("blocks", blocks, 1), ("width", width, 1), ("steps", steps, 0), ("batch", batch, 1),
        ("samples", samples, 1), ("runs", runs, 1), ("seed", seed, 0),
    ):  # fmt: skip
        at_least(least, "effective_path_length", name, value)
    gain = blocks**-0.5 if gain is None else gain
    for name, number in (("gain", gain), ("lr", lr)):
        if not (isinstance(number, (int, float)) and 0 < number < math.inf):
            raise UsageError(f"effective_path_length: {name} {number!r}: must be a positive number")
    source = given("effective_path_length", data, limit, seed)
    if batch > source.test:
        raise UsageError(
            f"effective_path_length: batch {batch}: there are {source.test} held-out images"
        )

    seeds = tuple(range(seed, seed + runs))
    setting = {"blocks": blocks, "width": width, "gain": float(gain), "steps": steps, "lr": lr,
               "batch": batch, "samples": samples, "deep": RANDOM_BLOCKS,
               "data": source.cell}  # fmt: skip
    cells = [{**setting, "seed": number} for number in seeds]
    done = sweep(_run, cells, executor, folder, "effective path lengths, runs")
    training = tuple(
        Training(**{**one["training"], "loss": tuple(one["training"]["loss"])}) for one in done
    )
    before, after, random = (
        tuple(Lengths.from_plain(one[stage]) for one in done)
        for stage in ("before", "after", "random")
    )
    return EffectivePathLength(
        blocks, width, float(gain), seeds, samples, batch, bool(quick),
        training, before, after, RANDOM_BLOCKS, RANDOM_GAIN, random, source,
    )  # fmt: skip


def _run(
    blocks: int, width: int, gain: float, steps: int, lr: float, batch: int, samples: int,
    deep: int, seed: int, data: Mapping[str, Any] = DIGITS.cell,
) -> dict[str, Any]:  # fmt: skip
    """Measure a network before and after training and a deep random one, all of one seed."""
    found = images(data, seed)
    measure = functools.partial(measured, data=found, batch=batch, samples=samples, seed=seed)
    make = functools.partial(mlp, shape=found.shape, classes=found.classes)
    network = make(blocks, width, gain, seed)
    before = measure(network)
    training = train(network, found, steps, batch=batch, lr=lr, seed=seed, progress=False)
    after = measure(network)
    random = measure(make(deep, width, RANDOM_GAIN, seed))
    return {
        "training": asdict(training), "before": before.plain(), "after": after.plain(),
        "random": random.plain(),
    }  # fmt: skip


def mlp(
    blocks: int, width: int, gain: float, seed: int, shape: tuple[int, ...] = DIGITS.shape,
    classes: int = DIGITS.classes,
) -> Network:  # fmt: skip
    """Return a pre-activated MLP whose branches multiply mean squares by gain^2."""
    return residual_mlp(
        blocks, math.prod(shape), classes, width, seed, preactivation=True, branches=gain
    )


def measured(network: Network, data: Images, batch: int, samples: int, seed: int) -> Lengths:
    """Weigh the paths of one network on held-out images, on a copy in float64."""
    make = functools.partial(
        loss_paths, copy.deepcopy(network).to("cpu", "float64"),
        data.test_x[:batch], data.test_y[:batch],
    )  # fmt: skip
    return path_lengths(make, samples, seed)


def loss_paths(network: Network, images: np.ndarray, labels: np.ndarray) -> Paths:
    """Return the paths of the mean cross-entropy of labelled images by the images, in float64."""
    x = tensor(images, requires_grad=True, name="x", dtype="float64")
    return paths(primitives.cross_entropy(network(x), labels), x)
