"""The commands ``draw`` and ``explore``: pictures of what a user's own file computes.

What can be known to fail is tried before the file runs: the format, the width, the folder.
What the script prints goes to standard error where standard output is for the figure.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import Error, FigureError, FileError, UsageError
from .files import write_whole
from .numbered import Path as GradientPath
from .scripts import Found
from .subjects import Source, add_subject, check_highlight, chosen_paths, highlighted, subject
from .terminal import say

if TYPE_CHECKING:
    from viz import Figure

_STDOUT = Path("-")
_LEGIBLE = 5
"""What journals ask of the smallest text, in points."""
_SOURCE = """\
NAME is a variable of FILE.py or a function without arguments: a loss (or any tensor
that was computed), tg.paths(...), tg.graph(...), or a pair (loss, x).  FILE.py is run
as an import of it would: not what stands below if __name__ == "__main__":.  What it
finds in sys.argv is given after --.

FILE may also be a network, MODEL.onnx or MODEL.onnx:OUTPUT (pip install
'.[onnx]' in the checkout).  It runs on random numbers, the loss is the sum of its
first output, or of OUTPUT, and paths lead to its first input or, where that holds
integers, to the parameter that they are looked up in.

Exit status: 0, or 2 after any error, of the script too; then nothing is written.
"""
_DRAW_EXAMPLES = """\
examples:
  tinygrad-res draw net.py:loss                          the paths to its only input
  tinygrad-res draw net.py:loss --to W_1 -o paths.pdf    to a weight, by its name
  tinygrad-res draw net.py:loss --highlight weight-free --style print --width 84mm
  tinygrad-res draw net.py:loss --to x --level scalar    number by number
  tinygrad-res draw net.py:make_loss -o - --format dot | dot -Tsvg > paths.svg
  tinygrad-res draw train.py:loss -- --layers 3          arguments of the script
  tinygrad-res draw model.onnx --shape x=1,3,32,32       a network that was exported

"""
_EXPLORE_EXAMPLES = """\
examples:
  tinygrad-res explore net.py:loss                       write loss.html, and open it
  tinygrad-res explore net.py:loss --to x --level scope  what a scope does as one step
  tinygrad-res explore net.py:loss -o a.html --no-browser
  tinygrad-res explore model.onnx:logits --to fc.weight  a network that was exported

"""


def add_draw(commands: Any) -> None:
    """Add the command ``draw`` to a parser's commands."""
    command = commands.add_parser(
        "draw",
        help="draw the gradient paths of your own script's loss or network",
        description="Draw the paths that a gradient takes from NAME, as FILE.py computes it,\n"
        "back to an input, and write the figure.",
        epilog=_DRAW_EXAMPLES + _SOURCE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=_draw)
    add_subject(command)
    command.add_argument(
        "--highlight", metavar="PATHS",
        help="weight-free, top (the path of the largest product) or a path's number; "
        "the others are faded",
    )  # fmt: skip
    command.add_argument(
        "-o", "--out", type=Path, metavar="FILE",
        help="ends in .svg, .pdf, .png, .tex, .tikz, .html, .dot or .mmd; - is standard output "
        "(default: NAME.svg)",
    )  # fmt: skip
    command.add_argument(
        "--format", choices=("svg", "pdf", "png", "tex", "tikz", "html", "dot", "mmd"),
        help="of standard output, or of a FILE that does not say it by its end",
    )  # fmt: skip
    command.add_argument(
        "--width", metavar="W",
        help="on paper, such as 80mm, 3.3in or 240pt; the figure is laid out for it, and its "
        "smallest text is told",
    )  # fmt: skip
    command.add_argument(
        "--parts", metavar="PARTS",
        help="what stands in the figure, of headline, picture, rows, formula and legend, such as "
        "picture,legend (default: all)",
    )  # fmt: skip
    command.add_argument(
        "--style", choices=("auto", "light", "dark", "print"), default="auto",
        help="auto is light or dark as the reader prefers, where the format can tell "
        "(default: auto)",
    )  # fmt: skip


def add_explore(commands: Any) -> None:
    """Add the command ``explore`` to a parser's commands."""
    command = commands.add_parser(
        "explore",
        help="walk the gradient paths of your own script's loss or network, in a browser",
        description="Write a page in which each of the paths from NAME, as FILE.py computes it,\n"
        "back to an input can be walked, and open it in a browser.",
        epilog=_EXPLORE_EXAMPLES + _SOURCE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=_explore)
    add_subject(command)
    command.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="ends in .html (default: NAME.html)"
    )
    command.add_argument("--no-browser", action="store_true", help="only write the page")


# The commands


def _draw(options: argparse.Namespace) -> int:
    import viz
    from viz.page import PARTS, read_parts

    source = Source.of(options)
    out = options.out or Path(f"{source.stem}.{options.format or 'svg'}")
    format = _format(out, options)
    _try_format(out, format, options)
    _try_folder(out)
    check_highlight(options.highlight)
    parts = read_parts("draw", options.parts.split(",") if options.parts else PARTS)
    with _stdout_for(out):
        found = source.take()
        what = subject(found, options)
        marks, width = highlighted(what, options.highlight), _width(options.width)
        figure = viz.draw(what, highlight=marks, parts=parts, size=width)
        content = figure.pipe(format, options.style)
    if out == _STDOUT:
        sys.stdout.buffer.write(content)
        return 0
    write_whole(out, content)
    say(f"wrote {out}: {figure.layout.title}{_ran_on(found)}{_legible(figure)}")
    return 0


def _explore(options: argparse.Namespace) -> int:
    import viz

    source = Source.of(options)
    out = options.out or Path(f"{source.stem}.html")
    if out.suffix.lower() != ".html":
        raise FigureError(f"-o {out}: the page is HTML: let the name end in .html")
    _try_folder(out)
    found = source.take()
    among = chosen_paths(found, options)
    if isinstance(among, GradientPath):
        raise UsageError(
            f"{found.where} is one path: give tg.paths(...) to explore it among others"
        )
    viz.explore(among).save(out)
    say(f"wrote {out}: {among!r}{_ran_on(found)}")
    if not options.no_browser and not webbrowser.open(out.resolve().as_uri()):
        say(f"there is no browser here: open {out.resolve()} in one")
    return 0


def _ran_on(found: Found) -> str:
    return f", on random {found.ran_on}" if found.ran_on else ""


# Where it goes


def _legible(figure: Figure) -> str:
    """Say how small the smallest text is at a width that was asked for, and what would mend it."""
    if figure.width is None:
        return ""
    smallest = figure.smallest_text()
    enough = ceil(_LEGIBLE / smallest * figure.width) if smallest else 0
    mend = f"; {_LEGIBLE} pt take {enough} mm" if smallest < _LEGIBLE else ""
    return f" (smallest text {smallest:.1f} pt{mend})"


def _width(words: str | None) -> str | float | None:
    try:
        return float(words or "")
    except ValueError:
        return words


def _format(out: Path, options: argparse.Namespace) -> str:
    """Return the format that is written: what was asked for, or what the file's end says."""
    ending = out.suffix.lower().lstrip(".")
    if out == _STDOUT:
        return options.format or "svg"
    if out.is_dir():
        raise FigureError(f"-o {out} is a folder: name a file in it, such as {out / 'paths.svg'}")
    if options.format in (None, ending):
        return ending
    if ending:
        raise UsageError(f"-o {out} and --format {options.format} say two formats: leave one out")
    return str(options.format)


@contextlib.contextmanager
def _stdout_for(out: Path) -> Iterator[None]:
    """Keep standard output for the figure, where it goes there."""
    if out != _STDOUT:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _try_format(out: Path, format: str, options: argparse.Namespace) -> None:
    """Write a dot to nowhere, to see that there is such a format and such a width."""
    import viz
    from viz.layout import Canvas, Shape

    if not format:
        raise FigureError(f"-o {out}: nothing says the format: end it as in {out}.svg")
    canvas = Canvas()
    canvas.add(Shape("circle", 0.0, 0.0, 9.0, 9.0, "value", key="dot"))
    figure = viz.Figure(canvas.finish("", ""))
    given = f"-o {out}"
    try:
        figure.pipe(format, options.style)
        given = f"--width {options.width}"
        figure.pipe(format, options.style, size=_width(options.width))
    except Error as error:
        raise FigureError(f"{given}: {str(error).partition(': ')[2]}") from error


def _try_folder(out: Path) -> None:
    if out == _STDOUT:
        return
    try:
        with tempfile.TemporaryFile(dir=out.parent):
            return
    except OSError as error:
        raise FileError(
            f"-o {out}: cannot write in {str(out.parent)!r} ({error.strerror}): "
            "choose a folder that exists and that you may write to"
        ) from error
