"""The five families of primitives: what stands on an edge of the graph.

A primitive is defined by its local derivative, the thing written on the edge from
its output back to an operand.  What the edge carries decides the family:

===========  ==========================================================
pointwise    the partial derivative, an array of the output's shape
reduction    one coefficient per input element
structural   nothing: each output element copies at most one input element
contraction  the other operand
general      a written vector-Jacobian product
===========  ==========================================================

A family says once how cotangents go backward along its edges (``vjp``) and how
tangents go forward (``jvp``); a primitive adds the formula on the edge, which is one
line in ``tinygrad_res.primitives``.

A formula receives ``xp`` first, the array module of its arguments.  It is written
in operations that raw arrays and recorded tensors share.  Fed with arrays it gives
the first derivative; fed with tensors, ``xp`` is the table of primitives itself, the
derivative is recorded, and can be differentiated again.

A formula's arguments whose names start with ``_`` are those it does not use: the
record does not keep their arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from operator import add, itemgetter
from typing import Any, TypeVar

import numpy as np

from . import backend, sweeps
from .errors import DeviceError, DtypeError, Error, ShapeError
from .record import Leaf, Node, state
from .tensor import Tensor, raw

Rule = Callable[..., Any]
Key = TypeVar("Key")
Value = TypeVar("Value")


class _OnDemand(dict[Key, Value]):
    """A dictionary that makes a missing value from its key, once."""

    def __init__(self, make: Callable[[Key], Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Key) -> Value:
        return self.setdefault(key, self._make(key))


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

    def __init__(
        self, name: str, run: Rule, rules: Sequence[Any], grading: str = "",
        mend: Callable[..., str | None] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self._mend = mend
        self.grading = grading
        self.rules = tuple(rules)
        self._run = run
        self._kernels = _OnDemand[type, Rule](self._kernel)
        self._savers = _OnDemand[tuple[int, int], Any](self._saver)

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *args: Any, **params: Any) -> Tensor:
        arrays: list[Any] = []
        parents: list[Node | None] = []
        wanted = 0
        bit = 1
        kind: type = np.ndarray
        for arg in args:
            if isinstance(arg, Tensor):
                array = arg._array
                kind = type(array)
                node = arg._node
                if node is not None and node.requires_grad:
                    wanted |= bit
            else:
                node = None
                if type(arg) in self.numbers:
                    array = arg
                else:
                    array = _constant(self, arg, args)
                    kind = type(array)
            arrays.append(array)
            parents.append(node)
            bit <<= 1
        try:
            out = self._kernels[kind](*arrays, **params)
        except _FAILURES as error:
            raise self._explain(error, args, arrays) from error
        if type(out) is not kind and not backend.is_array(out):
            out = backend.modules[kind].asarray(out)
        scope = state.scope
        if scope is None or not (wanted or _all_weights(args, parents)):
            return Tensor(out)
        saver, operands = self._savers[wanted, bit]
        node = Node(
            self, tuple(parents), saver((None, out, *arrays)), params, out.shape, out.dtype,
            scope, operands, wanted != 0,
        )  # fmt: skip
        return Tensor(out, node)

    def _kernel(self, kind: type) -> Rule:
        """Return what to run on arrays of type ``kind``."""
        return partial(self._run, backend.modules[kind])

    def _saver(self, key: tuple[int, int]) -> tuple[Callable[[Any], tuple[Any, ...]], Any]:
        """Return what picks, from (None, out, *arrays), the arrays that the wanted rules use.

        The key is the wanted operands as a bit mask, and 1 shifted by their number.
        """
        mask, bit = key
        arity = bit.bit_length() - 1
        operands = tuple(i for i in range(arity) if mask >> i & 1)
        used = {k for i in operands for k in self.uses(i)}
        return itemgetter(*(k + 1 if k in used else 0 for k in range(arity + 1))), operands

    def apply(self, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """Run on tensors (recorded) or on raw arrays (not recorded)."""
        if any(isinstance(o, Tensor) for o in operands):
            return self(*operands, **params)
        return self._kernels[type(operands[0])](*operands, **params)

    def uses(self, i: int) -> set[int]:
        """Return which of (0: the output, 1.. : the operands) the rule of operand ``i`` reads."""
        return _reads(self.rules[i if len(self.rules) > 1 else 0])

    def vjp(self, node: Node, cotangent: Any, wanted: Iterable[int]) -> Sequence[Any]:
        """Push a cotangent of ``node`` back to its operands ``wanted``, in their order."""
        raise NotImplementedError

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        """Push tangents of the operands (``None`` is zero) forward to ``node``."""
        raise NotImplementedError

    def _explain(self, error: Exception, args: Sequence[Any], arrays: Sequence[Any]) -> Error:
        """Say what went wrong in the words of this operation."""
        if isinstance(error, Error):
            return error
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


_NONE: dict[str, Any] = {}
_FAILURES = (ValueError, TypeError, IndexError, OverflowError)
_NUMBERS = frozenset((int, float, bool))


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
        raise ShapeError(
            f"{primitive}: lists of unequal lengths make no array: {error}"
        ) from error
    except DeviceError as error:
        raise DeviceError(f"{primitive}: {error}") from error
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            f"{primitive}: cannot use an operand of type {type(value).__name__} and dtype "
            f"{array.dtype}: pass tensors, arrays or real numbers"
        )
    return xp.asarray(array)


def _all_weights(args: Sequence[Any], parents: Sequence[Node | None]) -> bool:
    """Say whether every array operand comes from frozen parameters alone.

    Those are recorded too: a transposed frozen weight is a weight still, and paths
    that cross it are graded by it.
    """
    seen = False
    for arg, node in zip(args, parents, strict=True):
        if node is None:
            if type(arg) not in _NUMBERS:
                return False
        elif node.primitive is None and not (isinstance(node, Leaf) and node.is_parameter):
            return False
        else:
            seen = True
    return seen


def _reads(rule: Any) -> set[int]:
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


def unbroadcast(cotangent: Any, shape: tuple[int, ...]) -> Any:
    """Sum ``cotangent`` over the axes that broadcasting added or stretched."""
    extra = len(cotangent.shape) - len(shape)
    if cotangent.shape[extra:] == shape:
        return cotangent.sum(axis=tuple(range(extra)))
    stretched = tuple(
        extra + i for i, n in enumerate(shape) if n == 1 and cotangent.shape[extra + i] != 1
    )
    return cotangent.sum(axis=tuple(range(extra)) + stretched).reshape(shape)


class OneOperand(Primitive):
    """The hot path for one operand, written out; what it does not handle goes the general way."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        uses = self.uses(0)
        self._keeps = 0 in uses, 1 in uses

    def __call__(self, x: Any, **params: Any) -> Tensor:
        scope = state.scope
        if scope is None or not isinstance(x, Tensor):
            return super().__call__(x, **params)
        node = x._node
        if node is None or not node.requires_grad:
            return super().__call__(x, **params)
        array = x._array
        kind = type(array)
        try:
            kernel = self._kernels[kind]
            out = kernel(array, **params) if params else kernel(array)
        except _FAILURES:
            return super().__call__(x, **params)
        if type(out) is not kind:
            out = backend.modules[kind].asarray(out)
        keep_out, keep_x = self._keeps
        saved = (out if keep_out else None, array if keep_x else None)
        return Tensor(
            out,
            Node(self, (node,), saved, params or _NONE, out.shape, out.dtype, scope, (0,), True),
        )


class TwoOperands(Primitive):
    """The hot path for two operands, written out; what it does not handle goes the general way."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        first, second = self.uses(0), self.uses(1)
        self._first = (0 in first, 1 in first, 2 in first, (0,))
        self._second = (0 in second, 1 in second, 2 in second, (1,))
        both = first | second
        self._both = (0 in both, 1 in both, 2 in both, (0, 1))

    def __call__(self, x: Any, y: Any, **params: Any) -> Tensor:
        scope = state.scope
        if scope is None or not (isinstance(x, Tensor) and isinstance(y, Tensor)):
            return super().__call__(x, y, **params)
        p, q = x._node, y._node
        if p is not None and p.requires_grad:
            plan = self._both if q is not None and q.requires_grad else self._first
        elif q is not None and q.requires_grad:
            plan = self._second
        else:
            return super().__call__(x, y, **params)
        a, b = x._array, y._array
        kind = type(a)
        try:
            kernel = self._kernels[kind]
            out = kernel(a, b, **params) if params else kernel(a, b)
        except _FAILURES:
            return super().__call__(x, y, **params)
        if type(out) is not kind:
            out = backend.modules[kind].asarray(out)
        keep_out, keep_a, keep_b, wanted = plan
        saved = (out if keep_out else None, a if keep_a else None, b if keep_b else None)
        return Tensor(
            out,
            Node(self, (p, q), saved, params or _NONE, out.shape, out.dtype, scope, wanted, True),
        )


class Pointwise(Primitive):
    """out[j] depends on one element of each operand; the edge carries the partial derivative.

    ``rules[i]`` is the partial derivative by operand ``i``: a number, or a formula
    ``(xp, out, *operands, **params)``; ``None`` where the operand carries no gradient.
    Python numbers stay numbers, so that they take the dtype of the other operand.
    """

    family = "pointwise"
    numbers = _NUMBERS

    def _kernel(self, kind: type) -> Rule:
        if isinstance(self._run, np.ufunc):
            return getattr(backend.modules[kind], self._run.__name__)  # type: ignore[no-any-return]
        return super()._kernel(kind)

    def vjp(self, node: Node, cotangent: Any, wanted: Iterable[int]) -> Sequence[Any]:
        kind = type(cotangent)
        values = node.saved if kind is not Tensor else revive(node)
        xp = backend.modules[kind]
        parents, params, rules = node.parents, node.params, self.rules
        found = []
        for i in wanted:
            rule = rules[i]
            if type(rule) is int:
                g = cotangent if rule == 1 else cotangent * rule
            elif params:
                g = cotangent * rule(xp, *values, **params)
            else:
                g = cotangent * rule(xp, *values)
            shape = parents[i].shape  # type: ignore[union-attr]
            found.append(g if shape == node.shape else unbroadcast(g, shape))
        return found

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        terms = []
        for rule, tangent in zip(self.rules, tangents, strict=True):
            if tangent is None:
                continue
            xp = backend.namespace(tangent)
            if callable(rule):
                terms.append(tangent * rule(xp, *saved(node, tangent), **node.params))
            else:
                terms.append(tangent * rule)
        total = reduce(add, terms)
        return xp.broadcast_to(total, node.shape) if total.shape != node.shape else total

    def _explain(self, error: Exception, args: Sequence[Any], arrays: Sequence[Any]) -> Error:
        shapes = [a.shape for a in arrays if hasattr(a, "shape")]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            listed = " and ".join(str(s) for s in shapes)
            return ShapeError(
                f"{self}: shapes {listed} do not broadcast: lengths must be equal or 1, "
                "counted from the last axis"
            )
        return super()._explain(error, args, arrays)


class Unary(OneOperand, Pointwise):
    """A pointwise primitive of one operand, without params."""

    def vjp(self, node: Node, cotangent: Any, wanted: Iterable[int]) -> Sequence[Any]:
        rule = self.rules[0]
        if type(rule) is int:
            return (cotangent if rule == 1 else cotangent * rule,)
        kind = type(cotangent)
        out, x = node.saved if kind is not Tensor else revive(node)
        return (cotangent * rule(backend.modules[kind], out, x),)


class Binary(TwoOperands, Pointwise):
    """A pointwise primitive of two operands, without params."""

    def vjp(self, node: Node, cotangent: Any, wanted: Iterable[int]) -> Sequence[Any]:
        kind = type(cotangent)
        out, x, y = node.saved if kind is not Tensor else revive(node)
        xp, rules, parents = backend.modules[kind], self.rules, node.parents
        found = []
        for i in wanted:
            rule = rules[i]
            if type(rule) is not int:
                g = cotangent * rule(xp, out, x, y)
            else:
                g = cotangent if rule == 1 else cotangent * rule
            shape = parents[i].shape  # type: ignore[union-attr]
            found.append(g if shape == node.shape else unbroadcast(g, shape))
        return found


class Reduction(OneOperand):
    """Each output element is a function of all input elements along some axes.

    The edge carries one coefficient per input element, the partial derivative.
    ``rules[0]`` is that coefficient, a number or a formula
    ``(xp, out, x, axis, n, **params)`` with the reduced axes of ``out`` kept at length
    1 and ``n`` the number of elements reduced into one.  Its shape broadcasts to x's.
    """

    family = "reduction"

    def uses(self, i: int) -> set[int]:
        return _reads(self.rules[0]) & {0, 1}

    def coefficient(self, node: Node, vector: Any) -> Any:
        """Return the coefficients on the edge, recorded where ``vector`` is a tensor."""
        rule = self.rules[0]
        if not callable(rule):
            return rule
        shape = node.parents[0].shape  # type: ignore[union-attr]
        params = dict(node.params)
        axis = _axes(params.pop("axis", None), len(shape))
        params.pop("keepdims", None)
        out, x = saved(node, vector)
        if out is not None:
            out = out.reshape(_kept(shape, axis))
        n = 1
        for i in axis:
            n *= shape[i]
        return rule(backend.namespace(vector), out, x, axis, n, **params)

    def vjp(self, node: Node, cotangent: Any, wanted: Iterable[int]) -> Sequence[Any]:
        shape = node.parents[0].shape  # type: ignore[union-attr]
        kept = _kept(shape, _axes(node.params.get("axis"), len(shape)))
        if cotangent.shape != kept:
            cotangent = cotangent.reshape(kept)
        coefficient = self.coefficient(node, cotangent)
        if not backend.is_array(coefficient) and coefficient != 1:
            cotangent = cotangent * coefficient
        elif backend.is_array(coefficient):
            return [cotangent * coefficient for _ in wanted]
        spread = backend.namespace(cotangent).broadcast_to
        return [spread(cotangent, shape) for _ in wanted]

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        (tangent,) = tangents
        axis = _axes(node.params.get("axis"), len(tangent.shape))
        weighted = tangent * self.coefficient(node, tangent)
        return weighted.sum(axis=axis, keepdims=False).reshape(node.shape)


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return reduced axes as a tuple of non-negative numbers."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(i % ndim for i in (axis if isinstance(axis, tuple) else (axis,)))


def _kept(shape: tuple[int, ...], axis: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if i in axis else n for i, n in enumerate(shape))


class Structural(Primitive):
    """Each output element copies at most one input element, or a map transposed to such a one.

    Linear, with nothing on the edge.  ``rules[0]`` is the transpose: a formula
    ``(xp, cotangent, i, shape, **params)`` for the operand ``i`` of shape ``shape``.
    A primitive of several operands has their ``shapes`` among its params.  ``linear``
    are the params that make ``run`` linear where it is affine, such as a fill of 0.
    """

    family = "structural"

    def __init__(self, *args: Any, linear: dict[str, Any] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._linear = linear or {}

    def uses(self, i: int) -> set[int]:
        return set()

    def vjp(self, node: Node, cotangent: Any, wanted: Iterable[int]) -> Sequence[Any]:
        xp = backend.namespace(cotangent)
        transpose = self.rules[0]
        return [
            transpose(xp, cotangent, i, node.parents[i].shape, **node.params)  # type: ignore[union-attr]
            for i in wanted
        ]

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        some = next(t for t in tangents if t is not None)
        zeros = backend.namespace(raw(some)).zeros
        shapes = node.params.get("shapes", ())
        filled = [
            zeros(shapes[i], dtype=node.dtype) if tangent is None else tangent
            for i, tangent in enumerate(tangents)
        ]
        return self.apply(filled, node.params | self._linear)


class Contraction(TwoOperands):
    """A bilinear map: the edge to one operand carries the other operand.

    ``rules[0]`` and ``rules[1]`` push a cotangent back: formulas ``(xp, cotangent, b,
    shape, **params)`` for the first operand and ``(xp, cotangent, a, shape, **params)``
    for the second, bilinear again, with ``shape`` the shape wanted.
    """

    family = "contraction"

    def uses(self, i: int) -> set[int]:
        return {2 - i}

    def vjp(self, node: Node, cotangent: Any, wanted: Iterable[int]) -> Sequence[Any]:
        values = saved(node, cotangent)
        xp = backend.namespace(cotangent)
        parents, params = node.parents, node.params
        found = []
        for i in wanted:
            rule, other, shape = self.rules[i], values[2 - i], parents[i].shape  # type: ignore[union-attr]
            found.append(rule(xp, cotangent, other, shape, **params))
        return found

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        da, db = tangents
        _, a, b = saved(node, da if da is not None else db)
        terms = [self.apply((da, b), node.params)] if da is not None else []
        terms += [self.apply((a, db), node.params)] if db is not None else []
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]


class General(Primitive):
    """Anything else: ``rules[0]`` is a written vector-Jacobian product.

    The formula ``(xp, cotangent, wanted, out, *operands, **params)`` returns one
    cotangent per number in ``wanted``.  Tangents need no second formula: the VJP is
    linear in the cotangent u, so transposing u -> VJP(u) gives the JVP.
    """

    family = "general"

    def uses(self, i: int) -> set[int]:
        code = self.rules[0].__code__
        names = code.co_varnames[3 : code.co_argcount]
        return {k for k, name in enumerate(names) if not name.startswith("_")}

    def vjp(self, node: Node, cotangent: Any, wanted: Iterable[int]) -> Sequence[Any]:
        values = saved(node, cotangent)
        xp = backend.namespace(cotangent)
        return self.rules[0](xp, cotangent, tuple(wanted), *values, **node.params)  # type: ignore[no-any-return]

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        wanted = tuple(i for i, t in enumerate(tangents) if t is not None)
        given = [tangents[i] for i in wanted]
        if isinstance(given[0], Tensor):
            values = revive(node)
        else:  # only the dependence on u is recorded, so that the transpose stays small
            values = tuple(Tensor(v) if backend.is_array(v) else v for v in node.saved)
        xp, rule = backend.modules[Tensor], self.rules[0]
        return sweeps.transpose(
            lambda u: rule(xp, u, wanted, *values, **node.params), given, node.shape, node.dtype
        )
