"""The command line, run as a user runs it."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from tinygrad_res import backend, data, nets, report
from tinygrad_res.cli import main
from tinygrad_res.errors import DeviceError
from tinygrad_res.experiments import EXPERIMENTS, effective_paths
from tinygrad_res.tensor_paths import TensorPaths

ROOT = Path(__file__).resolve().parents[1]


def command(*arguments, cwd=None):
    """Run ``python -m tinygrad_res`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_res", *arguments], capture_output=True, text=True,
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "new folder"
    return command("paths", "residual-mlp", "--train", "60", "--out", str(out)), out


def test_table_counts_every_path_and_ends_with_the_weight_free_line(finished):
    result, _ = finished
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    counts = {
        row[0]: row[1] for row in rows if len(row) == 4 and row[0] in ("0", "2", "4", "6", "all")
    }
    assert counts == {"0": "1", "2": "3", "4": "3", "6": "1", "all": "8"}
    assert "weight-free: 1 of 2^3 paths, carries " in result.stdout
    assert "between\nthe stem's output and the classifier's input" in result.stdout


def test_graded_parts_are_checked_against_backward(finished):
    result, out = finished
    assert "check: the graded parts sum to backward's gradient" in result.stdout
    report = json.loads((out / "report.json").read_text())
    assert report["graded_sum_relative_error"] < 1e-12
    rows = report["by_weight_layers_crossed"]
    assert sum(row["signed_share"] for row in rows) == pytest.approx(1)
    assert report["weight_free_share"] == rows[0]["signed_share"]
    assert (report["paths"], report["weight_free_paths"]) == ("8", "1")


def test_training_shows_progress_and_its_outcome(finished):
    result, out = finished
    assert "training residual-mlp" in result.stderr
    training = json.loads((out / "report.json").read_text())["training"]
    assert training["loss"][1] < training["loss"][0]


def test_files_are_complete_and_no_other_is_left(finished):
    _, out = finished
    assert sorted(p.name for p in out.iterdir()) == ["paths.png", "paths.svg", "report.json"]
    assert (out / "paths.png").read_bytes().startswith(b"\x89PNG")
    text = "".join(ET.parse(out / "paths.svg").getroot().itertext())
    assert "1 weight-free" in text
    assert "of 8" in text


def test_same_seed_gives_the_same_report(tmp_path, capsys):
    reports = []
    for name in ("a", "b"):
        assert main(["paths", "residual-mlp", "--train", "5", "--out", str(tmp_path / name)]) == 0
        reports.append((tmp_path / name / "report.json").read_text())
    assert reports[0] == reports[1]


def test_plain_network_has_no_weight_free_path(tmp_path, capsys):
    assert main(["paths", "plain-mlp", "--train", "0", "--out", str(tmp_path)]) == 0
    assert "weight-free: 0 of 1 paths, carries 0 of the gradient" in capsys.readouterr().out


def test_deep_chain_is_counted_exactly_and_drawn_collapsed(tmp_path, capsys):
    assert (
        main(["paths", "residual-mlp", "--depth", "110", "--train", "0", "--out", str(tmp_path)])
        == 0
    )
    assert "weight-free: 1 of 2^54 paths" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["paths"] == str(2**54)
    assert len(report["by_weight_layers_crossed"]) == 55


def test_resnet_is_trained_counted_and_drawn(tmp_path, capsys):
    assert main(["paths", "resnet20", "--train", "2", "--batch", "8", "--out", str(tmp_path)]) == 0
    assert "weight-free: 1 of 2^9 paths" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet19x"], "unknown model 'resnet19x': use one of residual-mlp"),
        (["residual-mlp", "--depth", "7"], "--depth 7: a network of two-layer blocks"),
        (["residual-mlp", "--blocks", "0"], "blocks=0: pass an int of at least 1"),
        (["residual-mlp", "--train", "-1"], "--train -1: must be at least 0"),
        (["residual-mlp", "--batch", "1"], "--batch 1: must be at least 2"),
        (["residual-mlp", "--lr", "0"], "--lr 0: must be positive"),
        (["residual-mlp", "--data", "mnist"], "unknown data 'mnist': use 'digits'"),
        (["plain-mlp", "--lr", "1e30", "--train", "9"], "diverged at step"),
        (["residual-mlp", "--lr", "100", "--train", "30"], "diverged at step"),
        (["resnet110", "--depth", "20"], "resnet110 has 54 blocks, not 9"),
    ],
)
def test_bad_arguments_end_in_one_line_and_write_nothing(tmp_path, capsys, arguments, message):
    assert main(["paths", *arguments, "--out", str(tmp_path)]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert list(tmp_path.iterdir()) == []


def test_norms_of_the_table_are_those_of_the_enumerated_paths():
    digits = data.load("digits")
    network = nets.residual_mlp(2, rng=np.random.default_rng(0))
    account = report.examine(network, digits, batch=8)
    parts = {k: np.zeros((8, 1, 8, 8)) for k in account.counts}
    for path in account.paths:
        parts[path.degree("weight")] += path.product()
    assert list(parts) == [0, 2, 4]
    for k, part in parts.items():
        assert account.norms[k] == pytest.approx(np.linalg.norm(part), rel=1e-9)
    assert account.gradient_norm == pytest.approx(np.linalg.norm(sum(parts.values())), rel=1e-9)


def test_examining_a_network_leaves_it_as_it_was():
    network = nets.residual_mlp(1, rng=np.random.default_rng(0)).eval()
    before = network.parameters()
    report.examine(network, data.load("digits"), batch=8)
    assert all(p is q for p, q in zip(before, network.parameters(), strict=True))
    assert not network.training


def test_parts_that_do_not_sum_are_reported_and_end_in_status_1(tmp_path, capsys, monkeypatch):
    right = TensorPaths.gradient_by
    monkeypatch.setattr(
        TensorPaths,
        "gradient_by",
        lambda *args, **options: {k: 1.01 * g for k, g in right(*args, **options).items()},
    )
    arguments = ["paths", "residual-mlp", "--blocks", "1", "--train", "0", "--out", str(tmp_path)]
    assert main(arguments) == 1
    assert "the graded parts DO NOT SUM to backward's gradient" in capsys.readouterr().out


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_reader_that_closes_early_sees_no_traceback(tmp_path, unbuffered):
    arguments = f"paths residual-mlp --blocks 1 --train 0 --out {tmp_path}"
    shell = f"'{sys.executable}' -m tinygrad_res {arguments} | true"
    result = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr


def test_long_counts_are_shown_by_their_leading_digits():
    assert report._digits(10**17) == "100,000,000,000,000,000"
    assert report._digits(10**18 - 1) == "999,999,999,999,999,999"
    assert report._digits(2**600) == "4.1495...e+180"


def test_unknown_command_and_option_end_in_one_line():
    for arguments in (
        ["dance"],
        ["paths", "residual-mlp", "--size", "3"],
        ["paths"],
        ["experiment", "x"],
    ):
        result = command(*arguments)
        assert result.returncode == 2
        assert len(result.stderr.splitlines()) == 1
        assert "error:" in result.stderr


def test_nan_in_the_data_is_found_before_training(tmp_path, capsys):
    x = np.ones((20, 4))
    x[3, 1] = np.nan
    np.savez(tmp_path / "bad.npz", x=x, y=np.arange(20) % 2)
    out = tmp_path / "out"
    assert (
        main(["paths", "residual-mlp", "--data", str(tmp_path / "bad.npz"), "--out", str(out)]) == 2
    )
    assert (
        "1 values that are NaN or infinite (in float32), the first at (3, 1)"
        in capsys.readouterr().err
    )
    assert not out.exists()


def test_output_folder_that_cannot_be_written_is_found_before_training(tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert main(["paths", "residual-mlp", "--out", str(blocked / "sub")]) == 2
    assert "cannot write there" in capsys.readouterr().err


def test_cuda_without_a_gpu_names_the_mend(tmp_path, capsys):
    try:
        backend.cupy()
    except DeviceError:
        assert main(["paths", "residual-mlp", "--device", "cuda", "--out", str(tmp_path)]) == 2
        assert "device 'cuda'" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []
    else:
        pytest.skip("this machine has a GPU, so the device is there")


def test_experiment_prints_its_table_and_writes_plot_and_numbers(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(effective_paths, "RANDOM_BLOCKS", 3)
    monkeypatch.setitem(effective_paths.SETTINGS, True, {"steps": 1, "samples": 1, "runs": 1})
    out = tmp_path / "new"
    arguments = ["experiment", "effective-path-length", "--quick", "--seed", "2"]
    assert main([*arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "24 blocks of width 64; seed 2" in printed
    assert "weight-free path's share" in printed
    assert "quick setting: one short run and few samples" in printed
    written = ["effective-path-length.json", "effective-path-length.png"]
    assert sorted(p.name for p in out.iterdir()) == written
    values = json.loads((out / written[0]).read_text())
    assert (values["seeds"], values["quick"], values["blocks"]) == ([2], True, 24)


def test_experiments_are_listed_with_what_they_show(capsys):
    with pytest.raises(SystemExit):
        main(["experiment", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    for name, row in EXPERIMENTS.items():
        assert f"{name} {row.shows}" in words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["effective-path-length", "--seed", "-1"], "--seed -1: must be at least 0"),
        (
            ["effective-path-length", "--out", "/dev/null/x"],
            "--out /dev/null/x: cannot write there",
        ),
    ],
)
def test_bad_experiment_arguments_end_in_one_line(
    tmp_path, capsys, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert main(["experiment", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
