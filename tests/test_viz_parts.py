"""Figures in papers: some of their parts, laid out for a column, with text that can be read."""

import re
import shutil
import subprocess

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError, UsageError
from viz.layout import Canvas, Label
from viz.page import PARTS, Page, wrapped
from viz.style import STYLES
from viz.text import joined, plain, width
from viz.writers.raster import _drawable


def residual(blocks, ends=False):
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.random((2, 3)), requires_grad=True, name="x")
    h = h @ tg.parameter(rng.random((3, 3)), name="W_in") if ends else h
    for k in range(blocks):
        a, b = (tg.parameter(rng.random((3, 3)), name=f"long name {k}{c}") for c in "ab")
        h = h + tg.relu(h @ a) @ b
    h = h @ tg.parameter(rng.random((3, 1)), name="W_out") if ends else h
    return tg.paths(h.mean(), x)


def plain_chain(layers):
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.random((2, 3)), requires_grad=True, name="x")
    for k in range(layers):
        h = tg.tanh(h @ tg.parameter(rng.random((3, 3)), name=f"W_{k}"))
    return tg.paths(h.sum(), x)


CHAINS = {
    "one block": lambda: residual(1), "three": lambda: residual(3),
    "stem": lambda: residual(3, ends=True), "four": lambda: residual(4, ends=True),
    "deep": lambda: residual(54), "deep, stem": lambda: residual(30, ends=True),
    "plain": lambda: plain_chain(3), "plain, deep": lambda: plain_chain(110),
}  # fmt: skip


def words_of(figure):
    return " ".join(label.text for label in figure.layout.labels)


def overlapping(figure):
    """Return labels of which one stands on the other."""
    found = [(label.text, label.box) for label in figure.layout.labels]
    return [
        (a, b) for i, (a, p) in enumerate(found) for b, q in found[i + 1 :]
        if min(p[2], q[2]) - max(p[0], q[0]) > 1 and min(p[3], q[3]) - max(p[1], q[1]) > 1
    ]  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_no_text_of_a_chain_is_under_5_points_in_a_column_of_80_mm(name):
    p = CHAINS[name]()
    figure = viz.draw(p, size="80mm")
    assert figure.smallest_text() >= 5 > viz.draw(p).smallest_text("40mm")
    assert overlapping(figure) == []


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("labels", ["symbol", "value"])
def test_chains_with_flows_fit_a_column_too(name, labels):
    figure = viz.draw(CHAINS[name](), size=80, widths="flow", labels=labels)
    assert overlapping(figure) == []
    assert figure.smallest_text() > 3


def test_a_row_that_goes_on_shows_its_value_twice_and_says_so():
    figure = viz.draw(residual(3, ends=True), size="80mm")
    sums = [shape for shape in figure.layout.shapes if shape.sign]
    assert len({(shape.x, shape.y) for shape in sums if shape.key}) == 3
    assert any(shape for shape in sums if not shape.key and shape.y > 150)
    assert "a line begins with the value that the line before it ends with" in words_of(figure)
    assert "the line before" not in words_of(viz.draw(residual(1), size="120mm"))


def test_every_arrow_of_a_broken_row_ends_on_a_shape_it_names():
    figure = viz.draw(residual(3, ends=True), size="80mm")
    keys = {shape.key for shape in figure.layout.shapes}
    joins = [c for c in figure.layout.curves if c.tail or c.head]
    assert joins
    assert all({curve.tail, curve.head} <= keys for curve in joins)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_left_out_is_gone_and_the_rest_is_as_it_was(part):
    p = residual(2)
    whole = viz.draw(p)
    figure = viz.draw(p, parts=[one for one in PARTS if one != part])
    alone = viz.draw(p, parts=part)
    assert len(figure.layout.items) + len(alone.layout.items) == len(whole.layout.items)
    assert figure.layout.height < whole.layout.height - 15
    assert figure.layout.description == alone.layout.description == whole.layout.description
    assert overlapping(figure) == overlapping(alone) == []


def families():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    w = tg.parameter([[1.0], [2.0]], name="w")
    loss = tg.relu(x @ w).sum()
    return {
        "scalar": tg.paths(loss, x, level="scalar"), "graph": tg.graph(loss), "chain": tg.paths(loss, x),
        "forward": tg.forward_paths(loss, x), "formula": tg.formula(loss, x, at=(0, 0)),
        "flow": tg.edge_flow(loss, x),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["scalar", "graph", "chain", "forward", "formula", "flow"])
def test_every_family_is_drawn_without_headline_and_legend(name):
    what = families()[name]
    whole, figure = viz.draw(what), viz.draw(what, parts=["picture"], size=80)
    assert "forward pass" not in words_of(figure)
    assert " path" not in words_of(figure)
    assert len(figure.layout.items) < len(whole.layout.items)
    assert figure.layout.description == whole.layout.description
    assert overlapping(viz.draw(what, size=80)) == []


@pytest.mark.parametrize("parts", ["pictures", [], ["picture", 3], 7, None])
def test_unknown_parts_are_an_error_that_lists_the_known(parts):
    with pytest.raises(UsageError, match=r"draw: parts=.*'headline', 'picture', 'rows'"):
        viz.draw(residual(1), parts=parts)


def test_a_figure_without_the_parts_asked_for_is_an_error():
    with pytest.raises(FigureError, match=r"parts='rows'.*no such part"):
        viz.draw(residual(1).graph, parts="rows")


def test_a_size_that_is_none_is_an_error_of_draw():
    with pytest.raises(UsageError, match="draw: size 'wide' is no width"):
        viz.draw(residual(1), size="wide")


def test_a_figure_for_a_width_is_saved_in_it(tmp_path):
    figure = viz.draw(residual(1), size="80mm")
    assert 'width="80mm"' in figure.svg == figure.save(tmp_path / "a.svg").read_text("utf-8")
    assert 'width="60mm"' in figure.save(tmp_path / "b.svg", size="60mm").read_text("utf-8")
    assert figure.width == 80
    assert figure.pipe("dot")
    assert "for 80 mm" in repr(figure)


def test_lines_break_between_words_and_lose_none():
    said = (*plain("the product J"), ("12", "sub"), *plain(" of a very longwordthatdoesnotfit"))
    lines = wrapped(said, 12, 90)
    assert len(lines) > 2
    assert " ".join(map(joined, lines)) == joined(said)
    assert all(width(line, 12) <= 90 for line in lines[:-1])


def test_what_stands_below_a_part_left_out_moves_up():
    canvas = Canvas(Page(frozenset({"headline", "legend"})))
    for part, y in (("headline", 0.0), ("rows", 50.0), ("legend", 90.0), ("rows", 130.0)):
        canvas.begin(part)
        canvas.add(Label(plain(part), 0.0, y))
    layout = canvas.finish("", "")
    first, second = (label.y for label in layout.labels)
    assert second - first == 50


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on the PATH")
@pytest.mark.parametrize("before", ["\\noindent", "\\noindent x\\\\", "\\centering"])
def test_a_tikz_picture_is_input_without_overfull_boxes(tmp_path, before):
    figure = viz.draw(residual(2), size="80mm")
    figure.save(tmp_path / "paths.tikz")
    document = (
        "\\documentclass{article}\\usepackage{fix-cm,tikz}\\textwidth=80mm\\textheight=240mm"
        f"\\begin{{document}}{before}\\input{{paths.tikz}}\\end{{document}}"
    )
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "paper.tex"], cwd=tmp_path,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Overfull \\hbox" not in run.stdout


def test_a_tikz_picture_has_the_width_asked_for():
    figure = viz.draw(residual(1))
    text = figure.pipe("tikz", size="80mm", encoding="utf-8")
    unit = float(re.search(r"x=([\d.]+)bp", text)[1])
    assert unit * figure.layout.width == pytest.approx(80 / 25.4 * 72, rel=1e-4)
    assert "documentclass" not in text


def test_a_character_without_a_font_is_an_empty_box(monkeypatch):
    monkeypatch.setattr("viz.writers.raster._FALLBACK_FONTS", ())
    assert _drawable("权重 γ", STYLES["text"]) == "□□ γ"
    assert _drawable("\U0001f680", STYLES["text title"]) == "□"


def test_rows_without_room_for_ways_show_the_signs_of_highlighted_sets():
    p = residual(4, ends=True)
    figure = viz.draw(p, size="60mm", highlight={"a": p[0], "b": p.top(1)}, parts="rows")
    assert {shape.style for shape in figure.layout.shapes} >= {"set 1 sign", "set 2 sign"}


# The message over a figure


@pytest.mark.parametrize("name", ["chain", "graph", "numbers", "forward"])
def test_a_headline_of_ones_own_stands_over_the_count(name):
    what = MESSAGES[name]()
    figure = viz.draw(what, headline="Most of it comes\nalong shortcuts")
    top, below = sorted(figure.layout.labels, key=lambda label: label.y)[:2]
    assert (top.text, top.style) == ("Most of it comes along shortcuts", "text title")
    count = viz.draw(what).layout
    assert below.text == min(count.labels, key=lambda label: label.y).text
    assert below.style == "text quiet"
    assert figure.layout.title == "Most of it comes along shortcuts"
    assert figure.layout.description.startswith(count.title)


MESSAGES = {
    "chain": lambda: residual(2),
    "graph": lambda: residual(2).graph,
    "numbers": lambda: tg.paths(*scalar_ends(), level="scalar"),
    "forward": lambda: tg.forward_paths(*scalar_ends()),
}


def scalar_ends():
    """Two of four hidden units are dead."""
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    w = tg.parameter(np.array([[1.0, -1.0, 1.0, -1.0], [1.0, -1.0, 1.0, -1.0]]), name="w")
    return (tg.relu(x @ w) @ tg.parameter(np.ones((4, 1)), name="u")).sum(), x


@pytest.mark.parametrize("name", ["numbers", "forward"])
def test_where_paths_are_dead_the_message_is_how_many_are_active(name):
    figure = viz.draw(MESSAGES[name]())
    top = min(figure.layout.labels, key=lambda label: label.y)
    assert top.text == "4 of 8 paths are active"
    assert figure.layout.title.endswith(top.text)


def test_a_graph_without_inputs_has_its_headline_too():
    graph = tg.graph(tg.parameter([1.0, 2.0], name="W").sum())
    top = min(viz.draw(graph, headline="Weights alone").layout.labels, key=lambda label: label.y)
    assert top.text == "Weights alone"


@pytest.mark.parametrize("words", ["", "  ", 3, b"a"])
def test_a_headline_that_is_no_text_is_an_error(words):
    with pytest.raises(UsageError, match="headline="):
        viz.draw(residual(1), headline=words)


@pytest.mark.parametrize("name", ["chain", "numbers"])
def test_an_empty_set_to_highlight_is_told_under_the_headline(name):
    paths = MESSAGES[name]()
    empty = paths.with_degree("weight", 99)
    lines = sorted(viz.draw(paths, highlight=empty).layout.labels, key=lambda label: label.y)[:5]
    assert "the set to highlight holds no path" in [line.text for line in lines]
    named = words_of(viz.draw(paths, highlight={"long ones": empty}))
    assert "long ones to highlight holds no path" in named
    assert "holds no path" not in words_of(viz.draw(paths, highlight=paths))


def test_one_number_that_paths_lead_to_is_called_as_in_the_formula():
    x, w = tg.tensor([[1.0, 2.0]]), tg.parameter(np.ones((2, 4)), name="w")
    loss = tg.relu(x @ w).sum()
    shown = words_of(viz.draw(tg.formula(loss, w, at=(0, 2))))
    assert "back to w_13" in shown and "dL/dw_13" in shown
