"""Define a primitive: what to run, and the formula that stands on each of its edges.

The engine's own tables are written with these functions, and so are yours.  A primitive
defined here has derivatives of every order in both modes, gradient paths, figures and
checks like any other, because all of these follow from its family (see
``tinygrad_res.families``) and the formula.

A formula receives ``xp`` first, the array module of its arguments: NumPy, CuPy, or the
table of primitives itself when the derivative is being recorded.  Write it with
operators, ``xp`` and other primitives.  Arguments that it does not use have names that
start with ``_``; their arrays are not kept.

>>> import numpy as np, tinygrad_res as tg
>>> softsign = tg.custom.activation(
...     lambda xp, x: x / (1 + abs(x)),
...     lambda xp, _out, x: 1 / xp.square(1 + abs(x)),
...     name="softsign", doc="x / (1 + |x|)",
... )
>>> softsign(tg.tensor([1.0, -3.0]))
tensor([ 0.5 , -0.75])
>>> tg.hessian(lambda x: softsign(x).sum())(np.array([1.0]))
array([[-0.25]])
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Protocol, cast

import numpy as np

from . import mends
from .errors import ShapeError, UsageError
from .families import Contraction, General, Masked, Pointwise, Reduction, Structural
from .hotpath import Binary, Gate, Product, Unary
from .primitive import Primitive
from .record import Leaf, scope_now
from .tensor import Tensor, shape_of

__all__ = [
    "Operation", "activation", "constant", "contraction", "general", "pointwise", "reduction", "structural",
]  # fmt: skip

Rule = Callable[..., Any]


class Operation(Protocol):
    """A primitive as users call it."""

    def apply(self, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """Run it inside a formula: arrays give arrays, tensors give tensors."""
        ...

    def __call__(self, *operands: Any, **params: Any) -> Tensor:
        """Run it on tensors, arrays or numbers; record a node where a gradient may be asked for."""
        ...


def pointwise(
    run: Any, *partials: Any, name: str = "", doc: str = "", grading: str = "", mask: bool = False
) -> Operation:
    """Define an operation on corresponding elements of its operands, which broadcast.

    Args:
        run: a NumPy ufunc, or a function ``(xp, *operands, **params)``.
        partials: for each operand the partial derivative: a number, or a formula
            ``(xp, out, *operands, **params)``; ``None`` where it carries no gradient.
        name: what messages and figures call it; that of ``run`` where left out.
        doc: what it returns, in a few words.
        grading: ``"activation"`` makes its edges count as activations of a path.
        mask: the formulas return booleans; a dead edge passes nothing on, not even where
            what arrives is infinite.
    """
    name = name or run.__name__
    partials = tuple(_rule(name, formula) for formula in partials)
    plain = isinstance(run, np.ufunc) or not _takes_params(run, len(partials))
    if mask and not all(callable(formula) or formula is None for formula in partials):
        raise UsageError(f"{name}: with mask=True the formulas are functions that return booleans")
    hot = ({1: Gate} if mask else {1: Unary, 2: Binary}) if plain else {}
    kind = hot.get(len(partials), Masked if mask else Pointwise)
    primitive = kind(name, run, partials, grading)
    return _published(primitive, primitive.operation(), f"Return {doc}, element by element.")


activation = partial(pointwise, grading="activation")
"""Define a nonlinearity: a pointwise primitive that paths count as an activation."""


def constant(run: Any, name: str = "", doc: str = "") -> Operation:
    """Define a piecewise constant function: its derivative is zero wherever it exists.

    Its result is a constant that remembers where it comes from.  Arguments as for ``pointwise``.
    """
    primitive = Pointwise(name or run.__name__, run, [])

    def operation(*operands: Any, **params: Any) -> Tensor:
        if isinstance(run, np.ufunc):  # whose own where= and out= are no params of ours
            _refuse_unknown(primitive.name, params, ())
            if len(operands) != run.nin:  # the next one would be out=, and be written to
                raise UsageError(
                    f"{primitive.name}: expected {run.nin} operands, got {len(operands)}"
                )
        out = primitive(
            *[Tensor(x._array, None) if isinstance(x, Tensor) else x for x in operands], **params
        )
        return end_record(out, primitive.name, operands)

    return _published(primitive, operation, f"Return {doc}; no gradient flows through.")


def end_record(out: Tensor, origin: str, operands: Sequence[Any]) -> Tensor:
    """Let the constant ``out`` say which operation a record of ``operands`` ended at."""
    if scope_now() is not None and any(isinstance(x, Tensor) and x.requires_grad for x in operands):
        out._node = leaf = Leaf(out, out._array, False, False)
        leaf.origin = origin
    return out


def reduction(run: Any, coefficient: Any, name: str = "", doc: str = "") -> Operation:
    """Define a reduction over axes: ``f(x, axis=None, keepdims=False, **params)``.

    Args:
        run: a function ``(xp, x, axis, keepdims, **params)`` with ``axis`` a tuple of
            non-negative numbers, or the name of a function of ``xp`` with these arguments.
        coefficient: the partial derivative by each input element: a number, or a formula
            ``(xp, out, x, axis, n, **params)`` with the reduced axes of ``out`` kept at
            length 1 and ``n`` elements reduced into one.
        name, doc: as for ``pointwise``.
    """
    kernel = run
    if isinstance(run, str):
        name, kernel = name or run, lambda xp, x, **params: getattr(xp, run)(x, **params)
    name = name or run.__name__
    primitive = Reduction(name, kernel, [_rule(name, coefficient)])
    given = [] if isinstance(run, str) else list(inspect.signature(run).parameters.values())[4:]
    extra = [p.replace(kind=p.KEYWORD_ONLY) for p in given]

    known = {p.name for p in given}

    def reduce(x: Any, axis: Any = None, keepdims: bool = False, **params: Any) -> Tensor:
        _refuse_unknown(name, params, known)
        if not isinstance(keepdims, (bool, np.bool_)):
            raise UsageError(f"{name}: keepdims is True or False, not {keepdims!r}")
        if isinstance(axis, (int, np.integer)) and axis in (0, -1) and not shape_of(x):
            axis = ()  # as NumPy does with a number
        return primitive(x, axis=axes(name, x, axis), keepdims=keepdims, **params)

    own = list(inspect.signature(reduce).parameters.values())[:3]
    reduce.__signature__ = inspect.Signature(own + extra)  # type: ignore[attr-defined]
    return _published(
        primitive,
        reduce,
        f"Return {doc} over ``axis``: an axis, a tuple of axes, or ``None`` for all of them.\n\n"
        "``keepdims`` keeps the reduced axes, at length 1.",
    )


def structural(
    run: Any, transpose: Rule, name: str = "", doc: str = "", **linear: Any
) -> Operation:
    """Define an operation that moves elements: each output element copies at most one.

    Args:
        run: a function ``(xp, *operands, **params)``.
        transpose: where a cotangent of operand ``i`` of shape ``shape`` comes from:
            ``(xp, cotangent, i, shape, **params)``.
        name, doc: as for ``pointwise``.
        linear: params that make ``run`` linear where it is affine, such as a fill of 0.
    """
    name = name or run.__name__
    primitive = Structural(name, run, [_rule(name, transpose)], linear=linear)
    return _published(primitive, primitive.operation(), f"Return {doc}.")


def contraction(
    run: Any, first: Rule, second: Rule, name: str = "", doc: str = "", mend: Any = None,
    terms: Rule | None = None,
) -> Operation:  # fmt: skip
    """Define a bilinear operation of two operands, such as a product.

    A path that crosses it from data, while the other operand is a weight, crosses a
    weight layer.

    Args:
        run: a function ``(xp, a, b, **params)``, linear in each operand.
        first: the cotangent of ``a``, of shape ``shape``: ``(xp, cotangent, b, shape, **params)``.
        second: the same for ``b``: ``(xp, cotangent, a, shape, **params)``.
        name, doc: as for ``pointwise``.
        mend: given the operands of a call that failed, says what is wrong and the mend.
        terms: the products of elements that it sums, a list of ``nests.Nest``, from the shapes
            of ``a``, ``b`` and the output: ``(a_shape, b_shape, out_shape, **params)``.  Only
            the scalar level asks for it; where it is left out, probes find them, slowly.
    """
    kind = Contraction if _takes_params(run, 2) else Product
    name = name or run.__name__
    primitive = kind(name, run, [_rule(name, first), _rule(name, second)], mend=mend, terms=terms)
    return _published(primitive, primitive.operation(), f"Return {doc}.")


def general(run: Any, vjp: Rule, name: str = "", doc: str = "") -> Operation:
    """Define any other operation by its vector-Jacobian product, linear in the cotangent.

    Args:
        run: a function ``(xp, *operands, **params)``.
        vjp: a formula ``(xp, cotangent, wanted, out, *operands, **params)`` that returns one
            cotangent for each number of an operand in ``wanted``.
        name, doc: as for ``pointwise``.
    """
    name = name or run.__name__
    primitive = General(name, run, [_rule(name, vjp)])
    return _published(primitive, primitive.operation(), f"Return {doc}.")


def _published(primitive: Primitive, function: Any, doc: str) -> Operation:
    """Make the function that users call speak for its primitive."""
    function.__name__ = function.__qualname__ = primitive.name
    function.__module__ = sys._getframe(2).f_globals.get("__name__", "__main__")
    function.__doc__ = doc
    if not hasattr(function, "__signature__") and function.__code__.co_flags & inspect.CO_VARARGS:
        function.__signature__ = _signature(primitive)
    function.apply = primitive.apply
    return cast(Operation, function)


def _signature(primitive: Primitive) -> inspect.Signature:
    """Return the arguments that a primitive is called with: those of ``run`` after ``xp``."""
    run = primitive.run
    if isinstance(run, np.ufunc):
        kind = inspect.Parameter.POSITIONAL_ONLY
        return inspect.Signature([inspect.Parameter(name, kind) for name in "xy"[: run.nin]])
    return inspect.Signature(list(inspect.signature(run).parameters.values())[1:])


def _refuse_unknown(name: str, params: dict[str, Any], known: Collection[str]) -> None:
    """Refuse what would reach NumPy's function past the derivative, such as ``where=``."""
    unknown = params.keys() - set(known)
    if unknown:
        raise mends.unknown(name, unknown)


def _rule(name: str, formula: Any) -> Any:
    """Return what stands on an edge as the families take it: None, an int or a function.

    Raises:
        UsageError: it is neither a number nor a function written in Python.
    """
    if formula is None or type(formula) is int or inspect.isfunction(formula):
        return formula
    if isinstance(formula, (int, float, np.integer, np.floating)):
        value = formula if isinstance(formula, float) else int(formula)
        return lambda xp, *_operands, **_params: value
    raise UsageError(
        f"{name}: a formula is a number or a function that begins with xp, not {formula!r}: wrap "
        "it in a lambda, so that the names of its arguments tell which arrays to keep"
    )


def _takes_params(run: Any, operands: int) -> bool:
    code = run.__code__
    named = code.co_argcount + code.co_kwonlyargcount > operands + 1
    return named or bool(code.co_flags & inspect.CO_VARKEYWORDS)


def axes(name: str, x: Any, axis: Any) -> tuple[int, ...]:
    """Return ``axis`` of ``x`` as a tuple of non-negative numbers, ``None`` as all axes.

    Raises:
        ShapeError: an axis does not exist, or is named twice.
    """
    ndim = len(shape_of(x))
    if axis is None:
        return tuple(range(ndim))
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for i in given:
        if not isinstance(i, (int, np.integer)) or not -ndim <= i < ndim:
            raise ShapeError(
                f"{name}: axis {i!r} does not exist in a tensor of shape {shape_of(x)}"
            )
    normal = tuple(int(i) % ndim for i in given)
    if len(set(normal)) != len(normal):
        raise ShapeError(f"{name}: axis {axis!r} names an axis twice")
    return normal
