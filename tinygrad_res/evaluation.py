"""Evaluation: what a network is worth on examples that it may not have seen.

Means are over all examples alike, however they are cut into batches, and nothing is recorded.
The network is in evaluation mode meanwhile, and gets its mode back: in training mode the examples
would be normalised by one another, and running statistics would take in what they must not see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import backend, primitives
from .data.batches import examples
from .errors import UsageError
from .nn import Module
from .record import no_grad
from .targets import check_classes, check_classes_of, evaluating, is_classes
from .tensor import Tensor, shape_of, tensor

Loss = Callable[[Tensor, Any], Tensor]
Evaluation = Callable[[Module], "float | dict[str, float]"]

EVALUATION_BATCH = 256


def accuracy(network: Module, x: Any, y: Any) -> float:
    """Return the share of examples whose largest logit is that of their class.

    The network is asked in evaluation mode, whatever mode it is in.

    Raises:
        DataError: there is no example, or not a class for each, or a label that no output stands
            for; the message names its index.
    """
    return _means("accuracy", network, x, y, [_right])[0]


def mean_loss(network: Module, x: Any, y: Any, loss: Loss) -> float:
    """Return the mean over the examples of a loss that is a mean over its batch.

    The network is asked in evaluation mode, whatever mode it is in.

    Raises:
        DataError: there is no example, or not a target for each.
    """
    return _means("mean_loss", network, x, y, [_weighed(loss)])[0]


def squared_error(output: Tensor, target: Any) -> Tensor:
    """Return the mean square of the difference, PyTorch's ``mse_loss``.

    Raises:
        UsageError: the shapes differ, which broadcasting would hide.

    >>> squared_error(tensor([1.0, 2.0]), [1.0, 4.0])
    tensor(2.)
    """
    if shape_of(target) != output.shape:
        raise UsageError(
            f"squared_error: the output has shape {output.shape} and the target "
            f"{shape_of(target)}: they must be the same; classes, for cross_entropy, are integers"
        )
    return primitives.mean(primitives.square(output - target))


def default_loss(y: Any) -> Loss:
    """Return the loss for targets: ``cross_entropy`` for integers, else ``squared_error``."""
    if is_classes(y):
        return primitives.cross_entropy
    return squared_error


def on_test_part(data: Any, loss: Loss | None = None) -> Evaluation:
    """Return the evaluation on the test part.

    Args:
        data: has ``test_x`` and ``test_y``.
        loss: of the training, where it is not the default one.

    Returns:
        A function from a network to ``"accuracy"`` and ``"loss"``, the mean loss, for targets that
        are integers; a loss of one's own, which may not be defined there, is left out then.  For
        others, ``"loss"`` alone.
    """
    return lambda network: _measured(network, data.test_x, data.test_y, loss)


def on_both_parts(data: Any, loss: Loss | None = None) -> Evaluation:
    """Return the evaluation on both parts of data, for ``fit(..., evaluate=on_both_parts(data))``.

    Args:
        data: has ``train_x``, ``train_y``, ``test_x`` and ``test_y``.
        loss: of the training, where it is not the default one.

    Returns:
        A function from a network to ``"accuracy"`` and ``"loss"`` on the test part, and
        ``"train accuracy"`` and ``"train loss"`` on the training part, which is passed
        through once for it.  Without accuracy where targets are no integers, and without loss
        where they are and the loss is one's own.

    >>> import tinygrad_res as tg
    >>> points = tg.data.two_moons()
    >>> list(on_both_parts(points)(tg.nn.Linear(2, 2)))
    ['accuracy', 'loss', 'train accuracy', 'train loss']
    """

    def evaluate(network: Module) -> dict[str, float]:
        found = _measured(network, data.test_x, data.test_y, loss)
        seen = _measured(network, data.train_x, data.train_y, loss)
        return found | {f"train {name}": value for name, value in seen.items()}

    return evaluate


def _measured(network: Module, x: Any, y: Any, loss: Loss | None) -> dict[str, float]:
    x, y = examples("evaluate", x, y)
    wanted: dict[str, Total] = {"accuracy": _right} if is_classes(y) else {}
    if not wanted or loss is None:
        wanted["loss"] = _weighed(loss or default_loss(y))
    return dict(zip(wanted, _means("evaluate", network, x, y, list(wanted.values())), strict=True))


Total = Callable[[Tensor, Any], float]
"""Of an output and the targets of its batch: a sum over the batch's examples."""


def _means(name: str, network: Module, x: Any, y: Any, of: Sequence[Total]) -> list[float]:
    """Return the means of some numbers over all examples, from one pass."""
    x, y = examples(name, x, y)
    if _right in of:
        check_classes(f"{name}: targets", y)
    home, totals = home_of(network), [0.0] * len(of)
    with evaluating(network), no_grad():
        for i in range(0, len(x), EVALUATION_BATCH):
            part, targets = (backend.to_device(a[i : i + EVALUATION_BATCH], home) for a in (x, y))
            output = network(tensor(part))
            if i == 0 and _right in of:
                check_classes_of(f"{name}: targets", y, output.shape)
            for n, total in enumerate(of):
                totals[n] += total(output, targets)
    return [total / len(x) for total in totals]


def _right(output: Tensor, labels: Any) -> float:
    """Return how many labels have the largest logit."""
    found = output.numpy().argmax(axis=1)
    return int((found == backend.to_host(labels)).sum())


def _weighed(loss: Loss) -> Total:
    def weighed(output: Tensor, targets: Any) -> float:
        return float(loss(output, targets).item()) * len(targets)

    return weighed


def home_of(network: Module) -> str:
    """Return the device that a network is on."""
    return next((p.device for p in network.parameters()), "cpu")
