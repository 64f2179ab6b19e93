"""Decompositions of matrices, as general primitives.

A node has one output and a decomposition has several, so each is one node whose output
is its parts laid side by side, and each part is a view of it: the decomposition is
computed once, and paths through its parts meet in its node.

``cholesky`` and ``eigh`` are functions of the symmetric part (a + a.T) / 2 of their
input.  For a symmetric matrix that is the matrix itself, and it makes the gradient
symmetric: the cotangent of an element and that of its mirror image are equal.

Vectors that belong to equal values may be turned at will, so they have no derivative.
Pairs of equal values contribute nothing, in place of an infinity; what does not depend
on the choice of vectors, such as a sum over values, has its right first derivative.

Source: Giles 2008, Collected matrix derivative results; Murray 2016, Differentiation of
the Cholesky decomposition; Townsend 2016, Differentiating the singular value decomposition.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import backend
from ..custom import general
from ..errors import ShapeError, UsageError
from ..tensor import Tensor
from .arguments import flag
from .inverses import eye, matrices, refused, solved, square, swap

__all__ = [
    "cholesky", "eigh", "eigvalsh", "qr", "svd", "svdvals",
]  # fmt: skip


class EighResult(NamedTuple):
    """What ``eigh`` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SVDResult(NamedTuple):
    """What ``svd`` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class QRResult(NamedTuple):
    """What ``qr`` returns."""

    Q: Tensor
    R: Tensor


NOT_FOUND = "the iteration did not converge, as where an element is NaN or infinite"


def _symmetric(a: Any) -> Any:
    return 0.5 * (a + swap(a))


def _half(like: Any) -> Any:
    """Return 1 below the diagonal, one half on it and 0 above, as a raw array."""
    one = eye(like)
    xp = backend.namespace(one)
    return xp.tril(xp.ones_like(one)) - 0.5 * one


def _inverse_gap(xp: Any, values: Any) -> Any:
    """Return 1 / (v_j - v_i) at [i, j], and 0 where the two are equal."""
    return _reciprocal(xp, values[..., None, :] - values[..., None])


def _reciprocal(xp: Any, x: Any) -> Any:
    zero = x == 0
    return xp.where(zero, 0.0, 1 / xp.where(zero, 1.0, x))


def _run_cholesky(xp: Any, a: Any) -> Any:
    why = "the matrix is not positive definite: add a multiple of the identity"
    a = _symmetric(a)
    with refused("cholesky", why):
        out = xp.linalg.cholesky(a)
    return out if xp is np or not a.size else _factor(xp, a, out)


def _factor(xp: Any, a: Any, low: Any) -> Any:
    """Return ``low``, or NaN where low @ low.T is not ``a``.

    CuPy gives what it came to when ``a`` is not positive definite, and tells only by a transfer.
    The bound on rounding is that of Higham (2002), Accuracy and Stability of Numerical
    Algorithms, theorem 10.3, and as much again for the product.
    """
    error = abs(low @ swap(low) - a).max(axis=(-2, -1), keepdims=True)
    rounding = 4 * (a.shape[-1] + 1) * float(np.finfo(low.dtype).eps)
    known = error <= rounding * abs(a).max(axis=(-2, -1), keepdims=True)
    return xp.where(known, low, math.nan)


def _cholesky_vjp(_xp: Any, g: Any, _wanted: Any, out: Any, _a: Any) -> list[Any]:
    upper = swap(out)
    half = (upper @ g) * _half(out)
    return [_symmetric(solved(upper, swap(solved(upper, swap(half)))))]


def _run_eigh(xp: Any, a: Any) -> Any:
    with refused("eigh", NOT_FOUND):
        w, v = xp.linalg.eigh(_symmetric(a))
    return xp.concatenate([w[..., None, :], v], axis=-2)


def _eigh_vjp(xp: Any, g: Any, _wanted: Any, out: Any, _a: Any) -> list[Any]:
    w, v = out[..., 0, :], out[..., 1:, :]
    inner = (swap(v) @ g[..., 1:, :]) * _inverse_gap(xp, w) + g[..., :1, :] * eye(v)
    return [_symmetric(v @ inner @ swap(v))]


def _run_svd(xp: Any, a: Any) -> Any:
    with refused("svd", NOT_FOUND):
        u, s, vt = xp.linalg.svd(a, full_matrices=False)
    return xp.concatenate([u, s[..., None, :], swap(vt)], axis=-2)


def _parts(packed: Any, m: int) -> tuple[Any, Any, Any]:
    """Return U (m, K), S as a row (1, K) and V (N, K) of what ``_run_svd`` packed."""
    return packed[..., :m, :], packed[..., m : m + 1, :], packed[..., m + 1 :, :]


def _svd_vjp(xp: Any, g: Any, _wanted: Any, out: Any, a: Any) -> list[Any]:
    (u, s, v), (gu, gs, gv) = _parts(out, a.shape[-2]), _parts(g, a.shape[-2])
    gap, inverse = _inverse_gap(xp, (s * s)[..., 0, :]), _reciprocal(xp, s)
    left, right = swap(u) @ gu, swap(v) @ gv
    inner = (gap * (left - swap(left))) * s + swap(s) * (gap * (right - swap(right)))
    middle = (inner + (gs * (s > 0)) * eye(s)) @ swap(v)
    return [u @ (middle + swap((gv - v @ right) * inverse)) + ((gu - u @ left) * inverse) @ swap(v)]


def _run_qr(xp: Any, a: Any) -> Any:
    q, r = xp.linalg.qr(a)
    return xp.concatenate([q, swap(r)], axis=-2)


def _qr_vjp(_xp: Any, g: Any, _wanted: Any, out: Any, a: Any) -> list[Any]:
    m = a.shape[-2]
    q, r, gq = out[..., :m, :], swap(out[..., m:, :]), g[..., :m, :]
    lower = (r @ g[..., m:, :] - swap(gq) @ q) * _half(r)
    return [swap(solved(r, swap(gq + q @ (lower + swap(lower)))))]


# fmt: off
_cholesky = general(_run_cholesky, _cholesky_vjp, name="cholesky")
_eigh     = general(_run_eigh,     _eigh_vjp,     name="eigh")
_svd      = general(_run_svd,      _svd_vjp,      name="svd")
_qr       = general(_run_qr,       _qr_vjp,       name="qr")
# fmt: on


def cholesky(a: Any, upper: bool = False) -> Tensor:
    """Return the lower triangular l with l @ l.T = a, or the upper triangular l.T.

    The gradient is symmetric: that of the function of the symmetric part of ``a``.

    Args:
        a: symmetric, positive definite matrices (..., N, N).
        upper: whether to return the upper triangular factor.

    Raises:
        ShapeError: ``a`` is not square.
        DataError: a matrix is not positive definite.  On a GPU there is no such check:
            CuPy gives NaN.

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]])
    tensor([[2., 0.], [1., 2.]])
    """
    square("cholesky", a)
    upper = flag("cholesky", "upper", upper)
    lower = _cholesky(a)
    return swap(lower) if upper else lower


def eigh(a: Any) -> EighResult:
    """Return eigenvalues, ascending, and eigenvectors of the symmetric matrices ``a`` (..., N, N).

    The gradient is symmetric: that of the function of the symmetric part of ``a``.  It
    holds where the eigenvalues differ; pairs of equal ones contribute nothing.  At equal
    eigenvalues that leaves the first derivative of a sum over all eigenvalues right, but
    not a derivative that needs those of the eigenvectors, such as the second one.

    Returns:
        ``eigenvalues`` (..., N), and ``eigenvectors`` (..., N, N) in columns.

    Raises:
        ShapeError: ``a`` is not square.
        DataError: LAPACK finds no eigenvalues, as where an element is NaN.

    >>> values, vectors = eigh([[2.0, 1.0], [1.0, 2.0]])
    >>> values
    tensor([1., 3.])
    """
    square("eigh", a)
    out = _eigh(a)
    return EighResult(out[..., 0, :], out[..., 1:, :])


def eigvalsh(a: Any) -> Tensor:
    """Return the eigenvalues (..., N), ascending, of the symmetric matrices ``a`` (..., N, N).

    The derivative of an eigenvalue is the outer product of its eigenvector with itself, so
    those are computed as well; conventions and errors are those of ``eigh``.

    >>> eigvalsh([[2.0, 1.0], [1.0, 2.0]])
    tensor([1., 3.])
    """
    square("eigvalsh", a)
    return eigh(a).eigenvalues


def svd(a: Any, full_matrices: bool = True) -> SVDResult:
    """Return the singular value decomposition u @ diag(s) @ vh of ``a`` (..., M, N).

    Pairs of equal singular values, and those that are 0, contribute nothing to derivatives.

    Args:
        a: the matrices.
        full_matrices: must be ``False`` where a matrix is not square: the vectors that
            complete a basis are arbitrary, and have no derivative.

    Returns:
        ``U`` (..., M, K), ``S`` (..., K) descending and ``Vh`` (..., K, N), K = min(M, N).

    Raises:
        UsageError: ``full_matrices`` is true and the matrices are not square.
        DataError: LAPACK finds no singular values, as where an element is NaN.

    >>> svd([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0]], full_matrices=False).S
    tensor([3., 2.])
    """
    m, n = matrices("svd", a)[-2:]
    if flag("svd", "full_matrices", full_matrices) and m != n:
        raise UsageError(
            f"svd: full_matrices=True and matrices of ({m}, {n}): the vectors that complete a "
            "basis have no derivative: pass full_matrices=False"
        )
    out = _svd(a)
    return SVDResult(out[..., :m, :], out[..., m, :], swap(out[..., m + 1 :, :]))


def svdvals(a: Any) -> Tensor:
    """Return the singular values (..., K), descending, of ``a`` (..., M, N), K = min(M, N).

    The derivative of one is the outer product u v.T of its vectors, and 0 where it is 0.

    >>> svdvals([[0.0, 2.0], [3.0, 0.0]])
    tensor([3., 2.])
    """
    matrices("svdvals", a)
    return svd(a, full_matrices=False).S


def qr(a: Any) -> QRResult:
    """Return q (..., M, N) with orthonormal columns and the triangular r with q @ r = a.

    The signs of the rows of r are LAPACK's choice.

    Raises:
        ShapeError: ``a`` (..., M, N) has fewer rows than columns.
        DataError: a derivative is asked for where the columns depend on each other.

    >>> abs(qr([[-3.0, 0.0], [0.0, -2.0]]).R)
    tensor([[3., 0.], [0., 2.]])
    """
    m, n = matrices("qr", a)[-2:]
    if m < n:
        raise ShapeError(
            f"qr: matrices of ({m}, {n}): expected at least as many rows as columns: decompose "
            "the first columns, or the transpose"
        )
    out = _qr(a)
    return QRResult(out[..., :m, :], swap(out[..., m:, :]))
