"""Moves of elements agree with NumPy's, and their gradients come back to the right places."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from oracles import check_identical, check_same

import tinygrad_res as tg

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


@pytest.mark.parametrize(("name", "args"), LISTED, ids=IDS)
def test_values_equal_those_of_numpy(name, args, put):
    check_identical(getattr(tg.primitives, name)(*of_arrays(put, args)), getattr(np, name)(*args))


@pytest.mark.parametrize(("name", "args"), LISTED, ids=IDS)
def test_functions_of_numpy_arrive_with_their_own_arguments(name, args):
    given = tuple(tg.tensor(a) if isinstance(a, float) else a for a in args)

    found = getattr(np, name)(*of_arrays(tg.tensor, given))

    check_identical(found, getattr(np, name)(*args))


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"broadcast_arrays", "trace"}))
def test_the_dtype_stays(name, dtype, put):
    args = of_arrays(lambda a: put(a.astype(dtype)), CALLS[name][0])

    found = getattr(tg.primitives, name)(*args)

    for y in found if isinstance(found, (tuple, list)) else [found]:
        assert y.dtype == dtype


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sorting_float32_keeps_the_dtype_of_gradients(axis):
    x = tg.tensor(np.array([[2, 1], [0, 3]], np.float32), requires_grad=True)

    (tg.sort(x, axis) * 2).sum().backward()

    assert x.grad.dtype == np.float32


# Order


def test_equal_elements_keep_their_order_in_both_directions():
    x = tg.tensor([1.0, 2.0, 1.0, 2.0], requires_grad=True)

    rising = tg.grad(lambda x: tg.sort(x) @ np.arange(4.0))(x)
    falling = tg.grad(lambda x: tg.sort(x, descending=True) @ np.arange(4.0))(x)

    check_same(rising, [0, 2, 1, 3])
    check_same(falling, [2, 0, 3, 1])


def test_nan_sorts_as_the_largest():
    x = tg.tensor([np.nan, 1.0, 2.0])

    check_same(tg.sort(x), [1, 2, np.nan])
    check_same(tg.sort(x, descending=True), [np.nan, 2, 1])


def test_integers_sort_downwards_without_overflow():
    x = np.array([0, 255, 7], np.uint8)

    check_identical(tg.sort(x, descending=True), np.array([255, 7, 0], np.uint8))


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

    check_same(values, expected.values.detach().numpy())
    check_same(places, expected.indices.numpy())
    check_same(ours.grad, theirs.grad.numpy())
    assert not places.requires_grad


def test_topk_of_equal_elements_takes_the_first():
    check_same(tg.topk([1.0, 3.0, 3.0, 3.0], 2)[1], [1, 2])


# Windows and borders


@pytest.mark.parametrize(("size", "axis"), [(2, 1), ((2, 3), (0, 2)), ((3, 1), (-1, 0)), ((2, 2, 2), None)])  # fmt: skip
def test_windows_equal_those_of_numpy(size, axis):
    view = np.lib.stride_tricks.sliding_window_view(X, size, axis=axis)

    check_identical(tg.sliding_windows(X, size, axis=axis), view)


def test_windows_start_every_stride():
    x = np.arange(30.0).reshape(5, 6)

    found = tg.sliding_windows(x, (2, 3), (3, 2), axis=(0, 1))

    check_identical(found, np.lib.stride_tricks.sliding_window_view(x, (2, 3))[::3, ::2])


def test_folding_windows_counts_how_many_hold_an_element():
    x = tg.tensor(np.zeros(6), requires_grad=True)

    tg.sliding_windows(x, 3).sum().backward()

    check_same(x.grad, [1, 2, 3, 3, 2, 1])


def test_the_cotangent_of_windows_has_windows_as_its_gradient():
    x, weights = np.zeros(4), np.arange(4.0)
    cotangent = tg.tensor(np.ones((3, 2)), requires_grad=True)

    (pulled,) = tg.vjp(lambda x: tg.sliding_windows(x, 2), x)[1](cotangent)
    (pulled * weights).sum().backward()

    check_same(cotangent.grad, [[0, 1], [1, 2], [2, 3]])


@pytest.mark.parametrize("call", [
    lambda x: tg.pad(x, 1, 7.0),
    lambda x: tg.pad(x, 1, value=7.0),
    lambda x: tg.pad(x, 1, "constant", 7),
    lambda x: np.pad(x, 1, constant_values=7.0),
    lambda x: np.pad(x, pad_width=((1, 1), (1, 1)), mode="constant", constant_values=np.float32(7)),
])  # fmt: skip
def test_a_constant_border_has_several_spellings(call):
    check_identical(call(tg.tensor(X[0])), np.pad(X[0], 1, constant_values=7.0))


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

    check_identical(tg.concat(tg.split(x, 3, axis=1), axis=1), X)
    check_identical(tg.stack(tg.unstack(x, axis=-1), axis=-1), X)


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

    check_same(x.grad, inside)
