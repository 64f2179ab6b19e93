"""Fully connected networks: with shortcuts, without, and for regression.

With z for one weight layer crossed, a residual MLP of n blocks counts its paths by
z^2 (1 + z^2)^n, a plain one by z^(2n + 2), and the regression network by z + z^2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..nn import (
    Flatten,
    Identity,
    Linear,
    Module,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    he_normal,
    scale_branches,
)
from ..nn.initialisations import Draw
from ..nn.layers import Random
from ..whole_numbers import at_least
from .network import Network

Activation = Callable[[], Module]


def residual_mlp(
    blocks: int = 3, inputs: int = 64, classes: int = 10, width: int = 64, rng: Random = None, *,
    preactivation: bool = False, activation: Activation = ReLU, draw: Draw = he_normal,
    branches: str | float = "scaled",
) -> Network:  # fmt: skip
    """Return an MLP of two-layer residual blocks, h + W'' relu(W' h).

    Args:
        blocks: how many.
        inputs, classes, width: the lengths of input, output and all layers between.
        rng: draws the initial weights: a generator or a seed.
        preactivation: blocks are h + W'' relu(W' relu(h)), and the stem has no activation, so
            that the shortcuts are plain wires from its weight to the head.
        activation: makes one.
        draw: how the branches' weights are drawn.
        branches: how much smaller the second ones start, as for ``nn.scale_branches``; divided
            by the square root of the number of blocks where left out, so that activations keep
            their size at any depth.

    Raises:
        UsageError: there is no block, or ``branches`` is an unknown word.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor(np.ones((1, 64)), requires_grad=True)
    >>> tg.paths(residual_mlp(3)(x), x, cotangent=np.ones((1, 10))).count_by("weight")
    {2: 1, 4: 3, 6: 3, 8: 1}
    """
    rng = np.random.default_rng(rng)
    body = []
    for first, second in _pairs("residual-mlp", blocks, width, rng, draw):
        before = [activation()] if preactivation else []
        body.append(Residual(Sequential(*before, first, activation(), second)))
    network = _network(
        "preactivation-mlp" if preactivation else "residual-mlp", body, inputs, classes, width,
        rng, activation, preactivation,
    )  # fmt: skip
    scale_branches(network, branches)
    return network


def plain_mlp(
    blocks: int = 3, inputs: int = 64, classes: int = 10, width: int = 64, rng: Random = None, *,
    activation: Activation = ReLU, draw: Draw = he_normal,
) -> Network:  # fmt: skip
    """Return the same MLP without shortcuts: relu(W'' relu(W' h)) in each block.

    Arguments and errors are those of ``residual_mlp``.
    """
    rng = np.random.default_rng(rng)
    body = [
        Sequential(first, activation(), second, activation())
        for first, second in _pairs("plain-mlp", blocks, width, rng, draw)
    ]
    return _network("plain-mlp", body, inputs, classes, width, rng, activation, False)


def _pairs(
    name: str, blocks: int, width: int, rng: np.random.Generator, draw: Draw
) -> list[tuple[Linear, Linear]]:
    """Return two layers for each block."""
    at_least(1, name, "blocks", blocks)
    pairs = []
    for _ in range(blocks):
        pair = Linear(width, width, rng=rng), Linear(width, width, rng=rng)
        for layer in pair:
            layer.weight.data = draw(rng, layer.weight.shape)
        pairs.append(pair)
    return pairs


def _network(
    name: str, body: list[Residual] | list[Sequential], inputs: int, classes: int, width: int,
    rng: np.random.Generator, activation: Activation, preactivation: bool,
) -> Network:  # fmt: skip
    stem: list[Module] = [Flatten(), Linear(inputs, width, rng=rng)]
    head: list[Module] = [Linear(width, classes, rng=rng)]
    if preactivation:
        head.insert(0, activation())
    else:
        stem.append(activation())
    return Network(name, Sequential(*stem), Sequential(*body), Sequential(*head))


def skip_regression(
    inputs: int, outputs: int = 1, hidden: int = 8, rng: Random = None, *,
    activation: Activation = Tanh,
) -> Network:  # fmt: skip
    """Return a regression network with a skip layer: x A + b, and hidden units beside it.

    Without hidden units it is the linear model; with them it is a linear model and a
    perturbation, W'' tanh(W' x + b'), that training may bring to nothing.  The skip layer is the
    shortcut of the only block, ``body[0].shortcut``, with bias; what the hidden units add has none.

    Args:
        inputs, outputs: the lengths of input and output.
        hidden: the number of hidden units, from 0.
        rng: draws the initial weights: a generator or a seed.
        activation: makes that of the hidden units.

    Raises:
        UsageError: a number is too small.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor(np.ones((1, 3)), requires_grad=True)
    >>> tg.paths(skip_regression(3)(x), x, cotangent=[[1.0]]).count_by("weight")
    {1: 1, 2: 1}
    >>> skip_regression(3, hidden=0).size()
    4
    """
    at_least(0, "skip_regression", "hidden", hidden)
    rng = np.random.default_rng(rng)
    linear: Module = Linear(inputs, outputs, rng=rng)
    if hidden:
        first, second = Linear(inputs, hidden, rng=rng), Linear(hidden, outputs, False, rng=rng)
        linear = Residual(Sequential(first, activation(), second), linear)
    return Network("skip-regression", Identity(), Sequential(linear), Identity())
