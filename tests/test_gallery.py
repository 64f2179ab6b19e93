"""The gallery in notebooks/: its page, its pictures, and that the one shows how to make the other.

When a picture changes, look at the new one, then ``python notebooks/gallery.py``.
"""

import ast
import re
import xml.etree.ElementTree as ET

import pytest
from notebook_scripts import NOTEBOOKS, script

PAGE = (NOTEBOOKS / "gallery.md").read_text(encoding="utf-8")
PICTURES = sorted((NOTEBOOKS / "gallery").iterdir())
LARGEST = 80_000
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def gallery():
    """The script that makes the gallery, as a module."""
    return script("gallery")


def begins():
    """The code that the page says all pieces begin with."""
    return re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]


def entries():
    """For each picture of the page, its alternative text and the code below it, by its name."""
    found = re.findall(
        r"!\[([^\]]*)\]\(gallery/(\w+)\.svg\)\n\n```python\n(.*?)```", PAGE, re.DOTALL
    )
    return {name: (words, code) for words, name, code in found}


@pytest.mark.parametrize("name", entries())
def test_the_code_beside_a_picture_makes_it(name):
    words, code = entries()[name]
    scope = {}
    exec(begins(), scope)
    *before, last = ast.parse(code).body
    exec(compile(ast.Module(before, []), name, "exec"), scope)
    figure = eval(compile(ast.Expression(last.value), name, "eval"), scope)
    picture = ET.parse(NOTEBOOKS / "gallery" / f"{name}.svg").getroot()
    made = ET.fromstring(figure.svg)
    assert picture.find(f"{_SVG}title").text == made.find(f"{_SVG}title").text == words
    assert picture.find(f"{_SVG}desc").text == made.find(f"{_SVG}desc").text


def test_the_page_shows_every_picture_once_and_every_figure_of_the_script(gallery):
    shown = re.findall(r"\(gallery/(\w+)\.svg\)", PAGE)
    made = [figure.__name__ for figures in gallery.ROOMS.values() for figure in figures]
    assert shown == made == list(entries())
    assert sorted(f"{name}.svg" for name in made) == [path.name for path in PICTURES]


def test_the_page_is_what_the_script_writes_and_again_the_same_bytes(gallery, tmp_path):
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
        gallery.write(folder)
    first, second = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in folders)
    assert first == second
    assert (folders[0] / "gallery.md").read_text(encoding="utf-8") == PAGE


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_small_and_follows_its_reader_into_the_dark(path):
    content = path.read_text(encoding="utf-8")
    assert len(content.encode()) < LARGEST
    assert "prefers-color-scheme:dark" in content
