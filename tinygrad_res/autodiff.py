"""Derivatives as functions: backward, grad, vjp, jvp, jacobian, hessian, hvp.

Each runs a function, then sweeps over what was recorded (``sweeps``): with arrays
where only numbers are asked for, with tensors where the derivative itself must be
recorded, because an outer derivative may ask how it depends on its own argument.
Arguments and results may be nested tuples, lists and dicts (``trees``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from . import backend, trees
from .calls import Call, expect_function, numbers_of, pick, record_call, shown, zeros_for
from .errors import GradientError, UsageError
from .record import Leaf, recording, scope_now
from .sweeps import ancestry, pull, push, seed
from .tensor import Tensor, fitted, raw


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
                    accumulate(owner, arrived[leaf])


_one_at_a_time = threading.Lock()


def accumulate(owner: Tensor, g: Any) -> None:
    """Add to ``owner.grad``; arrays inside tensors are never written to, so they may be shared."""
    with _one_at_a_time:  # threads may share a parameter
        before = owner._grad
        if isinstance(g, Tensor):
            total = g if before is None else before + g
            owner._grad = Tensor(total._array, total._node)
        else:
            total = g if before is None else before._array + g
            if total.base is not None and total.base.size > total.size:  # a part of something big
                total = total.copy()
            owner._grad = Tensor(backend.namespace(total).asarray(total), None)


def _unrecorded(output: Tensor) -> str:
    if output.dtype.kind != "f":
        why = f"dtype {output.dtype} carries no gradient, only floats do"
    elif scope_now() is None:
        why = "recording is off (tg.no_grad)"
    elif isinstance(output._node, Leaf) and output._node.origin:
        why = f"it comes from {output._node.origin}, through which no gradient flows"
    else:
        why = (
            "no operand was made with requires_grad=True, or the gradient ended on the way, "
            "as at tg.stop_gradient, a comparison, floor or argmax"
        )
    return f"backward: nothing was recorded for this tensor: {why}"


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns ``(f(*args), gradient)``; see ``grad``.

    With ``has_aux`` it returns ``((output, aux), gradient)``.
    """
    expect_function("grad", f)
    numbers = numbers_of("grad", argnums)

    def evaluate(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        call = record_call("grad", f, args, numbers, kwargs, has_aux)
        shapes = [y.shape for y in call.outputs]
        if call.exit is not ... or call.outputs[0].size != 1:
            raise GradientError(
                f"grad: the function returned {_returned(call.exit, shapes)}; it must return one "
                "element. Use tg.jacobian, or tg.vjp with a cotangent"
            )
        gradient = trees.unflatten(call.entry, call.pull([None]))
        return call.beside(call.result()), gradient

    return evaluate


def _returned(structure: Any, shapes: list[tuple[int, ...]]) -> str:
    return f"shape {shapes[0]}" if structure is ... else f"{shown(structure)} of shapes {shapes}"


def grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return the function that computes the gradient of the scalar function ``f``.

    Args:
        f: takes tensors and returns a tensor of one element.
        argnums: by which positional argument, or arguments, to differentiate.  An argument
            may be a tree: nested tuples, lists and dicts.
        has_aux: ``f`` returns ``(output, aux)``, and the result is ``(gradient, aux)``.

    Returns:
        A function of the same arguments.  Its result has the argument's tree, shapes and
        dtypes; a tuple of results for a tuple of argnums.  Arrays give arrays and
        tensors give tensors; results that depend on a recorded tensor are recorded,
        so ``grad(grad(f))`` works.

    Raises:
        GradientError: ``f`` returned more than one element, or no tensor.
        DtypeError: an argument is an integer or a boolean.

    >>> import tinygrad_res as tg
    >>> float(tg.grad(tg.grad(lambda x: x * x * x))(2.0))
    12.0
    >>> tg.grad(lambda p: p["a"] * p["b"])({"a": 2.0, "b": 3.0})
    {'a': array(3.), 'b': array(2.)}
    """
    evaluate = value_and_grad(f, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = evaluate(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return ``f(*primals)`` and the function that pulls a cotangent back through it.

    The second maps a cotangent of the output's tree and shapes to a tuple with one
    cotangent per primal.  With ``has_aux`` ``f`` returns ``(output, aux)``, and ``aux``
    comes third.

    >>> import numpy as np, tinygrad_res as tg
    >>> y, back = tg.vjp(lambda a, b: a * b, np.array([2.0]), np.array([3.0]))
    >>> back(np.array([1.0]))
    (array([3.]), array([2.]))
    """
    expect_function("vjp", f)
    call = record_call("vjp", f, primals, range(len(primals)), {}, has_aux)

    def back(cotangent: Any) -> tuple[Any, ...]:
        given = call.values("the cotangent", cotangent, call.exit)
        asked = any(isinstance(c, Tensor) and c.requires_grad for c in given)
        again = replace(call, recorded=True) if asked and scope_now() is not None else call
        return trees.unflatten(call.entry, again.pull(given))  # type: ignore[no-any-return]

    return call.beside(call.result(), back)  # type: ignore[no-any-return]


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """Return ``f(*primals)`` and its derivative along ``tangents``, in forward mode.

    Args:
        f: takes tensors and returns tensors.
        primals: where to differentiate, a sequence of arguments.
        tangents: the direction, built as the primals are.
        has_aux: ``f`` returns ``(output, aux)``, and ``aux`` comes third.

    >>> import tinygrad_res as tg
    >>> y, dy = tg.jvp(tg.exp, (0.0,), (2.0,))
    >>> float(dy)
    2.0
    """
    expect_function("jvp", f)
    if not all(isinstance(given, (tuple, list)) for given in (primals, tangents)):
        raise UsageError("jvp: primals and tangents must be tuples, such as (x,) and (dx,)")
    if len(primals) != len(tangents):
        raise UsageError(f"jvp: {len(primals)} primals, but {len(tangents)} tangents")
    call = record_call("jvp", f, primals, range(len(primals)), {}, has_aux, tangents)
    moving: dict[Any, Any] = {}
    for x, t in zip(call.inputs, call.values("the tangents", tuple(tangents), call.entry)):
        direction = fitted("jvp: the tangent of a primal", t, x._array, x.shape, x.dtype)
        moving[x._node] = direction if call.recorded else raw(direction)
    with recording():
        arrived: dict[Any, Any] = push(moving, call.order)
    pushed = trees.unflatten(
        call.exit,
        [
            call.give(arrived[y._node] if y._node in arrived else zeros_for(y, call.recorded))
            for y in call.outputs
        ],
    )
    return call.beside(call.result(), pushed)  # type: ignore[no-any-return]


def jacobian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return the function that computes the Jacobian of ``f``.

    The result has the output's shape followed by the argument's shape.  Where these are
    trees, it is the output's tree of the argument's trees.  It takes one backward sweep per
    output element.  With ``has_aux`` it returns ``(jacobian, aux)``.

    >>> import numpy as np, tinygrad_res as tg
    >>> tg.jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    expect_function("jacobian", f)
    numbers = numbers_of("jacobian", argnums)

    def evaluate(*args: Any, **kwargs: Any) -> Any:
        call = record_call("jacobian", f, args, numbers, kwargs, has_aux)
        blocks = [
            trees.unflatten(call.entry, _block(call, number)) for number in range(len(call.outputs))
        ]
        return call.beside(trees.unflatten(call.exit, blocks))

    return evaluate


def _block(call: Call, number: int) -> list[Any]:
    """Return the derivative of one output by each input, a sweep per output element."""
    y = call.outputs[number]
    xp = backend.namespace(y._array)
    cotangents = [zeros_for(other, False) for other in call.outputs]
    rows: list[list[Any]] = []
    for j in range(y.size):
        basis = xp.zeros(y.size, dtype=y.dtype)
        basis[j] = 1
        cotangents[number] = basis.reshape(y.shape)
        rows.append(call.pull(cotangents))
    module = primitives if call.tensors else xp
    return [
        module.stack(column).reshape(y.shape + x.shape)
        if column
        else call.give(Tensor(xp.zeros(y.shape + x.shape, dtype=x.dtype), None))
        for x, column in zip(call.inputs, zip(*rows) if rows else [()] * len(call.inputs))
    ]


def hessian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return the function that computes the Hessian of the scalar function ``f``.

    A tree of arguments gives a tree of trees.  With ``has_aux`` it returns
    ``(hessian, aux)``.

    >>> import numpy as np, tinygrad_res as tg
    >>> tg.hessian(lambda x: (x * x * x).sum())(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacobian(grad(f, argnums, has_aux), argnums, has_aux)


def hvp(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return ``(*args, v) -> H v``, the Hessian of the scalar ``f`` times a vector.

    Forward mode over reverse mode: about twice the time of a gradient, whatever the
    size of the Hessian.  The vector is built as the argument is; for a tuple of argnums it
    is a tuple.

    >>> import numpy as np, tinygrad_res as tg
    >>> tg.hvp(lambda x: (x * x * x).sum())(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    expect_function("hvp", f)
    numbers = numbers_of("hvp", argnums)

    def evaluate(*args: Any, **kwargs: Any) -> Any:
        *rest, v = args or (None,)
        chosen = pick("hvp", rest, numbers, " before the vector")

        def gradient(moved: Any) -> Any:
            given = list(rest)
            for i, x in [(numbers, moved)] if isinstance(numbers, int) else zip(numbers, moved):
                given[i] = x
            return grad(f, numbers)(*given, **kwargs)

        return jvp(gradient, (chosen,), (v,))[1]

    return evaluate


from . import primitives  # noqa: E402
