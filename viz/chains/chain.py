"""A chain of segments, read from paths: what the chain figures draw.

Paths from an output back to an input all pass through some nodes, the joints.  Between
two neighbouring joints there is one way or there are several.  Neighbouring stretches
with one way are a *link*; a stretch with several is a *block*, whose ways are its
*lanes*: of a residual block, the shortcut and the branch.  A net without shortcuts is
one link.  Nothing here looks at names or scopes: the shape of the graph says it all.

Everything is listed left to right, the way the forward pass runs.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from types import MappingProxyType

from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphEdge, GraphNode
from tinygrad_res.measures import Paths
from tinygrad_res.numbered import Path

from ..highlight import PLAIN, Emphasis, edges_taken
from .letters import LETTERS, letters_for
from .names import shortened
from .parts import Block, Lane, Link, Step

MOST_LANES = 4
_IN_PLACE = frozenset({"reshape", "identity", "to_device"})
"""Structural operations that leave the numbers in their order."""


@dataclass(frozen=True)
class Chain:
    """Blocks and links in a row, and the paths through them.

    Attributes:
        paths: the set that was read.
        parts: blocks and links, left to right.
        input, output: what the row starts and ends with.
        chosen: the one path to bring out, or ``None`` for all of the set.
        emphasis: the sets to bring out, and what stands on edges.
        letters: what formulas call derivatives by.
    """

    paths: Paths
    parts: tuple[Block | Link, ...]
    input: GraphNode
    output: GraphNode
    chosen: Path | None = None
    emphasis: Emphasis = PLAIN
    letters: Mapping[str, str] = field(default_factory=LETTERS.copy)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The stretches with several ways, products as well."""
        return tuple(part for part in self.parts if isinstance(part, Block))

    @property
    def depth(self) -> int:
        """The number of blocks, without products."""
        return sum(not block.is_product for block in self.blocks)

    @cached_property
    def count(self) -> int:
        """The number of paths in the set."""
        return self.paths.count()

    @cached_property
    def by_weight(self) -> dict[int, int]:
        """The number of paths for each number of weight layers crossed."""
        return self.paths.count_by("weight")

    @property
    def weight_free(self) -> int:
        """The number of paths that cross no weight layer."""
        return self.by_weight.get(0, 0)

    @property
    def inner_weight_free(self) -> int:
        """The number of ways from the first block to the last that cross no weight layer."""
        blocks = [i for i, part in enumerate(self.parts) if isinstance(part, Block)]
        inner = self.parts[blocks[0] : blocks[-1] + 1] if blocks else ()
        return prod(
            part.weight_free if isinstance(part, Block) else part.lane.weight == 0 for part in inner
        )

    @property
    def inner_count(self) -> int:
        """The number of ways through all blocks."""
        return prod(block.count for block in self.blocks)

    @property
    def complete(self) -> bool:
        """Whether the set holds every path along the row, none left out by its degree."""
        return self.count == self.inner_count

    def choices(self, path: Path) -> tuple[int, ...]:
        """Return which lane a path takes in each block that lists its lanes."""
        taken = {edge.index for edge in path.edges}
        return tuple(
            next(i for i, lane in enumerate(block.lanes) if taken.issuperset(lane.edges))
            for block in self.blocks
        )


@dataclass(frozen=True)
class _Reading:
    """What lanes are read from: the graph, where weights count, which edges are brought out."""

    graph: Graph
    window: list[int]
    used: set[int] | None
    emphasis: Emphasis


def read_chain(paths: Paths, chosen: Path | None = None, emphasis: Emphasis = PLAIN) -> Chain:
    """Return the blocks and links that a set of paths runs through.

    Args:
        chosen: one of the paths, whose ways are the only ones that count as used.
        emphasis: the sets to bring out, whose ways count as used as well.
    """
    graph = paths.graph
    segments = paths.segments()[::-1]
    read = _Reading(
        graph, paths.window("weight").tolist(), _used_edges(paths, segments, chosen, emphasis),
        emphasis,
    )  # fmt: skip
    parts: list[Block | Link] = []
    for single, group in itertools.groupby(segments, key=lambda segment: segment.count() == 1):
        if single:
            stretch = list(group)
            cut = _leading_activations(read, stretch) if stretch[-1] is segments[-1] else 0
            if parts and 0 < cut < len(stretch):
                parts.append(_link(read, stretch[:cut]))
                stretch = stretch[cut:]
            parts.append(_link(read, stretch))
            continue
        parts += [_block(read, segment) for segment in group]
    ends = paths.inputs[0], paths.output
    letters = letters_for(_names(parts, ends))
    parts = _with_symbols(_without_identities(parts), letters)
    return Chain(paths, tuple(parts), *ends, chosen, emphasis, letters)


def _names(parts: Iterable[Block | Link], ends: Iterable[GraphNode]) -> set[str]:
    """Return the names that stand in the row."""
    lanes = [lane for p in parts for lane in (p.lanes if isinstance(p, Block) else (p.lane,))]
    return {node.name or "" for node in ends} | {s.label for lane in lanes for s in lane.steps}


def _used_edges(
    paths: Paths, segments: tuple[Paths, ...], chosen: Path | None, emphasis: Emphasis
) -> set[int] | None:
    """Return the edges that are brought out, or None for all of them."""
    if chosen is not None or emphasis.fades:
        return emphasis.edges | {edge.index for edge in (chosen.edges if chosen else ())}
    if paths.count() == prod(segment.count() for segment in segments):
        return None
    return edges_taken(paths)


def _link(read: _Reading, segments: list[Paths]) -> Link:
    edges = [edge for segment in reversed(segments) for edge in segment[0].edges]
    lane = _lane(read, edges)
    ops = tuple(
        read.graph.nodes[edge.source].op or _derivative(read.graph, edge) for edge in reversed(edges)
        if not (edge.is_identity and not _moves(read.graph, (edge,)))
    )  # fmt: skip
    return Link(lane, ops, ends=(segments[0].inputs[0].index, segments[-1].output.index))


def _leading_activations(read: _Reading, segments: list[Paths]) -> int:
    """Return how many segments, from the left, hold the activations behind the last block."""
    cut = 0
    for i, segment in enumerate(segments):
        lane = _lane(read, segment[0].edges)
        if lane.moves or any(step.kind != "activation" for step in lane.steps):
            break
        cut = i + 1 if lane.steps else cut
    return cut


def _block(read: _Reading, segment: Paths) -> Block:
    ways = [path.edges for path in itertools.islice(segment, MOST_LANES + 1)]
    shared = Counter(edge.index for way in ways for edge in way)
    lanes = shortened([_lane(read, way, shared) for way in ways])
    lanes.sort(key=lambda lane: (lane.weight, len(lane.steps), len(lane.edges)))
    return Block(
        number=0,
        lanes=tuple(lanes) if len(lanes) <= MOST_LANES else (),
        count=segment.count(),
        by_weight=segment.count_by("weight"),
        merge=segment.output.op,
        ends=(segment.inputs[0].index, segment.output.index),
        name=segment.output.label,
        free_marks=_taking(read, segment, lanes, weighted=False),
        layer_marks=_taking(read, segment, lanes, weighted=True),
    )


def _taking(read: _Reading, segment: Paths, lanes: list[Lane], weighted: bool) -> tuple[int, ...]:
    """Return which sets take ways of a block that cross weight layers, or those that do not."""
    if len(lanes) > MOST_LANES:
        return read.emphasis.taking(segment, weighted)
    return tuple({k: None for lane in lanes if (lane.weight > 0) == weighted for k in lane.marks})


def _lane(
    read: _Reading, edges: Iterable[GraphEdge], shared: Mapping[int, int] = MappingProxyType({})
) -> Lane:
    """Read a way; ``shared`` counts the ways of its block that take each edge."""
    edges = tuple(edges)
    steps = (_step(read, edge) for edge in reversed(edges))
    indices = tuple(edge.index for edge in edges)
    flows = read.emphasis.flows or {}
    return Lane(
        tuple(step for step in steps if step is not None),
        indices,
        read.used is None or read.used.issuperset(indices),
        _moves(read.graph, edges),
        read.emphasis.taken_by(indices),
        next((flows[e] for e in indices if shared.get(e, 1) == 1 and e in flows), None),
        tuple(op for edge in reversed(edges) for op in [read.graph.nodes[edge.source].op]
              if edge.is_identity and _rearranges(op, edge.family)),
    )  # fmt: skip


def _moves(graph: Graph, edges: tuple[GraphEdge, ...]) -> bool:
    """Whether the numbers that leave at the end of some edges are elsewhere at their start."""
    ends = graph.nodes[edges[0].source], graph.nodes[edges[-1].target]
    return ends[0].shape != ends[1].shape or any(
        edge.is_identity and _rearranges(graph.nodes[edge.source].op, edge.family) for edge in edges
    )


def _rearranges(op: str, family: str) -> bool:
    return op == "sum" or (family == "structural" and op not in _IN_PLACE)


def _step(read: _Reading, edge: GraphEdge) -> Step | None:
    """Return what an edge does, or None for one that only copies."""
    if edge.weight:
        return _weight_step(read, edge)
    if edge.is_identity:
        return None
    label = edge.label or _derivative(read.graph, edge)
    return Step("activation" if edge.activation else "other", label)


def _derivative(graph: Graph, edge: GraphEdge) -> str:
    return f"∂{graph.nodes[edge.source].label}/∂{graph.nodes[edge.target].label}"


def _weight_step(read: _Reading, edge: GraphEdge) -> Step:
    """Return the step over an edge through one weight layer, or through several in one."""
    weight = next(
        (
            read.graph.nodes[other.target] for other in read.graph.outgoing[edge.source]
            if read.graph.nodes[other.target].weight_valued
        ),
        None,
    )  # fmt: skip
    known = edge.label if not edge.label.endswith("'") and edge.label != "·" else ""
    named = (weight and (weight.name or known or weight.op)) or known or "W"
    if edge.weight > 1:
        named = f"{edge.weight} weight layers"
    shape = "×".join(map(str, weight.shape)) if weight is not None and edge.weight == 1 else ""
    return Step("weight", named, shape, bool(read.window[edge.index]), edge.weight)


def _without_identities(parts: list[Block | Link]) -> list[Block | Link]:
    """Let each block take in the identity behind it, such as a bias that is added to its sum."""
    found: list[Block | Link] = []
    for i, part in enumerate(parts):
        before = found[-1] if found else None
        inner = isinstance(part, Link) and part.lane.is_identity and i < len(parts) - 1
        if inner and isinstance(before, Block):
            found[-1] = replace(before, ends=(before.ends[0], part.ends[1]))
        else:
            found.append(part)
    return found


def _with_symbols(parts: list[Block | Link], letters: Mapping[str, str]) -> list[Block | Link]:
    """Number the blocks, and name each link that does more than copy, as formulas do."""
    found: list[Block | Link] = []
    numbers = {False: 0, True: 0}
    for i, part in enumerate(parts):
        if isinstance(part, Block):
            numbers[part.is_product] += 1
            part = replace(part, number=numbers[part.is_product], letters=letters)
        elif part.lane.steps:
            last, before = i == len(parts) - 1, sum(numbers.values())
            inner = f"{letters['R']}_{{{before}}}"
            part = replace(part, symbol="" if last else letters["S"] if i == 0 else inner)
        found.append(part)
    return found
