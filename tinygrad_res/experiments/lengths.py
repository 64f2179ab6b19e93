"""How long are the paths that carry a gradient: the exact answer, and the sampled estimate.

A chain of n residual blocks has C(n, k) paths that cross k residual branches.  Veit,
Wilber & Belongie (2016, section 5, on short paths) weigh each length by C(n, k)
times the mean norm of the gradient that one sampled path of this length carries.  A norm
has no sign: the estimate adds what in the network cancels, since products of different
paths point in different directions.  The gradient's part g_k, the sum over all paths of
length k, is computed exactly by ``Paths.gradient_by``, and ||g_k|| <= C(n, k) x (mean
norm), with equality only where all paths of the length point the same way.

A random network shows by how much it falls short.  With branches of independent weights
of mean zero, whose Jacobians multiply a mean square by gain^2, products of different paths
are uncorrelated.  So squares add, and ||g_k|| grows as the square root of the number of
paths where the estimate grows as the number itself:

    exact     ||g_k||  ~  sqrt(C(n, k)) gain^k
    estimate           ~       C(n, k)  gain^k

``at_random`` returns these closed forms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Any, Self

from tqdm import tqdm

from .. import Paths
from ..errors import GraphError, UsageError
from ..grading import norm, shares
from .one_thread import one_thread
from .sweep import pool_of


@dataclass(frozen=True)
class Lengths:
    """Paths by length, which is the number of residual branches that they cross.

    Attributes:
        counts: the exact number of paths of each length.
        norms: the norm of the gradient's part that comes through those paths, exactly.
        shares: that part's signed share <g_k, g> / ||g||^2 of the gradient; they sum to 1.
        single: the mean norm of the gradient that a single path of the length carries,
            over sampled paths.
        gradient_norm: the norm of the whole gradient.
    """

    counts: dict[int, int]
    norms: dict[int, float]
    shares: dict[int, float]
    single: dict[int, float]
    gradient_norm: float

    def plain(self) -> dict[str, Any]:
        """Return the numbers as values that JSON holds: by length, in pairs."""
        values = asdict(self)
        return {k: list(v.items()) if isinstance(v, dict) else v for k, v in values.items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Return what ``plain`` was made from."""
        given: dict[str, Any] = {
            name: dict(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**given)

    @property
    def estimate(self) -> dict[int, float]:
        """The weight of each length by Veit et al.: paths times the mean norm of one."""
        return {k: n * self.single[k] for k, n in self.counts.items()}

    @property
    def estimate_centre(self) -> float:
        """The mean length under the estimate."""
        return _centre(self.estimate)

    @property
    def exact_centre(self) -> float:
        """The mean length under the exact norms."""
        return _centre(self.norms)

    @property
    def share_centre(self) -> float:
        """The mean length under the signed shares."""
        return _centre(self.shares)

    @property
    def overcount(self) -> float:
        """The estimate's total over the total of the exact norms; 1 where nothing cancels."""
        return sum(self.estimate.values()) / sum(self.norms.values())

    @property
    def weight_free_share(self) -> float:
        """The signed share of the path along all shortcuts."""
        return self.shares.get(0, 0.0)


def _centre(mass: Mapping[int, float]) -> float:
    return sum(k * m for k, m in mass.items()) / sum(mass.values())


def at_random(blocks: int, gain: float) -> Lengths:
    """Return the closed form for a random chain, in units of the weight-free path's norm.

    Args:
        blocks: the number of residual blocks.
        gain: the root mean square of a branch's Jacobian, relative to its shortcut.

    Raises:
        UsageError: the numbers leave the range of a float.

    >>> by_length = at_random(blocks=24, gain=24**-0.5)
    >>> f"{by_length.estimate_centre:.2f} {by_length.exact_centre:.2f} {by_length.overcount:.1f}"
    '4.07 1.44 25.6'
    """
    if blocks * math.log2(2 + 2 * gain * gain) > 1000:  # bits of the largest number on the way
        raise UsageError(
            f"at_random: blocks={blocks}, gain={gain:g}: the numbers leave the range of a float: "
            "take fewer blocks or a smaller gain"
        )
    counts = {k: math.comb(blocks, k) for k in range(blocks + 1)}
    squares = {k: n * gain ** (2 * k) for k, n in counts.items()}
    total = (1 + gain * gain) ** blocks
    return Lengths(
        counts=counts,
        norms={k: math.sqrt(square) for k, square in squares.items()},
        shares={k: square / total for k, square in squares.items()},
        single={k: gain**k for k in counts},
        gradient_norm=math.sqrt(total),
    )


def path_lengths(
    make: Callable[[], Paths], samples: int, seed: int = 0, executor: Executor | None = None,
    progress: str = "",
) -> Lengths:  # fmt: skip
    """Weigh the paths of each length, exactly and by sampling.

    Args:
        make: returns the set of paths; sent to the executor, so that a pool of processes
            takes one that can be pickled, such as a ``functools.partial``.
        samples: how many paths of each length to sample, uniformly and with replacement;
            where there are no more than that, each is taken once, and the mean is exact.
        seed: of the samples; each length draws from a stream of its own.
        executor: a pool or Dask client, as for ``sweep.sweep``, to sample in: a task for each
            length; here, one after the other, where left out.  No number depends on it.
        progress: what to write beside a progress bar; no bar where empty.

    Raises:
        GraphError: there is no path, or the gradient is zero.
        UsageError: the executor takes no tasks.

    >>> import tinygrad_res as tg
    >>> def two_blocks():
    ...     x = tg.tensor([1.0], requires_grad=True, name="x")
    ...     h = x
    ...     for slope in (0.5, -0.5):
    ...         with tg.scope("branch", branch=True):
    ...             inner = slope * h
    ...         h = h + inner
    ...     return tg.paths(h.sum(), x)
    >>> found = path_lengths(two_blocks, samples=10)
    >>> found.estimate  # 1 + 2 x .5 + .25
    {0: 1.0, 1: 1.0, 2: 0.25}
    >>> found.norms  # the two paths of length 1 cancel
    {0: 1.0, 1: 0.0, 2: 0.25}
    """
    pool = pool_of("path_lengths", executor)
    with one_thread():
        paths = make()
        counts = paths.count_by("block")
        parts = paths.gradient_by("block") if counts else {}
    if not counts:
        raise GraphError("path_lengths: the set holds no path: pass paths from a loss to its input")
    sampled = (pool.map if pool else map)(
        _mean_norm, *zip(*((make, k, samples, seed) for k in counts), strict=True)
    )
    bar = tqdm(sampled, progress, len(counts), False, unit="length", disable=not progress)
    return Lengths(
        counts=counts,
        norms={k: norm(part) for k, part in parts.items()},
        shares=shares(parts),
        single=dict(zip(counts, bar, strict=True)),
        gradient_norm=norm(sum(parts.values())),
    )


def _mean_norm(make: Callable[[], Paths], length: int, samples: int, seed: int) -> float:
    """Return the mean norm of the gradient along a path of one length."""
    with one_thread():
        paths = make().with_degree("block", length)
        few = paths.count() <= samples
        drawn = list(paths) if few else paths.random(samples, 10**6 * seed + length)
        return math.fsum(norm(path.product()) for path in drawn) / len(drawn)
