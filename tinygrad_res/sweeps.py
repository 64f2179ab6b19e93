"""The two sweeps over a record, backward and forward.

A gradient is the sum over all paths of the product of what stands on their edges.
``pull`` forms that sum from the output's side: newest node first, each node hands
its cotangent, complete by then, to its operands, and what arrives at one node along
different edges is added.  ``push`` forms it from the inputs' side.  Both walk a
sorted list, so the depth of a computation is limited by memory alone.

The sweeps do not know what they carry.  Arrays give numbers; tensors give recorded
derivatives, and with them derivatives of any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from . import backend
from .errors import GradientError
from .record import Node, recording
from .tensor import Tensor, fitted, raw, tensor

_newest_first = attrgetter("index")


def ancestry(roots: Iterable[Node]) -> list[Node]:
    """Return every node that requires a gradient and that ``roots`` depend on, newest first."""
    order = [root for root in dict.fromkeys(roots) if root.requires_grad]
    found = set(order)
    for node in order:  # which grows while it is walked
        for parent in node.parents:
            if parent not in found and parent is not None and parent.requires_grad:
                found.add(parent)
                order.append(parent)
    order.sort(key=_newest_first, reverse=True)
    return order


def leading_to(order: Sequence[Node], targets: Iterable[Node]) -> set[Node]:
    """Return the nodes of ``order`` (newest first) that depend on ``targets``, and those."""
    live = set(targets)
    for node in reversed(order):
        if node not in live and any(parent in live for parent in node.parents):
            live.add(node)
    return live


def pull(
    cotangents: dict[Node, Any],
    order: Sequence[Node],
    targets: Iterable[Node] | None = None,
    hooked: bool = True,
) -> dict[Node, Any]:
    """Sweep cotangents backward; return what arrives at the targets.

    Args:
        cotangents: the cotangent of each output.
        order: the ancestry of those outputs, newest first.
        targets: the nodes asked for; the leaves of ``order`` where left out.
        hooked: whether nodes' hooks see what passes, and may change it.
    """
    arriving: dict[Any, Any] = dict(cotangents)
    arrived: dict[Any, Any] = {}
    kept = frozenset(() if targets is None else targets)
    live = None if targets is None else leading_to(order, kept)
    for node in order:
        if hooked and node.hooks and node in arriving:
            arriving[node] = _hooked(node, arriving[node])
        parents, wanted = node.parents, node.wanted
        if live is not None:
            wanted = tuple([i for i in wanted if parents[i] in live])
        if not wanted:
            continue
        cotangent = arriving.pop(node)
        if kept and node in kept:
            arrived[node] = cotangent
        found = node.primitive.vjp(node, cotangent, wanted)  # type: ignore[union-attr]
        for i, g in zip(wanted, found):
            parent: Any = parents[i]
            if g.dtype is not parent.dtype and g.dtype != parent.dtype:
                g = g.astype(parent.dtype)
            if parent in arriving:
                g = arriving[parent] + g
            arriving[parent] = g
    return arriving | arrived


def _hooked(node: Node, cotangent: Any) -> Any:
    """Return a node's complete cotangent after its hooks have seen it."""
    for hook in node.hooks:
        before = cotangent if isinstance(cotangent, Tensor) else Tensor(cotangent, None)
        after = hook.call(before)
        if after is not None:
            what = "register_hook: what the hook returned"
            after = fitted(what, after, before._array, node.shape, node.dtype)
            cotangent = after if isinstance(cotangent, Tensor) else after._array
    return cotangent


def push(tangents: dict[Node, Any], order: Sequence[Node]) -> dict[Node, Any]:
    """Sweep tangents forward over ``order`` (newest first); return every node's tangent."""
    moving = dict(tangents)
    for node in reversed(order):
        if node.primitive is None or node in moving:
            continue
        given = [moving.get(parent) for parent in node.parents]  # type: ignore[arg-type]
        if any(tangent is not None for tangent in given):
            tangent = node.primitive.jvp(node, given)
            moving[node] = tangent if tangent.dtype == node.dtype else tangent.astype(node.dtype)
    return moving


def seed(name: str, like: Any, cotangent: Any, shape: tuple[int, ...], dtype: Any) -> Tensor:
    """Return the cotangent of an output of ``shape`` that a backward sweep starts with.

    Args:
        name: the function to name in messages.
        like: an array of the output's kind.
        cotangent: what the caller gave; ``None`` stands for 1 where there is one element.
        shape, dtype: those of the output.
    """
    if cotangent is None:
        if math.prod(shape) != 1:
            raise GradientError(
                f"{name}: the output has shape {shape}; reduce it to one element "
                "(.sum() or .mean()), or pass cotangent=, an array of that shape"
            )
        return Tensor(backend.namespace(like).ones(shape, dtype=dtype), None)
    return fitted(f"{name}: the cotangent", cotangent, like, shape, dtype)


def transpose(
    linear: Callable[[Tensor], list[Any]],
    cotangents: Sequence[Any],
    shape: tuple[int, ...],
    dtype: Any,
) -> Any:
    """Apply the transpose of a linear function of one tensor to ``cotangents``.

    The result is a tensor where a cotangent is one, otherwise an array.
    """
    zeros = backend.namespace(raw(cotangents[0])).zeros(shape, dtype=dtype)
    u = tensor(zeros, requires_grad=True)
    with recording():
        arriving: dict[Node, Any] = {}
        for output, c in zip(linear(u), cotangents, strict=True):
            node = output._node
            if output.requires_grad:  # else it does not depend on u
                arriving[node] = arriving[node] + c if node in arriving else c
        arrived = pull(arriving, ancestry(arriving), [u._node])
    nothing = Tensor(zeros, None) if isinstance(cotangents[0], Tensor) else zeros
    return arrived.get(u._node, nothing)
