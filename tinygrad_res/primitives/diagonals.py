"""The table of diagonals: parts of a matrix by how far an element lies from its diagonal."""

from __future__ import annotations

from typing import Any

from ..custom import Operation, structural
from ..errors import ShapeError
from ..tensor import Tensor, shape_of
from .arguments import whole
from .reductions import sum
from .structural import axis_of

__all__ = [
    "diag", "diagonal", "trace", "tril", "triu",
]  # fmt: skip


# fmt: off
_tril     = structural(lambda xp, x, k: xp.tril(x, k), lambda xp, g, i, shape, k: xp.tril(g, k), name="tril")
_triu     = structural(lambda xp, x, k: xp.triu(x, k), lambda xp, g, i, shape, k: xp.triu(g, k), name="triu")
_diagonal = structural(lambda xp, x, offset, axes: xp.diagonal(x, offset, *axes),
                       lambda xp, g, i, shape, **q: _embedded.apply((g,), {"into": shape, **q}), name="diagonal")
_embedded: Operation = structural(lambda xp, x, into, offset, axes: _embed(xp, x, into, offset, axes),
                       lambda xp, g, i, shape, into, **q: _diagonal.apply((g,), q), name="diag")
# fmt: on


def _embed(xp: Any, x: Any, into: tuple[int, ...], offset: int, axes: tuple[int, int]) -> Any:
    """Lay the last axis of ``x`` along a diagonal of zeros of the shape ``into``."""
    out = xp.zeros(into, dtype=x.dtype)
    rest = [k for k in range(len(into)) if k not in axes]
    along = xp.arange(x.shape[-1])
    rows, columns = along + max(-offset, 0), along + max(offset, 0)
    out.transpose((*rest, *axes))[..., rows, columns] = x
    return out


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Return a diagonal of the matrices in two axes of ``x``, as the last axis of the result.

    ``offset`` counts from the main diagonal, to the right where positive.

    Raises:
        ShapeError: an axis does not exist, or both are the same.

    >>> import tinygrad_res as tg
    >>> tg.diagonal([[1.0, 2.0], [3.0, 4.0]])
    tensor([1., 4.])
    """
    return _diagonal(
        x, offset=whole("diagonal", "offset", offset), axes=_plane("diagonal", x, axis1, axis2)
    )


def _plane(name: str, x: Any, axis1: int, axis2: int) -> tuple[int, int]:
    shape = shape_of(x)
    i, k = axis_of(name, axis1, shape), axis_of(name, axis2, shape)
    if i == k:
        raise ShapeError(f"{name}: axis1 {axis1} and axis2 {axis2} are the same axis")
    return i, k


def diag(x: Any, k: int = 0) -> Tensor:
    """Return the ``k``-th diagonal of a matrix, or the matrix that has a vector there.

    Raises:
        ShapeError: ``x`` is neither a vector nor a matrix.

    >>> import tinygrad_res as tg
    >>> tg.diag([1.0, 2.0])
    tensor([[1., 0.],
            [0., 2.]])
    """
    shape, k = shape_of(x), whole("diag", "k", k)
    if len(shape) not in (1, 2):
        raise ShapeError(f"diag: shape {shape}: give a vector or a matrix, or use tg.diagonal")
    if len(shape) == 2:
        return _diagonal(x, offset=k, axes=(0, 1))
    n = shape[0] + abs(k)
    return _embedded(x, into=(n, n), offset=k, axes=(0, 1))


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Return the sum of a diagonal of the matrices in two axes of ``x``.

    Raises:
        ShapeError: an axis does not exist, or both are the same.

    >>> import tinygrad_res as tg
    >>> tg.trace([[1.0, 2.0], [3.0, 4.0]])
    tensor(5.)
    """
    plane, offset = _plane("trace", x, axis1, axis2), whole("trace", "offset", offset)
    return sum(_diagonal(x, offset=offset, axes=plane), axis=-1)


def tril(x: Any, k: int = 0) -> Tensor:
    """Return the matrices in the last two axes of ``x``, zero above the ``k``-th diagonal.

    Raises:
        ShapeError: there are fewer than two axes.

    >>> import tinygrad_res as tg
    >>> tg.tril([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 0.],
            [3., 4.]])
    """
    return _tril(x, k=_triangle("tril", x, k))


def triu(x: Any, k: int = 0) -> Tensor:
    """Return the matrices in the last two axes of ``x``, zero below the ``k``-th diagonal.

    Raises:
        ShapeError: there are fewer than two axes.

    >>> import tinygrad_res as tg
    >>> tg.triu([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [0., 4.]])
    """
    return _triu(x, k=_triangle("triu", x, k))


def _triangle(name: str, x: Any, k: int) -> int:
    if len(shape_of(x)) < 2:
        raise ShapeError(f"{name}: shape {shape_of(x)}: a triangle is part of a matrix")
    return whole(name, "k", k)
