"""Modules that hold modules by number or by name, for networks that are built in loops.

What they hold is state of the network under PyTorch's names, such as ``layers.0.weight``, where a
Python list would hide it.  What they hold is recorded under ``layers/0``, whether the container
is called, as ``Sequential`` is, or a ``forward`` of one's own takes its modules one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import UsageError
from ..whole_numbers import whole
from .module import Module


class _Numbered(Module):
    """Modules by number, from 0."""

    is_container = True

    def append(self, part: Module) -> None:
        """Add a module behind the others.

        Raises:
            UsageError: it is no module.
        """
        self._put(len(self), part)

    def extend(self, parts: Iterable[Module]) -> None:
        """Add modules behind the others.

        Raises:
            UsageError: one is no module; those before it were added.
        """
        for part in parts:
            self.append(part)

    def _put(self, i: int, part: Module) -> None:
        if not isinstance(part, Module):
            raise UsageError(
                f"{type(self).__name__}: part {i} is a {type(part).__name__}: pass modules, "
                "such as nn.ReLU() for tg.relu, one by one"
            )
        setattr(self, str(i), part)

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __getitem__(self, i: Any) -> Any:
        """Return a module by its number; for a slice a container of some, which keep their names."""
        chosen = list(self)[i]
        if not isinstance(i, slice):
            return chosen
        found = Sequential() if isinstance(self, Sequential) else ModuleList()
        found.training, found.scope_names = self.training, self.scope_names
        vars(found).update({str(k): part for k, part in enumerate(chosen)})
        return found

    def __setitem__(self, i: int, part: Module) -> None:
        """Put a module in the place of another.

        Raises:
            UsageError: there is none of this number, or what is given is no module.
        """
        number = whole(i)
        if number is None or not -len(self) <= number < len(self):
            raise UsageError(f"{type(self).__name__}: part {i!r}: there are {len(self)}")
        self._put(number % len(self), part)

    def __iter__(self) -> Iterator[Module]:
        return iter([part for part in vars(self).values() if isinstance(part, Module)])


class Sequential(_Numbered):
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
            self._put(i, part)

    def forward(self, x: Any) -> Any:
        """Return the last module's output."""
        own = self.scope_names
        for key, part in vars(self).items():
            if isinstance(part, Module):
                names = part.scope_names
                x = part.called(names if names[:-1] == own else (*own, key), (x,), {})
        return x


class ModuleList(_Numbered):
    """Modules in a list, for a ``forward`` of one's own.

    >>> import tinygrad_res as tg
    >>> class Net(tg.nn.Module):
    ...     def __init__(self, depth):
    ...         self.layers = tg.nn.ModuleList(tg.nn.Linear(2, 2) for _ in range(depth))
    ...
    ...     def forward(self, x):
    ...         for layer in self.layers:
    ...             x = x + tg.relu(layer(x))
    ...         return x
    >>> [name for name, _ in Net(depth=2).named_parameters()]
    ['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias']

    Raises:
        UsageError: a part is no module.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)


class ModuleDict(Module):
    """Modules by name, for a ``forward`` of one's own.

    >>> import tinygrad_res as tg
    >>> heads = tg.nn.ModuleDict({"digit": tg.nn.Linear(2, 10), "parity": tg.nn.Linear(2, 1)})
    >>> heads["parity"](tg.tensor([[1.0, 2.0]])).shape
    (1, 1)

    Raises:
        UsageError: a name is that of a method, holds a dot or is no text, or a part is no module.
    """

    is_container = True

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module]) -> None:
        """Take over modules by name."""
        for name, part in modules.items():
            self[name] = part

    def __setitem__(self, name: str, part: Module) -> None:
        if not isinstance(part, Module):
            raise UsageError(
                f"ModuleDict: {name!r} is a {type(part).__name__}: pass modules, such as nn.ReLU()"
            )
        if not isinstance(name, str) or not name or "." in name or hasattr(type(self), name):
            raise UsageError(f"ModuleDict: the name {name!r}: use another, of text without dots")
        setattr(self, name, part)

    def __getitem__(self, name: str) -> Module:
        return dict(self.children())[name]

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        del vars(self)[name]

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.children())

    def __contains__(self, name: object) -> bool:
        return any(key == name for key in self)

    def keys(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self)

    def values(self) -> Iterator[Module]:
        """Yield the modules."""
        return (part for _, part in self.children())

    def items(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules with their names."""
        return self.children()
