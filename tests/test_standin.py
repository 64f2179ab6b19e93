"""The stand-in for CuPy and the doors to it: what they let through, no other test would see."""

from __future__ import annotations

import copy
import inspect
import pickle

import cupy_names as names
import devices
import numpy as np
import pytest
import standin
from oracles import check_same

import tinygrad_res as tg
from tinygrad_res.errors import DeviceError

xp = standin.module
HOST = np.array([1.0, 2.0])


@pytest.fixture
def a():
    return xp.array(HOST)


@pytest.mark.parametrize("refused", [
    lambda a: np.asarray(a), lambda a: a + HOST, lambda a: HOST + a, lambda a: np.exp(a),
    lambda a: xp.exp(HOST), lambda a: a[np.array([0])], lambda a: a[np.array([0]), None],
    lambda a: np.stack([a]), lambda a: np.add(a, a), lambda a: xp.concatenate([a, HOST]),
    lambda a: xp.where(HOST > 1, a, a), lambda a: xp.where(a > 1, a, HOST),
    lambda a: xp.where(True, a, a), lambda a: a.__setitem__(0, HOST[0:1]),
    lambda a: a.__setitem__(np.array([0]), 1.0), lambda a: a.__iadd__(HOST), lambda a: [1, 2] * a,
    lambda a: a < HOST, lambda a: xp.add.at(a, np.array([0]), 1.0), lambda a: xp.exp([1.0]),
    lambda a: xp.sum([1.0]), lambda a: xp.concatenate([[1.0], a]), lambda a: xp.sum(a, where=a > 1),
    lambda a: range(xp.array(2)), lambda a: xp.linalg.inv(np.eye(2)), lambda a: iter(a[0]),
    lambda a: standin.special.erf(HOST), lambda a: len(a[0]), lambda a: hash(a),
    lambda a: a @ HOST, lambda a: a[tg.tensor([0])], lambda a: 1 << HOST.astype(int) << a,
])  # fmt: skip
def test_what_cupy_refuses_is_refused(a, refused):
    with pytest.raises(TypeError):
        refused(a)


@pytest.mark.parametrize("name", ["vecdot", "insert", "errstate", "emath", "sliding_window_view"])
def test_names_that_cupy_lacks_are_missing(name, a):
    assert not hasattr(xp, name)
    assert not hasattr(a, "__array_namespace__") and not hasattr(a, "__index__")


def test_every_name_is_one_of_cupy_and_is_called_like_it():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    special = pytest.importorskip("cupyx.scipy.special")

    for found, owner in (
        (names.FUNCTIONS, cupy), (names.SPECIAL, special), (names.PROPERTIES, cupy.ndarray),
        (names.DTYPES, cupy), (names.CONSTANTS, cupy),
        ([name for some in names.METHODS.values() for name in some], cupy.ndarray),
    ):  # fmt: skip
        assert [name for name in found if not hasattr(owner, name)] == []
    for table, owner in (
        (names.PARAMETERS, cupy), (names.LINALG, cupy.linalg),
        (names.STRIDES, cupy.lib.stride_tricks),
    ):  # fmt: skip
        for takes, some in table.items():
            for name in some:
                known = inspect.signature(getattr(owner, name)).parameters
                assert set(takes.split()) <= known.keys() or "kwargs" in known, name


@pytest.mark.parametrize("call", [
    lambda a: xp.sum(a, initial=1.0), lambda a: a.sum(where=a > 1), lambda a: xp.std(a, correction=1),
    lambda a: xp.sort(a, stable=True), lambda a: xp.exp(a, where=a > 1), lambda a: xp.max(a, None, None, True, 0.0),
    lambda a: xp.lib.stride_tricks.as_strided(a, (2,), (8,), writeable=False),
    lambda a: xp.linalg.svd(xp.eye(2), hermitian=True), lambda a: xp.einsum("i->", a, out=a[0]),
    lambda a: xp.ones(2, like=a), lambda a: a.astype(float, device="cpu"),
])  # fmt: skip
def test_arguments_that_cupy_does_not_take_are_refused(a, call):
    with pytest.raises(TypeError, match=r"unexpected argument|takes 4 arguments"):
        call(a)


def test_dtypes_go_by_the_names_that_cupy_has(a):
    assert a.astype(xp.float32).dtype == xp.zeros(1, xp.float32).dtype == np.float32


def test_numbers_of_python_and_numpy_are_operands(a):
    for found in (a + 1, 1 + a, np.float64(1) + a, a + np.float32(1), xp.add(np.float64(1), a)):
        check_same(found, [2, 3])
    check_same(a > 2.0, [False, False])
    check_same(np.int64(7) - a, [6, 5])


def test_nothing_is_a_scalar_on_a_device(a):
    for value in (a[0], a.sum(), a @ a, xp.max(a), xp.linalg.norm(a), next(iter(a))):
        assert type(value) is standin.Array
        assert value.shape == ()


def test_views_share_memory_and_no_array_can_be_locked(a):
    a.view()[0] = 7.0
    a.reshape(2, 1)[1] = 8.0
    xp.add.at(a, xp.array([0, 0]), 1.0)

    check_same(a, [9, 8])
    with pytest.raises(AttributeError):
        a.flags.writeable = False


def test_arrays_of_integers_wrap_around_as_indices(a):
    square = xp.array(np.arange(4.0).reshape(2, 2))

    check_same(a[xp.array([0, 3, -3])], [1, 2, 2])
    check_same(square[..., xp.array([2])], [[0], [2]])
    check_same(square[None, xp.array([3]), 0], [[2]])
    with pytest.raises(IndexError):
        a[2]


def test_integers_of_64_bits_are_not_scattered():
    with pytest.raises(TypeError, match="unsupported dtype int64"):
        xp.add.at(xp.zeros(2, dtype=int), xp.array([0]), 1)


def test_copies_and_pickles_hold_their_own_values(a):
    twins = copy.deepcopy(a), pickle.loads(pickle.dumps(a))
    a[0] = 7.0

    for twin in twins:
        check_same(twin, HOST)


def test_indices_of_few_bits_are_not_scattered_at():
    with pytest.raises(TypeError, match="counted in int8 may overflow"):
        xp.add.at(xp.zeros(200), xp.array(np.array([-1], np.int8)), 1.0)


@pytest.mark.parametrize("shape", [(2, 2), (3, 2, 2)])
def test_a_matrix_that_lapack_refuses_has_no_inverse_and_what_is_no_factor(shape):
    check_same(xp.linalg.inv(xp.zeros(shape)), np.full(shape, np.nan))
    check_same(xp.linalg.cholesky(xp.zeros(shape) - xp.eye(2)), np.zeros(shape) - np.eye(2))


# Transfers


def test_every_transfer_is_logged_with_its_place():
    standin.transfers.clear()
    a = xp.array(1.0)

    if a:
        float(a), int(a), a.item(), a.get(), a.tolist(), repr(a), str(a)

    assert [transfer.method for transfer in standin.transfers] == [
        "__bool__", "__float__", "__int__", "item", "get", "tolist", "__repr__", "__str__",
    ]  # fmt: skip
    assert all(__file__ in transfer.place for transfer in standin.transfers)
    standin.transfers.clear()


@pytest.mark.usefixtures("standing_in")
def test_reading_a_tensor_and_moving_it_are_the_users_transfers():
    x, seen = tg.tensor(xp.array(2.0), requires_grad=True), []

    y = x.to("cpu").to("cuda")
    y.register_hook(lambda g: seen.append(float(g)))
    y.backward()
    float(tg.stop_gradient(x)), x.item(), x.numpy(), repr(x), f"{x:.1f}", bool(x)

    assert len(standin.transfers) == 9  # the gradient moves as well
    standin.assert_the_engine_pulled_nothing()


@pytest.mark.usefixtures("standing_in")
def test_the_checking_kit_compares_on_the_host_as_its_user_wants():
    tg.testing.check_gradient(tg.tanh, xp.array(HOST))

    assert {transfer.method for transfer in standin.transfers} == {"get"}
    standin.assert_the_engine_pulled_nothing()


FAULTS = {
    "rule": lambda: tg.custom.pointwise(
        lambda xp, x: x * 1, lambda xp, out, _x: xp.ones_like(out) * out.sum().item(), name="f"
    ),
    "recorded rule": lambda: tg.custom.pointwise(
        lambda xp, x: x * 1,
        lambda xp, out, _x: out * out.sum().item() if isinstance(out, tg.Tensor) else out,
        name="f",
    ),
    "kernel": lambda: tg.custom.pointwise(
        lambda xp, x: x * x.max().item(), lambda xp, out, x: out / x, name="f"
    ),
    "written product": lambda: tg.custom.general(
        lambda xp, x: x * 1, lambda xp, g, wanted, _out, _x: [g if (g > 0).all() else -g], name="f"
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("standing_in")
def test_an_operation_that_pulls_to_the_host_is_caught(fault):
    f = FAULTS[fault]()

    tg.hvp(lambda x: (f(x) * x).sum())(xp.array(HOST), xp.array(HOST))

    with pytest.raises(AssertionError, match=r"the engine pulled to the host: .*test_standin\.py"):
        standin.assert_the_engine_pulled_nothing()


# The doors


@pytest.mark.usefixtures("standing_in")
def test_what_a_test_hands_in_lands_on_the_device(monkeypatch):
    devices.open_doors(monkeypatch, xp)

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    made = [x, HOST * x, x @ [1, 2], tg.where([True, False], x, HOST), tg.parameter(2.0)]
    g = tg.grad(lambda x: (x * x).sum())(HOST)

    assert {y.device for y in made} == {"cuda"}
    assert type(g) is standin.Array


@pytest.mark.usefixtures("standing_in")
def test_no_rule_gets_a_value_from_the_host(monkeypatch):
    devices.open_doors(monkeypatch, xp)
    f = tg.custom.pointwise(
        lambda xp, x: 2 * x, lambda xp, _out, _x: tg.multiply(np.full(2, 2.0), 1.0).data, name="f"
    )
    twice = tg.custom.pointwise(lambda xp, x: 2 * x, lambda xp, _out, x: tg.add(HOST, x), name="g")

    with pytest.raises((DeviceError, TypeError)):
        tg.grad(lambda x: f(x).sum())(HOST)
    with pytest.raises(DeviceError, match="on cpu and cuda"):
        tg.grad(tg.grad(lambda x: twice(x).sum()))(HOST)
