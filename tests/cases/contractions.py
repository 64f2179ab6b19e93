"""Contractions: products and convolutions."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg


def conv(**options):
    return lambda x, w: tg.conv2d(x, w, **options)


CASES = {
    "matmul": (tg.matmul, (2, 3), (3, 4)),
    **{
        f"matmul {a} @ {b}": (tg.matmul, a, b)
        for a, b in [
            ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)),
            ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 2, 3), (2, 3, 2)),
            ((2, 1, 2, 3), (3, 3, 2)), ((1, 2, 3), (2, 3, 1)), ((2, 1, 2, 3), (1, 2, 3, 2)),
        ]
    },
    "matmul by itself": (lambda x: x @ x.T @ x, (2, 3)),
    "matmul array": (lambda x: np.arange(6.0).reshape(2, 3) @ x, (3, 2)),
    "conv2d": (conv(), (2, 2, 4, 4), (3, 2, 2, 2)),
    "conv2d bias": (lambda x, w, b: tg.conv2d(x, w, b), (1, 2, 3, 3), (2, 2, 2, 2), (2,)),
    "conv2d 1x1": (conv(), (2, 2, 3, 2), (3, 2, 1, 1)),
    "conv2d stride": (conv(stride=2), (2, 2, 5, 6), (2, 2, 2, 3)),
    "conv2d padding": (conv(padding=(1, 2)), (1, 2, 3, 4), (2, 2, 3, 3)),
    "conv2d dilation": (conv(dilation=(2, 1)), (1, 2, 5, 4), (2, 2, 2, 2)),
    "conv2d groups": (conv(groups=2), (2, 4, 3, 3), (4, 2, 2, 2)),
    "conv2d depthwise": (conv(groups=3, padding=1), (1, 3, 3, 3), (3, 1, 3, 3)),
    "conv2d everything": (conv(stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2), (2, 2, 5, 5), (4, 1, 2, 2)),
}  # fmt: skip

ON_THE_HOST = {"matmul array"}  # fmt: skip
