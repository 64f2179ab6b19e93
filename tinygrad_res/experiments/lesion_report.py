"""The outcome of deleting and swapping layers: as text, as a plot, as numbers in a file.

Veit et al. 2016 give curves, and no numbers for them: the table sets ours beside what the paper
says of its figures.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from .outcome import Outcome, aligned
from .settings import spread

if TYPE_CHECKING:
    from viz import Plot


@dataclass(frozen=True)
class Lesioned:
    """What lesions did to one trained network; errors are shares of the test images.

    Attributes:
        name: of the network.
        changes: for each residual unit or plain layer, whether it changes the shape.
        intact: the error before any lesion.
        single: the error after deleting each one.
        deleted: a row for 0, 1, 2, ... deleted at random, with the error of every draw.
        swaps: how many random pairs were swapped.
        taus: a row for each of these, with Kendall's tau of every draw.
        swapped: the error of that draw.
    """

    name: str
    changes: tuple[bool, ...]
    intact: float
    single: tuple[float, ...]
    deleted: tuple[tuple[float, ...], ...]
    swaps: tuple[int, ...]
    taus: tuple[tuple[float, ...], ...]
    swapped: tuple[tuple[float, ...], ...]

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Return what lists in place of tuples were made from."""
        return cls(**{name: _tuples(value) for name, value in values.items()})

    def worst(self, changes: bool) -> float:
        """Return the largest error after deleting one that changes the shape, or one that does not.

        It is not a number where there is none.
        """
        found = [e for e, c in zip(self.single, self.changes, strict=True) if c == changes]
        return max(found, default=math.nan)

    def many(self, share: float) -> float:
        """Return the mean error after deleting this share of all at random, at most one half."""
        return statistics.fmean(self.deleted[int(share * len(self.single))])

    def shuffled(self, swaps: int) -> float:
        """Return the mean error after so many swaps, a number out of ``swaps``."""
        return statistics.fmean(self.swapped[self.swaps.index(swaps)])

    def order(self, swaps: int) -> float:
        """Return the mean of Kendall's tau after so many swaps."""
        return statistics.fmean(self.taus[self.swaps.index(swaps)])


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        words: what is done.
        said: what Veit et al. say of their residual network then.
        value: the error of ours.
        share: of the units that are deleted; nothing where none is, and 0 means one.
    """

    words: str
    said: str
    value: Callable[[Lesioned], float]
    share: float | None = None


ROWS = (
    Row("nothing", "", lambda one: one.intact),
    Row("one deleted, median", "minimal impact", lambda one: statistics.median(one.single), 0),
    Row("one deleted, worst", "minimal impact", lambda one: one.worst(changes=False), 0),
    Row("  that changes shape", "slightly higher", lambda one: one.worst(changes=True), 0),
    Row("a quarter deleted", "smooth increase", lambda one: one.many(0.25), 0.25),
    Row("half deleted", "smooth increase", lambda one: one.many(0.5), 0.5),
    Row("1 pair swapped", "smooth increase", lambda one: one.shuffled(1)),
    Row("4 pairs swapped", "smooth increase", lambda one: one.shuffled(4)),
    Row("32 pairs swapped", "smooth increase", lambda one: one.shuffled(32)),
)
"""What the table shows."""


@dataclass(frozen=True)
class Lesions(Outcome):
    """Lesions of residual and plain networks, run by run.

    Attributes:
        family: of the networks, a word of ``recipe.FAMILIES``.
        seeds: of the runs, which differ in weights, batches and held-out images.
        steps: of training.
        draws: random choices for each number of deleted or swapped.
        quick: whether this was the quick setting.
        residual, plain: what became of the networks, in the order of the seeds.
    """

    family: str
    seeds: tuple[int, ...]
    steps: int
    draws: int
    quick: bool
    residual: tuple[Lesioned, ...]
    plain: tuple[Lesioned, ...]

    def table(self) -> str:
        """Return the outcome as text: medians over runs and their ranges, in per cent."""
        both = self.residual, self.plain
        rows = [
            [row.words, row.said, self._left(row.share), *(_spread(runs, row) for runs in both)]
            for row in ROWS
            if any(self.residual[0].changes) or row.words[0] != " "
        ]
        rows += [
            [f"Kendall's tau, {k} swapped", "", "", *(f"{runs[0].order(k):.2f}" for runs in both)]
            for k in (1, 4, 32)
        ]
        heads = ["test error in %", "Veit et al.", "paths left", "residual", "plain"]
        text = aligned(heads, rows, words=2)
        return "\n".join([*self._heading(), "", text, "", *self._footing()])

    def _left(self, share: float | None) -> str:
        """Return how many of the residual network's paths remain."""
        units = len(self.residual[0].single)
        return "" if share is None else f"2^{units - max(1, int(share * units))}"

    def plot(self) -> Plot:
        """Return a panel for each lesion: error against which, how many, and how much disorder."""
        import viz

        panels = [
            self._panel(
                "One deleted", "number of the unit or layer", lambda one: one.single,
                lambda one: range(1, len(one.single) + 1),
            ),
            self._panel(
                "Many deleted at random, mean over draws", "deleted, in % of all",
                lambda one: [statistics.fmean(row) for row in one.deleted],
                lambda one: [100 * d / len(one.single) for d in range(len(one.deleted))],
            ),
            self._panel(
                "Random pairs swapped, mean over draws", "disorder: 1 - Kendall's tau",
                lambda one: [statistics.fmean(row) for row in one.swapped],
                lambda one: [1 - statistics.fmean(row) for row in one.taus],
            ),
        ]  # fmt: skip
        return viz.Plot(panels, "Deleted and swapped layers of trained networks")

    def _panel(
        self, title: str, x: str, errors: Callable[[Lesioned], Sequence[float]],
        places: Callable[[Lesioned], Sequence[float]],
    ) -> Any:  # fmt: skip
        """Return a panel of both networks, whose points stand at places of their own."""
        import viz

        residual, plain = (
            viz.plot_series(
                {title: {name: [[100 * error for error in errors(one)] for one in runs]}},
                x=x, y="test error in %", at=places(runs[0]),
            ).panels[0]
            for name, runs in (("residual", self.residual), ("plain", self.plain))
        )  # fmt: skip
        whole = all(float(place).is_integer() for place in places(self.residual[0]))
        return dataclasses.replace(residual, series=residual.series + plain.series, whole=whole)

    def _heading(self) -> list[str]:
        first, last = min(self.seeds), max(self.seeds)
        runs = f"seed {first}" if first == last else f"seeds {first} to {last}"
        residual, plain = self.residual[0], self.plain[0]
        units = len(residual.single)
        return [
            f"{residual.name}: {units} residual units of two layers, 2^{units} paths",
            f"{plain.name}: {len(plain.single)} layers between the first and the last, 1 path",
            f"trained on digits for {self.steps} steps; {runs}",
        ]

    def _footing(self) -> list[str]:
        lines = [
            "median over runs (their range), of the mean over draws where chance chooses",
            "Veit et al. 2016: the residual network of 110 layers on CIFAR-10, figures 3 and 5,",
            "which are curves; of a VGG network of 15 layers they say that deleting any one layer",
            "takes it to chance, an error of 90 %",
            "here: digits of 8 x 8 pixels, far easier, and a short training",
        ]
        if not any(self.residual[0].changes):
            lines.append("fully connected: no unit changes the shape, and nothing is normalised")
        return lines


def _spread(runs: Sequence[Lesioned], row: Row) -> str:
    """Return the median and the range of errors in per cent; nothing where there is none."""
    found = [100 * row.value(one) for one in runs]
    return "" if math.isnan(found[0]) else spread(found)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
