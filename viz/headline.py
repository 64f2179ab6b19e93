"""The headline of a figure: its message, and under it what was counted.

Unless the user has another, the message is how many of the paths are weight-free.
"""

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


def draw_count(
    canvas: Canvas, x: float, bottom: float, free: int, total: int, lines: Sequence[Runs],
    weighted: bool = True,
) -> None:  # fmt: skip
    """Write the count of paths, and quiet lines under it, the last one on the height ``bottom``."""
    exact = text.exact(total) if total >= _LONGEST_EXACT else ""
    words = count_words(free, total, weighted)
    draw_headline(canvas, x, bottom, words, lines, bool(weighted and free), exact)


def draw_headline(
    canvas: Canvas, x: float, bottom: float, words: str, lines: Sequence[Runs],
    red: bool = False, title: str = "",
) -> None:  # fmt: skip
    """Write a message, and quiet lines under it, the last one on the height ``bottom``.

    What the page has for a headline stands in its place, and ``words`` begin the lines.
    """
    left, _, right, _ = canvas.box
    page = canvas.page
    room = max(right - left, page.room)
    size = _NARROW_SIZE if page.narrow else _SIZE
    lines = [*[text.plain(words)] * bool(page.headline and words), *lines]
    lines += map(text.plain, page.remarks)
    message = text.plain(page.headline or words)
    style = "text identity" if red and not page.headline else "text title"
    broken = [part for line in lines for part in wrapped(line, _QUIET_SIZE, room)]
    canvas.begin("headline")
    for i, line in enumerate(reversed(broken)):
        canvas.add(Label(line, x, bottom - _LINE * i, _QUIET_SIZE, "text quiet", "start"))
    y = bottom - _LINE * len(broken) - 4
    for i, line in enumerate(
        reversed(wrapped(message, size, room, bold=True) if message[0][0] else [])
    ):
        canvas.add(Label(line, x, y - 1.3 * size * i, size, style, "start", title=title))
