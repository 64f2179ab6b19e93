"""Every error that the project raises, in one hierarchy.

Each message names the operation or the file, the argument, and the mend.  The
classes also derive from the built-in exception that a NumPy user would expect,
so ``except ValueError`` keeps working.
"""

from __future__ import annotations

from typing import Any


class Error(Exception):
    """Base class of all errors of this project."""


class ShapeError(Error, ValueError):
    """Shapes or axes that do not fit an operation."""


class DtypeError(Error, TypeError):
    """A dtype that an operation cannot use, such as an integer asked for a gradient."""


class ConversionError(Error, TypeError):
    """A tensor met a function that would drop its record silently."""


class DeviceError(Error, RuntimeError):
    """Arrays on different devices, or a device that is not there."""


class GradientError(Error, RuntimeError):
    """A derivative that was asked for and is not defined."""


class NotDifferentiableError(GradientError):
    """A function has a kink, a jump or an edge of its domain where it was to be checked."""


class GraphError(Error, ValueError):
    """A question about a graph that the graph cannot answer."""


class DataError(Error, ValueError):
    """Input data that cannot be used, such as NaN."""


class UsageError(Error, ValueError):
    """An argument outside its choices; the message lists them."""


class FileError(Error, OSError):
    """A file or folder that cannot be written."""


class FigureError(Error, RuntimeError):
    """A figure that cannot be drawn, or in no format that is known."""


class SweepError(Error, RuntimeError):
    """Some cells of a sweep are missing.

    Attributes:
        done: the settings that are finished, each with what it gave.
        missing: the settings that are not.
    """

    def __init__(
        self, message: str, done: list[tuple[dict[str, Any], Any]], missing: list[dict[str, Any]]
    ) -> None:
        super().__init__(message)
        self.done, self.missing = done, missing
