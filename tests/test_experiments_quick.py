"""Every experiment on its quick setting, as the command runs it; and a few on the processes of a cluster."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from test_experiments_data import SMALL

from tinygrad_res.cli import main
from tinygrad_res.experiments import EXPERIMENTS

SHOWN = {
    "activations", "additions-and-concatenations", "chain-rule", "dead-units", "effective-path-length",
    "five-blocks", "forward-paths", "fully-connected", "lesions", "path-lengths", "residual-module",
    "shattered-gradients", "singularities", "skip-regression", "vanishing-gradients", "zoo",
}  # fmt: skip
"""The experiments whose claim holds in a quick run; the others train too little for theirs."""

SHARED = {name: SMALL[name] for name in ("lesions", "path-lengths")} | {
    "residual-module": {"runs": 3},
    "zoo": {"models": ["residual-mlp", "resnet20"], "side": 32},
    "skip-regression": {"steps": 20, "penalties": [0.03], "runs": 2},
}
"""Experiments of every kind, trained and not, and keywords for which they take a moment."""


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_command_writes_what_a_quick_run_finds(name, tmp_path, capsys):
    assert main(["experiment", name, "--quick", "--out", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    (said,) = [line for line in table.splitlines() if line.startswith("in short, ")]
    if name in SHOWN:
        assert said.startswith("in short, for the claim: ")
    else:
        assert "quick setting: " in table
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    json.loads((tmp_path / f"{name}.json").read_text(), parse_constant=pytest.fail)


@pytest.fixture(scope="module")
def alone():
    return {name: EXPERIMENTS[name].run(**few) for name, few in SHARED.items()}


def test_processes_find_the_same_numbers(alone):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = {name: EXPERIMENTS[name].run(**few, executor=pool) for name, few in SHARED.items()}
    assert found == alone


def test_the_processes_of_a_cluster_find_the_same_numbers(alone):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with (
        distributed.LocalCluster(2, threads_per_worker=2, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = {
            name: EXPERIMENTS[name].run(**few, executor=client) for name, few in SHARED.items()
        }
    assert found == alone
