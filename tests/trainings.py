"""Small trainings that the tests of training begin with."""

import numpy as np

from tinygrad_res import data, nn, optim
from tinygrad_res.training import fit

DIGITS = data.load("digits")


def small(seed=0, width=16, dropout=False):
    """A small network with every kind of state: weights, statistics, a generator."""
    rng = np.random.default_rng(seed)
    parts = [nn.Flatten(), nn.Linear(64, width, rng=rng), nn.BatchNorm1d(width), nn.ReLU()]
    parts += [nn.Dropout(0.3, rng=rng)] if dropout else []
    return nn.Sequential(*parts, nn.Linear(width, 10, rng=rng))


def momentum(network, **options):
    return optim.SGD(
        network.parameters(), **{"lr": 0.1, "momentum": 0.9, "nesterov": True} | options
    )


def train(network, optimizer=None, **options):
    options = {"progress": False} | options
    return fit(network, DIGITS, optimizer or momentum(network), **options)


def assert_same_state(a, b):
    assert a.state_dict().keys() == b.state_dict().keys()
    for name, values in a.state_dict().items():
        np.testing.assert_array_equal(values, b.state_dict()[name], err_msg=name)
