"""The notebooks run from top to bottom, and were committed with the outputs of such a run.

When what they show changes, look at it, then ``python notebooks/run.py``.
"""

import importlib.util
import json
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def run():
    """The script that runs notebooks, as a module."""
    where = importlib.util.spec_from_file_location("run_notebooks", ROOT / "notebooks" / "run.py")
    module = importlib.util.module_from_spec(where)
    where.loader.exec_module(module)
    return module


def kinds(notebook):
    """Return what kinds of output each cell has."""
    return [
        (cell.source, [sorted(o.get("data", [o.output_type])) for o in cell.get("outputs", [])])
        for cell in notebook.cells
    ]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_stored(path, run):
    notebook = run.executed(path)
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert any("image/svg+xml" in o.get("data", {}) for o in outputs)
    assert not any(o["output_type"] == "error" for o in outputs)
    assert kinds(notebook) == kinds(nbformat.read(path, as_version=4))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_holds_its_outputs(path):
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert all(c["execution_count"] for c in cells)
    assert sum(bool(c["outputs"]) for c in cells) >= len(cells) - 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_are_small_and_tell_nothing_of_the_machine(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < 600_000
    cells = json.loads(text)["cells"]
    outputs = [o for cell in cells for o in cell.get("outputs", [])]
    assert not any("execution" in cell["metadata"] for cell in cells)  # when it ran
    assert not any(o.get("name") == "stderr" or "image/png" in o.get("data", {}) for o in outputs)
    assert str(Path.home()) not in text and str(ROOT) not in text


def test_what_a_progress_bar_parted_is_one_output(run):
    def stream(name, text):
        return nbformat.v4.new_output("stream", name=name, text=text)

    parted = [stream("stdout", "a\n"), stream("stderr", "50 %"), stream("stdout", "b\n")]
    assert [(o.name, o.text) for o in run.joined(parted)] == [("stdout", "a\nb\n")]
