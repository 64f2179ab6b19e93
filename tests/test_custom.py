"""Primitives that users define: derivatives, paths, figures and checks follow from the family."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from oracles import check_close, check_same

import tinygrad_res as tg
import viz
from tinygrad_res import custom
from tinygrad_res.errors import DeviceError, DtypeError, GradientError, ShapeError, UsageError
from tinygrad_res.testing import GradientCheckError, check_gradient, check_paths

SOFTSIGN = custom.activation(
    lambda xp, x: x / (1 + abs(x)), lambda xp, _out, x: 1 / xp.square(1 + abs(x)), name="softsign"
)
SCALED = custom.pointwise(
    lambda xp, x, y, scale: scale * x * y,
    lambda xp, _out, _x, y, scale: scale * y,
    lambda xp, _out, x, _y, scale: scale * x,
    name="scaled",
)
CUBES = custom.reduction(
    lambda xp, x, axis, keepdims: (x * x * x).sum(axis=axis, keepdims=keepdims),
    lambda xp, _out, x, _axis, _n: 3 * x * x,
    name="cubes", doc="the sum of cubes",
)  # fmt: skip
EVEN = custom.structural(
    lambda xp, x: x[::2],
    lambda xp, g, i, shape: _spread.apply((g,), {"into": shape}),
    name="even",
)  # fmt: skip


def _widen(xp, x, shape):
    out = xp.zeros(shape, dtype=x.dtype)
    out[::2] = x
    return out


_spread = custom.structural(
    lambda xp, x, into: _widen(xp, x, into),
    lambda xp, g, i, shape, into: EVEN.apply((g,), {}),
    name="spread",
)
BY_ROWS = custom.contraction(
    lambda xp, a, b: a @ b.T,
    lambda xp, g, b, shape: g @ b,
    lambda xp, g, a, shape: g.T @ a,
    name="by_rows",
)
CUBE_ROOT = custom.general(
    lambda xp, x: xp.cbrt(x),
    lambda xp, g, wanted, out, _x: [g / (3 * out * out)],
    name="cube_root",
)

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 1.25, 0.6]])
Y = np.array([[1.0, 0.4, -0.3], [0.2, -1.1, 0.8], [0.7, 0.9, -0.5]])


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (SOFTSIGN, (X,)),
        (lambda x, y: SCALED(x, y, scale=2.5), (X, Y[0])),
        (lambda x: CUBES(x, axis=-1), (X,)),
        (lambda x: CUBES(x, (0, 1), keepdims=True), (X,)),
        (lambda x: EVEN(x) * EVEN(x), (X,)),
        (BY_ROWS, (X, Y)),
        (CUBE_ROOT, (X,)),
    ],
)
def test_a_primitive_of_any_family_has_derivatives_of_both_orders_in_both_modes(f, args, put):
    check_gradient(f, *map(put, args), order=2)


def test_paths_cross_custom_primitives_and_are_graded_by_their_family():
    x = tg.tensor(X, requires_grad=True, name="x")
    w = tg.parameter(Y, name="w")

    h = x + SOFTSIGN(BY_ROWS(x, w))
    loss = CUBES(EVEN(h))

    p = tg.paths(loss, x)
    assert p.count_by("weight") == {0: 1, 1: 1}
    assert p.count_by("activation") == {0: 1, 1: 1}
    loss.backward()
    check_close(p.gradient(), x.grad, rtol=1e-13)
    check_paths(loss, x)


def test_figures_name_custom_primitives():
    x = tg.tensor(X, requires_grad=True, name="x")

    figure = viz.draw(tg.graph(CUBES(SOFTSIGN(x))))

    assert "softsign" in figure.source
    assert "cubes" in figure.source


@pytest.mark.cpu
def test_what_is_defined_documents_itself():
    assert CUBES.__name__ == "cubes"
    assert CUBES.__doc__.startswith("Return the sum of cubes over ``axis``")
    assert list(inspect.signature(CUBES).parameters) == ["x", "axis", "keepdims"]
    assert CUBES.__module__ == SOFTSIGN.__module__ == __name__


def test_operands_are_checked_like_those_of_any_operation():
    with pytest.raises(
        ShapeError, match=r"cubes: axis 2 does not exist in a tensor of shape \(3, 3\)"
    ):
        CUBES(X, 2)
    with pytest.raises(ShapeError, match=r"scaled: shapes \(3, 3\) and \(2,\) do not broadcast"):
        SCALED(X, np.ones(2), scale=1)
    with pytest.raises(DtypeError, match="softsign: cannot use an operand of type NoneType"):
        SOFTSIGN(None)


def test_a_constant_function_ends_the_record_and_says_so():
    steps = custom.constant(lambda xp, x: xp.floor(2 * x) / 2, name="steps")

    y = steps(tg.tensor(X, requires_grad=True))

    check_same(y, np.floor(2 * X) / 2)
    with pytest.raises(GradientError, match="it comes from steps"):
        y.backward()


WRONG = {
    "partial": (custom.pointwise(np.tanh, lambda xp, out, _x: 1 + out * out), "reverse mode"),
    "detached": (
        custom.pointwise(np.exp, lambda xp, out, _x: tg.stop_gradient(out) if isinstance(out, tg.Tensor) else out),
        "reverse",
    ),
    "coefficient": (
        custom.reduction("mean", lambda xp, _out, _x, _axis, n: 1 / (n + 1), name="mean"),
        "reverse mode",
    ),
    "transpose": (
        custom.structural(lambda xp, x: x[::-1], lambda xp, g, i, shape: g, name="flip"),
        "reverse mode",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_formula_is_caught_by_the_check(fault, put):
    f, where = WRONG[fault]

    with pytest.raises(GradientCheckError, match=where):
        check_gradient(f, put(X))


def broken(vjp):
    return custom.general(lambda xp, x, y: x * y, vjp, name="broken")


@pytest.mark.parametrize(
    ("vjp", "returned"),
    [
        (lambda xp, g, wanted, _out, x, y: [g * y], r"returned \[\(3, 3\)\]"),
        (lambda xp, g, wanted, _out, x, y: [g * y, (g * x).sum(axis=0)], r"\(3,\)"),
        (lambda xp, g, wanted, _out, x, y: g * y, "(ndarray|Array)"),
        (lambda xp, g, wanted, _out, x, y: [g * y, None], "NoneType"),
    ],
)
def test_a_vjp_that_returns_something_else_is_told(vjp, returned):
    x, y = (tg.tensor(a, requires_grad=True) for a in (X, Y))

    with pytest.raises(GradientError, match=rf"broken: its formula was asked for .*{returned}"):
        broken(vjp)(x, y).sum().backward()

    assert x.grad is None


def test_an_operation_without_a_derivative_may_say_so_with_zeros():
    flat = custom.general(
        lambda xp, x: xp.sign(x), lambda xp, g, wanted, _out, x: [xp.zeros_like(x)], name="flat"
    )

    check_gradient(flat, X)


@pytest.mark.parametrize("slope", [0.5, np.float64(0.5), 2, np.int64(2)])
def test_a_partial_derivative_may_be_any_number(slope):
    line = custom.pointwise(lambda xp, x: x * float(slope), slope, name="line")

    check_gradient(line, X)


@pytest.mark.parametrize("formula", [np.cos, "cos", [1.0]])
def test_a_formula_is_a_number_or_a_function(formula):
    with pytest.raises(UsageError, match="sine: a formula is a number or a function"):
        custom.pointwise(np.sin, formula, name="sine")


def test_a_mask_that_is_none_is_told():
    steep = custom.activation(
        lambda xp, x: xp.maximum(2 * x, 0),
        lambda xp, _out, x: 2.0 * (x > 0),
        name="steep",
        mask=True,
    )

    with pytest.raises(GradientError, match="steep: a mask of dtype float64: return booleans"):
        steep(tg.tensor(X, requires_grad=True)).sum().backward()


@pytest.mark.cpu
def test_a_ufunc_of_another_library_is_run_as_it_is():
    special = pytest.importorskip("scipy.special")
    gamma = custom.pointwise(
        special.gammaln, lambda xp, _out, x: special.digamma(x), name="gammaln"
    )

    check_close(gamma(tg.tensor([4.0])), [np.log(6.0)])


def test_a_function_that_a_device_lacks_is_told(standing_in):
    special = pytest.importorskip("scipy.special")
    gamma = custom.pointwise(
        special.gammaln, lambda xp, _out, x: special.digamma(x), name="gammaln"
    )

    with pytest.raises(DeviceError, match="gammaln: cupy has no function 'gammaln'"):
        gamma(tg.tensor([4.0]).to("cuda"))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: custom.contraction(
            lambda xp, a, b: a @ b, lambda xp, g, b, shape: g[:, :1], lambda xp, g, a, shape: a.T @ g,
            name="wrong",
        )(x, Y),
        lambda x: custom.structural(
            lambda xp, x: x[0], lambda xp, g, i, shape: g, name="wrong"
        )(x),
    ],
)  # fmt: skip
def test_a_cotangent_of_another_shape_is_told(wrong):
    x = tg.tensor(X, requires_grad=True)

    with pytest.raises(GradientError, match=r"wrong: its formula was asked for .*\[\(3, 3\)\]"):
        wrong(x).sum().backward()

    assert x.grad is None
