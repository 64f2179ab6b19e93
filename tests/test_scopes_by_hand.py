"""The scope level of small networks whose classes of paths are plain to see."""

import math

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res import nets, scopes
from tinygrad_res.errors import GraphError, UsageError

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
