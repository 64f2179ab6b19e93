"""Paths between numbers at their limits: trivial sets, and questions without an answer."""

import math

import numpy as np
import path_programs as programs
import pytest

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, GraphError, UsageError

# Trivial sets


def test_input_that_is_the_output():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True)
    p = tg.paths(x, x, cotangent=np.arange(6.0).reshape(2, 3), level="scalar")
    assert p.count() == 6
    np.testing.assert_array_equal(p.gradient(), np.arange(6.0).reshape(2, 3))
    assert p.top(1)[0].product() == 5.0
    assert p.avoiding(x).count() == p.avoiding(x).through(x).count() == 0
    assert (p.avoiding(x) & p).count() == 0
    one = tg.tensor(2.0, requires_grad=True)
    p = tg.paths(one, one, level="scalar")
    assert (p.count(), p.avoiding(one).count(), p.avoiding(one).through(one).count()) == (1, 0, 0)
    assert p[0] == tg.paths(p.graph, one)[0]


@pytest.mark.parametrize("level", ["tensor", "scalar"])
def test_empty_sets_say_that_they_are_empty(level):
    x = tg.tensor(np.ones((2, 3)), requires_grad=True)
    other = tg.tensor(np.ones(4), requires_grad=True)
    y = (x * 2).sum()
    for p in (
        tg.paths(y, other, level=level),
        tg.paths(y, x, level=level).avoiding(y),
        tg.paths(y, x, level=level).with_degree("weight", 10**30),
    ):
        assert (p.count(), p.count_by(), [*p], p.gradient_by()) == (0, {}, [], {})
        assert p.absolute_mass() == 0.0
        assert not p.gradient().any()
        assert p.gradient().shape in ((2, 3), (4,))
        assert p.evaluate(tg.semirings.COUNT) == 0
        for ask in (p.cancellation, p.expected, p.entropy, p.top, p.sample, p.random):
            with pytest.raises((GraphError, UsageError), match=r"empty|zero|no path"):
                ask()


def test_arrays_without_elements():
    x = tg.tensor(np.ones((0, 3)), requires_grad=True)
    p = tg.paths((x * 2).sum(), x, level="scalar")
    assert p.count() == 0
    assert p.gradient().shape == (0, 3)
    assert tg.paths((x * 2).sum(), x)[0].operator_norm() == 0.0
    with pytest.raises(GraphError, match=r"has shape \(0, 3\), so it has no element"):
        tg.paths(x * 2, x, level="scalar")


def test_products_of_float32_are_float64():
    x = tg.tensor(np.full(3, 0.1, np.float32), requires_grad=True)
    p = tg.paths((x * x).sum(), x, level="scalar")
    assert p[0].product() == float(np.float32(0.1))
    assert p.gradient().dtype == np.float64


# What has no answer


def test_derivatives_that_are_not_finite_are_named_where_paths_meet_them():
    x = tg.tensor([0.0, 1.0], requires_grad=True, name="x")
    y = tg.sqrt(x).sum()
    p = tg.paths(y, x, level="scalar")
    assert p.count() == 2
    for ask in (p.gradient, p.entropy, p.top, p.sample, p.active, p[0].product):
        with pytest.raises(GraphError, match=r"the derivative of sqrt\[0\] by x\[0\] is inf"):
            ask()
    assert p[1].product() == 0.5
    assert tg.paths(y, x, level="scalar", at=1).gradient() == 0.5


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_cotangents_that_are_not_finite_are_refused(value):
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    p = tg.paths(x * 2, x, cotangent=[1.0, value], level="scalar")
    with pytest.raises(GraphError, match=rf"the cotangent of multiply\[1\] is {value}"):
        p.gradient()


def test_an_output_of_several_elements_needs_a_cotangent_for_products_only():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    p = tg.paths(x * 2, x, level="scalar")
    assert p.count_by("length") == {1: 2}
    with pytest.raises(GradientError, match="pass cotangent="):
        p.gradient()


def test_large_grades_cost_no_more_than_small_ones():
    rng = np.random.default_rng(0)
    x, y = programs.dense(rng)
    p = tg.paths(y.sum(), x, level="scalar")

    def bytes_moved(edge):
        return 10**12 * edge.weight

    small = p.gradient_by("weight")
    parts = p.gradient_by(bytes_moved)
    assert [*p.count_by(bytes_moved)] == [*parts] == [10**12 * k for k in small]
    for k, part in small.items():
        np.testing.assert_allclose(parts[10**12 * k], part)
        chosen = p.with_degree(bytes_moved, 10**12 * k)
        assert chosen.top(1)[0].product() == p.with_degree("weight", k).top(1)[0].product()
        assert chosen.count() == p.count_by("weight")[k]
    assert p.with_degree(bytes_moved, 10**12 * 2 + 1).count() == 0
    assert not p.with_degree(bytes_moved, 10**30).gradient().any()


def test_sets_of_different_questions_are_not_joined():
    x = tg.tensor(np.ones(2), requires_grad=True)
    y = tg.tanh(x) * x
    total = (y + x).sum()
    whole = tg.graph(total).scalar()
    p = tg.paths(whole, x)
    for q in (tg.paths(whole, x), tg.paths(whole, x, start=y), tg.paths(whole, x, at=0)):
        with pytest.raises(UsageError, match=r"come from different calls of tg\.paths"):
            p & q
    with pytest.raises(TypeError, match="unsupported operand"):
        p & {1}
    empty = p.avoiding(total)
    assert (empty & p).count() == (p & empty).count() == 0


def test_bad_arguments_are_named():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    y = (tg.relu(x) * x).sum()
    p = tg.paths(y, x, level="scalar")
    for ask, said in (
        (lambda: p.top(0), "k=0: pass an int of at least 1"),
        (lambda: p.top(1.5), r"k=1\.5: pass an int"),
        (lambda: p.top(13), "k=13, but there are 12 paths"),
        (lambda: p.sample(0), "n=0: pass an int"),
        (lambda: p.sample(1, seed=-1), "seed=-1: pass an int of at least 0"),
        (lambda: p.through(x, at=(5, 5)), "index 5 is out of bounds"),
        (lambda: p.through(x, at=(1,)), "give one index per axis"),
        (lambda: p.through(x, at=slice(1)), "give one index per axis"),
        (lambda: p.through(x, at=[0, 1]), "give one index per axis"),
        (lambda: p.with_degree("weight", 1.0), r"degree=1\.0: pass an int"),
        (lambda: p.with_degree("depth", 1), "unknown grading 'depth'"),
        (lambda: p.count_by(lambda edge: -1), "returned -1 for edge 0"),
        (lambda: p.count_by(lambda edge: 0.5), "returned 0.5 for edge 0"),
        (lambda: p.gradient_by(("weight", "length"), max_degree=1), "give a single grading"),
        (lambda: p.gradient_by("weight", max_degree=-1), "max_degree=-1"),
        (lambda: p.evaluate("count"), "'count' is no semiring"),
        (lambda: p["a"], "numbered by an int, not by str"),
        (lambda: tg.paths(y, x, level="pixel"), "use 'tensor', 'scalar' or 'scope'"),
        (lambda: tg.paths(y, x, at=(0, 0)), "a tensor is one node at tensor level"),
        (lambda: tg.paths(y, x, level="scalar", limit=2.5), r"limit=2\.5: pass an int"),
        (lambda: p.random(1, by="weight"), "give by= and degree= together"),
        (lambda: p.count_by(3), "a grading is a name or a function from an edge to an int, not 3"),
        (lambda: tg.paths(y, tg.tensor(1.0, requires_grad=True), level="scalar", at=1), "at=1"),
    ):
        with pytest.raises(UsageError, match=said):
            ask()
    with pytest.raises(IndexError, match="the numbers are 0 to 11"):
        p[10**30]
    with pytest.raises(GraphError, match=r"24 edges.*MB.*the limit is 23.*raise limit="):
        tg.paths(y, x, level="scalar", limit=23)
    with pytest.raises(GraphError, match="is not in this graph"):
        p.through(tg.tensor(1.0, requires_grad=True))
    with pytest.raises(GraphError, match=r"rank: Path\(.*\) is not in Paths\("):
        p.avoiding(x, at=(0, 0)).rank(p[0])


def test_nodes_of_the_scalar_level_are_themselves():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    y = (x * x).sum()
    g = tg.graph(y).scalar()
    node = g.nodes[g.numbers(x, at=(0, 1))[0]]
    assert (node.label, node.element, g.find(node)) == ("x[0,1]", (0, 1), node)
    assert (g.numbers(node), g.shape(node), g.shape(x)) == ((node.index,), None, (1, 2))
    assert tg.paths(g, node).gradient() == 4.0
    assert g.holds(x)
    assert not g.holds(tg.tensor(1.0, requires_grad=True))
    with pytest.raises(GraphError, match=r"x.* has 2 nodes at scalar level: graph\.nodes"):
        g.find(x)
    with pytest.raises(GraphError, match=r"node 1 \(x\[0,1\]\) is not in this graph"):
        tg.graph(tg.tensor([1.0, 2.0], requires_grad=True) * 2).scalar().find(node)


def test_too_many_edges_are_refused_before_any_is_made(monkeypatch):
    from tinygrad_res import expansion

    monkeypatch.delattr(expansion, "entries")
    x = tg.tensor(np.ones((8, 3, 64, 64)), requires_grad=True)
    y = tg.conv2d(x, tg.parameter(np.ones((64, 3, 3, 3)))).sum()
    with pytest.raises(GraphError, match="take a smaller batch"):
        tg.paths(y, x, level="scalar")


def test_the_flow_over_every_cut_is_the_sum_of_all_products():
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    W = tg.parameter(rng.standard_normal((3, 3)))
    h = x + tg.relu(x @ W)
    p = tg.paths((h * h).sum(), x, level="scalar")
    for chosen in (p, p.weight_free()):
        flow = chosen.edge_flow()
        for edge in chosen.edges:
            own = [q.product() for q in chosen if edge in q.edges]
            assert flow[edge.index] == pytest.approx(sum(own), rel=1e-12, abs=1e-13)
        for level in sorted({edge.target for edge in chosen.edges} - {v.index for v in p.inputs}):
            over = [e for e in chosen.edges if e.target <= level < e.source]
            total = sum(flow[e.index] for e in over)
            assert total == pytest.approx(chosen.gradient().sum(), rel=1e-12)


def test_the_cost_of_a_graded_gradient_is_told_before():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True)
    h = x + tg.relu(x @ tg.parameter(np.eye(3)))
    p = tg.paths(h.sum(), x, level="scalar")
    cost = p.cost("weight")
    assert (cost.passes, cost.cotangents) == (2, 2 * len(p.edges))
    assert p.cost("weight", max_degree=0).passes == 1
    assert p.cost(("weight", "activation")).passes == len(p.count_by(("weight", "activation")))


def test_a_long_computation_shows_a_bar(capsys):
    x = tg.tensor(np.ones((2, 3)), requires_grad=True)
    tg.paths(tg.relu(x).sum(), x, level="scalar").gradient_by("length", progress="by length")
    assert "by length" in capsys.readouterr().err


def test_mean_and_variance_of_any_additive_amount_agree_with_enumeration():
    rng = np.random.default_rng(1)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    h = x + tg.tanh(x @ tg.parameter(rng.standard_normal((3, 3))))
    p = tg.paths((h * h).sum(), x, level="scalar")

    def label(edge):
        return edge.derivative - 0.3 * edge.weight

    products = np.array([q.product() for q in p])
    sums = np.array([sum(map(label, q.edges)) for q in p])
    mean, variance = p.evaluate(tg.semirings.expectation(label))
    mass = abs(products) / abs(products).sum()
    assert mean == pytest.approx((mass * sums).sum())
    assert variance == pytest.approx((mass * (sums - mean) ** 2).sum())
    w, aw, aaw = p.evaluate(tg.semirings.moments(label))
    assert [w, aw, aaw] == pytest.approx([(products * sums**k).sum() for k in range(3)])


@pytest.mark.parametrize("bad", [lambda edge: "a", lambda edge: math.nan, lambda edge: None])
def test_an_amount_that_is_no_finite_number_is_refused(bad):
    x = tg.tensor(np.ones(2), requires_grad=True)
    with pytest.raises(
        UsageError, match=r"the amount returned is .* it must return a finite number"
    ):
        tg.paths(x.sum(), x, level="scalar").evaluate(tg.semirings.expectation(bad))


def test_the_absolute_flow_through_a_unit_is_the_mass_of_the_paths_through_it():
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((1, 3)), requires_grad=True)
    h = tg.relu(x @ tg.parameter(rng.standard_normal((3, 4))))
    p = tg.paths((h @ tg.parameter(rng.standard_normal((4, 2)))).sum(), x, level="scalar")
    flow = p.edge_flow(absolute=True)
    for j in range(4):
        unit = p.graph.numbers(h, at=(0, j))[0]
        through = sum(flow[e.index] for e in p.edges if e.target == unit)
        assert through == pytest.approx(p.through(h, at=(0, j)).absolute_mass(), rel=1e-12)


def test_an_element_takes_no_index():
    x = tg.tensor(np.ones((1, 3)), requires_grad=True)
    h = tg.tanh(x)
    p = tg.paths(h.sum(), x, level="scalar")
    unit = p.graph.nodes[p.graph.numbers(h, at=(0, 1))[0]]
    assert p.through(unit).count() == 1
    with pytest.raises(UsageError, match=r"tanh\[0,1\]\) is one element already: leave at= out"):
        p.through(unit, at=(0, 2))


@pytest.mark.parametrize("level", ["tensor", "scalar"])
def test_an_input_may_be_given_by_its_name(level):
    x = tg.tensor(np.array([2.0, 3.0]), requires_grad=True, name="x")
    loss = (x * x).sum()
    np.testing.assert_array_equal(tg.paths(loss, "x", level=level).gradient(), [4.0, 6.0])
    with pytest.raises(GraphError, match="'y' is not in this graph: its nodes are named x"):
        tg.paths(loss, "y", level=level)


def test_a_degree_that_no_path_has_is_named():
    x = tg.tensor(np.ones(2), requires_grad=True)
    with pytest.raises(GraphError, match=r"no path of .* has degree 9 by 'weight'"):
        tg.paths(x.sum(), x).random(2, by="weight", degree=9)
