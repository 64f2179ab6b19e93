"""Networks from ONNX files: somebody's own network, to draw, count and differentiate.

``from_onnx`` is all there is to call.  ``onnx_reading`` turns a file into a plan of steps and refuses
what cannot be run; ``onnx_network`` is the module that runs the plan, step by step, in the
engine's own operations; ``onnx_operators`` is the table that says which, with ``onnx_shapes`` and
``onnx_windows`` for those that take more than a line.
"""

from __future__ import annotations

import os

from .module import Module


def from_onnx(path: str | os.PathLike[str]) -> Module:
    """Return the network in an ONNX file as a module, ready to be called, drawn and trained.

    The package ``onnx`` reads the file (``pip install 'tinygrad-res[onnx]'``), and nothing that the
    file says is executed but the operators of ONNX's own domain that this module knows, from
    opset 7 to 28, or to what the installed ``onnx`` knows.

    Parameters are the file's initialisers of floats, named as there, so paths are graded by them;
    the means and variances of batch normalisation are buffers, and so are masks: arrays with
    infinities, or that no gradient reaches.  Integers, single numbers without axes, and ``Constant``
    nodes are constants, unless a convolution or product takes a ``Constant`` as its weight.

    Shapes are computed anew for every input, so dynamic axes work.  Nodes are filed under scopes:
    ``/layer1/layer1.0/conv1/Conv`` under ``layer1/layer1.0/conv1``.  What the exporter merged stays
    merged: a batch normalisation folded into a convolution is gone.  Batch normalisation and
    dropout do what the file says, whatever ``train`` and ``eval`` ask for.

    Args:
        path: of the ``.onnx`` file; external data lie beside it.

    Returns:
        A module whose ``forward`` takes the model's inputs, in order or by their names, and returns
        its output, or a tuple where there are several.

    Raises:
        DataError: there is no such file, it is no ONNX file, damaged or cut short, its external data
            are missing, or it uses what is not supported; the message lists all operators that
            are not, with the names of their nodes.
        UsageError: the package ``onnx`` is not installed.

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

    return OnnxNetwork(read(path))
