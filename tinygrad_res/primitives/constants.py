"""Piecewise constant functions: usable on tensors, with no derivative to record.

Their derivative is zero wherever it exists, so their results are constants.  Arrays
give arrays and tensors give tensors without a record, which lets derivative rules
use them on either.
"""

from __future__ import annotations

from typing import Any

from .. import backend
from ..tensor import Tensor, raw


def _run(function: str, *operands: Any) -> Any:
    arrays = [raw(o) for o in operands]
    xp = backend.namespace(next(a for a in arrays if backend.is_array(a)))
    out = getattr(xp, function)(*arrays)
    return Tensor(xp.asarray(out)) if any(isinstance(o, Tensor) for o in operands) else out


def sign(x: Any) -> Any:
    """Return the sign of each element, -1, 0 or 1, as a constant."""
    return _run("sign", x)


def less(x: Any, y: Any) -> Any:
    """Return x < y, a boolean constant."""
    return _run("less", x, y)


def less_equal(x: Any, y: Any) -> Any:
    """Return x <= y, a boolean constant."""
    return _run("less_equal", x, y)


def greater(x: Any, y: Any) -> Any:
    """Return x > y, a boolean constant."""
    return _run("greater", x, y)


def greater_equal(x: Any, y: Any) -> Any:
    """Return x >= y, a boolean constant."""
    return _run("greater_equal", x, y)


def equal(x: Any, y: Any) -> Any:
    """Return x == y, a boolean constant."""
    return _run("equal", x, y)


def not_equal(x: Any, y: Any) -> Any:
    """Return x != y, a boolean constant."""
    return _run("not_equal", x, y)


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


def stop_gradient(x: Any) -> Any:
    """Return the values of ``x`` as a constant, so that no gradient flows through.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([3.0], requires_grad=True)
    >>> tg.grad(lambda x: (x * tg.stop_gradient(x)).sum())(x)
    tensor([3.])
    """
    return Tensor(x._array) if isinstance(x, Tensor) else x


def _like(array: Any, *operands: Any) -> Any:
    return Tensor(array) if any(isinstance(o, Tensor) for o in operands) else array
