"""Experiments on a user's own images: small archives of CIFAR's official forms, and .npz files."""

import dataclasses
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from test_data_cifar import archive, records

import tinygrad_res as tg
from tinygrad_res import data, nets
from tinygrad_res.cli import main
from tinygrad_res.data import cifar
from tinygrad_res.errors import DataError, UsageError
from tinygrad_res.experiments import (
    EXPERIMENTS,
    depth,
    recipe,
    sensitivity,
    sources,
    surface_study,
    variants,
)
from tinygrad_res.experiments.command import takes_data
from tinygrad_res.experiments.sources import DIGITS, Source, Unverified, given, images

PART = 30  # images in each file, or one of each class

SMALL = {
    "degradation": {"depths": (8,), "steps": 2, "batch": 8},
    "effective-path-length": {"blocks": 1, "width": 4, "steps": 1, "samples": 1, "batch": 4},
    "five-blocks": {"blocks": 2, "width": 4, "steps": 1},
    "identity-mapping": {"copied": 1, "added": (1,), "steps": 2, "batch": 8},
    "lesions": {"family": "fully connected", "depth": 14, "plain_depth": 8, "steps": 1, "draws": 1},
    "loss-surface": {"depths": (8,), "steps": 2, "points": 3, "images": 2},
    "path-lengths": {"depth": 8, "steps": 1, "samples": 1, "batch": 2},
    "responses": {"depths": (8,), "steps": 2, "batch": 8},
    "sensitivity": {"blocks": 1, "steps": 1, "batch": 8},
    "short-paths": {"family": "fully connected", "depth": 8, "steps": 1},
    "shortcut-variants": {"depth": 8, "steps": 2, "batch": 4},
}
"""The experiments that take images, and keywords for which they take a moment."""


def write(folder, form, seed=0):
    """Write an archive of one of the official forms, whose labels go round."""
    rng = np.random.default_rng(seed)
    files = {}
    for name in (*form.train, *form.test):
        count = max(PART, *form.labels.values())
        labels = {k: (np.arange(count) % n).tolist() for k, n in form.labels.items()}
        files[name] = records(rng.integers(0, 256, (count, cifar.PIXELS), dtype=np.uint8), **labels)
    return archive(folder / form.archive, form.folder, files)


def make_official(patch, source, form):
    """Let an archive be the official one of its form."""
    md5 = hashlib.md5(source.read_bytes()).hexdigest()
    forms = [
        dataclasses.replace(f, md5=md5) if f.archive == form.archive else f for f in cifar.FORMS
    ]
    patch.setattr(cifar, "FORMS", tuple(forms))


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    source = write(tmp_path, cifar.FORMS[0])
    make_official(monkeypatch, source, cifar.FORMS[0])
    return source


@pytest.fixture
def cifar100(tmp_path, monkeypatch):
    source = write(tmp_path, cifar.FORMS[2])
    make_official(monkeypatch, source, cifar.FORMS[2])
    return source


def test_experiments_that_train_take_images_and_no_others():
    assert {name for name in EXPERIMENTS if takes_data(name)} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_each_of_them_runs_on_cifar_and_says_so(cifar10, monkeypatch, name):
    monkeypatch.setattr(variants, "IMAGES", 2)
    monkeypatch.setattr(variants, "POINTS", {False: 1})
    monkeypatch.setattr(depth, "POINTS", {False: 1})
    monkeypatch.setattr(depth, "FAMILIES", ["fully connected"])
    monkeypatch.setattr(surface_study, "extreme_eigenvalues", lambda *_: (-1.0, 2.0))
    run = EXPERIMENTS[name].run

    found = run(**SMALL[name], runs=1, data=cifar10, limit=10)

    assert (found.data.shape, found.data.classes) == ((3, 32, 32), 10)
    assert "CIFAR-10 (10 training images)" in found.table()
    assert "digits" not in found.table()
    written = json.loads(json.dumps(found.as_dict()))["data"]
    assert (written["path"], written["train"], written["test"]) == (str(cifar10), 10, 10)
    assert len(written["content"]) == 64


def test_a_hundred_classes_are_all_told_apart(cifar100):
    found = run(cifar100, limit=100)
    assert (found.data.said, found.data.classes) == ("CIFAR-100", 100)
    assert len(np.unique(images(found.data.cell, 0).train_y)) == 100
    with pytest.raises(UsageError, match="limit=99: there are 100 classes"):
        run(cifar100, limit=99)


def test_pictures_say_which_images():
    cells = [
        {
            "family": family,
            "shortcut": shortcut,
            "depth": 8,
            "at": [1, 2],
            "train": [90.0, 80.0],
            "test": [95.0, 85.0],
        }
        for family in recipe.FAMILIES
        for shortcut in depth.KINDS
    ]
    part = Source("/c", 100, title="CIFAR-10", train=100, whole=50_000)
    for source, words in ((part, "CIFAR-10 (100 training images)"), (DIGITS, "digits")):
        found = depth.Degradation((8,), 2, 8, (0,), False, cells, source)
        assert found.plot().title == f"Training error by depth: {words}"


def test_a_training_is_the_one_written_out_on_the_loaded_images(cifar10):
    whole = data.load(str(cifar10))
    network = nets.resnet(8, 3, 10, np.random.default_rng(3))
    optimizer = tg.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = tg.optim.multi_step_lr([1, 1])
    went = tg.training.fit(
        network, whole, optimizer, steps=2, batch=8, seed=3, schedule=schedule, progress=False
    )

    source = given("x", cifar10)
    found = recipe.trained(
        "convolutional", 8, "identity", "original", 2, 8, 1, 3, data=source.cell
    )  # fmt: skip

    assert found["loss"] == [pytest.approx(np.mean(went.losses))]
    assert found["test"][-1] == 100 * (1 - went.score)


def test_fully_connected_networks_take_every_pixel_of_every_channel(cifar10):
    network = recipe.make("fully connected", 8, "none", "original", np.random.default_rng(0), (3, 32, 32), 100)  # fmt: skip
    first, *_, last = network.weight_layers()
    assert (first.weight.shape, last.weight.shape) == ((64, 3072), (100, 64))


# Which images


def test_images_are_the_first_of_each_class_normalised_by_all(cifar10):
    whole = data.load(str(cifar10))

    few = images(given("x", cifar10, limit=25).cell, seed=7)

    # labels go round within each file of 30, so that the first 25 are 3 of five classes, 2 of five
    np.testing.assert_array_equal(few.train_x, whole.train_x[:25])
    np.testing.assert_array_equal(few.train_y, np.arange(25) % 10)
    np.testing.assert_array_equal(few.test_x, whole.test_x[:25])
    assert abs(whole.train_x.mean((0, 2, 3))).max() < 1e-5 < abs(few.train_x.mean((0, 2, 3))).max()


def test_classes_are_as_evenly_taken_as_they_can_be():
    y = np.array([0, 0, 0, 0, 1, 2, 0, 2, 2])
    x = np.arange(9)
    kept, labels = sources._first(x, y, 6)
    assert kept.tolist() == [0, 1, 2, 4, 5, 7]
    assert labels.tolist() == y[kept].tolist()


def test_a_limit_above_the_number_of_images_takes_them_all(cifar10):
    source = given("x", cifar10, limit=10**6)
    assert (source.train, source.test, source.said) == (5 * PART, PART, "CIFAR-10")
    assert len(images(source.cell, 0).train_y) == 5 * PART


def test_digits_are_described_as_they_are():
    found = data.load("digits")
    assert given("x", "digits") == DIGITS
    assert (DIGITS.shape, DIGITS.classes) == (found.shape, found.classes)
    assert (DIGITS.train, DIGITS.test) == (len(found.train_y), len(found.test_y))


def test_images_beside_those_of_the_papers():
    part = Source("/c", 100, title="CIFAR-10", train=100, whole=50_000)
    assert part.beside == "a part of the same images"
    assert dataclasses.replace(part, train=50_000).beside == "the same images"
    assert dataclasses.replace(part, title="CIFAR-100").beside == "CIFAR-100, other images"


def test_a_file_of_ones_own_is_split_by_the_seed(tmp_path):
    rng = np.random.default_rng(0)
    file = tmp_path / "mine.npz"
    np.savez(file, x=rng.standard_normal((40, 2, 4, 4)), y=np.arange(40) % 3)

    found = sensitivity(blocks=1, steps=1, batch=4, runs=2, data=file)

    assert (found.data.said, found.data.shape, found.data.classes) == ("mine.npz", (2, 4, 4), 3)
    one, two = (images(found.data.cell, seed) for seed in (0, 1))
    np.testing.assert_array_equal(one.train_x, data.load(str(file), 0).train_x)
    assert not np.array_equal(one.train_y, two.train_y)


# Kept cells


def run(source, **options):
    return sensitivity(blocks=1, steps=1, batch=8, runs=2, data=source, **options)


def test_kept_cells_are_those_of_the_same_images_under_the_same_limit(tmp_path, monkeypatch):
    form, keep = cifar.FORMS[0], tmp_path / "keep"
    source = write(tmp_path, form)
    make_official(monkeypatch, source, form)
    first = run(source, folder=keep)
    assert run(source, folder=keep) == first
    assert len(list(keep.iterdir())) == 2
    run(source, folder=keep, limit=50)
    assert len(list(keep.iterdir())) == 4

    write(tmp_path, form, seed=1)  # other images in the same place
    make_official(monkeypatch, source, form)
    second = run(source, folder=keep)

    assert len(list(keep.iterdir())) == 6
    assert second.cells != first.cells


def test_a_cell_that_finds_other_images_than_it_was_meant_for_says_so(cifar10):
    cell = given("x", cifar10).cell
    write(cifar10.parent, cifar.FORMS[0], seed=1)
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz: the files have changed since"):
        images(cell, 0)
    cifar10.unlink()
    with pytest.raises(DataError, match="the files have changed since"):
        images(cell, 0)


def test_a_folder_is_known_by_all_that_is_in_it(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    (folder / "a").write_bytes(b"1")
    (folder / "b").write_bytes(b"2")
    before = sources._checksum(str(folder))
    assert sources._checksum(str(folder)) == before
    (folder / "b").write_bytes(b"3")
    assert sources._checksum(str(folder)) != before


def test_numbers_do_not_depend_on_the_executor(cifar10):
    with ThreadPoolExecutor(2) as threads:
        assert run(cifar10, executor=threads) == run(cifar10)


# The command


def test_the_command_runs_on_an_archive(tmp_path, capsys, monkeypatch, cifar10):
    monkeypatch.chdir(tmp_path)
    arguments = ["experiment", "sensitivity", "--quick", "--data", cifar10.name, "--limit", "40"]
    assert main([*arguments, "--out", "out"]) == 0
    assert "CIFAR-10 (40 training images)" in capsys.readouterr().out
    values = json.loads((tmp_path / "out" / "sensitivity.json").read_text())
    assert values["data"]["path"] == str(cifar10)


def test_files_that_are_not_the_official_ones_are_taken_where_told_to_and_called_so(
    tmp_path, capsys, monkeypatch
):
    source = write(tmp_path, cifar.FORMS[0])
    monkeypatch.chdir(tmp_path)
    arguments = ["experiment", "sensitivity", "--quick", "--data", source.name, "--keep", "kept"]
    assert main([*arguments, "--unverified"]) == 0
    out, err = capsys.readouterr()
    assert "unverified CIFAR-10" in out
    warning = f"tinygrad-res: warning: {source.name} may be any images of CIFAR's form: "
    assert any(line.startswith(warning) for line in err.splitlines())
    values = json.loads((tmp_path / "experiments" / "sensitivity.json").read_text())
    assert values["data"]["verified"] is False
    assert main(arguments) == 2
    assert "its MD5 sum is" in capsys.readouterr().err


def test_unverified_images_share_no_kept_cell_with_the_official_ones_and_not_their_name(cifar10):
    official, unverified = given("x", cifar10), given("x", Unverified(cifar10))
    assert set(official.cell) == {"path", "limit", "content"}  # what cells are kept by
    assert unverified.cell == {**official.cell, "verify": False}
    assert unverified.said == "unverified CIFAR-10"
    assert unverified.beside == "unverified CIFAR-10, other images"
    assert (images(unverified.cell, 0).train_x == images(official.cell, 0).train_x).all()


@pytest.mark.parametrize("data", ["digits", "a.npz"])
def test_what_has_no_official_sums_is_not_called_unverified(data):
    with pytest.raises(UsageError, match=f"sensitivity: unverified data {data}: only CIFAR has"):
        sensitivity(data=Unverified(data))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "cifar-10-binary.tar.gz"], "there is no such file; cifar-10-binary.tar.gz"),
        (["--data", "wrong/cifar-10-binary.tar.gz"], "its MD5 sum is"),
        (["--data", "cifar10"], "unknown data '"),
        (["--data", "none.npz"], "none.npz: there is no such file"),
        (["--limit", "9"], "limit=9: there are 10 classes: take an image of each"),
        (["--limit", "0"], "limit=0: pass an int of at least 1"),
    ],
)
def test_wrong_images_are_refused_in_a_line_before_anything_is_written(
    tmp_path, capsys, monkeypatch, arguments, message
):
    (tmp_path / "wrong").mkdir()
    write(tmp_path / "wrong", cifar.FORMS[0])
    monkeypatch.chdir(tmp_path)
    for name in SMALL:
        assert main(["experiment", name, *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["wrong"]


def test_what_is_no_path_is_refused():
    with pytest.raises(UsageError, match="sensitivity: data=3: pass 'digits' or a path"):
        sensitivity(data=3)
    with pytest.raises(UsageError, match="sensitivity: seed=-1"):
        sensitivity(seed=-1)


def test_experiments_that_train_on_nothing_have_no_such_option(capsys):
    with pytest.raises(SystemExit):
        main(["experiment", "chain-rule", "--data", "digits"])
    assert "unrecognized arguments: --data digits" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["degradation", "loss-surface", "path-lengths", "responses", "shortcut-variants"]
)
def test_rows_of_features_are_refused_before_a_convolutional_network_is_trained(tmp_path, name):
    path = tmp_path / "rows.npz"
    np.savez(path, x=np.ones((40, 64), np.float32), y=np.arange(40) % 10)
    with pytest.raises(DataError, match=r"rows.npz: examples of shape \(64,\), but convolutional"):
        EXPERIMENTS[name].run(**SMALL[name], data=path)


def test_rows_of_features_are_taken_by_fully_connected_networks(tmp_path):
    path = tmp_path / "rows.npz"
    x = np.random.default_rng(0).standard_normal((40, 64)).astype(np.float32)
    np.savez(path, x=x, y=np.arange(40) % 10)
    assert len(EXPERIMENTS["lesions"].run(**SMALL["lesions"], data=path).residual) > 0
    with pytest.raises(DataError, match="convolutional networks take"):
        EXPERIMENTS["lesions"].run(family="convolutional", data=path)
