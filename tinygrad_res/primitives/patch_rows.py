"""Convolution with patches as rows: for images of many channels, which come last in memory.

Images are laid out as (groups, N, H, W, C / groups).  All groups, and as many images as fit,
are one product.
"""

from __future__ import annotations

from typing import Any

from .patches import parts, windows


def forward(xp: Any, x: Any, w: Any, groups: int, out: Any, **geometry: Any) -> None:
    """Write to ``out`` (N, O, OH, OW) the convolution of images (N, C, H, W) with filters."""
    patches = _patches(xp, x, w.shape[2:], groups, **geometry)
    _, n, oh, ow, *patch = patches.shape
    o = w.shape[0] // groups
    pixels = xp.empty((groups, n, oh, ow, o), dtype=out.dtype)
    filters = w.transpose(2, 3, 1, 0).reshape(-1, groups, o).swapaxes(0, 1)
    for some in parts(n, (groups, oh, ow, *patch)):
        rows = xp.ascontiguousarray(patches[:, some]).reshape(groups, -1, filters.shape[1])
        xp.matmul(rows, filters, out=pixels[:, some].reshape(groups, -1, o))
    out.reshape(n, groups, o, oh, ow)[...] = pixels.transpose(1, 0, 4, 2, 3)


def weight(xp: Any, x: Any, g: Any, w_shape: Any, groups: int, **geometry: Any) -> Any:
    """Return the filters' cotangent for a cotangent ``g`` of the convolution."""
    o, c, kh, kw = w_shape
    patches, pixels = _patches(xp, x, (kh, kw), groups, **geometry), _laid_out(g, groups)
    total = xp.zeros((groups, o // groups, kh * kw * c), dtype=xp.result_type(x, g))
    for some in parts(x.shape[0], (groups, *patches.shape[2:])):
        rows = xp.ascontiguousarray(patches[:, some]).reshape(groups, -1, kh * kw * c)
        total += pixels[:, some].reshape(groups, -1, o // groups).swapaxes(1, 2) @ rows
    return xp.ascontiguousarray(total.reshape(o, kh, kw, c).transpose(0, 3, 1, 2))


def _patches(xp: Any, x: Any, kernel: tuple[int, ...], groups: int, **geometry: Any) -> Any:
    """Return a view of the patches as (groups, N, OH, OW, kh, kw, C / groups)."""
    seen = windows(xp, _laid_out(x, groups), (2, 3), kernel, **geometry)
    return seen.transpose(0, 1, 2, 3, 5, 6, 4)


def _laid_out(images: Any, groups: int) -> Any:
    """Return a view of images (N, C, H, W) as (groups, N, H, W, C / groups)."""
    n, c, *size = images.shape
    return images.reshape(n, groups, c // groups, *size).transpose(1, 0, 3, 4, 2)
