"""The ImageNet networks: residual, densely connected, and plain as VGG built them.

The paths from the logits back to the image, z standing for one weight layer crossed, are
counted by the product of one factor for each block:

====================  ===========================
imagenet_resnet, 18   z^2 (1 + z^2)^5 (z + z^2)^3
imagenet_resnet, 50   z^2 (1 + z^3)^12 (z + z^3)^4
densenet, 121         z^5 (1 + z^2)^58
vgg, 16               z^16
====================  ===========================

The degree of such a polynomial is the depth that the network is called by.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..errors import UsageError
from ..nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    DenseBlock,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
    Transition,
    he_normal,
)
from ..nn.layers import Random
from .network import Network
from .units import ARRANGEMENTS, chosen, convolutions, parts, unit

IMAGENET_RESNETS = {
    18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3),
}  # fmt: skip
"""Units in each of the four stages."""

DENSENETS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
"""Layers in each of the four dense blocks."""

VGGS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions in each of the five stages."""


def _known(name: str, depth: int, depths: Collection[int]) -> None:
    if depth not in depths:
        raise UsageError(
            f"{name}: there is no depth {depth}; use {', '.join(map(str, depths))}"
        )  # fmt: skip


def _stem(channels: int, rng: np.random.Generator) -> Sequential:
    """Return 64 channels at a quarter of the size."""
    layers = convolutions(channels, [(64, 7, 2)], ARRANGEMENTS["original"], rng)
    return Sequential(*layers, ReLU(), MaxPool2d(3, 2, 1))


def imagenet_resnet(
    depth: int = 50, channels: int = 3, classes: int = 1000, rng: Random = None, *,
    shortcut: str = "projection", arrangement: str = "original",
) -> Network:  # fmt: skip
    """Return the ImageNet network of He et al. 2015, table 1.

    A 7x7 convolution and max pooling, then four stages of residual units with 64, 128,
    256 and 512 channels, then global average pooling and a linear layer.  Up to depth 34 a
    branch is two 3x3 convolutions; from 50 on it is a bottleneck: 1x1, 3x3 (which takes the
    stride, as in PyTorch's networks), and 1x1 to four times the channels.  Where the shape
    changes, the shortcut is a projection, a weight layer itself.

    Args:
        depth: the number of weight layers on the longest path: 18, 34, 50, 101, 152.
        channels: the images' channels.
        classes: the number of logits.
        rng: draws the initial weights: a generator or a seed.
        shortcut: a word of ``nets.SHORTCUTS``; ``"none"`` gives the plain network.
        arrangement: a word of ``nets.ARRANGEMENTS``, treated as in ``nets.resnet``.

    Raises:
        UsageError: the depth is another one, or a word is unknown.

    >>> imagenet_resnet(18).size()
    11689512
    """
    _known("imagenet_resnet", depth, IMAGENET_RESNETS)
    order = chosen("imagenet_resnet", arrangement, shortcut)
    rng = np.random.default_rng(rng)
    blocks: list[Module] = []
    inputs = 64
    for stage, repetitions in enumerate(IMAGENET_RESNETS[depth]):
        width = 64 * 2**stage
        for i in range(repetitions):
            stride = 2 if stage and not i else 1
            layers = [(width, 3, stride), (width, 3, 1)]
            if depth >= 50:
                layers = [(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)]
            here = order if blocks else order._replace(before="")
            blocks.append(unit(inputs, layers, here, shortcut, rng))
            inputs = layers[-1][0]
    stem = _stem(channels, rng)
    head = [*parts(order.before, inputs), GlobalAvgPool(), Linear(inputs, classes, rng=rng)]
    name = f"{'pre' if order.before else ''}{'plain' if shortcut == 'none' else 'resnet'}{depth}"
    return Network(f"imagenet-{name}", stem, Sequential(*blocks), Sequential(*head))


def densenet(
    depth: int = 121, channels: int = 3, classes: int = 1000, rng: Random = None
) -> Network:
    """Return the ImageNet network of Huang et al. 2017, table 1, of growth rate 32.

    A 7x7 convolution and max pooling, then four dense blocks with transitions between
    them that halve channels and size, then global average pooling and a linear layer.

    Args:
        depth: the number of weight layers on the longest path: 121, 169, 201.
        channels: the images' channels; their height and width are at least 29.
        classes: the number of logits.
        rng: draws the initial weights: a generator or a seed.

    Raises:
        UsageError: the depth is another one.

    >>> densenet(121).size()
    7978856
    """
    _known("densenet", depth, DENSENETS)
    rng = np.random.default_rng(rng)
    body: list[Module] = []
    width = 64
    for layers in DENSENETS[depth]:
        if body:
            body.append(Transition(width, width // 2, rng=rng))
            width //= 2
        block = DenseBlock(layers, width, rng=rng)
        body.append(block)
        width = block.outputs
    head = Sequential(BatchNorm2d(width), ReLU(), GlobalAvgPool(), Linear(width, classes, rng=rng))
    return Network(f"densenet{depth}", _stem(channels, rng), Sequential(*body), head, smallest=29)


def vgg(
    depth: int = 16, channels: int = 3, classes: int = 1000, rng: Random = None, *,
    norm: bool = False, hidden: int = 4096, pool: int = 7,
) -> Network:  # fmt: skip
    """Return the plain network of Simonyan & Zisserman 2015, table 1.

    Five stages of 3x3 convolutions with 64 to 512 channels, each behind a ReLU and each stage
    ended by max pooling, then three linear layers.  There is one path, through every weight.

    Args:
        depth: the number of weight layers: 11, 13, 16, 19.
        channels: the images' channels; their height and width are at least 32.
        classes: the number of logits.
        rng: draws the initial weights and dropout: a generator or a seed.
        norm: whether convolutions are followed by batch normalisation.
        hidden: the width of the linear layers; 512 with ``pool=1`` suits CIFAR's images.
        pool: the height and width that the last images are brought to before these.

    Raises:
        UsageError: the depth is another one.

    >>> vgg(11, classes=10, hidden=512, pool=1).size()
    9750922
    """
    _known("vgg", depth, VGGS)
    rng = np.random.default_rng(rng)
    blocks: list[Sequential] = []
    inputs = channels
    for stage, repetitions in enumerate(VGGS[depth]):
        width = min(64 * 2**stage, 512)
        for i in range(repetitions):
            convolution = Conv2d(inputs, width, 3, padding=1, rng=rng, draw=he_normal)
            layers: list[Module] = [convolution, *parts("br" if norm else "r", width)]
            if i == repetitions - 1:
                layers.append(MaxPool2d(2))
            blocks.append(Sequential(*layers))
            inputs = width
    head = Sequential(
        AdaptiveAvgPool2d(pool), Flatten(),
        Linear(inputs * pool * pool, hidden, rng=rng), ReLU(), Dropout(rng=rng),
        Linear(hidden, hidden, rng=rng), ReLU(), Dropout(rng=rng), Linear(hidden, classes, rng=rng),
    )  # fmt: skip
    name = f"vgg{depth}{'-bn' * norm}"
    return Network(name, blocks[0], Sequential(*blocks[1:]), head, smallest=32)
