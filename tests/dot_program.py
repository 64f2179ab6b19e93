"""What Graphviz makes of DOT source, where its program ``dot`` is installed."""

import json
import shutil
import subprocess

import pytest


def read(source):
    """Return a graph as ``dot`` draws it, in its JSON format; skip the test without ``dot``."""
    program = shutil.which("dot")
    if program is None:
        pytest.skip("Graphviz is not here to read DOT: no program 'dot' on the PATH")
    done = subprocess.run([program, "-Tjson"], input=source.encode(), capture_output=True, check=True)  # fmt: skip
    return json.loads(done.stdout)
