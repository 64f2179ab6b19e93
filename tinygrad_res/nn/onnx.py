"""Networks from ONNX files: somebody's own network, to draw, count and differentiate.

``from_onnx`` is all there is to call.  ``onnx_reading`` turns a file into a plan of steps and refuses
what cannot be run; ``onnx_network`` is the module that runs the plan, step by step, in the
engine's own operations; ``onnx_operators`` is the table that says which, with ``onnx_shapes`` and
``onnx_windows`` for those that take more than a line.  Between the two, ``onnx_patterns`` recognises
activations, ``onnx_names`` what parameters are called, and ``onnx_branches`` residual branches.
"""

from __future__ import annotations

import os
import warnings

from .module import Module


def from_onnx(path: str | os.PathLike[str], as_written: bool = False) -> Module:
    """Return the network in an ONNX file as a module, ready to be called, drawn and trained.

    The package ``onnx`` reads the file (``pip install '.[onnx]'`` in the checkout), and nothing that
    the file says is executed but the operators of ONNX's own domain that this module knows, from
    opset 7 to 28, or to what the installed ``onnx`` knows.  Shapes are computed anew for every
    input, so dynamic axes work; of the two graphs of an ``If``, the one that the condition says runs.

    **What is a parameter.**  The file's initialisers of floats, and so are ``Constant`` nodes that a
    convolution or product takes as its weight.  The means and variances of batch normalisation are
    buffers, and so are masks: arrays with infinities, or that no gradient reaches.  Everything else
    is a constant: integers, single numbers without axes, other ``Constant`` nodes.  What the exporter
    computed ahead from a parameter, such as a slice of a table of positions, stands in its place,
    under a name that the exporter made up.  ``print(network)`` lists all of it.

    **Names** are those of the file.  Weights that PyTorch only numbered, ``onnx::MatMul_404``, are
    called after their module, ``layers.0.linear1.weight``, and turned round to (out, in), as
    ``nn.Linear`` holds them.  Nodes are filed under scopes: ``/layer1/layer1.0/conv1/Conv`` under
    ``layer1/layer1.0/conv1``.

    **What is counted depends on how the file writes a computation**: another exporter, or another of
    its versions, may give the same function another graph, with other paths.  GELU, SiLU, Mish and
    softsign that a file writes in several operations become one, so they count as they do elsewhere,
    unless ``as_written``.  An addition whose one side crosses fewer weight layers than the other
    ends a residual block, and the longer side is its branch, for ``count_by("block")``, where
    the shorter side crosses none, or is a projection: a convolution of 1x1.

    **What the exporter merged stays merged.**  A batch normalisation folded into a convolution is
    gone, and the convolution's weight, under its old name, is the product of both, with another
    gradient.  Arrays of equal values, as clones of a layer have before training, become one that
    these layers share: a warning says so.  To have all parameters as PyTorch has them, export with
    ``torch.onnx.export(model.eval(), inputs, path, dynamo=True, optimize=False)``, or, in the older
    way, with ``dynamo=False, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
    keep_initializers_as_inputs=True``.

    Batch normalisation and dropout do what the file says, whatever ``train`` and ``eval`` ask for.

    Args:
        path: of the ``.onnx`` file; external data lie beside it.
        as_written: leave activations that take several operations as they are.

    Returns:
        A module whose ``forward`` takes the model's inputs, in order or by their names, and returns
        its output, or a tuple where there are several.

    Raises:
        DataError: there is no such file, it is no ONNX file, damaged or cut short, its external data
            are missing, or it uses what is not supported; the message lists all operators that
            are not, with the names of their nodes.
        UsageError: the package ``onnx`` is not installed.

    Warns:
        UserWarning: layers share an array that may have been one for each.

    Source: the ONNX operator specification, onnx.ai/onnx/operators.

    >>> import tempfile, onnx, numpy as np, tinygrad_res as tg
    >>> from onnx import helper as h, numpy_helper
    >>> f32 = onnx.TensorProto.FLOAT
    >>> graph = h.make_graph(
    ...     [
    ...         h.make_node("MatMul", ["x", "fc.weight"], ["z"], name="/fc/MatMul"),
    ...         h.make_node("Add", ["x", "z"], ["y"], name="/Add"),
    ...     ],
    ...     "block",
    ...     [h.make_tensor_value_info("x", f32, ["batch", 2])],
    ...     [h.make_tensor_value_info("y", f32, ["batch", 2])],
    ...     [numpy_helper.from_array(np.eye(2, dtype=np.float32), "fc.weight")],
    ... )
    >>> model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.save(model, f"{folder}/block.onnx")
    ...     network = tg.nn.from_onnx(f"{folder}/block.onnx")
    >>> x = tg.tensor(np.ones((1, 2), np.float32), requires_grad=True)
    >>> y = network(x)
    >>> y.numpy()
    array([[2., 2.]], dtype=float32)
    >>> tg.paths(y, x).count_by("weight")
    {0: 1, 1: 1}
    """
    from .onnx_network import OnnxNetwork
    from .onnx_reading import read

    plan = read(path, as_written)
    if plan.shared:
        name, modules = next(iter(plan.shared.items()))
        warnings.warn(
            f"from_onnx: {str(path)!r}: several layers share {len(plan.shared)} of its "
            f"{len(plan.weights)} parameters, such as {name}, which {', '.join(modules)} use: PyTorch "
            "merges equal arrays when it exports, and their gradients are added up here.  Unless your "
            "network shares them, export it as help(tg.nn.from_onnx) says",
            stacklevel=2,
        )
    return OnnxNetwork(plan)
