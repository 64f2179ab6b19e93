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

from .. import backend
from .. import primitives as ops
from ..errors import ShapeError, UsageError
from ..tensor import Tensor, parameter, shape_of, tensor
from ..whole_numbers import at_least
from .activations import ReLU, Sigmoid
from .containers import Sequential
from .initialisations import he_normal
from .layers import Conv2d, Random
from .module import Module
from .normalisation import BatchNorm2d
from .pooling import AvgPool2d


class Residual(Module):
    """shortcut(x) + branch(x), then ``after``; identity where a part is left out.

    He et al. 2016, Identity Mappings in Deep Residual Networks, compare what can stand here:

    ====================  =====================================================================
    identity              ``Residual(branch)``
    option A              ``Residual(branch, PadShortcut(2, 16))``
    1x1 projection        ``Residual(branch, ProjectionShortcut(16, 32, 2))``
    constant scaling      ``Residual(Sequential(branch, Scale(0.5)), Scale(0.5))``
    exclusive gating      ``Residual(branch, gate=Gate(16))``: g branch(x) + (1 - g) shortcut(x)
    shortcut-only gating  ``Residual(branch, GatedShortcut(Gate(16)))``: branch(x) + (1 - g) x
    dropout shortcut      ``Residual(branch, Dropout(0.5))``
    post-activation       ``Residual(branch, after=ReLU())``
    pre-activation        ``Residual(Sequential(BatchNorm2d(16), ReLU(), ...))``
    ====================  =====================================================================

    Only what the shortcut does stands on the path that avoids the branch: over n blocks scaled
    by lambda that path's product is lambda^n.

    >>> import tinygrad_res as tg
    >>> nn, x = tg.nn, tg.tensor([[1.0, -2.0]], requires_grad=True)
    >>> h = x
    >>> for _ in range(3):
    ...     h = nn.Residual(nn.Linear(2, 2), nn.Scale(0.5))(h)
    >>> tg.paths(h.sum(), x).weight_free().gradient()
    array([[0.125, 0.125]])
    """

    def __init__(
        self, branch: Module, shortcut: Module | None = None, after: Module | None = None,
        gate: Module | None = None,
    ) -> None:  # fmt: skip
        self.branch, self.shortcut, self.after, self.gate = branch, shortcut, after, gate

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of the branch's shape.

        Raises:
            ShapeError: the shortcut's shape is another one.
        """
        inner = self.branch.called(("branch",), (x,), {}, branch=True)
        outer = x if self.shortcut is None else self.shortcut(x)
        if shape_of(outer) != shape_of(inner):
            raise ShapeError(
                f"Residual: the shortcut gives {shape_of(outer)} and the branch "
                f"{shape_of(inner)}: use a shortcut such as PadShortcut or ProjectionShortcut"
            )
        if self.gate is not None:
            opened = self.gate(x)
            inner, outer = opened * inner, (1 - opened) * outer
        total = outer + inner
        return total if self.after is None else self.after(total)  # type: ignore[no-any-return]


class Scale(Module):
    """``factor`` x, a constant or, if trainable, a learned scale that starts there.

    At the end of a branch, trainable and 0, it is ReZero (Bachlechner et al. 2021) and SkipInit
    (De & Smith 2020); a learned scale is no weight layer.

    Args:
        factor: a number, or an array that broadcasts, as in LayerScale (Touvron et al. 2021).
        trainable: whether it is a parameter, ``weight``.

    >>> import tinygrad_res as tg
    >>> tg.nn.Scale(0.5)(tg.tensor([4.0]))
    tensor([2.])
    """

    factor: float | Tensor

    def __init__(self, factor: Any, trainable: bool = False) -> None:
        values = np.asarray(factor, np.float32)
        self.weight = parameter(values) if trainable else None
        if not trainable and values.ndim:
            self.register_buffer("factor", values)
        elif not trainable:
            self.factor = float(factor)

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.multiply(x, self.factor if self.weight is None else self.weight)


class Gate(Sequential):
    """sigmoid of a 1x1 convolution: numbers between 0 and 1.

    Args:
        inputs, outputs: channels; as many where ``outputs`` is left out.
        stride: of the convolution, that of the branch which is gated.
        bias: where all biases start.  Far below 0 the gate starts closed and 1 - gate open, which
            He et al. 2016, section 3.1, found best, with -6.
        rng: draws the weight: a generator or a seed.
    """

    def __init__(
        self, inputs: int, outputs: int | None = None, stride: int = 1, bias: float = -6.0, *,
        rng: Random = None,
    ) -> None:  # fmt: skip
        outputs = inputs if outputs is None else outputs
        convolution = Conv2d(inputs, outputs, 1, stride, rng=rng)
        convolution.bias = parameter(np.full(outputs, bias, np.float32))
        super().__init__(convolution, Sigmoid())


class GatedShortcut(Module):
    """(1 - gate(x)) shortcut(x), for a block whose branch is left alone.

    >>> import tinygrad_res as tg
    >>> way = tg.nn.GatedShortcut(tg.nn.Gate(3, bias=-100.0))  # wide open
    >>> x = np.ones((1, 3, 2, 2), np.float32)
    >>> bool((way(x).data == x).all())
    True
    """

    def __init__(self, gate: Module, shortcut: Module | None = None) -> None:
        self.gate, self.shortcut = gate, shortcut

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of the shortcut's shape."""
        return ops.multiply(1 - self.gate(x), x if self.shortcut is None else self.shortcut(x))


class PadShortcut(Module):
    """Option A of He et al. 2015: every ``stride``-th pixel, new channels filled with zeros.

    It has no weights, so a path across it crosses no weight layer.  The paper does not say where
    the new channels stand; networks elsewhere have them on both sides, or all behind.

    Args:
        stride: from one pixel that is taken to the next, the branch's.
        extra_channels: how many there are more behind it than before.
        before: how many of them stand in front of the others; half, rounded down, where left out.

    Raises:
        UsageError: the stride is less than 1, or another number less than 0 or too large.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([[[[1.0, 2.0, 3.0]]]])
    >>> [tg.nn.PadShortcut(2, 2, before=k)(x).data[0, :, 0].tolist() for k in (0, None)]
    [[[1.0, 3.0], [0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 3.0], [0.0, 0.0]]]
    """

    def __init__(self, stride: int, extra_channels: int, before: int | None = None) -> None:
        self.stride = at_least(1, "PadShortcut", "stride", stride)
        self.extra = at_least(0, "PadShortcut", "extra_channels", extra_channels)
        given = self.extra // 2 if before is None else before
        self.before = at_least(0, "PadShortcut", "before", given)
        if self.before > self.extra:
            raise UsageError(
                f"PadShortcut: before={before!r}: there are {extra_channels} extra channels"
            )

    def forward(self, x: Any) -> Tensor:
        """Return (N, C + extra, H / stride, W / stride), both rounded up, for ``x`` (N, C, H, W).

        Raises:
            ShapeError: ``x`` is no batch of images.
        """
        if len(shape_of(x)) != 4:
            raise ShapeError(f"PadShortcut: input {shape_of(x)}: expected images (N, C, H, W)")
        x = x if backend.is_array(x) else tensor(x)
        sliced = x[:, :, :: self.stride, :: self.stride]
        behind = self.extra - self.before
        return ops.pad(sliced, ((0, 0), (self.before, behind), (0, 0), (0, 0)))


class ProjectionShortcut(Sequential):
    """Option B of He et al. 2015: a 1x1 convolution, then batch normalisation.

    Every path across it crosses one weight layer, so its block has no weight-free crossing.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, rng: Random = None) -> None:
        convolution = Conv2d(inputs, outputs, 1, stride, bias=False, rng=rng, draw=he_normal)
        super().__init__(convolution, BatchNorm2d(outputs))


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
        self, inputs: int, growth_rate: int = 32, bn_size: int = 4, *, rng: Random = None
    ) -> None:
        rng = np.random.default_rng(rng)
        width = bn_size * growth_rate
        self.branch = Sequential(
            BatchNorm2d(inputs), ReLU(), Conv2d(inputs, width, 1, bias=False, rng=rng, draw=he_normal),
            BatchNorm2d(width), ReLU(),
            Conv2d(width, growth_rate, 3, padding=1, bias=False, rng=rng, draw=he_normal),
        )  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        """Return (N, in + growth_rate, H, W) for ``x`` (N, in, H, W)."""
        new = self.branch.called(("branch",), (x,), {}, branch=True)
        return ops.concat((x, new), axis=1)


class DenseBlock(Sequential):
    """Dense layers one after the other; the channels grow from ``inputs`` to ``outputs``.

    Raises:
        UsageError: there is no layer.
    """

    def __init__(
        self, layers: int, inputs: int, growth_rate: int = 32, bn_size: int = 4, *,
        rng: Random = None,
    ) -> None:  # fmt: skip
        at_least(1, "DenseBlock", "layers", layers)
        rng = np.random.default_rng(rng)
        self.outputs = inputs + layers * growth_rate
        widths = range(inputs, self.outputs, growth_rate)
        super().__init__(*(DenseLayer(width, growth_rate, bn_size, rng=rng) for width in widths))


class Transition(Sequential):
    """Between dense blocks: fewer channels by a 1x1 convolution, half the size by averaging.

    Raises:
        ShapeError: an image is less than two pixels high or wide.
    """

    def __init__(self, inputs: int, outputs: int, *, rng: Random = None) -> None:
        super().__init__(
            BatchNorm2d(inputs), ReLU(),
            Conv2d(inputs, outputs, 1, bias=False, rng=rng, draw=he_normal), AvgPool2d(2),
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        """Return (N, out, H / 2, W / 2) for ``x`` (N, in, H, W)."""
        shape = shape_of(x)
        if min(shape[2:], default=0) < 2:
            raise ShapeError(
                f"Transition: shape {shape}: it halves height and width, which must be at least "
                "2 here (for a DenseNet, 29 in the images)"
            )
        return super().forward(x)
