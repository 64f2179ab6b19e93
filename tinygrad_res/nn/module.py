"""What a module is: parameters and modules held as attributes, and a ``forward``.

Calling a module records under a scope named after the attribute that holds it, so a graph
shows ``body/0/branch`` where the code says ``net.body[0].branch``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from .. import trees
from ..errors import UsageError
from ..record import no_grad, scope
from ..tensor import Parameter, Tensor, parameter, tensor


class Module:
    """A part of a network.  Subclasses set parameters and modules, and write ``forward``."""

    training: bool = True
    scope_name: str = ""

    def forward(self, x: Any) -> Tensor:
        """Return the output for ``x``; subclasses say what that is."""
        raise UsageError(f"{type(self).__name__} computes nothing: write its forward(x)")

    def __call__(self, x: Any) -> Tensor:
        if not self.scope_name:
            return self.forward(x)
        with scope(self.scope_name):
            return self.forward(x)

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

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it, outer before inner."""
        yield self
        for _, child in self.children():
            yield from child.modules()

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Yield each parameter once, with its name from here, such as ``body.0.weight``."""
        seen: set[int] = set()
        for name, value in self._named_parameters(prefix):
            if id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def _named_parameters(self, prefix: str) -> Iterator[tuple[str, Parameter]]:
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
        for name, child in self.children():
            yield from child._named_parameters(f"{prefix}{name}.")

    def parameters(self) -> list[Parameter]:
        """Return the parameters, each once."""
        return [value for _, value in self.named_parameters()]

    def size(self) -> int:
        """Return the number of trainable numbers."""
        return sum(p.size for p in self.parameters() if p.requires_grad)

    def train(self, mode: bool = True) -> Self:
        """Switch batch statistics on (or off), and return the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to running statistics, and return the module."""
        return self.train(False)

    def to(self, device: str | None = None, dtype: Any = None) -> Self:
        """Move parameters and statistics to ``device`` and ``dtype``, and return the module.

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
    """Modules one after the other, named by their number."""

    def __init__(self, *parts: Module) -> None:
        for i, part in enumerate(parts):
            setattr(self, str(i), part)

    def forward(self, x: Any) -> Tensor:
        """Return the last module's output."""
        for _, part in self.children():
            x = part(x)
        return x  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __getitem__(self, i: int) -> Module:
        return list(self.children())[i][1]

    def __iter__(self) -> Iterator[Module]:
        return (part for _, part in self.children())


def _moved(value: Tensor, device: str, dtype: Any) -> Tensor:
    """Return a leaf of the same kind elsewhere."""
    with no_grad():
        array = value.to(device).data
    if isinstance(value, Parameter):
        return parameter(array, value.name, value.requires_grad, dtype or value.dtype)
    return tensor(array, dtype=dtype or value.dtype)
