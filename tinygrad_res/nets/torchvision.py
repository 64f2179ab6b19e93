"""Names of weights as torchvision has them, so that its files can be loaded.

Our networks are a stem, a body and a head; torchvision's say ``conv1``, ``layer1.0.conv1`` and
``fc``.  The modules are the same, in the same order, so a table of names leads from one to the
other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import UsageError
from ..nn import BatchNorm2d, Conv2d, DenseBlock, Module, Residual
from .network import Network


def torchvision_names(network: Network) -> dict[str, str]:
    """Return torchvision's name for each name in the state of a network.

    Residual networks, with the original arrangement, and VGG and DenseNet have such names; those
    of the CIFAR networks are formed the same way, with three layers.

    Raises:
        UsageError: the network has none.

    >>> from tinygrad_res import nets
    >>> names = torchvision_names(nets.resnet(20))
    >>> names["body.3.branch.4.running_var"], names["head.1.bias"]
    ('layer2.0.bn2.running_var', 'fc.bias')
    """
    family = re.sub(r"\d+", "", network.name)
    if family not in _FAMILIES:
        raise UsageError(
            f"torchvision_names: {network.name} has no names there: those of "
            f"{', '.join(_FAMILIES)} are known"
        )
    modules = dict(_FAMILIES[family](network))
    state = (name.rpartition(".") for name, _ in network.named_state())
    try:
        return {f"{module}.{leaf}": f"{modules[module]}.{leaf}" for module, _, leaf in state}
    except KeyError as error:
        raise UsageError(
            f"torchvision_names: this {network.name} has a part {error} that torchvision's has not"
        ) from error


def from_torchvision(network: Network, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state dict of torchvision's network under our names, for ``load_state_dict``.

    Names that the network has not are kept, so that loading reports them.

    Raises:
        UsageError: the network has no names in torchvision.

    >>> from tinygrad_res import nets
    >>> network = nets.resnet(8)
    >>> theirs = {t: network.state_dict()[o] for o, t in torchvision_names(network).items()}
    >>> network.load_state_dict(from_torchvision(network, theirs))
    Unmatched(missing=(), unexpected=())
    """
    ours = {theirs: name for name, theirs in torchvision_names(network).items()}
    return {ours.get(name, name): value for name, value in mapping.items()}


def _residual(network: Network) -> Iterator[tuple[str, str]]:
    yield from (("stem.0", "conv1"), ("stem.1", "bn1"), ("head.1", "fc"))
    layer, number, channels = 1, 0, 0
    for i, block in enumerate(network.body):
        if not isinstance(block, Residual):
            continue
        convolutions = [m for m in block.branch.modules() if isinstance(m, Conv2d)]
        width = convolutions[-1].weight.shape[0]
        if channels not in (0, width):
            layer, number = layer + 1, 0
        place, channels, number = f"layer{layer}.{number}", width, number + 1
        counts = {Conv2d: 0, BatchNorm2d: 0}
        for name, part in block.branch.children():
            if type(part) in counts:
                counts[type(part)] += 1
                word = "conv" if isinstance(part, Conv2d) else "bn"
                yield f"body.{i}.branch.{name}", f"{place}.{word}{counts[type(part)]}"
        for j in range(2):
            yield f"body.{i}.shortcut.{j}", f"{place}.downsample.{j}"


def _dense(network: Network) -> Iterator[tuple[str, str]]:
    yield from (("stem.0", "features.conv0"), ("stem.1", "features.norm0"))
    yield from (("head.0", "features.norm5"), ("head.3", "classifier"))
    for i, part in enumerate(network.body):
        ours, number = f"body.{i}", i // 2 + 1
        if isinstance(part, DenseBlock):
            for j in range(len(part)):
                for k, word in ((0, "norm1"), (2, "conv1"), (3, "norm2"), (5, "conv2")):
                    theirs = f"features.denseblock{number}.denselayer{j + 1}.{word}"
                    yield f"{ours}.{j}.branch.{k}", theirs
        else:
            yield f"{ours}.0", f"features.transition{number}.norm"
            yield f"{ours}.2", f"features.transition{number}.conv"


def _plain(network: Network) -> Iterator[tuple[str, str]]:
    count = 0
    for outer, parts in (("stem", network.stem), ("body", network.body)):
        for name, module in parts.named_modules(outer):
            if _is_single(module):
                yield name, f"features.{count}"
                count += 1
    for name, _ in network.head.children():
        yield f"head.{name}", f"classifier.{int(name) - 2}"


def _is_single(module: Module) -> bool:
    return not any(True for _ in module.children())


_FAMILIES = {
    "resnet": _residual, "imagenet-resnet": _residual, "densenet": _dense,
    "vgg": _plain, "vgg-bn": _plain,
}  # fmt: skip
