"""Formulas come to what backward does, step by step, and with common factors taken out."""

import re

import numpy as np
import pytest
import standin
from formula_programs import by_place, fully_connected, named, net, parses, partial, random_program

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, UsageError
from tinygrad_res.formulas import STEPS, Formula

# Factors in common


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
