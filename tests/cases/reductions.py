"""Reductions."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg

LABELS = np.array([2, 0, 2, 1])


def over(name, **options):
    return lambda x: getattr(tg, name)(x, **options)


CASES = {
    **{
        f"{name} axis={axis} keepdims={keepdims}": (over(name, axis=axis, keepdims=keepdims), (2, 3, 2))
        for name in ("sum", "mean", "max", "min", "logsumexp")
        for axis, keepdims in [
            (None, False), (None, True), (0, False), (-1, True), (1, False), ((0, 2), False),
            ((-1, 0), True), ((1, -3), False), ((), False), ([0, 1], False), ((0, 1, 2), False),
        ]
    },
    **{f"{name} 0-d": (over(name), ()) for name in ("sum", "mean", "max", "min", "logsumexp")},
    "cross_entropy": (lambda x: tg.cross_entropy(x, LABELS), (4, 3)),
    "cross_entropy of composed": (lambda x, w: tg.cross_entropy(tg.tanh(x @ w), LABELS), (4, 2), (2, 3)),
}  # fmt: skip

ON_THE_HOST = set()  # fmt: skip
