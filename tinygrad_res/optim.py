"""Optimisers: rules that replace each parameter's values by better ones.

Values are replaced, never written over, so records made before a step stay true.
Names and formulas are PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .errors import GradientError, UsageError
from .record import Leaf
from .tensor import Parameter, Tensor


def _shown(value: Any) -> str:
    return (value.name if isinstance(value, Tensor) else None) or f"a {type(value).__name__}"


class Optimizer:
    """Holds parameters and their state; subclasses say how a gradient changes a value."""

    def __init__(self, parameters: Iterable[Parameter], lr: float, weight_decay: float) -> None:
        if isinstance(parameters, Tensor):
            raise UsageError("optimiser: pass a list of parameters, such as [w]")
        self.parameters = list(parameters)
        if not self.parameters:
            raise UsageError("optimiser: there are no parameters to train")
        for p in self.parameters:
            if not (isinstance(p, Tensor) and p.requires_grad and isinstance(p._node, Leaf)):
                raise UsageError(f"optimiser: {_shown(p)} is no parameter that can be trained")
        if len(set(self.parameters)) < len(self.parameters):
            raise UsageError("optimiser: a parameter is there twice, and would take two steps")
        if not (0 < lr < math.inf and 0 <= weight_decay < math.inf):
            raise UsageError(
                f"optimiser: lr {lr} must be positive and weight_decay {weight_decay} not negative"
            )
        self.lr, self.weight_decay = lr, weight_decay

    def zero_grad(self) -> None:
        """Forget the gradients, before the next backward pass."""
        for p in self.parameters:
            p.grad = None

    def step(self) -> None:
        """Change every parameter by its gradient.

        Raises:
            GradientError: a parameter has no gradient, because the loss does not depend
                on it or ``backward`` was not called.
        """
        missing = [p.name or str(p.shape) for p in self.parameters if p.grad is None]
        if missing:
            raise GradientError(
                f"optimiser: no gradient for {', '.join(missing[:5])}: call loss.backward() "
                "first, and give the optimiser only parameters that the loss depends on"
            )
        for i, p in enumerate(self.parameters):
            values = p.data
            g = p.grad.data  # type: ignore[union-attr]
            if self.weight_decay:
                g = g + self.weight_decay * values
            p.data = values - self._change(i, g)

    def _change(self, i: int, g: Any) -> Any:
        raise UsageError(f"{type(self).__name__} has no rule: use SGD or Adam")


class SGD(Optimizer):
    """Stochastic gradient descent with momentum: v = momentum v + g, p -= lr v."""

    def __init__(
        self, parameters: Iterable[Parameter], lr: float, momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, weight_decay)
        self.momentum = momentum
        self._velocity: dict[int, Any] = {}

    def _change(self, i: int, g: Any) -> Any:
        if self.momentum:
            before = self._velocity.get(i)
            g = self._velocity[i] = g if before is None else self.momentum * before + g
        return self.lr * g


class Adam(Optimizer):
    """Adam: steps of size lr along the mean gradient over its root mean square.

    Source: Kingma & Ba 2015, with the bias correction of their algorithm 1.
    """

    def __init__(
        self, parameters: Iterable[Parameter], lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, weight_decay)
        self.betas, self.eps = betas, eps
        self._moments: dict[int, tuple[Any, Any, int]] = {}

    def _change(self, i: int, g: Any) -> Any:
        b1, b2 = self.betas
        first, second, t = self._moments.get(i, (0.0, 0.0, 0))
        first, second, t = b1 * first + (1 - b1) * g, b2 * second + (1 - b2) * g * g, t + 1
        self._moments[i] = first, second, t
        return self.lr * (first / (1 - b1**t)) / ((second / (1 - b2**t)) ** 0.5 + self.eps)
