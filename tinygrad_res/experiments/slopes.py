"""Activations: what a path keeps of a gradient at each of them.

On a path's edge through an activation stands its derivative.  It is at most 1/4 for the sigmoid
and at most 1 for tanh, and 0 or 1 for a ReLU; so a path through n sigmoids carries at most
4^-n of what it would without them.  On average over a standard normal input, the mean square
of the derivative says how much of a gradient's mean square goes on.
"""

from __future__ import annotations

import os
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import tinygrad_res as tg

from ..errors import UsageError
from ..whole_numbers import at_least
from .outcome import Outcome, aligned, in_short, number, on_one_side
from .sweep import beside, grid, sweep

if TYPE_CHECKING:
    from viz import Plot

FUNCTIONS = ("sigmoid", "tanh", "relu")
CLOSED: dict[str, tuple[float | str, float | str]] = {
    "sigmoid": (0.25, ""), "tanh": (1.0, ""), "relu": (1.0, 0.5),
}  # fmt: skip
"""The largest derivative, and its mean square at a standard normal input where that has one."""

LAYERS = 10
NODES = 200
"""Places of the Gauss-Legendre rule on each side of 0."""


@dataclass(frozen=True)
class Activations(Outcome):
    """The derivatives of activation functions.

    Attributes:
        cells: for each function its ``name`` and what ``measured`` returns.
    """

    cells: list[dict[str, Any]]

    def table(self) -> str:
        """Return each derivative's maximum, and what is left after ten layers."""
        heads = ["activation", "largest derivative", "closed form", "at 0", "mean square", "closed form",
                 f"left after {LAYERS}, at best", "on average"]  # fmt: skip
        rows = [
            [cell["name"], cell["largest"], _known(cell["name"], 0), cell["at_zero"],
             cell["mean_square"], _known(cell["name"], 1), cell["largest"] ** LAYERS,
             cell["mean_square"] ** (LAYERS / 2)]
            for cell in self.cells
        ]  # fmt: skip
        return "\n".join([
            "What an activation's derivative, by the engine, leaves of a gradient", "",
            aligned(heads, rows), "",
            "closed form: sigmoid' = s (1 - s) <= 1/4, tanh' = 1 - t^2 <= 1, relu' is 0 or 1; mean",
            "square: of the derivative at a standard normal input, of which a ReLU passes half; left",
            f"after {LAYERS}: the factor of {LAYERS} activations on a gradient's norm, weights left aside.",
            "Gradient norms by layer against depth, with weights: tinygrad-res experiment",
            "vanishing-gradients",
            self._in_short(),
        ])  # fmt: skip

    def _in_short(self) -> str:
        """Say what is left of a gradient behind several activations, weights aside."""
        left = {cell["name"]: cell["mean_square"] ** (LAYERS / 2) for cell in self.cells}
        shrunk = [value < 1 for value in left.values()]
        told = ", ".join(f"{name} {number(value)}" for name, value in left.items())
        return in_short(
            on_one_side(shrunk),
            f"{LAYERS} activations leave on average of a gradient's norm: {told}",
        )

    def plot(self) -> Plot:
        """Return the functions, and below them their derivatives."""
        import viz

        whole = all(cell["largest"] <= 1 for cell in self.cells)
        return viz.plot_activations(
            *(cell["name"] for cell in self.cells),
            title="Derivatives of at most 1 shrink a gradient"
            if whole
            else "Activations and their derivatives",
        )


def activations(
    names: tuple[str, ...] = FUNCTIONS, quick: bool = False, seed: int = 0,
    executor: Executor | None = None, folder: str | os.PathLike[str] | None = None,
) -> Activations:  # fmt: skip
    """Measure the derivatives of activation functions; nothing is drawn at random.

    Args:
        names: of the engine's functions of one tensor, such as ``"sigmoid"`` or ``"gelu"``.
        quick, seed: change nothing here: all numbers are exact to rounding.
        executor: a pool or Dask client, as for ``sweep.sweep``: a task for each function.
        folder: where to keep finished functions.

    Raises:
        UsageError: there is no such function, or ``seed`` is negative.

    >>> sigmoid, tanh, relu = activations().cells
    >>> sigmoid["largest"], tanh["at_zero"], relu["mean_square"]
    (0.25, 1.0, 0.5)
    """
    at_least(0, "activations", "seed", seed)
    for name in names:
        if name not in tg.__all__ or not callable(getattr(tg, name)):
            raise UsageError(
                f"activations: {name!r} is no function of tinygrad_res: use sigmoid, tanh, relu, "
                "leaky_relu, gelu, silu"
            )
    cells = grid(name=list(names))
    done = sweep(measured, cells, executor, folder, "activations")
    return Activations(beside(cells, ["name"], done))


def _known(name: str, which: int) -> float | str:
    return CLOSED.get(name, ("", ""))[which]


def measured(name: str) -> dict[str, float]:
    """Return the largest derivative of an activation, that at 0, and its mean square.

    The mean is over a standard normal input, by Gauss-Legendre quadrature on either side of 0,
    where a derivative may jump.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = 6 * (nodes + 1)  # beyond 12 standard deviations is nothing left in floats
    x = np.concatenate([-half[::-1], half])
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    share = 6 * np.concatenate([weights[::-1], weights]) * density
    slope = _slope(name, x)
    return {
        "largest": float(_slope(name, np.linspace(-8.0, 8.0, 16001)).max()),
        "at_zero": float(_slope(name, np.zeros(1))[0]),
        "mean_square": round(float((share * slope * slope).sum()), 12),
    }


def _slope(name: str, x: np.ndarray) -> Any:
    _, back = tg.vjp(getattr(tg, name), x)
    return back(np.ones_like(x))[0]
