"""The chain rule on a graph: two routes between four numbers, then a fully connected network.

Both are what an article on backpropagation begins with: different routes add, successive
steps multiply, and at a weight layer each branch of the junction carries the other input.  Here
the sums are not typed but read from the record of the computation.
"""

from __future__ import annotations

import os
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import Tensor, formula, parameter, paths, primitives, tensor
from .demonstration import Demonstration, demonstrate, in_steps

if TYPE_CHECKING:
    from viz import Figure

STEPS = ("chain", "junction", "relu")

CHAIN_RULE = "∂F/∂m · ∂m/∂x + ∂F/∂n · ∂n/∂x"
"""The chain rule of the source."""


class ChainRule(Demonstration):
    """What ``chain_rule`` shows."""

    called = "chain_rule"
    title = "The multivariate chain rule on a graph: F(m, n) = m n, m = x^2 + 1, n = sin x"
    source = (
        "dF/dx = dF/dm dm/dx + dF/dn dn/dx; Bauer 1974: a derivative is the sum over the graph's\n"
        "paths of the product of what stands on their edges"
    )

    def plot(self) -> Figure:
        """Return the two routes, with the number on each edge, and the sum below."""
        import viz

        return viz.draw(formula(*_two_routes(self.seeds[0]), simplify=STEPS[:2]), labels="both")


def chain_rule(
    runs: int | None = None, quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> ChainRule:  # fmt: skip
    """Write down dF/dx for F(m, n), m(x) and n(x) from the record, and compare with the calculus.

    Args:
        runs, quick, seed, executor, folder: as for ``demonstrate``; each seed has an x of its own.

    Raises:
        UsageError: a number is out of its bounds.

    >>> shown = chain_rule(runs=1)
    >>> print(shown.sums[0].text)
    ∂F/∂m · ∂m/∂x + ∂F/∂n · ∂n/∂x
    >>> shown.claims[0].words, shown.claims[0].found, shown.holds
    ('routes from F back to x', (2,), True)
    """
    return demonstrate(ChainRule, _routes, {}, runs, quick, seed, executor, folder)


def _two_routes(seed: int) -> tuple[Tensor, Tensor]:
    """Return F and x."""
    x = tensor(np.random.default_rng(seed).standard_normal(), requires_grad=True, name="x")
    m, n = x**2 + 1, primitives.sin(x)
    m.name, n.name = "m", "n"
    F = m * n
    F.name = "F"
    return F, x


def _routes(seed: int) -> dict[str, Any]:
    F, x = _two_routes(seed)
    routes = paths(F, x)
    F.backward()
    at = float(x.data)
    by_hand = 2 * at * np.sin(at) + (at * at + 1) * np.cos(at)
    sums = in_steps(formula(F, x, simplify=STEPS[:2]))
    products = [float(route.product()) for route in routes]
    assert x.grad is not None
    return {
        "claims": [
            ("routes from F back to x", 2, routes.count()),
            ("dF/dx, written from the graph", CHAIN_RULE, sums[0]["text"]),
            ("dF/dx, by the table of derivatives and by backward", float(by_hand), x.grad.item()),
            ("sum of the routes' products", float(by_hand), sum(products)),
            *((f"the sum after step {one['step']}", float(by_hand), one["value"]) for one in sums),
        ],
        "sums": sums,
    }  # fmt: skip


class FullyConnected(Demonstration):
    """What ``fully_connected`` shows."""

    called = "fully_connected"
    title = (
        "A fully connected ReLU network, weight by weight: one path to the last layer, then a sum"
    )
    source = (
        "with 4 units a layer dL/dw_{n-1}^{11} is one path, dL/dw_{n-2}^{11} a sum of four,\n"
        "through y_n^1 .. y_n^4; at a product x = w y one branch carries dx/dw = y, one dx/dy = w"
    )

    def plot(self) -> Figure:
        """Return all paths to a weight of the layer before the last, number by number."""
        import viz

        L, (w, _), _ = _layers(**self.setting, seed=self.seeds[0])
        found = paths(L, w, level="scalar", at=(0, 0))
        return viz.draw(
            found,
            labels="both",
            headline=f"{found.count()} paths to a weight of the layer before the last",
        )


def fully_connected(
    units: int = 4, runs: int | None = None, quick: bool = False, seed: int = 0,
    executor: Executor | None = None, folder: str | os.PathLike[str] | None = None,
) -> FullyConnected:  # fmt: skip
    """Count and write down the paths to a weight of the last two layers of a live ReLU network.

    y_{n-1} = relu(y_{n-2} w_{n-2}), y_n = relu(y_{n-1} w_{n-1}), and L = ln sum exp y_n, whose
    derivative the formulas leave as dL/dy.  Inputs and weights are positive, so that every
    unit is live; ``dead_units`` is about the others.

    Args:
        units: in each layer.
        runs, quick, seed, executor, folder: as for ``demonstrate``.

    Raises:
        UsageError: a number is out of its bounds.

    >>> shown = fully_connected(runs=1)
    >>> {one.of: one.latex for one in shown.sums if one.step == "relu"}["dL/dw_{n-1}[1,1]"]
    '\\\\frac{\\\\partial L}{\\\\partial y_{n}^{1}} y_{n-1}^{1}'
    >>> [one.terms for one in shown.sums if one.step == "chain"], shown.holds
    ([1, 4], True)
    """
    setting = {"units": units}
    return demonstrate(FullyConnected, _weights, setting, runs, quick, seed, executor, folder)


def _layers(units: int, seed: int) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return the loss; the weights; and y_{n-2}, x_{n-1}, y_{n-1}, x_n, y_n."""
    rng = np.random.default_rng(seed)
    y = tensor(abs(rng.standard_normal(units)), requires_grad=True, name="y_{n-2}")
    weights: list[Tensor] = []
    values = [y]
    for before, after in (("n-2", "n-1"), ("n-1", "n")):
        w = abs(rng.standard_normal((units, units)))
        weights.append(parameter(w / units, name=f"w_{{{before}}}"))
        x = y @ weights[-1]
        y = primitives.relu(x)
        x.name, y.name = f"x_{{{after}}}", f"y_{{{after}}}"
        values += [x, y]
    L = primitives.logsumexp(y)
    L.name = "L"
    return L, weights, values


def _weights(units: int, seed: int) -> dict[str, Any]:
    L, (w, w_last), (y, _, y_mid, x_last, y_last) = _layers(units, seed)
    near, far = (paths(L, one, level="scalar", at=(0, 0)) for one in (w_last, w))
    through = sum(bool(far.through(y_last, at=(i,)).count()) for i in range(units))
    near_sum, far_sum = (
        in_steps(formula(L, one, at=(0, 0), simplify=STEPS, most=max(2, units)))
        for one in (w_last, w)
    )
    (at_w,) = paths(x_last[0], w_last, level="scalar", at=(0, 0))
    (at_y,) = paths(x_last[0], y_mid, level="scalar", at=(0,))
    L.backward()
    assert w.grad is not None and w_last.grad is not None
    slopes = np.exp(y_last.data) / np.exp(y_last.data).sum()  # dL/dy_n, by hand
    one_term = slopes[0] * y_mid.data[0]
    all_terms = float((slopes * w_last.data[0]).sum() * y.data[0])
    at_unit = [
        formula(x_last[0], leaf, at=at, simplify="junction").steps[-1].text
        for leaf, at in ((w_last, (0, 0)), (y_mid, 0))
    ]
    return {
        "claims": [
            ("paths from L to w_{n-1}[1,1]", 1, near.count()),
            ("paths from L to w_{n-2}[1,1]", units, far.count()),
            ("units of y_n that these cross", units, through),
            ("junction: the number on the branch to w_{n-1}[1,1]", y_mid.data[0], at_w.product()),
            ("junction: the number on the branch to y_{n-1}[1]", w_last.data[0, 0], at_y.product()),
            ("∂x_n[1]/∂w_{n-1}[1,1] is written as", "y_{n-1}[1]", at_unit[0]),
            ("∂x_n[1]/∂y_{n-1}[1] is written as", "w_{n-1}[1,1]", at_unit[1]),
            ("(dL/dy_n[1]) y_{n-1}[1], as written below", one_term, near_sum[-1]["value"]),
            ("the same by backward", one_term, w_last.grad[0, 0].item()),
            ("sum_i (dL/dy_n[i]) w_{n-1}[1,i] y_{n-2}[1], as written below", all_terms,
             far_sum[-1]["value"]),
            ("the same by backward", all_terms, w.grad[0, 0].item()),
            *((f"the same after step {one['step']}", all_terms, one["value"])
              for one in far_sum[:-1]),
        ],
        "sums": near_sum + far_sum,
    }  # fmt: skip
