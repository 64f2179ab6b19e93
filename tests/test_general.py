"""Normalisations and attention: values as PyTorch's, conventions, what paths say of them."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import check_close, check_finite, check_same

import tinygrad_res as tg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 6))
WEIGHT, BIAS = RNG.normal(size=(2, 6))


def gradients(f, *arrays):
    return tg.grad(lambda *xs: (f(*xs) ** 3).sum(), tuple(range(len(arrays))))(*arrays)


def theirs(f, *arrays):
    torch = pytest.importorskip("torch")
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    out = f(*leaves)
    (out**3).sum().backward()
    return out.detach().numpy(), [leaf.grad.numpy() for leaf in leaves]


def assert_as_pytorch(ours, their, *arrays):
    values, grads = theirs(their, *arrays)
    check_close(ours(*map(tg.tensor, arrays)), values, rtol=1e-9, atol=1e-12)
    for found, expected in zip(gradients(ours, *arrays), grads, strict=True):
        check_close(found, expected, rtol=1e-8, atol=1e-10)


# Normalisations


def test_layer_norm_is_that_of_pytorch():
    functional = pytest.importorskip("torch").nn.functional

    def ours(x, w, b):
        return tg.layer_norm(x, (6,), w, b, 1e-3)

    def their(x, w, b):
        return functional.layer_norm(x, (6,), w, b, 1e-3)

    assert_as_pytorch(ours, their, X, WEIGHT, BIAS)
    assert_as_pytorch(lambda x: tg.layer_norm(x, (4, 6)), lambda x: functional.layer_norm(x, (4, 6)), X)  # fmt: skip


def test_rms_norm_is_that_of_pytorch():
    functional = pytest.importorskip("torch").nn.functional

    assert_as_pytorch(
        lambda x, w: tg.rms_norm(x, 6, w), lambda x, w: functional.rms_norm(x, (6,), w), X, WEIGHT
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_group_norm_is_that_of_pytorch(groups):
    functional = pytest.importorskip("torch").nn.functional

    assert_as_pytorch(
        lambda x, w, b: tg.group_norm(x, groups, w, b),
        lambda x, w, b: functional.group_norm(x, groups, w, b),
        X, WEIGHT[:4], BIAS[:4],
    )  # fmt: skip


def test_a_normalised_sample_does_not_depend_on_the_others(put):
    both, first = tg.layer_norm(put(X), 6), tg.layer_norm(put(X[:1]), 6)

    check_same(both[:1], first)


def test_layer_norm_of_large_offsets_keeps_its_digits(put):
    x = (1e4 + RNG.normal(size=(3, 64))).astype(np.float32)
    exact = x.astype(float)

    found = tg.layer_norm(put(x), 64)

    expected = (exact - exact.mean(-1, keepdims=True)) / np.sqrt(exact.var(-1, keepdims=True) + 1e-5)  # fmt: skip
    check_close(found, expected, atol=2e-3)


def test_layer_norm_of_equal_elements_is_zero_with_a_finite_gradient():
    x = tg.tensor(np.full((2, 3), 7.0), requires_grad=True)

    y = tg.layer_norm(x, 3)
    y.backward(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))

    check_same(y, np.zeros((2, 3)))
    check_finite(x.grad)


@pytest.mark.parametrize("weights", [(), (WEIGHT, BIAS)])
def test_normalisations_of_float32_stay_float32(weights):
    weights = [w.astype(np.float32) for w in weights]
    x = tg.tensor(X.astype(np.float32), requires_grad=True)

    for y in (tg.layer_norm(x, 6, *weights), tg.rms_norm(x, 6, *weights[:1]), tg.group_norm(x, 2)):
        y.sum().backward(create_graph=True)
        assert y.dtype == x.grad.dtype == np.float32


def test_batch_norm_adds_half_precision_up_in_single(put):
    x = np.float16(100) + np.float16([[-1], [1]] * 1000)  # whose sum leaves float16

    y = tg.batch_norm(put(x), put(np.ones(1, np.float16)), put(np.zeros(1, np.float16)))

    check_close(y, x - 100, rtol=1e-3)


def test_rms_norm_adds_the_resolution_of_the_dtype_where_eps_is_left_out(put):
    for dtype in (np.float32, np.float64):
        small = np.sqrt(np.finfo(dtype).eps)
        check_close(tg.rms_norm(put(dtype([small, small])), 2), [2**-0.5] * 2, rtol=1e-5)


def test_integers_and_lists_are_normalised_as_floats():
    check_close(tg.layer_norm([[1, 3], [5, 5]], 2, eps=1e-12), [[-1, 1], [0, 0]])


@pytest.mark.parametrize(
    "norm",
    [
        lambda x, w: tg.layer_norm(x, 6, w), lambda x, w: tg.rms_norm(x, 6, w),
        lambda x, w: tg.batch_norm(x[0], w, np.zeros(6)), lambda x, w: tg.group_norm(x[0], 2, w),
    ],
)  # fmt: skip
def test_the_weight_of_a_normalisation_counts_as_a_scale_of_paths(norm):
    x = tg.tensor(X, requires_grad=True)
    w = tg.parameter(WEIGHT)

    assert tg.paths(norm(x, w).sum(), x).count_by("scale") == {1: 1}
    assert tg.paths(norm(x, w).sum(), x).count_by("weight") == {0: 1}
    assert tg.paths(norm(x, WEIGHT).sum(), x).count_by("scale") == {0: 1}


def test_layer_norm_is_one_edge_to_each_operand():
    operands = [tg.tensor(a, requires_grad=True) for a in (X, WEIGHT, BIAS)]

    graph = tg.graph(tg.layer_norm(operands[0], 6, *operands[1:]))

    assert [edge.family for edge in graph.edges] == ["general"] * 3


# Attention

QUERY, KEY, VALUE = RNG.normal(size=(3, 2, 5, 4))
MASK = RNG.random((5, 5)) < 0.5
MASK[:, 0] = True


@pytest.mark.parametrize(
    ("options", "their_options"),
    [
        ({}, {}),
        ({"causal": True}, {"is_causal": True}),
        ({"scale": 0.7}, {"scale": 0.7}),
        ({"mask": MASK}, {"attn_mask": MASK}),
        ({"mask": np.where(MASK, 0.3, -np.inf)}, {"attn_mask": np.where(MASK, 0.3, -np.inf)}),
        ({"mask": MASK, "causal": True}, {"attn_mask": np.tril(MASK)}),
    ],
)
def test_attention_is_that_of_pytorch(options, their_options):
    torch = pytest.importorskip("torch")
    attend = torch.nn.functional.scaled_dot_product_attention
    given = {k: torch.tensor(v) if k == "attn_mask" else v for k, v in their_options.items()}

    assert_as_pytorch(
        lambda q, k, v: tg.attention(q, k, v, **options),
        lambda q, k, v: attend(q, k, v, **given),
        QUERY, KEY, VALUE,
    )  # fmt: skip


@pytest.mark.parametrize("mask", [np.zeros((5, 5), bool), np.full((5, 5), -np.inf)])
def test_a_query_without_keys_attends_to_nothing(mask):
    out = tg.attention(QUERY, KEY, VALUE, mask)

    check_same(out, np.zeros((2, 5, 4)))
    for g in gradients(lambda q, k, v: tg.attention(q, k, v, mask) + 1, QUERY, KEY, VALUE):
        check_finite(g)


def test_causal_attention_does_not_look_ahead():
    x = tg.tensor(QUERY[0], requires_grad=True)

    tg.attention(x, x, x, causal=True)[2].sum().backward()

    assert tg.abs(x.grad[:3]).min() > 0
    check_same(x.grad[3:], np.zeros((2, 4)))


def test_attention_does_not_overflow():
    big = 1e3 * QUERY.astype(np.float32)

    out = tg.attention(big, big, VALUE.astype(np.float32))

    assert out.dtype == np.float32
    check_finite(out)


def test_a_path_runs_through_query_key_and_value():
    x = tg.tensor(QUERY[0], requires_grad=True)

    assert tg.paths(tg.attention(x, x, x).sum(), x).count() == 3
