"""Linear algebra, whose operations have the names of ``tg.linalg``."""

from __future__ import annotations

import math

import tinygrad_res as tg
from tinygrad_res.backend import namespace

la = tg.linalg


def eye(x):
    """Return the identity matrix where ``x`` is."""
    return namespace(x.data).eye(x.shape[-1])


def definite(x):
    """Return a symmetric, positive definite matrix made of any square one."""
    return x @ tg.matrix_transpose(x) + 2.0 * eye(x)


def regular(x):
    return x + 5.0 * eye(x)


def power(n):
    return lambda x: la.matrix_power(0.25 * regular(x), n)


def matrix_norm(**options):
    """Return a norm of cubes: sums of the evenly spaced arguments themselves would tie."""
    return lambda x: la.matrix_norm(x**3, **options)


def norm(*args, **options):
    return lambda x: la.norm(x, *args, **options)


CASES = {
    "linalg.solve": (lambda a, b: la.solve(regular(a), b), (3, 3), (3, 2)),
    "linalg.solve vector": (lambda a, b: la.solve(regular(a), b), (3, 3), (3,)),
    "linalg.solve batch for vector": (lambda a, b: la.solve(regular(a), b), (2, 2, 2), (2,)),
    "linalg.solve batches broadcast": (lambda a, b: la.solve(regular(a), b), (2, 1, 2, 2), (3, 2, 1)),
    "linalg.solve one matrix for a batch": (lambda a, b: la.solve(regular(a), b), (2, 2), (2, 2, 1)),
    "linalg.solve with itself": (lambda a: la.solve(regular(a), a), (2, 2)),
    "linalg.inv": (lambda a: la.inv(regular(a)), (2, 3, 3)),
    "linalg.pinv tall": (la.pinv, (3, 2)),
    "linalg.pinv wide": (la.pinv, (2, 2, 3)),
    **{f"linalg.matrix_power {n}": (power(n), (2, 3, 3)) for n in (-2, -1, 0, 1, 2, 5)},
    "linalg.det": (la.det, (2, 3, 3)),
    "linalg.det 1": (la.det, (1, 1)),
    "linalg.det 2": (la.det, (2, 2)),
    "linalg.det 5": (la.det, (5, 5)),
    "linalg.det of rank n - 1": (lambda x: la.det(tg.concat([x, x[:1] + x[1:]])), (2, 3)),
    "linalg.det of rank 1": (lambda x, y: la.det(x[:, None] * y), (3,), (3,)),
    "linalg.slogdet": (lambda a: la.slogdet(a).logabsdet, (2, 3, 3)),
    "linalg.slogdet 1": (lambda a: la.slogdet(a).logabsdet, (1, 1)),
    "linalg.cholesky": (lambda a: la.cholesky(definite(a)), (2, 3, 3)),
    "linalg.cholesky upper": (lambda a: la.cholesky(definite(a), upper=True), (3, 3)),
    "linalg.cholesky of asymmetric": (lambda a: la.cholesky(regular(a)), (2, 2)),
    "linalg.eigh values": (lambda a: la.eigh(a @ a.T).eigenvalues, (3, 3)),
    "linalg.eigh vectors": (lambda a: la.eigh(a)[1] ** 2, (2, 3, 3)),
    "linalg.eigh both": (lambda a: la.eigh(a)[0] * la.eigh(a)[1] ** 2, (3, 3)),
    "linalg.eigvalsh": (la.eigvalsh, (2, 3, 3)),
    "linalg.svd u tall": (lambda a: la.svd(a, full_matrices=False).U ** 2, (3, 2)),
    "linalg.svd u wide": (lambda a: la.svd(a, full_matrices=False).U ** 2, (2, 3)),
    "linalg.svd vh tall": (lambda a: la.svd(a, full_matrices=False).Vh ** 2, (2, 3, 2)),
    "linalg.svd vh wide": (lambda a: la.svd(a, full_matrices=False).Vh ** 2, (2, 3)),
    "linalg.svd square": (lambda a: (lambda u, s, v: u @ (s[:, None] ** 2 * v))(*la.svd(a)), (3, 3)),
    "linalg.svdvals": (la.svdvals, (2, 3, 2)),
    "linalg.svdvals wide": (la.svdvals, (2, 3)),
    "linalg.qr q": (lambda a: la.qr(a).Q, (3, 2)),
    "linalg.qr r": (lambda a: la.qr(a).R, (2, 3, 3)),
    **{
        f"linalg.matrix_norm {ord} axis={axis} keepdims={keepdims}": (
            matrix_norm(ord=ord, axis=axis, keepdims=keepdims), (2, 3, 2)
        )
        for ord in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
        for axis, keepdims in [((-2, -1), False), ((2, 0), True), ((1, 0), False)]
    },
    "linalg.vector_norm": (lambda x: la.vector_norm(x, axis=-1), (2, 3)),
    "linalg.vector_norm 1": (lambda x: la.vector_norm(x, ord=1, keepdims=True), (2, 3)),
    "linalg.norm": (la.norm, (2, 3, 2)),
    "linalg.norm of vector": (norm(3), (4,)),
    "linalg.norm of matrix": (norm(1), (3, 2)),
    "linalg.norm axis": (norm(axis=1), (2, 3)),
    "linalg.norm axes": (norm(None, (0, 2), True), (2, 3, 2)),
    "linalg.norm axes 2": (norm(2, (0, 1)), (2, 3, 2)),
    "linalg.diagonal": (lambda x: la.diagonal(x, 1), (2, 3, 3)),
    "linalg.trace": (la.trace, (2, 3, 3)),
    "linalg.matrix_transpose": (la.matrix_transpose, (2, 3, 2)),
    "linalg.cross": (la.cross, (2, 3), (3,)),
    "linalg.matmul": (la.matmul, (2, 3), (3,)),
    "linalg.outer": (la.outer, (2,), (3,)),
    "linalg.tensordot": (lambda x, y: la.tensordot(x, y, 1), (2, 3), (3, 2)),
    "linalg.vecdot": (la.vecdot, (2, 3), (3,)),
}  # fmt: skip
