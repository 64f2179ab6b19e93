"""check_gradient on other engines: a given VJP, PyTorch's and JAX's own transforms."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_res.errors import UsageError
from tinygrad_res.testing import GradientCheckError, check_gradient

RNG = np.random.default_rng(0)
X = RNG.uniform(0.3, 1.5, (2, 3))
SQUARE = RNG.uniform(0.3, 1.5, (3, 3))


def written(back):
    """Return the VJP of a hand-written rule: ``back(x, cotangent)``."""
    return lambda f, x: (f(x), lambda cotangent: back(x, cotangent))


def test_a_given_vjp_is_checked_to_first_order():
    check_gradient(np.exp, X, vjp=written(lambda x, c: (c * np.exp(x),)))
    with pytest.raises(GradientCheckError, match="got = -1"):
        check_gradient(np.exp, X, vjp=written(lambda x, c: (-c * np.exp(x),)))


def test_a_given_jvp_is_checked_against_the_vjp():
    def jvp(f, primals, tangents):
        return f(*primals), tangents[0] * np.exp(primals[0]) * 2

    with pytest.raises(GradientCheckError, match="forward mode, argument 0"):
        check_gradient(np.exp, X, vjp=written(lambda x, c: (c * np.exp(x),)), jvp=jvp)


def test_several_outputs_of_a_given_engine_are_a_tuple():
    def vjp(f, x):
        return f(x), lambda c: (c[0] + 2 * c[1] * x,)

    check_gradient(lambda x: (1 * x, x * x), X, vjp=vjp)


@pytest.mark.parametrize(
    ("back", "message"),
    [
        (lambda x, c: ((c * np.exp(x)).T,), "shape \\(3, 2\\).*\nlooks like: axes are swapped"),
        (lambda x, c: (np.stack([c * x] * 2),), "looks like: the sum over axis 0 is missing"),
        (lambda x, c: ((c * x).ravel(),), "looks like: .*a reshape is missing"),
        (lambda x, c: (c, c), "2 cotangents for 1 arguments"),
        (lambda x, c: (np.multiply(c, np.exp(x), out=c),), "mutated input, the cotangent"),
        (lambda x, c: (np.multiply(c, np.exp(x), out=x),), "mutated input, argument 0"),
        (lambda x, c: (c * np.exp(x) + 1e-9,), "zero cotangent"),
        (lambda x, c: (c * np.exp(x) + np.random.uniform(0, 1e-9),), "two runs, the gradient of"),
    ],
)  # fmt: skip
def test_a_fault_that_only_a_written_rule_can_have_is_named(back, message):
    with pytest.raises(GradientCheckError, match=message):
        check_gradient(np.exp, X, vjp=written(back))


def test_a_gradient_of_another_dtype_is_named():
    with pytest.raises(GradientCheckError, match="wrong dtype"):
        check_gradient(
            np.exp, X.astype(np.float32), vjp=written(lambda x, c: (np.float64(c * np.exp(x)),))
        )


def test_a_function_that_writes_to_its_input_is_named():
    def f(x):
        x *= 2
        return x

    with pytest.raises(GradientCheckError, match="mutated input, argument 0"):
        check_gradient(f, X, vjp=written(lambda x, c: (2 * c,)))


def test_a_constant_that_is_written_to_is_named():
    def f(x, k):
        k += 1
        return x * 1.0

    with pytest.raises(GradientCheckError, match="mutated input, constant 0"):
        check_gradient(f, X, np.arange(3))


def test_a_given_vjp_that_cannot_nest_is_told_to_stop_at_first_order():
    def vjp(f, x):
        if f(x).shape != (3,):
            raise TypeError("this rule is that of three exponentials")
        return f(x), lambda c: (np.sum(c) * np.exp(x),)

    with pytest.raises(UsageError, match=r"three exponentials.*pass order=1"):
        check_gradient(lambda x: np.exp(np.stack([x, x, x])), 1.0, order=2, vjp=vjp)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_functions_of_pytorch_are_checked_with_its_own_transforms():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    x = torch.tensor(X, dtype=torch.float32)

    check_gradient(lambda x, w: {"y": torch.tanh(x @ w)}, x, torch.ones(3, 2))
    check_gradient(lambda x: [x * x, torch.sin(x)], torch.tensor(X))
    with pytest.raises(GradientCheckError, match="reverse mode, argument 0"):
        check_gradient(lambda x: x.detach() ** 2 + x - x.detach(), x)


def test_functions_of_jax_are_checked_with_its_own_transforms():
    jax = pytest.importorskip("jax", reason="compares with JAX")
    x = jax.numpy.asarray(X, dtype="float32")

    check_gradient(lambda x: jax.numpy.tanh(x @ SQUARE), x)
    check_gradient(lambda x: jax.numpy.tanh(x), X, vjp=jax.vjp, jvp=jax.jvp)
    with pytest.raises(GradientCheckError, match="reverse mode, argument 0"):
        check_gradient(lambda x: jax.lax.stop_gradient(x) * x, x)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_functions_that_pytorchs_transforms_do_not_take_are_told_with_the_mend():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")

    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    with pytest.raises(UsageError, match="give it a setup_context"):
        check_gradient(Old.apply, torch.tensor(X), order=1, modes=("reverse",))
    with pytest.raises(UsageError, match=r"make it float64 too, as module\.double\(\) does"):
        check_gradient(torch.nn.Linear(X.shape[1], 2), torch.tensor(X, dtype=torch.float32))
