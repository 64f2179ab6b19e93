"""Tensor: an array plus the node that made it.

The one thing to understand: a tensor is a value, not a place.  Operations make new
tensors; the arrays inside are never written to after they were made, so a record
that was made from them stays true.  ``tensor.data`` is a read-only view; assigning
a new array to ``leaf.data`` (as an optimiser does) replaces the value for later
computations and leaves earlier records as they were.

Operators and methods such as ``x + y`` and ``x.sum()`` are those of
``tinygrad_res.operators``; what NumPy's own functions do with a tensor is said in
``tinygrad_res.protocols``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import ref

import numpy as np

from . import backend
from .errors import DeviceError, DtypeError, GradientError, ShapeError, UsageError
from .operators import Operators
from .protocols import Protocols
from .record import Hook, Leaf


class Tensor(Operators, Protocols):
    """An array that records what is done with it.  Make one with ``tg.tensor``."""

    __slots__ = ("__weakref__", "_array", "_grad", "_node")

    def __init__(self, array: Any, node: Any = ...) -> None:
        if node is ...:
            raise UsageError(
                "Tensor and Parameter are made with tg.tensor(values) and tg.parameter(values)"
            )
        self._array = array
        self._node = node
        self._grad: Tensor | None = None

    # What it is

    @property
    def data(self) -> Any:
        """The values, read-only: a view, on a GPU a copy.  Assign to a leaf to replace them."""
        if not isinstance(self._array, np.ndarray):  # which CuPy cannot lock
            return self._array.copy()
        view = self._array.view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, values: Any) -> None:
        if self._node is not None and not isinstance(self._node, Leaf):
            raise GradientError(
                f"data: this tensor was computed by {self._node.primitive}; assigning to it "
                "would falsify the record. Assign to leaves, or use tg.tensor(values)"
            )
        what = "data: what is assigned"
        self._array = fitted(what, values, self._array, self.shape, self.dtype)._array

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward`` accumulated here; ``None`` before that.

        Leaves that require a gradient get one, others after ``retain_grad()``.
        """
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            value = fitted("grad: what is assigned", value, self._array, self.shape, self.dtype)
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
        """Whether derivatives by this tensor are recorded.  It can be assigned to a leaf."""
        return self._node is not None and self._node.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        node = self._node
        if node is not None and not isinstance(node, Leaf):
            raise GradientError(
                f"requires_grad: this tensor was computed by {node.primitive}, and its record says "
                "what it depends on: tg.stop_gradient(x) gives its values without the record"
            )
        _carries_gradient("requires_grad", self.dtype, wanted)
        if wanted != self.requires_grad:
            if node is not None and node.hooks:
                raise UsageError("requires_grad: this tensor has hooks: remove them first")
            self._node = Leaf(self, self._array, bool(wanted), isinstance(self, Parameter))
            self._node.name = None if node is None else node.name

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
                f"copy: this tensor was computed by {self._node.primitive}; a copy would lose "
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

    def register_hook(self, hook: Callable[[Tensor], Any]) -> Hook:
        """Call ``hook(gradient)`` in every backward sweep that computes this tensor's gradient.

        The gradient is complete by then.  What the hook returns, a tensor or an array of the
        same shape, takes its place; ``None`` leaves it.

        Returns:
            A handle whose ``remove()`` ends this.

        Raises:
            GradientError: the tensor requires no gradient.

        >>> import tinygrad_res as tg
        >>> x = tg.tensor([1.0, 5.0], requires_grad=True)
        >>> y = x * x
        >>> handle = y.register_hook(lambda g: tg.clip(g, -1, 1))
        >>> (3 * y).sum().backward()
        >>> x.grad
        tensor([ 2., 10.])
        """
        if not self.requires_grad:
            raise GradientError(
                "register_hook: this tensor requires no gradient, so none will ever pass: "
                "make it with requires_grad=True"
            )
        return Hook(self._node, hook)

    def retain_grad(self) -> None:
        """Let ``backward`` accumulate the gradient here, though it is no leaf."""
        if self.requires_grad and not isinstance(self._node, Leaf):
            hooks = self._node.hooks
            if not any(isinstance(h.call, _Keep) and h.call.owner() is self for h in hooks):
                self.register_hook(_Keep(self))


class _Keep:
    """The hook that accumulates a computed tensor's gradient there, without holding it."""

    def __init__(self, tensor: Tensor) -> None:
        self.owner = ref(tensor)

    def __call__(self, g: Tensor) -> None:
        owner = self.owner()
        if owner is not None:
            autodiff.accumulate(owner, g)


class Parameter(Tensor):
    """A weight of a network: a leaf that paths are graded by.  Make one with ``tg.parameter``."""

    __slots__ = ()


def tensor(
    array: Any, requires_grad: bool = False, name: str | None = None, dtype: Any = None
) -> Tensor:
    """Make a tensor with its own copy of ``array``.

    Args:
        array: a NumPy or CuPy array, nested lists or a number.  ``float64`` stays
            ``float64`` and the device follows the array.  Of a tensor it takes the values,
            without their record.
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


def renew(leaf: Tensor, array: Any) -> None:
    """Assign to ``leaf.data`` an array that nobody else holds, without a copy."""
    here = leaf._array
    if type(array) is type(here) and array.shape == here.shape and array.dtype == here.dtype:
        if type(array) is np.ndarray:
            array.setflags(write=False)
        leaf._array = array
    else:
        leaf.data = array


def fitted(what: str, value: Any, like: Any, shape: tuple[int, ...], dtype: Any) -> Tensor:
    """Return ``value`` as a tensor of this shape and dtype beside the array ``like``.

    Arrays and lists of the host are sent to a device; tensors stay where they are.

    Raises:
        DeviceError: it is a tensor, or an array of a device, and ``like`` lies elsewhere.
        ShapeError: it has another shape.
    """
    given = value if isinstance(value, Tensor) else tensor(value)
    here = backend.device(like)
    if given.device != here:
        if isinstance(value, Tensor) or here == "cpu":
            raise DeviceError(
                f"{what} is on {given.device}, but must be on {here}: use x.to({here!r})"
            )
        given = Tensor(backend.namespace(like).asarray(given._array), None)
    if given.shape != shape:
        raise ShapeError(f"{what} has shape {given.shape}, but must have shape {shape}")
    return given if given.dtype == dtype else given.astype(dtype)


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
    """Return the shape of a tensor, an array, a number or nested lists.

    Raises:
        ShapeError: the lists have unequal lengths.
    """
    shape: tuple[int, ...] | None = getattr(value, "shape", None)
    if shape is not None:
        return shape
    try:
        return np.shape(value)
    except ValueError as error:
        raise ShapeError(f"tensor: lists of unequal lengths make no array: {error}") from error


def _leaf(kind: type[_T], array: Any, requires_grad: bool, name: str | None, dtype: Any) -> _T:
    what = kind.__name__.lower()
    values = raw(array)
    wanted = None if dtype is None else real_dtype(what, dtype)
    try:
        if backend.is_array(values):
            values = backend.namespace(values).array(values)
        else:
            values = np.array(values, dtype=wanted)
    except ValueError as error:
        raise ShapeError(f"{what}: lists of unequal lengths make no array: {error}") from error
    except OverflowError as error:
        raise DtypeError(f"{what}: {error}") from error
    real_dtype(what, values.dtype)
    values = values if wanted is None else values.astype(wanted, copy=False)
    _carries_gradient(what, values.dtype, requires_grad)
    if isinstance(values, np.ndarray):
        values.flags.writeable = False
    made = kind(values, None)
    if requires_grad or name is not None or kind is Parameter:
        made._node = Leaf(made, values, bool(requires_grad), kind is Parameter)
        made._node.name = _text(name)
    return made


def _carries_gradient(what: str, dtype: Any, wanted: Any) -> None:
    if not isinstance(wanted, (bool, np.bool_)):
        raise UsageError(
            f"{what}: requires_grad is True or False, not {wanted!r}: a dtype is given as dtype="
        )
    if wanted and dtype.kind != "f":
        raise DtypeError(
            f"{what}: dtype {dtype} carries no gradient: "
            f"pass floats (array.astype('float64')), or requires_grad=False"
        )


def _text(name: str | None) -> str | None:
    if name is not None and not isinstance(name, str):
        raise UsageError(f"name: expected text, got {name!r}: write name={str(name)!r}")
    return None if name is None else str.__str__(name)  # of a subclass, such as numpy.str_, too


# Operators name primitives and primitives make tensors: the one circle in the engine,
# closed here, where Tensor exists.
from . import autodiff, operators  # noqa: E402
from . import primitives as ops  # noqa: E402

operators.bind(ops)
