"""What an import makes of a file's graph: activations, names, shared arrays, branches, choices."""

import inspect
import sys

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import nets, nn
from tinygrad_res.errors import GradientError

onnx = pytest.importorskip("onnx")
reference = pytest.importorskip("onnx.reference")
from onnx_programs import Writer, exported, load, of_network  # noqa: E402 - it needs the package as well

RNG = np.random.default_rng(11)
X = np.linspace(-3, 3, 8).reshape(2, 4)


def normal(*shape):
    return RNG.standard_normal(shape)


def one_input(w, out, shape=(2, 4)):
    w.add("Identity", out, out="y")
    return w.model({"x": ("f", list(shape))}, ["y"])


def counts(network, x, by="block"):
    leaf = tg.tensor(x, requires_grad=True)
    return tg.paths(network(leaf), leaf).count_by(by)


def scopes(network, x):
    leaf = tg.tensor(x, requires_grad=True)
    return {node.scope for node in tg.graph(network(leaf)).nodes if node.op}


def test_constants_take_the_precision_of_what_they_meet(tmp_path):
    w = Writer()
    fixed = w.add("Constant", value_floats=[2.0, 3.0])
    w.add("Mul", "x", w.add("Cast", fixed, to=11), out="y")
    y = load(tmp_path, w.model({"x": ("f", [2])}, ["y"]))(np.ones(2, np.float32))
    assert (y.dtype, y.data.tolist()) == (np.float32, [2.0, 3.0])


# Activations


def upper(w, gate):
    return w.add("Add", gate, np.float64(1))


def erf(w, by_product=False):
    inner = ("Mul", np.sqrt(0.5)) if by_product else ("Div", np.sqrt(2.0))
    return upper(w, w.add("Erf", w.add(inner[0], "x", inner[1])))


def tanh(w, cube):
    inner = w.add("Add", "x", w.add("Mul", np.float64(0.044715), cube))
    return upper(w, w.add("Tanh", w.add("Mul", np.sqrt(2 / np.pi), inner)))


WRITTEN = {
    "the product, then a half": ("gelu", lambda w: w.add("Mul", w.add("Mul", "x", erf(w)), 0.5)),
    "a half, then the product": ("gelu", lambda w: w.add("Mul", erf(w), w.add("Mul", 0.5, "x"))),
    "a half of the gate": ("gelu", lambda w: w.add("Mul", w.add("Mul", erf(w, True), 0.5), "x")),
    "tanh with a power": (
        "gelu",
        lambda w: w.add("Mul", 0.5, w.add("Mul", "x", tanh(w, w.add("Pow", "x", np.float64(3))))),
    ),
    "tanh with products": (
        "gelu",
        lambda w: w.add(
            "Mul", tanh(w, w.add("Mul", w.add("Mul", "x", "x"), "x")), w.add("Mul", "x", 0.5)
        ),
    ),
    "swish": ("silu", lambda w: w.add("Mul", w.add("Sigmoid", "x"), "x")),
    "mish": ("mish", lambda w: w.add("Mul", "x", w.add("Tanh", w.add("Softplus", "x")))),
    "softsign": ("softsign", lambda w: w.add("Div", "x", upper(w, w.add("Abs", "x")))),
    "softplus": (
        "softplus",
        lambda w: w.add("Where", w.add("Greater", "x", 20.0), "x", w.add("Softplus", "x")),
    ),
}


@pytest.mark.parametrize(("op", "write"), WRITTEN.values(), ids=WRITTEN)
def test_an_activation_written_in_several_operations_is_one(tmp_path, op, write):
    w = Writer()
    model = one_input(w, write(w))
    found = {}
    for as_written in (False, True):
        load(tmp_path, model)
        network = nn.from_onnx(tmp_path / "model.onnx", as_written=as_written)
        x = tg.tensor(X, requires_grad=True)
        y = network(x)
        y.sum().backward()
        found[as_written] = (y.numpy(), x.grad.numpy(), tg.paths(y, x).count())

    (values, gradient, paths), (plain_values, plain_gradient, plain_paths) = found.values()
    (want,) = reference.ReferenceEvaluator(model).run(None, {"x": X})
    np.testing.assert_allclose(values, want, rtol=1e-6, atol=1e-7)  # their erf is float32
    np.testing.assert_allclose(values, plain_values, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(gradient, plain_gradient, rtol=1e-6, atol=1e-8)
    assert (paths, plain_paths > 1) == (1, True)
    assert op in {node.op for node in tg.graph(load(tmp_path, model)(x)).nodes}


@pytest.mark.parametrize(
    "change", ["another number", "another operand", "used again", "an output", "an operand more"]
)
def test_what_is_no_activation_or_is_used_elsewhere_stays_as_it_is(tmp_path, change):
    w = Writer()
    gate = w.add("Sigmoid", "x") if change != "another number" else erf(w)
    if change == "another number":
        out = w.add("Mul", w.add("Mul", "x", gate), 0.6)
    else:
        out = w.add("Mul", "x" if change != "another operand" else w.add("Exp", "x"), gate)
    if change == "used again":
        out = w.add("Mul", out, gate)
    if change == "an operand more":
        out = w.add("Mul", w.add("Sigmoid", w.add("Add", "x", "x")), "x")
    model = one_input(w, out)
    if change == "an output":
        model.graph.output.append(onnx.helper.make_tensor_value_info(gate, 11, None))
    network = load(tmp_path, model)

    found = network(tg.tensor(X, requires_grad=True))

    y = found[0] if isinstance(found, tuple) else found
    ops = {node.op for node in tg.graph(y).nodes}
    assert not ops & {"gelu", "silu"}
    (want, *_) = reference.ReferenceEvaluator(model).run(None, {"x": X})
    np.testing.assert_allclose(y.numpy(), want, rtol=1e-5, atol=1e-6)


# Names


def test_numbered_weights_are_called_as_the_bias_beside_them_or_else_after_their_module(tmp_path):
    w, (a, b, c) = Writer(), normal(3, 4, 4)
    h = w.add("MatMul", "x", w.weight("onnx::MatMul_7", a), name="/enc/attn/MatMul")
    h = w.add("Add", w.weight("enc.attn.in_proj_bias", normal(4)), h, name="/enc/attn/Add")
    h = w.add("MatMul", h, w.weight("val_3", b), name="/enc/fc/MatMul")
    h = w.add("Mul", h, w.weight("onnx::Mul_8", normal(1, 4)), name="/enc/norm/Mul")
    h = w.add("Add", h, w.weight("onnx::Add_9", normal(1, 4)), name="/enc/norm/Add")
    h = w.add("Gemm", h, w.weight("12", c), w.weight("13", normal(4)), name="/head/Gemm")
    model = one_input(w, h)
    network = load(tmp_path, model)

    held = network.state_dict()

    assert set(held) == {
        "enc.attn.in_proj_weight", "enc.attn.in_proj_bias", "enc.fc.weight", "enc.norm.weight",
        "enc.norm.bias", "head.weight", "head.bias",
    }  # fmt: skip
    # as nn.Linear has them, of what stands transposed in the file
    np.testing.assert_array_equal(held["enc.attn.in_proj_weight"], a.T)
    np.testing.assert_array_equal(held["enc.fc.weight"], b.T)
    np.testing.assert_array_equal(held["head.weight"], c)
    assert network.plan.numbered["enc.fc.weight"] == "val_3"
    (want,) = reference.ReferenceEvaluator(model).run(None, {"x": X})
    np.testing.assert_allclose(network(X).numpy(), want)
    assert counts(network, X, "weight") == {3: 1}


def test_the_gradient_of_a_weight_that_was_turned_round_is_that_of_the_layer(tmp_path):
    w, a = Writer(), normal(4, 3)
    out = w.add("MatMul", "x", w.weight("onnx::MatMul_7", a), name="/fc/MatMul")
    network = load(tmp_path, one_input(w, out))

    cotangent = normal(2, 3)
    (network(X) * cotangent).sum().backward()

    (weight,) = network.parameters()
    assert weight.name == "fc.weight"
    np.testing.assert_allclose(weight.grad.numpy(), cotangent.T @ X)


def test_a_numbered_weight_that_is_also_used_otherwise_stays_as_it_lies(tmp_path):
    w, a = Writer(), normal(4, 4)
    h = w.add("MatMul", "x", w.weight("7", a), name="/fc/MatMul")
    out = w.add("MatMul", h, w.add("Transpose", "7", perm=[1, 0]), name="/fc/MatMul_1")
    network = load(tmp_path, one_input(w, out))

    np.testing.assert_array_equal(network.state_dict()["fc.weight"], a)
    np.testing.assert_allclose(network(X).numpy(), X @ a @ a.T)


def test_what_the_exporter_made_up_for_a_normalisation_is_no_parameter_but_a_slope_is(tmp_path):
    w = Writer()
    h = w.add("PRelu", "x", w.weight("val_1", np.array([[0.25]])), name="/act/PRelu")
    h = w.add("Reshape", h, np.array([2, 2, 2]))
    h = w.add("InstanceNormalization", h, w.weight("val_2", np.ones(2)), w.weight("val_3", np.zeros(2)))  # fmt: skip
    network = load(tmp_path, one_input(w, h))

    assert [name for name, _ in network.named_parameters()] == ["act.weight"]


def test_repr_says_what_goes_in_and_what_the_arrays_became(tmp_path):
    w = Writer()
    w.add("Constant", out="shift", value=onnx.numpy_helper.from_array(normal(4)))
    h = w.add("Add", w.add("MatMul", "x", w.weight("fc", normal(4, 4))), "shift")
    stats = [w.weight(f"bn.{n}", np.ones(4)) for n in "gbmv"]
    network = load(tmp_path, one_input(w, w.add("BatchNormalization", h, *stats), ("n", 4)))

    assert repr(network).splitlines() == [
        "OnnxNetwork(",
        "  x (n, 4) of floats -> y",
        "  parameters: 24 numbers in fc (4, 4), bn.g (4,), bn.b (4,)",
        "  buffers in bn.m (4,), bn.v (4,)",
        "  constants, which are not trained in shift (4,)",
        ")",
    ]


# Arrays of several layers


def layers(w, uses, scope="/layers.{}/fc/MatMul"):
    h = "x"
    for k, name in enumerate(uses):
        h = w.add("MatMul", h, name, name=scope.format(k))
    return one_input(w, h)


@pytest.mark.parametrize("alias", [False, True])
def test_an_array_that_the_exporter_merged_for_several_layers_is_told(tmp_path, alias):
    w = Writer()
    first = other = w.weight("layers.0.fc.weight", normal(4, 4))
    if alias:  # as PyTorch writes what was a parameter of its own
        other = w.add("Identity", first, out="layers.1.fc.weight", name="Identity_9")
    model = layers(w, [first, other])

    with pytest.warns(UserWarning, match="several layers share") as told:
        network = load(tmp_path, model)

    (message,) = [str(warning.message) for warning in told]
    assert "share 1 of its 1 parameters, such as layers.0.fc.weight" in message
    assert "which layers.0.fc, layers.1.fc use" in message
    assert "used by several modules: layers.0.fc.weight" in repr(network)
    assert told[0].filename.endswith("onnx_programs.py")  # which called from_onnx


def test_a_layer_that_is_called_again_or_tied_to_an_embedding_is_no_merge(tmp_path):
    w, h = Writer(), "x"
    f = w.weight("f.weight", normal(4, 4))
    for call in ("f", "f_1", "f_2"):
        h = w.add("MatMul", h, f, name=f"/{call}/MatMul")
    table = w.weight("emb.weight", normal(4, 4))
    rows = w.add("Gather", table, np.array([0, 1]), name="/emb/Gather")
    h = w.add("Add", w.add("MatMul", h, table, name="/head/MatMul"), rows)

    assert load(tmp_path, one_input(w, h)).plan.shared == {}


# Branches


def test_residual_networks_have_the_blocks_of_those_they_were_written_from(tmp_path):
    image = normal(1, 3, 8, 8)
    for shortcut in ("identity", "projection"):
        own = nets.resnet(8, shortcut=shortcut, rng=0).to(dtype=np.float64).eval()
        network = load(tmp_path, of_network(own))
        assert counts(network, image) == counts(own, image) == {0: 1, 1: 3, 2: 3, 3: 1}


def weighted(w, x, name="", size=4, op="MatMul"):
    return w.add(op, x, w.weight(f"w{len(w.arrays)}", normal(size, size)), name=name)


def test_scopes_of_branches_are_their_modules_or_stand_below_them(tmp_path):
    w = Writer()
    h = w.add("Add", "x", w.add("Relu", weighted(w, "x", "/a/fc/MatMul"), name="/a/act/Relu"))
    z = weighted(w, w.add("Relu", weighted(w, h, "/b/f/MatMul"), name="/b/Relu"), "/b/g/MatMul")
    h = w.add("Add", h, z, name="/b/Add")
    network = load(tmp_path, one_input(w, h))

    assert scopes(network, X) == {"", "a/fc", "a/act", "b", "b/branch", "b/branch/f", "b/branch/g"}
    assert counts(network, X) == {0: 1, 1: 2, 2: 1}


def test_branches_stand_inside_branches_and_beside_them(tmp_path):
    w = Writer()
    inner = weighted(w, "x")
    inner = w.add("Add", inner, weighted(w, inner))
    h = w.add("Add", "x", weighted(w, inner))  # 1 + z (1 + z) z
    beside = w.add("Add", w.add("Add", h, weighted(w, h)), weighted(w, h))  # 1 + z + z
    network = load(tmp_path, one_input(w, beside))

    # by blocks entered: an inner branch lies inside the outer
    assert counts(network, X) == {0: 1, 1: 3, 2: 3, 3: 2}
    assert counts(network, X, "weight") == {0: 1, 1: 2, 2: 1, 3: 3, 4: 2}


def test_a_branch_is_one_however_the_file_orders_its_nodes(tmp_path):
    w = Writer()
    long = weighted(w, "x")
    short = w.add("Transpose", "x", perm=[0, 1])
    early = w.add("Shape", long)
    long = weighted(w, w.add("Relu", long))
    short = w.add("Tanh", short)
    long = w.add("Reshape", weighted(w, long), early)  # a shape from inside, used inside
    h = w.add("Add", short, long)
    model = one_input(w, w.add("Reshape", h, early))
    network = load(tmp_path, model)

    assert counts(network, X) == {0: 1, 1: 1}
    (want,) = reference.ReferenceEvaluator(model).run(None, {"x": X})
    np.testing.assert_allclose(network(X).numpy(), want)


def tied(w):
    return w.add("Add", w.add("Tanh", "x"), w.add("Exp", "x"))


def two_layers(w):
    return w.add("Add", weighted(w, "x"), weighted(w, w.add("Tanh", weighted(w, "x"))))


def wide_shortcut(w):
    x = w.add("Reshape", "x", np.array([1, 1, 2, 4]))

    def conv(x):
        kernel = w.weight(f"k{len(w.arrays)}", normal(1, 1, 3, 3))
        return w.add("Conv", x, kernel, pads=[1, 1, 1, 1])

    return w.add("Add", conv(x), conv(w.add("Relu", conv(x))))


def used_outside(w):
    inside = weighted(w, "x")
    return w.add("Mul", w.add("Add", "x", weighted(w, inside)), inside)


def merged_elsewhere_too(w):
    branch = weighted(w, "x")
    return w.add("Mul", w.add("Add", "x", branch), branch)


def of_two_inputs(w):
    return w.add("Add", "x", weighted(w, w.weight("table", normal(2, 4))))


def recurrent(w):
    rows = [w.add("Slice", "x", [k], [k + 1], [0]) for k in range(2)]
    h = w.add("Tanh", weighted(w, rows[0]))
    return w.add("Add", weighted(w, rows[1]), weighted(w, h))


@pytest.mark.parametrize(
    "build",
    [
        tied, two_layers, wide_shortcut, used_outside, merged_elsewhere_too, of_two_inputs, recurrent,
    ],
)  # fmt: skip
def test_an_addition_without_a_shortcut_ends_no_block(tmp_path, build):
    w = Writer()
    network = load(tmp_path, one_input(w, build(w)))

    assert set(counts(network, X)) == {0}


@pytest.mark.parametrize("given_out", ["end", "inside"])
def test_a_branch_whose_value_the_network_gives_out_is_no_block(tmp_path, given_out):
    w = Writer()
    inside = w.add("Tanh", weighted(w, "x"), out="inside")
    end = weighted(w, inside)
    y = w.add("Add", "x", end)
    model = w.model({"x": ("f", [2, 4])}, [y, {"end": end, "inside": inside}[given_out]])
    network = load(tmp_path, model)
    x = tg.tensor(X, requires_grad=True)
    total, beside = network(x)

    assert tg.paths(total, x).count_by("block") == {0: 2}
    want = reference.ReferenceEvaluator(model).run(None, {"x": X})
    for found, expected in zip((total, beside), want, strict=True):
        np.testing.assert_allclose(found.numpy(), expected)


def test_a_long_chain_of_blocks_is_read_without_recursion(tmp_path):
    w, h = Writer(), "x"
    for _ in range(1200):
        h = w.add("Add", h, weighted(w, h, size=1))
    network = load(tmp_path, one_input(w, h, (1, 1)))

    x = tg.tensor(np.zeros((1, 1)), requires_grad=True)
    assert tg.paths(network(x), x).count_by("block")[1] == 1200


def test_branches_that_need_shapes_of_one_another_leave_one_in_a_row(tmp_path):
    w = Writer()
    a, b = weighted(w, "x"), weighted(w, "x")
    of_a, of_b = w.add("Shape", a), w.add("Shape", b)
    a = w.add("Relu", w.add("Reshape", a, of_b))
    b = w.add("Tanh", w.add("Reshape", b, of_a))
    h = w.add("Add", w.add("Add", "x", a), b)
    model = one_input(w, h)
    network = load(tmp_path, model)

    assert counts(network, X)[0] == 2
    (want,) = reference.ReferenceEvaluator(model).run(None, {"x": X})
    np.testing.assert_allclose(network(X).numpy(), want)


def test_branches_deep_inside_one_another_are_read_without_recursion(tmp_path):
    w, h, splits = Writer(), "x", []
    for _ in range(200):
        splits.append(h)
        h = weighted(w, h, size=1)
    for split in reversed(splits):
        h = w.add("Add", split, weighted(w, h, size=1))
    model = one_input(w, h, (1, 1))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        network = load(tmp_path, model)
        x = tg.tensor(np.zeros((1, 1)), requires_grad=True)
        assert tg.paths(network(x), x).count() == 201
    finally:
        sys.setrecursionlimit(limit)


# Choices


def choice(condition, then, otherwise, arrays=()):
    """Return a node ``If``; both sides are what makes their output's node."""
    h = onnx.helper
    made = []
    for side in (then, otherwise):
        nodes, out = side
        value = h.make_tensor_value_info(out, 11, None)
        held = [onnx.numpy_helper.from_array(v, k) for k, v in arrays if side is then]
        made.append(h.make_graph(nodes, "side", [], [value], held))
    return h.make_node("If", [condition], ["y"], then_branch=made[0], else_branch=made[1])


def squeezing(inner=None):
    """As PyTorch's older exporter writes ``squeeze(1)``: only where the axis is of length 1."""
    h, w = onnx.helper, Writer(opset=12)
    length = w.add("Gather", w.add("Shape", "x"), np.array([1]), axis=0)
    one = w.add("Equal", length, np.array([1]))
    then = [h.make_node("Squeeze", ["x"], ["s"], axes=[1]), h.make_node("Mul", ["s", "k"], ["t"])]
    otherwise = [h.make_node("Identity", ["x"], ["s"])]
    w.nodes.append(choice(one, (then, "t"), (otherwise, "s"), [("k", np.array([3.0]))]))
    return w.model({"x": ("f", ["n", "m", 3])}, ["y"])


@pytest.mark.parametrize(("shape", "factor"), [((2, 1, 3), 3), ((2, 2, 3), 1)])
def test_of_two_graphs_the_one_runs_that_the_shapes_say(tmp_path, shape, factor):
    network = load(tmp_path, squeezing())
    x = tg.tensor(normal(*shape), requires_grad=True)

    y = network(x)
    y.sum().backward()

    np.testing.assert_allclose(y.numpy(), factor * (x.numpy()[:, 0] if factor > 1 else x.numpy()))
    np.testing.assert_array_equal(x.grad.numpy(), np.full(shape, factor))
    assert tg.paths(y, x).count() == 1


@pytest.mark.parametrize(("a", "b", "want"), [(1, 1, 4), (1, 0, 3), (0, 1, 2)])
def test_choices_inside_choices_run_as_their_conditions_say(tmp_path, a, b, want):
    h, w = onnx.helper, Writer()
    both = w.add("Cast", "c", to=onnx.TensorProto.BOOL)
    first, second = (w.add("Gather", both, np.array([k]), axis=0) for k in (0, 1))

    def add(x, times):
        return ([h.make_node("Mul", [x, f"k{times}"], ["s"])], "s")

    for k in (2, 3, 4):
        w.weight(f"k{k}", np.float64(k))
    inner = choice(second, add("x", 4), add("x", 3))
    inner.output[0] = "inner"
    w.nodes.append(choice(first, ([inner], "inner"), add("x", 2)))
    network = load(tmp_path, w.model({"x": ("f", [2]), "c": ("i", [2])}, ["y"]))

    assert network(np.ones(2), np.array([a, b])).numpy().tolist() == [want, want]


def test_a_choice_that_a_gradient_would_be_lost_in_is_refused(tmp_path):
    w = Writer()
    side = ([onnx.helper.make_node("Identity", ["x"], ["s"])], "s")
    w.nodes.append(choice("x", side, side))
    model = w.model({"x": ("f", [1])}, ["y"])

    with pytest.raises(GradientError, match="must not depend on what carries a gradient"):
        load(tmp_path, model)(tg.tensor(np.ones(1), requires_grad=True))


def test_an_unsupported_operator_of_pytorch_names_the_other_exporter(tmp_path):
    for dynamo in (False, True):
        w = Writer()
        w.add("Det", "x", name="det", out="y")
        model = w.model({"x": ("f", [2, 2])}, ["y"])
        model.producer_name = "pytorch"
        if dynamo:
            model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes", value="['']")
        with pytest.raises(tg.errors.DataError, match=rf"dynamo={not dynamo}\), may do without"):
            load(tmp_path, model)


# Exported from PyTorch


def torch_transformer(torch):
    layer = torch.nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, batch_first=True, activation="gelu"
    )
    encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return torch.nn.Sequential(torch.nn.Linear(8, 8), encoder).eval()


def torch_images(torch):
    n = torch.nn
    module = n.Sequential(
        n.Conv2d(8, 4, 3, bias=False), n.BatchNorm2d(4), n.SiLU(), n.LocalResponseNorm(3),
        n.GroupNorm(2, 4), n.PReLU(), n.Flatten(), n.Linear(24, 2),
    ).eval()  # fmt: skip
    for name, array in module.named_buffers():
        if "running" in name:
            torch.nn.init.uniform_(array, 0.5, 1.5)
    return module


OLDER = {"dynamo": False, "do_constant_folding": False, "keep_initializers_as_inputs": True}


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (torch_transformer, {"dynamo": False}),
        (torch_transformer, {"dynamo": True}),
        (torch_transformer, {"dynamo": True, "optimize": False}),
        (torch_images, OLDER),
        (torch_images, {"dynamo": True, "optimize": False}),
    ],
    ids=["older", "dynamo", "as help says", "images, older, as help says", "images as help says"],
)
def test_parameters_have_pytorchs_names_and_gradients(tmp_path, build, options):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = build(torch)
    if "optimize" not in options and options is not OLDER:
        for array in module.parameters():  # equal ones would be merged
            torch.nn.init.normal_(array, std=0.5)
    if options is OLDER:
        options = {**OLDER, "training": torch.onnx.TrainingMode.PRESERVE}
    x = torch.rand(2, 5, 8) if build is torch_transformer else torch.rand(2, 8, 4, 5)
    exported(tmp_path / "m.onnx", module, x, **options)

    network = nn.from_onnx(tmp_path / "m.onnx")

    weight = torch.rand_like(module(x))
    (module(x) * weight).sum().backward()
    (network(x.numpy()) * weight.numpy()).sum().backward()
    own = dict(network.named_parameters())
    assert set(own) == {name for name, _ in module.named_parameters()}
    for name, array in module.named_parameters():
        want = array.grad.numpy()
        assert own[name].shape == want.shape
        np.testing.assert_allclose(own[name].grad.numpy(), want, rtol=1e-3, atol=1e-4)
    if build is torch_transformer:
        leaf = tg.tensor(x.numpy(), requires_grad=True)
        # two layers of (1 + z^2 in three ways) (1 + z^2), behind one
        assert tg.paths(network(leaf), leaf).count_by("weight") == {1: 1, 3: 8, 5: 22, 7: 24, 9: 9}
        assert tg.paths(network(leaf), leaf).count_by("block") == {0: 1, 1: 8, 2: 22, 3: 24, 4: 9}
