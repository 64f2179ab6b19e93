"""A module's tensors elsewhere, or in another dtype; see ``Module.to``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DeviceError, DtypeError
from ..record import no_grad
from ..tensor import Parameter, Tensor, parameter, tensor


def floating(device: Any, dtype: Any) -> np.dtype[Any] | None:
    """Return the dtype that a module's floats are to have, after a look at where they are to lie."""
    if device is not None and not (isinstance(device, str) and device in ("cpu", "cuda")):
        raise DeviceError(
            f"to: device={device!r}: the first argument is the device, 'cpu' or 'cuda'; a dtype is "
            "the second one: module.to(dtype='float64')"
        )
    if dtype is None:
        return None
    try:
        wanted: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        wanted = np.dtype(object)
    if wanted.kind != "f":
        raise DtypeError(f"to: dtype={dtype!r}: pass a floating one, such as 'float32'")
    return wanted


def moved(value: Tensor, device: str, dtype: np.dtype[Any] | None) -> Tensor:
    """Return a leaf of the same kind elsewhere, or the same one where nothing changes."""
    if dtype is None or value.dtype.kind != "f":  # a count stays whole
        dtype = value.dtype
    if (device, dtype) == (value.device, value.dtype):
        return value
    with no_grad():
        array = value.to(device).data
    if isinstance(value, Parameter):
        return parameter(array, value.name, value.requires_grad, dtype)
    return tensor(array, dtype=dtype)
