"""Layers and blocks: networks as objects, whose parts become scopes of the graph.

===================  ==============================================================================
holding others       ``Module``, ``Sequential``, ``ModuleList``, ``ModuleDict``
weight layers        ``Linear``, ``Conv2d``, ``Embedding``
attention            ``MultiheadAttention``, ``TransformerEncoderLayer``
normalisation        ``BatchNorm1d``, ``BatchNorm2d``, ``GroupNorm``, ``LayerNorm``
activations          ``ReLU``, ``LeakyReLU``, ``GELU``, ``SiLU``, ``Sigmoid``, ``Tanh``
pooling              ``MaxPool2d``, ``AvgPool2d``, ``AdaptiveAvgPool2d``, ``GlobalAvgPool``
other layers         ``Dropout``, ``Flatten``, ``Identity``, ``Scale``
residual blocks      ``Residual``, ``PadShortcut``, ``ProjectionShortcut``, ``Gate``, ``GatedShortcut``
dense blocks         ``DenseLayer``, ``DenseBlock``, ``Transition``
initial values       ``he_normal``, ``he_uniform``, ``xavier_normal``, ``xavier_uniform``,
                     ``scale_branches``, ``BRANCHES``
from files           ``from_onnx``; ``Module.load``
a network as table   ``summary``
===================  ==============================================================================

Every layer has ``Module``'s methods, so ``help(tg.nn.Linear)`` says what one is and
``help(tg.nn.Module)`` what all can.

``module`` says what a module is, ``containers`` how one holds many, and ``state`` how its values
are saved and loaded.  Single operations are in ``layers``, most with weights, ``normalisation``,
``activations``, ``pooling`` and ``dropout``; ``initialisations`` says how weights are drawn.
``blocks`` are what deep networks repeat: a branch through weight layers, beside a way round it
that crosses none or few.  That way round is what gives a network its many short gradient
paths; ``branches`` says how they start, ``attention`` holds the transformer's block.  Names,
shapes and default numerics are PyTorch's, and ``rng=`` is a generator or a seed.
"""

from .activations import GELU, Flatten, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from .attention import MultiheadAttention, TransformerEncoderLayer
from .blocks import (
    DenseBlock,
    DenseLayer,
    Gate,
    GatedShortcut,
    PadShortcut,
    ProjectionShortcut,
    Residual,
    Scale,
    Transition,
)
from .branches import BRANCHES, scale_branches
from .containers import ModuleDict, ModuleList, Sequential
from .dropout import Dropout
from .initialisations import he_normal, he_uniform, xavier_normal, xavier_uniform
from .layers import Conv2d, Embedding, Linear
from .module import Module
from .normalisation import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm
from .onnx import from_onnx
from .pooling import AdaptiveAvgPool2d, AvgPool2d, GlobalAvgPool, MaxPool2d
from .summaries import summary

__all__ = [
    "AdaptiveAvgPool2d", "AvgPool2d", "BRANCHES", "BatchNorm1d", "BatchNorm2d", "Conv2d",
    "DenseBlock", "DenseLayer", "Dropout", "Embedding", "Flatten", "GELU", "Gate", "GatedShortcut",
    "GlobalAvgPool", "GroupNorm", "Identity", "LayerNorm", "LeakyReLU", "Linear", "MaxPool2d",
    "Module", "ModuleDict", "ModuleList", "MultiheadAttention", "PadShortcut", "ProjectionShortcut",
    "ReLU", "Residual", "Scale", "Sequential", "SiLU", "Sigmoid", "Tanh", "TransformerEncoderLayer",
    "Transition", "from_onnx", "he_normal", "he_uniform", "scale_branches", "summary",
    "xavier_normal", "xavier_uniform",
]  # fmt: skip
