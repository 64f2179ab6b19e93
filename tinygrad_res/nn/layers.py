"""The layers with weights that paths are graded by: linear, convolutional, embedding.

A path from the output of a linear or convolutional layer to its input carries the weight as a
factor and so crosses one weight layer.  An embedding picks rows: from its output paths lead to
the weight alone, since the integers that choose the rows carry no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from .. import primitives as ops
from ..errors import DtypeError, ShapeError, UsageError
from ..record import no_grad
from ..tensor import Parameter, Tensor, parameter, raw, shape_of
from ..whole_numbers import at_least, whole
from .initialisations import Draw, default, fans, normal, uniform
from .module import Module

Size = int | tuple[int, ...]
"""A length for every axis, or one for each."""
Random = np.random.Generator | int | None
"""What draws the initial weights: a generator, or its seed."""


class Linear(Module):
    """x @ weight.T + bias, with weight (out, in) and bias (out,).

    Args:
        in_features, out_features: the lengths of the last axis before and after.
        bias: whether there is one.
        rng: draws the initial values: a generator or a seed.
        draw: how the weight is drawn, such as ``nn.he_normal``; as PyTorch does where left out.

    Raises:
        UsageError: a length is less than 1.

    >>> import tinygrad_res as tg
    >>> tg.nn.Linear(4, 3, rng=0)(np.ones((2, 4), np.float32)).shape
    (2, 3)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *,
        rng: Random = None, draw: Draw = default,
    ) -> None:  # fmt: skip
        at_least(1, "Linear", "in_features", in_features)
        at_least(1, "Linear", "out_features", out_features)
        self.weight, self.bias = _drawn((out_features, in_features), bias, rng, draw)

    def forward(self, x: Any) -> Tensor:
        """Return (..., out) for ``x`` (..., in)."""
        return ops.linear(x, self.weight, self.bias)


class _Convolution(Module):
    """What the layers of one and of two dimensions share."""

    run: Callable[..., Tensor]
    axes: int

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size = 1,
        padding: Size | str = 0, dilation: Size = 1, groups: int = 1, bias: bool = True, *,
        rng: Random = None, draw: Draw = default,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        at_least(1, name, "in_channels", in_channels)
        at_least(1, name, "out_channels", out_channels)
        at_least(1, name, "groups", groups)
        if in_channels % groups or out_channels % groups:
            raise UsageError(
                f"{name}: groups={groups}: must divide in_channels={in_channels} and "
                f"out_channels={out_channels}"
            )
        window = each(self.axes, name, "kernel_size", kernel_size)
        strides = each(self.axes, name, "stride", stride)
        each(self.axes, name, "dilation", dilation)
        if not isinstance(padding, str):
            each(self.axes, name, "padding", padding, least=0)
        elif padding not in ("same", "valid") or (padding == "same" and max(strides) > 1):
            raise UsageError(
                f"{name}: padding={padding!r} with stride {stride}: use 'valid', a number, or, with "
                "stride 1, 'same'"
            )
        shape = (out_channels, in_channels // groups, *window)
        self.weight, self.bias = _drawn(shape, bias, rng, draw)
        self.geometry: dict[str, Any] = {
            "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
        }  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        """Return (N, out, OH, OW) for images (N, in, H, W), or (N, out, OL) for (N, in, L).

        Raises:
            ShapeError: ``x`` is no batch of them, has other channels or is too small.
        """
        batch(self.axes, type(self).__name__, x)
        return self.run(x, self.weight, self.bias, **self.geometry)


class Conv1d(_Convolution):
    """Convolution with weight (out, in / groups, k) and bias (out,); see ``tg.conv1d``.

    Arguments and errors are those of ``Conv2d``, with one number where it takes two.

    >>> import tinygrad_res as tg
    >>> tg.nn.Conv1d(3, 8, 3, padding=1)(np.ones((2, 3, 5), np.float32)).shape
    (2, 8, 5)
    """

    run = staticmethod(ops.conv1d)
    axes = 1


class Conv2d(_Convolution):
    """Convolution with weight (out, in / groups, kh, kw) and bias (out,); see ``tg.conv2d``.

    Args:
        in_channels, out_channels: before and after; ``groups`` divides both.
        kernel_size, stride, padding, dilation: a number, or one for each of height and width;
            ``padding`` may be ``"same"`` or ``"valid"``.
        groups: into how many independent parts the channels are split.
        bias: whether there is one.
        rng: draws the initial values: a generator or a seed.
        draw: how the weight is drawn, such as ``nn.he_normal``; as PyTorch does where left out.

    Raises:
        UsageError: a number is less than 1, or a padding than 0; the padding is another word, or
            "same" with a stride; or the groups do not divide the channels.

    >>> import tinygrad_res as tg
    >>> tg.nn.Conv2d(3, 8, 3, padding=1)(np.ones((2, 3, 5, 5), np.float32)).shape
    (2, 8, 5, 5)
    """

    run = staticmethod(ops.conv2d)
    axes = 2


LAYOUT = {1: "signals (N, C, L)", 2: "images (N, C, H, W)"}


def batch(axes: int, name: str, x: Any) -> tuple[int, ...]:
    """Return the shape of a batch.

    Raises:
        ShapeError: it is none.
    """
    shape = shape_of(x)
    if len(shape) != axes + 2:
        mend = "; pass a single one as x[None]" if len(shape) == axes + 1 else ""
        raise ShapeError(f"{name}: input {shape}: expected {LAYOUT[axes]}{mend}")
    return shape


def each(axes: int, name: str, what: str, size: Any, least: int = 1) -> tuple[int, ...]:
    """Return a number for each of one or two axes, of one for all or of as many.

    Raises:
        UsageError: it is no whole number, or as many as axes, or one is less than ``least``.
    """
    return tuple(at_least(least, name, what, n) for n in as_many(axes, name, what, size))


def as_many(axes: int, name: str, what: str, size: Any) -> tuple[Any, ...]:
    """Return what is given for each of one or two axes, whether it is one thing or a tuple.

    Raises:
        UsageError: the tuple has another length.
    """
    given = tuple(size) if isinstance(size, (tuple, list)) else (size,) * axes
    if len(given) != axes:
        count = "one" if axes == 1 else "two"
        raise UsageError(f"{name}: {what}={size!r}: pass an int, or {count} in a tuple")
    return given


def _drawn(
    shape: tuple[int, ...], bias: bool, rng: Random, draw: Draw
) -> tuple[Parameter, Parameter | None]:
    """Draw the weight, then the bias uniform within 1 / sqrt(fan-in)."""
    rng = np.random.default_rng(rng)
    weight = parameter(draw(rng, shape))
    bound = fans(shape)[0] ** -0.5
    return weight, parameter(uniform(rng, bound, shape[:1])) if bias else None


class Embedding(Module):
    """The rows of ``weight`` (num_embeddings, embedding_dim) that integers choose.

    Weights start normal with variance 1.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the length of a row.
        padding_idx: a row that starts as zeros and is not trained.
        rng: draws the initial values: a generator or a seed.

    Raises:
        UsageError: a number is less than 1, or there is no row ``padding_idx``.

    >>> import tinygrad_res as tg
    >>> rows = tg.nn.Embedding(10, 4, padding_idx=0)
    >>> rows([[1, 2, 0]]).shape
    (1, 3, 4)
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *,
        rng: Random = None,
    ) -> None:  # fmt: skip
        shape = (
            at_least(1, "Embedding", "num_embeddings", num_embeddings),
            at_least(1, "Embedding", "embedding_dim", embedding_dim),
        )
        values = normal(np.random.default_rng(rng), 1.0, shape)
        if padding_idx is not None:
            row = whole(padding_idx)
            if row is None or not -num_embeddings <= row < num_embeddings:
                raise UsageError(
                    f"Embedding: padding_idx={padding_idx!r}: there are {num_embeddings} rows"
                )
            padding_idx = row % num_embeddings
            values[padding_idx] = 0
        self.weight = parameter(values)
        self.padding_idx = padding_idx

    def forward(self, indices: Any) -> Tensor:
        """Return (..., embedding_dim) for integers (...,).

        Raises:
            ShapeError: there is no such row, or lists are of unequal lengths.
            DtypeError: they are no integers.
        """
        chosen, rows = raw(indices), self.weight.shape[0]
        if not backend.is_array(chosen):
            try:
                chosen = np.asarray(chosen)
            except ValueError as error:
                raise ShapeError("Embedding: lists of unequal lengths: pad them") from error
        if chosen.dtype.kind not in "iu":
            raise DtypeError(f"Embedding: indices of dtype {chosen.dtype}: pass integers")
        if isinstance(chosen, np.ndarray) and chosen.size:
            for index in (chosen.min(), chosen.max()):
                if not 0 <= index < rows:
                    raise ShapeError(
                        f"Embedding: index {index}: rows are counted from 0 to {rows - 1}"
                    )
        found = ops.take(self.weight, chosen, axis=0)
        if self.padding_idx is None:
            return found
        with no_grad():
            fixed = ops.take(self.weight, chosen, axis=0)
        return ops.where((chosen != self.padding_idx)[..., None], found, fixed)
