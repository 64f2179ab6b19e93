"""A function of nested arguments, seen as one of a flat list of float64 NumPy arrays.

Here every engine looks alike: values, pulled cotangents and pushed tangents are NumPy
arrays, and an output of several arrays is one vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import trees
from ..errors import UsageError
from .arguments import Arguments, arguments, is_floating, leaves
from .engines import Engine

__tracebackhide__ = True  # pytest shows the test's own line


class FlatFunction:
    """``f`` at one point: its values near it, and its derivatives there.

    Attributes:
        engine: the engine that differentiates it.
        arguments: the point.
        primals: the same as float64 arrays.
        shapes: the shapes of the floating point outputs.
    """

    def __init__(
        self, f: Callable[..., Any], args: Sequence[Any], engine: Engine,
        argnums: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        self.f = f
        self.engine = engine
        if argnums is not None:
            args = [a if i in argnums else self._widened(a) for i, a in enumerate(args)]
        self.arguments: Arguments = arguments(f, args, engine.host, argnums)
        self.primals = self.arguments.primals
        self.shapes = [engine.host(y).shape for y in self._outputs(self.arrays(self.primals))]
        self.size = sum(int(np.prod(shape)) for shape in self.shapes)

    # In the engine's arrays

    def __call__(self, *arrays: Any) -> Any:
        """Run on flat arrays of the engine; return its outputs as the engine packs them."""
        outputs = self._run(arrays)
        return self.engine.pack([out for _, out in leaves(outputs) if is_floating(out)])

    def arrays(self, values: Sequence[Any]) -> list[Any]:
        """Return float64 values as fresh arrays of the engine."""
        return [self.engine.array(v, g) for v, g in zip(values, self.arguments.given, strict=True)]

    def cotangent(self, vector: Any) -> Any:
        """Return a vector as a cotangent of what ``__call__`` returns."""
        return self.engine.pack(self.cotangents(vector))

    def cotangents(self, vector: Any) -> list[Any]:
        """Return a vector as one array of the engine for each output."""
        like = self.arguments.given[0]
        return [self.engine.array(c, like) for c in split(vector, self.shapes)]

    def flat(self, packed: Any) -> Any:
        """Return what the engine packed as one vector."""
        parts = packed if isinstance(packed, (tuple, list)) else [packed]
        return np.concatenate([np.ravel(self.engine.host(part)) for part in parts])

    def reverse(self, f: Callable[..., Any], cotangent: Any) -> Callable[..., Any]:
        """Return the function that pulls ``cotangent`` back through ``f``, packed."""
        vjp, pack = self.engine.vjp, self.engine.pack
        return lambda *xs: pack(list(vjp(f, *xs)[1](cotangent)))

    def forward(self, f: Callable[..., Any], tangents: Sequence[Any]) -> Callable[..., Any]:
        """Return the function that pushes ``tangents`` forward through ``f``."""
        jvp = self.engine.jvp
        assert jvp is not None
        return lambda *xs: jvp(f, tuple(xs), tuple(tangents))[1]

    # In NumPy arrays

    def values(self, xs: Sequence[Any]) -> Any:
        """Return all floating point outputs as one vector."""
        found = [np.ravel(self.engine.host(out)) for out in self._outputs(self.arrays(xs))]
        return np.concatenate(found)

    def pull(self, xs: Sequence[Any], vector: Any) -> list[Any]:
        """Return the arguments' cotangents for one of the outputs."""
        back = self.engine.vjp(self, *self.arrays(xs))[1]
        return [self.engine.host(g) for g in back(self.cotangent(vector))]

    def push(self, xs: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Return the outputs' tangent for tangents of the arguments, as one vector."""
        return self.flat(self.forward(self, self.arrays(tangents))(*self.arrays(xs)))

    def line(self, tangents: Sequence[Any]) -> Callable[[Any], Any]:
        """Return ``t -> values(x + t v)``."""
        return lambda t: self.values(self.moved(t, tangents))

    def moved(self, t: Any, tangents: Sequence[Any]) -> list[Any]:
        """Return ``x + t v``; arguments whose tangent is zero stay as they are, bit by bit."""
        pairs = zip(self.primals, tangents, strict=True)
        return [x + t * v if np.any(v) else x for x, v in pairs]

    def along(self, i: int, tangent: Any) -> list[Any]:
        """Return tangents that are zero but for argument ``i``."""
        return [tangent if i == k else np.zeros_like(x) for k, x in enumerate(self.primals)]

    def output_label(self, k: int) -> str:
        """Return how messages call entry ``k`` of the outputs' vector."""
        for n, shape in enumerate(self.shapes):
            size = int(np.prod(shape))
            if k < size:
                which = f"output {n}" if len(self.shapes) > 1 else "the output"
                at = list(map(int, np.unravel_index(k, shape))) if shape else ""
                return f"{which}{at}"
            k -= size
        raise IndexError(k)

    def _widened(self, arg: Any) -> Any:
        """Return a constant argument with its arrays of floats as float64."""
        engine = self.engine

        def wide(leaf: Any) -> Any:
            if not hasattr(leaf, "dtype") or not is_floating(leaf):
                return leaf
            return engine.array(np.asarray(engine.host(leaf), dtype=np.float64), leaf)

        return trees.transform(wide, arg)

    def _run(self, arrays: Sequence[Any]) -> Any:
        try:
            return self.f(*self.arguments.filled(arrays))
        except RuntimeError as error:
            if "dtype" in str(error):
                raise UsageError(
                    "arguments are checked in float64, and what the function holds besides is of "
                    f"another dtype ({error}): make it float64 too, as module.double() does"
                ) from error
            raise

    def _outputs(self, arrays: Sequence[Any]) -> list[Any]:
        outputs = self._run(arrays)
        found = [
            out for _, out in leaves(outputs)
            if is_floating(out) or "complex" in str(getattr(out, "dtype", ""))
        ]  # fmt: skip
        if not found:
            raise UsageError("the function returned nothing that is floating point")
        return found


def split(vector: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """Return a vector cut into arrays of these shapes."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    pieces = np.split(vector, np.cumsum(sizes)[:-1])
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]
