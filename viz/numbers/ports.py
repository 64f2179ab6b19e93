"""Ports: in a dense layer every wire ends in a row of its own, where its label stands.

Between two columns of numbers that are all joined, wires cross everywhere, and a label on a
crossing could belong to any of them.  So the labels stand in a column beside the numbers, where
the wires of each number lie side by side: at the end with fewer wires for each number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .network import Wire

FEWEST, MOST = 4, 6
"""Ports are given to so many crossing wires, and to at most so many at each number."""
ROW, BEND = 17.0, 30.0
"""The height of a row, and the way from the rows to their number."""


class Port(NamedTuple):
    """A row beside a number.

    Attributes:
        at_output: whether it lies beside the output, else beside the operand.
        rise: its height above or below the number.
    """

    at_output: bool
    rise: float


def ports_of(wires: Sequence[Wire], at: Mapping[int, int]) -> dict[int, Port]:
    """Return the port of every wire that needs one, by the wire's place in the list.

    Args:
        at: the column of every number, the numbers of each column from above.
    """
    order = {number: i for i, number in enumerate(at)}
    gaps: dict[int, list[int]] = defaultdict(list)
    for i, wire in enumerate(wires):
        if wire.label and at[wire.output] == at[wire.operand] + 1:
            gaps[at[wire.operand]].append(i)
    found: dict[int, Port] = {}
    for members in gaps.values():
        ends = [(wires[i].operand, wires[i].output) for i in members]
        beside = [_grouped(members, ends, side) for side in (0, 1)]
        fans = [max(map(len, groups.values())) for groups in beside]
        at_output = fans[1] <= fans[0]
        crossing = len(members) >= FEWEST and all(len(groups) > 1 for groups in beside)
        if not crossing or fans[at_output] > MOST:
            continue
        for rows in beside[at_output].values():
            rows.sort(key=lambda i: order[wires[i].operand if at_output else wires[i].output])
            for k, i in enumerate(rows):
                found[i] = Port(at_output, (k - (len(rows) - 1) / 2) * ROW)
    return found


def _grouped(
    members: Sequence[int], ends: Sequence[tuple[int, int]], side: int
) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for i, pair in zip(members, ends, strict=True):
        found[pair[side]].append(i)
    return found


def pitch(
    wires: Sequence[Wire], ports: Mapping[int, Port], at: Mapping[int, int]
) -> dict[int, float]:
    """Return how far apart the numbers of a column must stand, where there are ports beside it."""
    found: dict[int, float] = {}
    for i, port in ports.items():
        column = at[wires[i].output if port.at_output else wires[i].operand]
        found[column] = max(found.get(column, 0.0), 2 * abs(port.rise) + ROW + 12)
    return found
