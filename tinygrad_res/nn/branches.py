"""How residual branches start: smaller than a layer by itself would.

Added to its shortcut, a branch that keeps the mean square doubles it, and n such branches
multiply it by up to 2^n, forward and backward.  ``scale_branches`` makes them smaller in one of
the ways of ``BRANCHES``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from .blocks import Residual
from .module import Module
from .normalisation import BatchNorm1d, LayerNorm

BRANCHES: dict[str, Callable[[int, int], float]] = {
    "he": lambda k, n: 1.0,
    "zero": lambda k, n: 0.0,
    "scaled": lambda k, n: n**-0.5,
    "normalised": lambda k, n: k**-0.5,
}
"""The factor on branch k of n, k from 1.

"zero" starts every block as its shortcut (Goyal et al. 2017, section 5.1; SkipInit of De & Smith
2020).  "scaled" gives all branches together the mean square of the input, at any depth.
"normalised" gives a branch what a normalisation at its input would: the mean square before
block k is k times the network's (De & Smith 2020, Batch Normalization Biases Residual Blocks
Towards the Identity Function in Deep Networks), so that branch k adds 1, and a gradient crosses
1/2 + ... + 1/(n + 1) branches on average.
"""


def scale_branches(network: Module, how: str | float) -> None:
    """Scale the last weight of every residual branch in ``network``, in their order.

    The last weight is that of the branch's last layer that has one; in a branch that ends with a
    batch normalisation this is gamma.  Where a normalisation stands in a branch, "normalised"
    leaves it as it is: it is.

    Args:
        network: whose modules ``nn.Residual`` are meant, those within a branch as well.
        how: a word of ``BRANCHES``, or one factor for all.

    Raises:
        UsageError: the word is unknown, there is no residual branch, or one has no weight.

    >>> import tinygrad_res as tg
    >>> block = tg.nn.Residual(tg.nn.Linear(2, 2))
    >>> scale_branches(block, "zero")
    >>> (block(tg.tensor([[3.0, 4.0]])) - block.branch.bias).data
    array([[3., 4.]])
    """
    if isinstance(how, str) and how not in BRANCHES:
        raise UsageError(f"scale_branches: {how!r}: use {', '.join(BRANCHES)}, or a number")
    blocks = [m for m in network.modules() if isinstance(m, Residual)]
    weighted = [
        [m for m in b.branch.modules() if getattr(m, "weight", None) is not None] for b in blocks
    ]
    if not all(weighted) or not blocks:
        raise UsageError(
            f"scale_branches: {type(network).__name__} has "
            f"{'a residual branch without a weight' if blocks else 'no residual branch'}"
        )
    for k, layers in enumerate(weighted, 1):
        factor = BRANCHES[how](k, len(blocks)) if isinstance(how, str) else how
        normed = any(isinstance(m, (BatchNorm1d, LayerNorm)) for m in layers)
        if factor != 1 and not (how == "normalised" and normed):
            last: Any = layers[-1]
            last.weight.data = last.weight.data * factor
