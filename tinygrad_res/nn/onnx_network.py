"""The module that runs the steps of an ONNX file.

A value on the way is either a tensor, which is recorded, or a plain array of the host: shapes and
constants.  A step whose operands are all plain gives plain arrays again, so what an exporter writes
to compute shapes never enters the record, nor a device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from .. import backend
from ..errors import DataError, DtypeError, Error, ShapeError, UsageError
from ..record import scope
from ..tensor import Tensor, parameter, raw, tensor
from .module import Module
from .onnx_operators import OPERATORS
from .onnx_reading import Input, Plan, Step
from .onnx_shapes import one

_MOST_LISTED = 8
_ANY_NUMBER = (
    ": the file is for that many examples: export it with dynamic_shapes=({0: 'batch'},), or in the older "
    "way with dynamic_axes={'x': {0: 'batch'}}, to be given any number"
)


class OnnxNetwork(Module):
    """A network read from an ONNX file; see ``nn.from_onnx``.

    Attributes:
        plan: the steps, what goes in and comes out, and the arrays as the file has them:
            ``weights``, ``buffers``, ``constants``, ``shared`` by several modules.
        held: the attributes that hold parameters and buffers, by their names.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.held: dict[str, str] = {}  # attributes by the file's names
        for values, trained in ((plan.weights, True), (plan.buffers, False)):
            for name, array in values.items():
                attribute = name
                while hasattr(self, attribute):  # such as "size", which is a method
                    attribute += "_"
                if trained:
                    vars(self)[attribute] = parameter(array, name)
                else:
                    self.register_buffer(attribute, tensor(array, name=name))
                self.held[name] = attribute

    def __repr__(self) -> str:
        """Say what goes in and comes out, and what the file's arrays became."""
        plan = self.plan
        count = sum(array.size for array in plan.weights.values())
        fixed = {k: a for k, a in plan.constants.items() if a.dtype.kind == "f" and a.ndim}
        takes = ", ".join(map(str, plan.inputs)) or "no input"
        lines = [
            f"{takes} -> {', '.join(plan.outputs)}",
            f"parameters: {count:,} numbers{_listed(plan.weights)}",
            f"buffers{_listed(plan.buffers)}" if plan.buffers else "",
            f"constants, which are not trained{_listed(fixed)}" if fixed else "",
            f"used by several modules: {', '.join(plan.shared)}" if plan.shared else "",
        ]
        return "\n  ".join(["OnnxNetwork(", *filter(None, lines)]) + "\n)"

    def forward(self, *inputs: Any, **by_name: Any) -> Any:
        """Return the output for the model's inputs, in its order or by name; of several, a tuple.

        Raises:
            UsageError: an input is missing, or is none of the model's.
            ShapeError: an input has another shape than the model declares.
            DtypeError: an input is of another kind of number.
            DataError: a step of the model does not fit what it is given.
        """
        values: dict[str, Any] = {"": None, **self.plan.constants}
        values |= {name: vars(self)[attribute] for name, attribute in self.held.items()}
        values |= self._given(inputs, by_name)
        _carry_out(self.plan.steps, values)
        found = [values[name] for name in self.plan.outputs]
        found = [value if isinstance(value, Tensor) else tensor(value) for value in found]
        return found[0] if len(found) == 1 else tuple(found)

    def _given(self, inputs: Sequence[Any], by_name: dict[str, Any]) -> dict[str, Tensor]:
        """Return the inputs by name, as tensors that fit what the model declares."""
        declared = self.plan.inputs
        expected = ", ".join(map(str, declared))
        given = dict(zip([i.name for i in declared], inputs))
        wrong = [
            name for name in by_name if name in given or name not in {i.name for i in declared}
        ]
        given |= by_name
        if len(inputs) > len(declared) or wrong or len(given) < len(declared):
            named = [f"{len(inputs)} in order"] * bool(inputs) + list(map(repr, by_name))
            raise UsageError(
                f"from_onnx: the model takes {expected or 'no input'}"
                f"{', each once' if len(declared) > 1 else ''}: given was "
                f"{' and '.join(named) or 'none'}"
            )
        lengths: dict[str, int] = {}
        return {i.name: _fitting(i, given[i.name], lengths) for i in declared}


def _listed(arrays: Mapping[str, Any]) -> str:
    """Return the names and shapes of arrays, the first of them."""
    shown = [f"{name} {array.shape}" for name, array in arrays.items()][:_MOST_LISTED]
    rest = len(arrays) - len(shown)
    return f" in {', '.join(shown)}" * bool(shown) + (f" and {rest} more" if rest else "")


def _fitting(declared: Input, value: Any, lengths: dict[str, int]) -> Tensor:
    x = value if isinstance(value, Tensor) else tensor(value)
    if x.dtype.kind not in declared.kinds:
        raise DtypeError(f"from_onnx: input of dtype {x.dtype}: the model declares {declared}")
    if declared.shape is None:
        return x
    fits = len(declared.shape) == x.ndim
    for wanted, n in zip(declared.shape, x.shape):
        length = lengths.setdefault(wanted, n) if isinstance(wanted, str) else wanted
        fits = fits and length in (None, n)
    if not fits:
        raise ShapeError(
            f"from_onnx: input of shape {x.shape}: the model declares {declared}"
            + _why(declared.shape, x.shape, lengths)
        )
    return x


def _why(wanted: Sequence[Any], shape: tuple[int, ...], lengths: Mapping[str, int]) -> str:
    """Say what named lengths are elsewhere, or that only the number of examples is another."""
    other = [f"{k} = {lengths[k]}" for k, n in zip(wanted, shape) if lengths.get(k, n) != n]
    if other:
        return f" with {', '.join(other)}"
    return _ANY_NUMBER * (len(wanted) == len(shape) > 0 and tuple(wanted[1:]) == shape[1:])


def _carry_out(steps: Iterable[Step], values: dict[str, Any], depth: int = 0) -> None:
    """Run steps in order; those in a row that are in one module share one visit of its scope."""

    def module(step: Step) -> tuple[str, int]:
        return step.path[depth] if depth < len(step.path) else ("", 0)

    for (name, number), inside in groupby(steps, module):
        if name:
            with scope(name, branch=number > 0):
                _carry_out(inside, values, depth + 1)
            continue
        for step in inside:
            if all(bool(one(values[name])) is wanted for name, wanted in step.guard):
                results = _run(step, [values[name] for name in step.inputs])
            else:
                results = [None] * len(step.outputs)
            values.update(zip(step.outputs, results))
            for unused in step.last:
                values.pop(unused, None)


def _run(step: Step, operands: list[Any]) -> Sequence[Any]:
    """Return the results of one step."""
    operator = OPERATORS[step.operator]
    plain = not any(isinstance(x, Tensor) for x in operands)
    try:
        if not plain:
            operands = _placed(operands, step.host)
        out = operator.run(*operands, **step.attributes)
    except Error as error:
        raise type(error)(f"{step}: {error}") from error
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise DataError(f"{step}: its operands do not fit ({error})") from error
    results = out if isinstance(out, (tuple, list)) else (out,)
    return [_value(raw(x) if plain else x) for x in results]


def _value(x: Any) -> Any:
    """Return a tensor, or a plain array where it lies on the host."""
    on_host = isinstance(x, (np.ndarray, np.generic))
    return np.asarray(x) if on_host else x if isinstance(x, Tensor) else tensor(x)


def _placed(operands: list[Any], host: frozenset[int]) -> list[Any]:
    """Send plain arrays to where the tensors beside them are, in the dtype that these have."""
    tensors = [x for x in operands if isinstance(x, Tensor)]
    xp = backend.namespace(raw(tensors[0]))
    dtype = next((x.dtype for x in tensors if x.dtype.kind == "f"), None)
    placed = list(operands)
    for k, x in enumerate(operands):
        if not isinstance(x, np.ndarray) or k in host:
            continue
        if dtype is None or x.dtype.kind != "f":
            placed[k] = xp.asarray(x)
        else:
            placed[k] = xp.asarray(x.astype(dtype, copy=False)) if x.ndim else float(x)
    return placed
