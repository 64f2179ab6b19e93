"""Layers against PyTorch's, one by one: values, gradients, state; pinned numbers besides."""

import copy

import numpy as np
import oracles
import pytest

import tinygrad_res as tg
from tinygrad_res import nn
from tinygrad_res.errors import DtypeError, ShapeError, UsageError

RNG = np.random.default_rng(5)
TORCH_REASON = "PyTorch is the oracle here; install it to compare with it"

IMAGES, SIGNALS, ROWS = (4, 6, 5, 7), (4, 6, 9), (8, 6)

# The name, its arguments, and the shape of an input.
SAME_AS_PYTORCH = [
    ("Linear", (6, 3), {}, ROWS),
    ("Linear", (6, 3), {"bias": False}, (2, 3, 6)),
    ("Conv2d", (6, 4, 3), {}, IMAGES),
    ("Conv2d", (6, 4, (3, 2), (2, 1), (1, 0), 2, 2, False), {}, IMAGES),
    ("Conv2d", (6, 4, 3), {"padding": "same", "dilation": 2}, IMAGES),
    ("Conv1d", (6, 4, 3), {}, SIGNALS),
    ("Conv1d", (6, 4, (3,), (2,), 1, 2, 2, False), {}, SIGNALS),
    ("Conv1d", (6, 4, 4), {"padding": "same", "dilation": 2}, SIGNALS),
    ("BatchNorm1d", (6,), {}, ROWS),
    ("BatchNorm1d", (6, 1e-3, None), {}, (8, 6, 3)),
    ("BatchNorm2d", (6,), {}, IMAGES),
    ("BatchNorm2d", (6, 1e-5, 0.3, False), {}, IMAGES),
    ("BatchNorm2d", (6,), {"track_running_stats": False}, IMAGES),
    ("LayerNorm", (6,), {}, ROWS),
    ("GroupNorm", (3, 6), {}, IMAGES),
    ("GroupNorm", (2, 6, 1e-3, False), {}, IMAGES),
    ("LayerNorm", ((5, 7), 1e-3), {"bias": False}, IMAGES),
    ("LayerNorm", (7, 1e-5, False), {}, IMAGES),
    ("ReLU", (), {}, ROWS),
    ("LeakyReLU", (0.2,), {}, ROWS),
    ("Sigmoid", (), {}, ROWS),
    ("Tanh", (), {}, ROWS),
    ("GELU", (), {}, ROWS),
    ("GELU", ("tanh",), {}, ROWS),
    ("SiLU", (), {}, ROWS),
    ("Softmax", (), {"dim": 0}, ROWS),
    ("Softmax", (1,), {}, IMAGES),
    ("LogSoftmax", (-1,), {}, ROWS),
    ("LogSoftmax", (0,), {}, ROWS),
    ("Identity", (), {}, ROWS),
    ("Flatten", (), {}, IMAGES),
    ("Flatten", (0, -2), {}, IMAGES),
    ("MaxPool2d", (2,), {}, IMAGES),
    ("MaxPool2d", ((3, 2), (2, 1), (1, 0)), {}, IMAGES),
    ("MaxPool2d", (2,), {"ceil_mode": True}, IMAGES),
    ("MaxPool2d", (3, 2, 1), {"ceil_mode": True}, (2, 3, 6, 8)),
    ("MaxPool2d", ((3, 2), (2, 3), (1, 1)), {"dilation": (1, 2), "ceil_mode": True}, IMAGES),
    ("MaxPool2d", (2, 1), {"dilation": 2}, IMAGES),
    ("AvgPool2d", (3, 2, 1), {"count_include_pad": False}, IMAGES),
    ("AvgPool2d", (2, 2, 0, True), {}, IMAGES),
    ("AvgPool2d", (3, 2, 1), {"ceil_mode": True}, (2, 3, 6, 8)),
    ("AvgPool2d", (3, 2, 1, True, False), {}, (2, 3, 6, 8)),
    ("MaxPool1d", (2,), {}, SIGNALS),
    ("MaxPool1d", (3, 2, 1, 2), {"ceil_mode": True}, SIGNALS),
    ("AvgPool1d", ((3,), (2,), (1,)), {}, SIGNALS),
    ("AvgPool1d", (3, 2, 1), {"count_include_pad": False}, SIGNALS),
    ("AvgPool1d", (2, 2, 0, True), {}, SIGNALS),
    ("AdaptiveAvgPool1d", (1,), {}, SIGNALS),
    ("AdaptiveAvgPool1d", (4,), {}, SIGNALS),
    ("AdaptiveAvgPool2d", (1,), {}, IMAGES),
    ("AdaptiveAvgPool2d", ((2, 9),), {}, IMAGES),
    ("AdaptiveAvgPool2d", ((None, 2),), {}, IMAGES),
    ("AdaptiveAvgPool2d", ((1, None),), {}, IMAGES),
    ("AdaptiveAvgPool2d", ((None, None),), {}, IMAGES),
    ("Dropout", (0.0,), {}, ROWS),
    ("Dropout2d", (0.0,), {}, IMAGES),
]


def called(case):
    name, arguments, options, _ = case
    return f"{name}{arguments}{options or ''}"


def in_pytorch(torch, case):
    """Return our layer and PyTorch's of the same state, in float64."""
    name, arguments, options, _ = case
    ours = getattr(nn, name)(*arguments, **options).to(dtype="float64")
    theirs = getattr(torch.nn, name)(*arguments, **options).double()
    for value in theirs.state_dict().values():
        if value.dtype.is_floating_point:  # other than where either starts
            value.copy_(torch.tensor(RNG.uniform(0.5, 1.5, value.shape)))
    assert ours.load_state_dict(theirs.state_dict()) == ((), ())
    return ours, theirs


def assert_same_state(ours, theirs):
    mine, others = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(others)
    for key, value in others.items():
        assert str(mine[key].dtype) == str(value.dtype).removeprefix("torch.")
        np.testing.assert_allclose(mine[key], value, rtol=1e-10, err_msg=key)


@pytest.mark.parametrize("case", SAME_AS_PYTORCH, ids=called)
def test_layers_compute_what_pytorchs_do_in_training_and_evaluation(case):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    ours, theirs = in_pytorch(torch, case)
    for mode in ("train", "train", "eval"):
        getattr(ours, mode)(), getattr(theirs, mode)()
        ours.zero_grad(), theirs.zero_grad()
        values = RNG.standard_normal(case[-1])
        x, u = tg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)

        y, v = ours(x), theirs(u)
        cotangent = RNG.standard_normal(v.shape)
        (y * 1).backward(cotangent), v.backward(torch.tensor(cotangent))

        np.testing.assert_allclose(y.data, v.detach(), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(x.grad.data, u.grad, rtol=1e-7, atol=1e-9)
        assert_same_state(ours, theirs)
        for (name, p), (other, q) in zip(
            ours.named_parameters(), theirs.named_parameters(), strict=True
        ):
            assert name == other
            np.testing.assert_allclose(p.grad.data, q.grad, rtol=1e-7, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("case", SAME_AS_PYTORCH, ids=called)
def test_layers_start_with_the_spread_that_pytorchs_start_with(case):
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    name, arguments, options, _ = case
    torch.manual_seed(0)
    seed = {}
    if name in ("Linear", "Conv1d", "Conv2d"):  # enough numbers to judge a distribution by
        arguments, seed = (80, 60, *arguments[2:]), {"rng": 0}
    ours = getattr(nn, name)(*arguments, **options, **seed).state_dict()
    theirs = getattr(torch.nn, name)(*arguments, **options).state_dict()
    assert {k: (v.shape, v.dtype.name) for k, v in ours.items()} == {
        k: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in theirs.items()
    }
    for key, value in theirs.items():
        other = value.numpy()
        for measure in (np.mean, np.std, np.max, np.min):
            assert abs(measure(ours[key]) - measure(other)) <= 0.3 * abs(other).max(), key


def test_batch_norm_keeps_the_unbiased_variance_and_counts_batches():
    layer = nn.BatchNorm1d(1)
    layer(tg.tensor([[1.0], [3.0]]))  # mean 2, variance 1 biased, 2 unbiased
    layer(tg.tensor([[1.0], [3.0]]))
    state = layer.state_dict()
    assert state["running_mean"].item() == pytest.approx(0.1 * 2 * (1 + 0.9), rel=1e-6)
    assert state["running_var"].item() == pytest.approx(0.81 + 0.1 * 2 * (1 + 0.9), rel=1e-6)
    assert state["num_batches_tracked"] == 2
    assert state["num_batches_tracked"].dtype == np.int64

    layer.eval()(tg.tensor([[5.0]]))

    assert layer.num_batches_tracked.item() == 2


def test_batch_norm_by_momentum_none_averages_all_batches_alike():
    layer = nn.BatchNorm1d(1, momentum=None)
    for mean in (1.0, 2.0, 6.0):
        layer(tg.tensor([[mean - 1], [mean + 1]]))
    assert layer.running_mean.item() == pytest.approx(3.0)


def test_a_record_made_in_evaluation_stays_true_when_statistics_move_on():
    layer = nn.BatchNorm1d(1).eval()
    x = tg.tensor([[2.0]], requires_grad=True)
    y = layer(x)
    layer.train()(tg.tensor([[10.0], [30.0]]))
    y.backward([[1.0]])
    assert x.grad.item() == pytest.approx(1 / np.sqrt(1 + 1e-5), rel=1e-6)


def test_batch_norm_of_evaluation_is_one_wire_with_a_scale():
    """With running mean 1, variance 4 - eps, gamma 3, beta 5: (x - 1) / 2 * 3 + 5."""
    layer = nn.BatchNorm2d(1, eps=0.5).to(dtype="float64").eval()
    layer.load_state_dict({
        "weight": [3.0], "bias": [5.0], "running_mean": [1.0], "running_var": [3.5],
        "num_batches_tracked": 7,
    })  # fmt: skip
    x = tg.tensor(np.full((1, 1, 1, 1), 2.0), requires_grad=True)
    y = layer(x)
    y.backward(np.ones(y.shape))
    assert y.item() == pytest.approx(6.5)
    assert x.grad.item() == pytest.approx(1.5)
    assert tg.paths(y, x, cotangent=np.ones(y.shape)).count_by("scale") == {1: 1}


def test_an_embedding_picks_rows_and_trains_only_those():
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    ours = nn.Embedding(5, 3, padding_idx=-4, rng=0)
    theirs = torch.nn.Embedding(5, 3, padding_idx=-4)
    assert not ours.weight.data[1].any() and not theirs.weight[1].any()
    theirs.load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    chosen = np.array([[4, 1, 4], [0, 2, 1]])
    ours(chosen).backward(np.ones((2, 3, 3))), theirs(torch.tensor(chosen)).sum().backward()
    np.testing.assert_array_equal(ours(chosen).data, theirs(torch.tensor(chosen)).detach())
    np.testing.assert_array_equal(ours.weight.grad.data, theirs.weight.grad)


def test_an_embeddings_rows_are_pinned_without_pytorch():
    layer = nn.Embedding(3, 2, padding_idx=0)
    layer.weight.data = [[9.0, 9.0], [1.0, 2.0], [3.0, 4.0]]
    y = layer(np.array([2, 0, 2]))
    y.backward(np.ones((3, 2)))
    np.testing.assert_array_equal(y.data, [[3, 4], [9, 9], [3, 4]])
    np.testing.assert_array_equal(layer.weight.grad.data, [[0, 0], [0, 0], [2, 2]])


def test_a_padding_row_counted_from_the_end_starts_as_zeros_and_is_not_trained():
    layer = nn.Embedding(3, 2, padding_idx=-1, rng=0)
    layer([2, 1]).backward(np.ones((2, 2)))
    np.testing.assert_array_equal(layer.weight.data == 0, [[False] * 2, [False] * 2, [True] * 2])
    np.testing.assert_array_equal(layer.weight.grad.data, [[0, 0], [1, 1], [0, 0]])


def test_no_path_leads_through_an_embedding_but_to_its_weight():
    layer = nn.Embedding(3, 2)
    assert tg.paths(layer([1]).sum(), layer.weight).count_by("weight") == {0: 1}


def test_what_an_embedding_has_no_row_for_is_refused():
    with pytest.raises(ShapeError, match="Embedding: index -1: rows are counted from 0 to 2"):
        nn.Embedding(3, 2)([0, -1])
    with pytest.raises(ShapeError, match="Embedding: index 3: rows are counted from 0 to 2"):
        nn.Embedding(3, 2)([3])
    for wrong in ([0.5], [True], "a"):
        with pytest.raises(DtypeError, match=r"Embedding: indices of dtype .*: pass integers"):
            nn.Embedding(3, 2)(wrong)
    with pytest.raises(ShapeError, match="Embedding: lists of unequal lengths: pad them"):
        nn.Embedding(3, 2)([[0], [1, 2]])
    with pytest.raises(UsageError, match="Embedding: padding_idx=3: there are 3 rows"):
        nn.Embedding(3, 2, padding_idx=3)


# Dropout


def test_dropout_leaves_out_its_share_and_keeps_the_mean():
    x = np.ones((100, 1000), np.float32)
    y = nn.Dropout(0.3, rng=0)(tg.tensor(x)).numpy()
    left_out = (y == 0).mean()
    assert abs(left_out - 0.3) < 4 * np.sqrt(0.3 * 0.7 / y.size)
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7], rtol=1e-6)


def test_dropout_is_the_same_for_the_same_seed_and_new_in_every_batch():
    x = tg.tensor(np.ones((4, 50)))
    a, b, other = nn.Dropout(rng=3), nn.Dropout(rng=3), nn.Dropout(rng=4)
    first, second = a(x).numpy(), a(x).numpy()
    np.testing.assert_array_equal(first, b(x).numpy())
    np.testing.assert_array_equal(second, b(x).numpy())
    assert (first != second).any()
    assert (first != other(x).numpy()).any()


def test_dropout_of_evaluation_and_of_probability_0_and_1():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    assert nn.Dropout(0.9).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x
    np.testing.assert_array_equal(nn.Dropout(1.0)(x).data, [0, 0])
    for p in (-0.1, 1.1, "0.5", float("nan")):
        with pytest.raises(UsageError, match=r"Dropout: p=.*must be a probability"):
            nn.Dropout(p)


def test_dropout_gives_back_what_it_let_through():
    x = tg.tensor(np.ones(20), requires_grad=True)
    y = nn.Dropout(0.5, rng=1)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)
    assert y.dtype == np.float64


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_dropout_of_channels_leaves_out_each_whole_or_not_at_all(p):
    x = tg.tensor(np.ones((200, 50, 2, 3), np.float32), requires_grad=True)
    y = nn.Dropout2d(p, rng=0)(x)
    channels = y.data.reshape(10_000, 6)
    assert (channels == channels[:, :1]).all()
    assert abs((channels == 0).mean() - p) < 0.02
    np.testing.assert_allclose(np.unique(channels), [0, 1 / 0.7][: 1 + (p < 1)], rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)
    assert nn.Dropout2d(p).eval()(x) is x


# Initial values


@pytest.mark.parametrize(
    ("draw", "theirs", "variance", "bound"),
    [
        (nn.he_normal, "kaiming_normal_", 2 / 80, None),
        (nn.he_uniform, "kaiming_uniform_", 2 / 80, np.sqrt(6 / 80)),
        (nn.xavier_normal, "xavier_normal_", 2 / 680, None),
        (nn.xavier_uniform, "xavier_uniform_", 2 / 680, np.sqrt(6 / 680)),
    ],
)
def test_initial_weights_have_the_variance_of_the_paper_and_of_pytorch(
    draw, theirs, variance, bound
):
    shape = (150, 20, 2, 2)
    weights = draw(np.random.default_rng(0), shape)
    assert weights.dtype == np.float32
    assert weights.var() == pytest.approx(variance, rel=0.05)
    assert abs(weights.mean()) < 4 * np.sqrt(variance / weights.size)
    if bound:
        assert 0.99 * bound < abs(weights).max() <= bound
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    other = torch.empty(shape)
    options = {"nonlinearity": "relu"} if "kaiming" in theirs else {}
    getattr(torch.nn.init, theirs)(other, **options)
    assert weights.std() == pytest.approx(float(other.std()), rel=0.03)


def test_a_weight_without_fans_is_refused():
    with pytest.raises(UsageError, match=r"fans: a weight of shape \(3,\): expected \(out, in"):
        nn.he_normal(RNG, (3,))


def test_biases_start_within_the_root_of_one_over_the_fan_in():
    for layer, bound in ((nn.Linear(4, 400, rng=0), 1 / 2), (nn.Conv2d(2, 400, 2, rng=0), 8**-0.5)):
        assert 0.95 * bound < abs(layer.bias.data).max() <= bound


def test_filters_are_as_high_and_wide_as_said():
    assert nn.Conv2d(2, 4, (3, 5)).weight.shape == (4, 2, 3, 5)


def test_layers_are_drawn_again_from_the_same_seed():
    make = lambda rng: nn.Conv2d(3, 4, 3, rng=rng).state_dict()  # noqa: E731
    one, two, three = make(7), make(np.random.default_rng(7)), make(8)
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])
        assert (one[key] != three[key]).any()


# What does not fit


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(0, 3), "Linear: in_features=0: pass an int of at least 1"),
        (lambda: nn.Linear(3, 2.5), "Linear: out_features=2.5: pass an int"),
        (lambda: nn.Conv2d(4, 6, 3, groups=4), "Conv2d: groups=4: must divide in_channels=4 and"),
        (lambda: nn.Conv2d(4, 6, (3, 3, 3)), r"Conv2d: kernel_size=\(3, 3, 3\): pass an int"),
        (lambda: nn.Conv2d(4, 6, 0), "Conv2d: kernel_size=0: pass an int of at least 1"),
        (lambda: nn.Conv2d(4, 6, 2.5), "Conv2d: kernel_size=2.5: pass an int of at least 1"),
        (lambda: nn.Embedding(3, 2, 1.5), "Embedding: padding_idx=1.5: there are 3 rows"),
        (lambda: nn.Sequential(nn.ReLU(), tg.relu), "Sequential: part 1 is a .*: pass modules"),
        (lambda: nn.BatchNorm2d(0), "BatchNorm2d: num_features=0"),
        (lambda: nn.LayerNorm((3, 0)), "LayerNorm: normalized_shape=0"),
        (lambda: nn.AdaptiveAvgPool2d(0), "AdaptiveAvgPool2d: output_size=0"),
        (lambda: nn.AdaptiveAvgPool2d(None), "AdaptiveAvgPool2d: output_size=None: pass an int of"),
        (lambda: nn.AdaptiveAvgPool2d((None, 2, 2)), r"=\(None, 2, 2\): pass an int, or two in a"),
        (lambda: nn.Conv1d(4, 6, (3, 3)), r"Conv1d: kernel_size=\(3, 3\): pass an int, or one in"),
        (lambda: nn.MaxPool1d(2, padding=2), "MaxPool1d: padding=2: it goes from 0 to half"),
        (lambda: nn.Softmax(None), "Softmax: dim=None: pass an axis, such as -1"),
        (lambda: nn.Dropout2d(2), "Dropout2d: p=2: must be a probability"),
        (lambda: nn.Flatten(2)(np.ones((2, 3))), "Flatten: start_dim=2, end_dim=-1, input"),
    ],
)
def test_sizes_that_make_no_layer_are_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_inputs_of_another_shape_are_refused_by_the_layer():
    with pytest.raises(ShapeError, match=r"BatchNorm2d: input \(2, 3\): expected \(N, C, H, W\)"):
        nn.BatchNorm2d(3)(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"BatchNorm1d: input .* with C = 3 channels"):
        nn.BatchNorm1d(3).eval()(np.ones((2, 4)))
    with pytest.raises(ShapeError, match=r"AdaptiveAvgPool2d: input \(2, 3\): expected images"):
        nn.AdaptiveAvgPool2d(1)(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"linear: .* the last axis of the input is 4, not in = 3"):
        nn.Linear(3, 2)(np.ones((2, 4)))


@pytest.mark.parametrize("case", SAME_AS_PYTORCH, ids=called)
def test_layers_compute_on_a_device_what_they_compute_on_the_host(xp, case):
    name, arguments, options, shape = case
    made, values, found = getattr(nn, name)(*arguments, **options), RNG.standard_normal(shape), []
    for device, array in (("cpu", np.asarray), ("cuda", xp.asarray)):
        x = tg.tensor(array(values), requires_grad=True)
        layer = copy.deepcopy(made).to(device, np.float64)
        modes = [mode()(x) * 1 for mode in (layer.train, layer.eval)]
        for y in modes:
            y.backward(array(np.ones(y.shape)))
        found.append((*modes, x.grad))
    for here, there in zip(*found, strict=True):
        assert there.device == "cuda"
        oracles.check_close(there, here, rtol=1e-9, atol=1e-11)


def test_sizes_may_be_numpy_integers_and_inputs_lists_of_integers():
    assert nn.Conv2d(1, 1, np.int64(3)).weight.shape == (1, 1, 3, 3)
    assert nn.AdaptiveAvgPool2d(np.int64(2)).output_size == (2, 2)
    assert nn.Transition(1, 1)([[[[1, 2], [3, 4]]]]).shape == (1, 1, 1, 1)
    kept = nn.Dropout(0.5, rng=0)([1, 2, 3, 4])
    assert set(kept.data / [1, 2, 3, 4]) == {0.0, 2.0}


def test_a_part_of_a_sequence_is_a_sequence_of_the_same_modules():
    x = np.array([[-1.0, 2.0]])
    first, *others = parts = nn.ReLU(), nn.Tanh(), nn.SiLU()
    layers = nn.Sequential(*parts)
    assert layers[0] is first
    assert list(layers[1:]) == others
    np.testing.assert_array_equal(layers[:2](x).data, np.tanh(np.maximum(x, 0)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(1, 1, 3, padding="sam"), "Conv2d: padding='sam' .* use 'valid'"),
        (lambda: nn.Conv2d(1, 1, 3, 2, padding="same"), "padding='same' with stride 2: use"),
        (lambda: nn.Conv2d(1, 1, 3, padding=-1), "Conv2d: padding=-1: pass an int of at least 0"),
        (lambda: nn.Conv2d(1, 1, 3, padding=(1, 2, 3)), r"padding=\(1, 2, 3\): pass an int, or two"),
        (lambda: nn.Conv2d(1, 1, 3, stride=0), "Conv2d: stride=0: pass an int of at least 1"),
        (lambda: nn.Conv2d(1, 1, 3, dilation=1.5), "Conv2d: dilation=1.5: pass an int"),
        (lambda: nn.MaxPool2d(0), "MaxPool2d: kernel_size=0"),
        (lambda: nn.AvgPool2d(2, stride=0), "AvgPool2d: stride=0"),
        (lambda: nn.GroupNorm(2, 3), "GroupNorm: num_groups=2: must divide num_channels=3"),
        (lambda: nn.GroupNorm(0, 3), "GroupNorm: num_groups=0: pass an int of at least 1"),
        (lambda: nn.Linear(1, 1).train("no"), "train: mode='no': pass True or False"),
    ],
)  # fmt: skip
def test_arguments_that_fit_no_input_are_refused_when_a_layer_is_made(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_softmax_and_its_logarithm_along_an_axis_are_pinned_without_pytorch():
    x = np.log([[1.0, 2.0], [3.0, 2.0]])
    np.testing.assert_allclose(nn.Softmax(0)(x).data, [[1 / 4, 1 / 2], [3 / 4, 1 / 2]])
    np.testing.assert_allclose(nn.LogSoftmax(0)(x).data, np.log([[1 / 4, 1 / 2], [3 / 4, 1 / 2]]))


def test_a_layer_norm_without_bias_and_a_batch_of_one_value():
    assert nn.LayerNorm(2, bias=False).bias is None
    with pytest.raises(ShapeError, match="needs more than one value per channel to train"):
        nn.BatchNorm1d(2)(np.ones((1, 2)))


def test_group_norm_standardises_groups_of_channels():
    """Two groups of two channels: 1, 3 and 5, 5 standardise to -1, 1 and 0, 0."""
    layer = nn.GroupNorm(2, 4, eps=1e-12)
    layer.weight.data, layer.bias.data = [2.0, 3.0, 4.0, 5.0], [0.0, 1.0, 2.0, 3.0]
    x = np.array([[1.0, 3.0, 5.0, 5.0]])
    np.testing.assert_allclose(layer(x).data, [[-2.0, 4.0, 2.0, 3.0]], rtol=1e-6)
    assert list(nn.GroupNorm(1, 2, affine=False).state_dict()) == []
    with pytest.raises(ShapeError, match=r"GroupNorm: input \(1, 3\): .* C = 4 channels"):
        layer(x[:, :3])
