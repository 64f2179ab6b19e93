"""Residual units of convolutions: in which order the layers stand, and what goes round them.

He et al. 2016, Identity Mappings in Deep Residual Networks, vary both.  ``ARRANGEMENTS`` is their
figure 4, a row for each drawing, with c for convolution, b for batch normalisation and r for
ReLU; ``SHORTCUTS`` is their figure 2.  Whatever is chosen, a path crosses the same weight
layers in the branch; what differs is what stands on the path beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from ..nn import (
    BatchNorm2d,
    Conv2d,
    Dropout,
    Gate,
    GatedShortcut,
    Module,
    PadShortcut,
    ProjectionShortcut,
    ReLU,
    Residual,
    Scale,
    Sequential,
    he_normal,
)

Layer = tuple[int, int, int]
"""A convolution: channels, kernel size, stride.  The padding keeps the size at stride 1."""


class Arrangement(NamedTuple):
    """What stands before a branch's convolutions, between and behind them, and after the sum."""

    before: str
    between: str
    behind: str
    after: str


# fmt: off
ARRANGEMENTS = {                                             # with two convolutions
    "original":                Arrangement("", "br", "b", "r"),    # c b r c b   + r
    "bn-after-addition":       Arrangement("", "br", "", "br"),    # c b r c     + b r
    "relu-before-addition":    Arrangement("", "br", "br", ""),    # c b r c b r +
    "relu-only-preactivation": Arrangement("r", "br", "b", ""),    # r c b r c b +
    "full-preactivation":      Arrangement("br", "br", "", ""),    # b r c b r c +
}

SHORTCUTS = {
    "none":           "no shortcut: the plain network",
    "identity":       "the identity; option A, padded with zeros, where the shape changes",
    "projection":     "the identity; a 1x1 convolution where the shape changes (option B)",
    "convolution":    "a 1x1 convolution in every unit",
    "scaled":         "one half of it, and one half of the branch",
    "gated":          "exclusive gating: 1 - g of it, and g of the branch",
    "gated-shortcut": "shortcut-only gating: 1 - g of it, and the whole branch",
    "dropout":        "the identity with dropout, half of it left out in training",
}
# fmt: on


def chosen(name: str, arrangement: str, shortcut: str) -> Arrangement:
    """Return the row of an arrangement, both words checked.

    Raises:
        UsageError: one of them is unknown.
    """
    for what, word, table in (
        ("arrangement", arrangement, ARRANGEMENTS), ("shortcut", shortcut, SHORTCUTS),
    ):  # fmt: skip
        if word not in table:
            raise UsageError(f"{name}: {what}={word!r}: use {', '.join(table)}")
    return ARRANGEMENTS[arrangement]


def parts(letters: str, channels: int) -> list[Module]:
    """Return batch normalisations (b) and ReLUs (r)."""
    return [BatchNorm2d(channels) if letter == "b" else ReLU() for letter in letters]


def convolutions(
    inputs: int, layers: Sequence[Layer], order: Arrangement, rng: np.random.Generator
) -> list[Module]:
    """Return convolutions with what ``order`` puts before, between and behind them."""
    found = parts(order.before, inputs)
    for i, (outputs, kernel, stride) in enumerate(layers):
        last = i == len(layers) - 1
        found += [
            Conv2d(
                inputs, outputs, kernel, stride, kernel // 2, bias=False, rng=rng, draw=he_normal
            ),
            *parts(order.behind if last else order.between, outputs),
        ]
        inputs = outputs
    return found


def unit(
    inputs: int, layers: Sequence[Layer], order: Arrangement, shortcut: str,
    rng: np.random.Generator,
) -> Module:  # fmt: skip
    """Return one residual unit, or its layers alone for the shortcut ``"none"``.

    Where a unit of pre-activation has a convolution as its shortcut, both ways start behind the
    activation (He et al. 2016, appendix).
    """
    outputs, stride = layers[-1][0], int(np.prod([stride for _, _, stride in layers]))
    changes = stride > 1 or inputs != outputs
    projects = shortcut == "convolution" or (shortcut == "projection" and changes)
    shared: list[Module] = []
    if projects and order.before:
        shared, order = parts(order.before, inputs), order._replace(before="")
    layered = convolutions(inputs, layers, order, rng)
    after = parts(order.after, outputs)
    if shortcut == "none":
        return Sequential(*layered, *after)
    if shortcut == "scaled":
        layered.append(Scale(0.5))
    way = _way(shortcut, projects, bool(order.after), changes, inputs, outputs, stride, rng)
    gate = Gate(inputs, outputs, stride, rng=rng) if shortcut == "gated" else None
    behind = (after[0] if len(after) == 1 else Sequential(*after)) if after else None
    block = Residual(Sequential(*layered), way, behind, gate)
    return Sequential(*shared, block) if shared else block


def _way(
    shortcut: str, projects: bool, normed: bool, changes: bool, inputs: int, outputs: int,
    stride: int, rng: np.random.Generator,
) -> Module | None:  # fmt: skip
    """Return what goes round a branch; ``None`` is the identity."""
    if projects:
        if normed and shortcut == "projection":
            return ProjectionShortcut(inputs, outputs, stride, rng=rng)
        return Conv2d(inputs, outputs, 1, stride, bias=False, rng=rng, draw=he_normal)
    padded = PadShortcut(stride, outputs - inputs) if changes else None
    if shortcut == "gated-shortcut":
        return GatedShortcut(Gate(inputs, outputs, stride, rng=rng), padded)
    if shortcut not in ("scaled", "dropout"):
        return padded
    treated = Scale(0.5) if shortcut == "scaled" else Dropout(0.5, rng=rng)
    return treated if padded is None else Sequential(padded, treated)
