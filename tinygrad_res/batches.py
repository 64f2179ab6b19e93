"""Batches: the vector-Jacobian product of a whole stack of cotangents at once.

An edge carries one local derivative, however many cotangents are pulled along it.  So the
partial derivative of a pointwise operation or the coefficient of a reduction is computed
once and broadcast over the stack, a move moves the stack as a whole, and a product with a
matrix takes all rows of all cotangents as one matrix.  A batching transformation derives
that from the operations of each rule (Agarwal & Ganichev 2019, Auto-Vectorizing TensorFlow
Graphs; JAX's ``vmap``); here the family of a primitive says it, in a line or two.

A stack of K cotangents of a node has the shape (K, *node.shape).  Formulas know nothing of
the axis in front.  Where axes are counted from the last one, as broadcasting counts them,
it does no harm; where a formula names axes, they are named one higher: see ``_LIFTED``.
Primitives that no table names, users' own among them, are pulled one cotangent at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from typing import Any

from . import backend
from .errors import ShapeError
from .families import Pointwise, Reduction, unbroadcast
from .primitive import Primitive
from .record import Node

LARGEST = 2**16
"""How many elements a convolution pulls at once: its columns are several times as many."""

Handler = Callable[[Node, Any, int], Any]


def pull(node: Node, stack: Any, wanted: Sequence[int]) -> list[Any]:
    """Pull a stack of cotangents of ``node`` back to some of its operands.

    Args:
        node: a recorded operation.
        stack: K >= 1 cotangents, (K, *node.shape).
        wanted: the numbers of the operands.

    Returns:
        For each of them, in their order, an array (K, *shape) in the dtype of the operand.
        It may share its memory with the stack, or with itself: do not write into it.

    Raises:
        ShapeError: the stack is of other cotangents, or empty.

    >>> import numpy as np, tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> pull((x * x)._node, np.array([[1.0, 0.0], [0.0, 1.0]]), [0])
    [array([[1., 0.],
           [0., 2.]])]
    """
    if stack.shape[1:] != node.shape or not len(stack):
        raise ShapeError(
            f"pull: a stack of shape {stack.shape} at {node.primitive} of shape {node.shape}: give "
            f"(K, {', '.join(map(str, node.shape))}) with K of at least 1"
        )
    primitive: Any = node.primitive
    if len(stack) == 1:
        found = [g[None] for g in primitive.vjp(node, stack[0, ...], wanted)]
    else:
        found = _batched(primitive, node, stack, wanted)
    dtypes = [node.parents[i].dtype for i in wanted]  # type: ignore[union-attr]
    return [
        g if g.dtype is dtype or g.dtype == dtype else g.astype(dtype)
        for g, dtype in zip(found, dtypes, strict=True)
    ]


@singledispatch
def _batched(primitive: Primitive, node: Node, stack: Any, wanted: Sequence[int]) -> list[Any]:
    """Return what the tables know, and the rest one cotangent at a time."""
    handler = _HANDLERS.get(_address(primitive))
    if handler is None:
        return _one_by_one(node, stack, wanted)
    return [handler(node, stack, i) for i in wanted]


@_batched.register
def _weighted(primitive: Pointwise, node: Node, stack: Any, wanted: Sequence[int]) -> list[Any]:
    """Multiply by the partial derivative, which broadcasts over the stack."""
    xp, found = backend.namespace(stack), []
    for i in wanted:
        g = primitive._through(xp, stack, i, node.saved, node.params)
        found.append(_unstretched(node, g, i))
    return found


@_batched.register
def _spread(primitive: Reduction, node: Node, stack: Any, wanted: Sequence[int]) -> list[Any]:
    """Multiply by the coefficients, spread over the reduced axes."""
    shape, axis = node.parents[0].shape, node.params["axis"]  # type: ignore[union-attr]
    kept = tuple(1 if i in axis else n for i, n in enumerate(shape))
    g = stack.reshape((len(stack), *kept))
    coefficient = primitive.coefficient(node, stack)
    if backend.is_array(coefficient) or coefficient != 1:
        g = g * coefficient
    to = backend.namespace(stack).broadcast_to
    return [to(g, (len(stack), *shape)) for _ in wanted]


def _one_by_one(node: Node, stack: Any, wanted: Sequence[int]) -> list[Any]:
    """Pull the cotangents one after the other."""
    xp, vjp = backend.namespace(stack), node.primitive.vjp  # type: ignore[union-attr]
    found: list[Any] = []
    for k in range(len(stack)):
        pulled = vjp(node, stack[k, ...], wanted)
        if not found:
            found = [xp.empty((len(stack), *g.shape), dtype=g.dtype) for g in pulled]
        for whole, g in zip(found, pulled, strict=True):
            whole[k] = g
    return found


def _unstretched(node: Node, g: Any, i: int) -> Any:
    """Sum a stack over the axes that operand ``i`` was stretched along."""
    shape = node.parents[i].shape  # type: ignore[union-attr]
    if g.shape[1:] == shape:
        return g
    padded = (len(g), *(1,) * (len(g.shape) - 1 - len(shape)), *shape)
    return unbroadcast(g, padded).reshape((len(g), *shape))


# Moves and other formulas that name axes: the same formula, with params one axis higher


def _higher(axis: Any, length: int) -> Any:
    """Return an axis or several behind the stack's, which those counted from the end are."""
    if not isinstance(axis, int):
        return tuple(_higher(i, length) for i in axis)
    return axis + 1 if axis >= 0 else axis


_LIFTED: dict[str, dict[str, Callable[[Any, int], Any]]] = {
    "structural.identity": {},
    "structural.reshape": {},
    "structural.to_device": {},
    "structural.permute_dims": {"axes": lambda axes, k: (0, *_higher(axes, k))},
    "reordering.flip": {"axis": _higher},
    "reordering.roll": {"axis": _higher},
    "joining.concat": {"axis": _higher, "shapes": lambda shapes, k: [(k, *s) for s in shapes]},
    "joining.stack": {"axis": _higher},
    "joining.repeat": {"axis": _higher},
    "windows.pad": {"width": lambda width, k: ((0, 0), *width)},
    "windows.sliding_windows": {"axis": _higher},
    "diagonals.tril": {},
    "diagonals.triu": {},
}


def _moved(lift: Mapping[str, Callable[[Any, int], Any]]) -> Handler:
    """Return how a move, whose params are lifted so, moves a stack back."""

    def handler(node: Node, stack: Any, i: int) -> Any:
        k, (rule,) = len(stack), node.primitive.rules  # type: ignore[union-attr]
        shape = (k, *node.parents[i].shape)  # type: ignore[union-attr]
        params = {key: lift[key](v, k) if key in lift else v for key, v in node.params.items()}
        return rule(backend.namespace(stack), stack, i, shape, **params)

    return handler


def _scattered(node: Node, stack: Any, i: int) -> Any:
    """Undo a slice; indices that are arrays would put the axis of the stack elsewhere."""
    index = node.params["index"]
    parts = index if isinstance(index, tuple) else (index,)
    if any(backend.is_array(part) or isinstance(part, bool) for part in parts):
        return _one_by_one(node, stack, [i])[0]
    return _moved({"index": lambda _index, k: (slice(None), *parts)})(node, stack, i)


def _normalised(node: Node, stack: Any, i: int) -> Any:
    """Pull back through a softmax, or to the input of a normalisation of each sample."""
    if i:
        return _one_by_one(node, stack, [i])[0]
    rule = node.primitive.rules[0]  # type: ignore[union-attr]
    params = {
        key: _higher(value, len(stack)) if key in ("axis", "axes") else value
        for key, value in node.params.items()
    }
    return rule(backend.namespace(stack), stack, (i,), *node.saved, **params)[0]


# Contractions: one product for all cotangents, where the stack can join a batch


def _multiplied(node: Node, stack: Any, i: int) -> Any:
    """Pull back through matmul: all rows of all cotangents are the rows of one matrix."""
    xp, rule = backend.namespace(stack), node.primitive.rules[i]  # type: ignore[union-attr]
    other, shape = node.saved[2 - i], node.parents[i].shape  # type: ignore[union-attr]
    if min(len(shape), other.ndim) < 2:
        return _one_by_one(node, stack, [i])[0]
    if i == 0 and other.ndim == 2:
        rows = stack.reshape((-1, node.shape[-1]))
        return rule(xp, rows, other, (len(rows), shape[-1])).reshape((len(stack), *shape))
    if i == 1 and len(shape) == 2:  # the axes of the batch are summed: they join the rows
        other = other.reshape((-1, other.shape[-1]))
        stack = stack.reshape((len(stack), -1, node.shape[-1]))
    padded = (len(stack), *(1,) * (len(stack.shape) - 1 - len(shape)), *shape)
    return rule(xp, stack, other, padded).reshape((len(stack), *shape))


def _by_rows(node: Node, stack: Any, i: int) -> Any:
    """Pull back through linear: to its input, all rows of all cotangents are rows of one matrix."""
    if i:
        return _one_by_one(node, stack, [i])[0]
    return stack @ node.saved[2]


def _summed(node: Node, stack: Any, i: int) -> Any:
    """Pull back through a sum of products over labels: the stack has one more label."""
    rule, labels = node.primitive.rules[i], list(node.params["of"])  # type: ignore[union-attr]
    for k in (i, 2):
        labels[k] = (_STACK, *labels[k])
    return rule(backend.namespace(stack), stack, node.saved[2 - i], (), of=tuple(labels))


_STACK = "the stack"


def _convolved(node: Node, stack: Any, i: int) -> Any:
    """Pull back to the images: those of all cotangents are images of one batch."""
    if i == 1:
        return _one_by_one(node, stack, [i])[0]
    xp, rule = backend.namespace(stack), node.primitive.rules[0]  # type: ignore[union-attr]
    shape = node.parents[0].shape  # type: ignore[union-attr]
    step = max(1, LARGEST // max(1, math.prod(shape), math.prod(node.shape)))
    out = xp.empty((len(stack), *shape), dtype=stack.dtype)
    for k in range(0, len(stack), step):
        some = stack[k : k + step]
        n = len(some) * shape[0]
        images = some.reshape((n, *node.shape[1:]))
        pulled = rule(xp, images, node.saved[2], (n, *shape[1:]), **node.params)
        out[k : k + step] = pulled.reshape((len(some), *shape))
    return out


_SUMS = ("einsum", "dot", "inner", "kron", "matvec", "outer", "tensordot", "vecdot", "vecmat")
_CONVOLUTIONS = ("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")
_HANDLERS: dict[str, Handler] = {
    **{address: _moved(lift) for address, lift in _LIFTED.items()},
    "structural.broadcast_to": _unstretched,
    "indexing.getitem": _scattered,
    "softmaxes.softmax": _normalised,
    "softmaxes.log_softmax": _normalised,
    "general.layer_norm": _normalised,
    "general.rms_norm": _normalised,
    "contractions.matmul": _multiplied,
    "contractions.linear": _by_rows,
    **{f"summation.{name}": _summed for name in _SUMS},
    **{f"convolution.{name}": _convolved for name in _CONVOLUTIONS},
}


def _address(primitive: Primitive) -> str:
    """Return the module of our tables that a primitive's rules stand in, and its name.

    A user's primitive of the same name has its rules in a module of its own.
    """
    package, _, module = getattr(primitive.rules[0], "__module__", "").rpartition(".")
    return f"{module}.{primitive.name}" if package == _TABLES else ""


_TABLES = f"{__package__}.primitives"
