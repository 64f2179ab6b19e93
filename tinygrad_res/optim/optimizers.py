"""The optimisers: SGD, Adam and AdamW, by PyTorch's formulas.

An optimiser is a rule for one parameter (``_update``: values, gradient and what it remembers
of earlier steps, to new values) and a list of groups, which say the options that hold for
which parameters.  What is remembered are arrays and counts under PyTorch's names, so
``state_dict`` is all that a training needs to go on where it stopped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from .. import backend
from ..errors import GradientError, UsageError
from ..record import Leaf
from ..tensor import Parameter, Tensor, raw, renew
from ..whole_numbers import whole
from .options import check_eps, check_options, holds, plain

Parameters = Iterable[Parameter] | Iterable[dict[str, Any]]
State = dict[str, Any]


class Optimizer:
    """Parameters in groups, and what their steps remember; subclasses hold the rule.

    Attributes:
        param_groups: one dict for each group: its parameters under ``"params"``, and its
            options, such as ``"lr"``, which may be changed between steps.
        state: for each parameter, by its number, what is remembered of earlier steps.
        remembers: the names of that.
    """

    remembers: frozenset[str] = frozenset()

    def __init__(self, params: Parameters, defaults: Mapping[str, Any]) -> None:
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
            p.grad = None

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
            names = [p.name or str(p.shape) for p in self.parameters]
            raise GradientError(
                f"optimiser: no gradient for {', '.join(names[:5])}: call loss.backward() first, "
                "and make the optimiser of the parameters that the loss depends on, after "
                "network.to(...), which replaces them"
            )
        if not holds(lambda f: 0 <= f < math.inf, factor):
            raise UsageError(f"optimiser: step: factor {factor}: must be a number from 0 on")
        numbers = itertools.count()
        for group in self.param_groups:
            options = group | {"lr": float(group["lr"] * factor)}
            for p, number in zip(group["params"], numbers):
                if _moves(p):
                    state = self.state.setdefault(number, {})
                    renew(p, self._update(options, state, raw(p), raw(p._grad)))

    def _update(self, options: Mapping[str, Any], state: State, p: Any, g: Any) -> Any:
        """Return new values for ``p``, whose gradient is ``g``, and replace what ``state`` holds."""
        raise UsageError(f"{type(self).__name__} has no rule: use SGD, Adam or AdamW")

    def state_dict(self) -> dict[str, Any]:
        """Return what the next steps depend on, in PyTorch's form.

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

        Raises:
            UsageError: it is of an optimiser with other groups, options or parameters; nothing
                was changed.
        """
        where = f"{type(self).__name__}.load_state_dict"
        if not (isinstance(state_dict, Mapping) and {"state", "param_groups"} <= set(state_dict)):
            raise UsageError(f"{where}: expected what state_dict() of an optimiser returned")
        _check_groups(where, self.state_dict()["param_groups"], state_dict["param_groups"])
        parameters = self.parameters
        for i in state_dict["state"]:
            if whole(i) is None or not 0 <= i < len(parameters):
                raise UsageError(
                    f"{where}: there is a state of parameter {i!r}, and the optimiser has "
                    f"{len(parameters)} parameters, from 0"
                )
            if set(state_dict["state"][i]) not in (set(), self.remembers):
                raise UsageError(
                    f"{where}: of parameter {i} it holds {', '.join(state_dict['state'][i])}: "
                    f"expected {', '.join(sorted(self.remembers)) or 'nothing'}"
                )
        state = {
            i: {
                name: _placed(f"{where}: {name} of parameter {i}", value, parameters[i])
                for name, value in values.items()
            }
            for i, values in state_dict["state"].items()
        }
        for group, new in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({name: plain(value) for name, value in new.items() if name != "params"})
        self.state = state

    def _group(self, given: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
        """Return a group with all options, checked."""
        kind = type(self).__name__
        if not isinstance(given, dict) or "params" not in given:
            raise UsageError(
                f"optimiser: {_shown(given)}: a group is a dict such as {{'params': [w], 'lr': 0.1}}"
            )
        unknown = ", ".join(sorted(set(given) - set(defaults) - {"params"}))
        if unknown:
            raise UsageError(
                f"optimiser: {kind} has no option {unknown}: use {', '.join(defaults)}"
            )
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
        weight_decay: float = 0.0, nesterov: bool = False, l1: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "dampening": dampening,
                "weight_decay": weight_decay, "nesterov": nesterov, "l1": l1,
            },
        )  # fmt: skip

    def _update(self, options: Mapping[str, Any], state: State, p: Any, g: Any) -> Any:
        lr, momentum = options["lr"], options["momentum"]
        if options["weight_decay"]:
            g = g + options["weight_decay"] * p
        if momentum:
            v = state.get("momentum_buffer")
            if v is None:
                v = g.copy()
            else:  # in place: state_dict gives away copies only
                v *= momentum
                v += g if not options["dampening"] else (1 - options["dampening"]) * g
            state["momentum_buffer"] = v
            g = g + momentum * v if options["nesterov"] else v
        moved = p - lr * g
        return _nearer_to_zero(moved, lr * options["l1"]) if options["l1"] else moved


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
        eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

    def _update(self, options: Mapping[str, Any], state: State, p: Any, g: Any) -> Any:
        if options["weight_decay"]:
            g = g + options["weight_decay"] * p
        return p - self._moved(options, state, g)

    def _moved(self, options: Mapping[str, Any], state: State, g: Any) -> Any:
        """Return lr times the mean gradient over its root mean square."""
        b1, b2 = options["betas"]
        t = state.get("step", 0) + 1
        first = b1 * state.get("exp_avg", 0.0) + (1 - b1) * g
        second = b2 * state.get("exp_avg_sq", 0.0) + (1 - b2) * g * g
        state.update(step=t, exp_avg=first, exp_avg_sq=second)
        return (
            options["lr"] * (first / (1 - b1**t)) / ((second / (1 - b2**t)) ** 0.5 + options["eps"])
        )


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
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)

    def _update(self, options: Mapping[str, Any], state: State, p: Any, g: Any) -> Any:
        kept = p * (1 - options["lr"] * options["weight_decay"])
        return kept - self._moved(options, state, g)


def _nearer_to_zero(values: Any, distance: float) -> Any:
    """Return the proximal point of distance times sum abs: soft thresholding."""
    xp = backend.namespace(values)
    return values - xp.clip(values, -distance, distance)


def _moves(p: Parameter) -> bool:
    """Say whether a step changes a parameter: it has a gradient and is not frozen."""
    return p._grad is not None and p.requires_grad


def _shown(value: Any) -> str:
    return (value.name if isinstance(value, Tensor) else None) or f"a {type(value).__name__}"


def _copied(value: Any) -> Any:
    return value.copy() if backend.is_array(value) else value


def _placed(what: str, value: Any, p: Parameter) -> Any:
    """Return a remembered value of a parameter as its own copy, beside the parameter."""
    if not backend.is_array(value):
        if whole(value) is None:
            raise UsageError(f"{what} is a {type(value).__name__}: expected an array or a count")
        return value
    if value.shape != p.shape:
        raise UsageError(f"{what} has shape {value.shape}, but the parameter has shape {p.shape}")
    array = backend.to_device(raw(value), p.device)
    return array.astype(p.dtype)  # a copy


def _check_groups(where: str, ours: list[Any], theirs: list[Any]) -> None:
    """Refuse groups of other sizes, or with other options."""
    sizes = [[len(group.get("params", ())) for group in groups] for groups in (ours, theirs)]
    if sizes[0] != sizes[1]:
        raise UsageError(
            f"{where}: it is of groups of {sizes[1]} parameters, but the optimiser has {sizes[0]}"
        )
    for mine, other in zip(ours, theirs, strict=True):
        if differing := sorted(set(mine) ^ set(other)):
            raise UsageError(
                f"{where}: it is of another kind of optimiser: only one of them has the options "
                f"{', '.join(differing)}"
            )
        check_options(other)
