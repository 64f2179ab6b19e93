"""The networks: MLPs, the ResNets of He et al. 2015 and the DenseNets of Huang et al. 2017.

Each is a ``Network`` of three parts, stem, body and head, because every gradient path
crosses the stem's and the head's weights: paths differ in the body alone, and there
they are counted.  The paths from the logits back to the image, z standing for one weight
layer crossed, are counted by the product of one factor for each block:

====================  ===========================
resnet, 6n + 2        z^2 (1 + z^2)^(3n)
imagenet_resnet, 18   z^2 (1 + z^2)^5 (z + z^2)^3
imagenet_resnet, 50   z^2 (1 + z^3)^12 (z + z^3)^4
densenet, 121         z^5 (1 + z^2)^58
====================  ===========================

The degree of such a polynomial is the depth that the network is called by.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .errors import UsageError
from .nn import (
    BatchNorm2d,
    Conv2d,
    DenseBlock,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Module,
    PadShortcut,
    ProjectionShortcut,
    ReLU,
    Residual,
    Sequential,
    Transition,
    he_normal,
)


class Network(Module):
    """A stem, a body of blocks, and a head that gives the logits."""

    def __init__(self, name: str, stem: Module, body: Sequential, head: Module) -> None:
        self.name = name
        self.stem, self.body, self.head = stem, body, head
        for number, layer in enumerate(self.weight_layers()):
            layer.weight.name = f"W_{number}" if number < 10 else f"W_{{{number}}}"

    def forward(self, x: Any) -> Any:
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
    rng = np.random.default_rng(rng)
    return _mlp("residual-mlp", True, blocks, inputs, classes, width, rng)


def plain_mlp(
    blocks: int = 3, inputs: int = 64, classes: int = 10, width: int = 64,
    rng: np.random.Generator | None = None,
) -> Network:  # fmt: skip
    """Return the same MLP without shortcuts: relu(W'' relu(W' h)) in each block."""
    rng = np.random.default_rng(rng)
    return _mlp("plain-mlp", False, blocks, inputs, classes, width, rng)


def _convolutions(
    inputs: int, *layers: tuple[int, int, int], rng: np.random.Generator
) -> Sequential:
    """Return convolutions, each normalised, with a ReLU between them.

    ``layers`` are (channels, kernel size, stride); the padding keeps the size at stride 1.
    """
    parts: list[Module] = []
    for outputs, kernel, stride in layers:
        convolution = Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, bias=False, rng=rng, draw=he_normal
        )
        parts += [convolution, BatchNorm2d(outputs), ReLU()]
        inputs = outputs
    return Sequential(*parts[:-1])


def resnet(
    depth: int = 20, channels: int = 3, classes: int = 10, shortcuts: bool = True,
    rng: np.random.Generator | None = None,
) -> Network:  # fmt: skip
    """Return the CIFAR network of He et al. 2015, section 4.2, of depth 6n + 2.

    A 3x3 convolution, then 3n blocks of two 3x3 convolutions with 16, 32 and 64
    channels, then global average pooling and a linear layer.  Shortcuts are of
    option A, without weights; ``shortcuts=False`` gives the plain network.

    Args:
        depth: the number of weight layers on the longest path: 8, 14, 20, 32, 44, 56, 110, 1202.
        channels: the images' channels.
        classes: the number of logits.
        shortcuts: whether blocks are residual.
        rng: draws the initial weights.

    Raises:
        UsageError: the depth is not 6n + 2.
    """
    rng = np.random.default_rng(rng)
    if depth < 8 or (depth - 2) % 6:
        raise UsageError(
            f"resnet: depth {depth} is not 6n + 2; use 8, 14, 20, 32, 44, 56, 110, 1202"
        )
    blocks: list[Module] = []
    width = 16
    for stage in (16, 32, 64):
        for i in range((depth - 2) // 6):
            stride = 2 if stage > 16 and i == 0 else 1
            branch = _convolutions(width, (stage, 3, stride), (stage, 3, 1), rng=rng)
            if shortcuts:
                skip = PadShortcut(stride, stage - width) if stride > 1 else None
                blocks.append(Residual(branch, skip, ReLU()))
            else:
                blocks.append(Sequential(*branch, ReLU()))
            width = stage
    stem = Sequential(*_convolutions(channels, (16, 3, 1), rng=rng), ReLU())
    head = Sequential(GlobalAvgPool(), Linear(64, classes, rng=rng))
    return Network(f"{'resnet' if shortcuts else 'plain'}{depth}", stem, Sequential(*blocks), head)


def _imagenet_stem(channels: int, rng: np.random.Generator) -> Sequential:
    """Return 64 channels at a quarter of the size."""
    return Sequential(*_convolutions(channels, (64, 7, 2), rng=rng), ReLU(), MaxPool2d(3, 2, 1))


IMAGENET_RESNETS = {
    18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3),
}  # fmt: skip


def imagenet_resnet(
    depth: int = 50, channels: int = 3, classes: int = 1000,
    rng: np.random.Generator | None = None,
) -> Network:  # fmt: skip
    """Return the ImageNet network of He et al. 2015, table 1.

    A 7x7 convolution and max pooling, then four stages of residual blocks with 64, 128,
    256 and 512 channels, then global average pooling and a linear layer.  Up to depth 34 a
    branch is two 3x3 convolutions; from 50 on it is a bottleneck: 1x1, 3x3 (which takes the
    stride, as in PyTorch's networks), and 1x1 to four times the channels.  Where the shape
    changes, the shortcut is a projection, a weight layer itself.

    Args:
        depth: the number of weight layers on the longest path: 18, 34, 50, 101, 152.
        channels: the images' channels.
        classes: the number of logits.
        rng: draws the initial weights.

    Raises:
        UsageError: the depth is another one.

    >>> imagenet_resnet(18).size()
    11689512
    """
    if depth not in IMAGENET_RESNETS:
        depths = ", ".join(map(str, IMAGENET_RESNETS))
        raise UsageError(f"imagenet_resnet: there is no depth {depth}; use {depths}")
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
            outputs = layers[-1][0]
            branch = _convolutions(inputs, *layers, rng=rng)
            same = stride == 1 and inputs == outputs
            skip = None if same else ProjectionShortcut(inputs, outputs, stride, rng=rng)
            blocks.append(Residual(branch, skip, ReLU()))
            inputs = outputs
    stem = _imagenet_stem(channels, rng)
    head = Sequential(GlobalAvgPool(), Linear(inputs, classes, rng=rng))
    return Network(f"imagenet-resnet{depth}", stem, Sequential(*blocks), head)


DENSENETS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}


def densenet(
    depth: int = 121, channels: int = 3, classes: int = 1000,
    rng: np.random.Generator | None = None,
) -> Network:  # fmt: skip
    """Return the ImageNet network of Huang et al. 2017, table 1, of growth rate 32.

    A 7x7 convolution and max pooling, then four dense blocks with transitions between
    them that halve channels and size, then global average pooling and a linear layer.

    Args:
        depth: the number of weight layers on the longest path: 121, 169, 201.
        channels: the images' channels; their height and width are at least 29.
        classes: the number of logits.
        rng: draws the initial weights.

    Raises:
        UsageError: the depth is another one.

    >>> densenet(121).size()
    7978856
    """
    if depth not in DENSENETS:
        depths = ", ".join(map(str, DENSENETS))
        raise UsageError(f"densenet: there is no depth {depth}; use {depths}")
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
    return Network(f"densenet{depth}", _imagenet_stem(channels, rng), Sequential(*body), head)


_BY_DEPTH: dict[str, tuple[Callable[..., Network], tuple[int, ...]]] = {
    "resnet": (resnet, (20, 32, 44, 56, 110, 1202)),
    "plain": (partial(resnet, shortcuts=False), (20, 32, 44, 56, 110)),
    "imagenet-resnet": (imagenet_resnet, tuple(IMAGENET_RESNETS)),
    "densenet": (densenet, tuple(DENSENETS)),
}

MODELS = (
    "residual-mlp", "plain-mlp",
    *(f"{name}{depth}" for name, (_, depths) in _BY_DEPTH.items() for depth in depths),
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
        blocks: the number of blocks of an MLP, 3 where left out; any other network's name
            says it.
        rng: draws the initial weights.

    Raises:
        UsageError: the model is unknown, or the number of blocks does not fit it.
    """
    channels, height, width = image
    if model in ("residual-mlp", "plain-mlp"):
        make = residual_mlp if model == "residual-mlp" else plain_mlp
        return make(3 if blocks is None else blocks, channels * height * width, classes, rng=rng)
    named = re.fullmatch(r"(.*?)(\d+)", model)
    if named is None or named[1] not in _BY_DEPTH:
        raise UsageError(f"unknown model {model!r}: use one of {', '.join(MODELS)}")
    family, depth = named[1], int(named[2])
    cifar = family in ("resnet", "plain")
    if blocks is not None and not (cifar and 2 * blocks + 2 == depth):
        raise UsageError(
            f"{model} has {(depth - 2) // 2} blocks, not {blocks}: its name says its depth, "
            f"2 x blocks + 2; ask for {family}{2 * blocks + 2} instead"
            if cifar
            else f"{model}: its name says its blocks: leave their number out"
        )
    return _BY_DEPTH[family][0](depth, channels, classes, rng=rng)
