"""Checkpoints: a training on disk, at a step, from which it goes on bit for bit.

The next step of a training depends on the network's parameters and buffers, on what the
optimiser remembers, on the generators that dropout draws from, and on the number of the step,
from which the order of the data follows (``data.batches``).  A checkpoint holds all of that, and
the losses until then.  It is one file of arrays (``.safetensors`` or ``.npz``, never read with
pickle), which is replaced whole: a process that dies while it writes leaves the one before, and perhaps
a hidden file beside it whose name begins with a dot.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import backend
from .errors import DataError, Error, GradientError, UsageError
from .nn import Module, state
from .optim import Optimizer

FORMAT = "tinygrad_res checkpoint 1"

ABOUT: dict[str, Any] = {
    "step": int, "seconds": (int, float), "evaluations": dict, "optimizer": str, "groups": list,
    "counts": dict, "generators": dict, "settings": dict,
}  # fmt: skip
"""What a checkpoint says beside its arrays, and as what."""


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        step: the steps that are done.
        losses: the loss of each, before its change of the parameters.
        evaluations: the outcome of evaluating after some of the steps, by their number.
        seconds: how long it took, over all of its runs.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    evaluations: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0


def save(
    path: str | os.PathLike[str], network: Module, optimizer: Optimizer, progress: Progress,
    settings: dict[str, Any] | None = None,
) -> Path:  # fmt: skip
    """Write a checkpoint, whole or not at all, and return its path.

    Args:
        path: ends in ``.npz`` or ``.safetensors``; what was there is replaced.
        network, optimizer, progress: the training.
        settings: values for JSON that must be the same where it goes on.

    Raises:
        GradientError: a number of the network or the optimiser is not finite, so going on from
            here would be of no use; the file is left as it was.
        FileError: the file cannot be written.

    >>> import tempfile
    >>> import tinygrad_res as tg
    >>> network = tg.nn.Linear(2, 1)
    >>> optimizer = tg.optim.SGD(network.parameters(), lr=0.1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(f"{folder}/a.npz", network, optimizer, Progress(1, [0.5]))
    ...     load(path, tg.nn.Linear(2, 1)).step
    1
    """
    remembered = optimizer.state_dict()
    arrays = {f"network.{name}": array for name, array in network.state_dict().items()}
    counts: dict[str, dict[str, Any]] = {}
    for i, values in remembered["state"].items():
        for name, value in values.items():
            if backend.is_array(value):
                arrays[f"optimizer.{i}.{name}"] = value
            else:
                counts.setdefault(str(i), {})[name] = value
    check_finite(arrays, progress)
    about = {
        "format": FORMAT,
        "step": progress.step,
        "seconds": progress.seconds,
        "evaluations": progress.evaluations,
        "optimizer": type(optimizer).__name__,
        "groups": remembered["param_groups"],
        "counts": counts,
        "generators": _states(network),
        "settings": settings or {},
    }
    text = json.dumps(about, default=lambda value: value.tolist()).encode()
    arrays |= {
        "losses": np.array(progress.losses, np.float64),
        "about": np.frombuffer(text, np.uint8),
    }
    return state.write(path, arrays.items())


def load(
    path: str | os.PathLike[str], network: Module, optimizer: Optimizer | None = None,
    settings: dict[str, Any] | None = None, steps: int | None = None,
) -> Progress:  # fmt: skip
    """Take over a checkpoint: the network, its generators, and the optimiser if there is one.

    Args:
        path, network, optimizer, settings: as they were saved.
        steps: how many the training is to have; a checkpoint of more is refused.

    Returns:
        How far the training had come.

    Raises:
        DataError: there is no such file, it is damaged or no checkpoint, or of another network,
            whose names and shapes the message lists.
        UsageError: the optimiser, its options or the settings differ; the message says how.
            Whatever is raised, nothing was changed.
    """
    where = f"checkpoint {str(path)!r}"
    arrays = state.read(path)
    about = _about(where, arrays)
    evaluations = {int(step): value for step, value in about["evaluations"].items()}
    if settings is not None:
        _check_same(where, about["settings"], settings)
    kinds = [
        {name: rng["bit_generator"] for name, rng in states.items()}
        for states in (about["generators"], _states(network))
    ]
    if kinds[0] != kinds[1]:
        raise DataError(
            f"{where}: is of a network with the generators {kinds[0]}, and this one has {kinds[1]}"
        )
    if steps is not None and about["step"] > steps:
        raise UsageError(
            f"{where}: has {about['step']} steps, and {steps} are asked for: ask for more, or for "
            "resume=False"
        )
    before, drawing = network.state_dict(), _states(network)
    prefix = "network."
    try:
        network.load_state_dict(
            {
                name[len(prefix) :]: array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
        )
    except DataError as error:
        raise DataError(f"{where}: is of another network: {error}") from error
    try:
        _set_states(network, about["generators"])
        if optimizer is not None:
            optimizer.load_state_dict(_remembered(where, about, arrays, optimizer))
    except BaseException as error:
        network.load_state_dict(before)
        _set_states(network, drawing)
        if isinstance(error, (AttributeError, KeyError, TypeError, ValueError)) and not isinstance(
            error, Error
        ):
            raise DataError(f"{where}: holds what no training left there ({error})") from error
        raise
    return Progress(about["step"], arrays["losses"].tolist(), evaluations, about["seconds"])


def check_finite(arrays: dict[str, Any], progress: Progress) -> None:
    """Refuse a state that holds NaN or infinity.

    Raises:
        GradientError: naming the array, the step and the last loss.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not bool(backend.namespace(array).isfinite(array).all()):
            last = f" (the loss before it was {progress.losses[-1]:g})" if progress.losses else ""
            raise GradientError(
                f"training diverged: after step {progress.step}{last}, {name} holds NaN or infinity; "
                "use a smaller learning rate, or clip_norm"
            )


def _about(where: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return what a checkpoint says beside its arrays."""
    try:
        about: dict[str, Any] = json.loads(arrays["about"].tobytes())
        fitting = (
            about["format"] == FORMAT and len(arrays["losses"]) == about["step"]
            and all(isinstance(about[name], kind) for name, kind in ABOUT.items())
            and all(step.isdecimal() for step in about["evaluations"])
            and all(isinstance(rng, dict) for rng in about["generators"].values())
        )  # fmt: skip
    except (KeyError, ValueError, TypeError):
        fitting = False
    if not fitting:
        raise DataError(
            f"{where}: is no checkpoint of this version; a network's file is read with "
            "network.load(path)"
        )
    return about


def _remembered(
    where: str, about: dict[str, Any], arrays: dict[str, np.ndarray], optimizer: Optimizer
) -> dict[str, Any]:
    """Return the optimiser's state, after comparing its kind and options with the optimiser."""
    ours = json.loads(json.dumps(optimizer.state_dict()["param_groups"]))
    _check_same(
        where,
        {"the optimiser": about["optimizer"], "its groups": about["groups"]},
        {"the optimiser": type(optimizer).__name__, "its groups": ours},
    )
    state: dict[int, dict[str, Any]] = {int(i): dict(v) for i, v in about["counts"].items()}
    for key, array in arrays.items():
        kind, _, rest = key.partition(".")
        if kind == "optimizer":
            number, _, name = rest.partition(".")
            state.setdefault(int(number), {})[name] = array
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def _check_same(where: str, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Refuse to go on with other settings, which would be another training."""
    differing = [
        f"{name} was {there.get(name)} and is {here.get(name)}"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if differing:
        raise UsageError(
            f"{where}: is of another training: {'; '.join(differing)}. Go on as it began, begin anew "
            "with resume=False, or take its network alone with checkpoints.load(path, network)"
        )


def _states(network: Module) -> dict[str, Any]:
    """Return the states of the generators that modules hold."""
    return {name: rng.bit_generator.state for name, rng in _generators(network).items()}


def _set_states(network: Module, states: dict[str, Any]) -> None:
    for name, rng in _generators(network).items():
        rng.bit_generator.state = states[name]


def _generators(network: Module) -> dict[str, np.random.Generator]:
    """Return the generators that modules hold, each once, by the name it is met under first."""
    found: dict[int, tuple[str, np.random.Generator]] = {}
    for prefix, module in network.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, np.random.Generator):
                found.setdefault(id(value), (f"{prefix}.{name}".lstrip("."), value))
    return dict(found.values())
