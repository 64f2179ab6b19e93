"""The commands draw and explore, on networks in ONNX files."""

import sys
from pathlib import Path

import numpy as np
import pytest
from commands import fails, shown

import tinygrad_res as tg
import viz
from tinygrad_res import drawing, nn, onnx_files
from tinygrad_res.cli import main
from tinygrad_res.errors import UsageError

onnx = pytest.importorskip("onnx")
import onnx_programs  # noqa: E402 - it needs the package as well

RNG = np.random.default_rng(7)


def chain(blocks=3, width=4):
    """Write a stem, residual blocks and a head as PyTorch's exporter does, weights numbered."""
    w, rng = onnx_programs.Writer(), np.random.default_rng(7)

    def linear(x, module):
        array = w.weight(f"onnx::MatMul_{len(w.arrays)}", rng.standard_normal((width, width)) / 2)
        return w.add("MatMul", x, array, name=f"/{module.replace('.', '/')}/MatMul")

    h = linear("x", "stem")
    for k in range(blocks):
        z = w.add("Relu", linear(h, f"body.{k}.first"))
        h = w.add("Add", h, linear(z, f"body.{k}.second"), name=f"/body/{k}/Add")
    w.add("Relu", h, out="features")
    w.nodes.append(onnx.helper.make_node("Identity", [linear("features", "head")], ["logits"]))
    return w.model({"x": ("f", ["batch", width])}, ["logits", "features"])


def lookup(places=2, width=3):
    """Token ids that an embedding takes through a cast and another axis, and a mask of integers."""
    w = onnx_programs.Writer()
    ids = w.add("Unsqueeze", w.add("Cast", "ids", to=onnx.TensorProto.INT32), np.array([0]))
    h = w.add("Gather", w.weight("table", RNG.standard_normal((places, width))), ids, axis=0)
    mask = w.add("Unsqueeze", w.add("Cast", "mask", to=onnx.TensorProto.DOUBLE), np.array([1]))
    h = w.add("MatMul", w.add("Mul", h, mask), w.weight("fc", RNG.standard_normal((width, 1))))
    w.add("Relu", h, out="y")
    return w.model({"ids": ("i", ["tokens"]), "mask": ("i", ["tokens"])}, ["y"])


def steps():
    """Two inputs, one of unknown rank, and outputs of which the first holds integers."""
    w = onnx_programs.Writer()
    w.add("Add", "a", "b", out="s")
    w.add("ArgMax", "s", axis=0, out="label")
    w.add("Mul", "a", "b", out="p")
    return w.model({"a": ("f", ["n"]), "b": ("f", None)}, ["label", "p", "s"])


def window():
    """A convolution that one pixel is too small for."""
    w = onnx_programs.Writer()
    w.add("Conv", "x", w.weight("k", np.ones((1, 1, 3, 3))), name="/conv/Conv", out="y")
    return w.model({"x": ("f", ["n", 1, "h", "w"])}, ["y"])


def unsupported():
    w = onnx_programs.Writer()
    w.add("Det", "x", name="one")
    w.add("FusedMatMul", "x", "x", name="two", domain="com.microsoft", out="y")
    return w.model({"x": ("f", [2, 2])}, ["y"])


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder to work in, which holds the networks."""
    monkeypatch.setattr(onnx_programs, "RNG", np.random.default_rng(5))
    (tmp_path / "models").mkdir()
    for build in (
        chain,
        lookup,
        steps,
        window,
        unsupported,
        onnx_programs.mlp,
        onnx_programs.transformer,
    ):
        (tmp_path / "models" / f"{build.__name__}.onnx").write_bytes(build().SerializeToString())
    (tmp_path / "models" / "text.onnx").write_text("hello, world")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


# What is drawn


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["chain"], "a chain of 3 blocks: 0 weight-free paths of 8, on random x (1, 4)"),
        (["chain:features", "--shape", "x=5,4"], "0 weight-free paths of 8, on random x (5, 4)"),
        # (1 + 3) (1 + 1): attention's three operands, and GELU, which is one operation
        (["transformer", "--shape", "x=2,3,4"], "1 weight-free path of 8, on random x (2, 3, 4)"),
        (["mlp", "--to", "fc1.weight"], "1 weight-free path of 2, on random x (1, 3)"),
        (["mlp", "--to", "body.0.weight"], "1 weight-free path of 1, on random x (1, 3)"),
        (["lookup"], "1 path, through 1 weight layer, on random ids (1,), mask (1,)"),
        (["steps:p", "--shape", "b=1"], "(tensor level): 1 path, on random a (1,), b (1,)"),
        (["mlp", "--level", "scope"], "(scope level): 0 weight-free paths of 2"),
        # 3 numbers to 4 units, of which 2 are on, and from each to 4 sums, or straight on
        (["mlp", "--level", "scalar"], "(scalar level): 30 of 60 paths are active"),
    ],
)
def test_what_is_drawn(files, capsys, arguments, words):
    name, *rest = arguments
    file, colon, output = name.partition(":")
    assert main(["draw", f"models/{file}.onnx{colon}{output}", *rest]) == 0
    assert written(files) == [f"{file}.svg"]
    told = capsys.readouterr().out
    assert told.startswith(f"wrote {file}.svg: ") and words in told


def test_the_figure_is_the_one_that_the_library_draws(files):
    assert main(["draw", "models/mlp.onnx", "--seed", "3", "--width", "90mm"]) == 0

    x = tg.tensor(np.random.default_rng(3).standard_normal((1, 3)), requires_grad=True, name="x")
    y = nn.from_onnx("models/mlp.onnx")(x)
    y.name = "y"
    figure = viz.draw(tg.paths(y.sum(), x), size="90mm")
    assert (files / "mlp.svg").read_text() == figure.svg


def test_the_seed_says_the_numbers(files):
    for name, seed in (("a", []), ("b", ["--seed", "0"]), ("c", ["--seed", "1"])):
        draw = ["draw", "models/transformer.onnx", "--shape", "x=1,2,4", "-o", f"{name}.svg"]
        assert main([*draw, *seed]) == 0
    a, b, c = ((files / f"{name}.svg").read_text() for name in "abc")
    assert a == b != c


def test_weights_that_were_only_numbered_are_called_after_their_modules(files, capsys):
    assert main(["draw", "models/chain.onnx", "-o", "a.svg"]) == 0
    assert "body.0.first.weight" in shown(files / "a.svg")
    assert "onnx::" not in shown(files / "a.svg")
    for name in ("onnx::MatMul_1", "body.0.first.weight"):
        assert main(["explore", "models/chain.onnx", "--to", name, "--no-browser"]) == 0
        assert "Paths(4 from sum to body.0.first.weight)" in capsys.readouterr().out


@pytest.fixture
def merged(files):
    """A network of which three layers use one weight, the numbered one."""
    w = onnx_programs.Writer()
    w.weight("9", np.eye(2))
    w.weight("a.weight", np.eye(2))
    h = w.add("MatMul", "x", "9", name="/a/MatMul")  # whose name is taken
    h = w.add("MatMul", w.add("MatMul", h, "9", name="/b/MatMul"), "9", name="/c/MatMul")
    w.add("MatMul", h, "a.weight", out="y")
    Path("m.onnx").write_bytes(w.model({"x": ("f", [1, 2])}, ["y"]).SerializeToString())


def test_a_numbered_weight_of_several_modules_is_called_after_the_first(merged):
    found = onnx_files.take(Path("m.onnx"))
    assert {k: p.name for k, p in found.variables.items()} == {
        "x": "x", "9": "b.weight", "b.weight": "b.weight", "a.weight": "a.weight",
    }  # fmt: skip


@pytest.mark.parametrize("command", ["draw", "explore", "paths"])
def test_layers_that_share_a_weight_are_noted_in_one_line(merged, capsys, command):
    assert main([command, "m.onnx", *["--no-browser"] * (command == "explore")]) == 0
    (line,) = (one for one in capsys.readouterr().err.splitlines() if "several layers" in one)
    assert line.startswith(
        "tinygrad-res: note: 'm.onnx': several layers share 1 of its 2 parameters"
    )
    assert "such as b.weight, which a, b, c use" in line


def test_what_is_not_highlighted_is_faded(files):
    path = ["draw", "models/transformer.onnx", "--highlight", "weight-free", "--style", "dark"]
    assert main([*path, "-o", "a.svg"]) == 0
    assert "weight-free: 1 path" in shown(files / "a.svg")


def test_an_output_may_have_a_colon_in_its_name(files, capsys):
    w = onnx_programs.Writer()
    w.add("Relu", "in.onnx:0", out="out:0")
    model = w.model({"in.onnx:0": ("f", [2])}, ["out:0"])
    Path("m.onnx").write_bytes(model.SerializeToString())
    assert main(["draw", "m.onnx:out:0", "--shape", "in.onnx:0=2", "-o", "a.svg"]) == 0
    assert "on random in.onnx:0 (2,)" in capsys.readouterr().out


def test_the_page_is_written_and_opened(files, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(drawing.webbrowser, "open", lambda address: opened.append(address) or True)
    assert main(["explore", "models/chain.onnx:logits"]) == 0
    assert opened == [(files / "chain.html").as_uri()]
    told = capsys.readouterr().out
    assert told == "wrote chain.html: Paths(8 from sum to x), on random x (1, 4)\n"


# What it runs on


def test_token_ids_are_drawn_from_all_places_and_paths_lead_to_what_they_look_up(files):
    found = onnx_files.take(Path("models/lookup.onnx"), shapes={"ids": (50,)})

    assert (found.x.name, found.x.shape) == ("table", (2, 3))
    assert set(found.variables["ids"].numpy()) == {0, 1}
    assert set(found.variables["mask"].numpy()) == {1}
    assert tg.paths(found.value, found.x).count_by("weight") == {1: 1}


def test_ids_that_look_up_what_is_computed_are_zero(files):
    w = onnx_programs.Writer()
    w.add("Gather", w.add("Slice", "x", [0], [1], [0]), "k", axis=0, out="y")
    model = w.model({"k": ("i", [9]), "x": ("f", [4])}, ["y"])
    Path("m.onnx").write_bytes(model.SerializeToString())

    found = onnx_files.take(Path("m.onnx"))

    assert found.value.item() == pytest.approx(9 * found.variables["x"].numpy()[0])
    assert found.x is found.variables["x"]


def test_floats_have_the_dtype_of_the_weights_and_are_standard_normal(files):
    found = onnx_files.take(Path("models/chain.onnx"), shapes={"x": (2000, 4)})

    x = found.variables["x"]
    assert x.dtype == np.float64
    assert abs(x.numpy().mean()) < 0.05 and abs(x.numpy().std() - 1) < 0.05


def test_the_loss_is_the_sum_of_the_output(files):
    found = onnx_files.take(Path("models/mlp.onnx"), shapes={"x": (5, 3)}, seed=2)

    out = nn.from_onnx("models/mlp.onnx")(np.random.default_rng(2).standard_normal((5, 3)))

    assert found.value.item() == pytest.approx(out.numpy().sum())


def test_lengths_of_one_name_follow_the_shape_that_was_given(files):
    found = onnx_files.take(Path("models/lookup.onnx"), shapes={"mask": (6,)})

    assert found.variables["ids"].shape == (6,)


# What cannot be drawn


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chain.onnx:logit"], "chain.onnx has no output 'logit' (did you mean 'logits'?): it has logits, features"),
        (["chain.onnx:"], "'models/chain.onnx:' names no output: give one, or leave the colon out"),
        (["steps.onnx", "--shape", "b=1"], "the output label holds int64, which carries no gradient: name one of floats, p, s"),
        (["steps.onnx:p"], "does not say the shape of its input b (floats): give it, as in --shape b=1,3,224,224"),
        (["chain.onnx", "--shape", "y=1,4"], "--shape y: models/chain.onnx has no such input: it takes x (batch, 4) of floats"),
        (["chain.onnx", "--shape", "x=1,5"], "--shape x=1,5: the model declares x (batch, 4) of floats"),
        (["chain.onnx", "--shape", "x=4"], "--shape x=4: the model declares x (batch, 4) of floats"),
        (["lookup.onnx", "--shape", "ids=2", "--shape", "mask=3"], "--shape mask=3: the model declares mask (tokens) of integers, with tokens = 2"),
        (["chain.onnx", "--shape", "x=1,4", "--shape", "x=2,4"], "--shape: an input is given two shapes"),
        (["chain.onnx", "--shape", f"x={10**15},4"], "its inputs are too large at {'x': (1000000000000000, 4)}"),
        (["chain.onnx", "--to", "q"], "no tensor 'q' is in its graph: --to is one of 'x' (1, 4), 'stem.weight' (4, 4)"),
        (["chain.onnx", "--to", "ids"], "models/chain.onnx: no tensor 'ids' is in its graph"),
        (["window.onnx"], "lengths left open are 1: give yours, as in --shape x=8,1,8,8"),
        (["unsupported.onnx"], "it uses what is not supported:   Det: 'one'   com.microsoft.FusedMatMul: 'two'"),
        (["text.onnx"], "'models/text.onnx': it is no ONNX file"),
        (["none.onnx"], "'models/none.onnx': cannot read it (No such file or directory)"),
        (["chain.onnx", "--", "--layers", "3"], "what stands after -- is for scripts, and models/chain.onnx is a network"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said_in_a_line_and_nothing_is_written(
    files, capsys, arguments, message
):
    name, *rest = arguments
    assert message in fails(capsys, "draw", f"models/{name}", *rest)
    assert message in fails(capsys, "explore", f"models/{name}", *rest)
    assert written(files) == []


def test_a_step_that_fails_at_a_shape_that_was_given_is_not_blamed_on_open_lengths(files, capsys):
    told = fails(capsys, "draw", "models/window.onnx", "--shape", "x=1,1,2,2")
    assert told.startswith("models/window.onnx: node '/conv/Conv' (Conv): ")
    assert "left open" not in told


@pytest.mark.parametrize("option", [["--shape", "x=1"], ["--seed", "0"]], ids=" ".join)
def test_options_of_networks_are_refused_for_scripts(files, capsys, option):
    told = fails(capsys, "draw", "net.py:loss", *option)
    assert told == f"{option[0]} is for networks, and net.py:loss is a script"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--shape", "1,3"], "'1,3' is no shape: give an input and its lengths, as in x=1,3,224,224"),
        (["--shape", "x=1,a"], "'x=1,a' is no shape"),
        (["--shape", "x=0,3"], "'x=0,3' is no shape"),
        (["--shape", "x=1,,3"], "'x=1,,3' is no shape"),
        (["--seed", "-1"], "'-1' is no seed: give a whole number from 0"),
        (["--seed", "a"], "'a' is no seed"),
    ],
)  # fmt: skip
def test_shapes_and_seeds_that_are_none_end_as_other_bad_options_do(files, capsys, option, message):
    with pytest.raises(SystemExit) as end:
        main(["draw", "models/chain.onnx", "=".join(option)])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_network_without_inputs_leads_to_a_parameter_that_is_asked_for(files, capsys):
    w = onnx_programs.Writer()
    w.add("Exp", w.weight("table", np.ones((2, 2))), out="y")
    Path("m.onnx").write_bytes(w.model({}, ["y"]).SerializeToString())
    assert "no input, only parameters: choose by --to 'table'" in fails(capsys, "draw", "m.onnx")
    assert main(["draw", "m.onnx", "--to", "table"]) == 0
    assert "on random" not in capsys.readouterr().out


def test_without_the_package_the_error_says_how_to_get_it(files, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    told = fails(capsys, "draw", "models/chain.onnx")
    assert "pip install '.[onnx]'" in told


def test_an_output_without_floats_anywhere_says_so(files):
    w = onnx_programs.Writer()
    w.add("ArgMax", "x", axis=0, out="y")
    Path("m.onnx").write_bytes(w.model({"x": ("f", [3])}, ["y"]).SerializeToString())
    with pytest.raises(UsageError, match="carries no gradient: no output holds floats"):
        onnx_files.take(Path("m.onnx"))
