"""A primitive: an operation that runs on arrays, records a node, and knows its derivative.

This module is the act of recording.  What the derivative is, and how it is pushed
backward and forward, is a matter of the five families, in ``tinygrad_res.families``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from . import backend
from .errors import DeviceError, DtypeError, Error, ShapeError
from .record import Leaf, Node, scope_now
from .tensor import Tensor, raw

Rule = Callable[..., Any]


class Primitive:
    """A differentiable operation: runs on arrays, records a node, knows its derivative.

    Calling it with tensors, arrays or numbers runs it.  A node is recorded when an
    operand requires a gradient and recording is on.

    Args:
        name: what messages and figures call it.
        run: computes the output: ``(xp, *operands, **params)``, or a NumPy ufunc.
        rules: the formulas on its edges, as the family wants them.
        grading: what crossing its edges counts as, besides its family's own meaning:
            ``"activation"`` for nonlinearities.
        mend: given the operands of a call that failed, says what is wrong with their
            shapes and how to mend it, or ``None``.
    """

    family = ""
    numbers: frozenset[type] = frozenset()
    """Python numbers that ``run`` takes as they are; others become arrays."""

    vjp: Callable[[Node, Any, Sequence[int]], Sequence[Any]]
    """Push a cotangent of a node back to its operands with the given numbers, in their order."""

    jvp: Callable[[Node, Sequence[Any]], Any]
    """Push tangents of a node's operands (``None`` is zero) forward to the node."""

    def __init__(
        self, name: str, run: Rule, rules: Sequence[Any], grading: str = "",
        mend: Callable[..., str | None] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self._mend = mend
        self.grading = grading
        self.rules = tuple(rules)
        self.run = run
        self.kernels: dict[type, Rule] = {}
        self._plans: dict[tuple[tuple[int, ...], int], tuple[bool, ...]] = {}

    def __repr__(self) -> str:
        return self.name

    def operation(self) -> Callable[..., Tensor]:
        """Return the function that users call; a family's hot cases have a faster one."""
        return lambda *operands, **params: self(*operands, **params)

    def __call__(self, *args: Any, **params: Any) -> Tensor:
        arrays: list[Any] = []
        parents: list[Node | None] = []
        wanted: tuple[int, ...] = ()
        kind: type = np.ndarray
        for arg in args:
            node = None
            if isinstance(arg, Tensor):
                array, node = arg._array, arg._node
                kind = type(array)
                if node is not None and node.requires_grad:
                    wanted += (len(arrays),)
            elif type(arg) in self.numbers:
                array = arg
            else:
                array = _constant(self, arg, args)
                kind = type(array)
            arrays.append(array)
            parents.append(node)
        try:
            out = self.kernel(kind)(*arrays, **params)
        except Error:
            raise
        except FAILURES as error:
            raise self._explain(error, args, arrays) from error
        if type(out) is not kind and not backend.is_array(out):
            out = backend.modules[kind].asarray(out)
        scope = scope_now()
        if scope is None or not (wanted or _frozen(self, parents)):
            return Tensor(out, None)
        plan = self._plans.get((wanted, len(args)))
        if plan is None:
            plan = self._plans[wanted, len(args)] = self._keeps(wanted, len(args))
        kept = tuple([a if keep else None for a, keep in zip((out, *arrays), plan)])
        node = Node(
            self, tuple(parents), kept, params, out.shape, out.dtype, scope, wanted, wanted != ()
        )
        return Tensor(out, node)

    def kernel(self, kind: type) -> Rule:
        """Return what to run on arrays of type ``kind``."""
        found = self.kernels.get(kind)
        if found is None:
            found = self.kernels[kind] = self._kernel(backend.modules[kind])
        return found

    def _kernel(self, xp: Any) -> Rule:
        return partial(self.run, xp)

    def _keeps(self, wanted: tuple[int, ...], arity: int) -> tuple[bool, ...]:
        """Say which of (output, *operands) the rules of the wanted operands read."""
        used = {k for i in wanted for k in self.uses(i)}
        return tuple(k in used for k in range(arity + 1))

    def apply(self, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """Run on tensors (recorded) or on raw arrays (not recorded)."""
        if any(isinstance(o, Tensor) for o in operands):
            return self(*operands, **params)
        return self.kernel(type(operands[0]))(*operands, **params)

    def uses(self, i: int) -> set[int]:
        """Return which of (0: the output, 1.. : the operands) the rule of operand ``i`` reads."""
        return reads(self.rules[i if len(self.rules) > 1 else 0])

    def _explain(self, error: Exception, args: Sequence[Any], arrays: Sequence[Any]) -> Error:
        """Say what went wrong in the words of this operation."""
        kinds = {backend.device(a) for a in arrays if backend.is_array(a)}
        if len(kinds) > 1:
            return DeviceError(
                f"{self}: the operands are on {' and '.join(sorted(kinds))}: "
                "move one with tensor.to('cuda') or tensor.to('cpu')"
            )
        mended = self._mend(*arrays) if self._mend is not None else None
        if mended is not None:
            return ShapeError(f"{self}: {mended}")
        if isinstance(error, (TypeError, OverflowError)):
            found = ", ".join(str(getattr(a, "dtype", type(a).__name__)) for a in arrays)
            return DtypeError(f"{self}: cannot work on operands of type {found}: {error}")
        shapes = " and ".join(str(a.shape) for a in arrays if hasattr(a, "shape"))
        return ShapeError(f"{self}: shapes {shapes}: {error}")


FAILURES = (ValueError, TypeError, IndexError, OverflowError)
NUMBERS = frozenset((int, float, bool))


def _constant(primitive: Primitive, value: Any, args: Sequence[Any]) -> Any:
    """Turn a plain operand into an array that nobody else can change, where ``args`` are."""
    try:
        if backend.is_array(value):
            xp = backend.modules[type(value)]
            array = value.copy()
        else:
            xp = backend.modules[
                next((type(raw(a)) for a in args if backend.is_array(a)), np.ndarray)
            ]
            array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{primitive}: lists of unequal lengths make no array: {error}") from error
    except DeviceError as error:
        raise DeviceError(f"{primitive}: {error}") from error
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            f"{primitive}: cannot use an operand of type {type(value).__name__} and dtype "
            f"{array.dtype}: pass tensors, arrays or real numbers"
        )
    return xp.asarray(array)


def _frozen(primitive: Primitive, parents: Sequence[Node | None]) -> bool:
    """Say whether the operands come from frozen parameters and no data.

    Such an operation is recorded too: a transposed or masked frozen weight is a weight
    still, and paths that cross it are graded by it.  A plain array is data in a
    contraction only.
    """
    weights = [p for p in parents if p is not None and not (isinstance(p, Leaf) and p.is_constant)]
    alone = len(weights) == len(parents)
    return bool(weights) and (alone or primitive.family not in ("contraction", "general"))


def reads(rule: Any) -> set[int]:
    """Return the positions after ``xp`` of the arguments that a formula uses."""
    if not callable(rule):
        return set()
    code = rule.__code__
    names = code.co_varnames[1 : code.co_argcount]
    return {i for i, name in enumerate(names) if not name.startswith("_")}


def revive(node: Node) -> tuple[Any, ...]:
    """Return what ``node`` saved as tensors with their records, for recorded derivatives."""
    owners = (node, *node.parents)
    return tuple(
        Tensor(value, owner) if backend.is_array(value) else value
        for value, owner in zip(node.saved, owners, strict=True)
    )


def saved(node: Node, vector: Any) -> tuple[Any, ...]:
    """Return what ``node`` saved: as tensors where ``vector`` is one, else as arrays."""
    return revive(node) if isinstance(vector, Tensor) else node.saved
