"""Random programs for the tests of paths, and their paths one by one.

The paths are listed by networkx in a graph of numbers that is built here, from unit
cotangents, so that nothing under test takes part: neither the expansion to scalars nor any
sweep.  Programs are small, because all of their paths are listed.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import networkx as nx
import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res.families import Contraction, Pointwise, Reduction

GRADINGS = ("weight", "scale", "block", "activation", "length")


def weight(rng, *shape):
    return tg.parameter(rng.standard_normal(shape) / math.sqrt(shape[0]))


def leaf(rng, *shape):
    return tg.tensor(rng.standard_normal(shape), requires_grad=True, name="x")


# Programs: each returns the input and an output, often of several elements


def dense(rng):
    """Matrix products with a bias, units that are dead and a weight that is zero."""
    x, w = leaf(rng, 2, 3), rng.standard_normal((3, 4))
    w[1, 2] = 0.0
    h = tg.relu(x @ tg.parameter(w) + tg.parameter(rng.standard_normal(4)))
    return x, tg.relu(h @ weight(rng, 4, 2)) @ weight(rng, 2, 2)


def residual(rng):
    """Two residual blocks, of which the branch is a scope."""
    x = h = leaf(rng, 1, 3)
    for i in range(2):
        with tg.scope(f"block{i}"):
            with tg.scope("branch", branch=True):
                branch = tg.tanh(h @ weight(rng, 3, 3)) * weight(rng, 3)
            h = h + branch
    return x, h


def repeated(rng):
    """Operands that occur twice."""
    x = leaf(rng, 2, 2)
    h = x * x + x @ x
    return x, (h * h) @ x


def convolutions(rng):
    """A convolution, relu, pooling by the largest, and a second convolution."""
    x = leaf(rng, 1, 2, 5, 4)
    h = tg.max_pool2d(tg.relu(tg.conv2d(x, weight(rng, 2, 2, 2, 2), padding=1)), 2)
    return x, tg.conv2d(h, weight(rng, 2, 2, 3, 2))


def pooled(rng):
    """Pooling by the mean, and what a branch of another size adds."""
    x = leaf(rng, 1, 1, 4, 4)
    return x, tg.avg_pool2d(x, 2) * tg.max_pool2d(x, 2) + tg.avg_pool2d(tg.sigmoid(x), 2)


def normalised(rng):
    """Layer norm with its scale, and a softmax over what is added to it."""
    x = leaf(rng, 2, 3)
    h = x + tg.layer_norm(x, 3, weight(rng, 3), weight(rng, 3)) @ weight(rng, 3, 3)
    return x, tg.softmax(h)


def batch(rng):
    """Batch norm, in which every element of a channel depends on all."""
    x = leaf(rng, 4, 2)
    return x, tg.relu(tg.batch_norm(x, weight(rng, 2), weight(rng, 2))) * x


def stretched(rng):
    """Broadcasting, sums along axes, quotients."""
    x = leaf(rng, 2, 3)
    row, column = x.sum(axis=0), (x * x).mean(axis=1, keepdims=True)
    return x, (x * row - column) / (column + 1.0) + row


def joined(rng):
    """Concatenation, slices, padding and a transpose."""
    x = leaf(rng, 2, 2)
    h = tg.concat([x, tg.tanh(x), x * 2.0], axis=0)
    return x, tg.pad(h[1:4], ((0, 1), (0, 0))).T @ weight(rng, 4, 2)


def random(rng):
    """A random composition."""
    x = leaf(rng, 2, 2)
    values = [x]
    for _ in range(6):
        a, b = (values[i] for i in rng.integers(max(0, len(values) - 3), len(values), 2))
        w = weight(rng, 2, 2)
        makers = (
            lambda a=a, b=b: a + b, lambda a=a, b=b: a * b, lambda a=a, w=w: a @ w,
            lambda a=a: tg.relu(a), lambda a=a: tg.sigmoid(a.T), lambda a=a, w=w: a * w[0],
            lambda a=a, b=b: tg.concat([a, b], 0)[1:3],
        )  # fmt: skip
        values.append(makers[rng.integers(len(makers))]())
    return x, values[-1] + values[-2] * 0.5


PROGRAMS = (
    dense, residual, repeated, convolutions, pooled, normalised, batch, stretched, joined, random,
)  # fmt: skip

CASES = [(program, 0) for program in PROGRAMS] + [(random, 1), (random, 2)]
every_program = pytest.mark.parametrize(
    ("program", "seed"), CASES, ids=[f"{program.__name__}-{seed}" for program, seed in CASES]
)


# Their paths, one by one


class Step(NamedTuple):
    """An edge: elements by the record they belong to and their flat index.

    Of one source, edges are numbered by operand and then by its elements.
    """

    number: int
    source: tuple
    target: tuple
    position: int
    derivative: float
    edge: tg.GraphEdge | None


def jacobian(record, position):
    """Return the local Jacobian from unit cotangents, one for each element of the output."""
    units = np.eye(math.prod(record.shape)).reshape(-1, *record.shape)
    rows = [record.primitive.vjp(record, unit, (position,))[0].ravel() for unit in units]
    return np.array(rows).reshape(len(units), math.prod(record.parents[position].shape))


def pattern(record, position):
    """Return which elements meet by the form of the operation, whatever its values are."""
    primitive, shape = record.primitive, record.parents[position].shape
    own = np.arange(math.prod(shape)).reshape(shape)
    units = np.eye(math.prod(record.shape)).reshape(-1, *record.shape)
    if isinstance(primitive, Pointwise):
        return np.broadcast_to(own, record.shape).reshape(-1, 1) == np.arange(own.size)
    if isinstance(primitive, Reduction):
        moved = (
            np.eye(own.size).reshape(-1, *shape).sum(tuple(a + 1 for a in record.params["axis"]))
        )
        return moved.reshape(own.size, -1).T != 0
    if isinstance(primitive, Contraction):
        ones = np.ones_like(record.saved[2 - position])
        rule = primitive.rules[position]
        return np.array([rule(np, u, ones, shape, **record.params).ravel() for u in units]) != 0
    return jacobian(record, position) != 0


def multigraph(output, x, cotangent=None):
    """Return a graph of numbers, and the elements of ``x`` in it; its source is ``"root"``."""
    tensors, found = tg.graph(output), nx.MultiDiGraph()
    for e in tensors.edges:
        above, below = tensors.nodes[e.source].record, tensors.nodes[e.target].record
        derivatives = jacobian(above, e.position)
        for row, column in np.argwhere(pattern(above, e.position)).tolist():
            derivative, number = derivatives[row, column], found.number_of_edges()
            step = Step(number, (above, row), (below, column), e.position, derivative, e)
            found.add_edge(step.source, step.target, step=step)
    seed = np.ones(1) if cotangent is None else np.ravel(cotangent)
    for i, u in enumerate(seed.tolist()):
        step = Step(i, "root", (output._node, i), i, u, None)
        found.add_edge(step.source, step.target, step=step)
    return found, [(x._node, i) for i in range(math.prod(x.shape))]


def listed(output, x, cotangent=None, at=None):
    """Return every path, a tuple of steps, in lexicographic order of the edges."""
    graph, ends = multigraph(output, x, cotangent)
    wanted = ends if at is None else [ends[np.ravel_multi_index(at, x.shape)]]
    wanted = [end for end in wanted if end in graph]
    return sorted(
        tuple(graph.edges[edge]["step"] for edge in path)
        for path in nx.all_simple_edge_paths(graph, "root", wanted)
    )


def product(path):
    return math.prod(step.derivative for step in path)


def degree(path, by):
    grade = by if callable(by) else lambda edge: 1 if by == "length" else getattr(edge, by)
    return sum(grade(step.edge) for step in path if step.edge)


def products(paths):
    return np.array([product(path) for path in paths])


def by_degree(paths, by):
    """Return the listed paths of each degree, by rising degree."""
    found = {}
    for path in paths:
        found.setdefault(degree(path, by), []).append(path)
    return dict(sorted(found.items()))


def gradient(paths, x):
    """Return the sum of the products of listed paths, for each element of ``x``."""
    found = np.zeros(math.prod(x.shape))
    for path in paths:
        found[path[-1].target[1]] += product(path)
    return found.reshape(x.shape)


def visits(path, tensor, at=None):
    places = {step.target for step in path}
    if at is None:
        return tensor._node in {record for record, _ in places}
    return (tensor._node, int(np.ravel_multi_index(at, tensor.shape))) in places


def steps(path):
    """Return a path of the code under test as what ``key`` makes of a listed one."""
    nodes = path.paths.graph.nodes

    def place(number):
        node = nodes[number]
        shape = node.recorded.shape
        return node.recorded, int(np.ravel_multi_index(node.element, shape)) if shape else 0

    return tuple((place(e.source), place(e.target), e.position) for e in path.edges)


def key(path):
    """Return what tells a listed path from others."""
    return tuple((step.source, step.target, step.position) for step in path if step.edge)


class Case(NamedTuple):
    """A program, what is asked of it, and its paths: by the code under test and one by one."""

    x: tg.Tensor
    y: tg.Tensor
    cotangent: np.ndarray
    paths: tg.Paths
    listed: list[tuple[Step, ...]]


@functools.cache
def case(program, seed):
    """Return a random program with a cotangent for its output."""
    rng = np.random.default_rng(seed)
    x, y = program(rng)
    cotangent = rng.standard_normal(y.shape)
    paths = tg.paths(y, x, cotangent=cotangent, level="scalar")
    return Case(x, y, cotangent, paths, listed(y, x, cotangent))
