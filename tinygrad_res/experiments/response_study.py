"""Responses: how large the outputs of layers are in trained networks, plain and residual.

He et al. 2015, Deep Residual Learning, figure 7, take the standard deviation of what each layer
puts out as a sign of how near the identity a block is: what a residual block adds to its input is
small, and smaller still in a deeper network.  The networks are those of ``depth``, whose kept
cells are taken where they are there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from .depth import KINDS, ByDepth, below, train_by_depth
from .outcome import aligned, in_short, on_one_side
from .recipe import FAMILIES
from .settings import spread

if TYPE_CHECKING:
    from viz import Plot

FIRST, LAST = "first of each block", "last of each block"
PLACES = {"all layers": slice(None), FIRST: slice(0, None, 2), LAST: slice(1, None, 2)}
"""Which layers a mean response is taken of."""


class Responses(ByDepth):
    """How large the layers' responses are in trained networks."""

    def table(self) -> str:
        """Return the mean over layers, of all, of the first and of the last in each block."""
        heads = ["family", "net", "layers", *PLACES]
        rows = []
        for family in FAMILIES:
            for shortcut, kind in KINDS.items():
                for depth in self.depths:
                    runs = [run["responses"] for run in self.of(family, shortcut, depth)]
                    rows.append([
                        family, kind, str(depth),
                        *(spread([_mean(run[where]) for run in runs]) for where in PLACES.values()),
                    ])  # fmt: skip
        return "\n".join([
            self.heading(), "standard deviation of a layer's responses, mean over layers", "",
            aligned(heads, rows, words=2), "", *self._verdicts(), "",
            "He et al. 2015, figure 7, has the curves: residual networks respond less than plain",
            "ones, and deeper residual networks less than shallower ones.  Behind a batch",
            "normalisation a response starts at 1 and moves with gamma: little in a training this",
            "short, but far in the first layers of a plain network that is deep and hardly learns.",
            "Without normalisation, in the fully connected networks, sizes are free.  There the first",
            "layer of a residual block reads the whole sum that the blocks before it have built, which",
            "grows; so it, and with it the mean of all layers, may respond more than a plain one.  What",
            "the block adds, its last layer, starts smaller by the square root of the number of blocks.",
            "Their figure has every layer; their argument, that F is near zero, is about the last ones.",
            self._in_short(),
            *self.quickly("how responses part"),
        ])  # fmt: skip

    def _verdicts(self) -> list[str]:
        """Return in how many runs responses are smaller with shortcuts, and with more layers."""
        rows = [
            [family, str(depth), *(
                below(*(self._means(family, kind, depth, where) for kind in ("identity", "none")))
                for where in PLACES
            )]
            for family in FAMILIES for depth in self.depths
        ]  # fmt: skip
        lines = ["runs in which the residual network's are smaller than the plain one's", ""]
        lines += [aligned(["family", "layers", *PLACES], rows), ""]
        low, high = min(self.depths), max(self.depths)
        if low < high:
            for family in FAMILIES:
                deep, shallow = (
                    self._means(family, "identity", depth, LAST) for depth in (high, low)
                )
                lines.append(
                    f"{family}, residual: {LAST} smaller with {high} layers than with {low} in "
                    f"{below(deep, shallow)}"
                )
        return lines

    def _less(self) -> list[bool]:
        """Return for each network and run whether the last layers of residual blocks respond less."""
        pairs = [
            (self._means(family, "identity", depth, LAST), self._means(family, "none", depth, LAST))
            for family in FAMILIES for depth in self.depths
        ]  # fmt: skip
        return [a < b for residual, plain in pairs for a, b in zip(residual, plain, strict=True)]

    def _in_short(self) -> str:
        """Say in how many networks residual layers respond less, and deeper ones less still."""
        low, high = min(self.depths), max(self.depths)
        less = self._less()
        told = (
            f"what a block adds, its last layer, responds less than a plain one in {sum(less)} of "
            f"{len(less)} runs"
        )
        if low == high:
            return in_short(on_one_side(less), told)
        deeper = [
            a < b for family in FAMILIES
            for a, b in zip(*(self._means(family, "identity", d, LAST) for d in (high, low)), strict=True)
        ]  # fmt: skip
        return in_short(
            on_one_side(less + deeper),
            f"{told}, and less with {high} layers than with {low} in {sum(deeper)} of {len(deeper)}",
        )

    def _means(self, family: str, shortcut: str, depth: int, where: str) -> list[float]:
        """Return each run's mean over the layers of a place."""
        return [_mean(run["responses"][PLACES[where]]) for run in self.of(family, shortcut, depth)]

    def plot(self) -> Plot:
        """Return the responses of each block's two layers, for the least and the greatest depth."""
        import viz

        depths = {
            f"{family}, {depth} layers": (family, depth)
            for family in FAMILIES
            for depth in sorted({min(self.depths), max(self.depths)})
        }
        panels = {
            title: {
                f"{kind}, {place}": [
                    run["responses"][PLACES[where]] for run in self.of(family, shortcut, depth)
                ]
                for shortcut, kind in KINDS.items()
                for place, where in (("first", FIRST), ("last", LAST))
            }
            for title, (family, depth) in depths.items()
        }
        return viz.plot_series(
            panels,
            x={title: f"blocks before it, of {(depth - 2) // 2}" for title, (_, depth) in depths.items()},
            title=("What residual blocks add is smaller than plain layers' outputs: " if all(self._less())
                   else "How much layers respond, plain and residual: ") + self.data.said,
            y="standard deviation of a block's first and last layer", log=True,
        )  # fmt: skip


def responses(
    depths: Sequence[int] | None = None, steps: int | None = None, batch: int | None = None,
    runs: int | None = None, data: str | os.PathLike[str] = "digits", limit: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Responses:  # fmt: skip
    """Measure the layers' responses in networks trained as for ``degradation``.

    Source: He et al. 2015, Deep Residual Learning, section 4.2, figure 7.  Arguments and errors
    are those of ``degradation``; in the same ``folder`` what one has trained the other takes.

    >>> found = responses(depths=(8,), steps=2, batch=8, runs=1)
    >>> len(found.of("convolutional", "none", 8)[0]["responses"])
    6
    """
    return Responses(**train_by_depth(
        "responses", list(FAMILIES), depths, steps, batch, runs, data, limit,
        quick, seed, executor, folder,
    ))  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
