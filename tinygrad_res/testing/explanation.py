"""What a wrong formula looks like, told from several points at once.

At one point, any number is a multiple of any other.  What is the same at every point
(a factor, a transpose, a multiple of a term) is the mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arguments import leaves
from .diagnosis import close, diagnose, factor, ratio, shapes, swapped
from .table import differing

__tracebackhide__ = True  # pytest shows the test's own line

Terms = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Sample:
    """The engine and the formula at one point.

    Attributes:
        primals: the arguments that are differentiated by.
        values: all arguments, as the formula got them.
        expected: the engine's gradient by each primal.
        got: the formula's.
    """

    primals: Sequence[Any]
    values: Sequence[Any]
    expected: Sequence[Any]
    got: Sequence[Any]


@dataclass(frozen=True)
class Context:
    """What an explanation may draw on.

    Attributes:
        samples: one for each point, the given arguments first.
        parameters: the names of the arguments.
        own: the terms that the formula is a sum of, where they are known.
        others: terms that the formula may lack, by name.
        units: for each primal, the cotangent that expected and got were divided by.
        cotangent: what the formula got as its last argument, or ``None``.
    """

    samples: Sequence[Sample]
    parameters: Sequence[str]
    own: Terms
    others: Terms
    units: Sequence[Any]
    cotangent: Any

    def arrays(self) -> Iterator[tuple[str, Any]]:
        """Yield the arrays among the arguments at the first point, named as in messages."""
        for i, (name, value) in enumerate(zip(self.parameters, self.samples[0].values)):
            title = name if name.startswith("argument ") else f"argument {i} ({name})"
            for path, leaf in leaves(value):
                if isinstance(leaf, np.ndarray):
                    yield title + path, leaf


def explain(context: Context, n: int) -> str | None:
    """Return the mistake that explains the formula for primal ``n`` at every point, or ``None``."""
    expected = np.array([sample.expected[n] for sample in context.samples])
    got = np.array([sample.got[n] for sample in context.samples])
    if not np.isfinite(got).all():
        return "the formula gives not-a-number or infinity"
    c = ratio(expected, got)
    if c is not None and (expected.size > 1 or np.isclose(c, -1)):
        if np.isclose(c, -1):
            return "the sign is wrong everywhere (got = -1 * expected)"
        return _batch(c, context) or factor(expected, got, _lengths(context))
    y = context.cotangent
    if y is not None and y.shape == got.shape[1:] and close(got * y, expected):
        return "the formula forgets to multiply by the cotangent"
    turned = [swapped(s.expected[n], s.got[n]) for s in context.samples]
    if turned[0] and len(set(turned)) == 1:
        return f"transpose: {turned[0]}"
    return _missing(expected, got, context) or _some(expected, got) or diagnose(expected[0], got[0])


def explain_shape(context: Context, n: int) -> str | None:
    """Return what a formula of the wrong shape looks like, or ``None``."""
    sample = context.samples[0]
    expected, got = sample.expected[n], sample.got[n]
    if got.ndim == expected.ndim + 1 and got.shape[1:] == expected.shape:
        for name, reduced in (("mean", got.mean(axis=0)), ("sum", got.sum(axis=0))):
            if close(reduced, expected):
                return f"missing batch {name}: take the {name} over axis 0, of length {len(got)}"
    if got.ndim >= 2 and close(np.swapaxes(got, -1, -2), expected):
        return "transpose: the formula is the transpose of the gradient"
    return shapes(expected.shape, got.shape)


def _lengths(context: Context) -> dict[str, int]:
    found = {}
    for name, array in context.arrays():
        for axis, length in enumerate(array.shape):
            found[f"the length of axis {axis} of {name}"] = length
    for name, array in context.arrays():
        found[f"the number of elements of {name}"] = array.size
    return found


def _batch(c: float, context: Context) -> str | None:
    """Recognise in a factor the length of an argument's first axis."""
    for name, array in context.arrays():
        n = array.shape[0] if array.ndim else 1
        where = f"the length of axis 0 of {name}"
        if n > 2 and np.isclose(c, n, rtol=1e-5):
            return f"missing batch mean: the formula is N = {n} times too large, {where}"
        if n > 2 and np.isclose(c, 1 / n, rtol=1e-5):
            return f"a batch mean too many: the formula is N = {n} times too small, {where}"
    return None


def _missing(expected: Any, got: Any, context: Context) -> str | None:
    """Name one term whose multiple is the whole difference at every point."""
    difference = expected - got
    for name, term in context.own.items():
        c = _multiple([term(*s.values) for s in context.samples], difference)
        if c is not None:
            return f"the term {name} of the formula should be {1 + c:.6g} times as large"
    for name, pieces in _candidates(got, context):
        c = _multiple(pieces, difference)
        if c is not None:
            return f"a term is missing: {c:.6g} * {name}"
    return None


def _multiple(pieces: Sequence[Any], difference: Any) -> float | None:
    """Return the c with difference = c * pieces, or ``None``."""
    try:
        stretched = [np.broadcast_to(piece, difference.shape[1:]) for piece in pieces]
    except ValueError:
        return None
    return ratio(np.array(stretched, dtype=np.float64), difference)


def _candidates(got: Any, context: Context) -> Iterator[tuple[str, list[Any]]]:
    """Yield terms that may be missing: those given, arguments, a constant, means."""
    for name, term in context.others.items():
        yield name, [term(*sample.values) for sample in context.samples]
    for i, name in enumerate(context.parameters):
        a = [sample.values[i] for sample in context.samples]
        if isinstance(a[0], (np.ndarray, float)) and np.asarray(a[0]).dtype.kind == "f":
            yield from _forms(name, [np.asarray(x) for x in a])
    yield "1 (a constant)", [np.ones(got.shape[1:])] * len(got)
    for axis in range(1, got.ndim):
        mean = f"the formula's own mean over axis {axis - 1}"
        yield mean, list(got.mean(axis=axis, keepdims=True))


def _forms(name: str, a: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield what penalties and centring make of one argument."""
    yield name, a
    yield f"{name}**2", [x * x for x in a]
    yield f"{name}**3", [x * x * x for x in a]
    yield f"sign({name})", [np.sign(x) for x in a]
    yield f"{name} / norm({name})", [x / np.sqrt(np.sum(x * x)) for x in a]
    if a[0].ndim == 2:
        yield f"{name}.T", [x.T for x in a]
    for axis in range(a[0].ndim):
        yield f"mean({name}, axis={axis})", [x.mean(axis, keepdims=True) for x in a]


def _some(expected: Any, got: Any) -> str | None:
    """List the entries that are wrong where most are right at every point."""
    wrong = differing(expected, got, 1e-6 * np.abs(expected).max()).any(axis=0)
    if not 0 < wrong.sum() <= wrong.size / 2:
        return None
    listed = ", ".join(str(list(map(int, at))) for at in np.argwhere(wrong)[:5])
    more = ", ..." if wrong.sum() > 5 else ""
    return f"only {int(wrong.sum())} of {wrong.size} entries are wrong: {listed}{more}"
