"""Networks by their names, as the command line takes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial

from ..errors import ShapeError, UsageError
from ..nn.layers import Random
from .cifar import CIFAR_RESNETS, resnet
from .imagenet import DENSENETS, IMAGENET_RESNETS, VGGS, densenet, imagenet_resnet, vgg
from .mlps import plain_mlp, residual_mlp
from .network import Network

MLPS: dict[str, Callable[..., Network]] = {
    "residual-mlp": residual_mlp,
    "preactivation-mlp": partial(residual_mlp, preactivation=True),
    "plain-mlp": plain_mlp,
}

_BY_DEPTH: dict[str, tuple[Callable[..., Network], tuple[int, ...]]] = {
    "resnet": (resnet, CIFAR_RESNETS),
    "preresnet": (partial(resnet, arrangement="full-preactivation"), CIFAR_RESNETS),
    "plain": (partial(resnet, shortcut="none"), (20, 32, 44, 56, 110)),
    "imagenet-resnet": (imagenet_resnet, tuple(IMAGENET_RESNETS)),
    "imagenet-preresnet": (
        partial(imagenet_resnet, arrangement="full-preactivation"),
        tuple(IMAGENET_RESNETS),
    ),
    "imagenet-plain": (partial(imagenet_resnet, shortcut="none"), (18, 34)),
    "densenet": (densenet, tuple(DENSENETS)),
    "vgg": (vgg, tuple(VGGS)),
}

MODELS = (
    *MLPS, *(f"{name}{depth}" for name, (_, depths) in _BY_DEPTH.items() for depth in depths),
)  # fmt: skip


def build(
    model: str, image: tuple[int, ...], classes: int, blocks: int | None = None,
    rng: Random = None,
) -> Network:  # fmt: skip
    """Return the network called ``model`` for images (channels, height, width), or rows.

    Args:
        model: one of ``MODELS``.
        image: the shape of one image; an MLP takes examples of any shape, such as (features,).
        classes: the number of classes.
        blocks: the number of blocks of an MLP, 3 where left out; any other network's name
            says it.
        rng: draws the initial weights: a generator or a seed.

    Raises:
        UsageError: the model is unknown, or the number of blocks does not fit it.
        ShapeError: the images are too small for the network, or the examples are no images.
    """
    if model in MLPS:
        return MLPS[model](3 if blocks is None else blocks, math.prod(image), classes, rng=rng)
    named = re.fullmatch(r"(.*?)(\d+)", model)
    if named is None or named[1] not in _BY_DEPTH:
        raise UsageError(f"unknown model {model!r}: use one of {', '.join(MODELS)}")
    family, depth = named[1], int(named[2])
    cifar = family in ("resnet", "preresnet", "plain")
    if blocks is not None and not (cifar and 2 * blocks + 2 == depth):
        raise UsageError(
            f"{model} has {(depth - 2) // 2} blocks, not {blocks}: its name says its depth, "
            f"2 x blocks + 2; ask for {family}{2 * blocks + 2} instead"
            if cifar
            else f"{model}: its name says its blocks: leave their number out"
        )
    if len(image) != 3:
        raise ShapeError(
            f"{model}: examples of shape {image}: it takes images (channels, height, width): use "
            f"{', '.join(MLPS)}"
        )
    channels, height, width = image
    if family == "vgg" and min(height, width) < 32:
        raise ShapeError(f"{model}: images of {height} x {width}: it halves their size five times, "
                         "so height and width must be at least 32")  # fmt: skip
    return _BY_DEPTH[family][0](depth, channels, classes, rng=rng)
