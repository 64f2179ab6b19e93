"""Structural operations."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg

MASK = np.array([[True, False, True], [False, False, True]])
ROWS = np.array([1, 0, 1, 1])


def index(at):
    return lambda x: x[at]


CASES = {
    "reshape": (lambda x: tg.reshape(x, (3, -1)), (2, 3)),
    "reshape to 0-d": (lambda x: tg.reshape(x, ()), (1, 1)),
    "reshape to int": (lambda x: tg.reshape(x, -1), (2, 3)),
    "permute_dims": (lambda x: tg.permute_dims(x, (2, 0, 1)), (2, 3, 4)),
    "permute_dims negative": (lambda x: tg.permute_dims(x, (-1, 0, -2)), (2, 3, 4)),
    "permute_dims reversed": (tg.permute_dims, (2, 3, 4)),
    "permute_dims 0-d": (tg.permute_dims, ()),
    **{
        f"getitem [{at}]": (index(at), (2, 3, 4))
        for at in (
            1, -1, (slice(None), 2), slice(None, None, -1), (..., slice(1, None, 2)), None, (..., None),
            (1, None, slice(1, 3)), ROWS, (slice(None), [2, 2, 0]), (ROWS, ROWS), (slice(None), 1, ROWS),
            (ROWS, slice(None), ROWS), MASK, (MASK, 1), (..., np.array([True, False, True, True])),
            (None, ROWS, slice(2)), np.array([[0, 1], [1, 1]]), [], (), ..., True, np.int64(1), (1, 2, 3),
            (0, [0, 1], ..., None), np.array(1), np.zeros((2, 3, 4), dtype=bool), [-1, 1, -1],
        )
    },
    "broadcast_to": (lambda x: tg.broadcast_to(x, (4, 2, 3)), (2, 1)),
    "broadcast_to from 0-d": (lambda x: tg.broadcast_to(x, (2, 3)), ()),
    "concat": (lambda x, y, z: tg.concat([x, y, z], axis=1), (2, 3), (2, 1), (2, 2)),
    "concat with constant": (lambda x: tg.concat([np.ones((1, 3)), x, np.ones((2, 3))]), (2, 3)),
    "concat with itself": (lambda x: tg.concat([x, x], axis=-1), (2, 3)),
    "concat with list": (lambda x: tg.concat([x, [1.0, 2.0]]), (3,)),
    "stack": (lambda x, y: tg.stack([x, y], axis=-1), (2, 3), (2, 3)),
    "stack 0-d": (lambda x, y: tg.stack([x, y, x]), (), ()),
    "pad": (lambda x: tg.pad(x, ((1, 0), (2, 3))), (2, 3)),
    "pad with value": (lambda x: tg.pad(x, ((1, 0), (2, 3)), value=7.0), (2, 3)),
    "sliding_windows": (lambda x: tg.sliding_windows(x, (2, 3)), (2, 4, 5)),
    "sliding_windows stride": (lambda x: tg.sliding_windows(x, (2, 2), (2, 3)), (2, 5, 7)),
}  # fmt: skip

ON_THE_HOST = {"concat with constant"}  # fmt: skip
