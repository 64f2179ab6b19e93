"""An ONNX file turned into a plan: the steps, the arrays, and what goes in and comes out.

Everything that can be refused is refused here, before anything runs: operators, attributes and
operands that the table does not know are collected over the whole file and listed together.
Attributes that a node leaves out have the defaults of the schema of the file's own opset, from the
``onnx`` package, so an operator's older forms need no table of ours.
"""

from __future__ import annotations

import importlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from .onnx_branches import Path as Scopes
from .onnx_branches import filed
from .onnx_names import as_layers_hold_them, new_names, shared, without_aliases
from .onnx_nodes import Guard, Node, array_of, nodes_of, stated
from .onnx_operators import IGNORED, OPERATORS, ends_gradient
from .onnx_patterns import fused

OPSETS = range(7, 29)
"""Versions of ONNX's operators whose specification the table follows."""

_MOST_NAMES = 8
_MADE_UP = re.compile(r"val_\d+")  # PyTorch's exporter's names for its own constants
_KINDS = {"f": "f", "i": "iu", "u": "iu", "b": "b"}


@dataclass(frozen=True)
class Input:
    """What the model declares of an input: ``kinds`` of dtype, and lengths, numbers or names."""

    name: str
    kinds: str
    shape: tuple[int | str | None, ...] | None

    def __str__(self) -> str:
        kind = {"f": "floats", "iu": "integers", "b": "booleans"}[self.kinds]
        if self.shape is None:
            return f"{self.name} ({kind})"
        lengths = ", ".join("?" if n is None else str(n) for n in self.shape)
        return f"{self.name} ({lengths}) of {kind}"


@dataclass(frozen=True)
class Step:
    """One node: what to run, on which values, and which of them nobody needs afterwards."""

    node: str
    operator: str
    path: Scopes
    inputs: tuple[str, ...]
    attributes: dict[str, Any]
    outputs: tuple[str, ...]
    guard: Guard
    host: frozenset[int]
    last: tuple[str, ...]

    def __str__(self) -> str:
        return f"from_onnx: node {self.node!r} ({self.operator})"


@dataclass(frozen=True)
class Plan:
    """A whole model; weights are trained, buffers are not, constants are plain arrays.

    ``numbered`` are weights that the file only numbers, with its names for them, and ``shared``
    those that several modules use, with these modules.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    weights: dict[str, Any]
    buffers: dict[str, Any]
    constants: dict[str, Any]
    numbered: dict[str, str]
    shared: dict[str, tuple[str, ...]]


def read(path: str | os.PathLike[str], as_written: bool = False) -> Plan:
    """Return the plan of the model in a file.

    Args:
        path: of the file.
        as_written: leave activations that take several operations as they are.

    Raises:
        DataError: the file cannot be read, is damaged, or uses what is not supported.
        UsageError: the package ``onnx`` is not installed.
    """
    onnx = _package()
    where = f"from_onnx: {str(path)!r}"
    model = _parsed(onnx, where, Path(path))
    opset = _opset(onnx, where, model)
    try:
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        nodes = list(nodes_of(onnx, model.graph, opset))
        _refuse_unsupported(where, nodes, model)
        inputs = _inputs(onnx, where, model.graph)
        _check(onnx, model)
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: the model is not valid: {error}") from error
    return _plan(onnx, where, model.graph, nodes, inputs, opset, as_written)


def _package() -> ModuleType:
    try:
        onnx = importlib.import_module("onnx")
        importlib.import_module("onnx.inliner")
    except ImportError as error:
        raise UsageError(
            "from_onnx: reading ONNX files needs the package onnx: in the checkout, "
            "pip install '.[onnx]'"
        ) from error
    return onnx


def _parsed(onnx: Any, where: str, path: Path) -> Any:
    """Return the model of a file, external data included."""
    protobuf = importlib.import_module("google.protobuf.message")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise DataError(f"{where}: cannot read it ({error.strerror or error})") from error
    except protobuf.DecodeError as error:
        raise DataError(f"{where}: it is no ONNX file, or is damaged or cut short") from error
    if not model.ir_version or not model.HasField("graph"):
        raise DataError(f"{where}: it is no ONNX file: it holds no graph")
    if not model.graph.output:
        raise DataError(f"{where}: the model has no output")
    try:
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise DataError(
            f"{where}: its external data cannot be read ({error}): they belong beside it"
        ) from error
    return model


def _opset(onnx: Any, where: str, model: Any) -> int:
    found = [int(o.version) for o in model.opset_import if o.domain in ("", "ai.onnx")]
    if not found:
        raise DataError(f"{where}: it names no opset of ONNX's own operators, or is cut short")
    known = min(OPSETS[-1], onnx.defs.onnx_opset_version())
    if not OPSETS[0] <= max(found) <= known:
        raise DataError(
            f"{where}: it is of opset {max(found)}, and {OPSETS[0]} to {known} are supported: "
            "export it with another one, or convert it with onnx.version_converter"
        )
    return max(found)


def _check(onnx: Any, model: Any) -> None:
    """Let ``onnx`` check the model, once it holds the shapes that the checker insists on."""
    for value in (*model.graph.input, *model.graph.output):
        declared = value.type.tensor_type
        declared.elem_type = declared.elem_type or onnx.TensorProto.FLOAT
        declared.shape.SetInParent()
    onnx.checker.check_model(model)


# What is not supported


def _refuse_unsupported(where: str, nodes: list[Node], model: Any) -> None:
    """Raise one error that lists everything in the model that cannot be run."""
    used = {name for node in nodes for name in node.inputs} | {o.name for o in model.graph.output}
    found: dict[str, list[str]] = {}
    for node in nodes:
        for what in _unsupported(node, used):
            found.setdefault(what, []).append(repr(node.name))
    if model.graph.sparse_initializer:
        found["sparse initialisers"] = [repr(s.values.name) for s in model.graph.sparse_initializer]
    if not found:
        return
    lines = [
        f"{what}: {', '.join(names[:_MOST_NAMES])}"
        + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")
        for what, names in found.items()
    ]
    raise DataError(
        f"{where}: it uses what is not supported:\n  " + "\n  ".join([*lines, *_other_way(model)])
    )


def _other_way(model: Any) -> list[str]:
    """Return what to try with a model that uses what is not supported, if that is known."""
    if model.producer_name != "pytorch":
        return []
    dynamo = any(p.key.startswith("pkg.torch") for n in model.graph.node for p in n.metadata_props)
    return [
        f"PyTorch's other exporter, torch.onnx.export(..., dynamo={not dynamo}), may do without them"
    ]


def _unsupported(node: Node, used: set[str]) -> list[str]:
    """Return what of a node the table does not know."""
    if node.op == "Constant":
        stated = next(iter(node.given.values()), None)
        kinds = (np.ndarray, int, float)
        first = stated[0] if isinstance(stated, list) and stated else stated
        return [] if isinstance(first, kinds) or stated == [] else ["Constant of another kind"]
    if node.op not in OPERATORS:
        return [node.op]
    operator = OPERATORS[node.op]
    wrong = [
        f"{node.op} with {name}={value!r}"
        for name, value in node.given.items()
        if name not in operator.names and name not in IGNORED and value != node.defaults.get(name)
    ]
    wrong += [
        f"{node.op} with {name}={node.given[name]!r}"
        for name, allowed in operator.only.items()
        if name in node.given and node.given[name] not in allowed
    ]
    if len(node.inputs) > operator.most:
        wrong.append(f"{node.op} with {len(node.inputs)} inputs")
    if any(name and name in used for name in node.outputs[operator.results :]):
        wrong.append(f"{node.op} with output {operator.results + 1} used")
    if node.op.startswith("Conv") and len(node.given.get("kernel_shape", ())) > 2:
        wrong.append(f"{node.op} over {len(node.given['kernel_shape'])} axes")
    return wrong


# The plan


def _plan(
    onnx: Any, where: str, graph: Any, nodes: list[Node], inputs: tuple[Input, ...], opset: int,
    as_written: bool,
) -> Plan:  # fmt: skip
    arrays = {i.name: array_of(onnx, i) for i in graph.initializer}
    made = {n.outputs[0]: stated(n) for n in nodes if n.op == "Constant"}
    bad = [name for name, array in arrays.items() if array is None]
    if bad:
        raise DataError(
            f"{where}: initialisers {', '.join(map(repr, bad))} hold no plain numbers: text, and "
            "numbers of less than 8 bits, are not supported"
        )
    outputs = tuple(o.name for o in graph.output)
    nodes = without_aliases([n for n in nodes if n.op != "Constant"], arrays, outputs)
    if not as_written:
        numbers = {k: float(a.flat[0]) for k, a in {**arrays, **made}.items() if a.size == 1}
        nodes = fused(nodes, numbers, outputs)
    sorts = _sorted(nodes, arrays, made, outputs)
    together = shared(nodes, sorts["weight"])
    new = new_names(nodes, sorts["weight"], {**arrays, **made})
    axes = {name: array.ndim for name, array in sorts["weight"].items()}
    nodes, turned = as_layers_hold_them(nodes, axes, new)
    weights = {
        new.get(name, name): array.T if name in turned else array
        for name, array in sorts["weight"].items()
    }
    sizes = {name: array.shape for name, array in {**arrays, **made, **weights}.items()}
    steps = _steps(filed(nodes, [i.name for i in inputs], sizes, outputs), set(outputs), opset)
    return Plan(
        inputs, outputs, steps, weights, sorts["buffer"], sorts["constant"],
        {now: name for name, now in new.items()},
        {new.get(name, name): modules for name, modules in together.items()},
    )  # fmt: skip


def _sorted(
    nodes: list[Node], arrays: dict[str, Any], made: dict[str, Any], outputs: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """Return the arrays that are used as weights, buffers and constants; ``made`` by nodes."""
    roles: dict[str, set[str]] = {name: {"operand"} for name in outputs}
    for node in nodes:
        for k, name in enumerate(node.inputs):
            roles.setdefault(name, set()).add(OPERATORS[node.op].role(k))
    reached = _reached(nodes, outputs)
    sorts: dict[str, dict[str, Any]] = {"weight": {}, "buffer": {}, "constant": {}}
    for by_node, group in ((False, arrays), (True, made)):
        for name, array in group.items():
            if name in roles:
                sort = _sort(name, array, roles[name], by_node)
                sorts["buffer" if sort == "weight" and name not in reached else sort][name] = array
    return sorts


def _reached(nodes: list[Node], outputs: tuple[str, ...]) -> set[str]:
    """Return the names of the values that the outputs' gradients reach."""
    found = set(outputs)
    for node in reversed(nodes):
        if not ends_gradient(node.op, node.given) and found.intersection(node.outputs):
            roles = (OPERATORS[node.op].role(k) for k in range(len(node.inputs)))
            found.update(name for name, role in zip(node.inputs, roles) if role != "host")
    return found


def _sort(name: str, array: Any, roles: set[str], by_node: bool) -> str:
    """Say whether an array is a weight, a buffer or a constant; of a ``Constant`` node or not."""
    weight = "weight" in roles
    made_up = bool(_MADE_UP.fullmatch(name)) and (
        roles <= {"filler"} or (array.size == 1 and not weight)
    )
    if array.dtype.kind != "f" or not array.ndim or made_up or roles <= {"host"}:
        return "constant"
    if by_node:
        return "weight" if weight and array.ndim > 1 else "constant"
    return "buffer" if roles <= {"buffer", "host"} or not np.isfinite(array).all() else "weight"


def _steps(found: list[tuple[Node, Scopes]], kept: set[str], opset: int) -> tuple[Step, ...]:
    """Return the steps, each with the names of the values that no later one uses."""
    steps = []
    seen = set(kept)
    for node, path in reversed(found):
        operator = OPERATORS[node.op]
        last = tuple({*node.uses, *node.outputs} - seen - {""})
        seen.update(node.uses)
        host = frozenset(k for k in range(len(node.inputs)) if operator.role(k) == "host")
        known = {**node.arguments, "opset": opset, "outputs": len(node.outputs)}
        arguments = {k: v for k, v in known.items() if k in operator.names}
        steps.append(
            Step(
                node.name,
                node.op,
                path,
                node.inputs,
                arguments,
                node.outputs,
                node.guard,
                host,
                last,
            )
        )
    return tuple(reversed(steps))


def _inputs(onnx: Any, where: str, graph: Any) -> tuple[Input, ...]:
    """Return what the model says of its inputs, initialisers left out."""
    given = {i.name for i in graph.initializer}
    return tuple(_declared(onnx, where, value) for value in graph.input if value.name not in given)


def _declared(onnx: Any, where: str, value: Any) -> Input:
    """Return what the model says of one of its inputs."""
    declared = value.type.tensor_type
    floats = (onnx.TensorProto.BFLOAT16,)
    kind = "V"
    if value.type.HasField("tensor_type") and declared.elem_type:
        known = onnx.helper.tensor_dtype_to_np_dtype(declared.elem_type)
        kind = "f" if declared.elem_type in floats else known.kind
    if kind not in _KINDS:
        raise DataError(f"{where}: its input {value.name!r} is no tensor of plain numbers")
    shape: tuple[int | str | None, ...] = tuple(
        axis.dim_value if axis.HasField("dim_value") else axis.dim_param or None
        for axis in declared.shape.dim
    )
    return Input(value.name, _KINDS[kind], shape if declared.HasField("shape") else None)
