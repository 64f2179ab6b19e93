"""The networks: plain and residual MLPs, and the ResNets of He et al. 2015 for small images.

Each is a ``Network`` of three parts, stem, body and head, because every gradient path
crosses the stem's and the head's weights: paths differ in the body alone, and there
they are counted.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .errors import UsageError
from .nn import (
    BatchNorm,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    Module,
    PadShortcut,
    ReLU,
    Residual,
    Sequential,
    he_normal,
)
from .tensor import Tensor


class Network(Module):
    """A stem, a body of blocks, and a head that gives the logits."""

    def __init__(self, name: str, stem: Module, body: Sequential, head: Module) -> None:
        self.name = name
        self.stem, self.body, self.head = stem, body, head
        for number, layer in enumerate(self.weight_layers()):
            layer.weight.name = f"W_{number}" if number < 10 else f"W_{{{number}}}"

    def forward(self, x: Any) -> Tensor:
        """Return logits (N, classes)."""
        return self.head(self.body(self.stem(x)))

    def weight_layers(self) -> list[Any]:
        """Return the linear and convolutional layers, from input to output."""
        return [m for m in self.modules() if isinstance(m, (Linear, Conv2d))]


def _mlp_branch(width: int, rng: np.random.Generator, scale: float) -> Sequential:
    first, second = Linear(width, width, rng=rng), Linear(width, width, rng=rng)
    for layer, factor in ((first, 1.0), (second, scale)):
        layer.weight.data = he_normal(rng, layer.weight.shape) * factor
    return Sequential(first, ReLU(), second)


def _mlp(
    name: str, residual: bool, blocks: int, inputs: int, classes: int, width: int,
    rng: np.random.Generator,
) -> Network:  # fmt: skip
    if blocks < 1:
        raise UsageError(f"{name}: needs at least 1 block, not {blocks}")
    scale = blocks**-0.5 if residual else 1.0
    branches = [_mlp_branch(width, rng, scale) for _ in range(blocks)]
    body = [Residual(b) if residual else Sequential(*b, ReLU()) for b in branches]
    stem = Sequential(Flatten(), Linear(inputs, width, rng=rng), ReLU())
    return Network(name, stem, Sequential(*body), Sequential(Linear(width, classes, rng=rng)))


def residual_mlp(
    blocks: int = 3, inputs: int = 64, classes: int = 10, width: int = 64,
    rng: np.random.Generator | None = None,
) -> Network:  # fmt: skip
    """Return an MLP of two-layer residual blocks, h + W'' relu(W' h).

    Branches start at He's initialisation divided by the square root of the number of
    blocks, so that activations keep their size at any depth.
    """
    rng = rng or np.random.default_rng()
    return _mlp("residual-mlp", True, blocks, inputs, classes, width, rng)


def plain_mlp(
    blocks: int = 3, inputs: int = 64, classes: int = 10, width: int = 64,
    rng: np.random.Generator | None = None,
) -> Network:  # fmt: skip
    """Return the same MLP without shortcuts: relu(W'' relu(W' h)) in each block."""
    rng = rng or np.random.default_rng()
    return _mlp("plain-mlp", False, blocks, inputs, classes, width, rng)


def _conv(inputs: int, outputs: int, stride: int, rng: np.random.Generator) -> Conv2d:
    layer = Conv2d(inputs, outputs, 3, stride, padding=1, bias=False, rng=rng)
    layer.weight.data = he_normal(rng, layer.weight.shape)
    return layer


def resnet(
    depth: int = 20, channels: int = 3, classes: int = 10, shortcuts: bool = True,
    rng: np.random.Generator | None = None,
) -> Network:  # fmt: skip
    """Return the CIFAR network of He et al. 2015, section 4.2, of depth 6n + 2.

    A 3x3 convolution, then 3n blocks of two 3x3 convolutions with 16, 32 and 64
    channels, then global average pooling and a linear layer.  Shortcuts are of
    option A, without weights; ``shortcuts=False`` gives the plain network.

    Args:
        depth: the number of weight layers on the longest path: 8, 14, 20, 32, 44, 56, 110.
        channels: the images' channels.
        classes: the number of logits.
        shortcuts: whether blocks are residual.
        rng: draws the initial weights.

    Raises:
        UsageError: the depth is not 6n + 2.
    """
    rng = rng or np.random.default_rng()
    if depth < 8 or (depth - 2) % 6:
        raise UsageError(f"resnet: depth {depth} is not 6n + 2; use 8, 14, 20, 32, 44, 56, 110")
    blocks: list[Module] = []
    width = 16
    for stage in (16, 32, 64):
        for i in range((depth - 2) // 6):
            stride = 2 if stage > 16 and i == 0 else 1
            layers = (
                _conv(width, stage, stride, rng), BatchNorm(stage), ReLU(),
                _conv(stage, stage, 1, rng), BatchNorm(stage),
            )  # fmt: skip
            if shortcuts:
                skip = PadShortcut(stride, stage - width) if stride > 1 else None
                blocks.append(Residual(Sequential(*layers), skip, ReLU()))
            else:
                blocks.append(Sequential(*layers, ReLU()))
            width = stage
    stem = Sequential(_conv(channels, 16, 1, rng), BatchNorm(16), ReLU())
    head = Sequential(GlobalAvgPool(), Linear(64, classes, rng=rng))
    return Network(f"{'resnet' if shortcuts else 'plain'}{depth}", stem, Sequential(*blocks), head)


MODELS = (
    "residual-mlp", "plain-mlp", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110",
    "plain20", "plain32", "plain44", "plain56", "plain110",
)  # fmt: skip


def build(
    model: str, image: tuple[int, int, int], classes: int, blocks: int | None = None,
    rng: np.random.Generator | None = None,
) -> Network:  # fmt: skip
    """Return the network called ``model`` for images (channels, height, width).

    Args:
        model: one of ``MODELS``.
        image: the shape of one image.
        classes: the number of classes.
        blocks: the number of blocks of an MLP, 3 where left out; a ResNet's name says it.
        rng: draws the initial weights.

    Raises:
        UsageError: the model is unknown, or the number of blocks does not fit it.
    """
    channels, height, width = image
    if model in ("residual-mlp", "plain-mlp"):
        make = residual_mlp if model == "residual-mlp" else plain_mlp
        return make(3 if blocks is None else blocks, channels * height * width, classes, rng=rng)
    named = re.fullmatch(r"(resnet|plain)(\d+)", model)
    if named is None:
        raise UsageError(f"unknown model {model!r}: use one of {', '.join(MODELS)}")
    depth = int(named[2])
    if blocks is not None and 2 * blocks + 2 != depth:
        raise UsageError(
            f"{model} has {(depth - 2) // 2} blocks, not {blocks}: its name says its depth, "
            f"2 x blocks + 2; ask for {named[1]}{2 * blocks + 2} instead"
        )
    return resnet(depth, channels, classes, shortcuts=named[1] == "resnet", rng=rng)
