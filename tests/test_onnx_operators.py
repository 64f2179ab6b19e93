"""Every operator of ONNX that is supported, against the format's own reference evaluator."""

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res.nn.onnx_operators import OPERATORS

onnx = pytest.importorskip("onnx")
reference = pytest.importorskip("onnx.reference")
from onnx_cases import Case, Fixed, cases, ints  # noqa: E402 - it needs the package as well

COUNT = len(cases(0))


def save(path, nodes, inputs, initialisers, outputs, opset=18):
    """Write a model, and return it."""
    h = onnx.helper
    graph = h.make_graph(
        nodes, "model",
        [h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in inputs.items()],
        [h.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in initialisers.items()],
    )  # fmt: skip
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return model


def build(path, case):
    """Write a model of one node, and return it with what to feed."""
    left_out = [isinstance(value, str) for value in case.inputs]
    names = ["" if out else f"i{k}" for k, out in enumerate(left_out)]
    pairs = [(k, v) for k, v in zip(names, case.inputs) if k]
    given = {k: v for k, v in pairs if not isinstance(v, Fixed)}
    fixed = {k: v.array for k, v in pairs if isinstance(v, Fixed)}
    outputs = [f"o{k}" for k in range(case.outputs)]
    node = onnx.helper.make_node(case.op, names, outputs, name="it", **case.attributes)
    return save(path, [node], given, fixed, outputs, case.opset), given


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "k", range(COUNT), ids=[f"{c.op}-{k}" for k, c in enumerate(cases(0))]
)  # fmt: skip
def test_an_operator_gives_what_the_reference_gives(tmp_path, k, seed):
    case = cases(seed)[k]
    model, given = build(tmp_path / "model.onnx", case)

    out = tg.nn.from_onnx(tmp_path / "model.onnx")(**given)

    wanted = reference.ReferenceEvaluator(model).run(None, given)
    for got, want in zip(out if isinstance(out, tuple) else (out,), wanted, strict=True):
        assert got.shape == np.shape(want)
        assert got.dtype == np.asarray(want).dtype
        np.testing.assert_allclose(got.numpy(), want, rtol=2e-5, atol=2e-6)


def test_every_operator_of_the_table_is_among_the_cases():
    assert {case.op for case in cases(0)} == set(OPERATORS) - {"If"}  # see test_onnx_graphs


@pytest.mark.parametrize("op", OPERATORS)
def test_no_operand_takes_the_place_of_an_attribute_in_any_opset(op):
    operator = OPERATORS[op]
    known = range(7, onnx.defs.onnx_opset_version() + 1)
    schemas = [onnx.defs.get_schema(op, k, "") for k in known if onnx.defs.has(op, k, "")]
    assert schemas
    for schema in schemas:
        variadic = operator.most > len(operator.names)
        operands = operator.names[: 1 if variadic else min(schema.max_input, operator.most)]
        assert not set(operands) & set(schema.attributes)


# Where the reference evaluator refuses, or does not follow the specification


def run(path, op, *inputs, opset=18, **attributes):
    """Return what we make of one operator."""
    _, given = build(path / "model.onnx", Case(op, list(inputs), attributes, opset, 1))
    return tg.nn.from_onnx(path / "model.onnx")(**given).numpy()


@pytest.mark.parametrize(("axis", "over"), [(1, (1, 2)), (0, (0, 1, 2)), (-1, (2,))])
def test_a_softmax_before_opset_13_goes_over_all_axes_from_there_on(tmp_path, axis, over):
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    share = np.exp(x) / np.exp(x).sum(axis=over, keepdims=True)

    np.testing.assert_allclose(run(tmp_path, "Softmax", x, opset=11, axis=axis), share)
    np.testing.assert_allclose(run(tmp_path, "LogSoftmax", x, opset=11, axis=axis), np.log(share))


def test_a_maximum_padded_lower_is_one_padded_upper_seen_from_the_other_end(tmp_path):
    x = np.random.default_rng(0).standard_normal((1, 2, 7, 6))
    options = {"kernel_shape": [3, 2], "strides": [2, 1]}

    lower = run(tmp_path, "MaxPool", x, auto_pad="SAME_LOWER", **options)
    upper = run(tmp_path, "MaxPool", x[..., ::-1, ::-1].copy(), auto_pad="SAME_UPPER", **options)

    assert lower.shape == (1, 2, 4, 6)
    np.testing.assert_array_equal(lower, upper[..., ::-1, ::-1])


@pytest.mark.parametrize(("op", "value"), [("MaxPool", 5), ("AveragePool", 3)])
def test_no_window_starts_behind_the_end_of_an_axis(tmp_path, op, value):
    x = np.array([[[1.0, 5.0, 2.0]]])

    out = run(tmp_path, op, x, kernel_shape=[2], strides=[3], ceil_mode=1)

    assert out.tolist() == [[[value]]]


def test_a_transposed_convolution_in_groups_is_one_of_each_half(tmp_path):
    r = np.random.default_rng(0)
    x, w = r.standard_normal((2, 4, 5)), r.standard_normal((4, 3, 2))

    halves = [run(tmp_path, "ConvTranspose", x[:, k : k + 2], Fixed(w[k : k + 2])) for k in (0, 2)]

    whole = run(tmp_path, "ConvTranspose", x, Fixed(w), group=2)
    np.testing.assert_allclose(whole, np.concatenate(halves, axis=1))


@pytest.mark.parametrize(("auto", "part"), [("NOTSET", slice(2, 10)), ("SAME_UPPER", slice(1, 9))])
def test_an_output_shape_cuts_a_transposed_convolution_at_both_ends(tmp_path, auto, part):
    r = np.random.default_rng(0)
    x, w = r.standard_normal((1, 2, 4)), Fixed(r.standard_normal((2, 3, 5)))

    whole = run(tmp_path, "ConvTranspose", x, w, strides=[2])
    cut = run(tmp_path, "ConvTranspose", x, w, strides=[2], output_shape=[8], auto_pad=auto)

    assert whole.shape == (1, 3, 11)
    np.testing.assert_array_equal(cut, whole[..., part])


def test_a_negative_width_of_a_border_cuts(tmp_path):
    x = np.arange(6.0).reshape(2, 3)

    out = run(tmp_path, "Pad", x, ints(0, -1, 1, 1))

    np.testing.assert_array_equal(out, [[1, 2, 0], [4, 5, 0], [0, 0, 0]])


def test_elements_are_gathered_for_the_places_of_the_indices_alone(tmp_path):
    x = np.arange(12.0).reshape(3, 4)

    out = run(tmp_path, "GatherElements", x, Fixed(np.array([[3, -4]])), axis=1)

    np.testing.assert_array_equal(out, [[3, 0]])


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resizing_in_opset_10_is_the_upsampling_that_it_replaced(tmp_path, mode):
    x = np.random.default_rng(0).standard_normal((1, 2, 3, 4))
    scales = Fixed(np.array([1, 1, 2, 1.5], np.float32))

    new = run(tmp_path, "Resize", x, scales, mode=mode, opset=10)

    assert new.shape == (1, 2, 6, 6)
    np.testing.assert_array_equal(new, run(tmp_path, "Upsample", x, scales, mode=mode, opset=9))


def test_a_size_is_computed_in_the_precision_of_its_scale(tmp_path):
    scales = Fixed(np.array([1, 1, 0.7], np.float32))  # 0.69999999 in double precision

    assert run(tmp_path, "Resize", np.ones((1, 1, 10)), "", scales).shape == (1, 1, 7)


def test_a_place_is_computed_in_the_precision_of_its_scale(tmp_path):
    x, scales = np.arange(11.0).reshape(1, 1, 11), Fixed(np.array([1, 1, 1.7], np.float32))

    out = run(
        tmp_path, "Resize", x, "", scales, nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )  # fmt: skip

    assert out[0, 0, 16:].tolist() == [9, 10]  # 16 / 1.7 and 17 / 1.7


def test_batch_normalisation_of_an_old_opset_uses_what_is_kept(tmp_path):
    x, kept = np.array([[3.0], [5.0]]), (2.0, 1.0, 1.0, 3.0)

    out = run(
        tmp_path, "BatchNormalization", x, *(Fixed(np.array([v])) for v in kept),
        opset=9, epsilon=1.0,
    )  # fmt: skip

    np.testing.assert_allclose(out, [[3], [5]])  # (x - 1) / sqrt(3 + 1) * 2 + 1


def on_constants(case):
    """Return the case with all operands in the file, where none of them would be a weight."""
    fixed = [x if isinstance(x, (str, Fixed)) else Fixed(x) for x in case.inputs]
    kinds = {x.array.dtype.kind for x in fixed if isinstance(x, Fixed)}
    return None if "f" in kinds else case._replace(inputs=fixed)


ON_CONSTANTS = [k for k, case in enumerate(cases(0)) if on_constants(case)]


@pytest.mark.parametrize("k", ON_CONSTANTS, ids=[f"{cases(0)[k].op}-{k}" for k in ON_CONSTANTS])
def test_an_operator_gives_the_same_on_constants_alone(tmp_path, k):
    model, _ = build(tmp_path / "model.onnx", on_constants(cases(0)[k]))

    out = tg.nn.from_onnx(tmp_path / "model.onnx")()

    (want,) = reference.ReferenceEvaluator(model).run(None, {})
    np.testing.assert_array_equal(out.numpy(), want)


def test_prelu_has_the_derivatives_of_its_formula():
    r = np.random.default_rng(0)
    x = r.standard_normal((3, 4))
    tg.testing.check_gradient(OPERATORS["PRelu"].run, x, r.uniform(0.1, 0.5, (1, 4)), order=2)
