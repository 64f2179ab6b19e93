"""check_paths: sums over gradient paths against what backward computes.

A gradient flows from the loss back to x like water through pipes.  Every path crosses
each cut between the two exactly once, so the flow over a cut, summed over its edges, is
the whole gradient whatever the cut (for a tangent v of x, the sum over the cut's edges
of <cotangent, tangent> is the same number, <gradient, v>).  Backward knows nothing of
paths, which makes it the other side of every comparison here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import GradientError, UsageError
from ..graph_parts import GRADINGS, GraphEdge
from ..measures import Paths
from ..path_calculus import paths
from ..tensor import Tensor, tensor
from .table import GradientCheckError, assert_close

__tracebackhide__ = True  # pytest shows the test's own line

CUTS = 24
LISTED = 256


def check_paths(
    loss: Tensor,
    wrt: Tensor | Sequence[Tensor],
    *,
    through: Sequence[Tensor] = (),
    cotangent: Any = None,
    rtol: float | None = None,
) -> None:
    """Assert that the gradient paths from ``loss`` back to ``wrt`` make up the gradient.

    Checked are: the sum over all paths equals what backward computes, as does the sum
    over their products one by one where there are few; for every grading the parts of
    the gradient sum to it and the counts to the count; the flow over every cut is the
    whole gradient (over at most 24 cuts); the paths through a tensor and those avoiding
    it make up all paths.

    Args:
        loss: the output.  ``.grad`` of all leaves is left as it was.
        wrt: a leaf that requires a gradient, or several.
        through: tensors in between.  The paths through one carry what backward sends
            from it to ``wrt``, and those avoiding it the rest.
        cotangent: the weight of every output element, for an output of several.
        rtol: the tolerance relative to the largest terms that are added; left out,
            1e-9, or 1e-4 for dtypes smaller than float64.

    Raises:
        GradientCheckError: an AssertionError: a sum is wrong; the first line says which.
        GradientError: ``wrt`` is no leaf, so that backward says nothing about it.

    >>> import numpy as np, tinygrad_res as tg
    >>> x = tg.tensor(np.array([1.0, -2.0]), requires_grad=True, name="x")
    >>> h = x + tg.tanh(x)
    >>> check_paths((h + h * h).sum(), x, through=[h])
    """
    leaves = [wrt] if isinstance(wrt, Tensor) else wrt
    if not leaves:
        raise UsageError("check_paths: wrt is empty: pass a leaf of the loss, or several")
    for x in leaves:
        _Check(loss, x, cotangent, rtol).everything(through)


class _Check:
    """The paths to one leaf, and what they are held against."""

    def __init__(self, loss: Tensor, x: Tensor, cotangent: Any, rtol: float | None) -> None:
        self.loss, self.x, self.cotangent = loss, x, cotangent
        self.paths = paths(loss, x, cotangent=cotangent)
        self.title = x.name or "x"
        if any(node.kind == "operation" for node in self.paths.inputs):
            raise GradientError(
                f"check_paths: {self.paths.inputs[0].label} was computed, and backward keeps "
                "gradients of leaves alone: pass a leaf as wrt, and this tensor in through="
            )
        usual = 1e-9 if x.dtype == np.float64 else 1e-4
        self.rtol = usual if rtol is None else rtol
        self.expected = self._backward(loss, cotangent)

    def everything(self, through: Sequence[Tensor]) -> None:
        """Run every check, the plainest first."""
        self._equal("the sum over all paths", [self.paths.gradient()])
        self._one_by_one()
        for by in GRADINGS:
            self._graded(by)
        for level in self._levels():
            self._cut(level)
        for t in through:
            self._through(t)

    def _one_by_one(self) -> None:
        n = self.paths.count()
        listed = list(itertools.islice(self.paths, LISTED + 1))
        if n <= LISTED:
            self._counted("the paths listed one by one", n, len(listed))
            self._equal("the sum over paths listed one by one", [p.product() for p in listed])

    def _graded(self, by: str) -> None:
        what = f"the parts of the gradient by {by!r}"
        self._counted(what, self.paths.count(), sum(self.paths.count_by(by).values()))
        self._equal(what, list(self.paths.gradient_by(by).values()))

    def _levels(self) -> list[int]:
        """Return the nodes below which to cut; operands come before outputs, so each is a cut."""
        every = [node.index for node in self.paths.nodes[:-1]]
        step = -(-len(every) // CUTS)
        return every[::step] if every else []

    def _cut(self, level: int) -> None:
        """Send the paths over each edge of a cut into a part of their own, and add up."""
        nodes, numbers = self.paths.graph.nodes, self._crossing(level)

        def crossed(edge: GraphEdge) -> int:
            return numbers.get(edge.index, 0)

        where = f"the cut above {nodes[level].label} (node {level}, {len(numbers)} edges)"
        counts = self.paths.count_by(crossed)
        outside = sum(n for number, n in counts.items() if number not in numbers.values())
        self._counted(f"paths that evade {where}", 0, outside)
        self._counted(f"paths over {where}", self.paths.count(), sum(counts.values()))
        self._equal(f"the flow over {where}", list(self.paths.gradient_by(crossed).values()))

    def _crossing(self, level: int) -> dict[int, int]:
        """Number the edges from above a level to it or below, on some path, from 1."""
        found = [e.index for e in self.paths.edges if e.target <= level < e.source]
        return {edge: number for number, edge in enumerate(found, 1)}

    def _through(self, t: Tensor) -> None:
        name = t.name or f"the tensor of shape {t.shape}"
        visiting, others = self.paths.through(t), self.paths.avoiding(t)
        what = f"the paths through {name} and those avoiding it"
        self._counted(what, self.paths.count(), visiting.count() + others.count())
        self._equal(what, [visiting.gradient(), others.gradient()])
        if t is not self.x and t.requires_grad:
            cotangent = paths(self.loss, t, cotangent=self.cotangent).gradient()
            sent = self._backward(t, cotangent)
            what = f"the paths through {name}, against backward from it"
            self._equal(what, [visiting.gradient()], sent)

    # Both sides

    def _backward(self, output: Tensor, cotangent: Any) -> Any:
        """Return what backward adds to ``.grad`` of the leaf, and leave every ``.grad`` as it was."""
        kept = [(leaf, leaf.grad) for leaf in _leaves(self.paths)]
        for leaf, _ in kept:
            leaf.grad = None
        try:
            output.backward(cotangent)
            found = self.x.grad
        finally:
            for leaf, gradient in kept:
                leaf.grad = gradient
        return np.zeros(self.x.shape) if found is None else _host(found)

    def _equal(self, what: str, parts: Sequence[Any], expected: Any = None) -> None:
        """Assert that the parts sum to backward's gradient, or to ``expected``."""
        wanted = self.expected if expected is None else expected
        arrays = [_host(part) for part in parts]
        got = sum(arrays, np.zeros(self.x.shape))
        largest = sum(np.abs(a).max(initial=0.0) for a in arrays)
        tolerance = self.rtol * (np.abs(wanted).max(initial=0.0) + largest)
        assert_close(f"check_paths, wrt {self.title}: {what}", wanted, got, tolerance)

    def _counted(self, what: str, expected: int, got: int) -> None:
        if expected != got:
            raise GradientCheckError(
                f"check_paths, wrt {self.title}: {what}: there must be {expected} paths, not {got}"
            )


def _host(values: Any) -> Any:
    return (values if isinstance(values, Tensor) else tensor(values)).numpy().astype(np.float64)


def _leaves(p: Paths) -> Iterator[Tensor]:
    """Yield the tensors that backward would change; those that are gone need no care."""

    found = (node.tensor for node in p.graph.nodes if node.requires_grad)
    return (leaf for leaf in found if leaf is not None)
