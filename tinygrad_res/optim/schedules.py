"""Schedules: how the learning rate goes with the steps.

A schedule is a function from the number of a step, from 0, to a factor on the learning rate.
It remembers nothing: the step alone says the factor, so a training that goes on from its
checkpoint needs no state of its schedule, and schedules compose as functions do.  Each is the
closed form of PyTorch's scheduler of that name, over its initial learning rate:

>>> schedule = product(linear_lr(start_factor=0.1, total_iters=5), step_lr(step_size=30))
>>> [round(schedule(step), 3) for step in (0, 5, 30, 60)]
[0.1, 1.0, 0.1, 0.01]

Steps are batches, not passes over the data.  ``by_epoch`` makes a schedule count those:

>>> import tinygrad_res as tg
>>> steps = tg.data.steps_per_pass(50_000, 128)
>>> schedule = by_epoch(multi_step_lr([82, 123]), steps)
>>> [round(schedule(epoch * steps), 2) for epoch in (81, 82, 123)]
[1.0, 0.1, 0.01]
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import UsageError
from ..whole_numbers import at_least
from .options import holds

Schedule = Callable[[int], float]


def step_lr(step_size: int, gamma: float = 0.1) -> Schedule:
    """Return the schedule that multiplies the learning rate by ``gamma`` every so many steps.

    >>> [step_lr(2, gamma=0.5)(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    at_least(1, "step_lr", "step_size", step_size)
    _check_factor("step_lr", "gamma", gamma)
    return lambda step: gamma ** (step // step_size)


def multi_step_lr(milestones: Sequence[int], gamma: float = 0.1) -> Schedule:
    """Return the schedule that multiplies the learning rate by ``gamma`` at each milestone.

    Raises:
        UsageError: the milestones fall somewhere.

    He et al. 2015, section 4.2, divide by 10 at 32k and 48k steps:

    >>> schedule = multi_step_lr([32_000, 48_000])
    >>> [round(schedule(step), 2) for step in (0, 31_999, 32_000, 48_000)]
    [1.0, 1.0, 0.1, 0.01]
    """
    marks = _rising("multi_step_lr", 0, milestones)
    _check_factor("multi_step_lr", "gamma", gamma)
    return lambda step: gamma ** bisect.bisect_right(marks, step)


def exponential_lr(gamma: float) -> Schedule:
    """Return the schedule gamma^step.

    >>> exponential_lr(0.5)(3)
    0.125
    """
    _check_factor("exponential_lr", "gamma", gamma)
    return lambda step: gamma**step


def constant_lr(factor: float = 1 / 3, total_iters: int = 5) -> Schedule:
    """Return the schedule that is ``factor`` for so many steps, and 1 from there on.

    He et al. 2015, section 4.2, warm ResNet-110 up with a tenth of the learning rate:

    >>> [constant_lr(0.1, 400)(step) for step in (0, 399, 400)]
    [0.1, 0.1, 1.0]
    """
    at_least(0, "constant_lr", "total_iters", total_iters)
    _check_factor("constant_lr", "factor", factor)
    return lambda step: factor if step < total_iters else 1.0


def linear_lr(
    start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
) -> Schedule:
    """Return the schedule that goes in a straight line between two factors, and stays there.

    >>> [linear_lr(0.5, 1.0, 4)(step) for step in (0, 1, 2, 4, 9)]
    [0.5, 0.625, 0.75, 1.0, 1.0]
    """
    at_least(1, "linear_lr", "total_iters", total_iters)
    _check_factor("linear_lr", "start_factor", start_factor)
    _check_factor("linear_lr", "end_factor", end_factor)
    rise = end_factor - start_factor
    return lambda step: start_factor + rise * min(step, total_iters) / total_iters


def cosine_annealing_lr(T_max: int, eta_min: float = 0.0) -> Schedule:
    """Return the schedule that falls from 1 to ``eta_min`` along half a cosine, and stays there.

    Args:
        T_max: the steps of the fall.
        eta_min: the last factor; PyTorch's, which is a learning rate, over the initial one.

    Source: Loshchilov & Hutter 2017, equation 5, without restarts.  PyTorch's goes up again
    after ``T_max`` steps.

    >>> [round(cosine_annealing_lr(4)(step), 3) for step in (0, 1, 2, 4, 5)]
    [1.0, 0.854, 0.5, 0.0, 0.0]
    """
    at_least(1, "cosine_annealing_lr", "T_max", T_max)
    _check_factor("cosine_annealing_lr", "eta_min", eta_min)
    fall = (1 - eta_min) / 2
    return lambda step: eta_min + fall * (1 + math.cos(math.pi * min(step, T_max) / T_max))


def product(*schedules: Schedule) -> Schedule:
    """Return the schedule that multiplies the factors of all of these.

    Raises:
        UsageError: there is none, or one is no function.

    >>> product(exponential_lr(0.5), exponential_lr(0.1))(1)
    0.05
    """
    if not schedules:
        raise UsageError("product: there is no schedule: pass at least one")
    for schedule in schedules:
        check_schedule("product", schedule)
    return lambda step: math.prod(schedule(step) for schedule in schedules)


def sequential(schedules: Sequence[Schedule], milestones: Sequence[int]) -> Schedule:
    """Return the schedule that follows one after the other, each from its own step 0.

    Args:
        schedules: in their order.
        milestones: where each but the first begins.

    Raises:
        UsageError: the milestones do not rise, or are not one fewer than the schedules, or a
            schedule is no function.

    >>> schedule = sequential([linear_lr(0.5, 1.0, 2), exponential_lr(0.5)], [2])
    >>> [schedule(step) for step in range(5)]
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """
    marks = _rising("sequential", 1, milestones)
    if len(marks) != len(schedules) - 1 or len(set(marks)) < len(marks):
        raise UsageError(
            f"sequential: {len(schedules)} schedules and milestones {marks}: give rising "
            "milestones, one for each schedule but the first"
        )
    for schedule in schedules:
        check_schedule("sequential", schedule)
    starts, parts = [0, *marks], list(schedules)

    def follow(step: int) -> float:
        part = bisect.bisect_right(marks, step)
        return parts[part](step - starts[part])

    return follow


def by_epoch(schedule: Schedule, steps: int) -> Schedule:
    """Return the schedule whose numbers are passes over the data, of so many steps each.

    Args:
        schedule: by epochs, from 0.
        steps: in an epoch, as ``data.steps_per_pass`` says.

    Raises:
        UsageError: ``schedule`` is no function, or ``steps`` no number from 1 on.

    >>> [by_epoch(exponential_lr(0.5), 3)(step) for step in range(7)]
    [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]
    """
    check_schedule("by_epoch", schedule)
    at_least(1, "by_epoch", "steps", steps)
    return lambda step: schedule(step // steps)


def check_schedule(name: str, schedule: Any) -> None:
    """Refuse what is no schedule.

    Raises:
        UsageError: it is no function.
    """
    if not callable(schedule):
        raise UsageError(
            f"{name}: schedule={schedule!r}: pass a function from a step to a factor, such as "
            "tg.optim.constant_lr(0.5)"
        )


def _check_factor(name: str, what: str, value: Any) -> None:
    if not holds(lambda v: 0 <= v < math.inf, value):
        raise UsageError(f"{name}: {what}={value!r}: pass a number from 0 on")


def _rising(name: str, least: int, milestones: Sequence[int]) -> list[int]:
    marks = [at_least(least, name, "milestone", mark) for mark in milestones]
    if sorted(marks) != marks:
        raise UsageError(f"{name}: milestones {marks}: give rising milestones")
    return marks
