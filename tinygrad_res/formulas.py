r"""Formula: a gradient as a person writes it from the picture.

The derivative of L by w is the sum, over all paths from L back to w, of the product of the
partial derivatives on the path (Bauer 1974).  ``formula`` writes down that sum, and then
simplifies it as one does by hand, step by step, each step with the same value:

========  ===========================================================================
step      what it does
========  ===========================================================================
chain     the chain rule: every factor a partial derivative
junction  the edge of a product carries the other operand, a sum's edge 1: dx/dw = y;
          that of a function what a book says, sin's carries cos(x)
relu      a live relu's edge is 1; a dead one is 0, and its terms are dropped
collect   common factors are taken out, equal terms added up
========  ===========================================================================

A sum of 2^54 terms is written too: the first and the last of them, and how many there are
between.  Its value is exact all the same, since no value is found by listing terms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from . import backend, sums, symbolic
from .carried import dead
from .errors import GradientError, GraphError, UsageError
from .factors import Factors
from .families import Structural
from .graph import Place, title
from .measures import Paths
from .notation import Sign
from .path_calculus import paths
from .products import Product
from .tensor import Tensor
from .terms import Terms
from .whole_numbers import at_least
from .writing import FORMS, TEXT, of_integer, of_product

STEPS = ("chain", "junction", "relu", "collect")
MOST_NOTES = 8
"""So many values without a name are explained behind a formula that is printed."""


def formula(
    loss: Tensor, w: Tensor, at: Place | None = None,
    simplify: str | Sequence[str] = ("chain",), *,
    level: Literal["scalar", "tensor"] = "scalar", most: int = 8, first_index: int = 1,
    indices: Literal["superscript", "subscript"] = "superscript",
) -> Formula:  # fmt: skip
    r"""Return the gradient of ``loss`` by ``w``, written as a sum over paths.

    The steps that simplify it, all of the same value:

    - ``"chain"``: the chain rule.  Every factor is a partial derivative between two values.
    - ``"junction"``: what is known of an edge is written.  That of a product carries the
      other operand, ``dL/dw = y``; that of a sum 1; that of y ** 2 carries ``2 y``, that of
      ``h = tanh(z)`` carries ``1 - h^2``, or ``tanh'(z)`` where h has no name; that of sin(z)
      carries ``cos(z)``, and stays a partial derivative where z has no name.
    - ``"relu"``: a live relu's edge is 1; the terms through dead ones are dropped, and counted.
    - ``"collect"``: equal terms are added up, and factors that terms have in common are taken
      out, ``(a + b) x``.

    A value is called what it was named.  Without a name it is passed over where one way leads
    through it, and is else ``v_1``, ``v_2``, ..., as in figures; ``where`` says what these are.
    The output is ``L`` then, leaves are ``W`` and ``x``.  A plain array is ``x`` in a product of
    arrays, and else its numbers, or ``c`` where these are long; copies such as ``V.T`` and
    ``V[:2]`` are the elements of V that they show.

    ``∂u/∂w`` is the derivative along the one way that leads from u to w.  Where there are
    several, as in x + sin(x), ``(∂u/∂w)|1`` is the derivative by one place alone: where the
    operation that made u takes w itself, for the first time.

    Elements of arrays count from 1 in formulas, as in mathematics, though ``at`` counts from
    0.  LaTeX has the indices as superscripts, ``w^{11}``, as in the picture of a network,
    whose subscripts number the layers; text has them in brackets, ``w[1,1]``.

    Args:
        loss: one element; recorded.
        w: the tensor to differentiate by.
        at: the index of the element of ``w`` (from 0, as Python's), if there are several.
        simplify: the steps to take; or the last step, all before it taken too.
        level: whether values are array elements, or whole arrays.
        most: show at most this many terms of a sum.
        first_index: what formulas call the first element of an array.
        indices: ``"superscript"`` or ``"subscript"``, where LaTeX has the indices.

    Raises:
        GraphError: ``w`` is not in the graph of ``loss``.
        GradientError: ``w`` carries no gradient.
        UsageError: a step is unknown, ``loss`` or ``w`` has several elements and none was
            chosen, or there is no such element.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor(3.0, requires_grad=True, name="x")
    >>> m, n = x * x, tg.sin(x)
    >>> m.name, n.name = "m", "n"
    >>> F = m * n
    >>> F.name = "F"
    >>> f = formula(F, n)
    >>> print(f.latex())
    \frac{\partial F}{\partial n}
    >>> print(formula(F, n, simplify="junction"))
    dF/dn = m
    >>> print(formula(tg.sin(x) * tg.exp(x), x))
    dL/dx = ∂L/∂v_1 · ∂v_1/∂x + ∂L/∂v_2 · ∂v_2/∂x   (v_1 = sin(x), v_2 = exp(x))
    >>> W = tg.parameter([[0.5, -1.0]], name="W")
    >>> y = tg.tanh(x.reshape((1, 1)) @ W)
    >>> y.name = "y"
    >>> print(formula((y * [[2.0, 3.0]]).sum(), W, at=(0, 1), simplify="collect"))
    dL/dW[1,2] = 3 · (1 - y[1,2]^2) · x
    """
    steps = _steps(simplify)
    if level not in ("scalar", "tensor"):
        raise UsageError(f"formula: level={level!r}: use 'scalar' or 'tensor'")
    shown = at_least(2, "formula", "most", most)
    first = at_least(0, "formula", "first_index", first_index)
    if indices not in ("superscript", "subscript"):
        raise UsageError(f"formula: indices={indices!r}: use 'superscript' or 'subscript'")
    for name, tensor in (("loss", loss), ("w", w)):
        if not isinstance(tensor, Tensor):
            raise GraphError(f"formula: {name}: expected a tensor, got {type(tensor).__name__}")
    if math.prod(loss.shape) != 1:
        raise UsageError(
            f"formula: {title(loss)} has shape {loss.shape}, and a gradient is that of one "
            "element: take one, as in y[0], or reduce it (.sum() or .mean())"
        )
    if level == "scalar" and at is None and math.prod(w.shape) != 1:
        raise UsageError(
            f"formula: {title(w)} has {math.prod(w.shape)} elements: give at=, the index of one, "
            f"such as at={(0,) * len(w.shape)}, or level='tensor'"
        )
    found = paths(loss, w, level=level, at=at)
    if not found.graph.holds(w):
        raise GraphError(
            f"formula: {title(w)} is not in the graph of {title(loss)}: differentiate by a tensor "
            "that it was computed from, while recording was on"
        )
    return Formula(_without_copies(found), steps, shown, first, indices)


@dataclass(frozen=True)
class Step:
    """A formula after one of its simplifications.

    Attributes:
        name: of the step.
        latex, text: the sum.
        value: what it comes to: a float, or at tensor level an array.
        terms: how many terms there are, shown or not, before equal ones are added up.
        dropped: how many dead ones were dropped.
    """

    name: str
    latex: str
    text: str
    value: Any
    terms: int
    dropped: int


class Formula:
    """A gradient written as a sum over paths.  Make one with ``tg.formula(loss, w)``.

    Attributes:
        paths: the paths that it sums over.
        names: the steps taken.
        first_index: what the first element of an array is called.
    """

    def __init__(
        self, among: Paths, names: tuple[str, ...], most: int, first_index: int = 1,
        indices: str = "superscript",
    ) -> None:  # fmt: skip
        self.paths = among
        self.names = names
        self.first_index = first_index
        self._most = most
        self._factors = Factors(among.frame, first_index, indices)
        self._scalar = among.level == "scalar"
        self._trees: dict[int, sums.Tree] = {}
        self._sums: dict[int, Product] = {}

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The formula after each step."""
        found = []
        for i, name in enumerate(self.names):
            among, sign = self._among(i), self._written(i)
            terms = among.count()
            dropped = self.paths.count() - terms
            found.append(Step(name, *sign, self.evaluate(name), terms, dropped))
        return tuple(found)

    @property
    def terms(self) -> Terms:
        """The terms, dead ones dropped, before common factors are taken out."""
        last = len(self.names) - 1
        return Terms(self._among(last), self._factors, self._taken(last))

    @property
    def derivative(self) -> Sign:
        """What the formula is a formula for: dL/dw."""
        frame = self.paths.frame
        assert frame.x is not None
        end = frame.ends[0] if len(frame.ends) else self.paths.graph.numbers(frame.x)[0]
        return self._factors.derivative(frame.root, end).sign

    @property
    def where(self) -> dict[str, str]:
        """The values without a name that the last step mentions, and how each was made."""
        return self._factors.symbols.made_in(self._written(len(self.names) - 1).text)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the arrays, by what the text calls them."""
        return self._factors.symbols.shapes

    def latex(self, step: str | None = None) -> str:
        """Return the sum as LaTeX, for mathematics, after a step; after the last one by default."""
        return self._written(self._index(step)).latex

    def evaluate(self, step: str | None = None) -> Any:
        """Return what the formula comes to: a float; at tensor level an array of w's shape.

        Where all terms are shown, their factors are multiplied and added up as they are
        written; otherwise it is the gradient through all paths of the sum, in one sweep.
        """
        i = self._index(step)
        if not self._scalar:
            return self._among(i).gradient()
        found = self._sum(i).value if sums.is_complete(self._tree(i)) else None
        return float(self._among(i).gradient()) if found is None else found

    def check(self) -> None:
        """Compare the value after each step with the backward pass, and shown terms with paths.

        Raises:
            GradientError: they differ by more than rounding; the message says where.
        """
        expected, tolerance = self._backward()
        for name in self.names:
            _compare(f"after step {name!r}", self.evaluate(name), expected, tolerance)
        if not self._scalar:
            return
        shown, _ = sums.elided(self._among(len(self.names) - 1).count(), self._most)
        for k in shown:
            found = self.terms[k]
            _compare(f"term {k}, {found},", found.value, found.path.product(), tolerance)

    def sympy(self, step: str | None = None) -> Any:
        """Return the sum as an expression; its symbols are named by the LaTeX of the factors.

        Raises:
            UsageError: sympy is not installed, or factors are no numbers, or there are more
                terms than are written out.
        """
        return symbolic.expression(self._expressible(self._index(step)))

    def values(self, step: str | None = None) -> dict[Any, float]:
        """Return the number that each symbol stands for: ``f.sympy().subs(f.values())``."""
        return symbolic.values(self._expressible(self._index(step)))

    def __str__(self) -> str:
        written = self._written(len(self.names) - 1).text
        notes = [f"{name} = {made}" for name, made in self.where.items()]
        if len(notes) > MOST_NOTES:
            notes[MOST_NOTES:] = ["..."]
        notes = [*filter(None, [self._note()]), *notes]
        return f"{self.derivative.text} = {written}" + (f"   ({', '.join(notes)})" if notes else "")

    def __repr__(self) -> str:
        return f"Formula({self})"

    def _repr_latex_(self) -> str:
        note = self._note().replace(" ", r"\ ")
        note = rf"\qquad \mathrm{{({note})}}" if note else ""
        return rf"$\displaystyle {self.derivative.latex} = {self.latex()}{note}$"

    def _note(self) -> str:
        """Say how many terms were dropped."""
        n = self.paths.count()
        dropped = n - self._among(len(self.names) - 1).count()
        counts = " of ".join(of_integer(k, TEXT) for k in (dropped, n))
        return f"{counts} terms dropped: 0 by a dead unit" if dropped else ""

    # After step number i

    def _index(self, step: str | None) -> int:
        if step is None:
            return len(self.names) - 1
        if step not in self.names:
            raise UsageError(f"step={step!r}: this formula has the steps {', '.join(self.names)}")
        return self.names.index(step)

    def _taken(self, i: int) -> tuple[str, ...]:
        return self.names[: i + 1]

    def _among(self, i: int) -> Paths:
        return self._living if "relu" in self._taken(i) else self.paths

    @cached_property
    def _living(self) -> Paths:
        """The paths with no dead unit on them."""
        among = self.paths
        used = among._dag.edges
        return among._with(edges=used[~dead(among.graph)[used]])

    def _tree(self, i: int) -> sums.Tree:
        if i not in self._trees:
            write = sums.collected if "collect" in self._taken(i) else sums.listed
            self._trees[i] = write(self._among(i), self._factors, self._taken(i), self._most)
        return self._trees[i]

    def _sum(self, i: int) -> Product:
        if i not in self._sums:
            collect = "collect" in self._taken(i)
            self._sums[i] = sums.written(self._tree(i), self._scalar, collect)
        return self._sums[i]

    def _written(self, i: int) -> Sign:
        return Sign(*(of_product(self._sum(i), form) for form in FORMS))

    def _expressible(self, i: int) -> sums.Tree:
        if not self._scalar:
            raise UsageError(
                "sympy: factors between arrays are no numbers: take level='scalar' and at="
            )
        tree, n = self._tree(i), self._among(i).count()
        if not sums.is_complete(tree):
            longest = sums.longest(tree)
            mend = f"raise most= to {of_integer(longest, TEXT)}"
            if longest <= self._most:  # too many parts
                mend = f"take simplify='relu' and most={of_integer(n, TEXT)}, or fewer paths"
            raise UsageError(
                f"sympy: not all of {of_integer(n, TEXT)} terms are written out: {mend}"
            )
        return tree

    def _backward(self) -> tuple[Any, Any]:
        """Return the derivative that the backward pass finds, and how far off values may be."""
        frame = self.paths.frame
        assert frame.x is not None
        found = frame.backward()
        gradient = np.zeros(frame.x.shape) if found is None else backend.to_host(found)
        precision = 1e3 * float(np.finfo(frame.x.dtype).eps)
        if not self._scalar:
            return gradient, precision * _largest(gradient)
        place = frame.ends[0] - self.paths.graph.numbers(frame.x)[0] if len(frame.ends) else 0
        return float(gradient.flat[place]), precision * self.paths.absolute_mass()


def _steps(simplify: str | Sequence[str]) -> tuple[str, ...]:
    """Return the steps to take, in order."""
    asked = (simplify,) if isinstance(simplify, str) else tuple(simplify)
    unknown = [step for step in asked if step not in STEPS]
    if unknown or not asked:
        raise UsageError(
            f"formula: simplify={simplify!r}: use some of {', '.join(STEPS)}, or the name of the "
            "last one to take"
        )
    if isinstance(simplify, str):
        return STEPS[: STEPS.index(simplify) + 1]
    return tuple(step for step in STEPS if step in (*asked, "chain"))


def _without_copies(found: Paths) -> Paths:
    """Return the paths from the element that an unnamed output, such as y[0], is a copy of."""
    frame, graph = found.frame, found.graph
    root = frame.root
    while graph.level == "scalar":
        record = graph.nodes[root].recorded
        first, last = np.searchsorted(graph.sources, [root, root + 1]).tolist()
        copied = record is not None and isinstance(record.primitive, Structural)
        if not copied or graph.nodes[root].name or last - first != 1:
            break
        root = int(graph.targets[first])
    return found if root == frame.root else type(found)(replace(frame, root=root))


def _largest(gradient: Any) -> float:
    """Return the size of the largest number, infinite ones left aside."""
    return float(abs(gradient).max(initial=0.0, where=np.isfinite(gradient)))


def _compare(where: str, found: Any, expected: Any, tolerance: float) -> None:
    values = backend.to_host(found) if backend.is_array(found) else found
    if not np.allclose(values, expected, rtol=0.0, atol=tolerance, equal_nan=True):
        raise GradientError(f"formula: {where} is {found}, and should be {expected}")
