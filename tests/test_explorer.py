"""The path explorer: its numbers are Python's, its keys work, and it asks for nothing.

The pages run in headless Chromium, offline.  Set ``AXE`` to the file ``axe.min.js`` of the
npm package axe-core to check them by its rules of accessibility, too.
"""

import html
import json
import os
import random
import re
from importlib.resources import files
from pathlib import Path

import chromium
import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError, UsageError

browsers = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on the PATH")

EVIL = [
    '"</script><script>alert(1)</script>',
    "<!--<script>",
    "<b>bold</b><img src=x onerror=alert(1)>",
    "back\\slash ' \" ${1} {{data}} \\frac{1}{2} %$&_#",
    "line\nbreak\u2028and\ttab\x00\x1b",
    "z" * 300,
    "权重矩阵🙂\ud800",
]


def residual(blocks, width=4, name="W"):
    rng = np.random.default_rng(blocks)
    x = tg.tensor(rng.standard_normal((2, width)), requires_grad=True, name="x")
    h = x
    for k in range(1, blocks + 1):
        first, second = (
            tg.parameter(rng.standard_normal((width, width)) * 0.3, name=f"{name}_{2 * k + i}")
            for i in (-1, 0)
        )
        h = h + tg.relu(h @ first) @ second
    return tg.paths(h.sum(), x)


def dense(level="tensor"):
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="x")
    found = [x]
    for k in range(3):
        with tg.scope(f"layer{k}"):
            h = tg.concat(found, axis=1)
            found.append(
                tg.relu(h @ tg.parameter(rng.standard_normal((h.shape[1], 3)), name=f"W_{k}"))
            )
    return tg.paths((found[-1] * found[-2]).sum(), x, level=level)


def given_cotangent():
    rng = np.random.default_rng(1)
    x = tg.tensor(rng.standard_normal(2), requires_grad=True, name="x")
    y = tg.tanh(x @ tg.parameter(rng.standard_normal((2, 2)), name="W")) + x
    return tg.paths(y, x, level="scalar", cotangent=[1.0, -2.0])


def windowed():
    rng = np.random.default_rng(2)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="x")
    first = h = x @ tg.parameter(rng.standard_normal((3, 3)), name="W_in")
    for k in range(3):
        h = h + tg.tanh(h @ tg.parameter(rng.standard_normal((3, 3)), name=f"W_{k}"))
    loss = (h @ tg.parameter(rng.standard_normal((3, 1)), name="W_out")).sum()
    return tg.paths(loss, x, start=h, end=first)


def several_ways():
    """Two blocks with five ways each, more than are drawn one by one, and a narrowed one."""
    rng = np.random.default_rng(3)

    def inner(h):
        return h + tg.relu(h @ tg.parameter(rng.standard_normal((3, 3)), name="V"))

    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h = tg.tanh(x + inner(inner(x)))
    return tg.paths((h + inner(inner(h))).sum(), x)


SETS = {
    "3 blocks": lambda: residual(3),
    "50 blocks": lambda: residual(50),
    "600 blocks": lambda: residual(600, 2),
    "dense": dense,
    "scalar": lambda: dense("scalar"),
    "cotangent": given_cotangent,
    "window": windowed,
    "one degree": lambda: residual(6).with_degree("weight", 4),
    "several ways": several_ways,
}  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with chromium.chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    """A function that opens a page, and in the end checks that it was quiet."""
    opened = []

    def show(paths, width=1200, height=900, dark=False, fragment=""):
        file = viz.explore(paths).save(tmp_path / f"{len(opened)}.html")
        opened.append(chromium.Page(browser, f"{file.as_uri()}{fragment}", width, height, dark))
        return opened[-1]

    yield show
    for page in opened:
        assert page.trouble == []
        page.close()


def data(page_html):
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page_html, re.S)
    return json.loads(found[1])


def numbers(page, script):
    """Return what an expression in the page's own numbering gives; ``row`` holds the paths."""
    own = (files("viz") / "explorer" / "numbers.js").read_text(encoding="utf-8")
    told = 'JSON.parse(document.querySelector("script[type=\\"application/json\\"]").textContent)'
    return page.run(
        f"(() => {{ {own}; const data = {told}, row = readRow(data); return {script}; }})()"
    )


def text(page, name):
    return page.run(f'document.querySelector("[id$=-{name}]").textContent')


def click(page, name):
    page.run(f'document.querySelector("[id$=-{name}]").click()')


# Numbers


@browsers
@pytest.mark.parametrize("name", SETS)
def test_counts_are_those_of_python(name, show):
    paths = SETS[name]()
    page = show(paths)
    counts = numbers(
        page, "row.counts().map((n, k) => [k, String(n)]).filter(([, n]) => n !== '0')"
    )
    expected = paths.count_by("weight")
    found = {k: int(n) for k, n in counts}
    assert {k: found[k] for k in expected} == expected
    if name != "one degree":
        assert found == expected
        assert int(numbers(page, "String(row.count)")) == paths.count()


@browsers
@pytest.mark.parametrize("name", SETS)
def test_path_number_r_is_that_of_python(name, show):
    paths = SETS[name]()
    page = show(paths)
    rng = random.Random(0)
    ranks = {0, paths.count() - 1, *(rng.randrange(paths.count()) for _ in range(8))}
    for r in ranks:
        asked = f"row.edges(row.at({r}n, data.degree))"
        assert numbers(page, asked) == list(paths[r]._numbers)
        back = f"String(row.number(row.at({r}n, data.degree), data.degree))"
        assert int(numbers(page, back)) == r


@browsers
@pytest.mark.parametrize("name", ["3 blocks", "50 blocks", "dense", "window"])
def test_paths_of_one_degree_are_numbered_as_in_python(name, show):
    paths = SETS[name]()
    page = show(paths)
    rng = random.Random(1)
    for k, n in list(paths.count_by("weight").items())[:5]:
        r = rng.randrange(n)
        expected = paths.with_degree("weight", k)[r]
        assert numbers(page, f"row.edges(row.at({r}n, {k}))") == list(expected._numbers)
        assert int(numbers(page, f"String(row.number(row.at({r}n, {k}), {k}))")) == r


def test_shares_of_the_listed_paths_sum_to_one():
    for name in ("3 blocks", "dense", "cotangent", "one degree", "scalar"):
        worth = data(viz.explore(SETS[name]()).html)["worth"]
        if name != "scalar":
            assert sum(share for _, share in worth["listed"]) == pytest.approx(1)
        assert sum(share for _, _, share in worth["degrees"]) == pytest.approx(1)
        assert worth["holds"] and worth["error"] < 1e-12


def test_norms_of_paths_and_degrees_are_those_of_python():
    paths = residual(3)
    worth = data(viz.explore(paths).html)["worth"]
    assert [norm for norm, _ in worth["listed"]] == pytest.approx(
        [np.linalg.norm(path.product()) for path in paths]
    )
    parts = paths.gradient_by("weight")
    assert [row[1] for row in worth["degrees"]] == pytest.approx(
        [np.linalg.norm(g) for g in parts.values()]
    )


def test_norms_that_were_not_computed_are_not_called_checked():
    worth = data(viz.explore(residual(3), max_degree=2).html)["worth"]
    assert [row[0] for row in worth["degrees"]] == [0, 2]
    assert worth["error"] is None and not worth["holds"]
    assert "max_degree" in worth["why"]


def test_counts_need_no_cotangent():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    worth = data(viz.explore(tg.paths(tg.tanh(x) + x, x)).html)["worth"]
    assert worth["listed"] == [] and "cotangent" in worth["why"]


# What the reader does


@browsers
def test_the_weight_free_path_comes_first_and_the_sum_reaches_the_gradient(show):
    page = show(residual(3))
    assert "✓ The parts by degree sum to the gradient" in text(page, "check")
    assert "g · I3" in text(page, "facts")
    click(page, "rest")
    assert "✓ the whole gradient" in text(page, "sum")


@browsers
def test_a_number_leads_to_its_path(show):
    paths = residual(3)
    page = show(paths)
    page.run('(() => { const box = document.querySelector("[id$=-number]"); box.value = "5"; '
             'box.dispatchEvent(new Event("change")); })()')  # fmt: skip
    assert "g · J3 · I · J1" in text(page, "facts")
    assert "5 of 8" in text(page, "facts")
    assert page.run("location.hash") == "#r=5"


@browsers
def test_a_number_that_is_none_is_refused_in_words(show):
    page = show(residual(3))
    for wrong in ("8", "-1", "x", "1e3"):
        page.run('(() => { const box = document.querySelector("[id$=-number]"); '
                 f'box.value = "{wrong}"; box.dispatchEvent(new Event("change")); }})()')  # fmt: skip
        assert "from 0 to 7" in text(page, "said")
        assert "0 of 8" in text(page, "facts")


@browsers
def test_the_slider_keeps_to_one_degree(show):
    page = show(residual(50))
    page.run('(() => { const box = document.querySelector("[id$=-degree]"); box.value = 3; '
             'box.dispatchEvent(new Event("input")); })()')  # fmt: skip
    assert text(page, "degrees") == "4: 1\u2009225 paths"
    shown = page.run(
        '[...document.querySelectorAll("[role=option] > :nth-child(4)")].map((e) => e.textContent)'
    )
    assert shown == ["4 weight layers"] * 16


@browsers
def test_pointing_at_a_histogram_keeps_to_its_degree(show):
    page = show(residual(3), height=2000)
    x, y = page.run(
        '(() => { const bar = document.querySelectorAll(".bars svg")[0].querySelectorAll("circle")[1]'
        ".getBoundingClientRect(); return [bar.x + bar.width / 2, bar.y + bar.height / 2]; })()"
    )
    page.click(x, y)
    assert text(page, "degrees").startswith("4: 3 paths")
    page.click(x, y)
    assert text(page, "degrees").startswith("any number")


@browsers
def test_keys_walk_the_list_and_the_chain(show):
    page = show(residual(3))
    page.run('document.querySelector("[role=listbox]").focus()')
    for key, number in (("ArrowDown", 1), ("End", 7), ("ArrowUp", 6), ("Home", 0), ("PageDown", 7)):
        page.press(key)
        assert page.run("location.hash") == f"#r={number}"
        chosen = 'document.getElementById(document.querySelector("[role=listbox]").getAttribute("aria-activedescendant"))'
        assert page.run(f'{chosen}.querySelector("span").textContent') == f"path {number}"
    page.run('document.querySelector("button.tile").focus()')
    page.press("ArrowUp")
    assert "g · J3 · J2 · I" in text(page, "facts")
    page.press("ArrowRight")
    page.press("Enter")
    assert "g · J3 · I2" in text(page, "facts")
    assert "path 4" in text(page, "live")


@browsers
def test_keys_walk_a_graph_that_is_no_chain(show):
    paths = dense()
    page = show(paths)
    page.run('document.querySelector("[id$=-steps] [tabindex=\\"0\\"]").focus()')
    page.press("ArrowRight")
    before = page.run("location.hash")
    page.press("ArrowDown")
    assert page.run("location.hash") != before
    assert page.run("document.activeElement.textContent").endswith("way 2 of 2")


@browsers
def test_a_node_and_an_edge_of_the_map_lead_the_path_there(show):
    paths = dense()
    page = show(paths)
    for edge in (paths.edges[0].index, paths.edges[-1].index):
        page.run(
            f'document.querySelector("[data-edge=\\"{edge}\\"]").dispatchEvent(new Event("click", {{bubbles: true}}))'
        )
        r = int(page.run('new URLSearchParams(location.hash.slice(1)).get("r")'))
        assert edge in [e.index for e in paths[r].edges]
        assert not page.run(
            f'document.querySelector("[data-edge=\\"{edge}\\"]").classList.contains("off")'
        )


@browsers
def test_scopes_fold(show):
    page = show(dense())
    hidden = 'document.querySelectorAll("[data-node].shut").length'
    assert page.run(hidden) == 0
    page.run('document.querySelector("[data-fold]").click()')
    assert page.run(hidden) > 0
    assert (
        page.run('document.querySelector("[data-fold]").getAttribute("aria-expanded")') == "false"
    )


@browsers
def test_a_name_is_found_and_leads_there(show):
    page = show(residual(50))
    page.run('(() => { const box = document.querySelector("[id$=-search]"); box.value = "W_24"; '
             'box.dispatchEvent(new Event("input")); })()')  # fmt: skip
    assert "1 place" in text(page, "found")
    page.run('document.querySelector("[id$=-matches] button").click()')
    assert "g · I38 · J12 · I11" in text(page, "facts")
    assert "block 12, way 2 of 2: J_12 = W_24 · relu' · W_23" in text(page, "here")


@browsers
def test_the_address_brings_everything_back(show):
    r = 2**599 + 12345
    page = show(residual(600, 2), fragment=f"#r={r}&open=3&at=80&q=W_7")
    assert page.run('document.querySelector("[id$=-number]").value') == str(r)
    assert page.run('document.querySelectorAll("button.tile").length') == 25
    assert "block 81," in text(page, "here")
    page.run('location.hash = "#r=1"; new Promise((done) => setTimeout(done, 50))')
    assert page.run('document.querySelector("[id$=-number]").value') == "1"


@browsers
def test_a_wrong_address_does_no_harm(show):
    page = show(residual(3), fragment="#r=99&k=7&open=a.-1.9&at=x&q=%3Cb%3E")
    assert "0 of 8" in text(page, "facts")


@browsers
def test_latex_of_the_path_is_offered(show):
    page = show(residual(3), fragment="#r=5")
    click(page, "copy")
    assert (
        page.run('document.querySelector("textarea").value') == r"g \cdot J_{3} \cdot I \cdot J_{1}"
    )


@browsers
def test_both_colour_schemes(show):
    ground = "getComputedStyle(document.body).backgroundColor"
    assert show(residual(2)).run(ground) == "rgb(255, 255, 255)"
    assert show(residual(2), dark=True).run(ground) == "rgb(20, 23, 28)"


@browsers
@pytest.mark.parametrize("width", [1200, 600])
@pytest.mark.parametrize("name", ["3 blocks", "50 blocks", "600 blocks", "dense"])
def test_nothing_is_wider_than_the_window(name, width, show):
    page = show(SETS[name](), width=width)
    assert page.run("document.documentElement.scrollWidth") <= width


@browsers
def test_the_legend_explains_every_symbol(show):
    page = show(several_ways(), fragment="#r=13")
    words = page.run('document.querySelector(".legend").textContent')
    for symbol in ("Rk:", "g:"):
        assert symbol in words
    assert "Jk: derivative of block k’s branch" in show(residual(2)).run(
        'document.querySelector(".legend").textContent'
    )


# What must not happen


@browsers
@pytest.mark.parametrize("name", EVIL)
def test_names_are_shown_and_do_nothing(name, show):
    for level in ("tensor", "scalar"):
        x = tg.tensor([[1.0, 2.0]], requires_grad=True, name=name)
        with tg.scope(name.replace("/", "")):
            h = tg.relu(x @ tg.parameter([[1.0, 2.0], [3.0, 4.0]], name=name))
        page = show(tg.paths((x + h).sum(), x, level=level))
        assert page.run("document.scripts.length") == 2
        assert page.run('document.querySelectorAll("b, img, main script").length') == 0
        page.run('(() => { const box = document.querySelector("[id$=-search]"); box.value = "e"; '
                 'box.dispatchEvent(new Event("input")); })()')  # fmt: skip
        click(page, "next")
        click(page, "copy")
        assert page.run('document.querySelectorAll("b, img, main script").length') == 0


def test_the_page_allows_itself_nothing_else():
    page = viz.explore(residual(2)).html
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")
    assert page.count("http") - page.count("http-equiv") == page.count("http://www.w3.org/2000/svg")


@browsers
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


@browsers
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


@browsers
@pytest.mark.skipif("AXE" not in os.environ, reason="AXE does not name axe-core's axe.min.js")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["3 blocks", "50 blocks", "dense", "one degree"])
def test_the_rules_of_axe_core_find_nothing(name, dark, show):
    page = show(SETS[name](), dark=dark)
    page.run(Path(os.environ["AXE"]).read_text(encoding="utf-8"))
    found = page.run(
        "axe.run().then(({ violations }) => violations.map((v) => [v.id, v.nodes.map((n) => n.html + n.failureSummary)]))"
    )
    assert found == []
