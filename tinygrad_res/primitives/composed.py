"""Operations composed of primitives: their derivatives follow from their parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor, shape_of
from .convolution import _pair
from .pointwise import exp, subtract
from .reductions import logsumexp, max, mean
from .structural import pad, sliding_windows

__all__ = [
    "avg_pool2d", "log_softmax", "max_pool2d", "softmax",
]  # fmt: skip


def softmax(x: Any, axis: int = -1) -> Tensor:
    """Return exp(x) / sum(exp(x)) along ``axis``."""
    return exp(log_softmax(x, axis))


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """Return x - logsumexp(x) along ``axis``."""
    return subtract(x, logsumexp(x, axis, keepdims=True))


def _image_windows(x: Any, size: Any, stride: Any, padding: Any, fill: float) -> Tensor:
    (p, q) = _pair(padding)
    if p or q:
        x = pad(x, ((0, 0),) * (len(shape_of(x)) - 2) + ((p, p), (q, q)), fill)
    return sliding_windows(x, _pair(size), _pair(size if stride is None else stride))


def max_pool2d(
    x: Any,
    size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
) -> Tensor:
    """Return the maximum of each window of ``x`` (..., H, W); ties share the gradient equally.

    Windows have ``size`` and start every ``stride`` (``size`` where left out).
    """
    return max(_image_windows(x, size, stride, padding, -np.inf), axis=(-2, -1))


def avg_pool2d(
    x: Any,
    size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
) -> Tensor:
    """Return the mean of each window of ``x`` (..., H, W), padding zeros included.

    Windows have ``size`` and start every ``stride`` (``size`` where left out).
    """
    return mean(_image_windows(x, size, stride, padding, 0.0), axis=(-2, -1))
