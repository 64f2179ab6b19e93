"""The engines whose derivatives can be checked: this one, PyTorch, JAX, or any VJP.

An engine is five functions.  The checks are written with these alone, so that what
finds a wrong rule here finds one in any engine with ``vjp(f, *primals)``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import UsageError
from .arguments import leaves

__tracebackhide__ = True  # pytest shows the test's own line


@dataclass(frozen=True)
class Engine:
    """How to reach the derivatives of one library.

    Attributes:
        name: what messages call it.
        array: ``(values, like)``: float64 values as an array on the device of ``like``.
        alike: ``(values, like)``: values in the dtype, on the device and of the kind of ``like``.
        host: an array of the engine as a NumPy array.
        pack: several arrays as the one thing that a function returns: a flat vector, or,
            where the engine does not say how to join arrays, a tuple.  One stays as it is.
        vjp: ``vjp(f, *primals) -> (out, back)`` with ``back(cotangent) -> tuple``.
        jvp: ``jvp(f, primals, tangents) -> (out, tangent)``; ``None`` where there is none.
        nests: whether derivatives of derivatives are known to work.
        float64: a context in which arrays may be float64.
    """

    name: str
    array: Callable[[Any, Any], Any]
    alike: Callable[[Any, Any], Any]
    host: Callable[[Any], Any]
    pack: Callable[[Sequence[Any]], Any]
    vjp: Callable[..., Any]
    jvp: Callable[..., Any] | None
    nests: bool = True
    float64: Callable[[], Any] = field(default=contextlib.nullcontext)


def engine_of(args: Sequence[Any], vjp: Any = None, jvp: Any = None) -> Engine:
    """Return the engine that the arguments, or the given transforms, belong to.

    Args:
        args: nested arguments; PyTorch tensors mean ``torch.func`` and JAX arrays ``jax``.
        vjp, jvp: transforms with JAX's signatures, used in place of the engine's own.
            Transforms that belong to no known library get NumPy arrays.

    Raises:
        UsageError: ``jvp`` was given without ``vjp``.
    """
    if jvp is not None and vjp is None:
        raise UsageError("a jvp was given without a vjp: give both, or vjp alone")
    libraries = {_library(type(leaf)) for _, leaf in leaves(args)} | {_library(vjp)}
    for name, make in (("torch", _torch), ("jax", _jax)):
        if name in libraries:
            return make(vjp, jvp)
    return _own() if vjp is None else _given(vjp, jvp)


def _library(thing: Any) -> str:
    name = (getattr(thing, "__module__", None) or "").split(".")[0]
    return "jax" if name == "jaxlib" else name


def _own() -> Engine:
    import tinygrad_res

    tg: Any = tinygrad_res  # its operations are exported by tables that type checkers cannot read

    def device(like: Any) -> str:
        on_the_host = isinstance(like, (np.ndarray, np.generic, float))
        return "cpu" if on_the_host else str(tg.tensor(like).device)

    def array(values: Any, like: Any) -> Any:
        made = tg.Tensor(values, None) if np.iscomplexobj(values) else tg.tensor(values)
        return made.to(device(like))

    def alike(values: Any, like: Any) -> Any:
        if isinstance(like, float):
            return float(values)
        made = tg.tensor(np.asarray(values, dtype=like.dtype)).to(device(like))
        return made if isinstance(like, tg.Tensor) else made.data

    def host(value: Any) -> Any:
        on_the_host = isinstance(value, (np.ndarray, np.generic, float, int))
        return np.asarray(value) if on_the_host else tg.tensor(value).numpy()

    def pack(parts: Sequence[Any]) -> Any:
        return parts[0] if len(parts) == 1 else tg.concat([tg.reshape(p, (-1,)) for p in parts])

    return Engine("tinygrad_res", array, alike, host, pack, tg.vjp, tg.jvp)


def _torch(vjp: Any, jvp: Any) -> Engine:
    import torch

    def array(values: Any, like: Any) -> Any:
        return torch.tensor(values, device=getattr(like, "device", "cpu"))

    def alike(values: Any, like: Any) -> Any:
        if not isinstance(like, torch.Tensor):
            return torch.tensor(values)
        return torch.tensor(values, dtype=like.dtype, device=like.device)

    def host(value: Any) -> Any:
        return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else _numpy(value)

    def pack(parts: Sequence[Any]) -> Any:
        return parts[0] if len(parts) == 1 else torch.cat([p.reshape(-1) for p in parts])

    own = vjp is None
    return Engine(
        "PyTorch", array, alike, host, pack,
        _told(torch.func.vjp) if own else vjp, _told(torch.func.jvp) if own else jvp,
        own or _library(vjp) == "torch",
    )  # fmt: skip


def _told(transform: Callable[..., Any]) -> Callable[..., Any]:
    """Say what a user can do where a transform of PyTorch does not take a function."""

    def run(*args: Any) -> Any:
        try:
            return transform(*args)
        except (RuntimeError, NotImplementedError) as error:
            if "setup_context" in str(error) or "jvp function" in str(error):
                raise UsageError(
                    "torch.func does not take this autograd.Function: give it a setup_context, "
                    'leave forward mode out with modes=("reverse",) where it has no jvp, or pass '
                    "vjp=, built on torch.autograd.grad"
                ) from error
            raise

    return run


def _jax(vjp: Any, jvp: Any) -> Engine:
    import jax

    def array(values: Any, like: Any) -> Any:
        return jax.numpy.asarray(values)

    def alike(values: Any, like: Any) -> Any:
        own = isinstance(like, jax.Array)
        return jax.numpy.asarray(values, dtype=like.dtype if own else None)

    def pack(parts: Sequence[Any]) -> Any:
        joined = [jax.numpy.reshape(p, (-1,)) for p in parts]
        return parts[0] if len(parts) == 1 else jax.numpy.concatenate(joined)

    def float64() -> Any:
        if hasattr(jax, "enable_x64"):
            return jax.enable_x64(True)
        return jax.experimental.enable_x64()

    own = vjp is None
    return Engine(
        "JAX", array, alike, _numpy, pack, jax.vjp if own else vjp, jax.jvp if own else jvp,
        own or _library(vjp) == "jax", float64,
    )  # fmt: skip


def _given(vjp: Any, jvp: Any) -> Engine:
    def pack(parts: Sequence[Any]) -> Any:
        return parts[0] if len(parts) == 1 else tuple(parts)

    def alike(values: Any, like: Any) -> Any:
        return np.array(values, dtype=getattr(like, "dtype", None))

    return Engine(
        "the given vjp", lambda values, like: np.array(values), alike, _numpy, pack, vjp, jvp, False
    )


def _numpy(value: Any) -> Any:
    return value.get() if type(value).__module__.startswith("cupy") else np.asarray(value)
