"""Attention, composed of products and a softmax, whose edges all stay visible."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..errors import DtypeError, ShapeError
from ..tensor import Tensor, raw, tensor
from .arguments import beside, flag
from .contractions import matmul
from .inverses import swap
from .pointwise import add, multiply, where
from .softmaxes import softmax

__all__ = [
    "attention",
]  # fmt: skip


def attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    scale: float | None = None,
    causal: bool = False,
) -> Tensor:
    """Return softmax(query @ key.T * scale) @ value: scaled dot-product attention.

    Args:
        query: (..., L, E).
        key: (..., S, E).
        value: (..., S, D).
        mask: broadcasts to (..., L, S).  Booleans: true where a query may attend to a key.
            Floats: added to the scores, with -inf where it may not.
        scale: 1 / sqrt(E) where left out.
        causal: whether query i attends to the keys 0 to i only, besides ``mask``.

    Returns:
        (..., L, D); zeros for a query that may attend to no key.

    Raises:
        ShapeError: the shapes do not fit.
        DtypeError: the mask holds integers.

    Source: Vaswani et al. 2017, Attention Is All You Need.

    >>> attention([[1.0]], [[1.0], [1.0]], [[2.0], [4.0]])
    tensor([[3.]])
    >>> attention([[1.0], [1.0]], [[1.0], [1.0]], [[2.0], [4.0]], causal=True)
    tensor([[2.], [3.]])
    """
    query, key, value = (t if backend.is_array(t) else tensor(t) for t in (query, key, value))
    _check(query.shape, key.shape, value.shape)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = multiply(matmul(query, swap(key)), scale)
    xp = backend.namespace(raw(scores))
    if mask is not None:
        mask = beside("attention", mask, scores)
        _check_mask(mask, scores)
        is_bias = mask.dtype.kind == "f"
        scores = add(scores, mask) if is_bias else where(mask, scores, -math.inf)
    if flag("attention", "causal", causal):
        past = xp.tril(xp.ones(scores.shape[-2:], dtype=bool))
        scores = where(past, scores, -math.inf)
    return matmul(softmax(scores), value)


def _check(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...]) -> None:
    fits = min(len(query), len(key), len(value)) > 1
    if not fits or query[-1] != key[-1] or key[-2] != value[-2] or not query[-1]:
        raise ShapeError(
            f"attention: query {query}, key {key}, value {value}: expected (..., L, E), "
            "(..., S, E) and (..., S, D) with E > 0"
        )


def _check_mask(mask: Any, scores: Tensor) -> None:
    if mask.dtype.kind not in "bf":
        raise DtypeError(
            f"attention: a mask of dtype {mask.dtype}: pass booleans, true where a query may "
            "attend, or floats that are added to the scores"
        )
    try:
        fits = np.broadcast_shapes(mask.shape, scores.shape) == scores.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"attention: a mask {mask.shape} and scores {scores.shape}: the mask must broadcast "
            "to (..., L, S)"
        )
