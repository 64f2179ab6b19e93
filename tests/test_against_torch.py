"""Values and derivatives, to second order, equal PyTorch's in float64."""

from __future__ import annotations

import itertools
import math
import random
from types import SimpleNamespace

import numpy as np
import oracles
import pytest

import tinygrad_res as tg

torch = pytest.importorskip("torch", reason="PyTorch, the independent engine, is not installed")
F = torch.nn.functional


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small arrays cost more to share out among threads than to compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def check_against_torch(ours, theirs, *arrays, seed=0, second="grad of grad"):
    """Assert that value, gradient and Hessian-vector product of the two functions agree.

    ``second`` names the way, of ``SECOND``, that our Hessian-vector product takes.
    """
    rng = np.random.default_rng(seed)
    vectors = [rng.uniform(-1, 1, a.shape) for a in arrays]
    value = theirs(*map(torch.tensor, arrays))
    weight, curve = rng.uniform(-1, 1, (2, *value.shape))

    def loss(*xs):
        y = ours(*xs)
        return (weight * y + curve * y * y).sum()

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
    found_gradients, found_products = SECOND[second](loss, arrays, vectors)
    for found, expected in zip(found_gradients, gradients, strict=True):
        equal(found, expected, "gradient")
    for found, expected in zip(found_products, products, strict=True):
        equal(found, expected, f"Hessian-vector product, {second}")


def grad_of_grad(loss, arrays, vectors):
    everyone = tuple(range(len(arrays)))
    gradient = tg.grad(loss, everyone)

    def slope(*xs):
        return sum((g * v).sum() for g, v in zip(gradient(*xs), vectors, strict=True))

    return gradient(*arrays), tg.grad(slope, everyone)(*arrays)


def backward_through_backward(loss, arrays, vectors):
    xs = [tg.tensor(a, requires_grad=True) for a in arrays]
    loss(*xs).backward(create_graph=True)
    gradients = [tg.zeros_like(x) if x.grad is None else x.grad for x in xs]
    for x in xs:
        x.grad = None
    slope = sum((g * v).sum() for g, v in zip(gradients, vectors, strict=True))
    if slope.requires_grad:
        slope.backward()
    products = [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in xs]
    return [g.numpy() for g in gradients], products


def forward_over_reverse(loss, arrays, vectors):
    everyone = tuple(range(len(arrays)))
    return tg.grad(loss, everyone)(*arrays), tg.hvp(loss, everyone)(*arrays, tuple(vectors))


SECOND = {
    "grad of grad": grad_of_grad,
    "backward through backward": backward_through_backward,
    "forward over reverse": forward_over_reverse,
}


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


# Random programs.  A step takes (lib, x, y, z): a library and three arrays of shape (3, 4),
# and returns one.  The library is this package or PyTorch, whose names often agree.

THEIRS = SimpleNamespace(**(vars(F) | vars(torch)))


def both(ours, theirs):
    return lambda lib, *xs: (ours if lib is tg else theirs)(*xs)


ROWS = np.array([2, 0, 2])
PLACES = np.array([[1, 3, 0, 0], [2, 2, 1, 3], [0, 3, 3, 1]])
MASK = np.array([[True, False, True, True], [False, True, False, True], [False, False, True, True]])
LABELS = np.array([3, 0, 2])
# Added where zeros would make ties or kinks, on which conventions differ, or an exponent of 0,
# where PyTorch has no mixed second derivative.
RAMP = np.array([[0.31, -0.17, 0.05, 0.43], [-0.29, 0.11, 0.37, -0.41], [0.23, -0.07, 0.47, -0.19]])
STEEP = np.eye(3, 4) * [1.0, 2.0, 3.0, 0.0]


def fixed(lib, array):
    """Return a constant array as the library takes it."""
    return array if lib is tg else torch.tensor(array)


def ramp(lib, x):
    return x + fixed(lib, RAMP)


def tall(lib, x):
    """Return a matrix (4, 3) of singular values near 1, 2 and 3."""
    return (lib.tanh(x) * 0.2 + fixed(lib, STEEP)).T


def square(lib, x, y):
    """Return a matrix (3, 3) whose eigenvalues lie in a disc of radius 0.6 around 2."""
    return lib.tanh(x) @ lib.tanh(y).T / 20 + fixed(lib, 2 * np.eye(3))


def definite(lib, x):
    """Return a symmetric matrix (3, 3) of eigenvalues near 1, 2 and 3."""
    return lib.tanh(x) @ lib.tanh(x).T / 20 + fixed(lib, STEEP[:, :3])


STEPS = {
    # Pointwise
    "add": lambda lib, x, y, z: lib.add(x, y),
    "subtract": lambda lib, x, y, z: 2 - x - y,
    "multiply": lambda lib, x, y, z: x * y,
    "divide": lambda lib, x, y, z: x / (1 + y * y),
    "divide a number": lambda lib, x, y, z: 1.5 / (1.5 + lib.sigmoid(x)),
    "reciprocal": lambda lib, x, y, z: lib.reciprocal(2 + lib.sin(x)),
    "remainder": lambda lib, x, y, z: lib.remainder(x, 0.3 + lib.sigmoid(y)),
    "fmod": lambda lib, x, y, z: lib.fmod(x, 0.3 + lib.sigmoid(y)),
    "pow": lambda lib, x, y, z: lib.tanh(x) ** 3 + (1 + y * y) ** -0.5,
    "pow of two": lambda lib, x, y, z: (1 + lib.square(lib.tanh(x))) ** lib.tanh(ramp(lib, y)),
    "power of a number": lambda lib, x, y, z: 1.7 ** lib.tanh(x),
    "sin": lambda lib, x, y, z: lib.sin(x) * lib.cos(y),
    "tan": lambda lib, x, y, z: lib.tan(lib.sin(x)),
    "hyperbolic": lambda lib, x, y, z: lib.sinh(lib.sin(x)) - lib.cosh(lib.cos(y)),
    "inverse sine": lambda lib, x, y, z: lib.asin(0.9 * lib.sin(x)) - lib.acos(0.9 * lib.cos(y)),
    "inverse tangent": lambda lib, x, y, z: lib.atan(x) + lib.atan2(y, 1 + z * z),
    "inverse hyperbolic": lambda lib, x, y, z: lib.acosh(1.5 + x * x) + lib.atanh(0.9 * lib.sin(y)),
    "exp": lambda lib, x, y, z: lib.exp(-x * x),
    "exp2": lambda lib, x, y, z: lib.exp2(lib.sin(x)),
    "expm1": lambda lib, x, y, z: lib.expm1(lib.tanh(x)),
    "log": lambda lib, x, y, z: lib.log1p(y * y) + lib.log(2 + lib.tanh(x)),
    "log2": lambda lib, x, y, z: lib.log2(1 + x * x) - lib.log10(2 + y * y),
    "logaddexp": lambda lib, x, y, z: lib.logaddexp(x, y) - lib.logaddexp2(y, z),
    "sqrt": lambda lib, x, y, z: lib.sqrt(1 + lib.square(x)),
    "hypot": lambda lib, x, y, z: lib.hypot(x, 1 + y * y),
    "sinc": lambda lib, x, y, z: lib.sinc(x),
    "erf": lambda lib, x, y, z: lib.erf(x) + lib.erfc(y),
    "degrees": lambda lib, x, y, z: lib.deg2rad(50 * x) + lib.rad2deg(y / 50),
    "abs": lambda lib, x, y, z: lib.abs(x - 0.1234),
    "copysign": lambda lib, x, y, z: lib.copysign(ramp(lib, x), ramp(lib, y)),
    "nan_to_num": lambda lib, x, y, z: lib.nan_to_num(lib.where(fixed(lib, MASK), x, math.nan), nan=0.5),
    "maximum": lambda lib, x, y, z: lib.maximum(x, y * 1.01 + 0.003),
    "minimum": lambda lib, x, y, z: lib.minimum(x + 0.007, y * 0.97),
    "fmax": lambda lib, x, y, z: lib.fmax(x, y * 1.01 + 0.003) + lib.fmin(y - 0.013, z),
    "where": lambda lib, x, y, z: lib.where(fixed(lib, MASK), x, y),
    "clip": lambda lib, x, y, z: lib.clip(x, -1.0123, 0.9123),
    "clip by tensors": lambda lib, x, y, z: lib.clip(x, -1 - y * y, 1 + z * z),
    # Activations
    "tanh": lambda lib, x, y, z: lib.tanh(x),
    "sigmoid": lambda lib, x, y, z: lib.sigmoid(x),
    "relu": lambda lib, x, y, z: lib.relu(x - y),
    "relu6": lambda lib, x, y, z: lib.relu6(4 * x + 0.0123),
    "leaky_relu": lambda lib, x, y, z: lib.leaky_relu(ramp(lib, x), 0.2),
    "elu": lambda lib, x, y, z: lib.elu(x, 1.3) - lib.selu(y),
    "silu": lambda lib, x, y, z: lib.silu(x) * lib.softsign(y),
    "mish": lambda lib, x, y, z: lib.mish(x),
    "gelu": lambda lib, x, y, z: lib.gelu(x) - lib.gelu(y, approximate="tanh"),
    "hardtanh": lambda lib, x, y, z: lib.hardtanh(x, -0.7123, 1.2123),
    "softplus": lambda lib, x, y, z: lib.softplus(x),
    "log_sigmoid": both(lambda x, y, z: tg.log_sigmoid(x), lambda x, y, z: F.logsigmoid(x)),
    # Reductions
    "sum": lambda lib, x, y, z: x + y.sum() / 12,
    "mean": lambda lib, x, y, z: x - lib.mean(x, 0, keepdims=True),
    "prod": lambda lib, x, y, z: y + lib.prod(x, 1, keepdims=True) / 4,
    "var": lambda lib, x, y, z: x / (1 + lib.var(y, axis=1, correction=1, keepdims=True)),
    "std": lambda lib, x, y, z: y * lib.std(ramp(lib, x), axis=(0, 1), correction=0),
    "norm": both(
        lambda x, y, z: y / tg.norm(ramp(tg, x), 2, 1, True) + tg.norm(ramp(tg, z), 3, 0),
        lambda x, y, z: y / ramp(torch, x).norm(2, 1, True) + ramp(torch, z).norm(3, 0)),
    "other norms": both(
        lambda x, y, z: tg.norm(ramp(tg, x), 1, 1, True) / 4 - tg.norm(ramp(tg, y), np.inf, 0),
        lambda x, y, z: ramp(torch, x).norm(1, 1, True) / 4 - ramp(torch, y).norm(np.inf, 0)),
    "max": lambda lib, x, y, z: y + lib.amax(x, 1, keepdims=True) - lib.amin(z, (0, 1)),
    "median": both(
        lambda x, y, z: y - tg.median(ramp(tg, x), 1, keepdims=True),
        lambda x, y, z: y - torch.quantile(ramp(torch, x), 0.5, 1, keepdim=True)),
    "ptp": both(lambda x, y, z: y - tg.ptp(x, 0), lambda x, y, z: y - (torch.amax(x, 0) - torch.amin(x, 0))),
    "average": both(
        lambda x, y, z: z - tg.average(x, 0, weights=1 + y * y),
        lambda x, y, z: z - (x * (1 + y * y)).sum(0) / (1 + y * y).sum(0)),
    "logsumexp": lambda lib, x, y, z: y - lib.logsumexp(x, 1, keepdims=True),
    "cross_entropy": lambda lib, x, y, z: y * lib.cross_entropy(x, fixed(lib, LABELS)),
    "cumsum": lambda lib, x, y, z: lib.cumsum(x, 1) / 3,
    "cumprod": lambda lib, x, y, z: lib.cumprod(lib.tanh(x), 0),
    "trace": lambda lib, x, y, z: z - lib.trace(x @ y.T) / 5,
    # Structural
    "reshape": lambda lib, x, y, z: x.reshape(4, 3).T * y,
    "axes": lambda lib, x, y, z: lib.swapaxes(x, 0, 1).reshape(3, 4) + lib.moveaxis(y.reshape(2, 3, 2), 1, 0).reshape(3, 4),
    "new axes": lambda lib, x, y, z: x - y[:, None, :1, None][:, 0, ..., 0],
    "broadcast": lambda lib, x, y, z: x + lib.broadcast_to(y[:, 1:2], (3, 4)),
    "outer difference": lambda lib, x, y, z: (x[0, :, None] - y[1, None, :])[:3] + z,
    "rows": lambda lib, x, y, z: x[fixed(lib, ROWS)],
    "mixed index": lambda lib, x, y, z: x + y[1, None, :] * z[:, 2:3],
    "pairs": lambda lib, x, y, z: x * y[[0, 0, 2], [1, 1, 3]][:, None],
    "mask": lambda lib, x, y, z: x + y[fixed(lib, MASK)][:4],
    "take": lambda lib, x, y, z: x - lib.take(y, fixed(lib, PLACES)),
    "take along": both(
        lambda x, y, z: z + tg.take_along_axis(x, PLACES, 1),
        lambda x, y, z: z + torch.gather(x, 1, torch.tensor(PLACES))),
    "index_update": both(
        lambda x, y, z: tg.index_update(x, (slice(None), [3, 1]), y[:, :2]),
        lambda x, y, z: x.index_copy(1, torch.tensor([3, 1]), y[:, :2])),
    "index_add": both(lambda x, y, z: tg.index_add(x, ROWS, y), lambda x, y, z: x.index_add(0, torch.tensor(ROWS), y)),
    "concat": lambda lib, x, y, z: lib.concat([x[:, 2:], y[:, :1], z[:, 3:]], 1),
    "stack": lambda lib, x, y, z: lib.stack([x, y, z], 1)[:, 1] + lib.stack([x, y, z]).sum(0) / 3,
    "other stacks": lambda lib, x, y, z: lib.vstack([x[0], y[1:]]) + lib.hstack([z[:, 3:], x[:, :3]]) * lib.dstack([x, y])[:, :, 1],
    "split": both(
        lambda x, y, z: tg.concat(tg.split(x, [1, 3], axis=1)[::-1], 1) * y,
        lambda x, y, z: torch.concat(torch.tensor_split(x, [1, 3], dim=1)[::-1], 1) * y),
    "unstack": both(
        lambda x, y, z: x + tg.unstack(y, axis=1)[2][:, None],
        lambda x, y, z: x + torch.unbind(y, 1)[2][:, None]),
    "roll": lambda lib, x, y, z: lib.roll(x, 1, 1) - lib.roll(y, (1, -2), (0, 1)),
    "flip": lambda lib, x, y, z: lib.flip(x, (0,)) + lib.flip(y, (0, 1)),
    "rot90": lambda lib, x, y, z: lib.rot90(x, 2, (0, 1)),
    "tile": lambda lib, x, y, z: x + lib.tile(y[:1, :2], (3, 2)),
    "repeat": both(
        lambda x, y, z: tg.repeat(x[:, :2], 2, axis=1) + y,
        lambda x, y, z: torch.repeat_interleave(x[:, :2], 2, dim=1) + y),
    "sort": both(
        lambda x, y, z: tg.sort(ramp(tg, x)) - tg.sort(ramp(tg, y), 0, descending=True),
        lambda x, y, z: ramp(torch, x).sort()[0] - ramp(torch, y).sort(0, descending=True)[0]),
    "topk": lambda lib, x, y, z: y + lib.topk(ramp(lib, x), 2)[0][:, 1:],
    "diff": lambda lib, x, y, z: lib.concat([lib.diff(x), y[:, :1]], 1) + lib.diff(z, 2, 0),
    "diagonal": lambda lib, x, y, z: x * lib.diagonal(y, 1)[:, None] + lib.diag(z[:, 1])[:, :1],
    "triangles": lambda lib, x, y, z: lib.tril(x, 1) + lib.triu(y, -1),
    "pad": both(
        lambda x, y, z: tg.pad(x, ((0, 0), (1, 0)))[:, :4] + y,
        lambda x, y, z: F.pad(x, (1, 0))[:, :4] + y),
    "pad with copies": both(
        lambda x, y, z: tg.pad(x, ((0, 0), (2, 1)), mode="reflect")[:, ::2] * tg.pad(y, ((0, 0), (3, 2)), mode="wrap")[:, 5:9],
        lambda x, y, z: F.pad(x, (2, 1), mode="reflect")[:, ::2] * F.pad(y, (3, 2), mode="circular")[:, 5:9]),
    "windows": both(
        lambda x, y, z: z + (tg.sliding_windows(x, 2, axis=1) * y[:, :3, None]).sum(1)[:, 1:],
        lambda x, y, z: z + (x.unfold(1, 2, 1) * y[:, :3, None]).sum(1)[:, 1:]),
    # Contractions
    "matmul": lambda lib, x, y, z: lib.tanh(x @ y.T) @ z / 3,
    "dot": lambda lib, x, y, z: z + lib.inner(x, y)[:, :1] * lib.vdot(y.reshape(-1), z.reshape(-1)) / 9,
    "tensordot": both(
        lambda x, y, z: tg.tensordot(x, y, ([0], [0]))[:3] + z,
        lambda x, y, z: torch.tensordot(x, y, ([0], [0]))[:3] + z),
    "einsum": lambda lib, x, y, z: lib.einsum("ij,kj,kl->il", x, lib.tanh(y), z) / 6,
    "outer": lambda lib, x, y, z: lib.outer(x[:, 1], y[2]) + lib.kron(x[0, :2], z[1, 2:]),
    "cross": lambda lib, x, y, z: lib.linalg.cross(x, y, axis=0),
    "vecdot": lambda lib, x, y, z: x - lib.linalg.vecdot(y, z)[:, None] / 3,
    "conv1d": lambda lib, x, y, z: lib.conv1d(x[None], y[:, None, :3], z[:, 0], padding=1, groups=3)[0] / 2,
    "conv2d": lambda lib, x, y, z: lib.conv2d(x[None, None], y[None, None, :, :3], padding=1)[0, 0] / 3,
    "conv_transpose1d": lambda lib, x, y, z: lib.conv_transpose1d(x[None, :, :2], y[:, None, :3], z[:, 0], stride=2, padding=1, output_padding=1, groups=3)[0],
    "conv_transpose2d": lambda lib, x, y, z: lib.conv_transpose2d(x[None, None], y[None, None, :, :3], padding=1)[0, 0] / 3,
    # General
    "softmax": lambda lib, x, y, z: lib.softmax(x, 1) * y,
    "log_softmax": lambda lib, x, y, z: lib.log_softmax(x, 0),
    "layer_norm": lambda lib, x, y, z: lib.layer_norm(x, (4,), y[0], z[1], 0.1),
    "rms_norm": lambda lib, x, y, z: lib.rms_norm(x, (4,), y[2], 0.1),
    "group_norm": lambda lib, x, y, z: lib.group_norm(x, 2, y[0], z[2], 0.1),
    # PyTorch 2.13 takes a weight with a stride for one without in the gradient by x.
    "batch_norm": both(
        lambda x, y, z: tg.batch_norm(x, y[1], z[0], 0.1),
        lambda x, y, z: F.batch_norm(x, None, None, y[1].contiguous(), z[0].contiguous(), training=True, eps=0.1)),
    "attention": both(
        lambda x, y, z: tg.attention(x, y, z, causal=True),
        lambda x, y, z: F.scaled_dot_product_attention(x, y, z, is_causal=True)),
    "pools": both(
        lambda x, y, z: tg.max_pool2d(ramp(tg, x)[None, None], 3, 1, 1)[0, 0] - tg.avg_pool1d(y[None], 3, 1, 1)[0],
        lambda x, y, z: F.max_pool2d(ramp(torch, x)[None, None], 3, 1, 1)[0, 0] - F.avg_pool1d(y[None], 3, 1, 1)[0]),
    "solve": lambda lib, x, y, z: lib.linalg.solve(square(lib, x, y), z),
    "inv": lambda lib, x, y, z: lib.linalg.inv(square(lib, x, y)) @ z,
    "pinv": lambda lib, x, y, z: lib.linalg.pinv(tall(lib, x)) * y,
    "det": lambda lib, x, y, z: z * lib.linalg.det(square(lib, x, y)) / 8,
    "slogdet": lambda lib, x, y, z: z * lib.linalg.slogdet(square(lib, x, y))[1],
    "matrix_power": lambda lib, x, y, z: lib.linalg.matrix_power(square(lib, x, y), 3) @ z / 8,
    "cholesky": lambda lib, x, y, z: lib.linalg.cholesky(definite(lib, x)) @ y,
    "eigvalsh": lambda lib, x, y, z: y * lib.linalg.eigvalsh(definite(lib, x))[:, None],
    "eigh": lambda lib, x, y, z: lib.square(lib.linalg.eigh(definite(lib, x))[1]) @ y,
    "svdvals": lambda lib, x, y, z: y - lib.linalg.svdvals(tall(lib, x))[:, None],
    "matrix norm": lambda lib, x, y, z: y / lib.linalg.norm(tall(lib, x), "nuc"),
    "qr": lambda lib, x, y, z: y @ lib.square(lib.linalg.qr(tall(lib, x))[0]) @ z,
}  # fmt: skip
PROGRAMS = 400


def random_program(seed):
    """Draw 5 to 15 steps: names and operands, the newest value among them."""
    rng = random.Random(seed)
    program = []
    for made in range(3, 3 + rng.randint(5, 15)):
        operands = [made - 1, *(rng.randrange(made) for _ in range(2))]
        rng.shuffle(operands)
        program.append((rng.choice(list(STEPS)), operands))
    return program


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_random_programs(seed):
    def run(lib, *inputs):
        values, total = list(inputs), 0.0
        for name, operands in random_program(seed):
            values.append(lib.asinh(STEPS[name](lib, *[values[i] for i in operands])))
            total = total + values[-1] / len(values)  # so that every step counts
        return total + values[-1] * values[-2]

    arrays = oracles.distinct((3, 4), (3, 4), (3, 4), low=-1.5, high=1.5, seed=seed)
    check_against_torch(
        lambda *xs: run(tg, *xs), lambda *xs: run(THEIRS, *xs), *arrays,
        seed=seed, second=list(SECOND)[seed % len(SECOND)],
    )  # fmt: skip


def test_every_step_is_run_by_some_program():
    assert {name for seed in range(PROGRAMS) for name, _ in random_program(seed)} == set(STEPS)
