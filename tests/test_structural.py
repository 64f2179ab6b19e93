"""Moves of elements agree with NumPy's, and their gradients come back to the right places."""

from __future__ import annotations

import sys

import numpy as np
import oracles
import pytest
import standin
from cases.structural import INDICES

import tinygrad_res as tg
from tinygrad_res import backend
from tinygrad_res.errors import DeviceError, DtypeError, ShapeError

X = np.arange(24.0).reshape(2, 3, 4)

# What has the name and the arguments of a function of NumPy.
CALLS = {
    "reshape": [(X, (4, -1)), (X, -1)],
    "ravel": [(X,)],
    "squeeze": [(X[:, :1],), (X[:, :1], 1)],
    "expand_dims": [(X, 0), (X, (1, -1)), (X, -2)],
    "atleast_1d": [(X,), (3.0,), (X, 1.0)],
    "atleast_2d": [(X,), (3.0,), (X[0, 0],)],
    "atleast_3d": [(X,), (3.0,), (X[0, 0],), (X[0],), (X, X[0])],
    "permute_dims": [(X,), (X, (1, -1, 0))],
    "transpose": [(X,), (X, (2, 0, 1))],
    "matrix_transpose": [(X,)],
    "swapaxes": [(X, 0, -1), (X, 1, 1)],
    "moveaxis": [(X, 0, 2), (X, (2, 0), (0, -1)), (X, (-1, 0, 1), (0, 2, 1))],
    "broadcast_to": [(X, (5, 2, 3, 4)), (1.0, 3)],
    "broadcast_arrays": [(X, X[0, 0], 1.0)],
    "meshgrid": [(X[0, 0], X[0, :, 0], X[:, 0, 0]), (X[0, 0],), (X[0, 0], 2.0)],
    "flip": [(X,), (X, 1), (X, (0, -1))],
    "flipud": [(X,)],
    "fliplr": [(X,)],
    "roll": [(X, 5), (X, (1, 2)), (X, -7, 2), (X, (1, -2), (0, 1)), (X, 1, (0, -1)), (X, (1, 2), 1)],
    "rot90": [(X,), (X, 2), (X, 3, (1, 2)), (X, -1, (2, 0)), (X, 4)],
    "concatenate": [((X, X[:1]),), ((X, X[..., :2]), -1), ((X, X[0], 1.0), None)],
    "concat": [((X, X), 1)],
    "stack": [((X, -X),), ((X, -X), -1), ((X, -X), 2)],
    "vstack": [((X, X),), ((X[0, 0], X[0]),)],
    "hstack": [((X, X),), ((X[0, 0], X[0, 0, :1], 1.0),)],
    "dstack": [((X, X),), ((X[0, 0], X[0, 0]),), ((X[0], X[0, :, :, None]),)],
    "column_stack": [((X[0, 0], X[0].T),)],
    "split": [(X, 2), (X, 2, -1), (X, [1, 3], 2), (X, [0, 2, 2, 9, -1], 1), (X, [], 0)],
    "array_split": [(X, 2, 1), (X, 5, 2), (X, [1], -1), (X, 7)],
    "unstack": [(X,)],
    "tile": [(X, 2), (X, (2, 1, 3)), (X, (2, 1, 1, 2)), (X, ()), (2.0, 3), (X, (0, 1))],
    "repeat": [(X, 2), (X, 3, 1), (X, [1, 0, 2], 1), (X, [2], -1), (1.0, 3), (X[0, 0], [1, 2, 0, 1])],
    "pad": [(X, 1), (X, (1, 2)), (X, ((1, 2),)), (X, ((0, 1), (2, 0), (1, 1))), (X, [[1], [0], [2]])]
    + [(X, ((3, 4), (0, 0), (5, 1)), mode) for mode in ("edge", "reflect", "symmetric", "wrap")]
    + [(X[:0], ((0, 0), (1, 1), (0, 0)), "reflect")],
    "take": [(X, [1, -1]), (X, [[2, 0], [0, 0]], 1), (X, 2, -1), (X, np.int64(3))],
    "take_along_axis": [(X, np.argsort(-X), -1), (X, X[:1, :1].astype(int) % 2, 0), (X, np.array([[[2, 0, 2]]]), 2)],
    "sort": [(-X,), (X[::-1], 0), (-X, None)],
    "diag": [(X[0, 0],), (X[0, 0], -2), (X[0],), (X[0], 1), (X[0], -2), (X[0], 9)],
    "diagonal": [(X,), (X, 1), (X, -1, 2, 1), (X, 0, -1, 0), (X, -9)],
    "trace": [(X,), (X, 1, 1, 2), (X[0], -1)],
    "tril": [(X,), (X, 1), (X, -2)],
    "triu": [(X,), (X, 1), (X, -2)],
}  # fmt: skip
LISTED = [(name, args) for name, calls in CALLS.items() for args in calls]
IDS = [f"{name} {[np.shape(a) if isinstance(a, np.ndarray) else a for a in args[1:]]}" for name, args in LISTED]  # fmt: skip


def of_arrays(convert, value):
    """Convert the arrays of floats among the arguments of a call."""
    if isinstance(value, tuple):
        return tuple(of_arrays(convert, v) for v in value)
    return convert(value) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def assert_equal(found, expected):
    if isinstance(expected, (list, tuple)):
        assert type(found) is type(expected)
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_equal(a, b)
        return
    assert isinstance(found, tg.Tensor)
    assert found.shape == np.shape(expected)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize(("name", "args"), LISTED, ids=IDS)
def test_values_equal_those_of_numpy(name, args):
    assert_equal(getattr(tg.primitives, name)(*args), getattr(np, name)(*args))


@pytest.mark.parametrize(("name", "args"), LISTED, ids=IDS)
def test_functions_of_numpy_arrive_with_their_own_arguments(name, args):
    given = tuple(tg.tensor(a) if isinstance(a, float) else a for a in args)

    found = getattr(np, name)(*of_arrays(tg.tensor, given))

    assert_equal(found, getattr(np, name)(*args))


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"broadcast_arrays", "trace"}))
def test_the_dtype_stays(name, dtype):
    args = of_arrays(lambda a: a.astype(dtype), CALLS[name][0])

    found = getattr(tg.primitives, name)(*args)

    for y in found if isinstance(found, (tuple, list)) else [found]:
        assert y.dtype == dtype


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sorting_float32_keeps_the_dtype_of_gradients(axis):
    x = tg.tensor(np.array([[2, 1], [0, 3]], np.float32), requires_grad=True)

    (tg.sort(x, axis) * 2).sum().backward()

    assert x.grad.dtype == np.float32


# Indices


@pytest.mark.parametrize("at", INDICES, ids=str)
def test_every_index_picks_what_numpy_picks(at):
    assert_equal(tg.tensor(X)[at], np.asarray(X[at]))


@pytest.mark.parametrize("at", INDICES, ids=str)
def test_the_gradient_of_an_index_counts_how_often_an_element_was_picked(at):
    x, weights = tg.tensor(X, requires_grad=True), np.random.default_rng(0).normal(size=X[at].shape)
    expected = np.zeros_like(X)
    np.add.at(expected, at, weights)

    x[at].backward(weights)

    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-13)


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

        np.testing.assert_array_equal(y.numpy(), picked)
        np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-14, err_msg=str(at))


@pytest.mark.parametrize("times", [1, 50])
def test_rows_picked_rarely_and_often_get_the_sum_of_their_cotangents(times):
    rng = np.random.default_rng(0)
    table = tg.tensor(rng.normal(size=(40, 3)), requires_grad=True)
    rows = rng.integers(0, 40, size=8 * times)
    cotangent = rng.normal(size=(8 * times, 3))

    table[rows].backward(cotangent)

    one_hot = np.eye(40)[rows]
    np.testing.assert_allclose(table.grad.numpy(), one_hot.T @ cotangent, atol=1e-13)


@pytest.mark.parametrize("at", [[1, 0, 1], [[True, False, True]] * 2])
def test_tensors_are_indices(at):
    x = tg.tensor(X[..., 0])

    assert_equal(x[tg.tensor(at)], x.data[np.array(at)])


def test_a_comparison_of_tensors_is_a_mask():
    x = tg.tensor([1.0, -2.0, 3.0], requires_grad=True)

    x[x > 0].sum().backward()

    np.testing.assert_array_equal(x.grad.numpy(), [1, 0, 1])


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

    np.testing.assert_array_equal(x.grad.numpy(), expected.numpy())


# The device


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setitem(backend.modules, standin.Array, standin.module)
    monkeypatch.setitem(sys.modules, "cupy", standin.module)
    standin.transfers.clear()
    return standin.module


@pytest.mark.parametrize("pick", [
    lambda x, i: x[i],
    lambda x, i: x[:, i],
    lambda x, i: tg.take(x, i, axis=1),
    lambda x, i: tg.take_along_axis(x, i[None], axis=1),
    lambda x, i: tg.index_update(x, (0, i), 5.0),
])  # fmt: skip
@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_an_index_of_either_side_picks_from_a_tensor_on_the_device(device, pick, where):
    values, rows = np.arange(4.0).reshape(2, 2), np.array([1, 1])
    x = tg.tensor(device.asarray(values), requires_grad=True)

    y = pick(x, rows if where == "cpu" else device.asarray(rows))
    (y * y).sum().backward()

    assert y.device == x.grad.device == "cuda"
    assert standin.transfers == []
    expected = tg.grad(lambda x: (pick(x, rows) ** 2).sum())(tg.tensor(values))
    np.testing.assert_array_equal(x.grad.numpy(), expected.numpy())


def test_an_index_on_the_device_picks_nothing_from_a_tensor_of_the_host(device):
    with pytest.raises(DeviceError, match="getitem: the index is on cuda and the tensor on cpu"):
        tg.tensor(X)[device.asarray(np.array([1]))]


def test_counts_on_the_device_are_refused_as_lengths(device):
    counts = device.asarray(np.array([1, 2]))

    with pytest.raises(DeviceError, match="repeat: repeats on cuda: they are lengths"):
        tg.repeat(tg.tensor(device.asarray(np.ones(2))), counts)


# Order


def test_equal_elements_keep_their_order_in_both_directions():
    x = tg.tensor([1.0, 2.0, 1.0, 2.0], requires_grad=True)

    rising = tg.grad(lambda x: tg.sort(x) @ np.arange(4.0))(x)
    falling = tg.grad(lambda x: tg.sort(x, descending=True) @ np.arange(4.0))(x)

    np.testing.assert_array_equal(rising.numpy(), [0, 2, 1, 3])
    np.testing.assert_array_equal(falling.numpy(), [2, 0, 3, 1])


def test_nan_sorts_as_the_largest():
    x = tg.tensor([np.nan, 1.0, 2.0])

    np.testing.assert_array_equal(tg.sort(x).numpy(), [1, 2, np.nan])
    np.testing.assert_array_equal(tg.sort(x, descending=True).numpy(), [np.nan, 2, 1])


def test_integers_sort_downwards_without_overflow():
    x = np.array([0, 255, 7], np.uint8)

    assert_equal(tg.sort(x, descending=True), np.array([255, 7, 0], np.uint8))


def test_topk_equals_that_of_torch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(4, 7, 3))
    theirs = torch.tensor(x, requires_grad=True)
    expected = torch.topk(theirs, 3, dim=1)
    ours = tg.tensor(x, requires_grad=True)
    weights = np.random.default_rng(1).normal(size=(4, 3, 3))

    values, places = tg.topk(ours, 3, axis=1)
    (values * weights).sum().backward()
    (expected.values * torch.tensor(weights)).sum().backward()

    np.testing.assert_array_equal(values.numpy(), expected.values.detach().numpy())
    np.testing.assert_array_equal(places.numpy(), expected.indices.numpy())
    np.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())
    assert not places.requires_grad


def test_topk_of_equal_elements_takes_the_first():
    np.testing.assert_array_equal(tg.topk([1.0, 3.0, 3.0, 3.0], 2)[1].numpy(), [1, 2])


# Updates


@pytest.mark.parametrize("at", INDICES, ids=str)
def test_an_update_equals_assignment_to_a_copy(at):
    expected, values = X.copy(), -1 - np.arange(X[at].size).reshape(X[at].shape)
    expected[at] = values
    added = X.copy()
    np.add.at(added, at, 2.0)

    assert_equal(tg.index_update(X, at, values), expected)
    assert_equal(tg.index_add(X, at, 2.0), added)


def test_of_several_values_for_one_place_that_which_stands_there_gets_the_gradient():
    x = tg.tensor([0.0, 0.0], requires_grad=True)
    values = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)

    y = tg.index_update(x, [1, 1, 1], values)
    (y * [5.0, 7.0]).sum().backward()

    np.testing.assert_array_equal(y.numpy(), [0, 3])
    np.testing.assert_array_equal(x.grad.numpy(), [5, 0])
    np.testing.assert_array_equal(values.grad.numpy(), [0, 0, 7])


def test_an_update_keeps_float32_and_the_values_it_was_made_from():
    x = tg.tensor(np.zeros(3, np.float32))

    y = tg.index_update(x, 0, 1.0)

    assert y.dtype == tg.index_add(x, [0], np.ones(1)).dtype == np.float32
    np.testing.assert_array_equal(x.numpy(), [0, 0, 0])


def test_an_update_keeps_nan_out_of_what_it_replaces():
    x = tg.tensor([np.nan, 2.0], requires_grad=True)

    y = tg.index_update(x, 0, 1.0)
    (y * y).sum().backward()

    np.testing.assert_array_equal(y.numpy(), [1, 2])
    np.testing.assert_array_equal(x.grad.numpy(), [0, 4])


# Windows and borders


@pytest.mark.parametrize(("size", "axis"), [(2, 1), ((2, 3), (0, 2)), ((3, 1), (-1, 0)), ((2, 2, 2), None)])  # fmt: skip
def test_windows_equal_those_of_numpy(size, axis):
    view = np.lib.stride_tricks.sliding_window_view(X, size, axis=axis)

    assert_equal(tg.sliding_windows(X, size, axis=axis), view)


def test_windows_start_every_stride():
    x = np.arange(30.0).reshape(5, 6)

    found = tg.sliding_windows(x, (2, 3), (3, 2), axis=(0, 1))

    assert_equal(found, np.lib.stride_tricks.sliding_window_view(x, (2, 3))[::3, ::2])


def test_folding_windows_counts_how_many_hold_an_element():
    x = tg.tensor(np.zeros(6), requires_grad=True)

    tg.sliding_windows(x, 3).sum().backward()

    np.testing.assert_array_equal(x.grad.numpy(), [1, 2, 3, 3, 2, 1])


@pytest.mark.parametrize("call", [
    lambda x: tg.pad(x, 1, 7.0),
    lambda x: tg.pad(x, 1, value=7.0),
    lambda x: tg.pad(x, 1, "constant", 7),
    lambda x: np.pad(x, 1, constant_values=7.0),
    lambda x: np.pad(x, pad_width=((1, 1), (1, 1)), mode="constant", constant_values=np.float32(7)),
])  # fmt: skip
def test_a_constant_border_has_several_spellings(call):
    assert_equal(call(tg.tensor(X[0])), np.pad(X[0], 1, constant_values=7.0))


# Joints


@pytest.mark.parametrize(("f", "count"), [
    (lambda x: tg.stack([x, x, x]), 3),
    (lambda x: tg.concat([x, x]), 2),
    (lambda x: tg.tile(x, 3), 1),
    (lambda x: tg.repeat(x, 2, axis=0), 1),
    (lambda x: tg.roll(x, 1, axis=0), 1),
    (lambda x: tg.flip(x), 1),
    (lambda x: tg.rot90(x), 1),
    (lambda x: tg.sort(x), 1),
    (lambda x: tg.pad(x, 1, "wrap"), 1),
    (lambda x: tg.diagonal(x), 1),
    (lambda x: tg.sliding_windows(x, 2), 1),
])  # fmt: skip
def test_a_move_is_one_node_with_an_edge_for_each_operand(f, count):
    x = tg.tensor(np.eye(2), requires_grad=True)

    assert len(tg.graph(f(x)).edges) == count


def test_pieces_put_together_again_are_the_whole():
    x = tg.tensor(X)

    assert_equal(tg.concat(tg.split(x, 3, axis=1), axis=1), X)
    assert_equal(tg.stack(tg.unstack(x, axis=-1), axis=-1), X)


def test_atleast_gives_back_a_tensor_that_has_the_axes_already():
    x = tg.tensor(X)

    assert tg.atleast_1d(x) is tg.atleast_2d(x) is tg.atleast_3d(x) is x


def test_pieces_of_zero_length_have_gradients_too():
    oracles.check(lambda x: tg.concat(tg.split(x, [0, 0, 2])), *oracles.distinct((3,)))


@pytest.mark.parametrize("f", [tg.tril, tg.triu])
def test_a_triangle_leaves_nan_outside_and_its_gradient_too(f):
    values = np.full((2, 2), np.nan)
    values[np.eye(2, dtype=bool)] = 1
    x = tg.tensor(values if f is tg.tril else values.T, requires_grad=True)
    inside = getattr(np, f.__name__)(np.ones((2, 2)))

    f(x).sum().backward()

    np.testing.assert_array_equal(x.grad.numpy(), inside)


@pytest.mark.parametrize(("call", "kind"), [
    (lambda x: x[[0, 1.0]], DtypeError),
    (lambda x: x["a"], DtypeError),
    (lambda x: x[[[0], [1, 1]]], ShapeError),
    (lambda x: x[..., ...], ShapeError),
    (lambda x: x[:, [3]], ShapeError),
    (lambda x: x[[0, 1], [0, 1, 2]], ShapeError),
    (lambda x: tg.take_along_axis(x, [[0, 0, 0, 0]], axis=0), ShapeError),
    (lambda x: tg.broadcast_to(x, (-1, 3)), ShapeError),
])  # fmt: skip
def test_bad_indices_and_shapes_are_errors_of_the_project(call, kind):
    with pytest.raises(kind):
        call(tg.tensor(np.ones((2, 3))))
