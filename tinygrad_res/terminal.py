"""Saying a line on a terminal, whatever the names in it and whatever characters it has."""

from __future__ import annotations

import sys
from typing import TextIO


def say(words: str, stream: TextIO | None = None) -> None:
    r"""Print one line, on standard output unless told otherwise.

    Names come from users: line breaks and control characters in them become spaces, and
    what the terminal cannot show is written as an escape.

    >>> say("a\nb\x1b[31m 权")
    a b [31m 权
    """
    stream = sys.stdout if stream is None else stream
    line = "".join(c if c.isprintable() else " " for c in words)
    encoding = stream.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), file=stream)
