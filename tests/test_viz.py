"""The figures of chains: what they say, where it stands, and that nothing collides."""

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError, GraphError
from viz.chains.chain import read_chain
from viz.highlight import PLAIN
from viz.layout import Label, Layout


def weights(rng, *shape, name):
    return tg.parameter(rng.standard_normal(shape) * 0.3, name=name)


def residual_net(blocks, width=6):
    rng = np.random.default_rng(blocks)
    x = tg.tensor(rng.standard_normal((3, width)), requires_grad=True, name="x")
    h = x
    for k in range(blocks):
        inner = tg.relu(h @ weights(rng, width, width, name=f"W_{2 * k + 1}"))
        h = h + inner @ weights(rng, width, width, name=f"W_{2 * k + 2}")
    return x, h.sum()


def residual_paths(blocks):
    x, loss = residual_net(blocks)
    return tg.paths(loss, x)


def plain_paths(layers):
    rng = np.random.default_rng(layers)
    x = tg.tensor(rng.standard_normal((3, 6)), requires_grad=True, name="x")
    h = x
    for k in range(layers):
        h = tg.tanh(h @ weights(rng, 6, 6, name=f"W_{k + 1}"))
    return tg.paths(h.sum(), x)


def convolutional_paths(window=False):
    """Three blocks, the second with a 1x1 projection, between a stem and a classifier."""
    rng = np.random.default_rng(0)

    def layer(h, size, name, inputs, outputs, stride=1):
        kernel = weights(rng, outputs, inputs, size, size, name=name)
        h = tg.conv2d(h, kernel, padding=size // 2, stride=stride)
        scale = tg.parameter(np.ones(outputs), name=f"gamma_{name}")
        return tg.batch_norm(h, scale, tg.parameter(np.zeros(outputs), name=f"beta_{name}"))

    image = tg.tensor(rng.standard_normal((2, 3, 8, 8)), requires_grad=True, name="image")
    h = first = tg.relu(layer(image, 3, "K_0", 3, 4))
    for k, (inputs, outputs) in enumerate([(4, 4), (4, 8), (8, 8)], start=1):
        stride = outputs // inputs
        inner = tg.relu(layer(h, 3, f"K_{2 * k - 1}", inputs, outputs, stride))
        inner = layer(inner, 3, f"K_{2 * k}", outputs, outputs)
        wide = outputs != inputs
        h = inner + (layer(h, 1, "proj", inputs, outputs, stride) if wide else h)
    loss = (h.mean(axis=(2, 3)) @ weights(rng, 8, 5, name="W_fc")).sum()
    return tg.paths(loss, image, start=h, end=first) if window else tg.paths(loss, image)


def many_ways():
    """Two blocks of five ways, more than are drawn one by one."""
    rng = np.random.default_rng(0)

    def inner(h):
        return h + tg.relu(h @ weights(rng, 3, 3, name="V"))

    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h = tg.tanh(x + inner(inner(x)))
    return tg.paths((h + inner(inner(h))).sum(), x)


def three_ways():
    rng = np.random.default_rng(3)
    x = tg.tensor(rng.standard_normal((3, 6)), requires_grad=True, name="x")
    short = tg.relu(x @ weights(rng, 6, 6, name="A_1"))
    long = tg.relu(x @ weights(rng, 6, 6, name="A_2")) @ weights(rng, 6, 6, name="A_3")
    return tg.paths((x + short + tg.sigmoid(long)).sum(), x)


CHAINS = {
    **{f"{n} blocks": lambda n=n: residual_paths(n) for n in (1, 2, 3, 4, 5, 9, 50)},
    "plain": lambda: plain_paths(3),
    "deep plain": lambda: plain_paths(40),
    "projection": convolutional_paths,
    "window": lambda: convolutional_paths(window=True),
    "many ways": many_ways,
    "three ways": three_ways,
    "chosen": lambda: residual_paths(3).with_degree("weight", 2),
    "weight-free": lambda: residual_paths(3).weight_free(),
}


def texts(figure):
    return ["".join(run for run, _ in label.runs) for label in figure.layout.labels]


def overlap(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[1], b[1]) > 0.5


def collisions(layout: Layout):
    return [
        (a.text, b.text)
        for a, b in itertools.combinations(layout.labels, 2)
        if overlap(a.box, b.box)
    ]


def outside(layout: Layout):
    return [
        item
        for item in layout.items
        if item.box[0] < 0
        or item.box[1] < 0
        or item.box[2] > layout.width
        or item.box[3] > layout.height
    ]


# Nothing collides, nothing is clipped


@pytest.mark.parametrize("name", CHAINS)
def test_no_two_labels_overlap_and_nothing_leaves_the_canvas(name):
    layout = viz.draw(CHAINS[name]()).layout
    assert collisions(layout) == []
    assert outside(layout) == []


@pytest.mark.parametrize("name", CHAINS)
def test_labels_keep_clear_of_squares_and_sums(name):
    layout = viz.draw(CHAINS[name]()).layout
    marks = [shape for shape in layout.shapes if shape.style == "square" or shape.sign]
    struck = [
        (label.text, m) for label in layout.labels for m in marks if overlap(label.box, m.box)
    ]
    assert struck == []


def test_a_planted_overlap_is_found():
    label = Label((("W", ""),), 10.0, 10.0)
    layout = Layout(40.0, 40.0, (label, label.moved(2.0, 0.0)), "", "")
    assert collisions(layout) == [("W", "W")]


# What the figure says


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("1 blocks", "1 weight-free path of 2"),
        ("3 blocks", "1 weight-free path of 8"),
        ("9 blocks", "1 weight-free path of 512"),
        ("50 blocks", "1 weight-free path of 1\u2009125\u2009899\u2009906\u2009842\u2009624"),
        ("plain", "1 path"),
        ("plain", "gradient path from L back to x, through 3 weight layers"),
        ("projection", "0 weight-free paths of 8"),
        ("chosen", "0 weight-free paths of 3"),
        ("weight-free", "1 weight-free path of 1"),
    ],
)
def test_the_count_stands_in_the_figure(name, count):
    assert count in texts(viz.draw(CHAINS[name]()))


def test_both_directions_are_in_the_legend():
    shown = texts(viz.draw(residual_paths(2)))
    assert "forward pass, left to right" in shown
    assert "gradient, right to left, by what it passes:" in shown


@pytest.mark.parametrize("name", ["2 blocks", "three ways", "plain", "9 blocks"])
def test_every_line_in_the_legend_is_one_that_the_figure_has(name):
    layout = viz.draw(CHAINS[name]()).layout
    above = min(label.y for label in layout.labels if label.text.startswith("forward pass"))
    figure = {curve.style for curve in layout.curves if curve.points[0][1] < above - 8}
    legend = {curve.style for curve in layout.curves if curve.points[0][1] >= above - 8}
    assert legend == figure - {"rule", "axis", "stem", "leader", "area"}


def test_numbered_branches_are_explained():
    shown = texts(viz.draw(three_ways()))
    assert {"J1,1", "J1,2"} <= set(shown)
    assert any(text.startswith("Jk,i: derivative of branch i") for text in shown)


def test_gradient_arrows_point_left_and_forward_arrows_right():
    layout = viz.draw(residual_paths(2)).layout
    arrows = [curve for curve in layout.curves if curve.arrow and curve.points[0][1] < 240]
    assert {curve.style for curve in arrows} >= {"forward", "identity", "weight", "activation"}
    for curve in arrows:
        goes_right = curve.points[-1][0] > curve.points[0][0]
        assert goes_right == (curve.style == "forward")


def test_each_path_has_a_row_with_its_product_sorted_by_weight_layers():
    shown = texts(viz.draw(residual_paths(3)))
    products = [text for text in shown if re.fullmatch(r"[IJ]\d?( · [IJ]\d?){2}", text)]
    assert len(products) == len(set(products)) == 8
    crossed = [2 * text.count("J") for text in products]
    assert crossed == sorted(crossed)
    assert products[1:4] == ["I · I · J1", "I · J2 · I", "J3 · I · I"]


def test_the_row_of_a_chosen_path_alone_stands_out():
    labels = viz.draw(residual_paths(3)[5]).layout.labels
    rows = [label for label in labels if label.text.count("·") == 2]
    assert len(rows) == 8 and [label.faded for label in rows].count(False) == 1


def test_rows_give_way_to_histograms_where_there_are_many_paths():
    x = h = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    for k in range(3):
        V, W = (tg.parameter(np.eye(3), name=f"{c}_{k}") for c in "VW")
        h = h + tg.tanh(h @ V) + tg.relu(h @ W)
    shown = texts(viz.draw(tg.paths(h.sum(), x)))
    assert "number of paths, exact (log scale)" in shown and not any("row" in s for s in shown)


def test_row_norms_are_those_of_the_paths():
    paths = residual_paths(2)
    shown = texts(viz.draw(paths))
    for path in paths:
        assert viz.text.value(float(np.linalg.norm(path.product()))) in shown
    assert viz.text.value(float(np.linalg.norm(paths.gradient()))) in shown


def test_the_figure_says_what_it_is_exact_for():
    assert any(
        text.startswith("exact for gradients at the recorded activations")
        for text in texts(viz.draw(residual_paths(2)))
    )


def test_the_red_arcs_lie_above_the_axis_and_are_the_thickest_lines():
    layout = viz.draw(residual_paths(3)).layout
    axis = next(shape.y for shape in layout.shapes if shape.key == "input")
    arcs = [c for c in layout.curves if c.style == "identity" and c.smooth]
    assert len(arcs) == 3
    assert all(y < axis for arc in arcs for _, y in arc.points)
    widths = {curve.style: viz.style.STYLES[curve.style].width for curve in layout.curves}
    assert widths["identity"] == max(widths.values())


def test_a_plain_chain_has_nothing_red():
    layout = viz.draw(plain_paths(3)).layout
    assert not {"identity", "text identity"} & {item.style for item in layout.items}


def test_a_projection_is_a_dashed_arc_with_a_square_and_breaks_the_red_line():
    layout = viz.draw(convolutional_paths()).layout
    axis = next(shape.y for shape in layout.shapes if shape.key == "input")
    above = [s for s in layout.shapes if s.style == "square" and s.y < axis - 20]
    assert [square.title.split()[0] for square in above] == ["proj"]
    arcs = [c for c in layout.curves if c.smooth and c.style == "identity"]
    assert len(arcs) == 2


def test_a_window_is_stated():
    shown = texts(viz.draw(convolutional_paths(window=True)))
    stated = [text for text in shown if "weight layers counted from" in text]
    assert len(stated) == 1
    assert "the end of block 3 back to the start of block 1" in stated[0]


def test_weight_layers_outside_the_window_are_grey_squares_and_the_legend_says_so():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    values = [x]
    for k in range(4):
        values.append(tg.tanh(values[-1] @ tg.parameter(np.eye(3), name=f"W_{k}")))
    figure = viz.draw(tg.paths(values[-1].sum(), x, start=values[3], end=values[1]))
    squares = [s for s in figure.layout.shapes if s.style.startswith("square") and s.title]
    assert [s.style for s in squares] == [
        "square uncounted",
        "square",
        "square",
        "square uncounted",
    ]
    assert "weight layer outside the counted stretch" in texts(figure)


def test_branches_list_their_own_layers():
    shown = texts(viz.draw(three_ways()))
    assert {"A1", "A2", "A3", "sigmoid′"} <= set(shown)


def test_a_way_through_a_sum_of_all_numbers_is_no_identity():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    (block,) = read_chain(tg.paths((x + x.sum()) * 2.0, x, cotangent=np.ones((2, 3)))).blocks
    assert [lane.is_identity for lane in block.lanes] == [True, False]


def test_a_way_carries_the_flow_of_an_edge_that_no_other_way_takes():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h = tg.tanh(x @ tg.parameter(np.eye(3), name="A"))
    paths = tg.paths((x + h + tg.relu(h @ tg.parameter(np.eye(3), name="B"))).sum(), x)
    flows = {edge.index: float(edge.index) for edge in paths.edges}
    (block,) = read_chain(paths, emphasis=PLAIN._replace(flows=flows)).blocks
    taken = Counter(edge for lane in block.lanes for edge in lane.edges)
    assert [taken[lane.flow] for lane in block.lanes] == [1, 1, 1]
    assert all(lane.flow in lane.edges for lane in block.lanes)


def test_a_long_way_counts_the_layers_that_it_leaves_out():
    shown = texts(viz.draw(plain_paths(40)))
    assert "… 34 more weight layers …" in shown
    assert {"W3", "W38"} <= set(shown) and not {"W4", "W37"} & set(shown)


def folded(between, shortcut=lambda h: h):
    """The words of six blocks, of which three are drawn as one, with something behind each."""
    x = h = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    for k in range(6):
        h = between(shortcut(h) + tg.tanh(h @ tg.parameter(np.eye(3), name=f"W_{k}")), k)
    return set(texts(viz.draw(tg.paths(h.sum(), x))))


def test_a_fold_says_what_is_between_its_blocks():
    assert "blocks 3 … 5 with relu between" in folded(lambda h, _: tg.relu(h))
    mixed = folded(lambda h, k: tg.relu(h) if k % 2 else tg.sigmoid(h))
    assert "blocks 3 … 5 with more between" in mixed
    layers = folded(lambda h, _: h @ tg.parameter(np.eye(3), name="T"))
    assert {"blocks 3 … 5 with weight layers between", "at least 2 weight layers"} <= layers
    assert not any("weight-free way" in words or words == "weight-free" for words in layers)


def test_a_fold_says_which_shortcuts_move_numbers_and_how():
    turned = folded(lambda h, _: h, shortcut=lambda h: h[:, ::-1])
    assert "3 of 3 shortcuts copy by getitem" in turned
    assert not any("copy" in words for words in folded(lambda h, _: h))


def gated_paths(blocks, exclusive):
    """Blocks with a gate on the shortcut; exclusive ones have it on the branch as well."""
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.standard_normal((2, 4)), requires_grad=True, name="x")
    for k in range(blocks):
        branch = tg.relu(h @ weights(rng, 4, 4, name="V")) @ weights(rng, 4, 4, name="W")
        gate = tg.sigmoid(h @ weights(rng, 4, 4, name="G"))
        h = (gate * branch if exclusive(k) else branch) + (1 - gate) * h
    return tg.paths(h.sum(), x)


def test_a_fold_of_gated_blocks_tells_their_ways_and_that_they_differ():
    ways = "ways 1 + 2z + z²: one without a weight layer, two through one, one through two"
    mixed = texts(viz.draw(gated_paths(6, lambda k: k % 2 == 0)))
    assert {"3 blocks of 2 kinds", "ways: 2 × (1 + 2z + z²), (1 + z + z²)", ways} <= set(mixed)
    alike = texts(viz.draw(gated_paths(6, lambda _: False)))
    assert {"× 3", "ways: 3 × (1 + z + z²)"} <= set(alike)
    plain = texts(viz.draw(residual_paths(6)))
    assert "× 3" in plain and not any(words.startswith("ways") for words in plain)


def test_a_fold_of_branches_of_one_and_of_two_layers_says_that_they_differ():
    x = h = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    for k in range(6):
        inner = tg.tanh(h @ tg.parameter(np.eye(3), name=f"V_{k}"))
        h = h + (inner @ tg.parameter(np.eye(3), name=f"W_{k}") if k % 2 else inner)
    shown = texts(viz.draw(tg.paths(h.sum(), x)))
    assert {"3 blocks of 2 kinds", "ways: 2 × (1 + z), (1 + z²)"} <= set(shown)


def test_five_blocks_are_drawn_one_by_one():
    figure = viz.draw(residual_paths(5))
    shown = texts(figure)
    assert {f"J{k}" for k in range(1, 6)} <= set(shown) and shown.count("I") == 5
    assert not any(shape.double for shape in figure.layout.shapes)
    assert any(shape.double for shape in viz.draw(residual_paths(6)).layout.shapes)


def test_a_chart_begins_at_the_lowest_degree():
    stems = [c for c in viz.draw(plain_joined()).layout.curves if c.style == "stem"]
    axes = [
        c
        for c in viz.draw(plain_joined()).layout.curves
        if c.style == "axis" and len(c.points) == 2
    ]
    left = min(stem.points[0][0] for stem in stems)
    assert left - min(x for axis in axes for x, _ in axis.points) < 20


def plain_joined():
    """Six blocks between two weight layers: no path crosses fewer than two."""
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((2, 4)), requires_grad=True, name="x")
    h = x @ weights(rng, 4, 4, name="S")
    for k in range(6):
        h = h + tg.tanh(h @ weights(rng, 4, 4, name=f"W_{k}"))
    return tg.paths((h @ weights(rng, 4, 4, name="C")).sum(), x)


def test_an_activation_between_blocks_is_drawn_between_them():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h = x
    for k in range(2):
        h = tg.relu(h + h @ tg.parameter(np.eye(3), name=f"W_{k}"))
    shown = texts(viz.draw(tg.paths(h.sum(), x)))
    assert "1 weight-free path of 4" in shown
    assert "R2 · I · R1 · I" in shown


def test_paths_off_the_choice_are_faded_and_the_set_is_stated():
    figure = viz.draw(residual_paths(3).weight_free())
    faded = [shape for shape in figure.layout.shapes if shape.faded and shape.style == "square"]
    assert len(faded) == 6
    assert any("chosen among 8" in text for text in texts(figure))


def test_a_deep_chain_is_collapsed_and_says_how_many_blocks_it_hides():
    figure = viz.draw(residual_paths(50))
    assert {"× 47", "blocks 3 … 49"} <= set(texts(figure))
    assert sum(shape.double for shape in figure.layout.shapes) == 2  # the box, and its legend


@pytest.mark.parametrize("blocks", [5, 9, 50])
def test_the_words_at_degree_zero_stand_above_the_bars_beside_them(blocks):
    layout = viz.draw(residual_paths(blocks)).layout
    marks = [label for label in layout.labels if label.style == "text identity"][-2:]
    tops = [shape for shape in layout.shapes if shape.style in ("bar", "bar free")]
    assert marks[0].text.split() == ["1", "weight-free"]
    for label in marks:
        assert not any(overlap(label.box, shape.box) for shape in tops)
        beside = [s for s in tops if label.box[0] <= s.x <= label.box[2]]
        assert beside and all(label.box[3] < shape.y for shape in beside)


def test_bars_stand_at_the_logarithms_of_the_counts():
    layout = viz.draw(residual_paths(9)).layout
    tops = [s for s in layout.shapes if s.style in ("bar", "bar free")]
    heights = [s.y for s in sorted(tops, key=lambda s: s.x)[:10]]
    counts = list(residual_paths(9).count_by("weight").values())
    slope, start = np.polyfit(np.log10(counts), heights, 1)
    assert slope < 0
    hundred = next(label.y - 4 for label in layout.labels if label.text == "10²")
    assert start + 2 * slope == pytest.approx(hundred)
    assert np.allclose(np.diff(heights), slope * np.diff(np.log10(counts)))


def test_six_hundred_blocks_are_counted_exactly():
    figure = viz.draw(residual_paths(600))
    assert "1 weight-free path of 2⁶⁰⁰" in texts(figure)
    assert str(2**600) in figure.svg
    assert len(figure.svg) < 200_000
    assert sum(curve.filled for curve in figure.layout.curves) >= 1  # bars would be too many
    assert not any(curve.filled for curve in viz.draw(residual_paths(50)).layout.curves)


def test_a_block_with_too_many_ways_is_a_box_with_their_number():
    shown = texts(viz.draw(many_ways()))
    assert shown.count("5 ways in all") == shown.count("2 of them weight-free") == 2
    assert "4 weight-free paths of 25" in shown


def test_no_cotangent_means_no_norms_but_every_row():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    shown = texts(viz.draw(tg.paths(x + 3 * tg.tanh(x), x)))
    assert "sum of the 2 rows" in shown
    assert "gradient paths from y back to x" in shown and "L" not in shown
    assert "gradient norm" not in shown


# Empty and wrong


def test_an_empty_set_says_no_path():
    x = tg.tensor(1.0, requires_grad=True)
    other = tg.tensor(1.0, requires_grad=True)
    figure = viz.draw(tg.paths(x * x, other))
    assert "no path" in texts(figure)


def test_a_path_of_no_edges_is_drawn():
    x = tg.tensor(1.0, requires_grad=True, name="x")
    assert "1 weight-free path of 1" in texts(viz.draw(tg.paths(x, x)))


@pytest.mark.parametrize("wrong", [np.ones(3), 1.5, None, "loss", [1, 2]])
def test_what_cannot_be_drawn_is_an_error_that_says_what_can(wrong):
    with pytest.raises(FigureError, match=r"tg\.paths"):
        viz.draw(wrong)


def test_an_unrecorded_tensor_is_an_error():
    with pytest.raises(GraphError, match="recorded"):
        viz.draw(tg.tensor([1.0]))


def test_a_row_tells_the_number_of_many_weight_layers():
    x = r = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    for k in range(6):
        r = tg.relu(r @ tg.parameter(np.eye(2), name=f"W_{k}"))
    figure = viz.draw(tg.paths((x + r).sum(), x))
    assert "× 6" in texts(figure)
    assert sum(s.title == "6 weight layers" for s in figure.layout.shapes) == 1


# Lines and what they join


def wide_paths(blocks, name="x"):
    """Blocks of four ways: a shortcut and three branches."""
    rng = np.random.default_rng(0)
    x = h = tg.tensor(np.ones((2, 3)), requires_grad=True, name=name)
    for _ in range(blocks):
        h = sum((tg.tanh(h @ weights(rng, 3, 3, name=name)) for name in "ABC"), h)
    return tg.paths(h.sum(), x)


@pytest.mark.parametrize("paths", [residual_paths(2), wide_paths(2)], ids=["two", "four"])
def test_forward_arrows_of_a_chain_begin_and_end_on_what_they_join(paths):
    layout = viz.draw(paths).layout
    shapes = [shape for shape in layout.shapes if shape.key and shape.style != "square"]
    arrows = [c for c in layout.curves if c.style == "forward" and c.arrow]
    for arrow in arrows[:-1]:  # the last one is the legend's
        for x, y in (arrow.points[0], arrow.points[-1]):
            gaps = [
                abs(math.hypot(x - s.x, y - s.y) - s.width / 2) if s.kind == "circle"
                else abs(abs(x - s.x) - s.width / 2) for s in shapes
            ]  # fmt: skip
            assert min(gaps) < 1


def test_outer_arcs_of_neighbouring_blocks_do_not_cross():
    layout = viz.draw(wide_paths(2)).layout
    (plus, _) = [shape for shape in layout.shapes if shape.sign == "+" and shape.key]
    arcs = [curve for curve in layout.curves if curve.smooth and curve.style == "weight"]

    def at_plus(point):
        return math.dist(point, (plus.x, plus.y)) < plus.width / 2 + 1

    before = [curve.points[0][0] for curve in arcs if at_plus(curve.points[0])]
    behind = [curve.points[-1][0] for curve in arcs if at_plus(curve.points[-1])]
    assert len(before) == len(behind) == 2 and max(before) < plus.x < min(behind)


def test_arcs_from_below_pass_the_name_of_the_input():
    layout = viz.draw(wide_paths(2, "tokens")).layout
    (left, top, right, bottom) = next(
        label for label in layout.labels if label.text == "tokens"
    ).box
    weights = [np.array([s**3, 3 * s * s * (1 - s), 3 * s * (1 - s) ** 2, (1 - s) ** 3])
               for s in np.linspace(0, 1, 50)]  # fmt: skip
    passing = [
        weight @ np.array(curve.points[k : k + 4])
        for curve in layout.curves if curve.smooth
        for k in range(0, len(curve.points) - 3, 3) for weight in weights
    ]  # fmt: skip
    below = [x for x, y in passing if top < y < bottom]
    assert below and min(below) > right > left


def test_weights_of_a_block_are_called_by_what_tells_them_apart():
    rng = np.random.default_rng(0)
    blocks = [
        tg.nn.Residual(tg.nn.Sequential(tg.nn.Linear(4, 4, rng=rng), tg.nn.Linear(4, 4, rng=rng)))
        for _ in range(2)
    ]
    x = tg.tensor(np.ones((2, 4)), requires_grad=True, name="x")
    figure = viz.draw(tg.paths(tg.nn.Sequential(*blocks)(x).sum(), x))
    squares = [shape.title for shape in figure.layout.shapes if ".weight" in shape.title]
    assert squares == [f"{k}.branch.{i}.weight 4×4" for k in (0, 1) for i in (0, 1)]
    assert [text for text in texts(figure) if "." in text][:4] == ["0.weight", "1.weight"] * 2
