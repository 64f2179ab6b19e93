"""Paths read forward, and those that are dead.

A ReLU network's output is a sum over paths: the input, or a bias, where the path starts, times
every weight on the way.  A live unit passes its number on as if it were not there; a dead one
puts a 0 into every product that leads through it, so its paths drop out of the sum.  Both are
counted here without the graph: a layer of which ``l`` units live multiplies the number of paths
by its width, and that of active paths by ``l``.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from .. import Parameter, Tensor, formula, forward_paths, parameter, paths, primitives, tensor
from ..notation import symbol
from ..scalar_paths import ScalarPaths
from .demonstration import Demonstration, apart, demonstrate, in_steps

if TYPE_CHECKING:
    from viz import Figure


class Net(NamedTuple):
    """A recorded ReLU network of one output.

    Attributes:
        y: the output.
        x: the input (inputs,).
        weights, biases: of each layer.
        before, after: what goes into each relu, and what comes out.
    """

    y: Tensor
    x: Tensor
    weights: list[Parameter]
    biases: list[Parameter]
    before: list[Tensor]
    after: list[Tensor]

    @property
    def live(self) -> list[np.ndarray]:
        """For each hidden layer, which units are live: by NumPy, from what goes into them."""
        return [z.data > 0 for z in self.before]


def relu_net(inputs: int, width: int, depth: int, seed: int) -> Net:
    """Record a network of ``depth`` hidden layers on a normal input.

    Weights are He's, and biases normal; a layer is drawn again until some of its units are live
    and, where it has several, some are dead.
    """
    rng = np.random.default_rng(seed)
    x = h = tensor(rng.standard_normal(inputs), requires_grad=True, name="x")
    weights, biases, before, after = [], [], [], []
    for n in range(1, depth + 2):
        w, b = _drawn(rng, h.data, (width,) if n <= depth else ())
        w.name, b.name = f"w_{n}", f"b_{n}"
        h = h @ w + b
        weights.append(w)
        biases.append(b)
        if n <= depth:
            h.name = f"z_{n}"
            before.append(h)
            h = primitives.relu(h)
            h.name = f"h_{n}"
            after.append(h)
    h.name = "y"
    return Net(h, x, weights, biases, before, after)


def _drawn(
    rng: np.random.Generator, h: np.ndarray, shape: tuple[int, ...]
) -> tuple[Parameter, Parameter]:
    """Return the weights and biases of hidden units of this shape, or of the output, on ``h``."""
    while True:
        w = rng.standard_normal((len(h), *shape)) * (2 / len(h)) ** 0.5
        b = rng.standard_normal(shape) / 2
        live = int((h @ w + b > 0).sum())
        if not shape or 0 < live < max(*shape, 2):
            return parameter(w), parameter(b)


class ForwardSums(Demonstration):
    """What ``forward_sums`` shows."""

    called = "forward_sums"
    title = "The forward pass as a sum over paths: a layer, and a deep ReLU network"
    source = (
        "y_{n-1}^1 = sum_j w_{n-2}^{j1} y_{n-2}^j; Choromanska et al. 2015, section 3:\n"
        "a ReLU network's output is the sum over its active paths of input times weights"
    )

    def plot(self) -> Figure:
        """Return the network of the first seed, with the paths that its output is made of."""
        import viz

        net = relu_net(**self.setting, seed=self.seeds[0])
        return viz.draw(forward_paths(net.y, net.x))


def forward_sums(
    inputs: int = 3, width: int = 4, depth: int = 2, runs: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> ForwardSums:  # fmt: skip
    """Sum a layer and a deep ReLU network over their paths, read forward.

    Args:
        inputs, width, depth: of the network: ``depth`` hidden layers of ``width`` units.
        runs, quick, seed, executor, folder: as for ``demonstrate``.

    Raises:
        UsageError: a number is out of its bounds.

    >>> shown = forward_sums(runs=1)
    >>> print(shown.sums[0].latex)
    w_{n-2}^{11} y_{n-2}^{1} + w_{n-2}^{21} y_{n-2}^{2} + w_{n-2}^{31} y_{n-2}^{3} + w_{n-2}^{41} y_{n-2}^{4}
    >>> shown.holds
    True
    """
    setting = {"inputs": inputs, "width": width, "depth": depth}
    return demonstrate(ForwardSums, _forward, setting, runs, quick, seed, executor, folder)


def _forward(inputs: int, width: int, depth: int, seed: int) -> dict[str, Any]:
    net = relu_net(inputs, width, depth, seed)
    forward = forward_paths(net.y, net.x)
    starts = [net.x, *net.biases]
    every = [_between_numbers(net.y, leaf) for leaf in starts]
    values = [
        float(leaf.data[path.nodes[-1].element]) * path.product()
        for leaf, among in zip(starts, every, strict=True)
        for path in among.active()
    ]
    widths = [inputs] + depth * [width] + [1]
    alive = [int(mask.sum()) for mask in net.live] + [1]
    by_numpy, from_x = _by_numpy(net), every[0].active().count()
    bias_paths = sum(math.prod(alive[k:]) for k in range(depth + 1))
    layer, sum_of_layer = _one_layer(width, seed)
    return {
        "claims": [
            *layer,
            ("paths from x to y", math.prod(widths), every[0].count()),
            ("active paths from x to y", inputs * math.prod(alive), from_x),
            ("active paths from biases to y", bias_paths,
             sum(among.active().count() for among in every[1:])),
            ("y, as computed layer by layer", by_numpy, net.y.item()),
            ("y, as the sum over active paths", by_numpy, math.fsum(values)),
            ("of this from x, as tg.forward_paths says", math.fsum(values[:from_x]),
             forward.terms["x"]),
            ("y, as the sum of all its terms", by_numpy, math.fsum(forward.terms.values())),
        ],
        "sums": [sum_of_layer, _written(net)],
    }  # fmt: skip


def _one_layer(units: int, seed: int) -> tuple[list[tuple[str, Any, Any]], dict[str, Any]]:
    """Return what holds of a single layer of weights, and its first unit as a sum."""
    rng = np.random.default_rng(seed)
    before = tensor(rng.standard_normal(units), requires_grad=True, name="y_{n-2}")
    w = parameter(rng.standard_normal((units, units)), name="w_{n-2}")
    after = (before @ w)[0]
    ways = paths(after, before, level="scalar")
    value = math.fsum(float(before.data[p.nodes[-1].element]) * p.product() for p in ways)
    factors = [formula(after, before, at=(j,), simplify="junction") for j in range(units)]
    claims = [
        ("paths from y_{n-2} to y_{n-1}[1]", units, ways.count()),
        ("y_{n-1}[1] = sum_j w_{n-2}[j,1] y_{n-2}[j]", float(before.data @ w.data[:, 0]), value),
    ]
    ends = range(1, units + 1)
    written = {
        "of": "y_{n-1}[1]", "step": "forward", "value": value, "terms": units,
        "text": " + ".join(f"{f.terms[0]} · y_{{n-2}}[{j}]" for f, j in zip(factors, ends, strict=True)),
        "latex": " + ".join(f"{f.latex()} y_{{n-2}}^{{{j}}}" for f, j in zip(factors, ends, strict=True)),
    }  # fmt: skip
    return claims, written


def _between_numbers(y: Tensor, leaf: Tensor) -> ScalarPaths:
    return cast(ScalarPaths, paths(y, leaf, level="scalar"))


def _by_numpy(net: Net) -> float:
    h = net.x.data
    for w, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        h = np.maximum(h @ w.data + b.data, 0)
    return float(h @ net.weights[-1].data + net.biases[-1].data)


def _written(net: Net) -> dict[str, Any]:
    """Return the output as the sum over its active paths, from the same graph."""
    text, latex = [], []
    for leaf in (net.x, *net.biases):
        for at in np.ndindex(leaf.shape):
            place = "".join(str(i + 1) for i in at)
            name = f"{leaf.name}[{place}]" if at else leaf.name
            sign = symbol(str(leaf.name)) + (f"^{{{place}}}" if at else "")
            for term in formula(net.y, leaf, at=at, simplify="relu").terms:
                text.append(f"{term} · {name}".removeprefix("1 · "))
                latex.append(f"{term.latex} {sign}".removeprefix("1 "))
    return {
        "of": "y", "step": "active paths", "value": net.y.item(), "terms": len(text),
        "text": " + ".join(text), "latex": " + ".join(latex),
    }  # fmt: skip


class DeadUnits(Demonstration):
    """What ``dead_units`` shows."""

    called = "dead_units"
    title = "Dead units of a ReLU network: their paths, and no others, drop out of the sum"
    source = "a live relu's edge is 1, a dead one's 0 (Nair & Hinton 2010; Glorot et al. 2011)"

    def plot(self) -> Figure:
        """Return the network of the first seed, with the dead paths faint."""
        import viz

        net = relu_net(**self.setting, seed=self.seeds[0])
        return viz.draw(paths(net.y, net.x, level="scalar"))


def dead_units(
    inputs: int = 3, width: int = 4, depth: int = 2, runs: int | None = None,
    quick: bool = False, seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> DeadUnits:  # fmt: skip
    """Count the paths of a ReLU network, the active ones, and those through a dead unit.

    Args:
        inputs, width, depth: of the network: ``depth`` hidden layers of ``width`` units.
        runs, quick, seed, executor, folder: as for ``demonstrate``.

    Raises:
        UsageError: a number is out of its bounds.

    >>> paths, active, dropped = (one.found[0] for one in dead_units(runs=1).claims[:3])
    >>> paths, active, dropped
    (48, 6, 42)
    """
    setting = {"inputs": inputs, "width": width, "depth": depth}
    return demonstrate(DeadUnits, _dead, setting, runs, quick, seed, executor, folder)


def _dead(inputs: int, width: int, depth: int, seed: int) -> dict[str, Any]:
    net = relu_net(inputs, width, depth, seed)
    every = _between_numbers(net.y, net.x)
    active = every.active()
    alive = [int(mask.sum()) for mask in net.live]
    dead = inputs * sum(not all(units) for units in itertools.product(*net.live))
    edges = list(_relu_edges(net))
    first = int(np.argmax(net.live[0]))  # a live unit of the first layer, if there is one
    reached = net.live[0][first] * math.prod(alive[1:])
    net.y.backward()
    weight = net.weights[0]
    found = formula(
        net.y, weight, at=(0, first), simplify=("chain", "junction", "relu"),
        most=max(2, width ** (depth - 1)),
    )  # fmt: skip
    assert net.x.grad is not None
    return {
        "claims": [
            ("paths from y back to x", inputs * width**depth, every.count()),
            ("active: every edge carries a number that is not 0", inputs * math.prod(alive),
             active.count()),
            ("that drop out; expected: those through a dead unit", dead,
             every.count() - active.count()),
            ("live units, whose edge carries 1", sum(alive), edges.count(1.0)),
            ("dead units, whose edge carries 0", depth * width - sum(alive), edges.count(0.0)),
            ("terms of the sum below that its relu step drops", width ** (depth - 1) - int(reached),
             found.steps[-1].dropped),
            ("dy/dx summed over active paths only, less backward's", 0.0, apart(active.gradient(), net.x.grad)),
        ],
        "sums": in_steps(found),
    }  # fmt: skip


def _relu_edges(net: Net) -> Iterator[float]:
    """Yield what stands on the edge of each hidden unit."""
    layers: Sequence[tuple[Tensor, Tensor]] = list(zip(net.after, net.before, strict=True))
    for after, before in layers:
        ones = np.ones(after.shape)
        for path in paths(after, before, level="scalar", cotangent=ones):
            yield float(path.product())
