r"""Notation: how a value is called in a formula, as LaTeX and as plain text.

A formula is read beside a picture, so a value has the name that the picture shows: the one
that the user gave it, or else its operation's, numbered.  An element of an array carries its
indices as superscripts, counted from 1: ``w_{n-1}^{11}``.

A name may hold anything.  ``W_1``, ``h_out`` and ``w_{n-1}``, one or two letters with a
subscript, are mathematics and set so; all others are text, upright and escaped.  What comes
out compiles in LaTeX, MathJax and matplotlib; characters that these do not share are written
as their code points.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from .graph import Graph
from .graph_parts import GraphNode
from .record import Node
from .scalar import ScalarGraph

LONGEST_NAME = 24


class Sign(NamedTuple):
    """The same mark twice: as LaTeX, and as plain text."""

    latex: str
    text: str


class Symbols:
    """The symbols of a graph's values: no two values have the same one.

    Args:
        graph: at any level.
        first_index: what the first index of an array is called.
    """

    def __init__(self, graph: Graph, first_index: int) -> None:
        self._graph, self._first = graph, first_index
        self._arrays = graph.parent if isinstance(graph, ScalarGraph) else graph
        if self._arrays not in _names:
            _names[self._arrays] = _unique(self._arrays.nodes, self._arrays.output.index)
        self._named = _names[self._arrays]

    def owner(self, number: int) -> int:
        """Return the number of the array that a node is an element of, or is."""
        if isinstance(self._graph, ScalarGraph):
            return int(np.searchsorted(self._graph.first, number, side="right")) - 1
        return number

    def is_named(self, number: int) -> bool:
        """Say whether the user gave a node its name."""
        return bool(clean(self._arrays.nodes[self.owner(number)].name or ""))

    def node(self, number: int) -> Sign:
        """Return the symbol of a node of the graph."""
        owner = self.owner(number)
        return self._indexed(owner, self._graph.nodes[number].element or ())

    def operand(self, record: Node | None, element: Sequence[int] = ()) -> Sign | None:
        """Return the symbol of a recorded value, or of one of its elements.

        ``None`` where it is a constant without a name.
        """
        owner = self._arrays._recorded.get(record) if record is not None else None
        return None if owner is None else self._indexed(owner, element)

    def _indexed(self, owner: int, element: Sequence[int]) -> Sign:
        name = self._named[owner]
        if not element:
            return name
        numbers = [i + self._first for i in element]
        longest = [n - 1 + self._first for n in self._arrays.nodes[owner].shape] or numbers
        joined = ("," if max(longest) > 9 else "").join(map(str, numbers))
        return Sign(f"{over(name.latex)}^{{{joined}}}", f"{name.text}{numbers}".replace(" ", ""))


_names: WeakKeyDictionary[Graph, list[Sign]] = WeakKeyDictionary()


def _unique(nodes: Sequence[GraphNode], output: int) -> list[Sign]:
    """Return a symbol for each node; those that would share one are numbered."""
    given = [clean(node.name or "") for node in nodes]
    names = [name or _stand_in(node, output) for name, node in zip(given, nodes, strict=True)]
    signs = [Sign(symbol(name), name) for name in names]
    keys = [
        (sign.latex, bool(name), node.element)
        for sign, name, node in zip(signs, given, nodes, strict=True)
    ]
    times, last = Counter(keys), Counter[str]()
    taken = {sign.latex for sign, name in zip(signs, given, strict=True) if name}
    for i, sign in enumerate(signs):
        if times[keys[i]] == 1 and (given[i] or sign.latex not in taken):
            continue
        form, latex = ("({})" if given[i] else "{}"), sign.latex
        while latex in taken or latex == sign.latex:
            last[sign.latex] += 1
            k = form.format(last[sign.latex])
            latex = f"{under(sign.latex)}_{{{k}}}"
        taken.add(latex)
        signs[i] = Sign(latex, f"{sign.text}_{k}")
    return signs


def _stand_in(node: GraphNode, output: int) -> str:
    """Return what a node without a name is called: L, W, x, or its operation."""
    if node.index == output and not node.shape and node.element is None:
        return "L"
    return node.op or {"parameter": "W"}.get(node.kind, "x")


# Names as LaTeX


def clean(name: str) -> str:
    """Return a name as one printable line, shortened in its middle, as figures show it."""
    hidden = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
    line = " ".join("".join(" " if unicodedata.category(c) in hidden else c for c in name).split())
    if len(line) <= LONGEST_NAME:
        return line
    half = (LONGEST_NAME - 1) // 2
    return f"{line[: LONGEST_NAME - 1 - half].rstrip()}…{line[len(line) - half :].lstrip()}"


def symbol(name: str) -> str:
    r"""Return a clean name as LaTeX, for use in mathematics.

    >>> print(symbol("w_{n-1}"), symbol("W_10"), symbol("h_out"), symbol("x'"), symbol("γ"))
    w_{n-1} W_{10} h_{\mathrm{out}} x^{\prime} \gamma
    >>> print(symbol("my_layer"), symbol("50%"))
    \mathrm{my{\_}layer} \mathrm{50{\%}}
    """
    stem = name.rstrip("'′") or name
    primes = len(name) - len(stem)
    found = _WITH_SUBSCRIPT.fullmatch(stem)
    base = _word(found[1] if found else stem)
    if base.startswith("{"):
        base = base[1:-1]
    if found:
        below = _RUN.sub(lambda run: _word(run[0]), found[2].strip("{}"))
        base = f"{base}_{{{below}}}"
    return base + "^{" + r"\prime" * primes + "}" if primes else base


def under(latex: str) -> str:
    """Return LaTeX that a subscript can follow."""
    return f"{{{latex}}}" if "_" in latex or "^" in latex else latex


def over(latex: str) -> str:
    """Return LaTeX that a superscript can follow."""
    return f"{{{latex}}}" if "^" in latex else latex


_WITH_SUBSCRIPT = re.compile(r"([^\W\d_]{1,2})_(\{[^{}_]{1,8}\}|\w{1,4})")
_RUN = re.compile(r"[^\W\d_]{2,}|.")
_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!'()*+,-./:;<=>?@[]|"
)
_ESCAPED = {
    " ": r"\ ", "#": r"{\#}", "$": r"{\$}", "%": r"{\%}", "_": r"{\_}", "{": r"{\{}",
    "}": r"{\}}", "\\": r"{\backslash}", "^": r"{\wedge}", "~": r"{\sim}", '"': "''",
    "′": r"{\prime}", "…": r"{\ldots}", "·": r"{\cdot}", "×": r"{\times}", "−": "-",
    "∂": r"{\partial}", "∇": r"{\nabla}", "∞": r"{\infty}", "→": r"{\rightarrow}",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "grave", "\u0301": "acute", "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar",
    "\u0306": "breve", "\u0307": "dot", "\u0308": "ddot",
}  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ϵ": "epsilon",
    "ζ": "zeta", "η": "eta", "θ": "theta", "ϑ": "vartheta", "ι": "iota", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "ς": "varsigma",
    "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "varphi", "ϕ": "phi", "χ": "chi", "ψ": "psi",
    "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi",
    "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip


def _word(text: str) -> str:
    """Return text as LaTeX: one letter slanted, a word upright."""
    escaped = "".join(map(_character, text))
    return escaped if len(text) == 1 else f"\\mathrm{{{escaped}}}"


def _character(c: str) -> str:
    if c in _PLAIN:
        return c
    if c in _ESCAPED:
        return _ESCAPED[c]
    if c in _GREEK:
        return f"{{\\{_GREEK[c]}}}"
    letter, *marks = [*unicodedata.normalize("NFD", c)]
    if letter in _PLAIN and len(marks) == 1 and marks[0] in _ACCENTS:
        return f"\\{_ACCENTS[marks[0]]}{{{letter}}}"
    return f"\\mathrm{{U{{+}}{ord(c):04X}}}"
