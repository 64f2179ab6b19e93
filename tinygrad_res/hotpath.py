"""The hot path: primitives of one or two operands without params, written out.

Small work is all overhead: a recorded multiplication of eight numbers takes under a
microsecond, of which NumPy's own call is a fifth.  These classes do what ``Primitive`` and
``Pointwise`` do in general, for the calls that make up most of a computation, without a
loop or a dictionary.  What they do not handle, errors included, goes the general way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import backend
from .families import Contraction, Pointwise, unbroadcast
from .primitive import FAILURES, Primitive, revive
from .record import Node, state
from .tensor import Tensor

_NO_PARAMS: dict[str, Any] = {}


class Unary(Pointwise):
    """A pointwise primitive of one operand."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        uses = self.uses(0)
        self._keeps = 0 in uses, 1 in uses

    def __call__(self, x: Any) -> Tensor:
        scope = state.scope
        if scope is None or not isinstance(x, Tensor):
            return super().__call__(x)
        node = x._node
        if node is None or not node.requires_grad:
            return super().__call__(x)
        array = x._array
        kind = type(array)
        try:
            out = self._kernels[kind](array)
        except FAILURES:
            return super().__call__(x)
        if type(out) is not kind:
            out = backend.modules[kind].asarray(out)
        keep_out, keep_x = self._keeps
        kept = (out if keep_out else None, array if keep_x else None)
        return Tensor(
            out, Node(self, (node,), kept, _NO_PARAMS, out.shape, out.dtype, scope, (0,), True)
        )

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return cotangent * partial."""
        rule = self.rules[0]
        if type(rule) is int:
            return (cotangent if rule == 1 else cotangent * rule,)
        kind = type(cotangent)
        out, x = node.saved if kind is not Tensor else revive(node)
        return (cotangent * rule(backend.modules[kind], out, x),)


class TwoOperands(Primitive):
    """Recording for two operands."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        first, second = self.uses(0), self.uses(1)
        self._first = (0 in first, 1 in first, 2 in first, (0,))
        self._second = (0 in second, 1 in second, 2 in second, (1,))
        both = first | second
        self._both = (0 in both, 1 in both, 2 in both, (0, 1))

    def __call__(self, x: Any, y: Any) -> Tensor:
        scope = state.scope
        if scope is None or not (isinstance(x, Tensor) and isinstance(y, Tensor)):
            return super().__call__(x, y)
        p, q = x._node, y._node
        if p is not None and p.requires_grad:
            plan = self._both if q is not None and q.requires_grad else self._first
        elif q is not None and q.requires_grad:
            plan = self._second
        else:
            return super().__call__(x, y)
        a, b = x._array, y._array
        kind = type(a)
        try:
            out = self._kernels[kind](a, b)
        except FAILURES:
            return super().__call__(x, y)
        if type(out) is not kind:
            out = backend.modules[kind].asarray(out)
        keep_out, keep_a, keep_b, wanted = plan
        kept = (out if keep_out else None, a if keep_a else None, b if keep_b else None)
        return Tensor(
            out, Node(self, (p, q), kept, _NO_PARAMS, out.shape, out.dtype, scope, wanted, True)
        )


class Binary(TwoOperands, Pointwise):
    """A pointwise primitive of two operands."""

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


class Product(TwoOperands, Contraction):
    """A contraction."""
