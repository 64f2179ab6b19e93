"""Assignment without mutation: new tensors that differ from ``x`` at an index.

Names and arguments are those that JAX gave them first.
"""

from __future__ import annotations

from typing import Any

from .. import backend
from ..errors import DeviceError, DtypeError, ShapeError
from ..tensor import Tensor, raw, shape_of
from .indexing import gather, picked, scatter
from .joining import concat
from .pointwise import add, astype
from .structural import as_tensor, broadcast_to, ravel, reshape

__all__ = [
    "index_add", "index_update",
]  # fmt: skip

_update = gather("index_update")
_PICK = {"index_add": gather("index_add"), "index_update": _update}


def index_add(x: Any, index: Any, values: Any) -> Tensor:
    """Return ``x`` with ``values`` added at ``index``, several times where it is named so.

    ``values`` broadcast to the shape of ``x[index]``.  ``x`` itself stays as it is.  CuPy
    adds no int64: use floats or int32 on a GPU.

    Raises:
        ShapeError: the values do not fit, or the index lies outside of ``x``.

    >>> import tinygrad_res as tg
    >>> tg.index_add([1.0, 2.0, 3.0], [0, 0], 10.0)
    tensor([21.,  2.,  3.])
    """
    x = as_tensor(x)
    params = picked("index_add", x, index)
    spread = _spread("index_add", x, params["index"], values)
    return add(x, scatter(spread, into=x.shape, **params))


def index_update(x: Any, index: Any, values: Any) -> Tensor:
    """Return ``x`` with ``values`` in the place of ``x[index]``: x[index] = values on a copy.

    ``values`` broadcast to the shape of ``x[index]``.  Where a place is named several times,
    one of its values stands there, and it alone gets the gradient.

    Raises:
        ShapeError: the values do not fit, or the index lies outside of ``x``.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0, 3.0])
    >>> tg.index_update(x, x > 1.5, 0.0)
    tensor([1., 0., 0.])
    """
    x = as_tensor(x)
    own = picked("index_update", x, index)["index"]
    spread = _spread("index_update", x, own, values)
    size, more = x.size, spread.size
    source = backend.namespace(raw(x)).arange(size + more)
    places = source[:size].reshape(x.shape)
    places[own] = source[size:].reshape(spread.shape)
    both = concat([ravel(x), ravel(spread)])
    return reshape(_update(both, index=source[:size], distinct=True), x.shape)


def _spread(name: str, x: Tensor, own: Any, values: Any) -> Tensor:
    """Return ``values`` in the dtype of ``x`` and the shape of ``x[own]``."""
    shape = _PICK[name](Tensor(raw(x), None), index=own, distinct=True).shape
    if backend.is_array(values) and backend.device(raw(values)) != x.device:
        raise DeviceError(
            f"{name}: the tensor is on {x.device} and the values on {backend.device(raw(values))}: "
            "move one with tensor.to('cuda') or tensor.to('cpu')"
        )
    if not backend.is_array(values):
        shape_of(values)  # refuses lists of unequal lengths
        try:
            values = backend.namespace(raw(x)).asarray(values, dtype=x.dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise DtypeError(
                f"{name}: values {values!r} for a tensor of dtype {x.dtype}: {error}"
            ) from error
    try:
        return broadcast_to(astype(values, x.dtype), shape)
    except ShapeError as error:
        raise ShapeError(
            f"{name}: values {shape_of(values)} do not broadcast to x[index] {shape}"
        ) from error
