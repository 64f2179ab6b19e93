"""Figure: what ``viz.draw`` returns; shows itself in Jupyter and saves itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from tinygrad_res.errors import FigureError
from tinygrad_res.files import write_whole

from .dot import to_dot
from .layout import Layout
from .raster import to_raster
from .style import Theme
from .svg import to_svg


class Figure:
    """A picture, ready to be shown or written.

    Attributes:
        layout: what is drawn where; every file format is written from it.
    """

    def __init__(self, layout: Layout, source: str | None = None) -> None:
        self.layout = layout
        self._source = source

    @cached_property
    def svg(self) -> str:
        """The picture as SVG text; the same input gives the same text."""
        return to_svg(self.layout)

    @cached_property
    def source(self) -> str:
        """The picture as DOT source, for Graphviz."""
        return self._source if self._source is not None else to_dot(self.layout)

    def save(
        self, path: str | os.PathLike[str], theme: Theme = "light", scale: float = 2.0
    ) -> Path:
        """Write the picture to a file; its ending chooses the format.

        The file appears complete or not at all.

        Args:
            path: ends in ``.svg``, ``.pdf``, ``.png`` or ``.dot``.
            theme: colours of a PNG or PDF, ``"light"`` or ``"dark"``; an SVG has both.
            scale: pixels of a PNG for each unit of the picture.

        Returns:
            The path written.

        Raises:
            FigureError: the ending is unknown, or the file cannot be written.
        """
        writers: dict[str, Callable[[], bytes]] = {
            ".svg": lambda: self.svg.encode(),
            ".pdf": lambda: to_raster(self.layout, "pdf", theme),
            ".png": lambda: to_raster(self.layout, "png", theme, scale),
            ".dot": lambda: self.source.encode(),
        }
        return write(path, writers)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"Figure({self.layout.title!r}, {self.layout.width:g} x {self.layout.height:g})"


def write(path: str | os.PathLike[str], writers: dict[str, Callable[[], bytes]]) -> Path:
    """Write a file whole, by the writer for its ending.

    Raises:
        FigureError: no writer for the ending, or the file cannot be written.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in writers:
        raise FigureError(
            f"save: {str(target)!r} does not end in a known format: use one of {', '.join(writers)}"
        )
    return write_whole(target, writers[ending]())
