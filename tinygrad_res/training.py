"""Training: a network, data and an optimiser, for a number of steps.

``fit`` is the loop that everybody writes: a batch forward, its loss backward, a step.  What it
adds is that the outcome follows from the seed alone, that a training which stops, for whatever
reason, goes on from its checkpoint to the very same numbers, and that a loss which has left all
bounds ends it with a message rather than with a network of NaN.
"""

from __future__ import annotations

import itertools
import math
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from . import backend, checkpoints, primitives
from .checkpoints import Progress
from .data import batches, steps_per_pass
from .data.batches import examples
from .errors import DataError, GradientError, UsageError
from .nn import Module
from .optim import Optimizer, Schedule, clip_grad_norm
from .record import no_grad
from .tensor import Tensor, shape_of, tensor
from .whole_numbers import at_least

Loss = Callable[[Tensor, Any], Tensor]
Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]

EVALUATION_BATCH = 256


class Data(Protocol):
    """What ``fit`` asks of data: examples and targets along the first axis."""

    @property
    def train_x(self) -> Any: ...
    @property
    def train_y(self) -> Any: ...
    @property
    def test_x(self) -> Any: ...
    @property
    def test_y(self) -> Any: ...


@dataclass(frozen=True)
class Fit:
    """How a training went.

    Attributes:
        losses: the loss of each step on its batch, before the step.
        evaluations: by the number of steps that were done, what ``evaluate`` said.
        seconds: the time it took, over all runs that it was made in.
    """

    losses: tuple[float, ...]
    evaluations: dict[int, float]
    seconds: float

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.losses)

    @property
    def score(self) -> float:
        """The last evaluation."""
        return self.evaluations[max(self.evaluations)]


def fit(
    network: Module, data: Data, optimizer: Optimizer, *, steps: int | None = None,
    epochs: int | None = None, batch: int = 64, loss: Loss | None = None,
    schedule: Schedule | None = None, clip_norm: float | None = None,
    augment: Augment | None = None, evaluate: Callable[[Module], float] | None = None,
    evaluate_every: int | None = None, seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None, checkpoint_every: int | None = None,
    resume: bool = True, loss_limit: float = math.inf, progress: bool = True,
    callback: Callable[[int, float], None] | None = None,
) -> Fit:  # fmt: skip
    """Train a network, and return how it went.  The network is left in training mode.

    On a GPU one number comes to the host in each step, the loss.

    Args:
        network: on the device to train on.
        data: has ``train_x``, ``train_y``, ``test_x`` and ``test_y``, arrays or lists, such as
            ``data.Images``.
        optimizer: of the network's parameters.
        steps, epochs: how long, one of the two; a pass over the data is an epoch.
        batch: examples in a batch; ``data.batches`` says what becomes of the last ones.
        loss: of the network's output and the targets; where left out, ``cross_entropy`` for
            targets that are integers, and ``squared_error`` for others.
        schedule: from the number of a step, from 0, to a factor on the learning rate.
        clip_norm: the largest joint norm of the gradients.
        augment: changes a batch of examples, with a generator of its own for every step.
        evaluate: of the network in evaluation mode; where left out, ``accuracy`` or mean loss
            on the test part.
        evaluate_every: steps between evaluations; there is one in the end in any case.
        seed: decides the order of the data and the augmentation.
        checkpoint: the file to keep the training in, ``.npz`` or ``.safetensors``.
        checkpoint_every: steps between checkpoints, an epoch where left out; there is one in the
            beginning and in the end in any case.
        resume: whether to go on from the checkpoint, if there is one; else it is replaced.  The
            numbers become those of a training that was never stopped, bit for bit, where ``loss``,
            ``schedule`` and ``augment`` are as before: functions cannot be compared.
        loss_limit: a loss from here on counts as diverged; NaN and infinity do anyway.
        progress: whether to show a progress bar.
        callback: called after each step with the number of steps done and the loss.

    Raises:
        GradientError: the training diverged; the message says at which step, and with which
            loss.  The last checkpoint is left as it was.
        UsageError: an argument is out of its bounds, the optimiser is of other parameters, or
            the checkpoint of another training.  Nothing was changed.
        DataError: a part of the data is empty or lacks targets, or targets to test are of another
            kind, or the checkpoint is damaged, or of another network.  Nothing was changed.

    >>> import tinygrad_res as tg
    >>> rng = np.random.default_rng(0)
    >>> digits = tg.data.load("digits")
    >>> network = tg.nets.residual_mlp(rng=rng)
    >>> optimizer = tg.optim.Adam(network.parameters(), lr=1e-3)
    >>> outcome = fit(network, digits, optimizer, epochs=5, progress=False)
    >>> outcome.steps, outcome.score > 0.95
    (105, True)
    """
    train_x, train_y = examples("fit: the training part", data.train_x, data.train_y)
    if evaluate is None:
        _check_test_part(train_y, examples("fit: the test part", data.test_x, data.test_y)[1])
    length = _length(steps, epochs, len(train_x), batch)
    if evaluate_every is not None:
        at_least(1, "fit", "evaluate_every", evaluate_every)
    every = steps_per_pass(len(train_x), batch) if checkpoint_every is None else checkpoint_every
    at_least(1, "fit", "checkpoint_every", every)
    _check_bound("clip_norm", clip_norm)
    _check_bound("loss_limit", loss_limit)
    device = _device(network, optimizer)
    loss = loss or _loss(train_y)
    score = evaluate or _score(data, train_y, loss)
    name = getattr(network, "name", None) or type(network).__name__
    at_least(0, "fit", "seed", seed)
    settings: dict[str, Any] = {}
    if checkpoint is not None:
        settings = {
            "the seed": seed, "the batch": batch, "the clip_norm": clip_norm,
            "the training data": _fingerprint(train_x, train_y),
        }  # fmt: skip

    done = Progress()
    network.train()
    if checkpoint is not None:
        if resume and Path(checkpoint).exists():
            done = checkpoints.load(checkpoint, network, optimizer, settings, length)
        else:
            checkpoints.save(checkpoint, network, optimizer, done, settings)
    started = time.perf_counter() - done.seconds

    parts = batches(train_x, train_y, batch, seed, done.step)
    with (
        tqdm(
            itertools.islice(parts, length - done.step), f"training {name}", length, False,
            unit="step", initial=done.step, disable=not progress,
        ) as bar,
        np.errstate(over="ignore", invalid="ignore", divide="ignore"),  # a loss beyond floats is caught
    ):  # fmt: skip
        for x, y in bar:
            if augment is not None:
                x = augment(x, np.random.default_rng((seed, done.step)))
            x, y = (backend.to_device(part, device) for part in (x, y))
            value = _one_number(loss(network(tensor(x)), y))
            done.losses.append(value.item())
            if not abs(done.losses[-1]) < loss_limit:
                raise GradientError(_diverged(name, done, optimizer))
            optimizer.zero_grad()
            value.backward()
            if clip_norm is not None:
                clip_grad_norm(optimizer.parameters, clip_norm)
            optimizer.step(1.0 if schedule is None else schedule(done.step))
            done.step += 1
            if evaluate_every and done.step % evaluate_every == 0:
                done.evaluations[done.step] = _evaluated(network, score)
            if checkpoint is not None and (done.step % every == 0 or done.step == length):
                done.seconds = time.perf_counter() - started
                checkpoints.save(checkpoint, network, optimizer, done, settings)
            if callback is not None:
                callback(done.step, done.losses[-1])
            bar.set_postfix(loss=f"{done.losses[-1]:.3f}", refresh=False)
        checkpoints.check_finite(network.state_dict(), done)
        if done.step not in done.evaluations:
            done.evaluations[done.step] = _evaluated(network, score)
    done.seconds = time.perf_counter() - started
    if checkpoint is not None:
        checkpoints.save(checkpoint, network, optimizer, done, settings)
    return Fit(tuple(done.losses), done.evaluations, done.seconds)


def accuracy(network: Module, x: Any, y: Any) -> float:
    """Return the share of examples whose largest logit is that of their class.

    The network is used as it is: switch it to ``eval()`` before.

    Raises:
        DataError: there is no example, or not a class for each.
    """
    (x, y), right = examples("accuracy", x, y), 0
    if y.ndim != 1:
        raise DataError(
            f"accuracy: targets of shape {y.shape}: expected a class for each example, ({len(x)},)"
        )
    with no_grad():
        for i in range(0, len(x), EVALUATION_BATCH):
            part, labels = (a[i : i + EVALUATION_BATCH] for a in (x, y))
            found = network(tensor(backend.to_device(part, _home(network)))).numpy().argmax(axis=1)
            right += int((found == backend.to_host(labels)).sum())
    return right / len(x)


def mean_loss(network: Module, x: Any, y: Any, loss: Loss) -> float:
    """Return the mean over the examples of a loss that is a mean over its batch.

    Raises:
        DataError: there is no example, or not a target for each.
    """
    (x, y), total = examples("mean_loss", x, y), 0.0
    with no_grad():
        for i in range(0, len(x), EVALUATION_BATCH):
            part, targets = (
                backend.to_device(a[i : i + EVALUATION_BATCH], _home(network)) for a in (x, y)
            )
            total += loss(network(tensor(part)), targets).item() * len(part)
    return total / len(x)


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


def _length(steps: int | None, epochs: int | None, count: int, batch: int) -> int:
    """Return the number of steps."""
    at_least(1, "fit", "batch", batch)
    if (steps is None) == (epochs is None):
        raise UsageError("fit: say either steps or epochs")
    if steps is not None:
        return at_least(0, "fit", "steps", steps)
    return at_least(0, "fit", "epochs", epochs) * steps_per_pass(count, batch)


def _home(network: Module) -> str:
    return next((p.device for p in network.parameters()), "cpu")


def _device(network: Module, optimizer: Optimizer) -> str:
    """Return where the network is, after a look at whether the optimiser trains it."""
    own = {id(p) for p in network.parameters()}
    if any(id(p) not in own for p in optimizer.parameters):
        raise UsageError(
            "fit: the optimiser is of parameters that the network does not have: make it after "
            "network.to(...), which replaces them"
        )
    return _home(network)


def _loss(targets: Any) -> Loss:
    return primitives.cross_entropy if targets.dtype.kind in "iu" else squared_error


def _one_number(value: Any) -> Tensor:
    if not (isinstance(value, Tensor) and value.size == 1):
        found = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
        raise UsageError(
            f"fit: the loss gave {found}: return a tensor of one number, such as a mean"
        )
    return value


def _check_bound(name: str, bound: Any) -> None:
    if bound is not None and not (isinstance(bound, (int, float, np.number)) and bound > 0):
        raise UsageError(f"fit: {name}={bound!r}: must be a positive number")


def _check_test_part(train_y: Any, test_y: Any) -> None:
    """Refuse now what could not be evaluated in the end."""
    classes = [y.dtype.kind in "iu" for y in (train_y, test_y)]
    if train_y.shape[1:] != test_y.shape[1:] or classes[0] != classes[1]:
        raise DataError(
            f"fit: targets of shape {train_y.shape} and dtype {train_y.dtype} to train on, of shape "
            f"{test_y.shape} and dtype {test_y.dtype} to test: make both in one way"
        )


def _score(data: Data, train_y: Any, loss: Loss) -> Callable[[Module], float]:
    """Return the evaluation on the test part."""
    if train_y.dtype.kind in "iu":
        return lambda network: accuracy(network, data.test_x, data.test_y)
    return lambda network: mean_loss(network, data.test_x, data.test_y, loss)


def _evaluated(network: Module, score: Callable[[Module], float]) -> float:
    network.eval()
    try:
        return float(score(network))
    finally:
        network.train()


def _fingerprint(*parts: Any) -> str:
    """Return a short text that other training data would not have: shapes and checksums."""
    return " and ".join(
        f"{part.shape} {zlib.crc32(np.ascontiguousarray(backend.to_host(part)).data):08x}"
        for part in parts
    )


def _diverged(name: str, done: Progress, optimizer: Optimizer) -> str:
    rates = ", ".join(f"{group['lr']:g}" for group in optimizer.param_groups)
    return (
        f"training {name} diverged at step {done.step}: the loss is {done.losses[-1]:g}; use a "
        f"smaller learning rate than {rates}, or clip_norm"
    )
