"""Dropout: elements left out at random while training, the others made larger for it.

It draws from a generator of its own, on the host whatever the device, so a network trains the
same wherever it runs, and whatever else draws numbers beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from .. import primitives as ops
from ..errors import UsageError
from ..tensor import Tensor, raw, tensor
from .layers import Random, batch
from .module import Module


class Dropout(Module):
    """x / (1 - p), each element set to 0 with probability ``p``; in ``eval`` x itself.

    A path loses no weight factor in it: the edge carries 0 or 1 / (1 - p).  Source: Srivastava
    et al. 2014, in the form that leaves evaluation alone.

    Args:
        p: the probability of an element to be left out, from 0 to 1.
        rng: draws the elements: a generator or its seed.

    Raises:
        UsageError: ``p`` is no probability.

    >>> import tinygrad_res as tg
    >>> tg.nn.Dropout(0.5, rng=0)(tg.tensor([1.0, 2.0, 3.0, 4.0]))
    tensor([2., 4., 6., 0.])
    """

    def __init__(self, p: float = 0.5, *, rng: Random = None) -> None:
        if not (isinstance(p, (int, float)) and 0 <= p <= 1):
            raise UsageError(f"{type(self).__name__}: p={p!r}: must be a probability, from 0 to 1")
        self.p, self.rng = p, np.random.default_rng(rng)

    def forward(self, x: Any) -> Any:
        """Return a tensor of x's shape, or ``x`` itself."""
        if not self.training or self.p == 0:
            return x
        x = x if isinstance(x, Tensor) else tensor(x)
        dtype = x.dtype if x.dtype.kind == "f" else float
        kept = (self.rng.random(self._drawn(x), dtype=np.float32) >= self.p).astype(dtype)
        if self.p < 1:
            kept /= 1 - self.p
        return ops.multiply(x, backend.namespace(raw(x)).asarray(kept))

    def _drawn(self, x: Tensor) -> tuple[int, ...]:
        """Return the shape of what is drawn for an input."""
        return x.shape


class Dropout2d(Dropout):
    """Whole channels of images left out, each with probability ``p``; else as ``Dropout``.

    Source: Tompson et al. 2015, Efficient Object Localization Using Convolutional Networks,
    section 3.2: neighbouring pixels say much the same, so leaving out one alone changes little.

    >>> import tinygrad_res as tg
    >>> images = tg.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    >>> tg.nn.Dropout2d(0.5, rng=1)(images).data[0, :, 0].tolist()
    [[0.0, 0.0], [6.0, 8.0]]
    """

    def _drawn(self, x: Tensor) -> tuple[int, ...]:
        return (*batch(2, "Dropout2d", x)[:2], 1, 1)
