"""testing: hold derivatives, hand-derived formulas and sums over paths against numbers.

``check_gradient`` needs no derivative rule to know what is right, only the function;
``check_formula`` tells what a formula derived by hand has wrong; ``check_paths`` holds
sums over gradient paths against backward.  pytest has them as fixtures of the same
names, once the package is installed.  The first two work with other engines too.
"""

from ..errors import NotDifferentiableError
from .flow import check_paths
from .formula import check_formula
from .gradient import check_gradient
from .table import GradientCheckError

__all__ = [
    "GradientCheckError",
    "NotDifferentiableError",
    "check_formula",
    "check_gradient",
    "check_paths",
]
