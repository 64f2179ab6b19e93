"""A network as a table: what leaves each layer, and what each holds."""

import numpy as np
import pytest

from tinygrad_res import nets, nn
from tinygrad_res.errors import ShapeError, UsageError


def test_rows_say_what_leaves_each_layer_and_what_it_holds_once():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ModuleList([nn.ReLU()]))
    net[2].forward = lambda x: (x, [x[0]])  # a container that is called here, its part is not
    net[1].bias = net[0].bias
    found = nn.summary(net.requires_grad_(False), np.ones((4, 2)))
    assert [tuple(row) for row in found.rows] == [
        ("", "Sequential", ((4, 3), (3,)), 0),
        ("0", "Linear", ((4, 3),), 9),
        ("1", "BatchNorm1d", ((4, 3),), 3),
        ("2", "ModuleList", ((4, 3), (3,)), 0),
        ("2.0", "ReLU", (), 0),
    ]
    lines = [line.split() for line in str(found).splitlines()]
    assert lines[2] == ["0", "Linear", "(4,", "3)", "9"] and lines[5] == ["0", "ReLU", "-"]
    assert lines[-2:] == [["all", "12"], ["12", "of", "them", "frozen"]]


def test_a_summary_leaves_the_network_as_it_was():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5, rng=0), nn.Linear(2, 1).eval())
    before, drawn = net.state_dict(), net[1].rng.bit_generator.state
    nn.summary(net, np.ones((1, 2)))
    with pytest.raises(ShapeError):
        nn.summary(net, np.ones((1, 3)))
    assert all((value == before[name]).all() for name, value in net.state_dict().items())
    assert net[1].rng.bit_generator.state == drawn
    assert [m.training for m in net.modules()] == [True, True, True, False]
    assert not any(m.forward_hooks for m in net.modules())


def test_the_parameters_of_a_published_network_sum_to_its_size():
    net = nets.resnet(20)
    found = nn.summary(net, np.ones((1, 3, 8, 8)))
    assert sum(row.parameters for row in found.rows) == found.trainable == net.size() == 269_722
    assert found.rows[0].shapes == ((1, 10),)
    assert [row.name for row in found.rows] == [name for name, _ in net.named_modules()]


def test_a_summary_runs_on_a_device(xp):
    assert nn.summary(nn.Linear(2, 1).to(device="cuda"), xp.ones((1, 2))).rows[0].shapes == (
        (1, 1),
    )


def test_a_summary_without_input_says_what_to_pass():
    with pytest.raises(
        UsageError, match=r"summary: Linear missing .*'x'.*summary\(network, np\.zeros"
    ):
        nn.summary(nn.Linear(2, 1))


def test_a_network_that_takes_no_input_has_a_summary():
    class Constant(nn.Module):
        def forward(self):
            return np.ones(3)

    assert nn.summary(Constant()).rows[0].shapes == ((3,),)
