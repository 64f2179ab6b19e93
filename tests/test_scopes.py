"""The scope level: its paths are classes of tensor-level paths, which are listed here."""

import functools
import itertools
import math

import numpy as np
import oracles
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res import nets, scopes
from tinygrad_res.errors import GraphError, UsageError
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


# What classes are, and are not


def leaf(*shape):
    return tg.tensor(np.random.default_rng(7).standard_normal(shape), requires_grad=True, name="x")


def weight(*shape):
    return tg.parameter(np.random.default_rng(8).standard_normal(shape))


def block(shortcut):
    """Return x and what a block makes of it, with two ways through it that differ or one."""
    x = leaf(2, 3)
    with tg.scope("block"):
        h = x * 2.0
        inner = h @ weight(3, 3)
        h = tg.tanh(inner + h if shortcut else inner)
    return x, h


def test_an_entry_and_an_exit_that_no_route_joins_are_no_path():
    x = leaf(3)
    a, b = tg.tanh(x), tg.sigmoid(x)
    with tg.scope("both"):
        c, d = tg.exp(a), tg.exp(b)
    p = tg.paths((c * d).sum(), x, level="scope")
    assert [[n.label for n in path.nodes] for path in p] == [
        ["sum", "multiply", "both#1", "tanh", "x"],
        ["sum", "multiply", "both#2", "sigmoid", "x"],
    ]


def test_routes_between_the_same_two_edges_are_one_path():
    x = leaf(3)
    with tg.scope("block"):
        h = tg.exp(x)
        h = tg.tanh(h) + tg.sigmoid(h)
    loss = h.sum()
    assert tg.paths(loss, x).count() == 2
    assert tg.paths(loss, x, level="scope").count() == 1
    assert tg.paths(loss, x, level="scope").count_by("activation") == {1: 1}


def test_a_scope_that_is_left_and_entered_again_makes_no_cycle():
    x = leaf(3)
    with tg.scope("outer"):
        a = tg.tanh(x)
        with tg.scope("inner"):
            b = tg.exp(a)
        c = tg.sigmoid(b + a)
    p = tg.paths(c.sum(), x, level="scope")
    assert [[n.label for n in path.nodes] for path in p] == [
        ["sum", "outer#2", "x"],
        ["sum", "outer#2", "outer/inner", "outer#1", "x"],
    ]
    assert (p.graph.sources > p.graph.targets).all()
    assert tg.paths(c.sum(), x, level="scope", depth=1).count() == 1
    with pytest.raises(GraphError, match="more than once, at the nodes 1, 3: pass one of"):
        p.through("outer")
    assert p.through(p.graph.nodes[1]).count() == 1
    assert not p.avoiding("outer")


def test_the_same_name_entered_twice_is_two_scopes():
    x = h = leaf(3)
    for _ in range(2):
        with tg.scope("step"):
            h = tg.tanh(h) + tg.sigmoid(h)
    p = tg.paths(h.sum(), x, level="scope")
    assert p.count() == 4
    assert [n.label for n in p[0].nodes] == ["sum", "step#2", "step#1", "x"]
    assert {n.kind for n in p.nodes} == {"input", "scope", "operation"}
    assert {n.op for n in p.nodes if n.kind == "scope"} == {""}


def test_a_leaf_is_a_node_wherever_it_was_made():
    with tg.scope("block"):
        x = leaf(3)
        loss = (tg.exp(x) * x).sum()
    p = tg.paths(loss, x, level="scope")
    assert [n.label for n in p.nodes] == ["x", "block"]
    assert p.count() == 2


def test_paths_may_start_and_end_inside_one_scope():
    x = leaf(3)
    with tg.scope("block"):
        h = tg.exp(x)
        y = tg.tanh(h) * tg.sigmoid(h)
    p = tg.paths(y, h, level="scope", cotangent=np.ones(3))
    assert p.count() == 1
    np.testing.assert_allclose(
        p[0].product(), tg.paths(y, h, cotangent=np.ones(3)).gradient(), rtol=1e-12
    )
    assert tg.paths(y, y, level="scope", cotangent=np.ones(3)).count() == 1


def test_depth_says_how_many_scopes_are_told_apart():
    x = h = leaf(2, 3)
    with tg.scope("net"):
        for i in range(2):
            with tg.scope(f"block{i}"):
                with tg.scope("branch"):
                    branch = tg.tanh(h @ weight(3, 3))
                h = h + branch
    labels = {
        depth: {n.label for n in tg.graph(h.sum()).scopes(depth).nodes if n.kind == "scope"}
        for depth in (1, 2, 3, None)
    }
    assert labels[1] == {"net"}
    assert labels[2] == {"net/block0", "net/block1"}
    assert labels[3] == labels[None] == labels[2] | {"net/block0/branch", "net/block1/branch"}
    assert [tg.paths(h.sum(), x, level="scope", depth=d).count() for d in (1, 2, 3)] == [2, 4, 4]


def test_a_step_is_an_identity_where_its_only_route_is():
    x = leaf(2, 3)
    with tg.scope("copied"):
        a = x.T.reshape(6)
    with tg.scope("doubled"):
        b = x.reshape(6)
        b = b + b
    with tg.scope("scaled"):
        c = x.reshape(6) * 2.0
    p = tg.paths((a + b + c).sum(), x, level="scope")
    steps = {p.graph.nodes[e.source].label: e for e in p.edges if e.target == 0}
    assert {name: (e.is_identity, e.label) for name, e in steps.items()} == {
        "copied": (True, "1"),
        "doubled": (False, "doubled'"),
        "scaled": (False, "scaled'"),
    }


def test_steps_from_one_entry_are_numbered():
    _, h = block(shortcut=True)
    g = tg.graph(h).scopes()
    assert [(e.source, e.position) for e in g.edges] == [(2, 0), (2, 1)]
    assert g.to_networkx().number_of_edges() == 2


# Degrees


def test_54_blocks_whose_branches_are_single_steps():
    network = nets.residual_mlp(54, inputs=3, width=3, rng=np.random.default_rng(0))
    x = leaf(2, 3)
    end = network.stem(x)
    start = network.body(end)
    loss = network.head(start).sum()
    p = tg.paths(loss, x, start, end, level="scope", depth=2)
    assert p.count() == 2**54
    assert p.count_by("weight") == {2 * k: math.comb(54, k) for k in range(55)}
    assert p.count_by("block") == {k: math.comb(54, k) for k in range(55)}
    parts, expected = p.gradient_by("weight"), tg.paths(loss, x, start, end).gradient_by("weight")
    assert list(parts) == list(expected)
    for k, part in parts.items():
        np.testing.assert_allclose(part, expected[k], rtol=1e-9, atol=1e-18)
    assert p.weight_free().count() == 1
    assert (p[0].degree(), p[2**54 - 1].degree()) == (2 * 54, 0)
    assert p.through("body/7").count() == 2**54


def test_where_degrees_are_not_counted_they_may_differ():
    x = leaf(2, 3)
    with tg.scope("stem"):
        h = x + x @ weight(3, 3)
        h = tg.tanh(h)
    with tg.scope("head"):
        loss = (h @ weight(3, 2)).sum()
    crossing = tg.paths(loss, x, level="scope")
    assert crossing.count_by("weight") == {1: 1, 2: 1}
    with tg.scope("stem"):
        copied = x * 1.0
        h = tg.tanh(copied + copied @ weight(3, 3))
    loss = (h @ weight(3, 2)).sum()
    with pytest.raises(GraphError, match=r"weight \(0 to 1\) differs among the 2 routes inside"):
        tg.paths(loss, x, level="scope").count_by()
    assert tg.paths(loss, x, end=h, level="scope").count_by() == {1: 1}
    assert tg.paths(loss, h, level="scope").count_by() == {1: 1}


def test_a_grading_function_sees_the_steps_between_scopes():
    x = h = leaf(2, 3)
    for i in range(3):
        with tg.scope(f"block{i}"):
            with tg.scope("branch"):
                branch = tg.tanh(tg.tanh(h @ weight(3, 3)))
            h = h + branch
    p = tg.paths(h.sum(), x, level="scope")
    branches = {n.index for n in p.nodes if n.label.endswith("branch")}
    assert p.count_by(lambda e: int(e.source in branches)) == {k: math.comb(3, k) for k in range(4)}
    assert p.count_by(lambda e: e.activation) == {2 * k: math.comb(3, k) for k in range(4)}
    assert p.count_by(("weight", "activation")) == {(k, 2 * k): math.comb(3, k) for k in range(4)}
    with tg.scope("late"):
        h = tg.exp(h)
        loss = (tg.tanh(h) + h).sum()
    late = tg.paths(loss, x, level="scope")
    assert late.count_by(lambda e: e.weight) == p.count_by("weight")
    with pytest.raises(GraphError, match="the grade that the function reads differs"):
        late.count_by(lambda e: e.activation)


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
    x = leaf(rows, 2)
    with tg.scope("block"):
        h = tg.exp(x)
        h = tg.tanh(h) * tg.sigmoid(h @ weight(2, 2))
    y = h * 3.0
    (path,) = tg.paths(y, x, level="scope")
    rows = [tg.paths(y, x, cotangent=unit.reshape(y.shape)).gradient() for unit in np.eye(y.size)]
    expected = np.linalg.norm(np.reshape(rows, (y.size, x.size)), 2)
    assert path.operator_norm() == pytest.approx(expected, rel=1e-9)


def test_measures_by_degree_are_those_of_arrays_where_classes_have_degrees():
    network = nets.residual_mlp(4, inputs=3, width=3, rng=np.random.default_rng(1))
    x = leaf(2, 3)
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


# Which questions a scope answers


def questions():
    x = leaf(2, 3)
    with tg.scope("block"):
        inside = tg.tanh(x)
        also = tg.exp(inside)
        h = also @ weight(3, 3)
    return x, inside, also, (h + inside).sum()


def test_a_tensor_inside_a_scope_is_no_node():
    x, inside, also, loss = questions()
    p = tg.paths(loss, x, level="scope")
    message = r"the tensor of shape \(2, 3\) lies inside the scope 'block', which is one step"
    with pytest.raises(GraphError, match=message):
        p.through(also)
    with pytest.raises(GraphError, match=message):  # entered there, and passed unseen as well
        p.avoiding(inside)
    with pytest.raises(GraphError, match=message):
        tg.paths(loss, x, start=also, level="scope")
    with pytest.raises(GraphError, match="is not in this graph"):
        p.through(tg.tanh(x))


def test_a_node_of_the_recorded_graph_is_found_where_it_is_an_entry():
    x, _, also, loss = questions()
    whole = tg.graph(loss)
    g = whole.scopes()
    assert [*g.numbers(whole.find(x))] == [*g.numbers(x)] == [g.find(x).index]
    with pytest.raises(GraphError, match="lies inside the scope 'block'"):
        g.numbers(whole.find(also))
    with pytest.raises(UsageError, match="a tensor is one node at scope level"):
        g.numbers(x, at=0)


def test_paths_end_at_a_tensor_inside_a_scope_only_where_they_were_told():
    _, inside, _, loss = questions()
    p = tg.paths(loss, inside, level="scope")
    assert p.count() == 2
    np.testing.assert_allclose(p.gradient(), tg.paths(loss, inside).gradient(), rtol=1e-12)
    with pytest.raises(GraphError, match="lies inside the scope"):
        tg.paths(tg.graph(loss).scopes(), inside)


def test_a_name_that_is_a_scopes_and_a_tensors_is_refused():
    x = leaf(3)
    with tg.scope("x"):
        h = tg.tanh(x)
    p = tg.paths(h.sum(), x, level="scope")
    with pytest.raises(GraphError, match="both a scope and a tensor have the name 'x'"):
        p.through("x")
    assert p.through(x).count() == 1


def test_a_scope_entered_at_several_nodes_is_not_found_as_one():
    x, _, _, loss = questions()
    g = tg.graph(loss).scopes()
    with pytest.raises(GraphError, match="'block' is entered at 2 nodes: pass one of"):
        g.find("block")
    assert g.find(g.nodes[-2]) is g.nodes[-2]
    assert g.find(x).label == "x"


@pytest.mark.parametrize("depth", [0, -1, 1.5, "2"])
def test_a_depth_is_an_int_of_at_least_one(depth):
    x = leaf(3)
    with pytest.raises(UsageError, match=r"scopes: depth=.*: pass an int of at least 1"):
        tg.paths(tg.tanh(x).sum(), x, level="scope", depth=depth)


def test_scopes_with_too_many_ways_are_refused_before_they_fill_the_memory(monkeypatch):
    x = h = leaf(3)
    with tg.scope("body"):
        for _ in range(30):
            with tg.scope("branch"):
                branch = tg.tanh(h)
            h = h + branch
    loss = h.sum()
    assert tg.paths(loss, x, level="scope").count() == 2**30
    monkeypatch.setattr(scopes, "MOST_REPEATED", 100)
    with pytest.raises(GraphError, match=r"'body' is left and entered so often.* a smaller depth"):
        tg.graph(loss).scopes()
    assert tg.graph(loss).scopes(1).level == "scope"


def test_depth_is_for_scopes_and_level_for_recorded_graphs():
    x = leaf(3)
    loss = tg.tanh(x).sum()
    with pytest.raises(UsageError, match="depth=2 is for scopes: ask for level='scope'"):
        tg.paths(loss, x, depth=2)
    whole = tg.graph(loss).scopes()
    assert tg.paths(whole, x).level == tg.paths(whole, x, level="scope").level == "scope"
    with pytest.raises(UsageError, match=r"depth=2: Graph\(scope level.* take it from"):
        tg.paths(whole, x, level="scope", depth=2)
    with pytest.raises(UsageError, match=r"level='scalar': Graph\(scope level.* leave level= out"):
        tg.paths(whole, x, level="scalar")


def test_scopes_are_told_apart_in_a_recorded_graph_only():
    x = leaf(3)
    g = tg.graph(tg.tanh(x).sum())
    for other in (g.scalar(), g.scopes()):
        with pytest.raises(GraphError, match="does not say which scopes were entered"):
            other.scopes()
    _, _, _, loss = questions()
    g = tg.graph(loss)
    assert len(g.scopes().scalar().edges) == len(g.scalar().edges)


def test_a_scope_holds_no_array_and_its_steps_no_number():
    x, _, _, loss = questions()
    p = tg.paths(loss, x, level="scope")
    with pytest.raises(GraphError, match=r"block#2.* is a scope, which stands for several"):
        _ = p.nodes[-3].record
    with pytest.raises(GraphError, match="at scope level an edge carries a whole Jacobian"):
        p.evaluate(tg.semirings.ABSOLUTE)
    assert p.evaluate(tg.semirings.COUNT) == p.count()


def test_figures_of_graphs_count_weight_free_paths_only_where_all_ways_agree():
    described = [viz.draw(tg.graph(block(s)[1]).scopes()).layout.description for s in (0, 1)]
    assert described[0].endswith("1 gradient path back to x, 0 weight-free.")
    assert described[1].endswith("2 edges.")


def test_figures_of_paths_count_classes():
    x, h = block(shortcut=False)
    figure = viz.draw(tg.paths((x + h).sum(), x, level="scope"))
    assert figure.layout.title.endswith("1 weight-free path of 2")
    x, h = block(shortcut=True)
    with pytest.raises(GraphError, match="take a larger depth"):
        viz.draw(tg.paths((x + h).sum(), x, level="scope"))


def test_sets_and_graphs_say_their_level():
    x, _, _, loss = questions()
    p = tg.paths(loss, x, level="scope")
    assert p.level == p.graph.level == "scope"
    assert repr(p) == "Paths(scope level, 2 from sum to x)"
    assert repr(p.graph).startswith("Graph(scope level, ")


def test_input_that_the_output_does_not_depend_on_has_no_path():
    x, other = leaf(3), leaf(3)
    p = tg.paths(tg.tanh(x).sum(), other, level="scope")
    assert p.count() == 0
    assert not p.gradient().any()
    for level in ("tensor", "scope"):
        empty = tg.paths(tg.tanh(x).sum(), x, level=level).avoiding(x)
        for ask in (empty.expected, empty.cancellation):
            with pytest.raises(GraphError, match="is empty, so it has no gradient to look at"):
                ask()


def test_a_slash_in_a_scopes_name_stands_between_two_scopes():
    x = tg.tensor([1.0], requires_grad=True, name="x")
    with tg.scope("net"), tg.scope("/layer1//0", branch=True):
        y = tg.sin(x)
    with tg.scope("net"), tg.scope("layer1"), tg.scope("0"):
        z = tg.sin(x)
    one, other = (tg.graph(t) for t in (y, z))
    assert one.nodes[-1].scope == other.nodes[-1].scope == "net/layer1/0"
    assert [one.scopes(k).nodes[-1].name for k in (1, 2)] == ["net", "net/layer1"]
    assert [tg.graph(2 * t).edges[-1].block for t in (y, z)] == [1, 0]
