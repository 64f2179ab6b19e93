"""The table of primitives: every differentiable operation and the formula on its edge.

The modules follow the families: ``pointwise``, ``reductions``, ``structural``,
``contractions`` (with ``convolution``) and ``general``; ``constants`` holds what has
no derivative and ``composed`` what is built from the rest.

This module is also the array module of recorded tensors: a derivative rule that asks
for ``xp.exp`` finds ``numpy.exp`` here for arrays and ``tinygrad_res.exp`` for tensors.
"""

import sys

from .. import backend
from ..tensor import Parameter, Tensor
from . import (
    composed,
    constants,
    contractions,
    convolution,
    general,
    pointwise,
    reductions,
    structural,
)
from .aliases import ALIASES
from .composed import *  # noqa: F403
from .constants import *  # noqa: F403
from .contractions import *  # noqa: F403
from .convolution import *  # noqa: F403
from .general import *  # noqa: F403
from .pointwise import *  # noqa: F403
from .reductions import *  # noqa: F403

# What tensors and sweeps use besides: x[...], x.to(...), an input's fresh node.
from .structural import *  # noqa: F403
from .structural import getitem as getitem
from .structural import identity as identity
from .structural import to_device as to_device

__all__ = []
__all__ += pointwise.__all__
__all__ += reductions.__all__
__all__ += structural.__all__
__all__ += contractions.__all__
__all__ += convolution.__all__
__all__ += general.__all__
__all__ += composed.__all__
__all__ += constants.__all__

globals().update({alias: globals()[name] for alias, name in ALIASES.items()})

# What NumPy calls these functions, for arrays that meet tensors in NumPy's functions.
NUMPY_NAMES = {name: globals()[name] for name in (*__all__, *ALIASES) if name != "pad"}

backend.modules[Tensor] = backend.modules[Parameter] = sys.modules[__name__]
