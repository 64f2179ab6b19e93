"""Softmax and its kin: values, masked and infinite logits, labels that cannot be checked."""

from __future__ import annotations

import math

import numpy as np
import pytest
from oracles import check_close, check_finite, check_same, gradient, hessian, host

import tinygrad_res as tg
from tinygrad_res.errors import ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5))
INF = math.inf


def test_softmaxes_equal_scipys():
    special = pytest.importorskip("scipy.special")
    for axis in (0, -1, (0, 2), None):
        for ours, theirs in (
            (tg.softmax, special.softmax),
            (tg.log_softmax, special.log_softmax),
            (tg.logsumexp, special.logsumexp),
        ):
            check_close(ours(X, axis), theirs(X, axis=axis), rtol=1e-13)


def test_softmaxes_of_masked_logits_equal_pytorchs():
    torch = pytest.importorskip("torch")
    x = np.where(X > 0.8, -INF, X)
    weight = RNG.normal(size=X.shape)

    t = torch.tensor(x, requires_grad=True)
    (torch.softmax(t, 1) * torch.tensor(weight)).sum().backward()

    found = gradient(lambda x: tg.softmax(x, 1) * weight, x)
    check_close(found, t.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_softmaxes_of_huge_logits_do_not_overflow():
    x = np.array([1e300, 1e300 - 1e290, -1e300])

    check_same(tg.softmax(x), [1, 0, 0])
    check_same(tg.logsumexp(x), 1e300)
    check_same(tg.log_softmax([1000.0, 0.0]), [0, -1000])


# Infinite elements, without a warning


def test_masked_elements_have_no_probability_and_no_derivative():
    x = np.array([[1.0, -INF, 3.0, -INF], [0.0, 2.0, -INF, 1.0]])
    seen = np.isfinite(x)
    weight = np.array([3.0, -1.0, 2.0, 5.0])

    for f in (tg.softmax, lambda x, axis: tg.logsumexp(x, axis, keepdims=True)):
        g = host(gradient(lambda x, f=f: f(x, 1) * weight, x))
        check_same(g[~seen], np.zeros(3))
        for row, mask, out in zip(x, seen, g, strict=True):
            w = weight[mask] if f is tg.softmax else weight
            alone = gradient(lambda x, f=f, w=w: f(x, 1) * w, row[None, mask])
            check_close(out[mask], alone[0], rtol=1e-13)
        check_finite(hessian(lambda x, f=f: f(x, 1) * weight, x))
    check_same(tg.softmax(x).numpy()[~seen], np.zeros(3))
    check_same(tg.log_softmax(x).numpy()[~seen], np.full(3, -INF))


def test_a_row_that_is_masked_whole_is_shared_by_nobody():
    x = np.array([[-INF, -INF], [0.0, 0.0]])

    check_same(tg.softmax(x), [[0, 0], [0.5, 0.5]])
    check_same(tg.logsumexp(x, 1)[0], -INF)
    check_same(tg.log_softmax(x)[0], [-INF, -INF])
    check_same(gradient(lambda x: tg.logsumexp(x, 1), x), [[0, 0], [0.5, 0.5]])
    check_same(gradient(lambda x: tg.softmax(x)[:, 0], x), [[0, 0], [0.25, -0.25]])
    check_same(hessian(lambda x: tg.logsumexp(x, 1), x)[0], np.zeros((2, 2, 2)))


def test_an_element_of_plus_infinity_makes_the_logarithm_infinite_and_the_softmax_nan():
    x = np.array([[INF, 900.0, -INF], [1.0, 0.0, -INF]])

    check_same(tg.logsumexp(x, 1)[0], INF)
    for found in (tg.softmax(x), tg.log_softmax(x), gradient(lambda x: tg.logsumexp(x, 1), x)):
        check_same(tg.isnan(found), [[True] * 3, [False] * 3])
    assert np.isnan(tg.cross_entropy(tg.tensor(x), [0, 0]).item())


def test_nan_goes_through_softmaxes():
    x = [[np.nan, 0.0], [0.0, 0.0]]

    check_same(tg.isnan(tg.softmax(x)), [[True, True], [False, False]])
    check_same(tg.isnan(tg.logsumexp(x, 1)), [True, False])


def test_the_logarithm_of_no_exponentials_is_minus_infinity():
    check_same(tg.logsumexp(np.zeros((2, 0)), 1), [-INF, -INF])


LAYOUTS = {
    "rows together": lambda x: x,
    "columns together": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, 1)[:, ::2],
    "backwards": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("classes", [1, 2, 100, 101])
def test_cross_entropy_is_that_of_its_definition_in_any_layout(classes, layout, dtype):
    x = RNG.normal(size=(7, classes)).astype(dtype)
    labels = RNG.integers(0, classes, 7)
    p = np.exp(x.astype(float)) / np.exp(x.astype(float)).sum(1, keepdims=True)
    onehot = np.eye(classes)[labels]
    laid = tg.tensor(LAYOUTS[layout](x))
    rtol, atol = (1e-5, 1e-7) if dtype == np.float32 else (1e-12, 1e-15)

    loss, g = tg.value_and_grad(lambda x: tg.cross_entropy(x, labels))(laid)

    assert loss.dtype == g.dtype == dtype
    check_close(loss, -np.log((p * onehot).sum(1)).mean(), rtol=rtol, atol=atol)
    check_close(g, (p - onehot) / 7, rtol=rtol, atol=atol)


@pytest.mark.parametrize("classes", [3, 101])
def test_second_derivatives_of_cross_entropy_are_those_of_its_definition(classes):
    """Half the gradient of a squared gradient g is the Hessian times g."""
    x = RNG.normal(size=(4, classes))
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    g = (p - np.eye(classes)[[0, 1, 2, 2]]) / 4

    slope = tg.grad(lambda x: tg.cross_entropy(x, [0, 1, 2, 2]))
    found = tg.grad(lambda x: 0.5 * (slope(x) ** 2).sum())(x)

    check_close(found, p * (g - (p * g).sum(1, keepdims=True)) / 4, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("classes", [3, 101])
@pytest.mark.parametrize("value", [INF, math.nan])
def test_cross_entropy_with_a_logit_that_is_no_number_has_none(classes, value):
    x = np.zeros((2, classes))
    x[0, 1] = value

    loss, g = tg.value_and_grad(lambda x: tg.cross_entropy(x, [0, 0]))(tg.tensor(x))

    check_same(loss, math.nan)
    check_same(np.isnan(g.numpy()).all(1), [True, False])


@pytest.mark.parametrize("classes", [3, 101])
def test_cross_entropy_of_rows_masked_in_part_or_whole(classes):
    x = np.zeros((2, classes))
    x[0, 1:], x[1] = -INF, -INF

    loss, g = tg.value_and_grad(lambda x: tg.cross_entropy(x, [0, 0]))(tg.tensor(x))

    assert loss.item() == INF
    check_same(g[0], np.zeros(classes))
    check_same(g[1], [-0.5, *np.zeros(classes - 1)])


def test_halves_of_cross_entropy_are_added_up_as_singles():
    x = RNG.normal(size=(64, 100), scale=0.1).astype(np.float16)
    labels = RNG.integers(0, 100, 64)

    rough, exact = (
        tg.grad(lambda x: tg.cross_entropy(x, labels))(tg.tensor(x.astype(dtype))).numpy()
        for dtype in (np.float16, np.float64)
    )

    positive = exact > 0
    assert np.abs(rough - exact)[positive].mean() < 5e-4 * exact[positive].mean()


def test_a_sum_of_halves_that_is_infinite_makes_the_softmax_nan():
    x = tg.tensor(np.zeros((1, 70_000), np.float16))
    with np.errstate(over="ignore"):
        assert np.isnan(tg.softmax(x).numpy()).all()
        assert np.isnan(tg.cross_entropy(x, [0]).item())


@pytest.mark.parametrize("dtype", [">i8", "<i8", ">i2", "<i2", ">u4", "i1", "u1"])
def test_labels_may_be_integers_of_any_kind(dtype):
    x = tg.tensor(np.log([[1.0, 3.0], [1.0, 1.0]]))
    check_close(tg.cross_entropy(x, np.array([1, 0], dtype)), np.log(8 / 3) / 2, rtol=1e-12)
    with pytest.raises(ShapeError, match="labels from 0 to 2, but there are 2 classes"):
        tg.cross_entropy(x, np.array([2, 0], dtype))


def test_a_loss_on_a_label_without_probability_is_infinite():
    assert tg.cross_entropy([[0.0, -INF]], [1]).item() == INF
    assert tg.cross_entropy([[0.0, -INF]], [0]).item() == 0


# Labels that cannot be checked


def test_labels_out_of_range_on_a_device_make_the_loss_and_its_derivatives_nan(xp):
    logits = xp.array(np.zeros((3, 2), np.float32))

    for bad in (-1, 2, 100):
        labels = xp.array(np.array([0, bad, 1]))
        loss, g = tg.value_and_grad(lambda x, labels=labels: tg.cross_entropy(x, labels))(logits)
        h = tg.hvp(lambda x, labels=labels: tg.cross_entropy(x, labels))(logits, logits + 1)

        assert g.dtype == h.dtype == np.float32
        check_same(xp.isnan(loss), True)
        check_same(xp.isnan(g).all(1), [False, True, False])
        check_same(xp.isnan(h).all(1), [False, True, False])


def test_labels_of_the_host_are_checked_also_for_logits_on_a_device(xp):
    with pytest.raises(ShapeError, match="labels from 0 to 2, but there are 2 classes"):
        tg.cross_entropy(xp.array(np.zeros((3, 2))), [0, 2, 1])
