"""Gradient flow: against sums over listed paths, and conserved over every cut."""

import math

import numpy as np
import pytest
import standin

import tinygrad_res as tg
from tinygrad_res import nets, nn
from tinygrad_res.errors import GradientError, GraphError, ShapeError, UsageError
from tinygrad_res.flow import edge_flow

RNG = np.random.default_rng(3)


def random_program(seed, size=9, dtype="f8"):
    """Return input and loss of a random program, with parallel edges and fan-out."""
    rng = np.random.default_rng(seed)

    def draw():
        return rng.standard_normal((3, 3)).astype(dtype)

    x = tg.tensor(draw(), requires_grad=True, name="x")
    values = [x]
    for _ in range(size):
        a, b = (values[i] for i in rng.integers(0, len(values), 2))
        w = tg.parameter(draw())
        makers = (
            lambda a=a, b=b: a + b, lambda a=a, b=b: a * b, lambda a=a, w=w: a @ w,
            lambda a=a: tg.tanh(a), lambda a=a: tg.relu(a.T), lambda a=a, b=b: a @ b,
            lambda a=a, b=b: tg.concat([a, b], 0)[1:4], lambda a=a: tg.softmax(a, 1),
            lambda a=a, b=b: tg.maximum(a, b) - a.mean(axis=0),
        )  # fmt: skip
        values.append(makers[rng.integers(len(makers))]())
    return x, (values[-1] * values[-2]).sum()


@pytest.mark.parametrize("seed", range(12))
def test_flow_through_an_edge_is_the_sum_over_listed_paths_that_use_it(seed):
    x, loss = random_program(seed)
    v = RNG.standard_normal((3, 3))
    edges: dict = {}
    nodes: dict = {}
    for path in tg.paths(loss, x):
        part = float((path.product() * v).sum())
        for edge in path.edges:
            edges[edge.index] = edges.get(edge.index, 0) + part
        for node in path.nodes:
            nodes[node.index] = nodes.get(node.index, 0) + part
    flow = edge_flow(loss, x, direction=v)
    assert flow.edges == pytest.approx(dict(sorted(edges.items())), rel=1e-9, abs=1e-10)
    assert flow.nodes == pytest.approx(dict(sorted(nodes.items())), rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("seed", range(12))
def test_flow_over_every_topological_cut_is_the_directional_derivative(seed):
    x, loss = random_program(seed, size=14)
    v = RNG.standard_normal((3, 3))
    loss.backward()
    derivative = float((x.grad.data * v).sum())
    flow = edge_flow(loss, x, direction=v)
    assert flow.total == pytest.approx(derivative, rel=1e-12)
    scale = max(map(abs, flow.edges.values()))
    for level in range(flow.target, flow.source):
        assert flow.across(level) == pytest.approx(derivative, rel=1e-11, abs=1e-11 * scale)
    flow.check(rtol=1e-11)


def test_default_direction_is_uphill_and_flow_adds_up_to_the_gradient_norm():
    x, loss = random_program(4)
    loss.backward()
    flow = edge_flow(loss, x)
    assert flow.total == pytest.approx(np.linalg.norm(x.grad.data), rel=1e-12)
    shares = flow.shares
    out = [e.index for e in flow.graph.outgoing[flow.source] if e.index in shares]
    assert sum(shares[e] for e in out) == pytest.approx(1, rel=1e-10)


def test_flow_is_the_finite_change_of_the_loss():
    start, v = RNG.standard_normal((2, 3, 3))
    small = 1e-6

    def record(values):
        y = tg.tensor(values, requires_grad=True)
        return (tg.tanh(y) * y).sum(), y

    (up, _), (down, _) = (record(start + sign * small * v) for sign in (1, -1))
    loss, y = record(start)
    flow = edge_flow(loss, y, direction=v)
    assert flow.total == pytest.approx((up.item() - down.item()) / (2 * small), rel=1e-7)
    assert flow.through(loss) == pytest.approx(flow.total)
    with pytest.raises(GraphError, match="is not in this graph"):
        flow.through(up)


def test_residual_branches_and_shortcuts_share_the_flow():
    network = nets.residual_mlp(3, inputs=5, width=6, rng=np.random.default_rng(0))
    x = tg.tensor(RNG.standard_normal((2, 5)).astype("f4"), requires_grad=True)
    loss = network(x).sum()
    flow = edge_flow(loss, x)
    scopes = flow.by_scope()
    for block in ("body/0", "body/1", "body/2", "body", "stem", "head"):
        assert scopes[block] == pytest.approx(flow.total, rel=1e-5)
    p = tg.paths(loss, x)
    for i in range(3):
        inside = next(n for n in reversed(p.graph.nodes) if n.scope.startswith(f"body/{i}/branch"))
        g = p.through(tg.Tensor(np.zeros(inside.shape), inside.record)).gradient()
        whole = p.gradient()
        expected = float((g * whole).sum()) / np.linalg.norm(whole)
        assert scopes[f"body/{i}/branch"] == pytest.approx(expected, rel=1e-4)


def test_a_scope_around_the_loss_gets_the_whole_flow():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with tg.scope("all"):
        with tg.scope("inner"):
            y = tg.square(x)
        loss = (y + x).sum()
    assert edge_flow(loss, x, [1.0, 0.0]).by_scope() == {"all": 3.0, "all/inner": 2.0}


def test_cut_by_tensors_takes_exactly_those_that_part_loss_and_input():
    x = tg.tensor(RNG.standard_normal(3), requires_grad=True)
    a, b, c = tg.tanh(x), tg.exp(x), tg.sin(x)
    joined = a * b
    flow = edge_flow((joined + c).sum(), x)
    for cut in ((x,), (joined, c), (a, b, c)):
        assert flow.cut(*cut) == pytest.approx(flow.total, rel=1e-12)
    for wrong, visits in (((a, c), "0 to 1"), ((joined, a, c), "1 to 2"), ((), "0 to 0")):
        with pytest.raises(GraphError, match=f"a path visits {visits} of these"):
            flow.cut(*wrong)


def test_a_derivative_that_differs_forward_and_backward_is_found():
    wrong = tg.custom.structural(
        lambda xp, x: x * 2.0, lambda xp, g, i, shape: g * 3.0, name="lopsided"
    )
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with tg.scope("here"):
        y = wrong(tg.tanh(x))
    with pytest.raises(GraphError, match="lopsided in scope 'here'"):
        edge_flow((y * y).sum(), x).check()
    edge_flow((x * 2.0).sum(), x).check()


def test_float32_flows_are_summed_in_float64():
    n = 2**17
    x = tg.tensor(np.ones(n, "f4"), requires_grad=True)
    flow = edge_flow((x * np.float32(0.1)).sum(), x, direction=np.ones(n, "f4"))
    assert flow.total == pytest.approx(n * float(np.float32(0.1)), rel=1e-12)
    x, loss = random_program(5, dtype="f4")
    flow = edge_flow(loss, x)
    flow.check()
    with pytest.raises(GraphError, match="flow is lost"):
        flow.check(rtol=1e-16)


@pytest.mark.parametrize("size", [1e-160, 1e160])
def test_flow_of_very_small_and_very_large_gradients_is_right(size):
    x = tg.tensor(np.array([3.0, 4.0]), requires_grad=True)
    flow = edge_flow((x * np.array([3.0, 4.0]) * size).sum(), x)
    assert flow.total == pytest.approx(5 * size, rel=1e-12)


def test_parallel_edges_each_carry_their_flow():
    x = tg.tensor([3.0], requires_grad=True)
    flow = edge_flow((x * x).sum(), x, [1.0])
    assert [flow.edges[e.index] for e in flow.graph.outgoing[1]] == [3.0, 3.0]


def test_the_loss_itself_is_its_own_flow():
    x = tg.tensor(2.0, requires_grad=True)
    flow = edge_flow(x, x)
    assert (flow.total, flow.edges) == (1.0, {})
    flow.check()


def test_several_outputs_are_weighted_by_the_cotangent():
    x = tg.tensor(RNG.standard_normal((2, 3)), requires_grad=True)
    y = tg.exp(x)
    c, v = RNG.standard_normal((2, 2, 3))
    flow = edge_flow(y, x, v, cotangent=c)
    assert flow.total == pytest.approx(float((c * np.exp(x.data) * v).sum()))
    with pytest.raises(GradientError, match=r"edge_flow: .*pass cotangent="):
        edge_flow(y, x)


def test_side_branches_carry_no_flow():
    x = tg.tensor([1.0], requires_grad=True)
    z = tg.tensor([5.0], requires_grad=True)
    side = tg.exp(z)
    flow = edge_flow((x * side).sum(), x)
    assert flow.through(side) == 0.0
    assert flow.graph.find(side).index not in flow.nodes


def test_bad_questions_are_refused_before_any_work():
    x, loss = random_program(1)
    with pytest.raises(ShapeError, match=r"edge_flow: the direction has shape \(2,\)"):
        edge_flow(loss, x, direction=[1.0, 2.0])
    with pytest.raises(GraphError, match="is not in this graph"):
        edge_flow(loss, tg.tensor([1.0], requires_grad=True))
    frozen = tg.parameter(np.ones((3, 3)), name="W", requires_grad=False)
    with pytest.raises(GradientError, match="edge_flow: W carries no gradient"):
        edge_flow((x @ frozen).sum(), frozen)
    with pytest.raises(GraphError, match="edge_flow: x: expected a tensor, got str"):
        edge_flow(loss, "x")
    with pytest.raises(GraphError, match="the gradient is zero"):
        edge_flow((x * 0).sum(), x)
    flow = edge_flow(loss, x)
    with pytest.raises(UsageError, match=f"give a node's index from {flow.target}"):
        flow.across(flow.source)
    zero = edge_flow(loss, x, direction=np.zeros((3, 3)))
    with pytest.raises(GraphError, match="the flow is zero"):
        zero.shares  # noqa: B018


def test_infinite_flows_are_refused_by_name():
    x = tg.tensor([1e200], requires_grad=True)
    with tg.scope("deep"):
        y = x * 2.0
    with pytest.raises(GraphError, match="edge_flow: inf flows out of multiply in scope 'deep'"):
        edge_flow(y, x, direction=[math.inf])


def test_chains_of_thirty_thousand_operations_flow():
    x = h = tg.tensor([1.0], requires_grad=True)
    for _ in range(30_000):
        h = -h
    flow = edge_flow(h, x)
    assert flow.total == 1.0
    flow.check()


def test_flow_on_a_device_is_fetched_in_one_transfer(standing_in):
    module = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    x = tg.tensor(RNG.standard_normal((1, 2, 4, 4)).astype("f4"), requires_grad=True)
    v = RNG.standard_normal((1, 2, 4, 4)).astype("f4")
    expected = edge_flow(module(x).sum(), x, v)
    module.to("cuda")
    on_device = tg.tensor(standing_in.asarray(x.numpy()), requires_grad=True)
    loss = module(on_device).sum()
    standin.transfers.clear()
    flow = edge_flow(loss, on_device, v)
    assert [t.method for t in standin.transfers] == ["get"]
    standin.transfers.clear()
    assert list(flow.edges) == list(expected.edges)
    np.testing.assert_allclose(
        list(flow.edges.values()), list(expected.edges.values()), rtol=1e-4, atol=1e-5
    )
    assert edge_flow(loss, on_device).total > abs(flow.total) / np.linalg.norm(v)
    standin.transfers.clear()
