"""Pointwise operations: values, kinks, infinities and dtypes, against NumPy and SciPy."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
import scipy.special
from oracles import bend, check_close, check_finite, check_same, slope

import tinygrad_res as tg
from tinygrad_res.primitives import activations, constants, pointwise, queries

INF, NAN = np.inf, np.nan
X = np.array([-2.5, -1.0, -0.3, 0.0, 0.3, 1.0, 2.5])
Y = np.array([0.7, -1.0, 2.0, 1.5, -0.3, 1.0, -0.4])


# Values


UNARY = {
    **dict.fromkeys(["acos", "asin", "atanh"], X / 3),
    **dict.fromkeys(["acosh", "cbrt", "log", "log10", "log1p", "log2", "reciprocal", "sqrt"], np.abs(X) + 1.1),
    **dict.fromkeys(
        ["abs", "asinh", "atan", "cos", "cosh", "degrees", "exp", "exp2", "expm1", "fabs", "negative",
         "positive", "radians", "sin", "sinc", "sinh", "square", "tan", "tanh"], X,
    ),
}  # fmt: skip
BINARY = [
    "add", "atan2", "copysign", "divide", "float_power", "fmax", "fmin", "fmod", "hypot", "logaddexp", "logaddexp2",
    "maximum", "minimum", "multiply", "pow", "remainder", "subtract",
]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_operand_agree_with_numpy(name):
    check_same(getattr(tg, name)(UNARY[name]), getattr(np, name)(UNARY[name]))


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_operands_agree_with_numpy(name):
    first = np.abs(X) + 0.1 if "pow" in name else X

    found, expected = getattr(tg, name)(first, Y), getattr(np, name)(first, Y)

    check_close(found, expected, rtol=4e-16, atol=0)


@pytest.mark.cpu
@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("arccos", "acos"), ("arccosh", "acosh"), ("arcsin", "asin"), ("arcsinh", "asinh"), ("arctan", "atan"),
        ("arctan2", "atan2"), ("arctanh", "atanh"), ("deg2rad", "radians"), ("rad2deg", "degrees"),
        ("mod", "remainder"), ("around", "round"), ("fix", "trunc"), ("invert", "bitwise_invert"),
    ],
)  # fmt: skip
def test_names_of_numpy_are_the_same_functions(alias, name):
    assert getattr(tg.primitives, alias) is getattr(tg, name)


@pytest.mark.parametrize(
    "f", [np.arctan2, np.hypot, np.logaddexp, np.copysign, np.remainder, np.fmax]
)
def test_functions_of_numpy_are_recorded(f):
    x = tg.tensor(X, requires_grad=True)

    y = f(x, Y)

    assert y.requires_grad
    check_same(y, f(X, Y))


@pytest.mark.cpu
def test_every_function_says_what_it_returns():
    for module in (pointwise, activations, constants, queries):
        for name in module.__all__:
            doc = inspect.getdoc(getattr(tg, name))
            assert doc.startswith("Return "), name
            assert "Return ," not in doc and "Return ;" not in doc, name


# Where derivatives need care


def test_sinc_is_smooth_at_zero():
    near = np.array([0.0, 1e-300, 1e-9, -1e-5, 1e-3, 0.1, 0.2499999, 0.25])
    t = (np.pi * near) ** 2

    check_close(tg.sinc(near), np.sinc(near), rtol=1e-15)
    check_close(bend(tg.sinc, 0.0), -(np.pi**2) / 3, rtol=1e-15)
    check_same(slope(tg.sinc, 0.0), 0)
    jacobi = -np.pi * scipy.special.spherical_jn(1, np.pi * near)
    check_close(slope(tg.sinc, near), jacobi, rtol=1e-13, atol=1e-290)
    second = np.pi**2 * (
        -1 / 3 + t / 10 - t**2 / 168 + t**3 / 6480 - t**4 / 443520 + t**5 / 47174400
    )
    check_close(bend(tg.sinc, near), second, rtol=1e-10)


def test_sinc_is_defined_far_from_zero():
    check_finite(slope(tg.sinc, np.array([-1e200, 1e3, 1e200])))


@pytest.mark.parametrize("f", [tg.logaddexp, tg.logaddexp2])
def test_logaddexp_takes_infinities(f):
    x = np.array([-INF, -INF, 1.0, INF, INF, -INF, INF, 1000.0, -1000.0])
    y = np.array([-INF, 2.0, -INF, 3.0, INF, INF, -INF, 1000.0, -1000.0])
    expected = np.array([0.5, 0, 1, 1, 0.5, 0, 1, 0.5, 0.5])

    check_same(f(x, y), getattr(np, f.__name__)(x, y))
    check_same(slope(f, x, y), expected)
    check_same(slope(f, x, y, by=1), 1 - expected)
    curved = (np.log(2) if f is tg.logaddexp2 else 1) * expected * (1 - expected)
    check_close(bend(f, x, y)[-2:], curved[-2:])
    check_finite(bend(f, x, y))


def test_logaddexp_has_relative_accuracy_where_one_operand_vanishes():
    check_close(slope(tg.logaddexp, -40.0, 0.0), 4.248354255291589e-18, rtol=1e-15)


@pytest.mark.parametrize("f", [tg.hypot, tg.atan2])
def test_the_derivative_at_the_origin_is_zero(f):
    zero = np.zeros(2)

    check_same(f(zero, zero), [0, 0])
    for by in (0, 1):
        check_same(slope(f, zero, zero, by=by), [0, 0])
        for then in (0, 1):
            check_same(bend(f, zero, zero, by=by, then=then), [0, 0])


def test_derivatives_do_not_overflow_on_the_way():
    big = np.array([1e200, -1e200])

    check_close(slope(tg.hypot, big, big), np.sign(big) / np.sqrt(2))
    check_close(slope(tg.atan2, big, big), 0.5 / big)
    check_close(slope(tg.asinh, big), 1e-200)
    check_close(slope(tg.acosh, np.abs(big)), 1e-200)
    check_same(slope(tg.atan, big), [0, 0])


def test_remainders_know_the_quotient_where_division_rounds():
    x, y = np.array([1.0, -7.0, 7.0]), np.array([0.1, 3.0, -3.0])

    check_same(slope(tg.remainder, x, y, by=1), -np.floor_divide(x, y))
    check_same(slope(tg.fmod, x, y, by=1), [-9, 2, 2])
    check_same(slope(tg.remainder, x, y), [1, 1, 1])


def test_the_gradient_of_fmax_and_fmin_goes_to_the_operand_that_is_a_number():
    x, y = np.array([NAN, 1.0, 2.0, NAN]), np.array([1.0, NAN, 2.0, NAN])

    for f in (tg.fmax, tg.fmin):
        check_same(slope(f, x, y), [0, 1, 0.5, 0])
        check_same(slope(f, x, y, by=1), [1, 0, 0.5, 0])


def test_copysign_takes_magnitude_from_one_operand_and_sign_from_the_other():
    x, y = np.array([-2.0, 2.0, 0.0, 3.0]), np.array([-1.0, -0.0, -1.0, 0.0])

    check_same(slope(tg.copysign, x, y), [1, -1, 0, 1])
    check_same(slope(tg.copysign, x, y, by=1), [0, 0, 0, 0])


def test_replaced_elements_get_no_gradient():
    x = np.array([1.0, NAN, INF, -INF])

    check_same(tg.nan_to_num(x, nan=5.0, posinf=6.0, neginf=7.0), [1, 5, 6, 7])
    check_same(tg.nan_to_num(x), np.nan_to_num(x))
    check_same(slope(tg.nan_to_num, x), [1, 0, 0, 0])
    check_same(slope(lambda x: tg.nan_to_num(x) ** 2, np.array([3.0, NAN])), [6, 0])


# clip


def test_clip_shares_the_gradient_at_a_bound_equally():
    x, low, high = np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), 0.0, 1.0

    check_same(slope(lambda x: tg.clip(x, low, high), x), [0, 0.5, 1, 0.5, 0])


@pytest.mark.parametrize("by", [0, 1, 2])
def test_clip_is_the_composition_of_maximum_and_minimum_also_where_bounds_meet_or_cross(by):
    x, low, high = (
        a.ravel() for a in np.meshgrid([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    )

    def composed(x, low, high):
        return tg.minimum(tg.maximum(x, low), high)

    check_same(tg.clip(x, low, high), np.clip(x, low, high))
    check_same(slope(tg.clip, x, low, high, by=by), slope(composed, x, low, high, by=by))


def test_clip_is_one_edge_to_each_operand():
    x, low = (tg.tensor(v, requires_grad=True) for v in (1.0, 0.0))

    y = tg.clip(x, low, 2.0)

    assert [tg.paths(y, leaf).count() for leaf in (x, low)] == [1, 1]


def test_clip_keeps_integers():
    y = tg.clip([1, 5, 9], 2, 6)

    assert y.dtype == np.int64
    check_same(y, [2, 5, 6])


# pow at its edges


def test_whole_powers_of_negative_bases_have_derivatives_by_the_base():
    x, y = np.array([-2.0, -2.0, -0.5, 0.0, 0.0, 0.0]), np.array([3.0, -1.0, 2.0, 1.0, 2.0, 0.0])

    check_close(slope(tg.pow, x, y), [12, -0.25, -1, 1, 0, 0])
    check_close(bend(tg.pow, x, y), [-12, -0.25, 2, 0, 2, 0])
    check_same(slope(tg.pow, x, y, by=1), np.zeros(6))


def test_integer_exponents_are_constants():
    x = np.array([-2.0, 0.0, 3.0])

    y = x**0 * np.array([2, 1, 0])
    check_close(slope(lambda x: x ** y.astype(int), x), [-4, 1, 0])
    check_same(tg.tensor([2, 3]) ** tg.tensor([3, 2]), [8, 9])


@pytest.mark.parametrize("f", [lambda x: x**0.5, tg.sqrt, tg.cbrt, lambda x: x ** np.array([0.5])])
def test_roots_are_infinitely_steep_at_zero(f):
    with np.errstate(divide="ignore"):
        check_same(slope(f, np.zeros(1)), [INF])


def test_float_power_computes_in_double_precision():
    x = tg.tensor(np.array([2.0], np.float32), requires_grad=True)

    y = tg.float_power(x, 3)
    y.backward()

    assert (y.dtype, x.grad.dtype) == (np.float64, np.float32)
    check_same(x.grad, [12])


# dtypes


FLOAT_IN = {
    **{name: (x,) for name, x in UNARY.items()},
    **dict.fromkeys(activations.__all__, (X,)),
    **{name: (np.abs(X) + 0.1, Y) for name in BINARY if name != "float_power"},
    "clip": (X, X - 1, X + 0.1),
    "nan_to_num": (X,),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", FLOAT_IN)
def test_the_dtype_stays_through_values_and_derivatives(name, dtype):
    f, args = getattr(tg, name), [a.astype(dtype) for a in FLOAT_IN[name]]

    assert f(*args).dtype == dtype
    for by in range(len(args)):
        assert slope(f, *args, by=by).dtype == dtype
        assert bend(f, *args, by=by).dtype == dtype
    tangents = tuple(np.ones_like(a) for a in args)
    assert tg.jvp(f, tuple(args), tangents)[1].dtype == dtype


@pytest.mark.parametrize("name", [*BINARY[:4], *BINARY[5:], "clip"])
def test_a_number_beside_a_tensor_takes_its_dtype(name):
    args = FLOAT_IN[name]
    f = getattr(tg, name)

    for i in range(2):
        x = args[i].astype(np.float32)
        y, pushed = tg.jvp(lambda x: f(*[0.5] * i, x, *[0.5] * (len(args) - i - 1)), (x,), (x,))  # noqa: B023
        assert y.dtype == pushed.dtype == np.float32


@pytest.mark.parametrize("name", sorted({*UNARY, *activations.__all__} - {"acosh", "reciprocal"}))
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_integers_give_values(name, dtype):
    if name == "negative" and dtype is np.uint8:
        pytest.skip("wraps around, as in NumPy")
    x = np.array([0, 1, 3] if name[0] != "a" or name == "abs" else [0, 0, 0], dtype)
    x = x + dtype(1) if name.startswith("log") else x

    found, exact = getattr(tg, name)(x), getattr(tg, name)(x.astype(float))

    check_close(found.astype(float), exact, rtol=2e-3 if dtype is np.uint8 else 1e-12)


def test_arrays_without_elements_and_without_axes_are_taken():
    for name in (*UNARY, *activations.__all__):
        f = getattr(tg, name)
        assert f(np.zeros((0, 3))).shape == slope(f, np.zeros((0, 3))).shape == (0, 3)
        assert f(0.5 if name != "acosh" else 1.5).shape == ()


@pytest.mark.cpu
def test_scipy_is_imported_when_used():
    code = (
        "import sys, tinygrad_res as tg; assert 'scipy.special' not in sys.modules; "
        "tg.erf(1.0); assert 'scipy.special' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
