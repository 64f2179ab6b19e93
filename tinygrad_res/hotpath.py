"""The hot path: operations of one or two operands without params, written out.

Small work is all overhead: of a recorded multiplication of eight numbers, NumPy's own call
is a fifth.  These functions do what ``Primitive``
and ``Pointwise`` do in general, for the calls that make up most of a computation, without
a loop or a dictionary.  What they do not handle, errors included, goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import backend
from .families import Contraction, Masked, Pointwise, unbroadcast
from .primitive import FAILURES, Primitive, revive, saved
from .record import Node, scope_now
from .tensor import Tensor

_NO_PARAMS: dict[str, Any] = {}
_NOTHING = (None, None, None)
_UNUSUAL = (*FAILURES, KeyError)  # a failure to explain, or the first array of its type


class Unary(Pointwise):
    """A pointwise primitive of one operand."""

    def operation(self) -> Callable[..., Tensor]:
        """Return the function that runs it and records a node."""
        kernels, modules, general = self.kernels, backend.modules, self.__call__
        uses = self.uses(0)
        keep_out, keep_x = 0 in uses, 1 in uses

        def operation(x: Any) -> Tensor:
            scope = scope_now()
            if scope is None or not isinstance(x, Tensor):
                return general(x)
            node = x._node
            if node is None or not node.requires_grad:
                return general(x)
            array = x._array
            kind = type(array)
            try:
                out = kernels[kind](array)
            except _UNUSUAL:
                return general(x)
            if type(out) is not kind:
                out = modules[kind].asarray(out)
            kept = (out if keep_out else None, array if keep_x else None)
            return Tensor(
                out, Node(self, (node,), kept, _NO_PARAMS, out.shape, out.dtype, scope, (0,), True)
            )

        return operation

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return cotangent * partial."""
        rule = self.rules[0]
        if type(rule) is int:
            return (cotangent if rule == 1 else cotangent * rule,)
        kind = type(cotangent)
        out, x = node.saved if kind is not Tensor else revive(node)
        return (cotangent * rule(backend.modules[kind], out, x),)


class Gate(Masked, Unary):
    """A masked primitive of one operand, such as relu."""

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return the cotangent where the mask holds, else 0."""
        xp = backend.modules[type(cotangent)]
        return (self._through(xp, cotangent, 0, saved(node, cotangent), _NO_PARAMS),)


def of_two(self: Primitive) -> Callable[..., Tensor]:
    """Return the function that runs a primitive of two operands and records a node."""
    kernels, modules, general = self.kernels, backend.modules, self.__call__
    first, second = self.uses(0), self.uses(1)
    by_first, by_second = _plan(first, (0,)), _plan(second, (1,))
    by_both = _plan(first | second, (0, 1))

    def operation(x: Any, y: Any) -> Tensor:
        scope = scope_now()
        if scope is None or not (isinstance(x, Tensor) and isinstance(y, Tensor)):
            return general(x, y)
        p, q = x._node, y._node
        if p is not None and p.requires_grad:
            plan = by_both if q is not None and q.requires_grad else by_first
        elif q is not None and q.requires_grad:
            plan = by_second
        else:
            return general(x, y)
        a, b = x._array, y._array
        kind = type(a)
        try:
            out = kernels[kind](a, b)
        except _UNUSUAL:
            return general(x, y)
        if type(out) is not kind:
            out = modules[kind].asarray(out)
        keep_out, keep_a, keep_b, wanted = plan
        if keep_a or keep_b or keep_out:
            kept = (out if keep_out else None, a if keep_a else None, b if keep_b else None)
        else:  # one tuple for all, since each is work for the garbage collector
            kept = _NOTHING
        return Tensor(
            out, Node(self, (p, q), kept, _NO_PARAMS, out.shape, out.dtype, scope, wanted, True)
        )

    return operation


def _plan(used: set[int], wanted: tuple[int, ...]) -> tuple[bool, bool, bool, tuple[int, ...]]:
    """Say whether to keep the output and each operand, for the rules of the wanted ones."""
    return 0 in used, 1 in used, 2 in used, wanted


class Binary(Pointwise):
    """A pointwise primitive of two operands."""

    operation = of_two

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return cotangent * partial for each operand, as ``Pointwise`` does."""
        kind = type(cotangent)
        out, x, y = node.saved if kind is not Tensor else revive(node)
        xp = backend.modules[kind]
        found = []
        for i in wanted:
            rule, parent = self.rules[i], node.parents[i]
            if type(rule) is int:
                g = cotangent if rule == 1 else cotangent * rule
            else:
                g = cotangent * rule(xp, out, x, y)
            shape = parent.shape  # type: ignore[union-attr]
            found.append(g if shape == node.shape else unbroadcast(g, shape))
        return found


class Product(Contraction):
    """A contraction without params."""

    operation = of_two

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return the cotangent contracted with the other operand, as ``Contraction`` does."""
        _, a, b = saved(node, cotangent)
        xp = backend.modules[type(cotangent)]
        found = []
        for i in wanted:
            shape = node.parents[i].shape  # type: ignore[union-attr]
            g = self.rules[i](xp, cotangent, a if i else b, shape)
            if getattr(g, "shape", None) != shape:
                return super().vjp(node, cotangent, wanted)  # which says what is wrong
            found.append(g)
        return found
