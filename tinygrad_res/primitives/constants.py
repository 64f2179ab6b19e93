"""Piecewise constant functions: usable on tensors, with no derivative to record.

Their derivative is zero wherever it exists, so their results are constants: signs,
roundings and comparisons, and what derivative rules need on arrays and tensors alike,
where arrays give arrays and tensors give tensors without a record.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..custom import constant, end_record
from ..errors import DtypeError, ShapeError, UsageError
from ..record import scope_now
from ..tensor import Tensor, raw, real_dtype, shape_of, tensor
from .arguments import flag, number, shown

__all__ = [
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil",
    "equal", "floor", "floor_divide", "full_like", "greater", "greater_equal", "heaviside", "isclose", "isfinite",
    "isinf", "isnan", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "not_equal",
    "ones_like", "rint", "round", "sign", "signbit", "stop_gradient", "trunc", "zeros_like",
]  # fmt: skip


def stop_gradient(x: Any) -> Any:
    """Return the values of ``x`` as a constant, so that no gradient flows through.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([3.0], requires_grad=True)
    >>> tg.grad(lambda x: (x * tg.stop_gradient(x)).sum())(x)
    tensor([3.])
    """
    return end_record(Tensor(x._array, None), "stop_gradient", (x,)) if isinstance(x, Tensor) else x


# fmt: off
sign                = constant(np.sign, doc="-1, 0 or 1, the sign of x")
signbit             = constant(np.signbit, doc="whether x is negative, -0.0 included")
floor               = constant(np.floor, doc="the largest integer that is at most x")
ceil                = constant(np.ceil, doc="the smallest integer that is at least x")
trunc               = constant(np.trunc, doc="x without its fraction")
rint                = constant(np.rint, doc="the integer nearest to x, of two the even one")
floor_divide        = constant(np.floor_divide, doc="floor(x / y)")
heaviside           = constant(np.heaviside, doc="0 where x < 0, 1 where x > 0, and y where x is 0")
less                = constant(np.less, doc="whether x < y")
less_equal          = constant(np.less_equal, doc="whether x <= y")
greater             = constant(np.greater, doc="whether x > y")
greater_equal       = constant(np.greater_equal, doc="whether x >= y")
equal               = constant(np.equal, doc="whether x equals y")
not_equal           = constant(np.not_equal, doc="whether x differs from y")
isfinite            = constant(np.isfinite, doc="whether x is neither infinite nor NaN")
isinf               = constant(np.isinf, doc="whether x is infinite")
isnan               = constant(np.isnan, doc="whether x is NaN")
logical_and         = constant(np.logical_and, doc="whether neither x nor y is 0")
logical_or          = constant(np.logical_or, doc="whether x or y is not 0")
logical_xor         = constant(np.logical_xor, doc="whether one of x and y is 0")
logical_not         = constant(np.logical_not, doc="whether x is 0")
bitwise_and         = constant(np.bitwise_and, doc="x & y of integers or booleans")
bitwise_or          = constant(np.bitwise_or, doc="x | y of integers or booleans")
bitwise_xor         = constant(np.bitwise_xor, doc="x ^ y of integers or booleans")
bitwise_invert      = constant(np.invert, name="bitwise_invert", doc="~x of integers or booleans")
bitwise_left_shift  = constant(np.left_shift, name="bitwise_left_shift", doc="x << y of integers")
bitwise_right_shift = constant(np.right_shift, name="bitwise_right_shift", doc="x >> y of integers")

rounded             = constant(lambda xp, x, decimals: xp.around(x, decimals), name="round")
near                = constant(lambda xp, x, y, **tolerances: xp.isclose(x, y, **tolerances), name="isclose")
# fmt: on


def round(x: Any, decimals: int = 0) -> Tensor:
    """Return ``x`` rounded to so many decimals, halves to the even neighbour; no gradient flows through.

    >>> import tinygrad_res as tg
    >>> tg.round([0.5, 1.5, 2.25], 1), tg.round([0.5, 1.5])
    (tensor([0.5, 1.5, 2.2]), tensor([0., 2.]))
    """
    return rounded(x, decimals=decimals)


def isclose(
    x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Return whether |x - y| <= atol + rtol |y|, element by element.

    Equal infinities are close; NaN is close to NaN where ``equal_nan`` says so.

    >>> import tinygrad_res as tg
    >>> tg.isclose([1.0, 2.0], [1.0, 2.1])
    tensor([ True, False], dtype=bool)
    """
    rtol, atol = number("isclose", "rtol", rtol), number("isclose", "atol", atol)
    return near(x, y, rtol=rtol, atol=atol, equal_nan=flag("isclose", "equal_nan", equal_nan))


def full_like(x: Any, fill_value: float, dtype: Any = None) -> Tensor:
    """Return a constant of the shape and device of ``x``, every element ``fill_value``.

    Its dtype is that of ``x`` where ``dtype`` is left out.

    Raises:
        DtypeError: the dtype is no real number type, or cannot hold the number.
        UsageError: ``fill_value`` is no number.

    >>> import tinygrad_res as tg
    >>> tg.full_like(tg.tensor([1.0, 2.0]), 7)
    tensor([7., 7.])
    """
    return _filled("full_like", x, fill_value, dtype)


def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Return a constant of the shape and device of ``x``, every element 0.

    Its dtype is that of ``x`` where ``dtype`` is left out.

    Raises:
        DtypeError: the dtype is no real number type.

    >>> import tinygrad_res as tg
    >>> tg.zeros_like(tg.tensor([1.0, 2.0]), dtype=bool)
    tensor([False, False], dtype=bool)
    """
    return _filled("zeros_like", x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Return a constant of the shape and device of ``x``, every element 1.

    Its dtype is that of ``x`` where ``dtype`` is left out.

    Raises:
        DtypeError: the dtype is no real number type.

    >>> import tinygrad_res as tg
    >>> tg.ones_like(tg.tensor([[1.0, 2.0]]))
    tensor([[1., 1.]])
    """
    return _filled("ones_like", x, 1, dtype)


def _filled(name: str, x: Any, value: Any, dtype: Any) -> Tensor:
    if isinstance(value, Tensor) and value.requires_grad and scope_now() is not None:
        raise UsageError(
            f"{name}: the fill_value carries a gradient, which would be lost: use "
            "tg.broadcast_to(value, x.shape)"
        )
    like = raw(x) if backend.is_array(x) else tensor(x)._array
    wanted = like.dtype if dtype is None else real_dtype(name, dtype)
    fill = raw(value) if backend.is_array(value) else number(name, "fill_value", value)
    try:
        if wanted.kind in "iu" and not backend.is_array(fill):
            fill = int(fill)  # which NaN and infinity are not
        return Tensor(backend.namespace(like).full(like.shape, fill, dtype=wanted), None)
    except (TypeError, ValueError, OverflowError) as error:
        kind = ShapeError if shape_of(fill) else DtypeError
        raise kind(
            f"{name}: fill_value {shown(value)} for shape {like.shape} and dtype {wanted}: {error}"
        ) from error


def share(x: Any, y: Any) -> Any:
    """Return 1 where x > y, 0 where x < y, and one half at ties, in their common dtype."""
    a, b = raw(x), raw(y)
    xp = backend.namespace(a if backend.is_array(a) else b)
    won = (a > b).astype(xp.result_type(a, b)) + xp.equal(a, b) * 0.5
    return _like(won.astype(xp.result_type(a, b)), x, y)


def tied(x: Any, out: Any, axis: tuple[int, ...]) -> Any:
    """Return each element's share of the extremum ``out`` over ``axis``: ties share equally.

    Where the extremum is NaN, so are all shares.
    """
    a, b = raw(x), raw(out)
    hit = (a == b).astype(a.dtype)
    ties = hit.sum(axis=axis, keepdims=True)  # none where the extremum is NaN
    return _like(hit / backend.namespace(a).where(ties == 0, math.nan, ties), x)


def finite(xp: Any, array: Any) -> Any:
    """Return ``array`` with the largest numbers of its dtype in place of infinite ones."""
    largest = float(np.finfo(array.dtype).max)
    return xp.minimum(xp.maximum(array, -largest), largest)


def onehot(labels: Any, like: Any) -> Any:
    """Return rows of the identity matrix for ``labels``, in the shape and dtype of ``like``."""
    array = raw(like)
    xp = backend.namespace(array)
    out = xp.zeros(array.shape, dtype=array.dtype)
    out[xp.arange(len(labels)), labels] = 1
    return _like(out, like)


def _like(array: Any, *operands: Any) -> Any:
    if any(isinstance(o, Tensor) for o in operands):
        return Tensor(backend.namespace(array).asarray(array), None)
    return array
