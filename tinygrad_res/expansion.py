"""The scalar expansion: every element of an array is a node, every edge carries one number.

A recorded operation on arrays stands for many operations on numbers.  Its edge to one operand
is a bundle of scalar edges, the entries of the local Jacobian: row o, column i holds the
derivative of output element o by operand element i (Bauer 1974; Griewank and Walther 2008,
chapters 2 and 7).  The bundle is as sparse as the operation: n entries for a pointwise
operation of n elements, where the Jacobian has n * n.  Each family knows its own:

===========  ==============================================================
pointwise    one entry for each output element: the partial derivative
reduction    one for each input element: its coefficient
structural   1 where an element was moved from or to
contraction  one for each pair of elements that meet in a term: the other operand
general      what unit cotangents find: no structure is known but the values
===========  ==============================================================

An entry says that the output element depends on the operand's element, by the form of the
operation.  It is there although its derivative happens to be 0: a dead relu, an element that
is not the largest, a weight of zero.  So the number of scalar paths depends on the shape of
a network, not on its weights, and paths that carry 0 can be told apart from no path.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import backend, batches, nests
from .backend import Array
from .errors import GradientError
from .families import Contraction, Pointwise, Reduction, Structural
from .primitive import Primitive
from .record import Node

Entries = tuple[Array, Array, Array]

CHUNK = 1 << 20
"""How many elements of a dense Jacobian are looked at together, where it has to be probed."""


def entries(node: Node, position: int) -> Entries:
    """Return the scalar edges from a recorded operation to one of its operands.

    Args:
        node: a recorded operation.
        position: which operand, one that requires a gradient.

    Returns:
        (rows, columns, derivatives), of one length, on the host: the flat index in C order
        of the output element (int64), that of the operand's element (int64), and the
        derivative of the one by the other (float64; computed in the dtype of the record,
        infinite or NaN where the formula gives that).  In order of rows, then columns; no
        pair twice.  Of a general operation, and only there, derivatives of 0 are left out.

    Raises:
        GradientError: the operation has no such operand, or it requires no gradient; or a
            structural one moves no elements.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([[1.0, 2.0]], requires_grad=True)
    >>> y = x @ [[3.0, 0.0], [4.0, 5.0]]
    >>> for indices_or_derivatives in entries(y._node, 0):
    ...     print(indices_or_derivatives)
    [0 0 1 1]
    [0 1 0 1]
    [3. 4. 0. 5.]
    """
    primitive = _primitive(node, position)
    with np.errstate(all="ignore"):  # an infinite derivative is an answer
        rows, columns, derivatives = _entries(primitive, node, position)
    return rows, columns, np.asarray(derivatives, np.float64)


def count(node: Node, position: int) -> int:
    """Return how many entries there are, without listing them.

    It comes from shapes; a structural operation is run once, on ones.  It is an upper bound
    for a general operation, and for a contraction that declares no terms, where it is the
    number of all pairs of elements, and for a user's contraction that declares several terms
    for one pair.  Otherwise it is exact.

    Raises:
        GradientError: as for ``entries``.

    >>> import numpy as np, tinygrad_res as tg
    >>> x = tg.tensor(np.ones((64, 100)), requires_grad=True)
    >>> y = x @ np.ones((100, 10))
    >>> count(y._node, 0)
    64000
    """
    return _count(_primitive(node, position), node, position)


def _primitive(node: Node, position: int) -> Primitive:
    if node.primitive is None or position not in node.wanted:
        raise GradientError(
            f"entries: {node.primitive or 'a leaf'} has no edge to an operand {position!r} that "
            f"requires a gradient: choose from {node.wanted}"
        )
    return node.primitive


def _shape(node: Node, position: int) -> tuple[int, ...]:
    return node.parents[position].shape  # type: ignore[union-attr]


def _sizes(node: Node, position: int) -> tuple[int, int]:
    """Return the numbers of rows and of columns."""
    return math.prod(node.shape), math.prod(_shape(node, position))


def _module(node: Node) -> Any:
    """Return the array module of what a node keeps; NumPy where it keeps no array."""
    for value in (*node.saved, *node.params.values()):
        for part in value if isinstance(value, (tuple, list)) else (value,):
            if backend.is_array(part):
                return backend.namespace(part)
    return np


def _flat(array: Any) -> Array:
    return backend.to_host(array).reshape(-1)


# Any primitive: probes


@functools.singledispatch
def _entries(primitive: Primitive, node: Node, position: int) -> Entries:
    """Return the entries that are not 0, from unit cotangents."""

    found = []
    for first, rows in _jacobian(node, position, lambda u: batches.pull(node, u, [position])[0]):
        r, columns = np.nonzero(rows)
        found.append((r + first, columns, rows[r, columns]))
    return _joined(found)


@functools.singledispatch
def _count(primitive: Primitive, node: Node, position: int) -> int:
    return math.prod(_sizes(node, position))


def _jacobian(node: Node, position: int, pull: Callable[[Any], Any]) -> Iterator[tuple[int, Array]]:
    """Yield rows of the Jacobian in dense pieces, with the number of the first row.

    ``pull`` takes a stack of cotangents, and returns one of the operand's.
    """
    xp, (height, width) = _module(node), _sizes(node, position)
    step = max(1, CHUNK // max(1, height, width))
    for first in range(0, height, step):
        n = min(step, height - first)
        units = xp.eye(n, height, first, dtype=node.dtype).reshape((n, *node.shape))
        yield first, backend.to_host(pull(units)).reshape(n, width)


def _joined(found: list[Entries]) -> Entries:
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    rows, columns, derivatives = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(derivatives)


# Pointwise and reductions: the family's own vectors, of ones


@_entries.register
def _(primitive: Pointwise, node: Node, position: int) -> Entries:
    shape, parent = _shape(node, position), node.parents[position]
    tangents: list[Any] = [None] * len(node.parents)
    tangents[position] = _module(node).ones(shape, dtype=parent.dtype)  # type: ignore[union-attr]
    columns = np.arange(math.prod(shape)).reshape(shape)
    return (
        np.arange(math.prod(node.shape)),
        np.broadcast_to(columns, node.shape).reshape(-1),
        _flat(primitive.jvp(node, tangents)),
    )


@_count.register
def _(primitive: Pointwise, node: Node, position: int) -> int:
    return math.prod(node.shape)


@_entries.register
def _(primitive: Reduction, node: Node, position: int) -> Entries:
    shape, axis = _shape(node, position), node.params["axis"]
    kept = [i for i in range(len(shape)) if i not in axis]
    order = (*kept, *sorted(axis))  # brings what is reduced into one element together
    n = math.prod(shape[i] for i in axis)
    ones = _module(node).ones(node.shape, dtype=node.dtype)
    (coefficients,) = primitive.vjp(node, ones, (position,))
    return (
        np.repeat(np.arange(math.prod(node.shape)), n),
        np.arange(math.prod(shape)).reshape(shape).transpose(order).reshape(-1),
        np.broadcast_to(backend.to_host(coefficients), shape).transpose(order).reshape(-1),
    )


@_count.register
def _(primitive: Reduction, node: Node, position: int) -> int:
    return math.prod(_shape(node, position))


# Structural: let the numbers of the elements travel


@_entries.register
def _(primitive: Structural, node: Node, position: int) -> Entries:
    """Return where elements went.

    A move copies at most one element into each place, so the numbers of the elements, moved,
    say what each place holds.  A transposed move, such as a fold, may add up several; but
    then each element goes to one place, which the numbers of the places say, moved back.
    Which of them it is shows in a vector of random numbers, that only the right map moves
    in the same way.  Numbers are counted from 1, since 0 is what no element reaches, and are
    exact in float64 up to 2**53.
    """
    xp, (height, width) = _module(node), _sizes(node, position)

    def push(values: Array) -> Array:
        return _moved(primitive, node, position, xp.asarray(values))

    def pull(values: Array) -> Array:
        (back,) = primitive.vjp(node, xp.asarray(values).reshape(node.shape), (position,))
        return _flat(back)

    came_from = _map(push, width)
    if came_from is not None:
        rows = np.flatnonzero(came_from)
        columns = came_from[rows] - 1
    else:
        went_to = _map(pull, height)
        if went_to is None:
            raise GradientError(
                f"{primitive}: each output element of a structural operation copies one element, or "
                "each element goes to one output: define it with tg.custom.general"
            )
        columns = np.flatnonzero(went_to)
        rows = went_to[columns] - 1
        order = np.argsort(rows, kind="stable")
        rows, columns = rows[order], columns[order]
    return rows, columns, np.ones(len(rows))


def _moved(primitive: Structural, node: Node, position: int, values: Any) -> Array:
    tangents: list[Any] = [None] * len(node.parents)
    tangents[position] = values.reshape(_shape(node, position))
    return _flat(primitive.jvp(node, tangents))


def _map(move: Callable[[Array], Array], n: int) -> Array | None:
    """Return for each place the number, from 1, of the one of n elements that ``move`` copies.

    0 where there is none; ``None`` where ``move`` does more than to copy.
    """
    numbers = move(np.arange(1.0, n + 1))
    if numbers.size and not (numbers.min() >= 0 and numbers.max() <= n):
        return None
    places = numbers.astype(np.int64)
    random = np.concatenate([[0.0], np.random.default_rng(0).uniform(1, 2, n)])
    return places if np.array_equal(move(random[1:]), random[places]) else None


@_count.register
def _(primitive: Structural, node: Node, position: int) -> int:
    ones = _module(node).ones(_sizes(node, position)[1])
    return int(_moved(primitive, node, position, ones).sum())


# Contractions: the terms that they declare


@_entries.register
def _(primitive: Contraction, node: Node, position: int) -> Entries:
    if primitive.terms is None:
        return _bilinear(primitive, node, position)
    factors, shapes = _flat(node.saved[2 - position]), _shapes(node, position)
    factors = factors.astype(np.float64)
    found = []
    for nest in primitive.terms(*shapes, **node.params):
        rows, columns, others = nests.terms(nest, shapes, position)
        found.append((rows, columns, nest.sign * factors[others]))
    return _merged(*(found[0] if len(found) == 1 else _joined(found)))


@_count.register
def _(primitive: Contraction, node: Node, position: int) -> int:
    if primitive.terms is None:
        return math.prod(_sizes(node, position))
    shapes = _shapes(node, position)
    return sum(nests.count(nest, shapes) for nest in primitive.terms(*shapes, **node.params))


def _shapes(node: Node, position: int) -> list[tuple[int, ...]]:
    """Return the shapes of both operands and of the output."""
    shapes = [node.saved[2 - position].shape, node.shape]
    shapes.insert(position, _shape(node, position))
    return shapes


def _merged(rows: Array, columns: Array, derivatives: Array) -> Entries:
    """Return entries in order, those of one place added up."""
    if len(rows) < 2:
        return rows, columns, derivatives
    same, later = rows[1:] == rows[:-1], rows[1:] > rows[:-1]
    if not (later | same & (columns[1:] >= columns[:-1])).all():
        order = np.lexsort((columns, rows))
        rows, columns, derivatives = rows[order], columns[order], derivatives[order]
        same = rows[1:] == rows[:-1]
    again = same & (columns[1:] == columns[:-1])
    if again.any():
        starts = np.flatnonzero(np.concatenate([[True], ~again]))
        derivatives = np.add.reduceat(derivatives, starts)
        rows, columns = rows[starts], columns[starts]
    return rows, columns, derivatives


def _bilinear(primitive: Contraction, node: Node, position: int) -> Entries:
    """Return the entries of a contraction that declares no terms, from probes.

    A term shows in the derivative that another, random operand would give, whatever the
    operand at hand holds.  Where that is infinite, derivatives beside it may come out as NaN:
    the rule multiplies it by the zeros of the probes.
    """
    rule, shape, other = primitive.rules[position], _shape(node, position), node.saved[2 - position]
    xp = backend.namespace(other)
    random = xp.asarray(np.random.default_rng(0).uniform(1, 2, other.shape))

    def pull(factors: Any) -> Callable[[Any], Any]:
        return lambda units: xp.stack([rule(xp, u, factors, shape, **node.params) for u in units])

    found = []
    pieces = zip(
        _jacobian(node, position, pull(random)), _jacobian(node, position, pull(other)), strict=True
    )
    for (first, pattern), (_, rows) in pieces:
        r, columns = np.nonzero(pattern)
        found.append((r + first, columns, rows[r, columns]))
    return _joined(found)
