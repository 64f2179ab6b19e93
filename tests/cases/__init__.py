"""Calls of every public operation, by family, for the tests that hold all of them to a standard.

Each module has three tables:

``CASES``
    The first word of a key is the operation's name.  A value is the function, then the
    shapes of its arguments.
``ON_THE_HOST``
    Keys of cases that bring arrays of the host into the call, which a device refuses.
``CONSTANT``
    Operations whose results carry no gradient, where a module has such: by name a call
    ``(xp, x)`` that NumPy understands too.
"""


def positive(f):
    """Mark a function whose arguments must be positive."""
    return f, {"low": 0.3, "high": 2.3}


from . import contractions, general, linalg, pointwise, reductions, structural  # noqa: E402

MODULES = (pointwise, reductions, structural, contractions, general, linalg)
CASES = {key: case for module in MODULES for key, case in module.CASES.items()}
ON_THE_HOST = {key for module in MODULES for key in module.ON_THE_HOST}
CONSTANT = {
    name: call for module in MODULES for name, call in getattr(module, "CONSTANT", {}).items()
}
