"""Highlighted sets, labels and widths: what is brought out, and that the figure says it truly."""

import itertools
import math
import re
import xml.etree.ElementTree as ET

import networkx as nx
import numpy as np
import pytest
import standin

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError, UsageError
from viz.bands import _point_on
from viz.highlight import edges_taken
from viz.layout import Curve, Shape
from viz.style import FLOW_LEVELS, FLOW_WIDTH, STYLES


def residual(blocks=3, level="tensor", width=3):
    """Blocks of two weight layers beside an identity."""
    rng = np.random.default_rng(blocks)
    x = h = tg.tensor(rng.uniform(0.1, 1, (1, width)), requires_grad=True, name="x")
    for k in range(blocks):
        inner = tg.relu(h @ tg.parameter(rng.uniform(0.1, 0.5, (width, width)), name=f"W_{2 * k}"))
        h = h + inner @ tg.parameter(rng.uniform(-0.5, 0.5, (width, width)), name=f"W_{2 * k + 1}")
    return kept(tg.paths(h.sum(), x, level=level), x)


def dense():
    """Three layers that each read all before them: no chain."""
    rng = np.random.default_rng(3)
    x = tg.tensor(rng.standard_normal((2, 2)), requires_grad=True, name="x")
    parts = [x]
    for k in range(3):
        h = tg.concat(parts, axis=1)
        w = tg.parameter(rng.standard_normal((h.shape[1], 2)), name=f"W_{k}")
        parts.append(tg.relu(h @ w))
    return kept(tg.paths(tg.concat(parts, axis=1).sum(), x), x)


def opposed():
    """A branch that works against its shortcut."""
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    w = tg.parameter([[-0.5, 0.2], [0.1, -0.4]], name="W")
    return (x + tg.tanh(x @ w)).sum(), x


def kept(paths, *tensors):
    """Return paths whose tensors outlive the function that made them."""
    ALIVE.extend(tensors)
    return paths


ALIVE = []


def texts(figure):
    return ["".join(run for run, _ in label.runs) for label in figure.layout.labels]


def strip_bands(figure, kind="set"):
    """The bands above the legend."""
    rule = min(label.y for label in figure.layout.labels if label.text.startswith("forward pass"))
    return [
        curve for curve in figure.layout.curves
        if curve.style in STYLES and re.fullmatch(rf"{kind} -?\d+( beside)?", curve.style)
        and curve.box[1] < rule - 12
    ]  # fmt: skip


def under(figure, kind="set"):
    """For each edge between shapes, the styles of the bands drawn right before it."""
    found, waiting = {}, []
    for item in figure.layout.curves:
        if re.fullmatch(rf"{kind} -?\d+( beside)?", item.style):
            waiting.append(item.style)
        elif item.tail and item.style != "forward":
            found.setdefault((item.tail, item.head), []).extend(waiting)
            waiting = []
    return found


def along(figure):
    """For each edge of a chain between shapes, the styles of the set bands that run beside it."""
    bands = [c for c in figure.layout.curves if re.fullmatch(r"set \d beside", c.style)]
    return {
        (edge.tail, edge.head): {band.style for band in bands if runs_beside(band, edge)}
        for edge in figure.layout.curves if edge.tail and edge.style != "forward"
    }  # fmt: skip


def runs_beside(band, edge):
    course = [_point_on(band, k / 200) for k in range(201)]
    ends = (edge.points[0], edge.points[-1])
    return all(min(math.dist(end, point) for point in course) < 9 for end in ends)


def same_course(figure, kind="set"):
    """For each edge that has one, the style of the band which runs exactly along it."""
    bands = {
        b.points: b.style for b in figure.layout.curves if re.fullmatch(rf"{kind} -?\d+", b.style)
    }
    return {
        (curve.tail, curve.head): bands[curve.points] for curve in figure.layout.curves
        if curve.tail and curve.style != "forward" and curve.points in bands
    }  # fmt: skip


def overlap(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[1], b[1]) > 0.5


# Which edges, which rows, how many


def test_one_set_is_a_broad_band_under_its_edges_and_the_rest_is_faded():
    paths = residual()
    figure = viz.draw(paths, highlight=paths.weight_free())
    bands = strip_bands(figure)
    assert {band.style for band in bands} == {"set 1"}
    arcs = [curve for curve in figure.layout.curves if curve.smooth and curve.style == "identity"]
    assert {arc.points for arc in arcs} <= {band.points for band in bands}
    squares = [s for s in figure.layout.shapes if s.style == "square" and s.title]
    assert squares and all(square.faded for square in squares)
    assert "on no highlighted path" in texts(figure)


def test_the_rows_of_highlighted_paths_are_marked_and_the_others_faded():
    paths = residual()
    figure = viz.draw(paths, highlight=paths.with_degree("weight", 4))
    rows = {
        label.text: label for label in figure.layout.labels
        if re.fullmatch(r"[IJ](_\d)?( · [IJ](_\d)?){2}", label.text)
    }  # fmt: skip
    marked = [
        any(abs(band.points[0][1] - (label.y - 4.5)) < 1 for band in strip_bands(figure))
        for label in rows.values()
    ]
    expected = [text.count("J") == 2 for text in rows]
    assert marked == expected and sum(expected) == 3
    assert [not label.faded for label in rows.values()] == expected


def test_the_legend_tells_each_count_and_the_product_of_a_single_path():
    paths = residual()
    sets = {
        "free": paths.weight_free(),
        "two": paths.with_degree("weight", 2),
        "best": paths.top(3),
    }
    shown = texts(viz.draw(paths, highlight=sets))
    norm = viz.text.value(float(np.linalg.norm(paths.weight_free()[0].product())))
    assert {f"free: 1 path of 8, product of norm {norm}", "two: 3 paths of 8"} <= set(shown)
    assert "best: 3 paths of 8" in shown


def test_several_sets_differ_by_colour_and_by_dash_and_by_sign():
    styles = [STYLES[f"set {k} beside"] for k in range(1, 5)]
    assert len({style.dash for style in styles}) == len({style.stroke for style in styles}) == 4
    paths = residual()
    figure = viz.draw(paths, highlight={str(k): paths[k] for k in range(4)})
    forms = {
        item.style: (type(item), getattr(item, "kind", len(getattr(item, "points", ()))))
        for item in figure.layout.items if item.style.endswith("sign")
    }  # fmt: skip
    assert len(forms) == len(set(forms.values())) == 4


def test_edges_shared_by_sets_have_a_band_of_each():
    paths = residual(1)
    figure = viz.draw(paths, highlight={"all": paths, "free": paths.weight_free()})
    kinds = list(along(figure).values())
    assert {"set 1 beside", "set 2 beside"} in kinds and {"set 1 beside"} in kinds


@pytest.mark.parametrize(
    "given",
    [
        lambda p: p[3],
        lambda p: [p[3]],
        lambda p: (p[3], p[3]),
        lambda p: {"highlighted": p[3]},
        lambda p: {"highlighted": [p[3]]},
    ],
)
def test_a_path_a_list_and_a_dict_of_it_highlight_the_same(given):
    paths = residual()
    figure = viz.draw(paths, highlight=given(paths))
    expected = viz.draw(paths, highlight=paths[3])
    assert under(figure) == under(expected)
    assert any(text.startswith("highlighted: 1 path of 8, product") for text in texts(figure))


def test_a_deep_chain_says_what_is_highlighted_and_how_many():
    paths = residual(12)
    sets = {"free": paths.weight_free(), "some": paths.with_degree("weight", 8)}
    figure = viz.draw(paths, highlight=sets)
    shown = texts(figure)
    assert "some: 495 paths of 4\u2009096" in shown
    assert any(text.startswith("free: 1 path of 4\u2009096, product of norm") for text in shown)
    box = next(shape for shape in figure.layout.shapes if shape.double and shape.key)
    at_box = [bands for ends, bands in along(figure).items() if box.key in ends]
    assert at_box == [{"set 2 beside"}] * 2


def crowded(blocks=2):
    """Blocks of 5 ways each: a shortcut, and four branches through a weight layer."""
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="x")
    h = x
    for _ in range(blocks):
        branches = [tg.tanh(h @ tg.parameter(rng.standard_normal((3, 3)))) for _ in range(4)]
        h = h + branches[0] + branches[1] + branches[2] + branches[3]
    return kept(tg.paths(h.sum(), x), x)


@pytest.mark.parametrize("blocks", [2, 7])
def test_a_block_of_many_ways_shows_which_of_its_lanes_a_set_takes(blocks):
    paths = crowded(blocks)
    sets = {"free": paths.weight_free(), "rest": paths.with_degree("weight", blocks)}
    bands = along(viz.draw(paths, highlight=sets))
    arcs = [bands[f"part {k}", f"part {k - 1}" if k else "input"] for k in range(min(blocks, 4))]
    at_boxes = [found for ends, found in bands.items() if "part 1 box" in ends]
    assert arcs == [{"set 1 beside"}] * len(arcs) and at_boxes == [{"set 2 beside"}] * 2


def test_listed_paths_light_the_lane_that_each_of_them_takes():
    paths = crowded()
    one = next(path for path in paths.with_degree("weight", 1))
    figure = viz.draw(paths, highlight={"one": one, "free": paths.weight_free()})
    bands = along(figure)
    at_boxes = [found for ends, found in bands.items() if any("box" in end for end in ends)]
    assert at_boxes.count({"set 1 beside"}) == 2


def test_the_legend_has_a_band_against_only_where_one_is_drawn():
    def against(figure):
        return any(item.style.startswith("flow -") for item in figure.layout.items)

    loss, x = opposed()
    assert against(viz.draw(tg.paths(loss, x), widths="flow"))
    paths = crowded()
    carried = tg.edge_flow(paths.graph.taken_from, paths.frame.x).edges
    assert min(carried.values()) < 0
    assert not against(viz.draw(paths, widths="flow"))


def test_no_band_covers_a_shape():
    items = viz.draw(residual(), widths="flow").layout.items
    values = [i for i, item in enumerate(items) if item.style == "value" and item.key]
    axis = items[values[0]].y + 1
    bands = [
        i for i, item in enumerate(items)
        if re.fullmatch(r"flow -?\d+", item.style) and item.points[0][1] <= axis
    ]  # fmt: skip
    assert len(bands) > 3 and max(bands) < min(values)


def test_the_edges_of_a_set_too_large_to_list_are_exact():
    paths = residual(15)
    odd = paths.with_degree("length", min(paths.count_by("length")) + 3)
    small = residual(6)
    listed = small.with_degree("weight", 6)
    assert edges_taken(listed) == {edge.index for path in listed for edge in path.edges}
    most = paths.with_degree("weight", 14)
    assert most.count() == 6435
    assert edges_taken(odd) == {edge.index for path in odd for edge in path.edges}


def test_edges_off_every_path_of_a_large_set_are_not_among_them():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    h = x
    for k in range(15):
        w, v = (tg.parameter(np.eye(2), name=f"{c}_{k}") for c in "WV")
        h = h @ w + tg.tanh(h @ v)
    with_shortcut = tg.paths((h + x).sum(), x)
    long = with_shortcut.with_degree("weight", 15)
    assert long.count() == 2**15
    off = {edge.index for edge in with_shortcut.edges} - edges_taken(long)
    nodes = with_shortcut.graph.nodes
    assert [(nodes[e.source].op, nodes[e.target].label) for e in with_shortcut.edges if e.index in off] == [("add", "x")]  # fmt: skip


def test_an_empty_set_fades_nothing_and_says_none():
    paths = residual()
    figure = viz.draw(paths, highlight={"seven": paths.with_degree("weight", 7)})
    assert "seven: 0 paths highlighted" in texts(figure)
    assert not any(item.faded for item in figure.layout.items) and not strip_bands(figure)
    assert "0 paths highlighted" in texts(viz.draw(paths, highlight=[]))
    assert "seven: 0 paths highlighted" in figure.layout.description


# Every kind of figure


def test_a_graph_has_bands_under_the_edges_of_the_set():
    paths = dense()
    figure = viz.draw(paths, highlight=paths.with_degree("weight", 3))
    (path,) = paths.with_degree("weight", 3)
    marked = [ends for ends, bands in under(figure).items() if bands]
    assert set(marked) == {(f"node {e.source}", f"node {e.target}") for e in path.edges}
    assert "highlighted: 1 path of 8" in " ".join(texts(figure))
    assert any(shape.style == "set 1 sign" for shape in figure.layout.shapes)


def test_parallel_edges_are_told_apart():
    x = tg.tensor(np.ones((2, 2)), requires_grad=True, name="x")
    paths = tg.paths(tg.graph((x * x).sum()), x)
    figure = viz.draw(paths.graph, highlight=paths[1])
    bands = [b for b in strip_bands(figure) if b.style == "set 1"]
    edges = [c for c in figure.layout.curves if (c.tail, c.head) == ("node 1", "node 0")]
    assert len(edges) == 2 and sum(edge.points == band.points for edge in edges for band in bands) == 1  # fmt: skip


def test_a_loss_is_drawn_with_paths_of_its_own_record():
    loss, x = opposed()
    paths = tg.paths(loss, x)
    for what in (loss, tg.graph(loss), paths.graph):
        assert under(viz.draw(what, highlight=paths.weight_free()))["node 4", "node 0"] == ["set 1"]


def test_numbers_have_bands_rows_signs_and_the_product_itself():
    x = tg.tensor(0.7, requires_grad=True, name="x")
    paths = tg.paths(tg.sin(x) * tg.exp(x), x)
    figure = viz.draw(paths, highlight=paths[1])
    product = viz.text.value(float(paths[1].product()))
    assert f"highlighted: 1 path of 2, product {product}" in texts(figure)
    assert len(same_course(figure)) == 2
    assert sum(item.style == "set 1 sign" for item in figure.layout.items) == 2 + 1 + 1
    rows = [label for label in figure.layout.labels if label.text.count("∂") == 4]
    assert [row.faded for row in rows] == [True, False]


def test_of_long_columns_the_numbers_of_few_highlighted_paths_are_drawn():
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.uniform(0.1, 1, (1, 40)), requires_grad=True, name="x")
    w, v = (tg.parameter(rng.uniform(0.1, 1, shape), name="W") for shape in ((40, 30), (30, 2)))
    paths = tg.paths((tg.relu(x @ w) @ v).sum(), x, level="scalar")
    path = paths[-1]
    assert len(same_course(viz.draw(paths, highlight=path))) == len(path.edges)


def test_where_numbers_are_too_many_their_paths_are_highlighted_between_arrays():
    paths = residual(1, "scalar", width=150)
    figure = viz.draw(paths, highlight={"free": paths.weight_free()})
    assert any("too many numbers to draw" in text for text in texts(figure))
    total = viz.text.grouped(paths.count())
    assert f"free: 150 paths between numbers of {total}" in texts(figure)
    rows = [label for label in figure.layout.labels if label.text in ("I", "J_1") and label.x > 200]
    assert rows and not any(label.faded for label in rows if label.anchor == "start")
    arcs = [curve for curve in figure.layout.curves if curve.style == "identity" and curve.smooth]
    assert {arc.points for arc in arcs} <= {band.points for band in strip_bands(figure)}
    assert not any(arc.faded for arc in arcs) and any(c.faded for c in figure.layout.curves)


# What is refused


def refusals():
    paths, other = residual(), residual(2)
    scalar = residual(2, "scalar")
    return {
        "another graph": (paths, other[0], "another graph"),
        "another level": (paths, scalar, "make both with level"),
        "another call": (other, tg.paths(other.graph, other.inputs[0]), "another call"),
        "no part": (paths.weight_free(), paths, "no part of"),
        "no path of it": (paths.weight_free(), paths[5], "no part of"),
        "five sets": (paths, {str(k): paths[k] for k in range(5)}, "5 sets, but 1 to 4"),
        "no sets": (paths, {}, "0 sets"),
        "words": (paths, "weight-free", "a str"),
        "a list of sets": (paths, [paths], "other things than paths"),
        "a number for a label": (paths, {3: paths}, "label 3"),
        "an edge": (paths, paths.edges[0], "a GraphEdge"),
    }


@pytest.mark.parametrize("name", refusals())
def test_what_cannot_be_highlighted_is_refused_with_the_mend(name):
    drawn, highlight, message = refusals()[name]
    with pytest.raises(FigureError, match=message):
        viz.draw(drawn, highlight=highlight)


def test_another_input_is_refused():
    x, z = (tg.tensor(np.ones((1, 2)), requires_grad=True, name=n) for n in "xz")
    g = tg.graph((x @ tg.parameter(np.eye(2)) + x + z).sum())
    with pytest.raises(FigureError, match="another input"):
        viz.draw(tg.paths(g, x), highlight=tg.paths(g, z))


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": "all"},
        {"widths": "norm"},
        {"widths": True},
        {"widths": np.ones(2)},
        {"labels": []},
    ],
)
def test_unknown_labels_and_widths_are_refused_by_name(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        viz.draw(residual(1), **wrong)


@pytest.mark.parametrize("level", ["tensor", "scalar"])
def test_a_highlighted_set_runs_beside_the_flow_and_covers_none_of_it(level):
    paths = residual(1, level)
    figure = viz.draw(paths, highlight=paths.with_degree("weight", 2), widths="flow")
    sets, flows = strip_bands(figure), strip_bands(figure, "flow")
    pairs = list(itertools.pairwise(c for c in figure.layout.curves if c in (*sets, *flows)))
    pairs = [(flow, line) for flow, line in pairs if flow in flows and line in sets]
    assert pairs and all(line.style == "set 1 beside" for _, line in pairs)
    for flow, line in pairs:
        apart = min(math.dist(a, b) for a, b in zip(flow.points, line.points, strict=True))
        assert apart >= (STYLES[flow.style].width + STYLES[line.style].width) / 2
    shown = " ".join(texts(figure))
    assert "as wide as the square root" in shown and "highlighted" in shown


# Widths


def test_a_band_is_as_wide_as_the_root_of_its_flow_and_has_its_sign():
    loss, x = opposed()
    flow = tg.edge_flow(loss, x)
    paths = tg.paths(loss, x)
    figure = viz.draw(paths, widths="flow", labels="both")
    shortcut = flow.edges[paths.weight_free()[0].edges[1].index]
    branch = next(f for f in flow.edges.values() if f < 0)
    most = max(map(abs, flow.edges.values()))
    (up,) = {same_course(figure, "flow")[c.tail, c.head] for c in figure.layout.curves
             if c.smooth and c.style == "identity"}  # fmt: skip
    (down,) = {band.style for band in strip_bands(figure, "flow") if "-" in band.style}
    for style, value in ((up, shortcut), (down, branch)):
        width = STYLES[style].width
        expected = FLOW_WIDTH * np.sqrt(abs(value) / most)
        assert width == pytest.approx(expected, abs=FLOW_WIDTH / FLOW_LEVELS)
    shown = {f"I: +{viz.text.value(shortcut)}", f"J1: {viz.text.value(branch)}"}
    assert shown <= set(texts(figure))


def test_signs_are_pluses_and_minuses_beside_the_colour():
    loss, x = opposed()
    figure = viz.draw(tg.paths(loss, x), widths="flow")
    discs = [i for i in figure.layout.shapes if i.style == "flow sign"]
    strokes = [i for i in figure.layout.curves if i.style == "flow stroke"]
    negative = [b for b in figure.layout.curves if re.fullmatch(r"flow -\d+", b.style)]
    assert len(negative) == 2  # the branch, and the legend's
    assert len(strokes) == 2 * len(discs) - len(negative)
    assert "a derivative of 0" not in texts(figure)


def test_the_widths_of_numbers_are_those_of_the_paths():
    loss, x = opposed()
    paths = tg.paths(loss, x, level="scalar")
    figure = viz.draw(paths, widths="flow")
    carried = paths.edge_flow()
    signs = sorted(np.sign([carried[edge.index] for edge in paths.edges]))
    drawn = sorted(-1 if "-" in style else 1 for style in same_course(figure, "flow").values())
    assert drawn == signs and -1 in signs and 1 in signs
    assert any("sum of the products" in text for text in texts(figure))


def test_the_flow_over_merged_arrows_is_the_sum():
    x = tg.tensor(np.ones(3), requires_grad=True, name="x")
    with tg.scope("many"):
        y = x * 2 + x * 3 - x * 4
    loss = y.sum()
    shown = texts(viz.draw(loss, widths="flow", labels="value", max_nodes=3))
    assert f"× 3: +{viz.text.value(tg.edge_flow(loss, x).total)}" in shown


def test_single_numbers_flow_with_the_sign_of_their_products():
    x = tg.tensor(0.7, requires_grad=True, name="x")
    paths = tg.paths(tg.cos(x) * tg.exp(-x), x)
    assert paths.gradient() < 0
    figure = viz.draw(paths, widths="flow")
    assert all("-" in b.style for b in strip_bands(figure, "flow"))


def unknown_flows():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = tg.tensor([1.0, 2.0], requires_grad=True, name="y")
    tiny = tg.tensor([1e-300], requires_grad=True, name="x")
    kept(None, x, y, tiny)
    by_hand = tg.from_networkx(nx.DiGraph([("L", "h"), ("h", "x")]), derivative=None)
    scoped = residual(1)
    return {
        "too large": (tg.paths(tiny * 1e200 * 1e200, tiny, level="scalar"), "too large for floats"),
        "no cotangent": (tg.paths(x * tg.exp(x), x), "cotangent"),
        "no arrays": (tg.paths(by_hand, "x"), "no arrays"),
        "two inputs": (tg.graph((x * y).sum()), "x, y"),
        "zero": (tg.paths(((x - x) * y).sum() * 0.0, x), "zero"),
        "scopes": (tg.paths(scoped.graph.taken_from, ALIVE[-1], level="scope"), "scopes"),
    }


@pytest.mark.filterwarnings("ignore:(overflow|invalid)")
@pytest.mark.parametrize("name", unknown_flows())
def test_a_flow_that_is_not_known_is_an_error_that_says_why(name):
    what, message = unknown_flows()[name]
    with pytest.raises(FigureError, match=rf"widths='flow'.*{message}"):
        viz.draw(what, widths="flow")


@pytest.mark.parametrize("level", ["tensor", "scalar"])
def test_what_lies_on_a_device_is_drawn_as_what_lies_on_the_host(level, standing_in):
    def picture(array):
        x, W = (
            tg.tensor(array([1.0, 2.0]), requires_grad=True, name="x"),
            array([[2.0, 1.0], [0, 1]]),
        )
        p = tg.paths((x + x @ tg.parameter(W, name="W")).sum(), x, level=level)
        return viz.draw(p, highlight=p[0], widths="flow", labels="both").svg

    assert picture(standing_in.asarray) == picture(np.array)
    standin.transfers.clear()  # a figure's numbers are read on the host


# Labels


@pytest.mark.parametrize(
    ("labels", "symbol", "value"),
    [("symbol", True, False), ("value", False, True), ("both", True, True), ("none", False, False)],
)
def test_labels_of_a_chain_are_names_and_flows(labels, symbol, value):
    shown = texts(viz.draw(residual(1), labels=labels))
    assert ("W0" in shown) == ("relu′" in shown) == symbol
    assert any(re.fullmatch(r"I: [+−][\d.]+", text) for text in shown) == value
    assert any(text.startswith("number behind a symbol: its flow") for text in shown) == value


@pytest.mark.parametrize(
    ("labels", "pattern"),
    [("symbol", r"W_?\d\d?"), ("value", r"−?\d[\d.]*"), ("both", r"W_?\d\d? = −?\d[\d.]*")],
)
def test_labels_of_numbers_are_symbols_and_derivatives(labels, pattern):
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    w = tg.parameter([[1.5, -2.5], [3.5, 4.5]], name="W")
    paths = tg.paths((x @ w).sum(), x, level="scalar")
    figure = viz.draw(paths, labels=labels)
    on = [label.text for label in figure.layout.labels if label.style == "text weight"]
    assert len(on) == 4 and all(re.fullmatch(pattern, text) for text in on)
    bare = viz.draw(paths, labels="none")
    assert not [label for label in bare.layout.labels if label.style == "text weight"]


def test_a_zero_is_marked_whatever_the_labels():
    x = tg.tensor([[1.0, -2.0]], requires_grad=True, name="x")
    paths = tg.paths(tg.relu(x).sum(), x, level="scalar")
    for labels in ("symbol", "value", "both", "none"):
        assert "a derivative of 0" in texts(viz.draw(paths, labels=labels))


def test_labels_of_a_graph_are_names_and_flows():
    loss, x = opposed()
    branch = viz.text.value(next(f for f in tg.edge_flow(loss, x).edges.values() if f < 0))
    shown = {labels: texts(viz.draw(loss, labels=labels)) for labels in ("symbol", "value", "both", "none")}  # fmt: skip
    assert "tanh′" in shown["symbol"] and branch in shown["value"]
    assert f"tanh′: {branch}" in shown["both"]
    assert not {"tanh′", branch} & set(shown["none"])


# Nothing collides


@pytest.mark.parametrize("kind", ["chain", "deep", "dense", "numbers"])
@pytest.mark.parametrize("how", ["four", "flow"])
def test_no_label_is_covered(kind, how):
    paths = {
        "chain": residual, "deep": lambda: residual(9), "dense": dense,
        "numbers": lambda: residual(1, "scalar", 2),
    }[kind]()  # fmt: skip
    long = "z" * 300
    given = (
        {"highlight": {long: paths.weight_free(), "b": paths[0], "c": paths[1], "d": paths.top(2)}}
        if how == "four"
        else {"widths": "flow", "labels": "both"}
    )
    layout = viz.draw(paths, **given).layout
    boxes = [(label.text, label.box) for label in layout.labels]
    assert [p for p in itertools.combinations(boxes, 2) if overlap(p[0][1], p[1][1])] == []
    signs = [i for i in layout.items if i.style.endswith("sign") and isinstance(i, (Curve, Shape))]
    struck = [(text, sign.style) for text, box in boxes for sign in signs if overlap(box, sign.box)]
    assert signs and struck == []
    for item in layout.items:
        left, top, right, bottom = item.box
        assert left >= 0 and top >= 0 and right <= layout.width and bottom <= layout.height


@pytest.mark.parametrize("label", ["</script><b>", '"]; x [', "a\nb", "\\end{x}#%&", "权重🙂", ""])
def test_labels_of_sets_are_text_in_every_format(label, tmp_path):
    paths = residual(1)
    figure = viz.draw(paths, highlight={label: paths.weight_free(), "b": paths[1]})
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(figure.svg).iter()}
    assert "script" not in tags and "b" not in tags
    for ending in ("svg", "pdf", "png", "dot", "tex", "html", "mmd"):
        figure.save(tmp_path / f"a.{ending}")


@pytest.mark.parametrize("given", [{"widths": "flow"}, {"labels": "both"}, {"highlight": True}])
def test_the_same_input_gives_the_same_bytes(given):
    def drawn():
        paths = residual(2)
        return viz.draw(paths, **({"highlight": paths.top(2)} if "highlight" in given else given))

    assert drawn().svg == drawn().svg


# Where weight layers are counted


def windowed(level):
    rng = np.random.default_rng(2)

    def weight(name):
        return tg.parameter(rng.uniform(0.1, 1, (2, 2)), name=name)

    x = tg.tensor(rng.uniform(0.1, 1, (1, 2)), requires_grad=True, name="x")
    s = x @ weight("W_0")
    h = s + tg.relu(s @ weight("W_1"))
    s.name, h.name = "s", "h"
    return kept(tg.paths((h @ weight("V")).sum(), x, start=h, end=s, level=level), x)


def test_the_red_line_of_numbers_follows_the_counted_stretch():
    paths = windowed("scalar")
    figure = viz.draw(paths)
    red = [c for c in figure.layout.curves if c.style == "identity" and c.tail]
    assert paths.weight_free().count() == 8 and len(red) == 4  # two shortcuts, two to the sum
    outside = [s for s in figure.layout.shapes if s.style == "square uncounted"]
    assert len(outside) == 8 + 1
    assert "weight layers counted from h back to s" in texts(figure)


def test_the_red_line_of_a_graph_follows_the_counted_stretch():
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((2, 2)), requires_grad=True, name="x")
    s = x @ tg.parameter(np.eye(2), name="W_0")
    parts = [s]
    for k in range(3):
        h = tg.concat(parts, axis=1)
        parts.append(tg.relu(h @ tg.parameter(np.ones((h.shape[1], 2)), name=f"V_{k}")))
    end = tg.concat(parts, axis=1)
    loss = (end @ tg.parameter(np.ones((8, 2)), name="W_1")).sum()
    paths = tg.paths(loss, x, start=end, end=s)
    assert paths.weight_free().count() == 1
    figure = viz.draw(paths)
    red = {(c.tail, c.head) for c in figure.layout.curves if c.style == "identity" and c.tail}
    shortcut, start = (paths.graph.find(tensor).index for tensor in (end, s))
    assert (f"node {shortcut}", f"node {start}") in red
    assert any("weight layers counted from" in text for text in texts(figure))


# Graphs that hold no arrays


def by_hand(**attributes):
    graph = nx.MultiDiGraph()
    graph.add_edge("h", "x", weight=1)
    graph.add_edge("h", "x", is_identity=True)
    graph.add_edge("L", "h", weight=2)
    graph.add_edge("L", "h", **attributes)
    return tg.paths(tg.from_networkx(graph, derivative=None), "x")


def test_a_chain_by_hand_has_its_paths_and_no_norms():
    figure = viz.draw(by_hand())
    shown = texts(figure)
    assert "1 weight-free path of 4" in shown
    assert "2 weight layers" in shown and "∂L/∂h" in shown
    assert "unnamed" not in shown and "gradient norm" not in shown
    assert sum(text in ("1", "2", "3", "0, weight-free") for text in shown) == 4
    assert any("products are not known" in text for text in shown)


def test_a_stretch_by_hand_is_called_by_its_derivative():
    graph = nx.MultiDiGraph([("L", "h"), ("h", "x"), ("h", "x")])
    shown = texts(viz.draw(tg.paths(tg.from_networkx(graph, derivative=None), "x")))
    assert "∂L/∂h" in shown and "unnamed" not in shown
    assert "• where ways meet in another operation" in shown and "h" in shown


def test_the_squares_of_a_lane_are_the_layers_it_crosses():
    figure = viz.draw(by_hand())
    squares = [
        s for s in figure.layout.shapes if s.style == "square" and "weight layers" in s.title
    ]
    ys = [s.y for s in squares]
    assert sorted(ys.count(y) for y in set(ys))[-1] == 3  # the row through both branches


@pytest.mark.parametrize("blocks", [3, 9])
def test_a_chain_that_was_read_back_is_drawn_without_arrays(blocks):
    whole = tg.from_json(residual(blocks).graph.to_json())
    paths = tg.paths(whole, "x")
    figure = viz.draw(paths, highlight=paths.weight_free())
    shown = texts(figure)
    assert f"highlighted: 1 path of {2**blocks}" in shown
    assert any("products are not known" in text for text in shown)


@pytest.mark.parametrize("level", ["tensor", "scope", "scalar"])
def test_graphs_read_back_are_drawn_at_every_level(level):
    x = tg.tensor([[0.5, 1.0]], requires_grad=True, name="x")
    with tg.scope("branch"):
        h = tg.relu(x @ tg.parameter(np.ones((2, 2)), name="W_1"))
        h = h @ tg.parameter(np.ones((2, 2)), name="W_2")
    graph = tg.paths((x + h).sum(), x, level=level).graph
    shown = texts(viz.draw(tg.paths(tg.from_json(graph.to_json()), "x")))
    assert any(f"{level} level" in text for text in shown) and "unnamed" not in shown


def test_scopes_are_counted_and_a_branch_of_two_layers_says_two():
    x = tg.tensor([[0.5, 1.0]], requires_grad=True, name="x")
    with tg.scope("branch"):
        h = tg.relu(x @ tg.parameter(np.ones((2, 2)), name="W_1"))
        h = h @ tg.parameter(np.ones((2, 2)), name="W_2")
    paths = tg.paths((x + h).sum(), x, level="scope")
    figure = viz.draw(paths, highlight={"around": paths.avoiding("branch")})
    shown = texts(figure)
    assert "2 weight layers" in shown and "branch" in shown and "unnamed" not in shown
    assert any("1 scope, " in text for text in shown)
    assert any(text.startswith("around: 1 path of 2") for text in shown)


def test_the_paths_to_one_element_are_drawn_and_highlighted():
    paths = residual(2, "scalar")
    one = tg.paths(paths.graph.taken_from, ALIVE[-1], level="scalar", at=(0, 1))
    shown = texts(viz.draw(one, highlight=one.top(1)))
    assert any(text.startswith(f"highlighted: 1 path of {one.count()}, product") for text in shown)


# The legend


def legend_of(figure):
    """What is drawn in the legend: the styles of its samples."""
    rule = min(label.y for label in figure.layout.labels if label.text.startswith("forward pass"))
    return {
        item.style for item in (*figure.layout.shapes, *figure.layout.curves)
        if item.box[1] > rule - 16
    }  # fmt: skip


@pytest.mark.parametrize("labels", ["none", "value", "symbol"])
def test_the_legend_has_a_weight_square_where_one_is_drawn(labels):
    figure = viz.draw(residual(1, "scalar"), labels=labels)
    assert ("square" in legend_of(figure)) == (labels != "none")
    assert "square" in legend_of(viz.draw(residual(1), labels=labels))


def test_what_is_faint_in_the_legend_is_what_is_faint_in_the_picture():
    paths = residual(1)
    figure = viz.draw(paths, highlight=paths.with_degree("weight", 2))
    assert {c.style for c in figure.layout.curves if c.faded} == {"identity", "forward"}


def test_the_symbol_over_an_arc_stands_clear_of_its_bands():
    paths = residual(2)
    figure = viz.draw(paths, highlight={"a": paths, "b": paths.weight_free()}, widths="flow")
    symbols = [
        label for label in figure.layout.labels if label.text == "I" and label.faded is False
    ]
    arcs = [c for kind in ("set", "flow") for c in strip_bands(figure, kind) if c.smooth]
    assert len(arcs) == 6
    for arc in arcs:
        top = arc.box[1] - STYLES[arc.style].width / 2
        assert any(arc.box[0] < s.x < arc.box[2] and s.box[3] <= top for s in symbols)


@pytest.mark.parametrize(("what", "said"), [(5, "an int"), ("x", "a str"), ([5], "a list that")])
def test_what_cannot_be_highlighted_or_explored_is_called_by_its_kind(what, said):
    x = tg.tensor([1.0], requires_grad=True, name="x")
    with pytest.raises(FigureError, match=f"cannot highlight {said}"):
        viz.draw(tg.paths(tg.tanh(x), x), highlight=what)
    with pytest.raises(UsageError, match=f"cannot explore {said.removesuffix(' that')}"):
        viz.explore(what)
