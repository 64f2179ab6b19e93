"""What a user's own script computes, named on the command line as ``FILE.py:NAME``.

The script runs as an import of it would: as a module called after its file, and after the
packages that the file is in, so that its relative imports work; the folder of the file is
first among those that modules are looked for in.  So what stands below
``if __name__ == "__main__":`` does not run, and a script that trains there can be drawn.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import UsageError
from .graph import Graph
from .guess import did_you_mean
from .measures import Paths
from .numbered import Path as GradientPath
from .record import Leaf
from .tensor import Tensor

Drawable = Tensor | Graph | Paths | GradientPath
KINDS = (
    "a tensor that was computed, tg.paths(...), tg.graph(...), a pair (loss, x), or a function "
    "without arguments that returns one"
)
_MOST_NAMES = 8


@dataclass(frozen=True)
class Found:
    """What a script has under a name, or a network's file.

    Attributes:
        where: ``FILE.py:NAME``, for messages.
        name: the variable or the function.
        value: what it holds, or returned.
        x: the tensor to lead to, where it came as the second of a pair ``(loss, x)``.
        variables: the script's tensors, by the names of its variables.
        ran_on: the random inputs that it ran on, where it was a network.
    """

    where: str
    name: str
    value: Drawable
    x: Tensor | None
    variables: dict[str, Tensor]
    ran_on: str = ""


def parse(where: str) -> tuple[Path, str]:
    """Return the file and the name that ``FILE.py:NAME`` says.

    Raises:
        UsageError: it is not of this form.

    >>> parse("net.py:loss")[1]
    'loss'
    """
    file, _, name = where.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise UsageError(
            f"{where!r} is not FILE.py:NAME: name a Python file and what to take from it, "
            "as in net.py:loss"
        )
    return Path(file), name


def take(file: Path, name: str, arguments: Sequence[str] = ()) -> Found:
    """Run a script and return what it has under a name.

    Args:
        file: the script.
        name: of a tensor, a set of paths or one of them, a graph, a pair ``(loss, x)``, or a
            function without arguments that returns one of these.
        arguments: what the script finds in ``sys.argv``, after its own name.

    Raises:
        UsageError: there is no such file or name, it is something else, or the script failed;
            then its own traceback is on standard error.
    """
    where = f"{file}:{name}"
    try:
        source = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot read it ({error.strerror or error})") from error
    with _as_module(file, arguments) as module:
        with _blaming(file):
            exec(compile(source, str(file), "exec"), vars(module))
        if name not in vars(module):
            raise UsageError(f"{file} makes no {name!r}{_offer(module, name)}")
        value, what = getattr(module, name), f"{where} is"
        if _is_function(value):
            _refuse_arguments(where, value)
            with _blaming(file):
                value, what = value(), f"{where}() returned"
        variables = {k: v for k, v in vars(module).items() if isinstance(v, Tensor)}
    x = None
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, Tensor) for v in value):
        value, x = value
    if not isinstance(value, Drawable):
        kind = "None" if value is None else f"of type {type(value).__name__}"
        kind = f"the class {value.__name__}" if isinstance(value, type) else kind
        kind = kind if what.endswith(" is") else kind.replace("of type", "something of type")
        raise UsageError(f"{what} {kind}: give {KINDS}")
    if isinstance(value, Tensor) and isinstance(value._node, Leaf):
        raise UsageError(
            f"{what} a tensor that nothing computed, no path starts there: give {KINDS}"
        )
    return Found(where, name, value, x, variables)


@contextlib.contextmanager
def _as_module(file: Path, given: Sequence[str]) -> Iterator[ModuleType]:
    """Make an empty module for a file, known as such and alone on the command line for a while."""
    folder = file.resolve().parent
    packages: list[str] = []
    root = folder
    while (root / "__init__.py").exists() and root.name.isidentifier():
        packages.insert(0, root.name)
        root = root.parent
    name = ".".join([*packages, file.stem])
    if name in sys.modules:
        raise UsageError(
            f"{file}: a module named {name!r} is in use already: give the file another name"
        )
    module = ModuleType(name)
    module.__file__ = str(file)
    module.__package__ = ".".join(packages)
    folders, arguments = [str(folder), str(root)][: 1 + bool(packages)], sys.argv
    sys.modules[name] = module
    sys.path[:0] = folders
    sys.argv = [str(file), *given]
    try:
        yield module
    finally:
        sys.argv = arguments
        for path in folders:
            sys.path.remove(path)
        del sys.modules[name]


@contextlib.contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Show what a script raises as Python would, without our own frames, and say so in a line."""
    try:
        yield
    except SystemExit as error:
        raise UsageError(
            f"{file} called sys.exit({'' if error.code is None else repr(error.code)}): put what "
            'is not to run here below if __name__ == "__main__":, '
            "or give it the arguments that it asks for, after --"
        ) from error
    except Exception as error:
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename != str(file):
            frames = frames.tb_next
        traceback.print_exception(error.with_traceback(frames))
        raise UsageError(
            f"{file} failed with the {type(error).__name__} above; nothing was written"
        ) from error


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, (type, Drawable))


def _refuse_arguments(where: str, function: Callable[..., Any]) -> None:
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise UsageError(
            f"{where} cannot be called without arguments ({error}): "
            "write a function around it that passes them"
        ) from error


def _offer(module: ModuleType, wanted: str) -> str:
    """Say what there is to draw in a module that has not what was wanted."""
    functions = {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    }
    within = [name for name, made in functions.items() if wanted in made.__code__.co_varnames]
    if within:
        return (
            f", only {within[0]}() does: let a function return it, "
            f"and give {module.__file__}:{within[0]}"
        )
    own = [
        name
        for name, value in reversed(vars(module).items())
        if isinstance(value, Drawable) or name in functions
    ]
    more = ", ..." if len(own) > _MOST_NAMES else ""
    has = f"it has {', '.join(own[:_MOST_NAMES])}{more}" if own else f"give {KINDS}"
    return f"{did_you_mean(wanted, own)}: {has}"
