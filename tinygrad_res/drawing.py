"""The commands ``draw`` and ``explore``: pictures of what a user's own script computes.

What can be known to fail is tried before the script runs: the format, the width, the folder.
"""

from __future__ import annotations

import argparse
import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import Error, FigureError, UsageError
from .graph import Graph
from .graph_parts import GraphNode
from .measures import Paths
from .numbered import Path as GradientPath
from .path_calculus import Target, paths
from .scalar import ScalarGraph
from .scopes import ScopeGraph
from .scripts import Found, parse, take
from .snapshot import graph
from .terminal import say

HIGHLIGHTS: dict[str, Callable[[Paths], Any]] = {
    "weight-free": Paths.weight_free,
    "top": lambda among: among.top(1)[0],
}
"""Paths that have a name; any other goes by its number."""
_MOST_LISTED = 12
_SOURCE = (
    "NAME is a variable of FILE.py or a function without arguments: a loss (or any tensor that "
    "was computed), tg.paths(...), tg.graph(...), or a pair (loss, x). FILE.py is run as an "
    'import of it would: not what stands below if __name__ == "__main__":. '
    "Exit status: 0, or 2 after any error, of the script too; then nothing is written."
)


def add_draw(commands: Any) -> None:
    """Add the command ``draw`` to a parser's commands."""
    command = commands.add_parser(
        "draw",
        help="draw the gradient paths of a loss that your own script computes",
        description="Draw the paths that a gradient takes from NAME, as FILE.py computes it, "
        "back to an input, and write the figure.",
        epilog=_SOURCE,
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
        help="ends in .svg, .pdf, .png, .tex, .html, .dot or .mmd (default: NAME.svg)",
    )  # fmt: skip
    command.add_argument("--width", metavar="W", help="on paper, such as 80mm, 3.3in or 240pt")
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
        description="Write a page in which each of the paths from NAME, as FILE.py computes "
        "it, back to an input can be walked, and open it in a browser.",
        epilog=_SOURCE,
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
    out = options.out or Path(f"{name}.svg")
    _try_format(out, options)
    _try_folder(out)
    found = take(file, name)
    what = _subject(found, options)
    figure = viz.draw(what, highlight=_highlighted(what, options.highlight))
    figure.save(out, options.style, size=_width(options.width))
    say(f"wrote {out}: {figure.layout.title}")
    return 0


def _explore(options: argparse.Namespace) -> int:
    import viz

    file, name = parse(options.source)
    out = options.out or Path(f"{name}.html")
    if out.suffix.lower() != ".html":
        raise FigureError(f"-o {out}: the page is HTML: let the name end in .html")
    _try_folder(out)
    found = take(file, name)
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


def _width(words: str | None) -> str | float | None:
    try:
        return float(words or "")
    except ValueError:
        return words


def _try_format(out: Path, options: argparse.Namespace) -> None:
    """Write a dot to nowhere, to see that there is such a format and such a width."""
    import viz
    from viz.layout import Canvas, Shape

    canvas, format = Canvas(), out.suffix.lower().lstrip(".")
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


def _highlighted(what: Graph | Paths | GradientPath, wish: str | None) -> dict[str, Any] | None:
    """Return the paths to bring out of a set, by what the legend calls them."""
    if wish is None:
        return None
    if not isinstance(what, Paths):
        raise UsageError(f"--highlight {wish}: {what!r} is one path already: leave it out")
    if wish in HIGHLIGHTS:
        return {wish: HIGHLIGHTS[wish](what)}
    if not wish.isdecimal():
        raise UsageError(
            f"--highlight {wish!r}: use one of {', '.join(HIGHLIGHTS)}, or a path's number"
        )
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
    raise UsageError(f"{found.where}: {why}: --to is one of {_listed(leaves, found)}")


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
