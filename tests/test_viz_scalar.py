"""Figures of the scalar level: what they say, that wires keep clear, and that names are text."""

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from viz.layout import Curve, Layout, Shape
from viz.numbers.columns import MOST_IN_COLUMN, MOST_WIRES

HOSTILE = "\"</script><b>\\end{x}#%&~^\n'{" + "字😀" * 9


def net(sizes, act=tg.relu, batch=1, target=None, bias=True, seed=0):
    """Paths through a fully connected net, its weights positive so that every unit is live."""
    rng = np.random.default_rng(seed)
    x = h = tg.tensor(rng.uniform(0.1, 1, (batch, sizes[0])), requires_grad=True, name="y_0")
    ws = []
    for k, shape in enumerate(itertools.pairwise(sizes), start=1):
        ws.append(tg.parameter(rng.uniform(0.1, 1, shape), name=f"w_{k}"))
        h = h @ ws[-1]
        if bias:
            h = h + tg.parameter(np.zeros(shape[1]), name=f"b_{k}")
        h.name = f"x_{k}"
        h = act(h)
        h.name = f"y_{k}"
    if target is None:
        return tg.paths(h.sum(), x, level="scalar")
    return tg.paths(h.sum(), ws[target], level="scalar", at=(0, 0))


def half_dead():
    """A net of 3, 4 and 2 units, of which the second and the fourth hidden unit are dead."""
    rng = np.random.default_rng(1)
    x = tg.tensor(np.ones((1, 3)), requires_grad=True, name="x")
    sign = np.array([1.0, -1.0, 1.0, -1.0])
    hidden = tg.relu(x @ tg.parameter(rng.uniform(0.1, 1, (3, 4)) * sign, name="W_1"))
    loss = (hidden @ tg.parameter(rng.uniform(0.1, 1, (4, 2)), name="W_2")).sum()
    return tg.paths(loss, x, level="scalar")


def residual(blocks=2, width=3):
    rng = np.random.default_rng(blocks)
    x = h = tg.tensor(rng.uniform(0.1, 1, (1, width)), requires_grad=True, name="x")
    for k in range(blocks):
        h = h + tg.relu(h @ tg.parameter(rng.uniform(0.1, 1, (width, width)), name=f"W_{k + 1}"))
    return tg.paths(h.sum(), x, level="scalar")


def chain_rule():
    x = tg.tensor(0.7, requires_grad=True, name="x")
    m, n = x**2 + 1, tg.sin(x)
    m.name, n.name = "m", "n"
    total = m * n
    total.name = "F"
    return tg.paths(total, x)


def attention():
    x = tg.tensor(np.arange(4.0).reshape(2, 2) / 4, requires_grad=True, name="x")
    return tg.paths((tg.softmax(x @ x.T) @ x).sum(), x, level="scalar")


def hostile():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name=HOSTILE)
    with tg.scope(HOSTILE):
        h = tg.tanh(x @ tg.parameter(np.eye(2), name="digraph { node }"))
    h.name = "W" * 300
    loss = h.sum()
    loss.name = HOSTILE
    return tg.paths(loss, x, level="scalar")


def everything():
    w = tg.parameter(np.ones((2, 2)), name="W_1")
    b = tg.parameter(np.zeros(2), name="b")
    return tg.graph((tg.tanh(np.array([[1.0, 2.0]]) @ w + b)).sum()).scalar()


def cube():
    x = tg.tensor(2.0, requires_grad=True, name="x")
    return tg.paths(x * x * x, x)


CASES = {
    "3-4-2": half_dead,
    "one path": lambda: half_dead()[0],
    "last weight": lambda: net((4, 4, 4), target=1),
    "weight before": lambda: net((4, 4, 4), target=0),
    "dense": lambda: net((4, 5, 5, 4)),
    "batch": lambda: net((2, 2, 1), batch=2),
    "wide": lambda: net((64, 40, 10)),
    "residual": residual,
    "chosen residual": lambda: residual().weight_free()[0],
    "one wide": lambda: residual(1, 1),
    "chain rule": chain_rule,
    "cube": cube,
    "attention": attention,
    "hostile": hostile,
    "graph": lambda: tg.graph(net((2, 2, 1)).graph.taken_from).scalar(),
    "graph without inputs": everything,
}


@pytest.fixture(scope="module", params=CASES)
def layout(request) -> Layout:
    return viz.draw(CASES[request.param]()).layout


def texts(figure):
    return ["".join(run for run, _ in label.runs) for label in figure.layout.labels]


def wires(figure, style=None):
    """The gradient's arrows."""
    return [
        curve for curve in figure.layout.curves
        if curve.tail and curve.style != "forward" and style in (None, curve.style)
    ]  # fmt: skip


def numbers(layout):
    return {shape.key: shape for shape in layout.shapes if shape.key}


def overlap(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[1], b[1]) > 0.5


def along(curve: Curve):
    """Points of a line or a cubic spline, close together."""
    if not curve.smooth:
        pieces = [(a, a, b, b) for a, b in itertools.pairwise(curve.points)]
    else:
        pieces = [curve.points[i : i + 4] for i in range(0, len(curve.points) - 1, 3)]
    for piece in pieces:
        for t in np.linspace(0, 1, 40):
            weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
            yield tuple(sum(w * p[i] for w, p in zip(weights, piece, strict=True)) for i in (0, 1))


def crossings(layout):
    """Wires with a number on their way that is none of their ends."""
    shapes = numbers(layout)
    found = []
    for curve in (curve for curve in layout.curves if curve.tail):
        points = list(along(curve))
        for key, shape in shapes.items():
            if key not in (curve.tail, curve.head) and any(
                np.hypot(x - shape.x, y - shape.y) < shape.width / 2 - 0.5 for x, y in points
            ):
                found.append((curve.tail, curve.head, key))
    return found


# Nothing collides


def test_no_two_labels_overlap_and_nothing_leaves_the_picture(layout):
    collisions = [
        (a.text, b.text)
        for a, b in itertools.combinations(layout.labels, 2)
        if overlap(a.box, b.box)
    ]
    assert collisions == []
    for item in layout.items:
        left, top, right, bottom = item.box
        assert left >= 0 and top >= 0 and right <= layout.width and bottom <= layout.height


def test_no_wire_crosses_a_number_that_is_none_of_its_ends(layout):
    assert crossings(layout) == []


def test_labels_keep_clear_of_numbers_but_those_inside_a_circle(layout):
    for label, shape in itertools.product(layout.labels, numbers(layout).values()):
        inside = abs(label.x - shape.x) < 1 and abs(label.y - shape.y) < 6
        assert inside or not overlap(label.box, shape.box), (label.text, shape.title)


def test_gradient_arrows_point_left_and_forward_arrows_right(layout):
    for curve in (curve for curve in layout.curves if curve.tail):
        assert (curve.points[-1][0] > curve.points[0][0]) == (curve.style == "forward")


def test_a_planted_crossing_is_found():
    ends = [Shape("circle", x, 0.0, 32, 32, "value", key=str(x)) for x in (0, 100, 200)]
    line = Curve(((16.0, 0.0), (184.0, 0.0)), "plain", tail="0", head="200")
    assert crossings(Layout(300, 100, (*ends, line), "", "")) == [("0", "200", "100")]


# The network


def test_a_column_for_each_tensor_and_a_circle_for_each_number():
    layout = viz.draw(half_dead()).layout
    columns = [round(shape.x) for shape in numbers(layout).values()]
    assert [columns.count(x) for x in sorted(set(columns))] == [3, 4, 4, 2, 1]


def test_a_bias_has_no_column_of_its_own():
    drawn = [len(numbers(viz.draw(net((2, 3, 1), bias=b)).layout)) for b in (True, False)]
    assert drawn[0] == drawn[1]


def test_the_title_tells_the_level_and_the_counts():
    shown = texts(viz.draw(half_dead()))
    assert "12 of 24 paths are active" in shown and "gradient paths from L back to x" in shown
    assert any("scalar level" in t and "active: no derivative on the way is 0" in t for t in shown)
    figure = viz.draw(residual())
    assert "3 weight-free paths of 48" in texts(figure)
    assert any("all paths are active" in text for text in texts(figure))
    assert figure.layout.title == "Gradient paths (scalar level): 3 weight-free paths of 48"


def test_weight_edges_name_the_element_and_its_value():
    paths = half_dead()
    shown = texts(viz.draw(paths))
    active = {edge.index for path in paths.active() for edge in path.edges}
    edge = next(e for e in paths.edges if e.label == "W_2" and e.index in active)
    row, column = (
        paths.graph.nodes[edge.target].element[1],
        paths.graph.nodes[edge.source].element[1],
    )
    assert f"W2;{row + 1}{column + 1} = {viz.text.value(edge.derivative)}" in shown
    labels = [text for text in shown if re.fullmatch(r"W[12];\d\d = .*", text)]
    assert len(labels) == len(set(labels)) == 10


def test_in_a_dense_layer_no_weight_is_written_on_a_wire_of_another():
    layout = viz.draw(net((4, 4, 4, 1), bias=False)).layout
    weights = [curve for curve in layout.curves if curve.style == "weight" and curve.head]
    labels = [
        label for label in layout.labels if label.text.startswith("w_1;") and "=" in label.text
    ]
    assert len(labels) == 16
    for label in labels:
        left, top, right, bottom = label.box
        crossing = {
            (curve.tail, curve.head) for curve in weights for x, y in sampled(curve)
            if left < x < right and top + 1 < y < bottom - 1
        }  # fmt: skip
        assert len(crossing) == 1, label.text


def sampled(curve, per_piece=40):
    """Points all along a curve."""
    step = 3 if curve.smooth else 1
    for i in range(0, len(curve.points) - 1, step):
        corners = np.array(curve.points[i : i + step + 1])
        for t in np.linspace(0, 1, per_piece):
            points = corners
            while len(points) > 1:
                points = (1 - t) * points[:-1] + t * points[1:]
            yield tuple(points[0])


def test_a_transposed_weight_is_called_by_its_own_index():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    w = tg.parameter(np.array([[1.5, 2.5], [3.5, 4.5], [5.5, 6.5]]), name="W")
    shown = texts(viz.draw(tg.paths((x @ w.T).sum(), x, level="scalar")))
    assert {"W31 = 5.50", "W12 = 2.50"} <= set(shown)


def test_a_factor_that_is_drawn_goes_by_its_own_symbol():
    shown = texts(viz.draw(attention()))
    assert sum(bool(re.fullmatch(r"v3;\d\d = 0\.\d+", text)) for text in shown) == 8
    assert not any("softmax(" in text for text in shown)


def test_dead_units_are_faded_and_their_zero_is_marked():
    figure = viz.draw(half_dead())
    activations = wires(figure, "activation")
    assert sum(curve.faded for curve in activations if curve.head) == 2
    assert texts(figure).count("0") == 2 and "a derivative of 0" in texts(figure)
    assert sum(curve.style == "cross" for curve in figure.layout.curves) == 2 * (2 + 1)
    faded = [shape for shape in numbers(figure.layout).values() if shape.faded]
    assert len(faded) == 4


def test_where_no_path_is_active_nothing_is_faded():
    x = tg.tensor(np.full((1, 2), -1.0), requires_grad=True, name="x")
    figure = viz.draw(tg.paths(tg.relu(x @ tg.parameter(np.eye(2))).sum(), x, level="scalar"))
    assert not any(curve.faded for curve in wires(figure))
    assert "0 of 4 paths are active" in texts(figure)


def test_the_weight_free_route_lies_above_everything_and_is_red():
    figure = viz.draw(residual())
    shapes = numbers(figure.layout)
    red = wires(figure, "identity")
    assert len(red) == 9  # two shortcuts of three numbers, and the sum
    arcs = [curve for curve in red if curve.smooth]
    crossed = min(shape.box[1] for shape in shapes.values())
    assert len(arcs) == 6
    assert all(min(y for _, y in along(curve)) < crossed - 10 for curve in arcs)


def test_without_a_weight_nothing_is_called_weight_free():
    figure = viz.draw(cube())
    assert not wires(figure, "identity")
    assert not any("weight-free" in text for text in texts(figure))


def test_parallel_edges_are_apart():
    first, second = [
        curve for curve in wires(viz.draw(cube()))
        if (curve.tail, curve.head) == ("number 1", "number 0")
    ]  # fmt: skip
    gap = max(abs(a[1] - b[1]) for a, b in zip(along(first), along(second), strict=True))
    assert gap > 12


# One path


def test_one_path_is_drawn_in_full_with_its_product_and_weight_layers():
    path = half_dead()[3]
    figure = viz.draw(path)
    full = [curve for curve in wires(figure) if not curve.faded]
    assert len(full) == len(path.edges)
    assert sum(not shape.faded for shape in numbers(figure.layout).values()) == len(path.nodes)
    shown = texts(figure)
    assert viz.text.value(path.product()) in shown and "weight layers crossed" in shown
    assert any("one is drawn in full, through 2 weight layers" in text for text in shown)


def test_a_set_narrowed_by_degree_fades_the_other_edges():
    figure = viz.draw(residual(1).weight_free())
    assert {curve.style for curve in wires(figure) if not curve.faded} == {"identity"}
    assert len(wires(figure, "weight")) == 9


# Junctions: a weight, its operand, their sum


@pytest.mark.parametrize(("target", "count"), [(1, 1), (0, 4)], ids=["last", "before"])
def test_a_weight_has_one_route_from_the_last_layer_and_four_from_the_one_before(target, count):
    paths = net((4, 4, 4), target=target)
    figure = viz.draw(paths)
    shown = texts(figure)
    assert paths.count() == count
    assert {1: "1 path", 4: "0 weight-free paths of 4"}[count] in shown
    assert sum(text.startswith("relu′") for text in shown) == count
    assert sum(text.startswith("dL/dw") for text in shown) == 1
    lines = [text for text in shown if text.startswith("= ")]
    assert lines[-1].endswith(f" = {viz.text.value(paths.gradient())}")
    assert shown.count("chain rule") == shown.count("what each edge carries") == 1


def test_the_junction_says_dx_dw_is_y_and_dx_dy_is_w():
    paths = net((4, 4, 4), target=1)
    w = paths.inputs[0].tensor.numpy()[0, 0]
    (edge,) = (edge for edge in paths.edges if edge.target == paths.inputs[0].index)
    shown = texts(viz.draw(paths))
    assert f"∂x2;1/∂w2;11 = y1;1 = {viz.text.value(edge.derivative)}" in shown
    assert f"∂x2;1/∂y1;1 = w2;11 = {viz.text.value(float(w))}" in shown


def test_the_operand_of_a_weight_stands_beside_the_paths():
    figure = viz.draw(net((4, 4, 4), target=1))
    (beside,) = (shape for shape in numbers(figure.layout).values() if shape.key == "number -1")
    assert beside.x < min(s.x for s in numbers(figure.layout).values() if s is not beside)


# The chain rule


def test_the_chain_rule_has_two_routes_four_derivatives_and_its_formula():
    paths = chain_rule()
    figure = viz.draw(paths)
    shown = texts(figure)
    assert len(wires(figure)) == 4
    assert {"∂F/∂m · ∂m/∂x", "∂F/∂n · ∂n/∂x"} <= set(shown)
    labels = [text for text in shown if re.fullmatch(r"∂\w/∂\w = .*", text)]
    assert sorted(label[:5] for label in labels) == ["∂F/∂m", "∂F/∂n", "∂m/∂x", "∂n/∂x"]
    value = viz.text.value(float(paths.gradient()))
    assert "dF/dx" in shown and "= ∂F/∂m · ∂m/∂x + ∂F/∂n · ∂n/∂x" in shown
    assert any(text.startswith("= ") and text.endswith(f" = {value}") for text in shown)
    assert any("tensor level: every array holds one number" in text for text in shown)


def test_one_of_its_routes_is_drawn_in_full():
    figure = viz.draw(chain_rule()[0])
    assert [curve.faded for curve in wires(figure)].count(True) == 2


def test_single_numbers_without_a_record_are_drawn_as_their_graph():
    whole = tg.from_json(tg.graph(chain_rule().graph.taken_from).to_json())
    assert any("tensor level" in text for text in texts(viz.draw(tg.paths(whole, "x"))))


# Many numbers


def test_long_columns_show_their_first_numbers_and_say_how_many_more():
    figure = viz.draw(net((64, 40, 10)))
    columns = [round(shape.x) for shape in numbers(figure.layout).values()]
    assert 8 < max(map(columns.count, columns)) <= MOST_IN_COLUMN
    shown = texts(figure)
    assert "… 54 more" in shown
    assert any("of long columns the first numbers are drawn" in text for text in shown)


def test_where_there_are_many_columns_they_are_shortened_further():
    figure = viz.draw(net((20,) * 6))
    assert 150 < len(wires(figure)) <= MOST_WIRES


def test_a_chosen_path_is_drawn_whatever_column_it_takes():
    path = net((64, 40, 10), bias=False)[-1]
    figure = viz.draw(path)
    assert sum(not curve.faded for curve in wires(figure)) == len(path.edges)


def test_too_many_numbers_give_the_tensor_level_and_say_so():
    paths = net((200, 201, 1))
    shown = texts(viz.draw(paths))
    assert any("too many numbers to draw" in text and "tensor level" in text for text in shown)
    assert "1 path" in shown
    assert any("too many numbers to draw" in text for text in texts(viz.draw(paths.graph)))
    deep = texts(viz.draw(residual(20, 2)))
    assert any("tensor level" in text for text in deep)


# Every figure tells its level


def test_chains_graphs_and_scopes_tell_their_level():
    x = tg.tensor(np.ones((2, 2)), requires_grad=True, name="x")
    h = x
    for k in range(2):
        with tg.scope(f"block{k}"):
            inner = tg.relu(h @ tg.parameter(np.eye(2))) @ tg.parameter(np.eye(2))
        h = h + inner
    loss = h.sum()
    assert any("tensor level" in text for text in texts(viz.draw(tg.paths(loss, x))))
    assert "tensor level" in viz.draw(loss).layout.title
    scopes = viz.draw(tg.paths(loss, x, level="scope"))
    assert scopes.layout.title == "Gradient paths (scope level): 1 weight-free path of 4"
    assert texts(scopes).count("2 weight layers") == 2
    assert any(text.startswith("scope level") for text in texts(scopes))
    assert "scope level" in viz.draw(tg.graph(loss).scopes()).layout.title


@pytest.mark.parametrize(
    "paths", [residual, lambda: net((2, 2), target=0)], ids=["array", "number"]
)
def test_plots_of_the_scalar_level_have_its_norms_and_tell_it(paths):
    found = paths()
    plot = viz.plot_paths(found)
    parts = found.gradient_by("weight")
    assert plot.norms == pytest.approx({k: np.linalg.norm(g) for k, g in parts.items()})
    assert "scalar level" in plot.description
    assert "scalar level" in repr(plot)


# Corners


def test_a_cotangent_is_the_first_factor():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    y = x @ tg.parameter(np.array([[1.5, 2.5], [3.5, 4.5]]), name="W")
    paths = tg.paths(y, x, level="scalar", cotangent=np.array([[2.0, -1.0]]))
    shown = texts(viz.draw(paths))
    assert {"g1 · W11", "g2 · W22", "(−1) · 4.50"} <= set(shown)
    assert "gk: the cotangent of the output′s number k".replace("′", "'") in shown


def test_without_a_cotangent_there_are_rows_without_values():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    y = x @ tg.parameter(np.eye(2) + 1, name="W")
    shown = texts(viz.draw(tg.paths(y, x, level="scalar")))
    assert "0 weight-free paths of 4" in shown
    assert any(text.startswith("scalar level") and "active" not in text for text in shown)
    assert "g1 · W11" in shown


def test_a_path_of_no_edges_is_one_number():
    x = tg.tensor(1.0, requires_grad=True, name="x")
    figure = viz.draw(tg.paths(x, x, level="scalar"))
    assert len(numbers(figure.layout)) == 1


def test_an_empty_set_says_no_path():
    x = tg.tensor([1.0], requires_grad=True)
    other = tg.tensor([1.0], requires_grad=True)
    assert "no path" in texts(viz.draw(tg.paths((x * x).sum(), other, level="scalar")))


def test_a_graph_without_a_record_is_drawn_by_name_and_depth():
    whole = tg.from_json(half_dead().graph.to_json())
    figure = viz.draw(tg.paths(whole, "x", level="scalar"))
    assert "12 of 24 paths are active" in texts(figure)
    assert sum(bool(shape.sign) for shape in numbers(figure.layout).values()) == 1
    assert crossings(figure.layout) == []


@pytest.mark.parametrize("name", ["3-4-2", "residual", "weight before", "wide"])
def test_the_same_input_gives_the_same_bytes(name):
    one, two = (viz.draw(CASES[name]()) for _ in range(2))
    assert one.svg == two.svg
    assert one.source == two.source


def test_hostile_names_are_text_in_every_format(tmp_path):
    figure = viz.draw(hostile())
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(figure.svg).iter()}
    shapes = {"rect", "circle", "path", "g", "text", "tspan", "defs", "use"}
    assert tags <= {"svg", "title", "desc", "style"} | shapes
    for ending in ("svg", "png", "pdf", "dot", "html", "tex"):
        assert figure.save(tmp_path / f"a.{ending}").stat().st_size > 1000


def test_the_description_lists_few_products():
    description = viz.draw(chain_rule()).layout.description
    assert "∂F/∂m · ∂m/∂x = 0.902." in description
    assert "gradient paths from F back to x" in description


def test_numbers_of_a_weight_free_row_are_bold_and_keep_clear_of_their_product():
    x = tg.tensor(1.125, requires_grad=True, name="x")
    W = tg.parameter(2.0, name="W")
    h = x + tg.matmul(x.reshape(1, 1), W.reshape(1, 1)).sum()
    for k in range(7):
        h = h * (0.1123 + k)
    layout = viz.draw(next(iter(tg.paths(h, x, level="scalar").weight_free()))).layout
    bold = [
        label for label in layout.labels if label.style == "text identity" and label.size == 12.5
    ]
    assert [label.text for label in bold if "·" in label.text]
    for one, other in itertools.combinations(bold, 2):
        assert one.box[2] < other.box[0] or other.box[2] < one.box[0] or one.y != other.y


def test_wires_between_a_column_and_their_lanes_climb_side_by_side():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    loss = (tg.tanh(tg.sin(tg.exp(x))) * x).sum()
    figure = viz.draw(tg.paths(loss, x, level="scalar"))
    lanes = [
        c for c in figure.layout.curves if c.tail and c.style == "plain" and len(c.points) > 12
    ]
    assert len(lanes) == 6
    uprights = [
        sorted({a for (a, y), (b, v) in itertools.pairwise(c.points) if a == b and abs(v - y) > 8})
        for c in lanes
    ]
    for side in zip(*uprights, strict=True):
        assert min(b - a for a, b in itertools.pairwise(sorted(side))) >= 8


def test_a_column_whose_wires_leave_for_lanes_says_its_operation():
    x = tg.tensor(np.full((2, 3), 0.5), requires_grad=True, name="x")
    y = tg.sigmoid(x)
    figure = viz.draw(tg.paths((tg.tanh(tg.sin(y)) * y).sum(), x, level="scalar"))
    assert any("sigmoid" in label.text for label in figure.layout.labels)


def test_numbers_whose_symbol_does_not_fit_are_told_from_values():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="hidden")
    w = tg.parameter(np.ones((2, 2)), name="w")
    shown = texts(viz.draw(tg.paths(tg.relu(x @ w).sum(), x, level="scalar")))
    assert {"#1", "#2", "#k: element k of what stands over its column"} <= set(shown)
    assert "2" not in shown
    short = texts(viz.draw(tg.paths(tg.relu(x @ w).sum(), w, level="scalar")))
    assert any(text.startswith("w") for text in short)


def test_a_heading_keeps_the_names_of_operations_whole():
    x = tg.tensor(np.ones((1, 3)), requires_grad=True, name="x")
    y = tg.reshape((x @ tg.parameter(np.eye(3), name="w"))[:, ::-1], (3,))
    shown = texts(viz.draw(tg.paths(y.sum(), x, level="scalar")))
    headings = [text for text in shown if ": matmul" in text]
    assert headings and all(text.endswith(("matmul", "…")) for text in headings)
    assert not any("…" in text and not text.endswith("…") for text in headings)
