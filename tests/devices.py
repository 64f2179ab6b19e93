"""Devices to test on: which there are, and how host values come to lie on one.

A test hands NumPy arrays, lists and numbers to the engine.  Two functions of the engine turn
such values into arrays of its own, the one that makes leaves and the one that makes operands.
``open_doors`` makes both of them place the values on a device, so that a test's text is the
same for every device.  While a primitive pushes cotangents or tangents the doors are shut:
nothing that a rule needs comes from the host.
"""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

import numpy as np
import pytest
import standin

PLAIN = (np.generic, list, tuple, range, bool, int, float)


@functools.cache
def missing_gpu() -> str:
    """Return why no GPU can be used; nothing where one answers."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError:
        return "CuPy is not installed"
    try:
        return "" if cupy.cuda.runtime.getDeviceCount() else "CuPy sees no GPU"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"no GPU answers: {error}"


def beside_the_cpu(config: pytest.Config) -> list[Any]:
    """Return the other devices to test on, as parameters; CuPy where it works or is asked for."""
    why = missing_gpu()
    skip = [pytest.mark.skip(reason=why)] if why else []
    asked = "gpu" in config.getoption("markexpr")
    return [
        "standin",
        *[pytest.param("cupy", marks=[pytest.mark.gpu, *skip]) for _ in range(asked or not why)],
    ]


def open_doors(monkeypatch: pytest.MonkeyPatch, xp: Any) -> None:
    """Place what a test hands to the engine as a host value in an array of ``xp``."""
    tensors = importlib.import_module("tinygrad_res.tensor")
    primitives = importlib.import_module("tinygrad_res.primitive")
    leaf, constant = tensors._leaf, primitives._constant

    @functools.wraps(leaf)  # since pickles name it
    def place_leaf(kind: Any, value: Any, *options: Any) -> Any:
        return leaf(kind, _placed(value, xp), *options)

    def place_constant(primitive: Any, value: Any, args: Any) -> Any:
        return constant(primitive, _placed(value, xp), args)

    monkeypatch.setattr(tensors, "_leaf", place_leaf)
    monkeypatch.setattr(primitives, "_constant", place_constant)


def _placed(value: Any, xp: Any) -> Any:
    """Return a host value as an array of ``xp``; what is none, or wrong, is left to the engine."""
    if type(value) is not np.ndarray and not isinstance(value, PLAIN):
        return value
    if standin.inside_a_primitive(sys._getframe(1), "vjp", "jvp"):
        return value
    try:
        host = np.asarray(value)
    except Exception:  # lists of unequal lengths, lists of tensors
        return value
    return xp.asarray(host) if host.dtype.kind in "fiub" else value
