"""Structural operations."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg

from . import beside

MASK = np.array([[True, False, True], [False, False, True]])
ROWS = np.array([1, 0, 1, 1])
ALL = slice(None)

INDICES = (
    1, -1, (ALL, 2), slice(None, None, -1), (..., slice(1, None, 2)), None, (..., None),
    (1, None, slice(1, 3)), ROWS, (ALL, [2, 2, 0]), (ROWS, ROWS), (ALL, 1, ROWS),
    (ROWS, ALL, ROWS), MASK, (MASK, 1), (..., np.array([True, False, True, True])),
    (None, ROWS, slice(2)), np.array([[0, 1], [1, 1]]), [], (), ..., True, np.int64(1), (1, 2, 3),
    (0, [0, 1], ..., None), np.array(1), np.zeros((2, 3, 4), dtype=bool), [-1, 1, -1],
    (slice(1, None, -2), slice(-1, 0, -1), slice(None, None, -3)), (slice(5, 1), 0), False,
    (np.uint8(1), ..., np.int32(-2)), (ROWS, None, ROWS), (ROWS[:, None], [0, 2, 2, 1]),
    (None, ALL, None, [2, 0], None), ([[0], [1]], [1, 2], ...), (MASK, ROWS[:3] * 2),
    (ROWS.astype(np.uint8), 0, slice(None, None, -1)), (ALL, MASK[0], ROWS[:2]), range(2), ([True, False], 2),
    (np.array(1), ..., np.array([3, 3])), np.zeros((0, 2), int), (True, 1, None), (1, True, ROWS), (..., -1, [0, 2], [3, 3]),
)  # fmt: skip


def index(at):
    return lambda x: x[at]


def pieces(f, *args, **kwargs):
    """Use every piece that a function returns, each in its own way."""

    def used(*xs):
        found = f(*xs, *args, **kwargs)
        return tg.concat([(1 + k) * tg.ravel(y) for k, y in enumerate(found)])

    return used


CASES = {
    "reshape": (lambda x: tg.reshape(x, (3, -1)), (2, 3)),
    "reshape to 0-d": (lambda x: tg.reshape(x, ()), (1, 1)),
    "reshape to int": (lambda x: tg.reshape(x, -1), (2, 3)),
    "ravel": (tg.ravel, (2, 3)),
    "ravel 0-d": (tg.ravel, ()),
    "squeeze": (tg.squeeze, (1, 2, 1)),
    "squeeze axis": (lambda x: tg.squeeze(x, -1), (1, 2, 1)),
    "squeeze axes": (lambda x: tg.squeeze(x, (0, -1)), (1, 2, 1)),
    "expand_dims": (lambda x: tg.expand_dims(x, 1), (2, 3)),
    "expand_dims axes": (lambda x: tg.expand_dims(x, (-1, 0)), (2, 3)),
    "expand_dims 0-d": (lambda x: tg.expand_dims(x, -1), ()),
    "atleast_1d": (tg.atleast_1d, ()),
    "atleast_2d": (tg.atleast_2d, (3,)),
    "atleast_3d": (tg.atleast_3d, (2, 3)),
    "atleast_3d of several": (pieces(tg.atleast_3d), (), (3,), (1, 2, 1)),
    "permute_dims": (lambda x: tg.permute_dims(x, (2, 0, 1)), (2, 3, 4)),
    "permute_dims negative": (lambda x: tg.permute_dims(x, (-1, 0, -2)), (2, 3, 4)),
    "permute_dims reversed": (tg.permute_dims, (2, 3, 4)),
    "permute_dims 0-d": (tg.permute_dims, ()),
    "matrix_transpose": (tg.matrix_transpose, (2, 3, 4)),
    "swapaxes": (lambda x: tg.swapaxes(x, 0, -1), (2, 3, 4)),
    "moveaxis": (lambda x: tg.moveaxis(x, 0, -1), (2, 3, 4)),
    "moveaxis several": (lambda x: tg.moveaxis(x, (0, 1), (-1, 0)), (2, 3, 4)),
    **{f"getitem [{at}]": (index(at), (2, 3, 4)) for at in INDICES},
    "getitem of 0-d": (index(()), ()),
    "getitem of 0-d, new axis": (index((..., None)), ()),
    "getitem of 0-d, boolean": (index(True), ()),
    "getitem of empty": (index([]), (0, 2)),
    "getitem twice the same": (lambda x: x[ROWS] * x[ROWS][::-1], (2, 3)),
    "getitem of more than there is": (index((np.arange(12) % 3, ALL)), (3, 2)),
    "take": (lambda x: tg.take(x, ROWS, axis=1), (2, 3)),
    "take flat": (lambda x: tg.take(x, [[5, 0], [5, -1]]), (2, 3)),
    "take one": (lambda x: tg.take(x, -1, axis=0), (2, 3)),
    "take none": (lambda x: tg.take(x, [], axis=-1), (2, 3)),
    "take_along_axis": (lambda x: tg.take_along_axis(x, [[0, 0, 1], [2, 1, 2]]), (2, 3)),
    "take_along_axis axis 0": (lambda x: tg.take_along_axis(x, [[0, 0, 1]], axis=0), (2, 3)),
    "take_along_axis broadcasting": (lambda x: tg.take_along_axis(x, [[0, 2, 0, 0]], axis=1), (2, 3)),
    "take_along_axis flat": (lambda x: tg.take_along_axis(x, [5, 0, 5], axis=None), (2, 3)),
    "index_add": (lambda x, y: tg.index_add(x, ([0, 1, 0], [2, 2, 2]), y), (2, 3), (3,)),
    "index_add slice": (lambda x, y: tg.index_add(x, (ALL, slice(None, None, 2)), y), (2, 3), (2,)),
    "index_add number": (lambda x: tg.index_add(x, MASK, 2.0), (2, 3)),
    "index_update": (lambda x, y: tg.index_update(x, MASK, y), (2, 3), (3,)),
    "index_update row": (lambda x, y: tg.index_update(x, 1, y), (2, 3), ()),
    "index_update twice": (lambda x, y: tg.index_update(x, [0, 0], y), (2, 3), (2, 3)),
    "index_update number": (lambda x: tg.index_update(x, (..., -1), 2.0), (2, 3)),
    "broadcast_to": (lambda x: tg.broadcast_to(x, (4, 2, 3)), (2, 1)),
    "broadcast_to from 0-d": (lambda x: tg.broadcast_to(x, (2, 3)), ()),
    "broadcast_to int": (lambda x: tg.broadcast_to(x, 3), (1,)),
    "broadcast_arrays": (pieces(tg.broadcast_arrays), (2, 1), (3,), ()),
    "meshgrid": (pieces(tg.meshgrid), (2,), (3,), (2,)),
    "meshgrid ij": (pieces(tg.meshgrid, indexing="ij"), (2,), (3,), ()),
    "flip": (tg.flip, (2, 3)),
    "flip axes": (lambda x: tg.flip(x, (0, -1)), (2, 3, 4)),
    "flip 0-d": (tg.flip, ()),
    "flipud": (tg.flipud, (3,)),
    "fliplr": (tg.fliplr, (2, 3)),
    "roll": (lambda x: tg.roll(x, 4), (2, 3)),
    "roll axis": (lambda x: tg.roll(x, -1, axis=1), (2, 3)),
    "roll axes": (lambda x: tg.roll(x, (1, -5), axis=(0, -1)), (2, 3)),
    "roll both axes": (lambda x: tg.roll(x, 1, axis=(0, 1)), (2, 3)),
    "rot90": (tg.rot90, (2, 3)),
    "rot90 twice": (lambda x: tg.rot90(x, 2, axes=(2, 0)), (2, 3, 4)),
    "rot90 back": (lambda x: tg.rot90(x, -5, axes=(-1, 1)), (2, 3, 4)),
    "concat": (lambda x, y, z: tg.concat([x, y, z], axis=1), (2, 3), (2, 1), (2, 2)),
    "concat with constant": (lambda x: tg.concat([beside(x, np.ones((1, 3))), x, beside(x, np.ones((2, 3)))]), (2, 3)),
    "concat with itself": (lambda x: tg.concat([x, x], axis=-1), (2, 3)),
    "concat with list": (lambda x: tg.concat([x, [1.0, 2.0]]), (3,)),
    "concat flat": (lambda x, y: tg.concat([x, y, 1.0], axis=None), (2, 3), ()),
    "stack": (lambda x, y: tg.stack([x, y], axis=-1), (2, 3), (2, 3)),
    "stack 0-d": (lambda x, y: tg.stack([x, y, x]), (), ()),
    "stack with list": (lambda x: tg.stack([x, [1.0, 2.0, 3.0]], axis=1), (3,)),
    "vstack": (lambda x, y: tg.vstack([x, y]), (3,), (2, 3)),
    "hstack": (lambda x, y: tg.hstack([x, y]), (2, 3), (2, 1)),
    "hstack vectors": (lambda x, y: tg.hstack([x, y, 1.0]), (3,), ()),
    "dstack": (lambda x, y: tg.dstack([x, y]), (2, 3), (2, 3)),
    "column_stack": (lambda x, y: tg.column_stack([x, y, [1.0, 2.0]]), (2,), (2, 3)),
    "split": (pieces(tg.split, 2, axis=-1), (2, 4)),
    "split at": (pieces(tg.split, [1, 1, -1], axis=1), (2, 4)),
    "array_split": (pieces(tg.array_split, 3), (7, 2)),
    "unstack": (pieces(tg.unstack, axis=1), (2, 3)),
    "tile": (lambda x: tg.tile(x, 2), (2, 3)),
    "tile new axes": (lambda x: tg.tile(x, (3, 1, 2)), (2,)),
    "tile fewer": (lambda x: tg.tile(x, [2]), (2, 1, 3)),
    "tile none": (lambda x: tg.tile(x, (0, 2)), (2, 3)),
    "tile 0-d": (lambda x: tg.tile(x, (2, 2)), ()),
    "repeat": (lambda x: tg.repeat(x, 2), (2, 3)),
    "repeat axis": (lambda x: tg.repeat(x, 3, axis=-2), (2, 3)),
    "repeat each": (lambda x: tg.repeat(x, [2, 0, 1], axis=1), (2, 3)),
    "repeat none": (lambda x: tg.repeat(x, 0, axis=0), (2, 3)),
    "repeat 0-d": (lambda x: tg.repeat(x, 3), ()),
    "pad": (lambda x: tg.pad(x, ((1, 0), (2, 3))), (2, 3)),
    "pad with value": (lambda x: tg.pad(x, ((1, 0), (2, 3)), value=7.0), (2, 3)),
    "pad number": (lambda x: tg.pad(x, 2, 7.0), (2, 3)),
    "pad constant": (lambda x: tg.pad(x, (1, 2), mode="constant", constant_values=-1), (2, 3)),
    **{
        f"pad {mode}": (lambda x, mode=mode: tg.pad(x, ((0, 0), (4, 1), (0, 0), (2, 0)), mode), (2, 3, 2, 4))
        for mode in ("edge", "reflect", "symmetric", "wrap")
    },
    "pad edge by nothing": (lambda x: tg.pad(x, 0, "edge"), (2, 3)),
    "pad edge 0-d": (lambda x: tg.pad(x, (), "edge"), ()),
    "sliding_windows": (lambda x: tg.sliding_windows(x, (2, 3)), (2, 4, 5)),
    "sliding_windows stride": (lambda x: tg.sliding_windows(x, (2, 2), (2, 3)), (2, 5, 7)),
    "sliding_windows of a vector": (lambda x: tg.sliding_windows(x, 3, stride=2), (7,)),
    "sliding_windows axis": (lambda x: tg.sliding_windows(x, 2, axis=0), (4, 3)),
    "sliding_windows axes": (lambda x: tg.sliding_windows(x, (2, 3), (1, 2), axis=(-1, 0)), (6, 2, 3)),
    "diag": (tg.diag, (3,)),
    "diag below": (lambda x: tg.diag(x, -2), (2,)),
    "diag of matrix": (lambda x: tg.diag(x, 1), (2, 4)),
    "diagonal": (tg.diagonal, (3, 4)),
    "diagonal axes": (lambda x: tg.diagonal(x, -1, 2, 0), (2, 3, 4)),
    "diagonal beyond": (lambda x: tg.diagonal(x, 7), (2, 3)),
    "trace": (tg.trace, (3, 3)),
    "trace axes": (lambda x: tg.trace(x, 1, axis1=1, axis2=-1), (2, 3, 4)),
    "tril": (tg.tril, (3, 4)),
    "tril batch": (lambda x: tg.tril(x, -1), (2, 3, 3)),
    "triu": (tg.triu, (3, 4)),
    "triu batch": (lambda x: tg.triu(x, k=1), (2, 3, 3)),
    "vsplit": (lambda x: tg.vsplit(x, [1])[1], (3, 2)),
    "hsplit": (lambda x: tg.hsplit(x, 2)[1], (2, 4)),
    "hsplit of a vector": (lambda x: tg.concat(tg.hsplit(x, 2)[::-1]), (4,)),
    "dsplit": (lambda x: tg.dsplit(x, 2)[0], (2, 2, 4)),
    "append": (lambda x, y: tg.append(x, y, axis=0), (2, 3), (1, 3)),
    "append flat": (tg.append, (2, 3), (2,)),
    "sort": (tg.sort, (2, 5)),
    "sort axis": (lambda x: tg.sort(x, axis=0), (4, 2)),
    "sort descending": (lambda x: tg.sort(x, axis=1, descending=True), (2, 4, 2)),
    "sort flat": (lambda x: tg.sort(x, axis=None), (2, 3)),
    "topk": (lambda x: tg.topk(x, 2)[0], (2, 5)),
    "topk axis": (lambda x: tg.topk(x, 3, axis=0)[0], (4, 2)),
    "topk none": (lambda x: tg.topk(x, 0)[0], (3,)),
}  # fmt: skip
