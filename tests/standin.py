"""A stand-in for CuPy, to run the engine's device code where there is no GPU.

``Array`` wraps an ndarray and behaves as a CuPy array does where that matters: it never
turns into an ndarray by itself, meets no ndarray in an operation, gives arrays of no axes
where NumPy gives scalars, and writes every transfer to the host into ``transfers``.  The
``module`` offers the names of NumPy that CuPy has, and no others.
"""

from __future__ import annotations

import functools
import operator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import scipy.special

transfers: list[str] = []

FUNCTIONS = [
    "abs",
    "absolute",
    "add",
    "all",
    "amax",
    "amin",
    "any",
    "arange",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argsort",
    "argwhere",
    "around",
    "array_equal",
    "ascontiguousarray",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "broadcast_to",
    "cbrt",
    "ceil",
    "clip",
    "concatenate",
    "copysign",
    "cos",
    "cosh",
    "cross",
    "cumprod",
    "cumsum",
    "degrees",
    "diagonal",
    "divide",
    "dot",
    "einsum",
    "empty",
    "empty_like",
    "equal",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "eye",
    "fabs",
    "flip",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "full",
    "full_like",
    "greater",
    "greater_equal",
    "heaviside",
    "hypot",
    "invert",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "left_shift",
    "less",
    "less_equal",
    "linspace",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "nan_to_num",
    "negative",
    "nonzero",
    "not_equal",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "positive",
    "power",
    "prod",
    "ptp",
    "radians",
    "ravel",
    "reciprocal",
    "remainder",
    "repeat",
    "reshape",
    "result_type",
    "right_shift",
    "rint",
    "roll",
    "searchsorted",
    "rot90",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "transpose",
    "tril",
    "triu",
    "true_divide",
    "trunc",
    "var",
    "where",
    "zeros",
    "zeros_like",
]
METHODS = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "astype",
    "clip",
    "copy",
    "cumsum",
    "dot",
    "flatten",
    "max",
    "mean",
    "min",
    "nonzero",
    "prod",
    "ravel",
    "repeat",
    "reshape",
    "sort",
    "squeeze",
    "std",
    "sum",
    "swapaxes",
    "take",
    "transpose",
    "var",
    "view",
]
PROPERTIES = ["T", "dtype", "flags", "itemsize", "nbytes", "ndim", "shape", "size", "strides"]
OPERATORS = [
    "add",
    "and",
    "eq",
    "floordiv",
    "ge",
    "gt",
    "le",
    "lt",
    "matmul",
    "mod",
    "mul",
    "ne",
    "neg",
    "or",
    "pos",
    "pow",
    "sub",
    "truediv",
    "xor",
]
REFLECTED = ["add", "and", "floordiv", "matmul", "mod", "mul", "or", "pow", "sub", "truediv", "xor"]
TRANSFERS = ["get", "item", "tolist", "__bool__", "__float__", "__int__", "__index__"]


class Array:
    """An array that lies "on the device"."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray) -> None:
        self._host = host

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")

    def __len__(self) -> int:
        return len(self._host)

    def __repr__(self) -> str:
        return f"Array({self._host!r})"

    def __setitem__(self, index: Any, value: Any) -> None:
        self._host[lower(index)] = lower(value)

    def __abs__(self) -> Any:
        return lift(abs(self._host))


def lift(value: Any) -> Any:
    """Wrap what NumPy returned; nothing is a scalar on a device."""
    if isinstance(value, (np.ndarray, np.generic)):
        return Array(np.asarray(value))
    return type(value)(map(lift, value)) if isinstance(value, (list, tuple)) else value


def lower(value: Any) -> Any:
    """Unwrap an operand, also inside sequences; an ndarray has no business here."""
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (list, tuple)):
        return type(value)(map(lower, value))
    return value._host if isinstance(value, Array) else value


def lifted(f: Any) -> Any:
    """Return ``f`` as a function of the device."""

    @functools.wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        return lift(f(*map(lower, args), **{key: lower(v) for key, v in kwargs.items()}))

    if isinstance(f, np.ufunc):
        call.at = lambda *args: f.at(*map(lower, args))  # type: ignore[attr-defined]
    return call


def _transfer(name: str) -> Any:
    def fetch(self: Array) -> Any:
        transfers.append(name)
        return self._host.copy() if name == "get" else getattr(self._host, name)()

    return fetch


def _reflected(f: Any) -> Any:
    return lambda self, other: lift(f(lower(other), self._host))


def _in_place(f: Any) -> Any:
    def call(self: Array, other: Any) -> Array:
        f(self._host, lower(other))
        return self

    return call


def _unless_tensor(f: Any) -> Any:
    """Leave an operand to its own operators where it is a recorded tensor, as CuPy does."""

    def call(self: Array, *others: Any) -> Any:
        if any(hasattr(other, "_node") for other in others):
            return NotImplemented
        return lift(f(self._host, *map(lower, others)))

    return call


for _name in METHODS:
    setattr(Array, _name, lifted(getattr(np.ndarray, _name)))
for _name in PROPERTIES:
    setattr(Array, _name, property(lifted(operator.attrgetter(_name))))
for _name in OPERATORS:
    setattr(Array, f"__{_name}__", _unless_tensor(getattr(operator, f"__{_name}__")))
for _name in REFLECTED:
    setattr(Array, f"__r{_name}__", _reflected(getattr(operator, f"__{_name}__")))
    setattr(Array, f"__i{_name}__", _in_place(getattr(operator, f"__i{_name}__")))
for _name in TRANSFERS:
    setattr(Array, _name, _transfer(_name))
Array.__getitem__ = lifted(operator.getitem)  # type: ignore[attr-defined]


def _array(value: Any, *args: Any, **kwargs: Any) -> Array:
    """Make an array on the device: the one way from the host, and an explicit one."""
    host = value if isinstance(value, np.ndarray) else lower(value)
    return Array(np.array(host, *args, **kwargs))


def _asarray(value: Any, *args: Any, **kwargs: Any) -> Array:
    if isinstance(value, Array) and not args and not kwargs:
        return value
    return _array(value, *args, **kwargs)


module = ModuleType("cupy")
for _name in FUNCTIONS:
    setattr(module, _name, lifted(getattr(np, _name)))
SPECIAL = ["erf", "erfc", "expit"]
LINALG = [
    "cholesky",
    "det",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matrix_power",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "tensorsolve",
]


def _as_in_cupy(name: str) -> Any:
    """Return a function of linear algebra that gives plain tuples and does not broadcast."""
    f = getattr(np.linalg, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        if name == "solve" and args[0].shape[:-1] != args[1].shape[: args[0].ndim - 1]:
            raise ValueError("b must have the batch dimensions of a")
        out = f(*args, **kwargs)
        return tuple(out) if isinstance(out, tuple) else out

    return lifted(call)


_view = lifted(np.lib.stride_tricks.sliding_window_view)
vars(module).update(
    ndarray=Array,
    array=_array,
    asarray=_asarray,
    newaxis=None,
    inf=np.inf,
    linalg=SimpleNamespace(**{name: _as_in_cupy(name) for name in LINALG}),
    lib=SimpleNamespace(stride_tricks=SimpleNamespace(sliding_window_view=_view)),
    cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: 1)),
)
special = SimpleNamespace(**{name: lifted(getattr(scipy.special, name)) for name in SPECIAL})
