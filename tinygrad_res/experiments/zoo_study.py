"""The zoo: every network of ``tg.nets`` beside what its authors, and counting by hand, say of it.

A network is known by how many parameters it has and how deep it is; by its paths it is known
through a polynomial in which z stands for one weight layer: a stem or a head multiplies it by z, a
block with an identity shortcut round two layers by 1 + z^2.  Multiplied out, the coefficient of
z^k says how many paths cross k weight layers.  Here the polynomial is multiplied out from the
papers' tables of blocks, and counted on the recorded network, which also runs forward
and backward once.
"""

from __future__ import annotations

import math
import os
import re
import threading
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import paths, primitives, tensor
from ..errors import UsageError
from ..nets import DENSENETS, IMAGENET_RESNETS, MODELS, build
from ..whole_numbers import as_power, at_least
from .demonstration import polynomial
from .outcome import Outcome, aligned, in_short
from .settings import quickly
from .sweep import sweep

if TYPE_CHECKING:
    from viz import Plot

Counts = dict[int, int]
"""How many paths cross so many weight layers."""

Factor = tuple[Counts, int]
"""A polynomial, and the power that it is raised to."""

QUICK = (
    "residual-mlp", "plain-mlp", "resnet20", "resnet56", "plain20", "imagenet-resnet18",
    "imagenet-resnet50", "densenet121",
)  # fmt: skip
"""The networks of a quick run."""

HE_2015 = {20: "0.27 M", 32: "0.46 M", 44: "0.66 M", 56: "0.85 M", 110: "1.7 M", 1202: "19.4 M"}
"""Parameters of the CIFAR networks: He et al. 2015, table 6; all as in the text, rounded."""

TORCHVISION = {
    "imagenet-resnet18": 11_689_512, "imagenet-resnet34": 21_797_672,
    "imagenet-resnet50": 25_557_032, "imagenet-resnet101": 44_549_160,
    "imagenet-resnet152": 60_192_808, "densenet121": 7_978_856, "densenet169": 14_149_480,
    "densenet201": 20_013_928, "vgg11": 132_863_336, "vgg13": 133_047_848,
    "vgg16": 138_357_544, "vgg19": 143_667_240,
}  # fmt: skip
"""Parameters of the ImageNet networks, as PyTorch's own copies of them have."""

PANELS = {
    "CIFAR ResNets, by depth": r"resnet(20|56|110)",
    "ImageNet networks, by depth": r"imagenet-resnet(18|152)|densenet121",
}
"""Which networks a plot shows together, if they were measured."""

_SEEN, _MOST = 1e-3, 8
"""A share of the paths that a plot still shows, and how many networks one pair of axes."""

_ONE_AT_A_TIME = threading.Lock()
"""Memory is measured for the whole process, so that threads take turns."""


@dataclass(frozen=True)
class Measured:
    """One network.

    Attributes:
        name: in ``tg.nets.MODELS``.
        parameters: how many numbers are learned.
        published: how many its authors, or torchvision, say; ``""`` where neither does.
        formula: the polynomial that counts its paths, in factors.
        expected: the same multiplied out.
        counts: paths from the logits back to the images by weight layers crossed, as recorded.
        weight_free: of the paths between stem and head, how many cross no weight layer.
        between: how many there are.
        gradient: the norm of the loss's gradient by the images, after one pass forward and back.
        peak: the most memory that was held on the way, in MB; the process's that ran it.
    """

    name: str
    parameters: int
    published: str
    formula: str
    expected: Counts
    counts: Counts
    weight_free: int
    between: int
    gradient: float
    peak: float = field(compare=False)

    @property
    def crossed(self) -> str:
        """How many weight layers the paths cross, from the shortest to the longest."""
        low, high = min(self.counts), max(self.counts)
        return str(low) if low == high else f"{low} to {high}"

    @property
    def mean(self) -> float:
        """How many weight layers a path crosses on average; whole numbers are divided last."""
        return sum(k * n for k, n in self.counts.items()) / sum(self.counts.values())

    @property
    def holds(self) -> bool:
        """Whether parameters, where published, and paths are as they should be."""
        digits = len(self.published.partition(".")[2].partition(" ")[0])
        ours = f"{self.parameters / 1e6:.{digits}f} M" if "M" in self.published else None
        known = self.published in ("", f"{self.parameters:,}", ours)
        return known and self.counts == self.expected and math.isfinite(self.gradient)


@dataclass(frozen=True)
class Zoo(Outcome):
    """What ``zoo`` found.

    Attributes:
        networks: in the order of ``tg.nets.MODELS``.
        batch, side: images in the pass forward and back, and their height for ImageNet networks.
        seed: of weights and images.
        quick: whether this was the quick setting.
    """

    networks: tuple[Measured, ...]
    batch: int
    side: int
    seed: int
    quick: bool = False

    def table(self) -> str:
        """Return a line for each network."""
        heads = (
            "network", "paths by weight layers crossed", "parameters", "published", "layers crossed",
            "mean", "paths", "", "weight-free", "their share", "gradient norm", "peak MB",
        )  # fmt: skip
        rows = [
            (
                one.name, one.formula, f"{one.parameters:,}", one.published, one.crossed, one.mean,
                as_power(sum(one.counts.values())), "holds" if one.holds else "does not hold",
                one.weight_free, one.weight_free / one.between, one.gradient, one.peak,
            )
            for one in self.networks
        ]  # fmt: skip
        return "\n".join([
            f"Every network once forward and backward, on {self.batch} random images, seed {self.seed}",
            "", aligned(heads, rows, words=2), "",
            "z: one weight layer.  A stem or a head is a factor z, a block with a bare shortcut round two",
            "layers 1 + z^2, round a bottleneck of 1x1, 3x3 and 1x1 convolutions 1 + z^3; a projection",
            "on the shortcut makes that z + z^3, and no path of such a network is weight-free.",
            "published: He et al. 2015, table 6, of the CIFAR networks, rounded there; torchvision's",
            "of the others; weight-free: of the paths between stem and head, and their share in these;",
            "gradient norm: of the loss by the images, at random weights; peak MB: the most memory that",
            "arrays held meanwhile, in float32, give or take the tenths of a MB that Python itself holds;",
            f"ImageNet networks on {self.side} x {self.side}, CIFAR's on 32 x 32.  holds: the recorded",
            "network has the paths of the polynomial, which is by hand from the papers' tables, the",
            "published parameters, and a finite gradient",
            in_short(
                all(one.holds for one in self.networks),
                f"{sum(one.holds for one in self.networks)} of {len(self.networks)} networks have the "
                "published parameters and the paths of their polynomial",
            ),
            *quickly(self.quick, f"{len(self.networks)} of {len(MODELS)} networks"),
        ])  # fmt: skip

    def plot(self) -> Plot:
        """Return how the paths of the deeper networks are distributed over their lengths."""
        import viz

        panels = {title: self._lengths(pattern) for title, pattern in PANELS.items()}
        shown = {title: series for title, series in panels.items() if series}
        return viz.plot_series(
            shown or self._lengths(".*"), x="weight layers that a path crosses",
            y="share of the network's paths",
            title="Most paths cross about half of the layers",
            note=f"shares below {_SEEN:g} not shown",
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON holds; counts are strings, being unbounded."""
        listed = []
        for one in self.networks:
            values = asdict(one)
            for name in ("expected", "counts"):
                values[name] = {str(k): str(n) for k, n in values[name].items()}
            values |= {"weight_free": str(one.weight_free), "between": str(one.between)}
            listed.append({**values, "holds": one.holds})
        return {"networks": listed, "batch": self.batch, "side": self.side, "seed": self.seed,
                "quick": self.quick}  # fmt: skip

    def _lengths(self, pattern: str) -> dict[str, dict[int, float]]:
        """Return the shares of the paths by length, of networks whose name has the pattern."""
        found = {}
        for one in self.networks:
            if re.fullmatch(pattern, one.name):
                total = sum(one.counts.values())
                shares = {k: n / total for k, n in one.counts.items()}
                name = one.name.removeprefix("imagenet-")
                found[name] = {k: share for k, share in shares.items() if share >= _SEEN}
        return dict(list(found.items())[:_MOST])


def zoo(
    models: Sequence[str] | None = None, batch: int = 2, side: int = 64, quick: bool = False,
    seed: int = 0, executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Zoo:  # fmt: skip
    """Count the parameters and the paths of networks, and run each once forward and back.

    Args:
        models: names in ``tg.nets.MODELS``; all of them where left out.
        batch: images in the pass.
        side: their height and width for the ImageNet networks, at least 32; they were trained
            on 224, which takes twelve times as long and changes no count.
        quick: eight smaller networks where ``models`` is left out.
        seed: of weights and images.
        executor, folder: a pool or Dask client, and where to keep what is finished, as for
            ``sweep.sweep``.

    Raises:
        UsageError: a model is unknown, or a number out of its bounds.

    >>> found = zoo(["resnet20"])
    >>> one = found.networks[0]
    >>> one.formula, one.parameters, sum(one.counts.values()), one.holds
    ('z^2 (1 + z^2)^9', 269722, 512, True)
    """
    chosen = (QUICK if quick else MODELS) if models is None else tuple(models)
    unknown = [name for name in chosen if name not in MODELS]
    if unknown or not chosen:
        raise UsageError(f"zoo: models={unknown or chosen}: use some of {', '.join(MODELS)}")
    setting = {
        "batch": at_least(2, "zoo", "batch", batch), "side": at_least(32, "zoo", "side", side),
        "seed": at_least(0, "zoo", "seed", seed),
    }  # fmt: skip
    cells = [{"model": name, **setting} for name in dict.fromkeys(chosen)]
    done = sweep(_measured, cells, executor, folder, "networks")
    measured = []
    for one in done:
        for name in ("expected", "counts"):
            one[name] = {int(k): n for k, n in one[name].items()}
        measured.append(Measured(**one))
    return Zoo(tuple(measured), **setting, quick=bool(quick))


def _measured(model: str, batch: int, side: int, seed: int) -> dict[str, Any]:
    image, classes = _image(model, side)
    with _ONE_AT_A_TIME:
        traced = tracemalloc.is_tracing()  # by the caller, who goes on
        tracemalloc.start()
        try:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            found = _run(model, batch, image, classes, seed)
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            if not traced:
                tracemalloc.stop()
    factors = factors_of(model)
    return {
        **found, "name": model, "published": _published(model), "peak": peak / 1e6,
        "formula": " ".join(map(_written, factors)), "expected": multiplied(factors),
    }  # fmt: skip


def _run(
    model: str, batch: int, image: tuple[int, int, int], classes: int, seed: int
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    network = build(model, image, classes, rng=rng)
    x = tensor(rng.standard_normal((batch, *image)), requires_grad=True, dtype="float32", name="x")
    stem = network.stem(x)
    features = network.body(stem)
    logits = network.head(features)
    loss = primitives.cross_entropy(logits, rng.integers(classes, size=batch))
    whole = paths(loss, x).count_by("weight")
    between = paths(loss, x, start=features, end=stem).count_by("weight")
    loss.backward()
    assert x.grad is not None
    return {
        "parameters": network.size(), "counts": whole, "between": sum(between.values()),
        "weight_free": between.get(0, 0), "gradient": float(np.linalg.norm(x.grad.data)),
    }  # fmt: skip


def _image(model: str, side: int) -> tuple[tuple[int, int, int], int]:
    """Return the shape of an image, and the number of classes."""
    if model.endswith("mlp"):
        return (1, 8, 8), 10
    imagenet = re.match("imagenet|densenet|vgg", model)
    return ((3, side, side), 1000) if imagenet else ((3, 32, 32), 10)


def _published(model: str) -> str:
    if model in TORCHVISION:
        return f"{TORCHVISION[model]:,}"
    named = re.fullmatch(r"resnet(\d+)", model)
    return HE_2015[int(named[1])] if named else ""


def factors_of(model: str) -> list[Factor]:
    """Return the polynomial that counts a network's paths, from the papers' tables of blocks.

    >>> factors_of("imagenet-resnet50")
    [({2: 1}, 1), ({0: 1, 3: 1}, 12), ({1: 1, 3: 1}, 4)]
    """
    if model.endswith("mlp"):  # three blocks of two layers
        return [({8: 1}, 1)] if model == "plain-mlp" else [({2: 1}, 1), ({0: 1, 2: 1}, 3)]
    named = re.fullmatch(r"(.*?)(\d+)", model)
    assert named is not None
    family, depth = named[1], int(named[2])
    if family in ("resnet", "preresnet"):
        return [({2: 1}, 1), ({0: 1, 2: 1}, (depth - 2) // 2)]
    if family in ("imagenet-resnet", "imagenet-preresnet"):
        layers, projected = (3, 4) if depth >= 50 else (2, 3)
        units = sum(IMAGENET_RESNETS[depth])
        return [
            ({2: 1}, 1), ({0: 1, layers: 1}, units - projected), ({1: 1, layers: 1}, projected),
        ]  # fmt: skip
    if family == "densenet":  # stem, three transitions, head
        return [({5: 1}, 1), ({0: 1, 2: 1}, sum(DENSENETS[depth]))]
    return [({depth: 1}, 1)]


def multiplied(factors: Sequence[Factor]) -> Counts:
    """Return a product of powers of polynomials.

    >>> multiplied([({1: 1}, 1), ({0: 1, 2: 1}, 2)])
    {1: 1, 3: 2, 5: 1}
    """
    found: Counts = {0: 1}
    for factor, power in factors:
        for _ in range(power):
            product: Counts = {}
            for (a, m), (b, n) in ((p, q) for p in found.items() for q in factor.items()):
                product[a + b] = product.get(a + b, 0) + m * n
            found = product
    return dict(sorted(found.items()))


def _written(factor: Factor) -> str:
    counts, power = factor
    inner = polynomial(counts) if len(counts) == 1 else f"({polynomial(counts)})"
    return inner if power == 1 else f"{inner}^{power}"
