r"""Closed forms for shattered gradients: how alike the gradients at two inputs are.

Behind a layer with weights of variance 2 / width, activations at two inputs whose correlation is
rho correlate as kappa_1(rho), and gradients keep the share kappa_0(rho) of their correlation,
twice the probability that a unit is active at both (Cho & Saul 2009, Kernel Methods for Deep
Learning, section 2).  Iterated over layers this is exact for wide networks at random, and
what Balduzzi et al. 2017 say follows where rho stays 0, so that a unit is active at both inputs
with probability 1/4.  A batch normalisation keeps it there.  Without one the activations at
any two inputs become alike instead, and gradients keep more than the paper's 2^-L.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from ..whole_numbers import at_least


class Block(NamedTuple):
    """What is repeated: h + beta W relu(h), or W relu(h) without a shortcut.

    Attributes:
        shortcut: whether there is one.
        normalised: whether h is normalised over the batch before the activation.
        beta: the factor on W.
    """

    shortcut: bool
    normalised: bool
    beta: float = 1.0


NETS = {
    "plain": Block(False, False),
    "plain BN": Block(False, True),
    "residual": Block(True, False),
    "residual BN": Block(True, True),
    "residual BN 0.1": Block(True, True, 0.1),
}
"""The networks by what they are called: BN is batch normalisation, and 0.1 a beta."""


def kappa_0(rho: float) -> float:
    """Return twice the probability that two standard normals of correlation rho are positive.

    >>> kappa_0(1.0), kappa_0(0.0), kappa_0(-1.0)
    (1.0, 0.5, 0.0)
    """
    return 1 - math.acos(max(-1.0, min(1.0, rho))) / math.pi


def kappa_1(rho: float) -> float:
    """Return 2 E[relu(a) relu(b)] for standard normals a and b of correlation rho.

    >>> kappa_1(1.0), kappa_1(-1.0)
    (1.0, 0.0)
    """
    rho = max(-1.0, min(1.0, rho))
    return math.sqrt(1 - rho * rho) / math.pi + rho * kappa_0(rho)


def wide_correlation(block: Block, depth: int, inputs: float = math.inf) -> float:
    """Return the correlation of the gradients at two inputs at right angles, in the wide limit.

    Args:
        block: what is repeated.
        depth: how often.
        inputs: how many a batch normalisation sees; it takes off their mean, which makes any
            two of them correlate as -1 / (inputs - 1).

    Raises:
        UsageError: the depth is negative.

    >>> wide_correlation(NETS["plain BN"], 3)
    0.125
    """
    left = 1 - 1 / inputs if block.normalised else 1.0
    variance, covariance, alike = left, 0.0, 1.0
    for _ in range(at_least(0, "wide_correlation", "depth", depth)):
        rho = -1 / (inputs - 1) if block.normalised else covariance / variance
        gain = block.beta**2
        if block.normalised:  # moments of what is left when the batch's mean is taken off
            slope, grown, shared = gain / variance, gain * left * (1 - kappa_1(rho)), 0.0
        else:
            slope, grown, shared = gain, gain * variance, gain * variance * kappa_1(rho)
        if block.shortcut:
            alike *= (1 + slope * kappa_0(rho)) / (1 + slope)
            variance, covariance = variance + grown, covariance + shared
        else:
            alike *= kappa_0(rho)
            variance, covariance = grown, shared
    return alike


def stated_correlation(block: Block, depth: int) -> float | None:
    """Return what Balduzzi et al. 2017, theorems 1 to 3, state; ``None`` where they do not.

    2^-L for feedforward networks, (3/4)^L for residual ones, and, where these are normalised, of
    the order 1 / (beta sqrt(L)), written here as 1 / sqrt(1 + beta^2 L), which starts at 1.

    >>> stated_correlation(NETS["residual"], 2)
    0.5625
    """
    if not block.shortcut:
        return 0.5**depth
    if block.normalised:
        return 1 / math.sqrt(1 + block.beta**2 * depth)
    return 0.75**depth if block.beta == 1 else None


def autocorrelation(covariance: np.ndarray, lags: int) -> np.ndarray:
    """Return a series' autocorrelation at lags 0, 1, ..., from its covariance (points, points).

    It is what is expected of a sample's, numerator and denominator each: the mean over the
    points is taken off first, as from a sample.

    Raises:
        UsageError: there are not more points than lags.

    >>> autocorrelation(np.eye(4), 1)
    array([ 1.  , -0.25])
    """
    points = len(covariance)
    if not 0 <= lags < points:
        raise UsageError(f"autocorrelation: {lags} lags: must be from 0 to {points - 1}")
    rows = covariance - covariance.mean(axis=0)
    centred = rows - rows.mean(axis=1, keepdims=True)
    sums = np.array([np.trace(centred, offset=k) for k in range(lags + 1)])
    shares: np.ndarray = sums / sums[0]
    return shares


def white_noise(points: int) -> np.ndarray:
    """Return the covariance of independent numbers."""
    covariance: np.ndarray = np.eye(points)
    return covariance


def brown_noise(points: int) -> np.ndarray:
    """Return the covariance of a random walk, min(s, t)."""
    steps: np.ndarray = np.arange(1.0, points + 1)
    covariance: np.ndarray = np.minimum(steps[:, None], steps)
    return covariance
