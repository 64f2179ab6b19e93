"""check_paths passes right sums over paths and names the sum that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res.errors import GradientError
from tinygrad_res.testing import GradientCheckError, check_paths

RNG = np.random.default_rng(0)


def residual(blocks=4, dtype=np.float64):
    """Return the loss, the input, the weights and the blocks' outputs of a residual network."""
    x = tg.tensor(RNG.standard_normal((4, 5)).astype(dtype), requires_grad=True, name="x")
    h, weights, outputs = x, [], []
    for n in range(blocks):
        weights.append(tg.parameter(RNG.standard_normal((5, 5)).astype(dtype) / 3, name=f"W_{n}"))
        h = h + tg.tanh(h @ weights[-1])
        h.name = f"h_{n}"
        outputs.append(h)
    return (h * h).mean(), x, weights, outputs


def test_right_sums_pass():
    loss, x, weights, outputs = residual()

    check_paths(loss, x)
    check_paths(loss, [x, *weights], through=[outputs[-1]])
    check_paths(loss, x, through=outputs)


def test_networks_with_more_paths_than_can_be_listed_pass():
    loss, x, _, outputs = residual(40)

    check_paths(loss, x, through=[outputs[20]])


def test_float32_passes():
    loss, x, _, outputs = residual(dtype=np.float32)

    check_paths(loss, x, through=outputs[:1])


def test_an_output_of_several_elements_takes_a_cotangent():
    _, x, _, outputs = residual()

    check_paths(outputs[-1], x, through=outputs[:2], cotangent=RNG.standard_normal((4, 5)))


def test_an_input_that_the_loss_does_not_depend_on_passes():
    loss, *_ = residual()

    check_paths(loss, tg.tensor(1.0, requires_grad=True))


def test_gradients_of_all_leaves_are_left_as_they_were():
    loss, x, weights, _ = residual()
    loss.backward()
    before = [leaf.grad for leaf in (x, *weights)]

    check_paths(loss, x)

    assert all(leaf.grad is g for leaf, g in zip((x, *weights), before, strict=True))


def test_a_computed_tensor_is_refused_with_the_mend():
    loss, _, _, outputs = residual()

    with pytest.raises(GradientError, match=r"h_1 was computed.*pass a leaf as wrt"):
        check_paths(loss, outputs[1])


def branching():
    """Return a loss with 8 paths, its input, and a tensor that half of the paths visit."""
    x = tg.tensor(RNG.standard_normal(5), requires_grad=True, name="x")
    h = x + tg.tanh(x)
    branch = tg.sin(h)
    branch.name = "branch"
    return tg.sum(branch + tg.exp(h)) + tg.sum(branch * h), x, branch


def doubled(method):
    """Return ``Paths.method`` with gradients that are twice too large."""
    return lambda self, *a, **k: 2 * method(self, *a, **k)


def dropping(method):
    """Return ``Paths.method`` with its highest degree left out."""

    def drop(self, *args, **kwargs):
        found = method(self, *args, **kwargs)
        return {k: found[k] for k in sorted(found)[: max(1, len(found) - 1)]}

    return drop


def everything(method):
    """Return ``Paths.method`` with all paths in place of some."""
    return lambda self, *a, **k: self


def cut_only(method):
    """Return ``Paths.gradient_by`` that loses a part where the grading is a function."""
    return lambda self, by: dropping(method)(self, by) if callable(by) else method(self, by)


@pytest.mark.parametrize(
    ("method", "fault", "message"),
    [
        ("gradient", doubled, "the sum over all paths: 5 of 5"),
        ("__iter__", lambda _: lambda self: iter([self[0]]), "the paths listed one by one: there must be 8 paths, not 1"),
        ("gradient_by", dropping, r"the parts of the gradient by '\w+'"),
        ("count_by", dropping, r"the parts of the gradient by '\w+': there must be 8 paths"),
        ("gradient_by", cut_only, r"the flow over the cut above \w+ \(node \d+, \d edges\)"),
        ("count_by", cut_only, r"paths over the cut above \w+"),
        ("avoiding", everything, r"the paths through branch and those avoiding it: there must be 8 paths, not"),
        ("through", everything, r"the paths through branch and those avoiding it"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_caught_and_named(monkeypatch, method, fault, message):
    loss, x, branch = branching()
    kind = type(tg.paths(loss, x))
    monkeypatch.setattr(kind, method, fault(getattr(kind, method)))

    with pytest.raises(GradientCheckError, match=f"check_paths, wrt x: {message}"):
        check_paths(loss, x, through=[branch])


def test_a_wrong_flow_through_a_tensor_is_caught_by_backward_from_it(monkeypatch):
    loss, x, branch = branching()
    through, avoiding = tg.Paths.through, tg.Paths.avoiding
    monkeypatch.setattr(tg.Paths, "through", avoiding)
    monkeypatch.setattr(tg.Paths, "avoiding", through)

    with pytest.raises(GradientCheckError, match="paths through branch, against backward from it"):
        check_paths(loss, x, through=[branch])
