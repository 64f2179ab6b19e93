"""The CIFAR networks of He et al., with and without shortcuts.

The paths from the logits back to the image, z standing for one weight layer crossed, are
counted by z^2 (1 + z^2)^(3n) for depth 6n + 2: 2^(3n) paths, of which one crosses stem and
classifier alone.
"""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..nn import GlobalAvgPool, Linear, Module, Sequential
from ..nn.layers import Random
from ..whole_numbers import whole
from .network import Network
from .units import ARRANGEMENTS, chosen, convolutions, parts, unit

CIFAR_RESNETS = (20, 32, 44, 56, 110, 1202)


def resnet(
    depth: int = 20, channels: int = 3, classes: int = 10, rng: Random = None, *,
    shortcut: str = "identity", arrangement: str = "original",
) -> Network:  # fmt: skip
    """Return the CIFAR network of He et al. 2015, section 4.2, of depth 6n + 2.

    A 3x3 convolution, then 3n units of two 3x3 convolutions with 16, 32 and 64 channels, then
    global average pooling and a linear layer.  Shortcuts are of option A, without weights.

    With an arrangement of pre-activation the first unit takes the stem's activation for its
    own, and the head starts with the one that the last unit leaves open (He et al. 2016,
    appendix).

    Of depth 1202, forward and backward on two images of 32 x 32 take a process of 0.4 GB.

    Args:
        depth: the number of weight layers on the longest path: 8, 14, 20, 32, 44, 56, 110, 1202.
        channels: the images' channels.
        classes: the number of logits.
        rng: draws the initial weights: a generator or a seed.
        shortcut: a word of ``nets.SHORTCUTS``; ``"none"`` gives the plain network.
        arrangement: a word of ``nets.ARRANGEMENTS``.

    Raises:
        UsageError: the depth is not 6n + 2, or a word is unknown.

    >>> resnet(20).size()
    269722
    """
    if (whole(depth) or 0) < 8 or (depth - 2) % 6:
        raise UsageError(
            f"resnet: depth {depth!r} is not 6n + 2; use 8, 14, {', '.join(map(str, CIFAR_RESNETS))}"
        )
    order = chosen("resnet", arrangement, shortcut)
    rng = np.random.default_rng(rng)
    blocks: list[Module] = []
    inputs = 16
    for stage in (16, 32, 64):
        for i in range((depth - 2) // 6):
            stride = 2 if stage > 16 and i == 0 else 1
            here = order if blocks else order._replace(before="")
            blocks.append(unit(inputs, [(stage, 3, stride), (stage, 3, 1)], here, shortcut, rng))
            inputs = stage
    original = ARRANGEMENTS["original"]
    stem = [*convolutions(channels, [(16, 3, 1)], original, rng), *parts("r", 16)]
    head = [*parts(order.before, 64), GlobalAvgPool(), Linear(64, classes, rng=rng)]
    name = f"{'plain' if shortcut == 'none' else 'resnet'}{depth}"
    return Network(
        f"pre{name}" if order.before else name, Sequential(*stem), Sequential(*blocks),
        Sequential(*head),
    )  # fmt: skip
