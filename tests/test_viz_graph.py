"""The figure of any recorded graph."""

import itertools

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from viz.records.folds import homes
from viz.records.view import count_paths, view_graph


def block(x, k, width=4):
    rng = np.random.default_rng(k)
    with tg.scope(f"block{k}"), tg.scope("branch", branch=True):
        inner = tg.relu(x @ tg.parameter(rng.standard_normal((width, width)), name=f"W_{k}"))
    with tg.scope(f"block{k}"):
        return x + inner


def net(blocks):
    x = tg.tensor(np.ones((2, 4)), requires_grad=True, name="x")
    h = x
    for k in range(blocks):
        h = block(h, k)
    return h.sum()


def edges(figure, style=None):
    """The gradient's arrows that stand for edges."""
    return [
        curve for curve in figure.layout.curves
        if curve.tail and curve.style != "forward" and style in (None, curve.style)
    ]  # fmt: skip


def texts(figure):
    return ["".join(run for run, _ in label.runs) for label in figure.layout.labels]


def test_every_edge_is_drawn_and_parallel_ones_apart():
    x = tg.tensor(2.0, requires_grad=True, name="x")
    figure = viz.draw(x * x)
    first, second = edges(figure)
    assert (first.tail, first.head) == (second.tail, second.head)
    assert max(abs(a[1] - b[1]) for a, b in zip(first.points, second.points, strict=False)) > 5
    assert {"2 paths", "gradient paths from multiply back to x"} <= set(texts(figure))


def test_more_than_a_dozen_parallel_edges_are_one_arrow_that_says_how_many():
    x = tg.tensor([1.5, 2.0], requires_grad=True, name="x")
    counts = {n: len(edges(viz.draw(tg.concat([x] * n)))) for n in (12, 13)}
    assert counts == {12: 12, 13: 1}
    flowing = viz.draw(tg.paths(tg.concat([x] * 400).sum(), x), widths="flow", labels="both")
    assert any(said.startswith("× 400: +") for said in texts(flowing))
    assert "× n: n edges" in texts(flowing)
    assert not any("the derivative there" in text for text in texts(flowing))


def test_counts_longer_than_python_writes_are_shortened():
    x = tg.tensor([0.5, 2.0], requires_grad=True, name="x")
    h = x
    for _ in range(15_000):
        h = (h + h) * 0.5
    figure = viz.draw(h.sum())
    assert "2¹⁵⁰⁰⁰ paths" in texts(figure)
    assert "2¹⁵⁰⁰⁰ gradient paths back to x" in figure.layout.description


def test_as_many_arrows_as_edges_and_boxes_as_nodes():
    loss = net(2)
    graph, figure = tg.graph(loss), viz.draw(loss)
    assert len(edges(figure)) == len(graph.edges)
    assert len({s.key for s in figure.layout.shapes if s.key}) == len(graph.nodes)


def test_a_graph_and_its_loss_give_the_same_figure():
    loss = net(1)
    assert viz.draw(loss).svg == viz.draw(tg.graph(loss)).svg


def test_edges_follow_the_design_language():
    figure = viz.draw(net(2))
    assert len(edges(figure, "weight")) == 2
    assert len(edges(figure, "activation")) == 2
    assert len(edges(figure, "identity")) == 3  # two shortcuts, and the sum to the loss
    assert sum(bool(shape.sign) for shape in figure.layout.shapes) == 3  # two, and the legend's
    squares = [s for s in figure.layout.shapes if s.style == "square" and s.key]
    assert len(squares) == 2


def test_the_legend_of_black_arrows_counts_copies_off_the_weight_free_paths():
    graph, figure = tg.graph(net(1)), viz.draw(net(1))
    copies = sum(edge.is_identity for edge in graph.edges)
    assert copies > len(edges(figure, "identity"))
    assert "a copy elsewhere, or another derivative" in texts(figure)


def test_without_weights_nothing_is_called_weight_free():
    x = tg.tensor(2.0, requires_grad=True, name="x")
    figure = viz.draw(x + tg.tanh(x))
    assert not edges(figure, "identity")
    assert not any("weight-free" in text for text in texts(figure))


def hanging(figure):
    """The keys of the parameters that hang below what uses them."""
    return {shape.key for shape in figure.layout.shapes if shape.style == "square" and shape.key}


def test_data_flows_left_to_right_and_up_from_parameters():
    figure = viz.draw(net(2))
    place = {shape.key: (shape.x, shape.y) for shape in figure.layout.shapes if shape.key}
    for curve in figure.layout.curves:
        if curve.tail and curve.style == "forward":
            (x, y), (x_next, y_next) = place[curve.tail], place[curve.head]
            assert (y > y_next) if curve.tail in hanging(figure) else (x < x_next)


def test_the_gradient_runs_from_an_output_to_its_operand():
    figure = viz.draw(net(2))
    boxes = {shape.key: shape.box for shape in figure.layout.shapes if shape.key}

    def touches(point, box):
        return box[0] - 7 <= point[0] <= box[2] + 7 and box[1] - 7 <= point[1] <= box[3] + 7

    for curve in edges(figure):
        assert touches(curve.points[0], boxes[curve.tail])
        assert touches(curve.points[-1], boxes[curve.head])
        assert curve.head in hanging(figure) or boxes[curve.tail][0] > boxes[curve.head][0]


def test_scopes_are_clusters_that_hold_their_nodes():
    figure = viz.draw(net(2))
    clusters = {s.title: s.box for s in figure.layout.shapes if s.style == "cluster" and s.title}
    assert {"block0", "block1", "branch"} == set(clusters)
    relu = next(label for label in figure.layout.labels if label.text == "relu")
    left, top, right, bottom = clusters["block0"]
    assert left < relu.x < right and top < relu.y < bottom


def test_a_leaf_without_a_name_is_called_what_it_is():
    title = viz.draw(tg.graph(tg.tensor([1.0], requires_grad=True))).layout.title
    assert title == "The graph recorded for input (tensor level)"


def test_values_show_shape_and_dtype():
    assert {"2×4 float64", "4×4 float64", "scalar float64"} <= set(texts(viz.draw(net(1))))


@pytest.mark.parametrize("loss", [net(1), net(3), net(40)], ids=["small", "medium", "collapsed"])
def test_labels_of_boxes_do_not_overlap_and_stay_inside(loss):
    layout = viz.draw(loss).layout
    for a, b in itertools.combinations(layout.labels, 2):
        wide = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
        high = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
        assert wide <= 1 or high <= 1, (a.text, b.text)
    for item in layout.items:
        left, top, right, bottom = item.box
        assert left >= 0 and top >= 0 and right <= layout.width and bottom <= layout.height


def test_path_counts_are_those_of_paths():
    x = tg.tensor(np.ones((2, 4)), requires_grad=True, name="x")
    loss = block(block(x, 1), 2).sum()
    (found,) = count_paths(tg.graph(loss))
    paths = tg.paths(loss, x)
    assert (found.count, found.weight_free) == (paths.count(), paths.weight_free().count())


def test_a_large_graph_is_drawn_by_scope_and_says_so():
    graph = tg.graph(net(30))
    figure = viz.draw(graph)
    assert sum(bool(shape.key) for shape in figure.layout.shapes) <= 40
    assert any("the middle of a long row is drawn as one box" in text for text in texts(figure))


def test_a_large_graph_without_scopes_is_cut_in_its_middle_and_says_so():
    x = tg.tensor(1.0, requires_grad=True, name="x")
    y = x
    for _ in range(1000):
        y = tg.tanh(y)
    view = view_graph(tg.graph(y), 120, [0])
    assert len(view.boxes) == 13
    assert sum(box.size for box in view.boxes) == 1001
    assert "the middle of a long row" in view.note


def test_a_graph_of_few_nodes_and_very_many_edges_is_collapsed_and_says_so():
    parts = [tg.tensor([1.0, 2.0], requires_grad=True, name="x")]
    for _ in range(38):
        parts.append(tg.concat(parts)[:2])
    figure = viz.draw(tg.concat(parts))
    assert figure.layout.width < 3000 and len(edges(figure)) <= 240
    assert any("818 recorded edges; the middle" in said for said in texts(figure))


def recorded(network, *shape):
    x = tg.tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True, name="x")
    return (network(x) ** 2).mean()


def test_every_block_of_a_folded_residual_network_shows_its_shortcut():
    view = view_graph(tg.graph(recorded(tg.nets.resnet(20), 1, 3, 8, 8)), 80, [0])
    assert len(view.boxes) <= 42
    assert [box.label for box in view.boxes].count("branch") == 9
    assert {box.scope for box in view.boxes if box.kind == "sum"} == {
        ("body", str(k)) for k in range(9)
    }
    red = [arrow for arrow in view.arrows if arrow.style == "identity"]
    into_sums = [arrow for arrow in red if view.boxes[arrow.output].kind == "sum"]
    assert len(into_sums) == 9
    assert not any(box.kind == "parameter" for box in view.boxes)


@pytest.mark.parametrize("depth", [56, 110])
def test_a_deeper_network_keeps_the_first_and_last_blocks_and_folds_the_middle(depth):
    view = view_graph(tg.graph(recorded(tg.nets.resnet(depth), 1, 3, 8, 8)), 80, [0])
    blocks = (depth - 2) // 6
    (middle,) = (box for box in view.boxes if "…" in box.label)
    first, last = map(int, middle.label.split(" … "))
    assert first == blocks * 3 - 1 - last and middle.scope == ("body",)
    sums = sorted(int(box.scope[1]) for box in view.boxes if box.kind == "sum")
    assert sums == [*range(first), *range(last + 1, blocks * 3)]
    assert len(view.boxes) <= 42


def test_the_layers_of_a_dense_network_are_seen_beyond_its_stages():
    view = view_graph(tg.graph(recorded(tg.nets.densenet(121), 2, 3, 32, 32)), 80, [0])
    stages = {box.scope[1] for box in view.boxes if box.label == "concat"}
    assert stages == {"0", "2", "4", "6"} and len(view.boxes) <= 42


def test_a_parameter_belongs_to_the_scope_of_all_that_use_it():
    x = tg.tensor(np.ones((2, 2)), requires_grad=True, name="x")
    alone, shared = (tg.parameter(np.eye(2), name=name) for name in ("alone", "shared"))
    with tg.scope("net"):
        with tg.scope("a"):
            y = x @ alone @ shared
        with tg.scope("b"):
            y = y @ shared
    graph = tg.graph(y.sum())
    found = dict(zip((node.name for node in graph.nodes), homes(graph)))
    assert (found["alone"], found["shared"], found["x"]) == (("net", "a"), ("net",), ())


def test_as_few_scopes_are_folded_as_the_number_of_boxes_asks_for():
    h = tg.tensor([1.0], requires_grad=True, name="x")
    for k in range(10):
        with tg.scope(f"outer{k}"):
            for inner in "ab":
                with tg.scope(inner):
                    h = tg.sin(2 * h)
    graph = tg.graph(h)
    assert [(b.label, b.scope) for b in view_graph(graph, 25, [0]).boxes[:3]] == [
        ("x", ()), ("a", ("outer0",)), ("b", ("outer0",))
    ]  # fmt: skip
    assert [b.label for b in view_graph(graph, 12, [0]).boxes][:3] == ["x", "outer0", "outer1"]
    assert len(view_graph(graph, 5, [0]).boxes) <= 5


def test_a_container_of_many_layers_is_opened_rather_than_drawn_alone():
    h = tg.tensor([1.0], requires_grad=True, name="x")
    for k in range(60):
        with tg.scope(f"body/{k}"):
            h = tg.sin(2 * h)
    boxes = view_graph(tg.graph(h), 80, [0]).boxes
    assert [box.label for box in boxes][:3] == ["x", "0", "1"]
    assert [box.label for box in boxes][6:9] == ["5", "6 … 53", "54"]
    assert len(boxes) == 14


def recurrent(steps):
    """A cell of two linear layers, which runs several times."""

    class Cell(tg.nn.Module):
        def __init__(self):
            self.before, self.input = (tg.nn.Linear(3, 3, rng=seed) for seed in (0, 1))

        def forward(self, x, h):
            return tg.tanh(self.input(x) + self.before(h))

    class Network(tg.nn.Module):
        def __init__(self):
            self.cell = Cell()

        def forward(self, x):
            h = x[0]
            for k in range(1, steps):
                h = self.cell(x[k], h)
            return h

    x = tg.tensor(np.ones((steps, 3)), requires_grad=True, name="x")
    return Network()(x).sum()


def test_the_entries_of_a_scope_are_boxes_of_their_own_so_that_data_flows_left_to_right():
    figure = viz.draw(recurrent(12))
    place = {shape.key: shape.x for shape in figure.layout.shapes if shape.key}
    joined = [c for c in figure.layout.curves if c.tail and c.style == "forward"]
    assert joined and all(place[c.tail] < place[c.head] for c in joined)
    said = [text for text in texts(figure) if text.startswith("cell")]
    assert said == ["cell", *(f"cell#{k}" for k in range(1, 12))]
    assert texts(figure).count("4 parameters") == 1


def test_parameters_are_shared_by_entries_of_one_scope_alone():
    h = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    W, V = (tg.parameter(np.eye(2), name=name) for name in "WV")
    for k in range(12):
        with tg.scope(f"step{k}"):
            h = tg.tanh(h @ W @ V)
    assert [box.label for box in view_graph(tg.graph(h), 20, [0]).boxes][:4] == [
        "x", "W", "V", "step0",
    ]  # fmt: skip


def test_a_box_says_what_it_holds_scopes_too():
    x = tg.tensor([1.0], requires_grad=True, name="x")
    h = x
    for k in range(20):
        with tg.scope(f"step{k}"):
            h = tg.sin(2 * h) + h
    view = view_graph(tg.graph(h).scopes(), 5, [0])
    (middle,) = (box for box in view.boxes if box.kind == "group")
    assert middle.detail == "17 scopes"
    assert "the middle of a long row is drawn as one box" in view.note


def test_what_no_way_around_a_weight_layer_passes_is_not_red():
    x = tg.tensor(np.ones((2, 4)), requires_grad=True, name="x")
    W = [tg.parameter(np.eye(4), name=f"W_{k}") for k in range(4)]
    stem = x @ W[0]
    h = stem + tg.relu(stem @ W[1])
    figure = viz.draw(tg.graph((h @ W[2] + tg.relu(h @ W[3])).sum()))
    sums = [s.key for s in figure.layout.shapes if s.sign and s.key]
    into_sums = [e for e in edges(figure, "identity") if e.tail in sums]
    assert len(into_sums) == 1


def test_collapsed_edges_keep_their_number():
    x = tg.tensor(np.ones(3), requires_grad=True, name="x")
    with tg.scope("many"):
        y = x * 2 + x * 3 + x * 4
    view = view_graph(tg.graph(y.sum()), 3, [0])
    assert [arrow.times for arrow in view.arrows if arrow.operand == 0] == [3]


def test_paths_of_one_tangled_block_are_shown_in_their_graph():
    x = tg.tensor(np.ones((2, 4)), requires_grad=True, name="x")
    h = x
    for k in range(3):
        h = tg.relu(h @ tg.parameter(np.eye(4), name=f"W_{k}")) + h + x
    unused = tg.parameter(np.ones((2, 4)), name="bias")
    figure = viz.draw(tg.paths((h * x + unused).sum(), x))
    assert any("back to x" in text for text in texts(figure))
    assert any(curve.faded for curve in figure.layout.curves)


def test_source_holds_names_as_text():
    source = viz.draw(net(1)).source
    assert 'label="matmul"' in source and 'label="2×4 float64"' in source
    assert "style=dashed" in source


# Networks whose layers are named by their place


def staged(blocks=2):
    """A stage of residual blocks, each with relu behind its sum."""
    rng = np.random.default_rng(0)
    parts = [
        tg.nn.Residual(
            tg.nn.Sequential(tg.nn.Linear(4, 4, rng=rng), tg.nn.Linear(4, 4, rng=rng)),
            after=tg.nn.ReLU(),
        )
        for _ in range(blocks)
    ]  # fmt: skip
    net = tg.nn.ModuleDict({"layer1": tg.nn.Sequential(*parts)})
    x = tg.tensor(np.ones((2, 4)), requires_grad=True, name="x")
    return net["layer1"](x).sum(), x


def test_at_scope_level_a_block_is_one_frame_that_holds_its_own_sum():
    layout = viz.draw(tg.paths(*staged(), level="scope")).layout
    frames = [shape for shape in layout.shapes if shape.style == "cluster" and shape.title]
    assert sorted(frame.title for frame in frames) == ["0", "1", "branch", "branch", "layer1"]
    sums = [shape for shape in layout.shapes if shape.key and shape.title.startswith("layer1/0 ")]
    block = next(frame for frame in frames if frame.title == "0")
    assert len(sums) == 1 and block.box[0] < sums[0].x < block.box[2]


def test_at_scope_level_a_step_says_what_it_computes_and_how_many_weight_layers():
    shown = texts(viz.draw(tg.paths(*staged(), level="scope")))
    assert shown.count("add") == 2 and shown.count("after") == 2
    assert shown.count("0: linear") == 2 and shown.count("1: linear") == 2
    assert shown.count("1 weight layer") == 4
    assert not any("/" in text or "#" in text for text in shown)


def test_values_by_which_a_scope_is_entered_are_told_apart_in_words():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    with tg.scope("pair"):
        a, b = tg.tanh(x), tg.exp(x)
    shown = texts(viz.draw(tg.paths((a * b).sum(), x, level="scope")))
    assert {"pair, entry 1", "pair, entry 2"} <= set(shown)
    assert any(text.startswith("entry k: ") for text in shown)


def test_a_weight_in_the_frames_of_its_layer_is_called_without_them():
    figure = viz.draw(staged(1)[0])
    shown = texts(figure)
    assert "weight" in shown and "bias" in shown and not any(".weight" in text for text in shown)
    assert any("layer1.0.branch.1.weight" in s.title for s in figure.layout.shapes)


def test_what_is_red_is_no_path_where_no_path_is_weight_free():
    y = tg.tensor(np.ones((2, 4)), requires_grad=True, name="y")
    h = tg.nn.Linear(4, 4, rng=0)(y)
    loss = (h + tg.tanh(tg.nn.Linear(4, 4, rng=1)(h)) * tg.sigmoid(h)).sum()
    shown = texts(viz.draw(loss))
    assert any(text.startswith("0 weight-free paths of") for text in shown)
    assert "a copy, with no weight layer on this stretch" in shown
    assert not any(text.startswith("weight-free") for text in shown)
