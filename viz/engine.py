"""Graphviz, wherever it is: the wheel that bundles it, or a program on the PATH.

Only positions are asked of it.  The source that it gets holds numbers and no name that
a user gave, and every size is our own, so labels fit in whatever font is used later.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

from tinygrad_res.errors import FigureError

SECONDS = 60


def lay_out(source: str) -> dict[str, Any]:
    """Return Graphviz's layout of DOT source, in its JSON format.

    Raises:
        FigureError: there is no Graphviz, or it failed.
    """
    try:
        import pygraphviz
    except ImportError as error:
        return _by_program(source, error)
    try:
        answer = pygraphviz.AGraph(strict=False, string=source).draw(format="json", prog="dot")
    except (OSError, ValueError, RuntimeError) as error:
        raise FigureError(f"Graphviz failed: {error}") from error
    return _read(answer)


def _by_program(source: str, missing: ImportError) -> dict[str, Any]:
    program = shutil.which("dot")
    if program is None:
        raise FigureError(
            f"laying this graph out needs Graphviz, and there is none ({missing}): "
            "'pip install pygraphviz>=2' brings it along (on a bare Linux it also wants "
            "'apt install libx11-6 libxext6 libxrender1 libglib2.0-0'); or install the program "
            "'dot' (apt install graphviz, brew install graphviz, winget install graphviz). "
            "viz.draw(tg.paths(loss, x)) needs neither"
        )
    try:
        done = subprocess.run(
            [program, "-Tjson"], input=source.encode(), capture_output=True, check=True,
            timeout=SECONDS,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:
        raise FigureError(f"{program} failed: {error}") from error
    return _read(done.stdout)


def _read(answer: bytes | str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer)
    return found
