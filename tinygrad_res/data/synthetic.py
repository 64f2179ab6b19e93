"""Problems drawn at random, whose best answer is known: regressions, and classes in a plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..whole_numbers import at_least
from .images import Images
from .loading import split


@dataclass(frozen=True)
class Regression:
    """Numbers to predict, split into a training and a test part.

    Attributes:
        name: what was drawn.
        train_x, test_x: float64 (N, features).
        train_y, test_y: float64 (N, 1).
        coefficients, intercept: of the linear part that y was made with, (features,) and a number.
        noise: the deviation of what was added to y: no prediction has a smaller one.
    """

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    coefficients: np.ndarray
    intercept: float
    noise: float

    def least_squares(self) -> tuple[np.ndarray, float]:
        """Return coefficients and intercept of the linear model that fits the training part best."""
        ones = np.ones((len(self.train_x), 1))
        solution = np.linalg.lstsq(np.hstack([self.train_x, ones]), self.train_y[:, 0])[0]
        return solution[:-1], float(solution[-1])


def linear_regression(
    examples: int = 400, features: int = 5, noise: float = 0.1, perturbation: float = 0.0,
    seed: int = 0,
) -> Regression:  # fmt: skip
    """Draw y = x . coefficients + intercept + perturbation sin(pi x_1) + noise.

    The x are uniform in [-1, 1], so the sine is one wave along the first feature, which no linear
    model follows; coefficients and noise are normal.  A quarter is kept for testing.

    Args:
        examples, features: how many.
        noise: its deviation.
        perturbation: the height of the wave; 0 makes the data linear.
        seed: of all that is drawn.

    Raises:
        UsageError: there are fewer than 8 examples or no feature, or the noise is negative.

    >>> drawn = linear_regression(noise=0.0)
    >>> coefficients, intercept = drawn.least_squares()
    >>> bool(np.allclose(coefficients, drawn.coefficients))
    True
    """
    n = at_least(8, "linear_regression", "examples", examples)
    at_least(1, "linear_regression", "features", features)
    if not 0 <= noise < np.inf:
        raise UsageError(f"linear_regression: noise={noise!r}: must not be negative")
    if not np.isfinite(perturbation):
        raise UsageError(f"linear_regression: perturbation={perturbation!r}: must be a number")
    rng = np.random.default_rng(at_least(0, "linear_regression", "seed", seed))
    coefficients, intercept = rng.standard_normal(features), float(rng.standard_normal())
    x = rng.uniform(-1, 1, (n, features))
    y = x @ coefficients + intercept + perturbation * np.sin(np.pi * x[:, 0])
    y = (y + noise * rng.standard_normal(n))[:, None]
    cut = n - n // 4
    name = "linear + perturbation" if perturbation else "linear"
    return Regression(
        name, x[:cut], y[:cut], x[cut:], y[cut:], coefficients, intercept, float(noise)
    )


def two_moons(examples: int = 400, noise: float = 0.1, seed: int = 0) -> Images:
    """Return scikit-learn's two half circles that hold one another, as points (N, 2).

    >>> two_moons().classes
    2
    """
    from sklearn.datasets import make_moons

    at_least(8, "two_moons", "examples", examples)
    seed = at_least(0, "two_moons", "seed", seed)
    if not 0 <= noise < np.inf:
        raise UsageError(f"two_moons: noise={noise!r}: must not be negative")
    x, y = make_moons(examples, noise=noise, random_state=seed)
    return split("two moons", x, y, seed)


def spirals(
    examples: int = 400, classes: int = 2, turns: float = 1.5, noise: float = 0.02, seed: int = 0
) -> Images:
    """Return points on spirals that wind about each other, one for each class, as (N, 2).

    Args:
        examples: of all classes together.
        classes: the number of spirals.
        turns: how often each winds about the middle.
        noise: the deviation of each coordinate; the spirals end at radius 1.
        seed: of all that is drawn.

    Source: Lang & Witbrock 1988, "Learning to tell two spirals apart", for two classes.

    >>> drawn = spirals(classes=3)
    >>> drawn.train_x.shape, drawn.classes
    ((300, 2), 3)
    """
    n = at_least(8, "spirals", "examples", examples)
    at_least(2, "spirals", "classes", classes)
    rng = np.random.default_rng(at_least(0, "spirals", "seed", seed))
    y = np.arange(n) % classes
    radius = np.sqrt(rng.uniform(0.01, 1, n))  # as many points on each part of the way
    angle = 2 * np.pi * (turns * radius + y / classes)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return split("spirals", x + noise * rng.standard_normal(x.shape), y, seed)
