"""The table of contractions: bilinear maps, whose edges carry the other operand.

``matmul`` and ``linear`` stand on the hot path and are written out.  The other products are sums of
products over labelled axes, see ``summation``; each is one contraction under its own name,
with operands in either order, so that paths are graded by a weight wherever it stands.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from ..custom import Operation, contraction
from ..custom import axes as axes_of
from ..errors import ShapeError
from ..families import unbroadcast
from ..nests import Index, Nest, labelled
from ..tensor import Tensor, shape_of
from .pointwise import multiply
from .structural import axis_of, permute_dims, reshape
from .summation import products

__all__ = [
    "cross", "dot", "inner", "kron", "linear", "matmul", "matvec", "outer", "tensordot", "vdot", "vecdot", "vecmat",
]  # fmt: skip

Shape = tuple[int, ...]


def _swap(x: Any) -> Any:
    axes = tuple(range(len(x.shape)))
    return x.transpose((*axes[:-2], axes[-1], axes[-2]))


def _rows(x: Any) -> Any:
    """Join all axes but the last."""
    return x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _left(xp: Any, g: Any, b: Any, shape: tuple[int, ...]) -> Any:
    """Pull a cotangent of a @ b back to a, of ``shape``."""
    if len(b.shape) == 2 and len(shape) > 1:
        return _product(xp, g, b.T)
    if len(b.shape) == 1:
        return unbroadcast(g[..., None] * b, shape)
    if len(shape) == 1:
        return unbroadcast((b @ g[..., None])[..., 0], shape)
    return unbroadcast(g @ _swap(b), shape)


def _right(xp: Any, g: Any, a: Any, shape: tuple[int, ...]) -> Any:
    """Pull a cotangent of a @ b back to b, of ``shape``."""
    if len(a.shape) == 2 and len(shape) == 2:
        return a.T.dot(g)
    if len(a.shape) == 1:
        outer = a[:, None] * g[..., None, :] if len(shape) > 1 else g[..., None] * a
        return unbroadcast(outer, shape)
    if len(shape) == 1:
        return _rows(a * g[..., None]).sum(axis=0)
    if len(shape) == 2:
        return _rows(a).T.dot(_rows(g))
    return unbroadcast(_swap(a) @ g, shape)


def _product(xp: Any, a: Any, b: Any) -> Any:
    """Multiply; a batch of rows against one matrix is one product of BLAS, and one node of a record.

    Matrices of floats are multiplied by ``dot``, which comes to BLAS sooner than ``@``.  For
    integers there is no BLAS, and the loops of ``@`` are several times as fast.
    """
    if a.ndim == b.ndim == 2:
        return a.dot(b) if a.dtype.kind == "f" else a @ b
    if b.ndim != 2 or a.ndim < 2 or isinstance(a, Tensor):
        return a @ b
    return _product(xp, _rows(a), b).reshape(a.shape[:-1] + b.shape[1:])


def _matrices(a: Shape, b: Shape, out: Shape) -> list[tuple[Any, ...]]:
    """Return labels for the axes of ``a``, ``b`` and the output of a matrix product."""
    row, column = ("row",) * (len(a) > 1), ("column",) * (len(b) > 1)
    cores = (*row, "sum"), ("sum", *column), (*row, *column)
    return [
        (*range(len(core) - len(shape), 0), *core)
        for shape, core in zip((a, b, out), cores, strict=True)
    ]


def _by_rows(xp: Any, x: Any, weight: Any) -> Any:
    """Multiply by the transpose of a matrix."""
    if weight.ndim != 2:
        raise ValueError  # which _misfit explains
    return _product(xp, x, weight.T)


def _to_weight(xp: Any, g: Any, x: Any, shape: Shape) -> Any:
    """Pull a cotangent of x @ weight.T back to the weight."""
    if x.ndim == 2:
        return g.T.dot(x)
    return g[:, None] * x if x.ndim == 1 else _rows(g).T.dot(_rows(x))


def _axes_by_rows(x: Shape, weight: Shape, out: Shape) -> list[tuple[Any, ...]]:
    """Return labels for the axes of ``x``, the weight and the output of ``linear``."""
    rest = range(1 - len(x), 0)
    return [(*rest, "sum"), ("row", "sum"), (*rest, "row")]


def _misfit(x: Any, weight: Any) -> str | None:
    left, right = np.shape(x), np.shape(weight)
    if len(right) != 2:
        return f"the weight has shape {right}: it must have two axes, (out, in)"
    length = left[-1] if left else "none"
    return f"{left} by weight {right}: the last axis of the input is {length}, not in = {right[1]}"


def _permutations(a: Shape, b: Shape, out: Shape) -> list[Nest]:
    """Return the six terms of a cross product, each in all vectors."""
    rest = [(*range(1 - len(shape), 0),) for shape in (a, b, out)]
    vectors = labelled([shape[:-1] for shape in (a, b, out)], rest)
    places = [(i, (i + 1) % 3, (i + 2) % 3) for i in range(3)]
    return [
        Nest(
            vectors.lengths,
            tuple((*axes, Index(start=k)) for axes, k in zip(vectors.axes, at, strict=True)),
            sign,
        )
        for i, j, k in places
        for sign, at in ((1, (i, j, k)), (-1, (j, i, k)))
    ]


def _mismatch(a: Any, b: Any) -> str | None:
    left, right = np.shape(a), np.shape(b)
    if not left or not right:
        return f"{left} @ {right}: scalars cannot be multiplied with @, use *"
    inner = right[-2] if len(right) > 1 else right[0]
    if left[-1] != inner:
        return f"{left} @ {right}: inner dimensions {left[-1]} and {inner} differ"
    return f"{left} @ {right}: batch dimensions {left[:-2]} and {right[:-2]} do not broadcast"


# fmt: off
matmul = contraction(_product, _left, _right, name="matmul", doc="the matrix product of two tensors; leading axes are a batch", mend=_mismatch,
    terms=lambda *shapes: [labelled(shapes, _matrices(*shapes))])
_linear = contraction(_by_rows, lambda xp, g, weight, _shape: _product(xp, g, weight), _to_weight, name="linear", doc="x @ weight.T", mend=_misfit,
    terms=lambda *shapes: [labelled(shapes, _axes_by_rows(*shapes))])
_crossed: Operation = contraction(lambda xp, a, b: xp.cross(a, b),
    lambda xp, g, b, shape: unbroadcast(_crossed.apply((b, g), {}), shape),
    lambda xp, g, a, shape: unbroadcast(_crossed.apply((g, a), {}), shape), name="cross", terms=lambda *shapes: _permutations(*shapes))
# fmt: on


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return x @ weight.T + bias: (..., out) for ``x`` (..., in) and ``weight`` (out, in).

    Raises:
        ShapeError: the weight has not two axes, or lengths do not fit.

    >>> linear([1.0, 2.0], [[3.0, 4.0], [5.0, 6.0]], [0.5, 0.0])
    tensor([11.5, 17. ])
    """
    out = _linear(x, weight)
    return out if bias is None else out + bias


def dot(a: Any, b: Any) -> Tensor:
    """Return the sum of products over the last axis of ``a`` and the second-to-last of ``b``.

    As ``numpy.dot``: of vectors the inner product, of matrices ``matmul``, of a scalar and
    anything ``multiply``; axes before these do not broadcast but stand side by side, those
    of ``a`` first.

    Raises:
        ShapeError: the lengths of the summed axes differ.

    >>> import numpy as np
    >>> dot(np.ones((2, 3)), np.ones((5, 3, 4))).shape
    (2, 5, 4)
    """
    s, t = shape_of(a), shape_of(b)
    if not s or not t:
        return multiply(a, b)
    if len(s) == len(t) == 2:
        return matmul(a, b)
    return _side_by_side("dot", a, b, [-1], [-2 if len(t) > 1 else -1])


def inner(a: Any, b: Any) -> Tensor:
    """Return the sum of products over the last axes, the other axes side by side.

    Of a scalar and anything it is ``multiply``, as ``numpy.inner``.

    Raises:
        ShapeError: the lengths of the last axes differ.

    >>> inner([1.0, 2.0], [[3.0, 4.0], [5.0, 6.0]])
    tensor([11., 17.])
    """
    if not shape_of(a) or not shape_of(b):
        return multiply(a, b)
    return _side_by_side("inner", a, b, [-1], [-1])


def outer(a: Any, b: Any) -> Tensor:
    """Return the product of every element of ``a`` with every element of ``b``, both flattened.

    >>> outer([1.0, 2.0], [3.0, 4.0])
    tensor([[3., 4.],
            [6., 8.]])
    """
    return products("outer", [_flat(a), _flat(b)], [(0,), (1,)], (0, 1))


def vdot(a: Any, b: Any) -> Tensor:
    """Return the inner product of two tensors, both flattened.

    Raises:
        ShapeError: the numbers of elements differ.

    >>> vdot([[1.0, 2.0]], [3.0, 4.0])
    tensor(11.)
    """
    s, t = shape_of(a), shape_of(b)
    if math.prod(s) != math.prod(t):
        raise ShapeError(f"vdot: {s} and {t}: {math.prod(s)} and {math.prod(t)} elements")
    return products("dot", [_flat(a), _flat(b)], [(0,), (0,)], ())


def _flat(x: Any) -> Any:
    return x if len(shape_of(x)) == 1 else reshape(x, -1)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """Return the sum of products over ``axes``; the axes left stand side by side, ``a``'s first.

    Args:
        a, b: tensors.
        axes: a number n, for the last n axes of ``a`` and the first n of ``b``, or a pair: the
            axis or the axes of ``a``, and as many of ``b``.

    Raises:
        ShapeError: the axes do not exist, or their lengths differ.

    >>> import numpy as np
    >>> tensordot(np.ones((2, 3, 4)), np.ones((4, 3, 5)), axes=([1, 2], [1, 0])).shape
    (2, 5)
    """
    if isinstance(axes, (int, np.integer)):
        n = int(axes)
        if not 0 <= n <= min(len(shape_of(a)), len(shape_of(b))):
            raise ShapeError(
                f"tensordot: {shape_of(a)} and {shape_of(b)}: cannot sum over {n} axes of both"
            )
        return _side_by_side("tensordot", a, b, range(-n, 0), range(n))
    try:
        first, second = (list(one) if isinstance(one, (list, tuple)) else [one] for one in axes)
    except (TypeError, ValueError):
        raise ShapeError(
            f"tensordot: axes {axes!r}: give a number, or a pair: axes of the first operand, axes "
            "of the second"
        ) from None
    return _side_by_side("tensordot", a, b, first, second)


def _side_by_side(name: str, a: Any, b: Any, first: Any, second: Any) -> Tensor:
    """Sum over the axes ``first`` of ``a`` and ``second`` of ``b``, one to one."""
    s, t = shape_of(a), shape_of(b)
    p, q = axes_of(name, a, tuple(first)), axes_of(name, b, tuple(second))
    if [s[i] for i in p] != [t[j] for j in q]:
        raise ShapeError(
            f"{name}: {s} and {t}: axes {p} of the first have lengths {tuple(s[i] for i in p)}, "
            f"axes {q} of the second {tuple(t[j] for j in q)}"
        )
    ia = tuple(("sum", p.index(i)) if i in p else ("a", i) for i in range(len(s)))
    ib = tuple(("sum", q.index(j)) if j in q else ("b", j) for j in range(len(t)))
    return products(name, [a, b], [ia, ib], tuple(k for k in ia + ib if k[0] != "sum"))


def vecdot(x1: Any, x2: Any, axis: int = -1) -> Tensor:
    """Return the inner products along ``axis`` of each operand; the other axes broadcast.

    Raises:
        ShapeError: ``axis`` does not exist, or has two lengths, or the others do not broadcast.

    >>> vecdot([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
    tensor([21., 43.])
    """
    along = [axis_of("vecdot", axis, shape_of(x)) for x in (x1, x2)]
    return _batched("vecdot", [x1, x2], [[i] for i in along], [("sum",), ("sum",)], ())


def matvec(x1: Any, x2: Any) -> Tensor:
    """Return matrices (..., M, K) times vectors (..., K): (..., M); leading axes broadcast.

    Raises:
        ShapeError: the lengths K differ, or the leading axes do not broadcast.

    >>> matvec([[[1.0, 2.0], [3.0, 4.0]]], [[1.0, 0.0], [0.0, 1.0]])
    tensor([[1., 3.],
            [2., 4.]])
    """
    return _batched("matvec", [x1, x2], [[-2, -1], [-1]], [("row", "sum"), ("sum",)], ("row",))


def vecmat(x1: Any, x2: Any) -> Tensor:
    """Return vectors (..., K) times matrices (..., K, N): (..., N); leading axes broadcast.

    Raises:
        ShapeError: the lengths K differ, or the leading axes do not broadcast.

    >>> vecmat([[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    return _batched(
        "vecmat", [x1, x2], [[-1], [-2, -1]], [("sum",), ("sum", "column")], ("column",)
    )


def _batched(name: str, operands: Any, core: Any, labels: Any, out: Any) -> Tensor:
    """Sum over ``"sum"``; the axes of each operand that are not in its ``core`` broadcast."""
    shapes, terms, lengths, leading = [shape_of(x) for x in operands], [], [], 0
    for x, shape, own, named in zip(operands, shapes, core, labels, strict=True):
        at = axes_of(name, x, tuple(own))
        lengths.append(shape[at[named.index("sum")]])
        rest = iter(range(len(at) - len(shape), 0))
        terms.append(
            tuple(named[at.index(i)] if i in at else next(rest) for i in range(len(shape)))
        )
        leading = max(leading, len(shape) - len(at))
    if lengths[0] != lengths[1]:
        raise ShapeError(
            f"{name}: {shapes[0]} and {shapes[1]}: the summed axes have lengths "
            f"{lengths[0]} and {lengths[1]}"
        )
    call = f"{name}: {shapes[0]} and {shapes[1]}"
    return products(name, operands, terms, (*range(-leading, 0), *out), call=call)


def kron(a: Any, b: Any) -> Tensor:
    """Return the Kronecker product: blocks of ``b``, each times an element of ``a``.

    The operand of fewer axes gets axes of length 1 in front.

    >>> kron([1.0, 10.0], [1.0, 2.0, 3.0])
    tensor([ 1.,  2.,  3., 10., 20., 30.])
    """
    s, t = shape_of(a), shape_of(b)
    if not s or not t:
        return multiply(a, b)
    n = max(len(s), len(t))
    ia = tuple(("a", i) for i in range(n - len(s), n))
    ib = tuple(("b", i) for i in range(n - len(t), n))
    blocks = tuple((x, i) for i in range(n) for x in "ab" if (x, i) in ia + ib)
    s, t = (1,) * (n - len(s)) + s, (1,) * (n - len(t)) + t
    whole = products("kron", [a, b], [ia, ib], blocks)
    return reshape(whole, tuple(p * q for p, q in zip(s, t, strict=True)))


def cross(x1: Any, x2: Any, axis: int = -1) -> Tensor:
    """Return the cross product of vectors of three elements along ``axis``; other axes broadcast.

    Raises:
        ShapeError: ``axis`` does not exist, or is not of length 3 in both operands.

    >>> cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    tensor([0., 0., 1.])
    """
    shapes = [shape_of(x) for x in (x1, x2)]
    at = [axis_of("cross", axis, shape) for shape in shapes]
    if any(shape[i] != 3 for shape, i in zip(shapes, at, strict=True)):
        raise ShapeError(
            f"cross: {shapes[0]} and {shapes[1]}: axis {axis} must have length 3 in both"
        )
    a, b = (_last(x, i) for x, i in zip((x1, x2), at, strict=True))
    out = _crossed(a, b)
    back = len(out.shape) + axis if axis < 0 else axis
    return cast(Tensor, _last(out, back, back=True))


def _last(x: Any, axis: int, back: bool = False) -> Any:
    """Move ``axis`` to the end, or the last axis to where ``axis`` is."""
    n = len(shape_of(x))
    order = [i for i in range(n) if i != axis] + [axis]
    if axis == n - 1:
        return x
    return permute_dims(x, [order.index(i) for i in range(n)] if back else order)
