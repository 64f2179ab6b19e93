"""What the layers of one's own networks are called in figures and formulas: by their place."""

import re

import numpy as np

import tinygrad_res as tg
import viz
from tinygrad_res import nets, nn


class Net(nn.Module):
    """Two layers beside shortcuts, and one more."""

    def __init__(self):
        self.layers = nn.ModuleList(nn.Linear(2, 2, rng=i) for i in range(2))
        self.out = nn.Linear(2, 1, rng=2)

    def forward(self, x):
        for layer in self.layers:
            x = x + tg.tanh(layer(x))
        return self.out(x)


def loss_and_input():
    x = tg.tensor(np.array([[1.0, 2.0]]), requires_grad=True, name="x")
    return Net()(x).sum(), x


def test_edges_between_numbers_carry_weights_with_their_layers_place():
    paths = tg.paths(*loss_and_input(), level="scalar")
    shown = re.sub(r"<[^>]*>", " ", viz.draw(paths).svg)
    for place in ("layers.0", "layers.1"):
        assert re.search(rf"\b{re.escape(place)};11\b", shown), place
    assert "…" not in shown


def test_formulas_call_weights_by_their_layers_place():
    net = Net()
    loss = net(np.array([[1.0, 2.0]])).sum()
    for layer, place in ((net.layers[1], r"\mathrm{layers}.1"), (net.out, r"\mathrm{out}")):
        found = tg.formula(loss, layer.weight, at=(0, 0)).latex()
        assert rf"\partial W_{{{place}}}^{{11}}" in found, found


def test_weights_and_biases_of_published_networks_are_numbered_from_input_to_output():
    network = nets.residual_mlp(1)
    named = {name: p.name for name, p in network.named_parameters()}
    assert list(named.values()) == ["W_0", "b_0", "W_1", "b_1", "W_2", "b_2", "W_3", "b_3"]
    assert [name.rpartition(".")[2][0] for name in named] == ["w", "b"] * 4
