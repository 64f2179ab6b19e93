"""One run of a function to differentiate: what went in, what came out, and the record.

The transforms of ``autodiff`` run a function through ``record_call`` and ask the ``Call``
that comes back for derivatives.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import backend, trees
from .errors import DtypeError, GradientError, UsageError
from .record import Leaf, Node, recording, scope_now
from .sweeps import ancestry, pull, seed
from .tensor import Tensor, raw, tensor


@dataclass
class Call:
    """One run of a function to differentiate, with its record.

    ``inputs`` and ``outputs`` are the values of the trees that went in and came out.
    ``recorded`` says that the derivative must be recorded in turn, because something
    outside (an outer derivative, a closed-over tensor) may ask how it depends on that
    thing.  ``tensors`` says that results go back as tensors; arrays get arrays, copied,
    since the record may rest on what was computed.
    """

    name: str
    inputs: list[Tensor]
    entry: Any
    outputs: list[Tensor]
    exit: Any
    has_aux: bool
    aux: Any
    order: list[Node]
    recorded: bool
    tensors: bool

    def give(self, value: Any) -> Any:
        """Return a result as the caller gave the inputs: tensors for tensors, else arrays."""
        if self.recorded:
            return value
        array = raw(value)
        xp = backend.namespace(array)
        return Tensor(xp.asarray(array), None) if self.tensors else xp.array(array)

    def result(self) -> Any:
        """Return what the function returned."""
        return trees.unflatten(self.exit, map(self.give, self.outputs))

    def beside(self, *found: Any) -> Any:
        """Return what was found, and what the function returned beside its output."""
        if self.has_aux:
            give = self.give
            found += (trees.transform(lambda v: give(v) if isinstance(v, Tensor) else v, self.aux),)
        return found if len(found) > 1 else found[0]

    def pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """Return the inputs' cotangents for cotangents of the outputs."""
        targets: list[Any] = [x._node for x in self.inputs]
        arriving: dict[Any, Any] = {}
        for y, cotangent in zip(self.outputs, cotangents, strict=True):
            start = seed(self.name, y._array, cotangent, y.shape, y.dtype)
            if y.requires_grad:
                g = start if self.recorded else start._array
                arriving[y._node] = arriving[y._node] + g if y._node in arriving else g
        with recording():
            arrived = pull(arriving, self.order, targets)
        return [
            self.give(arrived[t] if t in arrived else zeros_for(x, self.recorded))
            for t, x in zip(targets, self.inputs, strict=True)
        ]

    def values(self, what: str, tree: Any, structure: Any) -> list[Any]:
        """Return the values of a tree that must have this structure."""
        try:
            return trees.values_as(structure, tree)
        except ValueError as error:
            found = shown(trees.flatten(tree)[1])
            raise UsageError(
                f"{self.name}: {what} {found} must be built as {shown(structure)}"
            ) from error


def expect_function(name: str, f: Any) -> None:
    """Refuse what is no function; a computed tensor is told of ``backward``."""
    if not callable(f):
        raise UsageError(
            f"{name}: expected a function, got {type(f).__name__}: for the gradient of a tensor "
            "that is computed already, call tensor.backward()"
        )


def shown(structure: Any) -> str:
    """Return a structure as text, with a star for each value."""
    return repr(structure).replace("Ellipsis", "*")


def zeros_for(like: Tensor, as_tensor: bool) -> Any:
    """Return zeros of the shape, dtype and device of ``like``: a tensor, or an array."""
    zeros = backend.namespace(like._array).zeros(like.shape, dtype=like.dtype)
    return Tensor(zeros, None) if as_tensor else zeros


def record_call(
    name: str,
    f: Callable[..., Any],
    args: Sequence[Any],
    argnums: int | Sequence[int],
    kwargs: dict[str, Any],
    has_aux: bool,
    given: Any = (),
) -> Call:
    """Run ``f`` on inputs of our own in place of the arguments ``argnums``, and record it.

    Args:
        name: the transform to name in messages.
        f: the function; with ``has_aux`` it returns ``(output, aux)``.
        args, kwargs: what to call it with.
        argnums: which of ``args`` to differentiate by; each may be a tree.
        given: tangents, which may carry a record of their own.

    Raises:
        GradientError: ``f`` returned something else than tensors.
        DtypeError: an argument carries no gradient.
    """
    outside = scope_now() is not None
    arguments = list(args)
    values, entry = trees.flatten(pick(name, args, argnums))
    with recording():
        inputs = [_entry(name, value, outside) for value in values]
        chosen = trees.unflatten(entry, inputs)
        for i, tree in [(argnums, chosen)] if isinstance(argnums, int) else zip(argnums, chosen):
            arguments[i] = tree
        output = f(*arguments, **kwargs)
    aux = None
    if has_aux:
        if not isinstance(output, tuple) or len(output) != 2:
            raise UsageError(f"{name}: with has_aux=True the function returns (output, aux)")
        output, aux = output
    outputs, structure = trees.flatten(output)
    for y in outputs:
        if not isinstance(y, Tensor):
            raise GradientError(
                f"{name}: the function returned {type(y).__name__}, not a tensor: "
                "return what tinygrad_res functions computed from the arguments"
            )
    order = ancestry([y._node for y in outputs if y.requires_grad])
    beside = [v for v in trees.flatten(aux)[0] if isinstance(v, Tensor) and v.requires_grad]
    reached = ancestry([y._node for y in beside]) if beside else []
    fresh = {x._node for x in inputs}
    first = min([x._node.index for x in inputs], default=0)
    recorded = outside and (  # nobody can ask for a leaf of the function whose tensor is gone
        any(
            isinstance(n, Leaf) and n not in fresh and (n.index < first or n.owner() is not None)
            for n in (*order, *reached)
        )
        or any(isinstance(g, Tensor) and g.requires_grad for g in trees.flatten(given)[0])
    )
    tensors = recorded or any(isinstance(value, Tensor) for value in values)
    return Call(name, inputs, entry, outputs, structure, has_aux, aux, order, recorded, tensors)


def numbers_of(name: str, argnums: Any) -> int | tuple[int, ...]:
    """Return ``argnums`` as an int or a tuple of them."""
    try:
        if isinstance(argnums, (tuple, list)) and argnums:
            return tuple([operator.index(i) for i in argnums])
        return operator.index(argnums)
    except TypeError as error:
        raise UsageError(
            f"{name}: argnums {argnums!r}: pass the number of an argument, or a tuple of numbers"
        ) from error


def pick(name: str, args: Sequence[Any], argnums: int | Sequence[int], where: str = "") -> Any:
    """Return the argument that ``argnums`` names, or a tuple of those it names."""
    if isinstance(argnums, int):
        if not -len(args) <= argnums < len(args):
            raise UsageError(
                f"{name}: argnums {argnums}, but there are {len(args)} arguments{where}"
            )
        return args[argnums]
    picked = tuple(pick(name, args, i, where) for i in argnums)
    if len({i % len(args) for i in argnums}) != len(picked):
        raise UsageError(f"{name}: argnums {argnums} name an argument twice")
    return picked


def _entry(name: str, value: Any, outside: bool) -> Tensor:
    """Return ``value`` as an input to differentiate by.

    A tensor with a record keeps it behind a fresh node, so that this derivative ends
    here while outer derivatives see through.
    """
    if isinstance(value, Tensor) and value.requires_grad and outside:
        return primitives.identity(value)
    try:
        return tensor(value, requires_grad=True)
    except DtypeError as error:
        raise DtypeError(
            f"{name}: an argument of dtype {getattr(value, 'dtype', type(value).__name__)} "
            "carries no gradient: pass floats"
        ) from error


from . import primitives  # noqa: E402
