"""Data: the digits, a user's own file, and everything that can be wrong with it."""

import zipfile

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import data, nets, nn, optim
from tinygrad_res.errors import DataError, ShapeError
from tinygrad_res.training import fit

RNG = np.random.default_rng(4)


def archive(tmp_path, **arrays):
    path = tmp_path / "images.npz"
    np.savez(path, **arrays)
    return str(path)


def test_digits_are_split_and_standardised():
    digits = data.load("digits")
    assert digits.train_x.shape == (1348, 1, 8, 8)
    assert digits.test_x.shape == (449, 1, 8, 8)
    assert digits.classes == 10
    assert digits.train_x.dtype == np.float32
    assert abs(digits.train_x.mean()) < 1e-5
    assert digits.train_x.std() == pytest.approx(1, abs=1e-5)


def test_seed_decides_the_split():
    a, b, c = data.load("digits", 0), data.load("digits", 0), data.load("digits", 1)
    np.testing.assert_array_equal(a.test_y, b.test_y)
    assert (a.test_y != c.test_y).any()


def test_seed_decides_the_split_of_a_file(tmp_path):
    path = archive(tmp_path, x=RNG.standard_normal((40, 3)), y=np.arange(40) % 8)
    same, other = data.load(path, 1), data.load(path, 2)
    np.testing.assert_array_equal(same.test_y, data.load(path, 1).test_y)
    assert (same.test_y != other.test_y).any()


def test_classes_are_those_of_both_parts():
    x, low, high = np.zeros((2, 3), np.float32), np.array([0, 1]), np.array([0, 2])
    assert data.Images("mine", x, low, x, high).classes == 3
    assert data.Images("mine", x, high, x, low).classes == 3


def test_batches_visit_every_image_once_in_each_pass():
    digits = data.load("digits")
    batches = digits.batches(337, seed=0)
    seen = np.concatenate([next(batches)[0] for _ in range(4)])
    assert len(np.unique(seen.reshape(len(seen), -1), axis=0)) == len(
        np.unique(digits.train_x.reshape(1348, -1), axis=0)
    )


@pytest.mark.parametrize(
    ("shape", "image"), [((20, 3, 4, 4), (3, 4, 4)), ((20, 4, 5), (1, 4, 5)), ((20, 7), (7,))]
)
def test_own_file_of_any_image_shape_is_read(tmp_path, shape, image):
    source = archive(tmp_path, x=RNG.standard_normal(shape), y=RNG.integers(0, 3, 20))
    assert data.load(source).shape == image


@pytest.mark.parametrize("channels", [1, 3])
def test_images_whose_channels_come_last_are_warned_of(channels):
    x, y = RNG.standard_normal((20, 8, 8, channels)), np.arange(20) % 2
    with pytest.warns(UserWarning, match=r"of 8 channels: .*pass x\.transpose\(0, 3, 1, 2\)"):
        assert data.split("mine", x, y).shape == (8, 8, channels)
    assert data.split("mine", x.transpose(0, 3, 1, 2), y).shape == (channels, 8, 8)


def test_square_images_of_three_pixels_are_not_warned_of():
    x, y = RNG.standard_normal((20, 3, 3, 3)), np.arange(20) % 2
    assert data.split("mine", x, y).shape == (3, 3, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.full((20, 3), np.nan)}, r"60 values that are NaN .*, the first at \(0, 0\)"),
        ({"x": np.full((20, 3), 1e300)}, "60 values that are NaN or infinite"),
        ({"x": np.ones((20, 3), complex)}, "x is of dtype complex128: expected real numbers"),
        ({"x": np.ones(20)}, r"x has shape \(20,\): expected at least 8 images"),
        ({"y": np.zeros(19, int)}, r"y has shape \(19,\): expected one class for each of the 20"),
        ({"y": np.eye(20, 3)}, r"use y\.argmax"),
        ({"y": np.zeros(20)}, "y is of dtype float64: expected classes as integers"),
        ({"y": np.arange(20) - 1}, r"classes from -1 to 18: number them from 0"),
        ({"y": np.arange(20) * 10**9}, "number them from 0"),
        ({"y": np.zeros(20, int)}, "one class only"),
    ],
)
def test_unusable_arrays_are_refused(tmp_path, change, message):
    arrays = {"x": RNG.standard_normal((20, 3)), "y": np.arange(20) % 2} | change
    with pytest.raises(DataError, match=message):
        data.load(archive(tmp_path, **arrays))


def test_missing_damaged_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"use 'digits', or .* an \.npz file or .* or folder of CIFAR"
    ):
        data.load("cifar")
    with pytest.raises(DataError, match="there is no such file"):
        data.load(str(tmp_path / "none.npz"))
    damaged = tmp_path / "damaged.npz"
    np.save(tmp_path / "single.npy", np.ones(3))
    whole = tmp_path / "images.npz"
    np.savez_compressed(whole, x=RNG.standard_normal((20, 30)), y=np.arange(20))
    for content in (
        b"PK\x03\x04 cut short",
        b"",
        (tmp_path / "single.npy").read_bytes(),
        whole.read_bytes()[:90] + b"\xff" * 40 + whole.read_bytes()[130:],
    ):
        damaged.write_bytes(content)
        with pytest.raises(DataError, match=r"cannot be read as an \.npz file"):
            data.load(str(damaged))
    with pytest.raises(DataError, match="holds the arrays x; it must hold x, the images, and y"):
        data.load(archive(tmp_path, x=np.ones((20, 3))))


def test_an_array_that_claims_more_than_any_memory_is_refused(tmp_path):
    path = tmp_path / "huge.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(DataError, match=r"cannot be read as an \.npz file"):
        data.load(str(path))
    with pytest.raises(DataError, match="is damaged, or holds no arrays"):
        nn.Linear(1, 1).load(path)


def test_pickled_objects_are_not_loaded(tmp_path):
    objects = np.array([{"x": 1}] * 20, dtype=object)
    with pytest.raises(DataError, match="cannot be read"):
        data.load(archive(tmp_path, x=objects, y=np.zeros(20, int)))


def test_rows_stay_rows_and_train_a_layer_that_takes_them(tmp_path):
    x = RNG.standard_normal((40, 4))
    found = data.load(archive(tmp_path, x=x, y=(x[:, 0] > 0).astype(int)))
    assert (found.train_x.shape, found.test_x.shape) == ((30, 4), (10, 4))
    np.testing.assert_allclose(found.train_x.std(), 1, rtol=1e-6)
    layer = nn.Linear(4, 2, rng=0)
    outcome = fit(layer, found, optim.SGD(layer.parameters(), lr=1.0), steps=60, progress=False)
    assert outcome.score == 1.0 and layer(found.test_x).shape == (10, 2)
    assert nets.build("residual-mlp", found.shape, found.classes)(found.test_x).shape == (10, 2)
    with pytest.raises(
        ShapeError, match=r"resnet20: examples of shape \(4,\): .* use residual-mlp"
    ):
        nets.build("resnet20", found.shape, found.classes)


def test_tensors_are_split_as_their_arrays(tmp_path):
    x, y = RNG.standard_normal((20, 3)), np.arange(20) % 2
    found = data.split("tensors", tg.tensor(x), tg.tensor(y))
    np.testing.assert_array_equal(found.test_x, data.split("arrays", x, y).test_x)


def test_lists_are_split_and_values_whose_squares_overflow_are_refused():
    rows = np.random.default_rng(0).standard_normal((20, 3))
    classes = np.arange(20) % 2
    from_lists = data.split("lists", rows.tolist(), classes.tolist())
    np.testing.assert_array_equal(from_lists.train_x, data.split("a", rows, classes).train_x)
    with pytest.raises(
        DataError, match=r"data big: x has values up to .*e.30, whose squares float32"
    ):
        data.split("big", rows * 1e30, classes)
    with pytest.raises(DataError, match="data ragged: lists of unequal lengths"):
        data.split("ragged", [[1.0], [1.0, 2.0]] * 10, classes)


def test_batches_take_lists_and_refuse_what_is_no_array():
    x, y = next(data.batches([[1.0], [2.0]], [0, 1], 2))
    assert x.shape == (2, 1) and x[:, 0].tolist() == (y + 1.0).tolist()
    with pytest.raises(
        DataError, match=r"batches: the examples: shape .* pass an array of numbers"
    ):
        data.batches({"a": 1}, [1], 1)
