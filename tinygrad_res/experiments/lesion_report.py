"""The outcome of deleting and swapping layers: as text, as a plot, as numbers in a file.

Veit et al. 2016 give curves, of which their text reads off one number: the table sets ours beside
what the paper says of its figures.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from .outcome import Outcome, aligned, in_short, on_one_side
from .settings import counted, quickly, ranged, spread
from .sources import DIGITS, Source

if TYPE_CHECKING:
    from viz import Plot


HURT = 0.05
"""A rise of the error, as a share of the images, that is told."""


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
    Row("half deleted", "severe drop", lambda one: one.many(0.5), 0.5),
    Row("1 pair swapped", "smooth increase", lambda one: one.shuffled(1)),
    Row("4 pairs swapped", "smooth increase", lambda one: one.shuffled(4)),
    Row("32 pairs swapped", "smooth increase", lambda one: one.shuffled(32)),
)
"""What the table shows."""


def _each(runs: Sequence[Lesioned]) -> dict[float, list[float]]:
    """Return the errors of all runs in per cent by the number of what is deleted."""
    return {
        k: [100 * e for e in errors]
        for k, errors in enumerate(zip(*(one.single for one in runs), strict=True), 1)
    }


def _many(runs: Sequence[Lesioned]) -> dict[float, list[float]]:
    """Return each run's mean error over draws, in per cent, by the number that is deleted."""
    return {
        d: [100 * statistics.fmean(one.deleted[d]) for one in runs]
        for d in range(len(runs[0].deleted))
    }


def _disordered(runs: Sequence[Lesioned]) -> dict[float, list[float]]:
    """Return each run's mean error over draws, in per cent, by the draws' mean disorder.

    Draws are the same in all runs; numbers of swaps that left the same disorder share a place.
    """
    rows: dict[float, list[int]] = {}
    for number, taus in enumerate(runs[0].taus):
        rows.setdefault(1 - statistics.fmean(taus), []).append(number)
    return {
        at: [100 * statistics.fmean(e for n in here for e in one.swapped[n]) for one in runs]
        for at, here in sorted(rows.items())
    }


PANELS = {
    "One deleted": ("number of the unit or layer, from the input", _each),
    "Many deleted at random, mean over draws": ("number deleted, of {} units or {} layers", _many),
    "Random pairs swapped, mean over draws": ("disorder: 1 - Kendall's tau", _disordered),
}
"""What the plot shows: by title, what the axis counts, and the errors over it."""


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
        data: what they were trained on.
    """

    family: str
    seeds: tuple[int, ...]
    steps: int
    draws: int
    quick: bool
    residual: tuple[Lesioned, ...]
    plain: tuple[Lesioned, ...]
    data: Source = DIGITS

    def table(self) -> str:
        """Return the outcome as text: medians over runs and their ranges, in per cent."""
        both = self.residual, self.plain
        rows = [
            [row.words, row.said, self._left(row.share), *(_spread(runs, row) for runs in both)]
            for row in ROWS
            if any(self.residual[0].changes) or row.words[0] != " "
        ]
        heads = ["test error in %", "Veit et al.", "paths left", "residual", "plain"]
        text = aligned(heads, rows, words=2)
        return "\n".join(
            [*self._heading(), "", text, "", *self._orders(), *self._worst(), *self._footing()]
        )

    def _medians(self) -> tuple[list[float], list[float]]:
        """Return each run's median error in % after one deletion, residual and plain."""
        ours, theirs = (
            [100 * statistics.median(one.single) for one in runs]
            for runs in (self.residual, self.plain)
        )
        return ours, theirs

    def _better(self) -> list[bool]:
        """Return for each run whether one deletion costs the residual network less."""
        return [a < b for a, b in zip(*self._medians(), strict=True)]

    def _in_short(self) -> str:
        """Say what a single deletion and half of all leave of both networks."""
        ours, theirs = self._medians()
        return in_short(
            on_one_side(self._better()),
            f"a deleted layer leaves the plain network {spread(theirs)} % wrong, a deleted unit the "
            f"residual one {spread(ours)} %, and intact it had "
            f"{spread([100 * one.intact for one in self.residual])} %; the worst costs it "
            f"{spread([100 * max(one.single) for one in self.residual])} %",
        )

    def _worst(self) -> list[str]:
        """Say which single deletions hurt the residual network, of which the median says nothing."""
        numbers = [
            1 + max(range(len(one.single)), key=one.single.__getitem__) for one in self.residual
        ]
        hurt = [sum(e > one.intact + HURT for e in one.single) for one in self.residual]
        units = len(self.residual[0].single)
        worst = " or ".join(map(str, sorted(set(numbers))))
        return [
            f"residual: the worst single unit is number {worst}, from the input; {spread(hurt)} of {units} cost more",
            f"  than {100 * HURT:g} percentage points each, so that deleting one has minimal impact holds for the rest",
        ]  # fmt: skip

    def _orders(self) -> list[str]:
        """Return what the swaps leave of the order, in words since it is no error."""
        return [
            f"order left by 1, 4 and 32 swaps, Kendall's tau, mean over draws: {name} "
            + ", ".join(f"{runs[0].order(k):.2f}" for k in (1, 4, 32))
            for name, runs in (("residual", self.residual), ("plain", self.plain))
        ]

    def _left(self, share: float | None) -> str:
        """Return how many of the residual network's paths remain."""
        units = len(self.residual[0].single)
        return "" if share is None else f"2^{units - max(1, int(share * units))}"

    def plot(self) -> Plot:
        """Return a panel for each lesion: error against which, how many, and how much disorder."""
        import viz

        both = {"residual": self.residual, "plain": self.plain}
        of = [len(runs[0].single) for runs in both.values()]
        panels = {
            title: {name: drawn(runs) for name, runs in both.items()}
            for title, (_, drawn) in PANELS.items()
        }
        return viz.plot_series(
            panels, x={title: x.format(*of) for title, (x, _) in PANELS.items()}, y="test error in %",
            title=("Without a layer a plain network fails, a residual one mostly works on: " if all(self._better())
                   else "What networks lose with layers deleted or swapped: ") + self.data.said,
        )  # fmt: skip

    def _heading(self) -> list[str]:
        residual, plain = self.residual[0], self.plain[0]
        units = len(residual.single)
        return [
            f"{residual.name}: {units} residual units of two layers, 2^{units} paths",
            f"{plain.name}: {len(plain.single)} layers between the first and the last, 1 path",
            f"trained on {self.data.said} for {self.steps} steps; {counted(self.seeds)}{ranged(self.seeds)}",
        ]

    def _footing(self) -> list[str]:
        lines = [
            "where chance chooses, the errors are means over draws; paths left: of the residual network",
            "Veit et al. 2016: the residual network of 110 layers on CIFAR-10, figures 3 and 5,",
            "which are curves; after 10 of its 54 units the error is around 20 %, after 20 there is a",
            "severe drop in performance (sections 4.2 and 6); of a VGG network of 15 layers they say",
            "that deleting any one layer takes it to chance, an error of 90 %",
            f"here: {self.data.beside}, and a short training",
        ]
        if not any(self.residual[0].changes):
            lines.append("fully connected: no unit changes the shape, and nothing is normalised")
        return [*lines, self._in_short(), *quickly(
            self.quick, f"{self.steps} steps of MLPs, {self.draws} draws; theirs are convolutional, as are "
            "the full setting's",
        )]  # fmt: skip


def _spread(runs: Sequence[Lesioned], row: Row) -> str:
    """Return the median and the range of errors in per cent; nothing where there is none."""
    found = [100 * row.value(one) for one in runs]
    return "" if math.isnan(found[0]) else spread(found)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
