"""Skip layers in regression: a linear model, with a perturbation that training may switch off.

Input reaches output directly, x A + b, and through hidden units, W'' tanh(W' x + b').  Without
hidden units this is the linear model of statistics, and gradient descent must end at its least
squares.  With them, an L1 penalty on what the hidden units are made of is minimised by proximal
steps, which leave exact zeros: a unit whose weight on the output is 0 is no longer there.  On
linear data all should go, and the linear model come back; on data that bend, some must stay.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import linear_regression
from ..errors import UsageError
from ..nets import skip_regression
from ..optim import SGD
from ..training import fit
from ..whole_numbers import at_least
from .outcome import Outcome, aligned, in_short
from .settings import counted, numbered, quickly, ranged, spread
from .sweep import grid, sweep

if TYPE_CHECKING:
    from viz import Plot

SETTINGS: dict[bool, dict[str, Any]] = {
    False: {"penalties": (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3), "steps": 4000, "runs": 5},
    True: {"penalties": (0.0, 0.03, 0.3), "steps": 800, "runs": 2},
}
"""What is meant where left out, and where it is left out of a quick run."""

EXACT = 1e-8
"""How near to least squares the linear model is to come, in every coefficient."""

KINDS = {"linear": 0.0, "linear + perturbation": 1.0}
"""The height of the wave that is added to linear data."""


FOOTING = (
    "units left: with a weight on the output that is not exactly 0; from least squares: the skip",
    "layer's largest difference from numpy.linalg.lstsq, in any coefficient; errors: mean squares",
    "on a test part, and noise the least of them that can be expected;",
)


@dataclass(frozen=True)
class Fitted:
    """One fit.

    Attributes:
        kind: of the data, a word of ``KINDS``.
        penalty: the factor on the sum of absolute hidden weights; in the loss, a mean square.
        seed: of data and weights.
        hidden: units at the start.
        left: units whose weight on the output is not 0 at the end.
        coefficients: the skip layer's, and its intercept.
        least_squares: the same by ``numpy.linalg.lstsq``.
        error: the mean square on the test part.
        linear: that of least squares.
        noise: the square of the noise's deviation, which no model can be expected to beat.
    """

    kind: str
    penalty: float
    seed: int
    hidden: int
    left: int
    coefficients: tuple[float, ...]
    least_squares: tuple[float, ...]
    error: float
    linear: float
    noise: float

    @property
    def distance(self) -> float:
        """The largest difference of a coefficient or the intercept from least squares."""
        return max(abs(a - b) for a, b in zip(self.coefficients, self.least_squares, strict=True))

    @property
    def pruned(self) -> bool:
        """Whether no hidden unit is left, and the model is that of least squares."""
        return self.left == 0 and self.distance <= EXACT


@dataclass(frozen=True)
class SkipRegression(Outcome):
    """What ``pruned_regression`` found.

    Attributes:
        features, hidden, examples, steps: of data, networks and training.
        seeds: of the runs.
        alone: fits without hidden units.
        pruned: fits with hidden units, by kind of data, penalty and seed.
        quick: whether this was the quick setting.
    """

    features: int
    hidden: int
    examples: int
    steps: int
    seeds: tuple[int, ...]
    alone: tuple[Fitted, ...]
    pruned: tuple[Fitted, ...]
    quick: bool = False

    @property
    def exact(self) -> bool:
        """Whether every model without hidden units is at least squares."""
        return all(one.distance <= EXACT for one in self.alone)

    def rows(self) -> dict[tuple[str, float], list[Fitted]]:
        """Return the runs for each kind of data and penalty."""
        found: dict[tuple[str, float], list[Fitted]] = {}
        for one in self.pruned:
            found.setdefault((one.kind, one.penalty), []).append(one)
        return found

    def table(self) -> str:
        """Return a line for each kind of data and penalty, and the first run's coefficients."""
        heads = ("data", "penalty", "units left", "test error", "linear model's", "noise",
                 "from least squares")  # fmt: skip
        lines = [
            (
                kind, words, spread([one.left for one in runs]),
                spread([one.error for one in runs]), spread([one.linear for one in runs]),
                runs[0].noise, spread([one.distance for one in runs]),
            )
            for (kind, words), runs in self._groups().items()
        ]  # fmt: skip
        size = (
            f"{self.features} features, {self.hidden} hidden units, {self.examples} examples; "
            f"{numbered(self.seeds)}{ranged(self.seeds)}"
        )
        return "\n".join([
            "Regression with a skip layer beside hidden units: x A + b + W'' tanh(W' x + b')",
            size, "",
            aligned(heads, lines, words=2), "", *self._verdicts(), "",
            *self._coefficients(), "", *FOOTING,
            f"{self.steps} proximal steps on all training examples at once",
            self._in_short(),
            *quickly(self.quick, f"{self.steps} steps, few penalties, {counted(self.seeds)}"),
        ])  # fmt: skip

    def plot(self) -> Plot:
        """Return how many hidden units are left, and the error, against the penalty."""
        import viz

        rows = self.rows()
        penalties = sorted({penalty for _, penalty in rows})
        panels: dict[str, dict[str, dict[float, list[float]]]] = {}
        for title, value in (
            ("What the penalty leaves", lambda one: float(one.left)),
            ("What it costs", lambda one: one.error / one.linear),
        ):
            panels[title] = {
                kind: {p: [value(one) for one in rows[kind, p]] for p in penalties}
                for kind in KINDS
            }
        words = (f"hidden units left, of {self.hidden}", "test error over that of the linear model")
        return viz.plot_series(
            panels, y=dict(zip(panels, words, strict=True)),
            x="penalty, the factor on the L1 norm", log_x=any(penalties),
            title="A penalty returns the linear model where data are linear, and keeps units where they bend"
            if self.supported else "What a penalty leaves of hidden units beside a skip layer",
        )  # fmt: skip

    def _groups(self) -> dict[tuple[str, str], list[Fitted]]:
        """Return the runs by kind of data and words for the penalty, those without units first."""
        alone = {
            (kind, "no units"): [one for one in self.alone if one.kind == kind] for kind in KINDS
        }
        return alone | {(kind, f"{p:g}"): runs for (kind, p), runs in self.rows().items()}

    def _verdicts(self) -> list[str]:
        """Return what the fits say of the three claims."""
        gone, kept = self._gone(), self._kept()
        which = "all" if self.exact else "not all"
        return [
            f"no hidden units: {which} coefficients are those of least squares to {EXACT:g}",
            "linear data: the penalties that leave no unit, and least squares: " + _listed(gone),
            "linear + perturbation: the penalties that leave units in every run: " + _listed(kept),
        ]

    def _gone(self) -> list[float]:
        """Return the penalties that leave the linear model alone on linear data, in every run."""
        fits = {p: runs for (kind, p), runs in self.rows().items() if kind == "linear"}
        return [p for p, runs in fits.items() if all(one.pruned for one in runs)]

    def _kept(self) -> list[float]:
        """Return the penalties that leave units on data that bend, in every run."""
        bent = {p: runs for (kind, p), runs in self.rows().items() if kind != "linear" and p}
        return [p for p, runs in bent.items() if min(one.left for one in runs)]

    def _both(self) -> list[float]:
        """Return the penalties that do both."""
        return [p for p in self._gone() if p in self._kept()]

    @property
    def supported(self) -> bool | None:
        """Whether one penalty does both; in part where one does the one and one the other."""
        return bool(self.exact and self._gone() and self._kept()) and (bool(self._both()) or None)

    def _in_short(self) -> str:
        """Say whether a single penalty does both."""
        return in_short(
            self.supported,
            f"a skip layer alone is {'' if self.exact else 'not '}least squares; the penalties that prune "
            f"every unit where the data are linear, and not where they bend: {_listed(self._both())}",
        )

    def _coefficients(self) -> list[str]:
        """Return the first run's coefficients on linear data, each fit beside least squares."""
        firsts = {
            words: runs[0] for (kind, words), runs in self._groups().items() if kind == "linear"
        }
        columns = [next(iter(firsts.values())).least_squares]
        columns += [one.coefficients for one in firsts.values()]
        names = [*(f"x_{i}" for i in range(1, self.features + 1)), "intercept"]
        heads = ["", "least squares", *firsts]
        return [
            f"linear data, {numbered(self.seeds[:1])}: the skip layer's coefficients, by penalty", "",
            aligned(heads, zip(names, *columns, strict=True)),
        ]  # fmt: skip


def pruned_regression(
    features: int = 5, hidden: int = 8, examples: int = 400, noise: float = 0.1,
    penalties: Sequence[float] | None = None, steps: int | None = None, runs: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> SkipRegression:  # fmt: skip
    """Fit skip-layer networks to linear data, and to linear data with a wave added.

    Args:
        features, examples, noise: of ``data.linear_regression``; a quarter is for testing.
        hidden: units of the networks at the start.
        penalties: factors on the L1 norm of the hidden units' weights.
        steps: proximal gradient steps with momentum.
        runs: data sets and networks, with seeds from ``seed`` on; 5 where left out.
        quick: make ``penalties``, ``steps`` and ``runs`` few where left out.
        seed: of the first.
        executor, folder: a pool or Dask client, and where to keep what is finished, as for
            ``sweep.sweep``.

    Raises:
        UsageError: a number is out of its bounds.
        SweepError: a training diverged.

    >>> found = pruned_regression(penalties=[0.3], steps=600, runs=1)
    >>> found.exact, [one.left for one in found.pruned]
    (True, [0, 0])
    """
    default = SETTINGS[bool(quick)]
    penalties = default["penalties"] if penalties is None else tuple(penalties)
    steps = default["steps"] if steps is None else steps
    runs = default["runs"] if runs is None else runs
    features, hidden, examples, steps, runs, seed = (
        at_least(least, "pruned_regression", name, value)
        for name, value, least in (
            ("features", features, 1), ("hidden", hidden, 1), ("examples", examples, 8),
            ("steps", steps, 1), ("runs", runs, 1), ("seed", seed, 0),
        )
    )  # fmt: skip
    bad = [p for p in penalties if not 0 <= p < math.inf]
    if bad or not len(penalties):
        raise UsageError(
            f"pruned_regression: penalties={list(penalties)}: must be numbers from 0 on"
        )
    if not (isinstance(noise, (int, float)) and 0 <= noise < math.inf):
        raise UsageError(f"pruned_regression: noise={noise!r}: must be a number from 0 on")
    setting = {"features": features, "examples": examples, "noise": float(noise), "steps": steps}
    seeds = range(seed, seed + runs)
    alone = grid(kind=list(KINDS), penalty=[0.0], seed=seeds, hidden=[0])
    pruned = grid(
        kind=list(KINDS), penalty=[float(p) for p in penalties], seed=seeds, hidden=[hidden]
    )
    done = sweep(
        _fitted, [{**setting, **cell} for cell in (*alone, *pruned)], executor, folder, "fits"
    )
    rows = ("coefficients", "least_squares")  # lists, where they were kept in a file
    found = tuple(Fitted(**one | {row: tuple(one[row]) for row in rows}) for one in done)
    return SkipRegression(
        features, hidden, examples, steps, tuple(seeds), found[: len(alone)], found[len(alone) :], bool(quick),
    )  # fmt: skip


def _fitted(
    features: int, examples: int, noise: float, steps: int, kind: str, penalty: float, seed: int,
    hidden: int,
) -> dict[str, Any]:  # fmt: skip
    """Fit one network, on one data set."""
    data = linear_regression(examples, features, noise, KINDS[kind], seed)
    network = skip_regression(features, hidden=hidden, rng=seed).to("cpu", "float64")
    block: Any = network.body[0]
    skip = block.shortcut if hidden else block
    groups: list[dict[str, Any]] = [{"params": list(skip.parameters())}]
    if hidden:
        groups.append({"params": list(block.branch.parameters()), "l1": penalty})
    outcome = fit(
        network, data, SGD(groups, lr=0.1, momentum=0.9), steps=steps,
        batch=len(data.train_y), seed=seed, progress=False,
    )  # fmt: skip
    coefficients, intercept = data.least_squares()
    outputs = block.branch[2].weight.data if hidden else np.zeros((1, 0))
    predicted = data.test_x @ coefficients + intercept
    return {
        "kind": kind, "penalty": penalty, "seed": seed, "hidden": hidden,
        "left": int(np.count_nonzero(outputs)),
        "coefficients": [*skip.weight.data[0].tolist(), skip.bias.data.item()],
        "least_squares": [*coefficients.tolist(), float(intercept)],
        "error": outcome.score, "linear": float(np.mean((predicted - data.test_y[:, 0]) ** 2)),
        "noise": data.noise**2,
    }  # fmt: skip


def _listed(penalties: Sequence[float]) -> str:
    return ", ".join(f"{p:g}" for p in penalties) or "none"
