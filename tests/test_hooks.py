"""Hooks on gradients, and gradients kept where they are not leaves'."""

from __future__ import annotations

import gc
from weakref import ref

import numpy as np
import pytest
from oracles import check_same

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, ShapeError


def tracked(values):
    return tg.tensor(values, requires_grad=True)


def test_a_hook_sees_the_complete_gradient_once():
    x, seen = tracked([1.0, 2.0]), []
    y = x * x

    y.register_hook(lambda g: seen.append(g.numpy()))
    (y * 2 + y * 3).sum().backward()

    assert len(seen) == 1
    check_same(seen[0], [5, 5])
    check_same(x.grad, [10, 20])


def test_what_a_hook_returns_replaces_the_gradient_from_there_on():
    x = tracked([1.0, 2.0])
    y = x * x

    y.register_hook(lambda g: 10 * g)
    y.register_hook(lambda g: g.numpy() + 1)
    y.sum().backward()

    check_same(x.grad, [22, 44])


def test_a_hook_on_a_leaf_changes_what_is_accumulated():
    x = tracked([1.0, -2.0])

    handle = x.register_hook(lambda g: tg.clip(g, -1.0, 1.0))
    (x * x).sum().backward()
    handle.remove()
    handle.remove()
    (x * x).sum().backward()

    check_same(x.grad, [1 + 2, -1 - 4])


def test_hooks_run_in_transforms_and_keep_recorded_gradients_recorded():
    def f(x):
        y = x * x * x
        y.register_hook(lambda g: 2 * g)
        return y

    check_same(tg.grad(f)(3.0), 2 * 27)
    check_same(tg.grad(tg.grad(f))(3.0), 2 * 18)


def test_a_hook_under_create_graph_gets_a_recorded_gradient():
    x, recorded = tracked(3.0), []
    y = x * x

    y.register_hook(lambda g: recorded.append(g.requires_grad))
    (y * y).backward(create_graph=True)

    assert recorded == [True]


def test_a_hook_that_returns_another_shape_is_refused():
    x = tracked([1.0, 2.0])
    x.register_hook(lambda g: g.sum())

    with pytest.raises(
        ShapeError, match=r"register_hook: what the hook returned has shape \(\), but"
    ):
        (x * x).sum().backward()
    assert x.grad is None


def test_a_hook_where_no_gradient_passes_is_refused():
    with pytest.raises(GradientError, match="register_hook: this tensor requires no gradient"):
        tg.tensor([1.0]).register_hook(print)


def test_a_hook_may_be_removed_after_its_tensor_is_gone():
    handle = (tracked(1.0) * 2).register_hook(print)

    handle.remove()


def test_a_computed_tensor_keeps_its_gradient_when_asked_to():
    x = tracked([1.0, 2.0])
    y = x * x
    z = (3 * y).sum()

    y.retain_grad()
    z.backward()
    z.backward()

    check_same(y.grad, [6, 6])
    check_same(x.grad, [12, 24])


def test_retain_grad_on_a_leaf_changes_nothing():
    x = tracked(2.0)

    x.retain_grad()
    (x * x).backward()

    check_same(x.grad, 4)


def test_a_retained_gradient_may_be_recorded():
    x = tracked(2.0)
    y = x * x

    y.retain_grad()
    (y * y).backward(create_graph=True)
    y.grad.backward()

    check_same(x.grad, 2 * 4 * 4 + 2 * 4)


def test_hooks_that_hold_nothing_let_the_record_go_without_the_collector():
    gc.disable()
    try:
        y = tracked([1.0]) * 2
        y.retain_grad()
        y.register_hook(np.ndarray)
        node = ref(y._node)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_retaining_twice_keeps_one_gradient():
    x = tracked([1.0, 2.0])
    y = x * x

    y.retain_grad()
    y.retain_grad()
    (3 * y).sum().backward()

    check_same(y.grad, [3, 3])


def test_a_tensor_whose_leaf_is_gone_is_reached_by_outer_derivatives():
    w = tracked([2.0])
    h = w * w
    del w

    h.retain_grad()
    g = tg.grad(lambda x: (h * x * x).sum())(np.array([3.0]))
    (h * g).sum().backward()

    check_same(h.grad, [48])
