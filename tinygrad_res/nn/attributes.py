"""What a module may hold: whatever would be left out of its state unseen is refused.

A module's state is its parameters, its buffers and those of the modules that it holds.  Tensors
that ``__init__`` leaves beside them, and modules in a plain list, were meant to be state as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import trees
from ..errors import UsageError
from ..record import Leaf
from ..tensor import Parameter, Tensor

if TYPE_CHECKING:
    from .module import Module


def complete(init: Callable[..., None]) -> Callable[..., None]:
    """Return an ``__init__`` that refuses a tensor which it leaves as neither weight nor buffer.

    Raises:
        UsageError: there is one.
    """

    @functools.wraps(init)
    def initialise(self: Module, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        own = {name for name, _ in self.own_state()}
        for name, value in vars(self).items():
            if isinstance(value, Tensor) and name not in own:
                raise UsageError(
                    f"{type(self).__name__}.{name}: a tensor set in __init__ is a weight, "
                    f"self.{name} = tg.parameter(values), or a buffer, which is saved and moved but "
                    f"not trained, self.register_buffer({name!r}, values): hold what is neither as "
                    "an array"
                )

    return initialise


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


def hides_state(value: Any, kind: type[Module]) -> bool:
    """Say whether modules or parameters are inside a list, a tuple or a dict."""
    return isinstance(value, (list, tuple, dict)) and any(
        isinstance(part, (kind, Parameter)) for part in trees.flatten(value)[0]
    )


def hidden(module: Module, name: str, value: Any) -> UsageError:
    """Return the error for an attribute that hides them."""
    return UsageError(
        f"{type(module).__name__}.{name}: modules and parameters in a {type(value).__name__} would "
        "not be trained: use nn.ModuleList, nn.ModuleDict or nn.Sequential, or an attribute for each"
    )
