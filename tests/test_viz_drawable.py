"""What can be drawn besides sets of paths and graphs, and what is said of the rest."""

import re

import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.errors import FigureError, UsageError
from viz.numbers.formula_lines import MOST_LINES


def residual():
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.uniform(0.1, 1, (1, 3)), requires_grad=True, name="x")
    for k in (1, 2):
        h = h + tg.relu(h @ tg.parameter(rng.standard_normal((3, 3)), name=f"W_{k}"))
    return h.sum(), x


def chain_rule():
    x = tg.tensor(0.7, requires_grad=True, name="x")
    m, n = x**2 + 1, tg.sin(x)
    m.name, n.name = "m", "n"
    F = m * n
    F.name = "F"
    return F, x


ALIVE = []


def texts(figure):
    return ["".join(run for run, _ in label.runs) for label in figure.layout.labels]


def test_a_flow_is_drawn_as_bands_in_the_figure_of_its_paths():
    loss, x = residual()
    figure = viz.draw(tg.edge_flow(loss, x))
    assert figure.layout == viz.draw(tg.paths(loss, x), widths="flow").layout


def test_the_flow_along_a_given_direction_is_the_one_that_is_drawn():
    loss, x = residual()
    flow = tg.edge_flow(loss, x, direction=-x.numpy())
    shown = " ".join(texts(viz.draw(flow, labels="value")))
    assert viz.widths.signed(max(flow.edges.values(), key=abs)) in shown


def test_a_list_of_paths_is_highlighted_in_its_set():
    p = tg.paths(*residual())
    some = p.top(2)
    assert viz.draw(some).layout == viz.draw(p, highlight=some).layout
    named = {"first": p[0], "others": [p[1], p[2]]}
    assert viz.draw(named).layout == viz.draw(p, highlight=named).layout


def test_a_formula_stands_below_the_paths_that_it_sums_over():
    F, x = chain_rule()
    shown = texts(viz.draw(tg.formula(F, x, simplify="junction")))
    assert {"dF/dx", "= ∂F/∂m · ∂m/∂x + ∂F/∂n · ∂n/∂x"} <= set(shown)
    assert any(line.startswith("= 2 · n · x + m · cos(x)") for line in shown)
    loss, x = residual()
    below = viz.draw(tg.formula(loss, x, level="tensor"))
    assert "dL/dx" in texts(below) and "1 weight-free path of 4" in texts(below)


def test_values_without_a_name_are_called_alike_in_figure_and_formula():
    a = tg.tensor(2.0, requires_grad=True, name="a")
    found = tg.formula(tg.sin(a) * tg.exp(a), a)
    layout = viz.draw(found).layout
    assert found.where == {"v_1": "sin(a)", "v_2": "exp(a)"}
    assert {"v_1: sin", "v_2: exp"} <= {label.text for label in layout.labels}
    assert "= ∂L/∂v_1 · ∂v_1/∂a + ∂L/∂v_2 · ∂v_2/∂a = 3.64" in {x.text for x in layout.labels}


def lines_of(figure):
    """Return the labels of a figure, what is lowered behind an underscore."""
    return [label.text for label in figure.layout.labels]


def wide_net():
    """Return the loss of a net with 12 paths from each input, and the input."""
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((1, 3)), requires_grad=True, name="x")
    h = x
    for k, shape in enumerate(((3, 2), (2, 2), (2, 3)), 1):
        h = tg.tanh(h @ tg.parameter(rng.standard_normal(shape), name=f"W_{k}"))
    return h.sum(), x


@pytest.mark.parametrize("simplify", ["chain", "collect"])
def test_a_formula_that_was_asked_for_is_drawn_however_many_paths_there_are(simplify):
    loss, x = wide_net()
    found = tg.formula(loss, x, at=(0, 0), simplify=simplify)
    assert found.paths.count() == 12
    shown = lines_of(viz.draw(found))
    assert "dL/dx_1" in shown
    assert any(line.startswith("= ∂L/∂v_5;1 · ∂v_5;1/∂v_4;1") for line in shown)
    assert " + … (4 more terms) …" in shown
    assert not any(line.startswith("d") for line in lines_of(viz.draw(found.paths)) if "/d" in line)


def test_a_formula_of_too_many_lines_is_cut_and_says_how_many_terms_are_left():
    loss, x = wide_net()
    h = (loss * np.arange(1.0, 6.0)).sum()
    found = tg.formula(h, x, at=(0, 0), most=60)
    lines = [
        label.text
        for label in viz.draw(found).layout.labels
        if "∂" in label.text or "…" in label.text
    ]
    sums = [line for line in lines if line.count("∂") > 8]
    terms = sum(line.count(" + ") for line in sums) + 1
    assert found.paths.count() == 60
    assert len(sums) == MOST_LINES - 1
    assert any(line.startswith(f"… ({60 - terms} more terms)") for line in lines)


def test_a_quotient_of_one_place_is_marked_and_explained():
    x = tg.tensor(0.5, requires_grad=True, name="x")
    shown = lines_of(viz.draw(tg.formula(x + tg.sin(x), x)))
    assert "= (∂L/∂x)_1 + ∂L/∂v_1 · ∂v_1/∂x = 1.88" in shown
    assert any(line.startswith("(∂u/∂w)_k: there are several ways") for line in shown)


def test_a_formula_under_a_figure_of_arrays_says_what_its_values_are():
    loss, x = residual()
    found = tg.formula(loss, x, level="tensor")
    (said,) = [line for line in lines_of(viz.draw(found)) if line.startswith("where ")]
    assert all(f"{name} = {made}" in said for name, made in found.where.items())


def test_the_legend_counts_by_an_element_of_the_figure():
    loss, x = wide_net()
    shown = lines_of(viz.draw(tg.paths(loss, x, level="scalar", at=(0, 1))))
    assert "subscripts of elements count from 1: x_2 is x[0, 1]" in shown
    assert "W_1;21: element 2, 1 of W_1" in shown


@pytest.mark.parametrize("name", ["conv-1", "a + (b", "digraph { }", "f(", "a · b", "x/y", "x^2"])
def test_names_that_hold_signs_stay_whole_in_formulas(name):
    x = tg.tensor([[0.3, 0.5]], requires_grad=True, name=name)
    shown = lines_of(viz.draw(tg.formula((tg.sin(x) * tg.exp(x)).sum(), x, at=(0, 1))))
    (line,) = [line for line in shown if line.startswith("= ")]
    assert f"dL/d{name}_2" in shown
    assert line.count(f"/∂{name}_2") == 2


def test_the_formula_of_a_chain_has_the_name_of_its_output():
    loss, x = residual()
    loss.name = "energy"
    assert any(line.startswith("∂energy/∂x = g ") for line in lines_of(viz.draw(tg.paths(loss, x))))


def test_formulas_have_a_minus_sign():
    x, y = (tg.tensor(v, requires_grad=True, name=n) for v, n in ((2.0, "x"), (3.0, "y")))
    shown = lines_of(viz.draw(tg.formula(x * y - y, y, simplify="junction")))
    assert any(line.startswith("= x − 1") for line in shown)
    assert viz.text.name("-1") == (("−1", ""),)


def test_names_with_a_formula_for_a_subscript_are_lowered_whole():
    y = tg.tensor([[0.5, 1.0]], requires_grad=True, name="y_{n-1}")
    w = tg.parameter([[1.0], [2.0]], name="w_{n-1}")
    figure = viz.draw(tg.paths(tg.relu(y @ w).sum(), w, level="scalar", at=(0, 0)))
    lines = [label for label in figure.layout.labels if label.text.startswith("= ")]
    assert lines and all(label.latex for label in lines)
    assert not any("{" in run for label in lines for run, _ in label.runs)


def test_the_formula_of_a_part_of_the_paths_is_not_that_of_all():
    F, x = chain_rule()
    m = next(node for node in tg.graph(F).nodes if node.name == "m")
    p = tg.paths(F, x)
    assert "chain rule" in texts(viz.draw(p))
    assert "chain rule" not in texts(viz.draw(p.through(p.graph.find(m.name))))


def test_elements_of_a_formula_are_called_as_in_the_picture():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    w = tg.parameter([[3.0, 4.0], [5.0, 6.0]], name="w_1")
    y = x @ w
    y.name = "y"
    shown = texts(viz.draw(tg.paths((y * y).sum(), w, level="scalar", at=(1, 0))))
    assert "dL/dw1;21" in shown and any("x2" in line for line in shown if line.startswith("= "))
    assert not any("[" in line for line in shown if line.startswith("= "))


@pytest.mark.parametrize(
    ("wrong", "mend"),
    [
        (np.ones(3), "pass the tensor that holds it"),
        (1.5, "pass the tensor that holds it"),
        (None, "pass the loss itself"),
        ("graph.json", r"tg\.load_graph"),
        (lambda: 0, "call it"),
        ([], "is empty"),
        ({}, "is empty"),
        ([1], "holds an int"),
        (object(), r"tg\.edge_flow"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_can(wrong, mend):
    with pytest.raises(FigureError, match=f"draw: cannot draw .*{mend}") as caught:
        viz.draw(wrong)
    assert "tg.paths(loss, x)" in str(caught.value)


def test_sets_without_the_set_that_holds_them_are_refused():
    p = tg.paths(*residual())
    for several in ([p, p.weight_free()], {"a": p.weight_free()}):
        with pytest.raises(FigureError, match="highlight="):
            viz.draw(several)
    with pytest.raises(FigureError, match="highlighted as it is"):
        viz.draw(p.top(2), highlight=p.weight_free())


@pytest.mark.parametrize("most", [0, -1, 2.5, "many", True, None])
def test_a_cap_that_is_no_number_of_nodes_is_refused(most):
    with pytest.raises(UsageError, match=re.escape(f"max_nodes={most!r}")):
        viz.draw(tg.paths(*residual()), max_nodes=most)


def test_a_cap_may_be_an_integer_of_any_kind():
    p = tg.paths(*residual())
    assert viz.draw(p, max_nodes=np.int64(7)).svg == viz.draw(p, max_nodes=7).svg


# Forward


def affine(width=2):
    rng = np.random.default_rng(1)
    x = tg.tensor(rng.uniform(0.5, 1, (1, width)), requires_grad=True, name="x")
    b = tg.parameter(rng.standard_normal(width), name="b")
    V = tg.parameter(rng.standard_normal((width, width)), name="V")
    W = tg.parameter(rng.standard_normal((width, 1)), name="W")
    ALIVE.extend([b, V, W])
    return (tg.relu(x @ V + b) @ W).sum(), x


def test_an_output_is_drawn_as_the_sum_of_its_active_paths():
    output, x = affine()
    forward = tg.forward_paths(output, x)
    figure = viz.draw(forward)
    shown = texts(figure)
    assert figure.layout.title.startswith("Forward paths (scalar level)")
    assert {
        "x",
        "b",
        viz.text.value(forward.terms["x"]),
        viz.text.value(forward.terms["b"]),
    } <= set(shown)
    rows = [text for text in shown if text.startswith(("x1 ·", "x2 ·", "b1 ·", "b2 ·"))]
    z = (
        x.numpy() @ tg.graph(output).find("V").tensor.numpy()
        + tg.graph(output).find("b").tensor.numpy()
    )
    assert len(rows) == 3 * int((z > 0).sum())
    assert f"the sum over paths, {viz.text.value(output.item())}, is the output" in shown


def test_forward_arrows_run_from_the_operand_to_the_output():
    figure = viz.draw(tg.forward_paths(*affine()))
    arrows = [curve for curve in figure.layout.curves if curve.tail]
    assert arrows and all(c.points[0][0] < c.points[-1][0] for c in arrows)
    assert not any(curve.style == "forward" for curve in figure.layout.curves)
    shown = texts(figure)
    assert not any(text.startswith("gradient, right to left") for text in shown)


def test_with_many_numbers_the_sum_stands_below_the_paths_between_arrays():
    output, x = affine(width=20)
    figure = viz.draw(tg.forward_paths(output, x))
    shown = texts(figure)
    assert "1 path" in shown and "contributes" in shown
    assert "Read forward: x " in figure.layout.description


def test_what_belongs_to_gradients_is_refused_for_forward_paths():
    output, x = affine()
    with pytest.raises(UsageError, match="gradient paths"):
        viz.draw(tg.forward_paths(output, x), widths="flow")
