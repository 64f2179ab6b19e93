"""What formulas write on edges, and what they call the values between."""

import math
import re
import string

import numpy as np
import pytest
from formula_programs import named, net, parses, partial

import tinygrad_res as tg
from tinygrad_res.notation import clean, over, symbol, under

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
