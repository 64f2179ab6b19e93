"""How weights start: drawn for a layer by its fans.

A weight (out, in, ...) has the fan-in ``in * ...``, the inputs of one output unit, and the
fan-out ``out * ...``.  Drawn with variance gain^2 / fan-in, forward signals keep their mean
square through the layer; with gain^2 / fan-out gradients do.  The square of the gain undoes what
the activation takes away: 2 for a ReLU, which lets half of a mean square pass.

No such choice is enough where branches are added; ``branches`` sees to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import UsageError

Random = np.random.Generator | int | None
"""What draws: a generator, its seed, or ``None`` for other numbers each time."""
Draw = Callable[[np.random.Generator, tuple[int, ...]], Any]
"""How a weight is drawn: from a generator and a shape (out, in, ...), float32."""


def uniform(rng: Random, bound: float, shape: tuple[int, ...]) -> np.ndarray:
    """Return float32 numbers of this shape, uniform between ``-bound`` and ``bound``."""
    return np.random.default_rng(rng).uniform(-bound, bound, shape).astype(np.float32)


def normal(rng: Random, deviation: float, shape: tuple[int, ...]) -> np.ndarray:
    """Return normal float32 numbers of this shape, of mean 0 and this standard deviation."""
    return (np.random.default_rng(rng).standard_normal(shape) * deviation).astype(np.float32)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return fan-in and fan-out of a weight (out, in, ...).

    Raises:
        UsageError: it is no shape, or one of fewer than two axes, or of no element.

    >>> fans((8, 4, 3, 3))
    (36, 72)
    """
    if not isinstance(shape, (tuple, list)) or len(shape) < 2 or 0 in shape:
        raise UsageError(
            f"fans: a weight of shape {shape!r}: expected (out, in, ...), at least two axes of at "
            "least one element"
        )
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def default(rng: Random, shape: tuple[int, ...]) -> np.ndarray:
    """Return weights uniform within 1 / sqrt(fan-in), as PyTorch's layers draw them."""
    return uniform(rng, 1 / math.sqrt(fans(shape)[0]), shape)


def he_normal(rng: Random, shape: tuple[int, ...]) -> np.ndarray:
    """Return normal weights of variance 2 / fan-in, as the other three do of their variances.

    Args:
        rng: a generator or a seed.
        shape: (out, in, ...).

    Raises:
        UsageError: the shape has fewer than two axes, or no element.

    Source: He et al. 2015, Delving Deep into Rectifiers, section 2.2.

    >>> weights = he_normal(0, (500, 50))
    >>> round(float(weights.var()), 3)
    0.04
    """
    return normal(rng, math.sqrt(2 / fans(shape)[0]), shape)


def he_uniform(rng: Random, shape: tuple[int, ...]) -> np.ndarray:
    """Return uniform weights of variance 2 / fan-in."""
    return uniform(rng, math.sqrt(6 / fans(shape)[0]), shape)


def xavier_normal(rng: Random, shape: tuple[int, ...]) -> np.ndarray:
    """Return normal weights of variance 2 / (fan-in + fan-out).

    Source: Glorot & Bengio 2010, Understanding the Difficulty of Training Deep Feedforward
    Neural Networks, section 4.2.1.
    """
    return normal(rng, math.sqrt(2 / sum(fans(shape))), shape)


def xavier_uniform(rng: Random, shape: tuple[int, ...]) -> np.ndarray:
    """Return uniform weights of variance 2 / (fan-in + fan-out), as Glorot & Bengio 2010."""
    return uniform(rng, math.sqrt(6 / sum(fans(shape))), shape)
