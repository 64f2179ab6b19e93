"""Activations that a file writes in several operations, recognised as the one that they are.

An exporter without an operator GELU writes x (1 + erf(x / sqrt 2)) / 2 in five.  There the gate is
a second way to x, so every GELU would double the paths of a network that has just as many as with
the operator.  ``PATTERNS`` lists what is recognised; a value that anything else uses stays as it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from .onnx_nodes import Node

Pattern = str | float | tuple[Any, ...]
"""``X``, a number, or an operator and the patterns of its operands."""

X = "x"
_COMMUTATIVE = ("Add", "Mul")
_TOLERANCE = 1e-3  # relative, of numbers in half precision too


def _gated(gate: Pattern) -> tuple[Pattern, ...]:
    """Return the ways of writing x (1 + gate) / 2."""
    upper = ("Add", gate, 1.0)
    return (
        ("Mul", ("Mul", X, upper), 0.5),
        ("Mul", ("Mul", X, 0.5), upper),
        ("Mul", X, ("Mul", upper, 0.5)),
    )


_SLOPE = math.sqrt(2 / math.pi)
_CUBES = (("Pow", X, 3.0), ("Mul", X, ("Mul", X, X)))

PATTERNS: tuple[tuple[Pattern, str, dict[str, Any]], ...] = (
    *((way, "Gelu", {"approximate": "none"})
      for inner in (("Div", X, math.sqrt(2)), ("Mul", X, math.sqrt(0.5)))
      for way in _gated(("Erf", inner))),
    *((way, "Gelu", {"approximate": "tanh"})
      for cube in _CUBES
      for way in _gated(("Tanh", ("Mul", ("Add", X, ("Mul", cube, 0.044715)), _SLOPE)))),
    (("Mul", X, ("Sigmoid", X)), "Swish", {"alpha": 1.0}),
    (("Mul", X, ("Tanh", ("Softplus", X))), "Mish", {}),
    (("Div", X, ("Add", ("Abs", X), 1.0)), "Softsign", {}),
    (("Where", ("Greater", X, 20.0), X, ("Softplus", X)), "Softplus", {}),
)  # fmt: skip
"""What is written, the operator that it is, and this one's attributes.

GELU is of Hendrycks & Gimpel 2016, section 2, Swish of Ramachandran et al. 2017 (SiLU), Mish of
Misra 2019.  Softplus differs from x by less than 3e-9 above 20, where PyTorch takes x itself.
"""


def fused(nodes: Sequence[Node], numbers: Mapping[str, float], kept: Collection[str]) -> list[Node]:
    """Return the nodes with each activation as one of them.

    Args:
        nodes: in order.
        numbers: the constants of one element.
        kept: values that are needed outside, such as the outputs.
    """
    makers = {node.outputs[0]: node for node in nodes if len(node.outputs) == 1}
    users = Counter([*kept, *(name for node in nodes for name in node.uses)])
    gone: set[int] = set()
    found: dict[int, Node] = {}
    for node in reversed(nodes):
        if id(node) in gone:
            continue
        for pattern, op, attributes in PATTERNS:
            way = next(_ways(pattern, node.outputs[0], None, makers, numbers), None)
            if way is None:
                continue
            x, parts = way
            inside = Counter(name for part in parts for name in part.inputs)
            alone = all(users[part.outputs[0]] == inside[part.outputs[0]] for part in parts[1:])
            if alone and all(part.guard == node.guard for part in parts):
                gone.update(map(id, parts[1:]))
                found[id(node)] = replace(node, op=op, inputs=(x,), given=attributes, defaults={})
                break
    return [found.get(id(node), node) for node in nodes if id(node) not in gone]


def _ways(
    pattern: Pattern, name: str, x: str | None, makers: Mapping[str, Node],
    numbers: Mapping[str, float],
) -> Iterator[tuple[str, tuple[Node, ...]]]:  # fmt: skip
    """Yield how a value fits a pattern: what x is, and the nodes, outermost first."""
    if pattern == X:
        if name not in numbers and x in (None, name):
            yield name, ()
    elif isinstance(pattern, float):
        if math.isclose(numbers.get(name, math.nan), pattern, rel_tol=_TOLERANCE):
            yield x or "", ()
    else:
        node = makers.get(name)
        if node is None or node.op != pattern[0] or len(node.inputs) != len(pattern) - 1:
            return
        orders = permutations(node.inputs) if node.op in _COMMUTATIVE else (node.inputs,)
        for operands in orders:
            for found, parts in _all(pattern[1:], operands, x, makers, numbers):
                yield found, (node, *parts)


def _all(
    patterns: Sequence[Pattern], names: Sequence[str], x: str | None, makers: Mapping[str, Node],
    numbers: Mapping[str, float],
) -> Iterator[tuple[str, tuple[Node, ...]]]:  # fmt: skip
    """Yield how several values fit a pattern each, with the same x."""
    if not patterns:
        yield x or "", ()
        return
    for found, parts in _ways(patterns[0], names[0], x, makers, numbers):
        for again, others in _all(patterns[1:], names[1:], found or None, makers, numbers):
            yield again, (*parts, *others)
