"""What a convolution, its transpose and its filters' cotangent run.

The first and the last are products with the patches of the images, as rows or as columns.
The transpose is a convolution, too: an image's pixels that lie a stride apart see the same
elements of the filters, so each such phase of the image is the convolution of the cotangent
with these elements, turned round.

Signals of one dimension are images of one column.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import patch_columns, patch_rows
from .patches import output_size
from .sharing import shared


def forward(xp: Any, x: Any, w: Any, groups: int, **geometry: Any) -> Any:
    """Return the convolution (N, O, OH, OW) of images (N, C, H, W) with filters (O, C / groups, kh, kw)."""
    size = output_size(x.shape[2:], w.shape[2:], **geometry)
    out = xp.empty((x.shape[0], w.shape[0], *size), dtype=xp.result_type(x, w))
    kernel = _gatherer(w.shape, size)

    def fill(some: slice) -> None:
        kernel.forward(xp, x[some], w, groups, out[some], **geometry)

    shared(xp, fill, x.shape[0], w.size * x.shape[0] * math.prod(size))
    return out


def weight(xp: Any, x: Any, g: Any, w_shape: Any, groups: int, **geometry: Any) -> Any:
    """Return the filters' cotangent for a cotangent ``g`` of the convolution."""
    size = g.shape[2:]
    kernel = _gatherer(w_shape, size)

    def total(some: slice) -> Any:
        return kernel.weight(xp, x[some], g[some], w_shape, groups, **geometry)

    found, *rest = shared(xp, total, x.shape[0], math.prod(w_shape) * g.size // w_shape[0])
    for part in rest:
        found += part
    return found


def _gatherer(w_shape: Any, size: Any) -> ModuleType:
    """Return how the patches are gathered along longer runs, or not at all."""
    _, c, kh, kw = w_shape
    return patch_columns if kh * kw == 1 or c * kw < size[1] else patch_rows


def transposed(
    xp: Any, g: Any, w: Any, x_shape: Any, groups: int,
    stride: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...],
) -> Any:  # fmt: skip
    """Return the images' cotangent for a cotangent ``g`` of the convolution: its transpose.

    Element t of a dilated filter connects output pixel o with pixel s o + t of the padded
    image.  With t = s m + a, that is pixel o + m of phase a, and m steps by 1.
    """
    (n, channels, *size), c = x_shape, w.shape[1]
    each = list(zip(w.shape[2:], stride, dilation, strict=True))
    lengths = [-(-(d * (k - 1) + 1) // s) if s > 1 else k for k, s, d in each]
    steps = tuple(1 if s > 1 else d for _, s, d in each)
    firsts, around = [], []
    for axis, (m, f) in enumerate(zip(lengths, steps, strict=True)):
        s, p, last = stride[axis], padding[axis], g.shape[2 + axis] - 1
        more = max(0, f * (m - 1) - p // s, (size[axis] - 1 + p) // s - last)
        around.append(more)
        firsts.append(p - s * (f * (m - 1) - more))
    phases = forward(
        xp, g, _phases(xp, w, groups, stride, dilation, lengths), groups,
        stride=(1, 1), padding=tuple(around), dilation=steps,
    )  # fmt: skip
    split = phases.reshape(n, groups, *stride, c, *phases.shape[2:]).transpose(0, 1, 4, 5, 2, 6, 3)
    tall, wide = (m * s for m, s in zip(phases.shape[2:], stride, strict=True))
    used = (slice(first, first + m) for first, m in zip(firsts, size, strict=True))
    return xp.ascontiguousarray(split.reshape(n, channels, tall, wide)[:, :, *used])


def _phases(
    xp: Any, w: Any, groups: int, stride: tuple[int, ...], dilation: Any, lengths: list[int]
) -> Any:
    """Return the filters' elements s m + a as filters (groups sh sw C / groups, O / groups, m), turned round."""
    o, c, *_ = w.shape
    spread = xp.zeros((o, c, *(m * s for m, s in zip(lengths, stride, strict=True))), dtype=w.dtype)
    there = (
        slice(0, d * (k - 1) + 1, d) if s > 1 else slice(None)
        for k, s, d in zip(w.shape[2:], stride, dilation, strict=True)
    )
    spread[:, :, *there] = w
    (mh, mw), (sh, sw) = lengths, stride
    split = spread.reshape(groups, o // groups, c, mh, sh, mw, sw).transpose(0, 4, 6, 2, 1, 3, 5)
    return split[..., ::-1, ::-1].reshape(groups * sh * sw * c, o // groups, mh, mw)


def of_signals(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Return a kernel of images (N, C, H, W) as one of signals (N, C, L)."""
    fill = {"stride": 1, "padding": 0, "dilation": 1, "x_shape": 1, "w_shape": 1}

    def run(xp: Any, a: Any, b: Any, groups: int, **geometry: Any) -> Any:
        lifted = {key: (*value, fill[key]) for key, value in geometry.items()}
        return kernel(xp, a[..., None], b[..., None], groups=groups, **lifted)[..., 0]

    return run
