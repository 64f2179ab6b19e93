"""Outcome: what an experiment found, as text, as a picture, and as numbers in a file."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FigureError
from ..files import write_whole

if TYPE_CHECKING:
    from viz import Figure, Plot

PICTURES = (".svg", ".pdf", ".png")


class Outcome(ABC):
    """The result of an experiment; a frozen dataclass, whose fields are the numbers."""

    @abstractmethod
    def table(self) -> str:
        """Return the outcome as text."""

    @abstractmethod
    def plot(self) -> Plot | Figure:
        """Return the outcome as a picture, which shows and saves itself."""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON holds."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the numbers to a file that ends in ``.json``, or the picture to another.

        The file appears complete or not at all.

        Raises:
            FigureError: the ending is unknown.
            FileError: the file cannot be written.
        """
        ending = Path(path).suffix.lower()
        if ending == ".json":
            return write_whole(path, (json.dumps(self.as_dict(), indent=2) + "\n").encode())
        if ending in PICTURES:
            return self.plot().save(path)
        known = ", ".join((".json", *PICTURES))
        raise FigureError(f"save: {str(path)!r} does not end in a known format: use {known}")


def aligned(heads: Sequence[str], rows: Iterable[Sequence[Any]], words: int = 1) -> str:
    """Return a table as text: the first columns, of words, to the left, numbers to the right.

    Args:
        heads: what stands over the columns.
        rows: the cells; numbers are written in three digits, whole numbers exactly.
        words: how many columns hold words.

    >>> print(aligned(["net", "depth", "error"], [["plain", 20, 0.08125], ["residual", 110, 0.05]]))
    net       depth   error
    plain        20  0.0813
    residual    110    0.05
    """
    lines = [list(heads), *([number(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:{'<' if i < words else '>'}{width}}"
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def number(value: Any) -> str:
    """Write a measured number in three digits; a whole number and a word as they are.

    >>> number(4.068), number(0.0137), number(47280.4), number(64), number("He")
    ('4.07', '0.0137', '47,280', '64', 'He')
    """
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
