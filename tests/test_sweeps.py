"""The sweeps over the record: their depth, lifetime, accumulation and cotangents."""

from __future__ import annotations

import gc
from weakref import ref

import numpy as np
import pytest
from oracles import check_same

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, ShapeError
from tinygrad_res.sweeps import ancestry, pull


def tracked(values, **options):
    return tg.tensor(values, requires_grad=True, **options)


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# Depth and lifetime

DEPTH = 100_000


def chain(x):
    for _ in range(DEPTH // 2):
        x = tg.negative(x) * 1.0
    return x


def test_a_chain_of_100_000_operations_runs_backward_and_is_dropped():
    x = tracked(2.0)

    y = chain(x)
    y.backward()
    last = ref(y._node)
    del y

    assert x.grad.item() == 1.0
    assert last() is None


def test_a_gradient_does_not_hold_the_larger_one_that_it_was_cut_from():
    small, large = tracked(np.ones(2)), tracked(np.ones(1000))

    tg.square(tg.concat([small, large])).sum().backward()

    assert small.grad._array.base is None


def test_a_chain_of_100_000_operations_runs_forward_and_twice():
    check_same(tg.jvp(chain, (2.0,), (3.0,))[1], 3)
    check_same(tg.grad(lambda x: tg.grad(chain)(x) * x)(2.0), 1)


def nodes_of(tensor):
    """Return weak references to every node that ``tensor`` depends on."""
    found, stack = set(), [tensor._node]
    while stack:
        node = stack.pop()
        if node is not None and node not in found:
            found.add(node)
            stack.extend(node.parents)
    return [ref(node) for node in found]


def network(x, w):
    h = tg.relu(tg.batch_norm(x @ w, np.ones(3), np.zeros(3)))
    image = tg.conv2d(h.reshape(1, 1, 4, 3), np.ones((1, 1, 2, 2)))
    return tg.cross_entropy(tg.max_pool2d(image, 2, 1).reshape(2, 1) * x[:2, :2], [0, 1])


@pytest.mark.usefixtures("no_collector")
def test_a_dropped_loss_frees_its_record_without_the_collector():
    x, w = tracked(np.linspace(-1, 1, 8).reshape(4, 2)), tracked(np.linspace(0, 1, 6).reshape(2, 3))

    loss = network(x, w)
    nodes = nodes_of(loss)
    loss.backward()
    del loss

    assert len(nodes) > 8
    assert {node() for node in nodes} == {None, x._node, w._node}


@pytest.mark.usefixtures("no_collector")
def test_a_recorded_gradient_frees_its_record_without_the_collector():
    x, w = tracked(np.linspace(-1, 1, 8).reshape(4, 2)), tracked(np.linspace(0, 1, 6).reshape(2, 3))

    loss = network(x, w)
    loss.backward(create_graph=True)
    nodes = nodes_of(loss) + nodes_of(x.grad)
    (x.grad * x.grad).sum().backward()
    del loss
    x.grad = w.grad = None

    assert {node() for node in nodes} == {None, x._node, w._node}


@pytest.mark.usefixtures("no_collector")
def test_nested_gradients_leave_nothing_behind():
    seen = []

    def loss(x):
        y = network(x, np.linspace(0, 1, 6).reshape(2, 3))
        seen.append(ref(y._node))
        return y

    x = np.linspace(-1, 1, 8).reshape(4, 2)
    tg.grad(lambda x: (tg.grad(loss)(x) ** 2).sum())(x)
    tg.hvp(loss)(x, x)
    tg.hessian(loss)(x)
    tg.jvp(loss, (x,), (x,))

    assert len(seen) == 4
    assert all(node() is None for node in seen)


@pytest.mark.usefixtures("no_collector")
def test_a_failed_operation_leaves_nothing_behind():
    x = tracked(np.ones(2))
    y = x * x
    node = ref(y._node)

    with pytest.raises(ShapeError):
        y + np.ones(3)
    del y

    assert node() is None


# Accumulation, as PyTorch defines it


def test_a_second_backward_adds_to_the_gradient():
    x = tracked([1.0, 2.0])

    y = (x * x).sum()
    y.backward()
    y.backward()

    check_same(x.grad, [4, 8])


def test_backward_of_two_losses_adds_up_and_none_starts_again():
    x = tracked([1.0, 2.0])

    (x * 3).sum().backward()
    before = x.grad
    (x * x).sum().backward()
    check_same(before, [3, 3])
    check_same(x.grad, [5, 7])
    x.grad = None
    (x * 3).sum().backward()
    check_same(x.grad, [3, 3])


def test_backward_twice_with_create_graph_adds_recorded_gradients():
    x = tracked(3.0)

    for _ in range(2):
        (x * x * x).backward(create_graph=True)
    total = x.grad
    x.grad = None
    total.backward()

    assert total.item() == 54.0
    assert x.grad.item() == 36.0


def test_only_leaves_get_a_gradient():
    x = tracked(3.0)
    y = x * x

    (y * y).backward()

    assert y.grad is None
    assert x.grad.item() == 108.0


def test_a_leaf_is_its_own_gradient_of_one():
    x = tracked(3.0)

    x.backward()

    assert x.grad.item() == 1.0


def test_diamonds_squares_and_many_uses_add_their_paths():
    x = tracked(2.0)
    a, b = x * 3, x * 5
    (a * b + x * x + sum(x for _ in range(1000))).backward()

    assert x.grad.item() == 2 * 15 * 2 + 2 * 2 + 1000


def test_twenty_diamonds_in_a_row_take_no_exponential_time():
    check_same(tg.grad(lambda x: [x := x + x for _ in range(60)][-1])(1.0), 2.0**60)


def test_frozen_parameters_get_no_gradient():
    w = tg.parameter([1.0], requires_grad=False)
    v = tg.parameter([2.0])

    (w * v * w).sum().backward()

    assert w.grad is None
    check_same(v.grad, [1])
    assert not (w * w).requires_grad


def test_what_is_computed_from_frozen_parameters_alone_is_recorded_as_a_weight():
    w = tg.parameter([[1.0, 2.0]], requires_grad=False)
    x = tracked([[3.0]])

    derived, product = 2 * w.T * [[1.0], [2.0]], w @ [[1.0], [2.0]]
    (x @ w @ derived).sum().backward()

    assert derived._node is not None
    assert product._node is None  # a plain array in a product is data
    assert not derived.requires_grad
    check_same(x.grad, [[18]])


def test_a_sweep_gives_what_arrives_at_a_node_on_the_way_as_well(put):
    x = tracked(3.0)
    y = x * x
    z = y * y

    arrived = pull({z._node: put(1.0)}, ancestry([z._node]), [y._node, x._node])

    assert arrived.keys() == {y._node, x._node}
    check_same(arrived[y._node], 18)
    check_same(arrived[x._node], 108)


def test_a_dropped_leaf_is_no_obstacle():
    x = tracked(2.0)
    y = x * tracked(3.0)

    y.backward()

    assert x.grad.item() == 3.0


# Cotangents


def test_more_than_one_element_needs_a_cotangent():
    y = tracked([1.0, 2.0]) * 2

    with pytest.raises(GradientError, match=r"backward: .*\(2,\).*cotangent="):
        y.backward()


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 2)])
def test_a_cotangent_of_another_shape_is_refused(shape):
    back = tg.vjp(lambda x: x * 2, np.ones(2))[1]

    with pytest.raises(ShapeError, match=r"vjp: the cotangent has shape .* must have shape \(2,\)"):
        back(np.ones(shape))
    with pytest.raises(ShapeError, match="backward: the cotangent"):
        (tracked([1.0, 2.0]) * 2).backward(np.ones(shape))


def test_one_element_of_any_shape_needs_no_cotangent():
    x = tracked([[2.0]])

    (x * x).backward()

    check_same(x.grad, [[4]])


@pytest.mark.parametrize("make", [list, np.array, np.float32, tg.tensor])
def test_a_cotangent_is_anything_that_makes_a_tensor(make):
    x = tracked([1.0, 2.0])

    (x * 2).backward(make([3, 4]))

    check_same(x.grad, [6, 8])
    assert x.grad.dtype == np.float64


def test_a_recorded_cotangent_is_differentiated_through():
    def f(c):
        _, back = tg.vjp(lambda x: x * x, np.array([3.0]))
        return back(c)[0].sum()

    check_same(tg.grad(f)(np.array([5.0])), [6])
