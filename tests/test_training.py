"""Training: what ``fit`` makes of a network, and that a stopped training goes on bit for bit."""

import dataclasses
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import standin

import tinygrad_res as tg
from tinygrad_res import checkpoints, data, nets, nn, optim, targets
from tinygrad_res.errors import DataError, FileError, GradientError, UsageError
from tinygrad_res.training import accuracy, fit, mean_loss, on_both_parts, squared_error

DIGITS = data.load("digits")


def small(seed=0, width=16, dropout=False):
    """A small network with every kind of state: weights, statistics, a generator."""
    rng = np.random.default_rng(seed)
    parts = [nn.Flatten(), nn.Linear(64, width, rng=rng), nn.BatchNorm1d(width), nn.ReLU()]
    parts += [nn.Dropout(0.3, rng=rng)] if dropout else []
    return nn.Sequential(*parts, nn.Linear(width, 10, rng=rng))


def momentum(network, **options):
    return optim.SGD(
        network.parameters(), **{"lr": 0.1, "momentum": 0.9, "nesterov": True} | options
    )


def train(network, optimizer=None, **options):
    options = {"progress": False} | options
    return fit(network, DIGITS, optimizer or momentum(network), **options)


def assert_same_state(a, b):
    assert a.state_dict().keys() == b.state_dict().keys()
    for name, values in a.state_dict().items():
        np.testing.assert_array_equal(values, b.state_dict()[name], err_msg=name)


@pytest.mark.parametrize("seed", [0, 1])
def test_residual_mlp_learns_the_digits(seed):
    digits = data.load("digits", seed)
    network = nets.residual_mlp(rng=np.random.default_rng(seed))
    outcome = fit(
        network, digits, optim.AdamW(network.parameters(), lr=2e-3), steps=1000, seed=seed,
        schedule=optim.cosine_annealing_lr(1000), progress=False,
    )  # fmt: skip
    assert outcome.score >= 0.975
    assert outcome.score == accuracy(network.eval(), digits.test_x, digits.test_y)
    assert outcome.steps == len(outcome.losses) == 1000


def test_resnet20_learns_the_digits():
    network = nets.resnet(20, channels=1, rng=np.random.default_rng(0))
    warm_up = optim.linear_lr(0.1, 1.0, 15)
    outcome = train(
        network, momentum(network, weight_decay=5e-4), steps=150,
        schedule=optim.sequential([warm_up, optim.cosine_annealing_lr(135)], [15]),
    )  # fmt: skip
    assert outcome.score >= 0.98


def test_steps_are_those_of_a_loop_written_by_hand():
    by_fit, by_hand = small(), small()
    outcome = train(
        by_fit, steps=30, batch=50, seed=3, clip_norm=0.5, schedule=optim.step_lr(10, 0.5)
    )

    optimizer, losses, step = momentum(by_hand), [], 0
    rng = np.random.default_rng(3)
    while step < 30:
        order = rng.permutation(1348)
        for i in range(0, 1348 - 49, 50):
            if step == 30:
                break
            part = order[i : i + 50]
            loss = tg.cross_entropy(by_hand(tg.tensor(DIGITS.train_x[part])), DIGITS.train_y[part])
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optim.clip_grad_norm(by_hand.parameters(), 0.5)
            optimizer.step(0.5 ** (step // 10))
            step += 1

    assert outcome.losses == tuple(losses)
    assert_same_state(by_fit, by_hand)


def test_seed_decides_everything():
    first, same, other = small(), small(), small()
    a, b = (train(n, steps=5, seed=1, augment=data.crop_and_flip) for n in (first, same))
    c = train(other, steps=5, seed=2, augment=data.crop_and_flip)
    assert a.losses == b.losses != c.losses
    assert_same_state(first, same)


def test_augmentation_draws_by_the_seed():
    def drawn(seed):
        found = []
        train(small(), steps=2, seed=seed, augment=lambda x, rng: found.append(rng.random()) or x)
        return found

    assert drawn(1) == drawn(1) != drawn(2)


def test_augmentation_draws_anew_in_every_step():
    drawn = []
    train(small(), steps=6, augment=lambda x, rng: drawn.append(rng.random()) or x)
    assert len(set(drawn)) == 6


def test_epochs_are_passes_and_evaluations_come_when_asked():
    network, told = small(), []
    outcome = train(
        network, epochs=2, batch=100, evaluate_every=10, callback=lambda *now: told.append(now)
    )
    assert outcome.steps == 26
    assert sorted(outcome.evaluations) == [10, 20, 26]
    assert told == list(enumerate(outcome.losses, 1))


def test_own_evaluation_sees_the_network_in_evaluation_mode():
    network, modes = small(), []
    outcome = train(network, steps=1, evaluate=lambda n: modes.append(n.training) or 0.25)
    assert (modes, outcome.score, network.training) == ([False], 0.25, True)


def test_regression_ends_at_least_squares():
    drawn = data.linear_regression(examples=200, features=3, seed=4)
    network = nn.Linear(3, 1, rng=np.random.default_rng(0)).to(dtype="float64")
    outcome = fit(
        network,
        drawn,
        optim.SGD(network.parameters(), lr=0.5),
        steps=300,
        batch=200,
        progress=False,
    )
    coefficients, intercept = drawn.least_squares()
    np.testing.assert_allclose(network.weight.data[0], coefficients, atol=1e-9)
    np.testing.assert_allclose(network.bias.data, intercept, atol=1e-9)
    error = drawn.test_y[:, 0] - drawn.test_x @ coefficients - intercept
    assert outcome.score == pytest.approx(np.mean(error**2), rel=1e-6)


def test_mean_loss_weighs_examples_alike_over_unequal_batches():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((600, 2)), rng.standard_normal((600, 1))
    network = nn.Linear(2, 1, rng=rng).to(dtype="float64")
    found = mean_loss(network, x, y, squared_error)
    assert found == pytest.approx(np.mean((x @ network.weight.data.T + network.bias.data - y) ** 2))


def test_a_network_in_training_mode_is_measured_in_evaluation_mode_and_left_as_it_was():
    network = small(dropout=True)
    train(network, steps=20)
    before, few = network.state_dict(), (DIGITS.test_x[:300], DIGITS.test_y[:300])
    assert network.training

    found = accuracy(network, *few), mean_loss(network, *few, tg.cross_entropy)

    assert network.training and network[2].training
    for name, values in network.state_dict().items():
        np.testing.assert_array_equal(values, before[name], err_msg=name)
    logits = network.eval()(few[0])
    assert found[0] == (logits.numpy().argmax(axis=1) == few[1]).mean()
    assert found[1] == pytest.approx(tg.cross_entropy(logits, few[1]).item(), rel=1e-5)


# Checkpoints


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
@pytest.mark.parametrize(
    "make",
    [momentum, lambda n: optim.AdamW(n.parameters(), lr=1e-2), lambda n: momentum(n, l1=1e-4)],
)
def test_resumed_training_is_the_uninterrupted_one_bit_for_bit(tmp_path, make, ending):
    path = tmp_path / f"training.{ending}"
    options = {
        "augment": data.crop_and_flip, "schedule": optim.cosine_annealing_lr(50), "clip_norm": 1.0,
    }  # fmt: skip
    whole, stopped, resumed = (small(dropout=True) for _ in range(3))
    expected = train(whole, make(whole), steps=50, evaluate_every=20, **options)

    train(stopped, make(stopped), steps=27, evaluate_every=20, checkpoint=path, **options)
    outcome = train(resumed, make(resumed), steps=50, evaluate_every=20, checkpoint=path, **options)

    assert outcome.losses == expected.losses
    assert {k: v for k, v in outcome.evaluations.items() if k != 27} == expected.evaluations
    assert_same_state(resumed, whole)


def test_a_resumed_training_keeps_the_best_network_of_the_runs_before(tmp_path):
    network, best = small(), tmp_path / "best.npz"
    options = {"checkpoint": tmp_path / "a.npz", "keep_best": best, "evaluate_every": 1}
    train(network, steps=2, evaluate=lambda _: 0.9, **options)
    kept = best.read_bytes()
    train(small(), steps=4, evaluate=lambda _: 0.1, **options)
    assert best.read_bytes() == kept


def test_seconds_are_those_of_all_runs(tmp_path, monkeypatch):
    ticks = itertools.count()
    clock = types.SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr(sys.modules[fit.__module__], "time", clock)
    options = {"checkpoint": tmp_path / "a.npz", "checkpoint_every": 1}
    first = train(small(), steps=5, **options)
    assert train(small(), steps=6, **options).seconds > first.seconds


def test_labels_are_held_against_the_network_where_examples_are_augmented_too():
    network, labels = small(), DIGITS.train_y.copy()
    labels[7] = 12
    wrong = dataclasses.replace(DIGITS, train_y=labels)
    with pytest.raises(DataError, match="label 12 at index 7, but the network has 10 outputs"):
        fit(network, wrong, momentum(network), steps=1, augment=data.crop_and_flip)


def test_a_checkpoint_with_settings_is_not_one_without(tmp_path):
    network = small()
    checkpoints.save(
        tmp_path / "a.npz", network, momentum(network), checkpoints.Progress(), {"n": 1}
    )
    with pytest.raises(UsageError, match="n was 1 and is None"):
        checkpoints.load(tmp_path / "a.npz", network, settings={})


def test_booleans_are_no_numbers_to_predict():
    y = np.arange(20)[:, None] % 2 == 0
    with pytest.raises(DataError, match="dtype bool, where the network gives"):
        targets.check_numbers("here", y, (20, 1))
    targets.check_numbers("here", y.astype(float), (20, 1))


def test_an_evaluation_gives_each_module_its_mode_back():
    network = small()
    network[2].eval()
    with targets.evaluating(network):
        assert not any(module.training for module in network.modules())
    assert [part.training for part in network] == [True, True, False, True, True]


def test_a_network_that_was_evaluated_is_trained_in_training_mode():
    fresh, evaluated = small(), small().eval()
    train(fresh, steps=2), train(evaluated, steps=2)
    assert_same_state(evaluated, fresh)
    assert all(module.training for module in evaluated.modules())


def test_convolutions_resume_bit_for_bit(tmp_path):
    whole, stopped, resumed = (
        nets.resnet(8, channels=1, rng=np.random.default_rng(0)) for _ in range(3)
    )
    expected = train(whole, steps=6)
    train(stopped, steps=4, checkpoint=tmp_path / "a.npz")
    assert train(resumed, steps=6, checkpoint=tmp_path / "a.npz").losses == expected.losses
    assert_same_state(resumed, whole)


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from test_training import small, train
train(small(dropout=True), steps=100_000, checkpoint=sys.argv[1], checkpoint_every=1)
"""


def test_killed_training_leaves_its_last_whole_checkpoint(tmp_path):
    path = tmp_path / "training.npz"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), os.path.dirname(__file__)],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    try:
        until = time.monotonic() + 60
        while not path.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.3)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()

    resumed, whole = small(dropout=True), small(dropout=True)
    done = checkpoints.load(path, small(dropout=True)).step
    outcome = train(resumed, steps=done + 3, checkpoint=path)
    assert outcome.losses == train(whole, steps=done + 3).losses
    assert_same_state(resumed, whole)


def test_training_that_raises_goes_on_from_its_last_checkpoint(tmp_path):
    path = tmp_path / "a.npz"

    def stop(step, loss):
        if step == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small(), steps=30, checkpoint=path, checkpoint_every=5, callback=stop)
    assert checkpoints.load(path, small()).step == 15
    resumed, whole = small(), small()
    assert train(resumed, steps=30, checkpoint=path).losses == train(whole, steps=30).losses
    assert_same_state(resumed, whole)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_resume_false_begins_anew(tmp_path):
    path = tmp_path / "a.npz"
    first = train(small(), steps=5, checkpoint=path)
    assert train(small(), steps=3, checkpoint=path, resume=False).losses == first.losses[:3]
    assert checkpoints.load(path, small()).step == 3


def test_finished_training_is_returned_as_it_was(tmp_path):
    path = tmp_path / "a.npz"
    first, again = small(), small()
    assert (
        train(first, steps=5, checkpoint=path).losses
        == train(again, steps=5, checkpoint=path).losses
    )
    assert_same_state(first, again)


def test_checkpoint_holds_no_pickle(tmp_path):
    path = tmp_path / "a.npz"
    train(small(dropout=True), steps=2, checkpoint=path)
    with np.load(path, allow_pickle=False) as archive:
        about = json.loads(archive["about"].tobytes())
        assert all(archive[name].dtype.kind in "fui" for name in archive.files)
    assert about["step"] == 2
    assert set(about["generators"]) == {"4.rng"}


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: small(width=17), r"(?s)is of another network: .*1\.weight: of shape \(16, 64\), but must be \(17, 64\)"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), r"(?s)is of another network: .*unexpected: 2\.weight"),
        (lambda: small(dropout=True), r"(?s)is of another network: .*missing: 5\.weight, 5\.bias\n  unexpected: 4\.weight"),
        (lambda: nn.Sequential(*(part for _, part in small().children()), nn.Dropout(0.5, rng=0)), r"other generators of random numbers: 5\.rng was none and is PCG64$"),
    ],
)  # fmt: skip
def test_checkpoint_of_another_network_is_refused_and_changes_nothing(tmp_path, network, message):
    path = tmp_path / "a.npz"
    train(small(), steps=3, checkpoint=path)
    other = network()
    before, content = other.state_dict(), path.read_bytes()
    with pytest.raises(DataError, match=message):
        train(other, steps=5, checkpoint=path)
    for name, values in other.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "the seed was 0 and is 1"),
        ({"batch": 32}, "the batch was 64 and is 32"),
        ({"optimizer": lambda n: momentum(n, lr=0.2)}, r"is of another training: lr was 0\.1 and is 0\.2\. Go on .* tg\.checkpoints\.load\(path, network\), .* own_options=True"),
        ({"optimizer": lambda n: optim.SGD([{"params": n.parameters()[:1]}, {"params": n.parameters()[1:], "lr": 0.5}], lr=0.1, momentum=0.9, nesterov=True)}, "parameters was 6 and is None; .* the number of parameters of group 1 was None and is 5"),
        ({"optimizer": lambda n: optim.Adam(n.parameters())}, "the optimiser was SGD and is Adam"),
        ({"steps": 2}, "has 3 steps, and 2 are asked for"),
        ({"clip_norm": 2.0}, "the clip_norm was None and is 2.0"),
    ],
)  # fmt: skip
def test_checkpoint_of_another_training_is_refused_and_changes_nothing(tmp_path, options, message):
    path = tmp_path / "a.npz"
    train(small(), steps=3, checkpoint=path)
    network = small(seed=9)
    before, content = network.state_dict(), path.read_bytes()
    options = {"steps": 5} | options
    make = options.pop("optimizer", momentum)
    with pytest.raises(UsageError, match=message):
        train(network, make(network), checkpoint=path, **options)
    for name, values in network.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "other", [data.load("digits", 1), dataclasses.replace(DIGITS, train_x=DIGITS.train_x / 2)]
)
def test_other_data_of_the_same_shape_are_noticed(tmp_path, other):
    path, network = tmp_path / "a.npz", small()
    train(small(), steps=3, checkpoint=path)
    with pytest.raises(UsageError, match="the training data was"):
        fit(network, other, momentum(network), steps=5, checkpoint=path, progress=False)


def test_a_refused_checkpoint_leaves_the_generators_alone(tmp_path):
    path = tmp_path / "a.npz"
    train(small(dropout=True), steps=2, checkpoint=path)
    network = small(dropout=True)
    drawing = network[4].rng.bit_generator.state
    with pytest.raises(UsageError, match="the optimiser was SGD and is Adam"):
        train(network, optim.Adam(network.parameters()), steps=5, checkpoint=path)
    assert network[4].rng.bit_generator.state == drawing
    network[4].rng = np.random.Generator(np.random.MT19937(0))
    with pytest.raises(DataError, match=r"4\.rng was PCG64 and is MT19937"):
        train(network, steps=5, checkpoint=path)


def test_damaged_and_foreign_files_are_no_checkpoints(tmp_path):
    path = tmp_path / "a.npz"
    train(small(), steps=1, checkpoint=path)
    content = path.read_bytes()
    for wrong in (b"", content[: len(content) // 2], b"\x00" * 100, content[:-200]):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match="is damaged"):
            train(small(), steps=2, checkpoint=path)
        assert path.read_bytes() == wrong
    small().save(path)
    with pytest.raises(DataError, match=r"is no checkpoint of this version; .* network\.load"):
        train(small(), steps=2, checkpoint=path)


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_a_checkpoint_cut_off_at_any_byte_is_refused_and_changes_nothing(tmp_path, ending):
    def training():
        network = nn.Sequential(nn.Linear(2, 1, rng=0), nn.Dropout(0.5, rng=0))
        return network, optim.Adam(network.parameters())

    drawn, path = data.linear_regression(examples=16, features=2), tmp_path / f"a.{ending}"
    network, optimizer = training()
    fit(network, drawn, optimizer, steps=2, batch=4, progress=False, checkpoint=path)
    content = path.read_bytes()
    other, others = training()
    before, drawing = other.state_dict(), other[1].rng.bit_generator.state
    for length in range(0, len(content), 11):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="is damaged"):
            checkpoints.load(path, other, others)
    assert all(np.array_equal(before[name], now) for name, now in other.state_dict().items())
    assert other[1].rng.bit_generator.state == drawing and not others.state


def changed(path, change):
    """Write a checkpoint again with something else in what it says, or in its arrays."""
    arrays = nn.state.read(path)
    about = json.loads(arrays["about"].tobytes())
    change(about, arrays)
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    nn.state.write(path, arrays.items())


FOREIGN = {
    **{f"no {name}": lambda about, _, name=name: about.pop(name) for name in checkpoints.ABOUT},
    **{f"{name} is null": lambda about, _, name=name: about.update({name: None}) for name in checkpoints.ABOUT},
    "no losses": lambda _, arrays: arrays.pop("losses"),
    "fewer losses": lambda _, arrays: arrays.update(losses=np.zeros(1)),
    "no step in the history": lambda about, _: about.update(history={"last": {"score": 0.5}}),
    "no names in the history": lambda about, _: about.update(history={"2": 0.5}),
    "nothing in the history": lambda about, _: about.update(history={"2": {}}),
    "a generator of words": lambda about, _: about["generators"]["4.rng"]["state"].update(state="x"),
    "a generator that is none": lambda about, _: about["generators"].update({"4.rng": 1}),
    "an optimiser of no parameter": lambda _, arrays: arrays.update({"optimizer.x.step": np.ones(1)}),
    "half an optimiser": lambda _, arrays: arrays.pop("optimizer.0.exp_avg"),
    "an older version": lambda about, _: about.update(format="tinygrad_res checkpoint 0"),
}  # fmt: skip


@pytest.mark.parametrize("change", FOREIGN)
def test_a_checkpoint_written_by_other_hands_is_refused_and_changes_nothing(tmp_path, change):
    path, network = tmp_path / "a.npz", small(dropout=True)
    train(network, optim.Adam(network.parameters()), steps=2, checkpoint=path)
    changed(path, FOREIGN[change])
    other = small(seed=1, dropout=True)
    optimizer = optim.Adam(other.parameters())
    before, drawing = other.state_dict(), other[4].rng.bit_generator.state
    with pytest.raises((DataError, UsageError), match=r"checkpoint|parameter 0 it holds"):
        checkpoints.load(path, other, optimizer)
    assert all(np.array_equal(before[name], now) for name, now in other.state_dict().items())
    assert other[4].rng.bit_generator.state == drawing and not optimizer.state


def test_an_evaluation_that_fails_in_the_end_loses_no_step(tmp_path):
    path, network = tmp_path / "a.npz", small()
    with pytest.raises(ZeroDivisionError):
        train(network, steps=5, checkpoint=path, checkpoint_every=100, evaluate=lambda _: 1 / 0)
    assert network.training and checkpoints.load(path, small()).step == 5
    assert train(small(), steps=5, checkpoint=path).evaluations.keys() == {5}


def test_folder_that_is_not_there_is_told_before_the_first_step(tmp_path):
    network, told = small(), []
    before = network.state_dict()
    with pytest.raises(FileError, match="choose a folder that exists"):
        train(
            network,
            steps=2,
            checkpoint=tmp_path / "no" / "a.npz",
            callback=lambda *args: told.append(args),
        )
    assert not told
    for name, values in network.state_dict().items():
        np.testing.assert_array_equal(values, before[name])


# What goes wrong


@pytest.mark.parametrize("lr", [1e4, 1e30])
def test_diverging_training_stops_with_step_and_loss_and_keeps_the_checkpoint(tmp_path, lr):
    path = tmp_path / "a.npz"
    network = nets.residual_mlp(rng=np.random.default_rng(0))
    with pytest.raises(GradientError, match=r"diverged.* step \d+.*loss .*learning rate"):
        train(network, momentum(network, lr=lr), steps=200, checkpoint=path, checkpoint_every=1)
    kept = nets.residual_mlp()
    checkpoints.load(path, kept)
    assert all(np.isfinite(values).all() for values in kept.state_dict().values())


@pytest.mark.parametrize("where", ["network", "optimizer"])
def test_state_that_is_not_finite_does_not_replace_a_checkpoint(tmp_path, where):
    path, network = tmp_path / "a.npz", small()
    optimizer = momentum(network)
    train(network, optimizer, steps=2, checkpoint=path)
    content = path.read_bytes()
    if where == "network":
        network.load_state_dict({"1.bias": np.full(16, np.nan)}, strict=False)
    else:
        optimizer.state[1]["momentum_buffer"] = np.full(16, np.inf, np.float32)
    with pytest.raises(
        GradientError, match=rf"after step 3 .*loss before it was 0\.5\), {where}\..* holds NaN"
    ):
        checkpoints.save(path, network, optimizer, checkpoints.Progress(3, [2.0, 1.0, 0.5]))
    assert path.read_bytes() == content


def test_gradient_that_is_no_number_ends_the_training_at_the_last_step():
    network = nn.Linear(2, 1, rng=np.random.default_rng(0)).to(dtype="float64")
    drawn = data.linear_regression(features=2)

    def loss(output, target):  # finite, with a gradient that is not
        return tg.sum(tg.where(output == output, 0.0 * output, tg.sqrt(output * 0.0)))

    with np.errstate(divide="ignore"), pytest.raises(GradientError, match=r"after step 1 .* weight holds NaN"):  # fmt: skip
        fit(network, drawn, optim.SGD(network.parameters()), steps=1, loss=loss, progress=False)


def test_a_loss_that_stays_finite_ends_the_training_where_it_has_left_all_bounds():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, rng=0))
    with pytest.raises(
        GradientError, match=r"diverged at step 1: the loss is \d.*e\+.* \(the first was \d\.\d+\); use a smaller learning rate than 1e\+06"
    ):  # fmt: skip
        train(network, optim.SGD(network.parameters(), lr=1e6), steps=50)
    outcome = train(nn.Sequential(nn.Flatten(), nn.Linear(64, 10, rng=0)), steps=0)
    assert outcome.steps == 0


def test_a_loss_is_held_against_its_first_one_and_never_against_less_than_1():
    def rising(factor, first):
        network = nn.Linear(3, 1, rng=0).to(dtype="float64")
        losses = iter([first, factor * first, first])
        drawn = data.linear_regression(features=3)
        fit(network, drawn, optim.SGD(network.parameters()), steps=3, progress=False,
            loss=lambda out, y: 0.0 * tg.sum(out) + next(losses, 1.0))  # fmt: skip

    rising(9_999, 50.0), rising(9_999, 1.0), rising(9_999e3, 1e-3)
    for factor, first in ((10_001, 50.0), (10_001, -1.0), (10_001e3, 1e-3)):
        with pytest.raises(GradientError, match="diverged at step 1"):
            rising(factor, first)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n.load_state_dict({"1.bias": np.full(16, np.nan)}, strict=False), r"where 1\.bias holds NaN or infinity, before any step"),
        (lambda n: {"augment": lambda x, _: x * np.nan}, "the examples of its batch hold NaN or infinity: look at augment"),
        (lambda n: {"loss": lambda out, y: tg.mean(out) * math.nan}, "where the batch and the network are finite, before any step"),
    ],
)  # fmt: skip
def test_what_is_not_finite_is_told(change, message):
    network = small()
    options = change(network)
    with pytest.raises(GradientError, match=f"diverged at step 0: the loss is nan.*{message}"):
        train(network, steps=3, **(options if isinstance(options, dict) else {}))


def test_a_loss_of_ones_own_may_pass_over_missing_targets():
    drawn, network = data.linear_regression(features=3), nn.Linear(3, 1, rng=0).to(dtype="float64")
    y = drawn.train_y.copy()
    y[::7] = np.nan
    missing = dataclasses.replace(drawn, train_y=y)

    def loss(output, target):
        known = np.isfinite(target)
        return squared_error(output * known, np.where(known, target, 0.0))

    options = {"steps": 200, "progress": False}
    outcome = fit(network, missing, optim.SGD(network.parameters(), lr=0.5), loss=loss, **options)
    assert outcome.score < 0.02
    with pytest.raises(
        GradientError, match=r"the targets of its batch hold NaN .*look at the loss"
    ):
        fit(network, missing, optim.SGD(network.parameters()), loss=lambda o, y: squared_error(o, y), **options)  # fmt: skip


@pytest.mark.parametrize("part", ["train_x", "test_x", "train_y"])
def test_a_nan_in_the_data_is_told_before_the_first_step(part, monkeypatch):
    monkeypatch.setattr(targets, "AT_ONCE", 100)  # of so many numbers at a time
    drawn, network = data.linear_regression(features=3), nn.Linear(3, 1).to(dtype="float64")
    values = getattr(drawn, part).copy()
    values[70, -1] = np.inf
    before = network.state_dict()
    what = "the training part: " if "train" in part else "the test part: "
    what += "example" if part.endswith("x") else "target"
    with pytest.raises(DataError, match=rf"fit: {what} 70 holds NaN .* in {part}"):
        fit(network, dataclasses.replace(drawn, **{part: values}), optim.SGD(network.parameters()), steps=1, progress=False)  # fmt: skip
    assert all(np.array_equal(before[name], now) for name, now in network.state_dict().items())


def test_loss_limit_ends_a_training():
    with pytest.raises(
        GradientError, match=r"diverged at step 0: the loss is 2.*, before any step"
    ):
        train(small(), steps=3, loss_limit=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say either steps or epochs"),
        ({"steps": 1, "epochs": 1}, "say either steps or epochs"),
        ({"steps": -1}, "steps=-1"),
        ({"epochs": 1.5}, "epochs=1.5"),
        ({"steps": 1, "batch": 0}, "batch=0"),
        ({"steps": 1, "seed": -1}, "seed=-1"),
        ({"steps": 1, "evaluate_every": 0}, "evaluate_every=0"),
        ({"steps": 1, "checkpoint_every": 0, "checkpoint": "a.npz"}, "checkpoint_every=0"),
        ({"steps": 1, "checkpoint_every": 5}, "checkpoint_every=5: say checkpoint=, the file"),
        ({"steps": 1, "schedule": 0.5}, "schedule=0.5: pass a function from a step to a factor"),
        ({"steps": 1, "augment": 3}, "augment=3: pass a function"),
        ({"steps": 1, "evaluate": 0.5}, "evaluate=0.5: pass a function"),
        ({"steps": 1, "evaluate": lambda n: {}}, "evaluate gave no number: return one, or"),
        ({"steps": 1, "evaluate": lambda n: None}, "evaluate gave .*None.*, which are no numbers"),
        ({"steps": 1, "evaluate": lambda n: (1, 2)}, r"evaluate gave .*\(1, 2\).*, which are no n"),
        ({"steps": 1, "optimizer": 0.1}, "optimizer is of type float: pass one of tg.optim"),
        (
            {"steps": 1, "optimizer": np.ones(1)},
            r"optimizer is of type numpy\.ndarray: pass one of",
        ),
        ({"steps": 1, "checkpoint": 3}, "checkpoint is of type int: pass a path"),
        ({"steps": 1, "keep_best": 3}, "keep_best is of type int: pass a path"),
        (
            {"steps": 1, "keep_best": "a.npz", "checkpoint": "./a.npz"},
            "checkpoint and keep_best are both 'a.npz': give each",
        ),
        ({"steps": 1, "patience": 0, "evaluate_every": 1}, "patience=0"),
        ({"steps": 1, "patience": 2}, "patience=2: say evaluate_every=, the steps between"),
        ({"steps": 1, "clip_norm": 0}, "clip_norm=0: must be a positive number"),
        ({"steps": 1, "clip_norm": "1"}, "clip_norm='1': must be"),
        ({"steps": 1, "loss_limit": math.nan}, "loss_limit=nan: must be"),
    ],
)
def test_arguments_out_of_their_bounds_are_refused(options, message):
    network = small()
    with pytest.raises(UsageError, match=f"fit: {message}"):
        train(network, options.pop("optimizer", None), **options)


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("batch_size", "use batch"), ("loss_fn", "use loss"), ("n_epochs", "use epochs"),
        ("scheduler", "use schedule"), ("verbose", r"see help\(tg\.training\.fit\)"),
    ],
)  # fmt: skip
def test_an_argument_by_another_name_is_refused_with_the_one_that_is_meant(name, mend):
    with pytest.raises(UsageError, match=f"fit: there is no argument '{name}': {mend}$"):
        train(small(), steps=1, **{name: 3})


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ({"loss": lambda out: out.sum()}, r"loss\(output, targets\)"),
        ({"augment": lambda x: x}, r"augment\(batch, generator\)"),
        ({"evaluate": accuracy}, r"evaluate\(network\): missing a required argument: 'x'"),
        ({"callback": lambda step: None}, r"callback\(steps, loss\)"),
    ],
)
def test_functions_that_take_other_arguments_are_refused_before_the_first_step(options, call):
    network = small()
    before = network.state_dict()
    with pytest.raises(UsageError, match=f"is called as {call}"):
        train(network, steps=1, **options)
    assert_same_state(network, types.SimpleNamespace(state_dict=lambda: before))
    train(network, steps=1, callback=max)  # written in C: it does not say what it takes


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (lambda x, rng: None, r"the examples: shape \(\) and dtype object"),
        (lambda x, rng: x[:4], "4 examples and 64 targets"),
    ],
)
def test_a_batch_that_augmentation_spoils_is_refused(augment, message):
    network = small()
    before = network.state_dict()
    with pytest.raises(DataError, match=f"fit: augment: {message}"):
        train(network, steps=1, augment=augment)
    assert_same_state(network, types.SimpleNamespace(state_dict=lambda: before))


def test_augmentation_may_return_a_tensor():
    a, b = small(), small()
    train(a, steps=2, augment=lambda x, rng: tg.tensor(-x))
    train(b, steps=2, augment=lambda x, rng: -x)
    assert_same_state(a, b)


def test_frozen_parameters_alone_are_refused():
    network = small().requires_grad_(False)
    with pytest.raises(UsageError, match=r"fit: all parameters .* frozen: .*requires_grad_\(\)"):
        train(network, steps=1)
    network[1].requires_grad_(True)
    train(network, steps=1)


def test_a_weight_that_is_no_parameter_is_refused():
    network = small()
    network.scale = tg.tensor(np.ones(10), requires_grad=True)
    with pytest.raises(
        UsageError, match=r"fit: the network's scale .* no parameter.*tg\.parameter"
    ):
        train(network, steps=1)
    network.scale.requires_grad = False
    train(network, steps=1)


@pytest.mark.parametrize(
    ("loss", "message"),
    [(lambda out, y: out, r"shape \(64, 10\)"), (lambda out, y: 0.5, "float")],
)
def test_a_loss_of_other_than_one_number_is_refused(loss, message):
    with pytest.raises(UsageError, match=f"fit: the loss gave {message}: return a tensor of one"):
        train(small(), steps=1, loss=loss)


def test_lists_are_data_and_numpy_integers_are_settings(tmp_path):
    few = {name: getattr(DIGITS, name)[:90] for name in ("train_x", "train_y", "test_x", "test_y")}
    lists = types.SimpleNamespace(**{name: part.tolist() for name, part in few.items()})
    a, b = small(), small()
    from_arrays = fit(a, types.SimpleNamespace(**few), momentum(a), steps=4, seed=3, batch=32, progress=False)  # fmt: skip
    options = {"seed": np.int64(3), "batch": np.int32(32), "checkpoint": tmp_path / "a.npz"}
    for steps in (np.int8(2), np.uint16(4)):
        from_lists = fit(b, lists, momentum(b), steps=steps, progress=False, **options)
    np.testing.assert_allclose(from_lists.losses, from_arrays.losses, rtol=1e-5)
    assert from_lists.score == from_arrays.score
    assert mean_loss(b.eval(), few["test_x"].tolist(), few["test_y"].tolist(), tg.cross_entropy) > 0


@pytest.mark.parametrize(
    ("part", "targets", "message"),
    [
        ("test", DIGITS.test_y[:, None], r"\(449, 1\) and dtype int64 to test"),
        ("test", np.eye(10)[DIGITS.test_y], "to test: make both in one way"),
        ("test", DIGITS.test_y.astype(float), "dtype float64 to test"),
        ("train", [[0], [1, 2]] * 674, "the training part: the targets: lists of unequal lengths"),
        ("train", np.array(["a"] * 1348), "the targets: shape .* dtype <U1: pass an array of numbers"),
        ("train", 3, "the targets: shape \\(\\) and dtype int64"),
    ],
)  # fmt: skip
def test_targets_that_could_not_be_evaluated_are_refused_before_the_first_step(
    part, targets, message
):
    network, wrong = small(), types.SimpleNamespace(**vars(DIGITS))
    setattr(wrong, f"{part}_y", targets)
    before = network.state_dict()
    with pytest.raises(DataError, match=f"fit: .*{message}"):
        fit(network, wrong, momentum(network), steps=1, progress=False)
    assert all(np.array_equal(before[name], now) for name, now in network.state_dict().items())


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: np.where(np.arange(len(y)) == 300, 99, y), "label 99 at index 300, but the network has 10 outputs, for classes from 0 to 9"),
        (lambda y: y + 1, "label 10 at index"),
        (lambda y: y - 1, "label -1 at index .*, number classes from 0"),
    ],
)  # fmt: skip
def test_labels_that_no_output_stands_for_are_told_before_the_first_step(part, change, message):
    network = small(dropout=True)
    before, drawing = network.state_dict(), network[4].rng.bit_generator.state
    wrong = dataclasses.replace(DIGITS, **{f"{part}_y": change(getattr(DIGITS, f"{part}_y"))})
    with pytest.raises(DataError, match=rf"fit: the {part}(ing)? part: targets: {message}"):
        fit(network, wrong, momentum(network), steps=1, progress=False)
    assert all(np.array_equal(before[name], now) for name, now in network.state_dict().items())
    assert network[4].rng.bit_generator.state == drawing
    with pytest.raises(DataError, match="accuracy: targets: label"):
        accuracy(network.eval(), getattr(wrong, f"{part}_x"), getattr(wrong, f"{part}_y"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y.astype(float), r"dtype float64, where the network gives \(1348, 10\): .* y\.astype\(int\)"),
        (lambda y: np.eye(10, dtype=int)[y], r"shape \(1348, 10\): .* use y\.argmax\(axis=1\)"),
        (lambda y: y[:, None], r"shape \(1348, 1\): .* use y\.ravel\(\)"),
        (lambda y: np.stack([y, y], 1), r"shape \(1348, 2\): .* a loss and an evaluation of your own"),
        (lambda y: np.zeros((len(y), 3), int), r"a loss and an evaluation of your own"),
        (lambda y: y > 4, "dtype bool"),
    ],
)  # fmt: skip
def test_targets_that_are_no_classes_are_told_before_the_first_step(change, message):
    network = small()
    wrong = dataclasses.replace(DIGITS, **{name: change(getattr(DIGITS, name)) for name in ("train_y", "test_y")})  # fmt: skip
    before = network.state_dict()
    with pytest.raises(DataError, match=rf"fit: the training part: targets of .*{message}"):
        fit(network, wrong, momentum(network), steps=1, progress=False)
    assert all(np.array_equal(before[name], now) for name, now in network.state_dict().items())


def test_numbers_to_predict_by_one_output_are_said_to_lack_an_axis():
    drawn = data.linear_regression(examples=40)
    parts = {name: getattr(drawn, name) for name in ("train_x", "test_x")}
    flat = {name: getattr(drawn, name).ravel() for name in ("train_y", "test_y")}
    network = nn.Linear(5, 1)
    with pytest.raises(DataError, match=r"gives \(30, 1\): .* of that shape, y\[:, None\], and"):
        fit(network, types.SimpleNamespace(**parts, **flat), momentum(network), steps=1)


def test_accuracy_refuses_what_has_no_largest_logit():
    for labels, message in (([0.0, 1.0], "dtype float64: classes are integers"), ([0, 7], "label 7 at index 1")):  # fmt: skip
        with pytest.raises(DataError, match=f"accuracy: targets.* {message}"):
            accuracy(nn.Flatten(), np.eye(2), labels)
    with pytest.raises(DataError, match=r"the network gives shape \(2, 1, 2\): expected \(N, cl"):
        accuracy(nn.Identity(), np.eye(2)[:, None], [0, 1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((DIGITS.train_x, DIGITS.train_y), "data is a tuple, without train_x and train_y: pass .*tg.data.split"),
        ("digits", r"data is a str, .* tg\.data\.load\('digits'\)"),
        (tg.tensor(DIGITS.train_x), "data is a Tensor"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused(given, message):
    network = small()
    with pytest.raises(UsageError, match=f"fit: {message}"):
        fit(network, given, momentum(network), steps=1, progress=False)


def test_data_may_be_tensors_ours_or_pytorchs():
    networks = small(), small()
    arrays = {name: getattr(DIGITS, name) for name in ("train_x", "train_y", "test_x", "test_y")}
    ours = types.SimpleNamespace(**{name: tg.tensor(part) for name, part in arrays.items()})
    found = [
        fit(network, source, momentum(network), steps=5, progress=False, augment=data.crop_and_flip)
        for network, source in zip(networks, (DIGITS, ours), strict=True)
    ]
    assert found[0].losses == found[1].losses
    torch = pytest.importorskip("torch", reason="data of PyTorch")
    theirs = types.SimpleNamespace(**{k: torch.tensor(part, requires_grad=part.dtype.kind == "f") for k, part in arrays.items()})  # fmt: skip
    again = small()
    options = {"steps": 5, "progress": False, "augment": data.crop_and_flip}
    assert fit(again, theirs, momentum(again), **options).history == found[0].history


def test_history_tells_accuracy_and_loss_and_the_training_part_where_asked():
    network = small()
    outcome = train(network, steps=6, evaluate_every=4, evaluate=on_both_parts(DIGITS))
    now = {
        f"{name}{what}": measure(network.eval(), getattr(DIGITS, f"{part}_x"), getattr(DIGITS, f"{part}_y"))
        for part, name in (("train", "train "), ("test", ""))
        for what, measure in (("accuracy", accuracy), ("loss", lambda *a: mean_loss(*a, tg.cross_entropy)))
    }  # fmt: skip
    assert list(outcome.history) == [4, 6] and next(iter(outcome.history[4])) == "accuracy"
    assert outcome.history[6] == now
    assert outcome.score == outcome.evaluations[6] == now["accuracy"]
    assert list(train(small(), steps=1).history[1]) == ["accuracy", "loss"]
    own = train(small(), steps=1, loss=lambda out, y: tg.cross_entropy(out, y))
    assert list(own.history[1]) == ["accuracy"]


def test_a_checkpoint_serves_fine_tuning_with_a_learning_rate_of_its_own(tmp_path):
    path = tmp_path / "a.npz"
    network, tuned, by_hand = small(), small(seed=1), small(seed=2)
    first = optim.Adam(network.parameters(), lr=1e-2)
    train(network, first, steps=5, checkpoint=path)
    optimizer = optim.Adam(tuned.parameters(), lr=1e-3)
    assert checkpoints.load(path, tuned, optimizer, own_options=True).step == 5
    assert optimizer.param_groups[0]["lr"] == 1e-3
    by_hand.load_state_dict(network.state_dict())
    other = optim.Adam(by_hand.parameters(), lr=1e-2)
    other.load_state_dict(first.state_dict())
    other.param_groups[0]["lr"] = 1e-3
    assert train(tuned, optimizer, steps=5).losses == train(by_hand, other, steps=5).losses
    fewer = optim.Adam(tuned.parameters()[1:])
    with pytest.raises(UsageError, match="the number of parameters was 6 and is 5"):
        checkpoints.load(path, tuned, fewer, own_options=True)


def scored(*values, name="score"):
    """Return an evaluation that says these numbers, one after the other."""
    said = iter(values)
    return lambda network: {name: next(said)}


def test_the_best_network_is_kept_and_the_last_one_returned(tmp_path):
    path, states = tmp_path / "best.npz", {}
    network = small()
    outcome = train(
        network, steps=5, evaluate_every=1, keep_best=path, evaluate=scored(math.nan, 0.1, 0.7, 0.7, 0.2),
        callback=lambda step, loss: states.update({step: network.state_dict()}),
    )  # fmt: skip
    assert (outcome.best, outcome.steps, outcome.score) == (3, 5, 0.2)
    kept = small(seed=1)
    kept.load(path)
    assert all(np.array_equal(states[3][name], now) for name, now in kept.state_dict().items())
    least = train(
        small(), steps=3, evaluate_every=1, evaluate=scored(3.0, 1.0, 2.0, name="test loss")
    )
    assert least.best == 2


def test_a_training_ends_when_its_evaluations_get_no_better(tmp_path):
    values = (0.1, 0.5, 0.4, 0.5, 0.3, 0.9)
    outcome = train(small(), steps=60, evaluate_every=10, patience=3, evaluate=scored(*values))
    assert list(outcome.evaluations.items()) == list(zip(range(10, 60, 10), values, strict=False))
    assert (
        train(small(), steps=60, evaluate_every=10, patience=4, evaluate=scored(*values)).steps
        == 60
    )

    options = {"evaluate_every": 10, "patience": 3, "checkpoint": tmp_path / "a.npz"}
    train(small(), steps=35, evaluate=scored(*values[:3], 0.0), **options)  # 0.0 is out of turn
    again = train(small(), steps=60, evaluate=scored(*values[3:]), **options)
    assert (again.steps, again.losses) == (50, outcome.losses)
    assert train(small(), steps=60, evaluate=scored(), **options).steps == 50


@pytest.mark.parametrize("strict", [True, False])
def test_a_network_that_is_to_load_a_checkpoint_says_what_it_is(tmp_path, strict):
    path = tmp_path / "a.npz"
    train(small(), steps=1, checkpoint=path)
    with pytest.raises(DataError, match=r"a training, .* tg\.checkpoints\.load\(path, network\)"):
        small().load(path, strict=strict)


def test_the_modules_show_their_own_names_alone():
    assert {"Fit", "accuracy", "fit", "mean_loss", "on_both_parts", "squared_error"} <= set(dir(tg.training))  # fmt: skip
    assert not {"Any", "os", "zlib", "itertools", "Data"} & {
        *dir(tg.training),
        *dir(tg.checkpoints),
    }
    assert dir(tg.checkpoints) == ["Progress", "load", "save"]


def test_accuracy_refuses_targets_that_would_be_compared_with_every_other():
    with pytest.raises(DataError, match=r"accuracy: targets of shape \(3, 1\): expected .* \(3,\)"):
        accuracy(nn.Flatten(), np.eye(3), np.array([[0], [1], [2]]))


def test_two_networks_train_in_threads_as_they_do_alone():
    def outcome(seed):
        return train(small(seed, dropout=True), steps=25, seed=seed, evaluate_every=7).losses

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(outcome, range(4)))
    assert together == [outcome(seed) for seed in range(4)]


def test_optimiser_of_another_network_is_refused():
    network = small()
    optimizer = momentum(network)
    network.to(dtype="float64")
    with pytest.raises(UsageError, match=r"make it after network\.to"):
        train(network, optimizer, steps=1)


def test_targets_that_broadcasting_would_hide_are_refused():
    with pytest.raises(UsageError, match=r"\(4, 3\) and the target \(4,\).* classes, .* integers"):
        squared_error(tg.tensor(np.ones((4, 3))), np.ones(4))
    with pytest.raises(UsageError, match=r"output has shape \(4, 1\) and the target \(4,\)"):
        squared_error(tg.tensor(np.ones((4, 1))), np.ones(4))


def test_training_on_a_device_ends_at_the_same_numbers(xp, tmp_path):
    drawn = data.linear_regression(examples=64, features=3)
    networks = []
    for device in ("cpu", "cuda"):
        network = nn.Linear(3, 1, rng=np.random.default_rng(0)).to(device, "float64")
        for steps in (7, 20):
            optimizer = optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
            fit(network, drawn, optimizer, steps=steps, batch=16, progress=False, clip_norm=1.0, checkpoint=tmp_path / f"{device}.npz")  # fmt: skip
        networks.append(network)
    asked = {t.place.partition(",")[0] for t in standin.transfers if t.by_engine}
    standin.transfers.clear()
    assert asked <= {
        "fit",
        "first_not_finite",
        "_weighed.<locals>.weighed",
    }  # the losses, and whether all is finite
    assert networks[1].weight.device == "cuda"
    np.testing.assert_allclose(networks[1].weight.numpy(), networks[0].weight.data, rtol=1e-9)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(("examples", "targets"), [(0, 0), (9, 8), (8, 9)])
def test_data_without_examples_or_of_unequal_lengths_are_refused(part, examples, targets):
    x, y = DIGITS.train_x[:examples], DIGITS.train_y[:targets]
    wrong = dataclasses.replace(DIGITS, **{f"{part}_x": x, f"{part}_y": y})
    message = f"the {part}ing part" if part == "train" else "the test part"
    network = small()
    with pytest.raises(DataError, match=f"fit: {message}: {examples} examples and {targets} tar"):
        fit(network, wrong, momentum(network), steps=1, progress=False)
    with pytest.raises(DataError, match=f"batches: {examples} examples and {targets} targets"):
        data.batches(x, y, 2)
    with pytest.raises(DataError, match=f"accuracy: {examples} examples and {targets} targets"):
        accuracy(network, x, y)


def test_a_network_without_parameters_can_be_evaluated():
    assert accuracy(nn.Flatten(), np.eye(3), np.array([0, 1, 0])) == pytest.approx(2 / 3)
