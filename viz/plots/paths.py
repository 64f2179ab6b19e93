"""plot_paths: how many paths there are of each degree, and how much gradient they carry.

Panels share the degree axis.  Counts may have hundreds of digits, so logarithms are taken of
the exact integers and only those are plotted.  Of one set of paths the weight-free ones
are marked in words as well as in red; several sets are lines side by side.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tinygrad_res.errors import FigureError, GradientError, GraphError, UsageError
from tinygrad_res.graph_parts import Grading
from tinygrad_res.measures import Paths
from tinygrad_res.whole_numbers import at_least

from .. import text
from ..headline import count_words
from ..norms import norms_by
from ..ticks import unplotted
from .panel import Panel
from .plot import Plot
from .series import Series, enough

_WORDS = {
    "weight": "weight layers crossed",
    "scale": "learned scales crossed",
    "block": "residual branches crossed",
    "activation": "activations crossed",
    "length": "edges on the path",
}


@dataclass(frozen=True)
class ByDegree:
    """A set of paths by degree.

    Attributes:
        counts: the exact number of paths of each degree.
        norms: the exact gradient norm of each degree that was computed.
        unknown: why there is no norm, where there is no gradient to measure.
        shares: the signed share of each degree in the gradient, where it was asked for.
        exact, sampled: the probability of each degree, and how often it was drawn, where
            samples were asked for.
        samples: the number of paths drawn.
        level: the level that paths were counted at.
    """

    counts: dict[int, int]
    norms: dict[int, float]
    shares: dict[int, float]
    exact: dict[int, float]
    sampled: dict[int, float]
    samples: int
    level: str
    unknown: str = ""


class PathsPlot(Plot):
    """What ``viz.plot_paths`` returns.

    Attributes:
        sets: what was found of each set, by its name; of a set without one, by ``""``.
    """

    def __init__(self, panels: list[Panel], title: str, red: bool, sets: dict[str, ByDegree]) -> None:  # fmt: skip
        super().__init__(panels, title, red)
        self.sets = sets

    def __repr__(self) -> str:
        return f"PathsPlot({self.title!r} by {self.panels[0].x}, {self.level} level)"

    @property
    def counts(self) -> dict[int, int]:
        """The exact number of paths of each degree, of the only set."""
        return self._only("counts").counts

    @property
    def norms(self) -> dict[int, float]:
        """The exact gradient norm of each degree that was computed, of the only set."""
        return self._only("norms").norms

    @property
    def shares(self) -> dict[int, float]:
        """The signed share of each degree in the gradient, of the only set."""
        return self._only("shares").shares

    @property
    def level(self) -> str:
        """The level that paths were counted at; of sets at different levels, each of these."""
        return _levels(self.sets)

    def _only(self, what: str) -> ByDegree:
        if len(self.sets) > 1:
            raise UsageError(
                f"{what}: the plot compares several sets: ask plot.sets[name].{what}, for one of "
                f"{', '.join(self.sets)}"
            )
        return next(iter(self.sets.values()))


def plot_paths(
    paths: Paths | Mapping[str, Paths], by: Grading = "weight", max_degree: int | None = None,
    show: Collection[str] | None = None, samples: int = 1000, seed: int = 0,
) -> PathsPlot:  # fmt: skip
    """Plot the number of paths and the norm of their gradient by degree, both exact.

    Args:
        paths: a set of paths, from ``tg.paths``; or several to compare, ``{name: paths}``.
        by: a grading, as for ``paths.count_by``.
        max_degree: the highest degree whose norm is computed; left out, as many as a
            few hundred thousand visits of edges allow, which the plot says.
        show: the panels, from top to bottom: ``"counts"``; ``"norms"``; ``"shares"``, the
            signed share of each degree in the gradient; ``"samples"``, how often
            ``paths.sample`` draws each degree, beside its exact probability.  Left out, counts
            and norms, or counts alone where there is no gradient to measure, as in a graph
            from a file, which the plot says.
        samples, seed: how many paths to draw, and the seed of the draws.

    Returns:
        A plot; its ``counts``, ``norms`` and ``shares``, or ``sets`` where it compares, hold
        the numbers.

    Raises:
        FigureError: ``paths`` is no set of paths, or an empty one.
        UsageError: a panel is unknown, or a number is out of its bounds.
        GraphError: the gradient is zero or not finite, so that nothing has a share; or norms are
            asked for by name and the graph holds no arrays to differentiate.
        GradientError: the same of an output of several elements without a cotangent.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> W = tg.parameter([[0.5, 0.0], [0.0, 0.5]], name="W")
    >>> plot_paths(tg.paths((x + x @ W).sum(), x)).counts
    {0: 1, 1: 1}
    """
    given = dict(paths) if isinstance(paths, Mapping) else {"": paths}
    for one in given.values():
        if not isinstance(one, Paths):
            raise FigureError(
                f"plot_paths: expected paths, got {type(one).__name__}: "
                "pass what tg.paths(loss, x) returned"
            )
    usual = ("counts", "norms")
    wanted = usual if show is None else (show,) if isinstance(show, str) else tuple(show)
    unknown = [name for name in wanted if name not in _PANELS]
    if unknown or not wanted:
        raise UsageError(f"plot_paths: show={show!r}: name one or more of {', '.join(_PANELS)}")
    enough("plot_paths", len(given) * (2 if "samples" in wanted else 1))
    samples = at_least(1, "plot_paths", "samples", samples)
    sets = {
        str(name): _measured(one, by, max_degree, wanted, samples, seed, show is None)
        for name, one in given.items()
    }
    words = _WORDS.get(by, by) if isinstance(by, str) else "degree"
    free = words == _WORDS["weight"]
    panels = [panel for name in wanted if (panel := _PANELS[name](sets, words, free))]
    return PathsPlot(panels, _headline(sets, free), _red(sets, free), sets)


def _measured(
    paths: Paths, by: Grading, max_degree: int | None, wanted: Collection[str], samples: int,
    seed: int, able: bool,
) -> ByDegree:  # fmt: skip
    counts = paths.count_by(by)
    if not counts:
        raise FigureError("plot_paths: there is no path in this set, so nothing to plot")
    norms: dict[int, float] = {}
    unknown = ""
    if "norms" in wanted:
        try:
            norms = norms_by(paths, by, max_degree)
        except (GradientError, GraphError) as refused:
            if not able:
                raise
            unknown = re.split("[:;]", str(refused).removeprefix("paths: "))[0]
    exact: dict[int, float] = {}
    sampled: dict[int, float] = {}
    if "samples" in wanted:
        drawn = Counter(path.degree(by) for path in paths.sample(samples, seed))
        mass = counts
        if paths.level == "scalar":  # where a path is drawn by the size of its product
            mass = {k: paths.with_degree(by, k).absolute_mass() for k in counts}  # type: ignore[misc]
        total = sum(mass.values())
        exact = {k: m / total for k, m in mass.items()}
        sampled = {k: drawn[k] / samples for k in counts}
    shares = paths.shares(by) if "shares" in wanted else {}
    drawings = samples if sampled else 0
    return ByDegree(counts, norms, shares, exact, sampled, drawings, paths.level, unknown)


def _headline(sets: Mapping[str, ByDegree], free: bool) -> str:
    if len(sets) > 1:
        if not free:
            return ""
        said = (
            f"{text.clean(name)}: {text.grouped(one.counts.get(0, 0))} of "
            f"{text.grouped(sum(one.counts.values()))}"
            for name, one in sets.items()
        )
        return f"Weight-free paths. {'; '.join(said)}"
    (one,) = sets.values()
    return count_words(one.counts.get(0, 0), sum(one.counts.values()), free)


def _levels(sets: Mapping[str, ByDegree]) -> str:
    return " and ".join(dict.fromkeys(one.level for one in sets.values()))


def _red(sets: Mapping[str, ByDegree], free: bool) -> bool:
    return free and len(sets) == 1 and all(0 in one.counts for one in sets.values())


def _panel(
    sets: Mapping[str, ByDegree], words: str, free: bool, y: str,
    values: Callable[[ByDegree], Mapping[int, Any]], shown: Callable[[Any], str],
    note: str = "", log: bool = True,
) -> Panel | None:  # fmt: skip
    """Return a panel of stems for one set, of lines for several."""
    found = {name: values(one) for name, one in sets.items()}
    series = tuple(
        Series(name, tuple(numbers), tuple(numbers.values()))
        for name, numbers in found.items()
        if numbers
    )
    if not series:
        return None
    if len(sets) > 1:
        return Panel(words, y, series, note=note, log=log)
    (numbers,) = found.values()
    return Panel(
        words, y, series, note=note, log=log, kind="stems",
        free=shown(numbers[0]) if free and 0 in numbers else "",
    )  # fmt: skip


def _counts(sets: Mapping[str, ByDegree], words: str, free: bool) -> Panel | None:
    said = [f"counted at {_levels(sets)} level"]
    for name, one in sets.items():
        whose = f" of {text.clean(name)}" * bool(name)
        said += [f"no gradient norms{whose}: {one.unknown}"] * bool(one.unknown)
    return _panel(
        sets, words, free, "number of paths", lambda one: one.counts, text.grouped, "; ".join(said)
    )


def _norms(sets: Mapping[str, ByDegree], words: str, free: bool) -> Panel | None:
    notes = []
    for name, one in sets.items():
        whose = f"{text.clean(name)}: " * bool(name)
        short = one.norms and max(one.norms) < max(one.counts)
        cut = f"computed up to {max(one.norms)}" if short else ""
        said = "; ".join(filter(None, (cut, unplotted(one.norms))))
        notes += [whose + said] * bool(said)
    return _panel(
        sets, words, free, "gradient norm", lambda one: one.norms, text.value, "; ".join(notes)
    )


def _shares(sets: Mapping[str, ByDegree], words: str, free: bool) -> Panel | None:
    note = "shares sum to 1; one below 0 works against the whole"
    return _panel(
        sets, words, free, "signed share of the gradient", lambda one: one.shares, text.value,
        note, log=False,
    )  # fmt: skip


def _samples(sets: Mapping[str, ByDegree], words: str, _free: bool) -> Panel | None:
    series = []
    for name, one in sets.items():
        places = tuple(one.exact)
        spread = [2 * math.sqrt(p * (1 - p) / one.samples) for p in one.sampled.values()]
        found = tuple(one.sampled.values())
        series += [
            Series(f"{name} exact".strip(), places, tuple(one.exact.values())),
            Series(
                f"{name} sampled".strip(), places, found,
                tuple(max(p - s, 0.0) for p, s in zip(found, spread, strict=True)),
                tuple(p + s for p, s in zip(found, spread, strict=True)), joined=False,
            ),
        ]  # fmt: skip
    (samples,) = {one.samples for one in sets.values()}
    weighed = any(one.level == "scalar" for one in sets.values())
    drawn = "by the size of their products" if weighed else "uniformly"
    note = f"{text.grouped(samples)} paths drawn {drawn}; bars: two standard errors"
    return Panel(words, "probability of a path", tuple(series), note=note)


_PANELS = {"counts": _counts, "norms": _norms, "shares": _shares, "samples": _samples}
"""What can be shown, from the sets, the words of the axis, and whether 0 is weight-free."""
