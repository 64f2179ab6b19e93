"""The kernels of convolution: matrix products on shifted views.

With the channels first and the padded images behind one another in memory, moving the
filter by a row or a column moves the start of one long row of pixels.  So the filter's
rows are gathered, k long copies in place of the k k of a textbook's im2col, and its
columns are the same matrix read from k starting points.  Positions that wrap around an
edge are computed and dropped; where these are many, as in small images, ``patches`` computes
without them.  A stride splits the image into phases, every stride-th pixel, where neighbours
are neighbours again.

Signals of one dimension are images of one column.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import patches

WASTEFUL = 1.4
"""Positions for each output pixel from which on it is faster to gather patches."""


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


class _Geometry:
    """The shapes of one convolution, and how arrays lie in memory for it.

    A phase is the grid (GH, GW) of every stride-th pixel of a padded image; ``length``
    is the number of pixels of a whole batch in one phase.  ``down[i]`` says in which
    phase row i of the filter falls and how many pixels further on, ``right[j]`` the
    same of column j.
    """

    def __init__(
        self,
        xp: Any,
        x_shape: Any,
        w_shape: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
    ) -> None:
        self.xp, self.x_shape, self.w_shape = xp, x_shape, w_shape
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.out = output_size(x_shape[2:], w_shape[2:], stride, padding, dilation)
        (kh, kw), (sh, sw), (dh, dw) = w_shape[2:], stride, dilation
        self.grid = tuple(
            n + d * (k - 1) // s
            for n, d, k, s in zip(self.out, dilation, w_shape[2:], stride, strict=True)
        )
        self.length = x_shape[0] * math.prod(self.grid)
        self.down = [(i * dh % sh, i * dh // sh * self.grid[1]) for i in range(kh)]
        self.right = [(j * dw % sw, j * dw // sw) for j in range(kw)]
        self.tall = max(0, self.length - self.down[-1][1])
        self.wide = max(0, self.tall - self.right[-1][1])

    @property
    def patches(self) -> dict[str, Any] | None:
        """What ``patches`` asks for, where it is the faster way."""
        if self.groups > 1 or math.prod(self.grid) < WASTEFUL * math.prod(self.out):
            return None
        return {
            "out": self.out, "stride": self.stride, "padding": self.padding,
            "dilation": self.dilation,
        }  # fmt: skip

    def _inside(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return where the image lies in the padded grid, and which part of it is used."""
        there, here = [], []
        for n, g, s, p in zip(self.x_shape[2:], self.grid, self.stride, self.padding, strict=True):
            used = max(0, min(n, g * s - p))
            there.append(slice(p, p + used))
            here.append(slice(0, used))
        return tuple(there), tuple(here)  # type: ignore[return-value]

    def phases(self, x: Any) -> Any:
        """Lay out images (N, C, H, W) as phases (sh, sw, C, length)."""
        (n, c), (gh, gw), (sh, sw) = self.x_shape[:2], self.grid, self.stride
        there, here = self._inside()
        padded = self.xp.zeros((c, n, gh * sh, gw * sw), dtype=x.dtype)
        padded[(slice(None), slice(None), *there)] = x[(slice(None), slice(None), *here)].transpose(
            1, 0, 2, 3
        )
        split = padded.reshape(c, n, gh, sh, gw, sw).transpose(3, 5, 0, 1, 2, 4)
        return split.reshape(sh, sw, c, self.length)

    def images(self, phases: Any) -> Any:
        """Undo ``phases``: return images (N, C, H, W)."""
        (n, c), (gh, gw), (sh, sw) = self.x_shape[:2], self.grid, self.stride
        there, here = self._inside()
        split = phases.reshape(sh, sw, c, n, gh, gw).transpose(3, 2, 4, 0, 5, 1)
        padded = split.reshape(n, c, gh * sh, gw * sw)
        x = self.xp.zeros(self.x_shape, dtype=phases.dtype)
        x[(slice(None), slice(None), *here)] = padded[(slice(None), slice(None), *there)]
        return x

    def columns(self, x: Any) -> list[Any]:
        """Return, for each column of the filter, the matrix (groups, C kh / groups, wide).

        Columns in the same phase are views of one matrix of gathered rows.
        """
        phases, gathered = self.phases(x), {}
        for b, _ in self.right:
            if b not in gathered:
                rows = self.xp.empty((phases.shape[2], len(self.down), self.tall), dtype=x.dtype)
                for i, (a, shift) in enumerate(self.down):
                    rows[:, i] = phases[a, b, :, shift : shift + self.tall]
                gathered[b] = self.grouped(
                    rows.reshape(phases.shape[2] * len(self.down), self.tall)
                )
        return [gathered[b][..., shift : shift + self.wide] for b, shift in self.right]

    def outputs(self, g: Any) -> Any:
        """Lay out an output-shaped array as (groups, O / groups, wide), zero between images."""
        (n, o), (oh, ow) = g.shape[:2], self.out
        spread = self.xp.zeros((o, n, *self.grid), dtype=g.dtype)
        spread[:, :, :oh, :ow] = g.transpose(1, 0, 2, 3)
        return self.grouped(spread.reshape(o, self.length))[..., : self.wide]

    def filters(self, w: Any) -> list[Any]:
        """Return, for each column of the filter, its weights (groups, O / groups, C kh / groups)."""
        by_column = self.xp.ascontiguousarray(w.transpose(3, 0, 1, 2))
        shape = w.shape[0], w.shape[1] * w.shape[2]
        return [self.grouped(part.reshape(shape)) for part in by_column]

    def grouped(self, matrix: Any) -> Any:
        """Split the rows into groups; one group stays one product of BLAS."""
        if self.groups == 1:
            return matrix
        return matrix.reshape(self.groups, matrix.shape[0] // self.groups, matrix.shape[1])


def forward(xp: Any, x: Any, w: Any, **geometry: Any) -> Any:
    """Return the convolution (N, O, OH, OW) of images (N, C, H, W) with filters (O, C / groups, kh, kw)."""
    shape = _Geometry(xp, x.shape, w.shape, **geometry)
    if shape.patches is not None:
        return patches.forward(xp, x, w, **shape.patches)
    flat = shape.grouped(xp.empty((w.shape[0], shape.length), dtype=xp.result_type(x, w)))
    total = flat[..., : shape.wide]
    room = xp.empty(total.shape, dtype=total.dtype)
    for j, (kernel, pixels) in enumerate(zip(shape.filters(w), shape.columns(x), strict=True)):
        xp.matmul(kernel, pixels, out=room if j else total)
        if j:
            total += room
    (oh, ow), n = shape.out, x.shape[0]
    cropped = flat.reshape(w.shape[0], n, *shape.grid)[:, :, :oh, :ow]
    return xp.ascontiguousarray(cropped.transpose(1, 0, 2, 3))


def weight(xp: Any, x: Any, g: Any, w_shape: Any, **geometry: Any) -> Any:
    """Return the filters' cotangent for a cotangent ``g`` of the convolution."""
    shape = _Geometry(xp, x.shape, w_shape, **geometry)
    if shape.patches is not None:
        return patches.weight(xp, x, g, w_shape, **shape.patches)
    o, c, kh, _ = w_shape
    rows = shape.outputs(g)
    parts = [(rows @ m.swapaxes(-1, -2)).reshape(o, c, kh) for m in shape.columns(x)]
    return xp.stack(parts, axis=3)


def transposed(xp: Any, g: Any, w: Any, x_shape: Any, **geometry: Any) -> Any:
    """Return the images' cotangent for a cotangent ``g`` of the convolution: its transpose."""
    shape = _Geometry(xp, x_shape, w.shape, **geometry)
    mirrored = _mirrored(g, w, x_shape, **geometry)
    if mirrored is not None:
        return forward(xp, g, **mirrored)
    if shape.patches is not None:
        return patches.transposed(xp, g, w, x_shape, **shape.patches)
    rows, dtype = shape.outputs(g), xp.result_type(g, w)
    phases = xp.zeros((*shape.stride, x_shape[1], shape.length), dtype=dtype)
    gathered: dict[int, Any] = {}
    for kernel, (b, shift) in zip(shape.filters(w), shape.right, strict=True):
        product = kernel.swapaxes(-1, -2) @ rows
        if b not in gathered:
            gathered[b] = xp.zeros((*product.shape[:-1], shape.tall), dtype=dtype)
        gathered[b][..., shift : shift + shape.wide] += product
    for b, pixels in gathered.items():
        by_row = pixels.reshape(x_shape[1], len(shape.down), shape.tall)
        for i, (a, shift) in enumerate(shape.down):
            phases[a, b, :, shift : shift + shape.tall] += by_row[:, i]
    return shape.images(phases)


def _mirrored(
    g: Any, w: Any, x_shape: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> dict[str, Any] | None:
    """Return the convolution of g that is the transpose: with stride 1, the mirrored filter's.

    ``None`` where there is none: the stride is larger, or the padding leaves nothing to pad.
    """
    reach = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
    around = (reach[0] - padding[0], reach[1] - padding[1])
    if stride != (1, 1) or min(around) < 0:
        return None
    o, c, kh, kw = w.shape
    swapped = w.reshape(groups, o // groups, c, kh, kw).swapaxes(1, 2)[..., ::-1, ::-1]
    return {
        "w": swapped.reshape(groups * c, o // groups, kh, kw), "stride": stride,
        "padding": around, "dilation": dilation, "groups": groups,
    }  # fmt: skip


def of_signals(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Return a kernel of images (N, C, H, W) as one of signals (N, C, L)."""
    fill = {"stride": 1, "padding": 0, "dilation": 1, "x_shape": 1, "w_shape": 1}

    def run(xp: Any, a: Any, b: Any, groups: int, **geometry: Any) -> Any:
        lifted = {key: (*value, fill[key]) for key, value in geometry.items()}
        return kernel(xp, a[..., None], b[..., None], groups=groups, **lifted)[..., 0]

    return run
