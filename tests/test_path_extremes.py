"""What paths answer where numbers leave the range of floats, or are none; and what hooks may see."""

import json
import math
import re
import sys

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.errors import GraphError, UsageError
from tinygrad_res.report import PathReport

LEVELS = ("tensor", "scope")


def scaled(x, factors):
    """Return an array times each of some numbers."""
    for factor in factors:
        x = x * factor
    return x


# Operator norms


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("n", [3, 100], ids=["dense", "sparse"])
def test_operator_norms_leave_the_range_of_the_record_on_the_way(n, level):
    x = tg.tensor(np.ones(n, np.float32), requires_grad=True)
    y = scaled(x, [np.float32(0.125)] * 50 + [1.0] * 2)
    (path,) = tg.paths(y, x, level=level)
    assert path.operator_norm() == pytest.approx(2.0**-150, rel=1e-5)


def test_operator_norms_of_many_elements_may_have_squares_that_are_no_floats():
    x = tg.tensor(np.ones(100), requires_grad=True)
    slopes = np.linspace(0.25, 1, 100) * 1e-200
    assert tg.paths(x * slopes, x)[0].operator_norm() == pytest.approx(1e-200, rel=1e-9)


@pytest.mark.parametrize("n", [3, 100], ids=["dense", "sparse"])
def test_the_operator_norm_of_a_dead_path_is_zero(n):
    x = tg.tensor(-np.ones(n), requires_grad=True)
    assert tg.paths(tg.relu(x) * 2.0, x)[0].operator_norm() == 0.0


@pytest.mark.parametrize("n", [3, 100], ids=["dense", "sparse"])
@pytest.mark.parametrize("factors", [(math.inf,), (math.nan,), (1e200, 1e200)])
def test_operator_norms_of_products_that_are_no_floats_are_refused(factors, n):
    x = tg.tensor(np.full(n, 1e-300), requires_grad=True)
    (path,) = tg.paths(scaled(x, factors), x)
    with pytest.raises(GraphError, match="operator_norm: a derivative on the path is not finite"):
        path.operator_norm()


# Questions that need finite numbers


def test_the_mean_degree_under_an_infinite_gradient_is_refused():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match="not finite"):
        tg.paths((x * [math.inf, 1.0]).sum(), x).expected("activation")


def test_forward_sums_too_large_for_floats_are_refused():
    x = tg.tensor([1e200, 1.0], requires_grad=True)
    with np.errstate(over="ignore"):
        y = (x * [1e200, 1.0]).sum()
    with pytest.raises(GraphError, match="the output is inf"):
        tg.forward_paths(y, x)


def test_flows_too_large_for_floats_are_refused():
    x = tg.tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="edge_flow: inf flows out of multiply"):
        tg.edge_flow((x * 1e200).sum(), x, direction=[1e200])


@pytest.mark.parametrize("weight", [math.inf, math.nan])
def test_path_norms_need_finite_weights(weight):
    x = tg.tensor([1.0, 1.0], requires_grad=True)
    with pytest.raises(GraphError, match="path_norm: a weight on the way is infinite or no number"):
        tg.path_norm(x @ tg.parameter([weight, 2.0]), x)


@pytest.mark.parametrize("slope", [math.inf, math.nan])
def test_formulas_with_infinite_values_pass_their_check(slope):
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    formula = tg.formula((x * [slope, 3.0]).sum(), x, level="tensor")
    np.testing.assert_array_equal(formula.evaluate(), [slope, 3.0])
    formula.check()


# Hooks


def test_hooks_change_the_backward_pass_and_no_derivative():
    x = tg.tensor([3.0], requires_grad=True, name="x")
    y = x * 2.0
    seen = []
    y.register_hook(lambda g: seen.append(g) or g * 100.0)
    y.retain_grad()
    loss = (y * y).sum()
    formula = tg.formula(loss, x, at=0, simplify="collect")
    formula.check()
    assert formula.evaluate() == 24.0
    assert tg.paths(loss, x).gradient() == 24.0
    assert not seen
    assert y.grad is None


# Counts of which Python refuses to write the digits


@pytest.fixture
def few_digits():
    """Python writes no number of more than 640 digits, in place of 4300, so that graphs are small."""
    usual = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    yield
    sys.set_int_max_str_digits(usual)


def braid(joints, strands):
    """Paths through joints in a row, with so many edges from each to the next."""
    import networkx

    drawn = networkx.MultiDiGraph()
    for i in range(joints):
        drawn.add_edges_from([(f"v{i}", f"v{i + 1}")] * strands, derivative=1 / strands)
    return tg.paths(tg.from_networkx(drawn), f"v{joints}")


@pytest.mark.parametrize("level", LEVELS)
def test_messages_about_counts_of_many_digits_say_how_many_in_words(few_digits, level):
    x = h = tg.tensor([1.0], requires_grad=True, name="x")
    for _ in range(2300):
        h = h + h * 0.0
    p = tg.paths(h.sum(), x, level=level)
    with pytest.raises(OverflowError, match=r"^there are about 10\^692 paths"):
        len(p)
    with pytest.raises(
        IndexError, match=r"number about 10\^693: the numbers are 0 to about 10\^692"
    ):
        p[2**2302]
    with pytest.raises(UsageError, match=r"k=about 10\^693, but there are about 10\^692 paths"):
        p.top(2**2302)
    with pytest.raises(UsageError, match=r"top: about 10\^692 paths"):
        p.top(1)
    last = tg.forward_paths(h.sum(), x).table().splitlines()[-1]
    assert last.split()[-2:] == ["about", "10^692"]


def test_the_explorer_takes_counts_of_many_digits_and_knows_all_of_them(few_digits):
    page = viz.explore(braid(540, 16)).html
    told = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page)[1])
    assert int(told["count"], 16) == 16**540


def test_reports_hold_all_digits_of_their_counts(few_digits):
    ones = {0: 1.0, 7: 1.0}
    report = PathReport("deep", {0: 1, 7: 10**700 - 1}, ones, ones, 1.0, 0.0, None)
    rows = report.as_dict()["by_weight_layers_crossed"]
    assert report.as_dict()["paths"] == "1" + 700 * "0" and rows[1]["paths"] == 700 * "9"
    assert "weight-free: 1 of 1.0000...e+700 paths" in report.table()


# Long paths


def test_the_middle_of_a_long_path_is_left_out_of_its_picture_in_words():
    x = h = tg.tensor([1.0], requires_grad=True, name="x")
    for _ in range(39):
        h = tg.exp(h * 0.1)
    shown = repr(tg.paths(h, x)[0])
    assert shown.startswith("Path(exp -> multiply -> ") and shown.endswith("multiply -> x)")
    assert shown.count(" -> ") == 40 and "-> ... 39 more ... ->" in shown
