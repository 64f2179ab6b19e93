"""Formulas: gradients in LaTeX, as strings that a person would write, and true."""

import math
import re
import string

import numpy as np
import pytest
import standin

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, GraphError, UsageError
from tinygrad_res.formula import STEPS, Formula
from tinygrad_res.notation import clean, over, symbol, under


def named(name, tensor):
    tensor.name = name
    return tensor


def partial(y, x):
    return rf"\frac{{\partial {y}}}{{\partial {x}}}"


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
    assert tg.formula(tg.exp(tg.sin(x)), x).latex() == partial("L", "x")
    s = tg.sin(x)
    assert tg.formula(x + s, x).latex() == partial("L", "x") + " + " + partial(
        "L", r"\mathrm{sin}"
    ) + partial(r"\mathrm{sin}", "x")
    assert tg.formula(x + s, x, simplify="junction").latex() == "1 + " + partial(
        r"\mathrm{sin}", "x"
    )


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
    assert tg.formula(loss, w, at=(10, 0)).latex() == partial("L", "w^{11,1}")
    assert tg.formula(loss, w, at=(0, 0), first_index=0).latex() == partial("L", "w^{0,0}")
    assert tg.formula(loss, w, at=(-1, 2)).derivative.text == "dL/dw[12,3]"


# Names


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
        ("w_{n-1}", "w_{n-1}"), ("W_10", "W_{10}"), ("h_out", r"h_{\mathrm{out}}"), ("γ", r"\gamma"),
        ("α_1", r"\alpha_{1}"), ("x'", r"x^{\prime}"), ("my_layer", r"\mathrm{my{\_}layer}"),
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
    assert len(re.findall(r"(?:^| \+ )\\frac", formula.latex("chain"))) == 4
    assert formula.terms[2**54 - 1].path == formula.paths[-1]
    h.backward()
    for step in formula.steps:
        assert step.value == pytest.approx(x.grad.data, rel=1e-12)
        assert step.terms == 2**54
    collected = formula.latex("collect")
    assert collected.count(r"\left(1 + \frac") == 54
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
    sine = r"\mathrm{sin}^{2}"
    assert path.latex() == rf"\bar{{{sine}}}" + partial(sine, "x^{2}")


def test_paths_of_a_part_use_the_symbols_of_the_whole():
    x = tg.tensor(0.5, requires_grad=True, name="x")
    s = tg.sin(x)
    loss = x + s
    part = tg.paths(loss, x).avoiding(s)
    assert [p.latex() for p in part] == [partial("L", "x")]
    assert tg.paths(loss, x).through(s)[0].latex().startswith(partial("L", r"\mathrm{sin}"))


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
        (lambda: tg.formula(loss, w2, (0, 0), most=2).sympy(), UsageError, "only 2 of 4 terms"),
    ]  # fmt: skip
    for call, kind, message in cases:
        with pytest.raises(kind, match=message):
            call()


def test_without_sympy_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sympy", None)
    x = tg.tensor(1.0, requires_grad=True, name="x")
    with pytest.raises(UsageError, match=r"pip install 'tinygrad-res\[formulas\]'"):
        tg.formula(tg.sin(x), x).sympy()


def test_a_tensor_that_the_loss_does_not_depend_on_smoothly_has_the_formula_zero():
    x = tg.tensor([1.0, -1.0], requires_grad=True, name="x")
    dead = tg.formula(tg.relu(x)[1], x, at=1, simplify="collect")
    assert (dead.latex("relu"), dead.latex(), dead.evaluate()) == ("0", "0", 0.0)
    assert str(dead) == "drelu[2]/dx[2] = 0   (1 of 1 terms dropped: 0 by a dead unit)"
    crossed = tg.formula(tg.sin(x)[0], x, at=1)
    assert (crossed.latex(), crossed.evaluate()) == ("0", 0.0)
    crossed.check()
