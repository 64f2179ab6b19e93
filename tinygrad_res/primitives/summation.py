"""Sums of products over named indices: one bilinear map, whose derivatives are itself.

Every product of two tensors here is ``out[o] = sum a[i] b[j]`` with a tuple of labels for
the axes of each.  Two rules make it clean: no label stands twice in one tuple, and each
label stands in at least two of the three.  Then the cotangent of ``a`` is the same map
again, of the output's cotangent and ``b``: each of the three tuples is the output of the
other two, and derivatives of every order stay within one primitive.

What is not clean is made so first, by moves and sums: a label twice in one operand is
a diagonal, a length of 1 that broadcasts is an axis dropped, and a label that only one
operand has is summed there.

The sum runs as one matrix product, on views of the operands where memory allows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..custom import Operation, contraction
from ..errors import ShapeError, UsageError
from ..nests import labelled
from ..tensor import Tensor, shape_of
from .arguments import shown
from .diagonals import diagonal
from .pointwise import astype, multiply
from .reductions import sum
from .structural import as_tensor, permute_dims, reshape

__all__ = [
    "einsum",
]  # fmt: skip

Labels = tuple[Any, ...]


# The bilinear core


@lru_cache(maxsize=1024)
def _plan(ia: Labels, ib: Labels, out: Labels) -> Any:
    """Return how the axes of two operands lie in a matrix product, and where those of ``out`` are.

    The groups are (batch, only in a, only in b, summed); the last two are axes of
    the operands, in the order that the product wants.
    """
    summed = [k for k in ia if k not in out]
    batch = [k for k in ia if k in ib and k in out]
    rows, columns = [k for k in ia if k not in ib], [k for k in ib if k not in ia]
    made = batch + rows + columns
    return (
        (len(batch), len(rows), len(columns), len(summed)),
        tuple(ia.index(k) for k in batch + rows + summed),
        tuple(ib.index(k) for k in batch + summed + columns),
        tuple(made.index(k) for k in out),
    )


def _run(xp: Any, a: Any, b: Any, of: tuple[Labels, Labels, Labels]) -> Any:
    ia, ib, out = of
    if b.size > a.size:  # copy the smaller one, where one of them must be
        a, b, ia, ib = b, a, ib, ia
    (batch, rows, columns, summed), order_a, order_b, order = _plan(ia, ib, out)
    if not summed:
        return _aligned(a, ia, out) * _aligned(b, ib, out)
    a, b = a.transpose(order_a), b.transpose(order_b)
    lead, m = a.shape[:batch], a.shape[batch : batch + rows]
    k, n = a.shape[batch + rows :], b.shape[batch + summed :]
    inner = math.prod(k)
    high = (math.prod(m),) if rows or batch else ()
    wide = (math.prod(n),) if columns or batch else ()
    product = a.reshape((*lead, *high, inner)) @ b.reshape((*lead, inner, *wide))
    return xp.asarray(product).reshape(lead + m + n).transpose(order)


def _aligned(x: Any, labels: Labels, out: Labels) -> Any:
    """Return ``x`` with its axes in the order of ``out``, and length 1 where it has none."""
    moved = x.transpose(tuple(labels.index(k) for k in out if k in labels))
    return moved.reshape(_spread(x.shape, labels, out))


def _spread(shape: tuple[int, ...], labels: Labels, out: Labels) -> tuple[int, ...]:
    return tuple(shape[labels.index(k)] if k in labels else 1 for k in out)


def _sum_of_products(name: str) -> Operation:
    # fmt: off
    return contraction(_run,
        lambda xp, g, b, shape, of: _core.apply((g, b), {"of": (of[2], of[1], of[0])}),
        lambda xp, g, a, shape, of: _core.apply((a, g), {"of": (of[0], of[2], of[1])}), name=name,
        terms=lambda *shapes, of: [labelled(shapes, of)])
    # fmt: on


_core = _sum_of_products("einsum")
CORES = {"einsum": _core} | {
    name: _sum_of_products(name)
    for name in ("dot", "inner", "kron", "matvec", "outer", "tensordot", "vecdot", "vecmat")
}


# Products of any number of operands, of clean and other labels


def _lengths(call: str, shapes: Sequence[tuple[int, ...]], terms: Sequence[Labels]) -> Any:
    """Return the length of each label; lengths of 1 broadcast between operands."""
    found: dict[Any, tuple[int, int]] = {}
    for place, (shape, labels) in enumerate(zip(shapes, terms, strict=True)):
        own: dict[Any, int] = {}
        for label, n in zip(labels, shape, strict=True):
            if own.setdefault(label, n) != n:
                raise ShapeError(
                    f"{call}: index {label} is {own[label]} and {n} within operand {place}"
                )
        for label, n in own.items():
            length, first = found.get(label, (1, place))
            if 1 not in (length, n) and length != n:
                axis = isinstance(label, int) and label < 0
                raise ShapeError(
                    f"{call}: {f'axis {label} of ...' if axis else f'index {label}'} is {length} "
                    f"in operand {first} and {n} in operand {place}"
                )
            if length == 1:
                found[label] = n, place
    return {label: n for label, (n, _) in found.items()}


def products(
    name: str,
    operands: Sequence[Any],
    terms: Sequence[Labels],
    out: Labels,
    order: Sequence[Sequence[int]] | None = None,
    call: str = "",
) -> Tensor:
    """Return the sum of products of ``operands`` over all labels of ``terms`` not in ``out``.

    Args:
        name: which of ``CORES`` to record.
        operands: tensors, arrays or numbers.
        terms: the labels of the axes of each.
        out: the labels of the result's axes.
        order: which operands to multiply next, by place, results last, as
            ``numpy.einsum_path`` gives it; left to right where left out.
        call: how messages begin.

    Raises:
        ShapeError: a label has two lengths.
    """
    sizes = _lengths(call or name, [shape_of(x) for x in operands], terms)
    waiting = [_tidy(x, t, sizes) for x, t in zip(operands, terms, strict=True)]
    for group in order or [range(len(waiting))]:
        taken = [waiting[i] for i in sorted(group)]
        waiting = [pair for i, pair in enumerate(waiting) if i not in set(group)]
        current = taken[0]
        for i, other in enumerate(taken[1:], 2):
            later = [labels for _, labels in taken[i:] + waiting]
            kept = set(out).union(*later)
            made = tuple(dict.fromkeys(k for k in current[1] + other[1] if k in kept))
            target = made if later else out
            current = _pair(name, *current, *other, target), target
        waiting.append(current)
    ((result, labels),) = waiting
    if len(operands) > 1:
        return result  # type: ignore[no-any-return]
    result, labels = _summed(result, labels, out)
    return permute_dims(result, tuple(labels.index(k) for k in out))


def _tidy(x: Any, labels: Labels, sizes: dict[Any, int]) -> tuple[Any, Labels]:
    """Take diagonals, and drop the axes of length 1 that broadcast."""
    while len(set(labels)) < len(labels):
        twice = next(k for i, k in enumerate(labels) if k in labels[:i])
        first = labels.index(twice)
        second = labels.index(twice, first + 1)
        x = diagonal(x, 0, first, second)
        labels = (*(k for i, k in enumerate(labels) if i not in (first, second)), twice)
    shape = shape_of(x)
    left = tuple(i for i, k in enumerate(labels) if shape[i] == sizes[k])
    if len(left) < len(labels):
        x, labels = reshape(x, [shape[i] for i in left]), tuple(labels[i] for i in left)
    return x, labels


def _summed(x: Any, labels: Labels, kept: Collection[Any]) -> tuple[Any, Labels]:
    """Sum over the labels that are not ``kept``, in the dtype of ``x``, as NumPy's products."""
    gone = tuple(i for i, k in enumerate(labels) if k not in kept)
    if not gone:
        return x, labels
    x = as_tensor(x)
    out, left = sum(x, gone), tuple(k for k in labels if k in kept)
    return (out if out.dtype == x.dtype else astype(out, x.dtype)), left


def _arranged(x: Any, labels: Labels, out: Labels) -> Any:
    """Return ``x`` with the axes of ``out``, of length 1 where it has none."""
    order = tuple(labels.index(k) for k in out if k in labels)
    if order != tuple(range(len(order))):
        x = permute_dims(x, order)
    if len(order) < len(out):
        x = reshape(x, _spread(shape_of(x), tuple(labels[i] for i in order), out))
    return x


def _pair(name: str, a: Any, ia: Labels, b: Any, ib: Labels, out: Labels) -> Tensor:
    """Multiply two operands; a product that sums nothing and fits one of them is ``multiply``."""
    a, ia = _summed(a, ia, {*ib, *out})
    b, ib = _summed(b, ib, {*ia, *out})
    if len(out) == max(len(ia), len(ib)) == len({*ia, *ib}):
        return multiply(_arranged(a, ia, out), _arranged(b, ib, out))
    return CORES[name](a, b, of=(ia, ib, out))


# Subscripts


def einsum(*operands: Any, optimize: Any = False) -> Tensor:
    """Return the sum of products of tensors that Einstein's convention names.

    All subscripts of ``numpy.einsum`` are taken: with or without ``->``, ``...`` for
    axes that broadcast, a letter twice for a diagonal, and the form without letters,
    ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.

    Each product of two operands is recorded as one contraction, whose edges carry the
    other operand; where nothing is summed and one operand has every index of the result,
    it is ``multiply``.  A diagonal, and a sum over an index that one operand alone has,
    are recorded before it.

    Args:
        operands: the subscripts, then tensors, arrays or numbers.
        optimize: ``False`` multiplies three and more operands from left to right.  What
            ``numpy.einsum_path`` takes otherwise (``True``, ``"greedy"``, ``"optimal"``, a
            path) chooses the order, and so whether a path from the data crosses a
            product of weights once, or each of the weights.

    Raises:
        ShapeError: the subscripts do not fit the operands.
        UsageError: the subscripts mean nothing.

    >>> import numpy as np, tinygrad_res as tg
    >>> x, w = np.ones((2, 3)), tg.parameter(np.ones((4, 3)))
    >>> tg.einsum("bi,oi->bo", x, w).shape
    (2, 4)
    >>> tg.einsum("ii", np.eye(3))
    tensor(3.)
    """
    if operands and isinstance(operands[0], str):
        text, arrays = operands[0], operands[1:]
        call = f"einsum: subscripts {text!r}"
        terms, out = _subscripts(text, tuple(len(shape_of(x)) for x in arrays))
    else:
        call = "einsum"
        arrays = operands[: len(operands) // 2 * 2 : 2]
        given = [_numbers(term) for term in operands[1::2]]
        result = _numbers(operands[-1]) if len(operands) % 2 else None
        terms, out = _fit(call, given, result, [len(shape_of(x)) for x in arrays])
    order = None if optimize is False else _path(call, arrays, terms, out, optimize)
    return products("einsum", arrays, terms, out, order, call)


@lru_cache(maxsize=1024)
def _subscripts(text: str, ranks: tuple[int, ...]) -> tuple[list[Labels], Labels]:
    """Return the labels of each operand, and of the result, that ``text`` gives them."""
    call = f"einsum: subscripts {text!r}"
    left, arrow, right = text.replace(" ", "").partition("->")
    given = [_letters(call, term) for term in left.split(",")]
    return _fit(call, given, _letters(call, right) if arrow else None, ranks)


def _letters(call: str, term: str) -> Labels:
    before, dots, after = term.partition("...")
    for letter in before + after:
        if not (letter.isascii() and letter.isalpha()):
            raise UsageError(
                f"{call}: {letter!r} is no index: use letters, ',' between operands, "
                "'...' once for axes that broadcast, and '->'"
            )
    return (*before, *([Ellipsis] if dots else []), *after)


def _numbers(term: Any) -> Labels:
    found = tuple(term) if isinstance(term, (list, tuple)) else (None,)
    bad = [
        k for k in found if k is not Ellipsis and not (isinstance(k, (int, np.integer)) and k >= 0)
    ]
    if bad or found.count(Ellipsis) > 1:
        raise UsageError(
            f"einsum: {term!r} is no list of indices: write the subscripts first, or after each "
            "operand a list of numbers from 0, with one Ellipsis at most"
        )
    return tuple(k if k is Ellipsis else int(k) for k in found)


def _fit(
    call: str, given: Sequence[Labels], result: Labels | None, ranks: Sequence[int]
) -> tuple[list[Labels], Labels]:
    """Give every axis of the operands and of the result its label.

    Raises:
        ShapeError: an operand has more or fewer axes than its subscripts.
        UsageError: the subscripts are of more or fewer operands, or the result's make no sense.
    """
    if len(given) != len(ranks) or not ranks:
        raise UsageError(f"{call}: subscripts of {len(given)} operands, and {len(ranks)} given")
    terms, broad = [], 0
    for place, (rank, term) in enumerate(zip(ranks, given, strict=True)):
        named = len(term) - (Ellipsis in term)
        if rank < named or (rank > named and Ellipsis not in term):
            raise ShapeError(
                f"{call}: operand {place} has {rank} axes, its subscripts name {named}"
            )
        terms.append(_axes_of_ellipsis(term, rank - named))
        broad = max(broad, rank - named)
    if result is None:
        every = [k for term in given for k in term if k is not Ellipsis]
        result = (Ellipsis, *sorted(k for k in set(every) if every.count(k) == 1))
    if broad and Ellipsis not in result:
        raise UsageError(f"{call}: the result leaves out the axes of '...': put '...' into it too")
    for k in result:
        if k is not Ellipsis and not any(k in term for term in given):
            raise UsageError(f"{call}: index {k} of the result is in no operand")
        if result.count(k) > 1:
            raise UsageError(f"{call}: index {k} stands twice in the result")
    return terms, _axes_of_ellipsis(result, broad)


def _axes_of_ellipsis(term: Labels, count: int) -> Labels:
    """Put -count, ..., -1 where the ellipsis stands: axes that broadcast, counted from the last."""
    if Ellipsis not in term:
        return term
    at = term.index(Ellipsis)
    return (*term[:at], *range(-count, 0), *term[at + 1 :])


def _path(
    name: str, operands: Sequence[Any], terms: Sequence[Labels], out: Labels, optimize: Any
) -> Any:
    """Return NumPy's order of products; it looks at shapes alone."""
    shapes = [shape_of(x) for x in operands]
    _lengths(name, shapes, terms)
    letters = {k: i for i, k in enumerate(dict.fromkeys(k for term in terms for k in term))}
    blank = np.zeros(())
    call: list[Any] = []
    for shape, term in zip(shapes, terms, strict=True):
        call += [np.broadcast_to(blank, shape), [letters[k] for k in term]]
    try:
        order = np.einsum_path(*call, [letters[k] for k in out], optimize=optimize)[0][1:]
        left = len(operands)
        for group in order:
            if len(set(group)) < len(group) or not set(group) <= set(range(left)):
                raise IndexError(f"{group} of {left} operands")
            left -= len(group) - 1
        return order
    except Exception as error:  # of many kinds, and the operands fit
        raise UsageError(
            f"{name}: optimize {shown(optimize)}: use True, False, 'greedy', 'optimal', or a path "
            "from numpy.einsum_path"
        ) from error
