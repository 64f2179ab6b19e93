"""Writing files: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from .errors import FigureError


def make_writable(argument: str, folder: Path) -> None:
    """Make a folder that an argument names, and check now that files can be written there.

    Raises:
        FigureError: it cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise FigureError(
            f"{argument} {folder}: cannot write there ({error.strerror}): choose a folder of yours"
        ) from error


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file by way of a temporary one beside it, which then takes its name.

    Raises:
        FigureError: the file cannot be written; nothing is left behind.
    """
    target = Path(path)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(
            prefix=f".{target.stem[:40]}-", suffix=target.suffix, dir=target.parent
        )
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise FigureError(
            f"save: cannot write {str(target)!r} ({error.strerror or error}): "
            "choose a folder that exists and that you may write to"
        ) from error
    return target
