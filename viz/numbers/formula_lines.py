"""A gradient's formula under the picture of its paths, one line for each step that simplifies it.

The formula is that of ``tg.formula``.  It calls an element ``x_2[1,1]`` where the picture says
``x_{2;1}``, since axes of length 1 are left out there; the lines speak as the picture does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tinygrad_res.backend import to_host
from tinygrad_res.errors import Error
from tinygrad_res.formulas import STEPS, Formula, formula
from tinygrad_res.graph import Graph
from tinygrad_res.measures import Paths
from tinygrad_res.scalar import ScalarGraph

from .. import text
from ..layout import Canvas, Item, Label, Layout
from ..page import WHOLE, Page
from ..text import Runs
from .symbols import indexed, number

MOST_TERMS = 4
"""Formulas that a figure writes by itself show so many terms, and then how many there are."""
LINE = 24.0
_SIZE, _WIDEST = 14, 1000.0
_CLOSE = 1e-6
_WORD = r"((?:_\{[^{}]*\}|[^\s·+\-()∂/′^\[\]⊙ᵀ])+)"
_ELEMENT = re.compile(rf"{_WORD}(?:\[([\d,]+)\])?")
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
    shapes = _shapes(found.paths.graph)
    above, _, below = found.derivative.text[1:].partition("/d")
    left = (
        *text.plain("d"), *_runs(above, shapes), *text.plain("/"), *text.plain("d"),
        *_runs(below, shapes),
    )  # fmt: skip
    at = x + text.width(left, _SIZE) + 6
    room = min(room, _WIDEST)
    most = x + room - at - 14 if room < _WIDEST else _WIDEST
    items: list[Item] = [Label(left, x, y, _SIZE, "text", "start")]
    steps = list({step.text: step for step in reversed(found.steps)}.values())[::-1]
    for step in steps:
        lines = _wrapped(_runs(step.text, shapes), most)
        if step is steps[-1] and isinstance(step.value, float):
            lines[-1] = (*lines[-1], *text.plain(f" = {number(step.value)}"))
        words = _WORDS[step.name]
        if step.dropped:
            words += f", {text.grouped(step.dropped)} term{'s' * (step.dropped > 1)} dropped"
        for i, line in enumerate(lines):
            whole = line if i else (*text.plain("= "), *line)
            items.append(Label(whole, at + 14 * bool(i), y, _SIZE, "text", "start"))
            y += LINE
        beside = at + 14 + text.width(lines[-1], _SIZE) + 18
        told = text.plain(words)
        if beside + text.width(told, 11) > x + room and room < _WIDEST:
            beside, y = at + 14, y + LINE
        items.append(Label(told, beside, y - LINE, 11, "text quiet", "start"))
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
    return canvas.finish(layout.title, f"{layout.description} {text.clean(str(found), 400)}.")


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Return the shapes of arrays by their names, as far as a name means one shape."""
    whole = graph.parent if isinstance(graph, ScalarGraph) else graph
    found: dict[str, set[tuple[int, ...]]] = {}
    for node in whole.nodes:
        record = node.recorded
        if record is not None and record.name:
            found.setdefault(record.name, set()).add(tuple(record.shape))
    return {name: shapes.pop() for name, shapes in found.items() if len(shapes) == 1}


def _runs(written: str, shapes: dict[str, tuple[int, ...]]) -> Runs:
    """Return a formula as runs, its elements called as in the picture.

    >>> text.joined(_runs("w[1,2] · x_2[1,3]", {"w": (2, 2), "x_2": (1, 3)}))
    'w_12 · x_2;3'
    """
    written = written.replace("^T", "ᵀ").replace("'", "′")
    runs: list[text.Run] = []
    at = 0
    for found in _ELEMENT.finditer(written):
        name, places = found[1], found[2]
        runs += text.plain(written[at : found.start()])
        at = found.end()
        element = tuple(int(i) - 1 for i in places.split(",")) if places else ()
        shape = shapes.get(name)
        known = shape is not None and len(shape) == len(element)
        runs += indexed(text.name(name), element or None, shape if known else None)
    return tuple(run for run in (*runs, (written[at:], "")) if run[0])


def _wrapped(runs: Runs, room: float) -> list[Runs]:
    """Break a sum into lines, before the plus of a term."""
    lines: list[Runs] = []
    line: Runs = ()
    for term in _terms(runs):
        if line and text.width((*line, *term), _SIZE) > room:
            lines.append(line)
            line = ()
        line = (*line, *term)
    return [*lines, line]


def _terms(runs: Sequence[text.Run]) -> list[Runs]:
    found: list[Runs] = [()]
    for words, kind in runs:
        first, *others = words.split(" + ") if not kind else [words]
        found[-1] = (*found[-1], (first, kind))
        found += [((f" + {other}", kind),) for other in others]
    return found
