"""The scripts in notebooks/ that write its pages, as modules."""

import importlib.util
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def script(name):
    """Load a script by its name."""
    where = importlib.util.spec_from_file_location(f"make_{name}", NOTEBOOKS / f"{name}.py")
    module = importlib.util.module_from_spec(where)
    where.loader.exec_module(module)
    return module
