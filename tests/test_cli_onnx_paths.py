"""The command paths on networks in ONNX files: table, files and numbers, and what is refused."""

import json

import numpy as np
import pytest
from commands import fails

import tinygrad_res as tg
from tinygrad_res import cli, nn, onnx_files
from tinygrad_res.cli import main
from tinygrad_res.errors import DataError, UsageError

pytest.importorskip("onnx")
import onnx_programs
from test_cli_onnx import chain, lookup, steps, written

X = np.random.default_rng(9).standard_normal((5, 4))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder to work in, which holds networks and arrays."""
    monkeypatch.setattr(onnx_programs, "RNG", np.random.default_rng(5))
    for build in (chain, lookup, steps, onnx_programs.mlp):
        (tmp_path / f"{build.__name__}.onnx").write_bytes(build().SerializeToString())
    np.savez(tmp_path / "x.npz", x=X)
    np.savez(tmp_path / "named.npz", y=X)
    np.savez(tmp_path / "empty.npz")
    np.savez(tmp_path / "integers.npz", x=X.astype(int))
    np.savez(tmp_path / "nan.npz", x=np.where(X > 1, np.nan, X))
    np.savez(tmp_path / "wide.npz", x=np.ones((5, 3)))
    (tmp_path / "text.npz").write_text("hello, world")
    np.savez_compressed(tmp_path / "damaged.npz", x=X)
    content = bytearray((tmp_path / "damaged.npz").read_bytes())
    content[46:76] = b"\xff" * 30  # zlib cannot go on there
    (tmp_path / "damaged.npz").write_bytes(content)
    np.save(tmp_path / "one.npy", X)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(folder):
    return json.loads((folder / "out" / "report.json").read_text())


def test_the_account_is_that_of_the_paths_of_the_network_on_the_given_numbers(files, capsys):
    assert main(["paths", "chain.onnx", "--data", "x.npz", "--out", "out"]) == 0

    told = capsys.readouterr().out
    network = nn.from_onnx("chain.onnx")
    x = tg.tensor(X, requires_grad=True)
    logits = network(x)[0]
    logits.sum().backward()
    size = sum(p.size for p in network.parameters())
    assert told.startswith(f"chain.onnx: 8 weight layers on the longest path, {size} parameters\n")
    assert "as it is in the file, on x (5, 4) of x.npz\n" in told
    assert "gradient of the sum of logits by x (5, 4)" in told
    assert "weight-free: 0 of 2^3 paths" in told
    values = report(files)
    # z^2 (1 + z^2)^3: stem and head, and three blocks of two
    rows = values["by_weight_layers_crossed"]
    assert [(row["weight_layers"], row["paths"]) for row in rows] == [
        (2, "1"), (4, "3"), (6, "3"), (8, "1"),
    ]  # fmt: skip
    assert values["gradient_norm"] == pytest.approx(np.linalg.norm(x.grad.numpy()), rel=1e-12)
    assert sum(row["signed_share"] for row in rows) == pytest.approx(1, rel=1e-12)
    assert values["graded_sum_relative_error"] < 1e-12
    assert (values["data"], values["degrees_counted_between"]) == ("x.npz", ["logits", "x"])
    assert sorted(p.name for p in (files / "out").iterdir()) == [
        "paths.png", "paths.svg", "report.json",
    ]  # fmt: skip


def test_parts_are_products_of_the_weights_worked_out_without_the_engine(files):
    w = onnx_programs.Writer()
    a, b = np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([[1.0, 1.0], [0.0, 1.0]])
    h = w.add("MatMul", "x", w.weight("a", a), name="/a/MatMul")
    w.add("Add", w.add("MatMul", h, w.weight("b", b), name="/b/MatMul"), h, out="y")
    (files / "m.onnx").write_bytes(w.model({"x": ("f", [1, 2])}, ["y"]).SerializeToString())

    assert main(["paths", "m.onnx", "--out", "out"]) == 0

    one, two = np.ones(2) @ a.T, np.ones(2) @ b.T @ a.T
    norms = {row["weight_layers"]: row["gradient_norm"] for row in report(files)["by_weight_layers_crossed"]}  # fmt: skip
    assert norms == pytest.approx({1: np.linalg.norm(one), 2: np.linalg.norm(two)})


def test_an_output_that_is_named_is_summed_and_the_seed_says_the_numbers(files, capsys):
    found = []
    for seed in ("3", "3", "4"):
        assert main(["paths", "chain.onnx:features", "--seed", seed, "--shape", "x=2,4", "--out", "out"]) == 0  # fmt: skip
        found.append(report(files)["gradient_norm"])
    told = capsys.readouterr().out
    assert "on random x (2, 4), seed 3\ngradient of the sum of features by x (2, 4)" in told
    assert found[0] == found[1] != found[2]


def test_token_ids_lead_to_what_they_look_up(files, capsys):
    np.savez("ids.npz", ids=np.array([1, 0, 1]))
    assert main(["paths", "lookup.onnx", "--data", "ids.npz", "--out", "out"]) == 0
    told = capsys.readouterr().out
    assert "on ids (3,) of ids.npz; random mask (3,), seed 0" in told
    assert "by table (2, 3)" in told


def test_single_precision_is_held_to_its_own_tolerance(files, monkeypatch, capsys):
    w = onnx_programs.Writer()
    h = w.add("MatMul", "x", w.weight("a", np.random.default_rng(1).standard_normal((8, 8)).astype(np.float32)))  # fmt: skip
    w.add("Add", h, "x", out="y")
    model = w.model({"x": ("f", [1, 8])}, ["y"])
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = 1
    (files / "m.onnx").write_bytes(model.SerializeToString())
    assert main(["paths", "m.onnx", "--out", "out"]) == 0
    monkeypatch.setitem(cli.TOLERANCES, 4, -1.0)
    assert main(["paths", "m.onnx", "--out", "out"]) == 1
    assert "DO NOT SUM" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chain.onnx", "--train", "3"], "--train is for the networks of the zoo, not for chain.onnx"),
        (["chain.onnx", "--depth", "8"], "--depth is for the networks of the zoo"),
        (["chain.onnx", "--lr", "1"], "--lr is for the networks of the zoo"),
        (["chain.onnx:logit"], "has no output 'logit' (did you mean 'logits'?)"),
        (["chain.onnx", "--data", "none.npz"], "--data none.npz: there is no such file"),
        (["chain.onnx", "--data", "text.npz"], "write it with numpy.savez(path, x=...)"),
        (["chain.onnx", "--data", "damaged.npz"], "write it with numpy.savez(path, x=...)"),
        (["chain.onnx", "--data", "one.npy"], "write it with numpy.savez(path, x=...)"),
        (["chain.onnx", "--data", "empty.npz"], "--data empty.npz: holds no array: give x"),
        (["chain.onnx", "--data", "named.npz"], "holds an array 'y': the network's inputs are x"),
        (["chain.onnx", "--data", "integers.npz"], "x: the array is of dtype int64, and chain.onnx declares x (batch, 4) of floats"),
        (["chain.onnx", "--data", "nan.npz"], "x: the array holds NaN or infinities"),
        (["chain.onnx", "--data", "wide.npz"], "x=5,3: the model declares x (batch, 4) of floats"),
        (["chain.onnx", "--seed", "-1"], "--seed -1: must be at least 0"),
        (["steps.onnx", "--shape", "b=1"], "the output label holds int64"),
        (["none.onnx"], "'none.onnx': cannot read it"),
        (["residual-mlp", "--shape", "x=3"], "--shape is for a network in a file, and residual-mlp is none"),
    ],
)  # fmt: skip
def test_what_cannot_be_weighed_is_said_in_a_line_and_nothing_is_written(
    files, capsys, arguments, message
):
    before = written(files)
    assert message in fails(capsys, "paths", *arguments, "--out", "out")
    assert written(files) == before
    assert not (files / "out").exists()


def test_arrays_are_inputs_by_name_and_finite(files):
    with pytest.raises(UsageError, match=r"chain\.onnx has no input 'q': it takes x"):
        onnx_files.take(files / "chain.onnx", arrays={"q": X})
    with pytest.raises(DataError, match="the array holds NaN"):
        onnx_files.take(files / "chain.onnx", arrays={"x": X * np.inf})
