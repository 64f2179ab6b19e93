"""Augmentation: training images changed at random, the same way for the same generator."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..whole_numbers import at_least


def crop(x: np.ndarray, rng: np.random.Generator, padding: int = 4) -> np.ndarray:
    """Return each image cut at a random place out of itself with zeros around it.

    Args:
        x: images (N, C, H, W).
        rng: draws the places, one for each image.
        padding: pixels of zeros on each side; an image moves by as many at most.

    Raises:
        ShapeError: ``x`` has other than four axes.
        UsageError: the padding is no number from 0 on.

    >>> x = np.ones((1, 1, 2, 2))
    >>> crop(x, np.random.default_rng(0), padding=1)[0, 0]
    array([[1., 1.],
           [0., 0.]])
    """
    n, _, height, width = _images("crop", x)
    padding = at_least(0, "crop", "padding", padding)
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, around), (height, width), (2, 3))
    down, right = rng.integers(0, 2 * padding + 1, (2, n))
    return windows[np.arange(n), :, down, right]


def flip(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the images (N, C, H, W), each mirrored left to right with probability 1/2.

    Raises:
        ShapeError: ``x`` has other than four axes.
    """
    _images("flip", x)
    mirrored = rng.random(len(x)) < 0.5
    return np.where(mirrored[:, None, None, None], x[..., ::-1], x)


def crop_and_flip(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return images of CIFAR augmented as in He et al. 2015, section 4.2: crop by 4, then flip.

    It can be passed to ``fit`` as it is: ``fit(..., augment=crop_and_flip)``.
    """
    return flip(crop(x, rng), rng)


def _images(name: str, x: np.ndarray) -> tuple[int, int, int, int]:
    if x.ndim != 4:
        raise ShapeError(f"{name}: shape {x.shape}: expected images (N, C, H, W)")
    n, c, h, w = x.shape
    return n, c, h, w
