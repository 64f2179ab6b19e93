"""Convolution: one trilinear form, three contractions.

With T(x, w, g) = <g, conv(x, w)>, opening one slot of T gives the convolution, its
transpose (the input's cotangent) and the weight's cotangent.  Each is bilinear in the
other two, so each one's derivatives are the two others, and derivatives of every order
stay within the three.  What they run stands in
``convolution_kernels``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..custom import Operation, contraction
from ..errors import ShapeError, UsageError
from ..nests import Index, Nest
from ..tensor import Tensor, shape_of
from . import convolution_kernels as kernels
from .arguments import whole, word
from .indexing import getitem
from .patches import output_size
from .pointwise import add
from .structural import reshape
from .windows import pad

__all__ = [
    "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "convolve", "correlate",
]  # fmt: skip


def _forms(n: int, forward: Any, transposed: Any, weight: Any) -> tuple[Operation, Operation]:
    """Return convolution in n dimensions and its transpose."""
    # fmt: off
    conv: Operation = contraction(forward,
        lambda xp, g, w, shape, **q: conv_x.apply((g, w), {"x_shape": shape, **q}),
        lambda xp, g, x, shape, **q: conv_w.apply((x, g), {"w_shape": shape, **q}), name=f"conv{n}d", terms=_terms(0, 1, 2))
    conv_x: Operation = contraction(transposed,
        lambda xp, u, w, shape, x_shape, **q: conv.apply((u, w), q),
        lambda xp, u, g, shape, x_shape, **q: conv_w.apply((u, g), {"w_shape": shape, **q}), name=f"conv_transpose{n}d", terms=_terms(2, 1, 0))
    conv_w: Operation = contraction(weight,
        lambda xp, u, g, shape, w_shape, **q: conv_x.apply((g, u), {"x_shape": shape, **q}),
        lambda xp, u, x, shape, w_shape, **q: conv.apply((x, u), q), name=f"conv{n}d_weight", terms=_terms(0, 2, 1))
    # fmt: on
    return conv, conv_x


def _terms(*order: int) -> Callable[..., list[Nest]]:
    """Return the terms of T, with the images, the filters and T's outputs in another order.

    ``order`` says where each of them is among the operands and the result, and exchanges two.
    """

    def terms(
        *shapes: Any, stride: Any, padding: Any, dilation: Any, groups: int, **_: Any
    ) -> list[Nest]:
        x, w, g = (shapes[k] for k in order)
        along = range(len(stride))
        lengths: dict[Any, int] = {"n": x[0], "group": groups, "o": w[0] // groups, "c": w[1]}
        lengths |= {("out", k): g[2 + k] for k in along} | {("w", k): w[2 + k] for k in along}
        place, image, channel = Index({"n": 1}), Index({"group": w[1], "c": 1}), Index({"c": 1})
        filters = Index({"group": w[0] // groups, "o": 1})
        pixels = [
            Index({("out", k): s, ("w", k): d}, -p)
            for k, s, p, d in zip(along, stride, padding, dilation, strict=True)
        ]
        axes = (
            (place, image, *pixels),
            (filters, channel, *(Index({("w", k): 1}) for k in along)),
            (place, filters, *(Index({("out", k): 1}) for k in along)),
        )
        return [Nest(lengths, tuple(axes[k] for k in order))]

    return terms


_KERNELS: tuple[Any, ...] = (kernels.forward, kernels.transposed, kernels.weight)
_FORMS = {1: _forms(1, *map(kernels.of_signals, _KERNELS)), 2: _forms(2, *_KERNELS)}
_WORDS = {1: ("signals", "L", "k"), 2: ("images", "H, W", "kh, kw")}


def conv1d(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: int | tuple[int] = 1,
    padding: int | tuple[int] | str = 0,
    dilation: int | tuple[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of signals with a bank of filters, as PyTorch's conv1d.

    Args:
        x: signals (N, C, L).
        w: filters (O, C / groups, k).
        bias, stride, padding, dilation, groups: as for ``conv2d``.

    Returns:
        A tensor (N, O, OL) with OL = (L + 2 padding - dilation (k - 1) - 1) // stride + 1.

    Raises:
        ShapeError: the shapes do not fit together.
        UsageError: ``padding`` is another word, or ``"same"`` with a stride.

    >>> conv1d([[[1.0, 2.0, 4.0, 8.0]]], [[[-1.0, 1.0]]])
    tensor([[[1., 2., 4.]]])
    """
    return _convolve(1, x, w, bias, stride, padding, dilation, groups)


def conv2d(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] | str = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of images with a bank of filters, as PyTorch's conv2d.

    Args:
        x: images (N, C, H, W).
        w: filters (O, C / groups, kh, kw).
        bias: (O,), added to every position.
        stride, padding, dilation: one number, or one for each of height and width.
            ``padding="same"`` keeps the size, with the odd zero of an even filter at the
            end, and ``"valid"`` is 0.
        groups: into how many independent parts channels and filters are split.

    Returns:
        A tensor (N, O, OH, OW) with OH = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1.

    Raises:
        ShapeError: the shapes do not fit together.
        UsageError: ``padding`` is another word, or ``"same"`` with a stride.

    >>> conv2d([[[[1.0, 2.0], [3.0, 4.0]]]], [[[[1.0, 1.0]]]])
    tensor([[[[3.],
              [7.]]]])
    """
    return _convolve(2, x, w, bias, stride, padding, dilation, groups)


def _convolve(
    n: int, x: Any, w: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    name, (things, sizes, window) = f"conv{n}d", _WORDS[n]
    a, b = shape_of(x), shape_of(w)
    if len(a) != n + 2 or len(b) != n + 2:
        raise ShapeError(
            f"{name}: {things} {a} and filters {b}: expected (N, C, {sizes}) and "
            f"(O, C / groups, {window})"
        )
    groups = whole(name, "groups", groups)
    if groups < 1 or a[1] != b[1] * groups or b[0] % groups:
        raise ShapeError(
            f"{name}: {things} {a}, filters {b}, groups {groups}: the {things} have {a[1]} "
            f"channels, the filters take {b[1]} x {groups}, and {groups} must divide {b[0]}"
        )
    geometry = _geometry(name, n, stride, _number(name, padding, stride), dilation)
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(geometry["dilation"], b[2:], strict=True)]
        geometry["padding"] = tuple(t // 2 for t in total)
        if any(t % 2 for t in total):
            x = pad(x, ((0, 0), (0, 0), *((0, t % 2) for t in total)))
    if min(*output_size(shape_of(x)[2:], b[2:], **geometry), *b[2:]) < 1:
        raise ShapeError(
            f"{name}: filters of {b[2:]} (dilation {dilation}) do not fit into {things} of "
            f"{a[2:]} padded by {padding}"
        )
    return _biased(name, _FORMS[n][0](x, w, groups=groups, **geometry), bias, b, b[0])


def _number(name: str, padding: Any, stride: Any) -> Any:
    """Return ``padding``, 0 for a word."""
    if not isinstance(padding, str):
        return padding
    if padding not in ("same", "valid"):
        raise UsageError(f"{name}: padding {padding!r}: use 'same', 'valid', or numbers")
    if padding == "same" and stride not in (1, (1,), (1, 1), [1], [1, 1]):
        raise UsageError(
            f"{name}: padding 'same' with stride {stride}: the size is kept with stride 1 only; "
            "give the padding as a number"
        )
    return 0


def _geometry(name: str, n: int, stride: Any, padding: Any, dilation: Any) -> dict[str, Any]:
    """Return stride, padding and dilation with one number for each axis."""
    found = {
        "stride": _each(name, n, "stride", stride),
        "padding": _each(name, n, "padding", padding),
        "dilation": _each(name, n, "dilation", dilation),
    }
    if min(found["stride"]) < 1 or min(found["dilation"]) < 1 or min(found["padding"]) < 0:
        raise ShapeError(
            f"{name}: stride {stride}, padding {padding}, dilation {dilation}: "
            "stride and dilation must be at least 1, padding at least 0"
        )
    return found


def _each(name: str, n: int, what: str, value: Any) -> tuple[int, ...]:
    each = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    if len(each) != n or not all(isinstance(v, (int, np.integer)) for v in each):
        raise ShapeError(f"{name}: {what} {value!r}: expected an integer, or {n} in a tuple")
    return tuple(int(v) for v in each)


def _biased(name: str, out: Tensor, bias: Any, filters: tuple[int, ...], channels: int) -> Tensor:
    if bias is None:
        return out
    if shape_of(bias) != (channels,):
        raise ShapeError(
            f"{name}: bias {shape_of(bias)} and filters {filters}: expected {(channels,)}"
        )
    return add(out, reshape(bias, (-1,) + (1,) * (len(filters) - 2)))


def conv_transpose1d(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: int | tuple[int] = 1,
    padding: int | tuple[int] = 0,
    output_padding: int | tuple[int] = 0,
    groups: int = 1,
    dilation: int | tuple[int] = 1,
) -> Tensor:
    """Return the transpose of ``conv1d``, as PyTorch's conv_transpose1d.

    Args:
        x: signals (N, C, L).
        w: filters (C, O / groups, k).
        bias, stride, padding, output_padding, groups, dilation: as for ``conv_transpose2d``.

    Returns:
        A tensor (N, O, (L - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1).

    Raises:
        ShapeError: the shapes do not fit together.

    >>> conv_transpose1d([[[1.0, 10.0]]], [[[1.0, 2.0, 3.0]]], stride=2)
    tensor([[[ 1.,  2., 13., 20., 30.]]])
    """
    return _transposed(1, x, w, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    output_padding: int | tuple[int, int] = 0,
    groups: int = 1,
    dilation: int | tuple[int, int] = 1,
) -> Tensor:
    """Return the transpose of ``conv2d``, as PyTorch's conv_transpose2d.

    It is the linear map with <conv2d(u, w), x> = <u, conv_transpose2d(x, w)> for images u:
    every pixel of ``x`` adds its multiple of the filter to the result.

    Args:
        x: images (N, C, H, W).
        w: filters (C, O / groups, kh, kw).
        bias: (O,), added to every position.
        stride, padding, dilation: those of the convolution whose transpose it is.
        output_padding: rows and columns more at the end, smaller than stride or dilation:
            which of the sizes of u, that give the same size of x, is meant.
        groups: into how many independent parts channels are split.

    Returns:
        A tensor (N, O, OH, OW), OH = (H - 1) stride - 2 padding + dilation (kh - 1) +
        output_padding + 1.

    Raises:
        ShapeError: the shapes do not fit together.

    >>> conv_transpose2d([[[[1.0, 10.0]]]], [[[[1.0, 2.0], [3.0, 4.0]]]])
    tensor([[[[ 1., 12., 20.],
              [ 3., 34., 40.]]]])
    """
    return _transposed(2, x, w, bias, stride, padding, output_padding, groups, dilation)


def _transposed(
    n: int, x: Any, w: Any, bias: Any, stride: Any, padding: Any, output_padding: Any,
    groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    name, (things, sizes, window) = f"conv_transpose{n}d", _WORDS[n]
    a, b = shape_of(x), shape_of(w)
    if len(a) != n + 2 or len(b) != n + 2:
        raise ShapeError(
            f"{name}: {things} {a} and filters {b}: expected (N, C, {sizes}) and "
            f"(C, O / groups, {window})"
        )
    groups = whole(name, "groups", groups)
    if groups < 1 or a[1] != b[0] or a[1] % groups:
        raise ShapeError(
            f"{name}: {things} {a}, filters {b}, groups {groups}: the {things} have {a[1]} "
            f"channels, the filters take {b[0]}, and {groups} must divide them"
        )
    geometry = _geometry(name, n, stride, padding, dilation)
    extra = _each(name, n, "output_padding", output_padding)
    steps = list(zip(geometry["stride"], geometry["dilation"], strict=True))
    if any(not 0 <= e < max(step) for e, step in zip(extra, steps, strict=True)):
        raise ShapeError(
            f"{name}: output_padding {output_padding}, stride {stride}, dilation {dilation}: "
            "output_padding must be at least 0, and smaller than stride or dilation"
        )
    size = tuple(
        (m - 1) * s - 2 * p + d * (k - 1) + e + 1
        for m, k, (s, d), p, e in zip(a[2:], b[2:], steps, geometry["padding"], extra, strict=True)
    )
    if min(*size, *a[2:], *b[2:]) < 1:
        raise ShapeError(
            f"{name}: {things} of {a[2:]}, filters of {b[2:]}, padding {padding}: "
            f"nothing is left, {size}"
        )
    channels = b[1] * groups
    beyond = tuple(e // s for e, (s, _) in zip(extra, steps, strict=True))
    if any(beyond):  # the convolution of images that large makes this many pixels more
        x = pad(x, ((0, 0), (0, 0), *((0, m) for m in beyond)))
    out = _FORMS[n][1](x, w, groups=groups, x_shape=(a[0], channels, *size), **geometry)
    return _biased(name, out, bias, b, channels)


def convolve(a: Any, v: Any, mode: str = "full") -> Tensor:
    """Return the convolution of two vectors, as ``numpy.convolve``, recorded as ``conv1d``.

    Args:
        a, v: vectors of lengths n and m.
        mode: ``"full"`` for all n + m - 1 elements, ``"same"`` for the max(n, m) in the
            middle, ``"valid"`` for those where the vectors overlap completely.

    Raises:
        ShapeError: ``a`` or ``v`` is no vector, or empty.
        UsageError: ``mode`` is another word.

    >>> convolve([1.0, 2.0, 3.0], [1.0, 10.0])
    tensor([ 1., 12., 23., 30.])
    """
    _check_vectors("convolve", a, v, mode)
    if shape_of(v) > shape_of(a):
        a, v = v, a
    return _slide(a, getitem(v, slice(None, None, -1)), mode)


def correlate(a: Any, v: Any, mode: str = "valid") -> Tensor:
    """Return c with c[k] = sum a[n + k] v[n], as ``numpy.correlate``, recorded as ``conv1d``.

    Arguments and errors are those of ``convolve``.

    >>> correlate([1.0, 2.0, 3.0], [1.0, 10.0])
    tensor([21., 32.])
    """
    _check_vectors("correlate", a, v, mode)
    if shape_of(v) > shape_of(a):
        return getitem(_slide(v, a, mode), slice(None, None, -1))
    return _slide(a, v, mode)


def _check_vectors(name: str, a: Any, v: Any, mode: Any) -> None:
    s, t = shape_of(a), shape_of(v)
    if len(s) != 1 or len(t) != 1 or not s[0] or not t[0]:
        raise ShapeError(f"{name}: {s} and {t}: expected two vectors of at least one element")
    word(name, "mode", mode, "full", "same", "valid")


def _slide(a: Any, v: Any, mode: str) -> Tensor:
    """Correlate with a vector that is no longer than ``a``."""
    (n,), (m,) = shape_of(a), shape_of(v)
    around = {"full": m - 1, "same": m // 2, "valid": 0}[mode]
    out = conv1d(reshape(a, (1, 1, n)), reshape(v, (1, 1, m)), padding=around)
    flat = reshape(out, -1)
    return getitem(flat, slice(n)) if mode == "same" and m % 2 == 0 else flat
