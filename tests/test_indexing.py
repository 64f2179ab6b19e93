"""Indexing and updates: what is picked and replaced, and where the gradient goes."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
from cases.structural import INDICES
from oracles import check_close, check_identical, check_same, host

import tinygrad_res as tg
from tinygrad_res.errors import DeviceError, DtypeError, ShapeError

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize("at", INDICES, ids=str)
def test_every_index_picks_what_numpy_picks(at):
    check_identical(tg.tensor(X)[at], np.asarray(X[at]))


@pytest.mark.parametrize("at", INDICES, ids=str)
def test_the_gradient_of_an_index_counts_how_often_an_element_was_picked(at):
    x, weights = tg.tensor(X, requires_grad=True), np.random.default_rng(0).normal(size=X[at].shape)
    expected = np.zeros_like(X)
    np.add.at(expected, at, weights)

    x[at].backward(weights)

    check_close(x.grad, expected, rtol=1e-13)


def test_random_indices_agree_with_numpy_forward_and_backward():
    rng = np.random.default_rng(1)
    for _ in range(200):
        shape = tuple(rng.integers(1, 5, size=rng.integers(1, 5)))
        at, common = [], tuple(rng.integers(1, 4, size=rng.integers(0, 3)))
        for n in shape[: rng.integers(0, len(shape) + 1)]:
            kind = rng.integers(5)
            if kind == 0:
                at.append(int(rng.integers(-n, n)))
            elif kind == 1:
                ends = rng.integers(-n - 1, n + 2, size=2)
                at.append(slice(int(ends[0]), int(ends[1]), int(rng.choice([-2, -1, 1, 2]))))
            elif kind == 2:
                at.append(rng.integers(-n, n, size=common))
            elif kind == 3:
                at += [None, slice(None)]
            else:
                at.append(np.asarray(rng.integers(-n, n, size=common[-1:])))
        at = tuple(at)
        values = rng.normal(size=shape)
        x, picked = tg.tensor(values, requires_grad=True), values[at]
        expected = np.zeros(shape)
        np.add.at(expected, at, 2 * picked)

        y = x[at]
        (y * y).sum().backward()

        check_same(y, picked)
        check_close(x.grad, expected, atol=1e-14, what=str(at))


@pytest.mark.parametrize("times", [1, 50])
def test_rows_picked_rarely_and_often_get_the_sum_of_their_cotangents(times):
    rng = np.random.default_rng(0)
    table = tg.tensor(rng.normal(size=(40, 3)), requires_grad=True)
    rows = rng.integers(0, 40, size=8 * times)
    cotangent = rng.normal(size=(8 * times, 3))

    table[rows].backward(cotangent)

    one_hot = np.eye(40)[rows]
    check_close(table.grad, one_hot.T @ cotangent, atol=1e-13)


@pytest.mark.parametrize("at", [[1, 0, 1], [[True, False, True]] * 2])
def test_tensors_are_indices(at):
    x = tg.tensor(X[..., 0])

    check_identical(x[tg.tensor(at)], X[..., 0][np.array(at)])


def test_a_comparison_of_tensors_is_a_mask():
    x = tg.tensor([1.0, -2.0, 3.0], requires_grad=True)

    x[x > 0].sum().backward()

    check_same(x.grad, [1, 0, 1])


@pytest.mark.parametrize("pick", [
    lambda x, i: x[i],
    lambda x, i: x[i, i],
    lambda x, i: tg.take(x, i, axis=0),
    lambda x, i: tg.take_along_axis(x, i[:, None], axis=0),
    lambda x, i: tg.index_add(x, (i, 0), 1.0) * x,
    lambda x, i: tg.repeat(x, i, axis=0),
])  # fmt: skip
def test_an_index_changed_after_its_use_changes_no_gradient(pick):
    x, rows = tg.tensor(np.arange(4.0).reshape(2, 2) + 1, requires_grad=True), np.array([1, 0])
    expected = tg.grad(lambda x: (pick(x, np.array([1, 0])) ** 2).sum())(x)

    loss = (pick(x, rows) ** 2).sum()
    rows[:] = 0
    loss.backward()

    check_same(x.grad, expected)


# The device


@pytest.mark.parametrize("pick", [
    lambda x, i: x[i],
    lambda x, i: x[:, i],
    lambda x, i: tg.take(x, i, axis=1),
    lambda x, i: tg.take_along_axis(x, i[None], axis=1),
    lambda x, i: tg.index_update(x, (0, i), 5.0),
])  # fmt: skip
@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_an_index_of_either_side_picks_from_a_tensor_on_the_device(xp, pick, where):
    values, rows = np.arange(4.0).reshape(2, 2), np.array([1, 1])
    x = tg.tensor(xp.asarray(values), requires_grad=True)

    y = pick(x, rows if where == "cpu" else xp.asarray(rows))
    (y * y).sum().backward()

    assert y.device == x.grad.device == "cuda"
    expected = tg.grad(lambda x: (pick(x, rows) ** 2).sum())(tg.tensor(values))
    check_same(x.grad, expected)


def test_an_index_on_the_device_picks_nothing_from_a_tensor_of_the_host(xp):
    with pytest.raises(DeviceError, match="getitem: the index is on cuda and the tensor on cpu"):
        tg.tensor(X)[xp.asarray(np.array([1]))]


def test_counts_on_the_device_are_refused_as_lengths(xp):
    counts = xp.asarray(np.array([1, 2]))

    with pytest.raises(DeviceError, match="repeat: repeats on cuda: they are lengths"):
        tg.repeat(tg.tensor(xp.asarray(np.ones(2))), counts)


# Updates


@pytest.mark.parametrize("at", INDICES, ids=str)
def test_an_update_equals_assignment_to_a_copy(at, put):
    expected, values = X.copy(), -1 - np.arange(X[at].size).reshape(X[at].shape)
    expected[at] = values
    values = expected[at]  # the same for the same place
    added = X.copy()
    np.add.at(added, at, 2.0)

    check_identical(tg.index_update(put(X), at, put(values)), expected)
    check_identical(tg.index_add(put(X), at, 2.0), added)


def test_of_several_values_for_one_place_that_which_stands_there_gets_the_gradient():
    x = tg.tensor([0.0, 0.0], requires_grad=True)
    values = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)

    y = tg.index_update(x, [1, 1, 1], values)
    (y * [5.0, 7.0]).sum().backward()

    kept, stands = host(y)
    assert kept == 0 and stands in (1, 2, 3)
    check_same(x.grad, [5, 0])
    check_same(values.grad, 7 * (np.array([1, 2, 3]) == stands))


def test_an_update_keeps_float32_and_the_values_it_was_made_from(put):
    x = tg.tensor(np.zeros(3, np.float32))

    y = tg.index_update(x, 0, 1.0)

    assert y.dtype == tg.index_add(x, [0], put(np.ones(1))).dtype == np.float32
    check_same(x, [0, 0, 0])


def test_an_update_keeps_nan_out_of_what_it_replaces():
    x = tg.tensor([np.nan, 2.0], requires_grad=True)

    y = tg.index_update(x, 0, 1.0)
    (y * y).sum().backward()

    check_same(y, [1, 2])
    check_same(x.grad, [0, 4])


# Errors


@pytest.mark.parametrize(("call", "kind"), [
    (lambda x: x[[0, 1.0]], DtypeError),
    (lambda x: x["a"], DtypeError),
    (lambda x: x[[[0], [1, 1]]], ShapeError),
    (lambda x: x[..., ...], ShapeError),
    (lambda x: x[[0, 1], [0, 1, 2]], ShapeError),
    (lambda x: tg.take_along_axis(x, [[0, 0, 0, 0]], axis=0), ShapeError),
    (lambda x: tg.broadcast_to(x, (-1, 3)), ShapeError),
])  # fmt: skip
def test_bad_indices_and_shapes_are_errors_of_the_project(call, kind):
    with pytest.raises(kind):
        call(tg.tensor(np.ones((2, 3))))


@pytest.mark.cpu
def test_an_index_beyond_an_axis_is_an_error_on_the_cpu():
    with pytest.raises(ShapeError):
        tg.tensor(np.ones((2, 3)))[:, [3]]


def test_a_bound_changed_after_its_use_changes_no_gradient():
    bound, x = np.array(1), tg.tensor([1.0, 2.0, 3.0], requires_grad=True)

    y = x[:bound]
    bound[...] = 3
    y.backward([1.0])

    check_same(x.grad, [1, 0, 0])


def test_a_named_tuple_is_an_index_of_axes():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])

    check_same(x[namedtuple("Place", ["row", "column"])(0, 1)], 2)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint8])
def test_places_from_the_end_of_a_long_axis_may_have_few_bits(dtype):
    places = np.array([-1, 3, 3]).astype(dtype)
    x = np.arange(300.0)

    found = tg.grad(lambda x: (x[places] * [1.0, 2.0, 3.0]).sum())(x)

    expected = np.zeros(300)
    np.add.at(expected, places.astype(int), [1.0, 2.0, 3.0])
    check_same(found, expected)
