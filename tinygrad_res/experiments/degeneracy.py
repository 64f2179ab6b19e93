"""Three singularities on a tiny network, and what a shortcut leaves of them.

Where a hidden unit's weights in or out are zero (elimination), where two units' weights in are
equal (overlap), or where units' outputs depend linearly on each other, parameters can change
together without any change of the output: the Hessian has null directions there and learning
slows down nearby (Orhan & Pitkow 2018, Skip Connections Eliminate Singularities, section 2).
A shortcut keeps every unit alive by its own input, and unlike every other.

The network is r . h'' with h' = s x + tanh(W' x) and h'' = s h' + tanh(W'' h'), of n inputs and n
units in each layer; s is 1 with shortcuts, and 0 without.  The data are what the network itself
says, so that the loss is at its minimum, 0, and each null direction is a valley that stays at 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import primitives
from ..autodiff import grad, hessian
from ..tensor import Tensor

EXAMPLES = 8
"""Examples for each parameter."""

NULL = 1e-10
"""An eigenvalue of the Hessian counts as zero up to this share of the largest."""


def _regular(first: np.ndarray, second: np.ndarray) -> None:
    pass


def _no_way_in(first: np.ndarray, second: np.ndarray) -> None:
    first[0] = 0


def _no_way_out(first: np.ndarray, second: np.ndarray) -> None:
    second[:, 0] = 0


def _equal(first: np.ndarray, second: np.ndarray) -> None:
    first[1] = first[0]


def _dependent(first: np.ndarray, second: np.ndarray) -> None:
    first[1] = -first[0]  # tanh is odd, so the second unit is minus the first


POINTS: dict[str, Callable[[np.ndarray, np.ndarray], None]] = {
    "regular point": _regular,
    "elimination, weights in": _no_way_in,
    "elimination, weights out": _no_way_out,
    "overlap": _equal,
    "linear dependence": _dependent,
}
"""What is done to random weights W' and W'' (out, in), by the name of the singularity."""


def null_directions(units: int, point: str) -> int:
    """Return how many null directions the Hessian has there without shortcuts.

    Each singularity frees one weight for each unit of a neighbouring layer.

    >>> null_directions(4, "overlap"), null_directions(4, "regular point")
    (4, 0)
    """
    return 0 if point == "regular point" else units


def degenerate(point: str, shortcut: bool, units: int, seed: int) -> dict[str, float]:
    """Return what the Hessian and the gradient are at a singularity: a cell of the sweep.

    Returns:
        ``null``, the number of null directions; ``smallest``, the smallest eigenvalue over the
        largest; ``gradient``, the share of the gradient's norm that lies along the null
        directions of the network without shortcuts, for targets at random.
    """
    rng = np.random.default_rng(seed)
    first, second = (rng.standard_normal((units, units)) / np.sqrt(units) for _ in range(2))
    readout = rng.standard_normal(units)
    x = rng.standard_normal((2 * EXAMPLES * units * units, units))
    POINTS[point](first, second)
    at = np.concatenate([first.ravel(), second.ravel()])
    values = np.linalg.eigvalsh(_hessian(at, x, readout, shortcut))
    _, directions = np.linalg.eigh(_hessian(at, x, readout, False))
    freed = directions[:, : null_directions(units, point)]
    slope = np.asarray(grad(_loss)(at, x, readout, shortcut, rng.standard_normal(len(x))))
    return {
        "null": int((values <= NULL * values[-1]).sum()),
        "smallest": float(values[0] / values[-1]),
        "gradient": float(np.linalg.norm(freed.T @ slope) / np.linalg.norm(slope)),
    }


def _hessian(at: np.ndarray, x: np.ndarray, readout: np.ndarray, shortcut: bool) -> np.ndarray:
    """Return the Hessian of the loss whose targets are the network's own outputs."""
    targets = _output(at, x, readout, shortcut)
    return np.asarray(hessian(_loss)(at, x, readout, shortcut, targets))


def _loss(
    at: Tensor, x: np.ndarray, readout: np.ndarray, shortcut: bool, targets: object
) -> Tensor:
    difference = _output(at, x, readout, shortcut) - targets
    return primitives.mean(difference * difference)


def _output(at: object, x: np.ndarray, readout: np.ndarray, shortcut: bool) -> Tensor:
    units = len(readout)
    h: object = x
    for weight in primitives.reshape(at, (2, units, units)):
        branch = primitives.tanh(primitives.matmul(h, weight.T))
        h = h + branch if shortcut else branch
    return primitives.matmul(h, readout)
