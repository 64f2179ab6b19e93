"""What an experiment trains on: scikit-learn's digits, or images that a path leads to.

A cell of a sweep holds plain values and may run on another machine, so it is handed not images but
where to read them, and a checksum of the files there.  So a kept cell never stands for other
images than those it was computed from, and a worker that finds other ones says so.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Images, load
from ..errors import DataError, UsageError
from ..whole_numbers import at_least

TITLES = {"digits": "digits", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
"""What tables call images, by the name that ``data.load`` gives them."""


@dataclass(frozen=True)
class Unverified(os.PathLike[str]):
    """A path to pass as ``data`` where files of CIFAR's form are not the official ones.

    Their MD5 sums are not compared, so a part of CIFAR can be read, or other images stored alike.
    Tables and pictures call them unverified: what is published of CIFAR says nothing of them.

    >>> os.fspath(Unverified("cifar-10-python.tar.gz"))
    'cifar-10-python.tar.gz'
    """

    path: str | os.PathLike[str]

    def __fspath__(self) -> str:
        """Return the path as text."""
        return os.fspath(self.path)


@dataclass(frozen=True)
class Source:
    """Images that were found to be there, and what is told of them.

    Attributes:
        path: ``"digits"``, or where they are, from the root on.
        limit: the most images that are taken of either part; ``None`` for all.
        content: a checksum of the files; ``""`` for the digits.
        title: what they are called.
        shape: of an image, (channels, height, width).
        classes: how many there are.
        train, test: how many images are taken of the training and of the test part.
        whole: how many the training part has.
        verified: whether the MD5 sums of CIFAR must be the official ones.
    """

    path: str = "digits"
    limit: int | None = None
    content: str = ""
    title: str = "digits"
    shape: tuple[int, ...] = (1, 8, 8)
    classes: int = 10
    train: int = 1348
    test: int = 449
    whole: int = 1348
    verified: bool = True

    @property
    def cell(self) -> dict[str, Any]:
        """What a cell is handed, for ``images``."""
        cell = {"path": self.path, "limit": self.limit, "content": self.content}
        return cell if self.verified else {**cell, "verify": False}

    @property
    def said(self) -> str:
        """What tables and pictures call them.

        >>> DIGITS.said, Source(title="CIFAR-10", train=2000, whole=50000).said
        ('digits', 'CIFAR-10 (2,000 training images)')
        """
        cut = f" ({self.train:,} training images)" if self.train < self.whole else ""
        return self.title + cut

    @property
    def beside(self) -> str:
        """What they are beside the CIFAR-10 of the papers.

        >>> DIGITS.beside
        'digits of 8 x 8 pixels, far easier'
        """
        if self.path == "digits":
            return "digits of 8 x 8 pixels, far easier"
        if self.title != "CIFAR-10":
            return f"{self.title}, other images"
        return "the same images" if self.train == self.whole else "a part of the same images"


DIGITS = Source()
"""What is meant where nothing is said."""


def given(
    name: str, data: str | os.PathLike[str], limit: int | None = None, seed: int = 0,
    pixels: bool = False,
) -> Source:  # fmt: skip
    """Read images once, so that whatever is wrong with them is said before any work.

    Args:
        name: of the experiment, for errors.
        data: ``"digits"``, or the path of an archive or folder of CIFAR or of an .npz file, as
            for ``tg.data.load``; ``Unverified(path)`` of CIFAR's form, but not the official one.
        limit: the most images to take of either part.
        seed: of the first run; it splits data that have no test part of their own.
        pixels: whether convolutional networks are trained, which take images and no rows.

    Raises:
        UsageError: the limit is less than the number of classes, or the seed less than 0; or
            what is called unverified has no official MD5 sums.
        DataError: there are no such images, or they are damaged or not the official ones.

    >>> given("lesions", "digits", limit=100).train
    100
    """
    if not isinstance(data, (str, os.PathLike)):
        raise UsageError(f"{name}: data={data!r}: pass 'digits' or a path")
    if limit is not None:
        at_least(1, name, "limit", limit)
    path, verified = os.fspath(data), not isinstance(data, Unverified)
    if not verified and _is_split(path):
        raise UsageError(
            f"{name}: unverified data {path}: only CIFAR has official sums to leave out"
        )
    if path != "digits":
        path = os.path.abspath(path)
    content = _checksum(path)
    whole = _read(path, content, _drawn(path, at_least(0, name, "seed", seed)), verified)
    if pixels and len(whole.shape) != 3:
        raise DataError(
            f"{name}: data {path}: examples of shape {whole.shape}, but convolutional networks take "
            "images: store x as (N, channels, height, width)"
        )
    if limit is not None and limit < whole.classes:
        raise UsageError(
            f"{name}: limit={limit}: there are {whole.classes} classes: take an image of each"
        )
    train, test = (
        len(y) if limit is None else min(limit, len(y)) for y in (whole.train_y, whole.test_y)
    )
    title = ("" if verified else "unverified ") + TITLES.get(whole.name, Path(path).name)
    return Source(
        path, limit, content, title, whole.shape, whole.classes, train, test, len(whole.train_y),
        verified,
    )  # fmt: skip


def images(source: Mapping[str, Any], seed: int) -> Images:
    """Return the images of a ``Source.cell``, as many of each class as can be.

    Raises:
        DataError: they are there no longer, or the files have changed.

    >>> few = images({"path": "digits", "limit": 50, "content": ""}, seed=0)
    >>> np.bincount(few.train_y).tolist()
    [5, 5, 5, 5, 5, 5, 5, 5, 5, 5]
    """
    path, limit = source["path"], source["limit"]
    if _checksum(path) != source["content"]:
        raise DataError(f"data {path}: the files have changed since the experiment began")
    found = _read(path, source["content"], _drawn(path, seed), source.get("verify", True))
    if limit is None:
        return found
    return Images(
        found.name, *_first(found.train_x, found.train_y, limit),
        *_first(found.test_x, found.test_y, limit),
    )  # fmt: skip


@functools.lru_cache(maxsize=1)  # of CIFAR, 0.7 GB that take seconds to read
def _read(path: str, content: str, seed: int, verify: bool) -> Images:
    return load(path, seed, verify)


def _drawn(path: str, seed: int) -> int:
    """Return the seed that splits the data; it is all the same where they have a test part."""
    return seed if _is_split(path) else 0


def _is_split(path: str) -> bool:
    """Say whether data have no test part of their own, as CIFAR's do."""
    return path == "digits" or path.endswith(".npz")


def _checksum(path: str) -> str:
    """Return a checksum of a file, or of all in a folder; nothing where there is none."""
    place = Path(path)
    if path == "digits" or not place.exists():
        return ""
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    sums = []
    try:
        for file in files:
            with file.open("rb") as opened:
                sums.append(f"{file.name} {hashlib.file_digest(opened, 'sha256').hexdigest()}")
    except OSError as error:
        raise DataError(f"data {path}: cannot be read ({error.strerror})") from error
    if place.is_file():  # the same archive under another name is the same
        return sums[0].split()[-1]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def _first(x: np.ndarray, y: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first images of each class, in the order in which they came."""
    counts = np.bincount(y)
    starts = np.cumsum(counts) - counts
    number = np.empty(len(y), int)  # of an image, among those of its class
    number[np.argsort(y, kind="stable")] = np.arange(len(y)) - np.repeat(starts, counts)
    kept = np.sort(np.argsort(number, kind="stable")[:limit])
    return x[kept], y[kept]
