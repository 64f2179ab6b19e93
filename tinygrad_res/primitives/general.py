"""The table of general primitives: operations with a written vector-Jacobian product.

Here are the normalisations; those of linear algebra are in ``linalg``.  An output element
of a normalisation depends on all inputs that share its mean and variance, and their
dependence on the input is part of the one edge that leads to it.
"""

from __future__ import annotations

import functools
import math
import operator
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from ..custom import general
from ..errors import ShapeError
from ..families import unbroadcast
from ..tensor import Tensor, raw, shape_of, tensor
from .arguments import number, whole
from .pointwise import add, multiply
from .structural import reshape

__all__ = [
    "batch_norm", "group_norm", "layer_norm", "rms_norm",
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
    mean = _mean(array)
    centred = array - _spread(mean, array.ndim)
    return mean, _mean(centred, centred)


def _mean(*factors: Any) -> Any:
    """Return the mean of a product over every axis but axis 1.

    As a contraction, which is several times faster than a reduction over axes that lie apart.
    """
    first = factors[0]
    if isinstance(first, Tensor):
        return functools.reduce(operator.mul, factors).mean(axis=_over(first))
    xp, n = backend.namespace(first), first.size // first.shape[1]
    wide = np.float32 if first.dtype.itemsize < 4 else first.dtype
    term = string.ascii_letters[: first.ndim]
    total = xp.einsum(f"{','.join([term] * len(factors))}->b", *factors, dtype=wide)
    return (total / n).astype(first.dtype, copy=False)


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
    if isinstance(x, Tensor):
        statistics = _statistics(x)
    standard, inverse = _standardise(x, statistics, eps)
    along_bias, along_weight = _mean(g), _mean(g, standard)
    n = x.size // x.shape[1]
    found: dict[int, Any] = {1: along_weight * n, 2: along_bias * n}
    if 0 in wanted:
        centre = _spread(along_bias, len(x.shape)) + standard * _spread(along_weight, len(x.shape))
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
    number("batch_norm", "eps", eps)
    mean, var = _statistics(raw(x))
    return _batch_norm(x, weight, bias, statistics=(mean, var), eps=eps), mean, var


# Normalisation of each sample by itself, over its last axes


def _run_layer(
    xp: Any,
    x: Any,
    weight: Any,
    bias: Any,
    statistics: tuple[Any, Any],
    axes: Any,
    centred: bool,
    eps: float,
) -> Any:
    mean, inverse = statistics
    standard = (x - mean if centred else x) * inverse
    return standard * weight + bias


def _layer_vjp(
    xp: Any,
    g: Any,
    wanted: tuple[int, ...],
    _out: Any,
    x: Any,
    weight: Any,
    _bias: Any,
    statistics: tuple[Any, Any],
    axes: tuple[int, ...],
    centred: bool,
    eps: float,
) -> list[Any]:
    mean, inverse = _deviation(xp, x, axes, centred, eps) if isinstance(x, Tensor) else statistics
    standard = (x - mean if centred else x) * inverse
    found = []
    for i in wanted:
        if i:
            found.append(unbroadcast(g if i == 2 else g * standard, weight.shape))
            continue
        h = g * weight
        across = standard * (h * standard).mean(axis=axes, keepdims=True)
        if centred:
            across = across + h.mean(axis=axes, keepdims=True)
        found.append((h - across) * inverse)
    return found


def _deviation(xp: Any, x: Any, axes: tuple[int, ...], centred: bool, eps: float) -> Any:
    """Return the mean, or 0 where it is not taken off, and 1 / sqrt(mean square + eps)."""
    mean = x.mean(axis=axes, keepdims=True) if centred else 0.0
    square = xp.square(x - mean if centred else x).mean(axis=axes, keepdims=True)
    return mean, 1 / xp.sqrt(square + eps)


# fmt: off
_layer_norm = general(_run_layer, _layer_vjp, name="layer_norm")
_rms_norm   = general(_run_layer, _layer_vjp, name="rms_norm")
# fmt: on


def _over_last(
    name: str,
    x: Any,
    normalized_shape: Any,
    weight: Any,
    bias: Any,
    eps: float | None,
    centred: bool,
) -> Tensor:
    x = x if backend.is_array(x) else tensor(x)
    try:
        over = tuple(int(n) for n in np.atleast_1d(normalized_shape))
    except (TypeError, ValueError):
        over = ()
    k = len(over)
    if not k or x.shape[-k:] != over or 0 in over:
        raise ShapeError(
            f"{name}: input {x.shape}, normalized_shape {normalized_shape}: expected the "
            "lengths of the last axes of the input, at least one, none of them 0"
        )
    for which, given in (("weight", weight), ("bias", bias)):
        if given is not None and shape_of(given) != over:
            raise ShapeError(
                f"{name}: {which} {shape_of(given)}, normalized_shape {over}: they must be equal"
            )
    array = raw(x)
    xp = backend.namespace(array)
    if eps is None:
        eps = float(np.finfo(array.dtype if array.dtype.kind == "f" else float).eps)
    axes = tuple(range(-k, 0))
    number(name, "eps", eps)
    statistics = _deviation(xp, array, axes, centred, eps)
    dtype = statistics[1].dtype
    weight = xp.ones(over, dtype=dtype) if weight is None else weight
    bias = xp.zeros(over, dtype=dtype) if bias is None else bias
    primitive = _layer_norm if centred else _rms_norm
    return primitive(x, weight, bias, statistics=statistics, axes=axes, centred=centred, eps=eps)


def layer_norm(
    x: Any,
    normalized_shape: int | Sequence[int],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return ``x`` with mean 0 and variance 1 over its last axes, then scaled and shifted.

    One node, as in ``batch_norm``: the dependence of mean and variance on ``x`` is part of
    its edge to ``x``.  The arguments are those of ``torch.nn.functional.layer_norm``.

    Args:
        x: (..., *normalized_shape).
        normalized_shape: the lengths of the axes to normalise over, or the last one's.
        weight, bias: of shape ``normalized_shape``; 1 and 0 where left out.
        eps: added to the variance.

    Raises:
        ShapeError: ``normalized_shape`` is not the end of the input's shape, or a weight's.

    Source: Ba, Kiros & Hinton 2016, Layer Normalization.

    >>> layer_norm([[1.0, 3.0]], 2, eps=0)
    tensor([[-1.,  1.]])
    """
    return _over_last("layer_norm", x, normalized_shape, weight, bias, eps, True)


def rms_norm(
    x: Any, normalized_shape: int | Sequence[int], weight: Any = None, eps: float | None = None
) -> Tensor:
    """Return ``x`` divided by its root mean square over its last axes, then scaled.

    Args:
        x: (..., *normalized_shape).
        normalized_shape: the lengths of the axes to normalise over, or the last one's.
        weight: of shape ``normalized_shape``; 1 where left out.
        eps: added to the mean square; the dtype's resolution where left out.

    Raises:
        ShapeError: ``normalized_shape`` is not the end of the input's shape, or the weight's.

    Source: Zhang & Sennrich 2019, Root Mean Square Layer Normalization.

    >>> rms_norm([3.0, -3.0], 2, eps=0)
    tensor([ 1., -1.])
    """
    return _over_last("rms_norm", x, normalized_shape, weight, None, eps, False)


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Return ``x`` (N, C, ...) normalised over each sample's groups of channels.

    Composed of a ``layer_norm`` between two reshapes, a product and a sum.  With
    ``num_groups`` = C it is instance normalisation.

    Args:
        x: (N, C, ...).
        num_groups: how many groups of neighbouring channels; a divisor of C.
        weight, bias: (C,); 1 and 0 where left out.
        eps: added to the variance.

    Raises:
        ShapeError: the groups do not divide the channels, or a weight is not (C,).

    Source: Wu & He 2018, Group Normalization.

    >>> group_norm([[1.0, 3.0, 5.0, 5.0]], 2, eps=1e-12)
    tensor([[-1.,  1.,  0.,  0.]])
    """
    shape, num_groups = shape_of(x), whole("group_norm", "num_groups", num_groups)
    if len(shape) < 2 or not num_groups > 0 or shape[1] % num_groups or 0 in shape[1:]:
        raise ShapeError(
            f"group_norm: input {shape} and {num_groups} groups: expected (N, C, ...) with at "
            "least one element per sample, and a number of groups that divides C"
        )
    length = math.prod(shape[1:]) // num_groups
    out = reshape(layer_norm(reshape(x, (shape[0], num_groups, length)), length, eps=eps), shape)
    for name, given, join in (("weight", weight, multiply), ("bias", bias, add)):
        if given is None:
            continue
        if shape_of(given) != shape[1:2]:
            raise ShapeError(
                f"group_norm: {name} {shape_of(given)} and input {shape}: expected one element "
                "per channel, axis 1"
            )
        out = join(out, reshape(given, (-1,) + (1,) * (len(shape) - 2)))
    return out
