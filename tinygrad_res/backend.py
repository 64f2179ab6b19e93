"""Which array module an array belongs to: NumPy on the CPU, CuPy on the GPU.

The type of an array decides, by one dictionary lookup.  CuPy is imported the
first time somebody hands in a CuPy array or asks for the device ``"cuda"``, never
before.  A recorded tensor is an array type like the others: its "module" is the
table of primitives, which is how one derivative rule serves raw arrays and
recorded tensors alike.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np

from .errors import DeviceError

Array = np.ndarray[Any, Any]
"""An array on the host, such as those of a graph's numbers."""


class _Modules(dict[type, Any]):
    """Array module by array type; a type seen for the first time is looked up once."""

    def __missing__(self, kind: type) -> Any:
        # A subclass of ndarray has rules of its own (a mask, another *), which would be lost.
        for base in kind.__mro__ if not issubclass(kind, np.ndarray) else ():
            if base in self:
                return self.setdefault(kind, self[base])
        if kind.__module__.partition(".")[0] == "cupy":
            return self.setdefault(kind, importlib.import_module("cupy"))
        raise DeviceError(
            f"arrays of type {kind.__module__}.{kind.__qualname__} are not supported: "
            "pass a plain NumPy or CuPy array, such as numpy.asarray(values)"
        )


modules = _Modules({np.ndarray: np, np.memmap: np, np.generic: np})


def namespace(array: Any) -> Any:
    """Return the array module of ``array``: NumPy, CuPy, or for a tensor the primitives.

    Raises:
        DeviceError: the type belongs to no supported module.
    """
    return modules[type(array)]


def is_array(value: Any) -> bool:
    """Say whether ``value`` is an array or a tensor, and not a number or a list."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.generic)


def device(array: Any) -> str:
    """Return ``"cpu"`` for a NumPy array and ``"cuda"`` for a device array."""
    return "cpu" if isinstance(array, np.ndarray) else "cuda"


def cupy() -> ModuleType:
    """Import CuPy and check that it sees a GPU.

    Raises:
        DeviceError: CuPy is not installed, or no GPU answers.
    """
    try:
        module = importlib.import_module("cupy")
    except ImportError as error:
        raise DeviceError(
            "to: device 'cuda' needs CuPy: pip install '.[cuda12]' or '.[cuda13]' in "
            "the checkout, or use device 'cpu'"
        ) from error
    try:
        found = module.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise DeviceError(
            f"to: device 'cuda': no usable GPU ({error}); use device 'cpu'"
        ) from error
    if not found:
        raise DeviceError("to: device 'cuda': CuPy sees no GPU; use device 'cpu'")
    return module


def to_device(array: Any, target: str) -> Any:
    """Copy ``array`` to the device ``target`` (``"cpu"`` or ``"cuda"``)."""
    if target not in ("cpu", "cuda"):
        raise DeviceError(f"to: unknown device {target!r}: use 'cpu' or 'cuda'")
    if target == device(array):
        return array
    return cupy().asarray(array) if target == "cuda" else to_host(array)


def to_host(array: Any) -> np.ndarray:
    """Return ``array`` as a NumPy array, copying from the GPU where it lives there.

    NumPy's arithmetic makes numbers of arrays without axes; they become arrays again.
    """
    return np.asarray(array) if isinstance(array, (np.ndarray, np.generic, float)) else array.get()
