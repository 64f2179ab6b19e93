"""General and composed operations."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg


def over(name, **options):
    return lambda x: getattr(tg, name)(x, **options)


def norm(x, w, b):
    return tg.batch_norm(x, w, b)


CASES = {
    **{
        f"{name} axis={axis}": (over(name, axis=axis), (2, 3, 2))
        for name in ("softmax", "log_softmax")
        for axis in (-1, 0, (0, 1))
    },
    "max_pool2d": (lambda x: tg.max_pool2d(x, 2), (2, 2, 4, 4)),
    "max_pool2d overlapping": (lambda x: tg.max_pool2d(x, 3, stride=2, padding=1), (1, 2, 5, 5)),
    "max_pool2d oblong": (lambda x: tg.max_pool2d(x, (2, 3), (1, 2), (1, 0)), (2, 4, 5)),
    "avg_pool2d": (lambda x: tg.avg_pool2d(x, 2), (2, 2, 4, 4)),
    "avg_pool2d overlapping": (lambda x: tg.avg_pool2d(x, 3, stride=2, padding=1), (1, 2, 5, 5)),
    "batch_norm": (norm, (5, 3), (3,), (3,)),
    "batch_norm of images": (norm, (2, 2, 2, 3), (2,), (2,)),
    "batch_norm of input alone": (lambda x: tg.batch_norm(x, np.array([1.0, 2.0]), np.zeros(2)), (4, 2)),
    "batch_norm of weights alone": (lambda w, b: tg.batch_norm(np.arange(8.0).reshape(4, 2) ** 2, w, b), (2,), (2,)),
    "batch_norm of composed": (lambda x, w, b: tg.relu(norm(tg.tanh(x), w, b)), (4, 2), (2,), (2,)),
}  # fmt: skip

ON_THE_HOST = {"batch_norm of input alone", "batch_norm of weights alone"}  # fmt: skip
