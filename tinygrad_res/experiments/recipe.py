"""The training that the experiments on depth share: one network, one seed, the digits.

As He et al. 2015, section 4.2, train their CIFAR networks: SGD with momentum 0.9, weight decay
1e-4 and a learning rate of 0.1, a tenth of it from half of the steps on and a hundredth from
three quarters.  Fully connected networks hold no normalisation, and train with Adam at 1e-3 and
the same schedule, since such a rate breaks them.  Images are neither shifted nor mirrored: a
mirrored digit is none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..data import Images, load
from ..errors import UsageError
from ..nets import Network, plain_mlp, residual_mlp, resnet
from ..nn import BatchNorm2d, Linear, Module
from ..optim import SGD, Adam, Optimizer, multi_step_lr
from ..record import no_grad
from ..tensor import tensor
from ..training import accuracy, fit

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
    family: str, depth: int, shortcut: str, arrangement: str, rng: np.random.Generator
) -> Network:
    """Return a network for the digits with ``depth`` weight layers on its longest path."""
    if family == "convolutional":
        return resnet(depth, 1, 10, rng, shortcut=shortcut, arrangement=arrangement)
    make_mlp = plain_mlp if shortcut == "none" else residual_mlp
    return make_mlp((depth - 2) // 2, rng=rng)


def optimizer_of(family: str, network: Module) -> Optimizer:
    """Return the optimiser that a family is trained with."""
    if family == "convolutional":
        return SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    return Adam(network.parameters(), lr=1e-3)


def trained(
    family: str, depth: int, shortcut: str, arrangement: str, steps: int, batch: int, points: int,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Train one network, and return how it went and what it has become.

    Args:
        family: a word of ``FAMILIES``.
        depth, shortcut, arrangement: of the network, as for ``nets.resnet``.
        steps, batch: of the training.
        points: how often errors are measured, at equal distances.
        seed: of weights, order of the data, and split into training and test part.

    Returns:
        ``at``, the steps after which errors were measured; ``train`` and ``test``, the errors
        there in percent; ``loss``, the mean loss since the point before; ``responses``, of each
        weight layer within the blocks.
    """
    data = load("digits", seed)
    network = make(family, depth, shortcut, arrangement, np.random.default_rng(seed))
    errors: dict[str, list[float]] = {"train": [], "test": []}

    def evaluate(network: Module) -> float:
        for part, found in errors.items():
            x, y = getattr(data, f"{part}_x"), getattr(data, f"{part}_y")
            found.append(100 * (1 - accuracy(network, x, y)))
        return errors["test"][-1]

    every = max(1, steps // points)
    went = fit(
        network, data, optimizer_of(family, network), steps=steps, batch=batch, seed=seed,
        schedule=multi_step_lr([steps // 2, 3 * steps // 4]), evaluate=evaluate,
        evaluate_every=every, progress=False,
    )  # fmt: skip
    at = sorted(went.evaluations)
    losses = [
        float(np.mean(went.losses[start:end])) for start, end in zip([0, *at[:-1]], at, strict=True)
    ]
    return {"at": at, **errors, "loss": losses, "responses": responses(network, data)}


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
