"""Data by name: the digits, a user's own file, or CIFAR, checked before anything is computed."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..files import read_npz
from ..tensor import raw
from ..whole_numbers import at_least
from .cifar import load_cifar10, load_cifar100
from .images import Images


def load(source: str | os.PathLike[str], seed: int = 0, verify: bool = True) -> Images:
    """Return the data called ``source``: ``"digits"``, or the path of a file or a folder.

    The digits are scikit-learn's: 1797 images of 8 x 8 pixels.  An .npz file holds ``x``,
    images (N, C, H, W) or (N, H, W) or rows (N, features), and ``y``, integer classes (N,).
    A quarter, drawn by ``seed``, is kept for testing.  Files and folders called as the official
    ones of CIFAR are, such as ``cifar-10-binary.tar.gz`` and ``cifar-100-python``, are read by
    ``load_cifar10`` and ``load_cifar100``, which know their own test part.

    Args:
        source: ``"digits"`` or a path.
        seed: of the split.
        verify: whether the MD5 sums of CIFAR must be the official ones.

    Raises:
        DataError: the file is missing or damaged, or holds something else; the message
            names the array and the mend.
    """
    if source == "digits":
        from sklearn.datasets import load_digits

        bunch = load_digits()
        return split(source, bunch.images, bunch.target, seed)
    path = Path(source)
    for start, read in (("cifar-10-", load_cifar10), ("cifar-100-", load_cifar100)):
        if path.name.startswith(start):
            return read(path, verify=verify)
    if path.suffix != ".npz":
        raise DataError(
            f"unknown data {str(source)!r}: use 'digits', or the path of an .npz file or of an archive "
            "or folder of CIFAR under its own name, such as cifar-10-binary.tar.gz or "
            "cifar-10-batches-py; load_cifar10(path) reads it under any name"
        )
    try:
        with path.open("rb") as file:
            arrays = read_npz(file, ("x", "y"))
    except FileNotFoundError as error:
        raise DataError(f"data {source}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"data {source}: cannot be read as an .npz file of plain numbers: write it with "
            "numpy.savez(path, x=images, y=classes)"
        ) from error
    if len(arrays) < 2:
        raise DataError(
            f"data {source}: holds the arrays {_names(path)}; it must hold x, the images, and y, "
            "their classes"
        )
    return split(str(source), arrays["x"], arrays["y"], seed)


def split(name: str, x: np.ndarray, y: np.ndarray, seed: int = 0) -> Images:
    """Check images and labels, split off a quarter, and standardise by the rest.

    Images (N, H, W) become (N, 1, H, W); rows (N, features) stay rows.  Three axes are always
    images, so signals (N, C, L) are passed as rows, which the network takes apart; or make
    ``Images`` of parts of your own, whose arrays stay as they are.

    Raises:
        DataError: shapes or dtypes do not fit, or a value is not finite.
        UsageError: the seed is no number from 0 on.

    Warns:
        UserWarning: channels seem to come last.

    >>> rng = np.random.default_rng(0)
    >>> signals, classes = rng.standard_normal((40, 2, 64)), rng.integers(0, 3, 40)
    >>> split("images", signals, classes).shape
    (1, 2, 64)
    >>> split("signals", signals.reshape(40, -1), classes).shape
    (128,)
    """
    try:
        x, y = np.asarray(raw(x)), np.asarray(raw(y))
    except ValueError as error:
        raise DataError(f"data {name}: lists of unequal lengths make no array: {error}") from error
    _check_arrays(name, x, y)
    if x.ndim == 3:
        x = x[:, None]
    _warn_of_channels(name, x.shape[1:])
    order = np.random.default_rng(at_least(0, "data", "seed", seed)).permutation(len(x))
    cut = len(x) - len(x) // 4
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    _check_finite(name, x)
    train = x[order[:cut]]
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = train.mean(), train.std()
    if not np.isfinite(deviation):
        raise DataError(
            f"data {name}: x has values up to {np.abs(train).max():g}, whose squares float32 cannot "
            "hold: divide it by that"
        )
    x = (x - mean) / (deviation if deviation > 0 else 1)
    y = y.astype(np.int64)
    return Images(name, x[order[:cut]], y[order[:cut]], x[order[cut:]], y[order[cut:]])


def _check_arrays(name: str, x: np.ndarray, y: np.ndarray) -> None:
    """Refuse images and labels that do not fit, saying which and how to mend it."""
    if x.ndim not in (2, 3, 4) or len(x) < 8 or not x.size:
        raise DataError(
            f"data {name}: x has shape {x.shape}: expected at least 8 images, as (N, C, H, W), "
            "(N, H, W) or (N, features)"
        )
    if y.shape != x.shape[:1]:
        hint = ": use y.argmax(axis=1) or y.ravel()" if y.ndim == 2 and len(y) == len(x) else ""
        raise DataError(
            f"data {name}: y has shape {y.shape}: expected one class for each of the {len(x)} "
            f"images, ({len(x)},){hint}"
        )
    if x.dtype.kind not in "fiub":
        raise DataError(f"data {name}: x is of dtype {x.dtype}: expected real numbers")
    if y.dtype.kind not in "iu":
        raise DataError(f"data {name}: y is of dtype {y.dtype}: expected classes as integers")
    if y.min() < 0 or y.max() >= len(y):
        raise DataError(
            f"data {name}: y holds classes from {y.min()} to {y.max()}: number them from 0 "
            "(numpy.unique(y, return_inverse=True)[1])"
        )
    if y.min() == y.max():
        raise DataError(f"data {name}: y holds one class only, so there is nothing to learn")
    _check_finite(name, x)


def _warn_of_channels(name: str, shape: tuple[int, ...]) -> None:
    """Warn of what looks like images with their channels last, which nothing else would notice."""
    if len(shape) == 3 and shape[0] == shape[1] > shape[2] and shape[2] in (1, 3):
        warnings.warn(
            f"data {name}: x of shape (N, {shape[0]}, {shape[1]}, {shape[2]}) is taken for images of "
            f"{shape[0]} channels: if channels come last, pass x.transpose(0, 3, 1, 2)",
            stacklevel=3,
        )


def _check_finite(name: str, x: np.ndarray) -> None:
    bad = ~np.isfinite(x)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"data {name}: x has {np.count_nonzero(bad)} values that are NaN or infinite (in "
            f"float32), the first at {at}: remove or replace them"
        )


def _names(path: Path) -> str:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return ", ".join(archive.files) or "none"
