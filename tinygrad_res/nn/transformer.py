"""The transformer's block, and a stack of them.

A block is two residual branches, attention and an MLP, so n blocks lead 4^n ways through branches
and round them.  Where ``norm_first`` is set nothing stands on the shortcuts, and one of these ways
is a plain wire.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import UsageError
from ..record import scope
from ..tensor import Tensor
from ..whole_numbers import at_least
from .activations import GELU, ReLU
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .layers import Linear, Random
from .module import Module
from .normalisation import LayerNorm

ACTIVATIONS: dict[str, type[Module]] = {"relu": ReLU, "gelu": GELU}


class TransformerEncoderLayer(Module):
    """A transformer's block: attention beside a shortcut, then an MLP beside a shortcut.

    Names, initial values and arguments are those of ``torch.nn.TransformerEncoderLayer``.  Both
    branches are marked as residual branches, so paths can be graded by "block".

    Args:
        d_model: the number of features E.
        nhead: the number of heads, a divisor of E.
        dim_feedforward: the width of the MLP.
        dropout: the probability of leaving out an element, in attention, in the MLP and at the
            end of each branch.
        activation: of the MLP, ``"relu"``, ``"gelu"``, or any function of a tensor, such as
            ``tg.silu`` or a module.
        layer_norm_eps: added to the variance.
        batch_first: whether inputs are (N, L, E) rather than (L, N, E).
        norm_first: whether a branch normalises its input, which leaves the shortcut a plain
            wire, or the sum is normalised.
        bias: whether linear maps and normalisations have biases.
        rng: draws the initial values and dropout: a generator or a seed.

    Raises:
        UsageError: an argument is outside its choices.

    Source: Vaswani et al. 2017, section 3.1; Xiong et al. 2020 for ``norm_first``.

    >>> import tinygrad_res as tg
    >>> block = tg.nn.TransformerEncoderLayer(8, 2, 16, norm_first=True, rng=0).eval()
    >>> x = tg.tensor(np.ones((3, 1, 8), np.float32), requires_grad=True)
    >>> tg.paths(block(x), x, cotangent=np.ones((3, 1, 8))).count_by("block")[0]
    1
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = "relu", layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, *, rng: Random = None,
    ) -> None:  # fmt: skip
        if isinstance(activation, str) and activation in ACTIVATIONS:
            activation = ACTIVATIONS[activation]()
        elif isinstance(activation, type) or not callable(activation):
            raise UsageError(
                f"TransformerEncoderLayer: activation={activation!r}: use {' or '.join(ACTIVATIONS)}, "
                "or a function such as tg.silu or nn.SiLU()"
            )
        rng = np.random.default_rng(rng)
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, rng=rng
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias, rng=rng)
        self.activation = activation
        self.dropout = Dropout(dropout, rng=rng)
        self.linear2 = Linear(dim_feedforward, d_model, bias, rng=rng)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout1, self.dropout2 = Dropout(dropout, rng=rng), Dropout(dropout, rng=rng)
        self.norm_first = norm_first

    def forward(
        self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """Return a tensor of the shape of ``src``; masks are those of ``MultiheadAttention``."""

        def attend(h: Any) -> Tensor:
            out, _ = self.self_attn(
                h, h, h, src_key_padding_mask, need_weights=False, attn_mask=src_mask,
                is_causal=is_causal,
            )  # fmt: skip
            return self.dropout1(out)  # type: ignore[no-any-return]

        def feed(h: Any) -> Any:
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(h)))))

        x = src
        for name, branch, norm in (
            ("attention", attend, self.norm1), ("feedforward", feed, self.norm2),
        ):  # fmt: skip
            with scope(name, branch=True):
                inner = branch(norm(x) if self.norm_first else x)
            x = x + inner if self.norm_first else norm(x + inner)
        return x  # type: ignore[no-any-return]


class TransformerEncoder(Module):
    """Copies of a transformer's block one after the other, then ``norm``.

    Names and arguments are those of ``torch.nn.TransformerEncoder``.  As there, all copies start
    with the same weights; what they leave out by dropout is drawn for each anew, by the generators
    of the block that was given.

    Args:
        encoder_layer: the block, called as ``TransformerEncoderLayer`` is; it stays as it is.
        num_layers: how many copies.
        norm: a module that the last one's output goes through.

    Raises:
        UsageError: the number is less than 1, or a part is no module.

    Source: Vaswani et al. 2017, section 3.1.

    >>> import tinygrad_res as tg
    >>> block = tg.nn.TransformerEncoderLayer(8, 2, 16, norm_first=True, rng=0)
    >>> network = tg.nn.TransformerEncoder(block, 6).eval()
    >>> x = tg.tensor(np.ones((3, 1, 8), np.float32), requires_grad=True)
    >>> tg.paths(network(x).sum(), x, level="scope").weight_free().count()
    1
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        at_least(1, "TransformerEncoder", "num_layers", num_layers)
        for name, part in (("encoder_layer", encoder_layer), ("norm", norm)):
            if not isinstance(part, Module) and (part is not None or name != "norm"):
                raise UsageError(f"TransformerEncoder: {name}={part!r}: pass a module")
        # A generator that was copied too would leave out the same elements in every layer.
        shared = {
            id(value): value for module in encoder_layer.modules()
            for value in vars(module).values() if isinstance(value, np.random.Generator)
        }  # fmt: skip
        self.layers = ModuleList(
            copy.deepcopy(encoder_layer, dict(shared)) for _ in range(num_layers)
        )
        self.norm = norm

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None,
        is_causal: bool | None = None,
    ) -> Any:  # fmt: skip
        """Return a tensor of the shape of ``src``; masks are those of ``MultiheadAttention``."""
        x = src
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, bool(is_causal))
        return x if self.norm is None else self.norm(x)
