"""The optimisers: SGD, Adam and AdamW, by PyTorch's formulas.

An optimiser is a rule for one parameter (what it remembers of earlier steps, values and gradient
to new values; ``_rule`` makes it from options) and a list of groups, which say the options that
hold for which parameters.  What is remembered are arrays and counts under PyTorch's names, so
``state_dict`` is all that a training needs to go on where it stopped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Never

import numpy as np

from .. import backend
from ..errors import GradientError, UsageError
from ..record import Leaf
from ..tensor import Parameter, Tensor, renew
from .options import check_eps, check_known, check_options, holds, plain
from .states import read_groups, read_state

Parameters = Iterable[Parameter] | Iterable[dict[str, Any]]
State = dict[str, Any]
Rule = Callable[[State, Any, Any], Any]


class Optimizer:
    """Parameters in groups, and what their steps remember; subclasses hold the rule.

    Attributes:
        param_groups: one dict for each group: its parameters under ``"params"``, and its
            options, such as ``"lr"``, which may be changed between steps.
        state: for each parameter, by its number, what is remembered of earlier steps.
        remembers: the names of that.
    """

    remembers: frozenset[str] = frozenset()

    def __init__(
        self, params: Parameters, defaults: Mapping[str, Any], unknown: Mapping[str, Any] | None = None
    ) -> None:  # fmt: skip
        check_known(type(self).__name__, unknown or {}, defaults)
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise UsageError("optimiser: pass a list of parameters, such as [w]")
        given: list[Any] = list(params)
        if not any(isinstance(group, dict) for group in given):
            given = [{"params": given}]
        self.defaults = dict(defaults)
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, State] = {}
        for group in given:
            self.add_param_group(group)
        if not self.parameters:
            raise UsageError("optimiser: there are no parameters to train")

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Train further parameters from the next step on.

        Args:
            group: parameters under ``"params"``, and those options that are not the optimiser's.

        Raises:
            UsageError: an option is unknown or out of its bounds, or a parameter is none, or
                there already; nothing was changed.
        """
        added = self._group(group, self.defaults)
        for p in added["params"]:
            leaf = isinstance(p, Tensor) and isinstance(p._node, Leaf)
            if not (leaf and (p.requires_grad or isinstance(p, Parameter))):
                raise UsageError(
                    f"optimiser: {_shown(p)} is no parameter that can be trained: pass "
                    "network.parameters(), or a list of them"
                )
        together = [*self.parameters, *added["params"]]
        if len(set(together)) < len(together):
            raise UsageError("optimiser: a parameter is there twice, and would take two steps")
        check_eps(added)
        self.param_groups.append(added)

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters of all groups."""
        return [p for group in self.param_groups for p in group["params"]]

    def zero_grad(self) -> None:
        """Forget the gradients, before the next backward pass."""
        for p in self.parameters:
            p._grad = None

    def step(self, factor: float = 1.0) -> None:
        """Change every parameter by its gradient.

        As in PyTorch, one that has none, because this step's loss does not depend on it, keeps
        its value and what is remembered of it, without momentum or weight decay; so does
        one that is frozen (``requires_grad = False``).

        Args:
            factor: on the learning rate of every group, in this step: what a schedule says.

        Raises:
            GradientError: no parameter has a gradient, because ``backward`` was not called or
                the loss depends on none of them; nothing was changed.
            UsageError: the factor is negative or no number; nothing was changed.
        """
        if not any(map(_moves, self.parameters)):
            names = [p.name for p in self.parameters]
            shown = [
                p.name if p.name and names.count(p.name) == 1 else f"{p.name or ''}{p.shape}"
                for p in self.parameters[:5]
            ]
            more = ", ..." if len(names) > 5 else ""
            raise GradientError(
                f"optimiser: no gradient for {', '.join(shown)}{more}: call loss.backward() "
                "before step(), of a loss that depends on them.  Where network.to(...) was called "
                "since the optimiser was made, it put others in their place: make the optimiser anew"
            )
        if not holds(lambda f: 0 <= f < math.inf, factor):
            raise UsageError(f"optimiser: step: factor {factor}: must be a number from 0 on")
        numbers = itertools.count()
        for group in self.param_groups:
            options = group | {"lr": float(group["lr"] * factor)}
            rules: dict[Any, Rule] = {}
            for p, number in zip(group["params"], numbers):
                if not _moves(p):
                    continue
                values = p._array
                kind = type(values), values.dtype
                rule = rules.get(kind)
                if rule is None:
                    rule = rules[kind] = self._rule(options, values)
                state = self.state.get(number)
                if state is None:
                    state = self.state[number] = {}
                renew(p, rule(state, values, p._grad._array))

    def _rule(self, options: Mapping[str, Any], like: Any) -> Rule:
        """Return the function of a state, values and their gradient that returns new values.

        It replaces what the state holds.  It serves arrays of the kind and dtype of ``like``.
        """
        raise UsageError(f"{type(self).__name__} has no rule: use SGD, Adam or AdamW")

    def state_dict(self) -> dict[str, Any]:
        """Return what the next steps depend on, in the form and by the names of PyTorch's.

        Returns:
            ``"state"``: for each parameter's number a dict of arrays (copies, on the parameter's
            device) and counts; ``"param_groups"``: the options of each group, with the numbers of
            its parameters under ``"params"``.
        """
        numbers = {p: i for i, p in enumerate(self.parameters)}
        return {
            "state": {
                i: {name: _copied(value) for name, value in state.items()}
                for i, state in self.state.items()
            },
            "param_groups": [
                group | {"params": [numbers[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` returned, options included.

        PyTorch's state of the optimiser of that name is taken over too, where its options mean
        what ours do; what is only PyTorch's way of computing, such as ``foreach``, is passed over.

        Raises:
            UsageError: it is of an optimiser with other groups, options or parameters; nothing
                was changed.
        """
        where = f"{type(self).__name__}.load_state_dict"
        if not (isinstance(state_dict, Mapping) and {"state", "param_groups"} <= set(state_dict)):
            raise UsageError(f"{where}: expected what state_dict() of an optimiser returned")
        groups = read_groups(
            where,
            type(self).__name__,
            self.state_dict()["param_groups"],
            state_dict["param_groups"],
        )
        state = read_state(where, self.remembers, self.parameters, state_dict["state"])
        for group, options in zip(self.param_groups, groups, strict=True):
            group.update(options)
        self.state = state

    def _group(self, given: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
        """Return a group with all options, checked."""
        kind = type(self).__name__
        if not isinstance(given, dict) or "params" not in given:
            raise UsageError(
                f"optimiser: {_shown(given)}: a group is a dict such as {{'params': [w], 'lr': 0.1}}"
            )
        check_known(kind, given.keys() - {"params"}, defaults)
        params = given["params"]
        group = {"params": [params] if isinstance(params, Tensor) else list(params)}
        group |= {name: plain(given.get(name, value)) for name, value in defaults.items()}
        check_options(group)
        return group


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum, weight decay and L1.

    With g the gradient plus ``weight_decay`` p: v = momentum v + (1 - dampening) g, starting
    at g, and p -= lr v; with ``nesterov``, p -= lr (g + momentum v).

    ``l1`` adds l1 sum abs(p) to the loss by its proximal step: after each step every number
    moves lr l1 towards 0 and stops there.  So numbers become 0 exactly, where a subgradient
    would leave them dancing about it.  Source: Parikh & Boyd 2014, "Proximal algorithms",
    sections 4.2 and 6.5.2.

    >>> import tinygrad_res as tg
    >>> w = tg.parameter([3.0, 0.1])
    >>> optimizer = SGD([w], lr=0.5, l1=1.0)
    >>> for _ in range(50):
    ...     optimizer.zero_grad()
    ...     (0.5 * (w - [3.0, 0.1]) ** 2).sum().backward()
    ...     optimizer.step()
    >>> w.data.round(9)  # each 1 nearer to 0, and no further than that
    array([2., 0.])
    """

    remembers = frozenset({"momentum_buffer"})

    def __init__(
        self, params: Parameters, lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
        weight_decay: float = 0.0, nesterov: bool = False, l1: float = 0.0, **unknown: Never,
    ) -> None:  # fmt: skip
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "dampening": dampening,
                "weight_decay": weight_decay, "nesterov": nesterov, "l1": l1,
            },
            unknown,
        )  # fmt: skip

    def _rule(self, options: Mapping[str, Any], like: Any) -> Rule:
        xp, nesterov = backend.namespace(like), options["nesterov"]
        threshold, dampening = options["lr"] * options["l1"], options["dampening"]
        lr, momentum, decay, damped = _factors(
            like, options["lr"], options["momentum"], options["weight_decay"], 1 - dampening
        )

        def rule(state: State, p: Any, g: Any) -> Any:
            if decay:
                g = g + decay * p
            if momentum:
                v = state.get("momentum_buffer")
                if v is None:
                    v = state["momentum_buffer"] = xp.array(g)
                else:  # in place: state_dict gives away copies only
                    v *= momentum
                    v += damped * g if dampening else g
                g = g + momentum * v if nesterov else v
            moved = p - lr * g
            return _nearer_to_zero(moved, threshold) if threshold else moved

        return rule


class Adam(Optimizer):
    """Adam: steps of size lr along the mean gradient over its root mean square.

    Weight decay is added to the gradient, as an L2 penalty on the loss would be.

    Source: Kingma & Ba 2015, with the bias correction of their algorithm 1.

    >>> import tinygrad_res as tg
    >>> w = tg.parameter([1.0])
    >>> (5 * w).sum().backward()
    >>> Adam([w], lr=0.1).step()
    >>> w.data.round(6)  # the first step is lr, however steep
    array([0.9])
    """

    remembers = frozenset({"step", "exp_avg", "exp_avg_sq"})

    def __init__(
        self, params: Parameters, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, **unknown: Never,
    ) -> None:  # fmt: skip
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}, unknown
        )

    def _rule(self, options: Mapping[str, Any], like: Any) -> Rule:
        (decay,) = _factors(like, options["weight_decay"])
        away = _mean_over_root_mean_square(options, like)
        return lambda state, p, g: p - away(state, g + decay * p if decay else g)


class AdamW(Adam):
    """Adam with decoupled weight decay: each step first takes p to (1 - lr weight_decay) p.

    Source: Loshchilov & Hutter 2019, algorithm 2.

    >>> import tinygrad_res as tg
    >>> w = tg.parameter([1.0])
    >>> (5 * w).sum().backward()
    >>> AdamW([w], lr=0.1, weight_decay=0.5).step()
    >>> w.data.round(6)
    array([0.85])
    """

    def __init__(
        self, params: Parameters, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, **unknown: Never,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, **unknown)

    def _rule(self, options: Mapping[str, Any], like: Any) -> Rule:
        (kept,) = _factors(like, 1 - options["lr"] * options["weight_decay"])
        away = _mean_over_root_mean_square(options, like)
        return lambda state, p, g: p * kept - away(state, g)


def _mean_over_root_mean_square(
    options: Mapping[str, Any], like: Any
) -> Callable[[State, Any], Any]:
    """Return the function of a state and a gradient that says how far Adam moves."""
    xp, (b1, b2) = backend.namespace(like), options["betas"]
    lr, eps, kept1, kept2, new1, new2 = _factors(
        like, options["lr"], options["eps"], b1, b2, 1 - b1, 1 - b2
    )
    weights = cache(lambda t: _factors(like, 1 - b1**t, 1 - b2**t))

    def away(state: State, g: Any) -> Any:
        if not state:
            state.update(step=0, exp_avg=xp.zeros_like(g), exp_avg_sq=xp.zeros_like(g))
        state["step"] += 1
        first, second = state["exp_avg"], state["exp_avg_sq"]
        first *= kept1  # in place: state_dict gives away copies only
        first += new1 * g
        second *= kept2
        second += new2 * g * g
        weight1, weight2 = weights(state["step"])
        root, moved = second / weight2, first / weight1
        root **= 0.5
        root += eps
        moved *= lr
        moved /= root
        return moved

    return away


def _factors(like: Any, *numbers: float) -> Sequence[Any]:
    """Return numbers in the dtype of a NumPy array, which multiplies by such ones sooner."""
    if backend.namespace(like) is not np:
        return numbers
    return [np.asarray(number, like.dtype) for number in numbers]


def _nearer_to_zero(values: Any, distance: float) -> Any:
    """Return the proximal point of distance times sum abs: soft thresholding."""
    xp = backend.namespace(values)
    return values - xp.clip(values, -distance, distance)


def _moves(p: Parameter) -> bool:
    """Say whether a step changes a parameter: it has a gradient and is not frozen."""
    return p._grad is not None and p._node.requires_grad


def _shown(value: Any) -> str:
    return (value.name if isinstance(value, Tensor) else None) or f"a {type(value).__name__}"


def _copied(value: Any) -> Any:
    return value.copy() if backend.is_array(value) else value
