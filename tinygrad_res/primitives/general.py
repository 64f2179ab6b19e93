"""The table of general primitives: operations with a written vector-Jacobian product."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..custom import general
from ..errors import ShapeError
from ..tensor import Tensor, raw, shape_of, tensor

__all__ = [
    "batch_norm",
]  # fmt: skip


def _over(x: Any) -> tuple[int, ...]:
    """Return every axis but that of the channels, axis 1."""
    return (0, *range(2, len(x.shape)))


def _spread(v: Any, ndim: int) -> Any:
    """Lay a vector of one number per channel along axis 1."""
    return v.reshape((1, -1) + (1,) * (ndim - 2))


def _statistics(array: Any) -> tuple[Any, Any]:
    """Return mean and biased variance of each channel of an array (N, C, ...), both (C,)."""
    if len(array.shape) < 2 or array.size == 0:
        raise ShapeError(
            f"batch_norm: expected a shape (N, C, ...) with at least one element, got {array.shape}"
        )
    mean = array.mean(axis=_over(array))
    centred = array - _spread(mean, array.ndim)
    return mean, backend.namespace(array).square(centred).mean(axis=_over(array))


def _standardise(x: Any, statistics: tuple[Any, Any], eps: float) -> tuple[Any, Any]:
    """Return the standardised input and the reciprocal deviations (1, C, 1, ...)."""
    mean, var = statistics
    inverse = _spread(1 / (var + eps) ** 0.5, len(x.shape))
    return (x - _spread(mean, len(x.shape))) * inverse, inverse


def _normalise(xp: Any, x: Any, weight: Any, bias: Any, statistics: Any, eps: float) -> Any:
    mean, var = statistics
    scale = weight / xp.sqrt(var + eps)
    return x * _spread(scale, x.ndim) + _spread(bias - mean * scale, x.ndim)


def _normalise_vjp(
    xp: Any,
    g: Any,
    wanted: tuple[int, ...],
    _out: Any,
    x: Any,
    weight: Any,
    _bias: Any,
    statistics: Any,
    eps: float,
) -> list[Any]:
    over = _over(x)
    if isinstance(x, Tensor):
        mean = x.mean(axis=over)
        statistics = mean, xp.square(x - _spread(mean, x.ndim)).mean(axis=over)
    standard, inverse = _standardise(x, statistics, eps)
    along_bias = g.sum(axis=over)
    along_weight = (g * standard).sum(axis=over)
    found: dict[int, Any] = {1: along_weight, 2: along_bias}
    if 0 in wanted:
        n = x.size // x.shape[1]
        centre = _spread(along_bias / n, len(x.shape)) + standard * _spread(
            along_weight / n, len(x.shape)
        )
        found[0] = (g - centre) * (_spread(weight, len(x.shape)) * inverse)
    return [found[i] for i in wanted]


_batch_norm = general(_normalise, _normalise_vjp, name="batch_norm")


def batch_norm(x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Tensor:
    """Return ``x`` standardised over its batch, scaled and shifted per channel.

    One node: the dependence of mean and variance on ``x`` is part of its edge to ``x``.

    Args:
        x: (N, C) or (N, C, H, W).
        weight, bias: (C,), also known as gamma and beta.
        eps: added to the variance.

    Raises:
        ShapeError: there is no element, or not one of weight and bias per channel.

    Source: Ioffe & Szegedy 2015, Batch Normalization.
    """
    return batch_norm_and_statistics(x, weight, bias, eps)[0]


def batch_norm_and_statistics(
    x: Any, weight: Any, bias: Any, eps: float = 1e-5
) -> tuple[Tensor, Any, Any]:
    """Return ``batch_norm`` with the batch's mean and biased variance, constants of shape (C,)."""
    x = x if backend.is_array(x) else tensor(x)
    channels = shape_of(x)[1:2]
    if shape_of(weight) != channels or shape_of(bias) != channels:
        raise ShapeError(
            f"batch_norm: input {shape_of(x)}, weight {shape_of(weight)}, bias "
            f"{shape_of(bias)}: weight and bias need one element per channel, axis 1"
        )
    mean, var = _statistics(raw(x))
    return _batch_norm(x, weight, bias, statistics=(mean, var), eps=eps), mean, var
