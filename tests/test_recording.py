"""Recording is switched on and off, and filed under scopes, for each thread by itself."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading

import numpy as np
import pytest
from oracles import check_same

import tinygrad_res as tg
from tinygrad_res.errors import GradientError, UsageError
from tinygrad_res.record import ROOT, recording, scope_now, within


def tracked(values):
    return tg.tensor(values, requires_grad=True)


def test_no_grad_records_nothing_but_derivatives_work_inside():
    x = tracked([3.0])

    with tg.no_grad():
        y = x * x
        g = tg.grad(lambda x: tg.grad(lambda x: (x**3).sum())(x).sum())(x)

    assert not y.requires_grad
    check_same(g, [18])
    assert not g.requires_grad
    assert (x * x).requires_grad


def test_a_gradient_asked_to_be_recorded_is_recorded_under_no_grad_too():
    x = tracked([3.0])
    y = (x * x * x).sum()

    with tg.no_grad():
        y.backward(create_graph=True)
    g, x.grad = x.grad, None
    g.sum().backward()

    check_same(x.grad, [18])


def test_no_grad_ends_with_an_exception():
    x = tracked([3.0])

    with pytest.raises(KeyError), tg.no_grad():
        raise KeyError

    assert (x * x).requires_grad


def test_backward_of_what_no_grad_made_says_so():
    with tg.no_grad():
        y = tracked(1.0) * 2
        with pytest.raises(GradientError, match="no_grad"):
            y.backward()
    with pytest.raises(GradientError, match="requires_grad=True"):
        y.backward()


def test_stop_gradient_is_a_constant_in_every_mode():
    def f(x):
        return (x * tg.stop_gradient(x * x)).sum()

    x = np.array([3.0])

    check_same(tg.grad(f)(x), [9])
    check_same(tg.jvp(f, (x,), (x,))[1], 27)
    check_same(tg.hessian(f)(x), [[0]])


def test_scopes_nest_and_end():
    x = tracked([1.0])

    with tg.scope("net"), tg.scope("block/1"):
        y = x * 2
    z = y * 2

    assert y._node.scope.path == "net/block/1"
    assert z._node.scope.path == ""


def test_a_scope_inside_no_grad_records_nothing():
    x = tracked([1.0])

    with tg.no_grad(), tg.scope("net"):
        y = x * 2

    assert not y.requires_grad


def test_two_threads_record_at_once_without_disturbing_each_other():
    step, found = threading.Barrier(2, timeout=60), {}

    def record():
        x = tracked(np.ones(3))
        with tg.scope("recorded"):
            step.wait()  # the other thread is under no_grad now
            for _ in range(300):
                y = (x * x + x).sum()
            step.wait()
        y.backward()
        found["recorded"] = x.grad.numpy(), y._node.scope.path

    def evaluate():
        x = tracked(np.ones(3))
        with tg.no_grad():
            step.wait()
            found["evaluated"] = [(x * x + x).sum().requires_grad for _ in range(300)]
            step.wait()

    threads = [threading.Thread(target=f) for f in (record, evaluate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    check_same(found["recorded"][0], [3, 3, 3])
    assert found["recorded"][1] == "recorded"
    assert found["evaluated"] == [False] * 300


def test_threads_that_share_a_parameter_lose_no_gradient():
    w = tg.parameter([1.0])

    def work():
        for _ in range(200):
            (w * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    check_same(w.grad, [1600])


# Blocks that do not end in the order in which they began


def holding(block):
    with block:
        yield


def test_generators_that_hold_blocks_may_end_in_any_order():
    first, second = holding(tg.no_grad()), holding(tg.scope("inner"))

    next(first)
    next(second)
    first.close()
    inside = (tracked(2.0) * 2).requires_grad
    second.close()

    assert not inside  # the scope was opened where recording was off
    assert (tracked(2.0) * 2).requires_grad
    assert (tracked(2.0) * 2)._node.scope.path == ""


def test_tasks_switch_recording_each_for_itself():
    async def off(before, after):
        await asyncio.sleep(before)
        with tg.no_grad():
            await asyncio.sleep(after)
            return (tracked(2.0) * 2).requires_grad

    async def on():
        await asyncio.sleep(0.005)
        return (tracked(2.0) * 2).requires_grad

    async def together():
        return await asyncio.gather(off(0, 0.01), on(), off(0.002, 0.02))

    assert asyncio.run(together()) == [False, True, False]
    assert (tracked(2.0) * 2).requires_grad


def test_functions_may_be_decorated_with_and_without_parentheses():
    @tg.no_grad
    def bare(x):
        return 2 * x

    @tg.no_grad()
    def called(x):
        return bare(x) + 1 if x.item() > 0 else x

    x = tracked(3.0)

    assert not bare(x).requires_grad
    assert not called(x).requires_grad
    assert (2 * x).requires_grad


def test_a_function_that_pauses_is_not_decorated():
    def generator():
        yield

    async def task():
        pass

    for function in (generator, task):
        with pytest.raises(UsageError, match=r"no_grad: it cannot decorate .* which pauses"):
            tg.no_grad(function)


def test_a_block_may_be_entered_within_itself():
    block = tg.no_grad()

    with block:
        with block:
            pass
        inside = (tracked(2.0) * 2).requires_grad

    assert not inside
    assert (tracked(2.0) * 2).requires_grad


def test_one_block_may_be_used_by_several_and_within_others():
    block = tg.scope("a")

    with block, tg.scope("b"), block:
        inner = tracked(1.0) * 2
    with block:
        outer = tracked(1.0) * 2

    assert (inner._node.scope.path, outer._node.scope.path) == ("a/b/a", "a")


def test_a_scope_as_long_as_a_call_files_what_is_recorded_and_ends_with_it():
    x = tracked(2.0)

    inner = within(("a",), lambda: within(("b",), lambda: x * 2, (), {}), (), {})
    with pytest.raises(ZeroDivisionError):
        within(("c",), lambda k: k / 0, (1,), {})
    with tg.no_grad():
        off = within(("d",), lambda k: x * k, (), {"k": 2})

    assert inner._node.scope.path == "a/b"
    assert (x * 2)._node.scope.path == ""
    assert not off.requires_grad


def test_a_generator_may_close_its_block_after_the_call_that_opened_it():
    held = []

    def opening():
        held.append(holding(tg.scope("inner")))
        next(held[0])

    within(("call",), opening, (), {})
    held[0].close()

    assert (tracked(1.0) * 2)._node.scope.path == ""


def test_a_block_that_ends_in_a_later_call_leaves_the_call_its_scope():
    x, held, seen = tracked(1.0), holding(tg.scope("held")), []
    next(held)

    def inner():
        held.close()
        seen.append((x * 2)._node.scope.path)

    within(("outer",), lambda: within(("inner",), inner, (), {}), (), {})

    assert seen == ["held/outer/inner"]
    assert (x * 2)._node.scope.path == ""


def test_recording_stays_off_as_long_as_a_generator_holds_it_so_after_its_call():
    held = holding(tg.no_grad())

    with tg.scope("around"):
        within(("call",), lambda: next(held), (), {})
        off = tracked(1.0) * 2
        held.close()
        on = tracked(1.0) * 2

    assert not off.requires_grad
    assert on._node.scope.path == "around"
    assert (tracked(1.0) * 2)._node.scope.path == ""


def test_a_block_that_ends_in_another_context_changes_nothing_there():
    held = holding(tg.no_grad())
    contextvars.copy_context().run(next, held)

    with tg.scope("here"):
        held.close()
        y = tracked(1.0) * 2

    assert y._node.scope.path == "here"


@pytest.mark.parametrize("seed", range(200))
def test_nodes_are_filed_under_whatever_was_opened_last_and_is_open(seed):
    rng, held, stack = np.random.default_rng(seed), [], [(None, ROOT)]

    def wander(depth):
        for _ in range(rng.integers(1, 6)):
            choice = rng.integers(4)
            if choice == 0:
                held.append(holding(tg.no_grad() if rng.integers(4) == 0 else tg.scope("block")))
                next(held[-1])
                stack.append((held[-1], scope_now()))
            elif choice == 1 and held:
                block = held.pop(rng.integers(len(held)))
                block.close()
                stack[:] = [entry for entry in stack if entry[0] is not block]
            elif choice == 2 and depth < 4:
                within((f"call{depth}",), called, (depth + 1,), {})
            elif choice == 3 and depth < 4:  # as derivatives do
                with recording():
                    called(depth + 1)
            assert scope_now() is stack[-1][1]

    def called(depth):
        entry = (object(), scope_now())
        if scope_now() is not None:  # else there is nothing to file, and no scope of the call
            stack.append(entry)
        wander(depth)
        stack[:] = [one for one in stack if one is not entry]

    wander(0)
    while held:
        block = held.pop(rng.integers(len(held)))
        block.close()
        stack[:] = [entry for entry in stack if entry[0] is not block]
        assert scope_now() is stack[-1][1]
    assert scope_now() is ROOT


def test_what_a_list_of_modules_holds_is_filed_under_the_list_and_its_place():
    class Net(tg.nn.Module):
        def __init__(self):
            self.layers = tg.nn.ModuleList([tg.nn.ReLU(), tg.nn.ReLU()])

        def forward(self, x):
            return self.layers[1](self.layers[0](x))

    out = Net()(tg.tensor([1.0], requires_grad=True, name="x"))
    assert [node.scope for node in tg.graph(out).nodes][1:] == ["layers/0", "layers/1"]
