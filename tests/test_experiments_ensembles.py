"""Lesions and path lengths: surgery against zeroed weights, orders against closed forms."""

import dataclasses
import functools
import json
import math
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import data, nets
from tinygrad_res.errors import UsageError
from tinygrad_res.experiments import (
    EXPERIMENTS,
    at_random,
    effective_paths,
    lesions,
    recipe,
    resnet_lengths,
    resnet_path_lengths,
    short_path_training,
    short_paths,
)
from tinygrad_res.experiments import lesion_study as surgery
from tinygrad_res.experiments.lengths import Lengths
from tinygrad_res.experiments.lesion_report import Lesioned, Lesions
from tinygrad_res.experiments.resnet_lengths_report import (
    ResNetPathLengths,
    falloff,
    interval,
    missed,
    paths_within,
)
from tinygrad_res.experiments.short_path_training import ShortPaths, ShortPathTraining


def images(n=6):
    return np.random.default_rng(0).standard_normal((n, 1, 8, 8)).astype(np.float32)


def through(network, ways, x):
    with tg.no_grad():
        h = network.stem(tg.tensor(x))
        for way in ways:
            h = way(h)
        return network.head(h).numpy()


@pytest.mark.parametrize("deleted", [{0}, {2}, {1, 4}, {0, 1, 2, 3, 4, 5}])
def test_deleted_units_are_those_whose_branch_gives_zero(deleted):
    network = nets.resnet(14, channels=1, rng=0).eval()
    found = through(network, surgery.without(list(network.body), deleted), images())
    intact = through(network, network.body, images())
    for i in deleted:
        norm = list(network.body[i].branch)[-1]
        norm.weight.data = np.zeros_like(norm.weight.data)  # gamma; beta starts as zero
    np.testing.assert_allclose(found, network(images()).data, rtol=1e-6)
    assert not np.allclose(found, intact)


def test_deleted_fully_connected_units_are_those_whose_last_layer_is_zero():
    network = nets.residual_mlp(3, rng=0)
    found = through(network, surgery.without(list(network.body), {1}), images())
    last = list(network.body[1].branch)[-1]
    for values in (last.weight, last.bias):
        values.data = np.zeros_like(values.data)
    np.testing.assert_allclose(found, network(images()).data, rtol=1e-6)


def test_deleted_plain_layer_is_the_identity_or_every_second_pixel_beside_zeros():
    network = nets.resnet(8, channels=1, rng=0, shortcut="none").eval()
    layers = surgery.layers(network)
    x = tg.tensor(np.random.default_rng(0).standard_normal((2, 16, 4, 4)))
    assert surgery.bypass(layers[0], x) is x
    down = surgery.bypass(layers[2], x).data
    assert down.shape == (2, 32, 2, 2)
    np.testing.assert_array_equal(down[:, 8:24], x.data[:, :, ::2, ::2])
    assert not down[:, :8].any()
    assert not down[:, 24:].any()


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (nets.resnet(14, channels=1, rng=0, shortcut="none"), 12),
        (nets.plain_mlp(3, rng=0), 6),
    ],
)
def test_layers_of_a_plain_network_one_after_the_other_are_its_body(network, count):
    network.eval()
    layers = surgery.layers(network)
    assert len(layers) == count
    np.testing.assert_array_equal(through(network, layers, images()), network(images()).data)
    assert sum(len(layer.parameters()) for layer in layers) == len(network.body.parameters())


def test_shape_changes_at_the_first_unit_of_the_second_and_third_stage_alone():
    residual = [surgery.changes_shape(block) for block in nets.resnet(20, channels=1).body]
    plain = surgery.layers(nets.resnet(14, channels=1, shortcut="none"))
    assert [i for i, changes in enumerate(residual) if changes] == [3, 6]
    assert [i for i, layer in enumerate(plain) if surgery.changes_shape(layer)] == [4, 8]
    assert not any(surgery.changes_shape(layer) for layer in surgery.layers(nets.plain_mlp(2)))


def test_a_layer_with_a_stride_changes_the_shape():
    layers = [tg.nn.Sequential(tg.nn.Conv2d(4, 4, 3, stride, padding=1)) for stride in (1, 2)]
    assert [surgery.changes_shape(layer) for layer in layers] == [False, True]


def test_units_change_places_within_a_stage_and_those_that_change_the_shape_never():
    blocks = list(nets.resnet(32, channels=1).body)
    orders = [surgery.reordered(blocks, 9, np.random.default_rng(seed)) for seed in range(40)]
    for order in orders:
        assert sorted(order) == list(range(15))
        assert (order[5], order[10]) == (5, 10)
        assert [i // 5 for i in order] == [i // 5 for i in range(15)]
    for place in (0, 4, 6, 14):
        stage = {i for i in range(15) if i // 5 == place // 5 and i not in (5, 10)}
        assert {order[place] for order in orders} == stage
    assert surgery.reordered(blocks, 0, np.random.default_rng(0)) == list(range(15))


def test_tau_of_one_swap_has_the_closed_form_of_its_distance():
    blocks = list(nets.residual_mlp(7).body)
    found = set()
    for seed in range(60):
        order = surgery.reordered(blocks, 1, np.random.default_rng(seed))
        i, j = (k for k, unit in enumerate(order) if unit != k)
        found.add(j - i)
        assert surgery.tau(order) == pytest.approx(1 - 2 * (2 * (j - i) - 1) / math.comb(7, 2))
    assert found == {1, 2, 3, 4, 5, 6}


def test_draws_are_all_choices_alike():
    counts = np.zeros(6)
    for draw in range(300):
        one = surgery.chosen(6, 2, draw)
        assert len(set(one)) == 2
        counts[one] += 1
    assert abs(counts - 100).max() < 4 * math.sqrt(300 * 2 / 9)


def test_error_is_the_share_of_wrong_images_over_all_batches(monkeypatch):
    digits, network = data.load("digits"), nets.residual_mlp(2, rng=0)
    expected = np.mean(network(digits.test_x).data.argmax(axis=1) != digits.test_y)
    assert surgery._error(network, digits, network.body) == expected
    monkeypatch.setattr(surgery, "EVALUATION_BATCH", 100)
    assert surgery._error(network, digits, network.body) == expected


SMALL = {"family": "fully connected", "depth": 14, "plain_depth": 8, "draws": 3, "runs": 2}


@pytest.fixture(scope="module")
def small():
    return lesions(**SMALL, steps=105, seed=3)


def test_every_draw_deletes_and_swaps_other_units(monkeypatch):
    def deleted(network, data, ways):  # in the place of an error: a bit for each
        return sum(2**i for i, way in enumerate(ways) if isinstance(way, functools.partial))

    monkeypatch.setattr(surgery, "fit", lambda *_, **__: None)
    monkeypatch.setattr(surgery, "_error", deleted)
    found = surgery._run("fully connected", 26, "identity", steps=1, draws=4, seed=0)
    assert [len({bin(bits).count("1") for bits in row}) for row in found["deleted"]] == [1] * 7
    assert all(len(set(row)) > 1 for row in found["deleted"][1:])
    assert all(len(set(row)) > 1 for row in found["taus"][2:])


def test_lesions_tell_a_residual_network_from_a_plain_one(small):
    for residual, plain in zip(small.residual, small.plain, strict=True):
        assert max(residual.intact, plain.intact) < 0.2
        assert max(residual.single) < 0.35
        assert min(plain.single) > 0.6
        assert residual.many(0.5) < 0.6 < plain.many(1 / 6)
        assert residual.shuffled(1) < 0.35
        assert plain.shuffled(1) > 0.6


def test_nothing_deleted_and_nothing_swapped_is_the_intact_network(small):
    for one in small.residual + small.plain:
        assert set(one.deleted[0]) == set(one.swapped[0]) == {one.intact}
        assert one.taus[0] == pytest.approx([1.0] * 3)
        assert set(one.deleted[1]) <= set(one.single)
        assert len(one.deleted) == 4


def test_convolutional_networks_go_through_the_same_lesions(monkeypatch):
    digits = data.load("digits")
    few = data.Images("few", *(part[:64] for part in list(vars(digits).values())[1:]))
    error, averaged = surgery._error, []
    monkeypatch.setattr(recipe, "images", lambda *_: few)
    monkeypatch.setattr(
        surgery, "_error",
        lambda network, *rest: averaged.append(not any(m.training for m in network.modules()))
        or error(network, *rest),
    )  # fmt: skip
    found = lesions("convolutional", depth=14, plain_depth=8, steps=1, draws=1, runs=1)
    (residual,), (plain,) = found.residual, found.plain
    assert (residual.name, plain.name) == ("preresnet14", "plain8")
    assert residual.changes == plain.changes == (False, False, True, False, True, False)
    assert averaged
    assert all(averaged)
    assert "that changes shape" in found.table()
    assert "nothing is normalised" not in found.table()


def test_no_number_depends_on_the_executor_and_finished_networks_are_kept(tmp_path, monkeypatch):
    setting = {**SMALL, "runs": 1, "draws": 1, "steps": 2}
    here = lesions(**setting, folder=tmp_path)
    with ThreadPoolExecutor(2) as threads:
        assert lesions(**setting, executor=threads) == here
    monkeypatch.setattr(surgery, "fit", None)
    assert lesions(**setting, folder=tmp_path) == here


def made(**changes):
    residual = Lesioned(
        "residual", (False, True, False, False), 0.05, (0.06, 0.3, 0.08, 0.07),
        ((0.05, 0.05), (0.1, 0.2), (0.3, 0.5)), surgery.SWAPS,
        tuple((1 - k / 64, 1 - k / 32) for k in surgery.SWAPS),
        tuple((k / 100, k / 50) for k in surgery.SWAPS),
    )  # fmt: skip
    plain = Lesioned(**{**vars(residual), "name": "plain", "single": (0.9, 0.8, 0.7, 1.0)})
    fields = {
        "family": "convolutional", "seeds": (0,), "steps": 3, "draws": 2, "quick": False,
        "residual": (residual,), "plain": (plain,),
    }  # fmt: skip
    return Lesions(**{**fields, **changes})


def test_table_gives_errors_in_per_cent_and_the_paths_that_are_left():
    rows = [" ".join(line.split()) for line in made().table().splitlines()]
    for row in (
        "nothing 5 5",
        "one deleted, median minimal impact 2^3 7.5 85",
        "one deleted, worst minimal impact 2^3 8 100",
        "that changes shape slightly higher 2^3 30 80",
        "a quarter deleted smooth increase 2^3 15 15",
        "half deleted severe drop 2^2 40 40",
        "4 pairs swapped smooth increase 6 6",
        "order left by 1, 4 and 32 swaps, Kendall's tau, mean over draws: residual 0.98, 0.91, 0.25",
    ):
        assert row in rows


def test_lesions_tell_whether_the_residual_network_loses_less():
    found = made()
    one = "a deleted layer leaves the plain network"
    assert f"in short, for the claim: {one} 85 % wrong" in found.table()
    swapped = made(residual=found.plain, plain=found.residual).table()
    assert f"in short, against the claim: {one} 7.5 % wrong" in swapped


def test_table_says_which_single_units_a_residual_network_cannot_lose():
    table = made().table()
    assert "the worst single unit is number 2, from the input; 1 of 4 cost more" in table
    (first,) = made().residual
    other = Lesioned(**{**vars(first), "single": (0.2, 0.3, 0.4, 0.05)})
    both = made(residual=(first, other), plain=made().plain * 2, seeds=(0, 1)).table()
    assert "is number 2 or 3, from the input; 2 (1 to 3) of 4" in both


def test_a_quick_table_of_lesions_says_so():
    assert "quick setting: 3 steps of MLPs, 2 draws" in made(quick=True).table()
    assert "quick setting" not in made().table()


def test_half_of_an_odd_number_is_the_smaller_half():
    (four,) = made().residual
    seven = Lesioned(
        **{**vars(four), "single": (0.1,) * 7, "deleted": ((0.1,), (0.2,), (0.3,), (0.4,))}
    )
    assert (seven.many(0.25), seven.many(0.5)) == (0.2, 0.4)


def test_table_gives_the_median_and_range_of_several_runs():
    (first,) = made().residual
    runs = tuple(Lesioned(**{**vars(first), "intact": e}) for e in (0.05, 0.01, 0.02))
    assert "2 (1 to 5)" in made(residual=runs, plain=runs, seeds=(0, 1, 2)).table()


def test_plot_shows_each_network_at_its_own_places(tmp_path):
    (plain,) = made().plain
    more = Lesioned(**{**vars(plain), "single": plain.single * 2, "deleted": plain.deleted * 2})
    plot = made(plain=(more,)).plot()
    one, many, order = plot.panels
    assert one.series[0].x == (1, 2, 3, 4)
    assert one.series[0].y == pytest.approx((6, 30, 8, 7))
    assert one.series[1].x == (1, 2, 3, 4, 5, 6, 7, 8)
    assert (many.series[0].x, many.x) == ((0, 1, 2), "number deleted, of 4 units or 8 layers")
    assert many.series[0].y == pytest.approx((5, 15, 40))
    assert many.series[1].x == (0, 1, 2, 3, 4, 5)
    assert order.series[0].x == pytest.approx([k * 3 / 128 for k in surgery.SWAPS])
    assert order.series[0].y == pytest.approx([1.5 * k for k in surgery.SWAPS])
    assert made().save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_numbers_of_swaps_that_leave_the_same_disorder_share_a_place():
    (one,) = made().residual
    taus = ((1.0, 1.0), (0.5, 0.7), (1.0, 1.0), *one.taus[3:])
    swapped = ((0.1, 0.1), (0.2, 0.3), (0.1, 0.4), *one.swapped[3:])
    again = Lesioned(**{**vars(one), "taus": taus, "swapped": swapped})
    order = made(residual=(again,)).plot().panels[2].series[0]
    assert order.x[0] == 0
    assert order.y[0] == pytest.approx(100 * (0.1 + 0.1 + 0.1 + 0.4) / 4)
    assert dict(zip(order.x, order.y, strict=True))[1 - 0.6] == pytest.approx(25)


def test_saved_numbers_read_back(small, tmp_path):
    values = json.loads(small.save(tmp_path / "a.json").read_text())
    assert tuple(map(Lesioned.from_plain, values["residual"])) == small.residual
    assert tuple(map(Lesioned.from_plain, values["plain"])) == small.plain
    assert values["seeds"] == [3, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "dense"}, "family='dense': use convolutional, fully connected"),
        ({"depth": 18}, "depth 18 is not 6n \\+ 2"),
        ({"plain_depth": 10}, "depth 10 is not 6n \\+ 2"),
        ({"depth": 8}, "depth=8: no two units can be swapped"),
        ({"steps": 0}, "steps=0"),
        ({"draws": 0}, "draws=0"),
        ({"runs": 1.5}, "runs=1.5"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_argument_out_of_bounds_is_refused_before_any_work(monkeypatch, arguments, message):
    monkeypatch.setattr(surgery, "sweep", None)
    with pytest.raises(UsageError, match=f"lesions: {message}"):
        lesions(**arguments)


def test_experiments_are_listed_for_the_command_line():
    assert EXPERIMENTS["lesions"].run is lesions
    assert EXPERIMENTS["path-lengths"].run is resnet_path_lengths
    assert EXPERIMENTS["short-paths"].run is short_paths


def test_interval_is_the_shortest_that_holds_the_share():
    for units in (6, 13, 54):
        mass = {k: math.comb(units, k) * 0.7**k for k in range(units + 1)}
        for share in (0.5, 0.95, 0.999):
            low, high = interval(mass, share)
            held = sum(mass[k] for k in range(low, high + 1)) / sum(mass.values())
            assert held >= share
            shorter = (
                sum(mass[k] for k in range(start, start + high - low))
                for start in range(units + 1 - high + low)
            )
            assert max(shorter) < share * sum(mass.values())


def test_interval_of_unordered_or_lonely_lengths():
    assert interval({3: 1.0, 0: 0.0, 5: 1.0, 1: 0.0}) == (3, 5)
    assert interval({4: 2.0}) == (4, 4)
    assert interval({0: 0.5, 1: 0.5}, 0.5) == (0, 0)
    assert interval({0: 1.0, 2: 1.0}, 1.0) == (0, 2)


def test_veits_intervals_hold_the_pinned_shares_of_the_paths():
    run = at_random(54, 0.3)
    assert paths_within(run, (5, 17)) == pytest.approx(81_725_384_002_200 / 2**54, rel=1e-12)
    assert paths_within(run, (19, 35)) == pytest.approx(0.980166, abs=5e-7)
    assert interval(run.counts) == (20, 34)  # binomial: 95.9 %, and 20 to 33 but 93.8 %


def test_falloff_is_the_geometric_mean_of_products_of_equal_branches():
    assert falloff(at_random(54, 0.3)) == pytest.approx(0.3)
    uneven = Lengths({0: 1}, {0: 1.0}, {0: 1.0}, {0: 8.0, 1: 0.0, 2: 2.0, 3: 1.0}, 1.0)
    assert falloff(uneven) == pytest.approx(0.5)


def test_unit_of_a_resnet_without_its_branch_is_a_path_of_no_length():
    digits = data.load("digits")
    network = nets.resnet(8, channels=1, rng=0).to("cpu", "float64")
    x, y = digits.test_x[:8], digits.test_y[:8]
    parts = effective_paths.loss_paths(network, x, y).gradient_by("block")
    assert {k: effective_paths.loss_paths(network, x, y).count_by("block")[k] for k in parts} == {
        0: 1, 1: 3, 2: 3, 3: 1,
    }  # fmt: skip

    def gradient(live):
        image = tg.tensor(x, requires_grad=True, dtype="float64")
        h = network.stem(image)
        for i, block in enumerate(network.body):
            branch = block.branch(h)
            inner = branch if i in live else tg.stop_gradient(branch)
            h = block.after((h if block.shortcut is None else block.shortcut(h)) + inner)
        tg.cross_entropy(network.head(h), y).backward()
        return image.grad.numpy()

    free, ones = gradient(()), [gradient((i,)) for i in range(3)]
    np.testing.assert_allclose(parts[0], free, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(parts[1], sum(ones) - 3 * free, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(sum(parts.values()), gradient((0, 1, 2)), rtol=1e-9, atol=1e-15)


TINY = {"depth": 8, "steps": 2, "samples": 3, "batch": 8}


@pytest.fixture(scope="module")
def tiny():
    return resnet_path_lengths(**TINY, runs=2, seed=5)


def test_path_lengths_are_measured_before_and_after_for_each_seed(tiny):
    assert tiny.seeds == (5, 6)
    assert len(tiny.errors) == 2
    for before, after in zip(tiny.before, tiny.after, strict=True):
        assert before != after
        for run in (before, after):
            assert run.counts == {0: 1, 1: 3, 2: 3, 3: 1}
            assert sum(run.shares.values()) == pytest.approx(1)
            for k in (0, 3):  # one path: nothing to cancel
                assert run.norms[k] == pytest.approx(run.estimate[k], rel=1e-9)
            for k in (1, 2):  # all three paths are sampled
                assert run.norms[k] <= run.estimate[k]


def test_paths_are_sampled_by_the_seed_before_and_after(monkeypatch):
    seeds, measured = [], resnet_lengths.measured
    monkeypatch.setattr(
        resnet_lengths, "measured", lambda *given: seeds.append(given[-1]) or measured(*given)
    )
    resnet_lengths._run(**TINY, seed=5)
    assert seeds == [5, 5]


def test_the_error_is_what_the_score_leaves(monkeypatch):
    monkeypatch.setattr(resnet_lengths, "fit", lambda *_, **__: types.SimpleNamespace(score=0.75))
    monkeypatch.setattr(resnet_lengths, "measured", lambda *_: at_random(3, 0.3))
    assert resnet_lengths._run(**TINY, seed=5)["error"] == 0.25


def test_what_is_called_before_is_measured_before_the_training(monkeypatch):
    runs, done = [at_random(3, 0.3), at_random(3, 0.6)], []
    monkeypatch.setattr(
        resnet_lengths, "fit", lambda *_, **__: done.append("fit") or types.SimpleNamespace(score=1)
    )
    monkeypatch.setattr(
        resnet_lengths, "measured", lambda *_: done.append("measured") or runs[done.count("fit")]
    )
    found = resnet_lengths._run(**TINY, seed=5)
    assert done == ["measured", "fit", "measured"]
    assert [Lengths.from_plain(found[stage]) for stage in ("before", "after")] == runs
    monkeypatch.setattr(resnet_lengths, "sweep", lambda *_: [found])
    result = resnet_path_lengths(**TINY, runs=1)
    assert [*result.before, *result.after] == runs
    assert result.plot().panels[1].series[0].y == pytest.approx([0.3**k for k in range(4)])


def test_path_lengths_do_not_depend_on_the_executor_and_are_kept(tmp_path, monkeypatch):
    here = resnet_path_lengths(**TINY, runs=1, folder=tmp_path)
    with ThreadPoolExecutor(2) as threads:
        assert resnet_path_lengths(**TINY, runs=1, executor=threads) == here
    monkeypatch.setattr(resnet_lengths, "fit", None)
    assert resnet_path_lengths(**TINY, runs=1, folder=tmp_path) == here


def closed(**changes):
    runs = (at_random(54, 0.3),)
    fields = {
        "depth": 110, "steps": 9, "samples": 4, "batch": 8, "seeds": (0,), "quick": False,
        "errors": (0.05,), "before": (at_random(54, 1.0),), "after": runs,
    }  # fmt: skip
    return ResNetPathLengths(**{**fields, **changes})


def test_table_sets_closed_forms_beside_veits_numbers():
    rows = [" ".join(line.split()) for line in closed().table().splitlines()]
    halves = sum(math.sqrt(math.comb(54, k)) for k in range(55))
    for row in (  # the estimate of equal branches is binomial, too: with p = gain / (1 + gain)
        "paths: 95 % from 19 20 20",
        "to 35 34 34",
        "single path: factor a unit below 1 1 0.3",
        "estimate: 95 % from 5 20 7",
        "to 17 34 19",  # 96.4 %; 7 to 18 hold 94.9 %
        "centre 27 12.5",
        f"estimate over exact total {2**54 / halves:,.0f} 44,429",
    ):
        assert row in rows


def test_an_estimate_below_the_exact_norm_is_told_as_a_sample_too_small():
    run = at_random(54, 0.3)
    assert (missed(run), missed(at_random(54, 1.0))) == (0, 0)
    few = {k: norm * (1e-12 if k in (20, 21, 22) else 1) for k, norm in run.single.items()}
    assert missed(dataclasses.replace(run, single=few)) == 3
    few = dict.fromkeys(run.single, 1e-30)
    assert missed(dataclasses.replace(run, single=few)) == 55
    table = closed(after=(dataclasses.replace(run, single=few),), quick=True).table()
    after = table[table.index("after training: the estimate's centre") :].splitlines()
    assert after[0].endswith("centre is above the exact one in 1 of 1 runs;")
    assert after[1] == "  it is below the exact norm at 55 of 55 lengths"
    assert "quick setting: 54 units, 9 steps, 4 samples for each length" in table


def test_paths_are_told_to_be_short_where_estimate_and_exact_gradient_are_in_that_order():
    said = " ".join(closed().table().partition("in short, ")[2].split())
    assert said.startswith("for the claim: the gradient comes through short paths")
    assert (
        "of 2^54 paths, which cross 27 of 54 units on average, the estimate centres at 12.5" in said
    )
    assert said.endswith("the exact gradient, which no sampling gives, at 4.92")
    run = at_random(54, 0.3)
    none = dataclasses.replace(run, single={k: 1e-30**k for k in run.single})
    assert "in short, against the claim" in closed(after=(none,)).table()
    assert "in short, for the claim in part" in closed(after=(none, run)).table()


def test_numbers_of_54_units_are_not_held_against_another_depth():
    table = closed(depth=20).table()
    assert "0.45" not in table
    assert "98.0 %" not in table


def test_plot_of_path_lengths_has_the_panels_of_figure_6_and_the_exact_norms(tmp_path):
    result = closed()
    counts, single, _, after = result.plot().panels
    (run,) = result.after
    assert counts.series[0].y == pytest.approx([math.comb(54, k) / 2**54 for k in range(55)])
    assert single.log
    assert [one.name for one in after.series] == ["exact, centre 4.92", "estimate, centre 12.5"]
    assert result.plot().title.startswith("preresnet110's gradient takes shorter paths")
    assert single.series[1].y == pytest.approx([0.3**k for k in range(55)])
    for series, mass in zip(after.series, (run.norms, run.estimate), strict=True):
        assert series.y == pytest.approx([m / sum(mass.values()) for m in mass.values()])
    assert result.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_saved_path_lengths_read_back(tiny, tmp_path):
    values = json.loads(tiny.save(tmp_path / "a.json").read_text())
    for stage in ("before", "after"):
        for run, saved in zip(getattr(tiny, stage), values[stage], strict=True):
            assert [int(row["paths"]) for row in saved["by_length"]] == list(run.counts.values())
            assert [row["gradient_norm"] for row in saved["by_length"]] == list(run.norms.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 9}, "depth 9 is not 6n \\+ 2"),
        ({"samples": 0}, "samples=0"),
        ({"batch": 1}, "batch=1: there are 449 held-out images: use 2 to 449"),
        ({"batch": 450}, "batch=450: there are 449 held-out images"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_number_out_of_bounds_is_refused_before_any_work(monkeypatch, arguments, message):
    monkeypatch.setattr(resnet_lengths, "sweep", None)
    with pytest.raises(UsageError, match=f"resnet_path_lengths: {message}"):
        resnet_path_lengths(**arguments)


@pytest.mark.parametrize("way", ["dropped", "constant"])
def test_step_along_short_paths_crosses_the_units_it_takes_and_no_other(way):
    network = nets.resnet(20, channels=1, rng=0)
    short = ShortPaths(network, 4, way, seed=1)
    for _ in range(3):
        x = tg.tensor(images(4), requires_grad=True)
        loss = tg.sum(tg.square(short(x)))
        assert tg.paths(loss, x).count_by("block") == {k: math.comb(4, k) for k in range(5)}
        short.zero_grad()
        loss.backward()
        moved = [any(p.grad.any() for p in unit.parameters()) for unit in network.body]
        assert sum(moved) == 4
        assert all(p.grad is not None for p in network.parameters())


def test_units_taken_as_constants_add_what_they_compute_and_dropped_ones_nothing():
    network = nets.resnet(8, channels=1, rng=0)
    whole = network(images()).data
    constant = ShortPaths(network, 1, "constant", seed=0)(images()).data
    np.testing.assert_allclose(constant, whole, rtol=1e-5, atol=1e-6)
    (taken,) = np.random.default_rng(0).choice(3, 1, replace=False)
    dropped = ShortPaths(network, 1, "dropped", seed=0)(images()).data
    left = surgery.without(list(network.body), {0, 1, 2} - {taken})
    np.testing.assert_allclose(dropped, through(network, left, images()), rtol=1e-5, atol=1e-6)
    assert not np.allclose(dropped, whole)


def test_gradient_with_constant_units_is_that_of_their_outputs_held_fixed():
    network = nets.residual_mlp(3, rng=0).to("cpu", "float64")
    at = images().astype(np.float64)
    x = tg.tensor(at, requires_grad=True)
    (taken,) = np.random.default_rng(0).choice(3, 1, replace=False)
    tg.sum(ShortPaths(network, 1, "constant", seed=0)(x)).backward()

    def output(image, held):
        h, seen = network.stem(tg.tensor(image)), []
        for i, unit in enumerate(network.body):
            seen.append(unit.branch(h).data)
            h = h + (seen[i] if i == taken or held is None else held[i])
        return network.head(h).data.sum(), seen

    _, held = output(at, None)
    along, step = np.random.default_rng(1).standard_normal(at.shape), 1e-6
    slope = (output(at + step * along, held)[0] - output(at - step * along, held)[0]) / (2 * step)
    assert np.sum(x.grad.numpy() * along) == pytest.approx(slope, rel=1e-6)
    whole = (output(at + step * along, None)[0] - output(at - step * along, None)[0]) / (2 * step)
    assert whole != pytest.approx(slope, rel=1e-3)


def test_units_are_all_used_in_evaluation_and_where_all_paths_are_trained():
    network = nets.residual_mlp(3, rng=0)
    expected = network(images()).data
    np.testing.assert_array_equal(ShortPaths(network, 1, "all", seed=0)(images()).data, expected)
    short = ShortPaths(network, 1, "dropped", seed=0).eval()
    np.testing.assert_array_equal(short(images()).data, expected)


QUICK = {"family": "fully connected", "depth": 14, "steps": 20, "runs": 2}


@pytest.fixture(scope="module")
def trained():
    return short_paths(**QUICK, seed=4)


def test_ways_of_training_start_alike_and_are_measured_along_the_way(trained):
    assert (trained.units, trained.taken, trained.seeds) == (6, 3, (4, 5))
    assert trained.at == (2, 4, 6, 8, 10, 12, 14, 16, 18, 20)
    assert list(trained.errors) == ["all", "dropped", "constant"]
    for runs in trained.errors.values():
        assert len(runs) == 2
        assert all(len(row) == 10 and row[-1] < row[0] for row in runs)
    assert len({runs[0] for runs in trained.errors.values()}) == 3


def test_averages_taken_anew_are_those_of_the_whole_network(trained, monkeypatch):
    for way, runs in trained.errors.items():  # nothing is normalised: nothing changes
        assert trained.anew[way] == pytest.approx([row[-1] for row in runs])
    run = functools.partial(
        short_path_training._run, "convolutional", 8, taken=1, steps=12, way="dropped", seed=0
    )
    found = run()
    assert found["anew"] != found["errors"][-1]
    monkeypatch.setattr(short_path_training, "ANEW", 0)
    assert run() == {**found, "anew": found["errors"][-1]}


def test_of_54_units_a_step_takes_23(monkeypatch):
    cells = []
    monkeypatch.setattr(
        short_path_training, "sweep",
        lambda _, given, *__: cells.extend(given)
        or [{"name": "", "at": [1], "errors": [0.5], "anew": 0.5} for _ in given],
    )  # fmt: skip
    assert short_paths(depth=110).units == 54
    assert {cell["taken"] for cell in cells} == {23}


def test_short_path_training_does_not_depend_on_the_executor(trained):
    with ThreadPoolExecutor(2) as threads:
        assert short_paths(**QUICK, seed=4, executor=threads) == trained


def test_table_of_short_path_training_takes_differences_seed_by_seed():
    errors = {
        "all": ((0.5, 0.01), (0.5, 0.05)),
        "dropped": ((0.5, 0.04), (0.5, 0.07)),
        "constant": ((0.5, 0.01), (0.5, 0.03)),
    }
    anew = {"all": (0.02, 0.05), "dropped": (0.04, 0.06), "constant": (0.01, 0.03)}
    found = ShortPathTraining("resnet20", 9, 4, 8, (0, 1), False, (4, 8), errors, anew)
    rows = [" ".join(line.split()) for line in found.table().splitlines()]
    assert "all 2^9 6.10 3 (1 to 5) 3.5 (2 to 5)" in rows
    assert "short, others dropped 2^4 5.96 5.5 (4 to 7) 5 (4 to 6) 1.5 (1 to 2)" in rows
    assert "short, others constant 2^4 5.96 2 (1 to 3) 2 (1 to 3) -1.5 (-2 to -1)" in rows
    said = "Veit et al.: better, 5.96 against 6.10 %"
    assert f"short, others dropped: worse than all paths in 2 of 2 runs; {said}" in rows
    assert f"short, others constant: worse than all paths in 0 of 2 runs; {said}" in rows
    ends = "running averages taken anew: all 3.5, dropped 5, constant 2"
    assert ends in found.plot().panels[0].note
    assert found.plot().series["all"].x == (4, 8)
    assert found.plot().series["short, dropped"].y == pytest.approx((50, 5.5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": 1}, "family=1: use convolutional"),
        ({"depth": 21}, "depth 21 is not 6n"),
        ({"steps": 0}, "steps=0"),
    ],
)
def test_short_paths_refuses_before_any_work(monkeypatch, arguments, message):
    monkeypatch.setattr(short_path_training, "sweep", None)
    with pytest.raises(UsageError, match=f"short_paths: {message}"):
        short_paths(**arguments)


@pytest.mark.parametrize(
    ("module", "cell", "factors"),
    [
        (surgery, {"depth": 14, "shortcut": "none", "draws": 1}, [1, 1, 1, 0.1, 0.01]),
        (short_path_training, {"depth": 14, "taken": 2, "way": "dropped"}, [1, 1, 1, 0.1, 0.01]),
        (resnet_lengths, {"depth": 8, "samples": 1, "batch": 2}, [0.1, 0.1, 1, 0.1, 0.01]),
    ],
)
def test_learning_rate_falls_at_half_and_three_quarters(monkeypatch, module, cell, factors):
    def fit(*_, schedule, seed, steps, **__):
        assert (seed, steps) == (3, 40)
        assert [schedule(step) for step in (0, 3, 4, 20, 30)] == pytest.approx(factors)
        raise ZeroDivisionError  # the training is not what is asked for

    monkeypatch.setattr(module, "fit", fit)
    family = {} if module is resnet_lengths else {"family": "fully connected"}
    with pytest.raises(ZeroDivisionError):
        module._run(**family, **cell, steps=40, seed=3)


@pytest.mark.parametrize(
    ("module", "cell"),
    [
        (surgery, {"depth": 14, "shortcut": "identity", "draws": 1}),
        (short_path_training, {"depth": 14, "taken": 2, "way": "dropped"}),
        (resnet_lengths, {"depth": 8, "samples": 1, "batch": 2}),
    ],
)
def test_convolutional_residual_units_are_preactivated_as_veits(monkeypatch, module, cell):
    def fit(trained, *_, **__):
        units = list(getattr(trained, "network", trained).body)
        kinds = [type(part).__name__ for part in units[1].branch]
        assert kinds == ["BatchNorm2d", "ReLU", "Conv2d"] * 2
        assert all(unit.after is None for unit in units)
        raise ZeroDivisionError

    monkeypatch.setattr(module, "fit", fit)
    family = {} if module is resnet_lengths else {"family": "convolutional"}
    with pytest.raises(ZeroDivisionError):
        module._run(**family, **cell, steps=2, seed=0)
