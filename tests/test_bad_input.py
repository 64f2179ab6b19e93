"""Every public operation refuses what it cannot use with an error of the project.

A call that works is made again with something wrong in the place of each argument in turn.
It may mean something, such as ``axis=None``; where it does not, no exception of NumPy or
Python comes through.
"""

from __future__ import annotations

import contextlib
import inspect
import operator
import warnings

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res.errors import Error

pytestmark = pytest.mark.cpu

WRONG = [
    None, "a", 1.5, -1, True, 10**20, float("nan"), 1j, int, object(), slice(0, 1), [], {}, (None,),
    [[1.0], [2.0, 3.0]], np.ones(2), np.array(["a"]), tg.tensor([1.0, 2.0]),
]  # fmt: skip

VECTOR = np.array([1.0, 2.0, 3.0])
ROWS = np.arange(1.0, 7.0).reshape(2, 3)
SQUARE = np.array([[2.0, 1.0], [1.0, 3.0]])
SIGNALS, IMAGES = np.ones((1, 2, 4)), np.ones((1, 2, 4, 4))

# What an argument of this name gets where it has no default, and where an operation takes another.
GIVEN = {
    "x": ROWS, "y": ROWS, "a": SQUARE, "b": SQUARE, "m": ROWS, "xs": [ROWS, ROWS], "x1": VECTOR, "x2": VECTOR,
    "v": VECTOR, "p": VECTOR, "xp": VECTOR, "fp": VECTOR, "condition": ROWS > 2, "condlist": [ROWS > 2],
    "choicelist": [ROWS], "query": ROWS, "key": ROWS, "value": ROWS, "values": 1.0, "fill_value": 1.0, "q": 0.5,
    "weight": VECTOR, "bias": VECTOR, "logits": ROWS, "labels": [0, 1], "indices": [0, 1], "index": 0, "dtype": float,
    "shape": (6,), "axis1": 0, "axis2": 1, "source": 0, "destination": 1, "shift": 1, "indices_or_sections": 1,
    "repeats": 2, "repetitions": 2, "pad_width": 1, "size": 2, "num_groups": 1, "normalized_shape": 3, "k": 1, "n": 2,
}  # fmt: skip
OTHERWISE = {
    "broadcast_to": {"shape": (2, 2, 3)}, "dsplit": {"x": ROWS[None]}, "squeeze": {"x": ROWS[None]},
    "cumulative_sum": {"x": VECTOR}, "cumulative_prod": {"x": VECTOR}, "take_along_axis": {"indices": [[0, 0, 0]]},
    "linear": {"weight": ROWS}, "matmul": {"x": SQUARE, "y": SQUARE}, "linalg.matmul": {"x": SQUARE, "y": SQUARE},
    "matvec": {"x1": SQUARE, "x2": VECTOR[:2]}, "vecmat": {"x1": VECTOR[:2], "x2": SQUARE},
    "linalg.outer": {"a": VECTOR, "b": VECTOR}, "linalg.svd": {"full_matrices": False},
    "convolve": {"a": VECTOR}, "correlate": {"a": VECTOR},
    "conv1d": {"x": SIGNALS, "w": np.ones((2, 2, 3))}, "conv_transpose1d": {"x": SIGNALS, "w": np.ones((2, 2, 3))},
    "conv2d": {"x": IMAGES, "w": np.ones((2, 2, 3, 3))}, "conv_transpose2d": {"x": IMAGES, "w": np.ones((2, 2, 3, 3))},
}  # fmt: skip
BITS = np.array([1, 2])
POSITIONS = {
    "einsum": ("ij,jk,kl", SQUARE, SQUARE, SQUARE), "gradient": (VECTOR,), "meshgrid": (VECTOR, VECTOR),
    "broadcast_arrays": (ROWS, ROWS), "atleast_1d": (ROWS,), "atleast_2d": (ROWS,), "atleast_3d": (ROWS,),
}  # fmt: skip

NAMES = [*tg.primitives.__all__, *(f"linalg.{name}" for name in tg.linalg.__all__)]


def working_call(name):
    """Return positional arguments and keyword arguments, at their defaults, of a call that works."""
    signature = inspect.signature(operator.attrgetter(name)(tg))
    parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    if name in POSITIONS:
        args = POSITIONS[name]
    else:
        own = GIVEN | OTHERWISE.get(name, {})
        bits = {"x": BITS, "y": BITS} if name.startswith("bitwise") else {}
        args = tuple((own | bits)[p.name] for p in parameters if p.default is p.empty)
    options = {p.name: p.default for p in parameters if p.default is not p.empty}
    return args, options | {k: v for k, v in OTHERWISE.get(name, {}).items() if k in options}


def spoilt_calls(args, options):
    """Yield the call with something wrong in the place of each argument."""
    for wrong in WRONG:
        for i in range(len(args)):
            yield (*args[:i], wrong, *args[i + 1 :]), options
        for name in options:
            yield args, options | {name: wrong}


def sweep(f, args, options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        f(*args, **options)
        for spoilt_args, spoilt_options in spoilt_calls(args, options):
            with contextlib.suppress(Error):
                f(*spoilt_args, **spoilt_options)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_types_are_refused_with_an_error_of_the_project(name):
    sweep(operator.attrgetter(name)(tg), *working_call(name))


def test_the_sweep_catches_an_exception_of_python():
    def repeated(x, times=1):
        return [x for _ in range(times)]

    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        sweep(repeated, (VECTOR,), {"times": 1})
