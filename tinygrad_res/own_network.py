"""``tinygrad-res paths MODEL.onnx``: the account of a gradient, for a network of one's own.

It is not trained, and what it computes is taken as its file says, in the file's precision.  Where
stem and head end the file does not say, so weight layers are counted all the way from the output to
the input.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import onnx_files
from .errors import UsageError
from .measures import Paths
from .path_calculus import paths
from .report import PathReport, weighed
from .subjects import Source
from .tensor import Parameter

NOT_FOR_FILES = ("blocks", "depth", "train", "device", "batch", "lr")
"""Options of the zoo's networks that a file has no use for."""


def account(options: argparse.Namespace) -> tuple[PathReport, list[str], dict[str, Any]]:
    """Weigh the paths from a network's output to its input.

    Returns:
        The report, the lines that stand above its table, and what the report's file holds besides.

    Raises:
        UsageError: an option is for networks of the zoo, or a name or shape does not fit.
        DataError: a file cannot be read.
        GraphError: the gradient is zero.
    """
    for option in NOT_FOR_FILES:
        if getattr(options, option) is not None:
            raise UsageError(f"--{option} is for the networks of the zoo, not for {options.model}")
    source = Source.of(
        argparse.Namespace(
            source=options.model, arguments=(), shape=options.shape, seed=options.seed
        )
    )
    network = onnx_files.read(source.file)
    arrays = {}
    if options.data is not None:
        inputs = [declared.name for declared in network.plan.inputs]
        arrays = onnx_files.read_arrays(Path(options.data), inputs)
    found = onnx_files.take(source.file, source.name, source.shapes, source.seed, arrays, network)
    loss, x = found.value, found.x
    if x is None:
        raise UsageError(
            f"{found.where}: the output depends on no input that carries a gradient, nor on what one "
            "looks up"
        )
    loss.backward()  # type: ignore[union-attr]
    among: Paths = paths(loss, x)  # type: ignore[arg-type]
    report = weighed(source.file.name, among, x.grad.data)  # type: ignore[union-attr]
    parameters = {id(t): t for t in found.variables.values() if isinstance(t, Parameter)}
    size = sum(t.size for t in parameters.values())
    given = [f"{name} {array.shape} of {options.data}" for name, array in arrays.items()]
    drawn = [f"random {found.ran_on}, seed {source.seed}"] if found.ran_on else []
    output = source.name or network.plan.outputs[0]
    heading = [
        f"{found.where}: {max(report.counts)} weight layers on the longest path, {size:,} parameters",
        f"as it is in the file, on {'; '.join([*given, *drawn]) or 'no input'}",
        f"gradient of the sum of {output} by {x.name} {x.shape}; weight layers are counted between both",
        "",
    ]
    values = {
        "model": options.model,
        "seed": source.seed,
        "data": options.data,
        "inputs": {name: list(t.shape) for name, t in found.variables.items() if id(t) not in parameters},
        "parameters": size,
        "degrees_counted_between": [output, x.name],
    }  # fmt: skip
    return report, heading, values
