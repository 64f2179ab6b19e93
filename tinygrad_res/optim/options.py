"""Options of optimisers: what each may be, and numbers as the rules take them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import UsageError

BOUNDS: dict[str, tuple[Any, str]] = {
    "lr": (lambda v: 0 < v < math.inf, "must be positive"),
    "momentum": (lambda v: 0 <= v < math.inf, "must not be negative"),
    "dampening": (lambda v: -math.inf < v < math.inf, "must be a number"),
    "weight_decay": (lambda v: 0 <= v < math.inf, "must not be negative"),
    "l1": (lambda v: 0 <= v < math.inf, "must not be negative"),
    "eps": (lambda v: 0 <= v < math.inf, "must not be negative"),
    "betas": (lambda v: len(v) == 2 and all(0 <= b < 1 for b in v), "must be two numbers in [0, 1)"),
    "nesterov": (lambda v: isinstance(v, bool), "must be True or False"),
}  # fmt: skip
"""For each option what it must be, and how to say so."""


ELSEWHERE = {
    "l1": "only SGD's steps end at exact zeros: use SGD(..., l1=), or add l1 * tg.sum(tg.abs(w)) to "
    "the loss",
    "amsgrad": "the rule is that of Adam's paper",
    "maximize": "change the sign of the loss",
}
"""What to do for options that one would expect."""


def check_known(kind: str, given: Iterable[str], options: Iterable[str]) -> None:
    """Refuse options that an optimiser does not have.

    Raises:
        UsageError: naming them.
    """
    unknown = sorted(set(given) - set(options))
    if unknown:
        hints = "".join(f"; {ELSEWHERE[name]}" for name in unknown if name in ELSEWHERE)
        raise UsageError(
            f"optimiser: {kind} has no option {', '.join(unknown)}: use {', '.join(options)}{hints}"
        )


def check_options(group: Mapping[str, Any]) -> None:
    """Refuse options that are out of their bounds.

    Raises:
        UsageError: naming the option.
    """
    for name, value in group.items():
        if name in BOUNDS and not holds(BOUNDS[name][0], value):
            raise UsageError(f"optimiser: {name} {value} {BOUNDS[name][1]}")
    if group.get("nesterov") and (not group["momentum"] or group["dampening"]):
        raise UsageError("optimiser: nesterov needs a momentum, and no dampening")


def holds(bound: Any, value: Any) -> bool:
    """Say whether a value is within a bound; one that cannot be compared is not."""
    try:
        return bool(bound(value))
    except TypeError:
        return False


def plain(value: Any) -> Any:
    """Return NumPy's numbers as Python's, which leave the dtype of what they meet as it is."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(plain, value))
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def check_eps(group: Mapping[str, Any]) -> None:
    """Refuse an eps that the parameters' dtype rounds to 0, so that Adam would divide by 0.

    Raises:
        UsageError: naming the parameter.
    """
    for p in group["params"]:
        if group.get("eps") and not p.dtype.type(group["eps"]):
            raise UsageError(
                f"optimiser: eps {group['eps']:g} is 0 in {p.dtype}, the dtype of {p.name or p.shape}: use "
                "eps=1e-4, or parameters of float32"
            )
