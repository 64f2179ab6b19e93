"""What the figures of chains call the parts of a path, and that the names are true."""

import numpy as np
import pytest
from test_viz import residual_paths, texts, weights

import tinygrad_res as tg
import viz
from viz.style import STYLES, colour

# Links and folds


def resnet_paths(blocks, width=4):
    """Blocks with relu behind their sums; the third and the fourth pad."""
    rng = np.random.default_rng(blocks)
    x = tg.tensor(rng.standard_normal((3, width)), requires_grad=True, name="x")
    h = first = tg.relu(x @ weights(rng, width, width, name="W_0"))
    for k in range(1, blocks + 1):
        wide = k in (3, 4)
        inner = tg.relu(h @ weights(rng, width, width + wide, name=f"W_{k}"))
        h = tg.relu((tg.pad(h, ((0, 0), (0, 1))) if wide else h) + inner)
        width += wide
    loss = (h @ weights(rng, width, 2, name="W_fc")).sum()
    return tg.paths(loss, x, start=h, end=first)


def test_every_drawn_block_of_a_folded_chain_is_followed_by_its_link():
    layout = viz.draw(resnet_paths(9)).layout
    at = {label.text: label.x for label in layout.labels}
    assert at["J_1"] < at["R_1"] < at["J_2"] < at["R_2"] < at["× 6"]
    assert at["× 6"] < at["R_8"] < at["J_9"] < at["R_9"] < at["classifier"]


def test_the_ends_of_the_products_and_of_the_count_are_named():
    shown = texts(viz.draw(resnet_paths(9)))
    assert "g: the gradient that arrives at R9" in shown
    assert any("counted from the relu behind block 9 back to" in text for text in shown)
    assert "g: the gradient that arrives at the last block" in texts(viz.draw(residual_paths(2)))


def test_a_fold_says_what_it_holds_and_calls_only_an_identity_by_that_name():
    shown = texts(viz.draw(resnet_paths(9)))
    assert {"blocks 3 … 8 with relu between", "2 of 6 shortcuts copy by pad"} <= set(shown)
    assert shown.count("I") == 3 and "weight-free" in shown
    assert texts(viz.draw(residual_paths(9))).count("I") == 4


def test_a_fold_with_projections_is_not_red():
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((3, 4)), requires_grad=True, name="x")
    h = x
    for k in range(7):
        outer = h @ weights(rng, 4, 4, name="P") if k in (3, 4) else h
        h = outer + tg.relu(h @ weights(rng, 4, 4, name="A"))
    figure = viz.draw(tg.paths(h.sum(), x))
    assert {"2 of 4 have a weight-free way", "at least 2 weight layers"} <= set(texts(figure))
    arcs = [curve for curve in figure.layout.curves if curve.smooth and curve.style != "forward"]
    assert [curve.style for curve in arcs].count("identity") == 3
    assert "another derivative" not in texts(figure)


# Weight-free, and yet no identity


def joined_paths(blocks=2):
    """Blocks that put their branch beside their input; the weights have no names."""
    rng = np.random.default_rng(0)
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h = x
    for k in range(blocks):
        h = tg.concat([h, tg.relu(h @ tg.parameter(rng.standard_normal((3 * 2**k,) * 2)))], axis=1)
    return tg.paths(h.sum(), x)


@pytest.mark.parametrize("paths", [joined_paths(), resnet_paths(4)], ids=["concat", "pad"])
def test_a_shortcut_that_moves_numbers_is_no_identity(paths):
    figure = viz.draw(paths)
    shown = texts(figure)
    first = 1 if "∥" in shown else 3
    assert f"P{first}" in shown
    by = "concat" if first == 1 else "pad"
    assert f"Pk: weight-free shortcut of block k, a copy by {by}" in shown
    (free,) = (text for text in shown if "·" in text and "J" not in text and "P" in text)
    assert free.startswith(("P2 · P1", "R4 · P4 · R3 · P3 · R2 · I"))
    assert any(text.startswith("∂L/∂x") and f"(P{first} + J{first})" in text for text in shown)


def test_the_sign_of_concat_is_in_the_legend():
    shown = texts(viz.draw(joined_paths()))
    assert "∥" in shown and "∥ concat: the ways side by side in one array" in shown
    assert not any("concat" in text for text in texts(viz.draw(residual_paths(2))))


def biased_paths(stem=False):
    rng = np.random.default_rng(0)
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h = x @ weights(rng, 3, 3, name="W_0") if stem else x
    for _ in range(3):
        branch = tg.relu(h @ weights(rng, 3, 3, name="A")) @ weights(rng, 3, 3, name="B")
        h = h + branch + weights(rng, 3, name="b")
    return tg.paths(h.sum(), x)


@pytest.mark.parametrize("stem", [False, True])
def test_a_bias_behind_a_block_belongs_to_the_block(stem):
    figure = viz.draw(biased_paths(stem))
    below = min(label.y for label in figure.layout.labels if label.text == "J_1")
    strip = [curve for curve in figure.layout.curves if curve.points[0][1] < below]
    assert "plain" not in {curve.style for curve in strip}
    assert "another derivative" not in texts(figure)
    assert ("I · I · I · S" if stem else "I · I · I") in texts(figure)


def test_where_a_stem_crosses_a_weight_no_row_is_called_weight_free():
    shown = texts(viz.draw(biased_paths(stem=True)))
    assert any(text.endswith("without the stem: 1 of 8") for text in shown)
    assert not any("classifier" in text or text == "0, weight-free" for text in shown)


def test_rows_behind_a_stem_start_at_what_it_gives():
    def heads(figure):
        labels = figure.layout.labels
        row = next(label.y for label in labels if label.text == "block 1")
        return [label.text for label in labels if label.y == row]

    assert "stem’s output" in heads(viz.draw(biased_paths(stem=True)))
    assert heads(viz.draw(biased_paths()))[-2:] == ["x", "g"]


# Products of values


def squared_paths(blocks=2, between=False):
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="x")
    for k in range(blocks):
        h = h + tg.relu(h @ weights(rng, 3, 3, name=f"W_{k}"))
        h = h * h if between else h
    return tg.paths((h if between else h * h).sum(), x)


def test_a_product_of_values_is_no_block_and_yet_counted():
    figure = viz.draw(squared_paths())
    shown = texts(figure)
    assert figure.layout.title.startswith("Gradient paths through a chain of 2 blocks: 2 weight")
    assert "and 2 blocks. 8 gradient paths lead" in figure.layout.description
    assert {"block 1", "block 2", "product 1", "M1,1", "M1,2", "×"} <= set(shown)
    assert "Mk,i: derivative of product k by its factor i, the other factor" in shown
    assert "f(·): the other factor of a product, which the operation f gave" in shown
    assert "g: the gradient that arrives at the last product" in shown


def test_products_between_blocks_leave_the_blocks_their_numbers():
    shown = texts(viz.draw(squared_paths(2, between=True)))
    heads = [text for text in shown if text.startswith(("block ", "product "))]
    assert heads == ["block 1", "product 1", "block 2", "product 2"]
    shown = texts(viz.draw(squared_paths(6, between=True)))
    assert "blocks 3 … 5 with products between" in shown


def test_a_product_is_red_from_end_to_end():
    figure = viz.draw(squared_paths())
    assert "another derivative" not in texts(figure)
    assert not [curve for curve in figure.layout.curves if curve.style == "plain"]


# The user's own names


def test_names_of_the_user_are_not_taken_for_symbols():
    rng = np.random.default_rng(0)
    x = h = tg.tensor(np.ones((2, 3)), requires_grad=True, name="I")
    for k in (1, 2):
        h = h + tg.relu(h @ weights(rng, 3, 3, name=f"J_{k}")) @ weights(rng, 3, 3, name="g")
    shown = texts(viz.draw(tg.paths(h.sum(), x)))
    assert {"E: identity", "Kk: derivative of block k’s branch", "K2 · E"} <= set(shown)
    assert "q: the gradient that arrives at the last block" in shown
    assert "product, from q back" in shown
    assert any(text.startswith("∂L/∂I = q (E + K2) (E + K1)") for text in shown)


def test_branches_of_equal_weight_come_in_the_order_of_their_numbers():
    rng = np.random.default_rng(0)
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    branches = [act(x @ weights(rng, 3, 3, name="W")) for act in (tg.relu, tg.tanh)]
    shown = texts(viz.draw(tg.paths((x + branches[0] + branches[1]).sum(), x)))
    assert [text for text in shown if text in {"I", "J1,1", "J1,2"}][-3:] == ["I", "J1,1", "J1,2"]


# Weights without names


def test_a_weight_without_a_name_is_called_w():
    shown = texts(viz.draw(joined_paths()))
    assert shown.count("W") == 2 and "·" not in shown


# One path


@pytest.mark.parametrize("number", [0, 3, 7])
def test_one_path_is_drawn_in_full_and_the_others_faded(number):
    paths = residual_paths(3)
    figure = viz.draw(paths[number])
    degree = paths[number].degree("weight")
    squares = [s for s in figure.layout.shapes if s.style == "square" and s.title.startswith("W")]
    assert sum(not square.faded for square in squares) == degree
    assert sum(square.faded for square in squares) == 6 - degree
    rows = [r for r in figure.layout.labels if r.text.count("·") == 2 and set(r.text) & set("IJ")]
    assert len(rows) == 8
    brackets = [label for label in figure.layout.labels if label.text in ("J_1", "J_2", "J_3")]
    assert 2 * sum(not label.faded for label in brackets) == degree
    (kept,) = (row for row in rows if not row.faded)
    assert 2 * kept.text.count("J") == degree
    assert "1 weight-free path of 8" in texts(figure)
    assert any("; one is drawn in full" in text for text in texts(figure))


def test_one_path_of_a_deep_chain_and_of_a_tangle():
    deep = viz.draw(residual_paths(50)[2**50 - 1])
    assert any(item.faded for item in deep.layout.items)
    assert any(
        "through 100 weight layers" in text or "no weight layer" in text for text in texts(deep)
    )
    x = tg.tensor(np.ones((2, 4)), requires_grad=True, name="x")
    h = x
    for k in range(3):
        h = tg.relu(h @ tg.parameter(np.eye(4), name=f"W_{k}")) + h + x
    paths = tg.paths((h * x).sum(), x)
    path = min(paths, key=lambda path: len(path.edges))
    arrows = [c for c in viz.draw(path).layout.curves if c.tail and c.style != "forward"]
    assert sum(not arrow.faded for arrow in arrows) == len(path.edges)


@pytest.mark.parametrize(
    ("style", "light", "dark", "dash"),
    [
        ("identity", "#D5004B", "#FF6B8F", False),
        ("weight", "#0072B2", "#56B4E9", True),
        ("activation", "#009E73", "#009E73", True),
    ],
)
def test_lines_have_the_colours_and_dashes_that_the_language_gives_them(style, light, dark, dash):
    found = STYLES[style]
    assert (colour(found.stroke, "light"), colour(found.stroke, "dark")) == (light, dark)
    assert bool(found.dash) == dash
    assert STYLES["identity"].width == max(
        s.width for name, s in STYLES.items() if s.stroke and not name.startswith(("set", "flow"))
    )
