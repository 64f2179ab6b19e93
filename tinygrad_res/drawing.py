"""The commands ``draw`` and ``explore``: pictures of what a user's own script computes.

What can be known to fail is tried before the script runs: the format, the width, the folder.
What the script prints goes to standard error where standard output is for the figure.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import Error, FigureError, UsageError
from .files import write_whole
from .graph import Graph
from .graph_parts import GraphNode
from .guess import did_you_mean
from .measures import Paths
from .numbered import Path as GradientPath
from .path_calculus import Target, paths
from .scalar import ScalarGraph
from .scopes import ScopeGraph
from .scripts import Found, parse, take
from .snapshot import graph
from .terminal import say

if TYPE_CHECKING:
    from viz import Figure

HIGHLIGHTS: dict[str, Callable[[Paths], Any]] = {
    "weight-free": Paths.weight_free,
    "top": lambda among: among.top(1)[0],
}
"""Paths that have a name; any other goes by its number."""
_MOST_LISTED = 12
_STDOUT = Path("-")
_LEGIBLE = 5
"""What journals ask of the smallest text, in points."""
_SOURCE = """\
NAME is a variable of FILE.py or a function without arguments: a loss (or any tensor
that was computed), tg.paths(...), tg.graph(...), or a pair (loss, x).  FILE.py is run
as an import of it would: not what stands below if __name__ == "__main__":.  What it
finds in sys.argv is given after --.

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

"""
_EXPLORE_EXAMPLES = """\
examples:
  tinygrad-res explore net.py:loss                       write loss.html, and open it
  tinygrad-res explore net.py:loss --to x --level scope  what a scope does as one step
  tinygrad-res explore net.py:loss -o a.html --no-browser

"""


def add_draw(commands: Any) -> None:
    """Add the command ``draw`` to a parser's commands."""
    command = commands.add_parser(
        "draw",
        help="draw the gradient paths of a loss that your own script computes",
        description="Draw the paths that a gradient takes from NAME, as FILE.py computes it,\n"
        "back to an input, and write the figure.",
        epilog=_DRAW_EXAMPLES + _SOURCE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=_draw)
    _add_subject(command)
    command.add_argument(
        "--highlight", metavar="PATHS",
        help="weight-free, top (the path of the largest product) or a path's number; "
        "the others are faded",
    )  # fmt: skip
    command.add_argument(
        "-o", "--out", type=Path, metavar="FILE",
        help="ends in .svg, .pdf, .png, .tex, .html, .dot or .mmd; - is standard output "
        "(default: NAME.svg)",
    )  # fmt: skip
    command.add_argument(
        "--format", choices=("svg", "pdf", "png", "tex", "html", "dot", "mmd"),
        help="of standard output, or of a FILE that does not say it by its end",
    )  # fmt: skip
    command.add_argument(
        "--width", metavar="W",
        help="on paper, such as 80mm, 3.3in or 240pt; texts are scaled along, and the smallest "
        "is told",
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
        help="walk the gradient paths of a loss that your own script computes, in a browser",
        description="Write a page in which each of the paths from NAME, as FILE.py computes it,\n"
        "back to an input can be walked, and open it in a browser.",
        epilog=_EXPLORE_EXAMPLES + _SOURCE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=_explore)
    _add_subject(command)
    command.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="ends in .html (default: NAME.html)"
    )
    command.add_argument("--no-browser", action="store_true", help="only write the page")


def _add_subject(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", metavar="FILE.py:NAME", help="what to take from which script")
    command.add_argument(
        "--to", metavar="X",
        help="the input that paths lead to: the name of a tensor, or a variable of the script "
        "(default: the only input)",
    )  # fmt: skip
    command.add_argument(
        "--level", choices=("tensor", "scalar", "scope"),
        help="what a node is: a whole array, an array element, or what happens within a "
        "scope (default: tensor)",
    )  # fmt: skip
    command.add_argument(
        "--at", type=_index, metavar="I,J",
        help="lead to this one element of the input, at scalar level",
    )  # fmt: skip
    command.add_argument(
        "--depth", type=int, metavar="N",
        help="tell apart so many scopes inside one another, at scope level",
    )  # fmt: skip


def _index(words: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{words!r} is no index: give whole numbers, as in 0,2"
        ) from None


# The commands


def _draw(options: argparse.Namespace) -> int:
    import viz

    file, name = parse(options.source)
    out = options.out or Path(f"{name}.{options.format or 'svg'}")
    format = _format(out, options)
    _try_format(out, format, options)
    _try_folder(out)
    _check_highlight(options.highlight)
    with _stdout_for(out):
        found = take(file, name, options.arguments)
        what = _subject(found, options)
        figure = viz.draw(what, highlight=_highlighted(what, options.highlight))
        width = _width(options.width)
        content = figure.pipe(format, options.style, size=width)
    if out == _STDOUT:
        sys.stdout.buffer.write(content)
        return 0
    write_whole(out, content)
    say(f"wrote {out}: {figure.layout.title}{_legible(figure, width)}")
    return 0


def _explore(options: argparse.Namespace) -> int:
    import viz

    file, name = parse(options.source)
    out = options.out or Path(f"{name}.html")
    if out.suffix.lower() != ".html":
        raise FigureError(f"-o {out}: the page is HTML: let the name end in .html")
    _try_folder(out)
    found = take(file, name, options.arguments)
    among = _paths(found, options)
    if isinstance(among, GradientPath):
        raise UsageError(
            f"{found.where} is one path: give tg.paths(...) to explore it among others"
        )
    viz.explore(among).save(out)
    say(f"wrote {out}: {among!r}")
    if not options.no_browser and not webbrowser.open(out.resolve().as_uri()):
        say(f"there is no browser here: open {out.resolve()} in one")
    return 0


# Where it goes


def _legible(figure: Figure, width: str | float | None) -> str:
    """Say how small the smallest text is at a width that was asked for, and what would mend it."""
    if width is None:
        return ""
    smallest, natural = figure.smallest_text(width), figure.smallest_text()
    enough = ceil(_LEGIBLE / natural * figure.layout.width / 72 * 25.4)
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
        raise FigureError(
            f"-o {out}: cannot write in {str(out.parent)!r} ({error.strerror}): "
            "choose a folder that exists and that you may write to"
        ) from error


# Which paths


def _subject(found: Found, options: argparse.Namespace) -> Graph | Paths | GradientPath:
    """Return what to draw: a graph as it is where nothing is asked of its paths."""
    asked = (options.to, options.level, options.at, options.depth, options.highlight)
    if isinstance(found.value, Graph) and all(option is None for option in asked):
        return found.value
    return _paths(found, options)


def _paths(found: Found, options: argparse.Namespace) -> Paths | GradientPath:
    to, level, at, depth = options.to, options.level, options.at, options.depth
    given = {"--to": to, "--level": level, "--at": at, "--depth": depth}
    for option, fitting in (("--at", "scalar"), ("--depth", "scope")):
        if given[option] is not None and level not in (None, fitting):
            raise UsageError(f"{option} is for --level {fitting}, not for --level {level}")
    value = found.value
    if isinstance(value, (Paths, GradientPath)):
        for option, wish in given.items():
            if wish is not None:
                raise UsageError(
                    f"{found.where} is {value!r} already: leave {option} out, or name the loss"
                )
        return value
    whole = value if isinstance(value, Graph) else graph(value)
    if level is None and whole.level == "tensor":
        level = "scalar" if at is not None else "scope" if depth is not None else None
    x = found.x if found.x is not None and to is None else _target(whole, to, found)
    return paths(whole, x, level=level or "tensor", at=at, depth=depth)


def _check_highlight(wish: str | None) -> None:
    if wish is not None and wish not in HIGHLIGHTS and not wish.isdecimal():
        raise UsageError(
            f"--highlight {wish!r}{did_you_mean(wish, HIGHLIGHTS)}: "
            f"use one of {', '.join(HIGHLIGHTS)}, or a path's number"
        )


def _highlighted(what: Graph | Paths | GradientPath, wish: str | None) -> dict[str, Any] | None:
    """Return the paths to bring out of a set, by what the legend calls them."""
    if wish is None:
        return None
    if not isinstance(what, Paths):
        raise UsageError(f"--highlight {wish}: {what!r} is one path already: leave it out")
    if wish in HIGHLIGHTS:
        return {wish: HIGHLIGHTS[wish](what)}
    if int(wish) >= what.count():
        raise UsageError(f"--highlight {wish}: {what!r} are numbered from 0")
    return {f"path {int(wish)}": what[int(wish)]}


def _target(whole: Graph, to: str | None, found: Found) -> Target:
    """Return the input that paths lead to: the one asked for, or the only one."""
    above = whole.parent if isinstance(whole, (ScalarGraph, ScopeGraph)) else whole
    leaves = _leaves(above)
    if to is None:
        inputs = [leaf for leaf in leaves if leaf.kind == "input"]
        if len(inputs) == 1:
            return _handle(inputs[0])
        count = f"{len(inputs)} inputs" if inputs else "no input, only parameters"
        raise UsageError(f"{found.where} has {count}: choose by --to {_listed(leaves, found)}")
    named = [node for node in above.nodes if node.name == to]
    if named and (len(named) == 1 or named[0].recorded is None):
        return _handle(named[0])
    variable = found.variables.get(to)
    if variable is not None and whole.holds(variable):
        return variable
    why = f"{len(named)} tensors are named {to!r}" if named else f"no tensor {to!r} is in its graph"
    near = did_you_mean(to, filter(None, (leaf.name for leaf in leaves))) if not named else ""
    raise UsageError(f"{found.where}: {why}{near}: --to is one of {_listed(leaves, found)}")


def _leaves(above: Graph) -> list[GraphNode]:
    """Return one node for each array that a gradient can lead to, the inputs first."""
    found: dict[Any, GraphNode] = {}
    computed = set(above.sources.tolist())
    for node in above.nodes:
        if not node.op and node.requires_grad and node.index not in computed:
            found.setdefault(node.recorded or node.name or node.index, node)
    return sorted(found.values(), key=lambda node: node.kind != "input")


def _handle(node: GraphNode) -> Target:
    """Return what ``tg.paths`` takes for a node: its tensor, or the name of its array."""
    if node.recorded is None:
        return node.name or node
    return node if node.tensor is None else node.tensor


def _listed(leaves: list[GraphNode], found: Found) -> str:
    """List tensors by name, by variable where they have none, with their shapes."""
    said = []
    for node in leaves[:_MOST_LISTED]:
        own = [name for name, tensor in found.variables.items() if tensor is node.tensor]
        name = repr(node.name) if node.name else (own[0] if own else "an unnamed one")
        said.append(f"{name} {node.shape}")
    rest = len(leaves) - len(said)
    return ", ".join(said) + (f" and {rest} more" if rest else "")
