"""The table of contractions: bilinear maps, whose edges carry the other operand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..custom import contraction
from ..families import unbroadcast

__all__ = [
    "matmul",
]  # fmt: skip


def _swap(x: Any) -> Any:
    axes = tuple(range(len(x.shape)))
    return x.transpose((*axes[:-2], axes[-1], axes[-2]))


def _rows(x: Any) -> Any:
    """Join all axes but the last."""
    return x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _left(xp: Any, g: Any, b: Any, shape: tuple[int, ...]) -> Any:
    """Pull a cotangent of a @ b back to a, of ``shape``."""
    if len(b.shape) == 2 and len(shape) > 1:
        return g @ b.T
    if len(b.shape) == 1:
        return unbroadcast(g[..., None] * b, shape)
    if len(shape) == 1:
        return unbroadcast((b @ g[..., None])[..., 0], shape)
    return unbroadcast(g @ _swap(b), shape)


def _right(xp: Any, g: Any, a: Any, shape: tuple[int, ...]) -> Any:
    """Pull a cotangent of a @ b back to b, of ``shape``."""
    if len(a.shape) == 2 and len(shape) == 2:
        return a.T @ g
    if len(a.shape) == 1:
        outer = a[:, None] * g[..., None, :] if len(shape) > 1 else g[..., None] * a
        return unbroadcast(outer, shape)
    if len(shape) == 1:
        return _rows(a * g[..., None]).sum(axis=0)
    if len(shape) == 2:
        return _rows(a).T @ _rows(g)
    return unbroadcast(_swap(a) @ g, shape)


def _product(xp: Any, a: Any, b: Any) -> Any:
    """Multiply; a batch of rows against one matrix is one product of BLAS."""
    if len(a.shape) > 2 and len(b.shape) == 2:
        return (_rows(a) @ b).reshape(a.shape[:-1] + b.shape[1:])
    return a @ b


def _mismatch(a: Any, b: Any) -> str | None:
    left, right = np.shape(a), np.shape(b)
    if not left or not right:
        return f"{left} @ {right}: scalars cannot be multiplied with @, use *"
    inner = right[-2] if len(right) > 1 else right[0]
    if left[-1] != inner:
        return f"{left} @ {right}: inner dimensions {left[-1]} and {inner} differ"
    return f"{left} @ {right}: batch dimensions {left[:-2]} and {right[:-2]} do not broadcast"


# fmt: off
matmul = contraction(_product, _left, _right, name="matmul", doc="the matrix product of two tensors; leading axes are a batch", mend=_mismatch)
# fmt: on
