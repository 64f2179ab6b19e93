"""The networks that the articles on shortcuts are about, with their published sizes and paths.

Each is a ``Network`` of stem, body and head.  ``mlps`` holds the fully connected ones, ``cifar``
and ``imagenet`` the convolutional ones, ``units`` what their residual units are made of in all
published variants, ``catalogue`` their names, and ``torchvision`` the names of their weights
elsewhere.
"""

from .catalogue import MODELS, build
from .cifar import CIFAR_RESNETS, resnet
from .imagenet import DENSENETS, IMAGENET_RESNETS, VGGS, densenet, imagenet_resnet, vgg
from .mlps import plain_mlp, residual_mlp, skip_regression
from .network import Network
from .torchvision import from_torchvision, torchvision_names
from .units import ARRANGEMENTS, SHORTCUTS

__all__ = [
    "ARRANGEMENTS", "CIFAR_RESNETS", "DENSENETS", "IMAGENET_RESNETS", "MODELS", "Network",
    "SHORTCUTS", "VGGS", "build", "densenet", "from_torchvision", "imagenet_resnet", "plain_mlp",
    "residual_mlp", "resnet", "skip_regression", "torchvision_names", "vgg",
]  # fmt: skip
