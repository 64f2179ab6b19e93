"""Tensor: an array plus the node that made it.

The one thing to understand: a tensor is a value, not a place.  Operations make new
tensors; the arrays inside are never written to after they were made, so a record
that was made from them stays true.  ``tensor.data`` is a read-only view; assigning
a new array to ``leaf.data`` (as an optimiser does) replaces the value for later
computations and leaves earlier records as they were.

The operators and methods below name a primitive each; what they compute and how it
is differentiated stands in the table, ``tinygrad_res.primitives``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from . import backend
from .errors import ConversionError, DtypeError, GradientError, ShapeError, UsageError
from .record import Leaf, Node


class Tensor:
    """An array that records what is done with it.  Make one with ``tg.tensor``."""

    __slots__ = ("__weakref__", "_array", "_grad", "_node")

    def __init__(self, array: Any, node: Node | None = None) -> None:
        self._array = array
        self._node = node
        self._grad: Tensor | None = None

    # What it is

    @property
    def data(self) -> Any:
        """The values as a read-only array of the tensor's device.  Assign to replace them."""
        view = self._array.view()
        if type(view) is np.ndarray:
            view.flags.writeable = False
        return view

    @data.setter
    def data(self, values: Any) -> None:
        if self._node is not None and not isinstance(self._node, Leaf):
            raise GradientError(
                f"data: this tensor was computed by {self._node.primitive}; assigning to it "
                "would falsify the record. Assign to leaves, or use tg.tensor(values)"
            )
        array = backend.namespace(self._array).asarray(tensor(values, dtype=self.dtype)._array)
        if array.shape != self.shape:
            raise ShapeError(
                f"data: the tensor has shape {self.shape} and the new values {array.shape}; "
                "make a new tensor with tg.tensor(values) to change the shape"
            )
        self._array = array

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward`` accumulated here; ``None`` before that.

        Only leaves that require a gradient get one.
        """
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            value = tensor(value)
        if value is not None and value.shape != self.shape:
            raise ShapeError(
                f"grad: the tensor has shape {self.shape} and the gradient {value.shape}: "
                "they must be equal"
            )
        self._grad = value

    @property
    def name(self) -> str | None:
        """The name shown in figures and formulas."""
        return None if self._node is None else self._node.name

    @name.setter
    def name(self, name: str | None) -> None:
        if self._node is None:
            self._node = Leaf(self, self._array, False, False)
        self._node.name = _text(name)

    @property
    def requires_grad(self) -> bool:
        """Whether derivatives with respect to this tensor are recorded."""
        return self._node is not None and self._node.requires_grad

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self._array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's dtype."""
        return self._array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._array.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size  # type: ignore[no-any-return]

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"cuda"``."""
        return backend.device(self._array)

    def numpy(self) -> np.ndarray:
        """Return a NumPy copy of the values; changing it changes nothing here."""
        host = backend.to_host(self._array)
        return host.copy() if host is self._array else host

    def item(self) -> Any:
        """Return the only element as a Python number.

        Raises:
            ShapeError: the tensor has more than one element, or none.
        """
        if self.size != 1:
            raise ShapeError(f"item: needs exactly one element, the shape is {self.shape}")
        return self._array.item()

    def to(self, device: str) -> Tensor:
        """Return this tensor on ``device`` (``"cpu"`` or ``"cuda"``), recorded."""
        return self if device == self.device else ops.to_device(self, device=device)

    def __repr__(self) -> str:
        host = backend.to_host(self._array)
        text = np.array2string(host, separator=", ", prefix="tensor(", threshold=100, precision=6)
        parts = [text]
        if self.name is not None:
            parts.append(f"name={self.name!r}")
        if self.dtype != np.float64:
            parts.append(f"dtype={self.dtype}")
        if self.requires_grad:
            parts.append("requires_grad=True")
        return f"{type(self).__name__.lower()}({', '.join(parts)})"

    def __reduce__(self) -> Any:
        """Copy or pickle values, name and whether a gradient is wanted: a leaf of its own.

        Raises:
            GradientError: the tensor was computed; a copy would lose how.
        """
        if self.requires_grad and not isinstance(self._node, Leaf):
            raise GradientError(
                f"copy: this tensor was computed by {self._node.primitive}; a copy would lose "  # type: ignore[union-attr]
                "its record. Copy the values: tg.tensor(values)"
            )
        return _leaf, (type(self), self._array, self.requires_grad, self.name, None)

    # Derivatives

    def backward(self, cotangent: Any = None, create_graph: bool = False) -> None:
        """Accumulate the gradient of this tensor into ``.grad`` of the leaves it depends on.

        Args:
            cotangent: the weight of every output element, of this tensor's shape.
                May be left out where there is one element; it is 1 then.
            create_graph: record the backward pass as well, for derivatives of higher order.

        Raises:
            GradientError: nothing here requires a gradient, or the cotangent is missing.
            ShapeError: the cotangent's shape is not this tensor's.
        """
        autodiff.backward(self, cotangent, create_graph)

    # Arithmetic

    def __add__(self, other: Any) -> Tensor:
        return _add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return _add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return _subtract(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return _subtract(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return _multiply(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return _multiply(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return _divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _divide(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return ops.pow(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.pow(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    # Comparisons: constants, since their derivative is zero wherever it exists

    def __lt__(self, other: Any) -> Tensor:
        return ops.less(self, other)

    def __le__(self, other: Any) -> Tensor:
        return ops.less_equal(self, other)

    def __gt__(self, other: Any) -> Tensor:
        return ops.greater(self, other)

    def __ge__(self, other: Any) -> Tensor:
        return ops.greater_equal(self, other)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return NotImplemented if other is None else ops.equal(self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return NotImplemented if other is None else ops.not_equal(self, other)

    __hash__ = object.__hash__

    # Shape and reduction

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise GradientError(
            "a tensor's elements cannot be assigned, since records may rest on them: "
            "build the new values with tg.where or tg.concat"
        )

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError("len: a tensor of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    @property
    def T(self) -> Tensor:  # noqa: N802 - the name that arrays have for it
        """The tensor with its axes in reverse order."""
        return ops.permute_dims(self)

    def transpose(self, *axes: Any) -> Tensor:
        """Return the tensor with its axes permuted; reversed where none are given."""
        return ops.permute_dims(self, _flat(axes) or None)

    def reshape(self, *shape: Any) -> Tensor:
        """Return the same elements in another shape; one length may be -1."""
        return ops.reshape(self, _flat(shape))

    def astype(self, dtype: Any, copy: bool = True) -> Tensor:
        """Return the values in another dtype; ``copy`` is of no consequence here."""
        return ops.astype(self, dtype)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Return the sum over ``axis`` (an axis, a tuple, or ``None`` for all)."""
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Return the mean over ``axis`` (an axis, a tuple, or ``None`` for all)."""
        return ops.mean(self, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Return the maximum over ``axis``; ties share its gradient equally."""
        return ops.max(self, axis, keepdims)

    # NumPy's protocols: record, or refuse; never drop the record

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise ConversionError(
            "np.asarray(tensor) would drop the record silently: "
            "use tensor.numpy() for the values, or the tg function of the same name"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Tensor:
        function = _recorded(ufunc.__name__)
        if method != "__call__" or function is None or kwargs:
            call = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            options = f" with {', '.join(kwargs)}" if kwargs else ""
            raise ConversionError(
                f"np.{call}{options} cannot be recorded on a tensor: "
                "use the functions of tinygrad_res, or tensor.numpy() for the values"
            )
        return function(*inputs)  # type: ignore[no-any-return]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        ours = _recorded(function.__name__)
        # What follows the second argument (out, dtype, ...) means something else here.
        beyond = sorted(kwargs.keys() - _SHARED) or (args[2:] and function is not np.where)
        if ours is None or beyond:
            options = f" with {', '.join(beyond)}" if isinstance(beyond, list) and beyond else ""
            raise ConversionError(
                f"np.{function.__name__}{options} cannot be recorded on a tensor: "
                "use the functions of tinygrad_res, or tensor.numpy() for the values"
            )
        return ours(*args, **kwargs)


class Parameter(Tensor):
    """A weight of a network: a leaf that paths are graded by.  Make one with ``tg.parameter``."""

    __slots__ = ()


def tensor(
    array: Any, requires_grad: bool = False, name: str | None = None, dtype: Any = None
) -> Tensor:
    """Make a tensor with its own copy of ``array``.

    Args:
        array: a NumPy or CuPy array, nested lists or a number.  ``float64`` stays
            ``float64`` and the device follows the array.
        requires_grad: whether to record what is done with it.
        name: shown in figures and formulas.
        dtype: the dtype wanted; the array's own where left out.

    Raises:
        DtypeError: a gradient is asked for and the dtype is not real floating point.

    >>> x = tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    return _leaf(Tensor, array, requires_grad, name, dtype)


def parameter(
    array: Any, name: str | None = None, requires_grad: bool = True, dtype: Any = None
) -> Parameter:
    """Make a weight: a leaf tensor that counts as a weight layer when paths are graded.

    Arguments and errors are those of ``tensor``.

    >>> parameter([[1.0]], name="W_1")
    parameter([[1.]], name='W_1', requires_grad=True)
    """
    return _leaf(Parameter, array, requires_grad, name, dtype)


_T = TypeVar("_T", bound=Tensor)


def raw(value: Any) -> Any:
    """Return the bare array of a tensor, and anything else as it is."""
    return value._array if isinstance(value, Tensor) else value


def real_dtype(name: str, dtype: Any) -> np.dtype[Any]:
    """Return ``dtype`` as NumPy's, or say in the name of an operation that it is of no use."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError as error:
        raise DtypeError(f"{name}: {dtype!r} is no dtype: use float, int or bool") from error
    if found.kind not in "fiub":
        raise DtypeError(
            f"{name}: dtype {found} is not a real number type: use floats, integers or booleans"
        )
    return found


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of a tensor, an array, a number or nested lists."""
    return value.shape if hasattr(value, "shape") else np.shape(value)


def _leaf(kind: type[_T], array: Any, requires_grad: bool, name: str | None, dtype: Any) -> _T:
    values = raw(array)
    xp = backend.namespace(values) if backend.is_array(values) else np
    try:
        values = xp.array(values)
    except ValueError as error:
        raise ShapeError(
            f"{kind.__name__.lower()}: lists of unequal lengths make no array: {error}"
        ) from error
    what = kind.__name__.lower()
    found = real_dtype(what, values.dtype)
    values = values.astype(found if dtype is None else real_dtype(what, dtype), copy=False)
    if requires_grad and values.dtype.kind != "f":
        raise DtypeError(
            f"{what}: dtype {values.dtype} carries no gradient: "
            f"pass floats (array.astype('float64')), or requires_grad=False"
        )
    made = kind(values)
    if requires_grad or name is not None or kind is Parameter:
        made._node = Leaf(made, values, requires_grad, kind is Parameter)
        made._node.name = _text(name)
    return made


def _text(name: str | None) -> str | None:
    if name is not None and not isinstance(name, str):
        raise UsageError(f"name: expected text, got {name!r}: write name={str(name)!r}")
    return name


def _flat(axes: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(axes[0]) if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes


def _recorded(name: str) -> Callable[..., Any] | None:
    return ops.NUMPY_NAMES.get(name)


# Arguments that NumPy's functions and ours share.
_SHARED = {"axis", "axes", "keepdims", "shape"}

# The operators name primitives and the primitives make tensors, so the two modules
# know each other: the one circle in the engine, closed here, after Tensor exists.
from . import autodiff  # noqa: E402
from . import primitives as ops  # noqa: E402

# The operators of the hot path, bound: one step less than calling the primitive.
_Operator = Callable[[Any, Any], Tensor]
_table: Any = ops
_add: _Operator = _table.add.__call__
_subtract: _Operator = _table.subtract.__call__
_multiply: _Operator = _table.multiply.__call__
_divide: _Operator = _table.divide.__call__
