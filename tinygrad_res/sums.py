r"""Sums of products as trees: written out, collected, and worked out in any algebra.

A formula is a sum over paths of products.  ``listed`` is that sum, term by term.
``collected`` is the same sum with common factors taken out, which is what the shape of the
graph says: nodes that every path visits cut it into factors, and where it branches, the
first edges of the branches are the terms of a sum.  Twenty residual blocks are 2^20 terms,
or a product of twenty factors of the form (1 + F').

Neither lists more than it is asked to: a sum of many terms shows the first and the last
with the number of those between, and a part that would take too much room is written as the
derivative that it is, dv/dx.

What the shape does not say is found in the terms: those that have a factor in common are
added up beside it, the most frequent factor first, as in Horner's rule for polynomials of
several variables (Ceberio and Kreinovich 2004).

A tree is a list in which the children of a part come after it, so that one pass from its
end works it out: as text and a number, or as an expression of sympy (``fold``).
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

import numpy as np

from . import semirings
from .backend import Array
from .dag import Dag
from .factors import Factors
from .measures import Paths
from .notation import Sign
from .products import Factor, Product
from .writing import FORMS, of_sum

V = TypeVar("V")
MOST_PARTS = 300
"""A collected formula has at most about this many parts, or what so many terms take."""
PARTS_PER_TERM = 10
MOST_WORK = 1 << 20
"""Branches are followed until this many edges have been looked at."""


class Part(NamedTuple):
    """A part of a formula: a product of factors, or of other parts, or a sum of such.

    Attributes:
        kind: ``"leaf"``, ``"product"`` or ``"sum"``.
        children: the places of its parts in the tree.
        product: what a leaf is.
        omitted: how many terms of a sum are left out before the last one shown.
        unit: what a term of a sum that has no factors is a multiple of, such as I.
        exact: whether the value of a leaf is known.
    """

    kind: str
    children: tuple[int, ...] = ()
    product: Product = Product()
    omitted: int = 0
    unit: str = ""
    exact: bool = True


Tree = list[Part]


def fold(
    tree: Tree, leaf: Callable[[Product], V], times: Callable[[list[V]], V],
    plus: Callable[[list[V], Part], V],
) -> V:  # fmt: skip
    """Return what a tree comes to; ``plus`` is told of which part."""
    found: list[Any] = [None] * len(tree)
    for i in range(len(tree) - 1, -1, -1):
        part = tree[i]
        parts = [found[k] for k in part.children]
        if part.kind == "leaf":
            found[i] = leaf(part.product)
        else:
            found[i] = times(parts) if part.kind == "product" else plus(parts, part)
    return found[0]  # type: ignore[no-any-return]


def is_complete(tree: Tree) -> bool:
    """Say whether nothing is left out of a tree."""
    return not any(part.omitted or not part.exact for part in tree)


def longest(tree: Tree) -> int:
    """Return how many terms the longest sum has, those included that are left out."""
    return max(len(part.children) + part.omitted for part in tree)


# Term by term


def listed(paths: Paths, factors: Factors, steps: Collection[str], most: int) -> Tree:
    """Return the sum of the paths' products, of at most ``most`` terms."""
    shown, omitted = elided(paths.count(), most)
    leaves = [Part("leaf", (), factors.product(paths[r]._numbers, steps)) for r in shown]
    return [Part("sum", tuple(range(1, len(leaves) + 1)), omitted=omitted), *leaves]


def elided(n: int, most: int) -> tuple[Sequence[int], int]:
    """Return which of n terms to show, and how many are left out before the last of them."""
    return (range(n), 0) if n <= most else ((*range(most - 1), n - 1), n - most)


# Collected


class _Task(NamedTuple):
    """Write all paths from ``source`` to ``target`` along some runs of edges."""

    source: int
    target: int
    runs: Array


def collected(paths: Paths, factors: Factors, steps: Collection[str], most: int) -> Tree:
    """Return the sum of the paths' products, common factors taken out."""
    if paths.count() < 2:
        return listed(paths, factors, [step for step in steps if step != "collect"], most)
    hidden = factors.between_joints(paths._dag.edges.tolist(), steps)
    runs = list(_runs(paths._dag, hidden))
    sources, targets = (np.array([run[k] for run in runs], dtype=np.int64) for k in (0, 1))
    todo = deque([_Task(paths._dag.root, paths._dag.ends[0], np.arange(len(runs)))])
    tree: Tree = []
    work, largest = 0, max(MOST_PARTS, PARTS_PER_TERM * most)
    while todo:
        source, target, among = todo.popleft()
        if tree and (len(tree) + len(todo) > largest or work > MOST_WORK):
            whole = Product(factors=(factors.derivative(source, target),))
            tree.append(Part("leaf", (), whole, exact=False))
            continue
        work += len(among)
        used, joints = _joints(source, target, sources[among], targets[among])
        among, omitted, kind = among[used], 0, "product"
        if len(joints) > 2:
            tasks = _segments(joints, among, sources)
        elif len(among) < 2:
            numbers = [e for run in among.tolist() for e in runs[run][2]]
            tree.append(Part("leaf", (), factors.product(numbers, steps)))
            continue
        else:
            first = among[sources[among] == source]
            shown, omitted = elided(len(first), most)
            rest, kind = among[: len(among) - len(first)], "sum"
            tasks = [_Task(source, target, np.append(rest, first[k])) for k in shown]
        place = len(tree) + len(todo) + 1
        unit = "I" if factors.frame.graph.nodes[source].shape else ""
        children = tuple(range(place, place + len(tasks)))
        tree.append(Part(kind, children, omitted=omitted, unit=unit))
        todo.extend(tasks)
    return tree


def _runs(dag: Dag, hidden: Collection[int]) -> Iterator[tuple[int, int, list[int]]]:
    """Yield source, target and edges of each way between nodes that are not passed over."""
    offsets, targets, edges = dag.lists
    for source in dag.nodes:
        if source in hidden:
            continue
        todo = [[k] for k in range(offsets[source], offsets[source + 1])][::-1]
        while todo:
            run = todo.pop()
            while (v := targets[run[-1]]) in hidden:
                run.append(offsets[v])
            yield source, v, [edges[k] for k in run]


def _joints(source: int, target: int, sources: Array, targets: Array) -> tuple[Array, list[int]]:
    """Return the places of the edges on paths from source to target, and the nodes on all paths."""
    nodes = np.unique(np.concatenate([[source, target], sources, targets]))
    u, w, root, end = (np.searchsorted(nodes, v) for v in (sources, targets, source, target))
    dag = Dag(len(nodes), int(root), (int(end),), u, w, np.arange(len(u)))
    ways = dag.beta(semirings.COUNT, [1] * len(dag.edges))
    return dag.edges, nodes[dag.joints(ways)].tolist()


def _segments(joints: Sequence[int], among: Array, sources: Array) -> list[_Task]:
    """Return what leads from each joint to the next one."""
    cuts = np.searchsorted(sources[among], np.asarray(joints) + 1)
    return [
        _Task(b, a, among[low:high])
        for (b, a), (high, low) in zip(
            itertools.pairwise(joints), itertools.pairwise(cuts.tolist()), strict=True
        )
    ]


# Written out


def written(tree: Tree, scalar: bool, collect: bool) -> Product:
    """Return what a tree comes to: a product, or a factor that is a sum, with its value.

    Args:
        tree: what to write.
        scalar: whether factors are numbers, so that their order does not matter.
        collect: whether equal terms become one with a larger coefficient, and factors that
            terms have in common are taken out of them.
    """

    def plus(parts: list[Product], part: Part) -> Product:
        if not collect or part.omitted:
            return _total(parts, part.omitted, part.unit)
        if not scalar:
            return _total(_merged(parts, scalar), 0, part.unit)
        return _grouped(_merged(_flat(parts), scalar))

    return fold(tree, lambda product: product, _times, plus)


def _total(terms: Sequence[Product], omitted: int = 0, unit: str = "") -> Product:
    if len(terms) < 2:
        return terms[0] if terms else Product(Fraction(0))
    latex, text = (of_sum(terms, omitted, form, unit) for form in FORMS)
    values = [term.value for term in terms]
    known = None if omitted or None in values else math.fsum(values)  # type: ignore[arg-type]
    whole = () if omitted else tuple(terms)
    return Product(factors=(Factor(Sign(latex, text), known, "sum", whole),))


def _times(parts: list[Product]) -> Product:
    coefficient = Fraction(1)
    for part in parts:
        coefficient *= part.coefficient
    return Product(coefficient, tuple(f for part in parts for f in part.factors))


def _flat(terms: Sequence[Product]) -> list[Product]:
    """Return the terms, and in the place of one that is a sum itself, that one's."""
    found: list[Product] = []
    for term in terms:
        inner = term.factors[0].terms if len(term.factors) == 1 else ()
        found += [_times([Product(term.coefficient), t]) for t in inner] or [term]
    return found


def _merged(terms: Sequence[Product], scalar: bool) -> list[Product]:
    """Return the terms with equal ones added up, in the order of their first."""
    found: dict[Any, Product] = {}
    for term in terms:
        marks = [factor.sign for factor in term.factors]
        key = tuple(sorted(marks) if scalar else marks)
        before = found.get(key, Product(Fraction(0)))
        found[key] = Product(before.coefficient + term.coefficient, term.factors)
    return [term for term in found.values() if term.coefficient]


def _grouped(terms: Sequence[Product]) -> Product:
    """Return the sum of terms, those added up beside it that have a factor in common.

    Each time it is the factor that most of the remaining terms have.
    """
    left, found = dict(enumerate(terms)), dict[int, Product]()
    while left:
        times = Counter(sign for term in left.values() for sign in _signs(term))
        sign, most = max(times.items(), key=operator.itemgetter(1), default=(None, 0))
        if most < 2:
            found |= left
            break
        together = [k for k, term in left.items() if sign in _signs(term)]
        found[together[0]] = _beside([left.pop(k) for k in together])
    groups = [found[k] for k in sorted(found)]
    alike = len(groups) > 1 and {abs(term.coefficient) for term in groups} != {1}
    return _beside(groups) if alike else _total(groups)


def _beside(terms: Sequence[Product]) -> Product:
    """Return the sum of terms as a product of what all of them have and the sum of their rests."""
    common = functools.reduce(operator.and_, map(_signs, terms))
    sizes = {abs(term.coefficient) for term in terms}
    number = sizes.pop() if len(sizes) == 1 else Fraction(1)
    rests = []
    before, after = list[Factor](), list[Factor]()
    for k, term in enumerate(terms):
        taken, rest = common.copy(), list[Factor]()
        for factor in term.factors:
            taken[factor.sign] -= 1
            if taken[factor.sign] < 0:
                rest.append(factor)
            elif not k:
                (after if rest else before).append(factor)
        rests.append(Product(term.coefficient / number, tuple(rest)))
    inner = _total(rests)
    return Product(number * inner.coefficient, (*before, *inner.factors, *after))


def _signs(term: Product) -> Counter[Sign]:
    """Return how often each factor is in a term."""
    return Counter(factor.sign for factor in term.factors)
