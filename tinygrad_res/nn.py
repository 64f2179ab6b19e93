"""Modules: networks as objects, whose parts become scopes of the graph.

A module holds parameters and other modules as attributes, and ``forward`` says what
it computes.  Calling it records under a scope named after the attribute, so a graph
shows ``body/0/branch`` where the code says ``net.body[0].branch``.  Names, shapes and
default numerics are PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from . import primitives as ops
from . import trees
from .errors import ShapeError, UsageError
from .primitives.general import batch_norm_and_statistics
from .record import no_grad, scope
from .tensor import Parameter, Tensor, parameter, tensor


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


def _moved(value: Tensor, device: str, dtype: Any) -> Tensor:
    """Return a leaf of the same kind elsewhere."""
    with no_grad():
        array = value.to(device).data
    if isinstance(value, Parameter):
        return parameter(array, value.name, value.requires_grad, dtype or value.dtype)
    return tensor(array, dtype=dtype or value.dtype)


def _uniform(rng: np.random.Generator, bound: float, shape: tuple[int, ...]) -> Any:
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return weights (out, in, ...) drawn with variance 2 / fan-in, float32 (He et al. 2015)."""
    fan_in = math.prod(shape[1:])
    return (rng.standard_normal(shape) * math.sqrt(2 / fan_in)).astype(np.float32)


class Linear(Module):
    """x @ weight.T + bias, with weight (out, in) and bias (out,)."""

    def __init__(
        self, inputs: int, outputs: int, bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        rng = rng or np.random.default_rng()
        bound = 1 / math.sqrt(inputs)
        self.weight = parameter(_uniform(rng, bound, (outputs, inputs)), "weight")
        self.bias = parameter(_uniform(rng, bound, (outputs,)), "bias") if bias else None

    def forward(self, x: Any) -> Tensor:
        """Return (N, out) for ``x`` (N, in)."""
        out = ops.matmul(x, self.weight.T)
        return out if self.bias is None else out + self.bias


class Conv2d(Module):
    """Convolution with weight (out, in / groups, k, k) and bias (out,)."""

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, stride: int = 1, padding: int = 0,
        dilation: int = 1, groups: int = 1, bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        rng = rng or np.random.default_rng()
        shape = (outputs, inputs // groups, kernel_size, kernel_size)
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        self.weight = parameter(_uniform(rng, bound, shape), "weight")
        self.bias = parameter(_uniform(rng, bound, (outputs,)), "bias") if bias else None
        self.geometry = {
            "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
        }  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        """Return (N, out, OH, OW) for ``x`` (N, in, H, W)."""
        return ops.conv2d(x, self.weight, self.bias, **self.geometry)


class BatchNorm(Module):
    """Standardise each channel, axis 1 of (N, C) or (N, C, H, W), then scale and shift it.

    Training uses the batch's statistics and keeps a running average of them, which
    ``eval`` uses.  Source: Ioffe & Szegedy 2015.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.weight = parameter(np.ones(channels, np.float32), "gamma")
        self.bias = parameter(np.zeros(channels, np.float32), "beta")
        self.running_mean = tensor(np.zeros(channels, np.float32))
        self.running_var = tensor(np.ones(channels, np.float32))
        self.eps, self.momentum = eps, momentum

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        if not self.training:
            shape = (1, -1) + (1,) * (len(x.shape) - 2)
            scale = self.weight / (self.running_var + self.eps) ** 0.5
            shift = self.bias - self.running_mean * scale
            scaled = ops.multiply(x, scale.reshape(shape))
            return scaled + shift.reshape(shape)
        n = x.size // x.shape[1]
        if n < 2:
            raise ShapeError(
                f"batch_norm: needs more than one value per channel, got shape {x.shape}"
            )
        out, mean, var = batch_norm_and_statistics(x, self.weight, self.bias, self.eps)
        m = self.momentum
        self.running_mean = self._average(self.running_mean, m * mean)
        self.running_var = self._average(self.running_var, m * n / (n - 1) * var)
        return out

    def _average(self, before: Tensor, share: Any) -> Tensor:
        """Return the running average with a new batch's share, in the dtype it had."""
        kept = ops.multiply(1 - self.momentum, before)
        return ops.astype(kept + share, before.dtype)


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of x's shape."""
        return ops.relu(x)


class GlobalAvgPool(Module):
    """The mean over height and width."""

    def forward(self, x: Any) -> Tensor:
        """Return (N, C) for ``x`` (N, C, H, W)."""
        return ops.mean(x, axis=(2, 3))


class Flatten(Module):
    """All axes after the first made one."""

    def forward(self, x: Any) -> Tensor:
        """Return (N, C H W) for ``x`` (N, C, H, W)."""
        return ops.reshape(x, (x.shape[0], -1))


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


class PadShortcut(Module):
    """Option A of He et al. 2015: every ``stride``-th pixel, new channels filled with zeros.

    It has no weights, so a path across it crosses no weight layer.
    """

    def __init__(self, stride: int, extra_channels: int) -> None:
        self.stride, self.extra = stride, extra_channels

    def forward(self, x: Any) -> Tensor:
        """Return (N, C + extra, H / stride, W / stride)."""
        sliced = x[:, :, :: self.stride, :: self.stride]
        before = self.extra // 2
        return ops.pad(sliced, ((0, 0), (before, self.extra - before), (0, 0), (0, 0)))


class Residual(Module):
    """shortcut(x) + branch(x), then ``after``; identity where a part is left out."""

    def __init__(
        self, branch: Module, shortcut: Module | None = None, after: Module | None = None
    ) -> None:
        self.branch, self.shortcut, self.after = branch, shortcut, after

    def forward(self, x: Any) -> Tensor:
        """Return a tensor of the branch's shape."""
        with scope("branch", branch=True):
            inner = self.branch.forward(x)
        outer = x if self.shortcut is None else self.shortcut(x)
        total = outer + inner
        return total if self.after is None else self.after(total)
