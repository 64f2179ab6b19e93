"""Augmentation: training images changed at random, the same way for the same generator."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..whole_numbers import at_least

Random = np.random.Generator | int


def crop(x: np.ndarray, rng: Random, padding: int = 4) -> np.ndarray:
    """Return each image cut at a random place out of itself with zeros around it.

    Args:
        x: images (N, C, H, W).
        rng: draws the places, one for each image: a generator or a seed.
        padding: pixels of zeros on each side; an image moves by as many at most.

    Raises:
        ShapeError: ``x`` has other than four axes.
        UsageError: the padding is no number from 0 on, or ``rng`` neither generator nor seed.

    >>> x = np.ones((1, 1, 2, 2))
    >>> crop(x, rng=0, padding=1)[0, 0]
    array([[1., 1.],
           [0., 0.]])
    """
    n, _, height, width = _images("crop", x)
    padding = at_least(0, "crop", "padding", padding)
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, around), (height, width), (2, 3))
    down, right = _generator("crop", rng).integers(0, 2 * padding + 1, (2, n))
    return windows[np.arange(n), :, down, right]


def flip(x: np.ndarray, rng: Random) -> np.ndarray:
    """Return the images (N, C, H, W), each mirrored left to right with probability 1/2.

    Raises:
        ShapeError: ``x`` has other than four axes.
        UsageError: ``rng`` is neither generator nor seed.
    """
    _images("flip", x)
    mirrored = _generator("flip", rng).random(len(x)) < 0.5
    return np.where(mirrored[:, None, None, None], x[..., ::-1], x)


def crop_and_flip(x: np.ndarray, rng: Random) -> np.ndarray:
    """Return images of CIFAR augmented as in He et al. 2015, section 4.2: crop by 4, then flip.

    It can be passed to ``fit`` as it is: ``fit(..., augment=crop_and_flip)``.
    """
    rng = _generator("crop_and_flip", rng)
    return flip(crop(x, rng), rng)


def _generator(name: str, rng: Random) -> np.random.Generator:
    """Return a generator as it is, and of a seed a new one."""
    return (
        rng
        if isinstance(rng, np.random.Generator)
        else np.random.default_rng(at_least(0, name, "rng", rng))
    )


def _images(name: str, x: np.ndarray) -> tuple[int, int, int, int]:
    if not isinstance(x, np.ndarray) or x.ndim != 4:
        found = getattr(x, "shape", None)
        shown = type(x).__name__ if found is None else f"shape {found}"
        raise ShapeError(f"{name}: {shown}: expected images (N, C, H, W), a NumPy array")
    n, c, h, w = x.shape
    return n, c, h, w
