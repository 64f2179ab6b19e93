"""Contractions: products and convolutions."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg

from . import beside


def with_options(f, **options):
    return lambda *operands: f(*operands, **options)


def conv(**options):
    return with_options(tg.conv2d, **options)


def einsum(subscripts):
    return lambda *operands: tg.einsum(subscripts, *operands)


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
    "linear": (tg.linear, (2, 3), (4, 3)),
    "linear of a vector": (tg.linear, (3,), (4, 3)),
    "linear of a batch with bias": (tg.linear, (2, 1, 3), (4, 3), (4,)),
    "linear by itself": (lambda x: tg.linear(x, x), (2, 2)),
    "matmul by itself": (lambda x: x @ x.T @ x, (2, 3)),
    "matmul array": (lambda x: beside(x, np.arange(6.0).reshape(2, 3)) @ x, (3, 2)),
    **{
        f"einsum {subscripts} {shapes}": (einsum(subscripts), *shapes)
        for subscripts, *shapes in [
            ("ij,jk->ik", (2, 3), (3, 4)), ("ji,jk->ki", (3, 2), (3, 4)), ("bik,kj->bij", (2, 2, 3), (3, 2)),
            ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), ("bijk,kjl->lib", (2, 2, 3, 2), (2, 3, 2)),
            ("bhqd,bhkd->bhqk", (1, 2, 2, 3), (1, 2, 3, 3)), ("bi,bi->b", (2, 3), (2, 3)), ("i,i", (3,), (3,)),
            ("i,j->ji", (2,), (3,)), ("i,i->i", (3,), (3,)), ("bi,i->bi", (2, 3), (3,)), ("i,->i", (3,), ()),
            ("ij,k->k", (2, 3), (2,)), ("ij,kl->", (2, 2), (2, 2)), ("ij,jk->ik", (2, 1), (3, 2)), ("ij,jk->ik", (2, 0), (0, 3)),
            ("...ij,...jk->...ik", (2, 1, 2, 2), (3, 2, 1)), ("...i,...i->...", (2, 1), (3,)), ("...,...", (2, 1), (3,)),
            ("ii", (3, 3)), ("ii->i", (3, 3)), ("iji->j", (2, 3, 2)), ("...ii->...i", (2, 3, 3)), ("iii", (2, 2, 2)),
            ("ii,ij->j", (2, 2), (2, 3)), ("ij->ji", (2, 3)), ("ij->j", (2, 3)), ("ij->", (2, 3)), ("", ()),
            ("ij,jk,kl->il", (2, 2), (2, 3), (3, 2)), ("i,ij,j", (2,), (2, 3), (3,)), ("i,i,i->i", (2,), (2,), (2,)),
        ]
    },
    "einsum by itself": (lambda x: tg.einsum("ij,kj,kl->il", x, x, x), (2, 2)),
    "einsum of lists": (lambda x, y: tg.einsum(x, [..., 0, 1], y, [1, 2], [2, ..., 0]), (2, 2, 3), (3, 2)),
    "einsum greedy": (lambda *x: tg.einsum("ij,jk,k->i", *x, optimize="greedy"), (2, 3), (3, 3), (3,)),
    **{
        f"{name} {a} {b}": (getattr(tg, name), a, b)
        for name, a, b in [
            ("dot", (3,), (3,)), ("dot", (2, 3), (3, 2)), ("dot", (2, 3), (3,)), ("dot", (2, 3), (2, 3, 2)), ("dot", (3,), (2, 3, 2)),
            ("dot", (), (3,)), ("dot", (2, 3), ()), ("dot", (2, 2, 3), (3, 2)),
            ("inner", (3,), (3,)), ("inner", (2, 3), (4, 3)), ("inner", (), (2,)), ("inner", (3,), (2, 2, 3)),
            ("outer", (2,), (3,)), ("outer", (2, 2), (3,)), ("outer", (), (2,)), ("vdot", (2, 3), (6,)),
            ("kron", (2,), (3,)), ("kron", (2, 2), (2, 3)), ("kron", (3,), (2, 2)), ("kron", (2, 1, 2), (2,)), ("kron", (), (2,)),
            ("vecdot", (3,), (3,)), ("vecdot", (2, 1, 3), (2, 3)), ("matvec", (2, 3), (3,)), ("matvec", (2, 1, 2, 3), (2, 3)),
            ("vecmat", (3,), (3, 2)), ("vecmat", (2, 1, 3), (2, 3, 2)), ("cross", (3,), (3,)), ("cross", (2, 1, 3), (2, 3)),
            ("tensordot", (2, 2, 3), (2, 3, 2)),
        ]
    },
    "vecdot axis": (lambda x, y: tg.vecdot(x, y, axis=-2), (3, 2), (2, 3, 1)),
    "vecdot first axis": (lambda x, y: tg.vecdot(x, y, axis=0), (3, 2), (3, 2)),
    "cross axis": (lambda x, y: tg.cross(x, y, axis=0), (3, 2), (3, 2)),
    "cross inner axis": (lambda x, y: tg.cross(x, y, axis=-2), (2, 3, 2), (3, 2)),
    **{
        f"tensordot {axes}": (lambda x, y, axes=axes: tg.tensordot(x, y, axes), a, b)
        for axes, a, b in [
            (0, (2,), (2, 2)), (1, (2, 3), (3, 2)), ((1, 0), (2, 3), (3, 2)), (([0, -1], [1, 0]), (2, 2, 3), (3, 2, 2)),
            (([], []), (2,), (2,)), (([2, 0], [0, 1]), (2, 2, 3), (3, 2)),
        ]
    },
    "convolve": (tg.convolve, (4,), (3,)),
    "convolve same": (lambda x, y: tg.convolve(x, y, "same"), (2,), (5,)),
    "convolve valid": (lambda x, y: tg.convolve(x, y, "valid"), (5,), (2,)),
    "correlate": (tg.correlate, (2,), (4,)),
    "correlate same": (lambda x, y: tg.correlate(x, y, "same"), (5,), (2,)),
    "conv1d": (tg.conv1d, (2, 2, 5), (3, 2, 2)),
    "conv1d bias": (tg.conv1d, (1, 2, 4), (2, 2, 2), (2,)),
    "conv1d everything": (with_options(tg.conv1d, stride=2, padding=(3,), dilation=2, groups=2), (2, 2, 5), (4, 1, 3)),
    "conv1d same": (with_options(tg.conv1d, padding="same"), (1, 1, 4), (1, 1, 2)),
    "conv_transpose1d": (tg.conv_transpose1d, (2, 2, 3), (2, 2, 2), (2,)),
    "conv_transpose1d everything": (
        with_options(tg.conv_transpose1d, stride=2, padding=1, output_padding=1, dilation=2, groups=2), (1, 4, 3), (4, 1, 2)
    ),
    "conv_transpose2d": (tg.conv_transpose2d, (1, 2, 2, 3), (2, 2, 2, 2), (2,)),
    "conv_transpose2d everything": (
        with_options(tg.conv_transpose2d, stride=(2, 1), padding=(1, 2), output_padding=(1, 0), dilation=(1, 2), groups=2),
        (1, 2, 2, 3), (2, 2, 3, 2),
    ),
    "conv_transpose2d padded beyond its stride": (
        with_options(tg.conv_transpose2d, output_padding=(1, 2), dilation=3), (1, 1, 2, 2), (1, 1, 2, 2)
    ),
    "conv2d same": (conv(padding="same", dilation=(1, 3)), (1, 1, 3, 4), (2, 1, 2, 2)),
    "conv2d valid": (conv(padding="valid"), (1, 1, 3, 4), (2, 1, 2, 2)),
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
