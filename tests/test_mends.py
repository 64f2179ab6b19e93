"""Names and arguments of PyTorch are answered with ours, and what is answered exists."""

import operator
import re

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import mends, nn
from tinygrad_res.errors import UsageError

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
