"""Layers and blocks: networks as objects, whose parts become scopes of the graph.

``module`` says what a module is.  ``layers`` are the single operations, most with
weights.  ``blocks`` are what deep networks repeat: a branch through weight layers, beside
a way round it that crosses none or few.  That way round is what gives a network its many
short gradient paths.  Names, shapes and default numerics are PyTorch's.
"""

from .blocks import (
    DenseBlock,
    DenseLayer,
    PadShortcut,
    ProjectionShortcut,
    Residual,
    Transition,
)
from .layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    ReLU,
    he_normal,
)
from .module import Module, Sequential

__all__ = [
    "AvgPool2d", "BatchNorm", "Conv2d", "DenseBlock", "DenseLayer", "Flatten", "GlobalAvgPool",
    "Linear", "MaxPool2d", "Module", "PadShortcut", "ProjectionShortcut", "ReLU", "Residual",
    "Sequential", "Transition", "he_normal",
]  # fmt: skip
