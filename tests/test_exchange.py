"""Graphs for other programs: what goes out comes back, or says why not."""

import dataclasses
import itertools
import json
import math

import networkx as nx
import numpy as np
import pytest
from hand_graphs import picture, random_picture, recorded

import tinygrad_res as tg
import viz
from tinygrad_res import graph_rows
from tinygrad_res.errors import DataError, GradientError, GraphError, UsageError

# Round trips


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
