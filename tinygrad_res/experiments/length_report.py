"""The outcome of measuring effective path lengths: as text, as a plot, as numbers in a file.

The table sets each number beside the closed form for random branches, where there is one,
and beside what was first found on such networks.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FigureError
from ..files import write_whole
from ..report import Training
from .lengths import Lengths, at_random

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


@dataclass(frozen=True)
class EffectivePathLength:
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
                low, high = _shown(min(values)), _shown(max(values))
                between = f"{low} to {high}" if len(runs) > 1 else ""
                known = _shown(getattr(closed, name)) if closed else ""
                said, verdict = self._compared(stage, name, values)
                rows.append(
                    f"  {words:<31}{_shown(sum(values) / len(values)):>8}  "
                    f"{between:>17}  {known:>11}  {said:<9}{verdict}".rstrip()
                )
        return "\n".join([self._heading(), *rows, "", *self._footing()])

    def plot(self) -> Figure:
        """Return a matplotlib figure: the share of each length in the first run's totals."""
        from matplotlib.figure import Figure as MatplotlibFigure

        from viz.style import PALETTE

        colours = {name: light for name, (light, _) in PALETTE.items()}
        figure = MatplotlibFigure(figsize=(7.2, 7.4), layout="constrained")
        stages = self.stages.values()
        for axes, (title, runs, _) in zip(figure.subplots(len(stages), 1), stages, strict=True):
            _panel(axes, title, runs[0], colours)
        axes.set_xlabel("length: residual branches crossed", color=colours["ink"])
        return figure

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON holds; counts are strings, being unbounded."""
        values = asdict(self)
        for stage, (_, runs, _) in self.stages.items():
            values[stage] = [_listed(run) for run in runs]
        return values

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the numbers to a file that ends in ``.json``, or the plot to one in ``.png``.

        The file appears complete or not at all.

        Raises:
            FigureError: the ending is unknown, or the file cannot be written.
        """
        writers = {".json": self._json, ".png": self._png}
        ending = Path(path).suffix.lower()
        if ending not in writers:
            raise FigureError(
                f"save: {str(path)!r} does not end in a known format: use {' or '.join(writers)}"
            )
        return write_whole(path, writers[ending]())

    def _json(self) -> bytes:
        return (json.dumps(self.as_dict(), indent=2) + "\n").encode()

    def _png(self) -> bytes:
        file = io.BytesIO()
        self.plot().savefig(file, format="png", dpi=200, metadata={"Software": None})
        return file.getvalue()

    def _heading(self) -> str:
        first, last = min(self.seeds), max(self.seeds)
        seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
        accuracy = sum(t.accuracy for t in self.training) / len(self.training)
        return (
            f"pre-activation residual MLP, {self.blocks} blocks of width {self.width}; {seeds}\n"
            f"trained on digits for {self.training[0].steps} steps: "
            f"{100 * accuracy:.1f} % of held-out images right\n"
            f"gradient of the loss by {self.batch} held-out images; a path's length is the "
            "number of\nresidual branches it crosses; "
            f"{self.samples} single paths sampled for each length"
        )

    def _compared(self, stage: str, name: str, values: Sequence[float]) -> tuple[str, str]:
        """Return the number first found, and where ours lie beside it."""
        same = stage == "random" or (self.blocks, self.gain) == (24, 24**-0.5)
        if (stage, name) not in REFERENCE or not same:
            return "", ""
        said, low, high = REFERENCE[stage, name]
        mean = sum(values) / len(values)
        if low <= mean <= high:
            return said, "agrees"
        reached = len(values) > 1 and min(values) <= high and max(values) >= low
        return said, f"{'mean' if reached else 'all'} {'lower' if mean < low else 'higher'}"

    def _footing(self) -> list[str]:
        lines = [
            "closed form: branches of independent random weights, on average over networks",
            "reference: an earlier measurement of such networks, which does not name their width,",
            "optimiser and steps; agrees: our mean rounds to it; mean higher (lower): some of our",
            "runs reach it; all higher (lower): none does",
        ]
        if self.quick:
            lines += [
                "quick setting: one short run and few samples, so differences are to be expected"
            ]
        return lines


def _listed(run: Lengths) -> dict[str, Any]:
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


def _shown(value: float) -> str:
    """Write a number in three digits.

    >>> _shown(4.068), _shown(0.0137), _shown(47280.4)
    ('4.07', '0.0137', '47,280')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _panel(axes: Axes, title: str, run: Lengths, colours: dict[str, str]) -> None:
    """Draw one network: exact norms as bars, the estimate as a line, each relative to its sum."""
    exact, estimate = (
        {k: m / sum(mass.values()) for k, m in mass.items()} for mass in (run.norms, run.estimate)
    )
    longest = next(k for k in sorted(exact, reverse=True) if max(exact[k], estimate[k]) > 1e-3)
    top = max(*exact.values(), *estimate.values())
    shown = range(min(longest + 1, max(exact)) + 1)
    axes.bar(
        shown, [exact[k] for k in shown], width=0.62,
        color=[colours["weight" if k else "identity"] for k in shown],
    )  # fmt: skip
    axes.plot(shown, [estimate[k] for k in shown], "o-", color=colours["quiet"], markersize=3.5)
    for centre, height, name, words in (
        (run.exact_centre, 1.30, "weight", f"exact norms: centre {run.exact_centre:.1f}"),
        (run.estimate_centre, 1.12, "quiet",
         f"estimate: centre {run.estimate_centre:.1f}, total × {_shown(run.overcount)}"),
    ):  # fmt: skip
        axes.vlines([centre], 0, height * top, color=colours[name], linewidth=1, linestyle=":")
        axes.annotate(
            words, (centre, height * top), xytext=(4, -3), textcoords="offset points",
            color=colours[name], size=9,
            bbox={"facecolor": colours["paper"], "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    free = f"weight-free path: signed share {_shown(run.weight_free_share)}"
    axes.set_title(free, loc="right", color=colours["identity"], size=9)
    axes.set_title(title, loc="left", color=colours["ink"], weight="bold", size=10.5)
    axes.set_ylabel("share of the total", color=colours["ink"])
    axes.set_ylim(0, 1.42 * top)
    axes.locator_params(axis="x", integer=True)
    axes.grid(axis="y", color=colours["faint"], linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=colours["quiet"], labelsize=8.5, length=3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(colours["quiet"])
