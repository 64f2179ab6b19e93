"""Piecewise constant functions: usable on tensors, with no derivative to record.

Their derivative is zero wherever it exists, so their results are constants: signs and
comparisons, and what derivative rules need on arrays and tensors alike, where arrays
give arrays and tensors give tensors without a record.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..families import Pointwise
from ..tensor import Tensor, raw

__all__ = [
    "equal", "greater", "greater_equal", "less", "less_equal", "not_equal", "sign", "stop_gradient",
]  # fmt: skip


def stop_gradient(x: Any) -> Any:
    """Return the values of ``x`` as a constant, so that no gradient flows through.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([3.0], requires_grad=True)
    >>> tg.grad(lambda x: (x * tg.stop_gradient(x)).sum())(x)
    tensor([3.])
    """
    return Tensor(x._array) if isinstance(x, Tensor) else x


class Constant(Pointwise):
    """A pointwise function whose derivative is zero wherever it exists: nothing is recorded."""

    def __call__(self, *operands: Any, **params: Any) -> Tensor:
        return super().__call__(*[stop_gradient(x) for x in operands], **params)


def constant(run: np.ufunc) -> Constant:
    """Define a piecewise constant function."""
    return Constant(run.__name__, run, [])


# fmt: off
sign          = constant(np.sign)
less          = constant(np.less)
less_equal    = constant(np.less_equal)
greater       = constant(np.greater)
greater_equal = constant(np.greater_equal)
equal         = constant(np.equal)
not_equal     = constant(np.not_equal)
# fmt: on


def share(x: Any, y: Any) -> Any:
    """Return 1 where x > y, 0 where x < y, and one half at ties, in their common dtype."""
    a, b = raw(x), raw(y)
    xp = backend.namespace(a if backend.is_array(a) else b)
    won = (a > b).astype(xp.result_type(a, b)) + xp.equal(a, b) * 0.5
    return _like(won.astype(xp.result_type(a, b)), x, y)


def tied(x: Any, out: Any, axis: tuple[int, ...]) -> Any:
    """Return each element's share of the extremum ``out`` over ``axis``: ties share equally."""
    a, b = raw(x), raw(out)
    hit = (a == b).astype(a.dtype)
    return _like(hit / hit.sum(axis=axis, keepdims=True), x)


def peak(x: Any, axis: tuple[int, ...]) -> Any:
    """Return the maximum over ``axis``, kept at length 1, as a constant to shift by."""
    top = raw(x).max(axis=axis, keepdims=True)
    xp = backend.namespace(top)
    return _like(xp.where(xp.isfinite(top), top, xp.zeros_like(top)), x)


def onehot(labels: Any, like: Any) -> Any:
    """Return rows of the identity matrix for ``labels``, in the shape and dtype of ``like``."""
    array = raw(like)
    xp = backend.namespace(array)
    out = xp.zeros(array.shape, dtype=array.dtype)
    out[xp.arange(len(labels)), labels] = 1
    return _like(out, like)


def _like(array: Any, *operands: Any) -> Any:
    if any(isinstance(o, Tensor) for o in operands):
        return Tensor(backend.namespace(array).asarray(array))
    return array
