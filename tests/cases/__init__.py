"""Calls of every public operation, by family, for the tests that hold all of them to a standard.

Each module has two tables:

``CASES``
    The first word of a key is the operation's name.  A value is the function, then the
    shapes of its arguments.
``CONSTANT``
    Operations whose results carry no gradient, where a module has such: by name a call
    ``(xp, x)`` that NumPy understands too.
"""

import tinygrad_res as tg


def positive(f):
    """Mark a function whose arguments must be positive."""
    return f, {"low": 0.3, "high": 2.3}


def beside(x, values):
    """Return host values as an array on the device of the tensor ``x``."""
    return tg.tensor(values).to(x.device).data


from . import (  # noqa: E402
    contractions,
    general,
    linalg,
    numerics,
    pointwise,
    reductions,
    structural,
)

MODULES = (pointwise, reductions, structural, contractions, general, numerics, linalg)
CASES = {key: case for module in MODULES for key, case in module.CASES.items()}
CONSTANT = {
    name: call for module in MODULES for name, call in getattr(module, "CONSTANT", {}).items()
}
