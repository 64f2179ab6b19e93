"""check_gradient: every derivative of a function against finite differences.

First the function itself (the same numbers twice, inputs left as they were), then the
first derivative in each mode against differences, then the second in every nesting
against differences of the first and second differences of the function.  Cotangents
and tangents are random, since ones cannot see elements that change places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from .engines import engine_of
from .first_order import check_first_order
from .function import FlatFunction
from .invariants import check_kept_as_given, check_runs, check_zeros
from .probe import Probe
from .second_order import check_second_order

__tracebackhide__ = True  # pytest shows the test's own line

MODES = ("reverse", "forward")


def check_gradient(
    f: Callable[..., Any],
    *args: Any,
    order: int | None = None,
    modes: Sequence[str] = MODES,
    seed: int = 0,
    rtol: float = 1e-6,
    atol: float = 1e-12,
    vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
) -> None:
    """Assert that the derivatives of ``f`` at ``args`` are right.

    Checked are, in float64: that two runs give the same numbers and leave the inputs as
    they were; each mode against finite differences (the complex step where ``f`` allows
    it); reverse against forward; zero cotangents; to second order every nesting of the
    modes.  One run with the arguments as given checks that shapes, dtypes and devices
    are kept.

    Args:
        f: takes and returns arrays, or nested tuples, lists and dicts of arrays.
        args: NumPy arrays, tensors, device arrays, floats, or nested ones.  Integers,
            booleans and everything else that is not floating point are held constant.
        order: 1, or 2 for second derivatives as well; 2 where left out, but 1 for a
            ``vjp`` of an unknown library, since nobody knows whether it nests.
        modes: ``"reverse"``, ``"forward"`` or both.
        seed: of the random cotangents and tangents.
        rtol, atol: the relative and absolute tolerance of an entry, besides rounding.
        vjp: another engine's, as in JAX: ``vjp(f, *primals) -> (out, back)`` and
            ``back(cotangent) -> tuple``.  PyTorch tensors and JAX arrays bring their own.
            A function of several outputs has a tuple as its output and cotangent.
        jvp: another engine's ``jvp(f, primals, tangents) -> (out, tangent)``.  Where there
            is a ``vjp`` and no ``jvp``, forward mode is left out.

    Raises:
        GradientCheckError: an AssertionError: a derivative is wrong.  The first line says
            which, a table shows the entries, the last line what the mistake looks like.
        NotDifferentiableError: ``f`` has a kink at ``args``.
        UsageError: an argument is outside its choices.

    >>> import numpy as np, tinygrad_res as tg
    >>> check_gradient(lambda x, w: tg.tanh(x @ w), np.eye(2), np.array([0.5, -1.0]))
    >>> stop = tg.stop_gradient
    >>> check_gradient(lambda x: stop(x * x) + x - stop(x), np.array([2.0, 3.0]), order=1)
    Traceback (most recent call last):
    tinygrad_res.testing.table.GradientCheckError: reverse mode, argument 0 (x): 2 of 2 entries differ
      entry  expected  got
      [1]    4.5       0.75
      [0]    -4        -1
    """
    engine = engine_of(args, vjp, jvp)
    if order is None:
        order = 2 if engine.nests else 1
    _choices(order, modes)
    kept = [m for m in MODES if m in modes and (m == "reverse" or engine.jvp is not None)]
    if not kept:
        raise UsageError("check_gradient: forward mode alone, but there is no jvp: give jvp=")
    with np.errstate(all="ignore"):
        with engine.float64():
            probe = Probe(FlatFunction(f, args, engine), kept, seed, rtol, atol)
            check_runs(probe)
            check_first_order(probe)
            check_zeros(probe)
            if order == 2:
                check_second_order(probe)
        check_kept_as_given(probe)


def _choices(order: int, modes: Sequence[str]) -> None:
    if order not in (1, 2):
        raise UsageError(f"check_gradient: order must be 1 or 2, not {order!r}")
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown or isinstance(modes, str) or not modes:
        raise UsageError(f"check_gradient: modes are some of {MODES}, not {modes!r}")
