"""Drawings of the explorer, as Python makes them: the map, the tiles of a chain, the histograms."""

import numpy as np
import pytest
from explorer_pages import dense, plain, residual, windowed

import tinygrad_res as tg
import viz
from viz import text
from viz.chains.chain import read_chain
from viz.explorer.bars import draw_bars
from viz.explorer.data import Names, segments_of
from viz.explorer.formulas import Formulas
from viz.explorer.map import draw_map
from viz.explorer.tiles import draw_tiles
from viz.layout import Curve, Label, Shape
from viz.norms import norms_by


def mapped(paths):
    return draw_map(paths, segments_of(paths), Formulas())


def half_free():
    """A copy on the weight-free path, and another that only weighted paths take."""
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h = x @ tg.parameter(np.eye(3), name="V")
    return tg.paths((x + (h + tg.tanh(h))).sum(), x)


@pytest.mark.parametrize("made", [dense, plain, half_free, lambda: residual(2)])
def test_red_on_the_map_are_the_copies_on_weight_free_paths(made):
    paths = made()
    layout, told = mapped(paths)
    pairs = zip(layout.items, told["rows"], strict=True)
    red = {row[1] for item, row in pairs if isinstance(item, Curve) and item.style == "identity"}
    free = [edge for path in paths if not path.degree("weight") for edge in path.edges]
    assert red == {edge.index for edge in free if edge.is_identity}


def test_scopes_that_read_alike_are_told_apart():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    h = x
    for name in ("a b", "a\nb", "", "a\x00b"):
        with tg.scope(name or " "):
            h = h * tg.tanh(h)
    _, told = mapped(tg.paths(h.sum(), x))
    assert sorted(set(told["scopes"].values())) == ["a b", "a b′", "a b′′", "unnamed"]


def test_a_graph_of_too_many_nodes_has_no_map_and_says_so():
    x = h = tg.tensor([1.0], requires_grad=True, name="x")
    for _ in range(260):
        h = tg.tanh(h)
    layout, told = mapped(tg.paths(h, x))
    assert layout is None and told["rows"] == []
    assert told["why"].startswith("no map: 261 nodes and 260 edges")


def test_words_of_all_blocks_fit_the_tile_that_they_share():
    names = Names()
    layout, told = draw_tiles(read_chain(residual(12)), names, Formulas())
    assert len(told["tiles"]) < 4 < len(told["parts"])
    for tile, words, *_ in told["parts"]:
        _, start, drawn, *_ = told["tiles"][tile]
        for i, (_, word) in enumerate(drawn):
            item = layout.items[start + i]
            if word >= 0:
                assert isinstance(item, Label)
                own = text.joined(text.math(names.texts[words[word][0]]))
                assert len(own) <= len(text.joined(item.runs))


def test_a_tile_starts_with_the_sign_that_the_one_before_it_ends_in():
    layout, told = draw_tiles(read_chain(residual(3)), Names(), Formulas())
    signs = []
    for tile, *_ in told["parts"][1:]:
        _, start, drawn, *_ = told["tiles"][tile]
        circles = [item for item in layout.items[start : start + len(drawn)]
                   if isinstance(item, Shape) and item.kind == "circle" and item.style == "value"]  # fmt: skip
        signs.append({round(item.x): item.sign for item in circles}[0])
    assert signs == ["+"] * len(signs) and len(signs) == 3


def test_tiles_reach_no_farther_than_what_is_drawn():
    layout, told = draw_tiles(read_chain(residual(3)), Names(), Formulas())
    for _, start, drawn, above, below in told["tiles"]:
        boxes = [item.box for item in layout.items[start : start + len(drawn)]]
        assert min(box[1] for box in boxes) == pytest.approx(told["axis"] - above + 8, abs=0.2)
        assert max(box[3] for box in boxes) == pytest.approx(told["axis"] + below - 8, abs=0.2)


def test_the_legend_lists_what_is_drawn_and_nothing_else():
    red, plus = "weight-free</li>", "sum</li>"
    scalar = viz.explore(dense("scalar")).html
    assert "a value</li>" in viz.explore(residual(2)).html
    assert red in viz.explore(residual(2)).html and plus in viz.explore(residual(2)).html
    assert red not in scalar and plus not in scalar and "forward pass</li>" not in scalar


def test_numbers_have_the_symbols_of_figures():
    paths = dense("scalar")
    layout, _ = mapped(paths)
    drawn = {text.joined(label.runs) for label in layout.labels}
    figure = {text.joined(label.runs) for label in viz.draw(paths).layout.labels}
    assert {"x_11", "x_23", "L"} <= drawn & figure
    assert not [words for words in drawn if "[" in words or words in ("1 = 1.00", "1 = 1")]
    assert "Gradient paths from L back to x." in viz.explore(paths).html


@pytest.mark.parametrize("made", [lambda: residual(5), windowed, plain])
def test_degrees_stand_where_the_page_is_told(made):
    paths = made()
    for layout, told in draw_bars(paths.count_by("weight"), norms_by(paths)):
        found = sorted({s.x for s in layout.shapes if s.style in ("bar", "bar free")})
        expected = [told["start"] + told["step"] * k for k in paths.count_by("weight")]
        assert found == pytest.approx(expected, abs=0.1)


def test_norms_that_end_early_or_are_zero_are_said_or_left_out():
    counts = {0: 1, 1: 2, 2: 1}
    _, (norms, _) = draw_bars(counts, {0: 1.0, 1: 0.5})
    assert "computed up to 1 weight layers" in [label.text for label in norms.labels]
    assert len(draw_bars(counts, {0: 0.0, 1: 0.0, 2: 0.0})) == len(draw_bars(counts, {})) == 1


def test_outputs_that_no_path_leaves_are_not_told():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    paths = tg.paths(tg.tanh(x), x, level="scalar", at=(0,), cotangent=[1.0, 1.0])
    (edges,) = segments_of(paths)
    assert {edge for edge, _, _ in edges} == {e for path in paths for e in path._numbers}


def stepped(told, formula):
    """Return where each glyph of a formula stands, as the page's script steps to it."""
    found = []
    for x, y, scale, *glyphs in told["set"][formula][1:]:
        for glyph in glyphs:
            found.append((x, y, scale))
            x += told["glyphs"][glyph][0] * scale
    return found


def test_the_page_steps_to_where_glyphs_stand():
    formulas = Formulas()
    label = Label(text.math("∂W_{12} + J_{3}"), 0.0, 0.0, 12)
    place = formulas.place(label)
    steps = stepped(formulas.told, place)
    _, line, _ = text.typeset(label.runs)
    assert len(steps) == len(line.glyphs) > 5
    for (x, y, scale), (_, *at) in zip(steps, line.glyphs, strict=True):
        assert (x / 1000, y / 1000, scale) == pytest.approx(at, abs=2e-3)


def test_a_formula_that_ends_in_words_is_left_to_the_browser():
    assert Formulas().place(Label(text.math("J_{k}: derivative"), 0.0, 0.0, 12)) == -1
    assert Formulas().place(Label(text.plain("derivative"), 0.0, 0.0, 12)) == -1
