"""The training that experiments share: one network and one seed on labelled images.

As He et al. 2015, section 4.2, train their CIFAR networks: SGD with momentum 0.9, weight decay
1e-4 and a learning rate of 0.1, a tenth of it from half of the steps on and a hundredth from
three quarters.  Fully connected networks hold no normalisation, and train with Adam at 1e-3 and
the same schedule, since such a rate breaks them.  Images are neither shifted nor mirrored: a
mirrored digit is none, and others are treated alike.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..data import Images
from ..errors import UsageError
from ..nets import Network, plain_mlp, residual_mlp, resnet
from ..nn import BatchNorm2d, Linear, Module
from ..optim import SGD, Adam, Optimizer, Schedule, multi_step_lr
from ..record import no_grad
from ..tensor import tensor
from ..training import accuracy, fit
from .sources import DIGITS, images

FAMILIES = {
    "convolutional": "3x3 convolutions with batch normalisation, 16, 32 and 64 channels",
    "fully connected": "width 64, without normalisation",
}
MEASURED_ON = 256
"""Training images that responses are measured on."""


def check_depths(name: str, depths: tuple[int, ...]) -> None:
    """Refuse depths that the convolutional networks do not have.

    Raises:
        UsageError: one is not 6n + 2 with n from 1.
    """
    for depth in depths:
        if depth < 8 or (depth - 2) % 6:
            raise UsageError(f"{name}: depth {depth} is not 6n + 2: use 8, 14, 20, 32, 44, 56")


def make(
    family: str, depth: int, shortcut: str, arrangement: str, rng: np.random.Generator,
    shape: tuple[int, ...] = DIGITS.shape, classes: int = DIGITS.classes,
) -> Network:  # fmt: skip
    """Return a network with ``depth`` weight layers on its longest path, for images of a shape."""
    if family == "convolutional":
        return resnet(depth, shape[0], classes, rng, shortcut=shortcut, arrangement=arrangement)
    make_mlp = plain_mlp if shortcut == "none" else residual_mlp
    return make_mlp((depth - 2) // 2, math.prod(shape), classes, rng=rng)


def drawn(
    family: str, depth: int, shortcut: str, arrangement: str, seed: int, data: Mapping[str, Any]
) -> tuple[Images, Network, np.random.Generator]:
    """Return what a cell begins with: its images, its network, and the generator that drew it.

    Args:
        family, depth, shortcut, arrangement: of the network, as for ``make``.
        seed: of the weights, and of the split into training and test part.
        data: the ``Source.cell`` of the images.

    >>> found, network, _ = drawn("fully connected", 8, "identity", "original", 0, DIGITS.cell)
    >>> found.shape, network.name
    ((1, 8, 8), 'residual-mlp')
    """
    found = images(data, seed)
    rng = np.random.default_rng(seed)
    network = make(family, depth, shortcut, arrangement, rng, found.shape, found.classes)
    return found, network, rng


def optimizer_of(family: str, network: Module) -> Optimizer:
    """Return the optimiser that a family is trained with."""
    if family == "convolutional":
        return SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    return Adam(network.parameters(), lr=1e-3)


def schedule_of(steps: int) -> Schedule:
    """Return the schedule: a tenth of the rate from half of the steps on, then a hundredth."""
    return multi_step_lr([steps // 2, 3 * steps // 4])


def errors_of(network: Module, data: Images) -> dict[str, float]:
    """Return the errors on the training part and on the test part in percent."""
    parts = {"train": (data.train_x, data.train_y), "test": (data.test_x, data.test_y)}
    return {part: 100 * (1 - accuracy(network, x, y)) for part, (x, y) in parts.items()}


def trained(
    family: str, depth: int, shortcut: str, arrangement: str, steps: int, batch: int, points: int,
    seed: int, data: Mapping[str, Any] = DIGITS.cell,
) -> dict[str, Any]:  # fmt: skip
    """Train one network, and return how it went and what it has become.

    Args:
        family: a word of ``FAMILIES``.
        depth, shortcut, arrangement: of the network, as for ``nets.resnet``.
        steps, batch: of the training.
        points: how often errors are measured, at equal distances.
        seed: of weights, order of the data, and split into training and test part.
        data: the ``Source.cell`` of the images.

    Returns:
        ``at``, the steps after which errors were measured; ``train`` and ``test``, the errors
        there in percent; ``loss``, the mean loss since the point before; ``responses``, of each
        weight layer within the blocks.
    """
    found, network, _ = drawn(family, depth, shortcut, arrangement, seed, data)
    errors: dict[str, list[float]] = {"train": [], "test": []}

    def evaluate(network: Module) -> float:
        for part, error in errors_of(network, found).items():
            errors[part].append(error)
        return errors["test"][-1]

    every = max(1, steps // points)
    went = fit(
        network, found, optimizer_of(family, network), steps=steps, batch=batch, seed=seed,
        schedule=schedule_of(steps), evaluate=evaluate,
        evaluate_every=every, progress=False,
    )  # fmt: skip
    at = sorted(went.evaluations)
    losses = [
        float(np.mean(went.losses[start:end])) for start, end in zip([0, *at[:-1]], at, strict=True)
    ]
    return {"at": at, **errors, "loss": losses, "responses": responses(network, found)}


def responses(network: Network, data: Images) -> list[float]:
    """Return the standard deviation of each layer's responses within the blocks.

    A layer's response is its output behind the batch normalisation, where there is one, and
    before the activation and the addition (He et al. 2015, figure 7), on training images and with
    their own statistics, since running averages lag behind so short a training.  The network is
    not to be used afterwards.
    """
    kind = BatchNorm2d if any(isinstance(m, BatchNorm2d) for m in network.modules()) else Linear
    found: list[float] = []
    for module in network.body.modules():
        if isinstance(module, kind):
            module.forward = functools.partial(_heard, module.forward, found)  # type: ignore[method-assign]
    with no_grad():
        network.train()(tensor(data.train_x[:MEASURED_ON]))
    return found


def _heard(forward: Callable[[Any], Any], found: list[float], x: Any) -> Any:
    out = forward(x)
    found.append(float(out.numpy().std()))
    return out
