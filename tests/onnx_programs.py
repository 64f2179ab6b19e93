"""Models in ONNX that tests write node by node, as exporters do, or have PyTorch export."""

import warnings

import numpy as np
import pytest

from tinygrad_res import nn

onnx = pytest.importorskip("onnx")

RNG = np.random.default_rng(5)
TYPES = {"f": onnx.TensorProto.DOUBLE, "i": onnx.TensorProto.INT64}


class Writer:
    """Collects the nodes of a model."""

    def __init__(self, opset=17):
        self.nodes, self.arrays, self.opset = [], {}, opset

    def add(self, op, *inputs, name="", out="", outputs=1, **attributes):
        """Add a node; arrays among its inputs become constants.  Return its output's name."""
        names = []
        for x in inputs:
            if not isinstance(x, str):
                key = f"fixed{len(self.arrays)}"
                self.arrays[key], x = np.asarray(x), key
            names.append(x)
        made = [out or f"v{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(onnx.helper.make_node(op, names, made, name=name, **attributes))
        return made[0] if outputs == 1 else made

    def weight(self, name, array):
        self.arrays[name] = np.asarray(array)
        return name

    def model(self, inputs, outputs):
        """Return the model; inputs are (kind, shape) by name."""
        h = onnx.helper
        graph = h.make_graph(
            self.nodes, "model",
            [h.make_tensor_value_info(k, TYPES[kind], shape) for k, (kind, shape) in inputs.items()],
            [h.make_tensor_value_info(k, TYPES["f"], None) for k in outputs],
            [onnx.numpy_helper.from_array(v, k) for k, v in self.arrays.items()],
        )  # fmt: skip
        return h.make_model(graph, opset_imports=[h.make_opsetid("", self.opset)], ir_version=8)


def load(folder, model):
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return nn.from_onnx(path)


def normal(*shape):
    return RNG.standard_normal(shape)


def mlp():
    """Two linear layers with a shortcut around the second."""
    w = Writer()
    h = w.add(
        "Gemm",
        "x",
        w.weight("fc1.weight", normal(4, 3)),
        w.weight("fc1.bias", normal(4)),
        name="/fc1/Gemm",
        transB=1,
    )
    h = w.add("Relu", h, name="/act/Relu")
    z = w.add("MatMul", h, w.weight("body.0.weight", normal(4, 4)), name="/body/body.0/MatMul")
    w.add("Add", h, z, name="/Add", out="y")
    return w.model({"x": ("f", ["batch", 3])}, ["y"])  # fmt: skip


def transformer(heads=2, width=4):
    """A pre-norm block over a dynamic batch: shapes are computed in the graph."""
    w = Writer()

    def linear(x, name, n, m):
        out = w.add("MatMul", x, w.weight(f"{name}.weight", normal(n, m)), name=f"/{name}/MatMul")
        return w.add("Add", w.weight(f"{name}.bias", normal(m)), out, name=f"/{name}/Add")

    def norm(x, name):
        scale, bias = (
            w.weight(f"{name}.weight", normal(width)),
            w.weight(f"{name}.bias", normal(width)),
        )
        return w.add("LayerNormalization", x, scale, bias, name=f"/{name}/LayerNormalization")

    shape = w.add("Shape", "x")
    batch, length = (w.add("Gather", shape, np.int64(k), axis=0) for k in (0, 1))
    size = [w.add("Unsqueeze", n, np.array([0])) for n in (batch, length)]
    split = w.add("Concat", *size, np.array([heads]), np.array([-1]), axis=0)
    back = w.add("Concat", *size, np.array([width]), axis=0)
    per_head = w.add("Div", np.int64(width), np.int64(heads))
    scale = w.add("Sqrt", w.add("Cast", per_head, to=onnx.TensorProto.DOUBLE))

    h = norm("x", "norm1")
    parts = []
    for part in "qkv":
        z = w.add("Reshape", linear(h, f"attn.{part}", width, width), split)
        parts.append(w.add("Transpose", z, perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]))
    scores = w.add("Div", w.add("MatMul", parts[0], parts[1]), scale)
    mixed = w.add("MatMul", w.add("Softmax", scores, axis=-1), parts[2])
    joined = w.add("Reshape", w.add("Transpose", mixed, perm=[0, 2, 1, 3]), back)
    x = w.add("Add", "x", linear(joined, "attn.out", width, width), name="/Add")
    z = linear(norm(x, "norm2"), "mlp.0", width, 6)
    half = w.add("Add", w.add("Erf", w.add("Div", z, np.sqrt(2.0))), np.float64(1))
    z = w.add("Mul", w.add("Mul", z, half), np.float64(0.5))
    w.add("Add", x, linear(z, "mlp.2", 6, width), name="/Add_1", out="y")
    return w.model({"x": ("f", ["batch", "length", width])}, ["y"])


def of_network(network):
    """Return the model of one of our networks, written layer by layer."""
    w = Writer()

    def weights(prefix, module, names):
        return [w.weight(f"{prefix}.{n}", getattr(module, n).numpy().astype(float)) for n in names]

    def walk(module, at, x):
        kind, name = type(module).__name__, f"/{at.replace('.', '/')}/{type(module).__name__}"
        if kind == "Residual":
            inner = walk(module.branch, f"{at}.branch", x)
            outer = x if module.shortcut is None else walk(module.shortcut, f"{at}.shortcut", x)
            return walk(module.after, f"{at}.after", w.add("Add", outer, inner, name=f"{name}_Add"))
        if kind == "Conv2d":
            stride, padding = (module.geometry[k] for k in ("stride", "padding"))
            sizes = {"strides": [stride] * 2, "pads": [padding] * 4}
            return w.add("Conv", x, *weights(at, module, ["weight"]), name=name, **sizes)
        if kind == "BatchNorm2d":
            state = weights(at, module, ["weight", "bias", "running_mean", "running_var"])
            return w.add("BatchNormalization", x, *state, name=name)
        if kind == "PadShortcut":
            s = module.stride
            x = w.add("Slice", x, [0, 0], [2**31, 2**31], [2, 3], [s, s], name=name)
            before = module.extra // 2
            widths = [0, before, 0, 0, 0, module.extra - before, 0, 0]
            return w.add("Pad", x, np.array(widths), name=name)
        if kind == "GlobalAvgPool":
            return w.add("ReduceMean", x, axes=[2, 3], keepdims=0, name=name)
        if kind == "Linear":
            return w.add("Gemm", x, *weights(at, module, ["weight", "bias"]), transB=1, name=name)
        if kind == "ReLU":
            return w.add("Relu", x, name=name)
        for part, child in module.children():
            x = walk(child, f"{at}.{part}" if at else part, x)
        return x

    return w.model({"x": ("f", ["n", "c", "h", "w"])}, [walk(network, "", "x")])


def exported(path, module, x, **options):
    """Write a module of PyTorch to a file, by either of its exporters."""
    torch = pytest.importorskip("torch")
    if options.get("dynamo"):
        pytest.importorskip("onnxscript")
        options |= {"verbose": False, "external_data": False}
        options["dynamic_shapes"] = ({0: torch.export.Dim("batch", min=1, max=99)},)
    else:
        options["dynamic_axes"] = {"x": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), str(path), input_names=["x"], **options)
