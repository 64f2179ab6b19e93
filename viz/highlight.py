"""Highlighting: sets of paths brought out in a figure of more.

A highlighted set is a coloured band under every edge that its paths take, with a sign on
it, and an entry of the legend with its name and its exact count.  A single set has a broad
band; several run side by side, each with a colour, a dash and a sign of its own.  Bands
are drawn before the edges: what an edge's own line says is still there to be read.
"""

from __future__ import annotations

import math
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
from .layout import Box, Canvas, Curve, Item, Label, Point, Shape
from .numbers.network import ways
from .style import MOST_SETS, STYLES
from .widths import flow_band, flow_sign, half_width, widest

OneSet = Paths | Path | Sequence[Path]
Highlight = OneSet | Mapping[str, OneSet]

MOST_LISTED = 10_000
"""Sets of up to this many paths are listed to find the edges that they take."""
UNNAMED = "highlighted"
"""What a set is called that comes without a label."""
_MOST_BITS = 2**30
SIGNS = "●■▲◆"
"""The signs of the sets, for what is written in words."""
_OFFSETS = (4.2, -4.2, -7.9, -11.6)
_OUTSIDE = 1.9
_SIGN, _ROOM, _SAMPLE = 7.0, 13.0, 34.0
_NEAR = 6.0
_PLACES = tuple(0.5 + side * k * 0.05 for k in range(10) for side in ((1,) if k == 0 else (1, -1)))
_BANDS = frozenset(
    name for name in STYLES
    if name.startswith(("set", "flow")) and not name.endswith(("sign", "stroke"))
)  # fmt: skip
_GROUNDS = frozenset({"ground", "cluster"})


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
        return f"a {type(found).__name__} that holds other things than paths"
    return f"a {type(found).__name__}"


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


def bands(
    points: Sequence[Point], smooth: bool, marks: Sequence[int], emphasis: Emphasis,
    flow: float | None = None,
) -> Iterable[Curve]:  # fmt: skip
    """Yield what is drawn under an edge: the band of its flow, and those of the sets that take it.

    A set has the edge to itself where there is no other and no flow in the figure; else its
    line runs beside the edge, outside of the flow's band.

    Args:
        points: of the edge, the way the gradient runs.
        marks: the places of the sets among those of the figure.
        flow: what all paths over the edge carry, where it is known.
    """
    outward = 0.0
    if emphasis.widths and flow is not None:
        most = widest(emphasis.flows)
        yield from flow_band(points, smooth, flow, most)
        outward = max(0.0, half_width(flow, most) + _OUTSIDE - abs(_OFFSETS[0]))
    for k in marks:
        if emphasis.alone:
            yield Curve(tuple(points), f"set {k + 1}", smooth)
        else:
            by = _OFFSETS[k] + math.copysign(outward, _OFFSETS[k])
            yield Curve(beside(points, by), f"set {k + 1} beside", smooth)


def room(marks: Sequence[int], emphasis: Emphasis, flow: float | None = None) -> float:
    """Return how far the bands of an edge reach beyond what is always left free beside it."""
    reach = _OFFSETS[0] * bool(marks and emphasis.alone)
    if emphasis.widths and flow is not None:
        reach = half_width(flow, widest(emphasis.flows))
    if marks and not emphasis.alone:
        reach = max(reach + _OUTSIDE, _OFFSETS[0]) + 2.0
    return max(0.0, reach - _OFFSETS[0])


def sign(k: int, x: float, y: float) -> Item:
    """Return the sign of set number ``k``: a disc, a square, a triangle or a diamond."""
    style, r = f"set {k + 1} sign", _SIGN / 2
    if k == 0:
        return Shape("circle", x, y, _SIGN, _SIGN, style)
    if k == 1:
        return Shape("box", x, y, _SIGN - 1, _SIGN - 1, style)
    tip = (x, y - r - 0.5)
    corners = (tip, (x + r + 0.5, y + r), (x - r - 0.5, y + r))
    if k == 3:
        corners = (tip, (x + r + 0.5, y), (x, y + r + 0.5), (x - r - 0.5, y))  # type: ignore[assignment]
    return Curve(corners, style, filled=True)


def lower_bands(canvas: Canvas) -> None:
    """Put the bands that are drawn so far under everything else, so that they cover no shape."""
    canvas.items.sort(key=lambda item: item.style not in _BANDS)


def sign_bands(canvas: Canvas) -> None:
    """Put a sign on every band that is drawn so far, off words, shapes and the tips of arrows."""
    taken = [
        item.box for item in canvas.items
        if isinstance(item, Label) or (isinstance(item, Shape) and item.style not in _GROUNDS)
    ]  # fmt: skip
    taken += [
        _around(*item.points[-1]) for item in canvas.items if isinstance(item, Curve) and item.arrow
    ]
    signs: list[tuple[str, list[Item]]] = []
    for i, item in enumerate(canvas.items):
        if not isinstance(item, Curve) or item.style not in _BANDS:
            continue
        kind, number, *_ = item.style.split()
        x, y = _free_place(item, taken)
        taken.append(_around(x, y))
        on_set = kind == "set"
        drawn = [sign(int(number) - 1, x, y)] if on_set else flow_sign("-" in number, x, y)
        signs.append((canvas.part_of(i), list(drawn)))
    for part, drawn in signs:
        canvas.begin(part)
        canvas.add(*drawn)


def _free_place(curve: Curve, taken: Sequence[Box]) -> Point:
    """Return the point of a line that is clear of boxes, or the clearest of a few."""
    return min(
        (_point_on(curve, t) for t in _PLACES),
        key=lambda at: sum(_overlap(_around(*at), box) for box in taken),
    )


def _around(x: float, y: float) -> Box:
    half = _ROOM / 2
    return (x - half, y - half, x + half, y + half)


def _overlap(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0.0) * max(high, 0.0)


def _point_on(curve: Curve, t: float) -> Point:
    """Return a point of a line or of a spline of several pieces, at ``t`` from 0 to 1."""
    step = 3 if curve.smooth else 1
    pieces = (len(curve.points) - 1) // step
    piece = min(int(t * pieces), pieces - 1)
    s = t * pieces - piece
    a, *_, d = corners = curve.points[piece * step : (piece + 1) * step + 1]
    if not curve.smooth:
        return a[0] + s * (d[0] - a[0]), a[1] + s * (d[1] - a[1])
    weights = ((1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s * s * (1 - s), s**3)
    x, y = (sum(w * p[i] for w, p in zip(weights, corners, strict=True)) for i in (0, 1))
    return x, y


def mark_entries(emphasis: Emphasis) -> list[tuple[list[Item], str]]:
    """Return the legend's entries of highlighted sets."""
    marks = emphasis.marks
    named = any(mark.label != UNNAMED for mark in marks)
    found: list[tuple[list[Item], str]] = [([], "highlighted:")] * named
    for k, mark in enumerate(marks):
        line = bands(((_SAMPLE, 0.0), (0.0, 0.0)), False, (k,), emphasis)
        band = [curve.moved(0.0, -curve.points[0][1]) for curve in line]
        sample: list[Item] = [*band, sign(k, _SAMPLE / 2, 0.0)] if mark.count else []
        found.append((sample, mark.words))
    return found


def beside(points: Sequence[Point], by: float) -> tuple[Point, ...]:
    """Return a spline a little to the right of another, as one walks along it."""
    found = []
    for i, (x, y) in enumerate(points):
        before = next((p for p in points[i::-1] if _distance(p, points[i]) > _NEAR), points[i])
        after = next((p for p in points[i:] if _distance(p, points[i]) > _NEAR), points[i])
        dx, dy = after[0] - before[0], after[1] - before[1]
        size = math.hypot(dx, dy) or 1.0
        found.append((x - dy / size * by, y + dx / size * by))
    return tuple(found)


def _distance(a: Point, b: Point) -> float:
    return math.hypot(a[0] - b[0], a[1] - b[1])
