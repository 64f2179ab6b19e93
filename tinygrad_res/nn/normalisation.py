"""The layers that standardise: over a batch, or over each sample by itself.

Their gamma is a learned scale and no weight layer, so paths cross it with degree 0; mean and
variance are part of the one edge that leads to the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from .. import primitives as ops
from ..errors import ShapeError, UsageError
from ..primitives.general import batch_norm_and_statistics
from ..tensor import Parameter, Tensor, parameter, raw, shape_of, tensor
from ..whole_numbers import at_least
from .module import Module


class BatchNorm1d(Module):
    """Standardise each channel, axis 1 of (N, C) or (N, C, L), then scale and shift it.

    Training uses the batch's statistics and keeps a running average of them, which ``eval``
    uses; the variance that is kept is the unbiased one.  Source: Ioffe & Szegedy 2015.

    Args:
        num_features: the number of channels C.
        eps: added to the variance.
        momentum: the share of a new batch in the running average; ``None`` averages all batches
            alike.
        affine: whether there are weight (gamma) and bias (beta), (C,).
        track_running_stats: whether a running average is kept; ``eval`` uses the batch's
            statistics where not.

    Raises:
        UsageError: the number of channels is less than 1.

    >>> import tinygrad_res as tg
    >>> tg.nn.BatchNorm1d(1, eps=0)(tg.tensor([[1.0], [3.0]])).data
    array([[-1.],
           [ 1.]])
    """

    axes: tuple[int, ...] = (2, 3)
    shapes = "(N, C) or (N, C, L)"
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True,
    ) -> None:  # fmt: skip
        channels = at_least(1, type(self).__name__, "num_features", num_features)
        ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.weight = parameter(ones) if affine else None
        self.bias = parameter(zeros) if affine else None
        for name, start in (
            ("running_mean", zeros), ("running_var", ones), ("num_batches_tracked", 0),
        ):  # fmt: skip
            self.register_buffer(name, start if track_running_stats else None)
        self.num_features, self.eps, self.momentum = channels, eps, momentum

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape.

        Raises:
            ShapeError: x has another number of axes or channels, or trains on one value each.
        """
        shape = shape_of(x)
        if len(shape) not in self.axes or shape[1] != self.num_features:
            raise ShapeError(
                f"{type(self).__name__}: input {shape}: expected {self.shapes} with C = "
                f"{self.num_features} channels"
            )
        if self.running_mean is not None and not self.training:
            return self._by_running_average(x, len(shape))
        x = x if backend.is_array(x) else tensor(x)
        n = x.size // self.num_features
        if n < 2 and self.training:
            raise ShapeError(
                f"{type(self).__name__}: needs more than one value per channel to train, got "
                f"shape {shape}"
            )
        weight, bias = self.weight, self.bias
        if weight is None or bias is None:
            xp, dtype = backend.namespace(raw(x)), x.dtype
            weight, bias = xp.ones(shape[1], dtype=dtype), xp.zeros(shape[1], dtype=dtype)
        out, mean, var = batch_norm_and_statistics(x, weight, bias, self.eps)
        if self.running_mean is not None and self.training:
            self._follow(mean, n / (n - 1) * var)
        return out

    def _by_running_average(self, x: Any, ndim: int) -> Tensor:
        mean, var = self.running_mean, self.running_var
        scale = (var + self.eps) ** -0.5  # type: ignore[operator]
        if self.weight is not None:
            scale = self.weight * scale
        shift = -mean * scale if self.bias is None else self.bias - mean * scale  # type: ignore[operator]
        spread = (1, -1) + (1,) * (ndim - 2)
        return ops.multiply(x, scale.reshape(spread)) + shift.reshape(spread)

    def _follow(self, mean: Any, var: Any) -> None:
        """Take a batch's statistics into the running averages, in the dtype these have."""
        counted = self.num_batches_tracked.data + 1  # type: ignore[union-attr]
        share = 1 / counted if self.momentum is None else self.momentum
        for average, new in ((self.running_mean, mean), (self.running_var, var)):
            average.data = (1 - share) * average.data + share * new  # type: ignore[union-attr]
        self.num_batches_tracked.data = counted  # type: ignore[union-attr]


class BatchNorm2d(BatchNorm1d):
    """Standardise each channel, axis 1 of (N, C, H, W); all else is as in ``BatchNorm1d``.

    >>> import tinygrad_res as tg
    >>> tg.nn.BatchNorm2d(3)(np.ones((2, 3, 4, 4), np.float32)).shape
    (2, 3, 4, 4)
    """

    axes = (4,)
    shapes = "(N, C, H, W)"


class GroupNorm(Module):
    """Standardise each sample over groups of channels, then scale and shift channels.

    See ``tg.group_norm``; one group is a layer normalisation of the whole sample, and as many as
    channels are instance normalisation.  Source: Wu & He 2018.

    Args:
        num_groups: how many groups of neighbouring channels; a divisor of their number.
        num_channels: the number of channels C, axis 1 of (N, C, ...).
        eps: added to the variance.
        affine: whether there are weight (gamma) and bias (beta), (C,).

    Raises:
        UsageError: a number is less than 1, or the groups do not divide the channels.

    >>> import tinygrad_res as tg
    >>> tg.nn.GroupNorm(1, 2, eps=0)(tg.tensor([[1.0, 3.0]])).data
    array([[-1.,  1.]])
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True
    ) -> None:
        groups = at_least(1, "GroupNorm", "num_groups", num_groups)
        channels = at_least(1, "GroupNorm", "num_channels", num_channels)
        if channels % groups:
            raise UsageError(f"GroupNorm: num_groups={groups}: must divide num_channels={channels}")
        self.num_groups, self.num_channels, self.eps = groups, channels, eps
        self.weight = parameter(np.ones(channels, np.float32)) if affine else None
        self.bias = parameter(np.zeros(channels, np.float32)) if affine else None

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape (N, C, ...).

        Raises:
            ShapeError: x has other channels.
        """
        shape = shape_of(x)
        if len(shape) < 2 or shape[1] != self.num_channels:
            raise ShapeError(
                f"GroupNorm: input {shape}: expected (N, C, ...) with C = {self.num_channels} "
                "channels"
            )
        return ops.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class LayerNorm(Module):
    """Standardise each sample over its last axes, then scale and shift it; see ``tg.layer_norm``.

    Args:
        normalized_shape: the lengths of those axes, or the last one's.
        eps: added to the variance.
        elementwise_affine: whether there is a weight of that shape.
        bias: whether there is a bias besides.

    Raises:
        UsageError: a length is less than 1.

    >>> import tinygrad_res as tg
    >>> tg.nn.LayerNorm(2, eps=0)(tg.tensor([[1.0, 3.0]])).data
    array([[-1.,  1.]])
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5,
        elementwise_affine: bool = True, bias: bool = True,
    ) -> None:  # fmt: skip
        lengths = normalized_shape if isinstance(normalized_shape, Sequence) else [normalized_shape]
        over = tuple(at_least(1, "LayerNorm", "normalized_shape", n) for n in lengths)
        self.normalized_shape, self.eps = over, eps
        self.weight = parameter(np.ones(over, np.float32)) if elementwise_affine else None
        biased = elementwise_affine and bias
        self.bias = parameter(np.zeros(over, np.float32)) if biased else None

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape (..., *normalized_shape)."""
        return ops.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
