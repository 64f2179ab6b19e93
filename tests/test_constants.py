"""Constants and queries: roundings, counts, places and truth values, as NumPy gives them."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import check_same

import tinygrad_res as tg


def test_roundings_have_the_dtype_of_their_operand():
    x = tg.tensor(np.array([-1.5, 0.25, 2.5], np.float32), requires_grad=True)

    for f in (tg.floor, tg.ceil, tg.trunc, tg.rint, tg.round, tg.sign, lambda x: tg.round(x, 1)):
        y = f(x)
        assert (y.dtype, y.requires_grad) == (np.float32, False)
    check_same(tg.round(x, 1), np.round(x, 1))


def test_no_gradient_flows_through_a_constant():
    x = np.array([0.3, 1.7])

    check_same(tg.grad(lambda x: (x * tg.floor(x)).sum())(x), [0, 1])
    check_same(tg.grad(lambda x: (x * tg.full_like(x, 3)).sum())(x), [3, 3])


@pytest.mark.parametrize("name", ["all", "any", "count_nonzero"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_counts_and_truths_over_axes_agree_with_numpy(name, axis, keepdims):
    x = np.arange(24.0).reshape(2, 3, 4) % 5 - 1

    check_same(
        getattr(tg, name)(x, axis=axis, keepdims=keepdims),
        getattr(np, name)(x, axis=axis, keepdims=keepdims),
    )


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_extremal_places_agree_with_numpy(name, axis, keepdims):
    x = np.sin(np.arange(24.0)).reshape(2, 3, 4)

    check_same(getattr(tg, name)(x, axis, keepdims), getattr(np, name)(x, axis, keepdims=keepdims))


def test_equal_elements_keep_their_order_in_both_directions():
    x = [1.0, 0.0, 1.0, 0.0]

    check_same(tg.argsort(x), [1, 3, 0, 2])
    check_same(tg.argsort(x, descending=True), [0, 2, 1, 3])
    check_same(tg.argsort([[3.0, 1.0], [0.0, 2.0]], axis=0), [[1, 0], [0, 1]])
    check_same(tg.argsort([[3.0, 1.0], [0.0, 2.0]], axis=None), [2, 1, 3, 0])


def test_searchsorted_takes_sides_sorters_and_numbers():
    x = np.array([3.0, 1.0, 2.0])
    order = tg.argsort(x)

    check_same(tg.searchsorted(x, [[2.0], [9.0]], sorter=order), [[1], [3]])
    check_same(tg.searchsorted(np.sort(x), 2.0, side="right"), 2)


def test_array_equal_compares_shapes_too():
    x = tg.tensor([1.0, np.nan])

    assert not tg.array_equal(x, x)
    assert tg.array_equal(x, x, equal_nan=True)
    assert not tg.array_equal(tg.ones_like(x), 1)
    assert tg.array_equal(3, 3.0)


def test_isclose_takes_tolerances():
    x = tg.tensor([1.0, np.nan, np.inf])

    check_same(tg.isclose(x, [1.2, np.nan, np.inf], rtol=0.3, equal_nan=True), [True, True, True])
    check_same(tg.isclose(x, [1.2, np.nan, np.inf], rtol=0, atol=0.1), [False, False, True])
    assert tg.allclose(x[:1], 1.0)


@pytest.mark.parametrize(
    ("f", "value"),
    [(tg.zeros_like, 0), (tg.ones_like, 1), (lambda *a: tg.full_like(a[0], 2, *a[1:]), 2)],
)
def test_constants_take_shape_and_dtype(f, value):
    x = tg.tensor(np.full((2, 1), 0.5, np.float32), requires_grad=True)

    y = f(x)

    assert (y.shape, y.dtype, y.requires_grad) == ((2, 1), np.float32, False)
    assert f(x, int).dtype == np.int64
    check_same(y, np.full((2, 1), value))
