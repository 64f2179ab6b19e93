"""What parameters of an ONNX file are called, and which of them several layers share.

PyTorch's exporters number the weights that they transpose or merge, ``onnx::MatMul_404`` or
``val_14``.  The node that uses one says which module it is in, and the bias beside it what the
module calls its own: from ``layers.0.self_attn.in_proj_bias`` follows
``layers.0.self_attn.in_proj_weight``.

They also keep one array for all layers whose values are equal, as those of a network's clones are
before training.  The file does not say whether they were one parameter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from .onnx_nodes import Node
from .onnx_operators import OPERATORS

_NUMBERED = re.compile(r"onnx::\w+|val_\d+|\d+")
_CALL = re.compile(r"_\d+(?=\.|$)")  # of a module that is called again
_TAKEN_FOR = {"Mul": "weight", "Add": "bias"}  # beside a normalisation that the file writes out
_LOOKUPS = frozenset(("Gather", "GatherElements", "GatherND"))


def without_aliases(
    nodes: Sequence[Node], held: Collection[str], outputs: Collection[str]
) -> list[Node]:
    """Return the nodes without those that only give an initialiser another name."""
    other: dict[str, str] = {}
    kept = []
    for node in nodes:
        node = replace(node, inputs=tuple(other.get(name, name) for name in node.inputs))
        if node.op == "Identity" and node.inputs[0] in held and node.outputs[0] not in outputs:
            other[node.outputs[0]] = node.inputs[0]
        else:
            kept.append(node)
    return kept


def new_names(
    nodes: Sequence[Node], weights: Iterable[str], taken: Iterable[str]
) -> dict[str, str]:
    """Return what to call weights that are only numbered, by the names in the file.

    Args:
        nodes: in order; the first that uses a weight says its name.
        weights: the names of all parameters.
        taken: names that are in use.
    """
    numbered = {name for name in weights if _NUMBERED.fullmatch(name)}
    used = set(taken)
    biases = {
        name: other
        for node in nodes
        if node.op == "Add"
        for name, other in (node.inputs, node.inputs[::-1])
        if other in used and other.endswith("bias")
    }
    found: dict[str, str] = {}
    for node in nodes:
        for k, held in enumerate(node.inputs):
            if held not in numbered or held in found:
                continue
            part = _part(node, k)
            beside = biases.get(node.outputs[0]) if part == "weight" else None
            name = f"{module(node.scope)}.{part}"
            if beside:
                name = f"{beside.removesuffix('bias')}weight"
            if part and (beside or node.scope) and name not in used:
                found[held] = name
                used.add(name)
    return found


def _part(node: Node, k: int) -> str:
    """Return what operand ``k`` is to its module, or nothing where that is not clear."""
    if OPERATORS[node.op].role(k) == "weight":
        return "weight"
    if node.op.startswith(("Conv", "Gemm")):
        return "bias"
    return _TAKEN_FOR.get(node.op, "")


def as_layers_hold_them(
    nodes: Sequence[Node], axes: Mapping[str, int], new: Mapping[str, str]
) -> tuple[list[Node], frozenset[str]]:
    """Return the nodes with the new names, and which matrices are to be turned round.

    A linear layer holds (out, in) and multiplies by the transpose, which the exporter computed
    ahead.  It is undone for matrices that have a new name, so that the name, the shape and the
    gradient are those of the layer.

    Args:
        nodes: in order.
        axes: how many each parameter has, by the names in the file.
        new: what ``new_names`` gave.
    """
    others = {
        name
        for node in nodes
        for k, name in enumerate(node.inputs)
        if (node.op, k) != ("MatMul", 1)
    }
    turned = frozenset(name for name in new if axes[name] == 2 and name not in others)
    made = []
    for node in nodes:
        inputs = tuple(new.get(name, name) for name in node.inputs)
        if node.op == "MatMul" and node.inputs[1] in turned:
            back = f"{inputs[1]} transposed for {node.outputs[0]}"
            made.append(replace(
                node, op="Transpose", inputs=inputs[1:], outputs=(back,), given={"perm": (1, 0)}, defaults={},
            ))  # fmt: skip
            inputs = (inputs[0], back)
        made.append(replace(node, inputs=inputs))
    return made, turned


def shared(nodes: Sequence[Node], weights: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the modules that use a parameter together, for each that more than one does.

    A module that is called again is one, and so is an embedding with the layer that it is tied to.
    What is in no module is left out.
    """
    users: dict[str, dict[str, None]] = {name: {} for name in weights}
    for node in nodes:
        for name in node.inputs:
            if name in users and node.scope and node.op not in _LOOKUPS:
                users[name][module(node.scope)] = None
    found = {}
    for name, modules in users.items():
        owner = name.rpartition(".")[0]
        owner = owner if owner in modules else next(iter(modules), "")
        several = {m: None for m in modules if owner not in (m, _CALL.sub("", m))}
        if several:
            found[name] = (owner, *several)
    return found


def module(scope: str) -> str:
    """Return a module's own name, which some exporters repeat at every level of a scope.

    >>> module("body/body.0/body.0.1/fc"), module("body/0/1/fc")
    ('body.0.1.fc', 'body.0.1.fc')
    """
    parts = scope.split("/")
    return ".".join(
        part.removeprefix(f"{above}.") for above, part in zip(["", *parts], parts) if part
    )
