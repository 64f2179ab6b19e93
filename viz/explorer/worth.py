"""What paths are worth: norms and shares of the gradient, by degree and, of few, by path.

A share is ``<g_k, g> / ||g||^2``, the part's projection on the whole.  Norms do not add up,
shares do, path by path and degree by degree: their running sum reaches 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_res import backend
from tinygrad_res.errors import GradientError, GraphError
from tinygrad_res.grading import norm
from tinygrad_res.measures import Paths
from tinygrad_res.numbered import Path
from tinygrad_res.tensor_paths import TensorPaths

from ..norms import EDGE_VISITS, FEWEST_DEGREES

MOST_LISTED = 256
"""Sets of up to this many paths come with the product of each."""
MOST_COTANGENTS = 2_000_000
MOST_BYTES = 64_000_000

Array = np.ndarray[Any, Any]


def worth(paths: Paths, max_degree: int | None = None) -> dict[str, Any]:
    """Return norms and shares by degree and by path, and how far the sum is from the gradient.

    ``degrees`` holds ``[degree, norm, share]``, ``listed`` ``[norm, share]`` for each path in
    order, ``error`` the distance of the parts' sum from the gradient, relative to it, where
    all parts were computed; ``why`` says what is missing, and ``""`` where nothing is.
    """
    found: dict[str, Any] = {"degrees": [], "listed": [], "error": None, "holds": False, "why": ""}
    top = _affordable(paths) if max_degree is None else max_degree
    try:
        gradient = paths.gradient()
        whole = _flat(gradient)
        parts = {k: _flat(g) for k, g in paths.gradient_by("weight", top).items()}
        listed = [_placed(paths, path, whole) for path in _few(paths)]
    except (GradientError, GraphError) as refused:
        return found | {"why": str(refused)}
    size = norm(whole)
    found["norm"] = _number(size)
    found["number"] = _number(float(whole[0])) if whole.size == 1 else None
    found["degrees"] = [
        [k, _number(norm(g)), _number(_share(g, whole, size))] for k, g in parts.items()
    ]
    found["listed"] = [[_number(norm(g)), _number(_share(g, whole, size))] for g in listed]
    if not 0 < size < math.inf:
        return found | {"why": f"the gradient is {'not finite' if size else 'zero'}"}
    last = max(parts, default=-1)
    if len(parts) < len(paths.count_by("weight")):
        asked = f"computed up to {last} weight layers: explore(paths, max_degree=...) computes more"
        return found | {"why": asked}
    error = norm(sum(parts.values()) - whole) / size
    precision = np.finfo(getattr(gradient, "dtype", float)).eps
    return found | {"error": _number(error), "holds": error <= math.sqrt(precision)}


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
    degrees: list[int] = sorted(paths.count_by("weight"))
    several = max(FEWEST_DEGREES, EDGE_VISITS // len(paths.graph.edges))
    return degrees[min(several, len(degrees)) - 1]


def _few(paths: Paths) -> list[Path]:
    return list(paths) if paths.count() <= MOST_LISTED else []


def _flat(array: Any) -> Array:
    """Return numbers of any shape, on any device, as one row of float64."""
    numbers = np.asarray(array) if isinstance(array, float) else backend.to_host(array)
    return numbers.astype(float).ravel()


def _placed(paths: Paths, path: Path, whole: Array) -> Array:
    """Return a path's product as a part of the gradient: a number belongs to one element."""
    product = _flat(path.product())
    if product.size == whole.size:
        return product
    found = np.zeros_like(whole)
    ends = [node.index for node in paths.inputs]
    found[ends.index(path.nodes[-1].index)] = product[0]
    return found


def _share(part: Array, whole: Array, size: float) -> float:
    if not 0 < size < math.inf:
        return math.nan
    return float((part / size) @ (whole / size))


def _number(value: float) -> float | None:
    """Return a number with the digits that a page needs, ``None`` where it is not finite."""
    return float(f"{value:.12g}") if math.isfinite(value) else None
