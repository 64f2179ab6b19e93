"""What a module is: parameters, buffers and modules held as attributes, and a ``forward``.

Calling a module records under a scope named after the attribute that holds it, so a graph
shows ``body/0/branch`` where the code says ``net.body[0].branch``, and an error says so too.  A
parameter is trained; a buffer, such as a running average, is not, and says so with
``register_buffer``.  Both belong to the module's state, by the same dotted names.  ``state`` copies
it, in and out.  Any other tensor, such as an activation that ``forward`` keeps to be looked at, is
no state.

A parameter without a name takes the one that it has in the state, and takes it anew whenever its
module is put into a larger one: ``weight``, then ``0.weight``, then ``body.0.weight``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

from .. import mends
from ..errors import UsageError
from ..record import within
from ..tensor import Parameter, Tensor, tensor
from . import state
from .attributes import complete, hidden, hides_state, refuse_as_buffer
from .moving import floating, moved


class Module:
    """A part of a network.  Subclasses set parameters and modules, and write ``forward``."""

    training: bool = True
    scope_names: tuple[str, ...] = ()
    is_container: bool = False
    """Whether the names of what it holds are recorded with its own before them."""
    forward_hooks: tuple[ForwardHook, ...] = ()
    buffer_names: tuple[str, ...] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = complete(cls.__init__)  # type: ignore[method-assign]

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Return the output for the inputs; subclasses say what that is."""
        raise UsageError(f"{type(self).__name__} computes nothing: write its forward(x)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.called(self.scope_names, inputs, options)

    def called(
        self, names: tuple[str, ...], inputs: tuple[Any, ...], options: dict[str, Any],
        branch: bool = False,
    ) -> Any:  # fmt: skip
        """Return what a call returns, recorded under ``names``, as a residual branch or not."""
        call = self._hooked if self.forward_hooks else self.forward
        try:
            if not names:
                return call(*inputs, **options)
            container = self.scope_names if self.is_container else ()
            return within(names, call, inputs, options, branch, container)
        except Exception as error:
            _locate(error, names, self)
            raise

    def _hooked(self, *inputs: Any, **options: Any) -> Any:
        output = self.forward(*inputs, **options)
        for hook in self.forward_hooks:
            found = hook.call(self, inputs, output)
            output = output if found is None else found
        return output

    def register_forward_hook(self, hook: Callable[[Module, Any, Any], Any]) -> ForwardHook:
        """Call ``hook(module, inputs, output)`` after every forward pass of this module.

        What the hook returns takes the output's place; ``None`` leaves it.

        Returns:
            A handle whose ``remove()`` ends this.

        >>> import tinygrad_res as tg
        >>> layer, seen = tg.nn.ReLU(), []
        >>> handle = layer.register_forward_hook(lambda module, inputs, out: seen.append(out.shape))
        >>> y = layer(tg.tensor([1.0, 2.0]))
        >>> handle.remove()
        >>> y = layer(tg.tensor([1.0]))
        >>> seen
        [(2,)]
        """
        handle = ForwardHook(self, hook)
        self.forward_hooks = (*self.forward_hooks, handle)
        return handle

    def register_buffer(self, name: str, values: Any) -> None:
        """Hold a tensor that is saved, loaded and moved with the module, and not trained.

        From then on ``self.name`` may be assigned another tensor, as for a running average.

        Args:
            name: of the attribute, which is new.
            values: a tensor, or what one is made of; ``None`` where there is none as yet.

        Raises:
            UsageError: the module has such an attribute, or the tensor has a record.

        >>> import tinygrad_res as tg
        >>> class Centred(tg.nn.Module):
        ...     def __init__(self):
        ...         self.register_buffer("mean", [0.0, 0.0])
        >>> Centred().state_dict()
        {'mean': array([0., 0.])}
        """
        if not isinstance(name, str) or (name not in self.buffer_names and hasattr(self, name)):
            raise UsageError(
                f"{type(self).__name__}.register_buffer: the name {name!r}: use one that is free"
            )
        held = values if isinstance(values, Tensor | None) else tensor(values)
        refuse_as_buffer(self, name, held)
        self.buffer_names = tuple(dict.fromkeys((*self.buffer_names, name)))
        setattr(self, name, held)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.buffer_names:
            refuse_as_buffer(self, name, value)
        if isinstance(value, Module):
            if callable(getattr(type(self), name, None)):
                raise UsageError(
                    f"{type(self).__name__}.{name} is a method: call the module something else"
                )
            if any(module is self for module in value.modules()):
                raise UsageError(
                    f"{type(self).__name__}.{name}: the {type(value).__name__} holds this module "
                    "already, which would have no end: pass it to forward instead"
                )
            if not any(held is value for held in vars(self).values()):
                value.file_under((*(self.scope_names if self.is_container else ()), name))
                _rename(value, name)
        elif hides_state(value, Module):
            raise hidden(self, name, value)
        elif isinstance(getattr(self, name, None), Parameter) and not isinstance(
            value, Parameter | None
        ):
            raise UsageError(
                f"{type(self).__name__}.{name} is a parameter: assign values to its .data, or "
                "tg.parameter(values)"
            )
        elif isinstance(value, Parameter) and value.name is None:
            before = getattr(self, name, None)
            value.name = before.name if isinstance(before, Parameter) else name
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        """Say what the module is: the shapes that it holds, its settings, and its parts."""
        parts, shown = [], []
        for name, value in vars(self).items():
            if isinstance(value, Module):
                parts.append(f"\n{name}: {value!r}".replace("\n", "\n  "))
            elif isinstance(value, Tensor):
                shown.append(f"{name}: {value.shape}")
            elif name not in vars(Module) and isinstance(value, (int, float, str, tuple, dict)):
                shown.append(f"{name}={value!r}")
        inside = ", ".join(shown) + "".join(parts) + ("\n" if parts else "")
        return f"{type(self).__name__}({inside})"

    def file_under(self, names: tuple[str, ...]) -> None:
        """Take the names of the scopes that calls are recorded under, outermost first."""
        self.scope_names = names
        if self.is_container:
            for key, part in reversed(list(self.children())):  # of two names the first
                part.file_under((*names, key))

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules held by this one, with their names.

        Raises:
            UsageError: modules or parameters were put into a list after it was assigned.
        """
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif hides_state(value, Module):
                raise hidden(self, name, value)

    def _places(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all inside it, one that is held twice under both names."""
        yield prefix, self
        for name, child in self.children():
            yield from child._places(f"{prefix}.{name}" if prefix else name)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all inside it once, outer before inner, with their dotted names."""
        return _once(self._places(prefix))

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it once, outer before inner."""
        return (module for _, module in self.named_modules())

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call a function of every module, inner before outer, and return the module.

        >>> import tinygrad_res as tg
        >>> def halve(module):
        ...     if isinstance(module, tg.nn.Linear):
        ...         module.weight.data = module.weight.data / 2
        >>> layers = tg.nn.Sequential(tg.nn.Linear(2, 2)).apply(halve)
        """
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Free all parameters for training, or freeze them, and return the module.

        >>> import tinygrad_res as tg
        >>> tg.nn.Linear(2, 2).requires_grad_(False).size()
        0
        """
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def named_state(self) -> Iterator[tuple[str, Tensor]]:
        """Yield parameters and buffers by their names from here, such as ``body.0.weight``.

        A module's parameters come before its buffers, as in PyTorch's state dicts.  A tensor that
        two modules share comes under both names.
        """
        for prefix, module in self._places():
            for name, value in module.own_state():
                yield f"{prefix}.{name}" if prefix else name, value

    def own_state(self) -> list[tuple[str, Tensor]]:
        """Return the parameters that are attributes of this module, then the buffers."""
        held = [(k, v) for k, v in vars(self).items() if isinstance(v, Tensor)]
        return [(k, v) for k, v in held if isinstance(v, Parameter)] + [
            (k, v) for k, v in held if k in self.buffer_names and not isinstance(v, Parameter)
        ]

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield each parameter once, with its name from here, such as ``body.0.weight``."""
        return _once((k, v) for k, v in self.named_state() if isinstance(v, Parameter))

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each tensor that is state but not trained once, such as ``bn.running_mean``."""
        return _once((k, v) for k, v in self.named_state() if not isinstance(v, Parameter))

    def parameters(self) -> list[Parameter]:
        """Return the parameters, each once."""
        return [value for _, value in self.named_parameters()]

    def size(self) -> int:
        """Return the number of trainable numbers."""
        return sum(p.size for p in self.parameters() if p.requires_grad)

    def train(self, mode: bool = True) -> Self:
        """Switch batch statistics and dropout on (or off), and return the module.

        Raises:
            UsageError: the mode is neither true nor false.
        """
        if not isinstance(mode, bool):
            raise UsageError(f"train: mode={mode!r}: pass True or False, or call eval()")
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

        Parameters that this changes are replaced by new ones, so make optimisers afterwards; the
        others stay the same, with their gradients.

        Raises:
            DeviceError: the device is another word than ``"cpu"`` and ``"cuda"``, or not there;
                nothing was changed.
            DtypeError: the dtype is no floating one; nothing was changed.

        >>> import tinygrad_res as tg
        >>> tg.nn.Linear(2, 1).to(dtype="float64").weight.dtype
        dtype('float64')
        """
        wanted = floating(device, dtype)
        held = [
            (module, name, value) for module in self.modules()
            for name, value in module.own_state()
        ]  # fmt: skip
        there = {id(value): moved(value, device or value.device, wanted) for *_, value in held}
        for module, name, value in held:
            setattr(module, name, there[id(value)])
        return self


def _missing(self: Module, name: str) -> NoReturn:
    raise mends.missing(f"a {type(self).__name__}", name, mends.MODULE)


Module.__getattr__ = _missing  # type: ignore[attr-defined]  # where no type checker sees it


class ForwardHook:
    """A function called after a module's forward pass; see ``Module.register_forward_hook``."""

    def __init__(self, module: Module, call: Callable[[Module, Any, Any], Any]) -> None:
        self.module, self.call = module, call

    def remove(self) -> None:
        """Call it no more."""
        self.module.forward_hooks = tuple(h for h in self.module.forward_hooks if h is not self)


_IN = "in "


def _locate(error: Exception, names: tuple[str, ...], module: Module) -> None:
    """Note in an error which module it came from, by the names from the outermost one that knows."""
    place = "/".join(names)
    notes = getattr(error, "__notes__", [])
    if not notes or not notes[-1].startswith(_IN):
        what, weight = type(module).__name__, vars(module).get("weight")
        what += f"(weight: {weight.shape})" if isinstance(weight, Tensor) else ""
        error.add_note(f"{_IN}{place}: {what}" if place else f"{_IN}{what}")
    elif place and not (module.is_container and notes[-1].startswith(f"{_IN}{place}/")):
        notes[-1] = f"{_IN}{place}/{notes[-1].removeprefix(_IN)}"


def _rename(module: Module, key: str) -> None:
    """Put a module's name before the names that its parameters have by their place in it."""
    for name, p in module.named_parameters():
        if f".{p.name}".endswith(f".{name}"):
            p.name = f"{key}.{name}"


_T = TypeVar("_T")


def _once(named: Iterable[tuple[str, _T]]) -> Iterator[tuple[str, _T]]:
    """Yield what is named, each thing under its first name alone."""
    seen: set[int] = set()
    for name, value in named:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value
