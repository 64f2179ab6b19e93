"""The scope level: its paths are classes of tensor-level paths, which are listed here."""

import functools
import itertools
import math

import numpy as np
import oracles
import pytest

import tinygrad_res as tg
from tinygrad_res import nets
from tinygrad_res.errors import GraphError
from tinygrad_res.record import Leaf

NAMED = ("weight", "scale", "activation", "block")
DEPTHS = (None, 1, 2)


def scoped_program(seed, size=16):
    """Return values and loss of a random program whose scopes nest, and which escape from them."""
    rng = np.random.default_rng(seed)
    values = [tg.tensor(rng.standard_normal((3, 3)), requires_grad=True, name="x")]
    opened = []
    for _ in range(size):
        turn = rng.integers(6)
        if turn == 0 and len(opened) < 3:
            opened.append(tg.scope(f"s{rng.integers(3)}", branch=bool(rng.integers(2))))
            opened[-1].__enter__()
        elif turn == 1 and opened:
            opened.pop().__exit__(None, None, None)
        a, b = (values[-1 - i] for i in rng.integers(0, min(4, len(values)), 2))
        w = tg.parameter(rng.standard_normal((3, 3)))
        makers = (
            lambda a=a, b=b: a + b, lambda a=a, b=b: a * b, lambda a=a, w=w: a @ w,
            lambda a=a: tg.tanh(a), lambda a=a: tg.sigmoid(a.T), lambda a=a, w=w: a * w.T,
        )  # fmt: skip
        values.append(makers[rng.integers(len(makers))]())
    while seed % 2 and opened:
        opened.pop().__exit__(None, None, None)
    loss = (values[-1] * values[-2]).sum()
    while opened:
        opened.pop().__exit__(None, None, None)
    return values, loss


def group(node, depth):
    """Return what a node of a record is part of: a scope, or itself."""
    scopes = []
    scope = node.record.scope
    while scope.parent is not None:
        scopes.insert(0, scope)
        scope = scope.parent
    if isinstance(node.record, Leaf) or not scopes:
        return node.index
    return scopes[:depth][-1]


@functools.cache
def classes(loss, x, depth):
    """Return tensor-level paths by the crossing edges on them, in lexicographic order.

    Where a path ends inside of the group that it last entered, infinity ends its key.
    """
    found = {}
    for path in tg.paths(loss, x):
        groups = [group(node, depth) for node in path.nodes]
        key = [e.index for e, a, b in zip(path.edges, groups, groups[1:], strict=False) if a != b]
        last = path.paths.graph.edges[key[-1]].target if key else path.nodes[0].index
        inside = last != path.nodes[-1].index
        found.setdefault((*key, *[math.inf] * inside), []).append(path)
    return dict(sorted(found.items()))


def crossed(path):
    """Return the same key of a path at scope level."""
    steps = [path.paths.graph.steps[e.index] for e in path.edges]
    return tuple(math.inf if s.crossing is None else s.crossing.index for s in steps)


@functools.cache
def program(seed):
    """Return the loss of a random program, and a value, its input or another, to follow it to."""
    values, loss = scoped_program(seed)
    used = [value for value in values if tg.paths(loss, value).count()]
    return loss, used[0] if seed % 3 else used[min(2, len(used) - 1)]


every_program = pytest.mark.parametrize(
    ("seed", "depth"), list(itertools.product(range(24), DEPTHS))
)


@every_program
def test_paths_are_the_sequences_of_edges_between_groups(seed, depth):
    loss, x = program(seed)
    expected = list(classes(loss, x, depth))
    p = tg.paths(loss, x, level="scope", depth=depth)
    assert [crossed(path) for path in p] == expected
    assert p.count() == len(expected)
    assert p.count_by("length") == {
        n: sum(len(key) == n for key in expected) for n in sorted({*map(len, expected)})
    }
    for r, path in enumerate(p):
        assert p[r] == path
        assert p.rank(path) == r


@every_program
def test_a_product_is_the_sum_over_the_class(seed, depth):
    loss, x = program(seed)
    p = tg.paths(loss, x, level="scope", depth=depth)
    for path, members in zip(p, classes(loss, x, depth).values(), strict=True):
        whole = sum(member.product() for member in members)
        np.testing.assert_allclose(path.product(), whole, rtol=1e-9, atol=1e-12)
        mantissa, exponent = path.scaled()
        np.testing.assert_allclose(np.ldexp(mantissa, exponent), whole, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(p.gradient(), tg.paths(loss, x).gradient(), rtol=1e-10, atol=1e-12)


@every_program
@pytest.mark.parametrize("by", NAMED)
def test_a_degree_is_that_of_the_class_or_there_is_none(seed, depth, by):
    loss, x = program(seed)
    p = tg.paths(loss, x, level="scope", depth=depth)
    members = classes(loss, x, depth).values()
    degrees = [{path.degree(by) for path in own} for own in members]
    if any(len(own) > 1 for own in degrees):
        for ask in (p.count_by, p.gradient_by, p.shares, p.expected, p[0].degree):
            with pytest.raises(GraphError, match=rf"{by} \(\d+ to \d+\) differs among the"):
                ask(by)
        with pytest.raises(GraphError, match="take a larger depth"):
            p.with_degree(by, 1).count()
        return
    single = [own.pop() for own in degrees]
    assert p.count_by(by) == {k: single.count(k) for k in sorted({*single})}
    assert [path.degree(by) for path in p] == single
    parts = p.gradient_by(by)
    assert list(parts) == sorted({*single})
    for k, part in parts.items():
        paths = itertools.chain(*(own for own, d in zip(members, single, strict=True) if d == k))
        whole = sum(path.product() for path in paths)
        np.testing.assert_allclose(part, whole, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(p.with_degree(by, k).gradient(), whole, rtol=1e-9, atol=1e-12)


def answer(ask, what):
    """Return the set that is asked for, or nothing where a scope hides it."""
    try:
        return ask(what)
    except GraphError:
        return None


def is_entry_of(node, name):
    return node.kind == "scope" and node.label.partition("#")[0] == name


@every_program
def test_paths_through_and_around_a_scope_are_those_that_enter_it(seed, depth):
    loss, x = program(seed)
    p = tg.paths(loss, x, level="scope", depth=depth)
    names = {node.label.partition("#")[0] for node in p.graph.nodes if node.kind == "scope"}
    for name in sorted(names):
        entered = [path for path in p if any(is_entry_of(node, name) for node in path.nodes)]
        assert list(p.avoiding(name)) == [path for path in p if path not in entered]
        found = answer(p.through, name)
        assert found is None or list(found) == entered


@every_program
def test_paths_through_a_tensor_are_told_where_the_whole_class_visits_it(seed, depth):
    loss, x = program(seed)
    p = tg.paths(loss, x, level="scope", depth=depth)
    members = classes(loss, x, depth).values()
    for node in tg.graph(loss).nodes:
        tensor = tg.Tensor(np.zeros(node.shape), node.record)
        visiting = [{node in path.nodes for path in own} for own in members]
        found = answer(p.through, tensor)
        whole = [q for q, own in zip(p, visiting, strict=True) if own == {True}]
        assert found is None or list(found) == whole
        assert found is None or all(len(own) == 1 for own in visiting)


# How much


def test_the_largest_paths_are_those_of_the_largest_products():
    loss, x = program(20)
    p = tg.paths(loss, x, level="scope")
    norms = sorted((float(np.linalg.norm(path.product())) for path in p), reverse=True)
    found = [float(np.linalg.norm(path.product())) for path in p.top(5)]
    np.testing.assert_allclose(found, norms[:5], rtol=1e-12)
    assert all(path in p for path in p.sample(3))


@pytest.mark.parametrize("rows", [2, 40])
def test_the_operator_norm_is_that_of_the_sum_of_jacobians(rows):
    x = tg.tensor(oracles.distinct((rows, 2))[0], requires_grad=True)
    w = tg.parameter(oracles.distinct((2, 2), seed=1)[0])
    with tg.scope("block"):
        h = tg.exp(x)
        h = tg.tanh(h) * tg.sigmoid(h @ w)
    y = h * 3.0
    (path,) = tg.paths(y, x, level="scope")
    rows = [tg.paths(y, x, cotangent=unit.reshape(y.shape)).gradient() for unit in np.eye(y.size)]
    expected = np.linalg.norm(np.reshape(rows, (y.size, x.size)), 2)
    assert path.operator_norm() == pytest.approx(expected, rel=1e-9)


def test_measures_by_degree_are_those_of_arrays_where_classes_have_degrees():
    network = nets.residual_mlp(4, inputs=3, width=3, rng=np.random.default_rng(1))
    x = tg.tensor(oracles.distinct((2, 3))[0], requires_grad=True)
    loss = network(x).sum()
    p, arrays = tg.paths(loss, x, level="scope", depth=2), tg.paths(loss, x)
    assert p.shares() == pytest.approx(arrays.shares())
    for ask in ("expected", "absolute_mass", "cancellation", "entropy"):
        assert getattr(p, ask)() == pytest.approx(getattr(arrays, ask)())
    assert p.cost().cotangents > 0
    assert math.prod(segment.count() for segment in p.segments()) == p.count()


def test_products_and_parts_stay_on_the_device(xp):
    found = []
    for put in (np.asarray, xp.asarray):
        x = tg.tensor(put(np.linspace(-1.0, 1.0, 6).reshape(2, 3)), requires_grad=True)
        w = tg.parameter(put(np.linspace(0.5, 1.0, 9).reshape(3, 3)))
        with tg.scope("block"):
            h = tg.tanh(x @ w)
            h = h * h + h
        p = tg.paths((h + x).sum(), x, level="scope")
        found.append([p.gradient(), *p.gradient_by().values(), *(path.product() for path in p)])
    for here, there in zip(*found, strict=True):
        assert isinstance(there, xp.ndarray)
        oracles.check_close(there, here, rtol=1e-12)


def test_products_keep_the_precision_of_the_record():
    x = tg.tensor(np.ones((2, 3), np.float32), requires_grad=True)
    with tg.scope("block"):
        h = tg.tanh(x)
    p = tg.paths((h * np.float32(2)).sum(), x, level="scope")
    assert p.gradient().dtype == p[0].product().dtype == np.float32
