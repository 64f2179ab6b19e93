"""Residual blocks in all their forms, and how their branches start."""

import numpy as np
import oracles
import pytest

import tinygrad_res as tg
from tinygrad_res import nets, nn
from tinygrad_res.errors import ShapeError, UsageError

RNG = np.random.default_rng(8)


def images(channels=4, size=5):
    return tg.tensor(RNG.standard_normal((2, channels, size, size)), requires_grad=True)


def branch(rng=0):
    return nn.Conv2d(4, 4, 3, padding=1, rng=rng).to(dtype="float64")


def weight_free(y, x):
    return tg.paths(y.sum(), x).weight_free().gradient()


def test_a_block_adds_its_branch_to_its_shortcut_and_then_activates():
    x, f = images(), branch()
    block = nn.Residual(f, nn.Scale(3.0), nn.ReLU())
    np.testing.assert_allclose(block(x).data, np.maximum(3 * x.data + f(x).data, 0))


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.25])
def test_the_path_of_n_scaled_shortcuts_carries_lambda_to_the_n(scale):
    """He et al. 2016, equation 8: the weight-free term of the gradient is lambda^n."""
    x = h = images()
    for k in range(7):
        h = nn.Residual(branch(k), nn.Scale(scale), nn.Identity())(h)
    np.testing.assert_allclose(weight_free(h, x), scale**7, rtol=1e-12)


def test_exclusive_gating_shares_out_between_branch_and_shortcut():
    x, f = images(), branch()
    gate = nn.Gate(4, bias=0.3, rng=1).to(dtype="float64")
    g = 1 / (1 + np.exp(-tg.conv2d(x, gate[0].weight, gate[0].bias).data))
    y = nn.Residual(f, gate=gate)(x)
    np.testing.assert_allclose(y.data, g * f(x).data + (1 - g) * x.data, rtol=1e-10)
    np.testing.assert_allclose(weight_free(y, x), 1 - g, rtol=1e-10)


def test_shortcut_only_gating_leaves_the_branch_alone():
    x, f = images(), branch()
    gate = nn.Gate(4, bias=-0.2, rng=1).to(dtype="float64")
    y = nn.Residual(f, nn.GatedShortcut(gate))(x)
    np.testing.assert_allclose(y.data, f(x).data + (1 - gate(x).data) * x.data, rtol=1e-10)
    np.testing.assert_allclose(weight_free(y, x), 1 - gate(x).data, rtol=1e-10)


def test_a_gate_starts_nearly_closed_and_a_1x1_shortcut_has_no_weight_free_path():
    assert nn.Gate(4)(images().data.astype("f4")).data.max() < 0.05
    x = images()
    y = nn.Residual(branch(), nn.Conv2d(4, 4, 1).to(dtype="float64"))(x)
    assert tg.paths(y.sum(), x).count_by("weight") == {1: 2}


def test_a_dropout_shortcut_drops_paths_in_training_alone():
    x = images()
    block = nn.Residual(branch(), nn.Dropout(0.5, rng=0))
    assert set(np.unique(weight_free(block(x), x))) == {0.0, 2.0}
    np.testing.assert_array_equal(weight_free(block.eval()(x), x), 1)


def test_a_learned_scale_is_trained_and_counts_as_scale_not_as_weight():
    x = tg.tensor(RNG.standard_normal((3, 2)), requires_grad=True)
    zero = nn.Scale(0.0, trainable=True)
    block = nn.Residual(nn.Sequential(nn.Linear(2, 2).to(dtype="float64"), zero))
    y = block(x)
    np.testing.assert_array_equal(y.data, x.data)
    p = tg.paths(y.sum(), x)
    assert (p.count_by("weight"), p.count_by("scale")) == ({0: 1, 1: 1}, {0: 1, 1: 1})
    y.sum().backward()
    assert zero.weight.grad.item() == pytest.approx(block.branch[0](x).data.sum())
    by_channel = nn.Scale(np.array([2.0, 3.0]))
    np.testing.assert_allclose(by_channel(x).data, x.data * [2, 3])
    assert dict(nn.Scale(0.5).state_dict()) == {}


def test_gates_and_scales_compute_on_a_device_what_they_compute_on_the_host(xp):
    block = nn.Sequential(
        nn.Residual(nn.Conv2d(4, 4, 3, padding=1), gate=nn.Gate(4)),
        nn.Residual(nn.Conv2d(4, 4, 1), nn.GatedShortcut(nn.Gate(4), nn.Scale(np.full(5, 0.5)))),
    )
    oracles.check_on_device(xp, block, RNG.standard_normal((2, 4, 5, 5)), 1e-9, 1e-11)


# How branches start


def test_zero_branches_make_a_network_its_shortcuts():
    network = nn.Sequential(
        nn.Residual(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))),
        nn.Residual(nn.Conv2d(4, 4, 1, bias=False)),
    )
    nn.scale_branches(network, "zero")
    x = images().data.astype("f4")
    np.testing.assert_array_equal(network(x).data, x)
    assert network[0].branch[0].weight.data.any()  # gamma is the last weight, not this one


def test_branches_are_scaled_by_their_number_and_place():
    def weights(how):
        network = nn.Sequential(*(nn.Residual(nn.Linear(1, 1)) for _ in range(4)))
        for block in network:
            block.branch.weight.data = [[1.0]]
        nn.scale_branches(network, how)
        return [block.branch.weight.item() for block in network]

    assert weights("he") == [1, 1, 1, 1]
    assert weights("scaled") == [0.5, 0.5, 0.5, 0.5]
    assert weights("normalised") == pytest.approx([1, 2**-0.5, 3**-0.5, 0.5])
    assert weights(0.3) == pytest.approx([0.3] * 4)


def test_a_branch_with_a_normalisation_is_normalised_already():
    block = nn.Residual(nn.Sequential(nn.LayerNorm(2), nn.Linear(2, 2)))
    network = nn.Sequential(nn.Residual(nn.Linear(2, 2)), block)
    before = block.branch[1].weight.numpy()
    nn.scale_branches(network, "normalised")
    np.testing.assert_array_equal(block.branch[1].weight.data, before)


def test_normalised_branches_are_crossed_a_harmonic_number_of_times():
    """1/2 + ... + 1/(n + 1) branches on average under squared gradient mass; 2.02 of 10."""
    blocks, means = 10, []
    for seed in range(6):
        network = nets.residual_mlp(
            blocks, width=128, rng=seed, preactivation=True, branches="normalised"
        ).to(dtype="float64")
        rng = np.random.default_rng(seed)
        x = tg.tensor(rng.standard_normal((4, 128)), requires_grad=True)
        y = network.body(x)
        parts = tg.paths(y, x, cotangent=rng.standard_normal(y.shape)).gradient_by("block")
        mass = {k: np.square(g).sum() for k, g in parts.items()}
        means.append(sum(k * m for k, m in mass.items()) / sum(mass.values()))
    harmonic = sum(1 / (k + 1) for k in range(1, blocks + 1))
    assert harmonic == pytest.approx(2.019877, abs=1e-6)
    assert np.mean(means) == pytest.approx(harmonic, rel=0.06)


def test_what_has_no_branch_to_scale_is_refused():
    with pytest.raises(UsageError, match="scale_branches: 'small': use he, zero, scaled, normalis"):
        nn.scale_branches(nn.Residual(nn.Linear(1, 1)), "small")
    with pytest.raises(UsageError, match="Linear has no residual branch"):
        nn.scale_branches(nn.Linear(1, 1), "zero")
    with pytest.raises(UsageError, match="a residual branch without a weight"):
        nn.scale_branches(nn.Residual(nn.ReLU()), "zero")


def test_a_shortcut_of_another_shape_is_refused_and_not_broadcast():
    with pytest.raises(ShapeError, match=r"Residual: the shortcut gives \(2, 4\) and .* \(2, 1\)"):
        nn.Residual(nn.Linear(4, 1))(np.ones((2, 4)))


def test_branches_are_scaled_at_their_last_layer_that_has_a_weight():
    parts = nn.Linear(2, 2, rng=0), nn.BatchNorm1d(2, affine=False), nn.Scale(0.5)
    before = parts[0].weight.data
    nn.scale_branches(nn.Residual(nn.Sequential(*parts)), 0.25)
    np.testing.assert_array_equal(parts[0].weight.data, before / 4)


def test_a_learned_scale_has_its_weight_as_its_only_state():
    assert list(nn.Scale(np.ones(3), trainable=True).state_dict()) == ["weight"]
    assert list(nn.Scale(np.ones(3)).state_dict()) == ["factor"]


def test_the_new_channels_of_a_padded_shortcut_stand_where_they_are_said_to():
    x = RNG.standard_normal((2, 3, 5, 4)).astype(np.float32)
    for before in (0, 1, 3, None):
        y = nn.PadShortcut(2, 3, before)(tg.tensor(x)).data
        front = 1 if before is None else before
        np.testing.assert_array_equal(y[:, front : front + 3], x[:, :, ::2, ::2])
        assert y.shape == (2, 6, 3, 2) and np.count_nonzero(y) == y.size // 2
    np.testing.assert_array_equal(nn.PadShortcut(1, 0)(x).data, x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "stride=0: pass an int of at least 1"),
        ((1.5, 2), "stride=1.5: pass an int"),
        ((2, -1), "extra_channels=-1: pass an int of at least 0"),
        ((2, 2, 3), "before=3: there are 2 extra channels"),
        ((2, 2, -1), "before=-1: pass an int of at least 0"),
    ],
)
def test_a_padded_shortcut_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(UsageError, match=f"PadShortcut: {message}"):
        nn.PadShortcut(*arguments)
    with pytest.raises(ShapeError, match=r"PadShortcut: input \(2, 3\): expected images"):
        nn.PadShortcut(2, 2)(np.ones((2, 3)))
