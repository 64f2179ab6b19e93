"""Examples and targets held against a network, before anything is computed from them.

A label that no output stands for, or a NaN among the examples, would be met in the middle of a
training, or never: whatever is wrong is said here, with the index at which it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import backend
from .data.batches import examples
from .errors import DataError, UsageError
from .nn import Module
from .record import no_grad
from .tensor import Tensor, tensor

AT_ONCE = 2**22
"""How many numbers are looked at in one go."""


def read_part(part: str, data: Any, finite_targets: bool) -> tuple[Any, Any]:
    """Return the examples and targets of the ``"train"`` or ``"test"`` part, as arrays.

    Args:
        part: which one.
        data: has ``train_x`` and so on.
        finite_targets: whether a target may not be NaN; a loss of one's own may pass over such.

    Raises:
        UsageError: the data have no such part.
        DataError: they are no arrays, of unequal lengths, empty, or not finite.
    """
    names = [f"{part}_{letter}" for letter in "xy"]
    if not all(hasattr(data, name) for name in names):
        raise UsageError(
            f"fit: data is a {type(data).__name__}, without {' and '.join(names)}: pass "
            "tg.data.load('digits'), tg.data.split('mine', x, y), or any object with train_x, "
            "train_y, test_x and test_y"
        )
    where = f"fit: the {'training' if part == 'train' else 'test'} part"
    x, y = examples(where, *(getattr(data, name) for name in names))
    checked = (("example", x, names[0]), ("target", y, names[1]))
    for what, values, name in checked if finite_targets else checked[:1]:
        at = not_finite(values)
        if at is not None:
            raise DataError(
                f"{where}: {what} {at} holds NaN or infinity: remove or replace it in {name}"
            )
    return x, y


def check_targets(
    network: Module, device: str, train: tuple[Any, Any], test: tuple[Any, Any] | None,
    default_loss: bool, augmented: bool,
) -> None:  # fmt: skip
    """Refuse targets that the default loss or the default evaluation could not take.

    Args:
        network: to be trained, on ``device``.
        train, test: examples and targets; no test where the evaluation is the user's own.
        default_loss: whether the loss is.
        augmented: whether the network is given other examples than these.

    Raises:
        DataError: saying which, and what they must be.
    """
    parts = [("training", train[1])] if default_loss else []
    if test is not None:
        train_y, test_y = train[1], test[1]
        if train_y.shape[1:] != test_y.shape[1:] or is_classes(train_y) != is_classes(test_y):
            raise DataError(
                f"fit: targets of shape {train_y.shape} and dtype {train_y.dtype} to train on, of "
                f"shape {test_y.shape} and dtype {test_y.dtype} to test: make both in one way"
            )
        if default_loss or is_classes(test_y):
            parts.append(("test", test_y))
    for part, y in parts:
        if is_classes(y):
            check_classes(f"fit: the {part} part: targets", y)
    if not parts or (test is None and augmented):
        return
    shape = output_shape(network, (test or train)[0], device)
    for part, y in parts:
        check = check_classes_of if is_classes(y) else check_numbers
        check(f"fit: the {part} part: targets", y, shape)


def is_classes(y: Any) -> bool:
    """Say whether targets are classes, which are integers, rather than numbers to predict."""
    return bool(y.dtype.kind in "iu")


def not_finite(values: Any) -> int | None:
    """Return the index of the first row that holds NaN or infinity; ``None`` where none does."""
    if values.dtype.kind != "f":
        return None
    xp = backend.namespace(values)
    rows = max(1, AT_ONCE * len(values) // max(1, values.size))
    for start in range(0, len(values), rows):
        finite = xp.isfinite(values[start : start + rows])
        if not bool(finite.all()):
            return start + int((~finite).reshape(len(finite), -1).any(axis=1).argmax())
    return None


def check_classes(what: str, y: Any, classes: int | None = None) -> None:
    """Refuse targets that are no classes.

    Args:
        what: they are, for the message.
        y: an array.
        classes: how many there are; unlimited where left out.

    Raises:
        DataError: they are not one integer for each example, from 0 on and below ``classes``;
            the message names the first that is not, and its index.

    >>> check_classes("here", np.array([0, 1, 5]), 3)
    Traceback (most recent call last):
    tinygrad_res.errors.DataError: here: label 5 at index 2, but the network has 3 outputs, for classes from 0 to 2
    """
    if y.ndim != 1:
        raise DataError(
            f"{what} of shape {y.shape}: expected a class for each example, ({len(y)},): "
            f"{_as_classes(y)}"
        )
    if y.dtype.kind not in "iu":
        raise DataError(f"{what} of dtype {y.dtype}: classes are integers: use y.astype(int)")
    wrong = y < 0 if classes is None else (y < 0) | (y >= classes)
    if bool(wrong.any()):
        at = int(wrong.argmax())
        outputs = "number classes from 0"
        if classes is not None:
            outputs = f"but the network has {classes} outputs, for classes from 0 to {classes - 1}"
        raise DataError(f"{what}: label {int(y[at])} at index {at}, {outputs}")


def _as_classes(y: Any) -> str:
    """Say how to make classes of targets that have more than one axis."""
    if y.ndim == 2 and y.shape[1] == 1:
        return "use y.ravel()"
    if y.ndim == 2 and bool(((y == 0) | (y == 1)).all()) and bool((y.sum(axis=1) == 1).all()):
        return "use y.argmax(axis=1), as they are one-hot"
    return "several for each example take a loss and an evaluation of your own"


def check_classes_of(what: str, y: Any, output: tuple[int, ...]) -> None:
    """Refuse targets that are none of the classes of a network, by the shape that it gives.

    Raises:
        DataError: a label is none, or the output is not (N, classes).
    """
    if len(output) != 2:
        raise DataError(
            f"{what}: the network gives shape {output}: expected (N, classes), such as a Flatten "
            "and a Linear layer give"
        )
    check_classes(what, y, output[1])


def check_numbers(what: str, y: Any, output: tuple[int, ...]) -> None:
    """Refuse numbers to predict that are not of the shape that the network gives.

    Raises:
        DataError: they are not.
    """
    if y.shape[1:] != output[1:] or y.dtype.kind == "b":
        mend = "y[:, None], " if y.ndim == 1 and output[1:] == (1,) else ""
        raise DataError(
            f"{what} of shape {y.shape} and dtype {y.dtype}, where the network gives "
            f"{(len(y), *output[1:])}: numbers to predict are floats of that shape, {mend}and classes "
            f"integers of shape ({len(y)},), y.astype(int)"
        )


@contextlib.contextmanager
def evaluating(network: Module) -> Iterator[None]:
    """Hold a network in evaluation mode, and give each module its mode back."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def output_shape(network: Module, x: Any, device: str) -> tuple[int, ...]:
    """Return the shape of a network's output for the first example; nothing is changed.

    Raises:
        UsageError: the output is no tensor.
    """
    with evaluating(network), no_grad(), np.errstate(all="ignore"):
        out = network(tensor(backend.to_device(x[:1], device)))
    if not isinstance(out, Tensor):
        raise UsageError(
            f"fit: the network gives a {type(out).__name__}: return a tensor, or pass loss= and "
            "evaluate= of your own"
        )
    return out.shape
