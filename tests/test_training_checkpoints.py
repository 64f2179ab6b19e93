"""Checkpoints: a training that stops goes on bit for bit, or is refused and changes nothing."""

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
from trainings import DIGITS, assert_same_state, momentum, small, train

from tinygrad_res import checkpoints, data, nets, nn, optim
from tinygrad_res.errors import DataError, FileError, GradientError, UsageError
from tinygrad_res.training import fit


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


def test_a_checkpoint_with_settings_is_not_one_without(tmp_path):
    network = small()
    checkpoints.save(
        tmp_path / "a.npz", network, momentum(network), checkpoints.Progress(), {"n": 1}
    )
    with pytest.raises(UsageError, match="n was 1 and is None"):
        checkpoints.load(tmp_path / "a.npz", network, settings={})


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
from trainings import small, train
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


def test_keys_that_differ_are_named_where_settings_differ_too(tmp_path):
    path = tmp_path / "a.npz"
    train(small(), steps=1, checkpoint=path)
    with pytest.raises(DataError, match=r"(?s)is of another network: .*1\.weight: of shape"):
        train(small(width=17), steps=1, seed=1, checkpoint=path)


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


@pytest.mark.parametrize("strict", [True, False])
def test_a_network_that_is_to_load_a_checkpoint_says_what_it_is(tmp_path, strict):
    path = tmp_path / "a.npz"
    train(small(), steps=1, checkpoint=path)
    with pytest.raises(DataError, match=r"a training, .* tg\.checkpoints\.load\(path, network\)"):
        small().load(path, strict=strict)
