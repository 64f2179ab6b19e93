"""check_formula: a gradient formula derived by hand against the engine.

The formula is run at the given arguments and at random points near them.  Where it
differs, all points together say how: a constant factor cannot be told from a wrong
entry at one point, but it can at four.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import trees
from ..errors import ShapeError, UsageError
from .arguments import leaves, nice
from .differences import slope
from .engines import engine_of
from .explanation import Context, Sample, Terms, explain, explain_shape
from .function import FlatFunction
from .table import GradientCheckError, assert_close, differing

__tracebackhide__ = True  # pytest shows the test's own line


def check_formula(
    f: Callable[..., Any],
    formula: Any,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    cotangent: Any = None,
    points: int = 3,
    terms: Terms | None = None,
    seed: int = 0,
    rtol: float = 1e-7,
    atol: float = 1e-10,
    vjp: Callable[..., Any] | None = None,
) -> None:
    """Assert that a hand-derived formula is the gradient of ``f``.

    Args:
        f: takes arrays and returns one element, or, with a cotangent, an array.
        formula: ``formula(*args) -> array``, or with a cotangent ``formula(*args,
            cotangent)``, on float64 NumPy arrays; a tuple for a tuple of argnums.  Or a
            sympy expression in symbols named as the parameters of ``f``, applied element
            by element; a tuple, or a dict by parameter, for several.  A sympy expression
            for an ``f`` that returns an array is the derivative of each output element
            by the input element in the same place.
        args: arrays, tensors or floats.
        argnums: by which arguments the formula is the gradient.
        cotangent: the weight of every output element.
        points: how many random points are checked besides ``args``.  There the arguments
            in ``argnums`` keep their signs, and the others keep their values.
        terms: by their names, ``term(*args)``, other terms that may be missing.
        seed: of the random points.
        rtol, atol: the relative and absolute tolerance of an entry.
        vjp: another engine's; see ``check_gradient``.

    Raises:
        GradientCheckError: an AssertionError: the formula is wrong.  The last lines say
            whether it looks like a constant factor, a sign, a transpose, a missing batch
            mean or a missing term, and whether finite differences agree with the engine.
        UsageError: ``f`` returns several elements and there is no cotangent; a symbol is
            no parameter of ``f``.

    >>> import numpy as np, tinygrad_res as tg
    >>> def loss(w, x, y):
    ...     return tg.mean((x @ w - y) ** 2)
    >>> x, y, w = np.array([[1.0, 2.0], [0.0, 1.0], [3.0, 1.0]]), np.ones(3), np.array([0.5, -1.0])
    >>> check_formula(loss, lambda w, x, y: 2 / len(y) * x.T @ (x @ w - y), w, x, y)
    >>> check_formula(loss, lambda w, x, y: 2 * x.T @ (x @ w - y), w, x, y, points=0)
    Traceback (most recent call last):
    tinygrad_res.testing.table.GradientCheckError: formula for argument 0 (w): 2 of 2 entries differ
      entry  expected    got
      [1]    -5          -15
      [0]    -2.6666667  -8
    looks like: missing batch mean: the formula is N = 3 times too large, the length of axis 0 of argument 1 (x)
    finite differences agree with the engine, not with the formula
    """
    engine = engine_of(args, vjp)
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    wanted = tuple(i + len(args) if i < 0 else i for i in chosen)
    if not all(0 <= i < len(args) for i in wanted):
        raise UsageError(f"check_formula: argnums {argnums}, but there are {len(args)} arguments")
    with engine.float64(), np.errstate(all="ignore"):
        at = FlatFunction(f, args, engine, wanted)
        symbolic = _is_sympy(formula)
        weight = _cotangent(at, cotangent, symbolic, seed)
        if symbolic:
            evaluate, own = _symbolic(formula, at, wanted)
        else:
            evaluate, own = _numeric(formula, at, wanted, weight, cotangent is not None), {}
        units = [_unit(x, at, weight) if symbolic else 1.0 for x in at.primals]
        samples = []
        for xs in _points(at.primals, points, np.random.default_rng(seed)):
            values, pulled = _values(at, xs), at.pull(xs, weight)
            expected = [g / unit for g, unit in zip(pulled, units, strict=True)]
            samples.append(Sample(xs, values, expected, evaluate(values)))
        given = None if cotangent is None else weight.reshape(at.shapes[0])
        context = Context(samples, at.arguments.parameters, own, terms or {}, units, given)
        for n, name in enumerate(at.arguments.names):
            _compare(at, n, name, context, weight, rtol, atol)


def _cotangent(at: FlatFunction, cotangent: Any, symbolic: bool, seed: int) -> Any:
    """Return the cotangent as a vector: given, drawn, or 1 for an output of one element."""
    if symbolic and cotangent is not None:
        raise UsageError(
            "check_formula: a sympy expression is the derivative of each output element, and "
            "takes no cotangent: leave cotangent= out"
        )
    if cotangent is not None:
        vector = np.ravel(np.asarray(at.engine.host(cotangent), dtype=np.float64))
        if vector.size != at.size:
            raise ShapeError(
                f"check_formula: the cotangent has {vector.size} elements, the output {at.size}"
            )
        return vector
    if at.size != 1 and not symbolic:
        raise UsageError(
            f"check_formula: the function returns {at.size} elements; return one (.sum() or "
            ".mean()), or pass cotangent= and take it as the formula's last argument"
        )
    return np.ones(1) if at.size == 1 else nice(np.random.default_rng(seed), at.size)


def _unit(x: Any, at: FlatFunction, weight: Any) -> Any:
    """Return what an elementwise derivative is multiplied by: its output's cotangent."""
    return weight.reshape(x.shape) if [x.shape] == at.shapes else 1.0


def _near(x: Any, rng: np.random.Generator) -> Any:
    """Draw a point that is likely in the function's domain: the same signs, other sizes."""
    return np.where(x == 0, 0.1 * rng.standard_normal(x.shape), x * rng.uniform(0.6, 1.5, x.shape))


def _points(primals: Sequence[Any], number: int, rng: np.random.Generator) -> Iterator[list[Any]]:
    yield list(primals)
    for _ in range(number):
        yield [_near(x, rng) for x in primals]


def _values(at: FlatFunction, xs: Sequence[Any]) -> list[Any]:
    """Return what the formula is called with: NumPy arrays, floats as float64."""
    filled = at.arguments.filled(xs)

    def wide(leaf: Any) -> Any:
        if not hasattr(leaf, "dtype"):
            return leaf
        array = np.array(at.engine.host(leaf))
        return array.astype(np.float64) if array.dtype.kind == "f" else array

    return list(trees.transform(wide, filled))


def _is_sympy(formula: Any) -> bool:
    if isinstance(formula, Mapping):
        return True
    parts = formula if isinstance(formula, (tuple, list)) else [formula]
    return any(hasattr(part, "free_symbols") for part in parts)


# Formulas as functions


Evaluate = Callable[[list[Any]], list[Any]]


def _numeric(
    formula: Any, at: FlatFunction, wanted: Sequence[int], weight: Any, weighted: bool
) -> Evaluate:
    """Return the function from all arguments to the formula's array for each primal."""
    cotangent = weight.reshape(at.shapes[0])

    def evaluate(values: list[Any]) -> list[Any]:
        copies = trees.transform(_copy, values)
        found = formula(*copies, cotangent.copy()) if weighted else formula(*copies)
        parts = [part for _, part in leaves(_in_order(found, wanted))]
        if len(parts) != len(at.primals):
            raise ShapeError(
                f"check_formula: the formula returned {len(parts)} arrays for "
                f"{len(at.primals)}: {', '.join(at.arguments.names)}"
            )
        return [np.asarray(at.engine.host(part), dtype=np.float64) for part in parts]

    return evaluate


def _in_order(found: Any, wanted: Sequence[int]) -> Any:
    """Return what belongs to several argnums in the order of the arguments."""
    if len(wanted) == 1 or not isinstance(found, (tuple, list)) or len(found) != len(wanted):
        return found
    return [part for _, part in sorted(zip(wanted, found, strict=True), key=lambda pair: pair[0])]


def _copy(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _symbolic(
    formula: Any, at: FlatFunction, wanted: Sequence[int]
) -> tuple[Evaluate, dict[str, Callable[..., Any]]]:
    """Return the same for sympy expressions, and the terms that they are sums of."""
    import sympy

    parameters = list(at.arguments.parameters)
    expressions = [sympy.sympify(e) for e in _expressions(formula, parameters, wanted)]
    if len(expressions) != len(at.primals):
        raise UsageError(
            f"check_formula: {len(expressions)} expressions for {len(at.primals)} arguments"
        )
    symbols = sorted({s for e in expressions for s in e.free_symbols}, key=str)
    unknown = [str(s) for s in symbols if str(s) not in parameters]
    if unknown:
        raise UsageError(
            f"check_formula: the symbols {unknown} are no parameters of the function, which "
            f"are {parameters}"
        )
    places = [parameters.index(str(s)) for s in symbols]

    def compiled(expression: Any) -> Callable[..., Any]:
        run = sympy.lambdify(symbols, expression, "numpy")
        return lambda *values: np.asarray(run(*[values[k] for k in places]), dtype=np.float64)

    runs = [compiled(expression) for expression in expressions]

    def evaluate(values: list[Any]) -> list[Any]:
        found = zip(at.primals, (run(*values) for run in runs), strict=True)
        return [
            np.broadcast_to(local, x.shape) if local.ndim < x.ndim else local for x, local in found
        ]

    terms = [t for e in expressions for t in sympy.Add.make_args(sympy.expand(e))]
    return evaluate, {str(term): compiled(term) for term in terms}


def _expressions(formula: Any, parameters: Sequence[str], wanted: Sequence[int]) -> list[Any]:
    """Return one expression for each argument, in the order of the arguments."""
    if not isinstance(formula, Mapping):
        several = isinstance(formula, (tuple, list))
        return list(_in_order(formula, wanted)) if several else [formula]
    by_name = {str(name): expression for name, expression in formula.items()}
    missing = [parameters[i] for i in wanted if parameters[i] not in by_name]
    if missing:
        raise UsageError(f"check_formula: the dict has no expression for {missing}")
    return [by_name[parameters[i]] for i in sorted(wanted)]


# Comparing


def _compare(
    at: FlatFunction, n: int, name: str, context: Context, weight: Any, rtol: float, atol: float
) -> None:
    """Compare the formula's part for one argument at every point; raise with all it shows."""
    what = f"formula for {name}"
    for k, sample in enumerate(context.samples):
        expected, got = sample.expected[n], sample.got[n]
        if got.shape != expected.shape:
            why = explain_shape(context, n)
            raise GradientCheckError(
                f"{what}: it has shape {got.shape}, the argument {expected.shape}"
                + (f"\nlooks like: {why}" if why else "")
            )
        size = np.abs(expected)
        tolerance = rtol * size + atol + rtol * 1e-2 * size.max(initial=0.0)
        if differing(expected, got, tolerance).any():
            where = f"{what}, at random point {k}, though right at the given one" if k else what
            try:
                assert_close(where, expected, got, tolerance, lambda _e, _g: explain(context, n))
            except GradientCheckError as error:
                verdict = _referee(at, n, sample, weight, context.units[n])
                raise GradientCheckError(f"{error}\n{verdict}") from None


def _referee(at: FlatFunction, n: int, sample: Sample, weight: Any, unit: Any) -> str:
    """Say with whom finite differences agree along a random direction."""
    xs = sample.primals
    t = nice(np.random.default_rng(1), xs[n].size).reshape(xs[n].shape)

    def line(step: Any) -> Any:
        return at.values([x + step * t if k == n else x for k, x in enumerate(xs)])

    found = slope(line, float(np.abs(xs[n]).max(initial=0.0)))
    if found.kink.any():
        return "finite differences cannot tell: the function is not differentiable here"
    value = weight @ found.value
    t = t * unit
    engine, formula = np.sum(sample.expected[n] * t), np.sum(sample.got[n] * t)
    if abs(value - engine) <= 1e-5 * (abs(engine) + abs(value)) + 1e-9:
        return "finite differences agree with the engine, not with the formula"
    if abs(value - formula) <= 1e-5 * (abs(formula) + abs(value)) + 1e-9:
        return "finite differences agree with the formula: the engine's rule is wrong"
    return "finite differences agree with neither the engine nor the formula"
