"""What the figures of the scalar level call a number: ``x_2``, ``W_{1;12}``, ``∂F/∂m``.

Subscripts count from 1, as on paper; axes of length 1 are left out.  A name that has a
subscript of its own keeps it, before a semicolon.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_res.notation import placed

from .. import text
from ..text import Runs

LONGEST = 10
_MOST_EXACT = 1000
_WIDEST_HEADING, _LONGEST_OPS = 120.0, 14


def indexed(name: Runs, element: Sequence[int] | None, shape: Sequence[int] | None) -> Runs:
    """Return the symbol of one element of an array.

    Args:
        name: what the array is called.
        element: its index, from 0; ``None`` for a number by itself.
        shape: that of the array, where it is known.

    >>> indexed(text.name("W_1"), (0, 2), (3, 4))
    (('W', ''), ('1;13', 'sub'))
    >>> indexed(text.name("x"), (0, 11), (1, 20))
    (('x', ''), ('12', 'sub'))
    """
    subscript = position(element, shape)
    if not subscript:
        return name
    if name[-1][1] == "sub":
        return (*name[:-1], (f"{name[-1][0]};{subscript}", "sub"))
    return (*name, (subscript, "sub"))


def position(element: Sequence[int] | None, shape: Sequence[int] | None) -> str:
    """Return an index as a subscript: ``"12"``, or ``"1,12"`` where an axis has ten or more."""
    if element is None:
        return ""
    sizes = shape if shape is not None else [i + 2 for i in element]
    shown = [i + 1 for i, n in zip(element, sizes, strict=True) if n > 1]
    return ("" if max(sizes, default=0) < 10 else ",").join(map(str, shown))


def explained(symbol: Runs) -> str:
    """Say of which array a number is an element, where the array has a subscript of its own.

    >>> explained((("W", ""), ("1;12", "sub")))
    'W_{1;12}: element 1, 2 of W_{1}'
    """
    (name, _), (below, _) = symbol[:2]
    own, _, place = below.rpartition(";")
    places = place.split(",") if "," in place else place
    return f"{name}_{{{below}}}: element {', '.join(places)} of {name}_{{{own}}}"


def named(name: str) -> Runs:
    """Return a user's name, short enough to stand on an edge; that of a layer's weight by its place.

    >>> named("conv1.weight"), named("W_1"), named("emphasised")
    ((('W', ''), ('conv1', 'sub')), (('W', ''), ('1', 'sub')), (('emphasised', ''),))
    """
    if parameter := placed(name, LONGEST):
        letter, place = parameter
        return ((letter, ""), (text.clean(place, LONGEST), "sub"))
    return text.name(name, LONGEST)


def partial(output: Runs, operand: Runs) -> Runs:
    """Return the symbol of a derivative.

    >>> text.joined(partial(text.name("F"), text.name("m")))
    '∂F/∂m'
    """
    return (*text.plain("∂"), *output, *text.plain("/∂"), *operand)


def number(value: float) -> str:
    """Return a derivative as text: whole numbers as such, others with three digits.

    >>> number(1.0), number(-0.51234)
    ('1', '−0.512')
    """
    if value == int(value if abs(value) < _MOST_EXACT else 0):
        return str(int(value)).replace("-", "−")
    return text.value(value)


def shortened(name: Runs, ops: str) -> Runs:
    """Return a heading that fits over a column: a name and the operations behind it, none of them cut.

    >>> text.joined(shortened(text.name("y"), "matmul + getitem + squeeze"))
    'y: matmul + …'
    """
    heading = (*name, *text.plain(f": {ops}" if ops else ""))
    if text.width(heading, 11) <= _WIDEST_HEADING or not ops:
        return heading
    return (*name, *text.plain(f": {text.kept_whole(ops.split(' + '), ' + ', _LONGEST_OPS)}"))
