"""The table of primitives: every differentiable operation and the formula on its edge.

The modules follow the families: ``pointwise``, ``reductions``, ``structural``,
``contractions`` (with ``convolution``) and ``general``; ``constants`` holds what has
no derivative and ``composed`` what is built from the rest.

This module is also the array module of recorded tensors: a derivative rule that asks
for ``xp.exp`` finds ``numpy.exp`` here for arrays and ``tinygrad_res.exp`` for tensors.
"""

import sys

from .. import backend
from ..tensor import Parameter, Tensor
from .composed import avg_pool2d, log_softmax, max_pool2d, softmax
from .constants import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    not_equal,
    sign,
    stop_gradient,
)
from .contractions import matmul
from .convolution import conv2d
from .general import batch_norm
from .pointwise import (
    abs,
    add,
    astype,
    cos,
    divide,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    pow,
    relu,
    sigmoid,
    sin,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from .reductions import cross_entropy, logsumexp, max, mean, min, sum
from .structural import (
    broadcast_to,
    concat,
    pad,
    permute_dims,
    reshape,
    sliding_windows,
    stack,
)

# What tensors and sweeps use under other names: x[...], x.to(...) and their transposes.
from .structural import getitem as getitem
from .structural import identity as identity
from .structural import scatter as scatter
from .structural import to_device as to_device

__all__ = [
    "abs", "add", "astype", "avg_pool2d", "batch_norm", "broadcast_to",
    "concat", "conv2d", "cos", "cross_entropy", "divide", "equal", "exp", "expm1", "greater",
    "greater_equal", "less", "less_equal", "log", "log1p", "log_softmax", "logsumexp", "matmul",
    "max", "max_pool2d", "maximum", "mean", "min", "minimum", "multiply", "negative",
    "not_equal", "pad", "permute_dims", "pow", "relu", "reshape", "sigmoid", "sign", "sin",
    "sliding_windows", "softmax", "sqrt", "square", "stack", "stop_gradient", "subtract", "sum",
    "tanh", "where",
]  # fmt: skip

# What NumPy calls these functions, for arrays that meet tensors in NumPy's functions.
NUMPY_NAMES = {name: globals()[name] for name in __all__ if name != "pad"} | {
    "absolute": abs,
    "power": pow,
    "concatenate": concat,
    "transpose": permute_dims,
    "true_divide": divide,
    "amax": max,
    "amin": min,
}

backend.modules[Tensor] = backend.modules[Parameter] = sys.modules[__name__]
