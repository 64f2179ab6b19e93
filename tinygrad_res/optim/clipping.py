"""Clipping: gradients made shorter, between ``backward`` and ``step``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import backend
from ..errors import GradientError, UsageError
from ..tensor import Parameter, Tensor, tensor


def clip_grad_norm(parameters: Iterable[Parameter], max_norm: float) -> Tensor:
    """Scale all gradients by one factor so that their joint norm is at most ``max_norm``.

    Args:
        parameters: those without a gradient are passed over.
        max_norm: the largest Euclidean norm of all gradients together; infinity only measures.

    Returns:
        The joint norm before clipping, a tensor without axes on the gradients' device.

    Raises:
        UsageError: ``max_norm`` is not positive.
        GradientError: no parameter has a gradient.

    As in PyTorch, the factor is max_norm / (norm + 1e-6) where that is below 1.  Unlike there, a norm
    that is not finite makes the gradients NaN rather than 0, with which a training would stand
    still unnoticed.
    Source: Pascanu, Mikolov & Bengio 2013, algorithm 1.

    >>> import tinygrad_res as tg
    >>> w = tg.parameter([0.0, 0.0])
    >>> (w * [3.0, 4.0]).sum().backward()
    >>> clip_grad_norm([w], max_norm=1.0).item()
    5.0
    >>> w.grad.data.round(5)
    array([0.6, 0.8])
    """
    with_gradient = _with_gradient("clip_grad_norm", "max_norm", parameters, max_norm)
    gradients = [p.grad.data for p in with_gradient]  # type: ignore[union-attr]
    xp = backend.namespace(gradients[0])
    wide = [g.astype("float32") if g.dtype == "float16" else g for g in gradients]
    with np.errstate(over="ignore"):
        norms = xp.stack([xp.sqrt(xp.sum(g * g)) for g in wide])
        total = xp.sqrt(xp.sum(norms * norms))
    if max_norm < math.inf:
        factor = xp.minimum(max_norm / (total + 1e-6), 1.0)
        factor = xp.where(xp.isfinite(total), factor, math.nan)
        for p, g in zip(with_gradient, gradients, strict=True):
            p.grad = tensor(g * factor.astype(g.dtype))
    return tensor(total)


def clip_grad_value(parameters: Iterable[Parameter], clip_value: float) -> None:
    """Clip every number of every gradient to [-clip_value, clip_value].

    Raises:
        UsageError: ``clip_value`` is not positive.
        GradientError: no parameter has a gradient.

    >>> import tinygrad_res as tg
    >>> w = tg.parameter([0.0, 0.0])
    >>> (w * [3.0, -4.0]).sum().backward()
    >>> clip_grad_value([w], 3.5)
    >>> w.grad
    tensor([ 3. , -3.5])
    """
    for p in _with_gradient("clip_grad_value", "clip_value", parameters, clip_value):
        g = p.grad.data  # type: ignore[union-attr]
        p.grad = tensor(backend.namespace(g).clip(g, -clip_value, clip_value))


def _with_gradient(
    name: str, what: str, parameters: Iterable[Any], bound: float
) -> list[Parameter]:
    if isinstance(parameters, Tensor):
        raise UsageError(f"{name}: pass a list of parameters, such as [w]")
    if not bound > 0:
        raise UsageError(f"{name}: {what} {bound}: must be positive")
    found = [p for p in parameters if p.grad is not None]
    if not found:
        raise GradientError(f"{name}: no parameter has a gradient: call loss.backward() first")
    return found
