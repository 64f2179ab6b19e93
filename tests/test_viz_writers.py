"""One layout in every format: sizes on paper, styles, and the graphviz package's names."""

import itertools
import re
import xml.etree.ElementTree as ET

import dot_program
import gallery
import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError, UsageError
from viz.layout import Curve, Label, Layout, Shape
from viz.style import PALETTE, STYLES, colour, look
from viz.text import words_width
from viz.writers.dot import to_dot
from viz.writers.mermaid import MOST_EDGES, to_mermaid
from viz.writers.raster import _words

TEXTS = ("svg", "dot", "tex", "mmd", "html")
FORMATS = ("svg", "pdf", "png", "dot", "tex", "mmd", "html")

# Mermaid


def test_mermaid_has_the_nodes_and_edges_of_the_layout():
    figure = gallery.figure("residual_chain_2")
    edges = [c for c in figure.layout.curves if c.tail and c.style != "forward"]
    nodes = {shape.key for shape in figure.layout.shapes if shape.key}
    lines = figure.mermaid.splitlines()
    assert sum(bool(re.match(r"  n\d+ (==>|-\.->|-->)", line)) for line in lines) == len(edges)
    assert sum(bool(re.match(r"  n\d+[(\[]", line)) for line in lines) == len(nodes)
    assert sum("==>" in line for line in lines) == 4
    assert '-.->|"W_1"| n0' in figure.mermaid and '|"relu′"|' in figure.mermaid
    said = figure.mermaid.replace("#58;", ":").replace("#59;", ";")
    assert "thick: weight-free: no weight layer" in said and "dashed: a weight layer;" in said


def test_mermaid_shows_parallel_edges():
    assert gallery.figure("square").mermaid.count('-->|"x"|') == 2


def test_mermaid_words_are_those_beside_their_shape():
    shown = gallery.figure("deep_chain_50").mermaid
    assert '[["× 47 blocks 3 … 49"]]' in shown
    assert '(("L"))' in shown
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    shown = viz.draw(tg.graph(tg.tanh(x @ tg.parameter(np.eye(2), name="W")))).mermaid
    assert '["W 2×2 float64"]' in shown and '("matmul 1×2 float64")' in shown


def test_what_is_too_much_for_mermaid_is_drawn_by_columns_and_says_so():
    x = tg.tensor(np.ones((1, 12)), requires_grad=True, name="x")
    h = tg.tanh(x @ tg.parameter(np.ones((12, 16)), name="W"))
    shown = viz.draw(tg.paths(h.sum(), x, level="scalar")).mermaid
    edges = re.findall(r'(?:-->|-\.->)\|"× (\d+)"', shown)
    assert len(edges) == 3 and "… x_12#58; × 12" in shown
    assert "are too many for Mermaid#58; those of a column are drawn as one" in shown


@pytest.mark.parametrize("apart", [0.0, 30.0])
def test_more_edges_than_mermaid_draws_become_one_for_each_two_columns(apart):
    """Or are an error that says what to do, where no two shapes share a column."""
    ends = [
        Shape("circle", 300.0 + apart * k, k * 30.0, 20, 20, "value", key=str(k))
        for k in range(MOST_EDGES + 2)
    ]
    lines = [
        Curve(((end.x, end.y), (0.0, 0.0)), "plain", tail=end.key, head="0") for end in ends[1:]
    ]
    layout = Layout(60, 20, (*ends, *lines), "many", "")
    if apart:
        with pytest.raises(FigureError, match=r"501 edges.*max_nodes"):
            to_mermaid(layout)
    else:
        assert '-->|"× 501"|' in to_mermaid(layout)


def test_mermaid_has_the_numbers_on_edges_and_the_legend_of_the_figure():
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    loss = tg.relu(x @ tg.parameter(np.array([[1.0, -1.0], [1.0, -1.0]]), name="W")).sum()
    shown = viz.draw(tg.paths(loss, x, level="scalar")).mermaid
    edges = re.findall(r'n\d+ \S+\|"([^"]*)"\|', shown)
    assert sorted(edges) == ["0", "1", "W_11 = 1", "W_21 = 1"]
    assert "faint#58; carries nothing" in shown


def test_a_figure_without_nodes_has_no_mermaid(tmp_path):
    with pytest.raises(FigureError, match=r"\.svg"):
        viz.draw(gallery.no_path()).save(tmp_path / "a.mmd")
    assert not list(tmp_path.iterdir())


# DOT


@pytest.mark.parametrize("name", ["residual_chain_2", "attention", "recorded_graph"])
def test_graphviz_draws_the_source_as_the_figure(name):
    """Whatever engine is asked for: the size, and every shape at its place."""
    figure = gallery.figure(name)
    layout = figure.layout
    drawn = dot_program.read(figure.source)
    box = [float(number) for number in drawn["bb"].split(",")]
    assert box == pytest.approx([0, 0, layout.width, layout.height], abs=1)
    at = {item["name"]: [float(n) for n in item["pos"].split(",")] for item in drawn["objects"]}
    for shape in layout.shapes:
        if shape.key:
            assert at[shape.key] == pytest.approx([shape.x, layout.height - shape.y], abs=0.5)
    ends = [(item["tail"], item["head"]) for item in drawn["edges"]]
    named = [(drawn["objects"][a]["name"], drawn["objects"][b]["name"]) for a, b in ends]
    edges = [(c.tail, c.head) for c in layout.curves if c.tail and c.head]
    assert edges and sorted(edges) == sorted(end for end in named if {*end} <= {*sum(edges, ())})


def test_dot_draws_bands_under_lines_and_weights_over_them():
    """Graphviz draws an edge when it comes to its tail: what stands where decides."""
    x = tg.tensor(np.ones((1, 2)), requires_grad=True, name="x")
    paths = tg.paths((x + x @ tg.parameter(np.eye(2), name="W")).sum(), x)
    layout = viz.draw(paths, widths="flow").layout
    source = to_dot(layout)
    nodes = [line.strip() for line in source.splitlines() if "pos=" in line and "->" not in line]
    colours = {STYLES[name].stroke for name in STYLES if re.match(r"flow -?\d", name)}
    inks = {colour(name, "light") for name in colours}
    bands = [line for line in source.splitlines() if any(f'color="{ink}"' in line for ink in inks)]
    tails = {line.split(" -> ")[0].strip() for line in bands}
    where = [i for i, line in enumerate(nodes) if line.split(" [")[0] in tails]
    shapes = [i for i, line in enumerate(nodes) if "shape=circle" in line]
    squares = [i for i, line in enumerate(nodes) if "shape=box" in line and "#0072B2" in line]
    merge = next(i for i, line in enumerate(nodes) if line.startswith('"part 0" '))
    assert len(tails) > 3 and max(where) < min(shapes)
    assert squares and merge < squares[0]


def test_a_formula_keeps_to_its_room_in_dot():
    """It is narrower in the glyphs of the layout than in the fonts of Graphviz."""
    layout = gallery.figure("chain_rule").layout
    sizes = re.findall(r'"label \d+" .*width=([\d.]+), height.*fontsize=([\d.]+)', to_dot(layout))
    assert len(sizes) == len(layout.labels)
    for label, (width, size) in zip(layout.labels, sizes, strict=True):
        bold = STYLES[label.style].bold
        assert words_width(label.runs, float(size), bold) <= 72 * float(width) * 1.02
        assert label.formula or float(size) == label.size


def test_dot_follows_its_style():
    figure = gallery.figure("recorded_graph")
    dark = figure.pipe("dot", "dark", encoding="utf-8")
    assert PALETTE["weight"][1] in dark and PALETTE["weight"][0] not in dark


# Sizes


@pytest.mark.parametrize("size", ["80mm", "8cm", 80, 80.0, " 80 mm "])
def test_a_width_in_mm_scales_the_picture_as_a_whole(size):
    figure = gallery.figure("residual_block")
    root = ET.fromstring(figure.pipe("svg", size=size))
    w, h = figure.layout.width, figure.layout.height
    assert root.get("width") == "80mm"
    assert float(root.get("height")[:-2]) == pytest.approx(80 * h / w, abs=0.01)
    assert root.get("viewBox") == f"0 0 {w:g} {h:g}"
    assert 'width="80mm"' in figure.pipe("html", size=size, encoding="utf-8")


def test_a_png_keeps_its_pixels_and_says_its_width():
    plain, wide = (gallery.figure("residual_block").pipe("png", size=size) for size in (None, 80))
    pixels = [int.from_bytes(png[16:20], "big") for png in (plain, wide)]
    assert abs(pixels[0] - pixels[1]) <= 1
    at = wide.index(b"pHYs") + 4
    assert pixels[1] / int.from_bytes(wide[at : at + 4], "big") == pytest.approx(0.080, rel=0.01)


@pytest.mark.parametrize("size", [0, -3, "80", "mm", "80px", float("nan"), float("inf"), True, [80], "1e9mm", 1e-9])  # fmt: skip
def test_what_is_no_width_is_an_error_before_any_file_is_touched(size, tmp_path):
    with pytest.raises(UsageError, match=r"size .* is no width on paper.*'80mm'"):
        gallery.figure("residual_block").save(tmp_path / "a.svg", size=size)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", ["dot", "mmd"])
def test_a_size_that_a_format_has_not_is_an_error(format, tmp_path):
    with pytest.raises(FigureError, match="leave size out"):
        gallery.figure("residual_block").save(tmp_path / f"a.{format}", size=80)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [0, -1, 1e-9, 1e9, "2", None])
def test_what_is_no_scale_is_an_error(scale):
    with pytest.raises(UsageError, match="scale"):
        gallery.figure("residual_block").pipe("png", scale=scale)


def test_sizes_and_scales_may_be_numbers_of_any_kind():
    figure = gallery.figure("residual_block")
    assert figure.pipe("svg", size=np.float32(80)) == figure.pipe("svg", size="80mm")
    assert figure.pipe("png", scale=np.int64(1)) == figure.pipe("png", scale=1)


def test_a_png_that_no_memory_holds_is_refused_with_the_scale_that_fits():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    with pytest.raises(UsageError, match=r"scale=100 makes .* pixels.* at most [1-9]\d*\.\d"):
        viz.draw(x.sum()).pipe("png", scale=100)


# Styles


def test_print_has_greys_only_and_lines_that_differ():
    for name in PALETTE:
        red, green, blue = (colour(name, "print")[i : i + 2] for i in (1, 3, 5))
        assert red == green == blue
    lines = [
        look(name, "print") for name in ("identity", "weight", "activation", "plain", "forward")
    ]
    for a, b in itertools.combinations(lines, 2):
        wide, thin = max(a.width, b.width), min(a.width, b.width)
        assert a.dash != b.dash or wide / thin >= 1.5


def test_a_picture_in_one_style_has_no_other_colours():
    figure = gallery.figure("residual_chain_2")
    for format in ("svg", "html", "tex", "dot"):
        text = figure.pipe(format, "print", encoding="utf-8")
        colours = re.findall(r"#([0-9A-F]{6})|\{HTML\}\{([0-9A-F]{6})\}", text)
        assert {a or b for a, b in colours} <= {"000000", "FFFFFF", "B8B8B8", "DCDCDC"}
        assert "prefers-color-scheme" not in text
    dark = figure.pipe("svg", "dark", encoding="utf-8")
    assert PALETTE["paper"][1] in dark and PALETTE["paper"][0] not in dark


def test_an_automatic_picture_is_light_on_paper():
    for format in ("svg", "html"):
        text = gallery.figure("residual_block").pipe(format, encoding="utf-8")
        schemes = re.findall(r"@media ([^{]*prefers-color-scheme:dark\))", text)
        assert schemes and all(scheme.startswith("screen and") for scheme in schemes)


def test_an_unknown_style_is_an_error_that_lists_the_known():
    with pytest.raises(UsageError, match="auto, light, dark, print"):
        gallery.figure("residual_block").pipe("svg", "sepia")


# The graphviz package's names


@pytest.mark.parametrize("format", FORMATS)
def test_pipe_render_and_save_agree(format, tmp_path):
    figure = gallery.figure("residual_block")
    piped = figure.pipe(format)
    assert figure.save(tmp_path / f"a.{format}").read_bytes() == piped
    assert figure.render(tmp_path / "b", format).read_bytes() == piped
    assert figure.render(tmp_path / f"c.{format}").read_bytes() == piped
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n}.{format}" for n in "abc"]


def test_text_is_returned_as_text_where_an_encoding_is_given():
    figure = gallery.figure("residual_block")
    found = [figure.pipe(format, encoding="utf-8") for format in TEXTS]
    assert found[0] == figure.svg and found[1] == figure.source
    assert figure.tikz in found[2] and found[3] == figure.mermaid and found[4] == figure.html


@pytest.mark.parametrize(("format", "encoding"), [("pdf", "utf-8"), ("svg", "ascii"), ("svg", "no"), ("svg", 8)])  # fmt: skip
def test_an_encoding_that_cannot_read_the_format_is_an_error(format, encoding):
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="权")
    with pytest.raises(UsageError, match=f"encoding={encoding!r} cannot read {format}"):
        viz.draw(x.sum()).pipe(format, encoding=encoding)


@pytest.mark.parametrize("call", ["pipe", "render"])
def test_an_unknown_format_is_an_error_that_lists_the_known(call, tmp_path):
    figure = gallery.figure("residual_block")
    asked = ("gif",) if call == "pipe" else (tmp_path / "a", "gif")
    with pytest.raises(UsageError, match=r"svg, pdf, png, dot, tex, tikz, mmd, html"):
        getattr(figure, call)(*asked)
    assert not list(tmp_path.iterdir())


def test_a_notebook_chooses_among_what_a_figure_can_show():
    figure = gallery.figure("residual_block")
    assert set(figure._repr_mimebundle_()) == {"text/html", "image/svg+xml", "text/plain"}
    assert set(figure._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(figure._repr_mimebundle_(exclude={"text/plain"})) == {"text/html", "image/svg+xml"}


@pytest.mark.parametrize("format", TEXTS)
def test_text_formats_are_the_same_for_the_same_input(format):
    first, second = (gallery.figure("pre_activation").pipe(format) for _ in range(2))
    assert first == second


def test_every_style_is_drawn_in_every_text_format():
    items = []
    for k, (name, style) in enumerate(STYLES.items()):
        y = 20.0 * k
        if name.startswith("text"):
            items.append(Label((("words", ""),), 10.0, y, style=name))
        elif style.stroke:
            items.append(Curve(((40.0, y), (10.0, y)), name, tail=f"t{k}", head=f"h{k}"))
        items += [
            Shape("box", x, y, 8, 8, name, key=f"{end}{k}") for x, end in ((10, "h"), (40, "t"))
        ]
    figure = viz.Figure(Layout(60, 20.0 * len(STYLES), tuple(items), "all", ""))
    for format in FORMATS:
        for style in ("light", "dark", "print"):
            assert figure.pipe(format, style)


def test_a_subscript_in_words_stands_behind_its_letter_in_a_picture():
    runs = (
        ("subscripts of elements count from 1: the long name x", ""),
        ("2", "sub"),
        (" ends", ""),
    )
    pieces = _words(Label(runs, 0.0, 0.0, 12, "text quiet", "start"), "light", 1.0)
    said = [piece.get_text() for piece in pieces]
    assert "".join(said) == "".join(words for words, _ in runs)
    assert said[-4:-1] == ["x", "2", " "] and all(len(word) <= 11 for word in said)
    starts = [piece.get_position()[0] for piece in pieces]
    assert starts == sorted(starts)
