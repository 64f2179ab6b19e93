"""Which nodes of a large graph share a box: scopes from within, and the middle of long rows.

Scopes are folded to one box each, those that hold no other first and then those around them,
no further than the number of boxes asks for.  A scope through which ways lead that cross
different numbers of weight layers, such as a residual block, stays open: its shortcut is what
there is to see.  Where that leaves too many boxes, or next to none, of every scope with a long row
of parts, such as 54 blocks, the middle becomes one box.  Only then are the rest folded too.

A scope that was entered several times, such as the cell of a recurrent network, is as many: as
one box it would stand before and behind whatever lies between.  Its entries are numbered, and
the parameters that they share become one box, called as the scope.

A parameter made outside of all scopes belongs to the innermost scope around all that use it,
and has its place in a row beside what uses it first.  At scope level, a scope that holds others
stands among them: its own operations are one step of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_res.graph import Graph
from tinygrad_res.graph_parts import GraphNode
from tinygrad_res.record import Scope as Entered

Scope = tuple[str, ...]
"""The names of the scopes around something, outermost first."""

_FEW, _ENOUGH = 42, 10
"""How many boxes a graph is folded to, and how many it keeps, where its scopes allow it."""
MOST_PARALLEL, _ARROWS_PER_BOX = 12, 2
"""How many edges between the same two boxes are drawn apart, and how many in all for each box."""
_MOST_ENDS, _SHORT = 6, 8
"""How many parts of a row are kept at each of its ends, and how long a row is left whole."""


@dataclass(frozen=True)
class Fold:
    """Nodes that are drawn as one box.

    Attributes:
        scope: the scopes around the box.
        name: what it is called; ``""`` for a single node, which keeps its own name.
        middle: whether it is the middle of a row, not a scope of its own.
    """

    nodes: tuple[int, ...]
    scope: Scope
    name: str = ""
    middle: bool = False


def fold(graph: Graph, most: int) -> list[Fold]:
    """Return the boxes of a graph, in the order of what they hold.

    Args:
        most: a graph of so many nodes, and twice as many arrows, is not folded; of a larger
            one not more boxes are made (3 at least, where the outermost row is longer).

    >>> import tinygrad_res as tg
    >>> h = tg.tensor([1.0], requires_grad=True, name="x")
    >>> for k in range(3):
    ...     with tg.scope(f"step{k}"):
    ...         h = tg.tanh(2 * h)
    >>> [(box.name, len(box.nodes)) for box in fold(tg.graph(h), most=4)]
    [('', 1), ('step0', 2), ('step1', 2), ('step2', 2)]
    """
    users = _first_users(graph)
    scopes = homes(graph)
    found = [Fold((v,), scope) for v, scope in enumerate(scopes)]
    if len(found) <= most and _arrows(graph, found) <= _ARROWS_PER_BOX * most:
        return found
    few, several = min(most, _FEW), _shared(graph, scopes)
    for choice in _choices(graph, scopes, users, few):
        found = _joined(_boxes(scopes, users, *choice), several)
        if len(found) <= few and _arrows(graph, found) <= _ARROWS_PER_BOX * most:
            break
    return sorted(found, key=lambda box: box.nodes[0])


def _shared(graph: Graph, scopes: Sequence[Scope]) -> dict[int, tuple[Scope, str]]:
    """Return the parameters that several entries of a scope use: where that one is, and its name."""
    entries: dict[int, set[str]] = {}
    for edge in graph.edges:
        if graph.nodes[edge.target].kind == "parameter":
            depth = len(scopes[edge.target])
            name = "".join(scopes[edge.source][depth : depth + 1])
            entries.setdefault(edge.target, set()).add(name)
    found = {}
    for v, names in entries.items():
        bare = {name.rpartition("#")[0] for name in names}
        if len(names) > 1 and len(bare) == 1 and "" not in bare:
            found[v] = scopes[v], bare.pop()
    return found


def _joined(folds: Iterable[Fold], shared: dict[int, tuple[Scope, str]]) -> list[Fold]:
    """Return boxes, of which the parameters that entries of one scope share are one."""
    found: list[Fold] = []
    together: dict[tuple[Scope, str], list[int]] = {}
    for box in folds:
        if len(box.nodes) == 1 and box.nodes[0] in shared:
            together.setdefault(shared[box.nodes[0]], []).append(box.nodes[0])
        else:
            found.append(box)
    for (scope, name), nodes in together.items():
        found.append(Fold(tuple(sorted(nodes)), scope, name if len(nodes) > 1 else ""))
    return found


def _arrows(graph: Graph, folds: Sequence[Fold]) -> int:
    """Return how many arrows the edges between boxes are."""
    place = {v: i for i, found in enumerate(folds) for v in found.nodes}
    parallel = Counter((place[edge.source], place[edge.target]) for edge in graph.edges)
    return sum(
        n if n <= MOST_PARALLEL and not (folds[a].name or folds[b].name) else 1
        for (a, b), n in parallel.items()
        if a != b
    )


def homes(graph: Graph) -> list[Scope]:
    """Return the scope that every node belongs to; that of a parameter from what uses it."""
    scopes = _entries(graph)
    steps = [scopes[node.index] for node in graph.nodes if node.kind in ("scope", "operation")]
    holding = {scope[:k] for scope in steps for k in range(1, len(scope) + 1)}
    for node in graph.nodes:
        if node.kind == "scope" and (own := _names(entered(node)[0])) in holding:
            scopes[node.index] = own
    shared: dict[int, Scope] = {}
    for edge in graph.edges:
        node = graph.nodes[edge.target]
        if node.kind == "parameter" and not scopes[node.index]:
            around = scopes[edge.source]
            shared[node.index] = _common(shared.get(node.index, around), around)
    return [shared.get(v, scope) for v, scope in enumerate(scopes)]


def _entries(graph: Graph) -> list[Scope]:
    """Return the scope around every node, entries of one name told apart by a number.

    An entry in which other parts ran than before, such as ``body/1`` after ``body/0``, goes on
    with the last one.

    >>> import tinygrad_res as tg
    >>> h = tg.tensor([1.0], requires_grad=True, name="x")
    >>> for _ in range(2):
    ...     with tg.scope("cell"):
    ...         h = tg.tanh(h)
    >>> _entries(tg.graph(h))
    [(), ('cell#1',), ('cell#2',)]
    """
    if graph.level != "tensor" or graph.taken_from is None:
        return [_names(node.scope) for node in graph.nodes]
    inner = [node.record.scope for node in graph.nodes]
    held: dict[Entered, set[Scope]] = {}
    for innermost in dict.fromkeys(inner):
        around = _around(innermost)
        for k, scope in enumerate(around):
            held.setdefault(scope, set()).add(tuple(within.name for within in around[k + 1 :]))
    place: dict[Entered | None, Any] = {None: ()}
    entries: dict[Any, list[set[Scope]]] = {}
    for scope, parts in held.items():
        one_name = place[scope.parent], scope.name
        met = entries.setdefault(one_name, [set()])
        if parts & met[-1]:
            met.append(set())
        met[-1] |= parts
        place[scope] = one_name, len(met)
    found: dict[Any, Scope] = {(): ()}
    for key in place.values():
        if key:
            (parent, name), number = key
            names = _names(name) if parent else ()
            if names and len(entries[parent, name]) > 1:
                names = (*names[:-1], f"{names[-1]}#{number}")
            found[key] = found[parent] + names
    return [found[place[scope]] for scope in inner]


def _around(scope: Entered | None) -> list[Entered]:
    """Return a scope and those around it, outermost first."""
    found = []
    while scope is not None:
        found.append(scope)
        scope = scope.parent
    return found[::-1]


def _names(path: str) -> Scope:
    return tuple(filter(None, path.split("/")))


def entered(node: GraphNode) -> tuple[str, str]:
    """Return the path of the scope that a node at scope level is, and which of its entries.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> for _ in range(2):
    ...     with tg.scope("a/b"):
    ...         x = 2 * x
    >>> [entered(node) for node in tg.graph(x).scopes().nodes if node.kind == "scope"]
    [('a/b', '1'), ('a/b', '2')]
    """
    path, sign, number = (node.name or "").rpartition("#")
    return (path, number) if sign and number.isdecimal() else (node.name or "", "")


def _common(a: Scope, b: Scope) -> Scope:
    """Return the names that two scopes begin with.

    >>> _common(("body", "0", "branch"), ("body", "1"))
    ('body',)
    """
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    return a[:same]


def _first_users(graph: Graph) -> list[int]:
    """Return for every parameter the first node that uses it, and for others themselves."""
    found = list(range(len(graph.nodes)))
    for edge in reversed(graph.edges):
        if graph.nodes[edge.target].kind == "parameter":
            found[edge.target] = edge.source
    return found


def _choices(
    graph: Graph, scopes: Sequence[Scope], users: Sequence[int], few: int
) -> Iterator[tuple[set[Scope], int, float]]:
    """Yield ways to share nodes: those that show most come first.

    Each is the scopes to fold, how much of long rows to keep at each end, and from what
    length on a row is long.  Scopes that leave next to nothing to see are folded last.
    """
    heights, whole = _heights(scopes), float("inf")
    tops = range(max(heights.values(), default=0) + 1)
    forked = _forked(graph, scopes)
    cuts = [(ends, float(max(_SHORT, 2 * ends + 1))) for ends in range(_MOST_ENDS, 0, -1)]
    folded: set[Scope] = set()
    for top in tops:
        straight = {scope for scope in heights.keys() - forked if heights[scope] <= top}
        seen = sum(1 for _ in _boxes(scopes, users, straight, 0, whole))
        if top and seen < min(few, _ENOUGH):
            break
        folded = straight
        yield folded, 0, whole
    yield from ((folded, *cut) for cut in cuts)
    for top in tops:
        folded = folded | {scope for scope in heights if heights[scope] <= top}
        yield from ((folded, *cut) for cut in [(0, whole), *cuts])
    ends = max(1, min(_MOST_ENDS, (few - 1) // 2))
    yield set(heights), ends, 2 * ends + 1


def _heights(scopes: Sequence[Scope]) -> dict[Scope, int]:
    """Return how many scopes lie inside one another in each: 0 for those that hold none."""
    found = {scope[:k]: 0 for scope in scopes for k in range(1, len(scope) + 1)}
    for scope in sorted(found, key=len, reverse=True):
        if len(scope) > 1:
            found[scope[:-1]] = max(found[scope[:-1]], found[scope] + 1)
    return found


def _forked(graph: Graph, scopes: Sequence[Scope]) -> set[Scope]:
    """Return the scopes through which data takes ways that cross different weight layers."""
    inside: dict[Scope, list[int]] = {}
    for v, scope in enumerate(scopes):
        for k in range(1, len(scope) + 1):
            inside.setdefault(scope[:k], []).append(v)
    return {scope for scope, nodes in inside.items() if _has_fork(graph, nodes)}


def _has_fork(graph: Graph, nodes: Sequence[int]) -> bool:
    """Whether ways within some nodes, from outside to one of them, differ in weight layers."""
    least, most = dict.fromkeys(nodes, 0), dict.fromkeys(nodes, 0)
    for v in nodes:
        data = [e for e in graph.outgoing[v] if _is_data(graph, e.target)]
        if data:
            least[v] = min(least.get(e.target, 0) + max(e.weight, 0) for e in data)
            most[v] = max(most.get(e.target, 0) + abs(e.weight) for e in data)
        if least[v] < most[v]:
            return True
    return False


def _is_data(graph: Graph, v: int) -> bool:
    node = graph.nodes[v]
    return not node.weight_valued and (node.requires_grad or bool(graph.outgoing[v]))


def _boxes(
    scopes: Sequence[Scope], users: Sequence[int], folded: set[Scope], ends: int, longest: float
) -> Iterator[Fold]:
    """Yield the boxes, where some scopes are folded and rows beyond a length keep their ends."""
    todo: list[tuple[Scope, list[int]]] = [((), list(range(len(scopes))))]
    while todo:
        scope, held = todo.pop()
        depth = len(scope) + 1
        parts: dict[Scope | int, list[int]] = {}
        for v in sorted(held, key=lambda v: (users[v], v)):
            inner = scopes[v][:depth]
            parts.setdefault(inner if len(inner) == depth else users[v], []).append(v)
        row = list(parts)
        cut = row[ends:-ends] if len(row) > longest else []
        if cut:
            hidden = sorted(v for part in cut for v in parts.pop(part))
            yield Fold(tuple(hidden), scope, _between(cut), middle=True)
        for part, several in parts.items():
            if not isinstance(part, tuple):
                yield from (Fold((v,), scope) for v in several)
            elif part not in folded:
                todo.append((part, several))
            elif len(several) == 1:
                yield Fold((several[0],), scope)
            else:
                yield Fold(tuple(sorted(several)), scope, part[-1])


def _between(cut: Sequence[Scope | int]) -> str:
    """Return what the middle of a row is called: by its first and last scope.

    >>> _between([("body", "4"), ("body", "5"), 17])
    '4 … 5'
    >>> _between([17, 18])
    '…'
    """
    named = [part[-1] for part in cut if isinstance(part, tuple)]
    return f"{named[0]} … {named[-1]}" if len(named) > 1 else "…"
