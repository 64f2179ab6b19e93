"""First derivatives: each mode against differences, then the modes against each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from .diagnosis import Pulled, diagnose
from .probe import Probe, entry, equal

__tracebackhide__ = True  # pytest shows the test's own line

ENTRIES = 256  # of a larger argument, as many entries are drawn, and a direction is added


def check_first_order(probe: Probe) -> None:
    """Assert that the first derivative is right in the probe's modes."""
    function, pulled = probe.function, None
    if "reverse" in probe.modes:
        pulled = function.pull(probe.primals, probe.cotangent)
        for i, g in enumerate(pulled):
            _reverse(probe, i, g)
    if "forward" in probe.modes:
        for i, (name, t) in enumerate(zip(probe.names, probe.tangents, strict=True)):
            pushed = function.push(probe.primals, function.along(i, t))
            probe.equal_outputs(f"forward mode, {name}", probe.slope(i, t), pushed, diagnose)
        if pulled is not None:
            _agreement(probe, pulled)


def _reverse(probe: Probe, i: int, got: Any) -> None:
    """Compare a gradient entry by entry, and along a direction where only some are drawn."""
    x, c, shapes = probe.primals[i], probe.cotangent, probe.function.shapes
    entries = np.arange(x.size)
    if x.size > ENTRIES:
        entries = np.sort(probe.rng.choice(entries, ENTRIES, replace=False))
    columns, errors = [], []  # of the Jacobian
    for k in entries:
        unit = np.zeros(x.size)
        unit[k] = 1.0
        found = probe.slope(i, unit.reshape(x.shape), entry(k, x.shape))
        columns.append(found.value)
        errors.append(np.abs(c) @ found.error)
    jacobian = np.array(columns).reshape(len(entries), len(c))
    terms = c * jacobian
    expected, drawn, tolerance = np.zeros(x.size), np.zeros(x.size), np.zeros(x.size)
    expected[entries], drawn[entries] = terms.sum(axis=1), np.ravel(got)[entries]
    tolerance[entries] = probe.tolerance(expected[entries], np.array(errors), terms)
    known = len(entries) == x.size and len(shapes) == 1
    how = Pulled(jacobian, c.reshape(shapes[0])) if known else None
    wanted, came, slack = (a.reshape(x.shape) for a in (expected, drawn, tolerance))
    equal(f"reverse mode, {probe.names[i]}", wanted, came, slack, lambda e, g: diagnose(e, g, how))
    if len(entries) < x.size:
        found = probe.slope(i, probe.tangents[i])
        terms = c * found.value
        tolerance = probe.tolerance(terms.sum(), np.abs(c) @ found.error, terms)
        what = f"reverse mode, {probe.names[i]}, along a random tangent"
        equal(what, terms.sum(), np.sum(got * probe.tangents[i]), tolerance)


def _agreement(probe: Probe, pulled: list[Any]) -> None:
    """Compare the modes: <J^T cotangent, tangent> is <cotangent, J tangent>."""
    forward = probe.cotangent * probe.function.push(probe.primals, probe.tangents)
    pairs = zip(pulled, probe.tangents, strict=True)
    reverse = np.concatenate([np.ravel(g * t) for g, t in pairs])
    size = np.abs(forward).sum() + np.abs(reverse).sum()
    what = "reverse against forward, <cotangent, J tangent>"
    equal(what, forward.sum(), reverse.sum(), 1e-10 * size + probe.noise + probe.atol)
