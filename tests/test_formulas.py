"""Formulas: gradients in LaTeX, as strings that a person would write, and true."""

import math
import re
import string

import numpy as np
import pytest
import standin

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, GraphError, UsageError
from tinygrad_res.formulas import STEPS, Formula
from tinygrad_res.notation import clean, over, symbol, under


def named(name, tensor):
    tensor.name = name
    return tensor


def partial(y, x):
    return rf"\frac{{\partial {y}}}{{\partial {x}}}"


def by_place(y, x, k=1):
    """Return the derivative by one of the places where an operation takes an operand."""
    return rf"\left.{partial(y, x)}\right|_{{{k}}}"


def parses(latex):
    """Have matplotlib set a formula; it raises where it cannot."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    mathtext.MathTextParser("path").parse(f"${latex}$")
    return True


def fully_connected(seed=0, relu=False):
    """Return the tensors of a net with four units a layer, named as in a book."""
    rng = np.random.default_rng(seed)
    y2 = tg.tensor(rng.uniform(0.5, 1, 4), requires_grad=True, name="y_{n-2}")
    w2 = tg.parameter(rng.uniform(-1, 1, (4, 4)), name="w_{n-2}")
    w1 = tg.parameter(rng.uniform(-1, 1, (4, 4)), name="w_{n-1}")
    y1 = named("y_{n-1}", y2 @ w2)
    y = y1 @ w1
    y = named("y_n", tg.relu(named("x_n", y)) if relu else y)
    loss = named("L", ((y - 1.0) ** 2).sum())
    return y2, w2, y1, w1, y, loss


def random_program(seed, size=7):
    """Return input and loss of a random program, with parallel edges, fan-out and dead units."""
    rng = np.random.default_rng(seed)
    x = tg.tensor(rng.uniform(-1, 1, (2, 2)), requires_grad=True, name="x")
    c = tg.tensor(rng.uniform(1, 2, (2, 2)), name="c")
    values = [x]
    for k in range(size):
        a, b = (values[i] for i in rng.integers(0, len(values), 2))
        w = tg.parameter(rng.uniform(-1, 1, (2, 2)), name=f"w_{k}")
        makers = (
            lambda a=a, b=b: a + b, lambda a=a, b=b: a * b, lambda a=a, w=w: a @ w,
            lambda a=a: tg.tanh(a), lambda a=a: tg.relu(a.T), lambda a=a, b=b: a @ b,
            lambda a=a, b=b: tg.concat([a, b], 0)[1:3], lambda a=a: 3 - a / c,
            lambda a=a: a * a.mean() * 0.5, lambda a=a, b=b: tg.where(c.numpy() > 1.5, a, -b),
        )  # fmt: skip
        values.append(makers[rng.integers(len(makers))]())
        if rng.random() < 0.4:
            values[-1].name = f"h_{k}"
    return x, (values[-1] * values[-2]).mean()


# What a person writes


def test_chain_rule_of_two_variables_is_a_sum_of_two_products():
    x = tg.tensor(3.0, requires_grad=True, name="x")
    m, n = named("m", tg.exp(x)), named("n", tg.sin(x))
    formula = tg.formula(named("F", m * n), x)
    assert formula.latex() == (
        r"\frac{\partial F}{\partial m}\frac{\partial m}{\partial x} + "
        r"\frac{\partial F}{\partial n}\frac{\partial n}{\partial x}"
    )
    assert str(formula) == "dF/dx = ∂F/∂m · ∂m/∂x + ∂F/∂n · ∂n/∂x"
    assert formula.evaluate() == pytest.approx(math.exp(3) * (math.sin(3) + math.cos(3)))
    formula.check()


def test_a_weight_of_the_last_layer_is_reached_by_one_path():
    _, _, _, w1, _, loss = fully_connected()
    formula = tg.formula(loss, w1, at=(0, 0), simplify="junction")
    assert formula.paths.count() == 1
    assert formula.latex("chain") == partial("L", "y_{n}^{1}") + partial(
        "y_{n}^{1}", "w_{n-1}^{11}"
    )
    assert formula.latex("junction") == r"\frac{\partial L}{\partial y_{n}^{1}} y_{n-1}^{1}"
    assert formula.derivative.latex == r"\frac{\mathrm{d} L}{\mathrm{d} w_{n-1}^{11}}"


def test_a_weight_of_the_layer_before_is_reached_by_one_path_for_each_unit():
    _, w2, _, _, _, loss = fully_connected()
    formula = tg.formula(loss, w2, at=(0, 0), simplify="collect")
    chain = [
        partial("L", f"y_{{n}}^{{{i}}}")
        + partial(f"y_{{n}}^{{{i}}}", "y_{n-1}^{1}")
        + partial("y_{n-1}^{1}", "w_{n-2}^{11}")
        for i in (1, 2, 3, 4)
    ]
    junction = [
        rf"\frac{{\partial L}}{{\partial y_{{n}}^{{{i}}}}} w_{{n-1}}^{{1{i}}}" for i in (1, 2, 3, 4)
    ]
    assert formula.latex("chain") == " + ".join(chain)
    assert formula.latex("junction") == " + ".join(f"{term} y_{{n-2}}^{{1}}" for term in junction)
    assert formula.latex("collect") == rf"\left({' + '.join(junction)}\right) y_{{n-2}}^{{1}}"
    loss.backward()
    assert [step.name for step in formula.steps] == list(STEPS)
    for step in formula.steps:
        assert step.value == pytest.approx(w2.grad.data[0, 0], rel=1e-12)
        assert step.terms == 4


def test_at_a_junction_each_branch_carries_the_other_input():
    y2, _, y1, w1, y, _ = fully_connected()
    assert tg.formula(y[0], w1, at=(2, 0), simplify="junction").latex() == "y_{n-1}^{3}"
    assert tg.formula(y[0], y1, at=2, simplify="junction").latex() == "w_{n-1}^{31}"
    whole = [tg.formula(y1[0], y2, at=j, simplify="junction") for j in range(4)]
    assert [f.latex() for f in whole] == [f"w_{{n-2}}^{{{j}1}}" for j in (1, 2, 3, 4)]
    total = sum(f.evaluate() * v for f, v in zip(whole, y2.numpy(), strict=True))
    assert total == pytest.approx(y1.numpy()[0], rel=1e-14)


def test_relu_step_drops_dead_terms_and_says_how_many():
    _, w2, _, _, y, loss = fully_connected(relu=True)
    live = [i + 1 for i in range(4) if y.numpy()[i] > 0]
    assert 0 < len(live) < 4
    formula = tg.formula(loss, w2, at=(0, 0), simplify="relu")
    assert formula.latex() == " + ".join(
        rf"\frac{{\partial L}}{{\partial y_{{n}}^{{{i}}}}} w_{{n-1}}^{{1{i}}} y_{{n-2}}^{{1}}"
        for i in live
    )
    structural = tg.paths(loss, w2, level="scalar", at=(0, 0))
    dropped = structural.count() - structural.active().count()
    assert formula.steps[-1].dropped == dropped == 4 - len(live)
    assert f"({dropped} of 4 terms dropped: 0 by a dead unit)" in str(formula)
    assert [step.dropped for step in formula.steps[:2]] == [0, 0]
    formula.check()


def test_whole_arrays_are_multiplied_from_the_side_that_fits():
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((5, 3)), requires_grad=True, name="x")
    w1, w2 = (tg.parameter(rng.standard_normal((3, 3)), name=f"W_{k}") for k in (1, 2))
    z = named("z", x @ w1)
    y = named("y", tg.tanh(z) @ w2)
    loss = named("L", (y**2).sum())
    by_w1 = tg.formula(loss, w1, level="tensor", simplify="junction")
    by_x = tg.formula(loss, x, level="tensor", simplify="junction")
    assert by_w1.latex("chain") == partial("L", "y") + partial("y", "z") + partial("z", "W_{1}")
    inner = r"\left(\frac{\partial L}{\partial y} W_{2}^{\top} \odot \mathrm{tanh}^{\prime}\left(z\right)\right)"
    assert by_w1.latex() == rf"x^{{\top}}{inner}"
    assert by_x.latex() == rf"{inner} W_{{1}}^{{\top}}"
    g = (2 * y.numpy() @ w2.numpy().T) * (1 - np.tanh(z.numpy()) ** 2)
    np.testing.assert_allclose(by_w1.evaluate(), x.numpy().T @ g, rtol=1e-12)
    np.testing.assert_allclose(by_x.evaluate(), g @ w1.numpy().T, rtol=1e-12)
    by_w1.check()


def test_residual_blocks_collect_to_a_product_of_one_plus():
    x = h = tg.tensor(np.full(2, 0.5), requires_grad=True, name="x")
    for k in (1, 2, 3):
        f = named(f"F_{k}", tg.tanh(h * 0.5))
        h = named(f"h_{k}", h + f)
    formula = tg.formula(named("L", (h * h).sum()), x, level="tensor", simplify="collect")
    assert formula.paths.count() == 16
    tail = "".join(
        rf"\left(I + \frac{{\partial F_{{{k}}}}}{{\partial {below}}}\right)"
        for k, below in ((3, "h_{2}"), (2, "h_{1}"), (1, "x"))
    )
    assert formula.latex().endswith(tail)
    formula.check()


def test_unnamed_values_are_passed_over_unless_there_are_two_ways():
    x = tg.tensor(0.5, requires_grad=True, name="x")
    h = named("h", tg.exp(tg.sin(x)))
    assert tg.formula(h * 2, x).latex() == partial("L", "h") + partial("h", "x")
    s = tg.sin(x)
    assert tg.formula(x + s, x).latex() == by_place("L", "x") + " + " + partial(
        "L", "v_{1}"
    ) + partial("v_{1}", "x")
    assert tg.formula(x + s, x, simplify="junction").latex() == r"1 + \cos\left(x\right)"


def test_values_where_paths_part_or_meet_are_named_in_every_term():
    a = tg.tensor(2.0, requires_grad=True, name="a")
    formula = tg.formula(tg.sin(a) * tg.exp(a), a)
    assert str(formula) == (
        "dL/da = ∂L/∂v_1 · ∂v_1/∂a + ∂L/∂v_2 · ∂v_2/∂a   (v_1 = sin(a), v_2 = exp(a))"
    )
    s = tg.sin(a)
    parts = tg.formula(tg.exp(s) + tg.cos(s), a)
    assert parts.steps[-1].text == ("∂L/∂v_2 · ∂v_2/∂v_1 · ∂v_1/∂a + ∂L/∂v_3 · ∂v_3/∂v_1 · ∂v_1/∂a")
    assert parts.where == {"v_1": "sin(a)", "v_2": "exp(v_1)", "v_3": "cos(v_1)"}


def test_a_single_path_is_more_than_the_derivative_that_is_asked_for():
    x = tg.tensor(0.5, requires_grad=True, name="x")
    assert str(tg.formula(tg.exp(tg.sin(x)), x)) == ("dL/dx = ∂L/∂v_1 · ∂v_1/∂x   (v_1 = sin(x))")


@pytest.mark.parametrize("seed", range(12))
def test_a_quotient_without_a_mark_is_the_derivative_along_all_ways_between_its_ends(seed):
    x, loss = random_program(seed)
    formula = tg.formula(loss, x, at=(0, 1))
    frame, symbols = formula.paths.frame, formula._factors.symbols
    called = {symbols.node(v).text: v for v in {*frame.sources.tolist(), *frame.targets.tolist()}}
    children = {}
    for e, u in enumerate(frame.sources.tolist()):
        children.setdefault(u, []).append((int(frame.targets[e]), float(frame.derivatives[e])))

    def along(u, w):
        if u == w:
            return [1.0]
        return [d * rest for v, d in children.get(u, []) if v >= w for rest in along(v, w)]

    for term in list(formula.terms)[:10]:
        for factor in term.product.factors:
            found = re.fullmatch(r"∂(.+)/∂(.+)", factor.sign.text)
            if found:
                ways = along(called[found[1]], called[found[2]])
                assert ways == [pytest.approx(factor.value, rel=1e-9)]


def test_the_product_of_a_path_around_residual_blocks_marks_each_shortcut():
    x = h = tg.tensor(np.ones((2, 2)), requires_grad=True, name="x")
    for k in (1, 2):
        h = named(f"h_{k}", h + tg.relu(h @ tg.parameter(np.eye(2), name=f"W_{k}")))
    free, *_, deepest = sorted(tg.paths(h.sum(), x), key=lambda path: path.degree("weight"))
    assert free.latex() == (
        partial("L", "h_{2}") + by_place("h_{2}", "h_{1}") + by_place("h_{1}", "x")
    )
    assert deepest.latex() == "".join(
        partial(a, b)
        for a, b in (("L", "h_{2}"), ("h_{2}", "v_{4}"), ("v_{4}", "h_{1}"), ("h_{1}", "v_{2}"), ("v_{2}", "x"))
    )  # fmt: skip


def test_a_copy_at_a_joint_is_called_as_what_it_copies():
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((1, 2)), requires_grad=True, name="x")
    z = x @ tg.parameter(rng.standard_normal((2, 2))) + tg.parameter([1.0, 2.0], name="b")
    formula = tg.formula((tg.tanh(z) * tg.sin(z)).sum(), x, at=(0, 0))
    assert {*re.findall(r"v_\d", formula.steps[-1].text)} == {"v_1", "v_2", "v_3", "v_4"}
    assert formula.where["v_1"] == "matmul(x, W)"
    assert formula.where["v_2"] == "sin(v_5)" or formula.where["v_2"] == "tanh(v_5)"
    assert formula.where["v_5"] == "add(v_1, b)"


def test_a_value_used_twice_by_one_operation_is_told_apart_by_operand():
    x = tg.tensor(3.0, requires_grad=True, name="x")
    formula = tg.formula(x * x, x, simplify="collect")
    ratio = partial("L", "x")
    assert formula.latex("chain") == rf"\left.{ratio}\right|_{{1}} + \left.{ratio}\right|_{{2}}"
    assert formula.latex("junction") == "x + x"
    assert formula.latex("collect") == "2 x"


def test_numbers_are_multiplied_out_and_stay():
    x = tg.tensor([1.0, 2.0, 4.0], requires_grad=True, name="x")
    written = [
        tg.formula(loss, x, at=1, simplify="junction").latex()
        for loss in ((-x).sum(), (3 * x).sum(), x.mean(), (x * 0.1).sum(), (x - 2 * x).sum())
    ]
    assert written == ["-1", "3", r"\frac{1}{3}", "0.1", "1 - 2"]
    assert tg.formula((x - x).sum(), x, at=0, simplify="collect").latex() == "0"
    assert tg.formula((x / x[0]).sum(), x, at=1, simplify="junction").terms[0].value == 1


def test_elements_of_large_arrays_have_commas_between_their_indices():
    w = tg.parameter(np.ones((12, 3)), name="w")
    loss = (tg.tanh(w) * 2).sum()
    assert tg.formula(loss, w, at=(10, 0)).latex().endswith(partial("v_{1}^{11,1}", "w^{11,1}"))
    by_first = tg.formula(loss, w, at=(0, 0), first_index=0)
    assert by_first.latex().endswith(partial("v_{1}^{0,0}", "w^{0,0}"))
    assert tg.formula(loss, w, at=(-1, 2)).derivative.text == "dL/dw[12,3]"


# Factors in common


def net(outputs=2, batch=1, named_hidden=False):
    """Return x, W, V and the loss of a layer of tanh units without a name, and the units."""
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((batch, 3)), requires_grad=True, name="x")
    w = tg.parameter(rng.standard_normal((3, 3)), name="W")
    v = tg.parameter(rng.standard_normal((3, outputs)), name="V")
    h = tg.tanh(x @ w)
    if named_hidden:
        h.name = "h"
    return x, w, v, h, (h @ v).sum()


def test_factors_in_common_are_taken_out_though_no_joint_has_a_name():
    _, w, _, _, loss = net()
    formula = tg.formula(loss, w, at=(0, 0), simplify="collect")
    assert str(formula) == (
        "dL/dW[1,1] = (V[1,1] + V[1,2]) · tanh'(v_1[1,1]) · x[1,1]   (v_1 = matmul(x, W))"
    )
    formula.check()


def test_terms_are_grouped_by_the_factor_that_most_of_them_have():
    x, *_, loss = net()
    formula = tg.formula(loss, x, at=(0, 1), simplify="collect")
    assert formula.steps[-1].text == " + ".join(
        f"(V[{i},1] + V[{i},2]) · tanh'(v_1[1,{i}]) · W[2,{i}]" for i in (1, 2, 3)
    )


def test_a_factor_of_all_terms_is_written_once_where_terms_are_left_out():
    _, w, _, _, loss = net(outputs=20)
    text = tg.formula(loss, w, at=(0, 0), simplify="collect", most=4).steps[-1].text
    assert text.startswith("(V[1,1] + V[1,2] + V[1,3] + ... (16 more terms) ... + V[1,20]) · ")
    assert (text.count("x[1,1]"), text.count("tanh'")) == (1, 1)


def test_coefficients_in_common_are_taken_out():
    a, b, c = (
        tg.tensor(k, requires_grad=True, name=n) for k, n in ((2.0, "a"), (3.0, "b"), (5.0, "c"))
    )
    u, v = named("u", a * b), named("v", a * c)
    written = [
        tg.formula(loss, a, simplify="collect").steps[-1].text
        for loss in (0.5 * (u - v), 3 * u + 3 * v, u + 2 * v, -u - v)
    ]
    assert written == ["0.5 · (b - c)", "3 · (b + c)", "b + 2 · c", "-b - c"]


def calculated(formula):
    """Return the text of a formula calculated with the values of its factors."""
    signs = {f.sign.text: f.value for term in formula.terms for f in term.product.factors}
    text, places = formula.steps[-1].text, []
    for sign in sorted(signs, key=len, reverse=True):
        text = text.replace(sign, f"@{len(places)}@")
        places.append(signs[sign])
    text = re.sub(r"@(\d+)@", lambda found: f"({places[int(found[1])]!r})", text)
    return eval(text.replace("·", "*").replace("^", "**"))


@pytest.mark.parametrize("seed", range(20))
def test_the_text_of_a_collected_formula_comes_to_the_gradient(seed):
    x, loss = random_program(seed, size=5)
    loss.backward()
    for at in ((0, 0), (1, 1)):
        for step in ("relu", "collect"):
            formula = tg.formula(loss, x, at=at, simplify=step, most=200)
            if "more" not in formula.steps[-1].text:
                assert calculated(formula) == pytest.approx(x.grad.data[at], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_collecting_makes_no_formula_longer(seed):
    x, loss = random_program(seed, size=5)
    formula = tg.formula(loss, x, at=(0, 1), simplify="collect", most=200)
    before, after = (formula.steps[k].text for k in (-2, -1))
    assert "more" in before or len(after) <= len(before)


def test_an_expression_of_many_terms_says_how_many_to_show():
    _, w, _, _, loss = net(outputs=8, batch=8)
    formula = tg.formula(loss, w, at=(0, 0), simplify="collect", most=6)
    with pytest.raises(UsageError, match=r"not all of 64 terms .*: raise most= to 64$"):
        formula.sympy()
    pytest.importorskip("sympy")
    whole = tg.formula(loss, w, at=(0, 0), simplify="collect", most=64)
    assert float(whole.sympy().subs(whole.values())) == pytest.approx(whole.evaluate())


# What edges carry

y = 1.3
FUNCTIONS = [
    (lambda y: y**2, "2 · y"), (tg.square, "2 · y"), (lambda y: y * y, "2 · y"),
    (lambda y: y**3, "3 · y^2"), (lambda y: y**0.5, "0.5 · y^-0.5"), (lambda y: y**-1, "-y^-2"),
    (lambda y: y**1, "1"), (lambda y: (y + 0.0) ** 0 + y, "1"),
    (tg.exp, "exp(y)"), (tg.expm1, "exp(y)"), (tg.log, "1/y"), (tg.log1p, "1/(1 + y)"),
    (tg.sqrt, "0.5 · 1/sqrt(y)"), (tg.reciprocal, "-1/y^2"), (tg.sin, "cos(y)"),
    (tg.cos, "-sin(y)"), (tg.sinh, "cosh(y)"), (tg.cosh, "sinh(y)"), (lambda y: -y, "-1"),
    (lambda y: 2 - y, "-1"), (lambda y: 0.25 * y, "0.25"), (lambda y: y / 3, "1/3"),
    (lambda y: 1 / y, "-1/y^2"), (lambda y: -2.5 / y, "2.5 · 1/y^2"), (lambda y: 0 / y, "0"),
    (lambda y: y * y / y, "1/y · y + 1/y · y - v_1/y^2"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "text"), FUNCTIONS)
def test_a_derivative_that_a_book_has_is_written_out(function, text):
    x = tg.tensor(y, requires_grad=True, name="y")
    formula = tg.formula(function(x), x, simplify="relu" if "v_1" in text else "collect")
    formula.check()
    assert formula.steps[-1].text == text
    assert parses(formula.latex())
    names = {**vars(math), "y": y, "v_1": y * y}
    slope = (function(y + 1e-6) - function(y - 1e-6)) / 2e-6
    found = eval(text.replace("·", "*").replace("^", "**"), names)
    assert found == pytest.approx(float(tg.tensor(slope).numpy()), rel=1e-8)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (tg.tanh, "1 - h^2"), (tg.sigmoid, "h · (1 - h)"), (tg.exp, "h"), (tg.sqrt, "0.5 · 1/h"),
        (tg.reciprocal, "-h^2"), (tg.tan, "1 + h^2"),
    ],
)  # fmt: skip
def test_a_derivative_is_written_in_the_output_where_that_has_a_name(function, text):
    x = tg.tensor(y, requires_grad=True, name="y")
    h = named("h", function(x))
    formula = tg.formula(h * 1.0, x, simplify="collect")
    formula.check()
    assert formula.steps[-1].text == text
    h = h.item()
    assert eval(text.replace("·", "*").replace("^", "**"), {"h": h}) == pytest.approx(
        formula.evaluate(), rel=1e-12
    )
    assert parses(
        tg.formula(named("h", function(x.reshape((1,))))[0] * 3, x, simplify="relu").latex()
    )


@pytest.mark.parametrize("function", [tg.tanh, tg.sigmoid, tg.softplus, tg.leaky_relu, tg.relu])
def test_an_activation_whose_output_has_no_name_is_primed(function):
    x = tg.tensor([y], requires_grad=True, name="z")
    formula = tg.formula(function(x).sum(), x, at=0, simplify="junction")
    name = function.__name__ if hasattr(function, "__name__") else str(function)
    assert formula.steps[-1].text.endswith("'(z[1])"), name
    assert r"^{\prime}\left(z^{1}\right)" in formula.latex()
    assert parses(formula.latex())


def test_a_named_hidden_layer_has_its_derivative_in_parentheses():
    _, w, _, _, loss = net(named_hidden=True)
    formula = tg.formula(loss, w, at=(0, 0), simplify="collect")
    assert formula.latex() == (
        r"\left(V^{11} + V^{12}\right)\left(1 - \left(h^{11}\right)^{2}\right) x^{11}"
    )
    formula.check()
    whole = tg.formula(loss, w, level="tensor", simplify="collect")
    assert whole.latex().endswith(r" V^{\top} \odot \left(1 - h^{2}\right)\right)")


def test_a_quotient_carries_both_of_its_operands():
    a, b = (tg.tensor([v, 1.0], requires_grad=True, name=n) for v, n in ((2.0, "a"), (4.0, "b")))
    formula = tg.formula((a / b).sum(), b, at=0, simplify="junction")
    assert formula.latex() == r"-\frac{a^{1}}{\left(b^{1}\right)^{2}}"
    assert formula.evaluate() == pytest.approx(-2 / 16)
    long = tg.formula((np.array([1 / 3, math.pi]) / b).sum(), b, at=0, simplify="junction")
    assert long.steps[-1].text == "∂v_1[1]/∂b[1]"
    short = tg.formula((np.array([0.1, 7.0]) / b).sum(), b, at=1, simplify="junction")
    assert short.steps[-1].text == "-7 · 1/b[2]^2"


def test_plain_data_is_a_symbol_of_its_own():
    _, w, v, _, _ = net()
    data = np.random.default_rng(5).standard_normal((2, 3))
    formula = tg.formula(tg.tanh(data @ w).sum(), w, at=(1, 2), simplify="collect")
    assert formula.steps[-1].text == ("tanh'(v_1[1,3]) · x[1,2] + tanh'(v_1[2,3]) · x[2,2]")
    found = {f.sign.text: f.value for t in formula.terms for f in t.product.factors}
    assert [found["x[1,2]"], found["x[2,2]"]] == pytest.approx(data[:, 1])
    formula.check()
    named_too = tg.tensor(data, requires_grad=True, name="x")
    loss = ((data @ w + named_too @ w) @ v + (data * 2) @ w @ v + data @ (w @ v)).sum()
    text = tg.formula(loss, w, at=(0, 0), simplify="junction", most=40).steps[-1].text
    assert {*re.findall(r"x\w*\[", text)} == {"x[", "x_1[", "x_2["}
    assert tg.formula(tg.tanh(data @ w).sum(), w, level="tensor", simplify="junction").latex() == (
        r"x^{\top}\left(" + partial("L", "v_{2}")
        + r" \odot \mathrm{tanh}^{\prime}\left(v_{1}\right)\right)"
    )  # fmt: skip


def test_a_plain_factor_is_its_number_and_a_long_one_a_symbol():
    pytest.importorskip("sympy", reason="formulas as expressions")
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="x")
    factors = np.array([0.25, math.pi])
    formula = [
        tg.formula((x * factors).sum(), x, at=at, simplify="junction") for at in ((1, 0), (1, 1))
    ]
    assert [f.steps[-1].text for f in formula] == ["0.25", "c[2]"]
    assert formula[1].values() == pytest.approx({**dict.fromkeys(formula[1].values(), math.pi)})
    stretched = tg.formula((x * factors[:, None] / factors).sum(), x, at=(1, 1), simplify="relu")
    assert stretched.steps[-1].text == "1/c_2[2] · c_1[2,1]"
    stretched.check()


@pytest.mark.parametrize(
    ("copy", "texts"),
    [
        (lambda v: v.T, ("V[1,1]", "V[1,2]", "V[1,3]")),
        (lambda v: v[::-1].T, ("V[2,1]", "V[2,2]", "V[2,3]")),
        (lambda v: v.reshape((3, 2)), ("V[1,1]", "V[1,3]", "V[2,2]")),
        (lambda v: tg.concat([v[:1], v], 0).T[:, 1:], ("V[1,1]", "V[1,2]", "V[1,3]")),
        (lambda v: tg.broadcast_to(v[0, 1], (3, 1)), ("V[1,2]",) * 3),
        (lambda v: named("U", v.T), ("U[1,1]", "U[2,1]", "U[3,1]")),
        (lambda v: tg.pad(v.T, ((1, 0), (0, 0)))[:3], ("v_2", "V[1,1]", "V[1,2]")),
    ],
)
def test_an_element_of_a_copy_is_the_element_that_it_copies(copy, texts):
    x = tg.tensor([[1.0, 2.0, 3.0]], requires_grad=True, name="x")
    for kind in (tg.parameter, lambda a, name: tg.tensor(a, requires_grad=True, name=name)):
        v = kind(np.arange(1.0, 7).reshape(2, 3) / 7, name="V")
        loss = (x @ copy(v))[0, 0]
        for i, text in enumerate(texts):
            formula = tg.formula(loss, x, at=(0, i), simplify="junction")
            assert formula.steps[-1].text.startswith(text)
            formula.check()
            named_values = {f"V[{i + 1},{j + 1}]": a for (i, j), a in np.ndenumerate(v.numpy())}
            if text in named_values:
                assert formula.evaluate() == named_values[text]


def test_an_element_of_a_frozen_weights_copy_is_the_weights():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    w = tg.parameter([[0.1, 0.2], [0.3, 0.4]], name="W")
    w.requires_grad = False
    formula = tg.formula((x @ w.T)[0, 1], x, at=(0, 0), simplify="junction")
    assert (formula.steps[-1].text, formula.evaluate()) == ("W[2,1]", 0.3)


def test_whole_arrays_undo_a_transpose():
    x = tg.tensor(np.ones((1, 3)), requires_grad=True, name="x")
    u = tg.parameter(np.ones((2, 3)), name="U")
    formula = tg.formula((x @ u.T).sum(), x, level="tensor", simplify="collect")
    assert formula.latex() == partial("L", "v_{1}") + " U"
    formula.check()


# Names


def test_indices_can_be_subscripts():
    _, w, _, _, loss = net(named_hidden=True)
    formula = tg.formula(loss, w, at=(0, 1), simplify="collect", indices="subscript")
    assert formula.latex() == (
        r"\left({V}_{21} + {V}_{22}\right)\left(1 - {h}_{12}^{2}\right){x}_{11}"
    )
    assert formula.derivative.latex.endswith("{W}_{12}}")
    assert parses(formula.latex())
    assert formula.steps[-1].text.endswith("x[1,1]")


def test_no_two_values_share_a_symbol():
    a, b = (tg.parameter(2.0, name="w") for _ in "ab")
    c, d = tg.parameter(2.0), tg.parameter(3.0)
    e = tg.parameter(3.0, name="W_1")
    loss = a * b * c * d * e
    texts = [tg.formula(loss, t).derivative.latex for t in (a, b, c, d, e)]
    assert [re.search(r"d\} ([^L]*)\}$", t)[1] for t in texts] == [
        "w_{(1)}", "w_{(2)}", "W_{2}", "W_{3}", "W_{1}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("conv1.weight", r"W_{\mathrm{conv}1}"), ("a.0.bias", "b_{a.0}"),
        ("a b.weight", r"\mathrm{a\ b.weight}"),
        ("w_{n-1}", "w_{n-1}"), ("W_10", "W_{10}"), ("h_out", r"h_{\mathrm{out}}"), ("γ", r"\gamma"),
        ("α_1", r"\alpha_{1}"), ("x'", r"x^{\prime}"), ("my_layer", r"\mathrm{my{\_}layer}"),
        (r"\theta", r"\theta"), (r"\omega_1'", r"\omega_{1}^{\prime}"), ("ϵ", r"\epsilon"),
        (r"\thetas", r"\mathrm{{\backslash}thetas}"), ("a\\pi", r"\mathrm{a{\backslash}pi}"),
        ("50% #1", r"\mathrm{50{\%}\ {\#}1}"), ("é", r"\acute{e}"), ("重", r"\mathrm{U{+}91CD}"),
    ],
)  # fmt: skip
def test_names_become_mathematics_or_upright_text(name, latex):
    assert symbol(name) == latex


def test_any_name_can_be_set():
    rng = np.random.default_rng(0)
    letters = [*string.printable, *"éγ日′…∂🎉\u202e\x00"]
    for _ in range(150):
        letters_drawn = "".join(rng.choice(letters, rng.integers(1, 9)))
        name = clean(letters_drawn if rng.random() < 0.7 else f"x_{{{letters_drawn}}}")
        if name:
            latex = symbol(name)
            assert parses(f"{over(latex)}^{{11}}{under(latex)}_{{(2)}}"), name


def test_names_of_any_kind_come_through_whole_formulas():
    for name in ("50% & more_", "\\frac{", "$x$", "a\nb", "重み", "x" * 99, "'", "W^{(2)}"):
        x = tg.tensor([1.0, 2.0], requires_grad=True, name=name)
        formula = tg.formula((tg.sin(x) * x).sum(), x, at=0, simplify="collect")
        assert all(parses(step.latex) for step in formula.steps)
        assert parses(formula.derivative.latex)
        assert formula._repr_latex_().startswith(r"$\displaystyle \frac{\mathrm{d} L}")


# Values


@pytest.mark.parametrize("seed", range(25))
def test_every_step_of_random_formulas_keeps_the_value(seed):
    x, loss = random_program(seed)
    loss.backward()
    for at in ((0, 0), (1, 0)):
        formula = tg.formula(loss, x, at=at, simplify="collect", most=40)
        formula.check()
        for step in formula.steps:
            assert step.value == pytest.approx(x.grad.data[at], rel=1e-9, abs=1e-12)
    whole = tg.formula(loss, x, level="tensor", simplify="collect")
    whole.check()
    for step in whole.steps:
        np.testing.assert_allclose(step.value, x.grad.data, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_every_step_of_random_formulas_can_be_set(seed):
    x, loss = random_program(seed, size=5)
    for level, at in (("scalar", (1, 1)), ("tensor", None)):
        formula = tg.formula(loss, x, at=at, level=level, simplify="collect", most=4)
        assert all(parses(step.latex) for step in formula.steps)


@pytest.mark.parametrize("seed", range(6))
def test_values_agree_with_finite_differences(seed):
    _, w2, _, _, _, loss = fully_connected(seed, relu=True)

    def run(shift):
        rng = np.random.default_rng(seed)
        y2, w2, w1 = rng.uniform(0.5, 1, 4), rng.uniform(-1, 1, (4, 4)), rng.uniform(-1, 1, (4, 4))
        w2[1, 2] += shift
        return ((np.maximum(y2 @ w2 @ w1, 0) - 1) ** 2).sum()

    slope = (run(1e-6) - run(-1e-6)) / 2e-6
    assert tg.formula(loss, w2, at=(1, 2), simplify="relu").evaluate() == pytest.approx(
        slope, rel=1e-6
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_sum_has_one_term_for_each_path_and_no_two_alike(seed):
    x, loss = random_program(seed)
    for formula in (tg.formula(loss, x, at=(0, 1)), tg.formula(loss, x, level="tensor")):
        terms = list(formula.terms)
        assert len(terms) == len(formula.terms) == formula.paths.count()
        assert len({term.latex for term in terms}) == len(terms)
        assert [t.path for t in formula.terms[:2]] == [t.path for t in terms[:2]]
        for term in terms[:20]:
            assert term.latex == term.path.latex()
            np.testing.assert_allclose(term.value, term.path.product(), rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_other_operands_are_the_elements_that_their_indices_say(seed):
    x, loss = random_program(seed)
    arrays = {n.name: n.tensor.numpy() for n in tg.graph(loss).nodes if n.tensor is not None}
    formula = tg.formula(loss, x, at=(1, 0), simplify="junction")
    for term in formula.terms[:200]:
        for factor in term.product.factors:
            found = re.fullmatch(r"(\w+)\[(\d),(\d)\]", factor.sign.text)
            if found and found[1] in arrays:
                value = arrays[found[1]][int(found[2]) - 1, int(found[3]) - 1]
                assert factor.value == pytest.approx(value, rel=1e-12)


def test_stretched_operands_keep_their_own_indices():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    b = tg.tensor([1.0, 2.0, 3.0], name="b")
    c = tg.tensor([[4.0], [5.0]], name="c")
    formula = tg.formula((x * b * c / b).sum(), x, at=(1, 2), simplify="junction")
    assert formula.latex() == r"\frac{1}{b^{3}} c^{21} b^{3}"
    assert [f.value for f in formula.terms[0].product.factors] == pytest.approx([1 / 3, 5, 3])


def test_factors_are_what_their_symbols_say():
    sympy = pytest.importorskip("sympy")
    y2, w2, _, w1, y, loss = fully_connected(3)
    expression = tg.formula(loss, w2, at=(1, 2), simplify="collect").sympy()
    values = {}
    for base, array in (("w_{n-1}", w1), ("y_{n-2}", y2)):
        for place, value in np.ndenumerate(array.numpy()):
            values[f"{base}^{{{''.join(str(i + 1) for i in place)}}}"] = value
    for i, value in enumerate(2 * (y.numpy() - 1)):
        values[partial("L", f"y_{{n}}^{{{i + 1}}}")] = value
    found = expression.subs({sympy.Symbol(name): value for name, value in values.items()})
    loss.backward()
    assert float(found) == pytest.approx(w2.grad.data[1, 2], rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_collecting_factors_changes_no_expression(seed):
    sympy = pytest.importorskip("sympy")
    x, loss = random_program(seed, size=5)
    formula = tg.formula(loss, x, at=(1, 1), simplify="collect", most=60)
    before, after = formula.sympy("relu"), formula.sympy("collect")
    assert sympy.expand(before - after) == 0
    found = after.subs(formula.values())
    assert float(found) == pytest.approx(formula.evaluate(), rel=1e-9, abs=1e-12)


def test_dead_terms_are_the_structural_paths_that_are_not_active():
    rng = np.random.default_rng(4)
    x = tg.tensor(rng.uniform(0.5, 1, 3), requires_grad=True, name="x")
    h = x
    for _ in range(3):
        h = tg.relu(h @ tg.parameter(rng.uniform(-1, 1, (3, 3))))
    loss = (h * np.array([1.0, 2.0, 3.0])).sum()
    paths = tg.paths(loss, x, level="scalar", at=0)
    dropped = tg.formula(loss, x, at=0, simplify="relu").steps[-1].dropped
    assert dropped == paths.count() - paths.active().count() > 0


def test_check_sees_a_missing_path():
    x = tg.tensor(2.0, requires_grad=True, name="x")
    s = tg.sin(x)
    whole = tg.formula(x * s, x, simplify="relu")
    whole.check()
    part = Formula(whole.paths.avoiding(s), STEPS[:1], 8, 1)
    with pytest.raises(GradientError, match=r"after step 'chain' is 0\.909.*, and should be 0\.07"):
        part.check()


def test_formulas_of_single_precision_pass_their_check():
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.standard_normal(3).astype("f4"), requires_grad=True, name="x")
    for _ in range(3):
        h = tg.relu(h @ tg.parameter(rng.standard_normal((3, 3)).astype("f4"))) * 0.1 + h
    formula = tg.formula(h.mean(), x, at=0, simplify="collect", most=50)
    formula.check()
    assert "0.1 W" in formula.latex()
    tg.formula(h.mean(), x, level="tensor", simplify="collect").check()


def test_formulas_of_device_arrays_are_those_of_host_arrays(standing_in):
    rng = np.random.default_rng(0)
    numbers = [rng.standard_normal(shape) for shape in ((2, 3), (3, 3), (3, 2))]

    def steps(place):
        x, w1, w2 = (
            tg.tensor(place(v), requires_grad=True, name=n)
            for v, n in zip(numbers, ("x", "w_1", "w_2"), strict=True)
        )
        loss = (tg.relu(x @ w1) @ w2 * 2).mean()
        formulas = [
            tg.formula(loss, w1, at=(0, 1), simplify="collect"),
            tg.formula(loss, w1, level="tensor", simplify="relu"),
        ]
        for formula in formulas:
            formula.check()
        return [(step.latex, step.dropped) for formula in formulas for step in formula.steps]

    assert steps(standing_in.asarray) == steps(np.asarray)
    assert {t.method for t in standin.transfers} == {"get"}  # a formula is for people to look at
    standin.transfers.clear()


# Many terms


def test_long_sums_show_both_ends_and_count_the_rest():
    x = h = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(54):
        h = h + 0.5 * tg.sin(h)
    formula = tg.formula(named("L", h), x, simplify="collect", most=4)
    assert rf"\underset{{{2**54 - 4}\ \mathrm{{more\ terms}}}}{{\cdots}}" in formula.latex("chain")
    assert f"... ({2**54 - 4} more terms) ..." in formula.steps[0].text
    assert len(re.findall(r"(?:^| \+ )\\(?:left|frac)", formula.latex("chain"))) == 4
    assert formula.terms[2**54 - 1].path == formula.paths[-1]
    h.backward()
    for step in formula.steps:
        assert step.value == pytest.approx(x.grad.data, rel=1e-12)
        assert step.terms == 2**54
    collected = formula.latex("collect")
    assert collected.count(r"\left(1 + \frac") == 53
    assert collected.endswith(r"\left(1 + 0.5\cos\left(x\right)\right)")
    assert "more" not in collected


def test_astronomical_numbers_of_terms_are_written_in_powers():
    x = h = tg.tensor(0.5, requires_grad=True, name="x")
    for _ in range(15_000):
        h = h + tg.relu(-h)
    formula = tg.formula(h, x, level="tensor", simplify="junction", most=2)
    assert r"\underset{2^{15000} - 2\ \mathrm{more\ terms}}{\cdots}" in formula.latex()
    assert formula.steps[-1].terms == 2**15_000
    dropped = tg.formula(h, x, level="tensor", simplify="relu", most=2)
    assert str(dropped) == "dL/dx = 1   (2^15000 - 1 of 2^15000 terms dropped: 0 by a dead unit)"


def test_ratios_of_astronomical_numbers_are_written_as_what_they_are_about():
    x = h = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(2000):
        h = h * 1.001
    formula = tg.formula(h, x, simplify="collect")
    assert str(formula) == "dL/dx = about 7.38 · 10^0"
    assert formula.evaluate() == pytest.approx(1.001**2000)
    for _ in range(300):
        h = h * 0.007
    assert str(tg.formula(h, x, simplify="collect")) == "dL/dx = about 2.50 · 10^-646"


def test_equal_terms_add_up_to_their_number():
    x = h = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(54):
        h = h + h
    assert tg.formula(h, x, simplify="collect").latex() == "2^{54}"
    assert tg.formula(h, x, simplify="collect").evaluate() == 2.0**54


def test_wide_nets_collect_to_a_bounded_text_with_the_whole_value():
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal(9), requires_grad=True, name="x")
    h = x
    for _ in range(6):
        h = tg.tanh(h @ tg.parameter(rng.standard_normal((9, 9)) / 3))
    formula = tg.formula((h * rng.standard_normal(9)).sum(), x, at=0, simplify="collect", most=3)
    assert len(formula.latex()) < 60_000
    assert "more" in formula.latex()
    formula.check()


def test_terms_say_how_many_they_are():
    x = h = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(54):
        h = h + h
    formula = tg.formula(h, x, simplify="junction")
    assert repr(formula.terms) == "<2^54 terms: 1, 1, ..., 1>"
    assert repr(tg.formula(x * x, x, simplify="junction").terms) == "<2 terms: x, x>"


def test_numbers_that_would_overflow_on_the_way_do_not():
    x = h = tg.tensor(0.0, requires_grad=True, name="x")
    for _ in range(1_200):
        h = (h + h) * (1 + 1e-9) * 0.5
    formula = tg.formula(h, x, simplify="collect")
    assert formula.evaluate() == pytest.approx(1 + 1.2e-6, rel=1e-9)


def test_long_chains_need_no_recursion():
    x = h = tg.tensor(0.5, requires_grad=True, name="x")
    for k in range(2_000):
        h = h + 0.0001 * h if k % 2 else tg.sin(h)
    formula = tg.formula(h, x, simplify="collect", most=2)
    h.backward()
    assert formula.evaluate("chain") == pytest.approx(x.grad.data, rel=1e-9)
    assert formula.evaluate() == pytest.approx(x.grad.data, rel=1e-9)
    assert r"\mathrm{d}" in formula.latex()


# Terms of paths at any level


def test_a_path_writes_itself_at_both_levels():
    _, w2, _, _, _, loss = fully_connected()
    path = tg.paths(loss, w2, level="scalar")[0]
    assert path.latex() == (
        partial("L", "y_{n}^{1}") + partial("y_{n}^{1}", "y_{n-1}^{1}")
        + partial("y_{n-1}^{1}", "w_{n-2}^{11}")
    )  # fmt: skip
    assert path.latex(first_index=0).endswith("w_{n-2}^{00}}")
    assert tg.paths(loss, w2)[0].latex() == (
        partial("L", "y_{n}") + partial("y_{n}", "y_{n-1}") + partial("y_{n-1}", "w_{n-2}")
    )


def test_a_path_from_an_array_begins_with_its_cotangent():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = named("y", tg.sin(x))
    for level in ("tensor", "scalar"):
        path = tg.paths(y, x, cotangent=np.array([2.0, 3.0]), level=level)[0]
        sign = "y" if level == "tensor" else "y^{1}"
        assert path.latex() == rf"\bar{{{sign}}}" + partial(sign, sign.replace("y", "x"))


def test_the_cotangent_of_an_array_without_a_name_is_a_factor_of_its_own():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    path = tg.paths(tg.sin(x), x, cotangent=np.array([2.0, 3.0]), level="scalar")[1]
    sine = "v_{1}^{2}"
    assert path.latex() == rf"\bar{{{sine}}}" + partial(sine, "x^{2}")


def test_paths_of_a_part_use_the_symbols_of_the_whole():
    x = tg.tensor(0.5, requires_grad=True, name="x")
    s = tg.sin(x)
    loss = x + s
    part = tg.paths(loss, x).avoiding(s)
    assert [p.latex() for p in part] == [by_place("L", "x")]
    assert tg.paths(loss, x).through(s)[0].latex().startswith(partial("L", "v_{1}"))


# Bad input


def test_what_cannot_be_written_is_refused_with_a_mend():
    _, w2, _, _, y, loss = fully_connected()
    stranger = tg.tensor(1.0, requires_grad=True, name="z")
    cases = [
        (lambda: tg.formula(loss, stranger), GraphError, "tensor 'z' is not in the graph of"),
        (lambda: tg.formula(loss, w2), UsageError, "16 elements: give at="),
        (lambda: tg.formula(y, w2, at=(0, 0)), UsageError, "take one, as in y"),
        (lambda: tg.formula(loss, w2, at=(4, 0)), UsageError, "shape .4, 4.: index 4 is out"),
        (lambda: tg.formula(loss, w2, at=0), UsageError, "give one index per axis"),
        (lambda: tg.formula(loss, w2, (0, 0), "jnction"), UsageError, "chain, junction, relu"),
        (lambda: tg.formula(loss, w2, (0, 0), ()), UsageError, "use some of chain"),
        (lambda: tg.formula(loss, w2, (0, 0), most=1), UsageError, "most"),
        (lambda: tg.formula(loss, w2, (0, 0), level="scope"), UsageError, "'scalar' or 'tensor'"),
        (lambda: tg.formula(loss, w2, (0, 0), level="tensor"), UsageError, "level='scalar'"),
        (lambda: tg.formula(loss, w2.numpy()), GraphError, "w: expected a tensor, got ndarray"),
        (lambda: tg.formula(loss, tg.tensor([1])), (GradientError, GraphError), "gradient"),
        (lambda: tg.formula(loss, w2, (0, 0)).latex("relu"), UsageError, "has the steps chain"),
        (lambda: tg.formula(loss, w2, level="tensor").sympy(), UsageError, "level='scalar' and at="),
        (lambda: tg.formula(loss, w2, (0, 0), most=2).sympy(), UsageError, "not all of 4 .* most= to 4"),
        (lambda: tg.formula(loss, w2, (0, 0), indices="under"), UsageError, "or 'subscript'"),
    ]  # fmt: skip
    for call, kind, message in cases:
        with pytest.raises(kind, match=message):
            call()


def test_without_sympy_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sympy", None)
    x = tg.tensor(1.0, requires_grad=True, name="x")
    with pytest.raises(UsageError, match=r"pip install '\.\[formulas\]'"):
        tg.formula(tg.sin(x), x).sympy()


def test_a_tensor_that_the_loss_does_not_depend_on_smoothly_has_the_formula_zero():
    x = tg.tensor([1.0, -1.0], requires_grad=True, name="x")
    dead = tg.formula(tg.relu(x)[1], x, at=1, simplify="collect")
    assert (dead.latex("relu"), dead.latex(), dead.evaluate()) == ("0", "0", 0.0)
    assert type(dead.evaluate()) is float
    assert repr(dead.terms) == "<0 terms>"
    assert str(dead) == "dL/dx[2] = 0   (1 of 1 terms dropped: 0 by a dead unit)"
    crossed = tg.formula(tg.sin(x)[0], x, at=1)
    assert (crossed.latex(), crossed.evaluate()) == ("0", 0.0)
    crossed.check()
