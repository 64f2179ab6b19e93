"""What every derivative keeps, whatever its numbers: repetition, inputs, zeros, dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import NotDifferentiableError
from .arguments import nice
from .diagnosis import shapes
from .probe import Probe, equal
from .table import GradientCheckError, assert_close

__tracebackhide__ = True  # pytest shows the test's own line

WRITES = "the function, or its rule, writes to what it is given"
REPEAT = "it depends on something besides its arguments: randomness, or state that a run changes"
LINEAR = "the rule is not linear in what it is given, or divides by zero"


def check_runs(probe: Probe) -> None:
    """Assert that runs repeat, keep shapes, and leave what they are given as it was."""
    function, engine = probe.function, probe.function.engine
    if not np.isfinite(probe.value).all():
        k = int(np.argmin(np.isfinite(probe.value)))
        raise NotDifferentiableError(
            f"not differentiable here: {function.output_label(k)} is {probe.value[k]}. "
            "Check at another point"
        )
    constants = [c for c in function.arguments.constants() if hasattr(c, "dtype")]
    given = [*function.arrays(probe.primals), *constants]
    before = [np.array(engine.host(x)) for x in given]
    names = [*probe.names, *(f"constant {k}" for k in range(len(constants)))]
    again = function.flat(function(*given[: len(probe.primals)]))
    _unchanged(names, before, map(engine.host, given))
    _same("two runs", "the function", probe.value, again, REPEAT)
    if "reverse" in probe.modes:
        xs, cotangent = function.arrays(probe.primals), function.cotangent(probe.cotangent)
        out, back = engine.vjp(function, *xs)
        pulled = back(cotangent)
        _unchanged(names, before, map(engine.host, [*xs, *constants]))
        _unchanged(["the cotangent"], [probe.cotangent], [function.flat(cotangent)])
        _shapes(probe, [engine.host(g) for g in pulled])
        value = function.flat(out)
        equal("the value that vjp returns", probe.value, value, probe.tolerance(probe.value))
        second = function.pull(probe.primals, probe.cotangent)
        for name, g, h in zip(probe.names, pulled, second, strict=True):
            _same("two runs", f"the gradient of {name}", engine.host(g), h, REPEAT)


def _unchanged(names: Sequence[str], before: Sequence[Any], after: Any) -> None:
    for name, old, new in zip(names, before, after, strict=True):
        _same("mutated input", name, old, new, WRITES)


def _shapes(probe: Probe, pulled: Sequence[Any]) -> None:
    if len(pulled) != len(probe.primals):
        raise GradientCheckError(
            f"reverse mode: {len(pulled)} cotangents for {len(probe.primals)} arguments"
        )
    for name, x, g in zip(probe.names, probe.primals, pulled, strict=True):
        if g.shape != x.shape:
            why = shapes(x.shape, g.shape)
            raise GradientCheckError(
                f"reverse mode, {name}: the gradient has shape {g.shape}, the argument {x.shape}"
                + (f"\nlooks like: {why}" if why else "")
            )


def check_zeros(probe: Probe) -> None:
    """Assert that a zero cotangent and a zero tangent give exact zeros."""
    function = probe.function
    if "reverse" in probe.modes:
        pulled = function.pull(probe.primals, np.zeros(function.size))
        for name, g in zip(probe.names, pulled, strict=True):
            _same("zero cotangent", name, np.zeros_like(g), g, LINEAR)
    if "forward" in probe.modes:
        pushed = function.push(probe.primals, [np.zeros_like(x) for x in probe.primals])
        _same("zero tangent", "the output", np.zeros_like(pushed), pushed, LINEAR)


def check_kept_as_given(probe: Probe) -> None:
    """Run with the arguments' own dtypes, on their devices; the derivatives must keep them."""
    function, engine = probe.function, probe.function.engine
    given = function.arguments.given

    def alike(values: Sequence[Any], like: Sequence[Any]) -> list[Any]:
        return [engine.alike(v, x) for v, x in zip(values, like, strict=True)]

    xs = alike(probe.primals, given)
    if "reverse" in probe.modes:
        out, back = engine.vjp(function, *xs)
        parts = out if isinstance(out, tuple) else (out,)
        drawn = [nice(probe.rng, engine.host(y).size).reshape(y.shape) for y in parts]
        pulled = back(engine.pack(alike(drawn, parts)))
        for name, x, g in zip(probe.names, xs, pulled, strict=True):
            _kept(f"reverse mode, {name}", "gradient", "argument", x, g)
    if "forward" in probe.modes:
        assert engine.jvp is not None
        y, pushed = engine.jvp(function, tuple(xs), tuple(alike(probe.tangents, given)))
        _kept("forward mode", "tangent", "output", y, pushed)


def _kept(what: str, derived: str, origin: str, x: Any, g: Any) -> None:
    for of in ("dtype", "shape", "device"):
        before, after = getattr(x, of, None), getattr(g, of, None)
        if before is not None and after is not None and str(before) != str(after):
            raise GradientCheckError(
                f"{what}: the {derived} has {of} {after}, the {origin} {before}\n"
                f"looks like: wrong {of}: a derivative keeps that of what it belongs to"
            )


def _same(what: str, name: str, expected: Any, got: Any, why: str) -> None:
    """Assert that two arrays hold the same numbers; not-a-number equals itself here."""
    equal = (expected == got) | ((expected != expected) & (got != got))
    if not np.all(equal):
        shown = np.where(equal, got, expected)
        assert_close(f"{what}, {name}", shown, np.asarray(got), 0.0, lambda _e, _g: why)
