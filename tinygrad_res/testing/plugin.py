"""The pytest plugin: ``check_gradient``, ``check_formula`` and ``check_paths`` as fixtures.

pytest finds it by itself where the package is installed.  A fixture imports what it
needs when a test asks for it, so that tests of other things start no later::

    def test_softplus(check_gradient):
        check_gradient(softplus, np.array([-1.0, 0.5]))
"""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(name="check_gradient")
def _check_gradient() -> Callable[..., None]:
    """Assert that the derivatives of a function are right; see tinygrad_res.testing."""
    from .gradient import check_gradient

    return check_gradient


@pytest.fixture(name="check_formula")
def _check_formula() -> Callable[..., None]:
    """Assert that a hand-derived gradient formula is right; see tinygrad_res.testing."""
    from .formula import check_formula

    return check_formula


@pytest.fixture(name="check_paths")
def _check_paths() -> Callable[..., None]:
    """Assert that sums over gradient paths equal backward; see tinygrad_res.testing."""
    from .flow import check_paths

    return check_paths
