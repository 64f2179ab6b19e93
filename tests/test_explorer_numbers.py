"""The explorer's numbers are Python's: counts, paths by number, LaTeX, what paths bring, the sum.

The pages run in headless Chromium, offline.
"""

import random
import re
from collections import Counter
from functools import cache
from importlib.resources import files

import numpy as np
import pytest
from explorer_pages import (
    EVIL,
    SETS,
    click,
    data,
    dense,
    enter,
    given_cotangent,
    pages,
    residual,
    text,
    texts,
    told,
)  # fmt: skip

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError
from viz import norms
from viz.explorer import worth


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory):
    """A function that gives a set by its name, and its page: opened once for all tests."""
    with pages(browser, tmp_path_factory.mktemp("pages")) as opener:

        @cache
        def opened(name):
            paths = SETS[name]()
            return paths, opener(paths)

        yield opened


def numbers(page, script):
    """Return what an expression in the page's own numbering gives; ``row`` holds the paths."""
    own = (files("viz") / "explorer" / "numbers.js").read_text(encoding="utf-8")
    told = 'JSON.parse(document.querySelector("script[type=\\"application/json\\"]").textContent)'
    return page.run(
        f"(() => {{ {own}; const data = {told}, row = readRow(data); return {script}; }})()"
    )


@pytest.mark.parametrize("name", SETS)
def test_counts_are_those_of_python(name, shown):
    paths, page = shown(name)
    counts = numbers(
        page, "row.counts().map((n, k) => [k, String(n)]).filter(([, n]) => n !== '0')"
    )
    expected = paths.count_by("weight")
    found = {k: int(n) for k, n in counts}
    assert {k: found[k] for k in expected} == expected
    if name != "one degree":
        assert found == expected
        assert int(numbers(page, "String(row.count)")) == paths.count()


@pytest.mark.parametrize("name", SETS)
def test_path_number_r_is_that_of_python(name, shown):
    paths, page = shown(name)
    rng = random.Random(0)
    ranks = {0, paths.count() - 1, *(rng.randrange(paths.count()) for _ in range(8))}
    for r in ranks:
        asked = f"row.edges(row.at({r}n, data.degree))"
        assert numbers(page, asked) == list(paths[r]._numbers)
        back = f"String(row.number(row.at({r}n, data.degree), data.degree))"
        assert int(numbers(page, back)) == r


@pytest.mark.parametrize("name", ["3 blocks", "50 blocks", "dense", "window"])
def test_paths_of_one_degree_are_numbered_as_in_python(name, shown):
    paths, page = shown(name)
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
            assert sum(share for _, share, _ in worth["listed"]) == pytest.approx(1)
        assert sum(share for _, _, share, _ in worth["degrees"]) == pytest.approx(1)
        assert worth["holds"] and worth["error"] < 1e-12


def test_norms_of_paths_and_degrees_are_those_of_python():
    paths = residual(3)
    worth = data(viz.explore(paths).html)["worth"]
    assert [norm for norm, *_ in worth["listed"]] == pytest.approx(
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


def has_python_s_latex(paths, page):
    rng = random.Random(2)
    for r in {0, paths.count() - 1, rng.randrange(paths.count())}:
        enter(page, "number", str(r))
        assert page.run('document.querySelector("textarea").value') == paths[r].latex()


@pytest.mark.parametrize("name", ["dense", "scalar", "cotangent", "scope", "plain", "one entry"])
def test_latex_of_sets_without_blocks_is_that_of_python(name, shown):
    has_python_s_latex(*shown(name))


@pytest.mark.parametrize("name", ["3 blocks", "600 blocks", "window", "several ways", "attention"])
def test_latex_of_blocks_is_the_product_that_is_shown(name, shown):
    paths, page = shown(name)
    for r in (0, paths.count() - 1):
        enter(page, "number", str(r))
        product, *meanings = page.run('document.querySelector("textarea").value').splitlines()
        told = re.sub(r"\\(mathrm|text|cdot)|[{}^_ ]", "", product).replace("'", "′")
        shown_there = re.search(r"product(.*?)weight layers", text(page, "facts"))[1]
        assert told == re.sub(r"[ ·]", "", shown_there)
        assert meanings and all(re.match(r"% [A-Zg](_\{k(,i)?\})?: ", words) for words in meanings)


@pytest.mark.parametrize("name", EVIL)
def test_hostile_names_are_text_in_latex(name, show):
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h = x
    for _ in range(2):  # blocks of more ways than have symbols
        y = h
        for _ in range(2):
            y = y + tg.relu(y @ tg.parameter(np.eye(3), name=name))
        h = tg.tanh(h + y)
    paths = tg.paths(h.sum(), x)
    page = show(paths)
    enter(page, "number", str(paths.count() - 1))
    product = page.run('document.querySelector("textarea").value').splitlines()[0]
    bare = re.sub(
        r"\\(text(backslash|asciitilde|asciicircum|less|greater)?|mathrm|ttfamily|char34|[{}$&#_%])|\^\{\d+\}",
        "",
        product,
    )
    assert "\\text{" in product and not re.search(r"[\\$&#%~^]", bare)


@pytest.mark.parametrize("name", ["scalar", "cotangent"])
def test_numbers_on_scalar_edges_multiply_to_the_path_s_product(name, shown):
    paths, page = shown(name)
    for r in range(0, paths.count(), 37):
        found = numbers(page, f"row.carried(row.at({r}n, null)).reduce((a, b) => a * b) + 0")
        assert found == pytest.approx(paths[r].product())


@pytest.mark.parametrize("name", ["3 blocks", "dense", "scalar", "window"])
def test_nodes_and_edges_know_how_many_paths_they_are_on(name, shown):
    paths, page = shown(name)
    found = numbers(
        page,
        "row.segments.flatMap(({ shape, first }, i) => "
        "shape.edges.map(({ number }, e) => [first + number, String(row.taking(i, e))]))",
    )
    met = Counter(edge.index for path in paths for edge in path.edges)
    assert {edge: int(n) for edge, n in found} == met


# The sum


@pytest.mark.parametrize("name", SETS)
def test_the_sum_over_everything_is_checked_and_is_the_gradient(name, shown):
    _, page = shown(name)
    assert [mark[0] for mark in texts(page, ".checks li")] == ["✓"] * 3
    page.run('document.querySelector("[id$=-rest]:not([hidden])")?.click()')
    assert "✓ this is" in text(page, "sum")
    others = {"one degree": "the gradient through these paths", "one entry": "x.grad[1, 2]"}
    assert text(page, "sum").endswith(others.get(name, "x.grad"))


@pytest.mark.parametrize(
    "place",
    [("listed", 3, 0), ("listed", 3, 1), ("listed", 3, 2, 1), ("degrees", 1, 1), ("degrees", 1, 2),
     ("degrees", 1, 3, 0), ("gradient", 2)],
)  # fmt: skip
def test_a_wrong_number_is_seen_by_the_page_itself(place, show):
    def spoil(known):
        at = known["worth"]
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = at[place[-1]] * 1.01 + 1e-3

    page = show(residual(3), touched=lambda page_html: told(page_html, spoil))
    assert texts(page, ".checks li.wrong")[0].startswith("✗ This page")
    if place[0] == "gradient" or (place[0] == "listed" and place[2] > 0):
        click(page, "rest")
        assert "✗ this is not x.grad" in text(page, "sum")
        entry = place[0] == "gradient" or len(place) == 4
        assert ["✗" in words for words in texts(page, ".entries td")].count(True) == entry


@pytest.mark.parametrize("name", ["50 blocks", "600 blocks", "attention"])
def test_a_wrong_share_is_seen_where_only_degrees_are_summed(name, show):
    def spoil(known):
        known["worth"]["degrees"][1][2] *= 1.01

    page = show(SETS[name](), touched=lambda page_html: told(page_html, spoil))
    assert len(texts(page, ".checks li.wrong")) == 1


def test_a_wrong_number_on_a_scalar_edge_is_seen(show):
    def spoil(known):
        known["segments"][0][6] = [x * 1.01 for x in known["segments"][0][6]]

    page = show(given_cotangent(), touched=lambda page_html: told(page_html, spoil))
    assert texts(page, ".checks li.wrong")[0].startswith("✗ This page")


def test_a_wrong_count_is_seen(show):
    page = show(
        residual(2), touched=lambda page_html: told(page_html, lambda d: d.update(count="5"))
    )
    assert texts(page, ".checks li.wrong") == ["✗ This page counts 4 paths Python counted 5."]


def test_the_sum_is_held_against_backward_itself(monkeypatch):
    paths = residual(2)
    assert worth.worth(paths)["holds"]
    monkeypatch.setattr(type(paths.frame), "backward", lambda _: np.ones((2, 4)))
    assert not worth.worth(paths)["holds"]


def test_a_page_about_too_much_computes_what_a_budget_pays_for(monkeypatch):
    paths = residual(14)
    assert len(worth.worth(paths)["degrees"]) == 15
    monkeypatch.setattr(worth, "MOST_COTANGENTS", 1)
    monkeypatch.setattr(norms, "EDGE_VISITS", 12 * len(paths.graph.edges))
    some = worth.worth(paths)
    assert [k for k, *_ in some["degrees"]] == list(range(0, 24, 2))
    assert some["error"] is None and "max_degree" in some["why"]
    said = viz.explore(paths).html
    assert "computed up to 22 weight layers" in said


def test_entries_are_told_where_they_are_few(monkeypatch):
    paths = residual(2)
    assert len(worth.worth(paths)["gradient"]) == 8
    monkeypatch.setattr(worth, "MOST_NUMBERS", 55)  # three degrees and four paths of 8 entries: 56
    told = worth.worth(paths)
    assert told["gradient"] is None and told["degrees"][0][3] is None and told["holds"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("factor", "why"), [(0.0, "the gradient is zero"), (np.inf, "the gradient is not finite")]
)
def test_a_gradient_that_has_no_shares_is_said(factor, why):
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    told = worth.worth(tg.paths((factor * (x + tg.tanh(x))).sum(), x))
    assert told["why"] == why and told["listed"][0][1] is None


def test_a_set_narrowed_by_another_degree_is_refused_though_its_paths_have_one():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    paths = tg.paths((tg.tanh(tg.relu(x) + x) + x).sum(), x)
    assert set(paths.count_by("weight")) == {0}
    with pytest.raises(FigureError, match="other than the weight layers"):
        viz.explore(paths.with_degree("activation", 1))


def test_a_set_that_leaves_paths_out_is_not_held_against_backward():
    paths = dense()
    assert worth.worth(paths)["called"] == "x.grad"
    for part in (paths.avoiding(paths.nodes[1]), paths.with_degree("weight", 2)):
        assert worth.worth(part)["called"] == "" and worth.worth(part)["holds"]


def test_the_entry_of_a_gradient_that_is_one_number_has_no_index(show):
    x = tg.tensor(3.0, requires_grad=True, name="x")
    page = show(tg.paths(x * x, x))
    assert texts(page, ".entries thead th") == ["entries of x.grad", "the only one"]
