"""Batches: training data a part at a time, in an order that a seed decides.

The order of every pass follows from the seed and from nothing else, so a training that goes on
from step n takes up the batches at n and needs no more than that number.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import backend
from ..errors import DataError, DeviceError
from ..tensor import raw
from ..whole_numbers import at_least


def examples(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Return examples and targets as arrays, lists and other libraries' arrays too.

    Raises:
        DataError: they are no arrays, there is no example, or not a target for each.

    >>> examples("here", [[1.0], [2.0]], [0, 1])[1]
    array([0, 1])
    """
    x, y = _array(f"{name}: the examples", x), _array(f"{name}: the targets", y)
    if len(x) != len(y) or not len(x):
        raise DataError(
            f"{name}: {len(x)} examples and {len(y)} targets: give as many, and at least one"
        )
    return x, y


def _array(what: str, values: Any) -> Any:
    found = raw(values)
    if hasattr(found, "detach"):  # PyTorch's, which need not be installed
        found = found.detach().cpu().numpy()
    try:
        backend.namespace(found)
    except DeviceError:
        if isinstance(found, np.ndarray):  # of a subclass, whose rules would be lost
            raise
        try:
            found = np.asarray(found)
        except ValueError as error:
            raise DataError(f"{what}: lists of unequal lengths make no array: {error}") from error
    if not found.ndim or found.dtype.kind not in "fiub":
        raise DataError(
            f"{what}: shape {found.shape} and dtype {found.dtype}: pass an array of numbers, with "
            "a row for each example"
        )
    return found


def steps_per_pass(count: int, size: int) -> int:
    """Return the number of batches in one pass over so many examples, as ``batches`` cuts them.

    >>> steps_per_pass(10, 4)
    2
    """
    return count // min(size, count)


def batches(
    x: Any, y: Any, size: int, seed: int = 0, start: int = 0
) -> Iterator[tuple[Any, Any]]:  # fmt: skip
    """Yield batches for ever, in an order drawn anew for each pass.

    A pass leaves out the examples that do not fill a last batch, others each time: so every
    step is a mean over equally many.  Where there are fewer than ``size`` examples, a batch is
    all of them.

    Args:
        x, y: examples and their targets, along the first axis, on any device.
        size: the number of examples in a batch.
        seed: decides the order.
        start: the number of batches to pass over, drawing what they would have drawn.

    Raises:
        DataError: they are no arrays, there is no example, or not a target for each.
        UsageError: ``size`` is no number from 1 on, ``seed`` or ``start`` none from 0 on.

    >>> x = np.arange(4)
    >>> a, b = batches(x, -x, size=2, seed=1), batches(x, -x, size=2, seed=1, start=1)
    >>> first, second, third = next(a), next(a), next(a)
    >>> sorted([*first[0], *second[0]])
    [np.int64(0), np.int64(1), np.int64(2), np.int64(3)]
    >>> (second[0] == next(b)[0]).all() and (third[1] == next(b)[1]).all()
    np.True_
    """
    size = at_least(1, "batches", "size", size)
    seed, start = at_least(0, "batches", "seed", seed), at_least(0, "batches", "start", start)
    x, y = examples("batches", x, y)
    return _batches(x, y, min(size, len(x)), np.random.default_rng(seed), start)


def _batches(
    x: Any, y: Any, size: int, rng: np.random.Generator, start: int
) -> Iterator[tuple[Any, Any]]:
    per_pass = len(x) // size
    for number in itertools.count():
        order = rng.permutation(len(x))
        for i in range(max(0, start - number * per_pass), per_pass):
            part = backend.to_device(order[i * size : (i + 1) * size], backend.device(x))
            yield x[part], y[part]
