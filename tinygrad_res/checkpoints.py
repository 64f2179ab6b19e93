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

__all__ = ["Progress", "load", "save"]

FORMAT = "tinygrad_res checkpoint 1"

ABOUT: dict[str, Any] = {
    "step": int, "seconds": (int, float), "history": dict, "optimizer": str, "groups": list,
    "counts": dict, "generators": dict, "settings": dict,
}  # fmt: skip
"""What a checkpoint says beside its arrays, and as what."""


def __dir__() -> list[str]:
    return __all__


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        step: the steps that are done.
        losses: the loss of each, before its change of the parameters.
        history: what evaluating said after some of the steps, by their number and by name.
        seconds: how long it took, over all of its runs.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    history: dict[int, dict[str, float]] = field(default_factory=dict)
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
        "history": progress.history,
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
    settings: dict[str, Any] | None = None, steps: int | None = None, own_options: bool = False,
) -> Progress:  # fmt: skip
    """Take over a checkpoint: the network, its generators, and the optimiser if there is one.

    Args:
        path, network, optimizer, settings: as they were saved.
        steps: how many the training is to have; a checkpoint of more is refused.
        own_options: whether the optimiser keeps its options, such as a new learning rate, and
            takes over only what it remembers.  Fine-tuning is that, and a new ``fit`` whose
            checkpoint is another file.

    Returns:
        How far the training had come.

    Raises:
        DataError: there is no such file, it is damaged or no checkpoint, or of another network,
            whose names and shapes the message lists.
        UsageError: the optimiser, its options or the settings differ; the message says which.
            Whatever is raised, nothing was changed.

    >>> import tempfile
    >>> import tinygrad_res as tg
    >>> network, other = tg.nn.Linear(2, 1), tg.nn.Linear(2, 1)
    >>> slow, fast = (tg.optim.Adam(n.parameters(), lr) for n, lr in ((other, 1e-4), (network, 0.1)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(f"{folder}/a.npz", network, fast, Progress())
    ...     load(path, other, slow, own_options=True).step
    0
    >>> slow.param_groups[0]["lr"]
    0.0001
    """
    where = f"checkpoint {str(path)!r}"
    arrays = state.read(path)
    about = _about(where, arrays)
    history = {int(step): said for step, said in about["history"].items()}
    if steps is not None and about["step"] > steps:
        raise UsageError(
            f"{where}: has {about['step']} steps, and {steps} are asked for: ask for more, or for "
            "resume=False"
        )
    before, drawing = network.state_dict(), _states(network)
    prefix = "network."
    held = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    try:
        network.load_state_dict(held)
    except DataError as error:
        raise DataError(f"{where}: is of another network: {error}") from error
    try:
        if settings is not None:
            _check_same(where, about["settings"], settings)
        _check_generators(where, about["generators"], drawing)
        _set_states(network, about["generators"])
        if optimizer is not None:
            optimizer.load_state_dict(_remembered(where, about, arrays, optimizer, own_options))
    except BaseException as error:
        network.load_state_dict(before)
        _set_states(network, drawing)
        if isinstance(error, (AttributeError, KeyError, TypeError, ValueError)) and not isinstance(
            error, Error
        ):
            raise DataError(f"{where}: holds what no training left there ({error})") from error
        raise
    return Progress(about["step"], arrays["losses"].tolist(), history, about["seconds"])


def check_finite(arrays: dict[str, Any], progress: Progress) -> None:
    """Refuse a state that holds NaN or infinity.

    Raises:
        GradientError: naming the array, the step and the last loss.
    """
    name = first_not_finite(arrays)
    if name is not None:
        last = f" (the loss before it was {progress.losses[-1]:g})" if progress.losses else ""
        raise GradientError(
            f"training diverged: after step {progress.step}{last}, {name} holds NaN or infinity; "
            "use a smaller learning rate, or clip_norm"
        )


def first_not_finite(arrays: dict[str, Any]) -> str | None:
    """Return the name of the first array that holds NaN or infinity; ``None`` where none does."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not bool(backend.namespace(array).isfinite(array).all()):
            return name
    return None


def _about(where: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return what a checkpoint says beside its arrays."""
    try:
        about: dict[str, Any] = json.loads(arrays["about"].tobytes())
        fitting = (
            about["format"] == FORMAT and len(arrays["losses"]) == about["step"]
            and all(isinstance(about[name], kind) for name, kind in ABOUT.items())
            and all(step.isdecimal() and isinstance(said, dict) and said for step, said in about["history"].items())
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
    where: str, about: dict[str, Any], arrays: dict[str, np.ndarray], optimizer: Optimizer,
    own_options: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return the optimiser's state, after comparing its kind and options with the optimiser."""
    kind = type(optimizer).__name__
    _check_same(where, {"the optimiser": about["optimizer"]}, {"the optimiser": kind})
    ours = json.loads(json.dumps(optimizer.state_dict()["param_groups"]))
    options = [_options(groups, own_options) for groups in (about["groups"], ours)]
    _check_same(where, *options)
    state: dict[int, dict[str, Any]] = {int(i): dict(v) for i, v in about["counts"].items()}
    for key, array in arrays.items():
        kind, _, rest = key.partition(".")
        if kind == "optimizer":
            number, _, name = rest.partition(".")
            state.setdefault(int(number), {})[name] = array
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def _check_same(where: str, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Refuse to go on with other settings, which would be another training."""
    differing = _differing(there, here)
    if differing:
        raise UsageError(
            f"{where}: is of another training: {differing}. Go on as it began, begin anew "
            "with resume=False, or begin another from here, with a checkpoint of its own: take the "
            "network with tg.checkpoints.load(path, network), and what the optimiser remembers with "
            "load(path, network, optimizer, own_options=True)"
        )


def _differing(there: dict[str, Any], here: dict[str, Any]) -> str:
    """Say what was another; nothing where all is the same."""
    return "; ".join(
        f"{name} was {there.get(name)} and is {here.get(name)}"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    )


def _options(groups: list[dict[str, Any]], sizes_only: bool) -> dict[str, Any]:
    """Return how many parameters each group has, and its options, by words for messages."""
    found = {}
    for number, group in enumerate(groups):
        of = f" of group {number}" if len(groups) > 1 else ""
        found[f"the number of parameters{of}"] = len(group["params"])
        if not sizes_only:
            found |= {f"{name}{of}": v for name, v in group.items() if name != "params"}
    return found


def _check_generators(where: str, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Refuse generators in other places, or of other kinds."""
    none = dict.fromkeys({**there, **here}, "none")
    kinds = ({name: rng.get("bit_generator") for name, rng in of.items()} for of in (there, here))
    differing = _differing(*(none | kind for kind in kinds))
    if differing:
        raise DataError(
            f"{where}: is of a network with other generators of random numbers: {differing}"
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
