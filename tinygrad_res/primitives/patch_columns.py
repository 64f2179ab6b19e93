"""Convolution with patches as columns: for wide images of few channels, and filters of one pixel.

Images stay as they are, (N, C, H, W), and each is a product of its own for every group; the
columns of a filter of one pixel are the image itself, and nothing is gathered.
"""

from __future__ import annotations

from typing import Any

from .patches import parts, windows


def forward(xp: Any, x: Any, w: Any, groups: int, out: Any, **geometry: Any) -> None:
    """Write to ``out`` (N, O, OH, OW) the convolution of images (N, C, H, W) with filters."""
    patches = _patches(xp, x, w.shape[2:], **geometry)
    n, (oh, ow), o = x.shape[0], patches.shape[4:], w.shape[0]
    pixels = out.reshape(n, groups, o // groups, oh * ow)
    filters = w.reshape(groups, o // groups, -1)
    for some in parts(n, patches.shape[1:]):
        xp.matmul(filters, _columns(xp, patches[some], groups), out=pixels[some])


def weight(xp: Any, x: Any, g: Any, w_shape: Any, groups: int, **geometry: Any) -> Any:
    """Return the filters' cotangent for a cotangent ``g`` of the convolution."""
    patches = _patches(xp, x, w_shape[2:], **geometry)
    n, (oh, ow), o = x.shape[0], patches.shape[4:], w_shape[0]
    pixels = g.reshape(n, groups, o // groups, oh * ow)
    total = xp.zeros(
        (groups, o // groups, w_shape[1] * w_shape[2] * w_shape[3]), xp.result_type(x, g)
    )
    for some in parts(n, patches.shape[1:]):
        total += (pixels[some] @ _columns(xp, patches[some], groups).swapaxes(2, 3)).sum(axis=0)
    return total.reshape(w_shape)


def _patches(xp: Any, x: Any, kernel: tuple[int, ...], **geometry: Any) -> Any:
    """Return a view of the patches as (N, C, kh, kw, OH, OW)."""
    return windows(xp, x, (2, 3), kernel, **geometry).transpose(0, 1, 4, 5, 2, 3)


def _columns(xp: Any, patches: Any, groups: int) -> Any:
    """Return patches as matrices (N, groups, C / groups kh kw, OH OW)."""
    n, c, kh, kw, oh, ow = patches.shape
    return xp.ascontiguousarray(patches).reshape(n, groups, c // groups * kh * kw, oh * ow)
