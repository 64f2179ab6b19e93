"""The table of primitives: every differentiable operation and the formula on its edge.

The modules follow the families: ``pointwise`` with ``activations``; ``reductions``;
``structural`` with ``reordering``, ``indexing``, ``joining``, ``sorting``, ``windows``,
``diagonals`` and ``updating``; ``contractions`` with ``summation`` and ``convolution``;
``general`` with ``softmaxes``, ``cumulative`` and ``linalg``, a namespace of its own.
``constants`` and ``queries`` hold what has no derivative, ``composed``, ``numerics`` and
``attentions`` what is built from the rest, and ``aliases`` NumPy's other names.
``arguments`` checks what an operation is given besides its operands.

This module is also the array module of recorded tensors: a derivative rule that asks
for ``xp.exp`` finds ``numpy.exp`` here for arrays and ``tinygrad_res.exp`` for tensors.

Conventions where a derivative is not unique:

=====================  ===============================================================
equal elements         share the gradient of max, min, median, the infinity norm, maximum,
                       minimum and of clip at its bounds equally; sort keeps their order
kinks                  relu, relu6, hardtanh and abs have derivative 0 at their bends,
                       leaky_relu its slope
zero                   norm, std and hypot have derivative 0 at 0; prod and cumulative_prod
                       are right with any number of zeros
``x ** y``             by a base of 0: 0 ** 0 is constant; by the exponent: 0 where the
                       base is not positive
edges of a domain      sqrt, log and fractional powers at 0 have the infinite derivative that
                       the formula gives
steps                  sign, floor, ceil, round, trunc, comparisons and all that returns
                       integers or booleans carry no gradient, and say so when asked
dead edges             of where, relu, relu6, hardtanh: nothing passes, not even infinity.
                       Elsewhere 0 times infinity is NaN: mask first, as in
                       ``where(ok, sqrt(where(ok, x, 1)), 0)``
masked logits          -inf in softmax, log_softmax and logsumexp has derivative 0
python numbers         take the dtype of the other operand; float32 stays float32
=====================  ===============================================================
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
    numerics,
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
from .numerics import *  # noqa: F403
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
__all__ += numerics.__all__
__all__ += constants.__all__
__all__ += queries.__all__

# What NumPy calls these functions, for arrays that meet tensors in NumPy's functions.
NUMPY_NAMES = {name: globals()[name] for name in (*__all__, *aliases.__all__)}

backend.modules[Tensor] = backend.modules[Parameter] = sys.modules[__name__]
