"""The operators and methods of tensors: which primitive each one names.

``x + y`` is ``tg.add(x, y)`` and ``x.sum(0)`` is ``tg.sum(x, 0)``.  The names are those
of NumPy's arrays; they are bound to the primitives below, when both exist.

``x += y`` gives a constant a new value, as it does an array.  What was recorded is a value,
not a place: there it is ``x = x + y``.  A leaf that requires a gradient would no longer be
one, and its gradient would be left behind, so that is an error while recording is on;
inside ``tg.no_grad()`` it gives the leaf a new value, as an optimiser does.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from . import mends
from .errors import ConversionError, DtypeError, GradientError, ShapeError, UsageError
from .record import Leaf, scope_now

if TYPE_CHECKING:
    from .tensor import Tensor

    Unary = Callable[[Any], Tensor]
    Binary = Callable[[Any, Any], Tensor]
    Method = Callable[..., Tensor]

# The name in Python's data model, the sign, the primitive.
ARITHMETIC = (
    ("add", "+", "add"), ("sub", "-", "subtract"), ("mul", "*", "multiply"),
    ("truediv", "/", "divide"), ("floordiv", "//", "floor_divide"), ("mod", "%", "remainder"),
    ("pow", "**", "pow"), ("matmul", "@", "matmul"), ("and", "&", "bitwise_and"),
    ("or", "|", "bitwise_or"), ("xor", "^", "bitwise_xor"),
    ("lshift", "<<", "bitwise_left_shift"), ("rshift", ">>", "bitwise_right_shift"),
)  # fmt: skip
COMPARISONS = (
    ("lt", "less"), ("le", "less_equal"), ("gt", "greater"), ("ge", "greater_equal"),
    ("eq", "equal"), ("ne", "not_equal"),
)  # fmt: skip
SINGLE = (("neg", "negative"), ("abs", "abs"), ("invert", "bitwise_invert"), ("getitem", "getitem"))
METHODS = (
    "all", "any", "argmax", "argmin", "argsort", "astype", "clip", "cumprod", "cumsum", "diagonal",
    "dot", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "round", "squeeze", "std",
    "sum", "swapaxes", "take", "trace", "var",
)  # fmt: skip


class Operators:
    """What tensors have in common with NumPy's arrays."""

    __slots__ = ()

    if TYPE_CHECKING:
        shape: Any
        size: Any
        requires_grad: Any
        __add__: Binary
        __radd__: Binary
        __sub__: Binary
        __rsub__: Binary
        __mul__: Binary
        __rmul__: Binary
        __truediv__: Binary
        __rtruediv__: Binary
        __floordiv__: Binary
        __rfloordiv__: Binary
        __mod__: Binary
        __rmod__: Binary
        __pow__: Binary
        __rpow__: Binary
        __matmul__: Binary
        __rmatmul__: Binary
        __and__: Binary
        __rand__: Binary
        __or__: Binary
        __ror__: Binary
        __xor__: Binary
        __rxor__: Binary
        __lshift__: Binary
        __rlshift__: Binary
        __rshift__: Binary
        __rrshift__: Binary
        __neg__: Unary
        __abs__: Unary
        __invert__: Unary
        __lt__: Binary
        __le__: Binary
        __gt__: Binary
        __ge__: Binary
        __eq__: Binary  # type: ignore[assignment]
        __ne__: Binary  # type: ignore[assignment]
        __getitem__: Binary
        _permute_dims: Method
        _reshape: Method
        all: Method
        any: Method
        argmax: Method
        argmin: Method
        argsort: Method
        astype: Method
        clip: Method
        cumprod: Method
        cumsum: Method
        diagonal: Method
        dot: Method
        max: Method
        mean: Method
        min: Method
        nonzero: Callable[[], tuple[Tensor, ...]]
        prod: Method
        ravel: Method
        repeat: Method
        round: Method
        squeeze: Method
        std: Method
        sum: Method
        swapaxes: Method
        take: Method
        trace: Method
        var: Method
        item: Callable[[], Any]

    __hash__ = object.__hash__

    def __pos__(self) -> Any:
        return self

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError("len: a tensor of shape () has no length")
        length: int = self.shape[0]
        return length

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                f"bool: a tensor of shape {self.shape} has no one truth value: use x.any(), "
                "x.all(), or & and | in place of `and` and `or`"
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self._number("float"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def _number(self, name: str) -> Any:
        """Return the only element, for functions that would go on computing without a record."""
        if self.requires_grad and scope_now() is not None:
            raise ConversionError(
                f"{name}(tensor) would drop the record silently: use x.item() for the number, and "
                "functions of tg, such as tg.sin, in place of those of math"
            )
        return self.item()

    def __round__(self, decimals: int = 0) -> Tensor:
        return self.round(decimals)

    def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return other // self, other % self

    def __index__(self) -> int:
        return operator.index(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec else str(self), spec)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise GradientError(
            "a tensor's elements cannot be assigned, since records may rest on them: "
            "build the new values with tg.where, tg.concat or tg.index_update"
        )

    @property
    def T(self) -> Tensor:  # noqa: N802 - the name that arrays have for it
        """The tensor with its axes in reverse order."""
        return self.transpose()

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The tensor with its last two axes exchanged."""
        return self.swapaxes(-1, -2)

    def transpose(self, *axes: Any) -> Tensor:
        """Return the tensor with its axes permuted; reversed where none are given.

        Raises:
            ShapeError: they are not all the axes, each once.
        """
        try:
            return self._permute_dims(_flat(axes) or None)
        except ShapeError as error:
            if len(axes) == 2:
                raise ShapeError(
                    f"{error}; to exchange two axes use x.swapaxes({axes[0]}, {axes[1]})"
                ) from error
            raise

    def reshape(self, *shape: Any) -> Tensor:
        """Return the same elements in another shape; one length may be -1."""
        return self._reshape(_flat(shape))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Return the elements of these axes, or of all, in order along one axis.

        Raises:
            ShapeError: there are no such axes, or none from the first to the last.
            UsageError: they are no whole numbers.
        """
        if (start_dim, end_dim) == (0, -1):
            return self.ravel()
        shape = self.shape
        start, end = (_axis(n, len(shape)) for n in (start_dim, end_dim))
        if not 0 <= start <= end < len(shape):
            raise ShapeError(
                f"flatten: start_dim={start_dim}, end_dim={end_dim}: a tensor of shape {shape} has "
                "no such axes in this order"
            )
        return self._reshape((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def bind(ops: ModuleType) -> None:
    """Give tensors the operators and methods that name the primitives of the table ``ops``."""
    table = {f"__{name}__": getattr(ops, primitive) for name, primitive in SINGLE}
    table |= {
        f"__{name}__": _comparison(getattr(ops, primitive)) for name, primitive in COMPARISONS
    }
    for name, sign, primitive in ARITHMETIC:
        f = getattr(ops, primitive)
        table[f"__{name}__"] = f
        table[f"__r{name}__"] = _reflected(f)
        table[f"__i{name}__"] = _in_place(f, sign)
    table |= {name: getattr(ops, name) for name in METHODS}
    table["__getattr__"] = _missing(ops)  # here, since a type checker would take it as leave
    table |= {f"_{name}": getattr(ops, name) for name in ("permute_dims", "reshape")}
    for name, f in table.items():
        setattr(Operators, name, f)


def _missing(ops: ModuleType) -> Callable[[Tensor, str], NoReturn]:
    def refuse(self: Tensor, name: str) -> NoReturn:
        more = f"use the function tg.{name}" if name in ops.NUMPY_NAMES else "see help(tg.Tensor)"
        raise mends.missing("a tensor", name, mends.TENSOR, more)

    return refuse


def _reflected(f: Method) -> Method:
    return lambda self, other: f(other, self)


def _comparison(f: Method) -> Method:
    return lambda self, other: NotImplemented if other is None else f(self, other)


def _in_place(f: Method, sign: str) -> Method:
    def update(self: Tensor, other: Any) -> Tensor:
        values = f(self, other)
        if values.shape != self.shape:
            raise ShapeError(
                f"{sign}=: the tensor has shape {self.shape} and the result {values.shape}: "
                f"write y = x {sign} ..."
            )
        if values.dtype != self.dtype:
            if not np.can_cast(values.dtype, self.dtype, "same_kind"):
                raise DtypeError(
                    f"{sign}=: a tensor of {self.dtype} cannot take {values.dtype}: "
                    f"write y = x {sign} ..."
                )
            values = values.astype(self.dtype)
        if self._node is None or isinstance(self._node, Leaf):
            if self.requires_grad and scope_now() is not None:
                raise GradientError(
                    f"{sign}=: this would make a computed tensor of a leaf and leave its gradient "
                    f"behind: write y = x {sign} ..., or inside tg.no_grad() to change its value"
                )
            if not values.requires_grad:
                self.data = values
                return self
        elif self.requires_grad and not values.requires_grad:
            raise GradientError(
                f"{sign}=: inside tg.no_grad() this would drop the record of a computed tensor: "
                f"write y = x {sign} ..."
            )
        return values

    return update


def _axis(n: Any, ndim: int) -> int:
    try:
        axis = operator.index(n)
    except TypeError as error:
        raise UsageError(f"flatten: {n!r}: an axis is a whole number") from error
    return axis + ndim if axis < 0 else axis


def _flat(axes: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(axes[0]) if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
