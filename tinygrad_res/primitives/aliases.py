"""Other names of operations: NumPy's spellings where they differ from the array API's.

One table, no second implementation: ``tg.concatenate`` is ``tg.concat``.
"""

from .activations import sigmoid as expit
from .constants import bitwise_invert as bitwise_not
from .constants import bitwise_invert as invert
from .constants import bitwise_left_shift as left_shift
from .constants import bitwise_right_shift as right_shift
from .constants import round as around
from .constants import trunc as fix
from .joining import concat as concatenate
from .joining import vstack as row_stack
from .pointwise import abs as absolute
from .pointwise import acos as arccos
from .pointwise import acosh as arccosh
from .pointwise import asin as arcsin
from .pointwise import asinh as arcsinh
from .pointwise import atan as arctan
from .pointwise import atan2 as arctan2
from .pointwise import atanh as arctanh
from .pointwise import degrees as rad2deg
from .pointwise import divide as true_divide
from .pointwise import positive as conj
from .pointwise import positive as conjugate
from .pointwise import positive as real
from .pointwise import pow as power
from .pointwise import radians as deg2rad
from .pointwise import remainder as mod
from .reductions import max as amax
from .reductions import min as amin
from .structural import permute_dims as transpose

__all__ = [
    "absolute", "amax", "amin", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "around", "bitwise_not", "concatenate", "conj", "conjugate", "deg2rad", "expit", "fix", "invert",
    "left_shift", "mod", "power", "rad2deg", "real", "right_shift", "row_stack", "transpose", "true_divide",
]  # fmt: skip
