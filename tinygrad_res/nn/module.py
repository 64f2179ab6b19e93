"""What a module is: parameters, buffers and modules held as attributes, and a ``forward``.

Calling a module records under a scope named after the attribute that holds it, so a graph
shows ``body/0/branch`` where the code says ``net.body[0].branch``.  A parameter is trained; a
buffer, which is any other tensor that a module holds, such as a running average, is not.  Both
belong to the module's state, by the same dotted names.  ``state`` copies it, in and out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from .. import trees
from ..errors import UsageError
from ..record import no_grad, within
from ..tensor import Parameter, Tensor, parameter, tensor
from . import state


class Module:
    """A part of a network.  Subclasses set parameters and modules, and write ``forward``."""

    training: bool = True
    scope_name: str = ""

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Return the output for the inputs; subclasses say what that is."""
        raise UsageError(f"{type(self).__name__} computes nothing: write its forward(x)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if not self.scope_name:
            return self.forward(*inputs, **options)
        return within(self.scope_name, self.forward, *inputs, **options)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            value.scope_name = name
        elif isinstance(value, (list, tuple, dict)) and any(
            isinstance(part, (Module, Parameter)) for part in trees.flatten(value)[0]
        ):
            raise UsageError(
                f"{type(self).__name__}.{name}: modules and parameters in a {type(value).__name__} "
                "would not be trained: use nn.Sequential(*modules), or an attribute for each"
            )
        elif isinstance(getattr(self, name, None), Parameter) and not isinstance(value, Parameter):
            raise UsageError(
                f"{type(self).__name__}.{name} is a parameter: assign values to its .data, or "
                "tg.parameter(values)"
            )
        super().__setattr__(name, value)

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules held by this one, with their names."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all inside it, outer before inner, with their dotted names."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it, outer before inner."""
        return (module for _, module in self.named_modules())

    def named_state(self) -> Iterator[tuple[str, Tensor]]:
        """Yield parameters and buffers by their names from here, such as ``body.0.weight``.

        A module's parameters come before its buffers, as in PyTorch's state dicts.  A tensor that
        two modules share comes under both names.
        """
        for prefix, module in self.named_modules():
            held = [(k, v) for k, v in vars(module).items() if isinstance(v, Tensor)]
            for name, value in sorted(held, key=lambda pair: not isinstance(pair[1], Parameter)):
                yield f"{prefix}.{name}" if prefix else name, value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield each parameter once, with its name from here, such as ``body.0.weight``."""
        seen: set[int] = set()
        for name, value in self.named_state():
            if isinstance(value, Parameter) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the tensors that are state but not trained, such as ``bn.running_mean``."""
        return ((k, v) for k, v in self.named_state() if not isinstance(v, Parameter))

    def parameters(self) -> list[Parameter]:
        """Return the parameters, each once."""
        return [value for _, value in self.named_parameters()]

    def size(self) -> int:
        """Return the number of trainable numbers."""
        return sum(p.size for p in self.parameters() if p.requires_grad)

    def train(self, mode: bool = True) -> Self:
        """Switch batch statistics and dropout on (or off), and return the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to running statistics, dropout off, and return the module."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the parameters' gradients, before the next backward pass."""
        for p in self.parameters():
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return the values of parameters and buffers by name: read-only arrays.

        They are what PyTorch's ``state_dict`` of the same modules holds.  Training replaces
        values and writes over none, so what is returned stays as it is.

        >>> import tinygrad_res as tg
        >>> list(tg.nn.BatchNorm2d(3).state_dict())
        ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
        """
        return {name: value.data for name, value in self.named_state()}

    def load_state_dict(self, mapping: Mapping[str, Any], strict: bool = True) -> state.Unmatched:
        """Take the values of parameters and buffers from ``mapping``, all or none.

        Args:
            mapping: by name an array, a tensor, or a tensor of PyTorch.  Dtype and device stay
                those of the module.
            strict: whether missing and unexpected names are an error.

        Returns:
            The names that were missing, and those that were not expected.

        Raises:
            DataError: names are missing or unexpected, shapes or kinds of numbers differ, or a
                shared tensor is given two values; the message lists all of it.

        >>> import tinygrad_res as tg
        >>> tg.nn.Linear(1, 1).load_state_dict({"weight": [[2.0]]}, strict=False)
        Unmatched(missing=('bias',), unexpected=())
        """
        return state.load(self, mapping, strict)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the state to a file that ends in ``.safetensors`` or ``.npz``, and return its path.

        Neither holds code, nor is it read with pickle.  The file appears whole or not at all.

        Raises:
            FileError: the file cannot be written.
            UsageError: the ending is another one.
            DtypeError: safetensors has no such dtype.
        """
        return state.write(path, self.named_state())

    def load(self, path: str | os.PathLike[str], strict: bool = True) -> state.Unmatched:
        """Take the state from a file that ``save`` wrote, or PyTorch with safetensors.

        Raises:
            DataError: there is no such file, it is damaged or of a newer format, or its content
                does not fit, as in ``load_state_dict``.
            UsageError: the ending is not ``.safetensors`` or ``.npz``.
        """
        return state.load(self, state.read(path), strict)

    def to(self, device: str | None = None, dtype: Any = None) -> Self:
        """Move the state to ``device``, floats to ``dtype``, and return the module.

        Parameters are replaced by new ones; make optimisers afterwards.
        """
        moved: dict[int, Tensor] = {}
        for module in self.modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, Tensor):
                    if id(value) not in moved:
                        moved[id(value)] = _moved(value, device or value.device, dtype)
                    setattr(module, name, moved[id(value)])
        return self


class Sequential(Module):
    """Modules one after the other, named by their number.

    >>> import tinygrad_res as tg
    >>> layers = tg.nn.Sequential(tg.nn.Flatten(), tg.nn.ReLU())
    >>> layers(tg.tensor([[[-1.0, 2.0]]]))
    tensor([[0., 2.]])

    Raises:
        UsageError: a part is no module.
    """

    def __init__(self, *parts: Module) -> None:
        for i, part in enumerate(parts):
            if not isinstance(part, Module):
                raise UsageError(
                    f"{type(self).__name__}: part {i} is a {type(part).__name__}: pass modules, "
                    "such as nn.ReLU() for tg.relu, one by one"
                )
            setattr(self, str(i), part)

    def forward(self, x: Any) -> Any:
        """Return the last module's output."""
        for part in self:
            x = part(x)
        return x

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __getitem__(self, i: int) -> Module:
        return list(self)[i]

    def __iter__(self) -> Iterator[Module]:
        return (part for _, part in self.children())


def _moved(value: Tensor, device: str, dtype: Any) -> Tensor:
    """Return a leaf of the same kind elsewhere."""
    with no_grad():
        array = value.to(device).data
    if value.dtype.kind != "f":  # a count stays whole
        dtype = None
    if isinstance(value, Parameter):
        return parameter(array, value.name, value.requires_grad, dtype or value.dtype)
    return tensor(array, dtype=dtype or value.dtype)
