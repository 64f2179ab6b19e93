"""What every operation must return, by NumPy, by SciPy, or by its definition in NumPy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import scipy.signal
import scipy.special

from .drawn import normal

la = np.linalg


def softplus(x, beta=1.0):
    return np.logaddexp(0, beta * x) / beta


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * scipy.special.ndtr(x)


def selu(x):
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


def cross_entropy(logits, labels):
    return -scipy.special.log_softmax(logits, 1)[np.arange(len(labels)), labels].mean()


def some(f):
    """Return ``f`` for arrays with elements; SciPy refuses empty ones."""
    return lambda x, axis: f(x, axis) if x.size else x


def logsumexp(x, axis=None, keepdims=False):
    return np.log(np.exp(x).sum(axis, keepdims=keepdims))


def median(x, axis=None, keepdims=False):
    """Return NumPy's median, which fails where the result is empty."""
    return (np.median if x.size else np.sum)(x, axis=axis, keepdims=keepdims)


def norm(x, ord=2, axis=None, keepdims=False):
    return la.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)


def sort(x, axis=-1, descending=False):
    out = np.sort(x, axis)
    return np.flip(out, -1 if axis is None else axis) if descending else out


def argsort(x, axis=-1, descending=False):
    return np.argsort(-x if descending else x, axis, stable=True)


def topk(x, k, axis=-1):
    return np.flip(np.sort(x, axis), axis).take(np.arange(k), axis), None


def changed(update):
    def run(x, index, values):
        out = x.copy()
        update(out, index, values)
        return out

    return run


def sliding_windows(x, size, stride=1, axis=None):
    size = (size,) if isinstance(size, int) else size
    over = normal(axis, x.ndim)
    view = np.lib.stride_tricks.sliding_window_view(x, size, over)
    steps = dict(
        zip(over, (stride,) * len(over) if isinstance(stride, int) else stride, strict=True)
    )
    return view[tuple(slice(None, None, steps.get(k, 1)) for k in range(x.ndim))]


def _each(option, dims):
    return (option,) * dims if isinstance(option, int) else tuple(option)


def conv(x, w, bias=None, stride=1, padding=0, dilation=1, groups=1):
    dims = x.ndim - 2
    dilation, stride = _each(dilation, dims), _each(stride, dims)
    w = _apart(w, dilation)
    if padding == "same":
        ends = [((k - 1) // 2, k // 2) for k in w.shape[2:]]
    else:
        ends = [(p, p) for p in _each(0 if padding == "valid" else padding, dims)]
    x = np.pad(x, [(0, 0), (0, 0), *ends])
    per_group = len(w) // groups
    out = np.stack([
        [
            sum(
                scipy.signal.correlate(image[(o // per_group) * w.shape[1] + c], w[o, c], "valid", "direct")
                for c in range(w.shape[1])
            )
            for o in range(len(w))
        ]
        for image in x
    ])  # fmt: skip
    out = out[(..., *(slice(None, None, s) for s in stride))]
    return out if bias is None else out + bias.reshape(-1, *(1,) * dims)


def conv_transpose(x, w, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    dims = x.ndim - 2
    x, w = _apart(x, _each(stride, dims)), _apart(w, _each(dilation, dims))
    taken, made = len(w) // groups, w.shape[1]
    out = np.stack([
        [
            sum(
                scipy.signal.convolve(image[g * taken + c], w[g * taken + c, o], "full", "direct")
                for c in range(taken)
            )
            for g in range(groups)
            for o in range(made)
        ]
        for image in x
    ])  # fmt: skip
    out = np.pad(out, [(0, 0), (0, 0), *((0, n) for n in _each(output_padding, dims))])
    ends = zip(_each(padding, dims), out.shape[2:], strict=True)
    out = out[(..., *(slice(p, n - p) for p, n in ends))]
    return out if bias is None else out + bias.reshape(-1, *(1,) * dims)


def _apart(x, steps):
    """Put zeros between the elements of the last axes."""
    shape = [(n - 1) * s + 1 for n, s in zip(x.shape[2:], steps, strict=True)]
    out = np.zeros((*x.shape[:2], *shape), x.dtype)
    out[(..., *(slice(None, None, s) for s in steps))] = x
    return out


def pool(dims, reduce):
    def run(x, size, stride=None, padding=0, count_include_pad=True):
        size = _each(size, dims)
        steps = size if stride is None else _each(stride, dims)
        ends = [(0, 0)] * (x.ndim - dims) + [(p, p) for p in _each(padding, dims)]
        outside = 0.0 if reduce is np.mean and count_include_pad else np.nan
        x = np.pad(x, ends, constant_values=outside)
        axes = tuple(range(-dims, 0))
        windows = np.lib.stride_tricks.sliding_window_view(x, size, axes)
        windows = windows[(..., *(slice(None, None, s) for s in steps), *(slice(None),) * dims)]
        return {np.mean: np.nanmean, np.max: np.nanmax}[reduce](windows, axes)

    return run


def standardised(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def per_channel(v, ndim):
    return v.reshape(-1, *(1,) * (ndim - 2))


def batch_norm(x, weight, bias):
    standard = standardised(x, (0, *range(2, x.ndim)))
    return standard * per_channel(weight, x.ndim) + per_channel(bias, x.ndim)


def layer_norm(x, size, weight=1.0, bias=0.0):
    return standardised(x, tuple(range(-np.size(size), 0))) * weight + bias


def rms_norm(x, size, weight=1.0):
    square = np.square(x).mean(tuple(range(-np.size(size), 0)), keepdims=True)
    return x / np.sqrt(square + np.finfo(x.dtype).eps) * weight


def group_norm(x, groups, weight=None, bias=None):
    split = x.reshape(len(x), groups, -1)
    out = standardised(split, (2,)).reshape(x.shape)
    out = out if weight is None else out * per_channel(weight, x.ndim)
    return out if bias is None else out + per_channel(bias, x.ndim)


def attention(query, key, value, mask=0.0, scale=None, causal=False):
    scores = (
        query @ np.swapaxes(key, -1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    )
    scores = scores + mask
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    return scipy.special.softmax(scores, -1) @ value


def det(a):
    """Return the sum over permutations, Leibniz's formula."""
    n = a.shape[-1]
    terms = (
        la.det(np.eye(n)[list(order)]).round()
        * math.prod(a[..., i, k] for i, k in enumerate(order))
        for order in itertools.permutations(range(n))
    )
    return np.sum(list(terms), axis=0)


REFERENCES = {
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)), "erf": scipy.special.erf,
    "erfc": scipy.special.erfc, "gelu": gelu, "hardtanh": lambda x, min_val, max_val: np.clip(x, min_val, max_val),
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x), "log_sigmoid": scipy.special.log_expit,
    "mish": lambda x: x * np.tanh(softplus(x)), "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6), "selu": selu, "sigmoid": scipy.special.expit,
    "silu": lambda x: x * scipy.special.expit(x), "softplus": softplus, "softsign": lambda x: x / (1 + abs(x)),
    "linear": lambda x, weight: np.einsum("...i,oi->...o", x, weight), "norm": norm, "median": median, "cross_entropy": cross_entropy, "logsumexp": logsumexp,
    "softmax": some(scipy.special.softmax), "log_softmax": some(scipy.special.log_softmax),
    "take_along_axis": lambda x, at, axis: np.take_along_axis(x, np.asarray(at, int), axis),
    "sort": sort, "topk": topk, "argsort": argsort, "index_add": changed(np.add.at),
    "index_update": changed(lambda out, index, values: out.__setitem__(index, values)),
    "sliding_windows": sliding_windows, "conv1d": conv, "conv2d": conv, "conv_transpose1d": conv_transpose,
    "conv_transpose2d": conv_transpose, "avg_pool1d": pool(1, np.mean), "avg_pool2d": pool(2, np.mean),
    "max_pool1d": pool(1, np.max), "max_pool2d": pool(2, np.max), "batch_norm": batch_norm,
    "group_norm": group_norm, "layer_norm": layer_norm, "rms_norm": rms_norm, "attention": attention,
    "stop_gradient": lambda x: x, "linalg.matrix_norm": la.norm, "linalg.det": det,
}  # fmt: skip


def reference(name):
    """Return the operation's definition here, or NumPy's function of the same name."""
    if name in REFERENCES:
        return REFERENCES[name]
    of = la if name.startswith("linalg.") else np
    return getattr(of, name.removeprefix("linalg."))
