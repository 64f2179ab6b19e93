"""Which devices the tests run on.

Every test of the modules in ``ENGINE`` runs on the CPU and on a stand-in for CuPy, and on
CuPy itself where a GPU answers or ``-m gpu`` asks for it.  What the test hands to the engine
lands on the device by itself (see ``devices``).  Tests of other modules that take ``xp``, an
array module, run on the stand-in and on CuPy, and place their arrays themselves.  On the
stand-in every such test ends with the check that the engine pulled nothing to the host.

A test marked ``cpu`` speaks of NumPy itself, or of no array at all, and runs there alone.

Tests that take ``browser`` or ``show`` open pages in Chromium, and are left out without one.
"""

from __future__ import annotations

import importlib
import sys

import chromium
import devices
import numpy as np
import pytest
import standin

from tinygrad_res import backend

ENGINE = {
    "test_activations", "test_batches", "test_constants", "test_contractions", "test_conventions", "test_convolution",
    "test_cumulative", "test_custom", "test_errors", "test_general", "test_grading", "test_hooks", "test_indexing", "test_linalg",
    "test_mutation", "test_operators", "test_pointwise", "test_primitives", "test_recording",
    "test_reductions", "test_softmaxes", "test_structural", "test_sweeps", "test_transforms",
    "test_trees",
}  # fmt: skip


def pytest_configure(config):
    config.addinivalue_line("markers", "cpu: speaks of NumPy itself, and runs on no other device")


def pytest_generate_tests(metafunc):
    others = devices.beside_the_cpu(metafunc.config)
    if "xp" in metafunc.fixturenames:
        metafunc.parametrize("xp", others, indirect=True)
    elif metafunc.module.__name__ in ENGINE and not metafunc.definition.get_closest_marker("cpu"):
        metafunc.parametrize("array_module", ["cpu", *others], indirect=True)


@pytest.fixture(autouse=True)
def array_module(request, monkeypatch):
    """The array module that the test runs on, with the engine's doors open to it."""
    name = getattr(request, "param", "cpu")
    if name == "cpu":
        return np
    module = _module(name, request)
    devices.open_doors(monkeypatch, module)
    return module


@pytest.fixture
def put(array_module):
    """A function that copies values to the device of the test, for tests that change them there."""
    return lambda values: array_module.array(np.array(values))


@pytest.fixture
def xp(request):
    """The array module of a device, for tests that place their arrays there themselves."""
    return _module(request.param, request)


def _module(name, request):
    if name == "standin":
        return request.getfixturevalue("standing_in")
    return importlib.import_module("cupy")


@pytest.fixture
def standing_in(monkeypatch):
    """The stand-in in CuPy's place; in the end, the engine must have pulled nothing."""
    monkeypatch.setitem(backend.modules, standin.Array, standin.module)
    monkeypatch.setitem(sys.modules, "cupy", standin.module)
    monkeypatch.setitem(sys.modules, "cupyx.scipy.special", standin.special)
    standin.transfers.clear()
    yield standin.module
    standin.assert_the_engine_pulled_nothing()


@pytest.fixture(scope="module")
def browser():
    """Chromium, running."""
    if chromium.program() is None:
        pytest.skip("no Chromium on the PATH")
    with chromium.chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    """A function that opens the explorer's page of a set of paths; in the end, all were quiet."""
    from explorer_pages import pages

    with pages(browser, tmp_path) as opener:
        yield opener
