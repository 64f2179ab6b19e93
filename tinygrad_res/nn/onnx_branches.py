"""Residual branches of an ONNX file: what stands between a split and the addition that merges it.

A file has no blocks, only additions.  Where one adds two values, the *split* is the last value that
every way back from both goes through: their nearest common dominator (Lengauer & Tarjan 1979).  The
addition ends a residual block where one side is a shortcut: some way along it crosses no weight layer, or
just the 1x1 convolution of a projection (He et al. 2015, section 3.3), and every way along the other
crosses more.  That other side is the branch, if nothing outside uses what is in it.

A branch is one scope, so its nodes must be a run of steps: they are moved together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, takewhile

from .onnx_nodes import Node
from .onnx_operators import OPERATORS, ends_gradient

Path = tuple[tuple[str, int], ...]
"""Scopes from the outermost: a name, and the number of the branch that it is, or 0."""

_DEEPEST = 50  # scopes inside one another; further ones are one, and at most one branch
_ROOT = ""


def filed(
    nodes: Sequence[Node], inputs: Iterable[str], shapes: Mapping[str, tuple[int, ...]],
    outputs: Collection[str],
) -> list[tuple[Node, Path]]:  # fmt: skip
    """Return the nodes, those of a branch in a row, each with the scopes that it is filed under.

    Args:
        nodes: in order.
        inputs: of the network.
        shapes: of the arrays that the file holds.
        outputs: of the network.
    """
    flow = _Flow(nodes, tuple(inputs), shapes, frozenset(outputs))
    order, regions = _together(flow, flow.regions())
    paths = _paths(nodes, flow, regions)
    return [(nodes[k], paths[k]) for k in order]


@dataclass(frozen=True)
class _Flow:
    """How values flow from the network's inputs, and what dominates what; nodes are numbers."""

    nodes: Sequence[Node]
    inputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    outputs: frozenset[str]

    @cached_property
    def maker(self) -> dict[str, int]:
        """The node that makes a value."""
        return {name: k for k, node in enumerate(self.nodes) for name in node.outputs}

    @cached_property
    def needs(self) -> list[list[int]]:
        """The nodes that each node comes after."""
        return [[self.maker[n] for n in node.uses if n in self.maker] for node in self.nodes]

    @cached_property
    def above(self) -> dict[str, tuple[str, int]]:
        """Each value that carries the input's gradient: what dominates it, and how deep it is."""
        found = dict.fromkeys(self.inputs, (_ROOT, 1))
        for node in self.nodes:
            if ends_gradient(node.op, node.given):
                continue
            carried = [
                name
                for k, name in enumerate(node.inputs)
                if name in found and OPERATORS[node.op].role(k) != "host"
            ]
            if carried:
                last = carried[0]
                for name in carried[1:]:
                    last = _common(last, name, found)
                depth = found[last][1] + 1 if last else 1
                found |= dict.fromkeys(node.outputs, (last, depth))
        return found

    @cached_property
    def users(self) -> dict[str, set[int]]:
        """The nodes that carry a value on; -1 is the outside of the network."""
        found: dict[str, set[int]] = {name: {-1} for name in self.outputs}
        for k, node in enumerate(self.nodes):
            if node.outputs[0] in self.above:
                for name in node.inputs:
                    found.setdefault(name, set()).add(k)
        return found

    def carried(self, k: int) -> list[str]:
        """Return the operands of a node that carry the input's gradient."""
        node = self.nodes[k]
        return [
            name
            for i, name in enumerate(node.inputs)
            if name in self.above and OPERATORS[node.op].role(i) != "host"
        ]

    def layer(self, k: int) -> tuple[int, ...] | None:
        """Return the shape of the weight that a node multiplies by, as far as it is known."""
        node = self.nodes[k]
        for i, name in enumerate(node.inputs):
            if OPERATORS[node.op].role(i) == "weight" and name not in self.above:
                return self.shapes.get(name, ())
        return None

    def regions(self) -> list[frozenset[int]]:
        """Return the nodes of each branch, inner branches first."""
        found: list[frozenset[int]] = []
        for k, node in enumerate(self.nodes):
            if node.op == "Add" and len(self.carried(k)) == 2 and node.inputs[0] != node.inputs[1]:
                region = self._branch(k)
                if region and all(
                    region.isdisjoint(other) or other <= region for other in found
                ):  # fmt: skip
                    found.append(region)
        return sorted(found, key=len)

    def _branch(self, merge: int) -> frozenset[int] | None:
        """Return the nodes of the branch that an addition merges, or nothing."""
        ends = self.nodes[merge].inputs
        split = _common(ends[0], ends[1], self.above)
        if not split:
            return None
        lanes = [self._lane(split, end) for end in ends]
        layers = [self._fewest(split, end, lane) for end, lane in zip(ends, lanes, strict=True)]
        if layers[0] == layers[1]:
            return None
        long = layers.index(max(layers))
        way, branch = lanes[1 - long], lanes[long]
        if min(layers) and not (min(layers) == 1 and self._projects(way)):
            return None
        inside = {*branch, merge}
        for k in branch:
            if any(not self.users.get(name, set()) <= inside for name in self.nodes[k].outputs):
                return None
        return self._closed(branch)

    def _lane(self, split: str, end: str) -> list[int]:
        """Return the nodes on the ways back from ``end`` to ``split``, in order."""
        found: set[int] = set()
        open = [end]
        while open:
            name = open.pop()
            if name != split and self.maker[name] not in found:
                found.add(self.maker[name])
                open += self.carried(self.maker[name])
        return sorted(found)

    def _fewest(self, split: str, end: str, lane: Sequence[int]) -> int:
        """Return the number of weight layers on the way that crosses fewest."""
        crossed = {split: 0}
        for k in lane:
            before = min(crossed[name] for name in self.carried(k))
            here = before + (self.layer(k) is not None)
            crossed |= dict.fromkeys(self.nodes[k].outputs, here)
        return crossed[end]

    def _projects(self, lane: Sequence[int]) -> bool:
        """Say whether the weight layers of a lane are convolutions of 1x1."""
        kernels = [self.layer(k) for k in lane if self.nodes[k].op == "Conv"]
        layers = [k for k in lane if self.layer(k) is not None]
        return len(kernels) == len(layers) and all(
            shape is not None and set(shape[2:]) == {1} for shape in kernels
        )

    def _closed(self, branch: Sequence[int]) -> frozenset[int] | None:
        """Return a branch with the shapes that are computed from one part of it for another."""
        after = set(branch)
        for k in range(branch[0], branch[-1]):
            if any(n in after for n in self.needs[k]):
                after.add(k)
        before = set(branch)
        for k in range(branch[-1], branch[0], -1):
            if k in before:
                before.update(self.needs[k])
        found = frozenset(after & before)
        others = found.difference(branch)
        return None if any(self.nodes[k].outputs[0] in self.above for k in others) else found


def _common(a: str, b: str, above: Mapping[str, tuple[str, int]]) -> str:
    """Return the last value that dominates both, or nothing."""
    while a != b:
        if not a or not b:
            return _ROOT
        if above[a][1] >= above[b][1]:
            a = above[a][0]
        else:
            b = above[b][0]
    return a


def _together(
    flow: _Flow, regions: Sequence[frozenset[int]]
) -> tuple[list[int], list[frozenset[int]]]:
    """Return all nodes in order, those of a region in a row, and the regions that this is true of.

    Two branches of which each needs shapes from the other cannot both be in a row.
    """
    order = list(range(len(flow.nodes)))
    place = list(order)
    run: dict[int, int] = {}  # the largest region so far that a node is in
    kept: list[frozenset[int]] = []
    for region in regions:  # inner ones first: they stay in a row as part of an outer one
        spots = [place[k] for k in region]
        first, end = min(spots), max(spots) + 1
        moved: dict[str, list[int]] = {"before": [], "inside": [], "after": []}
        late: set[int] = set()
        for nodes in _units(order[first:end], region, run):
            needs = {need for k in nodes for need in flow.needs[k]}
            if nodes[0] in region:
                if not late.isdisjoint(needs):
                    break
                moved["inside"] += nodes
            elif needs & late or needs & region:
                late.update(nodes)
                moved["after"] += nodes
            else:
                moved["before"] += nodes
        else:
            kept.append(region)
            order[first:end] = [k for part in moved.values() for k in part]
            for spot in range(first, end):
                place[order[spot]] = spot
            run |= dict.fromkeys(region, len(kept))
    return order, kept


def _units(
    order: Sequence[int], region: Collection[int], run: Mapping[int, int]
) -> Iterator[list[int]]:
    """Yield nodes that move as one: those of a region or of a run in a row, others alone."""
    for _, unit in groupby(order, lambda k: 0 if k in region else run.get(k, ~k)):
        yield list(unit)


def _paths(nodes: Sequence[Node], flow: _Flow, regions: Sequence[frozenset[int]]) -> list[Path]:
    """Return the scopes of each node, with those of the branches around it.

    A module that holds nothing but branches is the scope of each; elsewhere a scope called
    ``branch`` stands below the modules that all of the branch is in.
    """
    parts = [tuple(part for part in node.scope.split("/") if part) for node in nodes]
    shared = [
        _prefix(parts[k] for k in region if nodes[k].outputs[0] in flow.above) for region in regions
    ]
    whole = []
    for prefix in shared:
        alike = frozenset[int]().union(*(r for r, p in zip(regions, shared) if p == prefix))
        within = (k for k, own in enumerate(parts) if own[: len(prefix)] == prefix)
        whole.append(bool(prefix) and alike.issuperset(within))
    paths = []
    for k, own in enumerate(parts):
        path: list[tuple[str, int]] = []
        done = 0
        for number in reversed(range(len(regions))):  # from the outside
            if k not in regions[number]:
                continue
            prefix = shared[number]
            own = own if own[: len(prefix)] == prefix else prefix
            path += [(part, 0) for part in own[done : len(prefix)]]
            done = len(prefix)
            if whole[number] and path[-1][1] == 0:
                path[-1] = (path[-1][0], number + 1)
            else:
                path.append(("branch", number + 1))
        path += [(part, 0) for part in own[done:]]
        paths.append(_bounded(path))
    return paths


def _prefix(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return what all begin with."""
    columns = zip(*parts)
    return tuple(column[0] for column in takewhile(lambda names: len(set(names)) == 1, columns))


def _bounded(path: Sequence[tuple[str, int]]) -> Path:
    if len(path) <= _DEEPEST:
        return tuple(path)
    rest = path[_DEEPEST:]
    return (*path[:_DEEPEST], ("/".join(name for name, _ in rest), max(mark for _, mark in rest)))
