"""Derivatives as functions: backward, grad, vjp, jvp, jacobian, hessian, hvp.

Each runs a function, then sweeps over what was recorded (``sweeps``): with arrays
where only numbers are asked for, with tensors where the derivative itself must be
recorded, because an outer derivative may ask how it depends on its own argument.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import backend
from .errors import DtypeError, GradientError, ShapeError, UsageError
from .record import Leaf, Node, recording, state
from .sweeps import ancestry, pull, push
from .tensor import Tensor, raw, tensor


def seed(name: str, like: Any, cotangent: Any, shape: tuple[int, ...], dtype: Any) -> Tensor:
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
        return Tensor(xp.ones(shape, dtype=dtype))
    return _vector(f"{name}: the cotangent", cotangent, xp, shape, dtype)


def _vector(what: str, value: Any, xp: Any, shape: tuple[int, ...], dtype: Any) -> Tensor:
    """Return ``value`` as a tensor of this module, shape and dtype, which nobody else can change."""
    vector = value if isinstance(value, Tensor) else Tensor(xp.asarray(tensor(value)._array))
    if vector.shape != shape:
        raise ShapeError(f"{what} has shape {vector.shape}, but must have shape {shape}")
    return vector if vector.dtype == dtype else vector.astype(dtype)


def backward(output: Tensor, cotangent: Any = None, create_graph: bool = False) -> None:
    """Accumulate the gradient of ``output`` into ``.grad`` of its leaves; see ``Tensor.backward``."""
    if not output.requires_grad:
        raise GradientError(_unrecorded(output))
    node = output._node
    assert node is not None
    order = ancestry([node])
    start = seed("backward", output._array, cotangent, output.shape, output.dtype)
    with recording():
        arrived = pull({node: start if create_graph else raw(start)}, order)
        for leaf in order:
            if leaf.primitive is None and leaf in arrived:
                owner = leaf.owner()  # type: ignore[attr-defined]
                if owner is not None:
                    _accumulate(owner, arrived[leaf])


_one_at_a_time = threading.Lock()


def _accumulate(owner: Tensor, g: Any) -> None:
    """Add to ``owner.grad``; arrays inside tensors are never written to, so they may be shared."""
    with _one_at_a_time:  # threads may share a parameter
        before = owner._grad
        if isinstance(g, Tensor):
            total = g if before is None else before + g
            owner._grad = Tensor(total._array, total._node)
        else:
            total = g if before is None else before._array + g
            owner._grad = Tensor(backend.namespace(total).asarray(total))


def _unrecorded(output: Tensor) -> str:
    if output.dtype.kind != "f":
        why = f"dtype {output.dtype} carries no gradient, only floats do"
    elif state.scope is None:
        why = "recording is off (tg.no_grad)"
    else:
        why = "no operand was made with requires_grad=True"
    return f"backward: nothing was recorded for this tensor: {why}"


@dataclass
class _Call:
    """One run of a function to differentiate, with its record.

    ``recorded`` says that the derivative must be recorded in turn, because something
    outside (an outer derivative, a closed-over tensor) may ask how it depends on that
    thing.  ``tensors`` says that results go back as tensors; arrays get arrays, copied,
    since the record may rest on what was computed.
    """

    inputs: list[Tensor]
    output: Tensor
    order: list[Node]
    recorded: bool
    tensors: bool

    def give(self, value: Any) -> Any:
        """Return a result as the caller gave the inputs: tensors for tensors, else arrays."""
        if self.recorded:
            return value
        array = raw(value)
        xp = backend.namespace(array)
        return Tensor(xp.asarray(array)) if self.tensors else xp.array(array)

    def pull(self, cotangent: Any) -> list[Any]:
        """Return the inputs' cotangents for a cotangent of the output."""
        node: Any = self.output._node
        targets: list[Any] = [x._node for x in self.inputs]
        y = self.output
        start = seed("vjp", y._array, cotangent, y.shape, y.dtype)
        arrived = {}
        if self.order:
            with recording():
                arrived = pull({node: start if self.recorded else raw(start)}, self.order, targets)
        return [
            self.give(arrived[t]) if t in arrived else self.give(_zeros(x, self.recorded))
            for t, x in zip(targets, self.inputs, strict=True)
        ]


def _zeros(like: Tensor, as_tensor: bool) -> Any:
    zeros = backend.namespace(like._array).zeros(like.shape, dtype=like.dtype)
    return Tensor(zeros) if as_tensor else zeros


def _call(
    name: str,
    f: Callable[..., Any],
    args: Sequence[Any],
    argnums: Sequence[int],
    kwargs: dict[str, Any],
    given: Sequence[Any] = (),
) -> _Call:
    outside = state.scope is not None
    arguments = list(args)
    with recording():
        inputs = []
        for i in argnums:
            if not -len(args) <= i < len(args):
                raise UsageError(f"{name}: argnums {i}, but there are {len(args)} arguments")
            if arguments[i] is not args[i]:
                raise UsageError(f"{name}: argnums {argnums} name an argument twice")
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
    recorded = outside and (  # nobody can ask for a leaf whose tensor is gone
        any(isinstance(n, Leaf) and n not in fresh and n.owner() is not None for n in order)
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
    if not callable(f):
        raise UsageError(
            f"grad: expected a function, got {type(f).__name__}: for the gradient of a tensor "
            "that is computed already, call tensor.backward()"
        )

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
    if not all(isinstance(given, (tuple, list)) for given in (primals, tangents)):
        raise UsageError("jvp: primals and tangents must be tuples, such as (x,) and (dx,)")
    if len(primals) != len(tangents):
        raise UsageError(f"jvp: {len(primals)} primals, but {len(tangents)} tangents")
    call = _call("jvp", f, primals, range(len(primals)), {}, tangents)
    moving: dict[Node, Any] = {}
    for x, t in zip(call.inputs, tangents, strict=True):
        xp = backend.namespace(x._array)
        direction = _vector("jvp: the tangent of a primal", t, xp, x.shape, x.dtype)
        moving[x._node] = direction if call.recorded else raw(direction)  # type: ignore[index]
    with recording():
        arrived = push(moving, call.order)
    node = call.output._node
    out = call.give(call.output)
    if node not in arrived:
        return out, call.give(_zeros(call.output, call.recorded))
    return out, call.give(arrived[node])


def jacobian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return the function that computes the Jacobian of ``f``.

    The result has the output's shape followed by the argument's shape.  It takes one
    backward sweep per output element.

    >>> import numpy as np, tinygrad_res as tg
    >>> tg.jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    if not isinstance(argnums, int):
        raise UsageError(f"jacobian: argnums must be one int, not {argnums!r}: call it for each")

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
        return (
            module.stack(rows).reshape(full)
            if rows
            else call.give(Tensor(xp.zeros(full, dtype=call.output.dtype)))
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
        *rest, v = args or (None,)
        if not -len(rest) <= argnums < len(rest):
            raise UsageError(
                f"hvp: argnums {argnums}, but there are {len(rest)} arguments before the vector"
            )

        def gradient(x: Any) -> Any:
            given = list(rest)
            given[argnums] = x
            return grad(f, argnums)(*given, **kwargs)

        return jvp(gradient, (rest[argnums],), (v,))[1]

    return evaluate


from . import primitives  # noqa: E402
