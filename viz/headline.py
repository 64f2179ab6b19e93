"""The headline of a figure: how many of the paths are weight-free, and under it what was counted."""

from __future__ import annotations

from collections.abc import Sequence

from . import text
from .layout import Canvas, Label
from .page import wrapped
from .text import Runs

_SIZE, _NARROW_SIZE, _QUIET_SIZE, _LINE = 20, 15, 12.5, 19.0
_LONGEST_EXACT = 10**24


def count_words(free: int, total: int, weighted: bool = True) -> str:
    """Return the count over a figure; where no weight layer is in sight, of all paths alone.

    >>> count_words(1, 8), count_words(2, 2, weighted=False)
    ('1 weight-free path of 8', '2 paths')
    """
    if weighted:
        return text.weight_free_of(free, total)
    return f"{text.grouped(total)} path{'s' * (total != 1)}"


def draw_headline(
    canvas: Canvas, x: float, bottom: float, free: int, total: int, lines: Sequence[Runs],
    weighted: bool = True,
) -> None:  # fmt: skip
    """Write the count of paths, and quiet lines under it, the last one on the height ``bottom``."""
    left, _, right, _ = canvas.box
    page = canvas.page
    room = max(right - left, page.room)
    exact = text.exact(total) if total >= _LONGEST_EXACT else ""
    style = "text identity" if weighted and free else "text title"
    size = _NARROW_SIZE if page.narrow else _SIZE
    count = wrapped(text.plain(count_words(free, total, weighted)), size, room, bold=True)
    broken = [part for line in lines for part in wrapped(line, _QUIET_SIZE, room)]
    canvas.begin("headline")
    for i, line in enumerate(reversed(broken)):
        canvas.add(Label(line, x, bottom - _LINE * i, _QUIET_SIZE, "text quiet", "start"))
    y = bottom - _LINE * len(broken) - 4
    for i, line in enumerate(reversed(count)):
        canvas.add(Label(line, x, y - 1.3 * size * i, size, style, "start", title=exact))
