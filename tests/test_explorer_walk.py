"""What a reader does with the explorer: takes paths, keeps to degrees, folds, searches, copies."""

import pytest
from explorer_pages import SETS, click, dense, enter, residual, text, texts

import tinygrad_res as tg
import viz.explorer.map


def test_the_weight_free_path_comes_first_and_the_sum_reaches_the_gradient(show):
    page = show(residual(3))
    assert "g · I3" in text(page, "facts")
    assert "Visited 1 of 8 paths" in text(page, "sum")
    click(page, "rest")
    assert text(page, "sum").endswith("✓ this is x.grad")
    click(page, "anew")
    assert "Visited 1 of 8 paths" in text(page, "sum")


def test_a_number_leads_to_its_path(show):
    paths = residual(3)
    page = show(paths)
    enter(page, "number", "5")
    assert "g · J3 · I · J1" in text(page, "facts")
    assert "5 of 8" in text(page, "facts")
    assert page.run("location.hash").startswith("#r=5&")


def test_a_number_that_is_none_is_refused_in_words(show):
    page = show(residual(3))
    for wrong in ("8", "-1", "x", "1e3"):
        enter(page, "number", wrong)
        assert "from 0 to 7" in text(page, "wrong")
        assert "0 of 8" in text(page, "facts")


def test_the_slider_keeps_to_one_degree(show):
    page = show(residual(50))
    enter(page, "degree", 3, "input")
    assert text(page, "degrees") == "4: 1\u2009225 paths"
    shown = page.run(
        '[...document.querySelectorAll("[role=option] > :nth-child(4)")].map((e) => e.textContent)'
    )
    assert shown == ["4 weight layers"] * 16


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


def test_keys_walk_the_list_and_the_chain(show):
    page = show(residual(3))
    page.run('document.querySelector("[role=listbox]").focus()')
    for key, number in (("ArrowDown", 1), ("End", 7), ("ArrowUp", 6), ("Home", 0), ("PageDown", 7)):
        page.press(key)
        assert page.run("location.hash").split("&")[0] == f"#r={number}"
        chosen = 'document.getElementById(document.querySelector("[role=listbox]").getAttribute("aria-activedescendant"))'
        assert page.run(f'{chosen}.querySelector("span").textContent') == f"path {number}"
    page.run('document.querySelector("button.tile").focus()')
    page.press("ArrowUp")
    assert "g · J3 · J2 · I" in text(page, "facts")
    page.press("ArrowRight")
    page.press("Enter")
    assert "g · J3 · I2" in text(page, "facts")
    assert "path 4" in text(page, "live")


def test_keys_walk_a_graph_that_is_no_chain(show):
    paths = dense()
    page = show(paths)
    page.run('document.querySelector("[id$=-steps] [tabindex=\\"0\\"]").focus()')
    page.press("ArrowRight")
    before = page.run("location.hash")
    page.press("ArrowDown")
    assert page.run("location.hash") != before
    assert page.run("document.activeElement.textContent").endswith("way 2 of 2")


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


def test_scopes_fold(show):
    page = show(dense())
    hidden = 'document.querySelectorAll("[data-node].shut").length'
    assert page.run(hidden) == 0
    page.run('document.querySelector("[data-fold]").click()')
    assert page.run(hidden) > 0
    assert (
        page.run('document.querySelector("[data-fold]").getAttribute("aria-expanded")') == "false"
    )


def test_a_name_is_found_and_leads_there(show):
    page = show(residual(50))
    enter(page, "search", "W_24", "input")
    assert "1 place" in text(page, "found")
    page.run('document.querySelector("[id$=-matches] button").click()')
    assert "g · I38 · J12 · I11" in text(page, "facts")
    assert "block 12, way 2 of 2: J12 = W24 · relu′ · W23" in text(page, "here")


def test_the_address_brings_everything_back(show):
    r = 2**599 + 12345
    page = show(residual(600, 2), fragment=f"#r={r}&open=3&at=80&q=W_7")
    assert page.run('document.querySelector("[id$=-number]").value') == str(r)
    assert page.run('document.querySelectorAll("button.tile").length') == 25
    assert "block 81," in text(page, "here")
    page.run('location.hash = "#r=1"; new Promise((done) => setTimeout(done, 50))')
    assert page.run('document.querySelector("[id$=-number]").value') == "1"


def test_a_wrong_address_does_no_harm(show):
    page = show(residual(3), fragment="#r=99&k=7&open=a.-1.9&at=x&q=%3Cb%3E")
    assert "0 of 8" in text(page, "facts")


def test_latex_of_the_path_is_copied(show):
    page = show(residual(3), fragment="#r=5")
    assert page.run('document.querySelector("textarea").hidden')
    page.run(
        "navigator.clipboard.writeText = (words) => { window.copied = words; return Promise.resolve(); }"
    )
    click(page, "copy")
    product, *meanings = page.run("window.copied").splitlines()
    assert product == "g J_{3} I J_{1}"
    assert meanings == [
        "% I: identity", "% J_{k}: derivative of block k’s branch",
        "% g: the gradient that arrives at the last block",
    ]  # fmt: skip
    assert not page.run('document.querySelector("textarea").hidden')


def test_a_row_has_a_square_for_each_weight_layer(show):
    page = show(residual(3))
    for r in range(8):
        squares = f'document.querySelectorAll(".row[id$=row-{r}] .square").length'
        assert page.run(squares) == residual(3)[r].degree("weight")


def test_words_off_the_path_stay_legible(show):
    opacity = (
        '[...document.querySelectorAll("{} .off.words")].map((e) => getComputedStyle(e).opacity)'
    )
    for paths, where in ((residual(3), ".chain"), (dense(), ".map")):
        found = show(paths).run(opacity.format(where))
        assert found and min(map(float, found)) >= 0.45


def test_negative_factors_stand_in_brackets(show):
    x = tg.tensor(0.3, requires_grad=True, name="x")
    page = show(tg.paths(tg.tanh(x) * -2.0 * 3.0, x, level="scalar"))
    assert "in numbers3 · (−2) · 0.915 = −5.49" in text(page, "facts")


def test_letters_that_names_take_are_left_to_them(show):
    page = show(residual(2, name="g"))
    letter = text(page, "facts").split("product")[1][0]
    assert letter != "g" and f"{letter}: the gradient that arrives" in page.run(
        'document.querySelector(".legend").textContent'
    )
    assert f"product, from {letter} back" in text(page, "head")


def test_the_address_keeps_what_was_visited_and_folded(show):
    page = show(dense())
    click(page, "next")
    page.run('document.querySelectorAll("[data-fold]")[1].click()')
    again = show(dense(), fragment=page.run("location.hash"))
    assert "Visited 2 of 6 paths" in text(again, "sum")
    assert texts(again, "[data-fold]") == ["fold layer0", "unfold layer1", "fold layer2"]


def test_a_step_offers_its_ways_on(show):
    paths = dense("scalar")
    page = show(paths)
    page.run('document.querySelector("[id$=-steps] button").focus()')
    offered = texts(page, "[id$=-ways] button")
    assert len(offered) == 6 and offered[5].startswith("1 to v")
    page.run('document.querySelectorAll("[id$=-ways] button")[5].click()')
    assert offered[5].removeprefix("1 to ") in text(page, "facts")
    assert page.run("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_a_block_of_many_ways_offers_them(show):
    page = show(SETS["attention"]())
    offered = texts(page, "[id$=-ways] button")
    assert offered[0] == "I, no weight layer" and "Wv" in " ".join(offered)
    page.run('document.querySelectorAll("[id$=-ways] button")[1].click()')
    assert "2, number" in text(page, "facts")


def test_pointing_at_the_map_tells_how_many_paths_pass(show):
    paths = dense()
    page = show(paths)
    node = next(node for node in paths.nodes if node.label == "relu" and node.scope == "layer0")
    page.run(
        f'document.querySelector("[data-node=\\"{node.index}\\"]").dispatchEvent(new Event("pointerover", {{bubbles: true}}))'
    )
    passing = sum(node in path.nodes for path in paths)
    assert text(page, "here") == f"relu in layer0, on {passing} of 6 paths"


def test_a_folded_scope_is_covered_and_pressing_it_unfolds_it(show):
    page = show(dense())
    lids = 'document.querySelectorAll(".lid:not(.shut)").length'
    assert page.run(lids) == 0
    page.run('document.querySelectorAll("[data-fold]")[2].click()')
    assert page.run(lids) == 1
    page.run(
        'document.querySelector(".lid:not(.shut)").dispatchEvent(new Event("click", {bubbles: true}))'
    )
    assert page.run(lids) == 0


def test_keys_and_buttons_size_the_map(show):
    page = show(dense("scalar"), width=600)
    width = 'document.querySelector("[id$=-map] svg").getBoundingClientRect().width'
    page.run('document.querySelector("[id$=-map]").focus()')
    before = page.run(width)
    page.press("+")
    assert page.run(width) == pytest.approx(1.25 * before, rel=1e-3)
    click(page, "smaller")
    assert page.run(width) == pytest.approx(before, rel=1e-3)
    page.press("0")
    assert page.run(width) <= 600


def test_a_step_brings_its_node_into_view(show):
    page = show(dense("scalar"), width=600)
    for at in range(5):
        page.run(f'document.querySelectorAll("[id$=-steps] button")[{at}].focus()')
        label = texts(page, "[id$=-steps] button")[at].split(" — ")[0]
        x, y, left, top, right, bottom = page.run(
            '(() => { const node = [...document.querySelectorAll("[data-node]:not(.off) :is(text, title)")]'
            f".find((e) => e.textContent === {label!r}).closest('[data-node]').getBoundingClientRect(), "
            'box = document.querySelector("[id$=-map]").getBoundingClientRect(); '
            "return [node.x, node.y, box.left, box.top, box.right, box.bottom]; })()"
        )
        assert left <= x <= right and top <= y <= bottom


def test_a_map_too_large_to_draw_is_replaced_by_steps(show, monkeypatch):
    monkeypatch.setattr(viz.explorer.map, "MOST_EDGES", 10)
    page = show(dense())
    assert "15 edges, and at most" in text(page, "how")
    assert len(texts(page, "[id$=-steps] button")) == 5


@pytest.mark.parametrize("blocks", [3, 600])
def test_rows_that_look_alike_can_be_told_apart(blocks, show):
    page = show(residual(blocks, 2), fragment=f"#r={2**blocks - 3}")
    shown = texts(page, "[role=option] > :first-child")
    assert len(set(shown)) == len(shown) > 1
