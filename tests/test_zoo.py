"""Published networks: their parameters, their path polynomials, their values in PyTorch.

And two theorems about gradients at initialisation, measured on random networks.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import oracles
import pytest

import tinygrad_res as tg
from tinygrad_res import nets, nn
from tinygrad_res.errors import ShapeError, UsageError

RNG = np.random.default_rng(11)
TORCH_REASON = "PyTorch is the oracle here; install it to compare with it"


def product(*factors):
    """Multiply polynomials with integer coefficients, given as {degree: coefficient}."""
    result = {0: 1}
    for factor in factors:
        terms = [(a + b, m * n) for a, m in result.items() for b, n in factor.items()]
        result = {k: sum(n for degree, n in terms if degree == k) for k in sorted(dict(terms))}
    return result


def power(factor, n):
    return product(*[factor] * n)


Z, IDENTITY_2, IDENTITY_3 = {1: 1}, {0: 1, 2: 1}, {0: 1, 3: 1}
PROJECTED_2, PROJECTED_3 = {1: 1, 2: 1}, {1: 1, 3: 1}


def cifar(n):
    return power(Z, 2), power(IDENTITY_2, 3 * n)


def basic(identities):
    return power(Z, 2), power(IDENTITY_2, identities), power(PROJECTED_2, 3)


def bottleneck(identities):
    return power(Z, 2), power(IDENTITY_3, identities), power(PROJECTED_3, 4)


def dense(layers):
    return power(Z, 5), power(IDENTITY_2, layers)


# The constructor, the depth, the parameters, the factors of the polynomial, and what they
# multiply out to: log2 of the number of paths, the smallest and the mean degree.
PUBLISHED = {
    "resnet20": (nets.resnet, 20, 269_722, cifar(3), (9, 2, 11)),
    "resnet32": (nets.resnet, 32, 464_154, cifar(5), (15, 2, 17)),
    "resnet44": (nets.resnet, 44, 658_586, cifar(7), (21, 2, 23)),
    "resnet56": (nets.resnet, 56, 853_018, cifar(9), (27, 2, 29)),
    "resnet110": (nets.resnet, 110, 1_727_962, cifar(18), (54, 2, 56)),
    "imagenet-resnet18": (nets.imagenet_resnet, 18, 11_689_512, basic(5), (8, 5, 11.5)),
    "imagenet-resnet34": (nets.imagenet_resnet, 34, 21_797_672, basic(13), (16, 5, 19.5)),
    "imagenet-resnet50": (nets.imagenet_resnet, 50, 25_557_032, bottleneck(12), (16, 6, 28)),
    "imagenet-resnet101": (nets.imagenet_resnet, 101, 44_549_160, bottleneck(29), (33, 6, 53.5)),
    "imagenet-resnet152": (nets.imagenet_resnet, 152, 60_192_808, bottleneck(46), (50, 6, 79)),
    "densenet121": (nets.densenet, 121, 7_978_856, dense(58), (58, 5, 63)),
    "densenet169": (nets.densenet, 169, 14_149_480, dense(82), (82, 5, 87)),
    "densenet201": (nets.densenet, 201, 20_013_928, dense(98), (98, 5, 103)),
}


def counted(network, pixels, by="weight"):
    """Count the paths from the logits of two images back to them by degree."""
    x = tg.tensor(RNG.standard_normal((2, 3, pixels, pixels), np.float32), requires_grad=True)
    logits = network(x)
    return tg.paths(logits, x, cotangent=np.ones(logits.shape)).count_by(by)


@functools.cache
def anatomy(name):
    """Return the size of a network, and its paths by weight layers and by blocks."""
    build, depth, *_ = PUBLISHED[name]
    network = build(depth, rng=np.random.default_rng(0))
    pixels = 29 if build is nets.densenet else 8
    return network.size(), counted(network, pixels), counted(network, pixels, "block")


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_have_the_published_number_of_parameters(name):
    assert anatomy(name)[0] == PUBLISHED[name][2]


@pytest.mark.parametrize("name", PUBLISHED)
def test_paths_are_counted_by_the_published_polynomial(name):
    _, depth, _, factors, (doublings, least, mean) = PUBLISHED[name]

    counts = anatomy(name)[1]

    assert counts == product(*factors)
    assert sum(counts.values()) == 2**doublings
    assert (min(counts), max(counts)) == (least, depth)
    assert sum(k * n for k, n in counts.items()) == mean * 2**doublings


@pytest.mark.parametrize("name", PUBLISHED)
def test_paths_cross_any_choice_of_residual_branches_and_dense_layers(name):
    blocks = PUBLISHED[name][4][0]
    assert anatomy(name)[2] == {k: math.comb(blocks, k) for k in range(blocks + 1)}


def test_resnet_1202_has_2_to_600_paths_and_19_million_parameters():
    network = nets.resnet(1202, rng=np.random.default_rng(0))

    counts = counted(network, 8)

    assert network.size() == 19_421_274
    assert counts == {2 + 2 * k: math.comb(600, k) for k in range(601)}


def test_most_paths_of_resnet_110_cross_19_to_35_of_its_54_blocks():
    """Veit et al. 2016, section 5: a path's number of blocks is binomial, Bin(54, 1/2)."""
    crossed = anatomy("resnet110")[2]
    assert sum(crossed[k] for k in range(19, 36)) / 2**54 == pytest.approx(0.980166, abs=1e-6)
    assert sum(crossed[k] for k in range(5, 18)) == 81_725_384_002_200


def test_depths_that_nobody_published_and_images_too_small_are_refused():
    with pytest.raises(UsageError, match="no depth 20; use 18, 34, 50, 101, 152"):
        nets.imagenet_resnet(20)
    with pytest.raises(UsageError, match="no depth 161; use 121, 169, 201"):
        nets.densenet(161)
    with pytest.raises(ShapeError, match=r"Transition: shape \(2, 4, 1, 1\): .* be at least 2"):
        nn.Transition(4, 2)(np.ones((2, 4, 1, 1)))
    for network, least in ((nets.densenet(121), 29), (nets.vgg(11, hidden=8, pool=1), 32)):
        images = RNG.standard_normal((2, 3, least, least - 1), np.float32)
        with pytest.raises(ShapeError, match=f"{network.name}: .* must be at least {least}"):
            network(images)
    with pytest.raises(UsageError, match="DenseBlock: layers=0: pass an int of at least 1"):
        nn.DenseBlock(0, 4)


def test_networks_are_built_by_their_names():
    assert set(PUBLISHED) < set(nets.MODELS)
    for name in ("imagenet-resnet18", "densenet121"):
        network = nets.build(name, (1, 8, 8), 10)
        assert network.name == name
        assert network.stem[0].weight.shape == (64, 1, 7, 7)
        assert network.head[-1].weight.shape[0] == 10
        with pytest.raises(UsageError, match=f"{name}: its name says its blocks"):
            nets.build(name, (1, 8, 8), 10, blocks=3)
    with pytest.raises(UsageError, match="unknown model 'alexnet8': use one of"):
        nets.build("alexnet8", (1, 8, 8), 10)
    with pytest.raises(ShapeError, match=r"vgg16: images of 8 x 8: .* must be at least 32"):
        nets.build("vgg16", (1, 8, 8), 10)


def test_a_dense_block_gives_each_layer_the_output_of_all_before():
    """Joining one by one equals the paper's joining of all, in value and in its paths."""
    block = nn.DenseBlock(4, inputs=3, growth_rate=2, rng=np.random.default_rng(0))
    x = tg.tensor(RNG.standard_normal((2, 3, 4, 4)), requires_grad=True)
    features = [x]
    for layer in block:
        features.append(layer.branch(tg.concat(features, axis=1)))
    paper, ours = tg.concat(features, axis=1), block(x)

    np.testing.assert_array_equal(ours.data, paper.data)
    assert ours.shape == (2, block.outputs, 4, 4)
    for y, joins in ((ours, 4 * 2), (paper, 1 + 2 + 3 + 4 + 5)):
        assert tg.paths(y, x).count_by("weight") == {2 * k: math.comb(4, k) for k in range(5)}
        graph = tg.graph(y)
        edges = [e for e in graph.edges if graph.nodes[e.source].op == "concat"]
        assert len(edges) == joins
        assert all(e.is_identity for e in edges)


def test_blocks_compute_on_a_device_what_they_compute_on_the_host(xp):
    network = nn.Sequential(
        nn.MaxPool2d(3, 2, 1), nn.DenseBlock(2, 3, 2), nn.Transition(7, 4),
        nn.Residual(nn.Conv2d(4, 6, 1, 2), nn.ProjectionShortcut(4, 6, 2)),
    )  # fmt: skip
    oracles.check_on_device(xp, network, RNG.standard_normal((2, 3, 16, 16)), 1e-9, 1e-11)


# The same networks, written in PyTorch by hand.


def torch_convolution(t, inputs, outputs, kernel, stride=1):
    return t.nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def torch_chain(t, inputs, *layers):
    """Return convolution, norm and ReLU by turns, without the last ReLU."""
    parts = []
    for outputs, kernel, stride in layers:
        parts.append(torch_convolution(t, inputs, outputs, kernel, stride))
        parts += [t.nn.BatchNorm2d(outputs), t.nn.ReLU()]
        inputs = outputs
    return t.nn.Sequential(*parts[:-1])


def torch_residual(t, inputs, stride, *layers):
    class Block(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.branch, self.shortcut = torch_chain(t, inputs, *layers), t.nn.Identity()
            outputs = layers[-1][0]
            if stride > 1 or inputs != outputs:
                self.shortcut = torch_chain(t, inputs, (outputs, 1, stride))

        def forward(self, x):
            return t.relu(self.shortcut(x) + self.branch(x))

    return Block()


def torch_dense_layer(t, inputs, growth=32):
    class Layer(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1 = t.nn.BatchNorm2d(inputs)
            self.conv1 = torch_convolution(t, inputs, 4 * growth, 1)
            self.norm2 = t.nn.BatchNorm2d(4 * growth)
            self.conv2 = torch_convolution(t, 4 * growth, growth, 3)

        def forward(self, x):
            inner = self.conv1(t.relu(self.norm1(x)))
            return t.cat([x, self.conv2(t.relu(self.norm2(inner)))], 1)

    return Layer()


def torch_stem(t):
    return [*torch_chain(t, 3, (64, 7, 2)), t.nn.ReLU(), t.nn.MaxPool2d(3, 2, 1)]


def torch_head(t, inputs):
    return [t.nn.AdaptiveAvgPool2d(1), t.nn.Flatten(), t.nn.Linear(inputs, 1000)]


def torch_resnet18(t):
    parts, inputs = torch_stem(t), 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        parts.append(torch_residual(t, inputs, stride, (width, 3, stride), (width, 3, 1)))
        parts.append(torch_residual(t, width, 1, (width, 3, 1), (width, 3, 1)))
        inputs = width
    return t.nn.Sequential(*parts, *torch_head(t, 512))


def torch_resnet50(t):
    parts, inputs = torch_stem(t), 64
    for width, first, blocks in ((64, 1, 3), (128, 2, 4), (256, 2, 6), (512, 2, 3)):
        for stride in (first, *[1] * (blocks - 1)):
            layers = (width, 1, 1), (width, 3, stride), (4 * width, 1, 1)
            parts.append(torch_residual(t, inputs, stride, *layers))
            inputs = 4 * width
    return t.nn.Sequential(*parts, *torch_head(t, 2048))


def torch_densenet121(t):
    parts, width = torch_stem(t), 64
    for layers in (6, 12, 24, 16):
        parts += [torch_dense_layer(t, width + 32 * i) for i in range(layers)]
        width += 32 * layers
        parts += [t.nn.BatchNorm2d(width), t.nn.ReLU()]
        if layers != 16:
            parts += [torch_convolution(t, width, width // 2, 1), t.nn.AvgPool2d(2)]
            width //= 2
    return t.nn.Sequential(*parts, *torch_head(t, 1024))


IN_TORCH = {
    "basic block": (
        lambda rng: nets.imagenet_resnet(18, rng=rng).body[2],
        lambda t: torch_residual(t, 64, 2, (128, 3, 2), (128, 3, 1)),
        (2, 64, 8, 8),
    ),
    "bottleneck": (
        lambda rng: nets.imagenet_resnet(50, rng=rng).body[3],
        lambda t: torch_residual(t, 256, 2, (128, 1, 1), (128, 3, 2), (512, 1, 1)),
        (2, 256, 8, 8),
    ),
    "dense layer": (
        lambda rng: nn.DenseLayer(48, rng=rng),
        lambda t: torch_dense_layer(t, 48),
        (2, 48, 8, 8),
    ),
    "resnet18": (lambda rng: nets.imagenet_resnet(18, rng=rng), torch_resnet18, (2, 3, 64, 64)),
    "resnet50": (lambda rng: nets.imagenet_resnet(50, rng=rng), torch_resnet50, (2, 3, 64, 64)),
    "densenet121": (lambda rng: nets.densenet(121, rng=rng), torch_densenet121, (2, 3, 64, 64)),
}


@pytest.mark.parametrize("part", IN_TORCH)
def test_values_and_gradients_are_pytorchs(part):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    ours, theirs, shape = IN_TORCH[part]
    ours, theirs = ours(np.random.default_rng(0)).to(dtype="float64"), theirs(torch).double()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.shape == tuple(q.shape)
        q.data = torch.tensor(p.numpy())
    values = RNG.standard_normal(shape)
    x, u = tg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)

    y, v = ours(x), theirs(u)
    cotangent = RNG.standard_normal(y.shape)
    y.backward(cotangent), v.backward(torch.tensor(cotangent))

    np.testing.assert_allclose(y.data, v.detach(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(x.grad.data, u.grad, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "size"), [((2,), 7), ((3, 2), 7), ((3, 2, 1), 8), ((3, 1, 1), 5)]
)
def test_pooling_layers_take_pytorchs_arguments(options, size):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    x = RNG.standard_normal((2, 3, size, size))
    for name, keywords in (
        ("MaxPool2d", {}), ("AvgPool2d", {}), ("AvgPool2d", {"count_include_pad": False}),
    ):  # fmt: skip
        ours = getattr(nn, name)(*options, **keywords)(tg.tensor(x))
        theirs = getattr(torch.nn, name)(*options, **keywords)(torch.tensor(x))
        np.testing.assert_allclose(ours.data, theirs, rtol=1e-12)


# Gradients at initialisation.


@pytest.mark.parametrize("depth", [1, 4, 12])
@pytest.mark.parametrize("readout", ["relu", "linear"])
def test_squared_input_gradient_of_a_he_network_averages_one_over_its_inputs(depth, readout):
    """E (df_q/dx_p)^2 = 1 / n_0 for every input p and output q, at any depth (Hanin 2018).

    Weights are independent, symmetric and of variance 2 / fan-in, every unit is a ReLU, the
    outputs too, and there are no biases.  df_q/dx_p is the sum over the n_1 ... n_(d-1)
    paths from q to p of the product of their weights times 1 if all d units on the path are
    live.  In the mean of the square two different paths cancel: they differ in a weight,
    whose sign is free.  One path gives the product of its 2 / n_(j-1) times the probability
    that its d units are live.  That is 2^-d, since above a live unit a unit's input is
    symmetric and not 0, and independent of the squared weights.  Together

        n_1 ... n_(d-1) * 2^d / (n_0 ... n_(d-1)) * 2^-d = 1 / n_0.

    A linear readout has one live factor less: with variance 1 / fan-in it gives 1 / n_0 too.
    """
    inputs, width, networks = 5, 32, 1200
    rng = np.random.default_rng(depth)
    h = x = tg.tensor(rng.standard_normal((networks, inputs, 1)), requires_grad=True)
    for layer in range(depth):
        last = layer == depth - 1
        shape = (networks, 1 if last else width, h.shape[1])
        linear = last and readout == "linear"
        std = math.sqrt((1 if linear else 2) / h.shape[1])
        z = tg.matmul(rng.standard_normal(shape) * std, h)
        h = z if linear else tg.relu(z)

    h.backward(np.ones(h.shape))
    squares = np.square(x.grad.numpy()).mean(axis=(1, 2))
    error = squares.std() / math.sqrt(networks)

    assert error < 0.15 / inputs
    assert abs(squares.mean() - 1 / inputs) < 3 * error


@pytest.mark.parametrize("blocks", [6, 54])
def test_normalised_branches_are_crossed_a_harmonic_number_of_times(blocks):
    """Under squared gradient mass a path crosses H_(n+1) - 1 of n branches: 3.59 of 54.

    A branch normalises what it gets and puts out elements of unit variance, independent of
    the shortcut's, so the input of block k, h_(k-1), has variance k where the network's has
    1.  (De & Smith 2020 take this growth as the reason why such networks train.)  The
    branch is a function of h / sqrt(k) whose Jacobian has unit gain at He's initialisation,
    so a cotangent of squared norm 1 comes back from it with 1 / k, beside 1 from the
    shortcut.  Block k multiplies squared mass by 1 + z / k; its branch has the share
    (1 / k) / (1 + 1 / k) = 1 / (k + 1), and the mean degree of the product is the sum of
    the shares, 1/2 + ... + 1/(n + 1).

    That is the limit of wide layers; corrections are of the order of 1 / width.
    """
    width, rows, networks = 256, 2, 8
    rng = np.random.default_rng(0)
    means = []
    for _ in range(networks):
        h = x = tg.tensor(rng.standard_normal((rows, width)), requires_grad=True)
        for _ in range(blocks):
            first = rng.standard_normal((width, width)) * math.sqrt(2 / width)
            second = rng.standard_normal((width, width)) * math.sqrt(1 / width)
            with tg.scope("branch", branch=True):
                branch = tg.relu(tg.layer_norm(h, width) @ first) @ second
            h = h + branch
        parts = tg.paths(h, x, cotangent=rng.standard_normal(h.shape)).gradient_by("block")
        mass = {k: np.square(g).sum() for k, g in parts.items()}
        means.append(sum(k * m for k, m in mass.items()) / sum(mass.values()))
    harmonic = sum(1 / (k + 1) for k in range(1, blocks + 1))
    error = np.std(means) / math.sqrt(networks)

    assert harmonic == pytest.approx({6: 1.592857, 54: 3.593612}[blocks], abs=1e-6)
    assert error < 0.02 * harmonic
    assert np.mean(means) == pytest.approx(harmonic, rel=0.04)


@pytest.mark.parametrize("deleted", [1, 10, 40])
def test_deleting_modules_leaves_the_paths_that_avoid_them(deleted):
    """Veit et al. 2016, section 6: of the paths through k of 54 modules, C(54 - d, k) / C(54, k) survive."""
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.standard_normal((1, 2)), requires_grad=True)
    branches = []
    for _ in range(54):
        with tg.scope("branch", branch=True):
            branches.append(tg.relu(h) @ tg.parameter(rng.standard_normal((2, 2)) / 4))
        h = h + branches[-1]
    p = left = tg.paths(h.sum(), x)
    for i in rng.permutation(54)[:deleted]:
        left = left.avoiding(branches[i])

    every, survivors = p.count_by("block"), left.count_by("block")

    assert every == {k: math.comb(54, k) for k in range(55)}
    assert survivors == {k: math.comb(54 - deleted, k) for k in range(55 - deleted)}
