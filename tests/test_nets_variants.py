"""The zoo's variants against networks written in PyTorch, and loaded from those by name."""

import math
import tracemalloc

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import nets, nn
from tinygrad_res.errors import DataError, UsageError

RNG = np.random.default_rng(9)
TORCH_REASON = "PyTorch is the oracle here; install it to compare with it"


def counted(network, pixels=8, by="weight"):
    x = tg.tensor(RNG.standard_normal((2, 3, pixels, pixels), np.float32), requires_grad=True)
    logits = network(x)
    return tg.paths(logits, x, cotangent=np.ones(logits.shape)).count_by(by)


# He et al. 2016


@pytest.mark.parametrize("arrangement", nets.ARRANGEMENTS)
def test_every_arrangement_has_the_paths_of_the_original(arrangement):
    cifar = nets.resnet(14, rng=0, arrangement=arrangement)
    assert counted(cifar) == {2 + 2 * k: math.comb(6, k) for k in range(7)}
    imagenet = nets.imagenet_resnet(18, classes=2, rng=0, arrangement=arrangement)
    assert counted(imagenet) == counted(nets.imagenet_resnet(18, classes=2, rng=0))


SCRIPTS = {
    "original": "cbrcb", "bn-after-addition": "cbrc", "relu-before-addition": "cbrcbr",
    "relu-only-preactivation": "rcbrcb", "full-preactivation": "brcbrc",
}  # fmt: skip
AFTER = {"original": "r", "bn-after-addition": "br"}
LETTERS = {nn.Conv2d: "c", nn.BatchNorm2d: "b", nn.ReLU: "r"}


@pytest.mark.parametrize("arrangement", nets.ARRANGEMENTS)
def test_layers_stand_in_the_order_of_the_papers_figure_4(arrangement):
    block = nets.resnet(14, rng=0, arrangement=arrangement).body[1]

    def script(module):
        return "".join(LETTERS.get(type(m), "") for m in module.modules())

    assert script(block.branch) == SCRIPTS[arrangement]
    assert (script(block.after) if block.after else "") == AFTER.get(arrangement, "")


@pytest.mark.parametrize("arrangement", ["relu-only-preactivation", "full-preactivation"])
def test_preactivation_starts_behind_the_stems_activation_and_ends_in_the_head(arrangement):
    network = nets.resnet(14, rng=0, arrangement=arrangement)
    assert isinstance(network.body[0].branch[0], nn.Conv2d)
    assert isinstance(network.stem[2], nn.ReLU)
    first = network.head[0]
    assert isinstance(first, nn.BatchNorm2d if "full" in arrangement else nn.ReLU)
    assert network.name == "preresnet14"


def test_full_preactivation_has_as_many_parameters_as_the_original():
    """A norm moves from behind the first convolution of each unit to before it, and on to the head.

    Channels normalised: 16 in the stem, 16 in the first unit, which lacks its first norm,
    2 (16 + 16), 16 + 32, 2 (32 + 32), 32 + 64, 2 (64 + 64), and 64 in the head: 688 as before.
    """
    network = nets.resnet(20, rng=0, arrangement="full-preactivation")
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert sum(m.num_features for m in norms) == 688
    assert network.size() == 269_722


SHORTCUT_COUNTS = {
    "none": {8: 1},
    "identity": {2: 1, 4: 3, 6: 3, 8: 1},
    "projection": {4: 1, 5: 2, 6: 2, 7: 2, 8: 1},  # z^2 (1 + z^2) (z + z^2)^2
    "convolution": {5: 1, 6: 3, 7: 3, 8: 1},  # z^2 (z + z^2)^3
    "scaled": {2: 1, 4: 3, 6: 3, 8: 1},
    "dropout": {2: 1, 4: 3, 6: 3, 8: 1},
}


@pytest.mark.parametrize("shortcut", SHORTCUT_COUNTS)
@pytest.mark.parametrize("arrangement", ["original", "full-preactivation"])
def test_paths_are_counted_by_what_the_shortcut_crosses(shortcut, arrangement):
    network = nets.resnet(8, rng=0, shortcut=shortcut, arrangement=arrangement)
    assert counted(network) == SHORTCUT_COUNTS[shortcut]


@pytest.mark.parametrize(
    ("shortcut", "inner"), [("gated", {0: 1, 1: 2, 2: 1}), ("gated-shortcut", {0: 1, 1: 1, 2: 1})]
)
def test_a_gate_adds_paths_that_cross_its_own_weight(shortcut, inner):
    """x reaches the sum by the branch (z^2), the shortcut (1), and once for each use of the gate.

    Exclusive gating uses it twice, on both sides; where the shape changes there is a gate, too.
    """
    network = nets.resnet(8, rng=0, shortcut=shortcut)
    block = network.body[0]
    x = tg.tensor(RNG.standard_normal((2, 16, 4, 4), np.float32), requires_grad=True)
    assert tg.paths(block(x).sum(), x).count_by("weight") == inner
    assert network(RNG.standard_normal((2, 3, 8, 8), np.float32)).shape == (2, 10)


def test_the_shortcut_path_through_all_scaled_units_carries_lambda_to_the_n():
    network = nets.resnet(20, rng=0, shortcut="scaled", arrangement="full-preactivation")
    network.to(dtype="float64")
    x = tg.tensor(RNG.standard_normal((2, 16, 8, 8)), requires_grad=True)
    y = network.body(x)
    free = tg.paths(y.sum(), x).weight_free().gradient()
    assert set(np.unique(free)) == {0.0, 0.5**9}  # option A drops the other pixels
    assert (free[:, :, ::4, ::4] == 0.5**9).all()


def test_constant_scaling_halves_the_branch_as_well():
    block = nets.resnet(8, rng=0, shortcut="scaled", arrangement="full-preactivation").body[0]
    x = RNG.standard_normal((2, 16, 4, 4), np.float32)
    inner = x
    for layer in list(block.branch)[:-1]:
        inner = layer(inner)
    np.testing.assert_allclose(block(x).data, (x + inner.data) / 2, rtol=1e-5, atol=1e-6)


def parts_of(network, kind):
    return [module for module in network.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("shortcut", ["gated", "gated-shortcut"])
def test_the_gates_of_all_units_start_at_minus_6(shortcut):  # He et al. 2016, section 3.1
    gates = parts_of(nets.resnet(14, rng=0, shortcut=shortcut), nn.Gate)
    assert len(gates) == 6
    for gate in gates:
        assert set(gate[0].bias.numpy().tolist()) == {-6.0}


def test_dropout_stands_on_every_shortcut_and_leaves_out_half():
    blocks = nets.resnet(14, rng=0, shortcut="dropout").body
    assert [[part.p for part in parts_of(b.shortcut, nn.Dropout)] for b in blocks] == [[0.5]] * 6
    assert not any(parts_of(block.branch, nn.Dropout) for block in blocks)


@pytest.mark.parametrize(
    ("shortcut", "arrangement", "kinds"),
    [
        ("projection", "original", [nn.Conv2d, nn.BatchNorm2d]),
        ("projection", "bn-after-addition", [nn.Conv2d, nn.BatchNorm2d]),
        ("projection", "relu-before-addition", [nn.Conv2d]),
        ("projection", "full-preactivation", [nn.Conv2d]),
        ("convolution", "original", [nn.Conv2d]),
    ],
)
def test_a_projection_is_normalised_where_something_follows_the_sum(shortcut, arrangement, kinds):
    network = nets.resnet(8, rng=0, shortcut=shortcut, arrangement=arrangement)
    changing = parts_of(network.body[1], nn.Residual)[0]
    found = parts_of(changing.shortcut, (nn.Conv2d, nn.BatchNorm2d))
    assert [type(part) for part in found] == kinds


@pytest.mark.parametrize("shortcut", nets.SHORTCUTS)
@pytest.mark.parametrize("arrangement", nets.ARRANGEMENTS)
def test_every_variant_trains(shortcut, arrangement):
    network = nets.resnet(8, rng=0, shortcut=shortcut, arrangement=arrangement)
    x = tg.tensor(RNG.standard_normal((4, 3, 8, 8), np.float32))
    labels = np.array([0, 1, 2, 3])
    optimiser = tg.optim.SGD(network.parameters(), lr=0.05)
    losses = []
    for _ in range(6):
        loss = tg.cross_entropy(network(x), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_unknown_variants_are_refused_with_the_choices():
    with pytest.raises(UsageError, match="resnet: shortcut='skip': use none, identity, projection"):
        nets.resnet(20, shortcut="skip")
    with pytest.raises(UsageError, match="imagenet_resnet: arrangement='post': use original, bn"):
        nets.imagenet_resnet(18, arrangement="post")
    with pytest.raises(UsageError, match="vgg: there is no depth 12; use 11, 13, 16, 19"):
        nets.vgg(12)


def test_a_preactivated_projection_shares_the_one_activation():
    activation, relu, block = nets.imagenet_resnet(
        18, rng=0, arrangement="full-preactivation"
    ).body[2]
    assert [type(part) for part in (activation, relu)] == [nn.BatchNorm2d, nn.ReLU]
    kinds = [type(part) for part in block.branch]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d]
    assert isinstance(block.shortcut, nn.Conv2d)


def test_a_unit_that_makes_images_smaller_has_a_shortcut_that_does():
    order, layers = nets.ARRANGEMENTS["original"], [(4, 3, 2), (4, 3, 1)]
    unit = nets.units.unit(4, layers, order, "identity", np.random.default_rng(0))
    assert unit(np.ones((2, 4, 6, 6), np.float32)).shape == (2, 4, 3, 3)


@pytest.mark.parametrize("model", ["plain-mlp", "resnet20"])
def test_networks_called_by_name_are_drawn_by_the_seed(model):
    one, same, other = (
        nets.build(model, (1, 8, 8), 10, rng=seed).parameters() for seed in (1, 1, 2)
    )
    assert all((a.data == b.data).all() for a, b in zip(one, same, strict=True))
    assert (one[0].data != other[0].data).any()


def test_strides_stand_where_the_papers_networks_have_them():
    def strides(block):
        return [part.geometry["stride"] for part in block.branch if isinstance(part, nn.Conv2d)]

    cifar = [strides(block) for block in nets.resnet(20, rng=0).body]
    assert cifar == [[2 if i in (3, 6) else 1, 1] for i in range(9)]
    bottlenecks = [strides(block) for block in nets.imagenet_resnet(50, classes=2, rng=0).body[:5]]
    assert bottlenecks == [[1, 1, 1]] * 3 + [[1, 2, 1], [1, 1, 1]]


def test_blocks_of_mlps_are_drawn_as_said():
    def ones(rng, shape):
        return np.ones(shape, np.float32)

    for network in (nets.plain_mlp(2, draw=ones), nets.residual_mlp(2, draw=ones, branches="he")):
        for layer in network.body.modules():
            assert not isinstance(layer, nn.Linear) or (layer.weight.data == 1).all()


def test_preactivated_projections_start_behind_the_shared_activation():
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    unit = nets.imagenet_resnet(18, rng=0, arrangement="full-preactivation").body[2]
    unit.to(dtype="float64")
    t = torch.nn
    norm1, norm2 = t.BatchNorm2d(64).double(), t.BatchNorm2d(128).double()
    values = RNG.standard_normal((2, 64, 6, 6))

    def weight(path):
        return torch.tensor(dict(unit.named_parameters())[path].numpy())

    h = torch.relu(norm1(torch.tensor(values)))
    inner = t.functional.conv2d(h, weight("2.branch.0.weight"), stride=2, padding=1)
    inner = t.functional.conv2d(torch.relu(norm2(inner)), weight("2.branch.3.weight"), padding=1)
    expected = inner + t.functional.conv2d(h, weight("2.shortcut.weight"), stride=2)

    np.testing.assert_allclose(unit(values).data, expected.detach(), rtol=1e-8, atol=1e-10)


# VGG and regression

VGG_SIZES = {11: 132_863_336, 13: 133_047_848, 16: 138_357_544, 19: 143_667_240}


@pytest.mark.parametrize("depth", VGG_SIZES)
def test_vgg_has_the_published_size_and_a_single_path_through_every_weight(depth):
    """The linear layers are built small, and counted as large as they are published."""
    network = nets.vgg(depth, hidden=8, pool=1, rng=0).eval()
    head = 512 * 49 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000
    small = 512 * 8 + 8 + 8 * 8 + 8 + 8 * 1000 + 1000
    assert network.size() - small + head == VGG_SIZES[depth]
    assert counted(network, 32) == {depth: 1}


def test_vgg_with_normalisation_has_two_more_numbers_a_channel():
    plain, normed = (nets.vgg(16, hidden=8, pool=1, rng=0, norm=n) for n in (False, True))
    assert normed.size() - plain.size() == 138_365_992 - 138_357_544
    assert normed.name == "vgg16-bn"


def test_a_regression_network_is_a_linear_model_and_hidden_units_beside_it():
    x = RNG.standard_normal((5, 3))
    network = nets.skip_regression(3, 2, hidden=4, rng=0).to(dtype="float64")
    block = network.body[0]
    A, b = block.shortcut.weight.data, block.shortcut.bias.data
    V, c, W = block.branch[0].weight.data, block.branch[0].bias.data, block.branch[2].weight.data
    np.testing.assert_allclose(network(x).data, x @ A.T + b + np.tanh(x @ V.T + c) @ W.T)
    linear = nets.skip_regression(3, 2, hidden=0, rng=0).to(dtype="float64")
    layer = linear.body[0]
    np.testing.assert_allclose(linear(x).data, x @ layer.weight.data.T + layer.bias.data)
    with pytest.raises(UsageError, match="skip_regression: hidden=-1"):
        nets.skip_regression(3, hidden=-1)


def test_mlps_take_other_activations_and_preactivation():
    x = RNG.standard_normal((2, 64))
    network = nets.residual_mlp(
        2, rng=0, preactivation=True, activation=nn.Tanh, draw=nn.xavier_normal, branches="he"
    ).to(dtype="float64")
    h = x @ network.stem[1].weight.data.T + network.stem[1].bias.data
    for block in network.body:
        first, second = block.branch[1], block.branch[3]
        inner = np.tanh(np.tanh(h) @ first.weight.data.T + first.bias.data)
        h = h + inner @ second.weight.data.T + second.bias.data
    last = network.head[1]
    np.testing.assert_allclose(
        network(x).data, np.tanh(h) @ last.weight.data.T + last.bias.data, rtol=1e-9
    )
    plain = nets.plain_mlp(1, rng=0, activation=nn.Sigmoid)
    assert [type(m) for m in plain.body[0]][1::2] == [nn.Sigmoid] * 2


# Loaded from PyTorch by torchvision's names


def torch_block(t, kind, inputs, width, stride, option_a):
    """A BasicBlock or Bottleneck as torchvision names its parts."""
    expansion = 4 if kind == "bottleneck" else 1
    outputs = width * expansion
    conv = lambda i, o, k, s: t.Conv2d(i, o, k, s, k // 2, bias=False)  # noqa: E731

    class Block(t.Module):
        def __init__(self):
            super().__init__()
            layers = [(inputs, width, 3, stride), (width, width, 3, 1)]
            if kind == "bottleneck":
                layers = [
                    (inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1),
                ]  # fmt: skip
            self.count = len(layers)
            for k, layer in enumerate(layers, 1):
                setattr(self, f"conv{k}", conv(*layer))
                setattr(self, f"bn{k}", t.BatchNorm2d(layer[1]))
            self.downsample = None
            if (stride > 1 or inputs != outputs) and not option_a:
                self.downsample = t.Sequential(
                    conv(inputs, outputs, 1, stride), t.BatchNorm2d(outputs)
                )

        def forward(self, x):
            h = x
            for k in range(1, self.count + 1):
                h = getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(h))
                h = h.relu() if k < self.count else h
            if self.downsample is not None:
                x = self.downsample(x)
            elif stride > 1:
                more = (outputs - inputs) // 2
                x = t.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, more, more))
            return (h + x).relu()

    return Block()


def torch_resnet(t, kind, repetitions, classes, cifar=False):
    """A ResNet as torchvision names its parts; CIFAR's has a smaller stem and three layers."""

    class ResNet(t.Module):
        def __init__(self):
            super().__init__()
            width = inputs = 16 if cifar else 64
            stem = (3, width, 3, 1, 1) if cifar else (3, width, 7, 2, 3)
            self.conv1, self.bn1 = t.Conv2d(*stem, bias=False), t.BatchNorm2d(width)
            for stage, blocks in enumerate(repetitions):
                parts = []
                for i in range(blocks):
                    stride = 2 if stage and not i else 1
                    parts.append(torch_block(t, kind, inputs, width, stride, cifar))
                    inputs = width * (4 if kind == "bottleneck" else 1)
                setattr(self, f"layer{stage + 1}", t.Sequential(*parts))
                width *= 2
            self.fc = t.Linear(inputs, classes)

        def forward(self, x):
            h = self.bn1(self.conv1(x)).relu()
            h = h if cifar else t.functional.max_pool2d(h, 3, 2, 1)
            for stage in range(len(repetitions)):
                h = getattr(self, f"layer{stage + 1}")(h)
            return self.fc(h.mean((2, 3)))

    return ResNet()


IN_TORCH = {
    "resnet8": (
        lambda: nets.resnet(8, rng=0),
        lambda t: torch_resnet(t, "basic", (1, 1, 1), 10, cifar=True),
    ),
    "imagenet-resnet18": (
        lambda: nets.imagenet_resnet(18, classes=7, rng=0),
        lambda t: torch_resnet(t, "basic", (2, 2, 2, 2), 7),
    ),
    "imagenet-resnet50": (
        lambda: nets.imagenet_resnet(50, classes=7, rng=0),
        lambda t: torch_resnet(t, "bottleneck", (3, 4, 6, 3), 7),
    ),
}


@pytest.mark.parametrize("name", IN_TORCH)
def test_a_resnet_of_pytorch_loads_by_name_and_computes_the_same(name):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    torch.manual_seed(0)
    make, make_theirs = IN_TORCH[name]
    ours, theirs = make(), make_theirs(torch.nn)
    for value in theirs.buffers():
        if value.dtype.is_floating_point:
            value.copy_(1 + torch.rand(value.shape) / 4)

    found = ours.load_state_dict(nets.from_torchvision(ours, theirs.state_dict()))

    assert found == ((), ())
    x = RNG.standard_normal((3, 3, 32, 32))
    y, v = ours.eval()(x.astype("f4")), theirs.eval()(torch.tensor(x).float()).detach().numpy()
    np.testing.assert_allclose(y.data, v, rtol=1e-3, atol=1e-4 * abs(v).max())
    ours.to(dtype="float64"), theirs.double()
    for mode in ("train", "eval"):  # the latter with the statistics of the former
        y, v = getattr(ours, mode)()(x), getattr(theirs, mode)()(torch.tensor(x))
        np.testing.assert_allclose(y.data, v.detach(), rtol=1e-7, atol=1e-9)
    names = nets.torchvision_names(ours)
    assert sorted(names.values()) == sorted(theirs.state_dict())


def test_names_in_torchvision_are_pinned():
    network = nets.imagenet_resnet(50, rng=0)
    names = nets.torchvision_names(network)
    assert list(names) == list(network.state_dict())
    assert len(set(names.values())) == len(names) == 320
    assert (
        names["body.0.shortcut.1.num_batches_tracked"]
        == "layer1.0.downsample.1.num_batches_tracked"
    )
    assert names["body.15.branch.6.weight"] == "layer4.2.conv3.weight"
    dense = nets.torchvision_names(nets.densenet(121, rng=0))
    assert dense["body.6.15.branch.5.weight"] == "features.denseblock4.denselayer16.conv2.weight"
    assert dense["body.1.0.running_mean"] == "features.transition1.norm.running_mean"
    assert len(set(dense.values())) == 727
    plain = nets.torchvision_names(nets.vgg(16, hidden=8, pool=1, rng=0))
    assert plain["body.11.0.weight"] == "features.28.weight"
    assert [plain[f"head.{k}.bias"] for k in (2, 5, 8)] == [
        "classifier.0.bias", "classifier.3.bias", "classifier.6.bias",
    ]  # fmt: skip
    normed = nets.torchvision_names(nets.vgg(16, hidden=8, pool=1, rng=0, norm=True))
    assert normed["body.11.1.bias"] == "features.41.bias"


def test_networks_without_names_in_torchvision_say_so():
    with pytest.raises(UsageError, match="torchvision_names: preresnet8 has no names there: those"):
        nets.torchvision_names(nets.resnet(8, arrangement="full-preactivation"))
    with pytest.raises(UsageError, match=r"resnet8 has a part 'body.0.shortcut.gate.0'"):
        nets.torchvision_names(nets.resnet(8, shortcut="gated-shortcut"))
    network = nets.resnet(8, rng=0)
    theirs = {t: network.state_dict()[o] for o, t in nets.torchvision_names(network).items()}
    theirs["linear.weight"] = theirs.pop("fc.weight")
    with pytest.raises(DataError, match=r"missing: head.1.weight\n  unexpected: linear.weight"):
        network.load_state_dict(nets.from_torchvision(network, theirs))


# The deepest


def test_resnet_1202_runs_forward_and_backward_in_a_quarter_of_a_gigabyte():
    tracemalloc.start()
    try:
        network = nets.resnet(1202, rng=0)
        x = tg.tensor(RNG.standard_normal((2, 3, 8, 8), np.float32), requires_grad=True)
        loss = tg.cross_entropy(network(x), [0, 1])
        loss.backward()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.isfinite(x.grad.data).all() and x.grad.data.any()
    assert all(np.isfinite(p.grad.data).all() for p in network.parameters())
    assert tg.paths(loss, x).count() == 2**600
    assert peak < 2**28
