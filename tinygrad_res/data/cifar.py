"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), from the official archives or their unpacked folders.

Each exists in two forms, which hold the same images.  ``binary``: records of one byte for
each label and 3072 for the pixels, red, green, blue, row by row.  ``python``: pickled
dicts of the same arrays, which are read by ``pickled`` without running anything of theirs.
Archives are unpacked in memory and no further than theirs reach; only the members that are
known by name are read, and no more of each than it may hold.  MD5 sums are those on https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from .images import Images
from .pickled import read_pickled

PIXELS = 3 * 32 * 32
PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
_UNOFFICIAL = (
    "tg.data.load(path, verify=False) reads others of the same form, to store as an .npz file"
)


@dataclass(frozen=True)
class Form:
    """One of the official archives.

    Attributes:
        archive, folder: the archive's name, and that of the folder in it.
        md5: of the archive.
        train, test: the names of the files in the folder, and their MD5 where published.
        labels: the labels before the pixels of a record, or their keys in the pickled dict, and
            the number of classes of each.
    """

    archive: str
    folder: str
    md5: str
    train: Mapping[str, str]
    test: Mapping[str, str]
    labels: Mapping[str, int]

    @property
    def pickled(self) -> bool:
        """Whether the files are pickles."""
        return "python" in self.archive


CIFAR10 = {"labels": 10}
CIFAR100 = {"coarse_labels": 20, "fine_labels": 100}

FORMS = (
    Form(
        "cifar-10-binary.tar.gz", "cifar-10-batches-bin", "c32a1d4ab5d03f1284b67883e8d87530",
        {f"data_batch_{i}.bin": "" for i in range(1, 6)}, {"test_batch.bin": ""}, CIFAR10,
    ),
    Form(
        "cifar-10-python.tar.gz", "cifar-10-batches-py", "c58f30108f718f92721af3b95e74349a",
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        {"test_batch": "40351d587109b95175f43aff81a1287e"}, CIFAR10,
    ),
    Form(
        "cifar-100-binary.tar.gz", "cifar-100-binary", "03b5dce01913d631647c71ecec9e9cb8",
        {"train.bin": "6172c7755cfe09b2fe270c85cebc1b15"},
        {"test.bin": "4499cfba6c016c1be1438163640a0898"}, CIFAR100,
    ),
    Form(
        "cifar-100-python.tar.gz", "cifar-100-python", "eb9058c3a382ffc7106e4002c42a8d85",
        {"train": "16019d7e3df5f24257cddd939b257f8d"},
        {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"}, CIFAR100,
    ),
)  # fmt: skip

MOST = 50_000 * (PIXELS + 100)
"""Bytes that no file of these is longer than, pickled names of files included."""

UNPACKED = 2**29
"""Bytes that no archive of these unpacks to; the longest has 187 million."""


def load_cifar10(source: str | os.PathLike[str], verify: bool = True) -> Images:
    """Return CIFAR-10: 50,000 training and 10,000 test images in 10 classes.

    Args:
        source: ``cifar-10-binary.tar.gz`` or ``cifar-10-python.tar.gz`` under any name, the
            folder that one of them unpacks to, or a folder that holds it.
        verify: whether MD5 sums must be the official ones.  (There is none for the single files
            of the unpacked binary CIFAR-10, whose lengths must be right then.)  Without, files
            of the same form with any number of images are read.

    Returns:
        Images (N, 3, 32, 32), standardised by the mean and the deviation of each channel over the
        training part.

    Raises:
        DataError: there is no such file or it may not be read, it is another archive, damaged or
            cut short, its MD5 sum differs, or a label is out of range.
    """
    return _load("load_cifar10", "cifar10", CIFAR10, "labels", source, verify)


def load_cifar100(
    source: str | os.PathLike[str], labels: str = "fine", verify: bool = True
) -> Images:
    """Return CIFAR-100: 50,000 training and 10,000 test images in 100 classes.

    Args:
        source: ``cifar-100-binary.tar.gz`` or ``cifar-100-python.tar.gz``; the rest is as in
            ``load_cifar10``, and so are what it returns and raises.
        labels: ``"fine"`` for the 100 classes, ``"coarse"`` for the 20 superclasses.
        verify: whether MD5 sums must be the official ones.

    Raises:
        UsageError: ``labels`` is something else.
    """
    if labels not in ("fine", "coarse"):
        raise UsageError(f"load_cifar100: labels={labels!r}: use 'fine' or 'coarse'")
    return _load("load_cifar100", "cifar100", CIFAR100, f"{labels}_labels", source, verify)


def _load(
    name: str, title: str, labels: Mapping[str, int], wanted: str,
    source: str | os.PathLike[str], verify: bool,
) -> Images:  # fmt: skip
    forms = [form for form in FORMS if form.labels is labels]
    where = f"{name}: {str(source)!r}"
    path = Path(source)
    try:
        if not path.exists():
            raise DataError(
                f"{where}: there is no such file; {' or '.join(form.archive for form in forms)} can "
                f"be had from {PAGE}"
            )
        form, files = (_from_folder if path.is_dir() else _from_archive)(where, path, forms, verify)
    except OSError as error:
        file = f" {error.filename}" if error.filename not in (None, str(path)) else ""
        raise DataError(f"{where}: cannot read{file or ' it'} ({error.strerror})") from error
    parts = [
        [_decoded(f"{where}: {file}", files[file], form, wanted) for file in names]
        for names in (form.train, form.test)
    ]
    (train_x, train_y), (test_x, test_y) = (
        (np.concatenate([x for x, _ in part]), np.concatenate([y for _, y in part]))
        for part in parts
    )
    tables = [_standardising(train_x[:, channel]) for channel in range(3)]
    train_x, test_x = (_looked_up(tables, x) for x in (train_x, test_x))
    return Images(title, train_x, train_y, test_x, test_y)


def _standardising(values: np.ndarray) -> np.ndarray:
    """Return for each byte what it becomes where these bytes get mean 0 and deviation 1."""
    counts = np.bincount(values.ravel(), minlength=256)
    steps = np.arange(256) - np.average(np.arange(256), weights=counts)
    deviation = np.sqrt(np.average(steps * steps, weights=counts))
    return (steps / (deviation or 1.0)).astype(np.float32)


def _looked_up(tables: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    out = np.empty(x.shape, np.float32)
    for channel, table in enumerate(tables):
        out[:, channel] = table[x[:, channel]]
    return out


def _from_folder(
    where: str, path: Path, forms: list[Form], verify: bool
) -> tuple[Form, dict[str, bytes]]:
    """Return the form of the files in a folder, or in the official folder inside it, and these."""
    for form in forms:
        for folder in (path, path / form.folder):
            if all((folder / file).is_file() for file in (*form.train, *form.test)):
                return form, {
                    file: _checked_file(where, folder / file, form, verify)
                    for file in (*form.train, *form.test)
                }
    wanted = " nor ".join(
        f"{', '.join((*form.train, *form.test))} ({form.folder})" for form in forms
    )
    raise DataError(f"{where}: the folder holds neither {wanted}")


def _checked_file(where: str, path: Path, form: Form, verify: bool) -> bytes:
    """Return what is in a file of an unpacked archive."""
    if path.stat().st_size > MOST:
        raise DataError(f"{where}: {path.name} has {path.stat().st_size} bytes: it is too long")
    content = path.read_bytes()
    md5 = {**form.train, **form.test}[path.name]
    if verify and md5:
        _check_md5(f"{where}: {path.name}", _md5(io.BytesIO(content)), md5)
    elif verify and len(content) != 10_000 * (PIXELS + 1):
        raise DataError(
            f"{where}: {path.name} has {len(content)} bytes and must have {10_000 * (PIXELS + 1)}: "
            "unpack it again; tg.data.load(path, verify=False) reads other numbers of images"
        )
    return content


def _from_archive(
    where: str, path: Path, forms: list[Form], verify: bool
) -> tuple[Form, dict[str, bytes]]:
    """Return the form of an archive, and its files by name."""
    import gzip
    import tarfile

    if verify:
        with path.open("rb") as file:
            found = _md5(file)
        known = {form.md5: form.archive for form in FORMS}
        if known.get(found) not in {form.archive for form in forms}:
            hint = f"it is {known[found]}" if found in known else f"its MD5 sum is {found}"
            sums = " or ".join(f"{form.md5} ({form.archive})" for form in forms)
            raise DataError(
                f"{where}: {hint}, and must be {sums}: fetch it again from {PAGE}; {_UNOFFICIAL}"
            )
    wanted = {f"{form.folder}/{file}": file for form in forms for file in (*form.train, *form.test)}
    files: dict[str, bytes] = {}
    try:
        with gzip.open(path) as packed:
            content = packed.read(UNPACKED + 1)  # to its end, where it has a checksum
        if len(content) > UNPACKED:
            raise DataError(
                f"{where}: unpacks to more than {UNPACKED:,} bytes: it is another archive"
            )
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                name = wanted.get(member.name.removeprefix("./"))
                if name is None:
                    continue
                opened = archive.extractfile(member) if member.isreg() else None
                if opened is None or member.size > MOST:
                    raise DataError(f"{where}: {member.name} is no file, or too long a one")
                files[name] = opened.read()
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{where}: is no .tar.gz archive, or is damaged or cut short ({error}): fetch it again "
            f"from {PAGE}"
        ) from error
    for form in forms:
        missing = [file for file in (*form.train, *form.test) if file not in files]
        if not missing:
            return form, files
        if len(missing) < len(form.train) + len(form.test):
            raise DataError(f"{where}: {form.folder} lacks {', '.join(missing)}")
    raise DataError(
        f"{where}: is another archive: it holds no folder "
        f"{' or '.join(form.folder for form in forms)}"
    )


def _md5(file: io.BufferedReader | io.BytesIO) -> str:
    return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _check_md5(where: str, found: str, official: str) -> None:
    if found != official:
        raise DataError(
            f"{where}: its MD5 sum is {found} and must be {official}: fetch it again from {PAGE}; {_UNOFFICIAL}"
        )


def _decoded(where: str, content: bytes, form: Form, wanted: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images of a file, uint8 (N, 3, 32, 32), and their labels, int64 (N,)."""
    pixels, labels = (_from_pickle if form.pickled else _from_records)(where, content, form, wanted)
    if not len(labels):
        raise DataError(f"{where}: holds no image")
    if labels.min() < 0 or labels.max() >= form.labels[wanted]:
        raise DataError(
            f"{where}: {wanted} go from {labels.min()} to {labels.max()}, and must lie between 0 "
            f"and {form.labels[wanted] - 1}"
        )
    return pixels.reshape(-1, 3, 32, 32), labels


def _from_records(
    where: str, content: bytes, form: Form, wanted: str
) -> tuple[np.ndarray, np.ndarray]:
    length = len(form.labels) + PIXELS
    if len(content) % length:
        raise DataError(
            f"{where}: has {len(content)} bytes, which are no records of {length}: it is cut short "
            "or no such file"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, length)
    labels = records[:, list(form.labels).index(wanted)].astype(np.int64)
    return records[:, len(form.labels) :], labels


def _from_pickle(
    where: str, content: bytes, form: Form, wanted: str
) -> tuple[np.ndarray, np.ndarray]:
    read = read_pickled(where, content)
    must = (
        f"{where}: must be a dict of data, bytes of shape (N, {PIXELS}), and {wanted}, a list of N "
        "ints"
    )
    if not isinstance(read, dict):
        raise DataError(f"{must}; it is a {type(read).__name__}")
    pixels: Any = read.get(b"data")
    labels: Any = read.get(wanted.encode())
    if pixels is None or labels is None:
        shown = [repr(key) for key in read if isinstance(key, (bytes, str))]  # no nests of tuples
        raise DataError(f"{must}; its keys are {', '.join(shown) or 'missing'}")
    if not (isinstance(pixels, np.ndarray) and pixels.ndim == 2 and pixels.shape[1] == PIXELS):
        raise DataError(f"{must}; data is {_described(pixels)}")
    if not isinstance(labels, list):
        raise DataError(f"{must}; {wanted} is {_described(labels)}")
    wrong = [i for i, v in enumerate(labels) if not (type(v) is int and abs(v) < 2**31)]
    if wrong:
        raise DataError(f"{must}; number {wrong[0]} of {wanted} is {_described(labels[wrong[0]])}")
    if len(labels) != len(pixels):
        raise DataError(f"{must}; there are {len(pixels)} images and {len(labels)} {wanted}")
    return pixels, np.array(labels, np.int64)


def _described(value: Any) -> str:
    """Say what a value is; its content is a stranger's."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return "an int beyond 32 bits" if type(value) is int else f"a {type(value).__name__}"
