"""Reductions, averages and pools: values, kinks, extremes, dtypes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import oracles
import pytest
from oracles import check_close, check_dtype_stays, check_same, gradient, hessian

import tinygrad_res as tg
from tinygrad_res.errors import ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5))
INF = math.inf


# Values, against NumPy and SciPy


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 0), (), (0, 1, 2)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sum", {}), ("mean", {}), ("prod", {}), ("max", {}), ("min", {}), ("ptp", {}),
        ("median", {}), ("var", {}), ("std", {}), ("var", {"ddof": -1}), ("std", {"ddof": 0.5}),
    ],
)  # fmt: skip
def test_values_equal_numpys(name, options, axis):
    for keepdims in (False, True):
        found = getattr(tg, name)(X, axis, keepdims, **options)

        expected = getattr(np, name)(X, axis=axis, keepdims=keepdims, **options)
        assert found.shape == expected.shape
        check_close(found, expected, rtol=1e-13, atol=1e-15)


def test_correction_is_the_array_apis_name_of_ddof():
    check_same(tg.var(X, 1, correction=1), tg.var(X, 1, ddof=1))
    check_same(tg.std(X, 1, correction=1), tg.std(X, 1, ddof=1))


@pytest.mark.parametrize("ord", [0, 0.5, 1, 1.5, 2, 3, 10, -1, -2.5, np.inf, -np.inf])
def test_norms_equal_numpys(ord):
    x = np.where(X > 1, 0, X) if ord >= 0 else X

    for axis in (0, -1):
        found = tg.norm(x, ord, axis, keepdims=True)
        expected = np.linalg.norm(x, ord, axis, keepdims=True)
        check_close(found, expected, rtol=1e-13)
    flat = np.linalg.norm(x.ravel(), ord)
    check_close(tg.norm(x, ord), flat, rtol=1e-13)
    check_close(tg.norm(x, ord, (2, 0, 1)), flat, rtol=1e-13)


@pytest.mark.parametrize("ord", [0, 1, 2, 3, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [bool, int])
def test_norms_of_integers_are_floats(ord, dtype):
    x = np.array([-2, 1], dtype)

    for norm in (tg.norm, tg.linalg.norm):
        found = norm(x, ord)
        assert found.dtype == np.float64
        check_close(found, np.linalg.norm(x.astype(float), ord))


def test_averages_equal_numpys():
    full, vector, plane = np.abs(X) + 1, np.arange(1.0, 5), RNG.uniform(1, 2, (3, 5))

    for options in (
        {}, {"axis": 1}, {"weights": full}, {"weights": full, "axis": (0, 2)},
        {"weights": vector, "axis": -2}, {"weights": plane, "axis": (0, 2), "keepdims": True},
    ):  # fmt: skip
        found = tg.average(X, **options)
        check_close(found, np.average(X, **options), rtol=1e-13)


def test_numpys_functions_arrive_here():
    x = tg.tensor(X, requires_grad=True)

    for name in ("prod", "ptp", "median", "var", "std", "cumsum", "cumprod", "cumulative_sum"):
        f = getattr(np, name)
        y = f(x, axis=1)
        assert y.requires_grad
        check_close(y, f(X, axis=1), rtol=1e-13)
    for call in (
        lambda x: np.var(x, 1, ddof=1, keepdims=True), lambda x: np.std(x, correction=1),
        lambda x: np.average(x, weights=X * X), lambda x: np.diff(x, 2, 0),
        lambda x: np.cumulative_prod(x, axis=2, include_initial=True),
        lambda x: np.prod(x, axis=(0, 2)), lambda x: np.median(x),
    ):  # fmt: skip
        assert call(x).requires_grad
        check_close(call(x), call(X), rtol=1e-12)


# Products


@pytest.mark.parametrize("zeros", [[], [1], [0, 2], [0, 1, 3], [0, 1, 2, 3, 4]])
def test_derivatives_of_a_product_leave_factors_out_also_where_some_are_zero(zeros):
    x = np.array([2.0, -3.0, 0.5, 7.0, -1.5])
    x[zeros] = 0
    n = len(x)

    def without(*left_out):
        return math.prod(x[k] for k in range(n) if k not in left_out)

    check_close(gradient(tg.prod, x), [without(i) for i in range(n)])
    expected = [[without(i, j) if i != j else 0 for j in range(n)] for i in range(n)]
    check_close(hessian(tg.prod, x), expected)


def test_the_third_derivative_of_a_product_with_three_zeros_is_the_rest():
    x = np.array([0.0, 2.0, 0.0, 0.0, 5.0])

    def mixed(a, b, c):
        return tg.prod(tg.stack([a, tg.tensor(2.0), b, c, tg.tensor(5.0)]))

    third = tg.grad(tg.grad(tg.grad(mixed, 0), 1), 2)
    assert third(x[0], x[2], x[3]) == 10.0


def test_products_over_several_axes_with_zeros_have_right_derivatives():
    x = RNG.uniform(0.5, 1.5, (3, 2, 4))
    x[0, 0, 1] = x[2, 0, 3] = x[1, 1, 0] = 0
    for axis in (None, 0, (0, 2), (2, 0), (1,)):
        oracles.check(lambda x, axis=axis: tg.prod(x, axis=axis), x, tolerance=1e-6)


# Kinks and ties


@pytest.mark.parametrize("n", [3, 10])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e8 + 0.1])
@pytest.mark.parametrize("f", [tg.std, tg.var])
def test_equal_elements_have_no_spread_and_no_derivative(f, value, n):
    x = np.full((2, n), value)

    check_same(f(x, 1), [0, 0])
    check_same(gradient(lambda x: f(x, 1), x), np.zeros((2, n)))


def test_the_second_derivative_of_the_deviation_of_equal_elements_is_zero():
    check_same(hessian(tg.std, [0.1, 0.1, 0.1]), np.zeros((3, 3)))


@pytest.mark.parametrize("ord", [0.5, 1, 1.5, 2, 3, np.inf, -np.inf, -1])
def test_derivatives_of_a_norm_at_zero_are_zero(ord):
    x = np.zeros(3)

    assert tg.norm(x, ord).item() == 0
    check_same(gradient(lambda x: tg.norm(x, ord), x), np.zeros(3))
    check_same(hessian(lambda x: tg.norm(x, ord), x), np.zeros((3, 3)))


def test_a_zero_row_leaves_the_derivatives_of_the_others_alone():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])

    for ord in (2, 3):
        f = lambda x, ord=ord: tg.norm(x, ord, axis=1)  # noqa: E731
        found = gradient(f, x)
        check_same(found[1], [0, 0])
        check_close(found[0], gradient(f, x[:1])[0], rtol=1e-14)
        check_close(hessian(f, x)[0, :, 0], hessian(f, x[:1])[0, :, 0], rtol=1e-14)


@pytest.mark.parametrize("ord", [0.5, 1, 1.5, 2.0, 3, 4])
def test_an_element_that_is_zero_has_derivative_zero(ord):
    found = gradient(lambda x: tg.norm(x, ord), [2.0, 0.0, -1.0])

    assert found[1] == 0
    check_close(found[[0, 2]], gradient(lambda x: tg.norm(x, ord), [2.0, -1.0]), rtol=1e-14)


def test_the_norm_of_order_zero_is_constant():
    assert tg.norm([0.0, 2.0, -3.0], 0).item() == 2
    check_same(gradient(lambda x: tg.norm(x, 0), [0.0, 2.0, -3.0]), [0, 0, 0])


def test_ties_share_the_gradient_equally():
    check_same(gradient(lambda x: tg.norm(x, INF), [2.0, -2.0, 1.0]), [0.5, -0.5, 0])
    check_same(gradient(lambda x: tg.norm(x, -INF), [2.0, -1.0, 1.0]), [0, -0.5, 0.5])
    check_same(gradient(tg.ptp, [5.0, 1.0, 5.0, 1.0, 3.0]), [0.5, -0.5, 0.5, -0.5, 0])
    check_same(gradient(tg.ptp, [4.0, 4.0]), [0, 0])
    check_same(gradient(tg.median, [1.0, 2.0, 2.0, 9.0, 0.0]), [0, 0.5, 0.5, 0, 0])
    check_same(gradient(tg.median, [1.0, 2.0, 2.0, 3.0, 9.0, 0.0]), [0, 0.5, 0.5, 0, 0, 0])
    check_same(gradient(tg.median, [4.0, 1.0, 2.0, 9.0]), [0.5, 0, 0.5, 0])


def test_the_median_of_a_nan_is_nan():
    check_same(tg.median([[1.0, np.nan, 0.0], [1.0, 5.0, 2.0]], 1), [np.nan, 2])


@pytest.mark.parametrize("name", ["max", "min", "median", "ptp"])
def test_an_extremum_that_is_nan_has_a_derivative_of_nan(name):
    check_same(gradient(getattr(tg, name), [1.0, np.nan, 3.0]), [np.nan] * 3)


# Large and small numbers


@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e-310])
@pytest.mark.parametrize("ord", [1, 1.5, 2, 3, -2, np.inf])
def test_norms_of_huge_and_tiny_elements_keep_their_derivatives(ord, scale):
    x = np.array([3.0, -4.0, 1.0])
    rtol = 1e-13 if scale > 1e-300 else 1e-9

    found = tg.norm(scale * x, ord).item() / scale
    check_close(found, np.linalg.norm(x, ord), rtol=rtol)
    check_close(
        gradient(lambda x: tg.norm(x, ord), scale * x),
        gradient(lambda x: tg.norm(x, ord), x),
        rtol=rtol,
    )


def test_an_infinite_element_makes_an_infinite_norm():
    for ord in (1, 1.5, 2, 3, INF):
        assert tg.norm([1.0, -INF], ord).item() == INF


def test_a_large_mean_costs_the_variance_no_digits():
    x = np.array([4.0, 7.0, 13.0, 16.0])

    check_close(tg.var(1e9 + x, correction=1), 30.0, rtol=1e-14)
    check_close(gradient(tg.var, 1e9 + x), gradient(tg.var, x), rtol=1e-14)


def test_deviations_of_huge_and_tiny_elements_do_not_overflow():
    x = np.array([1.0, 2.0, 4.0])

    for scale in (1e200, 1e-200):
        check_close(tg.std(scale * x).item() / scale, np.std(x), rtol=1e-14)
        check_close(gradient(tg.std, scale * x), gradient(tg.std, x), rtol=1e-13)


# Dtypes


EVERYTHING = {
    "prod": tg.prod,
    "var": tg.var,
    "std": lambda x: tg.std(x, 0, ddof=1),
    "norm": lambda x: sum(tg.norm(x, p) for p in (0, 0.5, 1, 2, 3.5, -1, INF, np.float64(2))),
    "median": lambda x: tg.median(x, 1),
    "ptp": lambda x: tg.ptp(x, 0),
    "average": lambda x: tg.average(x, 1, weights=x[0] * x[0]),
    "softmax": lambda x: tg.softmax(x, 0) + tg.log_softmax(x, None) + tg.logsumexp(x),
    "cumulative": lambda x: tg.cumsum(x) + tg.cumprod(x),
    "initial": lambda x: tg.cumulative_sum(x, 0, True) + tg.cumulative_prod(x, 0, True),
    "diff": tg.diff,
    "pools": lambda x: tg.avg_pool2d(x, 2, 1, 1, False) + tg.max_pool2d(x, 2, 1, 1),
    "pools1d": lambda x: tg.avg_pool1d(x, 3, 1, 1, False) + tg.max_pool1d(x, 3, 1, 1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("case", EVERYTHING)
def test_the_dtype_stays_through_values_and_derivatives(case, dtype):
    check_dtype_stays(EVERYTHING[case], dtype)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
@pytest.mark.parametrize(
    "name", ["sum", "mean", "prod", "max", "var", "std", "median", "cumsum", "cumprod", "average"]
)
def test_integers_and_booleans_are_reduced_as_numpy_reduces_them(name, dtype):
    x = np.array([[1, 5, 2], [3, 0, 9]]).astype(dtype)

    found = getattr(tg, name)(x, 1)

    expected = getattr(np, name)(x, 1)
    assert found.dtype == expected.dtype
    check_close(found, expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_softmaxes_and_norms_of_integers_are_floats(dtype):
    x = np.array([1, 5, 2]).astype(dtype)

    for f in (tg.softmax, tg.log_softmax, tg.logsumexp, tg.norm, lambda x: tg.norm(x, 1)):
        assert f(x).dtype == np.float64
        check_close(f(x), f(x.astype(float)), rtol=1e-14)


# Nothing to reduce


@pytest.mark.parametrize("name", ["mean", "max", "min", "ptp", "median", "var", "std"])
def test_reducing_no_elements_is_refused(name):
    f = getattr(tg, name)

    for axis in (None, 0, (0, 1)):
        with pytest.raises(ShapeError, match=rf"{name}: shape \(0, 3\)"):
            f(np.zeros((0, 3)), axis)
    assert f(np.zeros((0, 3)), 1).shape == (0,)


def test_sums_products_and_norms_of_no_elements_are_their_neutral_numbers():
    x = np.zeros((0, 3))

    check_same(tg.sum(x, 0), np.zeros(3))
    check_same(tg.prod(x, 0), np.ones(3))
    for ord in (0, 1, 2, 3):
        check_same(tg.norm(x, ord, 0), np.zeros(3))


# Against PyTorch


def test_derivatives_of_norms_equal_pytorchs():
    torch = pytest.importorskip("torch")

    for ord in (0.5, 1, 2, 3.5, -1, INF, -INF):
        t = torch.tensor(X, requires_grad=True)
        torch.linalg.vector_norm(t, ord, 1).sum().backward()
        found = gradient(lambda x, ord=ord: tg.norm(x, ord, 1), X)
        check_close(found, t.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(2, None, 0), (3, 2, 1), (4, 1, 2), (3, 3, 1)]
)
def test_pools_equal_pytorchs(size, stride, padding):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    images, rows = RNG.normal(size=(2, 3, 7, 8)), RNG.normal(size=(2, 3, 9))

    for x, ndim in ((images, 2), (rows, 1)):
        mine, theirs = (getattr(lib, f"max_pool{ndim}d") for lib in (tg, functional))
        expected = theirs(torch.tensor(x), size, stride, padding).numpy()
        check_close(mine(x, size, stride, padding), expected)
        mine, theirs = (getattr(lib, f"avg_pool{ndim}d") for lib in (tg, functional))
        for counted in (True, False):
            expected = theirs(
                torch.tensor(x), size, stride, padding, count_include_pad=counted
            ).numpy()
            found = mine(x, size, stride, padding, count_include_pad=counted)
            check_close(found, expected, rtol=1e-12)


# Paths


def test_each_of_these_operations_is_one_edge():
    x = tg.tensor(X[0], requires_grad=True)

    for f in (
        tg.prod, tg.var, tg.std, tg.ptp, tg.median, tg.norm, tg.softmax, tg.log_softmax,
        tg.logsumexp, tg.cumsum, lambda x: tg.cumulative_prod(x, axis=0),
        lambda x: tg.norm(x, 3), lambda x: tg.norm(x, INF),
    ):  # fmt: skip
        y = f(x)
        through_a_reshape = y.ndim == 1
        assert tg.paths(y, x).count() == 1
        assert len(tg.graph(y).edges) == 1 + through_a_reshape


def test_pools_of_no_padding_count_the_same_both_ways():
    for size, stride in itertools.product((1, 2, 3), (1, 2)):
        check_same(
            tg.avg_pool2d(X, size, stride, count_include_pad=False),
            tg.avg_pool2d(X, size, stride),
        )
