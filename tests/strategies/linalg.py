"""Calls of linear algebra; its matrices are made well-conditioned of any drawn numbers."""

from __future__ import annotations

import math

import numpy as np

import tinygrad_res as tg
from tinygrad_res import backend

from . import contractions, structural
from .calls import Call
from .drawn import LENGTH, axes_of, axis_of, booleans, integers, sampled, shapes


def beside(x, array):
    """Return a host array as a constant of the dtype and on the device of ``x``."""
    like = x.data if isinstance(x, tg.Tensor) else x
    return backend.namespace(like).asarray(np.asarray(array, dtype=like.dtype))


def transposed(x):
    return x.transpose((*range(len(x.shape) - 2), -1, -2))


def regular(x):
    """Return a matrix whose diagonal prevails."""
    return 0.25 * x + beside(x, 3 * np.eye(x.shape[-1]))


def definite(x):
    return regular(x) @ transposed(regular(x))


def steep(x):
    """Return matrices whose singular values, and sums of rows and columns, differ widely."""
    m, n = x.shape[-2:]
    rows, columns = np.mgrid[:m, :n]
    return 0.05 * x + beside(
        x, 3 * (rows + 1) * (rows == columns) + 0.7 * rows + 0.5 * columns + 0.5
    )


def symmetric(x):
    both = 0.05 * (x + transposed(x))
    return both + beside(x, np.diag(3.0 * np.arange(1, x.shape[-1] + 1)))


def batch(draw):
    return tuple(draw(contractions.BATCH) for _ in range(draw(integers(0, 2))))


def square(prepare, **given):
    """Draw square matrices."""

    def drawn(draw):
        n = draw(integers(1, 3))
        return Call(((*batch(draw), n, n),), prepare=lambda x: (prepare(x),), **given)

    return drawn


def oblong(pick=None, tall=False, **options):
    def drawn(draw):
        m, n = draw(integers(1, 3)), draw(integers(1, 3))
        m, n = (max(m, n), min(m, n)) if tall else (m, n)
        return Call(
            ((*batch(draw), m, n),), options=options, prepare=lambda x: (steep(x),), pick=pick
        )

    return drawn


def solve(draw):
    n, (first, second) = draw(integers(1, 3)), contractions.batches(draw)
    right = draw(sampled([(n,), (*second, n, draw(integers(0, 2)))]))
    return Call(((*first, n, n), right), prepare=lambda a, b: (regular(a), b))


def cholesky(draw):
    call = square(definite)(draw)
    call.options["upper"] = draw(booleans())
    return call


def matrix_power(draw):
    call = square(regular)(draw)
    call.options["n"] = draw(integers(-2, 4))
    return call


ORDERS = ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)


def matrix_norm(draw):
    ndim = draw(integers(2, 3))
    shape = tuple(draw(integers(1, 3)) for _ in range(ndim))
    axis = draw(sampled([(i, k) for i in range(ndim) for k in range(ndim) if i != k]))
    to = [*(k for k in range(ndim) if k not in axis), *axis]
    back = tuple(to.index(k) for k in range(ndim))  # of matrices made in the last two axes
    axis = tuple(k - ndim * draw(booleans()) for k in axis)
    options = {"ord": draw(sampled(ORDERS)), "axis": axis, "keepdims": draw(booleans())}
    return Call((shape,), options=options, prepare=lambda x: (steep(x).transpose(back),))


def vector_norm(draw):
    shape = draw(shapes(0, 3, 1))
    orders = (0, 0.5, 1, 2, 3, -1, math.inf, -math.inf)
    options = {
        "ord": draw(sampled(orders)),
        "axis": draw(axes_of(shape)),
        "keepdims": draw(booleans()),
    }
    return Call((shape,), options=options)


def norm(draw):
    kind = draw(sampled(["all", "matrix", "vector"]))
    if kind == "matrix":
        return matrix_norm(draw)
    shape = draw(shapes(1, 3, 1))
    if kind == "all":
        return Call((shape,), options={"keepdims": draw(booleans())})
    return Call(
        (shape,),
        options={"ord": draw(sampled([None, 1, 2, 3, math.inf])), "axis": draw(axis_of(shape))},
    )


def diagonal(draw):
    return Call((draw(shapes(2)),), options={"offset": draw(integers(-3, 3))})


def directions(vectors):
    """Return eigenvectors squared, whose signs are not determined."""
    return lambda out: [out[k] ** 2 if k in vectors else out[k] for k in range(len(out))]


CALLS = {
    "cholesky": cholesky, "cross": contractions.CALLS["cross"], "det": square(regular), "diagonal": diagonal,
    "eigh": square(symmetric, pick=directions([1])), "eigvalsh": square(symmetric), "inv": square(regular),
    "matmul": contractions.matmul, "matrix_norm": matrix_norm, "matrix_power": matrix_power,
    "matrix_transpose": structural.CALLS["matrix_transpose"], "norm": norm,
    "outer": lambda draw: Call(((draw(LENGTH),), (draw(LENGTH),))),
    "pinv": oblong(), "qr": oblong(list, tall=True),
    "slogdet": square(regular, pick=lambda out: [out[1]]), "solve": solve,
    "svd": oblong(directions([0, 2]), full_matrices=False), "svdvals": oblong(),
    "tensordot": contractions.tensordot, "trace": diagonal, "vecdot": contractions.CALLS["vecdot"],
    "vector_norm": vector_norm,
}  # fmt: skip
