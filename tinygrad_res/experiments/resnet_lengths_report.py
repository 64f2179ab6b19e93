"""The outcome of weighing a ResNet's paths by length: as text, as a plot, as numbers in a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from .length_report import listed
from .lengths import Lengths
from .outcome import Outcome, aligned, in_short, number, on_one_side
from .settings import numbered, quickly, spread
from .sources import DIGITS, Source

if TYPE_CHECKING:
    from viz import Plot

MOST = 0.95
"""The share of a total that an interval of lengths is to hold."""


def interval(mass: Mapping[int, float], share: float = MOST) -> tuple[int, int]:
    """Return the shortest interval of lengths that holds a share of the mass; the first of equals.

    Args:
        mass: of each length, not negative.
        share: of the total.

    >>> interval({0: 1, 1: 6, 2: 15, 3: 20, 4: 15, 5: 6, 6: 1}, 50 / 64)
    (2, 4)
    """
    lengths = sorted(mass)
    sums = [0, *np.cumsum([float(mass[k]) for k in lengths]).tolist()]
    wanted = share * sums[-1] * (1 - 1e-12)
    for width in range(len(lengths)):
        held = [sums[i + width + 1] - sums[i] for i in range(len(lengths) - width)]
        if max(held) >= wanted:
            start = held.index(max(held))
            return lengths[start], lengths[start + width]
    return lengths[0], lengths[-1]


def paths_within(run: Lengths, ends: tuple[int, int]) -> float:
    """Return the share of all paths whose length is in an interval, ends included.

    >>> from tinygrad_res.experiments import at_random
    >>> round(paths_within(at_random(54, 0.3), (5, 17)), 8)
    0.00453667
    """
    low, high = ends
    return sum(n for k, n in run.counts.items() if low <= k <= high) / sum(run.counts.values())


def falloff(run: Lengths) -> float:
    """Return the factor by which a unit more changes the norm of the gradient along one path.

    It is the slope of a straight line through the logarithms of the norms.

    >>> from tinygrad_res.experiments import at_random
    >>> round(falloff(at_random(24, 0.3)), 12)
    0.3
    """
    lengths = [k for k, norm in run.single.items() if norm > 0]
    slope, _ = np.polyfit(lengths, [math.log(run.single[k]) for k in lengths], 1)
    return math.exp(slope)


def missed(run: Lengths) -> int:
    """Return at how many lengths the estimate is below the exact norm, which no mean of all is."""
    return sum(run.estimate[k] < (1 - 1e-9) * norm for k, norm in run.norms.items())


ROWS: tuple[tuple[str, str, Callable[[Lengths], float]], ...] = (
    ("paths: 95 % from", "19", lambda run: interval(run.counts)[0]),
    ("  to", "35", lambda run: interval(run.counts)[1]),
    ("single path: factor a unit", "below 1", falloff),
    ("estimate: 95 % from", "5", lambda run: interval(run.estimate)[0]),
    ("  to", "17", lambda run: interval(run.estimate)[1]),
    ("  these are of all paths, in %", "0.45",
     lambda run: 100 * paths_within(run, interval(run.estimate))),
    ("  centre", "", lambda run: run.estimate_centre),
    ("exact: 95 % from", "", lambda run: interval(run.norms)[0]),
    ("  to", "", lambda run: interval(run.norms)[1]),
    ("  these are of all paths, in %", "",
     lambda run: 100 * paths_within(run, interval(run.norms))),
    ("  centre", "", lambda run: run.exact_centre),
    ("estimate over exact total", "", lambda run: run.overcount),
    ("weight-free path's signed share", "", lambda run: run.weight_free_share),
)  # fmt: skip
"""What the table shows, and what Veit et al. say of 54 units."""


@dataclass(frozen=True)
class ResNetPathLengths(Outcome):
    """Paths by length in one network before and after training, run by run.

    Attributes:
        depth: of the network, in weight layers.
        steps: of training.
        samples: paths sampled for each length.
        batch: held-out images that the gradient is taken on.
        seeds: of the runs, which differ in weights, batches, held-out images and samples.
        quick: whether this was the quick setting.
        errors: on held-out images after training, as shares.
        before, after: the network before and after training.
        data: what it was trained on.
    """

    depth: int
    steps: int
    samples: int
    batch: int
    seeds: tuple[int, ...]
    quick: bool
    errors: tuple[float, ...]
    before: tuple[Lengths, ...]
    after: tuple[Lengths, ...]
    data: Source = DIGITS

    def table(self) -> str:
        """Return the outcome as text: medians over runs and their ranges."""
        units = (self.depth - 2) // 2
        same = self.depth == 110
        rows = [
            [words, said if same else "", *(
                spread([value(run) for run in runs]) for runs in (self.before, self.after)
            )]
            for words, said, value in ROWS
        ]  # fmt: skip
        heads = ["length", "Veit et al.", "before training", "after training"]
        wrong = spread([100 * error for error in self.errors])
        lines = [
            f"preresnet{self.depth}: {units} residual units, 2^{units} paths; {numbered(self.seeds)}",
            f"trained on {self.data.said} for {self.steps} steps: {wrong} % of held-out images wrong",
            f"gradient of the loss by {self.batch} held-out images; a path's length is the number",
            f"of units whose branch it crosses; {self.samples} single paths sampled for each",
            "",
            aligned(heads, rows, words=2),
            "",
            "median over runs (their range); intervals are the shortest that hold 95 %",
            "estimate: paths of a length times the mean norm of the gradient along one of them;",
            "exact: the norm of the gradient along all of them together",
            "single path: by what each unit more that it crosses multiplies the gradient along it",
            *self._verdicts(),
        ]
        known = (
            "Veit et al. 2016, section 5: as many units, pre-activated, trained on CIFAR-10; their 19 to",
            f"35 hold 98.0 % of the paths; here {self.data.beside}, and a short training",
        )
        unknown = ("Veit et al. 2016 give numbers for a depth of 110 alone",)
        return "\n".join([
            *lines, *(known if same else unknown),
            self._in_short(),
            *quickly(self.quick, f"{units} units, {self.steps} steps, {self.samples} samples for each length; the "
                     "claim is of 54 units, those of the full setting"),
        ])  # fmt: skip

    def _shorter(self) -> list[bool]:
        """Return for each run whether exact, estimate and paths are centred in that order."""
        return [run.exact_centre < run.estimate_centre < _centre(run) for run in self.after]

    def _in_short(self) -> str:
        """Say where paths, their estimate and the exact gradient are centred after training."""
        centres = [(_centre(run), run.estimate_centre, run.exact_centre) for run in self.after]
        paths, estimate, exact = map(spread, zip(*centres, strict=True))
        units = (self.depth - 2) // 2
        return in_short(
            on_one_side(self._shorter()),
            f"the gradient comes through short paths, shorter than the estimate says: of 2^{units} paths, which "
            f"cross {paths} of {units} units on average, the estimate centres at {estimate} after training, "
            f"and the exact gradient, which no sampling gives, at {exact}",
        )

    def _verdicts(self) -> list[str]:
        """Say on which side of the exact norms the estimate comes out, and why."""
        both = {"before training": self.before, "after training": self.after}
        return [
            *(f"{stage}: the estimate's centre is above the exact one in "
              f"{sum(run.estimate_centre > run.exact_centre for run in runs)} of {len(runs)} runs;\n"
              f"  it is below the exact norm at {spread([missed(run) for run in runs])} of {len(runs[0].counts)} lengths"
              for stage, runs in both.items()),
            "all norms together are at least the norm of their sum, so where the estimate is below the",
            "exact norm, too few paths were sampled: single ones differ by orders of magnitude, and a",
            "few large ones, which a small sample misses, make up most of the mean",
        ]  # fmt: skip

    def plot(self) -> Plot:
        """Return the panels of Veit et al.'s figure 6, with the exact norms beside the estimate."""
        import viz

        stages = {"before training": self.before, "after training": self.after}
        paths, single = "Paths of each length", "Gradient along one path"
        both = {
            f"Gradient along all paths, {name}": {
                f"exact, centre {number(median(run.exact_centre for run in runs))}":
                    _shares([run.norms for run in runs]),
                f"estimate, centre {number(median(run.estimate_centre for run in runs))}":
                    _shares([run.estimate for run in runs]),
            }
            for name, runs in stages.items()
        }  # fmt: skip
        return viz.plot_series(
            {
                paths: {"": _shares([self.after[0].counts])},
                single: {
                    name: [list(run.single.values()) for run in runs]
                    for name, runs in stages.items()
                },
                **both,
            },
            x="length: residual units crossed",
            y={paths: "share of all paths", single: "mean norm",
               **dict.fromkeys(both, "share of the total")},
            log={single: True},
            title=(f"preresnet{self.depth}'s gradient takes shorter paths than sampled ones say: "
                   if all(self._shorter()) else f"Paths of preresnet{self.depth} by length: ")
            + self.data.said,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON holds; counts are strings, being unbounded."""
        values = asdict(self)
        for stage, runs in (("before", self.before), ("after", self.after)):
            values[stage] = [listed(run) for run in runs]
        return values


def _centre(run: Lengths) -> float:
    """Return how many units a path crosses, on average over all paths."""
    return sum(k * n for k, n in run.counts.items()) / sum(run.counts.values())


def _shares(masses: Sequence[Mapping[int, float]]) -> list[list[float]]:
    """Return a row for each run: the share of every length in the run's total."""
    return [[m / sum(mass.values()) for m in mass.values()] for mass in masses]
