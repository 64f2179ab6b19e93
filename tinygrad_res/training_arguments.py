"""What ``fit`` is given, held against what it can take.

A training may run for days, so whatever is wrong with its arguments is said before the first step,
with the name of the argument and the mend.  ``targets`` does the same for the data.
"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .data import steps_per_pass
from .errors import UsageError
from .evaluation import home_of
from .nn import Module
from .optim import Optimizer
from .record import Leaf
from .tensor import Parameter, Tensor
from .whole_numbers import at_least


def check_known(unknown: Iterable[str], function: Callable[..., Any]) -> None:
    """Refuse names of arguments that a function has not, with the one that may be meant."""
    for name in unknown:
        like = difflib.get_close_matches(name, inspect.signature(function).parameters, 1)
        mend = f"use {like[0]}" if like else f"see help(tg.training.{function.__name__})"
        raise UsageError(f"{function.__name__}: there is no argument {name!r}: {mend}")


def length_of(steps: int | None, epochs: int | None, count: int, batch: int) -> int:
    """Return the number of steps."""
    at_least(1, "fit", "batch", batch)
    if (steps is None) == (epochs is None):
        raise UsageError("fit: say either steps or epochs")
    if steps is not None:
        return at_least(0, "fit", "steps", steps)
    return at_least(0, "fit", "epochs", epochs) * steps_per_pass(count, batch)


def device_of(network: Module, optimizer: Optimizer) -> str:
    """Return where the network is, after a look at whether the optimiser trains it."""
    own = {id(p) for p in network.parameters()}
    if any(id(p) not in own for p in optimizer.parameters):
        raise UsageError(
            "fit: the optimiser is of parameters that the network does not have: make it after "
            "network.to(...), which replaces those that it changes"
        )
    if not any(p.requires_grad for p in optimizer.parameters):
        raise UsageError(
            "fit: all parameters of the optimiser are frozen: network.requires_grad_() frees them"
        )
    return home_of(network)


def check_trained(network: Module) -> None:
    """Refuse a weight that would keep its value, having been made a tensor and no parameter."""
    for prefix, module in network.named_modules():
        for name, value in vars(module).items():
            if not isinstance(value, Tensor) or isinstance(value, Parameter):
                continue
            if value.requires_grad and isinstance(value._node, Leaf):
                raise UsageError(
                    f"fit: the network's {f'{prefix}.{name}'.lstrip('.')} requires a gradient and is "
                    "no parameter, so no step would change it: make it with tg.parameter(values), or "
                    "compute it in forward"
                )


def check_files(checkpoint: Any, keep_best: Any) -> None:
    """Refuse one file for both: the best network would replace the checkpoint."""
    if checkpoint is None or keep_best is None:
        return
    if os.path.realpath(checkpoint) == os.path.realpath(keep_best):
        raise UsageError(
            f"fit: checkpoint and keep_best are both {os.fspath(keep_best)!r}: give each its own file"
        )


def check_counts(**given: Any) -> None:
    """Refuse counts of less than one."""
    for name, count in given.items():
        if count is not None:
            at_least(1, "fit", name, count)


def check_bounds(**given: Any) -> None:
    """Refuse bounds that are no positive numbers."""
    for name, bound in given.items():
        if bound is not None and not (isinstance(bound, (int, float, np.number)) and bound > 0):
            raise UsageError(f"fit: {name}={bound!r}: must be a positive number")


_CALLED = {
    "loss": ("output", "targets"), "augment": ("batch", "generator"), "evaluate": ("network",),
    "callback": ("steps", "loss"),
}  # fmt: skip
"""What each function is called with."""


def check_functions(**given: Any) -> None:
    """Refuse what cannot be called, or not with what ``fit`` calls it with."""
    for name, value in given.items():
        if value is None:
            continue
        if not callable(value):
            raise UsageError(f"fit: {name}={value!r}: pass a function, or leave it out")
        try:
            signature = inspect.signature(value)
        except ValueError:  # some that are written in C do not tell
            continue
        try:
            signature.bind(*_CALLED[name])
        except TypeError as error:
            raise UsageError(
                f"fit: {name}={value!r}: is called as {name}({', '.join(_CALLED[name])}): {error}"
            ) from error


_PATH = (str, os.PathLike, type(None))
_KINDS: dict[str, tuple[Any, str]] = {
    "network": (Module, "a tg.nn.Module"), "optimizer": (Optimizer, "one of tg.optim"),
    "checkpoint": (_PATH, "a path"), "keep_best": (_PATH, "a path"),
}  # fmt: skip


def check_kinds(**given: Any) -> None:
    """Refuse arguments of another type."""
    for what, value in given.items():
        kind, wanted = _KINDS[what]
        if not isinstance(value, kind):
            found = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
            raise UsageError(f"fit: {what} is of type {found}: pass {wanted}")
