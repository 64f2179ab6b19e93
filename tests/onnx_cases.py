"""Cases for ONNX's operators: nodes of random shapes, at least one for each that is supported."""

from typing import Any, NamedTuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

POINTWISE = (
    "Abs", "Acos", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor",
    "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg", "Reciprocal", "Relu", "Selu", "Sigmoid", "Sign", "Sin",
    "Sinh", "Softplus", "Softsign", "Tan", "Tanh", "IsNaN",
)  # fmt: skip
REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceProd", "ReduceSum", "ReduceSumSquare",
)  # fmt: skip


class Fixed(NamedTuple):
    """An operand that stands in the file."""

    array: Any


class Case(NamedTuple):
    op: str
    inputs: list[Any]
    attributes: dict[str, Any]
    opset: int
    outputs: int


def ints(*values):
    return Fixed(np.array(values, np.int64))


def cases(seed):
    """Draw the shapes, and list the operators on them."""
    r = np.random.default_rng(seed)
    n, c, h, w, k = (int(v) for v in r.integers((1, 1, 6, 6, 2), (4, 4, 9, 9, 5)))
    found = []

    def f(*shape, low=-0.95, high=0.95):
        return r.uniform(low, high, shape).astype(np.float32)

    def positive(*shape):
        return f(*shape, low=0.2, high=2.0)

    def case(op, *inputs, opset=18, outputs=1, **attributes):
        found.append(Case(op, list(inputs), attributes, opset, outputs))

    for op in POINTWISE:
        case(op, f(n, h))
    for op in ("Log", "Sqrt"):
        case(op, positive(n, h))
    case("Acosh", 1 + positive(n, h))
    case("Round", np.array([-1.5, -0.5, 0.5, 1.5, 0.4], np.float32))
    case("Elu", f(n, h), alpha=0.5)
    case("LeakyRelu", f(n, h), alpha=0.3)
    case("Selu", f(n, h), alpha=2.0, gamma=3.0)
    case("HardSigmoid", 9 * f(n, h), alpha=0.3, beta=0.4)
    case("HardSwish", 9 * f(n, h))
    case("Celu", f(n, h))
    case("Celu", f(n, h), alpha=0.4)
    case("Gelu", f(n, h), opset=20)
    case("Gelu", f(n, h), opset=20, approximate="tanh")
    case("Swish", f(n, h), opset=24)
    case("Swish", f(n, h), opset=24, alpha=0.5)
    case("ThresholdedRelu", f(n, h), alpha=0.2)
    case("PRelu", f(n, c, h), Fixed(f(c, 1)))
    case("PRelu", f(n, c, h), f(h))
    case("Clip", f(n, h), Fixed(np.float32(-0.3)), Fixed(np.float32(0.4)))
    case("Clip", f(n, h), "", Fixed(np.float32(0.4)))
    case("Clip", f(n, h), min=-0.3, max=0.4, opset=7)
    case("Clip", f(n, h))
    for op in ("Add", "Sub", "Mul", "Div"):
        case(op, f(n, 1, h), positive(c, 1))
        case(op, f(n, h), Fixed(np.float32(2.5)))
        case(op, np.array([-7, 7, 8], np.int64), ints(2, -2, 3))
    case("Pow", positive(n, h), f(h))
    case("Pow", f(n, h), Fixed(np.float32(2)))
    case("Pow", f(n, h), ints(3))
    case("Mod", np.array([-7, 7, 8], np.int64), ints(3, -3, 3))
    case("Mod", np.array([-7, 7, 8], np.int64), ints(3, -3, 3), fmod=1)
    for op in ("Sum", "Mean", "Max", "Min"):
        case(op, f(n, h), f(h), f(n, 1))
        case(op, f(n, h))
    for op in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
        case(op, np.arange(6.0, dtype=np.float32).reshape(2, 3), np.full(3, 2, np.float32))
    flags = np.array([[True, False], [True, True]])
    case("Not", flags)
    for op in ("And", "Or", "Xor"):
        case(op, flags, flags[0])
    infinite = np.array([np.inf, -np.inf, np.nan, 1], np.float32)
    for both in ((1, 1), (1, 0), (0, 1), (0, 0)):
        case("IsInf", infinite, detect_negative=both[0], detect_positive=both[1])
    case("Where", flags, f(2, 2), f(1, 2))
    case("Where", flags, f(2, 2), Fixed(np.float32(-np.inf)))
    for op in ("Softmax", "LogSoftmax"):
        case(op, f(n, c, h))
        case(op, f(n, c, h), axis=1)
        case(op, f(n, c, h), opset=11, axis=2)

    case(
        "Conv", f(n, c, h, w), Fixed(f(k, c, 3, 2)), Fixed(f(k)), pads=[1, 0, 2, 1], strides=[2, 1]
    )
    case("Conv", f(n, c, h, w), Fixed(f(k, c, 3, 3)), dilations=[2, 1], pads=[1, 1, 1, 1])
    case("Conv", f(n, 2 * c, h, w), Fixed(f(2 * k, c, 3, 3)), group=2)
    case("Conv", f(n, c, w), Fixed(f(k, c, 3)), Fixed(f(k)), pads=[2, 0], strides=[2])
    for auto in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        case("Conv", f(n, c, h, w), Fixed(f(k, c, 4, 3)), auto_pad=auto, strides=[2, 1])
        if auto != "SAME_LOWER":
            case("MaxPool", f(n, c, h, w), kernel_shape=[3, 2], auto_pad=auto, strides=[2, 1])
        case("AveragePool", f(n, c, h, w), kernel_shape=[3, 2], auto_pad=auto, strides=[2, 1])
    case(
        "ConvTranspose",
        f(n, c, h, w),
        Fixed(f(c, k, 3, 2)),
        Fixed(f(k)),
        strides=[2, 3],
        pads=[1, 0, 1, 0],
    )
    case(
        "ConvTranspose",
        f(n, c, h, w),
        Fixed(f(c, k, 3, 3)),
        strides=[2, 2],
        output_padding=[1, 0],
        pads=[0, 1, 1, 0],
    )
    case("ConvTranspose", f(n, c, w), Fixed(f(c, k, 3)), dilations=[2])
    case(
        "ConvTranspose", f(n, c, h, w), Fixed(f(c, k, 3, 3)), strides=[2, 2], auto_pad="SAME_UPPER"
    )
    case("Gemm", f(n, h), Fixed(f(h, k)), Fixed(f(k)))
    case("Gemm", f(n, h), Fixed(f(k, h)), Fixed(f(n, 1)), transB=1, alpha=0.5, beta=2.0)
    case("Gemm", f(h, n), Fixed(f(h, k)), transA=1)
    case("MatMul", f(n, c, h), Fixed(f(h, k)))
    case("MatMul", f(n, c, h, w), f(1, w, k))
    case("Einsum", f(n, h, w), f(n, w, k), equation="bij,bjk->bik")
    case("Einsum", f(n, h, w), equation="...ij->...ji")
    stats = [Fixed(positive(c)) for _ in range(4)]
    case("BatchNormalization", f(n, c, h, w), *stats)
    case("BatchNormalization", f(n, c), *stats, epsilon=0.1, opset=14)
    case("BatchNormalization", f(n, c, h), *stats, training_mode=1, momentum=0.7, outputs=3)
    case("LayerNormalization", f(n, c, h), Fixed(f(h)), Fixed(f(h)))
    case("LayerNormalization", f(n, c, h), Fixed(f(c, h)), axis=1, epsilon=0.01)
    case("LayerNormalization", f(n, c, h), Fixed(f(h)), Fixed(f(c, 1)), axis=-2)
    case("RMSNormalization", f(n, c, h), Fixed(f(h)), opset=23)
    case("RMSNormalization", f(n, c, h), Fixed(f(h)), axis=1, opset=23)
    case("InstanceNormalization", f(n, c, h, w), Fixed(f(c)), Fixed(f(c)), epsilon=0.01)
    case(
        "GroupNormalization",
        f(n, 2 * c, h),
        Fixed(f(2 * c)),
        Fixed(f(2 * c)),
        num_groups=2,
        opset=21,
    )
    case("LRN", f(6, 6, h, w), size=3)
    case("LRN", f(6, 6, h, w), size=4, alpha=0.5, beta=0.6, bias=2.0)
    case("LpNormalization", f(n, h))
    case("LpNormalization", positive(n, h), p=1, axis=0)
    heads = [f(n, 4, h, 6), f(n, 2, w, 6), f(n, 2, w, 5)]
    case("Attention", *heads, opset=23)
    case("Attention", *heads, Fixed(f(h, w)), scale=0.3, opset=23)
    case(
        "Attention",
        f(n, h, 6),
        f(n, h, 6),
        f(n, h, 4),
        q_num_heads=2,
        kv_num_heads=2,
        is_causal=1,
        opset=23,
    )
    case("Dropout", f(n, h))
    case("Dropout", f(n, h), ratio=0.3, opset=7)
    case("Identity", f(n, h))
    for op in ("MaxPool", "AveragePool"):
        case(op, f(n, c, h, w), kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1])
        case(op, f(n, c, h, w), kernel_shape=[2, 2])
        case(op, f(n, c, w), kernel_shape=[3], strides=[2], ceil_mode=1)
        case(op, f(n, c, 3, 4, 3), kernel_shape=[2, 3, 1], strides=[1, 2, 2])
        case(op, f(n, c, h, w), kernel_shape=[2, 3], dilations=[2, 1], opset=19)
    case("AveragePool", f(n, c, h, w), kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    case("GlobalMaxPool", f(n, c, h, w))
    case("GlobalAveragePool", f(n, c, h, w))
    scales = Fixed(np.array([1, 1, 1.5, 2], np.float32))
    for mode in ("nearest", "linear", "cubic"):
        for place in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"):
            case(
                "Resize", f(n, c, 6, w), "", scales, mode=mode, coordinate_transformation_mode=place
            )
    for near in ("round_prefer_ceil", "floor", "ceil"):
        case("Resize", f(n, c, h, w), "", "", ints(n, c, 4, 11), nearest_mode=near)
    case("Resize", f(n, c, h, w), "", "", ints(4, 13), axes=[2, 3], mode="linear")
    case("Resize", f(n, c, h, w), "", "", ints(n, c, 4, 13), mode="cubic", cubic_coeff_a=-0.5,
         coordinate_transformation_mode="half_pixel_symmetric", opset=19)  # fmt: skip
    case("Upsample", f(n, c, h, w), Fixed(np.array([1, 1, 2, 3], np.float32)), opset=9)

    for op in REDUCTIONS:
        case(op, positive(n, c, h), axes=[1], opset=11)
        case(op, positive(n, c, h), opset=11, keepdims=0)
    case("ReduceMean", f(n, c, h), ints(0, -1), keepdims=0)
    case("ReduceSum", f(n, c, h), ints(-1), opset=13)
    case("ReduceSum", f(n, c, h), noop_with_empty_axes=1)
    for options in ({}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}):
        case("CumSum", f(n, h), Fixed(np.int64(1)), **options)
    for op in ("ArgMax", "ArgMin"):
        case(op, f(n, h), axis=1)
        case(op, np.array([[1, 2, 2, 1]], np.float32), axis=1, keepdims=0, select_last_index=1)
    case("TopK", f(n, h), ints(3), outputs=2)
    case("TopK", f(n, h), ints(2), largest=0, axis=0 if n > 1 else 1, outputs=2)
    case("TopK", f(n, h), k=2, opset=7, outputs=2)

    case("Reshape", f(n, c, h, w), ints(0, -1, w))
    case("Reshape", np.zeros((0, 3), np.float32), ints(3, 0), allowzero=1)
    for axis in (0, 1, 2, -1):
        case("Flatten", f(n, c, h, w), axis=axis)
    case("Transpose", f(n, c, h))
    case("Transpose", f(n, c, h), perm=[2, 0, 1])
    case("Squeeze", f(1, h, 1), ints(0, -1))
    case("Squeeze", f(1, 7, 1))
    case("Squeeze", f(1, h, 1), axes=[0], opset=11)
    case("Unsqueeze", f(n, h), ints(0, -1))
    case("Unsqueeze", f(n, h), axes=[1], opset=11)
    case("Concat", f(n, c), f(n, h), axis=-1)
    case("Split", f(n, 6), axis=1, num_outputs=4, outputs=4)
    case("Split", f(n, 6), ints(1, 2, 3), axis=1, opset=13, outputs=3)
    case("Split", f(n, 6), axis=-1, opset=11, outputs=2)
    case("Slice", f(n, c, h, w), ints(0, 1), ints(2, -1), ints(1, 3))
    case("Slice", f(h, w), ints(-1, 5), ints(-(2**63), 1), ints(0, 1), ints(-1, -2))
    case("Slice", f(h, w), ints(-99, 4), ints(99, 2**63 - 1), ints(0, 1), ints(2, 3))
    case("Slice", f(h, w), ints(-99), ints(-100), ints(0), ints(-1))
    case("Slice", f(h, w), starts=[1], ends=[3], axes=[1], opset=9)
    case("Gather", f(h, w), ints(0, -1, 2), axis=1)
    case("Gather", f(h, w), Fixed(np.int64(2)))
    case("Gather", Fixed(f(h, w)), np.array([[0, 1], [2, 3]], np.int64))
    case("GatherElements", f(2, w), Fixed(np.array([[0, -1], [2, 1]], np.int64)), axis=1)
    case("GatherND", f(n, h, w), Fixed(np.array([[0, 1], [n - 1, -1]], np.int64)))
    case("ScatterND", f(h, w), Fixed(np.array([[1], [3]], np.int64)), f(2, w))
    case("Pad", f(n, h), ints(0, 1, 2, 0), Fixed(np.float32(0.5)))
    for mode in ("reflect", "edge"):
        case("Pad", f(h, w), ints(1, 2, 0, 1), mode=mode)
    case("Pad", f(h, w), ints(1, 2), "", ints(1), mode="wrap", opset=19)
    case("Pad", f(h, w), pads=[0, 1, 0, 1], value=0.25, opset=7)
    case("Expand", f(c, 1), ints(n, 1, h))
    case("Tile", f(n, h), ints(2, 1))
    case("Trilu", f(n, h, w))
    case("Trilu", f(h, w), ints(-1), upper=0)
    case("DepthToSpace", f(n, 8, h, w), blocksize=2)
    case("DepthToSpace", f(n, 8, h, w), blocksize=2, mode="CRD")
    case("SpaceToDepth", f(n, c, 6, 4), blocksize=2)
    case("Cast", f(n, h), to=onnx.TensorProto.INT64)
    case("Cast", flags, to=onnx.TensorProto.FLOAT)
    case("CastLike", np.arange(3), f(1))
    case("Shape", f(n, h, w))
    case("Shape", f(n, h, w), start=1, end=-1)
    case("Size", f(n, h, w))
    case("Range", Fixed(np.int64(1)), Fixed(np.int64(9)), Fixed(np.int64(3)))
    case("ConstantOfShape", ints(2, 3))
    case("ConstantOfShape", ints(2), value=onnx.numpy_helper.from_array(np.array([7], np.int64)))
    case("NonZero", np.array([[1, 0], [2, 3]], np.float32))
    on_off = Fixed(np.array([0.5, 2.0], np.float32))
    case("OneHot", np.array([[0, 2], [-1, 5]], np.int64), Fixed(np.int64(3)), on_off)
    case("OneHot", np.array([[0, 2]], np.int64), Fixed(np.int64(3)), on_off, axis=1)
    return found
