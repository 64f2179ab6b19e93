"""The layers: one operation each, with the weights that it needs.

Linear and convolutional layers are the weight layers that paths are graded by: a path from
their output to their input carries the weight as a factor.  All others carry none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import primitives as ops
from ..errors import ShapeError
from ..primitives.general import batch_norm_and_statistics
from ..tensor import Tensor, parameter, tensor
from .module import Module

Draw = Callable[[np.random.Generator, tuple[int, ...]], Any]


def _uniform(rng: np.random.Generator, bound: float, shape: tuple[int, ...]) -> Any:
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return weights (out, in, ...) drawn with variance 2 / fan-in, float32 (He et al. 2015)."""
    fan_in = math.prod(shape[1:])
    return (rng.standard_normal(shape) * math.sqrt(2 / fan_in)).astype(np.float32)


class Linear(Module):
    """x @ weight.T + bias, with weight (out, in) and bias (out,)."""

    def __init__(
        self, inputs: int, outputs: int, bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        rng = rng or np.random.default_rng()
        bound = 1 / math.sqrt(inputs)
        self.weight = parameter(_uniform(rng, bound, (outputs, inputs)), "weight")
        self.bias = parameter(_uniform(rng, bound, (outputs,)), "bias") if bias else None

    def forward(self, x: Any) -> Tensor:
        """Return (N, out) for ``x`` (N, in)."""
        out = ops.matmul(x, self.weight.T)
        return out if self.bias is None else out + self.bias


class Conv2d(Module):
    """Convolution with weight (out, in / groups, k, k) and bias (out,).

    ``draw`` gives the initial weight, such as ``he_normal``; PyTorch's default where left out.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, stride: int = 1, padding: int = 0,
        dilation: int = 1, groups: int = 1, bias: bool = True,
        rng: np.random.Generator | None = None, draw: Draw | None = None,
    ) -> None:  # fmt: skip
        rng = rng or np.random.default_rng()
        shape = (outputs, inputs // groups, kernel_size, kernel_size)
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        drawn = _uniform(rng, bound, shape) if draw is None else draw(rng, shape)
        self.weight = parameter(drawn, "weight")
        self.bias = parameter(_uniform(rng, bound, (outputs,)), "bias") if bias else None
        self.geometry = {
            "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
        }  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        """Return (N, out, OH, OW) for ``x`` (N, in, H, W)."""
        return ops.conv2d(x, self.weight, self.bias, **self.geometry)


class BatchNorm(Module):
    """Standardise each channel, axis 1 of (N, C) or (N, C, H, W), then scale and shift it.

    Training uses the batch's statistics and keeps a running average of them, which
    ``eval`` uses.  Source: Ioffe & Szegedy 2015.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.weight = parameter(np.ones(channels, np.float32), "gamma")
        self.bias = parameter(np.zeros(channels, np.float32), "beta")
        self.running_mean = tensor(np.zeros(channels, np.float32))
        self.running_var = tensor(np.ones(channels, np.float32))
        self.eps, self.momentum = eps, momentum

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        if not self.training:
            shape = (1, -1) + (1,) * (len(x.shape) - 2)
            scale = self.weight / (self.running_var + self.eps) ** 0.5
            shift = self.bias - self.running_mean * scale
            scaled = ops.multiply(x, scale.reshape(shape))
            return scaled + shift.reshape(shape)
        n = x.size // x.shape[1]
        if n < 2:
            raise ShapeError(
                f"batch_norm: needs more than one value per channel, got shape {x.shape}"
            )
        out, mean, var = batch_norm_and_statistics(x, self.weight, self.bias, self.eps)
        m = self.momentum
        self.running_mean = self._average(self.running_mean, m * mean)
        self.running_var = self._average(self.running_var, m * n / (n - 1) * var)
        return out

    def _average(self, before: Tensor, share: Any) -> Tensor:
        """Return the running average with a new batch's share, in the dtype it had."""
        kept = ops.multiply(1 - self.momentum, before)
        return ops.astype(kept + share, before.dtype)


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.relu(x)


class MaxPool2d(Module):
    """The maximum of each window; see ``tg.max_pool2d``.

    >>> import tinygrad_res as tg
    >>> tg.nn.MaxPool2d(2)(tg.tensor([[[[1.0, 2.0], [4.0, 3.0]]]]))
    tensor([[[[4.]]]])
    """

    def __init__(self, kernel_size: int, stride: int | None = None, padding: int = 0) -> None:
        self.window: dict[str, Any] = {
            "size": kernel_size, "stride": stride, "padding": padding,
        }  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        """Return (N, C, OH, OW) for ``x`` (N, C, H, W)."""
        return ops.max_pool2d(x, **self.window)


class AvgPool2d(Module):
    """The mean of each window; see ``tg.avg_pool2d``.

    >>> import tinygrad_res as tg
    >>> tg.nn.AvgPool2d(2)(tg.tensor([[[[1.0, 2.0], [4.0, 3.0]]]]))
    tensor([[[[2.5]]]])
    """

    def __init__(
        self, kernel_size: int, stride: int | None = None, padding: int = 0,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        self.window: dict[str, Any] = {
            "size": kernel_size, "stride": stride, "padding": padding,
            "count_include_pad": count_include_pad,
        }  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        """Return (N, C, OH, OW) for ``x`` (N, C, H, W)."""
        return ops.avg_pool2d(x, **self.window)


class GlobalAvgPool(Module):
    """The mean over height and width."""

    def forward(self, x: Any) -> Tensor:
        """Return (N, C) for ``x`` (N, C, H, W)."""
        return ops.mean(x, axis=(2, 3))


class Flatten(Module):
    """All axes after the first made one."""

    def forward(self, x: Any) -> Tensor:
        """Return (N, C H W) for ``x`` (N, C, H, W)."""
        return ops.reshape(x, (x.shape[0], -1))
