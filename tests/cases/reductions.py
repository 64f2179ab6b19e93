"""Reductions, softmaxes and cumulative operations."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg

from . import positive

LABELS = np.array([2, 0, 2, 1])
AXES = [
    (None, False), (None, True), (0, False), (-1, True), (1, False), ((0, 2), False),
    ((-1, 0), True), ((1, -3), False), ((), False), ([0, 1], False), ((0, 1, 2), False),
]  # fmt: skip
# Of one element, these have a kink.
SPREADS = {"ptp", "std", "var"}
ORDERS = (0, 0.5, 1, 1.5, 2, 3, 7, -1, -2.5, np.inf, -np.inf)


def over(name, **options):
    return lambda x: getattr(tg, name)(x, **options)


CASES = {
    **{
        f"{name} axis={axis} keepdims={keepdims}": (over(name, axis=axis, keepdims=keepdims), (2, 3, 2))
        for name in ("sum", "mean", "prod", "max", "min", "logsumexp", "ptp", "median", "var", "std", "norm")
        for axis, keepdims in AXES
        if not (name in SPREADS and axis == ())
    },
    **{
        f"{name} 0-d": (over(name), ())
        for name in ("sum", "mean", "prod", "max", "min", "logsumexp", "median", "norm")
    },
    **{
        f"{name} empty axis={axis}": (over(name, axis=axis), (0, 3))
        for name in ("sum", "prod", "norm")
        for axis in (None, 0, 1)
    },
    **{f"{name} empty axis=1": (over(name, axis=1), (0, 3)) for name in ("mean", "max", "median", "ptp", "var", "std", "logsumexp")},
    **{f"{name} correction={c}": (over(name, axis=1, correction=c), (2, 4)) for name in ("var", "std") for c in (1, 0.5, -1)},
    "var ddof": (over("var", ddof=1), (5,)),
    "prod of composed": (lambda x: tg.prod(tg.tanh(x) * x, axis=1), (2, 5)),
    **{f"norm ord={p}": (over("norm", ord=p, axis=1, keepdims=True), (3, 4)) for p in ORDERS},
    "norm ord=3 of all": (over("norm", ord=3), (2, 3)),
    "average": (over("average"), (2, 3)),
    "average weights": (lambda x, w: tg.average(x, weights=w * w), (2, 3), (2, 3)),
    "average weights along an axis": (lambda x, w: tg.average(x, 1, w * w, keepdims=True), (2, 3), (3,)),
    "average weights along axes": (lambda x, w: tg.average(x, (0, -1), w * w), (2, 3, 2), (2, 2)),
    **{
        f"{name} axis={axis}": (over(name, axis=axis), (2, 3, 2))
        for name in ("softmax", "log_softmax")
        for axis in (-1, 0, (0, 1), None)
    },
    **{f"{name} empty axis={axis}": (over(name, axis=axis), (0, 3)) for name in ("softmax", "log_softmax") for axis in (0, 1)},
    "cross_entropy": (lambda x: tg.cross_entropy(x, LABELS), (4, 3)),
    "cross_entropy of composed": (lambda x, w: tg.cross_entropy(tg.tanh(x @ w), LABELS), (4, 2), (2, 3)),
    **{
        f"{name} axis={axis} initial={initial}": (over(name, axis=axis, include_initial=initial), (2, 3, 4))
        for name in ("cumulative_sum", "cumulative_prod")
        for axis, initial in [(0, False), (1, True), (-1, False), (-1, True)]
    },
    **{f"{name} of a vector": (over(name), (7,)) for name in ("cumulative_sum", "cumulative_prod")},
    **{f"{name} 0-d": (over(name), ()) for name in ("cumulative_sum", "cumulative_prod")},
    **{f"{name} empty": (over(name, axis=1), (2, 0)) for name in ("cumulative_sum", "cumulative_prod")},
    "cumulative_prod of composed": (lambda x: tg.cumulative_prod(tg.sin(x) * x, axis=0), (4, 2)),
    **{f"{name} axis={axis}": (over(name, axis=axis), (2, 3)) for name in ("cumsum", "cumprod") for axis in (None, 0)},
    **{f"diff n={n} axis={axis}": (over("diff", n=n, axis=axis), (3, 4)) for n, axis in [(1, -1), (2, 0), (0, 0), (4, 0)]},
    "prod positive": (positive(tg.prod), (6,)),
}  # fmt: skip
