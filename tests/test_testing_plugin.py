"""pytest hands the checks out as fixtures, and finds them through the package's entry point."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TEST = """
    import numpy as np
    import tinygrad_res as tg

    def test_gradient(check_gradient):
        check_gradient(tg.tanh, np.array([0.5, -1.0]))

    def test_formula(check_formula):
        check_formula(lambda x: tg.sum(x * x), lambda x: 2 * x, np.array([0.5, -1.0]))

    def test_paths(check_paths):
        x = tg.tensor([0.5, -1.0], requires_grad=True)
        check_paths(tg.sum(x * x), x)

    def test_wrong(check_formula):
        check_formula(lambda x: tg.sum(x * x), lambda x: -2 * x, np.array([0.5, -1.0]))
"""


@pytest.fixture
def run(pytester):
    """Run tests with the plugin, installed or not."""
    pytester.makepyfile(TEST)
    options = (
        "-p",
        "no:tinygrad_res",
        "-p",
        "tinygrad_res.testing.plugin",
        "-p",
        "no:cacheprovider",
    )
    return lambda *more: pytester.runpytest(*options, *more)


def test_the_checks_are_fixtures_of_the_same_names(run):
    result = run()

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*looks like: the sign is wrong everywhere*"])


def test_the_fixtures_are_listed_with_what_they_do(run):
    result = run("--fixtures")

    result.stdout.fnmatch_lines(
        [f"{name}*" for name in ("check_gradient", "check_formula", "check_paths")]
    )


def test_the_package_declares_the_plugin():
    settings = configparser.ConfigParser()
    settings.read(Path(__file__).parents[1] / "setup.cfg")

    assert "tinygrad_res.testing.plugin" in settings["options.entry_points"]["pytest11"]
