"""A network as a table: its layers, the shape that leaves each, and the parameters that each holds.

It is what a reader asks first of a network.  Shapes are seen in one run, which records nothing and
leaves the network as it was.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import trees
from ..errors import UsageError
from ..record import no_grad
from ..tensor import Parameter, shape_of
from .module import Module


class Row(NamedTuple):
    """A module in a summary.

    Attributes:
        name: its dotted name; ``""`` is the network itself.
        kind: its class.
        shapes: those that left it when it was called first; none where it was not called.
        parameters: the numbers that it holds itself, those of its parts and those that an earlier
            row holds left out.
    """

    name: str
    kind: str
    shapes: tuple[tuple[int, ...], ...]
    parameters: int


@dataclass(frozen=True, repr=False)
class Summary:
    """The rows of a network, outer modules before inner ones.

    Attributes:
        rows: one for each module, once.
        trainable: how many of all parameters are trained.
    """

    rows: tuple[Row, ...]
    trainable: int

    def __str__(self) -> str:
        lines = [("layer", "output", "parameters"), *map(_cells, self.rows)]
        total = sum(row.parameters for row in self.rows)
        lines.append(("all", "", f"{total:,}"))
        first, second, third = (max(map(len, column)) for column in zip(*lines, strict=True))
        written = [f"{a:{first}}  {b:{second}}  {c:>{third}}".rstrip() for a, b, c in lines]
        frozen = total - self.trainable
        return "\n".join(written) + (f"\n{frozen:,} of them frozen" if frozen else "")

    __repr__ = __str__


def _cells(row: Row) -> tuple[str, str, str]:
    """Return what stands in a line of the table, parts below what holds them."""
    words = f"{'  ' * len(row.name.split('.'))}{row.name.rpartition('.')[2]} " if row.name else ""
    return (
        words + row.kind,
        " ".join(map(str, row.shapes)) or "-",
        f"{row.parameters:,}" * bool(row.parameters),
    )


def summary(network: Module, *inputs: Any) -> Summary:
    """Return a table of a network's layers, what leaves each for some inputs, and its parameters.

    It runs the network once, in evaluation, so that neither running averages nor what dropout draws
    change.

    Args:
        network: a module.
        inputs: what it is called with; one sample is enough.

    Raises:
        UsageError: the network needs an input, and there is none.
        Error: whatever the network raises for these inputs.

    >>> import numpy as np
    >>> import tinygrad_res as tg
    >>> net = tg.nn.Sequential(tg.nn.Flatten(), tg.nn.Residual(tg.nn.Linear(4, 4)), tg.nn.Linear(4, 2))
    >>> print(summary(net, np.ones((1, 2, 2))))
    layer              output  parameters
    Sequential         (1, 2)
      0 Flatten        (1, 4)
      1 Residual       (1, 4)
        branch Linear  (1, 4)          20
      2 Linear         (1, 2)          10
    all                                30
    """
    if not inputs:
        _refuse_without_input(network)
    shapes: dict[int, tuple[tuple[int, ...], ...]] = {}

    def see(module: Module, _: Any, output: Any) -> None:
        leaves = trees.flatten(output)[0]
        shapes.setdefault(id(module), tuple(map(shape_of, leaves)))

    named = list(network.named_modules())
    modes = [module.training for _, module in named]
    hooks = [module.register_forward_hook(see) for _, module in named]
    try:
        with no_grad():
            network.eval()(*inputs)
    finally:
        for hook, (_, module), mode in zip(hooks, named, modes, strict=True):
            hook.remove()
            module.training = mode
    seen: set[int] = set()
    rows = []
    for name, module in named:
        held = {id(p): p for p in vars(module).values() if isinstance(p, Parameter)}
        count = sum(p.size for key, p in held.items() if key not in seen)
        seen |= held.keys()
        rows.append(Row(name, type(module).__name__, shapes.get(id(module), ()), count))
    return Summary(tuple(rows), network.size())


def _refuse_without_input(network: Module) -> None:
    try:
        inspect.signature(network.forward).bind()
    except TypeError as error:
        raise UsageError(
            f"summary: {type(network).__name__} {error}: pass what it is called with, one sample is "
            "enough: summary(network, np.zeros((1, 3, 32, 32), np.float32))"
        ) from error
