"""Files and notebooks: formats, atomic writes, long names."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError, FileError, UsageError
from viz.text import clean
from viz.writers.dot import quoted


def net(name="x"):
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name=name)
    with tg.scope(name.replace("/", "")):
        h = tg.relu(x @ tg.parameter(rng.standard_normal((3, 3)), name=name))
        loss = (x + h @ tg.parameter(rng.standard_normal((3, 3)), name=name)).sum()
    return x, loss


def figures(name="x"):
    """Return a figure of a chain and one of a recorded graph."""
    x, loss = net(name)
    return viz.draw(tg.paths(loss, x)), viz.draw(loss)


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
    with pytest.raises(FileError, match=r"a\.svg.*No space left"):
        figures()[0].save(target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileError, match=r"nowhere.*choose a folder"):
        figures()[0].save(tmp_path / "nowhere" / "a.svg")


@pytest.mark.parametrize("name", ["a\0.svg", "\ud800.svg", "x" * 300 + ".svg"])
def test_a_name_that_no_file_may_have_is_an_error_of_ours(name, tmp_path):
    with pytest.raises(FileError, match="cannot write"):
        figures()[0].save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [None, 3, b"a.svg"])
def test_what_is_no_path_is_an_error_of_ours(path):
    with pytest.raises(UsageError, match=r"pass a str or a pathlib\.Path"):
        figures()[0].save(path)


def test_an_unknown_ending_is_an_error_that_lists_the_known(tmp_path):
    with pytest.raises(
        FigureError, match=r"\.svg, \.pdf, \.png, \.dot, \.tex, \.tikz, \.mmd, \.html"
    ):
        figures()[0].save(tmp_path / "a.gif")


def test_importing_viz_loads_no_plotting_library():
    code = "import sys, viz; print({'matplotlib', 'ziamath'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
