"""A stack of cotangents is pulled as its cotangents one by one would be."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from cases import CASES

import tinygrad_res as tg
from tinygrad_res import batches
from tinygrad_res.errors import ShapeError

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def operations(out):
    """Return the recorded operations above ``out`` that a cotangent can be pulled through."""
    return [node.record for node in tg.graph(out).nodes if node.op and node.requires_grad]


def leaves(*shapes, dtype=float, **options):
    return [
        tg.tensor(a.astype(dtype), requires_grad=True) for a in oracles.distinct(*shapes, **options)
    ]


def check(out, put, k=3):
    """Pull a stack through every operation above ``out``, all operands at once and each alone."""
    rng = np.random.default_rng(0)
    for node in operations(out):
        stack = put(rng.standard_normal((k, *node.shape)).astype(node.dtype))
        expected = [node.primitive.vjp(node, stack[row, ...], node.wanted) for row in range(k)]
        found = batches.pull(node, stack, node.wanted)
        alone = [batches.pull(node, stack, [i])[0] for i in node.wanted]
        for i, place in enumerate(node.wanted):
            parent = node.parents[place]
            one_by_one = np.stack([oracles.host(pulled[i]) for pulled in expected])
            for g in (found[i], alone[i]):
                assert (g.shape, g.dtype) == ((k, *parent.shape), parent.dtype)
                assert type(g) is type(stack)
                oracles.check_close(g, one_by_one, what=str(node.primitive), **CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_every_primitive_pulls_a_stack_as_it_pulls_each_cotangent(case, put):
    f, *shapes = CASES[case]
    f, options = f if isinstance(f, tuple) else (f, {})
    check(f(*leaves(*shapes, **options)), put)


HARD = {
    "matrix by batch": (lambda a, b: a @ b, (3, 3), (2, 3, 3)),
    "batch by matrix": (lambda a, b: a @ b, (2, 3, 4), (4, 5)),
    "batch by stretched batch": (lambda a, b: a @ b, (2, 3, 4), (1, 4, 2)),
    "two batches by one": (lambda a, b: a @ b, (3, 2, 3, 4), (2, 4, 3)),
    "vector by batch": (lambda a, b: a @ b, (3,), (3, 3, 2)),
    "batch by vector": (lambda a, b: a @ b, (3, 3, 3), (3,)),
    "product stretched both ways": (lambda a, b: a * b, (3, 1, 2), (3, 1)),
    "quotient of a number and a matrix": (lambda a, b: a / b, (), (3, 3)),
    "gate with a stretched operand": (
        lambda a, b: tg.where(np.eye(3) > 0, a, b),
        (3,),
        (3, 3),
    ),
    "indices on both sides of a slice": (lambda a: a[[0, 1, 1], :, [0, 2, 1]], (3, 3, 3)),
    "an index twice": (lambda a: a[[1, 1]], (3, 3)),
    "a number, a new axis, a step and an ellipsis": (lambda a: a[1, None, ::2, ...], (3, 3, 3)),
    "a mask": (lambda a: a[np.eye(3) > 0], (3, 3)),
    "a single truth": (lambda a: a[True], (3,)),
    "outer product by labels": (lambda a, b: tg.einsum("i,jk->kij", a, b), (3,), (3, 3)),
    "batch by labels": (lambda a, b: tg.einsum("bij,bkj->bik", a, b), (3, 3, 2), (3, 4, 2)),
    "groups and strides": (
        lambda x, w: tg.conv2d(x, w, stride=2, padding=1, groups=2),
        (3, 4, 5, 4),
        (4, 2, 3, 3),
    ),
    "transposed convolution": (
        lambda x, w: tg.conv_transpose2d(x, w, stride=2),
        (2, 3, 3, 2),
        (3, 2, 2, 2),
    ),
    "normalised, with weights": (lambda x, w: tg.layer_norm(x, 3, w), (3, 3, 3), (3,)),
    "softmax over two axes": (lambda x: tg.softmax(x, (0, -1)), (3, 3, 3)),
}


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("case", HARD)
def test_the_axis_of_the_stack_is_taken_for_no_other(case, k, put):
    f, *shapes = HARD[case]
    check(f(*leaves(*shapes)), put, k)


@pytest.mark.parametrize("case", HARD)
def test_single_precision_stays_single(case, put, monkeypatch):
    monkeypatch.setitem(CLOSE, "rtol", 1e-4)
    monkeypatch.setitem(CLOSE, "atol", 1e-5)
    f, *shapes = HARD[case]
    check(f(*leaves(*shapes, dtype=np.float32)), put)


@pytest.mark.parametrize("k", [1, 4])
def test_each_operand_gets_cotangents_of_its_own_precision(k, put):
    (single,), (double,) = leaves((3,), dtype=np.float32), leaves((2, 3))
    (node,) = operations(single * double)
    found = batches.pull(node, put(np.ones((k, 2, 3))), [0, 1])
    assert [g.dtype for g in found] == [np.float32, np.float64]


def test_convolutions_of_many_slices_are_those_of_one(put, monkeypatch):
    x, w = leaves((2, 3, 5, 5), (4, 3, 3, 3))
    out = tg.conv2d(x, w)
    for largest in (1, 2 * 2 * 3 * 5 * 5, 10**9):
        monkeypatch.setattr(batches, "LARGEST", largest)
        check(out, put, k=5)


def test_a_partial_derivative_is_computed_once_for_a_whole_stack(put):
    calls = []

    def slope(xp, out, _x):
        calls.append(1)
        return 1 - out * out

    tanh = tg.custom.activation(np.tanh, slope)
    (x,) = leaves((2, 3))
    (node,) = operations(tanh(x))
    calls.clear()
    batches.pull(node, put(np.ones((7, 2, 3))), [0])
    assert calls == [1]


def test_users_primitives_may_have_the_names_of_ours(put):
    shift = tg.custom.structural(
        lambda xp, x, axes: xp.roll(x, axes[0], 0),
        lambda xp, g, i, shape, axes: xp.roll(g, -axes[0], 0),
        name="permute_dims",
    )
    product = tg.custom.contraction(
        lambda xp, a, b: b @ a,
        lambda xp, g, b, shape: b.T @ g,
        lambda xp, g, a, shape: g @ a.T,
        name="matmul",
    )
    a, b = leaves((3, 3), (3, 3))
    check(shift(product(a, b), axes=(1, 0)), put)


@pytest.mark.cpu
def test_the_tables_name_primitives_that_exist():
    """A primitive that moved or changed its name would be slow without a word."""
    found = set()
    for f, *shapes in CASES.values():
        f, options = f if isinstance(f, tuple) else (f, {})
        out = f(*leaves(*shapes, **options))
        found |= {batches._address(node.primitive) for node in operations(out)}
    assert set(batches._HANDLERS) - found == {"structural.identity", "structural.to_device"}


@pytest.mark.parametrize("shape", [(3, 2), (0, 2, 3), (2, 3)])
def test_stacks_of_other_cotangents_are_refused(shape, put):
    (x,) = leaves((2, 3))
    (node,) = operations(tg.tanh(x))
    with pytest.raises(ShapeError, match=r"at tanh of shape \(2, 3\): give \(K, 2, 3\)"):
        batches.pull(node, put(np.ones(shape)), [0])
