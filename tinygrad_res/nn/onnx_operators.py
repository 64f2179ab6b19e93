"""The table of ONNX's operators: for each, what of the engine's runs in its place.

A row's function takes the node's operands in order and its attributes by their names.  What later
opsets made an operand of (the axes of a reduction, the bounds of a clip) is one argument, so a row
serves all opsets from 7 on; where the meaning itself changed, the function takes ``opset``.  An attribute
that the function does not name must have its default, or the model is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .. import primitives as ops
from ..custom import activation
from ..errors import ShapeError, UsageError
from ..primitives.general import batch_norm_and_statistics
from ..tensor import shape_of
from . import onnx_shapes as shapes
from . import onnx_windows as windows
from .onnx_shapes import in_order, whole

IGNORED = frozenset(
    ("stash_type", "seed", "kernel_shape", "storage_order", "saturate", "round_mode",
     "softmax_precision", "consumed_inputs", "extrapolation_value")
)  # fmt: skip
"""Attributes that change no number here, whatever their value."""

CONSTANT = frozenset(
    ("ArgMax", "ArgMin", "Ceil", "ConstantOfShape", "Equal", "Floor", "Greater", "GreaterOrEqual", "IsInf", "IsNaN",
     "Less", "LessOrEqual", "NonZero", "OneHot", "Range", "Round", "Shape", "Sign", "Size")
)  # fmt: skip
"""Operators whose results carry no gradient."""


def ends_gradient(op: str, given: Mapping[str, Any]) -> bool:
    """Say whether no gradient goes through a node, by its operator and attributes.

    >>> ends_gradient("Cast", {"to": 7}), ends_gradient("Cast", {"to": 11})
    (True, False)
    """
    to = shapes.DTYPES.get(given["to"], "") if op == "Cast" else "float32"
    return op in CONSTANT or not to.startswith("float")


class Operator:
    """A row: a function, and what its arguments are.

    Args:
        run: takes operands and attributes.
        host: arguments that say how to compute, read on the host: constants of the network.
        buffers: arguments that are state, but not trained.
        fillers: arguments that are constants where the exporter made them up.
        weights: arguments that are weights even where the file states them as constants.
        results: how many of the operator's outputs it returns.
        only: the values that are supported of an attribute.
    """

    def __init__(
        self, run: Callable[..., Any], host: str = "", buffers: str = "", weights: str = "",
        fillers: str = "", results: int = 1, only: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.run, self.results, self.only = run, results, only or {}
        parameters = inspect.signature(run).parameters.values()
        self.names = tuple(p.name for p in parameters)
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.most = 2**31 if variadic else sum(p.kind is not p.KEYWORD_ONLY for p in parameters)
        roles = {"host": host, "buffer": buffers, "weight": weights, "filler": fillers}
        self._roles = {name: role for role, names in roles.items() for name in names.split()}

    def role(self, k: int) -> str:
        """Return what operand ``k`` is: ``"host"``, ``"buffer"``, ``"weight"``, ``"filler"`` or
        ``"operand"``.
        """
        return self._roles.get(self.names[min(k, len(self.names) - 1)], "operand")


# Arithmetic

prelu = activation(
    lambda xp, x, slope: xp.where(x > 0, x, slope * x),
    lambda xp, _out, x, slope: xp.where(x > 0, 1.0, slope),
    lambda xp, _out, x, _slope: xp.minimum(x, 0),
    name="prelu", doc="x where positive, slope * x elsewhere",
)  # fmt: skip


def _divide(a: Any, b: Any) -> Any:
    """Return a / b; of integers without the fraction."""
    if a.dtype.kind not in "iu":
        return ops.divide(a, b)
    size = ops.floor_divide(ops.abs(a), ops.abs(b))
    return ops.astype(ops.multiply(size, ops.multiply(ops.sign(a), ops.sign(b))), a.dtype)


def _power(x: Any, y: Any) -> Any:
    """Return x ** y in the dtype of x."""
    if getattr(y, "dtype", x.dtype) != x.dtype and x.dtype.kind == "f":
        y = ops.astype(y, x.dtype)
    out = ops.power(x, y)
    return out if out.dtype == x.dtype else ops.astype(out, x.dtype)


def _mean(*xs: Any) -> Any:
    return ops.multiply(in_order(ops.add, xs), 1 / len(xs))


def _clip(x: Any, min: Any = None, max: Any = None) -> Any:
    return x if min is None and max is None else ops.clip(x, min, max)


def _celu(x: Any, *, alpha: float) -> Any:
    return ops.multiply(ops.elu(ops.multiply(x, 1 / alpha)), alpha)


def _selu(x: Any, *, alpha: float, gamma: float) -> Any:
    return ops.multiply(ops.elu(x, alpha), gamma)


def _hard_sigmoid(x: Any, *, alpha: float, beta: float) -> Any:
    return ops.clip(ops.add(ops.multiply(x, alpha), beta), 0.0, 1.0)


def _hard_swish(x: Any) -> Any:
    return ops.multiply(x, _hard_sigmoid(x, alpha=1 / 6, beta=0.5))


def _swish(x: Any, *, alpha: float) -> Any:
    return ops.silu(x) if alpha == 1 else ops.multiply(x, ops.sigmoid(ops.multiply(x, alpha)))


def _remainder(a: Any, b: Any, *, fmod: int = 0) -> Any:
    return (ops.fmod if fmod else ops.mod)(a, b)


def _infinite(x: Any, *, detect_negative: int, detect_positive: int) -> Any:
    sides = ops.greater(x, 0) if detect_positive else ops.less(x, 0)
    found = ops.isinf(x)
    if detect_negative and detect_positive:
        return found
    wanted = detect_negative or detect_positive
    return ops.logical_and(found, sides) if wanted else ops.zeros_like(found)


def _reduction(reduce: Callable[..., Any]) -> Operator:
    """Return a row for a reduction over axes."""

    def run(
        data: Any, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Any:
        over = () if axes is None else whole(axes)
        if not over and not noop_with_empty_axes:
            over = tuple(range(len(shape_of(data))))
        return reduce(data, axis=over, keepdims=bool(keepdims))

    return Operator(run, host="axes")


def _of_squares(x: Any, **options: Any) -> Any:
    return ops.sum(ops.square(x), **options)


def _log_of_sum(x: Any, **options: Any) -> Any:
    return ops.log(ops.sum(x, **options))


def _of_absolutes(x: Any, **options: Any) -> Any:
    return ops.sum(ops.abs(x), **options)


def _chosen(condition: Any, *results: Any) -> Any:
    """Return the results of the graph that ran: of the first half where the condition holds."""
    half = len(results) // 2
    return results[:half] if shapes.one(condition) else results[half:]


# Layers


def _gemm(
    a: Any, b: Any, c: Any = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0,
    transB: int = 0,
) -> Any:  # fmt: skip
    left = ops.matrix_transpose(a) if transA else a
    right = ops.matrix_transpose(b) if transB else b
    out = ops.matmul(left, right)
    out = out if alpha == 1 else ops.multiply(out, alpha)
    if c is None:
        return out
    return ops.add(out, c if beta == 1 else ops.multiply(c, beta))


def _einsum(*xs: Any, equation: str) -> Any:
    return ops.einsum(equation, *xs)


def _softmax(run: Callable[..., Any], x: Any, *, axis: int, opset: int) -> Any:
    """Return a softmax along one axis, or before opset 13 over all from there on."""
    ndim = len(shape_of(x))
    return run(x, axis if opset >= 13 else tuple(range(axis % ndim, ndim)))


def _batch_norm(
    x: Any, scale: Any, b: Any, mean: Any, var: Any, *, epsilon: float, momentum: float,
    training_mode: int = 0, opset: int, outputs: int,
) -> Any:  # fmt: skip
    """Return channels scaled and shifted, standardised by what is kept or by the batch.

    Behind them come the mean and variance that are kept from then on.
    """
    if opset < 14 and outputs > 1:
        raise UsageError("batch normalisation in training mode needs opset 14 or later")
    if training_mode:
        out, own, spread = batch_norm_and_statistics(x, scale, b, epsilon)
        pairs = ((mean, own), (var, spread))
        kept = (ops.add(ops.multiply(old, momentum), new * (1 - momentum)) for old, new in pairs)
        return (out, *kept)
    factor = ops.multiply(scale, ops.power(ops.add(var, epsilon), -0.5))
    shift = ops.subtract(b, ops.multiply(mean, factor))
    spread = (1, -1) + (1,) * (len(shape_of(x)) - 2)
    out = ops.add(ops.multiply(x, ops.reshape(factor, spread)), ops.reshape(shift, spread))
    return out, mean, var


def _layer_norm(x: Any, scale: Any, b: Any = None, *, axis: int = -1, epsilon: float = 1e-5) -> Any:
    shape = shape_of(x)
    over = shape[axis % len(shape) :]
    if shape_of(scale) == over and (b is None or shape_of(b) == over):
        return ops.layer_norm(x, over, scale, b, epsilon)
    out = ops.multiply(ops.layer_norm(x, over, eps=epsilon), scale)
    return out if b is None else ops.add(out, b)


def _rms_norm(x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5) -> Any:
    shape = shape_of(x)
    over = shape[axis % len(shape) :]
    if shape_of(scale) == over:
        return ops.rms_norm(x, over, scale, epsilon)
    return ops.multiply(ops.rms_norm(x, over, eps=epsilon), scale)


def _instance_norm(x: Any, scale: Any, b: Any, *, epsilon: float) -> Any:
    return ops.group_norm(x, shape_of(x)[1], scale, b, epsilon)


def _group_norm(x: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float) -> Any:
    return ops.group_norm(x, num_groups, scale, bias, epsilon)


def _attention(
    q: Any, k: Any, v: Any, attn_mask: Any = None, *, is_causal: int = 0, scale: float | None = None,
    q_num_heads: int | None = None, kv_num_heads: int | None = None,
) -> Any:  # fmt: skip
    """Return scaled dot-product attention of (N, heads, L, E), or of (N, L, heads E)."""
    packed = len(shape_of(q)) == 3
    if packed:
        if not q_num_heads or not kv_num_heads:
            raise ShapeError(f"query {shape_of(q)}: q_num_heads and kv_num_heads are missing")
        q, k, v = (
            ops.permute_dims(ops.reshape(t, (*shape_of(t)[:2], heads, -1)), (0, 2, 1, 3))
            for t, heads in ((q, q_num_heads), (k, kv_num_heads), (v, kv_num_heads))
        )
    shared = shape_of(q)[1] // shape_of(k)[1]
    if shared > 1:
        k, v = (ops.repeat(t, shared, axis=1) for t in (k, v))
    out = ops.attention(q, k, v, attn_mask, scale, bool(is_causal))
    if packed:
        moved = ops.permute_dims(out, (0, 2, 1, 3))
        out = ops.reshape(moved, (*shape_of(moved)[:2], -1))
    return out


def _p_normed(x: Any, *, axis: int = -1, p: int = 2) -> Any:
    return ops.divide(x, ops.norm(x, p, axis=axis, keepdims=True))


# fmt: off
OPERATORS = {
    # element by element
    "Abs": Operator(ops.abs), "Acos": Operator(ops.acos), "Acosh": Operator(ops.acosh), "Asin": Operator(ops.asin),
    "Asinh": Operator(ops.asinh), "Atan": Operator(ops.atan), "Atanh": Operator(ops.atanh), "Cos": Operator(ops.cos),
    "Cosh": Operator(ops.cosh), "Sin": Operator(ops.sin), "Sinh": Operator(ops.sinh), "Tan": Operator(ops.tan),
    "Exp": Operator(ops.exp), "Log": Operator(ops.log), "Sqrt": Operator(ops.sqrt), "Erf": Operator(ops.erf),
    "Neg": Operator(ops.negative), "Reciprocal": Operator(ops.reciprocal), "Sign": Operator(ops.sign),
    "Floor": Operator(ops.floor), "Ceil": Operator(ops.ceil), "Round": Operator(ops.rint),
    "Add": Operator(ops.add), "Sub": Operator(ops.subtract), "Mul": Operator(ops.multiply), "Div": Operator(_divide),
    "Pow": Operator(_power), "Mod": Operator(_remainder),
    "Sum": Operator(lambda *xs: in_order(ops.add, xs)), "Mean": Operator(_mean),
    "Max": Operator(lambda *xs: in_order(ops.maximum, xs)), "Min": Operator(lambda *xs: in_order(ops.minimum, xs)),
    "Equal": Operator(ops.equal), "Less": Operator(ops.less), "LessOrEqual": Operator(ops.less_equal),
    "Greater": Operator(ops.greater), "GreaterOrEqual": Operator(ops.greater_equal),
    "Not": Operator(ops.logical_not), "And": Operator(ops.logical_and), "Or": Operator(ops.logical_or), "Xor": Operator(ops.logical_xor),
    "IsNaN": Operator(ops.isnan), "IsInf": Operator(_infinite), "Where": Operator(ops.where),
    # activations
    "Relu": Operator(ops.relu), "LeakyRelu": Operator(lambda x, *, alpha: ops.leaky_relu(x, alpha)), "PRelu": Operator(lambda x, slope: prelu(x, slope), weights="slope"),
    "ThresholdedRelu": Operator(lambda x, *, alpha: ops.where(ops.greater(x, alpha), x, 0.0)),
    "Elu": Operator(lambda x, *, alpha: ops.elu(x, alpha)), "Selu": Operator(_selu), "Celu": Operator(_celu),
    "Gelu": Operator(lambda x, *, approximate: ops.gelu(x, approximate)), "Sigmoid": Operator(ops.sigmoid), "Tanh": Operator(ops.tanh),
    "HardSigmoid": Operator(_hard_sigmoid), "HardSwish": Operator(_hard_swish), "Swish": Operator(_swish),
    "Softplus": Operator(lambda x: ops.softplus(x)), "Softsign": Operator(ops.softsign), "Mish": Operator(ops.mish),
    "Clip": Operator(_clip),
    "Softmax": Operator(partial(_softmax, ops.softmax)), "LogSoftmax": Operator(partial(_softmax, ops.log_softmax)),
    # weight layers, and what stands between them
    "Conv": Operator(windows.conv, weights="w"), "ConvTranspose": Operator(windows.conv_transpose, weights="w"),
    "Gemm": Operator(_gemm, weights="a b"), "MatMul": Operator(lambda a, b: ops.matmul(a, b), weights="a b"), "Einsum": Operator(_einsum),
    "BatchNormalization": Operator(_batch_norm, buffers="mean var", results=3),
    "LayerNormalization": Operator(_layer_norm), "RMSNormalization": Operator(_rms_norm),
    "InstanceNormalization": Operator(_instance_norm, fillers="scale b"), "GroupNormalization": Operator(_group_norm),
    "LRN": Operator(windows.response_norm), "LpNormalization": Operator(_p_normed), "Attention": Operator(_attention),
    "Dropout": Operator(shapes.dropout, host="ratio training_mode"), "Identity": Operator(lambda x: x),
    "MaxPool": Operator(windows.max_pool), "AveragePool": Operator(windows.average_pool),
    "GlobalMaxPool": Operator(partial(windows.global_pool, ops.max)), "GlobalAveragePool": Operator(partial(windows.global_pool, ops.mean)),
    "Resize": Operator(windows.resize, host="roi scales sizes", only={"coordinate_transformation_mode": windows.COORDINATES}),
    "Upsample": Operator(windows.upsample, host="scales"),
    # reductions
    "ReduceSum": _reduction(ops.sum), "ReduceMean": _reduction(ops.mean), "ReduceProd": _reduction(ops.prod),
    "ReduceMax": _reduction(ops.max), "ReduceMin": _reduction(ops.min), "ReduceL1": _reduction(_of_absolutes),
    "ReduceL2": _reduction(ops.norm), "ReduceSumSquare": _reduction(_of_squares), "ReduceLogSum": _reduction(_log_of_sum),
    "ReduceLogSumExp": _reduction(ops.logsumexp), "CumSum": Operator(shapes.cumulative, host="axis"),
    "ArgMax": Operator(partial(shapes.extreme_place, ops.argmax)), "ArgMin": Operator(partial(shapes.extreme_place, ops.argmin)),
    "TopK": Operator(shapes.top_k, host="k", results=2),
    # the same elements elsewhere
    "Reshape": Operator(shapes.reshape, host="shape"), "Flatten": Operator(shapes.flatten),
    "Transpose": Operator(lambda x, *, perm=None: ops.permute_dims(x, perm)),
    "Squeeze": Operator(shapes.squeeze, host="axes"), "Unsqueeze": Operator(shapes.unsqueeze, host="axes"),
    "Concat": Operator(shapes.joined), "Split": Operator(shapes.split, host="split", results=2**31),
    "Slice": Operator(shapes.cut, host="starts ends axes steps"), "Gather": Operator(lambda x, indices, *, axis: ops.take(x, indices, axis)),
    "GatherElements": Operator(shapes.gather_elements), "GatherND": Operator(shapes.gather_nd), "ScatterND": Operator(shapes.scatter_nd),
    "Pad": Operator(shapes.pad, host="pads value axes"), "Expand": Operator(shapes.expand, host="shape"),
    "Tile": Operator(lambda x, repeats: ops.tile(x, whole(repeats)), host="repeats"), "Trilu": Operator(shapes.triangle, host="k"),
    "DepthToSpace": Operator(shapes.depth_to_space), "SpaceToDepth": Operator(shapes.space_to_depth),
    # shapes and constants
    "Cast": Operator(shapes.cast, only={"to": shapes.DTYPES}), "CastLike": Operator(lambda x, like: ops.astype(x, like.dtype)),
    "Shape": Operator(shapes.size_along), "Size": Operator(lambda x: shapes.size_along(x).prod()),
    "Range": Operator(shapes.evenly, host="start limit delta"), "ConstantOfShape": Operator(shapes.constant_of_shape, host="shape"),
    "If": Operator(_chosen, host="condition", results=2**31),
    "NonZero": Operator(lambda x: ops.stack(ops.nonzero(x))), "OneHot": Operator(shapes.one_hot, host="depth values"),
}
# fmt: on
