"""Shortcuts: a sum around a branch, and a concatenation, each a path without weights.

h + F(h) sends the gradient two ways: through F, where it meets weights, and around it, where it
meets none.  Over n such modules that is the product (1 + J_n) ... (1 + J_1): 2^n paths, of which
one is 1 throughout.  Concatenation has such a path as well; there it is not 1 but a slice,
since the old numbers stand beside the new ones and are not added to them.  The parts by
degree are worked out here a second time, by multiplying that polynomial out with NumPy.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import Tensor, formula, forward_paths, graph, parameter, paths, primitives, scope, tensor
from ..grading import norm, shares
from .demonstration import Demonstration, apart, demonstrate, in_steps, polynomial

if TYPE_CHECKING:
    from viz import Figure

Parts = dict[int, np.ndarray]
"""A row of numbers for each number of branches crossed."""


class ResidualModule(Demonstration):
    """What ``residual_module`` shows."""

    called = "residual_module"
    title = (
        "Residual modules h + F(h): of all paths one, along the shortcuts, crosses no weight layer"
    )
    source = (
        "He et al. 2016, equation 5: dL/dx_l = dL/dx_L (1 + d/dx_l sum F), of which the 1 is\n"
        "carried whatever the weights are; Veit et al. 2016: n modules have 2^n paths"
    )

    def plot(self) -> Figure:
        """Return the modules of the first seed: their shortcuts in red, and all paths in rows."""
        import viz

        L, hs, _ = _modules(**self.setting, seed=self.seeds[0])
        return viz.draw(paths(L, hs[0]))


def residual_module(
    modules: int = 3, width: int = 4, runs: int | None = None, quick: bool = False, seed: int = 0,
    executor: Executor | None = None, folder: str | os.PathLike[str] | None = None,
) -> ResidualModule:  # fmt: skip
    """Count and weigh the paths of residual modules h + W'' relu(W' h), backward and forward.

    Args:
        modules, width: of the network.
        runs, quick, seed, executor, folder: as for ``demonstrate``.

    Raises:
        UsageError: a number is out of its bounds.

    >>> shown = residual_module(runs=1)
    >>> shown.claims[2].found, shown.holds
    (('1 + 3z^2 + 3z^4 + z^6',), True)
    >>> print(shown.sums[-1].text)
    ∂L/∂h_3 · (I + ∂F_3/∂h_2) · (I + ∂F_2/∂h_1) · (I + ∂F_1/∂x)
    """
    setting = {"modules": modules, "width": width}
    return demonstrate(ResidualModule, _module, setting, runs, quick, seed, executor, folder)


def _modules(
    modules: int, width: int, seed: int
) -> tuple[Tensor, list[Tensor], list[tuple[np.ndarray, np.ndarray]]]:
    """Return the loss, x and what each module gives, and each module's two weights."""
    rng = np.random.default_rng(seed)
    h = tensor(rng.standard_normal((1, width)), requires_grad=True, name="x")
    hs, weights = [h], []
    for k in range(1, modules + 1):
        first, second = (
            rng.standard_normal((2, width, width)) / np.sqrt([[[1]], [[2]]]) / width**0.5
        )
        weights.append((first, second))
        with scope(f"branch{k}", branch=True):
            inner = primitives.relu(h @ parameter(first, name=f"V_{k}"))
            F = inner @ parameter(second, name=f"W_{k}")
        h = h + F
        F.name, h.name = f"F_{k}", f"h_{k}"
        hs.append(h)
    L = primitives.logsumexp(h)
    L.name = "L"
    return L, hs, weights


def _module(modules: int, width: int, seed: int) -> dict[str, Any]:
    L, hs, weights = _modules(modules, width, seed)
    x, last = hs[0], hs[-1]
    found = paths(L, x)
    parts = found.gradient_by("block")
    whole = sum(parts.values())
    L.backward()
    assert x.grad is not None
    arrives = np.exp(last.data) / np.exp(last.data).sum()  # dL/dh_n, by hand
    alive = [(h.data @ first > 0) for h, (first, _) in zip(hs, weights, strict=False)]
    backward = _multiplied(
        arrives,
        [((w.T, mask), v.T) for mask, (v, w) in zip(alive[::-1], weights[::-1], strict=True)],
    )
    forward = _multiplied(
        x.data, [((v, mask), w) for mask, (v, w) in zip(alive, weights, strict=True)]
    )
    read = forward_paths(last, x, cotangent=np.ones_like(last.data))
    by_block = read.by("block")
    sums = in_steps(formula(L, x, level="tensor", simplify=("chain", "junction", "collect")))
    return {
        "claims": [
            ("backward: paths from L back to x", 2**modules, found.count()),
            ("of these weight-free", 1, found.weight_free().count()),
            ("by weight layers crossed, z each", binomial(modules, 2),
             polynomial(found.count_by("weight"))),
            ("g_0, of the weight-free path: elements that are not dL/dh_n's", 0,
             int((parts[0] != paths(L, last).gradient()).sum())),
            *((f"g_{k}, of {_crossing(modules, k)}: norm", norm(part), norm(parts[k]))
              for k, part in backward.items()),
            ("all g_k, largest difference from NumPy's", 0.0, _apart(parts, backward)),
            ("sum of all g_k: norm, and that of backward's gradient", norm(x.grad.data), norm(whole)),
            ("sum of all g_k less backward's gradient, largest difference", 0.0, apart(whole, x.grad)),
            ("share of g_0 in the gradient, <g_0, g> / ||g||^2", None, shares(parts)[0]),
            ("forward, elements summed: f_0, past all branches, is x", float(x.data.sum()), by_block[0]),
            *((f"forward, elements summed: f_{k}, of {_crossing(modules, k)}", part.sum(), by_block[k])
              for k, part in forward.items() if k),
            ("forward, elements summed: sum of all f_k is h_n", float(last.data.sum()),
             math.fsum(by_block.values())),
        ],
        "sums": [one for one in sums if one["step"] != "junction"],
    }  # fmt: skip


def _multiplied(
    start: np.ndarray, branches: Sequence[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]
) -> Parts:
    """Return start (1 + J_1 z) (1 + J_2 z) ... by powers of z; J = (matrix, mask), matrix."""
    parts: Parts = {0: start}
    for (first, mask), second in branches:
        through = {k + 1: ((part @ first) * mask) @ second for k, part in parts.items()}
        parts = {
            k: parts.get(k, 0 * start) + through.get(k, 0 * start) for k in range(len(parts) + 1)
        }
    return parts


def _apart(found: Mapping[int, Any], expected: Mapping[int, Any]) -> float:
    return max(apart(found.get(k, 0.0), part) for k, part in expected.items())


def _crossing(modules: int, k: int) -> str:
    """Say how many paths cross k branches, each of two weight layers."""
    count = math.comb(modules, k)
    return f"{count} path{'s' * (count != 1)} across {2 * k} weight layers"


def binomial(n: int, layers: int) -> str:
    """Write (1 + z^layers)^n."""
    return polynomial({layers * k: math.comb(n, k) for k in range(n + 1)})


class AdditionsAndConcatenations(Demonstration):
    """What ``additions_and_concatenations`` shows."""

    called = "additions_and_concatenations"
    title = (
        "Two kinds of shortcut, addition (residual) and concatenation (DenseNet): the same paths"
    )
    source = (
        "He et al. 2015, equation 1: h + F(h); Huang et al. 2017, equation 2:\n"
        "F([x, h_1, h_2, ...]), and section 1: L(L + 1)/2 connections in place of L"
    )

    def plot(self) -> Figure:
        """Return both networks of the first seed, on the same input, with their shortcuts red."""
        import viz

        both = _both(**self.setting, seed=self.seeds[0])
        L = both.added.sum() + both.joined.sum()
        L.name = "L"
        free, every = (
            [found.count() for found in pair] for pair in zip(*(
                (one.weight_free(), one) for one in (paths(out, both.x) for out in both[1:])
            ), strict=True)
        )  # fmt: skip
        return viz.draw(
            paths(L, both.x),
            headline=f"Addition: {free[0]} weight-free path of {every[0]}; concatenation: {free[1]} of {every[1]}",
        )  # fmt: skip


def additions_and_concatenations(
    layers: int = 3, width: int = 4, runs: int | None = None, quick: bool = False, seed: int = 0,
    executor: Executor | None = None, folder: str | os.PathLike[str] | None = None,
) -> AdditionsAndConcatenations:  # fmt: skip
    """Count and weigh the paths through layers that are added, and that are set side by side.

    Args:
        layers, width: of each network.
        runs, quick, seed, executor, folder: as for ``demonstrate``.

    Raises:
        UsageError: a number is out of its bounds.

    >>> shown = additions_and_concatenations(runs=1)
    >>> [one.found[0] for one in shown.claims if "by weight" in one.words]
    ['1 + 3z + 3z^2 + z^3', '1 + 3z + 3z^2 + z^3']
    """
    setting = {"layers": layers, "width": width}
    return demonstrate(
        AdditionsAndConcatenations, _kinds, setting, runs, quick, seed, executor, folder
    )


class Both(NamedTuple):
    """x, and what layers that add and layers that concatenate make of it."""

    x: Tensor
    added: Tensor
    joined: Tensor


def _both(layers: int, width: int, seed: int) -> Both:
    rng = np.random.default_rng(seed)
    x = h = tensor(rng.standard_normal((1, width)), requires_grad=True, name="x")

    def layer(h: Tensor, name: str) -> Tensor:
        w = rng.standard_normal((h.shape[1], width)) / h.shape[1] ** 0.5
        return primitives.tanh(h) @ parameter(w, name=name)

    with scope("addition"):
        for k in range(1, layers + 1):
            h = h + layer(h, f"V_{k}")
    row = [x]
    with scope("concatenation"):
        for k in range(1, layers + 1):
            row.append(layer(primitives.concat(row, axis=1) if k > 1 else x, f"W_{k}"))
        joined = primitives.concat(row, axis=1)
    return Both(x, h, joined)


def _kinds(layers: int, width: int, seed: int) -> dict[str, Any]:
    x, *outputs = _both(layers, width, seed)
    rng = np.random.default_rng(seed + 1)
    claims: list[tuple[str, Any, Any]] = []
    known = {
        "addition": (layers, width, 0, layers * width**2),
        "concatenation": (
            layers * (layers + 1) // 2, width * (layers + 1), width,
            width**2 * layers * (layers + 1) // 2,
        ),
    }  # fmt: skip
    for output, (kind, (connections, wide, kept, weights)) in zip(
        outputs, known.items(), strict=True
    ):
        cotangent = rng.standard_normal(output.shape)
        found = paths(output, x, cotangent=cotangent)
        parts = found.gradient_by("weight")
        x.grad = None
        output.backward(cotangent)
        assert x.grad is not None
        nodes = found.graph.nodes
        size = sum(math.prod(node.shape) for node in nodes if node.kind == "parameter")
        claims += [
            (f"{kind}: paths from its output back to x", 2**layers, found.count()),
            (f"{kind}: of these weight-free", 1, found.weight_free().count()),
            (f"{kind}: by weight layers crossed, z each", binomial(layers, 1),
             polynomial(found.count_by("weight"))),
            (f"{kind}: connections from layer to layer", connections, _connections(output)),
            (f"{kind}: numbers in the output", wide, output.shape[1]),
            (f"{kind}: of these numbers x's own, unchanged", kept,
             int((output.data[:, :width] == x.data).sum())),
            (f"{kind}: weights", weights, size),
            (f"{kind}: g_0, of the weight-free path: elements unlike what arrives there", 0,
             int((parts[0] != cotangent[:, :width]).sum())),
            (f"{kind}: sum of all g_k less backward's, largest difference", 0.0,
             apart(sum(parts.values()), x.grad)),
        ]  # fmt: skip
    return {"claims": claims, "sums": []}


def _connections(output: Tensor) -> int:
    """Count the paths that lead from what a layer reads to x or another layer's output."""
    recorded = graph(output)
    nodes = recorded.nodes
    reads = {e.source for e in recorded.edges if nodes[e.source].op == "tanh"}
    count = 0
    for node in reads:
        (below,) = (e.target for e in recorded.edges if e.source == node)
        parts = [e for e in recorded.edges if e.source == below and nodes[below].op == "concat"]
        count += len(parts) or 1
    return count
