"""draw: from a loss, a graph or a set of paths to a figure."""

from __future__ import annotations

from typing import Any

from tinygrad_res.errors import FigureError
from tinygrad_res.paths import Paths

from .chain import read_chain
from .chain_figure import chain_layout
from .figure import Figure


def draw(what: Any) -> Figure:
    if isinstance(what, Paths):
        return Figure(chain_layout(read_chain(what)))
    raise FigureError("x")
