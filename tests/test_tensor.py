"""What a tensor is: its values, its name, its shape, and how it is made and printed."""

from __future__ import annotations

import contextvars
import gc
import inspect
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import backend, protocols
from tinygrad_res.errors import DeviceError, DtypeError, Error, UsageError


def test_a_constant_may_be_named_later():
    x = tg.tensor([1.0, 2.0])

    x.name = "offset"

    assert repr(x) == "tensor([1., 2.], name='offset')"
    assert tg.graph(x * tg.tensor(2.0, requires_grad=True)).nodes[0].label == "offset"


@pytest.mark.parametrize("make", [tg.tensor, tg.parameter])
def test_a_name_is_text(make):
    with pytest.raises(UsageError, match="name: expected text, got 3: write name='3'"):
        make([1.0], name=3)


def test_shape_and_size_are_those_of_the_array():
    x = tg.tensor(np.zeros((2, 3, 4), np.float32))

    assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((2, 3, 4), 3, 24, np.float32, 2)
    assert [part.shape for part in x] == [(3, 4), (3, 4)]


def test_a_tensor_of_one_element_is_a_number():
    x = tg.tensor([2.75])

    assert (float(x), int(x), bool(x), x.item()) == (2.75, 2, True, 2.75)
    assert 5 in tg.tensor([3, 5])


def test_many_values_are_printed_in_part():
    x = tg.tensor(np.arange(10_000.0), requires_grad=True, dtype="float32")

    assert repr(x) == (
        "tensor([0.000e+00, 1.000e+00, 2.000e+00, ..., 9.997e+03, 9.998e+03,\n"
        "        9.999e+03], dtype=float32, requires_grad=True)"
    )


def test_tensors_are_keys_by_identity():
    x, same = tg.tensor([1.0, 2.0]), tg.tensor([1.0, 2.0])

    found = {x: "x", same: "same"}

    assert (found[x], found[same]) == ("x", "same")
    assert len({x, x, same}) == 2


def test_a_retained_gradient_of_a_tensor_that_is_gone_is_dropped():
    x = tg.tensor([1.0], requires_grad=True)
    y = x * 2
    z = y * 3

    y.retain_grad()
    del y
    gc.collect()
    z.backward()

    assert x.grad.item() == 6


def test_a_named_constant_that_takes_in_a_recorded_value_becomes_it():
    x = tg.tensor([1.0], requires_grad=True)
    total = constant = tg.tensor([10.0], name="start")

    total += x * x
    total.backward()

    assert constant.item() == 10
    assert x.grad.item() == 2


def test_functions_of_numpy_without_a_signature_are_called_by_position():
    with pytest.raises(ValueError, match="signature"):
        inspect.signature(max)

    assert protocols._names(max) == ()


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "CuPy sees no GPU"),
        (RuntimeError("driver too old"), r"no usable GPU \(driver too old\)"),
    ],
)
def test_a_device_without_a_gpu_says_so(monkeypatch, count, message):
    class Cupy:
        class cuda:  # noqa: N801
            class runtime:  # noqa: N801
                @staticmethod
                def getDeviceCount():  # noqa: N802
                    if isinstance(count, Exception):
                        raise count
                    return count

    monkeypatch.setitem(sys.modules, "cupy", Cupy)

    with pytest.raises(DeviceError, match=message):
        tg.tensor([1.0]).to("cuda")


def test_what_is_there_already_stays_there():
    x = tg.tensor([1.0])

    assert x.to("cpu") is x
    assert tg.primitives.to_device(x, "cpu").item() == 1


@pytest.mark.parametrize("make", [tg.Tensor, tg.Parameter])
def test_classes_are_not_called(make):
    with pytest.raises(UsageError, match=r"are made with tg\.tensor\(values\) and tg\.parameter"):
        make(np.ones(2))


@pytest.mark.parametrize("second", [np.float32, "float32", 1, "no"])
def test_a_dtype_in_second_place_is_refused(second):
    with pytest.raises(UsageError, match=r"requires_grad is True or False, not .* dtype="):
        tg.tensor([1.0], second)


def test_numbers_that_do_not_fit_a_dtype_are_refused():
    with pytest.raises(DtypeError, match="tensor: Python integer 300 out of bounds for uint8"):
        tg.tensor(300, dtype="u1")


def test_leaves_cannot_be_written_to_from_inside_of_an_operation():
    clumsy = tg.custom.pointwise(lambda xp, x: xp.multiply(x, 2, out=x), 2, name="clumsy")
    x = tg.tensor([1.0], requires_grad=True)

    with pytest.raises(Error, match=r"clumsy: .*read-only"):
        clumsy(x)

    assert x.item() == 1


def test_assigning_requires_grad_again_keeps_the_leaf():
    x = tg.tensor([1.0], requires_grad=True)
    y = x * 2

    x.requires_grad = True
    z = (y + x).sum()
    z.backward()

    assert x.grad.item() == 3
    assert tg.paths(z, x).count() == 2


@pytest.mark.parametrize("name", tg.primitives.__all__)
def test_functions_pickle_by_name(name):
    function = getattr(tg, name)

    assert pickle.loads(pickle.dumps(function)) is function


def test_functions_show_their_arguments():
    assert str(inspect.signature(tg.floor)) == "(x, /)"
    assert str(inspect.signature(tg.less)) == "(x, y, /)"
    assert list(inspect.signature(tg.sum).parameters) == ["x", "axis", "keepdims"]


def test_a_device_array_brings_its_module_and_a_subclass_that_of_its_base(monkeypatch):
    array = type("ndarray", (), {"__module__": "cupy"})
    module = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(backend, "modules", type(backend.modules)(backend.modules))
    special = type("Special", (tg.Tensor,), {"__slots__": ()})

    assert backend.modules[array] is module
    assert backend.modules[special] is tg.primitives


def test_a_block_that_ends_in_another_context_leaves_that_one_alone():
    def holding():
        with tg.no_grad():
            yield

    generator = holding()
    contextvars.copy_context().run(next, generator)
    generator.close()

    assert (tg.tensor(1.0, requires_grad=True) * 2).requires_grad


def test_a_scope_has_a_name():
    with pytest.raises(UsageError, match=r"scope: expected a name, got 3: write tg\.scope\('3'\)"):
        tg.scope(3)


def test_the_package_has_what_it_has():
    assert tg.testing.check_gradient
    with pytest.raises(AttributeError, match="module 'tinygrad_res' has no attribute 'nothing'"):
        _ = tg.nothing


def test_hooks_are_not_lost_by_switching_the_gradient_off():
    x = tg.tensor([1.0], requires_grad=True)
    handle = x.register_hook(lambda g: 2 * g)

    with pytest.raises(UsageError, match="requires_grad: this tensor has hooks: remove them first"):
        x.requires_grad = False
    handle.remove()
    x.requires_grad = False

    assert not x.requires_grad
