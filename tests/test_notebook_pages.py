"""What notebooks show survives their export: figures, plots, and an explorer that can be walked.

A notebook is executed, exported by nbconvert as its readers do, and the page opened offline.
"""

import base64
import os
import re
import time
from pathlib import Path

import chromium
import nbformat
import pytest
from nbclient import NotebookClient

nbconvert = pytest.importorskip("nbconvert")
ROOT = Path(__file__).resolve().parents[1]

BEGINNING = """
import numpy as np, tinygrad_res as tg, viz
def chain(blocks):
    rng = np.random.default_rng(blocks)
    x = h = tg.tensor(np.ones((1, 3)), requires_grad=True, name="x")
    for k in range(blocks):
        h = h + tg.relu(h @ tg.parameter(rng.random((3, 3)), name=f"W_{k}"))
    return tg.paths(h.sum(), x)
"""
CELLS = (
    BEGINNING, "viz.draw(chain(2))", "viz.draw(chain(3))", "viz.plot_activations('relu')",
    "viz.plot_paths(chain(3))", "viz.explore(chain(3))",
)  # fmt: skip


@pytest.fixture(scope="module")
def notebook():
    """A small notebook, executed."""
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
        return NotebookClient(made, timeout=120, kernel_name="python3").execute()


@pytest.fixture(scope="module")
def exported(notebook, tmp_path_factory):
    """The notebook as a page that asks nothing of the network for itself."""
    exporter = nbconvert.HTMLExporter(mathjax_url="", require_js_url="")
    page, _ = exporter.from_notebook_node(notebook)
    file = tmp_path_factory.mktemp("page") / "notebook.html"
    file.write_text(page, encoding="utf-8")
    return file


def shown(notebook):
    """Return the SVGs that the notebook holds."""
    data = [o["data"] for cell in notebook.cells for o in cell.outputs if "data" in o]
    return [one["image/svg+xml"] for one in data if "image/svg+xml" in one]


def within_frame(page):
    """Return a function that runs a script inside the only frame of a page."""
    tree = page.ask("Page.getFrameTree")["frameTree"]
    children = tree.get("childFrames", [])
    if children:
        world = page.ask("Page.createIsolatedWorld", frameId=children[0]["frame"]["id"])
        context = {"contextId": world["executionContextId"]}
        ask = page.ask
    else:  # Chromium keeps sandboxed frames in a process of their own
        browser = page._browser
        targets = browser.ask("Target.getTargets")["targetInfos"]
        (frame,) = [target["targetId"] for target in targets if target["type"] == "iframe"]
        session = browser.ask("Target.attachToTarget", targetId=frame, flatten=True)["sessionId"]
        context = {}

        def ask(method, **given):
            return browser.ask(method, session, **given)

    def run(script):
        answer = ask("Runtime.evaluate", expression=script, returnByValue=True, **context)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    return run


def soon(run, script, expected):
    """Wait until a script gives what is expected, and return what it gave last."""
    end = time.monotonic() + 5
    while (found := run(script)) != expected and time.monotonic() < end:
        time.sleep(0.05)
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("dark", [False, True])
def test_an_explorer_can_be_walked_in_an_exported_notebook(browser, exported, dark):
    page = chromium.Page(browser, exported.as_uri(), 1200, 900, dark)
    run = within_frame(page)
    assert soon(run, "document.readyState", "complete") == "complete"
    number = 'document.querySelector("[id$=-number]").value'
    press = 'document.querySelector("[id$=-{}]").click()'
    told = 'document.querySelector("[id$=-facts]").textContent'
    run(press.format("free"))
    first, facts = run(number), run(told)
    assert facts
    run(press.format("next"))
    assert soon(run, f"{number} !== {first!r}", True) is True
    assert run(told) != facts
    ground = run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == dark
    page.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_figures_and_plots_of_an_exported_notebook_are_drawn(browser, exported, notebook):
    page = chromium.Page(browser, exported.as_uri(), 1200, 900, False)
    drawn = page.run(
        "[...document.querySelectorAll('.jp-OutputArea-output img, .jp-OutputArea-output > svg')]"
        ".map((one) => one.getBoundingClientRect().width * (one.naturalWidth ?? 1) > 0)"
    )
    assert drawn == [True] * len(shown(notebook)) == [True] * 4
    page.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_figures_and_plots_fit_a_narrow_page_and_say_what_they_show(browser, exported):
    page = chromium.Page(browser, exported.as_uri(), 600, 900, False)
    images = "[...document.querySelectorAll('.jp-OutputArea-output img')]"
    wide = page.run(f"{images}.map((one) => one.naturalWidth)")
    right = page.run(f"{images}.map((one) => one.getBoundingClientRect().right)")
    said = page.run(f"{images}.map((one) => one.alt)")
    assert max(wide) > 600 >= max(right)
    assert len(said) == 4
    assert all(re.search("path|relu", words) for words in said)
    page.close()


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_side_by_side_on_a_page_keep_their_own_colours(browser, notebook, tmp_path, dark):
    """All inline, as notebooks show them while they are open."""
    svgs = shown(notebook)
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><body>{''.join(svgs)}", encoding="utf-8")
    page = chromium.Page(browser, file.as_uri(), 1200, 900, dark)
    ids = page.run("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids)) > len(svgs)
    for k in range(len(svgs)):
        first = f"document.querySelectorAll('body > svg')[{k}].querySelector('rect, path')"
        ground = page.run(f"getComputedStyle({first}).fill")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == dark, (k, ground)
    assert page.trouble == []
    page.close()


def test_what_a_notebook_shows_is_the_same_each_time(notebook):
    again = {}
    exec("\n".join([*CELLS[:-1], "again['page'] = viz.explore(chain(3))"]), {"again": again})
    (html,) = [
        o["data"]["text/html"] for cell in notebook.cells for o in cell.outputs
        if "iframe" in o.get("data", {}).get("text/html", "")
    ]  # fmt: skip
    assert "".join(html) == again["page"]._repr_html_()
    assert len(base64.b64encode(html.encode())) < 400_000
