"""What paths are worth: norms and shares of the gradient, by degree and, of few, by path.

A share is ``<g_k, g> / ||g||^2``, the part's projection on the whole.  Norms do not add up,
shares do, path by path and degree by degree: their running sum reaches 1.  Where the gradient
has few entries, so do the parts that the page is told, and entries are added up one by one.

What they must reach is the gradient that ``backward`` computes, in a sweep that knows no paths;
of a set that leaves paths out, the gradient through those that it holds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_res import backend
from tinygrad_res.dag import on_a_path
from tinygrad_res.errors import GradientError, GraphError
from tinygrad_res.grading import norm
from tinygrad_res.measures import Paths
from tinygrad_res.numbered import Path
from tinygrad_res.tensor_paths import TensorPaths

from .. import text
from ..norms import affordable_degree
from .data import is_narrowed, number

MOST_LISTED = 256
"""Sets of up to this many paths come with the product of each."""
MOST_ENTRIES, MOST_NUMBERS = 12, 5000
"""Gradients of so few entries come entry by entry, if the page's numbers are so few."""
MOST_COTANGENTS = 2_000_000
MOST_BYTES = 64_000_000

Array = np.ndarray[Any, Any]


def worth(paths: Paths, max_degree: int | None = None) -> dict[str, Any]:
    """Return norms and shares by degree and by path, and how far the sum is from the gradient.

    ``degrees`` holds ``[degree, norm, share, entries]``, ``listed`` ``[norm, share, entries]``
    for each path in order; ``entries`` are ``None`` where there are too many.  ``gradient`` is
    what they sum to, ``called`` what it is called where backward computed it, ``ends`` at scalar
    level the entry of each input.  ``error`` is the distance of the parts' sum from the
    gradient, relative to it, where all parts were computed, and ``tolerance`` how large it may
    be; ``why`` says what is missing, and ``""`` where nothing is.
    """
    found: dict[str, Any] = {"degrees": [], "listed": [], "error": None, "holds": False, "why": ""}
    top = _affordable(paths) if max_degree is None else max_degree
    try:
        swept = _backward(paths)
        gradient = paths.gradient() if swept is None else swept
        whole = _flat(gradient)
        parts = {k: _flat(g) for k, g in paths.gradient_by("weight", top).items()}
        listed = [_placed(paths, path, whole) for path in _few(paths)]
    except (GradientError, GraphError) as refused:
        return found | {"why": str(refused)}
    size, tolerance = norm(whole), math.sqrt(np.finfo(getattr(gradient, "dtype", float)).eps)
    told = whole.size <= MOST_ENTRIES and whole.size * (len(parts) + len(listed)) <= MOST_NUMBERS

    def measured(part: Array) -> list[Any]:
        entries = list(map(number, part.tolist())) if told else None
        return [number(norm(part)), number(_share(part, whole, size)), entries]

    found |= {
        "norm": number(size), "number": number(float(whole[0])) if whole.size == 1 else None,
        "called": "" if swept is None else _called(paths),
        "shape": list(np.shape(gradient)), "tolerance": number(tolerance),
        "gradient": list(map(number, whole.tolist())) if told else None,
        "degrees": [[k, *measured(g)] for k, g in parts.items()],
        "listed": [measured(g) for g in listed], "ends": _ends(paths, whole),
    }  # fmt: skip
    if not 0 < size < math.inf:
        return found | {"why": f"the gradient is {'not finite' if size else 'zero'}"}
    last = max(parts, default=-1)
    if len(parts) < len(paths.count_by("weight")):
        asked = f"computed up to {last} weight layers: explore(paths, max_degree=...) computes more"
        return found | {"why": asked}
    sums = [list(parts.values()), *([listed] if listed else [])]
    error = max(norm(sum(added) - whole) for added in sums) / size
    return found | {"error": number(error), "holds": error <= tolerance}


def _affordable(paths: Paths) -> int | None:
    """Return up to which degree norms are computed; ``None`` for all."""
    if not isinstance(paths, TensorPaths):
        return None
    try:
        cost = paths.cost("weight")
    except GraphError:
        return None
    if cost.cotangents <= MOST_COTANGENTS and cost.peak_bytes <= MOST_BYTES:
        return None
    return affordable_degree(paths)


def _backward(paths: Paths) -> Any:
    """Return what ``backward`` computes for the input; ``None`` for a set that is not whole.

    A whole set leads from all of the output, has every edge between its ends, and demands no
    degree.
    """
    frame, loss = paths.frame, paths.graph.taken_from
    if loss is None:
        return None
    one_of_several = paths.level == "scalar" and not frame.firsts and math.prod(loss.shape) != 1
    used = on_a_path(frame.size, [frame.root], frame.ends, frame.sources, frame.targets)
    left_out = np.count_nonzero(used[: len(paths.graph.edges)]) - len(paths.edges)
    if one_of_several or left_out or frame.root < frame.size - 1 or is_narrowed(paths):
        return None
    found = frame.backward()
    return found if frame.shape is not None or found is None else found[_entry(paths)]


def _entry(paths: Paths) -> tuple[int, ...]:
    """Return the index of the one number that paths lead to; all of an array has none."""
    return paths.inputs[0].element or ()


def _called(paths: Paths) -> str:
    """Return what a reader calls the gradient: ``x.grad``, or ``x.grad[0, 1]``."""
    x, entry = paths.frame.x, _entry(paths) if paths.frame.shape is None else ()
    name = text.clean((x.name if x is not None else None) or "x")
    return f"{name}.grad{list(entry) if entry else ''}"


def _few(paths: Paths) -> list[Path]:
    return list(paths) if paths.count() <= MOST_LISTED else []


def _flat(array: Any) -> Array:
    """Return numbers of any shape, on any device, as one row of float64."""
    numbers = np.asarray(array) if isinstance(array, float) else backend.to_host(array)
    return numbers.astype(float).ravel()


def _placed(paths: Paths, path: Path, whole: Array) -> Array:
    """Return a path's product as a part of the gradient: a number belongs to one entry."""
    product = _flat(path.product())
    if product.size == whole.size:
        return product
    found = np.zeros_like(whole)
    ends = [node.index for node in paths.inputs]
    found[ends.index(path.nodes[-1].index)] = product[0]
    return found


def _ends(paths: Paths, whole: Array) -> list[list[Any]]:
    """Return, at scalar level, each input's number and entry of the gradient."""
    if paths.level != "scalar" or len(paths.inputs) != whole.size:
        return []
    return [[node.index, number(g)] for node, g in zip(paths.inputs, whole.tolist(), strict=True)]


def _share(part: Array, whole: Array, size: float) -> float:
    if not 0 < size < math.inf:
        return math.nan
    return float((part / size) @ (whole / size))
