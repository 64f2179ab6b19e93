"""Derivatives of derivatives: nesting in any order, closed forms, sizes and misuse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles import check_close, check_same

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, ShapeError, UsageError


def tracked(values):
    return tg.tensor(values, requires_grad=True)


# Nesting


def cube(x):
    return (tg.exp(x / 2) * tg.sin(x) + x**4 * 2 / (1 + x)).sum()


def by_grad(f):
    return tg.grad(f)


def by_jvp(f):
    return lambda x: tg.jvp(f, (x,), (1.0,))[1]


def by_vjp(f):
    return lambda x: tg.vjp(f, x)[1](1.0)[0]


def by_jacobian(f):
    return lambda x: tg.jacobian(f)(x)


def by_backward(f):
    def derivative(x):
        # A leaf of its own, so this stands where the argument is a number: outermost.
        leaf = tracked(x)
        f(leaf).backward()
        return leaf.grad.item()

    return derivative


@pytest.mark.parametrize(
    "modes",
    [
        (*inner, outer)
        for inner in itertools.product([by_grad, by_jvp, by_vjp, by_jacobian], repeat=2)
        for outer in [by_grad, by_jvp, by_vjp, by_jacobian, by_backward]
    ],
    ids=lambda modes: "-".join(mode.__name__ for mode in modes),
)
def test_third_derivatives_agree_in_every_order_of_modes(modes):
    f = cube
    for mode in modes:
        f = mode(f)
    x, third = 0.7, 0.0
    third += np.exp(x / 2) * (-11 / 8 * np.sin(x) - 1 / 4 * np.cos(x))
    # 2x**4 / (1 + x) = 2x**3 - 2x**2 + 2x - 2 + 2 / (1 + x)
    third += 12 - 12 / (1 + x) ** 4

    check_close(f(x), third, rtol=1e-12)


def test_perturbations_of_nested_derivatives_are_not_confused():
    # d/dx [x * d/dy (x + y)] = 1, where confusing the two perturbations gives 2
    for outer, inner in itertools.product([by_grad, by_jvp, by_vjp], repeat=2):
        check_same(outer(lambda x, inner=inner: x * inner(lambda y: x + y)(1.0))(1.0), 1)


def test_what_a_closure_holds_stays_recorded():
    w = tracked([2.0, 3.0])
    x = np.array([5.0, 7.0])

    g = tg.grad(lambda x: (w * x * x).sum())(x)
    t = tg.jvp(lambda x: (w * w * x).sum(), (x,), (np.ones(2),))[1]
    (g.sum() + t).backward()

    check_same(g, [20, 42])
    check_same(w.grad, 2 * x + 2 * np.array([2, 3]))


def test_under_no_grad_a_closure_is_a_constant():
    w = tracked([2.0])

    with tg.no_grad():
        g = tg.grad(lambda x: (w * x).sum())(np.array([5.0]))

    check_same(g, [2])
    assert not isinstance(g, tg.Tensor)


def test_a_function_that_ignores_its_argument_has_zero_derivatives():
    x, c = np.ones((2, 3), np.float32), tg.tensor(2.0)

    check_same(tg.grad(lambda x: c * 1)(x), np.zeros((2, 3)))
    assert tg.grad(lambda x: c * 1)(x).dtype == np.float32
    check_same(tg.jvp(lambda x: c * 1, (x,), (x,))[1], 0)
    check_same(tg.vjp(lambda x: c * 1, x)[1](1.0)[0], np.zeros((2, 3)))
    check_same(tg.hessian(lambda x: x.sum())(np.ones(2)), np.zeros((2, 2)))
    check_same(tg.hvp(lambda x: x.sum())(np.ones(2), np.ones(2)), np.zeros(2))
    check_same(tg.grad(lambda x: tg.grad(lambda y: y * 2)(x))(1.0), 0)


# Derived functions


def quadratic(x):
    matrix = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 5.0]])
    return 0.5 * (x @ matrix @ x), matrix


def test_jacobian_hessian_and_hvp_agree_with_closed_forms_and_each_other():
    x, v = np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 0.5])
    matrix = quadratic(x)[1]

    def f(x):
        return quadratic(x)[0]

    check_close(tg.jacobian(f)(x), matrix @ x)
    check_close(tg.hessian(f)(x), matrix)
    check_close(tg.hvp(f)(x, v), matrix @ v)
    check_close(tg.jacobian(tg.grad(f))(x), tg.hessian(f)(x))
    check_close(tg.jacobian(lambda x: tg.sin(x[:2]) * x[2])(x), [
        [3 * np.cos(1), 0, np.sin(1)], [0, 3 * np.cos(2), np.sin(2)],
    ])  # fmt: skip


def test_a_jacobian_has_the_shapes_of_output_and_argument():
    x = np.arange(6.0).reshape(2, 3)

    assert tg.jacobian(lambda x: x.T @ x)(x).shape == (3, 3, 2, 3)
    assert tg.jacobian(lambda x: x.sum())(x).shape == (2, 3)
    assert tg.jacobian(lambda x: x[:0])(x).shape == (0, 3, 2, 3)
    assert isinstance(tg.jacobian(lambda x: x.T)(tg.tensor(x)), tg.Tensor)


@pytest.mark.parametrize("argnums", [1, -2])
def test_argnums_choose_the_argument(argnums):
    args = 2.0, 3.0, 5.0

    def f(x, y, z):
        return x * y * y * z

    check_same(tg.grad(f, argnums)(*args), 60)
    check_same(tg.jacobian(f, argnums)(*args), 60)
    check_same(tg.hessian(f, argnums)(*args), 20)
    check_same(tg.hvp(f, argnums)(*args, 2.0), 40)


def test_value_and_grad_gives_a_tuple_for_a_tuple_of_argnums():
    value, gradients = tg.value_and_grad(lambda x, y, z: x * y * z, (0, -1))(2.0, 3.0, 7.0)

    assert type(gradients) is tuple
    for found, expected in zip((value, *gradients), (42, 21, 6), strict=True):
        check_same(found, expected)


def test_keyword_arguments_are_passed_on():
    check_same(tg.grad(lambda x, k: k * x)(2.0, k=7.0), 7)


def test_arrays_give_arrays_and_tensors_give_tensors(put):
    def f(x):
        return (x * x).sum()

    for x in (put([1.0, 1.0]), tg.tensor([1.0, 1.0])):
        results = [
            *tg.value_and_grad(f)(x), *tg.jvp(f, (x,), (x,)), tg.vjp(f, x)[0],
            *tg.vjp(f, x)[1](1.0), tg.hessian(f)(x), tg.hvp(f)(x, x),
        ]  # fmt: skip
        assert {type(result) for result in results} == {type(x)}


def test_results_of_calls_on_recorded_tensors_are_recorded():
    x = tracked([3.0])

    tg.grad(lambda x: (x**3).sum())(x).sum().backward()

    check_same(x.grad, [18])


# Sizes

SHAPES = [(), (0,), (2, 0), (0, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_arrays_of_no_axes_and_of_no_elements_are_differentiated(shape):
    x = np.full(shape, 0.5)

    def f(x):
        y = tg.tanh(x * x + 1) / 2 - tg.relu(x)
        y = tg.concat([y[None], tg.where(x > 0, x, y)[None]])
        return (
            tg.logsumexp(tg.pad(y.reshape(-1), ((1, 0),)), 0)
            + tg.broadcast_to(y, (2, *y.shape)).sum()
        )

    assert tg.grad(f)(x).shape == shape
    assert tg.hessian(f)(x).shape == shape + shape
    assert tg.jvp(f, (x,), (x,))[1].shape == ()
    assert tg.hvp(f)(x, x).shape == shape


def test_reductions_over_no_elements_have_empty_gradients():
    x = np.ones((0, 3))

    check_same(tg.grad(lambda x: tg.sum(x, 0).sum())(x), x)
    check_same(tg.grad(lambda x: tg.mean(x, 1).sum())(x), x)
    check_same(tg.sum(x[:, 0]), 0)


def test_convolution_of_an_empty_batch_has_empty_gradients():
    x, w = np.ones((0, 2, 4, 4)), np.ones((3, 2, 2, 2))

    g, h = tg.grad(lambda x, w: tg.conv2d(x, w).sum(), (0, 1))(x, w)

    check_same(g, x)
    check_same(h, np.zeros_like(w))


# Misuse


def test_wrong_counts_of_arguments_are_refused():
    with pytest.raises(UsageError, match="argnums 2, but there are 1 arguments"):
        tg.grad(lambda x: x, 2)(1.0)
    with pytest.raises(UsageError, match="argnums 0, but there are 0 arguments"):
        tg.grad(lambda: tg.tensor(1.0))()
    with pytest.raises(UsageError, match="argnums 1, but there are 1 arguments"):
        tg.hvp(lambda x: x, 1)(1.0, 1.0)
    with pytest.raises(UsageError, match=r"argnums \(0, -1\) name an argument twice"):
        tg.grad(lambda x: x, (0, -1))(1.0)
    with pytest.raises(UsageError, match="1 primals, but 2 tangents"):
        tg.jvp(lambda x: x, (1.0,), (1.0, 1.0))
    with pytest.raises(ShapeError, match="jvp: the tangent"):
        tg.jvp(lambda x: x, (1.0,), (np.ones(2),))


def test_functions_that_return_no_scalar_tensor_are_refused():
    with pytest.raises(GradientError, match=r"shape \(2,\).*jacobian"):
        tg.grad(lambda x: x * 2)(np.ones(2))
    with pytest.raises(GradientError, match=r"returned \(\*, \*\) of shapes"):
        tg.grad(lambda x: (x, x))(1.0)
