"""Arguments and results that are nested tuples, lists and dicts."""

from __future__ import annotations

from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from oracles import check_close, check_same, host

import tinygrad_res as tg
from tinygrad_res import trees
from tinygrad_res.errors import DtypeError, GradientError, ShapeError, UsageError

Layer = namedtuple("Layer", ["w", "b"])

X = np.array([[0.5, -1.0], [2.0, 0.25], [1.0, 1.5]])
NET = {
    "layers": [
        Layer(np.array([[0.3, -0.2], [0.7, 0.4]]), np.array([0.1, -0.3])),
        Layer(np.array([[0.6], [-0.5]]), np.array([0.2])),
    ],
    "scale": (2.0, None),
}


def network(net, x=X):
    first, last = net["layers"]
    return net["scale"][0] * (tg.tanh(x @ first.w + first.b) @ last.w + last.b)


def loss(net):
    return (network(net) ** 2).mean()


def flat(tree):
    return np.concatenate([np.ravel(host(value)) for value in trees.flatten(tree)[0]])


def loss_of_vector(vector):
    """The same loss as a function of one vector of all parameters."""
    values, structure = trees.flatten(NET)
    parts, start = [], 0
    for value in values:
        size = np.size(value)
        parts.append(vector[start : start + size].reshape(np.shape(value)))
        start += size
    return loss(trees.unflatten(structure, parts))


def tangent_tree(seed=0):
    rng = np.random.default_rng(seed)
    return trees.transform(lambda value: rng.standard_normal(np.shape(value)), NET)


VECTOR = flat(NET)


def test_a_gradient_has_the_tree_of_its_argument():
    g = tg.grad(loss)(NET)

    assert type(g["layers"][0]) is Layer
    assert g["scale"][1] is None
    assert trees.flatten(g)[1] == trees.flatten(NET)[1]
    check_close(flat(g), tg.grad(loss_of_vector)(VECTOR), rtol=1e-14)


def test_value_and_grad_jvp_and_vjp_take_trees():
    v = tangent_tree()
    gradient = host(tg.grad(loss_of_vector)(VECTOR))

    value, g = tg.value_and_grad(loss)(NET)
    _, slope = tg.jvp(loss, (NET,), (v,))
    _, back = tg.vjp(loss, NET)

    check_same(value, loss_of_vector(tg.tensor(VECTOR)))
    check_close(flat(g), gradient, rtol=1e-14)
    check_close(slope, gradient @ flat(v), rtol=1e-13)
    check_close(flat(back(3.0)), 3 * gradient, rtol=1e-14)


def test_hessian_and_hvp_take_trees():
    v = tangent_tree()
    curvature = host(tg.hessian(loss_of_vector)(VECTOR))

    nested = tg.hessian(loss)(NET)
    rows = [host(row) for row in trees.flatten(nested)[0]]
    product = tg.hvp(loss)(NET, v)

    sizes = [np.size(value) for value in trees.flatten(NET)[0]]
    blocks = [
        [rows[i * len(sizes) + j].reshape(m, n) for j, n in enumerate(sizes)]
        for i, m in enumerate(sizes)
    ]
    check_close(np.block(blocks), curvature, rtol=1e-12, atol=1e-14)
    check_close(flat(product), curvature @ flat(v), rtol=1e-12)


def test_a_jacobian_of_trees_is_a_tree_of_trees_with_both_shapes():
    def f(p):
        return {"sum": p[0] + p[1]["b"], "product": (p[0] * p[1]["b"]).sum()}

    a, b = np.array([1.0, 2.0]), np.array([[3.0], [4.0], [5.0]])
    found = tg.jacobian(f)((a, {"b": b}))

    assert found["sum"][0].shape == (3, 2, 2)
    assert found["sum"][1]["b"].shape == (3, 2, 3, 1)
    check_same(found["product"][0], [12, 12])
    check_same(found["product"][1]["b"], [[3], [3], [3]])


def test_argnums_may_choose_several_arguments_of_every_transform():
    def f(a, b, c):
        return (a["x"] * b * c * c).sum()

    a, b, c = {"x": np.array([1.0, 2.0])}, np.array([3.0, 4.0]), np.array([5.0, 6.0])

    by_c, by_a = tg.grad(f, (2, 0))(a, b, c)
    (cc, ca), _ = tg.hessian(f, (-1, 0))(a, b, c)
    jacobians = tg.jacobian(lambda *args: args[0]["x"] * args[1] * args[2], [0, 1])(a, b, c)
    curved = tg.hvp(f, (2, 0))(a, b, c, (np.ones(2), {"x": np.zeros(2)}))

    check_close(by_c, 2 * a["x"] * b * c)
    check_close(by_a["x"], b * c * c)
    check_close(cc, np.diag(2 * a["x"] * b))
    check_close(ca["x"], np.diag(2 * b * c))
    check_close(jacobians[0]["x"], np.diag(b * c))
    check_close(jacobians[1], np.diag(a["x"] * c))
    check_close(curved[0], 2 * a["x"] * b)
    check_close(curved[1]["x"], 2 * b * c)


def test_ordered_dicts_are_dicts():
    x, v = OrderedDict(a=2.0, b=3.0), OrderedDict(a=1.0, b=0.0)

    assert tg.jvp(lambda p: p["a"] * p["b"], (x,), (v,))[1] == 3


def test_a_list_is_a_tree_of_numbers():
    found = tg.grad(lambda p: p[0] * p[1])([2.0, 5.0])

    assert type(found) is list
    check_same([*map(host, found)], [5, 2])


def test_cotangents_and_tangents_may_be_lists_where_a_value_is_one_array():
    check_same(tg.vjp(lambda x: x, np.array([1.0, 2.0]))[1]([3, 4])[0], [3, 4])


def test_vjp_of_several_outputs_adds_what_each_pulls_back():
    x = np.array([1.0, 2.0])

    y, back = tg.vjp(lambda x: (x * x, {"s": x.sum(), "x": x}), x)

    check_same(y[1]["x"], x)
    (g,) = back((np.array([10.0, 20.0]), {"s": 3.0, "x": np.array([1.0, 1.0])}))
    check_same(g, [2 * 10 + 3 + 1, 4 * 20 + 3 + 1])


def test_an_output_given_twice_counts_twice():
    def f(x):
        y = x * x
        return y, y, x

    check_same(tg.vjp(f, 3.0)[1]((1.0, 2.0, 5.0))[0], 3 * 6 + 5)


def test_outputs_that_do_not_depend_on_the_argument_pull_nothing_back():
    (g,) = tg.vjp(lambda x: (tg.tensor(1.0), 2 * x), 3.0)[1]((7.0, 1.0))

    check_same(g, 2)


# Auxiliary results


def with_aux(x):
    y = (x * x).sum()
    return y, {"twice": 2 * y, "note": "kept", "count": 3}


def test_auxiliary_results_come_beside_as_values(put):
    x = put([1.0, 2.0])

    g, aux = tg.grad(with_aux, has_aux=True)(x)
    (value, same), _ = tg.value_and_grad(with_aux, has_aux=True)(x)
    h, _ = tg.hessian(with_aux, has_aux=True)(x)
    j, _ = tg.jacobian(with_aux, has_aux=True)(x)
    y, dy, pushed = tg.jvp(with_aux, (x,), (np.ones(2),), has_aux=True)
    _, back, pulled = tg.vjp(with_aux, x, has_aux=True)

    for found in (aux, same, pushed, pulled):
        assert found | {"twice": 10} == {"twice": 10, "note": "kept", "count": 3}
        assert type(found["twice"]) is type(x)
        check_same(found["twice"], 10)
    for found, expected in ((value, 5), (y, 5), (dy, 6)):
        check_same(found, expected)
    for found in (g, j, back(1.0)[0]):
        check_same(found, [2, 4])
    check_same(h, 2 * np.eye(2))


def test_auxiliary_results_of_tensors_are_tensors_without_a_record():
    x = tg.tensor([1.0, 2.0])

    _, aux = tg.grad(with_aux, has_aux=True)(x)

    assert isinstance(aux["twice"], tg.Tensor)
    assert not aux["twice"].requires_grad


def test_auxiliary_results_that_depend_on_something_outside_stay_recorded():
    def product(w):
        _, aux = tg.grad(lambda x: (x * x, x * w), has_aux=True)(3.0)
        return w * aux

    assert tg.grad(product)(2.0) == 12


# Misuse


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: tg.jvp(lambda p: p["a"], ({"a": 1.0},), ({"b": 1.0},)),
            UsageError,
            r"jvp: the tangents \(\{'b': \*\},\) must be built as \(\{'a': \*\},\)",
        ),
        (
            lambda: tg.vjp(lambda x: (x, [x]), 1.0)[1]((1.0, 1.0)),
            UsageError,
            r"vjp: the cotangent \(\*, \*\) must be built as \(\*, \[\*\]\)",
        ),
        (
            lambda: tg.vjp(lambda x: (x, x), 1.0)[1]((1.0,)),
            UsageError,
            r"vjp: the cotangent \(\*,\) must be built as \(\*, \*\)",
        ),
        (
            lambda: tg.grad(lambda p: p["a"])({"a": 1.0, "n": 3}),
            DtypeError,
            "grad: an argument of dtype int carries no gradient",
        ),
        (
            lambda: tg.grad(lambda x: [x])(1.0),
            GradientError,
            r"grad: the function returned \[\*\] of shapes \[\(\)\]; it must return one element",
        ),
        (
            lambda: tg.vjp(lambda x: {"y": x, "n": 2}, 1.0),
            GradientError,
            "vjp: the function returned int, not a tensor",
        ),
        (
            lambda: tg.grad(lambda x: x, has_aux=True)(1.0),
            UsageError,
            r"grad: with has_aux=True the function returns \(output, aux\)",
        ),
        (
            lambda: tg.vjp(lambda x: x, [np.ones(2)])[1]([np.ones(3)]),
            ShapeError,
            r"vjp: the cotangent has shape \(3,\), but must have shape \(2,\)",
        ),
        (lambda: tg.jacobian(lambda x: x, (0, 0))(1.0), UsageError, "name an argument twice"),
        (lambda: tg.hvp(3.0), UsageError, "hvp: expected a function, got float"),
    ],
)
def test_trees_that_do_not_fit_are_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
