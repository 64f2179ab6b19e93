"""Layers and blocks: networks as objects, whose parts become scopes of the graph.

===================  ==============================================================================
holding others       ``Module``, ``Sequential``, ``ModuleList``, ``ModuleDict``
weight layers        ``Linear``, ``Conv1d``, ``Conv2d``, ``Embedding``
attention            ``MultiheadAttention``, ``TransformerEncoderLayer``, ``TransformerEncoder``
normalisation        ``BatchNorm1d``, ``BatchNorm2d``, ``GroupNorm``, ``LayerNorm``
activations          ``ReLU``, ``LeakyReLU``, ``GELU``, ``SiLU``, ``Sigmoid``, ``Tanh``,
                     ``Softmax``, ``LogSoftmax``
pooling              ``MaxPool1d``, ``MaxPool2d``, ``AvgPool1d``, ``AvgPool2d``,
                     ``AdaptiveAvgPool1d``, ``AdaptiveAvgPool2d``, ``GlobalAvgPool``
other layers         ``Dropout``, ``Dropout2d``, ``Flatten``, ``Identity``, ``Scale``
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
paths; ``branches`` says how they start, and ``transformer`` stacks blocks of ``attention`` and an
MLP.  Names, shapes and default numerics are PyTorch's, and ``rng=`` is a generator or a seed.
"""

from typing import NoReturn

from .. import mends
from .activations import (
    GELU,
    Flatten,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from .attention import MultiheadAttention
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
from .dropout import Dropout, Dropout2d
from .initialisations import he_normal, he_uniform, xavier_normal, xavier_uniform
from .layers import Conv1d, Conv2d, Embedding, Linear
from .module import Module
from .normalisation import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm
from .onnx import from_onnx
from .pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AvgPool1d,
    AvgPool2d,
    GlobalAvgPool,
    MaxPool1d,
    MaxPool2d,
)
from .summaries import summary
from .transformer import TransformerEncoder, TransformerEncoderLayer

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "BRANCHES", "BatchNorm1d",
    "BatchNorm2d", "Conv1d", "Conv2d", "DenseBlock", "DenseLayer", "Dropout", "Dropout2d",
    "Embedding", "Flatten", "GELU", "Gate", "GatedShortcut", "GlobalAvgPool", "GroupNorm",
    "Identity", "LayerNorm", "LeakyReLU", "Linear", "LogSoftmax", "MaxPool1d", "MaxPool2d",
    "Module", "ModuleDict", "ModuleList", "MultiheadAttention", "PadShortcut", "ProjectionShortcut",
    "ReLU", "Residual", "Scale", "Sequential", "SiLU", "Sigmoid", "Softmax", "Tanh",
    "TransformerEncoder", "TransformerEncoderLayer", "Transition", "from_onnx", "he_normal",
    "he_uniform", "scale_branches", "summary", "xavier_normal", "xavier_uniform",
]  # fmt: skip


def __getattr__(name: str) -> NoReturn:
    raise mends.missing(f"module {__name__!r}", name, mends.LAYERS)
