"""Names and arguments of PyTorch are answered with ours, and what is answered exists."""

import operator
import re

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import mends, nn
from tinygrad_res.errors import ShapeError, UsageError

X = np.arange(24.0).reshape(2, 3, 4)
TABLES = {"TENSOR": tg.Tensor, "PACKAGE": tg, "LAYERS": nn, "MODULE": nn.Module}
OBJECTS = {
    "tg": tg, "np": np, "x": tg.tensor(X), "y": tg.tensor(1.0), "network": nn.Linear(1, 1),
    "rng": np.random.default_rng(0),
}  # fmt: skip
MENDS = [(table, name) for table in (*TABLES, "ARGUMENTS") for name in getattr(mends, table)]


@pytest.mark.parametrize(("table", "name"), MENDS)
def test_what_a_mend_names_exists_and_what_it_mends_does_not(table, name):
    mend = getattr(mends, table)[name]
    for start, path in re.findall(r"\b(tg|np|x|y|network|rng)\.([a-z_A-Z.]*[a-zA-Z_])", mend):
        assert operator.attrgetter(path)(OBJECTS[start]) is not None or path == "grad", mend
    assert not hasattr(TABLES.get(table), name)


def test_a_name_that_is_a_function_here_is_said_to_be_one():
    for name in ("exp", "softmax", "sort", "add"):
        with pytest.raises(
            AttributeError, match=f"no attribute '{name}': use the function tg.{name}"
        ):
            getattr(tg.tensor(1.0), name)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: tg.tensor(1.0).numel(), r"a tensor has no attribute 'numel': use x\.size"),
        (lambda: tg.zeros((2, 2)), r"module 'tinygrad_res' .* 'zeros': use tg\.tensor\(np\.zeros"),
        (lambda: tg.nothing, "module 'tinygrad_res' has no attribute 'nothing'$"),
        (lambda: nn.Parameter([1.0]), r"module 'tinygrad_res\.nn' .*: use tg\.parameter\(values\)"),
        (lambda: nn.CrossEntropyLoss(), r"use tg\.cross_entropy\(logits, labels\)"),
        (lambda: nn.Linear(1, 1).register_parameter("a", 1), r"a Linear has .*self\.name = tg\.para"),
        (lambda: nn.Linear(1, 1).cuda(), r"a Linear has no attribute 'cuda': use network\.to\('cuda'\)"),
        (lambda: nn.Linear(1, 1).nothing, "a Linear has no attribute 'nothing'$"),
    ],
)  # fmt: skip
def test_a_name_of_pytorch_is_answered_where_it_is_asked_for(ask, message):
    with pytest.raises(AttributeError, match=message):
        ask()


def test_a_users_module_may_use_these_names():
    class Net(nn.Module):
        def __init__(self, dim, **options):
            self.cuda, self.options = dim, options

        def buffers(self):
            return 3

    net = Net(dim=1, inplace=2)
    assert (net.cuda, net.buffers(), net.options) == (1, 3, {"inplace": 2})


# Arguments


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tg.sum(X, axis=1, keepdim=True), "sum: unknown argument 'keepdim': use keepdims="),
        (lambda: tg.tensor(X).mean(dim=1), "mean: unknown argument 'dim': use axis="),
        (lambda: tg.sum(X, where=True), r"sum: unknown argument 'where': see help\(tg\.sum\)"),
        (
            lambda: tg.cross_entropy(X[0], [1, 2, 3], reduction="none"),
            "cross_entropy: .*one by one",
        ),
        (lambda: tg.cross_entropy(X[0], [1, 2, 3], label_smoothing=0.1), "use -.*log_softmax"),
        (lambda: tg.cross_entropy(X[0], [1, 2, 3], ignore_index=1), r"logits\[kept\]"),
    ],
)
def test_an_argument_of_pytorch_is_answered_with_what_to_write(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_the_losses_that_are_told_of_are_those_of_cross_entropy():
    logits, labels = tg.tensor(np.random.default_rng(0).standard_normal((5, 3))), np.arange(5) % 3
    known = {"tg": tg, "logits": logits, "labels": labels, "kept": labels != 1}
    each = eval(mends.ARGUMENTS["reduction"].rpartition(" are ")[2], known)
    assert each.shape == (5, 1)
    assert each.mean().item() == pytest.approx(tg.cross_entropy(logits, labels).item())
    kept = eval(mends.ARGUMENTS["ignore_index"].partition(": ")[2], known)
    assert kept.item() == pytest.approx(each.data[labels != 1].mean())
    mend = mends.ARGUMENTS["label_smoothing"].removeprefix("use ").partition(", with")[0]
    smooth = eval(mend, {**known, "shares": 0.9 * np.eye(3)[labels] + 0.1 / 3})
    all_alike = -tg.log_softmax(logits).mean().item()
    assert smooth.item() == pytest.approx(0.9 * each.mean().item() + 0.1 * all_alike)
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here")
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(logits.data.copy()), torch.tensor(labels), label_smoothing=0.1
    )
    assert smooth.item() == pytest.approx(theirs.item())


# Methods of tensors that take PyTorch's arguments, or nearly


AXES = [(0, -1), (1, -1), (0, 1), (-2, -1), (1, 1), (0, 0), (-3, 2)]


@pytest.mark.parametrize(("start", "end"), AXES)
def test_flatten_joins_the_axes_from_the_first_to_the_last(start, end):
    x = tg.tensor(X, requires_grad=True)
    y = x.flatten(start, end)
    first, last = start % 3, end % 3
    shape = (*X.shape[:first], -1, *X.shape[last + 1 :])
    np.testing.assert_array_equal(y.data, X.reshape(shape))
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad.data, 2 * X)
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here")
    np.testing.assert_array_equal(y.data, torch.tensor(X).flatten(start, end))


def test_flatten_of_a_number_and_of_nothing_has_one_axis():
    assert tg.tensor(1.0).flatten().shape == (1,)
    assert tg.tensor(np.zeros((0, 3, 2))).flatten(1).shape == (0, 6)
    assert tg.tensor(np.zeros((2, 0, 3))).flatten(end_dim=1).shape == (0, 3)


@pytest.mark.parametrize(("start", "end"), [(2, 1), (3, -1), (0, 3), (-4, -1)])
def test_flatten_refuses_axes_that_are_not_there(start, end):
    with pytest.raises(
        ShapeError, match=rf"flatten: start_dim={start}, end_dim={end}: .*\(2, 3, 4\)"
    ):
        tg.tensor(X).flatten(start, end)


def test_flatten_refuses_what_is_no_axis():
    with pytest.raises(UsageError, match=r"flatten: 1\.5: an axis is a whole number"):
        tg.tensor(X).flatten(1.5)


def test_transpose_of_two_axes_says_how_they_are_exchanged():
    with pytest.raises(ShapeError, match=r"permutation .*use x\.swapaxes\(1, 2\)"):
        tg.tensor(X).transpose(1, 2)
    with pytest.raises(ShapeError, match=r"permutation of the axes of shape \(2, 3, 4\)$"):
        tg.tensor(X).transpose(0, 1, 1)
    assert tg.tensor(X[0]).transpose(1, 0).shape == (4, 3)
