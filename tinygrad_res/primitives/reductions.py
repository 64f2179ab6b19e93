"""The table of reductions: one coefficient per input element.

Ties in max and min share equally.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..custom import reduction
from ..errors import DtypeError, ShapeError
from ..families import Reduction
from ..tensor import Tensor, raw, tensor
from .constants import onehot, peak, tied

__all__ = [
    "cross_entropy", "logsumexp", "max", "mean", "min", "sum",
]  # fmt: skip


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
sum       = reduction("sum",  1, doc="the sum")
mean      = reduction("mean", lambda xp, _out, _x, axis, n: 1 / n if n else 0, doc="the mean")
max       = reduction("max",  lambda xp, out, x, axis, n: tied(x, out, axis), doc="the maximum, whose gradient equal elements share equally,")
min       = reduction("min",  lambda xp, out, x, axis, n: tied(x, out, axis), doc="the minimum, whose gradient equal elements share equally,")
logsumexp = reduction(_logsumexp, lambda xp, out, x, axis, n: xp.exp(x - out), name="logsumexp", doc="log(sum(exp(x))), computed without overflow,")
_loss     = Reduction("cross_entropy", _cross_entropy, [lambda xp, _out, x, axis, n, labels: (_softmax(xp, x, (1,)) - onehot(labels, x)) / len(labels)])
# fmt: on


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
