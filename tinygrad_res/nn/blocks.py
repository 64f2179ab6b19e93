"""The blocks: a branch through weight layers, and a way round it.

What leaves a block is the join of both ways, so of the gradient paths that arrive at it
some cross the branch and others go round.  With z for each weight layer crossed, a block
multiplies the polynomial that counts the paths by

=================================================  ===============
identity or padded shortcut, branch of two layers  1 + z^2
projected shortcut, branch of three layers         z + z^3
layer of a dense block                             1 + z^2
transition between dense blocks                    z
=================================================  ===============
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import primitives as ops
from ..errors import ShapeError, UsageError
from ..record import scope
from ..tensor import Tensor
from .layers import AvgPool2d, BatchNorm, Conv2d, ReLU, he_normal
from .module import Module, Sequential


class Residual(Module):
    """shortcut(x) + branch(x), then ``after``; identity where a part is left out."""

    def __init__(
        self, branch: Module, shortcut: Module | None = None, after: Module | None = None
    ) -> None:
        self.branch, self.shortcut, self.after = branch, shortcut, after

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of the branch's shape."""
        with scope("branch", branch=True):
            inner = self.branch.forward(x)
        outer = x if self.shortcut is None else self.shortcut(x)
        total = outer + inner
        return total if self.after is None else self.after(total)


class PadShortcut(Module):
    """Option A of He et al. 2015: every ``stride``-th pixel, new channels filled with zeros.

    It has no weights, so a path across it crosses no weight layer.
    """

    def __init__(self, stride: int, extra_channels: int) -> None:
        self.stride, self.extra = stride, extra_channels

    def forward(self, x: Any) -> Tensor:
        """Return (N, C + extra, H / stride, W / stride)."""
        sliced = x[:, :, :: self.stride, :: self.stride]
        before = self.extra // 2
        return ops.pad(sliced, ((0, 0), (before, self.extra - before), (0, 0), (0, 0)))


class ProjectionShortcut(Sequential):
    """Option B of He et al. 2015: a 1x1 convolution, then batch normalisation.

    Every path across it crosses one weight layer, so its block has no weight-free crossing.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, rng: np.random.Generator | None = None
    ) -> None:
        convolution = Conv2d(inputs, outputs, 1, stride, bias=False, rng=rng, draw=he_normal)
        super().__init__(convolution, BatchNorm(outputs))


class DenseLayer(Module):
    """``x``, and behind its channels ``growth_rate`` new ones, computed from all of them.

    The branch normalises before each convolution: 1x1 down (or up) to ``bn_size *
    growth_rate`` channels, then 3x3.  Joining the new channels to the old ones, layer by
    layer, gives each layer the output of every layer before it, as in the paper, and
    costs the graph two edges a layer.  Source: Huang et al. 2017, section 3.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([[[[2.0]]], [[[3.0]]]], requires_grad=True)
    >>> y = tg.nn.DenseLayer(1, growth_rate=4)(x)
    >>> y.shape
    (2, 5, 1, 1)
    >>> tg.paths(y, x).count_by("weight")
    {0: 1, 2: 1}
    """

    def __init__(
        self, inputs: int, growth_rate: int = 32, bn_size: int = 4,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        rng = rng or np.random.default_rng()
        width = bn_size * growth_rate
        self.branch = Sequential(
            BatchNorm(inputs), ReLU(), Conv2d(inputs, width, 1, bias=False, rng=rng, draw=he_normal),
            BatchNorm(width), ReLU(),
            Conv2d(width, growth_rate, 3, padding=1, bias=False, rng=rng, draw=he_normal),
        )  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        """Return (N, in + growth_rate, H, W) for ``x`` (N, in, H, W)."""
        with scope("branch", branch=True):
            new = self.branch.forward(x)
        return ops.concat((x, new), axis=1)


class DenseBlock(Sequential):
    """Dense layers one after the other; the channels grow from ``inputs`` to ``outputs``.

    Raises:
        UsageError: there is no layer.
    """

    def __init__(
        self, layers: int, inputs: int, growth_rate: int = 32, bn_size: int = 4,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        if layers < 1:
            raise UsageError(f"DenseBlock: needs at least 1 layer, not {layers}")
        rng = rng or np.random.default_rng()
        self.outputs = inputs + layers * growth_rate
        widths = range(inputs, self.outputs, growth_rate)
        super().__init__(*(DenseLayer(width, growth_rate, bn_size, rng) for width in widths))


class Transition(Sequential):
    """Between dense blocks: fewer channels by a 1x1 convolution, half the size by averaging.

    Raises:
        ShapeError: an image is less than two pixels high or wide.
    """

    def __init__(self, inputs: int, outputs: int, rng: np.random.Generator | None = None) -> None:
        super().__init__(
            BatchNorm(inputs), ReLU(),
            Conv2d(inputs, outputs, 1, bias=False, rng=rng, draw=he_normal), AvgPool2d(2),
        )  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        """Return (N, out, H / 2, W / 2) for ``x`` (N, in, H, W)."""
        if min(x.shape[2:], default=0) < 2:
            raise ShapeError(
                f"Transition: shape {x.shape}: it halves height and width, which must be at least "
                "2 here (for a DenseNet, 29 in the images)"
            )
        return super().forward(x)
