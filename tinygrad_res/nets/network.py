"""What a network of the zoo is: a stem, a body of blocks, and a head.

Every gradient path crosses the stem's and the head's weights.  Paths differ in the body alone,
and there they are counted.
"""

from __future__ import annotations

from typing import Any

from ..nn import Conv2d, Linear, Module, Sequential


class Network(Module):
    """A stem, a body of blocks, and a head that gives the logits."""

    def __init__(self, name: str, stem: Module, body: Sequential, head: Module) -> None:
        self.name = name
        self.stem, self.body, self.head = stem, body, head
        for number, layer in enumerate(self.weight_layers()):
            layer.weight.name = f"W_{number}" if number < 10 else f"W_{{{number}}}"

    def forward(self, x: Any) -> Any:
        """Return logits (N, classes)."""
        return self.head(self.body(self.stem(x)))

    def weight_layers(self) -> list[Any]:
        """Return the linear and convolutional layers, from input to output."""
        return [m for m in self.modules() if isinstance(m, (Linear, Conv2d))]
