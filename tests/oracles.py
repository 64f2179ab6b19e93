"""Finite differences: what a derivative must equal, found without any derivative rule.

``check`` holds a function against them in every mode of differentiation, to second
order.  Directions and cotangents are random: a cotangent of ones cannot see elements
that change places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygrad_res as tg
from tinygrad_res import backend

STEP = 1e-3


def along(f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Return the derivative of ``f`` at ``args`` along ``tangents``, to an error of STEP**4."""

    def at(steps: int) -> Any:
        return f(*[a + steps * STEP * t for a, t in zip(args, tangents, strict=True)])

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * STEP)


def distinct(*shapes: Any, low: float = -2.0, high: float = 2.0, seed: int = 0) -> list[Any]:
    """Draw arrays whose elements all differ, from each other and from zero.

    Kinks and ties lie at zero and where elements are equal; finite differences must
    not step across one.
    """
    rng = np.random.default_rng(seed)
    sizes = [int(np.prod(shape)) for shape in shapes]
    grid = np.linspace(low, high, 2 * sum(sizes) + 2)
    grid = grid[np.abs(grid) > 20 * STEP]
    values = rng.permutation(grid)[: sum(sizes)]
    pieces = np.split(values, np.cumsum(sizes)[:-1])
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def check(f: Callable[..., Any], *args: Any, seed: int = 0, tolerance: float = 1e-7) -> None:
    """Assert that every derivative of ``f`` at the arrays ``args``, to second order, is right."""
    rng = np.random.default_rng(seed)
    everyone = tuple(range(len(args)))

    def draw(shape: Any) -> Any:
        return rng.uniform(-1, 1, shape)

    def equal(what: str, found: Any, expected: Any) -> None:
        np.testing.assert_allclose(
            host(found), expected, rtol=tolerance, atol=tolerance / 10, err_msg=what
        )

    def values(*xs: Any) -> Any:
        return f(*[tg.tensor(x) for x in xs]).numpy()

    out = values(*args)
    tangents = [draw(a.shape) for a in args]
    cotangent, curvature = draw(out.shape), draw(out.shape)

    numeric = along(values, args, tangents)
    pushed = host(tg.jvp(f, args, tangents)[1])
    pulled = [*map(host, tg.vjp(f, *args)[1](cotangent))]
    equal("forward mode", pushed, numeric)
    for i in everyone:
        alone = [t if i == k else 0 * t for k, t in enumerate(tangents)]
        expected = np.sum(cotangent * along(values, args, alone))
        equal(f"reverse mode, argument {i}", np.sum(pulled[i] * tangents[i]), expected)
        assert pulled[i].shape == args[i].shape
    dots = sum(np.sum(g * t) for g, t in zip(pulled, tangents, strict=True))
    np.testing.assert_allclose(dots, np.sum(cotangent * pushed), rtol=1e-10, atol=1e-12)

    def loss(*xs: Any) -> Any:
        y = f(*xs)
        return (cotangent * y + curvature * y * y).sum()

    gradient = tg.grad(loss, everyone)

    def flat_gradient(*xs: Any) -> Any:
        return tg.concat([g.reshape(-1) for g in gradient(*xs)])

    def slope(*xs: Any) -> Any:
        return tg.jvp(loss, xs, tangents)[1]

    def flat(parts: Sequence[Any]) -> Any:
        return np.concatenate([np.ravel(host(p)) for p in parts])

    numeric = along(lambda *xs: flat(gradient(*xs)), args, tangents)
    equal("forward over reverse", tg.jvp(flat_gradient, args, tangents)[1], numeric)
    equal("reverse over reverse", flat(tg.vjp(flat_gradient, *args)[1](flat(tangents))), numeric)
    equal("reverse over forward", flat(tg.grad(slope, everyone)(*args)), numeric)
    equal(
        "forward over forward", tg.jvp(slope, args, tangents)[1], np.sum(numeric * flat(tangents))
    )


def host(value: Any) -> Any:
    """Bring a tensor or a device array to the host; leave anything else as it is."""
    if isinstance(value, tg.Tensor):
        return value.numpy()
    on_device = backend.is_array(value) and not isinstance(value, np.ndarray)
    return value.get() if on_device else value


def check_same(found: Any, expected: Any) -> None:
    """Assert that a tensor or an array, wherever it lies, holds exactly the expected numbers."""
    np.testing.assert_array_equal(host(found), host(expected))


def check_close(found: Any, expected: Any, rtol: float = 1e-7, atol: float = 0.0) -> None:
    """Assert that a tensor or an array, wherever it lies, holds the expected numbers nearly."""
    np.testing.assert_allclose(host(found), host(expected), rtol=rtol, atol=atol)
