"""The outcome of measuring effective path lengths: as text, as a plot, as numbers in a file.

The table sets each number beside the closed form for random branches, where there is one,
and beside what was first found on such networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..report import Training
from .lengths import Lengths, at_random
from .outcome import Outcome, in_short, number, on_one_side
from .settings import numbered
from .sources import DIGITS, Source

if TYPE_CHECKING:
    from viz import Plot

QUANTITIES = {
    "estimate centres at": "estimate_centre",
    "exact norms centre at": "exact_centre",
    "signed shares centre at": "share_centre",
    "estimate over exact total": "overcount",
    "weight-free path's share": "weight_free_share",
}
"""The rows of the table, and the attributes of ``Lengths`` that they show."""

REFERENCE = {
    ("before", "estimate_centre"): ("4.0-4.5", 3.95, 4.55),
    ("before", "exact_centre"): ("1.4", 1.35, 1.45),
    ("before", "overcount"): ("26", 25.5, 26.5),
    ("before", "weight_free_share"): (".39", 0.385, 0.395),
    ("after", "estimate_centre"): ("4.0-4.5", 3.95, 4.55),
    ("after", "exact_centre"): ("about 3", 2.5, 3.5),
    ("after", "overcount"): ("6", 5.5, 6.5),
    ("after", "weight_free_share"): (".005", 0.0045, 0.0055),
    ("random", "estimate_centre"): ("12.5", 12.45, 12.55),
    ("random", "exact_centre"): ("5.0", 4.95, 5.05),
}
"""First found on 24 and 54 blocks, as written, and the interval that rounds to it."""

_SEEN = 1e-3
"""A share of the total that a plot still shows."""


@dataclass(frozen=True)
class EffectivePathLength(Outcome):
    """Paths by length in three networks, each run by run.

    Attributes:
        blocks, width, gain: the trained network.
        seeds: of the runs, which differ in weights, batches, held-out images and samples.
        samples: paths sampled for each length.
        batch: held-out images that the gradient is taken on.
        quick: whether this was the quick setting.
        training: how each run's training went.
        before, after: the network before and after training.
        random_blocks, random_gain: a deep random network.
        random: that network.
        data: what was trained and measured on.
    """

    blocks: int
    width: int
    gain: float
    seeds: tuple[int, ...]
    samples: int
    batch: int
    quick: bool
    training: tuple[Training, ...]
    before: tuple[Lengths, ...]
    after: tuple[Lengths, ...]
    random_blocks: int
    random_gain: float
    random: tuple[Lengths, ...]
    data: Source = DIGITS

    @property
    def stages(self) -> dict[str, tuple[str, tuple[Lengths, ...], Lengths | None]]:
        """For each network its title, its runs, and the closed form where there is one."""
        start, deep = (
            at_random(self.blocks, self.gain), at_random(self.random_blocks, self.random_gain)
        )  # fmt: skip
        return {
            "before": (f"{self.blocks} blocks, before training", self.before, start),
            "after": (f"{self.blocks} blocks, after training", self.after, None),
            "random": (f"{self.random_blocks} blocks, random", self.random, deep),
        }

    def table(self) -> str:
        """Return the outcome as text: the mean over runs, their range, and what is known."""
        rows = []
        for stage, (title, runs, closed) in self.stages.items():
            rows += ["", f"{title:<33}{'ours':>8}  {'range':>17}  {'closed form':>11}  reference"]
            for words, name in QUANTITIES.items():
                values = [getattr(run, name) for run in runs]
                low, high = number(min(values)), number(max(values))
                between = f"{low} to {high}" if len(runs) > 1 else ""
                known = number(getattr(closed, name)) if closed else ""
                said, verdict = self._compared(stage, name, values)
                rows.append(
                    f"  {words:<31}{number(sum(values) / len(values)):>8}  "
                    f"{between:>17}  {known:>11}  {said:<9}{verdict}".rstrip()
                )
        return "\n".join([self._heading(), *rows, "", *self._footing()])

    def plot(self) -> Plot:
        """Return a panel for each network: each length's share in the totals, over runs."""
        import viz

        panels, words, ends = {}, {}, dict[int, int]()
        for _, runs, _ in self.stages.values():  # networks of as many blocks end at the same length
            rows = (*_shares(runs, "norms"), *_shares(runs, "estimate"))
            seen = max(k for row in rows for k, m in enumerate(row) if m > _SEEN)
            blocks = max(runs[0].counts)
            ends[blocks] = max(1 + seen, ends.get(blocks, 0))
        for title, runs, _ in self.stages.values():
            blocks = max(runs[0].counts)
            words[title] = f"length: residual branches crossed, of {blocks}"
            panels[title] = {
                f"{what}, centre {number(_mean(runs, centre))}": [
                    row[: ends[blocks]] for row in _shares(runs, name)
                ]
                for what, centre, name in (
                    ("exact norms", "exact_centre", "norms"),
                    ("estimate", "estimate_centre", "estimate"),
                )
            }
        return viz.plot_series(
            panels, x=words, y="share of the total",
            title=("Sampled single paths overstate the length: " if all(self._above())
                   else "The gradient by length of its paths, exactly and estimated: ") + self.data.said,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON holds; counts are strings, being unbounded."""
        values = asdict(self)
        for stage, (_, runs, _) in self.stages.items():
            values[stage] = [listed(run) for run in runs]
        return values

    def _heading(self) -> str:
        accuracy = sum(t.accuracy for t in self.training) / len(self.training)
        return (
            f"pre-activation residual MLP, {self.blocks} blocks of width {self.width}; {numbered(self.seeds)}\n"
            f"trained on {self.data.said} for {self.training[0].steps} steps: "
            f"{100 * accuracy:.1f} % of held-out images right\n"
            f"gradient of the loss by {self.batch} held-out images; a path's length is the "
            "number of\nresidual branches it crosses; "
            f"{self.samples} single paths sampled for each length"
        )

    def _compared(self, stage: str, name: str, values: Sequence[float]) -> tuple[str, str]:
        """Return the number first found, and where ours lie beside it."""
        known = self.data.path, self.blocks, self.gain
        same = stage == "random" or known == ("digits", 24, 24**-0.5)
        if (stage, name) not in REFERENCE or not same:
            return "", ""
        said, low, high = REFERENCE[stage, name]
        mean = sum(values) / len(values)
        if low <= mean <= high:
            return said, "agrees"
        reached = len(values) > 1 and min(values) <= high and max(values) >= low
        return said, f"{'mean' if reached else 'all'} {'lower' if mean < low else 'higher'}"

    def _in_short(self) -> str:
        """Say in how many runs the estimate centres above the exact norms, and where they do."""
        above = self._above()
        told = "; ".join(f"{title}, {_centres(stage)}" for title, stage, _ in self.stages.values())
        return in_short(
            on_one_side(above),
            f"sampled single paths put the gradient's centre above the exact one in {sum(above)} of "
            f"{len(above)} runs: {told}",
        )

    def _above(self) -> list[bool]:
        """Return for each run whether the estimate centres above the exact norms."""
        runs = [run for _, stage, _ in self.stages.values() for run in stage]
        return [run.estimate_centre > run.exact_centre for run in runs]

    def _footing(self) -> list[str]:
        lines = [
            "closed form: branches of independent random weights, on average over networks",
            "reference: an earlier measurement of such networks, which does not name their width,",
            "optimiser and steps; agrees: our mean rounds to it; mean higher (lower): some of our",
            "runs reach it; all higher (lower): none does",
            self._in_short(),
        ]
        if self.quick:
            lines += [
                "quick setting: one short run and few samples, so differences are to be expected"
            ]
        return lines


def _centres(runs: Sequence[Lengths]) -> str:
    return f"{number(_mean(runs, 'estimate_centre'))} against {number(_mean(runs, 'exact_centre'))}"


def listed(run: Lengths) -> dict[str, Any]:
    """Return a run as values that JSON holds, with a row for each length."""
    estimate = run.estimate
    return {
        **{name: getattr(run, name) for name in QUANTITIES.values()},
        "gradient_norm": run.gradient_norm,
        "by_length": [
            {
                "length": k,
                "paths": str(n),
                "gradient_norm": run.norms[k],
                "signed_share": run.shares[k],
                "single_path_norm": run.single[k],
                "estimate": estimate[k],
            }
            for k, n in run.counts.items()
        ],
    }


def _mean(runs: Sequence[Lengths], name: str) -> float:
    return float(sum(getattr(run, name) for run in runs) / len(runs))


def _shares(runs: Sequence[Lengths], name: str) -> list[list[float]]:
    """Return a row for each run: the share of every length in the run's total."""
    masses: list[Mapping[int, float]] = [getattr(run, name) for run in runs]
    return [[m / sum(mass.values()) for m in mass.values()] for mass in masses]
