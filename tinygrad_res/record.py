"""What is recorded: nodes, the scope they were made in, and the switch.

A node is one executed operation: its primitive, the nodes of its operands, and
just those arrays that the primitive's derivative mentions.  Nodes point at their
operands and at nothing else, so a record has no reference cycle: dropping the last
tensor of a computation frees it at once.

Recording is on or off for a thread.  ``state.scope`` says both: ``None`` means
off, otherwise it is the scope that new nodes are filed under.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from .primitive import Primitive
    from .tensor import Tensor


class Scope:
    """A named part of a computation, such as a module of a network.

    ``branch`` marks the residual branch of a block: a path that enters it crosses
    one block on the branch side, a path that stays outside takes the shortcut.
    """

    __slots__ = ("branch", "name", "parent")

    def __init__(self, name: str, parent: Scope | None = None, branch: bool = False) -> None:
        self.name, self.parent, self.branch = name, parent, branch

    @property
    def path(self) -> str:
        """The names from the outermost scope to this one, joined by ``/``."""
        names = []
        scope: Scope | None = self
        while scope is not None and scope.parent is not None:
            names.append(scope.name)
            scope = scope.parent
        return "/".join(reversed(names))

    def branches(self) -> tuple[Scope, ...]:
        """Return the enclosing residual branches, outermost first."""
        found = []
        scope: Scope | None = self
        while scope is not None:
            if scope.branch:
                found.append(scope)
            scope = scope.parent
        return tuple(reversed(found))


ROOT = Scope("")


class _State(threading.local):
    scope: Scope | None = ROOT


state = _State()


@dataclass(slots=True, eq=False, repr=False, weakref_slot=True)
class Node:
    """One recorded operation.  Compared and hashed by identity.

    ``parents[i]`` made operand ``i``; it is ``None`` for a constant.  ``wanted`` are the
    operands that require a gradient, and ``saved`` is (output, *operands) with ``None``
    in place of what their rules do not use.  ``hooks`` see its gradient pass.
    """

    primitive: Primitive | None
    parents: tuple[Node | None, ...]
    saved: tuple[Any, ...]
    params: dict[str, Any]
    shape: tuple[int, ...]
    dtype: Any
    scope: Scope
    wanted: tuple[int, ...]
    requires_grad: bool
    index: int = field(default_factory=itertools.count().__next__)
    name: str | None = None
    hooks: tuple[Hook, ...] = ()


class Leaf(Node):
    """The node of a tensor that no operation made.

    ``owner`` is a weak reference to that tensor: the backward pass reaches it to
    leave the gradient there, without keeping it alive.  ``origin`` is the operation that
    a record ends at, such as ``floor``, whose result carries no gradient.
    """

    __slots__ = ("is_parameter", "origin", "owner")

    def __init__(self, owner: Tensor, array: Any, requires_grad: bool, is_parameter: bool) -> None:
        super().__init__(
            None, (), (), {}, array.shape, array.dtype, state.scope or ROOT, (), requires_grad
        )
        self.owner = ref(owner)
        self.is_parameter = is_parameter
        self.origin = ""

    @property
    def is_constant(self) -> bool:
        """Whether it is no more than a named array."""
        return not (self.is_parameter or self.requires_grad)


class Hook:
    """A function called with the gradient of a node; see ``Tensor.register_hook``."""

    __slots__ = ("_node", "call")

    def __init__(self, node: Node, call: Callable[[Tensor], Any]) -> None:
        self._node, self.call = ref(node), call
        node.hooks = (*node.hooks, self)

    def remove(self) -> None:
        """Call it no more."""
        node = self._node()
        if node is not None:
            node.hooks = tuple(hook for hook in node.hooks if hook is not self)


@contextmanager
def _scoped(scope: Scope | None) -> Iterator[None]:
    before, state.scope = state.scope, scope
    try:
        yield
    finally:
        state.scope = before


@contextmanager
def no_grad() -> Iterator[None]:
    """Switch recording off in this thread, for the length of a ``with`` block.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     (2 * x).requires_grad
    False
    """
    with _scoped(None):
        yield


@contextmanager
def recording() -> Iterator[None]:
    """Switch recording on, also inside ``no_grad``: derivatives need a record."""
    with _scoped(state.scope or ROOT):
        yield


@contextmanager
def scope(name: str, branch: bool = False) -> Iterator[None]:
    """File what is recorded in a ``with`` block under ``name``.

    Scopes nest; a node made in ``scope("block1")`` inside ``scope("net")`` has the
    scope path ``net/block1``.

    Args:
        name: a label for people; it may be anything printable.
        branch: mark the block as a residual branch, for grading paths by blocks.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0], requires_grad=True, name="x")
    >>> with tg.scope("block1"):
    ...     y = tg.tanh(x)
    >>> tg.graph(y).nodes[-1].scope
    'block1'
    """
    inside = None if state.scope is None else Scope(name, state.scope, branch)
    with _scoped(inside):
        yield
