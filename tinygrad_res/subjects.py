"""What the commands draw and explore look at: which file, and which paths in what it computes.

The file is a Python script (``tinygrad_res.scripts``) or an ONNX network
(``tinygrad_res.onnx_files``); from both comes something found under a name, and all that follows
asks it for paths without knowing which it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import onnx_files, scripts
from .errors import UsageError
from .graph import Graph
from .graph_parts import GraphNode
from .guess import did_you_mean
from .measures import Paths
from .numbered import Path as GradientPath
from .path_calculus import Target, paths
from .scalar import ScalarGraph
from .scopes import ScopeGraph
from .scripts import Found
from .snapshot import graph

HIGHLIGHTS: dict[str, Callable[[Paths], Any]] = {
    "weight-free": Paths.weight_free,
    "top": lambda among: among.top(1)[0],
}
"""Paths that have a name; any other goes by its number."""
_MOST_LISTED = 12
_NETWORK = ".onnx"


def add_subject(command: argparse.ArgumentParser) -> None:
    """Add what says which paths: the file, the level, where they lead."""
    command.add_argument(
        "source", metavar="FILE", help="FILE.py:NAME, or a network: MODEL.onnx or MODEL.onnx:OUTPUT"
    )
    command.add_argument(
        "--to", metavar="X",
        help="the input that paths lead to: the name of a tensor, or a variable of the script "
        "(default: the only input; of a network the first)",
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
    add_shape(command)
    command.add_argument(
        "--seed", type=_seed, metavar="N",
        help="of the numbers that a network runs on (default: 0)",
    )  # fmt: skip


def add_shape(command: argparse.ArgumentParser) -> None:
    """Add what says how large the inputs of a network in a file are."""
    command.add_argument(
        "--shape", action="append", type=_shape, metavar="X=I,J",
        help="of a network's input, again for each (default: what it declares, "
        "open lengths being 1)",
    )  # fmt: skip


def _index(words: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{words!r} is no index: give whole numbers, as in 0,2"
        ) from None


def _shape(words: str) -> tuple[str, tuple[int, ...]]:
    name, _, lengths = words.rpartition("=")
    try:
        shape = tuple(int(word) for word in lengths.split(",") if lengths)
    except ValueError:
        shape = (0,)
    if not name or min(shape, default=1) < 1:
        raise argparse.ArgumentTypeError(
            f"{words!r} is no shape: give an input and its lengths, as in x=1,3,224,224"
        )
    return name, shape


def _seed(words: str) -> int:
    if not words.isdecimal():
        raise argparse.ArgumentTypeError(f"{words!r} is no seed: give a whole number from 0")
    return int(words)


def is_network(where: str) -> bool:
    """Say whether a command line names a network in a file, with an output or without.

    >>> is_network("net.onnx:logits"), is_network("net.py:loss")
    (True, False)
    """
    return where.endswith(_NETWORK) or f"{_NETWORK}:" in where


@dataclass(frozen=True)
class Source:
    """A file, and what to take from it.

    Attributes:
        file: a script or a network.
        name: a variable or function of the script; the network's output, or ``""``.
        arguments: what the script finds in ``sys.argv``.
        shapes: of the network's inputs, by name.
        seed: of the numbers that the network runs on.
    """

    file: Path
    name: str
    arguments: Sequence[str]
    shapes: dict[str, tuple[int, ...]]
    seed: int

    @classmethod
    def of(cls, options: argparse.Namespace) -> Source:
        """Return what a command line names.

        Raises:
            UsageError: it names neither a script's variable nor a network, or has an option
                that is for the other kind.
        """
        where, arguments = options.source, options.arguments
        given = options.shape or []
        network, colon, output = where.partition(f"{_NETWORK}:")
        if not is_network(where):
            for option, value in (("--shape", given), ("--seed", options.seed)):
                if value not in (None, []):
                    raise UsageError(f"{option} is for networks, and {where} is a script")
            return cls(*scripts.parse(where), arguments, {}, 0)
        if colon and not output:
            raise UsageError(f"{where!r} names no output: give one, or leave the colon out")
        if arguments:
            raise UsageError(f"what stands after -- is for scripts, and {where} is a network")
        shapes = dict(given)
        if len(shapes) < len(given):
            raise UsageError("--shape: an input is given two shapes: leave one out")
        file = Path(network + _NETWORK if colon else where)
        return cls(file, output, (), shapes, options.seed or 0)

    @property
    def stem(self) -> str:
        """What files are called that are written about it."""
        return self.file.stem if self.file.suffix == _NETWORK else self.name

    def take(self) -> Found:
        """Run the file and return what it has under the name."""
        if self.file.suffix == _NETWORK:
            return onnx_files.take(self.file, self.name, self.shapes, self.seed)
        return scripts.take(self.file, self.name, self.arguments)


# Which paths


def subject(found: Found, options: argparse.Namespace) -> Graph | Paths | GradientPath:
    """Return what to draw: a graph as it is where nothing is asked of its paths."""
    asked = (options.to, options.level, options.at, options.depth, options.highlight)
    if isinstance(found.value, Graph) and all(option is None for option in asked):
        return found.value
    return chosen_paths(found, options)


def chosen_paths(found: Found, options: argparse.Namespace) -> Paths | GradientPath:
    """Return the paths that the options ask for, of what was found."""
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


def check_highlight(wish: str | None) -> None:
    """Refuse what is neither the name of a set nor a number."""
    if wish is not None and wish not in HIGHLIGHTS and not wish.isdecimal():
        raise UsageError(
            f"--highlight {wish!r}{did_you_mean(wish, HIGHLIGHTS)}: "
            f"use one of {', '.join(HIGHLIGHTS)}, or a path's number"
        )


def highlighted(what: Graph | Paths | GradientPath, wish: str | None) -> dict[str, Any] | None:
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
