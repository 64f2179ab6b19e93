"""Square systems: solutions, inverses, powers and determinants, as general primitives.

Every derivative here is a product of matrices that the forward pass has made already,
with one exception worth knowing: the derivative of a determinant is the matrix of
cofactors, which exists at singular matrices too, where det(a) inv(a).T does not.  It is
formed from singular values, by products that leave one of them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .. import backend
from ..custom import Operation, general
from ..errors import DataError, ShapeError, UsageError
from ..families import unbroadcast
from ..tensor import Tensor, raw, shape_of
from .constants import stop_gradient

__all__ = [
    "det", "inv", "matrix_power", "pinv", "slogdet", "solve",
]  # fmt: skip


class SlogdetResult(NamedTuple):
    """What ``slogdet`` returns: ``sign`` is a constant."""

    sign: Tensor
    logabsdet: Tensor


def matrices(name: str, a: Any) -> tuple[int, ...]:
    """Return the shape of ``a``, which must have two axes or more."""
    shape = shape_of(a)
    if len(shape) < 2:
        raise ShapeError(f"{name}: shape {shape}: expected matrices, (..., M, N)")
    return shape


def square(name: str, a: Any) -> tuple[int, ...]:
    """Return the shape of ``a``, which must hold square matrices."""
    shape = matrices(name, a)
    if shape[-1] != shape[-2]:
        raise ShapeError(f"{name}: shape {shape}: expected square matrices, (..., N, N)")
    return shape


@contextmanager
def refused(name: str, why: str) -> Iterator[None]:
    """Say in the words of an operation what LAPACK refuses; CuPy gives NaN or infinity instead."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise DataError(f"{name}: {why} ({error})") from error


SINGULAR = "the matrix is singular: add a multiple of the identity, or use linalg.pinv"


def swap(x: Any) -> Any:
    """Return the transposes of a stack of matrices."""
    axes = tuple(range(len(x.shape)))
    return x.transpose((*axes[:-2], axes[-1], axes[-2]))


def eye(like: Any) -> Any:
    """Return the identity matrix, as wide as the matrices ``like``, as a raw array."""
    array = raw(like)
    return backend.namespace(array).eye(array.shape[-1], dtype=array.dtype)


def solved(a: Any, b: Any) -> Any:
    """Return inv(a) @ b inside a formula, for matrices ``b`` of the same batch."""
    return _solve.apply((a, b), {"shape": b.shape})


def _run_solve(xp: Any, a: Any, b: Any, shape: tuple[int, ...]) -> Any:
    columns = b[:, None] if len(shape) == 1 else b
    batch = np.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    a, columns = (xp.broadcast_to(m, batch + m.shape[-2:]) for m in (a, columns))
    with refused("solve", SINGULAR):
        out = xp.linalg.solve(a, columns)
    return out[..., 0] if len(shape) == 1 else out


def _solve_vjp(
    _xp: Any, g: Any, wanted: tuple[int, ...], out: Any, a: Any, _b: Any, shape: tuple[int, ...]
) -> list[Any]:
    vector = len(shape) == 1
    columns, x = (g[..., None], out[..., None]) if vector else (g, out)
    along_b = _solve.apply((swap(a), columns), {"shape": columns.shape})
    found = []
    for i in wanted:
        pulled = (along_b[..., 0] if vector else along_b) if i else -along_b @ swap(x)
        to = shape if i else a.shape
        found.append(pulled if pulled.shape == to else unbroadcast(pulled, to))
    return found


def _run_inv(xp: Any, a: Any, of: str) -> Any:
    with refused(of, SINGULAR):
        return xp.linalg.inv(a)


def _inverse(a: Any, of: str) -> Any:
    return _inv.apply((a,), {"of": of})


def _run_pinv(xp: Any, a: Any, rtol: float) -> Any:
    with refused("pinv", "the singular values were not found, as where an element is NaN"):
        return xp.linalg.pinv(a, rtol)


def _pinv_vjp(_xp: Any, g: Any, _wanted: Any, out: Any, a: Any, rtol: float) -> list[Any]:
    p, q, h = out, swap(out), swap(g)
    return [-q @ g @ q + (h - a @ (p @ h)) @ (p @ q) + (q @ p) @ (h - (h @ p) @ a)]


def _run_power(xp: Any, a: Any, n: int) -> Any:
    with refused("matrix_power", SINGULAR):
        return xp.linalg.matrix_power(a, n)


def _power_vjp(xp: Any, g: Any, _wanted: Any, _out: Any, a: Any, n: int) -> list[Any]:
    """Read the derivative of a power off the power of a block matrix (Mathias 1996)."""
    t, size = swap(a), a.shape[-1]
    zero = backend.namespace(raw(t)).zeros_like(raw(t))
    above, below = xp.concatenate([t, g], axis=-1), xp.concatenate([zero, t], axis=-1)
    block = _power.apply((xp.concatenate([above, below], axis=-2),), {"n": n})
    return [block[..., :size, size:]]


# fmt: off
_solve = general(_run_solve, _solve_vjp, name="solve")
_inv   = general(_run_inv,   lambda xp, g, wanted, out, _a, of: [-swap(out) @ g @ swap(out)], name="inv")
_pinv  = general(_run_pinv,  _pinv_vjp, name="pinv")
_power = general(_run_power, _power_vjp, name="matrix_power")
_det   = general(lambda xp, a: xp.linalg.det(a), lambda xp, g, wanted, _out, a: [g[..., None, None] * _cofactor.apply((a,), {})], name="det")
_slogdet = general(lambda xp, a: xp.stack(list(xp.linalg.slogdet(a))), lambda xp, g, wanted, _out, a: [g[1][..., None, None] * swap(_inverse(a, "slogdet"))], name="slogdet")
_cofactor: Operation = general(lambda xp, a: _cofactors(xp, a), lambda xp, g, wanted, _out, a: [_minor.apply((g, a), {})], name="cofactor")
_minor: Operation = general(lambda xp, h, a: _minors(xp, h, a), lambda xp, g, wanted, _out, h, a: [_third(g, h, a) if i else _minor.apply((g, a), {}) for i in wanted], name="cofactor'")
# fmt: on


def _before(xp: Any, s: Any) -> Any:
    """Return, for each element along the last axis, the product of those before it."""
    shifted = xp.concatenate([xp.ones_like(s[..., :1]), s[..., :-1]], axis=-1)
    return xp.cumprod(shifted, axis=-1)


def _factors(xp: Any, a: Any) -> tuple[Any, Any, Any, Any]:
    """Return u, the singular values, v transposed, and the sign of det(u) det(v)."""
    with refused("det", "the derivative needs singular values, which were not found"):
        u, s, vt = xp.linalg.svd(a)
    return u, s, vt, xp.sign(xp.linalg.det(u @ vt))[..., None, None]


def _cofactors(xp: Any, a: Any) -> Any:
    """Return d det(a) / d a: with a = u s v.T, the products of all singular values but one."""
    u, s, vt, sign = _factors(xp, a)
    others = _before(xp, s) * _before(xp, s[..., ::-1])[..., ::-1]
    return sign * (u * others[..., None, :]) @ vt


def _minors(xp: Any, h: Any, a: Any) -> Any:
    """Return the derivative of <cofactors(a), h> by a, from products of all but two.

    In the basis of singular vectors it is d (tr(inv(s) h) inv(s) - inv(s) h.T inv(s)) with
    d = det(s), where all that is divided by cancels.
    """
    u, s, vt, sign = _factors(xp, a)
    order = xp.arange(a.shape[-1])
    later = order > order[:, None]
    row = s[..., None, :]
    between = _before(xp, xp.where(later, row, xp.ones_like(row)))
    after = _before(xp, s[..., ::-1])[..., ::-1]
    pairs = later * (_before(xp, s)[..., None] * between * after[..., None, :])
    pairs = pairs + swap(pairs)
    turned = swap(u) @ h @ swap(vt)
    diagonal = (turned * eye(a)).sum(axis=-1)
    along = (pairs * diagonal[..., None, :]).sum(axis=-1)
    return sign * (u @ (along[..., None] * eye(a) - pairs * swap(turned)) @ vt)


def _third(g: Any, h: Any, a: Any) -> Any:
    """Return the derivative of <_minors(h, a), g> by a, at regular matrices."""
    x = swap(_inverse(a, "det"))

    def dot(y: Any) -> Any:
        return (x * y).sum(axis=(-2, -1), keepdims=True)

    mixed = g @ swap(x) @ h
    value = dot(g) * dot(h) - dot(mixed)
    turned = dot(g) * h + dot(h) * g - mixed - h @ swap(x) @ g
    return _det.apply((a,), {})[..., None, None] * (x * value - x @ swap(turned) @ x)


def solve(a: Any, b: Any) -> Tensor:
    """Return x with a @ x = b.

    Args:
        a: (..., N, N).
        b: (..., N, K), or one vector (N,); leading axes broadcast, a vector with all of
            them, as in NumPy 2.

    Raises:
        ShapeError: ``a`` is not square, or ``b`` does not fit.
        DataError: a matrix is singular.  On a GPU there is no such check: CuPy gives NaN.

    >>> solve([[2.0, 0.0], [1.0, 1.0]], [2.0, 3.0])
    tensor([1., 2.])
    """
    left, right = square("solve", a), shape_of(b)
    rows = right[-2] if len(right) > 1 else right[0] if right else None
    if rows != left[-1]:
        raise ShapeError(
            f"solve: a {left} and b {right}: expected b of shape ({left[-1]},) or "
            f"(..., {left[-1]}, K)"
        )
    try:
        np.broadcast_shapes(left[:-2], right[:-2])
    except ValueError:
        raise ShapeError(
            f"solve: a {left} and b {right}: batch dimensions {left[:-2]} and {right[:-2]} "
            "do not broadcast"
        ) from None
    return _solve(a, b, shape=right)


def inv(a: Any) -> Tensor:
    """Return the inverses of the square matrices ``a`` (..., N, N).

    Where the inverse is to be multiplied, ``solve`` is faster and more accurate.

    Raises:
        ShapeError: ``a`` is not square.
        DataError: a matrix is singular.  On a GPU there is no such check: CuPy gives NaN.

    >>> inv([[2.0, 0.0], [0.0, 4.0]])
    tensor([[0.5 , 0.  ], [0.  , 0.25]])
    """
    square("inv", a)
    return _inv(a, of="inv")


def pinv(a: Any, rtol: float | None = None) -> Tensor:
    """Return the Moore-Penrose inverses (..., N, M) of the matrices ``a`` (..., M, N).

    The derivative holds where the rank is locally constant, as it is at full rank.

    Args:
        a: the matrices.
        rtol: singular values below ``rtol`` times the largest count as zero; max(M, N)
            times the dtype's resolution where left out.

    Source: Golub & Pereyra 1973, The differentiation of pseudo-inverses.

    >>> pinv([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    tensor([[0.5 , 0.  ], [0.  , 0.25], [0.  , 0.  ]])
    """
    shape = matrices("pinv", a)
    if rtol is None:
        dtype = np.dtype(getattr(a, "dtype", float))
        rtol = max(shape[-2:]) * float(np.finfo(dtype if dtype.kind == "f" else float).eps)
    return _pinv(a, rtol=rtol)


def matrix_power(a: Any, n: int) -> Tensor:
    """Return the square matrices ``a`` (..., N, N) to the whole power ``n``, which may be negative.

    Raises:
        ShapeError: ``a`` is not square.
        DataError: ``n`` is negative and a matrix is singular.

    Source: Mathias 1996, A chain rule for matrix functions and applications.

    >>> matrix_power([[1.0, 1.0], [0.0, 1.0]], 5)
    tensor([[1., 5.], [0., 1.]])
    """
    square("matrix_power", a)
    if not isinstance(n, (int, np.integer)):
        raise UsageError(f"matrix_power: n = {n!r}: expected an int")
    return _power(a, n=int(n))


def det(a: Any) -> Tensor:
    """Return the determinants (...) of the square matrices ``a`` (..., N, N).

    The first and the second derivative are right at singular matrices too: they are formed
    from cofactors.  The third and higher ones need an inverse, and are refused there.

    Raises:
        ShapeError: ``a`` is not square.
        DataError: a derivative of third order is asked for at a singular matrix (on a GPU
            that gives NaN).

    Source: Magnus & Neudecker, Matrix Differential Calculus, 8.3; cofactors by singular
    values as in Stewart 1998, On the adjugate matrix.

    >>> import tinygrad_res as tg
    >>> tg.grad(det)(tg.tensor([[1.0, 0.0], [0.0, 0.0]]))
    tensor([[0., 0.], [0., 1.]])
    """
    square("det", a)
    return _det(a)


def slogdet(a: Any) -> SlogdetResult:
    """Return sign and log of the absolute value of the determinants of ``a`` (..., N, N).

    Neither overflows where the determinant would.  The sign is a constant; a singular
    matrix has the sign 0 and the logarithm -inf, which has no derivative.

    Returns:
        ``sign`` and ``logabsdet``, of shape (...).

    Raises:
        ShapeError: ``a`` is not square.
        DataError: a derivative is asked for at a singular matrix (on a GPU that gives NaN).

    >>> slogdet([[0.0, 1.0], [1.0, 0.0]])
    SlogdetResult(sign=tensor(-1.), logabsdet=tensor(0.))
    """
    square("slogdet", a)
    out = _slogdet(a)
    return SlogdetResult(stop_gradient(out)[0], out[1])
