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

import math
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from . import backend, sweeps
from .errors import DeviceError, DtypeError, Error, GradientError, ShapeError
from .primitive import NUMBERS, Primitive, Rule, reads, revive, saved
from .record import Node
from .tensor import Tensor, raw


def unbroadcast(cotangent: Any, shape: tuple[int, ...]) -> Any:
    """Sum ``cotangent`` over the axes that broadcasting added or stretched."""
    extra = len(cotangent.shape) - len(shape)
    if cotangent.shape[extra:] == shape:
        return cotangent.sum(axis=tuple(range(extra)))
    stretched = tuple(
        extra + i for i, n in enumerate(shape) if n == 1 and cotangent.shape[extra + i] != 1
    )
    return cotangent.sum(axis=tuple(range(extra)) + stretched).reshape(shape)


class Pointwise(Primitive):
    """out[j] depends on one element of each operand; the edge carries the partial derivative.

    ``rules[i]`` is the partial derivative by operand ``i``: a number, or a formula
    ``(xp, out, *operands, **params)``; ``None`` where the operand carries no gradient.
    Python numbers stay numbers, so that they take the dtype of the other operand.
    """

    family = "pointwise"
    numbers = NUMBERS

    def _kernel(self, xp: Any) -> Rule:
        if not isinstance(self.run, np.ufunc):
            return super()._kernel(xp)
        found: Rule | None = self.run if xp is np else getattr(xp, self.run.__name__, None)
        if found is None:
            raise DeviceError(f"{self}: {xp.__name__} has no function {self.run.__name__!r}")
        return found

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return cotangent * partial for each operand, summed over the axes it was stretched along."""
        values, xp = saved(node, cotangent), backend.modules[type(cotangent)]
        found = []
        for i in wanted:
            g = self._through(xp, cotangent, i, values, node.params)
            shape = node.parents[i].shape  # type: ignore[union-attr]
            found.append(g if shape == node.shape else unbroadcast(g, shape))
        return found

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        """Return the sum of tangent * partial over the operands."""
        terms = []
        for i, tangent in enumerate(tangents):
            if tangent is not None:
                xp = backend.namespace(tangent)
                terms.append(self._through(xp, tangent, i, saved(node, tangent), node.params))
        total = reduce(add, terms)
        spread = backend.namespace(total).broadcast_to
        return spread(total, node.shape) if total.shape != node.shape else total

    def _through(self, xp: Any, vector: Any, i: int, values: Any, params: dict[str, Any]) -> Any:
        """Return a cotangent or a tangent times the partial derivative by operand ``i``."""
        rule = self.rules[i]
        if type(rule) is int:
            return vector if rule == 1 else vector * rule
        return vector * rule(xp, *values, **params)

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
        explained = super()._explain(error, args, arrays)
        return DtypeError(f"{self}: {error}") if type(explained) is ShapeError else explained


_WHOLE = {n: np.dtype(f"i{n}") for n in (2, 4, 8)}


class Masked(Pointwise):
    """A pointwise primitive whose partial derivatives are masks: an edge is live or dead.

    A dead edge passes nothing on, and not 0 times what arrives, which is no number where
    that is infinite: the derivative of sqrt(relu(x)) at -1 is 0.
    """

    def _through(self, xp: Any, vector: Any, i: int, values: Any, params: dict[str, Any]) -> Any:
        """Return the cotangent or tangent where the mask of operand ``i`` holds, else 0.

        On bits, times 1 or 0: numpy.where takes 20 times as long where the mask cannot be
        predicted.
        """
        mask = self.rules[i](xp, *values, **params)
        if mask.dtype != bool:
            raise GradientError(f"{self}: a mask of dtype {mask.dtype}: return booleans")
        if xp is not np or vector.dtype.itemsize not in _WHOLE:
            return xp.where(mask, vector, 0)
        bits = vector.view(_WHOLE[vector.dtype.itemsize])
        return (bits * mask).view(vector.dtype)


class Reduction(Primitive):
    """Each output element is a function of all input elements along some axes.

    The edge carries one coefficient per input element, the partial derivative.
    ``rules[0]`` is that coefficient, a number or a formula
    ``(xp, out, x, axis, n, **params)`` with the reduced axes of ``out`` kept at length
    1 and ``n`` the number of elements reduced into one.  Its shape broadcasts to x's.
    Every call has the params ``axis``, a tuple of non-negative numbers, and ``keepdims``.
    """

    family = "reduction"

    def uses(self, i: int) -> set[int]:
        """Return which of (0: the output, 1: the operand) the coefficient reads."""
        return reads(self.rules[0]) & {0, 1}

    def coefficient(self, node: Node, vector: Any) -> Any:
        """Return the coefficients on the edge, recorded where ``vector`` is a tensor."""
        rule = self.rules[0]
        if not callable(rule):
            return rule
        shape, axis = _reduced(node)
        rest = {key: v for key, v in node.params.items() if key not in ("axis", "keepdims")}
        out, x = saved(node, vector)
        if out is not None:
            out = out.reshape(_kept(shape, axis))
        n = math.prod([shape[i] for i in axis])
        return rule(backend.namespace(vector), out, x, axis, n, **rest)

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return the cotangent, spread over the reduced axes, times the coefficients."""
        shape, axis = _reduced(node)
        cotangent = cotangent.reshape(_kept(shape, axis))
        coefficient = self.coefficient(node, cotangent)
        if not backend.is_array(coefficient) and coefficient != 1:
            cotangent = cotangent * coefficient
        elif backend.is_array(coefficient):
            return [cotangent * coefficient for _ in wanted]
        spread = backend.namespace(cotangent).broadcast_to
        return [spread(cotangent, shape) for _ in wanted]

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        """Return the sum of tangent * coefficient over the reduced axes."""
        (tangent,) = tangents
        weighted = tangent * self.coefficient(node, tangent)
        return weighted.sum(axis=node.params["axis"], keepdims=node.params["keepdims"])


def _reduced(node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape before the reduction, and the reduced axes."""
    return node.parents[0].shape, node.params["axis"]  # type: ignore[union-attr]


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
        """Return nothing: a move reads no values."""
        return set()

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return the cotangent moved back to where each operand's elements were."""
        xp = backend.namespace(cotangent)
        transpose = self.rules[0]
        found = [
            transpose(xp, cotangent, i, node.parents[i].shape, **node.params)  # type: ignore[union-attr]
            for i in wanted
        ]
        return _fitting(node, wanted, found)

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        """Return the tangents moved as the operands were."""
        some = next(t for t in tangents if t is not None)
        zeros = backend.namespace(raw(some)).zeros
        shapes = node.params.get("shapes", ())
        filled = [
            zeros(shapes[i], dtype=node.dtype) if tangent is None else tangent
            for i, tangent in enumerate(tangents)
        ]
        return self.apply(filled, node.params | self._linear)


class Contraction(Primitive):
    """A bilinear map: the edge to one operand carries the other operand.

    ``rules[0]`` and ``rules[1]`` push a cotangent back: formulas ``(xp, cotangent, b,
    shape, **params)`` for the first operand and ``(xp, cotangent, a, shape, **params)``
    for the second, bilinear again, with ``shape`` the shape wanted.  ``terms`` lists the
    products of elements that it sums, as ``nests``: a function of the shapes of the first
    operand, the second and the output, and of the params; ``None`` where nobody wrote it.
    """

    family = "contraction"

    def __init__(self, *args: Any, terms: Rule | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.terms = terms

    def uses(self, i: int) -> set[int]:
        """Return the other operand."""
        return {2 - i}

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return the cotangent contracted with the other operand."""
        values = saved(node, cotangent)
        xp = backend.namespace(cotangent)
        parents, params = node.parents, node.params
        found = []
        for i in wanted:
            rule, other, shape = self.rules[i], values[2 - i], parents[i].shape  # type: ignore[union-attr]
            found.append(rule(xp, cotangent, other, shape, **params))
        return _fitting(node, wanted, found)

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        """Return run(da, b) + run(a, db)."""
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
        """Return everything that the written product reads."""
        code = self.rules[0].__code__
        names = code.co_varnames[3 : code.co_argcount]
        return {k for k, name in enumerate(names) if not name.startswith("_")}

    def vjp(self, node: Node, cotangent: Any, wanted: Sequence[int]) -> Sequence[Any]:
        """Return what the written product gives."""
        values = saved(node, cotangent)
        xp = backend.namespace(cotangent)
        found = self.rules[0](xp, cotangent, tuple(wanted), *values, **node.params)
        return _fitting(node, wanted, found)

    def jvp(self, node: Node, tangents: Sequence[Any]) -> Any:
        """Return the tangents pushed forward by the transpose of the written product."""
        wanted = tuple(i for i, t in enumerate(tangents) if t is not None)
        given = [tangents[i] for i in wanted]
        if isinstance(given[0], Tensor):
            values = revive(node)
        else:  # only the dependence on u is recorded, so that the transpose stays small
            values = tuple(Tensor(v, None) if backend.is_array(v) else v for v in node.saved)
        xp, rule = backend.modules[Tensor], self.rules[0]
        return sweeps.transpose(
            lambda u: rule(xp, u, wanted, *values, **node.params), given, node.shape, node.dtype
        )


def _fitting(node: Node, wanted: Sequence[int], found: Any) -> Sequence[Any]:
    """Return the cotangents that a formula gave, if they have the shapes of the operands."""
    shapes = [node.parents[i].shape for i in wanted]  # type: ignore[union-attr]
    listed = isinstance(found, (list, tuple))
    given = [getattr(g, "shape", type(g).__name__) for g in found] if listed else type(found)
    if given != shapes:
        raise GradientError(
            f"{node.primitive}: its formula was asked for cotangents of shapes {shapes} and "
            f"returned {given}: give each operand one of its shape"
        )
    return found  # type: ignore[no-any-return]
