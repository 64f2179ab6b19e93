"""What a module may hold: whatever would be left out of its state unseen is refused.

A module's state is its parameters, its buffers and those of the modules that it holds.  Tensors
that ``__init__`` leaves beside them, and modules in a plain list, were meant to be state as well.
"""

from __future__ import annotations

import inspect
from abc import ABCMeta
from typing import TYPE_CHECKING, Any, NoReturn

from .. import mends, trees
from ..errors import UsageError
from ..record import Leaf
from ..tensor import Parameter, Tensor

if TYPE_CHECKING:
    from .module import Module


class Built(ABCMeta):
    """Makes modules, and refuses those whose state would be lost."""

    __instancecheck__ = type.__instancecheck__  # twice as fast as that of abstract classes

    @property
    def __signature__(cls) -> inspect.Signature:
        """What the class is called with: all that ``__init__`` takes but the module."""
        init: Any = cls.__init__  # type: ignore[misc]
        if init is object.__init__:
            return inspect.Signature()
        whole = inspect.signature(init)
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Return a module.

        Raises:
            UsageError: its ``__init__`` left a tensor that is neither parameter nor buffer, or does
                not take an argument that layers of PyTorch do.
        """
        mends.refuse_foreign(cls.__name__, cls, options)
        module = super().__call__(*args, **options)
        own = dict(module.own_state())
        for name, value in vars(module).items():
            if isinstance(value, Tensor) and name not in own:
                raise UsageError(
                    f"{cls.__name__}.{name}: a tensor set in __init__ is a weight, "
                    f"self.{name} = tg.parameter(values), or a buffer, which is saved and moved but "
                    f"not trained, self.register_buffer({name!r}, values): hold what is neither as "
                    "an array"
                )
        return module


class Elsewhere:
    """A name that modules have in PyTorch: as if it were not there, but for the mend."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, module: Module | None, kind: type[Module]) -> NoReturn:
        raise mends.missing(f"a {kind.__name__}", self.name, mends.MODULE)


def refuse_as_buffer(module: Module, name: str, value: Any) -> None:
    """Refuse as a buffer what is no tensor, and what would keep a record alive.

    Raises:
        UsageError: it is one of these.
    """
    what = f"{type(module).__name__}.{name} is a buffer"
    if not isinstance(value, Tensor | None):
        raise UsageError(f"{what}: assign a tensor, such as tg.tensor(values), or None")
    if value is not None and not isinstance(value._node, Leaf | None):
        raise UsageError(
            f"{what}: what is assigned was computed by {value._node.primitive}, and its record would "
            "be kept with it: compute it inside tg.no_grad(), or assign tg.stop_gradient(value)"
        )


def hides_state(value: Any) -> bool:
    """Say whether modules or parameters are inside a list, a tuple or a dict."""
    return isinstance(value, (list, tuple, dict)) and any(
        isinstance(part, Parameter) or isinstance(type(part), Built)
        for part in trees.flatten(value)[0]
    )


def hidden(module: Module, name: str, value: Any) -> UsageError:
    """Return the error for an attribute that hides them."""
    return UsageError(
        f"{type(module).__name__}.{name}: modules and parameters in a {type(value).__name__} would "
        "not be trained: use nn.ModuleList, nn.ModuleDict or nn.Sequential, or an attribute for each"
    )
