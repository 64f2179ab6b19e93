"""Activations: values, tails and derivatives, against PyTorch and exact numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from oracles import bend, check_close, check_finite, slope

import tinygrad_res as tg
from tinygrad_res.primitives import activations

X = np.array([-2.5, -1.0, -0.3, 0.0, 0.3, 1.0, 2.5])


TORCH = {
    "elu": (tg.elu, "elu", {}),
    "elu alpha": (lambda x: tg.elu(x, 0.7), "elu", {"alpha": 0.7}),
    "gelu": (tg.gelu, "gelu", {}),
    "gelu tanh": (lambda x: tg.gelu(x, "tanh"), "gelu", {"approximate": "tanh"}),
    "hardtanh": (tg.hardtanh, "hardtanh", {}),
    "leaky_relu": (tg.leaky_relu, "leaky_relu", {}),
    "leaky_relu slope": (lambda x: tg.leaky_relu(x, negative_slope=0.3), "leaky_relu", {"negative_slope": 0.3}),
    "log_sigmoid": (tg.log_sigmoid, "logsigmoid", {}),
    "mish": (tg.mish, "mish", {}),
    "relu": (tg.relu, "relu", {}),
    "relu6": (tg.relu6, "relu6", {}),
    "selu": (tg.selu, "selu", {}),
    "sigmoid": (tg.sigmoid, "sigmoid", {}),
    "silu": (tg.silu, "silu", {}),
    "softplus": (tg.softplus, "softplus", {}),
    "softplus beta": (lambda x: tg.softplus(x, 2.5), "softplus", {"beta": 2.5}),
    "softsign": (tg.softsign, "softsign", {}),
    "tanh": (tg.tanh, "tanh", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", TORCH)
def test_activations_and_their_derivatives_agree_with_pytorch(case):
    torch = pytest.importorskip("torch")
    f, name, options = TORCH[case]
    values = np.concatenate([X, np.linspace(-9.0, 9.0, 40), [0.0, 1.0, -1.0, 6.0]])
    x = torch.tensor(values, requires_grad=True)

    y = getattr(torch.nn.functional, name)(x, **options)
    (first,) = torch.autograd.grad(y.sum(), x)

    check_close(f(values), y.detach().numpy(), rtol=1e-8, atol=1e-9)
    check_close(slope(f, values), first.numpy(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", activations.__all__)
def test_activations_are_graded_as_such(name):
    x = tg.tensor(X, requires_grad=True)

    assert tg.paths(getattr(tg, name)(x).sum(), x).count_by("activation") == {1: 1}


@pytest.mark.parametrize("size", [1, 5000])
def test_sigmoid_is_exact_in_both_tails(size):
    x = np.repeat([-700.0, -40.0, -1.0, 0.0, 1.0, 36.0, 700.0, np.inf, -np.inf], size)

    found = tg.sigmoid(x)

    check_close(found, scipy.special.expit(x), rtol=4e-16)
    check_close(found[size], 4.248354255291589e-18, rtol=1e-15)


@pytest.mark.parametrize("size", [1, 5000])
@pytest.mark.parametrize("name", activations.__all__)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_activations_and_their_derivatives_are_finite_far_out(name, size, dtype):
    big = 0.9 * np.finfo(dtype).max
    x = np.repeat(np.array([-big, -300, -90, -12, 12, 90, 300, big], dtype), size)
    f = getattr(tg, name)

    for values in (f(x), slope(f, x), bend(f, x)):
        assert values.dtype == dtype
        check_finite(values)


TAILS = {  # by name: x, the value there and the derivative, to 16 digits
    "log_sigmoid": [(-800.0, -800.0, 1.0), (40.0, -4.248354255291589e-18, 4.248354255291589e-18)],
    "softplus": [(-40.0, 4.248354255291589e-18, 4.248354255291589e-18), (800.0, 800.0, 1.0)],
    "silu": [(-40.0, -40 * 4.248354255291589e-18, -39 * 4.248354255291589e-18)],
    "gelu": [(-10.0, -10 * 7.619853024160527e-24, 7.619853024160527e-24 - 10 * 7.694598626706420e-23)],
    "mish": [(-40.0, -40 * 4.248354255291589e-18, -39 * 4.248354255291589e-18)],
    "erfc": [(10.0, 2.088487583762545e-45, -4.197656231354417e-44)],
    "expm1": [(-40.0, -1.0, 4.248354255291589e-18), (1e-20, 1e-20, 1.0)],
}  # fmt: skip


@pytest.mark.parametrize("name", TAILS)
def test_tiny_values_and_derivatives_have_relative_accuracy(name):
    for x, value, derivative in TAILS[name]:
        check_close(getattr(tg, name)(x), value, rtol=1e-13)
        check_close(slope(getattr(tg, name), x), derivative, rtol=1e-13)


def test_settings_of_activations_keep_the_dtype():
    x = tg.tensor(X.astype(np.float32))

    found = [
        tg.leaky_relu(x, np.float64(0.1)), tg.elu(x, np.float64(0.5)), tg.softplus(x, np.float64(2)),
        tg.hardtanh(x, np.float64(-1), np.float64(1)),
    ]  # fmt: skip

    assert {y.dtype for y in found} == {np.dtype(np.float32)}


@pytest.mark.cpu
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_relu_at_its_extremes_keeps_dtype_and_layout(dtype):
    x = tg.tensor(np.array([[-np.inf, -1, 0], [2, np.inf, np.nan]], dtype)).T

    y = tg.relu(x)

    np.testing.assert_array_equal(y.data, np.array([[0, 0, 0], [2, np.inf, np.nan]]).T)
    assert (y.dtype, y.data.strides) == (x.dtype, x.data.strides)
