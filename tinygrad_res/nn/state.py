"""A module's state in and out: checked whole before anything is changed, and written to files.

Two formats, chosen by the file's ending: ``.safetensors``, which PyTorch's users have too, and
NumPy's ``.npz``.  Neither is read with pickle, so a file from elsewhere can run nothing.  Each
says the version of our format beside the arrays; a file without it comes from somewhere else
and is read for its arrays alone.  Safetensors has no checksum, as npz has, so ours stands beside
that version.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import backend
from ..errors import DataError, DtypeError, ShapeError, UsageError
from ..files import read_npz, write_whole
from ..tensor import Tensor, raw

if TYPE_CHECKING:
    from .module import Module

VERSION = 1
"""Of the format.  Files of a higher one are refused."""

VERSION_KEY = "tinygrad_res.format"


class Unmatched(NamedTuple):
    """The names that a module has and a mapping has not, and the other way round."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]


def load(module: Module, mapping: Mapping[str, Any], strict: bool = True) -> Unmatched:
    """Take the values of ``module`` from ``mapping``; see ``Module.load_state_dict``."""
    if not isinstance(mapping, Mapping):
        raise UsageError(
            f"load_state_dict: a {type(mapping).__name__}: pass a dict of arrays by name"
        )
    own = dict(module.named_state())
    if {"about", "losses"} <= mapping.keys() - own.keys():
        raise DataError(
            "load: it is the checkpoint of a training, which holds more than a network: take the "
            "network out of it with tg.checkpoints.load(path, network)"
        )
    unmatched = Unmatched(
        tuple(name for name in own if name not in mapping),
        tuple(str(name) for name in mapping if name not in own),
    )
    wrong = [
        f"{kind}: {', '.join(names)}"
        for kind, names in zip(unmatched._fields, unmatched, strict=True)
        if strict and names
    ]
    values: dict[int, tuple[str, Tensor, Any]] = {}
    for name, target in own.items():
        if name not in mapping:
            continue
        try:
            value = _fitting(target, mapping[name])
        except (DtypeError, ShapeError) as error:
            wrong.append(f"{name}: {error}")
            continue
        first, _, before = values.setdefault(id(target), (name, target, value))
        if before is not value and not np.array_equal(before, value, equal_nan=True):
            wrong.append(f"{name}: it is the same tensor as {first}, and has other values here")
    if wrong:
        raise DataError(
            f"load_state_dict: {type(module).__name__} does not fit what is given; nothing was "
            "changed\n  " + "\n  ".join(wrong) + "\n" + _mend(own, mapping)
        )
    for _, target, value in values.values():
        target.data = value
    return unmatched


def _mend(own: Mapping[str, Any], mapping: Mapping[str, Any]) -> str:
    """Say what to do about names that differ."""
    for key, inside in mapping.items():
        if isinstance(inside, Mapping) and own.keys() & inside.keys():
            return (
                f"the names are inside {key!r}, as in checkpoints of PyTorch: pass state[{key!r}]"
            )
    first = next(iter(own), "")
    for prefix in (str(name).removesuffix(first) for name in mapping):
        if prefix.endswith(".") and all(f"{prefix}{name}" in mapping for name in own):
            return (
                f"all is there behind {prefix!r}, which wrappers such as PyTorch's DataParallel "
                f"put in front: pass {{k.removeprefix({prefix!r}): v for k, v in state.items()}}"
            )
    return "strict=False passes over names alone"


def _fitting(target: Tensor, given: Any) -> Any:
    """Return what is given as an array of the host, of the target's shape and dtype.

    Raises:
        ShapeError: the shapes differ.
        DtypeError: it is no array of real numbers, or would be rounded to integers.
    """
    array = _array(given)
    if array.dtype.kind not in "fiub" or not np.can_cast(array.dtype, target.dtype, "same_kind"):
        raise DtypeError(f"of dtype {array.dtype}, but must be {target.dtype}")
    if array.shape != target.shape:
        raise ShapeError(f"of shape {array.shape}, but must be {target.shape}")
    with np.errstate(over="ignore"):
        fitting = array.astype(target.dtype)
    if array.dtype.kind == "f" and not np.array_equal(np.isfinite(fitting), np.isfinite(array)):
        raise DtypeError(f"of dtype {array.dtype}: values overflow in {target.dtype}")
    return fitting


def _array(given: Any) -> Any:
    """Return on the host the array of a tensor, of PyTorch's too, and lists as an array."""
    values = raw(given)
    if hasattr(values, "detach"):  # PyTorch's, which need not be installed
        try:
            return values.detach().cpu().numpy()
        except TypeError as error:
            raise DtypeError(
                f"of dtype {values.dtype}: NumPy has none such: use .float()"
            ) from error
    if backend.is_array(values):
        backend.namespace(values)
        return backend.to_device(values, "cpu")
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ShapeError("lists of unequal lengths make no array") from error


# Files


def write(path: str | os.PathLike[str], values: Iterable[tuple[str, Any]]) -> Path:
    """Write arrays or tensors, each with its name, to a file; its ending chooses the format.

    Raises:
        FileError: the file cannot be written.
        UsageError: the ending is unknown.
        DtypeError: safetensors has no such dtype.
    """
    encode, _ = _format("save", path)
    return write_whole(
        path, encode({name: backend.to_device(raw(value), "cpu") for name, value in values})
    )


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Return the arrays in a file by name; its ending says the format.

    Raises:
        DataError: there is no such file, it is damaged, holds numbers of a kind that NumPy lacks, or
            is of a newer format.
        UsageError: the ending is unknown.
    """
    _, decode = _format("load", path)
    try:
        values: dict[str, np.ndarray]
        values, found = decode(Path(path).read_bytes())
        version = int(found)
    except OSError as error:
        raise DataError(f"load: cannot read {str(path)!r} ({error.strerror or error})") from error
    except DtypeError as error:
        raise DataError(f"load: {str(path)!r}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
        raise DataError(
            f"load: {str(path)!r} is damaged, or holds no arrays of numbers ({error})"
        ) from error
    if version > VERSION:
        raise DataError(
            f"load: {str(path)!r} is of format {version}, and this version reads up to {VERSION}: "
            "install a newer tinygrad_res"
        )
    return values


def _to_safetensors(values: dict[str, np.ndarray]) -> bytes:
    from safetensors import SafetensorError
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(v).reshape(v.shape) for name, v in values.items()}
    # One entry: of several the package chooses the order anew each time.
    metadata = {VERSION_KEY: f"{VERSION} {_checksum(contiguous)}"}
    try:
        return bytes(save(contiguous, metadata=metadata))
    except SafetensorError as error:
        raise DtypeError(f"save: {error}: use module.to(dtype='float64'), or .npz") from error


def _from_safetensors(content: bytes) -> tuple[dict[str, np.ndarray], Any]:
    import json

    from safetensors import SafetensorError, deserialize

    try:
        parts = dict(deserialize(content))  # type: ignore[no-untyped-call]
        values = {name: _decoded(name, **parts[name]) for name in sorted(parts)}
    except SafetensorError as error:
        raise ValueError(error) from error
    # The format: eight bytes of length, then a header in JSON, checked by now.
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    version, _, checksum = header.get("__metadata__", {}).get(VERSION_KEY, "0").partition(" ")
    if version == str(VERSION) and checksum != str(_checksum(values)):
        raise ValueError("its checksum differs")
    return values, version


_KINDS = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8",
    "C64": "<c8",
}  # fmt: skip
"""What the words of safetensors are for NumPy."""


def _decoded(name: str, dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    """Return an array of a file; bfloat16, which NumPy lacks, as float32, whose upper half it is."""
    if dtype not in _KINDS:
        raise DtypeError(
            f"{name} is of dtype {dtype}, which NumPy lacks: save it as float32, with .float() in "
            "PyTorch"
        )
    array = np.frombuffer(data, _KINDS[dtype]).reshape(shape)
    if dtype == "BF16":
        array = (array.astype("<u4") << 16).view("<f4")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _checksum(values: dict[str, np.ndarray]) -> int:
    """Return the CRC-32 of names, dtypes, shapes and bytes, row by row and little-endian."""
    found = 0
    for name, array in sorted(values.items()):
        found = zlib.crc32(f"{name} {array.dtype.name} {array.shape}".encode(), found)
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        found = zlib.crc32(little.view(np.uint8).data, found)
    return found


def _to_npz(values: dict[str, np.ndarray]) -> bytes:
    # numpy.savez takes names as keyword arguments, so none could be called "file".
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in {VERSION_KEY: np.array(VERSION), **values}.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    return content.getvalue()


def _from_npz(content: bytes) -> tuple[dict[str, np.ndarray], Any]:
    values = read_npz(io.BytesIO(content))
    return values, values.pop(VERSION_KEY, 0)


FORMATS = {
    ".safetensors": (_to_safetensors, _from_safetensors),
    ".npz": (_to_npz, _from_npz),
}

_PICKLED = (".pt", ".pth", ".bin", ".ckpt")
_FROM_PYTORCH = (
    "; PyTorch's own files are pickles, which can run anything: write the state there with "
    "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
)


def _format(verb: str, path: str | os.PathLike[str]) -> tuple[Any, Any]:
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise UsageError(
            f"{verb}: {str(path)!r} does not end in a known format: use {' or '.join(FORMATS)}"
            + _FROM_PYTORCH * (verb == "load" and ending in _PICKLED)
        )
    return FORMATS[ending]
