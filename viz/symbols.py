r"""Which labels read as mathematics, told atom by atom, and what LaTeX calls them.

Nobody marks a label as mathematics: a label is a formula when each of its runs can stand
in one and at least one of them is a symbol: a single letter, a ∂, a function before its
bracket, or anything with a subscript or a prime.  So ``W_1``, ``relu′(x_2)``, ``add(·)``
and ``∂F/∂m = 1.40`` are formulas; ``multiply``, ``0.644 · 1.40`` and ``from L back to x``
are words.  A label may also begin with a formula
and go on, behind a colon, in words that explain it: ``J_k: derivative of the branch``.

Letters by themselves are variables, and italic; words of two or more are upright.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from .text import Runs

Kind = Literal[
    "variable", "word", "number", "sign", "prime",
    "binary", "relation", "open", "close", "comma", "space",
]  # fmt: skip


class Atom(NamedTuple):
    """A piece that is set as one: a letter, a word, a number, a sign; lowered in a subscript."""

    kind: Kind
    text: str
    low: bool = False


_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
"""The Greek letters that LaTeX has: the others look like Latin ones."""
_TOKENS: tuple[tuple[Kind, str], ...] = (
    ("variable", rf"[A-Za-z{_GREEK}](?![^\W\d_])"),
    ("number", rf"\d[\d.]*(?:[·\u2009 ]+10[{_RAISED}]+)?"),
    ("prime", "′+"),
    ("sign", "[∂/∞…]"),
    ("binary", "[+−·×⊙∥]"),
    ("relation", "="),
    ("open", r"[(\[]"),
    ("close", r"[)\]]"),
    ("comma", "[,;]"),
    ("space", "[ \u2009]+"),
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_ON_LINE, _LOWERED = (
    re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in (("word", word), *_TOKENS)))
    for word in (rf"{_WORD.pattern}(?=[′(])", _WORD.pattern)
)
"""A word is one by itself, before a prime or a bracket, or in a subscript."""

_MINUS = re.compile(r"(?<=\w)-(?=\d)")
"""A hyphen that a name such as ``y_{n-1}`` means as a minus."""

_BEHIND = ("binary", "relation", "open", "comma")
_COMMANDS = {
    "∂": r"\partial ", "·": r"\cdot ", "×": r"\times ", "⊙": r"\odot ", "∥": r"\parallel ",
    "−": "-", "…": r"\cdots ", "∞": r"\infty ", "\u2009": r"\,", " ": r"\,",
}  # fmt: skip


@lru_cache(maxsize=4096)
def split(runs: Runs) -> tuple[tuple[Atom, ...], Runs]:
    """Return the formula that a label begins with, and the words that follow it.

    >>> split((("W", ""), ("1", "sub")))
    ((Atom(kind='variable', text='W', low=False), Atom(kind='number', text='1', low=True)), ())
    >>> split((("I: identity", ""),))
    ((Atom(kind='variable', text='I', low=False),), ((': identity', ''),))
    >>> split((("multiply", ""),))
    ((), (('multiply', ''),))
    """
    for i, (text, kind) in enumerate(runs):
        head, colon, rest = text.partition(":")
        if colon and not kind:
            behind = (*runs[i + 1 :],)
            atoms = _formula((*runs[:i], (head, "")))
            return (atoms, ((colon + rest, ""), *behind)) if atoms else ((), runs)
    atoms = _formula(runs)
    return (atoms, ()) if atoms else ((), runs)


def latex(atoms: tuple[Atom, ...]) -> str:
    r"""Return a formula as LaTeX, without dollar signs.

    >>> print(latex(split((("∂F/∂", ""), ("m", ""), (" = 1.40", "")))[0]))
    \partial F/\partial m = 1.40
    >>> print(latex(split((("h", ""), ("out", "sub"), (" · relu′(x)", "")))[0]))
    h_{\mathrm{out}} \cdot \mathrm{relu}'(x)
    """
    said, low = "", False
    for i, atom in enumerate(atoms):
        if atom.low != low:
            said += "_{" if atom.low else "}"
            low = atom.low
        if atom.kind == "space":
            beside = {near.kind for near in (*atoms[max(i - 1, 0) : i], *atoms[i + 1 : i + 2])}
            said += " " if beside & {"binary", "relation", "comma"} else r"\,"
        else:
            said += _said(atom)
    return re.sub(r" +", " ", said + "}" * low).replace(" }", "}").strip()


def _said(atom: Atom) -> str:
    if atom.kind == "word":
        return rf"\mathrm{{{atom.text.replace('_', chr(92) + '_')}}}"
    if atom.kind == "variable" and atom.text > "z":
        return _greek(atom.text)
    raised = re.sub(f"[{_RAISED}]+", _exponent, atom.text)
    return "".join(_COMMANDS.get(c, c) for c in raised).replace("′", "'")


def _exponent(found: re.Match[str]) -> str:
    return "^{" + unicodedata.normalize("NFKC", found[0]).replace("−", "-") + "}"


def _greek(letter: str) -> str:
    """Return a Greek letter's command; LaTeX's epsilon and phi have other shapes."""
    words = unicodedata.name(letter).lower().replace("lamda", "lambda").split()
    name = ("var" if letter in "εφ" else "") + words[-1]
    return rf"\{name if words[1] == 'small' else name.capitalize()} "


def _formula(runs: Runs) -> tuple[Atom, ...]:
    """Return the atoms of a label that reads as a formula all through, else none."""
    atoms: list[Atom] = []
    for text, kind in runs:
        low = kind == "sub"
        if not low and _WORD.fullmatch(text):
            atoms.append(Atom("word", text))
            continue
        text = _MINUS.sub("−", text) if low else text
        at, reading = 0, _LOWERED if low else _ON_LINE
        while at < len(text):
            found = reading.match(text, at)
            if found is None:
                return ()
            atoms.append(Atom(found.lastgroup, found[0], low))  # type: ignore[arg-type]
            at = found.end()
    symbols = any(a.low or a.kind in ("variable", "prime") or a.text == "∂" for a in atoms) or any(
        a.kind == "word" and b.kind == "open" for a, b in itertools.pairwise(atoms)
    )
    return tuple(_unary(atoms)) if symbols and not atoms[0].low else ()


def _unary(atoms: list[Atom]) -> list[Atom]:
    """Return the atoms with signs told from operations: a minus behind ``=`` or ``(`` is a sign."""
    found: list[Atom] = []
    for atom in atoms:
        before = next((a for a in reversed(found) if a.kind != "space"), None)
        alone = before is None or before.kind in _BEHIND or before.low < atom.low
        found.append(atom._replace(kind="sign") if atom.kind == "binary" and alone else atom)
    return found
