"""Experiments on first principles: sums as written by hand, counts in closed form, planted faults."""

import dataclasses
import itertools
import json
import math
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import tinygrad_res as tg
from tinygrad_res import nets
from tinygrad_res.cli import main
from tinygrad_res.data import linear_regression
from tinygrad_res.errors import SweepError, UsageError
from tinygrad_res.experiments import (
    EXPERIMENTS,
    active_paths,
    additions_and_concatenations,
    chain_rule,
    dead_units,
    demonstration,
    five_blocks,
    five_blocks_study,
    forward_sums,
    fully_connected,
    junctions,
    pruned_regression,
    residual_module,
    shortcuts,
    vanishing_gradients,
    zoo,
)
from tinygrad_res.experiments.demonstration import Claim
from tinygrad_res.experiments.zoo_study import factors_of, multiplied
from viz.layout import Curve, Label

DEMONSTRATIONS = {
    "chain-rule": {},
    "fully-connected": {"units": 3},
    "forward-paths": {"width": 3},
    "dead-units": {"width": 3},
    "residual-module": {"modules": 2},
    "five-blocks": {"blocks": 2, "width": 8, "steps": 2},
    "additions-and-concatenations": {"layers": 2},
}


@pytest.fixture(scope="module")
def shown():
    return {name: EXPERIMENTS[name].run(**own, runs=2) for name, own in DEMONSTRATIONS.items()}


@pytest.mark.parametrize("name", DEMONSTRATIONS)
def test_every_claim_holds_for_every_seed(shown, name):
    assert shown[name].holds
    assert shown[name].seeds == (0, 1)
    assert "holds" in shown[name].table() and "not hold" not in shown[name].table()


@pytest.mark.parametrize("name", DEMONSTRATIONS)
def test_numbers_read_back_from_the_file(shown, name, tmp_path):
    read = json.loads(shown[name].save(tmp_path / "a.json").read_text())
    assert read["setting"] == shown[name].setting
    assert [(c["words"], tuple(c["found"])) for c in read["claims"]] == [
        (c.words, c.found) for c in shown[name].claims
    ]
    assert [s["latex"] for s in read["sums"]] == [s.latex for s in shown[name].sums]


FIGURES = {
    "chain-rule": "2 paths",
    "fully-connected": "3 paths to a weight of the layer before the last",
    "forward-paths": "6 of 40 paths are active",
    "dead-units": "3 of 27 paths are active",
    "residual-module": "1 weight-free path of 4",
    "five-blocks": "1 weight-free path of 4",
    "additions-and-concatenations": "Addition: 1 weight-free path of 4; concatenation: 1 of 4",
}


@pytest.mark.parametrize("name", DEMONSTRATIONS)
def test_figure_shows_the_paths_that_the_table_counts(shown, name):
    layout = shown[name].plot().layout
    assert FIGURES[name] in layout.title


DRAWN = {
    "chain-rule": [
        "∂m/∂x = 0.251", "∂n/∂x = 0.992", "∂F/∂m = 0.125", "∂F/∂n = 1.02",
        "= ∂F/∂m · ∂m/∂x + ∂F/∂n · ∂n/∂x", "= 2 · n · x + m · cos(x) = 1.04",
    ],
    "fully-connected": [
        "y_n-2;1 = 0.126", "∂x_n-1;1/∂y_n-2;1 = w_n-2;11 = 0.0350", "w_n-1;13 = 0.415",
        "∂L/∂y_n;1 · relu′(x_n;1) · w_n-1;11 · relu′(x_n-1;1) · y_n-2;1",
    ],
    "residual-module": ["I", "J_1", "I · I", "0, weight-free", "∂L/∂x = g (I + J_2) (I + J_1)"],
    "additions-and-concatenations": ["addition", "concatenation", "concat", "V_2", "W_2"],
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_figure_carries_the_derivatives_and_the_sum_that_the_source_writes(shown, name):
    labels = [item.text for item in shown[name].plot().layout.items if isinstance(item, Label)]
    assert [words for words in DRAWN[name] if words not in labels] == []


@pytest.mark.parametrize(
    ("name", "red"),
    [("residual-module", 4), ("additions-and-concatenations", 7), ("chain-rule", 0)],
)
def test_figure_draws_the_path_that_crosses_no_weight_layer_in_red(shown, name, red):
    items = shown[name].plot().layout.items
    edges = {(c.tail, c.head) for c in items if isinstance(c, Curve) and c.style == "identity"}
    assert len([edge for edge in edges if all(edge)]) == red


def test_a_claim_that_fails_is_said_to(shown):
    outcome = shown["residual-module"]
    wrong = dataclasses.replace(
        outcome, claims=(*outcome.claims, Claim("cats", (1, 1), (1, 2)), Claim("x", ("z",), ("1",)))
    )
    assert not wrong.holds
    assert "cats" in wrong.table()
    assert "x: 1 (z was expected)  does not hold" in wrong.table()
    assert wrong.table().count("does not hold") == 2
    count = sum(claim.holds is not None for claim in wrong.claims)
    assert f"in short, for the claim in part: {count - 2} of {count} statements" in wrong.table()
    assert f"in short, for the claim: {count - 2} of {count - 2} statements" in outcome.table()
    assert not Claim("value", (1.0,), (1.0 + 1e-9,)).holds
    assert Claim("value", (1.0,), (1.0 + 1e-13,)).holds
    assert not Claim("value", (1.0,), (math.nan,)).holds
    assert Claim("untold", (None,), (3,)).holds is None


def test_a_wrong_count_of_the_engine_is_seen(monkeypatch):
    monkeypatch.setattr(tg.Paths, "count", lambda paths: 3)
    failed = [c.words for c in additions_and_concatenations(runs=1).claims if c.holds is False]
    assert failed == [
        f"{kind}: {what}"
        for kind in ("addition", "concatenation")
        for what in ("paths from its output back to x", "of these weight-free")
    ]
    with pytest.raises(SweepError, match="formula: after step 'chain'"):
        chain_rule(runs=1)


def test_a_wrong_gradient_of_the_engine_is_seen(monkeypatch):
    def scaled(paths, by="weight"):
        return {k: g * (1 + 1e-6 * k) for k, g in right(paths, by).items()}

    right = type(tg.paths(*_square())).gradient_by
    monkeypatch.setattr(type(tg.paths(*_square())), "gradient_by", scaled)
    failed = [c.words for c in residual_module(runs=1).claims if c.holds is False]
    assert failed == [
        "g_1, of 3 paths across 2 weight layers: norm",
        "g_2, of 3 paths across 4 weight layers: norm",
        "g_3, of 1 path across 6 weight layers: norm",
        "all g_k, largest difference from NumPy's",
        "sum of all g_k: norm, and that of backward's gradient",
        "sum of all g_k less backward's gradient, largest difference",
    ]


def _square():
    x = tg.tensor(1.0, requires_grad=True)
    return x * x, x


def latex(outcome, of, step):
    (found,) = (one.latex for one in outcome.sums if (one.of, one.step) == (of, step))
    return found


def test_chain_rule_is_written_as_in_a_book():
    outcome = chain_rule(runs=1, seed=4)
    assert latex(outcome, "dF/dx", "chain") == (
        r"\frac{\partial F}{\partial m}\frac{\partial m}{\partial x} + "
        r"\frac{\partial F}{\partial n}\frac{\partial n}{\partial x}"
    )
    x = np.random.default_rng(4).standard_normal()
    step = 1e-6
    slope = np.diff([((x + s) ** 2 + 1) * np.sin(x + s) for s in (-step, step)])[0] / (2 * step)
    assert outcome.sums[-1].value == pytest.approx(slope, rel=1e-8)


NEAR, FAR = "dL/dw_{n-1}[1,1]", "dL/dw_{n-2}[1,1]"


def test_weights_of_the_last_two_layers_have_one_term_and_four():
    outcome = fully_connected(runs=1)
    assert latex(outcome, NEAR, "relu") == r"\frac{\partial L}{\partial y_{n}^{1}} y_{n-1}^{1}"
    assert latex(outcome, FAR, "relu") == " + ".join(
        rf"\frac{{\partial L}}{{\partial y_{{n}}^{{{i}}}}} w_{{n-1}}^{{1{i}}} y_{{n-2}}^{{1}}"
        for i in range(1, 5)
    )
    chain = (
        r"\frac{\partial L}{\partial y_{n}^{I}}\frac{\partial y_{n}^{I}}{\partial x_{n}^{I}}"
        r"\frac{\partial x_{n}^{I}}{\partial y_{n-1}^{1}}"
        r"\frac{\partial y_{n-1}^{1}}{\partial x_{n-1}^{1}}"
        r"\frac{\partial x_{n-1}^{1}}{\partial w_{n-2}^{11}}"
    )
    assert latex(outcome, FAR, "chain") == " + ".join(
        chain.replace("I", str(i)) for i in range(1, 5)
    )
    assert [one.terms for one in outcome.sums] == [1, 1, 1, 4, 4, 4]


def test_sums_of_the_fully_connected_net_are_pytorchs_gradients():
    torch = pytest.importorskip("torch")
    _, weights, (y, *_) = junctions._layers(units=4, seed=2)
    ws = [torch.tensor(w.data, requires_grad=True) for w in weights]
    h = torch.tensor(y.data)
    for w in ws:
        h = torch.relu(h @ w)
    torch.logsumexp(h, 0).backward()
    sums = {one.of: one.value for one in fully_connected(runs=1, seed=2).sums}
    assert sums[FAR] == pytest.approx(ws[0].grad[0, 0].item(), rel=1e-12)
    assert sums[NEAR] == pytest.approx(ws[1].grad[0, 0].item(), rel=1e-12)


def evaluated(text, values):
    """Return what a written sum comes to, with numbers in the place of names."""

    def number(found):
        name, places = found[1], found[2]
        at = tuple(int(i) - 1 for i in places.split(",")) if places else ()
        return f"({values[name][at]!r})"

    names = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
    written = re.sub(rf"({names})(?:\[([\d,]+)\])?", number, text).replace("·", "*")
    return eval(written.replace("np.float64", ""))


@pytest.mark.parametrize("seed", [0, 3])
def test_written_sum_over_active_paths_comes_to_the_output(seed):
    outcome = forward_sums(runs=1, seed=seed)
    net = active_paths.relu_net(inputs=3, width=4, depth=2, seed=seed)
    values = {t.name: t.data for t in (net.x, *net.weights, *net.biases)}
    (whole,) = (one for one in outcome.sums if one.of == "y")
    assert evaluated(whole.text, values) == pytest.approx(net.y.item(), rel=1e-12)
    assert whole.text.count(" + ") + 1 == whole.terms


@pytest.mark.parametrize("seed", range(3))
def test_dead_paths_are_those_whose_product_has_a_dead_unit(seed):
    net = active_paths.relu_net(inputs=2, width=3, depth=3, seed=seed)
    h, masks = net.x.data, []
    for w, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        masks.append(h @ w.data + b.data > 0)
        h = np.where(masks[-1], h @ w.data + b.data, 0)
    units = itertools.product(range(2), *[range(3)] * 3)
    live = sum(all(m[u] for m, u in zip(masks, way[1:], strict=True)) for way in units)
    outcome = dead_units(inputs=2, width=3, depth=3, runs=1, seed=seed)
    found = {claim.words: claim.found[0] for claim in outcome.claims}
    assert found["paths from y back to x"] == 2 * 3**3
    assert found["active: every edge carries a number that is not 0"] == live
    assert found["that drop out; expected: those through a dead unit"] == 2 * 3**3 - live > 0


def test_parts_of_the_gradient_are_sums_over_subsets_of_branches():
    rng = np.random.default_rng(0)
    start = rng.standard_normal((1, 2))
    branches = [((a, 1.0), b) for a, b in rng.standard_normal((4, 2, 2, 2))]
    parts = shortcuts._multiplied(start, branches)
    for k in range(5):
        total = np.zeros((1, 2))
        for some in itertools.combinations(branches, k):
            product = start
            for (first, _), second in some:
                product = product @ first @ second
            total += product
        np.testing.assert_allclose(parts[k], total, rtol=1e-12, atol=1e-15)


def test_residual_modules_are_a_product_of_one_plus_a_derivative():
    outcome = residual_module(runs=1)
    assert latex(outcome, "dL/dx", "collect") == (
        r"\frac{\partial L}{\partial h_{3}}"
        r"\left(I + \frac{\partial F_{3}}{\partial h_{2}}\right)"
        r"\left(I + \frac{\partial F_{2}}{\partial h_{1}}\right)"
        r"\left(I + \frac{\partial F_{1}}{\partial x}\right)"
    )


def test_concatenation_has_the_paths_of_addition_and_more_connections():
    found = {c.words: c.found[0] for c in additions_and_concatenations(layers=4, runs=1).claims}
    ways = "1 + 4z + 6z^2 + 4z^3 + z^4"
    for kind, connections in (("addition", 4), ("concatenation", 10)):
        assert found[f"{kind}: by weight layers crossed, z each"] == ways
        assert found[f"{kind}: connections from layer to layer"] == connections


def test_five_blocks_learn_and_have_32_paths():
    outcome = five_blocks(width=16, steps=120, runs=1)
    found = {claim.words: claim.found[0] for claim in outcome.claims}
    assert found["by weight layers crossed, z each"] == "1 + 5z^2 + 10z^4 + 10z^6 + 5z^8 + z^10"
    assert found["trained with shortcuts: held-out images right in %"] > 60
    assert outcome.holds


@pytest.mark.parametrize(
    ("model", "paths", "shortest", "longest"),
    [
        ("resnet110", 2**54, 2, 110), ("resnet1202", 2**600, 2, 1202),
        ("imagenet-resnet18", 256, 5, 18), ("imagenet-resnet34", 2**16, 5, 34),
        ("imagenet-resnet50", 2**16, 6, 50), ("imagenet-resnet101", 2**33, 6, 101),
        ("imagenet-resnet152", 2**50, 6, 152), ("densenet121", 2**58, 5, 121),
        ("plain56", 1, 56, 56), ("vgg19", 1, 19, 19),
    ],
)  # fmt: skip
def test_polynomials_have_the_published_depth(model, paths, shortest, longest):
    counts = multiplied(factors_of(model))
    assert (sum(counts.values()), min(counts), max(counts)) == (paths, shortest, longest)
    assert sum(k * n for k, n in counts.items()) * 2 == (shortest + longest) * paths


@pytest.fixture(scope="module")
def untrained():
    return vanishing_gradients(depths=(14, 8), width=48, runs=2)


def test_table_sets_the_gradient_of_deeper_networks_beside_the_closed_form(untrained):
    lines = untrained.table().splitlines()
    start = lines.index("from 8 to 14 layers the gradient is multiplied by")
    relu = next(line for line in lines[start:] if line.startswith("relu "))
    assert relu.split()[1] == "0.00463"  # 6^-3
    shallow, deep = ([run["norms"][n - 1] for run in untrained.of("relu", n)] for n in (8, 14))
    ratios = [b / a for a, b in zip(shallow, deep, strict=True)]
    assert untrained.factor("relu", "last") == ratios
    assert all(0.25 < ratio * 6**3 < 4 for ratio in ratios)
    one_depth = dataclasses.replace(untrained, depths=(8,))
    assert "is multiplied by" not in one_depth.table() and len(one_depth.plot().panels) == 1


def test_plot_shows_the_gradient_of_the_first_layer_against_depth(untrained):
    panel = untrained.plot().panels[-1]
    assert panel.x == "weight layers in the network"
    for series in panel.series:
        runs = [[run["norms"][0] for run in untrained.of(series.name, n)] for n in (8, 14)]
        assert series.x == (8.0, 14.0)
        assert series.y == pytest.approx([np.median(values) for values in runs])


def test_a_gradient_that_is_zero_in_the_shallow_network_has_no_factor(untrained):
    cells = [{**cell, "norms": [0.0] * len(cell["norms"])} for cell in untrained.cells]
    dead = dataclasses.replace(untrained, cells=cells)
    assert all(map(math.isnan, dead.factor("relu", "first")))
    assert "nan" in dead.table()


SMALL_ZOO = ["plain-mlp", "resnet20", "residual-mlp"]


@pytest.fixture(scope="module")
def small_zoo():
    return zoo(SMALL_ZOO, side=32)


def test_zoo_counts_parameters_and_paths(small_zoo):
    found = {one.name: one for one in small_zoo.networks}
    assert [one.holds for one in small_zoo.networks] == [True] * 3
    assert found["resnet20"].parameters == 269_722
    assert found["residual-mlp"].published == ""
    assert (found["resnet20"].weight_free, found["resnet20"].between) == (1, 512)
    assert (found["plain-mlp"].weight_free, found["plain-mlp"].between) == (0, 1)
    assert all(one.gradient > 0 and one.peak > 0 for one in small_zoo.networks)
    table = small_zoo.table()
    line, *more = [line for line in table.splitlines() if line.startswith("resnet20 ")]
    assert line.split("  ")[0] == "resnet20" and "z^2 (1 + z^2)^9" in line and "0.27 M" in line
    assert "2 to 20    11" in line and f"{found['resnet20'].gradient:.3g}" in " ".join(
        [line, *more]
    )
    assert "in short, for the claim: 3 of 3 networks have" in table


@pytest.mark.parametrize(
    "changes", [{"parameters": 280_000}, {"counts": {2: 1}}, {"gradient": math.nan}]
)
def test_zoo_says_where_a_network_is_another_one(small_zoo, changes):
    networks = [
        dataclasses.replace(one, **changes) if one.name == "resnet20" else one
        for one in small_zoo.networks
    ]
    wrong = dataclasses.replace(small_zoo, networks=tuple(networks))
    assert [one.holds for one in wrong.networks] == [True, False, True]
    assert wrong.table().count("does not hold") == 1
    assert "in short, against the claim: 2 of 3 networks have" in wrong.table()


def test_zoo_plots_shares_that_sum_to_one_and_saves_exact_counts(small_zoo, tmp_path):
    for panel in small_zoo.plot().panels:
        for series in panel.series:
            assert 0.99 < sum(series.y) < 1 + 1e-12
    read = json.loads(small_zoo.save(tmp_path / "a.json").read_text())
    assert read["networks"][1]["counts"]["2"] == "1"
    assert zoo(["plain-mlp"]).plot().series["plain-mlp"].y == (1.0,)


REGRESSION = {"features": 3, "hidden": 4, "examples": 120, "steps": 900, "runs": 1}


@pytest.fixture(scope="module")
def regression():
    return pruned_regression(**REGRESSION, penalties=[0.0, 0.03, 1.0])


def test_without_hidden_units_gradient_descent_ends_at_least_squares(regression):
    assert regression.exact
    assert len(regression.alone) == 2
    for one in regression.alone:
        assert one.distance < 1e-8 and one.error == pytest.approx(one.linear, rel=1e-8)


def test_on_linear_data_hidden_units_are_pruned_to_the_linear_model(regression):
    (one,) = regression.rows()["linear", 0.03]
    assert one.left == 0 and one.distance < 1e-8


def test_each_run_of_a_regression_draws_other_data():
    found = pruned_regression(**REGRESSION | {"steps": 1, "runs": 2}, penalties=[0.0])
    for kind in ("linear", "linear + perturbation"):
        one, two = (fit for fit in found.alone if fit.kind == kind)
        assert one.least_squares != two.least_squares


def test_a_penalty_leaves_units_only_where_it_does_in_every_run(regression):
    again = tuple(dataclasses.replace(one, seed=1, left=0) for one in regression.pruned)
    found = dataclasses.replace(regression, seeds=(0, 1), pruned=(*regression.pruned, *again))
    said = "linear + perturbation: the penalties that leave units in every run: "
    assert f"{said}0.03\n" in regression.table()
    assert f"{said}none\n" in found.table()


def test_the_distance_from_least_squares_is_one_of_either_sign(regression):
    first = regression.alone[0]
    for off in (-1.0, 1.0):
        moved = (first.least_squares[0] + off, *first.least_squares[1:])
        assert dataclasses.replace(first, coefficients=moved).distance == pytest.approx(1)


def test_noise_beside_errors_is_a_square_as_they_are(regression):
    fits = (*regression.alone, *regression.pruned)
    assert [one.noise for one in fits] == pytest.approx([0.01] * len(fits))


def test_without_a_penalty_no_unit_is_pruned(regression):
    assert [
        regression.rows()[kind, 0.0][0].left for kind in ("linear", "linear + perturbation")
    ] == [4, 4]


def test_on_data_that_bend_units_stay_as_long_as_they_pay(regression):
    (kept,), (all_gone,) = (regression.rows()["linear + perturbation", p] for p in (0.03, 1.0))
    assert 1 <= kept.left < 4
    assert kept.error < kept.linear / 3
    assert all_gone.left == 0 and all_gone.distance < 1e-8


def test_regression_table_has_a_line_for_each_setting_and_its_plot_the_same_numbers(regression):
    lines = regression.table().splitlines()
    assert (
        sum(re.match(r"linear( \+ perturbation)?  +[\dn]", line) is not None for line in lines)
        == 2 + 6
    )
    assert any("all coefficients are those of least squares" in line for line in lines)
    first, *others = regression.alone
    off = (first.coefficients[0] + 1e-7, *first.coefficients[1:])
    worse = dataclasses.replace(
        regression, alone=(dataclasses.replace(first, coefficients=off), *others)
    )
    assert "not all coefficients" in worse.table()
    panel = regression.plot().panels[0]
    assert (panel.series[0].x, panel.series[0].y) == ((0.0, 0.03, 1.0), (4.0, 0.0, 0.0))
    assert panel.log_x


def test_regression_plot_says_what_a_penalty_does_where_it_does(regression):
    assert regression.plot().title.startswith("A penalty returns the linear model")
    kept = tuple(dataclasses.replace(one, left=1) for one in regression.pruned)
    found = dataclasses.replace(regression, pruned=kept)
    assert found.supported is False
    assert found.plot().title == "What a penalty leaves of hidden units beside a skip layer"


def test_plot_of_gradients_says_that_they_vanish_where_they_do(untrained):
    assert untrained.plot().title.startswith("Sigmoids lose the gradient")
    other = {"sigmoid": "residual", "residual": "sigmoid"}
    cells = [{**cell, "net": other.get(cell["net"], cell["net"])} for cell in untrained.cells]
    swapped = dataclasses.replace(untrained, cells=cells)
    assert swapped.plot().title == "Gradients by layer, with shortcuts and without"


def test_regression_plot_has_the_error_as_a_multiple_of_the_linear_models(regression):
    fits = tuple(dataclasses.replace(one, error=0.5, linear=2.0) for one in regression.pruned)
    units, error = dataclasses.replace(regression, pruned=fits).plot().panels
    assert (units.y, error.y) == (
        "hidden units left, of 4", "test error over that of the linear model",
    )  # fmt: skip
    assert [one.y for one in error.series] == [(0.25, 0.25, 0.25)] * 2


def test_quick_tables_of_regression_and_zoo_say_so(regression, small_zoo):
    for found in (regression, small_zoo):
        assert "quick setting" not in found.table()
    quick = dataclasses.replace(regression, quick=True).table()
    assert quick.endswith(f"quick setting: {regression.steps} steps, few penalties, 1 run")
    one = dataclasses.replace(small_zoo, networks=small_zoo.networks[:1], quick=True)
    assert one.table().endswith(f"quick setting: 1 of {len(nets.MODELS)} networks")
    assert one.as_dict()["quick"] is True


def test_five_blocks_say_how_they_were_trained(shown):
    found = shown["five-blocks"]
    steps = found.setting["steps"]
    words = f"trained on digits: {steps} steps of 64 images by Adam at 0.001, blocks of width"
    assert words in found.table() and "quick setting" not in found.table()
    quick = dataclasses.replace(found, quick=True).table()
    assert f"quick setting: {steps} steps; after the 300 of the full setting" in quick


def test_five_blocks_are_drawn_with_one_thread_as_they_were_trained(shown, monkeypatch):
    seen = []
    trained = five_blocks_study._train

    def spied(*arguments):
        seen.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
        return trained(*arguments)

    monkeypatch.setattr(five_blocks_study, "_train", spied)
    with threadpool_limits(2, "blas"):
        shown["five-blocks"].plot()
    assert seen and set(seen) == {1}


def test_regression_table_says_which_penalties_return_the_linear_model(regression):
    table = regression.table()
    assert "that leave no unit, and least squares: 0.03, 1\n" in table
    assert "that leave units in every run: 0.03\n" in table
    (gone,) = regression.rows()["linear", 1.0]
    another = dataclasses.replace(gone, left=1)
    one_left = dataclasses.replace(regression, pruned=(*regression.pruned, another))
    assert "that leave no unit, and least squares: 0.03\n" in one_left.table()


def test_regression_table_sets_each_coefficient_beside_least_squares(regression):
    fit = regression.alone[0]
    found = fit.least_squares
    row = next(line for line in regression.table().splitlines() if line.startswith("x_2"))
    assert row.split()[1:3] == [f"{found[1]:.3g}"] * 2
    x = linear_regression(120, 3, 0.1, 0.0, 0)
    design = np.column_stack([x.train_x, np.ones(len(x.train_x))])
    normal = np.linalg.solve(design.T @ design, design.T @ x.train_y[:, 0])
    for coefficients in (found, fit.coefficients):
        assert coefficients == pytest.approx(normal, rel=1e-7)


def test_numbers_do_not_depend_on_the_executor_and_are_kept(small_zoo, tmp_path):
    few = {**REGRESSION, "steps": 30, "penalties": [0.03]}
    with ThreadPoolExecutor(2) as threads:
        assert pruned_regression(**few, executor=threads) == pruned_regression(**few)
        assert zoo(SMALL_ZOO[:1], side=32, executor=threads).networks == small_zoo.networks[:1]
        ours = residual_module(runs=3, executor=threads, folder=tmp_path)
    assert ours == residual_module(runs=3, folder=tmp_path) == residual_module(runs=3)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("run", "arguments", "words"),
    [
        (chain_rule, {"runs": 0}, "chain_rule: runs=0"),
        (chain_rule, {"seed": -1}, "chain_rule: seed=-1"),
        (fully_connected, {"units": 0}, "fully_connected: units=0"),
        (forward_sums, {"depth": 0}, "forward_sums: depth=0"),
        (dead_units, {"width": 1.5}, "dead_units: width=1.5"),
        (residual_module, {"modules": 0}, "residual_module: modules=0"),
        (five_blocks, {"steps": 0}, "five_blocks: steps=0"),
        (additions_and_concatenations, {"layers": 0}, "additions_and_concatenations: layers=0"),
        (zoo, {"models": ["resnet21"]}, r"zoo: models=\['resnet21'\]"),
        (zoo, {"models": []}, r"zoo: models=\(\)"),
        (zoo, {"side": 16}, "zoo: side=16"),
        (pruned_regression, {"penalties": []}, r"pruned_regression: penalties=\[\]"),
        (pruned_regression, {"penalties": [-1.0]}, r"penalties=\[-1.0\]"),
        (pruned_regression, {"noise": math.nan}, "noise=nan"),
        (pruned_regression, {"examples": 7}, "examples=7"),
    ],
)  # fmt: skip
def test_number_out_of_bounds_is_refused_before_any_work(monkeypatch, run, arguments, words):
    for module in (demonstration, sys.modules[run.__module__]):
        monkeypatch.setattr(module, "sweep", None, raising=False)
    with pytest.raises(UsageError, match=words):
        run(**arguments)


def test_command_writes_table_picture_and_numbers(tmp_path, capsys):
    assert main(["experiment", "chain-rule", "--quick", "--out", str(tmp_path)]) == 0
    assert "∂F/∂m · ∂m/∂x" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"chain-rule.png", "chain-rule.json"}
