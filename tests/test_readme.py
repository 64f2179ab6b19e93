"""The README's Python runs as it stands, and says what the README says it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_res.testing import GradientCheckError

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
FAILURE = re.search(r"^```text\nGradientCheckError: (.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_code_runs_and_the_wrong_formula_is_told_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    *good, wrong = BLOCKS
    names = {}

    for block in good:
        exec(block, names)
    with pytest.raises(GradientCheckError) as caught:
        exec(wrong, names)

    assert (tmp_path / "paths.svg").exists()
    assert names["p"].count() == 16
    assert names["p"].count_by("weight") == {0: 2, 1: 6, 2: 6, 3: 2}
    assert set(names["p"].gradient_by("weight")) == {0, 1, 2, 3}
    assert sorted(names["outcome"].history) == [100, 200, 300]
    assert names["outcome"].score == pytest.approx(0.98, abs=0.015)
    for name, values in names["network"].state_dict().items():
        np.testing.assert_array_equal(values, names["other"].state_dict()[name])
    assert str(caught.value).split() == FAILURE[1].split()
