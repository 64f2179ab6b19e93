"""A gradient's formula under the picture of its paths, one line for each step that simplifies it.

The formula is that of ``tg.formula``.  It calls an element ``x_2[1,1]`` where the picture says
``x_{2;1}``, since axes of length 1 are left out there; the lines speak as the picture does.
"""

from __future__ import annotations

import itertools
import re

from tinygrad_res.backend import to_host
from tinygrad_res.errors import Error
from tinygrad_res.formulas import MOST_NOTES, STEPS, Formula, Step, formula
from tinygrad_res.measures import Paths

from .. import text
from ..layout import Canvas, Item, Label, Layout
from ..page import WHOLE, Page, wrapped
from ..text import Runs
from .symbols import indexed, number

MOST_TERMS = 4
"""Formulas that a figure writes by itself show so many terms, and then how many there are."""
MOST_LINES = 12
"""A step of a formula takes at most so many lines, the last of which says what is left out."""
LINE = 24.0
_SIZE, _WIDEST = 14, 1000.0
_CLOSE = 1e-6
_WORD = r"(?:_\{[^{}]*\}|[^\s·+\-()∂/′^\[\]⊙ᵀ])+"
_PLACES = r"(?:\[([\d,]+)\])?"
_PLACE = re.compile(r"\)\|\d")
_ALONE = (
    ": there are several ways from u to w, and this is the k-th place alone where u takes w itself"
)
_MARK = r"[()\[\]]| [+-] "
_PART = re.compile(r"(?= [·+-] )")
_OMISSION = " + ... ("
_WORDS = {
    "chain": "chain rule", "junction": "what each edge carries", "relu": "relu: 1 or 0",
    "collect": "common factors",
}  # fmt: skip


def formula_of(paths: Paths) -> Formula | None:
    """Return the formula of paths from one recorded number to another; ``None`` for others.

    Paths that are a part of all between their ends have none.
    """
    frame, loss = paths.frame, paths.graph.taken_from
    if loss is None or frame.x is None or frame.firsts or len(frame.ends) != 1:
        return None
    end = paths.graph.nodes[frame.ends[0]]
    try:
        found = formula(loss, frame.x, end.element, STEPS, most=MOST_TERMS)
        whole = float(to_host(found.paths.gradient()).sum())
        part = float(to_host(paths.gradient()).sum())
    except Error:
        return None
    same = found.paths.count() == paths.count() and abs(whole - part) <= _CLOSE * abs(whole)
    return found if same else None


def formula_items(found: Formula, x: float, y: float, room: float = _WIDEST) -> list[Item]:
    """Return the lines of a formula in a room, the first one's baseline at ``y``."""
    above, _, below = found.derivative.text[1:].partition("/d")
    left = (
        *text.plain("d"), *_runs(above, found), *text.plain("/"), *text.plain("d"),
        *_runs(below, found),
    )  # fmt: skip
    at = x + text.width(left, _SIZE) + 6
    room = min(room, _WIDEST)
    most = x + room - at - 14 if room < _WIDEST else _WIDEST
    items: list[Item] = [Label(left, x, y, _SIZE, "text", "start")]
    steps = list({step.text: step for step in reversed(found.steps)}.values())[::-1]
    for step in steps:
        lines = _lines(step, found, most)
        if step is steps[-1] and isinstance(step.value, float):
            value = number(step.value)
            lines[-1] = (*lines[-1], *text.plain(f" = {value}" * (text.joined(lines[-1]) != value)))
        words = _WORDS[step.name]
        if step.dropped:
            words += f", {text.several(step.dropped, 'term')} dropped"
        for i, line in enumerate(lines):
            whole = line if i else (*text.plain("= "), *line)
            items.append(Label(whole, at + 14 * bool(i), y, _SIZE, "text", "start"))
            y += LINE
        beside = at + 14 + text.width(lines[-1], _SIZE) + 18
        told = text.plain(words)
        if beside + text.width(told, 11) > x + room and room < _WIDEST:
            beside, y = at + 14, y + LINE
        items.append(Label(told, beside, y - LINE, 11, "text quiet", "start"))
    if any(_PLACE.search(step.text) for step in steps):
        said = (*text.plain("(∂u/∂w)"), ("k", "sub"), *text.plain(_ALONE))
        for line in wrapped(said, 11, room):
            items.append(Label(line, x, y - 3, 11, "text quiet", "start"))
            y += 17
    return items


def with_formula(layout: Layout, found: Formula | None, page: Page = WHOLE) -> Layout:
    """Return a figure with a formula under everything else."""
    if found is None:
        return layout
    canvas = Canvas(page)
    canvas.add(*layout.items)
    left, _, _, bottom = canvas.box
    canvas.begin("formula")
    canvas.add(*formula_items(found, left, bottom + 36, page.room))
    _, _, _, bottom = canvas.box
    for i, line in enumerate(wrapped(text.plain(_where(found)), 11, min(page.room, _WIDEST))):
        canvas.add(Label(line, left, bottom + 20 + 17 * i, 11, "text quiet", "start"))
    return canvas.finish(layout.title, f"{layout.description} {text.clean(str(found), 400)}.")


def _where(found: Formula) -> str:
    """Say what the values without a name are that a formula mentions."""
    made = [f"{name} = {how}" for name, how in found.where.items()]
    more = len(made) - MOST_NOTES
    made[MOST_NOTES:] = [f"… and {text.grouped(more)} more"] if more > 0 else []
    return f"where {', '.join(made)}" if made else ""


def _lines(step: Step, told: Formula, room: float) -> list[Runs]:
    """Return the sum after a step as lines, broken between its terms or else between factors."""
    terms = _terms(step.text, _odd(told))
    lines, begun = list[Runs](), list[int]()
    alone = True
    for k, term in enumerate(terms):
        omission = term.startswith(_OMISSION)
        whole = _runs(term.replace("...", "…"), told)
        fits = text.width(whole, _SIZE) <= room
        for part in [whole] if fits else [_runs(part, told) for part in _PART.split(term)]:
            if alone or omission or text.width((*lines[-1], *part), _SIZE) > room:
                lines.append(part)
                begun.append(k)
            else:
                lines[-1] = (*lines[-1], *part)
            alone = omission
    if len(lines) <= MOST_LINES:
        return lines
    shown = begun[MOST_LINES - 1]
    every = len(terms) if step.name == "collect" else step.terms
    return [*lines[: MOST_LINES - 1], text.plain(f"… ({text.several(every - shown, 'more term')})")]


def _odd(told: Formula) -> str:
    """Return a pattern of the names that a formula's text does not tell from its signs."""
    odd = [name for name in told.shapes if not re.fullmatch(_WORD, name)]
    return "|".join(map(re.escape, sorted(odd, key=len, reverse=True))) or "(?!)"


def _terms(written: str, odd: str = "(?!)") -> list[str]:
    """Return the terms of a sum, each with the sign before it.

    >>> _terms("a · (b - c) - d")
    ['a · (b - c)', ' - d']
    """
    starts, depth = [0], 0
    for found in re.finditer(rf"{odd}|{_MARK}", written):
        depth += (found[0] in "([") - (found[0] in ")]")
        if found[0][0] == " " and not depth:
            starts.append(found.start())
    return [written[a:b] for a, b in itertools.pairwise([*starts, len(written)])]


def _runs(written: str, told: Formula) -> Runs:
    """Return a formula as runs, its elements called as in the picture.

    >>> import numpy as np, tinygrad_res as tg
    >>> x = tg.tensor(np.ones((1, 3)), requires_grad=True, name="x_2")
    >>> w = tg.parameter(np.ones((3, 2)), name="w")
    >>> found = formula((x @ w).sum(), x, at=(0, 2), simplify="collect")
    >>> text.joined(_runs("w[3,1] + w[3,2] - x_2[1,3]", found))
    'w_31 + w_32 − x_2;3'
    """
    shapes = told.shapes
    written = written.replace("^T", "ᵀ").replace("'", "′")
    runs: list[text.Run] = []
    at = 0
    word = rf"({_odd(told)}|{_WORD})"
    for found in re.finditer(rf"{word}{_PLACES}|\)\|(\d+)", written):
        name, places, way = found[1], found[2], found[3]
        runs += text.plain(written[at : found.start()].replace("-", "−"))
        at = found.end()
        if way:
            runs += [(")", ""), (way, "sub")]
            continue
        element = tuple(int(i) - told.first_index for i in places.split(",")) if places else ()
        shape = shapes.get(name)
        known = shape is not None and len(shape) == len(element)
        runs += indexed(text.name(name), element or None, shape if known else None)
    return tuple(run for run in (*runs, (written[at:].replace("-", "−"), "")) if run[0])
