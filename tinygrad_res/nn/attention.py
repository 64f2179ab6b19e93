"""Attention, composed so that every edge stays visible.

A path leads through a head by one of three doors.  Through the values it crosses their weight and
the output's, two weight layers.  Through the queries or the keys it also enters the softmax that
decides who attends to whom, and crosses that door's weight and the output's, two as well.
With attention frozen (``tg.stop_gradient`` on the weights) only the first kind is left.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from .. import primitives as ops
from ..errors import DtypeError, ShapeError, UsageError
from ..tensor import Parameter, Tensor, parameter, raw, tensor
from ..whole_numbers import at_least
from .dropout import Dropout
from .initialisations import xavier_uniform
from .layers import Linear, Random
from .module import Module


class MultiheadAttention(Module):
    """Heads that each attend with a part of the features, joined by a linear layer.

    Names, initial values and masks are those of ``torch.nn.MultiheadAttention``; unlike in
    ``tg.attention``, true in a mask means *not* to attend.

    Args:
        embed_dim: the number of features E.
        num_heads: the number of heads, a divisor of E.
        dropout: the probability of leaving out an attention weight in training.
        bias: whether the four linear maps have biases.
        batch_first: whether inputs are (N, L, E) rather than (L, N, E).
        kdim, vdim: the features of keys and of values, where they are others than E.
        rng: draws the initial values and dropout: a generator or a seed.

    Raises:
        UsageError: the heads do not divide the features, or a number is less than 1.

    Source: Vaswani et al. 2017, Attention Is All You Need, section 3.2.2.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor(np.ones((5, 2, 8), np.float32))
    >>> out, weights = tg.nn.MultiheadAttention(8, num_heads=2, rng=0)(x, x, x)
    >>> out.shape, weights.shape
    ((5, 2, 8), (2, 5, 5))
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
        *, batch_first: bool = False, kdim: int | None = None, vdim: int | None = None,
        rng: Random = None,
    ) -> None:  # fmt: skip
        at_least(1, "MultiheadAttention", "embed_dim", embed_dim)
        at_least(1, "MultiheadAttention", "num_heads", num_heads)
        if embed_dim % num_heads:
            raise UsageError(
                f"MultiheadAttention: num_heads={num_heads}: must divide embed_dim={embed_dim}"
            )
        rng = np.random.default_rng(rng)
        self.embed_dim, self.num_heads, self.batch_first = embed_dim, num_heads, batch_first
        features = [embed_dim]
        for name, given in (("kdim", kdim), ("vdim", vdim)):
            features.append(
                embed_dim if given is None else at_least(1, "MultiheadAttention", name, given)
            )
        self.features = tuple(features)
        if set(features) == {embed_dim}:
            drawn = xavier_uniform(rng, (3 * embed_dim, embed_dim))
            self.in_proj_weight = parameter(drawn)
        else:
            self.in_proj_weight = None
            for letter, length in zip("qkv", features, strict=True):
                drawn = xavier_uniform(rng, (embed_dim, length))
                setattr(self, f"{letter}_proj_weight", parameter(drawn))
        zeros = np.zeros(3 * embed_dim, np.float32)
        self.in_proj_bias = parameter(zeros) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, rng=rng)
        if self.out_proj.bias is not None:
            self.out_proj.bias.data = zeros[:embed_dim]
        self.dropout = Dropout(dropout, rng=rng)

    def forward(
        self, query: Any, key: Any, value: Any, key_padding_mask: Any = None,
        need_weights: bool = True, attn_mask: Any = None, average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """Return the attended values, and how much each query attended to each key.

        Args:
            query: (L, N, E), or (N, L, E) with ``batch_first``, or (L, E).
            key, value: the same with S in place of L, and with ``kdim`` and ``vdim`` features.
            key_padding_mask: (N, S) or (S,); true, or -inf, for keys that nobody attends to.
            need_weights: whether to return the attention weights as well, or ``None``.
            attn_mask: (L, S) or (N heads, L, S); true where a query may not attend to a key, or
                floats that are added to the scores.  A query that may attend to none gets the
                weight 0 for all, where PyTorch gives NaN or the same, by the way it computes.
            average_attn_weights: whether they are averaged over the heads.
            is_causal: whether query i attends to the keys 0 to i only; other than in PyTorch
                this needs no mask beside it.

        Returns:
            A tensor of the query's shape, and (N, L, S), without N where the inputs have none,
            and (N, heads, L, S) without averaging.

        Raises:
            ShapeError: the shapes do not fit.
            DtypeError: a mask holds integers.
        """
        given = [t if backend.is_array(t) else tensor(t) for t in (query, key, value)]
        batched = self._check([t.shape for t in given])
        q, k, v = (self._heads(t, i, batched) for i, t in enumerate(given))
        scores = ops.matmul(q, ops.swapaxes(k, -1, -2)) * (1 / math.sqrt(q.shape[-1]))
        masks = [
            self._mask("attn_mask", attn_mask, scores),
            self._mask("key_padding_mask", key_padding_mask, scores),
        ]
        if is_causal:
            xp = backend.namespace(raw(scores))
            masks.append(xp.triu(xp.ones(scores.shape[-2:], dtype=bool), 1))
        for mask in masks:
            if mask is not None:
                closed = mask.dtype.kind == "b"
                scores = ops.where(mask, -math.inf, scores) if closed else scores + mask
        weights = ops.softmax(scores, axis=-1)
        attended = ops.matmul(self.dropout(weights), v)  # (N, heads, L, E / heads)
        n, _, length, _ = attended.shape
        order = (0, 2, 1, 3) if self.batch_first or not batched else (2, 0, 1, 3)
        joined = ops.permute_dims(attended, order)
        shape = (n, length) if self.batch_first else (length, n)
        out = self.out_proj(ops.reshape(joined, (*shape, -1) if batched else (length, -1)))
        if not need_weights:
            return out, None
        shown = ops.mean(weights, axis=1) if average_attn_weights else weights
        return out, shown if batched else shown[0]

    def _check(self, shapes: list[tuple[int, ...]]) -> bool:
        """Say whether the inputs are batches."""
        query, key, value = shapes
        axis = 0 if self.batch_first else 1  # of the samples
        fits = len(query) in (2, 3) and len({len(s) for s in shapes}) == 1
        fits = fits and key[:-1] == value[:-1] and tuple(s[-1] for s in shapes) == self.features
        if not fits or (len(query) == 3 and query[axis] != key[axis]):
            layout = "(N, L, E)" if self.batch_first else "(L, N, E)"
            lengths = "E = {}, {} for the key, {} for the value".format(*self.features)
            alike = f"E = {self.embed_dim}" if len(set(self.features)) == 1 else lengths
            raise ShapeError(
                f"MultiheadAttention: query {query}, key {key}, value {value}: expected {layout} "
                f"or (L, E) with {alike}, key and value alike"
            )
        return len(query) == 3

    def _heads(self, x: Any, i: int, batched: bool) -> Tensor:
        """Return the queries (0), keys (1) or values (2) of every head, (N, heads, L, E / heads)."""
        part = slice(i * self.embed_dim, (i + 1) * self.embed_dim)
        if self.in_proj_weight is None:
            weight = getattr(self, f"{'qkv'[i]}_proj_weight")
        else:
            weight = self.in_proj_weight[part]
            _name(weight, f"W_{'QKV'[i]}")
        out = ops.matmul(x, weight.T)
        if self.in_proj_bias is not None:
            out = out + self.in_proj_bias[part]
        if not batched:
            out = out[None]
        out = ops.reshape(out, (*out.shape[:2], self.num_heads, -1))
        order = (0, 2, 1, 3) if self.batch_first or not batched else (1, 2, 0, 3)
        return _name(ops.permute_dims(out, order), "QKV"[i])

    def _mask(self, name: str, mask: Any, scores: Tensor) -> Any:
        """Return a mask that broadcasts to the scores (N, heads, L, S)."""
        if mask is None:
            return None
        mask = mask if backend.is_array(mask) else np.asarray(mask)
        if mask.dtype.kind not in "bf":
            raise DtypeError(
                f"MultiheadAttention: {name} of dtype {mask.dtype}: pass booleans, true where not "
                "to attend, or floats that are added to the scores"
            )
        n, heads, queries, keys = scores.shape
        fitting: dict[tuple[int, ...], tuple[int, ...]] = {(n, keys): (n, 1, 1, keys)}
        if name == "attn_mask":
            fitting = {(n * heads, queries, keys): scores.shape, (queries, keys): scores.shape[2:]}
        elif n == 1:
            fitting[(keys,)] = (1, 1, 1, keys)
        if mask.shape not in fitting:
            raise ShapeError(
                f"MultiheadAttention: {name} {mask.shape}: expected "
                f"{' or '.join(map(str, fitting))}"
            )
        if not isinstance(mask, Tensor):
            mask = backend.namespace(raw(scores)).asarray(mask)
        return mask.reshape(fitting[mask.shape])


def _name(recorded: Tensor, name: str) -> Tensor:
    """Name what is recorded, so that figures tell queries, keys and values apart."""
    if recorded.requires_grad:
        recorded.name = name
    return recorded
