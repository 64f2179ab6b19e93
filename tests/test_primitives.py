"""Every public primitive has right derivatives, to second order, in every mode."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from cases import CASES, CONSTANT

import tinygrad_res as tg
from tinygrad_res.families import Pointwise, Structural
from tinygrad_res.hotpath import Binary, Unary


@pytest.mark.parametrize("case", CASES)
def test_derivatives_equal_finite_differences(case):
    f, *shapes = CASES[case]
    f, options = f if isinstance(f, tuple) else (f, {})
    oracles.check(f, *oracles.distinct(*shapes, **options))


@pytest.mark.cpu
def test_every_public_primitive_has_a_case():
    linear_algebra = {f"linalg.{name}" for name in tg.linalg.__all__}

    assert {case.split(" ")[0] for case in CASES} - {"getitem"} == (
        set(tg.primitives.__all__) - CONSTANT.keys() | linear_algebra
    )


@pytest.mark.parametrize("name", sorted(CONSTANT))
def test_constants_carry_no_gradient_and_agree_with_numpy(name):
    x = tg.tensor([-1.0, 0.0, 2.0], requires_grad=True)

    found, expected = CONSTANT[name](tg, x), CONSTANT[name](np, x.numpy())

    pairs = zip(found, expected, strict=True) if name == "nonzero" else [(found, expected)]
    for ours, theirs in pairs:
        assert not ours.requires_grad
        assert ours.dtype == np.asarray(theirs).dtype
        np.testing.assert_array_equal(ours.numpy(), theirs)


# The oracle itself: each of these rules is wrong in one way, and must not pass.

TANH = Unary("tanh", np.tanh, [lambda xp, out, _x: 1 + out * out])
DETACHED = Unary(
    "tanh", np.tanh, [lambda xp, out, _x: 1 - tg.stop_gradient(out) * tg.stop_gradient(out)]
)
SWAPPED = Binary(
    "divide", np.divide, [lambda xp, _o, x, _y: 1 / x, lambda xp, out, _x, y: -out / y]
)
REVERSED = Structural("reverse", lambda xp, x: x[::-1], [lambda xp, g, i, shape: g])
AFFINE = Structural("shift", lambda xp, x: x + 1, [lambda xp, g, i, shape: g])


class _Stretched(Pointwise):
    """Forgets to sum over what broadcasting stretched: takes the first slice."""

    def vjp(self, node, cotangent, wanted):
        return [cotangent, cotangent[:1]][slice(*[min(wanted), max(wanted) + 1])]


STRETCHED = _Stretched("add", np.add, [1, 1])


@pytest.mark.parametrize(
    ("f", "shapes", "what"),
    [
        (TANH, [(3,)], "forward mode"),
        (DETACHED, [(3,)], "forward over reverse"),
        (SWAPPED, [(3,), (3,)], "forward mode"),
        (REVERSED, [(3,)], "reverse mode, argument 0"),
        (AFFINE, [(3,)], "forward mode"),
        (STRETCHED, [(3,), (1,)], "reverse mode, argument 1"),
    ],
)
def test_the_oracle_catches_a_planted_wrong_rule(f, shapes, what):
    with pytest.raises(AssertionError, match=what):
        oracles.check(f, *oracles.distinct(*shapes))
