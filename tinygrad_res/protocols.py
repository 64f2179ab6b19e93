"""What NumPy's own functions do with a tensor: record, or refuse; never drop the record.

``np.exp(x)`` and ``array + x`` arrive at the primitive of the same name.  What has no
primitive, or asks for something that a record cannot hold, is refused with the mend.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

import numpy as np

from .errors import ConversionError

_ATTRIBUTES = (np.ndim, np.shape, np.size)


class Protocols:
    """NumPy's protocols, for tensors."""

    __slots__ = ()

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise ConversionError(
            "np.asarray(tensor) would drop the record silently: "
            "use tensor.numpy() for the values, tg.stack to join tensors, or the tg function of "
            "the same name"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        ours = _ours(ufunc)
        if method != "__call__":
            _refuse(f"np.{ufunc.__name__}.{method}", kwargs)
        if "out" in kwargs:
            raise ConversionError(
                f"np.{ufunc.__name__} would write a tensor into an array: write x.data = values to "
                "change a leaf, or x -= ... inside tg.no_grad(); for an array use tensor.numpy()"
            )
        if ours is None or kwargs:
            _refuse(f"np.{ufunc.__name__}", kwargs)
        return ours(*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in _ATTRIBUTES and len(args) == 1 and not kwargs:
            return getattr(args[0], function.__name__)
        ours = _ours(function)
        call = f"{function.__module__.replace('numpy', 'np')}.{function.__name__}"
        if ours is None:
            _refuse(call, {})
        # Beyond the second place the arguments of NumPy's function have names of their own.
        named = _named(function, args)
        options = named | kwargs
        try:
            inspect.signature(ours).bind(*args[: len(args) - len(named)], **options)
        except TypeError:
            _refuse(call, options)
        return ours(*args[: len(args) - len(named)], **options)


def _refuse(call: str, options: dict[str, Any]) -> NoReturn:
    given = f" with {', '.join(options)}" if options else ""
    raise ConversionError(
        f"{call}{given} cannot be recorded on a tensor: "
        "use the functions of tinygrad_res, or tensor.numpy() for the values"
    )


def _ours(function: Any) -> Callable[..., Any] | None:
    """Return our function of the name that NumPy's has, or ``None``."""
    from . import primitives

    name = function.__name__
    if getattr(np.linalg, name, None) is function:
        return getattr(primitives.linalg, name, None)
    homes = (np, sys.modules.get("scipy.special"))  # others may mean something else by a name
    known = any(getattr(home, name, None) is function for home in homes)
    return primitives.NUMPY_NAMES.get(name) if known else None


def _named(function: Any, args: tuple[Any, ...]) -> dict[str, Any]:
    """Return the arguments from the third on by the names that ``function`` gives them."""
    names = _names(function)
    return dict(zip(names[2:], args[2:])) if len(names) >= len(args) else {}


@cache
def _names(function: Any) -> tuple[str, ...]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, and positional
        return ()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return ()
    return tuple(p.name for p in parameters)
