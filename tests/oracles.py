"""What results must equal: finite differences, and expected numbers wherever results lie.

``check`` holds a function against finite differences, which know of no derivative rule,
in every mode of differentiation, to second order.  Directions and cotangents are random: a
cotangent of ones cannot see elements that change places.  The other checks hold a result
against what a test expects of it, and bring it from its device for that.
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
        check_close(found, expected, rtol=tolerance, atol=tolerance / 10, what=what)

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
    check_close(dots, np.sum(cotangent * pushed), rtol=1e-10, atol=1e-12)

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


# Derivatives that tests ask for in one word


def gradient(f: Callable[..., Any], x: Any) -> Any:
    """Return the gradient of the sum of ``f`` at floats."""
    return tg.grad(lambda x: f(x).sum())(np.asarray(x, float))


def hessian(f: Callable[..., Any], x: Any) -> Any:
    """Return the second derivatives of the sum of ``f`` at floats."""
    return tg.hessian(lambda x: f(x).sum())(np.asarray(x, float))


def slope(f: Callable[..., Any], *args: Any, by: int = 0) -> Any:
    """Return the derivative of each element of f(*args) by that of one argument."""
    out, back = tg.vjp(f, *args)
    return back(np.ones(out.shape, out.dtype))[by]


def bend(f: Callable[..., Any], *args: Any, by: int = 0, then: int = 0) -> Any:
    """Return the second derivative of each element, by one argument and then by another."""
    return slope(lambda *xs: slope(f, *xs, by=by), *args, by=then)


def normal() -> Callable[..., Any]:
    """Return a function ``draw(*shape)`` of normal numbers, the same for every caller."""
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape)


# Comparisons with what is expected, on any device


def host(value: Any) -> Any:
    """Bring a tensor or a device array to the host; leave anything else as it is."""
    if isinstance(value, tg.Tensor):
        return value.numpy()
    on_device = backend.is_array(value) and not isinstance(value, np.ndarray)
    return value.get() if on_device else value


def check_same(found: Any, expected: Any) -> None:
    """Assert that a tensor or an array, wherever it lies, holds exactly the expected numbers."""
    np.testing.assert_array_equal(host(found), host(expected))


def check_close(
    found: Any, expected: Any, rtol: float = 1e-7, atol: float = 0.0, what: str = ""
) -> None:
    """Assert that a tensor or an array, wherever it lies, holds the expected numbers nearly."""
    np.testing.assert_allclose(host(found), host(expected), rtol=rtol, atol=atol, err_msg=what)


def check_array(found: Any, expected: Any) -> None:
    """Assert that a tensor or an array has the expected shape, and the numbers nearly."""
    assert found.shape == np.shape(expected)
    check_close(found, expected, rtol=1e-10, atol=1e-12)


def check_identical(found: Any, expected: Any) -> None:
    """Assert that tensors, alone or in the same lists, have expected shapes, dtypes and numbers."""
    if isinstance(expected, (list, tuple)):
        assert type(found) is type(expected)
        for a, b in zip(found, expected, strict=True):
            check_identical(a, b)
        return
    assert isinstance(found, tg.Tensor)
    assert found.shape == np.shape(expected)
    assert found.dtype == expected.dtype
    check_same(found, expected)


def check_finite(found: Any) -> None:
    """Assert that a tensor or an array, wherever it lies, holds neither NaN nor infinity."""
    assert np.isfinite(host(found)).all()


def check_on_device(
    xp: Any, module: Any, values: Any, rtol: float, atol: float, *more: Any, **options: Any
) -> None:
    """Check that a module computes on a device what it computes on the host, and the gradient."""
    found = []
    for device, array in (("cpu", np.asarray), ("cuda", xp.asarray)):
        x = tg.tensor(array(values), requires_grad=True)
        y = module.to(device, np.float64)(x, *more, **options)
        y.sum().backward()
        found.append((y, x.grad))
    for here, there in zip(*found, strict=True):
        assert there.device == "cuda"
        check_close(there, here, rtol=rtol, atol=atol)


def check_dtype_stays(f: Callable[..., Any], dtype: Any) -> None:
    """Assert that values and derivatives of ``f``, in every mode, have the operand's dtype."""
    x = np.linspace(0.25, 0.95, 8, dtype=dtype).reshape(2, 4)

    def loss(x: Any) -> Any:
        return (f(x) * f(x)).sum()

    assert f(tg.tensor(x)).dtype == dtype
    assert tg.grad(loss)(x).dtype == dtype
    assert tg.jvp(f, (x,), (x,))[1].dtype == dtype
    assert tg.hvp(loss)(x, x).dtype == dtype
