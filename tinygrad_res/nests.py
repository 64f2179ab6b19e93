"""The terms of a bilinear map, one by one: a loop nest.

Every product of the engine is ``out[o] += sign * first[i] * second[j]``, repeated over some
loops, and every index in it is affine in the loops' variables: a step for each variable,
and a start.  A matrix product runs over row, sum and column, with plain variables as
indices; a convolution reads row ``stride * oh + dilation * kh - padding`` of an image, and
leaves out what falls beside it.  (Feautrier 1991, "Dataflow analysis of array and scalar
references", calls this an affine access.)  One declaration tells both operands'
derivatives, since the edge from ``out[o]`` to ``first[i]`` carries ``second[j]``.

Because the indices are affine, terms are counted without listing them, and listed in order
without sorting wherever the loops can run in the order of the result's memory.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import UsageError

Label = Hashable
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """An index of an axis: the sum of step * loop variable over ``steps``, plus ``start``."""

    steps: dict[Label, int] = field(default_factory=dict)
    start: int = 0


@dataclass(frozen=True, slots=True)
class Nest:
    """The loops of a bilinear map.

    Attributes:
        lengths: how often each loop runs, by the label of its variable.
        axes: the indices of the first operand, of the second, and of the result, one for
            each axis.  Terms with an index beside its array do not exist.
        sign: 1 or -1, the sign of every term.
    """

    lengths: dict[Label, int]
    axes: tuple[tuple[Index, ...], ...]
    sign: int = 1


def labelled(shapes: Sequence[Shape], labels: Sequence[Sequence[Label]]) -> Nest:
    """Return the nest of a sum of products whose axes are labelled, as in ``einsum``.

    Args:
        shapes: those of the two operands and of the result.
        labels: a label for each of their axes; an axis of length 1 broadcasts.

    >>> nest = labelled([(2, 3), (3, 4), (2, 4)], ["ij", "jk", "ik"])
    >>> nest.lengths, count(nest, [(2, 3), (3, 4), (2, 4)])
    ({'i': 2, 'j': 3, 'k': 4}, 24)
    """
    lengths: dict[Label, int] = {}
    for shape, names in zip(shapes, labels, strict=True):
        for n, label in zip(shape, names, strict=True):
            if n != 1 or label not in lengths:
                lengths[label] = n
    axes = tuple(
        tuple(Index({label: 1} if n == lengths[label] else {}) for n, label in zip(shape, names))
        for shape, names in zip(shapes, labels, strict=True)
    )
    return Nest(lengths, axes)


def count(nest: Nest, shapes: Sequence[Shape]) -> int:
    """Return the number of terms, from shapes alone."""
    borders = _borders(nest, shapes)
    bounded = {label for steps, _ in borders for label in steps}
    free = math.prod(n for label, n in nest.lengths.items() if label not in bounded)
    return free * math.prod(int(inside.sum()) for _, inside in borders)


def terms(nest: Nest, shapes: Sequence[Shape], position: int) -> tuple[Any, Any, Any]:
    """Return flat indices, in C order, of all terms: of the result and of both operands.

    Args:
        nest, shapes: the loops, and the shapes of the two operands and of the result.
        position: which operand's index comes second; the other's comes third.

    >>> shapes = [(2,), (2,), ()]
    >>> [i.tolist() for i in terms(labelled(shapes, ["i", "i", ""]), shapes, 0)]
    [[0, 0], [0, 1], [0, 1]]
    """
    flat = [_flat(axes, shape) for axes, shape in zip(nest.axes, shapes, strict=True)]
    row, column, other = flat[2], flat[position], flat[1 - position]
    order = sorted(  # as the elements lie in memory: the result's first
        nest.lengths, key=lambda k: (-row.steps.get(k, 0), -column.steps.get(k, 0))
    )
    grid = tuple(nest.lengths[label] for label in order)
    chosen: Any = None
    for steps, inside in _borders(nest, shapes):
        used = [label for label in order if label in steps]
        placed = inside.transpose([steps.index(label) for label in used]).reshape(
            [nest.lengths[label] if label in steps else 1 for label in order]
        )
        chosen = placed if chosen is None else chosen & placed
    if chosen is not None:
        chosen = np.broadcast_to(chosen, grid)

    def listed(index: Index) -> Any:
        every = np.broadcast_to(_values(index, nest.lengths, order), grid)
        return every.reshape(-1) if chosen is None else every[chosen]

    return listed(row), listed(column), listed(other)


def _flat(axes: Sequence[Index], shape: Shape) -> Index:
    """Return the index into the flattened array that indices of its axes amount to."""
    steps: dict[Label, int] = {}
    start, stride = 0, 1
    for index, n in zip(reversed(axes), reversed(shape), strict=True):
        start += index.start * stride
        for label, step in index.steps.items():
            steps[label] = steps.get(label, 0) + step * stride
        stride *= n
    return Index(steps, start)


def _values(index: Index, lengths: dict[Label, int], order: Sequence[Label]) -> Any:
    """Return the values of an index over the loops in ``order``; 1 is the length of an unused one."""
    total = np.full((1,) * len(order), index.start, np.int64)
    for axis, label in enumerate(order):
        if label in index.steps:
            along = np.arange(lengths[label], dtype=np.int64) * index.steps[label]
            total = total + along.reshape((-1,) + (1,) * (len(order) - 1 - axis))
    return total


def _borders(nest: Nest, shapes: Sequence[Shape]) -> list[tuple[tuple[Label, ...], Any]]:
    """Return the loops whose variables can lead beside an axis, and where they stay inside.

    Raises:
        UsageError: a variable has a part in two such axes.
    """
    found: list[tuple[tuple[Label, ...], Any]] = []
    if 0 in nest.lengths.values():
        return found
    for axes, shape in zip(nest.axes, shapes, strict=True):
        for index, n in zip(axes, shape, strict=True):
            ends = [step * (nest.lengths[label] - 1) for label, step in index.steps.items()]
            low = index.start + sum(e for e in ends if e < 0)
            high = index.start + sum(e for e in ends if e > 0)
            if low >= 0 and high < n:
                continue
            labels = tuple(index.steps)
            if any(not {*labels}.isdisjoint(others) for others, _ in found):
                raise UsageError(
                    f"nest: loops {labels} lead beside two axes: declare no terms, and they are probed"
                )
            values = _values(index, nest.lengths, labels)
            found.append((labels, (values >= 0) & (values < n)))
    return found
