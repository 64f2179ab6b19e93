"""Optimisers, schedules and clipping: PyTorch's, where it is there, and steps done by hand."""

import math

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res import optim
from tinygrad_res.errors import GradientError, UsageError

RNG = np.random.default_rng(5)
NO_TORCH = "compares with PyTorch, which `pip install .[bench]` brings"

OPTIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.01, "betas": (0.8, 0.95), "eps": 1e-3}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3}),
    ("SGD", {}),
    ("Adam", {}),
    ("AdamW", {}),
]


def descend(p, optimizer, steps=1):
    """Take steps on the sum of cubes, whose gradient at p is 3 p p."""
    for _ in range(steps):
        optimizer.zero_grad()
        (p * p * p).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("shape", [(4,), ()])
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_every_step_is_pytorchs(name, options, shape):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    start = np.asarray(RNG.standard_normal(shape))
    p, q = tg.parameter(start), torch.tensor(start, requires_grad=True)
    ours, theirs = getattr(optim, name)([p], **options), getattr(torch.optim, name)([q], **options)
    for _ in range(6):
        descend(p, ours), descend(q, theirs)
        np.testing.assert_allclose(p.data, q.detach(), rtol=1e-12)


@pytest.mark.parametrize("shape", [(1,), ()])
@pytest.mark.parametrize(
    ("make", "first", "second"),
    [
        # p = 2 has the gradient 12, and 1.4 has 5.88.
        (lambda p: optim.SGD(p, lr=0.05), 1.4, 1.4 - 0.05 * 5.88),
        (lambda p: optim.SGD(p, lr=0.05, momentum=0.5), 1.4, 1.4 - 0.05 * (6 + 5.88)),
        (lambda p: optim.SGD(p, lr=0.05, momentum=0.5, dampening=1.0), 1.4, 1.4 - 0.05 * 6),
        # The first step looks ahead: 12 + 0.5 x 12 = 18.
        (lambda p: optim.SGD(p, lr=0.05, momentum=0.5, nesterov=True), 1.1, 1.1 - 0.05 * (3.63 + 0.5 * 9.63)),
        (lambda p: optim.SGD(p, lr=0.05, weight_decay=0.5), 2 - 0.05 * 13, None),
        (lambda p: optim.SGD(p, lr=0.05, momentum=0.5, weight_decay=0.5), 1.35, 1.35 - 0.05 * (6.5 + 6.1425)),
        (lambda p: optim.SGD(p, lr=0.05, l1=2.0), 1.4 - 0.1, None),
        (lambda p: optim.SGD(p, lr=0.05, l1=100.0), 0.0, 0.0),
        (lambda p: optim.Adam(p, lr=0.3, eps=0.0), 1.7, None),
        (lambda p: optim.AdamW(p, lr=0.3, weight_decay=0.5, eps=0.0), 2 * 0.85 - 0.3, None),
    ],
)  # fmt: skip
def test_first_steps_are_those_done_by_hand(make, first, second, shape):
    p = tg.parameter(np.full(shape, 2.0))
    optimizer = make([p])
    descend(p, optimizer)
    np.testing.assert_allclose(p.data, np.full(shape, first), rtol=1e-12)
    if second is not None:
        descend(p, optimizer)
        np.testing.assert_allclose(p.data, np.full(shape, second), rtol=1e-12)


def test_second_step_of_adam_is_the_one_of_its_paper():
    p = tg.parameter([2.0])
    optimizer = optim.Adam([p], lr=0.3, betas=(0.9, 0.99), eps=0.1)
    moments = m, v = 0.0, 0.0
    expected = 2.0
    for t in (1, 2):
        g = 3 * expected**2
        m, v = moments = (0.9 * moments[0] + 0.1 * g, 0.99 * moments[1] + 0.01 * g * g)
        expected -= 0.3 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.99**t)) + 0.1)
    descend(p, optimizer, 2)
    np.testing.assert_allclose(p.data, [expected], rtol=1e-12)


def test_l1_ends_at_the_lasso_solution_with_exact_zeros():
    basis, _ = np.linalg.qr(RNG.standard_normal((30, 6)))
    y = basis @ np.array([3.0, -2.0, 0.5, 0.0, -0.4, 1.0]) + 0.01 * RNG.standard_normal(30)
    least_squares = basis.T @ y
    lasso = np.sign(least_squares) * np.maximum(abs(least_squares) - 0.7, 0)  # orthonormal columns

    w = tg.parameter(np.zeros(6))
    optimizer = optim.SGD([w], lr=0.5, l1=0.7)
    for _ in range(80):
        optimizer.zero_grad()
        (0.5 * (basis @ w - y) ** 2).sum().backward()
        optimizer.step()

    np.testing.assert_allclose(w.data, lasso, atol=1e-12)
    assert (w.data == 0).tolist() == [False, False, True, True, True, False]


def test_groups_have_options_of_their_own():
    a, b = tg.parameter([2.0]), tg.parameter([2.0])
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.05, "l1": 2.0}], lr=0.1)
    (a**3 + b**3).sum().backward()
    optimizer.step()
    np.testing.assert_allclose([*a.data, *b.data], [2 - 1.2, 2 - 0.6 - 0.1])


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_single_precision_stays_single_with_any_factor(name):
    p = tg.parameter(np.ones(3, np.float32))
    optimizer = getattr(optim, name)([p], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step(np.float64(0.5))
    states = optimizer.state_dict()["state"]
    assert p.dtype == np.float32
    assert all(v.dtype == np.float32 for s in states.values() for v in s.values() if np.ndim(v))


@pytest.mark.parametrize("shape", [(4,), ()])
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_state_dict_carries_on_where_the_other_stopped(name, options, shape):
    start = np.asarray(RNG.standard_normal(shape))
    p, q = tg.parameter(start), tg.parameter(start)
    first = getattr(optim, name)([p], **options)
    descend(p, first, 3)
    q.data = p.data
    second = getattr(optim, name)([q])
    second.load_state_dict(first.state_dict())
    descend(p, first, 2), descend(q, second, 2)
    np.testing.assert_array_equal(p.data, q.data)


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_a_state_of_pytorch_is_carried_on_as_pytorch_does(name, options):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    start = RNG.standard_normal(4)
    q = torch.tensor(start, requires_grad=True)
    theirs = getattr(torch.optim, name)([q], **options)
    descend(q, theirs, 3)
    p = tg.parameter(q.detach().numpy())
    ours = getattr(optim, name)([p], lr=7.0)
    ours.load_state_dict(theirs.state_dict())
    descend(p, ours, 3), descend(q, theirs, 3)
    np.testing.assert_allclose(p.data, q.detach(), rtol=1e-12)
    remembering = name != "SGD" or "momentum" in options
    assert set(ours.state.get(0, {})) == (ours.remembers if remembering else set())


HOW = {"foreach": None, "fused": True, "capturable": False, "differentiable": False}
ADAM = {"lr": 0.5, "betas": (0.9, 0.99), "eps": 0.0, "weight_decay": 0, "params": [0]}


def of_pytorch(**options):
    """Return a state of Adam in PyTorch's form, after one step with the gradient 1."""
    group = ADAM | HOW | {"amsgrad": False, "maximize": False, "decoupled_weight_decay": False}
    state = {"step": np.float32(1), "exp_avg": np.array([0.1]), "exp_avg_sq": np.array([0.01])}
    return {"state": {0: state}, "param_groups": [group | options]}


def test_a_state_in_pytorchs_form_is_taken_over():
    p = tg.parameter([2.0])
    optimizer = optim.Adam([p])
    optimizer.load_state_dict(of_pytorch(initial_lr=0.5, param_names=["w"]))
    (1.0 * p).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(p.data, [1.5])  # a constant gradient moves by lr
    assert optimizer.state_dict()["state"][0]["step"] == 2
    assert optimizer.state_dict()["param_groups"] == [ADAM]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amsgrad": True}, "amsgrad is True, and for Adam must be False"),
        ({"maximize": True}, "maximize is True, .* change the sign of the loss"),
        ({"decoupled_weight_decay": True}, "decoupled_weight_decay is True, .* Adam and AdamW"),
        ({"initial_lr": 1.0}, "initial_lr is 1.0, .* must be 0.5: a scheduler has changed lr"),
        ({"rho": 0.9}, "of another kind of optimiser: only one of them has the options rho"),
        ({"lr": -1}, "lr -1 must be positive"),
    ],
)
def test_what_pytorch_does_otherwise_is_refused(options, message):
    optimizer = optim.Adam([tg.parameter([2.0])])
    with pytest.raises(UsageError, match=message):
        optimizer.load_state_dict(of_pytorch(**options))
    assert not optimizer.state and optimizer.param_groups[0]["lr"] == 1e-3


@pytest.mark.parametrize("step", [1.5, -1, "a", np.ones(2)])
def test_a_count_that_is_none_is_refused(step):
    changed = of_pytorch()
    changed["state"][0]["step"] = step
    with pytest.raises(UsageError, match=r"step of parameter 0 is .*: expected a count"):
        optim.Adam([tg.parameter([2.0])]).load_state_dict(changed)


def test_a_state_of_numbers_that_numpy_lacks_is_refused():
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    q = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    theirs = torch.optim.Adam([q])
    descend(q, theirs)
    with pytest.raises(UsageError, match=r"exp_avg of parameter 0 is of dtype torch.bfloat16: use"):
        optim.Adam([tg.parameter([1.0, 1.0])]).load_state_dict(theirs.state_dict())


def test_options_that_an_optimiser_lacks_are_told_with_what_to_do():
    w = tg.parameter([1.0])
    for make in (optim.Adam, optim.AdamW):
        with pytest.raises(UsageError, match=rf"{make.__name__} has no option l1: .* use SGD"):
            make([w], l1=0.1)
    with pytest.raises(UsageError, match=r"Adam has no option amsgrad, l1: .*of Adam's paper"):
        optim.Adam([{"params": [w], "amsgrad": True, "l1": 1}])
    with pytest.raises(UsageError, match="SGD has no option betas: use lr, momentum"):
        optim.SGD([w], betas=(0.9, 0.9))


def test_parameters_without_a_gradient_are_told_apart_by_their_shapes():
    parts = [
        tg.parameter(np.ones(n), name) for n, name in ((2, "w"), (3, "w"), (1, "b"), (4, None))
    ]
    with pytest.raises(
        GradientError, match=r"no gradient for w\(2,\), w\(3,\), b, \(4,\): call .* anew"
    ):
        optim.SGD(parts).step()


def test_state_dict_has_pytorchs_names():
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    for name, options in OPTIONS:
        p, q = tg.parameter([1.0]), torch.tensor([1.0], requires_grad=True)
        ours = getattr(optim, name)([p], **options)
        theirs = getattr(torch.optim, name)([q], **options)
        descend(p, ours), descend(q, theirs)
        found, wanted = ours.state_dict(), theirs.state_dict()
        assert found.keys() == wanted.keys()
        held = {k for k, v in wanted["state"].get(0, {}).items() if v is not None}
        assert set(found["state"].get(0, {})) == held
        assert found["param_groups"][0]["params"] == wanted["param_groups"][0]["params"]
        assert set(found["param_groups"][0]) - set(wanted["param_groups"][0]) <= {"l1"}


@pytest.mark.parametrize("wrong", [{}, {"state": {}}, [1], None])
def test_what_is_no_state_dict_is_refused(wrong):
    with pytest.raises(UsageError, match=r"expected what state_dict\(\) of an optimiser returned"):
        optim.SGD([tg.parameter([1.0])]).load_state_dict(wrong)


@pytest.mark.parametrize("shape", [(2,), ()])
def test_steps_change_no_gradient_of_earlier_ones_and_remember_numbers_without_axes(shape):
    w = tg.parameter(np.zeros(shape))
    optimizer = tg.optim.SGD([w], lr=1.0, momentum=0.5)
    w.grad = first = tg.tensor(np.ones(shape))
    optimizer.step()
    w.grad = np.full(shape, 3.0)
    optimizer.step()

    assert (first.numpy() == 1).all()
    assert (optimizer.state[0]["momentum_buffer"] == 3.5).all()
    assert (w.numpy() == -4.5).all()


@pytest.mark.parametrize("shape", [(2,), ()])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_new_values_cannot_be_written_to(name, shape):
    p = tg.parameter(np.ones(shape))
    descend(p, getattr(optim, name)([p]))
    with pytest.raises(ValueError, match="WRITEABLE"):
        p.data.setflags(write=True)


def test_state_dict_is_a_copy():
    p = tg.parameter([2.0])
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    descend(p, optimizer)
    optimizer.state_dict()["state"][0]["momentum_buffer"][:] = 99
    assert optimizer.state[0]["momentum_buffer"] == 12.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["param_groups"].append(s["param_groups"][0]), r"groups of \[1, 1\] parameters, but the optimiser has \[1\]"),
        (lambda s: s["param_groups"][0].pop("nesterov"), "only one of them has the options nesterov"),
        (lambda s: s["state"].update({3: {}}), "a state of parameter 3, and the optimiser has 1 parameters"),
        (lambda s: s["state"][0].update(momentum_buffer=np.ones(2)), r"momentum_buffer of parameter 0 has shape \(2,\), but the parameter has shape \(1,\)"),
        (lambda s: s["param_groups"][0].update(lr=-1.0), "lr -1.0 must be positive"),
    ],
)  # fmt: skip
def test_state_of_another_optimiser_is_refused_and_changes_nothing(change, message):
    p = tg.parameter([2.0])
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    descend(p, optimizer)
    state = optimizer.state_dict()
    state["param_groups"][0]["weight_decay"] = 0.25
    change(state)
    with pytest.raises(UsageError, match=message):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["weight_decay"] == 0.0
    assert optimizer.state[0]["momentum_buffer"] == 12.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0}, "lr 0 must be positive"),
        ({"lr": "fast"}, "lr fast must be positive"),
        ({"momentum": -0.1}, "momentum -0.1 must not be negative"),
        ({"weight_decay": math.inf}, "weight_decay inf must not be negative"),
        ({"l1": -1}, "l1 -1 must not be negative"),
        ({"nesterov": True}, "nesterov needs a momentum, and no dampening"),
        ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov needs a momentum"),
    ],
)
def test_options_out_of_their_bounds_are_refused(options, message):
    with pytest.raises(UsageError, match=f"optimiser: {message}"):
        optim.SGD([tg.parameter([1.0])], **options)


def test_groups_that_are_none_are_refused():
    w = tg.parameter([1.0])
    with pytest.raises(UsageError, match="SGD has no option betas: use lr, momentum"):
        optim.SGD([{"params": [w], "betas": (0.9, 0.9)}])
    with pytest.raises(UsageError, match="a dict: a group is a dict such as"):
        optim.SGD([{"parameters": [w]}])
    with pytest.raises(UsageError, match=r"betas .* must be two numbers"):
        optim.Adam([w], betas=(0.9, 1.0))
    with pytest.raises(UsageError, match="a parameter is there twice"):
        optim.SGD([{"params": [w]}, {"params": [w]}])


def test_a_factor_scales_the_learning_rate_of_its_step_alone():
    p = tg.parameter([2.0])
    optimizer = optim.SGD([p], lr=0.1)
    for factor in (0.5, 0.0, 1.0):  # by a slope of 3: 2 - 0.15, that, and 0.3 less
        optimizer.zero_grad()
        (3 * p).sum().backward()
        optimizer.step(factor)
        np.testing.assert_allclose(p.data, [1.55 if factor == 1.0 else 1.85])
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_options_left_out_are_pytorchs():
    own = {"SGD": {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0,
                   "nesterov": False, "l1": 0.0}}  # fmt: skip
    own["Adam"] = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
    own["AdamW"] = own["Adam"] | {"weight_decay": 1e-2}
    for name, options in own.items():
        assert getattr(optim, name)([tg.parameter([1.0])]).defaults == options


def test_a_state_without_l1_as_pytorchs_trains_without():
    optimizer = optim.SGD([tg.parameter([2.0])], lr=0.1, l1=2.0)
    state = optimizer.state_dict()
    del state["param_groups"][0]["l1"]
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["l1"] == 0.0


def test_a_state_that_was_taken_over_is_not_written_over():
    p = tg.parameter([2.0])
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    given = {"momentum_buffer": np.array([1.0])}
    optimizer.load_state_dict(optimizer.state_dict() | {"state": {0: given}})
    descend(p, optimizer, 1)
    assert given["momentum_buffer"].tolist() == [1.0]


def test_step_refuses_a_factor_that_is_none_and_changes_nothing():
    p = tg.parameter([2.0])
    optimizer = optim.SGD([p], lr=0.1)
    (p * p).sum().backward()
    for factor in (-0.5, math.nan, math.inf):
        with pytest.raises(UsageError, match="factor"):
            optimizer.step(factor)
    assert p.item() == 2.0


@pytest.mark.parametrize(("name", "options"), OPTIONS[1:])
def test_a_layer_that_took_no_part_in_a_step_keeps_its_value_and_memory_as_in_pytorch(
    name, options
):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    start = RNG.standard_normal((2, 3))
    ours = [tg.parameter(row) for row in start]
    theirs = [torch.tensor(row, requires_grad=True) for row in start]
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for used in ((0,), (0, 1), (1,), (0, 1), (0,)):
        for values, optimizer in ((ours, a), (theirs, b)):
            optimizer.zero_grad()
            sum((values[i] ** 3).sum() for i in used).backward()
            optimizer.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach(), rtol=1e-9)


def test_what_took_no_part_or_is_frozen_is_not_moved_by_momentum_or_decay():
    p, q, frozen = (tg.parameter([1.0]) for _ in range(3))
    optimizer = optim.SGD([p, q, frozen], lr=0.1, momentum=0.9, weight_decay=0.5)
    (p + q + frozen).sum().backward()
    optimizer.step()
    before = q.item(), frozen.item()
    frozen.requires_grad = False  # with the gradient of its last step still there
    optimizer.state_dict()
    p.grad = q.grad = None
    (p * 1).sum().backward()
    optimizer.step()
    assert (q.item(), frozen.item()) == before
    assert p.item() == pytest.approx(0.85 - 0.1 * (0.9 * 1.5 + 1 + 0.5 * 0.85))


def test_frozen_parameters_may_be_in_an_optimiser_and_trained_later():
    p, frozen = tg.parameter([1.0]), tg.parameter([1.0], requires_grad=False)
    optimizer = optim.Adam([p, frozen], lr=0.1)
    (p * frozen).sum().backward()
    optimizer.step()
    assert (frozen.item(), set(optimizer.state)) == (1.0, {0})
    frozen.requires_grad = True
    (p * frozen).sum().backward()
    optimizer.step()
    assert frozen.item() == pytest.approx(0.9)


@pytest.mark.parametrize("make", [optim.Adam, optim.AdamW])
def test_an_eps_that_half_precision_rounds_to_0_is_refused(make):
    p = tg.parameter(np.ones(1, np.float16), name="w")
    with pytest.raises(UsageError, match="eps 1e-08 is 0 in float16, the dtype of w: use eps=1e-4"):
        make([p])
    make([p], eps=1e-4)


# Schedules


def lr_of(scheduler, steps):
    optimizer, found = scheduler.optimizer, []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("ours", "theirs", "steps"),
    [
        (optim.step_lr(3), ("StepLR", {"step_size": 3}), 10),
        (optim.multi_step_lr([2, 7], 0.5), ("MultiStepLR", {"milestones": [2, 7], "gamma": 0.5}), 10),
        (optim.exponential_lr(0.8), ("ExponentialLR", {"gamma": 0.8}), 10),
        (optim.constant_lr(), ("ConstantLR", {}), 10),
        (optim.linear_lr(), ("LinearLR", {}), 10),
        (optim.linear_lr(0.2, 0.7, 4), ("LinearLR", {"start_factor": 0.2, "end_factor": 0.7, "total_iters": 4}), 10),
        (optim.cosine_annealing_lr(8, 0.25), ("CosineAnnealingLR", {"T_max": 8, "eta_min": 0.5}), 9),
    ],
)  # fmt: skip
def test_schedules_are_pytorchs(ours, theirs, steps):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    name, options = theirs
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=2.0)
    found = lr_of(getattr(torch.optim.lr_scheduler, name)(optimizer, **options), steps)
    np.testing.assert_allclose([2.0 * ours(step) for step in range(steps)], found, rtol=1e-9)


def test_schedules_compose_as_product_and_in_sequence():
    warm, decay = optim.linear_lr(0.5, 1.0, 2), optim.step_lr(2, 0.5)
    assert [optim.product(warm, decay)(i) for i in range(5)] == [0.5, 0.75, 0.5, 0.5, 0.25]
    follow = optim.sequential([warm, decay, optim.constant_lr(0.1, 9)], [2, 5])
    assert [follow(i) for i in range(7)] == [0.5, 0.75, 1.0, 1.0, 0.5, 0.1, 0.1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.step_lr(0), "step_lr: step_size=0"),
        (lambda: optim.multi_step_lr([1.5]), "multi_step_lr: milestone=1.5"),
        (lambda: optim.sequential([abs, abs], []), "give rising milestones, one for each schedule"),
        (lambda: optim.sequential([abs] * 3, [4, 4]), "give rising milestones"),
        (lambda: optim.cosine_annealing_lr(0), "cosine_annealing_lr: T_max=0"),
        (lambda: optim.multi_step_lr([5, 2]), r"multi_step_lr: milestones \[5, 2\]: give rising"),
        (
            lambda: optim.multi_step_lr([5], "a"),
            "multi_step_lr: gamma='a': pass a number from 0 on",
        ),
        (lambda: optim.step_lr(5, -0.1), "step_lr: gamma=-0.1"),
        (lambda: optim.exponential_lr(-1), "exponential_lr: gamma=-1: pass a number from 0 on"),
        (lambda: optim.exponential_lr(math.nan), "exponential_lr: gamma=nan"),
        (lambda: optim.constant_lr(-1), "constant_lr: factor=-1"),
        (lambda: optim.linear_lr(-1), "linear_lr: start_factor=-1"),
        (lambda: optim.linear_lr(1, math.inf), "linear_lr: end_factor=inf"),
        (lambda: optim.cosine_annealing_lr(3, -0.5), "cosine_annealing_lr: eta_min=-0.5"),
        (lambda: optim.product(), "product: there is no schedule"),
        (lambda: optim.product(0.5), "product: schedule=0.5: pass a function"),
        (lambda: optim.sequential([abs, 0.5], [2]), "sequential: schedule=0.5: pass a function"),
        (lambda: optim.by_epoch(0.5, 3), "by_epoch: schedule=0.5: pass a function"),
        (lambda: optim.by_epoch(abs, 0), "by_epoch: steps=0"),
    ],
)
def test_schedules_refuse_what_makes_none(make, message):
    with pytest.raises(UsageError, match=message):
        make()


# Clipping


def with_gradients(*gradients):
    found = [tg.parameter(np.zeros_like(g)) for g in gradients]
    for p, g in zip(found, gradients, strict=True):
        p.grad = g
    return found


@pytest.mark.parametrize("max_norm", [0.5, 13.0, 14.0, math.inf])
def test_clipping_scales_all_gradients_by_one_factor(max_norm):
    gradients = [np.array([3.0, 4.0]), np.array([[12.0]])]
    parameters = [*with_gradients(*gradients), tg.parameter([1.0])]
    assert optim.clip_grad_norm(parameters, max_norm).item() == 13.0
    for p, g in zip(parameters, gradients, strict=False):
        np.testing.assert_allclose(p.grad.data, g * min(1.0, max_norm / 13), rtol=1e-6)
    assert parameters[2].grad is None


def test_clipping_is_pytorchs():
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    gradients = [RNG.standard_normal((2, 3)), RNG.standard_normal(4)]
    ours = with_gradients(*gradients)
    theirs = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in gradients]
    for q, g in zip(theirs, gradients, strict=True):
        q.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(theirs, 0.7)
    assert optim.clip_grad_norm(ours, 0.7).item() == pytest.approx(norm.item(), rel=1e-12)
    torch.nn.utils.clip_grad_value_(theirs, 0.1)
    optim.clip_grad_value(ours, 0.1)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad, rtol=1e-12)


def test_clipping_refuses_what_it_cannot_clip():
    (w,) = with_gradients(np.ones(2))
    with pytest.raises(UsageError, match="clip_grad_norm: max_norm 0: must be positive"):
        optim.clip_grad_norm([w], 0)
    with pytest.raises(UsageError, match=r"clip_grad_value: pass a list of parameters"):
        optim.clip_grad_value(w, 1.0)
    with pytest.raises(GradientError, match="no parameter has a gradient"):
        optim.clip_grad_norm([tg.parameter([1.0])], 1.0)


# Devices


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_steps_on_a_device_pull_nothing_to_the_host(xp, name):
    found = []
    for array in (np.asarray, xp.asarray):
        p = tg.parameter(array(np.array([1.0, -2.0])))
        extra = {"momentum": 0.9, "nesterov": True, "l1": 0.3} if name == "SGD" else {}
        optimizer = getattr(optim, name)([p], lr=0.1, weight_decay=0.1, **extra)
        for _ in range(3):
            optimizer.zero_grad()
            (p * p * p).sum().backward()
            optim.clip_grad_norm([p], 5.0)
            optim.clip_grad_value([p], 4.0)
            optimizer.step(0.5)
        fresh = getattr(optim, name)([p])
        fresh.load_state_dict(optimizer.state_dict())
        found.append(p)
    assert found[1].device == "cuda"
    np.testing.assert_allclose(found[1].numpy(), found[0].data, rtol=1e-12)


def test_parameters_of_several_dtypes_in_a_group_step_as_alone():
    """Also where an option is changed between steps."""
    dtypes = ("float16", "float32", "float64", "float32")

    def trained(parameters, change):
        optimizer = optim.SGD(parameters, lr=0.1, momentum=0.9)
        for lr in (0.1, 0.03):
            optimizer.param_groups[0]["lr"] = lr
            optimizer.param_groups[0]["weight_decay"] = change(lr)
            optimizer.zero_grad()
            for p in parameters:
                (p * p).sum().backward()
            optimizer.step()
        return [p.data for p in parameters]

    fresh = [tg.parameter(np.array([1.0, -2.0], dtype)) for dtype in dtypes]
    together = trained(fresh, np.float64)
    alone = [trained([tg.parameter(np.array([1.0, -2.0], t))], float)[0] for t in dtypes]
    for dtype, a, b in zip(dtypes, together, alone, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_array_equal(a, b)
    # By hand: g = 2 p + 0.1 p = 2.1, p = 0.79; v = 1.89 + 2.03 x 0.79, p = 0.79 - 0.03 v.
    np.testing.assert_allclose(together[2], 0.685189 * np.array([1, -2]), rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_options_that_are_numpy_numbers_widen_no_float32(name):
    found = []
    for number in (float, np.float64):
        p = tg.parameter(np.array([1.0, -2.0], np.float32))
        extra = {"betas": (number(0.9), number(0.99))}
        extra = {"momentum": number(0.9)} if name == "SGD" else extra
        optimizer = getattr(optim, name)([p], lr=number(0.1), weight_decay=number(0.1), **extra)
        for _ in range(3):
            optimizer.zero_grad()
            (p * p * p).sum().backward()
            optimizer.step(number(0.5))
        state = [v for v in optimizer.state[0].values() if isinstance(v, np.ndarray)]
        assert {v.dtype for v in state} == {np.dtype(np.float32)}
        found.append(p.data)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": {"0": {}}}, "there is a state of parameter '0', and the optimiser has 1"),
        (
            {"state": {0: {"step": 1, "exp_avg": [1.0], "exp_avg_sq": np.ones(1)}}},
            "exp_avg of parameter 0 is a list: expected an array",
        ),
        (
            {"state": {0: {"step": 1, "exp_avg": np.ones(1)}}},
            "of parameter 0 it holds step, exp_avg: expected exp_avg, exp_avg_sq, step",
        ),
        ({"param_groups": [{"lr": 0.1}]}, r"it is of groups of \[0\] parameters"),
    ],
)
def test_states_that_a_file_has_changed_are_refused(change, message):
    optimizer = optim.Adam([tg.parameter([1.0])])
    with pytest.raises(UsageError, match=f"Adam.load_state_dict: {message}"):
        optimizer.load_state_dict(optimizer.state_dict() | change)
    assert not optimizer.state


def test_a_schedule_that_gives_no_number_is_refused():
    (p,) = with_gradients(np.ones(2))
    with pytest.raises(UsageError, match="step: factor None: must be a number from 0 on"):
        optim.SGD([p]).step(None)


def test_further_parameters_are_trained_with_the_optimisers_options():
    p, q = tg.parameter([1.0]), tg.parameter([1.0])
    optimizer = optim.SGD([p], lr=0.1, momentum=0.5)
    optimizer.add_param_group({"params": q, "lr": 0.01})
    for _ in range(2):
        optimizer.zero_grad()
        (p + q).sum().backward()
        optimizer.step()
    assert (p.item(), q.item()) == pytest.approx((0.75, 0.975))
    for wrong, message in (
        ({"params": [q]}, "there twice"), ({"params": [q], "betas": 1}, "no option betas"),
        ({"params": [2.0]}, r"a float is no parameter .* pass network\.parameters"),
        ({"params": [tg.parameter([1.0])], "lr": -1}, "lr -1 must be positive"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=message):
            optimizer.add_param_group(wrong)
    assert optimizer.parameters == [p, q]


@pytest.mark.parametrize("given", [tg.nn.Linear(2, 2), 3, tg.nn.Linear(2, 2).named_parameters()])
def test_what_holds_parameters_but_is_no_list_of_them_is_refused(given):
    with pytest.raises(UsageError, match=r"optimiser: .*pass (a list|network\.parameters)"):
        optim.SGD(given)


def test_clipping_adds_half_precision_up_in_single():
    p = tg.parameter(np.ones(400, np.float16))
    p.grad = np.full(400, 100, np.float16)  # whose squares leave float16, and their sum does
    assert optim.clip_grad_norm([p], 1.0).item() == pytest.approx(2000)
    np.testing.assert_allclose(p.grad.data, np.full(400, 0.05), rtol=1e-3)
    assert p.grad.dtype == np.float16


@pytest.mark.parametrize("values", [[1e30, 1e30], [np.inf, 1.0]])
def test_clipping_by_a_norm_beyond_floats_does_not_make_the_gradients_0(values):
    p = tg.parameter(np.ones(2, np.float32))
    p.grad = np.array(values, np.float32)
    assert optim.clip_grad_norm([p], 1.0).item() == np.inf
    assert np.isnan(p.grad.data).all()
