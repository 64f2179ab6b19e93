"""Every public operation keeps, however Hypothesis calls it, what all of them promise.

The drawn calls are the same in every run.  To draw others, and more of them:

    TINYGRAD_RES_EXAMPLES=100 python -m pytest tests/test_properties.py
"""

from __future__ import annotations

import contextlib
import inspect
import operator
import os
import sys
from dataclasses import replace

import numpy as np
import oracles
import pytest
import standin
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import CONSTANT, DIFFERENTIABLE, EVERY, arrays, calls, otherwise, shapes
from strategies.references import REFERENCES, reference

import tinygrad_res as tg
from tinygrad_res import backend
from tinygrad_res.errors import Error

EXAMPLES = os.environ.get("TINYGRAD_RES_EXAMPLES")
SEEDS = st.integers(0, 2**16)


def operation(name):
    return operator.attrgetter(name)(tg)


AXES = {name for name in EVERY if "axis" in inspect.signature(operation(name)).parameters}
WIDENING = {"astype", "float_power", "interp"}  # whose results are of float64, as drawn
OF_INTEGERS = {name for name in EVERY if not name.startswith("linalg.")} - REFERENCES.keys()
OF_INTEGERS -= {"acos", "asin", "atanh", "log1p"}  # of an interval that has none
OF_INTEGERS -= {"pad"}  # NumPy rounds what it pads with
OF_INTEGERS -= {"select"}  # called with lists of the drawn arrays


def every(names):
    return pytest.mark.parametrize("name", sorted(names))


def drawn(examples):
    """Draw so many examples, the same ones in every run, or as many as were asked for."""
    return settings(
        max_examples=int(EXAMPLES or examples),
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def of(call):
    """Return the call as a function of its operands, whose result is one tensor."""

    def f(*operands):
        out = call(operation(call.name), *operands)
        assume(out)  # an axis of length 0 falls into no pieces
        parts = [(1 + k) * tg.ravel(y) for k, y in enumerate(out)]
        return out[0] if len(out) == 1 else tg.concat(parts)

    return f


def uniform(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, shape) for shape in shapes]


def test_every_public_operation_is_drawn():
    linear_algebra = {f"linalg.{name}" for name in tg.linalg.__all__}

    assert EVERY.keys() == set(tg.primitives.__all__) | linear_algebra


@every(EVERY)
@drawn(15)
@given(data=st.data(), seed=SEEDS)
def test_values_are_those_of_numpy_or_of_the_definition(name, data, seed):
    call = data.draw(calls(name))
    operands = arrays(call, seed)

    found = call(operation(name), *map(tg.tensor, operands))

    assert_equal(found, call(reference(name), *operands))


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == np.shape(theirs)
        assert ours.dtype == np.asarray(theirs).dtype
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-9, atol=1e-12)


@every(OF_INTEGERS)
@drawn(8)
@given(data=st.data(), seed=SEEDS)
def test_integers_give_what_numpy_gives_or_are_refused_where_it_refuses_them(name, data, seed):
    call = data.draw(calls(name))
    call = replace(call, kind="i", prepare=None)
    operands = arrays(call, seed)
    assume(name != "pow" or operands[0].size)  # NumPy refuses a negative power of some, not of none

    try:
        expected = call(reference(name), *operands)
    except Exception:
        with pytest.raises(Error):
            call(operation(name), *operands)
        return

    assert_equal(call(operation(name), *operands), expected)


@every(DIFFERENTIABLE)
@drawn(12)
@given(data=st.data(), seed=SEEDS)
def test_derivatives_equal_finite_differences_in_both_modes_to_second_order(name, data, seed):
    call = data.draw(calls(name))

    oracles.check(of(call), *arrays(call, seed), seed=seed)


@every(DIFFERENTIABLE)
@drawn(6)
@given(data=st.data(), seed=SEEDS, scale=st.sampled_from([-2.0, 0.5]))
def test_a_vjp_is_linear_in_its_cotangent(name, data, seed, scale):
    call = data.draw(calls(name))
    out, pull = tg.vjp(of(call), *arrays(call, seed))
    first, second = uniform(seed, out.shape, out.shape)

    mixed = pull(first + scale * second)

    for whole, a, b in zip(mixed, pull(first), pull(second), strict=True):
        np.testing.assert_allclose(whole, a + scale * b, rtol=1e-9, atol=1e-9)


@every(DIFFERENTIABLE)
@drawn(8)
@given(data=st.data(), seed=SEEDS, dtype=st.sampled_from([np.float32, np.float16]))
def test_results_and_gradients_keep_the_dtype(name, data, seed, dtype):
    assume(dtype is np.float32 or not name.startswith("linalg."))  # which is LAPACK's
    call = data.draw(calls(name))
    operands = [a.astype(dtype) for a in arrays(call, seed)]

    out, pull = tg.vjp(of(call), *operands)

    assert out.dtype == (np.float64 if name in WIDENING else dtype)
    assert [g.dtype for g in pull(np.ones(out.shape, out.dtype))] == [dtype] * len(operands)


@every(CONSTANT)
@drawn(5)
@given(data=st.data(), seed=SEEDS)
def test_constants_carry_no_gradient(name, data, seed):
    call = data.draw(calls(name))
    operands = arrays(call, seed)

    out = call(operation(name), *[tg.tensor(a, requires_grad=call.kind == "f") for a in operands])

    assert not any(y.requires_grad for y in out)


@every(EVERY)
@drawn(8)
@given(data=st.data(), seed=SEEDS)
def test_a_device_gives_the_same_numbers_and_nothing_travels_to_the_host(name, data, seed):
    call = data.draw(calls(name))
    operands = arrays(call, seed)
    directions = uniform(seed, *call.shapes)

    with device() as xp:
        here, there = (
            numbers(call, [put(a) for a in operands], [put(a) for a in directions])
            for put in (np.asarray, xp.asarray)
        )

        assert list(standin.transfers) == []
        assert {type(b) for b in there} <= {xp.ndarray}
        for a, b in zip(here, there, strict=True):
            np.testing.assert_allclose(b.get(), a, rtol=1e-9, atol=1e-12)


@contextlib.contextmanager
def device():
    """Put the stand-in for CuPy in its place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(backend.modules, standin.Array, standin.module)
        patch.setitem(sys.modules, "cupy", standin.module)
        patch.setitem(sys.modules, "cupyx.scipy.special", standin.special)
        standin.transfers.clear()
        yield standin.module
        standin.transfers.clear()


def numbers(call, operands, directions):
    """Return the values of a call, and where it has them its derivatives in both modes and orders."""
    if call.name in CONSTANT:
        return [y.data for y in call(operation(call.name), *map(tg.tensor, operands))]

    f = of(call)

    def loss(*xs):
        y = f(*xs)
        return (y * y).sum()

    out, pull = tg.vjp(f, *operands)
    pushed = tg.jvp(f, operands, directions)[1]
    return [out, pushed, *pull(pushed), tg.hvp(loss)(*operands, directions[0])]


@every(EVERY)
@drawn(12)
@given(data=st.data(), seed=SEEDS)
def test_what_does_not_fit_is_refused_with_an_error_of_the_project(name, data, seed):
    call = data.draw(calls(name))
    spoilt = replace(
        call,
        shapes=tuple(data.draw(st.just(shape) | shapes()) for shape in call.shapes),
        args=data.draw(otherwise(call.args)),
        options=data.draw(otherwise(call.options)),
    )

    with contextlib.suppress(Error), np.errstate(all="ignore"):
        spoilt.bare(operation(name), *arrays(spoilt, seed))


@every(AXES)
@drawn(5)
@given(data=st.data(), seed=SEEDS, beyond=st.integers(1, 9), before=st.booleans())
def test_an_axis_that_does_not_exist_is_refused(name, data, seed, beyond, before):
    call = data.draw(calls(name))
    ndim = len(call.shapes[0]) + 1  # of the result of some
    axis = -ndim - beyond if before else ndim + beyond
    call = replace(call, options=call.options | {"axis": axis})

    with pytest.raises(Error, match=r"axis|axes"):
        call.bare(operation(name), *arrays(call, seed))


# The properties themselves: each of these operations breaks one, and must not pass.


def tanh(partial=lambda xp, out, _x: 1 - out * out, run=np.tanh):
    return tg.custom.pointwise(run, partial, name="tanh")


def detached(xp, out, _x):
    return 1 - tg.stop_gradient(out) * tg.stop_gradient(out)


def fetched(xp, x):
    return xp.asarray(np.tanh(x if isinstance(x, np.ndarray) else x.get()))


def unlucky(x):
    raise IndexError("a raw exception")


FAULTS = [
    (test_values_are_those_of_numpy_or_of_the_definition, tanh(run=np.arctan), "Not equal"),
    (test_derivatives_equal_finite_differences_in_both_modes_to_second_order, tanh(lambda xp, out, _x: 1 + out * out), "forward mode"),
    (test_derivatives_equal_finite_differences_in_both_modes_to_second_order, tanh(detached), "forward over reverse"),
    (test_a_vjp_is_linear_in_its_cotangent, tg.custom.general(lambda xp, x: xp.tanh(x), lambda xp, g, wanted, _out, _x: [g * g], name="tanh"), "Not equal"),
    (test_results_and_gradients_keep_the_dtype, tanh(run=lambda xp, x: np.tanh(x).astype(float)), "float64"),
    (test_a_device_gives_the_same_numbers_and_nothing_travels_to_the_host, tanh(run=fetched), "get"),
    (test_what_does_not_fit_is_refused_with_an_error_of_the_project, unlucky, "a raw exception"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "wrong", "what"), FAULTS)
def test_the_properties_catch_a_planted_fault(monkeypatch, check, wrong, what):
    monkeypatch.setattr(tg, "tanh", wrong)

    with pytest.raises((AssertionError, IndexError), match=what):
        check(name="tanh")
