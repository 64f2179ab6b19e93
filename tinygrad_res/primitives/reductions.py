"""The table of reductions: one coefficient per input element.

Ties in max and min share equally.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..errors import DtypeError, ShapeError
from ..families import Reduction
from ..tensor import Tensor, raw, shape_of, tensor
from .constants import onehot, peak, tied

__all__ = [
    "cross_entropy", "logsumexp", "max", "mean", "min", "sum",
]  # fmt: skip


def _reduction(name: str, coefficient: Any, run: Any = None) -> Reduction:
    kernel = run or (
        lambda xp, x, axis, keepdims: getattr(xp, name)(x, axis=axis, keepdims=keepdims)
    )
    return Reduction(name, kernel, [coefficient])


def _softmax(xp: Any, x: Any, axis: tuple[int, ...]) -> Any:
    e = xp.exp(x - peak(x, axis))
    return e / e.sum(axis=axis, keepdims=True)


def _logsumexp(xp: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    top = peak(x, axis)
    out = xp.log(xp.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return out if keepdims else out.squeeze(axis)


def _cross_entropy(xp: Any, x: Any, labels: Any) -> Any:
    rows = _logsumexp(xp, x, (1,), False) - x[xp.arange(len(labels)), labels]
    return rows.mean()


# fmt: off
_sum       = _reduction("sum",  1)
_mean      = _reduction("mean", lambda xp, _out, _x, axis, n: 1 / n if n else 0)
_max       = _reduction("max",  lambda xp, out, x, axis, n: tied(x, out, axis))
_min       = _reduction("min",  lambda xp, out, x, axis, n: tied(x, out, axis))
_lse       = _reduction("logsumexp", lambda xp, out, x, axis, n: xp.exp(x - out), _logsumexp)
_loss      = _reduction("cross_entropy",
                        lambda xp, _out, x, axis, n, labels:
                            (_softmax(xp, x, (1,)) - onehot(labels, x)) / len(labels), _cross_entropy)
# fmt: on


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the sum over ``axis``: an axis, a tuple of axes, or ``None`` for all."""
    return _sum(x, axis=_checked("sum", x, axis), keepdims=keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the mean over ``axis``: an axis, a tuple of axes, or ``None`` for all."""
    return _mean(x, axis=_checked("mean", x, axis), keepdims=keepdims)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the maximum over ``axis``; equal elements share its gradient equally."""
    return _max(x, axis=_checked("max", x, axis), keepdims=keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the minimum over ``axis``; equal elements share its gradient equally."""
    return _min(x, axis=_checked("min", x, axis), keepdims=keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return log(sum(exp(x))) over ``axis``, computed without overflow."""
    return _lse(x, axis=_checked("logsumexp", x, axis), keepdims=keepdims)


def cross_entropy(logits: Any, labels: Any) -> Tensor:
    """Return the mean cross-entropy of ``logits`` (N, classes) against ``labels`` (N,).

    One reduction, whose edge carries (softmax(logits) - onehot(labels)) / N.

    Raises:
        ShapeError: the shapes are not (N, classes) and (N,), or a label is out of range.
        DtypeError: the labels are not integers.
    """
    logits = logits if backend.is_array(logits) else tensor(logits)
    array, wanted = raw(logits), raw(labels)
    xp = backend.namespace(array)
    wanted = xp.array(wanted) if backend.is_array(wanted) else xp.asarray(wanted)
    if len(array.shape) != 2 or wanted.shape != array.shape[:1] or not array.shape[0]:
        raise ShapeError(
            f"cross_entropy: logits {array.shape} and labels {wanted.shape}: "
            "expected (N, classes) and (N,) with N > 0"
        )
    if wanted.dtype.kind not in "iu":
        raise DtypeError(f"cross_entropy: labels of dtype {wanted.dtype}: expected integers")
    if isinstance(wanted, np.ndarray) and (wanted.min() < 0 or wanted.max() >= array.shape[1]):
        raise ShapeError(
            f"cross_entropy: labels from {wanted.min()} to {wanted.max()}, "
            f"but there are {array.shape[1]} classes"
        )
    return _loss(logits, labels=wanted)


def _checked(name: str, x: Any, axis: Any) -> Any:
    """Return ``axis`` as NumPy takes it, or say what is wrong with it."""
    if axis is None:
        return tuple(range(len(shape_of(x))))
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    ndim = len(shape_of(x))
    for i in axes:
        if not isinstance(i, (int, np.integer)) or not -ndim <= i < ndim:
            raise ShapeError(
                f"{name}: axis {i!r} does not exist in a tensor of shape {shape_of(x)}"
            )
    normal = tuple(int(i) % ndim for i in axes)
    if len(set(normal)) != len(normal):
        raise ShapeError(f"{name}: axis {axis!r} names an axis twice")
    return normal
