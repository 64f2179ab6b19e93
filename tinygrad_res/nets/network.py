"""What a network of the zoo is: a stem, a body of blocks, and a head.

Every gradient path crosses the stem's and the head's weights.  Paths differ in the body alone,
and there they are counted.
"""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..nn import Conv2d, Linear, Module, Sequential
from ..tensor import shape_of


class Network(Module):
    """A stem, a body of blocks, and a head that gives the logits.

    Args:
        name: what reports call it.
        stem, body, head: its parts, in the order in which they are computed.
        smallest: the height and width that images have at least.
    """

    def __init__(
        self, name: str, stem: Module, body: Sequential, head: Module, smallest: int = 1
    ) -> None:
        self.name, self.smallest = name, smallest
        self.stem, self.body, self.head = stem, body, head
        for number, layer in enumerate(self.weight_layers()):
            below = number if number < 10 else f"{{{number}}}"
            layer.weight.name = f"W_{below}"
            if layer.bias is not None:
                layer.bias.name = f"b_{below}"

    def forward(self, x: Any) -> Any:
        """Return logits (N, classes).

        Raises:
            ShapeError: images are too small.
        """
        if min(shape_of(x)[2:], default=self.smallest) < self.smallest:
            raise ShapeError(
                f"{self.name}: images {shape_of(x)}: height and width must be at least "
                f"{self.smallest}"
            )
        return self.head(self.body(self.stem(x)))

    def weight_layers(self) -> list[Any]:
        """Return the linear and convolutional layers, from input to output."""
        return [m for m in self.modules() if isinstance(m, (Linear, Conv2d))]
