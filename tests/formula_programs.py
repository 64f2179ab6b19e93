"""Programs that tests of formulas write down, and what a person calls their derivatives."""

import numpy as np
import pytest

import tinygrad_res as tg


def named(name, tensor):
    tensor.name = name
    return tensor


def partial(y, x):
    return rf"\frac{{\partial {y}}}{{\partial {x}}}"


def by_place(y, x, k=1):
    """Return the derivative by one of the places where an operation takes an operand."""
    return rf"\left.{partial(y, x)}\right|_{{{k}}}"


def parses(latex):
    """Have matplotlib set a formula; it raises where it cannot."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    mathtext.MathTextParser("path").parse(f"${latex}$")
    return True


def fully_connected(seed=0, relu=False):
    """Return the tensors of a net with four units a layer, named as in a book."""
    rng = np.random.default_rng(seed)
    y2 = tg.tensor(rng.uniform(0.5, 1, 4), requires_grad=True, name="y_{n-2}")
    w2 = tg.parameter(rng.uniform(-1, 1, (4, 4)), name="w_{n-2}")
    w1 = tg.parameter(rng.uniform(-1, 1, (4, 4)), name="w_{n-1}")
    y1 = named("y_{n-1}", y2 @ w2)
    y = y1 @ w1
    y = named("y_n", tg.relu(named("x_n", y)) if relu else y)
    loss = named("L", ((y - 1.0) ** 2).sum())
    return y2, w2, y1, w1, y, loss


def random_program(seed, size=7):
    """Return input and loss of a random program, with parallel edges, fan-out and dead units."""
    rng = np.random.default_rng(seed)
    x = tg.tensor(rng.uniform(-1, 1, (2, 2)), requires_grad=True, name="x")
    c = tg.tensor(rng.uniform(1, 2, (2, 2)), name="c")
    values = [x]
    for k in range(size):
        a, b = (values[i] for i in rng.integers(0, len(values), 2))
        w = tg.parameter(rng.uniform(-1, 1, (2, 2)), name=f"w_{k}")
        makers = (
            lambda a=a, b=b: a + b, lambda a=a, b=b: a * b, lambda a=a, w=w: a @ w,
            lambda a=a: tg.tanh(a), lambda a=a: tg.relu(a.T), lambda a=a, b=b: a @ b,
            lambda a=a, b=b: tg.concat([a, b], 0)[1:3], lambda a=a: 3 - a / c,
            lambda a=a: a * a.mean() * 0.5, lambda a=a, b=b: tg.where(c.numpy() > 1.5, a, -b),
        )  # fmt: skip
        values.append(makers[rng.integers(len(makers))]())
        if rng.random() < 0.4:
            values[-1].name = f"h_{k}"
    return x, (values[-1] * values[-2]).mean()


def net(outputs=2, batch=1, named_hidden=False):
    """Return x, W, V and the loss of a layer of tanh units without a name, and the units."""
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((batch, 3)), requires_grad=True, name="x")
    w = tg.parameter(rng.standard_normal((3, 3)), name="W")
    v = tg.parameter(rng.standard_normal((3, outputs)), name="V")
    h = tg.tanh(x @ w)
    if named_hidden:
        h.name = "h"
    return x, w, v, h, (h @ v).sum()
