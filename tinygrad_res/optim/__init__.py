"""Optimisers: rules that replace each parameter's values by better ones.

``optimizers`` are the rules, ``schedules`` say how the learning rate goes with the steps, and
``clipping`` shortens gradients before a step.  Values are replaced, never written over, so
records made before a step stay true.  Names, formulas and defaults are PyTorch's.

>>> import tinygrad_res as tg
>>> w = tg.parameter([4.0])
>>> optimizer = tg.optim.SGD([w], lr=0.25)
>>> schedule = tg.optim.step_lr(step_size=2, gamma=0.5)
>>> for step in range(3):
...     optimizer.zero_grad()
...     (w * w).sum().backward()
...     optimizer.step(schedule(step))
>>> w.data  # 4 (1 - 1/2) (1 - 1/2) (1 - 1/4)
array([0.75])
"""

from .clipping import clip_grad_norm, clip_grad_value
from .optimizers import SGD, Adam, AdamW, Optimizer
from .schedules import (
    Schedule,
    by_epoch,
    constant_lr,
    cosine_annealing_lr,
    exponential_lr,
    linear_lr,
    multi_step_lr,
    product,
    sequential,
    step_lr,
)

__all__ = [
    "SGD", "Adam", "AdamW", "Optimizer", "Schedule", "by_epoch", "clip_grad_norm", "clip_grad_value",
    "constant_lr", "cosine_annealing_lr", "exponential_lr", "linear_lr", "multi_step_lr",
    "product", "sequential", "step_lr",
]  # fmt: skip
