"""The patches of images: what the filters of a convolution see.

An output pixel sees a patch of the padded image, C kh kw numbers.  A view shows every patch
without a copy; with the patches as rows or as columns of a matrix, which has to be gathered,
convolution is one matrix product.  Gathering is fast where runs in memory are long: along the
channels and a row of the filter if the channels come last (``patch_rows``), or along a row of
the image if they come first (``patch_columns``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

LARGEST = 1 << 17
"""So many numbers of patches are gathered at once: they take little beside the images."""


def output_size(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[int, ...]:
    """Return (OH, OW) of a convolution over an image of ``size`` (H, W)."""
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def windows(
    xp: Any, images: Any, axes: tuple[int, int], kernel: tuple[int, ...],
    stride: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...],
) -> Any:  # fmt: skip
    """Return a view of all patches: images padded along ``axes``, and axes kh and kw at the end."""
    shape, inside = list(images.shape), [slice(None)] * images.ndim
    for axis, p in zip(axes, padding, strict=True):
        inside[axis] = slice(p, p + shape[axis])
        shape[axis] += 2 * p
    padded = xp.zeros(tuple(shape), dtype=images.dtype)
    padded[tuple(inside)] = images
    steps = list(padded.strides)
    within = tuple(steps[axis] * d for axis, d in zip(axes, dilation, strict=True))
    for axis, k, s, d in zip(axes, kernel, stride, dilation, strict=True):
        shape[axis] = (shape[axis] - d * (k - 1) - 1) // s + 1
        steps[axis] *= s
    return xp.lib.stride_tricks.as_strided(padded, (*shape, *kernel), (*steps, *within))


def parts(n: int, shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield which of ``n`` images to take together, each with patches of ``shape``."""
    step = max(1, LARGEST // max(1, math.prod(shape)))
    return (slice(i, min(i + step, n)) for i in range(0, n, step))
