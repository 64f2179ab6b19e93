"""Pointwise operations."""

from __future__ import annotations

import numpy as np

import tinygrad_res as tg

from . import positive

MASK = np.array([[True, False, True], [False, False, True]])


CASES = {
    "add": (tg.add, (2, 3), (2, 3)),
    "add broadcasts both": (tg.add, (2, 1), (4, 1, 3)),
    "add number": (lambda x: 2 + x, (3,)),
    "subtract": (tg.subtract, (3,), (2, 3)),
    "subtract from number": (lambda x: 2 - x, (3,)),
    "multiply": (tg.multiply, (2, 1), (2, 3)),
    "multiply by itself": (lambda x: x * x, (2, 3)),
    "multiply by array": (lambda x: np.arange(3.0) * x, (2, 3)),
    "multiply by list": (lambda x: [1.0, 2.0, 3.0] * x, (2, 3)),
    "multiply 0-d": (tg.multiply, (), (2,)),
    "divide": (tg.divide, (2, 3), (3,)),
    "divide number": (lambda x: 3 / x, (3,)),
    "divide by number": (lambda x: x / 3, (3,)),
    "negative": (tg.negative, (3,)),
    "pow": (positive(tg.pow), (2, 3), (3,)),
    **{
        f"pow {exponent}": (positive(lambda x, e=exponent: x**e), (2, 3))
        for exponent in (-2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3, 5, 8, 9)
    },
    "pow of negative": (lambda x: x**3, (2, 3)),
    "pow number": (lambda x: 2**x, (3,)),
    "maximum": (tg.maximum, (2, 3), (3,)),
    "maximum number": (lambda x: tg.maximum(x, 0.5), (5,)),
    "maximum number first": (lambda x: tg.maximum(0.5, x), (5,)),
    "minimum": (tg.minimum, (2, 1), (2, 3)),
    "minimum number": (lambda x: tg.minimum(x, 0.5), (5,)),
    "exp": (tg.exp, (2, 3)),
    "exp 0-d": (tg.exp, ()),
    "expm1": (tg.expm1, (2, 3)),
    "log": (positive(tg.log), (2, 3)),
    "log1p": (positive(tg.log1p), (2, 3)),
    "sqrt": (positive(tg.sqrt), (2, 3)),
    "square": (tg.square, (2, 3)),
    "sin": (tg.sin, (2, 3)),
    "cos": (tg.cos, (2, 3)),
    "abs": (tg.abs, (2, 3)),
    "tanh": (tg.tanh, (2, 3)),
    "sigmoid": (tg.sigmoid, (2, 3)),
    "relu": (tg.relu, (2, 3)),
    "astype": (lambda x: tg.astype(x * x, np.float64), (3,)),
    "where": (lambda x, y: tg.where(MASK, x, y), (2, 3), (3,)),
    "where broadcasts mask": (lambda x, y: tg.where(MASK[0], x, y), (2, 1), (2, 3)),
    "where number": (lambda x: tg.where(MASK, x, 0.0), (2, 3)),
    "where number first": (lambda x: tg.where(MASK, 1.5, x), (3,)),
    "where condition of tensors": (lambda x: tg.where(x > 0.2, x * x, x), (2, 3)),
    "where condition of integers": (lambda x, y: tg.where(3 * MASK, x, y), (2, 3), (2, 3)),
    "where condition is a float": (lambda x: tg.where(x, x * x, x), (3,)),
    "where condition is a bool": (lambda x, y: tg.where(True, x, y) * tg.where(False, x, y), (3,), (3,)),
    "stop_gradient": (lambda x, y: x * tg.stop_gradient(3.0 * np.ones(3)) * y, (3,), (3,)),
}  # fmt: skip

ON_THE_HOST = {"multiply by array", "where", "where broadcasts mask", "where number", "where number first", "where condition of integers", "stop_gradient"}  # fmt: skip

CONSTANT = {
    "equal", "greater", "greater_equal", "less", "less_equal", "not_equal", "sign",
}  # fmt: skip
