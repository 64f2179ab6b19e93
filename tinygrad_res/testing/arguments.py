"""The arguments of a function to check, as one flat list of float64 arrays.

Arguments may be nested tuples, lists and dicts.  Their floating point leaves are what
the function is differentiated by; every other leaf is a constant.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import trees
from ..errors import UsageError

__tracebackhide__ = True  # pytest shows the test's own line


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each leaf of nested tuples, lists and dicts with its path, in order.

    >>> list(leaves({"w": [1.0, 2.0], "b": 3.0}))
    [("['w'][0]", 1.0), ("['w'][1]", 2.0), ("['b']", 3.0)]
    """
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path}[{key!r}]")
    elif isinstance(tree, (tuple, list)):
        for k, value in enumerate(tree):
            yield from leaves(value, f"{path}[{k}]")
    elif tree is not None:
        yield path, tree


def is_floating(leaf: Any) -> bool:
    """Say whether a leaf is a float, or an array of floats of whatever library."""
    return isinstance(leaf, float) or "float" in str(getattr(leaf, "dtype", ""))


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call.

    Attributes:
        tree: the arguments as they were given.
        moving: for each leaf, whether the function is differentiated by it.
        given: the leaves that it is differentiated by.
        primals: the same as float64 NumPy arrays.
        names: what messages call them, such as ``"argument 1 (params)['w']"``.
        parameters: the names of the arguments themselves.
    """

    tree: tuple[Any, ...]
    moving: tuple[bool, ...]
    given: tuple[Any, ...]
    primals: tuple[Any, ...]
    names: tuple[str, ...]
    parameters: tuple[str, ...]

    def filled(self, arrays: Iterable[Any]) -> Any:
        """Return the arguments with ``arrays`` in place of the floating point leaves."""
        new = iter(arrays)
        old = (leaf for _, leaf in leaves(self.tree))
        values = (next(new) if m else leaf for m, leaf in zip(self.moving, old, strict=True))
        return trees.unflatten(trees.flatten(self.tree)[1], values)

    def constants(self) -> list[Any]:
        """Return the leaves that are held constant."""
        old = (leaf for _, leaf in leaves(self.tree))
        return [leaf for m, leaf in zip(self.moving, old, strict=True) if not m]


def arguments(
    f: Callable[..., Any],
    args: Sequence[Any],
    host: Callable[[Any], Any],
    argnums: Sequence[int] | None = None,
) -> Arguments:
    """Return the arguments of ``f`` as flat arrays.

    Args:
        f: the function; the names of its parameters go into messages.
        args: its positional arguments.
        host: turns an array of the engine into a NumPy array.
        argnums: which arguments to differentiate by; all where left out.

    Raises:
        UsageError: no leaf is floating point, or one is complex.
    """
    known = _parameters(f)
    moving, given, names = [], [], []
    for i, arg in enumerate(args):
        title = f"argument {i} ({known[i]})" if i < len(known) else f"argument {i}"
        for path, leaf in leaves(arg):
            if isinstance(leaf, complex) or "complex" in str(getattr(leaf, "dtype", "")):
                raise UsageError(
                    f"{title}{path} is complex: pass the real and the imaginary part as "
                    "arguments of their own"
                )
            moving.append(is_floating(leaf) and (argnums is None or i in argnums))
            if moving[-1]:
                given.append(leaf)
                names.append(title + path)
    if not given:
        raise UsageError("no argument is floating point, so there is nothing to differentiate by")
    primals = tuple(np.array(host(leaf), dtype=np.float64) for leaf in given)
    parameters = [known[i] if i < len(known) else f"argument {i}" for i in range(len(args))]
    return Arguments(
        tuple(args), tuple(moving), tuple(given), primals, tuple(names), tuple(parameters)
    )


def _parameters(f: Callable[..., Any]) -> list[str]:
    """Return the names of the positional parameters, as far as they can be known."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in positional]


def nice(rng: np.random.Generator, size: int) -> Any:
    """Draw numbers that read well in a table: different, never zero, exact in binary.

    They are multiples of 1/4, or of a smaller power of 2 where many are needed, between
    -2 and 2.

    >>> nice(np.random.default_rng(0), 4)
    array([-1.  ,  0.75,  0.5 ,  0.25])
    """
    step = 0.25
    while size > 2 / step:
        step /= 2
    top = max(size, 4)
    signs = rng.choice([-1.0, 1.0], top)
    return (rng.permutation(np.arange(1, top + 1) * step * signs))[:size]
