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
from typing import Any, Self

import numpy as np

from ..errors import DataError, UsageError
from .onnx_operators import CONSTANT, IGNORED, OPERATORS, Operator
from .onnx_shapes import DTYPES

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
    scope: str
    inputs: tuple[str, ...]
    attributes: dict[str, Any]
    outputs: tuple[str, ...]
    host: frozenset[int]
    last: tuple[str, ...]

    def __str__(self) -> str:
        return f"from_onnx: node {self.node!r} ({self.operator})"


@dataclass(frozen=True)
class Plan:
    """A whole model; weights are trained, buffers are not, constants are plain arrays."""

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    weights: dict[str, Any]
    buffers: dict[str, Any]
    constants: dict[str, Any]


def read(path: str | os.PathLike[str]) -> Plan:
    """Return the plan of the model in a file.

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
        nodes = _Node.all(onnx, model, opset)
        _refuse_unsupported(where, nodes, model)
        inputs = _inputs(onnx, where, model.graph)
        _check(onnx, model)
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: the model is not valid: {error}") from error
    return _plan(onnx, where, model.graph, nodes, inputs)


def _package() -> ModuleType:
    try:
        onnx = importlib.import_module("onnx")
        importlib.import_module("onnx.inliner")
    except ImportError as error:
        raise UsageError(
            "from_onnx: reading ONNX files needs the package onnx: pip install 'tinygrad-res[onnx]'"
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


@dataclass(frozen=True)
class _Node:
    """A node of the file, its attributes decoded and the schema's defaults filled in."""

    name: str
    op: str
    scope: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    given: dict[str, Any]
    defaults: dict[str, Any]
    opset: int

    @classmethod
    def all(cls, onnx: Any, model: Any, opset: int) -> list[Self]:
        """Return the nodes of a model, in order."""
        nodes = []
        for k, node in enumerate(model.graph.node):
            known = node.domain in ("", "ai.onnx")
            given = {a.name: _value(onnx, a) for a in node.attribute}
            inputs = list(node.input)
            while inputs and not inputs[-1]:
                inputs.pop()
            nodes.append(cls(
                node.name or f"number {k}", node.op_type if known else f"{node.domain}.{node.op_type}",
                _scope(node), tuple(inputs), tuple(node.output), given,
                _defaults(onnx, node.op_type, opset) if known else {}, opset,
            ))  # fmt: skip
        return nodes

    def arguments(self, operator: Operator) -> dict[str, Any]:
        """Return the keywords that the operator's function takes."""
        everything = {
            **self.defaults, **self.given,
            "opset": self.opset, "outputs": len(self.outputs),
        }  # fmt: skip
        return {k: v for k, v in everything.items() if k in operator.names}


def _value(onnx: Any, attribute: Any) -> Any:
    """Return an attribute as Python has it; a tensor as an array."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return _array(onnx, value)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _array(onnx: Any, proto: Any) -> Any:
    """Return the array of a tensor; text and packed numbers as ``None``."""
    array = onnx.numpy_helper.to_array(proto)
    if proto.data_type == onnx.TensorProto.BFLOAT16:
        array = array.astype(np.float32)
    return array if array.dtype.kind in "fiub" and array.dtype.isbuiltin == 1 else None


def _defaults(onnx: Any, op: str, opset: int) -> dict[str, Any]:
    try:
        schema = onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        return {}
    return {
        name: _value(onnx, a.default_value)
        for name, a in schema.attributes.items()
        if a.default_value.type
    }


def _scope(node: Any) -> str:
    """Return the modules that a node is in, joined by ``/``.

    PyTorch's exporters write them into the name, ``/layer1/conv1/Conv``, or beside it, each with
    the whole way to it, ``['', 'layer1', 'layer1.conv1', 'conv2d']``; the last part is the operation.
    """
    beside = {p.key: p.value for p in getattr(node, "metadata_props", ())}
    ways = re.findall(r"'([^']*)'", beside.get("pkg.torch.onnx.name_scopes", ""))
    if ways:
        parts = [way.removeprefix(f"{above}.") for above, way in zip(["", *ways], ways[:-1])]
    else:
        parts = node.name.split("/")[:-1]
    return "/".join(part for part in parts if part)


def _check(onnx: Any, model: Any) -> None:
    """Let ``onnx`` check the model, once it holds the shapes that the checker insists on."""
    for value in (*model.graph.input, *model.graph.output):
        declared = value.type.tensor_type
        declared.elem_type = declared.elem_type or onnx.TensorProto.FLOAT
        declared.shape.SetInParent()
    onnx.checker.check_model(model)


# What is not supported


def _refuse_unsupported(where: str, nodes: list[_Node], model: Any) -> None:
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
    raise DataError(f"{where}: it uses what is not supported:\n  " + "\n  ".join(lines))


def _unsupported(node: _Node, used: set[str]) -> list[str]:
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


def _plan(onnx: Any, where: str, graph: Any, nodes: list[_Node], inputs: tuple[Input, ...]) -> Plan:
    arrays = {i.name: _array(onnx, i) for i in graph.initializer}
    stated = {n.outputs[0]: _stated(n) for n in nodes if n.op == "Constant"}
    bad = [name for name, array in arrays.items() if array is None]
    if bad:
        raise DataError(
            f"{where}: initialisers {', '.join(map(repr, bad))} hold no plain numbers: text, and "
            "numbers of less than 8 bits, are not supported"
        )
    nodes = [n for n in nodes if n.op != "Constant"]
    roles: dict[str, set[str]] = {}
    for node in nodes:
        for k, name in enumerate(node.inputs):
            roles.setdefault(name, set()).add(OPERATORS[node.op].role(k))
    outputs = tuple(o.name for o in graph.output)
    for name in outputs:
        roles.setdefault(name, set()).add("operand")
    reached = _reached(nodes, outputs)
    sorts: dict[str, dict[str, Any]] = {"weight": {}, "buffer": {}, "constant": {}}
    for made, group in ((False, arrays), (True, stated)):
        for name, array in group.items():
            if name in roles:
                sort = _sort(name, array, roles[name], made)
                sorts["buffer" if sort == "weight" and name not in reached else sort][name] = array
    steps = _steps(nodes, set(outputs))
    return Plan(inputs, outputs, steps, sorts["weight"], sorts["buffer"], sorts["constant"])


def _reached(nodes: list[_Node], outputs: tuple[str, ...]) -> set[str]:
    """Return the names of the values that the outputs' gradients reach."""
    found = set(outputs)
    for node in reversed(nodes):
        to = DTYPES.get(node.given.get("to", 1), "") if node.op == "Cast" else "float32"
        ends = node.op in CONSTANT or not to.startswith("float")
        if not ends and found.intersection(node.outputs):
            roles = (OPERATORS[node.op].role(k) for k in range(len(node.inputs)))
            found.update(name for name, role in zip(node.inputs, roles) if role != "host")
    return found


def _stated(node: _Node) -> Any:
    """Return the array that a ``Constant`` node states."""
    (name,) = node.given
    value = node.given[name]
    dtype = {"value_float": "f4", "value_floats": "f4", "value_int": "i8", "value_ints": "i8"}
    return value if name == "value" else np.array(value, dtype[name])


def _sort(name: str, array: Any, roles: set[str], made: bool) -> str:
    """Say whether an array is a weight, a buffer or a constant; ``made`` by a ``Constant`` node."""
    single = not array.ndim or (array.size == 1 and _MADE_UP.fullmatch(name))
    if array.dtype.kind != "f" or single or roles <= {"host"}:
        return "constant"
    if made:
        return "weight" if "weight" in roles and array.ndim > 1 else "constant"
    return "buffer" if roles <= {"buffer", "host"} or not np.isfinite(array).all() else "weight"


def _steps(nodes: list[_Node], kept: set[str]) -> tuple[Step, ...]:
    """Return the steps, each with the names of the values that no later one uses."""
    steps = []
    seen = set(kept)
    for node in reversed(nodes):
        operator = OPERATORS[node.op]
        last = tuple({*node.inputs, *node.outputs} - seen - {""})
        seen.update(node.inputs)
        host = frozenset(k for k in range(len(node.inputs)) if operator.role(k) == "host")
        arguments = node.arguments(operator)
        steps.append(
            Step(node.name, node.op, node.scope, node.inputs, arguments, node.outputs, host, last)
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
