"""Geometry: shattered gradients, loss surfaces and singularities, against closed forms."""

import json
import math

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res.errors import UsageError
from tinygrad_res.experiments.gradient_noise import (
    NETS,
    Block,
    autocorrelation,
    brown_noise,
    kappa_0,
    kappa_1,
    stated_correlation,
    white_noise,
    wide_correlation,
)
from tinygrad_res.experiments.shattering import (
    LAGS,
    along_a_line,
    between_inputs,
    body,
    gradients,
    shattered_gradients,
)

# Shattered gradients


@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.0, 0.5, 0.95])
def test_kappas_are_the_moments_of_two_normals(rho):
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    a, z = np.meshgrid(nodes, nodes)
    mass = np.multiply.outer(weights, weights) / (2 * math.pi)
    b = rho * a + math.sqrt(1 - rho * rho) * z
    assert kappa_0(rho) == pytest.approx(2 * (mass * ((a > 0) & (b > 0))).sum(), abs=0.02)
    product = np.maximum(a, 0) * np.maximum(b, 0)
    assert kappa_1(rho) == pytest.approx(2 * (mass * product).sum(), abs=2e-3)


def test_wide_limit_is_the_papers_where_inputs_stay_uncorrelated():
    for depth in (1, 5, 20):
        normalised = wide_correlation(NETS["plain BN"], depth)
        assert normalised == pytest.approx(stated_correlation(NETS["plain"], depth), rel=1e-12)
        residual = wide_correlation(NETS["residual"], depth)
        stated = stated_correlation(NETS["residual"], depth)
        assert residual >= stated * (1 - 1e-12)
    assert wide_correlation(NETS["residual"], 1) == 0.75


def test_without_normalisation_correlations_fall_by_a_power_of_the_depth():
    at = [wide_correlation(NETS["plain"], depth) for depth in (1000, 2000)]
    assert math.log2(at[0] / at[1]) == pytest.approx(3, abs=0.05)


def test_branches_share_is_taken_off_by_the_normalisation_so_the_power_is_not_one_half():
    at = [wide_correlation(NETS["residual BN"], depth) for depth in (2000, 4000)]
    assert math.log2(at[0] / at[1]) == pytest.approx(0.5 / (1 - 1 / math.pi), abs=1e-3)


@pytest.mark.parametrize("net", NETS)
def test_networks_correlate_as_the_wide_limit_says(net):
    found = [between_inputs(net, 3, 150, 30, seed) for seed in range(6)]
    assert np.mean(found) == pytest.approx(wide_correlation(NETS[net], 3, 30), abs=0.03)


def test_a_network_of_one_normalised_branch_has_the_gradient_that_pytorch_gives():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    network = body(Block(True, True, 0.5), 2, 6, rng)
    x, readout = rng.standard_normal((9, 6)), rng.standard_normal(6)
    found = gradients(network, x, readout)
    theirs = h = torch.tensor(x, requires_grad=True)
    for block in network:
        mean, deviation = h.detach().mean(0), h.detach().std(0, correction=0)
        weight = torch.tensor(np.array(block.branch[2].weight.data))
        h = h + torch.relu((h - mean) / deviation) @ weight.T
    (h @ torch.tensor(readout)).sum().backward()
    np.testing.assert_allclose(found, theirs.grad.numpy(), rtol=1e-10)


def test_derivative_along_a_line_is_the_difference_quotient():
    points = 4001
    slopes = along_a_line("plain", 2, 8, points, seed=1)
    middle = np.cumsum(slopes) * 4 / (points - 1)  # its integral; the network is made again below
    rng = np.random.default_rng(1)
    stem = tg.nn.Linear(1, 8, rng=rng, draw=lambda r, s: r.standard_normal(s).astype(np.float32))
    b = rng.standard_normal(8).astype(np.float32)
    layers = [
        m.weight.data for m in body(NETS["plain"], 2, 8, rng).modules() if hasattr(m, "weight")
    ]
    readout = rng.standard_normal(8) / math.sqrt(8)
    h = np.linspace(-2, 2, points)[:, None] * stem.weight.data[:, 0] + b
    for weight in layers:
        h = np.maximum(h, 0) @ weight.astype(float).T
    values = h @ readout
    np.testing.assert_allclose(middle - middle[0], values - values[0], atol=0.02)


def test_autocorrelation_of_noise_is_what_samples_of_it_have():
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((4000, 40))
    for sample, known in ((steps, white_noise(40)), (steps.cumsum(axis=1), brown_noise(40))):
        centred = sample - sample.mean(axis=1, keepdims=True)
        total = (centred**2).sum()
        measured = [(centred[:, : 40 - k] * centred[:, k:]).sum() / total for k in range(6)]
        np.testing.assert_allclose(measured, autocorrelation(known, 5), atol=0.02)
    assert autocorrelation(white_noise(40), 1)[1] == pytest.approx(-1 / 40)


@pytest.fixture(scope="module")
def shattered():
    return shattered_gradients(width=40, points=64, inputs=12, depths=(1, 6), runs=3)


def test_a_deep_plain_network_is_white_and_shortcuts_are_between(shattered):
    at_one = {name: found[1] for name, found in shattered.autocorrelations().items()}
    assert abs(at_one["plain BN, 24 layers"] - at_one["white noise"]) < 0.2
    assert at_one["plain, 1 layer"] > 0.8
    assert (
        at_one["white noise"] + 0.2 < at_one["residual BN 0.1, 50 layers"] < at_one["brown noise"]
    )


def test_shattered_gradients_are_told_drawn_and_kept(shattered, tmp_path):
    table = shattered.table()
    assert "residual BN 0.1" in table and "white noise" in table
    values = json.loads(shattered.save(tmp_path / "a.json").read_text())
    assert values["correlations"]["plain"]["6"] == shattered.correlations["plain"][6]
    noise, decay = shattered.plot().panels
    assert len(noise.series[0].x) == LAGS + 1
    assert decay.series[0].x == (1, 6) and decay.log


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": 15}, "points=15: must be more than 15"),
        ({"width": 8, "inputs": 9}, "inputs=9: must be from 3 to the width, 8"),
        ({"depths": ()}, r"depths=\(\): pass several"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_shattered_gradients_refuse_what_they_cannot_measure(arguments, message):
    with pytest.raises(UsageError, match=f"shattered_gradients: {message}"):
        shattered_gradients(**arguments)
