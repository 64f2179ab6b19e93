"""Residual blocks in a row, a[l+2] = g(z[l+2] + a[l]): drawn, counted and trained.

g is a ReLU behind the sum, as in He et al. 2015, so a shortcut passes a ReLU in every block and
no weight in any.  Beside it the same layers without shortcuts are trained, of which the one
path crosses all.  Both start from He's weights; with shortcuts the last ones of each branch are
divided by the square root of the number of blocks, so that both start with outputs of a size.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import os
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Images
from ..nets import Network, plain_mlp
from ..nn import Residual, Sequential, scale_branches
from ..optim import Adam
from ..report import PathReport, examine
from ..training import Fit, fit
from .demonstration import Demonstration, apart, demonstrate, polynomial
from .one_thread import one_thread
from .settings import quickly
from .shortcuts import binomial
from .sources import DIGITS, Source, given, images

if TYPE_CHECKING:
    from viz import Figure

STEPS = {False: 300, True: 60}
"""Steps of training where left out, and in a quick run."""

LR, BATCH, MEASURED = 1e-3, 64, 64
"""Adam's learning rate, images in a step, and held-out ones that the gradient is split on."""


@dataclasses.dataclass(frozen=True)
class FiveBlocks(Demonstration):
    """What ``five_blocks`` shows.

    Attributes:
        data: what they were trained on.
    """

    data: Source = DIGITS

    called = "five_blocks"
    title = "Residual blocks in a row, a[l+2] = g(z[l+2] + a[l]): counted, weighed and trained"
    source = "He et al. 2015, section 3.2; Veit et al. 2016, section 3: n blocks have 2^n paths"

    def table(self) -> str:
        """Return the claims beside what was found."""
        steps, width = self.setting["steps"], self.setting["width"]
        lines = [
            f"trained on {self.data.said}: {steps} steps of {BATCH} images by Adam at {LR:g}, blocks of width {width}",
            *quickly(self.quick and steps < STEPS[False],
                     f"{steps} steps; after the {STEPS[False]} of the full setting more images are right"),
        ]  # fmt: skip
        return "\n".join([super().table(), *lines])

    def plot(self) -> Figure:
        """Return the first seed's network after training, which is repeated for it: its blocks,
        and how many paths cross so many weight layers, with the norm of what they carry.
        """
        import viz

        seed = self.seeds[0]
        found = images(self.data.cell, seed)
        with one_thread():  # as in the table
            network = residual(self.setting["blocks"], self.setting["width"], seed, found)
            _train(network, found, self.setting["steps"], seed)
            return viz.draw(examine(network, found, batch=MEASURED, progress=False).paths)


def five_blocks(
    blocks: int = 5, width: int = 32, steps: int | None = None, runs: int | None = None,
    data: str | os.PathLike[str] = "digits", limit: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> FiveBlocks:  # fmt: skip
    """Count the paths of residual blocks in a row, and train them, and a plain network beside.

    Args:
        blocks, width: of the network: each block has two layers of ``width`` units.
        steps: of training, with batches of 64; 300 where left out.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        runs, quick, seed, executor, folder: as for ``demonstrate``; quick runs take 60 steps.

    Raises:
        UsageError: a number is out of its bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: a training diverged.

    >>> shown = five_blocks(steps=1, runs=1)
    >>> {one.words: one.found[0] for one in shown.claims[:2]}
    {'paths between stem and classifier': 32, 'of these weight-free': 1}
    """
    steps = STEPS[bool(quick)] if steps is None else steps
    setting = {"blocks": blocks, "width": width, "steps": steps}
    source = given("five_blocks", data, limit, seed)
    shown = demonstrate(
        FiveBlocks, _trained, setting, runs, quick, seed, executor, folder, data=source.cell
    )
    return dataclasses.replace(shown, data=source)


def plain(blocks: int, width: int, seed: int, data: Images) -> Network:
    """Return ``nets.plain_mlp`` for these images."""
    return plain_mlp(blocks, math.prod(data.shape), data.classes, width, seed)


def residual(blocks: int, width: int, seed: int, data: Images) -> Network:
    """Return the layers of ``nets.plain_mlp``, two to a block, with a shortcut round each two."""
    without = plain(blocks, width, seed, data)
    body = []
    for block in without.body:
        *branch, after = (layer for _, layer in block.children())
        body.append(Residual(Sequential(*branch), after=after))
    network = Network("residual blocks", without.stem, Sequential(*body), without.head)
    scale_branches(network, "scaled")
    return network


def _trained(
    blocks: int, width: int, steps: int, seed: int, data: Mapping[str, Any] = DIGITS.cell
) -> dict[str, Any]:
    found = images(data, seed)
    network = residual(blocks, width, seed, found)
    computed, by_numpy = _outputs(network, found)
    before = examine(network, found, batch=MEASURED, progress=False)
    ours = _train(network, found, steps, seed)
    after = examine(network, found, batch=MEASURED, progress=False)
    without = plain(blocks, width, seed, found)
    theirs = _train(without, found, steps, seed)
    return {
        "claims": [
            ("paths between stem and classifier", 2**blocks, after.total),
            ("of these weight-free", 1, after.counts[0]),
            ("by weight layers crossed, z each", binomial(blocks, 2), polynomial(after.counts)),
            ("the same without shortcuts", f"z^{2 * blocks}",
             polynomial(examine(without, found, batch=2, progress=False).counts)),
            ("a[l+2] = g(z[l+2] + a[l]) by NumPy: largest difference of a logit", 0.0,
             apart(computed, by_numpy)),
            ("gradient summed by layers crossed, less backward's, before training", 0.0,
             before.error),
            ("gradient summed by layers crossed, less backward's, after training", 0.0,
             after.error),
            *_weighed("before", before),
            *_weighed("after", after),
            ("trained with shortcuts: loss of the last batch", None, ours.losses[-1]),
            ("trained without: loss of the last batch", None, theirs.losses[-1]),
            ("trained with shortcuts: held-out images right in %", None, 100 * ours.score),
            ("trained without: held-out images right in %", None, 100 * theirs.score),
        ],
        "sums": [],
    }  # fmt: skip


def _train(network: Network, data: Images, steps: int, seed: int) -> Fit:
    optimizer = Adam(network.parameters(), lr=LR)
    return fit(network, data, optimizer, steps=steps, batch=BATCH, seed=seed, progress=False)


def _weighed(when: str, report: PathReport) -> list[tuple[str, Any, Any]]:
    return [
        (f"weight-free path, {when} training: signed share of the gradient", None,
         report.shares[0]),
        (f"weight-free path, {when} training: norm over the gradient's", None,
         report.norms[0] / report.gradient_norm),
    ]  # fmt: skip


def _outputs(network: Network, data: Images) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits of some images: the network's, and those of the block's equation."""
    network = copy.deepcopy(network).to("cpu", "float64")
    x = data.test_x[:8].astype("float64")
    first, *inner, last = (
        (layer.weight.data, layer.bias.data) for layer in network.weight_layers()
    )
    a = np.maximum(x.reshape(8, -1) @ first[0].T + first[1], 0)
    for (w, b), (w_next, b_next) in zip(inner[::2], inner[1::2], strict=True):
        between = np.maximum(a @ w.T + b, 0)
        a = np.maximum(between @ w_next.T + b_next + a, 0)
    return network(x).data, a @ last[0].T + last[1]
