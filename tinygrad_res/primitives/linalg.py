"""Linear algebra: the array API's ``linalg``, on stacks of matrices in the last two axes.

>>> import tinygrad_res as tg
>>> a = tg.tensor([[4.0, 0.0], [0.0, 2.0]], requires_grad=True)
>>> tg.linalg.slogdet(a).logabsdet.backward()
>>> a.grad
tensor([[0.25, 0.  ],
        [0.  , 0.5 ]])

As in NumPy, the matrices lie in the last two axes and the others are a batch, also for
``diagonal`` and ``trace``, which take other axes in the main table.  On a GPU, CuPy does not
check for singular matrices and the like; where NumPy refuses, the result there is NaN.

This module is the namespace, and has what is composed; the primitives are in ``inverses``
and ``decompositions``.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend
from ..custom import axes
from ..errors import ShapeError, UsageError
from ..tensor import Tensor, shape_of, tensor
from . import diagonals
from .arguments import shown
from .contractions import cross, matmul, tensordot, vecdot
from .contractions import outer as _outer
from .decompositions import cholesky, eigh, eigvalsh, qr, svd, svdvals
from .inverses import det, inv, matrices, matrix_power, pinv, slogdet, solve
from .pointwise import abs, astype
from .reductions import max, min, sum
from .reductions import norm as _norm
from .structural import matrix_transpose, moveaxis, reshape

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power", "matrix_transpose", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip

ORDERS = ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)


def vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """Return the norm (sum |x|^ord)^(1/ord) over ``axis``: ``tg.norm`` with the array API's order.

    >>> vector_norm([[3.0, 4.0], [6.0, 8.0]], axis=1)
    tensor([ 5., 10.])
    """
    return _norm(x, ord, axis, keepdims)


def matrix_norm(
    x: Any, keepdims: bool = False, ord: Any = "fro", axis: tuple[int, int] = (-2, -1)
) -> Tensor:
    """Return a norm of the matrices in two axes of ``x``.

    Equal sums or singular values that tie in an extremum share its gradient equally, and
    the derivative by a singular value that is 0 is 0.

    Args:
        x: at least two axes.
        keepdims: keep the two axes, at length 1.
        ord: ``"fro"`` for the root of the sum of squares, ``"nuc"`` for the sum of the
            singular values, 2 or -2 for the largest or smallest of them, 1 or -1 for the
            largest or smallest sum of sizes along a column, ``inf`` or ``-inf`` along a row.
        axis: the axis along a column and the axis along a row.

    Raises:
        ShapeError: the axes do not exist, or are not two.
        UsageError: an ``ord`` that is not in the list.

    >>> matrix_norm([[3.0, 0.0], [0.0, -4.0]], ord="nuc")
    tensor(7.)
    """
    x = x if backend.is_array(x) else tensor(x)
    matrices("matrix_norm", x)
    pair = axes("matrix_norm", x, axis)
    if len(pair) != 2:
        raise ShapeError(f"matrix_norm: axis {axis!r}: expected two axes")
    if backend.is_array(ord) or ord not in ORDERS:
        raise UsageError(
            f"matrix_norm: ord {shown(ord)}: choose from 'fro', 'nuc', 1, -1, 2, -2, inf, -inf"
        )
    if ord == "fro":
        return _norm(x, 2, pair, keepdims)
    if ord in ("nuc", 2, -2):
        values = svdvals(moveaxis(x, pair, (-2, -1)))
        out = (sum if ord == "nuc" else max if ord == 2 else min)(values, axis=-1)
    else:
        down, along = pair if ord in (1, -1) else pair[::-1]
        sizes = abs(x) if x.dtype.kind == "f" else astype(abs(x), float)
        sums = sum(sizes, axis=down, keepdims=True)
        out = (max if ord > 0 else min)(sums, axis=(down, along))
    kept = tuple(1 if i in pair else n for i, n in enumerate(x.shape))
    return reshape(out, kept) if keepdims else out


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return what NumPy's ``linalg.norm`` does: a norm of vectors or of matrices.

    Two axes, or an ``ord`` for a matrix without axes, mean ``matrix_norm``; one axis, or an
    ``ord`` for a vector without axes, ``vector_norm``; neither, the root of the sum of the
    squares of all elements.

    Raises:
        ShapeError: the axes do not exist or are more than two, or ``x`` with ``ord`` and
            without ``axis`` is neither a vector nor a matrix.
        UsageError: an ``ord`` that does not exist for vectors or matrices.

    >>> norm([[3.0, 4.0], [0.0, 0.0]]), norm([[3.0, 4.0], [0.0, 0.0]], 1)
    (tensor(5.), tensor(4.))
    """
    if ord is None and axis is None:
        return _norm(x, 2, None, keepdims)
    over = axes("norm", x, axis)
    if len(over) not in (1, 2):
        raise ShapeError(
            f"norm: shape {shape_of(x)} and axis {axis!r}: expected one axis, for vectors, or "
            "two, for matrices"
        )
    if len(over) == 1:
        return _norm(x, 2 if ord is None else ord, over, keepdims)
    return matrix_norm(x, keepdims, "fro" if ord is None else ord, (over[0], over[1]))


def outer(a: Any, b: Any) -> Tensor:
    """Return the product of every element of one vector with every element of another.

    Raises:
        ShapeError: an operand is no vector; ``tg.outer`` makes it flat.

    >>> outer([1.0, 2.0], [3.0, 4.0])
    tensor([[3., 4.],
            [6., 8.]])
    """
    shapes = shape_of(a), shape_of(b)
    if any(len(shape) != 1 for shape in shapes):
        raise ShapeError(
            f"outer: {shapes[0]} and {shapes[1]}: expected two vectors; tg.outer makes them flat"
        )
    return _outer(a, b)


def diagonal(x: Any, offset: int = 0) -> Tensor:
    """Return the diagonals of the matrices in the last two axes of ``x``.

    >>> diagonal([[1.0, 2.0], [3.0, 4.0]], offset=1)
    tensor([2.])
    """
    matrices("diagonal", x)
    return diagonals.diagonal(x, offset, -2, -1)


def trace(x: Any, offset: int = 0) -> Tensor:
    """Return the sums of the diagonals of the matrices in the last two axes of ``x``.

    >>> trace([[1.0, 2.0], [3.0, 4.0]])
    tensor(5.)
    """
    matrices("trace", x)
    return diagonals.trace(x, offset, -2, -1)
