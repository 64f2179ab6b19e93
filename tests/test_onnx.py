"""Whole networks from ONNX files: their values, names, scopes, gradients and paths."""

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import nets, nn
from tinygrad_res.errors import (
    DeviceError,
)

onnx = pytest.importorskip("onnx")
reference = pytest.importorskip("onnx.reference")
from onnx_programs import (  # noqa: E402 - it needs the package as well
    Writer,
    exported,
    load,
    mlp,
    normal,
    of_network,
    transformer,
)  # fmt: skip


def difference(f, array, step=1e-6):
    """Return the derivative of a number by every element, from central differences."""
    found = np.zeros(array.shape)
    for k in np.ndindex(*array.shape):
        ends = []
        for sign in (1, -1):
            moved = array.copy()
            moved[k] += sign * step
            ends.append(f(moved))
        found[k] = (ends[0] - ends[1]) / (2 * step)
    return found


# Values, names, scopes


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("build", [mlp, transformer])
def test_a_network_gives_what_the_reference_gives_for_any_batch(tmp_path, build, batch):
    model = build()
    shape = (batch, 3) if build is mlp else (batch, 5, 4)
    x = normal(*shape)

    out = load(tmp_path, model)(x)

    (want,) = reference.ReferenceEvaluator(model).run(None, {"x": x})
    assert out.dtype == want.dtype
    np.testing.assert_allclose(out.numpy(), want, rtol=1e-6, atol=1e-8)  # their erf is float32


def test_parameters_have_the_names_and_values_of_the_file(tmp_path):
    model = mlp()

    network = load(tmp_path, model)

    arrays = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    assert {n: p.name for n, p in network.named_parameters()} == {n: n for n in arrays}
    for name, array in arrays.items():
        np.testing.assert_array_equal(network.state_dict()[name], array)


def test_operations_are_filed_under_the_scopes_that_their_nodes_names_say(tmp_path):
    network = load(tmp_path, mlp())
    graph = tg.graph(network(tg.tensor(normal(2, 3), requires_grad=True)))

    scopes = {node.op: node.scope for node in graph.nodes}

    assert (scopes["relu"], scopes["matmul"]) == ("act", "body/body.0")


def test_steps_in_a_row_of_one_module_share_a_visit_of_its_scope(tmp_path):
    w, h = Writer(), "x"
    for name in ("/a/x/0", "/a/x/1", "/a/y/2", "/b/3", "/a/4"):
        h = w.add("Tanh", h, name=f"{name}/Tanh")
    w.add("Identity", h, out="y")
    network = load(tmp_path, w.model({"x": ("f", [2, 3])}, ["y"]))
    x = tg.tensor(normal(2, 3), requires_grad=True)

    visited = [node.label for node in tg.graph(network(x)).scopes(1).nodes if node.kind == "scope"]

    assert visited == ["a#1", "b", "a#2"]


def test_scopes_beside_a_node_are_taken_as_the_exporter_writes_them(tmp_path):
    model = mlp()
    model.graph.node[2].name = "node_linear"
    model.graph.node[2].metadata_props.add(
        key="pkg.torch.onnx.name_scopes", value="['', 'body', 'body.0', 'body.0.fc', 'linear']"
    )
    graph = tg.graph(load(tmp_path, model)(tg.tensor(normal(2, 3), requires_grad=True)))

    assert {node.op: node.scope for node in graph.nodes}["matmul"] == "body/0/fc"


def test_shapes_and_constants_of_the_host_leave_no_operation_in_the_record(tmp_path):
    x = tg.tensor(normal(2, 5, 4), requires_grad=True)

    graph = tg.graph(load(tmp_path, transformer())(x))

    operations = [node.op for node in graph.nodes]
    assert operations.count("sqrt") == operations.count("take") == operations.count("concat") == 0
    assert operations.count("softmax") == 1


def test_inputs_go_in_by_name_too_and_outputs_come_in_order(tmp_path):
    w = Writer()
    w.add("Sub", "a", "b", out="d")
    w.add("Add", "a", "b", out="s")
    network = load(tmp_path, w.model({"a": ("f", [2]), "b": ("f", [2])}, ["s", "d"]))

    total, rest = network(np.array([5.0, 6.0]), b=np.array([1.0, 2.0]))

    assert (total.numpy().tolist(), rest.numpy().tolist()) == ([6, 8], [4, 4])


def test_what_the_file_holds_becomes_parameters_buffers_or_constants(tmp_path):
    w = Writer()
    stats = [w.weight(f"bn.{n}", np.full(3, v)) for n, v in zip("gbmv", (2.0, 1.0, 0.5, 4.0))]
    h = w.add("BatchNormalization", "x", *stats, epsilon=0.0)
    h = w.add("Add", h, w.weight("mask", np.array([0.0, -np.inf, 0.0])))
    h = w.add("Mul", h, w.weight("half", np.float64(0.5)))
    h = w.add("Mul", h, w.weight("alpha", np.array([3.0])))
    h = w.add("Mul", h, w.weight("val_7", np.array([2.0])))
    w.add("Gather", h, w.weight("places", np.array([0, 2])), axis=1, out="y")
    network = load(tmp_path, w.model({"x": ("f", [1, 3])}, ["y"]))

    assert [name for name, _ in network.named_parameters()] == ["bn.g", "bn.b", "alpha"]
    assert [name for name, _ in network.named_buffers()] == ["bn.m", "bn.v", "mask"]
    # ((4.5 - 0.5) / 2 * 2 + 1) / 2 * 3 * 2
    np.testing.assert_allclose(network(np.full((1, 3), 4.5)).numpy(), [[15, 15]])


def test_an_array_that_no_gradient_reaches_is_a_buffer(tmp_path):
    w = Writer()
    closed = w.add(
        "Equal", w.add("Slice", w.weight("mask", np.eye(3)), [0], [2], [0]), np.float64(0)
    )
    whole = w.add("Cast", w.weight("whole", normal(2, 1)), to=onnx.TensorProto.INT64)
    w.add("Where", closed, "x", w.add("Cast", whole, to=onnx.TensorProto.DOUBLE), out="y")
    network = load(tmp_path, w.model({"x": ("f", [2, 3])}, ["y"]))

    assert network.parameters() == []
    assert [name for name, _ in network.named_buffers()] == ["mask", "whole"]


def test_a_constant_node_that_a_product_takes_as_weight_is_one(tmp_path):
    w = Writer()
    for name, array in (("W", normal(3, 2)), ("b", normal(2))):
        w.add("Constant", out=name, value=onnx.numpy_helper.from_array(array))
    w.add("Add", w.add("MatMul", "x", "W"), "b", out="y")
    network = load(tmp_path, w.model({"x": ("f", [1, 3])}, ["y"]))
    x = tg.tensor(normal(1, 3), requires_grad=True)

    assert [name for name, _ in network.named_parameters()] == ["W"]
    assert tg.paths(network(x), x).count_by("weight") == {1: 1}


def test_an_initialiser_called_like_a_method_is_kept_under_another_name(tmp_path):
    w = Writer()
    w.add("MatMul", "x", w.weight("size", normal(3, 2)), out="y")
    network = load(tmp_path, w.model({"x": ("f", [1, 3])}, ["y"]))

    assert list(network.state_dict()) == ["size_"]
    assert network.parameters()[0].name == "size"
    assert network.size() == 6


def test_functions_of_the_file_are_taken_apart(tmp_path):
    w = Writer()
    w.add("Twice", "x", out="y", domain="own")
    model = w.model({"x": ("f", [2])}, ["y"])
    inside = onnx.helper.make_node("Add", ["a", "a"], ["b"])
    opsets = [onnx.helper.make_opsetid("", 17)]
    model.functions.append(
        onnx.helper.make_function("own", "Twice", ["a"], ["b"], [inside], opsets)
    )
    model.opset_import.append(onnx.helper.make_opsetid("own", 1))

    assert load(tmp_path, model)(np.array([1.0, 2.0])).numpy().tolist() == [2, 4]


def test_a_network_can_be_saved_loaded_and_trained(tmp_path):
    network, other = load(tmp_path, mlp()), load(tmp_path, mlp())  # of different numbers
    x = normal(8, 3)
    other.load(network.save(tmp_path / "w.safetensors"))
    np.testing.assert_array_equal(other(x).numpy(), network(x).numpy())

    optimiser = tg.optim.SGD(network.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        loss = (network(x) ** 2).mean()
        network.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())

    assert losses[-1] < 0.5 * losses[0]


# Gradients and paths


@pytest.mark.parametrize("build", [mlp, transformer])
def test_gradients_are_those_of_finite_differences(tmp_path, build):
    network = load(tmp_path, build())
    x = normal(*((2, 3) if build is mlp else (1, 3, 4)))
    weight = network.parameters()[0]
    leaf = tg.tensor(x, requires_grad=True)
    cotangent = normal(*network(x).shape)
    (network(leaf) * cotangent).sum().backward()

    def by_weight(array):
        before, weight.data = weight.data, array
        loss = float((network(x).numpy() * cotangent).sum())
        weight.data = before
        return loss

    at_x = difference(lambda array: float((network(array).numpy() * cotangent).sum()), x)
    np.testing.assert_allclose(leaf.grad.numpy(), at_x, rtol=1e-6, atol=1e-7)
    at_weight = difference(by_weight, weight.numpy())
    np.testing.assert_allclose(weight.grad.numpy(), at_weight, rtol=1e-6, atol=1e-7)


def test_a_residual_network_has_the_values_and_paths_of_the_one_it_was_written_from(tmp_path):
    own = nets.resnet(20, rng=0).to(dtype=np.float64).eval()
    x = tg.tensor(normal(1, 3, 8, 8), requires_grad=True)

    imported = load(tmp_path, of_network(own))

    np.testing.assert_allclose(imported(x).numpy(), own(x).numpy(), rtol=1e-10)
    counts = tg.paths(imported(x), x).count_by("weight")
    # z^2 (1 + z^2)^9, He et al. 2015, option A
    assert counts == {2 + 2 * k: n for k, n in enumerate((1, 9, 36, 84, 126, 126, 84, 36, 9, 1))}
    assert counts == tg.paths(own(x), x).count_by("weight")
    assert imported.size() == own.size() == 269_722


def test_projections_count_as_in_the_network_they_were_written_from(tmp_path):
    own = nets.resnet(8, shortcut="projection", rng=0).to(dtype=np.float64).eval()
    x = tg.tensor(normal(1, 3, 8, 8), requires_grad=True)

    y = load(tmp_path, of_network(own))(x)

    counts = tg.paths(y, x).count_by("weight")
    assert counts == {4: 1, 5: 2, 6: 2, 7: 2, 8: 1}  # z^2 (1 + z^2) (z + z^2)^2
    assert counts == tg.paths(own(x), x).count_by("weight")
    assert "body/1/shortcut/0" in {node.scope for node in tg.graph(y).nodes}


def test_graded_parts_of_an_imported_block_sum_to_its_gradient(tmp_path):
    network = load(tmp_path, transformer())
    x = tg.tensor(normal(1, 3, 4), requires_grad=True)
    loss = (network(x) ** 2).sum()

    parts = tg.paths(loss, x).gradient_by("weight")

    loss.backward()
    assert set(parts) == {0, 2, 4}
    np.testing.assert_allclose(sum(parts.values()), x.grad.numpy(), rtol=1e-12, atol=1e-12)


# Exported from PyTorch


def torch_block(torch):
    layer = torch.nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, batch_first=True, norm_first=True, activation="gelu"
    )
    return torch.nn.Sequential(torch.nn.Embedding(11, 8), layer, torch.nn.Linear(8, 5))


def torch_images(torch):
    n = torch.nn
    return n.Sequential(
        n.Conv2d(3, 4, 3, stride=2, padding=1, bias=False), n.BatchNorm2d(4), n.SiLU(),
        n.Conv2d(4, 8, 3, groups=2), n.GroupNorm(2, 8), n.ReLU6(), n.MaxPool2d(2, ceil_mode=True),
        n.Upsample(scale_factor=2, mode="bilinear"), n.AdaptiveAvgPool2d(1), n.Flatten(),
        n.Linear(8, 2), n.Hardswish(), n.LogSoftmax(-1),
    ).eval()  # fmt: skip


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (torch_images, {"dynamo": False, "opset_version": 11}),
        (torch_images, {"dynamo": False, "opset_version": 18}),
        (torch_block, {"dynamo": False, "opset_version": 17}),
        (torch_block, {"dynamo": True}),
    ],
    ids=["images of opset 11", "images of opset 18", "a block", "a block by dynamo"],
)
def test_what_pytorch_exports_gives_what_pytorch_gives(tmp_path, build, options):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = build(torch)
    for array in module.parameters():  # equal ones, such as new scales, would be merged
        torch.nn.init.normal_(array, std=0.5)
    draw = torch.randint if build is torch_block else torch.rand
    args = (0, 11) if build is torch_block else ()
    shape = (5,) if build is torch_block else (3, 12, 12)
    exported(tmp_path / "m.onnx", module, draw(*args, (2, *shape)), **options)

    network = nn.from_onnx(tmp_path / "m.onnx")

    for batch in (2, 3):
        x = draw(*args, (batch, *shape))
        want = module(x).detach().numpy()
        np.testing.assert_allclose(network(x.numpy()).numpy(), want, rtol=1e-4, atol=1e-5)
    held = network.state_dict()
    same = [k for k, v in module.state_dict().items() if k in held and v.shape == held[k].shape]
    assert same


# Devices


def test_a_network_runs_on_a_device_and_brings_nothing_to_the_host(tmp_path, xp):
    network = load(tmp_path, transformer()).to("cuda")
    host = load(tmp_path, transformer())
    host.load_state_dict({k: v.get() for k, v in network.state_dict().items()})
    x = normal(2, 5, 4)
    leaf = tg.tensor(xp.asarray(x), requires_grad=True)

    out = network(leaf)
    out.sum().backward()

    np.testing.assert_allclose(out.numpy(), host(x).numpy(), rtol=1e-12)


def test_a_shape_that_depends_on_values_of_a_device_is_refused(tmp_path, xp):
    w = Writer()
    w.add("Expand", np.array([1.0]), "n", out="y")
    network = load(tmp_path, w.model({"n": ("i", [1])}, ["y"]))

    assert network(np.array([3])).shape == (3,)
    with pytest.raises(DeviceError, match="values on a device"):
        network(xp.asarray(np.array([3])))
