"""Graphs by hand, and graphs for other programs: what goes out comes back, or says why not."""

import dataclasses
import itertools
import json
import math

import networkx as nx
import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res import graph_rows, semirings
from tinygrad_res.errors import DataError, GradientError, GraphError, ShapeError, UsageError

NASTY = [
    "a\"b'c",
    "ü λ 数 𝄞",
    "two\nlines\r\nand\ttab",
    "</script><!-- & -->",
    "W_{\\alpha}",
    " \u2028 ",
]


# Graphs by hand


def picture(*edges, **nodes):
    """Return a networkx graph of (from, to, derivative) or (from, to, derivative, grades)."""
    drawn = nx.MultiDiGraph()
    drawn.add_nodes_from(nodes.items())
    for source, target, derivative, *grades in edges:
        drawn.add_edge(source, target, derivative=derivative, **dict(*grades))
    return drawn


def random_picture(seed, size=8):
    """Return a picture with parallel edges, whose nodes were added in a mixed order."""
    rng = np.random.default_rng(seed)
    drawn = nx.MultiDiGraph()
    drawn.add_nodes_from(f"n{i}" for i in rng.permutation(size))
    for i in range(1, size):
        for j in [i - 1, *rng.integers(0, i, 2)]:
            drawn.add_edge(
                f"n{i}", f"n{j}", derivative=rng.standard_normal(),
                weight=int(rng.integers(3)), block=int(rng.integers(2)),
            )  # fmt: skip
    return drawn, f"n{size - 1}", "n0"


def listed(drawn, source, target):
    """Return the attributes along every path, by networkx."""
    for path in nx.all_simple_edge_paths(drawn, source, target):
        yield [drawn.edges[edge] for edge in path]


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


# Round trips


def recorded(seed=0):
    """Return the input and the output of a program with every kind of edge, nastily named."""
    rng = np.random.default_rng(seed)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name=NASTY[0])
    w = tg.parameter(rng.standard_normal((3, 3)), name=NASTY[1])
    gate = tg.parameter(np.array(0.5), name=NASTY[2])
    with tg.scope(NASTY[3]), tg.scope("branch", branch=True):
        h = tg.relu(x @ w) * gate
    return x, x * x + h + x


def graphs():
    _, y = recorded()
    square = tg.tensor(np.arange(9.0).reshape(3, 3), requires_grad=True)
    return {
        "tensor": tg.graph(y.sum()), "several outputs": tg.graph(y),
        "scalar": tg.graph(y.sum()).scalar(), "scalar, several outputs": tg.graph(y).scalar(),
        "scalar, an unused element": tg.graph(recorded()[1][0, 1]).scalar(),
        "scalar, a square": tg.graph(square @ square).scalar(),
        "by hand": tg.from_networkx(random_picture(3)[0]),
    }  # fmt: skip


GRAPHS = graphs()
each_graph = pytest.mark.parametrize("g", GRAPHS.values(), ids=GRAPHS)


def assert_same(found, g):
    assert found.level == g.level
    assert list(found.outputs) == list(g.outputs)
    assert list(found.nodes) == list(g.nodes)
    assert list(found.edges) == list(g.edges)
    assert (found.derivatives is None) == (g.derivatives is None)


@each_graph
def test_json_gives_the_same_graph_back(g):
    assert_same(tg.from_json(g.to_json()), g)


@each_graph
def test_networkx_gives_the_same_graph_back(g):
    derivative = "derivative" if g.level == "scalar" else None
    assert_same(tg.from_networkx(g.to_networkx(), derivative), g)


@each_graph
@pytest.mark.parametrize("ending", ["json", "graphml", "JSON"])
def test_files_give_the_same_graph_back(g, ending, tmp_path):
    path = g.save(tmp_path / f"g.{ending}")
    assert_same(tg.load_graph(path), g)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@each_graph
def test_networkx_reads_json_and_graphml_as_the_graph_it_is_given(g):
    given = g.to_networkx()
    from_json = nx.node_link_graph(json.loads(g.to_json()), edges="edges")
    from_graphml = nx.parse_graphml(g.to_graphml(), node_type=int, force_multigraph=True)
    assert list(given) == list(from_json) == list(from_graphml)
    assert set(given.edges) == set(from_json.edges) == set(from_graphml.edges)
    rows = [(given.nodes[v], from_json.nodes[v], from_graphml.nodes[v]) for v in given]
    rows += [(given.edges[e], from_json.edges[e], from_graphml.edges[e]) for e in given.edges]
    for row, shorter, texts in rows:
        assert None not in row.values()
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in row.items()}
        assert {k: v for k, v in plain.items() if k in shorter} == shorter
        assert not any(v for k, v in plain.items() if k not in shorter)
        listed = {k: json.loads(v) if k in ("shape", "element") else v for k, v in texts.items()}
        assert {k: v for k, v in listed.items() if k != "id"} == plain


def test_the_tables_of_attributes_are_the_fields_of_nodes_and_edges():
    nodes, edges = ([f.name for f in dataclasses.fields(c)] for c in (tg.GraphNode, tg.GraphEdge))
    assert ["index", *graph_rows.NODE, "recorded"] == nodes
    assert ["index", "source", "target", *graph_rows.EDGE] == edges


@pytest.mark.parametrize("by", ["weight", "scale", "block", "activation", "length"])
def test_a_scalar_graph_read_back_answers_as_the_recorded_one(by):
    x, y = recorded()
    loss = y.sum()
    loss.backward()
    own, read = (tg.paths(g, x.name) for g in (tg.graph(loss).scalar(), tg.from_json(tg.graph(loss).scalar().to_json())))  # fmt: skip
    assert own.count_by(by) == read.count_by(by)
    np.testing.assert_allclose(read.gradient(), x.grad.numpy(), rtol=1e-12)
    np.testing.assert_allclose(own.gradient(), x.grad.numpy(), rtol=1e-12)
    for k, part in own.gradient_by(by).items():
        np.testing.assert_array_equal(part, read.gradient_by(by)[k])
    tops = [[path.product() for path in p.top(20)] for p in (own, read)]
    assert tops[0] == tops[1]
    assert tg.paths(read.graph, x.name, at=(1, 2)).gradient() == pytest.approx(x.grad.numpy()[1, 2])


def test_several_outputs_read_back_take_a_cotangent():
    x, y = recorded()
    cotangent = np.random.default_rng(5).standard_normal(y.shape)
    y.backward(cotangent)
    g = tg.from_json(tg.graph(y).scalar().to_json())
    found = tg.paths(g, x.name, cotangent=cotangent).gradient()
    np.testing.assert_allclose(found, x.grad.numpy(), rtol=1e-12)
    with pytest.raises(GradientError, match="pass cotangent="):
        tg.paths(g, x.name).gradient()


def test_outputs_that_are_no_array_are_counted_and_take_no_cotangent():
    form = {"format": graph_rows.FORMAT, "version": 1, "level": "scalar"}
    nodes = [{"id": i, "name": name, "output": i > 0} for i, name in enumerate("abc")]
    edges = [{"source": i, "target": 0, "derivative": 2.0} for i in (1, 2)]
    written = {"directed": True, "graph": form, "nodes": nodes, "edges": edges}
    p = tg.paths(tg.from_json(json.dumps(written)), "a")
    assert p.count() == 2
    with pytest.raises(GraphError, match="the 2 outputs of this graph are not the elements of one"):
        p.gradient()


def test_a_tensor_graph_read_back_is_counted_and_drawn_and_not_differentiated():
    x, y = recorded()
    g = tg.graph(y.sum())
    read = tg.from_json(g.to_json())
    p = tg.paths(read, x.name)
    for by in ("weight", "scale", "block", "activation", "length"):
        assert p.count_by(by) == tg.paths(g, x.name).count_by(by)
    assert viz.draw(read).source == viz.draw(g).source
    with pytest.raises(GraphError, match="not taken from a tensor"):
        p.gradient()


def test_infinite_derivatives_come_back_from_files(tmp_path):
    x = tg.tensor([0.0, 1.0], requires_grad=True, name="x")
    with np.errstate(divide="ignore"):
        g = tg.graph(tg.sqrt(x).sum()).scalar()
    assert math.inf in g.derivatives
    json.loads(g.to_json(), parse_constant=pytest.fail)
    for ending in ("json", "graphml"):
        read = tg.load_graph(g.save(tmp_path / f"g.{ending}"))
        np.testing.assert_array_equal(read.derivatives, g.derivatives)
        with pytest.raises(GraphError, match="finite derivatives"):
            tg.paths(read, "x").gradient()


def test_json_stands_in_a_script_without_ending_it():
    drawn = picture(("</script>", "<!--", 1.0))
    text = tg.from_networkx(drawn).to_json()
    assert "<" not in text
    assert text.isascii()
    assert [node.name for node in tg.from_json(text).nodes] == ["<!--", "</script>"]


@pytest.mark.parametrize("name", ["a\x00b", "\x1b[0m", "\ud800", "\uffff"])
def test_a_name_that_xml_cannot_hold_is_refused_before_a_file_is_touched(name, tmp_path):
    g = tg.from_networkx(picture(("F", name, 1.0)))
    path = tmp_path / "g.graphml"
    path.write_text("before")
    with pytest.raises(DataError, match=r"node 0: name=.* has the character U\+.*write JSON"):
        g.save(path)
    assert path.read_text() == "before"
    assert_same(tg.from_json(g.to_json()), g)


def test_names_of_text_types_are_texts(tmp_path):
    x = tg.tensor(np.ones(2), requires_grad=True, name=np.str_("a"))
    g = tg.graph((x * x).sum())
    assert type(g.nodes[0].name) is str
    assert_same(tg.load_graph(g.save(tmp_path / "g.graphml")), g)


# Malformed files


def changed(**parts):
    """Return the JSON of a graph of two nodes with some parts replaced; ``None`` leaves one out."""
    whole = json.loads(tg.from_networkx(picture(("F", "x", 2.0))).to_json()) | parts
    return json.dumps({k: v for k, v in whole.items() if v is not None})


ABOUT = {"format": "tinygrad_res graph", "version": 1, "level": "scalar"}
NODES = [{"id": 0, "name": "x"}, {"id": 1, "name": "F", "output": True}]
EDGE = {"source": 1, "target": 0, "derivative": 2.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the text is not JSON"),
        ("[" * 100_000, "the text is not JSON"),
        ("[]", "'graph' must be an object"),
        (b"{}", "expected a text, got bytes"),
        (changed(graph=None), "'graph' must be an object, and is None"),
        (changed(nodes=None), "'nodes' must be a list"),
        (changed(edges={}), "'edges' must be a list"),
        (changed(graph={}), "format=None: this is no graph"),
        (changed(graph=ABOUT | {"format": "d3"}), "format='d3': this is no graph"),
        (changed(directed=False), "directed=true"),
        (changed(graph=ABOUT | {"version": 2}), "version=2, and this release reads up to 1"),
        (changed(graph=ABOUT | {"version": "1"}), "version='1'"),
        (changed(graph=ABOUT | {"level": "atom"}), "level='atom': it must be one of tensor"),
        (changed(graph=ABOUT | {"level": ["scalar"]}), "level=\\['scalar'\\]"),
        (changed(nodes=[], edges=[]), "the last nodes"),
        (changed(nodes=NODES[::-1]), r"nodes\[0\] has id=1"),
        (changed(nodes=[*NODES[:1], {"output": True}]), r"nodes\[1\] has id=None"),
        (changed(nodes=[*NODES[:1], 5]), r"nodes\[1\] must be an object: 5"),
        (changed(nodes=[NODES[0], {"id": 1}]), "the last nodes"),
        (changed(nodes=[NODES[0] | {"output": True}, {"id": 1}]), "the last nodes"),
        (changed(nodes=[NODES[0] | {"shape": [-1]}, NODES[1]]), r"node x: shape=\[-1\] must be"),
        (changed(nodes=[NODES[0] | {"op": None}, NODES[1]]), "node x: op=None must be a text"),
        (changed(edges=[EDGE | {"source": 0, "target": 1}]), "leads from 0 to 1"),
        (changed(edges=[EDGE | {"source": 1, "target": 1}]), "leads from 1 to 1"),
        (changed(edges=[EDGE | {"source": 2}]), "leads from 2 to 0: of 2 nodes"),
        (changed(edges=[EDGE | {"target": -1}]), "leads from 1 to -1"),
        (changed(edges=[EDGE | {"source": "1"}]), r"edges\[0\] needs source and target"),
        (changed(edges=[EDGE | {"source": True}]), r"edges\[0\] needs source and target"),
        (changed(edges=[{"source": 1}]), r"edges\[0\] needs source and target"),
        (changed(edges=[EDGE, 7]), r"edges\[1\] must be an object"),
        (changed(edges=[EDGE | {"weight": -1}]), "edge F -> x: weight=-1 must be a whole number"),
        (changed(edges=[EDGE | {"derivative": "2"}]), "edge F -> x: derivative='2' must be a real"),
        (changed(edges=[EDGE, EDGE | {"derivative": None}]), "edge F -> x has no derivative"),
    ],
)  # fmt: skip
def test_malformed_json_is_refused_with_the_place_of_the_fault(text, message):
    with pytest.raises(DataError, match=f"from_json: .*{message}"):
        tg.from_json(text)


def test_json_by_hand_needs_ids_ends_and_derivatives_alone():
    nodes = [{"id": 0, "name": "x"}, {"id": 1, "name": "m"}, {"id": 2, "name": "F", "output": True}]
    edges = [EDGE | {"source": 2, "target": 1}, EDGE, EDGE | {"source": 2}]
    g = tg.from_json(changed(nodes=nodes, edges=edges))
    assert tg.paths(g, "x").gradient() == 6.0
    assert [edge.source for edge in g.edges] == [1, 2, 2]


def test_file_names_and_unreadable_files_are_named(tmp_path):
    g = tg.from_networkx(picture(("F", "x", 2.0)))
    for question in (lambda: g.save(tmp_path / "g.gexf"), lambda: tg.load_graph("g")):
        with pytest.raises(UsageError, match=r"ends in \.json or \.graphml"):
            question()
    for question in (lambda: g.save(3), lambda: tg.load_graph(None)):
        with pytest.raises(UsageError, match="expected a file's name, got"):
            question()
    with pytest.raises(DataError, match=r"load_graph: cannot read .*none\.json"):
        tg.load_graph(tmp_path / "none.json")
    (tmp_path / "g.json").write_bytes(b"\xff")
    with pytest.raises(DataError, match="cannot read"):
        tg.load_graph(tmp_path / "g.json")
    for text in ("", "<a/>", "<graphml", g.to_graphml().replace('source="1"', "")):
        (tmp_path / "g.graphml").write_text(text)
        with pytest.raises(DataError, match=r"load_graph: (the file is no GraphML|.* damaged)"):
            tg.load_graph(tmp_path / "g.graphml")


def test_graphml_of_another_program_is_a_graph_by_hand(tmp_path):
    nx.write_graphml(picture(("F", "x", 2.0), ("F", "x", 0.5)), tmp_path / "g.graphml")
    p = tg.paths(tg.load_graph(tmp_path / "g.graphml"), "x")
    assert (p.count(), p.gradient()) == (2, 2.5)


def test_an_exported_graph_can_be_changed_by_networkx_and_taken_back():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = tg.exp(x).sum()
    drawn = tg.graph(y * y).scalar().to_networkx()
    top = next(v for v, row in drawn.nodes(data=True) if row.get("output"))
    drawn.add_edge("new", top, derivative=10.0)
    g = tg.from_networkx(drawn)
    expected = 2 * y.item() * np.exp([1.0, 2.0])
    np.testing.assert_allclose(tg.paths(g, "x").gradient(), expected, rtol=1e-12)
    g = tg.from_networkx(drawn, output="new")
    np.testing.assert_allclose(tg.paths(g, "x").gradient(), 10 * expected, rtol=1e-12)


def test_of_two_outputs_none_may_be_computed_from_the_other():
    drawn = tg.graph(recorded()[1]).scalar().to_networkx()
    a, b = [v for v, row in drawn.nodes(data=True) if row.get("output")][:2]
    drawn.add_edge(a, b, derivative=1.0)
    with pytest.raises(DataError, match="one is computed from another: name"):
        tg.from_networkx(drawn)


def test_a_step_without_a_degree_counts_by_other_grades_alone():
    edges = [{"source": 1, "target": 0, "weight": -1}, {"source": 1, "target": 0, "weight": 2}]
    p = tg.paths(tg.from_json(changed(graph=ABOUT | {"level": "scope"}, edges=edges)), "x")
    assert p.count_by("length") == {1: 2}
    with pytest.raises(GraphError, match="weight differs among the ways inside F"):
        p.count_by("weight")


def test_one_element_of_an_input_has_shares():
    x, y = recorded()
    p = tg.paths(y.sum(), x, level="scalar", at=(0, 1))
    shares = p.shares("weight")
    assert {k: g / p.gradient() for k, g in p.gradient_by("weight").items()} == pytest.approx(
        shares
    )


@pytest.mark.parametrize("level", ["tensor", "scalar"])
def test_a_scalar_graph_of_a_scalar_graph_is_itself(level):
    g = tg.graph(recorded()[1])
    g = g.scalar() if level == "scalar" else g
    assert len(g.scalar().edges) == len(g.scalar().scalar().edges)


def test_layers_of_a_graph_by_hand_have_no_edge_among_them():
    g = tg.from_networkx(random_picture(7, 30)[0])
    layer = np.searchsorted(g.layers, np.arange(30), side="right")
    assert (layer[g.sources] > layer[g.targets]).all()
    for a, b in itertools.pairwise(g.layers[:-1].tolist()):
        assert any(a <= edge.target < b for edge in g.outgoing[b])
