"""The nodes of an ONNX file, decoded: operator, operands, attributes, and the module they are in.

All graphs become one flat list.  A node ``If`` holds two graphs, of which one runs: their nodes are
*guarded* by its condition, and ``If`` itself becomes the choice between their results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Guard = tuple[tuple[str, bool], ...]
"""Conditions by name, each with what it must be for a node to run."""


@dataclass(frozen=True)
class Node:
    """A node of the file, its attributes decoded and the schema's defaults filled in."""

    name: str
    op: str
    scope: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    given: dict[str, Any]
    defaults: dict[str, Any]
    guard: Guard = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """All attributes, those that the file leaves out included."""
        return {**self.defaults, **self.given}

    @property
    def uses(self) -> tuple[str, ...]:
        """The values that it needs: operands and conditions."""
        return (*self.inputs, *(name for name, _ in self.guard))


def nodes_of(
    onnx: Any, graph: Any, opset: int, guard: Guard = (), names: Mapping[str, str] | None = None
) -> Iterator[Node]:
    """Yield the nodes of a graph in order, with those of the graphs inside it.

    Args:
        onnx: the package.
        graph: of the file.
        opset: the version of the operators, which says their defaults.
        guard: the conditions that all of them have.
        names: by the names that values have in the graph, those that are not the same in the list.
    """
    called = names or {}
    for k, node in enumerate(graph.node):
        known = node.domain in ("", "ai.onnx")
        given = {a.name: _value(onnx, a) for a in node.attribute}
        inputs = [called.get(name, name) for name in node.input]
        while inputs and not inputs[-1]:
            inputs.pop()
        outputs = tuple(called.get(name, name) for name in node.output)
        if known and node.op_type == "If" and inputs and outputs:
            for side in ("then_branch", "else_branch"):
                if side in given:
                    inner = given.pop(side)
                    inside = {**called, **_names_inside(inner, f"{outputs[0]}, {side}")}
                    condition = (inputs[0], side == "then_branch")
                    yield from _arrays_inside(onnx, inner, inside)
                    yield from nodes_of(onnx, inner, opset, (*guard, condition), inside)
                    inputs += [inside.get(o.name, o.name) for o in inner.output]
        yield Node(
            node.name or f"number {k}", node.op_type if known else f"{node.domain}.{node.op_type}",
            _scope(node), tuple(inputs), outputs, given,
            _defaults(onnx, node.op_type, opset) if known else {}, guard,
        )  # fmt: skip


def _names_inside(graph: Any, place: str) -> dict[str, str]:
    """Return names that no other graph has for what a graph makes."""
    made = [i.name for i in graph.initializer] + [o for node in graph.node for o in node.output]
    return {name: f"{name} ({place})" for name in made if name}


def _arrays_inside(onnx: Any, graph: Any, names: Mapping[str, str]) -> Iterator[Node]:
    """Yield the initialisers of an inner graph as nodes that state them."""
    for proto in graph.initializer:
        given = {"value": array_of(onnx, proto)}
        yield Node(proto.name, "Constant", "", (), (names[proto.name],), given, {})


def _value(onnx: Any, attribute: Any) -> Any:
    """Return an attribute as Python has it; a tensor as an array."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return array_of(onnx, value)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def array_of(onnx: Any, proto: Any) -> Any:
    """Return the array of a tensor; text and packed numbers as ``None``."""
    array = onnx.numpy_helper.to_array(proto)
    if proto.data_type == onnx.TensorProto.BFLOAT16:
        array = array.astype(np.float32)
    return array if array.dtype.kind in "fiub" and array.dtype.isbuiltin == 1 else None


def stated(node: Node) -> Any:
    """Return the array that a ``Constant`` node states."""
    (name,) = node.given
    value = node.given[name]
    dtype = {"value_float": "f4", "value_floats": "f4", "value_int": "i8", "value_ints": "i8"}
    return value if name == "value" else np.array(value, dtype[name])


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
