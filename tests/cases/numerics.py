"""Functions of sampled curves and of data."""

from __future__ import annotations

import tinygrad_res as tg

POINTS = [-2.5, -1.0, 0.3, 1.1, 2.5]

CASES = {
    "select": (lambda x, y: tg.select([x > 0.5, y > 0], [x * x, x * y], x), (2, 3), (3,)),
    "select of numbers": (lambda x: tg.select([x > 1, x < 0], [x, 2.0]), (5,)),
    "polyval": (tg.polyval, (4,), (2, 3)),
    "polyval of no coefficients": (lambda x: tg.polyval([], x) + x, (2,)),
    "trapezoid": (tg.trapezoid, (2, 4)),
    "trapezoid axis dx": (lambda y: tg.trapezoid(y, dx=0.5, axis=0), (3, 2)),
    "trapezoid at points": (lambda y, x: tg.trapezoid(y, x, axis=1), (2, 4, 3), (4,)),
    "trapezoid at points of each": (lambda y, x: tg.trapezoid(y, x, axis=0), (4, 3), (4, 3)),
    "gradient": (tg.gradient, (5,)),
    "gradient of two": (tg.gradient, (2,)),
    "gradient axis step": (lambda f, step: tg.gradient(f * f, step, axis=-1), (2, 4), ()),
    "gradient of axes": (lambda f: tg.concat(tg.gradient(f * f, 0.5, 2.0)), (3, 4)),
    "interp": (lambda x, f: tg.interp(x, POINTS, f), (2, 3), (5,)),
    "interp at points that move": (lambda p, f: tg.interp([-9.0, 0.2, 9.0], tg.sort(p), f), (4,), (4,)),
    "interp beyond": (lambda x, f: tg.interp(x, [-0.5, 0.5], f, left=-3.0, right=f[0] * f[1]), (6,), (2,)),
    "interp of one point": (lambda x, f: tg.interp(x, [0.1], f) * x, (3,), (1,)),
    "quantile": (lambda x: tg.quantile(x, 0.3), (2, 3)),
    "quantile axis keepdims": (lambda x: tg.quantile(x, [0.0, 0.4, 1.0], axis=(0, -1), keepdims=True), (3, 2, 2)),
    "quantile axis": (lambda x: tg.quantile(tg.exp(x), [[0.25], [0.8]], axis=1), (2, 5)),
    "percentile": (lambda x: tg.percentile(x, [10, 75], axis=0), (4, 2)),
    "cov": (tg.cov, (3, 4)),
    "cov of columns": (lambda m: tg.cov(m, rowvar=False, ddof=0), (4, 2)),
    "cov of one": (tg.cov, (5,)),
}  # fmt: skip
