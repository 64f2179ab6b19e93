"""The figures of the design language, each drawn from a small program of its own."""

import numpy as np

import tinygrad_res as tg
import viz


def weight(rng, *shape, name):
    return tg.parameter(rng.standard_normal(shape) * 0.3, name=name)


def vector(rng, width=4, name="x"):
    return tg.tensor(rng.standard_normal((2, width)), requires_grad=True, name=name)


def chain_rule():
    """F(m, n) with m(x) and n(x): two routes."""
    x = tg.tensor(0.5, requires_grad=True, name="x")
    m, n = tg.tanh(x), tg.exp(x)
    return tg.paths(m * n, x)


def residual_chain(blocks, width=4):
    """Blocks of two weight layers with a relu between them, beside an identity."""
    rng = np.random.default_rng(blocks)
    x = h = vector(rng, width)
    for k in range(blocks):
        inner = tg.relu(h @ weight(rng, width, width, name=f"W_{2 * k + 1}"))
        h = h + inner @ weight(rng, width, width, name=f"W_{2 * k + 2}")
    return tg.paths(h.sum(), x)


def plain_chain(layers=4):
    rng = np.random.default_rng(layers)
    x = h = vector(rng)
    for k in range(layers):
        h = tg.tanh(h @ weight(rng, 4, 4, name=f"W_{k + 1}"))
    return tg.paths(h.sum(), x)


def recorded_graph():
    """Any record, with scopes as clusters."""
    rng = np.random.default_rng(0)
    h = vector(rng)
    for k in (1, 2):
        with tg.scope(f"block{k}"):
            inner = tg.relu(h @ weight(rng, 4, 4, name=f"W_{k}"))
            h = h + inner
    return tg.graph((h @ weight(rng, 4, 3, name="V")).mean())


def square():
    """x * x: two parallel edges."""
    x = tg.tensor(3.0, requires_grad=True, name="x")
    return tg.graph(x * x)


def dense_block():
    """Three layers, each of which reads all before it, side by side."""
    rng = np.random.default_rng(3)
    x = vector(rng)
    parts = [x]
    for k in range(3):
        h = tg.concat(parts, axis=1)
        parts.append(tg.relu(h @ weight(rng, h.shape[1], 4, name=f"W_{k + 1}")))
    return tg.paths(tg.concat(parts, axis=1).sum(), x)


def projection():
    """Two blocks, the second with a weight on its shortcut."""
    rng = np.random.default_rng(5)
    x = vector(rng)
    h = x + tg.relu(x @ weight(rng, 4, 4, name="W_1")) @ weight(rng, 4, 4, name="W_2")
    inner = tg.relu(h @ weight(rng, 4, 6, name="W_3")) @ weight(rng, 6, 6, name="W_4")
    h = h @ weight(rng, 4, 6, name="W_s") + inner
    return tg.paths(h.sum(), x)


def pre_activation(blocks=2):
    """Normalisation and relu before each weight layer."""
    rng = np.random.default_rng(blocks)
    x = h = vector(rng)
    ones, zeros = np.ones(4), np.zeros(4)
    for k in range(blocks):
        gamma, beta = tg.parameter(ones, name=f"γ_{k + 1}"), tg.parameter(zeros, name=f"β_{k + 1}")
        inner = tg.relu(tg.batch_norm(h, gamma, beta))
        h = h + inner @ weight(rng, 4, 4, name=f"W_{k + 1}")
    return tg.paths(h.sum(), x)


def attention():
    """One head of self-attention with its residual connection."""
    rng = np.random.default_rng(8)
    x = tg.tensor(rng.standard_normal((3, 4)), requires_grad=True, name="x")
    with tg.scope("attention"):
        q, k, v = (x @ weight(rng, 4, 4, name=f"W_{c}") for c in "QKV")
        scores = tg.softmax(q @ k.T * 0.5, axis=1)
        h = scores @ v @ weight(rng, 4, 4, name="W_O")
    return tg.paths((x + h).sum(), x)


def no_path():
    x, other = (tg.tensor(1.0, requires_grad=True) for _ in range(2))
    return tg.paths(x * x, other)


CHAINS = {
    "residual_block": lambda: residual_chain(1),
    "residual_chain_2": lambda: residual_chain(2),
    "residual_chain_3": lambda: residual_chain(3),
    "residual_chain_4": lambda: residual_chain(4),
    "deep_chain_50": lambda: residual_chain(50),
    "deep_chain_600": lambda: residual_chain(600),
    "plain_chain": plain_chain,
    "projection": projection,
    "pre_activation": pre_activation,
    "attention": attention,
    "chosen": lambda: residual_chain(3).with_degree("weight", 2),
}
"""Chains of blocks."""

GALLERY = {
    "chain_rule": chain_rule,
    **CHAINS,
    "recorded_graph": recorded_graph,
    "square": square,
    "dense_block": dense_block,
}


def figure(name):
    """Return a figure of the gallery."""
    return viz.draw(GALLERY[name]())
