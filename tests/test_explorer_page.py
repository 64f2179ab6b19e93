"""The explorer's page: hostile names do nothing, nothing is fetched, all can read it, it is small.

The rules of accessibility are those of axe-core, from the package ``axe-core-python``.
"""

import html
import re
import time
from importlib.resources import files

import chromium
import pytest
from explorer_pages import EVIL, SETS, click, enter, residual, several_ways

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError, UsageError


def test_both_colour_schemes(show):
    ground = "getComputedStyle(document.body).backgroundColor"
    assert show(residual(2)).run(ground) == "rgb(255, 255, 255)"
    assert show(residual(2), dark=True).run(ground) == "rgb(20, 23, 28)"


@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("name", ["3 blocks", "600 blocks", "dense", "scalar", "attention"])
def test_nothing_is_wider_than_the_window(name, width, show):
    page = show(SETS[name](), width=width)
    assert page.run("document.documentElement.scrollWidth") <= width


def test_the_legend_explains_every_symbol(show):
    page = show(several_ways(), fragment="#r=13")
    words = page.run('document.querySelector(".legend").textContent')
    for symbol in ("Rk:", "g:"):
        assert symbol in words
    assert "Jk: derivative of block k’s branch" in show(residual(2)).run(
        'document.querySelector(".legend").textContent'
    )


# What must not happen


@pytest.mark.parametrize("name", EVIL)
def test_hostile_scopes_are_shown_fold_and_fit(name, show):
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    with tg.scope(name.replace("/", "")), tg.scope(name.replace("/", "")):
        h = tg.relu(tg.concat([x, tg.tanh(x)], axis=1))
    page = show(tg.paths((h + h * h).sum() + x.sum(), x), width=400)
    assert page.run("document.documentElement.scrollWidth") <= 400
    assert page.run('document.querySelectorAll("[data-fold]").length') == 2
    page.run('document.querySelectorAll("[data-fold]")[1].click()')
    assert page.run('document.querySelectorAll(".lid:not(.shut)").length') == 1
    assert page.run('document.querySelectorAll("b, img, main script").length') == 0


@pytest.mark.parametrize("name", EVIL)
def test_names_are_shown_and_do_nothing(name, show):
    for level in ("tensor", "scalar"):
        x = tg.tensor([[1.0, 2.0]], requires_grad=True, name=name)
        with tg.scope(name.replace("/", "")):
            h = tg.relu(x @ tg.parameter([[1.0, 2.0], [3.0, 4.0]], name=name))
        page = show(tg.paths((x + h).sum(), x, level=level))
        assert page.run("document.scripts.length") == 2
        assert page.run('document.querySelectorAll("b, img, main script").length') == 0
        enter(page, "search", "e", "input")
        click(page, "next")
        click(page, "copy")
        assert page.run('document.querySelectorAll("b, img, main script").length') == 0


def test_the_page_allows_itself_nothing_else():
    page = viz.explore(residual(2)).html
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")
    assert page.count("http") - page.count("http-equiv") == page.count("http://www.w3.org/2000/svg")


def test_a_script_that_is_not_the_page_s_own_is_refused(browser, tmp_path):
    page_html = viz.explore(residual(1)).html.replace(
        "</main>", "<script>window.harm = 1</script></main>"
    )
    file = tmp_path / "a.html"
    file.write_text(page_html, encoding="utf-8")
    page = chromium.Page(browser, file.as_uri(), 800, 600, False)
    assert page.run("window.harm") is None
    assert any("Content Security Policy" in words for words in page.trouble)
    page.close()


def test_the_same_paths_give_the_same_page():
    assert viz.explore(residual(3)).html == viz.explore(residual(3)).html


def test_ids_of_two_pages_differ():
    ids = [set(re.findall(r'\bid="(e[^"]+)"', viz.explore(residual(n)).html)) for n in (2, 3)]
    assert ids[0] and not ids[0] & ids[1]


def test_fifty_blocks_fit_in_150_kilobytes():
    assert len(viz.explore(residual(50)).html.encode()) < 150_000


def test_a_notebook_shows_the_page_in_a_frame(browser, tmp_path):
    shown = viz.explore(residual(2))._repr_html_()
    assert html.unescape(re.search(r'srcdoc="([^"]*)"', shown)[1]) == viz.explore(residual(2)).html
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><title>a</title>{shown}", encoding="utf-8")
    page = chromium.Page(browser, file.as_uri(), 1000, 800, False)
    assert page.trouble == []
    page.close()


def test_what_cannot_be_explored_is_said():
    x = tg.tensor([1.0], requires_grad=True, name="x")
    paths = residual(2)
    with pytest.raises(UsageError, match=r"tg\.paths\(loss, x\)"):
        viz.explore(x)
    with pytest.raises(UsageError, match="max_degree"):
        viz.explore(paths, max_degree=-1)
    with pytest.raises(FigureError, match="no path"):
        viz.explore(tg.paths(paths.graph.taken_from, x))
    with pytest.raises(FigureError, match="narrowed by a degree other"):
        viz.explore(paths.with_degree(lambda edge: edge.index == paths.edges[0].index, 1))


def test_a_page_is_saved_as_html_or_not_at_all(tmp_path):
    page = viz.explore(residual(1))
    assert page.save(tmp_path / "a.html").read_text(encoding="utf-8") == page.html
    with pytest.raises(FigureError, match=r"\.html"):
        page.save(tmp_path / "a.png")
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]


def test_fifty_blocks_are_written_in_three_tenths_of_a_second():
    paths = residual(50)
    viz.explore(paths)  # what is imported or remembered once is no part of it
    start = time.perf_counter()
    viz.explore(paths)
    assert time.perf_counter() - start < 0.3


@pytest.mark.parametrize("name", ["3 blocks", "50 blocks", "dense"])
def test_larger_text_does_not_clip_or_widen(name, show):
    page = show(SETS[name](), width=1000)
    page.run('document.documentElement.style.fontSize = "200%"')
    assert page.run("getComputedStyle(document.body).fontSize") == "28px"
    assert page.run("document.documentElement.scrollWidth") <= 1000


def test_paper_is_white_and_shows_no_controls(show):
    page = show(residual(50), dark=True)
    page.ask("Emulation.setEmulatedMedia", media="print")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.run('getComputedStyle(document.querySelector(".tools")).display') == "none"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "name", ["3 blocks", "50 blocks", "dense", "scalar", "attention", "one degree"]
)
def test_the_rules_of_axe_core_find_nothing(name, dark, show):
    rules = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    page = show(SETS[name](), dark=dark)
    click(page, "random")
    click(page, "copy")
    page.run('document.querySelector(".fold, [data-fold]")?.click()')
    page.run((files(rules) / "axe.min.js").read_text(encoding="utf-8"))
    found = page.run(
        "axe.run().then(({ violations }) => violations.map((v) => [v.id, v.nodes.map((n) => n.html + n.failureSummary)]))"
    )
    assert found == []
