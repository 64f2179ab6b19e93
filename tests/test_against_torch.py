"""Values and derivatives, to second order, equal PyTorch's in float64."""

from __future__ import annotations

import itertools
import random

import numpy as np
import oracles
import pytest

import tinygrad_res as tg

torch = pytest.importorskip("torch", reason="PyTorch, the independent engine, is not installed")
F = torch.nn.functional


def check_against_torch(ours, theirs, *arrays, seed=0):
    """Assert that value, gradient and Hessian-vector product of the two functions agree."""
    rng = np.random.default_rng(seed)
    vectors = [rng.uniform(-1, 1, a.shape) for a in arrays]
    everyone = tuple(range(len(arrays)))
    value = theirs(*map(torch.tensor, arrays))
    weight, curve = rng.uniform(-1, 1, (2, *value.shape))

    def loss(*xs):
        y = ours(*xs)
        return (weight * y + curve * y * y).sum()

    def slope(*xs):
        gradients = tg.grad(loss, everyone)(*xs)
        return sum((g * v).sum() for g, v in zip(gradients, vectors, strict=True))

    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = theirs(*leaves)
    total = (torch.tensor(weight) * y + torch.tensor(curve) * y * y).sum()
    gradients = torch.autograd.grad(total, leaves, create_graph=True, materialize_grads=True)
    along = sum((g * torch.tensor(v)).sum() for g, v in zip(gradients, vectors, strict=True))
    products = torch.autograd.grad(along, leaves, materialize_grads=True)

    def equal(found, expected, what):
        expected = expected.detach().numpy()
        scale = max(1.0, np.abs(expected).max(initial=0.0))
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * scale, err_msg=what)

    equal(ours(*map(tg.tensor, arrays)).numpy(), value, "value")
    for found, expected in zip(tg.grad(loss, everyone)(*arrays), gradients, strict=True):
        equal(found, expected, "gradient")
    for found, expected in zip(tg.grad(slope, everyone)(*arrays), products, strict=True):
        equal(found, expected, "Hessian-vector product")


CONVOLUTIONS = [
    {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    for stride, padding, dilation, groups in itertools.product(
        (1, 2, (3, 1)), (0, (2, 1)), (1, (1, 2)), (1, 2)
    )
]


@pytest.mark.parametrize("geometry", CONVOLUTIONS, ids=str)
def test_conv2d(geometry):
    arrays = oracles.distinct((2, 4, 7, 6), (6, 4 // geometry["groups"], 3, 2), (6,))

    check_against_torch(
        lambda x, w, b: tg.conv2d(x, w, b, **geometry),
        lambda x, w, b: F.conv2d(x, w, b, **geometry),
        *arrays,
    )


def test_conv2d_over_several_slices_of_the_batch():
    x, w = oracles.distinct((9, 8, 64, 64), (2, 8, 3, 3))

    check_against_torch(
        lambda x, w: tg.conv2d(x, w, padding=1), lambda x, w: F.conv2d(x, w, padding=1), x, w
    )


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 2, 5)])
def test_batch_norm(shape):
    arrays = oracles.distinct(shape, (3,), (3,))

    check_against_torch(
        lambda x, w, b: tg.batch_norm(x, w, b, eps=1e-3),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=1e-3),
        *arrays,
    )


@pytest.mark.parametrize("windows", [(2, None, 0), (3, 2, 1), ((2, 3), (1, 2), (0, 1))], ids=str)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pools(kind, windows):
    (x,) = oracles.distinct((2, 3, 6, 7))

    check_against_torch(
        lambda x: getattr(tg, f"{kind}_pool2d")(x, *windows),
        lambda x: getattr(F, f"{kind}_pool2d")(x, *windows),
        x,
    )


@pytest.mark.parametrize("size", [3, 1e3])  # exp(1000) would overflow
def test_cross_entropy(size):
    logits = size * oracles.distinct((5, 4))[0]
    labels = np.array([3, 0, 0, 2, 1])

    check_against_torch(
        lambda x: tg.cross_entropy(x, labels),
        lambda x: F.cross_entropy(x, torch.tensor(labels)),
        logits,
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((3,), (2, 3, 4)),
        ((5, 2, 3), (3,)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (1, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((2, 1, 2, 3), (5, 3, 4)),
        ((2, 5, 2, 3), (3,)), ((3,), (2, 5, 3, 4)), ((2, 3, 0), (0, 4)), ((0, 3), (3, 2)),
        ((2, 0, 3), (3, 2)), ((2, 2, 0), (0,)),
    ],
    ids=str,
)  # fmt: skip
def test_matmul_of_all_dimensions(a, b):
    check_against_torch(tg.matmul, torch.matmul, *oracles.distinct(a, b))


@pytest.mark.parametrize("axis", [0, -1, (0, 2)])
def test_logsumexp_and_extrema(axis):
    (x,) = oracles.distinct((2, 3, 4))

    check_against_torch(lambda x: tg.logsumexp(x, axis), lambda x: torch.logsumexp(x, axis), x)
    check_against_torch(lambda x: tg.max(x, axis), lambda x: torch.amax(x, axis), x)
    check_against_torch(lambda x: tg.min(x, axis), lambda x: torch.amin(x, axis), x)


# Random programs.  A step takes (library, x, y, z), three arrays of shape (3, 4), and
# returns one.  The library is this package or PyTorch, which agree on these names.

ROWS = np.array([2, 0, 2])
MASK = np.array([[True, False, True, True], [False, True, False, True], [False, False, True, True]])


def both(ours, theirs):
    return lambda lib, *xs: (ours if lib is tg else theirs)(*xs)


STEPS = {
    "add": lambda lib, x, y, z: lib.add(x, y),
    "subtract": lambda lib, x, y, z: 2 - x - y,
    "multiply": lambda lib, x, y, z: x * y,
    "divide": lambda lib, x, y, z: x / (1 + y * y),
    "divide a number": lambda lib, x, y, z: 1.5 / (1.5 + lib.sigmoid(x)),
    "tanh": lambda lib, x, y, z: lib.tanh(x),
    "sigmoid": lambda lib, x, y, z: lib.sigmoid(x),
    "sin": lambda lib, x, y, z: lib.sin(x) * lib.cos(y),
    "exp": lambda lib, x, y, z: lib.exp(-x * x),
    "log": lambda lib, x, y, z: lib.log1p(y * y) + lib.log(2 + lib.tanh(x)),
    "sqrt": lambda lib, x, y, z: lib.sqrt(1 + lib.square(x)),
    "expm1": lambda lib, x, y, z: lib.expm1(lib.tanh(x)),
    "pow": lambda lib, x, y, z: lib.tanh(x) ** 3 + (1 + y * y) ** -0.5,
    "pow of two": lambda lib, x, y, z: (1 + lib.square(lib.tanh(x))) ** lib.tanh(y),
    "relu": both(lambda x, y, z: tg.relu(x - y), lambda x, y, z: torch.relu(x - y)),
    "abs": lambda lib, x, y, z: lib.abs(x - 0.1234),
    "maximum": lambda lib, x, y, z: lib.maximum(x, y * 1.01 + 0.003),
    "minimum": lambda lib, x, y, z: lib.minimum(x + 0.007, y * 0.97),
    "where": both(
        lambda x, y, z: tg.where(MASK, x, y), lambda x, y, z: torch.where(torch.tensor(MASK), x, y)
    ),
    "matmul": lambda lib, x, y, z: lib.tanh(x @ y.T) @ z / 3,
    "centre": both(
        lambda x, y, z: x - tg.mean(x, 0, keepdims=True),
        lambda x, y, z: x - x.mean(0, keepdim=True),
    ),
    "softmax": lambda lib, x, y, z: lib.softmax(x, 1) * y,
    "log_softmax": lambda lib, x, y, z: lib.log_softmax(x, 0),
    "logsumexp": both(
        lambda x, y, z: y - tg.logsumexp(x, 1, keepdims=True),
        lambda x, y, z: y - torch.logsumexp(x, 1, keepdim=True),
    ),
    "max": both(
        lambda x, y, z: y + x.max(1, keepdims=True), lambda x, y, z: y + x.amax(1, keepdim=True)
    ),
    "sum": lambda lib, x, y, z: x + y.sum() / 12,
    "reshape": lambda lib, x, y, z: x.reshape(4, 3).T * y,
    "rows": both(lambda x, y, z: x[ROWS], lambda x, y, z: x[torch.tensor(ROWS)]),
    "mixed index": lambda lib, x, y, z: x + y[1, None, :] * z[:, 2:3],
    "pairs": lambda lib, x, y, z: x * y[[0, 0, 2], [1, 1, 3]][:, None],
    "concat": lambda lib, x, y, z: lib.concat([x[:, 2:], y[:, :1], z[:, 3:]], 1),
    "stack": lambda lib, x, y, z: lib.stack([x, y, z], 1)[:, 1] + lib.stack([x, y, z]).sum(0) / 3,
    "pad": both(
        lambda x, y, z: tg.pad(x, ((0, 0), (1, 0)))[:, :4] + y,
        lambda x, y, z: F.pad(x, (1, 0))[:, :4] + y,
    ),
    "flip": both(lambda x, y, z: x[::-1], lambda x, y, z: x.flip(0)),
}


def random_program(seed):
    """Draw 5 to 15 steps: names and operands, the newest value among them."""
    rng = random.Random(seed)
    program = []
    for made in range(3, 3 + rng.randint(5, 15)):
        operands = [made - 1, *(rng.randrange(made) for _ in range(2))]
        rng.shuffle(operands)
        program.append((rng.choice(list(STEPS)), operands))
    return program


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed):
    def run(lib, *inputs):
        values = list(inputs)
        for name, operands in random_program(seed):
            values.append(STEPS[name](lib, *[values[i] for i in operands]))
        return values[-1] + values[-2] * values[-3]

    arrays = oracles.distinct((3, 4), (3, 4), (3, 4), low=-1.5, high=1.5, seed=seed)
    check_against_torch(lambda *xs: run(tg, *xs), lambda *xs: run(torch, *xs), *arrays, seed=seed)


def test_every_step_is_run_by_some_program():
    assert {name for seed in range(60) for name, _ in random_program(seed)} == set(STEPS)
