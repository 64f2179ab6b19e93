"""ONNX files and inputs that cannot be used: what is refused, and with which words."""

import subprocess
import sys

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import nn
from tinygrad_res.errors import (
    DataError,
    DtypeError,
    GradientError,
    ShapeError,
    UsageError,
)

onnx = pytest.importorskip("onnx")
from onnx_programs import (  # noqa: E402 - it needs the package as well
    Writer,
    load,
    mlp,
)  # fmt: skip


def test_everything_unsupported_is_listed_at_once_with_the_names_of_its_nodes(tmp_path):
    w = Writer()
    w.add("Loop", "", "", "x", name="loop", body=onnx.helper.make_graph([], "body", [], []))
    w.add("Det", "x", name="det")
    w.add("FusedMatMul", "x", "x", name="fused", domain="com.microsoft")
    w.add("Conv", "x", "x", name="conv3", kernel_shape=[2, 2, 2])
    w.add("Resize", "x", "", np.ones(2, np.float32), name="re", antialias=1)
    _, places = w.add("MaxPool", "x", name="places", kernel_shape=[2], outputs=2)
    w.add("Cast", places, name="cast", to=onnx.TensorProto.STRING, out="y")

    with pytest.raises(DataError) as error:
        load(tmp_path, w.model({"x": ("f", [2, 2])}, ["y"]))

    lines = str(error.value).splitlines()
    assert lines[0].endswith("it uses what is not supported:")
    assert lines[1:] == [
        "  Loop: 'loop'", "  Det: 'det'", "  com.microsoft.FusedMatMul: 'fused'",
        "  Conv over 3 axes: 'conv3'", "  Resize with antialias=1: 're'",
        "  MaxPool with output 2 used: 'places'", "  Cast with to=8: 'cast'",
    ]  # fmt: skip


def test_an_operand_that_is_not_supported_is_never_taken_for_an_attribute(tmp_path):
    w = Writer(opset=23)
    w.add("Attention", *"xxx", "", *"xx", name="cached", outputs=3)
    w.nodes[0].output[0] = "y"

    with pytest.raises(DataError, match="Attention with 6 inputs: 'cached'"):
        load(tmp_path, w.model({"x": ("f", [1, 1, 2, 2])}, ["y"]))


def test_many_nodes_of_one_unsupported_operator_are_counted(tmp_path):
    w = Writer()
    for k in range(11):
        w.add("Det", "x", name=f"n{k}", out=f"y{k}")

    with pytest.raises(DataError, match=r"Det: 'n0', .* 'n7' and 3 more"):
        load(tmp_path, w.model({"x": ("f", [2, 2])}, ["y0"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no graph"),
        (b"PK\x03\x04 no model", "no ONNX file"),
        (b"hello, world", "no ONNX file"),
    ],
    ids=["empty", "zip", "text"],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, message):
    (tmp_path / "m.onnx").write_bytes(content)

    with pytest.raises(DataError, match=message):
        nn.from_onnx(tmp_path / "m.onnx")


def test_a_model_without_outputs_is_refused(tmp_path):
    model = mlp()
    del model.graph.output[:]

    with pytest.raises(DataError, match="has no output"):
        load(tmp_path, model)


def test_text_is_refused(tmp_path):
    w = Writer()
    w.add("Constant", name="word", value_string="no")
    w.add("Identity", "x", out="y")
    w.arrays["label"] = np.array(["text"], object)
    w.add("Identity", "label")

    model = w.model({"x": ("f", [1])}, ["y"])
    with pytest.raises(DataError, match="Constant of another kind: 'word'"):
        load(tmp_path, model)
    del model.graph.node[0]
    with pytest.raises(DataError, match="initialisers 'label' hold no plain numbers"):
        load(tmp_path, model)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.onnx': cannot read it"):
        nn.from_onnx(tmp_path / "nothing.onnx")


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    content = mlp().SerializeToString()
    path = tmp_path / "m.onnx"
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        with pytest.raises(DataError, match="from_onnx"):
            nn.from_onnx(path)


@pytest.mark.parametrize("harm", ["missing", "short"])
def test_missing_external_data_are_named(tmp_path, harm):
    path, model = tmp_path / "m.onnx", mlp()
    onnx.save(model, path, save_as_external_data=True, location="m.data", size_threshold=0)
    assert nn.from_onnx(path).size() == 32  # as long as they are there
    if harm == "missing":
        (tmp_path / "m.data").unlink()
    else:
        (tmp_path / "m.data").write_bytes((tmp_path / "m.data").read_bytes()[:40])

    with pytest.raises(DataError, match=r"external data|m\.data"):
        nn.from_onnx(path)


@pytest.mark.parametrize("opset", [6, 99])
def test_an_unsupported_opset_says_which_are_supported(tmp_path, opset):
    model = mlp()
    model.opset_import[0].version = opset

    with pytest.raises(DataError, match=rf"opset {opset}, and 7 to \d\d are supported"):
        load(tmp_path, model)


def test_an_invalid_model_is_refused_before_anything_runs(tmp_path):
    model = mlp()
    model.graph.node[1].input[0] = "nobody"

    with pytest.raises(DataError, match="not valid"):
        load(tmp_path, model)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ((), UsageError, r"the model takes x \(batch, 3\) of floats: given was none"),
        ((np.ones((1, 3)), np.ones(1)), UsageError, r"of floats: given was 2 in order"),
        ((np.ones((1, 4)),), ShapeError, r"shape \(1, 4\): the model declares x \(batch, 3\)"),
        ((np.ones(3),), ShapeError, r"shape \(3,\)"),
        ((np.ones((1, 3), int),), DtypeError, "dtype int64: the model declares x"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_by_what_the_model_declares(
    tmp_path, inputs, error, message
):
    with pytest.raises(error, match=message):
        load(tmp_path, mlp())(*inputs)


def test_a_file_for_so_many_examples_says_how_others_can_be_given(tmp_path):
    w = Writer()
    w.add("Relu", "x", out="y")
    network = load(tmp_path, w.model({"x": ("f", [8, 3])}, ["y"]))

    assert network(np.ones((8, 3), np.float32)).shape == (8, 3)
    with pytest.raises(ShapeError, match=r"declares x \(8, 3\) of floats: .*dynamic_shapes="):
        network(np.ones((1, 3), np.float32))
    with pytest.raises(ShapeError, match=r"declares x \(8, 3\) of floats(\n|$)"):
        network(np.ones((8, 4), np.float32))


def test_lengths_of_one_name_must_agree_over_the_inputs(tmp_path):
    w = Writer()
    w.add("Add", "a", "b", out="y")
    network = load(tmp_path, w.model({"a": ("f", ["n"]), "b": ("f", ["n"])}, ["y"]))

    with pytest.raises(ShapeError, match=r"b \(n\) of floats with n = 2(\n|$)"):
        network(np.ones(2), np.ones(1))


def test_a_step_that_does_not_fit_names_its_node(tmp_path):
    w = Writer()
    w.add("Reshape", "x", np.array([5, -1]), name="/head/Reshape", out="y")
    network = load(tmp_path, w.model({"x": ("f", ["n"])}, ["y"]))

    with pytest.raises(ShapeError, match=r"node '/head/Reshape' \(Reshape\): reshape"):
        network(np.ones(3))


def test_a_bound_that_carries_a_gradient_is_refused_where_it_would_be_lost(tmp_path):
    w = Writer()
    w.add("Pad", "x", np.array([1, 1]), "fill", out="y")
    network = load(tmp_path, w.model({"x": ("f", [2]), "fill": ("f", [])}, ["y"]))

    np.testing.assert_array_equal(network(np.ones(2), np.float64(3)).numpy(), [3, 1, 1, 3])
    with pytest.raises(GradientError, match=r"\(Pad\): shapes and bounds must not depend"):
        network(np.ones(2), tg.tensor(3.0, requires_grad=True))


def test_bounds_of_a_clip_have_gradients(tmp_path):
    w = Writer()
    w.add("Clip", "x", "low", out="y")
    network = load(tmp_path, w.model({"x": ("f", [3]), "low": ("f", [])}, ["y"]))
    low = tg.tensor(0.5, requires_grad=True)

    network(np.array([0.0, 0.2, 2.0]), low).sum().backward()

    assert low.grad.item() == 2


def test_batch_statistics_of_an_old_opset_are_refused(tmp_path):
    w = Writer(opset=9)
    state = [w.weight(name, np.ones(1)) for name in "gbmv"]
    w.add("BatchNormalization", "x", *state, outputs=5, name="bn")
    w.add("Identity", "x", out="y")

    with pytest.raises(UsageError, match=r"'bn' .*: batch normalisation in training mode needs"):
        load(tmp_path, w.model({"x": ("f", [2, 1])}, ["y"]))(np.ones((2, 1)))


def test_pieces_that_do_not_match_the_outputs_are_refused(tmp_path):
    w = Writer()
    w.add("Split", "x", np.array([1, 1, 1]), outputs=2, out="")
    w.nodes[0].output[:] = ["y", "z"]

    with pytest.raises(ShapeError, match="for 2 outputs"):
        load(tmp_path, w.model({"x": ("f", [3])}, ["y"]))(np.ones(3))


def test_dropout_that_is_to_happen_is_refused(tmp_path):
    w = Writer()
    w.add("Dropout", "x", np.float64(0.5), np.bool_(True), name="drop", out="y")

    with pytest.raises(UsageError, match=r"node 'drop' \(Dropout\): dropout in training mode"):
        load(tmp_path, w.model({"x": ("f", [2])}, ["y"]))(np.ones(2))


def test_without_the_package_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(UsageError, match=r"pip install '\.\[onnx\]'"):
        nn.from_onnx(tmp_path / "m.onnx")


def test_importing_the_package_does_not_import_onnx():
    script = "import sys, tinygrad_res; sys.exit('onnx' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
