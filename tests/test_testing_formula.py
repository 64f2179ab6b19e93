"""check_formula passes right formulas and says what a wrong one has wrong."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res.errors import ShapeError, UsageError
from tinygrad_res.testing import GradientCheckError, check_formula

RNG = np.random.default_rng(0)
N = 32
X, Y, W = RNG.standard_normal((N, 4)), RNG.standard_normal(N), RNG.standard_normal(4)
A, B = RNG.standard_normal((3, 3)), RNG.standard_normal((3, 3))
LABELS = np.arange(N) % 4


def ridge(w, x, y):
    return tg.mean((x @ w - y) ** 2) + 0.25 * tg.sum(w * w)


def ridge_gradient(w, x, y):
    return 2 / len(y) * x.T @ (x @ w - y) + 0.5 * w


def product(a, b):
    return tg.sum(tg.tanh(a @ b))


def product_gradient(a, b):
    return (1 - np.tanh(a @ b) ** 2) @ b.T


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_right_formulas_pass():
    check_formula(ridge, ridge_gradient, W, X, Y)
    check_formula(product, product_gradient, A, B)
    check_formula(tg.cross_entropy, lambda z, k: (softmax(z) - np.eye(4)[k]) / N, X, LABELS)
    check_formula(lambda a: a * a * a, lambda a: 3 * a * a, 2.0)


def test_a_tuple_of_argnums_takes_a_tuple_in_the_same_order():
    def both(a, b):
        return a.T @ (1 - np.tanh(a @ b) ** 2), product_gradient(a, b)

    check_formula(product, both, A, B, argnums=(1, 0))
    with pytest.raises(GradientCheckError, match=r"argument 0 \(a\)"):
        check_formula(product, both, A, B, argnums=(0, 1))


def test_nested_arguments_take_nested_formulas():
    check_formula(
        lambda p: tg.sum(p["a"] * p["b"]) + tg.sum(p["a"]),
        lambda p: {"a": p["b"] + 1, "b": p["a"]},
        {"a": A, "b": B},
    )


def test_an_output_of_several_elements_takes_a_cotangent():
    check_formula(tg.exp, lambda x, c: c * np.exp(x), X, cotangent=X)
    with pytest.raises(GradientCheckError, match="forgets to multiply by the cotangent"):
        check_formula(tg.exp, lambda x, c: np.exp(x), X, cotangent=X)


def test_float32_and_tensor_arguments_are_checked_in_float64():
    x = tg.tensor(X.astype(np.float32), requires_grad=True)

    check_formula(ridge, ridge_gradient, W.astype(np.float32), x, Y)


WRONG = {
    "sign": (ridge, lambda *a: -ridge_gradient(*a), (W, X, Y), "the sign is wrong everywhere"),
    "factor": (ridge, lambda *a: 2 * ridge_gradient(*a), (W, X, Y), "got = 2 * expected"),
    "size": (lambda a: tg.mean(a * a), lambda a: 2 * a, (A,), "9 is the number of elements of argument 0 (a)"),
    "batch mean": (ridge, lambda *a: N * ridge_gradient(*a), (W, X, Y), "missing batch mean: the formula is N = 32 times too large"),
    "batch mean of cross-entropy": (tg.cross_entropy, lambda z, k: softmax(z) - np.eye(4)[k], (X, LABELS), "missing batch mean"),
    "second batch mean": (ridge, lambda *a: ridge_gradient(*a) / N, (W, X, Y), "a batch mean too many"),
    "batch not reduced": (ridge, lambda w, x, y: 2 * x * (x @ w - y)[:, None] + 0.5 * w, (W, X, Y), "missing batch mean: take the mean over axis 0, of length 32"),
    "batch not summed": (lambda w, x: tg.sum(x @ w), lambda w, x: x, (W, X), "missing batch sum"),
    "transpose": (product, lambda a, b: product_gradient(a, b).T, (A, B), "transpose"),
    "transposed shape": (product, lambda a, b: product_gradient(a, b).T, (A[:2], B), "transpose"),
    "decay": (ridge, lambda w, x, y: 2 / N * x.T @ (x @ w - y), (W, X, Y), "a term is missing: 0.5 * w"),
    "lasso": (lambda w: tg.sum(tg.exp(w)) + 3 * tg.sum(tg.abs(w)), np.exp, (W,), "a term is missing: 3 * sign(w)"),
    "other operand": (lambda a, b: tg.sum(a * b) + tg.sum(tg.exp(a)), lambda a, b: np.exp(a), (A, B), "a term is missing: 1 * b"),
    "constant": (lambda w: tg.sum(tg.exp(w)) + 2 * tg.sum(w), np.exp, (W,), "a term is missing: 2 * 1 (a constant)"),
    "centring": (lambda z: 0.5 * tg.sum((z - tg.mean(z, axis=0)) ** 2), lambda z: z, (X,), "a term is missing: -1 * mean(z, axis=0)"),
    "one entry": (ridge, lambda *a: ridge_gradient(*a) * np.array([1, 1, 2, 1]), (W, X, Y), "only 1 of 4 entries are wrong: [2]"),
    "not a number": (ridge, lambda *a: ridge_gradient(*a) * np.nan, (W, X, Y), "not-a-number"),
    "unknown": (product, lambda a, b: np.sin(a), (A, B), "finite differences agree with the engine"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_formula_is_caught_and_what_is_wrong_is_named(case):
    f, formula, args, what = WRONG[case]

    with pytest.raises(GradientCheckError, match=r"^formula for argument 0 \(\w+\)") as caught:
        check_formula(f, formula, *args)

    assert what in str(caught.value)


def test_a_missing_term_is_named_as_the_caller_names_it():
    terms = {"one-hot labels": lambda z, k: np.eye(4)[k]}

    with pytest.raises(GradientCheckError, match=r"a term is missing: -0\.03125 \* one-hot labels"):
        check_formula(tg.cross_entropy, lambda z, k: softmax(z) / N, X, LABELS, terms=terms)


def test_a_formula_that_is_right_at_the_given_point_alone_is_caught_at_another():
    fixed = ridge_gradient(W, X, Y)

    check_formula(ridge, lambda *a: fixed, W, X, Y, points=0)
    with pytest.raises(GradientCheckError, match="at random point 1, though right at the given"):
        check_formula(ridge, lambda *a: fixed, W, X, Y)


def test_finite_differences_say_when_the_engine_is_wrong():
    stop = tg.stop_gradient

    def f(a):
        return stop(tg.sum(tg.exp(a))) + tg.sum(a) - stop(tg.sum(a))

    with pytest.raises(GradientCheckError, match="agree with the formula: the engine's rule"):
        check_formula(f, np.exp, A)


def test_finite_differences_say_when_neither_is_right_or_there_is_a_kink():
    stop = tg.stop_gradient

    def f(a):
        return stop(tg.sum(tg.exp(a))) + tg.sum(a) - stop(tg.sum(a))

    with pytest.raises(GradientCheckError, match="agree with neither"):
        check_formula(f, np.sin, A)
    with pytest.raises(GradientCheckError, match="cannot tell"):
        check_formula(lambda a: tg.sum(tg.relu(a)), lambda a: 1.0 * (a >= 0), np.array([0.0, 1.0]))


def test_a_formula_cannot_change_the_arrays_that_it_is_checked_with():
    x = X.copy()

    def formula(w, x, y):
        x *= 1.0
        x[:] = 0
        return ridge_gradient(w, X, y)

    check_formula(ridge, formula, W, x, Y)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: check_formula(tg.exp, np.exp, X), UsageError, "returns 128 elements; return one"),
        (lambda: check_formula(ridge, ridge_gradient, W, X, Y, argnums=3), UsageError, "argnums 3"),
        (lambda: check_formula(tg.exp, np.exp, X, cotangent=Y), ShapeError, "32 elements, the output 128"),
        (lambda: check_formula(product, product_gradient, A, B, argnums=(0, 1)), ShapeError, "returned 1 arrays for 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_sympy_expressions_are_formulas():
    sympy = pytest.importorskip("sympy", reason="formulas as expressions")
    x, y = sympy.symbols("x y")

    def f(x, y):
        return tg.sin(x) * y + x**3

    right = sympy.cos(x) * y + 3 * x**2
    check_formula(f, right, X, X + 1)
    check_formula(lambda x, y: tg.sum(f(x, y)), right, X, X + 1)
    check_formula(f, {y: sympy.sin(x), "x": right}, X, X + 1, argnums=(1, 0))
    check_formula(f, (sympy.sin(x), right), X, X + 1, argnums=(1, 0))
    check_formula(lambda x: 2 * x, sympy.Integer(2), X)


def test_a_wrong_sympy_expression_is_named_by_its_terms():
    sympy = pytest.importorskip("sympy", reason="formulas as expressions")
    x, y, z = sympy.symbols("x y z")

    def f(x, y):
        return tg.sin(x) * y + x**3

    with pytest.raises(
        GradientCheckError, match=r"the term x\*\*2 of the formula should be 3 times"
    ):
        check_formula(f, sympy.cos(x) * y + x**2, X, X + 1)
    with pytest.raises(GradientCheckError, match=r"a term is missing: 3 \* x\*\*2"):
        check_formula(f, sympy.cos(x) * y, X, X + 1)
    with pytest.raises(UsageError, match=r"\['z'\] are no parameters"):
        check_formula(f, x * z, X, X + 1)
    with pytest.raises(UsageError, match="no expression for"):
        check_formula(f, {y: x}, X, X + 1)
    with pytest.raises(UsageError, match="1 expressions for 2"):
        check_formula(f, x, X, X + 1, argnums=(0, 1))
    with pytest.raises(UsageError, match="takes no cotangent"):
        check_formula(f, x, X, X + 1, cotangent=X)


def test_functions_of_pytorch_are_formulas_too():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    args = [torch.tensor(W, dtype=torch.float32), torch.tensor(X, dtype=torch.float32), Y]

    def f(w, x, y):
        return ((x @ w - torch.as_tensor(y)) ** 2).mean() + 0.25 * (w * w).sum()

    check_formula(f, ridge_gradient, *args)
    with pytest.raises(GradientCheckError, match=r"a term is missing: 0\.5 \* w"):
        check_formula(f, lambda w, x, y: 2 / N * x.T @ (x @ w - y), *args)
