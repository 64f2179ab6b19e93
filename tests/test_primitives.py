"""Every public primitive has right derivatives, to second order, in every mode."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

import tinygrad_res as tg
from tinygrad_res.families import Pointwise, Structural
from tinygrad_res.hotpath import Binary, Unary

LABELS = np.array([2, 0, 2, 1])
MASK = np.array([[True, False, True], [False, False, True]])
ROWS = np.array([1, 0, 1, 1])


def positive(f):
    """Mark a function whose arguments must be positive."""
    return f, {"low": 0.3, "high": 2.3}


def over(name, **options):
    return lambda x: getattr(tg, name)(x, **options)


def index(at):
    return lambda x: x[at]


def conv(**options):
    return lambda x, w: tg.conv2d(x, w, **options)


def norm(x, w, b):
    return tg.batch_norm(x, w, b)


# The first word of a key is the primitive's name.  A value is the function, then the
# shapes of its arguments; single shapes stand for one argument.
CASES = {
    "add": (tg.add, (2, 3), (2, 3)),
    "add broadcasts both": (tg.add, (2, 1), (4, 1, 3)),
    "add number": (lambda x: 2 + x, (3,)),
    "subtract": (tg.subtract, (3,), (2, 3)),
    "subtract from number": (lambda x: 2 - x, (3,)),
    "multiply": (tg.multiply, (2, 1), (2, 3)),
    "multiply by itself": (lambda x: x * x, (2, 3)),
    "multiply by array": (lambda x: np.arange(3.0) * x, (2, 3)),
    "multiply by list": (lambda x: [1.0, 2.0, 3.0] * x, (2, 3)),
    "multiply 0-d": (tg.multiply, (), (2,)),
    "divide": (tg.divide, (2, 3), (3,)),
    "divide number": (lambda x: 3 / x, (3,)),
    "divide by number": (lambda x: x / 3, (3,)),
    "negative": (tg.negative, (3,)),
    "pow": (positive(tg.pow), (2, 3), (3,)),
    **{
        f"pow {exponent}": (positive(lambda x, e=exponent: x**e), (2, 3))
        for exponent in (-2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3, 5, 8, 9)
    },
    "pow of negative": (lambda x: x**3, (2, 3)),
    "pow number": (lambda x: 2**x, (3,)),
    "maximum": (tg.maximum, (2, 3), (3,)),
    "maximum number": (lambda x: tg.maximum(x, 0.5), (5,)),
    "maximum number first": (lambda x: tg.maximum(0.5, x), (5,)),
    "minimum": (tg.minimum, (2, 1), (2, 3)),
    "minimum number": (lambda x: tg.minimum(x, 0.5), (5,)),
    "exp": (tg.exp, (2, 3)),
    "exp 0-d": (tg.exp, ()),
    "expm1": (tg.expm1, (2, 3)),
    "log": (positive(tg.log), (2, 3)),
    "log1p": (positive(tg.log1p), (2, 3)),
    "sqrt": (positive(tg.sqrt), (2, 3)),
    "square": (tg.square, (2, 3)),
    "sin": (tg.sin, (2, 3)),
    "cos": (tg.cos, (2, 3)),
    "abs": (tg.abs, (2, 3)),
    "tanh": (tg.tanh, (2, 3)),
    "sigmoid": (tg.sigmoid, (2, 3)),
    "relu": (tg.relu, (2, 3)),
    "astype": (lambda x: tg.astype(x * x, np.float64), (3,)),
    "where": (lambda x, y: tg.where(MASK, x, y), (2, 3), (3,)),
    "where broadcasts mask": (lambda x, y: tg.where(MASK[0], x, y), (2, 1), (2, 3)),
    "where number": (lambda x: tg.where(MASK, x, 0.0), (2, 3)),
    "where number first": (lambda x: tg.where(MASK, 1.5, x), (3,)),
    "where condition of tensors": (lambda x: tg.where(x > 0.2, x * x, x), (2, 3)),
    "where condition of integers": (lambda x, y: tg.where(3 * MASK, x, y), (2, 3), (2, 3)),
    "where condition is a float": (lambda x: tg.where(x, x * x, x), (3,)),
    "where condition is a bool": (lambda x, y: tg.where(True, x, y) * tg.where(False, x, y), (3,), (3,)),
    "stop_gradient": (lambda x, y: x * tg.stop_gradient(3.0 * np.ones(3)) * y, (3,), (3,)),
    **{
        f"{name} axis={axis} keepdims={keepdims}": (over(name, axis=axis, keepdims=keepdims), (2, 3, 2))
        for name in ("sum", "mean", "max", "min", "logsumexp")
        for axis, keepdims in [
            (None, False), (None, True), (0, False), (-1, True), (1, False), ((0, 2), False),
            ((-1, 0), True), ((1, -3), False), ((), False), ([0, 1], False), ((0, 1, 2), False),
        ]
    },
    **{f"{name} 0-d": (over(name), ()) for name in ("sum", "mean", "max", "min", "logsumexp")},
    **{
        f"{name} axis={axis}": (over(name, axis=axis), (2, 3, 2))
        for name in ("softmax", "log_softmax")
        for axis in (-1, 0, (0, 1))
    },
    "cross_entropy": (lambda x: tg.cross_entropy(x, LABELS), (4, 3)),
    "cross_entropy of composed": (lambda x, w: tg.cross_entropy(tg.tanh(x @ w), LABELS), (4, 2), (2, 3)),
    "reshape": (lambda x: tg.reshape(x, (3, -1)), (2, 3)),
    "reshape to 0-d": (lambda x: tg.reshape(x, ()), (1, 1)),
    "reshape to int": (lambda x: tg.reshape(x, -1), (2, 3)),
    "permute_dims": (lambda x: tg.permute_dims(x, (2, 0, 1)), (2, 3, 4)),
    "permute_dims negative": (lambda x: tg.permute_dims(x, (-1, 0, -2)), (2, 3, 4)),
    "permute_dims reversed": (tg.permute_dims, (2, 3, 4)),
    "permute_dims 0-d": (tg.permute_dims, ()),
    **{
        f"getitem [{at}]": (index(at), (2, 3, 4))
        for at in (
            1, -1, (slice(None), 2), slice(None, None, -1), (..., slice(1, None, 2)), None, (..., None),
            (1, None, slice(1, 3)), ROWS, (slice(None), [2, 2, 0]), (ROWS, ROWS), (slice(None), 1, ROWS),
            (ROWS, slice(None), ROWS), MASK, (MASK, 1), (..., np.array([True, False, True, True])),
            (None, ROWS, slice(2)), np.array([[0, 1], [1, 1]]), [], (), ..., True, np.int64(1), (1, 2, 3),
            (0, [0, 1], ..., None), np.array(1), np.zeros((2, 3, 4), dtype=bool), [-1, 1, -1],
        )
    },
    "broadcast_to": (lambda x: tg.broadcast_to(x, (4, 2, 3)), (2, 1)),
    "broadcast_to from 0-d": (lambda x: tg.broadcast_to(x, (2, 3)), ()),
    "concat": (lambda x, y, z: tg.concat([x, y, z], axis=1), (2, 3), (2, 1), (2, 2)),
    "concat with constant": (lambda x: tg.concat([np.ones((1, 3)), x, np.ones((2, 3))]), (2, 3)),
    "concat with itself": (lambda x: tg.concat([x, x], axis=-1), (2, 3)),
    "concat with list": (lambda x: tg.concat([x, [1.0, 2.0]]), (3,)),
    "stack": (lambda x, y: tg.stack([x, y], axis=-1), (2, 3), (2, 3)),
    "stack 0-d": (lambda x, y: tg.stack([x, y, x]), (), ()),
    "pad": (lambda x: tg.pad(x, ((1, 0), (2, 3))), (2, 3)),
    "pad with value": (lambda x: tg.pad(x, ((1, 0), (2, 3)), value=7.0), (2, 3)),
    "sliding_windows": (lambda x: tg.sliding_windows(x, (2, 3)), (2, 4, 5)),
    "sliding_windows stride": (lambda x: tg.sliding_windows(x, (2, 2), (2, 3)), (2, 5, 7)),
    "matmul": (tg.matmul, (2, 3), (3, 4)),
    **{
        f"matmul {a} @ {b}": (tg.matmul, a, b)
        for a, b in [
            ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)),
            ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 2, 3), (2, 3, 2)),
            ((2, 1, 2, 3), (3, 3, 2)), ((1, 2, 3), (2, 3, 1)), ((2, 1, 2, 3), (1, 2, 3, 2)),
        ]
    },
    "matmul by itself": (lambda x: x @ x.T @ x, (2, 3)),
    "matmul array": (lambda x: np.arange(6.0).reshape(2, 3) @ x, (3, 2)),
    "conv2d": (conv(), (2, 2, 4, 4), (3, 2, 2, 2)),
    "conv2d bias": (lambda x, w, b: tg.conv2d(x, w, b), (1, 2, 3, 3), (2, 2, 2, 2), (2,)),
    "conv2d 1x1": (conv(), (2, 2, 3, 2), (3, 2, 1, 1)),
    "conv2d stride": (conv(stride=2), (2, 2, 5, 6), (2, 2, 2, 3)),
    "conv2d padding": (conv(padding=(1, 2)), (1, 2, 3, 4), (2, 2, 3, 3)),
    "conv2d dilation": (conv(dilation=(2, 1)), (1, 2, 5, 4), (2, 2, 2, 2)),
    "conv2d groups": (conv(groups=2), (2, 4, 3, 3), (4, 2, 2, 2)),
    "conv2d depthwise": (conv(groups=3, padding=1), (1, 3, 3, 3), (3, 1, 3, 3)),
    "conv2d everything": (conv(stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2), (2, 2, 5, 5), (4, 1, 2, 2)),
    "max_pool2d": (lambda x: tg.max_pool2d(x, 2), (2, 2, 4, 4)),
    "max_pool2d overlapping": (lambda x: tg.max_pool2d(x, 3, stride=2, padding=1), (1, 2, 5, 5)),
    "max_pool2d oblong": (lambda x: tg.max_pool2d(x, (2, 3), (1, 2), (1, 0)), (2, 4, 5)),
    "avg_pool2d": (lambda x: tg.avg_pool2d(x, 2), (2, 2, 4, 4)),
    "avg_pool2d overlapping": (lambda x: tg.avg_pool2d(x, 3, stride=2, padding=1), (1, 2, 5, 5)),
    "batch_norm": (norm, (5, 3), (3,), (3,)),
    "batch_norm of images": (norm, (2, 2, 2, 3), (2,), (2,)),
    "batch_norm of input alone": (lambda x: tg.batch_norm(x, np.array([1.0, 2.0]), np.zeros(2)), (4, 2)),
    "batch_norm of weights alone": (lambda w, b: tg.batch_norm(np.arange(8.0).reshape(4, 2) ** 2, w, b), (2,), (2,)),
    "batch_norm of composed": (lambda x, w, b: tg.relu(norm(tg.tanh(x), w, b)), (4, 2), (2,), (2,)),
}  # fmt: skip

CONSTANT = {
    "equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "not_equal",
    "sign",
}


@pytest.mark.parametrize("case", CASES)
def test_derivatives_equal_finite_differences(case):
    f, *shapes = CASES[case]
    f, options = f if isinstance(f, tuple) else (f, {})
    oracles.check(f, *oracles.distinct(*shapes, **options))


def test_every_public_primitive_has_a_case():
    assert {case.split(" ")[0] for case in CASES} - {"getitem"} == set(
        tg.primitives.__all__
    ) - CONSTANT


@pytest.mark.parametrize("name", sorted(CONSTANT))
def test_comparisons_are_constants_and_agree_with_numpy(name):
    x = tg.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    others = () if name == "sign" else (np.array([0.0, 0.0, 3.0]),)

    found = getattr(tg, name)(x, *others)

    assert not found.requires_grad
    np.testing.assert_array_equal(found.numpy(), getattr(np, name)(x.data, *others))


# The oracle itself: each of these rules is wrong in one way, and must not pass.

TANH = Unary("tanh", np.tanh, [lambda xp, out, _x: 1 + out * out])
DETACHED = Unary(
    "tanh", np.tanh, [lambda xp, out, _x: 1 - tg.stop_gradient(out) * tg.stop_gradient(out)]
)
SWAPPED = Binary(
    "divide", np.divide, [lambda xp, _o, x, _y: 1 / x, lambda xp, out, _x, y: -out / y]
)
REVERSED = Structural("reverse", lambda xp, x: x[::-1], [lambda xp, g, i, shape: g])
AFFINE = Structural("shift", lambda xp, x: x + 1, [lambda xp, g, i, shape: g])


class _Stretched(Pointwise):
    """Forgets to sum over what broadcasting stretched: takes the first slice."""

    def vjp(self, node, cotangent, wanted):
        return [cotangent, cotangent[:1]][slice(*[min(wanted), max(wanted) + 1])]


STRETCHED = _Stretched("add", np.add, [1, 1])


@pytest.mark.parametrize(
    ("f", "shapes", "what"),
    [
        (TANH, [(3,)], "forward mode"),
        (DETACHED, [(3,)], "forward over reverse"),
        (SWAPPED, [(3,), (3,)], "forward mode"),
        (REVERSED, [(3,)], "reverse mode, argument 0"),
        (AFFINE, [(3,)], "forward mode"),
        (STRETCHED, [(3,), (1,)], "reverse mode, argument 1"),
    ],
)
def test_the_oracle_catches_a_planted_wrong_rule(f, shapes, what):
    with pytest.raises(AssertionError, match=what):
        oracles.check(f, *oracles.distinct(*shapes))
