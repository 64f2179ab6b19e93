"""The main job: train a network for a moment, then account for its gradient's paths.

``train`` and ``examine`` are the two steps; ``PathReport`` is the outcome, as text for
people (``table``) and as plain values for programs (``as_dict``).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from . import backend, primitives
from .data import Images
from .errors import UsageError
from .grading import norm, shares
from .measures import Paths
from .nets import Network
from .optim import Adam
from .path_calculus import paths
from .tensor import Tensor, tensor
from .training import fit
from .whole_numbers import as_power, in_digits

SHOWN = 24  # rows of the table; the report holds them all
DIVERGED = 1e4  # a cross-entropy that no learning network has


@dataclass(frozen=True)
class Training:
    """How the training went.

    Attributes:
        steps: the number of optimiser steps.
        loss: the mean cross-entropy at the first and at the last step; empty for 0 steps.
        accuracy: the share of held-out images that are classified correctly.
    """

    steps: int
    loss: tuple[float, ...]
    accuracy: float


def train(
    network: Network, data: Images, steps: int, device: str = "cpu", batch: int = 64,
    lr: float = 3e-4, seed: int = 0, progress: bool = True,
) -> Training:  # fmt: skip
    """Train with Adam for some steps, with a progress bar where asked for.

    Raises:
        GradientError: the loss grew beyond all bounds; the message says at which step.
    """
    optimiser = Adam(network.to(device).parameters(), lr=lr)
    outcome = fit(
        network, data, optimiser, steps=steps, batch=batch, seed=seed, loss_limit=DIVERGED,
        progress=progress,
    )  # fmt: skip
    return Training(steps, outcome.losses[:1] + outcome.losses[-1:], outcome.score)


@dataclass(frozen=True)
class PathReport:
    """The paths of a gradient, counted and weighed by the weight layers they cross.

    Attributes:
        network: its name.
        counts: exact number of paths for each number of weight layers crossed; of a network of
            the zoo, between the stem's output and the classifier's input.
        norms: the norm of the gradient's part that comes through those paths.
        shares: that part's signed share of the gradient; they sum to 1.
        gradient_norm: the norm of the whole gradient by the images.
        error: the largest difference between the sum of the parts and backward's
            gradient, relative to the gradient's largest element.
        paths: the set itself, for figures and further questions.
        itemsize: the bytes of one of the gradient's numbers.
    """

    network: str
    counts: dict[int, int]
    norms: dict[int, float]
    shares: dict[int, float]
    gradient_norm: float
    error: float
    paths: Paths = field(repr=False, compare=False)
    itemsize: int = 8

    @property
    def total(self) -> int:
        """The number of paths."""
        return sum(self.counts.values())

    def table(self) -> str:
        """Return the table as text, its middle left out where it is long.

        Counts are exact; one of more than 18 digits is shown by its first five.
        """
        degrees = list(self.counts)
        whole = sum(self.shares.values())
        width = max(len("paths"), *(len(_digits(n)) for n in (*self.counts.values(), self.total)))
        lines = [f"{'weight layers crossed':>21}  {'paths':>{width}}  gradient norm  signed share"]
        for i, k in enumerate(degrees):
            if len(degrees) > SHOWN and SHOWN - 4 <= i < len(degrees) - 3:
                if i == SHOWN - 4:
                    left_out = len(degrees) - SHOWN + 1
                    lines.append(f"{'...':>21}  ({left_out} more rows in report.json)")
                continue
            lines.append(
                f"{k:>21}  {_digits(self.counts[k]):>{width}}  {self.norms[k]:>13.4e}  "
                f"{self.shares[k]:>+12.4f}"
            )
        lines.append(
            f"{'all':>21}  {_digits(self.total):>{width}}  {self.gradient_norm:>13.4e}  "
            f"{whole:>+12.4f}"
        )
        lines.append(
            f"weight-free: {_digits(self.counts.get(0, 0))} of {as_power(self.total, _digits)} paths, "
            f"carries {self.shares.get(0, 0.0):.4g} of the gradient"
        )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON holds; counts are strings, being unbounded."""
        return {
            "network": self.network,
            "paths": in_digits(self.total),
            "weight_free_paths": in_digits(self.counts.get(0, 0)),
            "weight_free_share": self.shares.get(0, 0.0),
            "gradient_norm": self.gradient_norm,
            "graded_sum_relative_error": self.error,
            "by_weight_layers_crossed": [
                {
                    "weight_layers": k,
                    "paths": in_digits(n),
                    "gradient_norm": self.norms[k],
                    "signed_share": self.shares[k],
                }
                for k, n in self.counts.items()
            ],
        }


def _digits(n: int) -> str:
    """Write a count in digits, or by its leading digits where they are too many for a table."""
    digits = in_digits(n)
    if len(digits) <= 18:
        return f"{n:,}"
    return f"{digits[0]}.{digits[1:5]}...e+{len(digits) - 1}"


def examine(
    network: Network, data: Images, device: str = "cpu", batch: int = 64, progress: bool = True
) -> PathReport:
    """Run one held-out batch forward and backward, and account for the gradient's paths.

    The derivative of the loss by the images is taken on a copy of the network in float64,
    with batch statistics as in training.  Degrees are counted between the stem's output and the classifier's
    input: every path crosses those two weights.

    Raises:
        UsageError: the batch has fewer than 2 images.
        GraphError: the gradient is zero, so that nothing has a share of it.
    """
    if batch < 2:
        raise UsageError(f"--batch {batch}: needs at least 2 images")
    network = copy.deepcopy(network).train().to(device, dtype="float64")
    chosen = data.test_x[:batch], data.test_y[:batch]
    images, labels = (backend.to_device(part, device) for part in chosen)
    x = tensor(images, requires_grad=True, name="x", dtype="float64")
    start, end, loss = _forward(network, x, labels)
    loss.backward()
    whole = x.grad.data  # type: ignore[union-attr]
    return weighed(network.name, paths(loss, x, start=start, end=end), whole, progress)


def weighed(name: str, found: Paths, whole: Any, progress: bool = True) -> PathReport:
    """Account for a gradient by the paths that it comes along.

    Args:
        name: of the network.
        found: all paths of the gradient.
        whole: the gradient, as backward found it.
        progress: whether to show a progress bar.

    Raises:
        GraphError: there is no path, or the gradient is zero, so that nothing has a share of it.
    """
    bar = f"weighing the paths of {name}" if progress else ""
    parts = found.gradient_by("weight", progress=bar)
    difference = float(abs(sum(parts.values()) - whole).max())
    return PathReport(
        network=name,
        counts=found.count_by("weight"),
        norms={k: norm(g) for k, g in parts.items()},
        shares=shares(parts),
        gradient_norm=norm(whole),
        error=difference / (float(abs(whole).max()) or 1.0),
        paths=found,
        itemsize=whole.dtype.itemsize,
    )


def _forward(network: Network, x: Tensor, labels: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return the classifier's input, the stem's output and the loss, named for figures."""
    end = network.stem(x)
    start = network.body(end)
    loss = primitives.cross_entropy(network.head(start), labels)
    end.name, start.name, loss.name = "stem", "features", "loss"
    return start, end, loss
