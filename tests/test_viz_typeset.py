"""Formulas in figures: which labels are set in glyphs, how wide they are, what is drawn."""

import importlib
import io
import itertools
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from xml.sax.saxutils import unescape

import numpy as np
import pytest
from matplotlib.image import imread

import tinygrad_res as tg
import viz
from viz import text, typeset
from viz.layout import Canvas, Label
from viz.symbols import latex, split
from viz.typeset import SIZE, line

SVG = "{http://www.w3.org/2000/svg}"


def said(runs):
    """A label's formula as LaTeX, and the words behind it."""
    atoms, words = split(runs)
    return latex(atoms), text.joined(words)


def partial(*runs):
    return tuple((run, "sub" if i % 2 else "") for i, run in enumerate(runs))


# What reads as mathematics


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (text.name("W_1"), "W_{1}"),
        (text.name("x"), "x"),
        (text.name("y_{n-1}"), "y_{n-1}"),
        (text.name("h_out"), r"h_{\mathrm{out}}"),
        (text.name("relu'"), r"\mathrm{relu}'"),
        (text.name("λ"), r"\lambda"),
        (text.plain("softmax(·)"), r"\mathrm{softmax}(\cdot )"),
        (text.math("g (I + J_{3}) (I + J_{2})"), r"g\,(I + J_{3})\,(I + J_{2})"),
        (text.math("I · J_{k,i} · … · S"), r"I \cdot J_{k,i} \cdot \cdots \cdot S"),
        (partial("∂x", "2;1", "/∂w", "2;11", " = −1.40"),
         r"\partial x_{2;1}/\partial w_{2;11} = -1.40"),
        ((("∂", ""), ("my_loss", ""), ("/∂", ""), ("m", "")),
         r"\partial \mathrm{my\_loss}/\partial m"),
        (partial("W", "1", " = 1.23\u2009·\u200910⁻⁵"), r"W_{1} = 1.23\,\cdot \,10^{-5}"),
    ],
)  # fmt: skip
def test_symbols_and_formulas_are_mathematics(runs, expected):
    assert said(runs) == (expected, "")


@pytest.mark.parametrize(
    "runs",
    [
        text.plain("0.644 · 1.40"), text.plain("1"), text.plain("× 6"), text.plain("…"),
        text.plain("sum of the 8 rows"), text.plain("0, weight-free"), text.plain("(2, 3) float64"), text.plain("blocks (3 of 4)"),
        text.name("multiply"), text.name("my_layer"), text.name("权重"), text.name("φ_2"), text.name("h_{a-b}"), text.name("</script>"),
        text.name(r"\frac{1}{2}"), text.name("a\nb$x$"), text.name("x" * 300), text.name(""),
        (*text.plain("from "), *text.name("L"), *text.plain(" back to "), *text.name("x")),
    ],
)  # fmt: skip
def test_words_numbers_and_other_names_stay_text(runs):
    assert split(runs) == ((), runs)
    assert Label(runs, 0, 0).formula is None


def test_words_behind_a_colon_explain_a_symbol():
    assert said(text.math("J_{k}: derivative of R_{2}")) == ("J_{k}", ": derivative of R_2")
    assert said((*text.name("m"), *text.plain(": pow + add"))) == ("m", ": pow + add")
    assert said(text.plain("block: x")) == ("", "block: x")


# Widths


@pytest.fixture(scope="module")
def ziamath():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("ziamath")


@pytest.mark.parametrize("symbol", ["x", "L", "W_1", "J_{12}", "W_{1;2}", "g_{k}", "tanh′(x)"])
def test_symbols_are_as_large_as_another_typesetter_sets_them(symbol, ziamath):
    atoms, _ = split(text.math(symbol))
    found, box = line(atoms), ziamath.Latex(latex(atoms), size=1000).node.bbox
    assert found.width / SIZE == pytest.approx((box.xmax - box.xmin) / 1000, abs=0.15)
    assert found.ascent / SIZE == pytest.approx(box.ymax / 1000, abs=0.03)
    assert found.descent / SIZE == pytest.approx(-box.ymin / 1000, abs=0.03)


@pytest.mark.parametrize("anchor", ["start", "middle", "end"])
def test_the_box_of_a_formula_is_its_ink(anchor):
    """All that the PNG shows, and nothing more."""
    label = Label(text.math("∂F/∂y = W_{1} · J_{k,i}"), 200.0, 60.0, 40, anchor=anchor)
    canvas = Canvas()
    canvas.add(label)
    layout = canvas.finish("one", "one label", margin=20.0)
    pixels = pixels_of(viz.Figure(layout).pipe("png"))
    dark = np.argwhere(pixels.min(axis=2) < 128)
    (top, left), (bottom, right) = dark.min(axis=0), dark.max(axis=0)
    scale = pixels.shape[1] / layout.width
    found = np.array([left, top, right + 1, bottom + 1]) / scale
    np.testing.assert_allclose(found, layout.labels[0].box, atol=0.8)


def pixels_of(png):
    return imread(io.BytesIO(png))[..., :3] * 255


def test_a_bold_formula_is_set_in_bold_letters():
    atoms, _ = split(text.math("I · J_{2}"))
    thin, thick = line(atoms), line(atoms, bold=True)
    assert {g.outline.name for g in thin.glyphs} & {g.outline.name for g in thick.glyphs} == {"b7"}


@pytest.mark.parametrize(
    ("formula", "eighteenths"),
    [("x + y", 4), ("x·y", 4), ("x = y", 5), ("−y", 0), ("(−y", 0), ("(x) y", 3),
     ("x, y", 3), ("x / y", 3)],
)  # fmt: skip
def test_spaces_are_those_of_tex(formula, eighteenths):
    """Between the last two glyphs, however many spaces were written."""
    atoms, _ = split(text.plain(formula))
    before, last = line(atoms).glyphs[-2:]
    gap = last.x - before.x - SIZE * before.outline.advance / 1000
    assert gap / SIZE == pytest.approx(eighteenths / 18, abs=1e-6)


# Figures


def chain(blocks=2, name="x"):
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name=name)
    for k in range(1, blocks + 1):
        h = h + tg.relu(h @ tg.parameter(rng.standard_normal((3, 3)), name=f"W_{k}"))
    return tg.paths(h.sum(), x)


def test_every_formula_is_drawn_from_glyphs_of_its_own_figure():
    figure = viz.draw(chain())
    root = ET.fromstring(figure.svg)
    drawn = {path.get("id") for path in root.find(f"{SVG}defs")}
    used = [use.get("href")[1:] for use in root.iter(f"{SVG}use")]
    glyphs = [g for label in figure.layout.labels if label.formula for g in label.formula.glyphs]
    assert set(used) == drawn and len(used) == len(glyphs) > len(drawn)
    assert all(name.startswith(root.get("id")) for name in drawn)


def test_figures_on_one_page_share_no_ids():
    ids = [set(re.findall(r' id="([^"]+)"', viz.draw(chain(n)).svg)) for n in (1, 2)]
    assert not ids[0] & ids[1]


def test_the_title_of_a_formula_is_its_latex():
    figure = viz.draw(chain())
    titles = [unescape(t.text) for t in ET.fromstring(figure.svg).iter(f"{SVG}title")]
    assert {"W_{1}", "J_{1}", r"\partial L/\partial x = g\,(I + J_{2})\,(I + J_{1})"} <= set(titles)
    assert r"$\partial L/\partial x = g\,(I + J_{2})\,(I + J_{1})$" in figure.tikz


def test_the_description_keeps_plain_words():
    assert "\\" not in viz.draw(chain()).layout.description


def test_formulas_have_the_colour_of_their_style_in_every_theme():
    figure = viz.draw(chain())
    groups = [
        g for g in ET.fromstring(figure.svg).iter(f"{SVG}g") if g.find(f"{SVG}use") is not None
    ]
    classes = {g.get("class").partition("-")[2] for g in groups}
    assert classes >= {"text", "text-weight", "text-identity", "text-activation"}
    prefix = figure.svg.partition('id="')[2].partition('"')[0]
    assert figure.svg.count(f".{prefix}-text-weight{{fill:") == 2


def test_the_same_figure_gives_the_same_bytes():
    assert viz.draw(chain()).svg == viz.draw(chain()).svg


@pytest.mark.parametrize("name", ["权重", "🙂", "\\end{x}", "ə_1", "x_权", "$x$"])
def test_names_that_are_no_symbols_are_shown_as_they_are(name):
    root = ET.fromstring(viz.draw(chain(name=name)).svg)
    assert any("".join(words.itertext()) == name for words in root.iter(f"{SVG}text"))


def test_a_formula_with_a_character_that_the_font_lacks_is_text(monkeypatch):
    monkeypatch.setattr(typeset, "_outline", {"1": None}.get)
    assert typeset.line.__wrapped__(split(text.math("1 + x"))[0]) is None


def test_no_two_labels_touch():
    for blocks in (1, 2, 3, 4):
        boxes = [label.box for label in viz.draw(chain(blocks)).layout.labels]
        for a, b in itertools.combinations(boxes, 2):
            apart = a[2] <= b[0] + 0.5 or b[2] <= a[0] + 0.5
            assert apart or a[3] <= b[1] + 0.5 or b[3] <= a[1] + 0.5


def test_the_typesetter_is_not_imported_before_a_formula_is_drawn():
    code = (
        "import sys, viz, tinygrad_res as tg\n"
        "assert not {'ziamath', 'ziafont'} & set(sys.modules)\n"
        "x = tg.tensor(1.0, requires_grad=True, name='x')\n"
        "viz.draw(tg.paths(tg.exp(x), x)).svg\n"
        "assert 'ziafont' in sys.modules and 'ziamath' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
