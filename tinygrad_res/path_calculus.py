"""Paths: where a gradient comes from.

**The object.**  A recorded computation is a directed acyclic multigraph.  A node is a value; an
edge e leads from an operation's output to one of its operands and carries the local Jacobian
J_e of the one by the other.  The derivative of an output L by an input x is the sum, over all
paths p from L back to x, of the products w(p) of what stands on the edges of p (Bauer 1974):
different routes add, successive steps multiply.  ``tg.paths(L, x)`` is the set of these paths.
A deep network has 2^54 or 2^600 of them, so nothing here lists paths to answer a question.

**Levels.**  At tensor level a node is a whole array, and w(p), a composition of vector-Jacobian
products, is an array of x's shape.  At scalar level every array element is a node and w(p) is a
number.  At scope level a path is the sequence of edges on which it passes from one scope to
another.  Counts depend on the level, and on how a computation was written (``x ** 2`` has one
path, ``x * x`` two); the sum over all paths does not, and is what backward computes.  A path of
scalar level is *active* if w(p) is not zero; ``count()`` counts structural paths, active or not.

**Degrees.**  An edge has a grade, an integer a(e) >= 0, and a path the degree a(p), the sum of
its edges' grades.  For ``"weight"`` the degree is the number of weight layers crossed: an edge
counts 1 if it leads from the output of a product or convolution to its data while the other
operand is a weight (``tinygrad_res.snapshot`` has the rule); learned scales, biases, activations
and shortcuts count 0.  With stem and classifier included, the largest degree is the network's
advertised depth.

**One sweep.**  For a semiring with sum + and product *, and labels l(e), let

    beta(v) = 1 at the ends, and elsewhere the sum over edges e from v to u of l(e) * beta(u).

beta at the root is the sum over all paths of the product of their labels, in one visit of every
edge (Mohri 2002; for reverse mode itself Baur & Strassen 1983).  ``evaluate`` takes any
semiring; these are built in (``tinygrad_res.semirings``):

- ``count``: l = 1 over the integers.  O(E) additions of exact integers.
- ``count_by``: l = z^a(e) over polynomials; the coefficient of z^k counts the paths of degree k.
  O(E D) for degrees up to D; one big integer holds a polynomial (``tinygrad_res.degrees``).
- ``gradient_by``: at scalar level l = J_e z^a(e).  At tensor level a node keeps one cotangent per
  live degree, and all of them are pulled back as one batch (``tinygrad_res.grading``):
  exact, in at most as many backward passes as degrees are live on average.  ``cost`` tells
  before.  Interpolation at roots of unity would be accurate in the absolute sense only.
- ``absolute_mass``, ``top(1)``: l = abs(J_e), with + or max.  ``cancellation`` is the first over
  abs(gradient).
- ``expected``: l = (J_e, a(e) J_e, a(e)^2 J_e), mean and variance of the degree under the
  gradient (first- and second-order expectation semirings, Li & Eisner 2009).
- ``entropy``: of abs(w(p)) / absolute mass: ln Z - (sum of abs(w) ln abs(w)) / Z, 0 ln 0 = 0.

What needs the size of every product has no semiring at tensor level, as the norm of a product is
not the product of norms.  There such questions are answered for the classes of equal degree.

**Which path.**  beta in integers numbers the paths: path r in lexicographic order is found by
walking from the root and subtracting the counts of the edges not taken, at the cost of the
edges on the way.  ``p[r]``, ``p.rank(path)``, iteration and ``random`` rest on it; a demanded
degree (``with_degree``) is one more index of the counts.  ``top(k)`` ranks by detours from the
best way (Huang & Chiang 2005).  ``sample`` walks from the root and takes an edge with
probability abs(J_e) beta(u) / beta(v), so that a path comes with probability abs(w(p)) / Z.

**Flow.**  alpha(v) J_e beta(u), with alpha the sum over the paths from the root, is what all paths
over the edge e carry together (``tg.edge_flow``); over any cut it adds up to the gradient.
``tg.forward_paths`` reads the same graph forward: the value of a piecewise linear network is
the sum over its active paths of input times product, and those that start at biases.

**How it differs from sampling estimates.**  Veit et al. 2016 estimate which path lengths carry
the gradient from the norms of single sampled paths times the number of paths.  Norms add no
cancellation; the exact parts g_k of ``gradient_by`` do, and they sum to the gradient.

Sources:

    Bauer 1974, Computational graphs and rounding error, SIAM J. Numer. Anal. 11.
    Baur & Strassen 1983, The complexity of partial derivatives, Theor. Comput. Sci. 22.
    Du, Torroba Hennigen, Stoehr, Warstadt, Cotterell 2023, Generalizing backpropagation for
        gradient-based interpretability, ACL.
    Huang & Chiang 2005, Better k-best parsing, IWPT.
    Li & Eisner 2009, First- and second-order expectation semirings with applications to
        minimum-risk training on translation forests, EMNLP.
    Mohri 2002, Semiring frameworks and algorithms for shortest-distance problems, J. Autom.
        Lang. Comb. 7.
    Veit, Wilber, Belongie 2016, Residual networks behave like ensembles of relatively shallow
        networks, NeurIPS.
"""

from __future__ import annotations

from typing import Any, Literal

from .errors import GradientError, GraphError, UsageError
from .frames import Frame
from .graph import LIMIT, Graph, Place, title
from .graph_parts import GraphNode
from .measures import Paths
from .scalar import ScalarGraph, place_of
from .scalar_paths import ScalarPaths
from .scope_paths import ScopeFrame, ScopePaths
from .scopes import ScopeGraph
from .snapshot import graph
from .tensor import Tensor
from .tensor_paths import TensorPaths

Target = Tensor | GraphNode | str


def paths(
    output: Tensor | Graph, x: Target, start: Target | None = None, end: Target | None = None,
    cotangent: Any = None, *, level: Literal["tensor", "scalar", "scope"] = "tensor",
    at: Place | None = None, limit: int = LIMIT, depth: int | None = None,
) -> Paths:  # fmt: skip
    """Return the set of all gradient paths from ``output`` back to ``x``.

    Args:
        output: usually the loss; or a graph, to start at its output.
        x: the tensor to differentiate by, its name, or a node of the graph.
        start, end: count degrees between these two tensors only (from ``start``,
            nearer the output, back to ``end``), to leave out a classifier and a stem.
        cotangent: the weight of every output element, for an output of several elements;
            needed for products and gradients, not for counts.
        level: what a node is: a whole array (``"tensor"``), an array element (``"scalar"``), or
            what happens within a scope (``"scope"``).
        at: the index of the one element of ``x`` to lead to, at scalar level.
        limit: how many edges the scalar level may have.
        depth: how many scopes inside one another are told apart, at scope level; see
            ``Graph.scopes``.

    Returns:
        The set, which is empty where ``output`` does not depend on ``x``.

    Raises:
        GraphError: nothing was recorded; ``start`` and ``end`` are not in the graph, or
            not on one way from ``output`` back to ``x`` in this order; or the scalar level has
            too many edges.
        GradientError: ``x`` was made without ``requires_grad=True``.
        UsageError: the level is unknown, or ``at`` or ``depth`` is none of it.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> W = tg.parameter([[0.5, 0.0], [0.0, 0.5]], name="W")
    >>> p = tg.paths((x + x @ W).sum(), x)
    >>> p.count_by("weight")
    {0: 1, 1: 1}
    >>> p.gradient_by("weight")
    {0: array([1., 1.]), 1: array([0.5, 0.5])}
    >>> tg.paths((x + x @ W).sum(), x, level="scalar").count_by("weight")
    {0: 2, 1: 4}
    """
    if level not in ("tensor", "scalar", "scope"):
        raise UsageError(f"paths: level={level!r}: use 'tensor', 'scalar' or 'scope'")
    if depth is not None and level != "scope":
        raise UsageError(f"paths: depth={depth!r} is for scopes: ask for level='scope'")
    if not isinstance(x, (Tensor, GraphNode, str)):
        raise GraphError(
            f"paths: expected a tensor to lead to, got {type(x).__name__}; a name, or a node of "
            "the graph, will do"
        )
    if isinstance(x, Tensor) and not x.requires_grad:
        raise GradientError(
            f"paths: {x.name or 'x'} carries no gradient (dtype {x.dtype}): make it with "
            "tg.tensor(values, requires_grad=True), with floating point values"
        )
    whole = output if isinstance(output, Graph) else graph(output)
    if whole.level == "tensor" and level == "scalar":
        tensors = _between(whole, x, None, None, None, None)
        whole = ScalarGraph(whole, tensors._dag.lists[2], limit)
    if whole.level == "tensor" and level == "scope":
        known = not isinstance(x, Tensor) or whole.holds(x)
        whole = ScopeGraph(whole, depth, whole.numbers(x) if known else ())
    elif depth is not None:
        raise UsageError(f"paths: depth={depth!r}: {whole!r} is given: take it from graph.scopes")
    if level not in ("tensor", whole.level):
        raise UsageError(f"paths: level={level!r}: {whole!r} is given: leave level= out")
    return _between(whole, x, start, end, cotangent, at)


def _between(
    whole: Graph, x: Target, start: Target | None, end: Target | None, cotangent: Any,
    at: Place | None,
) -> Paths:  # fmt: skip
    """Return all paths in a graph, at its level."""
    firsts = whole.outputs
    ends: Any = ()
    if not isinstance(x, Tensor) or whole.holds(x):
        ends = whole.numbers(x, at)
    elif at is not None:
        place_of(at, x.shape, title(x))
    shape = x.shape if isinstance(x, Tensor) else whole.shape(x)
    between = None
    if start is not None or end is not None:
        first = firsts if start is None else whole.numbers(start)
        last = ends if end is None else whole.numbers(end)
        between = (first, last)
        passed = whole.reached(first)
        if len(ends) and not (passed[list(last)].any() and whole.reached(last)[list(ends)].any()):
            raise GraphError(
                "paths: no path leads from the output through start and then end back to x: give "
                "start, the tensor nearer the output, and end, the one nearer x"
            )
    several = whole.level == "scalar" and (len(firsts) > 1 or cotangent is not None)
    of_scopes = isinstance(whole, ScopeGraph)
    frame = (ScopeFrame if of_scopes else Frame)(
        graph=whole,
        root=len(whole.nodes) if several else firsts[0],
        ends=ends,
        between=between,
        x=x if isinstance(x, Tensor) else None,
        shape=shape if at is None else None,
        cotangent=cotangent,
        firsts=firsts if several else (),
    )
    if of_scopes:
        return ScopePaths(frame)
    return ScalarPaths(frame) if whole.level == "scalar" else TensorPaths(frame)
