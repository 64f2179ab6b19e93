"""What goes wrong with a training is told, and before its first step wherever it can be."""

import dataclasses
import math
import types

import numpy as np
import pytest
from trainings import DIGITS, assert_same_state, momentum, small, train

import tinygrad_res as tg
from tinygrad_res import data, nn, optim, targets
from tinygrad_res.errors import DataError, GradientError, UsageError
from tinygrad_res.training import accuracy, fit, squared_error


def test_labels_are_held_against_the_network_where_examples_are_augmented_too():
    network, labels = small(), DIGITS.train_y.copy()
    labels[7] = 12
    wrong = dataclasses.replace(DIGITS, train_y=labels)
    with pytest.raises(DataError, match="label 12 at index 7, but the network has 10 outputs"):
        fit(network, wrong, momentum(network), steps=1, augment=data.crop_and_flip)


def test_booleans_are_no_numbers_to_predict():
    y = np.arange(20)[:, None] % 2 == 0
    with pytest.raises(DataError, match="dtype bool, where the network gives"):
        targets.check_numbers("here", y, (20, 1))
    targets.check_numbers("here", y.astype(float), (20, 1))


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
