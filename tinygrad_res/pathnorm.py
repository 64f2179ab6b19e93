"""The path norm: all paths from the input to the output, by the size of their weights.

    path_norm_q = (sum over all paths p of the product of abs(w)^q along p) ^ (1/q)

It measures a network by its paths alone: it stays the same where a unit's incoming weights
are scaled up and its outgoing ones down, which changes nothing that a relu network computes
(Neyshabur et al. 2015, Norm-Based Capacity Control in Neural Networks).  A path
here is one of single numbers, from an element of the input to one of the output.

The one thing to understand: the sum over paths is a forward pass, of ones, through the same
network with abs(w)^q for every weight w and no activations.  So the record is run once
more, with other numbers.  Products of many weights leave the range of floats in a deep
network, so that each value is carried as an array with the largest element 1 and the binary
logarithm of what it was divided by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import backend
from .affine import HOMOGENEOUS, SCALING, is_any
from .errors import GraphError, UsageError
from .families import Contraction, Pointwise, Reduction, Structural
from .flow import ends, on_the_way
from .graph import Graph
from .graph_parts import GraphEdge
from .primitives import pointwise, reductions
from .record import Node
from .tensor import Tensor

Scaled = tuple[Any, Any]
"""An array with the largest element 1, and the binary logarithm of its scale, on the device."""

ADDING = frozenset(op.apply for op in (reductions.max, reductions.min, reductions.sum))


def path_norm(output: Tensor, x: Tensor, q: float = 2) -> float:
    """Return the L_q path norm of the network between ``x`` and ``output``.

    Weights are the other operands of contractions, and scales such as batch norm's in
    evaluation mode; a mean over n counts as n weights 1/n.  Activations and poolings count
    as 1 on every edge, live or dead, and biases are left out, so that the values of ``x`` do
    not matter.  Its shape does: each sample of a batch has its own paths, so ask with one.

    Args:
        output: what the network computed, without a softmax.
        x: the input.
        q: the exponent, above 0.

    Raises:
        GradientError: ``x`` carries no gradient.
        GraphError: ``output`` does not depend on ``x``; an operation on the way is no weight
            layer, move, sum or activation (all of them are named); or the norm is too
            large for a float.
        UsageError: ``q`` is not a positive number.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 1.0], requires_grad=True)
    >>> W, v = tg.parameter([[3.0, 0.0], [0.0, -4.0]]), tg.parameter([1.0, 2.0])
    >>> path_norm(tg.relu(x @ W) @ v, x, q=1)
    11.0
    """
    if not isinstance(q, (int, float, np.integer, np.floating)) or not 0 < q < math.inf:
        raise UsageError(f"path_norm: q {q!r}: give a positive number, such as 1 or 2")
    whole, source, target = ends("path_norm", output, x)
    outgoing = on_the_way(whole, source, target)
    refused = [whole.nodes[n].op for n in outgoing if not _allowed(whole, n, outgoing[n])]
    if refused:
        raise GraphError(
            f"path_norm: {', '.join(dict.fromkeys(refused))}: not a weight layer, a move, a sum or "
            "an activation: ask about the logits of a network of these, with batch norm in "
            "evaluation mode (module.eval())"
        )
    if not (x.size and output.size):
        return 0.0
    xp = backend.namespace(x._array)
    moving: dict[int, Scaled] = {target: (xp.ones(x.shape), xp.zeros(()))}
    with np.errstate(divide="ignore", invalid="ignore"):  # refused below
        for node, edges in outgoing.items():
            moving[node] = _step(whole.nodes[node].record, edges, moving, q)
    array, scale = moving[source]
    total, log2 = backend.to_host(xp.stack([array.sum(), scale])).tolist()
    if not math.isfinite(total):
        raise GraphError(
            "path_norm: a weight on the way is infinite or no number: restore weights that are finite"
        )
    if not total:
        return 0.0
    size = (math.log2(total) + log2) / q
    if not size < 1024:
        raise GraphError(
            f"path_norm: the norm is 2 to the power {size:g}, too large for a float: ask about "
            "a part of the network, or initialise it with smaller weights"
        )
    return float(2.0**size)


def _allowed(whole: Graph, node: int, edges: Sequence[GraphEdge]) -> bool:
    """Say whether an operation can be crossed along ``edges`` with a weight for each."""
    record, carried = whole.nodes[node].record, {e.position for e in edges}
    primitive = record.primitive
    if isinstance(primitive, Contraction) or is_any(primitive, SCALING):
        others = [whole.nodes[e.target] for e in whole.outgoing[node] if e.position not in carried]
        divisor = is_any(primitive, {pointwise.divide.apply}) and 1 in carried
        weighted = all(other.weight_valued or not other.requires_grad for other in others)
        return len(edges) == 1 and weighted and not divisor
    if isinstance(primitive, Reduction):
        return is_any(primitive, ADDING | {reductions.mean.apply})
    if isinstance(primitive, Pointwise):
        return primitive.grading == "activation" or is_any(primitive, HOMOGENEOUS)
    return isinstance(primitive, Structural)


def _step(
    record: Node, edges: Sequence[GraphEdge], moving: Mapping[int, Scaled], q: float
) -> Scaled:
    """Push what arrives along ``edges`` through an operation."""
    primitive = record.primitive
    assert primitive is not None
    given, scale = _aligned([moving[e.target] for e in edges])
    xp = backend.namespace(given[0])
    if isinstance(primitive, Contraction) or is_any(primitive, SCALING):
        (edge,) = edges
        weight, log2 = _weight(record, edge.position, xp, q)
        scale = scale + log2
        if isinstance(primitive, Contraction):
            pair = [given[0], weight] if edge.position == 0 else [weight, given[0]]
            out = primitive.apply(pair, record.params)
        else:
            out = given[0] * weight
    elif isinstance(primitive, Structural):
        operands: list[Any] = [None] * len(record.parents)
        for edge, array in zip(edges, given, strict=True):
            operands[edge.position] = array
        out = primitive.jvp(record, operands)
    elif isinstance(primitive, Reduction):
        out = given[0].sum(axis=record.params["axis"], keepdims=record.params["keepdims"])
        if is_any(primitive, {reductions.mean.apply}):
            scale = scale - q * math.log2(given[0].size / max(out.size, 1))
    else:
        out = sum(xp.broadcast_to(array, record.shape) for array in given)
    return _scaled(xp, xp.asarray(out), scale)


def _weight(record: Node, position: int, xp: Any, q: float) -> Scaled:
    """Return the other operand of a product as a factor abs(w)^q, scaled."""
    sizes = abs(xp.asarray(record.saved[2 - position]).astype("float64"))
    if is_any(record.primitive, {pointwise.divide.apply}):
        sizes = 1 / sizes
    array, log2 = _scaled(xp, sizes, xp.zeros(()))
    return array**q, q * log2


def _scaled(xp: Any, array: Any, scale: Any) -> Scaled:
    """Divide by the largest element, and count it into the scale."""
    if not array.size:
        return array, scale
    largest = array.max()
    largest = xp.where(largest > 0, largest, 1.0)
    return array / largest, scale + xp.log2(largest)


def _aligned(parts: Sequence[Scaled]) -> tuple[list[Any], Any]:
    """Bring arrays to the largest of their scales."""
    top = parts[0][1]
    xp = backend.namespace(parts[0][0])
    for _, scale in parts[1:]:
        top = xp.maximum(top, scale)
    return [array * xp.exp2(scale - top) for array, scale in parts], top
