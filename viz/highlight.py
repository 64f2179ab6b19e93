"""Highlighting: sets of paths brought out in a figure of more.

A highlighted set is read once into a mark: its name, the edges that its paths take, and what
stands in the legend.  The drawing modules ask an ``Emphasis`` which marks lie on an edge;
``bands`` draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import or_
from typing import Any, NamedTuple

from tinygrad_res.backend import to_host
from tinygrad_res.errors import FigureError, GradientError, GraphError
from tinygrad_res.grading import norm
from tinygrad_res.graph import Graph
from tinygrad_res.measures import Paths
from tinygrad_res.numbered import Path
from tinygrad_res.semirings import semiring

from . import text
from .numbers.network import ways
from .style import MOST_SETS

OneSet = Paths | Path | Sequence[Path]
Highlight = OneSet | Mapping[str, OneSet]

MOST_LISTED = 10_000
"""Sets of up to this many paths are listed to find the edges that they take."""
UNNAMED = "highlighted"
"""What a set is called that comes without a label."""
_MOST_BITS = 2**30


@dataclass(frozen=True)
class Mark:
    """A highlighted set.

    Attributes:
        label: what the user calls it.
        paths: the set itself.
        edges: the indices of the graph's edges that its paths take.
        count: the number of its paths.
        total: the number of paths that it is a part of; ``None`` in a figure of a graph.
        raised: whether its paths lead between numbers and its edges between arrays, because
            the numbers are too many to draw.
    """

    label: str
    paths: Paths | tuple[Path, ...]
    edges: frozenset[int]
    count: int
    total: int | None = None
    raised: bool = False

    def holds(self, path: Path) -> bool:
        """Whether a path is one of the set."""
        return path in self.paths

    def crosses(self, segment: Paths) -> tuple[bool, bool]:
        """Return whether some of its paths cross no weight layer in a segment, and whether some do.

        Where the paths are too many to list, every way is asked that takes edges of the set alone.
        """
        if self.count <= MOST_LISTED:
            layers = {edge.index for edge in segment.edges if edge.weight}
            found = {not layers.isdisjoint(crossed) for crossed in self._layers}
            return False in found, True in found
        kinds = semiring(
            or_, lambda a, b: frozenset(p or q for p in a for q in b), frozenset(), frozenset([False]),
            lambda edge: frozenset([edge.weight > 0] if edge.index in self.edges else []),
        )  # fmt: skip
        found = segment.evaluate(kinds)
        return False in found, True in found

    @cached_property
    def _layers(self) -> tuple[tuple[int, ...], ...]:
        """The edges through weight layers that each of its paths takes."""
        return tuple(tuple(e.index for e in path.edges if e.weight) for path in self.paths)

    @cached_property
    def words(self) -> str:
        """Its name, its count, and of a single path the product, as the legend has them."""
        name, n = text.clean(self.label), text.grouped(self.count)
        if not self.count:
            return f"{name}: 0 paths highlighted".removeprefix(f"{UNNAMED}: ")
        said = f"{name}: {n} path{'s' * (self.count != 1)}{' between numbers' * self.raised}"
        said += "" if self.total is None else f" of {text.grouped(self.total)}"
        product = _product(next(iter(self.paths))) if self.count == 1 else ""
        return f"{said}, {product}" if product else said


class Emphasis(NamedTuple):
    """What a figure brings out, and what it writes on edges.

    Attributes:
        marks: the highlighted sets.
        flows: what all paths over an edge carry, by the edge's index; ``None`` where no one asked.
        widths: whether flows are drawn as bands.
        labels: ``"symbol"``, ``"value"``, ``"both"``, ``"none"``, or ``""`` for what is usual.
    """

    marks: tuple[Mark, ...] = ()
    flows: Mapping[int, float] | None = None
    widths: bool = False
    labels: str = ""

    @property
    def fades(self) -> bool:
        """Whether there is something to bring out, so that the rest steps back."""
        return any(mark.count for mark in self.marks)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What there is to say of sets that bring nothing out, for want of paths."""
        named = {UNNAMED: "the set"}
        return tuple(
            f"{named.get(mark.label, text.clean(mark.label))} to highlight holds no path"
            for mark in self.marks if not mark.count
        )  # fmt: skip

    @property
    def alone(self) -> bool:
        """Whether one set is brought out, and no flow is drawn that its band would cover."""
        return len(self.marks) == 1 and not self.widths

    @property
    def edges(self) -> set[int]:
        """The edges that highlighted paths take."""
        return {edge for mark in self.marks for edge in mark.edges}

    def taken_by(self, edges: Iterable[int]) -> tuple[int, ...]:
        """Return which sets have paths that take some edges, by their place in ``marks``."""
        asked = set(edges)
        return tuple(k for k, m in enumerate(self.marks) if m.count and m.edges.issuperset(asked))

    def taking(self, segment: Paths, weighted: bool) -> tuple[int, ...]:
        """Return which sets have paths that cross weight layers, or none, in a segment of theirs."""
        return tuple(k for k, mark in enumerate(self.marks) if mark.crosses(segment)[weighted])

    @property
    def fades_rows(self) -> bool:
        """Whether the rows of other paths step back as well."""
        return self.fades and not any(mark.raised for mark in self.marks)

    def holding(self, path: Path) -> tuple[int, ...]:
        """Return which sets hold a path."""
        return tuple(k for k, mark in enumerate(self.marks) if mark.holds(path))


PLAIN = Emphasis()
"""Nothing in particular."""


# What was asked for


def read_highlight(highlight: Highlight | None, drawn: Paths | Graph) -> tuple[Mark, ...]:
    """Return the highlighted sets of a figure.

    Args:
        highlight: as the user gave it.
        drawn: what the figure is about: a set that they must be parts of, or a graph.

    Raises:
        FigureError: it is no set, or too many, or not of what is drawn.
    """
    if highlight is None:
        return ()
    sets: Mapping[Any, Any] = highlight if isinstance(highlight, Mapping) else {UNNAMED: highlight}
    if not 0 < len(sets) <= MOST_SETS:
        raise FigureError(
            f"draw: highlight: {len(sets)} sets, but 1 to {MOST_SETS} can be told apart: "
            "leave some out, or draw them in a second figure"
        )
    return tuple(_mark(label, found, drawn) for label, found in sets.items())


def graph_for(highlight: Highlight | None, graph: Graph) -> Graph:
    """Return the graph to draw: that of the highlighted paths, where it shows the same record."""
    found: Any = highlight
    if isinstance(found, Mapping):
        found = next(iter(found.values()), None)
    if isinstance(found, Sequence) and found:
        found = found[0]
    paths = found.paths if isinstance(found, Path) else found
    if not isinstance(paths, Paths) or paths.graph.taken_from is None:
        return graph
    same = paths.graph.taken_from is graph.taken_from and paths.level == graph.level == "tensor"
    return paths.graph if same else graph


def _mark(label: Any, found: Any, drawn: Paths | Graph) -> Mark:
    if not isinstance(label, str):
        raise FigureError(f"draw: highlight: the label {label!r} is no str: name the set in words")
    total = drawn.count() if isinstance(drawn, Paths) else None
    if isinstance(found, Paths):
        _refuse_foreign(found, found, drawn)
        return Mark(label, found, frozenset(edges_taken(found)), found.count(), total)
    listed = (found,) if isinstance(found, Path) else found
    if not isinstance(listed, Sequence) or not all(isinstance(p, Path) for p in listed):
        raise FigureError(
            f"draw: highlight: cannot highlight {_kind(found)}: pass a set of paths such as "
            "p.weight_free(), a path, a list of paths such as p.top(3), or a dict "
            '{"label": set, ...} of several'
        )
    paths = tuple(dict.fromkeys(listed))
    for path in paths:
        _refuse_foreign(path, path.paths, drawn)
    edges = frozenset(edge.index for path in paths for edge in path.edges)
    return Mark(label, paths, edges, len(paths), total)


def _kind(found: Any) -> str:
    if isinstance(found, (list, tuple)):
        return f"{text.kind(found)} that holds other things than paths"
    return text.kind(found)


def _refuse_foreign(found: Paths | Path, of: Paths, drawn: Paths | Graph) -> None:
    """Raise an error unless what is highlighted lies in what is drawn."""
    graph = drawn.graph if isinstance(drawn, Paths) else drawn
    if of.level != graph.level:
        raise FigureError(
            f"draw: highlight: {found!r} is at {of.level} level and the figure at {graph.level} "
            f"level: make both with level={graph.level!r}"
        )
    mend = "narrow the set that is drawn, as in p = tg.paths(loss, x); viz.draw(p, highlight=p.weight_free())"  # fmt: skip
    if of.graph is not graph:
        raise FigureError(
            f"draw: highlight: {found!r} comes from another graph than what is drawn, or from "
            f"another call of tg.paths: {mend}"
        )
    if isinstance(drawn, Graph):
        return
    own, theirs = drawn.frame, of.frame
    if own is not theirs:
        raise FigureError(
            f"draw: highlight: {found!r} leads to another input than {drawn!r}, or comes from "
            f"another call of tg.paths: {mend}"
        )
    inside = found in drawn if isinstance(found, Path) else (drawn & found).count() == found.count()
    if not inside:
        raise FigureError(
            f"draw: highlight: {found!r} is no part of {drawn!r}, which is drawn: draw the larger "
            "set and highlight the smaller"
        )


def edges_taken(paths: Paths) -> set[int]:
    """Return the indices of the edges that some path of a set takes.

    Where degrees are demanded of more paths than can be listed, the edges of all paths are
    united in one sweep, a bit for each; where even that is too much, they are left aside.
    """
    edges, n = paths.edges, paths.count()
    if not n:
        return set()
    every = {edge.index for edge in edges}
    if ways(edges, paths.frame.firsts or (paths.frame.root,), paths.frame.ends) == n:
        return every
    if n <= MOST_LISTED:
        return {edge.index for path in paths for edge in path.edges}
    if len(edges) ** 2 * (1 + max(paths.count_by("weight"))) > _MOST_BITS:
        return every
    place = {edge.index: 1 << i for i, edge in enumerate(edges)}
    union = semiring(
        lambda a, b: b if a is None else a if b is None else a | b,
        lambda a, b: None if a is None or b is None else a | b,
        None, 0, lambda edge: place.get(edge.index, 0),
    )  # fmt: skip
    taken = paths.evaluate(union)
    return {index for index, bit in place.items() if taken & bit}


def _product(path: Path) -> str:
    """Return the product of a path in words; nothing where it has none."""
    try:
        found = to_host(path.product())
    except (GradientError, GraphError):
        return ""
    if found.size == 1:
        return f"product {text.value(float(found.sum()))}"
    return f"product of norm {text.value(norm(found))}"


# Bands and signs
