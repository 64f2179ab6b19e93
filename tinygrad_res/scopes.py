"""The scope level: what happens within a scope is one step.

Operations recorded in one entered scope are a *group*; an operation outside of all scopes is
one by itself, and so is every leaf, wherever it was made.  Entering the same name twice makes
two scopes, so two groups.  An edge *crosses* if it leads from one group to another.  **A path
at scope level is the sequence of crossing edges of a path at tensor level**: a class of the
paths that differ only in how they run inside groups.  Its product is the sum of theirs.

A graph whose nodes are the groups would not do: paths that enter a group here and leave it
there, though no route inside leads from here to there, would be counted; and a group that is
left and entered again would be a cycle.  So a node is an *entry point*: a group together with
the value by which paths enter it, the operand of some crossing edge.  From an entry there is
one step for each crossing edge that a route inside the group reaches.  Steps lead from later
values to earlier ones, so the graph is acyclic whatever scopes do, and its paths are exactly
the classes.

A step's grade is that of its routes, all edges of it, where they agree.  Where they do not,
because a group holds a whole residual block, it is ``DIFFERS``: the class has no degree.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from operator import add, attrgetter
from typing import Any, NamedTuple

from .errors import GraphError
from .graph import LIMIT, Graph, Place, title
from .graph_parts import DIFFERS, GRADES, GraphEdge, GraphNode
from .record import Leaf, Scope
from .tensor import Tensor
from .whole_numbers import at_least

MOST_REPEATED = 1_000_000
"""How often values and edges may be met from further entries than the first."""


class Routes(NamedTuple):
    """All ways inside a group from its entry to some place.

    Attributes:
        ways: how many there are.
        least, most: the smallest and the largest grade of one, for each of ``GRADES``, and
            the same of its edges that carry no identity.
    """

    ways: int
    least: tuple[int, ...]
    most: tuple[int, ...]

    def longer(self, grades: tuple[int, ...]) -> Routes:
        """Return these ways, followed by an edge."""
        least = tuple(map(add, self.least, grades))
        return Routes(self.ways, least, tuple(map(add, self.most, grades)))

    def joined(self, other: Routes) -> Routes:
        """Return these ways and others."""
        least = tuple(map(min, self.least, other.least))
        return Routes(self.ways + other.ways, least, tuple(map(max, self.most, other.most)))


class Step(NamedTuple):
    """A way on from an entry: the crossing edge it leaves by, ``None`` where paths end inside."""

    entry: int
    target: int
    crossing: GraphEdge | None
    routes: Routes


class ScopeGraph(Graph):
    """A graph whose nodes are scopes, each with a value that paths enter it by.

    Attributes:
        parent: the graph at tensor level.
        entries: for each node, the number of that value in the parent, ascending.
        steps: for each edge, what it stands for.
    """

    level = "scope"

    def __init__(self, parent: Graph, depth: int | None = None, ends: Sequence[int] = ()) -> None:
        """Join the nodes of each scope.

        Args:
            parent: at tensor level, taken from tensors.
            depth: how many scopes inside one another are told apart; all where left out.
            ends: nodes of the parent where paths may end inside a group.
        """
        deepest = None if depth is None else at_least(1, "scopes", "depth", depth)
        if parent.level != "tensor" or parent.taken_from is None:
            raise GraphError(
                f"scopes: {parent!r} does not say which scopes were entered: ask the graph that "
                "tg.graph(tensor) takes from a record"
            )
        self.parent = parent
        self._ends = tuple(ends)
        self._groups = [_group(node, deepest) for node in parent.nodes]
        groups = self._groups
        entered = {e.target for e in parent.edges if groups[e.source] != groups[e.target]}
        self.entries = sorted({parent.output.index, *entered, *ends})
        self._number = {v: i for i, v in enumerate(self.entries)}
        self._passed: set[int] = set()
        self.steps = list(self._every_step())
        super().__init__(self._describe(), self._graded(), taken_from=parent.taken_from)
        self._routes: dict[int, Sequence[GraphEdge]] = {}

    # Which node

    def holds(self, tensor: Tensor) -> bool:
        """Say whether a tensor is in this graph, inside a scope or not."""
        return self.parent.holds(tensor)

    def numbers(self, what: Tensor | GraphNode | str, at: Place | None = None) -> Sequence[int]:
        """Return the numbers of the nodes by which paths come to a tensor, or into a scope.

        Args:
            what: a tensor or its name; a node; or a scope, by its names joined by ``/``,
                which is all its entries, as often as it was entered.
            at: for scalar level only.

        Raises:
            GraphError: it is not in this graph; or it lies inside a scope, where paths can come
                to it unseen.
        """
        if at is not None:
            return super().numbers(what, at)
        if isinstance(what, str):
            found = [i for i, v in enumerate(self.entries) if self._path(v) == what]
            if found:
                return self._unless_named(found, what)
        if isinstance(what, GraphNode) and what.index < len(self.nodes):
            own = self.nodes[what.index]
            if own == what and own.recorded is what.recorded:
                return (what.index,)
        inside = self.parent.find(what).index
        if inside not in self._number or (inside in self._passed and inside not in self._ends):
            raise GraphError(
                f"{title(what)} lies inside the scope {self._path(inside)!r}, which is one step "
                "here: name the scope, take a larger depth, or ask at level='tensor'"
            )
        return (self._number[inside],)

    def find(self, what: Tensor | GraphNode | str) -> GraphNode:
        """Return the node by which paths come to a tensor, or into a scope with one entry."""
        found = self.numbers(what)
        if len(found) > 1:
            raise GraphError(
                f"{title(what)} is entered at {len(found)} nodes: pass one of graph.nodes: "
                f"numbers {', '.join(map(str, found[:5]))}"
            )
        return self.nodes[found[0]]

    def _unless_named(self, found: list[int], name: str) -> list[int]:
        if any(node.name == name for node in self.parent.nodes):
            raise GraphError(
                f"both a scope and a tensor have the name {name!r}: pass the tensor itself, or "
                f"one of graph.nodes: the scope's are {', '.join(map(str, found[:5]))}"
            )
        return found

    def _path(self, node: int) -> str | None:
        """Return the path of the scope that is the group of a node of the parent."""
        group = self._groups[node]
        return group.path if isinstance(group, Scope) else None

    # What a step stands for

    def routes(self, number: int) -> Sequence[GraphEdge]:
        """Return the edges of the parent on all routes of a step, sorted by source."""
        if number not in self._routes:
            self._routes[number] = self.all_routes([number])
        return self._routes[number]

    def all_routes(self, numbers: Sequence[int]) -> Sequence[GraphEdge]:
        """Return the edges of the parent on all routes of some steps from one entry."""
        steps = [self.steps[number] for number in numbers]
        _, incoming = self._inside(steps[0].entry)
        found = {step.crossing for step in steps if step.crossing is not None}
        todo = [step.crossing.source if step.crossing else step.target for step in steps]
        met = set(todo)
        while todo:
            for edge in incoming[todo.pop()]:
                found.add(edge)
                if edge.source not in met:
                    met.add(edge.source)
                    todo.append(edge.source)
        return sorted(found, key=lambda edge: edge.index)

    def scalar(self, limit: int = LIMIT) -> Graph:
        """Return the same computation with a node for every array element."""
        return self.parent.scalar(limit)

    def differing(self, by: str | Callable[[GraphEdge], int], number: int) -> GraphError:
        """Return the error that says why a step has no degree."""
        step = self.steps[number]
        what = by if isinstance(by, str) else "the grade that the function reads"
        if isinstance(by, str):
            place = GRADES.index(by)
            what += f" ({step.routes.least[place]} to {step.routes.most[place]})"
        return GraphError(
            f"{what} differs among the {step.routes.ways} routes inside the scope "
            f"{self._path(step.entry)!r} from {self.parent.nodes[step.entry].label} to "
            f"{self.parent.nodes[step.target].label}, so paths through it have no degree: take a "
            "larger depth, put its parts in scopes of their own, or ask at level='tensor'"
        )

    def _grade(self, by: Callable[[GraphEdge], int], edge: GraphEdge) -> int:
        try:
            return super()._grade(by, edge if _agrees(edge) else _Agreed(edge))  # type: ignore[arg-type]
        except _DiffersError:
            return DIFFERS

    # How it is made

    def _inside(self, entry: int) -> tuple[dict[int, Routes], dict[int, list[GraphEdge]]]:
        """Return the routes from an entry to each value inside its group, and edges by target."""
        nothing = (0,) * (len(GRADES) + 1)
        found = {entry: Routes(1, nothing, nothing)}
        incoming: dict[int, list[GraphEdge]] = {entry: []}
        todo = [-entry]
        while todo:
            node = -heapq.heappop(todo)
            for edge in self.parent.outgoing[node]:
                if self._groups[edge.target] != self._groups[node]:
                    continue
                longer, there = found[node].longer(_grades(edge)), found.get(edge.target)
                found[edge.target] = longer if there is None else there.joined(longer)
                incoming.setdefault(edge.target, []).append(edge)
                if there is None:
                    heapq.heappush(todo, -edge.target)
        return found, incoming

    def _every_step(self) -> Iterator[Step]:
        """Yield the ways on from every entry, in the order of the edges they leave by."""
        parent, groups = self.parent, self._groups
        room = MOST_REPEATED + len(parent.nodes) + len(parent.edges)
        for entry in self.entries:
            inside, _ = self._inside(entry)
            self._passed |= inside.keys() - {entry}
            found = [
                Step(entry, edge.target, edge, inside[node].longer(_grades(edge)))
                for node in sorted(inside)
                for edge in parent.outgoing[node]
                if groups[edge.target] != groups[node]
            ]
            ends = (end for end in self._ends if end in inside and end != entry)
            found += [Step(entry, end, None, inside[end]) for end in ends]
            room -= len(inside) + len(found)
            if room < 0 and len(inside) > 1:
                raise GraphError(
                    f"scopes: the scope {self._path(entry)!r} is left and entered so often, with "
                    f"ways from each entry to many exits, that they are more than {MOST_REPEATED}: "
                    "take a smaller depth, or ask at level='tensor'"
                )
            yield from found

    def _describe(self) -> tuple[GraphNode, ...]:
        """Show each node as its scope, the entries of one name told apart by a number."""
        times = Counter(map(self._path, self.entries))
        met: Counter[str] = Counter()
        nodes = []
        for i, v in enumerate(self.entries):
            node, group = replace(self.parent.nodes[v], index=i), self._groups[v]
            if isinstance(group, Scope) and group.parent is not None:
                path = group.path
                met[path] += 1
                node = replace(
                    node, op="", name=path if times[path] == 1 else f"{path}#{met[path]}",
                    kind="scope", scope=group.parent.path, recorded=None,
                )  # fmt: skip
            nodes.append(node)
        return tuple(nodes)

    def _graded(self) -> tuple[GraphEdge, ...]:
        edges: list[GraphEdge] = []
        for step in self.steps:
            source, target = self._number[step.entry], self._number[step.target]
            position = edges[-1].position + 1 if edges and edges[-1].source == source else 0
            edges.append(self._edge(step, len(edges), source, target, position))
        return tuple(edges)

    def _edge(self, step: Step, index: int, source: int, target: int, position: int) -> GraphEdge:
        group, crossing = self._groups[step.entry], step.crossing
        if crossing is not None and crossing.source == step.entry:
            if not isinstance(group, Scope):
                position = crossing.position
            return replace(crossing, index=index, source=source, target=target, position=position)
        assert isinstance(group, Scope)
        routes = step.routes
        graded = {
            by: low if low == high else DIFFERS
            for by, low, high in zip(GRADES, routes.least, routes.most)
        }
        same = routes.ways == 1 and not routes.most[-1]
        return GraphEdge(
            index, source, target, position, "scope", "1" if same else f"{group.name}'",
            is_identity=same, **graded,
        )  # fmt: skip


def _group(node: GraphNode, depth: int | None) -> Hashable:
    """Return the scope that a node belongs to, among those ``depth`` deep; else its number."""
    scopes: list[Scope] = []
    scope: Scope | None = node.record.scope
    while scope is not None and scope.parent is not None:
        scopes.append(scope)
        scope = scope.parent
    if isinstance(node.record, Leaf) or not scopes:
        return node.index
    return scopes[0] if depth is None else scopes[-min(depth, len(scopes))]


_read = attrgetter(*GRADES)


def _grades(edge: GraphEdge) -> tuple[int, ...]:
    return (*_read(edge), int(not edge.is_identity))


def _agrees(edge: GraphEdge) -> bool:
    return DIFFERS not in _read(edge)


class _DiffersError(Exception):
    """A grading function read a grade that a step does not have."""


class _Agreed:
    """An edge whose grades can be read where routes agree on them."""

    def __init__(self, edge: GraphEdge) -> None:
        self._edge = edge

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._edge, name)
        if name in GRADES and value == DIFFERS:
            raise _DiffersError(name)
        return value
