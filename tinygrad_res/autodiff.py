"""Derivatives by one sweep over the record, backward or forward.

A gradient is the sum over all paths of the product of what stands on their edges.
``pull`` forms that sum from the output's side: newest node first, each node hands
its cotangent, complete by then, to its operands, and what arrives at one node along
different edges is added.  ``push`` forms it from the inputs' side.  Both walk a
sorted list, so the depth of a computation is limited by memory alone.

The sweeps do not know what they carry.  Arrays give numbers; tensors give recorded
derivatives, and with them derivatives of any order.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from . import backend
from .errors import DtypeError, GradientError, ShapeError, UsageError
from .record import Leaf, Node, recording, state
from .tensor import Tensor, raw, tensor

_newest_first = attrgetter("index")


def ancestry(roots: Iterable[Node]) -> list[Node]:
    """Return every node that requires a gradient and that ``roots`` depend on, newest first."""
    found = {root for root in roots if root.requires_grad}
    stack = list(found)
    while stack:
        node = stack.pop()
        parents = node.parents
        for i in node.wanted:
            parent = parents[i]
            if parent not in found:
                found.add(parent)  # type: ignore[arg-type]
                stack.append(parent)  # type: ignore[arg-type]
    return sorted(found, key=_newest_first, reverse=True)


def leading_to(order: Sequence[Node], targets: Iterable[Node]) -> set[Node]:
    """Return the nodes of ``order`` (newest first) that depend on ``targets``, and those."""
    live = set(targets)
    for node in reversed(order):
        if node not in live and any(parent in live for parent in node.parents):
            live.add(node)
    return live


def pull(
    cotangents: dict[Node, Any], order: Sequence[Node], targets: Iterable[Node] | None = None
) -> dict[Node, Any]:
    """Sweep cotangents backward; return what arrives at the targets.

    Args:
        cotangents: the cotangent of each output.
        order: the nodes to visit, newest first.
        targets: the nodes asked for; the leaves of ``order`` where left out.
    """
    arriving: dict[Any, Any] = dict(cotangents)
    arrived: dict[Any, Any] = {}
    kept = frozenset(() if targets is None else targets)
    live = None if targets is None else leading_to(order, kept)
    take = arriving.pop
    for node in order:
        parents, wanted = node.parents, node.wanted
        if live is not None:
            wanted = tuple([i for i in wanted if parents[i] in live])
        if not wanted:
            continue
        cotangent = take(node, None)
        if cotangent is None:
            continue
        if node in kept:
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


def seed(name: str, like: Any, cotangent: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return the cotangent of an output of ``shape`` that a backward sweep starts with.

    Args:
        name: the function to name in messages.
        like: an array of the output's kind.
        cotangent: what the caller gave; ``None`` stands for 1 where there is one element.
        shape, dtype: those of the output.
    """
    xp = backend.namespace(like)
    if cotangent is None:
        if math.prod(shape) != 1:
            raise GradientError(
                f"{name}: the output has shape {shape}; reduce it to one element "
                "(.sum() or .mean()), or pass cotangent=, an array of that shape"
            )
        return xp.ones(shape, dtype=dtype)
    start = cotangent if isinstance(cotangent, Tensor) else xp.asarray(cotangent)
    if start.shape != shape:
        raise ShapeError(
            f"{name}: the cotangent has shape {start.shape}, the output {shape}: "
            "they must be equal"
        )
    return start if start.dtype == dtype else start.astype(dtype)


def backward(output: Tensor, cotangent: Any = None, create_graph: bool = False) -> None:
    """Accumulate the gradient of ``output`` into ``.grad`` of its leaves; see ``Tensor.backward``."""
    if not output.requires_grad:
        raise GradientError(_unrecorded(output))
    node = output._node
    assert node is not None
    order = ancestry([node])
    start = seed("backward", output._array, cotangent, output.shape, output.dtype)
    if create_graph and not isinstance(start, Tensor):
        start = Tensor(start)
    with recording():
        arrived = pull({node: start if create_graph else raw(start)}, order)
        for leaf in order:
            if leaf.primitive is None and leaf in arrived:
                owner = leaf.owner()  # type: ignore[attr-defined]
                if owner is not None:
                    _accumulate(owner, arrived[leaf])


def _accumulate(owner: Tensor, g: Any) -> None:
    """Add to ``owner.grad``; arrays inside tensors are never written to, so they may be shared."""
    before = owner._grad
    if isinstance(g, Tensor):
        owner._grad = g if before is None else before + g
    else:
        total = g if before is None else before._array + g
        owner._grad = Tensor(backend.namespace(total).asarray(total))


def _unrecorded(output: Tensor) -> str:
    why = (
        "recording is off (tg.no_grad)"
        if state.scope is None
        else "no operand was made with requires_grad=True"
    )
    return f"backward: nothing was recorded for this tensor: {why}"


@dataclass
class _Call:
    """One run of a function to differentiate, with its record.

    ``recorded`` says that the derivative must be recorded in turn, because something
    outside (an outer derivative, a closed-over tensor) may ask how it depends on that
    thing.  ``tensors`` says that results go back as tensors; arrays get arrays.
    """

    inputs: list[Tensor]
    output: Tensor
    order: list[Node]
    recorded: bool
    tensors: bool

    def give(self, value: Any) -> Any:
        if self.recorded:
            return value
        return Tensor(raw(value)) if self.tensors else raw(value)

    def pull(self, cotangent: Any) -> list[Any]:
        node = self.output._node
        targets = [x._node for x in self.inputs]
        arrived = {}
        if self.order:
            y = self.output
            start = raw(seed("vjp", y._array, cotangent, y.shape, y.dtype))
            if self.recorded:
                start = cotangent if isinstance(cotangent, Tensor) else Tensor(start)
            with recording():
                arrived = pull({node: start}, self.order, targets)
        return [
            self.give(arrived[t]) if t in arrived else self.give(_zeros(x, self.recorded))
            for t, x in zip(targets, self.inputs, strict=True)
        ]


def _zeros(like: Tensor, as_tensor: bool) -> Any:
    zeros = backend.namespace(like._array).zeros(like.shape, dtype=like.dtype)
    return Tensor(zeros) if as_tensor else zeros


def _call(name: str, f: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int],
          kwargs: dict[str, Any], given: Sequence[Any] = ()) -> _Call:
    outside = state.scope is not None
    arguments = list(args)
    with recording():
        inputs = []
        for i in argnums:
            if not -len(args) <= i < len(args):
                raise UsageError(f"{name}: argnums {i}, but there are {len(args)} arguments")
            arguments[i] = _entry(name, args[i], outside)
            inputs.append(arguments[i])
        output = f(*arguments, **kwargs)
    if not isinstance(output, Tensor):
        raise GradientError(
            f"{name}: the function returned {type(output).__name__}, not a tensor: "
            "return what tinygrad_res functions computed from the arguments"
        )
    order = ancestry([output._node]) if output.requires_grad else []  # type: ignore[list-item]
    fresh = {x._node for x in inputs}
    recorded = outside and (
        any(n.primitive is None and n not in fresh for n in order)
        or any(isinstance(g, Tensor) and g.requires_grad for g in given)
    )
    tensors = recorded or any(isinstance(args[i], Tensor) for i in argnums)
    return _Call(inputs, output, order, recorded, tensors)


def _entry(name: str, value: Any, outside: bool) -> Tensor:
    """Return ``value`` as an input to differentiate by.

    A tensor with a record keeps it behind a fresh node, so that this derivative ends
    here while outer derivatives see through.
    """
    if isinstance(value, Tensor) and value.requires_grad and outside:
        return primitives.identity(value)
    try:
        return tensor(value, requires_grad=True)
    except DtypeError as error:
        raise DtypeError(
            f"{name}: an argument of dtype {raw(value).dtype if hasattr(value, 'dtype') else type(value).__name__} "
            "carries no gradient: pass floats"
        ) from error


def _numbers(argnums: int | Sequence[int]) -> tuple[int, ...]:
    return (argnums,) if isinstance(argnums, int) else tuple(argnums)


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that returns ``(f(*args), gradient)``; see ``grad``."""

    def evaluate(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        call = _call("grad", f, args, _numbers(argnums), kwargs)
        if call.output.size != 1:
            raise GradientError(
                f"grad: the function returned shape {call.output.shape}; it must return one "
                "element. Use tg.jacobian, or tg.vjp with a cotangent"
            )
        gradients = call.pull(None)
        value = call.give(call.output)
        return value, gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return evaluate


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return the function that computes the gradient of the scalar function ``f``.

    Args:
        f: takes tensors and returns a tensor of one element.
        argnums: by which positional argument, or arguments, to differentiate.

    Returns:
        A function of the same arguments.  Its result has the argument's shape and
        dtype, a tuple of results for a tuple of argnums.  Arrays give arrays and
        tensors give tensors; results that depend on a recorded tensor are recorded,
        so ``grad(grad(f))`` works.

    Raises:
        GradientError: ``f`` returned more than one element, or no tensor.
        DtypeError: an argument is an integer or a boolean.

    >>> import tinygrad_res as tg
    >>> float(tg.grad(tg.grad(lambda x: x * x * x))(2.0))
    12.0
    """
    evaluate = value_and_grad(f, argnums)
    return lambda *args, **kwargs: evaluate(*args, **kwargs)[1]


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
    """Return ``f(*primals)`` and the function that pulls a cotangent back through it.

    The second maps a cotangent of the output's shape to a tuple with one cotangent
    per primal.

    >>> import numpy as np, tinygrad_res as tg
    >>> y, back = tg.vjp(lambda a, b: a * b, np.array([2.0]), np.array([3.0]))
    >>> back(np.array([1.0]))
    (array([3.]), array([2.]))
    """
    call = _call("vjp", f, primals, range(len(primals)), {})

    def back(cotangent: Any) -> tuple[Any, ...]:
        if isinstance(cotangent, Tensor) and cotangent.requires_grad and state.scope is not None:
            return tuple(dataclasses.replace(call, recorded=True).pull(cotangent))
        return tuple(call.pull(cotangent))

    return call.give(call.output), back


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return ``f(*primals)`` and its derivative along ``tangents``, in forward mode.

    Args:
        f: takes tensors and returns a tensor.
        primals: where to differentiate, a sequence of arguments.
        tangents: the direction, one array of each primal's shape.

    >>> import tinygrad_res as tg
    >>> y, dy = tg.jvp(tg.exp, (0.0,), (2.0,))
    >>> float(dy)
    2.0
    """
    if len(primals) != len(tangents):
        raise UsageError(f"jvp: {len(primals)} primals, but {len(tangents)} tangents")
    call = _call("jvp", f, primals, range(len(primals)), {}, tangents)
    moving: dict[Node, Any] = {}
    for x, t in zip(call.inputs, tangents, strict=True):
        xp = backend.namespace(x._array)
        direction = t if isinstance(t, Tensor) else xp.asarray(t, dtype=x.dtype)
        if direction.shape != x.shape:
            raise ShapeError(f"jvp: a tangent has shape {direction.shape}, its primal {x.shape}")
        wrapped = direction if isinstance(direction, Tensor) else Tensor(direction)
        moving[x._node] = wrapped if call.recorded else raw(direction)  # type: ignore[index]
    with recording():
        arrived = push(moving, call.order)
    node = call.output._node
    out = call.give(call.output)
    if node not in arrived:
        return out, call.give(_zeros(call.output, call.recorded))
    return out, call.give(arrived[node])


def transpose(
    linear: Callable[[Tensor], list[Any]], cotangents: Sequence[Any], shape: tuple[int, ...],
    dtype: Any,
) -> Any:
    """Apply the transpose of a linear function of one tensor to ``cotangents``.

    The result is a tensor where a cotangent is one, otherwise an array.
    """
    recorded = any(isinstance(c, Tensor) for c in cotangents)
    zeros = backend.namespace(raw(cotangents[0])).zeros(shape, dtype=dtype)
    u = tensor(zeros, requires_grad=True)
    with recording():
        outputs = linear(u)
        nodes = [o._node for o in outputs]
        arrived: dict[Node, Any] = {}
        for node, c in zip(nodes, cotangents, strict=True):
            arrived[node] = arrived[node] + c if node in arrived else c
        return pull(arrived, ancestry(nodes), [u._node])[u._node]  # type: ignore[list-item, index]


def jacobian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return the function that computes the Jacobian of ``f``.

    The result has the output's shape followed by the argument's shape.  It takes one
    backward sweep per output element.

    >>> import numpy as np, tinygrad_res as tg
    >>> tg.jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    def evaluate(*args: Any, **kwargs: Any) -> Any:
        call = _call("jacobian", f, args, (argnums,), kwargs)
        shape, size = call.output.shape, call.output.size
        xp = backend.namespace(call.output._array)
        rows = []
        for j in range(size):
            basis = xp.zeros(size, dtype=call.output.dtype)
            basis[j] = 1
            rows.append(call.pull(basis.reshape(shape))[0])
        module = primitives if call.tensors else xp
        full = shape + call.inputs[0].shape
        return module.stack(rows).reshape(full) if rows else call.give(
            Tensor(xp.zeros(full, dtype=call.output.dtype))
        )

    return evaluate


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return the function that computes the Hessian of the scalar function ``f``.

    >>> import numpy as np, tinygrad_res as tg
    >>> tg.hessian(lambda x: (x * x * x).sum())(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return ``(*args, v) -> H v``, the Hessian of the scalar ``f`` times a vector.

    Forward mode over reverse mode: about twice the time of a gradient, whatever the
    size of the Hessian.

    >>> import numpy as np, tinygrad_res as tg
    >>> tg.hvp(lambda x: (x * x * x).sum())(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """

    def evaluate(*args: Any, **kwargs: Any) -> Any:
        *rest, v = args

        def gradient(x: Any) -> Any:
            return grad(f, argnums)(*rest[:argnums], x, *rest[argnums + 1 :], **kwargs)

        return jvp(gradient, (rest[argnums],), (v,))[1]

    return evaluate


from . import primitives  # noqa: E402
