"""Experiments: the numbers behind a finding, against closed forms, enumeration and PyTorch."""

import dataclasses
import functools
import itertools
import json
import math
import multiprocessing
import pickle
import re
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import tinygrad_res as tg
from tinygrad_res import data, nets, report
from tinygrad_res.cli import main
from tinygrad_res.errors import FigureError, FileError, GraphError, UsageError
from tinygrad_res.experiments import (
    EXPERIMENTS,
    EffectivePathLength,
    Experiment,
    at_random,
    effective_path_length,
    effective_paths,
    five_blocks,
    path_lengths,
    sensitivity,
)  # fmt: skip
from tinygrad_res.grading import norm
from tinygrad_res.report import Training


def linear_chain(slopes):
    """Return the paths of a chain of blocks h + a h, whose products are products of slopes."""
    x = tg.tensor([3.0, -4.0], requires_grad=True, name="x")
    h = x
    for slope in slopes:
        with tg.scope("branch", branch=True):
            inner = slope * h
        h = h + inner
    return tg.paths(h.sum(), x)


def symmetric(slopes, k):
    """Return the elementary symmetric polynomial: the sum over all paths of length k."""
    return math.fsum(math.prod(chosen) for chosen in itertools.combinations(slopes, k))


def chain(*slopes):
    return functools.partial(linear_chain, slopes)


SLOPES = (0.5, -0.3, 0.8, -0.9, 0.2, 0.7, -0.4, 0.6)


def test_exact_norms_and_enumerated_estimate_are_symmetric_polynomials_of_the_slopes():
    found = path_lengths(chain(*SLOPES), samples=math.comb(8, 4))
    unit = math.sqrt(2)  # the cotangent of the sum of two elements
    total = math.prod(1 + a for a in SLOPES)
    for k in range(9):
        exact = symmetric(SLOPES, k)
        assert found.counts[k] == math.comb(8, k)
        assert found.norms[k] == pytest.approx(unit * abs(exact), rel=1e-12)
        assert found.estimate[k] == pytest.approx(unit * symmetric(map(abs, SLOPES), k), rel=1e-12)
        assert found.shares[k] == pytest.approx(exact / total, rel=1e-11)
    assert found.gradient_norm == pytest.approx(unit * total, rel=1e-12)


def test_estimate_is_exact_where_all_paths_of_a_length_point_the_same_way():
    found = path_lengths(chain(*[0.25] * 12), samples=3)
    assert found.estimate == pytest.approx(found.norms, rel=1e-12)
    assert found.overcount == pytest.approx(1)
    assert found.exact_centre == pytest.approx(12 * 0.25 / 1.25)
    assert found.share_centre == pytest.approx(12 * 0.25 / 1.25)


def test_estimate_cannot_see_that_branches_of_opposite_sign_cancel():
    n, a = 6, 0.5
    found = path_lengths(chain(*[a, -a] * (n // 2)), samples=2)
    assert found.norms == pytest.approx(  # (1 - a^2 z^2)^(n/2) has no odd powers
        {k: 0 if k % 2 else math.sqrt(2) * math.comb(n // 2, k // 2) * a**k for k in range(n + 1)},
        abs=1e-15,
    )
    assert found.overcount == pytest.approx((1 + a) ** n / (1 + a * a) ** (n // 2))


def test_sampled_mean_is_that_of_all_paths_of_the_length_up_to_its_sampling_error():
    products = [math.prod(c) for c in itertools.combinations(map(abs, SLOPES), 4)]
    draws = [
        path_lengths(chain(*SLOPES), samples=40, seed=seed).single[4] / math.sqrt(2)
        for seed in range(12)
    ]
    assert len(set(draws)) == 12
    error = np.std(products) / math.sqrt(40 * 12)
    assert abs(np.mean(draws) - np.mean(products)) < 3.5 * error
    assert 0.5 < np.std(draws, ddof=1) / (np.std(products) / math.sqrt(40)) < 1.7


def test_same_seed_draws_the_same_paths():
    make = chain(*SLOPES)
    assert path_lengths(make, 5, seed=3) == path_lengths(make, 5, seed=3)
    assert path_lengths(make, 5, seed=3) != path_lengths(make, 5, seed=4)


class Elsewhere(Executor):
    """Runs each task on a copy of what it is given, as a pool of processes does."""

    def submit(self, function, /, *args, **keywords):
        function, args = pickle.loads(pickle.dumps((function, args)))
        future = Future()
        future.set_result(function(*args, **keywords))
        return future


def digits_paths(blocks=3, width=8, seed=0, batch=16):
    digits = data.load("digits", seed)
    network = effective_paths.mlp(blocks, width, 0.5, seed).to("cpu", "float64")
    return functools.partial(
        effective_paths.loss_paths, network, digits.test_x[:batch], digits.test_y[:batch]
    )


def test_executor_changes_no_number():
    make = digits_paths(blocks=6)
    here = path_lengths(make, 5)
    with ThreadPoolExecutor(3) as threads:
        assert path_lengths(make, 5, executor=threads) == here
    assert path_lengths(make, 5, executor=Elsewhere()) == here


def test_what_is_no_pool_is_refused_before_paths_are_weighed():
    with pytest.raises(UsageError, match="path_lengths: executor=2 takes no tasks: pass an open"):
        path_lengths(None, 5, executor=2)


def test_paths_are_weighed_with_one_blas_thread():
    seen, make = [], chain(*SLOPES)

    def watched():
        seen.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
        return make()

    with threadpool_limits(2, "blas"), ThreadPoolExecutor(2) as threads:
        path_lengths(watched, 2, executor=threads)
    assert set(seen) == {1}


def test_set_without_a_path_is_refused():
    x = tg.tensor([1.0], requires_grad=True)
    y = tg.tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="path_lengths: the set holds no path"):
        path_lengths(lambda: tg.paths((x * x).sum(), y), 3)


def test_parts_sum_to_backward_and_none_exceeds_what_its_paths_could_carry():
    make = digits_paths(blocks=6)
    paths = make()
    whole = paths.gradient()
    found = path_lengths(make, samples=20)  # all of them: C(6, 3) = 20
    np.testing.assert_allclose(
        sum(paths.gradient_by("block").values()), whole, rtol=1e-12, atol=1e-15
    )
    assert found.gradient_norm == pytest.approx(norm(whole), rel=1e-12)
    assert sum(found.shares.values()) == pytest.approx(1, rel=1e-12)
    assert list(found.counts.values()) == [1, 6, 15, 20, 15, 6, 1]
    for k in (0, 6):
        assert found.norms[k] == pytest.approx(found.estimate[k], rel=1e-12)
    for k in range(1, 6):
        assert 0 < found.norms[k] < found.estimate[k]


def test_lengths_are_told_apart_as_pytorch_does_with_branches_detached():
    torch = pytest.importorskip("torch")
    make = digits_paths(blocks=3)
    network, images, labels = make.args
    stem, head = network.stem[1], network.head[1]

    def layer(h, linear):
        return torch.nn.functional.linear(
            h, torch.tensor(linear.weight.data), torch.tensor(linear.bias.data)
        )

    def gradient(live):
        x = torch.tensor(images, dtype=torch.float64, requires_grad=True)
        h = layer(x.flatten(1), stem)
        for i, block in enumerate(network.body):
            inner = layer(torch.relu(layer(torch.relu(h), block.branch[1])), block.branch[3])
            h = h + (inner if i in live else inner.detach())
        loss = torch.nn.functional.cross_entropy(layer(torch.relu(h), head), torch.tensor(labels))
        loss.backward()
        return x.grad.numpy()

    free = gradient(())
    expected = {
        0: free,
        1: sum(gradient((i,)) - free for i in range(3)),
        3: gradient((0, 1, 2))
        - sum(gradient(pair) for pair in itertools.combinations(range(3), 2))
        + sum(gradient((i,)) for i in range(3))
        - free,
    }
    parts = make().gradient_by("block")
    for k, part in expected.items():
        np.testing.assert_allclose(parts[k], part, rtol=1e-9, atol=1e-15)


def test_closed_form_has_the_means_of_binomial_distributions():
    found = at_random(blocks=54, gain=0.3)
    assert found.estimate_centre == pytest.approx(54 * 0.3 / 1.3)
    assert found.share_centre == pytest.approx(54 * 0.09 / 1.09)
    assert found.weight_free_share == pytest.approx(1.09**-54)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert sum(n * n for n in found.norms.values()) == pytest.approx(found.gradient_norm**2)


def test_random_networks_follow_the_closed_form_on_average():
    expected = at_random(blocks=6, gain=0.5)
    squares, single = np.zeros(7), np.zeros(7)
    for seed in range(24):
        found = path_lengths(digits_paths(blocks=6, width=48, seed=seed), samples=6)
        squares += [(found.norms[k] / found.norms[0]) ** 2 / 24 for k in range(7)]
        single += [found.single[k] / found.single[0] / 24 for k in range(7)]
    np.testing.assert_allclose(squares, np.square(list(expected.norms.values())), rtol=0.35)
    np.testing.assert_allclose(single, list(expected.single.values()), rtol=0.2)


SMALL = {"blocks": 4, "width": 8, "steps": 3, "samples": 2, "runs": 2, "batch": 16}


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(effective_paths, "RANDOM_BLOCKS", 5)
        yield effective_path_length(**SMALL, seed=7)


def test_experiment_measures_three_networks_for_each_seed(small):
    assert small.seeds == (7, 8)
    for runs, blocks in ((small.before, 4), (small.after, 4), (small.random, 5)):
        assert len(runs) == 2
        assert runs[0] != runs[1]
        for run in runs:
            assert run.counts == {k: math.comb(blocks, k) for k in range(blocks + 1)}
    assert small.before != small.after
    assert [t.steps for t in small.training] == [3, 3]


def test_experiment_does_not_depend_on_the_executor(small, monkeypatch):
    monkeypatch.setattr(effective_paths, "RANDOM_BLOCKS", 5)
    with ThreadPoolExecutor(2) as threads:
        assert effective_path_length(**SMALL, seed=7, executor=threads) == small


def test_each_run_samples_with_its_seed_and_trains_in_single_precision(monkeypatch):
    seeds, dtypes = [], []
    measured = functools.partial(at_random, 1, 1.0)
    monkeypatch.setattr(
        effective_paths, "path_lengths",
        lambda make, samples, seed, **_: seeds.append(seed) or measured(),
    )  # fmt: skip
    monkeypatch.setattr(
        effective_paths, "train",
        lambda network, *_, **__: dtypes.extend(p.dtype for p in network.parameters())
        or Training(0, (), 0.0),
    )  # fmt: skip
    effective_path_length(**SMALL, seed=7)
    assert seeds == [7, 7, 7, 8, 8, 8]
    assert set(dtypes) == {np.dtype("float32")}


def test_finding_holds_on_24_blocks(monkeypatch):
    monkeypatch.setattr(effective_paths, "RANDOM_BLOCKS", 1)
    found = effective_path_length(steps=100, samples=4, runs=1)
    (before,), (after,) = found.before, found.after
    assert 3.8 < before.estimate_centre < 4.6
    assert 1.2 < before.exact_centre < 1.6
    assert 20 < before.overcount < 30
    assert 0.3 < before.weight_free_share < 0.5
    assert 3.8 < after.estimate_centre < 5.5
    assert 2.5 < after.exact_centre < 4
    assert after.weight_free_share < 0.03
    assert found.training[0].accuracy > 0.9


def closed_form_result(**changes):
    start = (at_random(24, 24**-0.5),)
    fields = {
        "blocks": 24, "width": 64, "gain": 24**-0.5, "seeds": (0,), "samples": 4, "batch": 64,
        "quick": False, "training": (Training(0, (), 0.5),), "before": start, "after": start,
        "random_blocks": 54, "random_gain": 0.3, "random": (at_random(54, 0.3),),
    }  # fmt: skip
    return EffectivePathLength(**{**fields, **changes})


def rows(table):
    """Return the lines of the table by stage and quantity, in words."""
    found, stage = {}, ""
    for line in table.splitlines():
        if "closed form  reference" in line:
            stage = line.split("  ")[0]
        elif line.startswith("  "):
            name, *rest = line.strip().split("  ")
            found[stage, name] = [word.strip() for word in rest if word.strip()]
    return found


def test_table_says_where_ours_differ_from_the_reference():
    found = rows(closed_form_result().table())
    before, after = "24 blocks, before training", "24 blocks, after training"
    assert found[before, "exact norms centre at"] == ["1.44", "1.44", "1.4", "agrees"]
    assert found[before, "signed shares centre at"] == ["0.96", "0.96"]
    assert found[after, "exact norms centre at"] == ["1.44", "about 3", "all lower"]
    assert found[after, "weight-free path's share"] == ["0.375", ".005", "all higher"]


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ((0.15, 0.25), "agrees"),
        ((0.1, 0.2), "mean lower"),
        ((0.21, 0.4), "mean higher"),
        ((0.1, 0.15), "all lower"),
        ((0.3, 0.4), "all higher"),
    ],
)
def test_table_gives_the_mean_and_range_of_several_runs(gains, verdict):
    both = tuple(at_random(24, gain) for gain in gains)
    found = rows(closed_form_result(before=both, seeds=(0, 1)).table())
    low, high = (24 * gain / (1 + gain) for gain in gains)
    row = found["24 blocks, before training", "estimate centres at"]
    assert row[:2] == [f"{(low + high) / 2:.3g}", f"{low:.3g} to {high:.3g}"]
    assert row[-2:] == ["4.0-4.5", verdict]


def test_reference_is_not_held_against_another_network():
    table = closed_form_result(gain=0.5).table()
    assert "about 3" not in table
    assert "12.5" in table


def test_saved_numbers_read_back(small, tmp_path):
    values = json.loads(small.save(tmp_path / "a.json").read_text())
    assert values == json.loads(json.dumps(small.as_dict()))
    assert values["seeds"] == [7, 8]
    for stage in ("before", "after", "random"):
        for run, saved in zip(getattr(small, stage), values[stage], strict=True):
            lengths = saved["by_length"]
            assert {x["length"]: int(x["paths"]) for x in lengths} == run.counts
            assert [x["gradient_norm"] for x in lengths] == list(run.norms.values())
            assert [x["signed_share"] for x in lengths] == list(run.shares.values())
            assert [x["estimate"] for x in lengths] == list(run.estimate.values())
            assert saved["overcount"] == run.overcount
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_file_of_unknown_ending_or_in_no_folder_is_refused(small, tmp_path):
    with pytest.raises(FigureError, match=r"use \.json, \.svg"):
        small.save(tmp_path / "a.txt")
    with pytest.raises(FileError, match="cannot write"):
        small.save(tmp_path / "none" / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_plot_shows_shares_of_the_totals_as_far_as_they_are_seen(tmp_path):
    result = closed_form_result()
    assert result.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert result.plot().title == "Sampled single paths overstate the length: digits"
    start, *_ = result.before
    low = dataclasses.replace(start, single={k: 1e-30**k for k in start.single})
    short = dataclasses.replace(result, after=(low,)).plot()
    assert short.title.startswith("The gradient by length of its paths")
    assert {len(panel.series[0].x) for panel in short.panels[:2]} == {
        len(result.plot().panels[0].series[0].x)
    }
    axes = [panel.x for panel in result.plot().panels]  # panels share those that are called alike
    length = "length: residual branches crossed, of"
    assert axes == [f"{length} 24", f"{length} 24", f"{length} 54"]
    panels = zip(result.plot().panels, (result.before, result.after, result.random), strict=True)
    for panel, (run,) in panels:
        for series, mass in zip(panel.series, (run.norms, run.estimate), strict=True):
            shares = [mass[k] / sum(mass.values()) for k in series.x]
            assert series.y == pytest.approx(shares)
            assert sum(series.y) > 0.99
        assert len(panel.series[0].x) < len(run.counts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": 0}, "blocks=0: pass an int of at least 1"),
        ({"width": 2.5}, "width=2.5: pass an int of at least 1"),
        ({"steps": -1}, "steps=-1: pass an int of at least 0"),
        ({"samples": 0}, "samples=0: pass an int of at least 1"),
        ({"runs": 0}, "runs=0: pass an int of at least 1"),
        ({"seed": -1}, "seed=-1: pass an int of at least 0"),
        ({"gain": 0.0}, "gain 0.0: must be a positive number"),
        ({"gain": "x"}, "gain 'x': must be a positive number"),
        ({"lr": math.nan}, "lr nan: must be a positive number"),
        ({"batch": 10_000}, "batch 10000: there are 449 held-out images"),
    ],
)
def test_number_out_of_bounds_is_refused_before_any_work(monkeypatch, arguments, message):
    monkeypatch.setattr(effective_paths, "mlp", None)
    with pytest.raises(UsageError, match=f"effective_path_length: {message}"):
        effective_path_length(**arguments)


def test_a_closed_form_beyond_the_range_of_floats_is_refused():
    with pytest.raises(UsageError, match=r"at_random: blocks=3000, gain=2: .* fewer blocks"):
        at_random(3000, 2.0)


def test_training_and_weighing_show_bars_unless_told_not_to(capsys):
    digits, network = data.load("digits"), nets.residual_mlp(1, width=4, rng=0)
    for progress in (False, True):
        report.train(network, digits, 1, progress=progress)
        report.examine(network, digits, batch=2, progress=progress)
        shown = capsys.readouterr().err
        assert ("training residual-mlp" in shown, "weighing" in shown) == (progress, progress)


@pytest.mark.parametrize(
    "run",
    [
        lambda: effective_path_length(blocks=1, width=4, steps=1, samples=1, runs=1),
        lambda: five_blocks(blocks=1, width=4, steps=1, runs=1),
        lambda: sensitivity(blocks=1, steps=1, runs=1),
    ],
    ids=["effective-path-length", "five-blocks", "sensitivity"],
)
def test_only_the_sweep_shows_a_bar(capsys, monkeypatch, run):
    monkeypatch.setattr(effective_paths, "RANDOM_BLOCKS", 2)
    run()
    shown = capsys.readouterr().err
    assert "cell" in shown
    assert not re.search("training|weighing|sampling", shown)


@pytest.mark.parametrize(("more", "said"), [
    ([], "tinygrad-res: interrupted; nothing was written\n"),
    (["--keep", "kept"],
     "tinygrad-res: interrupted; what is finished is kept in kept: the same command goes on from there\n"),
])  # fmt: skip
def test_an_interruption_ends_the_workers_and_says_what_is_kept(
    tmp_path, monkeypatch, capsys, more, said
):
    def run(executor, **_):
        executor.submit(time.sleep, 600)
        executor.submit(time.sleep, 600)
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(EXPERIMENTS, "zoo", Experiment(run, "nothing"))
    assert main(["experiment", "zoo", "--jobs", "2", *more]) == 130
    assert capsys.readouterr().err == said
    assert not multiprocessing.active_children()


INTERRUPTED = """
import sys
from tqdm import tqdm
from tinygrad_res.cli import main
from tinygrad_res.experiments import EXPERIMENTS, Experiment

def run(executor, **_):
    executor.submit(tqdm.get_lock).exception()  # what a worker's first bar does
    raise KeyboardInterrupt

EXPERIMENTS["zoo"] = Experiment(run, "nothing")
sys.exit(main(["experiment", "zoo", "--jobs", "2", "--out", sys.argv[1]]))
"""


def test_an_interruption_leaves_nothing_behind_that_python_warns_of(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 130
    assert done.stderr == "tinygrad-res: interrupted; nothing was written\n"
