"""What of a module's tensors is its state: parameters and buffers, not what forward keeps."""

import abc
import copy

import numpy as np
import pytest
from trainings import small, train

import tinygrad_res as tg
from tinygrad_res import nn
from tinygrad_res.errors import UsageError

X = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)


class Averaged(nn.Module):
    """A layer with a running average, whose forward keeps its activation."""

    def __init__(self):
        self.register_buffer("mean", np.zeros(2, np.float32))
        self.linear = nn.Linear(3, 2, rng=0)

    def forward(self, x):
        self.seen = self.linear(x)
        with tg.no_grad():
            self.mean = 0.5 * self.mean + 0.5 * self.seen.mean(0)
        return self.seen - self.mean


STATE = ["mean", "linear.weight", "linear.bias"]


@pytest.mark.parametrize("recorded", [True, False])
def test_what_forward_keeps_is_no_state_and_a_running_average_is(recorded):
    net = Averaged()
    for _ in range(2):
        if recorded:
            net(X)
        else:
            with tg.no_grad():
                net(X)
    assert list(net.state_dict()) == STATE
    assert [name for name, _ in net.named_buffers()] == ["mean"]
    mean = (X @ net.linear.weight.data.T + net.linear.bias.data).mean(0)
    np.testing.assert_allclose(net.mean.data, 0.75 * mean, rtol=1e-5)  # 1 - 1/2 * 1/2
    assert net.seen.shape == (8, 2)


def test_a_buffer_is_saved_loaded_and_moved_and_what_forward_keeps_is_left(tmp_path):
    net, other = Averaged(), Averaged()
    net(X)
    other.load(net.save(tmp_path / "net.npz"))
    np.testing.assert_array_equal(other.mean.data, net.mean.data)
    seen = net.seen
    net.to(dtype="float64")
    assert net.mean.dtype == net.linear.weight.dtype == np.float64
    assert net.seen is seen
    copied = copy.deepcopy(other)
    copied(X)
    assert list(copied.state_dict()) == STATE


def test_a_training_whose_network_keeps_activations_is_resumed(tmp_path):
    class Kept(nn.Module):
        def __init__(self):
            self.body = small()

        def forward(self, x):
            self.h = self.body(x)
            return self.h

    whole, halves = Kept(), Kept()
    train(whole, steps=4)
    train(halves, steps=2, checkpoint=tmp_path / "run.npz")
    resumed = Kept()
    train(resumed, steps=4, checkpoint=tmp_path / "run.npz")
    for name, value in whole.state_dict().items():
        np.testing.assert_array_equal(resumed.state_dict()[name], value, err_msg=name)


def test_a_buffer_may_be_none_at_first_and_have_any_values():
    class Late(nn.Module):
        def __init__(self):
            self.register_buffer("seen", None)
            self.register_buffer("table", [[1, 2]])

    net = Late()
    assert list(net.state_dict()) == ["table"]
    net.seen = tg.tensor(1.0)
    assert list(net.state_dict()) == ["seen", "table"]
    net.register_buffer("table", [3.0])
    assert net.table.data.tolist() == [3.0]


def test_names_of_buffers_are_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(2))
            self.linear = torch.nn.Linear(3, 2)

    assert list(Net().state_dict()) == STATE
    assert Averaged().load_state_dict(Net().state_dict()) == ((), ())


def test_a_tensor_that_is_left_by_init_is_refused_with_both_mends():
    class Forgetful(nn.Module):
        def __init__(self):
            self.scale = tg.tensor([1.0])

    message = (
        r"Forgetful\.scale: .* tg\.parameter\(values\).*self\.register_buffer\('scale', values\)"
    )
    with pytest.raises(UsageError, match=message):
        Forgetful()


def test_a_module_may_be_abstract():
    class Base(nn.Module, abc.ABC):
        @abc.abstractmethod
        def width(self): ...

    with pytest.raises(TypeError, match="abstract"):
        Base()


def recorded():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    return x * x


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda net: setattr(net, "mean", np.zeros(2)), r"Averaged\.mean is a buffer: assign a tensor"),
        (lambda net: setattr(net, "mean", recorded()), r"computed by multiply.*tg\.no_grad\(\)"),
        (lambda net: net.register_buffer("more", recorded()), r"Averaged\.more is .*stop_gradient"),
        (lambda net: net.register_buffer("linear", [1.0]), r"the name 'linear': use one that is free"),
        (lambda net: net.register_buffer("forward", [1.0]), "the name 'forward': use one"),
        (lambda net: net.register_buffer([1.0], "mean"), "the name .* use one"),
    ],
)  # fmt: skip
def test_what_makes_no_buffer_is_refused_and_nothing_is_changed(change, message):
    net = Averaged()
    before = vars(net).copy()
    with pytest.raises(UsageError, match=message):
        change(net)
    assert vars(net) == before
