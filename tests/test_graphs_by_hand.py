"""Graphs by hand: they answer as a list of their paths does, and what is wrong with one is named."""

import math

import networkx as nx
import numpy as np
import pytest
from hand_graphs import listed, picture, random_picture

import tinygrad_res as tg
from tinygrad_res import semirings
from tinygrad_res.errors import DataError, GraphError, ShapeError, UsageError


@pytest.mark.parametrize("seed", range(8))
def test_a_graph_by_hand_answers_as_a_list_of_its_paths_does(seed):
    drawn, output, x = random_picture(seed)
    paths = list(listed(drawn, output, x))
    products = [math.prod(e["derivative"] for e in path) for path in paths]
    p = tg.paths(tg.from_networkx(drawn), x)
    assert p.count() == len(paths)
    assert p.gradient() == pytest.approx(sum(products), rel=1e-12)
    assert isinstance(p.gradient(), float)
    for by in ("weight", "block"):
        degrees = [sum(e[by] for e in path) for path in paths]
        assert p.count_by(by) == {k: degrees.count(k) for k in sorted(set(degrees))}
        for k, part in p.gradient_by(by).items():
            expected = sum(w for w, degree in zip(products, degrees, strict=True) if degree == k)
            assert part == pytest.approx(expected, rel=1e-10, abs=1e-12)
    largest = sorted(products, key=abs, reverse=True)
    assert [path.product() for path in p.top(5)] == pytest.approx(largest[:5], rel=1e-12)
    assert sorted(path.product() for path in p) == pytest.approx(sorted(products), rel=1e-12)
    assert p.absolute_mass() == pytest.approx(sum(map(abs, products)), rel=1e-12)
    assert sum(p.shares("weight").values()) == pytest.approx(1)


def quotient(x, y):
    """F = x y + x / y, each operation a node."""
    return picture(
        ("F", "xy", 1), ("F", "x/y", 1), ("xy", "x", y), ("xy", "y", x),
        ("x/y", "x", 1 / y), ("x/y", "y", -x / y**2),
    )  # fmt: skip


def test_the_largest_and_smallest_product_of_a_path():
    g = tg.from_networkx(quotient(4.0, 2.0))
    to_x, to_y = tg.paths(g, "x"), tg.paths(g, "y")
    found = [p.evaluate(s) for p in (to_x, to_y) for s in (semirings.MAX_PRODUCT, semirings.MIN_PRODUCT)]  # fmt: skip
    assert found == pytest.approx([2.0, 0.5, 4.0, -1.0], rel=1e-15)
    assert (to_x.gradient(), to_y.gradient()) == (2.5, 3.0)


@pytest.mark.parametrize(
    ("a", "b", "entropy"), [(2, 2, math.log(2)), (2, -2, math.log(2)), (4, -2, 0.636514)]
)
def test_the_entropy_of_two_paths(a, b, entropy):
    p = tg.paths(tg.from_networkx(picture(("F", "x", a), ("F", "x", b))), "x")
    assert p.entropy() == pytest.approx(entropy, abs=1e-6)
    assert p.count() == 2


def test_a_product_and_two_quotients_of_three_inputs():
    x, y, z = 2.0, 3.0, 5.0
    drawn = picture(
        ("F", "xyz", 1), ("F", "x/y/z", 1), ("F", "yx/z", -1),
        ("xyz", "xy", z), ("xyz", "z", x * y), ("xy", "x", y), ("xy", "y", x),
        ("x/y/z", "x/y", 1 / z), ("x/y/z", "z", -x / y / z**2), ("x/y", "x", 1 / y), ("x/y", "y", -x / y**2),
        ("yx/z", "yx", 1 / z), ("yx/z", "z", -x * y / z**2), ("yx", "x", y), ("yx", "y", x),
    )  # fmt: skip
    g = tg.from_networkx(drawn)
    expected = {
        "x": [y * z, 1 / y / z, -y / z],
        "y": [x * z, -x / y**2 / z, -x / z],
        "z": [x * y, -x / y / z**2, x * y / z**2],
    }
    for name, products in expected.items():
        p = tg.paths(g, name)
        assert sorted(path.product() for path in p) == pytest.approx(sorted(products))
        assert p.gradient() == pytest.approx(sum(products))
        assert p.evaluate(semirings.MAX_PRODUCT) == pytest.approx(max(products))


def test_a_graph_by_hand_is_found_by_name_and_narrowed():
    drawn = picture(
        ("F", "m", 2.0), ("F", "n", -1.0), ("m", "x", 3.0), ("n", "x", 0.5), ("n", 7, 9)
    )
    g = tg.from_networkx(drawn)
    p = tg.paths(g, "x")
    assert [node.name for node in g.nodes][-1] == "F" == g.output.name
    assert p.through("m").gradient() == 6.0
    assert p.avoiding("m").gradient() == -0.5
    (path,) = p.top(1)
    assert [node.label for node in path.nodes] == ["F", "m", "x"]
    assert path.product() == 6.0
    assert tg.paths(g, "7").gradient() == -9.0
    assert tg.paths(g, g.find("x")).gradient() == 5.5
    assert tg.paths(g, "x", start="m").count_by("length") == {0: 1, 1: 1}
    assert tg.paths(g, "x", end="m").count_by("length") == {0: 1, 1: 1}
    assert tg.paths(g, "x", cotangent=2.0).gradient() == 11.0
    assert tg.paths(g, "x", level="scalar").gradient() == 5.5
    assert tg.paths(g, "F").gradient() == 1.0
    assert not p.through("m") & p.avoiding("m")
    with pytest.raises(GraphError, match="'q' is not in this graph: its nodes are named 7, F, m"):
        tg.paths(g, "q")
    with pytest.raises(GraphError, match="got int; a name, or a node of the graph"):
        tg.paths(g, 7)
    with pytest.raises(UsageError, match="x is a number"):
        tg.paths(g, "x", at=0)
    with pytest.raises(ShapeError, match="cotangent"):
        tg.paths(g, "x", cotangent=[1.0, 2.0]).gradient()
    with pytest.raises(UsageError, match="different calls"):
        tg.paths(g, "x") & tg.paths(g, "m")


def test_nodes_of_one_name_with_elements_are_one_array():
    drawn = picture(
        ("F", 0, 2.0), ("F", 1, -1.0), F={}
    )  # fmt: skip
    drawn.nodes[0].update(name="x", element=(1,))
    drawn.nodes[1].update(name="x", element=[0])
    g = tg.from_networkx(drawn)
    np.testing.assert_array_equal(tg.paths(g, "x").gradient(), [-1.0, 2.0])
    assert tg.paths(g, "x", at=1).gradient() == 2.0
    with pytest.raises(UsageError, match="at=2"):
        tg.paths(g, "x", at=2)
    drawn.nodes[1].update(element=[2])
    with pytest.raises(GraphError, match="2 nodes have the name 'x'"):
        tg.paths(tg.from_networkx(drawn), "x")


def test_without_derivatives_paths_are_counted_and_products_refused():
    drawn = nx.DiGraph([("F", "m"), ("m", "x"), ("F", "x")])
    drawn.edges["m", "x"]["weight"] = 1
    g = tg.from_networkx(drawn, derivative=None)
    p = tg.paths(g, "x")
    assert g.level == "tensor"
    assert p.count_by("weight") == {0: 1, 1: 1}
    assert p[1].nodes[-1].name == "x"
    for question in (p.gradient, p.top, p[0].product, p.absolute_mass):
        with pytest.raises(GraphError, match="not taken from a tensor"):
            question()
    with pytest.raises(GraphError, match="holds no arrays"):
        tg.paths(g, "x", level="scalar")


def test_another_attribute_can_be_the_derivative_and_is_then_no_grade():
    drawn = nx.DiGraph()
    drawn.add_edge("F", "x", weight=0.25, derivative=8.0)
    (edge,) = tg.from_networkx(drawn, derivative="weight").edges
    assert (edge.derivative, edge.weight) == (0.25, 0)


def test_attributes_of_nodes_and_edges_are_taken_over():
    drawn = picture(
        ("F", "x", 1.0, {"activation": 1, "label": "tanh'", "is_identity": False, "foreign": {}}),
        F={"op": "tanh", "scope": "net/head"}, x={"kind": "parameter", "name": "W", "color": 3},
    )  # fmt: skip
    g = tg.from_networkx(drawn)
    w, f = g.nodes
    assert (w.name, w.kind, f.op, f.scope, f.kind) == ("W", "parameter", "tanh", "net/head", "operation")  # fmt: skip
    assert (g.edges[0].label, g.edges[0].activation, g.edges[0].is_identity) == ("tanh'", 1, False)
    assert tg.from_networkx(picture(("F", "x", 1))).edges[0].is_identity


def test_numbering_is_operands_first_and_else_as_nodes_were_added():
    drawn = nx.DiGraph([("F", "b"), ("F", "a"), ("a", "y"), ("b", "x"), ("b", "y")])
    names = [node.name for node in tg.from_networkx(drawn, None).nodes]
    assert names == ["y", "a", "x", "b", "F"]
    assert names == [node.name for node in tg.from_networkx(drawn.copy(), None).nodes]


def test_output_says_where_paths_start():
    drawn = picture(("F", "m", 2.0), ("G", "m", 3.0), ("m", "x", 5.0), ("H", "F", 7.0))
    with pytest.raises(DataError, match="no edge leads to 2 nodes, G, H: name the one"):
        tg.from_networkx(drawn)
    g = tg.from_networkx(drawn, output="F")
    assert g.output.name == "F"
    assert sorted(node.name for node in g.nodes) == ["F", "G", "m", "x"]
    assert tg.paths(g, "x").gradient() == 10.0
    assert tg.paths(g, "G").count() == 0
    with pytest.raises(UsageError, match="output='Q' is not in the graph: it has F, m, G, x, H"):
        tg.from_networkx(drawn, output="Q")


def test_a_single_node_is_a_path_of_no_edges():
    drawn = nx.DiGraph()
    drawn.add_node("x")
    p = tg.paths(tg.from_networkx(drawn), "x")
    assert (p.count(), p.gradient(), [len(path.edges) for path in p]) == (1, 1.0, [0])


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (nx.DiGraph(), "the graph is empty"),
        (nx.Graph([(0, 1)]), "Graph: pass a networkx.DiGraph"),
        ({"F": ["x"]}, "dict: pass a networkx.DiGraph"),
        (picture(("F", "m", 1), ("m", "n", 1), ("n", "m", 1)), "the cycle m -> n -> m"),
        (picture(("a", "b", 1), ("b", "a", 1)), "the cycle a -> b -> a"),
        (picture(("F", "m", 1), ("m", "m", 1)), "the cycle m -> m"),
        (picture((1, "1", 1)), "2 nodes have the name '1'"),
        (picture(("F", "m", None)), "edge F -> m has no attribute 'derivative'"),
        (nx.DiGraph([("F", "m")]), "edge F -> m has no attribute 'derivative'"),
        (picture(("F", "m", "3")), "edge F -> m: derivative='3' must be a real number"),
        (picture(("F", "m", True)), "derivative=True must be a real number"),
        (picture(("F", "m", 1j)), "derivative=1j must be a real number"),
        (picture(("F", "m", [1.0])), "must be a real number"),
        (picture(("F", "m", math.nan)), "edge F -> m: derivative=nan: .* finite"),
        (picture(("F", "m", "inf")), "derivative=inf: .* finite"),
        (picture(("F", "m", 10**400)), "too large"),
        (picture(("F", "m", 1, {"weight": 0.5})), "edge F -> m: weight=0.5 must be a whole number"),
        (picture(("F", "m", 1, {"scale": -1})), "edge F -> m: scale=-1 must be a whole number"),
        (picture(("F", "m", 1, {"position": "a"})), "position='a' must be a whole number"),
        (picture(("F", "m", 1, {"label": 3})), "edge F -> m: label=3 must be a text"),
        (picture(("F", "m", 1), m={"op": 5}), "node m: op=5 must be a text"),
        (picture(("F", "m", 1), m={"name": 5}), "node 5: name=5 must be a text"),
        (picture(("F", "m", 1), m={"shape": 5}), "node m: shape=5 must be a list"),
        (picture(("F", "m", 1), m={"element": "[0"}), "node m: element='\\[0'"),
        (picture(("F", "m", 1), m={"requires_grad": 1}), "requires_grad=1 must be true or false"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_graph_by_hand_is_named(drawn, message):
    with pytest.raises(DataError, match=f"from_networkx: .*{message}"):
        tg.from_networkx(drawn)


def test_symbols_are_refused_and_their_values_taken():
    sympy = pytest.importorskip("sympy")
    x = sympy.Symbol("x")
    with pytest.raises(DataError, match=r"x\*\*2 must be a real number: .*numbers for its symbols"):
        tg.from_networkx(picture(("F", "x", x**2)))
    assert tg.from_networkx(picture(("F", "x", sympy.Float(2.5)))).derivatives.tolist() == [2.5]


def test_a_long_chain_by_hand_is_no_recursion():
    drawn = nx.DiGraph()
    for i in range(20_000):
        drawn.add_edge(i + 1, i, derivative=1.0)
        drawn.add_edge(i + 1, f"w{i}", derivative=1.0)
    g = tg.from_networkx(drawn)
    assert [len(path.edges) for path in tg.paths(g, "0")] == [20_000]
    drawn.add_edge(0, 20_000, derivative=1.0)
    with pytest.raises(DataError, match="cycle"):
        tg.from_networkx(drawn)
