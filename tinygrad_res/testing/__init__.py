"""testing: hold derivatives against numbers that no derivative rule had a part in.

``check_gradient`` needs only the function to know what is right.  It works with other
engines too.
"""

from .differences import NotDifferentiableError
from .gradient import check_gradient
from .table import GradientCheckError

__all__ = ["GradientCheckError", "NotDifferentiableError", "check_gradient"]
