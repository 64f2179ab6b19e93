"""The parts of a chain: steps on lanes, lanes in links and blocks; what is drawn, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .letters import LETTERS

Kind = Literal["weight", "activation", "other"]


@dataclass(frozen=True)
class Step:
    """One layer on the way: an edge that does more than copy.

    Attributes:
        label: the weight's name, or the derivative, such as ``relu'``.
        shape: the weight's shape, as text, where it is known.
        counted: whether it lies where weight layers are counted.
        layers: how many weight layers it crosses, where it is one.
        name: the weight's whole name, where the label is a part of it.
    """

    kind: Kind
    label: str
    shape: str = ""
    counted: bool = True
    layers: int = 1
    name: str = ""

    @property
    def called(self) -> str:
        """What it is called where there is room."""
        return self.name or self.label


@dataclass(frozen=True)
class Lane:
    """One way through a block, or the way through a link.

    Attributes:
        steps: its layers; none of them for an identity.
        edges: the indices of its edges, from the output's side, as a path lists them.
        used: whether a path of the set takes it.
        moves: whether it takes numbers to other places: slices, pads, joins, broadcasts.
        marks: which highlighted sets take it, by their places.
        flow: what all paths along it carry, where someone asked and it is known.
        copies: the operations that take numbers to other places, left to right.
    """

    steps: tuple[Step, ...]
    edges: tuple[int, ...]
    used: bool = True
    moves: bool = False
    marks: tuple[int, ...] = ()
    flow: float | None = None
    copies: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """The number of weight layers on it."""
        return sum(step.layers for step in self.steps if step.kind == "weight")

    @property
    def is_bare(self) -> bool:
        """Whether no layer is on it: every number arrives as it left, though maybe elsewhere."""
        return not self.steps

    @property
    def is_identity(self) -> bool:
        """Whether its derivative is the identity: a bare lane that moves nothing."""
        return not self.steps and not self.moves


@dataclass(frozen=True)
class Link:
    """A stretch with one way: a stem, a classifier, an activation between blocks.

    Attributes:
        lane: the way.
        ops: its operations, left to right, without those that pass everything on unchanged.
        symbol: what formulas call it; ``""`` for an identity.
        ends: the indices of the nodes where it starts and ends.
    """

    lane: Lane
    ops: tuple[str, ...]
    symbol: str = ""
    ends: tuple[int, int] = (-1, -1)


@dataclass(frozen=True)
class Block:
    """A stretch with several ways.

    Attributes:
        number: 1 for the block nearest the input; products have numbers of their own.
        lanes: its ways, fewest weight layers first; empty where there are too many to draw.
        count: the number of ways.
        by_weight: how many of them cross how many weight layers.
        merge: the operation in which they meet; ``""`` where it is not known.
        name: what the value is called in which they meet.
        ends: the indices of the nodes where they part and where they meet.
        free_marks: which highlighted sets take a way without a weight layer.
        layer_marks: which highlighted sets take a way through weight layers.
        letters: what formulas call its ways by.
    """

    number: int
    lanes: tuple[Lane, ...]
    count: int
    by_weight: dict[int, int]
    merge: str
    ends: tuple[int, int]
    name: str = ""
    free_marks: tuple[int, ...] = ()
    layer_marks: tuple[int, ...] = ()
    letters: Mapping[str, str] = field(default_factory=LETTERS.copy)

    @property
    def is_product(self) -> bool:
        """Whether it only multiplies values, such as ``h * h``: no block of the net's."""
        return self.merge == "multiply" and bool(self.lanes) and set(self.by_weight) == {0}

    @property
    def called(self) -> str:
        """What words call it."""
        return f"{'product' if self.is_product else 'block'} {self.number}"

    @property
    def weight_free(self) -> int:
        """The number of ways without a weight layer."""
        return self.by_weight.get(0, 0)
