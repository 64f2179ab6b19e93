"""The table of primitives: every differentiable operation and the formula on its edge.

The modules follow the families: ``pointwise`` (with ``activations``), ``reductions``, ``structural``,
``contractions`` (with ``summation`` and ``convolution``) and ``general`` (with ``linalg``, a
namespace of its own); ``constants`` and ``queries`` hold what has no derivative, ``composed``
and ``attentions`` what is built from the rest.

This module is also the array module of recorded tensors: a derivative rule that asks
for ``xp.exp`` finds ``numpy.exp`` here for arrays and ``tinygrad_res.exp`` for tensors.
"""

import sys

from .. import backend
from ..tensor import Parameter, Tensor
from . import (
    activations,
    aliases,
    attentions,
    composed,
    constants,
    contractions,
    convolution,
    cumulative,
    diagonals,
    general,
    indexing,
    joining,
    pointwise,
    queries,
    reductions,
    reordering,
    softmaxes,
    sorting,
    structural,
    summation,
    updating,
    windows,
)
from . import linalg as linalg
from .activations import *  # noqa: F403
from .aliases import *  # noqa: F403
from .attentions import *  # noqa: F403
from .composed import *  # noqa: F403
from .constants import *  # noqa: F403
from .contractions import *  # noqa: F403
from .convolution import *  # noqa: F403
from .cumulative import *  # noqa: F403
from .diagonals import *  # noqa: F403
from .general import *  # noqa: F403
from .indexing import *  # noqa: F403
from .indexing import getitem as getitem
from .joining import *  # noqa: F403
from .pointwise import *  # noqa: F403
from .queries import *  # noqa: F403
from .reductions import *  # noqa: F403
from .reordering import *  # noqa: F403
from .softmaxes import *  # noqa: F403
from .sorting import *  # noqa: F403
from .structural import *  # noqa: F403
from .structural import identity as identity
from .structural import to_device as to_device
from .summation import *  # noqa: F403
from .updating import *  # noqa: F403
from .windows import *  # noqa: F403

__all__ = []
__all__ += pointwise.__all__
__all__ += activations.__all__
__all__ += reductions.__all__
__all__ += softmaxes.__all__
__all__ += cumulative.__all__
__all__ += structural.__all__
__all__ += reordering.__all__
__all__ += diagonals.__all__
__all__ += indexing.__all__
__all__ += joining.__all__
__all__ += sorting.__all__
__all__ += updating.__all__
__all__ += windows.__all__
__all__ += contractions.__all__
__all__ += summation.__all__
__all__ += convolution.__all__
__all__ += general.__all__
__all__ += attentions.__all__
__all__ += composed.__all__
__all__ += constants.__all__
__all__ += queries.__all__

# What NumPy calls these functions, for arrays that meet tensors in NumPy's functions.
NUMPY_NAMES = {name: globals()[name] for name in (*__all__, *aliases.__all__)}

backend.modules[Tensor] = backend.modules[Parameter] = sys.modules[__name__]
