"""Geometry: shattered gradients, loss surfaces and singularities, against closed forms."""

import dataclasses
import json
import math
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import standin

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, ShapeError, UsageError
from tinygrad_res.experiments import singularity_study, surface_study
from tinygrad_res.experiments.curvature import extreme_eigenvalues, hessian, hessian_product
from tinygrad_res.experiments.degeneracy import POINTS, degenerate
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
from tinygrad_res.experiments.loss_planes import (
    filter_direction,
    loss_surface,
    moved,
    non_convexity,
    plane_curvatures,
    roughness,
)
from tinygrad_res.experiments.shattering import (
    LAGS,
    along_a_line,
    between_inputs,
    body,
    gradients,
    shattered_gradients,
)
from tinygrad_res.experiments.singularity_study import (
    effective_rank,
    jacobian_spectrum,
    linear_singular_values,
    pooled_digits,
    singularities,
)
from tinygrad_res.experiments.surface_study import LossSurfaces, loss_surfaces
from viz.plots.surface import plot_surface

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


def test_stated_correlation_of_small_normalised_branches_falls_with_the_square_of_beta():
    assert stated_correlation(NETS["residual BN 0.1"], 300) == pytest.approx(1 / 2)
    assert stated_correlation(NETS["residual BN"], 3) == pytest.approx(1 / 2)


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


def test_gradients_are_said_to_shatter_where_they_are_less_alike_without_shortcuts(shattered):
    assert shattered.plot().title == "Gradients shatter with depth, less so with shortcuts"
    other = {"plain": "residual", "residual": "plain"}
    swapped = {other.get(net, net): found for net, found in shattered.correlations.items()}
    found = dataclasses.replace(shattered, correlations=swapped)
    assert found.plot().title.startswith("How alike gradients are by depth")
    assert "in short, for the claim in part" in " ".join(found.table().split())


def test_a_random_walk_covaries_as_far_as_it_went_together():
    assert brown_noise(3).tolist() == [[1, 1, 1], [1, 2, 2], [1, 2, 3]]


def test_a_deep_plain_network_is_white_and_shortcuts_are_between(shattered):
    at_one = {name: found[1] for name, found in shattered.autocorrelations().items()}
    assert abs(at_one["plain BN, 24"] - at_one["white noise"]) < 0.2
    assert at_one["plain, 1"] > 0.8
    assert at_one["white noise"] + 0.2 < at_one["residual BN 0.1, 50"] < at_one["brown noise"]


def test_shattered_gradients_are_told_drawn_and_kept(shattered, tmp_path):
    table = shattered.table()
    assert "residual BN 0.1" in table and "white noise" in table
    values = json.loads(shattered.save(tmp_path / "a.json").read_text())
    assert values["correlations"]["plain"]["6"] == shattered.correlations["plain"][6]
    noise, decay = shattered.plot().panels
    assert len(noise.series[0].x) == LAGS + 1
    assert decay.series[0].x == (1, 6) and decay.log
    nets = [one.name for one in decay.series]
    lines = {one.name: k for k, one in enumerate(noise.series)}
    assert set(lines) == set(shattered.autocorrelations())
    deep = ["plain, 24", "plain BN, 24", "residual BN, 50", "residual BN 0.1, 50"]
    for line in deep:  # has the colour of its network in the other panel
        assert nets[lines[line]] == line.split(",")[0]
        assert noise.series[lines[line]].y == tuple(shattered.autocorrelations()[line])


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


# Singularities


def small_network(seed=0, blocks=2):
    network = tg.nets.residual_mlp(blocks, 3, 2, 4, seed, activation=tg.nn.Tanh)
    network.to(dtype="float64")
    x = np.random.default_rng(seed).standard_normal((7, 3))
    return network, tg.cross_entropy(network(tg.tensor(x)), np.arange(7) % 2), x


def test_hessian_is_that_of_the_function_of_all_parameters():
    network, loss, _ = small_network()
    found = hessian(network, loss)
    step = 1e-5
    columns = []
    parameters = network.parameters()
    for p in parameters:
        start = p.data.copy()
        for i in range(p.size):
            slopes = []
            for sign in (1, -1):
                moved = start.copy().ravel()
                moved[i] += sign * step
                p.data = moved.reshape(start.shape)
                network.zero_grad()
                small_loss(network).backward()
                slopes.append(np.concatenate([q.grad.numpy().ravel() for q in parameters]))
            columns.append((slopes[0] - slopes[1]) / (2 * step))
        p.data = start
    np.testing.assert_allclose(found, columns, atol=1e-7)
    np.testing.assert_allclose(found, found.T, atol=1e-12)


def small_loss(network):
    x = np.random.default_rng(0).standard_normal((7, 3))
    return tg.cross_entropy(network(tg.tensor(x)), np.arange(7) % 2)


def test_hessian_leaves_no_gradient_behind():
    network, loss, _ = small_network()
    hessian_product(network, loss)(np.ones(network.size()))
    assert all(p.grad is None for p in network.parameters())


def test_a_loss_that_is_linear_in_the_parameters_does_not_curve():
    network = tg.nn.Linear(2, 1)
    assert not hessian(network, network(np.ones((3, 2))).sum()).any()


def test_a_parameter_that_the_loss_does_not_depend_on_is_refused():
    network, _, x = small_network()
    loss = (network.stem(tg.tensor(x)) ** 2).sum()
    with pytest.raises(GradientError, match="every parameter"):
        hessian_product(network, loss)


def test_extreme_eigenvalues_are_those_of_the_whole_hessian():
    network, loss, _ = small_network(seed=3)
    values = np.linalg.eigvalsh(hessian(network, loss))
    assert extreme_eigenvalues(network, loss) == pytest.approx((values[0], values[-1]), rel=1e-2)


@pytest.mark.parametrize("units", [3, 4])
@pytest.mark.parametrize("point", POINTS)
def test_a_singularity_frees_a_weight_per_unit_and_none_with_shortcuts(point, units):
    plain, residual = (degenerate(point, shortcut, units, seed=5) for shortcut in (False, True))
    assert plain["null"] == (0 if point == "regular point" else units)
    assert residual["null"] == 0
    assert plain["gradient"] < 1e-9
    if point != "regular point":
        assert residual["gradient"] > 1e-3


def test_effective_rank_is_between_one_and_the_number_of_directions():
    assert effective_rank(np.array([1.0, 1.0, 1.0])) == 3
    assert effective_rank(np.array([3.0, 0.0])) == 1
    shares = np.array([0.75, 0.25])
    assert effective_rank(shares) == pytest.approx(math.exp(-(shares * np.log(shares)).sum()))


def test_linear_products_stretch_with_each_layer_as_newman_says():
    width, seeds = 4, 100  # no deeper, or the smallest singular value drowns in rounding errors
    shallow, deep = (
        np.mean([np.log(jacobian_spectrum("plain, linear", n, width, s)) for s in range(seeds)], 0)
        for n in (8, 20)
    )
    known = np.log(linear_singular_values(width, 12))
    np.testing.assert_allclose((deep - shallow)[1:], known[1:], rtol=0.15)


def test_shortcuts_keep_the_directions_that_a_plain_stack_loses():
    plain, residual = (
        effective_rank(np.array(jacobian_spectrum(stack, 32, 16, 0)))
        for stack in ("plain", "residual")
    )
    assert plain < 3
    assert residual > 10


def test_one_layer_of_either_kind_has_the_singular_values_of_its_matrix():
    found = jacobian_spectrum("plain, linear", 1, 6, seed=2)
    matrix = tg.nn.he_normal(np.random.default_rng(2), (6, 6)).astype(float)
    values = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(found, values / values[0], rtol=1e-10)


SMALL = {"width": 8, "depths": (1, 8), "blocks": 1, "steps": 3, "runs": 1}


@pytest.fixture(scope="module")
def degeneracies():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(singularity_study, "NARROW", 4)
        yield singularities(**SMALL)


def test_directions_are_said_to_be_kept_where_shortcuts_keep_them(degeneracies):
    assert degeneracies.plot().title.startswith("Shortcuts keep") == (
        "in short, for the claim:" in degeneracies.table()
    )
    other = {"plain": "residual", "residual": "plain"}
    swapped = {other.get(net, net): found for net, found in degeneracies.jacobians.items()}
    found = dataclasses.replace(degeneracies, jacobians=swapped)
    assert found.plot().title == "What shortcuts leave of a network's directions"


def test_singularities_are_told_drawn_and_kept(degeneracies, tmp_path):
    table = degeneracies.table()
    assert "overlap" in table and "Newman" in table
    values = json.loads(degeneracies.save(tmp_path / "a.json").read_text())
    assert values["points"]["overlap"]["plain"][0]["null"] == 4
    assert len(values["hessians"]["plain"][0]["after"]) == 16 * 4 + 4 + 2 * 20 + 50
    jacobian, spectrum = degeneracies.plot().panels
    assert {one.name for one in jacobian.series} == set(degeneracies.jacobians)
    assert spectrum.series[0].x[-1] == pytest.approx(100)
    assert [one.name for one in jacobian.series][:2] == ["plain", "residual"]  # in these colours
    assert [one.name for one in spectrum.series][:2] == ["plain, after", "residual, after"]


def test_singularities_do_not_depend_on_the_executor(degeneracies):
    with ThreadPoolExecutor(2) as threads:
        assert singularities(**SMALL, executor=threads) == degeneracies


def test_pooled_digits_are_means_of_four_pixels():
    digits, pooled = tg.data.load("digits", 1), pooled_digits(1)
    mean = digits.train_x[5, 0, 2:4, 6:8].mean() / np.std(
        digits.train_x.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4))
    )
    assert pooled.train_x[5, 0, 1, 3] == pytest.approx(mean, rel=1e-5)
    assert pooled.shape == (1, 4, 4)


# Loss surfaces


def test_a_direction_has_the_norm_of_each_filter_and_leaves_the_rest_alone():
    network = tg.nets.resnet(8, 1, 10, 0)
    direction = filter_direction(network, np.random.default_rng(1))
    for p, part in zip(network.parameters(), direction, strict=True):
        assert part.shape == p.shape and part.dtype == p.dtype
        if p.ndim < 2:
            assert not part.any()
            continue
        for own, drawn in zip(p.numpy(), part, strict=True):
            assert np.linalg.norm(drawn) == pytest.approx(np.linalg.norm(own), rel=1e-5)
            assert abs(own.ravel() @ drawn.ravel()) < 0.99 * np.linalg.norm(own) ** 2


def test_a_filter_of_zeros_does_not_move():
    layer = tg.nn.Linear(3, 2, bias=False)
    layer.weight.data = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], np.float32)
    (direction,) = filter_direction(layer, np.random.default_rng(0))
    assert not direction[0].any() and direction[1].any()


def test_a_network_that_was_moved_comes_back_even_after_an_error():
    network = tg.nn.Linear(2, 1)
    start = [p.numpy().copy() for p in network.parameters()]
    step = [np.ones(p.shape, np.float32) for p in network.parameters()]
    with moved(network, (2.0, step)):
        assert network.weight.numpy() == pytest.approx(start[0] + 2)
    with pytest.raises(ShapeError), moved(network, (2.0, step)):
        network(np.ones((1, 3)))
    for p, before in zip(network.parameters(), start, strict=True):
        assert (p.numpy() == before).all()


def test_the_surface_of_a_linear_model_is_computed_by_hand():
    rng = np.random.default_rng(0)
    x, y, at = rng.standard_normal((6, 3)), np.arange(6) % 2, np.array([-1.0, 0.0, 1.0])
    network = tg.nn.Linear(3, 2, bias=False).to(dtype="float64")
    first, second = (filter_direction(network, rng) for _ in range(2))
    found = loss_surface(network, x, y, first, second, at)
    for i, b in enumerate(at):
        for j, a in enumerate(at):
            logits = x @ (network.weight.numpy() + a * first[0] + b * second[0]).T
            losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(6), y]
            assert found[i, j] == pytest.approx(losses.mean(), rel=1e-12)


def test_a_loss_beyond_floats_is_infinite_and_left_out_of_smoothness():
    network = tg.nn.Sequential(tg.nn.Linear(2, 2, bias=False), tg.nn.Linear(2, 2, bias=False))
    huge = [np.full(p.shape, 1e30, np.float32) for p in network.parameters()]
    none = [np.zeros(p.shape, np.float32) for p in network.parameters()]
    x, y = np.ones((2, 2), np.float32), np.array([0, 1])
    found = loss_surface(network, x, y, huge, none, np.array([0.0, 1.0]))
    assert np.isinf(found[:, 1]).all() and np.isfinite(found[:, 0]).all()
    bowl = np.add.outer(np.arange(-3, 4.0) ** 2, np.arange(-3, 4.0) ** 2)
    holed = np.where(bowl > 12, np.inf, bowl + 1)
    assert non_convexity(holed, 1.0) == (0, 0)
    a, b = np.meshgrid(np.arange(5.0), np.arange(5.0))
    lopsided = np.exp(a * a - a * b + b)
    lopsided[0, :2] = np.inf
    assert roughness(lopsided) == pytest.approx(0, abs=1e-9)


def test_a_direction_of_another_network_is_refused():
    network, other = tg.nn.Linear(2, 2), tg.nn.Linear(3, 2)
    own, theirs = (filter_direction(n, np.random.default_rng(0)) for n in (network, other))
    with pytest.raises(UsageError, match="loss_surface: second"):
        loss_surface(network, np.ones((1, 2)), np.array([0]), own, theirs, np.array([0.0]))


def test_curvatures_of_a_quadratic_are_the_eigenvalues_of_its_matrix():
    matrix = np.array([[3.0, 1.0], [1.0, -2.0]])
    at = np.linspace(-1, 1, 9)
    a, b = np.meshgrid(at, at)
    surface = 50 + (matrix[0, 0] * a * a + 2 * matrix[0, 1] * a * b + matrix[1, 1] * b * b) / 2
    found = plane_curvatures(surface, 0.25)
    assert found.shape == (7, 7, 2)
    np.testing.assert_allclose(found, np.broadcast_to(np.linalg.eigvalsh(matrix), (7, 7, 2)))


def test_waves_are_rough_and_not_convex_where_they_curve_down():
    at = np.linspace(-1, 1, 401)
    wave = np.exp(np.sin(4 * np.pi * at) + np.zeros((401, 1)))
    share, _ = non_convexity(wave, 0.005)  # it curves down where sin^2 + sin > 1
    golden = (math.sqrt(5) - 1) / 2
    assert share == pytest.approx(0.5 - math.asin(golden) / math.pi, abs=0.01)
    assert roughness(wave) > 0.9
    assert non_convexity(np.exp(at**2 + at[:, None] ** 2), 0.005) == (0, 0)


def test_rounding_errors_of_a_flat_loss_are_no_curvature():
    noise = 1 + 1e-7 * np.random.default_rng(0).standard_normal((9, 9))
    assert non_convexity(noise, 0.1) == (0, 0)


@pytest.fixture(scope="module")
def landscapes():
    return loss_surfaces(depths=(8,), steps=2, points=3, images=4, runs=1)


def test_loss_surfaces_are_told_drawn_and_kept(landscapes, tmp_path):
    assert "roughness" in landscapes.table() and "figure 5" in landscapes.table()
    for shortcut in ("identity", "none"):
        (cell,), (surface,) = landscapes.of(8, shortcut), landscapes.surfaces(8, shortcut)
        assert surface[1, 1] == pytest.approx(cell["loss"], rel=1e-5)
        assert cell["smallest"] < cell["largest"]
    values = json.loads(landscapes.save(tmp_path / "a.json").read_text())
    assert values["cells"] == landscapes.cells
    assert set(landscapes.plot().surfaces) == {"residual, 8 layers", "plain, 8 layers"}


def test_surfaces_are_those_of_networks_in_evaluation(monkeypatch):
    def surface(network, x, y, first, second, places):
        assert not any(module.training for module in network.modules())
        assert (x == images.train_x[:4]).all() and (y == images.train_y[:4]).all()
        raise ZeroDivisionError  # the surface is not what is asked for

    images = tg.data.load("digits", 3)
    monkeypatch.setattr(surface_study, "loss_surface", surface)
    with pytest.raises(ZeroDivisionError):
        surface_study.surface_around(8, "none", steps=2, points=3, images=4, seed=3)


def test_errors_of_the_source_are_those_of_its_figure_5():
    known = {20: (7.37, 8.18), 56: (5.89, 13.31), 110: (5.79, 16.44)}
    shortcuts = ("identity", "none")
    told = {
        (s, depth): e for depth, pair in known.items() for s, e in zip(shortcuts, pair, strict=True)
    }
    assert told == surface_study.CIFAR


def test_the_table_says_where_planes_curve_down_with_shortcuts_and_without():
    at = np.linspace(-1, 1, 9)
    bowl = 1 + np.add.outer(at**2, at**2)
    runs = {"none": [bowl, 9 - bowl, 9 - bowl], "identity": [bowl, bowl, 9 - bowl]}
    found = {"smallest": -1.0, "largest": 4.0, "loss": 1.0, "train": 0.0, "test": 0.0}
    cells = [
        {"depth": 20, "shortcut": shortcut, "seed": seed, "surface": surface.tolist(), **found}
        for shortcut, surfaces in runs.items()
        for seed, surface in enumerate(surfaces)
    ]
    table = LossSurfaces((20,), 600, 9, 64, (0, 1, 2), False, cells).table()
    assert "20 layers: not convex at 100 % of the points without shortcuts, at 0 % with" in table
    row = next(line for line in table.splitlines() if line.startswith("plain") and "0.25" in line)
    assert row.split()[:5] == ["plain", "20", "100", "(0", "to"]
    assert "in short, for the claim: the loss around a network without shortcuts" in table
    other = {"none": "identity", "identity": "none"}
    swapped = [{**cell, "shortcut": other[cell["shortcut"]]} for cell in cells]
    table = LossSurfaces((20,), 600, 9, 64, (0, 1, 2), False, swapped).table()
    assert "in short, against the claim" in table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depths": (9,)}, "depth 9 is not 6n"),
        ({"depths": (8, 14, 20, 32, 44)}, "at most 4"),
        ({"points": 4}, "points=4: pass an odd"),
        ({"points": 1}, "points=1: pass an odd"),
        ({"steps": 1}, "steps=1: train for at least 2"),
        ({"images": 5000}, "images=5000: there are 1348"),
    ],
)
def test_loss_surfaces_refuse_what_they_cannot_compute(arguments, message):
    with pytest.raises(UsageError, match=f"loss_surfaces: .*{message}"):
        loss_surfaces(**arguments)


BOWL = 0.1 + np.add.outer(np.linspace(-1, 1, 5) ** 2, np.linspace(-1, 1, 5) ** 2)


def test_contours_stand_at_round_levels_the_same_in_all_panels(tmp_path):
    plot = plot_surface(
        {"low": BOWL, "high": 100 * BOWL}, at=np.linspace(-1, 1, 5), measure="loss", title="Two"
    )
    assert plot.levels == (0.5, 1, 2, 50, 100, 200)
    assert plot.series["high"].y == pytest.approx(tuple(100 * BOWL[2]))
    assert "low: least 0.100 at (0, 0), most 2.10" in plot.description
    root = ET.fromstring(plot.svg)
    said = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Two", "low", "high", "first direction", "second direction"} <= set(said)
    assert "prefers-color-scheme:dark" in plot.svg and plot.svg == plot_again(plot).svg
    for style in ("light", "dark", "print"):
        assert plot.save(tmp_path / f"{style}.png", style).stat().st_size > 1000


def plot_again(plot):
    return plot_surface(plot.surfaces, at=plot.at, measure="loss", title=plot.title)


def test_hostile_names_and_missing_numbers_can_be_drawn():
    holed = BOWL.copy()
    holed[0, 0] = np.inf
    plot = plot_surface({"<script>&\x00": holed, "x" * 90: BOWL}, at=np.linspace(-1, 1, 5))
    assert "<script>" not in plot.svg
    ET.fromstring(plot.svg)
    flat = plot_surface({"flat": np.ones((3, 3))}, at=[-1, 0, 1])
    assert flat.levels == (1, 2) and ET.fromstring(flat.svg) is not None


def test_levels_lie_where_the_numbers_are():
    wide = np.logspace(-30, 30, 25).reshape(5, 5)
    levels = plot_surface({"wide": wide}, at=range(5)).levels
    assert len(levels) <= 14 and levels[0] < 1e-20 and levels[-1] > 1e20
    low = plot_surface({"low": BOWL, "far": np.where(BOWL > 1.5, 1e9, BOWL)}, at=range(5)).levels
    assert sum(level < 3 for level in low) == 3
    for level in (*levels, *low):
        assert f"{level:.0e}"[0] in "125" and level == float(f"{level:.0e}")
    assert "5\u2009·\u200910¹⁰" in plot_surface({"a": 1e10 * (4 + BOWL)}, at=range(5)).svg


@pytest.mark.parametrize(
    ("surfaces", "at", "message"),
    [
        ({"a": BOWL}, [0, 1], "odd number"),
        ({"a": BOWL}, [0, 2, 1], "ascending"),
        ({"a": BOWL}, [0, 1, 2], r"shape \(5, 5\): expected \(3, 3\)"),
        ({"a": -np.ones((3, 3))}, [0, 1, 2], "no positive number"),
        ({}, [0, 1, 2], "no series"),
        ([BOWL], [0, 1, 2], "named surfaces"),
    ],
)
def test_surfaces_that_cannot_be_drawn_are_refused(surfaces, at, message):
    with pytest.raises(UsageError, match=f"plot_.*{message}"):
        plot_surface(surfaces, at=at)


def test_surfaces_and_curvature_on_a_device_are_those_on_the_host(xp):
    found = []
    for device, array in (("cpu", np.asarray), ("cuda", xp.asarray)):
        rng = np.random.default_rng(0)
        x, y = array(rng.standard_normal((6, 3))), array(np.arange(6) % 2)
        network = tg.nn.Linear(3, 2, rng=1).to(device, "float64")
        first, second = (filter_direction(network, rng) for _ in range(2))
        surface = loss_surface(network, x, y, first, second, np.array([-1.0, 0.0, 1.0]))
        matrix = hessian(network, tg.cross_entropy(network(tg.tensor(x)), y))
        found.append((surface, matrix))
        assert network.weight.device == device
    standin.transfers.clear()  # the numbers that were asked for
    for here, there in zip(*found, strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-10, atol=1e-14)
