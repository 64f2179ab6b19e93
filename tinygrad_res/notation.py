r"""Notation: names as LaTeX.

A name may hold anything.  ``W_1``, ``h_out``, ``w_{n-1}`` and ``\theta``, one or two letters
with a subscript, are mathematics and set so, and so is ``conv1.weight``, a parameter of a
network, as W with its place below; all others are text, upright and escaped.  What comes out
compiles in LaTeX, MathJax and matplotlib; characters that these do not share are written as
their code points.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

LONGEST_NAME = 24


class Sign(NamedTuple):
    """The same mark twice: as LaTeX, and as plain text."""

    latex: str
    text: str


def clean(name: str) -> str:
    """Return a name as one printable line, shortened in its middle, as figures show it."""
    hidden = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
    line = " ".join("".join(" " if unicodedata.category(c) in hidden else c for c in name).split())
    if len(line) <= LONGEST_NAME:
        return line
    half = (LONGEST_NAME - 1) // 2
    return f"{line[: LONGEST_NAME - 1 - half].rstrip()}…{line[len(line) - half :].lstrip()}"


def placed(name: str, longest: int = LONGEST_NAME) -> tuple[str, str] | None:
    """Return the letter and the place of a network's weight or bias; ``None`` for other names.

    Of a place that is too long, the words of the outermost modules are shortened to their first
    letters, and numbers stay.

    >>> placed("conv1.weight"), placed("layers.0.bias"), placed("weight"), placed("W_1")
    (('W', 'conv1'), ('b', 'layers.0'), None, None)
    >>> placed("encoder.layers.3.self_attn.out_proj.weight")
    ('W', 'e.l.3.self_attn.out_proj')
    >>> placed("body.10.conv1.weight", longest=8)
    ('W', 'b.10.c1')
    """
    *modules, kind = name.split(".")
    if not modules or kind not in _PARAMETERS or not all(_MODULE.fullmatch(m) for m in modules):
        return None
    for i, module in enumerate(modules):
        if len(".".join(modules)) > longest and not module.isdecimal():
            modules[i] = module[0] + "".join(filter(str.isdigit, module[1:]))
    return _PARAMETERS[kind], ".".join(modules)


def symbol(name: str) -> str:
    r"""Return a clean name as LaTeX, for use in mathematics.

    >>> print(symbol("w_{n-1}"), symbol("W_10"), symbol("h_out"), symbol("x'"), symbol("γ"))
    w_{n-1} W_{10} h_{\mathrm{out}} x^{\prime} \gamma
    >>> print(symbol(r"\theta"), symbol(r"\theta_1"))
    \theta \theta_{1}
    >>> print(symbol("my_layer"), symbol("50%"))
    \mathrm{my{\_}layer} \mathrm{50{\%}}
    >>> print(symbol("conv1.weight"))
    W_{\mathrm{conv}1}
    """
    if parameter := placed(name):
        letter, place = parameter
        return f"{letter}_{{{_RUN.sub(lambda run: _word(run[0]), place)}}}"
    name = _COMMAND.sub(lambda found: _LETTERS.get(found[1], found[0]), name)
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


_PARAMETERS = {"weight": "W", "bias": "b"}
_MODULE = re.compile(r"\w+", re.ASCII)
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
_COMMAND = re.compile(r"^\\([A-Za-z]+)(?=$|[_'′])")
_LETTERS = {command: letter for letter, command in _GREEK.items()}


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
