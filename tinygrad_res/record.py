"""What is recorded: nodes, the scope they were made in, and the switch.

A node is one executed operation: its primitive, the nodes of its operands, and
just those arrays that the primitive's derivative mentions.  Nodes point at their
operands and at nothing else, so a record has no reference cycle: dropping the last
tensor of a computation frees it at once.

Recording is on or off for a thread, or a task of ``asyncio``.  ``scope_now()`` says both:
``None`` means off, otherwise it is the scope that new nodes are filed under.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import ref

from .errors import UsageError

if TYPE_CHECKING:
    from .primitive import Primitive
    from .tensor import Tensor


class Scope:
    """A named part of a computation, such as a module of a network.

    ``branch`` marks the residual branch of a block: a path that enters it crosses
    one block on the branch side, a path that stays outside takes the shortcut.  ``container`` are
    the names of the container of modules that opened it.
    """

    __slots__ = ("branch", "container", "name", "parent")

    def __init__(
        self, name: str, parent: Scope | None = None, branch: bool = False,
        container: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.name, self.parent, self.branch, self.container = name, parent, branch, container

    @property
    def path(self) -> str:
        """The names from the outermost scope to this one, joined by ``/``."""
        names = []
        scope: Scope | None = self
        while scope is not None and scope.parent is not None:
            names += [scope.name] if scope.name else []
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


_scope: ContextVar[Scope | None] = ContextVar("scope", default=ROOT)
_open: ContextVar[tuple[tuple[object, Scope | None], ...]] = ContextVar("open", default=())

scope_now = _scope.get


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

    def __reduce__(self) -> Any:
        raise UsageError(
            "copy: a record cannot be copied or pickled, nor can graphs, paths and formulas that "
            "hold one: write the graph to a file, tg.graph(tensor).save('graph.json'), or make the "
            "computation again where it is needed"
        )


class Leaf(Node):
    """The node of a tensor that no operation made.

    ``owner`` is a weak reference to that tensor: the backward pass reaches it to
    leave the gradient there, without keeping it alive.  ``origin`` is the operation that
    a record ends at, such as ``floor``, whose result carries no gradient.
    """

    __slots__ = ("is_parameter", "origin", "owner")

    def __init__(self, owner: Tensor, array: Any, requires_grad: bool, is_parameter: bool) -> None:
        super().__init__(
            None, (), (), {}, array.shape, array.dtype, scope_now() or ROOT, (), requires_grad
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


def within(
    names: tuple[str, ...], call: Callable[..., Any], args: tuple[Any, ...],
    options: dict[str, Any], branch: bool = False, container: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    """Return ``call(*args, **options)``, and file what it records under ``names``, outermost first.

    It is a ``scope`` as long as a call, made for modules, which are called by the hundred.  What is
    called from within its container's own call lies in the container's scope already, so the
    container's names are left away.
    """
    outside = scope_now()
    if outside is None:
        return call(*args, **options)
    inside = outside
    if len(names) > 1:
        held = outside.container
        if held and names[: len(held)] == held != names:
            names = names[len(held) :]
        for name in names[:-1]:
            inside = Scope(name, inside)
    inside = Scope(names[-1], inside, branch, container)
    around = _open.get()
    opened = (*around, (inside, inside))
    _open.set(opened)
    _scope.set(inside)
    try:
        return call(*args, **options)
    finally:
        if _open.get() is opened:
            _open.set(around)
            _scope.set(outside)
        else:  # a generator began a block in the call and holds it, or ended one from before
            _close(inside)


def _close(block: object) -> None:
    """Take a block from those that are open, the last of which says where nodes are filed."""
    left = _open.get()
    if left and left[-1][0] is block:
        left = left[:-1]
    else:  # a generator that holds one ended in another order, or in another thread or task
        own = [k for k, (held, _) in enumerate(left) if held is block]
        if own:
            left = left[: own[-1]] + left[own[-1] + 1 :]
    _open.set(left)
    _scope.set(left[-1][1] if left else ROOT)


class _Block(ContextDecorator):
    """A ``with`` block that says where nodes are filed, or that none are recorded.

    Blocks may end in another order than they began, as generators that hold one do: each
    removes itself alone.
    """

    def __init__(self, name: str, choose: Callable[[Scope | None], Scope | None]) -> None:
        self._name, self._choose = name, choose

    def __enter__(self) -> None:
        inside = self._choose(scope_now())
        _open.set((*_open.get(), (self, inside)))
        _scope.set(inside)

    def __exit__(self, *_: object) -> None:
        _close(self)

    def __call__(self, function: Any) -> Any:
        paused = (
            inspect.isgeneratorfunction,
            inspect.iscoroutinefunction,
            inspect.isasyncgenfunction,
        )
        if any(pauses(function) for pauses in paused):
            raise UsageError(
                f"{self._name}: it cannot decorate {function.__name__}, which pauses: "
                f"write `with tg.{self._name}(...):` inside of it"
            )
        return super().__call__(function)


def no_grad(function: Any = None) -> Any:
    """Switch recording off, for the length of a ``with`` block or of a decorated function.

    It holds for this thread, and for this task of ``asyncio``.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     (2 * x).requires_grad
    False
    """
    block = _Block("no_grad", lambda outside: None)
    return block if function is None else block(function)


def recording() -> _Block:
    """Switch recording on, also inside ``no_grad``: derivatives need a record."""
    return _Block("recording", lambda outside: outside or ROOT)


def scope(name: str, branch: bool = False) -> _Block:
    """File what is recorded in a ``with`` block under ``name``.

    Scopes nest; a node made in ``scope("block1")`` inside ``scope("net")`` has the
    scope path ``net/block1``, and so has one made in ``scope("net/block1")``: a slash in a
    name stands between two scopes.

    Args:
        name: a label for people; it may be anything printable.
        branch: mark the block as a residual branch, for grading paths by blocks.  Of
            ``"net/block1"`` the innermost is marked.

    Raises:
        UsageError: the name is no text.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0], requires_grad=True, name="x")
    >>> with tg.scope("block1"):
    ...     y = tg.tanh(x)
    >>> tg.graph(y).nodes[-1].scope
    'block1'
    """
    if not isinstance(name, str):
        raise UsageError(f"scope: expected a name, got {name!r}: write tg.scope({str(name)!r})")
    *around, innermost = [part for part in name.split("/") if part] or [""]

    def enter(outside: Scope | None) -> Scope | None:
        if outside is None:
            return None
        for part in around:
            outside = Scope(part, outside)
        return Scope(innermost, outside, branch)

    return _Block("scope", enter)
