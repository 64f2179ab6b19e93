"""Demonstration: a claim about paths, drawn once, and checked on networks of several seeds.

A cell builds a small network from its seed, and returns the claims, each with the number that
the source, a closed form or plain NumPy says and the number that the engine finds, and the sums
as a person would write them.  The outcome holds the claims of all seeds, and the first
seed's sums; its picture is that seed's network, built anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from .. import Formula, Tensor
from ..whole_numbers import at_least
from .outcome import Outcome, aligned, filled, in_short, number, on_one_side
from .settings import counted, numbered, quickly, ranged, spread
from .sweep import sweep

ROUNDING = 1e-11
"""How far two float64 numbers may be apart that are the same sum in another order."""

RUNS = {False: 20, True: 3}
"""How many seeds where that is left out, and in a quick run."""


@dataclass(frozen=True)
class Claim:
    """What is said of a network, and what was found.

    Attributes:
        words: what is counted or measured.
        said: for each seed, by the source or worked out without the engine; ``None`` where
            there is nothing to hold the finding against.
        found: for each seed.
    """

    words: str
    said: tuple[Any, ...]
    found: tuple[Any, ...]

    @property
    def holds(self) -> bool | None:
        """Whether all that was found is what is said: counts exactly, others up to rounding."""
        if self.said[0] is None:
            return None
        return all(map(_equal, self.said, self.found))

    def sentence(self) -> str:
        """Return what was found, where it is words, and what was said, where it is other words."""
        found = " or ".join(sorted(set(self.found)))
        other = (
            f" ({' or '.join(sorted(set(self.said)))} was expected)" if self.holds is False else ""
        )
        return f"{self.words}: {found}{other}  {VERDICTS[self.holds]}"


@dataclass(frozen=True)
class Sum:
    """A sum over paths as it is written.

    Attributes:
        of: what it is equal to, as text.
        step: the step that it was written after, as in ``tg.formula``.
        text, latex: the sum.
        value: what it comes to; of an array, its norm.
        terms: how many terms it has.
    """

    of: str
    step: str
    text: str
    latex: str
    value: float
    terms: int


@dataclass(frozen=True)
class Demonstration(Outcome):
    """Claims about a small network; subclasses say what it is called, and draw it.

    Attributes:
        called: the function that shows it.
        title: what is shown.
        source: where it is from, and how it says it.
        setting: the arguments of the network, besides the seed.
        seeds: of the networks.
        claims: with what was found for each seed.
        sums: those of the first seed.
        quick: whether this was the quick setting.
    """

    called: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    setting: dict[str, Any]
    seeds: tuple[int, ...]
    claims: tuple[Claim, ...]
    sums: tuple[Sum, ...]
    quick: bool = False

    @property
    def holds(self) -> bool:
        """Whether every claim does."""
        return all(claim.holds is not False for claim in self.claims)

    def table(self) -> str:
        """Return the claims beside what was found, and the sums term by term."""
        measured = [claim for claim in self.claims if not isinstance(claim.found[0], str)]
        rows = [
            (claim.words, _shown(claim.said), _found(claim), VERDICTS[claim.holds])
            for claim in measured
        ]
        phrases = [claim.sentence() for claim in self.claims if claim not in measured]
        lasts = {one.of: one for one in self.sums}
        written = [line for one in self.sums for line in _lines(one, one is lasts[one.of])]
        sums = ["", f"the sums for seed {self.seeds[0]}", *written] if written else []
        return "\n".join(
            [
                self.title, f"source: {self.source}",
                f"drawn at random, {numbered(self.seeds)}{ranged(self.seeds)}", "",
                aligned(("", "expected", "found", ""), rows), *phrases, "", *FOOTING,
                self._in_short(),
                *quickly(self.quick, f"{counted(self.seeds)}; what is counted is the same for every seed"), *sums,
            ]
        )  # fmt: skip

    def _in_short(self) -> str:
        """Say how many of the statements hold, of those that anything is expected of."""
        said = [claim.holds for claim in self.claims if claim.holds is not None]
        return in_short(
            on_one_side(said),
            f"{sum(said)} of {len(said)} statements hold for {numbered(self.seeds)}",
        )


FOOTING = (
    "expected: what the source says, a closed form or NumPy alone; found: by the engine, from the",
    f"recorded graph; holds: counts and words are the same, other numbers to {ROUNDING:g}",
)

VERDICTS = {True: "holds", False: "does not hold", None: ""}

Kind = TypeVar("Kind", bound=Demonstration)


def demonstrate(
    kind: type[Kind], cell: Callable[..., dict[str, Any]], setting: Mapping[str, Any],
    runs: int | None, quick: bool, seed: int, executor: Executor | None,
    folder: str | os.PathLike[str] | None, **plain: Any,
) -> Kind:  # fmt: skip
    """Return what ``cell(**setting, **plain, seed=...)`` shows for ``runs`` seeds from ``seed`` on.

    Args:
        kind: what to return.
        cell: builds a network, and returns plain values: ``"claims"``, rows of words, what is
            said and what is found; and ``"sums"``, of which each is the fields of a ``Sum``.
        setting: whole numbers from 1 on, of the network.
        runs: how many networks are drawn; 20 where left out.
        quick: 3 where left out.
        seed: of the first; each further one has the next.
        executor, folder: a pool or Dask client, and where to keep what is finished, as for
            ``sweep.sweep``.
        plain: further arguments of ``cell``, as they are.

    Raises:
        UsageError: the seed is no whole number from 0 on, or another number none from 1 on.
        SweepError: a network could not be built or looked at.
    """
    runs = RUNS[bool(quick)] if runs is None else runs
    setting = {name: at_least(1, kind.called, name, n) for name, n in setting.items()}
    runs = at_least(1, kind.called, "runs", runs)
    seed = at_least(0, kind.called, "seed", seed)
    seeds = tuple(range(seed, seed + runs))
    cells = [{**setting, **plain, "seed": one} for one in seeds]
    done = sweep(cell, cells, executor, folder, f"{kind.called}, seeds")
    columns = zip(*(one["claims"] for one in done), strict=True)
    claims = tuple(
        Claim(rows[0][0], tuple(r[1] for r in rows), tuple(r[2] for r in rows)) for rows in columns
    )
    return kind(setting, seeds, claims, tuple(Sum(**one) for one in done[0]["sums"]), bool(quick))


def in_steps(formula: Formula) -> list[dict[str, Any]]:
    """Return a formula after each of its steps, checked against backward, as plain values.

    Raises:
        GradientError: a step has another value than backward.
    """
    formula.check()
    return [
        {
            "of": formula.derivative.text, "step": step.name, "text": step.text,
            "latex": step.latex, "value": _size(step.value), "terms": step.terms,
        }
        for step in formula.steps
    ]  # fmt: skip


def apart(found: Any, expected: Any) -> float:
    """Return the largest difference, relative to the largest number where that is above 1.

    >>> apart([1.0, 100.0], [1.0, 101.0])
    0.009900990099009901
    """
    a, b = (
        np.asarray(part.numpy() if isinstance(part, Tensor) else part) for part in (found, expected)
    )
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))


def polynomial(counts: Mapping[int, int]) -> str:
    """Write how many paths cross so many weight layers, z standing for one.

    >>> polynomial({0: 1, 2: 3, 3: 1})
    '1 + 3z^2 + z^3'
    """
    return " + ".join(
        (f"{n if n > 1 or not k else ''}" + ("z" if k else "") + (f"^{k}" if k > 1 else ""))
        for k, n in sorted(counts.items())
    )


def _size(value: Any) -> float:
    return float(value) if np.ndim(value) == 0 else float(np.linalg.norm(np.ravel(value)))


def _equal(said: Any, found: Any) -> bool:
    if isinstance(said, float) or isinstance(found, float):
        return bool(abs(found - said) <= ROUNDING * max(1.0, abs(said)))
    return bool(said == found)


def _shown(values: Sequence[Any]) -> str:
    return "" if values[0] is None else spread(values)


def _found(claim: Claim) -> str:
    """Write what was found; of differences that should be 0 the largest, and once what is twice."""
    if len(claim.found) > 1 and all(isinstance(v, float) and v == 0 for v in claim.said):
        return f"up to {number(float(max(claim.found)))}"
    said, found = _shown(claim.said), _shown(claim.found)
    return "the same" if claim.holds and said == found and "to" in said else found


def _lines(one: Sum, last: bool) -> list[str]:
    """Return a line for each term, and behind the last step each in LaTeX."""
    text, latex = (_terms(written, one.terms) for written in (one.text, one.latex))
    lines = [
        f"  {one.of}, {one.step}: {one.terms} term{'s' * (one.terms != 1)}, {number(one.value)}",
        *(f"    {sign} {term}" for sign, term in zip("=" + "+" * len(text), text, strict=False)),
        *(f"    {'LaTeX:' if i == 0 else '     +'} {term}" for i, term in enumerate(latex * last)),
    ]
    return [filled(line, indent=12) for line in lines]


def _terms(written: str, count: int) -> list[str]:
    """Return the terms of a sum; a product of sums is one."""
    terms = written.split(" + ")
    return terms if len(terms) == count else [written]
