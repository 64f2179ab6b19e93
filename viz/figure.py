"""Figure: what ``viz.draw`` returns; shows itself in Jupyter and saves itself.

The names are those of the ``graphviz`` package: ``source``, ``pipe``, ``render``, and
``save``.  A table says which writer makes which format, and what can be asked of it.
"""

from __future__ import annotations

import base64
import math
import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, Literal, get_args, overload

from tinygrad_res.errors import FigureError, UsageError
from tinygrad_res.files import write_whole

from .layout import Layout
from .style import Theme
from .text import SUB_SIZE
from .writers.dot import to_dot
from .writers.html import to_html
from .writers.mermaid import to_mermaid
from .writers.raster import to_raster
from .writers.svg import to_svg, xml_text
from .writers.tikz import to_tex, to_tikz

FigureStyle = Theme | Literal["auto"]
Width = str | float | None

_STYLES: tuple[str, ...] = ("auto", *get_args(Theme))
_NARROWEST, _WIDEST, _LEAST_SCALE = 1.0, 10_000.0, 0.1
_MM = {"mm": 1.0, "cm": 10.0, "in": 25.4, "pt": 25.4 / 72.27, "bp": 25.4 / 72}
_LENGTH = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(mm|cm|in|pt|bp)\s*")


@dataclass(frozen=True)
class Rendering:
    """How a picture is to be written: a look, a width on paper in mm, pixels for each of its own."""

    style: FigureStyle
    width: float | None
    scale: float

    @property
    def theme(self) -> Theme:
        """The theme, for formats that cannot follow their reader."""
        return "light" if self.style == "auto" else self.style


class Figure:
    """A picture, ready to be shown or written.

    Attributes:
        layout: what is drawn where; every file format is written from it.
        width: how wide it is on paper in mm where it was laid out for a width, else ``None``.
    """

    def __init__(self, layout: Layout, width: float | None = None) -> None:
        self.layout, self.width = layout, width

    @cached_property
    def svg(self) -> str:
        """The picture as SVG text; the same input gives the same text."""
        return to_svg(self.layout, width=self.width)

    @cached_property
    def source(self) -> str:
        """The picture as DOT source, which Graphviz draws as it is: ``dot -Tsvg a.dot``."""
        return to_dot(self.layout)

    @cached_property
    def mermaid(self) -> str:
        """The nodes and edges as a Mermaid flowchart, for READMEs."""
        return to_mermaid(self.layout)

    @cached_property
    def tikz(self) -> str:
        r"""The picture as a ``tikzpicture``; ``save`` writes it in any width, as ``.tikz``."""
        return to_tikz(self.layout, width=self.width)

    @cached_property
    def html(self) -> str:
        """The picture as a page of HTML that asks nothing of the network and runs nothing."""
        return to_html(self.layout, width=self.width)

    def save(
        self, path: str | os.PathLike[str], style: FigureStyle = "auto", *, size: Width = None,
        scale: float = 2.0,
    ) -> Path:  # fmt: skip
        r"""Write the picture to a file; its ending chooses the format.

        The file appears complete or not at all.  A character that no font has is an empty box
        in PNG and PDF, and in TikZ a box with its code point, never another character; install
        a font such as Noto Sans CJK, or write SVG or HTML, which their reader's fonts draw.

        Args:
            path: ends in ``.svg``, ``.pdf``, ``.png``, ``.dot``, ``.tex``, ``.tikz``, ``.mmd``
                or ``.html``.  A ``.tex`` is a document of its own, a ``.tikz`` the picture
                alone, for ``\input`` in a paper that uses ``tikz`` (and ``fix-cm``, where its
                fonts come in fixed sizes).
            style: ``"light"``, ``"dark"``, ``"print"`` (black on white, told apart by lines
                alone), or ``"auto"``: in SVG and HTML, light or dark as the reader prefers;
                light elsewhere.  Mermaid has the colours of its page in any case.
            size: the width on paper, as ``"80mm"``, ``"3.3in"`` or a number of mm; the
                height and the texts stay in proportion, so ``smallest_text(size)`` may be
                too little to read; ``draw(..., size=...)`` lays a figure out for a width.
                Left out, it is that width, or a pixel of the layout is a pixel in SVG and
                HTML, and 1/72 inch in PDF, PNG and TikZ.  DOT and Mermaid have no size.
            scale: pixels of a PNG for each pixel of the layout, whatever its ``size``.

        Returns:
            The path written.

        Raises:
            UsageError: an unknown style, a size or scale that is none, or a PNG too large to draw.
            FigureError: the ending is unknown, or the format has no size.
            FileError: the file cannot be written.

        >>> import tempfile, tinygrad_res as tg, viz
        >>> x = tg.tensor(2.0, requires_grad=True, name="x")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     viz.draw(tg.paths(tg.tanh(x), x)).save(f"{folder}/a.svg", size="80mm").name
        'a.svg'
        """
        how = rendering("save", style, size, scale)
        endings = {f".{name}": self._writer("save", name, how) for name in _WRITERS}
        return write(path, endings)

    def smallest_text(self, size: Width = None) -> float:
        """Return how high the smallest text is set on paper, in points; journals ask for 5 to 7.

        Below 5, draw for the width with ``draw(..., size=...)``, or leave out ``parts``.

        Args:
            size: the width on paper, as ``save`` takes it.

        Raises:
            UsageError: ``size`` is no width.

        >>> import tinygrad_res as tg, viz
        >>> x = tg.tensor(2.0, requires_grad=True, name="x")
        >>> viz.draw(tg.paths(tg.tanh(x), x)).smallest_text() > 5
        True
        """
        width = millimetres("smallest_text", size) or self.width
        unit = 1.0 if width is None else width / _MM["bp"] / self.layout.width
        sizes = [
            label.size * (SUB_SIZE if any(kind for _, kind in label.runs) else 1.0)
            for label in self.layout.labels
        ]
        return min(sizes, default=0.0) * unit * _MM["bp"] / _MM["pt"]

    def render(
        self, filename: str | os.PathLike[str], format: str | None = None,
        style: FigureStyle = "auto", *, size: Width = None, scale: float = 2.0,
    ) -> Path:  # fmt: skip
        """Write the picture as ``save`` does; with a ``format``, its ending is added to the name.

        Returns:
            The path written.

        Raises:
            UsageError, FigureError: as ``save`` does.
        """
        if format is None:
            return self.save(filename, style, size=size, scale=scale)
        content = self._content("render", format, rendering("render", style, size, scale))
        return write_whole(f"{os.fspath(filename)}.{format}", content)

    @overload
    def pipe(
        self, format: str = ..., style: FigureStyle = ..., *, size: Width = ...,
        scale: float = ..., encoding: None = ...,
    ) -> bytes: ...  # fmt: skip
    @overload
    def pipe(
        self, format: str = ..., style: FigureStyle = ..., *, size: Width = ...,
        scale: float = ..., encoding: str,
    ) -> str: ...  # fmt: skip

    def pipe(
        self, format: str = "svg", style: FigureStyle = "auto", *, size: Width = None,
        scale: float = 2.0, encoding: str | None = None,
    ) -> bytes | str:  # fmt: skip
        """Return what ``save`` would write.

        Args:
            format: ``"svg"``, ``"pdf"``, ``"png"``, ``"dot"``, ``"tex"``, ``"tikz"``, ``"mmd"`` or
                ``"html"``.
            encoding: return text instead of bytes, decoded so; ``"utf-8"`` for text formats.

        Raises:
            UsageError: an unknown format or style, a size or scale that is none, or an
                encoding in which the format cannot be read.
            FigureError: the format has no size.
        """
        content = self._content("pipe", format, rendering("pipe", style, size, scale))
        try:
            return content if encoding is None else content.decode(encoding)
        except (LookupError, UnicodeError, TypeError) as error:
            raise UsageError(
                f"pipe: encoding={encoding!r} cannot read {format}: use 'utf-8' for formats that "
                "are text, and leave it out for pdf and png"
            ) from error

    def _content(self, call: str, format: str, how: Rendering) -> bytes:
        if format not in [*_WRITERS]:
            raise UsageError(
                f"{call}: format {format!r} is unknown: use one of {', '.join(_WRITERS)}"
            )
        return self._writer(call, format, how)()

    def _writer(self, call: str, format: str, how: Rendering) -> Callable[[], bytes]:
        def content() -> bytes:
            if how.width is not None and format in _SIZELESS:
                raise FigureError(
                    f"{call}: {format!r} has no size on paper, its reader lays it out: "
                    "leave size out, or choose svg, pdf, png, tex, tikz or html"
                )
            made = _WRITERS[format](self, replace(how, width=how.width or self.width))
            return made if isinstance(made, bytes) else made.encode()

        return content

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None,
        **_: Any,
    ) -> dict[str, str]:  # fmt: skip
        said = f"{self.layout.title}. {self.layout.description}"
        return mimebundle(self.svg, said, repr(self), include, exclude)

    def __repr__(self) -> str:
        paper = f", for {self.width:g} mm" if self.width else ""
        size = f"{self.layout.width:g} x {self.layout.height:g}{paper}"
        return f"Figure({self.layout.title!r}, {size})"


_WRITERS: dict[str, Callable[[Figure, Rendering], str | bytes]] = {
    "svg": lambda figure, how: to_svg(figure.layout, how.style, how.width),
    "pdf": lambda figure, how: to_raster(figure.layout, "pdf", how.theme, 1.0, how.width),
    "png": lambda figure, how: to_raster(figure.layout, "png", how.theme, how.scale, how.width),
    "dot": lambda figure, how: to_dot(figure.layout, how.theme),
    "tex": lambda figure, how: to_tex(figure.layout, how.theme, how.width),
    "tikz": lambda figure, how: to_tikz(figure.layout, how.theme, how.width),
    "mmd": lambda figure, _: figure.mermaid,
    "html": lambda figure, how: to_html(figure.layout, how.style, how.width),
}
_SIZELESS = frozenset({"dot", "mmd"})


def rendering(call: str, style: str, size: Width, scale: float) -> Rendering:
    """Return how a picture is to be written, from what a user asked ``call`` for.

    Raises:
        UsageError: an unknown style, or a size or scale that is none.
    """
    if style not in _STYLES:
        raise UsageError(f"{call}: style {style!r} is unknown: use one of {', '.join(_STYLES)}")
    pixels = _number(scale)
    if pixels is None or not _LEAST_SCALE <= pixels <= 100:
        raise UsageError(f"{call}: scale {scale!r} is no number of pixels: use one from 0.1 to 100")
    return Rendering(style, millimetres(call, size), pixels)  # type: ignore[arg-type]


def millimetres(call: str, size: Width) -> float | None:
    """Return a width in mm.

    Raises:
        UsageError: ``size`` is no width.

    >>> millimetres("save", "3in"), millimetres("save", 80)
    (76.19999999999999, 80.0)
    """
    if size is None:
        return None
    found = _number(size)
    if isinstance(size, str) and (read := _LENGTH.fullmatch(size)):
        found = float(read[1]) * _MM[read[2]]
    if found is None or not math.isfinite(found) or not _NARROWEST <= found <= _WIDEST:
        raise UsageError(
            f"{call}: size {size!r} is no width on paper: give a number of mm, such as 80, or "
            f"text such as '80mm', '8cm', '3.3in' or '240pt', from {_NARROWEST:g} to {_WIDEST:g} mm"
        )
    return found


def _number(given: object) -> float | None:
    """Return a number of any kind as a float, and ``None`` for anything else."""
    return None if isinstance(given, bool) or not isinstance(given, Real) else float(given)


def mimebundle(
    svg: str, said: str, words: str, include: Collection[str] | None,
    exclude: Collection[str] | None,
) -> dict[str, str]:  # fmt: skip
    """Return a picture by the types of content that a notebook asks for.

    Pages show it as an image that is never wider than they are, and read out what is ``said``.
    """
    image = base64.b64encode(svg.encode("utf-8", "replace")).decode()
    html = (
        f'<img src="data:image/svg+xml;base64,{image}" alt="{xml_text(said)}" '
        'style="max-width:100%;height:auto">'
    )
    bundle = {"text/html": html, "image/svg+xml": svg, "text/plain": words}
    wanted = set(include or bundle) - set(exclude or ())
    return {kind: content for kind, content in bundle.items() if kind in wanted}


def write(path: str | os.PathLike[str], writers: dict[str, Callable[[], bytes]]) -> Path:
    """Write a file whole, by the writer for its ending.

    Raises:
        UsageError: ``path`` is none.
        FigureError: no writer for the ending.
        FileError: the file cannot be written.
    """
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"save: path={path!r}: pass a str or a pathlib.Path")
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in writers:
        raise FigureError(
            f"save: {str(target)!r} does not end in a known format: use one of {', '.join(writers)}"
        )
    return write_whole(target, writers[ending]())
