"""Mathematics in the explorer: drawings set it as figures do, lists and sentences as HTML can."""

import numpy as np
import pytest
from explorer_pages import data, dense, residual, texts

import tinygrad_res as tg
import viz
from viz import text
from viz.explorer.data import segments_of
from viz.explorer.formulas import Formulas, is_formula
from viz.explorer.map import draw_map
from viz.layout import Label

INK = """
(() => {
  const svg = document.querySelector("[id$=-map] svg"), ground = svg.getBoundingClientRect();
  const scale = ground.width / svg.viewBox.baseVal.width;
  return [...svg.querySelectorAll("g > g")].filter((e) => e.querySelector("title")).map((e) => {
    const { left, top, right, bottom } = e.getBoundingClientRect();
    return [e.querySelector("title").textContent, ...[left - ground.left, top - ground.top,
      right - ground.left, bottom - ground.top].map((x) => x / scale)];
  });
})()
"""


def parts_apart():
    """A scope that is entered twice, with another between."""
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    with tg.scope("outside"):
        first = tg.relu(x @ tg.parameter(np.eye(2), name="W_1"))
    with tg.scope("between"):
        h = tg.tanh(first)
    with tg.scope("outside"):
        last = tg.concat([tg.exp(h), first, x], axis=1)
    return tg.paths((last * last).sum() + x.sum(), x)


def numbers(width, layers):
    """A network of single numbers, with so many edges that its map is among the largest."""
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.standard_normal((1, width)), requires_grad=True, name="x")
    for k in range(layers):
        h = tg.tanh(h @ tg.parameter(rng.standard_normal((width, width)), name=f"W_{k}"))
    return tg.paths(h.sum(), x, level="scalar")


@pytest.mark.parametrize("level", ["tensor", "scalar"])
def test_every_formula_of_the_map_stands_where_that_of_the_figure_does(level, show):
    paths = dense(level)
    layout, _ = draw_map(paths, segments_of(paths), Formulas())
    labels = [item for item in layout.items if isinstance(item, Label) and item.formula]
    found = show(paths).run(INK)
    assert len(found) == len(labels) > 5
    for (title, *box), label in zip(found, labels, strict=True):
        assert title == "".join(words for words, _ in label.runs)
        assert box == pytest.approx(label.box, abs=0.6)


def test_blocks_that_share_a_tile_have_their_own_formulas(show):
    page = show(residual(12), fragment="#open=1")
    titles = texts(page, "button.tile g > title")
    assert [f"W{n}" for n in range(11, 21)] == [name for name in titles if name[0] == "W"]
    widths = dict(
        page.run(
            '[...document.querySelectorAll("button.tile g > g")].map((e) => '
            '[e.querySelector("title").textContent, e.getBoundingClientRect().width])'
        )
    )
    for name, number in (("W11", "11"), ("W20", "20")):
        runs = text.math(f"W_{{{number}}}")
        assert widths[name] == pytest.approx(text.width(runs, 12), abs=0.5)


def test_without_glyphs_names_are_written_as_text(show, monkeypatch):
    monkeypatch.setattr(Formulas, "place", lambda *_: -1)
    page = show(residual(3))
    assert "W1" in texts(page, "button.tile text") and "J2" in texts(page, "button.tile text")
    assert texts(page, "button.tile g > title") == []


def test_each_glyph_and_each_formula_is_told_once():
    formulas = data(viz.explore(residual(600, 2)).html)["formulas"]
    outlines = [outline for _, outline in formulas["glyphs"]]
    assert len(set(outlines)) == len(outlines) < 25
    assert len({str(formula) for formula in formulas["set"]}) == len(formulas["set"])


def test_pages_of_large_maps_stay_small():
    paths = numbers(9, 5)
    assert len(paths.edges) > 450
    told = viz.explore(paths).html
    assert data(told)["map"]["rows"] and len(told.encode()) < 450_000


def test_variables_are_italic_and_functions_upright_in_products(show):
    page = show(dense())
    html = page.run('document.querySelector("[id$=-facts] dd:nth-of-type(2)").innerHTML')
    assert html == "relu(·) · relu′ · <i>W</i><sub>2</sub>"
    assert "<i>x</i> → concat" in page.run('document.querySelector("[id$=-facts]").innerHTML')


def test_names_that_are_words_stay_words(show):
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x is a vector")
    assert not is_formula("x is a vector") and is_formula("x_0")
    page = show(tg.paths((x * x + tg.exp(x)).sum(), x))
    assert "<i>x</i>" not in page.run("document.body.innerHTML")


def test_a_product_too_long_for_its_row_says_so_and_its_exponents_are_exact(show):
    first = texts(show(residual(600, 2)), "[role=option] > :nth-child(3)")[0]
    assert first == "g · I600"
    alternating = f"#r={int('10' * 150, 2)}"
    shown = texts(show(residual(300, 2), fragment=alternating), "[role=option] > :nth-child(3)")
    assert all(words.endswith(" · …") for words in shown)


def test_every_piece_of_a_folded_scope_is_covered(show):
    page = show(parts_apart())
    page.run('[...document.querySelectorAll("[data-fold]")].find((e) => e.textContent.endsWith("outside")).click()')  # fmt: skip
    assert texts(page, ".lid:not(.shut)") == ["outside2 nodes", "outside2 nodes"]
    shut = '[...document.querySelectorAll("[data-node].shut")].map((e) => e.dataset.node)'
    assert len(set(page.run(shut))) == 4
