"""Data: what networks are trained on, checked before anything is computed from it.

``loading`` finds data by name: scikit-learn's digits, a user's own files, and by way of
``cifar`` the archives of CIFAR-10 and CIFAR-100.  ``synthetic`` draws problems whose best
answer is known.  ``batches`` hands data to a training a part at a time; ``augmentation`` changes
images on the way.
"""

from .augmentation import crop, crop_and_flip, flip
from .batches import batches, steps_per_pass
from .cifar import load_cifar10, load_cifar100
from .images import Images
from .loading import load, split
from .synthetic import Regression, linear_regression, spirals, two_moons

__all__ = [
    "Images", "Regression", "batches", "crop", "crop_and_flip", "flip", "linear_regression",
    "load", "load_cifar10", "load_cifar100", "spirals", "split", "steps_per_pass", "two_moons",
]  # fmt: skip
