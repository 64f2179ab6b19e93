"""Planes through a minimum of the loss: directions as large as the weights, and how smooth it is.

A random direction is only comparable between networks where it is as large as their weights:
each filter of a Gaussian direction is scaled to the norm of the network's own filter, and what
has no filter, biases and batch normalisations, is left alone (Li et al. 2018, Visualizing the
Loss Landscape of Neural Nets, section 4).  At distance 1 every filter has moved by its own norm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import backend, primitives
from ..errors import UsageError
from ..nn import Module
from ..record import no_grad
from ..tensor import tensor

NOISE = 1e-5
"""The part of the loss that float32 may get wrong; curvature below it counts as none."""


def filter_direction(network: Module, rng: np.random.Generator) -> list[Any]:
    """Return a Gaussian direction, an array for each parameter, filter by filter of their norm.

    A filter is what makes one output: ``weight[i]`` of a convolution or of a linear layer.
    Parameters of one axis get zeros.  The arrays lie on the parameters' devices.

    >>> import tinygrad_res as tg
    >>> layer = tg.nn.Linear(3, 2)
    >>> weight, bias = filter_direction(layer, np.random.default_rng(0))
    >>> bool(np.allclose(np.linalg.norm(weight, axis=1), np.linalg.norm(layer.weight.data, axis=1)))
    True
    >>> bias
    array([0., 0.], dtype=float32)
    """
    found = []
    for p in network.parameters():
        values = p.numpy()
        if p.ndim < 2:
            found.append(backend.to_device(np.zeros(p.shape, p.dtype), p.device))
            continue
        direction = rng.standard_normal(p.shape)
        over = tuple(range(1, p.ndim))
        own, drawn = (np.sqrt((a**2).sum(axis=over, keepdims=True)) for a in (values, direction))
        scaled = (direction * (own / drawn)).astype(p.dtype)
        found.append(backend.to_device(scaled, p.device))
    return found


@contextmanager
def moved(network: Module, *steps: tuple[float, list[Any]]) -> Iterator[None]:
    """Add distances times directions to the parameters, for as long as the context lasts."""
    parameters = network.parameters()
    start = [p.data for p in parameters]
    try:
        for i, (p, values) in enumerate(zip(parameters, start, strict=True)):
            p.data = sum((a * direction[i] for a, direction in steps), start=values)
        yield
    finally:
        for p, values in zip(parameters, start, strict=True):
            p.data = values


def loss_surface(
    network: Module, x: Any, y: Any, first: list[Any], second: list[Any],
    at: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Return the loss (n, n) at distances ``at`` along two directions; a row for each second one.

    The network is used as it is: in evaluation mode its normalisations keep the statistics of
    the minimum.  A loss beyond the range of floats is infinite.

    Raises:
        UsageError: a direction is of another network.
    """
    shapes = [p.shape for p in network.parameters()]
    for name, direction in (("first", first), ("second", second)):
        if [part.shape for part in direction] != shapes:
            raise UsageError(f"loss_surface: {name}: its shapes are not those of the parameters")
    found = np.empty((len(at), len(at)))
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):
        for i, b in enumerate(at):
            for j, a in enumerate(at):
                with moved(network, (float(a), first), (float(b), second)):
                    value = primitives.cross_entropy(network(tensor(x)), y).item()
                found[i, j] = value if math.isfinite(value) else math.inf
    return found


def plane_curvatures(surface: np.ndarray, step: float) -> np.ndarray:
    """Return the Hessian's smaller and larger eigenvalue within the plane (n - 2, n - 2, 2).

    By central differences, at all points but those on the edge.  What rounding errors of the
    loss may have made is set to 0; beside a loss that is infinite they are not a number.

    >>> a, b = np.meshgrid(np.arange(5.0), np.arange(5.0))
    >>> plane_curvatures(a * a - 2 * b * b, 1.0)[0, 0]
    array([-4.,  2.])
    """
    with np.errstate(invalid="ignore"):
        s = surface
        middle = s[1:-1, 1:-1]
        across = s[1:-1, 2:] - 2 * middle + s[1:-1, :-2]
        up = s[2:, 1:-1] - 2 * middle + s[:-2, 1:-1]
        mixed = (s[2:, 2:] - s[2:, :-2] - s[:-2, 2:] + s[:-2, :-2]) / 4
        half, spread = (across + up) / 2, np.hypot((across - up) / 2, mixed)
        found = np.stack([half - spread, half + spread], axis=-1)
        found[np.abs(found) < NOISE * np.abs(middle)[..., None]] = 0
    return found / step**2


def non_convexity(surface: np.ndarray, step: float) -> tuple[float, float]:
    """Return where a plane is not convex: the share of its points, and how much so.

    The second is the mean over the points of -min(smaller, 0) over the larger eigenvalue in size:
    0 for a convex plane (Li et al. 2018, section 6, look at this ratio).

    >>> a, b = np.meshgrid(np.arange(5.0), np.arange(5.0))
    >>> non_convexity(a * a + b * b, 1.0), non_convexity(2 * a * a - b * b, 1.0)
    ((0.0, 0.0), (1.0, 0.5))
    """
    values = plane_curvatures(surface, step).reshape(-1, 2)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return math.nan, math.nan
    sizes = np.abs(values).max(axis=1)
    ratios = np.maximum(-values[:, 0], 0) / np.where(sizes > 0, sizes, 1)
    return float((values[:, 0] < 0).mean()), float(ratios.mean())


def roughness(surface: np.ndarray) -> float:
    """Return how far the logarithm of a surface is from the best quadratic, over from its mean.

    Both are root mean squares: 0 for a quadratic, 1 for a surface that no quadratic explains.
    Losses grow over orders of magnitude from a minimum, hence the logarithm.  Points that are
    infinite, or 0, are left out.

    >>> a, b = np.meshgrid(np.arange(5.0), np.arange(5.0))
    >>> round(roughness(np.exp(a * a - a * b + 3.0)), 9)
    0.0
    """
    n = len(surface)
    a, b = (part.ravel() / (n - 1) - 0.5 for part in np.meshgrid(np.arange(n), np.arange(n)))
    known = (np.isfinite(surface) & (surface > 0)).ravel()
    terms = np.stack([np.ones_like(a), a, b, a * a, a * b, b * b], axis=1)[known]
    values = np.log(surface.ravel()[known])
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if total == 0:
        return 0.0  # flat, or no point at all
    left = values - terms @ np.linalg.lstsq(terms, values)[0]
    return math.sqrt(float(left @ left) / total)
