"""States of optimisers, ours and PyTorch's: checked whole before anything is taken over.

Both have one form: the options of each group, and by the number of a parameter what is remembered
of it.  PyTorch's holds more options.  Some say how it computes and not what, and are passed over;
the others must say what our rules do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import backend
from ..errors import UsageError
from ..tensor import Parameter, raw
from ..whole_numbers import whole
from .options import check_options, plain

PASSED_OVER = {"params", "param_names", "foreach", "fused", "capturable", "differentiable"}
"""What a group of PyTorch holds beside what its steps are."""

SCHEDULED = (
    "a scheduler has changed lr, and a schedule of tg.optim would again: set lr to initial_lr for "
    "that, or remove initial_lr to go on without"
)
MEANINGS: dict[str, tuple[Any, str]] = {
    "maximize": (lambda kind, group: False, "our steps go down: change the sign of the loss"),
    "amsgrad": (lambda kind, group: False, "our Adam is that of its paper: begin it anew"),
    "decoupled_weight_decay": (lambda kind, group: kind == "AdamW", "load it into the other of Adam and AdamW"),
    "initial_lr": (lambda kind, group: group.get("lr"), SCHEDULED),
}  # fmt: skip
"""For each other option of PyTorch what it must be for our rules, and what to do else."""


def read_groups(where: str, kind: str, ours: list[Any], theirs: list[Any]) -> list[dict[str, Any]]:
    """Return the options of each group, as many as ours, in our words.

    Raises:
        UsageError: they are of other sizes, or have other options.
    """
    sizes = [[len(group.get("params", ())) for group in groups] for groups in (ours, theirs)]
    if sizes[0] != sizes[1]:
        raise UsageError(
            f"{where}: it is of groups of {sizes[1]} parameters, but the optimiser has {sizes[0]}"
        )
    return [_read(where, kind, *pair) for pair in zip(ours, theirs, strict=True)]


def _read(where: str, kind: str, ours: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:  # fmt: skip
    theirs = {name: plain(_on_host(where, v)) for name, v in given.items() if name not in PASSED_OVER}  # fmt: skip
    if "l1" in ours:
        theirs.setdefault("l1", 0.0)  # which PyTorch does not have
    for name in MEANINGS.keys() & theirs.keys() - ours.keys():
        means, mend = MEANINGS[name]
        value, needed = theirs.pop(name), means(kind, theirs)
        if value != needed:
            raise UsageError(f"{where}: {name} is {value}, and for {kind} must be {needed}: {mend}")
    if differing := sorted(ours.keys() - {"params"} ^ theirs.keys()):
        raise UsageError(
            f"{where}: it is of another kind of optimiser: only one of them has the options "
            f"{', '.join(differing)}"
        )
    check_options(theirs)
    return theirs


def read_state(
    where: str, remembers: frozenset[str], parameters: list[Parameter], given: Mapping[Any, Any]
) -> dict[int, dict[str, Any]]:
    """Return what is remembered of each parameter, as copies beside it.

    Raises:
        UsageError: there is no such parameter, or something else is remembered of it.
    """
    state: dict[int, dict[str, Any]] = {}
    for i, values in given.items():
        if whole(i) is None or not 0 <= i < len(parameters):
            raise UsageError(
                f"{where}: there is a state of parameter {i!r}, and the optimiser has "
                f"{len(parameters)} parameters, from 0"
            )
        held = {name: value for name, value in values.items() if value is not None}
        if held and set(held) != remembers:
            raise UsageError(
                f"{where}: of parameter {i} it holds {', '.join(held)}: expected "
                f"{', '.join(sorted(remembers)) or 'nothing'}"
            )
        if held:
            state[i] = {
                name: _placed(f"{where}: {name} of parameter {i}", name, value, parameters[i])
                for name, value in held.items()
            }
    return state


def _placed(what: str, name: str, value: Any, p: Parameter) -> Any:
    """Return a remembered value of a parameter: a count, or its own copy beside the parameter."""
    value = _on_host(what, value)
    if name == "step":
        number = plain(value)  # PyTorch counts in floats
        found = int(number) if isinstance(number, float) and number.is_integer() else whole(number)
        if found is None or found < 0:
            raise UsageError(f"{what} is {number!r}: expected a count")
        return found
    if not backend.is_array(value):
        raise UsageError(f"{what} is a {type(value).__name__}: expected an array")
    if value.shape != p.shape:
        raise UsageError(f"{what} has shape {value.shape}, but the parameter has shape {p.shape}")
    array = backend.to_device(raw(value), p.device)
    return array.astype(p.dtype)  # a copy


def _on_host(what: str, value: Any) -> Any:
    """Return a tensor of PyTorch, which need not be installed, as an array, and others as they are."""
    if not (hasattr(value, "detach") and hasattr(value, "cpu")):
        return value
    try:
        return value.detach().cpu().numpy()
    except TypeError as error:
        raise UsageError(f"{what} is of dtype {value.dtype}: use .float()") from error
