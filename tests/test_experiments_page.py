"""The page of experiments in notebooks/: a section for each, with its command and its picture."""

import re

import pytest
from notebook_scripts import NOTEBOOKS, script

from tinygrad_res.experiments import EXPERIMENTS

PAGE = (NOTEBOOKS / "experiments.md").read_text(encoding="utf-8")
PICTURES = sorted((NOTEBOOKS / "experiments").iterdir())
LARGEST = 250_000


@pytest.fixture(scope="module")
def page():
    """The script that makes the page, as a module."""
    return script("experiments")


def test_every_experiment_has_a_claim_a_command_and_a_picture(page):
    claimed = [name for claims in page.CLAIMS.values() for name in claims]
    assert sorted(claimed) == sorted(EXPERIMENTS)
    assert re.findall(r"tinygrad-res experiment ([\w-]+)\n", PAGE) == claimed
    assert re.findall(r"\(experiments/([\w-]+)\.svg\)", PAGE) == claimed
    assert [path.stem for path in PICTURES] == sorted(claimed)


def test_the_page_says_what_the_script_says(page):
    for claims in page.CLAIMS.values():
        for name, claim in claims.items():
            assert page.section(name, claim, "").split("```text")[0] in PAGE


@pytest.mark.parametrize("name", ["chain-rule", "residual-module", "forward-paths"])
def test_a_table_of_the_page_is_what_the_experiment_says(page, name):
    section = page.section(name, _claim(page, name), EXPERIMENTS[name].run().table())
    assert _in_words(section) in _in_words(PAGE)


def _in_words(text):
    """Leave numbers away, whose last digit depends on the machine, and the spaces beside them."""
    return re.sub(r"[-+]?[\d.,]+(e[-+]?\d+)?\s*|\s+", " ", text)


def _claim(page, name):
    return next(claims[name] for claims in page.CLAIMS.values() if name in claims)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_small_and_follows_its_reader_into_the_dark(path):
    content = path.read_text(encoding="utf-8")
    assert len(content.encode()) < LARGEST
    assert "prefers-color-scheme:dark" in content
