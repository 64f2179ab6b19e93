"""Experiments: findings about gradients, each reproduced by one command.

An experiment is a function of ``(quick, seed, executor)`` and more keywords of its own; its
result has ``table()``, ``plot()`` and ``save(path)``.  ``EXPERIMENTS`` lists them under the
names that ``tinygrad-res experiment NAME`` takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .degradation import degradation, responses
from .effective_paths import effective_path_length
from .length_report import EffectivePathLength
from .lengths import Lengths, at_random, path_lengths
from .outcome import Outcome

__all__ = [
    "EXPERIMENTS", "EffectivePathLength", "Experiment", "Lengths", "at_random", "degradation",
    "effective_path_length", "path_lengths", "responses",
]  # fmt: skip


class Experiment(NamedTuple):
    """A row of the table: what to run, and what it shows in one line."""

    run: Callable[..., Outcome]
    shows: str


EXPERIMENTS = {
    "degradation": Experiment(
        degradation,
        "deeper plain networks train worse than shallower ones, residual ones do not",
    ),
    "responses": Experiment(
        responses,
        "how large the layers' responses are in trained networks, plain and residual",
    ),
    "effective-path-length": Experiment(
        effective_path_length,
        "sampled single paths overstate how long the paths are that carry a gradient",
    ),
}
"""The experiments by the names that the command line takes."""
