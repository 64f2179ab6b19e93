"""Pickles from elsewhere, read without running anything of theirs.

A pickle is a program that may call whatever it can name.  This reader lets it name the few things
that arrays of bytes and bytes need, and puts plain functions of its own in their place,
so not even NumPy's constructors run on numbers that a stranger chose.  It is pickle's reader
in Python: the one in C makes room for as many remembered values as a pickle of ten bytes says.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import numpy as np

from ..errors import DataError


class _Array:
    """What a pickle makes in place of an array, until it says what is in it."""

    def __init__(self, *_: Any) -> None:
        self.values = np.empty(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        if not (isinstance(dtype, _Dtype) and isinstance(content, bytes)):
            raise pickle.UnpicklingError("an array is not of bytes")
        if math.prod(shape) != len(content):
            raise pickle.UnpicklingError(f"an array of shape {shape} has {len(content)} bytes")
        flat = np.frombuffer(content, np.uint8)
        self.values = flat.reshape(shape, order="F" if fortran else "C")


class _Dtype:
    """The only dtype there is: one unsigned byte."""

    def __init__(self, name: Any, *_: Any) -> None:
        if name not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"an array is of dtype {name!r}, and not of bytes")

    def __setstate__(self, state: Any) -> None:
        pass


def _no_bytes() -> bytes:
    return b""


def _encoded(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes are written in an unknown way")
    return text.encode("latin1")


KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encoded,  # how Python 3 writes bytes in protocols of Python 2
    ("__builtin__", "bytes"): _no_bytes,  # and how it writes none
}
"""What a pickle may name, and what it gets."""


class _Reader(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for what a pickle names, and refuse what is not in the table."""
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed")
        return KNOWN[module, name]


def read_pickled(where: str, content: bytes) -> Any:
    """Return what a pickle of dicts, lists, texts, bytes, numbers and arrays of bytes holds.

    Texts of Python 2 come as bytes, as do the keys of its dicts.

    Raises:
        DataError: it is cut short or no pickle, or asks for anything else.

    >>> read_pickled("example", pickle.dumps({b"labels": [1, 2]}))
    {b'labels': [1, 2]}
    >>> read_pickled("example", pickle.dumps(print))
    Traceback (most recent call last):
    tinygrad_res.errors.DataError: example: is no pickle of plain arrays: it asks for builtins.print, which is not allowed
    """
    try:
        return _plain(_Reader(io.BytesIO(content), encoding="bytes").load())
    except Exception as error:  # a broken pickle raises whatever its bytes happen to say
        why = "it is cut short" if isinstance(error, EOFError) else error
        raise DataError(f"{where}: is no pickle of plain arrays: {why}") from error


def _plain(read: Any) -> Any:
    """Return what was read with the arrays in the place of their stand-ins, one level deep."""
    if isinstance(read, dict):
        return {key: _plain_value(value) for key, value in read.items()}
    return _plain_value(read)


def _plain_value(value: Any) -> Any:
    return value.values if isinstance(value, _Array) else value
