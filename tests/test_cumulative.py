"""Cumulative operations: values, and products whose factors are zero in part."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from oracles import check_close, check_same, gradient

import tinygrad_res as tg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5))


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
@pytest.mark.parametrize("initial", [False, True])
def test_cumulative_operations_equal_numpys(name, initial):
    expected = getattr(np, name)
    for x, axis in ((X, 0), (X, -2), (X[0, 0], None), (X[:, :0], 1), (np.array(3.0), None)):
        found = getattr(tg, name)(x, axis, initial)
        check_same(found, expected(x, axis=axis, include_initial=initial))


def test_cumsum_and_cumprod_without_an_axis_run_over_all_elements():
    check_same(tg.cumsum(X), np.cumsum(X))
    check_same(tg.cumprod(X), np.cumprod(X))
    check_same(tg.cumsum(X, 1), np.cumsum(X, 1))
    check_same(tg.cumprod(X, -1), np.cumprod(X, -1))


def test_differences_equal_numpys():
    for n, axis in ((0, -1), (1, -1), (2, 0), (3, 0), (5, 0)):
        check_close(tg.diff(X, n, axis), np.diff(X, n, axis), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 9, 33])
def test_cumulative_products_with_zeros_have_right_derivatives(n):
    x = RNG.uniform(0.8, 1.2, n)
    for zeros in ([], [0], [n - 1], [n // 2], [n // 3, n // 2], list(range(min(n, 4)))):
        at = x.copy()
        at[zeros] = 0
        oracles.check(tg.cumulative_prod, at, tolerance=1e-6)


def test_the_jacobian_of_a_cumulative_product_is_lower_triangular_and_exact():
    x = np.array([3.0, 0.0, 5.0, 0.0])

    jacobian = tg.jacobian(tg.cumulative_prod)(x)

    check_same(jacobian, [[1, 0, 0, 0], [0, 3, 0, 0], [0, 15, 0, 0], [0, 0, 0, 0]])


def test_long_cumulative_products_stay_accurate():
    x = RNG.uniform(0.9, 1.1, 1000)

    found = gradient(tg.cumulative_prod, x)

    products = np.cumprod(x)
    expected = np.cumsum(products[::-1])[::-1] / x
    check_close(found, expected, rtol=1e-10)
