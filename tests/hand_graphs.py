"""Graphs drawn by hand in networkx, and a recorded one with names that formats stumble over."""

import networkx as nx
import numpy as np

import tinygrad_res as tg

NASTY = [
    "a\"b'c",
    "ü λ 数 𝄞",
    "two\nlines\r\nand\ttab",
    "</script><!-- & -->",
    "W_{\\alpha}",
    " \u2028 ",
]


def picture(*edges, **nodes):
    """Return a networkx graph of (from, to, derivative) or (from, to, derivative, grades)."""
    drawn = nx.MultiDiGraph()
    drawn.add_nodes_from(nodes.items())
    for source, target, derivative, *grades in edges:
        drawn.add_edge(source, target, derivative=derivative, **dict(*grades))
    return drawn


def random_picture(seed, size=8):
    """Return a picture with parallel edges, whose nodes were added in a mixed order."""
    rng = np.random.default_rng(seed)
    drawn = nx.MultiDiGraph()
    drawn.add_nodes_from(f"n{i}" for i in rng.permutation(size))
    for i in range(1, size):
        for j in [i - 1, *rng.integers(0, i, 2)]:
            drawn.add_edge(
                f"n{i}", f"n{j}", derivative=rng.standard_normal(),
                weight=int(rng.integers(3)), block=int(rng.integers(2)),
            )  # fmt: skip
    return drawn, f"n{size - 1}", "n0"


def listed(drawn, source, target):
    """Return the attributes along every path, by networkx."""
    for path in nx.all_simple_edge_paths(drawn, source, target):
        yield [drawn.edges[edge] for edge in path]


def recorded(seed=0):
    """Return the input and the output of a program with every kind of edge, nastily named."""
    rng = np.random.default_rng(seed)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name=NASTY[0])
    w = tg.parameter(rng.standard_normal((3, 3)), name=NASTY[1])
    gate = tg.parameter(np.array(0.5), name=NASTY[2])
    with tg.scope(NASTY[3]), tg.scope("branch", branch=True):
        h = tg.relu(x @ w) * gate
    return x, x * x + h + x
