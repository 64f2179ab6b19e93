"""The engine on device arrays: the same numbers, and nothing pulled to the host meanwhile.

The tests run on a stand-in for CuPy, and with ``-m gpu`` on CuPy itself.
"""

from __future__ import annotations

import sys

import numpy as np
import oracles
import pytest
import standin
from cases import CASES, CONSTANT, ON_THE_HOST

import tinygrad_res as tg
from tinygrad_res import backend
from tinygrad_res.errors import DeviceError


@pytest.fixture(params=["standin", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request, monkeypatch):
    """The array module of a device."""
    if request.param == "standin":
        monkeypatch.setitem(backend.modules, standin.Array, standin.module)
        monkeypatch.setitem(sys.modules, "cupy", standin.module)
        monkeypatch.setitem(sys.modules, "cupyx.scipy.special", standin.special)
        standin.transfers.clear()
        return standin.module
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no GPU answers: {error}")
    return cupy


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
        np.testing.assert_allclose(b.grad.numpy(), a.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", [case for case in CASES if case not in ON_THE_HOST])
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
        np.testing.assert_allclose(there.get(), here, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", sorted(CONSTANT))
def test_constants_stay_on_the_device(xp, name):
    values = np.array([-1.0, 0.0, 2.0])

    here, there = (CONSTANT[name](tg, tg.tensor(put(values))) for put in (np.asarray, xp.asarray))

    assert_nothing_was_pulled_to_the_host()
    pairs = zip(here, there, strict=True) if name == "nonzero" else [(here, there)]
    for a, b in pairs:
        assert b.device == "cuda"
        np.testing.assert_array_equal(b.numpy(), a.numpy())


@pytest.mark.parametrize("case", sorted(ON_THE_HOST))
def test_arrays_of_two_devices_are_refused(xp, case):
    f, *shapes = CASES[case]

    with pytest.raises(DeviceError, match=r"are on cpu and cuda: move one with tensor\.to"):
        f(*[tg.tensor(xp.asarray(a)) for a in oracles.distinct(*shapes)])


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
    np.testing.assert_array_equal(y.numpy(), [5, 6])
    np.testing.assert_array_equal(x.grad.numpy(), [3, 6])


def test_a_gradient_travels_back_to_the_device_of_its_leaf(xp):
    x = tg.tensor([1.0, 2.0], requires_grad=True)

    y = (x.to("cuda") * 3).to("cuda")
    z = y.to("cpu") * y.to("cpu")
    z.sum().backward()

    assert (x.device, y.device, z.device, x.grad.device) == ("cpu", "cuda", "cpu", "cpu")
    np.testing.assert_array_equal(x.grad.numpy(), [18, 36])


def test_assigned_values_stay_on_the_device_of_the_tensor(xp):
    x = tg.tensor(xp.asarray(np.ones(2)))

    x.data = np.array([3.0, 4.0])

    assert x.device == "cuda"
    np.testing.assert_array_equal(x.numpy(), [3, 4])


def test_printing_and_reading_pull_to_the_host(xp):
    x = tg.tensor(xp.asarray(np.array([2.0])))

    assert repr(x) == "tensor([2.])"
    assert x.item() == 2.0
    assert isinstance(x.numpy(), np.ndarray)


def test_without_cupy_the_device_is_refused_with_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)

    with pytest.raises(DeviceError, match=r"to: device 'cuda' needs CuPy: pip install"):
        tg.tensor(1.0).to("cuda")


# The stand-in itself: what it lets through, these tests would not see.


def test_the_stand_in_refuses_what_cupy_refuses():
    a, host = standin.Array(np.ones(2)), np.ones(2)

    for refused in (
        lambda: np.asarray(a), lambda: a + host, lambda: host + a, lambda: np.exp(a),
        lambda: standin.module.exp(host), lambda: a[np.array([0])], lambda: np.stack([a]),
        lambda: standin.module.concatenate([a, host]), lambda: a.__setitem__(0, host[0:1]),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(AttributeError):
        standin.module.vecdot(a, a)


def test_the_stand_in_logs_every_transfer():
    standin.transfers.clear()
    a = standin.Array(np.array(1.0))

    if a:
        float(a), int(a), a.item(), a.get(), a.tolist()

    assert standin.transfers == ["__bool__", "__float__", "__int__", "item", "get", "tolist"]
    standin.transfers.clear()
