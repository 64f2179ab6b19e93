"""Run the notebooks from top to bottom, and store them with what they show.

    python notebooks/run.py

A stored notebook holds what depends on its code alone: no progress bars, no times and no
version of whatever ran it.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
KEPT = ("file_extension", "mimetype", "name", "pygments_lexer")


def executed(path):
    """Return a notebook with the outputs of a run.

    Raises:
        CellExecutionError: a cell raised an error.
    """
    notebook = nbformat.read(path, as_version=4)
    paths = (str(HERE.parent), os.environ.get("PYTHONPATH", ""))
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", record_timing=False,
        resources={"metadata": {"path": str(HERE)}},
    )  # fmt: skip
    client.execute(env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    language = notebook.metadata.language_info
    notebook.metadata.language_info = {name: language[name] for name in KEPT}
    return notebook


def joined(outputs):
    """Return outputs without progress bars, and pictures once; what bars had parted is one text."""
    found = []
    for output in outputs:
        if output.get("name") == "stderr":
            continue
        if "image/svg+xml" in output.get("data", {}):
            output.data.pop("text/html", None)
        if found and output.get("name") == found[-1].get("name") == "stdout":
            found[-1].text += output.text
        else:
            found.append(output)
    return found


if __name__ == "__main__":
    for path in sorted(HERE.glob("*.ipynb")):
        nbformat.write(executed(path), path)
