"""Training: what ``fit`` makes of a network, and how it says how it went."""

import dataclasses
import math
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import standin
from trainings import DIGITS, assert_same_state, momentum, small, train

import tinygrad_res as tg
from tinygrad_res import data, nets, nn, optim, targets
from tinygrad_res.errors import DataError, GradientError
from tinygrad_res.training import accuracy, fit, mean_loss, on_both_parts, squared_error


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


def test_augmentation_may_return_a_tensor():
    a, b = small(), small()
    train(a, steps=2, augment=lambda x, rng: tg.tensor(-x))
    train(b, steps=2, augment=lambda x, rng: -x)
    assert_same_state(a, b)


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


def test_a_network_without_parameters_can_be_evaluated():
    assert accuracy(nn.Flatten(), np.eye(3), np.array([0, 1, 0])) == pytest.approx(2 / 3)
