"""The kernels of convolution for small images: one row for every output pixel.

A row holds the patch of the image that its pixel sees, kh kw C numbers; with the channels
last these lie in long runs, so rows are gathered quickly, and the convolution is one matrix
product with no position computed in vain.  Next to ``phases`` this writes more, kh kw times
the image in place of kh times, and multiplies less, since there the padding of every row of
pixels is multiplied too: a third of the work for images of 8 by 8, and most of it below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LARGEST = 1 << 17
"""So many numbers are gathered at once, a few images: they stay near the processor."""


def forward(xp: Any, x: Any, w: Any, out: tuple[int, ...], **geometry: Any) -> Any:
    """Return the convolution (N, O, OH, OW) of images (N, C, H, W) with filters (O, C, kh, kw)."""
    pixels = xp.empty((x.shape[0], *out, w.shape[0]), dtype=xp.result_type(x, w))
    filters = w.transpose(2, 3, 1, 0).reshape(-1, w.shape[0])
    for some, rows in _gathered(xp, x, w.shape, out, **geometry):
        xp.matmul(rows, filters, out=pixels[some].reshape(-1, w.shape[0]))
    return xp.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def weight(
    xp: Any, x: Any, g: Any, w_shape: tuple[int, ...], out: tuple[int, ...], **geometry: Any
) -> Any:
    """Return the filters' cotangent for a cotangent ``g`` of the convolution."""
    o, c, kh, kw = w_shape
    total = xp.zeros((o, kh * kw * c), dtype=xp.result_type(x, g))
    for some, rows in _gathered(xp, x, w_shape, out, **geometry):
        total += _pixels(g[some]).T @ rows
    return xp.ascontiguousarray(total.reshape(o, kh, kw, c).transpose(0, 3, 1, 2))


def transposed(
    xp: Any, g: Any, w: Any, x_shape: tuple[int, ...], out: tuple[int, ...], **geometry: Any
) -> Any:
    """Return the images' cotangent for a cotangent ``g`` of the convolution: its transpose."""
    (n, c, h, wide), (o, _, kh, kw) = x_shape, w.shape
    filters = w.transpose(0, 2, 3, 1).reshape(o, kh * kw * c)
    padded = _padded(xp, x_shape, xp.result_type(g, w), **geometry)
    for some in _parts(n, out, filters.shape[1]):
        patches = (_pixels(g[some]) @ filters).reshape(-1, *out, kh, kw, c)
        for i in range(kh):
            for j in range(kw):
                padded[some, *_seen((i, j), out, **geometry)] += patches[:, :, :, i, j]
    top, left = geometry["padding"]
    inside = padded[:, top : top + h, left : left + wide]
    return xp.ascontiguousarray(inside.transpose(0, 3, 1, 2))


def _gathered(
    xp: Any, x: Any, w_shape: tuple[int, ...], out: tuple[int, ...], **geometry: Any
) -> Iterator[tuple[slice, Any]]:
    """Yield a few images, and their patches as a matrix (images OH OW, kh kw C), at a time."""
    (n, c, h, wide), (kh, kw) = x.shape, w_shape[2:]
    padded = _padded(xp, x.shape, x.dtype, **geometry)
    top, left = geometry["padding"]
    padded[:, top : top + h, left : left + wide] = x.transpose(0, 2, 3, 1)
    for some in _parts(n, out, kh * kw * c):
        rows = xp.empty((some.stop - some.start, *out, kh, kw, c), dtype=x.dtype)
        for i in range(kh):
            for j in range(kw):
                rows[:, :, :, i, j] = padded[some, *_seen((i, j), out, **geometry)]
        yield some, rows.reshape(-1, kh * kw * c)


def _parts(n: int, out: tuple[int, ...], length: int) -> Iterator[slice]:
    """Yield which of ``n`` images to take together, with patches of so many numbers."""
    step = max(1, LARGEST // max(1, out[0] * out[1] * length))
    return (slice(i, min(i + step, n)) for i in range(0, n, step))


def _padded(xp: Any, x_shape: tuple[int, ...], dtype: Any, padding: Any, **_: Any) -> Any:
    """Return an image of zeros (N, H + 2 padding, W + 2 padding, C)."""
    n, c, h, wide = x_shape
    return xp.zeros((n, h + 2 * padding[0], wide + 2 * padding[1], c), dtype=dtype)


def _seen(
    at: tuple[int, int], out: tuple[int, ...], stride: Any, dilation: Any, **_: Any
) -> tuple[slice, ...]:
    """Return the padded pixels that the filter's element ``at`` falls on."""
    starts = (k * d for k, d in zip(at, dilation, strict=True))
    return tuple(
        slice(first, first + s * (n - 1) + 1, s)
        for first, s, n in zip(starts, stride, out, strict=True)
    )


def _pixels(g: Any) -> Any:
    """Lay out an output-shaped array as a matrix (N OH OW, O)."""
    return g.transpose(0, 2, 3, 1).reshape(-1, g.shape[1])
