"""Names of weights within a block, without what all of them begin and end with.

A network's weights are named by their place, as in ``layer1.0.branch.3.weight``.  In the figure the
block stands for ``layer1.0`` and the square for ``weight``, so that ``branch.3`` is left to say.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from .parts import Lane

_ENDING = ".weight"


def shortened(lanes: Sequence[Lane]) -> list[Lane]:
    """Return the ways of a block, their weights called by what tells them apart, one by its layer."""
    names = {s.label for lane in lanes for s in lane.steps if s.kind == "weight" and "." in s.label}
    parts = zip(*(name.split(".")[:-2] for name in names), strict=False)
    shared = sum(1 for _ in itertools.takewhile(lambda part: len(set(part)) == 1, parts))
    called = {name: _short(name, shared) for name in names}
    return [
        replace(
            lane,
            steps=tuple(
                replace(step, label=called[step.label], name=step.label)
                if step.kind == "weight" and step.label in called else step
                for step in lane.steps
            ),
        )
        for lane in lanes
    ]  # fmt: skip


def _short(name: str, shared: int) -> str:
    """Return a dotted name without its first parts.

    >>> _short("layer1.0.branch.3.weight", 2), _short("0.3.weight", 1), _short("0.3.gamma", 1)
    ('branch.3', '3.weight', '3.gamma')
    """
    left = ".".join(name.split(".")[shared:])
    bare = left.removesuffix(_ENDING)
    return left if bare.isdecimal() else bare
