"""Data changed between forward and backward changes no gradient: it is copied or locked."""

from __future__ import annotations

import contextlib
import copy
import pickle

import numpy as np
import pytest
from oracles import check_same

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, ShapeError
from tinygrad_res.tensor import renew


def tracked(values):
    return tg.tensor(values, requires_grad=True)


def test_a_tensor_has_its_own_copy_of_the_array(put):
    a = put([1.0, 2.0])
    x = tracked(a)

    y = (x * x).sum()
    a[:] = 7
    y.backward()

    check_same(x, [1, 2])
    check_same(x.grad, [2, 4])


MUTATIONS = {
    "operand": (lambda x, a: x * a, np.array([3.0, 5.0])),
    "first operand": (lambda x, a: a * x, np.array([3.0, 5.0])),
    "matmul": (lambda x, a: x @ a, np.array([3.0, 5.0])),
    "exponent": (lambda x, a: x**a, np.array([3.0, 2.0])),
    "condition": (lambda x, a: tg.where(a, 2 * x, 3 * x), np.array([True, False])),
    "index": (lambda x, a: x[a], np.array([1, 1, 0])),
    "index in a tuple": (lambda x, a: x[None, a], np.array([1, 1, 0])),
    "mask": (lambda x, a: x[a], np.array([False, True])),
    "labels": (lambda x, a: tg.cross_entropy(x.reshape(1, 2), a), np.array([1])),
    "concatenated": (lambda x, a: tg.concat([x * x, a]) * tg.concat([x, a]), np.array([1.0, 2.0])),
}


@pytest.mark.parametrize("case", MUTATIONS)
def test_an_array_changed_after_the_call_changes_no_gradient(case, put):
    f, a = MUTATIONS[case]
    x, changed = tracked([1.0, 2.0]), put(a)
    expected = tg.grad(lambda x: f(x, a).sum())(x.data)

    y = f(x, changed).sum()
    changed[:] = ~changed if changed.dtype == bool else 0
    y.backward()

    check_same(x.grad, expected)


def test_a_cotangent_changed_after_the_call_changes_no_gradient(put):
    x, c = tracked([1.0, 2.0]), put([3.0, 5.0])

    (x + 0).backward(c)
    c[:] = 0

    check_same(x.grad, [3, 5])


def test_arrays_handed_out_can_be_changed_without_changing_a_gradient():
    y, back = tg.vjp(tg.exp, np.zeros(2))
    y[:] = 7
    (g,) = back(np.ones(2))
    g[:] = 7

    check_same(back(np.ones(2))[0], [1, 1])


def test_gradients_of_one_call_are_arrays_of_their_own():
    g, h = tg.grad(lambda x, y: (x + y).sum(), (0, 1))(np.ones(2), np.ones(2))

    g *= 5

    check_same(h, [1, 1])


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_is_a_leaf_of_its_own(twin):
    x = tg.parameter(np.array([1.0, 2.0], np.float32), name="w", requires_grad=True)

    y = twin(x)
    (y * y).sum().backward()
    x.data = [5.0, 6.0]

    assert (type(y), y.name, y.dtype, x.grad) == (tg.Parameter, "w", np.float32, None)
    check_same(y.grad, [2, 4])
    check_same(y, [1, 2])


def test_copies_of_tensors_that_want_no_gradient_want_none():
    frozen = tg.parameter([1.0], requires_grad=False)

    assert not copy.deepcopy(frozen).requires_grad
    assert not copy.deepcopy(tg.tensor([1.0]) * 2).requires_grad


def test_a_computed_tensor_is_not_copied():
    with pytest.raises(GradientError, match=r"copy: .* computed by multiply"):
        copy.deepcopy(tracked([1.0]) * 2)


def test_nothing_written_into_data_reaches_the_tensor():
    x = tracked([1.0, 2.0])

    with contextlib.suppress(ValueError):  # read-only on the CPU, a copy on a device
        x.data[0] = 5

    check_same(x, [1, 2])


@pytest.mark.cpu
def test_data_is_read_only_and_numpy_is_a_copy():
    x = tracked([1.0, 2.0])

    with pytest.raises(ValueError, match="read-only"):
        x.data[0] = 5
    x.numpy()[0] = 5

    check_same(x, [1, 2])


def test_a_leaf_assigned_after_the_forward_pass_leaves_the_recorded_gradient(put):
    x = tracked([1.0, 2.0])
    values = put([10.0, 20.0])

    y = (x * x).sum()
    x.data = values
    values[:] = 0
    y.backward()

    check_same(x.grad, [2, 4])
    check_same(x, [10, 20])


@pytest.mark.parametrize("values", [[5.0], np.array([5], np.float32)])
def test_a_leaf_renewed_after_the_forward_pass_leaves_the_recorded_gradient(put, values):
    w = tracked(put([2.0]))
    given = put(values)

    y = (w * w).sum()
    renew(w, given)
    y.backward()

    check_same(w.grad, [4])
    check_same(w, [5])
    assert w.dtype == float
    with pytest.raises(ShapeError, match="data: what is assigned has shape"):
        renew(w, put([1.0, 2.0]))


@pytest.mark.cpu
def test_an_array_that_renews_a_leaf_is_locked():
    given = np.array([5.0])

    renew(tg.parameter([2.0]), given)

    assert not given.flags.writeable


def test_gradients_of_two_leaves_are_assigned_independently():
    x, y = tracked([1.0]), tracked([1.0])

    (x + y).sum().backward(create_graph=True)
    x.grad.data = [7.0]

    check_same(y.grad, [1])


def test_elements_and_computed_values_cannot_be_assigned():
    x = tracked([1.0, 2.0])

    with pytest.raises(GradientError, match=r"tg\.where"):
        x[0] = 5.0
    with pytest.raises(GradientError, match="computed by multiply"):
        (x * x).data = [1.0, 2.0]
