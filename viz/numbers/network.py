"""Network: numbers in groups, and the wires between them; what the scalar figure draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tinygrad_res.graph_parts import GraphEdge
from tinygrad_res.numbered import Path

from ..text import Runs

Kind = Literal["value", "sum", "weight", "beside"]


@dataclass(frozen=True)
class Element:
    """A number.

    Attributes:
        symbol: what formulas call it, ``x_1``.
        short: what fits into its circle.
        title: what Python calls it, ``x[0]``.
        kind: ``"sum"`` if it only adds, ``"weight"`` for a weight that paths lead to,
            ``"beside"`` for the other operand of a product, off all paths.
    """

    symbol: Runs
    short: Runs
    title: str
    kind: Kind


@dataclass(frozen=True)
class Group:
    """The elements of one array, by their keys in ``Network.elements``.

    Attributes:
        name: what the array is called.
        ops: the operations that made it.
    """

    name: Runs
    ops: str
    elements: tuple[int, ...]
    rank: int


@dataclass(frozen=True)
class Wire:
    """An edge between two elements.

    Attributes:
        edge: its number in the graph; -1 for one beside the paths.
        factor: what stands on it in a product, ``W_{11}``; empty for a copy.
        label: what the figure writes on it.
        value: the derivative, where it is known.
        free: whether it lies on a weight-free path.
        live: whether a path with a product other than zero takes it.
        used: whether one of the chosen paths takes it.
        counted: of one through a weight layer, whether it lies where these are counted.
        marks: which highlighted sets take it, by their places.
        flow: what all paths over it carry, where someone asked.
    """

    output: int
    operand: int
    style: str
    edge: int
    factor: Runs
    label: Runs
    value: float | None
    free: bool
    live: bool
    used: bool
    counted: bool = True
    marks: tuple[int, ...] = ()
    flow: float | None = None


@dataclass(frozen=True)
class Network:
    """What the figure draws.

    Attributes:
        nodes: how many numbers the paths visit, before any are merged.
        weighted: whether a path crosses a weight layer.
        symbols: what symbols mean, for the legend.
    """

    elements: dict[int, Element]
    groups: tuple[Group, ...]
    wires: tuple[Wire, ...]
    nodes: int
    weighted: bool
    symbols: tuple[str, ...]

    @property
    def ranks(self) -> int:
        """The number of columns."""
        return 1 + max(group.rank for group in self.groups)


# Ways through it


def on_routes(
    edges: Sequence[GraphEdge], outputs: Iterable[int], ends: Iterable[int],
    keep: Callable[[GraphEdge], object],
) -> set[int]:  # fmt: skip
    """Return the numbers of the edges on the ways that keep to some edges."""
    kept = sorted((e for e in edges if keep(e)), key=lambda e: e.source)
    below, above = set(outputs), set(ends)
    for edge in reversed(kept):
        if edge.source in below:
            below.add(edge.target)
    for edge in kept:
        if edge.target in above:
            above.add(edge.source)
    return {e.index for e in kept if e.source in below and e.target in above}


def ways(
    edges: Sequence[GraphEdge], outputs: Iterable[int], ends: Iterable[int],
    keep: Callable[[GraphEdge], object] = lambda _: True,
) -> int:  # fmt: skip
    """Return the number of ways from the outputs back to the ends that keep to some edges."""
    found = Counter(dict.fromkeys(ends, 1))
    for edge in sorted((e for e in edges if keep(e)), key=lambda e: e.source):
        found[edge.source] += found[edge.target]
    return sum(found[v] for v in outputs)


def edges_of(path: Path) -> set[int]:
    """Return the numbers of a path's edges."""
    return {edge.index for edge in path.edges}
