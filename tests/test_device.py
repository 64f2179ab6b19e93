"""The engine on device arrays: the same numbers, and nothing pulled to the host meanwhile.

The tests run on a stand-in for CuPy, and with ``-m gpu`` on CuPy itself.  They place their
arrays themselves, so that an array which the engine makes on the host would be refused.
"""

from __future__ import annotations

import sys

import numpy as np
import oracles
import pytest
import standin
from cases import CASES, CONSTANT

import tinygrad_res as tg
from tinygrad_res.errors import DeviceError

LABELS = np.array([2, 0, 1, 1])


def mlp(x, w1, b1, w2, b2, labels):
    hidden = tg.tanh(tg.relu(x @ w1 + b1) * 0.5 - 0.1)
    return tg.cross_entropy(hidden @ w2 + b2, labels)


MLP = [(4, 5), (5, 6), (6,), (6, 3), (3,)]


def residual(x, w1, g1, c1, w2, g2, c2, ws, wf, bias, labels):
    with tg.scope("block", branch=True):
        h = tg.relu(tg.batch_norm(tg.conv2d(x, w1, bias, stride=2, padding=1), g1, c1))
        h = tg.batch_norm(tg.conv2d(h, w2, padding=1, groups=2), g2, c2)
    h = tg.relu(h + tg.conv2d(x, ws, stride=2))
    h = tg.max_pool2d(h, 3, stride=2, padding=1)
    h = tg.avg_pool2d(h, 2) if h.shape[-1] > 1 else h
    return tg.cross_entropy(h.reshape(4, -1) @ wf, labels)


RESIDUAL = [
    (4, 2, 8, 8),
    (4, 2, 3, 3),
    (4,),
    (4,),
    (4, 2, 3, 3),
    (4,),
    (4,),
    (4, 2, 1, 1),
    (4, 3),
    (4,),
]
NETWORKS = {"mlp": (mlp, MLP), "residual": (residual, RESIDUAL)}


def assert_nothing_was_pulled_to_the_host():
    assert standin.transfers == []


def assert_close(there, here):
    oracles.check_close(there, here, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_networks_give_the_same_gradients_without_a_transfer(xp, network, create_graph):
    f, shapes = NETWORKS[network]
    arrays = oracles.distinct(*shapes)
    here = [tg.tensor(a, requires_grad=True) for a in arrays]
    there = [tg.tensor(xp.asarray(a), requires_grad=True) for a in arrays]

    for leaves, labels in ((here, LABELS), (there, xp.asarray(LABELS))):
        loss = f(*leaves, labels)
        loss.backward(create_graph=create_graph)
        if create_graph:
            penalty = sum((leaf.grad * leaf.grad).sum() for leaf in leaves)
            penalty.backward()

    assert_nothing_was_pulled_to_the_host()
    for a, b in zip(here, there, strict=True):
        assert b.grad.device == "cuda"
        assert_close(b.grad, a.grad)


@pytest.mark.parametrize("case", CASES)
def test_primitives_give_the_same_derivatives_without_a_transfer(xp, case):
    f, *shapes = CASES[case]
    f, options = f if isinstance(f, tuple) else (f, {})
    arrays = oracles.distinct(*shapes, **options)
    directions = oracles.distinct(*shapes, seed=1)
    found = []

    for put in (np.asarray, xp.asarray):
        args, tangents = [put(a) for a in arrays], [put(t) for t in directions]
        out, back = tg.vjp(f, *args)
        pushed = tg.jvp(f, args, tangents)[1]

        def loss(*xs):
            y = f(*xs)
            return (y * y).sum()

        found.append([out, pushed, *back(pushed), tg.hvp(loss)(*args, tangents[0])])

    assert_nothing_was_pulled_to_the_host()
    for here, there in zip(*found, strict=True):
        assert isinstance(there, xp.ndarray)
        assert_close(there, here)


@pytest.mark.parametrize("name", sorted(CONSTANT))
def test_constants_stay_on_the_device(xp, name):
    values = np.array([-1.0, 0.0, 2.0])

    here, there = (CONSTANT[name](tg, tg.tensor(put(values))) for put in (np.asarray, xp.asarray))

    assert_nothing_was_pulled_to_the_host()
    pairs = zip(here, there, strict=True) if name == "nonzero" else [(here, there)]
    for a, b in pairs:
        assert b.device == "cuda"
        oracles.check_same(b, a)


def stepped(network, make_optimiser, images, labels):
    """Train for three steps; return the loss, the parameters and the statistics."""
    optimiser = make_optimiser(network.parameters())
    for _ in range(3):
        optimiser.zero_grad()
        loss = tg.cross_entropy(network(images), labels)
        loss.backward()
        optimiser.step()
    statistics = [
        value
        for module in network.modules()
        for value in vars(module).values()
        if isinstance(value, tg.Tensor) and not isinstance(value, tg.Parameter)
    ]
    return [loss, *network.parameters(), *statistics]


BUILDS = {
    "residual-mlp": lambda rng: tg.nets.residual_mlp(2, inputs=48, width=5, classes=3, rng=rng),
    "plain-mlp": lambda rng: tg.nets.plain_mlp(2, inputs=48, width=5, classes=3, rng=rng),
    "resnet8": lambda rng: tg.nets.resnet(8, classes=3, rng=rng),
}
OPTIMISERS = {
    "sgd": lambda ps: tg.optim.SGD(ps, lr=0.05, momentum=0.9, weight_decay=1e-3),
    "adam": lambda ps: tg.optim.Adam(ps, lr=0.01),
}


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_training_steps_end_at_the_same_parameters_without_a_transfer(xp, build, optimiser):
    images, found = oracles.distinct((4, 3, 4, 4))[0], []

    for device, array in (("cpu", np.asarray), ("cuda", xp.asarray)):
        network = BUILDS[build](np.random.default_rng(0)).to(device, np.float64)
        standin.transfers.clear()
        found.append(stepped(network, OPTIMISERS[optimiser], array(images), array(LABELS)))

    assert_nothing_was_pulled_to_the_host()
    for here, there in zip(*found, strict=True):
        assert there.device == "cuda"
        oracles.check_close(there, here, rtol=1e-7, atol=1e-9)


MIXED = {
    "operand on the right": lambda x, a: x * a,
    "operand on the left": lambda x, a: a - x,
    "tensor": lambda x, a: tg.tensor(a) / x,
    "product": lambda x, a: a @ x,
    "condition": lambda x, a: tg.where(a > 1, x, 0.0),
    "choice": lambda x, a: tg.where(x > 1, a, x),
    "one of several": lambda x, a: tg.concat([x, a]),
    "mask": lambda x, a: tg.attention(x, x, x, a),
    "statistics": lambda x, a: tg.batch_norm(x, a[0], a[1]),
}


@pytest.mark.parametrize("case", MIXED)
def test_arrays_of_two_devices_are_refused(xp, case):
    host = np.array([[1.0, 2.0], [3.0, 4.0]])

    with pytest.raises(DeviceError, match=r"are on cpu and cuda: move one with tensor\.to"):
        MIXED[case](tg.tensor(xp.asarray(host)), host)


def test_functions_take_device_arrays(xp):
    a = xp.asarray(np.array([[1.0, 2.0]]))

    results = [
        tg.exp(a), tg.add(a, a), tg.add(2, a), tg.sum(a), tg.matmul(a, a.T), tg.concat([a, a]),
        tg.reshape(a, -1), tg.where(a > 1, a, 0), tg.sign(a), tg.less(a, 2), tg.maximum(a, [1, 3]),
    ]  # fmt: skip

    assert {type(y.data) for y in results} == {xp.ndarray}
    assert_nothing_was_pulled_to_the_host()


def test_numbers_and_lists_join_a_tensor_where_it_is(xp):
    x = tg.tensor(xp.asarray(np.ones(2, np.float32)), requires_grad=True)

    y = np.float32(3) * x + [1.0, 2.0] + 1
    y.backward([1.0, 2.0])

    assert y.device == x.grad.device == "cuda"
    assert_nothing_was_pulled_to_the_host()
    oracles.check_same(y, [5, 6])
    oracles.check_same(x.grad, [3, 6])


def test_a_gradient_travels_back_to_the_device_of_its_leaf(xp):
    x = tg.tensor([1.0, 2.0], requires_grad=True)

    y = (x.to("cuda") * 3).to("cuda")
    z = y.to("cpu") * y.to("cpu")
    z.sum().backward()

    assert (x.device, y.device, z.device, x.grad.device) == ("cpu", "cuda", "cpu", "cpu")
    oracles.check_same(x.grad, [18, 36])


def test_assigned_values_stay_on_the_device_of_the_tensor(xp):
    x = tg.tensor(xp.asarray(np.ones(2)))

    x.data = np.array([3.0, 4.0])

    assert x.device == "cuda"
    oracles.check_same(x, [3, 4])


def test_what_users_hand_to_a_backward_pass_joins_it_on_the_device(xp):
    x = tg.tensor(xp.asarray(np.ones(2)), requires_grad=True)

    x.register_hook(lambda g: [10.0, 20.0])
    (x * x).backward(np.array([1.0, 1.0]))
    x.grad = np.array([1.0, 2.0])
    (x * x).sum().backward()

    assert x.grad.device == "cuda"
    assert_nothing_was_pulled_to_the_host()
    oracles.check_same(x.grad, [11, 22])


ELSEWHERE = {
    "cotangent": lambda x, other: (x * x).backward(other),
    "cotangent of vjp": lambda x, other: tg.vjp(tg.exp, x)[1](other),
    "tangent": lambda x, other: tg.jvp(tg.exp, (x,), (other,)),
    "hook": lambda x, other: (x.register_hook(lambda g: other), (x * x).sum().backward()),
    "grad": lambda x, other: setattr(x, "grad", other),
    "data": lambda x, other: setattr(x, "data", other),
    "values": lambda x, other: tg.index_add(x, 0, other),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_a_tensor_that_lies_elsewhere_is_refused_by_name(xp, case):
    x = tg.tensor(xp.asarray(np.ones(2)), requires_grad=True)

    with pytest.raises(DeviceError, match=f"{case.split(' ')[0]}.*on cpu"):
        ELSEWHERE[case](x, tg.tensor([1.0, 1.0]))

    assert x.grad is None


def test_labels_on_another_device_are_refused(xp):
    with pytest.raises(DeviceError, match="cross_entropy: the logits are on cpu and the labels on"):
        tg.cross_entropy(np.ones((2, 3)), xp.asarray(np.array([0, 1])))


def test_printing_and_reading_pull_to_the_host(xp):
    x = tg.tensor(xp.asarray(np.array([2.0])))

    assert repr(x) == "tensor([2.])"
    assert x.item() == 2.0
    assert isinstance(x.numpy(), np.ndarray)


def test_without_cupy_the_device_is_refused_with_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)

    with pytest.raises(DeviceError, match=r"to: device 'cuda' needs CuPy: pip install"):
        tg.tensor(1.0).to("cuda")
