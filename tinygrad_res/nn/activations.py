"""The layers without state: activations, and what only arranges values.

Paths cross all of them with weight degree 0; an activation's own derivative stands on its edge.
"""

from __future__ import annotations

from typing import Any

from .. import primitives as ops
from ..errors import UsageError
from ..tensor import Tensor, shape_of
from ..whole_numbers import whole
from .module import Module


class ReLU(Module):
    """max(x, 0); its derivative at 0 is 0."""

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.relu(x)


class LeakyReLU(Module):
    """x where positive, ``negative_slope`` x elsewhere."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.leaky_relu(x, self.negative_slope)


class Sigmoid(Module):
    """1 / (1 + exp(-x)); its derivative is at most 1/4."""

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent; its derivative is at most 1."""

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.tanh(x)


class GELU(Module):
    """x times the share of a standard normal distribution below x.

    ``approximate="tanh"`` takes the faster formula; see ``tg.gelu``.
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.gelu(x, self.approximate)


class SiLU(Module):
    """x sigmoid(x), also known as swish."""

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.silu(x)


class _Softened(Module):
    """A softmax along an axis."""

    def __init__(self, dim: int) -> None:
        axis = whole(dim)
        if axis is None:
            raise UsageError(f"{type(self).__name__}: dim={dim!r}: pass an axis, such as -1")
        self.dim = axis


class Softmax(_Softened):
    """exp(x) over its sum along the axis ``dim``: positive numbers whose sum is 1.

    Raises:
        UsageError: ``dim`` is no whole number.

    >>> import tinygrad_res as tg
    >>> tg.nn.Softmax(dim=-1)(tg.tensor([[2.0, 2.0]]))
    tensor([[0.5, 0.5]])
    """

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.softmax(x, axis=self.dim)


class LogSoftmax(_Softened):
    """The logarithm of ``Softmax``, without its overflow; arguments and errors are the same.

    >>> import tinygrad_res as tg
    >>> tg.nn.LogSoftmax(dim=-1)(tg.tensor([[2.0, 2.0]]))
    tensor([[-0.693147, -0.693147]])
    """

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.log_softmax(x, axis=self.dim)


class Identity(Module):
    """What it is given.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0])
    >>> tg.nn.Identity()(x) is x
    True
    """

    def forward(self, x: Any) -> Any:
        """Return ``x`` itself."""
        return x


class Flatten(Module):
    """The axes from ``start_dim`` to ``end_dim`` made one; where left out, all after the first.

    >>> import numpy as np
    >>> import tinygrad_res as tg
    >>> tg.nn.Flatten()(np.ones((2, 3, 4, 4))).shape
    (2, 48)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Tensor:
        """Return (N, C H W) for ``x`` (N, C, H, W).

        Raises:
            UsageError: ``x`` has no such axes.
        """
        shape = shape_of(x)
        start, end = (k + len(shape) if k < 0 else k for k in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < len(shape):
            raise UsageError(
                f"Flatten: start_dim={self.start_dim}, end_dim={self.end_dim}, input {shape}: "
                "there are no such axes in this order"
            )
        length = 1
        for n in shape[start : end + 1]:
            length *= n
        return ops.reshape(x, (*shape[:start], length, *shape[end + 1 :]))
