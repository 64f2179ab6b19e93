"""A stand-in for CuPy, to run the engine's device code where there is no GPU.

``Array`` wraps an ndarray and behaves as a CuPy array does where that matters: it never
turns into an ndarray by itself, meets no ndarray in an operation or as an index, gives
arrays of no axes where NumPy gives scalars, and writes every transfer to the host into
``transfers``, with the place that asked for it.  The ``module`` offers the names of NumPy
that CuPy has, with CuPy's parameters, and no others: see ``cupy_names``.

It is stricter than CuPy in two ways: NumPy's functions do not pass a device array on to
CuPy's of the same name, and host arrays do not serve as indices.
"""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import cupy_names as names
import numpy as np
import scipy.special

import tinygrad_res
from tinygrad_res.primitive import Primitive

BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power, "matmul": np.matmul,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift,
}  # fmt: skip
COMPARISONS = {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip
UNARY = ("abs", "invert", "neg", "pos")
TRANSFERS = (
    "get", "item", "tolist", "tobytes", "__bool__", "__complex__", "__float__", "__format__",
    "__int__", "__repr__", "__str__",
)  # fmt: skip
INDICES = (bool, int, np.bool_, np.integer, slice, list, tuple, range, type(None), type(...))
MAKERS = ("arange", "empty", "eye", "full", "linspace", "ones", "result_type", "zeros")
JOINERS = ("concatenate", "stack")


# Transfers, and who asked for them


class Transfer(NamedTuple):
    """A transfer to the host: by which method of an array, asked for where, and by whom."""

    method: str
    place: str
    by_engine: bool


transfers: list[Transfer] = []

ENGINE = str(Path(tinygrad_res.__file__).parent)
KIT = str(Path(ENGINE, "testing"))  # which compares on the host, as its user wants
READERS = frozenset(
    ("numpy", "item", "_number", "to_host", "__bool__", "__float__", "__format__", "__index__", "__int__",
     "__repr__")
)  # fmt: skip


def _transfer(name: str) -> Any:
    def fetch(self: Array, *args: Any) -> Any:
        transfers.append(Transfer(name, *_asker(sys._getframe(1))))
        return self._host.copy() if name == "get" else getattr(self._host, name)(*args)

    return fetch


def _asker(frame: FrameType | None) -> tuple[str, bool]:
    """Return who asked for a transfer, and whether that was the engine.

    A tensor's reading methods ask on behalf of their caller, ``tensor.to`` is itself a
    demand, and whatever a primitive runs is the engine's.
    """
    while frame is not None and (frame.f_code.co_filename == __file__ or _within(frame, READERS)):
        frame = frame.f_back
    assert frame is not None
    code = frame.f_code
    place = f"{code.co_qualname}, {code.co_filename}:{frame.f_lineno}"
    if _within(frame, ("to_device",)):
        return place, False
    by_engine = code.co_filename.startswith(ENGINE) and not code.co_filename.startswith(KIT)
    return place, by_engine or inside_a_primitive(frame)


def _within(frame: FrameType, names: Any) -> bool:
    return frame.f_code.co_name in names and frame.f_code.co_filename.startswith(ENGINE)


def inside_a_primitive(frame: FrameType | None, *methods: str) -> bool:
    """Say whether a method of a primitive, or one of these methods, is running."""
    while frame is not None:
        if not methods or frame.f_code.co_name in methods:
            arguments = frame.f_code.co_varnames[: frame.f_code.co_argcount]
            if arguments[:1] == ("self",) and isinstance(frame.f_locals["self"], Primitive):
                return True
        frame = frame.f_back
    return False


def assert_the_engine_pulled_nothing() -> None:
    """Fail where the engine asked for a transfer; what the user asks for is his affair."""
    pulled = [f"{t.method} in {t.place}" for t in transfers if t.by_engine]
    transfers.clear()
    assert not pulled, f"the engine pulled to the host: {pulled}"


# The array


class Flags(NamedTuple):
    """What CuPy tells of an array's memory; it cannot be locked."""

    c_contiguous: bool
    f_contiguous: bool
    owndata: bool


class Array:
    """An array that lies "on the device"."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray) -> None:
        self._host = host

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        beside_a_scalar = any(isinstance(x, np.generic) for x in inputs)
        if method != "__call__" or kwargs or not beside_a_scalar:
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        return lift(ufunc(*map(lower, inputs)))

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return map(lift, iter(self._host))

    def __getitem__(self, index: Any) -> Any:
        return lift(self._host[_as_read(index, self._host.shape)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._host[_as_read(index, self._host.shape)] = lower(value)

    def __deepcopy__(self, _: Any) -> Array:
        return Array(self._host.copy())

    def __reduce__(self) -> Any:
        return _array, (self.get(),)  # type: ignore[attr-defined]

    @property
    def flags(self) -> Flags:
        """The layout of the memory."""
        host = self._host.flags
        return Flags(host.c_contiguous, host.f_contiguous, host.owndata)


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


def _as_read(index: Any, shape: tuple[int, ...]) -> Any:
    """Unwrap an index; arrays of integers wrap around, where NumPy raises an error."""
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        if not isinstance(part, (*INDICES, Array)):
            raise TypeError(f"Unsupported type {type(part)}")
    spans = [_span(part) for part in parts]
    axis, read = 0, []
    for part, span in zip(map(lower, parts), spans, strict=True):
        listed = isinstance(part, (list, range)) and len(part) > 0
        array = np.asarray(part) if listed or isinstance(part, np.ndarray) else None
        if part is Ellipsis:
            axis += len(shape) - sum(spans)
        elif array is not None and array.dtype.kind in "iu" and shape[axis:]:
            part = array.astype(int) % (shape[axis] or 1)
        read.append(part)
        axis += span
    return tuple(read) if isinstance(index, tuple) else read[0]


def _span(part: Any) -> int:
    """Return how many axes a part of an index takes."""
    if part is None or part is Ellipsis or isinstance(part, (bool, np.bool_)):
        return 0
    is_mask = isinstance(part, Array) and part.dtype.kind == "b"
    return int(part.ndim) if is_mask else 1


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (bool, int, float, complex, np.generic))


def _operator(ufunc: np.ufunc, reflected: bool = False) -> Any:
    """Return an operator; what is neither an array nor a number has the ufunc by its own rules."""

    def call(self: Array, other: Any) -> Any:
        pair = (other, self) if reflected else (self, other)
        if isinstance(other, Array) or _is_scalar(other):
            return lift(ufunc(*map(lower, pair)))
        rules = getattr(type(other), "__array_ufunc__", None)
        if rules is None or isinstance(other, np.ndarray):
            raise TypeError(f"Unsupported type {type(other)}")
        return rules(other, ufunc, "__call__", *pair)

    return call


def _in_place(f: Any) -> Any:
    def call(self: Array, other: Any) -> Array:
        if not (isinstance(other, Array) or _is_scalar(other)):
            raise TypeError(f"Unsupported type {type(other)}")
        f(self._host, lower(other))
        return self

    return call


def _called(f: Any, takes: str = "", variadic: bool = False) -> Any:
    """Return ``f`` as a function of the device that takes these parameters and no others.

    Those that are ``variadic`` take any number of arrays, and the rest by name.
    """
    known = takes.split()

    @functools.wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        if not variadic and len(args) > len(known):
            raise TypeError(f"{f.__name__}() takes {len(known)} arguments, {len(args)} given")
        unknown = sorted(kwargs.keys() - set(known))
        if unknown:
            raise TypeError(f"{f.__name__}() got an unexpected argument {unknown[0]!r}")
        return lift(f(*map(lower, args), **{key: lower(v) for key, v in kwargs.items()}))

    return call


for _takes, _names in names.METHODS.items():
    for _name in _names:
        _variadic = _name in ("reshape", "transpose")
        _method = _called(getattr(np.ndarray, _name), f"self {_takes}", _variadic)
        setattr(Array, _name, _method)
for _name in names.PROPERTIES:
    setattr(
        Array, _name, property(lambda self, get=operator.attrgetter(_name): lift(get(self._host)))
    )
for _name in UNARY:
    setattr(Array, f"__{_name}__", _called(getattr(operator, f"__{_name}__"), "self"))
for _name, _ufunc in COMPARISONS.items():
    setattr(Array, f"__{_name}__", _operator(_ufunc))
for _name, _ufunc in BINARY.items():
    setattr(Array, f"__{_name}__", _operator(_ufunc))
    setattr(Array, f"__r{_name}__", _operator(_ufunc, reflected=True))
    if _name != "matmul":
        setattr(Array, f"__i{_name}__", _in_place(getattr(operator, f"__i{_name}__")))
for _name in TRANSFERS:
    setattr(Array, _name, _transfer(_name))


# The module


def _function(name: str, takes: str, variadic: bool = False) -> Any:
    """Return a function of the module; arrays are arrays, where NumPy would take a list."""
    f = getattr(np, name)
    call = _called(f, takes, variadic)

    @functools.wraps(f, updated=())
    def checked(*args: Any, **kwargs: Any) -> Any:
        for arg in _arrays_of(name, f, args):
            if not isinstance(arg, Array) and not (isinstance(f, np.ufunc) and _is_scalar(arg)):
                raise TypeError(f"{name}: Unsupported type {type(arg)}")
        return call(*args, **kwargs)

    if name in names.SCATTERING:
        checked.at = functools.partial(_scatter, f)  # type: ignore[attr-defined]
    return checked


def _scatter(f: np.ufunc, array: Array, index: Any, values: Any) -> None:
    if array.dtype.name not in names.SCATTERED:
        raise TypeError(f"{f.__name__}.at: unsupported dtype {array.dtype}")
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, Array) and part.dtype.kind in "iu" and part.dtype.itemsize < 8:
            raise TypeError(f"{f.__name__}.at: places counted in {part.dtype} may overflow")
    f.at(array._host, _as_read(index, array.shape), lower(values))


def _arrays_of(name: str, f: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    if isinstance(f, np.ufunc):
        return args[: f.nin]
    if name in JOINERS:
        return tuple(args[0])
    first = 1 if name == "einsum" else 0
    return () if name in MAKERS else args[first : first + 1]


def _array(value: Any, *args: Any, **kwargs: Any) -> Array:
    """Make an array on the device: the one way from the host, and an explicit one."""
    host = value if isinstance(value, np.ndarray) else lower(value)
    made = np.array(host, *args, **kwargs)
    if made.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {made.dtype}")
    return Array(made)


def _asarray(value: Any, *args: Any, **kwargs: Any) -> Array:
    if isinstance(value, Array) and not args and not kwargs:
        return value
    return _array(value, *args, **kwargs)


def _of_linear_algebra(name: str, takes: str) -> Any:
    """Return a function that gives plain tuples, and does not broadcast or refuse, as CuPy's."""
    f = getattr(np.linalg, name)

    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        if name == "solve" and a.shape[:-1] != args[0].shape[: a.ndim - 1]:
            raise ValueError(
                "a must have (..., M, M) shape and b must have (..., M) or (..., M, K)"
            )
        try:
            out = f(a, *args, **kwargs)
        except np.linalg.LinAlgError:  # a singular matrix, say
            if name == "cholesky":  # leaves what was there when it came to an end
                return np.stack([call(m) for m in a]) if a.ndim > 2 else np.tril(a)
            out = _nan(f(np.zeros_like(a) + np.eye(*a.shape[-2:]), *args, **kwargs))
        return tuple(out) if isinstance(out, tuple) else out

    call.__name__ = name
    return _called(call, takes)


def _nan(out: Any) -> Any:
    return tuple(map(_nan, out)) if isinstance(out, tuple) else np.full_like(out, np.nan)


def _each(table: Mapping[str, tuple[str, ...]], make: Any) -> dict[str, Any]:
    """Return what ``make`` makes of each name in a table and of its parameters, by name."""
    return {name: make(name, takes) for takes, names in table.items() for name in names}


def _window(name: str, takes: str) -> Any:
    return _called(getattr(np.lib.stride_tricks, name), takes)


module = ModuleType("cupy")
vars(module).update(
    _each(names.PARAMETERS, _function),
    ndarray=Array,
    array=_array,
    asarray=_asarray,
    linalg=SimpleNamespace(**_each(names.LINALG, _of_linear_algebra)),
    lib=SimpleNamespace(stride_tricks=SimpleNamespace(**_each(names.STRIDES, _window))),
    cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: 1)),
)
for _name in names.UFUNCS:
    setattr(module, _name, _function(_name, " ".join(names.UFUNC_OPTIONS), variadic=True))
for _name, _options in names.VARIADIC.items():
    setattr(module, _name, _function(_name, " ".join(_options), variadic=True))
for _name in (*names.DTYPES, *names.CONSTANTS):
    setattr(module, _name, getattr(np, _name))
special = SimpleNamespace(
    **{
        name: _called(getattr(scipy.special, name), "out dtype", variadic=True)
        for name in names.SPECIAL
    }
)
