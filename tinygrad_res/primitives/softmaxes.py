"""Softmax and its kin: the logarithm of a sum of exponentials and what follows from it.

All of them first subtract the maximum, so that no exponential overflows.  An element of -inf,
a masked one, has probability 0 and no derivative.  Where all elements are -inf there is
nothing to share: ``softmax`` is 0 there, ``logsumexp`` is -inf, and the derivatives of both
are 0.  An element of +inf makes ``logsumexp`` infinite, and the softmax, its derivative, NaN.
"""

from __future__ import annotations

import math
from typing import Any, Never

import numpy as np

from .. import backend, mends
from ..custom import axes, general, reduction
from ..errors import DeviceError, DtypeError, ShapeError
from ..tensor import Tensor, raw, tensor
from .arguments import beside
from .constants import finite, onehot

FEW = 100
"""Classes up to which a transposed copy of logits pays."""

__all__ = [
    "cross_entropy", "log_softmax", "logsumexp", "softmax",
]  # fmt: skip


def _below_top(xp: Any, x: Any, axis: tuple[int, ...]) -> tuple[Any, Any, bool]:
    """Return ``x`` minus its maximum over ``axis``, the maximum, and whether all are known finite.

    The maximum is kept at length 1.  A GPU would have to be waited for to know of it, and a sum
    of halves may be infinite though they are not.
    """
    if x.dtype.kind != "f":
        x = x.astype(float)
    if not x.size:
        return x.copy(), -math.inf, False
    top = x.max(axis=axis, keepdims=True)
    tame = xp is np and x.itemsize > 2 and bool(np.isfinite(top).all())
    return xp.asarray(x - (top if tame else finite(xp, top))), top, tame


def _divisor(xp: Any, total: Any, tame: bool) -> Any:
    """Return what to divide exponentials by: 1 where their sum is 0, NaN where it is infinite."""
    return total if tame else xp.where(total < math.inf, total + (total == 0), math.nan)


def _logsumexp(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    rest, top, _ = _below_top(xp, x, axis)
    total = xp.exp(rest, out=rest).sum(axis=axis, keepdims=True)
    out = xp.log(total + (total == 0)) + top
    return out if keepdims else out.squeeze(axis)


def _softmax(xp: Any, x: Any, axis: tuple[int, ...]) -> Any:
    rest, _, tame = _below_top(xp, x, axis)
    e = xp.exp(rest, out=rest)
    return xp.divide(e, _divisor(xp, e.sum(axis=axis, keepdims=True), tame), out=e)


def _log_softmax(xp: Any, x: Any, axis: tuple[int, ...]) -> Any:
    rest, _, tame = _below_top(xp, x, axis)
    total = xp.exp(rest).sum(axis=axis, keepdims=True)
    return xp.subtract(rest, xp.log(_divisor(xp, total, tame)), out=rest)


def _cross_entropy(
    xp: Any, x: Any, axis: Any, keepdims: bool, labels: Any, share: Any
) -> Any:  # of axis and keepdims there is one choice
    rest, _, tame = _below_top(xp, _by_class(xp, x), (1,))
    labelled = rest[xp.arange(len(labels)), labels].reshape(-1, 1)
    total = xp.exp(rest, out=rest).sum(axis=1, keepdims=True)
    return ((xp.log(_divisor(xp, total, tame)) - labelled) * share).sum()


def _by_class(xp: Any, x: Any) -> Any:
    """Return (N, classes) with a few classes each together in memory: long runs are reduced faster.

    But halves are added up as singles only along their own run.
    """
    return xp.asfortranarray(x) if xp is np and x.shape[1] <= FEW and x.itemsize > 2 else x


def _error(xp: Any, _out: Any, x: Any, _axis: Any, _n: int, labels: Any, share: Any) -> Any:
    """Return (softmax(x) - onehot(labels)) times ``share``."""
    if isinstance(x, Tensor):
        return (_probabilities(x, (1,)) - onehot(labels, x)) * share
    found = _softmax(xp, _by_class(xp, x), (1,))
    found[xp.arange(len(labels)), labels] -= 1
    return xp.multiply(found, share, out=found)


def _probabilities(x: Any, axis: tuple[int, ...]) -> Any:
    return _softened.apply((x,), {"axis": axis})


# fmt: off
logsumexp    = reduction(_logsumexp, lambda xp, _out, x, axis, n: _probabilities(x, axis), name="logsumexp", doc="log(sum(exp(x))), computed without overflow,")
_softened    = general(_softmax,     lambda xp, g, wanted, out, _x, axis: [out * (g - (g * out).sum(axis=axis, keepdims=True))], name="softmax")
_logarithmic = general(_log_softmax, lambda xp, g, wanted, out, _x, axis: [g - xp.exp(out) * g.sum(axis=axis, keepdims=True)], name="log_softmax")
_loss        = reduction(_cross_entropy, _error, name="cross_entropy")
# fmt: on


def softmax(x: Any, axis: Any = -1) -> Tensor:
    """Return exp(x) / sum(exp(x)) along ``axis``: an axis, a tuple of axes or ``None`` for all.

    Raises:
        ShapeError: an axis does not exist, or is named twice.

    >>> import numpy as np
    >>> softmax([0.0, 0.0, -np.inf])
    tensor([0.5, 0.5, 0. ])
    """
    return _softened(x, axis=axes("softmax", x, axis))


def log_softmax(x: Any, axis: Any = -1) -> Tensor:
    """Return log(softmax(x)) = x - logsumexp(x) along ``axis``, as for ``softmax``.

    >>> log_softmax([2.0, 2.0])
    tensor([-0.693147, -0.693147])
    """
    return _logarithmic(x, axis=axes("log_softmax", x, axis))


def cross_entropy(logits: Any, labels: Any, **unknown: Never) -> Tensor:
    """Return the mean cross-entropy of ``logits`` (N, classes) against ``labels`` (N,).

    One reduction, whose edge carries (softmax(logits) - onehot(labels)) / N.  Labels that
    lie on a GPU are not fetched to be checked: where one is out of range, the loss and its
    derivatives are NaN.

    Raises:
        ShapeError: the shapes are not (N, classes) and (N,), or a label is out of range.
        DtypeError: the labels are not integers.
        DeviceError: the labels are on a GPU and the logits are not.
        UsageError: an argument of PyTorch's function is given: the message says what to write.

    >>> cross_entropy([[2.0, 2.0], [5.0, 5.0]], [1, 0])
    tensor(0.693147)
    """
    if unknown:
        raise mends.unknown("cross_entropy", unknown)
    logits = logits if backend.is_array(logits) else tensor(logits)
    shape = logits.shape
    wanted = raw(beside("cross_entropy", labels))
    if len(shape) != 2 or wanted.shape != shape[:1] or not shape[0]:
        raise ShapeError(
            f"cross_entropy: logits {shape} and labels {wanted.shape}: "
            "expected (N, classes) and (N,) with N > 0"
        )
    if wanted.dtype.kind not in "iu":
        raise DtypeError(f"cross_entropy: labels of dtype {wanted.dtype}: expected integers")
    rows, classes = shape
    xp: Any = backend.namespace(raw(logits))
    if isinstance(wanted, np.ndarray):
        if wanted.view(wanted.dtype.str.replace("i", "u")).max() >= classes:  # below 0 is far above
            raise ShapeError(
                f"cross_entropy: labels from {wanted.min()} to {wanted.max()}, "
                f"but there are {classes} classes"
            )
        return _loss(logits, labels=xp.array(wanted), share=1 / rows)
    if xp is np:
        raise DeviceError(
            "cross_entropy: the logits are on cpu and the labels on cuda: "
            "move one with tensor.to('cuda') or tensor.to('cpu')"
        )
    known = (wanted >= 0) & (wanted < classes)
    share = xp.where(known, 1 / rows, math.nan).astype(logits.dtype).reshape(-1, 1)
    return _loss(logits, labels=xp.where(known, wanted, 0), share=share)
