"""Second derivatives: every nesting of the modes against differences.

Three oracles: differences of the first derivative, which was checked before; second
differences of the function, which know of no derivative at all; and that pulling back
is linear in the cotangent, so that its derivative by the cotangent is known.  The last
finds a rule that treats the cotangent as a constant, even in a linear function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import UsageError
from .diagnosis import second_order
from .differences import Slope, curvature, slope
from .function import split
from .probe import Probe, entry, equal, refuse_kinks

__tracebackhide__ = True  # pytest shows the test's own line

SECOND = 1e-4  # relative tolerance of second differences of the function


def check_second_order(probe: Probe) -> None:
    """Assert that the second derivative is right in every nesting of the probe's modes."""
    if "reverse" in probe.modes:
        expected = slope(lambda t: _gradients(probe, t), max(probe.scales), analytic=False)
        where = "the first derivative, along a random tangent"
        refuse_kinks(expected, where, lambda k: _gradient_label(probe, k))
        bend = curvature(probe.function.line(probe.tangents), max(probe.scales))
        for nesting, run in _nestings(probe).items():
            found = _derived(probe, nesting, run)
            _equal_gradients(probe, nesting, expected, found)
            _against_the_function(probe, nesting, bend, found)
        _by_cotangent(probe)
    if "forward" in probe.modes:
        _forward_over_forward(probe)


def _gradients(probe: Probe, t: float) -> Any:
    """Return all gradients in a row, at ``x + t v``."""
    pulled = probe.function.pull(probe.function.moved(t, probe.tangents), probe.cotangent)
    return np.concatenate([np.ravel(g) for g in pulled])


def _gradient_label(probe: Probe, k: int) -> str:
    """Return how messages call entry ``k`` of all gradients in a row."""
    for name, x in zip(probe.names, probe.primals, strict=True):
        if k < x.size:
            return f"that by {name}{entry(k, x.shape)}"
        k -= x.size
    raise IndexError(k)


def _nestings(probe: Probe) -> dict[str, Callable[..., Any]]:
    """Return the functions whose values are the Hessian of <cotangent, f> times the tangent."""
    function = probe.function
    c, ts = function.cotangent(probe.cotangent), function.arrays(probe.tangents)
    gradient = function.reverse(function, c)
    found = {"reverse over reverse": function.reverse(gradient, function.engine.pack(ts))}
    if "forward" in probe.modes:
        found["forward over reverse"] = function.forward(gradient, ts)
        found["reverse over forward"] = function.reverse(function.forward(function, ts), c)
    return found


def _derived(probe: Probe, nesting: str, run: Callable[..., Any]) -> Any:
    """Run a nested derivative; say what to do where an unknown engine cannot nest."""
    function = probe.function
    try:
        return function.flat(run(*function.arrays(probe.primals)))
    except Exception as error:
        if function.engine.nests:
            raise
        raise UsageError(
            f"{nesting}: {function.engine.name} does not nest ({type(error).__name__}: "
            f"{error}): pass order=1"
        ) from error


def _equal_gradients(probe: Probe, nesting: str, expected: Slope, got: Any) -> None:
    sizes = [x.shape for x in probe.primals]
    parts = (split(vector, sizes) for vector in (expected.value, expected.error, got))
    for name, value, error, g in zip(probe.names, *parts, strict=True):
        equal(f"{nesting}, {name}", value, g, probe.tolerance(value, error), second_order)


def _against_the_function(probe: Probe, nesting: str, bend: tuple[Any, Any], found: Any) -> None:
    bent, error = bend
    if not np.isfinite(error).all():
        return  # the domain's edge is nearer than any step that second differences can take
    terms = probe.cotangent * bent
    got = found @ np.concatenate([np.ravel(t) for t in probe.tangents])
    tolerance = SECOND * np.abs(terms).sum() + 10 * np.abs(probe.cotangent) @ error + probe.atol
    what = f"{nesting}, against second differences of the function"
    equal(what, terms.sum(), got, tolerance, second_order)


def _by_cotangent(probe: Probe) -> None:
    """Pulling back is linear in the cotangent: its derivative by it is the Jacobian again."""
    function = probe.function
    pack, xs = function.engine.pack, function.arrays(probe.primals)

    def pulled(*cotangents: Any) -> Any:
        return pack(list(function.engine.vjp(function, *xs)[1](pack(cotangents))))

    start = function.cotangents(probe.cotangent)
    found = function.flat(function.reverse(pulled, pack(function.arrays(probe.tangents)))(*start))
    what = "reverse over reverse, by the cotangent"
    probe.equal_outputs(what, probe.slope_along_all(), found, second_order)
    if "forward" in probe.modes:
        other = probe.cotangent[::-1].copy()
        found = function.flat(function.forward(pulled, function.cotangents(other))(*start))
        expected = function.pull(probe.primals, other)
        parts = split(found, [x.shape for x in probe.primals])
        for name, e, g in zip(probe.names, expected, parts, strict=True):
            what = f"forward over reverse, by the cotangent, {name}"
            equal(what, e, g, probe.tolerance(e), second_order)


def _forward_over_forward(probe: Probe) -> None:
    function = probe.function

    def line(t: float) -> Any:
        return function.push(function.moved(t, probe.others), probe.tangents)

    expected = slope(line, max(probe.scales), analytic=False)
    refuse_kinks(expected, "the first derivative", function.output_label)
    inner = function.forward(function, function.arrays(probe.tangents))
    outer = function.forward(inner, function.arrays(probe.others))
    nesting = "forward over forward"
    found = _derived(probe, nesting, outer)
    probe.equal_outputs(nesting, expected, found, second_order)
