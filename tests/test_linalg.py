"""Linear algebra: values as NumPy's and PyTorch's, singular matrices, batches, dtypes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import oracles
import pytest
from oracles import check_array, check_close, check_finite, check_same, host

import tinygrad_res as tg
from tinygrad_res.errors import DataError

la = tg.linalg
RNG = np.random.default_rng(0)
SQUARE = RNG.normal(size=(2, 3, 3)) + 2 * np.eye(3)
TALL = RNG.normal(size=(2, 4, 3))
DEFINITE = SQUARE @ SQUARE.swapaxes(-1, -2) + np.eye(3)


# Values

SAME_AS_NUMPY = [
    ("inv", (SQUARE,), {}),
    ("det", (SQUARE,), {}),
    ("pinv", (TALL,), {}),
    ("pinv", (TALL,), {"rtol": 0.7}),
    ("cholesky", (DEFINITE,), {}),
    ("cholesky", (DEFINITE,), {"upper": True}),
    ("eigvalsh", (DEFINITE,), {}),
    ("svdvals", (TALL,), {}),
    ("trace", (SQUARE,), {"offset": 1}),
    ("diagonal", (SQUARE,), {"offset": -1}),
    ("matrix_transpose", (TALL,), {}),
    ("vector_norm", (TALL,), {}),
    ("vector_norm", (TALL,), {"axis": 1, "ord": 3, "keepdims": True}),
    *(("matrix_power", (SQUARE, n), {}) for n in (-3, 0, 1, 4)),
    *(
        ("matrix_norm", (TALL,), {"ord": ord, "keepdims": keepdims})
        for ord in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
        for keepdims in (False, True)
    ),
    *(
        ("norm", (TALL, ord), {"axis": axis, "keepdims": True})
        for ord in (None, 1, 2, -2, math.inf)
        for axis in (1, (0, 2), (-1, 0))
    ),
    *(("norm", (TALL[0], ord), {}) for ord in (None, "fro", "nuc", 1, 2, -math.inf)),
    *(("norm", (TALL[0, 0], ord), {}) for ord in (None, 0, 1, 2.5, -math.inf)),
    ("norm", (TALL,), {"keepdims": True}),
]


@pytest.mark.parametrize(("name", "args", "options"), SAME_AS_NUMPY)
def test_values_are_those_of_numpy(name, args, options):
    found = getattr(la, name)(tg.tensor(args[0]), *args[1:], **options)

    check_array(found, getattr(np.linalg, name)(*args, **options))


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 3), (3,)), ((2, 3, 3), (3,)), ((2, 3, 3), (3, 3)), ((4, 1, 3, 3), (2, 3, 1)), ((3, 3), (2, 3, 0)), ((0, 3, 3), (3,)), ((0, 0), (0,))],
)  # fmt: skip
def test_solve_reads_vectors_and_batches_as_numpy_does(a, b):
    a, b = RNG.normal(size=a) + 3 * np.eye(a[-1]), RNG.normal(size=b)

    check_array(la.solve(a, b), np.linalg.solve(a, b))


def test_decompositions_rebuild_the_matrix():
    values, vectors = la.eigh(DEFINITE)
    u, s, vh = la.svd(TALL, full_matrices=False)
    q, r = la.qr(TALL)

    check_array(vectors * values[:, None] @ vectors.transpose(0, 2, 1), DEFINITE)
    check_array(u * s[:, None] @ vh, TALL)
    check_array(q @ r, TALL)
    check_array(q.transpose(0, 2, 1) @ q, np.broadcast_to(np.eye(3), (2, 3, 3)))
    check_same(r, np.triu(r))


def test_parts_of_a_decomposition_have_names():
    assert la.slogdet(SQUARE)._fields == ("sign", "logabsdet")
    assert la.eigh(DEFINITE)._fields == ("eigenvalues", "eigenvectors")
    assert la.svd(SQUARE)._fields == ("U", "S", "Vh")
    assert la.qr(TALL)._fields == ("Q", "R")


def test_slogdet_has_a_constant_sign_and_does_not_overflow():
    a = np.stack([np.eye(200) * 1e9, -np.eye(200)[::-1] * 1e-9])

    sign, logabsdet = la.slogdet(tg.tensor(a, requires_grad=True))

    expected = np.linalg.slogdet(a)
    check_array(sign, expected.sign)
    check_array(logabsdet, expected.logabsdet)
    assert not sign.requires_grad
    assert logabsdet.requires_grad


def test_numpy_functions_of_linear_algebra_record_on_tensors():
    x = tg.tensor(SQUARE, requires_grad=True)

    assert np.linalg.det(x).requires_grad
    assert np.linalg.eigh(x).eigenvalues.requires_grad
    check_array(np.linalg.trace(x), np.linalg.trace(SQUARE))
    check_array(np.linalg.norm(x[0], 1), np.linalg.norm(SQUARE[0], 1))


# Derivatives


FUNCTIONS = {
    "inv": lambda m, a, w: (m.inv(a) * w).sum(),
    "solve": lambda m, a, w: (m.solve(a, w) ** 2).sum(),
    "slogdet": lambda m, a, w: m.slogdet(a)[1].sum(),
    "det": lambda m, a, w: (m.det(a) ** 2).sum(),
    "matrix_power": lambda m, a, w: (m.matrix_power(a, 3) * w).sum(),
    "svd": lambda m, a, w: (m.svd(a)[0] ** 2 * w).sum() + (m.svd(a)[2] ** 2 * w[0]).sum(),
    "svdvals": lambda m, a, w: (m.svdvals(a) * w[:, 0]).sum(),
    "pinv": lambda m, a, w: (m.pinv(a[..., :2]) * w[..., :2, :]).sum(),
    "qr": lambda m, a, w: (m.qr(a)[0] * w).sum() + (m.qr(a)[1] * w).sum(),
    "matrix_norm": lambda m, a, w: (m.matrix_norm(a, ord="nuc") * w[:, 0, 0]).sum(),
}
OF_SYMMETRIC = {
    "cholesky": lambda m, a, w: (m.cholesky(a) * w).sum(),
    "eigh": lambda m, a, w: (m.eigh(a)[0] * w[:, 0]).sum() + (m.eigh(a)[1] ** 2 * w).sum(),
}


@pytest.mark.parametrize("name", [*FUNCTIONS, *OF_SYMMETRIC])
def test_gradients_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    f = (FUNCTIONS | OF_SYMMETRIC)[name]
    a, weights = DEFINITE if name in OF_SYMMETRIC else SQUARE, RNG.normal(size=(2, 3, 3))
    leaf = torch.tensor(a, requires_grad=True)
    f(torch.linalg, leaf, torch.tensor(weights)).backward()

    found = tg.grad(lambda a: f(la, a, tg.tensor(weights)))(a)

    expected = leaf.grad.numpy()
    if name in OF_SYMMETRIC:  # PyTorch leaves it open how elements and mirror images share
        expected = (expected + expected.swapaxes(-1, -2)) / 2
    check_close(found, expected, rtol=1e-8, atol=1e-10)


def cofactors(a):
    """Return the matrix of cofactors by its definition."""
    n = len(a)
    return np.array(
        [
            [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)]
            for i in range(n)
        ]
    )


def of_rank(n, rank):
    return RNG.normal(size=(n, rank)) @ RNG.normal(size=(rank, n))


@pytest.mark.parametrize("rank", range(5))
def test_the_gradient_of_det_is_the_matrix_of_cofactors_at_every_rank(rank):
    a = of_rank(4, rank)

    check_close(tg.grad(la.det)(a), cofactors(a), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rank", range(4))
def test_the_second_derivative_of_det_is_right_at_every_rank(rank):
    a = of_rank(3, rank)
    expected = np.zeros((3, 3, 3, 3))
    for p, q in itertools.product(itertools.permutations(range(3)), repeat=2):
        sign = np.linalg.det(np.eye(3)[list(p)]) * np.linalg.det(np.eye(3)[list(q)])
        expected[p[0], q[0], p[1], q[1]] += sign * a[p[2], q[2]]

    check_close(tg.hessian(la.det)(a), expected, rtol=1e-10, atol=1e-12)


def test_the_third_derivative_of_det_is_right_at_regular_matrices():
    found = tg.jacobian(tg.hessian(la.det))(SQUARE[0])

    expected = np.zeros((3,) * 6)
    for p, q in itertools.product(itertools.permutations(range(3)), repeat=2):
        sign = np.linalg.det(np.eye(3)[list(p)]) * np.linalg.det(np.eye(3)[list(q)])
        expected[p[0], q[0], p[1], q[1], p[2], q[2]] += sign
    check_close(found, expected, rtol=1e-9, atol=1e-9)


def test_singular_matrices_have_a_log_determinant():
    sign, logabsdet = la.slogdet(np.ones((2, 2)))

    assert (sign.item(), logabsdet.item()) == (0, -math.inf)


OF_REGULAR = {
    "inv": la.inv,
    "matrix_power": lambda a: la.matrix_power(a, -2),
    "solve": lambda a: la.solve(a, tg.ones_like(a)),
    "slogdet": tg.grad(lambda a: la.slogdet(a).logabsdet),
    "det": tg.jacobian(tg.hessian(la.det)),
}


@pytest.mark.cpu
@pytest.mark.parametrize("name", OF_REGULAR)
def test_inverses_of_singular_matrices_and_derivatives_that_need_them_are_refused(name):
    with pytest.raises(DataError, match=f"{name}: the matrix is singular"):
        OF_REGULAR[name](np.zeros((3, 3)))


@pytest.mark.parametrize("name", OF_REGULAR)
def test_what_a_singular_matrix_does_not_have_is_nan_on_a_device(xp, name):
    found = OF_REGULAR[name](xp.array(np.zeros((3, 3))))

    assert np.isnan(host(found)).any()


def test_a_matrix_that_is_not_positive_definite_has_no_factor_on_a_device(xp):
    definite = np.array([[4.0, 2.0], [2.0, 2.0]])

    for dtype in (np.float64, np.float32):
        a = xp.array(np.stack([[[1.0, 2.0], [2.0, 1.0]], definite]).astype(dtype))
        found = host(la.cholesky(a))
        check_same(found, [np.full((2, 2), np.nan), [[2.0, 0.0], [1.0, 1.0]]])


@pytest.mark.parametrize("f", [lambda a: la.cholesky(a).sum(), lambda a: la.eigh(a)[0][-1]])
def test_functions_of_symmetric_matrices_have_symmetric_gradients(f):
    g = tg.grad(f)(DEFINITE[0])

    check_close(g, g.T, rtol=0, atol=1e-14)


def test_sums_over_equal_eigenvalues_have_their_right_gradient():
    a = np.diag([2.0, 2.0, 5.0])

    check_close(tg.grad(lambda a: (la.eigvalsh(a) ** 2).sum())(a), 2 * a)
    check_close(tg.grad(lambda a: la.matrix_norm(a, ord="nuc"))(a), np.eye(3), atol=1e-15)  # fmt: skip


def test_the_largest_of_equal_singular_values_share_its_gradient():
    g = tg.grad(lambda a: la.matrix_norm(a, ord=2))(np.diag([3.0, 3.0, 1.0]))

    check_close(g, np.diag([0.5, 0.5, 0]), atol=1e-15)


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf])
def test_norms_of_integers_are_floats(ord):
    a = np.array([[1, -2], [3, 0]])

    found = la.matrix_norm(a, ord=ord)

    assert found.dtype == np.float64
    check_close(found, np.linalg.matrix_norm(a, ord=ord), rtol=1e-13)


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf])
def test_norms_of_the_zero_matrix_have_gradient_zero(ord):
    g = tg.grad(lambda a: la.matrix_norm(a, ord=ord))(np.zeros((2, 3)))

    check_same(g, np.zeros((2, 3)))


def test_undefined_derivatives_of_vectors_are_finite():
    for f in (lambda a: la.eigh(a)[1], lambda a: la.svd(a)[0], lambda a: la.svd(a)[2]):
        check_finite(tg.jacobian(f)(np.zeros((2, 2))))
        check_finite(tg.jacobian(f)(np.eye(2)))


def test_a_derivative_of_an_orthogonal_matrix_is_no_path_out_of_orthogonality():
    a, tangent = DEFINITE[0], RNG.normal(size=(3, 3))

    v, dv = tg.jvp(lambda a: la.eigh(a).eigenvectors, (a,), (tangent,))

    check_close(v.T @ dv + dv.T @ v, np.zeros((3, 3)), atol=1e-13)


def test_matrix_functions_are_written_once_for_arrays_and_tensors():
    log_det = tg.custom.general(
        lambda xp, a: xp.linalg.slogdet(a)[1],
        lambda xp, g, wanted, _out, a: [g * xp.linalg.inv(a).T],
        name="log_det",
    )

    oracles.check(log_det, SQUARE[0])


# Paths


def test_a_decomposition_is_one_node_however_many_parts_are_used():
    x = tg.tensor(DEFINITE[0], requires_grad=True)

    values, vectors = la.eigh(x)
    graph = tg.graph((values * (vectors * vectors)).sum())

    assert [node.op for node in graph.nodes].count("eigh") == 1
    assert tg.paths((values * (vectors * vectors)).sum(), x).count() == 3


def test_solving_is_one_edge_to_each_operand():
    a = tg.tensor(SQUARE[0], requires_grad=True)
    b = tg.tensor(TALL[0, 0], requires_grad=True)

    graph = tg.graph(la.solve(a, b))

    assert [edge.family for edge in graph.edges] == ["general", "general"]


# Dtypes


@pytest.mark.parametrize(
    "f",
    [
        la.inv, la.det, lambda a: la.slogdet(a).logabsdet, la.pinv, lambda a: la.matrix_power(a, 3),
        la.cholesky, la.eigvalsh, la.svdvals, lambda a: la.eigh(a).eigenvectors ** 2,
        lambda a: la.solve(a, np.ones(3, np.float32)), lambda a: la.qr(a).R, la.trace,
        lambda a: la.matrix_norm(a, ord="nuc"), lambda a: la.matrix_norm(a, ord=1), la.norm,
    ],
)  # fmt: skip
def test_float32_stays_float32_in_values_and_derivatives(f):
    a = DEFINITE[0].astype(np.float32)
    x = tg.tensor(a, requires_grad=True)

    out = f(x)
    out.sum().backward(create_graph=True)

    assert out.dtype == x.grad.dtype == np.float32
    assert tg.jvp(f, (a,), (a,))[1].dtype == np.float32


def test_integers_give_floats():
    a = np.array([[2, 1], [1, 3]])

    for name in ("inv", "det", "pinv", "cholesky", "eigvalsh", "svdvals", "matrix_norm", "norm"):
        check_array(getattr(la, name)(a), getattr(np.linalg, name)(a.astype(float)))
    check_array(la.solve(a, [1, 2]), np.linalg.solve(a, [1, 2]))
    assert la.matrix_power(a, 2).dtype == a.dtype


def test_empty_matrices_have_the_determinant_one():
    assert la.det(np.zeros((0, 0))).item() == 1
    assert tg.grad(lambda a: la.det(a).sum())(np.zeros((2, 0, 0))).shape == (2, 0, 0)
    assert la.inv(np.zeros((0, 0))).shape == (0, 0)


def test_small_and_large_matrices_keep_their_derivatives():
    for scale in (1e-60, 1e60):
        a = scale * np.diag([1.0, 2.0])
        check_close(tg.grad(la.det)(a), scale * np.diag([2.0, 1.0]))
        check_close(tg.grad(lambda a: la.slogdet(a)[1])(a), np.diag([1.0, 0.5]) / scale)
