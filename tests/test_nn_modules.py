"""What a module is: parts by attribute, in lists and dicts, shared, frozen, hooked, copied."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import nn
from tinygrad_res.errors import DeviceError, DtypeError, UsageError

TORCH_REASON = "PyTorch is the oracle here; install it to compare with it"
X = np.random.default_rng(0).standard_normal((3, 2)).astype(np.float32)


def network(library):
    """Return the same network of ours and of PyTorch's, with a layer that is held twice."""

    class Net(library.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = library.nn.Linear(2, 2)
            self.layers = library.nn.ModuleList([library.nn.Linear(2, 2) for _ in range(2)])
            self.layers.append(self.stem)
            self.heads = library.nn.ModuleDict({"a": library.nn.Linear(2, 3)})
            self.heads["b"] = library.nn.BatchNorm1d(2)
            self.tied = library.nn.Linear(2, 2, bias=False)
            self.tied.weight = self.layers[1].weight
            self.extra = library.nn.Linear(2, 2)
            self.extra.bias = None

        def forward(self, x):
            for layer in self.layers:
                x = x + layer(x)
            return self.heads["a"](self.tied(self.heads["b"](self.extra(x))))

    return Net()


STATE = [
    "stem.weight", "stem.bias", "layers.0.weight", "layers.0.bias", "layers.1.weight",
    "layers.1.bias", "layers.2.weight", "layers.2.bias", "heads.a.weight", "heads.a.bias",
    "heads.b.weight", "heads.b.bias", "heads.b.running_mean", "heads.b.running_var",
    "heads.b.num_batches_tracked", "tied.weight", "extra.weight",
]  # fmt: skip


def test_names_of_lists_dicts_and_shared_parts_are_pinned():
    net = network(tg)
    assert list(net.state_dict()) == STATE
    assert [name for name, _ in net.named_parameters()] == [
        name for name in STATE
        if not name.startswith(("layers.2", "tied", "heads.b.r", "heads.b.n"))
    ]  # fmt: skip
    assert [name for name, _ in net.named_modules()] == [
        "", "stem", "layers", "layers.0", "layers.1", "heads", "heads.a", "heads.b", "tied", "extra",
    ]  # fmt: skip


def test_names_values_and_gradients_of_lists_dicts_and_shared_parts_are_pytorchs():
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    ours, theirs = network(tg), network(torch)
    for kind in ("named_parameters", "named_buffers", "named_modules"):
        names = [[name for name, _ in getattr(net, kind)()] for net in (ours, theirs)]
        assert names[0] == names[1], kind
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.load_state_dict(theirs.state_dict()) == ((), ())
    y, z = ours(tg.tensor(X)), theirs(torch.tensor(X))
    np.testing.assert_allclose(y.data, z.detach(), rtol=1e-4, atol=1e-5)
    (y * y).sum().backward(), (z * z).sum().backward()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad, rtol=1e-3, atol=1e-4, err_msg=name)


def scopes(y):
    """Return the scopes in which something was recorded for a tensor."""
    return {node.scope for node in tg.graph(y).nodes if node.op and node.scope}


def test_what_lists_and_dicts_hold_is_recorded_under_its_whole_name():
    net = network(tg)
    later = nn.ModuleList()
    net.layers[1] = nn.Sequential(nn.Linear(2, 2))
    net.more = nn.ModuleDict({"list": later})
    later.append(nn.Linear(3, 1))
    with tg.scope("net"):
        y = later[0](net(X))
    found = scopes(y)
    assert {"net/layers/0", "net/layers/1/0", "net/heads/a", "net/more/list/0"} <= found


class Two(nn.Module):
    """Two sequences of three layers, with what a subclass writes as its forward."""

    def __init__(self, forward=lambda self, x: self.b(self.a(x))):
        self.a, self.b = (
            nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Sequential(nn.Linear(2, 2)))
            for _ in range(2)
        )
        self.run = forward

    def forward(self, x):
        return self.run(self, x)


def one_by_one(self, x):
    for layers in (self.a, self.b):
        for layer in layers:
            x = layer(x)
    return x


WAYS = {
    "called": lambda self, x: self.b(self.a(x)),
    "iterated": one_by_one,
    "indexed": lambda self, x: self.b(self.a[2](self.a[1](self.a[0](x)))),
    "sliced": lambda self, x: self.b[1:](self.b[:1](self.a[1:](self.a[0](x)))),
    "innermost": lambda self, x: self.b(self.a[2][0](self.a[1](self.a[0](x)))),
}
PLACES = {"a/0", "a/1", "a/2/0", "b/0", "b/1", "b/2/0"}


@pytest.mark.parametrize("way", WAYS)
def test_a_sequence_is_recorded_under_the_same_names_however_its_layers_are_called(way):
    net = Two(WAYS[way])
    assert scopes(net(X)) == PLACES
    outer = nn.Sequential(nn.Identity(), net)
    assert scopes(outer(X)) == {f"1/{place}" for place in PLACES}


def test_a_container_with_a_forward_of_its_own_opens_its_scope_once():
    class Dense(nn.ModuleList):
        def forward(self, x):
            for layer in self:
                x = tg.concat((x, layer(x)), axis=1)
            return x

    class Net(nn.Module):
        def __init__(self):
            self.layers = nn.ModuleList([Dense([nn.Linear(2, 1), nn.Linear(3, 1)]), Inner()])

        def forward(self, x):
            return self.layers[1](self.layers[0](x)[:, :2])

    class Inner(nn.Module):
        def __init__(self):
            self.layers = nn.ModuleList([nn.Linear(2, 2), nn.ModuleList([nn.Linear(2, 2)])])

        def forward(self, x):
            return self.layers[1][0](self.layers[0](x))

    found = scopes(Net()(X))
    inner = {"layers/1/layers/0", "layers/1/layers/1/0"}
    assert found == {"layers/0", "layers/0/0", "layers/0/1"} | inner


def test_a_module_that_is_held_twice_has_the_name_of_its_place_and_else_the_first():
    layer, tanh = nn.Linear(2, 2), nn.Tanh()
    both = nn.Sequential(nn.Sequential(layer, tanh), nn.Sequential(tanh, layer))
    assert scopes(both(X)) == {"0/0", "0/1", "1/0", "1/1"}
    again = nn.Sequential(nn.Linear(2, 2), tanh, nn.Linear(2, 2), tanh)
    holder = nn.ModuleDict({"net": again})
    assert scopes(holder["net"](X)) == {"net/0", "net/1", "net/2"}
    holder["alias"] = again
    assert scopes(holder["alias"](X)) == {"net/0", "net/1", "net/2"}


def test_a_part_of_a_sequence_leaves_names_and_state_of_the_whole():
    net = Two()
    front = net.a[:2]
    assert isinstance(front, nn.Sequential) and list(front.state_dict()) == ["0.weight", "0.bias"]
    assert front[0] is net.a[0] and len(net.a[::2]) == 2
    assert net.a[0].weight.name == "a.0.weight"
    assert isinstance(nn.ModuleList(net.a)[1:], nn.ModuleList)


def test_parameters_are_named_as_in_the_state_unless_they_have_a_name():
    class Net(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(1, 2, 3)
            self.body = nn.Sequential(nn.BatchNorm2d(2), nn.ModuleList([nn.Linear(2, 2)]))
            self.attend = nn.MultiheadAttention(2, 1)
            self.scale = tg.parameter([1.0])
            self.own = tg.parameter([1.0], name="W_1")
            self.body[1][0].bias = tg.parameter([0.0, 0.0])

    net = Net()
    names = {name: p.name for name, p in net.named_parameters()}
    assert names.pop("own") == "W_1"
    assert names == {name: name for name in names} and len(names) == 11
    outer = nn.ModuleDict({"net": net}).to(dtype="float64")
    names = {name: p.name for name, p in outer.named_parameters()}
    assert names == {name: name for name in names} | {"net.own": "W_1"}
    moved = nn.Sequential(net.body)
    assert [p.name for p in moved.parameters()] == [name for name, _ in moved.named_parameters()]


def test_layers_are_told_apart_in_graphs_and_formulas():
    net = Two()
    graph = tg.graph(net(X).sum())
    weights = [f"{name}.weight" for name in ("a.0", "a.2.0", "b.0", "b.2.0")]
    assert [node.name for node in graph.nodes if "weight" in (node.name or "")] == weights
    assert [
        edge.label for edge in graph.edges if edge.family == "contraction" and edge.weight
    ] == weights[1:]
    for weight in weights:
        assert graph.find(weight).kind == "parameter"


def test_an_error_says_in_which_layer_it_came_up():
    class Net(nn.Module):
        def __init__(self, last):
            self.body = nn.Sequential(nn.Residual(nn.Sequential(nn.ReLU(), nn.Linear(2, 2))), last)

        def forward(self, x):
            return self.body(x)

    def notes(call, *inputs):
        with pytest.raises(tg.errors.ShapeError) as caught:
            call(*inputs)
        return caught.value.__notes__

    x, wide = np.ones((1, 2)), np.ones((1, 3))
    where = ["in body/0/branch/1: Linear(weight: (2, 2))"]
    net = Net(nn.Residual(nn.Linear(2, 3)))
    assert notes(net, wide) == where
    with tg.no_grad():
        assert notes(net, wide) == where
        outer = nn.Sequential(Net(nn.Identity()))
        assert notes(outer, wide) == [where[0].replace("body", "0/body")]
    assert notes(net, x) == ["in body/1: Residual"]
    assert notes(net.body[0].branch[1], wide) == [where[0].replace("body/0/", "")]
    assert notes(nn.Linear(2, 2), wide) == ["in Linear(weight: (2, 2))"]
    assert notes(Two(one_by_one), wide) == ["in a/0: Linear(weight: (2, 2))"]
    assert notes(nn.ModuleDict({"net": Two(one_by_one)})["net"], wide)[0].startswith("in net/a/0: ")


def test_a_list_that_was_filled_after_it_was_assigned_is_refused_where_state_is_asked_for():
    class Net(nn.Module):
        def __init__(self):
            self.layers = []
            self.layers.append(nn.Linear(2, 2))

    for ask in (Net().parameters, Net().state_dict, Net().train):
        with pytest.raises(UsageError, match=r"Net.layers: .* in a list .* use nn\.ModuleList"):
            ask()


def test_a_module_that_would_hold_itself_is_refused():
    inner, outer = nn.Sequential(), nn.Sequential()
    outer.append(inner)
    for held in (inner, outer):
        with pytest.raises(
            UsageError, match=r"Sequential\.parent: the Sequential holds this module"
        ):
            inner.parent = held
    assert len(list(outer.modules())) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: nn.ModuleList([tg.relu]), "ModuleList: part 0 is a"),
        (lambda: nn.ModuleList(nn.ReLU() for _ in range(2)).__setitem__(2, nn.ReLU()), "part 2: there are 2"),
        (lambda: nn.Sequential(nn.ReLU()).__setitem__(0, tg.relu), "Sequential: part 0 is a function"),
        (lambda: nn.ModuleDict({"a": 1}), "ModuleDict: 'a' is a int: pass modules"),
        (lambda: nn.ModuleDict({"a.b": nn.ReLU()}), "the name 'a.b': use another"),
        (lambda: nn.ModuleDict({"train": nn.ReLU()}), "the name 'train': use another"),
        (lambda: nn.ModuleDict({1: nn.ReLU()}), "the name 1: use another"),
        (lambda: setattr(nn.Sequential(), "train", nn.ReLU()), r"Sequential.train is a method"),
        (lambda: setattr(nn.Linear(1, 1), "weight", 0), "Linear.weight is a parameter"),
    ],
)  # fmt: skip
def test_parts_that_make_no_network_are_refused(change, message):
    with pytest.raises(UsageError, match=message):
        change()


def test_lists_and_dicts_do_what_pythons_do():
    parts = [nn.ReLU(), nn.Tanh(), nn.Identity()]
    found = nn.ModuleList(parts[:1])
    found.extend(parts[1:])
    found[-1] = parts[0]
    assert (len(found), list(found[1:]), list(found)) == (
        3,
        parts[1:2] + parts[:1],
        [*parts[:2], parts[0]],
    )
    named = nn.ModuleDict({"a": parts[0]})
    named.update({"b": parts[1], "c": parts[2]})
    del named["a"]
    assert list(named) == list(named.keys()) == ["b", "c"] and "a" not in named
    assert list(named.items()) == [("b", parts[1]), ("c", parts[2])]
    assert list(named.values()) == parts[1:] and len(named) == 2
    with pytest.raises(KeyError):
        named["a"]
    named.train()  # which sets an attribute that is no module
    for missing in ("a", "training"):
        with pytest.raises(KeyError, match=missing):
            del named[missing]


def test_a_bias_may_be_taken_away():
    layer = nn.Linear(2, 3)
    layer.bias = None
    np.testing.assert_allclose(layer(X).data, X @ layer.weight.data.T, rtol=1e-6)
    assert list(layer.state_dict()) == ["weight"]


def test_frozen_parts_stay_while_the_others_train():
    net = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 1))
    before = net.state_dict()
    net(tg.tensor(X)).sum().backward()
    tg.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1).step()
    changed = [name for name, now in net.state_dict().items() if not (now == before[name]).all()]
    assert (changed, net.size()) == (["1.weight", "1.bias"], 3)
    assert net.requires_grad_().size() == 9


def test_hooks_see_and_replace_what_a_module_returns_in_branches_too():
    torch = pytest.importorskip("torch", reason=TORCH_REASON)
    ours, theirs = nn.Linear(2, 2, rng=0), torch.nn.Linear(2, 2)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    for layer in (ours, theirs):
        layer.register_forward_hook(lambda module, inputs, out: 2 * out + inputs[0])
        layer.register_forward_hook(lambda module, inputs, out: out + 1)
    np.testing.assert_allclose(ours(X).data, theirs(torch.tensor(X)).detach(), rtol=1e-5)

    block, seen = nn.Residual(nn.Sequential(nn.ReLU())), []
    handle = block.branch.register_forward_hook(lambda *call: seen.append(call))
    kept = block.branch.register_forward_hook(lambda module, inputs, out: 0 * out)
    y = block(tg.tensor(X))
    handle.remove()
    block(tg.tensor(X))
    assert [(module, out.shape) for module, _, out in seen] == [(block.branch, (3, 2))]
    np.testing.assert_array_equal(y.data, X)
    kept.remove()
    np.testing.assert_array_equal(block(tg.tensor(X)).data, X + np.maximum(X, 0))


def test_apply_goes_from_inner_to_outer_once_each():
    net, order = network(tg), []
    net.apply(order.append)
    assert order[-1] is net and len(order) == len(set(map(id, order))) == 10


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda held: pickle.loads(pickle.dumps(held))]
)
def test_a_copy_trains_by_itself_with_its_own_optimiser(duplicate):
    net = nn.Sequential(
        nn.ModuleList([nn.Linear(2, 2)])[0], nn.Dropout(0.5, rng=0), nn.Linear(2, 2)
    )
    net[2].weight = net[0].weight
    optimizer = tg.optim.Adam(net.parameters(), lr=0.1)

    def step(net, optimizer):
        optimizer.zero_grad()
        (net(tg.tensor(X)) ** 2).sum().backward()
        optimizer.step()
        return net.state_dict()

    step(net, optimizer)
    before = net.state_dict()
    other, others = duplicate((net, optimizer))
    assert other[2].weight is other[0].weight is others.parameters[0]
    changed = step(other, others)
    assert all((now == before[name]).all() for name, now in net.state_dict().items())
    expected = step(net, optimizer)
    assert all((now == changed[name]).all() for name, now in expected.items())


def test_a_network_is_printed_with_its_parts_and_shapes():
    net = nn.Sequential(nn.Linear(2, 3), nn.ModuleDict({"a": nn.Dropout(0.5)}))
    net.train()
    assert repr(net) == (
        "Sequential(\n"
        "  0: Linear(weight: (3, 2), bias: (3,))\n"
        "  1: ModuleDict(\n"
        "    a: Dropout(p=0.5)\n"
        "  )\n"
        ")"
    )


def test_parameters_stay_the_same_where_moving_changes_nothing():
    net = nn.Sequential(nn.Linear(2, 2, rng=0), nn.BatchNorm1d(2))
    optimizer = tg.optim.SGD(net.parameters(), lr=0.5)
    before = [value for _, value in net.named_state()]
    (net(X) ** 2).sum().backward()

    net.to("cpu", "float32").to(dtype=np.float32).to()

    assert all(now is then for (_, now), then in zip(net.named_state(), before, strict=True))
    weight = net[0].weight.data
    optimizer.step()
    assert (net[0].weight.data != weight).any()


def test_only_parameters_that_moving_changes_are_replaced_a_shared_one_by_one():
    net = nn.Sequential(nn.Linear(2, 2, rng=0).to(dtype="float64"), nn.Linear(2, 2, rng=1))
    net[1].bias = net[0].bias
    kept, replaced = net[0].weight, net[1].weight
    assert net.to(dtype="float64")[0].weight is kept
    assert net[1].weight is not replaced and net[1].weight.dtype == np.float64
    assert net.to(dtype="float32")[1].bias is net[0].bias


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("float64",), DeviceError, r"device='float64': the first .* module.to\(dtype='float64'\)"),
        ((np.float64,), DeviceError, r"device=<class 'numpy.float64'>: the first argument is the"),
        ((np.dtype("f8"),), DeviceError, "the first argument is the device, 'cpu' or 'cuda'"),
        (("cuda:0",), DeviceError, "device='cuda:0': the first argument is the device"),
        ((None, int), DtypeError, "to: dtype=<class 'int'>: pass a floating one"),
        ((None, "float23"), DtypeError, "to: dtype='float23': pass a floating one"),
    ],
)
def test_moving_elsewhere_than_there_is_says_so_and_changes_nothing(arguments, error, message):
    net = nn.BatchNorm1d(2, affine=False)
    before = [value for _, value in net.named_state()]
    with pytest.raises(error, match=message):
        net.to(*arguments)
    assert all(now is then for (_, now), then in zip(net.named_state(), before, strict=True))
