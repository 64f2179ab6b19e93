"""Training: a network, data and an optimiser, for a number of steps.

``fit`` is the loop that everybody writes: a batch forward, its loss backward, a step.  What it
adds is that the outcome follows from the seed alone, that a training which stops, for whatever
reason, goes on from its checkpoint to the very same numbers, that data which do not fit the network
are told before the first step, and that a loss which has left all bounds ends it with a message
rather than with a network of NaN.
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
from typing import Any, Never

import numpy as np
from tqdm import tqdm

from . import backend, checkpoints
from .checkpoints import Progress
from .data import batches, steps_per_pass
from .data.batches import examples
from .errors import GradientError, UsageError
from .evaluation import (
    EVALUATION_BATCH,
    Evaluation,
    Loss,
    accuracy,
    default_loss,
    mean_loss,
    on_both_parts,
    on_test_part,
    squared_error,
)
from .nn import Module
from .optim import Optimizer, Schedule, clip_grad_norm
from .optim.schedules import check_schedule
from .targets import check_targets, evaluating, not_finite, read_part
from .tensor import Tensor, tensor
from .training_arguments import (
    check_bounds,
    check_counts,
    check_files,
    check_functions,
    check_kinds,
    check_known,
    check_trained,
    device_of,
    length_of,
)
from .whole_numbers import at_least

__all__ = [
    "EVALUATION_BATCH", "Fit", "accuracy", "fit", "mean_loss", "on_both_parts", "squared_error",
]  # fmt: skip

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]

DIVERGED = 1e4
"""How many times its first value, or 1 where that is less, a loss is at least when it diverged."""


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, repr=False)
class Fit:
    """How a training went.

    Attributes:
        losses: the loss of each step on its batch, before the step.
        history: by the number of steps that were done, what ``evaluate`` said, by name: where it
            was left out, ``"accuracy"`` and ``"loss"`` on the test part.
        seconds: the time it took, over all runs that it was made in.
    """

    losses: tuple[float, ...]
    history: dict[int, dict[str, float]]
    seconds: float

    def __repr__(self) -> str:
        """Say how it ended, without the thousands of losses.

        >>> Fit((2.5, 0.25), {2: {"accuracy": 0.75, "loss": 0.5}}, 3.21)
        Fit(2 steps in 3.2 seconds: accuracy 0.75, loss 0.5)
        """
        last = self.history[max(self.history)]
        said = ", ".join(f"{name} {value:.4g}" for name, value in last.items())
        return f"Fit({self.steps} steps in {self.seconds:.1f} seconds: {said})"

    @property
    def evaluations(self) -> dict[int, float]:
        """The first number of each entry of the history, by the number of steps."""
        return {step: next(iter(said.values())) for step, said in self.history.items()}

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.losses)

    @property
    def score(self) -> float:
        """The last evaluation."""
        return self.evaluations[max(self.evaluations)]

    @property
    def best(self) -> int:
        """The number of steps that were done at the best evaluation, the first such."""
        return _best(self.history)


def fit(
    network: Module, data: Any, optimizer: Optimizer, *, steps: int | None = None,
    epochs: int | None = None, batch: int = 64, loss: Loss | None = None,
    schedule: Schedule | None = None, clip_norm: float | None = None,
    augment: Augment | None = None, evaluate: Evaluation | None = None,
    evaluate_every: int | None = None, keep_best: str | os.PathLike[str] | None = None,
    patience: int | None = None, seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None, checkpoint_every: int | None = None,
    resume: bool = True, loss_limit: float | None = None, progress: bool = True,
    callback: Callable[[int, float], None] | None = None, **unknown: Never,
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
        schedule: from the number of a step, from 0, to a factor on the learning rate;
            ``optim.by_epoch`` makes one that counts passes.
        clip_norm: the largest joint norm of the gradients.
        augment: changes a batch of examples, with a generator of its own for every step.
        evaluate: of the network in evaluation mode, a number, or a dict of numbers by name with
            the score first; where left out, accuracy and mean loss on the test part, or the
            mean loss alone where targets are no integers.  ``on_both_parts(data)`` measures the
            training part too.
        evaluate_every: steps between evaluations; there is one in the end in any case.
        keep_best: the file to keep the network of the best evaluation in, the first such, for
            ``network.load``; the best score is the highest, or the lowest of one called a loss.
        patience: end after so many evaluations in a row, of those every ``evaluate_every`` steps,
            that were no better than one before.
        seed: decides the order of the data and the augmentation.
        checkpoint: the file to keep the training in, ``.npz`` or ``.safetensors``.
        checkpoint_every: steps between checkpoints, an epoch where left out; there is one in the
            beginning and in the end in any case.
        resume: whether to go on from the checkpoint, if there is one; else it is replaced.  The
            numbers become those of a training that was never stopped, bit for bit, where ``loss``,
            ``schedule`` and ``augment`` are as before: functions cannot be compared.
        loss_limit: a loss from here on counts as diverged; NaN and infinity do anyway.  Where
            left out, it is 10,000 times the first loss, or 10,000 where that is less than 1: no
            loss of a training that learns is there, and one that has diverged may stay finite.
        progress: whether to show a progress bar.
        callback: called after each step with the number of steps done and the loss.

    Raises:
        GradientError: the training diverged; the message says at which step, with which
            loss, and what is not finite.  The last checkpoint is left as it was.
        UsageError: an argument is out of its bounds, the optimiser is of other parameters, or
            the checkpoint of another training.  Nothing was changed.
        DataError: a part of the data is empty, lacks targets or holds NaN, a label is none of the
            network's classes, targets are of another shape than its output, or the checkpoint is
            damaged, or of another network.  Nothing was changed.

    >>> import tinygrad_res as tg
    >>> rng = np.random.default_rng(0)
    >>> digits = tg.data.load("digits")
    >>> network = tg.nets.residual_mlp(rng=rng)
    >>> optimizer = tg.optim.Adam(network.parameters(), lr=1e-3)
    >>> outcome = fit(network, digits, optimizer, epochs=5, progress=False)
    >>> outcome.steps, outcome.score > 0.95
    (105, True)
    """
    check_known(unknown, fit)
    check_kinds(network=network, optimizer=optimizer, checkpoint=checkpoint, keep_best=keep_best)
    check_files(checkpoint, keep_best)
    check_functions(loss=loss, augment=augment, evaluate=evaluate, callback=callback)
    if schedule is not None:
        check_schedule("fit", schedule)
    train = train_x, train_y = read_part("train", data, loss is None)
    test = None if evaluate else read_part("test", data, loss is None)
    length = length_of(steps, epochs, len(train_x), batch)
    at_least(0, "fit", "seed", seed)
    check_counts(
        evaluate_every=evaluate_every, patience=patience, checkpoint_every=checkpoint_every
    )
    if patience is not None and evaluate_every is None:
        raise UsageError(f"fit: patience={patience}: say evaluate_every=, the steps between two")
    if checkpoint is None and checkpoint_every is not None:
        raise UsageError(f"fit: checkpoint_every={checkpoint_every!r}: say checkpoint=, the file")
    every = checkpoint_every or steps_per_pass(len(train_x), batch)
    check_bounds(clip_norm=clip_norm, loss_limit=loss_limit)
    device = device_of(network, optimizer)
    check_targets(network, device, train, test, loss is None, augment is not None)
    check_trained(network)
    score = evaluate or on_test_part(data, loss)
    loss = loss or default_loss(train_y)
    name = getattr(network, "name", None) or type(network).__name__
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
    if keep_best is not None and not done.history:
        network.save(keep_best)  # nothing is better yet, and it can be written
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
            if patience and _in_vain(done.history, evaluate_every) >= patience:
                break
            if augment is not None:
                x = augment(x, np.random.default_rng((seed, done.step)))
                x, _ = examples("fit: augment", x, y)
            x, y = (backend.to_device(part, device) for part in (x, y))
            value = _one_number(loss(network(tensor(x)), y))
            done.losses.append(value.item())
            limit = DIVERGED * max(1.0, abs(done.losses[0])) if loss_limit is None else loss_limit
            if not abs(done.losses[-1]) < limit:
                raise GradientError(_diverged(name, done, optimizer, network, x, y))
            optimizer.zero_grad()
            value.backward()
            if clip_norm is not None:
                clip_grad_norm(optimizer.parameters, clip_norm)
            optimizer.step(1.0 if schedule is None else schedule(done.step))
            done.step += 1
            if evaluate_every and done.step % evaluate_every == 0:
                _evaluate(network, score, done, keep_best)
            if checkpoint is not None and (done.step % every == 0 or done.step == length):
                done.seconds = time.perf_counter() - started
                checkpoints.save(checkpoint, network, optimizer, done, settings)
            if callback is not None:
                callback(done.step, done.losses[-1])
            bar.set_postfix(loss=f"{done.losses[-1]:.3f}", refresh=False)
        checkpoints.check_finite(network.state_dict(), done)
        if done.step not in done.history:
            _evaluate(network, score, done, keep_best)
    done.seconds = time.perf_counter() - started
    if checkpoint is not None:
        checkpoints.save(checkpoint, network, optimizer, done, settings)
    return Fit(tuple(done.losses), done.history, done.seconds)


def _one_number(value: Any) -> Tensor:
    if not (isinstance(value, Tensor) and value.size == 1):
        found = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
        raise UsageError(
            f"fit: the loss gave {found}: return a tensor of one number, such as a mean"
        )
    return value


_SCORES = "return one, or a dict of numbers by name with the score first"


def _evaluate(
    network: Module, evaluate: Evaluation, done: Progress, keep_best: str | os.PathLike[str] | None
) -> None:
    """Put an evaluation into the history, and the network into a file if it is the best."""
    with evaluating(network):
        said = evaluate(network)
    if not isinstance(said, dict):
        said = {"score": said}
    try:
        numbers = {str(name): float(value) for name, value in said.items()}
    except (TypeError, ValueError) as error:
        raise UsageError(f"fit: evaluate gave {said!r}, which are no numbers: {_SCORES}") from error
    if not numbers:
        raise UsageError(f"fit: evaluate gave no number: {_SCORES}")
    done.history[done.step] = numbers
    if keep_best is not None and _best(done.history) == done.step:
        network.save(keep_best)


def _best(history: dict[int, dict[str, float]]) -> int:
    """Return the step of the best evaluation; one that is NaN is worse than any other."""

    def worth(step: int) -> float:
        name, value = next(iter(history[step].items()))
        return -math.inf if math.isnan(value) else -value if name.endswith("loss") else value

    return max(history, key=worth)


def _in_vain(history: dict[int, dict[str, float]], every: int | None) -> int:
    """Return how many of the regular evaluations came after the best."""
    regular = {step: said for step, said in history.items() if step % (every or 1) == 0}
    best = _best(regular) if regular else 0
    return sum(step > best for step in regular)


def _fingerprint(*parts: Any) -> str:
    """Return a short text that other training data would not have: shapes and checksums."""
    return " and ".join(
        f"{part.shape} {zlib.crc32(np.ascontiguousarray(backend.to_host(part)).data):08x}"
        for part in parts
    )


def _diverged(
    name: str, done: Progress, optimizer: Optimizer, network: Module, x: Any, y: Any
) -> str:
    """Say how a training diverged, and where the numbers went that are not finite."""
    what = f"training {name} diverged at step {done.step}: the loss is {done.losses[-1]:g}"
    if done.step:
        what += f" (the first was {done.losses[0]:g})"
    if not math.isfinite(done.losses[-1]):
        for part, values, mend in (("examples", x, "augment"), ("targets", y, "the loss")):
            if not_finite(values) is not None:
                return f"{what}, and the {part} of its batch hold NaN or infinity: look at {mend}"
        lost = checkpoints.first_not_finite(network.state_dict())
        what += ", where " + (
            f"{lost} holds NaN or infinity" if lost else "the batch and the network are finite"
        )
    if not done.step:
        return (
            f"{what}, before any step: look at the loss, and at how large examples and weights are"
        )
    rates = ", ".join(f"{group['lr']:g}" for group in optimizer.param_groups)
    return f"{what}; use a smaller learning rate than {rates}, or clip_norm"
