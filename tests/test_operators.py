"""Operators and methods of tensors: NumPy's, in-place ones, and names that are not there."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest
from oracles import check_close, check_same

import tinygrad_res as tg
from tinygrad_res import operators
from tinygrad_res.errors import (
    ConversionError,
    DtypeError,
    GradientError,
    ShapeError,
    UsageError,
)

A = np.array([[1.5, -2.0, 0.5], [3.0, 1.0, -0.25]])
B = np.array([[2.0, 0.5, -1.0], [1.0, 3.0, 2.0]])
COUNTS = np.array([[1, 2, 3], [4, 5, 6]])
MASK = A > 0


def tracked(values):
    return tg.tensor(values, requires_grad=True)


# Agreement with NumPy's arrays


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "floordiv", "mod"])
def test_arithmetic_agrees_with_numpy_on_either_side(name):
    f = getattr(operator, name)

    for left, right in ((A, B), (A, 2.0), (2.0, B), (COUNTS, 2), (7, COUNTS)):
        expected = f(left, right)
        for x, y in (
            (tg.tensor(left), tg.tensor(right)),
            (tg.tensor(left), right),
            (left, tg.tensor(right)),
        ):
            found = f(x, y)
            check_same(found, expected)
            assert found.dtype == expected.dtype


@pytest.mark.parametrize("name", ["and_", "or_", "xor"])
def test_logic_agrees_with_numpy_on_either_side(name):
    f = getattr(operator, name)

    for left, right in ((MASK, ~MASK), (MASK, True), (COUNTS, 3), (6, COUNTS)):
        check_same(f(tg.tensor(left), right), f(left, right))
        check_same(f(left, tg.tensor(right)), f(left, right))


def test_powers_products_and_signs_agree_with_numpy():
    x = tg.tensor(A)

    check_same(x**2, A**2)
    check_same(2**x, 2**A)
    check_same(x @ B.T, A @ B.T)
    check_same(A.T @ tg.tensor(B), A.T @ B)
    check_same(-x, -A)
    check_same(+x, A)
    check_same(abs(x), abs(A))
    check_same(~tg.tensor(MASK), ~MASK)
    check_same(x.T, A.T)
    check_same(tg.tensor(np.stack([A, B])).mT, np.stack([A, B]).swapaxes(1, 2))


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_comparisons_agree_with_numpy(name):
    f = getattr(operator, name)

    check_same(f(tg.tensor(A), 0.5), f(A, 0.5))
    check_same(f(A, tg.tensor(B)), f(A, B))
    assert f(tg.tensor(A), 0.5).dtype == bool


METHODS = {
    "all": [(), (1,)], "any": [(), (0,)], "argmax": [(), (1,)], "argmin": [(), (0,)],
    "argsort": [(), (0,)], "astype": [("float32",)], "clip": [(-1, 1)], "cumprod": [(), (0,)],
    "cumsum": [(), (1,)], "diagonal": [(), (1,)], "dot": [(B.T,)], "max": [(), (1,)],
    "mean": [(), (0,)], "min": [(), (0,)], "prod": [(), (1,)], "ravel": [()], "repeat": [(2,), (2, 1)],
    "round": [(), (1,)], "squeeze": [()], "std": [(), (0,)], "sum": [(), (1,)],
    "swapaxes": [(0, 1)], "take": [([0, 2], 1), ([5, 1],)], "trace": [()], "var": [(), (1,)],
    "flatten": [()], "reshape": [(3, 2), ((-1,),)], "transpose": [(), (1, 0), ((1, 0),)],
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods_agree_with_those_of_arrays(name):
    for args in METHODS[name]:
        expected = getattr(A, name)(*args)
        found = getattr(tg.tensor(A), name)(*args)
        check_close(found, expected, rtol=1e-15)
        assert found.dtype == expected.dtype


@pytest.mark.cpu
def test_every_method_is_compared():
    assert set(METHODS) >= set(operators.METHODS) - {"nonzero"}


def test_nonzero_gives_an_index_for_each_axis():
    for found, expected in zip(tg.tensor(A).nonzero(), A.nonzero(), strict=True):
        check_same(found, expected)


def test_a_tensor_of_one_integer_serves_as_an_index_and_a_count():
    assert "abc"[tg.tensor(1)] == "b"
    assert list(range(tg.tensor(3))) == [0, 1, 2]
    with pytest.raises(TypeError):
        "abc"[tg.tensor(1.0)]


def test_a_tensor_of_one_element_is_formatted_as_a_number():
    assert f"{tg.tensor(1.23456):.2f}" == "1.23"
    assert f"{tg.tensor([1.0])}" == "tensor([1.])"


def test_an_array_met_from_the_left_is_recorded():
    x = tracked(A)

    for y in (A + x, A * x, A - x, A / x, A @ x.T, np.float64(2) * x, np.exp(x)):
        assert y.requires_grad


@pytest.mark.cpu
def test_a_number_does_not_leave_a_record_by_itself():
    x = tracked(2.0)

    for leave in (float, int, math.sin):
        with pytest.raises(
            ConversionError, match=r"would drop the record silently: use x\.item\(\)"
        ):
            leave(x)
    with tg.no_grad():
        assert float(x) == 2
    assert math.sin(tg.tensor(0.0)) == 0
    assert f"{x:.1f}" == "2.0"


def test_several_elements_have_no_one_truth_value():
    with pytest.raises(ShapeError, match=r"bool: a tensor of shape \(2,\) has no one truth value"):
        bool(tg.tensor([1.0, 2.0]) > 0)


def test_rounding_and_division_with_remainder_agree_with_python():
    x = tg.tensor([7.25, -2.5])

    check_same(round(x), [7, -2])
    check_same(round(x, 1), [7.2, -2.5])
    for found, expected in zip(divmod(5.0, x), np.divmod(5.0, [7.25, -2.5]), strict=True):
        check_same(found, expected)
    for found, expected in zip(divmod(x, 2), np.divmod([7.25, -2.5], 2), strict=True):
        check_same(found, expected)
    check_same(tg.tensor([1, 2]) << 2, [4, 8])
    check_same(tg.tensor([4, 9]) >> 1, [2, 4])


# In place


def test_in_place_operators_make_new_values_of_computed_tensors():
    x = tracked([1.0, 2.0])

    y = before = x * x
    y += 1
    y *= x
    y -= np.array([1.0, 1.0])
    y /= 2
    y **= 2
    y.sum().backward()

    check_same(before, [1, 4])
    expected = tg.grad(lambda x: ((((x * x + 1) * x - 1) / 2) ** 2).sum())(np.array([1.0, 2.0]))
    check_same(x.grad, expected)


def test_a_constant_that_takes_in_a_recorded_value_is_recorded():
    x, total = tracked([1.0, 2.0]), tg.tensor(0.0)

    for _ in range(3):
        total += (x * x).sum()
    total.backward()

    check_same(x.grad, [6, 12])


def test_a_leaf_is_not_changed_in_place_while_recording_is_on():
    x = tracked([1.0, 2.0])

    with pytest.raises(GradientError, match=r"-=: this would make a computed tensor of a leaf"):
        x -= 0.1

    check_same(x, [1, 2])
    assert x.requires_grad


def test_a_leaf_takes_a_new_value_in_place_where_recording_is_off():
    w = same = tg.parameter([1.0, 2.0], name="w")
    y = (w * w).sum()

    with tg.no_grad():
        w -= np.array([0.5, 0.5])
    y.backward()

    assert w is same
    check_same(w, [0.5, 1.5])
    check_same(w.grad, [2, 4])  # of the values it had
    assert (w.name, w.requires_grad) == ("w", True)


def test_a_constant_takes_a_new_value_in_place_under_all_its_names():
    x = same = tg.tensor([1.0, 2.0])

    x += 1

    assert x is same
    check_same(same, [2, 3])


def test_a_frozen_parameter_takes_a_new_value_in_place():
    w = same = tg.parameter([1.0], name="w", requires_grad=False)

    w += 1

    assert w is same
    check_same(w, [2])


def test_a_computed_tensor_keeps_its_record_in_place_or_says_why_not():
    y = tracked([1.0]) * 2

    with tg.no_grad(), pytest.raises(GradientError, match=r"\*=: inside tg.no_grad\(\) this would"):
        y *= 2

    assert y.requires_grad


def test_in_place_operators_keep_shape_and_dtype():
    x = tracked(np.array([1.0, 2.0], np.float32)) * 1

    with pytest.raises(
        ShapeError, match=r"\+=: the tensor has shape \(2,\) and the result \(3, 2\)"
    ):
        x += np.ones((3, 2))
    counts = tg.tensor([1, 2])
    with pytest.raises(DtypeError, match=r"/=: a tensor of int64 cannot take float64"):
        counts /= 2
    x += np.ones(2)
    counts //= 2

    assert x.dtype == np.float32
    check_same(counts, [0, 1])


def test_elements_are_not_assigned():
    x = tracked([1.0])

    with pytest.raises(GradientError, match=r"tg\.index_update"):
        x[0] += 1


# What it is


def test_requires_grad_can_be_assigned_to_leaves():
    x = tg.tensor([1.0, 2.0], name="x")

    x.requires_grad = True
    (x * x).sum().backward()
    check_same(x.grad, [2, 4])
    x.requires_grad = False

    assert not (x * x).requires_grad
    assert x.name == "x"
    with pytest.raises(GradientError, match=r"computed by multiply.*tg\.stop_gradient"):
        (tracked([1.0]) * 2).requires_grad = False
    with pytest.raises(DtypeError, match="requires_grad: dtype int64 carries no gradient"):
        tg.tensor([1]).requires_grad = True


@pytest.mark.parametrize(
    ("f", "origin"),
    [
        (tg.sign, "sign"),
        (tg.floor, "floor"),
        (tg.stop_gradient, "stop_gradient"),
        (tg.round, "round"),
    ],
)
def test_the_end_of_a_record_says_where_the_gradient_stopped(f, origin):
    with pytest.raises(GradientError, match=f"it comes from {origin}, through which no gradient"):
        f(tracked(1.5)).backward()


def test_constants_are_no_part_of_the_graph():
    x = tg.tensor(A, requires_grad=True, name="x")

    graph = tg.graph(tg.where(x > 0, x * x, tg.stop_gradient(x)).sum())

    assert [node.label for node in graph.nodes] == ["x", "multiply", "where", "sum"]


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("detach", r"tg\.stop_gradient\(x\)"),
        ("view", r"x\.reshape"),
        ("shap", r"help\(tg\.Tensor\)"),
    ],
)
def test_a_missing_attribute_says_what_to_write(name, mend):
    with pytest.raises(AttributeError, match=f"a tensor has no attribute '{name}': .*{mend}"):
        getattr(tracked(1.0), name)


# Axes joined and exchanged


X = np.arange(24.0).reshape(2, 3, 4)
AXES = [(0, -1), (1, -1), (0, 1), (-2, -1), (1, 1), (0, 0), (-3, 2)]


@pytest.mark.parametrize(("start", "end"), AXES)
def test_flatten_joins_the_axes_from_the_first_to_the_last(start, end):
    x = tg.tensor(X, requires_grad=True)
    y = x.flatten(start, end)
    first, last = start % 3, end % 3
    shape = (*X.shape[:first], -1, *X.shape[last + 1 :])
    check_same(y, X.reshape(shape))
    (y * y).sum().backward()
    check_same(x.grad, 2 * X)


def test_flatten_of_a_number_and_of_nothing_has_one_axis():
    assert tg.tensor(1.0).flatten().shape == (1,)
    assert tg.tensor(np.zeros((0, 3, 2))).flatten(1).shape == (0, 6)
    assert tg.tensor(np.zeros((2, 0, 3))).flatten(end_dim=1).shape == (0, 3)


@pytest.mark.parametrize(("start", "end"), [(2, 1), (3, -1), (0, 3), (-4, -1)])
def test_flatten_refuses_axes_that_are_not_there(start, end):
    with pytest.raises(
        ShapeError, match=rf"flatten: start_dim={start}, end_dim={end}: .*\(2, 3, 4\)"
    ):
        tg.tensor(X).flatten(start, end)


def test_flatten_refuses_what_is_no_axis():
    with pytest.raises(UsageError, match=r"flatten: 1\.5: an axis is a whole number"):
        tg.tensor(X).flatten(1.5)


def test_transpose_of_two_axes_says_how_they_are_exchanged():
    with pytest.raises(ShapeError, match=r"permutation .*use x\.swapaxes\(1, 2\)"):
        tg.tensor(X).transpose(1, 2)
    with pytest.raises(ShapeError, match=r"permutation of the axes of shape \(2, 3, 4\)$"):
        tg.tensor(X).transpose(0, 1, 1)
    assert tg.tensor(X[0]).transpose(1, 0).shape == (4, 3)
