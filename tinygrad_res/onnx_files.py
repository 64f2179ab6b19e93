"""What a network file computes, named on the command line as ``MODEL.onnx`` or ``MODEL.onnx:OUTPUT``.

A file holds a network but no data, so it runs on what it is given or, where nothing is, on numbers
drawn at random, in the shapes that it declares.  Paths do not depend on them; which of them are
dead, and what they carry, does.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import nn
from .errors import DataError, Error, UsageError
from .files import read_npz
from .guess import did_you_mean
from .nn.onnx_network import OnnxNetwork
from .nn.onnx_reading import Input, Plan
from .scripts import Found
from .snapshot import graph
from .tensor import Tensor, tensor
from .terminal import say

LOOKUPS = frozenset(("Gather", "GatherElements"))
"""Operators that take places along an axis of their first operand from their second."""
MOVES = frozenset((
    "Cast", "Concat", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze",
    "Tile", "Transpose", "Unsqueeze",
))  # fmt: skip
"""Operators that hand integers on as they are."""


def read(file: Path) -> OnnxNetwork:
    """Return the network in a file; what it warns of is said in a line on standard error.

    Raises:
        DataError: the file cannot be read, or uses what is not supported; all of it is listed.
        UsageError: ``onnx`` is not installed.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        network = nn.from_onnx(file)
    for warning in told:
        say(f"tinygrad-res: note: {str(warning.message).removeprefix('from_onnx: ')}", sys.stderr)
    assert isinstance(network, OnnxNetwork)
    return network


def take(
    file: Path,
    output: str = "",
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    seed: int = 0,
    arrays: Mapping[str, np.ndarray] | None = None,
    network: OnnxNetwork | None = None,
) -> Found:
    """Run the network in a file and return the sum of one of its outputs.

    Inputs of floats are drawn from a standard normal distribution and carry a gradient; integers
    that look something up are drawn from its places, other integers are 1 and booleans true.
    Lengths that the model leaves open are 1.  Paths lead to the first input or, where it holds
    integers, to the parameter that it looks up.  Of weights that the exporter only numbered
    both names are known.

    Args:
        file: the ``.onnx`` file.
        output: its name; the first where it is empty.
        shapes: of inputs, by name.
        seed: of the numbers drawn.
        arrays: inputs by name, which are taken as they are; others are drawn.
        network: what ``read`` returned for the file; it is read where this is left out.

    Raises:
        DataError: the file cannot be read, or uses what is not supported; all of it is listed.
            Or an array is of another kind of number, or holds NaN.
        UsageError: ``onnx`` is not installed, an output or input has another name, a shape is
            missing or does not fit, or the output holds no floats.
        ShapeError: the network cannot run at this shape.
    """
    network = read(file) if network is None else network
    plan = network.plan
    if output and output not in plan.outputs:
        raise UsageError(
            f"{file} has no output {output!r}{did_you_mean(output, plan.outputs)}: "
            f"it has {', '.join(plan.outputs)}"
        )
    arrays = _fitting(file, plan, arrays or {})
    shapes = {**(shapes or {}), **{name: array.shape for name, array in arrays.items()}}
    lengths = _lengths(file, plan, shapes)
    try:
        given = _drawn(network, lengths, seed, arrays)
    except (MemoryError, ValueError) as error:
        raise UsageError(f"{file}: its inputs are too large at {lengths}: {error}") from error
    parameters = {p.name or "": p for p in network.parameters()}
    variables = {**given, **parameters}
    variables |= {other: parameters[name] for name, other in plan.numbered.items()}
    results = _run(file, network, given, shapes)
    out = results[output or plan.outputs[0]]
    where = f"{file}:{output}" if output else str(file)
    if out.dtype.kind != "f":
        floats = ", ".join(name for name, value in results.items() if value.dtype.kind == "f")
        raise UsageError(
            f"{where}: the output {output or plan.outputs[0]} holds {out.dtype}, which carries no "
            f"gradient: {f'name one of floats, {floats}' if floats else 'no output holds floats'}"
        )
    out.name = out.name or output or plan.outputs[0]
    loss = out.sum()
    ran_on = ", ".join(f"{name} {x.shape}" for name, x in given.items() if name not in arrays)
    return Found(where, file.stem, loss, _first(plan, given, variables, loss), variables, ran_on)


def _run(
    file: Path, network: OnnxNetwork, given: dict[str, Tensor], shapes: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Return the outputs by name."""
    try:
        results = network(*given.values())
    except Error as error:
        open = [i for i in network.plan.inputs if i.name not in shapes and not _closed(i)]
        hint = f"; lengths left open are 1: give yours, as in {_example(open[0])}" if open else ""
        raise type(error)(f"{file}: {str(error).removeprefix('from_onnx: ')}{hint}") from error
    names = network.plan.outputs
    return dict(zip(names, results if isinstance(results, tuple) else (results,)))


# Shapes


def _lengths(
    file: Path, plan: Plan, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """Return the shape of every input: as it was asked for, else as declared, else of length 1."""
    names = [i.name for i in plan.inputs]
    for name in shapes:
        if name not in names:
            raise UsageError(
                f"--shape {name}: {file} has no such input{did_you_mean(name, names)}: "
                f"it takes {', '.join(map(str, plan.inputs)) or 'none'}"
            )
    known: dict[str, int] = {}
    for declared in plan.inputs:
        if declared.name in shapes:
            _refuse_misfit(declared, shapes[declared.name], known)
    found = {}
    for declared in plan.inputs:
        if declared.shape is None and declared.name not in shapes:
            raise UsageError(
                f"{file} does not say the shape of its input {declared}: "
                f"give it, as in {_example(declared)}"
            )
        found[declared.name] = shapes.get(declared.name) or tuple(
            n if isinstance(n, int) else known.get(n or "", 1) for n in declared.shape or ()
        )
    return found


def _refuse_misfit(declared: Input, shape: tuple[int, ...], known: dict[str, int]) -> None:
    """Raise where a shape is not one that the model takes; note the lengths that have names."""
    wanted = declared.shape
    if wanted is None:
        return
    fits = len(wanted) == len(shape)
    for length, n in zip(wanted, shape):
        expected = known.setdefault(length, n) if isinstance(length, str) else length
        fits = fits and expected in (None, n)
    if not fits:
        lengths = [(str(k), known.get(str(k), n), n) for k, n in zip(wanted, shape)]
        other = [f"{k} = {length}" for k, length, n in lengths if length != n]
        raise UsageError(
            f"--shape {declared.name}={','.join(map(str, shape))}: the model declares {declared}"
            + (f", with {', '.join(other)}" if other else "")
        )


def _closed(declared: Input) -> bool:
    return all(isinstance(n, int) for n in declared.shape or ())


def _example(declared: Input) -> str:
    open = (1, 3, 224, 224) if declared.shape is None else declared.shape
    lengths = ",".join(str(n) if isinstance(n, int) else "8" for n in open)
    return f"--shape {declared.name}={lengths}"


# Numbers


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the arrays in an .npz file that are called as a network's inputs are.

    Raises:
        DataError: the file cannot be read, or holds an array of another name.
    """
    try:
        with path.open("rb") as file:
            arrays = read_npz(file)
    except FileNotFoundError as error:
        raise DataError(f"--data {path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"--data {path}: cannot be read as an .npz file of plain numbers: write it with "
            f"numpy.savez(path, {', '.join(f'{name}=...' for name in names)})"
        ) from error
    for name in arrays:
        if name not in names:
            raise DataError(
                f"--data {path}: holds an array {name!r}{did_you_mean(name, names)}: the network's "
                f"inputs are {', '.join(names) or 'none'}"
            )
    if not arrays:
        raise DataError(f"--data {path}: holds no array: give {', '.join(names)}")
    return arrays


def _fitting(file: Path, plan: Plan, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Return the arrays, after a look at whether they are numbers that their inputs take."""
    declared = {i.name: i for i in plan.inputs}
    for name, array in arrays.items():
        if name not in declared:
            raise UsageError(f"{file} has no input {name!r}: it takes {', '.join(declared)}")
        if array.dtype.kind not in declared[name].kinds:
            raise DataError(
                f"{name}: the array is of dtype {array.dtype}, and {file} declares {declared[name]}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{name}: the array holds NaN or infinities: remove or replace them")
    return arrays


def _drawn(
    network: OnnxNetwork, shapes: dict[str, tuple[int, ...]], seed: int,
    arrays: Mapping[str, np.ndarray],
) -> dict[str, Tensor]:  # fmt: skip
    """Return a tensor for every input: of its array, or drawn."""
    rng = np.random.default_rng(seed)
    floats = next((p.dtype for p in network.parameters()), np.dtype(np.float32))
    drawn = {}
    for declared in network.plan.inputs:
        name, shape = declared.name, shapes[declared.name]
        if declared.kinds == "f":
            values = arrays[name] if name in arrays else rng.standard_normal(shape)
            drawn[name] = tensor(values.astype(floats), requires_grad=True, name=name)
        elif name in arrays:
            drawn[name] = tensor(arrays[name], name=name)
        elif declared.kinds == "b":
            drawn[name] = tensor(np.ones(shape, bool), name=name)
        else:
            lengths = [length for _, length in _looked_up(network.plan, name)]
            numbers = rng.integers(min(lengths), size=shape) if lengths else np.ones(shape, int)
            drawn[name] = tensor(numbers, name=name)
    return drawn


def _looked_up(plan: Plan, name: str) -> Iterator[tuple[str, int]]:
    """Yield what an input's integers are places in: the array's name, and how many there are.

    An array that is computed on the way is taken to have one place.
    """
    arrays = {**plan.constants, **plan.buffers, **plan.weights}
    same = {name}
    for step in plan.steps:
        if step.operator in LOOKUPS and step.inputs[1] in same:
            held = arrays.get(step.inputs[0])
            yield step.inputs[0], 1 if held is None else held.shape[step.attributes["axis"]]
        elif step.operator in MOVES and same.intersection(step.inputs):
            same.update(step.outputs)


def _first(
    plan: Plan, given: dict[str, Tensor], variables: dict[str, Tensor], loss: Tensor
) -> Tensor | None:
    """Return the first input that a gradient reaches, or the first parameter that one looks up."""
    reached = graph(loss)
    for name, x in given.items():
        looked_up = [variables.get(held) for held, _ in _looked_up(plan, name)]
        for leaf in (x, *looked_up):
            if leaf is not None and leaf.requires_grad and reached.holds(leaf):
                return leaf
    return None
