"""Experiments on depth: degradation, responses, vanishing gradients, added layers, variants."""

import dataclasses
import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import data, nets
from tinygrad_res.errors import GradientError, SweepError, UsageError
from tinygrad_res.experiments import (
    EXPERIMENTS,
    activations,
    added_layers,
    degradation,
    depth,
    identity_mapping,
    recipe,
    responses,
    sensitivity,
    shortcut_variants,
    slopes,
    vanishing,
    vanishing_gradients,
    variants,
)
from tinygrad_res.experiments.depth import KINDS, Degradation
from tinygrad_res.experiments.response_study import Responses
from tinygrad_res.experiments.sensitivity_study import Sensitivity, magnified
from tinygrad_res.experiments.settings import settled
from tinygrad_res.nn import BatchNorm2d, Linear

NAMES = ["activations", "degradation", "identity-mapping", "responses", "sensitivity",
         "shortcut-variants", "vanishing-gradients"]  # fmt: skip


def cells_of(line):
    """Return the cells of a table's line."""
    return [cell for cell in line.split("  ") if cell.strip()]


# What is shared


@pytest.fixture(scope="module", autouse=True)
def rarely_measured():
    """Errors are measured in the end alone, since that takes longer than such short trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depth, "POINTS", {False: 1, True: 1})
        patch.setattr(variants, "POINTS", {False: 1, True: 1})
        yield


def test_experiments_on_depth_are_listed():
    assert set(NAMES) <= set(EXPERIMENTS)


@pytest.mark.parametrize(
    ("experiment", "arguments", "message"),
    [
        (degradation, {"depths": (20, 21)}, "degradation: depth 21 is not 6n \\+ 2"),
        (degradation, {"depths": 20}, "degradation: depths=20: pass several ints"),
        (degradation, {"depths": (8, 8)}, "degradation: .*each number once"),
        (degradation, {"depths": (8, 14, 20, 26, 32)}, "degradation: depths=.*at most 4 can"),
        (
            degradation,
            {"depths": (8, 0)},
            "degradation: depths\\[1\\]=0: pass an int of at least 1",
        ),
        (degradation, {"steps": 1}, "degradation: steps=1: train for at least 2 steps"),
        (responses, {"batch": 0}, "responses: batch=0: pass an int of at least 1"),
        (shortcut_variants, {"depth": 9}, "shortcut_variants: depth 9 is not 6n \\+ 2"),
        (shortcut_variants, {"seed": -1}, "shortcut_variants: seed=-1: pass an int of at least 0"),
        (vanishing_gradients, {"width": 2.5}, "vanishing_gradients: width=2.5: pass an int"),
        (identity_mapping, {"added": ()}, "identity_mapping: added=\\(\\): pass several ints"),
        (sensitivity, {"runs": 0}, "sensitivity: runs=0: pass an int of at least 1"),
        (activations, {"names": ("cube",)}, "activations: 'cube' is no function"),
    ],
)
def test_settings_out_of_bounds_are_refused_before_any_work(
    monkeypatch, experiment, arguments, message
):
    for module in (depth, vanishing, variants, added_layers, slopes):
        monkeypatch.setattr(module, "sweep", None)
    with pytest.raises(UsageError, match=message):
        experiment(**arguments)


def test_settings_left_out_are_those_of_the_quick_or_the_full_run():
    defaults = {False: {"runs": 5, "depths": (8, 20)}, True: {"runs": 1, "depths": (8,)}}
    assert settled("x", defaults, False, runs=None, depths=[14]) == {"runs": 5, "depths": (14,)}
    assert settled("x", defaults, True, runs=7, depths=None) == {"runs": 7, "depths": (8,)}


# Training by depth


SMALL = {"depths": (8,), "steps": 4, "batch": 16, "runs": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def small(folder, rarely_measured):
    return degradation(**SMALL, folder=folder)


def test_each_kind_is_trained_at_each_depth_with_each_seed(small):
    found = [(c["family"], c["shortcut"], c["depth"], c["seed"]) for c in small.cells]
    assert found == [
        (family, shortcut, 8, seed)
        for family in recipe.FAMILIES
        for shortcut in KINDS
        for seed in (0, 1)
    ]
    losses = [cell["loss"][-1] for cell in small.cells]
    assert len(set(losses)) == len(losses)


def test_errors_are_those_of_a_training_written_out(small):
    images = data.load("digits", 1)
    network = nets.resnet(8, 1, 10, np.random.default_rng(1))
    optimizer = tg.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    batches = images.batches(16, 1)
    for factor in (1, 1, 0.1, 0.01):
        x, y = next(batches)
        optimizer.zero_grad()
        tg.cross_entropy(network(tg.tensor(x)), y).backward()
        optimizer.step(factor)
    network.eval()
    run = small.of("convolutional", "identity", 8)[1]
    for part in ("train", "test"):
        x, y = getattr(images, f"{part}_x"), getattr(images, f"{part}_y")
        with tg.no_grad():
            wrong = (network(tg.tensor(x)).numpy().argmax(axis=1) != y).mean()
        assert run[part][-1] == pytest.approx(100 * wrong)
    assert run["at"] == [4]


def test_degradation_and_responses_take_the_same_trained_networks(small, folder, monkeypatch):
    monkeypatch.setattr(recipe, "fit", None)
    again = responses(**SMALL, folder=folder)
    assert again.cells == small.cells


def test_numbers_of_depth_do_not_depend_on_the_executor(small):
    with ThreadPoolExecutor(2) as threads:
        assert degradation(**SMALL, executor=threads) == small


def test_a_training_that_diverges_is_missing_and_named(monkeypatch):
    monkeypatch.setattr(
        recipe, "optimizer_of", lambda _, network: tg.optim.SGD(network.parameters(), lr=1e30)
    )
    with pytest.raises(
        SweepError, match=r"shortcut='none': GradientError: training plain8 diverged"
    ):
        degradation(depths=(8,), steps=4, batch=16, runs=1)


def by_depth(kind, errors):
    """Return an outcome whose errors are given by kind and depth, for two seeds."""
    cells = [
        {
            "family": family, "shortcut": shortcut, "depth": layers, "seed": seed, "at": [5, 10],
            "train": [50 + errors[shortcut, layers] + seed, errors[shortcut, layers] + seed], "test": [60.0, 9.0], "loss": [0.1],
            "responses": [layers / 10, seed + 2.0] * (layers // 2 - 1),
        }
        for family in recipe.FAMILIES for shortcut in KINDS for layers in (20, 56) for seed in (0, 1)
    ]  # fmt: skip
    return kind((20, 56), 10, 64, (0, 1), False, cells)


ERRORS = {("none", 20): 1.0, ("none", 56): 7.5, ("identity", 20): 2.0, ("identity", 56): 1.25}


def test_table_of_degradation_sets_errors_beside_the_source_and_says_what_rises():
    table = by_depth(Degradation, ERRORS).table()
    lines = table.splitlines()
    said = [line for line in lines if line.startswith("convolutional, ")]
    changes = "from 20 to 56 layers training error"
    assert said == [
        f"convolutional, plain: {changes} +6.50 points, up in 2 of 2; test +0.00",
        f"convolutional, residual: {changes} -0.75 points, up in 0 of 2; test +0.00",
        "convolutional, 56 layers: after 5 steps the residual network is ahead in 2 of 2",
    ]
    row = next(cells_of(x) for x in lines if x.startswith("convolutional    residual      56"))
    assert [cell.strip() for cell in row] == [
        "convolutional", "residual", "56", "51.8 (51.2 to 52.2)", "1.75 (1.25 to 2.25)", "9",
        "6.97", "0.1",
    ]  # fmt: skip
    assert not any("6.97" in line for line in lines if "plain" in line or "fully" in line)


@pytest.mark.parametrize(
    ("plain", "residual", "side"),
    [(7.5, 1.25, "for"), (7.5, 2.5, "against"), (0.5, 1.25, "against")],
)
def test_degradation_is_shown_where_plain_errors_rise_and_residual_ones_do_not(
    plain, residual, side
):
    errors = {**ERRORS, ("none", 56): plain, ("identity", 56): residual}
    found = by_depth(Degradation, errors)
    said = " ".join(found.table().partition("in short, ")[2].split())
    assert said.startswith(f"{side} the claim: from 20 to 56 layers")
    assert f"convolutional, {plain - 1:+.2f} points plain and {residual - 2:+.2f} residual" in said
    assert ("plain networks train worse" in found.plot().title) == (side == "for")


def test_plot_of_degradation_has_a_band_of_runs_for_each_depth():
    panels = by_depth(Degradation, ERRORS).plot().panels
    assert [panel.title for panel in panels] == list(recipe.FAMILIES)
    assert {panel.y for panel in panels} == {"training error in %"}
    names = [series.name for series in panels[0].series]
    assert names == [f"{kind}, {n} layers" for kind in ("plain", "residual") for n in (20, 56)]
    deep = panels[0].series[1]
    assert (deep.x, deep.y, deep.low, deep.high) == ((5, 10), (58, 8), (57.5, 7.5), (58.5, 8.5))


@pytest.mark.parametrize("kind", [Degradation, Responses])
def test_a_quick_table_says_so_and_one_run_has_no_range(kind):
    found = by_depth(kind, ERRORS)
    words = "quick setting: 10 steps at 20 and 56 layers, 2 runs; "
    assert "2 runs, median (range)" in found.table() and words not in found.table()
    assert words in dataclasses.replace(found, quick=True).table()
    first = [cell for cell in found.cells if cell["seed"] == 0]
    one = dataclasses.replace(found, cells=first, seeds=(0,)).table()
    assert "64 images; 1 run\n" in one and "(range)" not in one


def test_responses_are_told_of_all_layers_and_of_the_two_in_each_block():
    found = by_depth(Responses, ERRORS)
    row = next(x for x in found.table().splitlines() if x.startswith("convolutional    plain"))
    assert [cell.strip() for cell in cells_of(row)[3:]] == [
        "2.25 (2 to 2.5)", "2", "2.5 (2 to 3)",
    ]  # fmt: skip
    sizes = {(20, 0): 0.5, (20, 1): 0.5, (56, 0): 0.2, (56, 1): 1.5}  # of plain networks 2 and 3
    for cell in found.cells:
        if cell["shortcut"] == "identity":
            last = cell["responses"][1::2]
            cell["responses"][1::2] = [sizes[cell["depth"], cell["seed"]]] * len(last)
    lines = found.table().splitlines()
    smaller = lines[
        lines.index("runs in which the residual network's are smaller than the plain one's") :
    ]
    row = next(x for x in smaller if x.startswith("convolutional        56"))
    assert [cell.strip() for cell in cells_of(row)[2:]] == ["2 of 2", "0 of 2", "2 of 2"]
    deeper = "last of each block smaller with 56 layers than with 20 in 1 of 2"
    assert f"convolutional, residual: {deeper}" in lines
    panel = found.plot().panels[1]
    assert (panel.title, panel.log) == ("convolutional, 56 layers", True)
    first, last = panel.series[:2]
    assert (first.name, first.y) == ("plain, first", (5.6,) * 27)
    assert (last.name, last.y) == ("plain, last", (2.5,) * 27)
    assert (last.low, last.high) == ((2.0,) * 27, (3.0,) * 27)
    axes = [panel.x for panel in found.plot().panels]  # panels share those that are called alike
    assert axes == ["blocks before it, of 9", "blocks before it, of 27"] * 2


@pytest.mark.parametrize(
    ("shallow", "deep", "side", "less", "deeper", "title"),
    [
        (0.5, 0.2, "for the claim:", 8, 4, "What residual blocks add is smaller"),
        (0.2, 0.5, "for the claim in part:", 8, 0, "What residual blocks add is smaller"),
        (7.5, 7.0, "for the claim in part:", 0, 4, "How much layers respond"),
        (7.0, 7.5, "against the claim:", 0, 0, "How much layers respond"),
    ],
)
def test_responses_are_shown_to_be_small_where_those_of_residual_and_of_deeper_networks_are_less(
    shallow, deep, side, less, deeper, title
):
    found = by_depth(Responses, ERRORS)  # in plain networks the last layers respond by 2 and 3
    for cell in found.cells:
        if cell["shortcut"] == "identity":
            last = cell["responses"][1::2]
            cell["responses"][1::2] = [{20: shallow, 56: deep}[cell["depth"]]] * len(last)
    table = found.table()
    said = " ".join(table.partition("in short, ")[2].split())
    assert said.startswith(f"{side} what a block adds")
    assert (
        f"less than a plain one in {less} of 8 runs, and less with 56 layers than with 20" in said
    )
    assert said.endswith(f"in {deeper} of 4")
    smaller = f"last of each block smaller with 56 layers than with 20 in {deeper // 2} of 2"
    assert table.count(smaller) == 2
    assert found.plot().title.startswith(title)


@pytest.mark.parametrize(("family", "kind"), [("convolutional", BatchNorm2d), ("fully connected", Linear)])  # fmt: skip
def test_responses_are_standard_deviations_behind_each_layer(family, kind):
    images = data.load("digits")
    network = recipe.make(family, 8, "identity", "original", np.random.default_rng(0))
    x = network.stem(tg.tensor(images.train_x[: recipe.MEASURED_ON]))
    expected = []
    for block in network.body:
        h = x
        for part in block.branch:
            h = part(h)
            if isinstance(part, kind):
                expected.append(h.numpy().std())
        x = block(x)
    assert len(expected) == 6
    assert recipe.responses(network, images) == pytest.approx(expected, rel=1e-6)


# Vanishing gradients


@pytest.fixture(scope="module")
def untrained():
    return vanishing_gradients(depths=(8, 20), width=48, runs=2)


def test_paths_to_a_layer_cross_the_layers_above_it(untrained):
    for net in ("sigmoid", "tanh", "relu", "relu, He"):
        degrees = untrained.of(net, 20)[0]["degrees"]
        assert degrees == [{str(19 - k): "1"} for k in range(20)]
    first, *_, last = untrained.of("residual", 20)[0]["degrees"]
    assert first == {str(1 + 2 * k): str(math.comb(9, k)) for k in range(10)}
    assert last == {"0": "1"}


def test_default_weights_and_relus_shrink_every_layer_by_the_closed_form(untrained):
    """12 layers more multiply each norm by 6^-6, up to the spread of finite widths."""
    for at in (0, -1):
        shallow, deep = (
            np.mean([run["norms"][at] for run in untrained.of("relu", layers)])
            for layers in (8, 20)
        )
        assert 0.25 < deep / shallow * 6**6 < 4


def test_sigmoids_lose_at_least_a_quarter_per_layer_and_shortcuts_nothing(untrained):
    for run in untrained.of("sigmoid", 20):
        assert run["norms"][0] < 0.25**15 * run["norms"][-1]
    for run in untrained.of("residual", 20):
        assert min(run["norms"]) > 0.01


def test_residual_and_plain_networks_differ_by_the_shortcuts_alone():
    residual, plain = (
        [p.data for p in vanishing.NETS[net](3, 16, np.random.default_rng(5)).parameters()]
        for net in ("residual", "relu")
    )
    assert all((a == b).all() for a, b in zip(residual, plain, strict=True))


def test_parts_by_weight_layers_crossed_are_those_of_branches_written_out():
    """The part that crosses no branch, with every branch's derivative left away."""
    found = vanishing.measured("residual", 8, 16, 3)
    images = data.load("digits", 3)
    network = vanishing.NETS["residual"](3, 16, np.random.default_rng(3)).to(dtype="float64")
    for layer in network.weight_layers():
        layer.bias.data = np.zeros(layer.bias.shape)
    h = network.stem(tg.tensor(images.train_x[: vanishing.BATCH], dtype="float64"))
    for block in network.body:
        h = h + tg.stop_gradient(block.branch(h))
    tg.cross_entropy(network.head(h), images.train_y[: vanishing.BATCH]).backward()
    gradient = network.weight_layers()[0].weight.grad.data
    assert found["parts"]["1"]["norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-10)
    assert sum(part["share"] for part in found["parts"].values()) == pytest.approx(1, rel=1e-10)


def test_first_layer_gradient_is_pytorchs():
    torch = pytest.importorskip("torch")
    images = data.load("digits", 0)
    network = vanishing.NETS["tanh"](3, 16, np.random.default_rng(0)).to(dtype="float64")
    weights = [torch.tensor(x.weight.data, requires_grad=True) for x in network.weight_layers()]
    h = torch.tensor(images.train_x[: vanishing.BATCH], dtype=torch.float64).flatten(1)
    for weight in weights[:-1]:
        h = torch.tanh(h @ weight.T)
    labels = torch.tensor(images.train_y[: vanishing.BATCH])
    torch.nn.functional.cross_entropy(h @ weights[-1].T, labels).backward()
    found = vanishing.measured("tanh", 8, 16, 0)["norms"]
    assert found == pytest.approx([float(w.grad.norm()) for w in weights], rel=1e-10)


def test_weights_behind_sigmoids_and_tanh_have_the_variance_of_glorot():
    for net in ("sigmoid", "tanh"):
        network = vanishing.NETS[net](9, 64, np.random.default_rng(0))
        weights = [layer.weight.data for layer in network.weight_layers()[1:-1]]
        assert np.var(weights) == pytest.approx(1 / 64, rel=0.03)


def test_a_quick_run_is_measured_as_often_as_it_says(monkeypatch):
    def sweep(function, cells, *_):
        points.extend(cell["points"] for cell in cells)
        raise ZeroDivisionError

    points = []
    monkeypatch.setattr(depth, "POINTS", {False: 6, True: 3})
    monkeypatch.setattr(depth, "sweep", sweep)
    with pytest.raises(ZeroDivisionError):
        degradation(depths=(8,), steps=2, runs=1, quick=True)
    assert set(points) == {3}


def test_gradients_are_told_at_the_first_middle_and_last_layer():
    assert [at(20) for at in vanishing.PLACES.values()] == [0, 10, 19]


def test_table_of_vanishing_gradients_tells_paths_and_what_they_cross(untrained):
    lines = untrained.table().splitlines()
    _, row = [line for line in lines if line.startswith("residual      20")]
    assert row.split()[-4:] == ["2^9", "1", "to", "19"]
    _, row = [line for line in lines if line.startswith("relu          20")]
    assert row.split()[-2:] == ["1", "19"]
    assert "(3 rows between are left out)" in lines


def test_derivatives_of_activations_are_the_textbooks():
    sigmoid, tanh, relu = activations().cells
    assert (sigmoid["largest"], tanh["largest"], relu["largest"]) == (0.25, 1.0, 1.0)
    assert (sigmoid["at_zero"], tanh["at_zero"], relu["at_zero"]) == (0.25, 1.0, 0.0)
    assert relu["mean_square"] == 0.5
    x = np.linspace(-12, 12, 400_001)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    for found, slope in (
        (sigmoid, np.exp(-x) / (1 + np.exp(-x)) ** 2), (tanh, 1 / np.cosh(x) ** 2),
    ):  # fmt: skip
        expected = (slope * slope * density).sum() * (x[1] - x[0])
        assert found["mean_square"] == pytest.approx(expected, rel=1e-9)


# Added layers


@pytest.fixture(scope="module")
def added():
    return identity_mapping(copied=1, added=(1, 3), steps=12, runs=2)


def test_identities_and_zero_branches_start_where_the_shallow_network_ended(added):
    for start in ("plain, identity", "residual, F = 0"):
        for run in added.of(start, 3):
            assert run["loss"][0] == run["shallow"]
            assert run["distance"][0] == 0 < run["distance"][1]
    for start in ("plain, random", "residual, random"):
        assert all(run["loss"][0] > run["shallow"] for run in added.of(start, 3))


def test_copied_layers_stay_as_they_were(monkeypatch):
    seen = []
    whole = added_layers.fit

    def spied(network, *arguments, **named):
        seen.append((network, [p.data for p in network.parameters()]))
        return whole(network, *arguments, **named)

    monkeypatch.setattr(added_layers, "fit", spied)
    added_layers.deepened("plain, random", 1, 2, 3, 16, 0)
    (_, _), (deep, before) = seen
    after = [p.data for p in deep.parameters()]
    moved = [not (a == b).all() for a, b in zip(before, after, strict=True)]
    assert moved == [False] * 6 + [True] * 8 + [False] * 2  # stem, copied; added; head


def test_table_of_added_layers_counts_runs_that_end_worse(added):
    for start in added_layers.STARTS:
        worse = sum(run["loss"][-1] > run["shallow"] for run in added.of(start, 3))
        row = next(
            x for x in added.table().splitlines() if x.startswith(f"{start}  ") and " 6  " in x
        )
        assert f"{worse} of 2" in row


def test_networks_end_above_or_below_the_shallow_one_wherever_they_began():
    ends = {"plain": [0.5, 2.0], "residual": [2.0, 0.5]}  # which supports the claim
    cells = [
        {"start": start, "added": 1, "seed": 0, "shallow": 1.0, "at": [0, 2], "loss": ends[start.split(",")[0]],
         "train": 1.0, "test": 2.0, "distance": [0.0, 0.1]}
        for start in added_layers.STARTS
    ]  # fmt: skip
    table = added_layers.IdentityMapping(1, (1,), 2, 8, (0,), False, cells).table()
    rows = [line for line in table.splitlines() if line.startswith(tuple(added_layers.STARTS))]
    assert ["1 of 1" in row for row in rows[:4]] == [True, True, False, False]
    assert "in short, for the claim:" in " ".join(table.split())


def test_layers_that_make_three_of_one_are_two_from_the_identity():
    digits, shallow = data.load("digits"), nets.plain_mlp(1, rng=0)
    tail = tg.nn.Sequential(tg.nn.Scale(3.0))
    assert added_layers._distance(shallow, tail, digits) == pytest.approx(2)


def test_added_layers_see_the_data_in_another_order(monkeypatch):
    seeds, fit = [], added_layers.fit
    monkeypatch.setattr(
        added_layers,
        "fit",
        lambda *of, seed, **how: seeds.append(seed) or fit(*of, seed=seed, **how),
    )
    added_layers.deepened("plain, random", copied=1, added=1, steps=1, batch=8, seed=3)
    assert seeds == [3, 4]


# Sensitivity


def test_example_is_51_times_as_sensitive():
    found = sensitivity(blocks=1, steps=1, runs=1).example
    plain, residual = found["H(x)"], found["F(x) = H - x"]
    assert plain["elasticity"] == pytest.approx(1)
    assert residual["elasticity"] == pytest.approx(5.1 / 0.1)
    assert (plain["change"], plain["weight"]) == pytest.approx((0.1 / 5.1, 0.1 / 5.1))
    assert (residual["change"], residual["weight"]) == pytest.approx((1.0, 1.0))


def test_sensitivities_are_told_with_what_supports_the_claim_and_what_does_not():
    cells = [{"seed": 0, "before": [2.0, 2.0], "after": [1.6, 0.8]}]
    found = Sensitivity(2, 9, 64, (0,), True, magnified(), cells)
    lines = found.table().splitlines()
    assert (
        "what supports the claim: the layers of 1 of 2 trained blocks feel more than 1 %" in lines
    )
    assert any("they feel 1.2 %, where the example has 51 %" in line for line in lines)
    assert any("in trained blocks F is 83.3 % of H" in line for line in lines)
    assert lines[-1] == "quick setting: 9 steps of 2 blocks"
    assert found.plot().panels[0].log
    assert found.plot().title.startswith("A relative change of H = F + x is larger to F")
    less = dataclasses.replace(found, cells=[{**cells[0], "after": [0.7, 0.8]}])
    assert less.plot().title.startswith("What a relative change of H = F + x is to F")
    assert "in short, against the claim" in less.table()


def test_sensitivity_of_a_block_is_the_ratio_of_norms():
    found = sensitivity(blocks=2, steps=1, batch=16, runs=1, seed=4)
    network = nets.residual_mlp(2, rng=4)
    x = network.stem(tg.tensor(data.load("digits", 4).test_x[:16]))
    for block, measured in zip(network.body, found.cells[0]["before"], strict=True):
        branch, out = block.branch(x).numpy(), block(x).numpy()
        assert measured == pytest.approx(np.linalg.norm(out) / np.linalg.norm(branch), rel=1e-4)
        x = block(x)


def test_sensitivity_before_training_has_a_closed_form():
    found = sensitivity(blocks=8, steps=1, runs=2)
    assert np.median([run["before"] for run in found.cells]) == pytest.approx(
        found.expected, rel=0.1
    )
    assert f"without biases: {math.sqrt(5):.3g}" in found.table()


# Shortcut variants


@pytest.mark.parametrize("layers", [8, 20])
def test_scaled_shortcuts_carry_lambda_to_the_power_of_units_exactly(layers):
    found = variants.carried("scaled", "original", layers, 0)
    assert found == {"gain": 0.5 ** ((layers - 2) // 2), "reached": 1.0}


def test_gated_shortcuts_carry_the_product_of_what_the_gates_leave():
    for shortcut in ("gated", "gated-shortcut"):
        found = variants.carried(shortcut, "original", 8, 0)
        assert found["gain"] == pytest.approx((1 - 1 / (1 + math.exp(6))) ** 3, abs=2e-3)
        assert found["gain"] < 1


def test_identity_shortcuts_carry_one_where_nothing_follows_the_addition():
    for arrangement in ("full-preactivation", "relu-before-addition", "relu-only-preactivation"):
        assert variants.carried("identity", arrangement, 8, 0) == {"gain": 1.0, "reached": 1.0}
    behind = variants.carried("identity", "original", 8, 0)
    assert 0 < behind["gain"] < 1 and 0 < behind["reached"] < 1


def test_convolutions_leave_no_path_and_dropout_leaves_few():
    assert variants.carried("convolution", "original", 8, 0) == {"gain": 0.0, "reached": 0.0}
    found = [variants.carried("dropout", "original", 8, seed) for seed in range(4)]
    assert np.mean([one["reached"] for one in found]) == pytest.approx(1 / 8, abs=0.01)
    assert np.mean([one["gain"] for one in found]) == pytest.approx(1, abs=0.1)


def test_variants_are_trained_and_set_beside_the_source(monkeypatch):
    chosen = [("scaled", "original"), ("identity", "full-preactivation"), ("dropout", "original")]
    monkeypatch.setattr(variants, "HE_2016", {key: variants.HE_2016[key] for key in chosen})
    found = shortcut_variants(depth=8, steps=2, batch=8, runs=1)
    lines = found.table().splitlines()
    trained, carried = (
        {tuple(line.split()[:2]): line.split()[2:] for line in some}
        for some in (lines[3:6], lines[8:11])
    )
    assert set(trained) == set(carried) == set(variants.HE_2016)
    assert carried["scaled", "original"] == ["0.125", "0.5^n", "1"]
    assert carried["identity", "full-preactivation"] == ["1", "1", "1"]
    published = {variant: found[2] for variant, found in trained.items()}
    assert published == dict(zip(chosen, ("12.35", "6.37", "fail"), strict=True))
    (scaled,) = found.of("scaled", "original")
    assert float(trained["scaled", "original"][3]) == pytest.approx(scaled["loss"][-1], rel=0.01)
    assert found.carries("scaled") == 0.125
    panels = found.plot().panels
    assert [len(panel.series) for panel in panels] == [2, 1]


def test_a_table_of_variants_tells_the_end_of_the_curves():
    paths = {"gain": 1.0, "reached": 1.0}
    cells = [
        {"shortcut": shortcut, "arrangement": arrangement, "seed": 0, "at": [1, 2], "path": paths,
         "loss": [0.75, 0.25], "train": [71.0, 31.0], "test": [72.0, 32.0]}
        for shortcut, arrangement in variants.HE_2016
    ]  # fmt: skip
    table = variants.ShortcutVariants(8, 2, 8, (0,), False, cells).table()
    assert {"0.25", "31", "32"} <= set(table.split())
    assert not {"0.75", "71", "72"} & set(table.split())


def test_the_picture_of_variants_has_the_training_errors_of_all_runs():
    cells = [
        {"shortcut": shortcut, "arrangement": arrangement, "seed": seed, "at": [10, 20],
         "path": {"gain": 1.0, "reached": 1.0}, "loss": [0.5, 0.5], "test": [91.0, 92.0],
         "train": [60.0 + k + 4 * seed, 40.0 + k + 4 * seed]}
        for k, (shortcut, arrangement) in enumerate(variants.HE_2016) for seed in (0, 1)
    ]  # fmt: skip
    found = variants.ShortcutVariants(20, 20, 8, (0, 1), False, cells)
    panels = found.plot().panels
    drawn = {(panel.title, one.name): one for panel in panels for one in panel.series}
    assert {panel.y for panel in panels} == {"training error in %"}
    for k, (shortcut, arrangement) in enumerate(variants.HE_2016):
        shown = [("shortcuts", shortcut)] * (arrangement == "original")
        shown += [("arrangements", arrangement)] * (shortcut == "identity")
        for one in map(drawn.get, shown):
            assert one.x == (10, 20)
            assert (one.low, one.y, one.high) == (
                (60 + k, 40 + k), (62 + k, 42 + k), (64 + k, 44 + k),
            )  # fmt: skip
    assert found.units == 9  # (20 - 2) / 2
    assert f"0.5^n = {2.0**-9:.6g}, " in found.table()


def test_errors_of_the_sources_are_those_of_their_tables():
    shortcuts = ["6.61", "12.35", "8.70", "6.91", "12.22", "fail"]  # He et al. 2016, table 1
    arrangements = ["8.17", "7.84", "6.71", "6.37"]  # and table 2
    assert list(variants.HE_2016.values()) == shortcuts + arrangements
    by_depth = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43}  # He et al. 2015, table 6
    assert by_depth == depth.CIFAR


def test_fully_connected_networks_train_with_adam_and_a_point_has_the_loss_since_the_one_before():
    found = recipe.trained("fully connected", 8, "none", "original", 4, 16, points=2, seed=1)
    images = data.load("digits", 1)
    network = nets.plain_mlp(3, rng=np.random.default_rng(1))
    optimizer = tg.optim.Adam(network.parameters(), lr=1e-3)
    batches, losses = images.batches(16, 1), []
    for factor in (1, 1, 0.1, 0.01):
        x, y = next(batches)
        loss = tg.cross_entropy(network(tg.tensor(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(factor)
        losses.append(loss.item())
    assert found["at"] == [2, 4]
    assert found["loss"] == pytest.approx([np.mean(losses[:2]), np.mean(losses[2:])], rel=1e-5)


def test_a_variant_that_diverges_is_said_to_and_takes_nothing_with_it(monkeypatch):
    def training(shortcut, seed, **cell):
        if shortcut == "dropout" or (shortcut == "scaled" and seed == 1):
            raise GradientError("training diverged at step 7")
        return trained(shortcut=shortcut, seed=seed, **cell)

    trained = variants.trained
    chosen = [(shortcut, "original") for shortcut in ("identity", "scaled", "dropout")]
    monkeypatch.setattr(variants, "HE_2016", {key: variants.HE_2016[key] for key in chosen})
    monkeypatch.setattr(variants, "trained", training)
    found = shortcut_variants(depth=8, steps=2, batch=8, runs=2)
    rows = {
        shortcut: " ".join(line for line in found.table().splitlines() if line.startswith(shortcut))
        for shortcut, _ in chosen
    }
    assert "diverged" not in rows["identity"]
    assert (
        rows["scaled"].count("; 1 of 2 diverged") == rows["dropout"].count("2 of 2 diverged") == 3
    )
    assert found.of("dropout", "original")[0]["diverged"] == "training diverged at step 7"
    panel = found.plot().panels[0]
    assert panel.title == "shortcuts; diverged: dropout"
    assert [one.name for one in panel.series] == ["identity", "scaled"]


# Files


@pytest.mark.parametrize(
    ("experiment", "arguments"),
    [
        (activations, {}),
        (vanishing_gradients, {"depths": (8,), "width": 4, "runs": 2}),
        (sensitivity, {"blocks": 2, "steps": 1, "runs": 2}),
        (identity_mapping, {"copied": 1, "added": (1,), "steps": 2, "runs": 2}),
    ],
)
def test_outcomes_are_saved_as_numbers_and_as_pictures(tmp_path, experiment, arguments):
    found = experiment(**arguments)
    values = json.loads(found.save(tmp_path / "a.json").read_text())
    assert values == json.loads(json.dumps(found.as_dict()))
    assert found.save(tmp_path / "a.svg").read_text().startswith("<svg")


def test_a_quick_table_of_added_layers_says_what_the_claim_needs(added):
    assert "quick setting" not in added.table()
    quick = dataclasses.replace(added, quick=True).table()
    assert f"quick setting: {added.steps} steps; " in quick.splitlines()[-1]
