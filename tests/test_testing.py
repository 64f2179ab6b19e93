"""check_gradient passes what is right, and catches and names every planted fault.

Faults are planted with public names alone: ``planted(f, g)`` has the value of ``f`` and
the derivative of ``g``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, UsageError
from tinygrad_res.testing import GradientCheckError, NotDifferentiableError, check_gradient
from tinygrad_res.testing.diagnosis import diagnose
from tinygrad_res.testing.differences import curvature, slope

stop = tg.stop_gradient
RNG = np.random.default_rng(0)
X = RNG.uniform(0.3, 1.5, (2, 3))
SQUARE = RNG.uniform(0.3, 1.5, (3, 3))
ROW = RNG.uniform(0.3, 1.5, (1, 3))


def planted(f, g):
    """Return a function with the value of ``f`` and the derivatives of ``g``."""
    return lambda *xs: stop(f(*xs)) + g(*xs) - stop(g(*xs))


def conjugated(z):
    """Multiply pairs (real, imaginary) by 3, with the gradient of the conjugate's."""
    return planted(lambda z: 3 * z, lambda z: 3 * tg.stack([z[0], -z[1]]))(z)


def stretched(x, b):
    """Add a broadcast row, with a gradient of the row from the first output row alone."""
    return planted(lambda x, b: x + b, lambda x, b: x + tg.concat([b, stop(b)]))(x, b)


def once(x):
    """exp with a first derivative that is right and not recorded."""
    return stop(tg.exp(x)) + stop(tg.exp(x)) * (x - stop(x))


def bent(x):
    """exp with right first derivative and a second one that is three times too large."""
    return planted(
        lambda x: tg.exp(x),
        lambda x: stop(tg.exp(x)) * (x - stop(x)) + 1.5 * stop(tg.exp(x)) * (x - stop(x)) ** 2,
    )(x)


class Layer(NamedTuple):
    w: object
    b: object


# Right


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (tg.tanh, [X]),
        (lambda x, w: tg.matmul(x, w), [X, SQUARE]),
        (lambda x, b: x * b, [X, ROW]),
        (lambda x: tg.logsumexp(x, axis=0), [X]),
        (lambda x: tg.exp(x), [0.5]),
        (lambda x: x * x, [tg.tensor(X, requires_grad=True)]),
        (lambda x, k: tg.cross_entropy(x, k), [X, np.array([2, 0])]),
        (lambda x: tg.sum(x) * 0 + 1.0, [X]),
        (lambda x: tg.sum(tg.softmax(x)), [X]),
        (lambda x: 1e-15 * (tg.sum(x[0] * x[1]) - np.sum(X[0] * X[1])), [X]),
        (lambda x: tg.log(tg.sum(tg.softmax(x))), [X]),
        (lambda x, y: tg.sum(x) + y[:0], [np.zeros((0, 3)), X]),
        (lambda x: x, [X]),
    ],
)
def test_right_derivatives_pass(f, args):
    check_gradient(f, *args)


def test_arguments_and_outputs_may_be_nested():
    def f(layer, batch, power):
        h = batch["x"] @ layer.w + layer.b[0]
        return {"h": [tg.tanh(h)], "norm": tg.sum(h**power), "largest": np.argmax(h.numpy())}

    check_gradient(f, Layer(SQUARE, [ROW[0]]), {"x": X}, 2)


def test_a_fault_in_a_nested_argument_is_named_by_its_path():
    f = planted(lambda p: p["w"][1] * X, lambda p: -p["w"][1] * X)

    with pytest.raises(GradientCheckError, match=re.escape("argument 0['w'][1]: 6 of 6")):
        check_gradient(f, {"w": [X, 2 * X]})


def test_float32_arguments_are_checked_in_float64_and_keep_their_dtype():
    check_gradient(lambda x, w: tg.tanh(x @ w), X.astype(np.float32), SQUARE.astype(np.float32))


def test_arguments_with_many_entries_are_checked_at_some_and_along_a_direction():
    many = RNG.uniform(0.5, 1, (30, 20))

    check_gradient(lambda x: x * x, many, order=1)
    with pytest.raises(GradientCheckError, match="reverse mode"):
        check_gradient(planted(lambda x: x * x, lambda x: x), many, order=1)


def test_a_point_beside_a_kink_or_the_edge_of_the_domain_passes():
    check_gradient(lambda x: tg.relu(x) + tg.log(tg.abs(x)), np.array([3e-3, -2e-4, 4e-5]))


def test_ill_scaled_functions_pass():
    check_gradient(lambda x: x * x * x * 1e-12, X, atol=0.0)
    check_gradient(lambda x: tg.sin(x / 1e6) * 1e9, 1e6 * X)
    check_gradient(lambda x: tg.sin(100 * x), X)


# Wrong


def rotated(x):
    return planted(lambda x: x * SQUARE, lambda x: tg.permute_dims(x * SQUARE, (1, 0)))(x)


FAULTS = {
    "wrong rule": (planted(tg.tanh, tg.sin), [X], "reverse mode, argument 0: 6 of 6", ""),
    "sign": (planted(tg.tanh, lambda x: -tg.tanh(x)), [X], "reverse mode", "sign is wrong everywhere"),
    "factor": (planted(tg.tanh, lambda x: 2 * tg.tanh(x)), [X], "reverse mode", "got = 2 * expected"),
    "nothing": (lambda x: stop(tg.tanh(x)) + 0 * x, [X], "reverse mode", "detached"),
    "swapped axes": (rotated, [SQUARE + 1], "reverse mode", "axes are swapped"),
    "transposed": (planted(lambda x: x * 3, lambda x: tg.permute_dims(x, (1, 0)) * 3), [SQUARE], "reverse mode", "axes are swapped"),
    "backwards": (planted(lambda x: x * ROW, lambda x: (x * ROW)[:, ::-1]), [X], "reverse mode", "backwards along axis 1"),
    "permuted": (planted(lambda x: x, lambda x: x[[1, 2, 0]]), [ROW[0]], "reverse mode", "permuted"),
    "conjugate": (conjugated, [X], "reverse mode, argument 0 (z): 3 of 6", "index on axis 0 is 1"),
    "no unbroadcast": (stretched, [X, ROW], "reverse mode, argument 1 (b)", "missing unbroadcast"),
    "mean for sum": (planted(lambda b: b + X, lambda b: b / 2 + X), [ROW], "reverse mode", "the mean over the outputs"),
    "one entry": (planted(lambda x: x * 2, lambda x: x * np.array([2.0, 2.0, 1.9])), [ROW[0]], "1 of 3 entries differ", ""),
    "not a number": (lambda x: x + tg.sqrt(0 * x), [X], "reverse mode", "not-a-number"),
    "detached": (once, [X], "reverse over reverse, argument 0 (x)", "first derivative is right and its own derivative is not"),
    "second order": (bent, [X], "reverse over reverse, argument 0 (x)", "first derivative is right and its own derivative is not"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_and_named(fault):
    f, args, where, what = FAULTS[fault]

    with pytest.raises(GradientCheckError) as caught:
        check_gradient(f, *args)

    first, *table = str(caught.value).splitlines()
    assert where in first
    assert table[0].split() == ["entry", "expected", "got"]
    assert what in (table[-1] if what else "")


@pytest.mark.parametrize(
    ("modes", "where"),
    [(("forward",), "forward over forward"), (("reverse",), "reverse over reverse")],
)
def test_each_mode_alone_finds_a_detached_rule(modes, where):
    with pytest.raises(GradientCheckError, match=where):
        check_gradient(once, X, modes=modes)


def test_first_order_alone_passes_a_detached_rule():
    check_gradient(once, X, order=1)


def test_forward_mode_alone_finds_a_wrong_rule():
    with pytest.raises(GradientCheckError, match=r"forward mode, argument 1: 6 of 6"):
        check_gradient(
            planted(lambda x, y: x * y, lambda x, y: x * stop(y)), X, X, modes=["forward"]
        )


def test_the_table_shows_the_ten_worst_entries_and_counts_the_rest():
    with pytest.raises(GradientCheckError) as caught:
        check_gradient(planted(lambda x: x, lambda x: 0.5 * x), np.ones(15))

    lines = str(caught.value).splitlines()
    rows = [line for line in lines if line.startswith("  [")]
    differences = [abs(float(e) - float(g)) for _, e, g in (row.split() for row in rows)]
    assert len(rows) == 10
    assert differences == sorted(differences, reverse=True)
    assert "  and 5 more, which differ less" in lines


def test_randomness_is_named():
    draws = np.random.default_rng(0)

    with pytest.raises(GradientCheckError, match="two runs, the function") as caught:
        check_gradient(lambda x: x * draws.uniform(), X)
    assert "randomness" in str(caught.value)


@pytest.mark.parametrize("error", [AssertionError, GradientCheckError])
def test_a_failure_is_an_assertion_error(error):
    with pytest.raises(error):
        check_gradient(planted(tg.tanh, tg.sin), X)


# Where there is no derivative


@pytest.mark.parametrize(
    ("f", "x", "where"),
    [
        (tg.relu, [1.0, 0.0], r"\[1\]: the output\[1\] has left slope 0 and right slope 1"),
        (tg.abs, [1.0, 0.0], r"left slope -1 and right slope 1"),
        (tg.max, [2.0, 2.0], r"\[0\]: the output has left slope 0 and right slope 1"),
        (tg.sqrt, [1.0, 0.0], r"left slope nan"),
        (lambda x: tg.where(x > 0, x + 1.0, x), [0.0], r"the output\[0\]"),
        (lambda x: tg.relu(x) * x, [1.0, 0.0], r"the first derivative.*that by argument 0 \(x\)\[1\]"),
        (lambda x: tg.where(x > 0, 1.0, -1.0) * tg.sqrt(tg.abs(x)), [0.0], "do not settle"),
        (tg.log, [-1.0], r"the output\[0\] is nan"),
    ],
)  # fmt: skip
def test_a_kink_is_reported_as_not_differentiable_here(f, x, where):
    with pytest.raises(NotDifferentiableError, match=f"not differentiable here.*{where}"):
        check_gradient(f, np.array(x))


def test_a_kink_is_no_assertion_error():
    assert issubclass(NotDifferentiableError, GradientError)
    assert not issubclass(NotDifferentiableError, AssertionError)


# Choices


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_gradient(tg.exp, X, order=3), "order must be 1 or 2"),
        (lambda: check_gradient(tg.exp, X, modes=("backward",)), "modes are some of"),
        (lambda: check_gradient(tg.exp, X, modes="reverse"), "modes are some of"),
        (lambda: check_gradient(lambda k: k, 3), "no argument is floating point"),
        (lambda: check_gradient(lambda z: z, 1j), "real and the imaginary part"),
        (lambda: check_gradient(lambda x: 1, X), "nothing that is floating point"),
        (lambda: check_gradient(np.exp, X, jvp=lambda f, x, t: None), "without a vjp"),
        (
            lambda: check_gradient(np.exp, X, vjp=lambda f, x: None, modes=("forward",)),
            "there is no jvp",
        ),
    ],
)
def test_a_choice_outside_its_choices_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


# Differences


def test_the_complex_step_is_exact_where_the_function_is_analytic():
    found = slope(lambda t: np.array([np.exp(np.sin(2 * t + 0.7))]))

    assert abs(found.value[0] - 2 * np.cos(0.7) * np.exp(np.sin(0.7))) < 1e-15 * 10
    assert found.error[0] == 0


@pytest.mark.parametrize("f", [np.abs, np.conj, np.real])
def test_the_complex_step_is_not_believed_where_it_is_wrong(f):
    found = slope(lambda t: f(np.array([2.0 + t])))

    assert found.value[0] == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("x", [1.0, 1e-2, 1e-4, 1e-5])
def test_steps_shrink_beside_the_edge_of_a_domain(x):
    found = slope(lambda t: np.log(np.array([x + t])), analytic=False)

    assert found.value[0] == pytest.approx(1 / x, rel=1e-5)
    assert not found.kink[0]


def test_the_curvature_is_the_second_derivative():
    value, error = curvature(lambda t: np.array([np.sin(3 * t + 1)]))

    assert value[0] == pytest.approx(-9 * np.sin(1), rel=1e-6)
    assert error[0] < 1e-5


# Its cost


def test_importing_the_kit_imports_no_optional_package():
    code = (
        "import sys, tinygrad_res.testing;"
        "print(*({'pytest', 'sympy', 'torch', 'jax', 'hypothesis'} & set(sys.modules)))"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == ""


# Devices


def test_device_arrays_are_checked_where_they_are(xp):
    seen = set()

    def f(x, w):
        seen.add(x.device)
        return tg.tanh(x @ w)

    check_gradient(f, xp.asarray(X.astype(np.float32)), tg.tensor(xp.asarray(SQUARE)))
    assert seen == {"cuda"}
    with pytest.raises(GradientCheckError, match="got = -1"):
        check_gradient(planted(tg.tanh, lambda x: -tg.tanh(x)), xp.asarray(X))


# Diagnoses of plain numbers


NUMBERS = np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
CUBE = np.arange(1.0, 9.0).reshape(2, 2, 2) ** 2


@pytest.mark.parametrize(
    ("expected", "got", "what"),
    [
        (NUMBERS, np.inf * NUMBERS, "not-a-number or infinity"),
        (NUMBERS, NUMBERS[::-1], "the elements run backwards along axis 0"),
        (NUMBERS, np.array([[1.0, 2.0, 4.0], [8.0, -16.0, -32.0]]), "the sign is wrong at 2 of 6"),
        (CUBE, np.transpose(CUBE, (0, 2, 1)), r"its axes in the order \(0, 2, 1\)"),
        (NUMBERS, NUMBERS.ravel()[[1, 0, 2, 4, 5, 3]].reshape(2, 3), "elements are permuted"),
    ],
)
def test_a_pattern_in_numbers_is_recognised(expected, got, what):
    assert re.search(what, diagnose(expected, got))


def test_no_pattern_is_made_up():
    assert diagnose(NUMBERS, NUMBERS**2 + 1) is None
    assert diagnose(np.array(2.0), np.array(6.0)) is None
