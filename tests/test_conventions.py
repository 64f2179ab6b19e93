"""The conventions: ties and kinks, dtypes, integers carry no gradient, no silent detachment."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import check_close, check_dtype_stays, check_same

import tinygrad_res as tg
from tinygrad_res.errors import ConversionError, DeviceError, DtypeError, Error, GradientError


def tracked(values, **options):
    return tg.tensor(values, requires_grad=True, **options)


# Ties and kinks


def test_ties_in_max_and_min_share_equally():
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])

    check_same(tg.grad(lambda x: tg.max(x, 1).sum())(x), [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    check_same(tg.grad(lambda x: tg.min(x, 1).sum())(x), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    check_same(tg.grad(tg.max)(x), [[0, 0.5, 0.5], [0, 0, 0]])


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_between_two_operands_share_equally(name):
    f = getattr(tg, name)
    x = np.array([1.0, 2.0])

    for g in tg.grad(lambda x, y: f(x, y).sum(), (0, 1))(x, x):
        check_same(g, [0.5, 0.5])
    check_same(tg.grad(lambda x: f(x, 2.0)[1])(x), [0, 0.5])


def test_ties_in_a_pooling_window_share_equally():
    x = np.array([[[[1.0, 1.0, 0.0, 5.0], [0.0, 1.0, 5.0, 4.0]]]])

    g = tg.grad(lambda x: tg.max_pool2d(x, 2).sum())(x)

    check_same(g, [[[[1 / 3, 1 / 3, 0, 0.5], [0, 1 / 3, 0.5, 0]]]])


@pytest.mark.parametrize("f", [tg.relu, tg.abs, abs])
def test_the_derivative_at_the_kink_is_zero(f):
    zero = np.zeros(2)

    check_same(tg.grad(lambda x: f(x).sum())(zero), [0, 0])
    check_same(tg.jvp(f, (zero,), (np.ones(2),))[1], [0, 0])
    check_same(tg.hessian(lambda x: f(x).sum())(zero), np.zeros((2, 2)))


@pytest.mark.parametrize("exponent", [0, 0.0, 1, 2, 3])
def test_whole_powers_of_zero_have_finite_derivatives(exponent):
    expected = [1.0, 0.0][exponent != 1]

    check_same(tg.grad(lambda x: x**exponent)(0.0), expected)
    check_same(tg.grad(lambda x: x ** np.array(exponent, float))(0.0), expected)
    check_same(tg.grad(tg.grad(lambda x: x**exponent))(0.0), 2.0 if exponent == 2 else 0.0)


@pytest.mark.parametrize("base", [-2.0, 0.0, np.array(-2.0), np.array(0.0)])
def test_a_base_that_is_not_positive_gives_no_derivative_by_the_exponent(base):
    check_same(tg.grad(lambda y: base**y)(2.0), 0)
    check_same(tg.grad(tg.grad(lambda y: base**y))(2.0), 0)


def test_an_exponent_of_zero_keeps_its_mixed_derivative():
    # d/dx d/dy x**y = x**(y-1) (1 + y log x), at y = 0: 1/x
    for first, then in ((0, 1), (1, 0)):
        check_close(tg.grad(tg.grad(tg.pow, first), then)(4.0, 0.0), 0.25)


# Dtypes


FLOATING = {
    "scalars": lambda x: (2 * x + 1) / 3 - 0.5 + 1 / (2 + x) + True,
    "powers": lambda x: x**2 + x**3 + x**0.5 + 2**x + x**-1,
    "extrema": lambda x: tg.maximum(x, 0.5) + tg.minimum(0.7, x) + tg.maximum(x, x * x),
    "where": lambda x: tg.where(x > 0.6, x, 0.0) + tg.where(x < 0.5, 1, x),
    "exponentials": lambda x: tg.exp(x) + tg.expm1(x) + tg.log(x) + tg.log1p(x) + tg.sqrt(x),
    "trigonometry": lambda x: tg.sin(x) + tg.cos(x) + tg.square(x) + tg.abs(-x),
    "activations": lambda x: tg.tanh(x) + tg.sigmoid(x) + tg.relu(x),
    "softmax": lambda x: tg.softmax(x) * tg.log_softmax(x) + tg.logsumexp(x, 0),
    "reductions": lambda x: x.sum() + x.mean(0) + tg.max(x, 1, True) + tg.min(x),
    "cross_entropy": lambda x: tg.cross_entropy(x, [0, 3]),
    "matmul": lambda x: x @ x.T @ x,
    "structure": lambda x: tg.concat([x[:, 1:], x[:, [0]]], 1) + tg.stack([x, x])[0] + tg.pad(x, ((1, 0), (0, 0)), 1.0)[1:],
    "broadcast": lambda x: tg.broadcast_to(x[0], (2, 4)) + x.reshape(4, 2).T,
    "conv2d": lambda x: tg.conv2d(x.reshape(1, 2, 2, 2), x.reshape(2, 2, 2, 1), padding=1),
    "pools": lambda x: tg.max_pool2d(x, 2, 1, 1)[:-1, :-1] + tg.avg_pool2d(x.reshape(1, 2, 4), 2)[0, 0, 0],
    "batch_norm": lambda x: tg.batch_norm(x, x[0], x[1]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("case", FLOATING)
def test_the_dtype_stays_through_values_and_derivatives(case, dtype):
    check_dtype_stays(FLOATING[case], dtype)


def test_gradients_have_the_dtype_of_their_parameter():
    w = tg.parameter(np.ones((3, 2), np.float32))
    b = tg.parameter(np.ones(2, np.float64))
    x = tg.tensor(np.ones((4, 3), np.float16))

    y = tg.tanh(x @ w + b)
    y.sum().backward()

    assert (y.dtype, w.grad.dtype, b.grad.dtype) == (np.float64, np.float32, np.float64)


def test_recorded_gradients_have_the_dtype_of_their_parameter():
    w = tg.parameter(np.full(2, 0.5, np.float32))
    x = np.array([1.0, 2.0])

    (tg.tanh(w * x)).sum().backward(create_graph=True)
    first = w.grad
    w.grad = None
    (first * first).sum().backward()

    assert first.dtype == w.grad.dtype == np.float32
    t = np.tanh(0.5 * x)
    check_close(w.grad, -4 * x**3 * t * (1 - t * t) ** 2, rtol=1e-6)


def test_a_cast_carries_the_gradient_back_in_the_first_dtype():
    x = tracked(np.ones(2, np.float32))

    y = x.astype(np.float64) * 3
    y.sum().backward()

    assert (y.dtype, x.grad.dtype) == (np.float64, np.float32)
    check_same(x.grad, [3, 3])


def test_tangents_and_cotangents_take_the_dtype_of_what_they_belong_to():
    x, t = np.ones(2, np.float32), np.ones(2)

    assert tg.jvp(lambda x: x, (x,), (t,))[1].dtype == np.float32
    assert tg.jvp(lambda x: x.astype(np.float16), (t,), (t,))[1].dtype == np.float16
    assert tg.vjp(lambda x: x, x)[1]([1, 2])[0].dtype == np.float32


# Integers and booleans


@pytest.mark.parametrize("values", [[1, 2], [True, False], 3, np.arange(3, dtype=np.uint8)])
def test_integers_and_booleans_carry_no_gradient_and_the_error_says_so(values):
    with pytest.raises(DtypeError, match="carries no gradient: pass floats"):
        tracked(values)
    with pytest.raises(DtypeError, match="carries no gradient: pass floats"):
        tg.grad(lambda x: x)(values)


@pytest.mark.parametrize("dtype", [int, bool])
def test_a_cast_to_integers_is_a_constant(dtype):
    x = tracked([1.5, 2.5])

    y = x.astype(dtype)

    assert y.dtype == dtype and not y.requires_grad
    with pytest.raises(GradientError, match=f"dtype {np.dtype(dtype)} carries no gradient"):
        y.sum().astype(dtype).backward()


def test_integer_operands_are_constants():
    x = tracked([1.5, 2.5])
    n = tg.tensor([2, 3])

    (x * n).sum().backward()

    check_same(x.grad, [2, 3])
    assert not (n + n).requires_grad


@pytest.mark.parametrize(
    "values", [np.ones(2, complex), np.array([None, 1.0]), np.array(["a"]), "text", None, 1j]
)
def test_complex_object_and_text_are_refused(values):
    x = tracked(np.ones(2))

    with pytest.raises(DtypeError, match="real number"):
        tg.tensor(values)
    with pytest.raises(DtypeError, match=r"multiply: .*real number"):
        x * values
    with pytest.raises(DtypeError, match="real number"):
        x.data = values


@pytest.mark.parametrize("dtype", [complex, object, "U3"])
def test_casts_to_other_than_real_numbers_are_refused(dtype):
    with pytest.raises(DtypeError, match=r"astype: .*real number"):
        tracked(np.ones(2)).astype(dtype)
    with pytest.raises(DtypeError, match="real number"):
        tg.tensor(np.ones(2), dtype=dtype)


@pytest.mark.cpu
def test_arrays_with_rules_of_their_own_are_refused():
    x = tracked(np.ones((2, 2)))
    masked = np.ma.masked_array(np.ones((2, 2)), mask=np.eye(2))
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])

    for values in (masked, matrix):
        with pytest.raises(DeviceError, match="not supported: pass a plain NumPy"):
            tg.tensor(values)
        with pytest.raises(Error):
            x * values
        with pytest.raises(Error):
            values * x


def test_lists_are_operands():
    x = tracked([1.0, 2.0])

    for y in (
        x * [3, 4],
        [3, 4] * x,
        tg.multiply([3, 4], x),
        tg.where([True, True], x, [0, 0]) * [3, 4],
    ):
        check_same(tg.grad(lambda x: x)(y.sum()), 1)
        check_same(y, [3, 8])
    check_same(tg.exp([0, 0]), [1, 1])
    check_same(tg.permute_dims([[1, 2], [3, 4]]), [[1, 3], [2, 4]])


# No silent detachment


RECORDED = {
    "array + tensor": lambda a, x: a + x,
    "array - tensor": lambda a, x: a - x,
    "array * tensor": lambda a, x: a * x,
    "array / tensor": lambda a, x: a / x,
    "array ** tensor": lambda a, x: a**x,
    "array @ tensor": lambda a, x: a @ x,
    "np.float64 * tensor": lambda a, x: np.float64(2) * x,
    "np.float32 - tensor": lambda a, x: np.float32(2) - x,
    "np.int64 / tensor": lambda a, x: np.int64(2) / x,
    "np.exp": lambda a, x: np.exp(x),
    "np.add": lambda a, x: np.add(a, x),
    "np.maximum": lambda a, x: np.maximum(a, x),
    "np.abs": lambda a, x: np.abs(x),
    "np.power": lambda a, x: np.power(a, x),
    "np.matmul": lambda a, x: np.matmul(a, x),
    "np.concatenate": lambda a, x: np.concatenate([a, x]),
    "np.stack": lambda a, x: np.stack([a, x], axis=1),
    "np.where": lambda a, x: np.where(a > 1, a, x),
    "np.sum": lambda a, x: np.sum(x, axis=0, keepdims=True),
    "np.mean": lambda a, x: np.mean(x),
    "np.max": lambda a, x: np.max(x, 0),
    "np.reshape": lambda a, x: np.reshape(x, (2, 1)),
    "np.transpose": lambda a, x: np.transpose(x),
    "np.broadcast_to": lambda a, x: np.broadcast_to(x, (3, 2)),
}


@pytest.mark.parametrize("case", RECORDED)
def test_numpy_meets_a_tensor_and_records(case):
    a, x = np.array([1.0, 3.0]), np.array([2.0, 0.5])

    y = RECORDED[case](a, tracked(x))

    assert isinstance(y, tg.Tensor) and y.requires_grad
    check_close(y, RECORDED[case](a, x))


REFUSED = {
    "np.asarray": lambda a, x: np.asarray(x),
    "np.array of a list": lambda a, x: np.array([x, x]),
    "np.add with out": lambda a, x: np.add(a, x, out=a),
    "array += tensor": lambda a, x: a.__iadd__(x),
    "np.add.reduce": lambda a, x: np.add.reduce(x),
    "np.multiply with where": lambda a, x: np.multiply(a, x, where=[True, False]),
    "np.sum with dtype": lambda a, x: np.sum(x, dtype=np.float32),
    "np.sum with positional dtype": lambda a, x: np.sum(x, 0, np.float32),
    "np.max with out": lambda a, x: np.max(x, out=a[0]),
    "np.sort with kind": lambda a, x: np.sort(x, kind="heapsort"),
    "np.spacing": lambda a, x: np.spacing(x),
    "np.unwrap": lambda a, x: np.unwrap(x),
    "np.linalg.lstsq": lambda a, x: np.linalg.lstsq(np.eye(2), x),
    "assignment into an array": lambda a, x: a.__setitem__(slice(None), x),
}


@pytest.mark.cpu
@pytest.mark.parametrize("case", REFUSED)
def test_numpy_functions_that_cannot_record_refuse(case):
    with pytest.raises(ConversionError, match=r"tensor\.numpy\(\)"):
        REFUSED[case](np.array([1.0, 3.0]), tracked([2.0, 0.5]))


@pytest.mark.cpu
def test_a_foreign_function_of_a_known_name_is_refused():
    class Foreign:
        __name__ = "exp"

        def __call__(self, *_, **__):
            raise AssertionError

    with pytest.raises(ConversionError, match=r"np\.exp cannot be recorded"):
        tracked([1.0]).__array_ufunc__(Foreign(), "__call__", tracked([1.0]))


@pytest.mark.cpu
def test_functions_of_scipy_record_where_there_is_one_of_ours():
    special = pytest.importorskip("scipy.special")
    x = tracked([0.5, -1.0])

    for theirs, ours in ((special.expit, tg.sigmoid), (special.erf, tg.erf)):
        check_same(theirs(x), ours(x))
        assert theirs(x).requires_grad


DEAD = {
    "where": lambda x: tg.where(x > 0, x, 0.0),
    "relu": tg.relu,
    "relu6": tg.relu6,
    "hardtanh": lambda x: tg.hardtanh(x, 0.0, 5.0),
}


@pytest.mark.parametrize("case", DEAD)
def test_a_dead_edge_passes_nothing_on_where_what_arrives_is_infinite(case):
    def f(x):
        return tg.sqrt(DEAD[case](x)).sum()

    x = np.array([-1.0, 0.0, 4.0])

    with np.errstate(divide="ignore", invalid="ignore"):  # of sqrt at 0
        check_same(tg.grad(f)(x), [0, 0, 0.25])
    check_same(tg.jvp(DEAD[case], (x,), (np.array([np.inf, np.inf, 1.0]),))[1], [0, 0, 1])


@pytest.mark.cpu
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_masks_keep_every_bit_and_sign_of_what_they_let_through(dtype):
    g = np.array([-0.0, np.nan, -np.inf, 1e-7, 3.5], dtype)

    (found,) = tg.vjp(tg.relu, np.ones(5, dtype))[1](g)

    assert found.dtype == dtype
    check_same(np.signbit(found[:1]), [True])
    check_same(found, g)


@pytest.mark.cpu
def test_numpy_is_told_the_shape_of_a_tensor():
    x = tracked(np.ones((2, 3)))

    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 3), 2, 6)


@pytest.mark.parametrize("axis", [0, -1])
def test_a_number_is_reduced_along_axis_0_as_numpy_does(axis):
    check_same(tg.sum(tracked(2.0), axis), 2)
    check_same(tg.grad(lambda x: tg.max(x, axis))(2.0), 1)


@pytest.mark.cpu
def test_functions_of_numpys_linear_algebra_record():
    x = np.array([[2.0, 1.0], [0.5, 3.0]])

    g = tg.grad(lambda x: np.linalg.det(x))(x)

    check_same(np.round(g, 12), [[3, -0.5], [-1, 2]])


@pytest.mark.cpu
def test_functions_of_numpy_with_any_number_of_operands_record():
    x = tracked(np.array([[1.0, 2.0], [3.0, 4.0]]))

    y = np.einsum("ij,kj->ik", x, np.ones((1, 2)))

    check_same(y, [[3], [7]])
    assert y.requires_grad
    with pytest.raises(ConversionError, match=r"would write a tensor into an array: write x\.data"):
        np.ones((2, 2)).__isub__(x)
