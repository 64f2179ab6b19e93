"""CIFAR from archives and folders: small files of the official forms, whole and broken."""

import dataclasses
import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import tracemalloc

import numpy as np
import pytest

from tinygrad_res import data
from tinygrad_res.data import cifar
from tinygrad_res.data.pickled import read_pickled
from tinygrad_res.errors import DataError, UsageError

RNG = np.random.default_rng(6)
PART = 4  # images in each file


def images(n):
    return RNG.integers(0, 256, (n, 3072), dtype=np.uint8)


def python2_pickle(pixels, **labels):
    """Return a dict as Python 2 pickled it in protocol 2: texts are its byte strings."""

    def text(value):
        return b"T" + struct.pack("<I", len(value)) + value

    def integer(value):
        return b"J" + struct.pack("<i", value)

    def tuple_of(*parts):
        return b"(" + b"".join(parts) + b"t"

    dtype = b"cnumpy\ndtype\n" + tuple_of(text(b"u1"), integer(0), integer(1)) + b"R"
    dtype += tuple_of(integer(3), text(b"|"), b"N", b"N", b"N", integer(-1), integer(-1), integer(0)) + b"b"  # fmt: skip
    array = b"cnumpy.core.multiarray\n_reconstruct\n"
    array += tuple_of(b"cnumpy\nndarray\n", tuple_of(integer(0)), text(b"b")) + b"R"
    array += tuple_of(integer(1), tuple_of(*map(integer, pixels.shape)), dtype, b"\x89", text(pixels.tobytes())) + b"b"  # fmt: skip
    items = text(b"data") + array
    for name, values in labels.items():
        items += text(name.encode()) + b"](" + b"".join(map(integer, values)) + b"e"
    return b"\x80\x02}(" + items + text(b"batch_label") + text(b"training batch 1 of 5") + b"u."


def python3_pickle(pixels, **labels):
    return pickle.dumps({b"data": pixels, **{k.encode(): v for k, v in labels.items()}}, 2)


def records(pixels, **labels):
    columns = [np.array(values, np.uint8)[:, None] for values in labels.values()]
    return np.hstack([*columns, pixels]).tobytes()


def written(form, write):
    """Return the files of a form by name, and the images and labels in them by part."""
    files, parts = {}, []
    for names in (form.train, form.test):
        held = []
        for name in names:
            pixels = images(PART)
            labels = {k: RNG.integers(0, n, PART).tolist() for k, n in form.labels.items()}
            files[name] = write(pixels, **labels)
            held.append((pixels, labels))
        parts.append(held)
    return files, parts


def archive(path, folder, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in {"readme.html": b"<p>", **files}.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def load(form, source, **options):
    return (data.load_cifar10 if form.labels is cifar.CIFAR10 else data.load_cifar100)(
        source, **options
    )


WRITERS = {"binary": [records], "python": [python2_pickle, python3_pickle]}
CASES = [
    pytest.param(form, write, id=f"{form.folder}-{write.__name__}")
    for form in cifar.FORMS
    for write in WRITERS["python" if form.pickled else "binary"]
]
BINARY10 = cifar.FORMS[0]
PYTHON10 = cifar.FORMS[1]


@pytest.mark.parametrize("place", ["archive", "folder", "parent"])
@pytest.mark.parametrize(("form", "write"), CASES)
def test_every_form_is_read_from_archive_and_folder(tmp_path, form, write, place):
    files, (train, test) = written(form, write)
    if place == "archive":
        source = archive(tmp_path / "renamed.tar.gz", form.folder, files)
    else:
        folder = tmp_path / form.folder
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        source = folder if place == "folder" else tmp_path

    found = load(form, source, verify=False)

    raw = np.concatenate([pixels for pixels, _ in train]).reshape(-1, 3, 32, 32).astype(float)
    mean, deviation = raw.mean((0, 2, 3), keepdims=True), raw.std((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(found.train_x, (raw - mean) / deviation, atol=1e-6)
    held_out = test[0][0].reshape(-1, 3, 32, 32)
    np.testing.assert_allclose(found.test_x, (held_out - mean) / deviation, atol=1e-6)
    wanted = list(form.labels)[-1]
    assert found.train_y.tolist() == [n for _, labels in train for n in labels[wanted]]
    assert found.test_y.tolist() == test[0][1][wanted]
    assert found.train_x.dtype == np.float32 and found.train_y.dtype == np.int64


@pytest.mark.parametrize(("form", "write"), CASES[3:])
def test_coarse_labels_of_cifar100_are_the_first_byte(tmp_path, form, write):
    files, (train, _) = written(form, write)
    source = archive(tmp_path / "a.tar.gz", form.folder, files)
    found = data.load_cifar100(source, labels="coarse", verify=False)
    assert found.train_y.tolist() == train[0][1]["coarse_labels"]
    with pytest.raises(UsageError, match="use 'fine' or 'coarse'"):
        data.load_cifar100(source, labels="superclass")


def test_pixels_are_red_green_blue_row_by_row(tmp_path):
    form = BINARY10
    files, _ = written(form, records)
    pixels = np.zeros((1, 3072), np.uint8)
    pixels[0, 1024 + 32 * 5 + 7] = 255  # green, row 5, column 7
    files["test_batch.bin"] = records(pixels, labels=[3])
    found = load(form, archive(tmp_path / "a.tar.gz", form.folder, files), verify=False)
    assert np.argwhere(found.test_x[0] > 0).tolist() == [[1, 5, 7]]


def test_official_names_are_read_by_name_and_checked(tmp_path, monkeypatch):
    files, _ = written(BINARY10, records)
    source = archive(tmp_path / BINARY10.archive, BINARY10.folder, files)
    with pytest.raises(DataError, match=rf"its MD5 sum is \w+, and must be {BINARY10.md5}"):
        data.load(str(source))
    md5 = hashlib.md5(source.read_bytes()).hexdigest()
    monkeypatch.setattr(cifar, "FORMS", [dataclasses.replace(BINARY10, md5=md5), *cifar.FORMS[1:]])
    assert data.load(str(source)).name == "cifar10"
    with pytest.raises(DataError, match=r"it is cifar-10-binary\.tar\.gz, and must be"):
        data.load_cifar100(source)


def test_official_sums_are_those_of_the_page():
    assert {form.archive: form.md5 for form in cifar.FORMS} == {
        "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
        "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
        "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
    }


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (PYTHON10, "data_batch_1: its MD5 sum is .* must be c99cafc152244af753f735de768cd75f"),
        (BINARY10, r"data_batch_1\.bin has 12292 bytes and must have 30730000"),
    ],
)
def test_unpacked_files_are_checked_too(tmp_path, form, message):
    files, _ = written(form, WRITERS["python" if form.pickled else "binary"][0])
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(form, tmp_path)


def broken(tmp_path, form=BINARY10, **changes):
    files, _ = written(form, WRITERS["python" if form.pickled else "binary"][0])
    files |= changes
    return archive(
        tmp_path / "a.tar.gz", form.folder, {k: v for k, v in files.items() if v is not None}
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (records(images(2), labels=[1, 2])[:-1], r"test_batch\.bin: has 6145 bytes, which are no records of 3073"),
        (records(images(2), labels=[1, 10]), "labels go from 1 to 10, and must lie between 0 and 9"),
        (b"", "holds no image"),
        (None, r"cifar-10-batches-bin lacks test_batch\.bin"),
    ],
)  # fmt: skip
def test_broken_records_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        data.load_cifar10(broken(tmp_path, **{"test_batch.bin": content}), verify=False)


def test_archives_cut_short_and_other_files_are_refused(tmp_path):
    source = broken(tmp_path)
    content = source.read_bytes()
    for wrong in (content[: len(content) // 2], b"no archive", b"", content[:200] + b"\x00" * 40 + content[240:]):  # fmt: skip
        source.write_bytes(wrong)
        with pytest.raises(DataError, match="is damaged or cut short"):
            data.load_cifar10(source, verify=False)
    with pytest.raises(DataError, match="there is no such file; cifar-10-binary"):
        data.load_cifar10(tmp_path / "none.tar.gz")
    source.write_bytes(content)
    with pytest.raises(DataError, match=r"is another archive: it holds no folder cifar-100-binary"):
        data.load_cifar100(source, verify=False)
    with pytest.raises(DataError, match="the folder holds neither"):
        data.load_cifar10(tmp_path)


@pytest.mark.parametrize("name", ["../../cifar-10-batches-bin", "/cifar-10-batches-bin"])
def test_members_elsewhere_are_not_read_and_nothing_is_written(tmp_path, name):
    files, _ = written(BINARY10, records)
    (tmp_path / "in").mkdir()
    source = archive(tmp_path / "in" / "a.tar.gz", name, files)
    with pytest.raises(DataError, match="is another archive"):
        data.load_cifar10(source, verify=False)
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "a.tar.gz"]


def test_links_in_an_archive_are_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(DataError, match=r"data_batch_1\.bin is no file"):
        data.load_cifar10(path, verify=False)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
def test_an_archive_that_unpacks_to_more_than_any_of_theirs_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(cifar, "UNPACKED", 2**20)
    path = tmp_path / "a.tar.gz"
    member = tarfile.TarInfo("other")
    member.type, member.size = kind, 2**30
    with gzip.open(path, "wb") as file:
        file.write(member.tobuf(tarfile.USTAR_FORMAT) + bytes(2**21))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="unpacks to more than 1,048,576 bytes"):
            data.load_cifar10(path, verify=False)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


# Pickles


def test_a_pickle_that_remembers_a_value_under_a_huge_number_takes_no_room_for_the_others():
    content = b"\x80\x02]r" + (2**26).to_bytes(4, "little") + b"."
    tracemalloc.start()
    try:
        assert read_pickled("here", content) == []
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


class Calls:
    def __init__(self, function, *args):
        self.called = function, args

    def __reduce__(self):
        return self.called


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("function", [print, eval, np.load, np.zeros, pickle.loads, getattr])
def test_pickle_that_calls_something_is_refused_and_calls_nothing(capsys, protocol, function):
    content = pickle.dumps({b"data": Calls(function, "1")}, protocol)
    with pytest.raises(DataError, match=f"asks for .*{function.__name__}, which is not allowed"):
        read_pickled("file", content)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    "held",
    [
        np.array([{}], dtype=object), np.ones(3), np.ones(3, np.int64), np.array(["a"]),
        np.zeros(2, [("a", "u1")]),
    ],
)  # fmt: skip
def test_pickled_arrays_of_anything_but_bytes_are_refused(held):
    with pytest.raises(DataError, match="is no pickle of plain arrays"):
        read_pickled("file", pickle.dumps({b"data": held}, 2))


def test_a_pickle_cut_short_is_refused_with_a_reason():
    whole = pickle.dumps({b"labels": [1, 2, 3]}, 2)
    for length in range(len(whole)):
        with pytest.raises(DataError, match=r"is no pickle of plain arrays: ."):
            read_pickled("file", whole[:length])
    with pytest.raises(DataError, match="it is cut short"):
        read_pickled("file", b"")


def test_pickled_arrays_keep_shape_and_order():
    for array in (images(3), np.asfortranarray(images(3))):
        found = read_pickled("file", pickle.dumps({b"data": array, b"n": 5}, 2))
        np.testing.assert_array_equal(found[b"data"], array)
        assert found[b"n"] == 5


def test_pickled_array_of_a_shape_that_its_bytes_do_not_fill_is_refused():
    class Shaped:
        def __init__(self, shape):
            self.shape, self.tobytes = shape, lambda: bytes(8)

    for shape in ((-1, 4), (2, 5), (-2, -4, 3)):
        with pytest.raises(DataError, match=r"an array of shape .* has 8 bytes"):
            read_pickled("file", python2_pickle(Shaped(shape)))


def test_every_damaged_pickle_is_a_clear_error_or_plain_data():
    whole = python2_pickle(images(1)[:, :8], labels=[3])
    for cut in range(len(whole)):
        with pytest.raises(DataError, match="is no pickle"):
            read_pickled("file", whole[:cut])
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 0x15
        try:
            read_pickled("file", bytes(changed))
        except DataError:
            continue


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (pickle.dumps([1, 2]), "it is a list"),
        (python3_pickle(images(2), labels=[1]), "there are 2 images and 1 labels"),
        (python3_pickle(images(2)[:, :9], labels=[1, 2]), r"data is an array of shape \(2, 9\)"),
        (pickle.dumps({b"data": "x", b"labels": []}, 2), "data is a str"),
        (python3_pickle(images(2), labels=[1, 2.5]), "number 1 of labels is a float"),
        (python3_pickle(images(2), labels=[2**80, 1]), "number 0 of labels is an int beyond 32 bits"),
        (python3_pickle(images(2), labels=images(2)[0, :2]), r"labels is an array of shape \(2,\)"),
        (python3_pickle(images(2), fine_labels=[1, 2]), "its keys are b'data', b'fine_labels'"),
    ],
)  # fmt: skip
def test_pickles_of_something_else_are_refused_by_the_key_at_fault(tmp_path, content, fault):
    with pytest.raises(DataError, match=rf"test_batch: must be a dict of data.*; {fault}"):
        data.load_cifar10(broken(tmp_path, PYTHON10, test_batch=content), verify=False)


def test_bytes_that_python_3_wrote_for_python_2_are_read_empty_ones_too():
    held = {b"data": images(2), b"batch_label": b"", b"filenames": [b"a.png", b""]}
    found = read_pickled("file", pickle.dumps(held, 2))
    np.testing.assert_array_equal(found.pop(b"data"), held.pop(b"data"))
    assert found == held
    with pytest.raises(DataError, match="is no pickle"):
        read_pickled("file", b"\x80\x02c__builtin__\nbytes\nM\x00\x10\x85R.")  # bytes(4096)


def test_files_that_may_not_be_read_are_told(tmp_path, monkeypatch):
    files, _ = written(BINARY10, records)
    source = archive(tmp_path / BINARY10.archive, BINARY10.folder, files)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def refuse(file, *args, **options):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("io.open", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    for verify in (True, False):
        with pytest.raises(DataError, match=r"gz': cannot read it \(Permission denied"):
            data.load_cifar10(source, verify=verify)
    with pytest.raises(DataError, match=r"cannot read .*data_batch_1\.bin \(Permission denied"):
        data.load_cifar10(tmp_path)
    monkeypatch.setattr("pathlib.Path.exists", refuse)  # of a folder that may not be looked into
    with pytest.raises(DataError, match=r"cannot read it \(Permission denied"):
        data.load_cifar10(source)


def test_data_by_name_read_unofficial_archives_and_folders_where_sums_are_not_asked_for(tmp_path):
    files, (train, _) = written(BINARY10, records)
    folder = tmp_path / BINARY10.folder
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    for source in (folder, archive(tmp_path / BINARY10.archive, BINARY10.folder, files)):
        assert len(data.load(source, verify=False).train_y) == PART * len(train)
        with pytest.raises(DataError, match="verify=False"):
            data.load(str(source))
