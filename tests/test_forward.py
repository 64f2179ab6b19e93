"""The forward pass as a sum over paths: against listed paths, and refused where it is none."""

import gc
import itertools
import math

import numpy as np
import pytest
import standin

import tinygrad_res as tg
from tinygrad_res import nets, nn
from tinygrad_res.errors import GradientError, GraphError, UsageError
from tinygrad_res.forward import forward_paths
from tinygrad_res.pathnorm import path_norm

RNG = np.random.default_rng(7)


def leaf(*shape, name="x"):
    return tg.tensor(RNG.standard_normal(shape), requires_grad=True, name=name)


def weight(*shape, name=None):
    return tg.parameter(RNG.standard_normal(shape) / math.sqrt(shape[0]), name=name)


def mlp(seed, depth, biases, residual=False, activation=tg.relu):
    """Return input, biases and output of a random network, and the matrices for brute force."""
    rng = np.random.default_rng(seed)
    widths = [3, *(4 for _ in range(depth - 1)), 2]
    x = tg.tensor(rng.standard_normal((1, 3)), requires_grad=True, name="x")
    h, layers = x, []
    for k, (m, n) in enumerate(itertools.pairwise(widths)):
        w = tg.parameter(rng.standard_normal((m, n)), name=f"W_{k}")
        b = tg.parameter(rng.standard_normal(n), name=f"b_{k}") if biases else None
        z = h @ w if b is None else h @ w + b
        if k < depth - 1:
            z = activation(z)
        h = h + z if residual and m == n else z
        layers.append((w, b, np.ravel(z.numpy())))
    return x, h, layers


def listed(x, layers, output):
    """Sum input times weights over every path of a relu network, and bias times weights."""
    weights = [w.numpy() for w, _, _ in layers]
    live = [z > 0 for _, _, z in layers[:-1]] + [np.ones(len(layers[-1][2]))]
    starts = [("x", 0, np.ravel(x.numpy()))]
    starts += [(b.name, k + 1, b.numpy()) for k, (_, b, _) in enumerate(layers) if b is not None]
    found = {}
    for name, first, values in starts:
        total = 0.0
        widths = [len(values)] + [w.shape[1] for w in weights[first:]]
        for units in itertools.product(*map(range, widths)):
            if units[-1] != output:
                continue
            product = values[units[0]] * (live[first - 1][units[0]] if first else 1.0)
            for k, (i, j) in enumerate(itertools.pairwise(units), first):
                product *= weights[k][i, j] * live[k][j]
            total += product
        found[name] = total
    return found


def adds_up(found, output, rtol=1e-11):
    assert not found.unplaced
    total = math.fsum(found.terms.values()) + found.constants
    assert total == pytest.approx(found.value, rel=rtol, abs=rtol)
    assert found.value == pytest.approx(output, rel=rtol)
    assert math.fsum(found.by("weight").values()) == pytest.approx(total, rel=rtol, abs=rtol)


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize(("seed", "depth"), [(0, 1), (1, 2), (2, 3), (3, 4)])
def test_terms_are_sums_over_listed_paths_of_scalar_products(seed, depth, biases):
    x, h, layers = mlp(seed, depth, biases)
    found = forward_paths(h[0, 1], x)
    assert found.terms == pytest.approx(listed(x, layers, 1), rel=1e-10, abs=1e-12)
    assert (found.constants, found.unplaced) == (0.0, 0.0)
    adds_up(found, h.data[0, 1])
    assert found.count() == len(found.terms)


def test_a_dead_network_contributes_its_last_bias_alone():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True, name="x")
    w, v = tg.parameter(-np.ones((2, 3))), tg.parameter(np.ones((3, 1)))
    b, c = tg.parameter(np.zeros(3), name="b"), tg.parameter([7.0], name="c")
    found = forward_paths(tg.relu(x @ w + b) @ v + c, x)
    assert found.terms == {"x": 0.0, "b": 0.0, "c": 7.0}


@pytest.mark.parametrize("seed", range(4))
def test_degrees_of_a_residual_network_split_each_listed_path(seed):
    x, h, layers = mlp(seed, 5, True, residual=True)
    c = RNG.standard_normal((1, 2))
    found = forward_paths(h, x, cotangent=c)
    adds_up(found, float((h.data * c).sum()))
    expected: dict = {}
    leaves = [x, *(b for _, b, _ in layers)]
    for tensor in leaves:
        for path in found.paths(tensor):
            part = float((path.product() * tensor.data).sum())
            k = path.degree("weight")
            expected[k] = expected.get(k, 0) + part
        assert found.count(tensor) == found.paths(tensor).count()
    assert found.by("weight") == pytest.approx(expected, rel=1e-9, abs=1e-11)
    assert found.count() == sum(map(found.count, leaves))


def convolutional(pool, shortcut="identity"):
    rng = np.random.default_rng(1)
    block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, rng=rng), nn.BatchNorm2d(4), nn.ReLU())
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, rng=rng), nn.ReLU(), nn.Residual(block), nn.PadShortcut(2, 2)
    )
    head = nn.Sequential(nn.Flatten(), nn.Linear(24, 3, rng=rng)).to(dtype="f8")
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.weight.data, norm.bias.data = rng.standard_normal((2, 4))
        norm.running_mean = tg.tensor(rng.standard_normal(4))
        norm.running_var = tg.tensor(rng.random(4) + 0.5)
    network.to(dtype="f8").eval()
    return lambda x: head(pool(network(x)))


POOLS = {
    "max": lambda h: tg.max_pool2d(h, 2),
    "max with padding": lambda h: tg.max_pool2d(h[:, :, 1:, 1:], 3, 2, 1),
    "mean": lambda h: tg.avg_pool2d(h, 2),
    "mean without its padding": lambda h: tg.avg_pool2d(
        h[:, :, 1:, 1:], 3, 2, 1, count_include_pad=False
    ),
}


@pytest.mark.parametrize("pool", POOLS)
def test_convolutions_with_pooling_and_batch_norm_add_up(pool):
    network = convolutional(POOLS[pool])
    x = leaf(2, 2, 8, 8)
    out = network(x)
    c = RNG.standard_normal(out.shape)
    found = forward_paths(out, x, cotangent=c)
    adds_up(found, float((out.data * c).sum()))
    assert found.constants != 0.0  # the running means
    out.backward(c)
    assert found.of(x) == pytest.approx(float((x.data * x.grad.data).sum()), rel=1e-11)


def test_resnets_add_up_in_float32_and_cross_the_layers_of_their_paths():
    network = nets.resnet(8, rng=np.random.default_rng(0)).eval()
    x = tg.tensor(RNG.standard_normal((1, 3, 8, 8)).astype("f4"), requires_grad=True)
    out = network(x)[0, 0]
    found = forward_paths(out, x)
    adds_up(found, float(out.data), rtol=1e-4)
    assert found.paths(x).count_by("weight") == {2: 1, 4: 3, 6: 3, 8: 1}
    assert sorted(found.by("weight")) == list(range(9))


KINKED = {
    "leaky_relu": lambda h: tg.leaky_relu(h, 0.2),
    "abs": tg.abs,
    "relu6": lambda h: tg.relu6(5 * h),
    "hardtanh": lambda h: tg.hardtanh(h, -0.3, 0.4),
    "clip to numbers": lambda h: tg.clip(h, -0.3, 0.4),
    "clip to parameters": lambda h: tg.clip(h, LOW, BOUND),
    "maximum with a number": lambda h: tg.maximum(h, 0.25),
    "maximum of two": lambda h: tg.maximum(h, -2 * h),
    "minimum with a parameter": lambda h: tg.minimum(h, BOUND),
    "max over an axis": lambda h: h + h.max(axis=-1, keepdims=True) + tg.median(h) - tg.min(h),
    "where": lambda h: tg.where(h > 0.1, h, SLOPE * h),
    "copysign": lambda h: tg.copysign(h, 3 - h),
    "running sums": lambda h: tg.cumulative_sum(h, axis=-1),
    "sorting": lambda h: tg.sort(h, -1)[..., ::-1],
    "padding with a number": lambda h: tg.pad(h, ((0, 0), (1, 0)), value=1.5)[:, :-1],
    "dividing by a parameter": lambda h: tg.relu(h / SLOPE) / 7,
    "bias of a product of parameters": lambda h: tg.relu(h + SLOPE * BOUND),
    "bias through an activation": lambda h: tg.relu(h - tg.exp(BOUND) + tg.relu(BOUND)),
    "frozen bias through an activation": lambda h: h + tg.relu(FROZEN) - tg.abs(FROZEN),
    "a layer of a constant": lambda h: h + np.ones((1, 4)) @ SQUARE.T,
    "joining": lambda h: tg.concat([h, BOUND.reshape(1, 1)], 1)[:, 1:],
}
LOW = tg.parameter(-0.3, name="low")
BOUND = tg.parameter(0.4, name="bound")
FROZEN = tg.parameter(0.7, name="frozen", requires_grad=False)
SLOPE = tg.parameter(0.3, name="slope")
SQUARE = tg.parameter(RNG.standard_normal((4, 4)), name="square")


@pytest.mark.parametrize("name", KINKED)
def test_kinks_bounds_and_additions_add_up(name):
    for seed in range(3):
        x, h, _ = mlp(seed, 4, True, activation=KINKED[name])
        adds_up(forward_paths(h[0, 1], x), h.data[0, 1], rtol=1e-10)


def test_bounds_that_are_numbers_are_constants_and_parameters_are_terms():
    x = tg.tensor([-5.0, 0.1, 5.0], requires_grad=True, name="x")
    low, high = tg.parameter(-1.0, name="low"), tg.parameter(2.0, name="high")
    found = forward_paths(tg.clip(x, -1.0, 2.0).sum(), x)
    assert found.terms == pytest.approx({"x": 0.1})
    assert found.constants == pytest.approx(1.0)
    found = forward_paths(tg.clip(x, low, high).sum(), x)
    assert found.terms == pytest.approx({"x": 0.1, "low": -1.0, "high": 2.0})


def test_what_the_record_does_not_keep_is_said_to_be_unplaced():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    found = forward_paths((x * 2.0 + 3.0).sum(), x)
    assert (found.terms, found.constants, found.unplaced) == ({"x": 6.0}, 6.0, 6.0)
    assert found.by("length") == {3: 6.0}


def test_frozen_and_second_inputs_are_terms_too():
    x, z = leaf(2, 3), leaf(2, 3, name="z")
    frozen = tg.parameter(RNG.standard_normal(3), name="frozen", requires_grad=False)
    found = forward_paths((x @ weight(3, 3) + 2 * z + frozen).sum(), x)
    assert list(found.terms) == ["x", "z", "frozen"]
    assert found.of(z) == pytest.approx(2 * z.data.sum())
    assert found.of(frozen) == pytest.approx(2 * frozen.data.sum())
    assert not found.unplaced


def test_paths_may_start_at_a_tensor_on_the_way():
    x, b, c = leaf(2, 3), weight(3, name="b"), weight(3, name="c")
    hidden = tg.relu(x @ weight(3, 3) + b)
    found = forward_paths((hidden @ weight(3, 3) + c).sum(), hidden)
    assert list(found.terms) == ["relu", "c"]
    hidden = tg.tanh(x)  # what lies before the start may bend
    adds_up(forward_paths((hidden * 2.0).sum(), hidden), 2 * np.tanh(x.data).sum())


def test_names_that_occur_twice_are_told_apart():
    network = nets.plain_mlp(1, inputs=3, classes=2, width=4, rng=np.random.default_rng(0))
    x = leaf(1, 3)
    out = network(x)[0, 0]
    assert list(forward_paths(out, x).terms) == ["x", "b_0", "b_1", "b_2", "b_3"]
    h, kept = x, []
    for place in ("first", "second"):
        with tg.scope(place):
            kept.append(weight(3, name="b"))
            h = h + kept[-1]
    assert list(forward_paths(h.sum(), x).terms) == ["x", "first/b", "second/b"]
    b, c = weight(3, name="b"), weight(3, name="b")
    found = forward_paths((x + b + c).sum(), x)
    assert len(found.terms) == 3
    assert found.of(c) == pytest.approx(c.data.sum())


def test_a_parameter_that_adds_and_multiplies_counts_where_it_adds():
    x, w = leaf(3, name="x"), tg.parameter([2.0, 3.0, 5.0], name="w")
    found = forward_paths((x * w + w).sum(), x)
    assert found.of(w) == pytest.approx(10.0)
    adds_up(found, float((x.data * w.data + w.data).sum()))
    with pytest.raises(GraphError, match="of 2 gradient paths to w, 1 carry it"):
        found.paths(w)
    factor = tg.parameter(2.0, name="factor")
    with pytest.raises(GraphError, match=r"no path carries factor .* the terms are x"):
        forward_paths((x * factor).sum(), x).of(factor)


REFUSED = {
    "tanh": lambda x: tg.tanh(x),
    "softmax": lambda x: tg.softmax(x),
    "multiply": lambda x: x * tg.relu(x),
    "matmul": lambda x: x @ x.T,
    "divide": lambda x: 1 / x,
    "cross_entropy": lambda x: tg.cross_entropy(x, np.array([0, 1])),
    "batch_norm": lambda x: nn.BatchNorm1d(3)(x),
    "layer_norm": lambda x: tg.layer_norm(x, 3),
    "prod": lambda x: x.prod(),
    "norm": lambda x: tg.norm(x),
    "pow": lambda x: x**2,
}


@pytest.mark.parametrize("op", REFUSED)
def test_what_bends_is_refused_by_name(op):
    x = leaf(2, 3)
    with tg.scope("here"):
        y = REFUSED[op](x)
    with pytest.raises(GraphError, match=f"forward_paths: {op} in 'here'.*such as the logits"):
        forward_paths(tg.relu(y).sum(), x)


def test_all_that_bends_is_named_with_its_place():
    network = nets.resnet(8, rng=np.random.default_rng(0))
    x = tg.tensor(RNG.standard_normal((2, 3, 4, 4)).astype("f4"), requires_grad=True)
    loss = tg.cross_entropy(network(x), np.array([1, 2]))
    with pytest.raises(GraphError) as told:
        forward_paths(loss, x)
    assert str(told.value).startswith("forward_paths: batch_norm in 'stem/1', 'body/0/branch/1', ")
    assert "; cross_entropy: not piecewise affine" in str(told.value)


def test_a_leaf_that_changed_or_went_is_told():
    x, w, b = leaf(2, 3), weight(3, 3), weight(3, name="b")
    out = tg.relu(x @ w + b).sum()
    b.data = b.data + 1
    with pytest.raises(GraphError, match="a leaf has other values than when"):
        forward_paths(out, x)
    out = (x @ w + tg.parameter(np.ones(3), name="gone")).sum()
    gc.collect()
    with pytest.raises(GraphError, match=r"the tensor of gone .* is gone"):
        forward_paths(out, x)


def test_a_wrong_derivative_does_not_add_up():
    wrong = tg.custom.pointwise(
        lambda xp, x: 2.0 * x, lambda xp, _o, x: x == x, name="wrong", mask=True
    )
    x = leaf(3)
    adds_up(forward_paths(wrong(x).sum(), x), float(2 * x.data.sum()))  # 2x is x and a constant
    lopsided = tg.custom.structural(
        lambda xp, x: 2.0 * x, lambda xp, g, i, shape: g, name="lopsided"
    )
    with pytest.raises(GraphError, match="the derivative of an operation is wrong"):
        forward_paths(lopsided(x).sum(), x)


def test_bad_questions_are_refused_before_any_work():
    x = leaf(2, 3)
    y = tg.relu(x)
    with pytest.raises(GradientError, match="forward_paths: the output has shape"):
        forward_paths(y, x)
    with pytest.raises(GraphError, match="is not in this graph"):
        forward_paths(y.sum(), leaf(2, 3))
    frozen = tg.parameter(np.ones((3, 3)), name="W", requires_grad=False)
    for ask in (forward_paths, path_norm):
        with pytest.raises(GradientError, match="W carries no gradient"):
            ask((x @ frozen).sum(), frozen)
        with pytest.raises(GraphError, match=f"{ask.__name__}: x: expected a tensor, got str"):
            ask(y.sum(), "x")


@pytest.mark.parametrize("ask", [forward_paths, path_norm, tg.edge_flow, tg.paths])
def test_integers_are_refused_by_their_dtype_wherever_they_stand(ask):
    x, index = leaf(3), tg.tensor([2, 0, 1], name="index")
    for y in ((x * index).sum(), x.sum(), (index * 2).sum()):  # within the graph, outside, alone
        with pytest.raises(GradientError, match=r"index carries no gradient \(dtype int64\): make"):
            ask(y, index)


def test_sums_of_values_that_are_not_finite_are_refused():
    x = tg.tensor([1.0, math.inf], requires_grad=True)
    with pytest.raises(GraphError, match="values on the way are not finite"):
        forward_paths(tg.relu(x).sum(), x)


def test_forward_paths_of_a_device_are_summed_there(standing_in):
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten()
    )
    network.eval()
    values = RNG.standard_normal((1, 2, 4, 4)).astype("f4")

    def ask(x):
        out = tg.relu6(network(x)).sum()
        standin.transfers.clear()
        found = forward_paths(out, x)
        fetched = [t.method for t in standin.transfers]
        norm = path_norm(out, x)
        assert [t.method for t in standin.transfers] == 2 * fetched
        standin.transfers.clear()
        return [*found.terms.values(), found.constants, found.value, norm], fetched

    expected, nothing = ask(tg.tensor(values, requires_grad=True))
    network.to("cuda")
    found, fetched = ask(tg.tensor(standing_in.asarray(values), requires_grad=True))
    assert (nothing, fetched) == ([], ["get"])
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_table_names_every_term_and_its_paths():
    x, h, _ = mlp(0, 2, True)
    lines = forward_paths(h[0, 0] + 1.0, x).table().splitlines()
    assert [line.split()[0] for line in lines] == ["term", "x", "b_0", "b_1", "constants", "sum"]
    assert lines[1].split()[-1] == lines[2].split()[-1] == "1"


# The path norm


def norm_by_listing(matrices, q):
    widths = [matrices[0].shape[0], *(w.shape[1] for w in matrices)]
    total = 0.0
    for units in itertools.product(*map(range, widths)):
        total += math.prod(
            abs(w[i, j]) ** q for w, (i, j) in zip(matrices, itertools.pairwise(units), strict=True)
        )
    return total ** (1 / q)


@pytest.mark.parametrize("q", [0.5, 1, 2, 7.5])
def test_path_norm_is_the_sum_over_listed_paths(q):
    x, h, layers = mlp(1, 4, True, activation=tg.tanh)
    matrices = [w.numpy() for w, _, _ in layers]
    assert path_norm(h, x, q) == pytest.approx(norm_by_listing(matrices, q), rel=1e-12)


@pytest.mark.parametrize("q", [1, 2])
def test_path_norm_of_a_residual_network_counts_its_shortcuts(q):
    x, h, layers = mlp(2, 4, False, residual=True)
    first, second, third, last = (w.numpy() for w, _, _ in layers)
    parts = [[first, last]]
    parts += [[first, second, last], [first, third, last], [first, second, third, last]]
    total = sum(norm_by_listing(part, q) ** q for part in parts)
    assert path_norm(h, x, q) == pytest.approx(total ** (1 / q), rel=1e-12)


def test_path_norm_of_convolution_pooling_and_batch_norm_is_that_of_the_dense_map():
    rng = np.random.default_rng(0)
    conv, norm = nn.Conv2d(2, 3, 3, padding=1, rng=rng).to(dtype="f8"), nn.BatchNorm2d(3).eval()
    norm.to(dtype="f8").weight.data = [2.0, -3.0, 0.5]
    x = leaf(1, 2, 4, 4)

    def linear(v, q):
        w = np.abs(conv.weight.numpy()) ** q
        scale = np.abs(norm.weight.numpy() / np.sqrt(1 + norm.eps)) ** q
        h = tg.conv2d(v, w, padding=1).numpy() * scale.reshape(1, 3, 1, 1)
        return h.sum() / 4.0**q + h.sum()

    h = tg.relu(norm(conv(x)))
    out = tg.concat([tg.max_pool2d(h, 2).sum().reshape(1), tg.avg_pool2d(h, 2).sum().reshape(1)])
    for q in (1, 2):
        expected = linear(np.ones((1, 2, 4, 4)), q) ** (1 / q)
        assert path_norm(out, x, q) == pytest.approx(expected, rel=1e-12)


def test_scales_of_the_path_norm_are_parameters_and_constants():
    x = leaf(1, 3)
    divisor = tg.parameter([2.0, -4.0, 0.5])
    constant = tg.tensor([1.0, 3.0, 1.0], name="c")
    expected = math.hypot(1 / 2, 3 / 4, 2.0)
    assert path_norm(x / divisor * constant, x) == pytest.approx(expected, rel=1e-14)
    assert path_norm(x / divisor * constant.data, x) == pytest.approx(expected, rel=1e-14)


def test_path_norm_stays_where_a_unit_is_rescaled_and_the_function_stays():
    x = leaf(1, 3)
    w, v = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2))
    scale = np.array([1e3, 0.1, 7.0, 1.0])

    def norm(first, second):
        return path_norm(tg.relu(x @ tg.parameter(first)) @ tg.parameter(second), x)

    assert norm(w * scale, v / scale[:, None]) == pytest.approx(norm(w, v), rel=1e-12)
    assert norm(2 * w, v) == pytest.approx(2 * norm(w, v), rel=1e-12)


def test_path_norms_of_deep_networks_neither_vanish_nor_overflow_on_the_way():
    x = h = leaf(1, 2)
    small, large = tg.parameter(np.full((2, 2), 1e-3)), tg.parameter(np.full((2, 2), 1e3 / 4))
    for _ in range(200):
        h = h @ small
    for _ in range(200):
        h = h @ large
    assert path_norm(h, x, q=1) == pytest.approx(2.0, rel=1e-9)
    for _ in range(200):
        h = h @ large
    with pytest.raises(GraphError, match="too large for a float"):
        path_norm(h, x, q=1)


def test_path_norm_of_a_dead_connection_is_zero():
    x = leaf(1, 2)
    assert path_norm(x @ tg.parameter(np.zeros((2, 2))), x) == 0.0


def test_path_norm_of_no_elements_is_zero():
    x, W = leaf(2, 3), tg.parameter(np.ones((3, 4)))
    assert path_norm(x[:0] @ W, x) == 0.0
    assert path_norm((x[:0] @ W).sum(), x) == 0.0


def test_path_norm_refuses_what_is_no_network():
    x = leaf(2, 3)
    for y, op in (
        (tg.softmax(x), "softmax"),
        (x @ x.T, "matmul"),
        (nn.BatchNorm1d(3)(x), "batch_norm"),
    ):
        with pytest.raises(GraphError, match=f"path_norm: {op}: not a weight layer"):
            path_norm(y.sum(), x)
    gate = tg.sigmoid(leaf(2, 3))
    with pytest.raises(GraphError, match="path_norm: multiply: not a weight layer"):
        path_norm(x * gate, x)
    for q in (0, -1, math.inf, "2"):
        with pytest.raises(UsageError, match="give a positive number"):
            path_norm(x.sum(), x, q)
