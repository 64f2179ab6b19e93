"""Files: written whole or not at all, and arrays read from them without pickle.

A damaged archive shows in many kinds of errors, of the archive, its compression or an array in it:
``read_npz`` has one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np

from .errors import FileError


def make_writable(argument: str, folder: Path) -> None:
    """Make a folder that an argument names, and check now that files can be written there.

    Raises:
        FileError: it cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise FileError(
            f"{argument} {folder}: cannot write there ({error.strerror}): choose a folder of yours"
        ) from error


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file by way of a temporary one beside it, which then takes its name.

    Raises:
        FileError: the file cannot be written.  Then, and where it is interrupted, nothing is left.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem[:40]}-{secrets.token_hex(4)}{target.suffix}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        os.replace(temporary, target)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise FileError(
            f"save: cannot write {str(target)!r} ({getattr(error, 'strerror', None) or error}): "
            "choose a folder that exists and that you may write to"
        ) from error
    finally:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink()
    return target


def read_npz(file: IO[bytes], names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays in an .npz file by name; only those of ``names``, where these are given.

    Raises:
        ValueError: the file is damaged, or holds something else than arrays of numbers.

    >>> import io
    >>> held = io.BytesIO()
    >>> np.savez(held, x=np.ones(2), y=np.zeros(1))
    >>> _ = held.seek(0)
    >>> read_npz(held, ["y", "z"])
    {'y': array([0.])}
    """
    try:
        with np.load(file, allow_pickle=False) as held:
            return {name: held[name] for name in held.files if names is None or name in names}
    except (
        OSError, ValueError, TypeError, AttributeError, KeyError, EOFError, RuntimeError,
        MemoryError, zlib.error, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise ValueError(str(error) or type(error).__name__) from error
