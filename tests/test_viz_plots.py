"""Plots: the numbers they hold, what they say, and how they stand on a page."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError, GradientError, GraphError, UsageError
from viz import norms
from viz.plots.ink import COLOURS, MARKS
from viz.plots.surface import plot_surface

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    '"</script><script>alert(1)</script>', "<b>bold</b>", "back\\slash", "$x_1$ & 50% #1 {}~^",
    "digraph subgraph strict", "two\nlines\r\n", "long " * 60, "神经网络 🎉", "id=\"figure_1\"", "\x00\x1b",
]  # fmt: skip


def net():
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="x")
    h = tg.relu(x @ tg.parameter(rng.standard_normal((3, 3)), name="V"))
    return x, (x + h @ tg.parameter(rng.standard_normal((3, 3)), name="W")).sum()


def paths_of_a_net():
    x, loss = net()
    return tg.paths(loss, x)


def chain(blocks, size=0.1, shortcut=True):
    """Paths through blocks of two weight layers."""
    rng = np.random.default_rng(blocks)
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    h = x
    for _ in range(blocks):
        V, W = (tg.parameter(size * rng.standard_normal((2, 2))) for _ in range(2))
        branch = tg.tanh(h @ V) @ W
        h = h + branch if shortcut else branch
    return tg.paths(h.sum(), x)


def opposed():
    """Paths of which those through the branch work against the shortcut."""
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    return tg.paths((x + x @ tg.parameter(-0.4 * np.eye(2))).sum(), x)


def read_back(paths, folder):
    """The same paths, in a graph that was saved and loaded."""
    return tg.paths(tg.load_graph(paths.graph.save(folder / "graph.json")), paths.inputs[0].name)


def test_without_a_gradient_counts_alone_are_plotted_and_the_plot_says_why(tmp_path):
    known = paths_of_a_net()
    unknown = read_back(known, tmp_path)
    plot = viz.plot_paths(unknown)
    assert plot.counts == known.count_by("weight") and len(plot.panels) == 1
    assert "no gradient norms: this graph was not taken from a tensor" in plot.panels[0].note
    both = viz.plot_paths({"ours": known, "read": unknown})
    assert [panel.y for panel in both.panels] == ["number of paths", "gradient norm"]
    assert "no gradient norms of read: " in both.panels[0].note
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    plot = viz.plot_paths(tg.paths(x + tg.relu(x), x))
    assert plot.panels[0].note.endswith("no gradient norms: the output has shape (2, 3)")


def test_norms_that_are_asked_for_are_refused_where_there_is_no_gradient(tmp_path):
    with pytest.raises(GraphError, match="not taken from a tensor"):
        viz.plot_paths(read_back(paths_of_a_net(), tmp_path), show="norms")
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    with pytest.raises(GradientError, match="the output has shape"):
        viz.plot_paths(tg.paths(x + tg.relu(x), x), show="norms")


def texts(plot):
    """Return what the SVG of a plot writes, without its alternative text."""
    return [element.text for element in ET.fromstring(plot.svg).iter(f"{SVG}text")]


def ticks(axes):
    return [tick.get_text() for tick in axes.get_xticklabels()]


# Paths by degree


def test_plot_paths_keeps_exact_counts_and_norms():
    paths = paths_of_a_net()
    plot = viz.plot_paths(paths)
    assert plot.counts == {0: 1, 2: 1}
    for degree, part in paths.gradient_by("weight").items():
        assert plot.norms[degree] == pytest.approx(np.linalg.norm(part))


def test_plot_paths_of_two_to_the_six_hundredth():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    h = x
    for _ in range(600):
        h = h + tg.relu(h @ tg.parameter(np.eye(2) * 0.01))
    plot = viz.plot_paths(tg.paths(h.sum(), x), max_degree=3)
    assert sum(plot.counts.values()) == 2**600
    assert set(plot.norms) == {0, 1, 2, 3}
    assert plot.title == "1 weight-free path of 2⁶⁰⁰"
    said = texts(plot)
    assert {plot.title, "weight-free: 1", "computed up to 3"} <= set(said)
    upper, lower = plot.figure.axes
    assert upper.get_shared_x_axes().joined(upper, lower)
    assert lower.get_xlim()[1] > 600


def test_the_ticks_of_a_short_axis_are_distinct_and_true():
    x = tg.tensor(1.0, requires_grad=True, name="x")
    plot = viz.plot_paths(tg.paths(x * x + tg.tanh(x), x))
    for axes in plot.figure.axes:
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert len(labels) == len(set(labels)) >= 2
        for level, label in zip(axes.get_yticks(), labels, strict=True):
            assert float(label) == pytest.approx(10**level)


def test_a_vector_output_is_plotted_without_norms():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    plot = viz.plot_paths(tg.paths(x + tg.tanh(x), x))
    assert plot.norms == {} and len(plot.figure.axes) == 1


def test_norms_too_small_to_square_are_plotted():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True)
    loss = (x @ tg.parameter(np.eye(2) * 1e-100) @ tg.parameter(np.eye(2) * 1e-100)).sum()
    plot = viz.plot_paths(tg.paths(loss, x))
    assert plot.norms[2] == pytest.approx(np.sqrt(2) * 1e-200)


@pytest.mark.parametrize("wrong", [np.ones(3), 1.5, None, {"a": 1.0}])
def test_only_paths_are_plotted(wrong):
    with pytest.raises(FigureError, match=r"tg\.paths"):
        viz.plot_paths(wrong)


def test_an_empty_set_is_not_plotted():
    x, other = (tg.tensor(1.0, requires_grad=True) for _ in range(2))
    with pytest.raises(FigureError, match="no path"):
        viz.plot_paths(tg.paths(x * x, other))


def grown_paths(size, blocks=8):
    """Blocks whose branch is a product with ``size``, until the numbers end."""
    x = tg.tensor(np.ones((1, 2)) * 1e-300, requires_grad=True, name="x")
    h = x
    for k in range(blocks):
        h = h + h @ tg.parameter(np.eye(2) * size, name=f"W_{k}")
    return tg.paths(h.sum(), x)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_norms_beyond_floats_are_stated_and_the_rest_is_plotted():
    paths = grown_paths(1e150)
    plot = viz.plot_paths(paths)
    assert "not finite above degree 2" in texts(plot)
    assert len(plot.figure.axes[1].get_yticks()) >= 3
    shown = viz.draw(paths).svg
    assert "not finite above degree 2" in shown and ">nan<" not in shown


def test_layers_whose_norm_is_lost_are_named_wherever_they_are():
    plot = viz.plot_gradient_norms({"a": [1.0, np.inf, 2.0, np.nan, 0.0], "b": [0.0] * 6 + [1.0]})
    assert (
        plot.panels[0].note == "a: zero at layer 5; not finite at layers 2, 4; b: zero at 6 layers"
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_row_whose_product_is_not_finite_says_so():
    svg = viz.draw(grown_paths(1e150, 3)).svg
    assert ">not finite<" in svg and ">nan<" not in svg and ">inf<" not in svg


@pytest.mark.parametrize(
    ("factor", "words"), [(0.0, "the gradient is zero"), (np.nan, "the gradient is not finite")]
)
def test_a_gradient_that_has_no_logarithm_is_stated(factor, words):
    x, loss = net()
    plot = viz.plot_paths(tg.paths(loss * factor, x))
    assert words in texts(plot)
    assert not plot.figure.axes[1].get_yticklabels()


def test_degree_ticks_stand_at_degrees_that_occur():
    paths = chain(20)
    shown = ticks(viz.plot_paths(paths).figure.axes[-1])
    assert len(shown) > 5 and {int(word) for word in shown} <= set(paths.count_by("weight"))
    layout = viz.draw(paths).layout
    (line,) = {label.y for label in layout.labels if label.text == "weight layers crossed"}
    degrees = [label for label in layout.labels if label.y == line - 19]
    assert {int(label.text) for label in degrees} <= set(paths.count_by("weight"))


def test_weight_free_paths_alone_have_one_tick_and_their_mark_inside():
    plot = viz.plot_paths(paths_of_a_net().weight_free())
    assert plot.title == "1 weight-free path of 1"
    assert ticks(plot.figure.axes[-1]) == ["0"]
    assert plot.figure.axes[-1].get_xlim()[0] <= -0.5


def test_logarithmic_axes_say_so():
    assert sum(said.endswith("(log scale)") for said in texts(viz.plot_paths(chain(2)))) == 2
    assert viz.draw(grown_paths(0.1)).svg.count("(log scale)") == 2


def test_the_level_that_paths_are_counted_at_is_said():
    x, loss = net()
    plot = viz.plot_paths(tg.paths(loss, x, level="scalar"))
    assert plot.level == "scalar" and "counted at scalar level" in texts(plot)


def test_lines_to_words_look_like_no_stem():
    assert viz.style.STYLES["leader"].stroke != "identity" and viz.style.STYLES["leader"].dash


def test_sets_of_paths_are_compared_by_name():
    plot = viz.plot_paths({"residual": chain(3), "plain": chain(3, shortcut=False)})
    assert plot.sets["residual"].counts == {0: 1, 2: 3, 4: 3, 6: 1}
    assert plot.sets["plain"].counts == {6: 1}
    assert plot.title == "Weight-free paths. residual: 1 of 8; plain: 0 of 1"
    assert texts(plot).count("residual") == texts(plot).count("plain") == 2
    with pytest.raises(UsageError, match=r"plot\.sets"):
        _ = plot.counts


def test_sets_at_two_levels_say_both_and_other_degrees_have_no_headline():
    x, loss = net()
    both = {level: tg.paths(loss, x, level=level) for level in ("tensor", "scalar")}
    plot = viz.plot_paths(both, by="length", show="counts")
    assert plot.level == "tensor and scalar" and plot.title == ""
    assert "counted at tensor and scalar level" in texts(plot)


def test_no_series_is_left_out_without_a_word():
    sets = {f"net {k}": chain(2) for k in range(5)}
    assert set(sets) <= set(texts(viz.plot_paths(sets, show="counts")))
    with pytest.raises(UsageError, match="10 series cannot be told apart"):
        viz.plot_paths(sets, show="samples")


def test_norms_are_computed_as_far_as_the_budget_goes(monkeypatch):
    paths = chain(14)
    assert len(viz.plot_paths(paths).norms) == 15
    monkeypatch.setattr(norms, "EDGE_VISITS", 12 * len(paths.graph.edges))
    assert len(viz.plot_paths(paths).norms) == 12
    monkeypatch.setattr(norms, "EDGE_VISITS", 1)
    assert len(viz.plot_paths(paths).norms) == norms.FEWEST_DEGREES


def heights(lines):
    """Return the lower and the upper end of vertical lines, by their place."""
    return {x: (low, high) for (x, low), (_, high) in lines.get_segments()}


def test_stems_reach_from_zero_to_their_share():
    plot = viz.plot_paths(opposed(), show="shares")
    (axes,) = plot.figure.axes
    assert min(plot.shares.values()) < 0
    assert axes.get_ylim()[0] < min(plot.shares.values())
    found = heights(axes.collections[0]) | heights(axes.collections[1])
    for k, share in plot.shares.items():
        assert found[k] == pytest.approx((0.0, share))


def test_bars_of_sampled_degrees_are_two_standard_errors():
    plot = viz.plot_paths(chain(3), show="samples", samples=400)
    (one,) = plot.sets.values()
    (axes,) = plot.figure.axes
    for k, (low, high) in heights(axes.collections[0]).items():
        p = one.sampled[k]
        error = 2 * np.sqrt(p * (1 - p) / 400)
        assert (low, high) == pytest.approx((max(p - error, 0.0), p + error))


def test_only_weight_free_paths_are_red():
    by_weight, by_activation = (viz.plot_paths(chain(2), by=by) for by in ("weight", "activation"))
    assert 0 in by_activation.counts and "-fill-identity" in by_weight.svg
    assert "identity" not in by_activation.svg and "weight-free" not in by_activation.svg


def test_many_degrees_are_an_area_and_few_are_stems():
    few, many = (viz.plot_paths(chain(k), show="counts").figure.axes[0] for k in (70, 80))
    assert max(len(lines.get_segments()) for lines in few.collections) == 70
    assert max(len(lines.get_paths()[0].vertices) for lines in many.collections) > 160


def test_only_the_last_point_of_a_long_line_has_a_marker():
    line = viz.plot_series({"a": np.arange(100.0)}).figure.axes[0].lines[0]
    assert line.get_markevery() == [99]


def test_a_narrow_plot_has_room_for_its_ticks(tmp_path):
    written = viz.plot_paths(chain(10), show="counts").save(tmp_path / "a.svg", size="50mm")
    found = [element.text for element in ET.fromstring(written.read_text()).iter(f"{SVG}text")]
    assert {"0", "4", "20"} <= set(found) and "2" not in found


def test_a_saved_plot_keeps_its_proportions(tmp_path):
    root = ET.fromstring(
        viz.plot_series({"a": [1, 2]}).save(tmp_path / "a.svg", size=80).read_text()
    )
    _, _, across, down = map(float, root.get("viewBox").split())
    assert float(root.get("height").removesuffix("mm")) == pytest.approx(
        80 * down / across, rel=1e-5
    )


def test_a_dark_picture_has_a_dark_ground(tmp_path):
    from matplotlib.image import imread

    pixels = imread(viz.plot_series({"a": [1, 2]}).save(tmp_path / "a.png", "dark"))
    assert "#{:02x}{:02x}{:02x}".format(*np.round(255 * pixels[0, 0, :3]).astype(int)) == "#14171c"


def test_shares_by_degree_sum_to_one():
    plot = viz.plot_paths(chain(5), show="shares")
    assert sum(plot.shares.values()) == pytest.approx(1.0)
    assert len(plot.panels) == 1 and not plot.panels[0].log


@pytest.mark.parametrize("level", ["tensor", "scalar"])
def test_sampled_degrees_lie_around_their_exact_probability(level):
    x, loss = net()
    found = tg.paths(loss, x, level=level)
    plot = viz.plot_paths(found, show=("samples",), samples=2000, seed=1)
    (one,) = plot.sets.values()
    assert sum(one.exact.values()) == pytest.approx(1.0)
    assert sum(one.sampled.values()) == pytest.approx(1.0)
    for k, p in one.exact.items():
        assert abs(one.sampled[k] - p) < 5 * np.sqrt(p * (1 - p) / 2000) + 1e-12
    weights = dict.fromkeys(one.exact, 0.0)  # by brute force
    for path in found:
        weights[path.degree("weight")] += abs(path.product()) if level == "scalar" else 1
    total = sum(weights.values())
    assert one.exact == pytest.approx({k: w / total for k, w in weights.items()})


@pytest.mark.parametrize("show", ["heights", (), ("counts", 3)])
def test_panels_that_there_are_not_are_named(show):
    with pytest.raises(UsageError, match="counts, norms, shares, samples"):
        viz.plot_paths(paths_of_a_net(), show=show)


# Gradient norms by layer


def layered(activation, depth=4, width=5, shortcut=False):
    rng = np.random.default_rng(0)
    h = tg.tensor(rng.standard_normal((6, width)))
    weights, outputs = [], []
    for k in range(depth):
        weights.append(tg.parameter(rng.standard_normal((width, width)) * 0.5, name=f"W_{k + 1}"))
        outputs.append(h @ weights[-1])
        outputs[-1].retain_grad()
        h = h + activation(outputs[-1]) if shortcut else activation(outputs[-1])
    return (h * h).mean(), weights, outputs


@pytest.mark.parametrize("shortcut", [False, True])
def test_gradient_norms_are_those_of_backward(shortcut):
    loss, weights, outputs = layered(tg.tanh, shortcut=shortcut)
    by_weights = viz.plot_gradient_norms(loss).norms[""]
    by_outputs = viz.plot_gradient_norms(loss, of="outputs").norms[""]
    assert all(w.grad is None for w in weights)
    loss.backward()
    for found, tensors in ((by_weights, weights), (by_outputs, outputs)):
        assert list(found) == [1, 2, 3, 4]
        assert list(found.values()) == pytest.approx([np.linalg.norm(t.grad.data) for t in tensors])


def test_gradient_norms_of_convolutions_and_transposed_weights():
    rng = np.random.default_rng(1)
    W = tg.parameter(rng.standard_normal((2, 1, 3, 3)), name="W")
    V = tg.parameter(rng.standard_normal((4, 2 * 4)), name="V")
    h = tg.relu(tg.conv2d(tg.tensor(rng.standard_normal((3, 1, 6, 6))), W))[:, :, :2, :2]
    loss = (h.reshape(3, 8) @ V.T).sum()
    (found,) = viz.plot_gradient_norms(loss).norms.values()
    loss.backward()
    assert list(found.values()) == pytest.approx([np.linalg.norm(t.grad.data) for t in (W, V)])


def test_a_product_of_weights_alone_is_no_layer():
    x = tg.tensor(np.ones((2, 3)))
    A, B = (tg.parameter(np.eye(3), name=name) for name in "AB")
    assert set(viz.plot_gradient_norms((x @ (A @ B)).sum()).norms[""]) == {1}


def test_a_sigmoid_net_loses_its_gradient_and_a_residual_net_does_not():
    losses = {
        "sigmoid": layered(tg.sigmoid, 20)[0],
        "residual": layered(tg.relu, 20, shortcut=True)[0],
    }
    norms = viz.plot_gradient_norms(losses).norms
    assert norms["sigmoid"][1] < 1e-8 * norms["sigmoid"][20]
    assert norms["residual"][1] > 0.01 * norms["residual"][20]


def test_measured_norms_are_plotted_beside_losses():
    plot = viz.plot_gradient_norms(
        {"measured": [[1.0, 2.0], [3.0, 2.0]], "net": layered(tg.tanh)[0]}
    )
    assert plot.norms["measured"] == {1: 2.0, 2: 2.0}
    assert plot.panels[0].series[0].high == (3.0, 2.0)
    assert plot.layers["net"].names == ("W_1", "W_2", "W_3", "W_4")


def test_layers_that_get_no_gradient_are_said():
    loss, *_ = layered(tg.relu)
    assert "the gradient is zero" in texts(viz.plot_gradient_norms(loss * 0.0))


def test_gradient_norms_need_a_loss_with_weights():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(FigureError, match="no weight layer"):
        viz.plot_gradient_norms((x * x).sum())
    with pytest.raises(GradientError, match="one element"):
        viz.plot_gradient_norms(x * x)
    with pytest.raises(UsageError, match="weights, outputs"):
        viz.plot_gradient_norms((x * x).sum(), of="inputs")
    with pytest.raises(UsageError, match="real numbers"):
        viz.plot_gradient_norms({"a": "abc"})


# Surfaces


def test_a_surface_that_dips_below_zero_is_drawn_where_it_is_positive():
    place = np.linspace(-1, 1, 5)
    plot = plot_surface({"bowl": place[:, None] ** 2 + place**2 - 0.2}, at=place)
    assert min(plot.levels) > 0 and "1 value of zero or less not shown" in plot.description
    assert np.nanmin(plot.surfaces["bowl"]) < 0 and "least −0.200 at (0, 0)" in plot.description


# Activations


def test_derivatives_of_activations_are_those_of_the_formulas():
    plot = viz.plot_activations("sigmoid", "tanh", low=-3, high=3)
    s = 1 / (1 + np.exp(-plot.at))
    np.testing.assert_allclose(plot.derivatives["sigmoid"], s * (1 - s), atol=1e-14)
    np.testing.assert_allclose(plot.derivatives["tanh"], 1 - np.tanh(plot.at) ** 2, atol=1e-14)
    assert plot.kinks == {"sigmoid": {}, "tanh": {}}
    assert not any("kink" in said for said in texts(plot))


@pytest.mark.parametrize(
    ("function", "kinks"),
    [
        ("relu", {0.0: 0.0}),
        ("abs", {0.0: 0.0}),
        ({"shifted": lambda x: tg.relu(x - 1 / 3)}, {1 / 3: 0.0}),
        ({"hard": lambda x: tg.maximum(x, -1.0) - tg.relu(x - 1.0)}, {-1.0: 0.5, 1.0: 1.0}),
        ({"steep": lambda x: tg.sigmoid(1000 * x)}, {}),
        ("gelu", {}),
    ],
)
def test_kinks_are_found_and_marked_with_the_engines_value(function, kinks):
    plot = viz.plot_activations(function)
    (found,) = plot.kinks.values()
    assert list(found) == pytest.approx(list(kinks), abs=1e-6)
    for (place, value), expected in zip(found.items(), kinks.values(), strict=True):
        if place in kinks:  # a place that the plot knows exactly
            assert value == expected
    slope = plot.panels[1].series[0]
    assert len(slope.values) == len(kinks)
    assert np.isnan(slope.y).sum() == len(kinks)
    assert any("kink" in said for said in texts(plot)) == bool(kinks)


def test_a_kink_that_leaves_the_value_whole_breaks_only_the_derivative():
    value, slope = (panel.series[0] for panel in viz.plot_activations("relu").panels)
    assert value.limits == value.values == () and not np.isnan(value.y).any()
    assert list(viz.plot_activations(lambda x: tg.relu(x - 0.3)).kinks["<lambda>"]) == [0.3]
    assert np.isnan(slope.y).sum() == 1


def test_both_limits_of_a_kink_are_open_marks():
    (slope,) = viz.plot_activations("abs").panels[1].series
    assert slope.limits == ((0.0, -1.0), (0.0, 1.0)) and slope.values == ((0.0, 0.0),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("no_such",), "no function"), ((3,), "no function"), ((), "at least one"),
        ((lambda x: x.sum(),), "element by element"), (("__class__",), "no function"),
    ],
)  # fmt: skip
def test_what_is_no_activation_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        viz.plot_activations(*given)


@pytest.mark.parametrize("stretch", [(1, 1), (2, 1), (0, np.inf), ("a", 1)])
def test_an_empty_stretch_is_refused(stretch):
    with pytest.raises(UsageError, match="low="):
        viz.plot_activations("relu", low=stretch[0], high=stretch[1])


# Series


def test_runs_become_a_median_and_a_band():
    runs = np.array([[1.0, 5.0], [2.0, 4.0], [9.0, 0.0]])
    plot = viz.plot_series({"a": runs}, x="epoch", y="loss")
    assert plot.series["a"].y == (2.0, 4.0)
    assert plot.series["a"].low == (1.0, 0.0) and plot.series["a"].high == (9.0, 5.0)
    assert "line: median of 3 runs, band: their range" in texts(plot)
    assert "median of 3 runs" in plot.description


def test_a_mapping_of_mappings_gives_panels():
    plot = viz.plot_series({"20 layers": {"a": [1, 2]}, "56 layers": {"a": {3: 1.0, 5: 2.0}}})
    assert [panel.title for panel in plot.panels] == ["20 layers", "56 layers"]
    assert plot.panels[1].series[0].x == (3, 5)


def test_values_that_a_logarithm_cannot_show_are_counted():
    plot = viz.plot_series({"a": [1.0, 0.0, -2.0, 3.0]}, log=True)
    assert "2 values of zero or less not shown" in texts(plot)


@pytest.mark.parametrize(
    ("series", "at", "message"),
    [
        ({}, None, "at least one"), ([1, 2], None, "named series"), ({"a": []}, None, "shape"),
        ({"a": [1, 2]}, [1, 2, 3], "2 values for 3 places"), ({"a": ["x"]}, None, "real numbers"),
        ({"a": [[1], [1, 2]]}, None, "real numbers"), ({"a": [1j]}, None, "real numbers"),
        ({str(k): [1] for k in range(9)}, None, "at most 8"), ({"a": np.ones((2, 2, 2))}, None, "shape"),
    ],
)  # fmt: skip
def test_what_is_no_series_is_refused(series, at, message):
    with pytest.raises(UsageError, match=message):
        viz.plot_series(series, at=at)


@pytest.mark.parametrize("given", [{"x": 3}, {"title": None}])
def test_words_are_text(given):
    with pytest.raises(UsageError, match="pass text"):
        viz.plot_series({"a": [1, 2]}, **given)


def test_a_series_without_values_says_so():
    assert "a: no values" in texts(viz.plot_series({"a": [np.nan, np.inf], "b": [1, 2]}))


def test_what_is_written_stays_within_the_picture():
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg

    words = "a very long label " * 12
    plot = viz.plot_series(
        {"x" * 300: [1, 2], "b": [2, 1]}, x=words, y=words, title=words, note=words
    )
    figure = plot._drawn("light", 80.0)
    FigureCanvasAgg(figure).print_png(io.BytesIO())
    box = figure.get_tightbbox()
    wide, high = figure.get_size_inches()
    assert box.x0 >= -0.01 and box.y0 >= -0.01 and box.x1 <= wide + 0.01 and box.y1 <= high + 0.01


def label_ends(plot, size):
    """Return where each name beside a line begins and ends, and the width of the plot."""
    figure = plot._drawn("light", size)
    figure.draw_without_rendering()
    boxes = {
        note.get_text(): note.get_window_extent() for axes in figure.axes
        for note in axes.texts if note.xycoords == ("axes fraction", "data")
    }  # fmt: skip
    return {name: (box.x0, box.x1) for name, box in boxes.items()}, figure.bbox.width


@pytest.mark.parametrize("size", [80.0, 140.0])
def test_names_of_lines_that_end_early_or_together_are_whole(size):
    early = {
        "a line that ends early": {0: 1.0, 5: 2.0},
        "long": list(range(60)),
        "twin": [0.0, 1.9],
    }
    ends, wide = label_ends(viz.plot_series(early), size)
    assert len(ends) == 3 and max(right for _, right in ends.values()) <= wide
    assert len({round(left) for left, _ in ends.values()}) == 1


def test_nothing_but_data_crosses_the_axes():
    plot = viz.plot_series({"early": {0: 1.0, 5: 2.0}, "long": list(range(60))})
    (axes,) = plot.figure.axes
    assert not [note for note in axes.texts if note.arrow_patch is not None]
    pieces = [line for line in axes.lines if list(line.get_xdata()) != list(plot.series["long"].x)]
    beside = [line for line in pieces if not line.get_clip_on()]
    assert len(beside) == 2
    assert min(line.get_window_extent().x0 for line in beside) > axes.bbox.x1


def test_a_title_keeps_numbers_whole():
    from viz.plots.panel import wrapped

    words = "Weight-free paths. residual: 0 of 64; deep: 2 of 36\u2009028\u2009797\u2009018\u2009963\u2009968"
    lines = wrapped(words, 9.0, 227.0, bold=True)
    assert len(lines) > 1 and any("36 028 797 018 963 968" in line for line in lines)


def test_ticks_of_compared_sets_stand_at_degrees_that_occur():
    sets = {"few": chain(2), "many": chain(6)}
    figure = viz.plot_paths(sets)._drawn("light", 80.0)
    assert {int(word) for word in ticks(figure.axes[-1])} <= set(range(0, 13, 2))


def test_each_panel_has_axes_and_places_of_its_own():
    plot = viz.plot_series(
        {"by lag": {"a": [1.0, 2.0]}, "by depth": {"b": {1: [2.0, 4.0], 3: [3.0, 9.0]}}},
        x={"by lag": "lag", "by depth": "blocks"}, y="correlation", at={"by lag": [0.25, 0.5]},
        log={"by depth": True}, note={"by lag": "of noise"},
    )  # fmt: skip
    first, second = plot.panels
    assert (first.x, second.x, first.y, second.y) == ("lag", "blocks", "correlation", "correlation")
    assert first.series[0].x == (0.25, 0.5) and not first.whole and not first.log
    assert second.series[0].low == (2.0, 3.0) and second.whole and second.log
    assert (first.note, second.note) == ("of noise", "")
    with pytest.raises(UsageError, match="'by width', and there is none"):
        viz.plot_series({"by lag": {"a": [1.0]}}, x={"by width": "width"})


@pytest.mark.parametrize("count", [2, 3, 8])
def test_labels_never_overlap(count):
    plot = viz.plot_series({f"s{k}": [0.0, 1.0 + 1e-6 * k] for k in range(count)})
    heights = sorted(
        float(element.get("y")) for element in ET.fromstring(plot.svg).iter(f"{SVG}text")
        if re.fullmatch(r"s\d", element.text)
    )  # fmt: skip
    assert len(heights) == count and min(np.diff(heights)) > 9


def test_every_series_has_a_colour_a_dash_and_a_marker_of_its_own():
    for part in zip(*MARKS, strict=True):
        assert len(set(part)) == len(MARKS)


def luminance(colour):
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_series_can_be_read_on_their_ground(dark):
    ground = luminance(COLOURS["paper"][dark])
    for mark in MARKS:
        ink = luminance(COLOURS[mark.colour][dark])
        assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) >= 4.5, mark


# On the page


@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<svg"), ("pdf", b"%PDF")]
)
@pytest.mark.parametrize("style", ["auto", "light", "dark", "print"])
def test_a_plot_saves_itself_the_same_each_time(ending, magic, style, tmp_path):
    plot = viz.plot_series({"a": [1, 2], "b": [2, 1]})
    first, again = (plot.save(tmp_path / f"{k}.{ending}", style).read_bytes() for k in "ab")
    assert first.startswith(magic) and first == again


def test_print_has_no_colour():
    plot = viz.plot_series({"a": [[1, 2], [2, 3]], "b": [2, 1]})
    found = re.findall(r"#([0-9a-f]{6})\b", plot._svg("print", None))
    assert found and all(c[:2] == c[2:4] == c[4:] for c in found)


def test_a_plot_is_as_wide_as_asked_and_keeps_the_size_of_its_texts(tmp_path):
    plot = viz.plot_series({"a": [1, 2]}, title="title")
    narrow = plot.save(tmp_path / "a.svg", size="80mm").read_text()
    assert ET.fromstring(narrow).get("width") == "80mm"
    sizes = [set(re.findall(r"font-size: ([\d.]+)px|font: (?:bold )?([\d.]+)px", text)) for text in (narrow, plot.svg)]  # fmt: skip
    assert sizes[0] == sizes[1]
    with pytest.raises(UsageError, match="50 to 1000 mm"):
        plot.save(tmp_path / "b.svg", size=20)
    with pytest.raises(UsageError, match="style"):
        plot.save(tmp_path / "b.svg", style="blue")
    with pytest.raises(FigureError, match=r"\.svg, \.pdf, \.png"):
        plot.save(tmp_path / "b.gif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_the_users_settings_leave_no_trace_and_are_left():
    import matplotlib as mpl

    plain = viz.plot_series({"a": [1, 2]}).svg
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 20, "axes.facecolor": "red"}):
        assert viz.plot_series({"a": [1, 2]}).svg == plain
        assert mpl.rcParams["font.size"] == 20


def test_a_plot_shows_itself_as_svg_with_words_for_those_who_cannot_see_it():
    plot = viz.plot_paths(paths_of_a_net(), by="length")
    assert set(plot._repr_mimebundle_()) == {"text/html", "image/svg+xml", "text/plain"}
    assert set(plot._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    root = ET.fromstring(plot.svg)
    assert root.get("role") == "img" and root.find(f"{SVG}title").text == plot.title
    assert "number of paths (log scale) by edges on the path" in root.find(f"{SVG}desc").text


def test_plots_on_one_page_share_no_id_and_style_nothing_else():
    svgs = [viz.plot_series({"a": [1, k]}).svg for k in (2, 3)]
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in svgs]
    assert ids[0] and not ids[0] & ids[1]
    for svg, own in zip(svgs, ids, strict=True):
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', svg)) <= own
        (sheet,) = re.findall(r"<style>(.*?)</style>", svg, re.S)
        prefix = ET.fromstring(svg).get("id")
        selectors = re.findall(
            r"([^{}]+)\{[^{}]*[:][^{}]*\}", sheet.replace("(prefers-color-scheme:dark)", "")
        )
        assert selectors and all(
            s.split("{")[-1].strip().startswith(f".{prefix}") for s in selectors
        )


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_wherever_they_stand(name, tmp_path):
    plot = viz.plot_series({name: [1, 2], "b": [2, 1]}, x=name, y=name, title=name, note=name)
    root = ET.fromstring(plot.svg)
    assert not [
        e for e in root.iter() if e.tag.removeprefix(SVG) in ("script", "b", "a", "foreignObject")
    ]
    for ending in ("png", "pdf"):
        plot.save(tmp_path / f"a.{ending}")


def test_plotting_leaves_pyplot_alone():
    code = (
        "import sys, tinygrad_res as tg, viz; x = tg.tensor(1., requires_grad=True);"
        "p = tg.paths(x * x, x); viz.plot_paths(p)._repr_mimebundle_();"
        "viz.plot_activations('relu').figure;"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Trainings, sweeps from zero on, and where numbers stand on contours


def trained(steps=60):
    losses = tuple(2.0 / (1 + step) for step in range(steps))
    return tg.training.Fit(losses, {steps: 0.9}, 1.0)


def test_a_training_is_plotted_by_step_with_its_axes_named():
    alone, two = viz.plot_series(trained()), viz.plot_series({"a": trained(), "b": trained(30)})
    for plot in (alone, two):
        assert (plot.panels[0].x, plot.panels[0].y) == ("step", "loss")
    assert alone.series[""].y == trained().losses and alone.series[""].x == tuple(range(60))
    assert len(two.series["b"].y) == 30
    assert viz.plot_series({"a": trained()}, x="update").panels[0].x == "update"


def test_a_logarithmic_axis_sets_zero_behind_a_break():
    values = {0: [3.0, 2.0], 0.03: [2.0, 1.0], 0.3: [1.0, 0.5], 3: [0.9, 0.1]}
    plot = viz.plot_series({"loss": values}, x="penalty", log_x=True)
    axes = plot.figure.axes[0]
    ticks = dict(
        zip([t.get_text() for t in axes.get_xticklabels()], axes.get_xticks(), strict=True)
    )
    assert list(ticks) == ["0", "0.03", "0.3", "3"]
    assert ticks["0.3"] - ticks["0.03"] == pytest.approx(1.0) == ticks["3"] - ticks["0.3"]
    assert ticks["0"] <= ticks["0.03"] - 0.5
    line = axes.lines[0]
    between = [y for x, y in zip(*line.get_data(), strict=True) if ticks["0"] < x < ticks["0.03"]]
    assert np.isnan(between).all() and len(between) == 1
    assert axes.get_xlabel() == "penalty (log scale)" and len(axes.lines) == 3
    assert plot.series["loss"].x == (0, 0.03, 0.3, 3)


def test_a_logarithmic_axis_of_many_places_has_powers_of_ten():
    places = [0, *np.logspace(-4, 2, 13)]
    axes = viz.plot_series({"a": range(14)}, at=places, log_x=True).figure.axes[0]
    said = [tick.get_text() for tick in axes.get_xticklabels()]
    assert said[0] == "0" and set(said[1:]) <= {
        f"10{k}" for k in ("⁻⁴", "⁻³", "⁻²", "⁻¹", "⁰", "¹", "²")
    }


@pytest.mark.parametrize("places", [[-1.0, 1.0], [0.0, 0.0]])
def test_places_without_a_logarithm_are_refused(places):
    with pytest.raises(UsageError, match="log_x: there is no logarithm of the place"):
        viz.plot_series({"a": [1.0, 2.0]}, at=places, log_x=True)


def test_the_axis_of_degrees_begins_at_the_lowest():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    h = x @ tg.parameter(np.eye(2)) @ tg.parameter(np.eye(2))
    for _ in range(3):
        h = h + tg.tanh(h @ tg.parameter(np.eye(2)))
    plot = viz.plot_paths(tg.paths(h.sum(), x))
    assert min(plot.counts) == 2
    assert 1.0 < plot.figure.axes[0].get_xlim()[0] < 2.0


def test_numbers_on_contours_are_whole_and_apart():
    at = np.linspace(-1, 1, 9)
    bowl = 0.1 * np.exp(3 * (at[:, None] ** 2 + 1.5 * at**2))
    plot = plot_surface({"bowl": bowl}, at=at)
    axes = plot.figure.axes[0]
    plot.figure.draw_without_rendering()
    frame = axes.get_window_extent()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) >= 5
    for box in boxes:
        assert frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_the_levels_of_contours_are_listed():
    at = np.linspace(-1, 1, 5)
    plot = plot_surface({"bowl": 0.1 + at[:, None] ** 2 + at**2}, at=at)
    assert plot.levels == (0.5, 1.0, 2.0)
    assert "contours at 0.5, 1, 2" in [sub.get_supxlabel() for sub in plot.figure.subfigs]
