"""Labelled images, or rows of features: the form that all classification data comes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .batches import batches


@dataclass(frozen=True, repr=False)
class Images:
    """Labelled images, split into a training and a test part.

    Attributes:
        name: where they come from.
        train_x, test_x: float32 (N, C, H, W), or (N, features) where the examples are no images,
            standardised by the training part.
        train_y, test_y: int64 (N,), the classes from 0.
    """

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray

    def __repr__(self) -> str:
        """Say what they are, without the numbers.

        >>> x, y = np.zeros((8, 2), np.float32), np.arange(8) % 3
        >>> Images("points", x[:6], y[:6], x[6:], y[6:])
        Images('points', 6 to train and 2 to test of shape (2,), 3 classes)
        """
        return (
            f"Images({self.name!r}, {len(self.train_x)} to train and {len(self.test_x)} to test of "
            f"shape {self.shape}, {self.classes} classes)"
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, (C, H, W) or (features,)."""
        return self.train_x.shape[1:]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(max(self.train_y.max(), self.test_y.max())) + 1

    def batches(
        self, size: int, seed: int = 0, start: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield training batches for ever; see ``tg.data.batches``."""
        return batches(self.train_x, self.train_y, size, seed, start)
