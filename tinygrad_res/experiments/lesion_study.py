"""Lesions: layers deleted and swapped in trained networks, after Veit et al. 2016, section 4.

A plain network is one path, and every layer lies on it.  Of the 2^n paths of a residual network
of n units half avoid any one unit, and stay as they were when it goes.  So if the paths work
together as an ensemble does, error grows smoothly with the number of units that are deleted.

Their units are pre-activated, and so are the convolutional ones here.  A unit is deleted by
leaving out its branch: what remains is its shortcut, and the activation behind the sum, where
there is one.  A layer of the plain network, with its normalisation and activation, becomes the
identity, or where the shape changes option A's shortcut, which is what remains of a residual
unit there, too.  Nothing is trained afterwards; normalisations keep their running averages.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from .. import no_grad, tensor
from ..data import Images
from ..errors import UsageError
from ..nets import Network
from ..nn import Conv2d, Linear, Module, PadShortcut, Residual, Sequential
from ..training import EVALUATION_BATCH, fit
from ..whole_numbers import at_least
from .lesion_report import Lesioned, Lesions
from .recipe import FAMILIES, check_depths, drawn, optimizer_of, schedule_of
from .settings import seeds, settled
from .sources import DIGITS, given
from .sweep import sweep

SWAPS = (0, 1, 2, 4, 8, 16, 32)
"""How many pairs are swapped, one after the other."""

SETTINGS: dict[bool, dict[str, Any]] = {
    False: {"family": "convolutional", "depth": 56, "steps": 420, "draws": 8, "runs": 5},
    True: {"family": "fully connected", "depth": 26, "steps": 105, "draws": 4, "runs": 3},
}
"""What is meant where left out, and where it is left out of a quick run.

The full run takes five to ten minutes on two cores, the quick one seconds.
"""

ARRANGEMENT = "full-preactivation"
"""Of the residual units: a branch is W'' relu(BN(W' relu(BN(x)))), and a shortcut a plain wire."""

Way = Callable[[Any], Any]


def lesions(
    family: str | None = None, depth: int | None = None, plain_depth: int = 14,
    steps: int | None = None, draws: int | None = None, runs: int | None = None,
    data: str | os.PathLike[str] = "digits", limit: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Lesions:  # fmt: skip
    """Delete and swap layers of residual and plain trained networks.

    Args:
        family: ``"convolutional"``, CIFAR's ResNet and the same layers without shortcuts, or
            ``"fully connected"``.
        depth: weight layers of the residual network, 6n + 2: 14, 20, 26, ...; two in each unit.
        plain_depth: weight layers of the plain network, 6n + 2: 8, 14, ...; all but the first and
            the last are for deletion.
        steps: of training, in batches of 64, as ``recipe`` says.
        draws: random choices for each number of deleted or swapped units.
        runs: repetitions, with seeds from ``seed`` on.
        data, limit: what to train on, and the most images to take, as for ``sources.given``.
        quick: MLPs, and less of all, where left out.
        seed: of the first run.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each network and seed; no number
            depends on it.
        folder: where to keep finished networks' numbers, and to take those from that are kept.

    Raises:
        UsageError: an argument is out of its choices or bounds.
        DataError: there are no such images, or not the official ones.
        SweepError: runs are missing, for instance because training diverged.

    >>> found = lesions("fully connected", depth=14, plain_depth=8, steps=1, draws=1, runs=1)
    >>> [len(one.single) for one in found.residual + found.plain]
    [6, 6]
    """
    default = SETTINGS[bool(quick)]
    family = default["family"] if family is None else family
    if family not in FAMILIES:
        raise UsageError(f"lesions: family={family!r}: use {', '.join(FAMILIES)}")
    chosen = settled(
        "lesions", SETTINGS, quick, depth=depth, steps=steps, draws=draws, runs=runs
    )  # fmt: skip
    check_depths("lesions", (chosen["depth"], at_least(8, "lesions", "plain_depth", plain_depth)))
    if chosen["depth"] < 14:
        raise UsageError("lesions: depth=8: no two units can be swapped: use 14, 20, 26, ...")
    runs, steps, draws = chosen["runs"], chosen["steps"], chosen["draws"]
    numbers = seeds("lesions", seed, runs)
    source = given("lesions", data, limit, numbers[0], pixels=family == "convolutional")
    cells = [
        {"family": family, "depth": layers, "shortcut": shortcut, "steps": steps,
         "draws": draws, "seed": number, "data": source.cell}
        for shortcut, layers in (("identity", chosen["depth"]), ("none", plain_depth))
        for number in numbers
    ]  # fmt: skip
    done = [Lesioned.from_plain(one) for one in sweep(_run, cells, executor, folder, "lesions")]
    residual, plain = tuple(done[:runs]), tuple(done[runs:])
    return Lesions(family, numbers, steps, draws, bool(quick), residual, plain, source)


def _run(
    family: str, depth: int, shortcut: str, steps: int, draws: int, seed: int,
    data: Mapping[str, Any] = DIGITS.cell,
) -> dict[str, Any]:  # fmt: skip
    """Train one network and hurt it in all ways."""
    arrangement = "original" if shortcut == "none" else ARRANGEMENT
    found, network, _ = drawn(family, depth, shortcut, arrangement, seed, data)
    fit(
        network, found, optimizer_of(family, network), steps=steps, seed=seed,
        schedule=schedule_of(steps), progress=False,
    )  # fmt: skip
    network.eval()
    blocks = list(network.body) if shortcut == "identity" else layers(network)
    error = functools.partial(_error, network, found)
    orders = [
        [reordered(blocks, k, np.random.default_rng((k, draw))) for draw in range(draws)]
        for k in SWAPS
    ]
    return {
        "name": network.name,
        "changes": [changes_shape(block) for block in blocks],
        "intact": error(blocks),
        "single": [error(without(blocks, [i])) for i in range(len(blocks))],
        "deleted": [
            [error(without(blocks, chosen(len(blocks), d, draw))) for draw in range(draws)]
            for d in range(len(blocks) // 2 + 1)
        ],
        "swaps": list(SWAPS),
        "taus": [[tau(order) for order in row] for row in orders],
        "swapped": [[error([blocks[i] for i in order]) for order in row] for row in orders],
    }


def chosen(of: int, number: int, draw: int) -> list[int]:
    """Return the numbers that a draw deletes: the same for all networks of this length.

    >>> sorted(chosen(4, 4, draw=0))
    [0, 1, 2, 3]
    """
    return [int(i) for i in np.random.default_rng((number, draw)).permutation(of)[:number]]


def layers(network: Network) -> list[Sequential]:
    """Return a plain network's body in parts: each weight layer, and what follows it.

    >>> import tinygrad_res as tg
    >>> len(layers(tg.nets.plain_mlp(3)))
    6
    """
    found: list[list[Module]] = []
    for block in network.body:
        for module in block.modules():
            if isinstance(module, (Conv2d, Linear)):
                found.append([])
            if not isinstance(module, Sequential):
                found[-1].append(module)
    return [Sequential(*layer) for layer in found]


def changes_shape(block: Any) -> bool:
    """Say whether what leaves a unit or layer has another shape than what enters it."""
    if isinstance(block, Residual):
        return block.shortcut is not None
    return _stride(block) > 1 or block[0].weight.shape[0] != block[0].weight.shape[1]


def without(blocks: Sequence[Any], deleted: Collection[int]) -> list[Way]:
    """Return the ways through a body some of whose units or layers are deleted."""
    return [functools.partial(bypass, b) if i in deleted else b for i, b in enumerate(blocks)]


def bypass(block: Any, x: Any) -> Any:
    """Return what leaves a deleted unit or layer that ``x`` enters.

    >>> import tinygrad_res as tg
    >>> bypass(tg.nn.Residual(tg.nn.Linear(2, 2), after=tg.nn.ReLU()), tg.tensor([[1.0, -1.0]]))
    tensor([[1., 0.]])
    """
    if isinstance(block, Residual):
        outer = x if block.shortcut is None else block.shortcut(x)
        return outer if block.after is None else block.after(outer)
    if not changes_shape(block):
        return x
    outputs, inputs = block[0].weight.shape[:2]
    return PadShortcut(_stride(block), outputs - inputs)(x)


def reordered(blocks: Sequence[Any], swaps: int, rng: np.random.Generator) -> list[int]:
    """Return the numbers of the units, after swapping so many random pairs of the same shape.

    Units that change the shape stay where they are (Veit et al. 2016, section 4.3), so pairs
    are of units between two of these.
    """
    stages = np.cumsum([changes_shape(block) for block in blocks])
    pairs = [
        (i, j) for i, j in itertools.combinations(range(len(blocks)), 2)
        if stages[i] == stages[j] and not changes_shape(blocks[i])
    ]  # fmt: skip
    order = list(range(len(blocks)))
    for i, j in rng.choice(pairs, swaps):
        order[i], order[j] = order[j], order[i]
    return order


def tau(order: Sequence[int]) -> float:
    """Return Kendall's tau between an order and the ascending one: 1 for it, -1 for its reverse.

    >>> tau([0, 1, 2]), tau([2, 1, 0])
    (1.0, -1.0)
    """
    return float(kendalltau(range(len(order)), order).statistic)


def _stride(layer: Any) -> int:
    return int(layer[0].geometry["stride"]) if isinstance(layer[0], Conv2d) else 1


def _error(network: Network, data: Images, ways: Sequence[Way]) -> float:
    """Return the share of the test images that are classified wrongly."""
    wrong = 0
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):  # a lesion may blow up
        for start in range(0, len(data.test_y), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            h = network.stem(tensor(data.test_x[part]))
            for way in ways:
                h = way(h)
            wrong += int((network.head(h).numpy().argmax(axis=1) != data.test_y[part]).sum())
    return wrong / len(data.test_y)
