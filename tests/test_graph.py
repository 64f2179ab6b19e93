"""The graph: what was recorded, edge by edge, and which edges are weight layers."""

import copy
import pickle

import networkx as nx
import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import nn
from tinygrad_res.errors import GraphError, UsageError

RNG = np.random.default_rng(0)


def data(*shape):
    return tg.tensor(RNG.standard_normal(shape), requires_grad=True, name="x")


def weight(*shape, name="W"):
    return tg.parameter(RNG.standard_normal(shape), name=name)


def weights_on_edges(output):
    """Return {(op, operand's label): weight} for every edge of the graph."""
    g = tg.graph(output)
    return {(g.nodes[e.source].op, g.nodes[e.target].label): e.weight for e in g.edges}


def test_parallel_edges_are_kept():
    x = data(3)
    g = tg.graph(x * x)
    assert [(e.source, e.target, e.position) for e in g.edges] == [(1, 0, 0), (1, 0, 1)]
    assert g.to_networkx().number_of_edges(1, 0) == 2


def test_networkx_graph_carries_what_was_recorded():
    x, w = data(2, 3), weight(3, 4, name="W_1")
    with tg.scope("layer"):
        y = x @ w
    g = tg.graph(y).to_networkx()
    assert isinstance(g, nx.MultiDiGraph)
    assert nx.is_directed_acyclic_graph(g)
    top = g.nodes[2]
    assert (top["op"], top["scope"], top["shape"], top["dtype"]) == (
        "matmul", "layer", (2, 4), "float64",
    )  # fmt: skip
    assert g.edges[2, 0, 0]["weight"] == 1
    assert g.edges[2, 0, 0]["label"] == "W_1"
    assert g.edges[2, 1, 1]["weight"] == 0


def test_operands_come_before_outputs():
    x = data(3)
    g = tg.graph(tg.tanh(x * x + x).sum())
    assert all(e.target < e.source for e in g.edges)
    assert g.output.op == "sum"


def test_data_edge_of_a_product_with_a_weight_crosses_a_weight_layer():
    x, w = data(2, 3), weight(3, 4)
    assert weights_on_edges(x @ w) == {("matmul", "x"): 1, ("matmul", "W"): 0}


def test_transposed_reshaped_and_normalised_weights_are_weights():
    x, w = data(2, 3), weight(4, 3)
    for derived in (w.T, w.reshape(3, 4), (w / tg.sqrt((w * w).sum())).T):
        graph = tg.graph(x @ derived)
        assert max(e.weight for e in graph.outgoing[graph.output.index]) == 1


def test_masked_weight_is_a_weight_but_weight_mixed_with_data_is_data():
    x, w = data(2, 3), weight(3, 4)
    assert weights_on_edges(x @ (w * np.ones((3, 4))))["matmul", "x"] == 1
    assert weights_on_edges(x @ (w * x.sum()))["matmul", "x"] == 0


def test_frozen_weight_is_still_a_weight():
    x = data(2, 3)
    w = tg.parameter(RNG.standard_normal((4, 3)), name="W", requires_grad=False)
    assert weights_on_edges(x @ w.T)["matmul", "x"] == 1


@pytest.mark.parametrize("requires_grad", [True, False])
def test_masked_and_scaled_weights_are_weights_frozen_or_not(requires_grad):
    x, mask = data(2, 3), np.ones((3, 4))
    w = tg.parameter(RNG.standard_normal((3, 4)), "W", requires_grad)
    for derived in (
        w * mask,
        w / np.float64(2),
        w * tg.tensor(mask),
        w * tg.tensor(mask, name="m"),
    ):
        graph = tg.graph(x @ derived)
        assert max(e.weight for e in graph.outgoing[graph.output.index]) == 1


def test_a_name_does_not_change_what_a_constant_is():
    w, v = weight(3, 4, name="W"), weight(4, 2, name="V")
    batch = RNG.standard_normal((5, 3))
    for x in (batch, tg.tensor(batch), tg.tensor(batch, name="x")):
        assert tg.paths((tg.relu(x @ w) @ v).sum(), w).count_by("weight") == {1: 1}


def test_normalised_batch_and_looked_up_vectors_are_data():
    gamma, beta, w = weight(3, name="gamma"), weight(3, name="beta"), weight(3, 4)
    normal = tg.batch_norm(RNG.standard_normal((5, 3)), gamma, beta)
    assert tg.paths((normal @ w).sum(), gamma).count_by("weight") == {1: 1}
    vectors = weight(7, 3, name="E")
    assert tg.paths((vectors[np.array([1, 5])] @ w).sum(), vectors).count_by("weight") == {1: 1}
    assert tg.paths((vectors[1:3] @ w).sum(), w).count_by("weight") == {0: 1}


def test_learned_divisor_is_a_scale():
    x, gamma = data(2, 3), weight(3, name="gamma")
    assert [(e.weight, e.scale) for e in tg.graph(x / gamma).edges] == [(0, 1), (0, 0)]


def test_only_data_enters_a_residual_branch():
    x, w = data(2, 3), weight(3, 3)
    with tg.scope("branch", branch=True):
        shared = w.T
        h = x @ shared
    with tg.scope("branch", branch=True):
        inner = tg.tanh(h) @ shared
    loss = (h + inner).sum()
    assert tg.paths(loss, w).count_by("block") == {1: 2, 2: 1}
    assert tg.paths(loss, x).count_by("block") == {1: 1, 2: 1}


def test_identity_is_a_matter_of_the_derivative_not_of_names():
    x, one = data(3), tg.parameter([5.0], name="1")
    assert [e.is_identity for e in tg.graph(x * one).edges] == [False, False]
    assert [e.is_identity for e in tg.graph(x * 1.0000001).edges] == [False]
    assert [e.is_identity for e in tg.graph(x + x.reshape(3)[0:3] - x).edges] == [
        True, True, True, True, True, False,
    ]  # fmt: skip


def test_product_of_data_with_data_crosses_no_weight_layer():
    x = data(3, 3)
    assert set(weights_on_edges(tg.tanh(x) @ x).values()) == {0}


def test_batch_as_a_plain_array_is_data():
    w, v = weight(3, 4, name="W"), weight(4, 2, name="V")
    h = RNG.standard_normal((5, 3)) @ w
    assert weights_on_edges(tg.relu(h) @ v)["matmul", "relu"] == 1


def test_convolution_crosses_one_weight_layer_and_pointwise_none():
    x, w = data(1, 2, 5, 5), weight(3, 2, 3, 3)
    y = tg.relu(tg.conv2d(x, w, padding=1))
    assert weights_on_edges(y) == {
        ("conv2d", "x"): 1, ("conv2d", "W"): 0, ("relu", "conv2d"): 0,
    }  # fmt: skip


def test_learned_scale_is_graded_apart_from_weight():
    x, gamma = data(2, 3), weight(3, name="gamma")
    edges = tg.graph(x * gamma).edges
    assert [(e.weight, e.scale) for e in edges] == [(0, 1), (0, 0)]
    norm = nn.BatchNorm1d(3)
    edges = tg.graph(norm(tg.tensor(RNG.standard_normal((4, 3)), requires_grad=True))).edges
    assert [(e.weight, e.scale) for e in edges] == [(0, 1), (0, 0), (0, 0)]


def test_activation_edges_are_graded():
    x = data(3)
    assert [e.activation for e in tg.graph(tg.relu(x) + x).edges] == [1, 0, 0]


def test_unknown_grading_and_bad_grading_functions_are_refused():
    g = tg.graph(data(3) * 2)
    with pytest.raises(UsageError, match="unknown grading 'depth': use one of weight"):
        g.grades("depth")
    with pytest.raises(UsageError, match=r"returned -1 for edge 0 .*must return an int from 0 to"):
        g.grades(lambda edge: -1)
    with pytest.raises(UsageError, match=r"returned 0\.5"):
        g.grades(lambda edge: 0.5)


def test_tensor_outside_the_graph_is_refused_by_name():
    x = data(3)
    stranger = tg.tensor([1.0], requires_grad=True, name="stranger")
    with pytest.raises(GraphError, match="tensor 'stranger' is not in this graph"):
        tg.graph(x * 2).find(stranger)


def test_graph_of_what_was_not_recorded_says_how_to_record():
    with pytest.raises(GraphError, match="make its inputs with requires_grad=True"):
        tg.graph(tg.tensor([1.0]) * 2)
    with pytest.raises(GraphError, match="expected a tensor, got float"):
        tg.graph(3.0)


def test_snapshot_does_not_change_when_recording_goes_on():
    x = data(3)
    y = x * 2
    g = tg.graph(y)
    before = len(g.nodes), len(g.edges)
    (y + 1).sum().backward()
    assert (len(g.nodes), len(g.edges)) == before


@pytest.mark.parametrize(
    "product",
    [
        lambda x, w: x @ w,
        lambda x, w: tg.einsum("ij,jk->ik", x, w),
        lambda x, w: tg.tensordot(x, w, 1),
        lambda x, w: tg.inner(x, w.T),
    ],
)
def test_the_edges_of_a_product_are_labelled_with_the_other_operand(product):
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    w = tg.parameter(np.ones((3, 4)), name="W")

    last = tg.graph(product(x, w)).edges[-2:]

    assert [edge.label for edge in last] == ["W", "x"]
    assert [edge.weight for edge in last] == [1, 0]


def test_a_graph_says_how_large_it_is_and_whether_it_holds_a_tensor():
    x = tg.tensor(np.ones(2), requires_grad=True, name="x")
    g = tg.graph((x * x).sum())

    assert repr(g) == "Graph(3 nodes, 3 edges, from sum)"
    assert g.nodes[0].tensor is x
    assert g.output.tensor is None
    with pytest.raises(GraphError, match="a float is not in this graph"):
        g.find(1.0)


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps])
def test_what_holds_a_record_says_that_it_cannot_be_copied(copied):
    x = tg.tensor(np.ones(2), requires_grad=True, name="x")
    loss = (x * x).sum()
    for holder in (tg.graph(loss), tg.paths(loss, x), tg.edge_flow(loss, x)):
        with pytest.raises(UsageError, match="copy: a record cannot be copied or pickled"):
            copied(holder)
    given = tg.from_json(tg.graph(loss).to_json())
    assert pickle.loads(pickle.dumps(given)).nodes == given.nodes
