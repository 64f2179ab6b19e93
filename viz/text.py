"""Text for figures: names made safe, subscripts, widths, big numbers.

Names come from users and may hold anything.  ``clean`` turns them into one printable
line of bounded length; escaping is the writers' work.  A label is a tuple of runs,
pieces of text that stand on the line or below it, so ``W_1`` is ``("W", "")`` and
``("1", "sub")``.  What reads as mathematics is set in glyphs and exactly as wide as these.
The widths of words are estimated on the large side, for DejaVu Sans, the widest of the
usual fonts: a label box holds its text in whatever font the reader has.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite

from .symbols import Atom, split
from .typeset import Line, line

Run = tuple[str, str]
Runs = tuple[Run, ...]

LONGEST_NAME = 24
THIN_SPACE = "\u2009"
SUB_SIZE = 0.72
BOLD = 1.13

_NAME = re.compile(r"([^\W\d_]{1,2})_(\{[^{}_]{1,8}\}|\w{1,4})", re.ASCII)
_NEGATIVE = re.compile(r"^-(?=[\d.]+(?:e[+-]?\d+)?$)")
_SYMBOL = re.compile(r"([A-Za-z]|∂[A-Za-z])_(?:\{([^{}]*)\}|(\d+))")
_ADVANCES = (
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63,
    58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99, 69,
    61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58,
    28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
)  # fmt: skip
"""The advance widths of DejaVu Sans from the space to the tilde, in hundredths of an em."""
_EXACT_BELOW = 10**600
_NARROW = frozenset("\u2009·′")


def clean(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name as one printable line, shortened in its middle.

    >>> clean("a\\nb\\x00c")
    'a b c'
    >>> clean("x" * 300, longest=9)
    'xxxx…xxxx'
    """
    visible = "".join(
        " "
        if unicodedata.category(c) in {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}
        or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        else c
        for c in name
    )
    line = " ".join(visible.split())
    if len(line) <= longest:
        return line
    half = (longest - 1) // 2
    return f"{line[: longest - 1 - half].rstrip()}…{line[len(line) - half :].lstrip()}"


def plain(text: str) -> Runs:
    """Return text of our own as one run."""
    return ((text, ""),)


def name(text: str, longest: int = LONGEST_NAME) -> Runs:
    """Return a user's name as runs: ``W_1``, ``J_{12}`` and ``h_out`` get a subscript.

    >>> name("W_1")
    (('W', ''), ('1', 'sub'))
    >>> name("my_layer"), name("-1")
    ((('my_layer', ''),), (('−1', ''),))
    """
    shown = clean(text, longest).replace("'", "′") if text.endswith("'") else clean(text, longest)
    found = _NAME.fullmatch(shown)
    if found is None:
        return plain(_NEGATIVE.sub("−", shown) or "unnamed")
    return ((found[1], ""), (found[2].strip("{}"), "sub"))


def math(text: str) -> Runs:
    """Return a formula of our own as runs; ``J_2`` and ``h_{12}`` get a subscript.

    >>> math("I · J_2")
    (('I · J', ''), ('2', 'sub'))
    """
    runs: list[Run] = []
    at = 0
    for found in _SYMBOL.finditer(text):
        runs += [(text[at : found.end(1)], ""), (found[2] or found[3], "sub")]
        at = found.end()
    if text[at:]:
        runs.append((text[at:], ""))
    return tuple(runs)


def joined(runs: Runs) -> str:
    """Return runs as plain text, subscripts after an underscore.

    >>> joined(name("W_1"))
    'W_1'
    """
    return "".join(f"_{text}" if kind == "sub" else text for text, kind in runs)


def kept_whole(words: Sequence[str], between: str, longest: int) -> str:
    """Return words in a row, those at the end left out where they are too long, the first never.

    >>> kept_whole(["matmul", "getitem", "squeeze"], " + ", 20)
    'matmul + getitem + …'
    """
    for kept in range(len(words), 0, -1):
        said = between.join([*words[:kept], *["…"] * (kept < len(words))])
        if len(said) <= longest or kept == 1:
            return clean(said, longest)
    return ""


def merged(runs: Runs) -> Runs:
    """Return the same text in as few runs as possible.

    >>> merged((("a", ""), ("b", ""), ("1", "sub")))
    (('ab', ''), ('1', 'sub'))
    """
    groups = itertools.groupby(runs, key=lambda run: run[1])
    return tuple(("".join(text for text, _ in group), kind) for kind, group in groups)


@lru_cache(maxsize=4096)
def typeset(runs: Runs, bold: bool = False) -> tuple[tuple[Atom, ...], Line | None, Runs]:
    """Return the formula that a label begins with, its glyphs, and the words behind it.

    >>> atoms, glyphs, words = typeset(math("J_{k}: derivative of the branch"))
    >>> len(atoms), glyphs.width > 0.5, words
    (2, True, ((': derivative of the branch', ''),))
    >>> typeset(plain("derivative"))
    ((), None, (('derivative', ''),))
    """
    atoms, words = split(runs)
    glyphs = line(atoms, bold) if atoms else None
    return (atoms, glyphs, words) if glyphs is not None else ((), None, runs)


def width(runs: Runs, size: float, bold: bool = False) -> float:
    """Return the width of a label in pixels: of a formula exactly, of words on the large side."""
    _, glyphs, words = typeset(runs, bold)
    return words_width(words, size, bold) + (glyphs.width * size if glyphs else 0.0)


def words_width(runs: Runs, size: float, bold: bool = False) -> float:
    """Return the width of a label in pixels if all of it is set as words, on the large side.

    >>> words_width(plain("mm"), 10)
    19.4
    """
    total = sum(sum(map(_advance, text)) * (SUB_SIZE if kind else 1.0) for text, kind in runs)
    return total * (BOLD if bold else 1.0) * size


def grouped(number: int, longest: int = 24) -> str:
    """Return an exact count with its digits grouped by thin spaces, or as a power of two.

    A number with more than ``longest`` digits is written as ``2^n`` where it is one, else
    with its first digits and its power of ten.

    >>> grouped(1125899906842624).replace("\\u2009", " ")
    '1 125 899 906 842 624'
    >>> grouped(2**600)
    '2⁶⁰⁰'
    """
    digits = f"{number:,}".replace(",", THIN_SPACE) if number < 10**longest else ""
    if digits:
        return digits
    if number & (number - 1) == 0:
        return f"2{raised(number.bit_length() - 1)}"
    exponent = int((number.bit_length() - 1) * 0.30102999566398120)
    exponent += number // 10**exponent >= 10
    leading = number // 10 ** (exponent - 2)
    return f"{leading / 100:.2f}{THIN_SPACE}·{THIN_SPACE}10{raised(exponent)}"


def exact(number: int) -> str:
    """Return a count in digits, all of them where a reader may still want to have them.

    Above 600 digits it is shortened as by ``grouped``; Python refuses to write some thousands.

    >>> exact(2**70), exact(2**50_000)
    ('1180591620717411303424', '2⁵⁰⁰⁰⁰')
    """
    return str(number) if number < _EXACT_BELOW else grouped(number)


def several(count: int, thing: str) -> str:
    """Return a count of things in words.

    >>> several(1, "weight layer"), several(0, "block")
    ('1 weight layer', '0 blocks')
    """
    return f"{exact(count)} {thing}{'s' * (count != 1)}"


def weight_free_of(free: int, total: int) -> str:
    """Return the count that stands over a figure.

    >>> weight_free_of(1, 8), weight_free_of(0, 1)
    ('1 weight-free path of 8', '0 weight-free paths of 1')
    """
    return f"{grouped(free)} weight-free path{'s' * (free != 1)} of {grouped(total)}"


def value(number: float) -> str:
    """Return a measured number with three digits, minus as a minus sign.

    >>> value(-0.01234)
    '−0.0123'
    >>> value(2)
    '2.00'
    >>> value(float("nan"))
    'not finite'
    """
    if not isfinite(number):
        return "not finite"
    shown = f"{number:#.3g}".rstrip(".") if number else "0"
    mantissa, _, exponent = shown.partition("e")
    if exponent:
        shown = f"{mantissa}{THIN_SPACE}·{THIN_SPACE}10{raised(int(exponent))}"
    return shown.replace("-", "−")


def kind(what: object) -> str:
    """Return what a thing is, for a message.

    >>> kind(3), kind([]), kind(None)
    ('an int', 'a list', 'None')
    """
    name = type(what).__name__
    return "None" if what is None else f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def raised(exponent: int) -> str:
    """Return an integer as superscript digits."""
    return str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))


def _advance(c: str) -> float:
    if unicodedata.combining(c):
        return 0.0
    if unicodedata.east_asian_width(c) in "WF":
        return 1.1
    if c in _NARROW:
        return 0.34
    if " " <= c <= "~":
        return _ADVANCES[ord(c) - 32] / 100
    if c in "⁰¹²³⁴⁵⁶⁷⁸⁹⁻":
        return 0.54
    return 1.0 if c in "—…→←" else 0.86
