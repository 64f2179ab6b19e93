"""Files, notebooks and plots: formats, atomic writes, long names."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError
from viz.dot import quoted
from viz.text import clean


def net(name="x"):
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name=name)
    with tg.scope(name.replace("/", "")):
        h = tg.relu(x @ tg.parameter(rng.standard_normal((3, 3)), name=name))
        loss = (x + h @ tg.parameter(rng.standard_normal((3, 3)), name=name)).sum()
    return x, loss


def figures(name="x"):
    """Return a figure of our own layout and, where Graphviz loads, one of its layout."""
    x, loss = net(name)
    chain = viz.draw(tg.paths(loss, x))
    return (chain, viz.draw(loss)) if graphviz_loads() else (chain,)


def graphviz_loads():
    try:
        viz.draw(net()[1])
    except FigureError:
        return False
    return True


# Names


def test_a_long_name_is_shortened_on_the_figure_and_whole_in_its_title():
    figure = figures("z" * 300)[0]
    assert all(len(label.text) < 200 for label in figure.layout.labels)
    assert "z" * 300 in figure.svg


def test_clean_leaves_one_printable_line():
    assert clean("a\nb\x00\u202ec") == "a b c"


def test_a_dot_string_ends_where_it_should():
    assert quoted('a"b\\') == '"a\\"b\\\\"'


# Formats


def test_the_same_input_gives_the_same_bytes(tmp_path):
    first, second = figures()[0], figures()[0]
    assert first.svg == second.svg
    assert first.source == second.source
    for ending in ("png", "pdf"):
        a = first.save(tmp_path / f"a.{ending}").read_bytes()
        assert a == second.save(tmp_path / f"b.{ending}").read_bytes()


def test_ids_of_two_figures_differ():
    one, other = figures()[0], figures("another")[0]
    ids = [
        {element.get("id") for element in ET.fromstring(figure.svg).iter() if element.get("id")}
        for figure in (one, other)
    ]
    assert ids[0] and ids[1] and not ids[0] & ids[1]


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
@pytest.mark.parametrize("style", ["light", "dark", "print"])
def test_files_are_what_their_ending_says(ending, magic, style, tmp_path):
    for figure in figures():
        content = figure.save(tmp_path / f"a.{ending}", style=style).read_bytes()
        assert content.startswith(magic)
        assert len(content) > 5_000


def test_the_ending_is_read_in_either_case(tmp_path):
    assert figures()[0].save(tmp_path / "A.SVG").read_text(encoding="utf-8").startswith("<svg")


def test_own_layouts_are_dot_with_positions():
    source = figures()[0].source
    assert source.startswith("digraph")
    assert 'pos="' in source


def test_an_svg_describes_itself_and_follows_the_colour_scheme():
    x, loss = net()
    svg = viz.draw(tg.paths(loss, x)).svg
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert "prefers-color-scheme:dark" in svg
    title, desc = (root.find(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc"))
    assert "1 weight-free path of 2" in title.text
    assert "2 gradient paths" in desc.text and "nodes" in desc.text
    assert root.get("aria-labelledby").split() == [title.get("id"), desc.get("id")]


def test_a_notebook_gets_svg():
    figure = figures()[0]
    bundle = figure._repr_mimebundle_()
    assert bundle["image/svg+xml"] == figure.svg


# Writing


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "a.svg"
    target.write_text("old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(FigureError, match=r"a\.svg.*No space left"):
        figures()[0].save(target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FigureError, match=r"nowhere.*choose a folder"):
        figures()[0].save(tmp_path / "nowhere" / "a.svg")


def test_an_unknown_ending_is_an_error_that_lists_the_known(tmp_path):
    with pytest.raises(FigureError, match=r"\.svg, \.pdf, \.png, \.dot, \.tex, \.mmd, \.html"):
        figures()[0].save(tmp_path / "a.gif")


def test_importing_viz_loads_no_plotting_library():
    code = "import sys, viz; print({'matplotlib', 'pygraphviz'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Plots


def test_plot_paths_keeps_exact_counts_and_norms():
    x, loss = net()
    paths = tg.paths(loss, x)
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
    upper, lower = plot.figure.axes
    assert upper.get_title(loc="left") == "1 weight-free path of 2⁶⁰⁰"
    assert [text.get_text() for text in upper.texts] == ["weight-free: 1"]
    assert lower.get_title(loc="right") == "computed up to 3"
    assert upper.get_shared_x_axes().joined(upper, lower)


@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_a_plot_saves_itself(ending, magic, tmp_path):
    x, loss = net()
    path = viz.plot_paths(tg.paths(loss, x)).save(tmp_path / f"a.{ending}")
    assert path.read_bytes().startswith(magic)


def test_the_ticks_of_a_short_axis_are_distinct_and_true():
    x = tg.tensor(1.0, requires_grad=True, name="x")
    plot = viz.plot_paths(tg.paths(x * x + tg.tanh(x), x))
    for axes in plot.figure.axes:
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert len(labels) == len(set(labels)) >= 2
        for level, label in zip(axes.get_yticks(), labels, strict=True):
            assert float(label) == pytest.approx(10**level)


def test_a_plot_shows_itself_as_png():
    x, loss = net()
    bundle = viz.plot_paths(tg.paths(loss, x), by="length")._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG")


def test_a_vector_output_is_plotted_without_norms():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    plot = viz.plot_paths(tg.paths(x + tg.tanh(x), x))
    assert plot.norms == {} and len(plot.figure.axes) == 1


def test_norms_too_small_to_square_are_plotted():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True)
    loss = (x @ tg.parameter(np.eye(2) * 1e-100) @ tg.parameter(np.eye(2) * 1e-100)).sum()
    plot = viz.plot_paths(tg.paths(loss, x))
    assert plot.norms[2] == pytest.approx(np.sqrt(2) * 1e-200)


def test_plotting_leaves_pyplot_alone():
    code = (
        "import sys, tinygrad_res as tg, viz; x = tg.tensor(1., requires_grad=True);"
        "p = tg.paths(x * x, x); viz.plot_paths(p)._repr_mimebundle_();"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("wrong", [np.ones(3), 1.5, None])
def test_only_paths_are_plotted(wrong):
    with pytest.raises(FigureError, match=r"tg\.paths"):
        viz.plot_paths(wrong)


def test_an_empty_set_is_not_plotted():
    x, other = (tg.tensor(1.0, requires_grad=True) for _ in range(2))
    with pytest.raises(FigureError, match="no path"):
        viz.plot_paths(tg.paths(x * x, other))


def ticks(axes):
    return [tick.get_text() for tick in axes.get_xticklabels()]


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
    lower = viz.plot_paths(paths).figure.axes[1]
    assert lower.get_title(loc="right") == "not finite above degree 2"
    assert len(lower.get_yticks()) >= 3
    shown = viz.draw(paths).svg
    assert "not finite above degree 2" in shown and ">nan<" not in shown


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
    lower = plot.figure.axes[1]
    assert lower.get_title(loc="right") == words
    assert not lower.get_yticklabels()
    assert plot._content("png")


def test_degree_ticks_stand_at_degrees_that_occur():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    h = x
    for _ in range(20):
        h = h + tg.relu(h @ tg.parameter(np.eye(2) * 0.1)) @ tg.parameter(np.eye(2) * 0.1)
    paths = tg.paths(h.sum(), x)
    shown = ticks(viz.plot_paths(paths).figure.axes[-1])
    assert len(shown) > 5 and {int(word) for word in shown} <= set(paths.count_by("weight"))
    layout = viz.draw(paths).layout
    (line,) = {label.y for label in layout.labels if label.text == "weight layers crossed"}
    degrees = [label for label in layout.labels if label.y == line - 19]
    assert {int(label.text) for label in degrees} <= set(paths.count_by("weight"))


def test_weight_free_paths_alone_have_one_tick_and_their_mark_inside():
    x, loss = net()
    figure = viz.plot_paths(tg.paths(loss, x).weight_free()).figure
    assert figure.axes[0].get_title(loc="left") == "1 weight-free path of 1"
    assert ticks(figure.axes[-1]) == ["0"]
    assert figure.axes[-1].get_xlim()[0] <= -0.5


def test_logarithmic_axes_say_so():
    x, loss = net()
    axes = viz.plot_paths(tg.paths(loss, x)).figure.axes
    assert all(panel.get_ylabel().endswith("(log scale)") for panel in axes)
    assert viz.draw(grown_paths(0.1)).svg.count("(log scale)") == 2


def test_lines_to_words_look_like_no_stem():
    assert viz.style.STYLES["leader"].stroke != "identity" and viz.style.STYLES["leader"].dash
