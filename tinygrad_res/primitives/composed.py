"""Operations composed of primitives: their derivatives follow from their parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..custom import axes
from ..errors import ShapeError
from ..tensor import Tensor, raw, shape_of, tensor
from .arguments import beside, flag
from .pointwise import astype, divide, multiply
from .reductions import max, mean, sum
from .structural import broadcast_to, reshape
from .windows import pad, sliding_windows

__all__ = [
    "average", "avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d",
]  # fmt: skip

Size = int | tuple[int, ...]


def average(x: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Tensor:
    """Return the weighted mean over ``axis``: sum(weights * x) / sum(weights).

    Args:
        x: any shape.
        axis: an axis, a tuple of axes, or ``None`` for all of them.
        weights: of the shape of ``x``, or of its lengths along ``axis``, in that order; all
            equal where left out.  Gradients flow to them too.
        keepdims: keep the reduced axes, at length 1.

    Raises:
        ShapeError: an axis does not exist, or the weights' shape is neither of the two.

    >>> average([[1.0, 2.0], [3.0, 6.0]], axis=1, weights=[3.0, 1.0])
    tensor([1.25, 3.75])
    """
    if weights is None:
        return mean(x, axis, keepdims)
    weights = beside("average", weights, x)
    shape, over = shape_of(x), axes("average", x, axis)
    own = shape_of(weights)
    if own != shape:
        if own != tuple(shape[i] for i in over):
            raise ShapeError(
                f"average: shape {shape} along axis {axis} and weights {own}: the weights need "
                "the whole shape, or the lengths along the axis"
            )
        if over != tuple(sorted(over)):
            raise ShapeError(
                f"average: axis {axis} is out of order: name axes in increasing order where the "
                "weights have their lengths alone"
            )
        weights = reshape(weights, tuple(n if i in over else 1 for i, n in enumerate(shape)))
    if 0 in [shape[i] for i in over]:
        raise ShapeError(f"average: shape {shape} has no elements along axis {over}")
    weights, x = (_floating(value) for value in (weights, x))  # small integers would overflow
    total = sum(broadcast_to(weights, shape), over, keepdims)
    return divide(sum(multiply(x, weights), over, keepdims), total)


def _floating(value: Any) -> Any:
    whole = backend.is_array(value) and value.dtype.kind in "iub"
    return astype(value, float) if whole else value


def max_pool1d(x: Any, size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """Return the maximum of each window of ``x`` (..., L), as ``max_pool2d`` does.

    >>> max_pool1d([1.0, 5.0, 2.0, 3.0], 2)
    tensor([5., 3.])
    """
    return max(_windows("max_pool1d", x, 1, size, stride, padding, -np.inf), axis=-1)


def avg_pool1d(
    x: Any, size: Size, stride: Size | None = None, padding: Size = 0,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """Return the mean of each window of ``x`` (..., L), as ``avg_pool2d`` does.

    >>> avg_pool1d([1.0, 5.0, 2.0, 3.0], 2)
    tensor([3. , 2.5])
    """
    return _average("avg_pool1d", x, 1, size, stride, padding, count_include_pad)


def max_pool2d(x: Any, size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """Return the maximum of each window of ``x`` (..., H, W); ties share the gradient equally.

    Args:
        x: (..., H, W).
        size: of the windows, a number or (height, width).
        stride: from one window to the next; ``size`` where left out.
        padding: how many elements of -inf to add at each end, at most half the size.

    Returns:
        (..., OH, OW) with OH = (H + 2 padding - size) // stride + 1.

    Raises:
        ShapeError: windows that do not fit, or that could lie in the padding.
        DtypeError: integers are to be padded with -inf.

    >>> max_pool2d([[1.0, 2.0], [4.0, 3.0]], 2)
    tensor([[4.]])
    """
    return max(_windows("max_pool2d", x, 2, size, stride, padding, -np.inf), axis=(-2, -1))


def avg_pool2d(
    x: Any, size: Size, stride: Size | None = None, padding: Size = 0,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """Return the mean of each window of ``x`` (..., H, W).

    Arguments, result and errors are those of ``max_pool2d``; padding is with 0.
    ``count_include_pad=False`` leaves the padding out of the means.

    >>> avg_pool2d([[1.0, 2.0], [4.0, 3.0]], 2)
    tensor([[2.5]])
    """
    return _average("avg_pool2d", x, 2, size, stride, padding, count_include_pad)


def _average(
    name: str, x: Any, ndim: int, size: Any, stride: Any, padding: Any, with_padding: bool
) -> Tensor:
    last = tuple(range(-ndim, 0))
    out = mean(_windows(name, x, ndim, size, stride, padding, 0.0), axis=last)
    if flag(name, "count_include_pad", with_padding) or padding == 0:
        return out
    x = x if backend.is_array(x) else tensor(x)
    ones = backend.namespace(raw(x)).ones(x.shape[-ndim:], dtype=out.dtype)
    return divide(out, mean(_windows(name, ones, ndim, size, stride, padding, 0.0), axis=last))


def _windows(
    name: str, x: Any, ndim: int, size: Any, stride: Any, padding: Any, fill: float
) -> Tensor:
    """Return the windows over the last ``ndim`` axes, (..., OH, OW, kh, kw) or (..., OL, k)."""
    shape = shape_of(x)
    sizes, strides, pads = (
        _each(name, value, ndim) for value in (size, size if stride is None else stride, padding)
    )
    if len(shape) < ndim:
        raise ShapeError(f"{name}: shape {shape}: expected at least {ndim} axes")
    if any(not 0 <= p <= k // 2 for p, k in zip(pads, sizes, strict=True)):
        raise ShapeError(
            f"{name}: padding {padding} and size {size}: a padding goes from 0 to half the size, "
            "so that each window meets an element"
        )
    if any(pads):
        x = pad(x, ((0, 0),) * (len(shape) - ndim) + tuple((p, p) for p in pads), value=fill)
    return sliding_windows(x, sizes, strides)


def _each(name: str, value: Any, ndim: int) -> tuple[int, ...]:
    """Return one number for each axis."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,) * ndim
    if len(given) != ndim or not all(isinstance(n, (int, np.integer)) for n in given):
        raise ShapeError(f"{name}: {value!r}: expected a whole number or {ndim} of them")
    return tuple(int(n) for n in given)
