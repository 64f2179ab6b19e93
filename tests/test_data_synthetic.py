"""Batches, augmentation, and problems drawn at random."""

import itertools

import numpy as np
import pytest

from tinygrad_res import data
from tinygrad_res.errors import ShapeError, UsageError

RNG = np.random.default_rng(7)


def taken(n, *args, **options):
    return [part for part, _ in itertools.islice(data.batches(*args, **options), n)]


@pytest.mark.parametrize("start", [0, 1, 2, 3, 6, 7])
def test_batches_start_where_another_run_stopped(start):
    x = np.arange(11)
    whole = taken(12, x, -x, 3, seed=4)
    np.testing.assert_array_equal(taken(12 - start, x, -x, 3, seed=4, start=start), whole[start:])


def test_passes_leave_out_other_examples_each_time_and_keep_pairs():
    x = np.arange(10)
    found = list(itertools.islice(data.batches(x, 2 * x, 4, seed=0), 2 * 50))
    passes = [
        {*map(int, a[0]), *map(int, b[0])} for a, b in zip(found[::2], found[1::2], strict=True)
    ]
    assert {len(seen) for seen in passes} == {8}
    assert set.intersection(*passes) == set()
    assert all((2 * a == b).all() for a, b in found)


def test_fewer_examples_than_a_batch_are_one_batch():
    assert sorted(taken(1, np.arange(3), np.arange(3), 8)[0]) == [0, 1, 2]
    assert data.steps_per_pass(3, 8) == 1


@pytest.mark.parametrize(
    "options", [{"size": 0}, {"size": 2, "seed": -1}, {"size": 2, "start": 1.5}]
)
def test_batches_refuse_numbers_out_of_their_bounds(options):
    with pytest.raises(UsageError, match="batches: "):
        data.batches(np.arange(4), np.arange(4), **options)


def test_batches_stay_on_the_device(xp):
    x = np.arange(8.0)
    here, there = (taken(3, a, a, 3, seed=1) for a in (x, xp.asarray(x)))
    for a, b in zip(here, there, strict=True):
        assert type(b) is type(xp.asarray(x))
        np.testing.assert_array_equal(b.get(), a)


def test_crops_are_all_shifts_of_the_image_with_zeros_around():
    x = RNG.standard_normal((1, 2, 3, 3)) + 5
    padded = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
    shifts = {(i, j): padded[:, i : i + 3, j : j + 3] for i in range(3) for j in range(3)}
    found = data.crop(np.repeat(x, 500, axis=0), np.random.default_rng(0), padding=1)
    counts = {at: sum(np.array_equal(one, shift) for one in found) for at, shift in shifts.items()}
    assert sum(counts.values()) == 500
    assert min(counts.values()) > 30  # 55.6 each, with a deviation of 7


def test_flips_mirror_half_of_the_images():
    x = np.repeat(RNG.standard_normal((1, 2, 3, 4)), 400, axis=0)
    found = data.flip(x, np.random.default_rng(0))
    mirrored = [np.array_equal(one, x[0, :, :, ::-1]) for one in found]
    assert all(m or np.array_equal(one, x[0]) for m, one in zip(mirrored, found, strict=True))
    assert 160 < sum(mirrored) < 240


def test_cifar_is_cropped_by_4_and_then_flipped():
    x = np.random.default_rng(0).standard_normal((50, 2, 8, 8))
    rng = np.random.default_rng(3)
    cropped = data.crop(x, rng, padding=4)
    mirrored = rng.random(50) < 0.5
    expected = np.stack([c[..., ::-1] if m else c for c, m in zip(cropped, mirrored, strict=True)])
    np.testing.assert_array_equal(data.crop_and_flip(x, 3), expected)


def test_augmentation_follows_its_generator_and_leaves_its_argument():
    x = RNG.standard_normal((20, 3, 8, 8)).astype(np.float32)
    before = x.copy()
    a, b, c = (data.crop_and_flip(x, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any() and a.shape == x.shape and a.dtype == x.dtype
    np.testing.assert_array_equal(x, before)


def test_augmentation_takes_a_seed_for_a_generator_and_refuses_anything_else():
    x = RNG.standard_normal((20, 3, 8, 8))
    for change in (data.crop, data.flip, data.crop_and_flip):
        np.testing.assert_array_equal(change(x, 3), change(x, np.random.default_rng(3)))
        with pytest.raises(UsageError, match="rng='a': pass an int"):
            change(x, "a")
        with pytest.raises(ShapeError, match="list: expected images"):
            change([[1.0]], 0)


def test_augmentation_refuses_what_are_no_images():
    with pytest.raises(ShapeError, match=r"crop: shape \(3, 4\): expected images"):
        data.crop_and_flip(np.ones((3, 4)), RNG)
    with pytest.raises(UsageError, match="crop: padding=-1"):
        data.crop(np.ones((1, 1, 2, 2)), RNG, -1)


def test_linear_data_are_linear_up_to_the_noise():
    drawn = data.linear_regression(examples=4000, features=3, noise=0.2, seed=1)
    error = drawn.test_y[:, 0] - drawn.test_x @ drawn.coefficients - drawn.intercept
    assert error.std() == pytest.approx(0.2, rel=0.1)
    coefficients, intercept = drawn.least_squares()
    np.testing.assert_allclose(coefficients, drawn.coefficients, atol=0.03)
    assert intercept == pytest.approx(drawn.intercept, abs=0.02)


def test_perturbed_data_are_linear_but_for_a_wave():
    plain, wavy = (data.linear_regression(perturbation=p, seed=2) for p in (0.0, 0.7))
    np.testing.assert_array_equal(plain.train_x, wavy.train_x)
    wave = 0.7 * np.sin(np.pi * plain.train_x[:, :1])
    np.testing.assert_allclose(wavy.train_y - plain.train_y, wave, atol=1e-12)
    assert (plain.name, wavy.name) == ("linear", "linear + perturbation")


@pytest.mark.parametrize(
    "options", [{"examples": 7}, {"features": 0}, {"noise": -0.1}, {"noise": float("nan")}]
)
def test_regressions_refuse_numbers_out_of_their_bounds(options):
    with pytest.raises(UsageError, match="linear_regression: "):
        data.linear_regression(**options)


def test_the_noise_of_the_moons_is_drawn_by_the_seed():
    def shape(seed):  # of all points along one axis, whichever part they are in
        drawn = data.two_moons(seed=seed)
        x = np.sort(np.concatenate([drawn.train_x, drawn.test_x])[:, 0])
        return (x - x[0]) / (x[-1] - x[0])

    np.testing.assert_array_equal(shape(1), shape(1))
    assert abs(shape(1) - shape(2)).max() > 1e-3


def test_spirals_are_told_apart_by_their_neighbours_and_by_no_line():
    drawn = data.spirals(examples=900, classes=3)
    x, y, held_out = (a.reshape(len(a), -1) for a in (drawn.train_x, drawn.train_y, drawn.test_x))
    near = np.linalg.norm(held_out[:, None] - x, axis=2).argmin(axis=1)
    plane = np.hstack([x, np.ones((len(x), 1))])
    lines = np.linalg.lstsq(plane, np.eye(3)[y[:, 0]], rcond=None)[0]
    by_line = (np.hstack([held_out, np.ones((len(held_out), 1))]) @ lines).argmax(axis=1)
    assert (drawn.train_y[near] == drawn.test_y).mean() > 0.97
    assert (by_line == drawn.test_y).mean() < 0.6


@pytest.mark.parametrize("make", [data.two_moons, data.spirals])
def test_classes_in_a_plane_follow_their_seed(make):
    a, b, c = make(seed=3), make(seed=3), make(seed=4)
    np.testing.assert_array_equal(a.train_x, b.train_x)
    assert (a.train_x != c.train_x).any()
    assert a.classes == 2 and a.shape == (2,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: data.two_moons(noise=-1), "two_moons: noise=-1"),
        (lambda: data.two_moons(seed=1.5), "two_moons: seed=1.5"),
        (lambda: data.spirals(seed=-1), "spirals: seed=-1"),
        (lambda: data.linear_regression(perturbation=np.nan), "perturbation=nan: must be a number"),
    ],
)
def test_settings_that_draw_nothing_are_named(make, message):
    with pytest.raises(UsageError, match=message):
        make()
