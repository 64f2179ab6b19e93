"""Every error class is raised by a public call; messages name operation, argument and mend."""

from __future__ import annotations

import inspect
import sys

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import data, errors
from tinygrad_res.errors import (
    ConversionError,
    DataError,
    DeviceError,
    DtypeError,
    FigureError,
    FileError,
    GradientError,
    GraphError,
    NotDifferentiableError,
    ShapeError,
    SweepError,
    UsageError,
)
from tinygrad_res.experiments.sweep import divmod_of, grid, sweep
from viz import draw

X = tg.tensor(np.ones((2, 3)), requires_grad=True)
IMAGES = np.ones((1, 2, 4, 4))
FILTERS = np.ones((2, 2, 3, 3))


@pytest.fixture(autouse=True)
def _x_on_the_device(put, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "X", tg.tensor(put(X.data), requires_grad=True))


# What is called, the class of its error, and what the message says: the operation first,
# then what was given, then the mend or what was expected.
CASES = [
    (lambda: X @ np.ones((4, 2)), ShapeError, "matmul: (2, 3) @ (4, 2): inner dimensions 3 and 4 differ"),
    (lambda: np.ones(4) @ X, ShapeError, "matmul: (4,) @ (2, 3): inner dimensions 4 and 2 differ"),
    (lambda: tg.matmul(np.ones((3, 2, 2)), np.ones((2, 2, 2))), ShapeError, "matmul: (3, 2, 2) @ (2, 2, 2): batch dimensions (3,) and (2,) do not broadcast"),
    (lambda: X @ 2, ShapeError, "matmul: (2, 3) @ (): scalars cannot be multiplied with @, use *"),
    (lambda: X + np.ones(4), ShapeError, "add: shapes (2, 3) and (4,) do not broadcast: lengths must be equal or 1"),
    (lambda: tg.less_equal(X, np.ones(4)), ShapeError, "less_equal: shapes (2, 3) and (4,) do not broadcast"),
    (lambda: tg.where(np.ones(4, bool), X, 0), ShapeError, "where: shapes (4,) and (2, 3) do not broadcast"),
    (lambda: X * [[1, 2], [3]], ShapeError, "multiply: lists of unequal lengths make no array"),
    (lambda: X.sum(5), ShapeError, "sum: axis 5 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.mean(X, 1.5), ShapeError, "mean: axis 1.5 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.max(X, (0, -2)), ShapeError, "max: axis (0, -2) names an axis twice"),
    (lambda: tg.max(X[:0], 0), ShapeError, "max: shape (0, 3) has no elements along axis (0,): pass at least one"),
    (lambda: tg.mean(X[:0]), ShapeError, "mean: shape (0, 3) has no elements along axis (0, 1)"),
    (lambda: tg.prod(X, 2), ShapeError, "prod: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.median(X[:0], 0), ShapeError, "median: shape (0, 3) has no elements along axis (0,)"),
    (lambda: tg.var(X, 1, correction=3), ShapeError, "var: shape (2, 3), correction 3: there are 3 elements to reduce; pass at least one, and more than the correction"),
    (lambda: tg.std(X[:0], 0), ShapeError, "std: shape (0, 3), correction 0: there are 0 elements to reduce"),
    (lambda: tg.std(X, ddof="n"), UsageError, "std: correction 'n': pass a number"),
    (lambda: tg.std(X, 4), ShapeError, "std: axis 4 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.norm(X, "fro"), UsageError, "norm: ord 'fro': pass a real number"),
    (lambda: tg.norm(X, float("nan")), UsageError, "norm: ord nan: pass a real number"),
    (lambda: tg.norm(X[:0], np.inf), ShapeError, "norm: shape (0, 3) has no elements along axis (0, 1)"),
    (lambda: tg.average(X, 0, [1.0, 2.0, 3.0]), ShapeError, "average: shape (2, 3) along axis 0 and weights (3,): the weights need the whole shape, or the lengths along the axis"),
    (lambda: tg.average(X[None], (2, 0), np.ones((3, 1))), ShapeError, "average: axis (2, 0) is out of order"),
    (lambda: tg.cumulative_sum(X), ShapeError, "cumulative_sum: axis is missing for a tensor of shape (2, 3): name one axis, or make it flat with reshape(-1)"),
    (lambda: tg.cumulative_prod(X, 2), ShapeError, "cumulative_prod: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.cumulative_prod(X, (0, 1)), ShapeError, "cumulative_prod: axis (0, 1) does not exist"),
    (lambda: tg.diff(X, -1), UsageError, "diff: n -1: pass how many times to take differences, from 0 on"),
    (lambda: tg.diff(X, axis=2), ShapeError, "diff: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.log_softmax(X, (0, 0)), ShapeError, "log_softmax: axis (0, 0) names an axis twice"),
    (lambda: tg.max_pool2d(X[0], 1), ShapeError, "max_pool2d: shape (3,): expected at least 2 axes"),
    (lambda: tg.avg_pool2d(X, 2, padding=2), ShapeError, "avg_pool2d: padding 2 and size 2: a padding goes from 0 to half the size"),
    (lambda: tg.avg_pool1d(X, (1, 2)), ShapeError, "avg_pool1d: (1, 2): expected a whole number or 1 of them"),
    (lambda: tg.softmax(X, 2), ShapeError, "axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: X.reshape(7), ShapeError, "reshape: shapes (2, 3): cannot reshape array of size 6 into shape (7,)"),
    (lambda: X.reshape(2.5), ShapeError, "reshape: shape (2.5,): the lengths must be integers"),
    (lambda: tg.reshape(X, 2.5), ShapeError, "reshape: shape 2.5: the lengths must be integers"),
    (lambda: X.reshape(2, -1, -1), ShapeError, "reshape: shapes (2, 3): can only specify one unknown dimension"),
    (lambda: tg.squeeze(X, 1), ShapeError, "squeeze: axis 1 of shape (2, 3) has length 3: only axes of length 1 go"),
    (lambda: tg.squeeze(X, 2), ShapeError, "squeeze: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.expand_dims(X, 3), ShapeError, "expand_dims: axis 3 does not exist in a tensor of shape (2, 3) with 1 more"),
    (lambda: tg.expand_dims(X, (0, -4)), ShapeError, "expand_dims: axis (0, -4) names an axis twice"),
    (lambda: tg.swapaxes(X, 0, 2), ShapeError, "swapaxes: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.moveaxis(X, (0, 1), 0), ShapeError, "moveaxis: source (0, 1) and destination 0: give as many of one as of the other"),
    (lambda: tg.matrix_transpose(X[0]), ShapeError, "matrix_transpose: shape (3,): a matrix has two axes"),
    (lambda: tg.permute_dims(X, (0.5, 1)), ShapeError, "permute_dims: axes (0.5, 1) are not a permutation of the axes of shape (2, 3)"),
    (lambda: tg.broadcast_arrays(X, np.ones(2)), ShapeError, "broadcast_arrays: shapes (2, 3) and (2,) do not broadcast"),
    (lambda: tg.broadcast_to(X, "ab"), ShapeError, "broadcast_to: shape 'ab': the lengths must be integers"),
    (lambda: tg.meshgrid(X), ShapeError, "meshgrid: shapes (2, 3), indexing 'xy': give vectors, and indexing 'xy' or 'ij'"),
    (lambda: tg.flip(X, 2), ShapeError, "flip: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.fliplr(X[0]), ShapeError, "fliplr: axis 1 does not exist in a tensor of shape (3,)"),
    (lambda: tg.roll(X, (1, 2), (0, 1, 0)), ShapeError, "roll: axis (0, 1, 0) names an axis twice"),
    (lambda: tg.roll(X, (1, 2, 3), (0, 1)), ShapeError, "roll: shift (1, 2, 3) and axis (0, 1): give one shift for each axis"),
    (lambda: tg.roll(X, 0.5), ShapeError, "roll: shape 0.5: the lengths must be integers"),
    (lambda: tg.rot90(X, 1, (0, 0)), ShapeError, "rot90: axes (0, 0): a plane has two axes"),
    (lambda: tg.rot90(X, 1, 1.5), ShapeError, "rot90: axes 1.5: a plane has two axes"),
    (lambda: X.transpose(1), ShapeError, "permute_dims: axes (1,) are not a permutation of the axes of shape (2, 3)"),
    (lambda: X[2], ShapeError, "getitem: shapes (2, 3): index 2 is out of bounds"),
    (lambda: X[0, 0, 0], ShapeError, "getitem: shapes (2, 3): too many indices"),
    (lambda: X[np.ones(3, bool)], ShapeError, "getitem: shapes (2, 3): boolean index did not match"),
    (lambda: X[np.ones(2)], DtypeError, "getitem: an index of dtype float64: use integers or booleans"),
    (lambda: X[0.5], DtypeError, "getitem: an index of type float: use integers, slices, None, ..., or arrays of integers or booleans"),
    (lambda: X[[[0], [0, 1]]], ShapeError, "getitem: lists of unequal lengths make no index"),
    (lambda: tg.take(X, 3, axis=1), ShapeError, "take: shapes (2, 3): index 3 is out of bounds for axis 1"),
    (lambda: tg.take(X, [0], axis=2), ShapeError, "take: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.take(X, [True, False]), DtypeError, "take: indices [True, False]: use integers, or x[...] for other indices"),
    (lambda: tg.take_along_axis(X, [0]), ShapeError, "take_along_axis: indices (1,) and tensor (2, 3): give as many axes"),
    (lambda: tg.index_add(X, 0, [1.0, 1.0]), ShapeError, "index_add: values (2,) do not broadcast to x[index] (3,)"),
    (lambda: tg.index_update(X, 2, 1.0), ShapeError, "index_update: shapes (2, 3): index 2 is out of bounds"),
    (lambda: tg.index_add(X, 0, "a"), DtypeError, "index_add: values 'a' for a tensor of dtype float64: could not convert"),
    (lambda: tg.index_update(np.ones(2, np.uint8), 0, 300), DtypeError, "index_update: values 300 for a tensor of dtype uint8"),
    (lambda: tg.sort(X, 2), ShapeError, "sort: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.topk(X, 4), ShapeError, "topk: k 4 along axis -1 of shape (2, 3): k lies in 0..3"),
    (lambda: tg.concat([]), ShapeError, "concat: needs at least one tensor"),
    (lambda: tg.concat(1.5), UsageError, "concat: 1.5: give a list of tensors"),
    (lambda: tg.vstack([X, "a"]), DtypeError, "vstack: 'a': give arrays, lists or numbers, that are real"),
    (lambda: tg.hstack([X, [[1], [2, 3]]]), ShapeError, "hstack: lists of unequal lengths make no array"),
    (lambda: tg.array_split(X, 10**20), ShapeError, "array_split: 100000000000000000000 parts of 2 elements: more than 10000, and most of them empty"),
    (lambda: tg.concat([X], 2), ShapeError, "concat: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.concat([X, np.ones((2, 2))]), ShapeError, "concat: shapes (2, 3) and (2, 2): "),
    (lambda: tg.stack([]), ShapeError, "stack: needs at least one tensor"),
    (lambda: tg.stack([X, X[0]]), ShapeError, "stack: shapes (2, 3) and (3,): all input arrays must have the same shape"),
    (lambda: tg.stack([X], 3), ShapeError, "stack: axis 3 does not exist in a tensor of shape (2, 3) with 1 more"),
    (lambda: tg.split(X, 2, axis=1), ShapeError, "split: 2 parts of axis 1 of shape (2, 3): its length 3 is no multiple; tg.array_split makes parts of unequal lengths"),
    (lambda: tg.array_split(X, 0), ShapeError, "array_split: 0 parts: there must be at least one"),
    (lambda: tg.unstack(X, 2), ShapeError, "unstack: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.tile(X, -1), ShapeError, "tile: repetitions -1: none may be negative"),
    (lambda: tg.repeat(X, [1, 2], axis=1), ShapeError, "repeat: repeats [1, 2] along axis 1 of shape (2, 3): give one number >= 0, or one for each of 3 elements"),
    (lambda: tg.broadcast_to(X, (2, 2)), ShapeError, "broadcast_to: shapes (2, 3): "),
    (lambda: tg.pad(X, ((1, 2, 3),)), ShapeError, "pad: width ((1, 2, 3),) does not fit shape (2, 3): give one pair (before, after) of lengths >= 0 for each axis, or one for all"),
    (lambda: tg.pad(X, 0.5), ShapeError, "pad: width 0.5 does not fit shape (2, 3)"),
    (lambda: tg.pad(X, 1, "mean"), UsageError, "pad: mode 'mean': choose from constant, edge, reflect, symmetric, wrap"),
    (lambda: tg.pad(X, 1, constant_values=(1, 2)), UsageError, "pad: constant_values (1, 2): give one number for the whole border"),
    (lambda: tg.pad(np.ones(2, int), 1, 0.5), DtypeError, "pad: 0.5 is no value of dtype int64: use x.astype(float)"),
    (lambda: tg.pad(X[:0], 1, "edge"), ShapeError, "pad: mode 'edge' and shape (0, 3): can't extend empty axis 0"),
    (lambda: tg.pad(X, ((-1, 0), (0, 0))), ShapeError, "pad: width ((-1, 0), (0, 0)) does not fit"),
    (lambda: tg.max_pool2d(np.ones((2, 2), int), 2, padding=1), DtypeError, "pad: -inf is no value of dtype int64: use x.astype(float)"),
    (lambda: tg.max_pool2d(X, 3), ShapeError, "sliding_windows: windows of (3, 3) with stride (3, 3) do not fit into shape (2, 3)"),
    (lambda: tg.sliding_windows(X, (1, 1), (0, 1)), ShapeError, "sliding_windows: windows of (1, 1) with stride (0, 1)"),
    (lambda: tg.einsum("ij,jk->ik", X, X), ShapeError, "einsum: subscripts 'ij,jk->ik': index j is 3 in operand 0 and 2 in operand 1"),
    (lambda: tg.einsum("ij->ijk", X), UsageError, "einsum: subscripts 'ij->ijk': index k of the result is in no operand"),
    (lambda: tg.einsum("ii,i,", np.ones((2, 2)), np.ones(3), 1.0, optimize=True), ShapeError, "einsum: subscripts 'ii,i,': index i is 2 in operand 0 and 3 in operand 1"),
    (lambda: tg.einsum("ij,jk,kl", *[np.eye(2)] * 3, optimize=1.5), UsageError, "einsum: subscripts 'ij,jk,kl': optimize 1.5: use True, False, 'greedy', 'optimal', or a path"),
    (lambda: tg.einsum("ij,jk,kl", *[np.eye(2)] * 3, optimize=["einsum_path", (0, 0), (0, 1)]), UsageError, "einsum: subscripts 'ij,jk,kl': optimize ['einsum_path', (0, 0), (0, 1)]: use"),
    (lambda: tg.tensordot(X, X, 1), ShapeError, "tensordot: (2, 3) and (2, 3): axes (1,) of the first have lengths (3,), axes (0,) of the second (2,)"),
    (lambda: tg.vecdot(X, np.ones(2)), ShapeError, "vecdot: (2, 3) and (2,): the summed axes have lengths 3 and 2"),
    (lambda: tg.vdot([[1.0], [2.0, 3.0]], [1.0]), ShapeError, "lists of unequal lengths make no array"),
    (lambda: tg.vecdot(X, X, axis=[]), ShapeError, "vecdot: axis [] does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.cross(X, X, axis=None), ShapeError, "cross: axis None does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.linalg.outer(X, X[0]), ShapeError, "outer: (2, 3) and (3,): expected two vectors; tg.outer makes them flat"),
    (lambda: tg.conv1d(X, X), ShapeError, "conv1d: signals (2, 3) and filters (2, 3): expected (N, C, L) and (O, C / groups, k)"),
    (lambda: tg.conv2d(IMAGES, FILTERS, padding="full"), UsageError, "conv2d: padding 'full': use 'same', 'valid', or numbers"),
    (lambda: tg.conv_transpose2d(IMAGES, FILTERS, output_padding=1), ShapeError, "conv_transpose2d: output_padding 1, stride 1, dilation 1: output_padding must be at least 0, and smaller than"),
    (lambda: tg.convolve(X, np.ones(2)), ShapeError, "convolve: (2, 3) and (2,): expected two vectors of at least one element"),
    (lambda: tg.convolve(X[0], X[0], X), UsageError, "convolve: mode of type Tensor: use 'full', 'same' or 'valid'"),
    (lambda: tg.conv2d(IMAGES, FILTERS, groups=2.0), UsageError, "conv2d: groups 2.0: give a whole number"),
    (lambda: tg.sliding_windows(X, 2, axis=2), ShapeError, "sliding_windows: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.sliding_windows(X, 2, axis=(0, 1)), ShapeError, "sliding_windows: windows of (2,) with stride (1,) do not fit into shape (2, 3)"),
    (lambda: tg.diagonal(X, 0, 1, -1), ShapeError, "diagonal: axis1 1 and axis2 -1 are the same axis"),
    (lambda: tg.trace(X[0]), ShapeError, "trace: axis 1 does not exist in a tensor of shape (3,)"),
    (lambda: tg.diag(1.0), ShapeError, "diag: shape (): give a vector or a matrix, or use tg.diagonal"),
    (lambda: tg.diag(X[0], None), UsageError, "diag: k None: give a whole number"),
    (lambda: tg.tril(X[0]), ShapeError, "tril: shape (3,): a triangle is part of a matrix"),
    (lambda: tg.conv2d(X, FILTERS), ShapeError, "conv2d: images (2, 3) and filters (2, 2, 3, 3): expected (N, C, H, W)"),
    (lambda: tg.conv2d(IMAGES[:, :1], FILTERS), ShapeError, "conv2d: images (1, 1, 4, 4), filters (2, 2, 3, 3), groups 1: the images have 1 channels, the filters take 2 x 1"),
    (lambda: tg.conv2d(IMAGES, FILTERS, stride=0), ShapeError, "conv2d: stride 0, padding 0, dilation 1: stride and dilation must be at least 1"),
    (lambda: tg.conv2d(IMAGES, FILTERS, dilation=2), ShapeError, "conv2d: filters of (3, 3) (dilation 2) do not fit into images of (4, 4) padded by 0"),
    (lambda: tg.conv2d(IMAGES, FILTERS, np.ones(1)), ShapeError, "conv2d: bias (1,) and filters (2, 2, 3, 3): expected (2,)"),
    (lambda: tg.batch_norm(X, np.ones(2), np.ones(3)), ShapeError, "batch_norm: input (2, 3), weight (2,), bias (3,): weight and bias need one element per channel"),
    (lambda: tg.batch_norm(X[:0], np.ones(3), np.ones(3)), ShapeError, "batch_norm: expected a shape (N, C, ...) with at least one element, got (0, 3)"),
    (lambda: tg.linalg.solve(X, X), ShapeError, "solve: shape (2, 3): expected square matrices, (..., N, N)"),
    (lambda: tg.linalg.solve(np.eye(2), np.ones(3)), ShapeError, "solve: a (2, 2) and b (3,): expected b of shape (2,) or (..., 2, K)"),
    (lambda: tg.linalg.solve(np.ones((2, 3, 3)), np.ones((4, 3, 1))), ShapeError, "solve: a (2, 3, 3) and b (4, 3, 1): batch dimensions (2,) and (4,) do not broadcast"),
    (lambda: tg.linalg.inv(X[0]), ShapeError, "inv: shape (3,): expected matrices, (..., M, N)"),
    (lambda: tg.linalg.matrix_power(np.eye(2), 0.5), UsageError, "matrix_power: n = 0.5: expected an int"),
    (lambda: tg.linalg.det(X), ShapeError, "det: shape (2, 3): expected square matrices"),
    (lambda: tg.linalg.slogdet(X), ShapeError, "slogdet: shape (2, 3): expected square matrices"),
    (lambda: tg.linalg.cholesky(X), ShapeError, "cholesky: shape (2, 3): expected square matrices"),
    (lambda: tg.linalg.eigh(X), ShapeError, "eigh: shape (2, 3): expected square matrices"),
    (lambda: tg.linalg.eigvalsh(X), ShapeError, "eigvalsh: shape (2, 3): expected square matrices"),
    (lambda: tg.linalg.svd(X), UsageError, "svd: full_matrices=True and matrices of (2, 3): the vectors that complete a basis have no derivative: pass full_matrices=False"),
    (lambda: tg.linalg.qr(X), ShapeError, "qr: matrices of (2, 3): expected at least as many rows as columns"),
    (lambda: tg.linalg.pinv(X[0]), ShapeError, "pinv: shape (3,): expected matrices"),
    (lambda: tg.linalg.matrix_norm(X, ord=3), UsageError, "matrix_norm: ord 3: choose from 'fro', 'nuc', 1, -1, 2, -2, inf, -inf"),
    (lambda: tg.linalg.matrix_norm(X, ord=X), UsageError, "matrix_norm: ord of type Tensor: choose from"),
    (lambda: tg.linalg.matrix_norm(X, axis=0), ShapeError, "matrix_norm: axis 0: expected two axes"),
    (lambda: tg.linalg.norm(X[None], 2), ShapeError, "norm: shape (1, 2, 3) and axis None: expected one axis, for vectors, or two, for matrices"),
    (lambda: tg.linalg.trace(X[0]), ShapeError, "trace: shape (3,): expected matrices"),
    (lambda: tg.layer_norm(X, 2), ShapeError, "layer_norm: input (2, 3), normalized_shape 2: expected the lengths of the last axes of the input"),
    (lambda: tg.layer_norm(X, "ab"), ShapeError, "layer_norm: input (2, 3), normalized_shape ab: expected the lengths"),
    (lambda: tg.layer_norm(X, 3, np.ones(2)), ShapeError, "layer_norm: weight (2,), normalized_shape (3,): they must be equal"),
    (lambda: tg.rms_norm(X, ()), ShapeError, "rms_norm: input (2, 3), normalized_shape (): expected the lengths"),
    (lambda: tg.group_norm(X, 2), ShapeError, "group_norm: input (2, 3) and 2 groups: expected (N, C, ...)"),
    (lambda: tg.group_norm(X, None), UsageError, "group_norm: num_groups None: give a whole number"),
    (lambda: tg.layer_norm(X, 3, eps="a"), UsageError, "layer_norm: eps 'a': give a number"),
    (lambda: tg.group_norm(X, 3, np.ones(2)), ShapeError, "group_norm: weight (2,) and input (2, 3): expected one element per channel"),
    (lambda: tg.attention(X, np.ones((4, 2)), X), ShapeError, "attention: query (2, 3), key (4, 2), value (2, 3): expected (..., L, E), (..., S, E) and (..., S, D)"),
    (lambda: tg.attention(X, X, X, np.ones((3, 2), bool)), ShapeError, "attention: a mask (3, 2) and scores (2, 2): the mask must broadcast to (..., L, S)"),
    (lambda: tg.attention(X, X, X, [[1, 0]]), DtypeError, "attention: a mask of dtype int64: pass booleans"),
    (lambda: tg.attention(X, X, X, [[True], [True, False]]), ShapeError, "attention: lists of unequal lengths make no array"),
    (lambda: tg.attention(X, X, X, causal=X), UsageError, "attention: causal of type Tensor: give True or False"),
    (lambda: tg.cross_entropy(X, [0]), ShapeError, "cross_entropy: logits (2, 3) and labels (1,): expected (N, classes) and (N,)"),
    (lambda: tg.cross_entropy(X, [0, 3]), ShapeError, "cross_entropy: labels from 0 to 3, but there are 3 classes"),
    (lambda: tg.cross_entropy(X, [-1, 0]), ShapeError, "cross_entropy: labels from -1 to 0, but there are 3 classes"),
    (lambda: tg.cross_entropy(X, [0.0, 1.0]), DtypeError, "cross_entropy: labels of dtype float64: expected integers"),
    (lambda: tg.cross_entropy(X, [[0], [1, 2]]), ShapeError, "cross_entropy: lists of unequal lengths make no array"),
    (lambda: X.item(), ShapeError, "item: needs exactly one element, the shape is (2, 3)"),
    (lambda: len(tg.tensor(1.0)), ShapeError, "len: a tensor of shape () has no length"),
    (lambda: tg.tensor([[1, 2], [3]]), ShapeError, "tensor: lists of unequal lengths make no array"),
    (lambda: setattr(X, "data", np.ones(3)), ShapeError, "data: what is assigned has shape (3,), but must have shape (2, 3)"),
    (lambda: setattr(X, "grad", np.ones(3)), ShapeError, "grad: what is assigned has shape (3,), but must have shape (2, 3)"),
    (lambda: tg.parameter([1, 2]), DtypeError, "parameter: dtype int64 carries no gradient: pass floats (array.astype('float64')), or requires_grad=False"),
    (lambda: tg.tensor("a"), DtypeError, "tensor: dtype <U1 is not a real number type: use floats, integers or booleans"),
    (lambda: tg.tensor([1.0], dtype="number"), DtypeError, "tensor: 'number' is no dtype: use float, int or bool"),
    (lambda: X.astype("number"), DtypeError, "astype: 'number' is no dtype: use float, int or bool"),
    (lambda: X + None, DtypeError, "add: cannot use an operand of type NoneType and dtype object: pass tensors, arrays or real numbers"),
    (lambda: tg.tensor(np.ones(2, np.uint8)) + 300, DtypeError, "add: cannot work on operands of type uint8, int: Python integer 300"),
    (lambda: tg.tensor([2]) ** -1, DtypeError, "pow: dtype int64 to the power -1: the result is no integer: use x.astype(float)"),
    (lambda: tg.clip(X, 0, a_min=1), UsageError, "clip: min and a_min are given: give one of them"),
    (lambda: tg.nan_to_num(X, copy=False), UsageError, "nan_to_num: copy=False: tensors do not change: use the result"),
    (lambda: tg.leaky_relu(X, X), UsageError, "leaky_relu: slope of type Tensor: give a number; for one that is learned, write the formula with tg.where"),
    (lambda: tg.elu(X, "a"), UsageError, "elu: alpha of type str: give a number"),
    (lambda: tg.hardtanh(X, 1, -1), UsageError, "hardtanh: min_val 1, max_val -1: give the smaller one first"),
    (lambda: tg.softplus(X, 0), UsageError, "softplus: beta 0: give a positive number"),
    (lambda: tg.gelu(X, "sigmoid"), UsageError, "gelu: approximate 'sigmoid': use 'none' or 'tanh'"),
    (lambda: tg.gelu(X, X), UsageError, "gelu: approximate of type Tensor: use 'none' or 'tanh'"),
    (lambda: tg.where([[True], [True, False]], X, 0), ShapeError, "where: lists of unequal lengths make no array"),
    (lambda: tg.where("a", X, 0), DtypeError, "where: 'a': give arrays, lists or numbers, that are real"),
    (lambda: tg.hypot(X, np.ones(4)), ShapeError, "hypot: shapes (2, 3) and (4,) do not broadcast"),
    (lambda: tg.bitwise_and(X, 1), DtypeError, "bitwise_and: cannot work on operands of type float64, int"),
    (lambda: tg.zeros_like(X, dtype=complex), DtypeError, "zeros_like: dtype complex128 is not a real number type"),
    (lambda: tg.full_like(np.ones(2, np.uint8), -1), DtypeError, "full_like: fill_value -1 for shape (2,) and dtype uint8: Python integer -1 out of bounds"),
    (lambda: tg.full_like(np.ones(2, int), float("nan")), DtypeError, "full_like: fill_value nan for shape (2,) and dtype int64: cannot convert float NaN"),
    (lambda: tg.full_like(X, "a"), UsageError, "full_like: fill_value 'a': give a number"),
    (lambda: tg.full_like(X, np.ones(2)), ShapeError, "full_like: fill_value of type "),
    (lambda: tg.isclose(X, X, rtol=X), UsageError, "isclose: rtol of type Tensor: give a number"),
    (lambda: tg.any(X, (0, 2)), ShapeError, "any: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.argmax(X, (0, 1)), ShapeError, "argmax: axis (0, 1) does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.argmin(X[:0], 0), ShapeError, "argmin: shape (0, 3), axis 0: there is no element to choose"),
    (lambda: tg.argsort(X, 2), ShapeError, "argsort: axis 2 does not exist in a tensor of shape (2, 3)"),
    (lambda: tg.nonzero(tg.tensor(1.0)), ShapeError, "nonzero: shape (): elements have places along axes: use tg.reshape(x, -1)"),
    (lambda: tg.searchsorted(X, 1.0), ShapeError, "searchsorted: shape (2, 3): the sorted numbers have one axis"),
    (lambda: tg.searchsorted(X[0], 1.0, side="middle"), UsageError, "searchsorted: side 'middle': use 'left' or 'right'"),
    (lambda: tg.sort(X, descending=X), UsageError, "sort: descending of type Tensor: give True or False"),
    (lambda: -tg.tensor([True]), DtypeError, "negative: cannot work on operands of type bool"),
    (lambda: tg.grad(lambda x: x)(2), DtypeError, "grad: an argument of dtype int carries no gradient: pass floats"),
    (lambda: np.asarray(X), ConversionError, "np.asarray(tensor) would drop the record silently: use tensor.numpy()"),
    (lambda: np.ldexp(X, 1), ConversionError, "np.ldexp cannot be recorded on a tensor: use the functions of tinygrad_res, or tensor.numpy()"),
    (lambda: np.unwrap(X), ConversionError, "np.unwrap cannot be recorded on a tensor"),
    (lambda: np.exp(X, out=np.ones((2, 3))), ConversionError, "np.exp would write a tensor into an array: write x.data = values to change a leaf"),
    (lambda: np.sum(X, dtype=int), ConversionError, "np.sum with dtype cannot be recorded"),
    (lambda: X.to("tpu"), DeviceError, "to: unknown device 'tpu': use 'cpu' or 'cuda'"),
    (lambda: tg.tensor(np.ma.ones(2)), DeviceError, "numpy.ma.MaskedArray are not supported: pass a plain NumPy or CuPy array, such as numpy.asarray(values)"),
    (lambda: X * np.ma.ones(3), DeviceError, "multiply: arrays of type numpy.ma.MaskedArray are not supported"),
    (lambda: X.backward(), GradientError, "backward: the output has shape (2, 3); reduce it to one element (.sum() or .mean()), or pass cotangent="),
    (lambda: tg.tensor(1.0).backward(), GradientError, "backward: nothing was recorded for this tensor: no operand was made with requires_grad=True"),
    (lambda: tg.tensor(1).backward(), GradientError, "backward: nothing was recorded for this tensor: dtype int64 carries no gradient"),
    (lambda: tg.grad(lambda x: 2 * x)(np.ones(2)), GradientError, "grad: the function returned shape (2,); it must return one element. Use tg.jacobian, or tg.vjp"),
    (lambda: tg.jvp(lambda x: 2.0, (1.0,), (1.0,)), GradientError, "jvp: the function returned float, not a tensor: return what tinygrad_res functions computed"),
    (lambda: X.__setitem__(0, 1.0), GradientError, "a tensor's elements cannot be assigned, since records may rest on them: build the new values with tg.where, tg.concat or tg.index_update"),
    (lambda: setattr(X * X, "data", X), GradientError, "data: this tensor was computed by multiply; assigning to it would falsify the record. Assign to leaves"),
    (lambda: tg.grad(lambda x: x, 1)(1.0), UsageError, "grad: argnums 1, but there are 1 arguments"),
    (lambda: tg.hvp(lambda x: x)(1.0), UsageError, "hvp: argnums 0, but there are 0 arguments before the vector"),
    (lambda: tg.testing.check_gradient(tg.abs, 0.0), NotDifferentiableError, "not differentiable here: argument 0 (x)"),
    (lambda: tg.jvp(tg.exp, 1.0, 1.0), UsageError, "jvp: primals and tangents must be tuples, such as (x,) and (dx,)"),
    (lambda: tg.grad(tg.sum, argnums="x"), UsageError, "grad: argnums 'x': pass the number of an argument, or a tuple of numbers"),
    (lambda: tg.hessian(tg.sum, argnums=()), UsageError, "grad: argnums (): pass the number of an argument"),
    (lambda: tg.floor(X, X), UsageError, "floor: expected 1 operands, got 2"),
    (lambda: tg.less(X, X, X), UsageError, "less: expected 2 operands, got 3"),
    (lambda: tg.sum(X, 0, "a"), UsageError, "sum: keepdims is True or False, not 'a'"),
    (lambda: tg.full_like(X, X.sum()), UsageError, "full_like: the fill_value carries a gradient, which would be lost: use tg.broadcast_to"),
    (lambda: tg.testing.check_paths(X.sum(), []), UsageError, "check_paths: wrt is empty: pass a leaf of the loss, or several"),
    (lambda: tg.custom.activation(lambda xp, x: x, 1, name="f", mask=True), UsageError, "f: with mask=True the formulas are functions that return booleans"),
    (lambda: np.cov(X, X), ConversionError, "np.cov cannot be recorded on a tensor"),
    (lambda: X.sum(where=np.ones(3, bool)), UsageError, "sum: unknown argument 'where': see help(tg.sum)"),
    (lambda: tg.floor(X, where=True), UsageError, "floor: unknown argument 'where': see help(tg.floor)"),
    (lambda: tg.gradient(X, 1.0, 2.0, 3.0), UsageError, "gradient: 3 distances for 2 axes: give one number, or one for each axis"),
    (lambda: tg.average(np.ones((2, 0)), weights=np.ones((2, 0))), ShapeError, "average: shape (2, 0) has no elements along axis (0, 1)"),
    (lambda: X[: np.ones(2)], DtypeError, "getitem: a slice with a bound of type ndarray: use integers"),
    (lambda: tg.graph(tg.tensor(1.0)), GraphError, "graph: nothing was recorded for"),
    (lambda: data.load("numbers"), DataError, "unknown data 'numbers': use 'digits', or the path of an .npz file"),
    (lambda: draw(1.0), FigureError, "draw: cannot draw a float: a number does not know what it was computed from: pass the tensor that holds it"),
    (lambda: tg.nn.Linear(1, 1).save("no such folder/a.npz"), FileError, "save: cannot write 'no such folder/a.npz' (No such file or directory): choose a folder that exists"),
    (lambda: sweep(divmod_of, grid(a=[1], b=[0])), SweepError, "sweep: 1 of 1 cells are missing:\n  a=1, b=0: ZeroDivisionError"),
]  # fmt: skip

# What CuPy does not check.
CHECKED_BY_NUMPY = [
    (lambda: tg.linalg.solve(np.ones((2, 2)), np.ones(2)), DataError, "solve: the matrix is singular: add a multiple of the identity, or use linalg.pinv"),
    (lambda: tg.linalg.inv(np.zeros((2, 2))), DataError, "inv: the matrix is singular"),
    (lambda: tg.linalg.matrix_power(np.zeros((2, 2)), -1), DataError, "matrix_power: the matrix is singular"),
    (lambda: tg.linalg.cholesky(-np.eye(2)), DataError, "cholesky: the matrix is not positive definite: add a multiple of the identity"),
    (lambda: tg.linalg.svdvals(np.full((2, 2), np.nan)), DataError, "svd: the iteration did not converge, as where an element is NaN or infinite"),
]  # fmt: skip


def assert_refused(call, kind, message):
    with pytest.raises(kind) as caught:
        call()

    assert type(caught.value) is kind
    assert message in str(caught.value)


@pytest.mark.parametrize(("call", "kind", "message"), CASES, ids=[case[2][:50] for case in CASES])
def test_the_error_says_what_is_wrong_and_how_to_mend_it(call, kind, message):
    assert_refused(call, kind, message)


@pytest.mark.cpu
@pytest.mark.parametrize(("call", "kind", "message"), CHECKED_BY_NUMPY)
def test_the_error_of_a_matrix_says_what_is_wrong_and_how_to_mend_it(call, kind, message):
    assert_refused(call, kind, message)


@pytest.mark.cpu
def test_every_class_of_the_hierarchy_is_raised_by_some_call():
    hierarchy = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__ and kind is not errors.Error
    }

    assert hierarchy <= {kind for _, kind, _ in CASES}


@pytest.mark.cpu
@pytest.mark.parametrize("kind", sorted({kind for _, kind, _ in CASES}, key=str))
def test_one_base_class_catches_all_and_a_builtin_one_does_too(kind):
    assert issubclass(kind, errors.Error)
    assert issubclass(kind, (ValueError, TypeError, RuntimeError, OSError))


def test_the_error_of_numpy_is_kept_as_the_cause():
    with pytest.raises(ShapeError) as caught:
        X + np.ones(4)

    assert isinstance(caught.value.__cause__, ValueError)
