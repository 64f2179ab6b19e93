"""Formulas: gradients in LaTeX, as strings that a person would write, and true."""

import math
import re

import numpy as np
import pytest
from formula_programs import by_place, fully_connected, named, partial, random_program

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, GraphError, UsageError
from tinygrad_res.formulas import STEPS

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
