"""Networks by name, modules and optimisers; ``test_zoo`` has what is published of networks."""

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import data, nets, nn, optim
from tinygrad_res.errors import GradientError, ShapeError, UsageError
from tinygrad_res.report import train

RNG = np.random.default_rng(3)
TORCH_REASON = "PyTorch is the oracle here; install it to compare with it"


@pytest.mark.parametrize("name", ["plain-mlp", "plain20"])
def test_plain_network_has_one_path_through_every_weight_layer(name):
    network = nets.build(name, (1, 8, 8), 10)
    x = tg.tensor(RNG.standard_normal((2, 1, 8, 8)), requires_grad=True)
    depth = len(network.weight_layers())
    assert tg.paths(network(x).sum(), x).count_by("weight") == {depth: 1}


def test_weight_layers_are_named_from_input_to_output():
    names = [layer.weight.name for layer in nets.residual_mlp(5).weight_layers()]
    assert names[:2] == ["W_0", "W_1"]
    assert names[-2:] == ["W_{10}", "W_{11}"]


def test_unfit_sizes_are_refused_with_the_choices():
    with pytest.raises(UsageError, match="unknown model 'resnet': use one of residual-mlp"):
        nets.build("resnet", (1, 8, 8), 10)
    with pytest.raises(UsageError, match="depth '20' is not 6n"):
        nets.resnet("20")
    with pytest.raises(UsageError, match="depth 21 is not 6n"):
        nets.resnet(21)
    with pytest.raises(
        UsageError, match=r"resnet20 has 9 blocks, not 12: .* ask for resnet26 instead"
    ):
        nets.build("resnet20", (1, 8, 8), 10, blocks=12)
    with pytest.raises(UsageError, match="blocks=0: pass an int of at least 1"):
        nets.residual_mlp(0)


def test_parameters_are_listed_once_under_their_path():
    network = nets.residual_mlp(2, rng=np.random.default_rng(0))
    names = [name for name, _ in network.named_parameters()]
    assert "body.1.branch.0.weight" in names
    network.body[1].branch[0].weight = network.body[0].branch[0].weight
    assert len(network.parameters()) == len(names) - 1


def test_modules_become_scopes():
    network = nets.residual_mlp(1, rng=np.random.default_rng(0))
    scopes = {n.scope for n in tg.graph(network(RNG.standard_normal((2, 64)))).nodes}
    assert {"stem/1", "body/0", "body/0/branch/2", "head/0"} <= scopes


def test_moving_to_another_dtype_keeps_values_names_and_ties():
    network = nets.resnet(8)
    before = [p.numpy() for p in network.parameters()]
    network.to(dtype="float64")
    for p, values in zip(network.parameters(), before, strict=True):
        assert p.dtype == np.float64
        np.testing.assert_array_equal(p.data, values)
    assert network.weight_layers()[0].weight.name == "W_0"
    assert network.stem[1].running_var.dtype == np.float64


def test_module_without_forward_says_so():
    with pytest.raises(UsageError, match="write its forward"):
        nn.Module()(np.ones(2))


def test_batch_norm_layer_agrees_with_pytorch_in_training_and_evaluation():
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    x = RNG.standard_normal((4, 3, 5, 5)).astype(np.float32)
    ours, theirs = nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)
    for _ in range(3):
        np.testing.assert_allclose(
            ours(tg.tensor(x)).data, theirs(torch.tensor(x)).detach(), atol=1e-5
        )
    ours.eval(), theirs.eval()
    np.testing.assert_allclose(ours(tg.tensor(x)).data, theirs(torch.tensor(x)).detach(), atol=1e-5)


def test_batch_norm_of_a_single_value_per_channel_is_refused():
    with pytest.raises(ShapeError, match="more than one value per channel"):
        nn.BatchNorm1d(3)(tg.tensor(np.ones((1, 3))))


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
        (optim.SGD, "SGD", {"lr": 0.1}),
        (optim.Adam, "Adam", {"lr": 0.1, "weight_decay": 0.01}),
    ],
)
def test_optimisers_take_pytorchs_steps(ours, theirs, options):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    start = RNG.standard_normal(4)
    p, q = tg.parameter(start), torch.tensor(start, requires_grad=True)
    a, b = ours([p], **options), getattr(torch.optim, theirs)([q], **options)
    for _ in range(5):
        a.zero_grad(), b.zero_grad()
        (p * p * p).sum().backward()
        (q * q * q).sum().backward()
        a.step(), b.step()
    np.testing.assert_allclose(p.data, q.detach(), rtol=1e-9)


def test_optimiser_step_leaves_earlier_records_true():
    w = tg.parameter([2.0])
    loss = (w * w).sum()
    loss.backward()
    optim.SGD([w], lr=1.0).step()
    w.grad = None
    loss.backward()
    assert w.grad.item() == 4.0


def test_optimiser_without_gradients_says_what_is_missing():
    with pytest.raises(GradientError, match=r"no gradient for W_1: call loss\.backward"):
        optim.SGD([tg.parameter([1.0], name="W_1")], lr=0.1).step()
    with pytest.raises(UsageError, match="no parameters"):
        optim.Adam([])
    with pytest.raises(UsageError, match="lr -1 must be positive"):
        optim.SGD([tg.parameter([1.0])], lr=-1)


@pytest.mark.parametrize(
    ("name", "steps", "least"), [("residual-mlp", 300, 0.975), ("resnet20", 40, 0.90)]
)
def test_networks_learn_the_digits(name, steps, least):
    digits = data.load("digits")
    network = nets.build(name, digits.shape, digits.classes, rng=np.random.default_rng(0))
    outcome = train(network, digits, steps, lr=1e-3)
    assert outcome.accuracy >= least
    assert outcome.loss[1] < outcome.loss[0]


def test_option_a_shortcut_slices_pixels_and_pads_channels_on_both_sides():
    x = RNG.standard_normal((2, 3, 4, 4))
    y = nn.PadShortcut(2, 3)(tg.tensor(x)).numpy()
    assert y.shape == (2, 6, 2, 2)
    np.testing.assert_array_equal(y[:, 1:4], x[:, :, ::2, ::2])
    assert not y[:, [0, 4, 5]].any()


def test_accuracy_is_measured_with_running_statistics_and_training_goes_on_after():
    modes = []

    class Watched(nn.Linear):
        def forward(self, x):
            modes.append(self.training)
            return super().forward(x)

    digits = data.load("digits")
    network = nets.residual_mlp(1, rng=np.random.default_rng(0))
    network.head = Watched(64, 10)
    train(network, digits, 2)
    assert modes == [False, True, True, False, False]  # the first to see that the data fit
    assert network.training


W = tg.parameter(np.ones(2), name="w")


@pytest.mark.parametrize(
    ("parameters", "options", "message"),
    [
        (W, {}, r"pass a list of parameters, such as \[w\]"),
        ([W, W], {}, "a parameter is there twice"),
        ([W * 1], {}, "a Tensor is no parameter that can be trained"),
        ([np.ones(2)], {}, "a ndarray is no parameter that can be trained"),
        ([W], {"lr": float("nan")}, "lr nan must be positive"),
    ],
)
def test_what_an_optimiser_could_not_train_is_refused(parameters, options, message):
    with pytest.raises(UsageError, match=f"optimiser: {message}"):
        optim.SGD(parameters, **{"lr": 0.1, **options})


def test_modules_and_parameters_that_would_not_be_trained_are_refused():
    layer = nn.Linear(2, 2)

    with pytest.raises(UsageError, match=r"Linear.parts: modules and parameters in a list would"):
        layer.parts = [nn.Linear(2, 2)]
    with pytest.raises(UsageError, match=r"Linear.weight is a parameter: assign values to its"):
        layer.weight = np.ones((2, 2))
