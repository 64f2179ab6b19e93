"""The forward pass as a sum over paths.

A path's product is read backward as a derivative.  Read forward it is a value: an input,
times every number that it meets on its way to the output.  For a network that is piecewise
affine, such as one of weight layers and relu, both readings have the same numbers on the
edges, so the output itself is a sum over paths (Choromanska et al. 2015, The Loss
Surfaces of Multilayer Networks, section 3):

    f = <x, df/dx> + the sum over biases b of <b, df/db> + constants

A relu puts 1 or 0 on its edge: paths through a dead unit drop out of the sum, and those
through a live one pass as if it were not there.

The one thing to understand: at each operation the record is asked which operands *carry*
a value and which only scale it.  All operands of a sum carry.  Of a product the data carries
and the weight scales, so that a path never leads along a weight: a bias counts where it is
added, and the weights count as factors.  An operation that bends (tanh), or that multiplies
data with data, is no sum over paths and is refused by name.

Parameters among themselves are no network: where a sum takes in a product or another
function of parameters alone, such as the -mean * gamma / sigma of batch norm in evaluation
mode, its value is a constant here, as are the numbers and plain arrays that are added.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import backend
from .affine import LOST, constant, replayed, split
from .errors import GraphError
from .flow import ends, inner, to_floats
from .grading import pull
from .graph import Graph
from .graph_parts import Grading, GraphEdge, GraphNode
from .measures import Paths
from .path_calculus import paths
from .record import Leaf
from .sweeps import seed
from .tensor import Tensor, raw
from .whole_numbers import in_words


@dataclass(frozen=True)
class ForwardPaths:
    """An output as a sum over paths; make one with ``tg.forward_paths(output, x)``.

    Attributes:
        value: the output, times the cotangent: what all terms and the constants sum to.
        terms: what the paths from each leaf contribute, by the leaf's name: x, other inputs
            and the biases.  Where a name is not unique, the scope where it is used stands
            before it, and if need be its index in the graph behind it.
        constants: what numbers, plain arrays and functions of parameters alone contribute.
        unplaced: the part of ``constants`` that the record does not keep, such as the 3 of x + 3.
            It is what the rest leaves of ``value``; where the record keeps everything it is 0,
            and the sum was checked against ``value``.
    """

    value: float
    terms: dict[str, float]
    constants: float
    unplaced: float
    _plan: _Plan = field(repr=False, compare=False)

    @property
    def graph(self) -> Graph:
        """The graph whose paths carry the values."""
        return self._plan.graph

    @property
    def leaves(self) -> dict[str, GraphNode]:
        """The node where the paths of each term start, by the term's name, x first."""
        return {name: self._plan.graph.nodes[index] for index, name in self._plan.names.items()}

    @property
    def carrying(self) -> frozenset[int]:
        """The indices of the edges that carry a value: those of which its paths are made."""
        return frozenset(e.index for edges in self._plan.carried.values() for e in edges)

    def of(self, leaf: Tensor) -> float:
        """Return what the paths from ``leaf`` contribute.

        Raises:
            GraphError: no path leads to it that carries it.
        """
        return self.terms[self._name(leaf)]

    def count(self, leaf: Tensor | GraphNode | None = None) -> int:
        """Return the number of paths from all leaves, or from one, exactly.

        Paths from constants are left out.  It counts dead ones too.
        """
        name = None if leaf is None else self._name(leaf)
        counts = self._plan.counts
        return sum(n for key, n in counts.items() if name in (None, self._plan.names[key]))

    def paths(self, leaf: Tensor) -> Paths:
        """Return the paths that carry ``leaf`` to the output, to be counted, graded and sampled.

        Raises:
            GraphError: no path carries it; or other gradient paths lead to it too, since it
                is a factor as well.
        """
        name = self._name(leaf)
        found = paths(self._plan.output, leaf, cotangent=self._plan.cotangent)
        if found.count() != self.count(leaf):
            raise GraphError(
                f"paths: of {in_words(found.count())} gradient paths to {name}, "
                f"{in_words(self.count(leaf))} carry it "
                "and the others have it as a factor: use .of(leaf) and .count(leaf)"
            )
        return found

    def by(self, by: Grading = "weight") -> dict[int, float]:
        """Return the contribution of the paths of each degree, such as weight layers crossed.

        Those of a constant start where it is added.  The degrees sum to ``value - unplaced``.

        Args:
            by: a grading, as for ``Paths.count_by``.
        """
        found: dict[int, list[float]] = {}
        parts, _ = _sweep(self._plan, self._plan.graph.grades(by).tolist())
        del parts[_OUTPUT, 0]
        for (_, degree), value in parts.items():
            found.setdefault(degree, []).append(value)
        return {degree: math.fsum(values) for degree, values in sorted(found.items())}

    def table(self) -> str:
        """Return a text with a line for each term: what it contributes, along how many paths.

        >>> import tinygrad_res as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
        >>> W, b = tg.parameter([[1.0], [3.0]], name="W"), tg.parameter([4.0], name="b")
        >>> print(forward_paths(tg.relu(x @ W + b) + 5.0, x).table())
        term         contribution  paths
        x                       7      1
        b                       4      1
        constants               5
        sum                    16      2
        """
        counts = {self._plan.names[key]: n for key, n in self._plan.counts.items()}
        rows = [
            (name, f"{value:.6g}", in_words(counts[name])) for name, value in self.terms.items()
        ]
        rows = [
            ("term", "contribution", "paths"), *rows,
            *([("constants", f"{self.constants:.6g}", "")] if self.constants else []),
            ("sum", f"{self.value:.6g}", in_words(self.count())),
        ]  # fmt: skip
        wide = [max(len(row[k]) for row in rows) for k in range(3)]
        return "\n".join(
            f"{a:<{wide[0]}}  {b:>{wide[1]}}  {c:>{wide[2]}}".rstrip() for a, b, c in rows
        )

    def _name(self, leaf: Tensor | GraphNode) -> str:
        index = self._plan.graph.find(leaf).index
        if index not in self._plan.names:
            raise GraphError(
                f"forward_paths: no path carries {leaf.name or 'this tensor'} to the output: it is "
                f"a factor, a constant or inside: the terms are {', '.join(self.terms)}"
            )
        return self._plan.names[index]


def forward_paths(output: Tensor, x: Tensor, cotangent: Any = None) -> ForwardPaths:
    """Return ``output`` as a sum over the paths from ``x``, from other inputs and from biases.

    Args:
        output: what a piecewise affine network computed, such as its logits.
        x: the input, or any tensor on the way: paths start there.
        cotangent: the weight of every element of ``output``, where it has several; with a 1 at
            one logit and 0 elsewhere, the sum is that logit.

    Leaves must hold the values with which ``output`` was computed.

    Raises:
        GradientError: ``x`` carries no gradient, or ``output`` has several elements and no cotangent.
        GraphError: ``output`` does not depend on ``x``; or an operation on the way is not
            piecewise affine in the data (all of them are named); or a leaf is gone; or the
            sum is not the output's value, as where a leaf changed.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, -2.0], requires_grad=True, name="x")
    >>> W, b = tg.parameter([[1.0, 1.0], [1.0, -1.0]], name="W"), tg.parameter([0.5, 0.5], name="b")
    >>> forward = forward_paths(tg.relu(x @ W + b).sum(), x)
    >>> forward.value, forward.terms, forward.by("weight")
    (3.5, {'x': 3.0, 'b': 0.5}, {0: 0.5, 1: 3.0})
    """
    plan = _planned(output, x, cotangent)
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        parts, mass = _sweep(plan, [0] * len(plan.graph.edges))
    value = parts.pop((_OUTPUT, 0))
    rest = value - math.fsum(parts.values())
    if not math.isfinite(rest):
        raise GraphError(
            f"forward_paths: the output is {value:g} and its terms leave {rest:g}: there is no sum "
            "over paths where values on the way are not finite"
        )
    if not plan.loses and not abs(rest) <= _tolerance(plan) * mass:
        raise GraphError(
            f"forward_paths: the terms sum to {value - rest:g} and the output is {value:g}, "
            f"{rest:g} more: a leaf has other values than when the output was computed, or the "
            "derivative of an operation is wrong; compute the output again"
        )
    terms = {name: parts[end, 0] for end, name in plan.names.items()}
    unplaced = rest if plan.loses else 0.0
    constants = math.fsum(v for (end, _), v in parts.items() if end not in plan.names) + unplaced
    return ForwardPaths(value, terms, constants, unplaced, plan)


_OUTPUT = -1


@dataclass(frozen=True)
class _Plan:
    """Who carries what, found before anything is swept.

    ``carried`` are the edges of each operation to the operands that carry, ``values`` what
    each node adds that has nothing more to carry it: a leaf its value, an operation its
    constant.  ``names`` are those of the leaves that are terms, ``counts`` their paths.
    ``loses`` says that the record does not keep all constants.
    """

    graph: Graph
    output: Tensor
    cotangent: Any
    start: Any
    carried: dict[int, list[GraphEdge]]
    values: dict[int, Any]
    names: dict[int, str]
    counts: dict[int, int]
    loses: bool


def _planned(output: Tensor, x: Tensor, cotangent: Any) -> _Plan:
    whole, source, target = ends("forward_paths", output, x)
    start = raw(seed("forward_paths", output._array, cotangent, output.shape, output.dtype))
    carried, stops = split(whole, target)
    values: dict[int, Any] = {}
    for node, edges in carried.items():
        values[node] = constant(whole.nodes[node].record, edges, backend.namespace(start))
    leaves = [n for n in stops if n == target or _is_term(whole.nodes[n])]
    users = {e.target: e.source for edges in carried.values() for e in edges}  # the first of each
    leaves.sort(key=lambda n: (n != target, whole.nodes[n].kind == "parameter", users.get(n)))
    values |= replayed(whole, [n for n in stops if n not in leaves])
    values |= {n: _value(whole.nodes[n], x if n == target else None) for n in leaves}
    counts = _count(carried, source)
    return _Plan(
        whole, output, cotangent, start, carried,
        {node: v for node, v in values.items() if v is not None and v is not LOST},
        _names(whole, leaves, users), {n: counts[n] for n in leaves},
        any(v is LOST for v in values.values()),
    )  # fmt: skip


def _is_term(node: GraphNode) -> bool:
    return isinstance(node.record, Leaf) and not node.record.is_constant


def _value(node: GraphNode, tensor: Tensor | None = None) -> Any:
    """Return the values of a leaf.

    Raises:
        GraphError: nobody holds it any more.
    """
    tensor = node.tensor if tensor is None else tensor
    if tensor is None:
        raise GraphError(
            f"forward_paths: the tensor of {node.label} (node {node.index}) is gone, and its "
            "values with it: keep the network and its inputs while you ask"
        )
    return tensor._array


def _count(carried: dict[int, list[GraphEdge]], source: int) -> dict[int, int]:
    """Return the number of ways from the source along carrying edges, for each node."""
    found = {source: 1}
    for node, edges in carried.items():  # the newest first
        for edge in edges:
            found[edge.target] = found.get(edge.target, 0) + found[node]
    return found


def _names(whole: Graph, leaves: list[int], users: dict[int, int]) -> dict[int, str]:
    """Return a name for each leaf that no other has."""
    scopes = {leaf: whole.nodes[users.get(leaf, leaf)].scope for leaf in leaves}
    found = {leaf: whole.nodes[leaf].label for leaf in leaves}
    longer: tuple[Callable[[int], str], ...] = (
        lambda leaf: f"{scopes[leaf]}/{found[leaf]}" if scopes[leaf] else found[leaf],
        lambda leaf: f"{found[leaf]} #{leaf}",
    )
    for better in longer:
        taken = Counter(found.values())
        found = {leaf: better(leaf) if taken[name] > 1 else name for leaf, name in found.items()}
    return found


def _sweep(plan: _Plan, grades: Sequence[int]) -> tuple[dict[tuple[int, int], float], float]:
    """Return what each node adds along paths of each degree, and the sum of it without signs."""
    source = plan.graph.output.index
    whole = inner(plan.start, plan.output._array)
    numbers: dict[Any, Any] = {(_OUTPUT, 0): whole}
    arriving: dict[int, dict[int, Any]] = {source: {0: plan.start}}
    for node in sorted({*plan.carried, *plan.values}, reverse=True):
        edges = plan.carried.get(node, [])
        for degree, cotangent in arriving.pop(node).items():
            if node in plan.values:
                value = plan.values[node]
                if node not in plan.names:  # -inf around a maximum: what is dead adds nothing
                    value = backend.namespace(cotangent).where(cotangent == 0, 0, value)
                numbers[node, degree] = inner(cotangent, value)
                numbers["mass", node, degree] = inner(abs(cotangent), abs(value))
            pulled = pull(plan.graph.nodes[node], cotangent, edges) if edges else []
            for edge, g in zip(edges, pulled, strict=True):
                sums = arriving.setdefault(edge.target, {})
                reached = degree + grades[edge.index]
                sums[reached] = sums[reached] + g if reached in sums else g
    found = to_floats(numbers)
    mass = math.fsum(v for key, v in found.items() if len(key) == 3)
    return {key: v for key, v in found.items() if len(key) == 2}, mass


def _tolerance(plan: _Plan) -> float:
    """Return how far rounding may part the sum from the output, relative to its parts."""
    dtypes = {plan.graph.nodes[n].record.dtype for n in plan.carried}
    return math.sqrt(max(float(np.finfo(dtype).eps) for dtype in {*dtypes, plan.output.dtype}))
