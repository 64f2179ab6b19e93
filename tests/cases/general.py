"""General and composed operations."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg

from . import beside

# The second query may attend to no key.
MASK = np.array([[True, False, True], [False, False, False]])


def norm(x, w, b):
    return tg.batch_norm(x, w, b)


CASES = {
    "max_pool2d": (lambda x: tg.max_pool2d(x, 2), (2, 2, 4, 4)),
    "max_pool2d overlapping": (lambda x: tg.max_pool2d(x, 3, stride=2, padding=1), (1, 2, 5, 5)),
    "max_pool2d oblong": (lambda x: tg.max_pool2d(x, (2, 3), (1, 2), (1, 0)), (2, 4, 5)),
    "avg_pool2d": (lambda x: tg.avg_pool2d(x, 2), (2, 2, 4, 4)),
    "avg_pool2d overlapping": (lambda x: tg.avg_pool2d(x, 3, stride=2, padding=1), (1, 2, 5, 5)),
    "avg_pool2d of elements": (lambda x: tg.avg_pool2d(x, 3, 2, 1, count_include_pad=False), (2, 5, 4)),
    "max_pool1d": (lambda x: tg.max_pool1d(x, 3, stride=2, padding=1), (2, 6)),
    "max_pool1d of a vector": (lambda x: tg.max_pool1d(x, 2), (5,)),
    "avg_pool1d": (lambda x: tg.avg_pool1d(x, (2,)), (2, 2, 4)),
    "avg_pool1d of elements": (lambda x: tg.avg_pool1d(x, 3, 1, 1, count_include_pad=False), (2, 4)),
    "layer_norm": (lambda x, w, b: tg.layer_norm(x, 3, w, b), (2, 4, 3), (3,), (3,)),
    "layer_norm without weights": (lambda x: tg.layer_norm(x, 4), (2, 4)),
    "layer_norm over two axes": (lambda x, w, b: tg.layer_norm(x, (3, 2), w, b), (2, 3, 2), (3, 2), (3, 2)),
    "layer_norm of one vector": (lambda x, b: tg.layer_norm(x, (3,), bias=b), (3,), (3,)),
    "layer_norm of composed": (lambda x, w, b: tg.tanh(tg.layer_norm(x * x, 3, w, b)), (2, 3), (3,), (3,)),
    "rms_norm": (lambda x, w: tg.rms_norm(x, 3, w), (2, 2, 3), (3,)),
    "rms_norm without weight": (lambda x: tg.rms_norm(x, (2, 3)), (2, 2, 3)),
    "group_norm": (lambda x, w, b: tg.group_norm(x, 2, w, b), (2, 4, 2), (4,), (4,)),
    "group_norm of vectors": (lambda x: tg.group_norm(x, 2), (2, 6)),
    "attention": (tg.attention, (2, 3), (4, 3), (4, 2)),
    "attention of batches": (tg.attention, (2, 1, 2, 3), (3, 2, 3), (2, 1, 2, 2)),
    "attention causal": (lambda q, k, v: tg.attention(q, k, v, causal=True), (3, 2), (4, 2), (4, 1)),
    "attention scale": (lambda q, k, v: tg.attention(q, k, v, scale=0.3), (2, 2), (3, 2), (3, 2)),
    "attention of itself": (lambda x: tg.attention(x, x, x), (2, 3, 2)),
    "attention mask": (lambda q, k, v: tg.attention(q, k, v, beside(q, MASK)), (2, 2), (3, 2), (3, 2)),
    "attention mask of lists": (lambda q, k, v: tg.attention(q, k, v, [[0.5, -np.inf, 0.0]], causal=True), (2, 2), (3, 2), (3, 2)),
    "attention mask that learns": (tg.attention, (2, 2), (3, 2), (3, 2), (2, 3)),
    "batch_norm": (norm, (5, 3), (3,), (3,)),
    "batch_norm of images": (norm, (2, 2, 2, 3), (2,), (2,)),
    "batch_norm of input alone": (lambda x: tg.batch_norm(x, beside(x, np.array([1.0, 2.0])), beside(x, np.zeros(2))), (4, 2)),
    "batch_norm of weights alone": (lambda w, b: tg.batch_norm(beside(w, np.arange(8.0).reshape(4, 2) ** 2), w, b), (2,), (2,)),
    "batch_norm of composed": (lambda x, w, b: tg.relu(norm(tg.tanh(x), w, b)), (4, 2), (2,), (2,)),
}  # fmt: skip
